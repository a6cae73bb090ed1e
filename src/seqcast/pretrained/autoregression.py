"""What an autoregression says of windows: cycles go on, those of the season and those whose length nobody tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import forward_fill
from seqcast.pretrained.simple_forecasts import FARTHEST, RECENT, SimpleForecasts, checks_of
from seqcast.runtime import one_blas_thread

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# The nearest lags; and those this near to a season and to two of them, where a window has so many values for each lag.
NEAR, AROUND, MULTIPLES, VALUES_A_LAG = 12, 2, (1, 2), 16
# Coefficients are held back as in a window of at most so many values.
HELD_BACK = 20
# Of the coefficients, held back as they are, so many count as fitted.
FITTED = 8
# The least penalty, so that where nothing varies all coefficients are where they are without data.
LEAST_PENALTY = 1e-9


def autoregressed(values: Array, season: Integers, longer: Integers, horizon: int) -> SimpleForecasts:
    r"""Fit an autoregression to each window and continue it.

    .. math:: y_t - μ = \sum_k a_k (y_{t-k} - μ), \quad
        \min_a \sum_t ε_t^2 + v \min(1, 20 / n)^{1.5} \sum_k (a_k - a^0_k)^2

    `μ` is the mean of the window, `n` the number of steps that it is fitted to, and `v` the mean sum of squares of a
    lag. The lags are those of `lags_of`. Without data the forecast would be the last season, `a⁰ = 1` at its lag, where
    there are lags around it, and the mean elsewhere. A missing value is taken as the last known one. Errors are taken
    to be larger by Akaike's final prediction error, with eight coefficients.

    Args:
        values: The known values in the windows' own units, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        horizon: Number of future steps, `H`.

    Returns:
        Forecasts of one model.

    Example:
        >>> wave = np.sin(np.arange(60.0) / 3)[None]
        >>> ahead = np.sin(np.arange(60.0, 64.0) / 3)
        >>> found = autoregressed(wave, np.array([1]), np.array([0]), 4)
        >>> bool(np.abs(found.forecasts[0, :, 0] - ahead).max() < 0.05)
        True

    Source: Akaike 1969, "Fitting autoregressive models for prediction"; Hoerl and Kennard 1970, "Ridge regression".
    """
    counts = (~np.isnan(values)).sum(axis=1).tolist()
    alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for row, (count, steps, more) in enumerate(zip(counts, season.tolist(), longer.tolist(), strict=True)):
        lags = lags_of(count, steps, more)
        alike.setdefault((lags, 0 if len(lags) == NEAR else steps), []).append(row)
    whole = SimpleForecasts.unknown(len(values), values.shape[1], horizon, 1)
    for (lags, repeated), found in alike.items():
        rows = np.array(found)
        whole.put(rows, _of_lags(values[rows], np.array(lags), repeated, horizon))
    return whole


def lags_of(count: int, season: int, longer: int) -> tuple[int, ...]:
    """Return the lags of a window: the nearest ones, and those around the seasons for which there are values enough.

    Args:
        count: Number of known values.
        season: Steps of the season; 1 is none.
        longer: Steps of a season that contains it; 0 is none.

    Example:
        >>> lags_of(1000, season=24, longer=0)[12:]
        (22, 23, 24, 25, 26, 46, 47, 48, 49, 50)
        >>> lags_of(100, season=24, longer=0) == tuple(range(1, 13))
        True
    """
    lags = set(range(1, NEAR + 1))
    for center in [steps * times for steps in (season, longer) if steps > 1 for times in MULTIPLES]:
        more = lags | {center + off for off in range(-AROUND, AROUND + 1) if center + off > 0}
        if 2 * (center + AROUND) <= count and VALUES_A_LAG * len(more) <= count:
            lags = more
    return tuple(sorted(lags))


def _of_lags(values: Array, lags: Integers, repeated: int, horizon: int) -> SimpleForecasts:
    """Return what an autoregression of these lags says; `repeated` is the lag that it repeats without data, 0 none."""
    rows, length = values.shape
    known, farthest = ~np.isnan(values), int(lags[-1])
    begun, count = np.logical_or.accumulate(known, axis=1), known.sum(axis=1)
    filled = forward_fill(values[:, :, None])[:, :, 0]
    mean = filled.sum(axis=1, where=begun, keepdims=True) / np.maximum(begun.sum(axis=1, keepdims=True), 1)
    centred = np.where(begun, filled - mean, 0.0)
    lagged = np.concatenate([np.zeros((rows, farthest)), centred], axis=1)
    before = np.stack([lagged[:, farthest - lag : farthest - lag + length] for lag in lags], axis=2)
    # Steps count that have enough before them: all lags, or a third of a short window's values.
    first = np.argmax(begun, axis=1) + np.clip(count // 3, 1, farthest)
    fitted = begun & (np.arange(length) >= first[:, None])
    coefficients = _coefficients(centred, before, fitted, (lags == repeated).astype(float))
    # The last steps of the past are forecast from where they begin, all as far as the future is.
    checks = checks_of(length)
    ends = {length: horizon, **{length - steps: steps for steps in checks}}
    found = _continued(lagged, coefficients, lags, ends)
    checked = {
        steps: np.where(count[:, None] >= 2 * steps, found[length - steps] + mean, np.nan)[:, :, None]
        for steps in checks
    }
    ahead = np.einsum("btk,bk->bt", before[:, -RECENT:], coefficients)[:, :, None] + mean[:, :, None]
    optimism = np.sqrt((count + FITTED) / np.maximum(count - FITTED, 1))
    return SimpleForecasts((found[length] + mean)[:, :, None], ahead, checked, optimism[:, None])


def _continued(lagged: Array, coefficients: Array, lags: Integers, ends: dict[int, int]) -> dict[int, Array]:
    """Return windows continued from several places on, `[B, steps]`, by the place.

    Args:
        lagged: The values less their mean, after as many zeros as the farthest lag, `[B, lag + T]`.
        coefficients: Those of each window, `[B, lags]`.
        lags: The lags.
        ends: By the number of values that are known: how many steps to continue.
    """
    rows, farthest, most = len(lagged), int(lags[-1]), max(ends.values())
    # Those with most steps stand first, so that a step is one product for all that have not ended.
    order = sorted(ends, key=lambda end: -ends[end])
    line = np.zeros((len(order), rows, farthest + most))
    line[:, :, :farthest] = np.stack([lagged[:, end : end + farthest] for end in order])
    for step in range(most):
        going = sum(ends[end] > step for end in order)
        newest = line[:going, :, step + farthest - lags]
        line[:going, :, step + farthest] = np.clip(np.einsum("erk,rk->er", newest, coefficients), -FARTHEST, FARTHEST)
    return {end: line[place, :, farthest : farthest + ends[end]] for place, end in enumerate(order)}


def _coefficients(centred: Array, before: Array, fitted: npt.NDArray[np.bool_], at_first: Array) -> Array:
    """Return the coefficients of each window, `[B, lags]`; `at_first` are those without data, `[lags]`."""
    count = before.shape[2]
    weighted = np.where(fitted[:, :, None], before, 0.0).swapaxes(1, 2)
    shrunk = np.minimum(1.0, HELD_BACK / np.maximum(fitted.sum(axis=1), 1)) ** 1.5
    with one_blas_thread():
        products, sides = np.matmul(weighted, before), np.matmul(weighted, centred[:, :, None])
        size = np.trace(products, axis1=1, axis2=2) / count
        penalty = (size * shrunk + LEAST_PENALTY)[:, None, None]
        whole = products + penalty * np.eye(count)
        return np.asarray(np.linalg.solve(whole, sides + penalty * at_first[:, None])[:, :, 0])
