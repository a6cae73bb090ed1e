"""Training keeps the best, says how it ended, follows its schedule, and leaves what the user owns alone."""

import dataclasses
import itertools
import json
import math
import signal

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows import ArrayWindows
from seqcast.runtime import to_numpy, weights_of
from seqcast.training import History, learning_rate, optimizer, train
from seqcast.training.callbacks import KeepBest
from seqcast.training.loop import BY_CLOCK

WINDOW = WindowSpec(horizon=2, features=1, targets=1)
NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
PLAIN = TrainingSpec(
    learning_rate_schedule="constant", learning_rate=0.01, epochs=2, early_stopping=None
)


def windows_of(level, *, cls=ArrayWindows, **options):
    """24 windows whose targets all have one value, in three batches."""
    past = np.random.default_rng(0).normal(size=(24, 5, 1))
    return cls(
        {"past": past}, np.full((24, 2, 1), float(level)), **{"batch_size": 8, "seed": 1, **options}
    )


def opposite():
    """Validation that gets worse with every step towards targets of 1, so that the first epoch is the best."""
    return windows_of(-1, batch_size=24, seed=None)


def fitted(training=PLAIN, windows=None, **options):
    engine = Engine(NETWORK, training, seed=0)
    windows = windows_of(1) if windows is None else windows
    return engine, engine.fit(windows, window=WINDOW, verbose=0, **options)


def equal(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def watching(event, do):
    """Return a callback that does something with its model, and the number of the epoch or step, at an event."""
    callback = keras.callbacks.LambdaCallback(
        **{event: lambda number, logs: do(callback.model, number)}
    )
    return callback


@pytest.fixture
def recorded():
    """Return the weights at the ends of epochs, and the callback that notes them."""
    weights = []
    return weights, watching("on_epoch_end", lambda model, _: weights.append(weights_of(model)))


# ---------------------------------------------------------------- what is recorded and restored


def test_without_validation_the_last_weights_stay(recorded):
    training = dataclasses.replace(PLAIN, early_stopping=1, metrics=("mae",))
    engine, history = fitted(training, callbacks=recorded[1:])
    assert {name: len(values) for name, values in history.epochs.items()} == {"loss": 2, "mae": 2}
    assert history.seconds > 0
    assert (history.best_epoch, history.stopped_early, history.interrupted) == (None, False, False)
    assert equal(weights_of(engine.model), recorded[0][-1])


@pytest.mark.parametrize(("patience", "epochs"), [(None, 4), (1, 2), (2, 3)])
def test_best_weights_are_restored_at_the_end(recorded, patience, epochs):
    validation = opposite()
    training = dataclasses.replace(PLAIN, epochs=4, early_stopping=patience, metrics=("mae",))
    engine, history = fitted(training, validation=validation, callbacks=recorded[1:])
    assert (
        {len(history[name]) for name in ("loss", "mae", "val_loss", "val_mae")}
        == {len(history)}
        == {epochs}
    )
    assert history.stopped_early is (patience is not None)
    assert history.best_epoch == 1 == 1 + int(np.argmin(history["val_loss"]))
    assert equal(weights_of(engine.model), recorded[0][0])
    assert not equal(weights_of(engine.model), recorded[0][-1])
    np.testing.assert_allclose(
        engine.model.evaluate(validation, verbose=0)[0], min(history["val_loss"]), rtol=1e-6
    )


# ---------------------------------------------------------------- interruptions


@pytest.mark.parametrize(
    ("event", "call", "epochs"), [("on_train_batch_end", 5, 1), ("on_epoch_end", 2, 2)]
)
def test_interrupted_in_the_second_epoch(event, call, epochs):
    calls = itertools.count(1)
    closed = []
    validation = opposite()

    def interrupt(*_):
        if next(calls) == call:
            raise KeyboardInterrupt

    callback = watching(event, interrupt)
    callback.close = lambda: closed.append(True)
    engine = Engine(NETWORK, dataclasses.replace(PLAIN, epochs=5), seed=0)
    with pytest.raises(KeyboardInterrupt) as caught:
        engine.fit(
            windows_of(1), window=WINDOW, validation=validation, callbacks=[callback], verbose=0
        )
    history = caught.value.history
    assert (len(history), history.best_epoch, closed) == (epochs, 1, [True])
    assert (history.interrupted, history.stopped_early) == (True, False)
    # The best weights are in the network, and it can be used and trained on.
    np.testing.assert_allclose(
        engine.model.evaluate(validation, verbose=0), history["val_loss"][0], rtol=1e-6
    )
    past = windows_of(1)[0][0]["past"]
    assert np.isfinite(engine.predict({"past": past}, horizon=3)).all()
    assert len(engine.fit(windows_of(1), window=WINDOW, verbose=0)) == 5


def pressing(times, heard):
    """Return a callback that presses Ctrl-C some times when the second epoch begins."""

    def press(_, epoch):
        for _ in range(times * (epoch == 1)):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:  # Keras has such a place, with a bare except
                heard.append(epoch)

    return watching("on_epoch_begin", press)


@pytest.fixture
def handled():
    """Return a function that sets the handler of Ctrl-C, until the test is over."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_is_heard_where_keras_would_swallow_it(handled, times):
    handled(signal.default_int_handler)
    heard = []
    with pytest.raises(KeyboardInterrupt) as caught:
        fitted(dataclasses.replace(PLAIN, epochs=9), callbacks=[pressing(times, heard)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(caught.value.history) == 1
    assert len(heard) == times - 1  # the second one does not wait for the end of a step


def test_a_handler_of_the_users_stays(handled):
    pressed = []
    handled(lambda *_: pressed.append(1))
    _, history = fitted(callbacks=[pressing(1, [])])
    assert (pressed, len(history)) == ([1], 2)


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
    drawn = itertools.count()
    batches = (windows_of(1)[number % 3] for number in drawn)
    _, history = fitted(dataclasses.replace(PLAIN, steps_per_epoch=4), windows=batches)
    assert len(history) == 2
    assert 8 <= next(drawn) <= 12  # a few are drawn ahead


class Unnumbered(keras.utils.PyDataset):
    """Three batches that Keras counts."""

    num_batches = 3

    def __init__(self):
        super().__init__()
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return windows_of(1)[index]


@pytest.mark.parametrize(("steps", "read"), [(None, [0, 1, 2] * 2), (1, [0, 1])])
def test_a_plain_dataset_takes_the_steps_of_the_spec(steps, read):
    batches = Unnumbered()
    _, history = fitted(dataclasses.replace(PLAIN, steps_per_epoch=steps), windows=batches)
    assert len(history) == 2
    assert batches.read[-len(read) :] == read


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


@pytest.mark.parametrize(
    "read", [lambda spec: spec, lambda spec: TrainingSpec.from_dict(spec.to_dict())]
)
def test_a_schedule_of_the_users(read):
    own = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
    steps = np.arange(20)
    schedule = learning_rate(read(TrainingSpec(learning_rate_schedule=own)), 99)
    assert schedule is not own
    np.testing.assert_allclose(
        [float(schedule(k)) for k in steps], 0.5 * 0.25 ** (steps / 10), rtol=1e-5
    )


# ---------------------------------------------------------------- the optimiser


@pytest.mark.parametrize(("name", "clip_norm"), [("adam", 0.5), ("sgd", None)])
def test_rate_and_clipping_arrive(name, clip_norm):
    training = {"learning_rate_schedule": "cosine", "learning_rate": 0.125, "warmup": 0.5}
    rates = []
    training = dataclasses.replace(PLAIN, optimizer=name, clip_norm=clip_norm, **training)
    rate = watching(
        "on_epoch_end",
        lambda model, _: rates.append(float(to_numpy(model.optimizer.learning_rate))),
    )
    engine, _ = fitted(training, callbacks=[rate])
    assert type(engine.model.optimizer).__name__.lower() == name
    assert engine.model.optimizer.global_clipnorm == clip_norm
    # After each of two epochs of three steps: what the next step would use.
    np.testing.assert_allclose(rates, [cosine(0.125, 0.5, 6)[3], 0.0], atol=1e-7)


def weights_after_one_step(**training):
    spec = dataclasses.replace(PLAIN, epochs=1, **training)
    return fitted(spec, windows=windows_of(9, batch_size=24))[0].model.trainable_weights


def test_one_clipped_step_is_as_long_as_the_norm():
    before, after = (
        weights_after_one_step(optimizer="sgd", clip_norm=0.1, learning_rate=rate)
        for rate in (1e-30, 1.0)
    )
    squares = [((a.numpy() - b.numpy()) ** 2).sum() for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(math.sqrt(sum(squares)), 0.1, rtol=1e-2)


def test_muon_leaves_biases_and_the_last_layer_to_adam():
    """Adam's first step is the learning rate in every weight whose gradient is not nothing; Muon's is not."""
    start, end = (
        weights_after_one_step(optimizer="muon", learning_rate=rate) for rate in (1e-30, 0.01)
    )
    for before, after in zip(start, end, strict=True):
        step = np.abs(after.numpy() - before.numpy())
        by_adam = "bias" in after.path or "output" in after.path
        # Muon's weights also shrink by a fraction of the rate: its decay.
        assert np.allclose(step, 0.01, atol=5e-4) == by_adam, after.path


def test_an_object_or_its_configuration_keeps_its_own_rate_and_clipping():
    spec = TrainingSpec(optimizer=keras.optimizers.SGD(0.25, momentum=0.5, clipvalue=2.0))
    read = TrainingSpec.from_dict(spec.to_dict())
    before = json.dumps(read.to_dict())
    for each in (spec, read):
        used = optimizer(each, 0.01)
        assert float(used.learning_rate.value) == 0.25
        assert (used.momentum, used.clipvalue, used.global_clipnorm) == (0.5, 2.0, None)
    assert json.dumps(read.to_dict()) == before


# ---------------------------------------------------------------- what belongs to the user


def test_a_fit_leaves_no_trace_in_the_users_objects():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=10, decay_rate=0.5)
    adam = keras.optimizers.Adam(schedule)
    metric = keras.metrics.MeanAbsoluteError(name="deviation")
    own = {
        "optimizer": adam,
        "loss": keras.losses.Huber(delta=2.0),
        "learning_rate_schedule": schedule,
    }

    def state():
        variables = [to_numpy(each.value).tolist() for each in (*adam.variables, *metric.variables)]
        return [one.get_config() for one in (*own.values(), metric)], variables, adam.built

    before = state()
    training = dataclasses.replace(PLAIN, epochs=1, metrics=(metric,), **own)
    first, history = fitted(training)
    assert state() == before
    assert first.model.optimizer is not adam
    assert int(first.model.optimizer.iterations.value) == 3
    assert history["deviation"][0] > 0
    # The next fit begins where the first one began.
    second, again = fitted(training)
    assert again.epochs == history.epochs
    assert equal(weights_of(second.model), weights_of(first.model))


def test_a_network_errs_less_at_steps_that_count_more():
    # Both steps see the same past and want opposite values of one bias: what is learned is what
    # counts.
    past = np.random.default_rng(0).normal(size=(64, 5, 1))
    future = np.stack([np.ones((64, 1)), -np.ones((64, 1))], axis=1)
    errors = {}
    for decay in (0.0, 4.0):
        training = dataclasses.replace(PLAIN, horizon_decay=decay, epochs=3)
        engine, _ = fitted(training, ArrayWindows({"past": past}, future, batch_size=16, seed=0))
        errors[decay] = np.abs(engine.predict({"past": past}, 2) - future).mean(axis=(0, 2))
    assert errors[4.0][0] < errors[0.0][0]
    assert errors[4.0][1] > errors[0.0][1]


# ---------------------------------------------------------------- histories, and the best weights


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EPOCHS = st.dictionaries(st.text(), st.lists(NUMBERS, max_size=4), max_size=3)


@given(EPOCHS, NUMBERS, st.booleans(), st.integers(1, 64))
def test_round_trip_through_json(epochs, seconds, flag, micro_batches):
    """Also where one quantity has fewer epochs, as after a later training without validation."""
    history = History(epochs, None, seconds, flag, not flag, micro_batches)
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


def test_numbers_that_are_not_finite_go_through_json_that_has_no_such():
    history = History({"val_loss": [math.nan, 1.0, math.inf]})
    text = json.dumps(history.to_dict(), allow_nan=False)
    np.testing.assert_array_equal(
        History.from_dict(json.loads(text))["val_loss"], [math.nan, 1.0, math.nan]
    )


WRONG = {
    "epochs": ["x", {"loss": "12"}, {"loss": ["1"]}, {"loss": [math.inf]}],
    "best_epoch": [3, 0, 1.0],
    "seconds": [None],
    "stopped_early": [1],
    "interrupted": ["no"],
    "micro_batches": [0],
    "more": [1],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_what_is_no_history_is_rejected(name, value):
    values = {**History({"loss": [2.0, 1.0]}, best_epoch=2).to_dict(), name: value}
    with pytest.raises(ValueError, match="history"):
        History.from_dict(values)


def reference(losses, patience):
    """Return the best epoch, from 1, the number of epochs, and whether training stopped early."""
    best = math.inf
    best_epoch = None
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best = loss
            best_epoch = epoch
        elif patience is not None and epoch - (best_epoch or 0) >= patience:
            return best_epoch, epoch, True
    return best_epoch, len(losses), False


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan, math.inf]), min_size=1, max_size=10),
    st.none() | st.integers(1, 4),
)
def test_keeps_the_best_and_stops_after_patience(losses, patience):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.stop_training = False
    keeper = KeepBest(patience)
    keeper.set_model(model)
    for epoch, loss in enumerate(losses):
        model.set_weights([np.full((1, 1), epoch + 1.0)])
        keeper.on_epoch_end(epoch, {"loss": 1.0, "val_loss": loss})
        if model.stop_training:
            break
    keeper.restore()
    history = keeper.history
    best_epoch, last, stopped = reference(losses, patience)
    assert (history.best_epoch, len(history), history.stopped_early) == (best_epoch, last, stopped)
    assert weights_of(model)[0].item() == (last if best_epoch is None else best_epoch)


@pytest.mark.parametrize(("best", "stop"), [(2, 12), (20, 100)])
def test_by_the_clock_the_patience_grows_with_the_best_epoch(best, stop):
    keeper = KeepBest(*BY_CLOCK)
    keeper.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]))
    keeper.model.stop_training = False
    epochs = 0
    while not keeper.model.stop_training:
        epochs += 1
        keeper.on_epoch_end(epochs - 1, {"val_loss": 1.0 / epochs if epochs <= best else 2.0})
    assert epochs == stop
