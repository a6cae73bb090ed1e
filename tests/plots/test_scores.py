"""Pictures of scores show the scores."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.evaluation import evaluate
from seqcast.plots import calibration_curve, score_by_series, score_by_step


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_score_by_step(make_backtest, kind):
    history, backtest = make_backtest(kind=kind, gaps=True)
    figure = score_by_step(backtest, "rmse", unit="MW", trained_horizon=3)
    scores = evaluate(backtest, "rmse", by="step")
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["seasonal naive"].get_ydata(), scores["seasonal_naive"])
    np.testing.assert_array_equal(drawn["good"].get_xdata(), [1, 2, 3, 4])
    assert figure.axes[0].get_ylabel() == "root mean squared error [MW]"
    assert figure.get_suptitle() == "Error by step of the forecast (2 series, 6 windows)"
    assert list(lines(score_by_step(backtest, "mase", train_df=history, models=["good"]))) == ["good"]


def test_long_names_of_metrics_are_broken(make_backtest):
    history, backtest = make_backtest()
    for metric in ("smape", "mase", "rmsse"):
        figure = score_by_step(backtest, metric, train_df=history)
        figure.draw_without_rendering()
        label = figure.axes[0].yaxis.label.get_window_extent()
        assert label.y0 >= 0
        assert label.y1 <= figure.bbox.height


def test_a_step_without_truth_is_a_gap():
    df = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [0.0, np.nan, 0.0], "model": [1.0, 1.0, 2.0]})
    np.testing.assert_array_equal(lines(score_by_step(df))["model"].get_ydata(), [1.0, np.nan, 2.0])


def test_score_by_series(make_backtest):
    _, backtest = make_backtest(series=30, cutoffs=1)
    figure = score_by_series(backtest, max_series=7, unit="MW")
    (ax,) = figure.axes
    scores = evaluate(backtest, "mae", by="unique_id").sort_values("good", ascending=False)[:7]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(scores["unique_id"])
    np.testing.assert_array_equal(lines(figure)["good"].get_xdata(), scores["good"])
    np.testing.assert_array_equal(lines(figure)["seasonal naive"].get_xdata(), scores["seasonal_naive"])
    assert ax.yaxis_inverted()
    assert ax.get_xlim()[0] == 0
    assert figure.get_suptitle() == "Error by series (the 7 hardest of 30)"
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("forecast", "metric", "scale"),
    [
        ([1.0, 1e4], "mae", "log"),
        ([1.0, 5.0], "mae", "linear"),
        ([-1.0, 1e4], "bias", "linear"),
        ([0.0, 0.0], "mae", "linear"),
    ],
)
def test_scale_of_scores(forecast, metric, scale):
    df = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": 0.0, "model": forecast})
    figure = score_by_series(df, metric)
    figure.canvas.draw()
    assert figure.axes[0].get_xscale() == scale


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_calibration_curve(make_backtest, kind):
    _, backtest = make_backtest(series=4, level=(50, 80, 95), kind=kind)
    figure = calibration_curve(backtest)
    drawn = lines(figure)
    assert set(drawn) == {"as promised", "good"}  # the other has no intervals
    np.testing.assert_array_equal(drawn["good"].get_xdata(), [50, 80, 95])
    frame = make_backtest(series=4, level=(50, 80, 95))[1]
    covered = [
        100 * frame["y"].between(frame[f"good-lo-{each}"], frame[f"good-hi-{each}"]).mean() for each in (50, 80, 95)
    ]
    np.testing.assert_allclose(drawn["good"].get_ydata(), covered)
    assert "95 % of 12 independent windows" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert list(lines(calibration_curve(backtest, level=80))["good"].get_xdata()) == [80]
    figure.canvas.draw()


def test_wrong_inputs(make_backtest):
    _, backtest = make_backtest()
    wrong = [
        (lambda: score_by_step(backtest, "coverage"), DataError, "metric: expected a metric with one score"),
        (lambda: score_by_step(backtest, "mea"), SpecError, "Did you mean 'm[as]e'"),
        (lambda: score_by_step(backtest, trained_horizon=0), SpecError, "trained_horizon"),
        (lambda: score_by_series(backtest, max_series=0), SpecError, "max_series"),
        (lambda: calibration_curve(backtest, models=["seasonal_naive"]), DataError, "df: expected intervals"),
        (lambda: calibration_curve(backtest, level=90), SpecError, "level: expected one of 80, 95"),
    ]
    for call, error, message in wrong:
        with pytest.raises(error, match=message):
            call()
