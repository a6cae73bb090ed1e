"""Bodies of requests: JSON and CSV become options and columns, within limits; what is malformed is named.

Each step takes time and memory in proportion to the body's length, and what is read is bounded by the number of rows: a
body of megabytes is counted before it becomes Python objects, which take ten times as much.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from seqcast.errors import DataError
from seqcast.serve.problems import RequestError, json_kind

JSON, CSV = "application/json", "text/csv"

Columns = Mapping[str, Sequence[Any]]

# A table has a few columns: a row has about twenty cells, in the mean of a body.
_MOST_COLUMNS, _MEAN_CELLS = 1000, 20
_NUMERIC = frozenset("0123456789+-.eE")
_FLAGS = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True)
class Body:
    """What a body says.

    Args:
        fields: Its options and tables, by name; the options of CSV come with the address.
        most_rows: Most rows of a table.
        is_text: Whether all cells of its tables are text.
    """

    fields: Mapping[str, Any]
    most_rows: int
    is_text: bool = False

    def columns(self, name: str) -> Columns | None:
        """Return the columns of a table; `None` where there is none.

        Args:
            name: The field that it is.

        Raises:
            RequestError: It is too large.
            DataError: It is no table.
        """
        value = self.fields.get(name)
        return value if value is None or self.is_text else _columns(value, name, self.most_rows)


def read_body(data: bytes, media_type: str, *, most_rows: int) -> Body:
    """Read a body.

    Args:
        data: Its bytes.
        media_type: What it says it is.
        most_rows: Most rows of a table.

    Returns:
        What it says.

    Raises:
        RequestError: It is malformed, too large, or of a kind that is not read.
        DataError: A table has no columns.
    """
    kind, *parameters = (part.strip().lower() for part in media_type.split(";"))
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        charset = value.strip(' "')
        if name.strip() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(415, "charset", expected="utf-8", received=charset[:40], hint="Encode the body anew.")
    if kind == JSON:
        return Body(_read_json(data, most_rows), most_rows)
    if kind == CSV:
        return Body({"rows": _read_csv(data, most_rows)}, most_rows, is_text=True)
    raise RequestError(
        415,
        "Content-Type",
        expected=f"{JSON} or {CSV}",
        received=repr(kind[:80]) if kind else "none",
        hint="Say what the body is.",
    )


# ---------------------------------------------------------------- JSON


def _read_json(data: bytes, most_rows: int) -> dict[str, Any]:
    _check_count(data, b"[{", 2 * (most_rows + _MOST_COLUMNS), "lists and objects")
    _check_count(data, b",", _most_cells(most_rows), "values")
    try:
        text = data.decode("utf-8")
        document = json.loads(text, parse_constant=_no_constant)
        # A name and its colon make two letters where there is no white space; text may hold these too.
        if _count_names(document) != data.translate(None, b" \t\r\n").count(b'":'):
            json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _malformed("JSON in UTF-8", f"a byte that is none, at {error.start}") from None
    except json.JSONDecodeError as error:
        raise _malformed("JSON", f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _malformed("JSON", "lists within lists within lists") from None
    except ValueError:
        raise _malformed("JSON", "a whole number of thousands of digits") from None
    if not isinstance(document, dict):
        raise _malformed("an object", json_kind(document))
    return document


def _check_count(data: bytes, marks: bytes, most: int, what: str) -> None:
    """Refuse JSON in which some marks stand too often; those in text do not count."""
    if len(data) <= most or sum(map(data.count, marks)) <= most:
        return
    letters = np.frombuffer(data.replace(b"\\\\", b"").replace(b'\\"', b""), dtype=np.uint8)
    in_text = np.bitwise_xor.accumulate(letters == ord('"'))
    count = sum(map(letters[~in_text].tobytes().count, marks))
    if count > most:
        raise _too_large(what, count, most, "body")


def _count_names(document: Any) -> int:
    """Return how many names there are in a body and its tables, without what stands deeper."""
    count = len(document) if type(document) is dict else 0
    for table in map(document.get, ("rows", "future")) if count else ():
        if type(table) is dict:
            count += len(table)
        elif type(table) is list and set(map(type, table)) == {dict}:
            count += sum(map(len, table))
    return count


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _malformed("each name once in an object", f"{twice[:80]!r} twice")
    return document


def _no_constant(name: str) -> None:
    raise _malformed("JSON", f"{name}, which JSON has not: null is what is missing")


class _Rows(Mapping[str, Sequence[Any]]):
    """Columns of rows that are objects; each is gathered when it is read, as few are of the many that rows may name."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows, self._names = rows, dict.fromkeys(chain.from_iterable(rows))

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name not in self._names:
            raise KeyError(name)
        return [row.get(name) for row in self._rows]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _columns(value: Any, name: str, most_rows: int) -> Columns:
    """Return the columns of a table that is a list of objects, a row each, or an object of lists, a column each."""
    if isinstance(value, dict):
        return _checked_columns(value, name, most_rows)
    if not isinstance(value, list):
        raise DataError(
            option=name,
            expected="a list of objects, one a row",
            received=json_kind(value),
            hint='For example [{"unique_id": "a", "ds": "2024-01-01", "y": 1.0}].',
        )
    _check_size(0, len(value), most_rows)
    if not set(map(type, value)) <= {dict}:
        number, kind = next((place, json_kind(row)) for place, row in enumerate(value) if type(row) is not dict)
        raise DataError(option=name, row=number, expected="an object", received=kind, hint="One object a row.")
    return _Rows(value)


def _checked_columns(columns: dict[str, Any], name: str, most_rows: int) -> Columns:
    _check_size(len(columns), 0, most_rows)
    for column, cells in columns.items():
        if not isinstance(cells, list):
            raise DataError(
                option=name,
                column=column[:80],
                expected="a list, one value a row",
                received=json_kind(cells),
                hint="Send rows as objects, or columns as lists.",
            )
    lengths = {column: len(cells) for column, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        least, most = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(
            option=name,
            expected="columns of one length",
            received=f"{lengths[most]} rows in {most[:80]!r}, {lengths[least]} in {least[:80]!r}",
            hint="null stands for a value that is missing.",
        )
    _check_size(0, max(lengths.values(), default=0), most_rows)
    return columns


# ---------------------------------------------------------------- CSV


def _read_csv(data: bytes, most_rows: int) -> Columns:
    values = data.count(b",")
    if values > _most_cells(most_rows):
        raise _too_large("values", values, _most_cells(most_rows), "body")
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    flat: list[str] = []  # row after row: a list for each would keep the garbage collector busy
    try:
        names = next(reader, [])
        _check_names(names)
        width = len(names)
        for cells in filter(None, reader):
            if len(cells) != width:
                raise DataError(
                    option="rows",
                    row=len(flat) // width,
                    expected=f"{width} values, as the first line has names",
                    received=str(len(cells)),
                    hint="Commas part values; text with commas stands in double quotes.",
                )
            flat += cells
            if len(flat) > most_rows * width:
                _check_size(0, len(flat) // width, most_rows)
    except UnicodeDecodeError:
        raise _malformed("CSV in UTF-8", f"a byte that is none, after line {reader.line_num}") from None
    except csv.Error as error:
        raise _malformed("CSV", f"{error} at line {reader.line_num}") from None
    return {name: flat[place::width] for place, name in enumerate(names)}


def _check_names(names: Sequence[str]) -> None:
    _check_size(len(names), 0, 0)
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice or not names:
        received = f"{min(twice)[:80]!r} twice" if twice else "none"
        raise DataError(option="rows", expected="each column once", received=received, hint="Name each column.")


def typed(cells: Sequence[str | None]) -> Sequence[Any]:
    """Return cells of text as numbers or flags if all are such; `None` is missing.

    Example:
        >>> typed(["1", None, "2.5e3"]), typed(["true", None]), typed(["1", "nan"])
        ([1.0, None, 2500.0], [True, None], ['1', 'nan'])
    """
    filled = [cell for cell in cells if cell is not None]
    # Python's own numerals hold more: nan, inf, spaces, underscores and the digits of other scripts.
    if _NUMERIC.issuperset("".join(filled)):
        try:
            return [None if cell is None else float(cell) for cell in cells]
        except ValueError:  # such as a date
            return cells
    return [cell and _FLAGS[cell] for cell in cells] if all(cell in _FLAGS for cell in filled) else cells


def whole(cells: Sequence[Any]) -> Sequence[Any]:
    """Return cells as whole numbers if all are written as such.

    Example:
        >>> whole(["1", "-2"]), whole(["1", "a"])
        ([1, -2], ['1', 'a'])
    """
    return [int(cell) for cell in cells] if all(map(_is_whole, cells)) else cells


def _is_whole(cell: Any) -> bool:
    return isinstance(cell, str) and len(cell) <= 20 and cell.isascii() and cell.removeprefix("-").isdigit()


# ---------------------------------------------------------------- refusals


def _most_cells(most_rows: int) -> int:
    return _MOST_COLUMNS + _MEAN_CELLS * most_rows


def _check_size(columns: int, rows: int, most_rows: int) -> None:
    if columns > _MOST_COLUMNS:
        raise _too_large("columns", columns, _MOST_COLUMNS)
    if rows > most_rows > 0:
        raise _too_large("rows", rows, most_rows)


def _too_large(what: str, count: int, most: int, where: str = "rows") -> RequestError:
    return RequestError(
        413, where, expected=f"at most {most:,} {what}", received=f"{count:,}", hint="Send several requests."
    )


def _malformed(expected: str, received: str) -> RequestError:
    return RequestError(400, "body", expected=expected, received=received, hint="Check how the body is written.")
