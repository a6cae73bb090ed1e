"""A picture of the families of synthetic series."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from seqcast.plots import style
from seqcast.specs import check_int
from synthetic import FAMILIES, synthetic_series


@matplotlib.rc_context(style.STYLE)
def family_chart(
    *,
    length: int = 144,
    season_length: int = 12,
    seed: int = 0,
    title: str | None = "Families of synthetic series",
) -> Figure:
    """Draw three series of each family of synthetic series.

    Args:
        length: Steps of each series.
        season_length: Steps of a season.
        seed: Seed of the series.
        title: Title of the figure.

    Returns:
        The figure, without a scale, since each series has its own unit.

    Example:
        >>> figure = family_chart(length=24)
        >>> len(figure.axes) == len(FAMILIES)
        True
    """
    length = check_int("length", length)
    figure, grid, axes = style.new_panels(len(FAMILIES), 3, 3.4, 1.9, margins=(0.0, 0.6))
    for ax, name in zip(axes, FAMILIES, strict=True):
        values = synthetic_series(name, 3, length, season_length=season_length, seed=seed)
        low = values.min(axis=1, keepdims=True)
        high = values.max(axis=1, keepdims=True)
        for row, curve in enumerate((values - low) / np.maximum(high - low, 1e-9)):
            ax.plot(
                np.arange(length), curve + 1.2 * (2 - row), color=style.MODELS[row], linewidth=0.9
            )
        ax.set_title(name.replace("_", " "))
        ax.set_yticks([])
    grid.supxlabel(f"step, of {season_length} a season", fontsize=10)
    return style.finish(figure, title)
