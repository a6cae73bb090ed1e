"""The files of a large table: which they are, what columns they have, and the SQL by which DuckDB reads them.

Nothing is read but the beginnings of text and the footers of Parquet.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast.data.frames import Dialect, decode, files_at, find_dialect, unknown_column
from seqcast.errors import DataError, MissingFileError, unknown_name
from seqcast.runtime import check_source, require
from seqcast.specs import Columns

# What is read, by the suffix; text may also be packed.
_KINDS = {"parquet": "Parquet", **dict.fromkeys(("csv", "tsv", "txt"), "CSV")}
# What types of Arrow hold: those of the same kind go together in a column.
_CONTENTS = {
    "nothing": re.compile("null"),
    "numbers": re.compile("u?int[0-9]+|halffloat|float|double|decimal.*"),
    "text": re.compile("string|large_string"),
    "times": re.compile(r"date.*|timestamp\[[a-z]+\]"),
    "times with a zone": re.compile("timestamp.*"),
}
# Bytes at the beginning of text by which its separator is found.
_BEGINNING = 1 << 20


@dataclass(frozen=True)
class Source:
    """A table in one file or several.

    Args:
        kind: `Parquet` or `CSV`.
        files: The files.
        names: Names of the columns, as they are written.
        zones: Time zone of each column of stamps that has one, by name.
        dialect: How text is written.
    """

    kind: str
    files: tuple[Path, ...]
    names: tuple[str, ...]
    zones: dict[str, str]
    dialect: Dialect

    @property
    def where(self) -> str:
        """The source in words: its file, or the first one and how many others."""
        more = len(self.files) - 1
        return f"{self.files[0]}{f' and {more:,} more' if more else ''}"

    def sql(self, file_column: str | None = None) -> str:
        """Return the SQL that stands for the table.

        Args:
            file_column: Name of one more column, of the files that rows are from.
        """
        # A sign of patterns stands for itself in brackets.
        listed = ", ".join(literal(re.sub(r"([*?[])", r"[\1]", str(file))) for file in self.files)
        options = "hive_partitioning=false" + (f", filename={literal(file_column)}" if file_column else "")
        if self.kind == "Parquet":
            return f"read_parquet([{listed}], union_by_name=true, {options})"
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.names)
        quote, sep = literal(self.dialect.quote), literal(self.dialect.sep or ",")
        return (
            f"read_csv([{listed}], auto_detect=false, header=true, skip={self.dialect.skip}, delim={sep}, "
            f"quote={quote}, escape={quote}, nullstr='', {options}, columns={{{columns}}})"
        )


def identifier(name: str) -> str:
    """Return a name as SQL quotes it.

    Example:
        >>> print(identifier('a "b" c'))
        "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return text as SQL quotes it.

    Example:
        >>> print(literal("it's"))
        'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def table_error(
    path: Path | str, expected: str, received: str, hint: str = "Check the file.", *, column: str | None = None
) -> DataError:
    """Return the error about a file, or about a column in it."""
    where = "" if column is None else f"{path}, column {column!r}"
    return DataError(where, path=str(path), expected=expected, received=received, hint=hint)


def find_source(source: Any, columns: Columns) -> Source:
    """Find the files of a table, and their columns.

    Args:
        source: A file, a folder, a pattern such as `data/*.parquet`, or a sequence of these. A folder stands for all
            Parquet files, or all CSV files, in it and below.
        columns: The columns of ids and times, which have to be there.

    Raises:
        MissingFileError: There is no such file, or none in the folder.
        DataError: The files do not go together, a column is missing or stands twice, or text is not UTF-8.
        SpecError: A file is neither Parquet nor CSV.
    """
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    files = tuple(dict.fromkeys(file for each in given for file in _files(Path(each))))
    if not files:
        raise MissingFileError("source", expected="files with a table", received="none", hint="Name one or more.")
    kind = _kind(files[0])
    for file in files:
        if _kind(file) != kind:
            hint = "Name files of one kind, as in 'data/*.parquet'."
            raise table_error(file, f"{kind}, as {files[0]} is", _kind(file), hint)
    found = _parquet(files) if kind == "Parquet" else _text(files, columns)
    for field, name in (("unique_id", columns.unique_id), ("ds", columns.ds)):
        if name not in found.names:
            raise unknown_column(files[0], field, name, list(found.names))
    return found


def _files(path: Path) -> list[Path]:
    """Return the files that a path or a pattern stands for."""
    files = files_at(path, lambda place: _suffix(place) in _KINDS)
    if files == [path]:
        check_source(path, expected="a file with a table, a folder of them, or a pattern")
    if not files:
        expected = "Parquet or CSV files in it" if path.is_dir() else "a pattern of files"
        received = "a folder without one" if path.is_dir() else "none that match"
        raise MissingFileError(str(path), expected=expected, received=received, hint="Check the path.")
    return files


def _suffix(file: Path) -> str:
    inner = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    return inner.suffix.lower().removeprefix(".")


def _kind(file: Path) -> str:
    suffix = _suffix(file)
    if suffix not in _KINDS or (suffix == "parquet" and file.suffix.lower() == ".gz"):
        raise unknown_name(f"{file}, suffix", suffix, _KINDS)
    return _KINDS[suffix]


def _check_names(file: Path, names: Sequence[str]) -> None:
    """Refuse names that stand twice, also in other letters: DuckDB would give one of them another name."""
    twice = [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]
    if twice:
        alike = [name for name in names if name.casefold() == twice[0]]
        received = f"{alike[0]!r} twice" if len(set(alike)) == 1 else " and ".join(map(repr, alike))
        raise table_error(file, "names that differ by more than capital letters", received, "Rename one of them.")


# ---------------------------------------------------------------- Parquet


def _parquet(files: tuple[Path, ...]) -> Source:
    parquet: Any = require("pyarrow.parquet", extra="files")
    zones: dict[str, str] = {}
    kinds: dict[str, tuple[str, Path]] = {}
    for file in files:
        try:
            schema = parquet.read_schema(file)
        except Exception as error:  # whatever a damaged file provokes
            received = f"something else ({str(error).strip().splitlines()[0][:200]})"
            raise table_error(file, "a table in Parquet", received) from error
        _check_names(file, schema.names)
        for field in schema:
            kind = _kind_of(field.type)
            before, first = kinds.setdefault(field.name, (kind, file))
            if before == "nothing":
                kinds[field.name] = kind, file
            elif kind not in (before, "nothing"):
                hint = "Write the column in one type, or leave it out."
                raise table_error(file, f"{before}, as in {first}", kind, hint, column=field.name)
            if getattr(field.type, "tz", None):
                zones.setdefault(field.name, field.type.tz)
    _check_names(files[0], list(kinds))
    return Source("Parquet", files, tuple(kinds), zones, Dialect())


def _kind_of(kind: Any) -> str:
    """Return what a type of Arrow holds."""
    name = str(getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind)
    return next((words for words, types in _CONTENTS.items() if types.fullmatch(name)), name[:80])


# ---------------------------------------------------------------- text


def _text(files: tuple[Path, ...], columns: Columns) -> Source:
    dialect = Dialect()
    names: tuple[str, ...] = ()
    for file in files:
        text, encoding = decode(_beginning(file), file)
        if encoding != "utf-8":
            raise table_error(file, "text in UTF-8", encoding, "Convert it, as with iconv -t utf-8.")
        if file == files[0]:
            dialect = find_dialect(text, Dialect(), file, (columns.ds, columns.unique_id))
        lines = io.StringIO(text, newline="")
        for _ in range(dialect.skip):
            lines.readline()
        header = next(csv.reader(lines, delimiter=dialect.sep or ",", quotechar=dialect.quote), [])
        own = tuple(name.strip() for name in header)
        _check_names(file, own)
        names = names or own
        if own != names:
            expected = f"the columns {', '.join(map(repr, names))}, as in {files[0]}"
            raise table_error(file, expected, ", ".join(map(repr, own)), "Files of text have the same header.")
    return Source("CSV", files, names, {}, dialect)


def _beginning(file: Path) -> bytes:
    """Return the first lines of a file of text."""
    try:
        with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as opened:
            data: bytes = opened.read(_BEGINNING)
    except (OSError, EOFError) as error:
        raise table_error(file, "text", f"something else ({error})") from error
    if not data.strip():
        raise table_error(file, "a table", "no text")
    return data[: data.rfind(b"\n") + 1] or data if len(data) == _BEGINNING else data
