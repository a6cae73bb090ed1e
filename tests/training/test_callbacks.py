"""Histories go to files and back; the best weights are those of the smallest validation loss."""

import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.runtime.backend import weights_of
from seqcast.training.callbacks import History, KeepBest

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EPOCHS = st.dictionaries(st.text(), st.lists(NUMBERS, max_size=4), max_size=3)


@given(EPOCHS, NUMBERS, st.booleans(), st.integers(1, 64))
def test_round_trip_through_json(epochs, seconds, flag, parts):
    """Also where one quantity has fewer epochs, as after a further training without validation."""
    history = History(epochs, None, seconds, flag, not flag, parts)
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


def test_numbers_that_are_not_finite_go_through_json_that_has_no_such():
    history = History({"val_loss": [math.nan, 1.0, math.inf]})
    text = json.dumps(history.to_dict(), allow_nan=False)
    np.testing.assert_array_equal(History.from_dict(json.loads(text))["val_loss"], [math.nan, 1.0, math.nan])


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": "x"},
        {"epochs": {"loss": "12"}},
        {"epochs": {"loss": ["1"]}},
        {"epochs": {"loss": [math.inf]}},
        {"best_epoch": 3},
        {"best_epoch": 0},
        {"best_epoch": 1.0},
        {"seconds": None},
        {"stopped_early": 1},
        {"interrupted": "no"},
        {"parts": 0},
        {"more": 1},
    ],
)
def test_what_is_no_history_is_refused(change):
    values = {**History({"loss": [2.0, 1.0]}, best_epoch=2).to_dict(), **change}
    with pytest.raises(ValueError, match="history"):
        History.from_dict(values)


def test_a_new_history_is_empty_and_its_own():
    first, second = History(), History()
    first.epochs["loss"] = [1.0]
    assert len(first) == 1
    assert len(second) == 0
    assert second == History(epochs={}, best_epoch=None, seconds=0.0, stopped_early=False, interrupted=False)


# ---------------------------------------------------------------- KeepBest


def one_weight():
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    model.build((None, 1))
    return model


def reference(losses, patience):
    """Return the best epoch, from 1, the number of epochs, and whether training stopped early."""
    best, best_epoch = math.inf, None
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, best_epoch = loss, epoch
        elif patience is not None and epoch - (best_epoch or 0) >= patience:
            return best_epoch, epoch, True
    return best_epoch, len(losses), False


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan, math.inf]), min_size=1, max_size=10),
    st.none() | st.integers(1, 4),
)
def test_keeps_the_best_and_stops_after_patience(losses, patience):
    model = one_weight()
    model.stop_training = False
    keeper = KeepBest(patience)
    keeper.set_model(model)
    epochs = 0
    for loss in losses:
        epochs += 1
        model.set_weights([np.full((1, 1), float(epochs))])
        keeper.on_epoch_end(epochs - 1, {"loss": 1.0, "val_loss": loss})
        if model.stop_training:
            break
    keeper.restore()
    best_epoch, last, stopped = reference(losses, patience)
    assert (keeper.history.best_epoch, epochs, keeper.history.stopped_early) == (best_epoch, last, stopped)
    assert weights_of(model)[0].item() == (last if best_epoch is None else best_epoch)
    assert len(keeper.history) == last
