"""Plots of repeated experiments: the mean, and the range of the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.plots.style import GUIDE, PAST, STYLE, finish, guide, line, model_style, new_figure, plain

Array = npt.NDArray[Any]
Curves = Mapping[str, tuple[Any, Any]]

_MOST_NAMED = 6  # places of a logarithmic x axis that are named one by one


@matplotlib.rc_context(STYLE)
def repeated_runs(
    panels: Mapping[str, Curves],
    *,
    xlabel: str | Mapping[str, str],
    ylabel: str | Mapping[str, str],
    title: str | None = None,
    logx: bool = False,
    logy: bool = False,
    guides: Mapping[float, str] | None = None,
    lowest: float | None = None,
    columns: int = 2,
) -> Figure:
    """Draw curves that were measured several times, with a band from the smallest to the largest run.

    Args:
        panels: For each panel its name (`""` for none) and its curves: by name `x`, `[n]`, and `y`, `[runs, n]` or
            `[n]`.
        xlabel: Name of the x axis, with its unit; a mapping gives each panel its own.
        ylabel: Name of the y axis, with its unit; a mapping gives each panel its own.
        title: Title of the figure.
        logx: Whether x is logarithmic.
        logy: Whether y is.
        guides: Places on the x axis to mark, and what they are.
        lowest: Where a logarithmic y axis begins, so that what is all but zero does not squash the rest.
        columns: Most panels side by side.

    Returns:
        The figure.

    Raises:
        DataError: A curve's arrays do not fit together.

    Example:
        >>> figure = repeated_runs({"": {"seqcast": ([1, 2], [[3.0, 4.0], [5.0, 6.0]])}}, xlabel="step", ylabel="error")
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [4.0, 5.0]
    """
    if not panels:
        raise DataError("panels", expected="at least one", received="none", hint="Give a dict of curves.")
    across = min(columns, len(panels))
    down = math.ceil(len(panels) / across)
    separate_axes = isinstance(xlabel, Mapping) or isinstance(ylabel, Mapping)
    figure = new_figure(6.4 if across == 1 else 4.3 * across, (3.9 if down == 1 else 3.1 * down) + 0.2)
    axes = figure.subplots(down, across, squeeze=False, sharey=not separate_axes)
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for number, (panel, curves) in enumerate(panels.items()):
        ax = axes.flat[number]
        for name, (x, y) in curves.items():
            _curve(ax, name, names.index(name), x, y)
        for place, label in (guides or {}).items():
            guide(ax, place, label)
        ax.set_title(plain(panel))
        ax.set_xlabel(plain(xlabel[panel] if isinstance(xlabel, Mapping) else xlabel))
        if separate_axes or number % across == 0:
            ax.set_ylabel(plain(ylabel[panel] if isinstance(ylabel, Mapping) else ylabel))
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax in figure.axes:  # when all is drawn: panels share an axis
        _scale(ax, logx=logx, logy=logy, lowest=lowest)
    finish(figure, title)
    return figure


def _curve(ax: Axes, name: str, number: int, x: Any, y: Any) -> None:
    places = as_array(f"x of {name!r}", x, (1,))
    runs = np.atleast_2d(as_array(f"y of {name!r}", y, (1, 2)))
    if runs.shape[1] != len(places):
        raise DataError(f"y of {name!r}", expected=f"{len(places)} numbers a run", received=f"shape {runs.shape}")
    style = model_style(number)
    line(ax, places, runs.mean(axis=0), name, style)
    if len(runs) > 1:
        ends = runs.min(axis=0), runs.max(axis=0)
        ax.fill_between(places, *ends, color=style[0], alpha=0.15, linewidth=0)
        ax.fill_between([], [], [], color=GUIDE, alpha=0.3, linewidth=0, label="smallest to largest run")


def _scale(ax: Axes, *, logx: bool, logy: bool, lowest: float | None) -> None:
    if logx:
        ax.set_xscale("log")
        places = np.unique(np.concatenate([np.asarray(drawn.get_xdata(), dtype=float) for drawn in ax.lines]))
        if len(places) <= _MOST_NAMED:
            ax.set_xticks(places, [_short_number(place) for place in places])
            ax.set_xticks([], minor=True)
        else:
            _name_decades(ax.xaxis, few=100)
    elif all((np.asarray(drawn.get_xdata(), dtype=float) % 1 == 0).all() for drawn in ax.lines):
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if logy:
        ax.set_yscale("log")
        if lowest is not None:
            ax.set_ylim(bottom=lowest)
        _name_decades(ax.yaxis)
    else:
        low = min(np.nanmin(np.asarray(drawn.get_ydata(), dtype=float)) for drawn in ax.lines)
        if low >= 0:
            ax.set_ylim(bottom=0)


def _short_number(value: float, _: Any = None) -> str:
    """Write a number of an axis.

    Example:
        >>> [_short_number(value) for value in (30000.0, 2.0, 0.00005)]
        ['30,000', '2', '0.00005']
    """
    return f"{value:,.0f}" if value >= 1 else f"{value:.6f}".rstrip("0")


def _name_decades(axis: Any, few: float = 1e5) -> None:
    """Label 1, 2 and 5 of each decade, or 1 alone where the axis spans more than the factor `few`."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if high < few * low else (1.0,)))
    axis.set_major_formatter(_short_number)
    axis.set_minor_formatter(NullFormatter())


@matplotlib.rc_context(STYLE)
def dot_chart(
    rows: Mapping[str, Any], *, xlabel: str, title: str | None = None, logx: bool = False, runs: str = "a run"
) -> Figure:
    """Draw one number of each of several things, all runs as dots and their mean as a mark, the smallest mean on top.

    Args:
        rows: For each thing its name and a number a run, `[runs]`.
        xlabel: What the numbers are, with their unit.
        title: Title of the figure.
        logx: Whether the axis is logarithmic.
        runs: What a dot is, for the legend.

    Returns:
        The figure.

    Raises:
        DataError: There is nothing to draw.

    Example:
        >>> figure = dot_chart({"deep": [2.0, 3.0], "wide": [1.0]}, xlabel="error")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['deep', 'wide']
    """
    if not rows:
        raise DataError("rows", expected="at least one", received="none", hint="Give a dict of arrays.")
    arrays = {name: as_array(f"rows[{name!r}]", values, (1,)) for name, values in rows.items()}
    ordered = sorted(arrays, key=lambda name: float(-arrays[name].mean()))
    longest = max(map(len, ordered))
    figure = new_figure(5.0 + 0.065 * longest, 0.34 * len(ordered) + 1.3)
    ax = figure.subplots()
    colour = model_style(0)[0]
    for place, name in enumerate(ordered):
        values = arrays[name]
        ax.plot(values, np.full(len(values), place), linestyle="none", marker="o", markersize=4, color=PAST, alpha=0.5,
                label=runs)  # fmt: skip
        ax.plot(values.mean(), place, linestyle="none", marker="D", markersize=6, color=colour, label="mean")
    ax.set_yticks(range(len(ordered)), [plain(name) for name in ordered])
    ax.set_xlabel(plain(xlabel))
    if logx:
        ax.set_xscale("log")
        _name_decades(ax.xaxis)
    finish(figure, title)
    return figure
