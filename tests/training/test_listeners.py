"""Listeners hear how far a training is."""

import numpy as np
import pytest

from seqcast.data.signals import random_sines
from seqcast.regressor.regressor import Seq2SeqRegressor
from seqcast.training.listeners import TrainingEvent, listen, listeners


def trained(**options):
    past, future = random_sines(96, past=8, future=3, seed=1)
    settings = {"encoder_units": (4,), "batch_size": 16, "epochs": 4, "random_state": 0, "verbose": 0, **options}
    return Seq2SeqRegressor(**settings).fit(past, future), past


def test_what_is_heard_is_what_is_recorded_and_changes_nothing():
    heard = []
    with listen(heard.append):
        model, past = trained()
    losses = [event.loss for event in heard if event.loss is not None]
    assert list(dict.fromkeys(losses)) == pytest.approx(model.history_.epochs["loss"])
    shares = [event.share for event in heard]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert heard[0].seconds_left is None
    assert heard[-1].seconds_left == 0.0
    alone, _ = trained()
    assert np.array_equal(alone.predict(past), model.predict(past))


def test_trainings_are_counted_and_nothing_is_heard_outside():
    heard = []
    with listen(heard.append):
        trained(epochs=1)
        trained(epochs=1)
    assert [event.training for event in heard if event.share == 0.0] == [1, 2]
    count = len(heard)
    trained(epochs=1)
    assert len(heard) == count
    assert listeners(None) == []


def test_the_time_left_follows_the_share():
    event = TrainingEvent(1, 2, 0.25, 10.0)
    assert event.seconds_left == pytest.approx(30.0)


def test_a_listener_that_fails_ends_the_training():
    def fail(event):
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"), listen(fail):
        trained(epochs=1)
