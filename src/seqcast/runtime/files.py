"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from seqcast.errors import SaveError

__all__ = ["write_beside"]


def write_beside(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under another name beside its place and rename it, so that no reader meets half of it.

    Args:
        path: Where the file goes.
        write: Writes the content to an open binary file.

    Raises:
        SaveError: The folder is missing or read-only, or the disk is full; an older file is left as it was.
    """
    target = Path(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        raise SaveError(
            str(target),
            expected="a folder to write to, with room",
            received=error.strerror or str(error),
            hint="Nothing was written, and an older file of that name is unchanged.",
        ) from error
