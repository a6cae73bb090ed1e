"""Files that commands read: their options, and what was understood of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import note

if TYPE_CHECKING:
    from seqcast.specs.columns import Columns

__all__ = ["FileOptions"]

_TAB = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class FileOptions:
    """How the files of a command are written, as typed; what is not given is found out."""

    sep: Annotated[
        str | None, typer.Option("--sep", help="Character between the columns of a text file; \\t is a tab.")
    ] = None
    decimal: Annotated[str | None, typer.Option("--decimal", help="Decimal mark: . or ,")] = None
    thousands: Annotated[
        str | None, typer.Option("--thousands", help="Mark between thousands: , or . or ' or a space.")
    ] = None
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of a text file: utf-8, cp1252, utf-16, ...")
    ] = None
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="Whether 01/02/2024 is in February or in January."),
    ] = None
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of an Excel file; the first if absent.")] = None
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="Memory that a file may unpack to, as 8GB; 4GB, and a hundred times the file's size, if absent.",
        ),
    ] = None
    wide: Annotated[
        bool, typer.Option("--wide", help="The file has a column for each series, beside that of the times.")
    ] = False
    sort: Annotated[bool, typer.Option("--sort", help="Sort rows by series and time first.")] = False

    def read(self, path: Path, columns: Columns, **options: Any) -> Any:
        """Read a file as a frame, and say what is unusual about it.

        Args:
            path: The file.
            columns: Names of its columns.
            options: Further arguments of `seqcast.data.frames.io.read_table`.
        """
        from seqcast.data.frames.dialect import Dialect
        from seqcast.data.frames.io import UNDERSTOOD, read_table

        sep = None if self.sep is None else _TAB.get(self.sep, self.sep)
        dialect = Dialect(sep, self.decimal, self.thousands, self.encoding, self.day_first, self.sheet)
        options = {"wide": self.wide, "max_size": self.max_size, **options}
        frame = read_table(path, columns, sort=self.sort, dialect=dialect, **options)
        if frame.attrs[UNDERSTOOD]:
            note(f"Read {path}: {frame.attrs[UNDERSTOOD]}")
        return frame
