"""Frames of many series: way to the first batch, memory, backtests, and libraries on the same frame.

    make bench-frames                                  # makes the libraries' environment, then runs this
    python benchmarks/frames.py --only batch,backtest  # some of it
    python benchmarks/frames.py --quick                # tiny sizes: proves the path
    python benchmarks/frames.py --write                # also writes the tables into docs/benchmarks.md

The frame has 10,000 series of 200 days: trend, week and noise. The network is one GRU layer of 64 that reads 28 days
and forecasts 14.

    batch      rows a second from the frame to the first batch of windows
    memory     peak memory of a fit over the process that holds the frame
    backtest   `backtest(refit="never")` of five windows against one `predict` of the same frame
    libraries  process start to forecasts of all series: seqcast, neuralforecast, darts (peers/frames_peer.py)

Whole processes run in turn, and each leaves a result file, so that an interrupted run continues; `--fresh` removes
these. Each process of ours has trained on a small frame before its clock starts, so that imports do not count. Leave
the machine alone meanwhile.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from functools import partial
from operator import itemgetter

import harness
from peers.frame_job import Job, first_batch_s

LIBRARY_ROUNDS = 3  # each is a minute or more
CONTESTANTS = [
    harness.Contestant(
        name,
        None if name == harness.SEQCAST else harness.LIBRARIES,
        "frames_peer.py",
        ("--library", name),
    )
    for name in (harness.SEQCAST, "neuralforecast", "darts")
]
SMALL = 20
N_WINDOWS = 5
REPEATS = 5
FULL = Job()
QUICK = Job(series=40, rows=120, steps=10)
FEW_STEPS = 20


def seconds(call):
    """Return the seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def warm_up(job):
    """Import all and train once, on a small frame."""
    small = dataclasses.replace(job, series=min(SMALL, job.series), steps=2)
    small.forecaster().fit(small.frame()).predict()


def batch(job):
    """Time the way from the frame to the first batch, once."""
    df = job.frame()
    warm_up(job)
    elapsed = first_batch_s(job, df)
    return {"seconds": elapsed, "rows_per_s": len(df) / elapsed}


def fit_memory(job):
    """Take the peak of a fit over the process that holds the frame."""
    df = job.frame()  # before seqcast is imported, whose allocator keeps what is freed
    warm_up(job)
    before = harness.memory("VmRSS")
    harness.reset_peak()
    job.forecaster().fit(df)
    return {
        "frame_mib": float(df.memory_usage().sum()) / 2**20,
        "over_mib": harness.memory("VmHWM") - before,
    }


def backtest(job):
    """Time forecasts of the frame and backtests of it, in turn; the network saw rows up to the first cutoff."""
    df = job.frame()
    cutoff = df["ds"].iloc[job.rows - N_WINDOWS * job.horizon - 1]
    forecaster = job.forecaster().fit(df[df["ds"] <= cutoff])
    one = partial(forecaster.predict, df=df)
    several = partial(forecaster.backtest, df, n_windows=N_WINDOWS, refit="never")
    turns = [(seconds(one), seconds(several)) for _ in range(1 + REPEATS)][1:]
    once, five = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"predict_s": once, "backtest_s": five, "ratio": five / once}


TASKS = {"batch": batch, "memory": fit_memory, "backtest": backtest}


def measure_task(name, runner, report, job):
    """Run a task once a round, and keep all results."""
    steps = min(FEW_STEPS, job.steps)
    sizes = [f"--series={job.series}", f"--rows={job.rows}", f"--steps={steps}"]
    report.data[name] = runner.repeat(name, [sys.executable, __file__, "--task", name, *sizes])
    return report.data[name]


def measure_batch(runner, report, job):
    """Rows a second from the frame to the first batch."""
    outcomes = measure_task("batch", runner, report, job)
    report.figure(
        "frame to first batch, million rows/s", [one["rows_per_s"] / 1e6 for one in outcomes]
    )
    report.figure("frame to first batch, s", [one["seconds"] for one in outcomes])


def measure_memory(runner, report, job):
    """Peak memory of a fit over the process that holds the frame."""
    outcomes = measure_task("memory", runner, report, job)
    name = f"fit: peak over the process with its frame of {outcomes[0]['frame_mib']:.0f} MiB, MiB"
    report.figure(name, [one["over_mib"] for one in outcomes], digits=0)


def measure_backtest(runner, report, job):
    """A backtest of five windows by fitted networks against one forecast."""
    outcomes = measure_task("backtest", runner, report, job)
    name = '`backtest(refit="never")` of 5 windows / `predict(df=...)`'
    report.figure(name, [one["ratio"] for one in outcomes])
    report.figure("`predict(df=...)` of all series, s", [one["predict_s"] for one in outcomes])


def measure_libraries(runner, report, job):
    """Process start to forecasts of all series."""
    harness.check_environments(harness.LIBRARIES)
    task = [f"--series={job.series}", f"--rows={job.rows}", f"--steps={job.steps}"]
    results = runner.rounds("libraries", CONTESTANTS, task)
    whole = itemgetter("whole_s")
    for peer in CONTESTANTS[1:]:
        name = f"process start to forecasts of all series: {peer.name} / ours"
        report.figure(name, harness.ratios(results, peer.name, whole))
    naive = [dataclasses.replace(job, seed=number).naive_errors() for number in range(runner.count)]
    for repeated in naive[0]:
        errors = [one[repeated] for one in naive]
        report.figure(f"error of repeating {repeated}, in standard deviations", errors)
    shown = {f"{name} {outcomes[0]['version']}": outcomes for name, outcomes in results.items()}
    keys = {
        "whole, s": "whole_s",
        "to the frame": "frame_s",
        "import and fit": "fit_s",
        "predict": "predict_s",
    }
    columns = {
        title: itemgetter(key)
        for title, key in {**keys, "peak MiB": "peak_mb", "error": "error"}.items()
    }
    report.detail("libraries", shown, columns)


MEASURES = {
    "batch": measure_batch,
    "memory": measure_memory,
    "backtest": measure_backtest,
    "libraries": measure_libraries,
}


def main():
    """Measure, print tables, and write them into the page if that is asked for."""
    parser = harness.options(__doc__, "frames", quick="tiny sizes, one round")
    parser.add_argument(
        "--write", action="store_true", help="write the tables into docs/benchmarks.md"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"rounds (default {harness.ROUNDS}, and {LIBRARY_ROUNDS} of libraries)",
    )
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    Job.add_arguments(parser)
    arguments = harness.parse(parser, MEASURES)
    if arguments.task:
        print(json.dumps(TASKS[arguments.task](Job.of(arguments))))
        return
    if arguments.quick and arguments.write:
        parser.error("--quick proves the path and measures nothing: leave out --write")
    job, usual = (QUICK, (1, 1)) if arguments.quick else (FULL, (harness.ROUNDS, LIBRARY_ROUNDS))
    several, few = (arguments.rounds or count for count in usual)
    report = harness.Report(f"{job.series:,} series × {job.rows} rows, {job.steps} steps")
    for name in arguments.chosen:
        MEASURES[name](
            harness.Runner(arguments.results, few if name == "libraries" else several), report, job
        )
    line = harness.machine(("keras", "jax", "numpy", "pandas"))
    rounds = (
        f"Medians of {several} rounds, of {few} for libraries, in brackets the smallest and largest"
    )
    text = report.text(f"{line}. {rounds}.")
    print(text)
    if arguments.write:
        harness.write_section("frames", text)
    print(json.dumps(report.data))


if __name__ == "__main__":
    main()
