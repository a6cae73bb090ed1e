"""CSV and Parquet files of long frames: reading, writing, and naming a place in a file.

Rows of a CSV file are counted as a spreadsheet shows them, the header being row 1; those of a Parquet file from 1.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqcast.errors import DataError, MissingFileError, Option, Phrase, SaveError, suggest_name, unknown_name
from seqcast.runtime.files import write_beside
from seqcast.runtime.optional import require
from seqcast.specs.columns import Columns

__all__ = ["TABLES", "check_target", "place_in_file", "read_table", "row_in_file", "write_table"]

TABLES = ("csv", "parquet")

_FIRST_ROW = {"csv": 2, "parquet": 1}


def check_target(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Refuse a path that cannot be written to, before any work starts.

    Args:
        path: The file that will be written.
        suffixes: Suffixes that its name may have; empty allows any.

    Raises:
        SaveError: The folder is missing or read-only, or the path is a folder.
        SpecError: It has another suffix.
    """
    if suffixes:
        _suffix(path, suffixes)
    folder = path.parent
    received = None
    if path.is_dir():
        received = "a folder"
    elif not folder.is_dir():
        received = f"no folder {folder}"
    else:
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            received = f"the folder {folder}, which takes no file ({error.strerror})"
    if received:
        raise SaveError(str(path), expected="a file in a folder to write to", received=received, hint="Choose another.")


def read_table(path: Path, columns: Columns, *, sort: bool = False, value: bool = True, series: Any = None) -> Any:
    """Read a long frame.

    Args:
        path: A `.csv` or `.parquet` file.
        columns: Names of its columns. A file without `unique_id` is one series.
        sort: Whether to sort rows by series and time; the index keeps their place in the file.
        value: Whether there has to be a value column.
        series: Name of that one series; the file's name if `None`.

    Returns:
        A pandas frame, with times parsed.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is empty, not a table, or lacks a column.
        MissingPackageError: It is a Parquet file and pyarrow is not installed.
    """
    import pandas as pd

    if not path.is_file():
        received = "a folder" if path.is_dir() else "nothing"
        raise MissingFileError(str(path), expected="a CSV or Parquet file", received=received, hint="Check the path.")
    frame = _read(path, _suffix(path, TABLES))
    names = [str(name) for name in frame.columns]
    if columns.unique_id not in frame.columns and columns.unique_id == Columns().unique_id:
        frame.insert(0, columns.unique_id, path.stem if series is None else series)
    for field, name in columns.named():
        if name not in frame.columns and (value or field != "y"):
            raise _unknown_column(path, field, name, names)
    if not len(frame):
        raise DataError(str(path), expected="at least one row", received="none", hint="Check the file.")
    for name in (columns.ds, "cutoff"):
        if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = _times(frame[name], path)
    for name in columns.targets if value else ():
        if not pd.api.types.is_numeric_dtype(frame[name]):
            _refuse_text(frame[name], path)
    return frame.sort_values([columns.unique_id, columns.ds], kind="stable") if sort else frame


def _read(path: Path, kind: str) -> Any:
    import pandas as pd

    if not path.stat().st_size:
        raise DataError(str(path), expected="a table", received="an empty file", hint="Check the file.")
    try:
        if kind == "parquet":
            require("pyarrow", extra="parquet")
            return pd.read_parquet(path).reset_index(drop=True)
        with warnings.catch_warnings():
            # Rows longer than the header would silently lose their ends.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, index_col=False)
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "Save it as UTF-8." if isinstance(error, UnicodeError) else "Check the file."
        if isinstance(error, pd.errors.ParserWarning):
            reason = "rows with more values than the first row has names"
        expected = "a CSV table" if kind == "csv" else "a Parquet table"
        raise DataError(str(path), expected=expected, received=f"something else ({reason})", hint=hint) from error
    header = str(frame.columns[0])
    if len(frame.columns) == 1 and re.search(r"[;\t|]", header):
        raise DataError(
            str(path), expected="commas between the columns", received=repr(header), hint="Save it with commas."
        )
    return frame


def _unknown_column(path: Path, field: str, name: str, known: list[str]) -> DataError:
    suggestion = suggest_name(name, known)
    return DataError(
        str(path),
        expected=f"a column {name!r}",
        received=f"the columns {', '.join(map(repr, known))}",
        hint=Phrase(f"{suggestion} " if suggestion else "", "Name yours with ", Option(f"columns.{field}", ...), "."),
    )


def place_in_file(path: Path, *, column: str | None = None, row: int | None = None, series: object = None) -> str:
    """Return the name of a place in a file, as a spreadsheet shows it.

    Args:
        path: The file.
        column: Name of the column.
        row: The row as the file counts, see `row_in_file`.
        series: Name of the series.

    Example:
        >>> place_in_file(Path("sales.csv"), column="y", row=3, series="a")
        "sales.csv, column 'y', row 3 (series 'a')"
    """
    place = str(path)
    place += "" if column is None else f", column {column!r}"
    place += "" if row is None else f", row {row}"
    return place if series is None else f"{place} (series {series!r})"


def row_in_file(path: Path, frame: Any, row: int) -> int:
    """Return the number that a row has in its file.

    Args:
        path: The file.
        frame: The frame that `read_table` returned, or a column of it.
        row: Number of the row in the frame, from 0.
    """
    return int(frame.index[row]) + _FIRST_ROW[_suffix(path, TABLES)]


def _row_error(
    path: Path, column: Any, row: int, *, expected: str, hint: str, received: str | None = None
) -> DataError:
    """Build the error for a value of a column, which is what was received unless that is said."""
    return DataError(
        place_in_file(path, column=column.name, row=row_in_file(path, column, row)),
        column=column.name,
        row=row,
        expected=expected,
        received=repr(column.iloc[row]) if received is None else received,
        hint=hint,
    )


def _refuse_first(path: Path, column: Any, invalid: Any, *, expected: str, hint: str) -> None:
    """Refuse a column in which a value is invalid, naming the first one."""
    rows = invalid.to_numpy().nonzero()[0]
    if len(rows):
        raise _row_error(path, column, int(rows[0]), expected=expected, hint=hint)


def _refuse_text(column: Any, path: Path) -> None:
    """Refuse a column with text, naming the first value that is no number."""
    import pandas as pd

    _refuse_first(
        path,
        column,
        pd.to_numeric(column, errors="coerce").isna() & column.notna(),
        expected="a number, such as 1234.5",
        hint=Phrase("Write numbers, or name another column with ", Option("columns.y", ...), "."),
    )


def _times(column: Any, path: Path) -> Any:
    """Parse times, all of them in one format; the first that is none is named with its row."""
    parsed = _parsed(column, "ISO8601")
    if not parsed.isna().any():
        return parsed
    tried = [parsed, *(_parsed(column, style) for style in _styles(str(column.iloc[0])))]
    parsed = min(tried, key=lambda times: int(times.isna().sum()))
    _refuse_first(
        path,
        column,
        parsed.isna(),
        expected="a date or time, such as 2026-01-31 or 2026-01-31 12:00",
        hint="Write times in ISO 8601.",
    )
    if not all(times.equals(parsed) for times in tried if not times.isna().any()):
        raise _row_error(
            path,
            column,
            0,
            expected="dates that can be read in one way only",
            received=f"{column.iloc[0]!r}, and no row tells the day from the month",
            hint="Write times in ISO 8601, such as 2026-01-31.",
        )
    return parsed


def _styles(example: str) -> list[str]:
    """Return the formats in which a time that is not ISO 8601 may be written, with the month or the day first."""
    from pandas.tseries.api import guess_datetime_format

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns where the day comes first
        guesses = [guess_datetime_format(example, dayfirst=dayfirst) for dayfirst in (False, True)]
    # Nobody writes the year first and the day second.
    styles = dict.fromkeys(guess for guess in guesses if guess and not re.match(r"%Y\W?%d", guess))
    return [*styles, "%d-%b-%y"]


def _parsed(column: Any, style: str) -> Any:
    import pandas as pd

    try:
        return pd.to_datetime(column, errors="coerce", format=style)
    except ValueError:  # the offset from UTC changes, as with summer time
        return pd.to_datetime(column, errors="coerce", format=style, utc=True)


def write_table(frame: Any, path: Path | None) -> None:
    """Write a pandas frame as CSV or Parquet, by the suffix; to standard output without a path.

    Args:
        frame: The frame.
        path: The file.

    Raises:
        SaveError: It could not be written; an older file is unchanged.
    """
    if path is None:
        _write_out(frame.to_csv(index=False))
        return
    buffer = io.BytesIO()
    if _suffix(path, TABLES) == "parquet":
        require("pyarrow", extra="parquet")
        frame.to_parquet(buffer, index=False)
    else:
        frame.to_csv(buffer, index=False)
    write_beside(path, lambda file: file.write(buffer.getvalue()))


def _write_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        with contextlib.suppress(OSError):  # Python would write the rest when it ends, and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SaveError(
            "standard output", expected="room for the forecast", received=str(error.strerror), hint="Use -o FILE."
        ) from error


def _suffix(path: Path, known: Sequence[str]) -> str:
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in known:
        raise unknown_name(f"{path}, suffix", suffix, known)
    return suffix
