"""What holds the later blocks of the pretrained network's forecast, see `seqcast.pretrained.far_horizons`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from seqcast.export.graph import INFINITY, ONE, ZERO, Graph
from seqcast.export.known import Known, mean_of_known
from seqcast.pretrained import REPEATED


@dataclass(frozen=True)
class Hold:
    """What holds a forecast; each value is `[N, 1]`.

    Args:
        season: Steps of a season; 1 is none.
        share: The share of the season before; `None` is 0.
        low: The least value of the past and of the first block.
        high: The largest one.
        steps: How many of these steps are known.
    """

    season: int
    share: str | None
    low: str
    high: str
    steps: str

    @classmethod
    def of(cls, graph: Graph, known: Known, contexts: str, season: int, *, length: int, first: int) -> Self:
        """Learn what holds a forecast.

        Args:
            graph: The graph.
            known: The past and the first block, `[N, T]`.
            contexts: With how many steps of past each window is read, `[N, 1]`.
            season: Steps of a season.
            length: Number of steps, `T`.
            first: Those of the first block.
        """
        g = graph
        with g.scope("hold"):
            low = g("ReduceMin", known.filled(g, INFINITY), axes=[1], keepdims=1)
            high = g("ReduceMax", known.filled(g, -INFINITY), axes=[1], keepdims=1)
            steps = g.total(g.cast(known.mask, np.float64), 1, keep=True)
            share = None
            if season > 1:
                straightness = _straightness(g, known, contexts, season, length=length, first=first)
                share = g("Mul", g("Sub", ONE, straightness), np.float64(REPEATED))
            return cls(season, share, low, high, steps)

    def held(self, graph: Graph, median: str, known: Known, *, length: int, count: int, since: int) -> str:
        """Return what comes after the first block, held.

        Args:
            graph: The graph.
            median: Its forecast, `[N, count]`.
            known: What it was forecast from, `[N, length]`.
            length: Number of steps that it was forecast from.
            count: Number of its steps.
            since: Steps between the first block and these.
        """
        g = graph
        with g.scope("hold"):
            if self.share is not None:
                repeated = again(g, known, self.season, length=length, horizon=count)
                mixed = g("Add", g("Mul", g("Sub", ONE, self.share), median), g("Mul", self.share, repeated.values))
                median = g("Where", repeated.mask, mixed, median)
            later = since + np.arange(count, dtype=np.float64)[None]
            farther = g("Add", g("Div", later, self.steps), ONE)
            room = g("Mul", g("Sub", self.high, self.low), farther)
            return g("Min", g("Max", median, g("Sub", self.low, room)), g("Add", self.high, room))


def again(graph: Graph, known: Known, season: int, *, length: int, horizon: int, back: int = 1) -> Known:
    """Return a season of windows, `[N, T]`, again and again, `[N, H]`, the first, second, … from the end."""
    places = length - back * season + np.arange(horizon) % max(season, 1)
    inside = (places >= 0) & (places < length) & (season > 0)
    places = np.clip(places, 0, length - 1)
    mask = graph("And", graph.take(known.mask, places, 1), inside[None])
    return Known(graph("Where", mask, graph.take(known.values, places, 1), ZERO), mask)


def _straightness(graph: Graph, known: Known, contexts: str, season: int, *, length: int, first: int) -> str:
    """Return which share of the spread of its seasons' means a line explains, of each window `[N, 1]`."""
    g, count = graph, length // season
    if count < 3:
        return g("Mul", contexts, ZERO)
    # Of a window that is read with fewer steps only the whole seasons of these count.
    own = g("Floor", g("Div", g("Add", contexts, np.float64(first)), np.float64(season)))
    inside = g("Less", np.arange(length, dtype=np.float64)[None, ::-1], g("Mul", own, np.float64(season)))
    parts = (known.values, g("And", known.mask, inside))
    values, mask = (g.reshape(g.cut(each, 1, length - count * season), (0, count, season)) for each in parts)
    found = mean_of_known(g, Known(values, mask), 2)
    seasons, there = g.squeeze(found.filled(g), 2), g.cast(g.squeeze(found.mask, 2), np.float64)
    many = g.total(there, 1, keep=True)
    at_least_one = g("Max", many, ONE)
    numbers = np.arange(count, dtype=np.float64)[None]

    def centred(line: str) -> str:
        mean = g("Div", g.total(g("Mul", there, line), 1, keep=True), at_least_one)
        return g("Sub", line, mean)

    place, off = centred(g.value(numbers)), centred(seasons)
    mixed, places, offs = (
        g.total(g("Mul", there, g("Mul", one, other)), 1, keep=True)
        for one, other in ((place, off), (place, place), (off, off))
    )
    product = g("Max", g("Mul", places, offs), np.float64(np.finfo(float).tiny))
    squared = g("Div", g("Mul", mixed, mixed), product)
    freedom = g("Div", g("Sub", at_least_one, ONE), g("Max", g("Sub", at_least_one, np.float64(2)), ONE))
    explained = g("Sub", ONE, g("Mul", g("Sub", ONE, squared), freedom))
    enough = g("Greater", at_least_one, np.float64(2))
    return g("Min", g("Max", g("Where", enough, explained, ZERO), ZERO), ONE)
