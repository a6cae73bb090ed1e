"""Statistics of each series by itself, against plain NumPy on one series at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.series_scaling import SERIES_SCALES, SeriesScaler
from seqcast.errors import SpecError

each_scale = pytest.mark.parametrize("scale", SERIES_SCALES)
rng = np.random.default_rng(0)


def plain(values, scale):
    seen = values[~np.isnan(values)]
    seen = np.log1p(seen) if scale == "log1p" else seen
    if scale in ("standard", "log1p"):
        return seen.mean(), seen.std()
    if scale == "robust":
        low, middle, high = np.quantile(seen, [0.25, 0.5, 0.75])
        return middle, high - low
    if scale == "minmax":
        return seen.min(), np.ptp(seen)
    if scale == "mean":
        return 0.0, np.abs(seen).mean()
    return 0.0, 1.0


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
            centre, spread = plain(own, scale)
            assert scaler.centre[series, column] == pytest.approx(centre, abs=1e-9)
            if spread > 1e-9:
                assert scaler.spread[series, column] == pytest.approx(spread)


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
    assert (scaler.spread > 0).all()
    scaled = scaler.transform(values[None])
    assert np.isfinite(scaled).all()
    if scale != "none":
        assert np.abs(scaled[0, :15]).max() < 1e3 + 1e-6 or scale == "mean"
    if np.abs(values).max() < 1e15 or scale != "none":  # unscaled values beyond are cut off
        np.testing.assert_allclose(scaler.inverse(scaled)[0], values, rtol=1e-9, atol=1e-9 * magnitude)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=20), st.sampled_from(["standard", "robust", "minmax"]))
def test_units_do_not_matter(numbers, scale):
    values = np.array(numbers, dtype=float)[:, None]
    if np.ptp(values) == 0:
        return
    ends, stops = np.array([len(values)]), np.array([len(values)])
    moved = 4.0 * values - 7.0
    one, two = (SeriesScaler.fit(part, ends, stops, scale) for part in (values, moved))
    np.testing.assert_allclose(one.transform(values[None]), two.transform(moved[None]), atol=1e-9)


def test_nothing_seen_and_wild_values():
    scaler = SeriesScaler.fit(np.full((4, 1), np.nan), np.array([4]), np.array([4]), "robust")
    assert (scaler.centre, scaler.spread) == (0, 1)
    wild = SeriesScaler.fit(np.array([[1.0], [1.0 + 1e-6]]), np.array([2]), np.array([2]), "standard")
    assert np.isfinite(wild.transform(np.array([[[1e300]]])).astype(np.float32)).all()
    logs = SeriesScaler.fit(np.array([[1.0], [9.0]]), np.array([2]), np.array([2]), "log1p")
    assert np.isfinite(logs.inverse(np.array([[[1e9]]]))).all()
    assert logs.inverse(np.array([[[-1e9]]])) == 0


def test_unknown_scale():
    with pytest.raises(SpecError, match="scale: expected one of 'standard', 'robust'"):
        SeriesScaler.fit(np.zeros((1, 1)), np.array([1]), np.array([1]), "max")
