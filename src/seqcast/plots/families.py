"""Plots of the families of synthetic series."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from seqcast.data.synthetic import FAMILIES, synthetic_series
from seqcast.plots.style import MODELS, STYLE, finish, new_figure
from seqcast.specs import check_int

COLUMNS, EXAMPLES = 3, 3


@matplotlib.rc_context(STYLE)
def family_chart(
    *, length: int = 144, season_length: int = 12, seed: int = 0, title: str | None = "Families of synthetic series"
) -> Figure:
    """Draw three series of each family that `seqcast.data.synthetic` knows.

    Args:
        length: Steps of each series.
        season_length: Steps of their season.
        seed: Seed of the series.
        title: Title of the figure.

    Returns:
        The figure; each series has a unit of its own, so it has no scale.

    Example:
        >>> figure = family_chart(length=24)
        >>> len(figure.axes) == len(FAMILIES)
        True
    """
    length = check_int("length", length)
    rows = -(-len(FAMILIES) // COLUMNS)
    figure = new_figure(3.4 * COLUMNS, 1.9 * rows + 0.6)
    for place, name in enumerate(FAMILIES):
        ax = figure.add_subplot(rows, COLUMNS, place + 1)
        values = synthetic_series(name, EXAMPLES, length, season_length=season_length, seed=seed)
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        inside = (values - low) / np.maximum(high - low, 1e-9)
        for row, line in enumerate(inside):
            ax.plot(np.arange(length), line + 1.2 * (EXAMPLES - 1 - row), color=MODELS[row], linewidth=0.9)
        ax.set_title(name.replace("_", " "))
        ax.set_yticks([])
        if place >= len(FAMILIES) - COLUMNS:
            ax.set_xlabel(f"step, of {season_length} a season")
    finish(figure, title)
    return figure
