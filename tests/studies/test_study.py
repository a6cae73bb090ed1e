"""All studies have grids that can be keys, and results are chosen by their settings."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.errors import SpecError
from seqcast.studies import NAMES, find_study
from seqcast.studies.study import Results


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
