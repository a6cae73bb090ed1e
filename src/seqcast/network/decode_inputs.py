"""Inputs of a decoder: known inputs, the season, and in training the true values before tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from seqcast.errors import DataError, SpecError
from seqcast.network.encoder import StateArrays
from seqcast.network.segment import fold, token_count
from seqcast.runtime import Tensor, ops
from seqcast.specs import NetworkSpec


@dataclass(frozen=True)
class DecodeInputs:
    """The inputs of a decoder other than its own outputs.

    Args:
        carry: The arrays of `States`, with the decoder's own initial states.
        tokens: Number of tokens.
        positions: Learned vectors that distinguish the tokens, the same for all rows, `[1, tokens,
            p]`.
        future: The known future of each token, `[B, tokens, f]`.
        season: The season that outputs are added to, normalised, `[B, tokens, s · D]`.
        truth: The true token before each token, normalised, `[B, tokens, s · D]`, under teacher
            forcing.
        teacher_mask: Whether a token of an example reads the truth, `[tokens, B, 1]`; `None` if all
            do.
        training: Whether dropout is on.
    """

    carry: StateArrays
    tokens: int
    positions: Tensor | None = None
    future: Tensor | None = None
    season: Tensor | None = None
    truth: Tensor | None = None
    teacher_mask: Tensor | None = None
    training: bool | None = None

    @property
    def known(self) -> Tensor | None:
        """The inputs of tokens that do not depend on outputs, `[B, tokens, p + f]`."""
        positions = self.positions
        if positions is not None:
            positions = ops.broadcast_to(positions, (row_count(self.carry), *positions.shape[1:]))
        return joined([positions, self.future])

    def by_token(self) -> dict[str, Tensor]:
        """Return the known inputs, season, truth and teacher mask that exist, for a loop.

        Their first axis is that of the tokens.
        """
        by_row = {"known": self.known, "season": self.season, "truth": self.truth}
        by_token = {
            name: ops.swapaxes(values, 0, 1)
            for name, values in by_row.items()
            if values is not None
        }
        if self.teacher_mask is not None:
            by_token["teacher_mask"] = self.teacher_mask
        return by_token


def season_tokens(carry: StateArrays, tokens: int, segment: int) -> Tensor | None:
    """Return the last season repeated, to which outputs are added, `[B, tokens, s · D]`, or `None`.

    Args:
        carry: The arrays of `States`; `season`, if present, has the last season, oldest step first,
            `[B, m, D]`.
        tokens: Number of tokens.
        segment: Steps of a token, `s`.

    Example:
        >>> season = ops.reshape(ops.arange(1.0, 4.0), (1, 3, 1))
        >>> [float(value) for value in season_tokens({"season": season}, 5, 1)[0, :, 0]]
        [1.0, 2.0, 3.0, 1.0, 2.0]

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.2.
    """
    if "season" not in carry:
        return None
    steps = tokens * segment
    season = carry["season"]
    repeats = -(-steps // season.shape[1])
    return fold(ops.tile(season, (1, repeats, 1))[:, :steps], segment)


def previous_tokens(
    target: Tensor | None,
    carry: StateArrays,
    *,
    horizon: int,
    segment: int,
    normalise: Callable[[Tensor, StateArrays], Tensor],
) -> Tensor:
    """Return the true token before each token, normalised, `[B, tokens, s · D]`.

    The first one is the last token of the past; the others are the target's.

    Args:
        target: True values, `[B, H, D]`.
        carry: The arrays of `States`, with the last values of the past.
        horizon: Number of steps, `H`.
        segment: Steps of a token, `s`.
        normalise: Normalises values, `[B, n, D]`.

    Raises:
        DataError: There is no target.
    """
    if target is None:
        raise DataError(
            "inputs['target']",
            expected=f"the true future, [B, {horizon}, D], in training",
            received="nothing",
            hint="Teacher forcing reads it; give y in the inputs too.",
        )

    before = target[:, : (token_count(horizon, segment) - 1) * segment]
    first = ops.expand_dims(carry["last_targets"], 1)
    return ops.concatenate([first, fold(normalise(before, carry), segment)], axis=1)


def token_statistics(carry: StateArrays, width: int, targets: int, *, steps: bool) -> list[Tensor]:
    """Return the normaliser's loc and scale for tokens, `[B, width]` or `[B, 1, width]`.

    Args:
        carry: The arrays of `States`, with the statistics of the targets.
        width: Width of a token, `s · D`.
        targets: Target dimensions, `D`.
        steps: Whether the values have an axis of steps.
    """
    statistics = [carry["loc"], carry["scale"]]
    if width > targets:
        statistics = [ops.tile(values, (1, width // targets)) for values in statistics]
    if steps:
        statistics = [ops.expand_dims(values, 1) for values in statistics]
    return statistics


def check_future(future: Tensor | None, horizon: int, features: int) -> None:
    """Reject known-future inputs with another number of steps or features.

    Args:
        future: Known-future inputs, `[B, H, F']`.
        horizon: Number of steps, `H`.
        features: Number of known-future features, `F'`.
    """
    if not features and future is None:
        return
    shape = None if future is None else tuple(future.shape[1:])
    if shape != (horizon, features):
        raise DataError(
            "future_covariates",
            expected=f"[B, {horizon}, {features}]" if features else "nothing, as at fit",
            received="nothing" if shape is None else f"[B, {', '.join(map(str, shape))}]",
            hint="Known-future inputs have to cover every step of the horizon.",
        )


def check_endless(network: NetworkSpec) -> None:
    """Reject a decoder whose number of tokens is limited.

    Args:
        network: Options of the network.
    """
    if network.decoder_input == "position":
        raise SpecError(
            "decoder_model",
            expected="a decoder without a limit of tokens",
            received=f"decoder_input={network.decoder_input!r}",
            hint=(
                "Only the trained horizon has positions; `predict` and `decode` go on block by "
                "block."
            ),
        )


def row_count(carry: StateArrays) -> Tensor:
    """Return the number of examples.

    Args:
        carry: The arrays of `States`.
    """
    return ops.shape(carry["layers"][0][0])[0]


def joined(values: list[Tensor | None]) -> Tensor | None:
    """Join the tensors that are not `None` along the last axis; `None` if all are.

    Args:
        values: Tensors that differ in their last axis, or `None`.
    """
    present = [value for value in values if value is not None]
    if len(present) > 1:
        return ops.concatenate(present, axis=-1)
    return present[0] if present else None


SAMPLING_SCHEDULES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda share: 1.0 - share,
    "exponential": lambda share: ops.power(0.01, share),
    "inverse_sigmoid": lambda share: ops.sigmoid(6.0 - 12.0 * share),
}


def teacher_probability(schedule: str, step: Tensor, steps: int) -> Tensor:
    r"""Return the probability that the decoder reads the true previous value.

    With the fraction `u = step / steps` of the schedule that is over: `linear` is `1 - u`,
    `exponential` is `0.01^u`, `inverse_sigmoid` is `σ(6 - 12 u)`; all are 0 from `u = 1` on.

    Args:
        schedule: Name of the schedule.
        step: Training steps done.
        steps: Training steps after which the decoder reads only its own outputs.

    Returns:
        The probability, a scalar.

    Example:
        >>> float(teacher_probability("linear", 25.0, 100))
        0.75

    Source: Bengio et al. 2015, Scheduled Sampling, arXiv:1506.03099, section 2.4.
    """
    share = ops.cast(step, "float32") / float(steps)
    return ops.where(share >= 1.0, 0.0, SAMPLING_SCHEDULES[schedule](share))
