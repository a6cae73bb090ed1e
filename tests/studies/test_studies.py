"""Studies: the path of three of them, and what makes an interrupted one go on where it stopped."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.errors import SaveError, SpecError
from seqcast.studies import NAMES, find_study, runner
from seqcast.studies.cache import cached_path
from seqcast.studies.oracle import SineFit
from seqcast.studies.runner import make_run, run_study
from seqcast.studies.sizes import SHAPES, WEIGHTS, _units
from seqcast.studies.static import GROUPS, grouped
from seqcast.studies.study import Results
from seqcast.studies.tasks import TEST, TRAIN, sines


@pytest.mark.parametrize("name", ["horizon", "noise", "sines"])
def test_a_study_runs_draws_and_says_what_it_found(name, tmp_path):
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
    assert again.made == 0
    assert again.finding == table["finding"]
    assert "0 of them to be made" in said[0]


def test_the_command_lists_studies_and_refuses_others():
    listed = CliRunner().invoke(app, ["study", "list"]).output
    assert all(name in listed for name in NAMES)
    with pytest.raises(SpecError, match="horizon"):
        find_study("horizn")


@pytest.mark.parametrize("name", NAMES)
def test_grids_are_json_and_no_setting_comes_twice(name):
    study = find_study(name)
    assert study.name == name
    for quick in (False, True):
        settings = study.grid(quick)
        assert json.loads(json.dumps(settings)) == settings
        assert len({json.dumps(setting) for setting in settings}) == len(settings)
    assert len(study.grid(quick=True)) < 4


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
    assert outcome.made == 1
    assert "2 seeds" in outcome.finding


def test_other_code_and_other_libraries_make_runs_anew(tmp_path, monkeypatch):
    study = find_study("horizon")
    monkeypatch.setattr(type(study), "run", lambda self, setting, seed: {"mse": [0.1] * 150, "variance": 0.4})
    options = {"quick": True, "say": lambda line: None}
    assert run_study("horizon", tmp_path, **options).made == 2
    assert run_study("horizon", tmp_path, **options).made == 0
    monkeypatch.setattr(type(study), "code", lambda self: "another")
    assert run_study("horizon", tmp_path, **options).made == 2
    monkeypatch.setattr(runner, "library_versions", lambda: {"keras": "another"})
    assert run_study("horizon", tmp_path, **options).made == 2
    table = json.loads((tmp_path / "horizon-quick" / "horizon.json").read_text())
    assert (table["code"], table["libraries"]) == ("another", {"keras": "another"})


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


def test_results_are_chosen_by_settings():
    rows = [{"setting": {"a": a, "b": b}, "seed": s, "v": [a, None]} for a in (2, 1) for b in "yx" for s in (1, 0)]
    results = Results(rows)
    assert results.seeds == "2 seeds"
    assert results.settings("a") == [1, 2]
    assert results.settings("b") == ["y", "x"]
    chosen = results.where(a=2, b="x")
    assert [row["seed"] for row in chosen] == [0, 1]
    np.testing.assert_array_equal(chosen.array("v"), [[2, np.nan]] * 2)
    values, runs = results.where(b="x").curve("a", "v")
    assert values == [1, 2]
    np.testing.assert_array_equal(runs[:, :, 0], [[1, 2]] * 2)


# ---------------------------------------------------------------- what they are made of


def test_test_windows_are_never_training_windows():
    drawn = [sines(50, seed=start + seed)[0] for start in (TRAIN, TEST) for seed in range(5)]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 500


def test_noise_is_on_the_past_alone():
    clean, noisy = (sines(2_000, seed=3, noise=level) for level in (0.0, 0.2))
    np.testing.assert_array_equal(clean[1], noisy[1])
    assert np.std(noisy[0] - clean[0]) == pytest.approx(0.2, rel=0.05)


def test_groups_have_frequencies_of_their_own():
    past, future, group = grouped(300, 40, 1)
    assert past.shape == (300, 40, 1)
    assert future.shape == (300, 15, 1)
    assert set(group) <= set(range(GROUPS))
    # Two windows of a group are sums of the same four waves.
    steps = np.arange(40, 55)
    for own in range(3):
        chosen = future[group == own][:, :, 0]
        frequencies = np.random.default_rng(5).uniform(0.1, 10.0, size=(GROUPS, 2))[own]
        angles = 2 * np.pi * np.outer(steps, frequencies) / 30
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        left = chosen.T - waves @ np.linalg.lstsq(waves, chosen.T, rcond=None)[0]
        assert np.abs(left).max() < 1e-5


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[3], SHAPES[5]])
def test_networks_have_as_many_weights_as_the_posts(shape):
    encoder, decoder = _units({"shape": list(shape), "attention": "none"})
    if shape == (2, 2, 1.0):
        assert (encoder, decoder) == ((35, 35), (35, 35))
    assert len(encoder) == shape[0]
    assert len(decoder) == shape[1]
    assert WEIGHTS == 23_031


@pytest.mark.parametrize("sizes", [{"sines": 1}, {"sines": 2}])
def test_the_fit_continues_what_it_knows_the_formula_of(sizes):
    past, future, _ = sines(30, seed=4, num_signals=sizes["sines"], frequency=(1.0, 9.0))
    forecast = SineFit(15, frequency=(1.0, 9.0), **sizes)(past[:, :, 0], 15)
    assert np.median(np.square(forecast - future[:, :, 0]).mean(axis=1)) < 1e-4


def test_a_penalty_keeps_a_fit_of_noise_small():
    noise = np.random.default_rng(0).normal(size=(10, 12))
    free, held = (SineFit(12, penalty=penalty)(noise, 12) for penalty in (0.0, 5.0))
    assert np.abs(held).mean() < 0.5 * np.abs(free).mean()


def test_a_fit_may_be_without_a_constant():
    flat = np.ones((1, 20))
    with_constant = SineFit(20, frequency=(2.0, 9.0))(flat, 5)
    without = SineFit(20, frequency=(2.0, 9.0), offset=False)(flat, 5)
    np.testing.assert_allclose(with_constant, 1.0, atol=1e-3)
    assert np.abs(without - 1).max() > 0.1
