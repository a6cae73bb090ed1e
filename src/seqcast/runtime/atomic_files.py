"""Files and folders that appear whole or not at all; remains of killed processes are removed."""

import contextlib
import hashlib
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from seqcast.errors import SaveError, SeqcastError

# Files and folders that are being written, under temporary names.
_unfinished: set[Path] = set()
# Folders without remains of killed processes. On some shared disks a lock is seen on one machine only, so file names
# contain the machine's name.
_tidied: set[Path] = set()
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_JUST_NOW = 1.0  # seconds

# Unfinished files that are renamed together: their contexts, and each with its place and what renames it.
_Renames = list[tuple[Path, Path, Callable[[Path, Path], object]]]
_together: ContextVar[tuple[contextlib.ExitStack, _Renames] | None] = ContextVar("together", default=None)


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
        expected = "a folder to write to"
        raise SaveError(str(folder), expected=expected, received=received, hint="Choose another.") from error


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under another name and rename it, so that no reader meets half of it.

    The file has the permissions that `open` would give a new one.

    Args:
        path: The file.
        write: Writes the content to an open binary file.

    Raises:
        SaveError: The folder is missing or read-only, or the disk is full; an older file is unchanged.
    """
    target = Path(path)
    with _renamed_at_end(target, _create_file, os.replace) as temporary, temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """Yield a new folder, and rename it to its place in the end, so that no reader meets half of it.

    Args:
        folder: The place. An existing folder is replaced when all is written.

    Yields:
        The folder to write to. An exception removes it.

    Raises:
        SaveError: It cannot be made or renamed, or the disk is full.
    """
    with _renamed_at_end(folder, Path.mkdir, _take_place) as temporary:
        yield temporary


@contextlib.contextmanager
def written_together(
    renaming: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Iterator[None]:
    """Rename the files and folders that the block writes at its end: an exception leaves none of them.

    Args:
        renaming: Makes the context in which they are renamed.

    Raises:
        SaveError: One of them cannot be renamed.
    """
    with contextlib.ExitStack() as unfinished:
        renames: _Renames = []
        token = _together.set((unfinished, renames))
        try:
            yield
        finally:
            _together.reset(token)
        with renaming():
            for temporary, place, rename in renames:
                with _as_save_errors(place):
                    rename(temporary, place)


@contextlib.contextmanager
def _renamed_at_end(
    place: Path, create: Callable[[Path], object], rename: Callable[[Path, Path], object]
) -> Iterator[Path]:
    """Yield a new file or folder under a temporary name, and rename it, or leave that to `written_together`."""
    together = _together.get()
    with _as_save_errors(place), contextlib.ExitStack() as own:
        unfinished = own if together is None else together[0]
        temporary = unfinished.enter_context(_unfinished_at(place, create))
        yield temporary
        if together is None:
            rename(temporary, place)
        else:
            together[1].append((temporary, place, rename))


@contextlib.contextmanager
def _unfinished_at(place: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Create a file or folder under a temporary name, which the block renames; remains of it are removed.

    A lock on it ends with the process. So the next process of this machine recognises the remains of killed ones.
    """
    if place.parent not in _tidied:
        _tidied.add(place.parent)
        _remove_abandoned(place.parent)
    # Its length does not depend on the target's, whose name may be as long as the system allows.
    temporary = place.parent / f".{_MACHINE}{secrets.token_hex(8)}.part"
    _unfinished.add(temporary)
    try:
        create(temporary)
        with _locked(temporary):
            yield temporary
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


@contextlib.contextmanager
def _as_save_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, SeqcastError):
            raise
        received, hint = error.strerror or str(error), "Nothing was written, and an older one is unchanged."
        raise SaveError(str(place), expected="a folder to write to, with room", received=received, hint=hint) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Lock a file or folder, and yield its descriptor; `None` where another process has the lock, and on Windows."""
    descriptor, is_locked = None, False
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        # A pipe would wait for its other end, and a link lead elsewhere.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked = True
    try:
        yield descriptor if is_locked else None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files of this machine from a folder, except those that a process has locked."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f".{_MACHINE}*.part"):
            with _locked(path) as descriptor:
                # One that has just begun has no lock yet.
                if descriptor is not None and time.time() - os.fstat(descriptor).st_ctime >= _JUST_NOW:
                    _remove(path)


def remove_unfinished() -> None:
    """Remove all files and folders that are being written, because the process is about to end."""
    for temporary in tuple(_unfinished):
        _remove(temporary)


def _create_file(path: Path) -> None:
    path.open("xb").close()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def _take_place(temporary: Path, folder: Path) -> None:
    """Rename a folder to a place where another one may exist: no system replaces one with files in it."""
    if not folder.is_dir():
        os.replace(temporary, folder)
        return
    # Not the name of an unfinished folder: until the other one is in its place, this is the only copy.
    aside = folder.parent / f".{secrets.token_hex(8)}.before"
    os.replace(folder, aside)
    try:
        os.replace(temporary, folder)
    except OSError:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
