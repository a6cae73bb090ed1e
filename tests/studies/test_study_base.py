"""Grids of studies can be keys, results are chosen by settings, signals and networks are those of the question."""

import doctest
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import run
import study_base
from generalisation import GROUPS, grouped
from identifiability import SineFit
from sizes import SHAPES, WEIGHTS, Sizes, units_of, weights_of
from study_base import NAMES, TEST, TRAIN, Results, find_study, sine_windows

MODULES = sorted(path.stem for path in Path(study_base.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_program_lists_studies_and_rejects_others(capsys):
    run.main(["list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*NAMES]
    with pytest.raises(SystemExit):
        run.main(["horizn"])
    assert "invalid choice: 'horizn'" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_grids_are_json_and_no_setting_comes_twice(name):
    study = find_study(name)
    for quick in (False, True):
        settings = study.grid(quick)
        assert json.loads(json.dumps(settings)) == settings
        assert len({json.dumps(setting) for setting in settings}) == len(settings)
    assert 0 < len(study.grid(quick=True)) < 4


def test_results_are_chosen_by_settings():
    rows = [
        {"setting": {"a": a, "b": b}, "seed": s, "v": [a, None]}
        for a in (2, 1)
        for b in "yx"
        for s in (1, 0)
    ]
    results = Results(rows)
    assert results.seeds == "2 seeds"
    assert [*results.by("a")] == [2, 1]
    assert [*results.by("b")] == ["y", "x"]
    chosen = results.where(a=2, b="x")
    assert [row["seed"] for row in chosen.rows] == [0, 1]
    np.testing.assert_array_equal(chosen.array("v"), [[2, np.nan]] * 2)
    values, runs = results.where(b="x").curve("a", "v")
    assert values == [2, 1]
    np.testing.assert_array_equal(runs[:, :, 0], [[2, 1]] * 2)


# ---------------------------------------------------------------- signals


def test_noise_is_on_the_past_alone_and_test_windows_are_never_training_windows():
    clean, noisy = (sine_windows(2_000, seed=3, noise=level) for level in (0.0, 0.2))
    np.testing.assert_array_equal(clean[1], noisy[1])
    assert np.std(noisy[0] - clean[0]) == pytest.approx(0.2, rel=0.05)
    drawn = [sine_windows(50, seed=start + seed)[0] for start in (TRAIN, TEST) for seed in range(5)]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 500


def test_groups_have_frequencies_of_their_own():
    past, future, group = grouped(300, 40, 1)
    assert (past.shape, future.shape) == ((300, 40, 1), (300, 15, 1))
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


# ---------------------------------------------------------------- the fit of the formula, and sizes


def test_the_fit_continues_what_it_knows_the_formula_of():
    past, future, _ = sine_windows(30, seed=4, frequency=(1.0, 9.0))
    forecast = SineFit(15, frequency=(1.0, 9.0))(past[:, :, 0], 15)
    assert np.median(np.square(forecast - future[:, :, 0]).mean(axis=1)) < 1e-4
    flat, without = (
        SineFit(20, frequency=(2.0, 9.0), offset=offset)(np.ones((1, 20)), 5)
        for offset in (True, False)
    )
    np.testing.assert_allclose(flat, 1.0, atol=1e-3)
    assert np.abs(without - 1).max() > 0.1
    noise = np.random.default_rng(0).normal(size=(10, 12))
    free, penalised = (SineFit(12, penalty=penalty)(noise, 12) for penalty in (0.0, 5.0))
    assert np.abs(penalised).mean() < 0.5 * np.abs(free).mean()


def test_networks_have_as_many_weights_as_the_posts():
    assert WEIGHTS == 23_031
    for shape, setting in zip(SHAPES, Sizes.settings, strict=True):
        encoder, decoder = units_of(setting)
        assert (len(encoder), len(decoder)) == shape[:2]
        assert abs(weights_of(setting, encoder, decoder) / WEIGHTS - 1) < 0.05
        if shape == (2, 2, 1.0, "none"):
            assert (encoder, decoder) == ((35, 35), (35, 35))
