"""The dependence of steps is that of the scores it is learnt from."""

import numpy as np
from scipy import special, stats

from seqcast.intervals import Dependence
from step_dependence import likeliest, normal_scores, variance_of_sum

PROBABILITIES = np.array([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
RNG = np.random.default_rng(0)


def test_the_dependence_that_was_drawn_is_found():
    ranks = Dependence(0.3, 0.8).ranks(np.random.default_rng(1), (20_000, 64))
    found = likeliest(special.ndtri(ranks))
    np.testing.assert_allclose([found.shared, found.persistence], [0.3, 0.8], atol=0.02)


def test_the_variance_of_a_sum_is_that_of_all_correlations():
    dependence, apart = Dependence(0.2, 0.7), np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
    np.testing.assert_allclose(variance_of_sum(dependence, 9), 0.2 * 81 + 0.8 * (0.7**apart).sum())


def test_normal_scores_of_a_right_forecast_are_normal():
    # The forecast of each value is its own distribution, by seven quantiles.
    truth = RNG.normal(size=(50_000, 1))
    quantiles = np.broadcast_to(special.ndtri(PROBABILITIES), (*truth.shape, len(PROBABILITIES)))
    scores = normal_scores(truth, quantiles, PROBABILITIES, RNG)
    assert stats.kstest(scores.ravel(), "norm").statistic < 0.03
    assert np.corrcoef(scores.ravel(), truth.ravel())[0, 1] > 0.97


def test_equal_quantiles_give_each_of_theirs_by_chance():
    # Zero has a probability of about 3 in 4: three quarters of the scores are drawn below the third quartile.
    quantiles = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
    scores = normal_scores(np.zeros((4_000, 1)), np.broadcast_to(quantiles, (4_000, 1, 7)), PROBABILITIES, RNG)
    ranks = special.ndtr(scores)
    assert ranks.min() >= 0.01
    assert ranks.max() <= 0.75
    assert stats.kstest((ranks.ravel() - 0.01) / 0.74, "uniform").statistic < 0.03
