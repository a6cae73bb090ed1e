"""How the classic network is trained by default: early stopping and the steps of an epoch, on validation windows.

    python benchmarks/accuracy/classic_training.py FOLDER            # about ten minutes
    python benchmarks/accuracy/classic_training.py FOLDER --seeds 3

Windows lie before the test parts of the tasks in `zero_shot_tasks.py`; horizons are such that `preset="auto"` takes the
classic network. Scores are over those of the seasonal naive forecast.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from methods import deciles
from reporting import machine_line, table
from yardsticks import DECILE_LEVELS
from zero_shot_tasks import Task, naive_scores, validation_windows

from seqcast import Forecaster
from seqcast.forecaster import defaults

# Epochs without a gain after which training ends, and the fewest steps of an epoch.
RULES = {"20 epochs, 25 steps": (20, 25), "5 epochs, 25 steps": (5, 25), "5 epochs, 60 steps": (5, 60)}
# For each task the place of a window and the horizon, where it is not the task's.
TASKS = {"m3_yearly": (0, 6), "tourism_quarterly": (0, 8), "m3_quarterly": (0, 8), "nn5": (1, 5), "ETTh": (1, 3)}


def measured(task: Task, rule: tuple[int, int], seed: int) -> tuple[float, float, float]:
    """Return MASE and WQL over those of the seasonal naive forecast, and the seconds of training and forecast."""
    patience, steps = rule
    defaults.LEAST_QUICK_STEPS = steps
    began = time.perf_counter()
    model = Forecaster(
        task.horizon,
        preset="classic",
        season_length=task.season,
        level=DECILE_LEVELS,
        training={"early_stopping": patience},
        random_state=seed,
        verbose=0,
    )
    forecast = model.fit(task.frame()).predict()
    seconds = time.perf_counter() - began
    scores = task.scores(deciles(forecast, len(task.series), task.horizon))
    mase, wql = (score / naive for score, naive in zip(scores, naive_scores(task), strict=True))
    return mase, wql, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the public data sets")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    arguments = parser.parse_args()
    rows = []
    for name, (place, horizon) in TASKS.items():
        task = replace(validation_windows(arguments.folder, name)[place], horizon=horizon)
        for rule, sizes in RULES.items():
            found = np.mean([measured(task, sizes, seed) for seed in range(arguments.seeds)], axis=0)
            rows.append([name, horizon, rule, *(f"{value:.3f}" for value in found[:2]), f"{found[2]:.0f}"])
            print(table(["task", "horizon", "rule", "MASE", "WQL", "seconds"], rows[-1:]), flush=True)
    print(table(["task", "horizon", "rule", "MASE", "WQL", "seconds"], rows))
    print(machine_line())


if __name__ == "__main__":
    main()
