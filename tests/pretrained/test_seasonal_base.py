"""The base is a mean of smoothings, in which those count more that have erred less."""

import numpy as np
import pytest

from seqcast.pretrained import seasonal_base as module
from seqcast.pretrained.autoregression import AUTOREGRESSIONS, autoregressed
from seqcast.pretrained.seasonal_base import (
    BASE_FORECASTS,
    FAR_STEPS,
    GAINS,
    NEAR_STEPS,
    SeasonalBase,
)
from seqcast.pretrained.simple_models import (
    CHECKS,
    FARTHEST,
    SimpleForecasts,
    checks_of,
    lowest_again,
)
from seqcast.pretrained.smoothing import smoothed

ROWS = 12
LENGTH = 80
HORIZON = 11
NONE = np.zeros(ROWS, int)


def walks(seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(ROWS, LENGTH)), axis=1) + shift, rng.choice([1, 3, 7], ROWS)


@pytest.mark.parametrize("seed", range(3))
def test_the_base_is_a_mean_by_errors(seed):
    past, season = walks(seed, -60)  # none is positive, so logarithms are not taken
    loc, scale = module.WindowUnits.of(past, season)
    values = (past - loc) / scale
    found = SimpleForecasts.concat(
        [smoothed(values, season, HORIZON, GAINS), autoregressed(values, season, NONE, HORIZON)]
    )
    errors = np.abs(found.ahead - values[:, :, None]).mean(axis=1) * found.optimism
    weights = errors**-4.0
    for steps in checks_of(LENGTH):
        weights /= (
            np.abs(found.checks[steps] - values[:, -steps:, None]).mean(axis=1) * found.optimism
        )
    # A model that says nothing of a window does not count.
    weights = np.nan_to_num(weights)
    weights /= weights.sum(axis=1, keepdims=True)
    found = found.mapped(np.nan_to_num)
    base = SeasonalBase.of(past, season, NONE, HORIZON)
    np.testing.assert_allclose(
        base.forecast, np.einsum("bhk,bk->bh", found.forecasts, weights), rtol=1e-6, atol=1e-6
    )
    one_ahead = np.einsum("btk,bk->bt", found.ahead, weights)
    np.testing.assert_allclose(base.surprises, values - one_ahead, atol=1e-6)
    checked = np.einsum("btk,bk->bt", found.checks[8], weights)
    np.testing.assert_allclose(
        base.check_errors[:, 1], np.abs(checked - values[:, -8:]).mean(axis=1), rtol=1e-6
    )
    assert np.isnan(base.check_errors[:, len(checks_of(LENGTH)) :]).all()


def test_a_longer_season_is_continued_where_more_than_one_of_it_is_known():
    """Each day has an hour of its own in a week, which the last day does not show."""
    week = np.where(np.arange(28) % 4 == np.repeat(np.arange(7) % 4, 4), 5.0, 0.0) + np.repeat(
        np.arange(7.0), 4
    )
    past = np.tile(week, 4)[None]
    given, once, missing, short = (
        SeasonalBase.of(values, np.array([4]), np.array([longer]), 28)
        for values, longer in ((past, 28), (past[:, -50:], 28), (past, 0), (past[:, -32:], 28))
    )
    for base in (given, once):
        np.testing.assert_allclose(base.in_units, week[None], atol=0.2)
    assert np.abs(missing.in_units - week).mean() > 1
    of_longer = [place for place, name in enumerate(BASE_FORECASTS) if "longer" in name]
    others = 2 * (len(GAINS) + len(AUTOREGRESSIONS)) + 1
    assert given.models.forecasts.shape[2] == len(BASE_FORECASTS) == others + len(of_longer)
    assert len(of_longer) == 2 * len(module.LONGER_SEASON_MODELS)
    for base in (missing, short):
        assert np.isnan(base.models.forecasts[:, :, of_longer]).all()
        assert (base.weights[:, of_longer] == 0).all()
        assert np.isfinite(base.forecast).all()
        assert base.weights.sum() == pytest.approx(1)


def test_logarithms_are_smoothed_where_all_is_positive():
    past, season = walks(1)
    past[:6] = np.exp(past[:6] / 5)
    past[6:] -= 100
    found = module.both_ways_smoothed(past, season, HORIZON, GAINS)
    loc, scale = module.WindowUnits.of(past, season)
    values, logarithms = np.split(found.forecasts, 2, axis=2)
    np.testing.assert_array_equal(values[6:], logarithms[6:])
    own = smoothed(np.log(past[:6]), season[:6], HORIZON, GAINS, module.DAMPING_OF_LOGARITHMS)
    grown = (np.exp(own.forecasts) - loc[:6, :, None]) / scale[:6, :, None]
    np.testing.assert_allclose(
        logarithms[:6], np.clip(grown, -FARTHEST, FARTHEST), rtol=1e-6, atol=1e-6
    )


def test_weights_are_those_of_errors_that_are_known():
    errors = np.array([[1.0, 2.0, np.nan], [np.nan] * 3, [0.0, 1.0, 0.0]])
    checks = np.full((len(CHECKS), 3, 3), np.nan)
    checks[0, 0] = checks[4, 0] = [1.0, 4.0, np.nan]
    errors = np.concatenate([errors[None], checks])
    weights = module.weights_by_errors(errors, module.NEAR, np.ones(3))
    np.testing.assert_allclose(weights[0], np.array([256, 1, 0]) / 257)
    np.testing.assert_allclose(weights[1], 1 / 3)
    np.testing.assert_allclose(weights[2], [0.5, 0, 0.5], atol=1e-9)
    # Far ahead the check of 64 steps decides, and neither that of 4 steps nor so much the errors
    # one step ahead.
    far = module.weights_by_errors(errors, module.FAR, np.array([1.0, 3.0, 1.0]))
    np.testing.assert_allclose(far[0], np.array([32, 3, 0]) / 35)


def test_far_steps_are_weighted_by_what_was_right_far_ahead():
    """A wave under a level that jumps to and fro: one step ahead the newest value is best, far ahead the wave."""
    rng = np.random.default_rng(0)
    waves = np.sin(2 * np.pi * np.arange(400 + FAR_STEPS + 4) / 24 + rng.uniform(0, 6, (ROWS, 1)))
    past = waves[:, :400] + 0.7 * np.repeat(rng.normal(size=(ROWS, 40)), 10, axis=1)
    base = SeasonalBase.of(past, np.full(ROWS, 24), NONE, FAR_STEPS + 4)
    said = np.nan_to_num(base.models.forecasts)
    near, far = (
        np.einsum("bhk,bk->bh", said, weights) for weights in (base.weights, base.far_weights)
    )
    assert np.abs(near - far).max() > 0.05
    np.testing.assert_allclose(base.forecast[:, :NEAR_STEPS], near[:, :NEAR_STEPS])
    np.testing.assert_allclose(base.forecast[:, FAR_STEPS - 1 :], far[:, FAR_STEPS - 1 :])
    between = int(np.sqrt(NEAR_STEPS * FAR_STEPS) + 0.5)
    halfway = (near + far)[:, between - 1] / 2
    np.testing.assert_allclose(
        base.forecast[:, between - 1], halfway, atol=0.02 * np.abs(near - far).max()
    )
    truth = (waves[:, 400 + NEAR_STEPS :] - base.loc) / base.scale
    assert np.abs(far[:, NEAR_STEPS:] - truth).mean() < np.abs(near[:, NEAR_STEPS:] - truth).mean()


def test_without_far_checks_all_steps_are_weighted_alike():
    past, season = walks(2)
    base = SeasonalBase.of(past, season, NONE, FAR_STEPS)
    np.testing.assert_array_equal(base.weights, base.far_weights)


def test_of_counts_that_are_mostly_zero_the_base_is_near_zero():
    rng = np.random.default_rng(1)
    counts = (rng.random((ROWS, 36)) < 0.2) * rng.poisson(3.0, (ROWS, 36))
    counts[:, :4] = [0, 0, 5, 0]
    base = SeasonalBase.of(counts.astype(float), np.full(ROWS, 12), NONE, 12)
    assert np.median(base.in_units) < 0.1
    assert (base.weights[:, -1] > 0.5).all()
    # What is zero by night has a season all the same, and what is zero now and then has a mean.
    days = np.tile(np.maximum(0, np.sin(2 * np.pi * np.arange(24) / 24)), (ROWS, 10))
    season = SeasonalBase.of(days + 0.0 * NONE[:, None], np.full(ROWS, 24), NONE, 24)
    np.testing.assert_allclose(season.in_units, days[:, :24], atol=0.02)


@pytest.mark.parametrize("length", [1, 2, 9, 40, 600])
def test_the_lowest_value_comes_again_where_it_is_frequent(length):
    rng = np.random.default_rng(length)
    values = rng.poisson(0.4, (ROWS, length)).astype(float)
    values[:, : length // 2] += 1  # the lowest value comes late
    values[rng.random(values.shape) < 0.1] = np.nan
    found = lowest_again(values, HORIZON)
    for row, own in enumerate(values):
        known = own[~np.isnan(own)]
        often = len(known) > 0 and 3 * (known == known.min()).sum() >= len(known)
        np.testing.assert_array_equal(found.forecasts[row, :, 0], known.min() if often else np.nan)
        before = [np.fmin.reduce(own[:step], initial=np.nan) for step in range(length)][-512:]
        np.testing.assert_array_equal(
            found.ahead[row, :, 0], before if often else np.full(len(before), np.nan)
        )
        for steps in checks_of(length):
            checked = np.fmin.reduce(own[:-steps]) if often and len(known) >= 2 * steps else np.nan
            np.testing.assert_array_equal(found.checks[steps][row, :, 0], checked)


def continued(past, season=1, longer=0, horizon=12):
    """Return what series are continued with, in their own units."""
    past, ones = np.atleast_2d(past), np.ones(len(np.atleast_2d(past)), int)
    return SeasonalBase.of(past, season * ones, longer * ones, horizon).in_units


@pytest.mark.parametrize("values", [[100.0, 150.0], [150.0, 100.0], [3.0, 4.0], [1.0, 2.0, 3.0]])
def test_a_few_values_are_no_trend(values):
    np.testing.assert_allclose(continued(values), values[-1])
    np.testing.assert_allclose(continued(values, 12), np.mean(values))


def test_of_nothing_known_all_models_say_the_same():
    base = SeasonalBase.of(np.full((2, 20), np.nan), np.array([4, 1]), np.array([8, 0]), 5)
    assert (base.forecast == 0).all()
    assert (np.nan_to_num(base.models.forecasts) == 0).all()


@pytest.mark.parametrize(
    "values", [np.exp(np.linspace(-700, -10, 8)), np.exp(np.linspace(-10, 600, 8))]
)
def test_logarithms_overflow_nowhere(values):
    base = SeasonalBase.of(values[None], np.array([1]), np.array([0]), 100)
    assert np.isfinite(base.forecast).all()
    assert np.abs(base.models.forecasts[:, :, :20]).max() <= FARTHEST
