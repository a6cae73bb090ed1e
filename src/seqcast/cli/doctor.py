"""`seqcast doctor`: what seqcast runs on, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

import seqcast
from seqcast.cli.console import note, print_json, print_table
from seqcast.cli.outputs import AsJson

if TYPE_CHECKING:
    from seqcast.runtime import Environment


def doctor(
    as_json: AsJson = False,
) -> None:
    """Say what seqcast runs on: versions, backend, devices, threads, the cache of programs, extras.

    The exit code is 1 where a package that seqcast needs is missing or of a version that does not fit.

    For example:

        seqcast doctor

        seqcast doctor --json > environment.json
    """
    from seqcast.runtime import Environment

    found = Environment.current()
    intact, problems = False, found.problems
    if found.backend:
        from seqcast.pretrained import weights_are_intact

        intact = weights_are_intact()
    if found.backend and not intact:
        problems.append("the weights of the pretrained network are damaged. Install seqcast again.")
    if as_json:
        print_json({"seqcast": seqcast.__version__, **found.to_dict(), "problems": problems})
    else:
        _show(found, "intact" if intact else "damaged" if found.backend else "not looked at")
    for problem in problems:
        note(f"Problem: {problem}")
    if problems:
        raise typer.Exit(1)


def _show(found: Environment, weights: str) -> None:
    """Print tables.

    Args:
        found: What seqcast runs on.
        weights: What the file of the pretrained network is.
    """
    cache = "no compiled programs are kept (SEQCAST_CACHE_DIR names their folder)"
    if found.cache is not None:
        cache = f"{found.programs} programs, {found.program_bytes / 2**20:.1f} MiB, in {found.cache}"
    facts = {
        "seqcast": seqcast.__version__,
        "Python": f"{found.python}, {found.system}",
        "backend": found.backend or "cannot be imported",
        "devices": ", ".join(found.devices) or "not told",
        "cores": f"{found.cores}, {found.threads} of them for a fit",
        "compiled programs": cache,
        "pretrained network": weights,
        **{f"${name}": value or "(empty)" for name, value in found.variables.items()},
    }
    print_table("seqcast runs on", ("what", "found"), facts.items(), names=2)
    versions = [(name, version or "missing") for name, version in found.packages.items()]
    print_table("Packages", ("package", "version"), versions, names=2)
    extras = [
        (
            extra,
            ", ".join(f"{name} {version or 'missing'}" for name, version in packages.items()),
            f"pip install 'seqcast[{extra}]'" if extra in found.missing_extras else "",
        )
        for extra, packages in found.extras.items()
    ]
    print_table("Extras", ("extra", "packages", "to install it"), extras, names=3)
