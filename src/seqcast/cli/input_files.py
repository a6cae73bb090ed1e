"""Files that commands read: their format, and the frames and models in them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from seqcast import forecaster, tables
from seqcast.cli.console import note
from seqcast.cli.declaration import flags_of
from seqcast.cli.forecaster_options import (
    ColumnOptions,
    ForecasterOptions,
    MachineOptions,
    split_names,
)
from seqcast.errors import AmbiguityError, DataError, SpecError
from seqcast.specs import Columns

_TAB = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class FileOptions:
    r"""Format of the files, as typed; options that are absent are inferred.

    Args:
        sep: Character between the columns of a text file; \t is a tab.
        decimal: Decimal mark: . or ,
        thousands: Mark between thousands: , or . or ' or a space.
        encoding: Encoding of a text file: utf-8, cp1252, utf-16, ...
        day_first: Whether 01/02/2024 is in February or in January.
        header: Whether the first line names the columns; they are 1, 2, ... without; inferred if
            absent.
        sheet: Sheet of an Excel file; the first if absent.
        missing_values: What stands for a missing value, with commas, as -9999,n/a; an empty cell
            always does. A model reads later files as that of its fit, if absent.
        max_size: Memory that a file may unpack to, as 8GB; 4GB, and a hundred times the file's
            size, if absent.
        layout: Layout of the table: long (a row for each series and time), wide (a series in each
            column), rows (a series in each row) or grid (the months of a year, or hours of a day,
            in each row); guessed if absent.
        start: First time of a table without times, as 2024-01-31, with --freq; steps 1, 2, 3, ...
            if absent.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    day_first: bool | None = None
    header: bool | None = None
    sheet: str | None = None
    missing_values: str | None = None
    max_size: str | None = None
    layout: str | None = None
    start: str | None = None

    @property
    def dialect(self) -> tables.Dialect:
        """The dialect of the files, as far as it was typed."""
        sep = None if self.sep is None else _TAB.get(self.sep, self.sep)
        missing = split_names(self.missing_values or "")
        return tables.Dialect(
            sep=sep,
            decimal=self.decimal,
            thousands=self.thousands,
            encoding=self.encoding,
            day_first=self.day_first,
            sheet=self.sheet,
            header=self.header,
            missing_values=missing,
        )

    def dialect_for(self, model: forecaster.Forecaster) -> tables.Dialect:
        """Return the dialect of files for a fitted model.

        The model remembers what stood for missing values at its fit.

        Args:
            model: The model.
        """
        if self.missing_values is not None:
            return self.dialect
        return replace(self.dialect, missing_values=model.series_state_.schema.missing_values)

    def guess(
        self, path: Path, options: ColumnOptions, faults: list[DataError] | None = None
    ) -> tables.ReadTable:
        """Read a file, guess the columns that were not typed, and print a note of them.

        Args:
            path: The file.
            options: The columns, as typed.
            faults: Takes errors, as for `seqcast.tables.read_leniently`; `None` raises the first
                one.
        """
        given = options.given
        steps = tables.Steps(self.start, options.step)
        keys = [given[role] for role in ("unique_id", "ds") if role in given]

        def read(dialect: tables.Dialect, left_out: Collection[int] = ()) -> tables.ReadTable:
            opened = tables.OpenTable.of(path, dialect, self.max_size, keys, left_out)
            return opened.guessed(given, self.layout, options.covariates, steps)

        manner = ""
        if faults is None:
            table = read(self.dialect)
        else:
            table = tables.read_leniently(faults, read, self.dialect)
            if any(isinstance(fault, AmbiguityError) for fault in faults):
                manner = ", in one of two ways"
        _note_understood(table, manner)
        return table

    def read(self, path: Path, columns: Columns, **options: Any) -> tables.ReadTable:
        """Read a file, and print a note about an unusual format.

        Args:
            path: The file.
            columns: Names of its columns.
            options: Other arguments of `seqcast.tables.read_table`.
        """
        table = tables.read_table(
            path, columns, dialect=self.dialect, max_size=self.max_size, **options
        )
        _note_understood(table)
        return table

    def read_rows(
        self, path: Path, options: ForecasterOptions, machines: MachineOptions
    ) -> tuple[tables.ReadTable | str, Columns]:
        """Read the rows of a file, or name files that are read piece by piece.

        Args:
            path: A file, a folder or a pattern.
            options: The columns, as typed.
            machines: Whether rows are read piece by piece.

        Returns:
            The table, or the name of the source; and its columns.

        Raises:
            SpecError: An option is for other files than Parquet.
        """
        if not machines.reads_pieces(path):
            table = self.guess(path, options)
            return table, table.columns
        return self.source(path), options.columns

    def source(self, path: Path) -> str:
        """Return the name of files that are read piece by piece.

        Args:
            path: A folder or a pattern.

        Raises:
            SpecError: An option is for other files than Parquet.
        """
        for each in fields(self):
            if each.name != "max_size" and getattr(self, each.name) != each.default:
                raise SpecError(
                    each.name,
                    expected=f"none where {path} is read piece by piece",
                    received=repr(getattr(self, each.name)),
                    hint="Leave it out; seqcast partition makes Parquet files of others.",
                )
        return str(path)

    def read_like(self, path: Path, rows: tables.ReadTable) -> tables.ReadTable:
        """Read a file that names rows of another one.

        Args:
            path: The file.
            rows: The rows of the other file.
        """
        ids = rows.with_ids()[rows.columns.unique_id]
        only = ids.iloc[0] if ids.nunique() == 1 else None
        return self.read(
            path, rows.columns, value=False, series=only, whole_ids=ids.dtype.kind in "iu"
        )

    def load(self, model: Path) -> forecaster.Forecaster:
        """Read a model.

        Args:
            model: Its file.
        """
        return forecaster.Forecaster.load(model, max_size=self.max_size)

    def read_for(
        self, model: forecaster.Forecaster, path: Path | None, *, value: bool = True
    ) -> tables.ReadTable | None:
        """Read rows for a fitted model, or its known future; return `None` where there is no file.

        Args:
            model: The model, whose columns the file has.
            path: The file.
            value: Whether a value column is required.
        """
        if path is None:
            return None
        ids = model.series_state_.ids
        columns = model.series_state_.schema.columns
        dialect = self.dialect_for(model)
        opened = tables.OpenTable.of(path, dialect, self.max_size, columns.names[:2])

        layout = "long"
        steps = None
        if value:
            # Where the table of the fit had no such columns, newer ones have none either.
            raw = opened.raw.frame
            usual = Columns()
            if self.layout:
                layout = self.layout
            elif columns.y == usual.y and usual.y not in raw:
                layout = tables.guess_columns(raw, day_first=self.dialect.day_first).layout
            if columns.ds == usual.ds and usual.ds not in raw:
                steps = tables.Steps(self.start, model.freq_)

        # Rows in a file of any name continue the only series.
        table = opened.frame(
            columns,
            value=value,
            series=ids[0] if len(ids) == 1 else None,
            whole_ids=isinstance(ids[0], int),
            layout=layout,
            steps=steps,
        )
        _note_understood(table)
        return table

    @contextlib.contextmanager
    def opened(
        self, model: Path, data: Path
    ) -> Iterator[tuple[forecaster.Forecaster, tables.ReadTable | None]]:
        """Read a model and newer rows; errors about the rows in the block name their file.

        Args:
            model: File of the model.
            data: File of the rows.
        """
        fitted = self.load(model)
        rows = self.read_for(fitted, data)
        with tables.in_files(df=rows):
            yield fitted, rows


def _note_understood(table: tables.ReadTable, manner: str = "") -> None:
    """Print how a file was read, if that is unusual or was guessed."""
    if table.understood:
        note(f"Read {table.path}{manner}: {table.understood}")


def future_of(
    rows: tables.ReadTable | str | None, model: forecaster.Forecaster, future_file: Path | None
) -> Path | None:
    """Return the file of the steps ahead, which may be that of the rows.

    That is where none was typed, and it has planned rows that the model needs.

    Args:
        rows: The table of the rows; `None` where there is none, or a source.
        model: The model.
        future_file: The file that was typed.
    """
    if future_file is not None or not isinstance(rows, tables.ReadTable) or rows.path == Path("-"):
        return future_file
    return rows.path if rows.rows_ahead and model.future_covariates else None


# Options of commands that read a file and fit.
OF_READING = flags_of(FileOptions) | flags_of(ForecasterOptions)
