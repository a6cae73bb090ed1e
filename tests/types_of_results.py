"""What a type checker knows of results: the kind of frame that came in. `make lint` checks it; nothing here is run."""

from pathlib import Path
from typing import Any, assert_type

import pandas as pd
import polars as pl

import seqcast
from seqcast import Forecaster
from seqcast.evaluation import evaluate, leaderboard


def frames_of_the_kind_that_came_in(
    forecaster: Forecaster, sales: pd.DataFrame, demand: pl.DataFrame
) -> None:
    """Frames in, frames out."""
    assert_type(forecaster.fit(sales), Forecaster)
    assert_type(forecaster.predict(12, sales), pd.DataFrame)
    assert_type(forecaster.predict(df=demand, level=80), pl.DataFrame)
    assert_type(forecaster.backtest(sales, 3, refit=True), pd.DataFrame)
    assert_type(forecaster.anomalies(demand), pl.DataFrame)
    assert_type(forecaster.encode(sales), pd.DataFrame)
    assert_type(forecaster.attention(sales, horizon=3), pd.DataFrame)
    assert_type(forecaster.predict_insample(demand, step_size=2), pl.DataFrame)
    assert_type(forecaster.covariate_importance(demand), pd.DataFrame)
    assert_type(seqcast.forecast(sales, 12), pd.DataFrame)
    assert_type(seqcast.forecast("sales.csv", 12), pd.DataFrame)
    assert_type(evaluate(forecaster.backtest(sales)), pd.DataFrame)
    assert_type(leaderboard(forecaster.backtest(demand)), pl.DataFrame)


def any_where_the_call_does_not_say(forecaster: Forecaster, sales: pd.DataFrame) -> None:
    """What is remembered, comes from files or goes into a folder."""
    assert_type(forecaster.predict(), Any)
    assert_type(forecaster.predict(12, future=sales), Any)
    assert_type(forecaster.predict(12, "sales/*.parquet"), Any)
    assert_type(forecaster.predict(df=sales, output=Path("forecasts")), Any)
    assert_type(forecaster.backtest(sales, output="forecasts"), Any)
