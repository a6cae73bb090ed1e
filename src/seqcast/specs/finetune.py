"""How the pretrained network is trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields
from seqcast.specs.checks import check_choice
from seqcast.specs.ensemble import TRAINING_FIELDS
from seqcast.specs.training import TrainingSpec

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
