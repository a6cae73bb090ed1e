"""Calibrating intervals on windows that training has not seen: conformalised quantile regression, step by step.

Later intervals are widened by distances of the truth outside the intervals of those windows. If old and new windows are
exchangeable (all orders are equally likely), an interval of any network covers the truth at least as often as its level
says. Series that drift or trend are not quite exchangeable: calibrate on recent windows, and look at the
coverage of a backtest.

Source: Romano, Patterson and Candès, Conformalized quantile regression, NeurIPS 2019, algorithm 1; for point forecasts
Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-free predictive inference for regression, JASA 113 (2018),
algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.intervals.quantiles import ForecastRequest, check_levels
from seqcast.runtime import Array
from seqcast.specs import check_choice, check_int

__all__ = ["Calibration", "calibrate_intervals", "calibrate_points", "windows_needed"]


_ROUNDING = 1e-9  # (n + 1) · level must not pass a whole number by rounding

KINDS = ("intervals", "point")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Widths by which intervals are widened at each step, learnt from windows with their truth.

    Args:
        level: Levels of the intervals, in per cent, ascending, `L` of them.
        widths: Subtracted from lower and added to upper bounds at each step, `[H, L]`; below zero where
            intervals were too wide.
        windows: Windows with a known truth at each step, `[H]`.
        kind: `intervals` when intervals are widened, `point` when they are laid around a point forecast.

    Raises:
        SpecError: A level or the kind is impossible.
        DataError: The arrays do not fit.

    Example:
        >>> calibration = Calibration((80,), [[4.0]], [9], "point")
        >>> calibration.around([[10.0]])
        (array([[[6.]]]), array([[[14.]]]))
    """

    level: tuple[float, ...]
    widths: Array
    windows: Array
    kind: str = "intervals"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        levels = check_levels(self.level)
        windows = as_array("windows", self.windows, (1,)).astype(np.int64)
        widths = _check_shape("widths", self.widths, (len(windows), len(levels)))
        if not (len(windows) and np.isfinite(widths).all()):
            received = "others" if len(windows) else "no step"
            raise DataError("widths", expected="finite numbers", received=received, hint="Calibrate on more windows.")
        for name, value in (("level", levels), ("widths", widths), ("windows", windows)):
            object.__setattr__(self, name, value)

    def widths_for(self, horizon: int, level: Sequence[float] | float | None = None) -> Array:
        """Return the widths of a forecast of any horizon.

        Beyond the calibrated steps there is no guarantee. Intervals, which grow by themselves, keep the last
        step's width; around a point it grows as a random walk's error does, `width_H · √(h / H)`.

        Args:
            horizon: Number of steps.
            level: Levels among those that were calibrated; `None` takes all.

        Returns:
            The widths, `[horizon, levels]`, levels ascending.

        Raises:
            SpecError: A level was not calibrated.

        Example:
            >>> Calibration((80,), [[2.0]], [9], "point").widths_for(4).ravel()
            array([2.        , 2.82842712, 3.46410162, 4.        ])
            >>> Calibration((80,), [[2.0]], [9], "intervals").widths_for(4).ravel()
            array([2., 2., 2., 2.])
        """
        widths: Array = self.widths_at(np.arange(check_int("horizon", horizon)), self._levels(level))
        return widths

    def widths_at(self, steps: Any, level: Sequence[float]) -> Any:
        """Return the widths of some steps, as `widths_for` does.

        Between the levels that were calibrated, and beyond them, widths are in proportion to those of a normal
        distribution; at level 0 they are 0.

        Args:
            steps: Numbers of the steps, from 0; of NumPy or of another library.
            level: Levels, in per cent.
        """
        xp, calibrated = steps.__array_namespace__(), len(self.widths)
        widths = xp.asarray(self._widths_of(level))
        widths = xp.take(widths, xp.minimum(steps, calibrated - 1), axis=0)
        if self.kind == "point":
            widths = widths * xp.sqrt(xp.maximum((steps + 1) / calibrated, 1.0))[:, None]
        return widths

    def apply(
        self, lo: Any, hi: Any, *, level: Sequence[float] | float | None = None, point: Any = None, scale: Any = None
    ) -> tuple[Array, Array]:
        """Return widened intervals.

        A wider level then contains the narrower ones, no lower bound is above its upper one, and the point is inside.
        For that bounds are only moved outwards, so no interval loses coverage.

        Args:
            lo: Lower bounds, `[N, H, L]` of any horizon.
            hi: Upper bounds, `[N, H, L]`.
            level: Levels of the last axis, ascending; `None` is those of the calibration.
            point: The point forecast, `[N, H]`, which each interval then contains.
            scale: A positive unit for each window, `[N]`, if it was learnt with one.

        Returns:
            Lower and upper bounds, `[N, H, L]` each.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.

        Example:
            >>> calibration = Calibration((50, 80), [[0.5, 0.0]], [9])
            >>> lower, upper = calibration.apply([[[-1.0, -1.25]]], [[[1.0, 1.25]]])
            >>> upper  # the wider level follows the narrower one
            array([[[1.5, 1.5]]])
        """
        levels = self._levels(level)
        lower = as_array("lo", lo, (3,)).astype(np.float64)
        shape = (*lower.shape[:2], len(levels))
        lower, upper = _check_shape("lo", lower, shape), _check_shape("hi", hi, shape)
        widths = self.widths_for(shape[1], levels) * _window_units(scale, shape[0])
        inside = None if point is None else _check_shape("point", point, shape[:2])[:, :, None]
        bounds = _widened(lower, upper, widths, inside)
        return np.concatenate(bounds[::2], axis=2), np.concatenate(bounds[1::2], axis=2)

    def around(
        self, point: Any, *, level: Sequence[float] | float | None = None, scale: Any = None
    ) -> tuple[Array, Array]:
        """Return intervals around a point forecast.

        Args:
            point: The forecast, `[N, H]` of any horizon.
            level: Levels among those that were calibrated; `None` takes all.
            scale: A positive unit for each window, `[N]`, if it was learnt with one.

        Returns:
            Lower and upper bounds, `[N, H, L]` each, levels ascending.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.
        """
        levels = self._levels(level)
        middle = as_array("point", point, (2,))
        bound = np.repeat(middle[:, :, None], len(levels), axis=2)
        return self.apply(bound, bound, level=levels, point=middle, scale=scale)

    def _levels(self, level: Sequence[float] | float | None) -> tuple[float, ...]:
        levels = self.level if level is None else check_levels(level)
        for each in levels:
            if each not in self.level:
                expected = f"one of {', '.join(f'{known:g}' for known in self.level)}"
                raise SpecError("level", expected=expected, received=f"{each:g}", hint="Calibrate that level too.")
        return levels

    def _widths_of(self, level: Sequence[float]) -> Array:
        """Return the widths at any levels, `[H, levels]`, by their normal quantiles."""
        from scipy import special

        known, wanted = (special.ndtri(0.5 + np.asarray(each) / 200) for each in (self.level, level))
        inside, beyond = np.minimum(wanted, known[-1]), np.maximum(wanted / known[-1], 1.0)
        by_step = [np.interp(inside, [0.0, *known], [0.0, *widths]) for widths in self.widths]
        return np.asarray(np.stack(by_step) * beyond)


def calibrated(forecast: Any, request: ForecastRequest, calibrations: Sequence[Calibration], steps: Any = None) -> Any:
    """Return a forecast with its intervals widened, or with intervals around a point forecast.

    Args:
        forecast: `[N, H, D, 1 + 2 L]`, or `[N, H, D, 1]` for calibrations of points; of NumPy or of another library.
        request: The request that it answers, with `L` levels.
        calibrations: The calibration of each target, all of one kind.
        steps: Numbers of the steps, `[H]`; `None` counts those of an array of NumPy.

    Returns:
        The forecast, `[N, H, D, 1 + 2 L]`.
    """
    point, level = forecast[..., :1], request.level
    if not level:
        return point
    xp, steps = forecast.__array_namespace__(), np.arange(forecast.shape[1]) if steps is None else steps
    widths = [each.widths_at(steps, level)[:, None, ...] for each in calibrations]
    around = calibrations[0].kind == "point"
    lower, upper = (point, point) if around else (forecast[..., 1::2], forecast[..., 2::2])
    bounds = _widened(lower, upper, steps.__array_namespace__().concat(widths, axis=1), point)
    return xp.asarray(xp.concat([point, *bounds], axis=3), dtype=forecast.dtype)


def _widened(lower: Any, upper: Any, widths: Any, point: Any) -> list[Any]:
    """Return the lower and the upper bound of each level, `[..., 1]`, one level after the other."""
    xp = lower.__array_namespace__()
    lower, upper = lower - widths, upper + widths
    # Intervals that were much too wide may be narrowed past their middle.
    middle, crossed = lower / 2 + upper / 2, lower > upper
    lower, upper = xp.where(crossed, middle, lower), xp.where(crossed, middle, upper)
    bounds = [lower[..., :1], upper[..., :1]] if point is None else [point, point]
    for place in range(widths.shape[-1]):
        level = slice(place, place + 1)
        bounds += [xp.minimum(lower[..., level], bounds[-2]), xp.maximum(upper[..., level], bounds[-1])]
    return bounds[2:]


def windows_needed(level: float) -> int:
    """Return the fewest windows that a level needs: `level / (100 − level)`, rounded up.

    Args:
        level: Coverage, in per cent.

    Example:
        >>> [windows_needed(level) for level in (50, 80, 95, 99)]
        [1, 4, 19, 99]
    """
    return math.ceil(level / (100 - level) - _ROUNDING)


def calibrate_intervals(
    truth: Any, lo: Any, hi: Any, *, level: Sequence[float] | float, scale: Any = None
) -> Calibration:
    """Learn the widths by which intervals are widened, step by step.

    The score of a window is `E = max(lo − y, y − hi)`, the distance of the truth outside; the width is the
    `⌈(n + 1) · level⌉`-th smallest of the `n` scores of the step.

    Args:
        truth: True values, `[N, H]`; NaN where it is missing.
        lo: Lower bounds, `[N, H, L]`.
        hi: Upper bounds, `[N, H, L]`.
        level: Their levels, in per cent, ascending.
        scale: A positive unit for each window, `[N]`, such as the deviation of its series, in which its scores are
            measured; without it all windows share one unit.

    Returns:
        The calibration.

    Raises:
        DataError: Arrays do not fit, a forecast is not finite, or a step has too few windows for a level.
        SpecError: A level is impossible.

    Example:
        >>> truth = np.array([[0.0], [1.5], [-3.0], [0.5]])
        >>> calibrate_intervals(truth, np.full((4, 1, 1), -1.0), np.full((4, 1, 1), 1.0), level=80).widths
        array([[2.]])
    """
    levels = check_levels(level)
    values = _truth(truth)
    shape = (*values.shape, len(levels))
    lower, upper = (_finite(name, _check_shape(name, each, shape)) for name, each in (("lo", lo), ("hi", hi)))
    return _learn(values, lower, upper, levels, scale, kind="intervals")


def calibrate_points(truth: Any, point: Any, *, level: Sequence[float] | float, scale: Any = None) -> Calibration:
    """Learn the widths of intervals around a point forecast from its absolute errors.

    Args:
        truth: True values, `[N, H]`; NaN where it is missing.
        point: The forecast, `[N, H]`.
        level: Levels, in per cent, ascending.
        scale: A positive unit for each window, `[N]`.

    Returns:
        The calibration.

    Raises:
        DataError: As for `calibrate_intervals`.
        SpecError: A level is impossible.

    Example:
        >>> truth = np.array([[1.0], [-2.0], [3.0], [-4.0]])
        >>> calibration = calibrate_points(truth, np.zeros((4, 1)), level=80)
        >>> calibration.widths, calibration.windows
        (array([[4.]]), array([4]))
    """
    levels = check_levels(level)
    values = _truth(truth)
    middle = _finite("point", _check_shape("point", point, values.shape))
    bound = np.repeat(middle[:, :, None], len(levels), axis=2)
    return _learn(values, bound, bound, levels, scale, kind="point")


def _learn(truth: Array, lo: Array, hi: Array, levels: tuple[float, ...], scale: Any, *, kind: str) -> Calibration:
    windows = (~np.isnan(truth)).sum(axis=0)
    _check_enough(windows, levels)
    scores = np.maximum(lo - truth[:, :, None], truth[:, :, None] - hi) / _window_units(scale, len(truth))
    ranked = np.sort(scores, axis=0)  # NaN comes last
    ranks = np.ceil((windows[:, None] + 1) * np.array(levels) / 100 - _ROUNDING).astype(np.int64)
    widths = np.take_along_axis(ranked, ranks[None] - 1, axis=0)[0]
    return Calibration(levels, widths, windows, kind)


def _check_enough(windows: Array, levels: tuple[float, ...]) -> None:
    step = int(np.argmin(windows))
    count = int(windows[step])
    supported = [level for level in levels if windows_needed(level) <= count]
    if len(supported) == len(levels):
        return
    level = levels[len(supported)]  # ascending: the others follow
    remedy = f"choose level={supported}" if supported else "choose lower levels"
    expected = f"at least {windows_needed(level)} calibration windows with a known truth at each step"
    hint = f"Calibrate on more windows, or {remedy}."
    raise DataError(f"level {level:g}", expected=expected, received=f"{count} at step {step + 1}", hint=hint)


def _truth(truth: Any) -> Array:
    values = as_array("truth", truth, (2,)).astype(np.float64)
    if not values.size or np.isinf(values).any():
        received = "inf" if values.size else f"shape {values.shape}"
        hint = "Give at least one window and step, NaN where the truth is missing."
        raise DataError("truth", expected="finite numbers, [N, H]", received=received, hint=hint)
    return values


def _finite(where: str, array: Array) -> Array:
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0]
        raise DataError(
            f"{where}, window {place[0]}, step {place[1] + 1}",
            expected="a finite forecast",
            received=str(array[tuple(place)]),
            hint="Leave the window out, or find out why it could not be forecast.",
        )
    return array


def _check_shape(where: str, values: Any, shape: tuple[int, ...]) -> Array:
    """Return an array in double precision, and refuse other shapes."""
    array = as_array(where, values, (len(shape),)).astype(np.float64)
    if array.shape != shape:
        expected = f"shape {shape}, from windows, steps and levels"
        raise DataError(where, expected=expected, received=f"shape {array.shape}", hint="Give one entry for each.")
    return array


def _window_units(scale: Any, count: int) -> Array:
    """Return the unit of each window, `[N, 1, 1]`; without any it is 1 for all."""
    if scale is None:
        return np.ones((1, 1, 1))
    units = as_array("scale", scale, (1,)).astype(np.float64)
    if units.shape != (count,) or not (np.isfinite(units) & (units > 0)).all():
        expected = f"a positive number for each window, {count}"
        received = f"shape {units.shape}, smallest {units.min(initial=math.inf):g}"
        raise DataError("scale", expected=expected, received=received, hint="Use 1 where a series does not change.")
    return units[:, None, None]
