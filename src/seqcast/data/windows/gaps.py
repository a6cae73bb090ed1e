"""Stretches of rows, and values for what is missing in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["cut", "fill_gaps", "forward_fill"]

Array = npt.NDArray[Any]


def cut(values: Array, starts: Array, stops: Array, lows: Array, highs: Array) -> Array:
    """Cut stretches of equal length out of rows, with NaN for what lies outside their series.

    Args:
        values: Rows of all series, `[rows, C]`.
        starts: First row of each stretch, `[B]`.
        stops: Row after its last, `[B]`.
        lows: First row of its series, `[B]`.
        highs: Row after the last of its series, `[B]`.

    Returns:
        The stretches, `[B, steps, C]`.

    Example:
        >>> cut(np.array([[1.0], [2.0]]), *(np.array([place]) for place in (-1, 2, 0, 2))).ravel()
        array([nan,  1.,  2.])
    """
    rows = starts[:, None] + np.arange(int(stops[0] - starts[0]) if len(starts) else 0)
    outside = (rows < lows[:, None]) | (rows >= highs[:, None])
    if not outside.any():
        return np.take(values, rows, axis=0)
    stretches = np.take(values, np.clip(rows, lows[:, None], highs[:, None] - 1), axis=0)
    stretches[outside] = np.nan
    return stretches


def forward_fill(values: Array) -> Array:
    """Carry the last value seen into gaps, with zeros before the first one, `[B, T, F]`.

    Example:
        >>> forward_fill(np.array([[[np.nan], [2.0], [np.nan]]])).ravel().tolist()
        [0.0, 2.0, 2.0]
    """
    return fill_gaps(values)[0] if np.isnan(values).any() else values


def fill_gaps(past: Array) -> tuple[Array, Array]:
    """Carry the last value seen into gaps, and mark what was seen.

    Args:
        past: Values, `[B, T, F]`; NaN is missing.

    Returns:
        The values, with zeros before the first one that was seen, and the indicator, 1 where a value was seen; both
        `[B, T, F]`.

    Example:
        >>> filled, seen = fill_gaps(np.array([[[np.nan], [2.0], [np.nan]]]))
        >>> filled.ravel().tolist(), seen.ravel().tolist()
        ([0.0, 2.0, 2.0], [0.0, 1.0, 0.0])
    """
    seen = ~np.isnan(past)
    steps = np.arange(past.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(seen, steps, -1), axis=1)
    forward_fill = np.take_along_axis(past, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, forward_fill, 0.0).astype(past.dtype), seen.astype(past.dtype)
