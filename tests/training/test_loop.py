"""Training keeps the best, says how it ended, follows its schedule, and leaves what the user owns alone."""

import dataclasses
import itertools
import json
import math
import random
import signal

import keras
import numpy as np
import pytest

from seqcast.data.windows.batches import ArrayWindows
from seqcast.engine.engine import Engine
from seqcast.errors import TrainingError
from seqcast.runtime.backend import weights_of
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.loop import learning_rate, optimizer, train

WINDOW = WindowSpec(horizon=2, features=1, targets=1)
NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
PLAIN = TrainingSpec(learning_rate_schedule="constant", learning_rate=0.01, epochs=2, early_stopping=None)


def windows_of(level, *, cls=ArrayWindows, **options):
    """24 windows whose targets all have one value, in three batches."""
    past = np.random.default_rng(0).normal(size=(24, 5, 1))
    return cls({"past": past}, np.full((24, 2, 1), float(level)), **{"batch_size": 8, "seed": 1, **options})


def opposite():
    """Validation that gets worse with every step towards targets of 1, so that the first epoch is the best."""
    return windows_of(-1, batch_size=24, seed=None)


def fitted(training=PLAIN, windows=None, **options):
    engine = Engine(NETWORK, training, seed=0)
    windows = windows_of(1) if windows is None else windows
    return engine, engine.fit(windows, window=WINDOW, verbose=0, **options)


def equal(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


class Recorder(keras.callbacks.Callback):
    """Keep the weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(weights_of(self.model))


class Raise(keras.callbacks.Callback):
    """Raise an error at an event of an epoch, counted from 1, and see whether it is closed."""

    def __init__(self, error, epoch, event):
        super().__init__()
        self.error, self.target, self.event = error, epoch, event
        self.closed = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, self.event, batch) == (self.target, "batch", 1):
            raise self.error

    def on_epoch_end(self, epoch, logs=None):
        if (self.epoch, self.event) == (self.target, "epoch"):
            raise self.error

    def close(self):
        self.closed += 1


# ---------------------------------------------------------------- what is recorded and kept


def test_a_fit_records_every_epoch():
    _, history = fitted(dataclasses.replace(PLAIN, epochs=2, metrics=("mae",)), validation=opposite())
    assert set(history.epochs) == {"loss", "mae", "val_loss", "val_mae"}
    assert all(len(values) == 2 for values in history.epochs.values())
    assert history.seconds > 0
    assert not history.stopped_early
    assert not history.interrupted


def test_without_validation_the_last_weights_stay():
    recorder = Recorder()
    engine, history = fitted(dataclasses.replace(PLAIN, early_stopping=1), callbacks=[recorder])
    assert history.best_epoch is None
    assert not history.stopped_early
    assert equal(weights_of(engine.model), recorder.weights[-1])


@pytest.mark.parametrize(("patience", "epochs"), [(None, 4), (1, 2), (2, 3)])
def test_best_weights_are_restored_at_the_end(patience, epochs):
    recorder, validation = Recorder(), opposite()
    training = dataclasses.replace(PLAIN, epochs=4, early_stopping=patience)
    engine, history = fitted(training, validation=validation, callbacks=[recorder])
    assert len(history) == epochs
    assert history.stopped_early is (patience is not None)
    assert history.best_epoch == 1 == 1 + int(np.argmin(history["val_loss"]))
    assert equal(weights_of(engine.model), recorder.weights[0])
    assert not equal(weights_of(engine.model), recorder.weights[-1])
    np.testing.assert_allclose(engine.model.evaluate(validation, verbose=0), min(history["val_loss"]), rtol=1e-6)


# ---------------------------------------------------------------- interruptions and divergence


@pytest.mark.parametrize(("event", "recorded"), [("batch", 1), ("epoch", 2)])
def test_interrupted_in_the_second_epoch(event, recorded):
    validation, closing = opposite(), Raise(KeyboardInterrupt(), 2, event)
    engine = Engine(NETWORK, dataclasses.replace(PLAIN, epochs=5), seed=0)
    with pytest.raises(KeyboardInterrupt) as caught:
        engine.fit(windows_of(1), window=WINDOW, validation=validation, callbacks=[closing], verbose=0)
    history = caught.value.history
    assert history.interrupted
    assert not history.stopped_early
    assert history.best_epoch == 1
    assert len(history) == recorded
    assert history.seconds > 0
    assert closing.closed == 1
    # The best weights are in the network, and it can be used and trained on.
    np.testing.assert_allclose(engine.model.evaluate(validation, verbose=0), history["val_loss"][0], rtol=1e-6)
    past = windows_of(1)[0][0]["past"]
    assert np.isfinite(engine.predict({"past": past}, horizon=3)).all()
    assert len(engine.fit(windows_of(1), window=WINDOW, verbose=0)) == 5


class Press(keras.callbacks.Callback):
    """Press Ctrl-C some times when the second epoch begins."""

    def __init__(self, times):
        super().__init__()
        self.times, self.heard = times, 0

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            for _ in range(self.times):
                try:
                    signal.raise_signal(signal.SIGINT)
                except KeyboardInterrupt:  # Keras has such a place, with a bare except
                    self.heard += 1


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_is_heard_where_keras_would_swallow_it(times):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    press = Press(times)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            fitted(dataclasses.replace(PLAIN, epochs=9), callbacks=[press])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(caught.value.history) == 1
    assert press.heard == times - 1  # the second one does not wait for the end of a step


def test_a_handler_of_the_users_stays():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        _, history = fitted(callbacks=[Press(1)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (pressed, len(history)) == ([1], 2)


class Poisoned(ArrayWindows):
    """Windows with infinite targets from the second epoch on."""

    def gather(self, indices):
        inputs, y, weight = super().gather(indices)
        return inputs, (y * np.inf if self.position >= len(self) else y), weight


def test_divergence_in_the_second_epoch():
    validation = opposite()
    engine = Engine(NETWORK, dataclasses.replace(PLAIN, epochs=4), seed=0)
    with pytest.raises(TrainingError) as caught:
        engine.fit(windows_of(1, cls=Poisoned), window=WINDOW, validation=validation, verbose=0)
    error = caught.value
    assert error.where == "training, epoch 2, batch 1"
    assert error.expected == "a finite loss"
    assert error.received.startswith("inf in X[")
    assert "Mend or drop these values" in error.hint
    assert len(error.history) == 1
    assert error.history.best_epoch == 1
    assert not error.history.interrupted
    np.testing.assert_allclose(engine.model.evaluate(validation, verbose=0), error.history["val_loss"][0], rtol=1e-6)


# ---------------------------------------------------------------- what is read


class Watched(ArrayWindows):
    """Windows that remember which batch was read in which epoch."""

    def __getitem__(self, index):
        self.__dict__.setdefault("read", []).append((self.position // len(self), index))
        return super().__getitem__(index)


@pytest.mark.parametrize("steps", [None, 1, 5])
def test_epochs_are_counted_once_and_go_on(steps):
    windows = windows_of(1, cls=Watched, steps=steps)
    engine, _ = fitted(windows=windows)
    every = list(itertools.product(range(2), range(len(windows))))
    # Keras may look at the first batch or two before it begins.
    assert windows.read[-len(every) :] == every
    assert windows.read[: -len(every)] == every[: len(windows.read) - len(every)]
    assert len(windows.read) <= len(every) + 2
    assert windows.position == 2 * len(windows)
    windows.read.clear()
    train(engine.model, windows, dataclasses.replace(PLAIN, epochs=1))
    assert windows.read == [(2, index) for index in range(len(windows))]


def test_a_generator_needs_no_length():
    drawn = []

    def batches():
        source = windows_of(1)
        for i in itertools.count():
            drawn.append(i)
            yield source[i % 3]

    training = dataclasses.replace(PLAIN, steps_per_epoch=4)
    _, history = fitted(training, windows=batches())
    assert len(history) == 2
    assert 8 <= len(drawn) <= 12  # a few are drawn ahead


def test_a_fit_leaves_global_generators_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()
    fitted(dataclasses.replace(PLAIN, epochs=1), validation=opposite())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


# ---------------------------------------------------------------- the learning rate


def cosine(rate, warmup, steps):
    """The formula of the docstring, step by step."""
    rising = max(1, round(warmup * steps)) if warmup else 0
    values = []
    for k in range(steps):
        if k < rising:
            values.append(rate / rising + rate * (1 - 1 / rising) * k / rising)
        else:
            values.append(rate * (1 + np.cos(np.pi * (k - rising) / (steps - rising))) / 2)
    return np.array(values)


@pytest.mark.parametrize("warmup", [0.0, 0.001, 0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("rate", "steps"), [(0.01, 1), (3.0, 2), (0.01, 10), (3.0, 33)])
def test_cosine(rate, warmup, steps):
    schedule = learning_rate(TrainingSpec(learning_rate=rate, warmup=warmup), steps)
    asked = np.unique(np.linspace(0, steps - 1, 10).astype(int))
    got = np.array([float(schedule(step)) for step in asked])
    np.testing.assert_allclose(got, cosine(rate, warmup, steps)[asked], rtol=1e-5, atol=1e-7 * rate)
    assert (got > 0).all()
    assert got.max() <= rate * (1 + 1e-6)


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_schedule_of_the_users(as_dict):
    given_ = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
    spec = TrainingSpec(learning_rate_schedule=given_)
    spec = TrainingSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) if as_dict else spec
    schedule = learning_rate(spec, 99)
    assert schedule is not given_
    steps = np.arange(20)
    np.testing.assert_allclose([float(schedule(k)) for k in steps], 0.5 * 0.25 ** (steps / 10), rtol=1e-5)


# ---------------------------------------------------------------- the optimiser


@pytest.mark.parametrize(("name", "clip_norm"), [("adam", 0.5), ("sgd", None)])
def test_rate_and_clipping_arrive(name, clip_norm):
    training = dataclasses.replace(PLAIN, optimizer=name, clip_norm=clip_norm, learning_rate=0.125, epochs=1)
    engine, _ = fitted(training)
    used = engine.model.optimizer
    assert type(used).__name__.lower() == name
    assert used.global_clipnorm == clip_norm
    assert float(used.learning_rate.value) == 0.125


def test_the_cosine_arrives():
    training = dataclasses.replace(PLAIN, learning_rate_schedule="cosine", warmup=0.5, epochs=2)
    rates = []

    class Rates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    fitted(training, callbacks=[Rates()])
    expected = [*cosine(0.01, 0.5, 6), 0.0]  # two epochs of three steps; what the next step would use
    np.testing.assert_allclose(rates, [expected[3], expected[6]], atol=1e-8)


def test_one_clipped_step_is_as_long_as_the_norm():
    clip_norm = 0.1
    before = weights_of(fitted_once(clip_norm, rate=1e-30))
    after = weights_of(fitted_once(clip_norm, rate=1.0))
    length = math.sqrt(sum(float(((a - b) ** 2).sum()) for a, b in zip(after, before, strict=True)))
    np.testing.assert_allclose(length, clip_norm, rtol=1e-2)


def fitted_once(clip_norm, rate):
    training = dataclasses.replace(PLAIN, optimizer="sgd", clip_norm=clip_norm, learning_rate=rate, epochs=1)
    return fitted(training, windows=windows_of(9, batch_size=24))[0].model


def test_muon_leaves_biases_and_the_last_layer_to_adam():
    """Adam's first step is the learning rate in every weight whose gradient is not nothing; Muon's is not."""
    networks = []
    for rate in (1e-30, 0.01):
        training = dataclasses.replace(PLAIN, optimizer="muon", learning_rate=rate, epochs=1)
        networks.append(fitted(training, windows=windows_of(9, batch_size=24))[0].model)
    for before, after in zip(networks[0].trainable_weights, networks[1].trainable_weights, strict=True):
        step = np.abs(after.numpy() - before.numpy())
        by_adam = "bias" in after.path or "output" in after.path
        # Muon's weights also shrink by a fraction of the rate: its decay.
        assert np.allclose(step, 0.01, atol=5e-4) == by_adam, after.path


def test_an_object_keeps_its_own_rate_and_clipping():
    used = optimizer(TrainingSpec(optimizer=keras.optimizers.SGD(0.25, momentum=0.5, clipvalue=2.0)), 0.01)
    assert float(used.learning_rate.value) == 0.25
    assert (used.momentum, used.clipvalue, used.global_clipnorm) == (0.5, 2.0, None)


def test_a_configuration_keeps_its_own_and_is_not_written_to():
    spec = TrainingSpec.from_dict(TrainingSpec(optimizer=keras.optimizers.SGD(0.25)).to_dict())
    before = json.dumps(spec.to_dict())
    assert float(optimizer(spec, 0.01).learning_rate.value) == 0.25
    assert json.dumps(spec.to_dict()) == before


# ---------------------------------------------------------------- what belongs to the user


def test_a_fit_leaves_no_trace_in_the_users_objects():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=10, decay_rate=0.5)
    own = {
        "optimizer": keras.optimizers.Adam(schedule),
        "loss": keras.losses.Huber(delta=2.0),
        "learning_rate_schedule": schedule,
        "metrics": (keras.metrics.MeanAbsoluteError(name="deviation"),),
    }

    def state():
        objects = [own["optimizer"], own["loss"], schedule, *own["metrics"]]
        variables = [*own["optimizer"].variables, *own["metrics"][0].variables]
        return (
            [one.get_config() for one in objects],
            [keras.ops.convert_to_numpy(variable.value).tolist() for variable in variables],
            own["optimizer"].built,
        )

    before = state()
    training = dataclasses.replace(PLAIN, epochs=1, **own)
    first, history = fitted(training)
    assert state() == before
    assert first.model.optimizer is not own["optimizer"]
    assert int(first.model.optimizer.iterations.value) == 3
    assert history["deviation"][0] > 0
    # The next fit begins where the first one began.
    second, again = fitted(training)
    assert again.epochs == history.epochs
    assert equal(weights_of(second.model), weights_of(first.model))


def test_a_network_errs_less_at_steps_that_count_more():
    # Both steps see the same past and want opposite values of one bias: what is learnt is what counts.
    past = np.random.default_rng(0).normal(size=(64, 5, 1))
    future = np.stack([np.ones((64, 1)), -np.ones((64, 1))], axis=1)
    errors = {}
    for decay in (0.0, 4.0):
        training = dataclasses.replace(PLAIN, horizon_decay=decay, epochs=3)
        engine, _ = fitted(training, ArrayWindows({"past": past}, future, batch_size=16, seed=0))
        errors[decay] = np.abs(engine.predict({"past": past}, 2) - future).mean(axis=(0, 2))
    assert errors[4.0][0] < errors[0.0][0]
    assert errors[4.0][1] > errors[0.0][1]
