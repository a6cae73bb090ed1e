"""Random numbers for the rows of a batch, whether it is computed as a whole or in parts.

Where a batch is divided among cores each part draws for the whole batch and takes its own rows, so that the result
does not depend on how it was divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from seqcast.runtime import keras

Tensor = Any

_PART: ContextVar[tuple[int, Tensor] | None] = ContextVar("part", default=None)


@contextmanager
def part_of(batch: int, rows: Tensor) -> Iterator[None]:
    """Within this block, traced for a part of a batch, `draw_rows` returns the part's rows.

    Args:
        batch: Rows of the whole batch.
        rows: Indices of the part's rows.
    """
    token = _PART.set((batch, rows))
    try:
        yield
    finally:
        _PART.reset(token)


def draw_rows(draw: Callable[[Any], Tensor], batch: Any, *, axis: int = 0) -> Tensor:
    """Return random numbers for the rows at hand.

    Args:
        draw: Takes a number of rows and returns a tensor with so many along `axis`.
        batch: Number of rows at hand.
        axis: The axis of the rows.

    Example:
        >>> whole = draw_rows(lambda rows: keras.random.uniform((rows, 1), seed=1), 4)
        >>> with part_of(4, keras.ops.arange(2, 4)):
        ...     part = draw_rows(lambda rows: keras.random.uniform((rows, 1), seed=1), 2)
        >>> bool(keras.ops.all(whole[2:] == part))
        True
    """
    part = _PART.get()
    if part is None:
        return draw(batch)
    whole, rows = part
    return keras.ops.take(draw(whole), rows, axis=axis)


def dropped_rows(batch: Any, shape: tuple[int, ...], rate: float, seed: Any, dtype: Any) -> Tensor:
    """Draw a dropout mask, `[B, *shape]`: zeros, and `1 / (1 - rate)` for what is kept.

    Args:
        batch: Number of rows at hand, `B`.
        shape: Shape of a row.
        rate: Fraction dropped.
        seed: A `keras.random.SeedGenerator`.
        dtype: Type of the mask.

    Example:
        >>> mask = dropped_rows(1000, (2,), 0.5, keras.random.SeedGenerator(0), "float32")
        >>> sorted({float(value) for value in keras.ops.reshape(mask, (-1,))})
        [0.0, 2.0]
    """
    ones = keras.ops.ones
    return draw_rows(lambda rows: keras.random.dropout(ones((rows, *shape), dtype=dtype), rate, seed=seed), batch)
