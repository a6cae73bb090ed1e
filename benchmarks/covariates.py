"""What the pretrained network gains from covariates, without training.

    python benchmarks/covariates.py FOLDER                 # the tables of docs/how-to/covariates.md
    python benchmarks/covariates.py FOLDER --held-back     # windows before the test parts, by which settings are chosen

Daily sales with promotions are those of docs/start.md, 14 days ahead, beside ordinary least squares on weekdays and
promotions. Air quality is the task of fev-bench with temperature and both humidities, demand for electricity in
Victoria that with temperature and holidays, as public data. The network is fitted once, before the first window.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from harness import code, kept, machine, options, parse, table
from public_data import checked, read_vic_elec
from seqcast import Forecaster

sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))
from zero_shot_tasks import DECILE_LEVELS, mean_scores, read_windows

ROWS = (90, 200, 365, 700)
HORIZON = 14
NOISE = 4
PRESETS = {"pretrained": {"preset": "pretrained"}, "auto": {}}
CODE = ("covariates.py", "accuracy/zero_shot_tasks.py")


def sales(rows, seed):
    """Return daily sales with promotions, a frame."""
    days = pd.date_range("2024-01-01", periods=rows)
    rng = np.random.default_rng(seed)
    promotion = rng.random(rows) < 0.2
    sold = 50 + 10 * (days.day_of_week >= 5) + 30 * promotion + rng.normal(0, NOISE, rows)
    noise = rng.normal(size=rows)
    return pd.DataFrame({"ds": days, "promotion": promotion, "noise": noise, "y": np.round(sold)})


def least_squares(known, ahead):
    """Return the forecast of ordinary least squares on weekdays and promotions."""
    both = pd.concat([known, ahead])
    terms = np.column_stack([pd.get_dummies(both["ds"].dt.day_of_week), both["promotion"]]).astype(
        float
    )
    coefficients = np.linalg.lstsq(terms[: len(known)], known["y"].to_numpy(), rcond=None)[0]
    return terms[len(known) :] @ coefficients


def sales_errors(rows, seed):
    """Return mean absolute errors of least squares, and of presets with and without covariates."""
    frame = sales(rows, seed)
    known = frame[:-HORIZON]
    ahead = frame[-HORIZON:]
    found = {"least squares": least_squares(known, ahead)}
    for names in ([], ["noise"], ["promotion"]):
        model = Forecaster(
            HORIZON, preset="pretrained", future_covariates=names, random_state=0, verbose=0
        )
        future = ahead[["ds", *names]] if names else None
        found[", ".join(["pretrained", *names])] = model.fit(known[["ds", *names, "y"]]).predict(
            future=future
        )["seqcast"]
    return {
        name: float(np.mean(np.abs(np.asarray(each) - ahead["y"].to_numpy())))
        for name, each in found.items()
    }


def air_covariates(folder):
    """Return temperature and humidities by the hour; their gaps are interpolated."""
    rows = pd.read_csv(checked(folder, "uci_air_quality/AirQualityUCI.csv"))[["T", "RH", "AH"]]
    return rows.replace(-200, np.nan).interpolate(limit_direction="both")


def demand_covariates(folder):
    """Return temperature and holidays by the half-hour."""
    return read_vic_elec(folder)[["temperature", "holiday"]]


TASKS = {"uci_air_quality_1H": air_covariates, "vic_elec": demand_covariates}


def with_covariates(window, covariates):
    """Return the known rows of a window and the steps to forecast, as frames with covariates that all series share."""
    known = window.frame()
    series = len(window.series)
    steps = len(known) // series
    last = known["ds"].iloc[-1]
    stamps = pd.date_range(last, periods=window.horizon + 1, freq=window.freq)[1:]
    ahead = pd.DataFrame(
        {"unique_id": np.repeat(window.ids, window.horizon), "ds": np.tile(stamps, series)}
    )
    for name, column in covariates.items():
        known[name] = np.tile(column[:steps], series)
        ahead[name] = np.tile(column[steps : steps + window.horizon], series)
    return known, ahead


def task_scores(folder, name, held_back, names, **how):
    """Return the scores of a task with some of its covariates."""
    windows = read_windows(folder, name, held_back=held_back)
    deciles = []
    model = None
    covariates = TASKS[name](folder)[list(names)]
    for window in windows:
        known, ahead = with_covariates(window, covariates)
        if model is None:
            options = {
                "season_length": window.season,
                "freq": window.freq,
                "random_state": 0,
                "verbose": 0,
            }
            model = Forecaster(
                window.horizon, level=DECILE_LEVELS, future_covariates=list(names), **options, **how
            )
            model.fit(known)
        deciles.append(
            window.deciles(model.predict(df=known, future=ahead if len(names) else None))
        )
    return {**mean_scores(windows, deciles), "choice": str(model.choice_)}


def sales_rows(arguments):
    """Return the rows of the table of sales, after its headings."""
    seeds = [seed + 1_000 * arguments.held_back for seed in range(arguments.seeds)]
    table_rows = []
    described = {"code": code(*CODE)}
    for rows in ROWS:
        measures = [partial(sales_errors, rows, seed) for seed in seeds]
        pairs = zip(seeds, measures, strict=True)
        found = [
            kept(arguments.results, f"sales {rows}", seed, described, measure)
            for seed, measure in pairs
        ]
        names = [name for name in found[0] if name not in ("setting", "seed", *described)]
        table_rows.append(
            [rows, *(f"{np.mean([each[name] for each in found]):.2f}" for name in names)]
        )
    return [["days", *names], *table_rows]


def task_rows(arguments, task):
    """Return the rows of a task in the table of public data."""
    columns = tuple(TASKS[task](arguments.data))
    table_rows = []
    for preset in PRESETS if arguments.auto else ("pretrained",):
        for names in ((), columns):
            described = {"held_back": arguments.held_back, "names": names, "code": code(*CODE)}
            measure = partial(
                task_scores, arguments.data, task, arguments.held_back, names, **PRESETS[preset]
            )
            found = kept(arguments.results, f"{task} {preset} {len(names)}", 0, described, measure)
            scores = (f"{found[score]:.3f}" for score in ("mase", "sql"))
            table_rows.append([task, preset, ", ".join(names) or "none", *scores])
    return table_rows


def main():
    """Print the tables."""
    parser = options(__doc__, "covariates", data=True, seeds=20)
    parser.add_argument(
        "--held-back", action="store_true", help="windows before the test parts, and other seeds"
    )
    parser.add_argument(
        "--auto", action="store_true", help="the default too, which trains networks"
    )
    arguments = parse(parser, ("sales", *TASKS))
    if "sales" in arguments.chosen:
        headings, *rows = sales_rows(arguments)
        print(table(headings, rows) + "\n")
    rows = [row for task in TASKS if task in arguments.chosen for row in task_rows(arguments, task)]
    print(table(["task", "preset", "covariates", "MASE", "SQL"], rows))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
