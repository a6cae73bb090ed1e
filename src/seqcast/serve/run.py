"""The server's process: uvicorn, TLS, and an end that waits for what is being answered."""

from __future__ import annotations

import gc
import socket
from typing import Any

from seqcast.errors import SpecError
from seqcast.runtime.optional import require
from seqcast.serve.app import create_app
from seqcast.serve.logs import LOGGER, log_event, write_to
from seqcast.serve.settings import ServerSettings

__all__ = ["serve"]

# Connections that the system holds until the server takes them.
_BACKLOG = 512


def serve(settings: ServerSettings, *, app: Any = None) -> None:
    """Serve until SIGTERM or Ctrl-C; what is being answered is finished first.

    Args:
        settings: The settings.
        app: An application that extends that of `create_app`; `None` is that one.

    Raises:
        SeqcastError: A model, a key or a certificate cannot be read, or the address is not free.
        MissingPackageError: A package of the extra `serve` is not installed.
    """
    uvicorn: Any = require("uvicorn", extra="serve")
    handler = write_to()
    try:
        app = create_app(settings) if app is None else app
        app.state.service.shelf.settled = _rest_garbage
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=int(settings.grace) or None,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.private_key,
        )
        _check_certificate(config)
        listener = _listener(settings)
        scheme = "http" if settings.certificate is None else "https"
        host, port = listener.getsockname()[:2]
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        log_event("start", address=address)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        LOGGER.removeHandler(handler)


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


def _listener(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens, so that the port is known before anything is answered."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise SpecError(
            "host, port",
            expected="an address of this machine that is free",
            received=f"{settings.host}:{settings.port} ({error.strerror or error})",
            hint="Choose another port; 0 lets the system choose.",
        ) from error
    listener.set_inheritable(True)
    return listener
