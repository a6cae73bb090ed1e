"""The routes of the server: forecasts, backtests, models, health, readiness, metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any

from seqcast.serve.answers import choose_media_type
from seqcast.serve.bodies import read_body
from seqcast.serve.problems import RequestError
from seqcast.serve.queries import BACKTEST_OPTIONS, FORECAST_OPTIONS, Query, read_query
from seqcast.serve.service import Service

__all__ = ["ROUTES", "add_routes"]

ROUTES = frozenset(("/v1/forecast", "/v1/backtest", "/v1/models", "/healthz", "/readyz", "/metrics"))
"""Paths of the server."""

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
        return document({"status": "ready", "models": [model.name for model in service.shelf.models]})

    async def metrics(_: Request) -> Response:
        body, media_type = service.metrics.written()
        return Response(body, headers={"Content-Type": media_type})

    async def models(_: Request) -> Response:
        return document(service.described())

    def table_route(known: Sequence[str]) -> Any:
        async def answer(request: Request) -> Response:
            media_type = choose_media_type(request.headers.get("accept"))
            if not service.is_ready:
                raise _not_ready()
            with service.opened():
                query = await _within(408, "body", _query(request, known, service), service)
                request.scope.setdefault("seqcast", {}).update(model=query.name, rows=query.size)
                service.metrics.rows.labels(query.name).inc(query.size)
                given = await _within(504, "time_limit", service.ask(query), service)
                long = given.stop - given.start > _LONG_ANSWER
                data = await asyncio.to_thread(given.written, media_type) if long else given.written(media_type)
            return Response(data, media_type=media_type)

        return answer

    for path, endpoint, method in (
        ("/v1/forecast", table_route(FORECAST_OPTIONS), "POST"),
        ("/v1/backtest", table_route(BACKTEST_OPTIONS), "POST"),
        ("/v1/models", models, "GET"),
        ("/healthz", healthz, "GET"),
        ("/readyz", readyz, "GET"),
        ("/metrics", metrics, "GET"),
    ):
        # Tables are read and checked by rules of ours, so FastAPI's own reading of parameters is left out.
        app.router.add_route(path, endpoint, methods=[method], include_in_schema=False)


async def _within(status: int, where: str, work: Awaitable[Any], service: Service) -> Any:
    """Return the result of some work, and refuse what takes longer than a request may."""
    limit = service.settings.time_limit
    try:
        async with asyncio.timeout(limit):
            return await work
    except TimeoutError:
        what = "a body" if status == 408 else "an answer"
        hint = "Ask for less at a time."
        raise RequestError(status, where, expected=f"{what} within {limit:g} s", received="none", hint=hint) from None


async def _query(request: Any, known: Sequence[str], service: Service) -> Query:
    """Read what a request asks for."""
    settings, shelf = service.settings, service.shelf
    data = await _body(request, settings.max_body)
    address = list(request.query_params.multi_items())
    media_type = request.headers.get("content-type", "")

    def reading() -> Query:
        texts = frozenset(("unique_id", "ds"))
        if media_type.startswith("text/csv"):
            model = shelf.find(next((value for key, value in address if key == "model"), None))
            texts = texts if model is None else model.texts
        # Without a body nothing is asked for but what the address says.
        kind = media_type if data or media_type else "application/json"
        body = read_body(data or b"{}", kind, texts=texts, most_rows=settings.max_rows)
        return read_query(body, address, known, shelf, settings)

    return await asyncio.to_thread(reading) if len(data) > _LONG_BODY else reading()


async def _body(request: Any, most: int) -> bytes:
    """Return the body of a request, and refuse one that is too long as soon as that is seen."""
    if request.headers.get("content-encoding", "identity") != "identity":
        hint = "Send it as it is."
        raise RequestError(415, "Content-Encoding", expected="none", received="a packed body", hint=hint)
    claimed = request.headers.get("content-length", "")
    size = int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 19 else 0
    data = bytearray()
    if size <= most:
        async for chunk in request.stream():
            data += chunk
            size = len(data)
            if size > most:
                break
    if size > most:
        raise RequestError(
            413, "body", expected=f"at most {most:,} bytes", received=f"{size:,} and more", hint="Send fewer rows."
        )
    return bytes(data)


def _not_ready() -> RequestError:
    return RequestError(
        503,
        "models",
        expected="models that are ready",
        received="some still being warmed up",
        hint="Come again.",
        retry_after=2,
    )
