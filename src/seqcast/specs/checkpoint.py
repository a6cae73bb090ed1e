"""Where and how often a training is written down."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.runtime import FileLimits
from seqcast.specs.base import set_fields
from seqcast.specs.checks import check_int, check_number

__all__ = ["CheckpointSpec"]


@dataclass(frozen=True)
class CheckpointSpec:
    """Where and how often the state of a training is written, so that it can be resumed.

    Args:
        folder: The folder, which is made where it is missing. It is for one fit.
        minutes: Time after which the state is written in the middle of an epoch (on JAX; at the end of each epoch it is
            written in any case, but for where writing would take more than a hundredth of the time).
        keep: States that are kept of each network, the newest ones.
        max_size: How long the file of a state may be when a training goes on: bytes, or a text such as `8 GB`; `None`
            is 4 GB.

    Example:
        >>> CheckpointSpec("runs/sales", minutes=10).keep
        2
    """

    folder: Path
    minutes: float = 2.0
    keep: int = 2
    max_size: Any = None

    def __init__(
        self, folder: str | os.PathLike[str], minutes: float = 2.0, keep: int = 2, max_size: Any = None
    ) -> None:
        FileLimits.of(max_size)
        set_fields(
            self,
            folder=Path(folder),
            minutes=check_number("minutes", minutes, low=0.0, open_low=True),
            keep=check_int("keep", keep),
            max_size=max_size,
        )

    @classmethod
    def of(cls, checkpoint: Any) -> Self:
        """Return the spec of an argument: a spec, or the path of a folder.

        Raises:
            SpecError: It is neither.
        """
        if isinstance(checkpoint, cls):
            return checkpoint
        if not isinstance(checkpoint, str | os.PathLike):
            raise SpecError(
                "checkpoint",
                expected="the path of a folder, or a CheckpointSpec",
                received=repr(checkpoint),
                hint="Give a folder for this fit alone.",
            )
        return cls(checkpoint)
