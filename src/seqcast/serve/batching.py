"""Queries of like shape are gathered for a moment and forecast in one call, in a thread beside the event loop.

A frame's checks, its features and a compiled program cost nearly the same for one series as for sixty-four. While a
call runs, queries gather by themselves. Where the last call had several, the next one waits a few milliseconds until as
many have come; where it had one, nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from seqcast.serve.forecasting import Outcome
from seqcast.serve.problems import too_many
from seqcast.serve.queries import Query


@dataclass(eq=False)
class _Waiting:
    query: Query
    outcome: asyncio.Future[Outcome]


@dataclass(eq=False)
class Lane:
    """A queue of queries and the thread that forecasts them.

    Args:
        run: Returns the outcome of each of some queries.
        size: Most queries in one call.
        wait: Seconds that a query waits for others at most.
        most: Most queries that wait.
        most_rows: Most rows in one call of several queries.
        retry_after: Seconds after which a query that found no place may come again.
        seen: Called with the number of queries of each call.
    """

    run: Callable[[Sequence[Query]], Sequence[Outcome]]
    size: int
    wait: float
    most: int
    most_rows: int
    retry_after: int = 1
    seen: Callable[[int], None] = lambda _: None
    _queue: deque[_Waiting] = field(default_factory=deque, init=False)
    _expected: int = field(default=1, init=False)
    _wanted: int = field(default=1, init=False)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _work: asyncio.Task[None] | None = field(default=None, init=False)
    _thread: ThreadPoolExecutor | None = field(default=None, init=False)

    @property
    def waiting(self) -> int:
        """Number of queries that wait."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to work, in the event loop that runs."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="seqcast-serve")
        self._work = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what waits is not answered."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def ask(self, query: Query) -> Any:
        """Return the answer of a query.

        Args:
            query: The query.

        Raises:
            RequestError: Too many wait.
            SeqcastError: Something is wrong with it.
        """
        if len(self._queue) >= self.most:
            raise too_many(self.most, self.retry_after)
        waiting = _Waiting(query, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if len(self._queue) >= self._wanted:
            self._arrived.set()
        try:
            outcome = await waiting.outcome
        except asyncio.CancelledError:  # nobody waits for it any more
            with contextlib.suppress(ValueError):
                self._queue.remove(waiting)
            raise
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._some(1)
            batch = await self._gathered()
            if not batch:
                continue
            self.seen(len(batch))
            queries = [each.query for each in batch]
            try:
                outcomes: Sequence[Outcome] = await loop.run_in_executor(self._thread, self.run, queries)
            except Exception as error:
                outcomes = [error] * len(batch)
            for each, outcome in zip(batch, outcomes, strict=True):
                if not each.outcome.done():  # whoever asked may be gone
                    each.outcome.set_result(outcome)

    async def _some(self, count: int) -> None:
        """Wait until so many queries have come."""
        self._wanted = count
        if len(self._queue) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def _gathered(self) -> list[_Waiting]:
        """Take the first query and those of its shape out of the queue, after a moment if more are expected."""
        if self.size > 1 and self._queue and self._queue[0].query.shape is not None and self._expected > 1:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.wait):
                    await self._some(min(self.size, self._expected))
        self._wanted = 1
        batch: list[_Waiting] = []
        rest: list[_Waiting] = []
        shape, rows = None, 0
        while self._queue and len(batch) < self.size:
            each = self._queue.popleft()
            if each.outcome.done():  # it has waited too long, or its connection is gone
                continue
            if not batch:
                shape = each.query.shape
            elif shape is None or each.query.shape != shape or rows + each.query.size > self.most_rows:
                rest.append(each)
                continue
            batch.append(each)
            rows += each.query.size
        self._queue.extendleft(reversed(rest))
        self._expected = max(1, len(batch))
        return batch
