"""Segments of steps and blocks of segments: tokens, and horizons longer than the trained one.

A token lists the steps of its segment one after the other, each with all features, so a long window
is a short sequence. Pasts are lengthened to whole segments on the left, so that segments end where
the past ends; futures are lengthened on the right.

A decoder with a limited number of tokens writes a longer horizon block by block. A block is as long
as the trained horizon. The encoder reads the block's forecasts as past, in whole segments, and the
next block is written from the state after them. If the trained horizon is no multiple of the
segment, the next block forecasts the steps of the last, incomplete segment again. The first
forecast of a step is used: a shorter horizon is always the beginning of a longer one.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TypeVar

import numpy as np

from seqcast.runtime import Tensor, ops

States = TypeVar("States")


def token_count(steps: Tensor, segment: int) -> Tensor:
    """Return the number of tokens of some steps; the first or the last token may be incomplete.

    Args:
        steps: Number of steps.
        segment: Steps of a token.

    Example:
        >>> token_count(6, 3), token_count(7, 3)
        (2, 3)
    """
    return -(-steps // segment)


def fold(x: Tensor, segment: int) -> Tensor:
    """Fold whole segments of steps into tokens, `[B, tokens · s, f]` into `[B, tokens, s · f]`.

    Args:
        x: The steps.
        segment: Steps of a token, `s`.

    Example:
        >>> ops.convert_to_numpy(fold(ops.reshape(ops.arange(8), (1, 4, 2)), 2)).tolist()
        [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    """
    if segment == 1:
        return x
    batch = ops.shape(x)[0]
    steps = ops.shape(x)[1]
    return ops.reshape(x, (batch, steps // segment, segment * x.shape[2]))


def unfold(x: Tensor, segment: int) -> Tensor:
    """Undo `fold`: `[B, tokens, s · f, …]` into `[B, tokens · s, f, …]`.

    Args:
        x: The tokens.
        segment: Steps of a token, `s`.
    """
    if segment == 1:
        return x
    batch = ops.shape(x)[0]
    tokens = ops.shape(x)[1]
    return ops.reshape(x, (batch, tokens * segment, x.shape[2] // segment, *x.shape[3:]))


def whole_on_left(x: Tensor, segment: int, *, repeat: bool = False) -> Tensor:
    """Lengthen a past, `[B, T, f]`, to whole segments on the left.

    Args:
        x: The steps.
        segment: Steps of a segment.
        repeat: Whether the first step is repeated; otherwise zeros are put before it.

    Example:
        >>> past = ops.reshape(ops.arange(1, 6), (1, 5, 1))
        >>> [int(step) for step in whole_on_left(past, 3)[0, :, 0]]
        [0, 1, 2, 3, 4, 5]
    """
    if segment == 1:
        return x
    first = x[:, :1] if repeat else ops.zeros_like(x[:, :1])
    longer = ops.concatenate([ops.repeat(first, segment - 1, axis=1), x], axis=1)
    # Pad and cut: the number of missing steps may be known only at run time, and no padding of that
    # size exists.
    return longer[:, (ops.shape(x)[1] + segment - 1) % segment :]


def whole_on_right(x: Tensor, segment: int) -> Tensor:
    """Lengthen a future, `[B, H, f]`, to whole segments by repeating its last step.

    Args:
        x: The steps.
        segment: Steps of a segment.
    """
    if segment == 1:
        return x
    longer = ops.concatenate([x, ops.repeat(x[:, -1:], segment - 1, axis=1)], axis=1)
    return longer[:, : token_count(ops.shape(x)[1], segment) * segment]


def write_in_blocks(
    decode: Callable[[States, int, int], tuple[Tensor, Tensor | None]],
    append: Callable[[States, Tensor], States],
    states: States,
    *,
    horizon: int,
    trained: int,
    segment: int,
) -> tuple[Tensor, Tensor | None]:
    """Write a forecast block by block.

    Args:
        decode: Takes states, the number of steps before the block, and that of the block. Returns
            the block's forecast, `[B, steps, …]`, and the attention's weights or `None`.
        append: Takes states and a forecast of whole segments. Returns the states after it.
        states: The states after the past.
        horizon: Number of steps.
        trained: The trained horizon, the longest block.
        segment: Steps of a token.

    Returns:
        The forecast, `[B, H, …]`, and the attention's weights, `[B, H, memory]`, zero for steps
        that entered the memory after the block; or `None`.

    Example:
        >>> def count(last, start, steps):
        ...     return last + ops.reshape(ops.arange(1, steps + 1), (1, -1)), None
        >>> def last_of(last, forecast):
        ...     return forecast[:, -1:]
        >>> forecast, _ = write_in_blocks(count, last_of, 7, horizon=5, trained=3, segment=2)
        >>> [int(value) for value in forecast[0]]
        [8, 9, 10, 11, 12]
    """
    forecast, weights = decode(states, 0, min(trained, horizon))
    attention = [weights]
    for before, start, stop, end in later_blocks(horizon, trained, segment):
        states = append(states, forecast[:, before:start])
        block, weights = decode(states, start, stop - start)
        forecast = _library(block).concatenate([forecast, block[:, end - start :]], axis=1)
        attention.append(None if weights is None else weights[:, end - start :])
    return forecast, _joined(attention)


def later_blocks(horizon: int, trained: int, segment: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the bounds of each block after the first, which begins with a whole token.

    Args:
        horizon: Number of steps.
        trained: The trained horizon, the longest block.
        segment: Steps of a token.

    Yields:
        The start of the block before, the start and the stop of the block, and the end of the
        forecast written so far.

    Example:
        >>> list(later_blocks(5, trained=3, segment=2))
        [(0, 2, 5, 3)]
    """
    before = 0
    end = min(trained, horizon)
    while end < horizon:
        start = end // segment * segment
        stop = min(start + trained, horizon)
        yield before, start, stop, end
        before = start
        end = stop


def _joined(attention: list[Tensor | None]) -> Tensor | None:
    """Join the blocks' attention over memories of growing length."""
    blocks = [weights for weights in attention if weights is not None]
    if not blocks:
        return None

    longest = blocks[-1].shape[2]
    library = _library(blocks[0])
    padded = [
        library.pad(weights, ((0, 0), (0, 0), (0, longest - weights.shape[2])))
        for weights in blocks
    ]
    return library.concatenate(padded, axis=1)


def _library(x: Tensor) -> ModuleType:
    """Return NumPy for its arrays, otherwise `keras.ops`."""
    # For arrays of NumPy, JAX would compile a program for each length.
    return np if isinstance(x, np.ndarray) else ops
