"""Estimated seconds of a fit grow with what there is to learn from, and with what is tried."""

import numpy as np
import pytest

from seqcast.forecaster.duration import estimate_seconds

EFFORTS = ("quick", "balanced", "best")


def estimate(series=10, rows=1_000, horizon=24, effort="balanced", **sizes):
    """Return the estimate for series of equal length."""
    return estimate_seconds(np.full(series, rows), horizon, effort, **sizes)


@pytest.mark.parametrize("sizes", [{}, {"season_length": 24}, {"season_length": 7, "future": 2}])
def test_more_effort_takes_longer(sizes):
    seconds = [estimate(effort=effort, **sizes) for effort in EFFORTS]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[1] < seconds[2]


@pytest.mark.parametrize("effort", EFFORTS)
def test_more_series_take_longer(effort):
    seconds = [estimate(series=count, effort=effort) for count in (1, 10, 100)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]


def test_covariates_make_fine_tuning_longer_until_it_is_left_out():
    assert estimate(future=1, season_length=24) > estimate(season_length=24)
    many = {"series": 100, "rows": 5_000, "season_length": 24}
    assert estimate(**many, future=1) - estimate(**many) < 120


def test_series_without_a_window_take_no_training():
    assert estimate(rows=5, effort="balanced") < estimate(effort="balanced")
