"""The rows of windows as operators: filled gaps, see `seqcast.data.windows.gaps`, and statistics.

By its statistics `SeriesScaler` scales each window by its own known values.
"""

from typing import Self

import numpy as np
from typing_extensions import override

from seqcast.data.series import Rows
from seqcast.export.operators import Array, apply, length, ndx, op, pad, reduced, reshape, steps_to


def fill_gaps(past: Array, known: Array, *, both_ways: bool) -> Array:
    """Return values with gaps filled by the last known one.

    Args:
        past: Values, `[B, T, F]`; unknown ones are 0.
        known: Which are known, `[B, T, F]`.
        both_ways: Whether those before the first known one are filled by it; otherwise they are 0.
    """
    # The array API has no running maximum. Known values are written one after another, from the
    # second place on. Each step then reads the place whose number is the count of known values up
    # to it. Others go to the last place, which nobody reads.
    counts = ndx.cumulative_sum(ndx.astype(known, ndx.int64), axis=1)
    row = apply(op.scatter_elements, pad(past, 2), ndx.where(known, counts, -1), past, axis=1)
    return ndx.take_along_axis(row, ndx.maximum(counts, 1) if both_ways else counts, axis=1)


def last_known(values: Array, known: Array) -> tuple[Array, Array]:
    """Return the last known value along the steps, `[B, 1, C]`, and whether there is one.

    Args:
        values: Values, `[B, T, C]`.
        known: Which are known.
    """
    places = reduced(op.reduce_max, ndx.where(known, steps_to(length(values, 1))[:, None], -1))
    return ndx.take_along_axis(values, ndx.maximum(places, 0), axis=1), places >= 0


def newest_season(
    past: Array, known: Array, sizes: tuple[int, int], season_length: int, horizon: int | Array
) -> Array:
    """Repeat the newest known value of each step of the season, `[B, H, D]`.

    Args:
        past: Values, `[B, T, D]`; unknown ones are 0.
        known: Which are known.
        sizes: Number of steps and of targets, `T` and `D`.
        season_length: Steps of a season; one that is longer than the past repeats the last value.
        horizon: Number of steps to forecast; a number, or an array without axes.
    """
    # 0 where there is none.
    newest, _ = last_known(past, known)
    steps, targets = sizes
    season = season_length if season_length <= steps else 1
    if season > 1:
        by_season = [
            reshape(x[:, steps % season :, ...], 0, steps // season, season * targets)
            for x in (past, known)
        ]
        of_season, there = (reshape(x, 0, season, targets) for x in last_known(*by_season))
        newest = ndx.where(there, of_season, newest)
    return ndx.take(newest, steps_to(horizon) % season, axis=1)


class WindowRows(Rows):
    """Windows, whose statistics are `[B, 1, D]`.

    Args:
        values: Values, `[B, T, D]`, in double precision; unknown ones are 0.
        known: Which are known, `[B, T, D]`.
    """

    power = None

    def __init__(self, values: Array, known: Array) -> None:
        self.values = values
        self.known = known
        self.weight = ndx.astype(known, ndx.float64)
        self.count = ndx.sum(self.weight, axis=1, keepdims=True)
        self.least = ndx.maximum(self.count, 1.0)
        self.level = reduced(op.reduce_max, ndx.abs(values))

    @override
    def with_values(self, values: Array) -> Self:
        return type(self)(values, self.known)

    @override
    def each(self, statistic: Array) -> Array:
        return statistic

    @override
    def mean(self, values: Array) -> Array:
        # Runtimes take many times as long for `where` as for a product.
        return ndx.sum(values * self.weight, axis=1, keepdims=True) / self.least

    @override
    def largest(self, values: Array) -> Array:
        return reduced(op.reduce_max, ndx.where(self.known, values, -np.inf))

    @override
    def quantiles(self, *shares: float) -> list[Array]:
        ranked = ndx.sort(ndx.where(self.known, self.values, np.inf), axis=1)
        last = self.least - 1.0
        quantiles = []
        for share in shares:
            place = last * share
            low = ndx.astype(place, ndx.int64)
            high = ndx.minimum(low + 1, ndx.astype(last, ndx.int64))
            below, above = (ndx.take_along_axis(ranked, each, axis=1) for each in (low, high))
            between = below + (above - below) * (place - ndx.astype(low, ndx.float64))
            quantiles.append(ndx.where(self.count > 0, between, 0.0))
        return quantiles
