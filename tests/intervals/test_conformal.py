"""Calibrated intervals hold the truth as often as they say; levels nest, and any horizon is served."""

import math

import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.intervals.conformal import (
    Calibration,
    calibrate_intervals,
    calibrate_points,
    windows_needed,
)
from seqcast.intervals.quantiles import check_levels
from tests.rejections import rejections

LEVEL = (50, 80, 95)


def simulate(random, count, horizon=3):
    """Draw exchangeable windows: a known signal, noise that grows with the step, and far too narrow intervals."""
    signal = random.normal(size=(count, horizon)) * 10
    noise = random.standard_t(4, size=(count, horizon)) * np.arange(1, horizon + 1)
    half = np.array([0.1, 0.2, 0.3]) * np.abs(signal)[:, :, None] / 10
    return signal + noise, signal, signal[:, :, None] - half, signal[:, :, None] + half


def inside(truth, lower, upper):
    return ((truth[:, :, None] >= lower) & (truth[:, :, None] <= upper)).mean(axis=0)


def plain_width(scores, level):
    """Return the width by the definition: the smallest score that `⌈(n + 1) level⌉` of the scores do not pass."""
    needed = math.ceil(round((len(scores) + 1) * level / 100, 9))
    return next(
        score for score in sorted(scores) if sum(other <= score for other in scores) >= needed
    )


@pytest.mark.parametrize("count", [19, 20, 57, 99])
def test_widths_are_the_definitions(count):
    truth, point, lo, hi = simulate(np.random.default_rng(count), count)
    intervals = calibrate_intervals(truth, lo, hi, level=LEVEL)
    points = calibrate_points(truth, point, level=LEVEL)
    for step in range(3):
        y = truth[:, step]
        for place, level in enumerate(LEVEL):
            middle = (lo + hi)[:, step, place] / 2
            half = (hi - lo)[:, step, place] / 2
            units = np.maximum(half, half.mean() / 100)
            np.testing.assert_allclose(
                intervals.widths[step, place], plain_width(np.abs(y - middle) / units, level)
            )
            assert points.widths[step, place] == plain_width(np.abs(y - point[:, step]), level)
    assert intervals.windows.tolist() == [count] * 3
    assert (intervals.kind, points.kind) == ("intervals", "point")


@pytest.mark.parametrize("way", ["intervals", "point"])
def test_coverage_is_what_was_promised(way):
    """Over many calibrations and new windows: at least the level, and at most `1 / (n + 1)` more."""
    random = np.random.default_rng(3)
    count = 49
    fresh = 50
    trials = 300
    covered = np.zeros((3, 3))
    for _ in range(trials):
        truth, point, lo, hi = simulate(random, count + fresh)
        old = slice(None, count)
        new = slice(count, None)
        if way == "intervals":
            bounds = calibrate_intervals(truth[old], lo[old], hi[old], level=LEVEL).apply(
                lo[new], hi[new]
            )
        else:
            bounds = calibrate_points(truth[old], point[old], level=LEVEL).around(point[new])
        covered += inside(truth[new], *bounds) / trials
    promised = np.array(LEVEL) / 100
    # Windows of one calibration share its luck: the deviation of its coverage is about √(p (1 − p)
    # / (n + 2)).
    margin = 4 * np.sqrt(promised * (1 - promised) * (1 / (count + 2) + 1 / fresh) / trials)
    assert (covered >= promised - margin).all()
    assert (covered <= promised + 1 / (count + 1) + margin).all()


def test_missing_truth_is_left_out():
    truth, _, lo, hi = simulate(np.random.default_rng(1), 60)
    holes = truth.copy()
    holes[5:30, 1] = np.nan
    calibration = calibrate_intervals(holes, lo, hi, level=LEVEL)
    assert calibration.windows.tolist() == [60, 35, 60]
    rest = np.r_[:5, 30:60]
    expected = calibrate_intervals(truth[rest], lo[rest], hi[rest], level=LEVEL)
    np.testing.assert_array_equal(calibration.widths[1], expected.widths[1])
    np.testing.assert_array_equal(
        calibration.widths[0], calibrate_intervals(truth, lo, hi, level=LEVEL).widths[0]
    )


@pytest.mark.parametrize("level", [10, 50, 80, 90, 95, 99, 99.5])
def test_as_many_windows_as_a_level_needs(level):
    needed = windows_needed(level)
    assert needed >= level / (100 - level) - 1e-9 > needed - 1
    errors = np.arange(1.0, needed + 1)[:, None]
    # Just enough: the largest error that was seen.
    assert calibrate_points(errors, 0 * errors, level=level).widths.item() == needed
    if needed > 1:
        message = rf"level {level:g}: expected at least {needed} calibration windows .*, received {needed - 1} at step"
        with pytest.raises(DataError, match=message):
            calibrate_points(errors[1:], 0 * errors[1:], level=level)


WIDTHS = np.array([[0.5, 1.0], [2.0, 3.0]])
INTERVALS = Calibration((80, 95), WIDTHS, np.array([30, 29]))
POINT = Calibration((80, 95), WIDTHS, np.array([30, 29]), "point")


def random_bounds(seed, count=50, horizon=2, levels=2):
    random = np.random.default_rng(seed)
    point = random.normal(size=(count, horizon))
    half = np.sort(random.exponential(size=(count, horizon, levels)), axis=2)
    return point, point[:, :, None] - half, point[:, :, None] + half


def test_the_reach_of_each_side_is_multiplied_by_the_widths():
    lo = np.full((1, 2, 2), [-5.0, -9.0])
    hi = np.full((1, 2, 2), [10.0, 18.0])
    lower, upper = INTERVALS.apply(lo, hi, point=np.zeros((1, 2)))
    np.testing.assert_array_equal(lower[0], [[-2.5, -9.0], [-10.0, -27.0]])
    np.testing.assert_array_equal(upper, -2 * lower)
    # Without a point the middle stays where it is.
    lower, upper = INTERVALS.apply(lo, hi, level=(80, 95))
    np.testing.assert_allclose((lower + upper)[0, 1], (lo + hi)[0, 1])


def test_narrow_intervals_are_widened_more_by_a_power_of_the_own_width():
    usual = np.full((1, 1), 4.0)
    calibration = Calibration((80,), [[1.5]], [30], usual=usual, power=[-0.5])
    for half, expected in ((4.0, 6.0), (1.0, 3.0), (16.0, 12.0), (0.0, 1.5 * 0.04 * 8**0.5)):
        lower, upper = calibration.apply([[[-half]]], [[[half]]])
        np.testing.assert_allclose([upper.item(), -lower.item()], expected)


@pytest.mark.parametrize("seed", range(5))
def test_levels_nest_and_hold_the_point(seed):
    random = np.random.default_rng(seed)
    level = (50, 80, 90, 95)
    calibration = Calibration(level, random.exponential(size=(6, 4)) * 2, np.full(6, 50))
    point, lo, hi = random_bounds(seed, horizon=9, levels=4)
    lower, upper = calibration.apply(lo, hi, point=point)
    assert (np.diff(lower, axis=2) <= 0).all()
    assert (np.diff(upper, axis=2) >= 0).all()
    assert ((lower <= point[:, :, None]) & (point[:, :, None] <= upper)).all()
    # None is narrower than its own widths say, so none covers less than it was calibrated for.
    reach = calibration.widths_at(np.arange(9), level) * np.maximum(hi - point[:, :, None], 0.01)
    assert (upper - point[:, :, None] >= reach - 1e-9).all()


def test_around_a_point():
    point = np.array([[1.0, 2.0], [3.0, 4.0]])
    lower, upper = POINT.around(point)
    np.testing.assert_array_equal(lower, point[:, :, None] - WIDTHS)
    np.testing.assert_array_equal(upper, point[:, :, None] + WIDTHS)
    lower, upper = POINT.around(point, level=95)
    np.testing.assert_array_equal(upper[:, :, 0] - point, [[1.0, 3.0]] * 2)


TRUTH, ONE, LO, HI = simulate(np.random.default_rng(0), 30)
FEW = TRUTH.copy()
NONE = TRUTH.copy()
FEW[:20, 2] = NONE[:, 2] = np.nan
HOLE = np.where(ONE[2, 1] == ONE, np.nan, ONE)
_, BELOW, ABOVE = random_bounds(0)


def points(truth=TRUTH, point=ONE, **options):
    return lambda: calibrate_points(truth, point, **{"level": 80, **options})


def applied(lo=BELOW, hi=ABOVE, **options):
    return lambda: INTERVALS.apply(lo, hi, **options)


WRONG = {
    "levels": (
        lambda: calibrate_intervals(TRUTH, LO, HI, level=(80, 95)),
        DataError,
        r"lo: expected shape \(30, 3, 2",
    ),
    "windows": (points(point=ONE[:5]), DataError, "point: expected shape"),
    "axes": (points(TRUTH[0], ONE[0]), DataError, "truth: expected 2 axes"),
    "inf": (points(TRUTH + np.inf), DataError, "truth: expected finite numbers"),
    "empty": (points(TRUTH[:0], ONE[:0]), DataError, r"truth: .*shape \(0, 3\)"),
    "nan": (
        points(point=HOLE),
        DataError,
        "point, window 2, step 1: expected finite numbers, received NaN",
    ),
    "level": (points(level=(95, 80)), SpecError, "level: .*ascending"),
    "few windows": (
        points(FEW, level=LEVEL),
        DataError,
        r"level 95: .* least 19 .*received 10 at step 3.*=\[50.*80",
    ),
    "no window": (
        points(NONE, level=LEVEL),
        DataError,
        "level 50: .* least 1 .*received 0 at step 3.*choose lower",
    ),
    "hundred": (
        lambda: check_levels((80, 100)),
        SpecError,
        "level: expected levels above 1 and below 100",
    ),
    "zero": (lambda: check_levels(0), SpecError, "level: expected levels above 1 and below 100"),
    "text": (lambda: check_levels("80"), SpecError, "level: expected a number in"),
    "none": (lambda: check_levels(()), SpecError, "level: expected levels"),
    "of apply, level": (
        applied(level=(80, 90)),
        SpecError,
        "level: expected one of 80, 95, received 90",
    ),
    "of apply, order": (applied(level=(95, 80)), SpecError, "level: .*ascending"),
    "of apply, lo": (applied(lo=BELOW[:, :, :1]), DataError, "lo: expected shape"),
    "of apply, hi": (applied(hi=ABOVE[:3]), DataError, "hi: expected shape"),
    "of apply, axes": (applied(BELOW[0], ABOVE[0]), DataError, "lo: expected 3 axes"),
    "of apply, point": (applied(point=np.zeros((50, 3))), DataError, "point: expected shape"),
    "kind": (
        lambda: Calibration((80,), [[1.0]], [9], "points"),
        SpecError,
        "kind: .*Did you mean 'point'",
    ),
    "widths": (lambda: Calibration((80,), [[1.0, 2.0]], [9]), DataError, "widths: expected shape"),
    "negative widths": (
        lambda: Calibration((80,), [[-1.0]], [9]),
        DataError,
        "widths: expected finite numbers >= 0",
    ),
    "no usual width": (
        lambda: Calibration((80,), [[1.0]], [9], usual=[[0.0]]),
        DataError,
        "usual: expected finite",
    ),
    "nan widths": (
        lambda: Calibration((80,), [[np.nan]], [9]),
        DataError,
        "widths: expected finite numbers",
    ),
    "no step": (
        lambda: Calibration((80,), np.zeros((0, 1)), []),
        DataError,
        "widths: .*received no step",
    ),
}
test_wrong_inputs = rejections(WRONG)
