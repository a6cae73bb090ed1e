"""What a fit of the regressor learns: one value, published as a whole, that nothing changes."""

import copy
import dataclasses
import pickle
import random

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.errors import DataError, NotFittedError, TrainingError
from tests.rejections import rejected

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}
LEARNED = (
    "fitted_",
    "engine_",
    "history_",
    "preparation_",
    "seed_",
    "n_features_in_",
    "feature_names_in_",
)


def interrupt(*_):
    raise KeyboardInterrupt


def fail(*_):
    raise RuntimeError("a callback of the user's")


def stopping(when, at=0):
    """Return a callback that stops a training at the beginning of an epoch."""
    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: when() if epoch == at else None
    )


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def frame(values):
    return pd.DataFrame(values[:, :, 0], columns=[f"t{place}" for place in range(values.shape[1])])


# ---------------------------------------------------------------- attributes


def test_what_is_learned_is_there_after_fit_and_cannot_be_set(fitted):
    model = Seq2SeqRegressor(**SMALL)
    for name in LEARNED:
        assert not hasattr(model, name)
        rejected(
            NotFittedError,
            r"this Seq2SeqRegressor instance is not fitted yet\. Call fit",
            getattr,
            model,
            name,
        )
        assert hasattr(fitted, name) == (name != "feature_names_in_")
        with pytest.raises(AttributeError):
            setattr(fitted, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.fitted_.seed = 7


def test_names_of_columns_are_those_of_the_last_fit(sines, tmp_path):
    past = frame(sines[0])
    future = sines[1]
    model = Seq2SeqRegressor(**{**SMALL, "epochs": 1}).fit(past, future)
    model.save(tmp_path / "model.seqcast")
    for each in (model, Seq2SeqRegressor.load(tmp_path / "model.seqcast")):
        assert (list(each.feature_names_in_), each.n_features_in_) == (list(past.columns), 12)
        np.testing.assert_array_equal(each.predict(past), model.predict(past))
        rejected(
            DataError,
            "feature names should match",
            each.predict,
            past.rename(columns={"t3": "three"}),
        )
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but Seq2SeqRegressor was fitted"
    ):
        model.predict(past.to_numpy())
    model.fit(*sines)
    assert model.n_features_in_ == 1
    with pytest.raises(AttributeError, match="fitted on an X without names of columns"):
        _ = model.feature_names_in_


def test_after_more_epochs_no_epoch_is_the_best(sines):
    model = Seq2SeqRegressor(**{**SMALL, "validation_fraction": 0.5}).fit(*sines)
    assert model.history_.best_epoch is not None
    epochs = len(model.history_)
    model.partial_fit(*sines)
    assert (len(model.history_), model.history_.best_epoch, model.history_.stopped_early) == (
        epochs + 1,
        None,
        False,
    )


# ---------------------------------------------------------------- copies


COPIES = [(copy.copy, True), (copy.deepcopy, False), (pickled, False), (pickled, True)]


@pytest.mark.parametrize(("copied", "continued"), COPIES)
def test_copies_predict_the_same_and_go_their_own_way(sines, copied, continued):
    past = frame(sines[0])
    future = sines[1]
    model = Seq2SeqRegressor(**SMALL).fit(past, future)
    if continued:
        model.partial_fit(past, future)
    before = model.predict(past)
    other = copied(model)
    np.testing.assert_array_equal(other.predict(past), before)
    assert (other.seed_, other.history_, list(other.feature_names_in_)) == (
        0,
        model.history_,
        list(past.columns),
    )
    assert np.abs(other.partial_fit(past, future).predict(past) - before).max() > 0
    np.testing.assert_array_equal(model.predict(past), before)
    model.partial_fit(past, future)
    assert len(model.history_) == len(other.history_) == 3 + continued


# ---------------------------------------------------------------- partial fits


def test_partial_fit_goes_on(sines):
    model = Seq2SeqRegressor(**SMALL)
    losses = [model.partial_fit(*sines).history_["loss"][-1] for _ in range(6)]
    assert len(model.history_) == 6
    assert losses[-1] < losses[0]
    rejected(
        DataError,
        r"y: expected shape .N, 5, 1., as before",
        model.partial_fit,
        sines[0],
        sines[1][:, :3],
    )


def test_partial_fit_goes_on_with_the_optimiser(sines):
    """Three passes in one fit at a constant rate are three partial fits, but for the order of windows."""
    options = {
        "batch_size": 96,
        "validation_fraction": 0.0,
        "learning_rate_schedule": "constant",
        "optimizer": "adam",
    }
    whole, passes = (
        Seq2SeqRegressor(**{**SMALL, **options, "epochs": epochs}) for epochs in (3, 1)
    )
    whole.fit(*sines)
    for _ in range(3):
        passes.partial_fit(*sines)
    np.testing.assert_allclose(passes.predict(sines[0]), whole.predict(sines[0]), atol=1e-5)


def test_partial_fit_goes_on_from_fitted_and_from_loaded_weights(sines, fitted, tmp_path):
    fitted.save(tmp_path / "model.seqcast")
    model = copy.copy(fitted)
    loaded = Seq2SeqRegressor.load(tmp_path / "model.seqcast")
    for each in (loaded, model):
        each.partial_fit(*sines)
    np.testing.assert_array_equal(loaded.predict(sines[0]), model.predict(sines[0]))
    assert loaded.history_["loss"] == model.history_["loss"]
    assert np.abs(model.predict(sines[0]) - fitted.predict(sines[0])).max() > 0


# ---------------------------------------------------------------- fits that fail


DIVERGING = {"learning_rate": 1e30, "clip_norm": "none", "optimizer": "sgd"}
FAILURES = [
    ({}, lambda model, past, future: model.fit(past[:, :, 0], future[:3]), DataError),
    (
        {},
        lambda model, past, future: model.fit(past, future * 9, validation=(past, future[:, :2])),
        DataError,
    ),
    (DIVERGING, lambda model, past, future: model.fit(past * 1e3, future * 1e3), TrainingError),
    (
        {},
        lambda model, past, future: model.fit(past * 9, future, callbacks=[stopping(fail, at=1)]),
        RuntimeError,
    ),
]


@pytest.mark.parametrize(("options", "fit", "error"), FAILURES)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(sines, fitted, options, fit, error):
    model = copy.copy(fitted).set_params(**options)
    new = Seq2SeqRegressor(**{**SMALL, **options})
    before = fitted.predict(sines[0])
    for each in (model, new):
        with pytest.raises(error) as caught:
            fit(each, *sines)
        if error is TrainingError:  # what there was before the batch can be had
            assert caught.value.best.get_params() == each.get_params()
            assert np.isfinite(caught.value.best.predict(sines[0])).all()
    assert model.fitted_ is fitted.fitted_
    np.testing.assert_array_equal(model.predict(sines[0]), before)
    assert not hasattr(new, "engine_")


def test_a_partial_fit_that_diverges_leaves_what_there_was_before_the_batch(sines):
    past, future = sines
    model = Seq2SeqRegressor(**SMALL).partial_fit(past, future)
    before = model.predict(past)
    first, huge = (
        past[:4],
        np.full(future[:4].shape, 1e30),
    )  # one batch, with squares that are infinite
    with pytest.raises(
        TrainingError, match=r"received inf in X\[\d\]; .* in y\[\.\.\., 0\]"
    ) as caught:
        model.partial_fit(first, huge)
    for kept in (caught.value.best, model):
        np.testing.assert_array_equal(kept.predict(past), before)


@pytest.mark.parametrize("fails", [fail, interrupt])
def test_a_partial_fit_that_fails_leaves_the_estimator_as_it_was(sines, fails):
    past, future = sines
    model = Seq2SeqRegressor(**SMALL).partial_fit(past, future).partial_fit(past, future)
    before = model.predict(past)
    # It ends after a training step, which has changed the weights that were trained.
    ends = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: fails())
    twin = pickled(model)
    for each in (model, Seq2SeqRegressor(**SMALL)):
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            each.partial_fit(past, future, callbacks=[ends])
    assert not hasattr(each, "engine_")
    np.testing.assert_array_equal(model.predict(past), before)
    assert len(model.history_) == 2
    # The next call goes on from what was published, as a copy of it does.
    model.partial_fit(past, future)
    np.testing.assert_array_equal(model.predict(past), twin.partial_fit(past, future).predict(past))


def test_an_interruption_leaves_a_whole_state(sines, fitted):
    past, future = (values * 1e3 + 5e4 for values in sines)
    model = copy.copy(fitted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(past, future, callbacks=[stopping(interrupt, at=1)])
    assert (model.history_.interrupted, len(model.history_)) == (True, 1)
    # In the units of the new data: weights and scaling are of the same fit.
    assert np.abs(model.predict(past) - 5e4).max() < 1e4


def test_an_interruption_before_training_leaves_the_estimator_as_it_was(sines, fitted):
    def batches():
        yield sines
        raise KeyboardInterrupt

    model = copy.copy(fitted).set_params(steps_per_epoch=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(batches())
    assert model.fitted_ is fitted.fitted_


# ---------------------------------------------------------------- seeds


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(7)])
@pytest.mark.filterwarnings("ignore:random_state. cannot be written")
def test_the_seed_of_a_fit_repeats_it(sines, random_state):
    """And no global generator is drawn from."""
    options = {
        **SMALL,
        "dropout": 0.2,
        "epochs": 1,
        "decoder_input": "scheduled",
        "attention": "additive",
    }
    before = random.getstate(), np.random.get_state()[1].tolist()
    model = Seq2SeqRegressor(**{**options, "random_state": random_state}).fit(*sines)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    again, other = (
        Seq2SeqRegressor(**{**options, "random_state": seed}).fit(*sines)
        for seed in (model.seed_, model.seed_ + 1)
    )
    assert np.abs(other.predict(sines[0]) - model.predict(sines[0])).max() > 1e-4
    for each in (model, again):
        each.partial_fit(*sines)
    np.testing.assert_array_equal(again.predict(sines[0]), model.predict(sines[0]))
    assert (type(model.seed_), again.seed_) == (int, model.seed_)
