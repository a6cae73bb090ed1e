"""Networks of different shapes that forecast together, each with a training of its own; and fine-tunings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields
from seqcast.specs.checks import check_choice, check_flag, check_int
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

NETWORK_FIELDS = tuple(item.name for item in fields(NetworkSpec))
TRAINING_FIELDS = tuple(item.name for item in fields(TrainingSpec))


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

    def __post_init__(self) -> None:
        for name, kind in (("network", NetworkSpec), ("training", TrainingSpec)):
            if not isinstance(getattr(self, name), kind):
                raise SpecError(
                    name, expected=f"a {kind.__name__}", received=repr(getattr(self, name)), hint="Give one."
                )
        if self.context_length is not None:
            set_fields(self, context_length=check_int("context_length", self.context_length))

    @property
    def values(self) -> dict[str, Any]:
        """All fields of the network and its training, and the context length, by name."""
        network = {name: getattr(self.network, name) for name in NETWORK_FIELDS}
        training = {name: getattr(self.training, name) for name in TRAINING_FIELDS}
        return {**network, **training, "context_length": self.context_length}

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
        return MemberSpec(
            replace(self.network, **{name: value for name, value in values.items() if name in NETWORK_FIELDS}),
            replace(self.training, **{name: value for name, value in values.items() if name in TRAINING_FIELDS}),
            values.get("context_length", self.context_length),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        described = {"network": self.network.to_dict(), "training": self.training.to_dict()}
        return {**described, "context_length": self.context_length}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build it from the result of `to_dict`.

        Raises:
            SpecError: A field does not exist, is missing or has an impossible value.
        """
        kinds: dict[str, Any] = {"network": NetworkSpec, "training": TrainingSpec}
        if not isinstance(values, Mapping):
            return super().from_dict(values)
        return super().from_dict({name: kinds[name].from_dict(v) if name in kinds else v for name, v in values.items()})


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
        judge: A network that is trained beside them and forecasts nothing but validation windows: the members have the
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
            raise SpecError(
                "judge",
                expected="None with alone=True: there is no share to judge" if self.alone else "a MemberSpec",
                received=repr(self.judge)[:80],
                hint="Leave it out.",
            )
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
        """Return the network that is trained at a place, counted around."""
        return self.trained[place % len(self.trained)]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        finetuning = None if self.finetuning is None else dict(self.finetuning)
        judge = None if self.judge is None else self.judge.to_dict()
        members = [each.to_dict() for each in self.members]
        return {"members": members, "alone": self.alone, "finetuning": finetuning, "judge": judge}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build it from the result of `to_dict`.

        Raises:
            SpecError: A field does not exist, is missing or has an impossible value.
        """
        if isinstance(values, Mapping) and isinstance(values.get("members"), list | tuple):
            values = {**values, "members": tuple(MemberSpec.from_dict(each) for each in values["members"])}
            if values.get("judge") is not None:
                values["judge"] = MemberSpec.from_dict(values["judge"])
        return super().from_dict(values)


# Parts of a network that can be frozen while the others are trained.
PARTS = ("encoder", "decoder", "head")


def check_parts(freeze: Sequence[str]) -> None:
    """Refuse parts of a network that cannot be frozen.

    Example:
        >>> check_parts(("encoder",))
    """
    if isinstance(freeze, str):
        raise SpecError("freeze", expected="a tuple of parts", received=repr(freeze), hint=f"Give ({freeze!r},).")
    for part in freeze:
        check_choice("freeze", part, PARTS)
    if set(freeze) == set(PARTS):
        raise SpecError("freeze", expected="a part that is left to train", received=repr(freeze), hint="Leave one out.")


@dataclass(frozen=True)
class FinetuneSpec(Spec):
    """A fine-tuning of the pretrained network: the arguments of `Forecaster.finetune`.

    Args:
        training: How it is trained further; all of it is taken as it is.
        freeze: Parts of the network that stay as they are: some of `encoder`, `decoder`, `head`.

    Raises:
        SpecError: A part does not exist, or none is left to train.

    Example:
        >>> FinetuneSpec(TrainingSpec(epochs=3)).changed({"freeze": ["encoder"], "epochs": 6}).freeze
        ('encoder',)
    """

    training: TrainingSpec
    freeze: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_parts(self.freeze)
        set_fields(self, freeze=tuple(self.freeze))

    @property
    def values(self) -> dict[str, Any]:
        """All fields of the training, and the parts that stay as they are, by name."""
        return {**{name: getattr(self.training, name) for name in TRAINING_FIELDS}, "freeze": self.freeze}

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
        training = {name: value for name, value in values.items() if name in TRAINING_FIELDS}
        return FinetuneSpec(replace(self.training, **training), values.get("freeze", self.freeze))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {"training": self.training.to_dict(), "freeze": list(self.freeze)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build it from the result of `to_dict`.

        Raises:
            SpecError: A field does not exist, is missing or has an impossible value.
        """
        if isinstance(values, Mapping) and "training" in values:
            values = {**values, "training": TrainingSpec.from_dict(values["training"])}
        return super().from_dict(values)
