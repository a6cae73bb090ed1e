"""Forecasts of arrays keep to the values that are possible."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.errors import DataError, SpecError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6, 1))
Y = np.maximum(RNG.normal(size=(48, 3, 1)), 0.0)


def regressor(**options):
    return Seq2SeqRegressor(encoder_units=4, epochs=1, random_state=0, verbose=0, scale="none", **options)


def test_what_was_never_negative_is_forecast_so():
    model, real = regressor().fit(X, Y), regressor(support="real").fit(X, Y)
    far = 5.0 * X
    assert real.predict(far).min() < 0
    np.testing.assert_array_equal(model.predict(far), np.maximum(real.predict(far), 0.0))
    np.testing.assert_array_equal(model.decode(model.encode(far)), model.predict(far))
    assert regressor().fit(X, Y - 0.1).predict(far).min() < 0


def test_counts_are_whole_numbers(tmp_path):
    counts = np.floor(4 * Y)[:, :, 0]
    model = regressor(support="counts", head="normal").fit(X[:, :, 0], counts)
    points, quantiles = model.predict(X[:, :, 0]), model.predict_quantiles(X[:, :, 0], (0.1, 0.5, 0.9))
    assert points.dtype == quantiles.dtype == np.int64
    assert points.shape == (48, 3)
    assert quantiles.shape == (48, 3, 3)
    assert points.min() >= 0
    plain = regressor(support="real", head="normal").fit(X[:, :, 0], counts)
    bounds = plain.predict_quantiles(X[:, :, 0], (0.1, 0.9))
    np.testing.assert_array_equal(quantiles[..., 0], np.maximum(np.floor(bounds[..., 0]), 0))
    np.testing.assert_array_equal(quantiles[..., 2], np.maximum(np.ceil(bounds[..., 1]), 0))
    model.save(tmp_path / "m.seqcast")
    np.testing.assert_array_equal(Seq2SeqRegressor.load(tmp_path / "m.seqcast").predict(X[:, :, 0]), points)


def test_what_is_not_seen_at_once_is_not_guessed():
    far = 5.0 * X
    real = regressor(support="real").partial_fit(X, Y).predict(far)
    np.testing.assert_array_equal(regressor().partial_fit(X, Y).predict(far), real)
    known = regressor(support="non-negative").partial_fit(X, Y)
    np.testing.assert_array_equal(known.predict(far), np.maximum(real, 0.0))
    batches = ((X, Y) for _ in iter(int, 1))
    assert regressor(steps_per_epoch=1).fit(batches).predict(far).min() < 0


def test_values_outside_are_refused():
    with pytest.raises(
        DataError,
        match=r"y, window 0, step 0, feature 0: expected values >= 0, for support='non-negative', received -1 ",
    ):
        regressor(support="non-negative").fit(X, Y - 1.0 - Y[0, 0, 0])
    with pytest.raises(DataError, match="expected whole numbers >= 0, for support='counts'"):
        regressor(support="counts").fit(X, Y)
    with pytest.raises(SpecError, match="support: expected one of"):
        regressor(support="positive").fit(X, Y)
