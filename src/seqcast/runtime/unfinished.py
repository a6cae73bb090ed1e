"""What is being written: names for the time being, locks that end with the process, and what killed processes leave."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

# Files and folders that are being written, under their names for the time being.
_unfinished: set[Path] = set()
# Folders in which nothing is left of processes that were killed. What is written there by other machines looks as if
# nobody held it, as on some shared disks a lock is seen on one machine only: names tell the machines from one another.
_tidied: set[Path] = set()
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_JUST_NOW = 1.0  # seconds


@contextlib.contextmanager
def part_of(folder: Path) -> Iterator[Path]:
    """Give a name in a folder for what is being written, and remove what is there of that name in the end.

    What processes of this machine left there that were killed is removed first, once a process.
    """
    if folder not in _tidied:
        _tidied.add(folder)
        _remove_abandoned(folder)
    # Its length does not depend on the target's, whose name may be as long as the system allows.
    temporary = folder / f".{_MACHINE}{secrets.token_hex(8)}.part"
    _unfinished.add(temporary)
    try:
        yield temporary
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


@contextlib.contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Hold a file or folder by a lock, which ends with the process, however that ends; not on Windows."""
    descriptor = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(temporary, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes of this machine have begun to write in a folder and nobody holds."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        for path in folder.glob(f".{_MACHINE}*.part"):
            with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
                # A pipe would wait for its other end, and a link lead elsewhere.
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # One that has just begun is not held yet.
                    if time.time() - os.fstat(descriptor).st_ctime >= _JUST_NOW:
                        _remove(path)
                finally:
                    os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def remove_unfinished() -> None:
    """Remove all files and folders that are being written, because the process is about to end."""
    for temporary in tuple(_unfinished):
        _remove(temporary)
