"""Each family of synthetic series is what it claims to be."""

import numpy as np
import pytest

from seqcast.data.synthetic import FAMILIES, Season, synthetic_series
from seqcast.errors import SpecError

N, LENGTH = 60, 240


def clean(family, season_length=1, n=N, length=LENGTH, seed=0):
    return synthetic_series(family, n, length, season_length=season_length, seed=seed, clean=True)


def correlation(left, right):
    """Return the correlation of each series with another one."""
    left, right = (part - part.mean(axis=1, keepdims=True) for part in (left, right))
    return (left * right).sum(axis=1) / np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1) + 1e-12)


@pytest.mark.parametrize("season_length", [1, 2, 7, 12, 24, 53])
@pytest.mark.parametrize("family", FAMILIES)
def test_series_are_finite_seeded_and_of_any_length(family, season_length):
    values = synthetic_series(family, 5, 50, season_length=season_length, seed=3)
    assert values.shape == (5, 50)
    assert np.isfinite(values).all()
    assert len(np.unique(values, axis=0)) == 5
    np.testing.assert_array_equal(values, synthetic_series(family, 5, 50, season_length=season_length, seed=3))
    assert (values != synthetic_series(family, 5, 50, season_length=season_length, seed=4)).any()
    assert synthetic_series(family, 1, 1, season_length=season_length, seed=0).shape == (1, 1)


@pytest.mark.parametrize(
    ("family", "share"),
    [
        ("exponential_smoothing", 0.5),
        *((name, 0.7) for name in ("several_seasons", "heteroscedastic", "seasonal_arima")),
        *((name, 0.9) for name in ("calendar_effects", "clipped_season")),
    ],
)
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


def test_steps_of_a_walk_do_not_depend_on_each_other_and_their_variance_changes():
    steps = np.diff(clean("random_walk", n=300, length=500), axis=1)
    assert abs(np.median(correlation(steps[:, 1:], steps[:, :-1]))) < 0.03
    sizes = np.abs(steps)
    blocks = sizes[:, :480].reshape(300, 12, 40).mean(axis=2)
    assert np.mean(blocks.max(axis=1) > 2 * blocks.min(axis=1)) > 0.3
    assert np.median(np.ptp(np.cumsum(steps, axis=1), axis=1) / sizes.mean(axis=1)) > 15


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
    again, next_year = correlation(values[:, cycle:], values[:, :-cycle]), correlation(values[:, 12:], values[:, :-12])
    np.testing.assert_allclose(again, 1.0, atol=1e-6)
    assert (next_year < 1 - 1e-4).all()


@pytest.mark.parametrize(("season_length", "longer"), [(24, 168), (7, 364)])
def test_several_seasons_repeat_after_the_longer_one(season_length, longer):
    values = clean("several_seasons", season_length, n=100, length=3 * longer)
    again, other = (correlation(values[:, lag:], values[:, :-lag]) for lag in (longer, longer // 2 + 3))
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "sine"}, "family: .*'sines'"),
        ({"n": 0}, "n: expected"),
        ({"length": 1.5}, "length: expected"),
        ({"season_length": 0}, "season_length: expected"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        synthetic_series(**{"family": "sines", "n": 2, "length": 10, **arguments})


@pytest.mark.parametrize("longer", [24, 30, 12])
def test_a_longer_season_holds_the_other(longer):
    with pytest.raises(SpecError, match="longer: expected a multiple of the season, 24"):
        Season(24, longer)
