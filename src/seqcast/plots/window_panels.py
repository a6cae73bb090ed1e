"""Panels of windows: with their truth and forecast, or with their nearest neighbours."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.plots import style
from seqcast.runtime import Array
from seqcast.specs import check_int


@matplotlib.rc_context(style.STYLE)
def forecast_panels(
    past: ArrayLike,
    truth: ArrayLike | None,
    forecast: ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    trained_horizon: int | None = None,
    suptitle: str | None = None,
    ylabel: str = "value",
    xlabel: str = "step",
    columns: int = 5,
) -> Figure:
    """Draw past, truth and forecast of windows, a panel for each window.

    The first forecast step is 1; the past has the steps up to 0.

    Args:
        past: Windows, `[N, T]` or `[N, T, 1]`.
        truth: True future, `[N, H]` or `[N, H, 1]` of any length; `None` if it is not known.
        forecast: Forecasts, `[N, H]` or `[N, H, 1]`.
        titles: Titles of the panels.
        trained_horizon: The trained horizon of the network, to mark.
        suptitle: Title of the figure.
        ylabel: Name of the values, with their unit.
        xlabel: Name of a step, with its unit.
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
    before = _windows("past", past)
    count = len(before)
    actual = None if truth is None else _windows("truth", truth, count)
    written = _windows("forecast", forecast, count)

    check_int("columns", columns)
    if titles is not None and len(titles) != count:
        raise SpecError(
            "titles",
            expected=f"{count}, one a panel",
            received=str(len(titles)),
            hint="Give one a window, or None.",
        )
    if trained_horizon is not None:
        check_int("trained_horizon", trained_horizon)

    figure, grid, axes = style.new_panels(
        count, columns, 2.6, 2.1, margins=(0.5, 0.95), sharex=True
    )

    for i, ax in enumerate(axes):
        style.line(ax, np.arange(1 - before.shape[1], 1), before[i], "past", style.PAST_LINE)
        if actual is not None:
            style.line(ax, np.arange(1, actual.shape[1] + 1), actual[i], "truth", style.TRUTH_LINE)
        style.line(
            ax, np.arange(1, written.shape[1] + 1), written[i], "forecast", style.model_style(0)
        )
        ax.axvline(0, color=style.GUIDE, linewidth=1.2, label="now", zorder=1)
        if trained_horizon is not None:
            style.guide(ax, trained_horizon, "trained horizon")
        ax.set_title(style.plain(str(titles[i]), 24) if titles else "")
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))

    style.label_grid(grid, xlabel, ylabel)
    return style.finish(figure, suptitle)


def _windows(where: str, values: ArrayLike, count: int | None = None) -> Array:
    """Return windows as `[N, steps]`; reject a number of windows other than `count`."""
    array = as_array(where, values, (2, 3))
    if array.size == 0 or array.shape[2:] not in ((), (1,)):
        raise DataError(
            where,
            expected="at least one window, [N, steps] or [N, steps, 1]",
            received=f"shape {array.shape}",
            hint="Choose windows, and one target: values[:10, :, 0].",
        )

    if count is not None and len(array) != count:
        raise DataError(
            where,
            expected=f"{count} windows, as in past",
            received=str(len(array)),
            hint="Give one row a window.",
        )

    return array.reshape(array.shape[:2])


@matplotlib.rc_context(style.STYLE)
def similar_windows(
    windows: ArrayLike,
    similar: Mapping[int, Sequence[int]],
    *,
    names: Sequence[str] | None = None,
    xlabel: str = "step (0 is now)",
    ylabel: str = "value",
    title: str | None = "Windows that the network thinks are alike",
) -> Figure:
    """Draw some windows with their nearest neighbours, a panel for each window.

    Args:
        windows: The past of each window, or its last steps, `[N, T]`.
        similar: Numbers of the neighbours, nearest first, by the number of the window, as from
            `nearest`.
        names: Names of the windows, `[N]`, for the titles of panels.
        xlabel: Name of a step.
        ylabel: Name of the values, with their unit.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together, or there is no window to draw.

    Example:
        >>> figure = similar_windows(np.arange(12.0).reshape(4, 3), {0: [2, 1]}, names=list("abcd"))
        >>> figure.axes[0].get_title(loc="left")
        'a; nearest: c, b'
    """
    values = as_array("windows", windows, (2,))
    numbers = range(-len(values), len(values))
    if not similar or not all(
        place in numbers for window, near in similar.items() for place in (window, *near)
    ):
        raise DataError(
            "similar",
            expected=f"numbers of some of the {len(values)} windows",
            received=repr(similar),
            hint="From 0.",
        )

    if names is None:
        names = [f"window {place}" for place in range(len(values))]
    words = list(map(str, names))

    steps = np.arange(1 - values.shape[1], 1)
    figure, grid, axes = style.new_panels(
        len(similar), 1, 10.0, 2.0, margins=(0.0, 0.5), sharex=True
    )

    for ax, (window, near) in zip(axes, similar.items(), strict=True):
        for rank, place in enumerate(near):
            colour, _, dash = style.model_style(rank)
            ax.plot(
                steps,
                values[place],
                color=colour,
                linestyle=dash,
                linewidth=1.0,
                label=f"nearest {rank + 1}",
            )
        ax.plot(steps, values[window], color=style.PAST, linewidth=1.8, label="the window")
        title_of_panel = f"{words[window]}; nearest: {', '.join(words[place] for place in near)}"
        ax.set_title(style.plain(title_of_panel), loc="left", fontsize=9)

    style.label_grid(grid, xlabel, ylabel)
    return style.finish(figure, title)
