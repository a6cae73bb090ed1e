"""`seqcast serve`, `app` and `doctor`: forecasts over HTTP, the page, and the environment."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

import seqcast
from seqcast.app import AppSettings
from seqcast.cli.console import note, print_json, print_line, print_table
from seqcast.runtime import check_source, current_environment, install_command
from seqcast.serve import ServerSettings, entry_of, named_models
from seqcast.serve import new_key as draw_key


def serve(
    settings: ServerSettings, models: list[str] | None = None, new_key: str | None = None
) -> None:
    """Answer forecasts over HTTP, from models and the pretrained network.

    It listens on this machine alone, or at --host, which requires keys; /openapi.json describes the
    routes. Ctrl-C and SIGTERM stop it.

    For example:

        seqcast serve sales.seqcast

        seqcast serve shop=sales.seqcast web=views.seqcast --port 9000

        seqcast serve --new-key shop

        seqcast serve sales.seqcast --host 0.0.0.0 --keys keys.txt --certificate cert.pem \
--private-key key.pem

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


def app(settings: AppSettings, table: Path | None = None, browser: bool = True) -> None:
    """Open a page in the browser: load a table, forecast, test, ask why.

    Nothing leaves this machine. Needs the extra `app`: pip install '.[app]'.

    For example:

        seqcast app

        seqcast app sales.csv

        seqcast app --port 8090 --no-browser

    Args:
        settings: Address and limits of the page.
        table: A table to begin with; one is chosen on the page if absent.
        browser: Open the page in the browser.
    """
    from seqcast.app import run_page

    if table is not None:
        check_source(table, expected="a file with a table")
    run_page(settings, table, browse=browser)


def doctor(as_json: bool = False) -> None:
    """Show versions, devices, threads, compiled programs, and missing extras.

    The exit code is 1 where a package that seqcast needs is missing or of a version that does not
    fit.

    For example:

        seqcast doctor

        seqcast doctor --json > environment.json

    Args:
        as_json: Print the result as one JSON document.
    """
    system = current_environment()
    problems = system["problems"]
    weights = "not looked at"
    if system["backend"]:
        from seqcast.pretrained import weights_are_intact

        weights = "intact" if weights_are_intact() else "damaged"
    if weights == "damaged":
        problems.append("the weights of the pretrained network are damaged. Install seqcast again.")

    if as_json:
        print_json({"seqcast": seqcast.__version__, **system})
    else:
        _print_environment(system, weights)
    for problem in problems:
        note(f"Problem: {problem}")
    if problems:
        raise typer.Exit(1)


def _print_environment(system: Mapping[str, Any], weights: str) -> None:
    """Print the tables of the environment.

    Args:
        system: The environment.
        weights: State of the pretrained network's file.
    """
    cache = "compiled programs are not cached (SEQCAST_CACHE_DIR names their folder)"
    if system["cache"] is not None:
        size = f"{system['program_bytes'] / 2**20:.1f} MiB"
        cache = f"{system['programs']} programs, {size}, in {system['cache']}"
    facts = {
        "seqcast": seqcast.__version__,
        "Python": f"{system['python']}, {system['system']}",
        "backend": system["backend"] or "cannot be imported",
        "devices": ", ".join(system["devices"]) or "unknown",
        "cores": f"{system['cores']}, {system['threads']} of them for a fit",
        "compiled programs": cache,
        "pretrained network": weights,
        **{f"${name}": value or "(empty)" for name, value in system["variables"].items()},
    }
    print_table("seqcast runs on", ("what", "value"), facts.items(), names=2)

    versions = [(name, version or "missing") for name, version in system["packages"].items()]
    print_table("Packages", ("package", "version"), versions, names=2)

    extras = []
    for extra, packages in system["extras"].items():
        installed = [f"{name} {version or 'missing'}" for name, version in packages.items()]
        command = install_command(extra) if None in packages.values() else ""
        extras.append((extra, ", ".join(installed), command))
    print_table("Extras", ("extra", "packages", "to install it in the clone"), extras, names=3)
