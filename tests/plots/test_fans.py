"""Fans show the last cutoff of each series, with all intervals, the wider ones behind."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import forecast_fans


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_backtest(make_backtest, kind):
    history, backtest = make_backtest(series=3, kind=kind)
    figure = forecast_fans(history, backtest, ylabel="load [MW]")
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


def test_a_forecast_of_many_series(make_backtest):
    history, backtest = make_backtest(series=20, cutoffs=1)
    history = history[history["ds"] <= backtest["cutoff"].iloc[0]]
    ahead = backtest.drop(columns=["cutoff", "y"])
    figure = forecast_fans(history, ahead, level=[95], max_series=9, last=10)
    assert len(figure.axes) == 9
    assert legend(figure) == ["past", "good", "95 % interval", "cutoff"]
    assert figure.get_suptitle() == "The first 9 of 20 series"
    assert len(lines(figure.axes[0])["past"].get_ydata()) == 10
    assert forecast_fans(history, ahead, title="Sales").get_suptitle() == "Sales"


def test_a_model_without_intervals_and_of_new_series(make_backtest):
    history, backtest = make_backtest(series=2, cutoffs=1)
    figure = forecast_fans(history, backtest.assign(unique_id="new").iloc[:4], model="seasonal_naive")
    assert legend(figure) == ["past", "truth", "seasonal naive", "cutoff"]
    assert len(lines(figure.axes[0])["past"].get_ydata()) == 0
    figure.canvas.draw()


def test_targets_have_panels_of_their_own(make_backtest):
    history, backtest = make_backtest(series=1)
    history, backtest = (
        pd.concat([df.assign(target="price"), df.assign(target="volume")]) for df in (history, backtest)
    )
    assert [ax.get_title() for ax in forecast_fans(history, backtest).axes] == ["s00, price", "s00, volume"]
    with pytest.raises(DataError, match="df: expected a column 'target'"):
        forecast_fans(history.drop(columns="target"), backtest)


def test_wrong_inputs(make_backtest):
    history, backtest = make_backtest()
    wrong = [
        ({"model": "goood"}, SpecError, "Did you mean 'good'"),
        ({"level": [90]}, SpecError, "level: expected one of 80, 95, received 90"),
        ({"level": [90], "model": "seasonal_naive"}, SpecError, "'seasonal_naive' has no intervals"),
        ({"max_series": 0}, SpecError, "max_series"),
        ({"last": 0}, SpecError, "last"),
    ]
    for options, error, message in wrong:
        with pytest.raises(error, match=message):
            forecast_fans(history, backtest, **options)
