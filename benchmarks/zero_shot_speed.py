"""Time forecasts without training: 1,000 series of 512 steps, all quantiles, five processes one after another.

    python benchmarks/zero_shot_speed.py             # half a minute, after one process that fills the cache of programs
    python benchmarks/zero_shot_speed.py --peer 100  # and statsforecast's AutoETS on a hundred of the series

Each process imports, makes the series, fits (which trains nothing) and forecasts twice; the second forecast is warm.
AutoETS fits and forecasts in two processes of its own environment (`make .venv-peers-libraries/.installed`), once its
code has been compiled.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SEASON = 24
ROUNDS = 5
LEVELS = (20, 40, 60, 80, 90, 95, 98)


def made(series: int, steps: int) -> pd.DataFrame:
    """Return walks around a daily wave, as a long frame."""
    wave = 10 + 3 * np.sin(2 * np.pi * np.arange(steps) / SEASON)
    values = wave + 0.1 * np.cumsum(np.random.default_rng(0).normal(size=(series, steps)), axis=1)
    return pd.DataFrame(
        {"unique_id": np.repeat(np.arange(series), steps), "ds": np.tile(np.arange(steps), series), "y": values.ravel()}
    )


def once(series: int, steps: int, horizon: int) -> dict[str, float]:
    """Forecast in this process; return seconds of the fit and of both forecasts."""
    from seqcast import Forecaster

    frame = made(series, steps)
    moments = [time.perf_counter()]
    model = Forecaster(horizon, preset="pretrained", freq=1, season_length=SEASON, level=LEVELS, verbose=0).fit(frame)
    moments.append(time.perf_counter())
    for _ in range(2):
        model.predict()
        moments.append(time.perf_counter())
    return dict(zip(("fit", "first forecast", "warm forecast"), map(float, np.diff(moments)), strict=True))


def autoets(series: int, steps: int, horizon: int) -> dict[str, float]:
    """Forecast by AutoETS in this process; return seconds of the second call, whose code is compiled."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    model = StatsForecast([AutoETS(season_length=SEASON)], freq=1, n_jobs=2)
    model.forecast(df=made(4, steps), h=horizon, level=list(LEVELS))
    began = time.perf_counter()
    model.forecast(df=made(series, steps), h=horizon, level=list(LEVELS))
    return {"AutoETS": time.perf_counter() - began}


def main() -> None:
    """Run the processes and print medians and spreads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--peer", type=int, default=0, metavar="N", help="also AutoETS, on N of the series")
    parser.add_argument("--once", choices=("seqcast", "autoets"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = (arguments.series, arguments.steps, arguments.horizon)
    if arguments.once:
        print(json.dumps({"seqcast": once, "autoets": autoets}[arguments.once](*sizes)))
        return
    from rounds import machine, run_process, spread

    sys.path.insert(0, str(Path(__file__).with_name("accuracy")))
    from reporting import PEERS, check_peers

    if arguments.peer:
        check_peers()
    of_a_series = [f"--steps={arguments.steps}", f"--horizon={arguments.horizon}"]
    own = [sys.executable, __file__, "--once=seqcast", f"--series={arguments.series}", *of_a_series]
    peer = [str(PEERS), __file__, "--once=autoets", f"--series={arguments.peer}", *of_a_series]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(ROUNDS + 1):
            ours.append(run_process(own, {"SEQCAST_CACHE_DIR": cache}))
            if arguments.peer:
                theirs.append(run_process(peer))
    for name in ("fit", "first forecast", "warm forecast", "process_s"):
        print(f"{name.removesuffix('_s')}: {spread(one[name] for one in ours[1:])} s")
    if theirs:
        per_series = [one["AutoETS"] / arguments.peer for one in theirs[1:]]
        ratios = [
            seconds * arguments.series / one["warm forecast"] for seconds, one in zip(per_series, ours[1:], strict=True)
        ]
        print(f"AutoETS on {arguments.peer}: {spread(one['AutoETS'] for one in theirs[1:])} s")
        print(f"AutoETS over the warm forecast, a series: {spread(ratios)}")
    print(machine())


if __name__ == "__main__":
    main()
