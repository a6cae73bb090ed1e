"""How fast is the checkout beside an old commit? Both are timed in turn, each figure by whole processes.

    python benchmarks/speed_between.py COMMIT                      # nine rounds of all
    python benchmarks/speed_between.py COMMIT --only step,batch    # some of it
    python benchmarks/speed_between.py COMMIT --rounds 1           # proves the path

    step      a training step of the post's job, GRU (15 steps read, 15 written, two layers of 35, batches of 512)
    lstm      the same with LSTM
    latency   a forecast of one window through the public `predict`
    thousand  a forecast of 1,000 windows
    batch     from `Forecaster.fit` of 10,000 series of 200 days to the first batch that reaches Keras
    import    `import seqcast`, less the start of Python
    help      `seqcast --help`

The old commit gets a worktree and an environment of its own (`commits.py`); what measures is this checkout's on both
sides, through public calls only. Which side goes first changes from round to round, and ratios are taken within a
round, so that a machine that is slow for a minute is slow for both. No compiled programs are kept. Each process leaves
a result file, so that an interrupted run of the same two states goes on where it stopped; `--fresh` begins anew. Leave
the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from peers.frame_job import Job
from rounds import HERE, PEERS, Runner, machine

ROUNDS = 9
STARTS = 5  # processes that start in each round, of which the median counts: one takes a fraction of a second
BATCHES = 3  # ways to a first batch that a process takes, of which the median counts
SMALL = 20
RESULTS = HERE.parent / "results" / "speed_between"
PEER = PEERS / "seqcast_peer.py"  # seqcast itself, as the speed benchmark takes it


class FirstBatchError(Exception):
    """Ends a fit once its first batch is there."""


def first_batch_s(job: Job, df: Any) -> float:
    """Return the seconds from `Forecaster.fit` to the first batch in Keras's `fit`.

    Keras's own class is what both sides end in, wherever their modules lie. The building of the network, an eighth of
    it with 10,000 series, is among what is timed.
    """
    import keras  # after seqcast has chosen its backend

    taken: list[float] = []

    def take(_: Any, windows: Any, **__: Any) -> Any:
        windows[0]
        taken.append(time.perf_counter())
        raise FirstBatchError

    forecaster = job.forecaster()
    with mock.patch.object(keras.Model, "fit", take), contextlib.suppress(FirstBatchError):
        began = time.perf_counter()
        forecaster.fit(df)
    return taken[0] - began


def batch(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time the way from a frame to its first batch, after a whole fit of a small frame that imports all."""
    job = Job(series=arguments.series, seed=arguments.seed)
    small = dataclasses.replace(job, series=SMALL, steps=2)
    df, few = job.frame(), small.frame()
    small.forecaster().fit(few).predict()
    seconds = [first_batch_s(job, df) for _ in range(BATCHES)]
    # What is left with hardly any rows: above all the building of the network.
    fixed = [first_batch_s(small, few) for _ in range(BATCHES)]
    return {"first_batch_ms": statistics.median(seconds) * 1000, "fixed_ms": statistics.median(fixed) * 1000}


def thousand(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time forecasts of 1,000 windows, as the speed benchmark does, without its 100,000."""
    sys.path.insert(0, str(PEERS))
    from common import FEW, parse, windows, windows_per_s
    from seqcast_peer import SeqcastPeer

    sys.argv = [sys.argv[0], "throughput", "--seed", str(arguments.seed)]
    given = parse(SeqcastPeer, "")
    past, _ = windows(given, FEW)
    return {"ms": FEW / windows_per_s(SeqcastPeer(given), past, FEW) * 1000}


TASKS = {"batch": batch, "thousand": thousand}


@dataclass(frozen=True)
class Measure:
    """A figure that each side has once a round.

    Args:
        title: What it is called, with its unit.
        take: From a runner, a side, and the number of the round to the figure.
        digits: Of the figure.
    """

    title: str
    take: Callable[[Runner, Any, int], float]
    digits: int = 2


def _timed(label: str, task: Sequence[str], key: str, script: Path = PEER) -> Callable[..., float]:
    """Return what runs a task of a script with a side's interpreter and takes a figure of its result."""

    def take(runner: Runner, side: Any, number: int) -> float:
        command = [str(side.python), str(script), *task, "--seed", str(number)]
        return float(runner.run(f"{label} {side.name}", number, command)[key])

    return take


def _own(label: str, key: str) -> Callable[..., float]:
    """Return the same for a task of this file."""
    return _timed(label, ["--task", label], key, script=Path(__file__).resolve())


def _started(label: str, command: Callable[[Any], list[str]], bare: bool = False) -> Callable[..., float]:
    """Return what takes the median milliseconds of processes, perhaps less those of a bare Python."""

    def take(runner: Runner, side: Any, number: int) -> float:
        def median(name: str, started: list[str]) -> float:
            each = [runner.run(f"{name} {side.name}", number * STARTS + one, started) for one in range(STARTS)]
            return statistics.median(one["process_s"] for one in each) * 1000

        nothing = median("bare", [str(side.python), "-c", "pass"]) if bare else 0.0
        return median(label, command(side)) - nothing

    return take


STEP = ["step", "--repeats", "3"]
MEASURES = {
    "step": Measure("training step, GRU, ms", _timed("step", STEP, "step_ms")),
    "lstm": Measure("training step, LSTM, ms", _timed("lstm", [*STEP, "--cell", "lstm"], "step_ms")),
    "latency": Measure("forecast of one window, ms", _timed("latency", ["latency"], "p50_ms"), 3),
    "thousand": Measure("forecast of 1,000 windows, ms", _own("thousand", "ms")),
    "batch": Measure("frame to first batch, ms", _own("batch", "first_batch_ms"), 0),
    "import": Measure(
        "`import seqcast`, ms",
        _started("import", lambda side: [str(side.python), "-c", "import seqcast"], bare=True),
        1,
    ),
    "help": Measure("`seqcast --help`, ms", _started("help", lambda side: [str(side.program), "--help"]), 0),
}


def warm_up(sides: Sequence[Any]) -> None:
    """Start each side once, so that its modules are compiled to bytecode and in the machine's memory."""
    for side in sides:
        subprocess.run([str(side.program), "--help"], check=True, capture_output=True)


def state(side: Any) -> str:
    """Return a short hash of a side's code and of what measures, which results belong to."""
    found = hashlib.sha256(Path(__file__).read_bytes())
    for folder in (side.tree / "src", PEERS):
        for path in sorted(folder.rglob("*.py")):
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()[:8]


def measure(name: str, runner: Runner, sides: Sequence[Any]) -> list[list[float]]:
    """Return a figure of both sides, `[2][rounds]`."""
    figures: list[list[float]] = [[], []]
    for number in range(runner.count):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            figures[place].append(MEASURES[name].take(runner, sides[place], number))
    return figures


def table(results: dict[str, list[list[float]]], sides: Sequence[Any]) -> list[str]:
    """Return a Markdown table of medians, and of ratios within rounds with their spread."""
    lines = [f"| | {' | '.join(f'{side.name}, {side.label}' for side in sides)} | old / new |", "|---|---|---|---|"]
    for name, (old, new) in results.items():
        own = MEASURES[name]
        medians = [f"{statistics.median(figures):.{own.digits}f}" for figures in (old, new)]
        ratios = [a / b for a, b in zip(old, new, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        lines.append(f"| {own.title} | {' | '.join(medians)} | {spread} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?", metavar="COMMIT", help="what to compare the checkout with")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"(default {ROUNDS})")
    parser.add_argument("--only", help=f"measures, with commas: {', '.join(MEASURES)} (default all)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    parser.add_argument("--fresh", action="store_true", help="measure anew what has been measured")
    # What a process of either side is told.
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--series", type=int, default=10_000, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        with contextlib.redirect_stdout(sys.stderr):
            outcome = TASKS[arguments.task](arguments)
        print(json.dumps(outcome))
        return
    names = arguments.only.split(",") if arguments.only else list(MEASURES)
    unknown = set(names) - set(MEASURES)
    if unknown or arguments.old is None:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}" if unknown else "name a commit to compare with")
    from commits import new_side, old_side

    os.environ.pop("PYTHONPATH", None)  # would lead both sides to the same package
    os.environ["KERAS_BACKEND"] = "jax"
    sides = old_side(arguments.old), new_side()
    folder = arguments.results / "-".join(state(side) for side in sides)
    if arguments.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    runner = Runner(folder, arguments.rounds)
    warm_up(sides)
    results = {name: measure(name, runner, sides) for name in names}
    print(f"{machine()}. Medians of {runner.count} rounds; of ratios within rounds, in brackets smallest and largest.")
    print("", *table(results, sides), sep="\n")


if __name__ == "__main__":
    main()
