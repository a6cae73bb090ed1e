"""What exponential smoothing with fixed gains says of windows: forecasts that a network corrects and weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["GAINS", "Smoothed", "mean_of_known", "smoothed"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Gains of level, trend and season, and damping: from a series that keeps its level to one that walks.
GAINS = ((0.1, 0.0, 0.1, 0.98), (0.3, 0.02, 0.1, 0.98), (0.6, 0.05, 0.1, 0.95), (0.95, 0.0, 0.1, 0.9))
# The first level is the mean of so many values, or of a season if that is longer.
FIRST = 4


@dataclass(frozen=True)
class Smoothed:
    """What exponential smoothing with `K` sets of gains says of some windows.

    Args:
        forecasts: Forecasts, `[B, H, K]`.
        ahead: What was forecast of each known step from the one before it, `[B, T, K]`.
    """

    forecasts: Array
    ahead: Array


def smoothed(values: Array, season: Integers, horizon: int) -> Smoothed:
    r"""Smooth windows with a damped trend and a season, with each set of `GAINS`.

    .. math:: l' = l + φ b + α ε, \quad b' = φ b + β ε, \quad s' = s + γ ε

    .. math:: \hat y_{t+h} = l + b \sum_{i=1}^h φ^i + s

    The first trend is the mean change of a season, and the first season the mean of all without that trend. A missing
    value is taken as it was forecast. Windows that know less than two seasons are smoothed without one.

    Args:
        values: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        horizon: Number of future steps, `H`.

    Returns:
        Forecasts, and those one step ahead.

    Example:
        >>> saw = np.tile([0.0, 1.0, 2.0], 4)[None]
        >>> smoothed(saw, np.array([3]), 4).forecasts[0, :, 0].round(6).tolist()
        [0.0, 1.0, 2.0, 0.0]

    Source: Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with Exponential Smoothing", chapter 2.
    """
    rows, length = values.shape
    forecasts, ahead = np.empty((rows, horizon, len(GAINS))), np.empty((rows, length, len(GAINS)))
    used = np.where(2 * season <= (~np.isnan(values)).sum(axis=1), season, 1)
    for steps in np.unique(used):
        chosen = np.flatnonzero(used == steps)
        forecasts[chosen], ahead[chosen] = _of_one_season(values[chosen], int(steps), horizon)
    return Smoothed(forecasts, ahead)


def _of_one_season(values: Array, season: int, horizon: int) -> tuple[Array, Array]:
    """Return the same of windows that share a season."""
    length = values.shape[1]
    known = ~np.isnan(values)
    slope = np.nan_to_num(mean_of_known(values[:, season:] - values[:, :-season])) / season
    profile = _profile(values - slope * np.arange(length), season)
    # Seasons are counted so that the first step of the future is the first of one.
    places = (np.arange(length + horizon) - length) % season
    level = np.nan_to_num(_first_level(values - profile[:, places[:length]], slope, max(season, FIRST)))
    alpha, beta, gamma, phi = (np.array(gains)[:, None] for gains in zip(*GAINS, strict=True))
    count = len(GAINS)
    levels, trends = np.tile(level[:, 0], (count, 1)), np.tile(slope[:, 0], (count, 1))
    seasons = np.tile(profile.T[:, None, :], (1, count, 1))
    ahead = np.empty((length, count, len(values)))
    filled = np.where(known, values, 0.0).T
    begun = np.logical_or.accumulate(known, axis=1).T.astype(float)
    counted = known.T.astype(float)
    gamma = gamma * float(season > 1)
    # Before its first value a window stands still: its trend is that of the first step.
    for step in range(length):
        before = seasons[places[step]]
        damped = trends * (1.0 + (phi - 1.0) * begun[step])
        forecast = levels + damped * begun[step] + before
        error = (filled[step] - forecast) * counted[step]
        ahead[step] = forecast
        levels = forecast - before + alpha * error
        trends = damped + beta * error
        before += gamma * error
    reach = np.cumsum(phi ** np.arange(1, horizon + 1), axis=1)
    later = seasons[places[length:]]
    forecasts = levels + trends * reach.T[:, :, None] + later
    return np.moveaxis(forecasts, 2, 0), np.moveaxis(ahead, 2, 0)


def _profile(straight: Array, season: int) -> Array:
    """Return the mean season of windows without trend, `[B, season]`, each season less its own mean."""
    rows, length = straight.shape
    if season == 1:
        return np.zeros((rows, 1))
    whole = straight[:, length % season :].reshape(rows, -1, season)
    profile = np.nan_to_num(mean_of_known(whole - mean_of_known(whole, axis=2), axis=1)[:, 0])
    return np.asarray(profile - profile.mean(axis=1, keepdims=True))


def _first_level(values: Array, slope: Array, steps: int) -> Array:
    """Return the level before the first known value, `[B, 1]`, from so many steps."""
    since = np.arange(values.shape[1]) - np.argmax(~np.isnan(values), axis=1)[:, None] + 1
    return mean_of_known(np.where((since > 0) & (since <= steps), values - slope * since, np.nan))


def mean_of_known(values: Array, axis: int = 1) -> Array:
    """Return the mean of the known values along an axis, which is kept; NaN where there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=axis, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
