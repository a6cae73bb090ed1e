"""Choose the gains of the exponential smoothings that the pretrained network corrects the mean of.

python benchmarks/smoothing_gains.py --data FOLDER          # ten minutes; GAINS and the best nine of a hundred
python benchmarks/smoothing_gains.py --data FOLDER --most 2 # fewer

One set after another is added that lowers the MASE most, and each before it exchanged where that lowers it further.
Scores are geometric means over seasonal naive on windows of seven public tasks that end before the test parts, at most
400 series of each.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).with_name("accuracy")))

from zero_shot_tasks import TASKS, Task, validation_windows

from seqcast.pretrained.seasonal_base import GAINS, both_ways_smoothed, units_of, weights_by_errors

LEVELS, TRENDS = (0.02, 0.1, 0.3, 0.6, 0.95), ((0.0, 0.9), (0.0, 0.98), (0.0, 1.0), (0.03, 0.98), (0.1, 0.95))
SEASONS = (0.02, 0.1, 0.25, 0.4)
POOL = [
    (level, min(trend, level), season, damping)
    for level, (trend, damping), season in itertools.product(LEVELS, TRENDS, SEASONS)
]
CONTEXT, MOST_SERIES = 512, 400


@dataclass(frozen=True)
class Smoothings:
    """What all sets forecast of a task's series, in units of the seasonal error of each.

    Args:
        errors: Mean absolute error one step ahead of each set, of values, then of logarithms, `[N, 2K]`.
        checks: The same of forecasts of the last steps, `[checks, N, 2K]`.
        forecasts: Forecasts, `[N, H, 2K]`.
        truth: What came, `[N, H]`.
        naive: MASE of the seasonal naive forecast.
    """

    errors: np.ndarray
    checks: np.ndarray
    forecasts: np.ndarray
    truth: np.ndarray
    naive: float

    def ratio(self, sets: Sequence[int]) -> float:
        """Return the MASE of the mean of some sets over that of the seasonal naive forecast."""
        columns = [*sets, *(len(self.errors[0]) // 2 + each for each in sets)]
        weights = weights_by_errors(self.errors[:, columns], self.checks[:, :, columns])
        mean = np.einsum("nhk,nk->nh", self.forecasts[:, :, columns], weights)
        return float(np.nanmean(np.abs(self.truth - mean)) / self.naive)


def smoothings(windows: Sequence[Task], gains: Sequence[tuple[float, float, float, float]]) -> Smoothings:
    """Smooth the windows of a task with all sets."""
    parts = [_of_window(window, MOST_SERIES // len(windows), gains) for window in windows]
    errors, checks, forecasts, truth, naive = (np.concatenate(each) for each in zip(*parts, strict=True))
    # Checks come by series, then by step.
    return Smoothings(errors, np.moveaxis(checks, 1, 0), forecasts, truth, float(np.nanmean(np.abs(truth - naive))))


def _of_window(task: Task, most: int, gains: Sequence[tuple[float, float, float, float]]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(len(task.series), min(most, len(task.series)), replace=False))
    steps = task.protocol_season
    whole = task.past
    scale = np.array([np.nanmean(np.abs(whole[row][steps:] - whole[row][:-steps])) for row in rows])[:, None]
    scale[~(scale > 0)] = np.nan
    past = task.known(CONTEXT)[rows]
    season = np.full(len(rows), task.season)
    found = both_ways_smoothed(past, season, task.horizon, gains)
    loc, spread = units_of(past, season)
    forecasts = (found.forecasts * spread[:, :, None] + loc[:, :, None]) / scale[:, :, None]
    values = (past - loc) / spread
    checks = np.moveaxis(found.check_errors(values), 0, 1)
    return (
        found.errors(values),
        checks,
        forecasts.astype(np.float32),
        task.truth[rows] / scale,
        task.seasonal_naive()[rows] / scale,
    )


def score(tasks: Sequence[Smoothings], sets: Sequence[int]) -> float:
    """Return the geometric mean over tasks."""
    return float(np.exp(np.mean(np.log([task.ratio(sets) for task in tasks]))))


def main() -> None:
    """Choose."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--most", type=int, default=len(GAINS), help="sets to choose")
    arguments = parser.parse_args()
    windows = [validation_windows(arguments.data, name) for name in TASKS]
    # Those of the package come last, so that they are scored on the same series.
    tasks = [smoothings(each, [*POOL, *GAINS]) for each in windows]
    own = range(len(POOL), len(POOL) + len(GAINS))
    print(f"GAINS: {score(tasks, own):.4f}", [f"{task.ratio(own):.3f}" for task in tasks], flush=True)
    chosen: list[int] = []
    while len(chosen) < arguments.most:
        chosen.append(min(range(len(POOL)), key=lambda each: score(tasks, [*chosen, each])))
        for place in range(len(chosen) - 1):
            chosen[place] = min(
                range(len(POOL)), key=lambda each: score(tasks, [*chosen[:place], each, *chosen[place + 1 :]])
            )
        print(f"{len(chosen)}: {score(tasks, chosen):.4f}", [POOL[each] for each in chosen], flush=True)


if __name__ == "__main__":
    main()
