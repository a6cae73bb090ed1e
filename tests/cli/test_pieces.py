"""Folders and patterns of Parquet files at the command line: fit, predict and backtest read them piece by piece."""

import json

import numpy as np
import pandas as pd
import pytest

from seqcast.training.logs import read_log

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("command")
    (path / "sales").mkdir()
    for number in range(4):
        hours = np.arange(80)
        rows = pd.DataFrame(
            {"unique_id": f"s{number}", "ds": pd.date_range("2024-01-01", periods=80, freq="h")}
        )
        rows["y"] = 5 + number + np.sin(hours * np.pi / 12)
        rows.to_parquet(path / "sales" / f"{number}.parquet", index=False)
    return path


@pytest.fixture
def run_here(run, monkeypatch, folder):
    """Run a command in the folder."""
    monkeypatch.chdir(folder)
    return run


QUICK = ("--preset", "classic", "--epochs", "1", "--units", "4", "--quiet", "--seed", "0")


def test_from_a_folder_to_forecasts(run_here, folder):
    assert run_here("fit", "sales", "-H", "4", "-o", "m.seqcast", *QUICK)[0] == 0
    code, out, err = run_here("predict", "m.seqcast", "sales", "-o", "forecasts")
    assert (code, err) == (0, "")
    assert out == "Wrote forecasts, 1 Parquet file\n"
    written = pd.read_parquet(folder / "forecasts")
    assert written["unique_id"].nunique() == 4
    assert len(written) == 16
    assert (
        run_here(
            "predict", "m.seqcast", "sales/*.parquet", "-o", "f.parquet", "--memory-limit", "64 MiB"
        )[0]
        == 0
    )
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "f.parquet"), written)
    again = json.loads(run_here("predict", "m.seqcast", "sales", "-o", "forecasts", "--json")[1])
    assert again == {"folder": "forecasts", "files": 1}


def test_a_backtest_of_a_folder(run_here, folder):
    code, out, _ = run_here("backtest", "sales", "-H", "4", "-o", "scored", *QUICK)
    assert (code, out) == (0, "Wrote scored, 1 Parquet file\n")
    assert len(pd.read_parquet(folder / "scored")) == 16
    scores = json.loads(run_here("backtest", "sales", "-H", "4", "--json", *QUICK)[1])
    assert {row["metric"] for row in scores["scores"]} >= {"mae", "rmse"}


def test_errors_name_file_and_row_and_options(run_here, folder):
    (folder / "odd").mkdir(exist_ok=True)
    rows = pd.read_parquet(folder / "sales" / "0.parquet")
    rows.assign(y=rows["y"].where(rows.index != 3, np.inf)).to_parquet(
        folder / "odd" / "a.parquet", index=False
    )
    code, _, err = run_here("fit", "odd", "-H", "4", "-o", "n.seqcast", *QUICK)
    assert code == 1
    assert "odd/a.parquet, column 'y', row 4 (series 's0'): expected a finite number" in err
    assert not (folder / "n.seqcast").exists()
    for option, words in (
        (("--layout", "wide"), "--layout: expected none where sales is read piece by piece"),
        (("--mask", "sales/0.parquet"), "--mask: expected none where rows are read piece by piece"),
        (("--memory-limit", "much"), "--memory-limit: expected a size"),
    ):
        assert words in run_here("fit", "sales", "-H", "4", "-o", "n.seqcast", *option, *QUICK)[2]
    both = pd.concat(
        [rows.iloc[:5], pd.read_parquet(folder / "sales" / "1.parquet"), rows.iloc[5:]]
    )
    both.to_parquet(folder / "odd" / "a.parquet", index=False)
    assert (
        "seqcast partition odd -o FOLDER --id unique_id"
        in run_here("fit", "odd", "-H", "4", "-o", "n.seqcast")[2]
    )
    assert (
        "--figure: expected none"
        in run_here("backtest", "sales", "-H", "4", "--figure", "a.png", *QUICK)[2]
    )
    rows.to_csv(folder / "rows.csv", index=False)
    limited = ("--memory-limit", "1 GiB", *QUICK)
    assert (
        "seqcast partition"
        in run_here("fit", "rows.csv", "-H", "4", "-o", "n.seqcast", *limited)[2]
    )
    assert (
        "nothing.parquet"
        in run_here("fit", "nothing.parquet", "-H", "4", "-o", "n.seqcast", *QUICK)[2]
    )


def test_a_fit_of_a_folder_has_a_log(run_here, folder):
    arguments = (
        "-H",
        "4",
        "-o",
        "logged.seqcast",
        "--memory-limit",
        "64 MiB",
        "--log",
        "runs/log.jsonl",
        *QUICK,
    )
    assert run_here("fit", "sales", *arguments)[0] == 0
    assert [row["epoch"] for row in read_log(folder / "runs" / "log.jsonl")] == [1]
    code, _, err = run_here(
        "fit", "not there", "-H", "4", "-o", "same.csv", "--log", "same.csv", *QUICK
    )
    assert (code, "--log: expected a file of its own" in err) == (1, True)
