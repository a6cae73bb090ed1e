"""Comparisons by whole processes that run in turn: who runs, what each printed, ratios within a round, tables.

What the speed and the frames benchmark share. A process prints one JSON object as its last line; it is kept in a file
for each command and round, so that an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS, DOCS = HERE / "peers", HERE.parent / "docs"
ROUNDS = 5
SEQCAST = "seqcast"  # the side of each comparison that is ours


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison: an interpreter, a script and what its environment adds."""

    name: str
    environment: Path | None
    script: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, task: Iterable[str]) -> list[str]:
        """Return the command of a task; the interpreter is this one's, or that of the environment."""
        python = sys.executable if self.environment is None else str(self.environment / "bin" / "python")
        return [python, str(PEERS / self.script), *task, *self.arguments]


def run_process(command: Sequence[str], variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command and return the JSON object that it printed last, with the seconds of the process, `process_s`.

    The process is told when it was started, in `BENCH_BEGAN`.

    Args:
        command: The command.
        variables: What its environment adds.
    """
    # No cache of compiled programs unless it is asked for: compilation counts.
    environment = {**os.environ, "SEQCAST_CACHE_DIR": "", **(variables or {}), "BENCH_BEGAN": str(time.time())}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    lines = done.stdout.strip().splitlines()
    outcome = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return {**outcome, "process_s": seconds}


class Runner:
    """Run commands and keep what they print last, one file a command and round.

    Args:
        folder: Where the files go.
        count: Number of rounds.
    """

    def __init__(self, folder: Path, count: int = ROUNDS) -> None:
        self.folder = folder
        self.count = count
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, label: str, number: int, command: list[str], variables: dict[str, str] | None = None) -> Any:
        """Return the JSON that a command printed last, from its file if it is there."""
        # Interpreters lie in different places on different machines; they do not belong to the key.
        key = hashlib.sha256(json.dumps([command[1:], variables, number]).encode()).hexdigest()[:10]
        path = self.folder / f"{label.lower().replace(' ', '-')}-{number}-{key}.json"
        if not path.exists():
            print(f"{label}, round {number + 1}", file=sys.stderr, flush=True)
            path.write_text(json.dumps(run_process(command, variables)))
        return json.loads(path.read_text())

    def repeat(self, label: str, command: Sequence[str]) -> list[Any]:
        """Run a command of ours once a round, each with a seed of its own."""
        return [self.run(label, number, [*command, "--seed", str(number)]) for number in range(self.count)]

    def rounds(
        self, label: str, contestants: Sequence[Contestant], task: Sequence[str], ours: Iterable[str] = ()
    ) -> dict[str, list[Any]]:
        """Run all contestants in turn, round after round; return each one's results by name.

        Args:
            label: Name of the measure.
            contestants: Who runs.
            task: Task and options; each round adds a seed of its own.
            ours: Options for seqcast alone.
        """
        results: dict[str, list[Any]] = {contestant.name: [] for contestant in contestants}
        for number in range(self.count):
            for one in contestants:
                command = one.command([*task, "--seed", str(number), *(ours if one.name == SEQCAST else ())])
                outcome = self.run(f"{label} {one.name}", number, command, one.variables)
                results[one.name].append(outcome)
        return results


def spread(values: Iterable[float], digits: int = 2) -> str:
    """Return the median and, in brackets, smallest and largest."""
    values = list(values)
    shown = [f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def ratios(results: dict[str, list[Any]], peer: str, value: Callable[[Any], float]) -> list[float]:
    """Return the peer's value over ours, round by round."""
    return [value(theirs) / value(ours) for theirs, ours in zip(results[peer], results[SEQCAST], strict=True)]


def best_peer(results: dict[str, list[Any]], value: Callable[[Any], float]) -> str:
    """Return the peer with the smallest median."""
    peers = [name for name in results if name != SEQCAST]
    return min(peers, key=lambda name: statistics.median(map(value, results[name])))


class Report:
    """What was measured, as lines of a table and as JSON."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.details: list[str] = []
        self.data: dict[str, Any] = {}

    def figure(self, name: str, values: Iterable[float], *, want: str, digits: int = 2) -> None:
        """Add a figure with what it was to reach."""
        self.rows.append(f"| {name} | {spread(values, digits)} | {want} |")

    def detail(self, title: str, results: dict[str, list[Any]], columns: dict[str, Callable[[Any], float]]) -> None:
        """Add a table of all contestants' medians and keep everything as JSON."""
        self.data[title] = results
        self.details += ["", f"| {title} | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
        for name, outcomes in results.items():
            cells = (spread(map(value, outcomes), 2) for value in columns.values())
            self.details.append(f"| {name} | {' | '.join(cells)} |")

    def lines(self, heading: str) -> list[str]:
        """Return the tables below a heading."""
        return [heading, "", "| figure | measured | to reach |", "|---|---|---|", *self.rows, *self.details]


def log_axes(ax: Any, sizes: Any, xlabel: str, ylabel: str) -> None:
    """Make both axes logarithmic, with ticks at the smallest, a middle and the largest size."""
    from matplotlib.ticker import LogLocator

    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    shown = [size for size in sizes if size in (sizes[0], sizes[len(sizes) // 2], sizes[-1])]
    ax.set_xticks(shown, [f"{size:g}" for size in shown], minor=False)
    ax.set_xticks([], minor=True)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    ax.yaxis.set_minor_formatter("{x:g}")


def memory(name: str) -> float:
    """Return a figure of this process's memory, such as `VmRSS` or `VmHWM` (the peak), in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def count_peak_anew() -> None:
    """Let `VmHWM` be counted from here."""
    Path("/proc/self/clear_refs").write_text("5")


def machine(packages: Sequence[str] = ("keras", "jax", "numpy")) -> str:
    """Return processor, cores and versions."""
    from importlib.metadata import version

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def write_section(name: str, text: str, page: str = "benchmarks.md") -> None:
    """Put text between the marks of a section of a page in docs/."""
    path = DOCS / page
    opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, mark, rest = path.read_text().partition(opening)
    _, end, after = rest.partition(closing)
    if not mark or not end:
        raise SystemExit(f"{path}: the marks {opening.strip()} and {closing} are gone")
    path.write_text(f"{before}{mark}{text}\n{end}{after}")


def options(description: str | None, measures: Collection[str], results: str) -> argparse.ArgumentParser:
    """Return a parser of the options that the benchmarks share.

    Args:
        description: The benchmark's own documentation.
        measures: Names of what it measures.
        results: Default folder of the result files.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"measures, with commas: {', '.join(measures)} (default all)")
    parser.add_argument("--results", type=Path, default=Path(results), help="folder of the result files")
    parser.add_argument("--fresh", action="store_true", help="measure anew what has been measured")
    parser.add_argument("--write", action="store_true", help="write tables and picture into the documentation")
    return parser


def parse(parser: argparse.ArgumentParser, measures: Collection[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the arguments and the chosen measures; old results go if that is asked for."""
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else list(measures)
    unknown = set(chosen) - set(measures)
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(measures)}")
    if arguments.fresh:
        shutil.rmtree(arguments.results, ignore_errors=True)
    return arguments, chosen


def check_environments(contestants: Iterable[Contestant], target: str) -> None:
    """Refuse to start when a contestant's environment has not been made.

    Args:
        contestants: Who is to run.
        target: The `make` target that makes the environments.
    """
    for environment in {one.environment for one in contestants if one.environment is not None}:
        if not (environment / "bin" / "python").exists():
            raise SystemExit(f"{environment.name} is missing: run make {target}")
