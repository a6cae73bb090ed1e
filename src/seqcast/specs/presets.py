"""Presets: networks by name with their training, ensembles of networks, and fine-tunings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields, set_ints
from seqcast.specs.checks import check_choice, check_flag, check_int
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

# Least number of tokens of a sequence.
LEAST_TOKENS = 4
# Widths of encoder and decoder layers by the least number of training windows. Two layers are as
# accurate as one of twice the width, in half the time (`docs/accuracy.md`).
LARGER = {100_000: (128, 128), 10_000: (64, 64)}

NETWORK_FIELDS = tuple(item.name for item in fields(NetworkSpec))
TRAINING_FIELDS = tuple(item.name for item in fields(TrainingSpec))
# Submodules of a network that can be frozen while the others are trained.
SUBMODULES = ("encoder", "decoder", "head")

OneSpec = TypeVar("OneSpec", NetworkSpec, TrainingSpec)


@dataclass(frozen=True)
class Preset:
    """Options of a network and of its training.

    Args:
        network: Options of the network.
        training: Options of the training.
    """

    network: NetworkSpec
    training: TrainingSpec

    def fitted_to(
        self, *, season_length: int, context_length: int, horizon: int, windows: int = 1
    ) -> Self:
        """Return the preset with segments, layers and residual that suit the data.

        Segments follow `segment_rule`. A network has two layers from ten thousand windows on, and
        two of twice the width from a hundred thousand on. If a context contains a season, the
        forecast is added to the last season, through a gate.

        Args:
            season_length: Steps of a season; 1 is none.
            context_length: Steps of past, `T`.
            horizon: Steps of future, `H`.
            windows: Number of training windows.

        Returns:
            The preset; presets without segments, such as `classic`, are unchanged.

        Example:
            >>> sizes = {"season_length": 24, "context_length": 168, "horizon": 48}
            >>> fitted = preset("segment").fitted_to(**sizes, windows=90_000)
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
    """Return the number of steps of a token.

    It is a season, so that every token has the same times of the day, the week or the year in the
    same places. If a season is longer than the horizon, or leaves fewer than four tokens for the
    encoder, it is the largest suitable divisor of the season. Without a season it is 1.

    Args:
        season_length: Steps of a season; 1 is none.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.

    Returns:
        A divisor of the season length.

    Example:
        >>> segment_rule(24, 168, 48), segment_rule(24, 48, 24)
        (24, 12)
        >>> segment_rule(12, 24, 8), segment_rule(7, 28, 5)
        (6, 1)
    """
    season = check_int("season_length", season_length)
    longest = min(
        check_int("horizon", horizon), check_int("context_length", context_length) // LEAST_TOKENS
    )
    return max(
        (steps for steps in range(1, season + 1) if season % steps == 0 and steps <= longest),
        default=1,
    )


PRESETS: dict[str, Preset] = {
    # The post's network, with the best training of docs/history.md at a rate that also suits noisy
    # data.
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
        TrainingSpec(
            optimizer="adamw", learning_rate=0.002, batch_size=256, epochs=20, early_stopping=5
        ),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Args:
        name: `classic`: GRU, two layers of 35 in encoder and decoder, whose decoder reads zeros.
            `segment`: one layer of 64 that reads segments of 4 steps in the window's own units, and
            writes all segments in parallel; it needs the targets' own past and a horizon of at
            least a segment. `Preset.fitted_to` chooses segments by the season, and layers by the
            number of windows.

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
    """Options of a network, its training and its context.

    Args:
        network: Options of the network.
        training: Options of the training, used without changes.
        context_length: Past steps that the network reads; `None` chooses as `Forecaster` does.

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
                raise SpecError(
                    name, expected=f"a {kind.__name__}", received=repr(given), hint="Give one."
                )
        set_ints(self, "context_length", optional=True)

    @property
    def values(self) -> dict[str, Any]:
        """All fields of the network and its training, and the context length, by name."""
        return {**vars(self.network), **vars(self.training), "context_length": self.context_length}

    def changed(self, values: Mapping[str, Any]) -> MemberSpec:
        """Return the spec with some fields changed.

        Args:
            values: The changed fields, by name, as in `values`.

        Raises:
            SpecError: The fields do not fit together.

        Example:
            >>> member = MemberSpec(NetworkSpec(), TrainingSpec())
            >>> other = member.changed({"dropout": 0.2, "context_length": 8})
            >>> other.network.dropout, other.context_length
            (0.2, 8)
        """
        context_length = values.get("context_length", self.context_length)
        return MemberSpec(
            _changed(self.network, values), _changed(self.training, values), context_length
        )


def _changed(spec: OneSpec, values: Mapping[str, Any]) -> OneSpec:
    """Return a spec with changed fields; names of other specs are ignored."""
    return replace(spec, **{name: value for name, value in values.items() if name in vars(spec)})


def _checked_members(members: Sequence[MemberSpec]) -> tuple[MemberSpec, ...]:
    is_sequence = isinstance(members, Sequence) and len(members) > 0
    if not is_sequence or not all(isinstance(member, MemberSpec) for member in members):
        raise SpecError(
            "members",
            expected="one MemberSpec or more",
            received=repr(members),
            hint="Give a list.",
        )
    return tuple(members)


def _check_same(name: str, values: Sequence[object]) -> None:
    """Reject members whose forecasts cannot be combined."""
    different = dict.fromkeys(values)
    if len(different) > 1:
        raise SpecError(
            name,
            expected="the same of all members",
            received=" and ".join(map(str, different)),
            hint="Their forecasts are combined.",
        )


@dataclass(frozen=True)
class EnsembleSpec(Spec):
    """Networks that are trained on the same data and forecast together, a `Forecaster`'s `preset`.

    The forecast of the members is their median or mean, by the forecaster's `combine`. With the
    last season and the fine-tuned zero-shot model they are candidates, whose shares depend on
    hold-out windows as with `preset="auto"`.

    Args:
        members: The networks.
        alone: Whether the members are the only candidates.
        finetuning: Changed fields of the training of the zero-shot model.
        proxy: A network that is trained with the members and represents them on the hold-out
            windows: they have its share, unless they are much better. Members that were chosen by
            their losses on these windows would otherwise have too large a share. `None` gives the
            members their own share.

    Raises:
        SpecError: There is no member, one is no `MemberSpec`, or their heads or validation
            fractions differ.

    Example:
        >>> wide = MemberSpec(NetworkSpec(encoder_units=(64,)), TrainingSpec())
        >>> ensemble = EnsembleSpec([wide, MemberSpec(NetworkSpec(), TrainingSpec())])
        >>> ensemble.members[0].network.encoder_units
        (64,)
    """

    members: tuple[MemberSpec, ...]
    alone: bool = False
    finetuning: Mapping[str, Any] | None = None
    proxy: MemberSpec | None = None

    _specs: ClassVar[Mapping[str, type[Spec]]] = {"members": MemberSpec, "proxy": MemberSpec}

    def __post_init__(self) -> None:
        set_fields(self, members=_checked_members(self.members))
        check_flag("alone", self.alone)
        if self.finetuning is not None:
            TrainingSpec.from_dict(self.finetuning)

        if self.proxy is not None and (self.alone or not isinstance(self.proxy, MemberSpec)):
            without_shares = "None with alone=True: there is no share to measure"
            raise SpecError(
                "proxy",
                expected=without_shares if self.alone else "a MemberSpec",
                received=repr(self.proxy)[:80],
                hint="Leave it out.",
            )

        networks = [member.network for member in self.trained]
        trainings = [member.training for member in self.trained]
        _check_same("head", [(each.head, each.quantiles) for each in networks])
        _check_same("validation_fraction", [each.validation_fraction for each in trainings])

    @property
    def trained(self) -> tuple[MemberSpec, ...]:
        """All trained networks: the members, then the proxy."""
        return self.members if self.proxy is None else (*self.members, self.proxy)

    @property
    def specs(self) -> Iterator[tuple[NetworkSpec, TrainingSpec]]:
        """Network and training options of each trained network."""
        return ((member.network, member.training) for member in self.trained)

    def member(self, place: int) -> MemberSpec:
        """Return a trained network by its number.

        Args:
            place: Number of the network, from 0; after the last network the first one follows.
        """
        return self.trained[place % len(self.trained)]


def check_submodules(freeze: Sequence[str]) -> None:
    """Reject submodules of a network that cannot be frozen.

    Args:
        freeze: Names of the submodules.

    Example:
        >>> check_submodules(("encoder",))
    """
    if isinstance(freeze, str):
        raise SpecError(
            "freeze",
            expected="a tuple of names",
            received=repr(freeze),
            hint=f"Give ({freeze!r},).",
        )
    for name in freeze:
        check_choice("freeze", name, SUBMODULES)
    if set(freeze) == set(SUBMODULES):
        raise SpecError(
            "freeze",
            expected="a submodule left to train",
            received=repr(freeze),
            hint="Leave one out.",
        )


@dataclass(frozen=True)
class FinetuneSpec(Spec):
    """A fine-tuning of the zero-shot model: the arguments of `Forecaster.finetune`.

    Args:
        training: Options of the training, used without changes.
        freeze: Submodules that are not trained: any of `encoder`, `decoder`, `head`.

    Raises:
        SpecError: A submodule does not exist, or all are frozen.

    Example:
        >>> spec = FinetuneSpec(TrainingSpec(epochs=3))
        >>> spec.changed({"freeze": ["encoder"], "epochs": 6}).freeze
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
        """All fields of the training, and the frozen submodules, by name."""
        return {**vars(self.training), "freeze": self.freeze}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `Forecaster.finetune`."""
        return {"training": self.training, "freeze": self.freeze}

    def changed(self, values: Mapping[str, Any]) -> FinetuneSpec:
        """Return the spec with some fields changed.

        Args:
            values: The changed fields, by name, as in `values`.

        Raises:
            SpecError: The fields do not fit together.
        """
        return FinetuneSpec(_changed(self.training, values), values.get("freeze", self.freeze))
