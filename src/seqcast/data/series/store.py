"""Stores of the rows of series: the interface, and series in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class SeriesStore(Protocol):
    """Rows of many series, numbered from the first row of the first series to the last row of the last one.

    Windows are cut by `read`, which returns any rows. Statistics are learnt from whole series, which `batches` yields
    some at a time, so that a store need not hold all of them at once.
    """

    @property
    def ids(self) -> tuple[Any, ...]:
        """One name a series, sorted."""

    @property
    def lengths(self) -> Array:
        """Number of rows of each series."""

    @property
    def width(self) -> int:
        """Number of columns, `C`."""

    def read(self, rows: Array) -> Array:
        """Return the rows with these numbers, `[..., C]` for numbers of any shape `[...]`."""

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield whole series: their numbers, and their rows one after another, `[rows, C]`."""

    def take(self, series: Array) -> Self:
        """Return a store of some of the series, in this order."""


class SeriesLayout:
    """Where series begin and end among all rows, by their `ids` and `ends`; a base of stores."""

    ids: tuple[Any, ...]
    ends: Array

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def starts(self) -> Array:
        """Position of each series' first row."""
        return starts_of(self.ends)

    @cached_property
    def lengths(self) -> Array:
        """Number of rows of each series."""
        return self.ends - self.starts

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.ids)}

    def places(self, names: Iterable[Any]) -> Array:
        """Return the number of each series by name, -1 for names that are not there.

        Example:
            >>> InMemoryStore.of({"a": np.zeros(3), "b": np.zeros(2)}).places(["b", "x"])
            array([ 1, -1])
        """
        return np.array([self._places.get(name, -1) for name in names], dtype=np.int64)


@dataclass(frozen=True)
class InMemoryStore(SeriesLayout):
    """Many series in memory, laid end to end: a `SeriesStore`.

    Args:
        ids: One name a series, sorted.
        values: All rows, series after series, `[rows, C]`, or `[rows]` for one column.
        ends: Position after each series' last row in `values`, `[number of series]`.

    Example:
        >>> store = InMemoryStore.of({"a": np.arange(3.0), "b": np.arange(2.0)})
        >>> store.lengths
        array([3, 2])
        >>> store.read(np.array([0, 4])), store.series(1)
        (array([0., 1.]), array([0., 1.]))
    """

    ids: tuple[Any, ...]
    values: Array
    ends: Array

    @classmethod
    def of(cls, series: dict[Any, Array]) -> Self:
        """Return the series of a dict laid end to end, in the order of their ids."""
        ids = tuple(sorted(series))
        ends = np.cumsum([len(series[name]) for name in ids])
        return cls(ids, np.concatenate([series[name] for name in ids]), ends)

    @property
    def width(self) -> int:
        """Number of columns."""
        return 1 if self.values.ndim == 1 else int(self.values.shape[1])

    def read(self, rows: Array) -> Array:
        """Return the rows with these numbers."""
        return np.take(self.values, rows, axis=0)

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield all series at once, as they are in memory already."""
        yield np.arange(len(self.ids)), self.values

    def series(self, number: int) -> Array:
        """Return the rows of one series."""
        return self.values[int(self.starts[number]) : int(self.ends[number])]

    def take(self, series: Array) -> Self:
        """Return a store of some of the series, in this order."""
        lengths = self.lengths[series]
        ends = np.cumsum(lengths)
        rows = np.arange(int(lengths.sum())) + np.repeat(self.starts[series] - starts_of(ends), lengths)
        return type(self)(tuple(self.ids[place] for place in series), self.values[rows], ends)

    def until(self, stops: Array) -> Self:
        """Return a store with each series cut off after `stops` rows."""
        lengths = self.lengths
        inside = positions_of(self.ends) < np.repeat(stops, lengths)
        return type(self)(self.ids, self.values[inside], np.cumsum(np.minimum(stops, lengths)))


def starts_of(ends: Array) -> Array:
    """Return where each series begins, from where it ends.

    Example:
        >>> starts_of(np.array([3, 5]))
        array([0, 3])
    """
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)


def positions_of(ends: Array) -> Array:
    """Return the position of each row in its series, from where the series end, `[rows]`.

    Example:
        >>> positions_of(np.array([3, 5]))
        array([0, 1, 2, 0, 1])
    """
    starts = starts_of(ends)
    return np.asarray(np.arange(ends[-1]) - np.repeat(starts, ends - starts))
