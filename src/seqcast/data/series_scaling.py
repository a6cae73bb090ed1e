"""Scaling of each series, and each of its targets, by statistics of its own first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.config import check_choice
from seqcast.data.completion import starts_of

__all__ = ["SERIES_SCALES", "SeriesScaler"]

Array = npt.NDArray[Any]

# Scaled values beyond this are cut off, so that squares of them stay inside single precision.
LARGEST = 1e15
# A deviation below this share of the magnitude is rounding, not signal.
ROUNDING = 1e-9
# A constant series is given this share of its level as its spread: what the network writes for it stays near the
# level, and a change of level later on is still of a size that it can read.
CONSTANT_SPREAD = 0.01


@dataclass(frozen=True)
class SeriesScaler:
    """A map `z = (f(x) - centre) / spread` for each series and target, `f` being the identity or `log(1 + x)`.

    Args:
        centre: What is subtracted, `[N, D]`.
        spread: What is divided by, `[N, D]`; positive.
        log: Whether logarithms are taken first.

    Example:
        >>> values = np.array([[1.0], [3.0], [99.0], [5.0], [7.0]])
        >>> scaler = SeriesScaler.fit(values, np.array([3, 5]), np.array([2, 2]), "standard")
        >>> scaler.centre.ravel()
        array([2., 6.])
        >>> scaler.inverse(scaler.transform(np.array([[[4.0]], [[4.0]]]))).ravel()
        array([4., 4.])
    """

    centre: Array
    spread: Array
    log: bool = False

    @classmethod
    def fit(cls, values: Array, ends: Array, stops: Array, scale: str) -> Self:
        """Learn from the first rows of each series; NaN is left out.

        Args:
            values: Series laid end to end, `[rows, D]`.
            ends: End of each series, `[N]`; none is empty.
            stops: Number of rows of each series to learn from, `[N]`.
            scale: `standard` (mean and deviation), `robust` (median and interquartile range), `minmax` (least value
                and range), `mean` (zero and mean magnitude), `log1p` (`standard` after logarithms), or `none`.

        Returns:
            The scaler. A constant series is centred on its level, with a hundredth of it as spread (1 at zero), and
            one without values is left as it is.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", scale, SERIES_SCALES)
        lengths = np.diff(ends, prepend=0)
        inside = np.arange(len(values)) - np.repeat(starts_of(ends), lengths) < np.repeat(stops, lengths)
        kept = np.where(inside[:, None], values, np.nan)
        log = scale == "log1p"
        centre, spread = _STATISTICS[scale](_Segments(np.log1p(kept) if log else kept, ends))
        return cls(centre, spread, log)

    def take(self, places: Array) -> Self:
        """Return the scaler of some of the series, in this order."""
        return type(self)(self.centre[places], self.spread[places], self.log)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the scaler of the series of several ones, one after another."""
        centre, spread = (np.concatenate([getattr(part, name) for part in parts]) for name in ("centre", "spread"))
        return cls(centre, spread, parts[0].log)

    def where(self, chosen: Array, other: Self) -> Self:
        """Return a scaler of the same series: this one's where `chosen`, the other's elsewhere."""
        return type(self)(
            np.where(chosen[:, None], self.centre, other.centre),
            np.where(chosen[:, None], self.spread, other.spread),
            self.log,
        )

    def transform(self, values: Array) -> Array:
        """Return values in scaled units: `[N, ..., D]`, the first axis being the series."""
        values = np.log1p(values) if self.log else values
        with np.errstate(over="ignore"):
            scaled = (values - _as_cube(self.centre, values)) / _as_cube(self.spread, values)
        return np.clip(scaled, -LARGEST, LARGEST)

    def inverse(self, values: Array) -> Array:
        """Return scaled values, `[N, ..., D]`, in their original units, in double precision."""
        values = np.asarray(values, dtype=np.float64)
        values = values * _as_cube(self.spread, values) + _as_cube(self.centre, values)
        # Positive data has positive forecasts, and finite ones.
        return np.expm1(np.clip(values, 0.0, 700.0)) if self.log else values


def _as_cube(statistic: Array, values: Array) -> Array:
    return statistic.reshape(len(statistic), *(1,) * (values.ndim - 2), -1)


class _Segments:
    """Statistics of stretches of rows that lie end to end, column by column; NaN is left out."""

    def __init__(self, values: Array, ends: Array) -> None:
        self.values, self.starts = values, starts_of(ends)
        self.owner = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        self.seen = ~np.isnan(values)
        self.count = np.add.reduceat(self.seen.astype(np.int64), self.starts, axis=0)

    def mean(self, values: Array) -> Array:
        """Return the mean, 0 where there is none."""
        sums = np.add.reduceat(np.where(self.seen, values, 0.0), self.starts, axis=0)
        return np.asarray(sums / np.maximum(self.count, 1))

    def largest(self, values: Array) -> Array:
        """Return the largest value, minus infinity where there is none."""
        return np.maximum.reduceat(np.where(self.seen, values, -np.inf), self.starts, axis=0)

    def quantiles(self, *shares: float) -> list[Array]:
        """Return quantiles, interpolated between neighbours; NaN where there is none."""
        found = [np.full(self.count.shape, np.nan) for _ in shares]
        for column in range(self.values.shape[1]):
            order = np.lexsort((self.values[:, column], self.owner))  # NaN comes last in each stretch
            ranked, count = self.values[order, column], self.count[:, column]
            for quantile, share in zip(found, shares, strict=True):
                place = share * np.maximum(count - 1, 0)
                low = np.floor(place).astype(np.int64)
                high = np.minimum(low + 1, np.maximum(count - 1, 0))
                below, above = ranked[self.starts + low], ranked[self.starts + high]
                quantile[:, column] = below + (above - below) * (place - low)
        return found


def _standard(part: _Segments) -> tuple[Array, Array]:
    # Dividing by the largest magnitude first keeps squares inside the range of floats for huge and tiny values.
    magnitude = _positive(part.largest(np.abs(part.values)))
    unit = part.values / magnitude[part.owner]
    centre = part.mean(unit)
    spread = np.sqrt(part.mean((unit - centre[part.owner]) ** 2))
    return _unless_constant(part, centre * magnitude, spread * magnitude)


def _robust(part: _Segments) -> tuple[Array, Array]:
    low, middle, high = (np.nan_to_num(quantile) for quantile in part.quantiles(0.25, 0.5, 0.75))
    spread = high - low
    # Of a series that mostly stands still, as intermittent demand does, the deviation tells the size of the rest.
    still = spread <= ROUNDING * np.abs(middle)
    if still.any():
        spread = np.where(still, _standard(part)[1], spread)
    return _unless_constant(part, middle, spread)


def _minmax(part: _Segments) -> tuple[Array, Array]:
    high, low = part.largest(part.values), -part.largest(-part.values)
    seen = part.count > 0
    return _unless_constant(part, np.where(seen, low, 0.0), np.where(seen, high - low, 0.0))


def _mean(part: _Segments) -> tuple[Array, Array]:
    magnitude = _positive(part.largest(np.abs(part.values)))
    spread = part.mean(np.abs(part.values) / magnitude[part.owner]) * magnitude
    return np.zeros_like(spread), _positive(spread)


def _none(part: _Segments) -> tuple[Array, Array]:
    return np.zeros(part.count.shape), np.ones(part.count.shape)


def _positive(values: Array) -> Array:
    return np.where((values > 0) & np.isfinite(values), values, 1.0)


def _unless_constant(part: _Segments, centre: Array, spread: Array) -> tuple[Array, Array]:
    level = np.nan_to_num(part.largest(np.abs(part.values)), neginf=0.0)
    varies = spread > ROUNDING * level
    return centre, np.where(varies, spread, _positive(CONSTANT_SPREAD * level))


_STATISTICS: dict[str, Callable[[_Segments], tuple[Array, Array]]] = {
    "standard": _standard,
    "robust": _robust,
    "minmax": _minmax,
    "mean": _mean,
    "log1p": _standard,
    "none": _none,
}
SERIES_SCALES = tuple(_STATISTICS)
