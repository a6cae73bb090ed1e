"""Forecasts of the pretrained network far beyond the 192 steps that it was trained to write.

    python benchmarks/far_horizons.py FOLDER    # a minute

By parts of the horizon: squared errors, absolute errors and quantile losses over the squared and
the absolute error of the last season, and the share of values in intervals of 80 %. Windows are
those before the test parts: ETTh1 and ETTh2 (720 hours; rows 8,640 to 11,520), electricity of
Victoria (672 half-hours) and tourism by months (72 months, the test part of 24 left out).
"""

import time

import numpy as np

from harness import machine, options, parse, table
from public_data import ETT_VALIDATION, read_competition, read_ett, read_vic_elec
from seqcast.data import Season
from seqcast.forecaster.choice import pinball
from seqcast.pretrained import ZeroShotWindows, load_pretrained

# Where parts of the horizon end.
ENDS = (64, 192, 720)
PROBABILITIES = (0.025, 0.1, 0.5, 0.9, 0.975)
LOW = 1
MEDIAN = 2
HIGH = 3


def windows(folder):
    """Yield for each kind of windows its name, its season, what is known and what comes."""
    for name in ("ETTh1", "ETTh2"):
        wide = read_ett(folder, name).pivot(index="ds", columns="unique_id", values="y").to_numpy()
        ends = range(8_640, ETT_VALIDATION - 720, 97)
        for context in (96, 512, 2048):
            cut = np.concatenate([wide[end - context : end + 720].T for end in ends])
            yield f"{name}, {context} known", 24, cut[:, :context], cut[:, context:]
    demand = read_vic_elec(folder)["y"].to_numpy()
    cut = np.stack([demand[end - 2048 : end + 672] for end in range(20_000, 40_000, 701)])
    yield "electricity, half-hours", 48, cut[:, :2048], cut[:, 2048:]
    months = [
        values[:-24] for _, values in sorted(read_competition(folder, "tcomp", "MONTHLY").items())
    ]
    cut = np.stack(
        [values[-132:] / np.abs(values[-132:-72]).mean() for values in months if len(values) >= 132]
    )
    yield "tourism, months", 12, cut[:, :60], cut[:, 60:]


def scores(season, past, truth):
    """Yield for each part of the horizon its steps, the errors over those of the last season, and the coverage."""
    steps = truth.shape[1]
    longer = Season.of(season).longer or 0
    known = ZeroShotWindows(past, np.full(len(past), season), np.full(len(past), longer))
    quantiles = load_pretrained().forecast(known, steps, PROBABILITIES)
    naive = past[:, -season:][:, np.arange(steps) % season]
    for first, end in zip((0, *ENDS), ENDS, strict=False):
        if first >= steps:
            return
        y, ours, theirs = (each[:, first:end] for each in (truth, quantiles, naive))
        off = ours[:, :, MEDIAN] - y
        of_season = theirs - y
        loss = pinball(y, ours, PROBABILITIES)
        size = np.abs(of_season).mean()
        inside = (ours[:, :, LOW] <= y) & (y <= ours[:, :, HIGH])
        found = (
            np.mean(off**2) / np.mean(of_season**2),
            np.abs(off).mean() / size,
            loss.mean() / size,
            inside.mean(),
        )
        yield [f"{first + 1} to {min(end, steps)}", *(f"{value:.3f}" for value in found)]


def main():
    """Print the table."""
    folder = parse(options(__doc__, data=True)).data
    rows = []
    began = time.perf_counter()
    for name, season, past, truth in windows(folder):
        rows += [[name, len(past), *found] for found in scores(season, past, truth)]
    print(
        table(
            [
                "windows",
                "number",
                "steps",
                "squared error",
                "absolute error",
                "quantile loss",
                "in 80 %",
            ],
            rows,
        )
    )
    print(f"{time.perf_counter() - began:.0f} seconds. {machine()}")


if __name__ == "__main__":
    main()
