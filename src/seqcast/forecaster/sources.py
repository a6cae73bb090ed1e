"""Rows of fits, forecasts and backtests: from a frame, or piece by piece from a source that memory does not hold."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.data.frames import AnyFrame, LongFrame, TableSource, file_groups, in_source, open_source
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.cluster import Cluster
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.options import RowOptions
from seqcast.forecaster.output import OutputFolder, gathered
from seqcast.forecaster.reading import Memory, as_source, checked_pieces, columns_read, read_rows, sharded_rows
from seqcast.forecaster.series_state import SeriesState
from seqcast.training import digest

PathLike = str | os.PathLike[str]


def training_rows(
    rows: RowOptions, df: Any, memory_limit: Any, opened: contextlib.ExitStack, storage: PathLike | None = None
) -> AnyFrame:
    """Read the rows of a fit.

    Args:
        rows: How frames are read.
        df: The rows: a frame, or a source that is read piece by piece.
        memory_limit: The user's limit.
        opened: What removes the shards of a source in the end.
        storage: The folder that shards go to; `None` is one for temporary files.
    """
    df, streamed = as_source(df, rows.columns, memory_limit)
    if not streamed:
        return read_rows(rows, df)
    return sharded_rows(rows, open_source(df), Memory.of(memory_limit), opened, storage=storage)


def predicted(
    fitted: FittedForecaster,
    df: Any,
    forecast: Callable[[LongFrame], Any],
    *,
    output: PathLike | None,
    memory_limit: Any,
    asked: Mapping[str, Any],
    on: Cluster | None = None,
) -> Any:
    """Forecast from the rows of a frame or a source.

    Args:
        fitted: The fitted forecaster.
        df: The rows, `None` for those that are remembered.
        forecast: Forecasts from some rows.
        output: The folder for the forecasts, if any.
        memory_limit: The user's limit.
        asked: The arguments of the forecast, by name: JSON types, and the frame of the known future.
        on: Workers that forecast a group of files each.
    """
    series = fitted.series
    df, streamed = as_source(df, series.schema.columns, memory_limit)
    if not streamed and output is None and on is None:
        return forecast(fitted.rows_to_forecast(df))
    memory, source = Memory.of(memory_limit), open_source(df) if streamed else None
    groups = None if on is None else file_groups(source, series.schema.columns.unique_id)
    folder = None
    if output is not None:
        job = {"job": "predict", **asked, "future": _frame_digest(asked["future"])}
        job |= {"forecaster": _digest_of(fitted), **_described(source, df)}
        job |= {"parts": "pieces" if on is None else "files"}
        folder = OutputFolder.opened(output, {**job, "piece_rows": _piece_rows(fitted.rows, source, memory, series)})
    if source is None:
        return gathered(lambda rows: forecast(fitted.rows_to_forecast(rows)), [df], folder)
    of_piece = functools.partial(_of_piece, series, forecast)
    if on is not None and groups is not None:
        if folder is None:
            raise SpecError(
                "output", expected="a folder with on", received="None", hint="Name one that all workers see."
            )
        of_files = functools.partial(_of_files, fitted.rows, memory, series, of_piece)
        return gathered(of_files, groups, folder, on.write)
    rows = None if folder is None else folder.piece_rows
    return gathered(of_piece, checked_pieces(fitted.rows, source, memory, series, piece_rows=rows), folder)


def backtest_rows(
    options: Mapping[str, Any],
    fitted: FittedForecaster | None,
    df: Any,
    opened: contextlib.ExitStack,
    *,
    output: PathLike | None,
    memory_limit: Any,
    asked: Mapping[str, Any],
    storage: PathLike | None = None,
) -> tuple[AnyFrame, OutputFolder | None]:
    """Read the rows of a backtest.

    Args:
        options: The arguments of the forecaster, by name.
        fitted: The fitted forecaster, if nothing is to be trained.
        df: The rows.
        opened: As for `training_rows`.
        output: The folder for the forecasts, if any.
        memory_limit: The user's limit.
        asked: The cutoffs, in JSON types by name.
        storage: As for `training_rows`.

    Returns:
        The rows, and the folder.
    """
    how, before = RowOptions.of(options), None if fitted is None else fitted.series
    df, streamed = as_source(df, how.columns if before is None else before.schema.columns, memory_limit)
    memory, source, folder = Memory.of(memory_limit), open_source(df) if streamed else None, None
    if output is not None:
        written = ", ".join(f"{name}={value!r}" for name, value in options.items() if name != "verbose")
        job = {"job": "backtest", **asked, "options": written, **_described(source, df)}
        job |= {"forecaster": None if fitted is None else _digest_of(fitted)}
        folder = OutputFolder.opened(output, {**job, "piece_rows": _piece_rows(how, source, memory, before)})
    if source is None:
        return read_rows(how, df, before), folder
    rows = None if folder is None else folder.piece_rows
    return sharded_rows(how, source, memory, opened, before, piece_rows=rows, storage=storage), folder


def _of_piece(series: SeriesState, forecast: Callable[[LongFrame], Any], piece: tuple[LongFrame, Any]) -> Any:
    """Forecast from new rows and the remembered ones before them; errors name file and row."""
    frame, spans = piece
    try:
        return forecast(series.with_history(frame))
    except DataError as error:
        raise in_source(error, spans) from error


def _of_files(
    rows: RowOptions, memory: Memory, series: SeriesState, of_piece: Callable[[Any], Any], files: list[str]
) -> Any:
    """Forecast from the rows of some files."""
    return gathered(of_piece, checked_pieces(rows, open_source(files), memory, series), None)


def _frame_digest(frame: Any) -> str | None:
    """Return a short text that differs between frames; `None` for none."""
    if frame is None:
        return None
    import pandas as pd

    try:
        opened: Any = nw.from_native(frame, eager_only=True, allow_series=True)
    except TypeError:  # whoever reads it says what is wrong
        return type(frame).__name__
    return digest([pd.util.hash_pandas_object(opened.to_pandas()).to_numpy()])


def _digest_of(fitted: FittedForecaster) -> str:
    """Return a short text that differs between forecasters that forecast otherwise."""
    scaler = fitted.series.scaler
    weights = [weights for engine in fitted.networks for weights in engine.weights]
    shares = np.array(list(fitted.choice.shares.values()))
    return digest([*weights, scaler.loc, scaler.scale, scaler.unit, shares])


def _described(source: TableSource | None, df: Any) -> dict[str, Any]:
    """Return what tells rows from others, in JSON types."""
    return {"rows": _frame_digest(df)} if source is None else {"source": source.name, "rows": source.version}


def _piece_rows(rows: RowOptions, source: TableSource | None, memory: Memory, before: SeriesState | None) -> int:
    """Return about how many rows of a source a piece has; 0 where there is none."""
    return 0 if source is None else memory.piece_rows(len(columns_read(rows, source, before)))
