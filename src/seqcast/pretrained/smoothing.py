"""Exponential smoothing of windows with a level, a damped trend and a season, by sets of gains."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seqcast.pretrained.simple_models import (
    RECENT,
    Array,
    Integers,
    SimpleForecasts,
    checks_of,
    mean_of_known,
)


class Gains(NamedTuple):
    """How far a step's error moves a smoothed window.

    Args:
        level: Gain of the level, `α`.
        trend: Gain of the trend, `β`.
        season: Gain of the season, `γ`; `None` for a model without one.
        damping: Factor of the trend from step to step, `φ`.
    """

    level: float
    trend: float
    season: float | None
    damping: float


# The first level is the mean of this number of values, or of a season if that is longer.
FIRST = 4
# The first season is fitted to values that are then forecast: with two known seasons, true errors
# are larger by half.
OPTIMISM = 2.0
# Known steps that are smoothed at once, by one product.
BLOCK = 32


def smoothed(
    values: Array,
    season: Integers,
    horizon: int,
    gains: Sequence[Gains],
    most_damping: Array | float = 1.0,
) -> SimpleForecasts:
    r"""Smooth windows with a damped trend and a season, with each set of gains.

    .. math:: l' = l + φ b + α ε, \quad b' = φ b + β ε, \quad s' = s + γ ε

    .. math:: \hat y_{t+h} = l + b \sum_{i=1}^h φ^i + s

    The first trend is the mean change of a season, and the first season the mean of all without
    that trend. Forecasts replace missing values. Windows with fewer than two known seasons are
    smoothed without one. Where `k` seasons are known, errors of models with a season are enlarged
    by `1 + 2 / k²`.

    Args:
        values: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        horizon: Number of future steps, `H`.
        gains: Each of `K` sets of gains.
        most_damping: Largest `φ`, `[B]` or one for all windows.

    Returns:
        Forecasts, those one step ahead, and those of the last steps.

    Example:
        >>> saw = np.tile([0.0, 1.0, 2.0], 4)[None]
        >>> gains = Gains(level=0.3, trend=0.0, season=0.1, damping=0.98)
        >>> smoothed(saw, np.array([3]), 4, [gains]).forecasts[0, :, 0].round(6).tolist()
        [0.0, 1.0, 2.0, 0.0]

    Source: Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with Exponential Smoothing", chapter
        2.
    """
    known = (~np.isnan(values)).sum(axis=1)
    used = np.where(2 * season <= known, season, 1)
    most = np.broadcast_to(most_damping, len(values))
    whole = SimpleForecasts.unknown(len(values), values.shape[1], horizon, len(gains))

    for steps, damping in sorted(set(zip(used.tolist(), most.tolist(), strict=True))):
        chosen = np.flatnonzero((used == steps) & (most == damping))
        damped = tuple(each._replace(damping=min(each.damping, damping)) for each in gains)
        whole.put(chosen, _of_one_season(values[chosen], steps, horizon, damped))

    for steps, forecast in whole.checks.items():
        forecast[known < 2 * steps] = np.nan
    return whole


def _of_one_season(
    values: Array, season: int, horizon: int, gains: tuple[Gains, ...]
) -> SimpleForecasts:
    """Smooth windows with one season length."""
    rows, length = values.shape
    count = len(gains)
    known = ~np.isnan(values)

    slope = np.nan_to_num(mean_of_known(values[:, season:] - values[:, :-season])) / season
    profile = _profile(values - slope * np.arange(length), season)
    # Seasons are counted so that the first step of the future is the first of one.
    places = (np.arange(length + horizon) - length) % season
    plain = np.array([each.season is None or season == 1 for each in gains])

    level, level_without = (
        np.nan_to_num(_first_level(each, slope, max(season, FIRST)))[:, 0]
        for each in (values - profile[:, places[:length]], values)
    )
    levels = np.where(plain[:, None], level_without, level)
    trends = np.tile(slope[:, 0], (count, 1))
    seasons = np.where(plain[:, None, None], 0.0, profile.T)

    checks = {steps: np.empty((count, steps, rows)) for steps in checks_of(length)}
    recent = min(length, RECENT)
    phi = np.array([each.damping for each in gains])[:, None, None]
    reach = np.cumsum(phi ** np.arange(1, max(horizon, *checks, 1) + 1)[:, None], axis=1)

    steps_first = np.where(known, values, 0.0).T
    is_known = known.T
    begun = np.logical_or.accumulate(is_known, axis=0)

    # Before its first value a window is constant: its trend is that of the first step.
    ahead = levels[:, None] + seasons[:, places[length - recent : length]]

    for first, last in _blocks(length):
        if length - first in checks:
            ahead_of_check = (
                reach[:, : length - first] * trends[:, None] + seasons[:, places[first:length]]
            )
            checks[length - first][:] = levels[:, None] + ahead_of_check
        whole = is_known[first:last].all(axis=0)
        own = places[first:last][:season]
        for chosen, by_product in ((whole, True), (begun[last - 1] & ~whole, False)):
            if not chosen.any():
                continue
            in_all = bool(chosen.all())
            of = slice(None) if in_all else np.flatnonzero(chosen)
            state = np.concatenate(
                [levels[:, None, of], trends[:, None, of], seasons[:, own][:, :, of]], axis=1
            )
            new = steps_first[first:last, of]
            if by_product:
                of_state, of_values = _products(gains, season, last - first)
                moved = of_state @ state + (of_values @ new).reshape(count, -1, new.shape[1])
            else:
                moved = _step_by_step(
                    gains,
                    season,
                    state,
                    new,
                    known=is_known[first:last, of],
                    begun=begun[first:last, of],
                )
            levels[:, of] = moved[:, last - first]
            trends[:, of] = moved[:, last - first + 1]
            seasons[:, own if in_all else own[:, None], of] = moved[:, last - first + 2 :]
            if first >= length - recent:
                ahead[:, first - length + recent : last - length + recent, of] = moved[
                    :, : last - first
                ]

    forecasts = levels[:, None] + reach[:, :horizon] * trends[:, None] + seasons[:, places[length:]]
    share = season / np.maximum(known.sum(axis=1), 1)
    optimism = np.where(plain[:, None], 1.0, 1.0 + OPTIMISM * share**2)
    by_window = SimpleForecasts(forecasts, ahead, checks, optimism)
    smooth = by_window.mapped(lambda models_first: np.moveaxis(models_first, 2, 0).swapaxes(1, 2))
    return replace(smooth, optimism=optimism.T)


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    """Yield first and last step of blocks, some of which begin where the last steps are checked."""
    first = 0
    for end in sorted({length, *(length - steps for steps in checks_of(length))}):
        for last in range(end - (end - first - 1) // BLOCK * BLOCK, end + 1, BLOCK):
            yield first, last
            first = last


def _step_by_step(
    gains: tuple[Gains, ...],
    season: int,
    state: Array,
    values: Array,
    *,
    known: Array,
    begun: Array,
) -> Array:
    """Return one-step forecasts, followed by the new state, `[K, L + 2 + s, B]`.

    Args:
        gains: As for `smoothed`.
        season: Steps of the season; 1 is none.
        state: Level, trend, and seasons from the first step on, `[K, 2 + s, B]`.
        values: The values, `[L, B]`.
        known: Which are known, `[L, B]`.
        begun: Which have a known one before them, or are known, `[L, B]`.
    """
    alpha, beta, gamma, phi = np.array(gains, dtype=float).T[:, :, None]
    gamma = np.where(np.isnan(gamma) | (season == 1), 0.0, gamma)

    steps = len(values)
    result = np.concatenate([np.empty((len(gains), *values.shape)), state], axis=1)
    levels = result[:, steps]
    trends = result[:, steps + 1]
    seasons = result[:, steps + 2 :]

    for step in range(steps):
        before = seasons[:, step % seasons.shape[1]]
        forecast = result[:, step]
        trends *= np.where(begun[step], phi, 1.0)
        levels += np.where(begun[step], trends, 0.0)
        np.add(levels, before, out=forecast)
        error = np.where(known[step], values[step] - forecast, 0.0)
        levels += alpha * error
        trends += beta * error
        before += gamma * error
    return result


@functools.lru_cache(maxsize=256)
def _products(gains: tuple[Gains, ...], season: int, steps: int) -> tuple[Array, Array]:
    """Return what `_step_by_step` does with known values, as matrices.

    Returns:
        The matrix of the state, `[K, L + 2 + s, 2 + s]`, and the one of the values,
        `[K (L + 2 + s), L]`.
    """
    states = 2 + min(season, steps)
    unit = np.eye(states + steps)
    state = np.tile(unit[:states], (len(gains), 1, 1))
    known = np.ones((steps, len(unit)), dtype=bool)
    whole = _step_by_step(gains, season, state, unit[states:], known=known, begun=known)
    return whole[:, :, :states].copy(), whole[:, :, states:].reshape(-1, steps)


def _profile(straight: Array, season: int) -> Array:
    """Return the mean season of windows without trend, `[B, season]`, seasons less their means."""
    rows, length = straight.shape
    if season == 1:
        return np.zeros((rows, 1))
    whole = straight[:, length % season :].reshape(rows, -1, season)
    profile = np.nan_to_num(mean_of_known(whole - mean_of_known(whole, axis=2), axis=1)[:, 0])
    return np.asarray(profile - profile.mean(axis=1, keepdims=True))


def _first_level(values: Array, slope: Array, steps: int) -> Array:
    """Return the level before the first known value, `[B, 1]`, from a number of steps."""
    since = np.arange(values.shape[1]) - np.argmax(~np.isnan(values), axis=1)[:, None] + 1
    return mean_of_known(np.where((since > 0) & (since <= steps), values - slope * since, np.nan))
