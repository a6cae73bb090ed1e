"""Errors for files that hold more than they may."""

from __future__ import annotations

from pathlib import Path

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
