"""Files and folders that appear whole or not at all; remains of killed processes are removed."""

import contextlib
import hashlib
import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from seqcast.errors import SaveError, SeqcastError

# Files and folders that are being written, under temporary names.
_unfinished: set[Path] = set()
# Folders without remains of killed processes. On some shared disks a lock is seen on one machine
# only, so file names contain the machine's name.
_tidied: set[Path] = set()
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_JUST_NOW = 1.0  # seconds
# Seconds between attempts to rename on Windows, which rejects while another process has the file
# open.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)

# Files that are renamed together: the contexts of those that are unfinished, and the name and place
# of whole ones.
_together: ContextVar[tuple[contextlib.ExitStack, list[tuple[Path, Path]]] | None] = ContextVar(
    "together", default=None
)


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
        raise SaveError(
            str(folder), expected=expected, received=received, hint="Choose another."
        ) from error


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under another name and rename it, so that no reader meets half of it.

    The file has the permissions that `open` would give a new one.

    Args:
        path: The file.
        write: Writes the content to an open binary file.

    Raises:
        SaveError: The folder is missing or read-only, or the disk is full; an older file is
            unchanged.
    """
    target = Path(path)
    with _renamed_at_end(target, _create_file) as temporary, temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Make a folder for the files of a task, which is removed at the end of the block, or of the process by a signal.

    Args:
        parent: The folder above it; `None` is the system's for temporary files.

    Yields:
        The folder.

    Raises:
        SaveError: It cannot be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="seqcast-", dir=parent))
    except OSError as error:
        expected = "a folder for temporary files, with room"
        hint = "Name another one by the environment variable TMPDIR."
        where = str(parent or "temporary files")
        raise SaveError(
            where, expected=expected, received=error.strerror or str(error), hint=hint
        ) from error
    _unfinished.add(folder)
    try:
        yield folder
    finally:
        _remove(folder)
        _unfinished.discard(folder)


def folder_beside(folder: Path) -> contextlib.AbstractContextManager[Path]:
    """Return the context of a new folder, which is renamed to its place in the end: no reader meets half of it.

    Args:
        folder: The place. An existing folder is replaced when all is written.

    Returns:
        The context, whose value is the folder to write to. An exception removes it.

    Raises:
        SaveError: It cannot be made or renamed, or the disk is full.
    """
    return _renamed_at_end(folder, Path.mkdir)


@contextlib.contextmanager
def written_together(
    renaming: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Iterator[None]:
    """Rename the files and folders that the block writes at its end.

    Until then none is at its place. Ctrl-C in the block leaves none, and an error those that are
    whole, of which it has a note. What other threads write, or a block within this one, does not
    wait.

    Args:
        renaming: Makes the context in which they are renamed.

    Raises:
        SaveError: One of them cannot be renamed. The others are.
    """
    with contextlib.ExitStack() as unfinished:
        whole: list[tuple[Path, Path]] = []
        token = _together.set((unfinished, whole))
        error = None
        try:
            yield
        except Exception as raised:  # Ctrl-C is none
            error = raised
        finally:
            _together.reset(token)
        with renaming(), contextlib.ExitStack() as renames:
            for each in whole:
                renames.callback(_take_place, *each)
            if error is not None:
                if whole:
                    error.add_note(
                        f"Already written: {', '.join(str(place) for _, place in whole)}"
                    )
                raise error


@contextlib.contextmanager
def _renamed_at_end(place: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Yield a new file or folder under a temporary name, and rename it, or leave that to `written_together`."""
    with _as_save_errors(place), contextlib.ExitStack() as own:
        unfinished, whole = _together.get() or (own, None)
        temporary = unfinished.enter_context(_unfinished_at(place, create))
        yield temporary
        if whole is None:
            _take_place(temporary, place)
        else:
            whole.append((temporary, place))


@contextlib.contextmanager
def _unfinished_at(place: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Create a file or folder under a temporary name, which the block renames; remains of it are removed.

    A lock on it ends with the process. So the next process of this machine recognises the remains
    of killed ones.
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
        received = error.strerror or str(error)
        hint = "An older one is unchanged."
        raise SaveError(
            str(place), expected="a folder to write to, with room", received=received, hint=hint
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Lock a file or folder, and yield its descriptor; `None` where another process has the lock, and on Windows."""
    descriptor = None
    is_locked = False
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
                if (
                    descriptor is not None
                    and time.time() - os.fstat(descriptor).st_ctime >= _JUST_NOW
                ):
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


def _take_place(temporary: Path, place: Path) -> None:
    """Rename a file or folder to its place; no system replaces a folder with files in it, so that moves aside."""
    with _as_save_errors(place):
        if not (temporary.is_dir() and place.is_dir()):
            _replace(temporary, place)
            return
        # Not the name of an unfinished folder: until the other one is in its place, this is the
        # only copy.
        aside = place.parent / f".{secrets.token_hex(8)}.before"
        try:
            _replace(place, aside)
            _replace(temporary, place)
        except BaseException:
            if aside.exists() and not place.exists():
                _replace(aside, place)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    """Rename a file or folder; on Windows wait a moment for readers, such as a virus scanner, that have one open."""
    pauses = _PAUSES if sys.platform == "win32" else ()
    for seconds in pauses:
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(source, target)
