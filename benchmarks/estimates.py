"""Does a fit take about as long as `seqcast describe` says? The default on ten kinds of data.

    python benchmarks/estimates.py                       # about fifteen minutes
    python benchmarks/estimates.py --only months,weather
    python benchmarks/estimates.py --data FOLDER --only taxi,nn5,etth  # public data

    small       144 months of one series
    days        one series of 3,650 days
    load        one series of 17,520 hours, with the temperature, known ahead
    shops       100 daily series of 730 rows
    grid        400 hourly series of 700 rows

and `long`, `promotions`, `zones`, `months` and `weather` of `waits.py`. These data are generated, with seed 0. Each fit
runs in a process of its own with an empty cache of compiled programs, as a user's first one does; reading and
forecasting are left out. Leave the machine alone meanwhile.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from harness import Runner, machine, options, parse, table
from waits import FITS, hours, long_frame, months, noise, wave

HERE = Path(__file__).resolve()


def small(random):
    """One short series."""
    df = months(random)[0]
    return df[df["unique_id"] == df["unique_id"].value_counts().index[0]].tail(144), 12, ()


def days(random):
    """One long daily series."""
    values = 100 + 10 * wave(3_650, 7) + 20 * wave(3_650, 365.25) + 3 * noise(random, (1, 3_650))
    return long_frame(values, "D"), 28, ()


def load(random):
    """One hourly load with its temperature."""
    values, warmth = hours(random, 1, 17_520)
    return long_frame(values, "h", temperature=warmth), 48, ("temperature",)


def shops(random):
    """Daily sales."""
    level = np.exp(random.normal(1.5, 1.0, (100, 1)) + 0.25 * wave(730, 7) + 0.2 * wave(730, 365))
    return long_frame(random.poisson(level).astype(float), "D"), 14, ()


def grid(random):
    """Many hourly series."""
    return long_frame(hours(random, 400, 700)[0], "h"), 48, ()


def taxi(folder):
    """Passengers of New York's taxis, every half hour."""
    df = pd.read_csv(folder / "classics" / "taxi_new_york_passengers.csv", parse_dates=["time"])
    df = df.rename(columns={"time": "ds", "#Passengers": "y"})
    return df.assign(unique_id="taxi"), 48, ()


def nn5(folder):
    """Daily withdrawals at 111 cash machines."""
    wide = pd.read_csv(folder / "nn5" / "nn5.csv.gz").filter(like="NN5").head(735)
    days = pd.date_range("1996-03-18", periods=len(wide))
    long = wide.set_axis(days).rename_axis("ds").reset_index()
    return long.melt("ds", var_name="unique_id", value_name="y"), 56, ()


def etth(folder):
    """Hourly oil temperatures of a transformer."""
    df = pd.read_csv(folder / "ETT-small" / "ETTh1.csv", parse_dates=["date"])
    oil = df.iloc[:, [0, -1]].set_axis(["ds", "y"], axis=1)
    return oil.assign(unique_id="etth"), 24, ()


PUBLIC = {"taxi": taxi, "nn5": nn5, "etth": etth}
DATA = {"small": small, "days": days, "load": load, "shops": shops, "grid": grid, **FITS}


def fitted(name, folder):
    """Fit the default, and return the seconds that it took and those that were said before."""
    from seqcast import Forecaster

    if name in PUBLIC:
        df, horizon, future = PUBLIC[name](folder)
    else:
        df, horizon, future = DATA[name](np.random.default_rng(0))
    model = Forecaster(horizon, future_covariates=future, random_state=0, verbose=0)
    said = model.describe(df).settings["time"]
    began = time.perf_counter()
    model.fit(df)
    return {"seconds": time.perf_counter() - began, "said": said, "choice": str(model.choice_)}


def main():
    """Fit each kind of data in a process of its own and print a table."""
    parser = options(__doc__, "estimates")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the public data sets")
    parser.add_argument("--task", choices=[*DATA, *PUBLIC], help=argparse.SUPPRESS)
    given = parse(parser, [*DATA, *PUBLIC])
    if given.task:
        print(json.dumps(fitted(given.task, given.data)))
        return
    rows = []
    for name in given.chosen:
        if name in PUBLIC and given.data is None:
            continue
        programs = given.results / "programs" / name
        shutil.rmtree(programs, ignore_errors=True)
        command = [sys.executable, str(HERE), "--task", name]
        command += ["--data", str(given.data)] if given.data else []
        result = Runner(given.results, 1).run(
            name, 0, command, {"SEQCAST_CACHE_DIR": str(programs)}
        )
        rows.append([name, result["said"], f"{result['seconds']:.0f} seconds", result["choice"]])
    print(f"{machine()}. Seed 0, one run each, programs compiled in it.\n")
    print(table(["", "said", "measured", "forecast"], rows))


if __name__ == "__main__":
    main()
