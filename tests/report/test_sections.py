"""A report is one whole page with everything in it, whatever the data are called."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SaveError, SpecError
from seqcast.report import report

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def written(read_page, tmp_path):
    """Return a function that writes a report and reads it; `path` is another file's name."""

    def write(path="report.html", **options):
        report(tmp_path / path, title="Load", **options)
        return read_page((tmp_path / path).read_text("utf-8"))

    return write


def alts(page):
    return [attributes["alt"] for attributes in page.all("img")]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_all_parts(make_backtest, written, kind):
    history, backtest = make_backtest(series=3, cutoffs=6, kind=kind)
    ahead = (
        backtest.drop(columns=["y", "cutoff"]) if kind == "pandas" else backtest.drop("y", "cutoff")
    )
    ahead = ahead[-4:]
    page = written(
        history=history,
        forecast=ahead,
        backtest=backtest,
        model="good",
        metadata={"Settings": {"horizon": 4, "seed": 7}, "Training": {"epochs": 20}},
        learning={"loss": [1.0, 0.5], "val_loss": [1.2, 0.9]},
        importance=pd.DataFrame(
            {"covariate": ["price"], "importance": 0.3, "spread": 0.01, "error": 0.5}
        ),
        trained_horizon=4,
        unit="MW",
    )
    assert len(alts(page)) == 8
    for part, alt in zip(
        ("History and forecast by good", "Forecasts by good and seasonal naive", "Share of the truth", "by step",
         "by series", "Errors of good", "the most important is price", "Loss over 2 epochs"), alts(page), strict=True
    ):  # fmt: skip
        assert part in alt
    for expected in (
        "MASE",
        "coverage 80 %",
        "relative MAE",
        "Diebold-Mariano",
        "epochs 20",
        "horizon 4",
        "seed 7",
    ):
        assert expected in page.words
    assert "2024-01-01" in page.words
    assert "Forecasts of 3 series by good." in page.words
    assert [tag for tag, _ in page.tags].count("h2") == 8
    assert not [each for tag, each in page.tags if tag in ("script", "link", "iframe")]


def test_coverage_is_shown_by_step_and_by_series(written):
    stamps = np.tile(np.arange(6), 40)
    ids = np.repeat([f"s{place:02d}" for place in range(40)], 6)
    # The last two steps are outside in every series, and one series in five is outside at each
    # step.
    outside = (stamps >= 4) | (np.repeat(np.arange(40), 6) % 5 == 0)
    backtest = pd.DataFrame(
        {"unique_id": ids, "ds": stamps, "cutoff": -1, "y": 5.0 * outside, "model": 0.0}
    )
    backtest = backtest.assign(**{"model-lo-80": -1.0, "model-hi-80": 1.0})
    history = backtest[["unique_id", "ds", "y"]].assign(ds=stamps - 10)
    words = written(history=history, backtest=backtest, metrics=["mae"]).words
    for row in ("all 53.3 %", "first third of the steps 80 %", "last third of the steps 0 %"):
        assert row in words
    assert "a tenth of the series: at most 0 % half of the series: at most 66.7 %" in words
    known = backtest.assign(step=stamps + 1)[stamps >= 3]  # no truth of the first steps
    words = written("known", history=history, backtest=known, metrics=["mae"]).words
    assert "first third of the steps – last third of the steps 0 %" in words


def test_names_from_the_data_come_out_as_text(make_backtest, written):
    history, backtest = make_backtest(series=2, cutoffs=4)
    history, backtest = (df.replace({"s00": EVIL}) for df in (history, backtest))
    backtest.columns = [name.replace("good", EVIL) for name in backtest.columns]
    page = written(history=history, backtest=backtest, metadata={EVIL: {EVIL: EVIL}})
    assert "script" not in [tag for tag, _ in page.tags]
    assert "alert(1)" in page.words
    assert any(EVIL in alt for alt in alts(page))
    forecast = backtest.drop(columns=["y", "cutoff"])[-4:].assign(unique_id=EVIL)
    page = written(history=history, forecast=forecast)
    assert "script" not in [tag for tag, _ in page.tags]
    assert EVIL in alts(page)[0]


def test_a_forecast_alone(make_backtest, written):
    history, backtest = make_backtest(series=1)
    page = written(history=history, forecast=backtest[-4:][["unique_id", "ds", "good"]])
    assert len(alts(page)) == 1
    assert "A point forecast." in page.words


def test_the_same_page_from_the_same_frames(make_backtest, written, tmp_path):
    history, backtest = make_backtest(series=2)
    for name in ("one", "two"):
        written(name, history=history, backtest=backtest)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_cannot_be_told_is_said(make_backtest, written):
    history, backtest = make_backtest(series=1, cutoffs=1, gaps=True)
    page = written(history=history, backtest=backtest)
    assert "There are too few forecasts to test." in page.words
    assert "No forecast was given." in page.words
    alone = backtest[["unique_id", "ds", "cutoff", "y", "good"]]
    assert "only one model" in written(history=history, backtest=alone).words
    flat = history.assign(y=1.0)
    page = written(history=flat, backtest=backtest.assign(y=1.0, good=1.0))
    assert "–" in page.words


def test_metrics_are_chosen(make_backtest, written):
    history, backtest = make_backtest()
    page = written(history=history, backtest=backtest, metrics=["rmsse", "bias"], season_length=7)
    assert "relative RMSSE" in page.words


def test_nothing_is_written_when_something_is_wrong(make_backtest, tmp_path):
    history, backtest = make_backtest()
    path = tmp_path / "report.html"
    wrong = [
        ({}, SpecError, "forecast: expected a forecast or a backtest"),
        ({"backtest": backtest.drop(columns="y")}, DataError, "expected a column 'y'"),
        ({"backtest": backtest, "model": "goood"}, SpecError, "Did you mean 'good'"),
        ({"forecast": backtest, "model": "goood"}, SpecError, "Did you mean 'good'"),
        ({"backtest": backtest, "metrics": ["mea"]}, SpecError, "Did you mean 'm[as]e'"),
        ({"backtest": backtest, "max_series": 0}, SpecError, "max_series"),
        (
            {"backtest": backtest, "history": history.drop(columns="y")},
            DataError,
            "expected a column 'y'",
        ),
        (
            {"backtest": backtest.assign(ds=np.arange(len(backtest)))},
            DataError,
            "ds: expected stamps like",
        ),
    ]
    for options, error, message in wrong:
        with pytest.raises(error, match=message):
            report(path, **{"title": "t", "history": history, **options})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SaveError):
        report(tmp_path / "missing" / "r.html", title="t", history=history, backtest=backtest)


def test_targets(make_backtest, written):
    frames = make_backtest(series=1, cutoffs=4)
    history, backtest = (
        pd.concat([df.assign(target=name) for name in ("price", "volume")]) for df in frames
    )
    assert "series 2" in written(history=history, backtest=backtest).words
