"""What an autoregression says of windows: cycles whose length nobody tells go on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import forward_fill
from seqcast.pretrained.simple_forecasts import CHECKS, FARTHEST, SimpleForecasts

Array = npt.NDArray[np.float64]

LAGS = 12
# Coefficients are held back as in a window of at most so many values.
HELD_BACK = 20
# Of the twelve coefficients, held back as they are, so many count as fitted.
FITTED = 8
# The least penalty, so that where nothing varies all coefficients are 0.
LEAST_PENALTY = 1e-9


def autoregressed(values: Array, horizon: int) -> SimpleForecasts:
    r"""Fit an autoregression to each window and continue it.

    .. math:: y_t - μ = \sum_{k=1}^{12} a_k (y_{t-k} - μ), \quad
        \min_a \sum_t ε_t^2 + v \min(1, 20 / n) \sum_k \tfrac{k}{12} a_k^2

    `μ` is the mean of the window, `n` the number of steps that it is fitted to, and `v` the mean sum of squares of a
    lag. So short windows have small coefficients, those of far lags first. A missing value is taken as the last known
    one. Errors are taken to be larger by Akaike's final prediction error, with eight coefficients.

    Args:
        values: The known values in the windows' own units, `[B, T]`; NaN is missing.
        horizon: Number of future steps, `H`.

    Returns:
        Forecasts of one model.

    Example:
        >>> wave = np.sin(np.arange(60.0) / 3)[None]
        >>> ahead = np.sin(np.arange(60.0, 64.0) / 3)
        >>> bool(np.abs(autoregressed(wave, 4).forecasts[0, :, 0] - ahead).max() < 0.05)
        True

    Source: Akaike 1969, "Fitting autoregressive models for prediction"; Hoerl and Kennard 1970, "Ridge regression".
    """
    rows, length = values.shape
    known = ~np.isnan(values)
    begun, count = np.logical_or.accumulate(known, axis=1), known.sum(axis=1)
    filled = forward_fill(values[:, :, None])[:, :, 0]
    mean = filled.sum(axis=1, where=begun, keepdims=True) / np.maximum(begun.sum(axis=1, keepdims=True), 1)
    centred = np.where(begun, filled - mean, 0.0)
    lagged = np.concatenate([np.zeros((rows, LAGS)), centred], axis=1)
    # The newest lag first.
    before = np.lib.stride_tricks.sliding_window_view(lagged, LAGS, axis=1)[:, :length, ::-1]
    # Steps count that have enough before them: all lags, or a third of a short window's values.
    first = np.argmax(begun, axis=1) + np.clip(count // 3, 1, LAGS)
    coefficients = _coefficients(centred, before, begun & (np.arange(length) >= first[:, None]))

    def continued(end: int, steps: int) -> Array:
        line = np.concatenate([lagged[:, end : end + LAGS], np.zeros((rows, steps))], axis=1)
        for step in range(steps):
            newest_first = line[:, step : step + LAGS][:, ::-1]
            line[:, step + LAGS] = np.clip((newest_first * coefficients).sum(axis=1), -FARTHEST, FARTHEST)
        return np.asarray((line[:, LAGS:] + mean)[:, :, None])

    checks = {steps: np.full((rows, steps, 1), np.nan) for steps in CHECKS}
    for steps, forecast in checks.items():
        checked = count >= 2 * steps
        if checked.any():
            forecast[checked] = continued(length - steps, steps)[checked]
    ahead = np.matmul(before, coefficients[:, :, None]) + mean[:, :, None]
    optimism = np.sqrt((count + FITTED) / np.maximum(count - FITTED, 1))
    return SimpleForecasts(continued(length, horizon), ahead, checks, optimism[:, None])


def _coefficients(centred: Array, before: Array, fitted: npt.NDArray[np.bool_]) -> Array:
    """Return the coefficients of each window, `[B, lags]`."""
    weighted = np.where(fitted[:, :, None], before, 0.0).swapaxes(1, 2)
    products, sides = np.matmul(weighted, before), np.matmul(weighted, centred[:, :, None])
    size = np.trace(products, axis1=1, axis2=2) / LAGS
    shrunk = np.minimum(1.0, HELD_BACK / np.maximum(fitted.sum(axis=1), 1))
    penalty = (size * shrunk)[:, None] * np.arange(1, LAGS + 1) / LAGS
    products = products + np.einsum("bp,pq->bpq", penalty + LEAST_PENALTY, np.eye(LAGS))
    return np.asarray(np.linalg.solve(products, sides)[:, :, 0])
