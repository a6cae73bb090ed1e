"""Linear systems of many rows at once, as operators; ONNX has none that solves them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqcast.export.graph import Graph


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


def solved_triangular(graph: Graph, matrix: str, sides: Sequence[str], size: int) -> list[str]:
    r"""Solve `(1 - P) x = b` for strictly lower triangular matrices.

    .. math:: x = (1 + P) (1 + P^2) (1 + P^4) \cdots b

    which ends, since powers of `P` from the size on are zero.

    Args:
        graph: The graph.
        matrix: `P`, `[…, n, n]`.
        sides: Some `b`, `[…, n, k]` each.
        size: `n`.

    Returns:
        The solution for each of these.
    """
    found = list(sides)
    for doubling in range((size - 1).bit_length()):
        if doubling:
            matrix = graph("MatMul", matrix, matrix)
        found = [graph("Add", each, graph("MatMul", matrix, each)) for each in found]
    return found
