"""Forecasts of the pretrained network far beyond its 64 steps.

    python benchmarks/far_horizons.py FOLDER    # three minutes

How much of the last season is in what comes after its first block, and how many blocks the network writes before its
base goes on alone: squared errors, absolute errors and quantile losses after step 64, over the squared and the absolute
error of the last season, and seconds. Windows are those before the test parts: ETTh1 and ETTh2 (720 hours; rows 8,640
to 11,520), electricity of Victoria (672 half-hours) and tourism by months (72 months, the test part of 24 left out).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from public_data import read_competition, read_vic_elec
from seqcast.data.synthetic import Season
from seqcast.forecaster.choice import pinball
from seqcast.pretrained import ZeroShotWindows, far_horizons, load_pretrained, network

sys.path.append(str(Path(__file__).parent / "accuracy"))
from reporting import machine_line, table
from yardsticks import ETT_VALIDATION, read_ett

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
BLOCKS = (2, 3, 4, 12)
FIRST = 64
PROBABILITIES = (0.025, 0.1, 0.5, 0.9, 0.975)
MEDIAN = PROBABILITIES.index(0.5)


def windows(folder: Path) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Yield for each kind of windows its name, its season, what is known and what comes."""
    for name in ("ETTh1", "ETTh2"):
        wide = read_ett(folder, name).pivot(index="ds", columns="unique_id", values="y").to_numpy()
        ends = range(8_640, ETT_VALIDATION - 720, 97)
        for context in (96, 512):
            cut = np.concatenate([wide[end - context : end + 720].T for end in ends])
            yield f"{name}, context {context}", 24, cut[:, :context], cut[:, context:]
    demand = read_vic_elec(folder)["y"].to_numpy()
    cut = np.stack([demand[end - 512 : end + 672] for end in range(20_000, 40_000, 701)])
    yield "electricity, half-hours", 48, cut[:, :512], cut[:, 512:]
    months = [
        rows["y"].to_numpy()[:-24] for _, rows in read_competition(folder, "tcomp", "MONTHLY").groupby("unique_id")
    ]
    cut = np.stack([values[-132:] / np.abs(values[-132:-72]).mean() for values in months if len(values) >= 132])
    yield "tourism, months", 12, cut[:, :60], cut[:, 60:]


def scores(season: int, past: np.ndarray, truth: np.ndarray) -> list[str]:
    """Return the errors after the first block over those of the last season, and the seconds."""
    steps, longer = truth.shape[1], Season.of(season).longer or 0
    known = ZeroShotWindows(past, np.full(len(past), season), np.full(len(past), longer))
    began = time.perf_counter()
    quantiles = load_pretrained().forecast(known, steps, PROBABILITIES)
    seconds = time.perf_counter() - began
    naive = past[:, -season:][:, np.arange(steps) % season]
    y, ours, theirs = (each[:, FIRST:] for each in (truth, quantiles, naive))
    off, of_season, loss = ours[:, :, MEDIAN] - y, theirs - y, pinball(y, ours, PROBABILITIES)
    size = np.abs(of_season).mean()
    found = (np.mean(off**2) / np.mean(of_season**2), np.abs(off).mean() / size, loss.mean() / size)
    return [*(f"{value:.3f}" for value in found), f"{seconds:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the public data sets")
    arguments = parser.parse_args()
    usual, rows = (far_horizons.REPEATED, far_horizons.BLOCKS), []
    headings = ["windows", "number", "blocks", "squared error", "absolute error", "quantile loss", "seconds"]
    for name, season, past, truth in windows(arguments.folder):
        longer = truth.shape[1] > min(BLOCKS) * FIRST
        settings = [(share, usual[1], f"{share:.0%} of the season before") for share in SHARES]
        settings += [(usual[0], count, f"{count} of the network") for count in BLOCKS if longer]
        for far_horizons.REPEATED, network.BLOCKS, told in settings:
            scores(season, past, truth)  # programs are compiled
            rows.append([name, len(past), told, *scores(season, past, truth)])
            print(table(headings, rows[-1:]), flush=True)
    print(table(headings, rows))
    print(machine_line())


if __name__ == "__main__":
    main()
