"""A training by the clock ends in time, its learning rate is laid over that time, and the best weights are restored."""

import time
import types
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec
from seqcast.errors import SpecError
from seqcast.training import Deadline, scheduled_rate
from seqcast.training import deadline as module
from seqcast.training.deadline import Timekeeper

RNG = np.random.default_rng(0)
DATES = pd.date_range("2024-01-01", periods=80)
FRAME = pd.concat(
    [pd.DataFrame({"unique_id": name, "ds": DATES, "y": RNG.normal(size=80)}) for name in "ab"]
)
PAST = RNG.normal(size=(60, 6, 1))
FUTURE = RNG.normal(size=(60, 3, 1))
# What a loaded machine may add to a limit.
ALLOWANCE = 5.0


TIMES = [
    (90, 90),
    (1.5, 1.5),
    ("90", 90),
    ("90 s", 90),
    ("10 min", 600),
    (np.float64(2), 2),
    ("1h 30min", 5400),
]


@pytest.mark.parametrize(("limit", "seconds"), TIMES)
def test_a_limit_is_a_time(limit, seconds):
    deadline = Deadline.of(limit)
    assert deadline.ends - deadline.began == pytest.approx(seconds)
    assert 0 < seconds - deadline.left() < ALLOWANCE
    assert deadline.of_next(3).left() == pytest.approx(deadline.left() / 3, abs=0.1)


def test_what_follows_a_training_has_its_time():
    assert Deadline(0.0, 100.0).stop == 98.0
    assert Deadline(0.0, 100.0, seconds_after=30.0).stop == 70.0
    assert Deadline(0.0, 100.0, seconds_after=90.0).stop == 50.0, (
        "a training has half of the time at least"
    )
    assert Deadline(0.0, 100.0, seconds_after=1e-6).stop == 98.0, (
        "what has been measured is not all"
    )
    limit = Deadline.of(100)
    first = replace(limit, seconds_after=40.0).of_next(2)
    assert first.left() == pytest.approx(30.0, abs=0.1)
    assert first.stop == first.ends


@pytest.mark.parametrize("limit", [0, -3, "soon", "", float("nan"), float("inf"), True, None, [3]])
def test_others_are_rejected(limit):
    with pytest.raises(SpecError, match="time_limit: expected seconds, or a text such as '10 min'"):
        Deadline.of(limit)


def model():
    """Return what a timekeeper needs of a model."""
    return types.SimpleNamespace(
        stop_training=False, optimizer=types.SimpleNamespace(learning_rate=0.0)
    )


def test_the_rate_is_laid_over_the_time_from_the_first_step_on(monkeypatch):
    clock = iter(
        np.arange(130.0, 202.0, 0.5)
    )  # the first step ends after thirty seconds of compilation
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    keeper = Timekeeper(Deadline(100.0, 200.0), 0.01, warmup=0.1)
    keeper.validation = 0.0
    keeper.set_model(model())
    keeper.on_train_begin()
    assert keeper.model.optimizer.learning_rate == pytest.approx(0.01 * 0.5 / module.CHANGES / 0.1)
    rates = []
    while not keeper.model.stop_training:
        keeper.on_train_batch_end(0)
        rates.append(keeper.model.optimizer.learning_rate)
    # It stops two seconds before the end.
    assert len(rates) == 137
    whole = 198.0 - 130.0
    expected = []
    for passed in np.arange(0.0, 68.0, 0.5) / whole + 0.5 / module.CHANGES:
        rising = passed / 0.1
        falling = (1 + np.cos(np.pi * (passed - 0.1) / 0.9)) / 2
        expected.append(0.01 * max(rising if passed < 0.1 else falling, 1e-6))
    np.testing.assert_allclose(rates[:-1], expected)


def test_the_last_validation_comes_before_the_end(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    keeper = Timekeeper(Deadline(100.0, 200.0), None, warmup=0.1)
    keeper.set_model(model())
    now[0] = 196.1  # nothing is known of the first one, so two seconds are reserved for it
    keeper.on_train_batch_end(0)
    assert keeper.model.stop_training
    keeper.model.stop_training = False
    now[0] = 100.0
    keeper.on_test_begin()
    now[0] = 130.0
    keeper.on_test_end()
    for moment, stops in ((167.9, False), (168.0, True)):
        now[0] = moment
        keeper.on_train_batch_end(0)
        assert keeper.model.stop_training == stops


def test_a_rate_of_ones_own_is_left_alone():
    assert scheduled_rate(TrainingSpec(optimizer=keras.optimizers.SGD(0.1)))[0] is None


# ---------------------------------------------------------------- the entries


def forecaster(**options):
    given = {
        "preset": NetworkSpec(encoder_units=(3,), decoder_units=(3,)),
        "context_length": 6,
        "level": (),
    }
    return Forecaster(4, **given, calendar="none", random_state=0, verbose=0, **options)


def fit_forecaster(limit):
    model = forecaster(training={"epochs": 1, "early_stopping": 1}).fit(FRAME, time_limit=limit)
    assert np.isfinite(model.predict()["seqcast"]).all()
    return model.history_


def fit_regressor(limit):
    return (
        Seq2SeqRegressor(encoder_units=3, verbose=0, epochs=1)
        .fit(PAST, FUTURE, time_limit=limit)
        .history_
    )


@pytest.mark.timing
@pytest.mark.parametrize("fit", [fit_forecaster, fit_regressor])
def test_a_fit_ends_in_time_and_keeps_the_best(fit):
    fit(1e-3)  # compiles, which takes as long as it takes
    began = time.perf_counter()
    history = fit("1.5 s")
    assert time.perf_counter() - began < 1.5 + ALLOWANCE
    # Neither the epochs nor the patience of the training hold.
    assert len(history) > 1
    assert not history.stopped_early or len(history) >= history.best_epoch + 10
    assert history.best_epoch == int(np.argmin(history["val_loss"])) + 1


@pytest.mark.timing
def test_the_trainings_of_a_fit_and_of_a_backtest_share_the_time():
    began = time.perf_counter()
    table = forecaster().backtest(FRAME, n_windows=2, refit=True, time_limit="1 s")
    assert time.perf_counter() - began < 1 + ALLOWANCE
    assert len(table) == 2 * 2 * 4
    # A limit that is too short for anything still gives a model.
    assert [
        len(history) for history in forecaster(members=2).fit(FRAME, time_limit=1e-3).histories_
    ] == [1, 1]


def test_what_does_not_go_with_a_limit(tmp_path):
    scheduled = Seq2SeqRegressor(encoder_units=3, decoder_input="scheduled", verbose=0)
    with pytest.raises(
        SpecError, match="time_limit: expected sampling_steps with decoder_input='scheduled'"
    ):
        scheduled.fit(PAST, FUTURE, time_limit=3)
    with pytest.raises(SpecError, match="time_limit: expected None with checkpoint, received 5"):
        forecaster().fit(FRAME, time_limit=5, checkpoint=tmp_path)
