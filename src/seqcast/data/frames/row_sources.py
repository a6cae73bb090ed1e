"""Places of rows: the files that a path stands for, and the name of a row's place in errors."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqcast.errors import (
    DataError,
    MissingFileError,
    Option,
    Phrase,
    Row,
    ask_for,
    compose_place,
    nearest_name,
)
from seqcast.runtime import check_source

# Names of columns that an error lists.
_MOST_NAMES = 30


def files_at(path: Path, is_wanted: Callable[[Path], bool], expected: str) -> list[Path]:
    """Return the files that a path stands for, sorted.

    They are those of a folder, those of a pattern, or the file itself.

    Files in subfolders count too, but not hidden ones, nor those that another program marks as its
    own by `_`.

    Args:
        path: A file, a folder, or a pattern such as `sales/*.parquet`.
        is_wanted: Whether a file of a folder counts, by its path within it.
        expected: The wanted files, in words.

    Raises:
        MissingFileError: There is no such file.
    """
    if path.is_dir():
        inside = [file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file()]
        files = [path / file for file in inside if not _is_hidden(file) and is_wanted(file)]
        received = "a folder without any"
    elif glob.has_magic(str(path)) and not path.exists():
        matching = map(Path, sorted(glob.glob(str(path), recursive=True)))
        files = [file for file in matching if file.is_file()]
        received = "none that match"
    else:
        check_source(path, expected=f"{expected}, a folder of them, or a pattern")
        return [path]

    if not files:
        raise MissingFileError(
            str(path), expected=expected, received=received, hint="Check the path."
        )
    return files


def _is_hidden(file: Path) -> bool:
    return any(name.startswith((".", "_")) for name in file.parts)


@dataclass(frozen=True)
class Span:
    """Rows that were read together.

    Args:
        path: Their file; `None` for rows from no file.
        first: Number of the first of them in the file, or among all rows, from 0.
        rows: Number of rows.
    """

    path: str | None
    first: int
    rows: int


def in_source(error: DataError, spans: Sequence[Span]) -> DataError:
    """Return an error about rows that were read together with their file and row.

    So are the errors of each series that has one.

    Args:
        error: The error, whose row is counted from the first of them.
        spans: Places of the rows, in order.
    """

    def locate(single: DataError) -> DataError:
        if single.row is None:
            return single

        path, row = _place(spans, single.row)
        if path:
            where = place_in_file(path, column=single.column, row=row + 1, series=single.series)
        else:
            where = compose_place(column=single.column, row=row, series=single.series)
        return single.changed(
            where,
            path=path,
            row=row,
            option=None,
            expected=_rows_named(single.expected, spans, path),
            received=_rows_named(single.received, spans, path),
            hint=_rows_named(single.hint, spans, path),
        )

    located = locate(error)
    located.by_series = {
        name: located if own is error else locate(own) for name, own in error.by_series.items()
    }
    return located


def _rows_named(text: str, spans: Sequence[Span], path: str | None) -> str:
    """Return a phrase whose rows are counted as in their file, named where it is another one."""

    def named(row: Row) -> str | Row:
        other, number = _place(spans, row.number)
        counted = Row(number + (other is not None))
        return counted if other == path else f"{counted} of {other}"

    return text.with_rows(named) if isinstance(text, Phrase) else text


def _place(spans: Sequence[Span], row: int) -> tuple[str | None, int]:
    """Return the file of a row, and its number there, from 0."""
    for span in spans:
        if row < span.rows:
            return span.path, span.first + row
        row -= span.rows
    raise IndexError(row)


def place_in_file(
    path: Path | str, *, column: str | None = None, row: int | None = None, series: object = None
) -> str:
    """Return the name of a place in a file, counted as in a spreadsheet.

    Args:
        path: The file.
        column: Name of the column.
        row: The row as the file counts.
        series: Name of the series.

    Example:
        >>> place_in_file(Path("sales.csv"), column="y", row=3, series="a")
        "sales.csv, column 'y', row 3 (series 'a')"
    """
    named = None if column is None else f"column {column!r}"
    return compose_place(option=str(path), column=named, row=row, series=series)


def file_error(
    path: Path | str,
    expected: str,
    received: str,
    hint: str = "Check the file.",
    *,
    column: str | None = None,
) -> DataError:
    """Return the error about a file, or about a column in it.

    Args:
        path: The file.
        expected: The expected content, in words.
        received: The received content, in words.
        hint: How to fix it.
        column: Name of the column that is at fault, if it is one.
    """
    where = place_in_file(path, column=column)
    return DataError(
        where, path=str(path), column=column, expected=expected, received=received, hint=hint
    )


def unknown_column(path: Path, field: str, name: str, known: list[str]) -> DataError:
    """Return the error for a column that a file does not have.

    Args:
        path: The file.
        field: The field of `Columns` that names the column.
        name: Its name.
        known: Names of the file's columns.
    """
    nearest = nearest_name(name, known)
    suggestion = ask_for(nearest)
    own = Option(f"columns.{field}", nearest or ...)
    names = ", ".join(map(repr, known[:_MOST_NAMES]))
    if len(known) > _MOST_NAMES:
        names += f" and {len(known) - _MOST_NAMES:,} more"
    hint = Phrase(f"{suggestion} " if suggestion else "", "Name yours with ", own, ".")
    return file_error(path, f"a column {name!r}", f"the columns {names}", hint)
