"""Series with forecasts and unusual rows: each panel shows what was given."""

import matplotlib.dates
import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import anomaly_frame, forecast_fans, forecast_frame
from seqcast.specs.columns import Columns
from tests.rejections import rejections

KINDS = pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
DAYS = pd.date_range("2024-01-01", periods=25)


def history(ids=("a", "b"), stamps=DAYS):
    own = (
        pd.DataFrame({"unique_id": name, "ds": stamps[:20], "y": np.arange(20.0) + i})
        for i, name in enumerate(ids)
    )
    return pd.concat(own)


def forecasts(ids=("a", "b"), stamps=DAYS, **columns):
    columns = columns or {"seqcast": np.arange(5.0)}
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": stamps[20:], **columns}) for name in ids]
    )


# ---------------------------------------------------------------- forecast_frame


@KINDS
def test_frames(convert, lines, legend):
    ahead = forecasts(seqcast=np.arange(5.0), **{"seqcast-lo-80": -1.0, "seqcast-hi-80": 6.0})
    figure = forecast_frame(convert(history().sample(frac=1, random_state=0)), convert(ahead))
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    drawn = lines(figure.axes[1])
    np.testing.assert_array_equal(drawn["past"].get_ydata(), np.arange(20.0) + 1)
    np.testing.assert_array_equal(drawn["seqcast"].get_ydata(), np.arange(5.0))
    np.testing.assert_array_equal(
        np.asarray(drawn["seqcast"].get_xdata(), dtype="datetime64[D]"), DAYS[20:]
    )
    assert (
        str(np.asarray(drawn["cutoff"].get_xdata()[:1], dtype="datetime64[D]")[0]) == "2024-01-20"
    )
    assert legend(figure) == ["past", "seqcast", "seqcast, 80 % interval", "cutoff"]
    assert isinstance(
        figure.axes[0].xaxis.get_major_formatter(), matplotlib.dates.ConciseDateFormatter
    )


def test_frames_of_a_backtest(lines):
    ahead = pd.DataFrame(
        {
            "unique_id": 7,
            "ds": [12, 13, 14, 14, 15, 16],
            "cutoff": [11] * 3 + [13] * 3,
            "m": range(6),
        }
    )
    figure = forecast_frame(history((7,), np.arange(20)), ahead.assign(y=ahead["ds"] * 1.0), last=5)
    ax = figure.axes[0]
    np.testing.assert_array_equal(lines(ax)["past"].get_xdata(), np.arange(7, 20))
    np.testing.assert_array_equal(lines(ax)["truth"].get_ydata(), [12, 13, 14, 15, 16])
    assert [list(line.get_ydata()) for line in ax.lines if line.get_label() == "m"] == [
        [0, 1, 2],
        [3, 4, 5],
    ]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_label() == "cutoff"] == [11, 13]


STAMPS = [
    pd.date_range("2024-03-30", periods=25, freq="h", tz="Europe/Paris"),
    DAYS.date,
    np.arange(25),
]


@pytest.mark.parametrize("stamps", STAMPS, ids=["zoned", "dates", "integers"])
def test_frames_of_other_stamps_and_of_a_series_without_past(stamps, lines):
    figure = forecast_frame(history(stamps=stamps), forecasts(("a", "new"), stamps))
    figure.canvas.draw()
    assert [len(lines(ax)["past"].get_xdata()) for ax in figure.axes] == [20, 0]
    assert len(lines(figure.axes[1])["seqcast"].get_xdata()) == 5


def test_frames_of_many_series_and_models(legend):
    ids = [f"series_{number}_{'x' * 80}" for number in range(12)]
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    frames = history(ids), forecasts(ids, first=1.0, second=2.0, third=3.0)
    options = {"columns": Columns(**names), "models": ["third", "first"], "max_series": 5}
    figure = forecast_frame(*(df.rename(columns=names) for df in frames), **options)
    assert len(figure.axes) == 5
    assert figure.get_suptitle() == "The first 5 of 12 series"
    assert legend(figure) == ["past", "third", "first", "cutoff"]
    figure.canvas.draw()


# ---------------------------------------------------------------- forecast_fans


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_fans_show_the_last_cutoff_with_the_wider_intervals_behind(
    make_backtest, kind, lines, legend
):
    figure = forecast_fans(*make_backtest(series=3, kind=kind), ylabel="load [MW]")
    assert [ax.get_title() for ax in figure.axes] == ["s00", "s01", "s02"]
    assert legend(figure) == ["past", "truth", "good", "80 % interval", "95 % interval", "cutoff"]
    drawn = lines(figure.axes[1])
    rows = make_backtest(series=3)[1].query("unique_id == 's01'").iloc[-4:]
    np.testing.assert_array_equal(drawn["good"].get_ydata(), rows["good"])
    np.testing.assert_array_equal(drawn["truth"].get_ydata(), rows["y"])
    assert len(drawn["past"].get_ydata()) == 20
    narrow, wide = figure.axes[1].collections
    assert narrow.get_zorder() > wide.get_zorder()
    assert tuple(narrow.get_facecolor()[0]) != tuple(wide.get_facecolor()[0])
    assert narrow.get_facecolor()[0, 3] == 1  # what the legend shows is what is drawn
    np.testing.assert_allclose(wide.get_paths()[0].get_extents().ymax, rows["good-hi-95"].max())
    figure.canvas.draw()


def test_fans_of_many_series_of_new_ones_and_without_intervals(make_backtest, lines, legend):
    past, backtest = make_backtest(series=20, cutoffs=1)
    ahead = backtest.drop(columns=["cutoff", "y"])
    past = past[past["ds"] <= backtest["cutoff"].iloc[0]]
    figure = forecast_fans(past, ahead, level=[95], max_series=9, last=10)
    assert len(figure.axes) == 9
    assert legend(figure) == ["past", "good", "95 % interval", "cutoff"]
    assert figure.get_suptitle() == "The first 9 of 20 series"
    assert len(lines(figure.axes[0])["past"].get_ydata()) == 10
    assert forecast_fans(past, ahead, title="Sales").get_suptitle() == "Sales"
    figure = forecast_fans(past, backtest.assign(unique_id="new").iloc[:4], model="seasonal_naive")
    assert legend(figure) == ["past", "truth", "seasonal naive", "cutoff"]
    assert len(lines(figure.axes[0])["past"].get_ydata()) == 0
    figure.canvas.draw()


def test_targets_have_panels_of_their_own(make_backtest):
    frames = make_backtest(series=1)
    past, backtest = (
        pd.concat([df.assign(target=name) for name in ("price", "volume")]) for df in frames
    )
    assert [ax.get_title() for ax in forecast_fans(past, backtest).axes] == [
        "s00, price",
        "s00, volume",
    ]
    with pytest.raises(DataError, match="df: expected a column 'target'"):
        forecast_fans(past.drop(columns="target"), backtest)


# ---------------------------------------------------------------- anomalies


def scored(ids=("a", "b"), rows=30):
    tables = []
    for place, name in enumerate(ids):
        score = np.linspace(0.0, 0.9, rows)
        score[4 + place] = 2.0 + place
        table = pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.date_range("2024-01-01", periods=rows),
                "y": score,
                "m": 0.0,
            }
        )
        table = table.assign(**{"m-lo-99": -1.0, "m-hi-99": 1.0})
        tables.append(table.assign(score=score, anomaly=score > 1, trained_on=np.arange(rows) < 20))
    return pd.concat(tables, ignore_index=True)


@KINDS
def test_the_most_unusual_series_comes_first(convert, lines, legend):
    figure = anomaly_frame(convert(scored().sample(frac=1, random_state=0)))
    assert [ax.get_title() for ax in figure.axes] == [
        "b: 1 of 30 rows outside",
        "a: 1 of 30 rows outside",
    ]
    drawn = lines(figure.axes[0])
    np.testing.assert_array_equal(drawn["outside"].get_ydata(), [3.0])
    for label, day in (("outside", "2024-01-06"), ("end of training", "2024-01-20")):
        assert str(np.asarray(drawn[label].get_xdata()[:1], dtype="datetime64[D]")[0]) == day
    assert legend(figure) == ["m, 99 % interval", "m", "values", "outside", "end of training"]
    figure = anomaly_frame(scored(), max_series=1, last=7, ylabel="MW")
    assert len(figure.axes) == 1
    assert figure.get_suptitle() == "1 of 2 series, those with the most unusual rows"
    assert len(figure.axes[0].lines[1].get_xdata()) == 7


# ---------------------------------------------------------------- what is rejected


def fans(**options):
    columns = {"good": 1.0, "good-lo-80": 0.0, "good-hi-80": 2.0, "naive": 1.0}
    return lambda: forecast_fans(history(), forecasts(**columns), **options)


PAST = history()
AHEAD = forecasts()


def frames(past=PAST, ahead=AHEAD, **options):
    return lambda: forecast_frame(past, ahead, **options)


WRONG = {
    "no frame": (frames([1]), DataError, "df: expected a pandas or Polars data frame"),
    "lazy": (frames(pl.from_pandas(PAST).lazy()), DataError, "df\\.collect\\(\\)"),
    "column": (frames(PAST.drop(columns="y")), DataError, "df: expected a column 'y'"),
    "empty": (frames(ahead=AHEAD[:0]), DataError, "forecast_df: expected at least one row"),
    "text": (frames(PAST.astype({"ds": str})), DataError, "df, ds: expected time"),
    "y": (frames(PAST.astype({"y": str})), DataError, "df, y: expected numbers"),
    "stamps": (frames(ahead=forecasts(stamps=np.arange(25))), DataError, "forecast_df, ds"),
    "model": (frames(models=["seqcats"]), SpecError, "Did you mean 'seqcast'"),
    "no model": (frames(ahead=AHEAD[["unique_id", "ds"]]), DataError, "of forecasts"),
    "series": (frames(max_series=0), SpecError, "max_series"),
    "last": (frames(last=0), SpecError, "last"),
    "fans, model": (fans(model="goood"), SpecError, "Did you mean 'good'"),
    "fans, level": (fans(level=[90]), SpecError, "level: expected one of 80, received 90"),
    "fans, no level": (fans(level=[90], model="naive"), SpecError, "'naive' has no intervals"),
    "anomalies, series": (lambda: anomaly_frame(scored(), max_series=0), SpecError, "max_series"),
    "no score": (
        lambda: anomaly_frame(scored().drop(columns="score")),
        DataError,
        "scored: expected a column 'score'",
    ),
    "no bound": (
        lambda: anomaly_frame(scored().drop(columns="m-lo-99")),
        DataError,
        "scored: expected columns of a f",
    ),
}
test_wrong_inputs = rejections(WRONG)
