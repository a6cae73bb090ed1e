"""Exponential smoothing of windows is what its equations give, row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained.simple_models import CHECKS, RECENT, checks_of
from seqcast.pretrained.smoothing import FIRST, OPTIMISM, Gains, smoothed

ROWS = 6
LENGTH = 40
HORIZON = 9
# The last one knows of no season.
GAINS = (
    Gains(0.1, 0.0, 0.1, 0.98),
    Gains(0.3, 0.02, 0.4, 1.0),
    Gains(0.95, 0.1, 0.2, 0.9),
    Gains(0.3, 0.01, None, 0.95),
)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Return values that begin anywhere, half of the rows with gaps, and their seasons."""
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(ROWS, LENGTH)), axis=1) + np.tile(
        rng.normal(size=(ROWS, 4)), LENGTH // 4
    )
    values[rng.random(values.shape) < 0.2 * (np.arange(ROWS) % 2)[:, None]] = np.nan
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
    if season > 1 and gamma is not None:
        rounds = straight[LENGTH % season :].reshape(-1, season)
        own = [row - row[~np.isnan(row)].mean() for row in rounds if not np.isnan(row).all()]
        for place in range(season):
            known = [row[place] for row in own if not np.isnan(row[place])]
            profile[place] = np.mean(known) if known else 0.0
        profile -= profile.mean()
    first = int(np.argmax(~np.isnan(values)))
    place = [(step - LENGTH) % season for step in range(LENGTH + HORIZON)]
    early = range(first, min(LENGTH, first + max(season, FIRST)))
    levels = [
        values[t] - profile[place[t]] - slope * (t - first + 1)
        for t in early
        if not np.isnan(values[t])
    ]
    level = np.mean(levels) if levels else 0.0
    trend = slope
    ahead = []
    checks = {}

    def on(start, steps):
        """Return forecasts of some steps from the state of now."""
        return [
            level
            + trend * sum(phi**power for power in range(1, step + 2))
            + profile[place[start + step]]
            for step in range(steps)
        ]

    for t in range(LENGTH):
        checks[LENGTH - t] = on(t, LENGTH - t)
        if t >= first and levels:
            trend *= phi
            level += trend
        ahead.append(level + profile[place[t]])
        if not np.isnan(values[t]):
            error = values[t] - ahead[-1]
            level = level + alpha * error
            trend = trend + beta * error
            profile[place[t]] += 0.0 if gamma is None or season == 1 else gamma * error
    return on(LENGTH, HORIZON), ahead, checks


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_it_is_what_the_equations_give(seed):
    values, season = drawn(seed)
    found = smoothed(values, season, HORIZON, GAINS)
    known = (~np.isnan(values)).sum(axis=1)
    for row in range(ROWS):
        for number, gains in enumerate(GAINS):
            forecasts, ahead, checks = plainly(values[row].copy(), int(season[row]), gains)
            np.testing.assert_allclose(found.forecasts[row, :, number], forecasts, atol=1e-9)
            np.testing.assert_allclose(found.ahead[row, :, number], ahead, atol=1e-9)
            assert tuple(found.checks) == checks_of(LENGTH)
            for steps in found.checks:
                expected = checks[steps] if known[row] >= 2 * steps else [np.nan] * steps
                np.testing.assert_allclose(found.checks[steps][row, :, number], expected, atol=1e-9)


def test_a_largest_damping_is_that_of_each_window():
    values, season = drawn(4)
    most = np.where(np.arange(ROWS) < 3, 1.0, 0.93)
    found = smoothed(values, season, HORIZON, GAINS, most).forecasts
    damped = tuple(gains._replace(damping=min(gains.damping, 0.93)) for gains in GAINS)
    np.testing.assert_allclose(
        found[:3], smoothed(values[:3], season[:3], HORIZON, GAINS).forecasts, atol=1e-12
    )
    np.testing.assert_allclose(
        found[3:], smoothed(values[3:], season[3:], HORIZON, damped).forecasts, atol=1e-12
    )


def test_errors_are_those_of_what_was_forecast():
    values, season = drawn(5)
    found = smoothed(values, season, HORIZON, GAINS)
    errors, checks = np.split(found.errors(values), [1])
    assert checks.shape == (len(CHECKS), ROWS, len(GAINS))
    for row in range(ROWS):
        known = ~np.isnan(values[row])
        for number, gains in enumerate(GAINS):
            share = season[row] / max(known.sum(), 1)
            fitted = gains.season is not None and season[row] > 1 and share <= 0.5
            optimism = 1 + OPTIMISM * share**2 * fitted
            own = np.abs(found.ahead[row, known, number] - values[row, known])
            assert errors[0, row, number] == pytest.approx(own.mean() * optimism)
            for place, steps in enumerate(CHECKS):
                late = values[row, -steps:]
                checked = (
                    steps in found.checks and known.sum() >= 2 * steps and (~np.isnan(late)).any()
                )
                expected = (
                    np.nanmean(np.abs(found.checks[steps][row, :, number] - late))
                    if checked
                    else np.nan
                )
                np.testing.assert_allclose(checks[place, row, number], expected * optimism, 1e-5)


def test_nothing_known_is_a_forecast_of_zero():
    found = smoothed(np.full((2, 5), np.nan), np.array([1, 2]), 3, GAINS)
    assert (found.forecasts == 0).all()
    assert (found.ahead == 0).all()


def test_forecasts_one_step_ahead_are_those_of_the_last_steps():
    """What came long ago is in the state alone: the last 512 steps are those that a shorter array ends with."""
    rng = np.random.default_rng(8)
    values = np.cumsum(rng.normal(size=(2, RECENT + 100)), axis=1)
    found = smoothed(values, np.array([1, 24]), HORIZON, GAINS)
    assert found.ahead.shape == (2, RECENT, len(GAINS))
    own = np.abs(found.ahead - values[:, -RECENT:, None]).mean(axis=1)
    np.testing.assert_allclose(found.errors(values)[0], own * found.optimism, 1e-5)
    # A level that forgets fast stands where the step before it was.
    np.testing.assert_allclose(found.ahead[0, 1:, 2], values[0, -RECENT:-1], atol=1.5)
