"""The service behind the routes: its models, a lane for short queries, a lane for long ones, and counters."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seqcast.serve.batching import Lane
from seqcast.serve.configuration import PRETRAINED, ServerSettings
from seqcast.serve.forecast_requests import Query
from seqcast.serve.forecasting import answer_all
from seqcast.serve.models import ModelShelf
from seqcast.serve.monitoring import Metrics, describe_error, log_event

# Most rows of a short query, or of its answer.
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
        self.keys = settings.read_keys()
        self.metrics = Metrics(lambda: len(self.short.queue) + len(self.long.queue))
        self.shelf = ModelShelf(settings, self._on_read)
        self.short = Lane(answer_all, settings, settings.batch_size, self.metrics.batch.observe)
        # The pretrained network and large tables take long: short queries do not wait for them.
        self.long = Lane(answer_all, settings)
        # JSON takes twenty times its size while it is read: one body at a time.
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="seqcast-reader")

    @contextlib.asynccontextmanager
    async def running(self, _: Any = None) -> AsyncIterator[None]:
        """Answer queries in the block, and warm the models up meanwhile."""
        tasks = [asyncio.create_task(work) for work in (self.short.work(), self.long.work(), self._watch())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.reader.shutdown(wait=False, cancel_futures=True)
            log_event("stop")

    async def ask(self, query: Query) -> Any:
        """Return the answer of a query.

        Args:
            query: The query.

        Raises:
            RequestError: Too many queries wait.
            SeqcastError: The query is wrong.
        """
        is_short = query.shape is not None and query.load <= _FEW_ROWS
        return await (self.short if is_short else self.long).ask(query)

    def described(self) -> dict[str, Any]:
        """Return the document of `/v1/models`, JSON types."""
        limits = ("max_body", "max_rows", "max_horizon", "time_limit", "queue", "batch_size")
        return {
            "models": [model.described() for model in self.shelf.models],
            PRETRAINED: {"columns": {"unique_id": "unique_id", "ds": "ds", "y": ["y"]}, "levels": [80.0, 95.0]},
            "limits": {name: getattr(self.settings, name) for name in limits},
        }

    async def _watch(self) -> None:
        """Warm the models up, then look at their files at intervals; no error ends this."""
        while self.settings.watch or not self.shelf.ready.is_set():
            try:
                if self.shelf.ready.is_set():
                    await asyncio.to_thread(self.shelf.look)
                else:
                    await asyncio.to_thread(self.shelf.warm_up)
                    log_event("ready", models=[model.name for model in self.shelf.models])
            except Exception as error:  # such as a thread that cannot start for want of memory
                log_event("watch", error=describe_error(error))
            await asyncio.sleep(self.settings.watch or 1.0)

    def _on_read(self, name: str, error: Exception | None) -> None:
        self.metrics.loads.labels(name, "failed" if error else "loaded").inc()
        version = next((model.digest[:16] for model in self.shelf.models if model.name == name), None)
        log_event("model", model=name, version=version, error=error and describe_error(error))
