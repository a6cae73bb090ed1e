"""Routes of a server: endpoints, and their OpenAPI description with examples that tests send."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Security
from fastapi import Query as Address
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from seqcast.serve.configuration import PRETRAINED
from seqcast.serve.forecast_requests import (
    Cell,
    ForecastOptions,
    Options,
    Query,
    find_model,
    needs_guess,
    read_options,
    read_query,
)
from seqcast.serve.forecasting import choose_media_type
from seqcast.serve.problems import MEDIA_TYPE, RequestError
from seqcast.serve.request_bodies import CSV, JSON, read_body
from seqcast.serve.service import LONG, Service
from seqcast.tables import Steps


async def _forecast(request: Request) -> Response:
    """Forecast the steps after the last rows."""
    service = _ready_service(request)
    media_type = choose_media_type(request.headers.get("accept"))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError(415, "Content-Encoding", "none", "a packed body", "Send it as it is.")
    async with _body_in_time(request, service.settings.time_limit) as body:
        query = await _query(request, body, service)
        request.scope.setdefault("seqcast", {}).update(model=query.name, rows=query.size)
        service.metrics.rows.labels(query.name).inc(query.size)
        release = service.reserve(query)
        try:
            answer = await service.ask(query)
        except BaseException:
            release()
            raise
    if query.answer_bytes > LONG:
        return _AnswerResponse(
            answer.pieces(media_type), media_type, service.settings.time_limit, release
        )
    release()
    return Response(b"".join(answer.pieces(media_type)), media_type=media_type)


class _AnswerResponse(StreamingResponse):
    """An answer that is written piece by piece; a client that reads too slowly is disconnected.

    Args:
        pieces: The pieces, which a thread makes.
        media_type: Their media type.
        limit: Seconds for all of them.
        release: Called at the end, whatever it is.
    """

    def __init__(
        self, pieces: Iterator[bytes], media_type: str, limit: float, release: Callable[[], None]
    ) -> None:
        super().__init__(pieces, media_type=media_type)
        self._limit = limit
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            async with asyncio.timeout(self._limit):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            raise ClientDisconnect from None
        finally:
            self._release()


async def _models(request: Request) -> Response:
    """List the models, their columns and the limits."""
    return JSONResponse(request.app.state.service.described())


async def _health(_: Request) -> Response:
    """Say that the process is alive."""
    return JSONResponse({"status": "alive"})


async def _readiness(request: Request) -> Response:
    """Say whether the models are ready, and which files cannot be served."""
    shelf = _ready_service(request).shelf
    models = [model.name for model in shelf.models]
    degraded = shelf.degraded
    # Still 200: the previous models answer, and with another status orchestration would send no
    # requests.
    facts = {"status": "degraded", "degraded": degraded} if degraded else {"status": "ready"}
    return JSONResponse({**facts, "models": models})


async def _metrics(request: Request) -> Response:
    """Count requests and seconds, for Prometheus."""
    text, media_type = request.app.state.service.metrics.text()
    return Response(text, headers={"Content-Type": media_type})


def _ready_service(request: Request) -> Service:
    service: Service = request.app.state.service
    if not service.shelf.ready.is_set():
        received = "some still being warmed up"
        raise RequestError(
            503, "models", "models that are ready", received, "Come again.", retry_after=2
        )
    return service


@contextlib.asynccontextmanager
async def _body_in_time(request: Request, limit: float) -> AsyncIterator[bytes]:
    """Read the body; give up a request that takes too long, or whose client has gone.

    A query that waits is then not computed; a call that has begun ends in its thread, and its
    answer is dropped.
    """
    body = None
    watcher = None

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        timer.reschedule(0.0)

    try:
        async with asyncio.timeout(limit) as timer:
            body = await request.body()
            watcher = asyncio.create_task(watch())
            try:
                yield body
            finally:
                watcher.cancel()
    except TimeoutError:
        if watcher is not None and watcher.done() and not watcher.cancelled():
            raise ClientDisconnect from None
        status, noun = (408, "a body") if body is None else (504, "an answer")
        hint = "Ask for less at a time."
        raise RequestError(
            status, "time_limit", f"{noun} within {limit:g} s", "none", hint
        ) from None


async def _query(request: Request, body: bytes, service: Service) -> Query:
    """Read the query of a request; without a body all of it is in the address."""
    address = request.query_params.multi_items()
    media_type = request.headers.get("content-type") or ("" if body else JSON)
    settings = service.settings
    is_long = len(body) > LONG

    def read_fields() -> ForecastOptions:
        fields = read_body(body or b"{}", media_type, settings.max_rows)
        return read_options(fields, address)

    options = await service.read(read_fields, in_thread=is_long)
    model = find_model(options, service.shelf, settings)
    words = None
    if needs_guess(options, model):
        table, words = await service.guess(body, media_type, Steps(options.start, options.freq))
        options = options.model_copy(update={"rows": table})
    return await service.read(
        partial(read_query, options, model, settings, words), in_thread=is_long
    )


# Method, endpoint and media type of the answer, by path.
_ROUTES = {
    "/v1/forecast": ("POST", _forecast, JSON),
    "/v1/models": ("GET", _models, JSON),
    "/healthz": ("GET", _health, JSON),
    "/readyz": ("GET", _readiness, JSON),
    "/metrics": ("GET", _metrics, "text/plain"),
}
ROUTES = frozenset(_ROUTES)


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application whose state has a service, and describe them.

    Args:
        app: The application.
    """
    for path, (method, endpoint, _) in _ROUTES.items():
        # Tables are read by rules of ours: a second reading by FastAPI would cost as much as a
        # forecast.
        app.router.add_route(path, endpoint, methods=[method], include_in_schema=False)
    described = [_described(path, has_keys=bool(app.state.service.keys)) for path in _ROUTES]
    app.openapi = lambda: get_openapi(  # type: ignore[method-assign]
        title=app.title, version=app.version, routes=[*described, *app.routes]
    )


class Problem(BaseModel):
    """Why a request got no answer (RFC 9457), with the fields of seqcast's errors."""

    type: str
    title: str
    status: int
    error: str = Field(description="Kind of error.")
    detail: str = Field(description="All of it as a sentence.")


class ForecastDocument(BaseModel):
    """Forecasts, a row for each series and step."""

    model: str
    version: str = ""
    frequency: str | int | None = None
    season_length: int | None = None
    read: str = ""
    rows: list[dict[str, Cell]]


_DAYS = [f"2024-01-{day:02d}" for day in range(1, 29)]
_VALUES = [5.0, 6.0, 7.0, 6.0, 5.0, 2.0, 1.0] * 4
_WEEK = {"model": PRETRAINED, "horizon": 7, "level": [80]}
_AS_ROWS = [
    {"unique_id": "a", "ds": day, "y": value} for day, value in zip(_DAYS, _VALUES, strict=True)
]
_AS_CSV = "unique_id,ds,y\n" + "".join(f"a,{row['ds']},{row['y']}\n" for row in _AS_ROWS)
EXAMPLES = [
    {**_WEEK, "rows": _AS_ROWS},
    {**_WEEK, "rows": {"unique_id": ["a"] * 28, "ds": _DAYS, "y": _VALUES}},
]
_TEXT = {"schema": {"type": "string"}}
_PROBLEM = {
    "description": "A problem",
    "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
}


def _fields(
    address: Annotated[Options, Address()],
    body: Annotated[ForecastOptions, Body(examples=EXAMPLES)],
) -> None:
    """Declare the parameters of a forecast for FastAPI; nobody calls this."""


def _described(path: str, *, has_keys: bool) -> APIRoute:
    """Return a route as FastAPI describes it."""
    method, endpoint, media_type = _ROUTES[path]
    content: dict[str, Any] = {
        media_type: {"schema": {"type": "object"}} if media_type == JSON else _TEXT
    }
    needed = [Security(HTTPBearer()), Security(APIKeyHeader(name="X-API-Key"))]
    dependencies = needed if has_keys and path.startswith(("/v1/", "/metrics")) else []
    extra: dict[str, Any] = {}
    if endpoint is _forecast:
        content = {JSON: {"schema": ForecastDocument.model_json_schema()}, CSV: _TEXT}
        dependencies = [*dependencies, Depends(_fields)]
        extra = {"requestBody": {"content": {CSV: {**_TEXT, "example": _AS_CSV}}}}
    return APIRoute(
        path,
        endpoint,
        name=endpoint.__name__.strip("_"),
        methods=[method],
        dependencies=dependencies,
        response_class=Response,
        responses={200: {"content": content}, "4XX": _PROBLEM, "5XX": _PROBLEM},
        openapi_extra=extra,
    )
