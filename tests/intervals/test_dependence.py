"""Ranks of the steps of sample paths: each alone is anywhere, and together they are correlated as the formula says."""

import numpy as np
import pytest
from scipy import special, stats

from seqcast.intervals import Dependence

NUMBERS = [(0.0, 0.0), (0.4, 0.0), (0.0, 0.8), (0.4, 0.7)]


def drawn(shared, persistence, shape=(20_000, 6)):
    return Dependence(shared, persistence).ranks(np.random.default_rng(0), shape)


@pytest.mark.parametrize(("shared", "persistence"), NUMBERS)
def test_each_step_alone_is_equally_often_anywhere(shared, persistence):
    ranks = drawn(shared, persistence)
    for step in range(ranks.shape[1]):
        assert stats.kstest(ranks[:, step], "uniform").statistic < 0.015


@pytest.mark.parametrize(("shared", "persistence"), NUMBERS)
def test_normal_scores_have_the_correlations_of_the_formula(shared, persistence):
    apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    expected = np.where(apart == 0, 1.0, shared + (1 - shared) * persistence**apart)
    np.testing.assert_allclose(np.corrcoef(special.ndtri(drawn(shared, persistence)).T), expected, atol=0.03)


def test_targets_do_not_depend_on_each_other():
    scores = special.ndtri(drawn(0.4, 0.7, shape=(20_000, 3, 2)))
    assert abs(np.corrcoef(scores.sum(axis=1).T)[0, 1]) < 0.03


@pytest.mark.parametrize("numbers", [(1.0, 0.0), (0.0, 1.0), (-0.1, 0.0)])
def test_numbers_outside_are_refused(numbers):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        Dependence(*numbers)
