"""Plots of what is known: series with their gaps and outliers."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from seqcast.data import Description, is_outlier
from seqcast.plots.series import label_axes
from seqcast.plots.style import MODELS, PAST, STYLE, finish, new_figure, plain, short, time_axis
from seqcast.specs import check_int

OUTLIER, GAP = MODELS[0], MODELS[4]


@matplotlib.rc_context(STYLE)
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
    across = min(len(drawn), 2)
    down = math.ceil(len(drawn) / across)
    figure = new_figure(5.6 * across + 0.5, 2.3 * down + 0.6)
    part: Any = figure.subfigures()
    axes = part.subplots(down, across, squeeze=False)
    for number, ax in enumerate(axes.flat):
        if number >= len(drawn):
            ax.remove()
            continue
        target, place = divmod(number, count)
        rows = slice(int(frame.source.starts[place]), int(frame.source.ends[place]))
        values, stamps = frame.targets[rows, target], frame.stamps[rows]
        when = stamps.to_numpy() if stamps.dtype.kind in "iu" else stamps.tz_localize(None).to_numpy()
        ax.plot(when, values, color=PAST, linewidth=1.1, label="values")
        missing = np.isnan(values)
        if missing.any():
            low = np.nanmin(values) if not missing.all() else 0.0
            ax.plot(when[missing], np.full(int(missing.sum()), low), "|", color=GAP, markersize=9, label="missing")
        far = is_outlier(values)
        if far.any():
            ax.plot(
                when[far], values[far], "o", color=OUTLIER, markersize=5, fillstyle="none", label="far from the rest"
            )
        ax.set_title(plain(short(_title(drawn[number]), 60)))
        time_axis(ax, when)
    label_axes(part, frame.schema.columns, ylabel)
    total = len(facts)
    finish(figure, f"{len(drawn)} of {total} series" if len(drawn) < total or targets > 1 else None)
    return figure


def _title(facts: Any) -> str:
    season = f", season {facts.season:.2f}" if facts.season == facts.season else ""
    return f"{facts.name}: {facts.rows} rows, trend {facts.trend:.2f}{season}"
