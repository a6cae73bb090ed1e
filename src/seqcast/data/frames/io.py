"""Reading of long frames from files: the kinds of files, and the number of a row in its file.

Rows of text and Excel files are counted as a spreadsheet shows them, the header being row 1; those of others from 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from seqcast.data.frames.dates import is_text, parse_dates
from seqcast.data.frames.dialect import Dialect, decode, find_dialect, parse_numbers, to_numbers, without_missing
from seqcast.data.frames.forms import ONE_SERIES, from_wide
from seqcast.data.frames.reader_process import PACKED, STANDARD_INPUT, check_cells, read_binary, read_bytes
from seqcast.data.frames.row_sources import place_in_file, unknown_column
from seqcast.errors import DataError, Option, Phrase, Row, SeqcastError, unknown_name
from seqcast.runtime import FileLimits, check_source
from seqcast.specs import Columns

__all__ = ["UNDERSTOOD", "in_file", "is_read_at_once", "read_raw", "read_table", "row_in_file"]

# Attributes of a frame: the dialect of its file, in words, and the number of its first row.
UNDERSTOOD, FIRST_ROW = "understood", "first row"
# Fields of a dialect that decide how a file is read that can be read in two ways.
_MARKS = ("day_first", "decimal", "thousands")


def read_table(
    path: Path,
    columns: Columns,
    *,
    sort: bool = False,
    value: bool = True,
    series: Any = None,
    whole_ids: bool = False,
    dialect: Dialect | None = None,
    wide: bool = False,
    max_size: Any = None,
    left_out: Collection[int] = (),
) -> Any:
    """Read a long frame. Ids of text files are text, as written: `001` stays `001`.

    Args:
        path: A file of text (`.csv`, `.tsv`, `.txt`, also `.gz`, `.zst` or `.zip`), Excel, JSON lines, Feather or
            Parquet; `-` is text from standard input.
        columns: Names of its columns. A file without `unique_id` is one series.
        sort: Whether to sort rows by series and time; the index keeps their place in the file.
        value: Whether a value column is required.
        series: Name of the one series; the file's name if `None`.
        whole_ids: Whether ids that are written as whole numbers become such, for a model whose ids are.
        dialect: Dialect of a text file; fields that are `None` are inferred.
        wide: Whether the file has a column of times, and one for each series.
        max_size: Largest size to which the file may unpack: bytes, or a text such as `8 GB`. `None` is 4 GB, and at
            most a hundred times the file's size or 64 MiB; see `docs/security.md`.
        left_out: Rows to leave out, as the file counts.

    Returns:
        A pandas frame, with times parsed. Its attribute `UNDERSTOOD` says how the file was read.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is empty, not a table, lacks a column, can be read in two ways, or is too large.
        SpecError: `max_size` is no size.
        MissingPackageError: A package is missing that reads such files.
    """
    import pandas as pd

    frame, dialect = _read(path, columns, dialect or Dialect(), FileLimits.of(max_size))
    if left_out:
        frame = frame[~(frame.index + frame.attrs[FIRST_ROW]).isin(left_out)]
        dialect = _parse_columns(frame, columns, dialect, path)
    names = [str(name) for name in frame.columns]
    if wide:
        frame = _from_wide(frame, path, columns)
    if whole_ids and columns.unique_id in frame.columns:
        frame[columns.unique_id] = _as_whole(frame[columns.unique_id])
    if columns.unique_id not in frame.columns and columns.unique_id == Columns().unique_id:
        attributes = {**frame.attrs, ONE_SERIES: True}
        ids = pd.Series(path.stem if series is None else series, index=frame.index, name=columns.unique_id)
        frame = pd.concat([ids, frame], axis=1)  # inserting would copy block by block
        frame.attrs.update(attributes)
    for field, name in columns.named():
        if name not in frame.columns and field != "weight" and (value or field != "y"):
            raise unknown_column(path, field, name, names, wide=_is_wide(frame, columns))
    if not len(frame):
        raise DataError(path=str(path), expected="at least one row", received="none", hint="Check the file.")
    with _naming(path, frame):
        for name in (columns.ds, "cutoff"):
            if name in frame.columns and is_text(frame[name]):
                frame[name], day_first = parse_dates(frame[name], columns, dialect.day_first)
                dialect = dialect if day_first is None else replace(dialect, day_first=day_first)
        for name in columns.targets if value else ():
            if not pd.api.types.is_numeric_dtype(frame[name]):
                frame[name] = to_numbers(frame[name])
    frame.attrs[UNDERSTOOD] = dialect.describe()
    return frame.sort_values([columns.unique_id, columns.ds], kind="stable") if sort else frame


def read_leniently(faults: list[DataError], path: Path, columns: Columns, *, dialect: Dialect, **options: Any) -> Any:
    """Read a long frame whatever is wrong with it.

    Single rows that are wrong are left out. Marks and dates that can be read in two ways are read in one.

    Args:
        faults: Takes the errors.
        path: As for `read_table`.
        columns: As for `read_table`.
        dialect: As for `read_table`.
        options: Other arguments of `read_table`.
    """
    left_out: tuple[int, ...] = ()
    while True:
        try:
            return read_table(path, columns, dialect=dialect, left_out=left_out, **options)
        except DataError as error:
            mentions = [each for each in getattr(error.hint, "fragments", ()) if isinstance(each, Option)]
            marks = [(name, each.value) for each in mentions if (name := each.name.removeprefix("dialect.")) in _MARKS]
            settled = replace(dialect, **dict[str, Any](marks[:1]))
            if settled == dialect and not len(error.rows):
                raise
            left_out, dialect = (*left_out, *error.rows), settled
            faults.append(error)


def read_raw(path: Path, *, dialect: Dialect | None = None, max_size: Any = None) -> Any:
    """Read a table before its columns are known, to show it or to guess them.

    Args:
        path: A file as for `read_table`.
        dialect: As for `read_table`.
        max_size: As for `read_table`.

    Returns:
        A pandas frame; numbers are parsed, times are as written.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is empty, not a table, can be read in two ways, or is too large.
        SpecError: `max_size` is no size.
        MissingPackageError: A package is missing that reads such files.
    """
    return _read(path, Columns(), dialect or Dialect(), FileLimits.of(max_size))[0]


def is_read_at_once(path: Path) -> bool:
    """Return whether `read_table` reads a file of this name, and nothing reads it piece by piece.

    Args:
        path: The file.

    Example:
        >>> is_read_at_once(Path("a.csv.gz")), is_read_at_once(Path("a.parquet")), is_read_at_once(Path("a"))
        (True, False, False)
    """
    suffix = path.suffix.lower()
    return suffix in PACKED or suffix.removeprefix(".") in KINDS.keys() - {"parquet"}


def _kind(path: Path) -> FileKind:
    """Return the kind of file of a name."""
    if path == STANDARD_INPUT:
        return _CSV
    inner = path.with_suffix("") if path.suffix.lower() in PACKED else path
    suffix = inner.suffix.lower().removeprefix(".")
    if suffix not in KINDS or (inner is not path and not KINDS[suffix].is_text):
        raise unknown_name(f"{path}, suffix", suffix, KINDS)
    return KINDS[suffix]


def _from_wide(frame: Any, path: Path, columns: Columns) -> Any:
    """Return a wide table as a long one, whose index keeps the rows of the file."""
    attributes, ds = dict(frame.attrs), columns.ds
    if ds not in frame.columns:
        raise unknown_column(path, "ds", ds, [str(name) for name in frame.columns])
    with _naming(path, frame):
        twice = frame[ds].duplicated().to_numpy()
        if twice.any():
            row, hint = int(twice.argmax()), "Drop one of the rows."
            received = f"{frame[ds].iloc[row]} again"
            error = DataError(column=ds, row=row, expected="each time once", received=received, hint=hint)
            error.rows = twice.nonzero()[0].tolist()
            raise error
        long = from_wide(frame, ds, columns=replace(columns, y=columns.value))
    long.index = frame.reset_index().set_index(ds)["index"].reindex(long[ds]).to_numpy()
    long.attrs.update(attributes)
    return long


def _is_wide(frame: Any, columns: Columns) -> bool:
    """Return whether a table looks as if it had a column for each series."""
    import pandas as pd

    if columns.ds not in frame.columns:
        return False
    others = frame.drop(columns=[columns.ds, columns.unique_id], errors="ignore").dtypes
    return len(others) >= 2 and all(map(pd.api.types.is_numeric_dtype, others))


def _as_whole(column: Any) -> Any:
    """Return a column of ids or stamps as whole numbers if all are written as such."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.astype("int64") if numbers.notna().all() and (numbers % 1 == 0).all() else column


@dataclass(frozen=True)
class TableFile:
    """An unread file with a table.

    Args:
        path: The file.
        columns: Names of its columns.
        dialect: Its dialect, as far as it is known.
        limits: Limits to the size of its content.
    """

    path: Path
    columns: Columns
    dialect: Dialect
    limits: FileLimits

    def text(self) -> tuple[str, Dialect]:
        """Return its text, unpacked and decoded, and the dialect with its encoding."""
        text, encoding = decode(read_bytes(self.path, self.limits), self.path, self.dialect.encoding)
        return text, replace(self.dialect, encoding=encoding)


def _read(path: Path, columns: Columns, dialect: Dialect, limits: FileLimits) -> tuple[Any, Dialect]:
    """Read a file, its numbers parsed; return the frame with the inferred dialect."""
    import pandas as pd

    if path != STANDARD_INPUT:
        check_source(path, expected="a file with a table")
    kind = _kind(path)
    if path != STANDARD_INPUT and not path.stat().st_size:
        raise DataError(path=str(path), expected="a table", received="an empty file", hint="Check the file.")
    try:
        frame, dialect = kind.read(TableFile(path, columns, dialect, limits))
    except SeqcastError:
        raise
    except Exception as error:  # what a damaged file raises depends on the package that reads it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, pd.errors.ParserWarning):
            reason = "rows with more values than the first row has names"
        expected, received = f"a table in {kind.name}", f"something else ({reason})"
        raise DataError(path=str(path), expected=expected, received=received, hint="Check the file.") from error
    if frame.columns.empty:
        raise DataError(path=str(path), expected="a table", received="no columns", hint="Check the file.")
    frame = without_missing(frame, dialect.missing_values, (columns.unique_id, columns.ds, "cutoff"))
    frame.attrs |= {FIRST_ROW: kind.first_row + dialect.skip, UNDERSTOOD: dialect.describe()}
    return frame, dialect


@contextlib.contextmanager
def _naming(path: Path, frame: Any) -> Iterator[None]:
    """Let errors about columns name the file, and count rows as it does."""
    try:
        yield
    except DataError as error:
        raise in_file(error, path, frame) from error


def in_file(error: DataError, path: Path, frame: Any) -> DataError:
    """Return an error about a frame, with its rows counted as in the file that it was read from.

    Args:
        error: The error.
        path: The file.
        frame: The frame that `read_table` returned; `None` where its rows are not those of the file.
    """

    def number(row: int | None) -> int | None:
        return None if row is None or frame is None or row >= len(frame) else row_in_file(path, frame, row)

    def name(row: Row) -> Row:
        counted = number(row.number)
        return row if counted is None else Row(counted)

    texts = {each: getattr(error, each) for each in ("expected", "received", "hint")}
    named = {each: text.with_rows(name) if isinstance(text, Phrase) else text for each, text in texts.items()}
    place = place_in_file(path, column=error.column, row=number(error.row), series=error.series)
    located = error.changed(place, path=str(path), option=None, **named)
    located.rows = [counted for row in error.rows if (counted := number(row)) is not None]
    return located


def row_in_file(path: Path, frame: Any, row: int) -> int:
    """Return the number that a row has in its file.

    Args:
        path: The file.
        frame: The frame that `read_table` returned.
        row: Number of the row in the frame, from 0.
    """
    first = frame.attrs[FIRST_ROW] if FIRST_ROW in frame.attrs else _kind(path).first_row
    return int(frame.index[row]) + int(first)


# ---------------------------------------------------------------- JSON lines


def _read_json(file: TableFile) -> tuple[Any, Dialect]:
    import pandas as pd

    text, _ = file.text()
    names, rows = set[str](), 0
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            rows += 1
            names.update(_json_object(file.path, number, line))
            check_cells(file.path, file.limits, len(text), rows, len(names))
    return pd.read_json(io.StringIO(text), lines=True, dtype=False, convert_dates=False), file.dialect


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    """Return the object of a line, and refuse one that holds something else or is nested too deep."""
    try:
        row = json.loads(line)
        received = type(row).__name__
    except (ValueError, RecursionError) as error:
        row, received = None, str(error)
    if not isinstance(row, dict):
        where, expected = f"{path}, line {number}", 'a JSON object, such as {"ds": "2026-01-31", "y": 3}'
        hint = "Write one object a line."
        raise DataError(where, path=str(path), expected=expected, received=received, hint=hint)
    return row


# ---------------------------------------------------------------- text


def _read_text(file: TableFile) -> tuple[Any, Dialect]:
    import pandas as pd

    path, columns = file.path, file.columns
    text, dialect = file.text()
    if not text.strip():
        raise DataError(path=str(path), expected="a table", received="no text", hint="Check the file.")
    dialect = find_dialect(text, dialect, path, (columns.ds,))
    rows = max(text.count("\n"), text.count("\r")) + 1
    check_cells(path, file.limits, len(text), rows, len(dialect.header(text)))
    # A point may group thousands except in files with commas: other numbers are read once this is known.
    typed = dialect.sep == "," and dialect.decimal is None and dialect.thousands is None
    missing, keys = list(dialect.missing_values), (columns.unique_id, columns.ds, "cutoff")
    with warnings.catch_warnings():
        # Rows longer than the header would silently lose their ends.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.filterwarnings("ignore", "Both a converter and dtype", pd.errors.ParserWarning)
        # A converter also keeps names such as NA, which pandas would take for a missing value.
        frame = pd.read_csv(
            io.StringIO(text),
            index_col=False,
            converters={columns.unique_id: str},
            dtype=None if typed else "str",
            float_precision="round_trip",
            sep=dialect.sep or ",",
            quotechar=dialect.quote,
            skiprows=dialect.skip,
            na_values={name: missing for name in dialect.header(text) if name.strip() not in keys},
        )
    frame = frame.rename(columns=str.strip)
    if columns.unique_id in frame.columns:
        ids = frame[columns.unique_id].astype("str")
        frame[columns.unique_id] = ids.where(ids != "")
    return frame, _parse_columns(frame, columns, dialect, path)


def _parse_columns(frame: Any, columns: Columns, dialect: Dialect, path: Path) -> Dialect:
    """Turn text columns of a frame whose values are numerals into numbers; return the dialect with their marks."""
    keys, ds = {columns.unique_id, columns.ds, "cutoff", "unique_id"}, columns.ds
    dialect = parse_numbers(frame, [name for name in frame.columns if name not in keys], dialect, path)
    if columns.ds_format is None and ds in frame.columns and is_text(frame[ds]):
        frame[ds] = _as_whole(frame[ds])
    return dialect


# ---------------------------------------------------------------- kinds of files


@dataclass(frozen=True)
class FileKind:
    """A kind of files that hold a table.

    Args:
        name: Its name in errors.
        first_row: Number of the first row of a table, as the file counts.
        read: Reads a file: returns a pandas frame, and the inferred dialect.
        is_text: Whether files may be packed, as `.csv.gz` is.
    """

    name: str
    first_row: int
    read: Callable[[TableFile], tuple[Any, Dialect]]
    is_text: bool = False


def _read_binary(kind: str, file: TableFile) -> tuple[Any, Dialect]:
    return read_binary(kind, file.path, file.limits, file.dialect.sheet), file.dialect


_CSV, _JSON = FileKind("CSV", 2, _read_text, is_text=True), FileKind("JSON lines", 1, _read_json, is_text=True)
_FEATHER, _EXCEL, _PARQUET = (
    FileKind(name, first_row, partial(_read_binary, name))
    for name, first_row in (("Feather", 1), ("Excel", 2), ("Parquet", 1))
)
# The kind of each suffix.
KINDS: dict[str, FileKind] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _CSV),
    **dict.fromkeys(("jsonl", "ndjson"), _JSON),
    **dict.fromkeys(("feather", "arrow"), _FEATHER),
    **dict.fromkeys(("xlsx", "xlsm", "xlsb", "xls", "ods"), _EXCEL),
    "parquet": _PARQUET,
}
