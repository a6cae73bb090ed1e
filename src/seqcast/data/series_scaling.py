"""Scaling of each series, and each of its targets, by statistics of its own first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.config import check_choice
from seqcast.data.completion import starts_of

__all__ = ["LOGARITHMS", "SERIES_SCALES", "SeriesScaler", "scale_rule"]

Array = npt.NDArray[Any]

# Scaled values beyond this are cut off, so that squares of them stay inside single precision.
LARGEST = 1e15
# A deviation below this share of the magnitude is rounding, not signal.
ROUNDING = 1e-9
# A constant series is given this share of its level as its spread: what the network writes for it stays near the
# level, and a change of level later on is still of a size that it can read.
CONSTANT_SPREAD = 0.01
# Values below this share of a series' mean magnitude are not told apart by their logarithms: near zero these say more
# of noise than of the series.
LEAST_SHARE = 0.01
LOGARITHMS = ("log1p", "log")
# A series tells how its swings go with its level from so many seasons on.
LEAST_SEASONS = 3


@dataclass(frozen=True)
class SeriesScaler:
    """A map `z = (f(x) - centre) / spread` for each series and target.

    `f` is the identity, or `sign(x) log(1 + |x| / unit)`.

    Args:
        centre: What is subtracted, `[N, D]`.
        spread: What is divided by, `[N, D]`; positive.
        unit: Around what size logarithms begin, `[N, D]`; `None` takes none.

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
    unit: Array | None = None

    @classmethod
    def fit(cls, values: Array, ends: Array, stops: Array, scale: str) -> Self:
        """Learn from the first rows of each series; NaN is left out.

        Args:
            values: Series laid end to end, `[rows, D]`.
            ends: End of each series, `[N]`; none is empty.
            stops: Number of rows of each series to learn from, `[N]`.
            scale: `standard` (mean and deviation), `robust` (median and interquartile range), `minmax` (least value
                and range), `mean` (zero and mean magnitude), `log1p` (`standard` after `log(1 + x)`), `log` (the same
                with a hundredth of the mean magnitude in place of the 1) or `none`.

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
        unit = None
        if scale in LOGARITHMS:
            unit = np.ones((len(ends), kept.shape[1]))
            if scale == "log":
                unit = _mean(_Segments(kept, ends))[1] * LEAST_SHARE
            kept = _logarithm(kept, np.repeat(unit, lengths, axis=0))
        return cls(*_STATISTICS[scale](_Segments(kept, ends)), unit)

    def take(self, places: Array) -> Self:
        """Return the scaler of some of the series, in this order."""
        return type(self)(*(None if each is None else each[places] for each in self._parts))  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the scaler of the series of several ones, one after another."""
        columns = zip(*(part._parts for part in parts), strict=True)
        return cls(*(None if column[0] is None else np.concatenate(column) for column in columns))  # type: ignore

    def where(self, chosen: Array, other: Self) -> Self:
        """Return a scaler of the same series: this one's where `chosen`, the other's elsewhere."""
        pairs = zip(self._parts, other._parts, strict=True)
        return type(self)(*(None if a is None else np.where(chosen[:, None], a, b) for a, b in pairs))  # type: ignore

    @property
    def _parts(self) -> tuple[Array, Array, Array | None]:
        return self.centre, self.spread, self.unit

    def transform(self, values: Array) -> Array:
        """Return values in scaled units: `[N, ..., D]`, the first axis being the series."""
        if self.unit is not None:
            values = _logarithm(values, _as_cube(self.unit, values))
        with np.errstate(over="ignore"):
            scaled = (values - _as_cube(self.centre, values)) / _as_cube(self.spread, values)
        return np.clip(scaled, -LARGEST, LARGEST)

    def inverse(self, values: Array) -> Array:
        """Return scaled values, `[N, ..., D]`, in their original units, in double precision."""
        values = np.asarray(values, dtype=np.float64)
        values = values * _as_cube(self.spread, values) + _as_cube(self.centre, values)
        if self.unit is None:
            return values
        # Positive data has positive forecasts, and finite ones.
        with np.errstate(over="ignore"):
            grown: Array = _as_cube(self.unit, values) * np.expm1(np.clip(values, 0.0, 700.0))
        return np.asarray(np.minimum(grown, np.finfo(np.float64).max))


def scale_rule(values: Array, ends: Array, stops: Array, season_length: int) -> str:
    """Choose between `standard` and `log`: logarithms where series swing the more the higher they stand.

    Each series is cut into seasons (of ten steps where there is none). Within series, over all of them, the logarithm
    of a season's deviation is regressed on that of its mean. At a slope of 0 deviations are the same at every level,
    at 1 they are a share of it, which logarithms make the same; between them the nearer one is chosen.

    Args:
        values: Series of values >= 0 laid end to end, `[rows, D]`; NaN where one is missing.
        ends: End of each series, `[N]`.
        stops: Number of rows of each series to look at, `[N]`.
        season_length: Steps of a season.

    Returns:
        `log` at a slope of a half or more; otherwise, and where no series has three seasons, `standard`.

    Example:
        >>> wave = 2.0 + np.sin(np.arange(48.0))[:, None]
        >>> growing = wave * np.linspace(1.0, 5.0, 48)[:, None]
        >>> [scale_rule(each, np.array([48]), np.array([48]), 12) for each in (wave, growing)]
        ['standard', 'log']

    Source: Box and Cox 1964, with their power `1 - slope` rounded to 1 or 0; the slope as in Guerrero 1993.
    """
    steps = season_length if season_length > 1 else 10
    lengths = np.diff(ends, prepend=0)
    seasons = stops // steps
    position = np.arange(len(values)) - np.repeat(starts_of(ends), lengths)
    first, last = np.repeat(stops - seasons * steps, lengths), np.repeat(stops, lengths)
    blocks = values[(position >= first) & (position < last)].reshape(-1, steps, values.shape[1])
    known = np.maximum((~np.isnan(blocks)).sum(axis=1), 1)
    mean = np.nansum(blocks, axis=1) / known
    deviation = np.sqrt(np.nansum((blocks - mean[:, None]) ** 2, axis=1) / known)
    owner = np.repeat(np.arange(len(ends)), seasons)
    products = squares = 0.0
    for level, swing in zip(mean.T, deviation.T, strict=True):
        told = (level > 0) & (swing > ROUNDING * level)
        x, y, whose = np.log(level[told]), np.log(swing[told]), owner[told]
        count = np.bincount(whose, minlength=len(ends))
        several = count[whose] >= LEAST_SEASONS
        x, y = (each - (np.bincount(whose, each, len(ends)) / np.maximum(count, 1))[whose] for each in (x, y))
        products, squares = products + float((x * y)[several].sum()), squares + float((x * x)[several].sum())
    return "log" if squares > ROUNDING and products >= 0.5 * squares else "standard"


def _logarithm(values: Array, unit: Array) -> Array:
    # A negative value, which such data has not shown yet, is read as far below zero as its mirror image is above.
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit))


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
    "log": _standard,
    "none": _none,
}
SERIES_SCALES = tuple(_STATISTICS)
