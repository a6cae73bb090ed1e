"""What answers requests: the models, a lane for short queries, a lane for long ones, and metrics."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from seqcast.serve.batching import Lane
from seqcast.serve.forecasting import answer_all
from seqcast.serve.keys import ApiKeys
from seqcast.serve.logs import describe_error, log_event
from seqcast.serve.metrics import Metrics
from seqcast.serve.models import ModelShelf
from seqcast.serve.queries import Query
from seqcast.serve.settings import PRETRAINED, ServerSettings

# Rows of a query that still goes with others.
_FEW_ROWS = 5000


class Service:
    """Answers queries; its methods run in one event loop.

    Args:
        settings: Settings of the server.

    Raises:
        SeqcastError: A model or a key cannot be read, or the server would be open to others.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.keys = ApiKeys.read(settings.keys)
        settings.check_open(has_keys=bool(self.keys))
        self.metrics = Metrics(lambda: self.short.waiting + self.long.waiting)
        self.shelf = ModelShelf(settings, self._told)
        lane = partial(
            Lane, answer_all, most=settings.queue, most_rows=settings.max_rows, retry_after=settings.retry_after
        )
        seen = self.metrics.batch.observe
        self.short = lane(size=settings.batch_size, wait=settings.batch_wait, seen=seen)
        # Backtests, the pretrained network and large tables take long: short queries do not stand behind them.
        self.long = lane(size=1, wait=0.0)
        # JSON takes twenty times its size while it is read: one body at a time.
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="seqcast-reader")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_ready(self) -> bool:
        """Whether all models have been warmed up."""
        return self.shelf.ready.is_set()

    async def start(self) -> None:
        """Begin to work; the models are warmed up meanwhile."""
        self.short.start()
        self.long.start()
        self._tasks = [asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.short.stop()
        await self.long.stop()
        self.reader.shutdown(wait=False, cancel_futures=True)
        log_event("stop")

    async def ask(self, query: Query) -> Any:
        """Return the answer of a query.

        Args:
            query: The query.

        Raises:
            RequestError: Too many wait.
            SeqcastError: Something is wrong with it.
        """
        short = query.shape is not None and query.size <= _FEW_ROWS
        return await (self.short if short else self.long).ask(query)

    def described(self) -> dict[str, Any]:
        """Return what `/v1/models` tells, JSON types."""
        limits = self.settings
        return {
            "models": [model.described() for model in self.shelf.models],
            PRETRAINED: {"columns": {"unique_id": "unique_id", "ds": "ds", "y": ["y"]}, "levels": [80.0, 95.0]},
            "limits": {
                name: getattr(limits, name)
                for name in ("max_body", "max_rows", "max_horizon", "time_limit", "queue", "batch_size")
            },
        }

    async def _watch(self) -> None:
        """Warm the models up, then look at their files now and then; nothing that fails ends this."""
        while self.settings.watch or not self.is_ready:
            work = self.shelf.look if self.is_ready else self.shelf.warm_up
            try:
                await asyncio.to_thread(work)
                if work == self.shelf.warm_up:
                    log_event("ready", models=[model.name for model in self.shelf.models])
            except Exception as error:  # a thread that cannot be started, for want of memory
                log_event("watch", error=describe_error(error))
            await asyncio.sleep(self.settings.watch or 1.0)

    def _told(self, name: str, error: Exception | None) -> None:
        self.metrics.loads.labels(name, "failed" if error else "loaded").inc()
        version = {model.name: model.digest[:16] for model in self.shelf.models}.get(name)
        log_event("model", model=name, version=version, error=None if error is None else describe_error(error))
