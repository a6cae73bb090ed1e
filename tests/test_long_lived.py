"""A process that fits, predicts, updates, saves and loads for long holds no more than at first.

A small version of `benchmarks/soak.py`, which measures memory too: here things are counted.
"""

import gc
import os
import threading
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.errors import SpecError, TrainingError

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX"),
]

WAVES = np.sin(np.arange(9) * 0.7 + np.linspace(0, 6, 24)[:, None])[:, :, None]
PAST = WAVES[:, :6]
FUTURE = WAVES[:, 6:]
DAYS = pd.date_range("2024-01-01", periods=40)
FRAME = pd.concat(
    [pd.DataFrame({"unique_id": name, "ds": DAYS, "y": np.sin(np.arange(40.0))}) for name in "ab"]
)
WARM_UP = 3
ROUNDS = 4


def regressor(**options):
    options = {"encoder_units": (3,), "decoder_units": (3,), "epochs": 1, **options}
    return Seq2SeqRegressor(random_state=0, verbose=0, **options)


def use_a_regressor(folder, place):
    model = regressor().fit(PAST, FUTURE)
    model.predict(PAST[: 1 + place % 2], 3 + place % 2)
    model.decode(model.update(model.encode(PAST[:2]), PAST[:2, :2]), 2)
    model.partial_fit(PAST, FUTURE)
    model.save(folder / "regressor.seqcast")
    Seq2SeqRegressor.load(folder / "regressor.seqcast").predict(PAST[:2])


def use_a_forecaster(folder, place):
    network = NetworkSpec(encoder_units=(3,), decoder_units=(3,), head="normal")
    training = {"epochs": 1, "validation_fraction": 0.0}
    model = Forecaster(
        3, freq="D", preset=network, training=training, context_length=5, random_state=0, verbose=0
    )
    model.fit(FRAME[FRAME["ds"] < DAYS[-4]], checkpoint=folder / f"checkpoints-{place}")
    model.predict(3 + place % 2, level=(50,))
    model.update(FRAME[FRAME["ds"] >= DAYS[-4]]).predict(samples=2)
    model.save(folder / "forecaster.seqcast")
    Forecaster.load(folder / "forecaster.seqcast").predict()


def fail(*_):
    with pytest.raises(SpecError):
        regressor(cell="none").fit(PAST, FUTURE)
    with pytest.raises(TrainingError):
        regressor(learning_rate=1e30, clip_norm="none", epochs=3).fit(PAST, FUTURE)


def held():
    """Return what this process holds; garbage is collected first, since it waits for other garbage."""
    import jax

    gc.collect()
    # Keras calls callbacks in a thread that ends a moment after they were collected; those of our
    # pool stay.
    stay = ("MainThread", "Dummy", "seqcast")
    others = [thread for thread in threading.enumerate() if not thread.name.startswith(stay)]
    for thread in others:
        thread.join(5)
    counts = {
        "programs": len(jax.devices()[0].client.live_executables()),
        "arrays": len(jax.live_arrays()),
        "objects": len(gc.get_objects()),
        "threads": sum(thread.is_alive() for thread in others),
    }
    descriptors = Path("/proc/self/fd")
    return {**counts, "descriptors": len(os.listdir(descriptors)) if descriptors.exists() else 0}


@pytest.mark.parametrize("use", [use_a_regressor, use_a_forecaster, fail])
def test_nothing_grows(use, tmp_path):
    for place in range(WARM_UP):
        use(tmp_path, place)
    before = held()
    for place in range(WARM_UP, WARM_UP + ROUNDS):
        use(tmp_path, place)
    after = held()
    # What one more round would leave behind is a thousand objects at least; JAX numbers some things
    # and keeps those.
    assert after.pop("objects") < before.pop("objects") + 50 * ROUNDS
    assert all(after[name] <= before[name] for name in before), (before, after)


@pytest.mark.parametrize("loss", [None, keras.losses.MeanAbsoluteError()], ids=["shared", "own"])
def test_programs_of_models_that_are_dropped_wait_for_no_garbage_collection(loss):
    """Python collects by numbers of objects: a few models of many megabytes would not make it begin."""
    import jax

    def use():
        regressor().set_params(loss=loss).fit(PAST, FUTURE).predict(PAST[:2])

    use()
    gc.collect()
    gc.disable()
    try:
        use()
        before = len(jax.devices()[0].client.live_executables())
        for _ in range(2):
            use()
        assert len(jax.devices()[0].client.live_executables()) <= before
    finally:
        gc.enable()
