"""What a fit of the regressor learns forecasts by itself, and stays as it is."""

import dataclasses

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor

SMALL = {"encoder_units": (4,), "epochs": 1, "batch_size": 32, "random_state": 0, "verbose": 0}
LEVELS = (0.1, 0.5)


@pytest.fixture(scope="module")
def covariates():
    generator = np.random.default_rng(0)
    return {"static": generator.normal(size=(96, 2)), "future": generator.normal(size=(96, 7, 1))}


@pytest.fixture(scope="module")
def given(covariates):
    return {f"{name}_covariates": values for name, values in covariates.items()}


@pytest.fixture(scope="module")
def model(sines, given):
    return Seq2SeqRegressor(**SMALL, head="normal", attention="dot").fit(*sines, **given)


def answers(fitted, X, y, covariates):
    """Return what a fitted value answers, by the name of its method."""
    static, future = covariates["static"], covariates["future"]
    states = fitted.states(X, static=static)
    inputs = fitted.model_inputs(X, y, 7, static=static, future=future)
    return {
        "predict": fitted.predict(X, 7, static=static, future=future),
        "quantiles": fitted.quantiles(X, LEVELS, 7, static=static, future=future),
        "attention": fitted.attention(X, static=static, future=future),
        "states": states.vector(),
        "update": fitted.update(states, X[:, :3]).vector(),
        "decode": fitted.decode(states, 7, future=future),
        "model_inputs": inputs.inputs["past"],
    }


def test_the_estimator_hands_on(model, sines, covariates, given):
    X, static, future = sines[0], given["static_covariates"], given["future_covariates"]
    y = np.concatenate([sines[1], sines[1][:, :2]], axis=1)
    ours = answers(model.fitted_, X, y, covariates)
    states = model.encode(X, static_covariates=static)
    theirs = {
        "predict": model.predict(X, 7, **given),
        "quantiles": model.predict_quantiles(X, LEVELS, 7, **given),
        "attention": model.attention_weights(X, **given),
        "states": states.vector(),
        "update": model.update(states, X[:, :3]).vector(),
        "decode": model.decode(states, 7, future_covariates=future),
        "model_inputs": model.model_inputs(X, y, 7, **given).inputs["past"],
    }
    assert ours.keys() == theirs.keys()
    for name, answer in ours.items():
        np.testing.assert_array_equal(answer, theirs[name], err_msg=name)


def test_another_fit_changes_nothing_of_it(sines, covariates, given):
    X, y = sines[0], np.concatenate([sines[1], sines[1][:, :2]], axis=1)
    model = Seq2SeqRegressor(**SMALL, head="normal", attention="dot").fit(*sines, **given)
    first = model.fitted_
    before = answers(first, X, y, covariates)
    model.partial_fit(*sines, **given)
    second = model.fitted_
    model.fit(X * 1e3, sines[1] * 1e3, **given)
    for name, answer in answers(first, X, y, covariates).items():
        np.testing.assert_array_equal(answer, before[name], err_msg=name)
    assert len({id(first), id(second), id(model.fitted_)}) == 3
    assert np.abs(second.predict(X, **covariates) - first.predict(X, **covariates)).max() > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.seed = 7


def test_it_may_be_given_to_another_estimator(fitted, sines):
    other = Seq2SeqRegressor(epochs=7).with_fitted(fitted.fitted_)
    np.testing.assert_array_equal(other.predict(sines[0]), fitted.predict(sines[0]))
    assert (other.epochs, other.seed_) == (7, 0)
