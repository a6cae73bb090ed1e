"""The routes of the server: forecasts, backtests, models, health, readiness, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from seqcast.serve.answers import choose_media_type
from seqcast.serve.bodies import JSON, read_body
from seqcast.serve.options import BacktestOptions, ForecastOptions, Options
from seqcast.serve.problems import RequestError
from seqcast.serve.queries import Query, read_query
from seqcast.serve.service import Service

# Paths of the server.
ROUTES = frozenset(("/v1/forecast", "/v1/backtest", "/v1/models", "/healthz", "/readyz", "/metrics"))

# Other requests would notice how long it takes to read so many bytes, or to write so many rows: a thread does it.
_LONG_BODY, _LONG_ANSWER = 256 << 10, 2000


def add_routes(app: Any, service: Service) -> None:
    """Enter the routes in an application.

    Args:
        app: A FastAPI application.
        service: What answers.
    """
    from starlette.requests import Request
    from starlette.responses import Response

    def document(value: Any, status: int = 200) -> Response:
        return Response(json.dumps(value), status, media_type="application/json")

    async def healthz(_: Request) -> Response:
        return document({"status": "alive"})

    async def readyz(_: Request) -> Response:
        if not service.is_ready:
            raise _not_ready()
        models, degraded = [model.name for model in service.shelf.models], service.shelf.degraded
        # Still 200: the models before them answer, and orchestration would send nobody here.
        return document(
            {"status": "degraded", "models": models, "degraded": degraded}
            if degraded
            else {"status": "ready", "models": models}
        )

    async def metrics(_: Request) -> Response:
        body, media_type = service.metrics.written()
        return Response(body, headers={"Content-Type": media_type})

    async def models(_: Request) -> Response:
        return document(service.described())

    def table_route(kind: type[Options]) -> Any:
        async def answer(request: Request) -> Response:
            media_type = choose_media_type(request.headers.get("accept"))
            if not service.is_ready:
                raise _not_ready()
            data = await _body(request)
            async with _awaited(request, service.settings.time_limit):
                query = await _query(request, data, kind, service)
                request.scope.setdefault("seqcast", {}).update(model=query.name, rows=query.size)
                service.metrics.rows.labels(query.name).inc(query.size)
                given = await service.ask(query)
            long = given.stop - given.start > _LONG_ANSWER
            data = await asyncio.to_thread(given.written, media_type) if long else given.written(media_type)
            return Response(data, media_type=media_type)

        return answer

    for path, endpoint, method in (
        ("/v1/forecast", table_route(ForecastOptions), "POST"),
        ("/v1/backtest", table_route(BacktestOptions), "POST"),
        ("/v1/models", models, "GET"),
        ("/healthz", healthz, "GET"),
        ("/readyz", readyz, "GET"),
        ("/metrics", metrics, "GET"),
    ):
        # Tables are read and checked by rules of ours, so FastAPI's own reading of parameters is left out.
        app.router.add_route(path, endpoint, methods=[method], include_in_schema=False)


@contextlib.asynccontextmanager
async def _awaited(request: Any, limit: float) -> AsyncIterator[None]:
    """Give up what takes longer than a request may, and what nobody waits for any more.

    What waits for its turn is then not computed; a call that has begun ends in its thread, and nobody reads its answer.
    """
    from starlette.requests import ClientDisconnect

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        timer.reschedule(0.0)

    try:
        async with asyncio.timeout(limit) as timer:
            watcher = asyncio.create_task(watch())
            try:
                yield
            finally:
                watcher.cancel()
    except TimeoutError:
        if watcher.done() and not watcher.cancelled():
            raise ClientDisconnect from None
        hint = "Ask for less at a time."
        expected = f"an answer within {limit:g} s"
        raise RequestError(504, "time_limit", expected=expected, received="none", hint=hint) from None


async def _query(request: Any, data: bytes, kind: type[Options], service: Service) -> Query:
    """Read what a request asks for."""
    settings, shelf = service.settings, service.shelf
    address = list(request.query_params.multi_items())
    media_type = request.headers.get("content-type", "")

    def reading() -> Query:
        # Without a body nothing is asked for but what the address says.
        body = read_body(data or b"{}", media_type if data or media_type else JSON, most_rows=settings.max_rows)
        return read_query(body, address, kind, shelf, settings)

    is_long = len(data) > _LONG_BODY
    return await asyncio.get_running_loop().run_in_executor(service.reader, reading) if is_long else reading()


async def _body(request: Any) -> bytes:
    """Return the body of a request."""
    if request.headers.get("content-encoding", "identity") != "identity":
        hint = "Send it as it is."
        raise RequestError(415, "Content-Encoding", expected="none", received="a packed body", hint=hint)
    data: bytes = await request.body()
    return data


def _not_ready() -> RequestError:
    return RequestError(
        503,
        "models",
        expected="models that are ready",
        received="some still being warmed up",
        hint="Come again.",
        retry_after=2,
    )
