"""What the yardsticks' programs share: options, tables, memory, processes of their own."""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import seqcast
from rounds import run_process

BENCHMARKS = Path(__file__).resolve().parent.parent
# The interpreter of the other libraries, which have an environment of their own.
PEERS = BENCHMARKS.parent / ".venv-peers-libraries" / "bin" / "python"


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
def library_code() -> str:
    """Return a digest of seqcast's sources, which are read once."""
    sources = sorted(Path(seqcast.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def code(files: tuple[str, ...] = ("yardsticks.py", "competitions.py")) -> str:
    """Return a digest of the code that results depend on, a part of their key: seqcast's, and files of ours."""
    ours = [(BENCHMARKS / "accuracy" / name).read_bytes() for name in files]
    return hashlib.sha256(b"".join([library_code().encode(), *ours])).hexdigest()[:10]


def table(headings: list[str], rows: list[list[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def first_run(command: Sequence[str]) -> dict[str, Any]:
    """Run a command as if for the first time, since nothing is compiled yet, and return what it printed last."""
    with tempfile.TemporaryDirectory() as cache:
        return run_process(command, {"SEQCAST_CACHE_DIR": cache})


def check_peers() -> None:
    """End the program if the other libraries' environment has not been made."""
    if not PEERS.exists():
        sys.exit("make .venv-peers-libraries/.installed first")


def run_peer(folder: Path, yardstick: str, model: str, *further: str) -> dict[str, Any]:
    """Run another library in its own environment and return its scores.

    Args:
        folder: Folder of the public data sets.
        yardstick: What it is scored on.
        model: The library and its model, as `peers/accuracy_peer.py` knows them.
        further: Further arguments for that program.
    """
    command = [str(PEERS), str(BENCHMARKS / "peers" / "accuracy_peer.py"), "--data", str(folder)]
    return run_process([*command, "--yardstick", yardstick, "--model", model, *further])


def peak_mib() -> int:
    """Return the most memory that this process has held, in MiB."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def machine_line() -> str:
    """Return cores, machine and Python."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
