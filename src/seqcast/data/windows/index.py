"""The index of windows: how many there are in many series, and where each one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.series import starts_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class WindowIndex:
    """Windows that slide along series by single rows, numbered series after series.

    Args:
        first: Number of known rows of each series at its first window, `[N]`.
        ends: Number of windows of this and all series before it, `[N]`.
        with_target: Those of these windows that have a known target; `None` is all of them.

    Example:
        >>> index = WindowIndex.of(np.array([6, 4]), context_length=2, horizon=1)
        >>> index.count, index.locate(np.array([0, 3, 4]))
        (6, (array([0, 0, 1]), array([2, 5, 2])))
    """

    first: Array
    ends: Array
    with_target: Array | None = None

    @classmethod
    def of(
        cls,
        lengths: Array,
        *,
        context_length: int,
        horizon: int,
        first_target: Array | None = None,
        stops: Array | None = None,
        pad_short: bool = False,
        has_target: Array | None = None,
    ) -> Self:
        """Number the windows of series.

        Args:
            lengths: Rows of each series, `[N]`.
            context_length: Steps of past, `T`.
            horizon: Steps of future, `H`.
            first_target: The earliest position that a target may have in each series; windows whose targets begin
                before it are left out. `None` leaves none out.
            stops: How many rows of each series may be used; `None` is all.
            pad_short: Whether contexts of series with fewer than `T + H` rows begin before their first row.
            has_target: Whether any target is known in each row, `[rows]`; windows without one are left out. `None`
                means that all rows have one.
        """
        usable = lengths if stops is None else np.minimum(stops, lengths)
        least = np.full(len(lengths), context_length)
        if pad_short:
            least = np.where(usable < context_length + horizon, 1, least)
        first = least if first_target is None else np.maximum(first_target, least)
        counts = np.maximum(usable - horizon - first + 1, 0)
        index = cls(first, np.cumsum(counts))
        if has_target is None or has_target.all():
            return index
        series, known = index.locate(np.arange(int(counts.sum())))
        target = starts_of(np.cumsum(lengths))[series] + known
        before = np.concatenate([[0], np.cumsum(has_target)])
        return cls(first, index.ends, np.flatnonzero(before[target + horizon] > before[target]))

    @property
    def count(self) -> int:
        """Number of windows."""
        if self.with_target is not None:
            return len(self.with_target)
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def per_series(self) -> Array:
        """Number of windows of each series, `[N]`."""
        if self.with_target is None:
            return np.diff(self.ends, prepend=0)
        return np.bincount(self._series(self.with_target), minlength=len(self.ends))

    def locate(self, windows: Array) -> tuple[Array, Array]:
        """Return the series of each window, and how many of its rows are known there.

        Args:
            windows: Numbers of the windows, `[B]`.

        Returns:
            Number of the series and of its known rows, `[B]` each.
        """
        numbers = windows if self.with_target is None else self.with_target[windows]
        series = self._series(numbers)
        return series, self.first[series] + numbers - starts_of(self.ends)[series]

    def _series(self, numbers: Array) -> Array:
        return np.searchsorted(self.ends, numbers, side="right")


@dataclass(frozen=True)
class ShardedIndex:
    """The windows of series some of whose values are missing, numbered stretch of series after stretch.

    The index of one stretch is made when it is needed, since it takes as much memory as the series.

    Args:
        of_stretch: Makes the index of a stretch.
        first_series: Number of the first series of each stretch.
        per_series: Number of windows of each series, `[N]`.

    Example:
        >>> parts = [WindowIndex.of(np.array([6]), context_length=2, horizon=1) for _ in range(2)]
        >>> index = ShardedIndex(parts.__getitem__, np.array([0, 1]), np.array([4, 4]))
        >>> index.count, index.locate(np.array([0, 5]))
        (8, (array([0, 1]), array([2, 3])))
    """

    of_stretch: Callable[[int], WindowIndex]
    first_series: Array
    per_series: Array

    @cached_property
    def ends(self) -> Array:
        """Number of windows of each stretch and all before it."""
        return np.cumsum(np.add.reduceat(self.per_series, self.first_series))

    @property
    def count(self) -> int:
        """Number of windows."""
        return int(self.ends[-1])

    def locate(self, windows: Array) -> tuple[Array, Array]:
        """Return the series of each window, and how many of its rows are known there; as for `WindowIndex`."""
        series, known = np.empty(len(windows), dtype=np.int64), np.empty(len(windows), dtype=np.int64)
        owner, starts = np.searchsorted(self.ends, windows, side="right"), starts_of(self.ends)
        for stretch in np.unique(owner).tolist():
            places = np.flatnonzero(owner == stretch)
            found, known[places] = self.of_stretch(stretch).locate(windows[places] - starts[stretch])
            series[places] = found + self.first_series[stretch]
        return series, known
