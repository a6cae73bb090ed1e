"""Normalisation of each window by itself, see `seqcast.network.normalise`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqcast.export.graph import Graph
from seqcast.network import LEAST_MEAN, LEAST_VARIANCE, InstanceNormaliser, Normaliser

ONE, ZERO = np.float32(1), np.float32(0)


@dataclass(frozen=True)
class Statistics:
    """What a normaliser subtracts and divides by.

    Args:
        loc: Subtracted, `[B, D]`; `None` is 0.
        scale: Divisor, `[B, D]`; `None` is 1.
    """

    loc: str | None = None
    scale: str | None = None


class Normalisation:
    """What a normaliser takes from the target columns of a window, and gives back.

    Args:
        graph: The graph.
        normaliser: The normaliser.
        name: Its name in a `NetworkSpec`.
    """

    def __init__(self, graph: Graph, normaliser: Normaliser, name: str) -> None:
        self.graph, self.normaliser, self.name = graph, normaliser, name
        self.features = len(normaliser.untouched)

    def targets(self, past: str) -> str:
        """Return the target columns of `[B, T, F]`, `[B, T, D]`."""
        columns = self.normaliser.target_features
        whole = columns == list(range(self.features))
        return past if whole else self.graph.take(past, columns, 2)

    def statistics(self, past: str, observed: str | None) -> Statistics:
        """Return each window's loc and scale.

        Args:
            past: The past, `[B, T, F]`.
            observed: 1 where a value was observed, `[B, T, F]`; `None` where all were.
        """
        g = self.graph
        if self.name == "none":
            return Statistics()
        with g.scope("normalise"):
            values = self.targets(past)
            weight = None if observed is None else self.targets(observed)
            if self.name == "last":
                return Statistics(g.squeeze(g.cut(values, 1, -1), 1))
            if self.name == "level":
                return Statistics(self._level(values, weight))
            if self.name == "scale":
                mean = self._mean(g("Abs", values), weight)
                return Statistics(None, g("Where", g("Greater", mean, np.float32(LEAST_MEAN)), mean, ONE))
            mean = self._mean(values, weight)
            off = g("Sub", values, g.unsqueeze(mean, 1))
            variance = self._mean(g("Mul", off, off), weight)
            root = g("Sqrt", g("Add", variance, np.float32(LEAST_VARIANCE)))
            deviation = g("Add", root, np.float32(InstanceNormaliser.epsilon))
            return Statistics(self._level(values, weight) if self.name == "recent" else mean, deviation)

    def apply(self, past: str, statistics: Statistics) -> str:
        """Normalise the target columns of the past, `[B, T, F]`."""
        g = self.graph
        with g.scope("normalise"):
            if statistics.loc is not None:
                past = g("Sub", past, g.unsqueeze(self.placed(statistics.loc), 1))
            if statistics.scale is None:
                return past
            divisor = self.placed(statistics.scale)
            if self.features > len(self.normaliser.target_features):
                divisor = g("Add", divisor, self.normaliser.untouched)
            return g("Div", past, g.unsqueeze(divisor, 1))

    def restored(self, values: str, statistics: Statistics, axes: int) -> str:
        """Give back what was taken.

        Args:
            values: Normalised values of the targets, `[B, n, D]` with further axes.
            statistics: What was taken.
            axes: Number of the further axes.
        """
        g = self.graph
        along = (1, *range(3, 3 + axes))
        if statistics.scale is not None:
            values = g("Mul", values, g.unsqueeze(statistics.scale, *along))
        return values if statistics.loc is None else g("Add", values, g.unsqueeze(statistics.loc, *along))

    def placed(self, targets: str) -> str:
        """Return values of the targets, `[..., D]`, in their columns, `[..., F]`, and zeros in the others."""
        if np.array_equal(self.normaliser.place, np.eye(self.features)):
            return targets
        return self.graph("MatMul", targets, self.normaliser.place)

    def _mean(self, values: str, weight: str | None) -> str:
        """Return the mean of what was observed along the steps, `[B, D]`."""
        g = self.graph
        if weight is None:
            return g("ReduceMean", values, axes=[1], keepdims=0)
        count = g("Max", g.total(weight, 1), ONE)
        return g("Div", g.total(g("Mul", weight, values), 1), count)

    def _level(self, values: str, weight: str | None) -> str:
        """Return the mean of what was observed in the last token, or else the last value, `[B, D]`."""
        g, segment = self.graph, self.normaliser.segment
        token = g.cut(values, 1, -segment)
        if weight is None:
            return self._mean(token, None)
        weight = g.cut(weight, 1, -segment)
        last = g.squeeze(g.cut(token, 1, -1), 1)
        return g("Where", g("Greater", g.total(weight, 1), ZERO), self._mean(token, weight), last)
