"""Plots of unusual values: rows beside the intervals of forecasts from the rows before them."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqcast.errors import DataError
from seqcast.evaluation import FrameRows
from seqcast.intervals import level_text
from seqcast.plots.series import label_axes, series_columns
from seqcast.plots.style import (
    MODELS,
    PAST,
    STYLE,
    finish,
    guide,
    new_figure,
    plain,
    short,
    spoken,
    time_axis,
    tint,
)
from seqcast.specs import Columns, check_int

Array = npt.NDArray[Any]

SCORE, TRAINED = "score", "trained_on"


@matplotlib.rc_context(STYLE)
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
    figure = new_figure(11.0, 2.5 * len(drawn) + 0.5)
    part: Any = figure.subfigures()
    for ax, name in zip(part.subplots(len(drawn), 1, squeeze=False)[:, 0], drawn, strict=True):
        series = series_columns(rows, name)
        count, outside = len(series[SCORE]), int((series[SCORE] > 1).sum())
        ax.set_title(plain(f"{short(str(name), 60)}: {outside} of {count} rows outside"))
        newest = {column: values[-(last or count) :] for column, values in series.items()}
        _series(ax, newest, rows.columns.value, model, bounds)
    label_axes(part, rows.columns, ylabel)
    title = f"{len(drawn)} of {len(worst)} series, those with the most unusual rows"
    finish(figure, title if len(drawn) < len(worst) else None)
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


def _series(ax: Axes, series: dict[str, Array], value: str, model: str, bounds: dict[float, tuple[str, str]]) -> None:
    when, values = series[""], series[value]
    level, (below, above) = list(bounds.items())[-1]
    label = f"{spoken(model)}, {level_text(level)} % interval"
    shade = tint(MODELS[4], 0.35)
    ax.fill_between(when, series[below], series[above], color=shade, linewidth=0, zorder=1, label=plain(label))
    ax.plot(when, series[model], color=MODELS[4], linewidth=1.0, zorder=2, label=plain(spoken(model)))
    ax.plot(when, values, color=PAST, linewidth=1.0, zorder=3, label="values")
    outside = series[SCORE] > 1
    ax.plot(
        when[outside], values[outside], "o", color=MODELS[0], markersize=6, fillstyle="none", markeredgewidth=1.5,
        zorder=4, label="outside",
    )  # fmt: skip
    trained = series.get(TRAINED, np.zeros(0, dtype=bool))
    if trained.any() and not trained.all():
        guide(ax, when[trained][-1], "end of training")
    time_axis(ax, when)
