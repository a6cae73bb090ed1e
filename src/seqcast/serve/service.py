"""The service behind the routes: models, lanes for short, long and cold queries, counters."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from seqcast.errors import WorkerDiedError
from seqcast.runtime import BoundedProcess, CompilationNeededError, ProcessLimits, compiling_nothing
from seqcast.serve.batching import Lane
from seqcast.serve.configuration import PRETRAINED, PRETRAINED_LEVELS, ServerSettings
from seqcast.serve.forecast_requests import Query
from seqcast.serve.forecasting import Outcome, answer_all
from seqcast.serve.models import ModelShelf
from seqcast.serve.monitoring import Metrics, describe_error, log_event
from seqcast.serve.problems import RequestError
from seqcast.serve.request_bodies import guess_body
from seqcast.tables import Steps

_Read = TypeVar("_Read")

# Most rows of a short query, or of its answer.
_FEW_ROWS = 5000
# Most steps of a short query, in horizons of its model: networks write step after step, and block
# after block.
_FEW_HORIZONS = 8
# Memory for a guess of columns, and most guesses that wait. A body of 16 MiB takes 300 MiB while it
# is read.
_GUESS_MEMORY = 2 << 30
_MOST_GUESSES = 8
# Bytes beyond which bodies are read, and answers written, in a thread, because other requests would
# have to wait.
LONG = 256 << 10
# Most answers of the greatest length that are being made or sent at a time.
_ANSWERS_TOGETHER = 4


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
        self.metrics = Metrics(
            lambda: sum(len(lane.queue) for lane in (self.short, self.long, self.cold))
        )
        self.shelf = ModelShelf(settings, self._on_read)
        self.short = Lane(_answer_warm, settings, settings.batch_size, self.metrics.batch.observe)
        # The pretrained network, large tables and far horizons take long: short queries do not wait
        # for them.
        self.long = Lane(_answer_warm, settings)
        # Nor does any query wait for the compilation of another one.
        self.cold = Lane(answer_all, settings, settings.batch_size)
        # JSON takes twenty times its size while it is read: one body at a time.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="seqcast-reader")
        # Guessing the columns of a table is pure Python, which would delay all other requests, and
        # takes long for some.
        self._guesser = ThreadPoolExecutor(1, thread_name_prefix="seqcast-guesser")
        self._guess_process = BoundedProcess(ProcessLimits(settings.guess_limit, _GUESS_MEMORY))
        self._guesses = 0
        self._answer_bytes = 0

    @contextlib.asynccontextmanager
    async def running(self, _: Any = None) -> AsyncIterator[None]:
        """Answer queries in the block, and warm the models up meanwhile."""
        work = (self.short.work(), self.long.work(), self.cold.work(), self._watch())
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for threads in (self._reader, self._guesser):
                threads.shutdown(wait=False, cancel_futures=True)
            self._guess_process.close()
            log_event("stop")

    def reserve(self, query: Query) -> Callable[[], None]:
        """Reserve memory for a long answer, and return a function that releases it.

        The function may be called twice. Short answers need no reserve, because the number of
        connections bounds them.

        Args:
            query: The query.

        Raises:
            RequestError: The answers that are being made or sent take too much already.
        """
        size = query.answer_bytes if query.answer_bytes > LONG else 0
        most = _ANSWERS_TOGETHER * self.settings.max_answer
        if self._answer_bytes + size > most:
            again = self.settings.retry_after
            expected = f"at most {most:,} bytes of all answers"
            raise RequestError(
                429, "answers", expected, "more", f"Retry in {again} s.", retry_after=again
            )

        reserved = [size]
        self._answer_bytes += size

        def release() -> None:
            self._answer_bytes -= sum(reserved)
            reserved.clear()

        return release

    async def ask(self, query: Query) -> Any:
        """Return the answer of a query.

        Args:
            query: The query.

        Raises:
            RequestError: Too many queries wait.
            SeqcastError: The query is wrong.
        """
        try:
            return await (self.short if _is_short(query) else self.long).ask(query)
        except CompilationNeededError:
            return await self.cold.ask(query)

    async def read(self, reading: Callable[[], _Read], *, in_thread: bool) -> _Read:
        """Return the result of a function that reads a body.

        Args:
            reading: The function.
            in_thread: Whether a thread reads, one body at a time, because other requests would have
                to wait too long.
        """
        if in_thread:
            return await asyncio.get_running_loop().run_in_executor(self._reader, reading)
        return reading()

    async def guess(self, body: bytes, media_type: str, steps: Steps) -> tuple[dict[str, Any], str]:
        """Return the table of a body whose columns have to be guessed, and the guess in words.

        Args:
            body: The body.
            media_type: Its media type.
            steps: Times of a table without times.

        Raises:
            RequestError: Too many guesses wait, or this one takes too much time or memory.
            DataError: The table is wrong, or several readings are about as likely.
        """
        if self._guesses >= _MOST_GUESSES:
            again = self.settings.retry_after
            expected = f"at most {_MOST_GUESSES} tables whose columns are guessed"
            raise RequestError(
                429, "queue", expected, "another one", f"Retry in {again} s.", retry_after=again
            )

        self._guesses += 1
        guessing = partial(
            self._guess_process.run, guess_body, body, media_type, steps, self.settings.max_rows
        )
        hint = "Name the columns unique_id, ds and y, which takes no guess."
        try:
            result: tuple[dict[str, Any], str] = await asyncio.get_running_loop().run_in_executor(
                self._guesser, guessing
            )
        except TimeoutError:
            expected = f"a table whose columns are guessed in {self.settings.guess_limit:g} s"
            raise RequestError(413, "rows", expected, "one that takes longer", hint) from None
        except (MemoryError, WorkerDiedError):
            expected = f"a table whose columns are guessed in {_GUESS_MEMORY >> 20} MiB"
            raise RequestError(413, "rows", expected, "one that takes more", hint) from None
        finally:
            self._guesses -= 1
        return result

    def described(self) -> dict[str, Any]:
        """Return the document of `/v1/models`, JSON types."""
        limits = (
            "max_body",
            "max_rows",
            "max_answer",
            "max_horizon",
            "time_limit",
            "queue",
            "batch_size",
        )
        return {
            "models": [model.described() for model in self.shelf.models],
            PRETRAINED: {
                "columns": {"unique_id": "unique_id", "ds": "ds", "y": ["y"]},
                "levels": list(PRETRAINED_LEVELS),
            },
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
        version = next(
            (model.digest[:16] for model in self.shelf.models if model.name == name), None
        )
        log_event("model", model=name, version=version, error=error and describe_error(error))


def _is_short(query: Query) -> bool:
    """Return whether a query is soon answered, together with others of its shape."""
    if query.model is None or query.shape is None or query.load > _FEW_ROWS:
        return False
    return query.steps <= _FEW_HORIZONS * int(query.model.forecaster.horizon)


def _answer_warm(queries: Sequence[Query]) -> list[Outcome]:
    """Forecast queries whose programs are compiled; see `answer_all`."""
    with compiling_nothing():
        return answer_all(queries)
