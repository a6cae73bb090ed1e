"""Calibrating intervals on windows that training has not seen: conformalised quantile regression, step by step.

How far the truth fell outside an interval on those windows says by how much to widen the intervals to come. If they
and the windows to come are exchangeable (any order as likely as any other), the interval of a level holds the truth
at least as often as the level says, whatever the network. Series that drift or trend are not quite that: calibrate on
recent windows, and look at the coverage of a backtest.

Source: Romano, Patterson and Candès, Conformalized quantile regression, NeurIPS 2019, algorithm 1; for point forecasts
Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-free predictive inference for regression, JASA 113 (2018),
algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.intervals.calibration import Calibration, check_shape, window_units
from seqcast.intervals.levels import check_levels

__all__ = ["calibrate_intervals", "calibrate_points", "windows_needed"]

Array = npt.NDArray[Any]

_ROUNDING = 1e-9  # (n + 1) · level must not pass a whole number by rounding


def windows_needed(level: float) -> int:
    """Return how many windows a level needs at least: `level / (100 − level)`, rounded up.

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
    """Learn by how much intervals have to be widened, step by step.

    The score of a window is `E = max(lo − y, y − hi)`, how far the truth lies outside; the width is the
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
    lower, upper = (_finite(name, check_shape(name, each, shape)) for name, each in (("lo", lo), ("hi", hi)))
    return _learn(values, lower, upper, levels, scale, kind="intervals")


def calibrate_points(truth: Any, point: Any, *, level: Sequence[float] | float, scale: Any = None) -> Calibration:
    """Learn how wide intervals around a point forecast have to be, from its absolute errors.

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
    middle = _finite("point", check_shape("point", point, values.shape))
    bound = np.repeat(middle[:, :, None], len(levels), axis=2)
    return _learn(values, bound, bound, levels, scale, kind="point")


def _learn(truth: Array, lo: Array, hi: Array, levels: tuple[float, ...], scale: Any, *, kind: str) -> Calibration:
    windows = (~np.isnan(truth)).sum(axis=0)
    _check_enough(windows, levels)
    scores = np.maximum(lo - truth[:, :, None], truth[:, :, None] - hi) / window_units(scale, len(truth))
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
    remedy = f"keep to level={supported}" if supported else "choose lower levels"
    raise DataError(
        f"level {level:g}",
        expected=f"at least {windows_needed(level)} calibration windows with a known truth at each step",
        received=f"{count} at step {step + 1}",
        hint=f"Calibrate on more windows, or {remedy}.",
    )


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
