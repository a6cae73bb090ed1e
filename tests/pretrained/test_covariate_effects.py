"""Effects of covariates in windows, by a ridge regression around pooled coefficients."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.pretrained import CovariateEffects

ROWS = 150
AHEAD = 10
SEASON = 7


def windows(count=6, rows=ROWS, effect=lambda flag, number: 2.0 * flag - 0.5 * number, seed=0):
    """Return windows with a week, a trend, noise, and effects of a flag and of a number; and these effects."""
    rng = np.random.default_rng(seed)
    steps = np.arange(rows + AHEAD)
    flag = (rng.random((count, len(steps))) < 0.2) * 1.0
    number = rng.normal(size=(count, len(steps)))
    truth = effect(flag, number)
    week = np.sin(2 * np.pi * steps / SEASON) + 0.01 * steps
    values = week + truth + rng.normal(0, 0.2, truth.shape)
    return values[:, :rows, None], np.stack([flag, number], axis=2), truth[:, :, None]


def learned(values, covariates):
    """Return the effects that are pooled over the windows, each a series of its own."""
    count, rows, _ = values.shape
    ids = [f"{place:02d}" for place in range(count)]
    targets, features = (
        InMemoryStore.of(dict(zip(ids, each, strict=True)))
        for each in (values, covariates[:, :rows].astype(np.float32))
    )
    unscaled = SeriesScaler(np.zeros((count, 1)), np.ones((count, 1)))
    reader = WindowReader(targets, features, unscaled, context_length=2 * rows, future=2)
    return CovariateEffects.learn(reader, np.full(count, rows), ("flag", "number"), SEASON)


def relative(found, truth):
    """Return the squared error of effects over their variance."""
    return float(np.mean((found - truth - np.mean(found - truth)) ** 2) / np.var(truth))


def flag_by_phase(flag, number):
    """Return an effect of the flag that changes within the season."""
    return flag * (1 + np.sin(2 * np.pi * np.arange(ROWS + AHEAD) / SEASON))


def season_before(flag, number):
    """Return an effect of the mean of the number over the season before."""
    return 3 * np.roll(uniform_filter1d(number, SEASON, axis=1), SEASON, axis=1)


@pytest.mark.parametrize(
    ("effect", "most"),
    [
        (lambda flag, number: 2.0 * flag - 0.5 * number, 0.1),
        (lambda flag, number: np.clip(number, -4, 4) ** 2, 0.6),
        (flag_by_phase, 0.35),
        (season_before, 0.6),
    ],
)
def test_planted_effects_are_found_and_continued(effect, most):
    values, covariates, truth = windows(effect=effect)
    found = learned(values, covariates).of(values, covariates)
    assert found.shape == truth.shape
    # Each of the three regressions holds a third of an effect that the others have no term for.
    assert relative(found[:, ROWS:], truth[:, ROWS:]) < most
    assert relative(0 * found[:, ROWS:], truth[:, ROWS:]) > 0.9


def test_effects_of_features_add_up():
    values, covariates, _ = windows()
    effects = learned(values, covariates)
    by_feature = effects.by_feature(values, covariates)
    assert by_feature.shape == (6, AHEAD, 1, 2)
    np.testing.assert_allclose(
        by_feature.sum(axis=-1), effects.of(values, covariates)[:, ROWS:], atol=1e-9
    )
    # The flag adds nothing where it is not set.
    np.testing.assert_allclose(by_feature[covariates[:, ROWS:, 0] == 0, 0, 0], 0.0, atol=1e-12)


def test_windows_with_few_values_take_the_pooled_coefficients_and_many_their_own():
    effects = learned(*windows()[:2])
    values, covariates, _ = windows(count=2, effect=lambda flag, number: -3.0 * flag, seed=1)
    for rows, sign in ((0, 1.0), (3, 1.0), (ROWS, -1.0)):
        known = np.where(np.arange(ROWS)[None, :, None] >= ROWS - rows, values, np.nan)
        added = effects.by_feature(known, covariates)[:, :, 0, 0]
        assert np.all(sign * added[covariates[:, ROWS:, 0] == 1] > 0.5)


def test_each_window_has_its_own_effects_in_any_order_and_of_the_past_alone():
    values, covariates, _ = windows()
    effects = learned(values, covariates)
    order = np.array([3, 0, 5, 1, 4, 2])
    found = effects.of(values, covariates)
    np.testing.assert_allclose(
        effects.of(values[order], covariates[order]), found[order], atol=1e-9
    )
    later = covariates.copy()
    later[:, ROWS:] = 0.0
    past = slice(0, ROWS - SEASON)
    np.testing.assert_allclose(effects.of(values, later)[:, past], found[:, past], atol=0.05)


def test_gaps_in_values_and_covariates_are_left_out():
    values, covariates, _ = windows()
    effects = learned(values, covariates)
    values[:, ::3] = np.nan
    covariates[:, 1::5] = np.nan
    found = effects.of(values, covariates)
    assert np.isfinite(found).all()
    assert np.isfinite(effects.of(np.full_like(values, np.nan), covariates)).all()


def test_effects_that_do_not_fit_are_rejected():
    effects = learned(*windows()[:2])
    effects.check(1, ("flag", "number"))
    curved, seasonal, _ = effects.regressions
    for wrong, message in (
        (replace(effects, regressions=()), "effects of"),
        (replace(effects, names=("flag",)), "effects of"),
        (replace(effects, regressions=(replace(curved, form="cubed"),)), "cubed"),
        (
            replace(effects, regressions=(replace(seasonal, squares=-seasonal.squares),)),
            "coefficients of shape",
        ),
        (
            replace(effects, regressions=(replace(seasonal, pooled=seasonal.pooled[:, 1:]),)),
            "coefficients of shape",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            wrong.check(1, ("flag", "number"))
