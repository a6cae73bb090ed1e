"""An autoregression of each window, see `seqcast.data.windows.autoregression`."""

from __future__ import annotations

import numpy as np

from seqcast.data.windows.autoregression import FITTED, HELD_BACK, LAGS, LEAST_PENALTY
from seqcast.data.windows.simple_forecasts import CHECKS, FARTHEST
from seqcast.export.gaps import fill_gaps
from seqcast.export.graph import ONE, Graph
from seqcast.export.known import Known, clip
from seqcast.export.smoothing import Said

__all__ = ["autoregressed", "solved"]


def autoregressed(graph: Graph, past: Known, length: int, horizon: int) -> Said:
    """Fit an autoregression to each window and continue it.

    Args:
        graph: The graph.
        past: Values, `[R, T]`.
        length: Number of steps, `T`.
        horizon: Number of future steps.
    """
    g = graph
    with g.scope("autoregression"):
        counted = g.cast(past.mask, np.float64)
        begun = g("Min", g("CumSum", counted, np.int64(1)), ONE)
        count = g.total(counted, 1, keep=True)
        values = g.unsqueeze(past.filled(g), 2)
        filled = g.squeeze(fill_gaps(g, values, g.unsqueeze(past.mask, 2), both_ways=False, dtype=np.float64), 2)
        mean = g("Div", g.total(g("Mul", filled, begun), 1, keep=True), g("Max", g.total(begun, 1, keep=True), ONE))
        centred = g("Mul", g("Sub", filled, mean), begun)
        zeros = g.expand(np.zeros((1, LAGS)), g.dims(g.size(centred, 0), LAGS))
        lagged = g.concat([zeros, centred], 1)
        # The newest lag first.
        places = np.arange(length)[:, None] + LAGS - 1 - np.arange(LAGS)
        before = g.take(lagged, places, 1)  # [R, T, lags]
        fitted = _fitted(g, begun, count, length)
        coefficients = _coefficients(g, centred, before, fitted)
        ahead = g("Add", g("MatMul", before, g.unsqueeze(coefficients, 2)), g.unsqueeze(mean, 2))
        optimism = g(
            "Sqrt", g("Div", g("Add", count, np.float64(FITTED)), g("Max", g("Sub", count, np.float64(FITTED)), ONE))
        )
        checked = [steps for steps in CHECKS if steps < length]
        ends = [0, *checked]
        starts = np.stack([np.arange(LAGS)[::-1] + length - end for end in ends])  # newest first
        states = g.take(lagged, starts, 1)  # [R, starts, lags]
        lines = _continued(g, states, g.unsqueeze(coefficients, 1), max(horizon, *checked, 1), len(ends))
        lines = g("Add", g.transpose(lines, 1, 0, 2), g.unsqueeze(mean, 2))  # [R, steps, starts]
        forecasts = g.cut(g.cut(lines, 1, 0, horizon), 2, 0, 1)
        checks = {
            steps: g.cut(g.cut(lines, 1, 0, steps), 2, place, place + 1) for place, steps in enumerate(checked, start=1)
        }
        return Said(forecasts, ahead, checks, optimism)


def solved(graph: Graph, matrix: str, side: str, size: int) -> str:
    """Solve `A x = b` for symmetric positive matrices, by elimination without exchanges.

    Args:
        graph: The graph.
        matrix: `A`, `[R, n, n]`.
        side: `b`, `[R, n, 1]`.
        size: `n`.

    Returns:
        The solutions, `[R, n]`.
    """
    both = graph.concat([matrix, side], 2)
    for place in range(size):
        row = graph.cut(both, 1, place, place + 1)
        pivot = graph("Div", row, graph.cut(row, 2, place, place + 1))
        # The row itself becomes the pivot: one unit less of it is taken.
        column = graph("Sub", graph.cut(both, 2, place, place + 1), np.eye(size)[None, :, place : place + 1])
        both = graph("Sub", both, graph("Mul", column, pivot))
    return graph.squeeze(graph.cut(both, 2, size), 2)


def _fitted(graph: Graph, begun: str, count: str, length: int) -> str:
    """Return 1 for steps that have enough before them to be fitted to, `[R, T]`."""
    g = graph
    third = g.cast(g.cast(g("Div", count, np.float64(3)), np.int64), np.float64)
    enough = clip(g, third, 1, LAGS)
    before = g("Sub", np.float64(length), g.total(begun, 1, keep=True))  # steps before the first value
    # Of a window without values no step is fitted to.
    late = g("GreaterOrEqual", np.arange(length, dtype=np.float64)[None], g("Add", before, enough))
    return g("Mul", g.cast(late, np.float64), begun)


def _coefficients(graph: Graph, centred: str, before: str, fitted: str) -> str:
    """Return the coefficients of each window, `[R, lags]`."""
    g = graph
    weighted = g.transpose(g("Mul", before, g.unsqueeze(fitted, 2)), 0, 2, 1)
    products, sides = g("MatMul", weighted, before), g("MatMul", weighted, g.unsqueeze(centred, 2))
    diagonal = g("Mul", products, np.eye(LAGS)[None])
    size = g("Div", g.total(g.total(diagonal, 2), 1, keep=True), np.float64(LAGS))
    shrunk = g("Min", g("Div", np.float64(HELD_BACK), g("Max", g.total(fitted, 1, keep=True), ONE)), ONE)
    penalty = g("Mul", g("Mul", size, shrunk), (np.arange(1, LAGS + 1) / LAGS)[None])
    ridge = g("Mul", g.unsqueeze(g("Add", penalty, np.float64(LEAST_PENALTY)), 2), np.eye(LAGS)[None])
    return solved(g, g("Add", products, ridge), sides, LAGS)


def _continued(graph: Graph, states: str, coefficients: str, steps: int, starts: int) -> str:
    """Continue lines from their last values, `[R, starts, lags]`, newest first: `[steps, R, starts]`."""
    body = graph.body()
    with body.scope("line"):
        name = body.name("loop")
        state = body.read(f"{name}/state", np.float64, ("rows", starts, LAGS))
        body.read(f"{name}/step", np.int64, ())
        value = clip(body, body.total(body("Mul", state, coefficients), 2, keep=True), -FARTHEST, FARTHEST)
        after = body.concat([value, body.cut(state, 2, 0, LAGS - 1)], 2)
        body.write(f"{name}/after", after, np.float64, ("rows", starts, LAGS))
        body.write(f"{name}/value", body.squeeze(value, 2), np.float64, ("rows", starts))
    _, written = graph.several("Scan", 2, states, graph.steps(steps), body=body, num_scan_inputs=1)
    return written
