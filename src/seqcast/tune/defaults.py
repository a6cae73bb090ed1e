"""The spaces that are searched unless the user gives one."""

from __future__ import annotations

from seqcast.forecaster import Sizes
from seqcast.specs import FinetuneSpec, MemberSpec
from seqcast.tune.space import Choice, Range, Setting

# Context lengths that are tried, over the untuned one.
CONTEXTS = (0.5, 1.5, 2.0, 3.0)
# Learning rates that are tried, over the untuned one.
RATES = (0.2, 5.0)
# Fewest and most steps an epoch of a fine-tuning, over the untuned ones.
STEPS = (0.25, 4.0)
# Parts that a fine-tuning leaves as they are: with fewer weights to learn, little data says more about each.
FROZEN = ("none", "encoder", "encoder-decoder", "decoder")


def _widths(*widths: tuple[int, ...]) -> Choice:
    return Choice({"-".join(map(str, each)): {"encoder_units": each, "decoder_units": each} for each in widths})


def default_space(
    untuned: Setting, sizes: Sizes, *, contexts: bool = True, covariates: bool = False
) -> dict[str, Choice | Range]:
    """Return the space that is searched unless the user gives one.

    Networks of segments and others have spaces of their own; both hold widths, what windows are freed of, what the
    forecast is added to, dropout, learning rate, batch size and how much is read. That of a fine-tuning holds learning
    rate, batch size, number of steps and the parts that stay as they are.

    Args:
        untuned: The setting as it is without tuning.
        sizes: Sizes of the data: `context_length` is that of the network, `windows` the rows of the longest series.
        contexts: Whether the context length is searched too.
        covariates: Whether a fine-tuning learns what covariates mean, for which no part may stay as it is.

    Example:
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.training import TrainingSpec
        >>> member = MemberSpec(NetworkSpec(), TrainingSpec(), context_length=24)
        >>> sorted(default_space(member, Sizes(windows=200, context_length=24, horizon=12, season_length=12)))[:4]
        ['batch_size', 'context_length', 'decoder', 'dropout']
    """
    if isinstance(untuned, FinetuneSpec):
        return _finetuning(untuned, parts=not covariates)
    return _network(untuned, sizes, contexts=contexts)


def _finetuning(untuned: FinetuneSpec, *, parts: bool) -> dict[str, Choice | Range]:
    """Return the space of a fine-tuning; `parts` is whether some of the network may stay as they are."""
    rate, steps = untuned.training.learning_rate, untuned.training.steps_per_epoch
    space: dict[str, Choice | Range] = {
        "learning_rate": Range(RATES[0] * rate, RATES[1] * rate, log=True),
        "batch_size": Choice([32, 64, 128]),
    }
    if steps is not None:
        least, most = (max(1, round(share * steps)) for share in STEPS)
        space["steps_per_epoch"] = Range(least, most, log=True, whole=True)
    if parts:
        space["freeze"] = Choice(
            {name: {"freeze": tuple(name.split("-")) if name != "none" else ()} for name in FROZEN}
        )
    return space


def _network(untuned: MemberSpec, sizes: Sizes, *, contexts: bool) -> dict[str, Choice | Range]:
    """Return the space of a network that is trained."""
    rate, context, season = untuned.training.learning_rate, sizes.context_length, sizes.season_length
    space: dict[str, Choice | Range] = {
        "learning_rate": Range(RATES[0] * rate, RATES[1] * rate, log=True),
        "batch_size": Choice([64, 128, 256]),
    }
    if untuned.network.segment > 1:
        tokens = (steps for steps in {season, 2 * season, season // 2} if 1 < steps <= min(sizes.horizon, context // 2))
        space |= {
            "units": _widths((64,), (128,), (64, 64), (128, 128)),
            "segment": Choice(sorted({untuned.network.segment, *tokens})),
            "normalise": Choice(["instance", "recent", "last"]),
            "dropout": Range(0.0, 0.5),
        }
    else:
        space |= {
            "units": _widths((35, 35), (64,), (64, 64), (128,)),
            "decoder": Choice(
                {
                    "zeros": {"decoder_input": "zeros", "decoding": "recurrent"},
                    "parallel": {"decoder_input": "position", "decoding": "parallel"},
                }
            ),
            "normalise": Choice(["last", "recent", "instance"]),
            "dropout": Range(0.0, 0.4),
        }
    if 1 < season <= context:
        space["residual"] = Choice(["none", "seasonal", "gated"])
    longest = max(context, sizes.windows - sizes.horizon)
    lengths = {context, *(round(share * context) for share in CONTEXTS)}
    # A residual needs a season in the context.
    least = max(2, untuned.network.segment, season if season <= context else 2)
    lengths = {length for length in lengths if least <= length <= longest}
    if contexts and len(lengths) > 1:
        space["context_length"] = Choice(sorted(lengths))
    return space
