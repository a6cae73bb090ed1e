"""Forecasts of the pretrained network far beyond its 64 steps: how much of the last season is in its later blocks.

    python benchmarks/far_horizons.py FOLDER    # three minutes

Squared and absolute errors after step 64, over those of the last season, of windows before the test parts: ETTh1 and
ETTh2 (720 hours; rows 8,640 to 11,520), electricity of Victoria (672 half-hours) and tourism by months (72 months, the
test part of 24 left out).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from public_data import read_competition, read_vic_elec
from seqcast.data.synthetic import Season
from seqcast.pretrained import far, load_pretrained

sys.path.append(str(Path(__file__).parent / "accuracy"))
from reporting import machine_line, table
from yardsticks import ETT_VALIDATION, read_ett

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FIRST = 64


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the public data sets")
    arguments = parser.parse_args()
    pretrained, rows = load_pretrained(), []
    for name, season, past, truth in windows(arguments.folder):
        steps, told = truth.shape[1], Season.of(season)
        seasons, longer = (np.full(len(past), length or 0) for length in (told.length, told.longer))
        naive = past[:, -season:][:, np.arange(steps) % season]
        cells = []
        for share in SHARES:
            far.REPEATED = share
            median = pretrained.quantiles(past, seasons, longer, steps, (0.5,))[:, :, 0]
            ours, theirs = ((forecast - truth)[:, FIRST:] for forecast in (median, naive))
            cells.append(
                f"{np.mean(ours**2) / np.mean(theirs**2):.3f} / {np.abs(ours).mean() / np.abs(theirs).mean():.3f}"
            )
        rows.append([name, len(past), *cells])
        print(table(["windows", "number", *map(str, SHARES)], rows[-1:]), flush=True)
    print(table(["windows", "number", *map(str, SHARES)], rows))
    print(machine_line())


if __name__ == "__main__":
    main()
