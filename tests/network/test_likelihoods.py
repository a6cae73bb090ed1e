"""Likelihoods are SciPy's; random numbers for paths are spread evenly, independent, and turned into exact draws."""

import keras
import numpy as np
import pytest
from scipy import stats

from seqcast.network.heads import HEADS
from seqcast.network.likelihoods import (
    COUNT_UNIFORMS,
    LOG_LIKELIHOODS,
    count_noise,
    draw_count,
    uniforms,
)
from seqcast.runtime.backend import to_numpy as numpy

from .networks import largest_distance, log_density, references

SIZES = {"horizon": 5, "paths": 60, "targets": 2, "count": 3}


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def test_numbers_are_spread_evenly_over_the_paths():
    numbers = uniforms(3, **SIZES)
    assert numbers.shape == (5, 60, 2, 3)
    assert 0 < numbers.min() < numbers.max() < 1
    assert 0 < numbers.astype("float32").min() < numbers.astype("float32").max() < 1
    places = np.sort(np.floor(numbers * 60), axis=1)
    np.testing.assert_array_equal(
        places, np.broadcast_to(np.arange(60)[:, None, None], places.shape)
    )


def test_numbers_of_a_path_are_independent():
    numbers = uniforms(0, horizon=30, paths=2000, targets=1, count=2)[:, :, 0]
    flat = np.moveaxis(numbers, 1, 0).reshape(2000, -1)
    correlation = np.corrcoef(flat.T) - np.eye(60)
    assert np.abs(correlation).max() < 0.12
    assert largest_distance(flat[7], stats.uniform()) < 0.25  # along the steps of one path


def test_a_seed_has_its_own_numbers_which_stay_and_longer_horizons_go_on():
    numbers = uniforms(3, **SIZES)
    np.testing.assert_array_equal(uniforms(3, **{**SIZES, "horizon": 2}), numbers[:2])
    assert np.abs(numbers - uniforms(4, **SIZES)).max() > 0.1
    with pytest.raises(ValueError, match="read-only"):
        numbers[:] = 0.5


@pytest.mark.parametrize("name", LOG_LIKELIHOODS)
def test_likelihoods_are_those_of_scipy(name):
    parameters, frozen = references(name)
    for row, one in zip(parameters.astype("float32"), frozen, strict=True):
        values = one.ppf([1e-6, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6]).astype("float32")
        ours = numpy(LOG_LIKELIHOODS[name](tensor(values), tensor(row)))
        np.testing.assert_allclose(
            ours, log_density(one, values.astype(float)), rtol=2e-4, atol=1e-2
        )


@pytest.mark.parametrize("name", LOG_LIKELIHOODS)
def test_draws_are_exact(name):
    head = HEADS[name](3, 1)
    (parameters, frozen) = references(name)
    numbers = uniforms(0, horizon=1, paths=20_000, targets=1, count=head.uniforms)
    noise = tensor(head.noise(numbers))  # [1, paths, 1, k]
    for row, one in zip(parameters, frozen, strict=True):
        drawn = numpy(head.draw(tensor(row)[None, None, None], noise)).ravel().astype(float)
        assert largest_distance(drawn, one) < 0.012
        if name == "negative_binomial":
            np.testing.assert_array_equal(drawn, np.abs(np.floor(drawn)))


def test_draws_of_quantiles_are_those_of_their_lines():
    head = HEADS["quantile"](3, 1, quantiles=(0.1, 0.5, 0.9))
    numbers = uniforms(0, horizon=1, paths=1000, targets=1, count=1)
    drawn = numpy(head.draw(tensor([1.0, 2.0, 5.0])[None, None, None], tensor(head.noise(numbers))))
    np.testing.assert_allclose(
        np.quantile(drawn, (0.1, 0.5, 0.9), method="hazen"), [1.0, 2.0, 5.0], atol=0.02
    )


def test_nothing_is_expected_and_nothing_comes():
    noise = count_noise(uniforms(0, horizon=1, paths=50, targets=1, count=COUNT_UNIFORMS))
    counts = draw_count(tensor(np.zeros((1, 50, 1))), tensor(np.ones((1, 50, 1))), tensor(noise))
    np.testing.assert_array_equal(numpy(counts), 0.0)
