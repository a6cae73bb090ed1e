"""What `preset` takes: networks by name, and ensembles of networks with a training of their own; and fine-tunings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields, set_ints
from seqcast.specs.checks import check_choice, check_flag, check_int
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

# Fewer tokens than these are hardly a sequence.
LEAST_TOKENS = 4
# Layers of encoder and decoder by the least number of training windows. Two layers are as accurate as one that is twice
# as wide, in half the time (`docs/accuracy.md`).
LARGER = {100_000: (128, 128), 10_000: (64, 64)}

NETWORK_FIELDS = tuple(item.name for item in fields(NetworkSpec))
TRAINING_FIELDS = tuple(item.name for item in fields(TrainingSpec))
# Submodules of a network that can be frozen while the others are trained.
SUBMODULES = ("encoder", "decoder", "head")

OneSpec = TypeVar("OneSpec", NetworkSpec, TrainingSpec)


@dataclass(frozen=True)
class Preset:
    """A network and how it is trained.

    Args:
        network: The network.
        training: How it is trained.
    """

    network: NetworkSpec
    training: TrainingSpec

    def fitted_to(self, *, season_length: int, context_length: int, horizon: int, windows: int = 1) -> Self:
        """Return the preset with segments, layers and residual that suit the data, if it has segments.

        Segments follow `segment_rule`; a network that learns from ten thousand windows has two layers, and from a
        hundred thousand two that are twice as wide; and where a context holds a season, the forecast is added to the
        last one, through a gate.

        Args:
            season_length: Steps of a season; 1 is none.
            context_length: Steps of past, `T`.
            horizon: Steps of future, `H`.
            windows: Number of training windows.

        Returns:
            The preset; others, such as `classic`, as they are.

        Example:
            >>> fitted = preset("segment").fitted_to(season_length=24, context_length=168, horizon=48, windows=90_000)
            >>> fitted.network.segment, fitted.network.encoder_units, fitted.network.residual
            (24, (64, 64), 'gated')
        """
        network = self.network
        if network.segment == 1:
            return self
        larger = (units for least, units in LARGER.items() if windows >= least)
        units = next(larger, network.encoder_units)
        fitted = replace(
            network,
            segment=segment_rule(season_length, context_length, horizon),
            encoder_units=units,
            decoder_units=units,
            residual="gated" if 1 < season_length <= context_length else "none",
        )
        return replace(self, network=fitted)


def segment_rule(season_length: int, context_length: int, horizon: int) -> int:
    """Choose how many steps to fold into one token.

    It is a season, so that every token holds the same times of the day, the week or the year in the same places; or,
    where that is longer than the horizon or leaves the encoder fewer than four tokens, the largest divisor of a season
    of which neither is true. Without a season it is 1.

    Args:
        season_length: Steps of a season; 1 is none.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.

    Returns:
        A divisor of the season length.

    Example:
        >>> segment_rule(24, 168, 48), segment_rule(24, 48, 24), segment_rule(12, 24, 8), segment_rule(7, 28, 5)
        (24, 12, 6, 1)
    """
    season = check_int("season_length", season_length)
    longest = min(check_int("horizon", horizon), check_int("context_length", context_length) // LEAST_TOKENS)
    return max((steps for steps in range(1, season + 1) if season % steps == 0 and steps <= longest), default=1)


PRESETS: dict[str, Preset] = {
    # The post's network; the recipe is what docs/history.md shows to be best for its job, at a rate
    # that noisy data bear too.
    "classic": Preset(NetworkSpec(), TrainingSpec(optimizer="muon", learning_rate=0.005)),
    # SegRNN: Lin et al. 2023, arXiv:2308.11200.
    "segment": Preset(
        NetworkSpec(
            encoder_units=(64,),
            decoder_units=(64,),
            normalise="instance",
            segment=4,
            decoder_input="position",
            decoding="parallel",
            dropout=0.1,
        ),
        TrainingSpec(optimizer="adamw", learning_rate=0.002, batch_size=256, epochs=20, early_stopping=5),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Args:
        name: `classic`: GRU, two layers of 35 in encoder and decoder, the decoder fed with zeros. `segment`: one layer
            of 64 that reads segments of 4 steps in the window's own units, and writes all segments side by side; it
            needs the targets' own past and a horizon of a segment at least. `Preset.fitted_to` takes segments of a
            season, and layers for the number of windows.

    Returns:
        The preset.

    Raises:
        SpecError: There is no such preset.

    Example:
        >>> preset("classic").network.encoder_units
        (35, 35)
    """
    check_choice("preset", name, tuple(PRESETS))
    return PRESETS[name]


@dataclass(frozen=True)
class MemberSpec(Spec):
    """A network, how it is trained, and how much it reads.

    Args:
        network: The network.
        training: How it is trained; all of it is taken as it is.
        context_length: Steps of past that it reads; `None` chooses as `Forecaster` does.

    Raises:
        SpecError: A field is no spec, or the length is impossible.

    Example:
        >>> MemberSpec(NetworkSpec(), TrainingSpec(epochs=3), context_length=24).training.epochs
        3
    """

    network: NetworkSpec
    training: TrainingSpec
    context_length: int | None = None

    _specs: ClassVar[Mapping[str, type[Spec]]] = {"network": NetworkSpec, "training": TrainingSpec}

    def __post_init__(self) -> None:
        for name, kind in self._specs.items():
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise SpecError(name, expected=f"a {kind.__name__}", received=repr(given), hint="Give one.")
        set_ints(self, "context_length", optional=True)

    @property
    def values(self) -> dict[str, Any]:
        """All fields of the network and its training, and the context length, by name."""
        return {**vars(self.network), **vars(self.training), "context_length": self.context_length}

    def changed(self, values: Mapping[str, Any]) -> MemberSpec:
        """Return it with some fields changed.

        Args:
            values: The fields that differ, by name, as in `values`.

        Raises:
            SpecError: They do not go together.

        Example:
            >>> other = MemberSpec(NetworkSpec(), TrainingSpec()).changed({"dropout": 0.2, "context_length": 8})
            >>> other.network.dropout, other.context_length
            (0.2, 8)
        """
        context_length = values.get("context_length", self.context_length)
        return MemberSpec(_changed(self.network, values), _changed(self.training, values), context_length)


def _changed(spec: OneSpec, values: Mapping[str, Any]) -> OneSpec:
    """Return a spec with those fields changed that are its own."""
    return replace(spec, **{name: value for name, value in values.items() if name in vars(spec)})


@dataclass(frozen=True)
class EnsembleSpec(Spec):
    """Networks that are trained side by side and forecast together, as the `preset` of a `Forecaster`.

    The forecast of the members is their median, or their mean, as the forecaster's `combine` says. Unless they are
    `alone`, the last season and the pretrained network, fine-tuned, share the forecast with them, by the evidence of
    validation windows, as with `preset="auto"`.

    Args:
        members: The networks.
        alone: Whether nothing but them forecasts.
        finetuning: Fields of the training of the pretrained network that differ from the usual ones.
        judge: A network that is trained with them and forecasts nothing but validation windows: the members have the
            share that it would have, unless they are better by far. Members that were picked as the best of many on
            those windows would else have too much. `None` lets them stand for themselves.

    Raises:
        SpecError: There is no member, one is no `MemberSpec`, or they forecast different things.

    Example:
        >>> wide = MemberSpec(NetworkSpec(encoder_units=(64,)), TrainingSpec())
        >>> EnsembleSpec([wide, MemberSpec(NetworkSpec(), TrainingSpec())]).members[0].network.encoder_units
        (64,)
    """

    members: tuple[MemberSpec, ...]
    alone: bool = False
    finetuning: Mapping[str, Any] | None = None
    judge: MemberSpec | None = None

    _specs: ClassVar[Mapping[str, type[Spec]]] = {"members": MemberSpec, "judge": MemberSpec}

    def __post_init__(self) -> None:
        members = self.members
        known = isinstance(members, Sequence) and all(isinstance(member, MemberSpec) for member in members)
        if not known or not len(members):
            raise SpecError("members", expected="one MemberSpec or more", received=repr(members), hint="Give a list.")
        set_fields(self, members=tuple(members))
        check_flag("alone", self.alone)
        if self.finetuning is not None:
            TrainingSpec.from_dict(self.finetuning)
        if self.judge is not None and (self.alone or not isinstance(self.judge, MemberSpec)):
            expected = "None with alone=True: there is no share to judge" if self.alone else "a MemberSpec"
            raise SpecError("judge", expected=expected, received=repr(self.judge)[:80], hint="Leave it out.")
        for name, values in (
            ("head", [(member.network.head, member.network.quantiles) for member in self.trained]),
            ("validation_fraction", [member.training.validation_fraction for member in self.trained]),
        ):
            if len(set(values)) > 1:
                different = " and ".join(map(str, dict.fromkeys(values)))
                raise SpecError(
                    name, expected="the same of all members", received=different, hint="Their forecasts are combined."
                )

    @property
    def trained(self) -> tuple[MemberSpec, ...]:
        """All networks that are trained: the members, and the judge after them."""
        return self.members if self.judge is None else (*self.members, self.judge)

    @property
    def specs(self) -> Iterator[tuple[NetworkSpec, TrainingSpec]]:
        """The network and the training of each network that is trained."""
        return ((member.network, member.training) for member in self.trained)

    def member(self, place: int) -> MemberSpec:
        """Return the network that is trained at a place.

        Args:
            place: Its number, from 0; after the last network the first one follows.
        """
        return self.trained[place % len(self.trained)]


def check_submodules(freeze: Sequence[str]) -> None:
    """Refuse submodules of a network that cannot be frozen.

    Args:
        freeze: Their names.

    Example:
        >>> check_submodules(("encoder",))
    """
    if isinstance(freeze, str):
        raise SpecError("freeze", expected="a tuple of names", received=repr(freeze), hint=f"Give ({freeze!r},).")
    for name in freeze:
        check_choice("freeze", name, SUBMODULES)
    if set(freeze) == set(SUBMODULES):
        raise SpecError("freeze", expected="a submodule left to train", received=repr(freeze), hint="Leave one out.")


@dataclass(frozen=True)
class FinetuneSpec(Spec):
    """A fine-tuning of the pretrained network: the arguments of `Forecaster.finetune`.

    Args:
        training: How its training goes on; all of it is taken as it is.
        freeze: Submodules of the network that stay as they are: some of `encoder`, `decoder`, `head`.

    Raises:
        SpecError: A submodule does not exist, or none is left to train.

    Example:
        >>> FinetuneSpec(TrainingSpec(epochs=3)).changed({"freeze": ["encoder"], "epochs": 6}).freeze
        ('encoder',)
    """

    training: TrainingSpec
    freeze: tuple[str, ...] = ()

    _specs: ClassVar[Mapping[str, type[Spec]]] = {"training": TrainingSpec}

    def __post_init__(self) -> None:
        check_submodules(self.freeze)
        set_fields(self, freeze=tuple(self.freeze))

    @property
    def values(self) -> dict[str, Any]:
        """All fields of the training, and the submodules that stay as they are, by name."""
        return {**vars(self.training), "freeze": self.freeze}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `Forecaster.finetune`."""
        return {"training": self.training, "freeze": self.freeze}

    def changed(self, values: Mapping[str, Any]) -> FinetuneSpec:
        """Return it with some fields changed.

        Args:
            values: The fields that differ, by name, as in `values`.

        Raises:
            SpecError: They do not go together.
        """
        return FinetuneSpec(_changed(self.training, values), values.get("freeze", self.freeze))
