"""The report of a fitted forecaster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqcast.data.frames import LongFrame
from seqcast.errors import DataError
from seqcast.forecaster.explain import covariate_importance
from seqcast.forecaster.facts import facts
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.specs import Columns


@dataclass(frozen=True)
class ReportStyle:
    """How a report looks.

    Args:
        title: Title of the page; a usual one if empty.
        unit: Unit of the values.
        max_series: Most series that are drawn.
    """

    title: str = ""
    unit: str = ""
    max_series: int = 12


def write_report(
    path: str | os.PathLike[str],
    fitted: FittedForecaster,
    df: Any,
    *,
    frame: LongFrame,
    options: Mapping[str, Any],
    future: Any = None,
    backtest: Any = None,
    style: ReportStyle | None = None,
) -> None:
    """Write the report of a fit; see `Forecaster.report`.

    Args:
        path: Where to; the page appears whole or not at all.
        fitted: The fitted forecaster.
        df: The rows to forecast from; `None` takes those of the fit.
        frame: The same rows, read.
        options: Options of the forecaster, by name.
        future: The future steps; without it a forecaster that needs it shows no forecast.
        backtest: A frame that `Forecaster.backtest` gave.
        style: How it looks.
    """
    from seqcast.report import report

    forecast, importance = None, None
    if future is not None or not (fitted.series.frame.covariates.future or fitted.rows.irregular):
        forecast = fitted.predict(df, future=future)
    if fitted.trainings:
        with contextlib.suppress(DataError):  # there are no covariates, or no rows to judge them by
            importance = covariate_importance(fitted, df, metric="mae", repeats=5, seed=0)
    columns, style = frame.schema.columns, style or ReportStyle()
    report(
        path,
        title=style.title or "Forecast report",
        history=frame.table(),
        model=fitted.output.alias,
        metadata=facts(fitted, options),
        learning=fitted.histories[0].epochs or None,
        season_length=fitted.season_length,
        trained_horizon=fitted.output.horizon,
        columns=Columns(columns.unique_id, columns.ds, columns.value),
        forecast=forecast,
        backtest=backtest,
        importance=importance,
        max_series=style.max_series,
        unit=style.unit,
    )
