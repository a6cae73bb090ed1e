"""What a method tells the forecaster, and how results are kept."""

import argparse
import json
import os
import sys

import methods
import numpy as np
import pandas as pd
import pytest
from methods import METHODS, deciles, forecast_windows, forecaster, mean, results
from reporting import code, first_run
from zero_shot_tasks import Task

from rounds import run_process
from seqcast.forecaster.defaults import Sizes, auto_preset


@pytest.fixture
def told(monkeypatch):
    """Return what forecasters are told, one dict a forecaster; none is made."""
    calls = []
    monkeypatch.setattr(methods, "Forecaster", lambda horizon, **given: calls.append({"horizon": horizon, **given}))
    return calls


def test_a_method_is_what_the_public_forecaster_is_told(told):
    for method in METHODS:
        forecaster(method, 12, 12, [100] * 3, seed=4, level=(20,))
    common = {"horizon": 12, "season_length": 12, "random_state": 4, "verbose": 0, "level": (20,)}
    presets = {"pretrained": {"preset": "pretrained"}, "scratch": {"preset": "segment"}}
    for method, given in zip(METHODS, told, strict=True):
        assert given == {**common, **presets.get(method, {"preset": "auto", "effort": method})}


@pytest.mark.parametrize(("horizon", "season", "length"), [(12, 12, 100), (6, 1, 30), (8, 4, 40), (56, 7, 735)])
def test_scratch_is_the_preset_that_auto_chooses(told, horizon, season, length):
    from seqcast import Forecaster

    forecaster("scratch", horizon, season, [length] * 3, seed=0)
    days = pd.date_range("2020-01-01", periods=length)
    parts = [pd.DataFrame({"unique_id": name, "ds": days, "y": np.arange(length) % 9.0}) for name in "abc"]
    plan = Forecaster(horizon, season_length=season, verbose=0).describe(pd.concat(parts))
    context = int(plan.settings["context"].split()[0])
    assert told[0]["preset"] == auto_preset(Sizes(1, context, horizon, season))


def test_deciles_are_ordered_by_series_step_and_probability():
    random = np.random.default_rng(0)
    expected = np.sort(random.normal(size=(3, 4, 9)), axis=2)
    names = [*(f"seqcast-lo-{level}" for level in (80, 60, 40, 20)), "seqcast"]
    names += [f"seqcast-hi-{level}" for level in (20, 40, 60, 80)]
    keys = pd.MultiIndex.from_product([["a", "b", "c"], range(4)], names=["unique_id", "ds"]).to_frame(index=False)
    table = pd.concat([keys, pd.DataFrame(expected.reshape(12, 9), columns=names)], axis=1)
    np.testing.assert_array_equal(deciles(table.sample(frac=1.0, random_state=0), 3, 4), expected)


def test_windows_are_forecast_from_what_is_known_at_each():
    random = np.random.default_rng(0)
    wave = 20 + 5 * np.sin(np.arange(60) * np.pi / 6)
    task = Task("waves", [wave + random.normal(size=60), 3 * wave[-40:] + random.normal(size=40)], 6, 12, 12, "MS")
    windows = task.windows(2)
    found, model = forecast_windows(windows, "pretrained", seed=0)
    assert model.preset == "pretrained"
    for window, forecast in zip(windows, found, strict=True):
        alone, _ = forecast_windows([Task("one", window.series, 6, 12, 12, "MS")], "pretrained", seed=0)
        np.testing.assert_allclose(forecast, alone[0], rtol=1e-4)
        assert (np.diff(forecast, axis=2) >= 0).all()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return a function that asks for results, and the commands that it ran for them."""
    commands = []

    def run(command):
        commands.append(command)
        return {"mase": float(command[-1])}

    monkeypatch.setattr(methods, "first_run", run)
    monkeypatch.setattr(methods, "code", lambda files: "code")
    monkeypatch.setattr(sys, "argv", ["program.py"])

    def ask(task, method, *, seeds=2, scored="held back"):
        arguments = argparse.Namespace(folder="data", out=tmp_path, seeds=seeds)
        described = {"scored": scored}
        return results(arguments, task, method, described=described, files=("yardsticks.py",), flags=("--flag",))

    return ask, commands


def test_each_seed_is_run_once_and_kept(kept):
    ask, commands = kept
    records = ask("nn5", "scratch")
    assert [record["mase"] for record in records] == [0.0, 1.0]
    assert mean(records, "mase") == 0.5
    assert [command[1:] for command in commands] == [
        ["program.py", "data", "--flag", "--one", "nn5", "scratch", seed] for seed in "01"
    ]
    assert ask("nn5", "scratch") == records
    assert len(commands) == 2
    assert records[0]["weights"] is None
    assert records[0]["scored"] == "held back"
    ask("nn5", "scratch", scored="test")
    ask("ETTh", "scratch", seeds=3)
    assert len(commands) == 7


def test_results_of_other_weights_are_others(kept, monkeypatch):
    ask, commands = kept
    (record,) = ask("nn5", "pretrained")
    assert record["weights"] == methods.weights_key()
    monkeypatch.setattr(methods, "weights_key", lambda: "others")
    assert ask("nn5", "pretrained")[0]["weights"] == "others"
    ask("nn5", "balanced")
    assert len(commands) == 4


def test_a_key_of_code_depends_on_the_files():
    assert code() == code(("yardsticks.py", "competitions.py"))
    assert code() != code(("yardsticks.py",))


def test_a_process_finds_nothing_compiled_and_knows_when_it_began():
    print_facts = (
        "import json, os, pathlib; cache = os.environ['SEQCAST_CACHE_DIR']; print('a line');"
        "print(json.dumps({'empty': not any(pathlib.Path(cache).iterdir()), 'began': os.environ['BENCH_BEGAN']}))"
    )
    found = first_run([sys.executable, "-c", print_facts])
    assert found["empty"]
    assert found["process_s"] > 0
    assert float(found["began"]) > 0
    without = run_process([sys.executable, "-c", "import os; print(os.environ['SEQCAST_CACHE_DIR'])"])
    assert set(without) == {"process_s"}


def test_a_process_that_fails_ends_the_program_with_its_errors():
    with pytest.raises(SystemExit, match="no such task"):
        run_process([sys.executable, "-c", "import sys; sys.exit('no such task')"])


def test_seconds_count_from_the_start_of_the_process(monkeypatch):
    monkeypatch.setitem(os.environ, "BENCH_BEGAN", "0")
    assert methods.seconds_so_far() > 1e9
    monkeypatch.delitem(os.environ, "BENCH_BEGAN")
    assert 0 < methods.seconds_so_far() < 1e7


def test_a_result_says_what_was_chosen():
    days = pd.date_range("2020-01-01", periods=40)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(40) % 7.0})
    model = methods.Forecaster(4, preset="pretrained", verbose=0).fit(frame)
    made = json.loads(json.dumps(methods.record({"mase": 1.0}, 2.04, [model])))
    assert made["mase"] == 1.0
    assert made["seconds"] == 2.0
    assert {"seqcast", "pretrained", "python", "jax"} <= set(made["versions"])
    (facts,) = made["chosen"]
    assert facts["preset"] == "pretrained"
    assert facts["networks"][0]["encoder_units"]
