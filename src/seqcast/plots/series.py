"""Plots of long frames: series with their gaps, forecasts or unusual values; and families of synthetic series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqcast.data import Description, is_outlier
from seqcast.data.synthetic import FAMILIES, synthetic_series
from seqcast.errors import DataError
from seqcast.evaluation import CUTOFF, TARGET, FrameRows
from seqcast.intervals import level_text
from seqcast.plots import style
from seqcast.specs import Columns, check_int

Array = npt.NDArray[Any]


@matplotlib.rc_context(style.STYLE)
def forecast_frame(
    df: Any,
    forecast_df: Any,
    *,
    columns: Columns | None = None,
    models: Sequence[str] | None = None,
    max_series: int = 8,
    last: int | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draw series of a long frame with their forecasts, one panel a series.

    A forecast frame with a `cutoff` column is a backtest: each cutoff is marked. Its `y`, if there, is drawn as
    the truth, and columns such as `seqcast-lo-80` and `seqcast-hi-80` as a band around `seqcast`.

    Args:
        df: The history, pandas or Polars; one row a series and time, in any order.
        forecast_df: Forecasts of the same kind; `unique_id`, `ds` and one column a model.
        columns: Names of the columns.
        models: Columns to draw; `None` draws all that are no interval bounds.
        max_series: Most panels: the first series of `forecast_df`.
        last: Values of history before the first forecast; `None` draws twice the forecasts' length, and at least 30.
        ylabel: What the values are, with their unit; `None` writes the name of the column, unless it is `y`.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type, or there are no rows.
        SpecError: A model is not in `forecast_df`.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> figure = forecast_frame(past, pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]}))
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['past', 'seqcast', 'cutoff']
    """
    history, forecast = read_pair(df, forecast_df, columns)
    models = forecast.models(models)
    check_int("max_series", max_series)
    if last is not None:
        check_int("last", last)

    names = list(dict.fromkeys(forecast.names))
    drawn = names[:max_series]
    figure, part, axes = _panels(len(drawn))
    for ax, name in zip(axes, drawn, strict=True):
        before, after = (series_columns(rows, name) for rows in (history, forecast))
        _series(ax, before, after, forecast, models, last=last)
        ax.set_title(style.plain(style.short(str(name), 60)))
    label_axes(part, forecast.columns, ylabel)
    style.finish(figure, f"{len(drawn)} of {len(names)} series" if len(drawn) < len(names) else None)
    return figure


def _panels(count: int) -> tuple[Figure, Any, list[Axes]]:
    """Return a figure with panels, two side by side, and the part that holds them, whose labels clear its legend."""
    across = min(count, 2)
    down = math.ceil(count / across)
    figure = style.new_figure(5.6 * across + 0.5, 2.3 * down + 0.6)
    part: Any = figure.subfigures()
    axes = part.subplots(down, across, squeeze=False).flat
    for ax in axes[count:]:
        ax.remove()
    return figure, part, list(axes[:count])


def read_pair(df: Any, forecast_df: Any, columns: Columns | None) -> tuple[FrameRows, FrameRows]:
    """Check a history and the forecasts that belong to it."""
    history, forecast = FrameRows("df", df, columns), FrameRows("forecast_df", forecast_df, columns)
    history.need(history.columns.value, *((TARGET,) if forecast.has(TARGET) else ()))
    history.numbers(history.columns.value)
    stamps = [rows.times(rows.columns.ds) for rows in (history, forecast)]
    if (stamps[0].dtype.kind == "M") != (stamps[1].dtype.kind == "M"):
        raise forecast.wrong_type(forecast.columns.ds, f"stamps like those of df, {stamps[0].dtype}")
    return history, forecast


def series_columns(rows: FrameRows, name: Any) -> dict[str, Array]:
    """Return the columns of one series as arrays in the order of time, the time stamps as `""`."""
    places = np.flatnonzero(rows.names == name)
    if not len(places):
        return {"": rows.times(rows.columns.ds, local=True)[:0], rows.columns.value: np.zeros(0)}
    part = rows.take(places)
    stamps = part.times(part.columns.ds, local=True)
    order = np.argsort(part.times(part.columns.ds), kind="stable")
    arrays = {"": stamps[order]}
    for column in part.frame.columns:
        if column == CUTOFF:
            arrays[column] = part.times(column, local=True)[order]
        elif part.frame[column].dtype.is_numeric():
            arrays[column] = part.numbers(column)[order]
        elif part.frame[column].dtype == nw.Boolean:
            arrays[column] = part.frame[column].to_numpy()[order].astype(bool)
    return arrays


def label_axes(part: Any, columns: Columns, ylabel: str | None) -> None:
    """Label the axes, once for all panels."""
    default = Columns()
    part.supylabel(style.plain(ylabel or ("value" if columns.value == default.y else columns.value)), fontsize=10)
    part.supxlabel(style.plain("time" if columns.ds == default.ds else columns.ds), fontsize=10)


def _series(
    ax: Axes,
    history: dict[str, Array],
    forecast: dict[str, Array],
    rows: FrameRows,
    models: list[str],
    last: int | None,
) -> None:
    y, stamps, forecast_stamps = rows.columns.value, history[""], forecast[""]
    steps, places = np.unique(forecast_stamps, return_index=True)
    first = int(np.searchsorted(stamps, steps[0]))
    recent = slice(max(0, first - (last or max(30, 2 * len(steps)))), None)
    crowd = len(stamps[recent]) + len(steps)
    style.line(ax, stamps[recent], history[y][recent], "past", style.PAST_LINE, crowd=crowd)
    if y in forecast:
        style.line(ax, steps, forecast[y][places], "truth", style.TRUTH_LINE, crowd=crowd)
    # Without cutoffs everything was forecast at once, from the last row before it.
    cutoffs = forecast.get(CUTOFF, np.full(len(forecast_stamps), stamps[first - 1] if first else steps[0]))
    for cutoff in np.unique(cutoffs):
        part = {name: column[cutoffs == cutoff] for name, column in forecast.items()}
        for number, model in enumerate(models):
            style.line(ax, part[""], part[model], style.spoken(model), style.model_style(number), crowd=crowd)
            _bands(ax, part, model, rows.bounds(model), style.MODELS[number % len(style.MODELS)])
        style.guide(ax, cutoff, "cutoff")
    style.time_axis(ax, forecast_stamps)


def _bands(ax: Axes, part: dict[str, Array], model: str, bounds: dict[float, tuple[str, str]], colour: str) -> None:
    """Draw a model's intervals over each other, the widest first; it alone is in the legend, for all."""
    levels = [level_text(level) for level in bounds]
    label = style.plain(f"{style.spoken(model)}, {' and '.join(levels)} % interval{'s' * (len(levels) > 1)}")
    for below, above in reversed(list(bounds.values())):
        ax.fill_between(
            part[""], part[below], part[above], color=colour, alpha=0.18, linewidth=0, zorder=1, label=label
        )
        label = "_nolegend_"


OUTLIER, GAP = style.MODELS[0], style.MODELS[4]


@matplotlib.rc_context(style.STYLE)
def history_frame(description: Description, *, max_series: int = 8, ylabel: str | None = None) -> Figure:
    """Draw series with their gaps and outliers, one panel a series.

    Args:
        description: The result of `seqcast.data.describe`.
        max_series: Most panels: the first series.
        ylabel: What the values are, with their unit; `None` writes the name of the column, unless it is `y`.

    Returns:
        The figure.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data import describe
        >>> days = pd.date_range("2024-01-01", periods=40)
        >>> figure = history_frame(describe(pd.DataFrame({"ds": days, "y": range(40)})))
        >>> figure.axes[0].get_title()
        'series: 40 rows, trend 1.00, season 0.00'
    """
    check_int("max_series", max_series)
    frame, facts = description.frame, description.series
    targets = len(frame.schema.columns.targets)
    count = len(frame.source.ids)
    drawn = facts[:max_series]
    figure, part, axes = _panels(len(drawn))
    for number, ax in enumerate(axes):
        target, place = divmod(number, count)
        rows = slice(int(frame.source.starts[place]), int(frame.source.ends[place]))
        values, stamps = frame.targets[rows, target], frame.stamps[rows]
        when = stamps.to_numpy() if stamps.dtype.kind in "iu" else stamps.tz_localize(None).to_numpy()
        ax.plot(when, values, color=style.PAST, linewidth=1.1, label="values")
        missing = np.isnan(values)
        if missing.any():
            low = np.nanmin(values) if not missing.all() else 0.0
            ax.plot(when[missing], np.full(int(missing.sum()), low), "|", color=GAP, markersize=9, label="missing")
        far = is_outlier(values)
        if far.any():
            ax.plot(
                when[far], values[far], "o", color=OUTLIER, markersize=5, fillstyle="none", label="far from the rest"
            )
        ax.set_title(style.plain(style.short(_title(drawn[number]), 60)))
        style.time_axis(ax, when)
    label_axes(part, frame.schema.columns, ylabel)
    total = len(facts)
    style.finish(figure, f"{len(drawn)} of {total} series" if len(drawn) < total or targets > 1 else None)
    return figure


def _title(facts: Any) -> str:
    season = f", season {facts.season:.2f}" if facts.season == facts.season else ""
    return f"{facts.name}: {facts.rows} rows, trend {facts.trend:.2f}{season}"


SCORE, TRAINED = "score", "trained_on"


@matplotlib.rc_context(style.STYLE)
def anomaly_frame(
    judged: Any,
    *,
    columns: Columns | None = None,
    max_series: int = 4,
    last: int | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draw rows with the intervals that they are judged by, one panel a series, those with the most unusual rows first.

    Args:
        judged: The result of `Forecaster.anomalies`.
        columns: Names of the columns.
        max_series: Most panels.
        last: Rows of each series to draw, the last ones; `None` draws all.
        ylabel: What the values are, with their unit; `None` writes the name of the column, unless it is `y`.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type.

    Example:
        >>> import pandas as pd
        >>> judged = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [0.0, 9.0, 0.0], "seqcast": 0.0})
        >>> judged = judged.assign(**{"seqcast-lo-99": -3.0, "seqcast-hi-99": 3.0, "score": [0.0, 3.0, 0.0]})
        >>> anomaly_frame(judged).axes[0].get_title()
        'a: 1 of 3 rows outside'
    """
    check_int("max_series", max_series)
    if last is not None:
        check_int("last", last)
    rows = FrameRows("judged", judged, columns)
    rows.need(rows.columns.value, SCORE)
    model, bounds = _judged_by(rows)
    scores, names = rows.numbers(SCORE), rows.names
    worst: dict[Any, float] = {}
    for name, score in zip(names.tolist(), scores.tolist(), strict=True):
        worst[name] = max(worst.get(name, 0.0), score)
    drawn = sorted(worst, key=lambda name: -worst[name])[:max_series]
    figure = style.new_figure(11.0, 2.5 * len(drawn) + 0.5)
    part: Any = figure.subfigures()
    for ax, name in zip(part.subplots(len(drawn), 1, squeeze=False)[:, 0], drawn, strict=True):
        series = series_columns(rows, name)
        count, outside = len(series[SCORE]), int((series[SCORE] > 1).sum())
        ax.set_title(style.plain(f"{style.short(str(name), 60)}: {outside} of {count} rows outside"))
        newest = {column: values[-(last or count) :] for column, values in series.items()}
        _judged(ax, newest, rows.columns.value, model, bounds)
    label_axes(part, rows.columns, ylabel)
    title = f"{len(drawn)} of {len(worst)} series, those with the most unusual rows"
    style.finish(figure, title if len(drawn) < len(worst) else None)
    return figure


def _judged_by(rows: FrameRows) -> tuple[str, dict[float, tuple[str, str]]]:
    """Return the column of the forecast, and those of its interval's bounds."""
    for model in rows.models(None):
        bounds = rows.bounds(model)
        if bounds:
            return model, bounds
    raise DataError(
        option="judged",
        expected="columns of a forecast and its interval, such as 'seqcast', 'seqcast-lo-99' and 'seqcast-hi-99'",
        received=f"the columns {', '.join(map(repr, rows.frame.columns))}",
        hint="Give what Forecaster.anomalies returns.",
    )


def _judged(ax: Axes, series: dict[str, Array], value: str, model: str, bounds: dict[float, tuple[str, str]]) -> None:
    when, values = series[""], series[value]
    level, (below, above) = list(bounds.items())[-1]
    label = f"{style.spoken(model)}, {level_text(level)} % interval"
    shade = style.tint(style.MODELS[4], 0.35)
    ax.fill_between(when, series[below], series[above], color=shade, linewidth=0, zorder=1, label=style.plain(label))
    ax.plot(when, series[model], color=style.MODELS[4], linewidth=1.0, zorder=2, label=style.plain(style.spoken(model)))
    ax.plot(when, values, color=style.PAST, linewidth=1.0, zorder=3, label="values")
    outside = series[SCORE] > 1
    ax.plot(
        when[outside], values[outside], "o", color=style.MODELS[0], markersize=6, fillstyle="none", markeredgewidth=1.5,
        zorder=4, label="outside",
    )  # fmt: skip
    trained = series.get(TRAINED, np.zeros(0, dtype=bool))
    if trained.any() and not trained.all():
        style.guide(ax, when[trained][-1], "end of training")
    style.time_axis(ax, when)


COLUMNS, EXAMPLES = 3, 3


@matplotlib.rc_context(style.STYLE)
def family_chart(
    *, length: int = 144, season_length: int = 12, seed: int = 0, title: str | None = "Families of synthetic series"
) -> Figure:
    """Draw three series of each family that `seqcast.data.synthetic` knows.

    Args:
        length: Steps of each series.
        season_length: Steps of their season.
        seed: Seed of the series.
        title: Title of the figure.

    Returns:
        The figure; each series has a unit of its own, so it has no scale.

    Example:
        >>> figure = family_chart(length=24)
        >>> len(figure.axes) == len(FAMILIES)
        True
    """
    length = check_int("length", length)
    rows = -(-len(FAMILIES) // COLUMNS)
    figure = style.new_figure(3.4 * COLUMNS, 1.9 * rows + 0.6)
    for place, name in enumerate(FAMILIES):
        ax = figure.add_subplot(rows, COLUMNS, place + 1)
        values = synthetic_series(name, EXAMPLES, length, season_length=season_length, seed=seed)
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        inside = (values - low) / np.maximum(high - low, 1e-9)
        for row, curve in enumerate(inside):
            ax.plot(np.arange(length), curve + 1.2 * (EXAMPLES - 1 - row), color=style.MODELS[row], linewidth=0.9)
        ax.set_title(name.replace("_", " "))
        ax.set_yticks([])
        if place >= len(FAMILIES) - COLUMNS:
            ax.set_xlabel(f"step, of {season_length} a season")
    style.finish(figure, title)
    return figure
