"""`seqcast serve` and `seqcast app`: forecasts over HTTP, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seqcast.cli.console import note, print_line
from seqcast.serve import ServerSettings, entry_of, named_models
from seqcast.serve import new_key as draw_key


def serve(settings: ServerSettings, models: list[str] | None = None, new_key: str | None = None) -> None:
    """Answer forecasts over HTTP, from models and from the pretrained network; /openapi.json describes the routes.

    It listens on this machine alone unless --host says otherwise, which takes keys. Ctrl-C and SIGTERM stop it.

    For example:

        seqcast serve sales.seqcast

        seqcast serve shop=sales.seqcast web=views.seqcast --port 9000

        seqcast serve --new-key shop

        seqcast serve sales.seqcast --host 0.0.0.0 --keys keys.txt --certificate cert.pem --private-key key.pem

    Args:
        settings: Address, keys and limits.
        models: Files that `seqcast fit` wrote; none for the pretrained network.
        new_key: Print a new key and its hash, and end.
    """
    if new_key is not None:
        key = draw_key()
        entry = entry_of(new_key, key)
        note("The key, which is shown only now, and the line for the server's file of keys:")
        print_line(key)
        print_line(entry)
        return
    from seqcast.serve import serve as run

    run(replace(settings, models=named_models(models or [])))


def app(
    table: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    max_upload: int = 100,
    max_sessions: int = 20,
    max_waiting: int = 8,
    allow_open: bool = False,
    allow_host: list[str] | None = None,
    browser: bool = True,
) -> None:
    """Open a page in the browser: load a table, look at it, forecast, test, ask why, and take the result away.

    Nothing leaves this machine. Needs the extra `app`: pip install 'seqcast[app]'.

    For example:

        seqcast app

        seqcast app sales.csv

        seqcast app --port 8090 --no-browser

    Args:
        table: A table to begin with; one is chosen on the page if absent.
        host: Address to listen at; others reach 0.0.0.0 too.
        port: Port; 0 takes a free one.
        max_upload: Largest file that is taken, in MiB.
        max_sessions: Visitors at a time.
        max_waiting: Trainings that wait for their turn.
        allow_open: Let other machines use the page, which knows no passwords.
        allow_host: A name by which others ask this machine; may be repeated.
        browser: Open the page in the browser.
    """
    from seqcast.app import MEBIBYTE, AppSettings, run_page
    from seqcast.runtime import check_source

    if table is not None:
        check_source(table, expected="a file with a table")
    settings = AppSettings(
        host=host,
        port=port,
        max_upload=max_upload * MEBIBYTE,
        max_sessions=max_sessions,
        max_waiting=max_waiting,
        allow_open=allow_open,
        allow_host=tuple(allow_host or ()),
    )
    run_page(settings, table, browse=browser)
