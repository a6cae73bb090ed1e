"""Files whose reader trusts what they claim, read by a process that may die of it.

A workbook, a Parquet or Feather file or a packed one can be small and let its reader ask for any amount of memory, or
loop. So a fresh interpreter reads it, which imports the reader alone and has limits on its memory and its time. It
answers in pieces, which are counted here. What it says when it dies becomes an error; what it prints goes nowhere.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar, cast

from seqcast.data.frames.excess import allow_more, too_large
from seqcast.errors import DataError, Phrase, SeqcastError, unknown_name
from seqcast.runtime import FileLimits

T = TypeVar("T")

_SCRIPT = Path(__file__).with_name("reader_script.py")
_CHUNK_BYTES = 1 << 20
# What the interpreter and its imports take, and some more: 75 MiB where it was measured.
_BASE_BYTES = 128 << 20
# Seconds for the imports, which may come from a slow disk; then for reading: at least, and what is unpacked in one.
_START_SECONDS, _LEAST_SECONDS, _BYTES_A_SECOND = 60.0, 3, 25_000_000
# The clock may run so many times longer than the processor works.
_WAITING = 1.5
_LOOK_SECONDS = 0.1
_IN_WORDS = {"parquet": "Parquet", "columns": "Parquet", "feather": "Feather", "excel": "Excel"}
# One thread, and memory that is asked for when it is used.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# How a process ends that gets no memory, by itself or by the system; and one whose time is over.
_NO_MEMORY, _NO_TIME = ("memory", "SIGABRT", "SIGKILL"), "SIGXCPU"
# Linux alone keeps to a limit on all memory that a process may write to.
_HAS_LIMIT = sys.platform.startswith("linux")


@dataclass(frozen=True)
class ReaderProcess:
    """The reading of one file in a process of its own.

    Args:
        kind: What reads it, as in `reader_script`.
        path: The file.
        limits: To how much it may unpack; the process may take so much memory.
        sheet: Name of the sheet of a workbook; the first if `None`.
    """

    kind: str
    path: Path
    limits: FileLimits
    sheet: str | None = None

    def ask(self, take: Callable[[IO[bytes]], T]) -> T:
        """Read the file.

        Args:
            take: Reads the answer, of which it gets as much as the limits allow; called with a binary file.

        Returns:
            What `take` returns.

        Raises:
            DataError: The file is too large or damaged, or its reader needs too much memory or time, or dies.
            SpecError: There is no such sheet.
        """
        packed = self.path.stat().st_size
        most = self.limits.most(packed)
        if packed > most:
            raise too_large(self.path, self.limits, packed, f"{packed:,} bytes")
        seconds, memory = _LEAST_SECONDS + most // _BYTES_A_SECOND, _BASE_BYTES + most
        failure: Exception | None = None
        with self._start(memory, seconds) as process, _Watch(process, memory) as watch:
            answer, errors = cast("tuple[IO[bytes], IO[bytes]]", (process.stdout, process.stderr))
            try:
                answer.read(1)
                watch.end = time.monotonic() + _WAITING * seconds
                try:
                    taken = take(cast("IO[bytes]", _Bounded(answer, most, self._excess)))
                except SeqcastError:
                    raise
                except Exception as error:  # whatever an answer provokes that ends too early
                    failure = error
                while answer.read(_CHUNK_BYTES):
                    pass
                said, code = errors.read(), process.wait()
            finally:
                process.kill()
        if code:
            raise self._error(said, watch.reason or _ending(code), seconds) from failure
        if failure is not None:
            reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
            raise self._something_else(reason) from failure
        return taken

    def _start(self, memory: int, seconds: int) -> subprocess.Popen[bytes]:
        """Start a fresh interpreter: a forked one has other threads' locks, a spawned one runs the user's script."""
        if not sys.executable or getattr(sys, "frozen", False):
            raise self._data_error(
                "an interpreter of Python to read it with (sys.executable)",
                f"{sys.executable or 'none'}, as Python is embedded in a program",
                "Convert the file to CSV, or read it yourself and give the frame.",
            )
        packages = [folder for folder in sys.path if os.path.isabs(folder)]
        task: dict[str, Any] = {"kind": self.kind, "file": str(self.path), "sheet": self.sheet, "packages": packages}
        task |= {"memory": memory if _HAS_LIMIT else 0, "seconds": seconds}
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT), json.dumps(task)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
        )

    def _error(self, said: bytes, ending: str, seconds: int) -> SeqcastError:
        """Return the error for a process that failed: by what it said, or else by how it ended."""
        try:
            kind, *words = json.loads(said)
        except ValueError:
            kind, words = ending, said.decode(errors="replace").splitlines()[-1:]
        if kind == "refused":
            return self._data_error(*words)
        if kind == "sheet":
            return unknown_name("sheet", str(self.sheet), words)
        if kind in _NO_MEMORY:
            return self._excess()
        if kind == _NO_TIME:
            return self._data_error(f"a file that is read in {seconds} s", "one that takes longer", allow_more())
        return self._something_else(words[0] if words else f"the process that read it ended with {ending}")

    def _something_else(self, reason: str) -> DataError:
        expected = f"a table in {_IN_WORDS[self.kind]}" if self.kind in _IN_WORDS else f"a {self.kind} file"
        return self._data_error(expected, f"something else ({reason})", "Check the file.")

    def _data_error(self, expected: str, received: str, hint: str | Phrase) -> DataError:
        return DataError(path=str(self.path), expected=expected, received=received, hint=hint)

    def _excess(self) -> DataError:
        received = "more: the process that read it was ended"
        return too_large(self.path, self.limits, self.path.stat().st_size, received)


def _ending(code: int) -> str:
    """Return in a word how a process ended."""
    known = {-each.value: each.name for each in signal.Signals}
    return known.get(code, f"exit code {code}")


class _Bounded:
    """A file that raises an error where more is read of it than it may hold."""

    closed = False

    def __init__(self, file: IO[bytes], most: int, error: Callable[[], Exception]) -> None:
        self._file, self._left, self._error = file, most, error

    def read(self, size: int) -> bytes:
        """Return the next bytes, so many if there are."""
        data = self._file.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise self._error()
        return data


class _Watch(threading.Thread):
    """A thread that kills a process when its time is over, or when it is too large where no limit holds.

    Args:
        process: The process.
        memory: Most bytes that it may take.
    """

    def __init__(self, process: subprocess.Popen[bytes], memory: int) -> None:
        super().__init__(name="seqcast-reader-watch", daemon=True)
        self._process, self._memory, self._over = process, memory, threading.Event()
        self.end, self.reason = time.monotonic() + _START_SECONDS, ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look from time to time."""
        while not self.reason and not self._over.wait(_LOOK_SECONDS):
            if time.monotonic() > self.end:
                self.reason = _NO_TIME
            elif not _HAS_LIMIT and _resident_bytes(self._process.pid) > self._memory:
                self.reason = _NO_MEMORY[0]
            if self.reason:
                self._process.kill()


def _resident_bytes(process: int) -> int:
    """Return what a process takes in memory as POSIX's `ps` says; 0 where there is none, as on Windows."""
    try:
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
        return 1024 * int(said.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0
