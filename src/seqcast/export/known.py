"""Values some of which are missing: a value and a mask travel together, since NaN does not survive all operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcast.export.graph import ONE, ZERO, Graph


@dataclass(frozen=True)
class Known:
    """Values, and which of them are known.

    Args:
        values: Numbers in double precision, finite where they are missing too.
        mask: Which are known; its shape broadcasts to that of the values.
    """

    values: str
    mask: str

    def filled(self, graph: Graph, other: str | np.float64 = ZERO) -> str:
        """Return the values, and another value where they are missing."""
        return graph("Where", self.mask, self.values, other)


def mean_of_known(graph: Graph, known: Known, axis: int = 1) -> Known:
    """Return the mean of the known values along an axis, which is kept; it is known where one of them is."""
    weight = graph.cast(known.mask, np.float64)
    count = graph.total(weight, axis, keep=True)
    total = graph.total(known.filled(graph), axis, keep=True)
    mean = graph("Div", total, graph("Max", count, ONE))
    return Known(mean, graph("Greater", count, ZERO))


def either(graph: Graph, first: Known, second: Known) -> Known:
    """Return the first values where they are known, and the second elsewhere."""
    return Known(first.filled(graph, second.values), graph("Or", first.mask, second.mask))


def join(graph: Graph, parts: Sequence[Known], axis: int) -> Known:
    """Join values along an axis."""
    return Known(*(graph.concat([getattr(part, name) for part in parts], axis) for name in ("values", "mask")))


def clip(graph: Graph, values: str, low: float, high: float) -> str:
    """Return values within bounds."""
    return graph("Min", graph("Max", values, np.float64(low)), np.float64(high))
