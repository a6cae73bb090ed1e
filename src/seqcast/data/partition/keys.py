"""Ids and times of a large table are looked at before anything is written, and text becomes numbers and times.

One pass of DuckDB over the table answers all questions, and takes no memory.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seqcast.data.partition.sources import Source, identifier, literal, table_error
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.specs import Columns

# DuckDB's types of times, and of ids.
_TIMES = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DATE|TIMESTAMP[A-Z_ ]*|VARCHAR")
_IDS = re.compile(rf"{_TIMES.pattern}|UUID|BLOB|BOOLEAN|TIME|FLOAT|DOUBLE|DECIMAL\([0-9, ]+\)")

# How text is written that becomes a type.
_WHOLE = " *[+-]?[0-9]+ *"
_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]*)?"
_WRITTEN = {"BIGINT": _WHOLE, "TIMESTAMP": _ISO, "TIMESTAMPTZ": f"{_ISO} ?(Z|UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)"}
_COMMA = " *[+-]?[0-9.]*,[0-9]+ *"
# What stands for no value among the numbers of a text file, as pandas reads it.
_NO_VALUE = ("NA", "N/A", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "n/a")


def read_columns(connection: Any, source: Source, columns: Columns) -> tuple[int, dict[str, str]]:
    """Return the number of rows, and the SQL of each column: times that are text become times, and so do numbers.

    Args:
        connection: A connection of DuckDB.
        source: The table; its numbers become numbers where it is text.
        columns: The columns of ids and times, and how times are written.

    Raises:
        DataError: There is no row; an id or a time is missing, or is of a type that is none; times are no times, or
            numbers have a decimal comma.
        SpecError: The format of the times does not exist.
    """
    described = connection.execute(f"DESCRIBE SELECT * FROM {source.sql()}").fetchall()
    types = {name: str(kind) for name, kind, *_ in described}
    typed = {name: identifier(name) for name in source.names}
    if types[columns.unique_id] == "UUID":  # Arrow has no such type
        typed[columns.unique_id] = f"CAST({typed[columns.unique_id]} AS VARCHAR)"
    missing = {name: _missing(name, types[name]) for name in (columns.unique_id, columns.ds)}
    texts = {name: _numbers(name) for name in source.names if source.kind == "CSV" and name not in missing}
    if types[columns.ds] == "VARCHAR":
        texts[columns.ds] = _times(connection, columns)
    asked = ["count(*)", *missing.values()]
    for text, readings in texts.values():
        for reading in readings.values():
            asked += [f"count({reading})", f"min({text}) FILTER ({reading} IS NULL)"]
    # Not `fetchone`, after which DuckDB 2 waits for the next row.
    ((rows, *answers),) = connection.execute(f"SELECT {', '.join(asked)} FROM {source.sql()}").fetchall()
    for name, count in zip(missing, answers, strict=False):
        if count:
            raise _no_key(connection, source, columns, name, missing[name])
    _check_types(source, columns, types)
    if not rows:
        raise table_error(source.where, "at least one row", "none")
    rest = iter(answers[len(missing) :])
    for name, (text, readings) in texts.items():
        found = [(sql, next(rest), next(rest)) for sql in readings]
        is_ds = name == columns.ds
        typed[name] = _as_time(source, columns, rows, found) if is_ds else _as_number(source, name, text, found)
    return int(rows), typed


def _check_types(source: Source, columns: Columns, types: dict[str, str]) -> None:
    for name, fits, expected in (
        (columns.unique_id, _IDS.fullmatch, "text, numbers or times, by which rows are sorted"),
        (columns.ds, _TIMES.fullmatch, "times or whole numbers"),
    ):
        if not fits(types[name]):
            raise table_error(source.where, expected, types[name].lower()[:80], "Convert the column.", column=name)


def _missing(name: str, kind: str) -> str:
    """Return the SQL that counts the rows without a value."""
    column = identifier(name)
    return f"count(*) FILTER ({column} IS NULL{f' OR isnan({column})' if kind in ('FLOAT', 'DOUBLE') else ''})"


def _no_key(connection: Any, source: Source, columns: Columns, name: str, missing: str) -> DataError:
    """Return the error that names the first file with rows without an id, or a time."""
    place = "".join((*source.names, "file"))  # longer than the name of any column, so that it is none of them
    query = f"SELECT {identifier(place)}, {missing} FROM {source.sql(place)} GROUP BY ALL"
    by_file = {Path(file): count for file, count in connection.execute(query).fetchall()}
    file, *others = (file for file in source.files if by_file.get(file))
    received = f"{by_file[file]:,} row{'s' * (by_file[file] > 1)} without one"
    if others:
        more = sum(by_file[other] for other in others)
        received += f", and {more:,} in {len(others):,} other file{'s' * (len(others) > 1)}"
    expected = f"{'a name of a series' if name == columns.unique_id else 'a time'} in every row"
    return table_error(file, expected, received, "Fill them in, or leave the rows out.", column=name)


# ---------------------------------------------------------------- text


def _reading(text: str, kind: str) -> str:
    """Return the SQL of text as a type, which is missing where the text is written otherwise."""
    cast = f"TRY_CAST({text} AS {kind})"
    written = _WRITTEN.get(kind)
    return f"CASE WHEN regexp_full_match({text}, {literal(written)}) THEN {cast} END" if written else cast


def _times(connection: Any, columns: Columns) -> tuple[str, dict[str, str]]:
    """Return the SQL of a text of times, and of what it may become, with a check of it."""
    text = f"trim({identifier(columns.ds)})"
    if columns.ds_format is None or "%" not in columns.ds_format:
        return text, {f"CAST({text} AS {kind})": _reading(text, kind) for kind in _WRITTEN}
    time = f"try_strptime({text}, {literal(columns.ds_format)})"
    try:
        connection.execute(f"SELECT try_strptime('', {literal(columns.ds_format)})")
    except Exception as error:
        received, hint = repr(columns.ds_format), "Codes such as %Y and %m are those of strptime."
        raise SpecError("columns.ds_format", expected="a format", received=received, hint=hint) from error
    return text, {time: time}


def _as_time(source: Source, columns: Columns, rows: int, found: list[tuple[str, int, str]]) -> str:
    """Return the SQL of what all text of times is."""
    sql, count, example = max(found, key=lambda reading: reading[1])
    if count == rows:
        return sql
    given = f"times written as {columns.ds_format}"
    raise table_error(
        source.where,
        given if len(found) == 1 else "times such as 2024-01-31 12:00, or whole numbers",
        f"{example!r:.80}{f' and {rows - count - 1:,} more' if rows - count > 1 else ''}",
        Phrase("Name how all are written with ", Option("columns.ds_format", "%d.%m.%Y"), ", or convert the column."),
        column=columns.ds,
    )


def _numbers(name: str) -> tuple[str, dict[str, str]]:
    """Return the SQL of a column of text without its marks for no value, and of what it may become, with a check."""
    column = identifier(name)
    text = f"CASE WHEN {column} NOT IN ({', '.join(map(literal, _NO_VALUE))}) THEN {column} END"
    readings = {f"CAST({text} AS {kind})": _reading(text, kind) for kind in ("BIGINT", "DOUBLE")}
    comma = f"CASE WHEN regexp_full_match({text}, {literal(_COMMA)}) THEN 0 ELSE {_reading(text, 'DOUBLE')} END"
    return text, {**readings, "": comma, column: text}


def _as_number(source: Source, name: str, text: str, found: list[tuple[str, int, str]]) -> str:
    """Return the SQL of the first type that all text of a column is: numbers, or else text."""
    sql, count, _ = max(found, key=lambda reading: reading[1])
    if not sql:
        example, hint = found[1][2], "Write a point, or save the table as Parquet."
        raise table_error(source.where, "numbers with a decimal point", f"{example!r:.80}", hint, column=name)
    return sql if count else f"CAST({text} AS DOUBLE)"
