"""Where series come from: ids, lengths and values, behind one small interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["InMemoryStore"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class InMemoryStore:
    """Many series in memory, laid end to end.

    Args:
        ids: One name a series, sorted.
        values: All values, series after series, `[sum of lengths]`, or with several columns `[sum of lengths, C]`.
        ends: Position after each series' last value in `values`, `[number of series]`.

    Example:
        >>> source = InMemoryStore.of({"a": np.arange(3.0), "b": np.arange(2.0)})
        >>> source.lengths
        array([3, 2])
        >>> source.read(1, 0, 2)
        array([0., 1.])
    """

    ids: tuple[Any, ...]
    values: Array
    ends: Array

    @classmethod
    def of(cls, series: dict[Any, Array]) -> Self:
        """Lay the series of a dict end to end, in the order of their ids."""
        ids = tuple(sorted(series))
        ends = np.cumsum([len(series[name]) for name in ids])
        return cls(ids, np.concatenate([series[name] for name in ids]), ends)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def starts(self) -> Array:
        """Position of each series' first value in `values`."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    @property
    def lengths(self) -> Array:
        """Number of values of each series."""
        return self.ends - self.starts

    def read(self, series: int, start: int, stop: int) -> Array:
        """Return the values of one series from `start` up to `stop`."""
        first = int(self.starts[series])
        return self.values[first + start : min(first + stop, int(self.ends[series]))]

    def until(self, stops: Array) -> Self:
        """Return the source with each series cut off after `stops` values."""
        lengths = self.lengths
        kept = np.arange(len(self.values)) - np.repeat(self.starts, lengths) < np.repeat(stops, lengths)
        return type(self)(self.ids, self.values[kept], np.cumsum(np.minimum(stops, lengths)))


def starts_of(ends: Array) -> Array:
    """Return where each series begins, from where it ends."""
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)
