"""What changes synthetic series changes what it says, and nothing else."""

import numpy as np
import pytest

from seqcast.data import Season
from synthetic import augmentations
from synthetic.patterns import Draws

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(200, 80)) * 3 + np.linspace(0, 5, 80)
CHANGES = ["mixed", "modulated", "wandering", "exponentiated", "censored", "quantised"]
CHANGES += ["with_outliers", "with_gaps", "growing"]
LONGER = Season(7, 28)


def changed(name, share=1.0, values=VALUES):
    return getattr(augmentations, name)(
        Draws(np.random.default_rng(1), *values.shape), values, share
    )


def with_longer(values, share=1.0, season=LONGER):
    return augmentations.with_longer_season(
        Draws(np.random.default_rng(1), *values.shape, season), values, share
    )


def rows_changed(after):
    return (after != VALUES).any(axis=1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_share_of_the_series_is_changed(name):
    before = VALUES.copy()
    assert not rows_changed(changed(name, 0.0)).any()
    assert 0.2 < rows_changed(changed(name, 0.4)).mean() < 0.55
    assert rows_changed(changed(name)).mean() > 0.7
    np.testing.assert_array_equal(VALUES, before)


def test_exponentials_are_positive_and_keep_the_order():
    grown = changed("exponentiated")
    assert grown.min() > 0
    assert (np.argsort(grown, axis=1) == np.argsort(VALUES, axis=1)).all()


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


def test_gaps_leave_half_of_a_series():
    gaps = np.isnan(changed("with_gaps"))
    missing = gaps.mean(axis=1)
    assert missing.max() < 0.6
    assert 0.05 < missing.mean() < 0.4
    # Of a third the same steps are missing again and again.
    again = [any((row[lag:] == row[:-lag]).all() for lag in range(5, 25)) for row in gaps]
    assert 0.2 < np.mean(again) < 0.5
