"""What a fit of the regressor learns: one value, published as a whole, that nothing changes."""

import copy
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions

from seqcast import Seq2SeqRegressor
from seqcast.errors import DataError, NotFittedError, TrainingError

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}
LEARNT = ("fitted_", "engine_", "history_", "preparation_", "seed_", "n_features_in_", "feature_names_in_")


def interrupt(*_):
    raise KeyboardInterrupt


def fail(*_):
    raise RuntimeError("a callback of the user's")


def stopping(when, at=0):
    """Return a callback that stops a training at the beginning of an epoch."""
    return keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: when() if epoch == at else None)


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def frame(values):
    return pd.DataFrame(values[:, :, 0], columns=[f"t{place}" for place in range(values.shape[1])])


# ---------------------------------------------------------------- attributes


@pytest.mark.parametrize("name", LEARNT)
def test_what_is_learnt_is_there_after_fit_and_cannot_be_set(sines, fitted, name):
    model = Seq2SeqRegressor(**SMALL)
    assert not hasattr(model, name)
    with pytest.raises(NotFittedError, match=r"this Seq2SeqRegressor instance is not fitted yet\. Call fit"):
        getattr(model, name)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        getattr(model, name)
    assert hasattr(fitted, name) == (name != "feature_names_in_")
    with pytest.raises(AttributeError):
        setattr(fitted, name, None)


def test_names_of_columns_are_those_of_the_last_fit(sines):
    past, future = sines
    model = Seq2SeqRegressor(**{**SMALL, "epochs": 1}).fit(frame(past), future)
    assert list(model.feature_names_in_) == list(frame(past).columns)
    assert model.n_features_in_ == 12
    with pytest.raises(DataError, match="feature names should match"):
        model.predict(frame(past).rename(columns={"t3": "three"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but Seq2SeqRegressor was fitted"):
        model.predict(past[:, :, 0])
    model.fit(past, future)
    assert model.n_features_in_ == 1
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(AttributeError, match="fitted on an X without names of columns"):
        _ = model.feature_names_in_


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize(
    ("copied", "continued"), [(copy.copy, True), (copy.deepcopy, False), (pickled, False), (pickled, True)]
)
def test_copies_predict_the_same_and_go_their_own_way(sines, copied, continued):
    past, future = frame(sines[0]), sines[1]
    model = Seq2SeqRegressor(**SMALL).fit(past, future)
    if continued:
        model.partial_fit(past, future)
    before = model.predict(past)
    other = copied(model)
    np.testing.assert_array_equal(other.predict(past), before)
    assert (other.seed_, other.history_, list(other.feature_names_in_)) == (0, model.history_, list(past.columns))
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
    fitted = Seq2SeqRegressor(**SMALL).fit(*sines)
    before = fitted.predict(sines[0])
    assert np.abs(fitted.partial_fit(*sines).predict(sines[0]) - before).max() > 0
    with pytest.raises(DataError, match=r"y: expected shape .N, 5, 1., as before"):
        fitted.partial_fit(sines[0], sines[1][:, :3])


def test_partial_fit_goes_on_with_the_optimiser(sines):
    """Three passes in one fit at a constant rate are three partial fits, but for the order of windows."""
    options = {**SMALL, "batch_size": 96, "validation_fraction": 0.0, "learning_rate_schedule": "constant"}
    whole = Seq2SeqRegressor(**{**options, "epochs": 3}, optimizer="adam").fit(*sines)
    parts = Seq2SeqRegressor(**options, optimizer="adam")
    for _ in range(3):
        parts.partial_fit(*sines)
    np.testing.assert_allclose(parts.predict(sines[0]), whole.predict(sines[0]), atol=1e-5)


def test_after_load_partial_fit_goes_on_from_the_loaded_weights(sines, tmp_path):
    model = Seq2SeqRegressor(**{**SMALL, "epochs": 5}).fit(*sines)
    model.save(tmp_path / "model.seqcast")
    loaded = Seq2SeqRegressor.load(tmp_path / "model.seqcast")
    for each in (loaded, model):
        each.partial_fit(*sines)
    np.testing.assert_array_equal(loaded.predict(sines[0]), model.predict(sines[0]))
    assert loaded.history_["loss"] == model.history_["loss"]


# ---------------------------------------------------------------- fits that fail


def test_a_refused_fit_leaves_the_fitted_estimator_as_it_was(sines):
    past, future = sines
    model = Seq2SeqRegressor(**SMALL).fit(past, future)
    before = model.predict(past)
    with pytest.raises(DataError, match="y: "):
        model.fit(past[:, :, 0], future[:3])
    with pytest.raises(DataError, match="validation"):
        model.fit(past * 2, future * 9, validation=(past, future[:, :2]))
    np.testing.assert_array_equal(model.predict(past), before)
    with pytest.raises(DataError, match="states: expected what encode returned"):
        model.decode(past)


@pytest.mark.parametrize(
    ("options", "callbacks", "error"),
    [
        ({"learning_rate": 1e30, "clip_norm": "none", "optimizer": "sgd"}, [], TrainingError),
        ({}, [stopping(fail, at=1)], RuntimeError),
    ],
)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(sines, options, callbacks, error):
    past, future = sines
    fitted, new = Seq2SeqRegressor(**SMALL).fit(past, future), Seq2SeqRegressor(**SMALL, **options)
    before, engine, history = fitted.predict(past), fitted.engine_, fitted.history_
    for model in (fitted.set_params(**options), new):
        with pytest.raises(error) as caught:
            model.fit(past * 1e3, future * 1e3, callbacks=callbacks)
        if error is TrainingError:  # what there was before the batch can be had
            kept = caught.value.kept
            assert kept.get_params() == model.get_params()
            assert np.isfinite(kept.predict(past)).all()
    np.testing.assert_array_equal(fitted.predict(past), before)
    assert fitted.engine_ is engine
    assert fitted.history_ is history
    assert not hasattr(new, "engine_")


def test_a_partial_fit_that_diverges_keeps_what_there_was_before_the_batch(sines):
    past, future = sines
    model = Seq2SeqRegressor(**SMALL).partial_fit(past, future)
    before = model.predict(past)
    first, huge = past[:4], np.full(future[:4].shape, 1e30)  # one batch, with squares that are infinite
    with pytest.raises(TrainingError, match=r"received inf in X\[\d\]; .* in y\[\.\.\., 0\]") as caught:
        model.partial_fit(first, huge)
    for kept in (caught.value.kept, model):
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


def test_an_interruption_leaves_a_whole_state(sines):
    past, future = sines
    model = Seq2SeqRegressor(**SMALL).fit(past, future)
    with pytest.raises(KeyboardInterrupt):
        model.fit(past * 1e3 + 5e4, future * 1e3 + 5e4, callbacks=[stopping(interrupt, at=1)])
    assert (model.history_.interrupted, len(model.history_)) == (True, 1)
    # In the units of the new data: weights and scaling are of the same fit.
    assert np.abs(model.predict(past * 1e3 + 5e4) - 5e4).max() < 1e4


def test_an_interruption_before_training_leaves_the_estimator_as_it_was(sines):
    def batches():
        yield sines
        raise KeyboardInterrupt

    model = Seq2SeqRegressor(**SMALL, steps_per_epoch=2).fit(*sines)
    engine = model.engine_
    with pytest.raises(KeyboardInterrupt):
        model.fit(batches())
    assert model.engine_ is engine


# ---------------------------------------------------------------- seeds


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(7)])
@pytest.mark.filterwarnings("ignore:random_state. cannot be written")
def test_the_seed_of_a_fit_repeats_it(sines, random_state):
    options = {**SMALL, "dropout": 0.2, "epochs": 1}
    model = Seq2SeqRegressor(**{**options, "random_state": random_state}).fit(*sines)
    again = Seq2SeqRegressor(**{**options, "random_state": model.seed_}).fit(*sines)
    for each in (model, again):
        each.partial_fit(*sines)
    np.testing.assert_array_equal(again.predict(sines[0]), model.predict(sines[0]))
    assert type(model.seed_) is int
    assert again.seed_ == model.seed_
