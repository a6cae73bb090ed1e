"""What a network reads that is told the season: nothing of the unit, everything of the last seasons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.windows.seasonal_inputs import FARTHEST, FUTURE, PAST, STATIC, seasonal_inputs

ROWS, LENGTH, HORIZON = 12, 40, 11
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


def plainly(past, season, longer, row):
    """Return the differences and the last seasons of one row, step by step, in its own units."""
    windows = seasonal_inputs(past, season, longer, HORIZON)
    values = np.clip((past[row] - windows.loc[row]) / windows.scale[row], -FARTHEST, FARTHEST)

    def at(place):
        return values[place] if 0 <= place < LENGTH else np.nan

    newest = next((value for value in values[::-1] if not np.isnan(value)), 0.0)
    m, long = int(season[row]), int(longer[row])
    before = np.array([values[t] - at(t - m) for t in range(LENGTH)])
    long_before = np.array([values[t] - at(t - long) if long else np.nan for t in range(LENGTH)])
    future = []
    for step in range(HORIZON):
        seasons = np.array([at(LENGTH - back * m + step % m) for back in range(1, 7)])
        known = seasons[~np.isnan(seasons)]
        last_longer = at(LENGTH - long + step % long) if long else np.nan
        mean = known.mean() if len(known) else np.nan
        columns = [seasons[0], seasons[1], mean, last_longer]
        future.append([newest if np.isnan(column) else column for column in columns])
    return values, before, long_before, np.array(future), windows


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_it_is_what_plain_loops_give(seed):
    past, season, longer = drawn(seed)
    for row in range(ROWS):
        values, before, long_before, future, windows = plainly(past, season, longer, row)
        read = windows.inputs["past"][row]
        for place, column in enumerate((values, before, long_before)):
            np.testing.assert_allclose(read[:, place], np.nan_to_num(column), atol=1e-5)
            np.testing.assert_array_equal(read[:, 3 + place], ~np.isnan(column))
        np.testing.assert_allclose(windows.inputs["future"][row, :, :4], future, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_units_are_of_no_account(seed, factor, shift):
    """What is read is the same in any unit, but for the two statics that tell the level and zeros."""
    past, season, longer = drawn(seed)
    before = seasonal_inputs(past, season, longer, HORIZON)
    after = seasonal_inputs(past * factor + shift, season, longer, HORIZON)
    # Of one value, or of none, only the level tells a spread; and large levels leave few digits.
    several = (np.unique(np.isnan(past), axis=1).shape[1] > 0) & ((~np.isnan(past)).sum(axis=1) > 2)
    close = {"atol": 1e-2 + 1e-9 * abs(shift) / factor, "rtol": 1e-3}
    if abs(shift) / factor < 1e6:
        for name in ("past", "future"):
            np.testing.assert_allclose(after.inputs[name][several], before.inputs[name][several], **close)
    scaled = before.inputs["future"][:, :, 0].astype(float)
    np.testing.assert_allclose(after.in_units(scaled), after.loc + after.scale * scaled)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_scaling_is_undone(seed):
    past, season, longer = drawn(seed, gaps=0.0)
    windows = seasonal_inputs(past, season, longer, HORIZON)
    values = np.nan_to_num(past, nan=1.0)
    near = np.abs(values - windows.loc) < FARTHEST * windows.scale
    np.testing.assert_allclose(windows.in_units(windows.scaled(values))[near], values[near], rtol=1e-9, atol=1e-9)
    assert np.abs(windows.scaled(values * 1e9)).max() <= FARTHEST
    quantiles = np.zeros((ROWS, HORIZON, 3))
    np.testing.assert_allclose(windows.in_units(quantiles), np.broadcast_to(windows.loc[:, :, None], quantiles.shape))


@pytest.mark.parametrize("values", [[np.nan] * 8, [5.0] * 8, [0.0] * 8, [np.nan] * 7 + [3.0], [1e300] * 7 + [-1e300]])
def test_there_is_always_a_unit(values):
    windows = seasonal_inputs(np.array([values]), np.array([4]), np.array([8]), 3)
    assert (windows.scale > 0).all()
    assert all(np.isfinite(array).all() for array in windows.inputs.values())
    assert np.isfinite(windows.step).all()


def test_names_are_as_many_as_columns():
    past, season, longer = drawn(0)
    inputs = seasonal_inputs(past, season, longer, HORIZON).inputs
    names = {"past": PAST, "future": FUTURE, "static": STATIC}
    assert {name: array.shape[-1] for name, array in inputs.items()} == {
        key: len(value) for key, value in names.items()
    }
    assert all(array.dtype == np.float32 for array in inputs.values())


def test_a_perfect_season_is_read_as_such():
    past = np.tile([1.0, 5.0, 2.0], 6)[None]
    windows = seasonal_inputs(past, np.array([3]), np.array([0]), 5)
    np.testing.assert_allclose(windows.in_units(windows.inputs["future"][:, :, 2].astype(float)), [[1, 5, 2, 1, 5]])
    assert np.abs(windows.inputs["past"][0, 3:, 1]).max() == 0
    assert windows.inputs["past"][0, :, 4].tolist() == [0.0] * 3 + [1.0] * 15
