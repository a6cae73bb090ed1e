"""Pictures of long frames: series with their forecasts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqcast.config import Columns, check_whole
from seqcast.errors import DataError, unknown_name
from seqcast.plots.figure import MODELS, PAST, STYLE, TRUTH, finish, guide, line, model_style, new_figure, plain, short

__all__ = ["forecast_frame"]

Array = npt.NDArray[Any]


@matplotlib.rc_context(STYLE)
def forecast_frame(
    df: Any,
    forecast_df: Any,
    *,
    columns: Columns | None = None,
    models: Sequence[str] | None = None,
    max_series: int = 8,
    last: int | None = None,
    ylabel: str | None = None,
) -> Figure:
    """Draw series of a long frame with their forecasts, one panel a series.

    A forecast frame with a `cutoff` column is a backtest: each cutoff is marked. Its `y`, if there, is drawn as
    the truth, and columns such as `seqcast-lo-80` and `seqcast-hi-80` as a band around `seqcast`.

    Args:
        df: The history, pandas or Polars; one row a series and time, in any order.
        forecast_df: Forecasts of the same kind; `unique_id`, `ds` and one column a model.
        columns: Names of the columns.
        models: Columns to draw; `None` draws all that are no interval bounds.
        max_series: Most panels: the first series of `forecast_df`.
        last: Values of history before the first forecast; `None` draws four times the forecast's length, and at
            least 30.
        ylabel: What the values are, with their unit; `None` writes the name of the column, unless it is `y`.

    Returns:
        The figure.

    Raises:
        DataError: A column is missing or of the wrong type, or there are no rows.
        SpecError: A model is not in `forecast_df`.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
        >>> figure = forecast_frame(past, pd.DataFrame({"unique_id": "a", "ds": [4, 5], "seqcast": [4.0, 5.0]}))
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['past', 'seqcast', 'cutoff']
    """
    columns = columns or Columns()
    history, ahead = _Rows("df", df, columns), _Rows("forecast_df", forecast_df, columns)
    history.need(columns.y)
    if not history.frame[columns.y].dtype.is_numeric():
        raise history.wrong_type(columns.y, "numbers")
    if (history.stamps.dtype.kind == "M") != (ahead.stamps.dtype.kind == "M"):
        raise ahead.wrong_type(columns.ds, f"stamps like those of df, {history.stamps.dtype}")
    models = ahead.models(models)
    check_whole("max_series", max_series)
    if last is not None:
        check_whole("last", last)

    ids = list(dict.fromkeys(ahead.ids))
    shown = ids[:max_series]
    across = min(len(shown), 2)
    down = math.ceil(len(shown) / across)
    figure = new_figure(5.6 * across + 0.5, 2.3 * down + 0.6)
    part: Any = figure.subfigures()  # its labels keep clear of the figure's legend
    axes = part.subplots(down, across, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(shown):
            ax.remove()
            continue
        _series(ax, history.of(shown[i]), ahead.of(shown[i]), columns, models, last)
        ax.set_title(plain(short(str(shown[i]), 60)))
        _time_axis(ax, ahead.stamps)
    default = Columns()
    part.supylabel(plain(ylabel or ("value" if columns.y == default.y else columns.y)), fontsize=10)
    part.supxlabel(plain("time" if columns.ds == default.ds else columns.ds), fontsize=10)
    finish(figure, f"{len(shown)} of {len(ids)} series" if len(shown) < len(ids) else None)
    return figure


class _Rows:
    """A long frame, read for drawing: sorted by time stamp within a series."""

    def __init__(self, where: str, df: Any, columns: Columns) -> None:
        self.where, self.columns = where, columns
        try:
            self.frame = nw.from_native(df, eager_only=True)
        except TypeError as error:
            raise DataError(
                where,
                expected="a pandas or Polars data frame",
                received=type(df).__name__,
                mend="Convert it, or call df.collect() first.",
            ) from error
        self.need(columns.unique_id, columns.ds)
        if not len(self.frame):
            raise DataError(where, expected="at least one row", received="none", mend="Give some.")
        self.ids = np.asarray(self.frame[columns.unique_id].to_list(), dtype=object)
        self.stamps = self._times(columns.ds)

    def need(self, *names: str) -> None:
        for name in names:
            if name not in self.frame.columns:
                raise DataError(
                    self.where,
                    expected=f"a column {name!r}",
                    received=f"the columns {', '.join(map(repr, self.frame.columns))}",
                    mend="Name yours with columns=Columns(...).",
                )

    def _times(self, name: str) -> Array:
        series = self.frame[name]
        if series.dtype.is_numeric():
            return np.asarray(series.to_numpy())
        if series.dtype == nw.Datetime and getattr(series.dtype, "time_zone", None):
            series = series.dt.replace_time_zone(None)  # local time is what the reader knows
        try:
            if series.dtype == nw.String:
                raise ValueError("text")
            return np.asarray(series.to_list(), dtype="datetime64[us]")
        except (ValueError, TypeError) as error:
            raise self.wrong_type(name, "time stamps, dates or whole numbers") from error

    def wrong_type(self, name: str, expected: str) -> DataError:
        dtype = self.frame[name].to_native().dtype
        return DataError(f"{self.where}, {name}", expected=expected, received=f"type {dtype}", mend="Convert it.")

    def models(self, wanted: Sequence[str] | None) -> list[str]:
        """Return the columns to draw."""
        keys = (*self.columns.to_dict().values(), "cutoff")
        values = [name for name in self.frame.columns if name not in keys and self.frame[name].dtype.is_numeric()]
        bounds = [name for name in values if re.search(r"-(lo|hi)-[\d.]+$", name)]
        known = [name for name in values if name not in bounds]
        for name in wanted or ():
            if name not in values:
                raise unknown_name("models", name, known)
        if not known and not wanted:
            raise DataError(
                self.where, expected="a column of forecasts", received=f"{self.frame.columns}", mend="Add one."
            )
        return list(wanted or known)

    def of(self, name: Any) -> dict[str, Array]:
        """Return the columns of one series as arrays, the time stamps as `""`."""
        rows = np.flatnonzero(self.ids == name)
        rows = rows[np.argsort(self.stamps[rows], kind="stable")]
        found = {"": self.stamps[rows]}
        for column in self.frame.columns:
            if column == "cutoff":
                found[column] = self._times(column)[rows]
            elif self.frame[column].dtype.is_numeric():
                found[column] = np.asarray(self.frame[column].cast(nw.Float64).to_numpy())[rows]
        return found


def _series(
    ax: Axes,
    history: dict[str, Array],
    ahead: dict[str, Array],
    columns: Columns,
    models: list[str],
    last: int | None,
) -> None:
    stamps, ahead_stamps = history[""], ahead[""]
    steps, places = np.unique(ahead_stamps, return_index=True)
    first = int(np.searchsorted(stamps, steps[0]))
    shown = slice(max(0, first - (last or max(30, 4 * len(steps)))), None)
    crowd = len(stamps[shown]) + len(steps)
    line(ax, stamps[shown], history[columns.y][shown], "past", PAST, ".", "-", crowd=crowd)
    if columns.y in ahead:
        line(ax, steps, ahead[columns.y][places], "truth", TRUTH, "o", "-", crowd=crowd)
    # Without cutoffs everything was forecast at once, from the last row before it.
    cutoffs = ahead.get("cutoff", np.full(len(ahead_stamps), stamps[first - 1] if first else steps[0]))
    for cutoff in np.unique(cutoffs):
        part = {name: column[cutoffs == cutoff] for name, column in ahead.items()}
        for number, model in enumerate(models):
            line(ax, part[""], part[model], _spoken(model), *model_style(number), crowd=crowd)
            _bands(ax, part, model, MODELS[number % len(MODELS)])
        guide(ax, cutoff, "cutoff")


def _spoken(model: str) -> str:
    """Write a column's name as words: `seasonal naive`."""
    return model.strip("_").replace("_", " ") or model


def _bands(ax: Axes, part: dict[str, Array], model: str, colour: str) -> None:
    """Draw a model's intervals over each other, the widest first; it alone is in the legend, for all."""
    low, high = f"{model}-lo-", f"{model}-hi-"
    levels = [name.removeprefix(low) for name in part if name.startswith(low)]
    levels = sorted((level for level in levels if high + level in part), key=float, reverse=True)
    label = plain(f"{_spoken(model)}, {' and '.join(reversed(levels))} % interval{'s' * (len(levels) > 1)}")
    for level in levels:
        below, above = part[low + level], part[high + level]
        ax.fill_between(part[""], below, above, color=colour, alpha=0.18, linewidth=0, zorder=1, label=label)
        label = "_nolegend_"


def _time_axis(ax: Axes, stamps: Array) -> None:
    if stamps.dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
