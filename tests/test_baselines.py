"""Baselines: the naive ones against NumPy, the many-to-one network against a loop and against the naive ones."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from seqcast.baselines import LastValue, ManyToOneRegressor, SeasonalNaive
from seqcast.data.signals import random_sines
from seqcast.errors import DataError, NotFittedError, SpecError, TrainingError
from seqcast.specs.training import TrainingSpec
from tests.rejections import rejections

PAST = np.random.default_rng(0).normal(size=(4, 9, 2))


@given(st.integers(1, 9), st.integers(1, 20))
def test_seasonal_naive_is_its_formula(season, horizon):
    forecast = SeasonalNaive(season).predict(PAST, horizon)
    assert forecast.shape == (4, horizon, 2)
    for h in range(1, horizon + 1):
        place = 9 + h - season * -(-h // season)  # x_{T+h-m⌈h/m⌉}, T = 9, steps counted from 1
        np.testing.assert_array_equal(forecast[:, h - 1], PAST[:, place - 1])


def test_last_value_repeats_it_over_the_horizon_of_fit_in_the_axes_that_came():
    np.testing.assert_array_equal(LastValue().predict(PAST, 3), np.repeat(PAST[:, -1:], 3, axis=1))
    np.testing.assert_array_equal(LastValue(target_features=[1]).predict(PAST, 1), PAST[:, -1:, 1:])
    np.testing.assert_array_equal(LastValue().predict(PAST[:, :, 0], 2), PAST[:, [-1, -1], 0])
    model = LastValue().fit(PAST, np.zeros((4, 6, 2)))
    assert (model.predict(PAST).shape, model.predict(PAST, 1).shape) == ((4, 6, 2), (4, 1, 2))


@pytest.fixture(scope="module")
def sines():
    past, future = random_sines(1600, past=12, future=8, offset=(0, 0), seed=1)
    training = TrainingSpec(epochs=6, batch_size=64)
    model = ManyToOneRegressor((16,), training=training, random_state=0, verbose=0).fit(
        past, future
    )
    return model, *random_sines(200, past=12, future=8, offset=(0, 0), seed=2)


def test_many_to_one_beats_the_last_value_on_sines(sines):
    model, past, future = sines
    error, naive = (
        np.mean((each.predict(past, 1) - future[:, :1]) ** 2) for each in (model, LastValue())
    )
    assert error < naive / 4
    assert model.history_["loss"][-1] < model.history_["loss"][0] / 2


def test_many_to_one_rolls_as_a_loop_does(sines):
    model, past, _ = sines
    window = past[:5].astype(np.float32)
    expected = []
    for _ in range(20):
        value = np.asarray(model.model_(window))
        expected.append(value[:, 0])
        window = np.concatenate([window[:, 1:], value], axis=1)
    np.testing.assert_allclose(model.predict(past[:5], 20), np.stack(expected, axis=1), atol=1e-5)
    np.testing.assert_array_equal(
        model.predict(past[:5]), model.predict(past[:5], 8)
    )  # the horizon of fit


# ---------------------------------------------------------------- what is learned


NETWORK_OF_THREE = ManyToOneRegressor((3,), cell="lstm", training=TrainingSpec(epochs=1), verbose=0)
FITTED = {
    "SeasonalNaive": (SeasonalNaive(2), ["horizon_"]),
    "LastValue": (LastValue(target_features=[0, 1]), ["horizon_"]),
    "ManyToOneRegressor": (NETWORK_OF_THREE, ["model_", "history_", "horizon_", "seed_"]),
}


@pytest.fixture(params=FITTED)
def fitted(request):
    """A fitted baseline, and the names of what it has learned."""
    model, names = FITTED[request.param]
    return clone(model).fit(PAST, PAST[:, :6]), names


def test_copies_predict_the_same_and_a_fit_that_fails_leaves_the_baseline_as_it_was(fitted):
    model, names = fitted
    before = model.predict(PAST)
    learned = [getattr(model, name) for name in names]
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(PAST), before)
        assert (other.horizon_, repr(other)) == (6, repr(model))
    with pytest.raises(DataError):
        model.fit(PAST, NAN)
    if "model_" in names:
        model.set_params(
            training=TrainingSpec(epochs=2, learning_rate=1e30, optimizer="sgd", clip_norm=None)
        )
        with pytest.raises(TrainingError):
            model.fit(PAST, PAST[:, :4])
    np.testing.assert_array_equal(model.predict(PAST), before)
    assert all(getattr(model, name) is value for name, value in zip(names, learned, strict=True))


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3), 5])
def test_the_seed_of_a_fit_repeats_it(random_state):
    model = clone(NETWORK_OF_THREE).set_params(random_state=random_state)
    first = model.fit(PAST, PAST).predict(PAST)
    seed = model.seed_
    models = [clone(model).set_params(random_state=each) for each in (seed, seed + 1)]
    again, other = (each.fit(PAST, PAST).predict(PAST) for each in models)
    np.testing.assert_array_equal(again, first)
    assert (other != first).any()


# ---------------------------------------------------------------- wrong inputs


NAN = np.where(np.arange(9)[None, :, None] == 3, np.nan, PAST)
NAIVE = LastValue()
NETWORK = ManyToOneRegressor()
WRONG = {
    "short": (
        lambda: SeasonalNaive(10).predict(PAST, 2),
        DataError,
        "X: expected at least 10 steps, a season",
    ),
    "season": (lambda: SeasonalNaive(0).predict(PAST, 2), SpecError, "season_length"),
    "horizon": (lambda: NAIVE.predict(PAST, 0), SpecError, "horizon"),
    "half": (lambda: NAIVE.predict(PAST, 1.5), SpecError, "horizon"),
    "not fitted": (
        lambda: LastValue().predict(PAST),
        NotFittedError,
        "horizon: expected a number, received None",
    ),
    "axes": (lambda: NAIVE.predict(PAST[0, 0], 1), DataError, "X: expected"),
    "nan": (lambda: NAIVE.predict(NAN, 1), DataError, "X.*finite"),
    "rows": (lambda: LastValue().fit(PAST, PAST[:2]), DataError, "y: expected"),
    "network not fitted": (
        lambda: NETWORK.predict(PAST),
        NotFittedError,
        "this ManyToOneRegressor",
    ),
    "network axes": (lambda: NETWORK.fit(PAST[:, :, 0], PAST), DataError, "X: expected 3 axes"),
    "features": (
        lambda: NETWORK.fit(PAST, PAST[:, :, :1]),
        DataError,
        "y: expected the 2 features of X, .*received 1",
    ),
    "network nan": (lambda: NETWORK.fit(NAN, PAST), DataError, "X.*finite"),
    "seed": (
        lambda: ManyToOneRegressor(random_state=-1).fit(PAST, PAST),
        SpecError,
        "random_state: expected a",
    ),
    "cell": (
        lambda: ManyToOneRegressor(cell="grru").fit(PAST, PAST),
        SpecError,
        "Did you mean 'gru'",
    ),
}
test_wrong_inputs = rejections(WRONG)
