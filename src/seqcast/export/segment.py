"""Segments: steps folded into tokens, see `seqcast.network.segment`."""

from __future__ import annotations

import numpy as np

from seqcast.export.graph import Graph


def token_count(graph: Graph, steps: int | str, segment: int) -> int | str:
    """Return how many tokens so many steps fill; a number, or a value `[1]`."""
    if isinstance(steps, int):
        return -(-steps // segment)
    if segment == 1:
        return steps
    return graph("Div", graph("Add", steps, np.array([segment - 1], np.int64)), np.array([segment], np.int64))


def fold(graph: Graph, x: str, segment: int, width: int) -> str:
    """Fold whole segments of steps into tokens, `[B, tokens · s, f]` into `[B, tokens, s · f]`."""
    return x if segment == 1 else graph.reshape(x, (0, -1, segment * width))


def unfold(graph: Graph, x: str, segment: int, width: int, parts: int) -> str:
    """Undo `fold` of `[B, tokens, s · f, parts]`."""
    return x if segment == 1 else graph.reshape(x, (0, -1, width, parts))


def whole_on_left(graph: Graph, x: str, segment: int, *, repeat: bool, steps: int | None) -> str:
    """Lengthen a past, `[B, T, f]`, to whole segments on the left.

    Args:
        graph: The graph.
        x: Steps.
        segment: Steps of a segment.
        repeat: Whether the first step is repeated; otherwise zeros are put before it.
        steps: Their number, where it is known.
    """
    if segment == 1 or (steps is not None and steps % segment == 0):
        return x
    first = graph.cut(x, 1, 0, 1)
    if not repeat:
        first = graph("Mul", first, np.float32(0))
    if steps is not None:
        return graph.concat([first] * (-steps % segment) + [x], 1)
    size = graph(
        "Mod", graph("Add", graph.size(x, 1), np.array([segment - 1], np.int64)), np.array([segment], np.int64)
    )
    return graph.cut(graph.concat([first] * (segment - 1) + [x], 1), 1, size)


def whole_on_right(graph: Graph, x: str, segment: int, steps: int | str) -> str:
    """Lengthen a future, `[B, H, f]`, to whole segments by repeating its last step."""
    if segment == 1 or (isinstance(steps, int) and steps % segment == 0):
        return x
    last = graph.cut(x, 1, -1)
    if isinstance(steps, int):
        return graph.concat([x] + [last] * (-steps % segment), 1)
    tokens = token_count(graph, steps, segment)
    assert isinstance(tokens, str)
    whole = graph("Mul", tokens, np.array([segment], np.int64))
    return graph.cut(graph.concat([x] + [last] * (segment - 1), 1), 1, 0, whole)
