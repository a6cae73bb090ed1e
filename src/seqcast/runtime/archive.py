"""Files of fitted models: one zip of JSON and arrays; nothing in it is ever executed.

```
seqcast.json      format, its version, kind of model, seqcast's version, header, the list of arrays
arrays/0.npy …    plain NumPy arrays, no objects
```
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from seqcast._version import __version__
from seqcast.errors import FileFormatError, MissingFileError
from seqcast.runtime.files import write_beside

__all__ = ["FORMAT_VERSION", "read_archive", "write_archive"]

Array = npt.NDArray[Any]


Parts = tuple[dict[str, Any], dict[str, Array]]


FORMAT = "seqcast"


FORMAT_VERSION = 3


_INDEX = "seqcast.json"


_LARGEST = 8 << 30  # bytes that a file may unpack to; a zip bomb claims more


def write_archive(path: str | os.PathLike[str], kind: str, header: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write a model's file.

    Args:
        path: Where the file goes.
        kind: Name of the class, checked when the file is read.
        header: JSON types.
        arrays: Arrays of numbers, booleans, text or times, by name.

    Raises:
        SaveError: The file could not be written.
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

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_INDEX, text)
            for number, values in enumerate(arrays.values()):
                buffer = io.BytesIO()
                np.save(buffer, np.asarray(values, order="C"), allow_pickle=False)
                archive.writestr(f"arrays/{number}.npy", buffer.getvalue())

    write_beside(path, write)


def read_archive(path: str | os.PathLike[str], kind: str) -> Parts:
    """Read a model's file.

    Args:
        path: The file.
        kind: Name of the class that it has to hold.

    Returns:
        The header and the arrays, as they were written.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: The file is damaged, foreign, of another kind or of another format.
    """
    target = Path(path)
    if not target.is_file():
        raise MissingFileError(
            str(target),
            expected="a file",
            received="nothing" if not target.exists() else "a folder",
            hint="Check the path.",
        )
    try:
        with zipfile.ZipFile(target) as archive:
            return _read(archive, target, kind)
    except FileFormatError:
        raise
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        EOFError,
        OSError,
        NotImplementedError,
    ) as error:
        raise _unusable(target, f"a file that is damaged or not one ({error})") from error
    except Exception as error:  # zlib.error and the like: whatever a hostile file provokes is the file's fault
        raise _unusable(target, f"a file that is damaged ({type(error).__name__}: {error})") from error


def _unusable(path: Path, received: str) -> FileFormatError:
    return FileFormatError(
        str(path), expected="a model saved by seqcast", received=received, hint="Save the model again."
    )


def _read(archive: zipfile.ZipFile, path: Path, kind: str) -> Parts:
    if sum(item.file_size for item in archive.infolist()) > _LARGEST:
        raise _unusable(path, f"more than {_LARGEST >> 30} GiB when unpacked")
    if _INDEX not in archive.namelist():
        raise _unusable(path, "a zip file of something else")
    index = json.loads(archive.read(_INDEX))
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
    arrays = {}
    for number, name in enumerate(index["arrays"]):
        buffer = io.BytesIO(archive.read(f"arrays/{number}.npy"))
        arrays[str(name)] = np.lib.format.read_array(buffer, allow_pickle=False)
    return index["header"], arrays
