"""The content of a text file, unpacked by its suffix and never beyond a limit."""

from __future__ import annotations

import gzip
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime.files import check_directory
from seqcast.runtime.limits import FileLimits
from seqcast.runtime.optional import require

__all__ = ["PACKED", "STANDARD_INPUT", "check_cells", "read_bytes", "too_large", "too_many"]

# The path that stands for standard input.
STANDARD_INPUT = Path("-")

_CHUNK_BYTES = 1 << 20
# Of a Zstandard file, four bytes may unpack to 128 KiB.
_ZSTANDARD_BYTES = 1 << 10
# Text takes several times its size once it is a frame.
_TEXT_SHARE = 4
_SIGNS = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "Zstandard"}
# Entries that are there, but whose content is not to be had without a password.
_ENCRYPTED = 0x1


def read_bytes(path: Path, limits: FileLimits | None = None) -> bytes:
    """Return the content of a file, unpacked by its suffix `.gz`, `.zst` or `.zip`; `-` is standard input.

    Unpacking stops at the limit, whatever sizes the file claims.

    Args:
        path: The file.
        limits: To how much it may unpack; the defaults if `None`.

    Raises:
        DataError: It is too large, cannot be unpacked, holds an archive, or a zip holds several files.
        MissingPackageError: It is a `.zst` file and zstandard is not installed.
    """
    limits = limits or FileLimits()
    if path == STANDARD_INPUT:
        return _read(sys.stdin.buffer, path, limits.size, limits, 0)
    suffix, size = path.suffix.lower(), path.stat().st_size
    if suffix in PACKED:
        limits = replace(limits, small=limits.small // _TEXT_SHARE)
    most = limits.most(size)
    if size > most:
        raise too_large(path, limits, size, f"{size:,} bytes")
    try:
        with _OPENERS.get(suffix, open)(path, "rb") as file:
            data = _read(file, path, most, limits, size)
    except DataError:
        raise
    except (OSError, EOFError, RuntimeError, NotImplementedError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        received, hint = f"something else ({error})", "Check the file."
        raise DataError(path=str(path), expected=f"a {suffix} file", received=received, hint=hint) from error
    for sign, kind in _SIGNS.items():
        if suffix in PACKED and data.startswith(sign):
            hint = "Unpack it once and give what is in it."
            raise DataError(path=str(path), expected="text in it", received=f"a {kind} archive in it", hint=hint)
    return data


def check_cells(path: Path, limits: FileLimits, packed: int, rows: int, columns: int, width: int = 8) -> None:
    """Refuse a table that has too many columns, or takes too much memory.

    Args:
        path: The file.
        limits: What is allowed.
        packed: The file's size.
        rows: Its rows.
        columns: Its columns.
        width: Bytes that a cell takes.

    Raises:
        DataError: It has too many.
    """
    if columns > limits.columns:
        raise too_many(path, "columns", columns, limits.columns)
    if rows * columns * width > limits.most(packed):
        received = f"{rows:,} rows of {columns:,} columns, {rows * columns * width:,} bytes"
        raise too_large(path, limits, packed, received)


def too_large(path: Path, limits: FileLimits, packed: int, received: str) -> DataError:
    """Build the error for a file that unpacks to too much.

    Args:
        path: The file.
        limits: What is allowed.
        packed: The file's own size.
        received: What it unpacks to, in words.
    """
    return DataError(path=str(path), expected=f"at most {limits.words(packed)}", received=received, hint=_hint())


def too_many(path: Path, what: str, count: int, most: int) -> DataError:
    """Build the error for a file that holds too many things.

    Args:
        path: The file.
        what: The things, in words.
        count: How many there are.
        most: How many are allowed.
    """
    return DataError(path=str(path), expected=f"at most {most:,} {what}", received=f"{count:,}", hint=_hint())


def _hint() -> Phrase:
    return Phrase("If you trust the file, allow more: ", Option("max_size", "8GB"), ", or as much as it takes.")


def _read(file: Any, path: Path, most: int, limits: FileLimits, packed: int) -> bytes:
    data = bytearray()
    while chunk := file.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > most:
            raise too_large(path, limits, packed, "more")
    return bytes(data)


@contextmanager
def _unzip(path: Path, _: str) -> Iterator[IO[bytes]]:
    check_directory(path)
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) != 1:
            hint = "Unpack it and give one of them."
            raise DataError(path=str(path), expected="one file in it", received=str(len(entries)), hint=hint)
        if entries[0].flag_bits & _ENCRYPTED:
            hint = "Unpack it with its password and give what is in it."
            raise DataError(path=str(path), expected="a file in it", received="an encrypted one", hint=hint)
        if entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # those unpack all at once
            hint = "Pack it anew, as other programs do."
            raise DataError(path=str(path), expected="a usual zip", received="another compression", hint=hint)
        with archive.open(entries[0]) as file:
            yield file


class _Zstandard:
    """The frames of a Zstandard file, one after another; one that ends too early is an error."""

    def __init__(self, path: Path, _: str) -> None:
        self._zstandard: Any = require("zstandard", extra="files")
        self._file = path.open("rb")
        self._frame: Any = None
        self._rest = b""

    def __enter__(self) -> _Zstandard:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return a part, which may be larger than `size`; nothing at the end."""
        while packed := self._rest or self._file.read(min(size, _ZSTANDARD_BYTES)):
            if self._frame is None:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
            try:
                data = bytes(self._frame.decompress(packed))
            except self._zstandard.ZstdError as error:  # no kind of those that the others raise
                raise OSError(str(error)) from error
            self._rest = self._frame.unused_data if self._frame.eof else b""
            self._frame = None if self._frame.eof else self._frame
            if data:
                return data
        if self._frame is not None:
            raise EOFError("it ends too early")
        return b""


_OPENERS: dict[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".zst": _Zstandard, ".zip": _unzip}
PACKED = tuple(_OPENERS)
