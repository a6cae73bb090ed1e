"""Calibrated intervals and the support of targets, see `seqcast.intervals`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqcast.export.operators import Array, ndx
from seqcast.intervals import MOST_COUNT, Calibration


def calibrated(
    forecast: Array, calibrations: Sequence[Calibration], level: Sequence[float], horizon: int | Array
) -> Array:
    """Return a forecast with its intervals widened, or with intervals around a point, `[B, H, D, 1 + 2 L]`.

    Args:
        forecast: The point, then for each level the lower and the upper bound, `[B, H, D, parts]`; a point alone for
            calibrations of points.
        calibrations: The calibration of each target.
        level: The levels, `L` of them, ascending.
        horizon: Number of steps; a number, or an array without axes.
    """
    point = forecast[..., :1]
    if not level:
        return point
    widths = ndx.concat([_widths(each, level, horizon) for each in calibrations], axis=1)
    # Targets have widths of their own, but are all forecast by the same networks.
    around = calibrations[0].kind == "point"
    bounds: list[Array] = []
    for place in range(len(level)):
        lower, upper = (point if around else forecast[..., at : at + 1] for at in (1 + 2 * place, 2 + 2 * place))
        width = widths[..., place : place + 1]
        lower, upper = lower - width, upper + width
        # Intervals that were far too wide may be narrowed past their middle.
        middle, crossed = 0.5 * lower + 0.5 * upper, lower > upper
        lower, upper = ndx.where(crossed, middle, lower), ndx.where(crossed, middle, upper)
        inside_low, inside_high = bounds[-2:] if bounds else (point, point)
        bounds += [ndx.minimum(lower, inside_low), ndx.maximum(upper, inside_high)]
    return ndx.concat([point, *bounds], axis=3)


def bounded(forecast: Array, supports: Sequence[str], probabilities: Sequence[float]) -> Array:
    """Return a forecast within the support of its targets.

    Args:
        forecast: `[B, H, D, parts]`.
        supports: Support of each target; none for no bounds.
        probabilities: Probability of each part; 0.5 for a point.
    """
    if all(support == "real" for support in supports):
        return forecast
    least = np.array([0.0 if support != "real" else -np.inf for support in supports])
    within = ndx.maximum(forecast, ndx.asarray(least[:, None]))
    counts = np.array([support == "counts" for support in supports])
    if not counts.any():
        return within
    smaller, parts = ndx.minimum(within, MOST_COUNT), []
    for place, probability in enumerate(probabilities):
        whole = ndx.floor if probability < 0.5 else ndx.ceil if probability > 0.5 else ndx.round
        parts.append(whole(smaller[..., place : place + 1]))
    return ndx.where(ndx.asarray(counts[:, None]), ndx.concat(parts, axis=3), within)


def _widths(calibration: Calibration, level: Sequence[float], horizon: int | Array) -> Array:
    """Return the widths of one target, `[H, 1, L]`."""
    if isinstance(horizon, int):
        return ndx.asarray(calibration.widths_for(horizon, level)[:, None])
    known = calibration.widths_for(len(calibration.widths), level)[:, None]
    steps = ndx.arange(horizon)
    widths = ndx.take(ndx.asarray(known), ndx.minimum(steps, len(known) - 1), axis=0)
    if calibration.kind != "point":
        return widths
    growth = ndx.sqrt(ndx.maximum(ndx.astype(steps + 1, ndx.float64) / len(known), 1.0))
    return widths * growth[:, None, None]
