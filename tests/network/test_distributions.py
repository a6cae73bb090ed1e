"""What is asked of distributions, against SciPy's own and against draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from seqcast.network.distributions import (
    DISTRIBUTIONS,
    LogNormal,
    NegativeBinomial,
    Normal,
    Parametric,
    Quantiles,
    Sampled,
    distribution_of,
    quantile_weights,
)
from seqcast.specs.network import CHOICES, NetworkSpec

from .networks import REFERENCES, references

PROBABILITIES = (0.001, 0.1, 0.25, 0.5, 0.9, 0.999)

each_reference = pytest.mark.parametrize("name", REFERENCES)


@each_reference
def test_mean_and_quantiles_and_probabilities_are_those_of_scipy(name):
    distribution = distribution_of(NetworkSpec(head=name))
    (parameters, frozen) = references(name)
    np.testing.assert_allclose(
        distribution.mean(parameters), [one.mean() for one in frozen], rtol=1e-9
    )
    quantiles = distribution.quantile(parameters, PROBABILITIES)
    np.testing.assert_allclose(
        quantiles, [one.ppf(PROBABILITIES) for one in frozen], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(
        distribution.median(parameters), [one.median() for one in frozen], rtol=1e-6, atol=1e-9
    )
    for place in range(len(PROBABILITIES)):
        y = quantiles[:, place]
        expected = [one.cdf(value) for one, value in zip(frozen, y, strict=True)]
        np.testing.assert_allclose(distribution.cdf(parameters, y), expected, rtol=1e-6)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_shapes_and_names_and_quantiles_that_rise_with_their_probability_in_any_order(name):
    distribution = distribution_of(NetworkSpec(head=name))
    count = len(distribution.parameters)
    parameters = np.sort(np.random.default_rng(0).uniform(2.1, 9.0, (5, 4, 3, count)), axis=-1)
    asked = np.random.default_rng(2).uniform(0.0005, 0.9995, 60)
    quantiles = distribution.quantile(parameters, asked)
    assert quantiles.shape == (5, 4, 3, 60)
    assert (np.diff(quantiles[..., np.argsort(asked)], axis=-1) >= 0).all()
    assert distribution.mean(parameters).shape == distribution.median(parameters).shape == (5, 4, 3)
    assert distribution.cdf(parameters, np.ones((5, 4, 3))).shape == (5, 4, 3)
    assert list(DISTRIBUTIONS) == list(CHOICES["head"][1:])


def test_no_count_is_below_nothing_and_no_fraction_counts():
    parameters = np.array([3.0, 0.5])
    distribution = NegativeBinomial()
    np.testing.assert_array_equal(distribution.cdf(parameters, np.array([-0.5, -3.0])), 0.0)
    assert distribution.cdf(parameters, np.array(2.7)) == distribution.cdf(
        parameters, np.array(2.0)
    )
    np.testing.assert_array_equal(LogNormal().cdf(np.array([0.0, 1.0]), np.array([0.0, -1.0])), 0.0)


# ---------------------------------------------------------------- known quantiles


@settings(max_examples=60, deadline=None)
@given(
    probabilities=st.sets(st.integers(5, 495), min_size=2, max_size=6), seed=st.integers(0, 1000)
)
def test_known_quantiles_come_back_and_all_others_lie_in_order(probabilities, seed):
    probabilities = tuple(sorted(each / 500 for each in probabilities))
    values = np.cumsum(np.random.default_rng(seed).exponential(1.0, len(probabilities))) - 2.0
    distribution = Quantiles(probabilities)
    np.testing.assert_allclose(distribution.quantile(values, probabilities), values, rtol=1e-12)
    asked = np.linspace(0.001, 0.999, 97)
    quantiles = distribution.quantile(values, asked)
    assert (np.diff(quantiles) >= 0).all()
    np.testing.assert_allclose(
        distribution.cdf(np.tile(values, (97, 1)), quantiles), asked, atol=1e-9
    )
    np.testing.assert_allclose(quantile_weights(probabilities, asked).sum(-1), 1.0)


def test_the_mean_is_that_of_the_lines_and_tails():
    values = np.array([1.0, 2.0, 5.0])
    distribution = Quantiles((0.1, 0.5, 0.8))
    expected, _ = integrate.quad(
        lambda p: distribution.quantile(values, (p,))[0], 0, 1, points=(0.1, 0.5, 0.8)
    )
    assert distribution.mean(values) == pytest.approx(expected, rel=1e-6)


def test_quantiles_that_agree_are_a_jump_without_a_tail():
    distribution = Quantiles((0.1, 0.5, 0.9))
    values = np.array([3.0, 3.0, 3.0])
    np.testing.assert_array_equal(distribution.quantile(values, (0.01, 0.5, 0.99)), 3.0)
    np.testing.assert_array_equal(
        distribution.cdf(np.tile(values, (3, 1)), np.array([2.9, 3.0, 3.1])), [0.0, 1.0, 1.0]
    )
    assert distribution.mean(values) == 3.0


def test_exact_on_an_exponential_tail():
    exponential = stats.expon(scale=2.0)
    known = (0.5, 0.9, 0.95)
    far = (0.97, 0.99, 0.9999)
    quantiles = Quantiles(known).quantile(exponential.ppf(known), far)
    np.testing.assert_allclose(quantiles, exponential.ppf(far), rtol=1e-9)


# ---------------------------------------------------------------- whole forecasts


def test_paths_and_parameters_answer_the_same_questions():
    parameters = np.tile([10.0, 2.0], (3, 4, 1, 1))
    known = Parametric(Normal(), parameters)
    paths = np.random.default_rng(0).normal(10.0, 2.0, (4000, 3, 4, 1))
    sampled = Sampled(np.moveaxis(paths, 0, 1))
    for name, asked in (
        ("mean", ()),
        ("median", ()),
        ("quantile", ((0.1, 0.9),)),
        ("cdf", (np.full((3, 4, 1), 11.0),)),
    ):
        ours, expected = (getattr(forecast, name)(*asked) for forecast in (sampled, known))
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, atol=0.025 if name == "cdf" else 0.25)


def test_quantiles_of_counts_are_counts():
    paths = np.array([0.0, 0.0, 1.0, 4.0]).reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(
        Sampled(paths, whole=True).quantile((0.5, 0.6, 0.9)).ravel(), [0.0, 1.0, 4.0]
    )
    assert Sampled(paths).median().item() == 0.5
