"""Jobs of the page: they run in turn in another process, report progress, and can be stopped.

`concurrent.futures` starts the process (spawned, since JAX's threads would not survive a fork) and
sends jobs there and results back. A pipe takes stops there and events back. A stop raises
`KeyboardInterrupt` in the function, as Ctrl-C does, so that a training keeps the best weights so
far.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from seqcast.errors import SeqcastError, WorkerDiedError
from seqcast.runtime import ALL_MEMORY, interrupt_main_thread, kill_workers

# Called with an event that a job sends about its progress.
OnEvent = Callable[[Any], None]


class QueueFullError(SeqcastError):
    """Too many jobs wait already."""


class StoppedError(SeqcastError):
    """A job was stopped before it had any result."""


class Job:
    """A job that waits or runs; `JobQueue.submit` makes it.

    Args:
        queue: Its queue.
        number: Its number in the queue.
        future: Its result.
    """

    def __init__(self, queue: JobQueue, number: int, future: Future[Any]) -> None:
        self.queue = queue
        self.number = number
        self.future = future

    @property
    def before(self) -> int:
        """Number of jobs before it, which run or wait."""
        return self.queue.jobs.index(self) if self in self.queue.jobs else 0

    def stop(self) -> None:
        """Ask it to stop.

        A training keeps its best weights, and a waiting job is dropped at its turn.
        """
        if self in self.queue.jobs:
            self.queue.send(self.number)

    async def result(self) -> Any:
        """Wait for its result.

        Raises:
            StoppedError: It was stopped before there was any result.
            WorkerDiedError: The process has died.
            Exception: The function raised it.
        """
        try:
            # The job stays in its queue when the page that waits for it is closed.
            return await asyncio.shield(asyncio.wrap_future(self.future))
        except BrokenExecutor as error:
            raise WorkerDiedError.with_advice() from error


class JobQueue:
    """The jobs of one process; a job starts the process if there is none, or if it has died.

    Args:
        max_waiting: Most jobs that wait for the one that runs.

    Attributes:
        jobs: Jobs that run or wait, in order.

    Example:
        >>> JobQueue(max_waiting=2).jobs
        []
    """

    def __init__(self, *, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self.jobs: list[Job] = []
        self._on_event: dict[int, tuple[asyncio.AbstractEventLoop, OnEvent]] = {}
        self._numbers = itertools.count()
        self._pool: ProcessPoolExecutor | None = None

    def submit(
        self, function: Callable[..., Any], *arguments: Any, on_event: OnEvent | None = None
    ) -> Job:
        """Add a job.

        Args:
            function: A function of a module, called in the process as `function(*arguments)`.
            arguments: Its arguments.
            on_event: Called in the event loop with each event that the job sends. The function then
                gets one more argument, the first: a function that sends an event.

        Returns:
            The job.

        Raises:
            QueueFullError: Too many jobs wait.
        """
        if len(self.jobs) > self.max_waiting:
            raise QueueFullError(
                "the queue",
                expected=f"at most {self.max_waiting} computations that wait",
                received=f"{len(self.jobs)} that run or wait",
                hint="Try again in a minute.",
            )
        number = next(self._numbers)
        if on_event is not None:
            self._on_event[number] = asyncio.get_running_loop(), on_event
        job = Job(self, number, self.run(_run, number, on_event is not None, function, *arguments))
        self.jobs.append(job)
        job.future.add_done_callback(lambda _: self._end(job))
        return job

    def send(self, message: int | None) -> None:
        """Tell the process which job to stop.

        Args:
            message: Its number; `None` ends the process.
        """
        with contextlib.suppress(OSError):  # it has died
            self._pipe.send(message)

    def close(self) -> None:
        """End the process; waiting jobs fail."""
        if self._pool is not None:
            self.send(None)
            self._pool.shutdown()

    def run(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run a function outside of the queue; a process that is missing or has died is started.

        Args:
            function: A function of a module.
            arguments: Its arguments.
        """
        with contextlib.suppress(BrokenExecutor):
            if self._pool is not None:
                return self._pool.submit(function, *arguments)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(theirs,))
        future = self._pool.submit(function, *arguments)
        theirs.close()
        threading.Thread(
            target=self._read, args=(self._pipe,), name="seqcast-events", daemon=True
        ).start()
        return future

    def _read(self, pipe: Connection) -> None:
        """Pass on the events that the jobs of a process send, until it ends."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, event = pipe.recv()
                with contextlib.suppress(
                    KeyError, RuntimeError
                ):  # the job has ended, or the event loop
                    loop, on_event = self._on_event[number]
                    loop.call_soon_threadsafe(on_event, event)

    def _end(self, job: Job) -> None:
        self.jobs.remove(job)
        self._on_event.pop(job.number, None)


# ---------------------------------------------------------------- in the process


class _Process:
    """The jobs of the process and its pipe."""

    pipe: Connection
    running: int | None = None
    stopped: ClassVar[set[int]] = set()
    sending = threading.Lock()


def _begin(pipe: Connection) -> None:
    """Listen for stops, and drop signals that come between two jobs."""
    _Process.pipe = pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The page's processes share a GPU, where there is one; JAX reads this when it starts.
    os.environ.setdefault(ALL_MEMORY, "false")
    threading.Thread(target=_listen, name="seqcast-stops", daemon=True).start()


def _listen() -> None:
    """Stop jobs on request; end with the page's process, also if that is killed."""
    with contextlib.suppress(EOFError, OSError):
        while (number := _Process.pipe.recv()) is not None:
            _Process.stopped.add(number)
            if _Process.running == number:
                interrupt_main_thread()
    kill_workers()
    os._exit(0)


def _run(number: int, has_events: bool, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a job, whose errors become ones that can be pickled."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            # No stop is missed: `running` is set before `stopped` is read, and `_listen` does both
            # the other way round.
            _Process.running = number
            if number in _Process.stopped:
                raise KeyboardInterrupt
            return (
                function(partial(_emit, number), *arguments) if has_events else function(*arguments)
            )
        finally:
            _Process.running = None
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        raise StoppedError("it was stopped before there was any result") from None
    except Exception as error:
        raise _sendable(error) from error


def _emit(number: int, event: Any) -> None:
    with _Process.sending, contextlib.suppress(OSError):  # the page's process may have gone
        _Process.pipe.send((number, event))


def _sendable(error: Exception) -> Exception:
    """Return an error, or its words if it cannot be pickled."""
    try:
        return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return]
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
