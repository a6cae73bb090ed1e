"""Which named network forecasts better, and from how much data on? What the rule of `preset="auto"` rests on.

    python benchmarks/preset_rule.py --data FOLDER            # all data sets and numbers of series, three seeds
    python benchmarks/preset_rule.py --data FOLDER --quick    # one of each, hardly any training: proves the path

FOLDER is laid out as `public_data` says. `classic` and `segment` are trained with nothing else said, once, on the first
series of a data set, and forecast two cutoffs, a horizon apart. The rows on which this project's or published
comparisons are scored are left out. The error is the mean absolute scaled one (MASE).

Each (data set, number of series, network, seed) writes a file of its own into --results, so an interrupted run goes on
where it stopped. The table and then all results as JSON are printed last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

import pandas as pd

from public_data import before, read_competition, read_etth1, read_m4_hourly, read_nn5, read_vic_elec
from seqcast import Forecaster
from seqcast.evaluation import evaluate
from seqcast.studies.cache import cached

CUTOFFS = 2
NETWORKS = ("classic", "segment")


@dataclass(frozen=True)
class DataSet:
    """A data set and how it is cut.

    Args:
        read: Reads the frame from the folder of the data.
        horizon: Steps ahead.
        season_length: Steps of a season.
        test_rows: Rows at the end of each series that are left out.
        series: Numbers of series, from the first on.
        rows: Most rows of a series, from its end.
    """

    read: Callable[[Path], pd.DataFrame]
    horizon: int
    season_length: int
    test_rows: int
    series: tuple[int, ...]
    rows: int = 100_000


DATA = {
    "M4 Hourly": DataSet(read_m4_hourly, 48, 24, 96, (1, 4, 16, 64, 414)),
    "ETTh1": DataSet(read_etth1, 96, 24, 17_420 - 11_520, (1, 7), rows=9_000),
    "vic_elec": DataSet(read_vic_elec, 48, 48, 184 * 48, (1,), rows=17_000),
    "NN5": DataSet(read_nn5, 28, 7, 112, (1, 4, 16, 111)),
    "tourism monthly": DataSet(partial(read_competition, name="tcomp", period="MONTHLY"), 24, 12, 24, (5, 20, 80, 366)),
    "M3 monthly": DataSet(partial(read_competition, name="m3", period="MONTHLY"), 18, 12, 18, (1428,)),
    "tourism quarterly": DataSet(partial(read_competition, name="tcomp", period="QUARTERLY"), 8, 4, 8, (20, 100, 427)),
}


def measured(data: DataSet, frame: pd.DataFrame, network: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """Train a network on the rows before the cutoffs and score its forecasts."""
    began = time.perf_counter()
    training = {"epochs": 1, "steps_per_epoch": 2} if quick else None
    model = Forecaster(
        data.horizon, season_length=data.season_length, preset=network, training=training, random_state=seed
    )
    history = before(frame, CUTOFFS * data.horizon)
    model.fit(history)
    backtest = model.backtest(frame, n_windows=CUTOFFS, refit="never")
    scores = evaluate(
        backtest, ["mase"], train_df=history, season_length=data.season_length, models=["seqcast", "seasonal_naive"]
    ).dropna()
    windows = sum(max(0, len(rows) - model.context_length_ - data.horizon) for _, rows in frame.groupby("unique_id"))
    return {
        "mase": float(scores["seqcast"].mean()),
        "naive": float(scores["seasonal_naive"].mean()),
        "segment": model.engine_.network.segment,
        "windows": windows,
        "seconds": time.perf_counter() - began,
    }


def first(frame: pd.DataFrame, count: int, rows: int) -> pd.DataFrame:
    """Return the last rows of the first series."""
    return frame[frame["unique_id"].isin(frame["unique_id"].unique()[:count])].groupby("unique_id").tail(rows)


def table(results: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    """Return the results as a Markdown table: means over seeds, with the smallest and largest ratio."""
    lines = [
        "| data | windows | segment | classic | segment | seasonal naive | segment / classic | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, networks in results.items():
        classic, segment = (networks[network] for network in NETWORKS)
        ratios = [b["mase"] / a["mase"] for a, b in zip(classic, segment, strict=True)]
        means = [statistics.fmean(run["mase"] for run in runs) for runs in (classic, segment)]
        seconds = [statistics.median(run["seconds"] for run in runs) for runs in (classic, segment)]
        lines.append(
            f"| {name} | {classic[0]['windows']} | {segment[0]['segment']} | {means[0]:.3f} | {means[1]:.3f} | "
            f"{classic[0]['naive']:.3f} | {statistics.fmean(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) | "
            f"{seconds[0]:.0f}, {seconds[1]:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--results", type=Path, default=Path("results/preset_rule"), help="folder of result files")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default 3)")
    parser.add_argument("--only", nargs="+", choices=DATA, default=list(DATA), help="some of the data sets")
    parser.add_argument("--quick", action="store_true", help="one data set, hardly any training: proves the path")
    options = parser.parse_args()
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in options.only[:1] if options.quick else options.only:
        data = DATA[name]
        frame = before(data.read(options.data)[["unique_id", "ds", "y"]], data.test_rows)
        for count in data.series[:1] if options.quick else data.series:
            chosen = first(frame, count, data.rows)
            label = f"{name}, {count} series"
            described = {
                "horizon": data.horizon,
                "test_rows": data.test_rows,
                "rows": data.rows,
                "quick": options.quick,
            }
            results[label] = {
                network: [
                    cached(
                        options.results, f"{label}, {network}", seed, described,
                        partial(measured, data, chosen, network, seed, quick=options.quick), say=print,
                    )
                    for seed in range(1 if options.quick else options.seeds)
                ]
                for network in NETWORKS
            }  # fmt: skip
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print(table(results))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
