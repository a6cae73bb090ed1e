"""A study's path, and what makes an interrupted one go on where it stopped."""

import importlib
import json

import pytest
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.errors import SaveError
from seqcast.runtime.executors import SerialExecutor
from seqcast.studies import find_study, runner
from seqcast.studies.cache import cached_path
from seqcast.studies.runner import make_run, run_study


@pytest.fixture
def few_test_windows(monkeypatch):
    """Return a function that lets a study be measured on 600 windows: the path is that of 5,000."""

    def at_most(draw):
        return lambda count, **options: draw(min(count, 600), **options)

    def limit(name):
        module = importlib.import_module(f"seqcast.studies.{name}")
        for draw in {"sines", "noisy_past"} & {*vars(module)}:
            monkeypatch.setattr(module, draw, at_most(getattr(module, draw)))

    return limit


@pytest.mark.parametrize("name", ["horizon", "noise", "sines"])
def test_a_study_runs_draws_and_says_what_it_found(name, tmp_path, few_test_windows):
    few_test_windows(name)
    study = find_study(name)
    done = CliRunner().invoke(app, ["study", name, "--quick", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / f"{name}-quick"
    table = json.loads((folder / f"{name}.json").read_text())
    assert [row["setting"] for row in table["results"]] == study.grid(quick=True)
    assert table["finding"] in (folder / f"{name}.md").read_text()
    assert "1 seed" in table["finding"]
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((folder / "runs").iterdir())) == len(table["results"])
    # A second time nothing is trained, and the same is said.
    said = []
    again = run_study(name, tmp_path, quick=True, say=said.append)
    assert again.new_runs == 0
    assert again.finding == table["finding"]
    assert "0 of them to be made" in said[0]


def test_only_missing_runs_are_made(tmp_path, monkeypatch):
    made = []

    def run(self, setting, seed):
        made.append((setting["decoder_input"], seed))
        return {"mse": [0.1 + seed] * 150, "variance": 0.4}

    monkeypatch.setattr(type(find_study("horizon")), "run", run)
    run_study("horizon", tmp_path, quick=True, seeds=2, say=lambda line: None)
    assert made == [("zeros", 0), ("position", 0), ("zeros", 1), ("position", 1)]
    next((tmp_path / "horizon-quick" / "runs").glob("*position*-epochs-1-1-*")).unlink()
    made.clear()
    outcome = run_study("horizon", tmp_path, quick=True, seeds=2, say=lambda line: None)
    assert made == [("position", 1)]
    assert outcome.new_runs == 1
    assert "2 seeds" in outcome.finding


def test_other_code_and_other_libraries_make_runs_anew(tmp_path, monkeypatch):
    study = find_study("horizon")
    monkeypatch.setattr(type(study), "run", lambda self, setting, seed: {"mse": [0.1] * 150, "variance": 0.4})
    options = {"quick": True, "say": lambda line: None}
    assert run_study("horizon", tmp_path, **options).new_runs == 2
    assert run_study("horizon", tmp_path, **options).new_runs == 0
    monkeypatch.setattr(type(study), "code", lambda self: "another")
    assert run_study("horizon", tmp_path, **options).new_runs == 2
    monkeypatch.setattr(runner, "library_versions", lambda: {"keras": "another"})
    assert run_study("horizon", tmp_path, **options).new_runs == 2
    table = json.loads((tmp_path / "horizon-quick" / "horizon.json").read_text())
    assert (table["code"], table["libraries"]) == ("another", {"keras": "another"})


def test_runs_go_to_the_executor_that_is_given(tmp_path, monkeypatch):
    class Counting(SerialExecutor):
        def map(self, function, jobs, **options):
            self.count = len(jobs)
            return super().map(function, jobs, **options)

    study = type(find_study("horizon"))
    monkeypatch.setattr(study, "run", lambda self, setting, seed: {"mse": [0.1] * 150, "variance": 0.4})
    executor = Counting()
    outcome = run_study("horizon", tmp_path, quick=True, executor=executor, say=lambda line: None)
    assert executor.count == outcome.new_runs == 2


def test_a_folder_that_takes_no_files_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="a folder to write to"):
        run_study("horizon", tmp_path / "file", quick=True)


def test_a_run_leaves_its_file(tmp_path, monkeypatch):
    study = find_study("horizon")
    monkeypatch.setattr(type(study), "run", lambda self, setting, seed: {"mse": seed})
    make_run("horizon", str(tmp_path), {"x": 1}, 4, {"code": "c"})
    [path] = tmp_path.iterdir()
    result = json.loads(path.read_text())
    assert path == cached_path(tmp_path, "x 1", 4, {"of": {"x": 1}, "code": "c"})
    assert (result["of"], result["seed"], result["mse"], result["code"]) == ({"x": 1}, 4, 4, "c")
    assert result["seconds"] >= 0
