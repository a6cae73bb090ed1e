"""Filling of missing values in windows, see `seqcast.data.windows.gaps`."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast.export.graph import Graph


def fill_gaps(graph: Graph, past: str, known: str, *, both_ways: bool, dtype: Any = np.float32) -> str:
    """Return values with gaps filled by the last known one.

    The values that are known are written one after another into a row, from its second place on; then each step reads
    the place that the number of known values up to it says.

    Args:
        graph: The graph.
        past: Values, `[B, T, F]`; what is not known is 0.
        known: Which are known, `[B, T, F]`.
        both_ways: Whether those before the first known one are filled by it; otherwise they are 0.
        dtype: Type of the values.
    """
    with graph.scope("gaps"):
        counts = graph("CumSum", graph.cast(known, np.int64), np.int64(1))
        # Those that are not known are written to a place that nobody reads.
        beyond = graph("Add", graph.size(past, 1), np.array([1], np.int64))
        columns = graph("Mul", graph("Shape", past), np.array([1, 0, 1], np.int64))
        steps = graph("Add", columns, graph.dims(0, graph("Add", beyond, np.array([1], np.int64)), 0))
        row = graph.expand(dtype(0), steps)
        row = graph("ScatterElements", row, graph("Where", known, counts, graph.squeeze(beyond, 0)), past, axis=1)
        return graph("GatherElements", row, graph("Max", counts, np.int64(1)) if both_ways else counts, axis=1)


def last_known(graph: Graph, values: str, known: str) -> tuple[str, str]:
    """Return the last known value along the steps, `[B, 1, C]`, and whether there is one.

    Args:
        graph: The graph.
        values: Values, `[B, T, C]`.
        known: Which are known.
    """
    steps = graph.unsqueeze(graph.steps(graph.size(values, 1)), 1)
    places = graph("ReduceMax", graph("Where", known, steps, np.int64(-1)), axes=[1], keepdims=1)
    last = graph("GatherElements", values, graph("Max", places, np.int64(0)), axis=1)
    return last, graph("GreaterOrEqual", places, np.int64(0))


def newest_season(graph: Graph, past: str, known: str, steps: int, season_length: int, horizon: int | str) -> str:
    """Repeat the newest known value of each step of the season, `[B, H, D]`.

    Args:
        graph: The graph.
        past: Values, `[B, T, D]`; what is not known is 0.
        known: Which are known.
        steps: Number of steps, `T`.
        season_length: Steps of a season; one that is longer than the past repeats the last value.
        horizon: Number of steps to forecast; a number, or a value `[1]`.
    """
    with graph.scope("newest_season"):
        last, _ = last_known(graph, past, known)  # 0 where there is none
        season = season_length if season_length <= steps else 1
        whole, whole_known = past, known
        if season > 1:
            whole, whole_known = (_by_season(graph, each, steps, season) for each in (past, known))
        newest, there = last_known(graph, whole, whole_known)
        if season > 1:
            newest, there = (_by_step(graph, each, season) for each in (newest, there))
        newest = graph("Where", there, newest, last)
        if isinstance(horizon, int):
            return graph.take(newest, (np.arange(horizon) % season).tolist(), 1)
        return graph.take(newest, graph("Mod", graph.steps(horizon), np.int64(season)), 1)


def _by_season(graph: Graph, x: str, steps: int, season: int) -> str:
    """Fold `[B, T, D]` into whole seasons, `[B, seasons, m · D]`, the last one at the end."""
    first = steps % season
    x = graph.cut(x, 1, first) if first else x
    rows = graph("Mul", graph.size(x, 2), np.array([season], np.int64))
    return graph("Reshape", x, graph.dims(graph.size(x, 0), steps // season, rows))


def _by_step(graph: Graph, x: str, season: int) -> str:
    """Unfold one season, `[B, 1, m · D]` into `[B, m, D]`."""
    return graph.reshape(x, (0, season, -1))
