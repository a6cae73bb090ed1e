"""What a training recorded, epoch by epoch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self, get_type_hints

from seqcast.runtime import check_fields


@dataclass
class History:
    """What training recorded.

    Args:
        epochs: One list a quantity (`loss`, `val_loss`, metrics), one number an epoch.
        best_epoch: The epoch, from 1, with the best validation loss, whose weights the model holds; `None` without
            validation, when it holds the last ones.
        seconds: Wall time of the training, compilation included.
        stopped_early: Whether training ended before its last epoch because nothing improved.
        interrupted: Whether it was interrupted by the user.
        parts: How many parts each batch was divided into.

    Example:
        >>> history = History({"loss": [2.0, 1.0]})
        >>> history["loss"][-1], len(history)
        (1.0, 2)
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None
    seconds: float = 0.0
    stopped_early: bool = False
    interrupted: bool = False
    parts: int = 1

    def __getitem__(self, name: str) -> list[float]:
        return self.epochs[name]

    def __contains__(self, name: object) -> bool:
        return name in self.epochs

    def __len__(self) -> int:
        return len(self.epochs.get("loss", []))

    def continued(self, recorded: Self) -> Self:
        """Return the history with the records of a further training appended.

        Example:
            >>> history = History({"loss": [2.0]}, seconds=1.0).continued(History({"loss": [1.0]}, seconds=0.5))
            >>> history.epochs, history.seconds
            ({'loss': [2.0, 1.0]}, 1.5)
        """
        names = {**self.epochs, **recorded.epochs}
        epochs = {name: [*self.epochs.get(name, ()), *recorded.epochs.get(name, ())] for name in names}
        return replace(self, epochs=epochs, seconds=self.seconds + recorded.seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; a number that is not finite is null."""
        epochs = {
            name: [value if math.isfinite(value) else None for value in values] for name, values in self.epochs.items()
        }
        return {**asdict(self), "epochs": epochs}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the history from the result of `to_dict`, read from a file.

        Raises:
            ValueError: It is no history.
        """
        fields = check_fields(values, {**get_type_hints(cls), "epochs": dict[str, list[float | None]]}, "history")
        fields["epochs"] = {
            name: [math.nan if value is None else value for value in values]
            for name, values in fields["epochs"].items()
        }
        history = cls(**fields)
        # What a later training did not measure has fewer epochs.
        length = max([1, *map(len, history.epochs.values())])
        if not 1 <= (1 if history.best_epoch is None else history.best_epoch) <= length or history.parts < 1:
            raise ValueError(f"a history of {length} epochs, the best of which is {history.best_epoch}")
        return history
