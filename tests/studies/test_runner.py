"""A study's path, and what makes an interrupted one go on where it stopped."""

import importlib
import json

import numpy as np
import pytest

import run
import runner
from runner import library_versions, make_run, result_path, run_study
from seqcast.runtime.executors import SerialExecutor
from seqcast.training.callbacks import KeepBest
from study_base import find_study, sine_windows

QUICK = {"quick": True, "say": lambda line: None}


def test_another_version_of_seqcast_or_of_a_library_is_another_key(monkeypatch, tmp_path):
    before = library_versions()
    path = result_path(tmp_path, {"x": 1}, 0, {})
    assert {"keras", "jax", "numpy", "scikit-learn"} <= set(before)
    monkeypatch.setattr(
        runner.metadata, "version", lambda name: "0.0" if name == "jax" else before[name]
    )
    assert library_versions() == {**before, "jax": "0.0"}
    monkeypatch.setattr(runner, "__version__", "another")
    assert result_path(tmp_path, {"x": 1}, 0, {}) != path


@pytest.mark.parametrize(("name", "draw"), [("horizon", "plain_sines"), ("noise", "noisy_past")])
def test_a_study_runs_draws_and_says_what_it_found(name, draw, tmp_path, monkeypatch):
    study = find_study(name)
    module = importlib.import_module(type(study).__module__)
    whole = getattr(module, draw)
    # The path is that of 5,000 windows.
    monkeypatch.setattr(module, draw, lambda count, **options: whole(min(count, 600), **options))
    run.main([name, "--quick", "-o", str(tmp_path)])
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
    assert "0 of them to compute" in said[0]


@pytest.fixture
def measured(monkeypatch):
    """Let `horizon` measure without a training; return the settings and seeds that were measured."""
    made = []

    def measure(self, run):
        made.append((run.setting["decoder_input"], run.seed))
        return {"mse": [0.1 + run.seed] * 150, "variance": 0.4}

    monkeypatch.setattr(type(find_study("horizon")), "measure", measure)
    return made


def test_only_missing_runs_and_those_of_other_libraries_are_made_by_the_executor(
    tmp_path, measured, monkeypatch
):
    class Counting(SerialExecutor):
        def map(self, function, jobs, **options):
            self.count = len(jobs)
            return super().map(function, jobs, **options)

    executor = Counting()
    run_study("horizon", tmp_path, seeds=2, executor=executor, **QUICK)
    assert measured == [("zeros", 0), ("position", 0), ("zeros", 1), ("position", 1)]
    next((tmp_path / "horizon-quick" / "runs").glob("*position*-epochs-1-1-*")).unlink()
    measured.clear()
    outcome = run_study("horizon", tmp_path, seeds=2, executor=executor, **QUICK)
    assert (measured, outcome.new_runs, executor.count) == ([("position", 1)], 1, 1)
    assert "2 seeds" in outcome.finding
    monkeypatch.setattr(runner, "library_versions", lambda: {"keras": "another"})
    assert run_study("horizon", tmp_path, **QUICK).new_runs == 2
    assert json.loads((tmp_path / "horizon-quick" / "horizon.json").read_text())["libraries"] == {
        "keras": "another"
    }


@pytest.fixture
def epochs(monkeypatch):
    """Let `horizon` train two tiny networks for three epochs each; return the epochs that were trained, as they end.

    With `killed_after` of the list set, the process dies at the end of that epoch, before its state
    is written.
    """

    class Epochs(list):
        killed_after = None

    trained = Epochs()
    record = KeepBest.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        record(self, epoch, logs)
        trained.append(epoch)
        if len(trained) == trained.killed_after:
            raise MemoryError("killed")

    def measure(self, run):
        past, future, _ = sine_windows(200, past=6, future=2, seed=run.seed)
        options = {"encoder_units": (3,), "decoder_units": (3,)}
        first, second = (
            run.fit(past, future, **options, dropout=dropout) for dropout in (0.2, 0.3)
        )
        return {
            "mse": np.square(first.predict(past) - second.predict(past)).mean(axis=(0, 2)).tolist()
        }

    monkeypatch.setattr(KeepBest, "on_epoch_end", on_epoch_end)
    monkeypatch.setattr(type(find_study("horizon")), "measure", measure)
    # Else the end of an epoch that takes next to nothing is left out.
    monkeypatch.setattr("seqcast.training.checkpoints.MOST_SHARE", 1e9)
    return trained


KILLS = [(2, "c", [1, 2, 0, 1, 2]), (5, "c", [1, 2]), (5, "other", [0, 1, 2] * 2)]


@pytest.mark.parametrize(("killed_after", "libraries", "left"), KILLS)
def test_a_run_that_was_killed_goes_on_from_its_checkpoints(
    killed_after, libraries, left, epochs, tmp_path
):
    job = {
        "name": "horizon",
        "setting": {"x": 1, "epochs": 3},
        "seed": 4,
        "libraries": {"keras": "c"},
    }
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
    make_run(**{**job, "libraries": {"keras": libraries}}, folder=str(runs))
    assert epochs == left
    results = [
        json.loads(next(tmp_path.glob(f"{each}/runs/*.json")).read_text())
        for each in ("unbroken", "broken")
    ]
    assert results[0]["mse"] == results[1]["mse"]
    # Where the result is there, nothing else is.
    assert libraries == "other" or [path.name for path in runs.parent.iterdir()] == ["runs"]
