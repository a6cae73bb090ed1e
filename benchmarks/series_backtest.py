"""Backtests of the Forecaster's defaults on the small real series that ship with the package, beside naive forecasts.

    python benchmarks/series_backtest.py            # all series, three seeds
    python benchmarks/series_backtest.py --quick    # one series, one seed, one epoch: proves the path

Each model is trained once, on rows up to the first cutoff. Each (series, seed) writes a file of its own into --results,
so an interrupted run goes on where it stopped. The table and then all results as JSON are printed last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

from seqcast import Forecaster, TrainingSpec
from seqcast.data.datasets import load
from seqcast.evaluation import evaluate
from seqcast.studies.cache import cached

# Steps ahead and number of cutoffs, a horizon apart.
JOBS = {"co2": (52, 4), "elnino": (12, 8), "sunspots": (10, 8), "lynx": (8, 3)}
MODELS = ("seqcast", "seasonal_naive", "last_value")


def result(folder: Path, name: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """Return the scores of a series and seed, from their file if it is there."""
    horizon, n_windows = JOBS[name]

    def measured() -> dict[str, Any]:
        began = time.perf_counter()
        training = TrainingSpec(epochs=1) if quick else None
        forecaster = Forecaster(horizon, training=training, random_state=seed, verbose=1)
        scores = evaluate(forecaster.backtest(load(name), n_windows=n_windows), ["mae", "rmse"])
        table = {model: dict(zip(scores["metric"], map(float, scores[model]), strict=True)) for model in MODELS}
        return {"scores": table, "seconds": time.perf_counter() - began}

    return cached(folder, name, seed, {"horizon": horizon, "n_windows": n_windows, "quick": quick}, measured, print)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default 3)")
    parser.add_argument("--results", type=Path, default=Path("results/series_backtest"), help="folder of result files")
    parser.add_argument("--quick", action="store_true", help="one series, one seed, one epoch: proves the path")
    arguments = parser.parse_args()
    names = ["sunspots"] if arguments.quick else list(JOBS)
    seeds = 1 if arguments.quick else arguments.seeds
    results = {n: [result(arguments.results, n, s, quick=arguments.quick) for s in range(seeds)] for n in names}
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {seeds} seed(s)\n")
    print("| series | horizon | cutoffs | seqcast, mean absolute error | seasonal naive | last value | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, runs in results.items():
        errors = [run["scores"]["seqcast"]["mae"] for run in runs]
        naive, last = (runs[0]["scores"][model]["mae"] for model in MODELS[1:])
        seconds = statistics.median(run["seconds"] for run in runs)
        print(
            f"| {name} | {JOBS[name][0]} | {JOBS[name][1]} | {statistics.fmean(errors):.4g} "
            f"({min(errors):.4g}-{max(errors):.4g}) | {naive:.4g} | {last:.4g} | {seconds:.0f} |"
        )
    print()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
