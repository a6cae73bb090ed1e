"""The time of day may be set while a training runs, by hours and both ways; nothing that is decided depends on it."""

import itertools
import pickle
import time

import keras
import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.training import Deadline

RNG = np.random.default_rng(0)
PAST = RNG.normal(size=(60, 6, 1))
FUTURE = RNG.normal(size=(60, 3, 1))
HOUR = 3600.0
# Hours by which the time of day is off at one look after another.
JUMPS = {
    "ahead": lambda: itertools.count(0, 5),
    "behind": lambda: itertools.count(0, -5),
    "back and forth": lambda: itertools.cycle((0, 5, -5)),
}
# What a loaded machine may add to a second.
ALLOWANCE = 30.0


@pytest.fixture(params=list(JUMPS))
def jumping(request, monkeypatch):
    """Return a function after which each look at the time of day finds it set to another hour."""
    true_time = time.time

    def begin():
        hours = JUMPS[request.param]()
        monkeypatch.setattr(time, "time", lambda: true_time() + HOUR * next(hours))

    return begin


def regressor(**options):
    return Seq2SeqRegressor(encoder_units=3, decoder_units=3, verbose=0, random_state=0, **options)


def test_a_deadline_has_as_much_time_left_as_before(jumping):
    deadline = Deadline.of(HOUR)
    jumping()
    assert deadline.left() == pytest.approx(HOUR, abs=60.0)
    assert deadline.of_next(2).left() == pytest.approx(HOUR / 2, abs=60.0)


def test_a_deadline_of_another_machine_counts_on_the_clock_of_this_one(monkeypatch):
    """There the monotonic clock has begun at another moment; the time of day is about the same."""
    sent = pickle.dumps(Deadline.of(HOUR))
    here = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: here() + 1e6)
    received = pickle.loads(sent)
    assert received.left() == pytest.approx(HOUR, abs=60.0)
    assert received.ends - received.began == pytest.approx(HOUR)


def test_a_fit_with_a_time_limit_trains_for_that_time(jumping):
    regressor(epochs=1).fit(PAST, FUTURE, time_limit=1e-3)  # compiles
    began = time.perf_counter()

    def check_time(*_):
        assert time.perf_counter() - began < ALLOWANCE

    watch = keras.callbacks.LambdaCallback(on_epoch_begin=check_time)
    jumping()
    history = regressor(epochs=1).fit(PAST, FUTURE, time_limit="1 s", callbacks=[watch]).history_
    assert len(history) > 1
    assert 0 <= history.seconds < ALLOWANCE


def test_checkpoints_and_their_training_are_the_same(jumping, tmp_path):
    expected = regressor(epochs=2).fit(PAST, FUTURE)
    jumping()
    model = regressor(epochs=2).fit(PAST, FUTURE, checkpoint=tmp_path)
    assert list(tmp_path.glob("*/*.checkpoint"))
    again = regressor(epochs=2).fit(PAST, FUTURE, checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(model.predict(PAST), expected.predict(PAST))
    np.testing.assert_array_equal(again.predict(PAST), expected.predict(PAST))
    assert 0 <= again.history_.seconds < ALLOWANCE
