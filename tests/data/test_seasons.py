"""Seasons are found, and are as strong as they were planted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.data import describe
from seqcast.data.seasons import naive_errors, seasonal_naive_errors, strengths
from seqcast.data.series import InMemoryStore


@pytest.mark.parametrize("season", [1, 5, 12, 24])
def test_a_season_of_whole_number_stamps_is_seen(season):
    rng = np.random.default_rng(1)
    y = rng.normal(size=400) + (
        3 * np.tile(rng.normal(size=season), 400)[:400] if season > 1 else 0
    )
    assert describe(pd.DataFrame({"ds": range(400), "y": y})).season_length == season


@pytest.mark.parametrize("season", [4, 7, 12])
def test_strengths_are_those_of_a_decomposition(season):
    rng = np.random.default_rng(2)
    steps = np.arange(240.0)
    noise = rng.normal(size=240)
    wave = np.sin(2 * np.pi * steps / season)
    assert strengths(noise, season)[1] < 0.2
    assert strengths(noise + 10 * wave, season)[1] > 0.9
    assert strengths(noise + steps, season)[0] > 0.95
    # Neither depends on level or unit.
    np.testing.assert_allclose(
        strengths(noise + wave, season), strengths(3 * (noise + wave) - 40, season)
    )
    gaps = np.where(steps % 11 == 0, np.nan, noise + 10 * wave)
    assert strengths(gaps, season)[1] > 0.6


def test_noise_of_two_seasons_has_no_strength_of_its_own():
    noise = np.random.default_rng(3).normal(size=156)
    assert np.isnan(strengths(noise[:104], 52)[1])
    assert strengths(noise, 52)[1] < 0.9


def plain_error(values, season, squared):
    """The definition in a plain loop."""
    gaps = [abs(later - earlier) for earlier, later in zip(values, values[season:], strict=False)]
    known = [gap**2 if squared else gap for gap in gaps if gap == gap]
    return sum(known) / len(known) if known else 0.0


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    season=st.integers(1, 12),
    gaps=st.floats(0, 1),
    squared=st.booleans(),
    seed=st.integers(0, 99),
)
def test_naive_errors_are_the_plain_loop_bit_for_bit(lengths, season, gaps, squared, seed):
    random = np.random.default_rng(seed)
    # Whole numbers, whose sums are exact in any order.
    values = random.integers(-1000, 1000, (sum(lengths), 2)).astype(float)
    values[random.random(values.shape) < gaps] = np.nan
    stops = np.cumsum(lengths)
    starts = stops - lengths
    found = seasonal_naive_errors(values, starts, stops, season, squared=squared)
    series = [values[start:stop].tolist() for start, stop in zip(starts, stops, strict=True)]
    expected = [
        [plain_error([row[d] for row in each], season, squared) for d in range(2)]
        for each in series
    ]
    assert found.tolist() == expected
    of_one = seasonal_naive_errors(values[:, 0], starts, stops, season, squared=squared)
    assert of_one.tolist() == [row[0] for row in expected]


def test_naive_errors_of_short_series_are_those_of_the_last_value_and_of_constant_ones_none():
    values = {"a": [0.0, 2.0, 4.0, 5.0], "b": [1.0], "c": [3.0] * 5}
    store = InMemoryStore.of({name: np.array(each)[:, None] for name, each in values.items()})
    np.testing.assert_allclose(naive_errors(store, store.lengths, 7), [[5 / 3], [np.nan], [np.nan]])
