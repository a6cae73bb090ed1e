"""Writing frames to files and to standard output."""

from __future__ import annotations

import contextlib
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
    if suffix_of(path, TABLES) == "parquet":
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
