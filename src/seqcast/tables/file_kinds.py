"""Files with tables: their kinds, and the reading of their text and numbers."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from seqcast.data.frames import file_error
from seqcast.data.frames import is_text as holds_text
from seqcast.errors import DataError, SeqcastError, counted, unknown_name
from seqcast.runtime import FileLimits, check_source, filtering_warnings
from seqcast.tables.contents import RawTable
from seqcast.tables.dialect import (
    DASHES,
    NO_VALUES,
    NOT_KNOWN,
    Dialect,
    dashes_in,
    decode,
    find_dialect,
    is_longer,
    odd_rows,
)
from seqcast.tables.layouts import joined_parts
from seqcast.tables.number_marks import (
    find_placeholders,
    holds_numbers,
    may_be_grouped,
    parse_numbers,
    without_missing,
)
from seqcast.tables.reader_process import (
    PACKED,
    STANDARD_INPUT,
    check_cells,
    read_binary,
    read_bytes,
)
from seqcast.tables.tidying import merged_columns, names_below, total_rows, words_on


class NoRowLeftError(DataError):
    """All rows of a file are left out."""


def is_read_at_once(path: Path) -> bool:
    """Return whether `read_table` reads a file of this name, and nothing reads it piece by piece.

    Args:
        path: The file.

    Example:
        >>> is_read_at_once(Path("a.csv.gz")), is_read_at_once(Path("a.parquet"))
        (True, False)
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


def as_written_whole(column: pd.Series) -> pd.Series:
    """Return a column as whole numbers if these are what is written, without zeros before them.

    Args:
        column: A pandas Series.

    Example:
        >>> columns = map(pd.Series, ([1.0, 2.0], ["1", "2"], ["01", "2"]))
        >>> [as_written_whole(column).tolist() for column in columns]
        [[1, 2], [1, 2], ['01', '2']]
    """
    whole = as_whole(column)
    is_same = column.dtype.kind == "f" or whole.astype("str").equals(column.astype("str"))
    return whole if is_same else column


def as_whole(column: pd.Series) -> pd.Series:
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
        content = read_bytes(self.path, self.limits)
        text, encoding = decode(content, self.path, self.dialect.encoding)
        return text, replace(self.dialect, encoding=encoding)

    def with_ids(self, raw: RawTable, name: str) -> pd.DataFrame:
        """Return the frame of a table, its ids as text as it is written if the file is text.

        Args:
            raw: The table.
            name: The column of ids, or several with commas.
        """
        frame = raw.frame
        parts = joined_parts(frame.columns, name)
        # A table in memory has no text.
        if "text" not in self.__dict__ or _kind(self.path) is not _CSV:
            known = [part for part in parts if part in raw.written]
            return frame.assign(**{part: raw.written[part].reindex(frame.index) for part in known})

        for part in parts:
            place = frame.columns.get_loc(part)
            # Not as other text: NA is a name, no missing value.
            as_text = {place: str}
            cells = _parse(self.text[0], raw.dialect, usecols=[place], converters=as_text)
            ids = cells.iloc[:, 0]
            ids = ids.where(ids != "").reindex(frame.index)
            frame = frame.assign(**{part: ids.ffill() if part in raw.merged else ids})
        return frame


def read_file(file: TableFile) -> RawTable:
    """Read a file, its numbers parsed.

    Args:
        file: The file.

    Raises:
        AmbiguityError: It can be read in two ways.
        DataError: It is empty, not a table, or is too large.
    """
    kind = _checked_kind(file.path)
    raw = _read(file, kind)
    if raw.frame.columns.empty:
        raise file_error(file.path, "a table", "no columns")

    raw = replace(raw, first_row=kind.first_row + raw.dialect.skip - (raw.dialect.header is False))
    if file.left_out:
        is_kept = ~(raw.frame.index + raw.first_row).isin(file.left_out)
        raw = raw.with_frame(raw.frame[is_kept].copy())
    if raw.frame.empty and file.left_out:
        raise NoRowLeftError(
            path=str(file.path), expected="at least one row without a fault", received="none"
        )
    if raw.frame.empty:
        raise file_error(file.path, "at least one row below the header", "none")

    raw = _tidied(raw)
    if kind is _CSV:
        raw = _with_numbers(raw, file.keys, raw.frame.columns)
        dialect = raw.dialect
        if dialect.sep == dialect.decimal == "," and file.dialect.decimal is None:
            # Columns without quotes have been read with a decimal point.
            marked = replace(file.dialect, decimal=",", thousands=dialect.thousands)
            return read_file(replace(file, dialect=marked))
    else:
        raw = _without_marks(raw, file.keys)
        if kind in (_EXCEL, _JSON):
            raw = _with_typed_numbers(raw, file.keys)
    return _without_missing(raw, file.keys)


def _texts(raw: RawTable, keys: Collection[str]) -> dict[str, pd.Series]:
    """Return the columns of text of a table, without those that hold no values."""
    names = [name for name in raw.frame.columns if name not in keys]
    return {name: raw.frame[name] for name in names if holds_text(raw.frame[name])}


def _without_marks(raw: RawTable, keys: Collection[str]) -> RawTable:
    """Return a table of typed cells without the marks and words for missing values in its text."""
    texts = _texts(raw, keys)
    dashes = {dash for column in texts.values() for dash in DASHES if (column == dash).any()}
    marked = {name: column.replace(dict.fromkeys(NOT_KNOWN)) for name, column in texts.items()}
    # In other columns these may be names: NA is Namibia.
    numbers = {name: column for name, column in marked.items() if holds_numbers(column)}
    marked |= {
        name: column.mask(column.str.strip().str.lower().isin(NO_VALUES))
        for name, column in numbers.items()
    }
    return raw.with_frame(raw.frame.assign(**marked).infer_objects(), *_words_on_dashes(dashes))


def _with_typed_numbers(raw: RawTable, keys: Collection[str]) -> RawTable:
    """Return a table of typed cells with numbers in text, such as `49,68,429` or `12 (p)`, as such.

    Text of digits alone stays, because `001` as text is a name. Other text stays where it names
    series.
    """
    written = {
        name: column
        for name, column in _texts(raw, keys).items()
        if not column.dropna().str.isdecimal().all()
    }
    return _with_numbers(replace(raw, written=written), keys, written)


def _without_missing(raw: RawTable, keys: Collection[str]) -> RawTable:
    """Return a table without the values that the user, or else an archive, has for missing ones."""
    missing_values = raw.dialect.missing_values or find_placeholders(raw.frame, keys)
    if not missing_values:
        return raw
    frame = without_missing(raw.frame, missing_values, keys)
    return replace(raw, frame=frame, dialect=replace(raw.dialect, missing_values=missing_values))


def _checked_kind(path: Path) -> FileKind:
    """Return the kind of a file, which has some content."""
    if path != STANDARD_INPUT:
        check_source(path, expected="a file with a table")
        if not path.stat().st_size:
            raise file_error(path, "a table", "an empty file")
    return _kind(path)


def _read(file: TableFile, kind: FileKind) -> RawTable:
    """Return the content of a file of a kind, its numbers unparsed."""
    try:
        return kind.read(file)
    except SeqcastError:
        raise
    except Exception as error:  # what a damaged file raises depends on the package that reads it
        if isinstance(error, (pd.errors.ParserError, pd.errors.ParserWarning)):
            with suppress(csv.Error):  # a cell without an end
                _check_widths(file.path, *file.text)
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        received = f"something else ({reason})"
        raise file_error(file.path, f"a table in {kind.name}", received) from error


def _check_widths(path: Path, text: str, dialect: Dialect) -> None:
    """Reject text in which a row has more cells than the header."""
    lines = find_dialect(text, dialect).numbered_lines(text)
    first, header = next(lines)
    for number, cells in lines:
        if len(cells) > len(header):
            expected = f"at most {counted(len(header), 'cell')} in a row, as in line {first}"
            received = f"{counted(len(cells), 'cell')} in line {number}"
            hint = (
                "Delete lines that are none of the table, such as titles, "
                "and quote cells with a separator in them."
            )
            raise file_error(path, expected, received, hint)


def _tidied(raw: RawTable) -> RawTable:
    """Return a table without rows that are no steps, its merged cells filled."""
    frame = raw.frame
    said = []
    above, at_end = odd_rows(frame)
    end = len(frame) - at_end
    names = names_below(list(frame.columns), frame.iloc[:above])
    if names != list(frame.columns):
        said.append("names from two rows")
        frame = frame.set_axis(names, axis=1)
    said.append(words_on(frame.iloc[:above], "below the header"))
    said.append(words_on(frame.iloc[end:], "at the end"))
    if above or at_end:
        frame = frame.iloc[above:end].copy()

    totals = total_rows(frame)
    if len(totals):
        frame = frame.drop(totals.index)
        frame = frame.assign(**{name: as_written_whole(frame[name]) for name in frame.columns})
        where = "at the end" if totals.index[0] > frame.index[-1] else "of totals"
        said.append(words_on(totals, where))

    merged = tuple(merged_columns(frame))
    if merged:
        frame = frame.assign(**{name: frame[name].ffill() for name in merged})
        said += [f"{name!r} filled downwards" for name in merged]
    return replace(raw, merged=merged).with_frame(frame, *said)


def _with_numbers(raw: RawTable, keys: Collection[str], names: Iterable[str]) -> RawTable:
    """Return a table of text whose columns of numerals, but for those of keys, are numbers."""
    keys = {*keys, "unique_id", "ds", "cutoff"}
    names = [name for name in names if name not in keys]
    parsed = parse_numbers(raw.frame, names, raw.dialect, raw.path)
    return replace(raw, dialect=parsed.dialect).with_frame(parsed.frame, *parsed.sentences)


# ---------------------------------------------------------------- JSON lines


def _read_json(file: TableFile) -> RawTable:
    text, _ = file.text
    names = set[str]()
    rows = 0
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            rows += 1
            names.update(_json_object(file.path, number, line))
            check_cells(file.path, file.limits, len(text), rows, len(names))

    frame = pd.read_json(io.StringIO(text), lines=True, dtype=False, convert_dates=False)
    names_of_objects = [name for name in frame.columns if frame[name].dtype == object]
    frame = frame.assign(**{str(name): _as_text(frame[name]) for name in names_of_objects})
    return RawTable(path=file.path, frame=frame, dialect=file.dialect)


def _as_text(column: pd.Series) -> pd.Series:
    """Return numbers with words among them as text, as other files hold them."""
    known = column.dropna()
    is_mixed = set(known.map(type)) in ({str, int}, {str, float}, {str, int, float})
    return column.where(column.isna(), known.map(str)) if is_mixed else column


def _json_object(path: Path, number: int, line: str) -> dict[str, object]:
    """Return the object of a line, and reject something else, or values that are nested."""
    fault = ""
    row: dict[str, object] = {}
    try:
        row = json.loads(line, object_pairs_hook=_unique_names)
    except (ValueError, RecursionError) as error:
        fault = str(error)
    else:
        if not isinstance(row, dict):
            fault = type(row).__name__
        elif nested := [name for name, cell in row.items() if isinstance(cell, (dict, list))]:
            fault = f"an object or a list as {nested[0]!r}"

    if fault:
        where = f"{path}, line {number}"
        raise DataError(
            where,
            path=str(path),
            expected='a JSON object, such as {"ds": "2026-01-31", "y": 3}',
            received=fault,
            hint="Write one object a line.",
        )
    return row


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON, and reject a name that it has twice.

    Python would take the last value without a word.
    """
    row = dict(pairs)
    if len(row) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the name {names.most_common(1)[0][0]!r} twice")
    return row


# ---------------------------------------------------------------- text


def _read_text(file: TableFile) -> RawTable:
    path = file.path
    text, given = file.text
    if not text.strip():
        raise file_error(path, "a table", "no text")

    dialect = find_dialect(text, given)
    if given.header is None:
        _check_title(path, text, dialect)
    names = dialect.names(text)
    rows = max(text.count("\n"), text.count("\r")) + 1
    check_cells(path, file.limits, len(text), rows, len(names))

    words = [*NOT_KNOWN, *dialect.missing_values]
    missing = {name: words for name in names if name.strip() not in file.keys}
    parse = partial(_parse, text, dialect, na_values=missing)
    if dialect.sep == "," and dialect.decimal is None and dialect.thousands is None:
        frame = parse(dtype=None)
        columns = (frame.iloc[:, place] for place in range(frame.shape[1]))
        # A point may group thousands, too.
        if any(map(may_be_grouped, columns)):
            frame = parse(dtype="str")
    else:
        # Which marks numbers have is not known before all of them are read.
        frame = parse(dtype="str")

    dashes = dashes_in(text, dialect.sep or ",") if frame.isna().any(axis=None) else []
    return RawTable(
        path=path,
        frame=frame.rename(columns=str.strip),
        dialect=dialect,
        sentences=_words_on_dashes(dashes),
    )


def _words_on_dashes(dashes: Collection[str]) -> tuple[str, ...]:
    """Return that dashes are read as missing values, in words; nothing without any."""
    return (f"{', '.join(map(repr, sorted(dashes)))} as missing, not 0",) if dashes else ()


def _check_title(path: Path, text: str, found: Dialect) -> None:
    """Reject a file whose header has other cells than its rows.

    Such a file may have decimal commas between commas.

    Args:
        path: The file.
        text: Its text.
        found: Its dialect, in which such a header is a line above a table without one.

    Raises:
        DataError: The line above the table has several names.
    """
    if found.header is not False or found.skip == 0:
        return
    above = replace(found, skip=found.skip - 1).lines(text, 1)
    names = [cell for cell in next(iter(above), []) if cell.strip()]
    if len(names) < 2:
        return

    width = len(found.names(text))
    expected = f"as many names as values: {len(names)} names in the header"
    separator = "commas" if found.sep in (None, ",") else repr(found.sep)
    hint = (
        "Write numbers with a point or between quotation marks "
        f"if they have decimal {separator}, or name all columns."
    )
    raise file_error(path, expected, f"{width} values in the rows", hint)


def _parse(text: str, dialect: Dialect, **options: Any) -> pd.DataFrame:
    """Return a text as a frame, its values as pandas reads them."""
    has_header = dialect.header is not False
    names = None if has_header else dialect.names(text)
    skip = dialect.skip
    first = dialect.lines(text, 2)
    if has_header and len(first) > 1 and is_longer(len(first[0]), first[1]):
        # The header lacks the name of the total.
        has_header = False
        names = [*first[0], ""]
        skip += 1

    # Rows longer than the header would silently lose their ends.
    with (
        filtering_warnings("error", pd.errors.ParserWarning),
        filtering_warnings("ignore", pd.errors.ParserWarning, "Both a converter and dtype"),
    ):
        frame: pd.DataFrame = pd.read_csv(
            io.StringIO(dialect.spaced(text)),
            index_col=False,
            float_precision="round_trip",
            sep=dialect.sep or ",",
            quotechar=dialect.quote,
            skiprows=skip,
            header=0 if has_header else None,
            names=names,
            **options,
        )
        return frame


# ---------------------------------------------------------------- kinds of files


@dataclass(frozen=True)
class FileKind:
    """A kind of files that hold a table.

    Args:
        name: Its name in errors.
        first_row: Number of the first row of a table, as the file counts.
        read: Reads a file: returns its table, with the inferred dialect.
        is_text: Whether files may be packed, as `.csv.gz` is.
    """

    name: str
    first_row: int
    read: Callable[[TableFile], RawTable]
    is_text: bool = False


def _read_binary(kind: str, file: TableFile) -> RawTable:
    read = read_binary(kind, file.path, file.limits, file.dialect.sheet)
    return RawTable(
        path=file.path,
        frame=read.frame,
        dialect=replace(file.dialect, skip=read.above),
        sheet=read.sheet,
        sentences=(read.sheets,) if read.sheets else (),
    )


_CSV = FileKind("CSV", 2, _read_text, is_text=True)
_JSON = FileKind("JSON lines", 1, _read_json, is_text=True)
_EXCEL = FileKind("Excel", 2, partial(_read_binary, "Excel"))
# The kind of each suffix.
KINDS: dict[str, FileKind] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _CSV),
    **dict.fromkeys(("jsonl", "ndjson"), _JSON),
    **dict.fromkeys(("feather", "arrow"), FileKind("Feather", 1, partial(_read_binary, "Feather"))),
    **dict.fromkeys(("xlsx", "xlsm", "xlsb", "xls", "ods"), _EXCEL),
    "parquet": FileKind("Parquet", 1, partial(_read_binary, "Parquet")),
}
