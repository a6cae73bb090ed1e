"""Plots of long frames: series with their forecasts."""

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

from seqcast.evaluation import CUTOFF, TARGET, FrameRows
from seqcast.intervals import level_text
from seqcast.plots.style import (
    MODELS,
    PAST_LINE,
    STYLE,
    TRUTH_LINE,
    finish,
    guide,
    line,
    model_style,
    new_figure,
    plain,
    short,
    spoken,
    time_axis,
)
from seqcast.specs import Columns, check_int

Array = npt.NDArray[Any]


@matplotlib.rc_context(STYLE)
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
    across = min(len(drawn), 2)
    down = math.ceil(len(drawn) / across)
    figure = new_figure(5.6 * across + 0.5, 2.3 * down + 0.6)
    part: Any = figure.subfigures()  # its labels keep clear of the figure's legend
    axes = part.subplots(down, across, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(drawn):
            ax.remove()
            continue
        before, after = (series_columns(rows, drawn[i]) for rows in (history, forecast))
        _series(ax, before, after, forecast, models, last=last)
        ax.set_title(plain(short(str(drawn[i]), 60)))
    label_axes(part, forecast.columns, ylabel)
    finish(figure, f"{len(drawn)} of {len(names)} series" if len(drawn) < len(names) else None)
    return figure


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
    part.supylabel(plain(ylabel or ("value" if columns.value == default.y else columns.value)), fontsize=10)
    part.supxlabel(plain("time" if columns.ds == default.ds else columns.ds), fontsize=10)


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
    line(ax, stamps[recent], history[y][recent], "past", PAST_LINE, crowd=crowd)
    if y in forecast:
        line(ax, steps, forecast[y][places], "truth", TRUTH_LINE, crowd=crowd)
    # Without cutoffs everything was forecast at once, from the last row before it.
    cutoffs = forecast.get(CUTOFF, np.full(len(forecast_stamps), stamps[first - 1] if first else steps[0]))
    for cutoff in np.unique(cutoffs):
        part = {name: column[cutoffs == cutoff] for name, column in forecast.items()}
        for number, model in enumerate(models):
            line(ax, part[""], part[model], spoken(model), model_style(number), crowd=crowd)
            _bands(ax, part, model, rows.bounds(model), MODELS[number % len(MODELS)])
        guide(ax, cutoff, "cutoff")
    time_axis(ax, forecast_stamps)


def _bands(ax: Axes, part: dict[str, Array], model: str, bounds: dict[float, tuple[str, str]], colour: str) -> None:
    """Draw a model's intervals over each other, the widest first; it alone is in the legend, for all."""
    levels = [level_text(level) for level in bounds]
    label = plain(f"{spoken(model)}, {' and '.join(levels)} % interval{'s' * (len(levels) > 1)}")
    for below, above in reversed(list(bounds.values())):
        ax.fill_between(
            part[""], part[below], part[above], color=colour, alpha=0.18, linewidth=0, zorder=1, label=label
        )
        label = "_nolegend_"
