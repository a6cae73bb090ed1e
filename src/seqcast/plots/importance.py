"""Plots of which covariates forecasts rest on."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from seqcast.data.frames import check_columns, open_frame
from seqcast.errors import DataError
from seqcast.plots.style import GUIDE, MODELS, STYLE, finish, new_figure, plain, short
from seqcast.specs import check_int


@matplotlib.rc_context(STYLE)
def importance_chart(importance: Any, *, max_covariates: int = 15, title: str | None = None) -> Figure:
    """Draw by how much the error grows without each covariate, the most important one on top.

    Args:
        importance: The result of `covariate_importance`, of a forecaster or of `seqcast.inspect`.
        max_covariates: Most covariates that are drawn.
        title: Title of the figure.

    Returns:
        The figure; lines reach one standard deviation over the permutations to either side.

    Raises:
        DataError: A column is missing, or there are no covariates.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"covariate": ["price", "day"], "importance": [0.3, 0.0], "spread": 0.1, "error": 1})
        >>> figure = importance_chart(table)
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['day', 'price']
    """
    check_int("max_covariates", max_covariates)
    frame = open_frame(importance, "importance", hint="Give what covariate_importance returns.")
    check_columns(frame, [(None, name) for name in ("covariate", "importance", "spread", "error")], "importance")
    values, spread = (frame[name].to_numpy().astype(float) for name in ("importance", "spread"))
    error = float(frame["error"].to_numpy()[0])
    if not np.isfinite(values).all():
        raise DataError(option="importance", expected="finite numbers", received="others", hint="Compute it anew.")
    order = np.argsort(-values, kind="stable")[:max_covariates][::-1]
    names = [short(str(name), 40) for name in frame["covariate"].to_list()]
    figure = new_figure(5.5 + 0.06 * max(map(len, names)), 0.34 * len(order) + 1.3)
    ax = figure.subplots()
    places = np.arange(len(order))
    ax.barh(places, values[order], height=0.6, color=MODELS[4], label="growth of the error")
    ax.errorbar(
        values[order], places, xerr=spread[order], fmt="none", ecolor=GUIDE, capsize=3, label="spread of permutations"
    )
    ax.axvline(0.0, color=GUIDE, linewidth=1.0)
    ax.set_yticks(places, [plain(names[place]) for place in order])
    ax.set_xlabel(plain(f"growth of the error, which is {error:.3g} with all as they are (scaled units)"))
    if len(order) < len(values):
        title = title or f"{len(order)} of {len(values)} covariates, the most important"
    finish(figure, title)
    return figure
