"""Models are ranked by a score and compared with a baseline, series by series."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import SpecError
from seqcast.evaluation import evaluate, leaderboard


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_the_best_comes_first(make_backtest, kind):
    history, backtest = make_backtest(series=5, kind=kind, gaps=True)
    made = leaderboard(backtest, train_df=history)
    assert type(made) is type(backtest)
    assert list(made.columns) == [
        "model", "mae", "rmse", "smape", "mase", "scaled_crps", "coverage_level80", "coverage_level95",
        "relative_mae", "series", "points",
    ]  # fmt: skip
    assert list(made["model"]) == ["good", "seasonal_naive"]
    assert made["mae"][0] < made["mae"][1]
    assert list(made["series"]) == [5, 5]
    assert list(made["points"]) == [48, 48]
    scores = evaluate(backtest, train_df=history)
    for place, metric in enumerate(scores["metric"]):
        assert made[metric][0] == scores["good"][place]


def test_relative_scores_are_geometric_means_over_series():
    df = pd.DataFrame({"unique_id": list("abcd"), "ds": 1, "y": 0.0})
    df = df.assign(naive=[1.0, 100.0, 0.0, 0.0], model=[2.0, 50.0, 0.0, 3.0])
    made = leaderboard(df, ["mae"], baseline="naive")
    relative = dict(zip(made["model"], made["relative_mae"], strict=True))
    assert relative["naive"] == 1.0
    assert relative["model"] == pytest.approx((2 * 0.5 * 1 * 100) ** 0.25)  # a zero over a zero is one; at most 100
    scaled = df.assign(**{name: df[name] * [1, 1000, 1, 1] for name in ("naive", "model")})
    again = leaderboard(scaled, ["mae"], baseline="naive").set_index("model")["relative_mae"]
    assert again["model"] == pytest.approx(relative["model"])


def test_what_ranks():
    df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": 0.0, "steady": 2.0, "wild": [0.0, 3.0]})
    assert list(leaderboard(df, ["mae", "mse"])["model"]) == ["wild", "steady"]
    made = leaderboard(df, ["mae", "mse"], sort_by="mse", baseline="steady")
    assert list(made["model"]) == ["steady", "wild"]
    assert list(made.columns) == ["model", "mae", "mse", "relative_mse", "series", "points"]
    assert "relative_mae" not in leaderboard(df, ["mae"]).columns


def test_a_model_without_a_score_comes_last(make_backtest):
    _, backtest = make_backtest()
    made = leaderboard(backtest[[*backtest.columns[:4], "seasonal_naive", *backtest.columns[4:-1]]], ["scaled_crps"])
    assert list(made["model"]) == ["good", "seasonal_naive"]
    assert np.isnan(made["scaled_crps"][1])
    assert np.isnan(made["relative_scaled_crps"]).all()


PLAIN = pl.DataFrame({"unique_id": ["a"], "ds": [1], "y": [1.0], "model": [1.0]})
WRONG = {
    "baseline": (lambda: leaderboard(PLAIN, baseline="modle"), "baseline: .*Did you mean 'model'"),
    "score": (lambda: leaderboard(PLAIN, sort_by="mea"), "sort_by: .*Did you mean 'mae'"),
    "bias": (lambda: leaderboard(PLAIN, ["bias"]), "sort_by: expected a score of which less is better, received 'bi"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_wrong_calls(call, message):
    with pytest.raises(SpecError, match=message):
        call()
