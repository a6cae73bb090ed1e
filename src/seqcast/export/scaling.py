"""Statistics of windows as operators, by which `SeriesScaler` scales each window by its own known values."""

from __future__ import annotations

from typing import Self

import numpy as np

from seqcast.data.series import Rows
from seqcast.export.operators import Array, ndx, op, reduced


class WindowRows(Rows):
    """Windows, whose statistics are `[B, 1, D]`.

    Args:
        values: Values, `[B, T, D]`, in double precision; unknown ones are 0.
        known: Which are known, `[B, T, D]`.
    """

    power = None

    def __init__(self, values: Array, known: Array) -> None:
        self.values, self.known, self.weight = values, known, ndx.astype(known, ndx.float64)
        self.count = ndx.sum(self.weight, axis=1, keepdims=True)
        self.least = ndx.maximum(self.count, 1.0)
        self.level = reduced(op.reduce_max, ndx.abs(values))

    def with_values(self, values: Array) -> Self:
        """Return the same windows with other values.

        Args:
            values: The values, 0 where they are not known.
        """
        return type(self)(values, self.known)

    def each(self, statistic: Array) -> Array:
        """Return a statistic, which has an axis of steps.

        Args:
            statistic: The statistic of each window.
        """
        return statistic

    def mean(self, values: Array) -> Array:
        """Return the mean of the known values, 0 where there are none.

        Args:
            values: The values.
        """
        # Runtimes take many times as long for `where` as for a product.
        return ndx.sum(values * self.weight, axis=1, keepdims=True) / self.least

    def largest(self, values: Array) -> Array:
        """Return the largest known value, minus infinity where there is none.

        Args:
            values: The values.
        """
        return reduced(op.reduce_max, ndx.where(self.known, values, -np.inf))

    def quantiles(self, *shares: float) -> list[Array]:
        """Return quantiles, interpolated between neighbours; 0 where nothing is known.

        Args:
            *shares: Probabilities of the quantiles.
        """
        ranked = ndx.sort(ndx.where(self.known, self.values, np.inf), axis=1)
        last, quantiles = self.least - 1.0, []
        for share in shares:
            place = last * share
            low = ndx.astype(place, ndx.int64)
            high = ndx.minimum(low + 1, ndx.astype(last, ndx.int64))
            below, above = (ndx.take_along_axis(ranked, each, axis=1) for each in (low, high))
            between = below + (above - below) * (place - ndx.astype(low, ndx.float64))
            quantiles.append(ndx.where(self.count > 0, between, 0.0))
        return quantiles
