"""Kinds of data that are hard: cut before all test parts, run as methods are, shown over the last season."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import weak_spots
from weak_spots import KINDS
from zero_shot_tasks import ROLLING_WINDOWS, Task


@pytest.fixture
def told(monkeypatch):
    """Return the public tasks that kinds are cut from, made up."""
    random = np.random.default_rng(0)
    tasks = {
        "ETT_1H": Task("ETT_1H", list(random.normal(size=(14, 24 * 400 + 5))), 168, 24, 24, "h"),
        "m3_quarterly": Task("q", [random.normal(size=n) for n in (40, 31, 64)], 8, 4, 4, "QS"),
        "m3_yearly": Task("y", [random.normal(size=n) for n in (30, 20)], 6, 1, 1, "YS"),
    }
    monkeypatch.setattr(weak_spots, "read_task", lambda folder, name: tasks[name])
    return tasks


def test_days_are_means_before_the_windows_of_the_hours(told):
    windows = KINDS["days_of_ett"](None)
    hours = told["ETT_1H"].series[3][: -ROLLING_WINDOWS * 168]
    assert len(windows) == 8
    assert windows[-1].series[3][-1] == pytest.approx(hours[-24:].mean())
    assert windows[0].series[3][-1] == pytest.approx(hours[-24 * (7 * 14 + 1) :][:24].mean())


@pytest.mark.parametrize(("kind", "task", "known"), [("short", "m3_quarterly", 16), ("shorter", "m3_yearly", 10)])
def test_few_values_are_known_of_short_series(told, kind, task, known):
    (window,) = KINDS[kind](None)
    horizon = told[task].horizon
    enough = [values for values in told[task].series if len(values) - horizon >= known + horizon]
    assert len(window.series) == len(enough) < len(told[task].series)
    for mine, whole in zip(window.series, enough, strict=True):
        np.testing.assert_array_equal(mine, whole[: len(whole) - horizon][-known - horizon :])


def test_demand_is_mostly_none_and_always_the_same():
    (window,) = KINDS["demand"](None)
    values = np.stack(window.series)
    assert 0.5 < (values == 0).mean() < 0.9
    assert (values == np.round(values)).all()
    np.testing.assert_array_equal(values, np.stack(KINDS["demand"](None)[0].series))


def test_prices_go_forward(monkeypatch, tmp_path):
    path = tmp_path / "bitcoin_price.csv"
    pd.DataFrame({"Close": np.exp(np.arange(400.0, 0, -1) / 100)}).to_csv(path)
    monkeypatch.setattr(weak_spots, "checked", lambda folder, name: path)
    windows = KINDS["walk"](None)
    assert len(windows) == 20
    assert (np.diff(windows[-1].series[0]) > 0).all()


def test_a_table_is_over_the_last_season(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("methods.first_run", lambda command: {"mase": 0.5, "wql": 0.05, "sql": 0.4, "seconds": 3.0})
    monkeypatch.setattr("methods.code", lambda files: "code")
    monkeypatch.setattr(weak_spots, "naive", lambda windows: (1.0, 0.2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["weak_spots.py", "nowhere", "--tasks", "demand", "--method", "quick"])
    weak_spots.main()
    out = capsys.readouterr().out
    assert "| demand | 0.500 / 0.250 | 3 |" in out
    assert "| geometric mean | 0.500 / 0.250 |" in out


def test_a_process_scores_one_kind(monkeypatch, capsys):
    truth = KINDS["demand"](None)
    monkeypatch.setattr("methods.forecast_windows", lambda windows, method, seed: ([windows[0].naive_deciles()], None))
    monkeypatch.setattr("methods.record", lambda scores, seconds, models: scores)
    monkeypatch.setattr(sys, "argv", ["weak_spots.py", "nowhere", "--one", "demand", "quick", "0"])
    weak_spots.main()
    mase, wql = weak_spots.naive(truth)
    found = json.loads(capsys.readouterr().out)
    assert (found["mase"], found["wql"]) == pytest.approx((mase, wql))
