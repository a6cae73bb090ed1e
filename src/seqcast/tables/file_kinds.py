"""Files with tables: their kinds, their text and numbers, and the number of a row in its file.

Rows of text and Excel files are counted as a spreadsheet shows them, the header being row 1; those of others from 1.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from seqcast.data.frames import file_error, is_text, place_in_file
from seqcast.errors import DataError, Phrase, Row, SeqcastError, unknown_name
from seqcast.runtime import FileLimits, check_source, filtering_warnings
from seqcast.tables.dialect import NOT_KNOWN, Dialect, decode, find_dialect, is_longer, odd_rows
from seqcast.tables.layouts import joined_parts
from seqcast.tables.number_marks import FLAGS, find_placeholders, parse_numbers, without_missing
from seqcast.tables.reader_process import ABOUT, PACKED, STANDARD_INPUT, check_cells, read_binary, read_bytes
from seqcast.tables.tidying import merged_columns, total_rows, words_on

# Attributes of a frame: the dialect of its file, in words, and the number of its first row.
UNDERSTOOD, FIRST_ROW, AHEAD = "understood", "first row", "rows ahead"
# Attribute of a frame: which rows at its ends were left out, in words.
LEFT_OUT = "left out"
# Attribute of a frame: columns whose cells hold for the rows below them, too.
MERGED = "merged"
# Attribute of a long frame: its column of values if its file has none of that name, and whether the series are columns.
FORM = "form"
# What a file needs of which some rows are left out.
SOME_ROW = "at least one row without a fault"


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


def as_written_whole(column: Any) -> Any:
    """Return a column as whole numbers if these are what is written, without zeros before them.

    Args:
        column: A pandas Series.

    Example:
        >>> [as_written_whole(pd.Series(cells)).tolist() for cells in ([1.0, 2.0], ["1", "2"], ["01", "2"])]
        [[1, 2], [1, 2], ['01', '2']]
    """
    whole = as_whole(column)
    return whole if column.dtype.kind == "f" or whole.astype("str").equals(column.astype("str")) else column


def as_whole(column: Any) -> Any:
    """Return a column of ids or stamps as whole numbers if all are written as such.

    Args:
        column: A pandas Series.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.astype("int64") if numbers.notna().all() and (numbers % 1 == 0).all() else column


@dataclass(frozen=True)
class TableFile:
    """An unread file with a table.

    Args:
        path: The file.
        keys: Columns that hold no values, as far as they are known.
        dialect: Its dialect, as far as it is known.
        limits: Limits to the size of its content.
        left_out: Rows to leave out, as the file counts.
    """

    path: Path
    keys: tuple[str, ...]
    dialect: Dialect
    limits: FileLimits
    left_out: Collection[int] = ()

    @cached_property
    def text(self) -> tuple[str, Dialect]:
        """Its text, unpacked and decoded, and the dialect with its encoding."""
        text, encoding = decode(read_bytes(self.path, self.limits), self.path, self.dialect.encoding)
        return text, replace(self.dialect, encoding=encoding)

    def with_ids(self, frame: Any, name: str, dialect: Dialect) -> Any:
        """Return a frame whose ids are text as it is written, if the file is text.

        Args:
            frame: The frame.
            name: The column of ids, or several with commas.
            dialect: The dialect of the file.
        """
        if "text" not in self.__dict__ or _kind(self.path) is not _CSV:
            return frame
        for part in joined_parts(frame.columns, name):
            place = frame.columns.get_loc(part)
            # Not as other text: NA is a name, no missing value.
            ids = _parse(self.text[0], dialect, usecols=[place], converters={place: str}).iloc[:, 0]
            ids = ids.where(ids != "").reindex(frame.index)
            frame = frame.assign(**{part: ids.ffill() if part in frame.attrs[MERGED] else ids})
        return frame


def read_file(file: TableFile) -> tuple[Any, Dialect]:
    """Read a file, its numbers parsed; return the frame with the inferred dialect.

    Args:
        file: The file.

    Raises:
        AmbiguityError: It can be read in two ways.
        DataError: It is empty, not a table, or is too large.
    """
    path = file.path
    if path != STANDARD_INPUT:
        check_source(path, expected="a file with a table")
        if not path.stat().st_size:
            raise file_error(path, "a table", "an empty file")
    kind = _kind(path)
    try:
        frame, dialect = kind.read(file)
    except SeqcastError:
        raise
    except Exception as error:  # what a damaged file raises depends on the package that reads it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, pd.errors.ParserWarning):
            reason = "rows with more values than the first row has names"
        raise file_error(path, f"a table in {kind.name}", f"something else ({reason})") from error
    if frame.columns.empty:
        raise file_error(path, "a table", "no columns")
    frame.attrs[FIRST_ROW] = first = kind.first_row + dialect.skip - (dialect.header is False)
    if file.left_out:
        frame = frame[~(frame.index + first).isin(file.left_out)].copy()
    if frame.empty:
        raise file_error(path, SOME_ROW if file.left_out else "at least one row below the header", "none")
    frame, said = _tidied(frame)
    if kind is _CSV:
        keys = {*file.keys, "unique_id", "ds", "cutoff"}
        frame, dialect = parse_numbers(frame, [name for name in frame.columns if name not in keys], dialect, path)
        if dialect.sep == dialect.decimal == "," and file.dialect.decimal is None:
            # Columns without quotes have been read with a decimal point.
            return read_file(replace(file, dialect=replace(file.dialect, decimal=",", thousands=dialect.thousands)))
    else:
        unknown = [name for name in frame.columns if name not in file.keys and is_text(frame[name])]
        frame = frame.assign(
            **{name: frame[name].replace(dict.fromkeys(NOT_KNOWN)) for name in unknown}
        ).infer_objects()
    if not dialect.missing_values:
        dialect = replace(dialect, missing_values=find_placeholders(frame, file.keys))
    if dialect.missing_values:
        frame = without_missing(frame, dialect.missing_values, file.keys)
    if flags := frame.attrs.get(FLAGS):
        said += [f"without {', '.join(map(repr, flags))} at numbers"]
    frame.attrs[LEFT_OUT] = ", ".join(filter(None, said))
    frame.attrs[UNDERSTOOD] = ", ".join(filter(None, (dialect.describe(), frame.attrs[LEFT_OUT])))
    return frame, dialect


def _tidied(frame: Any) -> tuple[Any, list[str]]:
    """Return a frame without rows that are no steps, its merged cells filled; and words on both."""
    above, below = odd_rows(frame)
    said = [frame.attrs.get(ABOUT, (0, ""))[1], words_on(frame.iloc[:above], "below the header")]
    said += [words_on(frame.iloc[len(frame) - below :], "at the end")]
    if above or below:
        frame = frame.iloc[above : len(frame) - below].copy()
    totals = total_rows(frame)
    if len(totals):
        frame = frame.drop(totals.index)
        frame = frame.assign(**{name: as_written_whole(frame[name]) for name in frame.columns})
        said += [words_on(totals, "at the end" if totals.index[0] > frame.index[-1] else "of totals")]
    merged = merged_columns(frame)
    frame = frame.assign(**{name: frame[name].ffill() for name in merged}) if merged else frame
    frame.attrs[MERGED] = merged
    return frame, [*said, *(f"{name!r} filled downwards" for name in merged)]


@contextlib.contextmanager
def naming_cells(path: Path, frame: Any) -> Iterator[None]:
    """Let errors about columns name the file, and count rows as it does.

    Args:
        path: The file.
        frame: The frame that was read from it.
    """
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
    made, is_wide = ("", False) if frame is None else frame.attrs.get(FORM, ("", False))
    column, series = error.column, error.series
    if column is not None and column == made:
        column, series = (str(series), None) if is_wide and series is not None else (None, series)
    place = place_in_file(path, column=column, row=number(error.row), series=series)
    located = error.changed(place, path=str(path), option=None, column=column, **named)
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
    text, _ = file.text
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
        row = json.loads(line, object_pairs_hook=_unique_names)
        received = type(row).__name__
    except (ValueError, RecursionError) as error:
        row, received = None, str(error)
    if not isinstance(row, dict):
        where, expected = f"{path}, line {number}", 'a JSON object, such as {"ds": "2026-01-31", "y": 3}'
        hint = "Write one object a line."
        raise DataError(where, path=str(path), expected=expected, received=received, hint=hint)
    return row


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, and reject a name that it has twice: Python would take the last value unsaid."""
    row = dict(pairs)
    if len(row) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the name {names.most_common(1)[0][0]!r} twice")
    return row


# ---------------------------------------------------------------- text


def _read_text(file: TableFile) -> tuple[Any, Dialect]:
    path, (text, dialect) = file.path, file.text
    if not text.strip():
        raise file_error(path, "a table", "no text")
    given, dialect = dialect, find_dialect(text, dialect)
    _check_title(path, text, given, dialect)
    rows = max(text.count("\n"), text.count("\r")) + 1
    check_cells(path, file.limits, len(text), rows, len(dialect.names(text)))
    # A point may group thousands except in files with commas: other numbers are read once this is known.
    typed = dialect.sep == "," and dialect.decimal is None and dialect.thousands is None
    words = [*NOT_KNOWN, *dialect.missing_values]
    missing = {name: words for name in dialect.names(text) if name.strip() not in file.keys}
    frame = _parse(text, dialect, dtype=None if typed else "str", na_values=missing)
    return frame.rename(columns=str.strip), dialect


def _check_title(path: Path, text: str, given: Dialect, found: Dialect) -> None:
    """Reject a file whose header has other cells than its rows, as one with decimal commas between commas.

    Args:
        path: The file.
        text: Its text.
        given: Its dialect, as far as it was given.
        found: Its dialect, in which such a header is a line above a table without one.

    Raises:
        DataError: The line above the table has several names.
    """
    if found.header is not False or given.header is not None or found.skip == 0:
        return
    above = replace(found, skip=found.skip - 1).lines(text, 1)
    names = [cell for cell in next(iter(above), []) if cell.strip()]
    if len(names) < 2:
        return
    width = len(found.names(text))
    expected = f"as many names as values: {len(names)} names in the header"
    separator = "commas" if found.sep in (None, ",") else repr(found.sep)
    hint = (
        f"Write numbers with a point or between quotation marks if they have decimal {separator}, or name all columns."
    )
    raise file_error(path, expected, f"{width} values in the rows", hint)


def _parse(text: str, dialect: Dialect, **options: Any) -> Any:
    """Return a text as a frame, its values as pandas reads them."""
    first = dialect.lines(text, 2)
    is_total = dialect.header is not False and len(first) > 1 and is_longer(len(first[0]), first[1])
    # Rows longer than the header would silently lose their ends.
    with (
        filtering_warnings("error", pd.errors.ParserWarning),
        filtering_warnings("ignore", pd.errors.ParserWarning, "Both a converter and dtype"),
    ):
        return pd.read_csv(
            io.StringIO(dialect.spaced(text)),
            index_col=False,
            float_precision="round_trip",
            sep=dialect.sep or ",",
            quotechar=dialect.quote,
            skiprows=dialect.skip + is_total,
            header=None if dialect.header is False or is_total else 0,
            names=[*first[0], ""] if is_total else dialect.names(text) if dialect.header is False else None,
            **options,
        )


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
    frame = read_binary(kind, file.path, file.limits, file.dialect.sheet)
    return frame, replace(file.dialect, skip=frame.attrs[ABOUT][0])


_CSV = FileKind("CSV", 2, _read_text, is_text=True)
# The kind of each suffix.
KINDS: dict[str, FileKind] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _CSV),
    **dict.fromkeys(("jsonl", "ndjson"), FileKind("JSON lines", 1, _read_json, is_text=True)),
    **dict.fromkeys(("feather", "arrow"), FileKind("Feather", 1, partial(_read_binary, "Feather"))),
    **dict.fromkeys(("xlsx", "xlsm", "xlsb", "xls", "ods"), FileKind("Excel", 2, partial(_read_binary, "Excel"))),
    "parquet": FileKind("Parquet", 1, partial(_read_binary, "Parquet")),
}
