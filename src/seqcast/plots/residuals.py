"""Plots of a backtest's errors: over time, distribution, by step, and autocorrelation."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from narwhals.typing import IntoDataFrame

from seqcast.errors import DataError
from seqcast.evaluation import Backtest
from seqcast.plots import style
from seqcast.runtime import Array
from seqcast.specs import Columns

# Most distances of the autocorrelation, in steps: two days of hours.
_MOST_LAGS = 48
# Most points of the scatter; more would overlap and make a large file.
_MOST_POINTS = 5_000


@matplotlib.rc_context(style.STYLE)
def residual_diagnostics(
    df: IntoDataFrame,
    model: str | None = None,
    *,
    columns: Columns | None = None,
    unit: str = "",
    title: str | None = None,
) -> Figure:
    """Draw a model's errors, truth minus forecast, in four panels.

    The panels show errors over time, as a histogram, by step (median and middle 80 %), and their
    autocorrelation within a window. Errors of several series are divided by the root mean square of
    their series.

    Args:
        df: The backtest: `unique_id`, `ds`, `y`, perhaps `cutoff` and `step`, and forecasts.
        model: The forecast's column; `None` takes the first.
        columns: Names of the columns.
        unit: Unit of the values; not shown for several series.
        title: Title of the figure; `None` names the model.

    Returns:
        The figure.

    Raises:
        SpecError: The model does not exist.
        DataError: The frame lacks a column or rows.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 3.0, 2.0]})
        >>> [ax.get_title() for ax in residual_diagnostics(df.assign(model=2.0)).axes]
        ['over time', 'distribution', 'by step', 'autocorrelation within a window']
    """
    backtest = Backtest(df, columns, models=None if model is None else [model])
    residuals = backtest.truth - backtest.forecasts[:, 0]
    finite = np.flatnonzero(np.isfinite(residuals))
    if not len(finite):
        raise DataError(
            "df", expected="a finite forecast", received="none", hint="Choose another model."
        )

    steps = backtest.rows.steps[finite]
    rows = backtest.rows.take(finite)
    residuals = residuals[finite]

    series = rows.groups(*rows.series)
    label = style.with_unit("truth − forecast", unit)
    if len(series) > 1:
        size = np.sqrt(series.mean(residuals**2))
        residuals = residuals / np.where(size > 0, size, 1.0)[series.codes]
        label = "truth − forecast, by series' RMS"
    label = style.plain(label)

    figure, _, axes = style.new_panels(4, 2, 4.8, 3.2, margins=(0.0, 0.0))
    _over_time(axes[0], rows.times(rows.columns.ds, local=True), residuals, label)
    _distribution(axes[1], residuals, label)
    _by_step(axes[2], steps, residuals, label)
    _autocorrelation(axes[3], residuals, steps, rows.groups(*rows.window).codes)

    name = style.spoken(backtest.models[0])
    return style.finish(figure, title or f"Errors of {name} ({len(residuals):,} forecasts)")


def _over_time(ax: Axes, stamps: Array, residuals: Array, label: str) -> None:
    # Every n-th point in the order of time, for the same picture each time.
    order = np.argsort(stamps, kind="stable")
    order = order[:: -(-len(order) // _MOST_POINTS)]
    ax.plot(stamps[order], residuals[order], ".", color=style.MODELS[0], markersize=3, alpha=0.5)
    ax.axhline(0, **style.ZERO_LINE)
    style.time_axis(ax, stamps, most=6)
    ax.set(title="over time", xlabel="time", ylabel=label)


def _distribution(ax: Axes, residuals: Array, label: str) -> None:
    low = residuals.min()
    high = residuals.max()
    if len(residuals) > 200:
        low, high = np.quantile(residuals, [0.005, 0.995])

    # The outermost bins include larger errors, so that outliers do not compress the others.
    bins = min(40, max(5, round(len(residuals) ** 0.5))) if high > low else 1
    ax.hist(np.clip(residuals, low, high), bins=bins, color=style.tint(style.MODELS[0], 0.6))

    ax.axvline(0, **style.ZERO_LINE)
    ax.axvline(
        float(residuals.mean()),
        color=style.TRUTH,
        linewidth=1.4,
        linestyle="--",
        label="mean error",
    )

    ax.set(title="distribution", xlabel=label, ylabel="forecasts")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _by_step(ax: Axes, steps: Array, residuals: Array, label: str) -> None:
    from pandas import Series

    by_step = Series(residuals).groupby(steps).quantile(np.array([0.1, 0.5, 0.9])).unstack()
    unique = by_step.index.to_numpy()
    (low, middle, high) = by_step.to_numpy().T

    shade = style.tint(style.MODELS[0], 0.3)
    style.band(ax, unique, low, high, colour=shade, label="middle 80 % of errors")
    style.line(ax, unique, middle, "median error", (style.MODELS[0], ".", "-"))

    ax.axhline(0, **style.ZERO_LINE)
    style.step_axis(ax, 8)
    ax.set(title="by step", xlabel="step of the forecast", ylabel=label)


def _autocorrelation(ax: Axes, residuals: Array, steps: Array, windows: Array) -> None:
    values = autocorrelation(residuals, steps, windows)
    lags = np.arange(1, len(values) + 1)

    ax.vlines(lags, 0, values, color=style.MODELS[0], linewidth=2.0)
    ax.plot(lags, values, "o", color=style.MODELS[0], markersize=4)
    ax.axhline(0, **style.ZERO_LINE)

    ax.set_ylim(min(-0.3, np.nanmin(values, initial=0.0) - 0.05), 1.05)
    ax.set_xlim(0.4, max(len(values), 2) + 0.6)
    style.step_axis(ax, 8)
    ax.set(
        title="autocorrelation within a window",
        xlabel="distance in steps",
        ylabel="correlation of errors",
    )


def autocorrelation(residuals: Array, steps: Array, windows: Array) -> Array:
    """Return the autocorrelation of errors within windows, over all windows.

    `Σ e_h e_{h+k} / √(Σ e_h² Σ e_{h+k}²)` over all pairs of steps of a window with the distance
    `k`. It is centred at zero, not at the mean, because a forecast that is always too low has the
    same error at each step.

    Args:
        residuals: Errors, `[rows]`.
        steps: Step of each error, `[rows]`.
        windows: Number of the window of each error, `[rows]`.

    Returns:
        The correlations at distances of 1, 2, … steps, at most 48; NaN without a pair.

    Example:
        >>> autocorrelation(np.array([1.0, -1.0, 1.0]), np.array([1, 2, 3]), np.array([0, 0, 0]))
        array([-1.,  1.])
    """
    table = np.full((int(windows.max()) + 1, int(steps.max())), np.nan)
    table[windows, steps - 1] = residuals

    correlations = np.full(min(_MOST_LAGS, table.shape[1] - 1), np.nan)
    for lag in range(1, len(correlations) + 1):
        here = table[:, :-lag]
        later = table[:, lag:]
        both = ~(np.isnan(here) | np.isnan(later))
        size = np.sqrt((here[both] ** 2).sum() * (later[both] ** 2).sum())
        if size > 0:
            correlations[lag - 1] = (here[both] * later[both]).sum() / size

    return correlations
