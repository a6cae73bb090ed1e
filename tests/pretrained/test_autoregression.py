"""Autoregressions are the least of their own sums, and continue cycles that nobody names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained import autoregression as module
from seqcast.pretrained.autoregression import AUTOREGRESSIONS, NEAR, autoregressed, lags_of
from seqcast.pretrained.simple_models import FARTHEST, RECENT, checks_of

ROWS = 5
LENGTH = 700
HORIZON = 9
# Without a season; one near, one far; one within another; of one that is too long no lags are
# taken.
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


def plainly(model, values, season, longer):
    """Return how one window is continued, what is forecast one step ahead, and how much its errors are larger."""
    values = values if model.half_life is None else values[-RECENT:]
    length = len(values)
    count = int((~np.isnan(values)).sum())
    first = int(np.argmax(~np.isnan(values)))
    filled = values.copy()
    for t in range(first + 1, length):
        if np.isnan(filled[t]):
            filled[t] = filled[t - 1]
    if model.of_changes:
        filled[:first] = filled[first]
        moves = np.concatenate([[0.0], np.diff(filled)])
    else:
        mean = filled[first:].mean()
        moves = np.where(np.arange(length) >= first, filled - mean, 0.0)
    effective = min(count, np.inf if model.half_life is None else model.half_life / np.log(2))
    lags = lags_of(effective, season, longer)
    at_first = np.array([1.0 if lag == season and len(lags) > NEAR else 0.0 for lag in lags])

    def before(line, t):
        return np.array([line[t - k] if t >= k else 0.0 for k in lags])

    steps = np.array(
        [t for t in range(first, length) if t >= first + min(max(count // 3, 1), lags[-1])]
    )
    weight = 0.5 ** ((length - 1 - steps) / (model.half_life or np.inf))
    rows = np.array([before(moves, t) for t in steps])
    truth = moves[steps]
    n = max(weight.sum(), 1)
    size = (weight[:, None] * rows**2).sum() / len(lags)
    variance = max((weight * truth**2).sum(), 1e-9)
    share = 1.0
    for _ in range(module.ROUNDS + 1):
        penalty = (
            max(size * min(1, module.SHRUNK_AS / n) ** 1.5 * share, module.LEAST_SHARE * size)
            + 1e-9
        )
        # The penalty is what rows of their own would add to the sum of squares.
        more = np.sqrt(penalty) * np.eye(len(lags))
        root = np.sqrt(weight)[:, None]
        coefficients = np.linalg.lstsq(
            np.vstack([root * rows, more]),
            np.concatenate([root[:, 0] * truth, more @ at_first]),
            rcond=None,
        )[0]
        left = (weight * (truth - rows @ coefficients) ** 2).sum() / variance
        share = min(1.0, model.noise * n / max(n - model.fitted, 1.0) * left)

    def on(end, steps):
        line = list(moves[:end])
        for _ in range(steps):
            line.append(
                np.clip(before(np.array(line), len(line)) @ coefficients, -FARTHEST, FARTHEST)
            )
        return (
            filled[end - 1] + np.cumsum(line[end:])
            if model.of_changes
            else np.array(line[end:]) + mean
        )

    def from_one_before(t):
        return before(moves, t) @ coefficients + (
            filled[max(t - 1, 0)] if model.of_changes else mean
        )

    ahead = [from_one_before(t) for t in range(max(0, length - RECENT), length)]
    optimism = ((effective + model.fitted) / max(effective - model.fitted, 1)) ** 0.5
    return on, ahead, count, optimism


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from([70, LENGTH]))
def test_they_are_what_the_equations_give(seed, length):
    values = drawn(seed, length)
    found = autoregressed(values, *np.array(SEASONS).T, HORIZON)
    for row, seasons in enumerate(SEASONS):
        for place, model in enumerate(AUTOREGRESSIONS):
            if model.of_changes and 1 < seasons[0] <= np.isfinite(values[row]).sum() / 2:
                assert np.isnan(found.forecasts[row, :, place]).all()
                assert np.isnan(found.ahead[row, :, place]).all()
                continue
            on, ahead, count, optimism = plainly(model, values[row], *seasons)
            end = length if model.half_life is None else min(length, RECENT)
            np.testing.assert_allclose(found.forecasts[row, :, place], on(end, HORIZON), atol=1e-6)
            np.testing.assert_allclose(found.ahead[row, :, place], ahead, atol=1e-6)
            assert tuple(found.checks) == checks_of(length)
            for steps, forecast in found.checks.items():
                expected = on(end - steps, steps) if count >= 2 * steps else [np.nan] * steps
                np.testing.assert_allclose(forecast[row, :, place], expected, atol=1e-6)
            assert found.optimism[row, place] == pytest.approx(optimism)


@given(st.integers(1, 3000), st.integers(1, 700), st.integers(0, 12))
def test_lags_are_near_ones_and_those_around_seasons_of_which_enough_is_known(count, season, times):
    lags = lags_of(count, season, season * times if season > 1 else 0)
    assert lags[:NEAR] == tuple(range(1, NEAR + 1))
    assert list(lags) == sorted(set(lags))
    if len(lags) > NEAR:
        assert count >= module.VALUES_A_LAG * len(lags)
        assert 2 * lags[-1] <= count


def continued(values, horizon, season=1, longer=0):
    return autoregressed(values[None], np.array([season]), np.array([longer]), horizon).forecasts[0]


@pytest.mark.parametrize("period", [5.0, 9.3, 24.0])
def test_a_cycle_goes_on_that_nobody_names(period):
    turns = 2 * np.pi * np.arange(200 + 24) / period
    values = 10 + 3 * np.sin(turns) + np.random.default_rng(0).normal(0, 0.1, turns.shape)
    assert np.abs(continued(values[:200], 24)[:, 0] - values[200:]).mean() < 0.6


def test_a_season_that_is_given_goes_on_whatever_its_shape():
    rng = np.random.default_rng(1)
    values = np.tile(rng.normal(size=168), 6) + 0.1 * rng.normal(size=1008)
    error, other = (
        np.abs(continued(values[:840], 168, *seasons)[:, 0] - values[840:]).mean()
        for seasons in ((24, 168), (1, 0))
    )
    assert error < 0.2 < 0.5 < other


def test_cycles_without_noise_go_on_exactly():
    turns = 2 * np.pi * np.arange(448 + 64)
    values = np.sin(turns / 24) + 0.7 * np.sin(1 + turns / 43.7)
    assert np.abs(continued(values[:448], 64) - values[448:, None]).mean(axis=0).max() < 0.05


def test_the_recent_one_follows_a_tone_that_rises_and_a_level_that_has_moved():
    steps = np.arange(448 + 64)
    tone = np.sin(2 * np.pi * (steps / 60 + (steps / 260) ** 2))
    moved = np.sin(2 * np.pi * steps / 12) + 4.0 * (steps >= 420)
    for values in (tone, moved):
        of_all, recent = np.abs(continued(values[:448], 64) - values[448:, None]).mean(axis=0)
        assert recent < 0.6 * of_all


@pytest.mark.parametrize(
    "values", [[np.nan] * 8, [5.0] * 8, [0.0] * 8, [np.nan] * 7 + [3.0], [1.0, 2.0]]
)
def test_little_known_is_continued_by_its_mean(values):
    found = autoregressed(np.array([values]), np.array([1]), np.array([0]), 3)
    expected = np.nan_to_num(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    np.testing.assert_allclose(found.forecasts[0, :, 0], expected, atol=0.6)
    newest = np.nan_to_num(values[-1])
    np.testing.assert_allclose(found.forecasts[0, :, 1], newest, atol=0.6)
    assert np.isfinite(found.ahead).all()
    assert np.isfinite(found.optimism).all()
