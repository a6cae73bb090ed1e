"""The log of a training as a file."""

import json
import math

import pandas as pd
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.errors import FileFormatError, SaveError, SeqcastWarning, SpecError
from seqcast.training.logs import TrainingLog, read_log
from seqcast.training.observers import Record

SMALL = {"encoder_units": (4,), "batch_size": 32, "random_state": 0, "verbose": 0}
PAST, FUTURE = random_sines(64, past=8, future=3, seed=0)
COLUMNS = ["event", "epoch", "step", "seconds", "learning_rate", "loss", "mae", "val_loss", "val_mae"]


def train(path, every=None, **options):
    return Seq2SeqRegressor(**{**SMALL, "epochs": 2, **options}).fit(PAST, FUTURE, callbacks=[TrainingLog(path, every)])


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("every", [None, 1])
def test_the_file_holds_the_history(suffix, every, tmp_path):
    path = tmp_path / "deep" / f"log.{suffix}"
    model = train(path, every, metrics="mae")
    rows = read_log(path)
    epochs = [row for row in rows if row["event"] == "epoch"]
    assert len(rows) == len(epochs) + (4 if every else 0)
    for name in ("loss", "val_loss", "mae", "val_mae"):
        assert [row[name] for row in epochs] == model.history_[name]


def test_csv_is_a_table(tmp_path):
    train(tmp_path / "log.csv", 1, metrics="mae")
    table = pd.read_csv(tmp_path / "log.csv")
    assert list(table.columns) == COLUMNS
    assert table["val_loss"].notna().tolist() == [False, False, True] * 2


def test_json_lines_are_json(tmp_path):
    train(tmp_path / "log.jsonl", metrics="mae")
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        assert list(json.loads(line)) == COLUMNS


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_each_line_is_there_at_once_and_what_is_not_finite_can_be_read(suffix, tmp_path):
    log = TrainingLog(tmp_path / f"log.{suffix}", 1)
    log.watch(None, None)
    for step in (1, 2):
        log.record(Record("step", 1, step, 0.5, 0.1, {"loss": math.nan if step == 2 else 1.0}))
        assert [row["step"] for row in read_log(log.path)] == list(range(1, step + 1))
    assert read_log(log.path)[1]["loss"] in (None, pytest.approx(math.nan, nan_ok=True))
    assert "NaN" not in log.path.read_text()


def test_a_training_that_begins_replaces_the_log(tmp_path):
    train(tmp_path / "log.csv", epochs=3)
    train(tmp_path / "log.csv", epochs=1)
    assert len(read_log(tmp_path / "log.csv")) == 1


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


@pytest.mark.parametrize(("name", "text"), [("sales.csv", "unique_id,ds,y\na,1,2\n"), ("rows.jsonl", '{"y": 1}\n')])
def test_a_file_that_is_no_log_is_left_alone(name, text, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    for refused in (lambda: train(path), lambda: read_log(path)):
        with pytest.raises(FileFormatError, match="expected a log of training, or no file"):
            refused()
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["log", "log.txt", "log.json"])
def test_suffixes(name, tmp_path):
    with pytest.raises(SpecError, match="suffix"):
        TrainingLog(tmp_path / name)


def test_a_folder_that_cannot_be_made_is_told_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="expected a folder to write to"):
        train(tmp_path / "file" / "log.csv")


def test_what_cannot_be_written_is_said_once(tmp_path):
    log = TrainingLog(tmp_path / "gone" / "log.csv")
    record = Record("epoch", 1, 2, 0.5, 0.1, {"loss": 1.0})
    with pytest.warns(SeqcastWarning, match="cannot be written, training goes on without it"):
        log.record(record)
    log.record(record)
