"""An autoregression is the least of its own sum, and continues cycles that nobody names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained.autoregression import FITTED, HELD_BACK, NEAR, VALUES_A_LAG, autoregressed, lags_of
from seqcast.pretrained.simple_forecasts import FARTHEST, RECENT, checks_of

ROWS, LENGTH, HORIZON = 5, 700, 9
# Without a season; one near, one far; one within another; of one that is too long no lags are taken.
SEASONS = ((1, 0), (7, 0), (24, 0), (12, 60), (400, 0))
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, length=LENGTH):
    """Return cycles with noise that begin anywhere, with gaps."""
    rng = np.random.default_rng(seed)
    turns = 2 * np.pi * np.arange(length) / rng.uniform(4, 15, (ROWS, 1)) + rng.random((ROWS, 1))
    values = np.sin(turns) + 0.2 * rng.normal(size=(ROWS, length))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[np.arange(length) < rng.integers(0, length - 2, (ROWS, 1))] = np.nan
    return values


def plainly(values, season, longer):
    """Return coefficients, mean, forecasts and those one step ahead of one window, step by step."""
    length = len(values)
    count, first = int((~np.isnan(values)).sum()), int(np.argmax(~np.isnan(values)))
    filled = values.copy()
    for t in range(first + 1, length):
        if np.isnan(filled[t]):
            filled[t] = filled[t - 1]
    mean = filled[first:].mean()
    centred = np.where(np.arange(length) >= first, filled - mean, 0.0)
    lags = lags_of(count, season, longer)
    at_first = np.array([1.0 if lag == season and len(lags) > NEAR else 0.0 for lag in lags])

    def before(line, t):
        return np.array([line[t - k] if t >= k else 0.0 for k in lags])

    steps = [t for t in range(first, length) if t >= first + min(max(count // 3, 1), lags[-1])]
    rows = np.array([before(centred, t) for t in steps]).reshape(-1, len(lags))
    shrunk = min(1, HELD_BACK / max(len(steps), 1)) ** 1.5
    root = np.sqrt((rows**2).sum() / len(lags) * shrunk + 1e-9)
    # The penalty is what rows of their own would add to the sum of squares.
    rows, truth = np.vstack([rows, root * np.eye(len(lags))]), np.concatenate([centred[steps], root * at_first])
    coefficients = np.linalg.lstsq(rows, truth, rcond=None)[0]

    def on(end, steps):
        line = list(centred[:end])
        for _ in range(steps):
            line.append(np.clip(before(np.array(line), len(line)) @ coefficients, -FARTHEST, FARTHEST))
        return np.array(line[end:]) + mean

    ahead = [before(centred, t) @ coefficients + mean for t in range(max(0, length - RECENT), length)]
    return on, ahead, count


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from([70, LENGTH]))
def test_it_is_what_the_equations_give(seed, length):
    values = drawn(seed, length)
    found = autoregressed(values, *np.array(SEASONS).T, HORIZON)
    for row, seasons in enumerate(SEASONS):
        on, ahead, count = plainly(values[row], *seasons)
        np.testing.assert_allclose(found.forecasts[row, :, 0], on(length, HORIZON), atol=1e-6)
        np.testing.assert_allclose(found.ahead[row, :, 0], ahead, atol=1e-6)
        assert tuple(found.checks) == checks_of(length)
        for steps, forecast in found.checks.items():
            expected = on(length - steps, steps) if count >= 2 * steps else [np.nan] * steps
            np.testing.assert_allclose(forecast[row, :, 0], expected, atol=1e-6)
        assert found.optimism[row, 0] == pytest.approx(((count + FITTED) / max(count - FITTED, 1)) ** 0.5)


@given(st.integers(1, 3000), st.integers(1, 700), st.integers(0, 12))
def test_lags_are_near_ones_and_those_around_seasons_of_which_enough_is_known(count, season, times):
    lags = lags_of(count, season, season * times if season > 1 else 0)
    assert lags[:NEAR] == tuple(range(1, NEAR + 1))
    assert list(lags) == sorted(set(lags))
    if len(lags) > NEAR:
        assert count >= VALUES_A_LAG * len(lags)
        assert 2 * lags[-1] <= count


@pytest.mark.parametrize("period", [5.0, 9.3, 24.0])
def test_a_cycle_goes_on_that_nobody_names(period):
    turns = 2 * np.pi * np.arange(200 + 24) / period
    values = (10 + 3 * np.sin(turns) + np.random.default_rng(0).normal(0, 0.1, turns.shape))[None]
    found = autoregressed(values[:, :200], np.array([1]), np.array([0]), 24)
    assert np.abs(found.forecasts[0, :, 0] - values[0, 200:]).mean() < 0.6


def test_a_season_that_is_told_goes_on_whatever_its_shape():
    rng = np.random.default_rng(1)
    values = np.tile(rng.normal(size=168), 6)[None] + 0.1 * rng.normal(size=1008)
    told = autoregressed(values[:, :840], np.array([24]), np.array([168]), 168)
    untold = autoregressed(values[:, :840], np.array([1]), np.array([0]), 168)
    error, other = (np.abs(found.forecasts[0, :, 0] - values[0, 840:]).mean() for found in (told, untold))
    assert error < 0.2 < 0.5 < other


@pytest.mark.parametrize("values", [[np.nan] * 8, [5.0] * 8, [0.0] * 8, [np.nan] * 7 + [3.0], [1.0, 2.0]])
def test_little_known_is_continued_by_its_mean(values):
    found = autoregressed(np.array([values]), np.array([1]), np.array([0]), 3)
    expected = np.nan_to_num(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    np.testing.assert_allclose(found.forecasts[0, :, 0], expected, atol=0.6)
    assert np.isfinite(found.ahead).all()
    assert np.isfinite(found.optimism).all()
