"""`seqcast app`: the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.options import count_option


def app(
    data: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A table to begin with; one is chosen on the page if absent.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at; others reach 0.0.0.0 too.")] = "127.0.0.1",
    port: Annotated[int, count_option("--port", least=0, help="Port; 0 takes a free one.")] = 8080,
    max_upload: Annotated[int, count_option("--max-upload", help="Largest file that is taken, in MiB.")] = 100,
    max_sessions: Annotated[int, count_option("--max-sessions", help="Visitors at a time.")] = 20,
    max_waiting: Annotated[int, count_option("--max-waiting", help="Trainings that wait for their turn.")] = 8,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Let other machines use the page, which knows no passwords.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name by which this machine is asked; may be repeated."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page in the browser: load a table, look at it, forecast, test, ask why, and take the result away.

    Nothing leaves this machine. Needs the extra `app`: pip install 'seqcast[app]'.

    For example:

        seqcast app

        seqcast app sales.csv

        seqcast app --port 8090 --no-browser
    """
    from seqcast.app import MEBIBYTE, AppSettings, run_page
    from seqcast.runtime import check_source

    if data is not None:
        check_source(data, expected="a file with a table")
    settings = AppSettings(
        host=host,
        port=port,
        max_upload=max_upload * MEBIBYTE,
        max_sessions=max_sessions,
        max_waiting=max_waiting,
        allow_open=allow_open,
        allow_host=tuple(allow_host or ()),
    )
    run_page(settings, data, browse=browser)
