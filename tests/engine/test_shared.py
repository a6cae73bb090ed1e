"""Networks of equal options share compiled programs, and train and forecast as if they were alone."""

import dataclasses
import gc
import threading

import jax
import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows import ArrayWindows
from seqcast.engine import compiled, shared

WINDOW = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,), dropout=0.2)
TRAINING = TrainingSpec(epochs=2, batch_size=16, metrics=["mae"])
WAVES = np.sin(np.arange(11) * 0.9 + np.linspace(0, 6, 40)[:, None])[:, :, None].astype("float32")


def trained(training=TRAINING, *, network=NETWORK, seed=0, rows=32, **options):
    """Return the weights, the history and a forecast of a new engine."""
    engine = Engine(network, training, seed=seed)
    values = WAVES[:rows]
    batches = ArrayWindows({"past": values[:, :8]}, values[:, 8:], batch_size=16, seed=1)
    history = engine.fit(batches, window=WINDOW, verbose=0, validation=batches, **options)
    return engine.weights, history, engine.predict({"past": values[:4, :8]}, horizon=3)


def alone(*arguments, **options):
    """Return the result of `trained` that shares nothing."""
    shared.step_programs_of.cache_clear()
    compiled.programs_of.cache_clear()
    return trained(*arguments, **options)


def assert_same_bits(first, second):
    (weights, history, forecast) = first
    (others, other_history, other_forecast) = second
    assert all(map(np.array_equal, weights, others))
    assert history["loss"] == other_history["loss"]
    np.testing.assert_array_equal(forecast, other_forecast)


def programs():
    """Return the number of compiled programs in this process."""
    gc.collect()
    return len(jax.devices()[0].client.live_executables())


# What a program takes as an argument, or does not depend on.
OTHERS = [
    ({}, {"seed": 5}),
    ({"learning_rate": 0.3, "warmup": 0.5}, {}),
    ({"epochs": 3, "early_stopping": 1}, {}),
]


@pytest.mark.parametrize(("training", "options"), OTHERS)
def test_what_programs_take_as_arguments_compiles_nothing(training, options):
    trained()
    before = programs()
    got = trained(dataclasses.replace(TRAINING, **training), **options)
    assert programs() <= before
    assert_same_bits(got, alone(dataclasses.replace(TRAINING, **training), **options))


@pytest.mark.parametrize(
    ("rate", "warmup", "epochs"), [(0.01, 0.5, 4), (0.1, 0.25, 4), (0.1, 0.0, 2)]
)
def test_the_rates_are_those_of_keras(rate, warmup, epochs):
    training = dataclasses.replace(TRAINING, learning_rate=rate, warmup=warmup, epochs=epochs)
    steps = 2 * epochs
    rising = round(warmup * steps)
    warm = {"warmup_target": rate, "warmup_steps": rising} if rising else {}
    decay = keras.optimizers.schedules.CosineDecay(rate / max(1, rising), steps - rising, **warm)
    theirs = dataclasses.replace(
        training, optimizer=keras.optimizers.Adam(decay, global_clipnorm=training.clip_norm)
    )
    for got, expected in zip(trained(training)[0], trained(theirs)[0], strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)


# What another program belongs to. Each follows the training above, and is as it is without it.
DIFFERENT = [
    {"training": dataclasses.replace(TRAINING, loss="mae")},
    {"training": dataclasses.replace(TRAINING, horizon_decay=0.5)},
    {"training": dataclasses.replace(TRAINING, optimizer="sgd", clip_norm=None)},
    {"training": dataclasses.replace(TRAINING, clip_norm=0.01)},
    {"training": dataclasses.replace(TRAINING, learning_rate_schedule="constant")},
    {"training": dataclasses.replace(TRAINING, micro_batches=2)},
    {"training": dataclasses.replace(TRAINING, metrics=())},
    {"network": dataclasses.replace(NETWORK, dropout=0.0)},
    {"freeze": ("encoder",)},
    {"rows": 40},
]


@pytest.mark.parametrize("options", DIFFERENT, ids=lambda options: " ".join(options))
def test_other_options_have_programs_of_their_own(options):
    first = trained()
    got = trained(**options)
    assert (
        not np.array_equal(first[0][0], got[0][0])
        or not np.array_equal(first[0][-1], got[0][-1])
        or (options.get("training", TRAINING).metrics != TRAINING.metrics)
    )
    assert_same_bits(got, alone(**options))


def test_objects_are_not_shared():
    """A user's object may change, or be equal to another by its name only."""
    for of in (lambda real, got: (real - got) ** 2, lambda real, got: abs(real - got)):
        training = dataclasses.replace(TRAINING, loss=of, optimizer=keras.optimizers.SGD(0.1))
        assert_same_bits(trained(training), alone(training))


def test_trainings_in_threads_are_those_one_after_another():
    expected = [alone(seed=seed) for seed in range(3)]
    shared.step_programs_of.cache_clear()
    got = {}
    threads = [
        threading.Thread(target=lambda seed=seed: got.update({seed: trained(seed=seed)}))
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        assert_same_bits(got[seed], expected[seed])
