"""Intervals of usual rows hold what they promise, whatever the unit of each group, among unusual rows too."""

import numpy as np
import pytest

from seqcast.errors import DataError
from seqcast.intervals import UsualErrors
from seqcast.intervals.unusual import LEAST_ROWS

ROWS = 6000
DRAWS = {
    "normal": lambda rng: rng.normal(size=ROWS),
    "laplace": lambda rng: rng.laplace(size=ROWS),
    "student": lambda rng: rng.standard_t(4, size=ROWS),
}


def reach_of(errors, *, level, groups, **options):
    return UsualErrors.learn(errors, groups, **options).reach(level)


def groups_of(rng, series=12, steps=24):
    return [rng.integers(0, series, ROWS), np.arange(ROWS) % steps]


def outside(errors, widths):
    return (errors < -widths[:, 0]) | (errors > widths[:, 1])


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    ("level", "least", "most"), [(99, 0.005, 0.02), (95, 0.035, 0.065), (80, 0.17, 0.23)]
)
@pytest.mark.parametrize("seed", range(5))
def test_as_many_are_outside_as_the_level_says(draw, level, least, most, seed):
    rng = np.random.default_rng(seed)
    groups = groups_of(rng)
    errors = rng.uniform(0.2, 5.0, 12)[groups[0]] * np.sqrt(1 + groups[1]) * DRAWS[draw](rng)
    assert least <= np.mean(outside(errors, reach_of(errors, level=level, groups=groups))) <= most


def test_units_of_groups_are_found():
    rng = np.random.default_rng(1)
    groups = groups_of(rng)
    units = (
        np.linspace(0.5, 4.0, 12)[groups[0]] * np.linspace(1.0, 3.0, 24)[groups[1]]
    )  # 8 and 3 times
    widths = reach_of(units * rng.normal(size=ROWS), level=99, groups=groups)
    ratio = widths[:, 0] / units
    # A step has 250 rows, so that its unit is known to a tenth.
    assert ratio.max() / ratio.min() < 1.8
    assert np.median(ratio) == pytest.approx(2.6, abs=0.2)


def test_anomalies_do_not_widen_the_intervals():
    rng = np.random.default_rng(2)
    groups = groups_of(rng)
    errors = rng.normal(size=ROWS)
    clean = reach_of(errors, level=99, groups=groups)
    unusual = rng.choice(ROWS, ROWS // 25, replace=False)
    errors[unusual] += 1000.0
    widths = reach_of(errors, level=99, groups=groups)
    assert np.median(widths / clean) == pytest.approx(1.0, abs=0.1)
    assert outside(errors, widths)[unusual].all()


def test_a_unit_of_errors_is_a_unit_of_widths():
    rng = np.random.default_rng(3)
    groups = groups_of(rng)
    errors = rng.normal(size=ROWS)
    spread = rng.uniform(0.5, 2.0, (ROWS, 2))
    widths = reach_of(errors, level=97.5, groups=groups, shapes=[np.ones_like(spread), spread])
    larger = reach_of(
        8.0 * errors, level=97.5, groups=groups, shapes=[np.full_like(spread, 8.0), 8.0 * spread]
    )
    np.testing.assert_allclose(larger, 8.0 * widths, rtol=1e-9)


def test_the_shape_of_the_networks_intervals_is_taken_where_it_is_sharper():
    rng = np.random.default_rng(4)
    spread = np.exp(rng.normal(size=(ROWS, 2)))
    errors = rng.normal(size=ROWS)
    told = np.where(errors > 0, spread[:, 1], spread[:, 0]) * errors
    groups = groups_of(rng)
    ratio = reach_of(told, level=99, groups=groups, shapes=[np.ones_like(spread), spread]) / spread
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1])
    assert np.median(ratio) == pytest.approx(2.6, abs=0.25)
    # Of errors that know nothing of it, it is left.
    plain, left = (
        reach_of(errors, level=99, groups=groups, shapes=each)
        for each in ((), [np.ones_like(spread), spread])
    )
    np.testing.assert_array_equal(left, plain)


def test_forecasts_without_an_error_have_intervals():
    errors = np.zeros(200)
    errors[7] = 0.5
    widths = reach_of(errors, level=99, groups=[np.zeros(200, dtype=int)])
    assert np.flatnonzero(outside(errors, widths)).tolist() == [7]
    assert (widths > 0).all()


@pytest.mark.parametrize("exact", [0.3, 0.75, 0.82, 0.9, 0.98, 0.995])
@pytest.mark.parametrize("kind", ["counts", "numbers"])
def test_of_forecasts_that_are_often_right_the_others_are_scored(exact, kind):
    rng = np.random.default_rng(5)
    errors = rng.laplace(size=ROWS)
    errors = np.sign(errors) * np.ceil(np.abs(errors)) if kind == "counts" else errors
    errors[rng.random(ROWS) < exact] = 0.0
    share = np.mean(outside(errors, reach_of(errors, level=99, groups=groups_of(rng))))
    assert share <= 0.02
    if kind == "numbers":
        assert share >= 0.003


def test_few_rows_are_rejected():
    zeros = np.zeros(LEAST_ROWS - 1)
    with pytest.raises(DataError, match=r"df: expected at least 50 rows to score: .*, received 49"):
        reach_of(zeros, level=99, groups=[zeros.astype(int)])


@pytest.mark.parametrize("draw", ["normal", "laplace"])
def test_deviations_are_as_rare_as_those_of_normal_errors(draw):
    rng = np.random.default_rng(6)
    groups = groups_of(rng)
    errors = rng.uniform(0.2, 5.0, 12)[groups[0]] * DRAWS[draw](rng)
    usual = UsualErrors.learn(errors, groups)
    deviations = usual.deviations(errors)
    for size, share in ((1.96, 0.05), (2.58, 0.01)):
        assert np.mean(deviations > size) == pytest.approx(share, rel=0.35)
    at_bounds = usual.deviations(usual.reach(99)[:, 1])
    np.testing.assert_allclose(at_bounds, 2.576, atol=0.01)


def test_the_noise_of_a_series_that_is_mostly_zero_is_that_of_the_rest():
    """Two sold where none or one is usual is no wonder; eight times the largest is."""
    rng = np.random.default_rng(7)
    series = np.repeat([0, 1], 3000)
    errors = np.where(series == 0, rng.random(6000) < 0.02, 100.0 * rng.normal(size=6000))
    errors[5] = 2.0
    errors[4000] = 700.0
    errors[10] = 6.0
    deviations = UsualErrors.learn(errors, [series], resolution=np.ones(6000)).deviations(errors)
    assert deviations[4000] > 1.5 * deviations[5] > 1.5 * 2.58
    assert deviations[10] > 2 * deviations[5]
    assert (deviations[errors == 1.0] < 2.6).all()
    assert np.isfinite(deviations).all()
