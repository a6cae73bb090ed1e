"""Observers hear what training recorded, in every kind of fit; a log of it as a file."""

import copy
import json
import math
import pickle

import keras
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, RayCluster, Seq2Seq, Seq2SeqRegressor, WindowSpec
from seqcast.data import random_sines
from seqcast.data.datasets import load
from seqcast.errors import FileFormatError, SaveError, SeqcastWarning, SpecError
from seqcast.runtime.executors import LokyExecutor
from seqcast.training import Observer, Record, TrainingLog
from seqcast.training.logs import read_log
from tests.rejections import rejected

SMALL = {"encoder_units": (4,), "batch_size": 32, "random_state": 0, "verbose": 0}
PAST, FUTURE = random_sines(64, past=8, future=3, seed=0)
TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
SHORT = {"epochs": 2, "steps_per_epoch": 3}


class Keep(Observer):
    """Keeps its records, where all copies see them."""

    def __init__(self, every_n_steps=None):
        super().__init__(every_n_steps)
        self.records = []
        self.closed = 0

    def record(self, record):
        self.records.append((self.network, record))

    def close(self):
        self.closed += 1
        super().close()


def forecaster(**options):
    return Forecaster(
        12, **{"preset": TINY, "training": SHORT, "random_state": 0, "verbose": 0, **options}
    )


# ---------------------------------------------------------------- what they hear


@pytest.mark.parametrize("every", [None, 1, 2, 3])
def test_steps_are_counted_over_epochs_whose_values_are_those_of_the_history(every):
    keep = Keep(every)
    model = Seq2SeqRegressor(**{**SMALL, "batch_size": 12}, epochs=2).fit(
        PAST, FUTURE, callbacks=[keep]
    )
    records = [record for _, record in keep.records]
    expected = []
    per_epoch = records[-1].step // 2
    assert per_epoch > 3
    for epoch in (1, 2):
        steps = range((epoch - 1) * per_epoch + 1, epoch * per_epoch + 1)
        expected += [("step", epoch, step) for step in steps if every and step % every == 0]
        expected.append(("epoch", epoch, steps[-1]))
    assert [(record.event, record.epoch, record.step) for record in records] == expected
    epochs = [record.values for record in records if record.event == "epoch"]
    for name in ("loss", "val_loss"):
        assert [values[name] for values in epochs] == model.history_[name]
    seconds = [record.seconds for record in records]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= model.history_.seconds
    assert (keep.closed, keep.model) == (1, None)  # the network can be freed


def test_the_learning_rate_is_that_of_the_schedule():
    keep = Keep(1)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, decay_steps=4, end_learning_rate=0.0)
    Seq2SeqRegressor(**SMALL, epochs=2, learning_rate_schedule=schedule).fit(
        PAST, FUTURE, callbacks=[keep]
    )
    rates = {record.step: record.learning_rate for _, record in keep.records}
    assert rates == pytest.approx({1: 0.075, 2: 0.05, 3: 0.025, 4: 0.0})


def test_each_plain_keras_fit_begins_and_closes_its_log(tmp_path):
    keep = Keep()
    log = TrainingLog(tmp_path / "log.csv")
    network = Seq2Seq(
        WindowSpec(horizon=3, features=1, targets=1),
        NetworkSpec(encoder_units=(4,), decoder_units=(4,)),
    )
    network.compile("adam", "mse")
    for epochs in (2, 1):
        network.fit(
            {"past": PAST}, FUTURE, batch_size=32, epochs=epochs, verbose=0, callbacks=[keep, log]
        )
        assert log.model is None
        assert [row["epoch"] for row in read_log(tmp_path / "log.csv")] == list(
            range(1, epochs + 1)
        )
    assert [record.step for _, record in keep.records] == [2, 4, 2]
    # They can be pickled and copied after a training too.
    assert pickle.loads(pickle.dumps(log)).path == log.path
    assert copy.deepcopy(log).every_n_steps is None


# ---------------------------------------------------------------- which network


def test_each_of_several_networks_has_a_name():
    keep = Keep()
    forecaster(members=2).fit(load("elnino"), callbacks=[keep])
    assert [name for name, _ in keep.records] == ["network-1"] * 2 + ["network-2"] * 2


@pytest.mark.processes
def test_worker_processes_have_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "seqcast.engine.training_jobs.choose_executor", lambda jobs: LokyExecutor(2)
    )
    model = forecaster(members=2).fit(
        load("elnino"), callbacks=[TrainingLog(tmp_path / "log.jsonl")]
    )
    for number, history in enumerate(model.histories_, 1):
        rows = read_log(tmp_path / f"log-network-{number}.jsonl")
        assert [row["val_loss"] for row in rows] == history["val_loss"]


def test_next_to_a_fine_tuning_other_callbacks_hear_the_network_that_is_trained_on_the_data():
    keep = Keep()
    epochs = []
    other = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    model = forecaster(preset="auto", effort="balanced")
    model.fit(load("elnino").tail(240), callbacks=[keep, other])
    assert [name for name, _ in keep.records] == ["pretrained"] * 2 + ["network-1"] * 2
    assert epochs == [0, 1]


class Break(Observer):
    """Ends a training in the middle of its third epoch."""

    def record(self, record):
        if record.event == "step" and record.step == 5:
            raise InterruptedError


def test_a_resumed_training_goes_on_with_its_log(tmp_path):
    path = tmp_path / "log.csv"
    model = Seq2SeqRegressor(**SMALL, epochs=4)
    state = tmp_path / "state"
    with pytest.raises(InterruptedError):
        model.fit(PAST, FUTURE, callbacks=[TrainingLog(path, 1), Break(1)], checkpoint=state)
    # The fifth step came after the checkpoint at the end of the second epoch, and is taken once
    # more.
    assert [row["step"] for row in read_log(path) if row["event"] == "step"] == [1, 2, 3, 4, 5]
    model.fit(PAST, FUTURE, callbacks=[TrainingLog(path, 1)], checkpoint=state, resume=True)
    rows = read_log(path)
    assert [row["step"] for row in rows if row["event"] == "step"] == list(range(1, 9))
    epochs = [row["val_loss"] for row in rows if row["event"] == "epoch"]
    assert epochs == pytest.approx(model.history_["val_loss"])
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)


# ---------------------------------------------------------------- what is rejected


STOP = keras.callbacks.TerminateOnNaN()
HERE = Keep()
HERE.in_workers = False  # of no use in another process
COPIES = "callbacks: expected copies for worker processes, of 2 networks"
DEAF = [
    ({}, {"callbacks": STOP}, "callbacks: expected a list of keras.callbacks.Callback"),
    ({}, {"callbacks": [3]}, "callbacks: expected a list of keras.callbacks.Callback"),
    (
        {},
        {"callbacks": [STOP], "checkpoint": "state"},
        "callbacks: expected observers only with checkpoint",
    ),
    ({"members": 2}, {"callbacks": [STOP]}, COPIES),
    ({"members": 2}, {"callbacks": [HERE]}, COPIES),
    # Before anything is read.
    (
        {},
        {"callbacks": [Keep()], "on": RayCluster(workers=2), "df": "no.parquet"},
        "callbacks: expected none with",
    ),
]


@pytest.mark.parametrize(("options", "fit", "message"), DEAF)
def test_callbacks_that_cannot_hear_a_training(options, fit, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = forecaster(**options)
    rejected(SpecError, message, model.fit, **{"df": load("elnino"), **fit})
    assert not model.__sklearn_is_fitted__()


def test_a_log_that_would_replace_another_file_is_rejected_before_training(tmp_path):
    for name in ("sales.csv", "log-network-2.csv"):
        (tmp_path / name).write_text("ds,y\n")
    with pytest.raises(FileFormatError, match="expected a log of training, or no file"):
        forecaster().fit(
            tmp_path / "not there.parquet", callbacks=[TrainingLog(tmp_path / "sales.csv")]
        )
    with pytest.raises(FileFormatError, match=r"log-network-2\.csv"):
        forecaster(members=2).fit(load("elnino"), callbacks=[TrainingLog(tmp_path / "log.csv")])
    assert not (tmp_path / "log-network-1.csv").exists()


@pytest.mark.parametrize("every", [0, -1, 1.5, "2"])
def test_steps_between_records(every):
    rejected(SpecError, "every_n_steps", Keep, every)


# ---------------------------------------------------------------- logs


COLUMNS = [
    "event",
    "epoch",
    "step",
    "seconds",
    "learning_rate",
    "loss",
    "mae",
    "val_loss",
    "val_mae",
]


def train(path, every=None, **options):
    return Seq2SeqRegressor(**{**SMALL, "epochs": 2, **options}).fit(
        PAST, FUTURE, callbacks=[TrainingLog(path, every)]
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("every", [None, 1])
def test_the_file_holds_the_history(suffix, every, tmp_path):
    path = tmp_path / "deep" / f"log.{suffix}"
    train(path, epochs=3)
    model = train(path, every, metrics="mae")  # replaces the log
    rows = read_log(path)
    epochs = [row for row in rows if row["event"] == "epoch"]
    assert len(rows) == len(epochs) + (4 if every else 0)
    for name in ("loss", "val_loss", "mae", "val_mae"):
        assert [row[name] for row in epochs] == model.history_[name]
    # Other programs read them too.
    table = (
        pd.read_csv(path)
        if suffix == "csv"
        else pd.DataFrame(map(json.loads, path.read_text().splitlines()))
    )
    assert list(table.columns) == COLUMNS
    assert table["val_loss"].notna().tolist() == ([False, False, True] if every else [True]) * 2


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_each_line_is_there_at_once_and_what_is_not_finite_can_be_read(suffix, tmp_path):
    log = TrainingLog(tmp_path / f"log.{suffix}", 1)
    log.watch(None, None)
    for step in (1, 2):
        log.record(Record("step", 1, step, 0.5, 0.1, {"loss": math.nan if step == 2 else 1.0}))
        assert [row["step"] for row in read_log(log.path)] == list(range(1, step + 1))
    assert read_log(log.path)[1]["loss"] in (None, pytest.approx(math.nan, nan_ok=True))
    assert "NaN" not in log.path.read_text()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_line_that_a_killed_process_left_unfinished_is_left_out(suffix, tmp_path):
    path = tmp_path / f"log.{suffix}"
    train(path)
    whole = path.read_text()
    path.write_text(whole[:-9])
    assert len(read_log(path)) == 1
    log = TrainingLog(path)
    log.watch(None, None, step=2, seconds=1.0)
    assert path.read_text() == "".join(whole.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize(
    ("name", "text"), [("sales.csv", "unique_id,ds,y\na,1,2\n"), ("rows.jsonl", '{"y": 1}\n')]
)
def test_a_file_that_is_no_log_is_left_alone(name, text, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    for call in (train, read_log):
        rejected(FileFormatError, "expected a log of training, or no file", call, path)
    assert path.read_text() == text


def test_paths_that_cannot_be_written_are_rejected_before_training(tmp_path):
    for name in ("log", "log.txt", "log.json"):
        rejected(SpecError, "suffix", TrainingLog, tmp_path / name)
    (tmp_path / "file").write_text("")
    rejected(SaveError, "expected a folder to write to", train, tmp_path / "file" / "log.csv")


def test_what_cannot_be_written_is_said_once(tmp_path):
    log = TrainingLog(tmp_path / "gone" / "log.csv")
    record = Record("epoch", 1, 2, 0.5, 0.1, {"loss": 1.0})
    with pytest.warns(SeqcastWarning, match="cannot be written, training goes on without it"):
        log.record(record)
    log.record(record)
