"""Exponential smoothing with fixed gains, step by step in a loop, see `seqcast.data.windows.smoothing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows.simple_forecasts import CHECKS
from seqcast.data.windows.smoothing import FIRST, Gains
from seqcast.export.graph import Graph
from seqcast.export.known import Known, mean_of_known

__all__ = ["Said", "smoothed"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Said:
    """What `K` simple models say of windows.

    Args:
        forecasts: Forecasts, `[R, H, K]`.
        ahead: What was forecast of each step from the one before it, `[R, T, K]`.
        checks: What was forecast of the last steps, `[R, n, K]`, by their number.
        optimism: How much larger errors are at other steps, `[R, 1]`; `None` is 1.
    """

    forecasts: str
    ahead: str
    checks: dict[int, str]
    optimism: str | None = None


def smoothed(
    graph: Graph, past: Known, used: str, whole: str, length: int, season: int, horizon: int, gains: Gains
) -> Said:
    """Smooth windows with a damped trend and a season.

    Args:
        graph: The graph.
        past: Values, `[R, T]`.
        used: Which windows know two seasons, `[R, 1]`; the others are smoothed without a season.
        whole: Which steps lie in whole seasons of a window, `[R, T]`.
        length: Number of steps, `T`.
        season: Steps of a season; 1 is none.
        horizon: Number of future steps.
        gains: Gains of level, trend and season, and damping, of each of `K` sets.
    """
    with graph.scope("smoothing"):
        slope, profile, level = _begin(graph, past, 1, None, length)
        if season > 1:
            own = _begin(graph, past, season, whole, length)
            plain = (slope, graph.expand(np.zeros((1, 1)), graph("Shape", own[1])), level)
            slope, profile, level = (graph("Where", used, a, b) for a, b in zip(own, plain, strict=True))
        alpha, beta, gamma, phi = (np.array(each)[None, :] for each in zip(*gains, strict=True))
        gammas = graph("Mul", graph.cast(used, np.float64), gamma * float(season > 1))
        count = len(gains)
        sets = graph.expand(np.zeros((1, count)), graph.dims(graph.size(level, 0), count))
        states = [graph("Add", level, sets), graph("Add", slope, sets)]
        # The season begins with the place of the first step, as the future begins with its first.
        turn = (np.arange(season) - length) % season
        turned = graph.take(profile, turn.tolist(), 1)
        states.append(graph("Add", graph.unsqueeze(turned, 1), graph.unsqueeze(sets, 2)))
        steps = _Steps.of(graph, past, phi)
        body = _body(graph, alpha, beta, gammas, count, season)
        reach = np.cumsum(phi[0][:, None] ** np.arange(1, max(horizon, *CHECKS) + 1), axis=1).T[None]
        ahead, checks, first = [], {}, 0
        for left in sorted((each for each in CHECKS if each < length), reverse=True):
            states, written = _run(graph, body, states, steps.between(graph, first, length - left))
            ahead.append(written)
            checks[left] = _continued(graph, states, reach, left, season)
            first = length - left
        states, written = _run(graph, body, states, steps.between(graph, first, length))
        return Said(
            _continued(graph, states, reach, horizon, season),
            graph.transpose(graph.concat([*ahead, written], 0), 1, 0, 2),
            checks,
        )


@dataclass(frozen=True)
class _Steps:
    """What each step reads, steps first."""

    filled: str
    counted: str
    begun: str
    damping: str

    @classmethod
    def of(cls, graph: Graph, past: Known, phi: Array) -> _Steps:
        counted = graph.cast(past.mask, np.float64)
        # Before its first value a window stands still: its trend is that of the first step.
        begun = graph("Min", graph("CumSum", counted, np.int64(1)), np.float64(1))
        filled, counted, begun = (
            graph.unsqueeze(graph.transpose(each, 1, 0), 2) for each in (past.filled(graph), counted, begun)
        )
        damping = graph("Add", graph("Mul", begun, (phi - 1.0)[None]), np.float64(1))
        return cls(filled, counted, begun, damping)

    def between(self, graph: Graph, first: int, stop: int) -> list[str]:
        return [graph.cut(each, 0, first, stop) for each in (self.filled, self.counted, self.begun, self.damping)]


def _begin(graph: Graph, past: Known, season: int, whole: str | None, length: int) -> tuple[str, str, str]:
    """Return the first trend, `[R, 1]`, the first season, `[R, m]`, and the level before the first value, `[R, 1]`."""
    g, values = graph, past.filled(graph)
    if season < length:
        later, before = (Known(*(g.cut(each, 1, *bounds) for each in (values, past.mask))) for bounds in _pairs(season))
        change = Known(g("Sub", later.values, before.values), g("And", later.mask, before.mask))
        slope = g("Div", mean_of_known(g, change).values, np.float64(season))
    else:
        slope = g("Mul", g.cut(values, 1, 0, 1), np.float64(0))
    steps = np.arange(length, dtype=np.float64)[None]
    straight = g("Sub", values, g("Mul", slope, steps))
    if season == 1:
        profile, off = g("Mul", slope, np.float64(0)), values
    else:
        profile = _profile(g, Known(straight, g("And", past.mask, whole or past.mask)), season, length)
        places = ((np.arange(length) - length) % season).tolist()
        off = g("Sub", values, g.take(profile, places, 1))
    counts = g.cast(past.mask, np.int64)
    began = g("Greater", g("CumSum", counts, np.int64(1)), np.int64(0))
    since = g("CumSum", g.cast(began, np.float64), np.int64(1))
    near = g("LessOrEqual", since, np.float64(max(season, FIRST)))
    level = Known(g("Sub", off, g("Mul", slope, since)), g("And", past.mask, near))
    return slope, profile, mean_of_known(g, level).values


def _pairs(season: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the bounds of the later values and of those a season before."""
    return (season,), (0, -season)


def _profile(graph: Graph, straight: Known, season: int, length: int) -> str:
    """Return the mean season of windows without trend, `[R, m]`, each season less its own mean."""
    first = length % season
    values, mask = (
        graph.reshape(graph.cut(each, 1, first), 0, length // season, season)
        for each in (straight.values, straight.mask)
    )
    each = Known(values, mask)
    centred = Known(graph("Sub", values, mean_of_known(graph, each, 2).values), mask)
    profile = graph.squeeze(mean_of_known(graph, centred, 1).values, 1)
    return graph("Sub", profile, graph("ReduceMean", profile, axes=[1], keepdims=1))


def _body(graph: Graph, alpha: Array, beta: Array, gammas: str, count: int, season: int) -> Graph:
    """Return one step of smoothing as the body of a loop."""
    body = graph.body()
    with body.scope("step"):
        shapes: dict[str, tuple[int | str, ...]] = {
            "level": ("rows", count),
            "trend": ("rows", count),
            "season": ("rows", count, season),
            "filled": ("rows", 1),
            "counted": ("rows", 1),
            "begun": ("rows", 1),
            "damping": ("rows", count),
        }
        name = body.name("loop")
        level, trend, seasons, filled, counted, begun, damping = (
            body.read(f"{name}/{port}", np.float64, shape) for port, shape in shapes.items()
        )
        before = body.take(seasons, np.int64(0), 2)
        damped = body("Mul", trend, damping)
        forecast = body("Add", body("Add", level, body("Mul", damped, begun)), before)
        error = body("Mul", body("Sub", filled, forecast), counted)
        after = [
            body("Add", body("Sub", forecast, before), body("Mul", error, alpha)),
            body("Add", damped, body("Mul", error, beta)),
        ]
        newest = body.unsqueeze(body("Add", before, body("Mul", gammas, error)), 2)
        after.append(newest if season == 1 else body.concat([body.cut(seasons, 2, 1), newest], 2))
        for port, value in zip(shapes, [*after, forecast], strict=False):
            body.write(f"{name}/{port}_after", value, np.float64, shapes[port if port != "filled" else "level"])
    return body


def _run(graph: Graph, body: Graph, states: list[str], steps: list[str]) -> tuple[list[str], str]:
    """Run some steps; return the states after them and what was forecast of each, `[T, R, K]`."""
    *after, written = graph.several("Scan", 4, *states, *steps, body=body, num_scan_inputs=4)
    return after, written


def _continued(graph: Graph, states: list[str], reach: Array, steps: int, season: int) -> str:
    """Return the forecast from states, `[R, steps, K]`."""
    level, trend, seasons = states
    line = graph("Mul", graph.unsqueeze(trend, 1), reach[:, :steps])
    again = graph.transpose(graph.take(seasons, (np.arange(steps) % season).tolist(), 2), 0, 2, 1)
    return graph("Add", graph("Add", graph.unsqueeze(level, 1), line), again)
