"""Heads: from the decoder's output to a point and quantiles, in normalised units.

What is asked of a forecast, the parts, are a point and quantiles. Those of a quantile head are sums of its numbers,
those of a normal one `μ + σ z`, both with weights that are known when the file is written; so a head is a dense layer,
a softplus and a product. Units and season are added to all parts alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from seqcast.export.graph import Graph
from seqcast.network import LARGEST_LOGARITHM, SMALLEST_SCALE, Head, Quantiles, quantile_weights
from seqcast.runtime import to_numpy
from seqcast.specs import NetworkSpec

Array = npt.NDArray[Any]

# Those whose quantiles are sums of what the head writes.
HEADS = ("point", "quantile", "normal", "log_normal")


@dataclass(frozen=True)
class Parts:
    """What is asked of a forecast: a point, then quantiles.

    Args:
        point: `median` or `mean`.
        probabilities: Of the quantiles.

    Example:
        >>> len(Parts("median", (0.1, 0.9)))
        3
    """

    point: str = "median"
    probabilities: tuple[float, ...] = ()

    def __len__(self) -> int:
        return 1 + len(self.probabilities)


def head_parts(graph: Graph, head: Head, network: NetworkSpec, outputs: str, parts: Parts) -> str:
    """Return the parts of a forecast.

    Args:
        graph: The graph.
        head: The head.
        network: The network.
        outputs: Outputs of the decoder, `[B, tokens, n]`.
        parts: What is asked.

    Returns:
        The parts in normalised units, `[B, tokens, s · D, parts]`; of a point head there is one.
    """
    kernel, bias = (to_numpy(weight.value) for weight in (head.dense.kernel, head.dense.bias))
    with graph.scope("head"):
        if network.head == "point":
            return graph.unsqueeze(graph.dense(outputs, kernel, bias), 3)
        # A number of all targets comes after another; here those of a target stand together.
        order = np.arange(len(bias)).reshape(head.size, -1).T.ravel()
        numbers = graph.dense(outputs, kernel[:, order], bias[order])
        numbers = graph.reshape(numbers, (0, 0, -1, head.size))
        if network.head == "quantile":
            return _of_quantiles(graph, numbers, head.quantiles, parts)
        return _of_normal(graph, numbers, parts, logarithm=network.head == "log_normal")


def _of_quantiles(graph: Graph, numbers: str, quantiles: Sequence[float], parts: Parts) -> str:
    """Return parts that are sums of the median and of distances between neighbours."""
    middle, count = quantiles.index(0.5), len(quantiles)
    # What each number counts in each quantile, [numbers, quantiles].
    sums = np.zeros((count, count))
    sums[middle] = 1.0
    for place in range(count):
        if place > middle:
            sums[place, place:] = 1.0
        elif place < middle:
            sums[place, : place + 1] = -1.0
    of_point = quantile_weights(quantiles, np.array([0.5]))
    if parts.point == "mean":
        # The mean is a sum of quantiles, so that the means of unit vectors are its weights.
        of_point = Quantiles(tuple(quantiles)).mean(np.eye(count))[None]
    weights = np.concatenate([of_point, quantile_weights(quantiles, np.array(parts.probabilities))])
    distances = graph("Softplus", numbers)
    is_median = np.arange(count) == middle
    return graph("MatMul", graph("Where", is_median, numbers, distances), (sums @ weights.T).astype(np.float32))


def _of_normal(graph: Graph, numbers: str, parts: Parts, *, logarithm: bool) -> str:
    """Return `μ + σ z` for the `z` of each part, or its exponential."""
    location = graph.cut(numbers, 3, 0, 1)
    scale = graph("Add", graph("Softplus", graph.cut(numbers, 3, 1)), np.float32(SMALLEST_SCALE))
    z = special.ndtri(np.array([0.5, *parts.probabilities])).astype(np.float32)
    moved = graph("Add", location, graph("Mul", scale, z))
    if not logarithm:
        return moved
    if parts.point == "mean":
        half = graph("Mul", graph("Mul", scale, scale), np.float32(0.5))
        moved = graph.concat([graph("Add", location, half), *([graph.cut(moved, 3, 1)] if len(parts) > 1 else [])], 3)
    return graph("Exp", graph("Min", moved, np.float32(LARGEST_LOGARITHM)))
