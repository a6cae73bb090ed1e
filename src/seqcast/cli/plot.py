"""`seqcast plot`: draw history and forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import print_line
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import (
    Data,
    IdColumn,
    TimeColumn,
    TimeFormat,
    TimeZone,
    ValueColumn,
    count_option,
    named_columns,
    takes_options,
)
from seqcast.cli.outputs import Force, check_output

if TYPE_CHECKING:
    from seqcast.specs import Columns


@takes_options
def plot(
    data: Data,
    forecast: Annotated[
        Path, typer.Argument(metavar="FORECAST", help="CSV or Parquet file that `predict` or `backtest` wrote.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF file.")] = Path("forecast.png"),
    id_column: IdColumn = "unique_id",
    time_column: TimeColumn = "ds",
    value_column: ValueColumn = "y",
    time_format: TimeFormat = None,
    tz: TimeZone = None,
    max_series: Annotated[int, count_option("--max-series", help="Most series to draw, from the first.")] = 8,
    last: Annotated[
        int | None,
        count_option("--last", help="Steps of history to draw; twice the forecast's, at least 30, if absent."),
    ] = None,
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """Draw history and forecasts, one panel a series.

    For example:

        seqcast plot sales.csv forecast.csv -o forecast.png
    """
    from seqcast.data.frames import place_in_file
    from seqcast.errors import DataError
    from seqcast.plots import SUFFIXES

    check_output(output, SUFFIXES, read=[data, forecast], force=force)
    columns = named_columns(id_column, time_column, value_column, time_format, tz)
    forecasts = files.read(forecast, columns, value=False, wide=False)
    ids = forecasts[columns.unique_id].unique()
    history = files.read(data, columns, series=ids[0] if len(ids) == 1 else None)
    if history[columns.unique_id].dtype != forecasts[columns.unique_id].dtype:  # one is from a CSV file, as text
        for frame in (history, forecasts):
            frame[columns.unique_id] = frame[columns.unique_id].astype("str")
    if not history[columns.unique_id].isin(ids).any():
        raise DataError(
            place_in_file(forecast, column=columns.unique_id),
            path=str(forecast),
            column=columns.unique_id,
            expected=f"series of {data}, such as {history[columns.unique_id].iloc[0]!r}",
            received=repr(ids[0]),
            hint="Give the file that was forecast from.",
        )
    with in_files(df=(data, history), forecast_df=(forecast, forecasts)):
        save_forecast_figure(history, forecasts, columns, output, max_series=max_series, last=last)
    print_line(f"Wrote {output}")


def save_forecast_figure(history: Any, forecasts: Any, columns: Columns, path: Path, **settings: Any) -> None:
    """Draw history and forecasts into a file.

    Args:
        history: Frame of the history.
        forecasts: Frame of the forecasts.
        columns: Names of their columns.
        path: The file.
        settings: Further arguments of `seqcast.plots.forecast_frame`.
    """
    from seqcast.plots import forecast_frame, save_figure

    save_figure(forecast_frame(history, forecasts, columns=columns, **settings), path)
