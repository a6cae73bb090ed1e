"""The server's process: uvicorn, its socket, TLS, and an end that waits for what is being answered."""

from __future__ import annotations

import gc
import socket
from typing import Any

from seqcast.errors import SpecError
from seqcast.runtime import require
from seqcast.serve.app import create_app
from seqcast.serve.logs import log_event, writing
from seqcast.serve.settings import ServerSettings

# Connections that the system holds until the server takes them.
BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; who comes before the server is ready waits.

    Args:
        host: Address of this machine.
        port: Port; 0 lets the system choose.

    Raises:
        SpecError: They are not free.

    Example:
        >>> with listen("127.0.0.1", 0) as listener:
        ...     address_of(listener).startswith("http://127.0.0.1:")
        True
    """
    family, dual = (socket.AF_INET6, socket.has_dualstack_ipv6()) if ":" in host else (socket.AF_INET, False)
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
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
    """Serve until SIGTERM, SIGHUP or Ctrl-C; what is being answered is finished first.

    Args:
        settings: The settings.
        app: An application that extends that of `create_app`; `None` is that one.

    Raises:
        SeqcastError: A model, a key or a certificate cannot be read, or the address is not free.
        MissingPackageError: A package of the extra `serve` is not installed.
    """
    require("uvicorn", extra="serve")
    with writing():
        app = create_app(settings) if app is None else app
        app.state.service.shelf.settled = _rest_garbage
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

    from seqcast.serve.connections import Connection, WatchedServer

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
        timeout_graceful_shutdown=int(settings.grace) or None,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
    )
    _check_certificate(config)
    return WatchedServer(config)


def _rest_garbage() -> None:
    """Leave what is there now out of later searches for garbage, each of which would hold all requests up for 0.3 s.

    Models that were replaced are found first: their layers hold each other.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _check_certificate(config: Any) -> None:
    """Refuse a certificate that cannot be used, before the server listens."""
    try:
        config.load()
    except OSError as error:  # an SSLError is one
        raise SpecError(
            "certificate, private_key",
            expected="PEM files of a certificate and its key",
            received=str(error),
            hint="Check that they belong together.",
        ) from error
