"""The content of a text file, unpacked by its suffix and never beyond a limit."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from seqcast.data.frames.excess import too_large
from seqcast.data.frames.reader_process import ReaderProcess
from seqcast.errors import DataError
from seqcast.runtime import FileLimits, require

PACKED = (".gz", ".zst", ".zip")
# The path that stands for standard input.
STANDARD_INPUT = Path("-")

_CHUNK_BYTES = 1 << 20
# Text takes several times its size once it is a frame.
_TEXT_SHARE = 4
_SIGNS = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "Zstandard"}


def read_bytes(path: Path, limits: FileLimits | None = None) -> bytes:
    """Return the content of a file, unpacked by its suffix `.gz`, `.zst` or `.zip`; `-` is standard input.

    A process of its own unpacks, which is ended at the limit, whatever sizes the file claims.

    Args:
        path: The file.
        limits: To how much it may unpack; the defaults if `None`.

    Raises:
        DataError: It is too large, cannot be unpacked, holds an archive, or a zip holds several files.
        MissingPackageError: It is a `.zst` file and pyarrow is not installed.
    """
    limits = limits or FileLimits()
    if path == STANDARD_INPUT:
        return _read(sys.stdin.buffer, path, limits)
    suffix, size = path.suffix.lower(), path.stat().st_size
    if suffix in PACKED:
        return _unpack(path, suffix, replace(limits, small=limits.small // _TEXT_SHARE))
    if size > limits.size:
        raise too_large(path, limits, size, f"{size:,} bytes")
    with path.open("rb") as file:
        return _read(file, path, limits)


def _unpack(path: Path, suffix: str, limits: FileLimits) -> bytes:
    if suffix == ".zst":
        require("pyarrow", extra="files")
    data = ReaderProcess(suffix, path, limits).ask(lambda file: b"".join(iter(partial(file.read, _CHUNK_BYTES), b"")))
    for sign, kind in _SIGNS.items():
        if data.startswith(sign):
            hint = "Unpack it once and give what is in it."
            raise DataError(path=str(path), expected="text in it", received=f"a {kind} archive in it", hint=hint)
    return data


def _read(file: IO[bytes], path: Path, limits: FileLimits) -> bytes:
    data = bytearray()
    while chunk := file.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > limits.size:
            raise too_large(path, limits, limits.size, "more")
    return bytes(data)
