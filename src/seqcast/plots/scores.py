"""Plots of a backtest's scores: by step, by series, and the calibration of intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from seqcast.errors import DataError
from seqcast.evaluation import STEP, Backtest, Scorer
from seqcast.plots.curves import error_by_step
from seqcast.plots.style import GUIDE, STYLE, axis_label, finish, model_style, new_figure, plain, short, spoken
from seqcast.specs import Columns, check_int

Array = npt.NDArray[Any]

SPOKEN = {
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "rmse": "root mean squared error",
    "mape": "mean absolute percentage error (as a fraction)",
    "smape": "symmetric mean absolute percentage error (as a fraction)",
    "mase": "mean absolute scaled error (1 is the naive forecast in training)",
    "rmsse": "root mean squared scaled error (1 is the naive forecast in training)",
    "nd": "normalised deviation",
    "bias": "mean error (above 0 is too high)",
    "mqloss": "mean quantile loss",
    "scaled_crps": "scaled CRPS",
}


@matplotlib.rc_context(STYLE)
def score_by_step(
    df: Any,
    metric: str = "mae",
    *,
    models: Sequence[str] | None = None,
    train_df: Any = None,
    season_length: int | None = None,
    trained_horizon: int | None = None,
    columns: Columns | None = None,
    unit: str = "",
    title: str | None = None,
) -> Figure:
    """Draw how a backtest's error grows with the step of the forecast.

    Args:
        df: The backtest, as `evaluate` takes it.
        metric: A metric with one score, such as `mae`.
        models: Columns to draw; `None` draws all.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        trained_horizon: Steps that the networks were trained to forecast; marked.
        columns: Names of the columns.
        unit: Unit of the values, for metrics that have one.
        title: Title of the figure; `None` says how many series and windows there are.

    Returns:
        The figure.

    Raises:
        SpecError: There is no such metric, model or option.
        DataError: The frame lacks something.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "model": [1.5, 4.0]})
        >>> score_by_step(df).axes[0].lines[0].get_ydata().tolist()
        [0.5, 2.0]
    """
    scorer = Scorer(df, [metric], models=models, train_df=train_df, season_length=season_length, columns=columns)
    rows = scorer.backtest.rows
    groups, scores = scorer.scores([STEP])
    values, steps = _only(scores, metric), rows.steps[groups.first]
    by_step = np.full((int(steps.max()), values.shape[1]), np.nan)
    by_step[steps - 1] = values
    errors = {spoken(name): by_step[:, i] for i, name in enumerate(scorer.backtest.models)}
    return error_by_step(
        errors,
        trained_horizon=trained_horizon,
        ylabel=_axis(metric, unit),
        title=title or f"Error by step of the forecast ({_counted(scorer.backtest)})",
    )


@matplotlib.rc_context(STYLE)
def score_by_series(
    df: Any,
    metric: str = "mae",
    *,
    models: Sequence[str] | None = None,
    max_series: int = 20,
    train_df: Any = None,
    season_length: int | None = None,
    columns: Columns | None = None,
    unit: str = "",
    title: str | None = None,
) -> Figure:
    """Draw each series' error, one line a series and one mark a model, the hardest series of the first model on top.

    Args:
        df: The backtest, as `evaluate` takes it.
        metric: A metric with one score, such as `mae`.
        models: Columns to draw; `None` draws all.
        max_series: Most lines: the series with the largest errors.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        columns: Names of the columns.
        unit: Unit of the values, for metrics that have one.
        title: Title of the figure; `None` says which series are shown.

    Returns:
        The figure.

    Raises:
        SpecError: There is no such metric, model or option.
        DataError: The frame lacks something.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": [1.0, 2.0], "model": [1.5, 4.0]})
        >>> [label.get_text() for label in score_by_series(df).axes[0].get_yticklabels()]
        ['b', 'a']
    """
    check_int("max_series", max_series)
    scorer = Scorer(df, [metric], models=models, train_df=train_df, season_length=season_length, columns=columns)
    rows = scorer.backtest.rows
    groups, scores = scorer.scores(rows.series)
    values = _only(scores, metric)
    size = np.abs(values[:, 0]) if metric == "bias" else values[:, 0]
    order = np.argsort(-np.nan_to_num(size, nan=-np.inf), kind="stable")[:max_series]
    names = [plain(short(str(name), 40)).strip() for name in rows.names[groups.first[order]]]

    figure = new_figure(6.8, 0.26 * len(order) + 1.3)
    ax = figure.subplots()
    places = np.arange(len(order))
    for number, model in enumerate(scorer.backtest.models):
        colour, marker, _ = model_style(number)
        label = plain(spoken(model))
        x = values[order, number]
        ax.plot(x, places, color=colour, marker=marker, markersize=6, linestyle="none", label=label)
    ax.set_yticks(places, names)
    ax.set_ylim(len(order) - 0.5, -0.5)
    drawn = values[order][np.isfinite(values[order])]
    if len(drawn) and drawn.min() > 0 and drawn.max() > 100 * drawn.min():
        ax.set_xscale("log")
    elif len(drawn) and drawn.min() >= 0:
        ax.set_xlim(left=0)
    else:
        ax.axvline(0, color=GUIDE, linewidth=1.0, zorder=1)
    ax.set_xlabel(axis_label(_axis(metric, unit)))
    few = f"the {len(order)} hardest of {len(groups)}" if len(order) < len(groups) else f"all {len(groups)}"
    finish(figure, title or f"Error by series ({few})")
    return figure


@matplotlib.rc_context(STYLE)
def calibration_curve(
    df: Any,
    *,
    models: Sequence[str] | None = None,
    level: Sequence[float] | float | None = None,
    columns: Columns | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the coverage of intervals against their level.

    The grey band holds 95 % of the coverages that intervals of exactly their level would have in as many independent
    draws as there are windows (series times cutoffs): steps of one window err together, so more rows prove little.

    Args:
        df: The backtest, with intervals of at least one model.
        models: Columns to draw; `None` draws all that have intervals.
        level: Levels to draw; `None` draws all.
        columns: Names of the columns.
        title: Title of the figure; `None` says how many windows there are.

    Returns:
        The figure.

    Raises:
        SpecError: There is no such model or level.
        DataError: The frame lacks something.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [0.0, 3.0], "model": 0.0})
        >>> figure = calibration_curve(df.assign(**{"model-lo-80": -1.0, "model-hi-80": 1.0}))
        >>> figure.axes[0].lines[1].get_ydata().tolist()
        [50.0]
    """
    scorer = Scorer(df, ["coverage"], models=models, level=level, columns=columns)
    backtest, levels = scorer.backtest, np.array(scorer.levels)
    windows = len(backtest.rows.groups(*backtest.rows.window))
    figure = new_figure(5.2, 4.8)
    ax = figure.subplots()
    _band(ax, windows)
    ax.plot([0, 100], [0, 100], color=GUIDE, linewidth=1.0, linestyle="-", label="as promised", zorder=1)
    for number, model in enumerate(backtest.models):
        bounds = backtest.rows.bounds(model)
        known = [each for each in levels if each in bounds]
        if not known:
            continue
        covered = []
        for each in known:
            lower, upper = (backtest.forecast(name) for name in bounds[each])
            covered.append(100 * float(np.mean((backtest.truth >= lower) & (backtest.truth <= upper))))
        colour, marker, dash = model_style(number)
        label = plain(spoken(model))
        ax.plot(known, covered, color=colour, marker=marker, linestyle=dash, markersize=7, linewidth=1.4, label=label)
    ax.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    ax.set_xlabel("level of the interval")
    ax.set_ylabel("truth inside the interval")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(decimals=0))
    finish(figure, title or f"Calibration ({_counted(backtest)})")
    return figure


def _band(ax: Axes, windows: int) -> None:
    from scipy.stats import binom

    shares = np.linspace(0.01, 0.99, 99)
    low, high = (100 * binom.ppf(side, windows, shares) / windows for side in (0.025, 0.975))
    label = f"95 % of {windows} independent windows"
    ax.fill_between(100 * shares, low, high, color="#DDDDDD", linewidth=0, zorder=0, label=label)


def _only(scores: dict[str, Array], metric: str) -> Array:
    if len(scores) != 1:
        raise DataError(
            "metric",
            expected="a metric with one score",
            received=f"{metric!r}, which gives {', '.join(scores)}",
            hint="Choose another, such as 'mae' or 'scaled_crps'.",
        )
    return next(iter(scores.values()))


def _axis(metric: str, unit: str) -> str:
    return SPOKEN.get(metric, metric.replace("_", " ")) + (f" [{unit}]" if unit else "")


def _counted(backtest: Backtest) -> str:
    rows = backtest.rows
    counts = {"series": len(rows.groups(*rows.series)), "window": len(rows.groups(*rows.window))}
    return ", ".join(
        f"{count:,} {name}{'s' if name == 'window' and count > 1 else ''}" for name, count in counts.items()
    )
