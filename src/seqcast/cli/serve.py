"""`seqcast serve`: forecasts over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import note, print_line
from seqcast.cli.options import count_option, parse_number


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=]MODEL", help="Files that `seqcast fit` wrote; none for the pretrained network."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, count_option("--port", least=0, help="Port; 0 lets the system choose.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="File with hashes of API keys; $SEQCAST_API_KEYS if absent."),
    ] = None,
    allow_open: Annotated[bool, typer.Option("--allow-open", help="Let other machines ask without a key.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name by which this machine is asked; may be repeated."),
    ] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Print a new key and its hash, and end.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Certificate for TLS, PEM.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", metavar="FILE", help="Private key of the certificate, PEM.")
    ] = None,
    max_body: Annotated[int, count_option("--max-body", help="Most bytes of a request.")] = 16 << 20,
    max_rows: Annotated[int, count_option("--max-rows", help="Most rows of a request and of an answer.")] = 100_000,
    max_horizon: Annotated[int, count_option("--max-horizon", help="Most steps of a forecast.")] = 1000,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Memory that a model may unpack to, as 8GB.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", parser=parse_number, metavar="SECONDS", help="Time for a request.")
    ] = 30.0,
    queue: Annotated[int, count_option("--queue", help="Requests that wait at most; more get a 429.")] = 256,
    batch_size: Annotated[
        int, count_option("--batch-size", help="Requests forecast in one call at most; 1 is no batching.")
    ] = 64,
    batch_wait: Annotated[
        float,
        typer.Option(
            "--batch-wait", parser=parse_number, metavar="MS", help="Milliseconds that a request waits for others."
        ),
    ] = 4.0,
    watch: Annotated[
        float,
        typer.Option(
            "--watch", parser=parse_number, metavar="SECONDS", help="Time between looks at the files; 0 is never."
        ),
    ] = 2.0,
    grace: Annotated[
        float,
        typer.Option("--grace", parser=parse_number, metavar="SECONDS", help="Time to finish when stopped."),
    ] = 30.0,
) -> None:
    """Answer forecasts over HTTP, from models and from the pretrained network; /openapi.json describes the routes.

    It listens on this machine alone unless --host says otherwise, which takes keys. Ctrl-C, SIGTERM
    and SIGHUP stop it.

    For example:

        seqcast serve sales.seqcast

        seqcast serve shop=sales.seqcast web=views.seqcast --port 9000

        seqcast serve --new-key shop

        seqcast serve sales.seqcast --host 0.0.0.0 --keys keys.txt --certificate cert.pem --private-key key.pem
    """
    if new_key is not None:
        _print_key(new_key)
        return
    from seqcast.runtime import require

    for package in ("fastapi", "prometheus_client", "uvicorn"):
        require(package, extra="serve")
    from seqcast.serve import ServerSettings
    from seqcast.serve import serve as run

    run(
        ServerSettings(
            models=ServerSettings.named(models or []),
            host=host,
            port=port,
            keys=keys,
            allow_open=allow_open,
            allow_host=tuple(allow_host or ()),
            certificate=certificate,
            private_key=private_key,
            max_body=max_body,
            max_rows=max_rows,
            max_horizon=max_horizon,
            max_size=max_size,
            time_limit=time_limit,
            queue=queue,
            batch_size=batch_size,
            batch_wait=batch_wait / 1000,
            watch=watch,
            grace=grace,
        )
    )


def _print_key(name: str) -> None:
    from seqcast.serve import entry_of, new_key

    key = new_key()
    entry = entry_of(name, key)
    note("The key, which is shown only now, and the line for the server's file of keys:")
    print_line(key)
    print_line(entry)
