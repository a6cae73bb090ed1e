"""An autoregression is the least of its own sum, and continues cycles that nobody names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained.autoregression import FITTED, HELD_BACK, LAGS, autoregressed
from seqcast.pretrained.simple_forecasts import CHECKS, FARTHEST

ROWS, LENGTH, HORIZON = 5, 70, 9
seeds = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Return cycles with noise that begin anywhere, with gaps."""
    rng = np.random.default_rng(seed)
    turns = 2 * np.pi * np.arange(LENGTH) / rng.uniform(4, 15, (ROWS, 1)) + rng.random((ROWS, 1))
    values = np.sin(turns) + 0.2 * rng.normal(size=(ROWS, LENGTH))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[np.arange(LENGTH) < rng.integers(0, LENGTH - 2, (ROWS, 1))] = np.nan
    return values


def plainly(values):
    """Return coefficients, mean, forecasts and those one step ahead of one window, step by step."""
    count, first = int((~np.isnan(values)).sum()), int(np.argmax(~np.isnan(values)))
    filled = values.copy()
    for t in range(first + 1, LENGTH):
        if np.isnan(filled[t]):
            filled[t] = filled[t - 1]
    mean = filled[first:].mean()
    centred = np.where(np.arange(LENGTH) >= first, filled - mean, 0.0)

    def before(line, t):
        return np.array([line[t - k] if t >= k else 0.0 for k in range(1, LAGS + 1)])

    steps = [t for t in range(first, LENGTH) if t >= first + min(max(count // 3, 1), LAGS)]
    lags = np.array([before(centred, t) for t in steps]).reshape(-1, LAGS)
    size = (lags**2).sum() / LAGS * min(1, HELD_BACK / max(len(steps), 1))
    penalty = [size * k / LAGS + 1e-9 for k in range(1, LAGS + 1)]
    # The penalty is what rows of their own would add to the sum of squares.
    rows, truth = np.vstack([lags, np.diag(np.sqrt(penalty))]), np.concatenate([centred[steps], np.zeros(LAGS)])
    coefficients = np.linalg.lstsq(rows, truth, rcond=None)[0]

    def on(end, steps):
        line = list(centred[:end])
        for _ in range(steps):
            line.append(np.clip(before(np.array(line), len(line)) @ coefficients, -FARTHEST, FARTHEST))
        return np.array(line[end:]) + mean

    ahead = [before(centred, t) @ coefficients + mean for t in range(LENGTH)]
    return on, ahead, count


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_it_is_what_the_equations_give(seed):
    values = drawn(seed)
    found = autoregressed(values, HORIZON)
    for row in range(ROWS):
        on, ahead, count = plainly(values[row])
        np.testing.assert_allclose(found.forecasts[row, :, 0], on(LENGTH, HORIZON), atol=1e-6)
        np.testing.assert_allclose(found.ahead[row, :, 0], ahead, atol=1e-6)
        for steps in CHECKS:
            expected = on(LENGTH - steps, steps) if count >= 2 * steps else [np.nan] * steps
            np.testing.assert_allclose(found.checks[steps][row, :, 0], expected, atol=1e-6)
        assert found.optimism[row, 0] == pytest.approx(((count + FITTED) / max(count - FITTED, 1)) ** 0.5)


@pytest.mark.parametrize("period", [5.0, 9.3, 24.0])
def test_a_cycle_goes_on_that_nobody_names(period):
    turns = 2 * np.pi * np.arange(200 + 24) / period
    values = (10 + 3 * np.sin(turns) + np.random.default_rng(0).normal(0, 0.1, turns.shape))[None]
    found = autoregressed(values[:, :200], 24)
    assert np.abs(found.forecasts[0, :, 0] - values[0, 200:]).mean() < 0.6


@pytest.mark.parametrize("values", [[np.nan] * 8, [5.0] * 8, [0.0] * 8, [np.nan] * 7 + [3.0], [1.0, 2.0]])
def test_little_known_is_continued_by_its_mean(values):
    found = autoregressed(np.array([values]), 3)
    expected = np.nan_to_num(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    np.testing.assert_allclose(found.forecasts[0, :, 0], expected, atol=0.6)
    assert np.isfinite(found.ahead).all()
    assert np.isfinite(found.optimism).all()
