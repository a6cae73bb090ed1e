"""Forecast fans: one model's intervals of all levels, many series in a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqcast.errors import SpecError
from seqcast.evaluation import CUTOFF, FrameRows
from seqcast.intervals import level_text
from seqcast.plots import style
from seqcast.plots.series import label_axes, read_pair, series_columns
from seqcast.specs import Columns, check_int

Array = npt.NDArray[Any]

_ACROSS = 4  # panels side by side at most


@matplotlib.rc_context(style.STYLE)
def forecast_fans(
    df: Any,
    forecast_df: Any,
    *,
    model: str | None = None,
    level: Sequence[float] | None = None,
    max_series: int = 12,
    last: int | None = None,
    columns: Columns | None = None,
    ylabel: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a model's forecasts of many series with their intervals, small panels in a grid.

    Of a backtest the last cutoff of each series is drawn, with what came then.

    Args:
        df: The history, pandas or Polars; one row a series and time, in any order.
        forecast_df: Forecasts of the same kind, with bounds such as `seqcast-lo-80` and `seqcast-hi-80`.
        model: The forecast's column; `None` takes the first that has intervals, or else the first.
        level: Levels to draw, in per cent; `None` draws all.
        max_series: Most panels: the first series of `forecast_df`.
        last: Values of history before the forecast; `None` draws three times the forecast's length, at least 20.
        columns: Names of the columns.
        ylabel: What the values are, with their unit; `None` writes the name of the column, unless it is `y`.
        title: Title of the figure; `None` says which part of the series is shown, if not all.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type, or there are no rows.
        SpecError: There is no such model or level.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> forecast = pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]})
        >>> figure = forecast_fans(past, forecast.assign(**{"seqcast-lo-80": 3.0, "seqcast-hi-80": 6.0}))
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['past', 'seqcast', '80 % interval', 'cutoff']
    """
    history, forecast = read_pair(df, forecast_df, columns)
    check_int("max_series", max_series)
    if last is not None:
        check_int("last", last)
    model = _model(forecast, model)
    bounds = _levels(forecast, model, level)
    names = list(dict.fromkeys(forecast.names))
    drawn = names[:max_series]
    across = min(_ACROSS, math.ceil(math.sqrt(len(drawn))))
    down = math.ceil(len(drawn) / across)
    figure = style.new_figure(max(3.2 * across, 5.5) + 0.4, 2.1 * down + 0.7)
    part: Any = figure.subfigures()  # its labels keep clear of the figure's legend
    for i, ax in enumerate(part.subplots(down, across, squeeze=False).flat):
        if i >= len(drawn):
            ax.remove()
            continue
        before, after = (series_columns(rows, drawn[i]) for rows in (history, forecast))
        _fan(ax, before, after, model, bounds, last=last, columns=forecast.columns)
        ax.set_title(style.plain(style.short(str(drawn[i]), 34)), fontsize=9)
    label_axes(part, forecast.columns, ylabel)
    few = f"The first {len(drawn)} of {len(names)} series" if len(drawn) < len(names) else None
    style.finish(figure, title or few)
    return figure


def _model(forecast: FrameRows, model: str | None) -> str:
    models = forecast.models(None if model is None else [model])
    return next((name for name in models if forecast.bounds(name)), models[0])


def _levels(forecast: FrameRows, model: str, level: Sequence[float] | None) -> dict[float, tuple[str, str]]:
    bounds = forecast.bounds(model)
    if level is None:
        return bounds
    for each in level:
        if each not in bounds:
            known = ", ".join(level_text(known) for known in bounds)
            raise SpecError(
                "level",
                expected=f"one of {known}" if known else f"no level, since {model!r} has no intervals",
                received=repr(each),
                hint=f"Such a level needs columns like {model}-lo-{level_text(each)}.",
            )
    return {each: bounds[each] for each in sorted(level)}


def _fan(
    ax: Axes,
    history: dict[str, Array],
    forecast: dict[str, Array],
    model: str,
    bounds: dict[float, tuple[str, str]],
    last: int | None,
    columns: Columns,
) -> None:
    if CUTOFF in forecast:
        latest = forecast[CUTOFF] == forecast[CUTOFF].max()
        forecast = {name: column[latest] for name, column in forecast.items()}
    stamps, steps = history[""], forecast[""]
    first = int(np.searchsorted(stamps, steps[0]))
    # A backtest brings its own truth; what a history has after the cutoff is the same.
    stop = first if columns.value in forecast else None
    recent = slice(max(0, first - (last or max(20, 3 * len(steps)))), stop)
    crowd = 2 * (len(stamps[recent]) + len(steps))  # the panels are small
    style.line(ax, stamps[recent], history[columns.value][recent], "past", style.PAST_LINE, crowd=crowd)
    if columns.value in forecast:
        style.line(ax, steps, forecast[columns.value], "truth", style.TRUTH_LINE, crowd=crowd)
    style.line(ax, steps, forecast[model], style.spoken(model), style.model_style(0), crowd=crowd)
    shares = np.linspace(0.45, 0.15, len(bounds)) if len(bounds) > 1 else [0.3]
    for depth, ((each, (below, above)), share) in enumerate(zip(bounds.items(), shares, strict=False)):
        label = f"{level_text(each)} % interval"
        colour, order = style.tint(style.MODELS[0], float(share)), 0.9 - 0.01 * depth  # the wider, the further back
        ax.fill_between(steps, forecast[below], forecast[above], color=colour, linewidth=0, zorder=order, label=label)
    style.guide(ax, forecast[CUTOFF][0] if CUTOFF in forecast else (stamps[first - 1] if first else steps[0]), "cutoff")
    style.time_axis(ax, steps, most=5)
