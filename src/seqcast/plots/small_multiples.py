"""Small multiples: series with their forecasts, gaps or unusual rows, a panel for each series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import matplotlib
import narwhals.stable.v2 as nw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from narwhals.typing import IntoDataFrame

from seqcast.data import Description, is_outlier
from seqcast.errors import DataError
from seqcast.evaluation import CUTOFF, TARGET, FrameRows
from seqcast.intervals import level_text
from seqcast.plots import style
from seqcast.runtime import Array
from seqcast.specs import Columns, check_int

# Columns of a series by name; its time stamps have the name "".
SeriesColumns = dict[str, Array]
# Names of an interval's bounds, by its level in per cent.
Bounds = dict[float, tuple[str, str]]


def read_pair(
    df: IntoDataFrame, forecast_df: IntoDataFrame, columns: Columns | None
) -> tuple[FrameRows, FrameRows]:
    """Return a history and its forecasts, checked.

    Args:
        df: The history.
        forecast_df: The forecasts.
        columns: Names of the columns of both frames.
    """
    history = FrameRows("df", df, columns)
    forecast = FrameRows("forecast_df", forecast_df, columns)
    history.need(history.columns.value, *((TARGET,) if forecast.has(TARGET) else ()))
    history.numbers(history.columns.value)

    stamps = [rows.times(rows.columns.ds) for rows in (history, forecast)]
    if (stamps[0].dtype.kind == "M") != (stamps[1].dtype.kind == "M"):
        raise forecast.wrong_type(
            forecast.columns.ds, f"stamps like those of df, {stamps[0].dtype}"
        )

    return history, forecast


def _series_columns(rows: FrameRows, name: object) -> SeriesColumns:
    """Return the columns of one series in the order of time."""
    places = np.flatnonzero(rows.names == name)
    if not len(places):
        return {"": rows.times(rows.columns.ds, local=True)[:0], rows.columns.value: np.zeros(0)}

    chosen = rows.take(places)
    order = np.argsort(chosen.times(chosen.columns.ds), kind="stable")

    arrays = {"": chosen.times(chosen.columns.ds, local=True)[order]}
    for column in chosen.frame.columns:
        if column == CUTOFF:
            arrays[column] = chosen.times(column, local=True)[order]
        elif chosen.frame[column].dtype.is_numeric():
            arrays[column] = chosen.numbers(column)[order]
        elif chosen.frame[column].dtype == nw.Boolean:
            arrays[column] = chosen.frame[column].to_numpy()[order].astype(bool)

    return arrays


@dataclass(frozen=True)
class _SeriesPair:
    """The history of one series and its forecasts.

    Args:
        history: The columns of the history.
        forecast: The columns of the forecasts.
        y: The column of the values.
    """

    history: SeriesColumns
    forecast: SeriesColumns
    y: str

    @classmethod
    def of(cls, history: FrameRows, forecast: FrameRows, name: object) -> Self:
        """Return the history and the forecasts of a series."""
        before, after = (_series_columns(rows, name) for rows in (history, forecast))
        return cls(before, after, forecast.columns.value)

    def from_last_cutoff(self) -> Self:
        """Return the series with the forecasts from the last cutoff only."""
        if CUTOFF not in self.forecast:
            return self
        latest = self.forecast[CUTOFF] == self.forecast[CUTOFF].max()
        return replace(
            self, forecast={name: column[latest] for name, column in self.forecast.items()}
        )


def _check_sizes(max_series: int, last: int | None) -> None:
    check_int("max_series", max_series)
    if last is not None:
        check_int("last", last)


def _first(drawn: Sequence[object], total: int) -> str | None:
    """Return the title of a figure that shows only some series; otherwise `None`."""
    return f"The first {len(drawn)} of {total} series" if len(drawn) < total else None


def _label(grid: SubFigure, columns: Columns, ylabel: str | None) -> None:
    """Label the axes, once for all panels."""
    default = Columns()
    time = "time" if columns.ds == default.ds else columns.ds
    value = "value" if columns.value == default.y else columns.value
    style.label_grid(grid, time, ylabel or value)


@matplotlib.rc_context(style.STYLE)
def forecast_frame(
    df: IntoDataFrame,
    forecast_df: IntoDataFrame,
    *,
    columns: Columns | None = None,
    models: Sequence[str] | None = None,
    max_series: int = 8,
    last: int | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draw series of a long frame with their forecasts, a panel for each series.

    A forecast frame with a `cutoff` column is a backtest, whose cutoffs are marked. A column `y` is
    drawn as the truth, and columns such as `seqcast-lo-80` and `seqcast-hi-80` as a band around
    `seqcast`.

    Args:
        df: The history, pandas or Polars; one row a series and time, in any order.
        forecast_df: Forecasts of the same kind; `unique_id`, `ds` and one column a model.
        columns: Names of the columns.
        models: Columns to draw; `None` draws all except interval bounds.
        max_series: Most panels: the first series of `forecast_df`.
        last: Values of history before the first forecast; `None` draws twice the forecasts' length,
            at least 30.
        ylabel: Name of the values, with their unit; `None` writes the name of the column, unless it
            is `y`.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type, or there are no rows.
        SpecError: A model is not in `forecast_df`.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> forecast = pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]})
        >>> figure = forecast_frame(past, forecast)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['past', 'seqcast', 'cutoff']
    """
    history, forecast = read_pair(df, forecast_df, columns)
    models = forecast.models(models)
    _check_sizes(max_series, last)

    names = list(dict.fromkeys(forecast.names))
    drawn = names[:max_series]

    figure, grid, axes = style.new_panels(len(drawn), 2, 5.6, 2.3)

    for ax, name in zip(axes, drawn, strict=True):
        pair = _SeriesPair.of(history, forecast, name)
        _forecasts(ax, pair, {model: forecast.bounds(model) for model in models}, last)
        ax.set_title(style.plain(str(name), 60))

    _label(grid, forecast.columns, ylabel)
    return style.finish(figure, _first(drawn, len(names)))


def _forecasts(ax: Axes, pair: _SeriesPair, models: Mapping[str, Bounds], last: int | None) -> None:
    """Draw a series and the forecasts of several models from each cutoff."""
    forecast = pair.forecast
    least = max(30, 2 * len(np.unique(forecast[""])))
    crowd, before = _observed(ax, pair, count=last or least)

    cutoffs = forecast.get(CUTOFF, np.full(len(forecast[""]), before))
    for cutoff in np.unique(cutoffs):
        window = {name: column[cutoffs == cutoff] for name, column in forecast.items()}
        for number, (model, bounds) in enumerate(models.items()):
            style.line(
                ax,
                window[""],
                window[model],
                style.spoken(model),
                style.model_style(number),
                crowd=crowd,
            )
            _bands(ax, window, model, bounds, style.MODELS[number % len(style.MODELS)])
        style.guide(ax, cutoff, "cutoff")

    style.time_axis(ax, forecast[""])


def _observed(ax: Axes, pair: _SeriesPair, *, count: int, small: bool = False) -> tuple[int, Any]:
    """Draw the values before a forecast, at most `count`, and the truth.

    Returns:
        The number of points in the panel, and the last time stamp before the forecast, the cutoff
        if there is no other.
    """
    y = pair.y
    forecast = pair.forecast
    stamps = pair.history[""]
    steps, places = np.unique(forecast[""], return_index=True)
    first = int(np.searchsorted(stamps, steps[0]))
    # A small panel of a backtest shows the truth once.
    recent = slice(max(0, first - count), first if small and y in forecast else None)
    crowd = len(stamps[recent]) + len(steps)
    if small:
        crowd *= 2

    style.line(ax, stamps[recent], pair.history[y][recent], "past", style.PAST_LINE, crowd=crowd)
    if y in forecast:
        style.line(ax, steps, forecast[y][places], "truth", style.TRUTH_LINE, crowd=crowd)
    return crowd, stamps[first - 1] if first else steps[0]


def _bands(ax: Axes, window: SeriesColumns, model: str, bounds: Bounds, colour: str) -> None:
    """Draw the intervals of a model over each other; the widest, drawn first, has the legend."""
    levels = [level_text(level) for level in bounds]
    noun = "interval" if len(levels) == 1 else "intervals"
    label = style.plain(f"{style.spoken(model)}, {' and '.join(levels)} % {noun}")

    for below, above in reversed(list(bounds.values())):
        style.band(
            ax,
            window[""],
            window[below],
            window[above],
            colour=colour,
            label=label,
            alpha=0.18,
            zorder=1,
        )
        label = "_nolegend_"


@matplotlib.rc_context(style.STYLE)
def forecast_fans(
    df: IntoDataFrame,
    forecast_df: IntoDataFrame,
    *,
    model: str | None = None,
    level: Sequence[float] | None = None,
    max_series: int = 12,
    last: int | None = None,
    columns: Columns | None = None,
    ylabel: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a model's forecasts of many series with their intervals, small panels in a grid.

    For a backtest the last cutoff of each series is drawn, with the truth.

    Args:
        df: The history, pandas or Polars; one row a series and time, in any order.
        forecast_df: Forecasts of the same kind, with bounds such as `seqcast-lo-80` and
            `seqcast-hi-80`.
        model: The forecast's column; `None` takes the first one with intervals, or else the first.
        level: Levels to draw, in per cent; `None` draws all.
        max_series: Most panels: the first series of `forecast_df`.
        last: Values of history before the forecast; `None` draws three times the forecast's length,
            at least 20.
        columns: Names of the columns.
        ylabel: Name of the values, with their unit; `None` writes the name of the column, unless it
            is `y`.
        title: Title of the figure; `None` gives the number of series, if not all are shown.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type, or there are no rows.
        SpecError: A model or level does not exist.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> forecast = pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]})
        >>> bounds = {"seqcast-lo-80": 3.0, "seqcast-hi-80": 6.0}
        >>> figure = forecast_fans(past, forecast.assign(**bounds))
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['past', 'seqcast', '80 % interval', 'cutoff']
    """
    history, forecast = read_pair(df, forecast_df, columns)
    _check_sizes(max_series, last)
    model = main_model(forecast, model)
    bounds = forecast.bounds(model, level)

    names = list(dict.fromkeys(forecast.names))
    drawn = names[:max_series]
    across = min(4, int(np.ceil(np.sqrt(len(drawn)))))

    figure, grid, axes = style.new_panels(len(drawn), across, 3.2, 2.1, margins=(0.4, 0.7))

    for ax, name in zip(axes, drawn, strict=True):
        _fan(ax, _SeriesPair.of(history, forecast, name), model, bounds, last)
        ax.set_title(style.plain(str(name), 34), fontsize=9)

    _label(grid, forecast.columns, ylabel)
    return style.finish(figure, title or _first(drawn, len(names)))


def main_model(forecast: FrameRows, model: str | None) -> str:
    """Return the model to draw: the given one, or else the first with intervals, or else the first.

    Args:
        forecast: The forecasts.
        model: Its column, or `None`.
    """
    models = forecast.models(None if model is None else [model])
    return next((name for name in models if forecast.bounds(name)), models[0])


def _fan(ax: Axes, pair: _SeriesPair, model: str, bounds: Bounds, last: int | None) -> None:
    """Draw a series and one model's forecast from the last cutoff, the wider intervals behind."""
    pair = pair.from_last_cutoff()
    forecast = pair.forecast
    steps = forecast[""]
    crowd, before = _observed(ax, pair, count=last or max(20, 3 * len(steps)), small=True)

    style.line(ax, steps, forecast[model], style.spoken(model), style.model_style(0), crowd=crowd)

    shares = np.linspace(0.45, 0.15, len(bounds)) if len(bounds) > 1 else [0.3]
    for depth, ((each, (below, above)), share) in enumerate(
        zip(bounds.items(), shares, strict=False)
    ):
        label = f"{level_text(each)} % interval"
        colour = style.tint(style.MODELS[0], float(share))
        place = 0.9 - 0.01 * depth
        style.band(
            ax, steps, forecast[below], forecast[above], colour=colour, label=label, zorder=place
        )

    style.guide(ax, forecast[CUTOFF][0] if CUTOFF in forecast else before, "cutoff")
    style.time_axis(ax, steps, most=5)


@matplotlib.rc_context(style.STYLE)
def history_frame(
    description: Description, *, max_series: int = 8, ylabel: str | None = None
) -> Figure:
    """Draw series with their gaps and outliers, a panel for each series.

    Args:
        description: The result of `seqcast.data.describe`.
        max_series: Most panels: the first series.
        ylabel: Name of the values, with their unit; `None` writes the name of the column, unless it
            is `y`.

    Returns:
        The figure.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data import describe
        >>> days = pd.date_range("2024-01-01", periods=40)
        >>> figure = history_frame(describe(pd.DataFrame({"ds": days, "y": range(40)})))
        >>> figure.axes[0].get_title()
        'series: 40 rows, trend 1.00, season 0.00'
    """
    _check_sizes(max_series, None)
    frame = description.frame
    facts = description.series
    drawn = facts[:max_series]

    figure, grid, axes = style.new_panels(len(drawn), 2, 5.6, 2.3)

    for number, ax in enumerate(axes):
        target, place = divmod(number, len(frame.source.ids))
        rows = slice(int(frame.source.starts[place]), int(frame.source.ends[place]))
        stamps = frame.stamps[rows]
        when = (
            stamps.to_numpy() if stamps.dtype.kind in "iu" else stamps.tz_localize(None).to_numpy()
        )
        _gaps_and_outliers(ax, when, frame.targets[rows, target])

        series = drawn[number]
        title = f"{series.name}: {series.rows} rows, trend {series.trend:.2f}"
        if not np.isnan(series.season):
            title += f", season {series.season:.2f}"
        ax.set_title(style.plain(title, 60))

    _label(grid, frame.schema.columns, ylabel)
    return style.finish(figure, _first(drawn, len(facts)))


def _gaps_and_outliers(ax: Axes, when: Array, values: Array) -> None:
    ax.plot(when, values, color=style.PAST, linewidth=1.1, label="values")

    missing = np.isnan(values)
    outliers = is_outlier(values)

    if missing.any():
        low = np.full(int(missing.sum()), 0.0 if missing.all() else np.nanmin(values))
        ax.plot(when[missing], low, "|", color=style.MODELS[4], markersize=9, label="missing")

    if outliers.any():
        label = "far from the rest"
        ax.plot(
            when[outliers],
            values[outliers],
            "o",
            color=style.MODELS[0],
            markersize=5,
            fillstyle="none",
            label=label,
        )

    style.time_axis(ax, when)


SCORE = "score"
ANOMALY = "anomaly"
TRAINED = "trained_on"


@matplotlib.rc_context(style.STYLE)
def anomaly_frame(
    scored: IntoDataFrame,
    *,
    columns: Columns | None = None,
    max_series: int = 4,
    last: int | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draw rows and their intervals, a panel a series, those with the most unusual rows first.

    Args:
        scored: The result of `Forecaster.anomalies`.
        columns: Names of the columns.
        max_series: Most panels.
        last: Rows of each series to draw, the last ones; `None` draws all.
        ylabel: Name of the values, with their unit; `None` writes the name of the column, unless it
            is `y`.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type.

    Example:
        >>> import pandas as pd
        >>> scored = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [0.0, 9.0, 0.0]})
        >>> scored = scored.assign(**{"seqcast": 0.0, "seqcast-lo-99": -3.0, "seqcast-hi-99": 3.0})
        >>> scored = scored.assign(score=[0.0, 3.0, 0.0], anomaly=[False, True, False])
        >>> anomaly_frame(scored).axes[0].get_title()
        'a: 1 of 3 rows outside'
    """
    _check_sizes(max_series, last)

    rows = FrameRows("scored", scored, columns)
    rows.need(rows.columns.value, SCORE, ANOMALY)
    model = main_model(rows, None)
    bounds = rows.bounds(model)

    if not bounds:
        raise DataError(
            option="scored",
            expected=(
                "columns of a forecast and its interval, "
                "such as 'seqcast', 'seqcast-lo-99' and 'seqcast-hi-99'"
            ),
            received=f"the columns {', '.join(map(repr, rows.frame.columns))}",
            hint="Give the result of Forecaster.anomalies.",
        )

    series = rows.groups(*rows.series)
    worst = np.zeros(len(series))
    np.fmax.at(worst, series.codes, rows.numbers(SCORE))
    drawn = rows.names[series.first[np.argsort(-worst, kind="stable")]][:max_series]

    figure, grid, axes = style.new_panels(len(drawn), 1, 11.0, 2.5, margins=(0.0, 0.5))

    for ax, name in zip(axes, drawn, strict=True):
        arrays = _series_columns(rows, name)
        count = len(arrays[SCORE])
        outside = int(arrays[ANOMALY].sum())
        ax.set_title(
            style.plain(f"{style.short(str(name), 60)}: {outside} of {count} rows outside")
        )
        newest = {column: values[-(last or count) :] for column, values in arrays.items()}
        _unusual_rows(ax, newest, rows.columns.value, model, bounds)

    _label(grid, rows.columns, ylabel)
    title = f"{len(drawn)} of {len(series)} series, those with the most unusual rows"
    return style.finish(figure, title if len(drawn) < len(series) else None)


def _unusual_rows(ax: Axes, series: SeriesColumns, y: str, model: str, bounds: Bounds) -> None:
    when = series[""]
    values = series[y]
    name = style.spoken(model)
    level, (below, above) = list(bounds.items())[-1]
    label = style.plain(f"{name}, {level_text(level)} % interval")
    shade = style.tint(style.MODELS[4], 0.35)

    style.band(ax, when, series[below], series[above], colour=shade, label=label, zorder=1)
    ax.plot(
        when, series[model], color=style.MODELS[4], linewidth=1.0, zorder=2, label=style.plain(name)
    )
    ax.plot(when, values, color=style.PAST, linewidth=1.0, zorder=3, label="values")

    outside = series[ANOMALY]
    (rings,) = ax.plot(when[outside], values[outside], "o", markersize=6, zorder=4, label="outside")
    rings.set(color=style.MODELS[0], fillstyle="none", markeredgewidth=1.5)

    trained = series.get(TRAINED, np.zeros(0, dtype=bool))
    if trained.any() and not trained.all():
        style.guide(ax, when[trained][-1], "end of training")

    style.time_axis(ax, when)
