"""Kinds of data that networks find hard, beside the last season and the last value.

    python benchmarks/accuracy/weak_spots.py FOLDER                      # all kinds, two methods: two minutes
    python benchmarks/accuracy/weak_spots.py FOLDER --tasks walk demand --method pretrained

| kind | data | windows |
|---|---|---|
| two seasons | M4 Hourly without its test values, 48 hours | 1 |
| half-hours | electricity demand of Victoria, two days, each a horizon after the last | 10 |
| days of ETT | daily means of ETTh's fourteen columns before the windows of ETT_1H, two weeks | 8 |
| short | the last 16 of M3's quarterly values before the last two years of known ones, two years | 1 |
| shorter | the last 10 of M3's yearly values before the last six known ones, six years | 1 |
| walk | logarithms of bitcoin's daily closing price, two weeks | 20 |
| demand | 200 made-up series of intermittent demand with a week, two weeks | 1 |

Scores are the mean quantile loss at the nine deciles, summed over a task (WQL), and the MASE, each over that of the
last season (of the last value, where there is none). A median of intermittent demand is mostly zero, which MASE
rewards: there WQL is the score.
"""

import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
from methods import METHODS, contest, mean, options, scored
from zero_shot_tasks import ROLLING_WINDOWS, Task, geometric_means, naive_scores, read_task

from harness import machine, parse, table
from public_data import checked

ROWS_OF_DEMAND = 140
SERIES_OF_DEMAND = 200


def two_seasons(folder):
    """Return M4 Hourly without its test values."""
    return [Task("two seasons", read_task(folder, "M4 Hourly").past, 48, 24, 24, "h")]


def half_hours(folder):
    """Return windows of electricity demand."""
    return Task("half-hours", read_task(folder, "vic_elec").series, 96, 48, 48, "30min").windows(10)


def days_of_ett(folder):
    """Return windows of daily means."""
    hours = read_task(folder, "ETT_1H").held_back(ROLLING_WINDOWS).series
    days = [values[len(values) % 24 :].reshape(-1, 24).mean(axis=1) for values in hours]
    return Task("days of ETT", days, 14, 7, 7, "D").windows(8)


def few_known(name, known):
    """Return what reads a task whose series know their last values alone."""

    def read(folder):
        task = read_task(folder, name).held_back()
        enough = [values for values in task.series if len(values) >= known + task.horizon]
        return [replace(task, series=[values[-known - task.horizon :] for values in enough])]

    return read


def walk(folder):
    """Return windows of prices."""
    newest_first = pd.read_csv(checked(folder, "bitcoin/bitcoin_price.csv"))["Close"].to_numpy(
        dtype=float
    )
    return Task("walk", [np.log(newest_first[::-1])], 14, 1, 1, "D").windows(20)


def demand(folder):
    """Return made-up demand: in most days none, otherwise negative binomial, more at the end of the week."""
    del folder
    rng = np.random.default_rng(zlib.crc32(b"demand"))
    size = (SERIES_OF_DEMAND, ROWS_OF_DEMAND)
    often = rng.uniform(0.05, 0.5, (size[0], 1))
    much = rng.uniform(1.0, 8.0, (size[0], 1))
    week = np.array([0.6, 0.6, 0.8, 1.0, 1.4, 1.8, 0.8])[np.arange(size[1]) % 7]
    sold = (rng.random(size) < often * week) * (1 + rng.negative_binomial(2, 2 / (2 + much), size))
    return [Task("demand", list(sold.astype(float)), 14, 7, 7, "D")]


KINDS = {
    "two_seasons": two_seasons,
    "half_hours": half_hours,
    "days_of_ett": days_of_ett,
    "short": few_known("m3_quarterly", 16),
    "shorter": few_known("m3_yearly", 10),
    "walk": walk,
    "demand": demand,
}


def main():
    """Run what has not been run yet, each in a process of its own, and print a table."""
    parser = options(__doc__, "accuracy/weak_spots", METHODS, KINDS)
    parser.set_defaults(method=["pretrained", "quick"])
    arguments = parse(parser)

    def measure(task, method, seed):
        return scored(KINDS[task](arguments.data), method, seed)

    found = contest(arguments, measure, files=("accuracy/weak_spots.py",))
    naive = {name: naive_scores(KINDS[name](arguments.data)) for name in arguments.tasks}
    keys = ("mase", "wql")
    base = {name: tuple(naive[name][key] for key in keys) for name in arguments.tasks}
    scores = {
        method: {name: tuple(mean(by_name[name], key) for key in keys) for name in arguments.tasks}
        for method, by_name in found.items()
    }
    rows = []
    for name in arguments.tasks:
        ratios = [np.divide(scores[method][name], base[name]) for method in scores]
        seconds = " / ".join(f"{mean(found[method][name], 'seconds'):.0f}" for method in scores)
        rows.append([name, *(f"{mase:.3f} / {wql:.3f}" for mase, wql in ratios), seconds])
    means = [geometric_means(scores[method], base) for method in scores]
    rows.append(["geometric mean", *(f"{mase:.3f} / {wql:.3f}" for mase, wql in means), ""])
    print("\nMASE / WQL over those of the last season\n")
    print(table(["kind", *scores, "seconds"], rows))
    print(machine())


if __name__ == "__main__":
    main()
