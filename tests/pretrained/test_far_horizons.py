"""Later blocks of a forecast are held to what was known, unless it goes on in a line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained import ZeroShotWindows, inputs, load_pretrained
from seqcast.pretrained.far_horizons import REPEATED, base_after, held, widened


def adjusted(means):
    """Return how much of some means a line explains, by NumPy, adjusted for their number."""
    count = len(means)
    squared = np.corrcoef(np.arange(count), means)[0, 1] ** 2
    return max(0.0, 1 - (1 - squared) * (count - 1) / (count - 2))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), season=st.integers(2, 7), missing=st.integers(0, 10), rise=st.sampled_from([0.0, 0.3]))
def test_the_season_before_has_the_less_share_the_straighter_the_seasons(seed, season, missing, rise):
    rng = np.random.default_rng(seed)
    known = rng.normal(size=(3, 40)) + rise * np.arange(40)
    known[:, :missing] = np.nan
    median = rng.normal(size=(3, 6))
    found = held(median, known, np.full(3, season), begun=40, repeats=True)
    for row in range(3):
        count = 40 // season
        means = [known[row, 40 - (place + 1) * season : 40 - place * season] for place in range(count)]
        means = [np.nanmean(values) for values in means if not np.isnan(values).all()]
        share = REPEATED * (1 - adjusted(means))
        before = known[row, 40 - season + np.arange(6) % season]
        expected = (1 - share) * median[row] + share * before
        np.testing.assert_allclose(found[row], expected, atol=1e-9)


def test_without_a_season_or_where_it_is_not_known_the_median_stays():
    known, median = np.random.default_rng(0).normal(size=(2, 20)), np.zeros((2, 5))
    for season, repeats in ((1, True), (30, True), (4, False)):
        found = held(median, known, np.full(2, season), begun=20, repeats=repeats)
        np.testing.assert_array_equal(found, median)
    gappy = np.where(np.arange(20) == 17, np.nan, known)
    found = held(median, gappy, np.full(2, 4), begun=20, repeats=True)
    assert (found[:, 1] == 0).all()
    assert (found[:, 0] != 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), later=st.integers(0, 200), size=st.sampled_from([1.0, 1e6]))
def test_nothing_goes_farther_than_a_line_through_what_was_known(seed, later, size):
    rng = np.random.default_rng(seed)
    known = size * rng.normal(size=(2, 30 + later))
    begun = known[:, :30]
    found = held(1e9 * rng.normal(size=(2, 8)), known, np.array([1, 5]), begun=30, repeats=True)
    low, high = begun.min(axis=1, keepdims=True), begun.max(axis=1, keepdims=True)
    room = (high - low) * (1 + (later + np.arange(8)) / 30)
    assert (found >= low - room).all()
    assert (found <= high + room).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), length=st.integers(1, 5), steps=st.integers(1, 14), size=st.sampled_from([1.0, 1e200]))
def test_widths_go_on_as_if_the_last_block_came_again_and_again(seed, length, steps, size):
    rng = np.random.default_rng(seed)
    block, before = size * rng.normal(size=(2, length, 3)), size * rng.normal(size=(2, 1, 3))
    chain, last = [], before
    for _ in range(0, steps, length):
        chain.append(np.sign(block) * np.hypot(block, last))
        last = chain[-1][:, -1:]
    np.testing.assert_allclose(widened(block, before, steps), np.concatenate(chain, axis=1)[:, :steps])


def test_the_base_goes_on_in_the_units_of_what_is_known():
    week = np.tile([10.0, 20.0, 30.0], 6)[None]
    for known in (week, -7 * week):
        found = base_after(known, np.array([3]), np.array([0]), 5, context=18)
        np.testing.assert_allclose(found, known[:, [0, 1, 2, 0, 1]], rtol=1e-6)


def test_the_base_reads_its_context_or_all_that_is_known_where_that_holds_no_two_seasons():
    known = np.cumsum(np.random.default_rng(0).normal(size=(3, 40)), axis=1)
    season = np.array([4, 6, 9])  # two seasons of the last are more than 12 steps
    found = base_after(known, season, np.zeros(3, int), 7, context=12)
    for row, length in enumerate((12, 12, 40)):
        alone = base_after(known[row : row + 1, -length:], season[row : row + 1], np.zeros(1, int), 7, context=length)
        np.testing.assert_allclose(found[row : row + 1], alone, rtol=1e-6, atol=1e-6)


def test_the_base_is_worked_out_in_parts(monkeypatch):
    known, season = np.random.default_rng(0).normal(size=(11, 30)), np.full(11, 5)
    whole = base_after(known, season, np.zeros(11, int), 20, context=30)
    monkeypatch.setattr(inputs, "VALUES_AT_ONCE", 200)
    np.testing.assert_array_equal(base_after(known, season, np.zeros(11, int), 20, context=30), whole)


def test_a_season_that_a_short_past_does_not_have_twice_keeps_its_size():
    """The base reads what the network wrote, which ends at step 192."""
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(18) / 24)
    windows = ZeroShotWindows(y[None], np.array([24]), np.array([0]))
    found = load_pretrained().forecast(windows, 240, (0.5,))[0, :, 0]
    assert np.ptp(found[192:216]) > 0.8 * np.ptp(found[168:192])


@pytest.mark.parametrize("season", [1, 12])
def test_a_trend_goes_on(season):
    steps, rng = np.arange(620), np.random.default_rng(0)
    y = 100 + 2.0 * steps + (5 * np.sin(2 * np.pi * steps / 12) if season > 1 else 0)
    known = y[None, :120] + rng.normal(size=120)
    windows = ZeroShotWindows(known, np.array([season]), np.array([0]))
    found = load_pretrained().forecast(windows, 500, (0.5,))[0, :, 0]
    for later in (slice(64, 192), slice(192, None)):  # of the network, and of the base alone
        assert np.abs(found[later] - y[120:][later]).mean() < 0.05 * (y[-1] - y[120])
