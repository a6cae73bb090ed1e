"""Plots of windows: past, truth and forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.plots import style
from seqcast.specs import check_int

Array = npt.NDArray[Any]


@matplotlib.rc_context(style.STYLE)
def forecast_panels(
    past: Any,
    truth: Any,
    forecast: Any,
    *,
    titles: Sequence[str] | None = None,
    trained_horizon: int | None = None,
    suptitle: str | None = None,
    ylabel: str = "value",
    xlabel: str = "step",
    columns: int = 5,
) -> Figure:
    """Draw windows side by side: past, truth and forecast.

    Steps are counted from 1 at the first forecast step; the past has the steps up to 0.

    Args:
        past: Windows, `[N, T]` or `[N, T, 1]`.
        truth: True future, `[N, H]` or `[N, H, 1]` of any length; `None` when it is not known.
        forecast: Forecasts, `[N, H]` or `[N, H, 1]`.
        titles: One title a panel.
        trained_horizon: Steps that the network was trained to forecast; marked.
        suptitle: Title of the figure.
        ylabel: What the values are, with their unit.
        xlabel: What a step is, with its unit.
        columns: Most panels side by side.

    Returns:
        The figure.

    Raises:
        DataError: Arrays have other shapes.
        SpecError: An option is impossible.

    Example:
        >>> figure = forecast_panels(np.zeros((2, 15)), None, np.ones((2, 20)), trained_horizon=15)
        >>> len(figure.axes)
        2
    """
    before, written = _windows("past", past), _windows("forecast", forecast)
    actual = None if truth is None else _windows("truth", truth)
    panels = len(before)
    for where, other in (("truth", actual), ("forecast", written)):
        if other is not None and len(other) != panels:
            raise DataError(
                where,
                expected=f"as many windows as past, {panels}",
                received=str(len(other)),
                hint="Give one row a window.",
            )
    columns = min(check_int("columns", columns), panels)
    if titles is not None and len(titles) != panels:
        raise SpecError(
            "titles", expected=f"one a panel, {panels}", received=str(len(titles)), hint="Give that many, or None."
        )
    if trained_horizon is not None:
        check_int("trained_horizon", trained_horizon)
    names = [""] * panels if titles is None else [str(title) for title in titles]
    rows = math.ceil(panels / columns)
    figure = style.new_figure(max(2.6 * columns, 5.5) + 0.5, 2.1 * rows + 0.95)
    part: Any = figure.subfigures()  # its labels keep clear of the figure's legend
    axes = part.subplots(rows, columns, sharex=True, squeeze=False)
    _window_grid(axes, before, actual, written, names=names, trained_horizon=trained_horizon)
    part.supxlabel(style.plain(xlabel), fontsize=10)
    part.supylabel(style.plain(ylabel), fontsize=10)
    style.finish(figure, suptitle)
    return figure


def _windows(where: str, values: Any) -> Array:
    array = as_array(where, values, (2, 3))
    if array.size == 0 or array.shape[2:] not in ((), (1,)):
        raise DataError(
            where,
            expected="at least one window, [N, steps] or [N, steps, 1]",
            received=f"shape {array.shape}",
            hint="Choose windows, and one target: values[:10, :, 0].",
        )
    return array.reshape(array.shape[:2])


def _window_grid(
    axes: Any, past: Array, truth: Array | None, forecast: Array, *, names: list[str], trained_horizon: int | None
) -> None:
    columns = axes.shape[1]
    for i, ax in enumerate(axes.flat):
        if i >= len(past):
            ax.remove()
            continue
        style.line(ax, np.arange(1 - past.shape[1], 1), past[i], "past", style.PAST_LINE)
        if truth is not None:
            style.line(ax, np.arange(1, truth.shape[1] + 1), truth[i], "truth", style.TRUTH_LINE)
        style.line(ax, np.arange(1, forecast.shape[1] + 1), forecast[i], "forecast", style.model_style(0))
        ax.axvline(0, color=style.GUIDE, linewidth=1.2, label="now", zorder=1)
        if trained_horizon is not None:
            style.guide(ax, trained_horizon, "trained horizon")
        if names[i]:
            ax.set_title(style.plain(style.short(names[i], 24)))
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
        if i + columns >= len(past):  # the last of its column, though there may be room below
            ax.tick_params(labelbottom=True)
