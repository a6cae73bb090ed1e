"""Maps: numbers as colours, such as sensitivities and attention, and states by two components."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.plots import style
from seqcast.runtime import Array

if TYPE_CHECKING:
    import pandas as pd

# Most texts of a property, and most windows with a path: colours that the eye tells apart.
_MOST_GROUPS = 6
# Names of the axes of maps from steps that were read to steps of the forecast.
_STEP_READ = "{} that was read (0 is now)"
_STEP_WRITTEN = "{} of the forecast"
# Numbers or texts of rows or columns.
Ticks = Iterable[float | str]


@matplotlib.rc_context(style.STYLE)
def heat_map(
    maps: Mapping[str, ArrayLike],
    *,
    x: Mapping[str, Ticks] | Ticks,
    y: Ticks,
    xlabel: str,
    ylabel: str,
    value: str,
    title: str | None = None,
    columns: int = 3,
    colours: str = style.COLOURS,
    low: float | None = None,
    high: float | None = None,
) -> Figure:
    """Draw tables of numbers as colours, a panel for each table, on one scale.

    Args:
        maps: For each panel its name and numbers, `[len(y), len(x)]`.
        x: Numbers or texts of the columns; a mapping has those of each panel.
        y: Numbers or texts of the rows.
        xlabel: Name of the columns, with their unit.
        ylabel: Name of the rows.
        value: Name of the numbers, with their unit.
        title: Title of the figure.
        columns: Most panels side by side.
        colours: Name of a colour map of matplotlib.
        low: Lower end of the scale; the smallest number if absent.
        high: Upper end of the scale; larger numbers have the last colour.

    Returns:
        The figure.

    Raises:
        DataError: A panel has another shape.

    Example:
        >>> axes = {"x": [-2, -1, 0], "y": [1, 2, 3], "xlabel": "step", "ylabel": "step ahead"}
        >>> figure = heat_map({"all": np.eye(3)}, value="share", **axes)
        >>> figure.axes[0].get_title()
        'all'
    """
    arrays = style.named_arrays("maps", maps, 2)
    numbers = np.ma.masked_invalid(np.concatenate([array.ravel() for array in arrays.values()]))
    scale = Normalize(low, high)
    scale.autoscale_None(numbers)

    rows = list(y)
    height = max(2.4, min(3.4, 1.0 + 0.18 * len(rows)))

    figure, grid, axes = style.new_panels(
        len(arrays), columns, 3.2, height, margins=(1.0, 0.6), sharey=True
    )

    for number, (ax, (name, array)) in enumerate(zip(axes, arrays.items(), strict=True)):
        places = list(x[name] if isinstance(x, Mapping) else x)
        if array.shape != (len(rows), len(places)):
            raise DataError(
                f"maps[{name!r}]",
                expected=f"shape {(len(rows), len(places))}",
                received=f"shape {array.shape}",
            )
        ax.grid(visible=False)
        ax.imshow(
            array, aspect="auto", origin="lower", cmap=colours, interpolation="nearest", norm=scale
        )
        _tick(ax.xaxis, places)
        _tick(ax.yaxis, rows)
        ax.set(title=style.plain(name), xlabel=style.plain(xlabel))
        if number % columns == 0:
            ax.set_ylabel(style.plain(ylabel))

    # An arrow stands for larger numbers than the scale has.
    beyond: Literal["max", "neither"] = (
        "max" if high is not None and numbers.max() > high else "neither"
    )
    bar = grid.colorbar(
        ScalarMappable(scale, colours), ax=axes, fraction=0.04, pad=0.02, extend=beyond
    )
    bar.set_label("\n".join(map(style.plain, value.split("\n"))))

    return style.finish(figure, title)


def _tick(axis: Axis, names: Sequence[float | str]) -> None:
    """Label all rows or columns with texts, or some with numbers."""
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) == len(names):
        axis.set_ticks(range(len(texts)), [*map(style.plain, texts)])
        if isinstance(axis, XAxis) and max(map(len, texts)) > 6:
            axis.set_tick_params(labelrotation=30)
        return

    # The last number, which is now or the horizon, is always labelled.
    chosen = list(range(len(names) - 1, -1, -math.ceil(len(names) / 8)))[::-1]
    axis.set_ticks(chosen, [f"{names[place]:g}" for place in chosen])


def sensitivity_map(
    table: pd.DataFrame,
    *,
    features: Sequence[str] | None = None,
    step_name: str = "step",
    title: str | None = None,
) -> Figure:
    """Draw the sensitivity of each step of a forecast to the inputs, a panel for each feature.

    Args:
        table: The result of `Sensitivity.frame`, or some of its rows; several targets give their
            root mean square.
        features: Features to draw, in this order; `None` draws all. The known future is to the
            right of 0.
        step_name: Name of a step, such as `half-hour`.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: A feature does not exist.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"step": [1, 1, 2, 2], "input_step": [-1, 0, -1, 0]})
        >>> table = table.assign(target="y", feature="y", sensitivity=0.5)
        >>> sensitivity_map(table).axes[0].get_title()
        'y'
    """
    known = list(dict.fromkeys(table["feature"]))

    maps = {}
    inputs = {}
    for name in known if features is None else features:
        if name not in known:
            raise DataError("features", expected=f"some of {', '.join(known)}", received=repr(name))
        of_feature = table[table["feature"] == name].assign(
            square=lambda rows: np.square(rows["sensitivity"])
        )
        squares = of_feature.pivot_table("square", "step", "input_step")
        maps[name] = np.sqrt(squares.to_numpy())
        inputs[name] = squares.columns.tolist()

    # The last value often exceeds all others.
    numbers = np.concatenate([values.ravel() for values in maps.values()])
    brightest = float(np.quantile(numbers, 0.99))

    return heat_map(
        maps,
        x=inputs,
        y=sorted(set(table["step"])),
        value="change of the forecast by a change of\nthe input (standard deviations each)",
        title=title or "What the forecast depends on",
        low=0.0,
        high=brightest or None,
        xlabel=_STEP_READ.format(step_name),
        ylabel=_STEP_WRITTEN.format(step_name),
    )


def attention_map(
    weights: ArrayLike,
    *,
    segment: int = 1,
    step_name: str = "step",
    title: str | None = "What the forecast looks at",
) -> Figure:
    """Draw the mean attention of each forecast step over the tokens of the past.

    Args:
        weights: The attention's weights, `[N, H, tokens]`, or `[H, tokens]` of one window.
        segment: Steps of a token, which is drawn at its last step.
        step_name: Name of a step, such as `half-hour`.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> attention_map(np.full((4, 3, 5), 0.2)).axes[0].get_ylabel()
        'step of the forecast'
    """
    array = as_array("weights", weights, (2, 3))
    mean_weights = array if array.ndim == 2 else array.mean(axis=0)
    horizon, tokens = mean_weights.shape

    x = [segment * (place + 1 - tokens) for place in range(tokens)]

    return heat_map(
        {"": mean_weights},
        x=x,
        y=range(1, horizon + 1),
        value="share of the attention",
        title=title,
        low=0.0,
        xlabel=_STEP_READ.format(step_name),
        ylabel=_STEP_WRITTEN.format(step_name),
    )


@matplotlib.rc_context(style.STYLE)
def state_map(
    points: ArrayLike,
    properties: Mapping[str, ArrayLike],
    *,
    explained: Sequence[float] | None = None,
    circular: Sequence[str] = (),
    title: str | None = "States by their principal components",
    columns: int = 3,
) -> Figure:
    """Draw states by two components, coloured by a property in each panel.

    Args:
        points: Coordinates of the state of each window, `[N, 2]`.
        properties: Properties by name, with their unit in the name: numbers, or up to six different
            texts, `[N]`.
        explained: Fraction of the variance along each direction, for the labels of the axes.
        circular: Names of circular properties, such as an hour of the day.
        title: Title of the figure.
        columns: Most panels side by side.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together.

    Example:
        >>> properties = {"frequency": np.arange(4.0)}
        >>> figure = state_map(np.zeros((4, 2)), properties, explained=[0.7, 0.2])
        >>> figure.axes[0].get_xlabel()
        'first component (70 % of variance)'
    """
    where = as_array("points", points, (2,))
    if where.shape[1] != 2 or not properties:
        raise DataError(
            "points",
            expected="[N, 2], and a property",
            received=f"shape {where.shape}, {len(properties)} properties",
        )

    figure, _, axes = style.new_panels(
        len(properties), columns, 3.3, 3.0, margins=(0.6, 0.5), sharex=True, sharey=True
    )

    for number, (ax, (name, numbers_or_texts)) in enumerate(
        zip(axes, properties.items(), strict=True)
    ):
        values = np.asarray(numbers_or_texts)
        if len(values) != len(where):
            raise DataError(
                f"properties[{name!r}]", expected=f"{len(where)} values", received=str(len(values))
            )
        ax.set_title(style.plain(name))
        if values.dtype.kind in "OUTSb":
            _coloured_groups(ax, where, values, name)
        else:
            colours = style.CIRCLE if name in circular else style.COLOURS
            marks = ax.scatter(where[:, 0], where[:, 1], c=values, cmap=colours, s=6, linewidths=0)
            figure.colorbar(marks, ax=ax, fraction=0.05, pad=0.02)
        _name_components(ax, explained, x=number + columns >= len(axes), y=number % columns == 0)

    return style.finish(figure, title)


def _name_components(
    ax: Axes, explained: Sequence[float] | None, *, x: bool = True, y: bool = True
) -> None:
    shares = ["", ""]
    if explained is not None:
        shares = [f" ({100 * share:.0f} % of variance)" for share in explained[:2]]

    if x:
        ax.set_xlabel(f"first component{shares[0]}")
    if y:
        ax.set_ylabel(f"second component{shares[1]}")


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
        x, y = where[values == group].T
        ax.scatter(
            x, y, s=10, color=colour, marker=marker, linewidths=0, label=style.plain(str(group))
        )


@matplotlib.rc_context(style.STYLE)
def state_paths(
    encoder: ArrayLike,
    decoder: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    explained: Sequence[float] | None = None,
    title: str | None = "The way of the state",
) -> Figure:
    """Draw the path of some windows' states while the encoder reads and the decoder writes.

    Args:
        encoder: Coordinates of the state after each token of the past, `[N, tokens, 2]`.
        decoder: Coordinates of the state after each token of the forecast, `[N, tokens, 2]`, if
            comparable.
        names: Names of the windows.
        explained: Fraction of the variance along each direction.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: Arrays do not fit together, or there are more than six windows.

    Example:
        >>> len(state_paths(np.zeros((2, 5, 2)), np.ones((2, 3, 2))).axes)
        1
    """
    read = as_array("encoder", encoder, (3,))
    written = read[:, :0] if decoder is None else as_array("decoder", decoder, (3,))
    if read.shape[2] != 2 or len(read) > _MOST_GROUPS or len(written) != len(read):
        raise DataError(
            "encoder",
            expected=f"[N, tokens, 2] of at most {_MOST_GROUPS} windows, the same as of decoder",
            received=f"shape {read.shape}",
            hint="Choose windows and two components.",
        )

    figure, ax = style.new_panel(6.0, 5.0)
    for number in range(len(read)):
        colour, marker, _ = style.model_style(number)
        name = style.plain(f"window {number + 1}" if names is None else str(names[number]))
        ax.plot(*read[number].T, color=colour, linewidth=1.2, alpha=0.7, label=f"{name}, read")
        ax.plot(*read[number, -1], marker=marker, color=colour, markersize=8)
        if decoder is not None:
            path = np.concatenate([read[number, -1:], written[number]])
            ax.plot(
                *path.T,
                color=colour,
                linewidth=1.2,
                linestyle=":",
                marker=".",
                label=f"{name}, written",
            )

    ax.plot(
        [],
        [],
        linestyle="none",
        marker="^",
        color=style.GUIDE,
        markersize=8,
        label="now: the end of the past",
    )

    _name_components(ax, explained)
    return style.finish(figure, title)
