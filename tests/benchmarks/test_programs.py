"""Every program starts, and what several of them share is right: their tables, their result files, their processes."""

import json
import runpy
import sys

import methods
import pytest
import zero_shot
from zero_shot import check_releases

from harness import ROOT, first_run, run_process
from tests.rejections import rejected

SCRIPTS = [
    path
    for folder in ("benchmarks", "pretraining", "studies")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "peers" not in path.parts
]
# These have no options: each runs for minutes, and writes a page.
WITHOUT = {"post_page", "pretrained_page"}
PROGRAMS = {
    path.stem: path
    for path in SCRIPTS
    if "__main__" in path.read_text() and path.stem not in WITHOUT
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_starts_and_says_what_it_does(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.syspath_prepend(PROGRAMS[name].parent)
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(PROGRAMS[name]), run_name="__main__")
    assert ending.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_a_process_finds_nothing_compiled_and_its_errors_end_the_program():
    facts = (
        "import json, os; print(json.dumps({'cache': os.listdir(os.environ['SEQCAST_CACHE_DIR'])}))"
    )
    found = first_run([sys.executable, "-c", facts])
    assert found["cache"] == []
    assert found["process_s"] > 0
    rejected(
        SystemExit,
        "no such task",
        run_process,
        [sys.executable, "-c", "import sys; sys.exit('no such task')"],
    )


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the contest with made-up results; it returns its records, and what it printed."""
    commands = []

    def measured(command):
        commands.append(command)
        return {"mase": 0.5, "wql": 0.05, "sql": 0.4, "seconds": 3.0}

    monkeypatch.setattr(methods, "first_run", measured)
    monkeypatch.setattr(methods.harness, "code", lambda *files: "code")
    monkeypatch.setattr(zero_shot, "naive", lambda folder, name, held_back: (1.0, 0.1))

    def program(*arguments):
        given = ["data", "--out", str(tmp_path), "--method", "pretrained", *arguments]
        monkeypatch.setattr(sys, "argv", ["zero_shot.py", *given])
        zero_shot.main()
        return [
            json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))
        ], capsys.readouterr().out

    program.commands = commands
    return program


def test_each_setting_is_run_once_and_windows_before_test_parts_are_compared_with_nothing_published(
    run, monkeypatch
):
    records, shown = run("--held-back", "--tasks", "nn5", "ETT_1H")
    assert {record["scored"] for record in records} == {"held back"}
    assert all("--held-back" in command for command in run.commands)
    assert "| nn5 | 0.500 / 0.0500 | 1.000 / 0.1000 |" in shown
    assert "| ETT_1H | 0.500 / 0.4000 | 1.000 / 0.1000 |" in shown
    assert "| geometric mean over seasonal naive | 0.500 / 0.500 | 1.000 / 1.000 |" in shown
    assert "TiRex" not in shown
    run("--held-back", "--tasks", "nn5", "ETT_1H", "ETTh")
    assert len(run.commands) == 3
    # Other weights are other results, and so are those of test parts.
    monkeypatch.setattr(methods, "weights_key", lambda: "others")
    run("--held-back", "--tasks", "nn5")
    _, shown = run("--tasks", "nn5")
    assert len(run.commands) == 5
    assert "--held-back" not in run.commands[-1]
    assert "scored: test parts" in shown
    assert "| nn5 | 0.500 / 0.0500 | 0.548 / 0.1429 |" in shown


def test_a_sixth_release_is_rejected_on_test_parts(tmp_path, monkeypatch):
    def write(name, **record):
        (tmp_path / f"{name}.json").write_text(json.dumps(record))

    monkeypatch.setattr(zero_shot, "weights_key", lambda: "ours")
    for name in "abcdef":
        write(f"held {name}", scored="held back", weights=name)
    write("scratch", scored="test", weights=None)
    for number in range(4):
        write(f"{number}", scored="test", weights=f"release {number}")
    write("5", scored="test", weights="ours")
    check_releases(tmp_path)
    monkeypatch.setattr(zero_shot, "weights_key", lambda: "sixth")
    rejected(SystemExit, "at most 5 releases", check_releases, tmp_path)
