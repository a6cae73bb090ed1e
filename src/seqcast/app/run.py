"""Start the page: one FastAPI application with the server's API and the page, beside two processes that compute."""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from pathlib import Path
from typing import Any

from seqcast.app.settings import AppSettings
from seqcast.errors import SpecError
from seqcast.runtime.optional import require

__all__ = ["create_page_app", "run_page"]

# How long a visitor may be away, as when a laptop sleeps, before the session goes.
RECONNECT_SECONDS = 60.0


def create_page_app(settings: AppSettings | None = None, first: Path | None = None) -> Any:
    """Return the application with the API of `seqcast serve` and the page.

    Args:
        settings: How the page is served.
        first: A file that each visitor begins with.

    Returns:
        A FastAPI application; there can be one in a process, since NiceGUI has one.

    Raises:
        MissingPackageError: The extra `app` is not installed.
    """
    require("nicegui", extra="app")
    from nicegui import ui

    from seqcast.app import tasks
    from seqcast.app.page import add_page
    from seqcast.app.session import Sessions
    from seqcast.serve.app import create_app

    settings = settings or AppSettings()
    application = create_app()
    sessions = Sessions(settings)
    add_page(sessions, first)
    ui.run_with(
        application,
        title="seqcast",
        language="en-US",
        dark=None,
        storage_secret=secrets.token_hex(),
        reconnect_timeout=RECONNECT_SECONDS,
        show_welcome_message=False,
    )
    # The first forecast then waits neither for a process nor for imports.
    for queue in (sessions.trainings, sessions.answers):
        queue.worker.run(tasks.warm_up, (), _ignore, _ignore)
    return application


def run_page(settings: AppSettings, first: Path | None = None, *, browse: bool = True) -> None:
    """Serve the page until the process is interrupted.

    Args:
        settings: How it is served.
        first: A file that each visitor begins with.
        browse: Whether to open it in the browser.

    Raises:
        MissingPackageError: The extra `app` is not installed.
        SpecError: The port is taken.
    """
    uvicorn = require("uvicorn", extra="app")
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    application = create_page_app(settings, first)
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", access_log=False))
    print(f"The page is at {url} (Ctrl-C ends it)", flush=True)
    if browse:
        threading.Timer(1.0, webbrowser.open, (url,)).start()
    server.run(sockets=[listener])


def _listen(settings: AppSettings) -> socket.socket:
    """Return a socket that listens, so that a taken port is told before anything is loaded."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)  # who comes before all is loaded waits
    except OSError as error:
        listener.close()
        raise SpecError(
            "port",
            expected="an address and a port that are free",
            received=f"{settings.host}:{settings.port} ({error.strerror})",
            hint="Give another; 0 takes a free one.",
        ) from error
    return listener


def _ignore(*_: Any) -> None:
    """Drop what nobody waits for."""
