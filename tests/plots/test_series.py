"""Frames of forecasts are drawn over their series."""

import datetime

import matplotlib.dates
import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import forecast_frame
from seqcast.specs.columns import Columns


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def history(ids=("a", "b"), stamps=None):
    stamps = pd.date_range("2024-01-01", periods=20) if stamps is None else stamps
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": stamps[:20], "y": np.arange(20.0) + i}) for i, name in enumerate(ids)]
    )


def forecasts(ids=("a", "b"), stamps=None, **columns):
    stamps = pd.date_range("2024-01-01", periods=25) if stamps is None else stamps
    columns = columns or {"seqcast": np.arange(5.0)}
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": stamps[20:], **columns}) for name in ids])


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_frames(convert):
    ahead = forecasts(seqcast=np.arange(5.0), **{"seqcast-lo-80": -1.0, "seqcast-hi-80": 6.0})
    figure = forecast_frame(convert(history().sample(frac=1, random_state=0)), convert(ahead))
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    drawn = lines(figure.axes[1])
    np.testing.assert_array_equal(drawn["past"].get_ydata(), np.arange(20.0) + 1)
    np.testing.assert_array_equal(drawn["seqcast"].get_ydata(), np.arange(5.0))
    stamps = np.asarray(drawn["seqcast"].get_xdata(), dtype="datetime64[D]")
    assert (str(stamps[0]), str(stamps[-1])) == ("2024-01-21", "2024-01-25")
    assert str(np.asarray(drawn["cutoff"].get_xdata()[:1], dtype="datetime64[D]")[0]) == "2024-01-20"
    assert legend(figure) == ["past", "seqcast", "seqcast, 80 % interval", "cutoff"]
    assert isinstance(figure.axes[0].xaxis.get_major_formatter(), matplotlib.dates.ConciseDateFormatter)


def test_frames_of_a_backtest():
    stamps = np.arange(20)
    ahead = pd.DataFrame(
        {"unique_id": 7, "ds": [12, 13, 14, 14, 15, 16], "cutoff": [11] * 3 + [13] * 3, "y": 0.0, "m": range(6)}
    ).assign(y=lambda rows: rows["ds"] * 1.0)
    figure = forecast_frame(history((7,), stamps), ahead, last=5)
    ax = figure.axes[0]
    np.testing.assert_array_equal(lines(ax)["past"].get_xdata(), np.arange(7, 20))
    np.testing.assert_array_equal(lines(ax)["truth"].get_ydata(), [12, 13, 14, 15, 16])
    assert [list(line.get_ydata()) for line in ax.lines if line.get_label() == "m"] == [[0, 1, 2], [3, 4, 5]]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_label() == "cutoff"] == [11, 13]


@pytest.mark.parametrize(
    "stamps",
    [
        pd.date_range("2024-03-30", periods=25, freq="h", tz="Europe/Paris"),
        np.array([datetime.date(2024, 1, 1) + datetime.timedelta(days) for days in range(25)], dtype=object),
        np.arange(25),
    ],
    ids=["zoned", "dates", "integers"],
)
def test_frames_of_other_stamps(stamps):
    figure = forecast_frame(history(stamps=stamps), forecasts(stamps=stamps))
    figure.canvas.draw()
    assert len(lines(figure.axes[0])["seqcast"].get_xdata()) == 5


def test_frames_of_many_series_and_models():
    ids = [f"series_{number}_{'x' * 80}" for number in range(12)]
    columns = Columns(unique_id="shop", ds="day", y="sales")
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    ahead = forecasts(ids, first=1.0, second=2.0, third=3.0).rename(columns=names)
    figure = forecast_frame(
        history(ids).rename(columns=names), ahead, columns=columns, models=["third", "first"], max_series=5
    )
    assert len(figure.axes) == 5
    assert figure.get_suptitle() == "5 of 12 series"
    assert legend(figure) == ["past", "third", "first", "cutoff"]
    figure.canvas.draw()


def test_frames_of_a_series_without_past():
    figure = forecast_frame(history(("a",)), forecasts(("new",)))
    assert len(lines(figure.axes[0])["past"].get_xdata()) == 0
    figure.canvas.draw()


WRONG = {
    "no frame": (lambda: forecast_frame([1], forecasts()), DataError, "df: expected a pandas or Polars data frame"),
    "lazy": (lambda: forecast_frame(pl.from_pandas(history()).lazy(), forecasts()), DataError, "df\\.collect\\(\\)"),
    "column": (
        lambda: forecast_frame(history().drop(columns="y"), forecasts()),
        DataError,
        "df: expected a column 'y'",
    ),
    "empty": (lambda: forecast_frame(history(), forecasts()[:0]), DataError, "forecast_df: expected at least one row"),
    "text": (lambda: forecast_frame(history().astype({"ds": str}), forecasts()), DataError, "df, ds: expected time"),
    "y": (lambda: forecast_frame(history().astype({"y": str}), forecasts()), DataError, "df, y: expected numbers"),
    "stamps": (lambda: forecast_frame(history(), forecasts(stamps=np.arange(25))), DataError, "forecast_df, ds"),
    "model": (lambda: forecast_frame(history(), forecasts(), models=["seqcats"]), SpecError, "Did you mean 'seqcast'"),
    "no model": (lambda: forecast_frame(history(), forecasts()[["unique_id", "ds"]]), DataError, "of forecasts"),
    "series": (lambda: forecast_frame(history(), forecasts(), max_series=0), SpecError, "max_series"),
    "last": (lambda: forecast_frame(history(), forecasts(), last=0), SpecError, "last"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_inputs(call, error, message):
    with pytest.raises(error, match=message):
        call()
