"""Scaling by statistics of training values: of whole arrays, and of each series by its own first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from seqcast.data.series.statistics import Moments, power_of_two
from seqcast.data.series.store import SeriesStore, positions_of, starts_of
from seqcast.runtime import Array
from seqcast.specs import check_choice

SCALES = ("standard", "none")


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
            The scaler, with `loc` and `scale` of shape `[F]`. A feature that is constant up to rounding keeps
            scale 1 (only its level is taken away), so that no noise is blown up.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", method, SCALES)
        features = values.shape[-1]
        if method == "none":
            return cls(np.zeros(features), np.ones(features))
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


# Scaled values beyond this are cut off, so that squares of them stay inside single precision.
LARGEST = 1e15


# A deviation below this share of the magnitude is rounding, not signal: a few units in the last place of a double, so
# that a variation of 10 at a level of 1e15 still is one.
ROUNDING = 4 * float(np.finfo(np.float64).eps)


# A constant series gets this share of its level as its scale: its forecasts stay near the level, and a later change of
# level is still of a size that a network can read.
CONSTANT_SCALE = 0.01


# The unit of `log`, as a share of a series' mean magnitude: logarithms of smaller values would be mostly noise.
LEAST_SHARE = 0.01


LOGARITHMS = ("log1p", "log")
# A larger logarithm is that of no number of double precision.
LARGEST_LOGARITHM = 700.0


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
            method: `standard` (mean and deviation), `robust` (median and interquartile range), `minmax` (least value
                and range), `mean` (zero and mean magnitude), `log1p` (`standard` after `log(1 + x)`), `log` (the same
                with a hundredth of the mean magnitude in place of the 1) or `none`.

        Returns:
            The scaler. A constant series has its level as loc and a hundredth of it as scale (1 at zero); one without
            values is left as it is.

        Raises:
            SpecError: The scale's name is unknown.
        """
        check_choice("scale", method, SERIES_SCALES)
        lengths = np.diff(ends, prepend=0)
        inside = positions_of(ends) < np.repeat(stops, lengths)
        rows = np.where(inside[:, None], values, np.nan)
        unit = None
        if method in LOGARITHMS:
            unit = np.ones((len(ends), rows.shape[1]))
            if method == "log":
                unit = _mean(_Segments(rows, ends))[1] * LEAST_SHARE
            rows = _logarithm(rows, np.repeat(unit, lengths, axis=0))
        return cls(*_STATISTICS[method](_Segments(rows, ends)), unit)

    @classmethod
    def learn(cls, store: SeriesStore, stops: Array, method: str) -> Self:
        """Learn from the first rows of each series of a store, some series at a time; arguments as for `fit`.

        Args:
            store: The series.
            stops: Number of rows of each to learn from, `[N]`.
            method: As for `fit`.
        """
        parts = []
        for series, values in store.batches():
            parts.append(cls.fit(values, np.cumsum(store.lengths[series]), stops[series], method))
        return cls.concat(parts)

    def take(self, places: Array) -> Self:
        """Return the scaler of some of the series, in this order.

        Args:
            places: Numbers of the series.
        """
        return type(self)(*(None if each is None else each[places] for each in self._parts))  # type: ignore[arg-type]

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the scaler of the series of several ones, one after another.

        Args:
            parts: The scalers, at least one.
        """
        columns = zip(*(part._parts for part in parts), strict=True)
        return cls(*(None if column[0] is None else np.concatenate(column) for column in columns))  # type: ignore

    def where(self, chosen: Array, other: Self) -> Self:
        """Return a scaler of the same series: this one's where `chosen`, the other's elsewhere.

        Args:
            chosen: A mask of the series, `[N]`.
            other: The other scaler.
        """
        pairs = zip(self._parts, other._parts, strict=True)
        return type(self)(*(None if a is None else np.where(chosen[:, None], a, b) for a, b in pairs))  # type: ignore

    @property
    def _parts(self) -> tuple[Array, Array, Array | None]:
        return self.loc, self.scale, self.unit

    def transform(self, values: Array) -> Array:
        """Return values in scaled units: `[N, ..., D]`, the first axis being the series.

        Args:
            values: Values, `[N, ..., D]`.
        """
        if self.unit is not None:
            values = _logarithm(values, _as_cube(self.unit, values))
        with np.errstate(over="ignore"):
            scaled = (values - _as_cube(self.loc, values)) / _as_cube(self.scale, values)
        return np.clip(scaled, -LARGEST, LARGEST)

    def inverse(self, values: Array) -> Array:
        """Return scaled values, `[N, ..., D]`, in their original units, in double precision.

        Args:
            values: Scaled values, `[N, ..., D]`.
        """
        values = np.asarray(values, dtype=np.float64)
        values = values * _as_cube(self.scale, values) + _as_cube(self.loc, values)
        if self.unit is None:
            return values
        # Positive data has positive forecasts, and finite ones.
        with np.errstate(over="ignore"):
            grown: Array = _as_cube(self.unit, values) * np.expm1(np.clip(values, 0.0, LARGEST_LOGARITHM))
        return np.asarray(np.minimum(grown, np.finfo(np.float64).max))


def _logarithm(values: Array, unit: Array) -> Array:
    # A negative value, of which training rows had none, is mapped as far below zero as its magnitude above.
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit))


def _as_cube(statistic: Array, values: Array) -> Array:
    return statistic.reshape(len(statistic), *(1,) * (values.ndim - 2), statistic.shape[1])


class _Segments:
    """Statistics of stretches of rows that lie end to end, column by column; NaN is left out."""

    def __init__(self, values: Array, ends: Array) -> None:
        self.values, self.starts = values, starts_of(ends)
        self.owner = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        self.observed = ~np.isnan(values)
        self.count = np.add.reduceat(self.observed.astype(np.int64), self.starts, axis=0)

    def mean(self, values: Array) -> Array:
        """Return the mean, 0 where there is none."""
        sums = np.add.reduceat(np.where(self.observed, values, 0.0), self.starts, axis=0)
        return np.asarray(sums / np.maximum(self.count, 1))

    def largest(self, values: Array) -> Array:
        """Return the largest value, minus infinity where there is none."""
        return np.maximum.reduceat(np.where(self.observed, values, -np.inf), self.starts, axis=0)

    def quantiles(self, *shares: float) -> list[Array]:
        """Return quantiles, interpolated between neighbours; NaN where there is none."""
        quantiles = [np.full(self.count.shape, np.nan) for _ in shares]
        for column in range(self.values.shape[1]):
            order = np.lexsort((self.values[:, column], self.owner))  # NaN comes last in each stretch
            ranked, count = self.values[order, column], self.count[:, column]
            for quantile, share in zip(quantiles, shares, strict=True):
                place = share * np.maximum(count - 1, 0)
                low = np.floor(place).astype(np.int64)
                high = np.minimum(low + 1, np.maximum(count - 1, 0))
                below, above = ranked[self.starts + low], ranked[self.starts + high]
                quantile[:, column] = below + (above - below) * (place - low)
        return quantiles


def _standard(part: _Segments) -> tuple[Array, Array]:
    # Dividing by the largest magnitude first keeps squares inside the range of floats for huge and tiny values; by a
    # power of two it loses no digit.
    magnitude = power_of_two(_positive(part.largest(np.abs(part.values))))
    unit = part.values / magnitude[part.owner]
    rough = part.mean(unit)
    rest = unit - rough[part.owner]
    # The rounding of a sum of large values is found in the sum of the small rests.
    shift = part.mean(rest)
    scale = np.sqrt(part.mean((rest - shift[part.owner]) ** 2))
    return _unless_constant(part, (rough + shift) * magnitude, scale * magnitude)


def _robust(part: _Segments) -> tuple[Array, Array]:
    low, middle, high = (np.nan_to_num(quantile) for quantile in part.quantiles(0.25, 0.5, 0.75))
    scale = high - low
    # Where a series is mostly constant, such as intermittent demand, the deviation is the scale.
    still = scale <= ROUNDING * np.abs(middle)
    if still.any():
        scale = np.where(still, _standard(part)[1], scale)
    return _unless_constant(part, middle, scale)


def _minmax(part: _Segments) -> tuple[Array, Array]:
    high, low = part.largest(part.values), -part.largest(-part.values)
    observed = part.count > 0
    return _unless_constant(part, np.where(observed, low, 0.0), np.where(observed, high - low, 0.0))


def _mean(part: _Segments) -> tuple[Array, Array]:
    magnitude = _positive(part.largest(np.abs(part.values)))
    scale = part.mean(np.abs(part.values) / magnitude[part.owner]) * magnitude
    return np.zeros_like(scale), _positive(scale)


def _none(part: _Segments) -> tuple[Array, Array]:
    return np.zeros(part.count.shape), np.ones(part.count.shape)


def _positive(values: Array) -> Array:
    return np.where((values > 0) & np.isfinite(values), values, 1.0)


def _unless_constant(part: _Segments, loc: Array, scale: Array) -> tuple[Array, Array]:
    level = np.nan_to_num(part.largest(np.abs(part.values)), neginf=0.0)
    varies = scale > ROUNDING * level
    return loc, np.where(varies, scale, _positive(CONSTANT_SCALE * level))


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
