"""Workbooks of Excel and LibreOffice, read after their sheets' extent has been compared with limits.

A reader makes room for all cells up to the last one, so two cells in opposite corners of a sheet would take hundreds of
gigabytes. The cells' places are read first, without their contents. Sheets of `.xls` end at row 65,536 and column 256.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from seqcast.data.frames.packed import check_cells, too_large, too_many
from seqcast.errors import DataError, unknown_name
from seqcast.runtime.files import check_directory
from seqcast.runtime.limits import FileLimits
from seqcast.runtime.optional import require

__all__ = ["read_workbook"]

_CHUNK_BYTES = 1 << 20
# What a cell takes while a sheet is read.
_CELL_BYTES = 64
# A tag has at most so many bytes here; longer ones hold nothing that a sheet needs.
_TAG_BYTES = 1 << 16

_TAG = re.compile(rb"<(?:\w+:)?(row|c|table-row|table-cell|covered-table-cell)(?=[\s/>])([^<>]*)>")
_PLACE = re.compile(rb"""(?:^|\s)r\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
_REPEATED = re.compile(rb"""number-(?:columns|rows)-repeated\s*=\s*["'](\d{1,9})["']""")

# Numbers of the records of `.xlsb`: a row, and the cells that have a value.
_ROW_RECORD, _CELL_RECORDS = 0, frozenset(range(2, 12))


def read_workbook(path: Path, limits: FileLimits, sheet: str | None = None) -> Any:
    """Read a sheet as a pandas frame.

    Args:
        path: The workbook.
        limits: What is allowed.
        sheet: Name of the sheet; the first if `None`.

    Raises:
        DataError: It is too large.
        SpecError: There is no such sheet.
        MissingPackageError: fastexcel is not installed.
        Exception: Whatever a damaged file provokes.
    """
    fastexcel = require("fastexcel", extra="files")
    packed = path.stat().st_size
    if packed > limits.size:
        raise too_large(path, limits, packed, f"{packed:,} bytes")
    source = _checked_parts(path, limits) if zipfile.is_zipfile(path) else path
    try:
        book = fastexcel.read_excel(source)
        sheets = book.sheet_names
        if sheet is not None and sheet not in sheets:
            raise unknown_name("sheet", sheet, sheets)
        return book.load_sheet(sheet or sheets[0]).to_pandas()
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a panic in Rust is no Exception
            raise
        raise ValueError(str(error)) from error


def _checked_parts(path: Path, limits: FileLimits) -> bytes:
    """Return a workbook, unpacked, whose parts are few and small enough, and whose sheets have not too many cells.

    It is made anew, so that what is read is what was checked: other readers than Python's unpack beyond the size that a
    part claims.
    """
    packed = path.stat().st_size
    check_directory(path)
    plain = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(plain, "w") as copy:
        entries = archive.infolist()
        if len(entries) > limits.parts:
            raise too_many(path, "parts", len(entries), limits.parts)
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > limits.most(packed):
            raise too_large(path, limits, packed, f"{unpacked:,} bytes unpacked")
        if any(entry.flag_bits & 1 for entry in entries):
            raise DataError(
                path=str(path), expected="a plain workbook", received="an encrypted one", hint="Save it unprotected."
            )
        if len({entry.filename for entry in entries}) < len(entries):
            raise ValueError("a part that stands twice")
        for entry in entries:
            with archive.open(entry) as file:
                content = file.read(entry.file_size)  # `archive.read` would unpack all of it
            extent = _EXTENTS.get(_kind_of_part(entry.filename))
            if extent is not None:
                rows, columns = extent(io.BytesIO(content), len(content))
                check_cells(path, limits, packed, rows, columns, _CELL_BYTES)
            copy.writestr(zipfile.ZipInfo(entry.filename), content)
    return plain.getvalue()


def _kind_of_part(name: str) -> str:
    if name == "content.xml":
        return "ods"
    return name.rpartition(".")[2].lower() if "worksheets/" in name.lower() else ""


def _extent_of_xml(file: IO[bytes], size: int) -> tuple[int, int]:
    """Return the last row and the last column in which a sheet of `.xlsx` has a value."""
    rows = columns = row = column = 0
    for tag, attributes in _tags(file, size):
        place = _PLACE.search(attributes)
        if tag == b"row":
            row, column = int(place[2]) if place else row + 1, 0
        elif tag == b"c":
            column = column + 1
            if place:
                row, column = int(place[2]), _column_number(place[1])
            if not attributes.endswith(b"/"):
                rows, columns = max(rows, row), max(columns, column)
    return rows, columns


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - 64
    return number


def _extent_of_ods(file: IO[bytes], size: int) -> tuple[int, int]:
    """Return the last row and the last column in which a sheet of `.ods` has a value; of several sheets the sum."""
    rows = columns = row = column = repeats = 0
    for tag, attributes in _tags(file, size):
        repeated = _REPEATED.search(attributes)
        times = int(repeated[1]) if repeated else 1
        if tag == b"table-row":
            row, column, repeats = row + repeats, 0, times
        elif tag in (b"table-cell", b"covered-table-cell"):
            column += times
            if b"value" in attributes or b"formula" in attributes or not attributes.endswith(b"/"):
                rows, columns = max(rows, row + repeats), max(columns, column)
    return rows, columns


def _tags(file: IO[bytes], size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and attributes of the tags of rows and cells."""
    rest = b""
    for _ in range(0, size, _CHUNK_BYTES):
        text = rest + file.read(_CHUNK_BYTES)
        if b"\0" in text:
            raise ValueError("a sheet that is not in UTF-8")
        for match in _TAG.finditer(text):
            yield match[1], match[2]
        # A tag that is cut in two is looked at with the next chunk.
        rest = text[max(text.rfind(b"<"), len(text) - _TAG_BYTES) :] if text.rfind(b">") < text.rfind(b"<") else b""


def _extent_of_binary(file: IO[bytes], size: int) -> tuple[int, int]:
    """Return the last row and the last column in which a sheet of `.xlsb` has a value."""
    rows = columns = row = place = 0
    while place < size:
        kind, used = _record_number(file, 2)
        length, used_too = _record_number(file, 4)
        place += used + used_too + length
        content = file.read(length)
        if kind == _ROW_RECORD:
            row = int.from_bytes(content[:4], "little") + 1
        elif kind in _CELL_RECORDS:
            rows, columns = max(rows, row), max(columns, int.from_bytes(content[:4], "little") + 1)
    return rows, columns


def _record_number(file: IO[bytes], most: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and its bytes."""
    number = 0
    for place in itertools.count():
        byte = file.read(1)
        if not byte:
            raise ValueError("a sheet that ends too early")
        number |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80 or place + 1 == most:
            return number, place + 1
    raise AssertionError


_EXTENTS = {"xml": _extent_of_xml, "bin": _extent_of_binary, "ods": _extent_of_ods}
