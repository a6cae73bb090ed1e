"""Horizons longer than the trained one, for decoders that know the trained number of tokens only.

A block is as long as the trained horizon. Its own forecasts are then read as past, by whole segments, and the next
block is written from the state after them. Where the trained horizon is no multiple of the segment, the steps of its
last, incomplete segment are forecast again by the next block, and the first forecast of a step is the one that stands:
so a shorter horizon is always the beginning of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seqcast.runtime import keras

Tensor = Any
ops = keras.ops


def write_in_blocks(
    decode: Callable[[Any, int, int], tuple[Tensor, Tensor | None]],
    append: Callable[[Any, Tensor], Any],
    states: Any,
    *,
    horizon: int,
    trained: int,
    segment: int,
) -> tuple[Tensor, Tensor | None]:
    """Write a forecast block by block.

    Args:
        decode: From states, the number of steps before the block, and its own number of steps, to the block's forecast,
            `[B, steps, …]`, and the attention's weights or `None`.
        append: From states and a forecast of whole segments to the states after it.
        states: The states after the past.
        horizon: Number of steps.
        trained: The trained horizon, the longest block.
        segment: Steps of a token.

    Returns:
        The forecast, `[B, H, …]`, and the attention's weights, `[B, H, memory]`, zero for what came into the memory
        after the block was written; or `None`.

    Example:
        >>> count = lambda last, start, steps: (last + keras.ops.reshape(keras.ops.arange(1, steps + 1), (1, -1)), None)
        >>> forecast, _ = write_in_blocks(count, lambda last, new: new[:, -1:], 7, horizon=5, trained=3, segment=2)
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
        Where the block before began, where it begins, where it stops, and up to where the forecast is written already.

    Example:
        >>> list(later_blocks(5, trained=3, segment=2))
        [(0, 2, 5, 3)]
    """
    before, end = 0, min(trained, horizon)
    while end < horizon:
        start = end // segment * segment
        stop = min(start + trained, horizon)
        yield before, start, stop, end
        before, end = start, stop


def _joined(attention: list[Tensor | None]) -> Tensor | None:
    """Join the blocks' attention over memories of growing length."""
    blocks = [weights for weights in attention if weights is not None]
    if not blocks:
        return None
    longest, library = blocks[-1].shape[2], _library(blocks[0])
    padded = [library.pad(weights, ((0, 0), (0, 0), (0, longest - weights.shape[2]))) for weights in blocks]
    return library.concatenate(padded, axis=1)


def _library(x: Tensor) -> Any:
    """Return NumPy for its arrays: outside of a program JAX would compile one for each length."""
    return np if isinstance(x, np.ndarray) else ops
