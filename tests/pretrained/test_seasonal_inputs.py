"""What a network that knows the season reads: nothing of the unit, everything of the last seasons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained import seasonal_inputs as module
from seqcast.pretrained.seasonal_base import BASE_FORECASTS, SeasonalBase
from seqcast.pretrained.seasonal_inputs import FUTURE, PAST, STATIC, seasonal_inputs
from seqcast.pretrained.simple_models import CHECKS, FARTHEST

ROWS = 12
LENGTH = 40
HORIZON = 11
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, gaps=0.2):
    """Return pasts that begin anywhere, with gaps, and their seasons."""
    rng = np.random.default_rng(seed)
    past = np.cumsum(rng.normal(size=(ROWS, LENGTH)), axis=1) + 10 * rng.normal(size=(ROWS, 1))
    past[rng.random(past.shape) < gaps] = np.nan
    past[np.arange(LENGTH) < rng.integers(0, LENGTH, (ROWS, 1))] = np.nan
    season = rng.choice([1, 3, 7, 12, 60], ROWS)
    longer = season * rng.choice([0, 2, 3], ROWS)
    return past, season, longer


def mean(values):
    return values[~np.isnan(values)].mean() if (~np.isnan(values)).any() else np.nan


def quantiles(values):
    """Return the smallest values that are not below so large shares of the known ones."""
    known = np.sort(values[~np.isnan(values)])
    shares = np.arange(1, len(known) + 1) / max(len(known), 1)
    return [
        known[shares >= probability - 1e-9][0] if len(known) else np.nan
        for probability in module.OF_LAST
    ]


def units(past, season):
    """Return the centre and the spread of one window."""
    loc = mean(past[-season:])
    loc = np.nan_to_num(mean(past) if np.isnan(loc) else loc)
    spread = np.nan_to_num(mean(np.abs(past - mean(past))))
    return loc, spread if spread > 1e-9 else max(abs(loc), 1e-6)


def plainly(past, season, longer):
    """Return the differences and what the last seasons had of one window, step by step, in its own units."""
    loc, scale = units(past, season)
    values = np.clip((past - loc) / scale, -FARTHEST, FARTHEST)

    def at(place):
        return values[place] if 0 <= place < LENGTH else np.nan

    newest = next((value for value in values[::-1] if not np.isnan(value)), 0.0)
    before = np.array([values[t] - at(t - season) for t in range(LENGTH)])
    long_before = np.array(
        [values[t] - at(t - longer) if longer else np.nan for t in range(LENGTH)]
    )
    future = []
    for step in range(HORIZON):
        seasons = np.array([at(LENGTH - back * season + step % season) for back in range(1, 7)])
        last_longer = at(LENGTH - longer + step % longer) if longer else np.nan
        columns = [seasons[0], seasons[1], mean(seasons), last_longer]
        levels = [
            np.fmin.reduce(values),
            np.fmax.reduce(values),
            *quantiles(values[-max(season, module.FEWEST_LAST) :]),
        ]
        future.append([newest if np.isnan(column) else column for column in columns] + levels)
    return values, before, long_before, np.array(future)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_it_is_what_plain_loops_give(seed):
    past, season, longer = drawn(seed)
    windows = seasonal_inputs(past, season, longer, HORIZON)
    found = SeasonalBase.of(past, season, longer, HORIZON)
    errors = found.errors[0]
    checks = found.check_errors
    for row in range(ROWS):
        loc, scale = units(past[row], int(season[row]))
        values, before, long_before, future = plainly(past[row], int(season[row]), int(longer[row]))
        unit = windows.unit[row, 0] / scale
        step = np.clip(mean(np.abs(before)), module.LEAST_STEP, module.LARGEST_UNIT)
        if np.isnan(step):
            known = errors[row][~np.isnan(errors[row])]
            step = np.clip(
                known.min() if len(known) else 1.0, module.LEAST_STEP, module.LARGEST_UNIT
            )
        # A walk's error grows with the root of the steps, here up to 64.
        grown = mean(
            np.array(
                [
                    error * max(1, 64 / n) ** 0.5
                    for n, error in zip(CHECKS, checks[row], strict=True)
                ]
            )
        )
        assert unit == pytest.approx(
            step if np.isnan(grown) else np.clip(grown, module.LEAST_UNIT, module.LARGEST_UNIT)
        )
        distances = [np.clip(each / step, -FARTHEST, FARTHEST) for each in (before, long_before)]
        read = windows.inputs["past"][row]
        for place, column in enumerate((values, *distances)):
            np.testing.assert_allclose(read[:, place], np.nan_to_num(column), rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(read[:, 4 + place], ~np.isnan(column))
        base = (windows.base[row] - loc) / scale
        # What nothing is known of is as the base.
        expected = np.nan_to_num(np.clip((future - base[:, None]) / unit, -FARTHEST, FARTHEST))
        np.testing.assert_allclose(windows.inputs["future"][row, :, 0], base, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            windows.inputs["future"][row, :, 1:12], expected, rtol=1e-4, atol=1e-4
        )


def test_growth_of_a_share_a_season_goes_on():
    """A season that grows by a fifth each time is a line in logarithms, which a base of sums would not follow."""
    past = (np.array([2.0, 5.0, 3.0, 8.0]) * 1.2 ** np.arange(10)[:, None]).reshape(1, -1)
    windows = seasonal_inputs(past, np.array([4]), np.array([0]), 4)
    np.testing.assert_allclose(windows.base[0], past[0, -4:] * 1.2, rtol=0.1)
    shifted = seasonal_inputs(past - 2.5, np.array([4]), np.array([0]), 4)
    assert (
        np.abs(shifted.base[0] + 2.5 - past[0, -4:] * 1.2).max()
        > np.abs(windows.base[0] - past[0, -4:] * 1.2).max()
    )


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(1e-6, 1e6), st.floats(-1e4, 1e4))
def test_units_are_of_no_account_nor_are_levels_of_what_is_not_positive(seed, factor, shift):
    past, season, longer = drawn(seed)
    below = past - np.nanmax(past) - 2e4
    several = (~np.isnan(past)).sum(axis=1) > 2
    for one, other in ((past, past * factor), (below, below + shift)):
        before, after = (
            seasonal_inputs(values, season, longer, HORIZON) for values in (one, other)
        )
        for name in ("past", "future"):
            ours, theirs = (windows.inputs[name][several] for windows in (after, before))
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)
        if one is past:
            ours = after.inputs["static"][several]
            theirs = before.inputs["static"][several]
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)
            np.testing.assert_allclose(
                after.base[several], before.base[several] * factor, 1e-6, 1e-6 * factor
            )


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_scaling_is_undone(seed):
    past, season, longer = drawn(seed, gaps=0.0)
    windows = seasonal_inputs(past, season, longer, HORIZON)
    values = np.nan_to_num(past, nan=1.0)[:, :HORIZON]
    near = np.abs(values - windows.base) < FARTHEST * windows.unit
    np.testing.assert_allclose(
        windows.in_units(windows.scaled(values))[near], values[near], rtol=1e-9, atol=1e-9
    )
    assert np.abs(windows.scaled(values * 1e9)).max() <= FARTHEST
    np.testing.assert_array_equal(windows.scaled(values[:, :3]), windows.scaled(values)[:, :3])
    quantiles = np.zeros((ROWS, HORIZON, 3))
    np.testing.assert_allclose(
        windows.in_units(quantiles), np.repeat(windows.base[:, :, None], 3, axis=2)
    )


@pytest.mark.parametrize(("lowest", "floor"), [(0.0, 0.0), (0.1, -np.inf), (-2.0, -np.inf)])
def test_no_forecast_is_below_zero_where_that_is_the_lowest_value(lowest, floor):
    past = np.random.default_rng(0).poisson(1.0, (3, 20)).astype(float)
    past[:, 7] = 0.0
    past = np.maximum(past, lowest) if lowest > 0 else np.where(np.arange(20) == 7, lowest, past)
    windows = seasonal_inputs(past, np.ones(3, int), np.zeros(3, int), 4)
    assert (windows.floor == floor).all()
    found = windows.in_units(np.full((3, 4, 2), -5.0))
    assert (found == 0).all() if floor == 0 else (found < 0).all()


@pytest.mark.parametrize(
    "values", [[np.nan] * 8, [5.0] * 8, [0.0] * 8, [np.nan] * 7 + [3.0], [1e300] * 7 + [-1e300]]
)
def test_there_is_always_a_unit(values):
    windows = seasonal_inputs(np.array([values]), np.array([4]), np.array([8]), 3)
    assert (windows.unit > 0).all()
    assert all(np.isfinite(array).all() for array in windows.inputs.values())
    assert np.isfinite(windows.base).all()


def test_names_are_as_many_as_columns():
    past, season, longer = drawn(0)
    inputs = seasonal_inputs(past, season, longer, HORIZON).inputs
    names = {"past": PAST, "future": FUTURE, "static": STATIC}
    widths = {name: array.shape[-1] for name, array in inputs.items()}
    assert widths == {name: len(columns) for name, columns in names.items()}
    assert all(array.dtype == np.float32 for array in inputs.values())


def test_a_network_reads_how_large_the_errors_of_the_base_were():
    past, season, longer = drawn(2)
    windows = seasonal_inputs(past, season, longer, HORIZON)
    base = SeasonalBase.of(past, season, longer, HORIZON)
    unit = windows.unit / base.scale
    static = windows.inputs["static"]
    first = STATIC.index(f"error of {BASE_FORECASTS[0]}")
    errors = np.exp(static[:, first:][:, : len(BASE_FORECASTS)])
    checks = np.exp(static[:, -2 * len(CHECKS) : -len(CHECKS)])
    for found, expected in ((errors, base.errors[0]), (checks, base.check_errors)):
        known = ~np.isnan(expected)
        assert (found[~known] == 1).all()
        np.testing.assert_allclose(
            found[known], np.clip(expected / unit, 1e-2, 10)[known], rtol=1e-4
        )
    np.testing.assert_array_equal(static[:, -len(CHECKS) :], ~np.isnan(base.check_errors))
    place = FUTURE.index(BASE_FORECASTS[-1])
    unsaid = np.isnan(base.models.forecasts[:, :, -1])
    assert unsaid.any()
    assert (windows.inputs["future"][:, :, place][unsaid] == 0).all()
