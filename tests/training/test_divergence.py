"""A training whose numbers go bad stops at the batch, names what did it, and restores the weights before it."""

import dataclasses
import itertools
import pickle

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows import ArrayWindows
from seqcast.errors import TrainingError

NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
WINDOW = WindowSpec(horizon=3, features=2, targets=1, target_features=(0,))
ROWS = 40
BATCH = 8
TRAINING = TrainingSpec(
    epochs=3, batch_size=BATCH, learning_rate_schedule="constant", early_stopping=None
)


class Poisoned(ArrayWindows):
    """Windows of which one gets another number from a batch of the training on, in a column of the past or in y."""

    poison = None
    value = np.inf
    column = None
    since = 0

    def gather(self, windows):
        inputs, y, weight = super().gather(windows)
        hit = (windows == self.poison) & (self.position >= self.since)
        if self.column is None:
            return inputs, np.where(hit[:, None, None], np.float32(self.value), y), weight
        past = inputs["past"].copy()
        past[hit, 4, self.column] = self.value
        return {**inputs, "past": past}, y, weight


def windows(**poison):
    rng = np.random.default_rng(0)
    past = rng.normal(size=(ROWS, 8, 2))
    future = rng.normal(size=(ROWS, 3, 1))
    made = Poisoned({"past": past}, future, batch_size=BATCH, seed=5)
    vars(made).update(poison)
    return made


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
    return next(
        step for step, (numbers, counts) in enumerate(batches, 1) if window in numbers[counts]
    )


@pytest.mark.parametrize("window", [3, 17])
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_the_batch_and_its_window_are_named(window, micro_batches):
    error, _ = diverged(
        dataclasses.replace(TRAINING, micro_batches=micro_batches), poison=window, since=5
    )
    batch = place_of(window, 1)
    assert (error.epoch, error.batch) == (2, batch)
    assert error.where == f"training, epoch 2, batch {batch}"
    assert error.expected == "a finite loss"
    assert error.received.split(" in ")[1].startswith(f"X[{window}], with inf")
    assert error.columns == ("y[..., 0]",)
    assert "Correct or drop these values" in error.hint


EXPLODING = "a loss below 1e+09 times that of the first batch"
POISONS = [
    (
        {"column": 1, "value": np.nan},
        "a finite loss",
        "nan in X[9], with nan in X[..., 1] (scaled)",
    ),
    ({"value": 1e12, "since": 5}, EXPLODING, "in X[9], with 1e+12 in y[..., 0] (scaled)"),
]


@pytest.mark.parametrize(("poison", "expected", "received"), POISONS)
def test_what_went_bad_and_its_column_are_named(poison, expected, received):
    error, _ = diverged(poison=9, **poison)
    assert error.expected == expected
    assert error.received.endswith(received)
    assert f" in {error.columns[0]} (scaled)" in received
    copied = pickle.loads(pickle.dumps(error))  # the error travels to other processes
    assert (str(copied), copied.batch, copied.columns) == (str(error), error.batch, error.columns)


def test_a_large_learning_rate():
    wild = dataclasses.replace(TRAINING, optimizer="sgd", learning_rate=1e30, clip_norm=None)
    error, engine = diverged(wild)
    assert error.columns == ()
    assert "lower learning_rate" in error.hint.lower()
    assert all(np.isfinite(weights).all() for weights in engine.weights)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_the_weights_before_the_batch_are_restored(micro_batches):
    """They are those of a training that ends before that batch."""
    batch = place_of(17, 1)
    error, engine = diverged(
        dataclasses.replace(TRAINING, micro_batches=micro_batches), poison=17, since=5
    )

    # After the first epoch's five steps, and those of the second before that batch.
    last = 5 + batch - 1
    steps = itertools.count(1)
    ends = {
        "on_train_batch_end": lambda step, logs: setattr(
            stop.model, "stop_training", next(steps) == last
        )
    }
    stop = keras.callbacks.LambdaCallback(**ends)
    stopped = Engine(NETWORK, dataclasses.replace(TRAINING, micro_batches=micro_batches), seed=0)
    stopped.fit(windows(), window=WINDOW, callbacks=[stop], verbose=0)
    assert error.batch == batch
    for ours, theirs in zip(engine.weights, stopped.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_one_step_of_an_epoch_nothing_has_changed():
    error, engine = diverged(poison=int(windows().order.batch(0)[0][0]))
    fresh = Engine(NETWORK, TRAINING, seed=0)
    fresh.build(WINDOW, steps=1)
    assert error.batch == 1
    assert all(map(np.array_equal, engine.weights, fresh.weights))


def test_the_best_weights_are_restored():
    validation = windows()
    error, engine = diverged(validation=validation, poison=9, since=10)
    assert (error.epoch, len(error.history), error.history.interrupted) == (3, 2, False)
    best = min(error.history["val_loss"])
    np.testing.assert_allclose(engine.model.evaluate(validation, verbose=0), best, rtol=1e-5)


def test_steps_do_not_write_the_weights_into_their_variables(monkeypatch):
    """On JAX that takes as long as a small step."""
    if keras.backend.backend() != "jax":
        pytest.skip("other backends compute in the variables")
    written = []
    write = keras.Model.jax_state_sync
    monkeypatch.setattr(
        keras.Model, "jax_state_sync", lambda model: (written.append(model), write(model))[1]
    )
    counts = []
    for rows in (BATCH, ROWS):
        rng = np.random.default_rng(0)
        made = ArrayWindows(
            {"past": rng.normal(size=(rows, 8, 2))}, rng.normal(size=(rows, 3, 1)), batch_size=BATCH
        )
        written.clear()
        Engine(NETWORK, TRAINING, seed=0).fit(made, window=WINDOW, verbose=0)
        counts.append(len(written))
    assert counts[0] == counts[1]
