"""Scaling of each window by its own known values, in double precision, see `seqcast.data.series.scalers`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqcast.data.series import CONSTANT_SCALE, LARGEST, LARGEST_LOGARITHM, LEAST_SHARE, LOGARITHMS, ROUNDING
from seqcast.errors import SpecError
from seqcast.export.operators import Array, ndx


@dataclass(frozen=True)
class Scaling:
    """A map `z = (f(x) - loc) / scale` for each window and target.

    Args:
        loc: Subtracted, `[B, 1, D]`.
        scale: Divisor, `[B, 1, D]`.
        unit: The size above which `f` is about logarithmic, `[B, 1, D]`; `None` for the identity.
    """

    loc: Array
    scale: Array
    unit: Array | None = None

    def transform(self, values: Array) -> Array:
        """Return values in scaled units.

        Args:
            values: The values, `[B, T, D]`.
        """
        if self.unit is not None:
            values = _logarithm(values, self.unit)
        return ndx.clip((values - self.loc) / self.scale, -LARGEST, LARGEST)

    def inverse(self, forecast: Array) -> Array:
        """Return a forecast in the data's units.

        Args:
            forecast: The parts of the forecast, scaled, `[B, H, D, parts]`.
        """
        values = forecast * self.scale[..., None] + self.loc[..., None]
        if self.unit is None:
            return values
        # Positive data has positive forecasts, and finite ones.
        grown = self.unit[..., None] * (ndx.exp(ndx.clip(values, 0.0, LARGEST_LOGARITHM)) - 1.0)
        return ndx.minimum(grown, float(np.finfo(np.float64).max))


def check_scale(method: str) -> None:
    """Refuse a scale that there are no operators for.

    Args:
        method: The name of the scale.

    Raises:
        SpecError: It is one.
    """
    if method not in _STATISTICS:
        raise SpecError(
            "scale",
            expected=f"one of {', '.join(map(repr, _STATISTICS))} for a file in ONNX",
            received=repr(method),
            hint="There are no operators for it: `seqcast.export` has to learn it first.",
        )


def learn_scaling(past: Array, known: Array, method: str) -> Scaling:
    """Learn the scaling of windows.

    Args:
        past: Values, `[B, T, D]`, in double precision; what is not known is 0.
        known: Which are known, `[B, T, D]`.
        method: As for `SeriesScaler.fit`.
    """
    rows = _Rows(past, known)
    unit = None
    if method in LOGARITHMS:
        unit = _positive(rows.mean(ndx.abs(past))) * LEAST_SHARE if method == "log" else ndx.ones((1, 1, 1))
        rows = _Rows(_logarithm(past, unit), known)
    return Scaling(*_STATISTICS[method](rows), unit)


class _Rows:
    """Statistics of the known values of windows, each `[B, 1, D]`."""

    def __init__(self, values: Array, known: Array) -> None:
        self.values, self.known = values, known
        self.weight = ndx.astype(known, ndx.float64)
        self.count = ndx.sum(self.weight, axis=1, keepdims=True)

    def mean(self, values: Array) -> Array:
        """Return the mean of values that are 0 where none is known; 0 where there is none."""
        return ndx.sum(values, axis=1, keepdims=True) / ndx.maximum(self.count, 1.0)

    def largest(self, values: Array) -> Array:
        """Return the largest known value, minus infinity where there is none."""
        return ndx.max(ndx.where(self.known, values, -np.inf), axis=1, keepdims=True)

    def quantiles(self, *shares: float) -> list[Array]:
        """Return quantiles, interpolated between neighbours; 0 where there is none."""
        ranked = ndx.sort(ndx.where(self.known, self.values, np.inf), axis=1)
        last, quantiles = ndx.maximum(self.count, 1.0) - 1.0, []
        for share in shares:
            place = last * share
            low = ndx.astype(place, ndx.int64)
            high = ndx.minimum(low + 1, ndx.astype(last, ndx.int64))
            below, above = (ndx.take_along_axis(ranked, each, axis=1) for each in (low, high))
            between = below + (above - below) * (place - ndx.astype(low, ndx.float64))
            quantiles.append(self.unless_empty(between))
        return quantiles

    def unless_empty(self, values: Array) -> Array:
        """Return values, and 0 where no value is known."""
        return ndx.where(self.count > 0, values, 0.0)

    def unless_constant(self, loc: Array, scale: Array) -> tuple[Array, Array]:
        """Return statistics, with a hundredth of the level as the scale of a constant."""
        level = ndx.max(ndx.abs(self.values), axis=1, keepdims=True)
        return loc, ndx.where(scale > level * ROUNDING, scale, _positive(level * CONSTANT_SCALE))


def _standard(rows: _Rows) -> tuple[Array, Array]:
    rough = rows.mean(rows.values)
    rest = (rows.values - rough) * rows.weight
    # The rounding of a sum of large values is found in the sum of the small rests.
    shift = rows.mean(rest)
    return rows.unless_constant(rough + shift, ndx.sqrt(rows.mean(ndx.square((rest - shift) * rows.weight))))


def _robust(rows: _Rows) -> tuple[Array, Array]:
    low, middle, high = rows.quantiles(0.25, 0.5, 0.75)
    scale = high - low
    return rows.unless_constant(middle, ndx.where(scale > ndx.abs(middle) * ROUNDING, scale, _standard(rows)[1]))


def _minmax(rows: _Rows) -> tuple[Array, Array]:
    high, low = (rows.unless_empty(each) for each in (rows.largest(rows.values), -rows.largest(-rows.values)))
    return rows.unless_constant(low, high - low)


def _mean(rows: _Rows) -> tuple[Array, Array]:
    return ndx.zeros((1, 1, 1)), _positive(rows.mean(ndx.abs(rows.values)))


def _none(_: _Rows) -> tuple[Array, Array]:
    return ndx.zeros((1, 1, 1)), ndx.ones((1, 1, 1))


_STATISTICS = {
    "standard": _standard,
    "robust": _robust,
    "minmax": _minmax,
    "mean": _mean,
    "log1p": _standard,
    "log": _standard,
    "none": _none,
}


def _positive(values: Array) -> Array:
    return ndx.where(values > 0, values, 1.0)


def _logarithm(values: Array, unit: Array) -> Array:
    return ndx.sign(values) * ndx.log(ndx.abs(values) / unit + 1.0)
