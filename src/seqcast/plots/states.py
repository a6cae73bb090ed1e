"""Plots of states: principal components, paths, nearest windows, probes, units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.plots import style

Array = npt.NDArray[Any]

_MOST_GROUPS = 6


@matplotlib.rc_context(style.STYLE)
def state_map(
    points: Any,
    properties: Mapping[str, Any],
    *,
    explained: Sequence[float] | None = None,
    circular: Sequence[str] = (),
    title: str | None = "States by their principal components",
    columns: int = 3,
) -> Figure:
    """Draw states by two components, a panel a property, coloured by it.

    Args:
        points: Where each window's state lies, `[N, 2]`.
        properties: Properties by name, with their unit in the name: numbers, or up to six different texts, `[N]`.
        explained: Share of the variance in each direction, for the axes' names.
        circular: Names of properties whose end meets their beginning, such as an hour of the day.
        title: Title of the figure.
        columns: Most panels side by side.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together.

    Example:
        >>> figure = state_map(np.zeros((4, 2)), {"frequency": np.arange(4.0)}, explained=[0.7, 0.2])
        >>> figure.axes[0].get_xlabel()
        'first component (70 % of variance)'
    """
    where = as_array("points", points, (2,))
    if where.shape[1] != 2 or not properties:
        raise DataError(
            "points", expected="[N, 2], and a property", received=f"shape {where.shape}, {len(properties)} properties"
        )
    across = min(columns, len(properties))
    down = math.ceil(len(properties) / across)
    figure = style.new_figure(3.3 * across + 0.6, 3.0 * down + 0.5)
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for ax, (name, numbers_or_texts) in zip(axes.flat, properties.items(), strict=False):
        values = np.asarray(numbers_or_texts)
        if len(values) != len(where):
            raise DataError(f"properties[{name!r}]", expected=f"{len(where)} values", received=str(len(values)))
        ax.set_title(style.plain(name))
        if values.dtype.kind in "OUTSb":
            _coloured_groups(ax, where, values, name)
        else:
            colours = style.CIRCLE if name in circular else style.COLOURS
            marks = ax.scatter(where[:, 0], where[:, 1], c=values, cmap=colours, s=6, linewidths=0)
            figure.colorbar(marks, ax=ax, fraction=0.05, pad=0.02)
    for ax in axes.flat[len(properties) :]:
        ax.remove()
    first, second = _component_names(explained)
    for ax in axes[-1]:
        ax.set_xlabel(first)
    for ax in axes[:, 0]:
        ax.set_ylabel(second)
    style.finish(figure, title)
    return figure


def _component_names(explained: Sequence[float] | None) -> list[str]:
    shares = ["", ""] if explained is None else [f" ({100 * share:.0f} % of variance)" for share in explained[:2]]
    return [f"{word} component{share}" for word, share in zip(("first", "second"), shares, strict=True)]


def _coloured_groups(ax: Axes, where: Array, values: Array, name: str) -> None:
    groups = list(dict.fromkeys(values.tolist()))
    if len(groups) > _MOST_GROUPS:
        raise DataError(
            f"properties[{name!r}]",
            expected=f"numbers, or at most {_MOST_GROUPS} texts",
            received=f"{len(groups)} texts",
        )
    for number, group in enumerate(groups):
        colour, marker, _ = style.model_style(number)
        chosen = values == group
        ax.scatter(
            where[chosen, 0],
            where[chosen, 1],
            s=10,
            color=colour,
            marker=marker,
            linewidths=0,
            label=style.plain(str(group)),
        )


@matplotlib.rc_context(style.STYLE)
def state_paths(
    encoder: Any,
    decoder: Any = None,
    *,
    names: Sequence[str] | None = None,
    explained: Sequence[float] | None = None,
    title: str | None = "The way of the state",
) -> Figure:
    """Draw how the state of some windows moves while the encoder reads and while the decoder writes.

    Args:
        encoder: Where the state lies after each token of the past, `[N, tokens, 2]`.
        decoder: Where it lies after each token of the forecast, `[N, tokens, 2]`, if the two are comparable.
        names: A name a window.
        explained: Share of the variance in each direction.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together, or there are more than six windows.

    Example:
        >>> len(state_paths(np.zeros((2, 5, 2)), np.ones((2, 3, 2))).axes)
        1
    """
    encoder_paths = as_array("encoder", encoder, (3,))
    decoder_paths = None if decoder is None else as_array("decoder", decoder, (3,))
    if (
        encoder_paths.shape[2] != 2
        or len(encoder_paths) > _MOST_GROUPS
        or (decoder_paths is not None and len(decoder_paths) != len(encoder_paths))
    ):
        raise DataError(
            "encoder",
            expected=f"[N, tokens, 2] of at most {_MOST_GROUPS} windows, as many as decoder",
            received=f"shape {encoder_paths.shape}",
            hint="Choose windows and two components.",
        )
    figure = style.new_figure(6.0, 5.0)
    ax = figure.subplots()
    for number in range(len(encoder_paths)):
        colour, marker, _ = style.model_style(number)
        name = f"window {number + 1}" if names is None else str(names[number])
        ax.plot(*encoder_paths[number].T, color=colour, linewidth=1.2, alpha=0.7, label=style.plain(f"{name}, read"))
        ax.plot(*encoder_paths[number, -1], marker=marker, color=colour, markersize=8)
        if decoder_paths is not None:
            path = np.concatenate([encoder_paths[number, -1:], decoder_paths[number]])
            ax.plot(
                *path.T, color=colour, linewidth=1.2, linestyle=":", marker=".", label=style.plain(f"{name}, written")
            )
    ax.plot([], [], linestyle="none", marker="^", color=style.GUIDE, markersize=8, label="now: the end of the past")
    first, second = _component_names(explained)
    ax.set_xlabel(first)
    ax.set_ylabel(second)
    style.finish(figure, title)
    return figure


@matplotlib.rc_context(style.STYLE)
def similar_windows(
    windows: Any,
    similar: Mapping[int, Sequence[int]],
    *,
    names: Sequence[str] | None = None,
    xlabel: str = "step (0 is now)",
    ylabel: str = "value",
    title: str | None = "Windows that the network thinks are alike",
) -> Figure:
    """Draw some windows and their nearest neighbours, a panel a window.

    Args:
        windows: The past of each window, or a part of it, `[N, T]`.
        similar: For the number of each window to draw those of its neighbours, nearest first, as `nearest` finds them.
        names: A name a window, `[N]`, for the panels' titles.
        xlabel: What a step is.
        ylabel: What the values are, with their unit.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together, or nothing is to be drawn.

    Example:
        >>> figure = similar_windows(np.arange(12.0).reshape(4, 3), {0: [2, 1]}, names=list("abcd"))
        >>> figure.axes[0].get_title(loc="left")
        'a; nearest: c, b'
    """
    values = as_array("windows", windows, (2,))
    numbers = range(-len(values), len(values))
    if not similar or not all(place in numbers for window, near in similar.items() for place in (window, *near)):
        raise DataError(
            "similar", expected=f"numbers of some of the {len(values)} windows", received=repr(similar), hint="From 0."
        )
    words = [f"window {place}" for place in range(len(values))] if names is None else [str(name) for name in names]
    steps = np.arange(1 - values.shape[1], 1)
    figure = style.new_figure(10.0, 2.0 * len(similar) + 0.5)
    axes = np.atleast_1d(figure.subplots(len(similar), 1, sharex=True))
    for ax, (window, near) in zip(axes, similar.items(), strict=True):
        for rank, place in enumerate(near):
            colour, _, dash = style.model_style(rank)
            ax.plot(steps, values[place], color=colour, linestyle=dash, linewidth=1.0, label=f"nearest {rank + 1}")
        ax.plot(steps, values[window], color=style.PAST, linewidth=1.8, label="the window")
        title_of_panel = f"{words[window]}; nearest: {', '.join(words[place] for place in near)}"
        ax.set_title(style.plain(title_of_panel), loc="left", fontsize=9)
        ax.set_ylabel(style.plain(ylabel))
    axes[-1].set_xlabel(style.plain(xlabel))
    style.finish(figure, title)
    return figure


@matplotlib.rc_context(style.STYLE)
def probe_scores(table: Any, *, title: str | None = "What can be read from the state") -> Figure:
    """Draw how well properties can be predicted from states, beside the control.

    Args:
        table: The result of `seqcast.inspect.probe`.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> import pandas as pd
        >>> row = {"property": "frequency", "probe": "linear", "r2": 0.9, "r2_low": 0.8, "r2_high": 0.95}
        >>> figure = probe_scores(pd.DataFrame([{**row, "r2_permuted": -0.01}]))
        >>> figure.axes[0].get_xlabel()
        'R² on windows that the probe has not seen'
    """
    properties = list(dict.fromkeys(table["property"]))[::-1]
    probes = list(dict.fromkeys(table["probe"]))
    figure = style.new_figure(6.8, 0.5 * len(properties) + 1.4)
    ax = figure.subplots()
    for number, kind in enumerate(probes):
        rows = table[table["probe"] == kind].set_index("property").reindex(properties)
        colour, marker, _ = style.model_style(number)
        places = np.arange(len(properties)) + 0.16 * ((len(probes) - 1) / 2 - number)
        # A control may be far below zero; what counts is that it is not above.
        ax.hlines(
            places, np.clip(rows["r2_low"], -0.2, 1), np.clip(rows["r2_high"], -0.2, 1), color=colour, linewidth=1.2
        )
        ax.plot(
            np.clip(rows["r2"], -0.2, 1), places, linestyle="none", marker=marker, color=colour, label=f"{kind} probe"
        )
        ax.plot(
            np.clip(rows["r2_permuted"], -0.2, 1),
            places,
            linestyle="none",
            marker=marker,
            color=colour,
            markerfacecolor="white",
            label=f"{kind} probe, values permuted",
        )
    ax.axvline(0, color=style.GUIDE, linewidth=1.0, linestyle=":")
    ax.set_yticks(range(len(properties)), [style.plain(name) for name in properties])
    ax.set_xlim(-0.24, 1.04)
    ax.set_xlabel("R² on windows that the probe has not seen")
    style.finish(figure, title)
    return figure


@matplotlib.rc_context(style.STYLE)
def unit_chart(
    values: Mapping[str, Any], *, ylabel: str, title: str | None = None, guide_at: float | None = None
) -> Figure:
    """Draw one number a unit, a panel a layer, the largest first.

    Args:
        values: For each layer its name and a number a unit, `[n]`.
        ylabel: What the numbers are, with their unit.
        title: Title of the figure.
        guide_at: A number to compare with; marked.

    Returns:
        The figure.

    Raises:
        DataError: There is no layer.

    Example:
        >>> figure = unit_chart({"layer 1": [0.1, 0.5]}, ylabel="memory [steps]")
        >>> [float(bar.get_height()) for bar in figure.axes[0].patches]
        [0.5, 0.1]
    """
    if not values:
        raise DataError("values", expected="at least one layer", received="none", hint="Give a dict of arrays.")
    figure = style.new_figure(max(3.2 * len(values), 4.5) + 0.5, 3.0)
    axes = np.atleast_1d(figure.subplots(1, len(values), sharey=True))
    for number, (ax, (name, layer)) in enumerate(zip(axes, values.items(), strict=True)):
        ordered = np.sort(as_array(name, layer, (1,)))[::-1]
        ax.bar(np.arange(1, len(ordered) + 1), ordered, color=(style.PAST, *style.MODELS)[number % 7], width=0.8)
        if guide_at is not None:
            ax.axhline(guide_at, color=style.GUIDE, linewidth=1.0, linestyle=":")
        ax.set_title(style.plain(name))
        ax.set_xlabel("unit, the largest first")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes[0].set_ylabel(style.plain(ylabel))
    style.finish(figure, title)
    return figure
