"""Statistics of series: moments that can be merged, and whether swings grow with the level."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from seqcast.data.series.store import SeriesStore, positions_of
from seqcast.runtime import Array

# A swing below this fraction of the level is rounding, not signal.
ROUNDING = 1e-9
# Fraction of zeros up to which logarithms are a scale.
MOST_ZEROS = 0.1
# Series with fewer seasons are left out.
LEAST_SEASONS = 3


@dataclass(frozen=True)
class Moments:
    """Count, mean and squared deviations of each feature, in units of its largest magnitude.

    Dividing by the largest magnitude first keeps squares inside the range of floats for huge and
    tiny values; by a power of two it loses no digit.

    Args:
        count: Number of observed values, `[F]`.
        magnitude: The power of two at or below the largest magnitude, `[F]`; 1 where all values are
            zero.
        mean: Mean, `[F]`.
        squares: Sum of squared deviations from the mean, `[F]`.
        rounding: Fraction of the mean below which a deviation is rounding of the values' own
            precision.

    Example:
        >>> whole = Moments.of(np.array([[1.0], [3.0], [5.0]]))
        >>> merged = Moments.of(np.array([[1.0]])).merge(Moments.of(np.array([[3.0], [5.0]])))
        >>> [round((each.mean * each.magnitude).item(), 9) for each in (whole, merged)]
        [3.0, 3.0]
    """

    count: Array
    magnitude: Array
    mean: Array
    squares: Array
    rounding: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Self:
        """Return the moments over all axes but the last; NaN is left out.

        Args:
            values: Values, `[..., F]`.
        """
        flat = np.asarray(values).reshape(math.prod(values.shape[:-1]), values.shape[-1])
        rounding = 4 * float(np.finfo(flat.dtype).eps) if flat.dtype.kind == "f" else 0.0
        count = _sum(lambda block: ~np.isnan(block), flat)
        extremes = [np.fmax.reduce(np.abs(block), initial=0.0) for block in _blocks(flat)]
        largest = np.max(extremes, axis=0)
        magnitude = power_of_two(np.where(largest > 0, largest, 1.0))

        least = np.maximum(count, 1.0)
        rough = _sum(lambda block: block / magnitude, flat) / least
        # The rounding of a sum of large values shows in the sum of the small rests.
        shift = _sum(lambda block: block / magnitude - rough, flat) / least
        squares = _sum(lambda block: (block / magnitude - rough - shift) ** 2, flat)
        return cls(count, magnitude, rough + shift, squares, rounding)

    def merge(self, other: Self) -> Self:
        """Return the moments of both together.

        Args:
            other: The other ones.

        Source: Chan, Golub and LeVeque 1979, Updating formulae and a pairwise algorithm for
            computing sample variances.
        """
        magnitude = np.maximum(self.magnitude, other.magnitude)
        mine = self.magnitude / magnitude
        theirs = other.magnitude / magnitude

        count = self.count + other.count
        least = np.maximum(count, 1.0)
        difference = other.mean * theirs - self.mean * mine

        mean = self.mean * mine + difference * other.count / least
        squares = self.squares * mine**2 + other.squares * theirs**2
        squares = squares + difference**2 * self.count * other.count / least
        return type(self)(count, magnitude, mean, squares, max(self.rounding, other.rounding))

    @property
    def deviation(self) -> Array:
        """Population standard deviation of each feature, in units of its magnitude."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.count, 1.0)))


def swings_grow_with_level(store: SeriesStore, stops: Array, season_length: int) -> bool:
    """Return whether the swings of series grow with their level.

    A regression within series, over all of them, says so. Each series is cut into seasons (of ten
    steps where there is none). The logarithm of a season's deviation is regressed on that of its
    mean, both less their mean over the series. At a slope of 0 deviations are the same at every
    level, at 1 they are proportional to it, which logarithms make constant. They grow at a slope of
    a half or more. Where more than a tenth of the values are zero, as in intermittent demand,
    logarithms are no scale: they would make the step from 0 to 1 the largest of all.

    Args:
        store: Values >= 0 of each series; NaN is missing.
        stops: Number of rows of each series to read, `[N]`.
        season_length: Steps of a season.

    Source: Box and Cox 1964, with their power `1 - slope`; the slope as in Guerrero 1993.
    """
    steps = season_length if season_length > 1 else 10
    totals = np.zeros(4)
    for series, values in store.batches():
        totals += _swings(values, np.cumsum(store.lengths[series]), stops[series], steps)
    products, squares, zeros, known = totals
    return bool(zeros <= MOST_ZEROS * known and squares > ROUNDING and products >= 0.5 * squares)


def _swings(values: Array, ends: Array, stops: Array, steps: int) -> tuple[float, float, int, int]:
    """Return products and squares of the regression, and the numbers of zeros and known values."""
    lengths = np.diff(ends, prepend=0)
    seasons = stops // steps
    # The last whole seasons of the rows.
    position = positions_of(ends)
    first = np.repeat(stops - seasons * steps, lengths)
    last = np.repeat(stops, lengths)
    blocks = values[(position >= first) & (position < last)].reshape(-1, steps, values.shape[1])
    known = ~np.isnan(blocks)
    observed = np.maximum(known.sum(axis=1), 1)
    mean = np.nansum(blocks, axis=1) / observed
    deviation = np.sqrt(np.nansum((blocks - mean[:, None]) ** 2, axis=1) / observed)

    owner = np.repeat(np.arange(len(ends)), seasons)
    products = 0.0
    squares = 0.0
    for level, swing in zip(mean.T, deviation.T, strict=True):
        usable = (level > 0) & (swing > ROUNDING * level)
        series = owner[usable]
        count = np.bincount(series, minlength=len(ends))
        several = count[series] >= LEAST_SEASONS
        x = _centred(np.log(level[usable]), series, count)
        y = _centred(np.log(swing[usable]), series, count)
        products += float((x * y)[several].sum())
        squares += float((x * x)[several].sum())
    return products, squares, int((blocks == 0).sum()), int(known.sum())


def _centred(values: Array, series: Array, count: Array) -> Array:
    """Return values less the mean of their series, of which `count` has the number of values."""
    means = np.bincount(series, values, len(count)) / np.maximum(count, 1)
    return np.asarray(values - means[series])


def power_of_two(magnitudes: Array) -> Array:
    """Return the power of two at or below each magnitude, by which a division loses no digit.

    Args:
        magnitudes: Positive numbers.

    Example:
        >>> power_of_two(np.array([1.0, 7.0, 0.3])).tolist()
        [1.0, 4.0, 0.25]
    """
    return np.asarray(np.ldexp(1.0, np.frexp(magnitudes)[1] - 1))


def _blocks(flat: Array) -> Iterator[Array]:
    """Yield rows in blocks, in double precision, so that statistics need little memory."""
    size = max(1, 2**20 // max(1, flat.shape[1]))
    for start in range(0, max(len(flat), 1), size):
        yield flat[start : start + size].astype(np.float64)


def _sum(f: Callable[[Array], Array], flat: Array) -> Array:
    """Sum a function of all values, feature by feature; NaN is left out."""
    sums = [np.nansum(f(block), axis=0, dtype=np.float64) for block in _blocks(flat)]
    return np.asarray(np.sum(sums, axis=0))
