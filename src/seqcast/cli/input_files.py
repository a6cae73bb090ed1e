"""Files that commands read: their format, and the frames and models in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcast.cli.console import in_files, note
from seqcast.cli.declaration import flags_of
from seqcast.cli.forecaster_options import ForecasterOptions, split_names
from seqcast.errors import DataError, SpecError

if TYPE_CHECKING:
    from seqcast.cli.forecaster_options import MachineOptions
    from seqcast.forecaster import Forecaster
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
        sheet: Sheet of an Excel file; the first if absent.
        missing_values: What stands for a missing value, with commas, as -9999,n/a; an empty cell always does.
        max_size: Memory that a file may unpack to, as 8GB; 4GB, and a hundred times the file's size, if absent.
        wide: The file has a column for each series, and one of the times.
        sort: Sort rows by series and time first.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    day_first: bool | None = None
    sheet: str | None = None
    missing_values: str = ""
    max_size: str | None = None
    wide: bool = False
    sort: bool = False

    def read(self, path: Path, columns: Columns, faults: list[DataError] | None = None, **options: Any) -> Any:
        """Read a file as a frame, and print a note about an unusual format.

        Args:
            path: The file.
            columns: Names of its columns.
            faults: Takes errors, as for `seqcast.data.frames.io.read_leniently`; `None` raises the first one.
            options: Other arguments of `seqcast.data.frames.io.read_table`.
        """
        from seqcast.data.frames import UNDERSTOOD, Dialect, read_leniently, read_table

        sep = None if self.sep is None else _TAB.get(self.sep, self.sep)
        marks, missing = (sep, self.decimal, self.thousands), split_names(self.missing_values)
        dialect = Dialect(*marks, self.encoding, self.day_first, sheet=self.sheet, missing_values=missing)
        options = {"wide": self.wide, "max_size": self.max_size, "dialect": dialect, **options}
        read = read_table if faults is None else partial(read_leniently, faults)
        frame = read(path, columns, sort=self.sort, **options)
        if frame.attrs[UNDERSTOOD]:
            note(f"Read {path}: {frame.attrs[UNDERSTOOD]}")
        return frame

    def read_rows(self, path: Path, columns: Columns, machines: MachineOptions) -> tuple[Path | None, Any]:
        """Read the rows of a file as a frame, or name files that are read piece by piece.

        Args:
            path: A file, a folder or a pattern.
            columns: Names of its columns.
            machines: Whether rows are read piece by piece.

        Returns:
            The file for errors, `None` where they name it themselves, and the frame or its source.

        Raises:
            SpecError: An option is for other files than Parquet.
        """
        if not machines.reads_pieces(path):
            return path, self.read(path, columns)
        for each in fields(self):
            if each.name != "max_size" and getattr(self, each.name) != each.default:
                expected = f"none where {path} is read piece by piece"
                hint = "Leave it out; seqcast partition makes Parquet files of others."
                raise SpecError(each.name, expected=expected, received=repr(getattr(self, each.name)), hint=hint)
        return None, str(path)

    def read_like(self, path: Path, rows: Any, columns: Columns) -> Any:
        """Read a file that names rows of another one.

        Args:
            path: The file.
            rows: The rows of the other file.
            columns: Names of the columns of both.
        """
        ids = rows[columns.unique_id]
        only = ids.iloc[0] if ids.nunique() == 1 else None
        return self.read(path, columns, value=False, wide=False, series=only, whole_ids=ids.dtype.kind in "iu")

    def load(self, model: Path) -> Forecaster:
        """Read a model.

        Args:
            model: Its file.
        """
        from seqcast.forecaster import Forecaster

        return Forecaster.load(model, max_size=self.max_size)

    def read_for(self, model: Forecaster, path: Path | None, **options: Any) -> Any:
        """Read rows for a fitted model, or its known future; return `None` where there is no file.

        Args:
            model: The model, whose columns the file has.
            path: The file.
            options: Other arguments of `seqcast.data.frames.io.read_table`.
        """
        if path is None:
            return None
        ids = model.series_state_.ids
        # Rows in a file of any name continue the only series.
        only, whole_ids = ids[0] if len(ids) == 1 else None, isinstance(ids[0], int)
        return self.read(path, model.series_state_.schema.columns, series=only, whole_ids=whole_ids, **options)

    @contextlib.contextmanager
    def opened(self, model: Path, data: Path) -> Iterator[tuple[Forecaster, Any]]:
        """Read a model and newer rows; errors about the rows in the block name their file.

        Args:
            model: File of the model.
            data: File of the rows.
        """
        fitted = self.load(model)
        frame = self.read_for(fitted, data)
        with in_files(df=(data, frame)):
            yield fitted, frame


# Options of commands that read a file and fit.
OF_READING = flags_of(FileOptions) | flags_of(ForecasterOptions)
