"""The style of all plots: colours, lines, legends, grids of panels, texts and files."""

import io
import math
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.runtime import Array, suffix_of, write_atomically
from seqcast.specs import check_number

# A dash by its name in matplotlib, or its offset and the lengths of its strokes and gaps.
Dash = str | tuple[int, tuple[int, ...]]

# Dark grey for what is known.
PAST = "#333333"
# Blue for what came after a forecast; with the colours of models that of Okabe and Ito 2008.
TRUTH = "#0072B2"
# Grey for axes and marks.
GUIDE = "#666666"
# Colours of models: vermillion, green, purple, orange, sky blue, black.
MODELS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("^", "s", "D", "v", "P", "X")
# Dashes of models; the past and the truth are solid.
DASHES: tuple[Dash, ...] = ("--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
# Colour, marker and dash of a line.
LineStyle = tuple[str, str, Dash]
PAST_LINE: LineStyle = (PAST, ".", "-")
TRUTH_LINE: LineStyle = (TRUTH, "o", "-")
# Options of a line at zero.
ZERO_LINE: Any = {"color": GUIDE, "linewidth": 1.0}
# Colour maps of numbers, which colour-blind readers can distinguish; the second one is circular.
COLOURS = "viridis"
CIRCLE = "twilight_shifted"
SUFFIXES = ("pdf", "png", "svg")

# Most letters of a text; matplotlib needs seconds for thousands.
_LONGEST = 200
# Most points of a line with markers; more would overlap.
_MOST_MARKERS = 60
# Least width of a figure in inches, for its legend.
_NARROWEST = 5.5
# Ticks are created when they are drawn, under the user's style.
_TICKS: Any = {
    "labelsize": 9,
    "color": GUIDE,
    "labelcolor": "black",
    "grid_color": "#DDDDDD",
    "grid_linewidth": 0.6,
}
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # On a dark background of the user's style the dark past would be invisible.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": "black",
    "axes.labelcolor": "black",
    "axes.edgecolor": GUIDE,
    "xtick.color": GUIDE,
    "ytick.color": GUIDE,
}


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: float = 150) -> None:
    """Write a figure to a file completely or not at all; the suffix chooses the format.

    Args:
        figure: The figure.
        path: The file: `.png`, `.svg` or `.pdf`.
        dpi: Pixels an inch, for PNG.

    Raises:
        SpecError: The suffix is unknown.
        SaveError: The file could not be written.
    """
    suffix = suffix_of(Path(path), SUFFIXES)
    check_number("dpi", dpi, low=0.0, open_low=True)
    write_atomically(path, lambda file: figure.savefig(file, format=suffix, dpi=dpi))


class _ShownFigure(Figure):
    """A figure that a notebook shows, also without `pyplot` and `%matplotlib inline`."""

    def _repr_png_(self) -> bytes:
        """Return the picture for IPython."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure.

    Args:
        width: Width in inches.
        height: Height in inches, without the legend.
    """
    figure = _ShownFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(
    count: int,
    across: int,
    width: float,
    height: float,
    *,
    margins: tuple[float, float] = (0.5, 0.6),
    **options: Any,
) -> tuple[Figure, SubFigure, list[Axes]]:
    """Return a figure of several panels, the subfigure that contains them, and their axes.

    Labels of the subfigure do not overlap the legend of the figure.

    Args:
        count: Number of panels.
        across: Most panels side by side.
        width: Width of a panel in inches.
        height: Height of a panel in inches.
        margins: Inches to add to the width and the height.
        options: Options of matplotlib's `subplots`, such as `sharex`.
    """
    across = min(across, count)
    down = math.ceil(count / across)
    figure = new_figure(max(width * across, _NARROWEST) + margins[0], height * down + margins[1])

    grid: SubFigure = figure.subfigures(squeeze=False).item()
    axes = list(grid.subplots(down, across, squeeze=False, **options).flat)

    for ax in axes[count:]:
        ax.remove()

    # The last panel of each column has labels, also above an empty place.
    for ax in axes[max(0, count - across) : count]:
        ax.tick_params(labelbottom=True)

    return figure, grid, axes[:count]


def new_panel(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of one panel, and its axes.

    Args:
        width: Width in inches.
        height: Height in inches.
    """
    figure, _, (ax,) = new_panels(1, 1, width, height, margins=(0.0, 0.0))
    return figure, ax


def label_grid(grid: SubFigure, xlabel: str, ylabel: str) -> None:
    """Label the axes, once for all panels.

    Args:
        grid: The subfigure that contains the panels.
        xlabel: Name of the x axis.
        ylabel: Name of the y axis.
    """
    grid.supxlabel(plain(xlabel), fontsize=10)
    grid.supylabel(plain(ylabel), fontsize=10)


def with_unit(name: str, unit: str) -> str:
    """Return the name of an axis with its unit, unless that is empty.

    Args:
        name: The name.
        unit: The unit.

    Example:
        >>> with_unit("error", "kW"), with_unit("error", "")
        ('error [kW]', 'error')
    """
    return f"{name} [{unit}]" if unit else name


def named_arrays(where: str, values: Mapping[str, ArrayLike], rank: int) -> dict[str, Array]:
    """Return arrays by their names.

    Args:
        where: Name of the argument, for errors.
        values: The arrays, at least one.
        rank: Number of axes of each array.

    Raises:
        DataError: There is no array, or one has another number of axes.
    """
    if not values:
        raise DataError(
            where,
            expected="at least one array, by name",
            received="none",
            hint="Give a dict of arrays.",
        )

    return {name: as_array(f"{where}[{name!r}]", each, (rank,)) for name, each in values.items()}


def line(
    ax: Axes, x: Array, y: Array, label: str, style: LineStyle, *, crowd: int | None = None
) -> None:
    """Draw a line, with markers unless there are too many points.

    Args:
        ax: The panel.
        x: Places, `[n]`.
        y: Heights, `[n]`.
        label: Name in the legend.
        style: Colour, marker and dash.
        crowd: Number of points of the panel; `None` counts those of the line.
    """
    colour, marker, dash = style
    markers = marker if (crowd or len(x)) <= _MOST_MARKERS else "none"

    ax.plot(
        x,
        y,
        label=plain(label),
        color=colour,
        linestyle=dash,
        linewidth=1.4,
        marker=markers,
        markersize=4,
    )


def band(
    ax: Axes,
    x: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    colour: str,
    label: str | None = None,
    **options: Any,
) -> None:
    """Fill the area between two lines.

    Args:
        ax: The panel.
        x: Places, `[n]`.
        low: The lower line, `[n]`.
        high: The upper line, `[n]`.
        colour: The colour.
        label: Name in the legend.
        options: Options of matplotlib's `fill_between`.
    """
    ax.fill_between(x, low, high, color=colour, linewidth=0, label=label, **options)


def guide(ax: Axes, x: float, label: str) -> None:
    """Mark a place on the x axis.

    Args:
        ax: The panel.
        x: The place.
        label: Name in the legend.
    """
    ax.axvline(x, color=GUIDE, linewidth=1.0, linestyle=":", label=label, zorder=1)


def model_style(number: int) -> LineStyle:
    """Return colour, marker and dash of a model, which differ for the first 24 models.

    Args:
        number: Number of the model, from 0.
    """
    turn = number // len(MODELS)
    return (
        MODELS[number % len(MODELS)],
        MARKERS[(number + turn) % len(MARKERS)],
        DASHES[(number + turn) % len(DASHES)],
    )


def finish(figure: Figure, title: str | None) -> Figure:
    """Add the title and one legend for all panels, below them, and return the figure.

    Args:
        figure: The figure.
        title: The title, or `None`.
    """
    if title:
        figure.suptitle(plain(title), fontsize=12)

    legend: dict[str, Artist] = {}
    for ax in figure.axes:
        ax.tick_params(which="both", **_TICKS)
        legend.update(
            {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        )

    if not legend:
        return figure

    longest = max(map(len, legend))
    across = max(1, min(len(legend), int(figure.get_figwidth() / (0.075 * longest + 0.7))))
    figure.set_figheight(figure.get_figheight() + 0.22 * math.ceil(len(legend) / across))
    figure.legend([*legend.values()], [*legend], loc="outside lower center", ncols=across)

    return figure


def axis_label(text: str) -> str:
    """Return a text as the label of an axis, broken into short lines.

    Args:
        text: The text.
    """
    return textwrap.fill(plain(text), 48, break_long_words=False)


def plain(text: str, most: int = _LONGEST) -> str:
    """Return a text that matplotlib shows unchanged: one line, without mathematics.

    Legends leave out labels that begin with an underscore, so such a text gets a space before it.

    Args:
        text: The text.
        most: Most letters; a longer text loses its middle.
    """
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in short(text, most))
    escaped = shown.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def short(text: str, most: int = 30) -> str:
    """Return a title without its middle if it is long.

    Args:
        text: The title.
        most: Most letters.

    Example:
        >>> short("a very long name of a series", 15)
        'a very … series'
    """
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"


def spoken(model: str) -> str:
    """Return a column's name as words.

    Args:
        model: The name.

    Example:
        >>> spoken("seasonal_naive")
        'seasonal naive'
    """
    return model.strip("_").replace("_", " ") or model


def tint(colour: str, share: float) -> str:
    """Mix a colour with white, so that overlapping areas have the shade of the legend.

    Args:
        colour: The colour.
        share: Fraction of the colour, between 0 and 1.

    Example:
        >>> tint("#000000", 0.5)
        '#808080'
    """
    red, green, blue = (share * channel + (1 - share) for channel in to_rgb(colour))
    return to_hex((red, green, blue))


def time_axis(ax: Axes, stamps: Array, most: int = 8) -> None:
    """Put dates or whole numbers on the x axis.

    Args:
        ax: The panel.
        stamps: Time stamps of the drawn kind.
        most: Most ticks.
    """
    if stamps.dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=most)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        step_axis(ax, max(3, most - 2))


def step_axis(ax: Axes, most: int = 10) -> None:
    """Put whole numbers on the x axis.

    Args:
        ax: The panel.
        most: Most intervals between ticks.
    """
    ax.xaxis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))


def name_decades(axis: Axis, few: float = 1e5) -> None:
    """Label 1, 2 and 5 of each decade of a logarithmic axis, or only 1 if there are many decades.

    Args:
        axis: The axis.
        few: Largest ratio of the ends of the axis at which 2 and 5 are labelled.
    """
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if high < few * low else (1.0,)))
    axis.set_major_formatter("{x:,.10g}")
    axis.set_minor_formatter(NullFormatter())
