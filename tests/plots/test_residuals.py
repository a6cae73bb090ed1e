"""Residual diagnostics draw the errors that there are."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import residual_diagnostics
from tests.rejections import rejected


def plain_autocorrelation(table, lag):
    pairs = [
        pair
        for row in table
        for pair in zip(row[:-lag], row[lag:], strict=True)
        if not np.isnan(sum(pair))
    ]
    one, other = np.array(pairs).T
    return (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_what_is_drawn(make_backtest, kind):
    _, backtest = make_backtest(series=1, kind=kind, gaps=True)
    figure = residual_diagnostics(backtest, "seasonal_naive", unit="MW")
    time, histogram, step, correlation = figure.axes
    frame = make_backtest(series=1, gaps=True)[1]
    table = (frame["y"] - frame["seasonal_naive"]).to_numpy().reshape(3, 4)
    residuals = table[~np.isnan(table)]
    np.testing.assert_allclose(time.lines[0].get_ydata(), residuals)
    assert time.get_ylabel() == "truth − forecast [MW]"
    assert sum(bar.get_height() for bar in histogram.patches) == len(residuals)
    np.testing.assert_array_equal(step.lines[0].get_xdata(), [1, 2, 3, 4])
    found = correlation.lines[0].get_ydata()
    np.testing.assert_allclose(found, [plain_autocorrelation(table, lag) for lag in (1, 2, 3)])
    assert figure.get_suptitle() == "Errors of seasonal naive (9 forecasts)"
    figure.canvas.draw()


def test_series_are_brought_to_one_size(make_backtest):
    _, backtest = make_backtest(series=2)
    large = backtest.copy()
    large.loc[large["unique_id"] == "s01", ["y", "good"]] *= 1e9
    one, other = (residual_diagnostics(df, "good").axes[0] for df in (backtest, large))
    np.testing.assert_allclose(one.lines[0].get_ydata(), other.lines[0].get_ydata(), rtol=1e-5)
    assert one.get_ylabel() == "truth − forecast, by series' RMS"


@pytest.mark.parametrize(
    "forecast", [0.0, [0.0, 1.0], [np.inf, 1.0]], ids=["perfect", "short", "infinite"]
)
def test_extremes_can_be_drawn(forecast):
    df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": 0.0}).assign(model=forecast)
    residual_diagnostics(df).canvas.draw()
    residual_diagnostics(df[1:]).canvas.draw()
    steps = np.arange(30_000)
    many = pd.concat([df] * 15_000, ignore_index=True).assign(ds=steps, cutoff=steps // 10 * 10 - 1)
    assert len(residual_diagnostics(many).axes[0].lines[0].get_xdata()) <= 5000


def test_wrong_inputs(make_backtest):
    _, backtest = make_backtest()
    rejected(SpecError, "Did you mean 'good'", residual_diagnostics, backtest, "goood")
    rejected(
        DataError,
        "df: expected a finite forecast",
        residual_diagnostics,
        backtest.assign(good=np.inf),
        "good",
    )
