"""Histories go to files and back; what is none is refused."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.training.history import History

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
