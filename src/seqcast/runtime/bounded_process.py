"""A process with limits of time and memory, for work on data of strangers.

Such work may turn out slow or large. Python cannot stop a thread. A function that computes in pure
Python also holds the interpreter's lock most of the time, so every other thread waits for it. A
process of its own delays nobody, and is killed when its time is over.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from seqcast.errors import WorkerDiedError
from seqcast.runtime.worker_starts import ctrl_c_blocked, end_with_parent, ignore_warnings_of_loky

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

Result = TypeVar("Result")

# Seconds until an idle process ends, which gives its memory back.
IDLE_SECONDS = 300.0
# Seconds for the start of the process and its imports, which may come from a slow disk.
START_SECONDS = 60.0
# Steps by which the process is less urgent than the one that started it.
NICENESS = 10
# One thread, because the work is not numeric, and memory that is reserved only when it is used.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class ProcessLimits:
    """Limits of one call in a `BoundedProcess`.

    Args:
        seconds: Most seconds.
        memory: Most bytes beyond what the process takes after its start. Only Linux enforces this
            limit.
    """

    seconds: float
    memory: int


class BoundedProcess:
    """Call functions in one process, one after another, within limits of time and memory.

    The first call starts the process; so does the next call after one that was killed. It neither
    forks nor imports the user's script again. It ends when it has been idle for some minutes, and
    with the process that started it.

    Args:
        limits: The limits of each call.

    Example:
        >>> process = BoundedProcess(ProcessLimits(seconds=30, memory=1 << 30))
        >>> process.run(divmod, 7, 2)
        (3, 1)
        >>> process.close()
    """

    def __init__(self, limits: ProcessLimits) -> None:
        self.limits = limits
        self._turn = threading.Lock()
        # Held for a moment where the executor changes, since `close` waits for no turn.
        self._changing = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._is_closed = False

    def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function and return its result; wait for earlier calls first.

        Args:
            function: A function of a module, or one that cloudpickle can send.
            arguments: Its arguments.

        Raises:
            TimeoutError: It took too long. The process was killed.
            MemoryError: It needed too much memory.
            WorkerDiedError: The process has died, or was closed meanwhile.
            Exception: The function raised it.
        """
        from joblib.externals.loky.process_executor import ShutdownExecutorError

        with self._turn:
            executor = self._started()
            try:
                # The process starts where there is none, or where an idle one has ended, and
                # imports the function's module. Neither is a part of the time of the call.
                self._call(executor, START_SECONDS, callable, function)
                return self._call(executor, self.limits.seconds, function, *arguments)
            except (BrokenExecutor, ShutdownExecutorError) as error:
                self._kill(executor)
                raise WorkerDiedError.with_advice() from error

    def close(self) -> None:
        """End the process at once, for good; a running call fails with a `WorkerDiedError`."""
        self._is_closed = True
        self._kill(self._executor)

    def _started(self) -> ProcessPoolExecutor:
        from joblib.externals.loky import ProcessPoolExecutor

        with self._changing:
            if self._is_closed:
                raise WorkerDiedError.with_advice("that it was closed")
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    1,
                    timeout=IDLE_SECONDS,
                    env=ENVIRONMENT,
                    initializer=_begin,
                    initargs=(os.getpid(), self.limits.memory),
                )
            return self._executor

    def _call(
        self,
        executor: ProcessPoolExecutor,
        seconds: float,
        function: Callable[..., Result],
        *arguments: object,
    ) -> Result:
        ignore_warnings_of_loky()
        with ctrl_c_blocked():  # loky starts the process here
            future: Future[Result] = executor.submit(function, *arguments)
        try:
            return future.result(seconds)
        finally:
            # The time is over, or Ctrl-C was pressed: nobody waits for the result any more.
            if not future.done():
                self._kill(executor)

    def _kill(self, executor: ProcessPoolExecutor | None) -> None:
        """End the process of an executor at once; the next call starts another one."""
        with self._changing:
            if executor is not self._executor:
                return  # another thread has ended it
            self._executor = None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)


def _begin(parent: int, memory: int) -> None:
    """Let the process end with its parent, give way to more urgent work, and limit its memory."""
    end_with_parent(parent)
    with contextlib.suppress(AttributeError, OSError):  # Windows
        os.nice(NICENESS)
    with contextlib.suppress(ImportError, FileNotFoundError):  # Windows; macOS
        _limit_memory(memory)


def _limit_memory(extra: int) -> None:
    """Limit the memory of this process to what it has now and some more."""
    import resource

    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        sizes = dict(line.split(":", 1) for line in file)

    most = 1024 * int(sizes["VmData"].split()[0]) + extra
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
