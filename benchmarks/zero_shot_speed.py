"""Time forecasts without training: 1,000 series of 512 steps, all quantiles, five processes one after another.

    python benchmarks/zero_shot_speed.py    # half a minute, after one process that fills the cache of programs

Each process imports, makes the series, fits (which trains nothing) and forecasts twice; the second forecast is warm.
"""

import argparse
import json
import sys
import tempfile
import time

import numpy as np
import pandas as pd

from harness import ROUNDS, machine, options, run_process, spread

SEASON = 24
LEVELS = (20, 40, 60, 80, 90, 95, 98)


def once(series, steps, horizon):
    """Forecast walks around a daily wave in this process; return seconds of the fit and of both forecasts."""
    from seqcast import Forecaster

    wave = 10 + 3 * np.sin(2 * np.pi * np.arange(steps) / SEASON)
    values = wave + 0.1 * np.cumsum(np.random.default_rng(0).normal(size=(series, steps)), axis=1)
    ids = np.repeat(np.arange(series), steps)
    stamps = np.tile(np.arange(steps), series)
    frame = pd.DataFrame({"unique_id": ids, "ds": stamps, "y": values.ravel()})
    moments = [time.perf_counter()]
    model = Forecaster(
        horizon, preset="pretrained", freq=1, season_length=SEASON, level=LEVELS, verbose=0
    ).fit(frame)
    moments.append(time.perf_counter())
    for _ in range(2):
        model.predict()
        moments.append(time.perf_counter())
    return dict(
        zip(("fit", "first forecast", "warm forecast"), map(float, np.diff(moments)), strict=True)
    )


def main():
    """Run the processes and print medians and spreads."""
    parser = options(__doc__)
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(json.dumps(once(given.series, given.steps, given.horizon)))
        return
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, *sys.argv, "--once"]
        found = [run_process(command, {"SEQCAST_CACHE_DIR": cache}) for _ in range(ROUNDS + 1)][1:]
    for name in ("fit", "first forecast", "warm forecast", "process_s"):
        print(f"{name.removesuffix('_s')}: {spread(one[name] for one in found)} s")
    print(machine())


if __name__ == "__main__":
    main()
