"""Forecasts keep to the support of their targets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqcast.intervals.support import SUPPORTS, bounded, observed_support, outside_support_of

PROBABILITIES = (0.5, 0.1, 0.9, 0.025, 0.975)
FORECASTS = arrays(np.float64, (2, 3, 2, 5), elements=st.floats(-1e6, 1e6)).map(
    lambda values: np.sort(values, axis=-1)[..., [2, 1, 3, 0, 4]]
)


@given(FORECASTS, st.lists(st.sampled_from(SUPPORTS[1:]), min_size=2, max_size=2))
def test_parts_stay_inside_and_in_order(forecast, supports):
    within = bounded(forecast, supports, PROBABILITIES)
    for target, support in enumerate(supports):
        assert not outside_support_of(within[..., target, :], support).any()
    assert (np.diff(within[..., [3, 1, 0, 2, 4]], axis=-1) >= 0).all()
    assert (within.dtype.kind == "i") == (supports == ["counts", "counts"])


@given(FORECASTS)
def test_intervals_of_counts_hold_every_count_that_they_held(forecast):
    whole = bounded(forecast, ["counts", "counts"], PROBABILITIES)
    counts = np.maximum(np.rint(forecast[..., :1]), 0)
    held = (forecast[..., 1::2] <= counts) & (counts <= forecast[..., 2::2])
    assert ((whole[..., 1::2] <= counts) & (counts <= whole[..., 2::2]))[held].all()


@given(FORECASTS)
def test_nothing_is_changed_without_bounds(forecast):
    assert bounded(forecast, ["real", "real"], PROBABILITIES) is forecast
    assert bounded(forecast, [], PROBABILITIES) is forecast
    positive = np.abs(forecast)
    np.testing.assert_array_equal(bounded(positive, ["non-negative", "real"], PROBABILITIES), positive)


@pytest.mark.parametrize(("values", "expected"), [([0.0, 1.5, np.nan], "non-negative"), ([-0.1, 5.0], "real")])
def test_what_was_never_negative_is_not_forecast_so(values, expected):
    assert observed_support(np.array(values)[:, None]) == (expected,)
