"""Files of fitted models: one zip of JSON and arrays; nothing in it is ever executed.

```
seqcast.json      format, its version, kind of model, seqcast's version, header, the list of arrays
arrays/0.npy …    plain NumPy arrays, no objects
```

A file may come from anywhere, and a few megabytes can unpack to gigabytes. So it is opened in two steps: `open_archive`
reads the header and the shape in the header of each array, and an array is unpacked when `numpy.asarray` is called on
it. In between its reader compares the shapes with those that the header allows.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from seqcast._version import __version__
from seqcast.errors import FileFormatError, Option, Phrase, SaveError, SeqcastError
from seqcast.runtime.files import MODEL_INDEX, check_directory, check_source, write_beside
from seqcast.runtime.limits import LARGEST_NUMBER, FileLimits

Array = npt.NDArray[Any]

FORMAT = "seqcast"
FORMAT_VERSION = 3

_INDEX_BYTES = 32 << 20  # largest index; JSON takes some twenty times as much once it is read
_ENTRIES = 100_000  # most files in the zip; the networks of an ensemble have some twenty each
_ENCRYPTED = 0x1  # a zip's flag
_HEADER_BYTES = 1 << 14  # more than the header of an array of numbers ever has
_CHUNK_BYTES = 1 << 20  # what is unpacked at a time
_KINDS = "biufUMm"  # of NumPy's types: booleans, numbers, text, times


class StoredArray:
    """An array in an open archive: its shape and type are known, `numpy.asarray` reads it.

    Args:
        path: The archive's path, for messages.
        archive: The open archive.
        entry: Its entry there.
        gaps: Whether NaN stands in it for a missing value.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, gaps: bool) -> None:
        self._path, self._archive, self._entry, self._gaps = path, archive, entry, gaps
        with archive.open(entry) as file:
            start = io.BytesIO(file.read(_HEADER_BYTES))
        if np.lib.format.read_magic(start) != (1, 0):
            raise ValueError(f"{entry.filename} is no array of numbers")
        try:
            self.shape, self._columns_first, self.dtype = np.lib.format.read_array_header_1_0(start)
        except (MemoryError, RecursionError) as error:  # NumPy reads it with Python's parser
            raise ValueError(f"the header of {entry.filename} is nested too deep") from error
        if self.dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded")
        if self.dtype.kind not in _KINDS or not self.dtype.itemsize or min(self.shape, default=0) < 0:
            raise ValueError(f"{entry.filename} is an array of shape {self.shape} and type {self.dtype}")
        self._start = start.tell()
        if self._start + self.nbytes != entry.file_size:
            raise ValueError(f"{entry.filename} has another size than its header says")

    @property
    def nbytes(self) -> int:
        """Size of the array in memory, in bytes."""
        return math.prod(self.shape) * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Read the array; a copy is always new.

        Raises:
            FileFormatError: The file is damaged, or a number is not finite.
        """
        if copy is False:
            raise ValueError("an array in a file cannot be used without a copy")
        with _as_format_error(self._path):
            values = self._read()
        return values if dtype is None else values.astype(dtype, copy=False)

    def _read(self) -> Array:
        buffer = np.empty(self.nbytes, dtype=np.uint8)
        with self._archive.open(self._entry) as file:
            file.read(self._start)
            # In chunks: what an entry unpacks to beyond the size that it claims is never unpacked.
            for place in range(0, self.nbytes, _CHUNK_BYTES):
                chunk = buffer[place : place + _CHUNK_BYTES]
                part = file.read(len(chunk))
                chunk[:] = np.frombuffer(part, dtype=np.uint8, count=len(chunk))
        flat = buffer.view(self.dtype)
        if self.dtype.kind in "fMm" and not (_within_limits(flat) | (self._gaps & np.isnan(flat))).all():
            raise ValueError(f"{self._entry.filename} holds numbers that are not finite, or beyond {LARGEST_NUMBER:g}")
        return flat.reshape(self.shape, order="F" if self._columns_first else "C")


@dataclass(frozen=True)
class Archive:
    """An open file of a model.

    Args:
        header: JSON types, as they were written.
        arrays: The arrays by name, in the order in which they were written.
    """

    header: dict[str, Any]
    arrays: dict[str, StoredArray]


def write_archive(
    path: str | os.PathLike[str],
    kind: str,
    header: dict[str, Any],
    arrays: dict[str, Array],
    *,
    compressed: bool = True,
) -> None:
    """Write a model's file.

    Args:
        path: Where the file goes.
        kind: Name of the class, checked when the file is read.
        header: JSON types.
        arrays: Arrays of numbers, booleans, text or times, by name.
        compressed: Whether it is to be small rather than written fast.

    Raises:
        SaveError: The file could not be written, or the header is too long to be read again.
    """
    index = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "seqcast_version": __version__,
        "arrays": list(arrays),
        "header": header,
    }
    text = json.dumps(index, indent=1, allow_nan=True)
    if len(text) > _INDEX_BYTES:
        raise SaveError(
            str(path),
            expected=f"a header of at most {_INDEX_BYTES >> 20} MiB, beside the arrays",
            received=f"{len(text) >> 20} MiB",
            hint="Fewer categories, or members with fewer epochs, need less.",
        )

    # Entries have the date of a new `ZipInfo`: zips know no time before 1980, and equal models are equal files.
    def write(file: IO[bytes]) -> None:
        for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)[not compressed :]:
            file.seek(0)
            file.truncate()
            with zipfile.ZipFile(file, "w", compression) as archive:
                archive.writestr(zipfile.ZipInfo(MODEL_INDEX), text, compression)
                for number, values in enumerate(arrays.values()):
                    buffer = io.BytesIO()
                    np.save(buffer, np.asarray(values, order="C"), allow_pickle=False)
                    archive.writestr(zipfile.ZipInfo(f"arrays/{number}.npy"), buffer.getvalue(), compression)
            # Large arrays of zeros pack so well that the file would be refused: they are stored as they are.
            if _unpacked(archive) <= replace(FileLimits(), size=_unpacked(archive)).most(file.tell()):
                return

    write_beside(path, write)


@contextmanager
def open_archive(
    path: str | os.PathLike[str], kind: str, *, max_size: Any = None, gaps: Collection[str] = ()
) -> Iterator[Archive]:
    """Open a model's file for a `with` block, which builds the model.

    Arrays cost no memory before they are read; the block should compare their shapes with the header before it reads
    them.

    Args:
        path: The file.
        kind: Name of the class that it has to hold.
        max_size: To how much it may unpack, see `FileLimits.of`.
        gaps: Arrays in which NaN stands for a missing value; the numbers of all others are finite.

    Yields:
        Header and arrays.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: The file is damaged, foreign, too large, of another kind or of another format; or the block
            failed, because its parts do not fit together.
        SpecError: `max_size` is no size.
    """
    target, limits = Path(path), FileLimits.of(max_size)
    check_source(target)
    with _as_format_error(target):
        check_directory(target)
        archive = zipfile.ZipFile(target)
    with archive:
        with _as_format_error(target):
            opened = _opened(archive, target, kind, limits, gaps)
        try:
            yield opened
        except SeqcastError:
            raise
        except (AttributeError, LookupError, ArithmeticError, RecursionError, TypeError, ValueError) as error:
            text = f"a file whose parts do not fit together ({type(error).__name__}: {error})"
            raise _unusable(target, text) from error


def _within_limits(values: Array) -> npt.NDArray[np.bool_]:
    """Return which numbers are finite and of a size that a forecast can be computed with; times that are known."""
    if values.dtype.kind != "f":
        return ~np.isnan(values)
    most = min(LARGEST_NUMBER, float(np.finfo(values.dtype).max))
    return (values <= most) & (values >= -most)


@contextmanager
def _as_format_error(path: Path) -> Iterator[None]:
    """Raise whatever a damaged or hostile file provokes in zipfile, zlib, json or NumPy as a `FileFormatError`."""
    try:
        yield
    except (FileFormatError, MemoryError):
        raise
    except Exception as error:
        raise _unusable(path, f"a file that is damaged or not one ({type(error).__name__}: {error})") from error


def _too_large(path: Path, limits: FileLimits, packed: int, received: str) -> FileFormatError:
    hint = Phrase("If you trust the file, allow more: ", Option("max_size", "8GB"), ", or as much as it takes.")
    return FileFormatError(str(path), expected=f"at most {limits.words(packed)}", received=received, hint=hint)


def _unusable(path: Path, received: str) -> FileFormatError:
    return FileFormatError(
        str(path), expected="a model saved by seqcast", received=received, hint="Save the model again."
    )


def _unpacked(archive: zipfile.ZipFile) -> int:
    return sum(entry.file_size for entry in archive.infolist())


def _opened(archive: zipfile.ZipFile, path: Path, kind: str, limits: FileLimits, gaps: Collection[str]) -> Archive:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if len(archive.infolist()) > _ENTRIES:
        raise _unusable(path, f"a zip file of {len(archive.infolist()):,} files")
    if len(entries) < len(archive.infolist()):
        raise _unusable(path, "a zip file in which a name stands twice")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries.values()):
        raise _unusable(path, "a zip file that is encrypted")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries.values()):
        raise _unusable(path, "a zip file of another compression")  # zipfile unpacks those all at once
    packed = path.stat().st_size
    if _unpacked(archive) > limits.most(packed):
        raise _too_large(path, limits, packed, f"{packed:,} bytes that unpack to {_unpacked(archive):,}")
    if MODEL_INDEX not in entries:
        raise _unusable(path, "a zip file of something else")
    if entries[MODEL_INDEX].file_size > _INDEX_BYTES:
        raise _unusable(path, f"a header of more than {_INDEX_BYTES >> 20} MiB")
    with archive.open(MODEL_INDEX) as file:
        index = json.loads(file.read(entries[MODEL_INDEX].file_size))
    _check_index(index, path, kind)
    names = index["arrays"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise _unusable(path, "a file whose arrays have no names, or the same")
    missing = [number for number in range(len(names)) if f"arrays/{number}.npy" not in entries]
    if missing:
        raise _unusable(path, f"a file that is damaged: array {names[missing[0]]!r} is not in it")
    arrays = {
        name: StoredArray(path, archive, entries[f"arrays/{number}.npy"], name in gaps)
        for number, name in enumerate(names)
    }
    return Archive(index["header"], arrays)


def _check_index(index: Any, path: Path, kind: str) -> None:
    """Refuse the index of another program, another format or another kind of model."""
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise _unusable(path, "a zip file of something else")
    version = int(index["format_version"])
    if version != FORMAT_VERSION:
        newer = version > FORMAT_VERSION
        raise FileFormatError(
            str(path),
            expected=f"format {FORMAT_VERSION}",
            received=f"format {version}, written by seqcast {index.get('seqcast_version')}",
            hint="Upgrade seqcast: pip install --upgrade seqcast" if newer else "Fit and save the model again.",
        )
    if index["kind"] != kind:
        raise FileFormatError(
            str(path), expected=f"a {kind}", received=f"a {index['kind']}", hint=f"Use {index['kind']}.load."
        )
    if not isinstance(index["header"], dict):
        raise _unusable(path, "a file without a header")
