"""Batch `k` depends on the seed and on `k` alone, and holds all families in their shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.synthetic import FAMILIES, SyntheticSeries
from seqcast.errors import SpecError


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 10**9), st.integers(1, 9), st.integers(1, 70))
def test_a_batch_depends_on_the_seed_and_its_number(seed, number, n, length):
    one, other = (SyntheticSeries(seed, length=length).batch(number, n=n) for _ in range(2))
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.season, one.families.tolist()) == (other.season, other.families.tolist())
    assert one.values.shape == (n, length)
    assert np.isfinite(one.values).all()
    assert (SyntheticSeries(seed + 1, length=length).batch(number, n=n).values != one.values).any() or length == 1


def test_families_and_seasons_have_their_shares():
    series, n = SyntheticSeries(0, length=8), 2 * len(FAMILIES) + 5
    batches = [series.batch(number, n=n) for number in range(150)]
    for batch in batches:
        assert {int((batch.families == name).sum()) for name in FAMILIES} == {2, 3}
    families = np.concatenate([batch.families for batch in batches])
    for name in FAMILIES:
        assert np.mean(families == name) == pytest.approx(1 / len(FAMILIES), rel=0.2)
    seasons = [batch.season.length for batch in batches]
    assert np.mean(np.array(seasons) == 12) == pytest.approx(0.16, abs=0.08)
    assert len(set(seasons)) > 12
    assert max(seasons) > 200
    assert {batch.season.longer for batch in batches if batch.season.length == 24} == {None, 168}


def test_what_is_measured_by_months_rises_more_often_than_it_falls():
    def rising(season):
        weights = {"exponential_smoothing": 1, "random_walk": 1}
        batch = SyntheticSeries(0, length=60, weights=weights, seasons={season: 1}).batch(0, n=400)
        assert (set(batch.families), batch.season.length) == ({*weights}, season)
        values = batch.values
        return np.mean(values[:, -15:].mean(axis=1) > values[:, :15].mean(axis=1))

    assert rising(12) > 0.7
    assert 0.4 < rising(24) < 0.6


def test_gaps():
    values = SyntheticSeries(0, length=50, gaps=0.5).batch(0, n=100).values
    assert 0.3 < np.isnan(values).any(axis=1).mean() < 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"sine": 1}}, "weights: .*'sines'"),
        ({"weights": {"sines": 0}}, "weights: expected shares of 0 or more, one above 0"),
        ({"seasons": {7: -1, 12: 2}}, "seasons: expected shares of 0 or more, one above 0"),
        ({"seasons": {}}, "seasons: expected shares"),
        ({"length": 0}, "length: expected"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        SyntheticSeries(0, **options)
