"""`seqcast tune`, as a stranger uses it."""

import functools
import json

import numpy as np
import pandas as pd
import pytest

from seqcast.cli.tune_command import SCRIPT_BEGINS
from seqcast.forecaster.estimator import Forecaster
from seqcast.tune import tune

SMALL = (
    "--units",
    "3",
    "--epochs",
    "1",
    "--seed",
    "0",
    "--level",
    "",
    "--workers",
    "1",
    "--ensemble",
    "1",
    "--quiet",
)


@pytest.fixture
def search(run):
    """Run the command beside a file."""
    days = pd.date_range("2024-01-01", periods=60)
    pd.DataFrame({"ds": days, "y": 10 + np.sin(np.arange(60) * 2 * np.pi / 7)}).to_csv(
        "sales.csv", index=False
    )
    return functools.partial(run, "tune", "sales.csv", "-H", "3")


@pytest.fixture
def narrow(monkeypatch):
    """Let a search try one learning rate beside the untuned one: each setting is compiled anew."""

    def small(df, horizon, **arguments):
        return tune(df, horizon, **{**arguments, "space": {"learning_rate": [0.001]}})

    monkeypatch.setattr("seqcast.tune.tune", small)


def test_a_model_a_script_and_pictures_are_written(search, narrow, tmp_path):
    study = ("--trials", 2, "--storage", "study.db", *SMALL)
    code, out, err = search(
        "-o", "m.seqcast", "--script", "fit_best.py", "--figure", "trials.png", *study
    )
    assert code == 0, err
    assert "The best trials by their loss; untuned" in out
    assert out.endswith("Wrote m.seqcast\nWrote fit_best.py\nWrote trials.png\n")
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "fit_best.py").read_text().startswith(SCRIPT_BEGINS)
    assert len(Forecaster.load(tmp_path / "m.seqcast").predict()) == 3
    assert (
        "--storage: expected one without a study, or --resume"
        in search("-o", "m.seqcast", *study)[2]
    )
    code, out, err = search(
        "-o", "m.seqcast", "--script", "fit_best.py", "--resume", "--json", *study
    )
    assert code == 0, err
    told = json.loads(out)
    assert told["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert told["files"] == ["m.seqcast", "fit_best.py"]
    assert [row["number"] for row in told["table"]] == [0, 1]


def test_too_few_trials_for_a_picture_cost_only_the_picture(search, narrow, tmp_path):
    code, _, err = search("-o", "m.seqcast", "--figure", "trials.png", "--trials", 1, *SMALL)
    expected = "expected at least two complete trials, received 1. Let more trials run. Already written: m.seqcast"
    assert (code, expected in err) == (1, True), err
    assert [path.name for path in tmp_path.glob("[mt]*")] == ["m.seqcast"]


REJECTED = [
    (
        ("--storage", "study.txt"),
        "--storage: expected a file study.db (SQLite), or the URL of a database",
    ),
    (("--resume",), "--resume: expected --storage as well"),
    (("--script", "fit_best.txt"), "expected one of 'py'"),
    (("--script", "other.py"), "expected no file yet, or a script of seqcast tune"),
    (("--time-limit", "soon"), "--time-limit: expected seconds"),
    (
        ("--time-limit", "0.01"),
        "--time-limit: expected more time, received 0.01 s, in which no trial was complete",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED)
def test_what_is_rejected(search, tmp_path, arguments, message):
    (tmp_path / "other.py").write_text("print('mine')\n")
    code, _, err = search("-o", "m.seqcast", *SMALL, *arguments)
    assert (code, message in err) == (1, True), err
    assert not (tmp_path / "m.seqcast").exists()
