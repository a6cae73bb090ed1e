"""Ids and times of a large table are looked at before anything is written, and text becomes numbers and times.

Each question is one pass of DuckDB over the table, which takes no memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcast.data.partition.sources import Source, identifier, literal
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.specs.columns import Columns

__all__ = ["count_rows", "typed_columns"]

# Types of ids, and of times beside text.
_IDS = (
    *("VARCHAR", "UUID", "BLOB", "BOOLEAN", "DATE", "TIME", "FLOAT", "DOUBLE", "DECIMAL", "TIMESTAMP", "HUGEINT"),
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
)
_TIMES = tuple(name for name in _IDS if name.endswith("INT") or name in ("INTEGER", "UINTEGER", "DATE", "TIMESTAMP"))

# What stands for no value among the numbers of a text file, as pandas reads it.
_NO_VALUE = ("NA", "N/A", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "n/a")

_WHOLE = "'[+-]?[0-9]+'"
_OFFSET = "'.*[0-9] ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)'"
_ISO = "'[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?'"
_COMMA = "'[+-]?[0-9.]*,[0-9]+'"


def count_rows(connection: Any, source: Source, columns: Columns) -> int:
    """Return the number of rows of a table, in which no id and no time is missing.

    Args:
        connection: A connection of DuckDB.
        source: The table.
        columns: The columns of ids and times.

    Raises:
        DataError: There is no row, an id or a time is missing somewhere, or they are of a type that is none.
    """
    kinds = _types(connection, source)
    missing = {name: _missing(name, kinds[name]) for name in (columns.unique_id, columns.ds)}
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in missing.values())

    def counted(files: list[Path] | None) -> tuple[int, ...]:
        query = f"SELECT count(*), {counts} FROM {source.sql(files)}"
        return _answer(connection, query)

    rows, *absent = counted(None)
    for place, (name, count) in enumerate(zip(missing, absent, strict=True)):
        if count:
            by_file = {file: counted([file])[1 + place] for file in source.files}
            file, first = next((file, some) for file, some in by_file.items() if some)
            others = sum(1 for some in by_file.values() if some) - 1
            more = f", and {count - first:,} in {others:,} other file{'s' * (others > 1)}" if others else ""
            raise DataError(
                f"{file}, column {name!r}",
                path=str(file),
                expected=f"{'a name of a series' if name == columns.unique_id else 'a time'} in every row",
                received=f"{first:,} row{'s' * (first > 1)} without one{more}",
                hint="Fill them in, or leave the rows out.",
            )
    for name in (columns.unique_id, columns.ds):
        expected = _IDS if name == columns.unique_id else (*_TIMES, "VARCHAR")
        if _plain(kinds[name]) not in expected:
            ids = name == columns.unique_id
            raise _about(
                source,
                name,
                expected="text, numbers or times, by which rows are sorted" if ids else "times or whole numbers",
                received=kinds[name].lower()[:80],
                hint="Convert the column.",
            )
    if not rows:
        raise DataError(path=source.where, expected="at least one row", received="none", hint="Check the file.")
    return int(rows)


def typed_columns(connection: Any, source: Source, columns: Columns) -> dict[str, str]:
    """Return the SQL of each column: times that are text become times, and in text files numbers become numbers.

    Args:
        connection: A connection of DuckDB.
        source: The table.
        columns: The columns of ids and times, and how times are written.

    Raises:
        DataError: Times are no times, or numbers have a decimal comma.
        SpecError: The format of the times does not exist.
    """
    kinds = _types(connection, source)
    typed = {name: identifier(name) for name in source.names}
    if kinds[columns.unique_id] == "UUID":  # Arrow has no such type
        typed[columns.unique_id] = f"CAST({identifier(columns.unique_id)} AS VARCHAR)"
    if kinds[columns.ds] == "VARCHAR":
        typed[columns.ds] = _times(connection, source, columns)
    if source.kind == "text":
        others = [name for name in source.names if name not in (columns.unique_id, columns.ds)]
        typed |= _numbers(connection, source, others)
    return typed


def _types(connection: Any, source: Source) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE SELECT * FROM {source.sql()}").fetchall()
    return {name: str(kind) for name, kind, *_ in described}


def _answer(connection: Any, query: str) -> tuple[Any, ...]:
    """Return the one row of a query; not `fetchone`, after which DuckDB 2 waits for the next."""
    return tuple(connection.execute(query).fetchall()[0])


def _plain(kind: str) -> str:
    """Return a type without its digits and its precision: all stamps are the same."""
    return "TIMESTAMP" if kind.startswith("TIMESTAMP") else kind.partition("(")[0]


def _missing(name: str, kind: str) -> str:
    column = identifier(name)
    return f"{column} IS NULL" + (f" OR isnan({column})" if kind in ("FLOAT", "DOUBLE") else "")


def _about(source: Source, name: str, *, expected: str, received: str, hint: str) -> DataError:
    return DataError(
        f"{source.where}, column {name!r}", path=source.where, expected=expected, received=received, hint=hint
    )


# ---------------------------------------------------------------- text


def _times(connection: Any, source: Source, columns: Columns) -> str:
    """Return the SQL by which a column of text becomes one of times or whole numbers."""
    column = f"trim({identifier(columns.ds)})"
    if columns.ds_format is not None and "%" in columns.ds_format:
        time = f"try_strptime({column}, {literal(columns.ds_format)})"
        try:
            _answer(connection, f"SELECT try_strptime('', {literal(columns.ds_format)})")
        except Exception as error:
            received, hint = repr(columns.ds_format), "Codes such as %Y and %m are those of strptime."
            raise SpecError("columns.ds_format", expected="a format", received=received, hint=hint) from error
        ways = {time: f"{time} IS NOT NULL"}
    else:
        whole = f"regexp_full_match({column}, {_WHOLE}) AND TRY_CAST({column} AS BIGINT) IS NOT NULL"
        iso = f"regexp_full_match({column}, {_ISO})"
        zone = f"regexp_full_match({column}, {_OFFSET}) AND length({column}) > 10"
        ways = {
            f"CAST({column} AS BIGINT)": whole,
            f"CAST({column} AS TIMESTAMP)": f"{iso} AND NOT ({zone}) AND TRY_CAST({column} AS TIMESTAMP) IS NOT NULL",
            f"CAST({column} AS TIMESTAMPTZ)": f"{iso} AND {zone} AND TRY_CAST({column} AS TIMESTAMPTZ) IS NOT NULL",
        }
    asked = ", ".join(f"count(*) FILTER (NOT ({way})), min({column}) FILTER (NOT ({way}))" for way in ways.values())
    answers = _answer(connection, f"SELECT {asked} FROM {source.sql()}")
    wrong = dict(zip(ways, zip(answers[::2], answers[1::2], strict=True), strict=True))
    found = next((time for time, (count, _) in wrong.items() if not count), None)
    if found is not None:
        return found
    count, example = min(wrong.values())
    more = f" and {count - 1:,} more" if count > 1 else ""
    given = columns.ds_format if len(ways) == 1 else None
    raise _about(
        source,
        columns.ds,
        expected=f"times written as {given}" if given else "times such as 2024-01-31 12:00, or whole numbers",
        received=f"{example!r:.80}{more}",
        hint=Phrase(
            "Name how all are written with ", Option("columns.ds_format", "%d.%m.%Y"), ", or convert the column."
        ),
    )


def _numbers(connection: Any, source: Source, names: list[str]) -> dict[str, str]:
    """Return the SQL of columns of text, in which those that hold nothing but numbers become numbers."""
    if not names:
        return {}
    listed = ", ".join(map(literal, _NO_VALUE))
    cleaned = {name: f"CASE WHEN {identifier(name)} NOT IN ({listed}) THEN {identifier(name)} END" for name in names}
    asked = []
    for text in cleaned.values():
        whole = f"regexp_full_match(trim({text}), {_WHOLE}) AND TRY_CAST({text} AS BIGINT) IS NOT NULL"
        asked += [
            f"count({text})",
            f"count(*) FILTER ({whole})",
            f"count(TRY_CAST({text} AS DOUBLE))",
            f"count(*) FILTER (regexp_full_match(trim({text}), {_COMMA}) OR TRY_CAST({text} AS DOUBLE) IS NOT NULL)",
            f"min({text}) FILTER (regexp_full_match(trim({text}), {_COMMA}))",
        ]
    answers = _answer(connection, f"SELECT {', '.join(asked)} FROM {source.sql()}")
    typed = {}
    for place, (name, text) in enumerate(cleaned.items()):
        filled, whole, number, comma, example = answers[5 * place : 5 * place + 5]
        if filled and number < filled == comma:
            raise _about(
                source,
                name,
                expected="numbers with a decimal point",
                received=f"{example!r:.80}",
                hint="Write a point, or save the table as Parquet.",
            )
        if filled and number == filled:
            typed[name] = f"CAST({text} AS {'BIGINT' if whole == filled else 'DOUBLE'})"
        else:
            typed[name] = identifier(name) if filled else f"CAST({text} AS DOUBLE)"
    return typed
