"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from seqcast.errors import MissingFileError, Option, Phrase, SaveError, unknown_name
from seqcast.runtime.unfinished import held, part_of

# The first entry of the zip archive that a model's file is.
MODEL_INDEX = "seqcast.json"

# The longest directory of a zip, that of some 100,000 files, and what of a zip's end tells how long it is.
_DIRECTORY_BYTES, _ZIP_END_BYTES = 16 << 20, (1 << 16) + 200

# What may be at a path that is no plain file.
_NO_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe, which - reads as standard input"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: not stat.S_ISREG(mode), "a device"),
)

# O_BINARY exists on Windows alone, where a file would else change line ends.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def check_source(path: Path, *, expected: str = "a file") -> None:
    """Refuse a path that is no plain file, before it is opened: a pipe would wait for a writer, a device never end.

    Args:
        path: The file that will be read; a link to a file is one.
        expected: What it should be, in words.

    Raises:
        MissingFileError: There is none, or it is a folder, a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
        received = next((words for is_one, words in _NO_FILES if is_one(mode)), None)
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        received = "nothing" if isinstance(error, FileNotFoundError | NotADirectoryError) else str(error)
    if received:
        raise MissingFileError(str(path), expected=expected, received=received, hint="Check the path.")


def check_directory(path: Path) -> None:
    """Refuse a zip with so long a directory that reading it would fill the memory; zipfile reads it all at once.

    Args:
        path: The file; one that is no zip passes.

    Raises:
        ValueError: It is too long.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _ZIP_END_BYTES))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    parts = [int.from_bytes(tail[place + 12 : place + 16], "little")] if place >= 0 else []
    # Of a larger zip the record before that one counts, where there is one.
    if place >= 76 and tail[place - 20 : place - 16] == b"PK\x06\x07":
        parts.append(int.from_bytes(tail[place - 36 : place - 28], "little"))
    if parts and parts[-1] > _DIRECTORY_BYTES:
        raise ValueError(f"a zip with a directory of {parts[-1]:,} bytes, more than {_DIRECTORY_BYTES:,}")


def check_target(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Refuse a path that cannot be written to, before any work starts.

    Args:
        path: The file that will be written.
        suffixes: Suffixes that its name may have; empty allows any.

    Raises:
        SaveError: The folder is missing or read-only, or the path is a folder, a pipe or a device.
        SpecError: It has another suffix.
    """
    if suffixes:
        suffix_of(path, suffixes)
    if path.is_dir():
        received: str | None = "a folder"
    elif path.exists() and not path.is_file():
        received = "a pipe, a socket or a device"
    else:
        received = _no_place(path.parent)
    if received:
        raise SaveError(str(path), expected="a file in a folder to write to", received=received, hint="Choose another.")


def _no_place(folder: Path) -> str | None:
    """Return in words why nothing can be written into a folder; `None` if something can."""
    if not folder.is_dir():
        return f"no folder {folder}"
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"the folder {folder}, which takes no file ({error.strerror})"
    return None


def suffix_of(path: Path, known: Sequence[str]) -> str:
    """Return the suffix of a file's name, in small letters and without its dot.

    Args:
        path: The file.
        known: The suffixes that it may have.

    Raises:
        SpecError: It has another one.

    Example:
        >>> suffix_of(Path("sales.CSV"), ("csv", "parquet"))
        'csv'
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in known:
        raise unknown_name(f"{path}, suffix", suffix, known)
    return suffix


# How files begin, by kind. Text without such a beginning is `csv`.
_BEGINNINGS = (
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "zip"),
    (b"\x89PNG", "png"),
    (b"%PDF", "pdf"),
    (b"<?xml", "svg"),
    (b"<svg", "svg"),
    (b"<!doctype html", "html"),
    (b"<html", "html"),
)


def file_kind(path: Path) -> str:
    """Return what a file holds, by its content: `csv` is any text that is nothing else.

    Args:
        path: A file that exists.

    Returns:
        `empty`, `csv`, `parquet`, `archive` (a model), `zip`, `png`, `pdf`, `svg`, `html` or `other`.
    """
    with path.open("rb") as file:
        beginning = file.read(4096)
    if not beginning:
        return "empty"
    start = beginning.lstrip().lower()
    for sign, kind in _BEGINNINGS:
        if start.startswith(sign.lower()):
            return "archive" if kind == "zip" and MODEL_INDEX.encode() in beginning else kind
    return "other" if b"\0" in beginning else "csv"


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
    try:
        with part_of(target.parent) as temporary:
            # The system takes the umask from these permissions. Python could only read the umask by changing it, for
            # all threads.
            descriptor = os.open(temporary, _NEW_FILE, 0o666)
            with held(temporary):
                with os.fdopen(descriptor, "wb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
    except OSError as error:
        raise SaveError(
            str(target),
            expected="a folder to write to, with room",
            received=error.strerror or str(error),
            hint="Nothing was written, and an older file of that name is unchanged.",
        ) from error


def check_new_folder(folder: Path, *, force: bool = False, suffix: str) -> None:
    """Refuse a folder that cannot appear where it should, before any work starts.

    Args:
        folder: The folder that will be written.
        force: Whether it replaces one of that name, which holds nothing but files with the suffix.
        suffix: The suffix of its files, with the dot.

    Raises:
        SaveError: The folder above it is missing or read-only, or something is there.
    """
    received, expected, hint = None, "a folder that is not there yet", "Choose another."
    entries: list[Path] = []
    if folder.is_dir():
        entries = list(folder.iterdir())
        foreign = [entry for entry in entries if entry.suffix.lower() != suffix or not entry.is_file()]
        if foreign and force:
            expected = f"a folder to replace that holds nothing but {suffix} files"
            received, hint = f"one with {foreign[0].name!r}", "Choose another, or empty it yourself."
        elif entries and not force:
            expected, received = "a folder that is not there yet, or is empty", "one that holds files"
            hint = Phrase("Choose another; ", Option("force", True), " replaces it.")
    elif folder.exists():
        received = "a file"
    received = received or _no_place(folder.parent)
    if received:
        raise SaveError(str(folder), expected=expected, received=received, hint=hint)


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """Give a new folder beside a place, and rename it to that place in the end, so that no reader meets half of it.

    Args:
        folder: The place. A folder that is there is replaced, when all is written.

    Yields:
        The folder to write to. An exception removes it.

    Raises:
        SaveError: It cannot be made or renamed, or the disk is full.
    """
    try:
        with part_of(folder.parent) as temporary:
            temporary.mkdir()
            with held(temporary):
                yield temporary
                _take_place(temporary, folder)
    except OSError as error:
        if isinstance(error, SaveError | MissingFileError):
            raise
        raise SaveError(
            str(folder),
            expected="a folder to write to, with room",
            received=error.strerror or str(error),
            hint="Nothing was written.",
        ) from error


def _take_place(temporary: Path, folder: Path) -> None:
    """Rename a folder to a place, where another one may be: no system replaces one that holds files."""
    # Not a name of what is unfinished: until the other folder is in its place, this one is all that there is.
    aside = folder.parent / f".{secrets.token_hex(8)}.before" if folder.is_dir() else None
    if aside is not None:
        os.replace(folder, aside)
    try:
        os.replace(temporary, folder)
    except OSError:
        if aside is not None:
            os.replace(aside, folder)
        raise
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
