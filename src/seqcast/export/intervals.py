"""Calibrated intervals and the support of targets, see `seqcast.intervals`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqcast.export.graph import ZERO, Graph
from seqcast.intervals import MOST_COUNT, Calibration


def calibrated(
    graph: Graph,
    forecast: str,
    calibrations: Sequence[Calibration],
    level: Sequence[float],
    horizon: int | str,
) -> str:
    """Return a forecast with its intervals widened, or with intervals around a point.

    Args:
        graph: The graph.
        forecast: The point, then for each level the lower and the upper bound, `[B, H, D, parts]`; a point alone for
            calibrations of points.
        calibrations: The calibration of each target.
        level: The levels, `L` of them, ascending.
        horizon: Number of steps; a number, or a value `[1]`.

    Returns:
        The forecast, `[B, H, D, 1 + 2 L]`.
    """
    if not level:
        return graph.cut(forecast, 3, 0, 1)
    with graph.scope("calibration"):
        point = graph.cut(forecast, 3, 0, 1)
        widths = graph.concat([_widths(graph, each, level, horizon) for each in calibrations], 1)
        # Targets have widths of their own, but are all forecast by the same networks.
        around = calibrations[0].kind == "point"
        bounds: list[str] = []
        for place in range(len(level)):
            width = graph.cut(widths, 2, place, place + 1)
            lower, upper = (
                point if around else graph.cut(forecast, 3, at, at + 1) for at in (1 + 2 * place, 2 + 2 * place)
            )
            lower, upper = graph("Sub", lower, width), graph("Add", upper, width)
            # Intervals that were far too wide may be narrowed past their middle.
            half = np.float64(0.5)
            middle = graph("Add", graph("Mul", lower, half), graph("Mul", upper, half))
            crossed = graph("Greater", lower, upper)
            lower, upper = graph("Where", crossed, middle, lower), graph("Where", crossed, middle, upper)
            inside_low, inside_high = bounds[-2:] if bounds else (point, point)
            bounds += [graph("Min", lower, inside_low), graph("Max", upper, inside_high)]
        return graph.concat([point, *bounds], 3)


def bounded(graph: Graph, forecast: str, supports: Sequence[str], probabilities: Sequence[float]) -> str:
    """Return a forecast within the support of its targets.

    Args:
        graph: The graph.
        forecast: `[B, H, D, parts]`.
        supports: Support of each target; none for no bounds.
        probabilities: Probability of each part; 0.5 for a point.
    """
    if all(support == "real" for support in supports):
        return forecast
    with graph.scope("support"):
        least = np.array([ZERO if support != "real" else -np.inf for support in supports])
        within = graph("Max", forecast, least[:, None])
        counts = np.array([support == "counts" for support in supports])
        if not counts.any():
            return within
        smaller = graph("Min", within, np.float64(MOST_COUNT))
        parts = []
        for place, probability in enumerate(probabilities):
            whole = "Floor" if probability < 0.5 else "Ceil" if probability > 0.5 else "Round"
            parts.append(graph(whole, graph.cut(smaller, 3, place, place + 1)))
        return graph("Where", counts[:, None], graph.concat(parts, 3), within)


def _widths(graph: Graph, calibration: Calibration, level: Sequence[float], horizon: int | str) -> str:
    """Return the widths of one target, `[H, 1, L]`."""
    if isinstance(horizon, int):
        return graph.value(calibration.widths_for(horizon, level)[:, None])
    known = calibration.widths_for(len(calibration.widths), level)[:, None]
    steps = graph.steps(horizon)
    widths = graph.take(known, graph("Min", steps, np.int64(len(known) - 1)), 0)
    if calibration.kind != "point":
        return widths
    further = graph("Div", graph("Add", graph.cast(steps, np.float64), np.float64(1)), np.float64(len(known)))
    growth = graph("Sqrt", graph("Max", further, np.float64(1)))
    return graph("Mul", widths, graph.unsqueeze(growth, 1, 2))
