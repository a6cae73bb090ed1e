"""Do calibrated intervals hold what they promise, and do covariates known ahead help? Backtests on public data.

    python benchmarks/interval_coverage.py --data FOLDER             # all settings, three seeds
    python benchmarks/interval_coverage.py --data FOLDER --explore   # the candidates, on rows before the test rows
    python benchmarks/interval_coverage.py --data FOLDER --quick     # few rows, one seed: proves the path

FOLDER is laid out as `public_data` says. The last rows of each data set are the test rows: a network is trained once,
on what comes before, of which the last part is for choosing the epoch and for calibration; it then forecasts the test
rows, a horizon at a time. --explore does the same on a frame that ends where the test rows begin, for each candidate,
so that settings can be chosen without looking at test rows.

Each (setting, seed) writes a file of its own into --results, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

import pandas as pd

from public_data import before, read_m4_hourly, read_nn5, read_vic_elec
from seqcast import Forecaster, NetworkSpec
from seqcast.evaluation import evaluate
from seqcast.intervals.quantiles import level_quantiles
from seqcast.specs.presets import segment_rule
from seqcast.studies.cache import cached

LEVELS = (80, 95)
QUICK = {"epochs": 1, "steps_per_epoch": 2}


@dataclass(frozen=True)
class Setting:
    """A data set, how it is cut, and what is given to the forecaster.

    Args:
        read: Reads the frame from the folder of the data.
        horizon: Steps ahead.
        n_windows: Cutoffs, a horizon apart; the test rows are those after the first.
        season_length: Steps of a season, for the naive forecast.
        options: Of the `Forecaster`, as `--explore` chose them.
        candidates: Other options by name, for `--explore`.
        quick_rows: Rows of a series for `--quick`.
    """

    read: Callable[[Path], pd.DataFrame]
    horizon: int
    n_windows: int
    season_length: int
    options: dict[str, Any]
    candidates: dict[str, dict[str, Any]] = field(default_factory=dict)
    quick_rows: int = 400


def segments(context_length: int, horizon: int, season_length: int, **boxes: Any) -> NetworkSpec:
    """Return a network that reads and writes segments of a season; forecaster's defaults have moved on since."""
    network: dict[str, Any] = {"encoder_units": (64,), "decoder_units": (64,), "normalise": "last", "dropout": 0.1}
    network |= {"decoder_input": "position", "decoding": "parallel", "head": "quantile"}
    segment = segment_rule(season_length, context_length, horizon)
    return NetworkSpec(**{**network, "segment": segment, "quantiles": level_quantiles(LEVELS), **boxes})


def learning(validation_fraction: float) -> dict[str, Any]:
    """Return its training."""
    return {"learning_rate": 0.003, "validation_fraction": validation_fraction}


WEEK = {
    "context_length": 336,
    "preset": segments(336, 48, 48),
    "calendar": ("day_of_year",),
    "training": learning(0.4),
}
AHEAD = {"future_covariates": ("temperature", "holiday")}
SETTINGS = {
    "vic_elec": Setting(
        read_vic_elec,
        horizon=48,
        n_windows=184,
        season_length=48,
        options={**WEEK, **AHEAD},
        candidates={
            "two days": {
                "context_length": 96,
                "preset": segments(96, 48, 48),
                "calendar": ("day_of_week", "day_of_year"),
            },
            "instance": {"preset": segments(336, 48, 48, normalise="instance"), "training": learning(0.4)},
        },
        quick_rows=60 * 48,
    ),
    "vic_elec, no covariates": Setting(
        read_vic_elec, horizon=48, n_windows=184, season_length=48, options=WEEK, quick_rows=60 * 48
    ),
    "m4_hourly": Setting(
        read_m4_hourly,
        horizon=48,
        n_windows=2,
        season_length=24,
        options={
            "context_length": 168,
            "preset": segments(168, 48, 24, normalise="instance", residual="seasonal"),
            "training": learning(0.2),
        },
        candidates={
            "last": {"preset": segments(168, 48, 24)},
            "last, less validation": {"preset": segments(168, 48, 24), "training": learning(0.1)},
            "instance": {"preset": segments(168, 48, 24, normalise="instance")},
            "last, seasonal": {"preset": segments(168, 48, 24, normalise="last", residual="seasonal")},
            "instance, two weeks": {
                "preset": segments(336, 48, 24, normalise="instance"),
                "context_length": 336,
            },
        },
    ),
    "nn5": Setting(
        read_nn5,
        horizon=56,
        n_windows=2,
        season_length=7,
        options={"context_length": 112, "preset": segments(112, 56, 7), "training": learning(0.4)},
        candidates={
            "less validation": {"training": learning(0.25)},
            "instance": {"preset": segments(112, 56, 7, normalise="instance"), "training": learning(0.4)},
            "instance, seasonal": {
                "preset": segments(112, 56, 7, normalise="instance", residual="seasonal"),
                "training": learning(0.4),
            },
        },
    ),
}


def measured(setting: Setting, frame: pd.DataFrame, seed: int, *, quick: bool) -> dict[str, Any]:
    """Train on the rows before the test rows, forecast these, and score with and without calibration."""
    began = time.perf_counter()
    n_windows = 2 if quick else setting.n_windows
    options = {**setting.options, "training": {**setting.options["training"], **(QUICK if quick else {})}}
    model = Forecaster(
        setting.horizon,
        season_length=setting.season_length,
        level=LEVELS,
        calibrate=True,
        scale="standard",
        random_state=seed,
        **options,
    )
    model.fit(before(frame, setting.horizon * n_windows))
    seconds = time.perf_counter() - began
    calibrated = model.backtest(frame, n_windows=n_windows, refit="never")
    model = model.with_fitted(replace(model.fitted_, calibrations=()))  # the same networks' own intervals
    raw = model.backtest(frame, n_windows=n_windows, refit="never")
    metrics = ["mae", "scaled_crps", "coverage"]
    found = {name: scores(made, metrics) for name, made in (("calibrated", calibrated), ("raw", raw))}
    windows = len(calibrated[["unique_id", "cutoff"]].drop_duplicates())
    return {**found, "naive": scores(calibrated, ["mae"], "seasonal_naive"), "windows": windows, "seconds": seconds}


def scores(backtest: pd.DataFrame, metrics: list[str], model: str = "seqcast") -> dict[str, float]:
    table = evaluate(backtest, metrics, models=[model])
    return dict(zip(table["metric"], map(float, table[model]), strict=True))


def few(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the last rows of a few series."""
    kept = frame[frame["unique_id"].isin(frame["unique_id"].unique()[:4])]
    return kept.groupby("unique_id").tail(rows)


def spread(runs: list[dict[str, Any]], of: Callable[[dict[str, Any]], float], form: str) -> str:
    """Write the mean over seeds, and the least and largest."""
    values = [of(run) for run in runs]
    mean = format(statistics.fmean(values), form)
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}}-{max(values):{form}})"


def print_table(results: dict[str, list[dict[str, Any]]]) -> None:
    header = ["setting", "windows"]
    header += [f"inside {level} %" + how for level in LEVELS for how in ("", ", not calibrated")]
    header += ["scaled CRPS", "mean absolute error", "seasonal naive", "seconds"]
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for name, runs in results.items():
        cells = [name, str(runs[0]["windows"])]
        for level in LEVELS:
            for kind in ("calibrated", "raw"):
                key = f"coverage_level{level}"
                cells.append(spread(runs, lambda run, kind=kind, key=key: 100 * run[kind][key], ".1f"))
        cells.append(spread(runs, lambda run: run["calibrated"]["scaled_crps"], ".4f"))
        cells.append(spread(runs, lambda run: run["calibrated"]["mae"], ".4g"))
        cells += [f"{runs[0]['naive']['mae']:.4g}", spread(runs, lambda run: run["seconds"], ".0f")]
        print("| " + " | ".join(cells) + " |", flush=True)


def print_gain(results: dict[str, list[dict[str, Any]]]) -> None:
    """Say by how much covariates lower the error."""
    pair = [results.get(name) for name in ("vic_elec", "vic_elec, no covariates")]
    if all(pair):
        told, blind = (statistics.fmean(run["calibrated"]["mae"] for run in runs) for runs in pair)
        print(f"\nTemperature and holidays known ahead lower the mean absolute error by {1 - told / blind:.1%}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--results", type=Path, default=Path("results/coverage"), help="folder of result files")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default 3)")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="some of the settings")
    parser.add_argument("--explore", action="store_true", help="all candidates, on rows before the test rows")
    parser.add_argument("--quick", action="store_true", help="few rows, one seed, hardly any training: proves the path")
    options = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    for name in options.settings:
        setting = SETTINGS[name]
        frame = setting.read(options.data)
        frame = few(frame, setting.quick_rows) if options.quick else frame
        frame = before(frame, setting.horizon * setting.n_windows) if options.explore and not options.quick else frame
        for candidate, changes in {"": {}, **(setting.candidates if options.explore else {})}.items():
            chosen = replace(setting, options={**setting.options, **changes})
            label = f"{name}, {candidate}" if candidate else name
            described = {"options": chosen.options, "explore": options.explore, "quick": options.quick}
            results[label] = [
                cached(
                    options.results, label, seed, described,
                    partial(measured, chosen, frame, seed, quick=options.quick), say=print,
                )
                for seed in range(1 if options.quick else options.seeds)
            ]  # fmt: skip
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print_table(results)
    print_gain(results)


if __name__ == "__main__":
    main()
