"""Copulas of sample paths: the formula, what is learned from normal scores, ranks of truths."""

import numpy as np
import pytest
from scipy import special, stats

from seqcast.intervals import Copula, Dependence, normal_scores
from seqcast.intervals.dependence import correlation_across, likeliest, variance_of_sum
from tests.rejections import rejected

NUMBERS = [(0.0, 0.0), (0.4, 0.0), (0.0, 0.8), (0.4, 0.7)]


def drawn(shared, persistence, shape=(20_000, 6), seed=0):
    return Dependence(shared, persistence).scores(np.random.default_rng(seed), shape)


def expected(shared, persistence, steps):
    lags = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    return np.where(lags == 0, 1.0, shared + (1 - shared) * persistence**lags)


@pytest.mark.parametrize(("shared", "persistence"), NUMBERS)
def test_each_step_alone_is_normal_and_two_have_the_correlation_of_the_formula(shared, persistence):
    scores = drawn(shared, persistence)
    for step in range(scores.shape[1]):
        assert stats.kstest(scores[:, step], "norm").statistic < 0.015
    np.testing.assert_allclose(np.corrcoef(scores.T), expected(shared, persistence, 6), atol=0.03)


@pytest.mark.parametrize(("shared", "persistence"), NUMBERS)
@pytest.mark.parametrize("steps", [2, 5, 12])
def test_the_variance_of_a_sum_is_the_sum_of_the_formula(shared, persistence, steps):
    plain = expected(shared, persistence, steps).sum()
    np.testing.assert_allclose(
        variance_of_sum(np.array(shared), np.array(persistence), steps), plain
    )


def test_targets_do_not_depend_on_each_other():
    assert abs(np.corrcoef(drawn(0.4, 0.7, shape=(20_000, 3, 2)).sum(axis=1).T)[0, 1]) < 0.03


@pytest.mark.parametrize("numbers", [(1.0, 0.0), (0.0, 1.0), (-0.1, 0.0)])
def test_numbers_outside_are_rejected(numbers):
    rejected(ValueError, "at least 0 and below 1", Dependence, *numbers)
    rejected(ValueError, "at least 0 and below 1", Copula, across=numbers[0] or numbers[1])


@pytest.mark.parametrize(("shared", "persistence"), NUMBERS)
def test_what_was_drawn_is_found_also_with_gaps_and_a_few_wild_windows(shared, persistence):
    scores = drawn(shared, persistence, shape=(6_000, 28))
    scores[:150] = 3.0
    scores[np.random.default_rng(1).random(scores.shape) < 0.01] = np.nan
    found = likeliest(scores)
    np.testing.assert_allclose([found.shared, found.persistence], [shared, persistence], atol=0.2)


def test_both_numbers_change_until_sums_are_held_as_far_as_windows_show():
    scores = drawn(0.4, 0.5, shape=(2_000, 16))
    prior = Dependence(0.4, 0.5)
    times = np.arange(len(scores))
    plain = Copula.learn(scores, times, prior).steps

    def held(steps):
        return 0.7 + 0.2 * steps.shared / plain.shared  # 80 % are held at half of the number

    halved, few = (
        Copula.learn(scores[:count], times[:count], prior, held=held).steps for count in (2_000, 3)
    )
    assert halved.shared / plain.shared == pytest.approx(0.5, abs=0.01)
    assert halved.persistence == pytest.approx(plain.persistence**2, abs=0.01)
    by_scores = Copula.learn(scores[:3], times[:3], prior).steps
    assert few.shared / by_scores.shared > 0.6


def test_steps_that_cannot_be_compared_leave_the_prior():
    prior = Dependence(0.3, 0.6)
    for scores in (np.zeros((5, 1)), np.full((5, 4), np.nan)):
        assert Copula.learn(scores, np.arange(5), prior).steps == prior


def test_few_windows_stay_near_the_prior_and_windows_of_one_time_count_less():
    prior = Dependence(0.0, 0.0)
    scores = drawn(0.6, 0.0, shape=(2_000, 8))
    few = Copula.learn(scores[:2], np.arange(2), prior).steps.shared
    many = Copula.learn(scores, np.arange(2_000), prior).steps.shared
    assert few < 0.5 < many
    together = np.repeat(scores[:40], 50, axis=0)
    alike = Copula.learn(together, np.arange(40).repeat(50), prior)
    assert alike.across > 0.9
    assert alike.steps.shared < many


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
def test_the_correlation_over_series_is_that_of_pairs_at_one_time(correlation):
    rng = np.random.default_rng(0)
    common = rng.normal(size=(800, 1, 3))
    own = rng.normal(size=(800, 4, 3))
    scores = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    scores[rng.random(scores.shape) < 0.1] = np.nan
    found = correlation_across(scores.reshape(-1, 3), np.arange(800).repeat(4))
    assert found == pytest.approx(correlation, abs=0.03)
    ranks = Copula(across=correlation).ranks(own, np.broadcast_to(common, own.shape))
    mine, others = special.ndtri(ranks[:, :2].reshape(-1, 2, 3)).transpose(1, 0, 2).reshape(2, -1)
    assert np.corrcoef(mine, others)[0, 1] == pytest.approx(correlation, abs=0.05)


@pytest.mark.parametrize(
    "values", [np.linspace(-2, 2, 41), np.repeat(np.arange(4.0), [20, 11, 6, 4])]
)
def test_scores_of_draws_are_normal_also_where_quantiles_are_equal(values):
    rng = np.random.default_rng(0)
    probabilities = np.linspace(0.01, 0.99, 41)
    truth = np.interp(rng.random(4_000), probabilities, values)
    if len(np.unique(values)) < 41:  # as a count is drawn from quantiles
        truth = values[np.searchsorted(probabilities, rng.random(4_000)).clip(0, 40)]
    scores = normal_scores(truth, np.tile(values, (4_000, 1)), probabilities, rng)
    assert stats.kstest(scores, "norm").statistic < 0.03
    assert np.isnan(normal_scores(np.array([np.nan]), values[None], probabilities, rng)).all()
