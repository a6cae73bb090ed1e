"""Curves of training, errors, scores and runs, and the calibration of intervals, show what was given."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.evaluation import evaluate
from seqcast.plots import (
    calibration_curve,
    error_by_step,
    learning_curve,
    repeated_runs,
    score_by_step,
)
from tests.rejections import rejections

HISTORY = {"loss": [1.0, 0.5, 0.4], "val_loss": [1.2, 0.7, 0.9]}


def test_learning_curve(lines):
    (ax,) = learning_curve({**HISTORY, "mae": [1, 2, 3]}, best_epoch=2).axes
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["training"].get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(drawn["validation"].get_ydata(), HISTORY["val_loss"])
    np.testing.assert_array_equal(drawn["validation"].get_xdata(), [1, 2, 3])
    assert list(drawn["best epoch: 2"].get_xdata()) == [2, 2]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == (
        "epoch",
        "mean squared error",
        "linear",
    )


SCALES = [([1, 0.05], "log"), ([1, 0.2], "linear"), ([1, -20], "linear"), ([np.nan, 1], "linear")]


@pytest.mark.parametrize(("loss", "scale"), SCALES)
def test_learning_curve_scale(loss, scale):
    figure = learning_curve({"loss": loss})
    figure.canvas.draw()
    assert figure.axes[0].get_yscale() == scale


def test_error_by_step(lines, legend):
    errors = {"seqcast": [0.1, 0.2], "_mine": np.array([0.3, 0.4, 0.5])}
    figure = error_by_step(errors, trained_horizon=2, ylabel="error [°C]")
    (ax,) = figure.axes
    np.testing.assert_array_equal(lines(ax)["seqcast"].get_ydata(), [0.1, 0.2])
    np.testing.assert_array_equal(lines(ax)[" _mine"].get_xdata(), [1, 2, 3])
    assert legend(figure) == ["seqcast", " _mine", "trained horizon"]
    assert (ax.get_ylim()[0], ax.get_ylabel()) == (0, "error [°C]")


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_score_by_step(make_backtest, kind, lines):
    history, backtest = make_backtest(kind=kind, gaps=True)
    figure = score_by_step(backtest, "rmse", unit="MW", trained_horizon=3)
    drawn = lines(figure.axes[0])
    scores = evaluate(backtest, "rmse", by="step")
    np.testing.assert_array_equal(drawn["seasonal naive"].get_ydata(), scores["seasonal_naive"])
    np.testing.assert_array_equal(drawn["good"].get_xdata(), [1, 2, 3, 4])
    assert figure.axes[0].get_ylabel() == "RMSE [MW]"
    assert figure.get_suptitle() == "Error by step of the forecast (2 series, 6 windows)"
    df = pd.DataFrame(
        {"unique_id": "a", "ds": [1, 2, 3], "y": [0.0, np.nan, 0.0], "model": [1.0, 1.0, 2.0]}
    )
    np.testing.assert_array_equal(
        lines(score_by_step(df).axes[0])["model"].get_ydata(), [1.0, np.nan, 2.0]
    )
    figure = score_by_step(backtest, "mase", train_df=history, models=["good"])
    assert list(lines(figure.axes[0])) == ["good"]
    figure.draw_without_rendering()
    label = figure.axes[0].yaxis.label.get_window_extent()  # a long name is broken
    assert 0 <= label.y0 < label.y1 <= figure.bbox.height


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_calibration_curve(make_backtest, kind, lines, legend):
    options = {"series": 4, "level": (50, 80, 95)}
    _, backtest = make_backtest(**options, kind=kind)
    figure = calibration_curve(backtest)
    drawn = lines(figure.axes[0])
    assert set(drawn) == {"exact coverage", "good"}  # the other has no intervals
    np.testing.assert_array_equal(drawn["good"].get_xdata(), [50, 80, 95])
    frame = make_backtest(**options)[1]
    covered = [
        frame["y"].between(frame[f"good-lo-{each}"], frame[f"good-hi-{each}"]).mean()
        for each in (50, 80, 95)
    ]
    np.testing.assert_allclose(drawn["good"].get_ydata(), 100 * np.array(covered))
    assert "95 % of 12 independent windows" in legend(figure)
    assert list(lines(calibration_curve(backtest, level=80).axes[0])["good"].get_xdata()) == [80]
    figure.canvas.draw()


def test_runs_are_drawn_as_their_mean_and_their_ends(legend):
    y = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 8.0]])
    panels = {
        "a": {"one": ([1, 10, 100], y)},
        "b": {"one": ([1, 2, 3], y[0]), "two": ([1, 2, 3], y)},
    }
    figure = repeated_runs(
        panels, xlabel="x", ylabel="error", logx=True, logy=True, guides={2: "here"}
    )
    first, second = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [2.0, 2.0, 6.0])
    band = first.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 8.0)
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] > 8.0
    # A curve has the same colour in each panel.
    assert first.lines[0].get_color() == second.lines[0].get_color() != second.lines[1].get_color()
    assert legend(figure) == ["one", "smallest to largest run", "here", "two"]
    figure.canvas.draw()
    assert [label.get_text() for label in first.get_xticklabels()] == ["1", "2", "10", "100"]


FRAME = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": 0.0, "m": 1.0, "n": 1.0})
FRAME = FRAME.assign(**{f"m-{side}-{level}": 1.0 for side in ("lo", "hi") for level in (80, 95)})
UNEVEN = {"": {"a": ([1, 2], [1.0])}}
WRONG = {
    "no loss": (lambda: learning_curve({"mae": [1.0]}), DataError, "history: expected 'loss'"),
    "best": (
        lambda: learning_curve(HISTORY, best_epoch=4),
        SpecError,
        "best_epoch: expected at most 3",
    ),
    "no errors": (lambda: error_by_step({}), DataError, "errors: expected at least one"),
    "error axes": (
        lambda: error_by_step({"a": np.zeros((3, 15))}),
        DataError,
        "errors\\['a'\\]: expected 1 axes",
    ),
    "scores": (
        lambda: score_by_step(FRAME, "coverage"),
        DataError,
        "metric: expected a metric with one score",
    ),
    "metric": (lambda: score_by_step(FRAME, "mea"), SpecError, "Did you mean 'm[as]e'"),
    "horizon": (lambda: score_by_step(FRAME, trained_horizon=0), SpecError, "trained_horizon"),
    "intervals": (
        lambda: calibration_curve(FRAME, models=["n"]),
        DataError,
        "df: expected intervals",
    ),
    "level": (
        lambda: calibration_curve(FRAME, level=90),
        SpecError,
        "level: expected one of 80, 95",
    ),
    "no runs": (
        lambda: repeated_runs({}, xlabel="", ylabel=""),
        DataError,
        "panels: expected at least one",
    ),
    "runs": (
        lambda: repeated_runs(UNEVEN, xlabel="", ylabel=""),
        DataError,
        "y of 'a': expected 2 numbers a run",
    ),
}
test_wrong_inputs = rejections(WRONG)
