"""Checks of files before they are read or written: kinds, suffixes, limits of size."""

import numbers
import re
import stat
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seqcast.errors import MissingFileError, Option, Phrase, SaveError, SpecError, unknown_name

# The entry in the metadata of a model's file that holds its header.
MODEL_ENTRY = "seqcast"

# Kinds of paths that are no plain file.
_NO_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe, which - reads as standard input"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: not stat.S_ISREG(mode), "a device"),
)

# Characters that no name has on Windows, and names of its devices, which a suffix does not change.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_NUMBERED = {f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"}
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | _NUMBERED


def check_source(path: Path, *, expected: str = "a file") -> None:
    """Reject a path that is no plain file, before it is opened.

    A pipe would wait for a writer, and a device never end.

    Args:
        path: The file that will be read; a link to a file is one.
        expected: The expected file, in words.

    Raises:
        MissingFileError: There is none, or it is a folder, a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
        received = next((words for is_one, words in _NO_FILES if is_one(mode)), None)
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise MissingFileError(f"{path}: no such file", hint="Check the path.") from error
        received = str(error)
    if received:
        raise MissingFileError(
            str(path), expected=expected, received=received, hint="Check the path."
        )


def check_target(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Reject a path that cannot be written to, before any work starts.

    Args:
        path: The file that will be written.
        suffixes: Suffixes that its name may have; empty allows any.

    Raises:
        SaveError: The folder is missing or read-only, or the path is a folder, a pipe or a device,
            or Windows forbids the name.
        SpecError: It has another suffix.
    """
    if suffixes:
        suffix_of(path, suffixes)
    if _is_forbidden(path.name):
        raise SaveError(
            str(path),
            expected="a name that Windows allows",
            received=repr(path.name),
            hint=f"Name it {portable_name(path.name)}, for example.",
        )

    if path.is_dir():
        received: str | None = "a folder"
    elif path.exists() and not path.is_file():
        received = "a pipe, a socket or a device"
    else:
        received = _no_place(path.parent)
    if received:
        raise SaveError(
            str(path),
            expected="a file in a folder to write to",
            received=received,
            hint="Choose another.",
        )


def portable_name(name: str) -> str:
    """Return the name of a file with what Windows forbids replaced, so that every system takes it.

    A colon would begin another stream of a file, and `CON` or `NUL.csv` is a device.

    Args:
        name: The last component of a path.

    Example:
        >>> [portable_name(name) for name in ("sales.csv", "10:30?.csv", "nul.csv", "end. ")]
        ['sales.csv', '10_30_.csv', '_nul.csv', 'end']
    """
    allowed = _FORBIDDEN.sub("_", name).rstrip(". ")
    stem = allowed.partition(".")[0].rstrip()
    return f"_{allowed}" if stem.upper() in _DEVICES else allowed


def _is_forbidden(name: str) -> bool:
    """Return whether this system forbids the name of a file."""
    return sys.platform == "win32" and portable_name(name) != name


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


# Beginnings of files, by kind. Text without such a beginning is `csv`.
_BEGINNINGS = {
    b"par1": "parquet",
    b"pk\x03\x04": "zip",
    b"\x89png": "png",
    b"%pdf": "pdf",
    b"<?xml": "svg",
    b"<svg": "svg",
    b"<!doctype html": "html",
    b"<html": "html",
}
# Beginning of a model's file, after the length of its header.
_MODEL = b'{"__metadata__":{"%s"' % MODEL_ENTRY.encode()


def file_kind(path: Path) -> str:
    """Return the kind of a file by its content: `csv` is any other text.

    Args:
        path: A file that exists.

    Returns:
        `empty`, `csv`, `parquet`, `archive` (a model), `zip`, `png`, `pdf`, `svg`, `html` or
        `other`.
    """
    with path.open("rb") as file:
        beginning = file.read(4096)
    if not beginning:
        return "empty"
    if beginning[8:].startswith(_MODEL):
        return "archive"
    start = beginning.lstrip().lower()
    kinds = (kind for sign, kind in _BEGINNINGS.items() if start.startswith(sign))
    return next(kinds, "other" if b"\0" in beginning else "csv")


def check_new_folder(folder: Path, *, force: bool = False, suffix: str) -> None:
    """Reject a folder that cannot be written, before any work starts.

    Args:
        folder: The folder that will be written.
        force: Whether it replaces an existing folder that has only files with the suffix.
        suffix: The suffix of its files, with the dot.

    Raises:
        SaveError: The folder above it is missing or read-only, or the path exists.
    """
    if _is_forbidden(folder.name):
        raise SaveError(
            str(folder),
            expected="a new folder",
            received="a name that Windows forbids",
            hint=f"Name it {portable_name(folder.name)}, for example.",
        )
    if folder.is_dir():
        _check_replaced(folder, force=force, suffix=suffix)

    is_file = folder.exists() and not folder.is_dir()
    received = "a file" if is_file else _no_place(folder.parent)
    if received:
        raise SaveError(
            str(folder), expected="a new folder", received=received, hint="Choose another."
        )


def _check_replaced(folder: Path, *, force: bool, suffix: str) -> None:
    """Reject an existing folder that must not be replaced."""
    entries = list(folder.iterdir())
    if entries and not force:
        raise SaveError(
            str(folder),
            expected="a new folder, or an empty one",
            received="one that holds files",
            hint=Phrase("Choose another; ", Option("force", True), " replaces it."),
        )
    for entry in entries:
        if entry.suffix.lower() != suffix or not entry.is_file():
            raise SaveError(
                str(folder),
                expected=f"a folder to replace that holds nothing but {suffix} files",
                received=f"one with {entry.name!r}",
                hint="Choose another, or empty it yourself.",
            )


# A larger number has a square that a double cannot hold, so that no error, deviation or interval
# could be computed.
LARGEST_NUMBER = 1e150

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

# Bytes of the limit for each column that a table may have: a column takes time and memory besides
# its values.
_COLUMN_COST = 200_000


@dataclass(frozen=True)
class FileLimits:
    """Limits to the unpacked size and the columns of a file.

    They are checked on what the file claims and while it unpacks.

    Args:
        size: Most bytes that it unpacks to. The frame of a table may take a few times as much.
        ratio: Most times of its own size that it unpacks to, where that is more than `small`;
            `None` allows any.
        small: Bytes to which any file may unpack.

    Example:
        >>> limits = FileLimits()
        >>> limits.most(packed=1_000), limits.most(packed=10_000_000), limits.most(packed=10**12)
        (67108864, 1000000000, 4000000000)
        >>> FileLimits.of("8 GB").most(packed=1_000)
        8000000000
    """

    size: int = 4_000_000_000
    ratio: int | None = 100
    small: int = 64 << 20

    @classmethod
    def of(cls, max_size: object) -> Self:
        """Return the limits that a user allows.

        Args:
            max_size: Bytes, or a text such as `8 GB`, for a file of any size; `None` is the
                default.

        Raises:
            SpecError: It is no size.
        """
        return cls() if max_size is None else cls(parse_size("max_size", max_size), ratio=None)

    def most(self, packed: int) -> int:
        """Return the most bytes to which a file may unpack.

        Args:
            packed: The file's own size, in bytes.
        """
        if self.ratio is None:
            return self.size
        return min(self.size, max(self.small, self.ratio * packed))

    def words(self, packed: int) -> str:
        """Return the limit of a file in words, for the message of an error.

        Args:
            packed: The file's own size, in bytes.

        Example:
            >>> FileLimits().words(1_000), FileLimits().words(10_000_000)
            ('67.11 MB', '1000 MB, 100 times its size')
        """
        most = self.most(packed)
        text = f"{most / 1e9:.3g} GB" if most >= 2e9 else f"{most / 1e6:.4g} MB"
        is_by_ratio = self.ratio is not None and most == self.ratio * packed
        return f"{text}, {self.ratio} times its size" if is_by_ratio else text

    @property
    def columns(self) -> int:
        """Most columns of a table."""
        return max(100, self.size // _COLUMN_COST)


def parse_size(option: str, size: object) -> int:
    """Return the bytes of a size that is a number or a text.

    Args:
        option: The argument's name, for the error.
        size: Bytes, or a text such as `8 GB` or `512 MiB`.

    Raises:
        SpecError: It is no size.

    Example:
        >>> parse_size("max_size", "8 GB"), parse_size("max_size", "1.5GiB")
        (8000000000, 1610612736)
    """
    count: Any = 0
    if isinstance(size, numbers.Real) and not isinstance(size, bool):
        count = size
    elif isinstance(size, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", size.strip())
        if match and match[2].lower() in _UNITS:
            count = float(match[1]) * _UNITS[match[2].lower()]
    if not 1 <= count <= 2**63:
        raise SpecError(
            option,
            expected="a size, such as '8 GB'",
            received=repr(size),
            hint="Give bytes, or a number with kB, MB, GB, KiB, MiB or GiB.",
        )
    return int(count)
