"""What the frames benchmark measures of seqcast's own `Forecaster`, one task a process.

    python benchmarks/frame_tasks.py batch --series 10000 --rows 200

    batch      seconds from a frame to the first batch of windows
    memory     peak memory of a fit of few steps
    backtest   a backtest of five windows by fitted networks, beside one forecast of the same frame
    growth     seconds to the first batch, and of a forecast of the frame

Each task has trained on a small frame before its clock starts, so that imports do not count. The last line is JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from peers.frame_job import Job
from rounds import count_peak_anew, memory

SMALL = 20
N_WINDOWS = 5
REPEATS = 5


class FirstBatch:
    """Stands in for an engine: takes the first batch, trains nothing, and notes the time."""

    def fit(self, windows: Any, **_: Any) -> Any:
        """Take the first batch."""
        from seqcast.training import History

        self.batch = windows[0]
        self.taken = time.perf_counter()
        return History()


def seconds_to_batch(job: Job, df: Any) -> float:
    """Return the seconds that `Forecaster.fit` takes from a frame to its first batch."""
    from seqcast.engine.jobs import TrainingJob

    engine = FirstBatch()
    with mock.patch.object(TrainingJob, "engine", return_value=engine):
        began = time.perf_counter()
        job.forecaster().fit(df)
    return engine.taken - began


def seconds(call: Callable[[], Any]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def warm_up(job: Job) -> None:
    """Import all and train once, on a small frame."""
    small = dataclasses.replace(job, series=min(SMALL, job.series), steps=2)
    small.forecaster().fit(small.frame()).predict()


def batch(job: Job) -> dict[str, Any]:
    """Time the way from the frame to the first batch, once."""
    df = job.frame()
    warm_up(job)
    elapsed = seconds_to_batch(job, df)
    return {"seconds": elapsed, "rows_per_s": len(df) / elapsed}


def fit_memory(job: Job) -> dict[str, Any]:
    """Take the peak of a fit over the process that holds the frame."""
    df = job.frame()  # before seqcast is imported, whose allocator keeps what is freed
    warm_up(job)
    frame = float(df.memory_usage().sum()) / 2**20
    before = memory("VmRSS")
    count_peak_anew()
    job.forecaster().fit(df)
    peak = memory("VmHWM")
    return {"frame_mib": frame, "before_mib": before, "peak_mib": peak, "over_mib": peak - before}


def backtest(job: Job) -> dict[str, Any]:
    """Time forecasts of the frame and backtests of it, in turn; the network saw rows up to the first cutoff."""
    df = job.frame()
    cutoff = df["ds"].iloc[job.rows - N_WINDOWS * job.horizon - 1]
    forecaster = job.forecaster().fit(df[df["ds"] <= cutoff])

    def one() -> Any:
        return forecaster.predict(df=df)

    def several() -> Any:
        return forecaster.backtest(df, n_windows=N_WINDOWS, refit="never")

    first = seconds(one), seconds(several)
    turns = [(seconds(one), seconds(several)) for _ in range(REPEATS)]
    once, five = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"predict_s": once, "backtest_s": five, "ratio": five / once, "first_s": first}


def growth(job: Job) -> dict[str, Any]:
    """Time the way to the first batch and a forecast of the frame, each several times."""
    df = job.frame()
    warm_up(job)
    to_batch = [seconds_to_batch(job, df) for _ in range(REPEATS)]
    forecaster = job.forecaster().fit(df)
    forecaster.predict(df=df)
    forecast = [seconds(lambda: forecaster.predict(df=df)) for _ in range(REPEATS)]
    return {"batch_s": statistics.median(to_batch), "predict_s": statistics.median(forecast)}


TASKS = {"batch": batch, "memory": fit_memory, "backtest": backtest, "growth": growth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(TASKS))
    Job.add_arguments(parser)
    arguments = parser.parse_args()
    print(json.dumps(TASKS[arguments.task](Job.of(arguments))))


if __name__ == "__main__":
    main()
