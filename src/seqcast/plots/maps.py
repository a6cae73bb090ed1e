"""Heat maps: of any table, of sensitivities, of attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.plots.style import COLOURS, STYLE, finish, new_figure, plain

Array = npt.NDArray[Any]


@matplotlib.rc_context(STYLE)
def heat_map(
    maps: Mapping[str, Any],
    *,
    x: Mapping[str, Any] | Any,
    y: Any,
    xlabel: str,
    ylabel: str,
    value: str,
    title: str | None = None,
    columns: int = 3,
    colours: str = COLOURS,
    low: float | None = None,
    high: float | None = None,
) -> Figure:
    """Draw tables of numbers as colours, one panel each, on one scale.

    Args:
        maps: For each panel its name and numbers, `[len(y), len(x)]`.
        x: What the columns are, numbers or texts; a mapping gives each panel its own.
        y: What the rows are.
        xlabel: Name of the columns, with their unit.
        ylabel: Name of the rows.
        value: What the colours mean, with the unit.
        title: Title of the figure.
        columns: Most panels side by side.
        colours: Name of matplotlib's colours.
        low: Where the scale begins; the smallest number if absent.
        high: Where it ends; larger numbers have the last colour.

    Returns:
        The figure.

    Raises:
        DataError: A panel has another shape.

    Example:
        >>> figure = heat_map(
        ...     {"all": np.eye(3)}, x=[-2, -1, 0], y=[1, 2, 3], xlabel="step", ylabel="step ahead", value="share"
        ... )
        >>> figure.axes[0].get_title()
        'all'
    """
    if not maps:
        raise DataError("maps", expected="at least one panel", received="none", hint="Give a dict of arrays.")
    rows = list(y)
    across = min(columns, len(maps))
    down = math.ceil(len(maps) / across)
    figure = new_figure(max(3.2 * across, 5.5) + 1.0, max(2.4, min(3.4, 1.0 + 0.18 * len(rows))) * down + 0.6)
    axes = figure.subplots(down, across, squeeze=False, sharey=True)
    arrays = {name: as_array(f"maps[{name!r}]", values, (2,)) for name, values in maps.items()}
    ends = {
        "vmin": min(np.nanmin(array) for array in arrays.values()) if low is None else low,
        "vmax": max(np.nanmax(array) for array in arrays.values()) if high is None else high,
    }
    mesh: Any = None
    for number, (name, array) in enumerate(arrays.items()):
        ax = axes.flat[number]
        places = list(x[name] if isinstance(x, Mapping) else x)
        if array.shape != (len(rows), len(places)):
            raise DataError(
                f"maps[{name!r}]", expected=f"shape {(len(rows), len(places))}", received=f"shape {array.shape}"
            )
        ax.grid(visible=False)
        mesh = ax.imshow(array, aspect="auto", origin="lower", cmap=colours, interpolation="nearest", **ends)
        _tick(ax.xaxis, places)
        _tick(ax.yaxis, rows)
        ax.set_title(plain(name))
        ax.set_xlabel(plain(xlabel))
        if number % across == 0:
            ax.set_ylabel(plain(ylabel))
    for ax in axes.flat[len(arrays) :]:
        ax.remove()
    beyond = any(np.nanmax(array) > ends["vmax"] for array in arrays.values())
    ends_with = "max" if beyond else "neither"  # an arrow says that there is more
    bar = figure.colorbar(mesh, ax=list(figure.axes), fraction=0.04, pad=0.02, extend=ends_with)
    bar.set_label("\n".join(map(plain, value.split("\n"))))
    finish(figure, title)
    return figure


def _tick(axis: Any, names: list[Any]) -> None:
    """Label rows or columns: all texts, or some of many numbers."""
    if all(isinstance(name, str) for name in names):
        axis.set_ticks(range(len(names)), [plain(name) for name in names])
        if axis.axis_name == "x" and max(map(len, names)) > 6:
            axis.set_tick_params(labelrotation=30)
        return
    every = max(1, math.ceil(len(names) / 8))
    # The last one, which is now or the horizon, is always named.
    chosen = list(range(len(names) - 1, -1, -every))[::-1]
    axis.set_ticks(chosen, [f"{names[place]:g}" for place in chosen])


def sensitivity_map(
    table: Any, *, features: Sequence[str] | None = None, step_name: str = "step", title: str | None = None
) -> Figure:
    """Draw how each step of a forecast depends on the inputs, a panel a feature.

    Args:
        table: The result of `Sensitivity.frame`, or a part of it; of several targets the root mean square is drawn.
        features: Which features to draw, in this order; `None` draws all. The known future stands to the right of 0.
        step_name: What a step is, such as `half-hour`.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: There is no such feature.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame(
        ...     {"target": "y", "step": [1, 1, 2, 2], "feature": "y", "input_step": [-1, 0, -1, 0], "sensitivity": 0.5}
        ... )
        >>> sensitivity_map(table).axes[0].get_title()
        'y'
    """
    names = list(dict.fromkeys(table["feature"])) if features is None else list(features)
    maps, inputs = {}, {}
    for name in names:
        of_feature = table[table["feature"] == name]
        if of_feature.empty:
            known = ", ".join(dict.fromkeys(table["feature"]))
            raise DataError("features", expected=f"some of {known}", received=repr(name))
        squares = of_feature.assign(square=np.square(of_feature["sensitivity"])).pivot_table(
            "square", "step", "input_step"
        )
        maps[name] = np.sqrt(squares.to_numpy())
        inputs[name] = squares.columns.tolist()
    steps = sorted(set(table["step"]))
    # The last value often outshines all others.
    brightest = float(np.quantile(np.concatenate([values.ravel() for values in maps.values()]), 0.99))
    return heat_map(
        maps,
        x=inputs,
        y=steps,
        xlabel=f"{step_name} that was read (0 is now)",
        ylabel=f"{step_name} of the forecast",
        value="change of the forecast by a change of\nthe input (standard deviations each)",
        title=title or "What the forecast depends on",
        low=0.0,
        high=brightest or None,
    )


def attention_map(
    weights: Any, *, segment: int = 1, step_name: str = "step", title: str | None = "What the forecast looks at"
) -> Figure:
    """Draw the attention weights of each forecast step over the tokens of the past, the mean over windows.

    Args:
        weights: The attention's weights, `[N, H, tokens]`, or of one window `[H, tokens]`.
        segment: Steps of a token, which stands at its last one.
        step_name: What a step is, such as `half-hour`.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> attention_map(np.full((4, 3, 5), 0.2)).axes[0].get_ylabel()
        'step of the forecast'
    """
    array = as_array("weights", weights, (2, 3))
    mean_weights = array if array.ndim == 2 else array.mean(axis=0)
    return heat_map(
        {"": mean_weights},
        x=[segment * (place + 1 - mean_weights.shape[1]) for place in range(mean_weights.shape[1])],
        y=range(1, mean_weights.shape[0] + 1),
        xlabel=f"{step_name} that was read (0 is now)",
        ylabel=f"{step_name} of the forecast",
        value="share of the attention",
        title=title,
        low=0.0,
    )
