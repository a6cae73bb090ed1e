"""A longer season contains the season."""

import pytest

from seqcast.data import Season
from seqcast.errors import SpecError


def test_a_season_comes_with_its_usual_longer_one():
    assert Season.of(24).lengths == (24, 168)
    assert Season.of(7) == Season(7, 364)
    assert Season.of(12).lengths == (12,)


@pytest.mark.parametrize("longer", [24, 30, 12])
def test_a_longer_season_is_a_multiple(longer):
    with pytest.raises(SpecError, match="longer: expected a multiple of the season, 24"):
        Season(24, longer)


@pytest.mark.parametrize("length", [0, 1.5])
def test_a_season_has_whole_steps(length):
    with pytest.raises(SpecError, match="season_length: expected"):
        Season(length)
