"""Widths from windows whose errors are alike: narrowed with caution, widened at once, by what is new and by series."""

import numpy as np
import pytest

from seqcast.intervals import WindowLabels, calibrate_intervals
from seqcast.intervals.common_errors import common_widths, width_power

NORMAL = 1.2816  # The reach of 80 per cent of normal errors.


def scores_of(factors, seed=0, count=600, horizon=2):
    """Return scores of normal errors whose deviation is the factor of their age, and the ages."""
    age = np.repeat(np.arange(len(factors)), count)
    draws = np.random.default_rng(seed).normal(size=(len(age), horizon))
    return np.abs(draws) * np.asarray(factors)[age][:, None], age


def widths_of(factors):
    scores, age = scores_of(factors)
    return common_widths(scores, 80, age)


@pytest.mark.parametrize("level", [80, 95])
def test_widths_reach_the_level_on_average_over_times_that_differ(level):
    rng = np.random.default_rng(1)
    inside = []
    for seed in range(40):
        factors = np.exp(0.25 * rng.normal(size=13))
        scores, age = scores_of(factors[1:], seed, count=200)
        widths = common_widths(scores, level, age)
        inside.append(np.mean(scores_of(factors[:1], seed + 99)[0] <= widths))
    assert np.mean(inside) == pytest.approx(level / 100, abs=0.04)


def test_few_times_narrow_less_than_many_and_widen_in_full():
    few, many, wide = (
        widths_of([each / NORMAL] * count).mean()
        for each, count in ((0.5, 2), (0.5, 30), (2.0, 30))
    )
    assert 0.5 < many < 0.56 < few < 0.65
    assert wide == pytest.approx(2.0, abs=0.1)


def test_what_chance_explains_does_not_narrow():
    assert widths_of([0.86 / NORMAL] * 3).mean() == pytest.approx(1.02, abs=0.03)


def test_times_that_may_differ_widen_high_levels_most():
    scores, age = scores_of(np.ones(30))
    wide, narrow = (common_widths(scores, level, age).mean() for level in (95, 80))
    assert wide / narrow > 1.6  # of normal errors it is 1.53


def test_newer_windows_count_for_more():
    assert (widths_of([2, 1, 1, 1, 1]) > 1.1 * widths_of([1, 1, 1, 1, 2])).all()


def test_steps_keep_half_of_what_is_their_own():
    scores, age = scores_of(np.full(9, 2.0), horizon=4)
    widths = common_widths(scores * np.array([0.5, 1, 1, 2]), 80, age)
    assert widths[3] / widths[0] == pytest.approx(2.0, abs=0.2)  # of 4


@pytest.mark.parametrize(
    ("power", "expected"), [(-0.3, -0.3), (0.0, 0.0), (0.4, 0.0), (-0.9, -0.5)]
)
def test_the_power_is_that_of_the_series_and_only_evens_out(power, expected):
    rng = np.random.default_rng(2)
    series = np.arange(40).repeat(25)
    relative = np.exp(rng.normal(size=40))[series][:, None] * np.ones(3)
    scores = np.abs(rng.normal(size=relative.shape)) * relative**power
    scores[::7, 1] = np.nan
    assert width_power(scores, relative, series) == pytest.approx(expected, abs=0.06)


def test_one_series_or_series_of_one_width_have_no_power():
    scores = np.abs(np.random.default_rng(3).normal(size=(60, 2)))
    relative = np.full((60, 2), 1.5)
    assert width_power(scores, relative, np.arange(60) // 10) == 0.0
    assert width_power(scores, np.exp(scores), np.zeros(60, dtype=int)) == 0.0


def test_calibration_by_labels_evens_out_what_series_lack():
    rng = np.random.default_rng(4)
    series = np.arange(30).repeat(40)
    age = np.tile(np.arange(40) // 8, 30)
    deviation = np.exp(0.5 * rng.normal(size=30))[series][:, None]
    truth = deviation * rng.normal(size=(1200, 4))
    half = (NORMAL * deviation**1.4)[:, :, None] * np.ones((1, 4, 1))
    calibration = calibrate_intervals(
        truth, -half, half, level=80, labels=WindowLabels(series, age)
    )
    assert calibration.power[0] == pytest.approx(1 / 1.4 - 1, abs=0.05)
    lower, upper = calibration.apply(-half, half)
    inside = ((lower <= truth[:, :, None]) & (truth[:, :, None] <= upper)).mean(axis=(1, 2))
    by_series = inside.reshape(30, 40).mean(axis=1)
    raw = (np.abs(truth) <= half[:, :, 0]).mean(axis=1).reshape(30, 40).mean(axis=1)
    assert by_series.std() < raw.std() / 2
    assert 0.8 <= by_series.mean() <= 0.85  # five ages narrow with caution
