"""What the yardsticks' programs share: options, tables, memory."""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import platform
import resource
from pathlib import Path
from typing import Any

from seqcast.studies.cache import code_key


def options(description: str | None, results: str) -> argparse.ArgumentParser:
    """Return a parser of the options that all have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--results", type=Path, default=Path(results), help="folder of the result files")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--quick", action="store_true", help="hardly any training, few windows: proves the path")
    parser.add_argument("--explore", action="store_true", help="candidates, on validation windows alone")
    parser.add_argument("--candidates", help="candidates to explore, with semicolons between; all if absent")
    return parser


@functools.cache
def code() -> str:
    """Return a digest of the code that results depend on, a part of their key: the forecaster's, and these files."""
    ours = [Path(__file__).with_name(name).read_bytes() for name in ("yardsticks.py", "competitions.py")]
    return hashlib.sha256(b"".join([code_key("seqcast.forecaster.estimator").encode(), *ours])).hexdigest()[:10]


def table(headings: list[str], rows: list[list[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def peak_mib() -> int:
    """Return the most memory that this process has held, in MiB."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def machine_line() -> str:
    """Return cores, machine and Python."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
