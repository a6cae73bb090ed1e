"""The zero-shot program: tables, what it says of test parts, and that it goes on where it stopped."""

import json
import sys

import pytest
import zero_shot
from zero_shot import PUBLISHED, check_releases, main, score_table
from zero_shot_tasks import PROTOCOLS, ROLLING, TASKS


def test_published_scores_are_of_all_tasks():
    for name, scores in PUBLISHED.items():
        assert set(TASKS) < set(scores) <= set(PROTOCOLS)
        assert set(ROLLING) < set(scores) or name.startswith("Auto")


def test_published_means_are_those_that_others_found():
    lines = score_table(PUBLISHED, {name: cut.naive for name, cut in TASKS.items()}).splitlines()
    cells = [cell.strip() for cell in lines[-1].split("|")[2:-1]]
    # Of the same result files, computed elsewhere.
    assert cells[:4] == ["0.766 / 0.591", "0.802 / 0.619", "0.891 / 0.747", "0.858 / 0.734"]
    assert cells[-1] == "1.000 / 1.000"
    assert lines[0].startswith("| task | TiRex |")


def write(folder, name, **record):
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_a_sixth_release_is_refused_on_test_parts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zero_shot, "weights_key", lambda: "ours")
    check_releases(tmp_path / "none")
    for name in "abc":
        write(tmp_path, f"held {name}", scored="held back", weights=name)
    write(tmp_path, "scratch", scored="test", weights=None)
    write(tmp_path, "1", scored="test", weights="first")
    for number in range(2, 5):
        write(tmp_path, f"{number}", scored="test", weights=f"release {number}")
    check_releases(tmp_path)
    assert "scored: test parts" in capsys.readouterr().out
    write(tmp_path, "5", scored="test", weights="ours")
    check_releases(tmp_path)
    monkeypatch.setattr(zero_shot, "weights_key", lambda: "sixth")
    with pytest.raises(SystemExit, match="at most 5 releases"):
        check_releases(tmp_path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the program with made-up results, and the commands that it ran."""
    commands = []

    def measured(command):
        commands.append(command)
        return {"mase": 0.5, "wql": 0.05, "sql": 0.4, "seconds": 3.0}

    monkeypatch.setattr("methods.first_run", measured)
    monkeypatch.setattr("methods.code", lambda files: "code")
    monkeypatch.setattr(zero_shot, "naive", lambda folder, name, held_back: (1.0, 0.1))

    def program(*arguments):
        monkeypatch.setattr(sys, "argv", ["zero_shot.py", "data", "--out", str(tmp_path), *arguments])
        main()
        return [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]

    return program, commands


def test_held_back_parts_are_told_to_each_process_and_compared_with_nothing_published(run, capsys):
    program, commands = run
    records = program("--held-back", "--method", "pretrained", "--tasks", "nn5", "ETT_1H")
    assert {record["scored"] for record in records} == {"held back"}
    assert all("--held-back" in command for command in commands)
    shown = capsys.readouterr().out
    assert "| nn5 | 0.500 / 0.0500 | 1.000 / 0.1000 |" in shown
    assert "| ETT_1H | 0.500 / 0.4000 | 1.000 / 0.1000 |" in shown
    assert "| geometric mean over seasonal naive | 0.500 / 0.500 | 1.000 / 1.000 |" in shown
    assert "TiRex" not in shown
    program("--held-back", "--method", "pretrained", "--tasks", "nn5", "ETT_1H", "ETTh")
    assert len(commands) == 3


def test_scores_of_test_parts_are_recorded_and_said(run, capsys):
    program, commands = run
    (record,) = program("--method", "pretrained", "--tasks", "nn5")
    assert record["scored"] == "test"
    assert "--held-back" not in commands[0]
    shown = capsys.readouterr().out
    assert "scored: test parts" in shown
    assert "| nn5 | 0.500 / 0.0500 | 0.548 / 0.1429 |" in shown
    assert "benchmarks/chronos_zeroshot" in shown
