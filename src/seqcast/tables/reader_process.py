"""Reading of files within limits of size, memory and time, in a process that may die of one.

A small workbook, Parquet, Feather or packed file can make its reader ask for any amount of memory,
or loop. So a fresh interpreter reads it, which imports the reader alone and has limits on its
memory and its time. It answers in pieces, which are counted here. Its report of a failure becomes
an error; its prints are dropped.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, cast

import pandas as pd

from seqcast.data.frames import file_error, is_flat
from seqcast.errors import AmbiguityError, DataError, Option, Phrase, SeqcastError, unknown_name
from seqcast.runtime import FileLimits, require

PACKED = (".gz", ".zst", ".zip")
# The path that stands for standard input.
STANDARD_INPUT = Path("-")

# Text takes several times its size once it is a frame.
_TEXT_SHARE = 4
# The first bytes of packed files.
_SIGNS = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "Zstandard"}
_CELL_BYTES = 8
_ALLOW_MORE = Phrase(
    "If you trust the file, allow more: ", Option("max_size", "8GB"), ", or as much as it takes."
)
_SCRIPT = Path(__file__).with_name("reader_script.py")
_CHUNK_BYTES = 1 << 20
# Memory of the interpreter and its imports, with a margin: 75 MiB were measured.
_BASE_BYTES = 128 << 20
# Seconds for the imports, which may come from a slow disk.
_START_SECONDS = 60.0
# Least seconds for reading.
_LEAST_SECONDS = 3
# Bytes that are unpacked in a second.
_BYTES_A_SECOND = 25_000_000
# Wall time may be this many times the processor's time.
_WAITING = 1.5
_LOOK_SECONDS = 0.1
# One thread, and memory that is reserved only when it is used.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Endings of a process without memory, by itself or by the system.
_NO_MEMORY = ("memory", "SIGABRT", "SIGKILL")
# The ending of a process whose time is over.
_NO_TIME = "SIGXCPU"
# Linux alone enforces a limit on all memory that a process may write to.
_HAS_LIMIT = sys.platform.startswith("linux")


# ---------------------------------------------------------------- limits


def check_cells(path: Path, limits: FileLimits, packed: int, rows: int, columns: int) -> None:
    """Reject a table that has too many columns, or takes too much memory.

    Args:
        path: The file.
        limits: The limits.
        packed: The file's size.
        rows: Its rows.
        columns: Its columns.

    Raises:
        DataError: The table is too large.
    """
    if columns > limits.columns:
        raise file_error(path, f"at most {limits.columns:,} columns", f"{columns:,}", _ALLOW_MORE)
    size = rows * columns * _CELL_BYTES
    if size > limits.most(packed):
        received = f"{rows:,} rows of {columns:,} columns, {size:,} bytes"
        raise too_large(path, limits, packed, received)


def too_large(path: Path, limits: FileLimits, packed: int, received: str) -> DataError:
    """Build the error for a file that unpacks to too much.

    Args:
        path: The file.
        limits: The limits.
        packed: The file's own size.
        received: Its unpacked size, in words.
    """
    return file_error(path, f"at most {limits.words(packed)}", received, _ALLOW_MORE)


# ---------------------------------------------------------------- the process


@dataclass(frozen=True)
class ReaderProcess:
    """The reading of one file in a process of its own.

    Args:
        kind: The reader, by its name in `reader_script`: `Parquet`, `.gz` and the like.
        path: The file.
        limits: Limits to its unpacked size, and so to the memory of the process.
        sheet: Name of the sheet of a workbook; the first if `None`.
        names_only: Whether only the names of columns are read.
    """

    kind: str
    path: Path
    limits: FileLimits
    sheet: str | None = None
    names_only: bool = False

    def read(self) -> bytearray:
        """Read the file, and return the answer of the process: an Arrow stream, or unpacked text.

        Raises:
            DataError: The file is too large or damaged, or its reader needs too much memory or
                time, or dies.
            SpecError: There is no such sheet.
        """
        packed = self.path.stat().st_size
        most = self.limits.most(packed)
        if packed > most:
            raise too_large(self.path, self.limits, packed, f"{packed:,} bytes")

        seconds = _LEAST_SECONDS + most // _BYTES_A_SECOND
        memory = _BASE_BYTES + most
        with self._start(memory, seconds) as process, _Watch(process, memory) as watch:
            answer, errors = cast("tuple[IO[bytes], IO[bytes]]", (process.stdout, process.stderr))
            try:
                answer.read(1)
                watch.end = time.monotonic() + _WAITING * seconds
                data = _read(answer, most, self._excess())
                report = errors.read()
                code = process.wait()
            finally:
                process.kill()

        if code:
            signals = {-each.value: each.name for each in signal.Signals}
            ending = watch.reason or signals.get(code, f"exit code {code}")
            raise self._error(report, ending, seconds)
        return data

    def _start(self, memory: int, seconds: int) -> subprocess.Popen[bytes]:
        """Start a fresh interpreter.

        A forked one has other threads' locks, and a spawned one runs the user's script.
        """
        if not sys.executable or getattr(sys, "frozen", False):
            expected = "an interpreter of Python to read it with (sys.executable)"
            received = f"{sys.executable or 'none'}, as Python is embedded in a program"
            hint = "Convert the file to CSV, or read it yourself and give the frame."
            raise file_error(self.path, expected, received, hint)

        task = {
            "kind": self.kind,
            "file": str(self.path),
            "sheet": self.sheet,
            "names_only": self.names_only,
            "packages": [folder for folder in sys.path if os.path.isabs(folder)],
            "memory": memory if _HAS_LIMIT else 0,
            "seconds": seconds,
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT), json.dumps(task)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
        )

    def _error(self, report: bytes, ending: str, seconds: int) -> SeqcastError:
        """Return the error for a process that failed, from its report or else from its ending."""
        try:
            kind, *words = json.loads(report)
        except ValueError:
            kind = ending
            words = report.decode(errors="replace").splitlines()[-1:]

        if kind == "rejected":
            return file_error(self.path, *words)
        if kind == "sheet":
            return unknown_name("sheet", str(self.sheet), words)
        if kind == "sheets":
            return self._several_sheets(words)
        if kind in _NO_MEMORY:
            return self._excess()
        if kind == _NO_TIME:
            expected = f"a file that is read in {seconds} s"
            return file_error(self.path, expected, "one that takes longer", _ALLOW_MORE)
        reason = words[0] if words else f"the process that read it ended with {ending}"
        expected = f"a {self.kind} file" if self.kind in PACKED else f"a table in {self.kind}"
        return file_error(self.path, expected, f"something else ({reason})")

    def _several_sheets(self, names: list[str]) -> AmbiguityError:
        """Return the question which of several sheets with tables is meant."""
        answers = [Option("dialect.sheet", name) for name in names]
        return AmbiguityError(
            path=str(self.path),
            expected="one sheet",
            received=", ".join(map(repr, names)),
            hint=Phrase("Name it, such as ", answers[0], " or ", answers[1], "."),
            answers=answers,
        )

    def _excess(self) -> DataError:
        received = "more: the process that read it was ended"
        return too_large(self.path, self.limits, self.path.stat().st_size, received)


def _read(file: IO[bytes], most: int, error: DataError) -> bytearray:
    """Return the content of a file, or raise an error once it is longer than a limit."""
    data = bytearray()
    while chunk := file.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > most:
            raise error
    return data


class _Watch(threading.Thread):
    """A thread that kills a process when its time is over.

    It also kills one at its memory limit where the system enforces none.

    Args:
        process: The process.
        memory: Most bytes that it may take.
    """

    def __init__(self, process: subprocess.Popen[bytes], memory: int) -> None:
        super().__init__(name="seqcast-reader-watch", daemon=True)
        self._process = process
        self._memory = memory
        self._over = threading.Event()
        self.end = time.monotonic() + _START_SECONDS
        self.reason = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Check time and memory at intervals."""
        while not self.reason and not self._over.wait(_LOOK_SECONDS):
            if time.monotonic() > self.end:
                self.reason = _NO_TIME
            elif not _HAS_LIMIT and _resident_bytes(self._process.pid) > self._memory:
                self.reason = _NO_MEMORY[0]
            if self.reason:
                self._process.kill()


def _resident_bytes(process: int) -> int:
    """Return the memory of a process by POSIX's `ps`; 0 where there is no `ps`, as on Windows."""
    try:
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True
        )
        return 1024 * int(listed.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


# ---------------------------------------------------------------- binary tables


class BinaryTable(NamedTuple):
    """A table of a binary file, and where in the file it is.

    Args:
        frame: A pandas frame of numbers, text, times or flags.
        above: Number of rows above its header.
        sheet: Name of its sheet, the first of several; `None` for other files than workbooks.
        sheets: Which of several sheets it is, in words; nothing where there is one.
    """

    frame: pd.DataFrame
    above: int = 0
    sheet: str | None = None
    sheets: str = ""


def read_binary(kind: str, path: Path, limits: FileLimits, sheet: str | None = None) -> BinaryTable:
    """Read a table.

    Args:
        kind: `Parquet`, `Feather` or `Excel`.
        path: The file.
        limits: The limits.
        sheet: Name of the sheet of a workbook; the one with a table if `None`.

    Raises:
        AmbiguityError: Several sheets hold tables that do not go on with each other.
        DataError: It is too large, damaged or no table, or its reader dies.
        SpecError: There is no such sheet.
        MissingPackageError: The package that reads such files is missing.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    if kind == "Excel":
        require("fastexcel", extra="files")

    answer = ReaderProcess(kind, path, limits, sheet).read()
    table = pyarrow.ipc.open_stream(answer).read_all()
    _check_columns(path, table.schema)
    check_cells(path, limits, path.stat().st_size, table.num_rows, table.num_columns)

    # pandas writes an index without a name as such a column; its other metadata are ignored.
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    frame = table.drop_columns(index).to_pandas(ignore_metadata=True, date_as_object=False)

    about = table.schema.metadata or {}
    name = about.get(b"sheet")
    return BinaryTable(
        frame,
        above=int(about.get(b"above", 0)),
        sheet=None if name is None else name.decode(),
        sheets=about.get(b"sheets", b"").decode(),
    )


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file.

    Args:
        path: The file.

    Raises:
        DataError: It is damaged, or its reader dies.
        MissingPackageError: pyarrow is not installed.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    answer = ReaderProcess("Parquet", path, FileLimits(), names_only=True).read()
    return list(pyarrow.ipc.open_stream(answer).schema.names)


def _check_columns(path: Path, schema: Any) -> None:
    """Reject columns of lists, structures and the like, and duplicate names."""
    names = set()
    for field in schema:
        if field.name in names:
            received = f"{field.name!r} twice"
            raise file_error(path, "each column once", received, "Rename one of them.")
        names.add(field.name)
        if not is_flat(field.type):
            expected = "numbers, text, times or flags"
            hint = "Leave the column out of the file."
            raise file_error(path, expected, str(field.type)[:80], hint, column=field.name)


# ---------------------------------------------------------------- text


def read_bytes(path: Path, limits: FileLimits | None = None) -> bytearray:
    """Return the content of a file, unpacked by its suffix `.gz`, `.zst` or `.zip`.

    `-` is standard input. A process of its own unpacks, and is ended at the limit, at any size that
    the file claims.

    Args:
        path: The file.
        limits: Limits to its unpacked size; the defaults if `None`.

    Raises:
        DataError: It is too large, cannot be unpacked, holds an archive, or a zip holds several
            files.
        MissingPackageError: It is a `.zst` file and pyarrow is not installed.
    """
    limits = limits or FileLimits()
    more = too_large(path, limits, limits.size, "more")
    if path == STANDARD_INPUT:
        return _read(sys.stdin.buffer, limits.size, more)

    suffix = path.suffix.lower()
    size = path.stat().st_size
    if suffix in PACKED:
        return _unpack(path, suffix, replace(limits, small=limits.small // _TEXT_SHARE))
    if size > limits.size:
        raise too_large(path, limits, size, f"{size:,} bytes")
    with path.open("rb") as file:
        return _read(file, limits.size, more)


def _unpack(path: Path, suffix: str, limits: FileLimits) -> bytearray:
    if suffix == ".zst":
        require("pyarrow", extra="files")
    data = ReaderProcess(suffix, path, limits).read()
    for sign, kind in _SIGNS.items():
        if data.startswith(sign):
            hint = "Unpack it once and give its content."
            raise file_error(path, "text in it", f"a {kind} archive in it", hint)
    return data
