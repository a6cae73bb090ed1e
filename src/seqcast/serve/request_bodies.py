"""Bodies of requests: JSON and CSV become options and tables of typed columns, within limits.

Each step takes time and memory in proportion to the body's length, within the limit on rows. A body
of megabytes is counted before it becomes Python objects, which take ten times the memory.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import Any, Self

import jiter
import numpy as np
import pandas as pd

from seqcast.errors import AmbiguityError, DataError
from seqcast.runtime import Array
from seqcast.serve.problems import RequestError, shown
from seqcast.specs import Columns
from seqcast.tables import (
    ColumnGuess,
    OpenTable,
    Steps,
    guess_columns,
    has_header,
    joined_parts,
)

JSON = "application/json"
CSV = "text/csv"

# Values of a body beside those of its rows, and most cells of a row on average: tables have few
# columns.
_OTHER_VALUES = 1000
_MEAN_CELLS = 20
# Most columns of a table whose columns are guessed, each of which takes 1 ms.
_MOST_COLUMNS = 2000
# Most columns of text in a table whose columns are guessed: each is tried as times in many formats,
# which takes 17 ms.
_MOST_TEXT_COLUMNS = 50
# Most characters of the name of a series, which each row of an answer repeats, and of a guessed
# column.
_LONGEST_NAME = 1000
# Most columns that a message names when one is missing.
_MOST_NAMES = 30
# Bytes of a body from which its marks are counted without Python's lock.
_LONG_BODY = 1 << 20
# How jiter begins its message about a name that an object has twice.
_TWICE = "Detected duplicate key "
# Characters of numbers. Python's own numerals have more: nan, inf, spaces, underscores, digits of
# other scripts.
_NUMERIC = frozenset("0123456789+-.eE")
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_FLAGS = {"true": True, "false": False, "True": True, "False": False}
# A time without a zone, as NumPy reads it too; and one that may have one. (pandas takes words such
# as `now` as well.)
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


def read_body(data: bytes, media_type: str, most_rows: int) -> dict[str, Any]:
    """Return the fields of a body by name, as JSON types.

    A body of CSV is the field `rows`, whose cells are text.

    Args:
        data: The bytes of the body.
        media_type: Its media type, as the client names it.
        most_rows: Most rows of a table.

    Raises:
        RequestError: The body is malformed, too large, or of a kind that the server does not read.
        DataError: A table in CSV has no columns, or rows of several lengths.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return _read_json(data, most_rows)
    if kind == CSV:
        return {"rows": _read_csv(data, most_rows)}
    raise RequestError(
        415, "Content-Type", f"{JSON} or {CSV}", shown(kind) if kind else "none", "Name its kind."
    )


def _read_json(data: bytes, most_rows: int) -> dict[str, Any]:
    _check_counts(data, most_rows)
    try:
        document = jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        reason = str(error)
        if reason.startswith(_TWICE):
            # The last value would count, and the client would not know.
            hint = "Write each name of an object once."
            name = shown(reason.removeprefix(_TWICE))
            raise RequestError(
                400, "body", "each name of an object once", f"{name} again", hint
            ) from None
        raise _malformed("JSON in UTF-8", reason) from None
    if not isinstance(document, dict):
        raise _malformed("an object", shown(document))
    return document


def _most_cells(most_rows: int) -> int:
    return _OTHER_VALUES + _MEAN_CELLS * most_rows


def _check_counts(data: bytes, most_rows: int) -> None:
    """Reject JSON with too many lists, objects, values or names before Python objects are made.

    Args:
        data: The bytes of the body.
        most_rows: Most rows of a table.
    """
    most_lists = 2 * (most_rows + _OTHER_VALUES)
    most_values = _most_cells(most_rows)
    # A body whose names, lists and values are few even if marks in text count is the usual one.
    few = min(len(data), most_lists, most_values, _MOST_COLUMNS)
    if _count_marks(data) <= few:
        return

    letters = np.frombuffer(data.replace(b"\\\\", b"").replace(b'\\"', b""), dtype=np.uint8)
    in_text = np.bitwise_xor.accumulate(letters == ord('"'))
    marks = letters[~in_text].tobytes()
    objects = marks.count(b"{")
    _check_size("lists and objects", marks.count(b"[") + objects, most_lists, where="body")
    _check_size("values", marks.count(b","), most_values, where="body")
    # Objects of a table have a name for each column. A million different names would take a second
    # to read.
    _check_size("names", marks.count(b":"), _MOST_COLUMNS * max(1, objects), where="body")


def _count_marks(data: bytes) -> int:
    """Return the number of brackets, braces, commas and colons, in text too.

    NumPy is slower for short bodies, but while it counts in a long one other threads run.
    """
    if len(data) < _LONG_BODY:
        return sum(map(data.count, (b"[", b"{", b",", b":")))
    letters = np.frombuffer(data, dtype=np.uint8)
    return sum(int(np.count_nonzero(letters == mark)) for mark in b"[{,:")


def _read_csv(data: bytes, most_rows: int) -> dict[str, Sequence[str]]:
    _check_size("values", data.count(b","), _most_cells(most_rows), where="body")
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    try:
        names = next(reader, [])
        rows = list(islice(filter(None, reader), most_rows + 1))
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "a byte that is none" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _malformed("CSV in UTF-8", f"{reason}, after line {reader.line_num}") from None
    _check_size("rows", len(rows), most_rows)
    if names and not has_header([names, *rows[:20]]):
        rows = [names, *rows]
        names = [str(place) for place in range(1, len(names) + 1)]
    if len(set(names)) < len(names) or not names:
        raise DataError(
            option="rows",
            expected="each column once",
            received=f"{shown(Counter(names).most_common(1)[0][0])} twice" if names else "none",
            hint="Name each column.",
        )
    for number, cells in enumerate(rows):
        if len(cells) != len(names):
            raise DataError(
                option="rows",
                row=number,
                expected=f"{len(names)} values, as the first line has names",
                received=str(len(cells)),
                hint="Commas stand between values; text with commas stands in double quotes.",
            )
    return (
        dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    )


@dataclass(frozen=True)
class Needed:
    """The columns of a table that are read.

    Args:
        unique_id: The column of ids.
        ds: The column of times.
        values: Columns that a table must have as well.
        optional: Columns that a table may have.
        only: Name of the only series, whose rows need no id.
        text_times: Whether times are text in a format of the model's own.
        whole_ids: Whether ids are whole numbers.
        labels: Columns of labels, which are text even where they look like numbers.
    """

    unique_id: str
    ds: str
    values: tuple[str, ...]
    optional: tuple[str, ...] = ()
    only: Any = None
    text_times: bool = False
    whole_ids: bool = False
    labels: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, sorted."""
        return tuple(sorted({self.unique_id, self.ds, *self.values, *self.optional}))

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that a table must have."""
        return (*(() if self.only is not None else (self.unique_id,)), self.ds, *self.values)

    def parsed(self, name: str, cells: Sequence[str]) -> Sequence[Any]:
        """Return a column of CSV as JSON types; empty cells are missing.

        Args:
            name: Name of the column.
            cells: Its text.
        """
        filled = [cell or None for cell in cells]
        if name == self.unique_id:
            return whole(filled) if self.whole_ids else filled
        if name == self.ds:
            return filled if self.text_times else whole(filled)
        return filled if name in self.labels else _numbers_or_flags(filled)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of the same length; tables of the same kinds can be joined.

    Args:
        columns: Values by name.
        kinds: Name and kind of each: `f` numbers, `i` whole numbers, `b` flags, `s` text, `t`
            times, `z` times with a zone, `o` a mixture.
        rows: Number of rows.
    """

    columns: Mapping[str, Array]
    kinds: tuple[tuple[str, str], ...]
    rows: int

    @classmethod
    def read(cls, value: Any, needed: Needed, option: str, most_rows: int) -> Self:
        """Read a table: a list of objects, one a row, or an object of lists, one a column.

        Args:
            value: The table, JSON types or columns of text.
            needed: The columns that are read.
            option: Name of the table's field in the request.
            most_rows: Most rows.

        Raises:
            RequestError: There are too many rows.
            DataError: It is no table, a column is missing or has other values, or a cell is no
                time.
        """
        columns, names = _columns_of(value, needed, option, most_rows)
        lacking = next((name for name in needed.required if name not in columns), None)
        if lacking is not None and len(names):
            raise DataError(
                option=option,
                expected=f"a column {lacking!r}",
                received=f"the columns {', '.join(map(shown, islice(names, _MOST_NAMES)))}",
                hint="GET /v1/models names the columns of each model.",
            )
        rows = len(columns.get(needed.ds, ()))
        if not rows:
            raise DataError(
                option=option, expected="at least one row", received="none", hint="Send some."
            )
        read = {needed.unique_id: [needed.only] * rows} | columns
        _check_names(read[needed.unique_id], option, needed.unique_id)
        typed = {name: _typed(cells, name, needed, option) for name, cells in read.items()}
        kinds = tuple((name, kind) for name, (kind, _) in typed.items())
        return cls({name: array for name, (_, array) in typed.items()}, kinds, rows)

    @staticmethod
    def joined(tables: Sequence[Table]) -> tuple[Any, Array]:
        """Return tables of the same kinds as one pandas frame, and each row's table number.

        Args:
            tables: The tables.
        """
        columns: dict[str, Any] = {}
        for name in tables[0].columns:
            arrays = [table.columns[name] for table in tables]
            columns[name] = (
                arrays[0].append(arrays[1:])
                if hasattr(arrays[0], "append")
                else np.concatenate(arrays)
            )
        return pd.DataFrame(columns), np.repeat(
            np.arange(len(tables)), [table.rows for table in tables]
        )


def guess_body(
    data: bytes, media_type: str, steps: Steps, most_rows: int
) -> tuple[dict[str, Any], str]:
    """Guess the columns of a body's table; return it with the usual names, and the guess in words.

    Args:
        data: The bytes of the body, which `read_body` reads.
        media_type: Its media type.
        steps: Times of a table without times.
        most_rows: Most rows of the table.

    Raises:
        RequestError: The table has too many columns or cells.
        DataError: As for `Table.read`; or several readings are about as likely.
    """
    return guessed(read_body(data, media_type, most_rows)["rows"], steps, most_rows)


def guessed(value: Any, steps: Steps, most_rows: int) -> tuple[dict[str, Any], str]:
    """Guess the columns of a table; return it with the usual names, and the guess in words.

    Args:
        value: As for `Table.read`.
        steps: Times of a table without times.
        most_rows: Most rows.

    Raises:
        RequestError: The table has too many columns or cells.
        DataError: As for `Table.read`; or several readings are about as likely.
    """
    needed = Needed("\0", "\0", _names_of_all(value, most_rows))
    columns, _ = _columns_of(value, needed, "rows", most_rows)
    frame = _frame_to_guess(columns, needed)
    try:
        guess = _guess(frame, steps)
        for name in joined_parts(frame.columns, guess.unique_id):
            # Ids of CSV are text, whatever they look like.
            if isinstance(value, dict) and isinstance(value[name], tuple):
                frame[name] = value[name]
        own = Columns(**guess.names)
        table = OpenTable.of_frame(frame, "rows").as_guessed(
            guess, own, steps, series=needed.only or "series"
        )
    except DataError as error:
        raise error.changed(option="rows", path=None) from error

    long = table.with_ids()
    _check_size("rows", len(long), most_rows)
    read = replace(table, guessed=guess.sentence(steps.start)).understood
    return _with_usual_names(long, own), read


def _names_of_all(value: Any, most_rows: int) -> tuple[str, ...]:
    """Return the names of all columns of a table, which has few enough."""
    rows = value if isinstance(value, list) else []
    names = dict.fromkeys(
        chain.from_iterable(row for row in rows if isinstance(row, dict)) if rows else value
    )
    _check_size("columns", len(names), _MOST_COLUMNS)
    _check_size("cells", len(names) * len(rows), _most_cells(most_rows))
    _check_names(names, "rows")
    return tuple(names)


def _frame_to_guess(columns: Mapping[str, Sequence[Any]], needed: Needed) -> pd.DataFrame:
    """Return the frame whose columns are guessed, and reject many columns of text."""
    typed = {name: _typed(cells, name, needed, "rows") for name, cells in columns.items()}
    texts = [name for name, (kind, _) in typed.items() if kind not in "fbi"]
    if len(texts) > _MOST_TEXT_COLUMNS:
        raise RequestError(
            413,
            "rows",
            f"at most {_MOST_TEXT_COLUMNS} columns of text",
            f"{len(texts)}",
            "Name the columns of a long table unique_id, ds and y, which takes no guess.",
        )

    series = {name: pd.Series(typed[name][1], dtype="str") for name in texts}
    return pd.DataFrame({name: series.get(name, array) for name, (_, array) in typed.items()})


def _guess(frame: pd.DataFrame, steps: Steps) -> ColumnGuess:
    """Return the guess of the columns of a frame, and reject one with a question."""
    guess = guess_columns(frame)
    question = guess.question(steps.start)
    if isinstance(question, AmbiguityError):
        raise question.changed(hint="Name one of them y, or send each as a series.")
    if question is not None:
        raise question.changed(hint="Name the column of times ds, or give start and freq.")
    return guess


def _with_usual_names(long: pd.DataFrame, own: Columns) -> dict[str, Any]:
    """Return the columns of a long frame as lists, by the usual names."""
    times = long[own.ds]
    values = long[own.value].astype(object)
    if times.dtype.kind == "M":
        times = times.map(lambda time: time.isoformat())
    return {
        "unique_id": long[own.unique_id].tolist(),
        "ds": times.tolist(),
        "y": values.where(values.notna(), None).tolist(),
    }


def _columns_of(
    value: Any, needed: Needed, option: str, most_rows: int
) -> tuple[dict[str, Sequence[Any]], Mapping[str, Any]]:
    """Return the columns of a table that are read, and the names of all."""
    if isinstance(value, list):
        return _columns_of_rows(value, needed, option, most_rows)
    if isinstance(value, dict):
        return _checked_columns(value, needed, option, most_rows), value
    raise DataError(
        option=option,
        expected="a list of objects, one a row",
        received=shown(value),
        hint='For example [{"unique_id": "a", "ds": "2024-01-01", "y": 1.0}].',
    )


def _columns_of_rows(
    rows: Sequence[Any], needed: Needed, option: str, most_rows: int
) -> tuple[dict[str, Sequence[Any]], Mapping[str, Any]]:
    """Return the columns of a list of objects that are read, and the names of all."""
    _check_size("rows", len(rows), most_rows)
    if not set(map(type, rows)) <= {dict}:
        number, other = next(
            (number, row) for number, row in enumerate(rows) if not isinstance(row, dict)
        )
        raise DataError(
            option=option,
            row=number,
            expected="an object",
            received=shown(other),
            hint="One object a row.",
        )

    names = dict.fromkeys(chain.from_iterable(rows))
    read = [name for name in needed.names if name in names]
    return {name: [row.get(name) for row in rows] for name in read}, names


def _checked_columns(
    value: Mapping[str, Any], needed: Needed, option: str, most_rows: int
) -> dict[str, Sequence[Any]]:
    """Return the columns of an object of lists that are read; cells of CSV are parsed."""
    columns = {name: value[name] for name in needed.names if name in value}
    lengths = {
        name: len(cells) if isinstance(cells, list | tuple) else None
        for name, cells in columns.items()
    }
    if len(set(lengths.values())) > 1 or None in lengths.values():
        raise DataError(
            option=option,
            expected="lists of one length",
            received=", ".join(
                f"{'no list' if rows is None else rows} in {name!r}"
                for name, rows in lengths.items()
            ),
            hint="null stands for a value that is missing.",
        )

    _check_size("rows", max(map(len, columns.values()), default=0), most_rows)
    if not any(isinstance(cells, tuple) for cells in columns.values()):
        return columns
    return {name: needed.parsed(name, cells) for name, cells in columns.items()}


def _typed(cells: Sequence[Any], name: str, needed: Needed, option: str) -> tuple[str, Any]:
    """Return the kind of a column and its array.

    The wrong cell of a mixture is named later, by the model's checks.
    """
    kinds = set(map(type, cells))
    if kinds & {list, dict}:
        row = next(row for row, cell in enumerate(cells) if isinstance(cell, list | dict))
        raise _wrong_cell(name, option, row, "a number, text, true, false or null", cells)
    if kinds == {str}:
        is_time = name == needed.ds and not needed.text_times
        return _times(cells, name, option) if is_time else ("s", _objects(cells))
    if kinds == {bool}:
        return "b", np.array(cells, dtype=bool)
    is_key = name in (needed.unique_id, needed.ds)
    try:
        if is_key and kinds == {int}:
            return "i", np.array(cells, dtype=np.int64)
        if not is_key and kinds <= {int, float, type(None)}:
            return "f", np.array(cells, dtype=np.float64)
    except OverflowError:
        raise DataError(
            column=name, expected="numbers of 64 bits", received="larger ones", hint="Correct it."
        ) from None
    return "o", _objects(cells)


def _times(cells: Sequence[str], name: str, option: str) -> tuple[str, Any]:
    """Return times; where their offsets differ, as those of summer and winter do, in UTC."""
    if all(map(_PLAIN_TIME.fullmatch, cells)):
        with contextlib.suppress(ValueError):  # the message below names the row
            return "t", pd.DatetimeIndex(np.array(cells, dtype="datetime64[us]"))
    matches = [_TIME.fullmatch(cell) for cell in cells]
    known = _objects([match and match[0] for match in matches])
    index = pd.DatetimeIndex(pd.to_datetime(known, format="ISO8601", utc=True, errors="coerce"))
    zones = [match and match["zone"] for match in matches]
    wrong = np.asarray(index.isna()) | [(zone is None) != (zones[0] is None) for zone in zones]
    if wrong.any():
        expected = "a time as ISO 8601 writes it, all or none with a zone"
        raise _wrong_cell(name, option, int(wrong.argmax()), expected, cells)
    if zones[0] is None:
        index = index.tz_localize(None)
    elif len(set(zones)) == 1:
        index = index.tz_convert(pd.Timestamp(cells[0]).tz)
    return ("t" if index.tz is None else f"z{index.tz}"), index.as_unit("us")


def _numbers_or_flags(cells: Sequence[str | None]) -> Sequence[Any]:
    """Return cells of text as numbers or flags if all are such."""
    filled = [cell for cell in cells if cell is not None]
    if _NUMERIC.issuperset("".join(filled)):
        with contextlib.suppress(ValueError):  # such as a date
            return [None if cell is None else float(cell) for cell in cells]
    return [cell and _FLAGS[cell] for cell in cells] if _FLAGS.keys() >= set(filled) else cells


def whole(cells: Sequence[Any]) -> Sequence[Any]:
    """Return cells as whole numbers if all are written as such.

    Args:
        cells: Text, `None` or whole numbers.

    Example:
        >>> whole(["1", "-2"]), whole(["1", "a"])
        ([1, -2], ['1', 'a'])
    """
    is_whole = all(isinstance(cell, str) and _WHOLE.fullmatch(cell) for cell in cells)
    return [int(cell) for cell in cells] if is_whole else cells


def _objects(cells: Sequence[Any]) -> Array:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _wrong_cell(name: str, option: str, row: int, expected: str, cells: Sequence[Any]) -> DataError:
    field = None if option == "rows" else option
    return DataError(
        option=field,
        column=name,
        row=row,
        expected=expected,
        received=shown(cells[row]),
        hint="Correct it.",
    )


def _check_names(names: Iterable[Any], option: str, column: str | None = None) -> None:
    """Reject names that are too long: those of series, or of columns."""
    for place, name in enumerate(names):
        if isinstance(name, str) and len(name) > _LONGEST_NAME:
            raise DataError(
                option=option,
                column=column,
                row=None if column is None else place,
                expected=f"names of at most {_LONGEST_NAME:,} characters",
                received=f"one of {len(name):,}",
                hint="Shorten it.",
            )


def _check_size(noun: str, count: int, most: int, *, where: str = "rows") -> None:
    if count > most:
        raise RequestError(
            413, where, f"at most {most:,} {noun}", f"{count:,}", "Send several requests."
        )


def _malformed(expected: str, received: str) -> RequestError:
    hint = "Check how the body is written; null stands for a missing value."
    return RequestError(400, "body", expected, received, hint)
