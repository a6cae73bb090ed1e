"""A training that goes on from its state ends with the bits of one that was never interrupted."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest

from seqcast.data.windows.batches import ArrayWindows
from seqcast.engine.engine import Engine
from seqcast.errors import SpecError
from seqcast.runtime.payload import from_parts, to_parts
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.state import TrainState

WINDOW = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
TRAINING = TrainingSpec(epochs=5, batch_size=16, metrics=("mae",), early_stopping=None)
SCHEDULED = NetworkSpec(encoder_units=(5, 4), decoder_units=(4, 3), dropout=0.3, decoder_input="scheduled")
on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX divides batches")


def windows(rows=slice(0, 40), seed=1, **options):
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (52, 1)))[rows, :, None]
    return ArrayWindows({"past": values[:, :8]}, values[:, 8:], batch_size=16, seed=seed, teacher_forcing=True)


class InMemory:
    """Checkpoints that go nowhere."""

    minutes = math.inf

    def __init__(self):
        self.states = []

    def newest(self):
        return None

    def write(self, state):
        self.states.append(state)


@pytest.fixture(scope="module", autouse=True)
def at_each_epoch():
    """Write a state at the end of each epoch, also of one that takes next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqcast.training.checkpoints.MOST_SHARE", math.inf)
        yield


def fit(network=SCHEDULED, training=TRAINING, validation=True, **options):
    """Train a new engine; return it, its history, and the states after each epoch."""
    checkpoints, engine = InMemory(), Engine(network, training, seed=3)
    validation = windows(slice(40, 52), None) if validation else None
    options = {"checkpoints": checkpoints, **options}
    history = engine.fit(windows(), window=WINDOW, validation=validation, verbose=0, **options)
    return engine, history, checkpoints.states


def assert_equal(ours, theirs):
    (engine, history, _), (other, recorded, _) = ours, theirs
    for one, two in zip(engine.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert dataclasses.replace(history, seconds=0.0) == dataclasses.replace(recorded, seconds=0.0)


def through_json(state):
    header, arrays = to_parts(state)
    return from_parts(TrainState, json.loads(json.dumps(header)), arrays)


AVERAGED = keras.optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.8)


@pytest.fixture(scope="module")
def whole():
    """A training that was never interrupted; nobody changes its states."""
    return fit()


@pytest.mark.parametrize(
    ("network", "training", "validation", "epochs"),
    [
        pytest.param(SCHEDULED, TRAINING, True, (1, 3), id="gru, dropout, scheduled"),
        pytest.param({"head": "normal"}, {"optimizer": AVERAGED}, True, (2,), id="averaged weights"),
        pytest.param({"cell": "lstm"}, {"optimizer": "muon"}, False, (3,), id="lstm, muon"),
    ],
)
def test_some_epochs_and_the_rest_are_all_epochs(network, training, validation, epochs):
    if isinstance(network, dict):
        network, training = dataclasses.replace(SCHEDULED, **network), dataclasses.replace(TRAINING, **training)
    whole = fit(network, training, validation)
    states = whole[2]
    assert [(state.epoch, state.step) for state in states] == [(1, 3), (2, 6), (3, 9), (4, 12), (5, 15)]
    for epoch in epochs:
        again = fit(network, training, validation, state=through_json(states[epoch - 1]))
        assert_equal(again, whole)
        for ours, theirs in zip(again[2], states[epoch:], strict=True):
            for one, two in zip(to_parts(ours)[1].values(), to_parts(theirs)[1].values(), strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_state_holds_generators_and_the_counter_of_scheduled_sampling(whole):
    engine, _, states = whole
    model = engine.model
    names = [variable.path for variable in model.non_trainable_variables]
    seeds = [place for place, name in enumerate(names) if "seed_generator" in name]
    counter = next(place for place, name in enumerate(names) if "teacher_steps" in name)
    assert len(seeds) >= 3
    for place in seeds:
        assert not np.array_equal(states[0].non_trainable[place], states[1].non_trainable[place]), names[place]
    assert [float(state.non_trainable[counter]) for state in states] == [3.0, 6.0, 9.0, 12.0, 15.0]


def test_the_best_epoch_goes_along_and_patience_goes_on():
    """Validation gets worse from the first epoch on: the rest of a training stops where the whole one stopped."""
    training = dataclasses.replace(TRAINING, epochs=9, early_stopping=3, learning_rate=0.3, metrics=())
    whole = fit(training=training)
    history, states = whole[1], whole[2]
    assert history.stopped_early
    assert len(history) < 9
    state = through_json(states[-2])
    assert state.best_loss == min(history["val_loss"])
    assert state.history.best_epoch == history.best_epoch
    assert_equal(fit(training=training, state=state), whole)
    # A training that is over stays over.
    assert_equal(fit(training=training, state=states[-1]), whole)


def test_states_are_copies(whole):
    _, _, states = whole
    before = [values.copy() for values in states[0].trainable]
    fit(state=states[0])
    assert len(states[0].history) == 1
    for values, copied in zip(states[0].trainable, before, strict=True):
        np.testing.assert_array_equal(values, copied)


@on_jax
def test_the_number_of_parts_goes_along(monkeypatch):
    """A training that chose two parts on two cores has two of them on one core."""
    from seqcast.network import jax_steps

    monkeypatch.setattr(jax_steps, "SMALLEST_PART", 1)
    monkeypatch.setattr(jax_steps, "threads", lambda: 2)
    whole = fit()
    assert whole[1].parts == whole[2][0].parts == 2
    monkeypatch.setattr(jax_steps, "threads", lambda: 1)
    assert fit()[1].parts == 1
    assert_equal(fit(state=through_json(whole[2][1])), whole)


@pytest.mark.parametrize(
    "change",
    [
        {"network": dataclasses.replace(SCHEDULED, encoder_units=(5, 5))},
        {"network": dataclasses.replace(SCHEDULED, dropout=0.0)},
        {"training": dataclasses.replace(TRAINING, optimizer="sgd")},
        {"freeze": ("encoder",)},
    ],
)
def test_a_state_of_another_training_is_refused(whole, change):
    _, _, states = whole
    with pytest.raises(SpecError, match=r"state: expected \d+ (trainable|non_trainable|optimizer) variables"):
        fit(state=states[0], **change)
