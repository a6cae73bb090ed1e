"""Options that a method gives the forecaster, and result files."""

import argparse
import json
import sys

import methods
import numpy as np
import pytest
from methods import METHODS, contest, forecast_windows, forecaster, mean
from zero_shot_tasks import Task

from harness import first_run, run_process


@pytest.fixture
def given_options(monkeypatch):
    """Return the arguments of forecasters, one dict a forecaster; none is made."""
    calls = []
    monkeypatch.setattr(methods, "Forecaster", lambda horizon, **given: calls.append({"horizon": horizon, **given}))
    return calls


def task_of(length, horizon=12, season=12):
    return Task("made up", [np.arange(length + horizon) % 9.0] * 3, horizon, season, season, "D")


def test_a_method_is_what_the_public_forecaster_receives(given_options):
    for method in METHODS:
        forecaster(method, task_of(100), seed=4, level=(20,))
    common = {"horizon": 12, "season_length": 12, "random_state": 4, "verbose": 0, "level": (20,)}
    presets = {"pretrained": {"preset": "pretrained"}, "scratch": {"preset": "segment"}}
    for method, given in zip(METHODS, given_options, strict=True):
        assert given == {**common, **presets.get(method, {"preset": "auto", "effort": method})}


def test_windows_are_forecast_from_what_is_known_at_each():
    random = np.random.default_rng(0)
    wave = 20 + 5 * np.sin(np.arange(60) * np.pi / 6)
    task = Task("waves", [wave + random.normal(size=60), 3 * wave[-40:] + random.normal(size=40)], 6, 12, 12, "MS")
    windows = task.windows(2)
    found, model = forecast_windows(windows, "pretrained", seed=0)
    for window, forecast in zip(windows, found, strict=True):
        alone, _ = forecast_windows([Task("one", window.series, 6, 12, 12, "MS")], "pretrained", seed=0)
        np.testing.assert_allclose(forecast, alone[0], rtol=1e-4)
        assert (np.diff(forecast, axis=2) >= 0).all()
    record = json.loads(json.dumps(methods.record({"mase": 1.0}, 2.04, [model])))
    assert (record["mase"], record["seconds"]) == (1.0, 2.0)
    assert record["chosen"][0]["networks"][0]["encoder_units"]


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return a function that asks for results, and the commands that it ran for them."""
    commands = []

    def run(command):
        commands.append(command)
        return {"mase": float(command[-1])}

    monkeypatch.setattr(methods, "first_run", run)
    monkeypatch.setattr(methods.harness, "code", lambda *files: "code")
    monkeypatch.setattr(sys, "argv", ["program.py"])

    def ask(task, method, *, seeds=2, scored="held back", others=None):
        given = {"data": "data", "results": tmp_path, "seeds": seeds, "tasks": [task], "method": [method], "one": None}
        described, other = {"scored": scored}, others or {}
        arguments = argparse.Namespace(**given)
        return contest(arguments, None, described=described, flags=("--flag",), others=other)[method][task]

    return ask, commands


def test_each_seed_is_run_once_and_kept(kept, monkeypatch):
    ask, commands = kept
    records = ask("nn5", "scratch")
    assert mean(records, "mase") == 0.5
    assert [command[1:] for command in commands] == [
        ["program.py", "data", "--flag", "--one", "nn5", "scratch", seed] for seed in "01"
    ]
    assert ask("nn5", "scratch") == records
    assert len(commands) == 2
    assert (records[0]["weights"], records[0]["scored"]) == (None, "held back")
    ask("nn5", "scratch", scored="test")
    ask("ETTh", "scratch", seeds=3)
    assert len(commands) == 7
    assert ask("nn5", "AutoETS", others={"AutoETS": lambda task: {"mase": 3.0}})[0]["mase"] == 3.0
    # Other weights are other results; the pretrained network has no seeds.
    (record,) = ask("nn5", "pretrained")
    assert record["weights"] == methods.weights_key()
    monkeypatch.setattr(methods, "weights_key", lambda: "others")
    assert ask("nn5", "pretrained")[0]["weights"] == "others"
    assert len(commands) == 9


def test_a_process_finds_nothing_compiled_and_its_errors_end_the_program():
    facts = (
        "import json, os; print('a line'); print(json.dumps({'cache': os.listdir(os.environ['SEQCAST_CACHE_DIR'])}))"
    )
    found = first_run([sys.executable, "-c", facts])
    assert found["cache"] == []
    assert found["process_s"] > 0
    with pytest.raises(SystemExit, match="no such task"):
        run_process([sys.executable, "-c", "import sys; sys.exit('no such task')"])
    assert 0 < methods.seconds_so_far() < 1e7
