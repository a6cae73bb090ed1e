"""CSV and Parquet files of long frames: reading, writing, and naming a place in a file.

Rows of a CSV file are counted as a spreadsheet shows them, the header being row 1; those of a Parquet file from 1.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from seqcast.errors import DataError, MissingFileError, Option, Phrase, SaveError, suggest_name
from seqcast.runtime.files import suffix_of, write_beside
from seqcast.runtime.optional import require
from seqcast.specs.columns import Columns

__all__ = ["ONE_SERIES", "TABLES", "place_in_file", "read_table", "row_in_file", "write_table"]

TABLES = ("csv", "parquet")

# The attribute that marks frames of files without ids, which are taken for one series.
ONE_SERIES = "one series"

# Zones to suggest, those of most people first, one for each rule of summer time that is in use.
_ZONES = (
    "Europe/Berlin", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver", "Europe/London",
    "Europe/Athens", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland", "America/Halifax",
    "America/St_Johns",
    "America/Anchorage", "America/Santiago", "America/Havana", "Asia/Jerusalem", "Africa/Cairo", "Asia/Beirut",
    "America/Asuncion", "America/Sao_Paulo", "Asia/Tehran", "Africa/Casablanca", "Atlantic/Azores",
    "Australia/Lord_Howe",
)  # fmt: skip

_FIRST_ROW = {"csv": 2, "parquet": 1}


def read_table(
    path: Path,
    columns: Columns,
    *,
    sort: bool = False,
    value: bool = True,
    series: Any = None,
    whole_ids: bool = False,
) -> Any:
    """Read a long frame. Ids of a CSV file are text, as they are written: `001` stays `001`.

    Args:
        path: A `.csv` or `.parquet` file.
        columns: Names of its columns. A file without `unique_id` is one series.
        sort: Whether to sort rows by series and time; the index keeps their place in the file.
        value: Whether there has to be a value column.
        series: Name of that one series; the file's name if `None`.
        whole_ids: Whether ids that are written as whole numbers become such, as a model's are that knows no text.

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
    frame = _read(path, suffix_of(path, TABLES), columns.unique_id)
    names = [str(name) for name in frame.columns]
    if whole_ids and columns.unique_id in frame.columns:
        frame[columns.unique_id] = _as_whole(frame[columns.unique_id])
    if columns.unique_id not in frame.columns and columns.unique_id == Columns().unique_id:
        frame.insert(0, columns.unique_id, path.stem if series is None else series)
        frame.attrs[ONE_SERIES] = True
    for field, name in columns.named():
        if name not in frame.columns and (value or field != "y"):
            raise _unknown_column(path, field, name, names)
    if not len(frame):
        raise DataError(path=str(path), expected="at least one row", received="none", hint="Check the file.")
    for name in (columns.ds, "cutoff"):
        if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = _times(frame[name], path, columns)
    for name in columns.targets if value else ():
        if not pd.api.types.is_numeric_dtype(frame[name]):
            _refuse_text(frame[name], path)
    return frame.sort_values([columns.unique_id, columns.ds], kind="stable") if sort else frame


def _as_whole(ids: Any) -> Any:
    """Return ids as whole numbers if all are written as such."""
    import pandas as pd

    numbers = pd.to_numeric(ids, errors="coerce")
    return numbers.astype("int64") if numbers.notna().all() and (numbers % 1 == 0).all() else ids


def _read(path: Path, kind: str, id_column: str) -> Any:
    import pandas as pd

    if not path.stat().st_size:
        raise DataError(path=str(path), expected="a table", received="an empty file", hint="Check the file.")
    try:
        if kind == "parquet":
            require("pyarrow", extra="parquet")
            return pd.read_parquet(path).reset_index(drop=True)
        with warnings.catch_warnings():
            # Rows longer than the header would silently lose their ends.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # A converter also keeps names such as NA, which pandas would take for a missing value.
            frame = pd.read_csv(path, index_col=False, converters={id_column: str})
        if id_column in frame.columns:
            ids = frame[id_column].astype("str")
            frame[id_column] = ids.where(ids != "")
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "Save it as UTF-8." if isinstance(error, UnicodeError) else "Check the file."
        if isinstance(error, pd.errors.ParserWarning):
            reason = "rows with more values than the first row has names"
        expected = "a CSV table" if kind == "csv" else "a Parquet table"
        raise DataError(path=str(path), expected=expected, received=f"something else ({reason})", hint=hint) from error
    header = str(frame.columns[0])
    if len(frame.columns) == 1 and re.search(r"[;\t|]", header):
        raise DataError(
            path=str(path), expected="commas between the columns", received=repr(header), hint="Save it with commas."
        )
    return frame


def _unknown_column(path: Path, field: str, name: str, known: list[str]) -> DataError:
    suggestion = suggest_name(name, known)
    return DataError(
        path=str(path),
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
    return int(frame.index[row]) + _FIRST_ROW[suffix_of(path, TABLES)]


def _row_error(
    path: Path, column: Any, row: int, *, expected: str, hint: str, received: str | None = None
) -> DataError:
    """Build the error for a value of a column, which is what was received unless that is said."""
    return DataError(
        place_in_file(path, column=column.name, row=row_in_file(path, column, row)),
        path=str(path),
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


def _times(column: Any, path: Path, columns: Columns) -> Any:
    """Parse times, all of them in one format; the first that is none is named with its row."""
    if columns.ds_format is not None:
        return column  # read as it says, by `read_frame`
    parsed = _parsed(column, "ISO8601")
    if not parsed.isna().any():
        _check_offsets(column, parsed, path, columns)
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


def _check_offsets(column: Any, parsed: Any, path: Path, columns: Columns) -> None:
    """Refuse times whose offset from UTC changes, as with summer time, and is not that of the time zone.

    Raises:
        DataError: No time zone is given, or a row has another offset than its clock.
    """
    import pandas as pd

    if parsed.dt.tz is None or not pd.api.types.is_string_dtype(column):
        return
    offsets = column.str.strip().str.extract(r"[T ][\d:.,]+ ?(Z|[+-]\d{2}(?::?\d{2})?)$")[0]
    if offsets.nunique(dropna=False) < 2:
        return
    local = pd.to_datetime(column.str.strip().str.removesuffix("Z").str.replace(r"[+-]\d{2}:?\d{0,2}$", "", regex=True))

    def differs(zone: str) -> Any:
        return parsed.dt.tz_convert(zone).dt.tz_localize(None) != local

    if columns.tz is None:
        fits = next((zone for zone in _ZONES if not differs(zone).any()), None)
        raise DataError(
            place_in_file(path, column=column.name),
            path=str(path),
            column=column.name,
            expected="one offset from UTC, or a time zone",
            received=f"the offsets {', '.join(map(str, offsets.unique()[:3]))}",
            hint=Phrase("Give the zone of the clock, such as ", Option("columns.tz", fits), ", which fits all rows.")
            if fits
            else "No zone that is often met has all of them: write all times in UTC.",
        )
    _refuse_first(
        path,
        column,
        differs(columns.tz),
        expected=f"the offset from UTC of clocks in {columns.tz}",
        hint=Phrase("Correct it, or give another ", Option("columns.tz"), "."),
    )


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
