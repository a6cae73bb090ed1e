"""The start of the page: an application with the page and the server's API, and its server."""

import secrets
import threading
import webbrowser
from pathlib import Path
from typing import Any

from seqcast import serve
from seqcast.app.settings import AppSettings
from seqcast.app.visitors import Sessions
from seqcast.runtime import require

# The session of a visitor who is away for longer ends; a laptop may sleep for a while.
RECONNECT_SECONDS = 60.0
# Prefix of the paths of NiceGUI that take files.
UPLOADS = "/_nicegui/client/"


def create_page_app(settings: AppSettings | None = None, first: Path | None = None) -> Any:
    """Return the application with the API of `seqcast serve` and the page.

    Args:
        settings: Address and limits of the page.
        first: File to open for each visitor.

    Returns:
        A FastAPI application; a process can have only one, since NiceGUI has one.

    Raises:
        MissingPackageError: The extra `app` is not installed.
    """
    require("nicegui", extra="app")
    from nicegui import ui

    from seqcast.app.computations import warm_up
    from seqcast.app.webpage import add_page

    settings = settings or AppSettings()
    # A form around the file takes some bytes too.
    application = serve.create_app(
        settings.of_api, bodies={UPLOADS: (settings.max_upload + 1) << 20}
    )
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
    sessions.trainings.run(warm_up)
    sessions.answers.run(warm_up)
    return application


def run_page(settings: AppSettings, first: Path | None = None, *, browse: bool = True) -> None:
    """Serve the page until the process is interrupted.

    Args:
        settings: Address and limits of the page.
        first: File to open for each visitor.
        browse: Whether to open the page in the browser.

    Raises:
        MissingPackageError: The extra `app` is not installed.
        SpecError: The port is taken.
    """
    require("nicegui", extra="app")

    listener = serve.listen(settings.host, settings.port)
    # A browser cannot open the address that stands for all addresses.
    url = serve.address_of(listener).replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
    server = serve.server_of(create_page_app(settings, first), settings.of_api)
    print(f"The page is at {url} (Ctrl-C ends it)", flush=True)
    if browse:
        threading.Timer(1.0, webbrowser.open, (url,)).start()
    server.run(sockets=[listener])
