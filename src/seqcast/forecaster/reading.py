"""Reading the rows of a forecaster: a frame at once, a source in pieces of whole series."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from seqcast import tables
from seqcast.data import frames
from seqcast.data.series import ArrayCache
from seqcast.errors import DataError, Option, Phrase, SpecError, counted
from seqcast.forecaster.options import ReadOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.runtime import Array, make_folder, parse_size, temporary_folder, warn_user
from seqcast.specs import Columns

# Bytes of a row while it is read and checked: of many series, or of one long series, which may take
# all of the memory; and bytes for each column.
_BYTES_A_ROW = 1_500
_BYTES_A_ROW_OF_ONE = 100
_BYTES_A_COLUMN = 250
FEWEST_ROWS = 1_000


def read_rows(
    reading: ReadOptions,
    df: Any,
    before: frames.LongFrame | SeriesState | None = None,
    *,
    static_optional: bool = True,
    argument: str = "df",
) -> frames.LongFrame:
    """Read and check a frame.

    Rows that follow others share their frequency, and may leave static covariates out.

    Args:
        reading: How frames are read.
        df: The frame, or a table that was read from a file.
        before: The rows that they follow, or the fitted series.
        static_optional: Whether rows that follow may leave static covariates out.
        argument: Name of the argument, for errors.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` does not fit the stamps.
    """
    ids = _ids_of(before)
    frame = frames.read_frame(
        frame_of(df, ids),
        reading.columns if before is None else before.schema.columns,
        freq=reading.freq if before is None or before.frequency is None else before.frequency.name,
        covariates=reading.covariates,
        missing=reading.missing,
        irregular=reading.irregular,
        static_optional=static_optional and before is not None,
        zone=None if before is None else before.schema.zone,
        argument=argument,
        on_bad_series=reading.on_bad_series,
        on_bad_rows=reading.on_bad_rows,
        on_duplicates=reading.on_duplicates,
        series_name=ids[0] if len(ids) == 1 else None,
        added=df.added if isinstance(df, tables.ReadTable) else (),
        missing_values=df.dialect.missing_values if isinstance(df, tables.ReadTable) else (),
    )

    if isinstance(before, SeriesState) and reading.skips:
        frame = before.without_empty(frame)
    if before is not None and frame.skipped:
        warn_user(
            f"{argument}: skipped {len(frame.skipped)} series; "
            f"the first: {next(iter(frame.skipped.values()))}"
        )
    return frame


def _ids_of(before: frames.LongFrame | SeriesState | None) -> tuple[Any, ...]:
    """Return the names of the series that rows follow."""
    if before is None:
        return ()
    return before.ids if isinstance(before, SeriesState) else before.source.ids


def frame_of(df: Any, ids: Sequence[Any] = ()) -> Any:
    """Return what a user gives as a frame: that of a table which was read from a file, with ids.

    Args:
        df: The frame, or the table.
        ids: Names of the series that it belongs to, if any. The rows of a file that names no series
            belong to the only one, whatever the file is called.
    """
    if not isinstance(df, tables.ReadTable):
        return df
    return df.with_ids(ids[0] if len(ids) == 1 else None)


def in_memory(frame: frames.AnyFrame, option: str) -> frames.LongFrame:
    """Return a frame that is in memory.

    Args:
        frame: The rows of a fit.
        option: The argument that needs it.

    Raises:
        SpecError: The rows are in files.
    """
    if isinstance(frame, frames.ShardedFrame):
        legal = "None or a number" if option == "validation" else "None"
        raise SpecError(
            option,
            expected=f"{legal} where df is read piece by piece",
            received="a frame",
            hint="Leave it out, or give df as a frame.",
        )
    return frame


def read_all(
    opened: contextlib.ExitStack,
    reading: ReadOptions,
    df: Any,
    memory_limit: Any,
    storage: str | os.PathLike[str] | None,
) -> frames.AnyFrame:
    """Return the checked rows of a frame, or of a source as shards in a temporary folder.

    Args:
        opened: Removes the folder at its end.
        reading: How frames are read.
        df: A frame, or a source.
        memory_limit: The limit that the user gives, if any.
        storage: A folder that all workers see; `None` for one of this machine.

    Raises:
        DataError: Something in the rows is wrong.
        SpecError: There is a limit for rows that are in memory.
    """
    given, source = SourceRows.of(reading, df, memory_limit)
    if source is None:
        return read_rows(reading, given)
    return source.sharded(opened, storage=storage)


@dataclass(frozen=True)
class Memory:
    """A memory limit, of which shards get half and remembered rows a quarter.

    Args:
        limit: Bytes.

    Example:
        >>> memory = Memory.of("1 GiB")
        >>> memory.piece_rows(columns=3), memory.rows_of_one(columns=3)
        (477218, 1263225)
    """

    limit: int

    @classmethod
    def of(cls, memory_limit: Any) -> Self:
        """Return the limit that a user gives.

        Args:
            memory_limit: Bytes, or a text such as `512 MiB`; `None` is 1 GiB.

        Raises:
            SpecError: It is no size, or less than 16 MiB.
        """
        limit = parse_size("memory_limit", "1 GiB" if memory_limit is None else memory_limit)
        if limit < 16 << 20:
            raise SpecError(
                "memory_limit",
                expected="at least 16 MiB",
                received=repr(memory_limit),
                hint="Choose a larger one.",
            )
        return cls(limit)

    def piece_rows(self, columns: int) -> int:
        """Return the approximate number of rows of a piece.

        Args:
            columns: Number of columns.
        """
        return max(FEWEST_ROWS, self.limit // (_BYTES_A_ROW + _BYTES_A_COLUMN * columns))

    def rows_of_one(self, columns: int) -> int:
        """Return the most rows of one series.

        Args:
            columns: Number of columns.
        """
        return max(FEWEST_ROWS, self.limit // (_BYTES_A_ROW_OF_ONE + _BYTES_A_COLUMN * columns))

    def rows_remembered(self, frame: frames.AnyFrame) -> int | None:
        """Return the number of last rows of each series that can be remembered.

        It is `None` for a frame in memory, of which all can.

        Args:
            frame: The series.
        """
        if isinstance(frame, frames.LongFrame):
            return None
        numbers = len(frame.schema.columns.targets) + len(frame.covariates.varying) + 2
        return max(1, self.limit // 4 // (8 * numbers * len(frame.source)))


@dataclass(frozen=True)
class SourceRows:
    """Rows of a source, which are read piece by piece.

    Args:
        options: How frames are read.
        source: The source.
        memory: The memory limit.
        before: The fitted series, which the rows follow, if any.
    """

    options: ReadOptions
    source: frames.TableSource
    memory: Memory
    before: SeriesState | None = None

    @classmethod
    def of(
        cls, options: ReadOptions, df: Any, memory_limit: Any, before: SeriesState | None = None
    ) -> tuple[Any, Self | None]:
        """Return the user's rows as a frame or a source.

        A file other than Parquet is read at once, as on the command line.

        Args:
            options: How frames are read.
            df: A frame, or a source.
            memory_limit: The limit that the user gives, if any.
            before: The fitted series, which the rows follow, if any.

        Returns:
            The frame or the table of a file, and the source; one of them is `None`.

        Raises:
            SpecError: There is a limit for rows that are in memory.
        """
        if isinstance(df, str | os.PathLike) and tables.is_read_at_once(Path(df)):
            missing_values = () if before is None else before.schema.missing_values
            df = tables.read_table(
                Path(df),
                _columns(options, before),
                dialect=tables.Dialect(missing_values=missing_values),
            )

        if frames.is_source(df):
            return None, cls(options, frames.open_source(df), Memory.of(memory_limit), before)

        if memory_limit is not None:
            files = "Parquet files, which seqcast partition makes of text"
            raise SpecError(
                "memory_limit",
                expected="None where df is read at once",
                received=repr(memory_limit),
                hint=f"Give {files}, a pyarrow.dataset, a LazyFrame or a DuckDB relation.",
            )
        return df, None

    def sharded(
        self,
        opened: contextlib.ExitStack,
        *,
        piece_rows: int | None = None,
        storage: str | os.PathLike[str] | None,
    ) -> frames.ShardedFrame:
        """Read and check all rows once, into a temporary folder.

        Args:
            opened: Exit stack that removes the folder.
            piece_rows: As for `pieces`.
            storage: Parent of the folder; `None` is the one for temporary files.

        Raises:
            DataError: Something in the rows is wrong.
            SaveError: There is no room on the disk.
        """
        if storage is not None:
            make_folder(Path(storage))
        folder = opened.enter_context(temporary_folder(storage))
        scratch = frames.Scratch(folder, ArrayCache(self.memory.limit // 2))
        return frames.ShardedFrame.of(scratch, self.pieces(piece_rows))

    def pieces(
        self, piece_rows: int | None = None
    ) -> Iterator[tuple[frames.LongFrame, tuple[frames.Span, ...]]]:
        """Yield the rows as frames of whole series, and their places in the source.

        Frequency, format of stamps and time zone are those of the first piece, by which the others
        are checked.

        Args:
            piece_rows: Approximate number of rows of a piece; `None` takes the number that the
                memory allows.

        Raises:
            DataError: Something in the rows is wrong; it names file and row.
        """
        columns = _columns(self.options, self.before)
        names = self.columns_read
        before = self.before
        rows = self.piece_rows if piece_rows is None else piece_rows
        most = self.memory.rows_of_one(len(names))
        keys = (columns.unique_id, columns.ds)

        first: frames.LongFrame | None = None
        rest: dict[Any, DataError] = {}

        for piece in frames.pieces(self.source, names, keys, rows, most):
            table = self.source.frame(piece.table)
            try:
                frame = read_rows(
                    self.options, table, before or first, static_optional=before is not None
                )
            except DataError as error:
                located = frames.in_source(error, piece.spans)
                if not self.options.skips or not located.by_series:
                    raise located from error
                rest |= located.by_series  # all series of the piece
                continue

            skipped = {
                name: frames.in_source(error, piece.spans) for name, error in frame.skipped.items()
            }
            frame = replace(frame, skipped={**rest, **skipped})
            first = first or frame
            rest = {}
            yield frame, piece.spans
        if first is None:
            raise next(iter(rest.values()))

    @property
    def piece_rows(self) -> int:
        """Approximate number of rows of a piece that the memory allows."""
        return self.memory.piece_rows(len(self.columns_read))

    @cached_property
    def columns_read(self) -> Sequence[str]:
        """The columns that are read.

        Raises:
            DataError: The source lacks one.
        """
        columns = _columns(self.options, self.before)
        present = self.source.columns
        roles = self.options.covariates.to_dict().items()
        named = [
            *columns.named(),
            *((f"{role}_covariates", name) for role, names in roles for name in names),
        ]

        # Ids may be left out by their usual name, and of rows that follow what the fit knows.
        optional = {"unique_id"} if columns.unique_id == Columns().unique_id else set()
        optional |= set() if self.before is None else {"static_covariates", "weight"}
        needed = [
            (field, name) for field, name in named if field not in optional or name in present
        ]

        frames.check_columns(self.source, needed)
        return list(dict.fromkeys(name for _, name in needed))


def _columns(options: ReadOptions, before: SeriesState | None) -> Columns:
    """Return the names of the columns, those of the rows before where there are any."""
    return options.columns or Columns() if before is None else before.schema.columns


def check_future_given(
    future: Any, columns: Columns, names: Sequence[str], *, needed: bool
) -> None:
    """Reject a frame of the future that is missing or not needed.

    Args:
        future: The frame, or `None`.
        columns: Names of the columns of the series.
        names: The future covariates.
        needed: Whether it is needed, for these or for irregular stamps.

    Raises:
        DataError: It is missing, or not needed.
    """
    if (future is not None) == needed:
        return
    if not needed:
        more = Phrase("Leave it out, or fit with ", Option("future_covariates"), ".")
        none = "no rows, since there are no future covariates"
        raise DataError("future", expected=none, received="a frame", hint=more)
    required_columns = ", ".join(map(repr, (columns.ds, *names)))
    expected = f"a frame of the steps ahead, with {required_columns}, "
    expected += f"and {columns.unique_id!r} of several series"
    raise DataError(
        "future",
        expected=expected,
        received="None",
        hint="Give what is known of each step of the horizon, or the stamps to forecast.",
    )


def warn_of_unknown(future: Array, names: Sequence[str], ids: Sequence[Any]) -> None:
    """Warn of series of which a future covariate has no value at all steps ahead.

    Args:
        future: The future covariates, `[N, H, names]`; NaN is missing.
        names: Their names.
        ids: The names of the series.
    """
    series, columns = np.nonzero(np.isnan(future).all(axis=1))
    if len(series):
        where = f"{counted(len(set(series.tolist())), 'series')}, such as {ids[series[0]]!r}"
        warn_user(
            f"future, column {names[columns[0]]!r}: "
            f"expected values of the steps ahead, received none for {where}. "
            "The last known value stands for all steps: fill in the true ones."
        )
