"""Gaps: filling of missing values, and the naive forecasts that repeat the newest known values."""

import numpy as np
import pandas as pd

from seqcast.data.frames import LongFrame
from seqcast.data.series import positions_of
from seqcast.runtime import Array


def forward_fill(values: Array) -> Array:
    """Return values with gaps filled by the last observed one, and by zeros before the first one.

    Args:
        values: Values, `[B, T, F]`; NaN is missing.

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
        The values, with zeros before the first observed one, and the indicator, 1 where a value was
        observed; both `[B, T, F]`.

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
    """Return values with gaps filled by the last observed one, or before it by the first one.

    It is for networks without an observed channel.

    Args:
        past: Values, `[B, T, F]`; NaN is missing.

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


def repeat_newest_season(past: Array, *, season_length: int, horizon: int) -> Array:
    """Return the forecast that repeats the newest observed value of each step of the season.

    Args:
        past: Values, `[B, T, D]`; NaN is missing.
        season_length: Steps of a season, `m`; one that is longer than the past, and 1, repeat the
            last observed value.
        horizon: Steps to forecast, `H`.

    Returns:
        The forecast, `[B, H, D]`. A step of the season that was never observed takes the last
        observed value, zero if there is none.

    Example:
        >>> past = np.array([1.0, 2.0, 3.0, np.nan])[None, :, None]
        >>> repeat_newest_season(past, season_length=2, horizon=3).ravel().tolist()
        [3.0, 2.0, 3.0]
    """
    count, steps, targets = past.shape
    season = season_length if season_length <= steps else 1
    last = forward_fill(past)[:, -1:]
    whole = past[:, steps % season :].reshape(count, steps // season, season * targets)

    newest = np.where(np.isnan(whole).all(axis=1), np.nan, forward_fill(whole)[:, -1])
    newest = newest.reshape(count, season, targets)
    newest = np.where(np.isnan(newest), last, newest)
    return np.asarray(newest[:, np.arange(horizon) % season])


def repeat_season(
    values: Array, starts: Array, stops: Array, *, season_length: int, horizon: int
) -> Array:
    """Return the forecast that repeats each series' last season; of length 1, the last value.

    Args:
        values: Series laid end to end, `[rows]` or `[rows, D]`.
        starts: Place of the series' first value in `values`, `[N]`.
        stops: Number of values known, `[N]`; where they are fewer than a season, the last value is
            repeated.
        season_length: Steps of a season.
        horizon: Steps to forecast, `H`.

    Returns:
        The forecast, `[N, H]` or `[N, H, D]`.

    Example:
        >>> repeat_season(np.arange(6.0), np.array([0]), np.array([6]), season_length=4, horizon=5)
        array([[2., 3., 4., 5., 2.]])
    """
    season = np.where(stops >= season_length, season_length, 1)[:, None]
    repeated: Array = values[(starts + stops)[:, None] - season + np.arange(horizon) % season]
    return repeated


def filled_by_season(frame: LongFrame, season_length: int) -> Array:
    """Return the targets with gaps filled by the value whole seasons before.

    NaN stays where there is none.

    Args:
        frame: The series.
        season_length: Steps of a season.
    """
    targets = frame.targets
    source = frame.source
    if not np.isnan(targets).any():
        return targets

    phase = positions_of(source.ends) % season_length
    group = source.owner * season_length + phase
    return pd.DataFrame(targets).groupby(group).ffill().to_numpy()
