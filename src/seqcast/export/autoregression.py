"""An autoregression of each window, see `seqcast.pretrained.autoregression`."""

from __future__ import annotations

from functools import partial

import numpy as np

from seqcast.export.gaps import fill_gaps
from seqcast.export.graph import ONE, Graph, solved, solved_triangular
from seqcast.export.known import Known, clip
from seqcast.export.simple_forecasts import Said
from seqcast.pretrained import CHECKS, FARTHEST, FITTED, HELD_BACK, LAGS, LEAST_PENALTY


def autoregressed(graph: Graph, past: Known, length: int, horizon: int, ways: int) -> list[Said]:
    """Fit an autoregression to each window and continue it.

    Args:
        graph: The graph.
        past: Values, `[N, T, W]`, in several ways to write them; known in all of these or in none, `[N, T, 1]`.
        length: Number of steps, `T`.
        horizon: Number of future steps.
        ways: Number of ways, `W`.

    Returns:
        What is said of each way.
    """
    g = graph
    with g.scope("autoregression"):
        values = past.filled(g)
        known = g.expand(past.mask, g("Shape", values))
        filled = fill_gaps(g, values, known, both_ways=False, dtype=np.float64)

        def stacked(x: str) -> str:
            return g("Reshape", g.transpose(x, 0, 2, 1), g.dims(-1, length))

        filled, counted = stacked(filled), g.cast(stacked(known), np.float64)  # [R, T], with R = N W
        begun = g("Min", g("CumSum", counted, np.int64(1)), ONE)
        count = g.total(counted, 1, keep=True)
        mean = g("Div", g.total(g("Mul", filled, begun), 1, keep=True), g("Max", g.total(begun, 1, keep=True), ONE))
        centred = g("Mul", g("Sub", filled, mean), begun)
        zeros = g.expand(np.zeros((1, LAGS)), g.dims(g.size(centred, 0), LAGS))
        lagged = g.concat([zeros, centred], 1)
        # The newest lag first.
        places = np.arange(length)[:, None] + LAGS - 1 - np.arange(LAGS)
        before = g.take(lagged, places, 1)  # [R, T, lags]
        # Here and below nothing is transposed that a matrix product reads: ONNX Runtime before 1.26 joins the two, and
        # has no such operator in double precision.
        across = g.take(lagged, np.ascontiguousarray(places.T), 1)  # [R, lags, T]
        coefficients = _coefficients(g, centred, before, across, _fitted(g, begun, count, length))
        ahead = g("Add", g("MatMul", before, g.unsqueeze(coefficients, 2)), g.unsqueeze(mean, 2))
        checked = [steps for steps in CHECKS if steps < length]
        ends = [0, *checked]
        starts = np.stack([np.arange(LAGS)[::-1] + length - end for end in ends], axis=1)  # newest first
        states = g.take(lagged, starts, 1)  # [R, lags, starts]
        lines = _continued(g, states, coefficients, max(horizon, *checked, 1), len(ends))
        lines = g("Add", lines, g.unsqueeze(mean, 2))  # [R, steps, starts]
        first, *others = (g.cut(lines, 2, place, place + 1) for place in range(len(ends)))
        checks = {steps: g.cut(line, 1, 0, steps) for steps, line in zip(checked, others, strict=True)}
        together = Said(g.cut(first, 1, 0, horizon), ahead, checks, _optimism(g, past))

        def of_way(x: str, way: int) -> str:
            return g.take(g("Reshape", x, g.dims(-1, ways, g.size(x, 1), 1)), np.int64(way), 1)

        return [together.mapped(partial(of_way, way=way)) for way in range(ways)]


def _optimism(graph: Graph, past: Known) -> str:
    """Return how much larger errors are at steps that were not fitted to, `[N, 1]`."""
    g = graph
    count = g.squeeze(g.total(g.cast(past.mask, np.float64), 1, keep=True), 2)
    fewer = g("Max", g("Sub", count, np.float64(FITTED)), ONE)
    return g("Sqrt", g("Div", g("Add", count, np.float64(FITTED)), fewer))


def _fitted(graph: Graph, begun: str, count: str, length: int) -> str:
    """Return 1 for steps that have enough before them to be fitted to, `[R, T]`."""
    g = graph
    third = g.cast(g.cast(g("Div", count, np.float64(3)), np.int64), np.float64)
    enough = clip(g, third, 1, LAGS)
    before = g("Sub", np.float64(length), g.total(begun, 1, keep=True))  # steps before the first value
    # Of a window without values no step is fitted to.
    late = g("GreaterOrEqual", np.arange(length, dtype=np.float64)[None], g("Add", before, enough))
    return g("Mul", g.cast(late, np.float64), begun)


def _coefficients(graph: Graph, centred: str, before: str, across: str, fitted: str) -> str:
    """Return the coefficients of each window, `[R, lags]`.

    Args:
        graph: The graph.
        centred: Values, `[R, T]`.
        before: The lags of each step, `[R, T, lags]`.
        across: The same, `[R, lags, T]`.
        fitted: 1 for steps that are fitted to, `[R, T]`.
    """
    g = graph
    weighted = g("Mul", across, g.unsqueeze(fitted, 1))
    products, sides = g("MatMul", weighted, before), g("MatMul", weighted, g.unsqueeze(centred, 2))
    diagonal = g("Mul", products, np.eye(LAGS)[None])
    size = g("Div", g.total(g.total(diagonal, 2), 1, keep=True), np.float64(LAGS))
    shrunk = g("Min", g("Div", np.float64(HELD_BACK), g("Max", g.total(fitted, 1, keep=True), ONE)), ONE)
    penalty = g("Mul", g("Mul", size, shrunk), (np.arange(1, LAGS + 1) / LAGS)[None])
    ridge = g("Mul", g.unsqueeze(g("Add", penalty, np.float64(LEAST_PENALTY)), 2), np.eye(LAGS)[None])
    return solved(g, g("Add", products, ridge), sides, LAGS)


def _continued(graph: Graph, states: str, coefficients: str, steps: int, starts: int) -> str:
    """Continue lines from their last values, `[R, lags, starts]`, newest first: `[R, steps, starts]`.

    Lines that stay in reach are continued as many steps at once as there are lags. Only where one leaves it, all lines
    of all windows are continued step by step, since each step is brought back: the same up to rounding.
    """
    g = graph
    lines = _in_blocks(g, states, coefficients, steps)
    farthest = g("ReduceMax", g("Abs", lines), keepdims=0)
    in_reach, beyond = g.body(), g.body()
    shape = ("rows", steps, starts)
    in_reach.write(g.name("lines"), lines, np.float64, shape)
    by_start = beyond.transpose(states, 0, 2, 1)
    lines_again = _step_by_step(beyond, by_start, beyond.unsqueeze(coefficients, 2), steps, starts)
    by_step = beyond.transpose(lines_again, 1, 0, 2)
    beyond.write(g.name("lines"), by_step, np.float64, shape)
    near = g("LessOrEqual", farthest, np.float64(FARTHEST))
    return g("If", near, then_branch=in_reach, else_branch=beyond)


def _in_blocks(graph: Graph, states: str, coefficients: str, steps: int) -> str:
    """Continue lines wherever they go; their last values, `[R, lags, starts]`, come newest first."""
    g = graph
    place, other = np.arange(LAGS)[:, None], np.arange(LAGS)
    nothing = g.expand(np.zeros((1, 1)), g.dims(g.size(coefficients, 0), 1))
    padded = g.concat([coefficients, nothing], 1)
    # What a step takes from those before it in its block, and from those before the block.
    inside = g.take(padded, np.where(place > other, place - other - 1, LAGS), 1)
    block = g.take(padded, np.minimum(place + other, LAGS), 1)
    (block,) = solved_triangular(g, inside, [block], LAGS)
    found = []
    for _ in range(0, steps, LAGS):
        found.append(g("MatMul", block, states))
        states = g.take(found[-1], other[::-1].copy(), 1)
    return g.cut(g.concat(found, 1), 1, 0, steps)


def _step_by_step(graph: Graph, states: str, coefficients: str, steps: int, starts: int) -> str:
    """Continue lines from their last values, `[R, starts, lags]`, newest first: `[steps, R, starts]`."""
    body = graph.body()
    with body.scope("line"):
        name = body.name("loop")
        state = body.read(f"{name}/state", np.float64, ("rows", starts, LAGS))
        body.read(f"{name}/step", np.int64, ())
        value = clip(body, body("MatMul", state, coefficients), -FARTHEST, FARTHEST)
        after = body.concat([value, body.cut(state, 2, 0, LAGS - 1)], 2)
        body.write(f"{name}/after", after, np.float64, ("rows", starts, LAGS))
        body.write(f"{name}/value", body.squeeze(value, 2), np.float64, ("rows", starts))
    _, written = graph.several("Scan", 2, states, graph.steps(steps), body=body, num_scan_inputs=1)
    return written
