"""What changes synthetic series changes what it says, and nothing else."""

import numpy as np
import pytest

from seqcast.data.synthetic import Season, augmentations

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(200, 80)) * 3 + np.linspace(0, 5, 80)
CHANGES = ["mixed", "reversed_in_time", "negated", "modulated", "wandering", "exponentiated", "censored", "quantised"]
CHANGES += ["with_outliers", "with_gaps"]
LONGER = Season(7, 28)


def changed(name, share=1.0, values=VALUES):
    return getattr(augmentations, name)(np.random.default_rng(1), values, share)


def with_longer(values, share=1.0, season=LONGER):
    return augmentations.with_longer_season(np.random.default_rng(1), values, season, share)


def rows_changed(after):
    return (after != VALUES).any(axis=1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_share_of_the_series_is_changed(name):
    before = VALUES.copy()
    assert not rows_changed(changed(name, 0.0)).any()
    assert 0.2 < rows_changed(changed(name, 0.4)).mean() < 0.55
    assert rows_changed(changed(name)).mean() > 0.7
    np.testing.assert_array_equal(VALUES, before)


def test_mixtures_are_within_what_is_mixed():
    standard = (VALUES - VALUES.mean(axis=1, keepdims=True)) / VALUES.std(axis=1, keepdims=True)
    mixtures = changed("mixed")
    np.testing.assert_allclose(mixtures.mean(axis=1), 0, atol=1e-9)
    assert np.abs(mixtures).max() <= np.abs(standard).max()
    # Some are of two series: two weights explain them wholly.
    first = mixtures[0]
    gains, *_ = np.linalg.lstsq(standard.T, first, rcond=None)
    np.testing.assert_allclose(standard.T @ gains, first, atol=1e-9)


def test_levels_that_are_added_go_on_and_are_of_the_size_of_the_series():
    added = changed("wandering") - VALUES
    share = added.std(axis=1) / VALUES.std(axis=1)
    assert 0.09 < share.min() < 0.2
    assert 1.5 < share.max() < 2.1
    centred = added - added.mean(axis=1, keepdims=True)
    going_on = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / (centred**2).sum(axis=1)
    # From every second step's value that comes again to nearly all of it.
    assert np.quantile(going_on, 0.05) > 0.25
    assert np.quantile(going_on, 0.95) > 0.9


def test_exponentials_are_positive_and_keep_the_order():
    grown = changed("exponentiated")
    assert grown.min() > 0
    assert (np.argsort(grown, axis=1) == np.argsort(VALUES, axis=1)).all()


def test_series_rise_more_often():
    falling = np.concatenate([-VALUES, VALUES])
    turned = changed("rising", values=falling)
    np.testing.assert_array_equal(np.abs(turned), np.abs(falling))
    assert (turned[:, 60:].mean(axis=1) >= turned[:, :20].mean(axis=1)).all()
    half = changed("rising", 0.5, falling)
    falls = falling[:, 60:].mean(axis=1) < falling[:, :20].mean(axis=1)
    np.testing.assert_array_equal(half[~falls], falling[~falls])
    assert 0.4 < (half[falls] != falling[falls]).any(axis=1).mean() < 0.6


def test_some_series_grow_along_a_line():
    added = changed("growing") - VALUES
    steps = np.diff(added, axis=1)
    np.testing.assert_allclose(steps, np.repeat(steps[:, :1], steps.shape[1], axis=1), atol=1e-9)
    np.testing.assert_allclose(added[:, 0], 0.0, atol=1e-12)
    rises = added[:, -1] / VALUES.std(axis=1)
    assert 0.299 < rises.min() < 0.5 < 5 < rises.max() < 10.01
    assert 0.4 < (changed("growing", 0.5) != VALUES).any(axis=1).mean() < 0.6


def test_a_longer_season_is_added_to_a_share_of_the_series():
    added = with_longer(VALUES) - VALUES
    # It repeats after 28 steps, not after 7, and its size is that of the series.
    np.testing.assert_allclose(added[:, 28:], added[:, :-28], atol=1e-9)
    assert (np.abs(added[:, 7:] - added[:, :-7]).max(axis=1) > 1e-3).all()
    sizes = added.std(axis=1) / VALUES.std(axis=1)
    assert sizes.min() > 0.02
    assert sizes.max() < 2
    # Half are steps of seven; the others are curves through these, the mean of seven around each.
    steps = (np.abs(np.diff(added, axis=1)) > 1e-9).sum(axis=1) < 20
    assert 0.4 < steps.mean() < 0.6
    assert 0.2 < rows_changed(with_longer(VALUES, 0.4)).mean() < 0.55
    assert not rows_changed(with_longer(VALUES, 0.0)).any()
    assert with_longer(VALUES, season=Season(7)) is VALUES


def test_censored_series_rest_at_a_cap_or_a_floor():
    cut = changed("censored")
    rests = [np.sum(row == row.max()) > 1 or np.sum(row == row.min()) > 1 for row in cut]
    assert np.mean(rests) > 0.9
    same = cut == VALUES
    assert 0.4 < same.mean() < 0.99


def test_gaps_leave_half_of_a_series():
    gaps = np.isnan(changed("with_gaps"))
    missing = gaps.mean(axis=1)
    assert missing.max() < 0.6
    assert 0.05 < missing.mean() < 0.4
    # Of a third the same steps are missing again and again.
    again = [any((row[lag:] == row[:-lag]).all() for lag in range(5, 25)) for row in gaps]
    assert 0.2 < np.mean(again) < 0.5
