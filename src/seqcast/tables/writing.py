"""Writing of frames to files and to standard output."""

import csv
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from seqcast.errors import SaveError
from seqcast.runtime import require, suffix_of, write_atomically, writing_out

# Suffixes of tables.
TABLES = ("csv", "parquet")

# Beginnings of cells that spreadsheets take for formulas, also in the full width of East Asian
# text.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# The end of a line on every system. Windows's own would become two ends on standard output, which
# adds its own.
_LINE_END = "\n"

# Control characters that XML forbids.
_NOT_IN_WORKBOOKS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def write_table(frame: pd.DataFrame, path: Path | None, *, safe_formulas: bool = False) -> None:
    """Write a pandas frame as CSV or Parquet, by the suffix; to standard output without a path.

    Args:
        frame: The frame.
        path: The file.
        safe_formulas: Whether CSV has an apostrophe before text, also names of columns, that a
            spreadsheet would take for a formula. Numbers stay numbers.

    Raises:
        SaveError: It could not be written; an older file is unchanged.
    """
    kind = "csv" if path is None else suffix_of(path, TABLES)
    content = table_bytes(frame, kind, safe_formulas=safe_formulas)
    if path is None:
        _write_out(content.decode())
    else:
        write_atomically(path, lambda file: file.write(content))


def table_bytes(frame: pd.DataFrame, kind: str, *, safe_formulas: bool = False) -> bytes:
    """Return a pandas frame as the content of a file.

    Args:
        frame: The frame.
        kind: `csv`, `parquet` or `xlsx`, in which no text is a formula.
        safe_formulas: As for `write_table`.
    """
    buffer = io.BytesIO()
    if kind == "parquet":
        require("pyarrow", extra="parquet")
        frame.to_parquet(buffer, index=False)
    elif kind == "xlsx":
        _write_workbook(frame, buffer)
    elif safe_formulas:
        safe = _with_text(frame, lambda text: f"'{text}" if text.startswith(_FORMULAS) else text)
        # In quotes a line end within a text begins no cell.
        safe.to_csv(buffer, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator=_LINE_END)
    else:
        frame.to_csv(buffer, index=False, lineterminator=_LINE_END)
    return buffer.getvalue()


def _write_workbook(frame: pd.DataFrame, buffer: io.BytesIO) -> None:
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        legal = _with_text(frame, lambda text: _NOT_IN_WORKBOOKS.sub("", text))
        legal.to_excel(writer, index=False, sheet_name="forecast")

        # openpyxl takes text such as =1 and #N/A for formulas and errors.
        for row in writer.sheets["forecast"].iter_rows():
            for cell in row:
                if cell.data_type in "fe":
                    cell.data_type = "s"


def _with_text(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a frame whose text, names of columns included, is changed."""

    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    for place, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            columns[place] = columns[place].astype(object).map(changed)
    return pd.concat(columns, axis=1).set_axis([changed(name) for name in frame.columns], axis=1)


def _write_out(text: str) -> None:
    """Write text to standard output if its encoding has all characters: data stay as they are."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        missing = text[error.start : error.end]
        raise SaveError(
            "standard output",
            expected=f"an encoding that has {missing[:20]!r}, such as UTF-8",
            received=encoding,
            hint="Use -o FILE, or set the environment variable PYTHONIOENCODING=utf-8.",
        ) from error
    with writing_out():
        sys.stdout.write(text)
