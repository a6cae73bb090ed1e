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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from seqcast.errors import SaveError, SeqcastError

# Part of the names of unfinished files. On some shared disks a lock is seen on one machine only, so
# a machine removes the remains of its own processes alone.
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
# Seconds in which a process locks the file that it has created.
_SECONDS_TO_LOCK = 1.0
# Seconds between attempts to rename on Windows, which rejects while another process has the file
# open.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)

# Files and folders that this process is writing, under temporary names.
_unfinished: set[Path] = set()
# Folders from which this process has removed the remains of killed ones.
_tidied: set[Path] = set()


@dataclass(frozen=True)
class _Group:
    """Files and folders that are renamed together.

    Args:
        cleanup: Removes those that have not been renamed.
        complete: Temporary name and place of those that are complete.
    """

    cleanup: contextlib.ExitStack
    complete: list[tuple[Path, Path]] = field(default_factory=list)

    def rename(self) -> None:
        """Rename all that are complete, also where one of them cannot be renamed."""
        with contextlib.ExitStack() as renames:
            for temporary, place in self.complete:
                renames.callback(_take_place, temporary, place)


# The group of what the current block writes, if any.
_current_group: ContextVar[_Group | None] = ContextVar("group of files", default=None)


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
        raise SaveError(
            str(folder),
            expected="a folder to write to",
            received="a file" if folder.exists() else str(error.strerror),
            hint="Choose another.",
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


def atomic_folder(folder: Path) -> contextlib.AbstractContextManager[Path]:
    """Return the context of a new folder, which takes its place at the end as a whole.

    Args:
        folder: The place. An existing folder is replaced when all is written.

    Returns:
        The context, whose value is the folder to write to. An exception removes it.

    Raises:
        SaveError: It cannot be made or renamed, or the disk is full.
    """
    return _renamed_at_end(folder, Path.mkdir)


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Make a folder for the files of a task.

    It is removed at the end of the block, or when a signal ends the process.

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
        raise SaveError(
            str(parent or "temporary files"),
            expected="a folder for temporary files, with room",
            received=error.strerror or str(error),
            hint="Name another one by the environment variable TMPDIR.",
        ) from error
    with _removed_at_end(folder):
        yield folder


@contextlib.contextmanager
def written_together(
    renaming: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Iterator[None]:
    """Rename the files and folders that the block writes at its end.

    Until then none is at its place. Ctrl-C in the block leaves none, and an error those that are
    complete, of which it has a note. The files of other threads, and of a block within this one, do
    not wait.

    Args:
        renaming: Makes the context in which they are renamed.

    Raises:
        SaveError: One of them cannot be renamed. The others are.
    """
    with contextlib.ExitStack() as cleanup:
        group = _Group(cleanup)
        token = _current_group.set(group)
        try:
            yield
        except Exception as error:  # Ctrl-C is none
            if group.complete:
                places = ", ".join(str(place) for _, place in group.complete)
                error.add_note(f"Already written: {places}")
            with renaming():
                group.rename()
            raise
        finally:
            _current_group.reset(token)

        with renaming():
            group.rename()


@contextlib.contextmanager
def _renamed_at_end(place: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Yield a new file or folder, which takes its place at the end, alone or with its group."""
    group = _current_group.get()
    with _as_save_errors(place), contextlib.ExitStack() as own:
        cleanup = own if group is None else group.cleanup
        temporary = cleanup.enter_context(_under_temporary_name(place, create))
        yield temporary

        if group is None:
            _take_place(temporary, place)
        else:
            group.complete.append((temporary, place))


@contextlib.contextmanager
def _under_temporary_name(place: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Create a file or folder, which the block renames; otherwise it is removed.

    A lock on it ends with the process. So the next process of this machine recognises the remains
    of killed ones.
    """
    if place.parent not in _tidied:
        _tidied.add(place.parent)
        _remove_abandoned(place.parent)

    # Its length does not depend on the target's, whose name may be as long as the system allows.
    temporary = place.parent / f".{_MACHINE}{secrets.token_hex(8)}.part"
    with _removed_at_end(temporary):
        create(temporary)
        with _locked(temporary):
            yield temporary


@contextlib.contextmanager
def _removed_at_end(path: Path) -> Iterator[None]:
    """Remove a file or folder that still has this name at the end of a block, or of the process."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _remove(path)
        _unfinished.discard(path)


@contextlib.contextmanager
def _as_save_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except SeqcastError:
        raise
    except OSError as error:
        raise SaveError(
            str(place),
            expected="a folder to write to, with room",
            received=error.strerror or str(error),
            hint="An older one is unchanged.",
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Lock a file or folder and yield its descriptor.

    It is `None` where another process has the lock, and on Windows.
    """
    with contextlib.ExitStack() as stack:
        locked = None
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            # A pipe would wait for its other end, and a link lead elsewhere.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = descriptor
        yield locked


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished files of this machine, except those that a process has locked."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f".{_MACHINE}*.part"):
            with _locked(path) as descriptor:
                if descriptor is None:
                    continue
                # One that has just been created has no lock yet.
                age = time.time() - os.fstat(descriptor).st_ctime
                if age >= _SECONDS_TO_LOCK:
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
    """Rename a file or folder to its place.

    No system replaces a folder with files in it, so an older one moves aside first.
    """
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
    """Rename a file or folder; on Windows wait for readers, such as a virus scanner."""
    for seconds in _PAUSES if sys.platform == "win32" else ():
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(source, target)
