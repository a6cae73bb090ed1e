import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.config import Columns
from seqcast.errors import DataError, SpecError
from seqcast.evaluation.metrics import METRICS, evaluate

DAYS = pd.date_range("2024-01-01", periods=40)
TRAIN = pd.concat(
    [
        pd.DataFrame({"unique_id": name, "ds": DAYS, "y": np.sin(np.arange(40)) + place})
        for place, name in enumerate("ab")
    ]
)


def table(kind="pandas"):
    df = TRAIN[TRAIN["ds"] >= DAYS[32]].assign(model=lambda df: df["y"] + 0.5, other=0.0)
    df["cutoff"] = np.where(df["ds"] < DAYS[36], DAYS[31], DAYS[35])
    return pl.from_pandas(df) if kind == "polars" else df


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_averages_are_the_plain_ones(kind):
    df = table(kind)
    made = evaluate(df, ["mse", "mae"])
    assert type(made) is type(df)
    assert list(made.columns) == ["metric", "model", "other"]
    assert list(made["metric"]) == ["mse", "mae"]
    assert list(made["model"]) == pytest.approx([0.25, 0.5])
    assert made["other"][1] == pytest.approx(table()["y"].abs().mean())


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_gives_a_number(metric):
    made = evaluate(table(), [metric], train_df=TRAIN)
    assert np.isfinite(made[["model", "other"]].to_numpy()).all()


def test_mase_takes_its_unit_from_rows_up_to_the_cutoff():
    made = evaluate(table(), train_df=TRAIN, average=False)
    assert list(made["metric"].unique()) == ["mae", "rmse", "smape", "mase"]
    row = made[(made["metric"] == "mase") & (made["unique_id"] == "a") & (made["cutoff"] == DAYS[31])]
    known = np.sin(np.arange(32))
    assert row["model"].item() == pytest.approx(0.5 / np.abs(known[7:] - known[:-7]).mean())
    other = evaluate(table(), ["mase"], train_df=TRAIN, season_length=1, average=False)
    assert other["model"][0] == pytest.approx(0.5 / np.abs(np.diff(known)).mean())


def test_functions_and_own_columns():
    from utilsforecast.losses import mae

    df = table().drop(columns="cutoff").rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    made = evaluate(df, [mae], columns=Columns("shop", "day", "sales"))
    assert made["model"].item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: evaluate(table(), ["maee"]), SpecError, "metrics: expected one of .*Did you mean 'mae'"),
        (lambda: evaluate(table(), ["mase"]), DataError, "train_df: expected the training rows"),
        (lambda: evaluate(table().drop(columns="y")), DataError, "expected a column 'y'"),
        (lambda: evaluate(TRAIN), DataError, "expected a column a model"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
