"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from seqcast.errors import SaveError

__all__ = ["make_folder", "write_beside"]

# O_BINARY exists on Windows alone, where a file would else change line ends.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Args:
        folder: The folder.

    Raises:
        SaveError: It cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        received = "a file" if folder.exists() else str(error.strerror)
        raise SaveError(
            str(folder), expected="a folder to write to", received=received, hint="Choose another."
        ) from error


def write_beside(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under another name beside its place and rename it, so that no reader meets half of it.

    The file has the permissions that `open` would give a new one.

    Args:
        path: Where the file goes.
        write: Writes the content to an open binary file.

    Raises:
        SaveError: The folder is missing or read-only, or the disk is full; an older file is left as it was.
    """
    target = Path(path)
    # Its length does not depend on the target's, whose name may be as long as the system allows.
    temporary = target.parent / f".{secrets.token_hex(8)}.part"
    created = False
    try:
        # The system takes the umask from these permissions. Python could only read the umask by changing it, for all
        # threads.
        descriptor = os.open(temporary, _NEW_FILE, 0o666)
        created = True
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        if created:
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
