"""Scaling by statistics of training values: of whole arrays, and of each series by its own rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from seqcast.data.series.statistics import Moments, power_of_two
from seqcast.data.series.store import SeriesStore, positions_of, starts_of
from seqcast.runtime import Array
from seqcast.specs import check_choice

# An array of NumPy, or of another library that follows the array API standard, such as one that
# records operators for a file in ONNX.
AnyArray = Any

# Scalings of arrays.
SCALES = ("standard", "none")
# Scalings of series that take logarithms.
LOGARITHMS = ("log1p", "log")

# Scaled values are clipped to this magnitude, so that their squares stay inside single precision.
LARGEST = 1e15
# A deviation below this fraction of the magnitude is rounding: a few units in the last place of a
# double, so that a variation of 10 at a level of 1e15 still is signal.
ROUNDING = 4 * float(np.finfo(np.float64).eps)
# Scale of a constant series, as a fraction of its level: its forecasts stay near the level, and a
# network can still read a later change of level.
CONSTANT_SCALE = 0.01
# The unit of `log`, as a fraction of a series' mean magnitude: logarithms of smaller values would
# be mostly noise.
LOGARITHM_UNIT = 0.01
# Larger logarithms have no finite exponential in double precision.
LARGEST_LOGARITHM = 700.0


@dataclass(frozen=True)
class Scaler:
    """An affine map `z = (x - loc) / scale` and its inverse.

    Args:
        loc: Subtracted from the values; broadcasts against them.
        scale: Divisor; positive.

    Example:
        >>> scaler = Scaler.fit(np.array([[1.0], [3.0]]))
        >>> scaler.transform(np.array([[5.0]]))
        array([[3.]])
        >>> scaler.inverse(scaler.transform(np.array([[5.0]])))
        array([[5.]])
    """

    loc: Array
    scale: Array

    @classmethod
    def fit(cls, values: Array, method: str = "standard") -> Self:
        """Learn mean and population standard deviation over all axes but the last; NaN is left out.

        Args:
            values: Training values, `[..., F]`.
            method: `standard`, or `none` for the identity.

        Returns:
            The scaler, with `loc` and `scale` of shape `[F]`. A feature that is constant up to
            rounding has scale 1, so that its noise is not amplified.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", method, SCALES)
        if method == "none":
            return cls(np.zeros(values.shape[-1]), np.ones(values.shape[-1]))
        return cls.of(Moments.of(values))

    @classmethod
    def of(cls, moments: Moments) -> Self:
        """Return the scaler to zero mean and unit deviation of values with these moments.

        Args:
            moments: The moments.
        """
        rounding = moments.rounding * np.maximum(np.abs(moments.mean), np.finfo(np.float64).tiny)
        constant = moments.deviation <= rounding
        scale = np.where(constant, 1.0, moments.deviation * moments.magnitude)
        return cls(moments.mean * moments.magnitude, scale)

    def transform(self, values: Array) -> Array:
        """Return the values in scaled units, in the values' own precision.

        Args:
            values: Values, `[..., F]`.
        """
        kind = values.dtype if values.dtype.kind == "f" else np.float64
        return ((values - self.loc) / self.scale).astype(kind, copy=False)

    def inverse(self, values: Array) -> Array:
        """Return scaled values in their original units, in double precision.

        Args:
            values: Scaled values, `[..., F]`.
        """
        return np.asarray(values, dtype=np.float64) * self.scale + self.loc

    def columns(self, indices: tuple[int, ...]) -> Self:
        """Return the scaler of some of the features.

        Args:
            indices: Numbers of the features.
        """
        return type(self)(self.loc[list(indices)], self.scale[list(indices)])


@dataclass(frozen=True)
class SeriesScaler:
    """A map `z = (f(x) - loc) / scale` for each series and target.

    `f` is the identity, or `sign(x) log(1 + |x| / unit)`.

    Args:
        loc: Subtracted from the values, `[N, D]`.
        scale: Divisor, `[N, D]`; positive.
        unit: The size above which `f` is about logarithmic, `[N, D]`; `None` for the identity.

    Example:
        >>> values = np.array([[1.0], [3.0], [99.0], [5.0], [7.0]])
        >>> scaler = SeriesScaler.fit(values, np.array([3, 5]), np.array([2, 2]), "standard")
        >>> scaler.loc.ravel()
        array([2., 6.])
        >>> scaler.inverse(scaler.transform(np.array([[[4.0]], [[4.0]]]))).ravel()
        array([4., 4.])
    """

    loc: Array
    scale: Array
    unit: Array | None = None

    @classmethod
    def fit(cls, values: Array, ends: Array, stops: Array, method: str) -> Self:
        """Learn from the first rows of each series; NaN is left out.

        Args:
            values: Series laid end to end, `[rows, D]`.
            ends: End of each series, `[N]`; none is empty.
            stops: Number of rows of each series to learn from, `[N]`.
            method: `standard`: mean and deviation; `robust`: median and interquartile range;
                `minmax`: least value and range; `mean`: zero and mean magnitude; `log1p`:
                `standard` after `log(1 + x)`; `log`: the same with a hundredth of the mean
                magnitude in place of the 1; or `none`.

        Returns:
            The scaler. A constant series has its level as loc and a hundredth of it as scale (1 at
            zero); one without values stays unscaled.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", method, SERIES_SCALES)
        lengths = np.diff(ends, prepend=0)
        inside = positions_of(ends) < np.repeat(stops, lengths)
        return cls.of(Rows(np.where(inside[:, None], values, np.nan), ends), method)

    @classmethod
    def of(cls, rows: Rows, method: str) -> Self:
        """Learn from rows, of NumPy or of another library.

        Args:
            rows: The rows.
            method: As for `fit`.
        """
        if method not in LOGARITHMS:
            return cls(*_STATISTICS[method](rows))

        unit = _mean(rows)[1] * LOGARITHM_UNIT if method == "log" else _none(rows)[1]
        logarithms = rows.with_values(_logarithm(rows.values, rows.each(unit)))
        return cls(*_STATISTICS[method](logarithms), unit)

    @classmethod
    def learn(cls, store: SeriesStore, stops: Array, method: str) -> Self:
        """Learn from the first rows of each series of a store, some series at a time.

        Args:
            store: The series.
            stops: Number of rows of each to learn from, `[N]`.
            method: As for `fit`.
        """
        return cls.concat(
            [
                cls.fit(values, np.cumsum(store.lengths[series]), stops[series], method)
                for series, values in store.batches()
            ]
        )

    def take(self, places: Array) -> Self:
        """Return the scaler of some of the series, in this order.

        Args:
            places: Numbers of the series.
        """
        unit = None if self.unit is None else self.unit[places]
        return type(self)(self.loc[places], self.scale[places], unit)

    @classmethod
    def concat(cls, scalers: Sequence[Self]) -> Self:
        """Return the scaler of the series of several scalers, one after another.

        Args:
            scalers: The scalers, at least one.
        """
        loc = np.concatenate([each.loc for each in scalers])
        scale = np.concatenate([each.scale for each in scalers])
        units = [each.unit for each in scalers if each.unit is not None]
        return cls(loc, scale, np.concatenate(units) if units else None)

    def where(self, chosen: Array, other: Self) -> Self:
        """Return a scaler of the same series: this one's where `chosen`, the other's elsewhere.

        Args:
            chosen: A mask of the series, `[N]`.
            other: The other scaler.
        """
        mask = chosen[:, None]
        loc = np.where(mask, self.loc, other.loc)
        scale = np.where(mask, self.scale, other.scale)
        if self.unit is None or other.unit is None:
            return type(self)(loc, scale)
        return type(self)(loc, scale, np.where(mask, self.unit, other.unit))

    def transform(self, values: Array) -> Array:
        """Return values in scaled units: `[N, ..., D]`, the first axis being the series.

        Args:
            values: Values, `[N, ..., D]`.
        """
        if self.unit is not None:
            values = _logarithm(values, _as_cube(self.unit, values))

        with np.errstate(over="ignore"):
            scaled = (values - _as_cube(self.loc, values)) / _as_cube(self.scale, values)
            clipped: Array = _namespace(scaled).clip(scaled, -LARGEST, LARGEST)
        return clipped

    def inverse(self, values: Array) -> Array:
        """Return scaled values, `[N, ..., D]`, in their original units, in double precision.

        Args:
            values: Scaled values, `[N, ..., D]`.
        """
        xp = _namespace(values)
        values = xp.asarray(values, dtype=xp.float64)
        values = values * _as_cube(self.scale, values) + _as_cube(self.loc, values)
        if self.unit is None:
            return values

        # Positive data has positive forecasts, and finite ones.
        with np.errstate(over="ignore"):
            grown = _as_cube(self.unit, values) * _expm1(xp.clip(values, 0.0, LARGEST_LOGARITHM))
            finite: Array = xp.minimum(grown, float(np.finfo(np.float64).max))
        return finite


def _namespace(values: AnyArray) -> Any:
    """Return the functions of an array's library."""
    return values.__array_namespace__()


def _logarithm(values: AnyArray, unit: AnyArray) -> AnyArray:
    # A negative value, of which training rows had none, becomes minus the logarithm of its
    # magnitude.
    xp = _namespace(values)
    return xp.sign(values) * _log1p(xp.abs(values) / unit)


def _log1p(values: AnyArray) -> AnyArray:
    if isinstance(values, np.ndarray):
        return np.log1p(values)
    # ONNX would need seven operators for digits that no forecast has.
    return _namespace(values).log(values + 1.0)


def _expm1(values: AnyArray) -> AnyArray:
    if isinstance(values, np.ndarray):
        return np.expm1(values)
    return _namespace(values).exp(values) - 1.0


def _as_cube(statistic: AnyArray, values: AnyArray) -> AnyArray:
    while statistic.ndim < values.ndim:
        statistic = statistic[:, None, ...]
    return statistic


class Rows:
    """Rows of series that lie end to end, and statistics of each series, column by column.

    NaN is missing. Rows of another library are a subclass, such as one that records operators.

    Args:
        values: The values, `[rows, D]`.
        ends: End of each series, `[N]`.

    Attributes:
        count: Number of known values of each series.
    """

    def __init__(self, values: Array, ends: Array) -> None:
        self.values: AnyArray = values
        self.ends = ends
        self.starts = starts_of(ends)
        self.owner = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        self.observed = ~np.isnan(values)
        self.count: AnyArray = np.add.reduceat(self.observed.astype(np.int64), self.starts, axis=0)

    def with_values(self, values: AnyArray) -> Self:
        """Return the same rows with other values.

        Args:
            values: The values.
        """
        return type(self)(values, self.ends)

    def each(self, statistic: AnyArray) -> AnyArray:
        """Return the statistic of each row's series.

        Args:
            statistic: The statistic of each series.
        """
        return statistic[self.owner]

    def mean(self, values: AnyArray) -> AnyArray:
        """Return the mean of each series, 0 where there is none.

        Args:
            values: Values of the rows.
        """
        sums = np.add.reduceat(np.where(self.observed, values, 0.0), self.starts, axis=0)
        return sums / np.maximum(self.count, 1)

    def largest(self, values: AnyArray) -> AnyArray:
        """Return the largest value of each series, minus infinity where there is none.

        Args:
            values: Values of the rows.
        """
        return np.maximum.reduceat(np.where(self.observed, values, -np.inf), self.starts, axis=0)

    def quantiles(self, *probabilities: float) -> list[AnyArray]:
        """Return quantiles of each series, interpolated between neighbours; 0 where there is none.

        Args:
            *probabilities: Probabilities of the quantiles.
        """
        import pandas as pd

        series = pd.DataFrame(self.values).groupby(self.owner)
        return [np.nan_to_num(series.quantile(each).to_numpy()) for each in probabilities]

    @cached_property
    def level(self) -> AnyArray:
        """The largest magnitude of each series, 0 where there is none."""
        return np.maximum(self.largest(np.abs(self.values)), 0.0)

    @property
    def power(self) -> AnyArray:
        """A power of two, about the largest magnitude; `None` where squares need none.

        Squares of values divided by it are inside the range of floats, and no digit is lost.
        """
        return power_of_two(_positive(self.level))


def _standard(rows: Rows) -> tuple[AnyArray, AnyArray]:
    power = rows.power
    xp = _namespace(rows.values)
    values = rows.values if power is None else rows.values / rows.each(power)
    rough = rows.mean(values)
    rest = values - rows.each(rough)

    # The rounding of a sum of large values shows in the sum of the small rests.
    shift = rows.mean(rest)
    loc = rough + shift
    scale = xp.sqrt(rows.mean(xp.square(rest - rows.each(shift))))
    if power is not None:
        loc = loc * power
        scale = scale * power
    return _unless_constant(rows, loc, scale)


def _robust(rows: Rows) -> tuple[AnyArray, AnyArray]:
    xp = _namespace(rows.values)
    low, middle, high = rows.quantiles(0.25, 0.5, 0.75)
    scale = high - low
    # Where a series is mostly constant, such as intermittent demand, the deviation is the scale.
    is_constant = scale <= ROUNDING * xp.abs(middle)
    if xp is not np or is_constant.any():
        scale = xp.where(is_constant, _standard(rows)[1], scale)
    return _unless_constant(rows, middle, scale)


def _minmax(rows: Rows) -> tuple[AnyArray, AnyArray]:
    xp = _namespace(rows.values)
    high = rows.largest(rows.values)
    low = -rows.largest(-rows.values)
    is_known = rows.count > 0
    loc = xp.where(is_known, low, 0.0)
    scale = xp.where(is_known, high - low, 0.0)
    return _unless_constant(rows, loc, scale)


def _mean(rows: Rows) -> tuple[AnyArray, AnyArray]:
    magnitude = _positive(rows.level)
    scale = rows.mean(_namespace(rows.values).abs(rows.values) / rows.each(magnitude)) * magnitude
    return _none(rows)[0], _positive(scale)


def _none(rows: Rows) -> tuple[AnyArray, AnyArray]:
    xp = _namespace(rows.count)
    loc = xp.zeros_like(rows.count, dtype=xp.float64)
    scale = xp.ones_like(rows.count, dtype=xp.float64)
    return loc, scale


def _positive(values: AnyArray) -> AnyArray:
    return _namespace(values).where((values > 0) & (values < math.inf), values, 1.0)


def _unless_constant(rows: Rows, loc: AnyArray, scale: AnyArray) -> tuple[AnyArray, AnyArray]:
    varies = scale > ROUNDING * rows.level
    return loc, _namespace(scale).where(varies, scale, _positive(CONSTANT_SCALE * rows.level))


# Returns loc and scale of each series, by the name of the scaling.
_STATISTICS: dict[str, Callable[[Rows], tuple[AnyArray, AnyArray]]] = {
    "standard": _standard,
    "robust": _robust,
    "minmax": _minmax,
    "mean": _mean,
    "log1p": _standard,
    "log": _standard,
    "none": _none,
}

# Scalings of series.
SERIES_SCALES = tuple(_STATISTICS)
