"""How long do users wait? The default forecast on five kinds of data, and four commands, beside an old commit.

    python benchmarks/waits.py COMMIT                        # both in turn, three rounds (over an hour)
    python benchmarks/waits.py COMMIT --only single,promotions --rounds 1
    python benchmarks/waits.py COMMIT --cold                 # one round, in which programs are compiled
    python benchmarks/waits.py --profile promotions          # the twenty longest pieces, of this checkout

    single      144 months of one series, `seqcast forecast FILE`
    wide        eleven weekly series in columns, `seqcast forecast FILE`
    anomalies   324,000 rows of 20 sensors, `seqcast anomalies` by the pretrained network
    report      100 daily series of 730 rows, `seqcast report` by a default model
    long        one series of 26,304 hours
    promotions  500 daily series of 400 rows, with prices and promotions that are known ahead
    zones       20 series of 17,520 hours, with the temperature, known ahead
    months      2,000 monthly series of 60 to 180 rows
    weather     21 columns of 20,000 steps of ten minutes
    grid        scikit-learn's grid of four learning rates in three folds, 300 windows of 48 steps, 40 epochs

All data are generated. The five before the last are `Forecaster(H).fit(df)` and `predict`, scored on the last `H` steps
that the fit did not see: the mean absolute error over that of the last season. The grid's error is the share of the
variance that its best model does not explain. Seconds are of whole processes, programs are compiled before, but with
`--cold`. Each process leaves a result file. Leave the machine alone meanwhile.
"""

import argparse
import cProfile
import functools
import json
import os
import pstats
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from commits import new_side, old_side
from harness import Runner, machine, options, parse, spread, table
from speed_between import state

ROUNDS = 3
LONGEST = 20
HERE = Path(__file__).resolve()
DAY = 24
WEEK = 168
YEAR = 8_766


def wave(steps, period, phase=0.0):
    """Return a sine of a period, from the step 0 on."""
    return np.sin(2 * np.pi * (np.arange(steps) / period + phase))


def noise(random, shape, memory=0.8):
    """Return autoregressive noise of unit innovations along the last axis."""
    shocks = random.normal(size=shape)
    for step in range(1, shape[-1]):
        shocks[..., step] += memory * shocks[..., step - 1]
    return shocks


def long_frame(values, freq, start="2020-01-01", **covariates):
    """Return values `[series, T]` as a long frame, with covariates of the same shape."""
    series, steps = values.shape
    stamps = pd.date_range(start, periods=steps, freq=freq)
    ids = np.repeat([f"s{number}" for number in range(series)], steps)
    columns = {name: np.ravel(each) for name, each in {"y": values, **covariates}.items()}
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(stamps, series), **columns})


def hours(random, series, steps):
    """Return hourly loads that depend on a temperature, and the temperature, `[series, T]` each."""
    place = random.normal(size=(series, 1))
    warmth = (
        12
        + 3 * place
        - 9 * wave(steps, YEAR, 0.05)
        - 4 * wave(steps, DAY, 0.1)
        + noise(random, (series, steps))
    )
    usual = (
        100
        + 20 * wave(steps, DAY, -0.3)
        + 8 * wave(steps, WEEK)
        + 2 * noise(random, (series, steps))
    )
    return usual + 0.25 * (warmth - 16) ** 2, warmth


def long(random):
    """One long series."""
    return long_frame(hours(random, 1, 26_304)[0], "h"), 24, ()


def promotions(random):
    """Counts of daily sales that prices and promotions raise."""
    shape = 500, 400
    promoted = random.random(shape) < 0.06
    price = random.uniform(2, 20, (500, 1)) * np.where(promoted, 0.8, 1.0)
    level = np.exp(
        random.normal(1.5, 1.0, (500, 1))
        + 0.25 * wave(400, 7)
        + 0.2 * wave(400, 365)
        + 0.7 * promoted
    )
    covariates = {"promotion": promoted.astype(float), "price": price}
    return (
        long_frame(random.poisson(level).astype(float), "D", **covariates),
        28,
        ("promotion", "price"),
    )


def zones(random):
    """Hourly loads with their temperature."""
    load, warmth = hours(random, 20, 17_520)
    return long_frame(load, "h", temperature=warmth), 48, ("temperature",)


def months(random):
    """Many short series."""
    level = random.lognormal(4, 1, (2_000, 1))
    growth = random.normal(0, 0.004, (2_000, 1))
    season = random.uniform(0, 0.3, (2_000, 1)) * wave(180, 12)
    values = level * np.exp(
        growth * np.arange(180) + season + 0.03 * noise(random, (2_000, 180), 0.9)
    )
    frame = long_frame(values, "MS", "2005-01-01")
    first = np.repeat(random.integers(0, 121, 2_000), 180)
    return frame[np.tile(np.arange(180), 2_000) >= first], 18, ()


def weather(random):
    """Columns of a station that move together."""
    common = noise(random, (3, 20_000), 0.99)
    own = random.normal(size=(21, 3)) @ common + noise(random, (21, 20_000), 0.9)
    values = (
        random.uniform(-50, 50, (21, 1)) + own + random.uniform(0, 4, (21, 1)) * wave(20_000, 144)
    )
    return long_frame(values, "10min"), 144, ()


FITS = {
    "long": long,
    "promotions": promotions,
    "zones": zones,
    "months": months,
    "weather": weather,
}


def fitted(name):
    """Fit the default on all but the last steps, forecast these, and return the relative error and what was chosen."""
    from seqcast import Forecaster

    df, horizon, future = FITS[name](np.random.default_rng(0))
    last = df.groupby("unique_id", sort=False).cumcount(ascending=False) < horizon
    model = Forecaster(horizon, future_covariates=future, random_state=0, verbose=0).fit(df[~last])
    known = {"future": df[last].drop(columns="y")} if future else {}
    both = model.predict(**known).merge(
        df[last], on=["unique_id", "ds"], suffixes=("_forecast", "")
    )
    season = model.season_length_
    naive = df.groupby("unique_id")["y"].shift(season * -(-horizon // season))[last]
    point = both["y_forecast" if "y_forecast" in both else "seqcast"]
    errors = (
        float((point - both["y"]).abs().mean()),
        float((naive - df.loc[last, "y"]).abs().mean()),
    )
    return {"error": errors[0] / errors[1], "choice": str(model.choice_)}


def searched():
    """Search for a learning rate, and return the share of the variance that the best model does not explain."""
    from sklearn.model_selection import GridSearchCV

    from seqcast import Seq2SeqRegressor

    windows = np.lib.stride_tricks.sliding_window_view(
        hours(np.random.default_rng(0), 1, 354)[0][0], 54
    )[:300, :, None]
    model = Seq2SeqRegressor(encoder_units=16, epochs=40, random_state=0, verbose=0)
    grid = GridSearchCV(model, {"learning_rate": [0.001, 0.003, 0.01, 0.03]}, cv=3)
    grid.fit(windows[:, :48], windows[:, 48:])
    return {"error": 1 - grid.best_score_, "choice": str(grid.best_params_)}


TASKS = {**{name: functools.partial(fitted, name) for name in FITS}, "grid": searched}


def table_of(name):
    """Return the table that a command reads, and its horizon."""
    random = np.random.default_rng(0)
    if name == "single":
        df = months(random)[0]
        return df[df["unique_id"] == df["unique_id"].value_counts().index[0]].drop(
            columns="unique_id"
        ).tail(144), 12
    if name == "wide":
        values = 100 + 10 * wave(261, 52.18) + 3 * noise(random, (11, 261))
        weeks = pd.date_range("2019-01-06", periods=261, freq="W")
        return pd.DataFrame(
            {"week": weeks, **{f"clinic {number + 1}": one for number, one in enumerate(values)}}
        ), 12
    if name == "anomalies":
        return long_frame(hours(random, 20, 16_200)[0], "h"), 24
    df = promotions(random)[0]
    return df.loc[
        df["unique_id"].isin(df["unique_id"].unique()[:100]), ["unique_id", "ds", "y"]
    ], 14


def arguments(name, folder, variables):
    """Return the arguments of a command, after its files were written into a folder."""
    data = folder / "data.csv"
    model = folder / "model.seqcast"
    df, horizon = table_of(name)
    if not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        df.to_csv(data, index=False)
    if name in ("single", "wide"):
        return ["forecast", data, "-H", str(horizon), "-o", folder / "forecast.csv", "--force"]
    if not model.exists():
        preset = "pretrained" if name == "anomalies" else "auto"
        fit = ["fit", data, "-H", str(horizon), "--preset", preset, "-o", model]
        subprocess.run(
            [*SEQCAST, *fit], check=True, capture_output=True, env={**os.environ, **variables}
        )
    return [name, model, data, "-o", folder / f"{name}{'.csv' if name == 'anomalies' else '.html'}"]


COMMANDS = ("single", "wide", "anomalies", "report")
SEQCAST = [sys.executable, "-c", "from seqcast.cli.start import main; main()"]


def profile(name):
    """Print where the default spends its time: the longest functions, with what they call and alone."""
    profiler = cProfile.Profile()
    profiler.runcall(fitted, name)
    for order in ("cumulative", "tottime"):
        pstats.Stats(profiler).strip_dirs().sort_stats(order).print_stats(LONGEST)


def row(name, runner, sides, cold):
    """Measure both sides in turn, and return a row of the table."""
    results = {}
    for number in range(runner.count):
        for side in sides if number % 2 == 0 else sides[::-1]:
            folder = runner.folder / side.name
            variables = {
                "PYTHONPATH": side.environment()["PYTHONPATH"],
                "SEQCAST_CACHE_DIR": str(folder),
            }
            command = [sys.executable, str(HERE), "--task", name]
            if name in COMMANDS:
                command = [*SEQCAST, *map(str, arguments(name, folder / name, variables))]
            first = (
                runner.run(f"{name} {side.name} first", 0, command, variables)
                if number == 0
                else {}
            )
            one = first if cold else runner.run(f"{name} {side.name}", number, command, variables)
            results.setdefault(side.name, []).append(one)
    seconds = {side: [one["process_s"] for one in runs] for side, runs in results.items()}
    faster = [old / new for old, new in zip(seconds["old"], seconds["new"], strict=True)]
    errors = [f"{runs[0]['error']:.4f}" if "error" in runs[0] else "" for runs in results.values()]
    return [
        name,
        *(spread(each, 1) for each in (seconds["old"], seconds["new"])),
        spread(faster),
        *errors,
    ]


def main():
    """Time both sides in turn and print a table."""
    parser = options(__doc__, "waits")
    parser.add_argument(
        "old", nargs="?", metavar="COMMIT", help="what to compare the checkout with"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"(default {ROUNDS})")
    parser.add_argument(
        "--cold", action="store_true", help="one round, in which programs are compiled"
    )
    parser.add_argument(
        "--profile", choices=FITS, help="print the longest pieces of one kind of data"
    )
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    given = parse(parser, [*COMMANDS, *TASKS])
    if given.profile:
        profile(given.profile)
    elif given.task:
        print(json.dumps(TASKS[given.task]()))
    elif given.old is None:
        parser.error("name a commit to compare with")
    else:
        sides = old_side(given.old), new_side()
        runner = Runner(
            given.results / "-".join(map(state, sides)), 1 if given.cold else given.rounds
        )
        rows = [row(name, runner, sides, given.cold) for name in given.chosen]
        print(
            f"{machine()}. Seconds, medians of {runner.count}; in brackets smallest and largest.\n"
        )
        print(
            table(
                [
                    "",
                    *(f"{side.name}, {side.label}" for side in sides),
                    "old / new",
                    "error, old",
                    "new",
                ],
                rows,
            )
        )


if __name__ == "__main__":
    main()
