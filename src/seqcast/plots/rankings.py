"""Rankings of series, networks, covariates, properties and units, the largest or best on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from narwhals.typing import IntoDataFrame
from numpy.typing import ArrayLike

from seqcast.data.frames import check_columns, open_frame
from seqcast.errors import DataError, counted
from seqcast.evaluation import Backtest, Scorer, spoken_metric
from seqcast.plots import style
from seqcast.runtime import Array
from seqcast.specs import Columns, check_int

if TYPE_CHECKING:
    import pandas as pd


def score_label(metric: str, unit: str) -> str:
    """Return the name of an axis of scores.

    Args:
        metric: The metric.
        unit: Unit of the values, or an empty text.
    """
    return style.with_unit(spoken_metric(metric), unit)


def only_score(scores: dict[str, Array], metric: str) -> Array:
    """Return the only score of a metric.

    Args:
        scores: Scores of the metric by name.
        metric: The metric.
    """
    if len(scores) != 1:
        raise DataError(
            "metric",
            expected="a metric with one score",
            received=f"{metric!r}, which gives {', '.join(scores)}",
            hint="Choose another, such as 'mae' or 'scaled_crps'.",
        )
    return next(iter(scores.values()))


def series_and_windows(backtest: Backtest) -> str:
    """Return the numbers of series and windows of a backtest, as text.

    Args:
        backtest: The backtest.
    """
    series, windows = (
        len(backtest.rows.groups(*keys)) for keys in (backtest.rows.series, backtest.rows.window)
    )

    return f"{series:,} series, {counted(windows, 'window')}"


def _rows(names: Iterable[object], xlabel: str, height: float = 0.34) -> tuple[Figure, Axes]:
    """Return a figure with a row for each name, the first at the bottom."""
    words = [style.plain(str(name), 60).strip() for name in names]
    width = max(6.8, 5.2 + 0.065 * max(map(len, words)))
    figure, ax = style.new_panel(width, height * len(words) + 1.3)
    ax.set_yticks(range(len(words)), words)
    ax.set_xlabel(style.plain(xlabel))
    return figure, ax


@matplotlib.rc_context(style.STYLE)
def score_by_series(
    df: IntoDataFrame,
    metric: str = "mae",
    *,
    models: Sequence[str] | None = None,
    max_series: int = 20,
    train_df: IntoDataFrame | None = None,
    season_length: int | None = None,
    columns: Columns | None = None,
    unit: str = "",
    title: str | None = None,
) -> Figure:
    """Draw the error of each series, with the largest error of the first model on top.

    A series is a line, a model a mark on it.

    Args:
        df: The backtest, as `evaluate` takes it.
        metric: A metric with one score, such as `mae`.
        models: Columns to draw; `None` draws all.
        max_series: Most series, those with the largest errors.
        train_df: Rows for scaled metrics.
        season_length: Season of scaled metrics.
        columns: Names of the columns.
        unit: Unit of the values, for metrics that have one.
        title: Title of the figure; `None` gives the number of series.

    Returns:
        The figure.

    Raises:
        SpecError: A metric, model or option does not exist.
        DataError: The frame lacks a column or rows.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": [1.0, 2.0]})
        >>> df = df.assign(model=[1.5, 4.0])
        >>> [label.get_text() for label in score_by_series(df).axes[0].get_yticklabels()]
        ['a', 'b']
    """
    check_int("max_series", max_series)

    scorer = Scorer(
        df, [metric], models=models, train_df=train_df, season_length=season_length, columns=columns
    )
    rows = scorer.backtest.rows
    groups, scores = scorer.scores(rows.series)
    values = only_score(scores, metric)

    # The largest error is drawn last, on top.
    errors = np.nan_to_num(np.abs(values[:, 0]), nan=-np.inf)
    order = np.argsort(-errors, kind="stable")[:max_series][::-1]

    figure, ax = _rows(rows.names[groups.first[order]], score_label(metric, unit), height=0.26)
    for number, model in enumerate(scorer.backtest.models):
        colour, marker, _ = style.model_style(number)
        label = style.plain(style.spoken(model))
        ax.plot(
            values[order, number],
            np.arange(len(order)),
            marker,
            color=colour,
            markersize=6,
            label=label,
        )

    drawn = values[order][np.isfinite(values[order])]
    if len(drawn) and drawn.min() > 0 and drawn.max() > 100 * drawn.min():
        ax.set_xscale("log")
    elif len(drawn) and drawn.min() >= 0:
        ax.set_xlim(left=0)
    else:
        ax.axvline(0, **style.ZERO_LINE, zorder=1)

    few = f"all {len(groups)}"
    if len(order) < len(groups):
        few = f"the {len(order)} hardest of {len(groups)}"
    return style.finish(figure, title or f"Error by series ({few})")


@matplotlib.rc_context(style.STYLE)
def dot_chart(
    rows: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    title: str | None = None,
    logx: bool = False,
    runs: str = "a run",
) -> Figure:
    """Draw a number for each row: all runs as dots, their mean as a mark, the smallest mean on top.

    Args:
        rows: For each row its name and the numbers of its runs, `[runs]`.
        xlabel: Name of the numbers, with their unit.
        title: Title of the figure.
        logx: Whether the axis is logarithmic.
        runs: Name of a dot in the legend.

    Returns:
        The figure.

    Raises:
        DataError: There is no row.

    Example:
        >>> figure = dot_chart({"deep": [2.0, 3.0], "wide": [1.0]}, xlabel="error")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['deep', 'wide']
    """
    arrays = style.named_arrays("rows", rows, 1)
    ordered = sorted(arrays, key=lambda name: float(-arrays[name].mean()))

    figure, ax = _rows(ordered, xlabel)
    for place, name in enumerate(ordered):
        places = np.full(len(arrays[name]), place)
        ax.plot(arrays[name], places, "o", markersize=4, color=style.PAST, alpha=0.5, label=runs)
        ax.plot(arrays[name].mean(), place, "D", markersize=6, color=style.MODELS[0], label="mean")

    if logx:
        ax.set_xscale("log")
        style.name_decades(ax.xaxis)
    return style.finish(figure, title)


@matplotlib.rc_context(style.STYLE)
def importance_chart(
    importance: IntoDataFrame, *, max_covariates: int = 15, title: str | None = None
) -> Figure:
    """Draw the importance of covariates, the growth of the error, the most important on top.

    Args:
        importance: The result of `covariate_importance`, of a forecaster or of `seqcast.inspect`.
        max_covariates: Most covariates to draw.
        title: Title of the figure.

    Returns:
        The figure; lines reach one standard deviation over the permutations to either side.

    Raises:
        DataError: A column is missing, or there are no covariates.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"covariate": ["price", "day"], "importance": [0.3, 0.0]})
        >>> figure = importance_chart(table.assign(spread=0.1, error=1))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['day', 'price']
    """
    check_int("max_covariates", max_covariates)

    frame = open_frame(importance, "importance", hint="Give the result of covariate_importance.")
    numbers = ("importance", "spread", "error")
    check_columns(frame, [(None, name) for name in ("covariate", *numbers)], "importance")
    values, spread, errors = (frame[name].to_numpy().astype(float) for name in numbers)

    if not np.isfinite(values).all():
        raise DataError(
            option="importance",
            expected="finite numbers",
            received="NaN or infinite ones",
            hint="Compute it again.",
        )

    order = np.argsort(-values, kind="stable")[:max_covariates][::-1]
    label = f"growth of the error, which is {errors[0]:.3g} without permutation (scaled units)"
    figure, ax = _rows(frame["covariate"].to_numpy()[order], label)

    reach = {"ecolor": style.GUIDE, "capsize": 3, "label": "spread of permutations"}
    label = "growth of the error"
    places = np.arange(len(order))
    ax.barh(
        places,
        values[order],
        0.6,
        xerr=spread[order],
        color=style.MODELS[4],
        label=label,
        error_kw=reach,
    )

    ax.axvline(0, **style.ZERO_LINE)
    if len(order) < len(values):
        title = title or f"{len(order)} of {len(values)} covariates, the most important"
    return style.finish(figure, title)


@matplotlib.rc_context(style.STYLE)
def probe_scores(
    table: pd.DataFrame, *, title: str | None = "What can be read from the state"
) -> Figure:
    """Draw the R² of probes that predict properties from states, and of their controls.

    Args:
        table: The result of `seqcast.inspect.probe`.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> import pandas as pd
        >>> row = {"property": "frequency", "probe": "linear", "r2": 0.9, "r2_permuted": -0.01}
        >>> figure = probe_scores(pd.DataFrame([{**row, "r2_low": 0.8, "r2_high": 0.95}]))
        >>> figure.axes[0].get_xlabel()
        'R² on windows that the probe has not seen'
    """
    properties = list(dict.fromkeys(table["property"]))[::-1]
    probes = list(dict.fromkeys(table["probe"]))

    figure, ax = _rows(properties, "R² on windows that the probe has not seen", height=0.5)

    for number, kind in enumerate(probes):
        rows = table[table["probe"] == kind].set_index("property").reindex(properties)
        # A control may be much below zero, which does not matter.
        shown = rows[["r2", "r2_low", "r2_high", "r2_permuted"]].clip(-0.2, 1)
        colour, marker, _ = style.model_style(number)
        places = np.arange(len(properties)) + 0.16 * ((len(probes) - 1) / 2 - number)
        ax.hlines(places, shown["r2_low"], shown["r2_high"], color=colour, linewidth=1.2)
        ax.plot(shown["r2"], places, marker, color=colour, label=f"{kind} probe")
        control = f"{kind} probe, values permuted"
        ax.plot(
            shown["r2_permuted"],
            places,
            marker,
            color=colour,
            markerfacecolor="white",
            label=control,
        )

    ax.axvline(0, **style.ZERO_LINE, linestyle=":")
    ax.set_xlim(-0.24, 1.04)
    return style.finish(figure, title)


@matplotlib.rc_context(style.STYLE)
def unit_chart(
    values: Mapping[str, ArrayLike],
    *,
    ylabel: str,
    title: str | None = None,
    guide_at: float | None = None,
) -> Figure:
    """Draw a number for each unit, the largest first, in a panel for each layer.

    Args:
        values: For each layer its name and the numbers of its units, `[n]`.
        ylabel: Name of the numbers, with their unit.
        title: Title of the figure.
        guide_at: A number to mark, for comparison.

    Returns:
        The figure.

    Raises:
        DataError: There is no layer.

    Example:
        >>> figure = unit_chart({"layer 1": [0.1, 0.5]}, ylabel="memory [steps]")
        >>> [float(bar.get_height()) for bar in figure.axes[0].patches]
        [0.5, 0.1]
    """
    layers = style.named_arrays("values", values, 1)

    figure, _, axes = style.new_panels(
        len(layers), len(layers), 3.2, 3.0, margins=(0.5, 0.0), sharey=True
    )

    for number, (ax, (name, numbers)) in enumerate(zip(axes, layers.items(), strict=True)):
        colour = (style.PAST, *style.MODELS)[number % 7]
        ax.bar(np.arange(1, len(numbers) + 1), np.sort(numbers)[::-1], color=colour, width=0.8)
        if guide_at is not None:
            ax.axhline(guide_at, color=style.GUIDE, linewidth=1.0, linestyle=":")
        ax.set(title=style.plain(name), xlabel="unit, the largest first")
        style.step_axis(ax, 6)

    axes[0].set_ylabel(style.plain(ylabel))
    return style.finish(figure, title)
