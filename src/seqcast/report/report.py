"""A report: one HTML page with the forecasts, their scores in a backtest, the training and the settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqcast.data.frames import open_frame
from seqcast.errors import SpecError
from seqcast.evaluation import FrameRows
from seqcast.intervals import level_text
from seqcast.plots import forecast_fans, importance_chart, learning_curve, read_pair, spoken
from seqcast.report.backtest_section import BacktestSections
from seqcast.report.page import Facts, Picture, Section, page
from seqcast.runtime import write_beside
from seqcast.specs import Columns, check_int


def report(
    path: str | os.PathLike[str],
    *,
    title: str,
    history: Any,
    forecast: Any = None,
    backtest: Any = None,
    model: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    learning: Mapping[str, Sequence[float]] | None = None,
    importance: Any = None,
    metrics: Sequence[str] | None = None,
    season_length: int | None = None,
    trained_horizon: int | None = None,
    max_series: int = 12,
    unit: str = "",
    columns: Columns | None = None,
) -> None:
    """Write a report to a file: one page that needs no other file and no network.

    Args:
        path: Where to; it appears whole or not at all.
        title: Title of the page.
        history: The series, as a long frame.
        forecast: Forecasts from their ends; `None` leaves that part out.
        backtest: Forecasts from earlier cutoffs beside the truth, of one or more models; `None` leaves that part
            out.
        model: The model that the report is about; `None` takes the first of the backtest or the forecast.
        metadata: Facts to show: `{"Training": {"epochs": 20}, …}`; values that are no dicts stand under Settings.
        learning: Loss by epoch, `loss` and perhaps `val_loss`, to be drawn.
        importance: By how much the error grows without each covariate, as `covariate_importance` returns it.
        metrics: Metrics of the leaderboard; `None` takes the usual, see `evaluate`.
        season_length: Season of scaled metrics; `None` takes the usual one of the frequency.
        trained_horizon: Steps that the network was trained to forecast.
        max_series: Most series that are drawn.
        unit: Unit of the values.
        columns: Names of the columns, of all frames.

    Raises:
        SpecError: There is no such model or metric, or there is nothing to report.
        DataError: A frame lacks something; nothing was written.
        SaveError: The file could not be written.

    Example:
        >>> import pandas as pd, pathlib, tempfile
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> future = pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]})
        >>> file = pathlib.Path(tempfile.mkdtemp(), "report.html")
        >>> report(file, title="Sales", history=past, forecast=future)
        >>> "<title>Sales</title>" in file.read_text("utf-8")
        True
    """
    if forecast is None and backtest is None:
        raise SpecError("forecast", expected="a forecast or a backtest", received="neither", hint="Give one.")
    check_int("max_series", max_series)
    rows = FrameRows("history", history, columns)
    rows.need(rows.columns.value)
    sections = [Section("The data", [Facts(_data(rows))])]
    if forecast is not None:
        _, future = read_pair(history, forecast, columns)
        models = future.models(None if model is None else [model])
        drawn_model = next((name for name in models if future.bounds(name)), models[0])
        figure = forecast_fans(
            history, forecast, model=drawn_model, max_series=max_series, columns=columns, ylabel=unit or None
        )
        sections.append(Section("Forecast", [_forecast_picture(figure, future, drawn_model)]))
    if backtest is not None:
        scores = BacktestSections(
            history,
            backtest,
            model=model,
            metrics=metrics,
            season_length=season_length,
            trained_horizon=trained_horizon,
            max_series=max_series,
            unit=unit,
            columns=columns,
        )
        sections += [scores.accuracy(), scores.errors(), scores.significance()]
    if importance is not None:
        sections.append(_importance_section(importance))
    sections += _fit_sections(metadata or {}, learning)
    by_model = f" by {spoken(model)}" if model else ""
    text = page(title, f"Forecasts of {len(rows.groups(*rows.series)):,} series{by_model}.", sections)
    write_beside(path, lambda file: file.write(text.encode("utf-8")))


def _data(rows: FrameRows) -> dict[str, Any]:
    groups = rows.groups(*rows.series)
    lengths = np.bincount(groups.codes)
    times = rows.times(rows.columns.ds, local=True)
    missing = int(np.isnan(rows.numbers(rows.columns.value)).sum())
    return {
        "series": len(groups),
        "rows": len(rows),
        "rows a series": str(lengths[0]) if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()}",
        "first stamp": _stamp(times.min()),
        "last stamp": _stamp(times.max()),
        "missing values": missing,
    }


def _stamp(time: Any) -> str:
    if not isinstance(time, np.datetime64):
        return str(time)
    day, _, clock = str(np.datetime_as_string(time, unit="s")).partition("T")
    return day if clock == "00:00:00" else f"{day} {clock}"


def _forecast_picture(figure: Any, forecast: FrameRows, model: str) -> Picture:
    names = list(dict.fromkeys(forecast.names))
    listed = ", ".join(str(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
    alt = f"History and forecast by {spoken(model)}, a panel a series, of {len(names)} series: {listed}"
    bounds = " and ".join(f"{level_text(level)} %" for level in forecast.bounds(model))
    caption = f"The shaded bands are intervals meant to hold {bounds} of what comes." if bounds else "A point forecast."
    return Picture.of(figure, alt, caption)


def _importance_section(importance: Any) -> Section:
    """Return the section about covariates."""
    figure = importance_chart(importance)
    names = open_frame(importance, "importance")["covariate"].to_list()
    alt = f"Growth of the error without each of {len(names)} covariates; the most important is {names[0]}"
    caption = (
        "By how much the mean absolute error grows when a covariate is taken from another window, on rows that were "
        "not trained on; lines reach one standard deviation to either side. Covariates that say the same share it."
    )
    return Section("What forecasts rest on", [Picture.of(figure, alt, caption)], name="Covariates")


def _fit_sections(metadata: Mapping[str, Any], learning: Mapping[str, Sequence[float]] | None) -> list[Section]:
    """Return the sections about training and settings."""
    parts = {str(name): dict(values) for name, values in metadata.items() if isinstance(values, Mapping)}
    loose = {str(name): value for name, value in metadata.items() if not isinstance(value, Mapping)}
    if loose:
        parts["Settings"] = {**loose, **parts.get("Settings", {})}
    sections = []
    if learning is not None:
        alt = f"Loss over {len(learning['loss'])} epochs of training" if "loss" in learning else "Loss by epoch"
        caption = (
            "Training should fall and level off; validation that rises again says that training went on for too long."
        )
        curve = Picture.of(learning_curve(learning, ylabel="loss"), alt, caption)
        facts = parts.pop("Training", {})
        sections.append(Section("Training", [curve, Facts(facts)] if facts else [curve]))
    return [*sections, *(Section(name, [Facts(values)]) for name, values in parts.items())]
