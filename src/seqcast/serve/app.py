"""The FastAPI application of a server, which other packages may extend."""

from __future__ import annotations

import contextlib
import http
from collections.abc import AsyncIterator, Mapping
from typing import Any

from seqcast._version import __version__
from seqcast.runtime import require
from seqcast.serve.gate import Gate, problem_response
from seqcast.serve.guard import Guard
from seqcast.serve.openapi import describe
from seqcast.serve.problems import RequestError
from seqcast.serve.routes import ROUTES, add_routes
from seqcast.serve.service import Service
from seqcast.serve.settings import ServerSettings


def create_app(settings: ServerSettings | None = None, *, bodies: Mapping[str, int] | None = None) -> Any:
    """Return a FastAPI application that forecasts; its models are read now and warmed up when it starts.

    It may be extended as any other: `app.mount`, `app.include_router`, `nicegui.ui.run_with(app)`. Its keys guard the
    paths under `/v1/` and `/metrics`; others are left to whoever adds them. `app.state.service` is the `Service`, whose
    `shelf` holds the models and whose `ask` answers a `Query`.

    Args:
        settings: The settings; `None` is a server without models, which forecasts with the pretrained network.
        bodies: Most bytes of a body of your own paths, by what they begin with; 1 MiB if absent.

    Returns:
        The application, for uvicorn or any other ASGI server.

    Raises:
        SeqcastError: A model or a key cannot be read, or the server would be open to others.
        MissingPackageError: FastAPI or prometheus-client is not installed.

    Example:
        >>> app = create_app()
        >>> sorted(app.openapi()["paths"])
        ['/healthz', '/metrics', '/readyz', '/v1/backtest', '/v1/forecast', '/v1/models']
    """
    fastapi: Any = require("fastapi", extra="serve")
    settings = settings or ServerSettings()
    service = Service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = fastapi.FastAPI(title="seqcast", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    add_routes(app, service)
    app.openapi = lambda: describe(has_keys=bool(service.keys))
    app.add_exception_handler(404, _no_route)
    app.add_exception_handler(405, _no_method)
    app.add_middleware(Guard, settings=settings, bodies=bodies or {})
    app.add_middleware(Gate, keys=service.keys, metrics=service.metrics, routes=ROUTES)
    return app


async def _no_route(request: Any, _: Exception) -> Any:
    error = RequestError(404, "path", expected="one that GET /openapi.json lists", received=repr(request.url.path[:80]))
    return problem_response(error, request.scope.get("seqcast", {}).get("id"))


async def _no_method(request: Any, error: Any) -> Any:
    allowed = (error.headers or {}).get("Allow", "another method")
    method = request.method if request.method in set(http.HTTPMethod) else "another"
    refused = RequestError(405, "method", expected=allowed, received=method)
    response = problem_response(refused, request.scope.get("seqcast", {}).get("id"))
    response.headers["Allow"] = allowed
    return response
