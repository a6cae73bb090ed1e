"""The fit of the formula finds the formula."""

import numpy as np
import pytest

from seqcast.studies.oracle import SineFit
from seqcast.studies.tasks import sine_windows


@pytest.mark.parametrize("sizes", [{"sines": 1}, {"sines": 2}])
def test_the_fit_continues_what_it_knows_the_formula_of(sizes):
    past, future, _ = sine_windows(30, seed=4, num_signals=sizes["sines"], frequency=(1.0, 9.0))
    forecast = SineFit(15, frequency=(1.0, 9.0), **sizes)(past[:, :, 0], 15)
    assert np.median(np.square(forecast - future[:, :, 0]).mean(axis=1)) < 1e-4


def test_a_penalty_keeps_a_fit_of_noise_small():
    noise = np.random.default_rng(0).normal(size=(10, 12))
    free, held = (SineFit(12, penalty=penalty)(noise, 12) for penalty in (0.0, 5.0))
    assert np.abs(held).mean() < 0.5 * np.abs(free).mean()


def test_a_fit_may_be_without_a_constant():
    flat = np.ones((1, 20))
    with_constant = SineFit(20, frequency=(2.0, 9.0))(flat, 5)
    without = SineFit(20, frequency=(2.0, 9.0), offset=False)(flat, 5)
    np.testing.assert_allclose(with_constant, 1.0, atol=1e-3)
    assert np.abs(without - 1).max() > 0.1
