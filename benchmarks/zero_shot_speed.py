"""Time forecasts without training: 1,000 series of 512 steps, all quantiles, five processes one after another.

    python benchmarks/zero_shot_speed.py  # half a minute, after one process that fills the cache of compiled programs

Each process imports, makes the series, fits (which trains nothing) and forecasts twice; the second forecast is warm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

ROUNDS = 5
LEVELS = (20, 40, 60, 80, 90, 95, 98)


def once(series: int, steps: int, horizon: int) -> dict[str, float]:
    """Forecast in this process; return seconds of the fit and of both forecasts."""
    import numpy as np
    import pandas as pd

    from seqcast import Forecaster

    wave = 10 + 3 * np.sin(2 * np.pi * np.arange(steps) / 24)
    values = wave + 0.1 * np.cumsum(np.random.default_rng(0).normal(size=(series, steps)), axis=1)
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(series), steps), "ds": np.tile(np.arange(steps), series), "y": values.ravel()}
    )
    moments = [time.perf_counter()]
    model = Forecaster(horizon, preset="pretrained", freq=1, season_length=24, level=LEVELS, verbose=0).fit(frame)
    moments.append(time.perf_counter())
    for _ in range(2):
        model.predict()
        moments.append(time.perf_counter())
    return dict(zip(("fit", "first forecast", "warm forecast"), map(float, np.diff(moments)), strict=True))


def main() -> None:
    """Run the processes and print medians and spreads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = (arguments.series, arguments.steps, arguments.horizon)
    if arguments.once:
        print(json.dumps(once(*sizes)))
        return
    from rounds import machine, spread

    given = [f"--{name}={size}" for name, size in zip(("series", "steps", "horizon"), sizes, strict=True)]
    found = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--once", *given],
            capture_output=True,
            text=True,
            check=True,
        )
        found.append({**json.loads(done.stdout.splitlines()[-1]), "process": time.perf_counter() - began})
    for name in found[0]:
        print(f"{name}: {spread(one[name] for one in found[1:])} s")
    print(machine())


if __name__ == "__main__":
    main()
