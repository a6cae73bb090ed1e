"""Exponential smoothing of windows is what its equations give, row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.windows.smoothing import FIRST, GAINS, smoothed

ROWS, LENGTH, HORIZON = 6, 40, 9
seeds = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Return values that begin anywhere, with gaps, and their seasons."""
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(ROWS, LENGTH)), axis=1) + np.tile(rng.normal(size=(ROWS, 4)), LENGTH // 4)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[np.arange(LENGTH) < rng.integers(0, LENGTH - 2, (ROWS, 1))] = np.nan
    return values, rng.choice([1, 4, 7, 15], ROWS)


def plainly(values, season, gains):
    """Return forecasts and those one step ahead of one row, step by step."""
    alpha, beta, gamma, phi = gains
    season = season if 2 * season <= (~np.isnan(values)).sum() else 1
    pairs = [b - a for a, b in zip(values, values[season:], strict=False) if not np.isnan(b - a)]
    slope = np.mean(pairs) / season if pairs else 0.0
    straight = values - slope * np.arange(LENGTH)
    profile = np.zeros(season)
    if season > 1:
        rounds = straight[LENGTH % season :].reshape(-1, season)
        own = [row - row[~np.isnan(row)].mean() for row in rounds if not np.isnan(row).all()]
        for place in range(season):
            known = [row[place] for row in own if not np.isnan(row[place])]
            profile[place] = np.mean(known) if known else 0.0
        profile -= profile.mean()
    first = int(np.argmax(~np.isnan(values)))
    place = [(step - LENGTH) % season for step in range(LENGTH + HORIZON)]
    early = range(first, min(LENGTH, first + max(season, FIRST)))
    levels = [values[t] - profile[place[t]] - slope * (t - first + 1) for t in early if not np.isnan(values[t])]
    level, trend, ahead = np.mean(levels) if levels else 0.0, slope, []
    for t in range(LENGTH):
        if t >= first and levels:
            trend *= phi
            level += trend
        ahead.append(level + profile[place[t]])
        if not np.isnan(values[t]):
            error = values[t] - ahead[-1]
            level, trend = level + alpha * error, trend + beta * error
            profile[place[t]] += gamma * error * (season > 1)
    forecasts = []
    for step in range(HORIZON):
        trend *= phi
        level += trend
        forecasts.append(level + profile[place[LENGTH + step]])
    return forecasts, ahead


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_it_is_what_the_equations_give(seed):
    values, season = drawn(seed)
    found = smoothed(values, season, HORIZON)
    for row in range(ROWS):
        for number, gains in enumerate(GAINS):
            forecasts, ahead = plainly(values[row].copy(), int(season[row]), gains)
            np.testing.assert_allclose(found.forecasts[row, :, number], forecasts, atol=1e-9)
            np.testing.assert_allclose(found.ahead[row, :, number], ahead, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(-100, 100), st.floats(0.01, 100))
def test_units_move_through_it(seed, shift, factor):
    values, season = drawn(seed)
    np.testing.assert_allclose(
        smoothed(values * factor + shift, season, HORIZON).forecasts,
        smoothed(values, season, HORIZON).forecasts * factor + shift,
        rtol=1e-6,
        atol=1e-6 * (1 + abs(shift)),
    )


@pytest.mark.parametrize("season", [1, 3, 12])
def test_a_season_and_a_line_go_on_as_they_are(season):
    """A pattern that repeats exactly has no error; so has a line but for the damping, which is little at first."""
    values = np.tile(np.arange(float(season)), 60 // season)[None]
    found = smoothed(values, np.array([season]), season)
    np.testing.assert_allclose(found.forecasts, np.repeat(values[:, :season, None], len(GAINS), axis=2), atol=1e-9)
    np.testing.assert_allclose(found.ahead, np.repeat(values[:, :, None], len(GAINS), axis=2), atol=1e-9)


def test_rows_do_not_see_their_company():
    values, season = drawn(3)
    together = smoothed(values, season, HORIZON)
    for row in range(ROWS):
        alone = smoothed(values[row : row + 1], season[row : row + 1], HORIZON)
        np.testing.assert_allclose(alone.forecasts[0], together.forecasts[row], atol=1e-12)


def test_nothing_known_is_a_forecast_of_zero():
    found = smoothed(np.full((2, 5), np.nan), np.array([1, 2]), 3)
    assert (found.forecasts == 0).all()
    assert (found.ahead == 0).all()
