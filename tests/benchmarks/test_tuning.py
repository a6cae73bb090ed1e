"""The benchmark of tuning: both methods see the same rows, and none of those that they are scored on."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from yardsticks import Competition

import tuning


@pytest.fixture
def competition():
    random = np.random.default_rng(0)
    values = {name: 9.0 + random.normal(size=30) for name in "ab"}
    return Competition({k: v[:-4] for k, v in values.items()}, {k: v[-4:] for k, v in values.items()}, 4, "QS")


class Naive:
    """A forecaster that repeats the last value, and remembers what it was told."""

    choice_, histories_, told = "the last value", (), []

    def __init__(self, horizon=4, **options):
        self.horizon, self.options = horizon, options

    def fit(self, frame):
        self.told.append(frame)
        self.frame = frame
        return self

    def predict(self):
        last = self.frame.groupby("unique_id").tail(1)
        stamps = pd.date_range(last["ds"].iloc[0], periods=5, freq="QS")[1:]
        columns = [tuning.forecast_column(each) for each in tuning.DECILES]
        known = list(zip(last["unique_id"], last["y"], strict=True))
        rows = [{"unique_id": name, "ds": ds, **dict.fromkeys(columns, y)} for name, y in known for ds in stamps]
        return pd.DataFrame(rows)


@pytest.fixture
def naive(monkeypatch):
    def tune(frame, horizon, **options):
        trials = pd.DataFrame({"number": [0], "loss": [1.0]})
        told = {"trials": {"complete": 1}, "best": {"loss": 1.0}, "untuned_loss": 1.0}
        return SimpleNamespace(forecaster=Naive(horizon).fit(frame), to_frame=lambda: trials, to_dict=lambda: told)

    Naive.told = []
    monkeypatch.setattr(tuning, "Forecaster", Naive)
    monkeypatch.setattr(tuning, "tune", tune)


def test_both_see_the_same_rows_and_none_of_the_last_horizon(competition, naive):
    found = [tuning.measure(competition, method, 0, 1.0) for method in tuning.METHODS]
    assert found[0]["mase"] == found[1]["mase"]
    assert found[0]["wql"] == found[1]["wql"]
    pd.testing.assert_frame_equal(*Naive.told)
    np.testing.assert_array_equal(Naive.told[0]["y"], np.concatenate(list(competition.train.values())))
    last = np.array([values[-1] for values in competition.train.values()])
    error = np.abs(competition.truth() - last[:, None]).mean(axis=1)
    assert found[0]["mase"] == pytest.approx(float((error / competition.scales()).mean()))


def test_results_that_are_there_are_not_measured_again(competition, naive, monkeypatch, tmp_path, capsys):
    runs = []

    def first_run(command):
        runs.append(command[command.index("--one") + 1 :])
        return json.loads(json.dumps(tuning.measure(competition, command[-2], int(command[-1]), 1.0)))

    monkeypatch.setattr(tuning, "first_run", first_run)
    monkeypatch.setattr(tuning, "library_code", lambda: "code")
    arguments = ["tuning.py", str(tmp_path), "--out", str(tmp_path / "out"), "--tasks", "m3_quarterly", "--seeds", "2"]
    monkeypatch.setattr(sys, "argv", arguments)
    for _ in range(2):
        tuning.main()
    assert runs == [["m3_quarterly", method, seed] for method in tuning.METHODS for seed in ("0", "1")]
    assert "| m3_quarterly | tuned |" in capsys.readouterr().out
    assert len(list((tmp_path / "out").iterdir())) == 4
