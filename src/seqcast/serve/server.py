"""The server: a FastAPI application that others may extend, and its process, socket and TLS."""

import gc
import math
import socket
from collections.abc import Mapping
from typing import Any

from seqcast._version import __version__
from seqcast.errors import SpecError
from seqcast.runtime import ending_silently, require
from seqcast.serve.configuration import ServerSettings
from seqcast.serve.monitoring import log_event, logging_everything
from seqcast.serve.problems import RequestError, problem_response, shown

# Connections that wait in the system, in which a burst of silent ones leaves room for others.
BACKLOG = 2048


def create_app(
    settings: ServerSettings | None = None, *, bodies: Mapping[str, int] | None = None
) -> Any:
    """Return a FastAPI application that forecasts.

    Its models are read now, and warmed up when it starts. You may extend it as any other:
    `app.mount`, `app.include_router`, `nicegui.ui.run_with(app)`.
    Its keys guard the paths under `/v1/` and `/metrics`; other paths are yours to guard.
    `app.state.service` is the `Service`, whose `shelf` holds the models and whose `ask` answers a
    `Query`.

    Args:
        settings: The settings; `None` is a server without models, which forecasts with the
            pretrained network.
        bodies: Most bytes of a body of your own paths, by the prefix of the path; 1 MiB if absent.

    Returns:
        The application, for uvicorn or any other ASGI server.

    Raises:
        SeqcastError: A model or a key cannot be read, or the server would be open to others.
        MissingPackageError: FastAPI, jiter, prometheus-client or uvicorn is not installed.

    Example:
        >>> app = create_app()
        >>> sorted(app.openapi()["paths"])
        ['/healthz', '/metrics', '/readyz', '/v1/forecast', '/v1/models']
    """
    for package in ("fastapi", "jiter", "prometheus_client", "uvicorn"):
        require(package, extra="serve")
    from fastapi import FastAPI
    from starlette.exceptions import HTTPException

    from seqcast.serve.request_guard import Guard
    from seqcast.serve.routes import ROUTES, add_routes
    from seqcast.serve.service import Service

    service = Service(settings or ServerSettings())
    app = FastAPI(
        title="seqcast",
        version=__version__,
        lifespan=service.running,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    add_routes(app)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_middleware(Guard, service=service, routes=ROUTES, bodies=bodies or {})
    return app


async def _http_problem(request: Any, error: Any) -> Any:
    """Answer a request that Starlette rejects, such as one for an unknown path or method."""
    if error.status_code == 404:
        where = "path"
        expected = "one that GET /openapi.json lists"
        received = request.url.path
    else:
        where = "method"
        expected = (error.headers or {}).get("Allow", error.detail)
        received = request.method
    rejected = RequestError(
        error.status_code, where, expected, shown(received), **(error.headers or {})
    )
    return problem_response(rejected, request.scope.get("seqcast", {}).get("id"))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; connections wait on it until the server is ready.

    Args:
        host: Address of this machine.
        port: Port; 0 lets the system choose.

    Raises:
        SpecError: Address and port are not free.

    Example:
        >>> with listen("127.0.0.1", 0) as listener:
        ...     address_of(listener).startswith("http://127.0.0.1:")
        True
    """
    family, dual = (
        (socket.AF_INET6, socket.has_dualstack_ipv6()) if ":" in host else (socket.AF_INET, False)
    )
    try:
        return socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual
        )
    except OSError as error:
        raise SpecError(
            "host, port",
            expected="an address of this machine that is free",
            received=f"{host}:{port} ({error.strerror or error})",
            hint="Choose another port; 0 lets the system choose.",
        ) from error


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address at which a socket listens, for a browser.

    Args:
        listener: The socket.
        scheme: `http` or `https`.
    """
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def serve(settings: ServerSettings, *, app: Any = None) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are being answered are finished first.

    Args:
        settings: The settings.
        app: An application that extends that of `create_app`; `None` is that one.

    Raises:
        SeqcastError: A model, a key or a certificate cannot be read, or the address is not free.
        MissingPackageError: A package of the extra `serve` is not installed.
    """
    with logging_everything(), ending_silently():
        app = create_app(settings) if app is None else app
        app.state.service.shelf.settled = _freeze_objects
        server = server_of(app, settings)
        listener = listen(settings.host, settings.port)
        scheme = "http" if settings.certificate is None else "https"
        log_event("start", address=address_of(listener, scheme))
        server.run(sockets=[listener])


def server_of(app: Any, settings: ServerSettings) -> Any:
    """Return the uvicorn server of an application, whose connections are bounded.

    Args:
        app: The application.
        settings: Its address, certificate, limits and time to finish.

    Raises:
        SpecError: The certificate cannot be used.
    """
    import uvicorn

    from seqcast.serve.connections import Connection, Server

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        # h11 takes twice the time for a request, and thirty times for a body in chunks of a byte.
        http=Connection,
        ws_max_size=settings.max_body,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(settings.grace),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
    )
    _check_certificate(config)
    return Server(config, settings)


def _freeze_objects() -> None:
    """Exclude the present objects from later garbage collections.

    With them each collection would delay all requests by 0.3 s. Models that were replaced are
    collected first: their layers refer to each other.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _check_certificate(config: Any) -> None:
    """Reject a certificate that cannot be used, before the server listens."""
    try:
        config.load()
    except OSError as error:  # an SSLError is one
        raise SpecError(
            "certificate, private_key",
            expected="PEM files of a certificate and its key",
            received=str(error),
            hint="Check that they belong together.",
        ) from error
