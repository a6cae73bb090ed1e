"""Scaling is an affine map with an inverse, learned from what is there: for all series, or for each by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqcast.data.series.scalers import SCALES, SERIES_SCALES, Scaler, SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.errors import SpecError
from seqcast.forecaster.defaults import scale_rule

rng = np.random.default_rng(0)

VALUES = {
    "[N, T, F]": rng.normal(-5, 0.1, size=(10, 6, 3)),
    "single": rng.normal(0, 9, size=(10, 6, 1)).astype(np.float32),
    "whole numbers": rng.integers(-9, 9, size=(20, 2)),
    "huge": rng.normal(size=(50, 1)) * 1e200,
    "tiny": rng.normal(size=(50, 1)) * 1e-200,
}
each_array = pytest.mark.parametrize("name", VALUES)


@each_array
def test_scaled_values_have_mean_zero_and_deviation_one(name):
    values = VALUES[name]
    transformed = Scaler.fit(values).transform(values)
    assert transformed.dtype == (
        values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
    )
    scaled = transformed.reshape(-1, values.shape[-1])
    tolerance = 1e-5 if values.dtype == np.float32 else 1e-9
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=tolerance)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=tolerance)


@each_array
@pytest.mark.parametrize("scale", SCALES)
def test_inverse(name, scale):
    values = VALUES[name]
    scaler = Scaler.fit(values, scale)
    back = scaler.inverse(scaler.transform(values))
    assert back.dtype == np.float64
    tolerance = 1e-5 if values.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(back, values, rtol=tolerance, atol=tolerance * np.abs(values).max())


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (12, 2), elements=st.integers(-1600, 1600).map(lambda i: i / 16)),
    hnp.arrays(np.bool_, (12, 2)),
)
def test_missing_values_are_left_out(values, missing):
    scaler = Scaler.fit(np.where(missing, np.nan, values))
    for column in range(2):
        seen = values[~missing[:, column], column]
        level, width = (seen.mean(), seen.std()) if len(seen) else (0, 0)
        np.testing.assert_allclose(scaler.loc[column], level, atol=1e-9)
        np.testing.assert_allclose(scaler.scale[column], width or 1, rtol=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, -7.25, 0.1, 1e300, 1e-300, 123456.789])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_loses_only_its_level(level, dtype):
    level = dtype(min(level, 1e38) if dtype is np.float32 else level)
    values = np.full((1000, 1), level)
    scaler = Scaler.fit(values)
    assert scaler.scale == 1
    np.testing.assert_allclose(
        scaler.transform(values), 0, atol=1e-6 * max(abs(float(level)), 1e-30)
    )


def test_rounding_noise_on_a_constant_is_not_blown_up():
    for dtype, noise in ((np.float64, 3e-16), (np.float32, 1e-7)):
        values = (1e4 * (1 + noise * rng.normal(size=(100, 1)))).astype(dtype)
        assert np.ptp(values) > 0
        assert Scaler.fit(values).scale == 1


def test_unknown_scale():
    with pytest.raises(
        SpecError, match=r"scale: expected one of 'standard', 'none', received 'standart'\. Did you"
    ):
        Scaler.fit(np.zeros((2, 1)), "standart")


# ---------------------------------------------------------------- each series by itself

each_scale = pytest.mark.parametrize("scale", SERIES_SCALES)


def plain(values, scale):
    """Return loc and scale of one series by their definitions."""
    seen = values[~np.isnan(values)]
    logs = np.log1p(seen / (np.abs(seen).mean() / 100 if scale == "log" else 1.0))
    low, middle, high = np.quantile(seen, [0.25, 0.5, 0.75])
    return {
        "standard": (seen.mean(), seen.std()),
        **dict.fromkeys(("log1p", "log"), (logs.mean(), logs.std())),
        "robust": (middle, high - low),
        "minmax": (seen.min(), np.ptp(seen)),
        "mean": (0.0, np.abs(seen).mean()),
        "none": (0.0, 1.0),
    }[scale]


def rule(values, ends, stops, season_length):
    return scale_rule(InMemoryStore(tuple(range(len(ends))), ends, values), stops, season_length)


@each_scale
def test_one_series_at_a_time(scale):
    lengths = np.array([9, 1, 30, 4])
    stops = np.array([9, 1, 20, 3])
    values = rng.gamma(2, 5, size=(lengths.sum(), 2))
    values[[3, 15, 16], 0] = np.nan
    ends = np.cumsum(lengths)
    scaler = SeriesScaler.fit(values, ends, stops, scale)
    for series, (end, length, stop) in enumerate(zip(ends, lengths, stops, strict=True)):
        for column in range(2):
            own = values[end - length : end - length + stop, column]
            level, width = plain(own, scale)
            assert scaler.loc[series, column] == pytest.approx(level, abs=1e-9)
            if width > 1e-9:
                assert scaler.scale[series, column] == pytest.approx(width)


@each_scale
@pytest.mark.parametrize("magnitude", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("kind", ["noise", "constant", "zero", "far"])
def test_there_and_back_at_any_magnitude(scale, magnitude, kind):
    values = {
        "noise": rng.gamma(2, 1, size=(20, 1)),
        "constant": np.full((20, 1), 3.0),
        "zero": np.zeros((20, 1)),
        "far": 1e3 + rng.normal(size=(20, 1)),
    }[kind] * magnitude
    scaler = SeriesScaler.fit(values, np.array([20]), np.array([15]), scale)
    assert (scaler.scale > 0).all()
    scaled = scaler.transform(values[None])
    assert np.isfinite(scaled).all()
    if np.abs(values).max() < 1e15 or scale != "none":  # unscaled values beyond are cut off
        np.testing.assert_allclose(
            scaler.inverse(scaled)[0], values, rtol=1e-9, atol=1e-9 * magnitude
        )


def test_nothing_seen_and_wild_values():
    scaler = SeriesScaler.fit(np.full((4, 1), np.nan), np.array([4]), np.array([4]), "robust")
    assert (scaler.loc, scaler.scale) == (0, 1)
    wild = SeriesScaler.fit(
        np.array([[1.0], [1.0 + 1e-6]]), np.array([2]), np.array([2]), "standard"
    )
    assert np.isfinite(wild.transform(np.array([[[1e300]]])).astype(np.float32)).all()
    logs = SeriesScaler.fit(np.array([[1.0], [9.0]]), np.array([2]), np.array([2]), "log1p")
    assert np.isfinite(logs.inverse(np.array([[[1e9]]]))).all()
    assert logs.inverse(np.array([[[-1e9]]])) == 0


def test_logarithms_of_shares_know_no_unit():
    values = rng.gamma(1.0, 5.0, size=(30, 2)) - 0.01
    ends = np.array([12, 30])
    stops = np.array([12, 15])
    one, two = (
        SeriesScaler.fit(part, ends, stops, "log")
        for part in (np.abs(values), 1e-6 * np.abs(values))
    )
    cube = rng.normal(size=(2, 7, 2))
    np.testing.assert_allclose(one.transform(cube), two.transform(1e-6 * cube), atol=1e-9)
    np.testing.assert_allclose(
        1e-6 * one.inverse(cube), two.inverse(1.0 * cube), rtol=1e-9, atol=1e-15
    )
    rising = one.transform(np.linspace(-9, 9, 2 * 40 * 2).reshape(2, 40, 2))
    assert (np.diff(rising, axis=1) > 0).all()  # below zero too, where the fit saw nothing
    places = np.array([1, 0, 1])
    np.testing.assert_array_equal(
        one.take(places).transform(cube[places]), one.transform(cube)[places]
    )
    both = np.concatenate([one.transform(cube), two.transform(cube)])
    joined = SeriesScaler.concat([one, two])
    np.testing.assert_array_equal(joined.transform(np.concatenate([cube, cube])), both)
    mixed = one.where(np.array([True, False]), two)
    np.testing.assert_array_equal(mixed.transform(cube), both[[0, 3]])


def test_the_rule_takes_no_logarithms_of_what_tells_nothing():
    ends = np.array([30])
    stops = np.array([30])
    for values in (np.ones((30, 1)), np.zeros((30, 1)), np.full((30, 1), np.nan)):
        assert rule(values, ends, stops, 7) == "standard"
    assert rule(np.ones((5, 1)), np.array([5]), np.array([5]), 7) == "standard"


@pytest.mark.parametrize(
    ("zeros", "expected"), [(0.0, "log"), (0.05, "log"), (0.3, "standard"), (0.8, "standard")]
)
def test_intermittent_demand_has_no_logarithms(zeros, expected):
    """A step from none to one would be the largest of all."""
    random = np.random.default_rng(0)
    level = np.linspace(5.0, 40.0, 140)[:, None]
    sold = level * random.gamma(4, 0.25, size=(140, 1))
    sold[random.permutation(140)[: int(zeros * 140)]] = 0.0
    assert rule(sold, np.array([140]), np.array([140]), 7) == expected
    # Rows that are not looked at do not count.
    assert (
        rule(np.concatenate([sold, np.zeros((140, 1))]), np.array([280]), np.array([140]), 7)
        == expected
    )
