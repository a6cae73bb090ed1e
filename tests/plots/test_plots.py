"""Pictures: what is drawn is what was given, and files are whole."""

import datetime
import sys

import matplotlib
import matplotlib.dates
import matplotlib.style
import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SaveError, SpecError
from seqcast.plots import error_by_step, forecast_frame, forecast_panels, learning_curve, save_figure
from seqcast.plots.style import model_style
from seqcast.specs.columns import Columns

PAST, TRUTH, FORECAST = (np.random.default_rng(i).normal(size=(3, n)) for i, n in enumerate((15, 18, 20)))
HISTORY = {"loss": [1.0, 0.5, 0.4], "val_loss": [1.2, 0.7, 0.9]}


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


def test_panels_show_what_was_given():
    figure = forecast_panels(
        PAST, TRUTH, FORECAST, trained_horizon=15, titles=["one", "two", "$x_3"], ylabel="price [$]", suptitle="s"
    )
    assert len(figure.axes) == 3
    for i, ax in enumerate(figure.axes):
        drawn = lines(ax)
        for name, values, first in (("past", PAST, -14), ("truth", TRUTH, 1), ("forecast", FORECAST, 1)):
            np.testing.assert_array_equal(drawn[name].get_ydata(), values[i])
            np.testing.assert_array_equal(drawn[name].get_xdata(), first + np.arange(values.shape[1]))
        assert list(drawn["now"].get_xdata()) == [0, 0]
        assert list(drawn["trained horizon"].get_xdata()) == [15, 15]
    assert [ax.get_title() for ax in figure.axes] == ["one", "two", r"\$x_3"]
    assert legend(figure) == ["past", "truth", "forecast", "now", "trained horizon"]
    assert figure.get_suptitle() == "s"
    figure.canvas.draw()


def test_panels_without_truth_and_of_one_target():
    figure = forecast_panels(PAST[:1, :, None], None, FORECAST[:1, :, None])
    assert legend(figure) == ["past", "forecast", "now"]
    assert len(figure.axes) == 1


def test_panels_in_groups():
    groups = [("Test windows", PAST, TRUTH, FORECAST), ("Training windows", PAST[:2], TRUTH[:2], FORECAST[:2])]
    figure = forecast_panels(groups=groups, columns=2, titles=list("abcde"))
    assert [part.get_suptitle() for part in figure.subfigs] == ["Test windows", "Training windows"]
    assert [len(part.axes) for part in figure.subfigs] == [3, 2]
    assert [ax.get_title() for ax in figure.axes] == list("abcde")
    np.testing.assert_array_equal(lines(figure.axes[3])["past"].get_ydata(), PAST[0])


@pytest.mark.parametrize(
    ("past", "forecast"),
    [
        (np.zeros((1, 3)), np.zeros((1, 1))),
        (np.full((10, 15), 1e300), np.full((10, 20), -1e300)),
        (np.full((2, 15), np.nan), np.ones((2, 20))),
        (np.ones((2, 500)), np.ones((2, 100))),
    ],
    ids=["constant", "huge", "gaps", "long"],
)
def test_panels_of_extreme_values_can_be_drawn(past, forecast):
    forecast_panels(past, None, forecast, titles=["a_very_long/name" * 5] * len(past)).canvas.draw()


def test_learning_curve():
    figure = learning_curve({**HISTORY, "mae": [1, 2, 3]}, best_epoch=2)
    (ax,) = figure.axes
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["training"].get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), HISTORY["val_loss"])
    np.testing.assert_array_equal(drawn["validation"].get_xdata(), [1, 2, 3])
    assert list(drawn["best epoch: 2"].get_xdata()) == [2, 2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "mean squared error")
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("loss", "scale"), [([1, 0.05], "log"), ([1, 0.2], "linear"), ([1, -20], "linear"), ([np.nan, 1], "linear")]
)
def test_learning_curve_scale(loss, scale):
    figure = learning_curve({"loss": loss})
    figure.canvas.draw()
    assert figure.axes[0].get_yscale() == scale


def test_error_by_step():
    errors = {"seqcast": [0.1, 0.2], "_mine": np.array([0.3, 0.4, 0.5])}
    figure = error_by_step(errors, trained_horizon=2, ylabel="error [°C]")
    (ax,) = figure.axes
    np.testing.assert_array_equal(lines(ax)["seqcast"].get_ydata(), [0.1, 0.2])
    np.testing.assert_array_equal(lines(ax)[" _mine"].get_xdata(), [1, 2, 3])
    assert legend(figure) == ["seqcast", " _mine", "trained horizon"]
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylabel() == "error [°C]"


def test_models_look_different():
    assert len({repr(model_style(number)) for number in range(24)}) == 24
    for one, other in zip(range(11), range(1, 12), strict=True):  # also in print without colour
        assert model_style(one)[1:] != model_style(other)[1:]


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
    "nothing": (lambda: forecast_panels(), SpecError, "either past and forecast, or groups, received neither"),
    "both": (lambda: forecast_panels(PAST, None, FORECAST, groups=[("a", PAST, None, FORECAST)]), SpecError, "both"),
    "rows": (lambda: forecast_panels(PAST, TRUTH[:2], FORECAST), DataError, "truth: expected as many windows as past"),
    "axes": (lambda: forecast_panels(PAST[0], None, FORECAST), DataError, "past: expected 2 axes or 3 axes"),
    "targets": (lambda: forecast_panels(PAST, None, np.ones((3, 5, 2))), DataError, "forecast: .*one target"),
    "group": (lambda: forecast_panels(groups=[("a", PAST, None, FORECAST[:1])]), DataError, r"groups\[0\] forecast"),
    "titles": (lambda: forecast_panels(PAST, None, FORECAST, titles=["a"]), SpecError, "titles: expected one a panel"),
    "columns": (lambda: forecast_panels(PAST, None, FORECAST, columns=0), SpecError, "columns"),
    "horizon": (lambda: forecast_panels(PAST, None, FORECAST, trained_horizon=0), SpecError, "trained_horizon"),
    "no loss": (lambda: learning_curve({"mae": [1.0]}), DataError, "history: expected 'loss'"),
    "best": (lambda: learning_curve(HISTORY, best_epoch=4), SpecError, "best_epoch: expected at most 3"),
    "no errors": (lambda: error_by_step({}), DataError, "errors: expected at least one model"),
    "error axes": (lambda: error_by_step({"a": PAST}), DataError, r"errors\['a'\]: expected 1 axes"),
    "no frame": (lambda: forecast_frame([1], forecasts()), DataError, "df: expected a pandas or Polars data frame"),
    "lazy": (lambda: forecast_frame(pl.from_pandas(history()).lazy(), forecasts()), DataError, r"df\.collect\(\)"),
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


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("SVG", b"<?xml"), ("pdf", b"%PDF")])
def test_save(tmp_path, suffix, start):
    path = tmp_path / f"picture.{suffix}"
    save_figure(learning_curve(HISTORY), path)
    save_figure(learning_curve(HISTORY), str(path), dpi=50)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_save_refuses(tmp_path):
    figure = learning_curve(HISTORY)
    for name in ("picture.jpeg", "picture"):
        with pytest.raises(SpecError, match="suffix: expected one of 'pdf', 'png', 'svg'"):
            save_figure(figure, tmp_path / name)
    with pytest.raises(SpecError, match="dpi"):
        save_figure(figure, tmp_path / "picture.png", dpi=0)
    with pytest.raises(SaveError, match="missing"):
        save_figure(figure, tmp_path / "missing" / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    figure = learning_curve(HISTORY)

    def fail(file, **options):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(SaveError, match="disk full"):
        save_figure(figure, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_the_users_style_is_neither_used_nor_changed(tmp_path):
    save_figure(learning_curve(HISTORY), tmp_path / "light.png")
    with matplotlib.style.context("dark_background"):
        before = dict(matplotlib.rcParams)
        save_figure(learning_curve(HISTORY), tmp_path / "dark.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "light.png").read_bytes() == (tmp_path / "dark.png").read_bytes()


def test_pyplot_is_not_imported(run_python):
    code = (
        "import sys, seqcast.plots as p; p.learning_curve({'loss': [1.0]}); print('matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(code) == "False"
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
