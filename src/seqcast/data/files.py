"""CSV and Parquet files of long frames."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from seqcast._optional import require
from seqcast.config import Columns
from seqcast.errors import DataError, MissingFileError, SaveError, unknown_name
from seqcast.saving import write_beside

__all__ = ["TABLES", "check_target", "read_table", "write_table"]

TABLES = ("csv", "parquet")


def check_target(path: Path, *, table: bool = False) -> None:
    """Refuse a place that cannot be written to, before any work starts.

    Args:
        path: The file that will be written.
        table: Whether it has to be one of `TABLES`.

    Raises:
        SaveError: The folder is missing or read-only, or the path is a folder.
        SpecError: A table has another suffix.
    """
    if table:
        _kind(path)
    folder = path.parent
    received = None
    if path.is_dir():
        received = "a folder"
    elif not folder.is_dir():
        received = f"no folder {folder}"
    elif not os.access(folder, os.W_OK):
        received = f"a read-only folder {folder}"
    if received:
        raise SaveError(str(path), expected="a file in a folder to write to", received=received, mend="Choose another.")


def read_table(path: Path, columns: Columns, *, sort: bool = False, value: bool = True) -> Any:
    """Read a long frame.

    Args:
        path: A `.csv` or `.parquet` file.
        columns: Names of its columns. Without the column of ids the file is one series, named after the file.
        sort: Whether to sort rows by series and time.
        value: Whether there has to be a value column.

    Returns:
        A pandas frame, with times parsed.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is empty, not a table, or lacks a column.
    """
    import pandas as pd

    if not path.is_file():
        received = "a folder" if path.is_dir() else "nothing"
        raise MissingFileError(str(path), expected="a CSV or Parquet file", received=received)
    kind = _kind(path)
    try:
        if kind == "parquet":
            require("pyarrow", extra="parquet")
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path)
    except (ValueError, OSError, UnicodeError, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            str(path), expected=f"a {kind} table", received=f"something else ({reason})", mend="Check the file."
        ) from error
    needed = [columns.ds, columns.y] if value else [columns.ds]
    for name in needed:
        if name not in frame.columns:
            raise unknown_column(str(path), name, list(frame.columns))
    if columns.unique_id not in frame.columns:
        frame.insert(0, columns.unique_id, path.stem if value else "")
    if not len(frame):
        raise DataError(str(path), expected="at least one row", received="none", mend="Check the file.")
    for name in (columns.ds, "cutoff"):
        if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = _times(frame[name], path)
    if sort:
        frame = frame.sort_values([columns.unique_id, columns.ds], ignore_index=True)
    return frame


def unknown_column(where: str, name: str, known: list[str]) -> DataError:
    """Build the error for a column that is not there."""
    hint = str(unknown_name("column", name, known)).partition("Did you mean")[2]
    mend = f"Did you mean{hint}" if hint else "Name the columns with --id, --time and --value."
    return DataError(f"{where}, column {name!r}", expected="to be there", received=f"columns {known}", mend=mend)


def write_table(frame: Any, path: Path | None) -> None:
    """Write a pandas frame as CSV or Parquet, by the suffix; to standard output without a path.

    Args:
        frame: The frame.
        path: The file.

    Raises:
        SaveError: It could not be written; an older file is unchanged.
    """
    if path is None:
        frame.to_csv(sys.stdout, index=False)
        return
    buffer = io.BytesIO()
    if _kind(path) == "parquet":
        require("pyarrow", extra="parquet")
        frame.to_parquet(buffer, index=False)
    else:
        frame.to_csv(buffer, index=False)
    write_beside(path, lambda file: file.write(buffer.getvalue()))


def _kind(path: Path) -> str:
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in TABLES:
        raise unknown_name(f"{path}, suffix", suffix, TABLES)
    return suffix


def _times(column: Any, path: Path) -> Any:
    """Parse times; the first that is none is named with its row."""
    import pandas as pd

    parsed = pd.to_datetime(column, errors="coerce", format="ISO8601")
    bad = parsed.isna()
    if bad.any():
        # Not ISO 8601: one format for all rows, found from the first, so that days and months are not mixed up.
        parsed = pd.to_datetime(column, errors="coerce")
        bad = parsed.isna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise DataError(
            f"{path}, column {column.name!r}, row {row + 2}",
            expected="a date or time, such as 2026-01-31 or 2026-01-31 12:00",
            received=repr(column.iloc[row]),
            mend="Write times in ISO 8601.",
        )
    return parsed
