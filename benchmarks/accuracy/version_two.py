"""The base that version 2 of the pretrained network corrected, by which later versions are measured.

It read the last 512 steps, knew no week of quarter-hours, weighed its models by errors over all of them and over the
last 4 to 64 steps, had nine sets of gains, and its autoregression had twelve lags and no season.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqcast.data.synthetic import Season
from seqcast.data.windows import forward_fill
from seqcast.pretrained.seasonal_base import (
    FEW,
    GAINS,
    LONGER_GAINS,
    both_ways,
    units_of,
    weights_by_errors,
)
from seqcast.pretrained.simple_forecasts import FARTHEST, SimpleForecasts, checks_of, zero_if_unknown
from seqcast.pretrained.smoothing import Gains, smoothed

CONTEXT, LONGEST_CHECK, LAGS, HELD_BACK, FITTED = 512, 64, 12, 20, 8
# Sets of gains that it had, the first ones of today's.
SETS = 9
WITHOUT_LONGER = 96


def base_of_version_two(past: np.ndarray, season_length: int, horizon: int) -> np.ndarray:
    """Return its forecast, `[B, H]`.

    Args:
        past: The known values, `[B, T]`; NaN is missing.
        season_length: Steps of a season; 1 is none.
        horizon: Number of steps, `H`.
    """
    past, longer = past[:, -CONTEXT:], Season.of(season_length).longer or 0
    season = np.full(len(past), season_length)
    loc, scale = units_of(past, season)
    of_lags = both_ways(past, season, lambda values, _: _autoregressed(values, horizon))
    models = [_smoothed(past, season, horizon, GAINS[:SETS]), of_lags]
    of_longer = SimpleForecasts.unknown(len(past), past.shape[1], horizon, 2 * len(LONGER_GAINS))
    rows = np.flatnonzero(2 * longer <= (~np.isnan(past)).sum(axis=1))
    if longer and season_length != WITHOUT_LONGER and len(rows):
        told = np.full(len(rows), longer)
        found = _smoothed(past[rows], told, horizon, LONGER_GAINS)
        own_loc, own_scale = (each[:, :, None] for each in units_of(past[rows], told))
        to_loc, to_scale = loc[rows, :, None], scale[rows, :, None]
        of_longer.put(rows, found.mapped(lambda part: (part * own_scale + own_loc - to_loc) / to_scale))
    said = SimpleForecasts.concat([*models, of_longer])
    values = np.clip((past - loc) / scale, -FARTHEST, FARTHEST)
    checks = said.check_errors(values)
    checks[sum(steps <= LONGEST_CHECK for steps in said.checks) :] = np.nan
    weights = weights_by_errors(said.errors(values), checks)
    few = (~np.isnan(past)).sum(axis=1, keepdims=True) < FEW
    mean = np.einsum("bhk,bk->bh", zero_if_unknown(said.forecasts), np.where(few, 0.0, weights))
    return np.asarray(mean * scale + loc)


def _smoothed(past: np.ndarray, season: np.ndarray, horizon: int, gains: Gains) -> SimpleForecasts:
    """Return what smoothings say, whose errors it took as they are; trends of logarithms went on."""
    found = both_ways(past, season, lambda values, rows: smoothed(values, season[rows], horizon, gains))
    return replace(found, optimism=np.ones_like(found.optimism))


def _autoregressed(values: np.ndarray, horizon: int) -> SimpleForecasts:
    rows, length = values.shape
    known = ~np.isnan(values)
    begun, count = np.logical_or.accumulate(known, axis=1), known.sum(axis=1)
    filled = forward_fill(values[:, :, None])[:, :, 0]
    mean = filled.sum(axis=1, where=begun, keepdims=True) / np.maximum(begun.sum(axis=1, keepdims=True), 1)
    centred = np.where(begun, filled - mean, 0.0)
    lagged = np.concatenate([np.zeros((rows, LAGS)), centred], axis=1)
    before = np.lib.stride_tricks.sliding_window_view(lagged, LAGS, axis=1)[:, :length, ::-1]
    first = np.argmax(begun, axis=1) + np.clip(count // 3, 1, LAGS)
    fitted = begun & (np.arange(length) >= first[:, None])
    weighted = np.where(fitted[:, :, None], before, 0.0).swapaxes(1, 2)
    products, sides = np.matmul(weighted, before), np.matmul(weighted, centred[:, :, None])
    size = np.trace(products, axis1=1, axis2=2) / LAGS
    shrunk = np.minimum(1.0, HELD_BACK / np.maximum(fitted.sum(axis=1), 1))
    penalty = (size * shrunk)[:, None] * np.arange(1, LAGS + 1) / LAGS + 1e-9
    coefficients = np.linalg.solve(products + np.einsum("bp,pq->bpq", penalty, np.eye(LAGS)), sides)[:, :, 0]

    def continued(end: int, steps: int) -> np.ndarray:
        line = np.concatenate([lagged[:, end : end + LAGS], np.zeros((rows, steps))], axis=1)
        for step in range(steps):
            newest_first = line[:, step : step + LAGS][:, ::-1]
            line[:, step + LAGS] = np.clip((newest_first * coefficients).sum(axis=1), -FARTHEST, FARTHEST)
        return np.asarray((line[:, LAGS:] + mean)[:, :, None])

    checks = {
        steps: np.where(count[:, None, None] >= 2 * steps, continued(length - steps, steps), np.nan)
        for steps in checks_of(length)
    }
    ahead = np.matmul(before, coefficients[:, :, None]) + mean[:, :, None]
    optimism = np.sqrt((count + FITTED) / np.maximum(count - FITTED, 1))
    return SimpleForecasts(continued(length, horizon), ahead, checks, optimism[:, None])
