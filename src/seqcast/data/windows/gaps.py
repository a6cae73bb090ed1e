"""Filling of missing values in windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fill_both_ways", "fill_gaps", "forward_fill"]

Array = npt.NDArray[Any]


def forward_fill(values: Array) -> Array:
    """Return values with gaps filled by the last observed one, and by zeros before the first one, `[B, T, F]`.

    Example:
        >>> forward_fill(np.array([[[np.nan], [2.0], [np.nan]]])).ravel().tolist()
        [0.0, 2.0, 2.0]
    """
    return fill_gaps(values)[0] if np.isnan(values).any() else values


def fill_gaps(past: Array) -> tuple[Array, Array]:
    """Return values with gaps filled by the last observed one, and the observed indicator.

    Args:
        past: Values, `[B, T, F]`; NaN is missing.

    Returns:
        The values, with zeros before the first observed one, and the indicator, 1 where a value was observed; both
        `[B, T, F]`.

    Example:
        >>> filled, observed = fill_gaps(np.array([[[np.nan], [2.0], [np.nan]]]))
        >>> filled.ravel().tolist(), observed.ravel().tolist()
        ([0.0, 2.0, 2.0], [0.0, 1.0, 0.0])
    """
    observed = ~np.isnan(past)
    steps = np.arange(past.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(observed, steps, -1), axis=1)
    values = np.take_along_axis(past, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, values, 0.0).astype(past.dtype), observed.astype(past.dtype)


def fill_both_ways(past: Array) -> Array:
    """Return values with gaps filled by the last observed one, or before it by the first one, `[B, T, F]`.

    It is for networks without an observed channel.

    Example:
        >>> fill_both_ways(np.array([[[np.nan], [2.0], [np.nan]]])).ravel().tolist()
        [2.0, 2.0, 2.0]
    """
    if not np.isnan(past).any():
        return past
    filled, observed = fill_gaps(past)
    first = np.argmax(observed, axis=1)[:, None, :]
    before = np.arange(past.shape[1])[None, :, None] < first
    return np.where(before, np.take_along_axis(filled, first, axis=1), filled)
