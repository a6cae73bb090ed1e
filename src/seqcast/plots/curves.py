"""Curves: loss by epoch, errors by step, repeated runs, and coverage of intervals by level."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from narwhals.typing import IntoDataFrame
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.evaluation import STEP, Scorer
from seqcast.plots import style
from seqcast.plots.rankings import only_score, score_label, series_and_windows
from seqcast.specs import Columns, check_int

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]

# Most places of a logarithmic x axis with a label each.
_MOST_NAMED = 6


@matplotlib.rc_context(style.STYLE)
def learning_curve(
    history: Mapping[str, Sequence[float]],
    *,
    best_epoch: int | None = None,
    ylabel: str = "mean squared error",
    title: str | None = "Loss by epoch",
) -> Figure:
    """Draw the loss over the epochs, on a logarithmic axis if it spans more than a decade.

    Args:
        history: `loss` and, if there was validation, `val_loss`: one number an epoch. Metrics are
            not drawn.
        best_epoch: The epoch to mark, from 1, whose weights the fit returned.
        ylabel: Name of the loss.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: There is no loss.
        SpecError: `best_epoch` is larger than the number of epochs.

    Example:
        >>> figure = learning_curve({"loss": [1.0, 0.5], "val_loss": [1.5, 2.0]}, best_epoch=1)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['training', 'validation', 'best epoch: 1']
    """
    curves = {
        name: as_array(name, history[name], (1,))
        for name in ("loss", "val_loss")
        if name in history
    }

    if not len(curves.get("loss", ())):
        raise DataError(
            "history",
            expected="'loss', one number an epoch",
            received=f"{list(history)}",
            hint="Train first.",
        )

    if best_epoch is not None and check_int("best_epoch", best_epoch) > len(curves["loss"]):
        raise SpecError(
            "best_epoch",
            expected=f"at most {len(curves['loss'])}",
            received=str(best_epoch),
            hint="Count from 1.",
        )

    figure, ax = style.new_panel(6.4, 4.0)
    styles = {
        "loss": ("training", (style.PAST, "o", "-")),
        "val_loss": ("validation", (style.MODELS[0], style.MARKERS[0], "--")),
    }
    for name, values in curves.items():
        style.line(ax, np.arange(1, len(values) + 1), values, *styles[name])
    if best_epoch is not None:
        style.guide(ax, best_epoch, f"best epoch: {best_epoch}")

    every = np.concatenate(list(curves.values()))
    every = every[np.isfinite(every)]
    if len(every) and every.min() > 0 and every.max() > 10 * every.min():
        ax.set_yscale("log")

    ax.set(xlabel="epoch", ylabel=style.axis_label(ylabel))
    style.step_axis(ax)
    return style.finish(figure, title)


@matplotlib.rc_context(style.STYLE)
def error_by_step(
    errors: Mapping[str, ArrayLike],
    *,
    trained_horizon: int | None = None,
    ylabel: str = "mean absolute error",
    title: str | None = "Error by step of the forecast",
) -> Figure:
    """Draw the error by step of the forecast.

    Args:
        errors: Errors of each model at each step from 1, `[H]`.
        trained_horizon: The trained horizon of the networks, to mark.
        ylabel: Name of the error, with its unit.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        DataError: There is no model, or an error is no sequence of numbers.

    Example:
        >>> figure = error_by_step({"seqcast": [0.1, 0.2, 0.4], "last value": [0.3, 0.5, 0.6]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['seqcast', 'last value']
    """
    arrays = style.named_arrays("errors", errors, 1)

    figure, ax = style.new_panel(6.4, 4.0)
    for number, (name, values) in enumerate(arrays.items()):
        style.line(ax, np.arange(1, len(values) + 1), values, name, style.model_style(number))
    if trained_horizon is not None:
        style.guide(ax, check_int("trained_horizon", trained_horizon), "trained horizon")

    _start_at_zero(ax)
    ax.set(xlabel="step of the forecast", ylabel=style.axis_label(ylabel))
    style.step_axis(ax)
    return style.finish(figure, title)


def _start_at_zero(ax: Axes) -> None:
    """Start the y axis at 0, unless a value is below."""
    if all(np.nanmin(np.asarray(drawn.get_ydata(), dtype=float)) >= 0 for drawn in ax.lines):
        ax.set_ylim(bottom=0)


@matplotlib.rc_context(style.STYLE)
def score_by_step(
    df: IntoDataFrame,
    metric: str = "mae",
    *,
    models: Sequence[str] | None = None,
    train_df: IntoDataFrame | None = None,
    season_length: int | None = None,
    trained_horizon: int | None = None,
    columns: Columns | None = None,
    unit: str = "",
    title: str | None = None,
) -> Figure:
    """Draw the error of a backtest by step of the forecast.

    Args:
        df: The backtest, as `evaluate` takes it.
        metric: A metric with one score, such as `mae`.
        models: Columns to draw; `None` draws all.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        trained_horizon: The trained horizon of the networks, to mark.
        columns: Names of the columns.
        unit: Unit of the values, for metrics that have one.
        title: Title of the figure; `None` gives the numbers of series and windows.

    Returns:
        The figure.

    Raises:
        SpecError: A metric, model or option does not exist.
        DataError: The frame lacks a column or rows.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0]})
        >>> df = df.assign(model=[1.5, 4.0])
        >>> score_by_step(df).axes[0].lines[0].get_ydata().tolist()
        [0.5, 2.0]
    """
    scorer = Scorer(
        df, [metric], models=models, train_df=train_df, season_length=season_length, columns=columns
    )

    groups, scores = scorer.scores([STEP])
    values = only_score(scores, metric)
    steps = scorer.backtest.rows.steps[groups.first]
    by_step = np.full((int(steps.max()), values.shape[1]), np.nan)
    by_step[steps - 1] = values

    return error_by_step(
        {style.spoken(name): by_step[:, i] for i, name in enumerate(scorer.backtest.models)},
        trained_horizon=trained_horizon,
        ylabel=score_label(metric, unit),
        title=title or f"Error by step of the forecast ({series_and_windows(scorer.backtest)})",
    )


@matplotlib.rc_context(style.STYLE)
def calibration_curve(
    df: IntoDataFrame,
    *,
    models: Sequence[str] | None = None,
    level: Sequence[float] | float | None = None,
    columns: Columns | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the coverage of intervals against their level.

    The grey band contains 95 % of the coverages of exact intervals, with one independent draw for
    each window (series times cutoffs): errors of one window are correlated, so more rows add little
    evidence.

    Args:
        df: The backtest, with intervals of at least one model.
        models: Columns to draw; `None` draws all that have intervals.
        level: Levels to draw; `None` draws all.
        columns: Names of the columns.
        title: Title of the figure; `None` gives the numbers of series and windows.

    Returns:
        The figure.

    Raises:
        SpecError: A model or level does not exist.
        DataError: The frame lacks a column or rows.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [0.0, 3.0], "model": 0.0})
        >>> figure = calibration_curve(df.assign(**{"model-lo-80": -1.0, "model-hi-80": 1.0}))
        >>> figure.axes[0].lines[1].get_ydata().tolist()
        [50.0]
    """
    from scipy.stats import binom

    scorer = Scorer(df, ["coverage"], models=models, level=level, columns=columns)
    backtest = scorer.backtest
    windows = len(backtest.rows.groups(*backtest.rows.window))

    figure, ax = style.new_panel(5.5, 4.8)

    shares = np.linspace(0.01, 0.99, 99)
    low, high = (100 * binom.ppf(side, windows, shares) / windows for side in (0.025, 0.975))
    label = f"95 % of {windows} independent windows"
    style.band(ax, 100 * shares, low, high, colour="#DDDDDD", label=label, zorder=0)
    exact = [0, 100]
    ax.plot(exact, exact, **style.ZERO_LINE, linestyle="-", label="exact coverage", zorder=1)

    for number, model in enumerate(backtest.models):
        covered = {}
        for each in scorer.levels:
            interval = backtest.interval(model, each)
            if interval is not None:
                low, high = interval
                inside = (backtest.truth >= low) & (backtest.truth <= high)
                covered[each] = 100 * float(np.mean(inside))

        if covered:
            levels = np.array([*covered])
            shown = np.array([*covered.values()])
            style.line(ax, levels, shown, style.spoken(model), style.model_style(number))

    ax.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    ax.set(xlabel="level of the interval", ylabel="truth inside the interval")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(decimals=0))
    return style.finish(figure, title or f"Calibration ({series_and_windows(backtest)})")


@matplotlib.rc_context(style.STYLE)
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
    """Draw curves of several runs, with a band from the smallest to the largest run.

    Args:
        panels: For each panel its name (`""` for none) and its curves: by name `x`, `[n]`, and `y`,
            `[runs, n]` or `[n]`.
        xlabel: Name of the x axis, with its unit; a mapping has that of each panel.
        ylabel: Name of the y axis, with its unit; a mapping has that of each panel.
        title: Title of the figure.
        logx: Whether x is logarithmic.
        logy: Whether y is logarithmic.
        guides: Places on the x axis to mark, with their names.
        lowest: Lower end of a logarithmic y axis, so that values near zero do not compress the
            others.
        columns: Most panels side by side.

    Returns:
        The figure.

    Raises:
        DataError: A curve's arrays do not fit together.

    Example:
        >>> runs = {"seqcast": ([1, 2], [[3.0, 4.0], [5.0, 6.0]])}
        >>> figure = repeated_runs({"": runs}, xlabel="step", ylabel="error")
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [4.0, 5.0]
    """
    if not panels:
        raise DataError(
            "panels", expected="at least one", received="none", hint="Give a dict of curves."
        )

    separate = isinstance(xlabel, Mapping) or isinstance(ylabel, Mapping)
    width = 4.3 if len(panels) > 1 else 6.4
    height = 3.1 if len(panels) > columns else 3.9
    figure, _, axes = style.new_panels(
        len(panels), columns, width, height, margins=(0.0, 0.2), sharey=not separate
    )

    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for number, (ax, (panel, curves)) in enumerate(zip(axes, panels.items(), strict=True)):
        for name, (x, y) in curves.items():
            _curve(ax, name, names.index(name), x, y)
        for place, label in (guides or {}).items():
            style.guide(ax, place, label)
        ax.set_title(style.plain(panel))
        ax.set_xlabel(style.plain(xlabel[panel] if isinstance(xlabel, Mapping) else xlabel))
        if separate or number % columns == 0:
            ax.set_ylabel(style.plain(ylabel[panel] if isinstance(ylabel, Mapping) else ylabel))

    # After all curves are drawn, since panels share an axis.
    for ax in axes:
        _scale(ax, logx=logx, logy=logy, lowest=lowest)

    return style.finish(figure, title)


def _curve(ax: Axes, name: str, number: int, x: ArrayLike, y: ArrayLike) -> None:
    places = as_array(f"x of {name!r}", x, (1,))
    runs = np.atleast_2d(as_array(f"y of {name!r}", y, (1, 2)))
    if runs.shape[1] != len(places):
        raise DataError(
            f"y of {name!r}",
            expected=f"{len(places)} numbers a run",
            received=f"shape {runs.shape}",
        )

    style.line(ax, places, runs.mean(axis=0), name, style.model_style(number))
    if len(runs) > 1:
        colour = style.model_style(number)[0]
        style.band(ax, places, runs.min(axis=0), runs.max(axis=0), colour=colour, alpha=0.15)
        style.band(ax, [], [], [], colour=style.GUIDE, label="smallest to largest run", alpha=0.3)


def _scale(ax: Axes, *, logx: bool, logy: bool, lowest: float | None) -> None:
    places = np.unique(
        np.concatenate([np.asarray(drawn.get_xdata(), dtype=float) for drawn in ax.lines])
    )

    if logx:
        ax.set_xscale("log")
        style.name_decades(ax.xaxis, few=100)
        if len(places) <= _MOST_NAMED:
            ax.set_xticks(places)
            ax.set_xticks([], minor=True)
    elif (places % 1 == 0).all():
        style.step_axis(ax, 8)

    if logy:
        ax.set_yscale("log")
        ax.set_ylim(bottom=lowest)
        style.name_decades(ax.yaxis)
    else:
        _start_at_zero(ax)
