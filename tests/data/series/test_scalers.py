"""Scaling is an affine map with an inverse, learnt from what is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqcast.data.series.scalers import SCALES, Scaler
from seqcast.errors import SpecError

rng = np.random.default_rng(0)

VALUES = {
    "[N, F]": rng.normal(3, 2, size=(40, 2)),
    "[N, T, F]": rng.normal(-5, 0.1, size=(10, 6, 3)),
    "single": rng.normal(0, 9, size=(10, 6, 1)).astype(np.float32),
    "whole numbers": rng.integers(-9, 9, size=(20, 2)),
    "huge": rng.normal(size=(50, 1)) * 1e200,
    "tiny": rng.normal(size=(50, 1)) * 1e-200,
    "far from zero": 1e4 + rng.normal(size=(50, 1)),
}
each = pytest.mark.parametrize("name", VALUES)


@each
def test_scaled_values_have_mean_zero_and_deviation_one(name):
    values = VALUES[name]
    transformed = Scaler.fit(values).transform(values)
    assert transformed.dtype == (values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64)
    scaled = transformed.reshape(-1, values.shape[-1])
    tolerance = 1e-5 if values.dtype == np.float32 else 1e-9
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=tolerance)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=tolerance)


@each
@pytest.mark.parametrize("scale", SCALES)
def test_inverse(name, scale):
    values = VALUES[name]
    scaler = Scaler.fit(values, scale)
    back = scaler.inverse(scaler.transform(values))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, values, rtol=1e-5 if values.dtype == np.float32 else 1e-12)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (12, 2), elements=st.integers(-1600, 1600).map(lambda i: i / 16)),
    hnp.arrays(np.bool_, (12, 2)),
)
def test_missing_values_are_left_out(values, missing):
    scaler = Scaler.fit(np.where(missing, np.nan, values))
    for column in range(2):
        seen = values[~missing[:, column], column]
        if len(seen) == 0:
            assert (scaler.loc[column], scaler.scale[column]) == (0, 1)
            continue
        np.testing.assert_allclose(scaler.loc[column], seen.mean(), atol=1e-9)
        wanted = seen.std() if np.ptp(seen) > 0 else 1
        np.testing.assert_allclose(scaler.scale[column], wanted, rtol=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, -7.25, 0.1, 1e300, 1e-300, 123456.789])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_loses_only_its_level(level, dtype):
    level = dtype(min(level, 1e38) if dtype is np.float32 else level)
    values = np.full((1000, 1), level)
    scaler = Scaler.fit(values)
    assert scaler.scale == 1
    np.testing.assert_allclose(scaler.transform(values), 0, atol=1e-6 * max(abs(float(level)), 1e-30))


def test_rounding_noise_on_a_constant_is_not_blown_up():
    values = 1e4 * (1 + 3e-16 * rng.normal(size=(100, 1)))
    assert np.ptp(values) > 0
    assert Scaler.fit(values).scale == 1
    single = (1e4 * (1 + 1e-7 * rng.normal(size=(100, 1)))).astype(np.float32)
    assert np.ptp(single) > 0
    assert Scaler.fit(single).scale == 1


@pytest.mark.parametrize(("factor", "shift"), [(3.0, 0.0), (1.0, -40.0), (0.01, 5.0), (1e6, 1e6)])
def test_units_do_not_matter(factor, shift):
    values = VALUES["[N, T, F]"]
    moved = values * factor + shift
    np.testing.assert_allclose(Scaler.fit(moved).transform(moved), Scaler.fit(values).transform(values), atol=1e-6)


def test_unknown_scale():
    with pytest.raises(SpecError, match=r"scale: expected one of 'standard', 'none', received 'standart'\. Did you"):
        Scaler.fit(np.zeros((2, 1)), "standart")
