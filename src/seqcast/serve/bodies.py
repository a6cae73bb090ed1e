"""Bodies of requests: JSON and CSV become columns, within limits; what is malformed is named."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqcast.errors import DataError
from seqcast.serve.problems import RequestError

__all__ = ["CSV", "JSON", "Body", "read_body", "whole"]

JSON, CSV = "application/json", "text/csv"

Columns = dict[str, Sequence[Any]]

# A table has a few columns, and a name is a line at most.
_MOST_COLUMNS, _MOST_NAME = 1000, 1000
_NUMERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_FLAGS = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True)
class Body:
    """What a body says.

    Args:
        options: Its options, by name; those of CSV come with the address.
        tables: Columns of its tables, by the field that they are.
        is_text: Whether whole numbers may be written as text.
    """

    options: Mapping[str, Any]
    tables: Mapping[str, Columns]
    is_text: bool = False


def read_body(data: bytes, media_type: str, *, texts: Container[str], most_rows: int) -> Body:
    """Read a body.

    Args:
        data: Its bytes.
        media_type: What it says it is.
        texts: Columns of CSV that are text whatever stands in them.
        most_rows: Most rows of a table.

    Returns:
        What it says.

    Raises:
        RequestError: It is malformed, too large, or of a kind that is not read.
        DataError: A table has no columns.
    """
    kind, _, parameters = media_type.partition(";")
    kind = kind.strip().lower()
    charset = re.search(r"charset\s*=\s*\"?([\w-]+)", parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise RequestError(415, "charset", expected="utf-8", received=charset[1][:40], hint="Encode the body anew.")
    if kind == JSON:
        return _read_json(data, most_rows)
    if kind == CSV:
        return Body({}, {"rows": _read_csv(data, texts, most_rows)}, is_text=True)
    raise RequestError(
        415,
        "Content-Type",
        expected=f"{JSON} or {CSV}",
        received=repr(kind[:80]) if kind else "none",
        hint="Say what the body is.",
    )


# ---------------------------------------------------------------- JSON


def _read_json(data: bytes, most_rows: int) -> Body:
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _malformed("JSON in UTF-8", f"a byte that is none, at {error.start}") from None
    except json.JSONDecodeError as error:
        raise _malformed("JSON", f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _malformed("JSON", "lists within lists within lists") from None
    except ValueError as error:  # a number of thousands of digits, NaN
        raise _malformed("JSON", str(error)[:80]) from None
    if not isinstance(document, dict):
        raise _malformed("an object", f"{_json_kind(document)}")
    tables = {}
    for name in ("rows", "future"):
        if document.get(name) is not None:
            tables[name] = _json_columns(document[name], name, most_rows)
        document.pop(name, None)
    return Body(document, tables)


def _json_columns(value: Any, name: str, most_rows: int) -> Columns:
    """Return a table that is a list of objects, a row each, or an object of lists, a column each."""
    if isinstance(value, dict):
        for column, cells in value.items():
            if not isinstance(cells, list):
                raise DataError(
                    option=name,
                    column=column[:80],
                    expected="a list, one value a row",
                    received=_json_kind(cells),
                    hint="Send rows as objects, or columns as lists.",
                )
        lengths = {column: len(cells) for column, cells in value.items()}
        if len(set(lengths.values())) > 1:
            least, most = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
            raise DataError(
                option=name,
                expected="columns of one length",
                received=f"{lengths[most]} rows in {most[:80]!r}, {lengths[least]} in {least[:80]!r}",
                hint="null stands for a value that is missing.",
            )
        _check_size(len(value), max(lengths.values(), default=0), most_rows)
        return value
    if not isinstance(value, list):
        raise DataError(
            option=name,
            expected="a list of objects, one a row",
            received=_json_kind(value),
            hint='For example [{"unique_id": "a", "ds": "2024-01-01", "y": 1.0}].',
        )
    _check_size(0, len(value), most_rows)
    names: dict[str, None] = {}
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise DataError(
                option=name, row=number, expected="an object", received=_json_kind(row), hint="One object a row."
            )
        if not row.keys() <= names.keys():
            names.update(dict.fromkeys(row))
            _check_size(len(names), 0, most_rows)
    if len(names) * len(value) > 20 * max(len(value), most_rows):
        raise _too_large("cells", len(names) * len(value), 20 * most_rows)
    return {column: [row.get(column) for row in value] for column in names}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name}, which JSON has not: null is what is missing")


def _json_kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


# ---------------------------------------------------------------- CSV


def _read_csv(data: bytes, texts: Container[str], most_rows: int) -> Columns:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed("CSV in UTF-8", f"a byte that is none, at {error.start}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, [])
        _check_names(names)
        rows: list[list[str]] = []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise DataError(
                    option="rows",
                    row=len(rows),
                    expected=f"{len(names)} values, as the first line has names",
                    received=str(len(cells)),
                    hint="Commas part values; text with commas stands in double quotes.",
                )
            rows.append(cells)
            _check_size(0, len(rows), most_rows)
    except csv.Error as error:
        raise _malformed("CSV", f"{error} at line {reader.line_num}") from None
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: _typed(cells, name in texts) for name, cells in zip(names, columns, strict=True)}


def _typed(cells: Sequence[str], is_text: bool) -> Sequence[Any]:
    """Return cells as numbers or flags if all are such; an empty cell is missing."""
    if is_text:
        return [cell or None for cell in cells]
    filled = [cell for cell in cells if cell]
    if all(map(_NUMERAL.fullmatch, filled)):
        return [float(cell) if cell else None for cell in cells]
    if all(cell in _FLAGS for cell in filled):
        return [_FLAGS.get(cell) for cell in cells]
    return [cell or None for cell in cells]


def whole(cells: Sequence[Any]) -> Sequence[Any]:
    """Return cells as whole numbers if all are written as such.

    Example:
        >>> whole(["1", "-2"]), whole(["1", "a"])
        ([1, -2], ['1', 'a'])
    """
    if all(isinstance(cell, str) and _WHOLE.fullmatch(cell) for cell in cells):
        return [int(cell) for cell in cells]
    return cells


# ---------------------------------------------------------------- refusals


def _check_names(names: Sequence[str]) -> None:
    twice = {name for name in names if names.count(name) > 1} if len(names) <= _MOST_COLUMNS else set()
    if twice or not names:
        received = f"{min(twice)[:80]!r} twice" if twice else "none"
        raise DataError(option="rows", expected="each column once", received=received, hint="Name each column.")
    _check_size(len(names), 0, 0)


def _check_size(columns: int, rows: int, most_rows: int) -> None:
    if columns > _MOST_COLUMNS:
        raise _too_large("columns", columns, _MOST_COLUMNS)
    if rows > most_rows > 0:
        raise _too_large("rows", rows, most_rows)


def _too_large(what: str, count: int, most: int) -> RequestError:
    return RequestError(
        413, "rows", expected=f"at most {most:,} {what}", received=f"{count:,}", hint="Send several requests."
    )


def _malformed(expected: str, received: str) -> RequestError:
    return RequestError(400, "body", expected=expected, received=received, hint="Check how the body is written.")
