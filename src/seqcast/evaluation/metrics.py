"""Scores of forecasts: the door to utilsforecast's metrics."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import narwhals.stable.v2 as nw

from seqcast.config import Columns, check_whole
from seqcast.data.frame import read_frame
from seqcast.errors import DataError, unknown_name

__all__ = ["METRICS", "evaluate"]

# Those of utilsforecast that score a point forecast and need nothing but the truth and the training rows.
METRICS = ("bias", "mae", "mape", "mase", "mse", "msse", "nd", "rmse", "rmsse", "smape")
_SCALED = ("mase", "msse", "rmsse")


def evaluate(
    df: Any,
    metrics: Sequence[str | Callable[..., Any]] | None = None,
    *,
    train_df: Any = None,
    season_length: int | None = None,
    columns: Columns | None = None,
    average: bool = True,
) -> Any:
    """Score each forecast column of a frame, such as `Forecaster.backtest` gives.

    Args:
        df: `unique_id`, `ds`, `y`, perhaps `cutoff`, and one column a model.
        metrics: Names from `METRICS`, or utilsforecast's functions; `smape` is a fraction up to 1. `None` is
            `mae`, `rmse`, `smape`, and `mase` when there is `train_df`.
        train_df: Rows from which scaled metrics take their unit, the naive error; with `cutoff`, only rows up
            to the cutoff are looked at.
        season_length: Steps of that naive error's season; `None` takes the usual one of `train_df`'s
            frequency.
        columns: Names of the columns.
        average: Whether to average over cutoffs and series, each series the same weight; otherwise one row a
            series, cutoff and metric.

    Returns:
        A frame of the kind that came in: `metric` and one column a model.

    Raises:
        SpecError: There is no such metric.
        DataError: A scaled metric is asked for without `train_df`, or the frame has no truth or no forecast.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=2)
        >>> frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": [1.0, 2.0], "model": [1.0, 4.0]})
        >>> print(evaluate(frame, ["mae"]))
          metric  model
        0    mae    1.0
    """
    from utilsforecast.evaluation import evaluate as score

    columns = columns or Columns()
    if metrics is None:
        metrics = ("mae", "rmse", "smape") if train_df is None else ("mae", "rmse", "smape", "mase")
    names = list(nw.from_native(df).columns)
    for name in columns.to_dict().values():
        if name not in names:
            raise DataError(
                "df",
                expected=f"a column {name!r}",
                received=f"the columns {names}",
                mend="Join the truth to it.",
            )
    if not set(names) - {*columns.to_dict().values(), "cutoff"}:
        raise DataError("df", expected="a column a model", received=f"the columns {names}", mend="Add forecasts.")
    if any(metric in _SCALED for metric in metrics) and season_length is None and train_df is not None:
        season_length = read_frame(train_df, columns).frequency.season_length
    functions = [_function(metric, train_df, season_length) for metric in metrics]
    keys: dict[str, Any] = {"id_col": columns.unique_id, "time_col": columns.ds, "target_col": columns.y}
    scores = score(df, functions, train_df=train_df, **keys)
    return _averaged(scores, columns.unique_id) if average else scores


def _function(metric: str | Callable[..., Any], train_df: Any, season_length: int | None) -> Callable[..., Any]:
    from utilsforecast import losses

    if callable(metric):
        return metric
    if metric not in METRICS:
        raise unknown_name("metrics", metric, METRICS)
    function: Callable[..., Any] = getattr(losses, metric)
    if metric not in _SCALED:
        return function
    if train_df is None:
        raise DataError(
            "train_df",
            expected=f"the training rows, which {metric!r} takes its unit from",
            received="None",
            mend="Give the whole frame when df has a cutoff column, otherwise the rows before the forecast.",
        )
    assert "seasonality" in inspect.signature(function).parameters
    return partial(function, seasonality=check_whole("season_length", season_length))


def _averaged(scores: Any, unique_id: str) -> Any:
    frame = nw.from_native(scores)
    models = [name for name in frame.columns if name not in (unique_id, "cutoff", "metric")]
    order = list(dict.fromkeys(frame["metric"].to_list()))
    # Cutoffs first: a series with fewer of them weighs as much as another.
    by_series = frame.group_by(unique_id, "metric").agg(nw.col(*models).mean())
    means = by_series.sort(unique_id).group_by("metric").agg(nw.col(*models).mean())
    places = {name: place for place, name in enumerate(means["metric"].to_list())}
    return nw.to_native(means[[places[name] for name in order]].select("metric", *models), pass_through=False)
