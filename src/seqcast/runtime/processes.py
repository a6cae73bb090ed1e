"""Processes that share each batch of one training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Processes:
    """The processes that share each batch of a training, and which of them this one is.

    Args:
        rank: Number of this process, from 0.
        count: How many processes there are; 1 shares nothing.
        parts: Equal parts of a batch, of which each process computes as many: a multiple of `count`.

    Example:
        >>> Processes(rank=1, count=2, parts=4).of_batches
        {'rank': 1, 'world_size': 2, 'parts': 4}
    """

    rank: int = 0
    count: int = 1
    parts: int = 1

    @property
    def of_batches(self) -> dict[str, Any]:
        """Which rows of each batch are read here, as options of `BatchOrder`."""
        return {"rank": self.rank, "world_size": self.count, "parts": self.parts}
