"""Batching: queries of one shape are gathered and forecast in one call, in a separate thread.

A frame's checks, its features and a compiled program cost nearly the same for one series as for
sixty-four. While a call runs, queries gather by themselves. After a call of several queries, the
next one waits a few milliseconds for the same number; after a call of one, nobody waits.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seqcast.serve.configuration import ServerSettings
from seqcast.serve.forecast_requests import Query
from seqcast.serve.forecasting import Outcome
from seqcast.serve.problems import RequestError

_Waiting = tuple[Query, asyncio.Future[Outcome]]


class Lane:
    """A queue of queries and the thread that forecasts them.

    Args:
        run: Returns the outcomes of queries.
        settings: Limits of the queue, of the wait for other queries, and of the rows in one call of
            several queries.
        size: Most queries in one call.
        on_call: Called with the number of queries of each call.

    Attributes:
        queue: The queries that wait.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Query]], Sequence[Outcome]],
        settings: ServerSettings,
        size: int = 1,
        on_call: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.run = run
        self.settings = settings
        self.size = size
        self.on_call = on_call
        self.queue: deque[_Waiting] = deque()
        # Queries of the last call, and the number of waiting queries that starts the next one.
        self._expected = self._wanted = 1
        self._arrived = asyncio.Event()

    async def ask(self, query: Query) -> Any:
        """Return the answer of a query.

        Args:
            query: The query.

        Raises:
            RequestError: Too many queries wait.
            SeqcastError: The query is wrong.
        """
        if len(self.queue) >= self.settings.queue:
            expected = f"at most {self.settings.queue} requests that wait"
            again = self.settings.retry_after
            hint = f"Come again in {again} s."
            raise RequestError(429, "queue", expected, "another one", hint, retry_after=again)
        waiting: _Waiting = (query, asyncio.get_running_loop().create_future())
        self.queue.append(waiting)
        if len(self.queue) >= self._wanted:
            self._arrived.set()
        try:
            outcome = await waiting[1]
        except asyncio.CancelledError:  # nobody waits for it any more
            with contextlib.suppress(ValueError):
                self.queue.remove(waiting)
            raise
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def work(self) -> None:
        """Answer queries until this is cancelled; queries that wait then get no answer."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="seqcast-serve")
        try:
            while True:
                await self._wait_for(1)
                if batch := await self._gathered():
                    self.on_call(len(batch))
                    await self._answer(batch, thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, batch: Sequence[_Waiting], thread: ThreadPoolExecutor) -> None:
        outcomes: Sequence[Outcome]
        try:
            queries = [query for query, _ in batch]
            outcomes = await asyncio.get_running_loop().run_in_executor(thread, self.run, queries)
        except Exception as error:
            outcomes = [error] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():  # the client may be gone
                future.set_result(outcome)

    async def _wait_for(self, count: int) -> None:
        """Wait until a number of queries have come."""
        self._wanted = count
        if len(self.queue) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def _gathered(self) -> list[_Waiting]:
        """Take the first query and all of its shape out of the queue.

        If more are expected, it waits for them for a moment.
        """
        if self.queue and self.queue[0][0].shape is not None and self._expected > 1:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.batch_wait / 1000):
                    await self._wait_for(min(self.size, self._expected))
        self._wanted = 1
        batch: list[_Waiting] = []
        rest: list[_Waiting] = []
        shape = None
        rows = 0
        while self.queue and len(batch) < self.size:
            each = self.queue.popleft()
            query, future = each
            if future.done():  # it has waited too long, or its connection is gone
                continue
            if not batch:
                shape = query.shape
            elif (
                shape is None or query.shape != shape or rows + query.load > self.settings.max_rows
            ):
                rest.append(each)
                continue
            batch.append(each)
            rows += query.load
        self.queue.extendleft(reversed(rest))
        self._expected = max(1, len(batch))
        return batch
