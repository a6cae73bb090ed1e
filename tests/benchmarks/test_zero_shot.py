"""The programs of contests: their tables, what they say of test parts, and that they see no more than they should."""

import json
import sys

import classics
import pandas as pd
import pytest
import zero_shot
from zero_shot import PUBLISHED, check_releases, score_table
from zero_shot_tasks import PROTOCOLS, ROLLING, TASKS

from seqcast.data.datasets import load


def test_published_scores_are_of_all_tasks():
    for name, scores in PUBLISHED.items():
        assert set(TASKS) < set(scores) <= set(PROTOCOLS)
        assert set(ROLLING) < set(scores) or name.startswith("Auto")
    lines = score_table(PUBLISHED, {name: cut.naive for name, cut in TASKS.items()}).splitlines()
    cells = [cell.strip() for cell in lines[-1].split("|")[2:-1]]
    # Of the same result files, computed elsewhere.
    assert cells[:4] == ["0.766 / 0.591", "0.802 / 0.619", "0.891 / 0.747", "0.858 / 0.734"]
    assert cells[-1] == "1.000 / 1.000"
    assert lines[0].startswith("| task | TiRex |")


def test_a_sixth_release_is_refused_on_test_parts(tmp_path, monkeypatch, capsys):
    def write(name, **record):
        (tmp_path / f"{name}.json").write_text(json.dumps(record))

    monkeypatch.setattr(zero_shot, "weights_key", lambda: "ours")
    check_releases(tmp_path / "none")
    for name in "abcdef":
        write(f"held {name}", scored="held back", weights=name)
    write("scratch", scored="test", weights=None)
    for number in range(4):
        write(f"{number}", scored="test", weights=f"release {number}")
    write("5", scored="test", weights="ours")
    check_releases(tmp_path)
    assert "scored: test parts" in capsys.readouterr().out
    monkeypatch.setattr(zero_shot, "weights_key", lambda: "sixth")
    with pytest.raises(SystemExit, match="at most 5 releases"):
        check_releases(tmp_path)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs a program with made-up results; it returns its records, and what it printed."""
    commands = []

    def measured(command):
        commands.append(command)
        return {"mase": 0.5, "wql": 0.05, "sql": 0.4, "seconds": 3.0}

    monkeypatch.setattr("methods.first_run", measured)
    monkeypatch.setattr("methods.harness.code", lambda *files: "code")
    monkeypatch.setattr(zero_shot, "naive", lambda folder, name, held_back: (1.0, 0.1))

    def program(module, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", "data", "--out", str(tmp_path), *arguments])
        module.main()
        return [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))], capsys.readouterr().out

    program.commands = commands
    return program


def test_held_back_parts_are_compared_with_nothing_published(run):
    records, shown = run(zero_shot, "--held-back", "--method", "pretrained", "--tasks", "nn5", "ETT_1H")
    assert {record["scored"] for record in records} == {"held back"}
    assert all("--held-back" in command for command in run.commands)
    assert "| nn5 | 0.500 / 0.0500 | 1.000 / 0.1000 |" in shown
    assert "| ETT_1H | 0.500 / 0.4000 | 1.000 / 0.1000 |" in shown
    assert "| geometric mean over seasonal naive | 0.500 / 0.500 | 1.000 / 1.000 |" in shown
    assert "TiRex" not in shown
    run(zero_shot, "--held-back", "--method", "pretrained", "--tasks", "nn5", "ETT_1H", "ETTh")
    assert len(run.commands) == 3


def test_scores_of_test_parts_are_recorded_and_said(run):
    (record,), shown = run(zero_shot, "--method", "pretrained", "--tasks", "nn5")
    assert record["scored"] == "test"
    assert "--held-back" not in run.commands[0]
    assert "scored: test parts" in shown
    assert "| nn5 | 0.500 / 0.0500 | 0.548 / 0.1429 |" in shown
    assert "benchmarks/chronos_zeroshot" in shown


def test_ours_and_others_stand_in_one_table(run, monkeypatch, tmp_path):
    asked = []

    def peer(folder, name, method, *further):
        asked.append((name, further))
        return {"mase": 0.8, "whole_s": 4.0, "version": "1"}

    monkeypatch.setattr(classics, "run_peer", peer)
    monkeypatch.setattr(classics, "check_environments", lambda *environments: None)
    for _ in range(2):
        given = ["--series", "lynx", "sunspots", "--method", "pretrained", "statsforecast-AutoETS"]
        records, shown = run(classics, *given)
    assert asked == [("lynx", ("--cutoffs", "4")), ("sunspots", ("--cutoffs", "4"))]
    assert f"| lynx | 8 | 1 | 0.500 | 0.800 | {classics.naive_mase(tmp_path, 'lynx'):.3f} |" in shown
    assert "| lynx | 3 | 4 |" in shown
    assert {record["cutoffs"] for record in records} == {4}


def plain_mase(y, horizon, season, forecast):
    """Compute the mean over four cutoffs by loops."""
    scores = []
    for place in range(4):
        stop = len(y) - (4 - place) * horizon
        scale = sum(abs(y[t] - y[t - season]) for t in range(season, stop)) / (stop - season)
        errors = [abs(y[stop + step] - forecast(y[:stop], step)) for step in range(horizon)]
        scores.append(sum(errors) / horizon / scale)
    return sum(scores) / 4


@pytest.mark.parametrize(("name", "horizon", "season"), [("lynx", 8, 1), ("elnino", 12, 12), ("co2", 52, 52)])
def test_the_naive_error_is_that_of_plain_loops(name, horizon, season, tmp_path):
    y = load(name)["y"].to_numpy()
    expected = plain_mase(y, horizon, season, lambda past, step: past[-season + step % season])
    assert classics.naive_mase(tmp_path, name) == pytest.approx(expected)


def test_each_cutoff_has_a_forecaster_of_its_own_that_sees_what_is_known(tmp_path, monkeypatch):
    fitted = []

    class Last:
        """Repeats the last value."""

        def fit(self, df):
            self.df = df
            fitted.append(len(df))
            return self

        def predict(self):
            stamps = pd.date_range(self.df["ds"].max(), periods=9, freq="YS")[1:]
            return pd.DataFrame({"unique_id": "lynx", "ds": stamps, "seqcast": self.df["y"].iloc[-1]})

    monkeypatch.setattr(classics, "forecaster", lambda *given: Last())
    monkeypatch.setattr(classics, "record", lambda scores, seconds, models: {**scores, "models": len(models)})
    found = classics.measure(tmp_path, "lynx", "quick", 0)
    y = load("lynx")["y"].to_numpy()
    assert found["mase"] == pytest.approx(plain_mase(y, 8, 1, lambda past, step: past[-1]))
    assert found["models"] == len(found["mase_by_cutoff"]) == 4
    assert fitted == [len(y) - 32, len(y) - 24, len(y) - 16, len(y) - 8]
