"""Each family of synthetic series is what it claims to be, and batch `k` depends on the seed and on `k` alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.errors import SpecError
from synthetic import FAMILIES, SyntheticSeries, synthetic_series
from tests.rejections import rejections

N = 60
LENGTH = 240


def clean(family, season_length=1, n=N, length=LENGTH, seed=0):
    return synthetic_series(family, n, length, season_length=season_length, seed=seed, clean=True)


def correlation(left, right):
    """Return the correlation of each series with another one."""
    left, right = (part - part.mean(axis=1, keepdims=True) for part in (left, right))
    return (left * right).sum(axis=1) / np.sqrt(
        (left**2).sum(axis=1) * (right**2).sum(axis=1) + 1e-12
    )


@pytest.mark.parametrize("season_length", [1, 2, 7, 12, 24, 53])
@pytest.mark.parametrize("family", FAMILIES)
def test_series_are_finite_seeded_and_of_any_length(family, season_length):
    values = synthetic_series(family, 5, 50, season_length=season_length, seed=3)
    assert values.shape == (5, 50)
    assert np.isfinite(values).all()
    assert len(np.unique(values, axis=0)) == 5
    np.testing.assert_array_equal(
        values, synthetic_series(family, 5, 50, season_length=season_length, seed=3)
    )
    assert (values != synthetic_series(family, 5, 50, season_length=season_length, seed=4)).any()
    assert synthetic_series(family, 1, 1, season_length=season_length, seed=0).shape == (1, 1)


SEASONAL = {
    "exponential_smoothing": 0.5,
    "several_seasons": 0.7,
    "heteroscedastic": 0.7,
    "seasonal_arima": 0.7,
}
SEASONAL |= {"calendar_effects": 0.9, "clipped_season": 0.9}


@pytest.mark.parametrize(("family", "share"), SEASONAL.items())
def test_a_season_can_be_seen(family, share):
    """Series less a trend are nearer to themselves a season before than half a season before."""
    values = np.diff(clean(family, 12, n=300), axis=1)
    whole, half = (correlation(values[:, lag:], values[:, :-lag]) for lag in (12, 6))
    assert np.mean(whole > half) > share


def test_a_sum_of_four_sines_obeys_a_recurrence_of_eight_steps():
    for row in clean("sines", 12, n=20):
        windows = np.lib.stride_tricks.sliding_window_view(row, 30)
        assert np.linalg.matrix_rank(windows, tol=1e-6 * np.linalg.norm(windows)) <= 8


def test_autoregressions_of_two_steps_explain_all_but_white_noise():
    values = clean("autoregression", length=600)
    for row in values:
        past = np.stack([row[1:-1], row[:-2]], axis=1)
        gains, *_ = np.linalg.lstsq(past, row[2:], rcond=None)
        errors = row[2:] - past @ gains
        assert abs(np.corrcoef(errors[1:], errors[:-1])[0, 1]) < 0.2
        assert np.abs(np.roots([1, -gains[0], -gains[1]])).max() < 1.01
    halves = np.log(values[:, :300].std(axis=1) / values[:, 300:].std(axis=1))
    assert abs(np.median(halves)) < 0.1


def test_piecewise_trends_bend_at_four_places():
    values = clean("piecewise_trend")
    bends = np.abs(np.diff(values, 2, axis=1)) > 1e-9 * np.ptp(values, axis=1, keepdims=True)
    assert bends.sum(axis=1).max() <= 2 * 4
    assert bends.any(axis=1).mean() > 0.5


def test_levels_shift_at_one_to_four_moments():
    values = clean("level_shifts")
    shifts = (np.abs(np.diff(values, axis=1)) > 1e-9).sum(axis=1)
    assert shifts.min() >= 1
    assert shifts.max() == 4


def test_counts_are_whole_and_intermittent():
    values = clean("intermittent_counts", 7, n=300)
    np.testing.assert_array_equal(values, np.round(values))
    assert values.min() == 0
    zeros = (values == 0).mean(axis=1)
    assert (np.quantile(zeros, [0.1, 0.9]) - [0.2, 0.85]) == pytest.approx([0, 0], abs=0.2)


def test_growth_saturates():
    values = clean("saturating_growth")
    steps = np.diff(values, axis=1)
    assert ((steps >= -1e-12).all(axis=1) | (steps <= 1e-12).all(axis=1)).all()
    assert values.min() >= 0
    assert values.max() <= 3
    assert np.mean(np.abs(steps[:, -1]) < 0.1 * np.abs(steps).max(axis=1)) > 0.3


def test_months_follow_their_number_of_days():
    """Days of the week that fall into a month repeat after twenty-eight years, not after one."""
    values = clean("calendar_effects", 12, n=200, length=480)
    smooth = np.apply_along_axis(np.convolve, 1, values, np.ones(12) / 12, "valid")
    spread = (values[:, 6:-5] - smooth).std(axis=1)
    assert (spread > 0.01).all()
    cycle = 12 * 28
    again = correlation(values[:, cycle:], values[:, :-cycle])
    next_year = correlation(values[:, 12:], values[:, :-12])
    np.testing.assert_allclose(again, 1.0, atol=1e-6)
    assert (next_year < 1 - 1e-4).all()


@pytest.mark.parametrize(("season_length", "longer"), [(24, 168), (7, 364)])
def test_several_seasons_repeat_after_the_longer_one(season_length, longer):
    values = clean("several_seasons", season_length, n=100, length=3 * longer)
    again, other = (
        correlation(values[:, lag:], values[:, :-lag]) for lag in (longer, longer // 2 + 3)
    )
    assert np.mean(again > 0.8) > 0.9
    assert np.mean(again > other) > 0.9


def test_nights_are_dark():
    values = clean("clipped_season", 24, n=300, length=480)
    assert values.min() == 0
    dark = values == 0
    assert np.mean((dark.mean(axis=1) > 0.1) & (dark.mean(axis=1) < 0.9)) > 0.8
    # It is dark at the same steps of each day.
    np.testing.assert_array_equal(dark[:, 24:], dark[:, :-24])


def test_demand_comes_in_clusters():
    values = clean("demand", n=400, length=500)
    assert values.min() == 0
    whole = (values == np.round(values)).all(axis=1)
    assert 0.6 < whole.mean() < 0.9
    zero = values == 0
    share = zero.mean(axis=1)
    after_zero = (zero[:, 1:] & zero[:, :-1]).sum(axis=1) / np.maximum(zero[:, :-1].sum(axis=1), 1)
    assert np.mean((after_zero > share)[(share > 0.1) & (share < 0.9)]) > 0.7


# ---------------------------------------------------------------- batches


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 10**9), st.integers(1, 9), st.integers(1, 70))
def test_a_batch_depends_on_the_seed_and_its_number(seed, number, n, length):
    one, other = (SyntheticSeries(seed, length=length).batch(number, n=n) for _ in range(2))
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.season, one.families.tolist()) == (other.season, other.families.tolist())
    assert one.values.shape == (n, length)
    assert np.isfinite(one.values).all()
    assert (
        SyntheticSeries(seed + 1, length=length).batch(number, n=n).values != one.values
    ).any() or length == 1


def test_families_and_seasons_have_their_shares():
    series = SyntheticSeries(0, length=8)
    n = 2 * len(FAMILIES) + 5
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


# ---------------------------------------------------------------- what is rejected


def drawn(family="sines", n=2, length=10, season_length=1):
    return lambda: synthetic_series(family, n, length, season_length=season_length)


def generator(**options):
    return lambda: SyntheticSeries(0, **options)


REJECTED = [
    (generator(weights={"sine": 1}), "weights: .*'sines'"),
    (generator(weights={"sines": 0}), "weights: expected weights of 0 or more, one above 0"),
    (generator(seasons={7: -1, 12: 2}), "seasons: expected weights of 0 or more, one above 0"),
    (generator(seasons={}), "seasons: expected weights"),
    (generator(length=0), "length: expected"),
    (drawn("sine"), "family: .*'sines'"),
    (drawn(n=0), "n: expected"),
    (drawn(length=1.5), "length: expected"),
    (drawn(season_length=0), "season_length: expected"),
]
test_what_is_rejected = rejections((call, SpecError, message) for call, message in REJECTED)
