"""Widths are applied so that levels nest, the point stays inside, and any horizon is served."""

import json

import numpy as np
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import check_levels

WIDTHS = np.array([[0.5, 1.0], [-2.0, 3.0]])
INTERVALS = Calibration((80, 95), WIDTHS, np.array([30, 29]))
POINT = Calibration((80, 95), np.abs(WIDTHS), np.array([30, 29]), "point")


def random_bounds(seed, count=50, horizon=2, levels=2):
    random = np.random.default_rng(seed)
    point = random.normal(size=(count, horizon))
    half = np.sort(random.exponential(size=(count, horizon, levels)), axis=2)
    return point, point[:, :, None] - half, point[:, :, None] + half


def test_bounds_are_moved_by_the_widths():
    lo, hi = np.full((1, 2, 2), [-5.0, -9.0]), np.full((1, 2, 2), [5.0, 9.0])
    lower, upper = INTERVALS.apply(lo, hi)
    np.testing.assert_array_equal(upper[0], [[5.5, 10.0], [3.0, 12.0]])
    np.testing.assert_array_equal(lower, -upper)


@pytest.mark.parametrize("seed", range(5))
def test_levels_nest_and_hold_the_point(seed):
    random = np.random.default_rng(seed)
    level = (50, 80, 90, 95)
    calibration = Calibration(level, random.normal(size=(6, 4)) * 2, np.full(6, 50))
    point, lo, hi = random_bounds(seed, horizon=9, levels=4)
    lower, upper = calibration.apply(lo, hi, point=point)
    assert (lower <= upper).all()
    assert (np.diff(lower, axis=2) <= 0).all()
    assert (np.diff(upper, axis=2) >= 0).all()
    assert (lower <= point[:, :, None]).all()
    assert (upper >= point[:, :, None]).all()
    # None is narrower than its own widths say, so none covers less than it was calibrated for.
    widths = calibration.widths_for(9)
    assert (lower <= lo - widths + 1e-12).all() or (lo - widths > hi + widths).any()
    proper = lo - widths <= hi + widths
    assert (lower[proper] <= (lo - widths)[proper]).all()
    assert (upper[proper] >= (hi + widths)[proper]).all()


def test_intervals_that_cross_shrink_to_their_middle():
    calibration = Calibration((80,), [[-4.0]], [30])
    lower, upper = calibration.apply([[[-1.0]]], [[[3.0]]])
    assert (lower.item(), upper.item()) == (1.0, 1.0)
    lower, upper = calibration.apply([[[-1.0]]], [[[3.0]]], point=[[2.0]])
    assert (lower.item(), upper.item()) == (1.0, 2.0)


def test_quantiles_that_crossed_before_are_sorted():
    lower, upper = Calibration((80, 95), np.zeros((1, 2)), [30]).apply([[[-3.0, -1.0]]], [[[2.0, 1.0]]])
    np.testing.assert_array_equal(lower, [[[-3.0, -3.0]]])
    np.testing.assert_array_equal(upper, [[[2.0, 2.0]]])


def test_scale_multiplies_the_widths():
    _, lo, hi = random_bounds(0, count=3)
    scale = np.array([1.0, 1e-12, 1e12])
    lower, upper = POINT.apply(lo * scale[:, None, None], hi * scale[:, None, None], scale=scale)
    expected = POINT.apply(lo, hi)
    np.testing.assert_allclose(lower, expected[0] * scale[:, None, None], rtol=1e-9)
    np.testing.assert_allclose(upper, expected[1] * scale[:, None, None], rtol=1e-9)


def test_around_a_point():
    point = np.array([[1.0, 2.0], [3.0, 4.0]])
    lower, upper = POINT.around(point)
    np.testing.assert_array_equal(
        upper - point[:, :, None], np.broadcast_to(np.maximum.accumulate(np.abs(WIDTHS), 1), (2, 2, 2))
    )
    np.testing.assert_array_equal(upper + lower, np.broadcast_to(2 * point[:, :, None], (2, 2, 2)))
    lower, upper = POINT.around(point, level=95)
    np.testing.assert_array_equal(upper[:, :, 0] - point, [[1.0, 3.0]] * 2)


def test_any_horizon():
    np.testing.assert_array_equal(INTERVALS.widths_for(1), WIDTHS[:1])
    np.testing.assert_array_equal(INTERVALS.widths_for(5), WIDTHS[[0, 1, 1, 1, 1]])
    longer = POINT.widths_for(8)
    np.testing.assert_array_equal(longer[:2], np.abs(WIDTHS))
    np.testing.assert_allclose(longer[7], 2 * np.abs(WIDTHS[1]))  # four times as far
    assert (np.diff(longer[1:], axis=0) > 0).all()
    np.testing.assert_array_equal(POINT.widths, np.abs(WIDTHS))  # unchanged


def test_some_of_the_levels():
    _, lo, hi = random_bounds(1, levels=1)
    np.testing.assert_allclose(INTERVALS.apply(lo, hi, level=95)[1], hi + WIDTHS[:, [1]])


def test_parts_hold_all_of_it():
    for calibration in (INTERVALS, POINT):
        header, arrays = calibration.to_parts()
        again = Calibration.from_parts(json.loads(json.dumps(header)), arrays)
        assert (again.level, again.kind) == (calibration.level, calibration.kind)
        np.testing.assert_array_equal(again.widths, calibration.widths)
        np.testing.assert_array_equal(again.windows, calibration.windows)
        with pytest.raises(AttributeError):
            again.kind = "other"


def test_levels_are_numbers_and_sequences():
    assert (
        check_levels(80) == check_levels([80]) == check_levels(np.array([80])) == check_levels(np.int64(80)) == (80.0,)
    )


_, LO, HI = random_bounds(0)
WRONG = {
    "level": (lambda: INTERVALS.apply(LO, HI, level=(80, 90)), SpecError, "level: expected one of 80, 95, received 90"),
    "order": (lambda: INTERVALS.apply(LO, HI, level=(95, 80)), SpecError, "level: .*ascending"),
    "hundred": (lambda: check_levels((80, 100)), SpecError, "level: expected levels above 1 and below 100"),
    "zero": (lambda: check_levels(0), SpecError, "level: expected levels above 1 and below 100"),
    "text": (lambda: check_levels("80"), SpecError, "level: expected a number in"),
    "none": (lambda: check_levels(()), SpecError, "level: expected levels"),
    "lo": (lambda: INTERVALS.apply(LO[:, :, :1], HI), DataError, "lo: expected shape"),
    "hi": (lambda: INTERVALS.apply(LO, HI[:3]), DataError, "hi: expected shape"),
    "axes": (lambda: INTERVALS.apply(LO[0], HI[0]), DataError, "lo: expected 3 axes"),
    "point": (lambda: INTERVALS.apply(LO, HI, point=np.zeros((50, 3))), DataError, "point: expected shape"),
    "scale": (lambda: INTERVALS.apply(LO, HI, scale=np.zeros(50)), DataError, "scale: expected a positive number"),
    "scales": (lambda: INTERVALS.apply(LO, HI, scale=np.ones(3)), DataError, "scale: .*each window, 50"),
    "horizon": (lambda: INTERVALS.widths_for(0), SpecError, "horizon"),
    "kind": (lambda: Calibration((80,), [[1.0]], [9], "points"), SpecError, "kind: .*Did you mean 'point'"),
    "widths": (lambda: Calibration((80,), [[1.0, 2.0]], [9]), DataError, "widths: expected shape"),
    "nan": (lambda: Calibration((80,), [[np.nan]], [9]), DataError, "widths: expected finite numbers"),
    "no step": (lambda: Calibration((80,), np.zeros((0, 1)), []), DataError, "widths: .*received no step"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()
