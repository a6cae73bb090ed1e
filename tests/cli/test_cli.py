"""The command line, as a stranger uses it: results, messages, exit codes, and what is left on the disk."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqcast.cli import main as cli
from seqcast.data.datasets import load
from seqcast.errors import DataError
from seqcast.forecaster.estimator import Forecaster
from seqcast.training.logs import read_log

SMALL = ("--units", "4", "--epochs", "1", "--seed", "0", "--quiet")
MODEL = ("seqcast", "seqcast-lo-80", "seqcast-hi-80", "seqcast-lo-95", "seqcast-hi-95")


def months(count=60, start="2020-01", **columns):
    stamps = pd.date_range(start, periods=count, freq="MS")
    return pd.DataFrame({"ds": stamps, "y": 10 + np.sin(np.arange(count)), **columns})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A small model of one series, `sales`, as `seqcast fit` writes it."""
    folder = tmp_path_factory.mktemp("fitted")
    months().to_csv(folder / "sales.csv", index=False)
    arguments = [
        "seqcast",
        "fit",
        str(folder / "sales.csv"),
        "-H",
        "3",
        "-o",
        str(folder / "sales.seqcast"),
        *SMALL,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ending:
            cli.main()
    assert not ending.value.code
    return folder


def document(run, *arguments):
    """Run a command with `--json` and return what it printed, which is one JSON document and nothing else."""
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.filterwarnings("default::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_that_a_forecast_only_repeats_is_a_line_of_ours(run, tmp_path):
    days = pd.date_range("2024-01-01", periods=40)
    pd.DataFrame({"ds": days, "y": 10.0 + np.arange(40) % 7}).to_csv(
        tmp_path / "weeks.csv", index=False
    )
    code, _, told = run(
        "fit", "weeks.csv", "-H", "7", "-o", "m.seqcast", "--epochs", "1", "--seed", "0", "--quiet"
    )
    assert code == 0
    assert (
        "Note: forecasts repeat the last season of 7, because on the validation rows it erred least"
        in told
    )
    assert "Warning" not in told
    _, forecast, _ = run("predict", "m.seqcast")
    values = [float(line.split(",")[2]) for line in forecast.split()[1:]]
    assert values == pytest.approx([15, 16, 10, 11, 12, 13, 14])


def test_a_picture_that_cannot_be_drawn_does_not_cost_the_table(run, fitted, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise DataError(column="y", expected="something to draw", received="nothing")

    monkeypatch.setattr("seqcast.plots.forecast_frame", fail)
    command = (
        "backtest",
        fitted / "sales.csv",
        "-H",
        3,
        *SMALL,
        "-o",
        "b.csv",
        "--figure",
        "b.png",
    )
    code, _, err = run(*command)
    assert code == 1
    assert "y: expected something to draw, received nothing. Already written: b.csv" in err
    assert os.listdir(tmp_path) == ["b.csv"]
    (tmp_path / "b.csv").unlink()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run(*command)[0] == 0
    assert sorted(os.listdir(tmp_path)) == ["b.csv", "b.png"]


def test_describe_says_what_is_in_a_file(run, tmp_path):
    (tmp_path / "sales.csv").write_text(
        "shop;day;sold\n"
        + "".join(f"a;{day:02}.01.2024;{1000 + day},5\n" for day in range(1, 29) if day != 9)
    )
    names = ("--id", "shop", "--time", "day", "--value", "sold")
    code, out, err = run("describe", "sales.csv", *names, "--figure", "sales.png")
    assert code == 0
    assert err.startswith(
        "Read sales.csv: semicolons between columns, decimal comma, dates with the day first "
    )
    lines = out.splitlines()
    assert lines[0] == "1 series, 27 rows, 27 in all"
    assert "time      2024-01-01 to 2024-01-28" in lines
    assert "gaps      1 missing step, 0 missing values" in lines
    assert (tmp_path / "sales.png").read_bytes().startswith(b"\x89PNG")
    assert "A fit would take" in run("describe", "sales.csv", *names, "--horizon", "3")[1]
    assert document(run, "describe", "sales.csv", *names)["series"][0]["missing_steps"] == 1


def test_doctor_says_what_it_runs_on(run, monkeypatch):
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert "compiled programs" in out
    assert "intact" in out
    assert document(run, "doctor")["packages"]["keras"]
    monkeypatch.setattr("seqcast.pretrained.pretrained_network.SHA256", "another")
    monkeypatch.setattr(
        "seqcast.runtime.environment.metadata.requires", lambda name: ["nothing-of-this-name>=1"]
    )
    code, out, err = run("doctor", "--json")
    assert code == 1
    assert "Problem: nothing-of-this-name is not installed" in err
    assert "Problem: the weights of the pretrained network are damaged" in err
    assert len(json.loads(out)["problems"]) == 2


def test_a_model_goes_on_and_is_explained(run, tmp_path):
    rows = months(count=70, price=np.random.default_rng(0).normal(size=70))
    rows.iloc[:60].to_csv(tmp_path / "sales.csv", index=False)
    rows.iloc[60:].to_csv(tmp_path / "newer.csv", index=False)
    assert run("fit", "sales.csv", "-H", 2, "-o", "m.seqcast", "--past", "price", *SMALL)[0] == 0
    assert run("update", "m.seqcast", "newer.csv")[:2] == (0, "Wrote m.seqcast\n")
    _, out, _ = run("predict", "m.seqcast")
    assert [line.split(",")[1] for line in out.split()[1:]] == ["2025-11-01", "2025-12-01"]
    assert run("fit", "sales.csv", "-H", 2, "-o", "m.seqcast", "--past", "price", *SMALL)[0] == 0
    out = run("explain", "m.seqcast", "newer.csv", "--repeats", 3, "--figure", "c.png")[1]
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert (out.startswith("MAE "), "price" in out) == (True, True)
    assert document(run, "explain", "m.seqcast", "newer.csv")[0]["covariate"] == "price"
    code, _, told = run(
        "finetune",
        "m.seqcast",
        "newer.csv",
        "-o",
        "t.seqcast",
        "--epochs",
        1,
        "--freeze",
        "encoder",
    )
    assert code == 0, told
    before = Forecaster.load("m.seqcast")
    after = Forecaster.load("t.seqcast")
    assert after.engine_.training.learning_rate == pytest.approx(
        before.engine_.training.learning_rate / 10
    )
    assert after.series_state_.last_seen[0] == pd.Timestamp("2025-10-01")
    assert (
        "another file than those that are read"
        in run("update", "m.seqcast", "newer.csv", "-o", "newer.csv")[2]
    )


def test_a_training_is_written_and_goes_on(run, tmp_path):
    months().to_csv(tmp_path / "sales.csv", index=False)
    fit = ("fit", "sales.csv", "-H", 3, "--units", "4", "--epochs", 2, "--quiet")
    assert run(*fit, "-o", "m.seqcast", "--checkpoint", "runs/sales")[0] == 0
    assert list((tmp_path / "runs" / "sales" / "network-1").glob("*.checkpoint"))
    _, _, err = run(*fit, "-o", "n.seqcast", "--checkpoint", "runs/sales")
    assert "--checkpoint: expected a folder without a training, or --resume" in err
    # The seed was drawn, and goes on too.
    assert run(*fit, "-o", "n.seqcast", "--checkpoint", "runs/sales", "--resume")[0] == 0
    assert run("predict", "n.seqcast")[1] == run("predict", "m.seqcast")[1]
    other = run(
        *fit, "-o", "n.seqcast", "--checkpoint", "runs/sales", "--resume", "--scale", "minmax"
    )[2]
    assert "--resume: expected a checkpoint of this training" in other
    assert (
        "--resume: expected False without checkpoint" in run(*fit, "-o", "n.seqcast", "--resume")[2]
    )
    backtest = ("backtest", "sales.csv", "-H", 3, *SMALL)
    assert (
        run(*backtest, "--checkpoint", "runs/test")[1]
        == run(*backtest, "--checkpoint", "runs/test", "--resume")[1]
    )


def test_a_training_has_a_log(run, tmp_path):
    months().to_csv(tmp_path / "sales.csv", index=False)
    fit = (
        "fit",
        "sales.csv",
        "-H",
        3,
        "--preset",
        "classic",
        "--epochs",
        2,
        *SMALL[:2],
        "--quiet",
        "-o",
        "m.seqcast",
    )
    assert run(*fit, "--log", "runs/log.csv")[0] == 0
    assert [row["epoch"] for row in read_log(tmp_path / "runs" / "log.csv")] == [1, 2]
    assert "log.txt, suffix" in run(*fit, "--log", "log.txt", "--force")[2]
    assert "expected a log of training, or no file" in run(*fit, "--log", "sales.csv", "--force")[2]
    assert (
        "--log: expected none with --ray"
        in run(*fit, "--log", "log.csv", "--ray", "local", "--force")[2]
    )
    assert (tmp_path / "sales.csv").read_text().startswith("ds,y")


def test_wide_files_have_wide_forecasts(run, tmp_path):
    wide = months(count=60, south=np.arange(60.0)).rename(columns={"y": "north"})
    wide.to_csv(tmp_path / "wide.csv", index=False)
    assert run("fit", "wide.csv", "-H", 2, "-o", "m.seqcast", "--layout", "wide", *SMALL)[0] == 0
    assert run("predict", "m.seqcast", "wide.csv", "--layout", "wide", "-o", "f.csv")[0] == 0
    assert run("plot", "wide.csv", "f.csv", "-o", "f.png")[0] == 0
    found = pd.read_csv(tmp_path / "f.csv")
    bounds = ("", "-lo-80", "-hi-80", "-lo-95", "-hi-95")
    assert list(found.columns) == [
        "ds",
        *(f"{name}{bound}" for bound in bounds for name in ("north", "south")),
    ]
    assert list(found["ds"]) == ["2025-01-01", "2025-02-01"]
    assert run("predict", "m.seqcast", "-o", "long.csv")[0] == 0
    long = pd.read_csv(tmp_path / "long.csv").set_index("unique_id")
    np.testing.assert_array_equal(found["south-hi-95"], long.loc["south", "seqcast-hi-95"])
    again = (("f.csv",), ("wide.csv",), ("wide.csv", "--force"))
    assert [
        run("predict", "m.seqcast", "--layout", "wide", "-o", *given)[0] for given in again
    ] == [0, 1, 0]
    assert (
        "--samples: expected none with --layout wide"
        in run("predict", "m.seqcast", "--layout", "wide", "--samples", 3)[2]
    )


def test_unusual_rows_are_listed_and_left_out(run, tmp_path):
    rows = months(count=120, shop="main_street").rename(columns={"ds": "day"})
    rows["y"] += 0.1 * np.random.default_rng(0).normal(size=120)
    rows.to_csv(tmp_path / "sales.csv", index=False)
    rows.loc[100, "y"] = 40.0
    rows.to_csv(tmp_path / "unusual.csv", index=False)
    names = ("--id", "shop", "--time", "day")
    assert run("fit", "sales.csv", "-H", 3, "-o", "m.seqcast", *names, *SMALL)[0] == 0
    code, out, err = run(
        "anomalies",
        "m.seqcast",
        "unusual.csv",
        "-o",
        "scored.csv",
        "--figure",
        "u.png",
        "--most",
        1,
    )
    assert code == 0, err
    assert re.match(
        r"\d+ of \d+ rows, \d+ of which were trained on, lie outside their 99 % interval\.\n", out
    )
    assert re.search(r"main_street +│ 2028-05-01 +│ +40 │", out)
    assert out.count("main_street") == 1
    assert out.endswith("Wrote scored.csv\nWrote u.png\n")
    assert (tmp_path / "u.png").read_bytes().startswith(b"\x89PNG")
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["y"][scored["score"].idxmax()] == 40.0
    assert (
        run("anomalies", "m.seqcast", "unusual.csv", "-o", "-")[1]
        == (tmp_path / "scored.csv").read_text()
    )
    found = document(run, "anomalies", "m.seqcast", "unusual.csv", "--level", 95, "--most", 1)
    assert found["rows"] >= found["unusual"] >= 1
    assert [row["day"][:10] for row in found["most_unusual"]] == ["2028-05-01"]
    assert (
        run(
            "fit",
            "unusual.csv",
            "-H",
            3,
            "-o",
            "clean.seqcast",
            "--mask",
            "scored.csv",
            *names,
            *SMALL,
        )[0]
        == 0
    )
    # Of the values that are left there is none like it.
    last = Forecaster.load("clean.seqcast").series_state_.frame.targets
    assert np.nanmax(last) < 13
    months(count=3, start="1999-01", shop="main_street").rename(columns={"ds": "day"}).to_csv(
        "other.csv", index=False
    )
    _, _, err = run(
        "fit", "sales.csv", "-H", 3, "-o", "x.seqcast", "--mask", "other.csv", *names, *SMALL
    )
    assert "other.csv: expected rows of df, received 3 rows, none of which" in err


@pytest.mark.parametrize(
    "command", [info.name or info.callback.__name__ for info in cli.app.registered_commands]
)
def test_help_has_an_example_on_its_own_line(run, command):
    out = run(command, "--help")[1]
    assert re.search(rf"^ +seqcast {command} [^│]*$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_version_help_and_no_arguments(run):
    assert re.fullmatch(r"seqcast \d+\.\d+\.\S+\n", run("--version")[1])
    code, out, err = run()
    assert (code, "backtest" in out + err) == (2, True)
    out = run("--help")[1]
    assert "130 interrupted" in re.sub(r"[\s│]+", " ", out)
    assert "--install-completion" in out


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_fit_and_predict(run, tmp_path, suffix):
    panel = pd.concat([months(shop="b"), months(shop="a")]).rename(
        columns={"ds": "day", "y": "sold"}
    )
    panel.to_csv("sales.csv", index=False) if suffix == "csv" else panel.to_parquet("sales.parquet")
    names = ("--id", "shop", "--time", "day", "--value", "sold")
    code, out, err = run("fit", f"sales.{suffix}", "-H", 3, *names, "-o", "m.seqcast", *SMALL)
    assert (code, out, err) == (0, "Wrote m.seqcast\n", "")
    code, out, err = run("predict", "m.seqcast", "-H", 2, "-o", f"forecast.{suffix}")
    assert (code, out, err) == (0, f"Wrote forecast.{suffix}\n", "")
    read = {"csv": partial(pd.read_csv, float_precision="round_trip"), "parquet": pd.read_parquet}[
        suffix
    ]
    forecast = read(f"forecast.{suffix}")
    assert list(forecast.columns) == ["shop", "day", *MODEL]
    assert forecast["shop"].tolist() == ["a", "a", "b", "b"]
    assert [str(day)[:10] for day in forecast["day"]] == ["2025-01-01", "2025-02-01"] * 2
    np.testing.assert_array_equal(
        forecast["seqcast"], Forecaster.load("m.seqcast").predict(2)["seqcast"]
    )
    assert run("plot", f"sales.{suffix}", f"forecast.{suffix}", *names, "-o", "p.png")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"sales.{suffix}",
        "m.seqcast",
        f"forecast.{suffix}",
        "p.png",
    }


@pytest.mark.processes
def test_standard_output_is_the_forecast_and_nothing_else(fitted):
    done = subprocess.run(
        _command("predict", fitted / "sales.seqcast"), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header == ",".join(["unique_id", "ds", *MODEL])
    assert [row.split(",")[:2] for row in rows] == [
        ["sales", f"2025-0{month}-01"] for month in (1, 2, 3)
    ]


def test_progress_does_not_go_to_standard_output_and_newer_rows_go_on_with_the_only_series(
    run, fitted
):
    _, out, err = run(
        "fit", fitted / "sales.csv", "-H", 3, "-o", "m.seqcast", "--units", 4, "--epochs", 1
    )
    assert "epoch 1/1 loss" in err
    assert re.fullmatch(r"seqcast: 1 series, freq 'MS' \(inferred\), .*\nWrote m.seqcast\n", out)
    months(2, "2025-01").to_csv("newer.csv", index=False)
    code, out, _ = run("predict", "m.seqcast", "newer.csv", "-H", 1)
    assert (code, out.splitlines()[1].startswith("sales,2025-03-01,")) == (0, True)


def test_backtest(run, tmp_path):
    months()[::-1].to_csv("sales.csv", index=False)
    arguments = ("--n-windows", 2, "-o", "b.csv", "--figure", "b.png", *SMALL)
    code, out, err = run("backtest", "sales.csv", "-H", 3, *arguments)
    assert (code, err) == (0, "Read sales.csv: rows sorted by time ")
    assert "Backtest from 2 cutoffs, 3 steps each" in out
    assert re.search(r"MASE *│ +[\d.]+ │ +[\d.]+ │ +[\d.]+ │", out)
    assert max(map(len, out.splitlines())) <= 80
    table = pd.read_csv("b.csv")
    assert list(table.columns) == [
        "unique_id",
        "ds",
        "cutoff",
        "step",
        "y",
        *MODEL,
        "seasonal_naive",
        "last_value",
    ]
    assert len(table) == 6
    np.testing.assert_allclose(table["y"], months()["y"][-6:])
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    assert run("plot", "sales.csv", "b.csv", "-o", "again.svg")[:2] == (0, "Wrote again.svg\n")


def test_covariates_and_a_file_of_the_steps_ahead(run):
    panel = pd.concat(
        [months(unique_id=name, price=np.arange(60) % 5, region=name * 2) for name in "ab"]
    )
    panel.to_csv("sales.csv", index=False)
    options = (
        "--static",
        "region",
        "--future",
        "price",
        "--scale",
        "robust",
        "--calendar",
        "month_of_year",
    )
    code, out, err = run("fit", "sales.csv", "-H", 3, "-o", "m.seqcast", *options, *SMALL)
    assert (code, out, err) == (0, "Wrote m.seqcast\n", "")
    ahead = pd.concat(
        [months(3, "2025-01", unique_id=name, price=1).drop(columns="y") for name in "ab"]
    )
    ahead.to_csv("ahead.csv", index=False)
    assert len(run("predict", "m.seqcast", "--future-file", "ahead.csv")[1].splitlines()) == 7
    ahead.iloc[:4].to_csv("ahead.csv", index=False)
    _, _, err = run("predict", "m.seqcast", "--future-file", "ahead.csv")
    assert (
        "ahead.csv (series 'b'): expected a row for each of the 3 steps ahead, received none for 2025-02-01"
        in err
    )


def test_the_only_series_goes_on_in_a_file_of_any_name(run):
    months(price=np.arange(60) % 5).to_csv("known.csv", index=False)
    months(3, "2025-01", price=1).drop(columns="y").to_csv("ahead.csv", index=False)
    read = ("--future", "price", "--future-file", "ahead.csv")
    code, out, err = run("forecast", "known.csv", "-H", 3, "--effort", "quick", "--quiet", *read)
    assert (code, err) == (0, "")
    assert [line.split(",")[0] for line in out.splitlines()] == [
        "unique_id",
        "known",
        "known",
        "known",
    ]


def test_planned_rows_are_the_steps_ahead(run):
    known = months(price=np.arange(60) % 5)
    ahead = months(3, "2025-01", price=1)
    known.to_csv("known.csv", index=False)
    ahead.to_csv("ahead.csv", index=False)
    pd.concat([known, ahead.assign(y=np.nan)]).to_csv("sales.csv", index=False)
    read = ("-H", 3, "--effort", "quick", "--seed", 0, "--future", "price")
    together = run("forecast", "sales.csv", *read)
    assert "without 3 rows after the last value" in together[2]
    apart = run("forecast", "known.csv", *read, "--future-file", "ahead.csv")
    assert together[1].replace("sales", "known") == apart[1]
    assert (
        "--future-file: expected a frame of the steps ahead"
        in run("forecast", "known.csv", *read)[2]
    )
    assert run("fit", "known.csv", *read, "-o", "m.seqcast")[0] == 0
    assert (
        run("report", "m.seqcast", "sales.csv", "--n-windows", 0)[0] == 0
    )  # which needs a forecast
    assert "No forecast" not in Path("report.html").read_text()


def test_a_model_remembers_what_stands_for_a_missing_value(run):
    sales = months(64, price=np.arange(64) % 5, unique_id="shop").astype({"y": object})
    sales.loc[[3, 61, 63], "y"] = "closed"
    sales.loc[60, "price"] = -9999
    sales.iloc[:60].to_csv("known.csv", index=False)
    sales.iloc[60:63].to_csv("newer.csv", index=False)
    sales.iloc[[62, 63]].assign(ds=["2025-04-01", "2025-05-01"], y=["closed", 9]).to_csv(
        "spring.csv", index=False
    )
    ahead = months(3, "2025-04", price=[1, -9999, 2], unique_id="shop").drop(columns="y")
    ahead.to_csv("ahead.csv", index=False)
    ahead.assign(price=[1, np.nan, 2]).to_csv("unknown.csv", index=False)
    missing = ("--missing-values", "closed,-9999")
    options = ("-H", 3, "--effort", "quick", "--seed", 0, "--future", "price", *missing)
    assert run("fit", "known.csv", *options, "-o", "m.seqcast")[0] == 0
    predict = ("predict", "m.seqcast", "newer.csv", "--future-file")
    code, remembered, err = run(*predict, "ahead.csv")
    assert code == 0, err
    assert "Read newer.csv: 'closed', '-9999' for missing values" in err
    for same in (("ahead.csv", *missing), ("unknown.csv",)):
        assert run(*predict, *same)[1] == remembered
    for given in ("-9999", ""):  # an option wins over what the model remembers
        assert (
            "received 'closed' in 1 row" in run(*predict, "ahead.csv", "--missing-values", given)[2]
        )
    known = Forecaster.load("m.seqcast").predict(
        df="newer.csv", future=pd.read_csv("unknown.csv", parse_dates=["ds"])
    )
    np.testing.assert_allclose(
        known["seqcast"], pd.read_csv(io.StringIO(remembered))["seqcast"], rtol=1e-6
    )
    for newer in ("newer.csv", "spring.csv"):
        assert run("update", "m.seqcast", newer)[0] == 0
    rows = Forecaster.load("m.seqcast").series_state_.frame.targets[-5:, 0]
    assert np.isnan(rows).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("command", ["forecast", "predict", "report"])
def test_the_known_future_is_a_file_in_an_option_of_one_name(run, command):
    assert "--future-file" in run(command, "--help")[1]
    assert ("--future " in run(command, "--help")[1]) == (command == "forecast")


def test_a_forecast_of_other_series_is_not_drawn(run):
    months(unique_id="a").to_csv("a.csv", index=False)
    months(3, unique_id="b").rename(columns={"y": "seqcast"}).to_csv("forecast.csv", index=False)
    _, _, err = run("plot", "a.csv", "forecast.csv")
    assert (
        "forecast.csv, column 'unique_id': expected series of a.csv, such as 'a', received 'b'."
        in err
    )


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("option", ["horizon", "samples", "total"])
def test_numbers_of_many_digits_are_rejected(run, fitted, option, digits):
    code, _, err = run("predict", fitted / "sales.seqcast", f"--{option}", "9" * digits)
    assert code in (1, 2)
    assert re.search(f"--{option}.*: expected a (whole )?number", err)


def test_levels_and_samples(run, fitted):
    assert run("predict", fitted / "sales.seqcast", "--level", 95)[1].startswith(
        "unique_id,ds,seqcast,seqcast-lo-95,"
    )
    code, out, _ = run("predict", fitted / "sales.seqcast", "--samples", 5)
    assert (code, out.splitlines()[0], len(out.splitlines())) == (
        0,
        "unique_id,ds,sample,seqcast",
        16,
    )
    _, _, err = run("predict", fitted / "sales.seqcast", "--level", 90)
    assert "level: expected levels that it has: 80, 95, received 90" in err
    options = ("--level", "50", "--preset", "segment", "--epochs", 1, "--quiet", "--calibrate")
    assert run("fit", fitted / "sales.csv", "-H", 6, "-o", "s.seqcast", *options)[0] == 0
    model = Forecaster.load("s.seqcast")
    assert (model.level, model.engine_.network.segment, len(model.calibrations_)) == ((50.0,), 6, 1)
    assert (
        run("fit", fitted / "sales.csv", "-H", 3, "-o", "p.seqcast", *SMALL, "--level", "")[0] == 0
    )
    assert run("predict", "p.seqcast")[1].startswith("unique_id,ds,seqcast\n")


def test_report(run, fitted, tmp_path):
    command = ("report", fitted / "sales.seqcast", fitted / "sales.csv", "--n-windows", 1)
    assert run(*command, "-o", "r.html")[:2] == (0, "Wrote r.html\n")
    assert "Accuracy in the backtest" in (tmp_path / "r.html").read_text("utf-8")
    assert "'html'" in run(*command, "-o", "r.pdf")[2]


def test_members_and_refits(run):
    months().to_csv("sales.csv", index=False)
    assert run("fit", "sales.csv", "-H", 3, "--members", 2, "-o", "m.seqcast", *SMALL)[:2] == (
        0,
        "Wrote m.seqcast\n",
    )
    assert len(Forecaster.load("m.seqcast").engines_) == 2
    backtest = ("backtest", "sales.csv", "-H", 3, "--n-windows", 2, *SMALL)
    tables = [
        pd.read_csv(io.StringIO(run(*backtest, *refit, "-o", "-")[1]))
        for refit in ((), ("--refit", 1))
    ]
    once, refitted = (table["seqcast"] for table in tables)
    np.testing.assert_allclose(once[:3], refitted[:3], rtol=1e-6)  # in batches of other sizes
    assert np.abs(once[3:] - refitted[3:]).max() > 0
    assert run(*backtest, "--refit", 0)[0] == 2


FILES = {
    "good.csv": "ds,y\n" + "".join(f"2020-01-{day:02},{day}\n" for day in range(1, 21)),
    "binary.parquet": b"\x93\x00\xff",
    "binary.seqcast": b"\x93\x00\xff",
    "semicolons.csv": "ds;y\n2020-01-01;1\n",
    "short.csv": "ds,y\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n",
    "notes.doc": "ds,y\n",
}
FIT = "fit {} -H 2 -o m.seqcast"
WRONG = [
    (
        FIT.format("."),
        ".: expected Parquet files, received Error creating dataset. Could not read schema from 'binary",
    ),
    (FIT.format("notes.doc"), "notes.doc, suffix: expected one of 'csv', 'tsv', 'txt', 'jsonl',"),
    (
        FIT.format("binary.parquet"),
        "binary.parquet: expected a table in Parquet, received something else",
    ),
    (
        FIT.format("semicolons.csv") + " --sep ,",
        "semicolons.csv: expected a column 'y', received the columns 'ds;y'.",
    ),
    (
        "fit short.csv -H 3 --preset classic -o m.seqcast",
        "(series 'short'): expected at least 1 + 3 rows, one to read",
    ),
    (FIT.format("good.csv --time dds"), "Did you mean 'ds'? Name yours with --time ds"),
    (
        FIT.format("good.csv --cell grru"),
        "--cell: expected one of 'gru', 'lstm', 'simple_rnn', received 'grru'. Did",
    ),
    (
        FIT.format("good.csv --units 3,x"),
        "--units: expected whole numbers with commas, as 35,35, received '3,x'.",
    ),
    (
        FIT.format("good.csv --future price"),
        "good.csv: expected a column 'price', received the columns",
    ),
    *[
        (
            FIT.format(f"good.csv --{name} {'9' * 400}"),
            f"--{name}: expected a whole number from 1 to {most}, received",
        )
        for name, most in {
            "season-length": 10**9,
            "context-length": 2**31 - 1,
            "members": 2**31 - 1,
        }.items()
    ],
    (
        f"describe good.csv --members {'9' * 400}",
        "--members: expected a whole number from 1 to 2147483647",
    ),
    (
        f"backtest good.csv -H 2 --n-windows {'9' * 400}",
        "--n-windows: expected a whole number from 1 to 2147483647",
    ),
    (FIT.format("good.csv --units 0"), "--units: expected a whole number >= 1, received 0."),
    (
        FIT.format("good.csv --learning-rate x"),
        "'--learning-rate': expected a number, received 'x'.",
    ),
    (
        "fit good.csv -H 0 -o m.seqcast",
        "'--horizon' / '-H': expected a whole number, at least 1, received '0'.",
    ),
    (
        "fit good.csv -H 1 -o none/m.seqcast",
        "none/m.seqcast: expected a file in a folder to write to, received no fol",
    ),
    ("fit good.csv -H 1 -o .", ".: expected a file in a folder to write to, received a folder."),
    ("predict binary.seqcast", "binary.seqcast: expected a model saved by seqcast"),
    (
        "forecast good.csv -H 2 -o x.xls",
        "x.xls, suffix: expected one of 'csv', 'parquet', received 'xls'.",
    ),
    (
        "backtest good.csv -H 1 --n-windows 30",
        "--n-windows: expected cutoffs inside the longest series",
    ),
    (
        "backtest good.csv -H 1 --figure p.jpeg",
        "p.jpeg, suffix: expected one of 'pdf', 'png', 'svg', received 'jpeg'.",
    ),
    ("plot good.csv good.csv", "good.csv: expected a column of forecasts"),
    ("forecast good.csv -H 3 --level 0.8", "Levels are per cent: 80, not 0.8."),
    ("demo -o good.csv", "good.csv: expected a folder to write to, received a file."),
    ("predct m.seqcast", "No such command 'predct'. Did you mean 'predict'?"),
    (
        "fit good.csv --horizn 2",
        "No such option: --horizn (Possible options: --checkpoint, --horizon)",
    ),
]


@pytest.mark.parametrize(
    ("line", "message"), WRONG, ids=[f"{line}-{n}" for n, (line, _) in enumerate(WRONG)]
)
def test_wrong_input(run, tmp_path, line, message):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = run(*line.split())
    assert message in err
    assert code in (1, 2)
    assert out == ""
    assert {path.name for path in tmp_path.iterdir()} == {*FILES}


def _command(*arguments, first=""):
    """Return a command line in a new interpreter that runs something else first."""
    code = (
        f"{first}\nimport sys\nfrom seqcast.cli.main import main\nsys.argv[0] = 'seqcast'\nmain()"
    )
    return [sys.executable, "-u", "-c", code, *map(str, arguments)]


SMALL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
"""
# A job in the background would not hear Ctrl-C.
INTERACTIVE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"


@pytest.mark.processes
def test_a_full_disk_leaves_the_old_file(fitted, tmp_path):
    target = tmp_path / "m.seqcast"
    target.write_bytes(b"old")
    command = _command(
        "fit", fitted / "sales.csv", "-H", 3, "-o", target, "--force", *SMALL, first=SMALL_DISK
    )
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "m.seqcast: expected a folder to write to, with room, received File too large."
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.processes
def test_a_full_standard_output(fitted):
    with open("/dev/full", "w") as full:
        command = _command("predict", fitted / "sales.seqcast")
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(
        "Error: standard output: expected room for the result, received No space left"
    )


def _interrupt(*arguments, at):
    """Run a command and press Ctrl-C when it has written a line that begins so."""
    lines = []
    command = _command(*arguments, first=INTERACTIVE)
    environment = {
        **os.environ,
        "SEQCAST_CACHE_DIR": "",
    }  # others read that folder: leave no half of an entry in it
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        for line in process.stdout:
            lines.append(line)
            if line.startswith(at):
                process.send_signal(signal.SIGINT)
                at = "\0"
    return process.returncode, lines


@pytest.mark.processes
def test_ctrl_c_keeps_the_best_weights_so_far(tmp_path):
    load("co2").to_csv(tmp_path / "co2.csv", index=False)
    target = tmp_path / "m.seqcast"
    options = ("--units", "8", "--epochs", "9999", "--learning-rate", "1e-9", "--seed", "0")
    code, lines = _interrupt(
        "fit", tmp_path / "co2.csv", "-H", 26, "-o", target, *options, at="epoch    1/9999"
    )
    assert (code, lines[-1]) == (0, f"Wrote {target}\n"), lines
    assert re.fullmatch(
        r"Interrupted; saved the best weights so far, those of epoch \d+\.\n", lines[-2]
    )
    loaded = Forecaster.load(target)
    assert loaded.history_.interrupted
    assert len(loaded.history_) < 9
    assert np.isfinite(loaded.predict(1)["seqcast"]).all()


def test_the_pretrained_network_forecasts_at_once(run, tmp_path):
    season = 10 + 3 * np.sin(2 * np.pi * np.arange(12) / 12)
    months().assign(y=np.tile(season, 5)).to_csv(tmp_path / "sales.csv", index=False)
    command = ("fit", "sales.csv", "-H", 12, "-o", "m.seqcast", "--preset", "pretrained", "--quiet")
    assert run(*command)[:2] == (0, "Wrote m.seqcast\n")
    _, forecast, _ = run("predict", "m.seqcast", "--level", "50,98")
    rows = [line.split(",") for line in forecast.split()]
    assert rows[0][2:] == [
        "seqcast",
        "seqcast-lo-50",
        "seqcast-hi-50",
        "seqcast-lo-98",
        "seqcast-hi-98",
    ]
    np.testing.assert_allclose([float(row[2]) for row in rows[1:]], season, atol=0.7)
    assert (
        "Error: --units: expected none with the pretrained"
        in run(*command, "--units", 8, "--force")[2]
    )


def test_a_training_that_diverges_keeps_the_weights_before_it(run, tmp_path):
    months().to_csv(tmp_path / "sales.csv", index=False)
    options = ("--units", 4, "--epochs", 40, "--seed", 0, "--preset", "classic", "--quiet")
    code, out, told = run(
        "fit", "sales.csv", "-H", 3, "-o", "m.seqcast", "--learning-rate", 1e10, *options
    )
    assert (code, out) == (1, "")
    assert (
        "Wrote m.seqcast with the best weights so far, those of epoch 1, from before the training went wrong"
        in told
    )
    assert re.search(
        r"Error: training, epoch 2, batch \d+: expected a loss below 1e\+09 times that of", told
    )
    assert "No value of it stands out: lower --learning-rate." in told
    assert np.isfinite(Forecaster.load("m.seqcast").predict()["seqcast"]).all()


# ---------------------------------------------------------------- hostile files


def test_what_is_too_large_is_read_where_the_option_allows_it(run, fitted, tmp_path):
    (tmp_path / "wide.csv").write_text(
        ",".join(["ds", "y", *(f"c{place}" for place in range(25_000))]) + "\n1,2\n"
    )
    _, _, err = run("describe", "wide.csv")
    assert (
        "expected at most 20,000 columns, received 25,002. If you trust the file, allow more: --max-size 8GB"
        in err
    )
    assert run("predict", fitted / "sales.seqcast", "--max-size", "1GB")[0] == 0
    _, _, err = run("predict", fitted / "sales.seqcast", "--max-size", "1kB")
    assert re.search("expected at most 0.001 MB, received .*--max-size 8GB", err)


def test_ids_that_are_formulas(run, tmp_path):
    table = months(count=120)
    table.insert(0, "unique_id", "=1+1")
    table.to_csv("sales.csv", index=False)
    assert run("fit", "sales.csv", "-H", 3, "-o", "m.seqcast", *SMALL)[0] == 0
    assert run("predict", "m.seqcast", "-o", "plain.csv")[0] == 0
    assert run("predict", "m.seqcast", "-o", "safe.csv", "--safe-formulas")[0] == 0
    plain, safe = (pd.read_csv(name) for name in ("plain.csv", "safe.csv"))
    assert set(plain["unique_id"]) == {"=1+1"}
    assert set(safe["unique_id"]) == {"'=1+1"}
    pd.testing.assert_frame_equal(plain.drop(columns="unique_id"), safe.drop(columns="unique_id"))
    assert '"\'=1+1"' in run("anomalies", "m.seqcast", "sales.csv", "-o", "-", "--safe-formulas")[1]
    _, _, err = run("predict", "m.seqcast", "-o", "a.parquet", "--safe-formulas")
    assert (
        "--safe-formulas: expected a CSV file, received a.parquet, whose text is never a formula."
        in err
    )
    assert not (tmp_path / "a.parquet").exists()


def test_a_forecast_as_json_is_the_table(run, fitted, tmp_path):
    _, out, _ = run("predict", fitted / "sales.seqcast")
    table = pd.read_csv(io.StringIO(out))
    rows = document(run, "predict", fitted / "sales.seqcast")["forecast"]
    assert [row["ds"][:10] for row in rows] == list(table["ds"])
    assert [list(row) for row in rows] == [list(table.columns)] * len(table)
    np.testing.assert_allclose([row["seqcast"] for row in rows], table["seqcast"], rtol=1e-6)
    assert document(run, "predict", fitted / "sales.seqcast", "-o", "f.csv") == {"file": "f.csv"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "f.csv"), table)


def test_what_is_fitted_and_forecast_in_one_step_says_as_json_how_and_why(run, fitted, monkeypatch):
    found = document(
        run, "forecast", fitted / "sales.csv", "-H", 3, "--effort", "quick", "--seed", 0
    )
    assert len(found["forecast"]) == 3
    assert sum(found["choice"]["shares"].values()) == pytest.approx(1)
    assert found["season_length"] == 12
    # The same of what comes through a pipe.
    with open(fitted / "sales.csv") as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        piped = document(run, "forecast", "-", "-H", 3, "--effort", "quick", "--seed", 0)
    drop = [{name: row[name] for name in row if name != "unique_id"} for row in piped["forecast"]]
    assert drop == [
        {name: row[name] for name in row if name != "unique_id"} for row in found["forecast"]
    ]
    told = document(
        run, "fit", fitted / "sales.csv", "-H", 3, "-o", "m.seqcast", *SMALL[:-1]
    )  # which prints progress
    assert (told["file"], told["networks"], told["interrupted"]) == ("m.seqcast", 1, False)
    assert told["choice"]["shares"] == {"trained": 1.0}


def test_scores_as_json_are_those_of_the_table(run, fitted, tmp_path):
    command = ("backtest", fitted / "sales.csv", "-H", 3, "--n-windows", 2, *SMALL)
    found = document(run, *command, "-o", "b.csv", "--figure", "b.png")
    assert (found["n_windows"], found["horizon"], found["files"]) == (2, 3, ["b.csv", "b.png"])
    mae = next(row for row in found["scores"] if row["metric"] == "mae")
    forecasts = pd.read_csv(tmp_path / "b.csv")
    assert mae["seqcast"] == pytest.approx(
        (forecasts["seqcast"] - forecasts["y"]).abs().mean(), rel=1e-4
    )
    coverage = next(row for row in found["scores"] if row["metric"].startswith("coverage"))
    assert coverage["seasonal_naive"] is None  # which has no intervals
    # In place of the scores the forecasts can be printed, which are no JSON.
    _, out, _ = run(*command, "-o", "-")
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(out)), forecasts)
    assert (
        "--json: expected a file for the table, received -o -, which"
        in run(*command, "-o", "-", "--json")[2]
    )


COMPLETIONS = [("seqcast f", 1, {"fit", "finetune"}), ("seqcast predict --hor", 2, {"--horizon"})]


@pytest.mark.parametrize(("words", "place", "expected"), COMPLETIONS)
def test_a_shell_completes_commands_and_options(run, monkeypatch, words, place, expected):
    monkeypatch.setenv("_SEQCAST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(place))
    _, out, _ = run()
    assert expected <= set(out.split())
    assert all(word.startswith(words.split()[-1]) for word in out.split())
