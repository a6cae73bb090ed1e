"""Files of fitted models and checkpoints: arrays in safetensors, with one JSON header.

Nothing in a file is ever executed. Its metadata has one entry, `seqcast`, which is JSON:

```
content    the format's version, the kind of model, seqcast's version, types of arrays, the header
sha256     digest of the content and of all arrays
```

safetensors compares sizes and offsets with the file before it reads an array. Arrays are not
compressed, so a file takes as much memory as it is long, and four times as much for text.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save

from seqcast._version import __version__
from seqcast.errors import FileFormatError, Option, Phrase, SaveError, SeqcastError
from seqcast.runtime.atomic_files import write_atomically
from seqcast.runtime.file_checks import LARGEST_NUMBER, MODEL_ENTRY, FileLimits, check_source
from seqcast.runtime.payload import Array, Payload

FORMAT_VERSION = 4

# Bytes at the beginning of a file that are the length of its header.
_LENGTH_BYTES = 8
# The longest header; JSON takes some twenty times as much memory once it is read.
_HEADER_BYTES = 32 << 20
# Types of times and durations.
_TIMES = re.compile(r"<[mM]8\[\w+\]")


# Errors of code that builds an object from fields which do not fit together.
_UNFIT_FIELDS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def digest(arrays: Iterable[Array | None]) -> str:
    """Return a text that differs where any of the arrays does.

    Args:
        arrays: The arrays; `None` stands for one that is missing.

    Example:
        >>> digest([np.zeros(2), None]) == digest([np.zeros(2), None])
        True
        >>> digest([np.zeros(2)]) == digest([np.zeros(3)])
        False
    """
    whole = hashlib.sha256()
    for array in arrays:
        if array is None:
            whole.update(b"none")
            continue
        values = np.ascontiguousarray(array)
        whole.update(f"{values.dtype.str} {np.shape(array)}".encode())
        whole.update(values.reshape(-1).view(np.uint8).data if values.size else b"")
    return whole.hexdigest()


def write_archive(
    path: str | os.PathLike[str],
    kind: str,
    header: Mapping[str, object],
    arrays: Mapping[str, Array],
) -> None:
    """Write a model's file.

    Args:
        path: The file.
        kind: Name of the class, checked when the file is read.
        header: JSON types.
        arrays: Arrays of numbers, booleans, text or times, by name.

    Raises:
        SaveError: The file could not be written, or the header is too long to be read again.
    """
    stored = {name: _stored(values) for name, values in arrays.items()}
    content = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "seqcast_version": __version__,
        "arrays": {name: _type(values) for name, values in arrays.items()},
        "header": header,
    }
    entry = {"sha256": _digest_of(content, stored), "content": content}
    data = save(stored, {MODEL_ENTRY: json.dumps(entry)})

    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if length > _HEADER_BYTES:
        raise SaveError(
            str(path),
            expected=f"a header of at most {_HEADER_BYTES >> 20} MiB, without the arrays",
            received=f"{length >> 20} MiB",
            hint="Fewer categories, or members with fewer epochs, need less.",
        )
    write_atomically(path, lambda file: file.write(data))


@contextmanager
def open_archive(
    path: str | os.PathLike[str],
    kind: str,
    *,
    max_size: object = None,
    gaps: Collection[str] = (),
) -> Iterator[Payload]:
    """Read a model's file for a `with` block, which builds the model.

    Args:
        path: The file.
        kind: Name of the expected class.
        max_size: Largest size of the file, see `FileLimits.of`.
        gaps: Arrays in which NaN stands for a missing value; the numbers of all others are finite.

    Yields:
        Header, as JSON types, and arrays by name, in the order in which they were written.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: The file is damaged, foreign, too large, of another kind or of another
            format; or the block failed, because its fields do not fit together.
        SpecError: `max_size` is no size.
    """
    target = Path(path)
    most = FileLimits.of(max_size).size
    check_source(target)
    try:
        _check_size(target, most)
        payload = _read(target, kind, gaps)
    except (FileFormatError, MemoryError):
        raise
    except Exception as error:  # a damaged or hostile file raises errors of many types
        received = f"a file that is damaged or not one ({type(error).__name__}: {error})"
        raise _unusable(target, received) from error

    try:
        yield payload
    except SeqcastError:
        raise
    except _UNFIT_FIELDS as error:
        received = f"a file whose fields do not fit together ({type(error).__name__}: {error})"
        raise _unusable(target, received) from error


def _unusable(path: Path, received: str) -> FileFormatError:
    return FileFormatError(
        str(path),
        expected="a model saved by seqcast",
        received=received,
        hint="Save the model again.",
    )


def _check_size(path: Path, most: int) -> None:
    """Reject a file that would take too much memory, or whose header would."""
    size = path.stat().st_size
    if size > most:
        allow = Option("max_size", "8GB")
        raise FileFormatError(
            str(path),
            expected=f"at most {FileLimits(most).words(most)}",
            received=f"{size:,} bytes",
            hint=Phrase("If you trust the file, allow more: ", allow, ", or as much as it takes."),
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if _HEADER_BYTES < length < size:
        raise _unusable(path, f"a header of more than {_HEADER_BYTES >> 20} MiB")


def _read(path: Path, kind: str, gaps: Collection[str]) -> Payload:
    # Not mapped to memory: a file that somebody shortens meanwhile would end the process.
    with safe_open(path, framework="np", backend="pread") as file:
        entry = json.loads((file.metadata() or {}).get(MODEL_ENTRY, "null"))
        if not isinstance(entry, dict):
            raise _unusable(path, "a safetensors file of something else")
        content = entry["content"]
        _check_content(content, path, kind)
        stored = file.get_tensors()

    types = content["arrays"]
    if set(types) != set(stored) or entry["sha256"] != _digest_of(content, stored):
        raise _unusable(path, "a file that is damaged: it holds other numbers than were written")
    arrays = {name: _restored(name, stored[name], types[name], gaps) for name in types}
    return content["header"], arrays


def _check_content(content: Mapping[str, Any], path: Path, kind: str) -> None:
    """Reject the content of another format or another kind of model."""
    version = int(content["format_version"])
    if version != FORMAT_VERSION:
        hint = "Fit and save the model again."
        if version > FORMAT_VERSION:
            hint = "Upgrade seqcast: pip install --upgrade seqcast"
        raise FileFormatError(
            str(path),
            expected=f"format {FORMAT_VERSION}",
            received=f"format {version}, written by seqcast {content.get('seqcast_version')}",
            hint=hint,
        )

    if content["kind"] != kind:
        raise FileFormatError(
            str(path),
            expected=f"a {kind}",
            received=f"a {content['kind']}",
            hint=f"Use {content['kind']}.load.",
        )
    if not isinstance(content["header"], dict):
        raise _unusable(path, "a file without a header")
    # Escapes of JSON may stand for half a character, which neither a frame nor a terminal takes.
    json.dumps(content, ensure_ascii=False).encode()


def _digest_of(content: Mapping[str, Any], stored: Mapping[str, Array]) -> str:
    text = np.frombuffer(json.dumps(content).encode(), np.uint8)
    return digest([text, *(stored[name] for name in content["arrays"])])


def _type(values: Array) -> str:
    return values.dtype.newbyteorder("<").str


def _stored(values: Array) -> Array:
    """Return an array as safetensors holds it: text as bytes of UTF-8, times as whole numbers."""
    values = np.asarray(values, dtype=_type(values), order="C")
    if values.dtype.kind == "U":
        encoded = np.strings.encode(values, "utf-8")
        return encoded.view(np.uint8).reshape(*values.shape, encoded.itemsize)
    return values.view(np.int64) if values.dtype.kind in "mM" else values


def _restored(name: str, values: Array, kind: str, gaps: Collection[str]) -> Array:
    """Return an array of a file in its original type."""
    if kind.startswith("<U") and values.dtype == np.uint8 and values.ndim and values.shape[-1]:
        return np.strings.decode(values.view(f"S{values.shape[-1]}")[..., 0], "utf-8")
    if values.dtype == np.int64 and _TIMES.fullmatch(kind):
        values = values.view(kind)
    if values.dtype.kind not in "biufmM" or _type(values) != kind:
        raise ValueError(f"{name} is an array of type {values.dtype}, where {kind} is expected")
    if values.dtype.kind in "fmM":
        usable = _usable(values)
        if name in gaps:
            usable |= np.isnan(values)
        if not usable.all():
            raise ValueError(
                f"{name} holds numbers that are not finite, or beyond {LARGEST_NUMBER:g}"
            )
    return values


def _usable(values: Array) -> npt.NDArray[np.bool_]:
    """Return which numbers a forecast can compute with, and which times are known."""
    if values.dtype.kind != "f":
        return ~np.isnan(values)
    most = min(LARGEST_NUMBER, float(np.finfo(values.dtype).max))
    return (values <= most) & (values >= -most)
