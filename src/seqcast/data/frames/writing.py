"""Writing frames to files and to standard output."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from pathlib import Path
from typing import Any

from seqcast.errors import SaveError
from seqcast.runtime.files import suffix_of, write_beside
from seqcast.runtime.optional import require

__all__ = ["TABLES", "write_table"]

# What is written.
TABLES = ("csv", "parquet")


# What a cell begins with that spreadsheets take for a formula, also in the full width of East Asian text.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_table(frame: Any, path: Path | None, *, safe_formulas: bool = False) -> None:
    """Write a pandas frame as CSV or Parquet, by the suffix; to standard output without a path.

    Args:
        frame: The frame.
        path: The file.
        safe_formulas: Whether CSV has an apostrophe before text, also names of columns, that a spreadsheet would take
            for a formula. Numbers stay numbers.

    Raises:
        SaveError: It could not be written; an older file is unchanged.
    """
    quoting = csv.QUOTE_MINIMAL
    if safe_formulas and (path is None or suffix_of(path, TABLES) == "csv"):
        # In quotes a line end within a text begins no cell.
        frame, quoting = _without_formulas(frame), csv.QUOTE_NONNUMERIC
    if path is None:
        _write_out(frame.to_csv(index=False, quoting=quoting))
        return
    buffer = io.BytesIO()
    if suffix_of(path, TABLES) == "parquet":
        require("pyarrow", extra="parquet")
        frame.to_parquet(buffer, index=False)
    else:
        frame.to_csv(buffer, index=False, quoting=quoting)
    write_beside(path, lambda file: file.write(buffer.getvalue()))


def _without_formulas(frame: Any) -> Any:
    """Return a frame whose text, names of columns included, begins with nothing that makes a formula."""
    import pandas as pd

    def safe(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value

    texts = [place for place, kind in enumerate(frame.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    for place in texts:
        if not pd.api.types.is_datetime64_any_dtype(columns[place]):
            columns[place] = columns[place].astype(object).map(safe)
    return pd.concat(columns, axis=1).set_axis([safe(name) for name in frame.columns], axis=1)


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
