"""The files of a large table, and the SQL by which DuckDB reads them and converts their columns.

Only the beginnings of text and the footers of Parquet are read to find columns. Then one pass of
DuckDB over the table checks ids, times and text, and takes no memory.
"""

import gzip
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from seqcast.data.frames import file_error, files_at, unknown_column
from seqcast.errors import (
    DataError,
    MissingFileError,
    Option,
    Phrase,
    SpecError,
    counted,
    unknown_name,
)
from seqcast.runtime import require
from seqcast.specs import Columns
from seqcast.tables import Dialect, decode, find_dialect

# Suffixes of text.
_TEXT = (".csv", ".tsv", ".txt")
# Content of Arrow's types; types with the same content may share a column.
_CONTENTS = {
    "nothing": re.compile("null"),
    "numbers": re.compile("u?int[0-9]+|halffloat|float|double|decimal.*"),
    "text": re.compile("string|large_string"),
    "times": re.compile(r"date.*|timestamp\[[a-z]+\]"),
    "times with a zone": re.compile("timestamp.*"),
}
# Bytes at the beginning of text from which its separator is inferred.
_BEGINNING = 1 << 20

# DuckDB's types of times, and of ids.
_TIMES = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DATE|TIMESTAMP[A-Z_ ]*|VARCHAR")
_IDS = re.compile(rf"{_TIMES.pattern}|UUID|BLOB|BOOLEAN|TIME|FLOAT|DOUBLE|DECIMAL\([0-9, ]+\)")

# Patterns of the text that becomes a type.
_WHOLE = " *[+-]?[0-9]+ *"
_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]*)?"
_WRITTEN = {
    "BIGINT": _WHOLE,
    "TIMESTAMP": _ISO,
    "TIMESTAMPTZ": f"{_ISO} ?(Z|UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)",
}
_COMMA = " *[+-]?[0-9.]*,[0-9]+ *"
# Marks of missing numbers in a text file, as pandas reads it.
_NO_VALUE = ("NA", "N/A", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "n/a")


@dataclass(frozen=True)
class Source:
    """A table in one file or several.

    Args:
        kind: `Parquet` or `CSV`.
        files: The files.
        names: Names of the columns, as written.
        zones: Time zone of each column of stamps that has one, by name.
        dialect: Dialect of text files.
    """

    kind: str
    files: tuple[Path, ...]
    names: tuple[str, ...]
    zones: dict[str, str]
    dialect: Dialect

    @property
    def where(self) -> str:
        """The source in words: its file, or the first one and the number of others."""
        more = len(self.files) - 1
        if not more:
            return str(self.files[0])
        return f"{self.files[0]} and {more:,} more"

    def sql(self, file_column: str | None = None) -> str:
        """Return the SQL of the table.

        Args:
            file_column: Name of one more column, with the file of each row.
        """
        if self.kind == "Parquet":
            return parquet_rows(self.files, file_column)

        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.names)
        quote = literal(self.dialect.quote)
        sep = literal(self.dialect.sep or ",")
        options = _reading_options(file_column)
        return (
            f"read_csv([{_listed(self.files)}], auto_detect=false, header=true, "
            f"skip={self.dialect.skip}, delim={sep}, quote={quote}, escape={quote}, nullstr='', "
            f"{options}, columns={{{columns}}})"
        )


def parquet_rows(files: Sequence[Path], file_column: str | None = None) -> str:
    """Return the SQL of the rows of Parquet files.

    Args:
        files: The files.
        file_column: Name of one more column, with the file of each row.
    """
    options = _reading_options(file_column)
    return f"read_parquet([{_listed(files)}], union_by_name=true, {options})"


def _listed(files: Sequence[Path]) -> str:
    # Brackets quote the characters of patterns.
    return ", ".join(literal(re.sub(r"([*?[])", r"[\1]", str(file))) for file in files)


def _reading_options(file_column: str | None) -> str:
    if file_column is None:
        return "hive_partitioning=false"
    return f"hive_partitioning=false, filename={literal(file_column)}"


def identifier(name: str) -> str:
    """Return a name as SQL quotes it.

    Args:
        name: The name.

    Example:
        >>> print(identifier('a "b" c'))
        "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def unused_name(name: str, names: Sequence[str]) -> str:
    """Return a name that no column has, also in other case.

    Args:
        name: How it begins.
        names: Names of the columns.

    Example:
        >>> unused_name("file", ["unique_id", "File"])
        'file_'
    """
    taken = set(map(str.casefold, names))
    while name in taken:
        name += "_"
    return name


def literal(text: str) -> str:
    """Return text as SQL quotes it.

    Args:
        text: The text.

    Example:
        >>> print(literal("it's"))
        'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def find_source(source: Any, columns: Columns) -> Source:
    """Find the files of a table, and their columns.

    Args:
        source: A file, a folder, a pattern such as `data/*.parquet`, or a sequence of these. A
            folder stands for all Parquet files, or all CSV files, in it and below.
        columns: The columns of ids and times, which are required.

    Raises:
        MissingFileError: There is no such file, or none in the folder.
        DataError: The files differ in their columns, a column is missing or doubled, or text is not
            UTF-8.
        SpecError: A file is neither Parquet nor CSV.
    """
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    found = [
        files_at(Path(each), lambda file: bool(_kind(file)), "Parquet or CSV files")
        for each in given
    ]
    files = tuple(dict.fromkeys(chain.from_iterable(found)))
    if not files:
        raise MissingFileError(
            "source", expected="files with a table", received="none", hint="Name one or more."
        )

    kind = _kind(files[0])
    for file in files:
        if not _kind(file):
            raise unknown_name(
                f"{file}, suffix", file.suffix.removeprefix("."), ("parquet", "csv", "tsv", "txt")
            )
        if _kind(file) != kind:
            hint = "Name files of one kind, as in 'data/*.parquet'."
            raise file_error(file, f"{kind}, as {files[0]} is", _kind(file), hint)

    table = _parquet(files) if kind == "Parquet" else _text(files)
    for field, name in (("unique_id", columns.unique_id), ("ds", columns.ds)):
        if name not in table.names:
            raise unknown_column(files[0], field, name, list(table.names))
    return table


def _kind(file: Path) -> str:
    """Return the kind of a file by its suffix, empty if it is none; text may be packed by gzip."""
    name = file.name.lower()
    if name.endswith(".parquet"):
        return "Parquet"
    if name.removesuffix(".gz").endswith(_TEXT):
        return "CSV"
    return ""


def _check_names(file: Path, names: Sequence[str]) -> None:
    """Reject duplicate names, also in other case, one of which DuckDB would rename."""
    twice = [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]
    if twice:
        alike = [name for name in names if name.casefold() == twice[0]]
        received = " and ".join(map(repr, alike))
        if len(set(alike)) == 1:
            received = f"{alike[0]!r} twice"
        raise file_error(
            file, "names that differ by more than capital letters", received, "Rename one of them."
        )


def _parquet(files: tuple[Path, ...]) -> Source:
    parquet: Any = require("pyarrow.parquet", extra="files")
    zones: dict[str, str] = {}
    kinds: dict[str, tuple[str, Path]] = {}
    for file in files:
        try:
            schema = parquet.read_schema(file)
        except Exception as error:  # a damaged file raises errors of many types
            received = f"something else ({str(error).strip().splitlines()[0][:200]})"
            raise file_error(file, "a table in Parquet", received) from error
        _check_names(file, schema.names)

        for field in schema:
            kind = _kind_of(field.type)
            before, first = kinds.setdefault(field.name, (kind, file))
            if before == "nothing":
                kinds[field.name] = kind, file
            elif kind not in (before, "nothing"):
                hint = "Write the column in one type, or leave it out."
                raise file_error(file, f"{before}, as in {first}", kind, hint, column=field.name)
            if getattr(field.type, "tz", None):
                zones.setdefault(field.name, field.type.tz)

    _check_names(files[0], list(kinds))
    return Source("Parquet", files, tuple(kinds), zones, Dialect())


def _kind_of(kind: Any) -> str:
    """Return the content of a type of Arrow."""
    if str(kind).startswith("dictionary"):
        kind = kind.value_type
    name = str(kind)
    return next((words for words, types in _CONTENTS.items() if types.fullmatch(name)), name[:80])


def _text(files: tuple[Path, ...]) -> Source:
    dialect = Dialect()
    names = tuple[str, ...]()
    for file in files:
        text, encoding = decode(_beginning(file), file)
        if encoding != "utf-8":
            raise file_error(file, "text in UTF-8", encoding, "Convert it, as with iconv -t utf-8.")

        if file == files[0]:
            dialect = find_dialect(text, Dialect(header=True))
        own = tuple(name.strip() for name in dialect.names(text))
        _check_names(file, own)
        names = names or own
        if own != names:
            expected = f"the columns {', '.join(map(repr, names))}, as in {files[0]}"
            raise file_error(
                file, expected, ", ".join(map(repr, own)), "Files of text have the same header."
            )
    return Source("CSV", files, names, {}, dialect)


def _beginning(file: Path) -> bytes:
    """Return the first lines of a file of text."""
    try:
        with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as opened:
            data: bytes = opened.read(_BEGINNING)
    except (OSError, EOFError) as error:
        raise file_error(file, "text", f"something else ({error})") from error
    if not data.strip():
        raise file_error(file, "a table", "no text")
    return data[: data.rfind(b"\n") + 1] or data if len(data) == _BEGINNING else data


# ---------------------------------------------------------------- types of columns


def read_columns(connection: Any, source: Source, columns: Columns) -> tuple[int, dict[str, str]]:
    """Return the number of rows, and the SQL by which the text of each column becomes typed.

    Args:
        connection: A connection of DuckDB.
        source: The table.
        columns: The columns of ids and times, and the format of times.

    Raises:
        DataError: There is no row, an id or a time is missing or of a wrong type, or numbers have a
            decimal comma.
        SpecError: The format of the times does not exist.
    """
    unique_id = columns.unique_id
    ds = columns.ds
    described = connection.execute(f"DESCRIBE SELECT * FROM {source.sql()}").fetchall()
    types = {name: str(kind) for name, kind, *_ in described}
    missing = {name: _missing(name, types[name]) for name in (unique_id, ds)}
    times = _times(connection, columns) if types[ds] == "VARCHAR" else {}
    texts: list[str] = []
    if source.kind == "CSV":
        texts = [name for name in source.names if name not in missing]

    answers = _answers(connection, source, missing, texts, times, _text_of(ds))
    _check_keys(connection, source, columns, missing, answers)
    _check_types(source, columns, types)
    if not answers["rows"]:
        raise file_error(source.where, "at least one row", "none")

    typed = {name: identifier(name) for name in source.names}
    if types[unique_id] == "UUID":  # Arrow has no such type
        typed[unique_id] = f"CAST({typed[unique_id]} AS VARCHAR)"
    typed |= _typed_texts(source, texts, answers)

    if times:
        typed[ds] = max(times, key=lambda sql: int(answers["count", sql]))
        others = answers["rows"] - answers["count", typed[ds]]
        if others:
            raise _no_time(source, columns, others, answers["other", typed[ds]])
    return int(answers["rows"]), typed


def _answers(
    connection: Any,
    source: Source,
    missing: Mapping[str, str],
    texts: Sequence[str],
    times: Mapping[str, str],
    text_of_time: str,
) -> dict[Any, Any]:
    """Count rows, missing keys, types and formats of times in one pass over the table."""
    terms: dict[Any, str] = {"rows": "count(*)", **missing}
    for name in texts:
        terms["type", name], terms["comma", name] = _number_type(name)
    for sql, check in times.items():
        terms["count", sql] = f"count({check})"
        terms["other", sql] = f"min({text_of_time}) FILTER ({check} IS NULL)"

    # Not `fetchone`, after which DuckDB 2 waits for the next row.
    query = f"SELECT {', '.join(terms.values())} FROM {source.sql()}"
    (row,) = connection.execute(query).fetchall()
    return dict(zip(terms, row, strict=True))


def _typed_texts(
    source: Source, texts: Sequence[str], answers: Mapping[Any, Any]
) -> dict[str, str]:
    """Return the SQL of the columns of text that hold numbers, and reject decimal commas."""
    typed = {}
    for name in texts:
        if answers["comma", name] is not None:
            raise file_error(
                source.where,
                "numbers with a decimal point",
                f"{answers['comma', name]!r:.80}",
                "Write a point, or save the table as Parquet.",
                column=name,
            )
        if answers["type", name] != "VARCHAR":
            typed[name] = f"CAST({_number_text(name)} AS {answers['type', name]})"
    return typed


def _check_keys(
    connection: Any,
    source: Source,
    columns: Columns,
    missing: dict[str, str],
    answers: dict[Any, Any],
) -> None:
    """Reject a table in which an id or a time is missing."""
    for name, check in missing.items():
        if answers[name]:
            raise _no_key(connection, source, columns, name, check)


def _check_types(source: Source, columns: Columns, types: dict[str, str]) -> None:
    """Reject a table whose ids or times are of a type that is none of ids or times."""
    ids = "text, numbers or times, by which rows are sorted"
    stamps = "times or whole numbers"
    for name, fitting, expected in ((columns.unique_id, _IDS, ids), (columns.ds, _TIMES, stamps)):
        if not fitting.fullmatch(types[name]):
            raise file_error(
                source.where, expected, types[name].lower()[:80], "Convert the column.", column=name
            )


def _missing(name: str, kind: str) -> str:
    """Return the SQL that counts the rows without a value."""
    column = identifier(name)
    if kind in ("FLOAT", "DOUBLE"):
        return f"count(*) FILTER ({column} IS NULL OR isnan({column}))"
    return f"count(*) FILTER ({column} IS NULL)"


def _no_key(
    connection: Any, source: Source, columns: Columns, name: str, missing: str
) -> DataError:
    """Return the error that names the first file with rows without an id, or a time."""
    place = unused_name("file", source.names)
    query = f"SELECT {identifier(place)}, {missing} FROM {source.sql(place)} GROUP BY ALL"
    by_file = {Path(file): count for file, count in connection.execute(query).fetchall()}
    file, *others = (file for file in source.files if by_file.get(file))
    received = f"{counted(by_file[file], 'row')} without one"
    if others:
        more = sum(by_file[other] for other in others)
        received += f", and {more:,} in {counted(len(others), 'other file')}"

    expected = f"{'a name of a series' if name == columns.unique_id else 'a time'} in every row"
    return file_error(file, expected, received, "Fill them in, or leave the rows out.", column=name)


def _text_of(name: str) -> str:
    return f"trim({identifier(name)})"


def _reading(text: str, kind: str) -> str:
    """Return the SQL of text as a type, which is missing where the text has another form."""
    cast = f"TRY_CAST({text} AS {kind})"
    written = _WRITTEN.get(kind)
    if written is None:
        return cast
    return f"CASE WHEN regexp_full_match({text}, {literal(written)}) THEN {cast} END"


def _times(connection: Any, columns: Columns) -> dict[str, str]:
    """Return the SQL of the types that text of times may become, each with its check."""
    text = _text_of(columns.ds)
    if columns.ds_format is None or "%" not in columns.ds_format:
        return {f"CAST({text} AS {kind})": _reading(text, kind) for kind in _WRITTEN}
    time = f"try_strptime({text}, {literal(columns.ds_format)})"
    try:
        connection.execute(f"SELECT try_strptime('', {literal(columns.ds_format)})")
    except Exception as error:
        raise SpecError(
            "columns.ds_format",
            expected="a format",
            received=repr(columns.ds_format),
            hint="Codes such as %Y and %m are those of strptime.",
        ) from error
    return {time: time}


def _no_time(source: Source, columns: Columns, others: int, example: str) -> DataError:
    """Return the error for text that is no time, in a column where most is."""
    given = columns.ds_format is not None and "%" in columns.ds_format
    expected = (
        f"times written as {columns.ds_format}"
        if given
        else "times such as 2024-01-31 12:00, or whole numbers"
    )
    received = f"{example!r:.80}"
    if others > 1:
        received += f" and {others - 1:,} more"
    name = Option("columns.ds_format", "%d.%m.%Y")
    hint = Phrase("Name how all are written with ", name, ", or convert the column.")
    return file_error(source.where, expected, received, hint, column=columns.ds)


def _number_text(name: str) -> str:
    """Return the SQL of a column of text without its marks of missing values."""
    column = identifier(name)
    return f"CASE WHEN {column} NOT IN ({', '.join(map(literal, _NO_VALUE))}) THEN {column} END"


def _number_type(name: str) -> tuple[str, str]:
    """Return the SQL of the type that fits a column's text, and of text with a decimal comma."""
    text = _number_text(name)
    whole = _reading(text, "BIGINT")
    number = _reading(text, "DOUBLE")
    comma = f"regexp_full_match({text}, {literal(_COMMA)})"
    known = f"count({text})"
    kind = (
        f"CASE {known} WHEN 0 THEN 'DOUBLE' WHEN count({whole}) THEN 'BIGINT' "
        f"WHEN count({number}) THEN 'DOUBLE' ELSE 'VARCHAR' END"
    )

    commas = f"count(*) FILTER ({comma})"
    with_commas = f"{commas} > 0 AND {known} = count(*) FILTER ({comma} OR {number} IS NOT NULL)"
    example = f"CASE WHEN {with_commas} THEN min({text}) FILTER ({comma}) END"
    return kind, example
