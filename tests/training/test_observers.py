"""Observers hear what training recorded, in every kind of fit."""

import copy
import pickle

import keras
import pytest

from seqcast import Forecaster, NetworkSpec, RayCluster, Seq2Seq, Seq2SeqRegressor, WindowSpec
from seqcast.data.datasets import load
from seqcast.data.signals import random_sines
from seqcast.errors import FileFormatError, SpecError
from seqcast.runtime.executors import LokyExecutor
from seqcast.training.logs import TrainingLog, read_log
from seqcast.training.observers import Observer, check_callbacks, for_network, others

SMALL = {"encoder_units": (4,), "batch_size": 32, "random_state": 0, "verbose": 0}
PAST, FUTURE = random_sines(64, past=8, future=3, seed=0)
TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
SHORT = {"epochs": 2, "steps_per_epoch": 3}


class Keep(Observer):
    """Keeps its records, where all copies see them."""

    def __init__(self, every_n_steps=None, records=None):
        super().__init__(every_n_steps)
        self.records = [] if records is None else records
        self.closed = 0

    def record(self, record):
        self.records.append((self.network, record))

    def close(self):
        self.closed += 1
        super().close()


def forecaster(**options):
    return Forecaster(12, **{"preset": TINY, "training": SHORT, "random_state": 0, "verbose": 0, **options})


# ---------------------------------------------------------------- what they hear


def test_epochs_are_those_of_the_history():
    keep = Keep()
    model = Seq2SeqRegressor(**SMALL, epochs=3).fit(PAST, FUTURE, callbacks=[keep])
    records = [record for _, record in keep.records]
    assert [(record.event, record.epoch, record.step) for record in records] == [
        ("epoch", 1, 2),
        ("epoch", 2, 4),
        ("epoch", 3, 6),
    ]
    for name in ("loss", "val_loss"):
        assert [record.values[name] for record in records] == model.history_[name]
    seconds = [record.seconds for record in records]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= model.history_.seconds
    assert keep.closed == 1
    assert keep.model is None  # the network is not held any longer


@pytest.mark.parametrize("every", [1, 2, 3])
def test_steps_are_counted_over_epochs(every):
    keep = Keep(every)
    Seq2SeqRegressor(**{**SMALL, "batch_size": 12}, epochs=2).fit(PAST, FUTURE, callbacks=[keep])
    told = [(record.event, record.epoch, record.step) for _, record in keep.records]
    per_epoch = keep.records[-1][1].step // 2
    expected = []
    for epoch in (1, 2):
        steps = range((epoch - 1) * per_epoch + 1, epoch * per_epoch + 1)
        expected += [("step", epoch, step) for step in steps if step % every == 0] + [("epoch", epoch, steps[-1])]
    assert per_epoch > 3
    assert told == expected


def test_the_learning_rate_is_that_of_the_schedule():
    keep = Keep(1)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, decay_steps=4, end_learning_rate=0.0)
    Seq2SeqRegressor(**SMALL, epochs=2, learning_rate_schedule=schedule).fit(PAST, FUTURE, callbacks=[keep])
    rates = {record.step: record.learning_rate for _, record in keep.records}
    assert rates == pytest.approx({1: 0.075, 2: 0.05, 3: 0.025, 4: 0.0})


def test_a_plain_keras_fit_is_watched_too():
    keep = Keep()
    network = Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), NetworkSpec(encoder_units=(4,), decoder_units=(4,)))
    network.compile("adam", "mse")
    network.fit({"past": PAST}, FUTURE, batch_size=32, epochs=2, verbose=0, callbacks=[keep])
    assert [record.step for _, record in keep.records] == [2, 4]


def test_each_plain_keras_fit_begins_and_closes_its_log(tmp_path):
    log = TrainingLog(tmp_path / "log.csv")
    network = Seq2Seq(WindowSpec(horizon=3, features=1, targets=1), NetworkSpec(encoder_units=(4,), decoder_units=(4,)))
    network.compile("adam", "mse")
    for epochs in (2, 1):
        network.fit({"past": PAST}, FUTURE, batch_size=32, epochs=epochs, verbose=0, callbacks=[log])
        assert log.model is None
        assert [row["epoch"] for row in read_log(tmp_path / "log.csv")] == list(range(1, epochs + 1))


# ---------------------------------------------------------------- which network


def test_each_of_several_networks_has_a_name():
    keep = Keep()
    forecaster(members=2).fit(load("elnino"), callbacks=[keep])
    assert [name for name, _ in keep.records] == ["network-1"] * 2 + ["network-2"] * 2


@pytest.mark.processes
def test_worker_processes_have_copies(tmp_path, monkeypatch):
    monkeypatch.setattr("seqcast.engine.jobs.choose_executor", lambda jobs: LokyExecutor(2))
    model = forecaster(members=2).fit(load("elnino"), callbacks=[TrainingLog(tmp_path / "log.jsonl")])
    for number, history in enumerate(model.histories_, 1):
        rows = read_log(tmp_path / f"log-network-{number}.jsonl")
        assert [row["val_loss"] for row in rows] == history["val_loss"]


def test_beside_a_fine_tuning_others_hear_the_network_that_is_trained_on_the_data():
    keep, epochs = Keep(), []
    other = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    model = forecaster(preset="auto", effort="balanced")
    model.fit(load("elnino").tail(240), callbacks=[keep, other])
    assert [name for name, _ in keep.records] == ["pretrained"] * 2 + ["network-1"] * 2
    assert epochs == [0, 1]


# ---------------------------------------------------------------- checkpoints


def stop_after(epoch):
    def stop(number, logs):
        if number + 1 == epoch:
            raise InterruptedError

    return keras.callbacks.LambdaCallback(on_epoch_end=stop)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_resumed_training_goes_on_with_its_log(suffix, tmp_path):
    class Break(Observer):
        def record(self, record):
            if record.event == "step" and record.step == 5:
                raise InterruptedError

    path = tmp_path / f"log.{suffix}"
    model, state = Seq2SeqRegressor(**SMALL, epochs=4), tmp_path / "state"
    with pytest.raises(InterruptedError):
        model.fit(PAST, FUTURE, callbacks=[TrainingLog(path, 1), Break(1)], checkpoint=state)
    # The fifth step came after the checkpoint at the end of the second epoch, and is taken once more.
    assert [row["step"] for row in read_log(path) if row["event"] == "step"] == [1, 2, 3, 4, 5]
    model.fit(PAST, FUTURE, callbacks=[TrainingLog(path, 1)], checkpoint=state, resume=True)
    rows = read_log(path)
    assert [row["step"] for row in rows if row["event"] == "step"] == list(range(1, 9))
    epochs = [row for row in rows if row["event"] == "epoch"]
    assert [row["val_loss"] for row in epochs] == pytest.approx(model.history_["val_loss"])
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)


# ---------------------------------------------------------------- what is refused


STOP = keras.callbacks.TerminateOnNaN()


@pytest.mark.parametrize(
    ("options", "fit", "message"),
    [
        ({}, {"callbacks": STOP}, "callbacks: expected a list of keras.callbacks.Callback"),
        ({}, {"callbacks": [3]}, "callbacks: expected a list of keras.callbacks.Callback"),
        ({}, {"callbacks": [STOP], "checkpoint": "state"}, "callbacks: expected observers only with checkpoint"),
        ({"members": 2}, {"callbacks": [STOP]}, "callbacks: expected copies for worker processes, of 2 networks"),
    ],
)
def test_callbacks_that_cannot_hear_a_training(options, fit, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = forecaster(**options)
    with pytest.raises(SpecError, match=message):
        model.fit(load("elnino"), **fit)
    assert not model.__sklearn_is_fitted__()


def test_clusters_take_no_callbacks(tmp_path):
    """They are refused before anything is read."""
    with pytest.raises(SpecError, match="callbacks: expected none with on: other processes train"):
        forecaster().fit(tmp_path / "not there.parquet", callbacks=[Keep()], on=RayCluster(workers=2))


def test_a_log_that_would_replace_another_file_is_refused_before_training(tmp_path):
    for name in ("sales.csv", "log-network-2.csv"):
        (tmp_path / name).write_text("ds,y\n")
    with pytest.raises(FileFormatError, match="expected a log of training, or no file"):
        forecaster().fit(tmp_path / "not there.parquet", callbacks=[TrainingLog(tmp_path / "sales.csv")])
    model = forecaster(members=2)
    with pytest.raises(FileFormatError, match=r"log-network-2\.csv"):
        model.fit(load("elnino"), callbacks=[TrainingLog(tmp_path / "log.csv")])
    assert not (tmp_path / "log-network-1.csv").exists()
    with pytest.raises(FileFormatError):
        Seq2SeqRegressor(**SMALL).fit(PAST, FUTURE, callbacks=[TrainingLog(tmp_path / "sales.csv")])


@pytest.mark.parametrize("every", [0, -1, 1.5, "2"])
def test_steps_between_records(every):
    with pytest.raises(SpecError, match="every_n_steps"):
        Keep(every)


# ---------------------------------------------------------------- copies


def test_observers_can_be_pickled_after_a_training_too(tmp_path):
    log = TrainingLog(tmp_path / "log.csv")
    Seq2SeqRegressor(**SMALL, epochs=1).fit(PAST, FUTURE, callbacks=[log])
    assert pickle.loads(pickle.dumps(log)).path == log.path
    assert copy.deepcopy(log).every_n_steps is None


def test_which_callbacks_are_observers():
    keep, local = Keep(), Keep()
    local.in_workers = False
    assert check_callbacks((keep, STOP)) == (keep, STOP)
    assert others([keep, STOP, local]) == [STOP]
    assert others([keep, STOP, local], in_workers=True) == [STOP, local]
    named = for_network([keep, STOP], "network-3")
    assert (named[0].network, keep.network, named[1]) == ("network-3", "", STOP)
    assert for_network([keep], "")[0] is keep
