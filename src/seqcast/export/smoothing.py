"""Exponential smoothing with fixed gains, see `seqcast.pretrained.smoothing`."""

from __future__ import annotations

from functools import partial

import numpy as np

from seqcast.export.graph import Graph
from seqcast.export.known import Known, mean_of_known
from seqcast.export.simple_forecasts import Said
from seqcast.export.smoothing_blocks import Blocks, Effects, State
from seqcast.pretrained import CHECKS, FIRST, Gains


def smoothed(
    graph: Graph, past: Known, used: str, whole: str, gains: Gains, *, length: int, season: int, horizon: int, ways: int
) -> list[Said]:
    """Smooth windows with a damped trend and a season.

    Args:
        graph: The graph.
        past: Values, `[N, T, W]`, in several ways to write them; known in all of these or in none, `[N, T, 1]`.
        used: Which windows know two seasons, `[N, 1]`; the others are smoothed without a season.
        whole: Which steps lie in whole seasons of a window, `[N, T, 1]`.
        gains: Gains of level, trend and season, and damping, of each of `K` sets.
        length: Number of steps, `T`.
        season: Steps of a season; 1 is none.
        horizon: Number of future steps.
        ways: Number of ways, `W`.

    Returns:
        What is said of each way.
    """
    with graph.scope("smoothing"):
        slope, profile, level = _begin(graph, past, 1, None, length, ways=ways)
        if season > 1:
            own = _begin(graph, past, season, whole, length, ways=ways)
            plain = (slope, graph.expand(np.zeros((1, 1, 1)), graph("Shape", own[1])), level)
            has_season = graph.unsqueeze(used, 2)
            slope, profile, level = (graph("Where", has_season, a, b) for a, b in zip(own, plain, strict=True))
        effects = Effects(gains, season)
        counted = graph.squeeze(graph.cast(past.mask, np.float64), 2)
        blocks = Blocks(graph, past.filled(graph), counted, used, effects, length=length, ways=ways)
        run = blocks.run(level, slope, profile)

        def continued(state: State, steps: int) -> str:
            line = graph("Mul", graph.unsqueeze(state.trend, 1), effects.reach(steps)[None, 1:, :, None])
            again = graph.take(state.seasons, (np.arange(steps) % season).tolist(), 1)
            return graph("Add", graph("Add", graph.unsqueeze(state.level, 1), line), again)

        forecasts, ahead = continued(run.last(), horizon), run.ahead()
        checks = {left: continued(run.before(left), left) for left in CHECKS if left < length}
        together = Said(forecasts, ahead, checks, graph.value(np.ones((1, 1))))

        def of_way(part: str, way: int) -> str:
            return graph.take(part, np.int64(way), 3)

        return [together.mapped(partial(of_way, way=way)) for way in range(ways)]


def _begin(graph: Graph, past: Known, season: int, whole: str | None, length: int, ways: int) -> tuple[str, str, str]:
    """Return the first trend, `[N, 1, W]`, season, `[N, m, W]`, and level before the first value, `[N, 1, W]`."""
    g, values = graph, past.filled(graph)
    if season < length:
        bounds = ((season,), (0, -season))
        later, before = (Known(*(g.cut(each, 1, *pair) for each in (values, past.mask))) for pair in bounds)
        change = Known(g("Sub", later.values, before.values), g("And", later.mask, before.mask))
        slope = g("Div", mean_of_known(g, change).values, np.float64(season))
    else:
        slope = g("Mul", g.cut(values, 1, 0, 1), np.float64(0))
    steps = np.arange(length, dtype=np.float64)[None, :, None]
    straight = g("Sub", values, g("Mul", slope, steps))
    if season == 1:
        profile, off = g("Mul", slope, np.float64(0)), values
    else:
        profile = _profile(g, Known(straight, g("And", past.mask, whole or past.mask)), season, length, ways)
        places = ((np.arange(length) - length) % season).tolist()
        off = g("Sub", values, g.take(profile, places, 1))
    counts = g.cast(past.mask, np.int64)
    began = g("Greater", g("CumSum", counts, np.int64(1)), np.int64(0))
    since = g("CumSum", g.cast(began, np.float64), np.int64(1))
    near = g("LessOrEqual", since, np.float64(max(season, FIRST)))
    level = Known(g("Sub", off, g("Mul", slope, since)), g("And", past.mask, near))
    return slope, profile, mean_of_known(g, level).values


def _profile(graph: Graph, straight: Known, season: int, length: int, ways: int) -> str:
    """Return the mean season of windows without trend, `[N, m, W]`, each season less its own mean."""
    first = length % season
    values, mask = (
        graph.reshape(graph.cut(each, 1, first), (0, length // season, season, width))
        for each, width in ((straight.values, ways), (straight.mask, 1))
    )
    each = Known(values, mask)
    centred = Known(graph("Sub", values, mean_of_known(graph, each, 2).values), mask)
    profile = graph.squeeze(mean_of_known(graph, centred, 1).values, 1)
    return graph("Sub", profile, graph("ReduceMean", profile, axes=[1], keepdims=1))
