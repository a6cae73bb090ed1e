"""Random numbers for paths: spread evenly, independent, and turned into exact draws."""

import keras
import numpy as np
import pytest
from scipy import stats

from seqcast.network.heads import HEADS
from seqcast.network.likelihoods import COUNT_UNIFORMS, count_noise, draw_count, uniforms
from seqcast.runtime.backend import to_numpy as numpy

SIZES = {"horizon": 5, "paths": 60, "targets": 2, "count": 3}


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def test_numbers_are_spread_evenly_over_the_paths():
    numbers = uniforms([3, 4], **SIZES)
    assert numbers.shape == (5, 2, 60, 2, 3)
    assert 0 < numbers.min() < numbers.max() < 1
    assert 0 < numbers.astype("float32").min() < numbers.astype("float32").max() < 1
    places = np.sort(np.floor(numbers * 60), axis=2)
    np.testing.assert_array_equal(places, np.broadcast_to(np.arange(60)[:, None, None], places.shape))


def test_numbers_of_a_path_are_independent():
    numbers = uniforms([0], horizon=30, paths=2000, targets=1, count=2)[:, 0, :, 0]
    flat = np.moveaxis(numbers, 1, 0).reshape(2000, -1)
    correlation = np.corrcoef(flat.T) - np.eye(60)
    assert np.abs(correlation).max() < 0.12
    assert stats.kstest(flat[7], "uniform").pvalue > 1e-3  # along the steps of one path


def test_a_seed_is_a_rows_own_and_longer_horizons_go_on():
    numbers = uniforms([3, 4], **SIZES)
    np.testing.assert_array_equal(uniforms([4], **SIZES)[:, 0], numbers[:, 1])
    np.testing.assert_array_equal(uniforms([3, 4], **{**SIZES, "horizon": 2}), numbers[:2])
    assert np.abs(numbers[:, 0] - numbers[:, 1]).max() > 0.1


def draws(name, parameters, count=4000, seed=0):
    """Draw so many times from each row of parameters, [rows, P]."""
    head = HEADS[name](3, 1)
    numbers = uniforms([seed], horizon=1, paths=count, targets=1, count=head.uniforms)
    noise = tensor(head.noise(numbers)[0])  # [1, paths, 1, k]
    return numpy(head.draw(tensor(parameters)[:, None, None], noise))[:, :, 0]


@pytest.mark.parametrize(
    ("name", "parameters", "reference"),
    [
        ("normal", (-3.0, 2.0), stats.norm(-3, 2)),
        ("student_t", (2.1, 1.0, 0.5), stats.t(2.1, 1, 0.5)),
        ("student_t", (30.0, 0.0, 1.0), stats.t(30)),
        ("log_normal", (1.0, 0.7), stats.lognorm(0.7, scale=np.e)),
    ],
)
def test_draws_of_heads_are_exact(name, parameters, reference):
    drawn = draws(name, [parameters])[0].astype(float)
    assert stats.kstest(drawn, reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("mean", "dispersion"),
    [(0.05, 3.0), (0.8, 0.5), (3.0, 8.0), (9.0, 1e-4), (14.0, 1e-4), (40.0, 0.2), (1000.0, 0.001), (3e5, 0.5)],
)
def test_draws_of_counts_are_exact(mean, dispersion):
    drawn = draws("negative_binomial", [(mean, dispersion)], count=20_000)[0].astype(float)
    reference = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    np.testing.assert_array_equal(drawn, np.floor(drawn))
    assert drawn.min() >= 0
    edges = np.unique(reference.ppf(np.linspace(0.05, 0.95, 19)))
    bounds = np.concatenate([[-1], edges, [np.inf]])
    expected = np.diff(reference.cdf(bounds)) * len(drawn)
    counted = np.histogram(drawn, bins=np.concatenate([[-0.5], edges + 0.5, [np.inf]]))[0]
    kept = expected > 5
    chi_square = np.sum((counted - expected)[kept] ** 2 / expected[kept])
    assert stats.chi2.sf(chi_square, max(1, kept.sum() - 1)) > 1e-4


def test_draws_of_quantiles_are_those_of_their_lines():
    head = HEADS["quantile"](3, 1, quantiles=(0.1, 0.5, 0.9))
    numbers = uniforms([0], horizon=1, paths=1000, targets=1, count=1)
    drawn = numpy(head.draw(tensor([1.0, 2.0, 5.0])[None, None, None], tensor(head.noise(numbers)[0])))
    np.testing.assert_allclose(np.quantile(drawn, (0.1, 0.5, 0.9), method="hazen"), [1.0, 2.0, 5.0], atol=0.02)


def test_nothing_is_expected_and_nothing_comes():
    noise = count_noise(uniforms([0], horizon=1, paths=50, targets=1, count=COUNT_UNIFORMS))[0]
    counts = draw_count(tensor(np.zeros((1, 50, 1))), tensor(np.ones((1, 50, 1))), tensor(noise))
    np.testing.assert_array_equal(numpy(counts), 0.0)
