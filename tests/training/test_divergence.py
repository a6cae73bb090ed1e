"""A training whose numbers go bad stops at the batch, names what did it, and keeps the weights before it."""

import pickle

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.errors import TrainingError

NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
WINDOW = WindowSpec(horizon=3, features=2, targets=1, target_features=(0,))
ROWS, BATCH = 40, 8
TRAINING = TrainingSpec(epochs=3, batch_size=BATCH, learning_rate_schedule="constant", early_stopping=None)
JAX = keras.backend.backend() == "jax"


class Poisoned(ArrayWindows):
    """Windows of which one gets other numbers from a batch of the training on."""

    def __init__(self, *arguments, poison=None, value=np.inf, column=None, since=0, **options):
        super().__init__(*arguments, **options)
        self.poison, self.value, self.column, self.since = poison, value, column, since

    def gather(self, windows):
        inputs, y, weight = super().gather(windows)
        hit = (windows == self.poison) & (self.position >= self.since)
        if self.column is None:
            y = np.where(hit[:, None, None], np.float32(self.value), y)
        else:
            inputs["past"] = inputs["past"].copy()
            inputs["past"][hit, 4, self.column] = self.value
        return inputs, y, weight


def windows(**options):
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(ROWS, 8, 2)), rng.normal(size=(ROWS, 3, 1))
    return Poisoned({"past": past}, future, batch_size=BATCH, seed=5, **options)


def diverged(training=TRAINING, validation=None, **options):
    """Return the error of a training, and the engine."""
    engine = Engine(NETWORK, training, seed=0)
    with pytest.raises(TrainingError) as caught:
        engine.fit(windows(**options), window=WINDOW, validation=validation, verbose=0)
    return caught.value, engine


def place_of(window, epoch):
    """Return the batch of an epoch, from 1, that a window is in."""
    order = windows().order
    batches = [order.batch(epoch * order.steps + step) for step in range(order.steps)]
    return next(step for step, (numbers, counts) in enumerate(batches, 1) if window in numbers[counts])


@pytest.mark.parametrize("window", [3, 17])
@pytest.mark.parametrize("parts", [1, pytest.param(2, marks=pytest.mark.skipif(not JAX, reason="parts"))])
def test_the_batch_and_its_window_are_named(window, parts):
    training = TrainingSpec(**{**TRAINING.to_dict(), "parts": parts if JAX else None})
    error, _ = diverged(training, poison=window, since=5)
    batch = place_of(window, 1)
    assert (error.epoch, error.batch) == (2, batch)
    assert error.where == f"training, epoch 2, batch {batch}"
    assert error.expected == "a finite loss"
    assert error.received.split(" in ")[1].startswith(f"X[{window}], with inf")
    assert error.columns == ("y[..., 0]",)
    assert "Mend or drop these values" in error.hint


def test_a_column_of_the_past_is_named():
    error, _ = diverged(poison=9, column=1, value=np.nan)
    assert error.columns == ("X[..., 1]",)
    assert error.received.startswith("nan in X[9], with nan in X[..., 1]")


def test_an_exploding_loss():
    error, _ = diverged(poison=9, value=1e12, since=5)
    assert error.expected == "a loss below 1e+09 times that of the first batch"
    assert error.received.endswith("in X[9], with 1e+12 in y[..., 0] (scaled)")


def test_a_large_learning_rate():
    wild = TrainingSpec(**{**TRAINING.to_dict(), "optimizer": "sgd", "learning_rate": 1e30, "clip_norm": None})
    error, engine = diverged(wild)
    assert error.columns == ()
    assert "lower learning_rate" in error.hint.lower()
    assert all(np.isfinite(weights).all() for weights in engine.weights)


@pytest.mark.skipif(not JAX, reason="other backends keep the weights of the epoch's beginning")
@pytest.mark.parametrize("parts", [1, 2])
def test_the_weights_before_the_batch_are_kept(parts):
    """They are those of a training that ends before that batch."""
    batch = place_of(17, 1)
    error, engine = diverged(TrainingSpec(**{**TRAINING.to_dict(), "parts": parts}), poison=17, since=5)

    class Stop(keras.callbacks.Callback):
        """End the second epoch before the batch."""

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, step, logs=None):
            if (self.epoch, step) == (1, batch - 2):
                self.model.stop_training = True

    shorter = {"parts": parts, "epochs": 2 if batch > 1 else 1}
    stopped = Engine(NETWORK, TrainingSpec(**{**TRAINING.to_dict(), **shorter}), seed=0)
    stopped.fit(windows(), window=WINDOW, callbacks=[Stop()], verbose=0)
    assert error.batch == batch
    for ours, theirs in zip(engine.weights, stopped.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_one_step_of_an_epoch_nothing_has_changed():
    error, engine = diverged(poison=int(windows().order.batch(0)[0][0]))
    fresh = Engine(NETWORK, TRAINING, seed=0)
    fresh.build(WINDOW, steps=1)
    assert error.batch == 1
    assert all(map(np.array_equal, engine.weights, fresh.weights))


def test_the_best_weights_are_kept():
    validation = windows()
    error, engine = diverged(validation=validation, poison=9, since=10)
    assert error.epoch == 3
    best = min(error.history["val_loss"])
    np.testing.assert_allclose(engine.model.evaluate(validation, verbose=0), best, rtol=1e-5)


def test_the_error_travels_to_other_processes():
    error, _ = diverged(poison=9)
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.batch, copied.columns) == (str(error), error.batch, error.columns)
