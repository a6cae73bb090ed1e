"""Files that hold more than they may: tables whose rows and columns are counted before a frame is made of them.

A few bytes a row are enough for a row of many empty cells, or in JSON for a column of its own.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from seqcast.data.frames.dialect import Dialect
from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import FileLimits

_CELL_BYTES = 8


def check_cells(path: Path, limits: FileLimits, packed: int, rows: int, columns: int) -> None:
    """Refuse a table that has too many columns, or takes too much memory.

    Args:
        path: The file.
        limits: What is allowed.
        packed: The file's size.
        rows: Its rows.
        columns: Its columns.

    Raises:
        DataError: It has too many.
    """
    if columns > limits.columns:
        expected, hint = f"at most {limits.columns:,} columns", allow_more()
        raise DataError(path=str(path), expected=expected, received=f"{columns:,}", hint=hint)
    size = rows * columns * _CELL_BYTES
    if size > limits.most(packed):
        raise too_large(path, limits, packed, f"{rows:,} rows of {columns:,} columns, {size:,} bytes")


def too_large(path: Path, limits: FileLimits, packed: int, received: str) -> DataError:
    """Build the error for a file that unpacks to too much.

    Args:
        path: The file.
        limits: What is allowed.
        packed: The file's own size.
        received: What it unpacks to, in words.
    """
    return DataError(path=str(path), expected=f"at most {limits.words(packed)}", received=received, hint=allow_more())


def allow_more() -> Phrase:
    """Return the hint of how to read such a file all the same."""
    return Phrase("If you trust the file, allow more: ", Option("max_size", "8GB"), ", or as much as it takes.")


def check_text(text: str, dialect: Dialect, path: Path, limits: FileLimits) -> None:
    """Refuse text of too many columns, or of too many cells.

    Args:
        text: The text.
        dialect: How it is written.
        path: The file, for the error.
        limits: What is allowed.

    Raises:
        DataError: There are too many.
    """
    lines = io.StringIO(text, newline="")
    for _ in range(dialect.skip):
        lines.readline()
    # A name that csv finds too long is one that no column has; the rest of the header counts all the same.
    header = next(csv.reader(lines, delimiter=dialect.sep or ",", quotechar=dialect.quote), [])
    rows = max(text.count("\n"), text.count("\r")) + 1
    check_cells(path, limits, len(text), rows, len(header))


def check_json(text: str, path: Path, limits: FileLimits) -> None:
    """Refuse JSON lines that have too many names between them, or are nested too deep.

    Args:
        text: The text.
        path: The file, for the error.
        limits: What is allowed.

    Raises:
        DataError: There are too many, or a line is no object.
    """
    names: set[str] = set()
    rows = 0
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        rows += 1
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _no_row(path, number, str(error)) from error
        if not isinstance(row, dict):
            raise _no_row(path, number, f"{type(row).__name__}")
        names.update(row)
        check_cells(path, limits, len(text), rows, len(names))


def _no_row(path: Path, number: int, received: str) -> DataError:
    return DataError(
        f"{path}, line {number}",
        path=str(path),
        expected='a JSON object, such as {"ds": "2026-01-31", "y": 3}',
        received=received,
        hint="Write one object a line.",
    )
