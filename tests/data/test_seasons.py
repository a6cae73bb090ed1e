"""Seasons are found, and are as strong as they were planted."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data import describe
from seqcast.data.seasons import strengths


@pytest.mark.parametrize("season", [1, 5, 12, 24])
def test_a_season_of_whole_number_stamps_is_seen(season):
    rng = np.random.default_rng(1)
    y = rng.normal(size=400) + (3 * np.tile(rng.normal(size=season), 400)[:400] if season > 1 else 0)
    assert describe(pd.DataFrame({"ds": range(400), "y": y})).season_length == season


@pytest.mark.parametrize("season", [4, 7, 12])
def test_strengths_are_those_of_a_decomposition(season):
    rng = np.random.default_rng(2)
    steps = np.arange(240.0)
    noise, wave = rng.normal(size=240), np.sin(2 * np.pi * steps / season)
    assert strengths(noise, season)[1] < 0.2
    assert strengths(noise + 10 * wave, season)[1] > 0.9
    assert strengths(noise + steps, season)[0] > 0.95
    # Neither depends on level or unit.
    np.testing.assert_allclose(strengths(noise + wave, season), strengths(3 * (noise + wave) - 40, season))
    gaps = np.where(steps % 11 == 0, np.nan, noise + 10 * wave)
    assert strengths(gaps, season)[1] > 0.6


def test_a_series_with_hardly_a_value_has_no_strength():
    trend, season = strengths(np.array([1.0, np.nan, 2.0]), 7)
    assert trend == 0.0
    assert np.isnan(season)
