"""Reading of long frames from files: the kinds of files, and the number of a row in its file.

Rows of text and Excel files are counted as a spreadsheet shows them, the header being row 1; those of others from 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from seqcast.data.frames.dates import is_text, parse_dates
from seqcast.data.frames.dialect import Dialect, decode, find_dialect, parse_numbers, to_numbers, without_missing
from seqcast.data.frames.forms import ONE_SERIES
from seqcast.data.frames.guess import TIMES, ColumnGuess, guess_columns
from seqcast.data.frames.layouts import LAYOUTS, Steps, joined_parts, with_joined
from seqcast.data.frames.reader_process import PACKED, STANDARD_INPUT, check_cells, read_binary, read_bytes
from seqcast.data.frames.row_sources import place_in_file, unknown_column
from seqcast.errors import DataError, Option, Phrase, Row, SeqcastError, SpecError, unknown_name
from seqcast.runtime import FileLimits, check_source
from seqcast.specs import Columns, check_choice

__all__ = ["UNDERSTOOD", "OpenTable", "in_file", "is_read_at_once", "read_raw", "read_table", "row_in_file"]

# A step back of clocks, and the fraction of rows that are at most such steps.
_HOUR, _RARELY = np.timedelta64(1, "h"), 0.02
# Attributes of a frame: the dialect of its file, in words, and the number of its first row.
UNDERSTOOD, FIRST_ROW = "understood", "first row"
# Fields of a dialect that decide how a file is read that can be read in two ways.
_MARKS = ("day_first", "decimal", "thousands")


def read_table(
    path: Path, columns: Columns, *, dialect: Dialect | None = None, max_size: Any = None, **options: Any
) -> Any:
    """Read a long frame. Ids of text files are text, as written: `001` stays `001`.

    Where the times of a series go back, rows are sorted by series and time; the index has their places in the file.

    Args:
        path: A file of text (`.csv`, `.tsv`, `.txt`, also `.gz`, `.zst` or `.zip`), Excel, JSON lines, Feather or
            Parquet; `-` is text from standard input.
        columns: Names of its columns. A file without `unique_id` is one series. A name with commas stands for several
            columns: `Date,Time`, `store,item`.
        dialect: Dialect of a text file; fields that are `None` are inferred.
        max_size: Largest size to which the file may unpack: bytes, or a text such as `8 GB`. `None` is 4 GB, and at
            most a hundred times the file's size or 64 MiB; see `docs/security.md`.
        **options: Other arguments of `OpenTable.frame`, such as `layout` and `steps`.

    Returns:
        A pandas frame, with times parsed. Its attribute `UNDERSTOOD` says how the file was read.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is empty, not a table, lacks a column, can be read in two ways, or is too large.
        SpecError: `max_size` is no size, `layout` is none, or the file has a column for the times of `steps`.
        MissingPackageError: A package is missing that reads such files.
    """
    return OpenTable.of(path, dialect, max_size, columns.names[:2]).frame(columns, **options)


def read_leniently(faults: list[DataError], read: Callable[[Dialect, Collection[int]], Any], dialect: Dialect) -> Any:
    """Return what a function reads from a file, whatever is wrong with it.

    Single rows that are wrong are left out. Marks and dates that can be read in two ways are read in one.

    Args:
        faults: Takes the errors.
        read: The function, of a dialect and the rows to leave out, as the file counts.
        dialect: The dialect of the file as far as it is known.
    """
    left_out: tuple[int, ...] = ()
    while True:
        try:
            return read(dialect, left_out)
        except DataError as error:
            mentions = [each for each in getattr(error.hint, "fragments", ()) if isinstance(each, Option)]
            marks = [(name, each.value) for each in mentions if (name := each.name.removeprefix("dialect.")) in _MARKS]
            settled = replace(dialect, **dict[str, Any](marks[:1]))
            if settled == dialect and not len(error.rows):
                raise
            left_out, dialect = (*left_out, *error.rows), settled
            faults.append(error)


def read_raw(path: Path, *, dialect: Dialect | None = None, max_size: Any = None) -> Any:
    """Read a table before its columns are known; arguments and errors as for `read_table`.

    Args:
        path: The file.
        dialect: Its dialect, as far as it is known.
        max_size: Largest size to which the file may unpack.

    Returns:
        A pandas frame; numbers are parsed, times are as written.
    """
    return OpenTable.of(path, dialect, max_size).raw


@dataclass(frozen=True)
class OpenTable:
    """A table that was read from a file, before its columns are known.

    Args:
        file: The file.
        raw: A pandas frame; numbers are parsed, times are as written.
        dialect: The dialect of the file.
    """

    file: TableFile
    raw: Any
    dialect: Dialect

    @classmethod
    def of(
        cls,
        path: Path,
        dialect: Dialect | None,
        max_size: Any = None,
        keys: Sequence[str] = (),
        left_out: Collection[int] = (),
    ) -> Self:
        """Read a file; arguments and errors as for `read_table`.

        Args:
            path: The file.
            dialect: The dialect as far as it is known.
            max_size: Largest size to which the file may unpack.
            keys: Columns that hold no values, as far as they are known.
            left_out: Rows to leave out, as the file counts.
        """
        file = TableFile(path, tuple(keys), dialect or Dialect(), FileLimits.of(max_size), left_out)
        return cls(file, *_read(file))

    @classmethod
    def of_frame(cls, frame: Any, name: str) -> Self:
        """Return a table in memory, before its columns are known.

        Args:
            frame: A pandas frame, perhaps with an index of times.
            name: Its name in errors, which count its rows from 0.
        """
        timed = type(frame.index).__name__ in ("DatetimeIndex", "PeriodIndex")
        if type(frame.index).__name__ == "PeriodIndex":
            frame = frame.set_axis(frame.index.to_timestamp())
        raw = frame.rename_axis(index=frame.index.name or "ds").reset_index(drop=not timed).rename(columns=str)
        raw.attrs = {FIRST_ROW: 0}
        return cls(TableFile(Path(name), (), Dialect(), FileLimits()), raw, Dialect())

    def guessed(
        self,
        given: Mapping[str, str] | None = None,
        layout: str | None = None,
        covariates: Iterable[str] = (),
        steps: Steps | None = None,
        *,
        series: Any = None,
    ) -> tuple[Any, Columns, ColumnGuess]:
        """Return the table as a long frame, whose attribute `UNDERSTOOD` names the guess; its columns; and the guess.

        Args:
            given: Known fields of the `Columns`; several columns of values with commas.
            layout: The layout of the table, if it is known.
            covariates: Columns of covariates.
            steps: Times of a table without a column of them; steps 1, 2, 3 … if `None`.
            series: Name of the one series; the file's name if `None`.

        Raises:
            DataError: As for `read_table`; or several readings are about as likely.
            SpecError: As for `read_table`.
        """
        known, steps, path = dict(given or {}), steps or Steps(), str(self.file.path)
        others = {role: known.pop(role) for role in ("ds_format", "tz", "weight") if role in known}
        guess = guess_columns(self.raw, known, layout, (*covariates, others.get("weight", "")))
        if guess.question is not None:
            raise guess.question.changed(path, path=path)
        columns = Columns(**guess.names, **others)
        made = steps if guess.time is None or steps.start is not None else None
        frame = self.frame(columns, series=series, layout=guess.layout, steps=made)
        if not set(guess.names.values()) <= {*known.values(), *Columns().names} or guess.layout != (layout or "long"):
            words = (frame.attrs[UNDERSTOOD], guess.sentence(steps.start))
            frame.attrs[UNDERSTOOD] = "; ".join(filter(None, words))
        return frame, columns, guess

    def frame(
        self,
        columns: Columns,
        *,
        value: bool = True,
        series: Any = None,
        whole_ids: bool = False,
        layout: str = "long",
        steps: Steps | None = None,
    ) -> Any:
        """Return the table as a long frame; result and errors as for `read_table`.

        Args:
            columns: Names of its columns.
            value: Whether a value column is required.
            series: Name of the one series; the file's name if `None`.
            whole_ids: Whether ids that are written as whole numbers become such, for a model whose ids are.
            layout: Layout of the table: `long` (a row for each series and time), or a series in each column (`wide`) or
                in each of its `rows`.
            steps: Times of a table without a column of them.
        """
        import pandas as pd

        path, names = self.file.path, [str(name) for name in self.raw.columns]
        frame = with_joined(self.file.with_ids(self.raw, columns.unique_id, self.dialect), columns)
        if steps is not None and columns.ds in frame.columns and steps.start is not None:
            received, hint = f"{steps.start!r}, and a column {columns.ds!r}", "Leave it out."
            raise SpecError("start", expected="none for a file with times", received=received, hint=hint)
        check_choice("layout", layout, tuple(LAYOUTS))
        if steps is None and columns.ds not in frame.columns and layout != "rows":
            raise unknown_column(path, "ds", columns.ds, names)
        frame, dialect = self._with_times(frame, columns)
        with _naming(path, frame):
            attributes, frame = frame.attrs, LAYOUTS[layout].to_long(frame, columns, steps or Steps())
        frame.attrs.update(attributes)
        if whole_ids and columns.unique_id in frame.columns:
            frame[columns.unique_id] = _as_whole(frame[columns.unique_id])
        if columns.unique_id not in frame.columns and columns.unique_id == Columns().unique_id:
            ids = pd.Series(path.stem if series is None else series, index=frame.index, name=columns.unique_id)
            frame = pd.concat([ids, frame], axis=1)  # inserting would copy block by block
            frame.attrs.update({**attributes, ONE_SERIES: True})
        for role, name in columns.named():
            if name not in frame.columns and role != "weight" and (value or role != "y"):
                raise unknown_column(path, role, name, names)
        if not len(frame):
            raise DataError(path=str(path), expected="at least one row", received="none", hint="Check the file.")
        with _naming(path, frame):
            targets = [name for name in columns.targets if value and not pd.api.types.is_numeric_dtype(frame[name])]
            frame = frame.assign(**{name: to_numbers(frame[name]) for name in targets})
        frame, words = _sorted(frame, columns)
        frame.attrs[UNDERSTOOD] = ", ".join(filter(None, (dialect.describe(), words)))
        return frame

    def _with_times(self, frame: Any, columns: Columns) -> tuple[Any, Dialect]:
        """Return a frame with its times parsed, and the dialect with the order of their day and month."""
        dialect = self.dialect
        with _naming(self.file.path, frame):
            for name in (columns.ds, "cutoff"):
                if name not in frame.columns or not is_text(frame[name]):
                    continue
                column = frame[name] if columns.ds_format is not None else _as_whole(frame[name])
                if is_text(column):
                    column, day_first = parse_dates(column, columns, dialect.day_first)
                    dialect = dialect if day_first is None else replace(dialect, day_first=day_first)
                frame = frame.assign(**{name: column})
        return frame, dialect


def _sorted(frame: Any, columns: Columns) -> tuple[Any, str]:
    """Return a frame whose times increase within each series, and that rows were sorted, in words.

    An hour that clocks show twice is no disorder: a few steps back of an hour at most stay.
    """
    kind = frame[columns.ds].dtype.kind
    if kind not in "iufM":
        return frame, ""
    steps = frame[columns.ds].groupby(frame[columns.unique_id], sort=False, observed=True, dropna=False).diff()
    back = steps < (np.timedelta64(0) if kind == "M" else 0)
    if not back.any() or (kind == "M" and steps.min() >= -_HOUR and back.mean() < _RARELY):
        return frame, ""
    return frame.sort_values([columns.unique_id, columns.ds], kind="stable"), "rows sorted by time"


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
            attributes, frame = frame.attrs, frame.assign(**{part: ids.where(ids != "")})
            frame.attrs.update(attributes)
        return frame


def _read(file: TableFile) -> tuple[Any, Dialect]:
    """Read a file, its numbers parsed; return the frame with the inferred dialect."""
    import pandas as pd

    path = file.path
    if path != STANDARD_INPUT:
        check_source(path, expected="a file with a table")
    kind = _kind(path)
    if path != STANDARD_INPUT and not path.stat().st_size:
        raise DataError(path=str(path), expected="a table", received="an empty file", hint="Check the file.")
    try:
        frame, dialect = kind.read(file)
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
    frame.attrs[FIRST_ROW] = first = kind.first_row + dialect.skip - (dialect.header is False)
    if file.left_out:
        frame = frame[~(frame.index + first).isin(file.left_out)].copy()
    if kind is _CSV:
        keys = {*file.keys, "unique_id", "ds", "cutoff"}
        dialect = parse_numbers(frame, [name for name in frame.columns if name not in keys], dialect, path)
    if dialect.missing_values:
        frame = without_missing(frame, dialect.missing_values, file.keys)
    frame.attrs[UNDERSTOOD] = dialect.describe()
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
    path, (text, dialect) = file.path, file.text
    if not text.strip():
        raise DataError(path=str(path), expected="a table", received="no text", hint="Check the file.")
    dialect = find_dialect(text, dialect, {*file.keys, *TIMES})
    rows = max(text.count("\n"), text.count("\r")) + 1
    check_cells(path, file.limits, len(text), rows, len(dialect.names(text)))
    # A point may group thousands except in files with commas: other numbers are read once this is known.
    typed = dialect.sep == "," and dialect.decimal is None and dialect.thousands is None
    missing, names = (
        list(dialect.missing_values),
        (name for name in dialect.names(text) if name.strip() not in file.keys),
    )
    options = {"dtype": None if typed else "str", "na_values": dict.fromkeys(names, missing)}
    return _parse(text, dialect, **options).rename(columns=str.strip), dialect


def _parse(text: str, dialect: Dialect, **options: Any) -> Any:
    """Return a text as a frame, its values as pandas reads them."""
    import pandas as pd

    with warnings.catch_warnings():
        # Rows longer than the header would silently lose their ends.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.filterwarnings("ignore", "Both a converter and dtype", pd.errors.ParserWarning)
        return pd.read_csv(
            io.StringIO(text),
            index_col=False,
            float_precision="round_trip",
            sep=dialect.sep or ",",
            quotechar=dialect.quote,
            skiprows=dialect.skip,
            header=None if dialect.header is False else 0,
            names=dialect.names(text) if dialect.header is False else None,
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
