"""Files that commands read: their options, and what was understood of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import note
from seqcast.errors import SpecError

if TYPE_CHECKING:
    from seqcast.specs import Columns

MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="SIZE",
        help="Memory for the rows of Parquet files that are read piece by piece, as '512 MiB'; 1 GiB if absent. A "
        "folder or a pattern such as 'sales/*.parquet' is read so in any case. --output may then be a folder.",
    ),
]

_TAB = {"\\t": "\t", "tab": "\t"}


def is_read_in_pieces(path: Path | None, memory_limit: str | None) -> bool:
    """Return whether rows are read piece by piece, since there may be more than memory holds.

    Args:
        path: What the user names: a file, a folder or a pattern.
        memory_limit: The limit, if the user gives one.
    """
    if path is None:
        return False
    pattern = any(mark in str(path) for mark in "*?[") and not path.exists()
    return memory_limit is not None or pattern or path.is_dir()


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

    def source(self, path: Path) -> str:
        """Return what is read piece by piece; it is written as Parquet is.

        Args:
            path: Parquet files.

        Raises:
            SpecError: An option is for other files.
        """
        given = [
            each.name for each in fields(self) if each.name != "max_size" and getattr(self, each.name) != each.default
        ]
        if given:
            raise SpecError(
                given[0],
                expected=f"none where {path} is read piece by piece",
                received=repr(getattr(self, given[0])),
                hint="Leave it out; seqcast partition makes Parquet files of others.",
            )
        return str(path)

    def read(self, path: Path, columns: Columns, **options: Any) -> Any:
        """Read a file as a frame, and say what is unusual about it.

        Args:
            path: The file.
            columns: Names of its columns.
            options: Further arguments of `seqcast.data.frames.io.read_table`.
        """
        from seqcast.data.frames import UNDERSTOOD, Dialect, read_table

        sep = None if self.sep is None else _TAB.get(self.sep, self.sep)
        dialect = Dialect(sep, self.decimal, self.thousands, self.encoding, self.day_first, sheet=self.sheet)
        options = {"wide": self.wide, "max_size": self.max_size, **options}
        frame = read_table(path, columns, sort=self.sort, dialect=dialect, **options)
        if frame.attrs[UNDERSTOOD]:
            note(f"Read {path}: {frame.attrs[UNDERSTOOD]}")
        return frame
