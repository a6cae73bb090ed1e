"""A training by the clock ends in time, its learning rate is laid over that time, and the best weights are kept."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.errors import SpecError
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training import deadline as module
from seqcast.training.deadline import Deadline, Timekeeper, check_time_limit, scheduled_rate
from seqcast.training.progress import Progress

RNG = np.random.default_rng(0)
DATES = pd.date_range("2024-01-01", periods=80)
FRAME = pd.concat([pd.DataFrame({"unique_id": name, "ds": DATES, "y": RNG.normal(size=80)}) for name in "ab"])
# What a loaded machine may add to a limit.
ALLOWANCE = 5.0


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [(90, 90), (1.5, 1.5), ("90", 90), ("90 s", 90), ("10 min", 600), (np.float64(2), 2), ("1h 30min", 5400)],
)
def test_a_limit_is_a_time(limit, seconds):
    deadline = Deadline.of(limit)
    assert deadline.ends - deadline.began == pytest.approx(seconds)


@pytest.mark.parametrize("limit", [0, -3, "soon", "", float("nan"), float("inf"), True, None, [3]])
def test_others_are_refused(limit):
    with pytest.raises(SpecError, match="time_limit: expected seconds, or a text such as '10 min'"):
        Deadline.of(limit)


def test_a_part_begins_now(monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 140.0)
    part = Deadline(100.0, 200.0).next_part(3)
    assert (part.began, part.ends) == (140.0, 160.0)


class Model:
    """What a timekeeper needs of a model."""

    stop_training = False

    class Optimizer:
        learning_rate = 0.0

    optimizer = Optimizer()


def test_the_rate_is_laid_over_the_time_from_the_first_step_on(monkeypatch):
    clock = iter(np.arange(130.0, 202.0, 0.5))  # the first step ends after thirty seconds of compilation
    monkeypatch.setattr(module.time, "time", lambda: float(next(clock)))
    keeper = Timekeeper(Deadline(100.0, 200.0), 0.01, warmup=0.1)
    keeper.validation = 0.0
    keeper.set_model(Model())
    keeper.on_train_begin()
    assert keeper.model.optimizer.learning_rate == pytest.approx(0.01 * 0.5 / module.CHANGES / 0.1)
    rates = []
    while not keeper.model.stop_training:
        keeper.on_train_batch_end(0)
        rates.append(keeper.model.optimizer.learning_rate)
    # It stops two seconds before the end.
    assert len(rates) == 137
    whole, expected = 198.0 - 130.0, []
    for passed in np.arange(0.0, 68.0, 0.5) / whole + 0.5 / module.CHANGES:
        rising, falling = passed / 0.1, (1 + np.cos(np.pi * (passed - 0.1) / 0.9)) / 2
        expected.append(0.01 * max(rising if passed < 0.1 else falling, 1e-6))
    np.testing.assert_allclose(rates[:-1], expected)


def test_the_last_validation_comes_before_the_end(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    keeper = Timekeeper(Deadline(100.0, 200.0), None, warmup=0.1)
    keeper.set_model(Model())
    now[0] = 196.1  # of the first one nothing is known, so two seconds are kept for it
    keeper.on_train_batch_end(0)
    assert keeper.model.stop_training
    keeper.model.stop_training, now[0] = False, 100.0
    keeper.on_test_begin()
    now[0] = 130.0
    keeper.on_test_end()
    for moment, stops in ((167.9, False), (168.0, True)):
        now[0] = moment
        keeper.on_train_batch_end(0)
        assert keeper.model.stop_training == stops


def test_a_rate_of_ones_own_is_left_alone():
    assert scheduled_rate(TrainingSpec(learning_rate=0.02)) == (0.02, 0.05)
    assert scheduled_rate(TrainingSpec(learning_rate_schedule="constant"))[0] is None
    import keras

    assert scheduled_rate(TrainingSpec(optimizer=keras.optimizers.SGD(0.1)))[0] is None


def forecaster(**options):
    network = NetworkSpec(encoder_units=(3,), decoder_units=(3,))
    return Forecaster(
        4, context_length=6, level=(), preset=network, calendar="none", random_state=0, verbose=0, **options
    )


def test_a_fit_ends_in_time_and_keeps_the_best():
    model = forecaster(training={"epochs": 1, "early_stopping": 1})
    model.fit(FRAME, time_limit=1e-3)  # compiles, which takes as long as it takes
    began = time.perf_counter()
    model.fit(FRAME, time_limit=2)
    assert time.perf_counter() - began < 2 + ALLOWANCE
    # Neither the epochs nor the patience of the training hold.
    history = model.history_
    assert len(history) > 3
    assert not history.stopped_early
    assert history.best_epoch == int(np.argmin(history["val_loss"])) + 1
    assert np.isfinite(model.predict()["seqcast"]).all()


def test_a_limit_that_is_too_short_for_anything_still_gives_a_model():
    model = forecaster(members=2).fit(FRAME, time_limit=1e-3)
    assert [len(history) for history in model.histories_] == [1, 1]


def test_a_backtest_and_a_regressor_end_in_time():
    began = time.perf_counter()
    table = forecaster().backtest(FRAME, n_windows=2, refit=True, time_limit="2 s")
    assert time.perf_counter() - began < 2 + ALLOWANCE
    assert len(table) == 2 * 2 * 4
    model, windows = Seq2SeqRegressor(encoder_units=3, verbose=0, epochs=1, random_state=0), RNG.normal(size=(60, 6, 1))
    model.fit(windows, windows[:, :3], time_limit=1e-3)
    began = time.perf_counter()
    model.fit(windows, windows[:, :3], time_limit=2)
    assert time.perf_counter() - began < 2 + ALLOWANCE
    assert len(model.history_) > 1


def test_it_does_not_go_with_a_schedule_of_steps():
    model = Seq2SeqRegressor(encoder_units=3, decoder_input="scheduled", verbose=0)
    with pytest.raises(SpecError, match="time_limit: expected sampling_steps with decoder_input='scheduled'"):
        model.fit(RNG.normal(size=(60, 6, 1)), RNG.normal(size=(60, 3, 1)), time_limit=3)


def test_it_does_not_go_with_checkpoints(tmp_path):
    assert check_time_limit(None, tmp_path) is None
    with pytest.raises(SpecError, match="time_limit: expected None with checkpoint, received 5"):
        forecaster().fit(FRAME, time_limit=5, checkpoint=tmp_path)


def test_a_log_says_the_time_that_is_left():
    file = io.StringIO()
    shown = Progress(Console(file=file), Deadline.of(90))
    shown.set_params({"epochs": 10**9, "steps": 4})
    shown.on_train_begin()
    shown.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.4})
    shown.on_epoch_end(1, {"loss": 0.25, "val_loss": 0.3})
    shown.on_train_end()
    first, *_, last = file.getvalue().splitlines()
    assert first.startswith("epoch 1  loss 0.5  validation loss 0.4  ")
    assert first.endswith(("1:30 min left", "1:29 min left"))
    assert last.startswith("trained 2 epochs in ")


def test_a_bar_shows_the_clock():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    shown = Progress(console, Deadline.of(90))
    shown.set_params({"epochs": 10**9, "steps": 4})
    shown.on_train_begin()
    shown.on_epoch_end(0, {"loss": 0.5})
    shown._shown = -np.inf
    shown.on_train_batch_end(0, {"loss": 0.5})
    shown.close()
    text = console.file.getvalue()
    assert "epoch 2" in text
    assert "1:29 min left" in text
    assert "steps/s" not in text
