"""A study's path, and what makes an interrupted one go on where it stopped."""

import importlib
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.errors import SaveError
from seqcast.runtime.executors import SerialExecutor
from seqcast.studies import find_study, runner
from seqcast.studies.cache import cached_path
from seqcast.studies.runner import make_run, run_study
from seqcast.studies.tasks import network, sine_windows
from seqcast.training.callbacks import KeepBest


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

    def run(self, setting, seed, trainings):
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
    monkeypatch.setattr(
        type(study), "run", lambda self, setting, seed, trainings: {"mse": [0.1] * 150, "variance": 0.4}
    )
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
    monkeypatch.setattr(study, "run", lambda self, setting, seed, trainings: {"mse": [0.1] * 150, "variance": 0.4})
    executor = Counting()
    outcome = run_study("horizon", tmp_path, quick=True, executor=executor, say=lambda line: None)
    assert executor.count == outcome.new_runs == 2


def test_a_folder_that_takes_no_files_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="a folder to write to"):
        run_study("horizon", tmp_path / "file", quick=True)


def test_a_run_leaves_its_file(tmp_path, monkeypatch):
    study = find_study("horizon")
    monkeypatch.setattr(type(study), "run", lambda self, setting, seed, trainings: {"mse": seed})
    make_run("horizon", str(tmp_path), {"x": 1}, 4, {"code": "c"})
    [path] = tmp_path.iterdir()
    result = json.loads(path.read_text())
    assert path == cached_path(tmp_path, "x 1", 4, {"of": {"x": 1}, "code": "c"})
    assert (result["of"], result["seed"], result["mse"], result["code"]) == ({"x": 1}, 4, 4, "c")
    assert result["seconds"] >= 0


@pytest.fixture
def epochs(monkeypatch):
    """Let `horizon` train two tiny networks for three epochs each; return the epochs that were trained, as they end.

    With `killed_after` of the list set, the process dies at the end of that epoch, before its state is written.
    """

    class Epochs(list):
        killed_after = None

    trained, record = Epochs(), KeepBest.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        record(self, epoch, logs)
        trained.append(epoch)
        if len(trained) == trained.killed_after:
            raise MemoryError("killed")

    def run(self, setting, seed, trainings):
        past, future, _ = sine_windows(200, past=6, future=2, seed=seed)
        options = {"epochs": 3, "encoder_units": (3,), "decoder_units": (3,), "dropout": 0.2}
        first, second = (trainings.fit(network(seed + more, **options), past, future) for more in (0, 10))
        return {"mse": np.square(first.predict(past) - second.predict(past)).mean(axis=(0, 2)).tolist()}

    monkeypatch.setattr(KeepBest, "on_epoch_end", on_epoch_end)
    monkeypatch.setattr(type(find_study("horizon")), "run", run)
    # Else the end of an epoch that takes next to nothing is left out.
    monkeypatch.setattr("seqcast.training.checkpoints.MOST_SHARE", 1e9)
    return trained


@pytest.mark.parametrize(("killed_after", "left"), [(2, [1, 2, 0, 1, 2]), (5, [1, 2])])
def test_a_run_that_was_killed_goes_on_from_its_checkpoints(killed_after, left, epochs, tmp_path):
    job = {"name": "horizon", "setting": {"x": 1}, "seed": 4, "described": {"code": "c"}}
    make_run(**job, folder=str(tmp_path / "unbroken" / "runs"))
    assert epochs == [0, 1, 2, 0, 1, 2]
    epochs.clear()
    epochs.killed_after = killed_after
    runs = tmp_path / "broken" / "runs"
    with pytest.raises(MemoryError):
        make_run(**job, folder=str(runs))
    assert not runs.exists() or list(runs.iterdir()) == []
    epochs.killed_after = None
    epochs.clear()
    make_run(**job, folder=str(runs))
    assert epochs == left
    results = [json.loads(next(tmp_path.glob(f"{each}/runs/*.json")).read_text()) for each in ("unbroken", "broken")]
    assert results[0]["mse"] == results[1]["mse"]
    # Where the result is there, nothing else is.
    assert [path.name for path in runs.parent.iterdir()] == ["runs"]


def test_a_killed_run_of_other_code_is_not_gone_on_with(epochs, tmp_path):
    epochs.killed_after = 5
    with pytest.raises(MemoryError):
        make_run("horizon", str(tmp_path / "runs"), {"x": 1}, 4, {"code": "before"})
    epochs.clear()
    epochs.killed_after = None
    make_run("horizon", str(tmp_path / "runs"), {"x": 1}, 4, {"code": "after"})
    assert len(epochs) == 6
