"""The part of `Forecaster` that reads sources, whose rows are not in memory."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.places import in_source
from seqcast.data.frames.sharded import AnyFrame, ShardedFrame
from seqcast.data.frames.sources import TableSource, file_groups, open_source
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.cluster import Cluster
from seqcast.forecaster.parts import PartFolder, gathered
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.streaming import Memory, as_source, checked_pieces, columns_read, rows_of_fit
from seqcast.specs.columns import Columns
from seqcast.training.fingerprint import digest

__all__ = ["SourceMixin", "in_memory"]

PathLike = str | os.PathLike[str]


class SourceForecaster(Protocol):
    """What the mixin reads of a `Forecaster`."""

    columns: Columns | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options."""

    def _read(self, df: Any, before: LongFrame | SeriesState | None = None, **how: Any) -> LongFrame: ...

    def _rows_before(self, state: FittedState, df: Any) -> LongFrame: ...


class SourceMixin:
    """How rows come into `fit`, `predict` and `backtest`: from a frame, or piece by piece."""

    @contextlib.contextmanager
    def _training_rows(
        self: SourceForecaster, df: Any, memory_limit: Any, storage: PathLike | None = None
    ) -> Iterator[tuple[AnyFrame, int | None]]:
        """Read the rows of a fit, and say how many of each series can be remembered, `None` for any number.

        Args:
            df: The rows.
            memory_limit: The user's limit.
            storage: The folder that shards go to; `None` is one for temporary files.
        """
        df, streamed = as_source(df, self.columns, memory_limit)
        if not streamed:
            yield self._read(df), None
            return
        memory = Memory.of(memory_limit)
        with rows_of_fit(self.get_params(deep=False), open_source(df), memory, storage=storage) as frame:
            yield frame, memory.rows_remembered(frame)

    def _predicted(
        self: SourceForecaster,
        state: FittedState,
        df: Any,
        forecast: Callable[[LongFrame], Any],
        output: PathLike | None,
        memory_limit: Any,
        asked: Mapping[str, Any],
        on: Cluster | None = None,
    ) -> Any:
        """Forecast from the rows of a frame or a source.

        Args:
            state: What was learnt.
            df: The rows, `None` for those that are remembered.
            forecast: Forecasts from some rows.
            output: The folder for the forecasts, if any.
            memory_limit: The user's limit.
            asked: What is forecast, by name: JSON types, and the frame of the known future.
            on: Workers that forecast a group of files each.
        """
        df, streamed = as_source(df, state.series.schema.columns, memory_limit)
        if not streamed and output is None and on is None:
            return forecast(self._rows_before(state, df))
        options, memory, series = self.get_params(deep=False), Memory.of(memory_limit), state.series
        source = open_source(df) if streamed else None
        groups = None if on is None else file_groups(source, series.schema.columns.unique_id)
        folder = None
        if output is not None:
            job = {"job": "predict", **asked, "future": _frame_digest(asked["future"])}
            job |= {"forecaster": _state_digest(state), **_described(source, df)}
            job |= {"parts": "pieces" if on is None else "files"}
            folder = _part_folder(output, job, options, source, memory, series)
        if source is None:
            return gathered(lambda rows: forecast(self._rows_before(state, rows)), [df], folder)
        of_piece = functools.partial(_of_piece, series, forecast)
        if on is not None and groups is not None:
            if folder is None:
                raise SpecError(
                    "output", expected="a folder with on", received="None", hint="Name one that all workers see."
                )
            of_files = functools.partial(_of_files, options, memory, series, of_piece)
            return gathered(of_files, groups, folder, on.write)
        rows = None if folder is None else folder.piece_rows
        return gathered(of_piece, checked_pieces(options, source, memory, series, piece_rows=rows), folder)

    @contextlib.contextmanager
    def _rows_of_backtest(
        self: SourceForecaster,
        state: FittedState | None,
        df: Any,
        output: PathLike | None,
        memory_limit: Any,
        asked: Mapping[str, Any],
        storage: PathLike | None = None,
    ) -> Iterator[tuple[AnyFrame, PartFolder | None, int | None]]:
        """Read the rows of a backtest.

        Args:
            state: What was learnt, if nothing is to be trained.
            df: The rows.
            output: The folder for the forecasts, if any.
            memory_limit: The user's limit.
            asked: The cutoffs, in JSON types by name.
            storage: As for `_training_rows`.

        Yields:
            The rows; the folder; how many rows of each series can be remembered, `None` for any number.
        """
        options = self.get_params(deep=False)
        df, streamed = as_source(df, self.columns if state is None else state.series.schema.columns, memory_limit)
        memory, source = Memory.of(memory_limit), open_source(df) if streamed else None
        before, folder = None if state is None else state.series, None
        if output is not None:
            written = ", ".join(f"{name}={value!r}" for name, value in options.items() if name != "verbose")
            job = {"job": "backtest", **asked, "options": written, **_described(source, df)}
            job |= {"forecaster": None if state is None else _state_digest(state)}
            folder = _part_folder(output, job, options, source, memory, before)
        if source is None:
            yield self._read(df, before), folder, None
            return
        rows = None if folder is None else folder.piece_rows
        with rows_of_fit(options, source, memory, before, piece_rows=rows, storage=storage) as frame:
            yield frame, folder, memory.rows_remembered(frame)


def _of_piece(series: SeriesState, forecast: Callable[[LongFrame], Any], piece: tuple[LongFrame, Any]) -> Any:
    """Forecast from new rows and the remembered ones before them; errors name file and row."""
    frame, spans = piece
    try:
        return forecast(series.with_history(frame))
    except DataError as error:
        raise in_source(error, spans) from error


def _of_files(
    options: Mapping[str, Any], memory: Memory, series: SeriesState, of_piece: Callable[[Any], Any], files: list[str]
) -> Any:
    """Forecast from the rows of some files."""
    return gathered(of_piece, checked_pieces(options, open_source(files), memory, series), None)


def in_memory(frame: AnyFrame, option: str) -> LongFrame:
    """Return a frame that is in memory.

    Args:
        frame: The rows of a fit.
        option: What needs it.

    Raises:
        SpecError: The rows are in files.
    """
    if isinstance(frame, ShardedFrame):
        raise SpecError(
            option,
            expected="None or a number where df is read piece by piece" if option == "validation" else "None there",
            received="a frame",
            hint="Leave it out, or give df as a frame.",
        )
    return frame


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


def _state_digest(state: FittedState) -> str:
    """Return a short text that differs between forecasters that forecast otherwise."""
    scaler = state.series.scaler
    weights = [weights for engine in state.networks for weights in engine.weights]
    return digest([*weights, scaler.loc, scaler.scale, scaler.unit, np.array(list(state.choice.shares.values()))])


def _described(source: TableSource | None, df: Any) -> dict[str, Any]:
    """Return what tells rows from others, in JSON types."""
    return {"rows": _frame_digest(df)} if source is None else {"source": source.name, "rows": source.version}


def _part_folder(
    output: PathLike,
    job: Mapping[str, Any],
    options: Mapping[str, Any],
    source: TableSource | None,
    memory: Memory,
    before: SeriesState | None,
) -> PartFolder:
    """Open the folder of a job."""
    rows = 0 if source is None else memory.piece_rows(len(columns_read(options, source, before)))
    return PartFolder.opened(output, {**job, "piece_rows": rows})
