"""Jobs for a worker process, as a page waits for them: in turn, with events on the way and a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from seqcast.app.worker import Worker
from seqcast.errors import SeqcastError


class QueueFullError(SeqcastError):
    """Too many jobs wait already."""


class StoppedError(SeqcastError):
    """A job was stopped before it had any result."""


class Job:
    """A job that waits or runs; `JobQueue.submit` makes it."""

    def __init__(self, queue: JobQueue) -> None:
        self.number = -1
        self._queue = queue
        self._done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._done.done()

    @property
    def before(self) -> int:
        """How many jobs run or wait before it."""
        return self._queue.jobs.index(self) if self in self._queue.jobs else 0

    def stop(self) -> None:
        """Ask it to stop: a training keeps the best so far."""
        self._queue.worker.stop(self.number)

    def end(self, result: Any, error: BaseException | None) -> None:
        """Set its result; called by its queue.

        Args:
            result: The result.
            error: What it raised in place of one.
        """
        if error is None:
            self._done.set_result(result)
            return
        if not isinstance(error, Exception):
            # KeyboardInterrupt would end the event loop.
            error = StoppedError("it was stopped before there was anything to keep")
        self._done.set_exception(error)
        self._done.exception()  # one that nobody waits for any more is no news

    async def result(self) -> Any:
        """Wait for its result.

        Raises:
            StoppedError: It was stopped before there was any.
            Exception: Whatever it raised.
        """
        # A page that is closed while it waits does not take the job from its queue.
        return await asyncio.shield(self._done)


class JobQueue:
    """The jobs of one worker process.

    Args:
        worker: The process.
        max_waiting: Most jobs that wait beside the one that runs.

    Attributes:
        jobs: Those that run or wait, in their order.

    Example:
        >>> JobQueue(Worker("example"), max_waiting=2).length
        0
    """

    def __init__(self, worker: Worker, *, max_waiting: int) -> None:
        self.worker, self.max_waiting = worker, max_waiting
        self.jobs: list[Job] = []

    @property
    def length(self) -> int:
        """How many jobs run or wait."""
        return len(self.jobs)

    def submit(self, function: Callable[..., Any], *arguments: Any, hear: Callable[[Any], None] | None = None) -> Job:
        """Take a job, from within the event loop.

        Args:
            function: Called as `function(tell, *arguments)` in the worker.
            arguments: Its arguments.
            hear: Called in the event loop with each event.

        Returns:
            The job.

        Raises:
            QueueFullError: Too many wait.
        """
        if self.length > self.max_waiting:
            raise QueueFullError(
                "the queue",
                expected=f"at most {self.max_waiting} computations that wait",
                received=f"{self.length} that run or wait",
                hint="Try again in a minute.",
            )
        loop = asyncio.get_running_loop()
        job = Job(self)

        def end(result: Any, error: BaseException | None) -> None:
            self.jobs.remove(job)
            job.end(result, error)

        def heard(event: Any) -> None:
            if hear is not None:
                _call_in(loop, hear, event)

        def ended(result: Any, error: BaseException | None) -> None:
            if not _call_in(loop, end, result, error):
                self.jobs.remove(job)

        job.number = self.worker.run(function, arguments, heard, ended)
        self.jobs.append(job)
        return job


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> bool:
    """Call a function in an event loop, from another thread; return whether there is a loop still."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # it has been closed
        return False
    return True
