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

The old commit gets a worktree (`commits.py`); what measures is this checkout's on both sides, through public calls
only. Which side goes first changes from round to round, and ratios are taken within a round, so that a machine that is
slow for a minute is slow for both. No compiled programs are kept. Each process leaves a result file, so that an
interrupted run of the same two states continues; `--fresh` removes these. Leave the machine alone meanwhile.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from commits import new_side, old_side
from harness import PEERS, Runner, machine, options, parse, spread, table
from peers.frame_job import Job, first_batch_s

ROUNDS = 9
STARTS = 5  # processes that start in each round, of which the median counts: one takes a fraction of a second
BATCHES = 3  # ways to a first batch that a process takes, of which the median counts
SMALL = 20
HERE = Path(__file__).resolve()
PEER = PEERS / "seqcast_peer.py"
HELP = [sys.executable, "-c", "from seqcast.cli.start import main; main()", "--help"]


def batch(given):
    """Time the way from a frame to its first batch, after a whole fit of a small frame that imports all."""
    job = Job(series=given.series, seed=given.seed)
    small = dataclasses.replace(job, series=SMALL, steps=2)
    df = job.frame()
    small.forecaster().fit(small.frame()).predict()
    return {"ms": statistics.median(first_batch_s(job, df) for _ in range(BATCHES)) * 1000}


def thousand(given):
    """Time forecasts of 1,000 windows, as the speed benchmark does, without its 100,000."""
    sys.path.insert(0, str(PEERS))
    import common
    from seqcast_peer import SeqcastPeer

    sys.argv = [sys.argv[0], "throughput", "--seed", str(given.seed)]
    given = common.parse("")
    past, _ = common.windows(given, common.FEW)
    return {"ms": common.FEW / common.windows_per_s(SeqcastPeer(given), past, common.FEW) * 1000}


TASKS = {"batch": batch, "thousand": thousand}


def timed(command, key, runner, side, label, number):
    """Return a figure of what a program prints last, run on a side."""
    variables = {"PYTHONPATH": side.environment()["PYTHONPATH"]}
    command = [sys.executable, *map(str, command), "--seed", str(number)]
    return runner.run(f"{label} {side.name}", number, command, variables)[key]


def started(command, runner, side, label, number, bare=False):
    """Return the median milliseconds of processes, perhaps less those of a bare Python."""
    variables = {"PYTHONPATH": side.environment()["PYTHONPATH"]}

    def median(name, command):
        runs = [
            runner.run(f"{name} {side.name}", number * STARTS + one, command, variables)
            for one in range(STARTS)
        ]
        return statistics.median(one["process_s"] for one in runs) * 1000

    return median(label, command) - (
        median("bare", [sys.executable, "-c", "pass"]) if bare else 0.0
    )


STEP = [PEER, "step", "--repeats", "3"]
# What each measure is called, its digits, and what takes it.
MEASURES = {
    "step": ("training step, GRU, ms", 2, partial(timed, STEP, "step_ms")),
    "lstm": ("training step, LSTM, ms", 2, partial(timed, [*STEP, "--cell", "lstm"], "step_ms")),
    "latency": ("forecast of one window, ms", 3, partial(timed, [PEER, "latency"], "p50_ms")),
    "thousand": (
        "forecast of 1,000 windows, ms",
        2,
        partial(timed, [HERE, "--task", "thousand"], "ms"),
    ),
    "batch": ("frame to first batch, ms", 0, partial(timed, [HERE, "--task", "batch"], "ms")),
    "import": (
        "`import seqcast`, ms",
        1,
        partial(started, [sys.executable, "-c", "import seqcast"], bare=True),
    ),
    "help": ("`seqcast --help`, ms", 0, partial(started, HELP)),
}


def state(side):
    """Return a short hash of a side's code and of what measures, which results belong to."""
    found = hashlib.sha256(HERE.read_bytes())
    for folder in (side.tree / "src", PEERS):
        for path in sorted(folder.rglob("*.py")):
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()[:8]


def row(name, runner, sides):
    """Measure both sides in turn, and return a row of the table: medians, and ratios within rounds."""
    (title, digits, take) = MEASURES[name]
    figures = ([], [])
    for number in range(runner.count):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            figures[place].append(take(runner, sides[place], name, number))
    medians = [f"{statistics.median(each):.{digits}f}" for each in figures]
    return [title, *medians, spread(old / new for old, new in zip(*figures, strict=True))]


def main():
    """Time both sides in turn and print a table."""
    parser = options(__doc__, "speed_between")
    parser.add_argument(
        "old", nargs="?", metavar="COMMIT", help="what to compare the checkout with"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"(default {ROUNDS})")
    # Options of a process of either side.
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--series", type=int, default=10_000, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parse(parser, MEASURES)
    if given.task:
        with contextlib.redirect_stdout(sys.stderr):
            outcome = TASKS[given.task](given)
        print(json.dumps(outcome))
        return
    if given.old is None:
        parser.error("name a commit to compare with")
    sides = old_side(given.old), new_side()
    runner = Runner(given.results / "-".join(map(state, sides)), given.rounds)
    for side in sides:  # modules are compiled to bytecode, and in the machine's memory
        subprocess.run(HELP, check=True, capture_output=True, env=side.environment())
    rows = [row(name, runner, sides) for name in given.chosen]
    print(
        f"{machine()}. Medians of {runner.count} rounds; of ratios within rounds, in brackets smallest and largest."
    )
    print(
        "",
        table(["", *(f"{side.name}, {side.label}" for side in sides), "old / new"], rows),
        sep="\n",
    )


if __name__ == "__main__":
    main()
