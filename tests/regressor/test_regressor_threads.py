"""Threads that predict while another one fits see one fit, whole."""

import copy
import threading

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data import random_sines
from seqcast.errors import DataError
from tests.rejections import rejected

PAST, FUTURE = random_sines(64, past=8, future=3, seed=1)
KNOWN = np.ones((64, 3, 1))
LEVELS = (0.1, 0.9)
ROUNDS = 2


def round_trip(fitted):
    """Return the forecast from the states of one fitted value, since those of another fit are rejected."""
    return fitted.decode(fitted.states(PAST))


def test_predictions_during_fits_are_each_of_one_fit(read_beside):
    """Scalings differ by a factor of 1000, so that one fit's weights with another's scaling show."""
    small = {"encoder_units": 4, "batch_size": 32, "learning_rate": 0.05, "verbose": 0}
    model = Seq2SeqRegressor(head="normal", **small, epochs=2)
    readers = {
        "predict": lambda: model.predict(PAST),
        "quantiles": lambda: model.predict_quantiles(PAST, LEVELS),
        "decode": lambda: round_trip(model.fitted_),
    }
    whole = {name: [] for name in readers}

    def publish(fit, unit):
        model.set_params(random_state=len(whole["predict"]))
        fit(PAST * unit, FUTURE * unit)
        # Nobody else fits, so these are of one fit.
        for name, read in readers.items():
            whole[name].append(read())

    def fit_in_turn():
        for unit in (1.0, 1000.0) * ROUNDS:
            publish(model.fit, unit)
            publish(model.partial_fit, unit * 2)

    publish(model.fit, 1.0)
    answers = read_beside(fit_in_turn, readers)
    for name, expected in whole.items():
        seen = {
            int(np.argmax([np.array_equal(answer, one) for one in expected]))
            for answer in answers[name]
        }
        torn = [
            answer
            for answer in answers[name]
            if not any(np.array_equal(answer, one) for one in expected)
        ]
        assert not torn, f"{len(torn)} of {len(answers[name])} answers of {name} are of no fit"
        assert len(seen) > 2
    assert len({one.tobytes() for one in whole["predict"]}) == 4 * ROUNDS + 1
    assert sum(map(len, answers.values())) >= 1000


class FitsWhenRead:
    """An array that fits a model in another thread, and waits for it, when it is first read."""

    def __init__(self, values, fit):
        self.values = values
        self.fit = fit
        self.ndim = values.ndim

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        if self.fit is not None:
            thread = threading.Thread(target=self.fit)
            self.fit = None
            thread.start()
            thread.join()
        return self.values


def from_model_inputs(model, X):
    inputs = model.model_inputs(X, FUTURE, future_covariates=KNOWN)
    return inputs.engine.predict(inputs.inputs, inputs.horizon)


# Each takes a model, states of it, and the array that it reads.
CALLS = {
    "predict": lambda model, _, X: model.predict(X, future_covariates=KNOWN),
    "predict_quantiles": lambda model, _, X: model.predict_quantiles(
        X, LEVELS, future_covariates=KNOWN
    ),
    "attention_weights": lambda model, _, X: model.attention_weights(X, future_covariates=KNOWN),
    "score": lambda model, _, X: model.score(X, FUTURE, future_covariates=KNOWN),
    "encode": lambda model, _, X: model.encode(X).vector(),
    "update": lambda model, states, X: model.update(states, X).vector(),
    "decode": lambda model, states, future: model.decode(states, future_covariates=future),
    "model_inputs": lambda model, _, X: from_model_inputs(model, X),
}


@pytest.fixture(scope="module")
def fitted_with_covariates():
    options = {"encoder_units": 4, "epochs": 1, "head": "normal", "attention": "dot", "verbose": 0}
    return Seq2SeqRegressor(**options, random_state=0).fit(PAST, FUTURE, future_covariates=KNOWN)


@pytest.mark.parametrize("name", CALLS)
def test_a_fit_in_the_middle_of_a_call_changes_the_next_call_only(fitted_with_covariates, name):
    model = copy.copy(fitted_with_covariates)
    states = model.encode(PAST)
    array = KNOWN if name == "decode" else PAST
    before = CALLS[name](model, states, array)

    def fit():
        model.set_params(random_state=1).fit(PAST * 1000, FUTURE * 1000, future_covariates=KNOWN)

    fitting = FitsWhenRead(array, fit)
    np.testing.assert_array_equal(CALLS[name](model, states, fitting), before)
    if name in ("update", "decode"):
        rejected(DataError, "states of other weights", CALLS[name], model, states, array)
    else:
        assert np.any(CALLS[name](model, states, array) != before)
    # What the first fit has learned answers as before, in any estimator.
    other = Seq2SeqRegressor(epochs=7).with_fitted(fitted_with_covariates.fitted_)
    np.testing.assert_array_equal(CALLS[name](other, states, array), before)
    assert (other.epochs, other.seed_) == (7, 0)
