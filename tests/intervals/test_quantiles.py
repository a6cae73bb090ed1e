"""Levels are per cent, forecasts keep to their support, and steps of sample paths are correlated as is said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import seqcast
from seqcast import Forecaster
from seqcast.errors import SpecError
from seqcast.evaluation.scores import evaluate
from seqcast.intervals.conformal import calibrate_points
from seqcast.intervals.quantiles import SUPPORTS, bounded, check_levels, outside_support_of
from tests.rejections import rejected

DAYS = pd.date_range("2024-01-01", periods=60)
FRAME = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": np.sin(np.arange(60.0))})
HINT = (
    r"level: expected levels above 1 and below 100 per cent.* Levels are per cent: 80, not 0\.8\."
)


@pytest.fixture(scope="module")
def forecaster():
    return Forecaster(3, preset="pretrained", verbose=0).fit(FRAME)


ENTRIES = {
    "the option": lambda model: Forecaster(3, level=0.8).fit(FRAME),
    "forecast": lambda model: seqcast.forecast(FRAME, 3, level=0.8),
    "predict": lambda model: model.predict(level=[0.8]),
    "anomalies": lambda model: model.anomalies(FRAME, level=0.8),
    "evaluate": lambda model: evaluate(model.backtest(FRAME), level=0.8),
    "calibration": lambda model: calibrate_points(np.zeros((9, 1)), np.zeros((9, 1)), level=0.8),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_a_share_is_rejected_with_the_level_that_is_meant(entry, forecaster):
    rejected(SpecError, HINT, entry, forecaster)


def test_levels_are_above_one():
    assert check_levels((1.5, 2, 50)) == (1.5, 2.0, 50.0)
    for level in (1, 1.0, 0.5, (1, 80), 0.999):
        rejected(SpecError, "level: expected levels above 1", check_levels, level)


FORECASTS = arrays(np.float64, (2, 3, 2, 5), elements=st.floats(-1e6, 1e6)).map(
    lambda values: np.sort(values, axis=-1)[..., [2, 1, 3, 0, 4]]
)


@given(FORECASTS, st.lists(st.sampled_from(SUPPORTS[1:]), min_size=2, max_size=2))
def test_parts_stay_inside_and_in_order(forecast, supports):
    within = bounded(forecast, supports)
    for target, support in enumerate(supports):
        assert not outside_support_of(within[..., target, :], support).any()
    assert (np.diff(within[..., [3, 1, 0, 2, 4]], axis=-1) >= 0).all()
    assert (within.dtype.kind == "i") == (supports == ["counts", "counts"])


@given(FORECASTS)
def test_intervals_of_counts_hold_every_count_that_they_held(forecast):
    whole = bounded(forecast, ["counts", "counts"])
    counts = np.maximum(np.rint(forecast[..., :1]), 0)
    held = (forecast[..., 1::2] <= counts) & (counts <= forecast[..., 2::2])
    assert ((whole[..., 1::2] <= counts) & (counts <= whole[..., 2::2]))[held].all()


@given(FORECASTS)
def test_nothing_is_changed_without_bounds(forecast):
    assert bounded(forecast, ["real", "real"]) is forecast
    assert bounded(forecast, []) is forecast
    positive = np.abs(forecast)
    np.testing.assert_array_equal(bounded(positive, ["non-negative", "real"]), positive)
