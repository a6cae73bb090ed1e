"""Rankings show all numbers, and what is the largest or the best on top."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.evaluation import evaluate
from seqcast.plots import dot_chart, importance_chart, probe_scores, score_by_series, unit_chart
from tests.rejections import rejections


def test_score_by_series(make_backtest, lines, rows):
    _, backtest = make_backtest(series=30, cutoffs=1)
    figure = score_by_series(backtest, max_series=7, unit="MW")
    (ax,) = figure.axes
    scores = evaluate(backtest, "mae", by="unique_id").sort_values("good")[-7:]
    assert rows(figure) == list(scores["unique_id"])
    np.testing.assert_array_equal(lines(ax)["good"].get_xdata(), scores["good"])
    np.testing.assert_array_equal(lines(ax)["seasonal naive"].get_xdata(), scores["seasonal_naive"])
    assert ax.get_xlim()[0] == 0
    assert figure.get_suptitle() == "Error by series (the 7 hardest of 30)"
    figure.canvas.draw()


SCALES = [
    ([1, 1e4], "mae", "log"),
    ([1, 5], "mae", "linear"),
    ([-1, 1e4], "bias", "linear"),
    ([0, 0], "mae", "linear"),
]


@pytest.mark.parametrize(("forecast", "metric", "scale"), SCALES)
def test_scale_of_scores(forecast, metric, scale):
    figure = score_by_series(
        pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": 0.0, "model": forecast}), metric
    )
    figure.canvas.draw()
    assert figure.axes[0].get_xscale() == scale


def test_dots_are_sorted_by_their_mean(rows, legend):
    figure = dot_chart(
        {"bad": [3.0, 5.0], "good": [1.0, 1.5]}, xlabel="error", logx=True, runs="a seed"
    )
    assert rows(figure) == ["bad", "good"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [3.0, 5.0])
    assert legend(figure) == ["a seed", "mean"]


def importance(count=3):
    df = pd.DataFrame(
        {"covariate": [f"c{place}" for place in range(count)], "importance": np.arange(count) / 10}
    )
    return df.assign(spread=0.05, error=0.5, share=0.1)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_importance(convert, rows, legend):
    figure = importance_chart(convert(importance().sample(frac=1, random_state=1)), title="Sales")
    (ax,) = figure.axes
    assert rows(figure) == ["c0", "c1", "c2"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.0, 0.1, 0.2])
    (reach,) = ax.collections
    np.testing.assert_allclose([segment[:, 0] for segment in reach.get_segments()][2], [0.15, 0.25])
    assert figure.get_suptitle() == "Sales"
    assert "which is 0.5 without permutation" in ax.get_xlabel()
    assert set(legend(figure)) == {"growth of the error", "spread of permutations"}
    figure = importance_chart(importance(20), max_covariates=4)
    assert rows(figure) == ["c16", "c17", "c18", "c19"]
    assert figure.get_suptitle() == "4 of 20 covariates, the most important"


def test_probes_stand_beside_their_control(rows, lines):
    table = pd.DataFrame(
        {
            "property": name,
            "probe": kind,
            "r2": r2,
            "r2_low": r2 - 0.1,
            "r2_high": r2 + 0.1,
            "r2_permuted": -0.5,
        }
        for name, r2 in (("frequency", 0.9), ("phase", 0.2))
        for kind in ("linear", "small network")
    )
    figure = probe_scores(table)
    drawn = lines(figure.axes[0])
    np.testing.assert_allclose(drawn["linear probe"].get_xdata(), [0.2, 0.9])
    np.testing.assert_allclose(
        drawn["linear probe, values permuted"].get_xdata(), [-0.2, -0.2]
    )  # cut at the edge
    assert rows(figure) == ["phase", "frequency"]


def test_units_are_sorted():
    figure = unit_chart(
        {"layer 1": [1.0, 3.0, 2.0], "layer 2": [5.0]}, ylabel="memory [steps]", guide_at=2.0
    )
    assert [[bar.get_height() for bar in ax.patches] for ax in figure.axes] == [
        [3.0, 2.0, 1.0],
        [5.0],
    ]


FRAME = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": 0.0, "model": 1.0})
WRONG = {
    "series": (lambda: score_by_series(FRAME, max_series=0), SpecError, "max_series"),
    "dots": (lambda: dot_chart({}, xlabel=""), DataError, "rows: expected at least one"),
    "units": (lambda: unit_chart({}, ylabel=""), DataError, "values: expected at least one"),
    "spread": (
        lambda: importance_chart(importance().drop(columns="spread")),
        DataError,
        "a column 'spread'",
    ),
    "finite": (
        lambda: importance_chart(importance().assign(importance=np.nan)),
        DataError,
        "expected finite numbers",
    ),
    "covariates": (
        lambda: importance_chart(importance(), max_covariates=0),
        SpecError,
        "max_covariates",
    ),
}
test_wrong_inputs = rejections(WRONG)
