"""The ways of forecasting that `zero_shot.py` and `classics.py` compare, each by the public `Forecaster`.

    pretrained               the network that has seen only synthetic series
    quick, balanced, best    `preset="auto"` with that effort
    scratch                  the network of `preset="auto"` without one: it learns from the task alone

A task, method and seed is run in a process of its own, in which nothing is compiled yet, and leaves a result file, so
that seconds are those of a fresh interpreter up to the forecast, and an interrupted program goes on where it stopped.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pandas as pd
from reporting import code, first_run, machine_line, peak_mib
from yardsticks import DECILE_LEVELS, forecast_column
from zero_shot_tasks import DECILES, Task, mean_scores

from peers.common import process_began
from seqcast import Forecaster, __version__
from seqcast.forecaster.defaults import EFFORTS as ALL_EFFORTS
from seqcast.forecaster.defaults import Sizes, auto_preset, context_rule, middle_length
from seqcast.pretrained import DEFAULT_MODEL, load_pretrained
from seqcast.studies.cache import cached, library_versions

EFFORTS = tuple(effort for effort in ALL_EFFORTS if effort != "auto")
METHODS = (DEFAULT_MODEL, *EFFORTS, "scratch")
# The pretrained network forecasts the same with any seed.
SEEDLESS = (DEFAULT_MODEL,)
SHOWN_OF_NETWORKS = ("cell", "encoder_units", "decoder_units", "segment", "normalise", "residual", "head")


def forecaster(method: str, horizon: int, season: int, lengths: Sequence[int], seed: int, **options: Any) -> Forecaster:
    """Return the forecaster of a method.

    Args:
        method: One of `METHODS`.
        horizon: Steps to forecast.
        season: Steps of a season.
        lengths: Number of known values of each series.
        seed: Seed of everything random.
        options: Further arguments.
    """
    preset = method
    if method in EFFORTS:
        preset, options["effort"] = "auto", method
    elif method == "scratch":
        context = context_rule(middle_length(np.asarray(lengths)), horizon, season)
        preset = auto_preset(Sizes(context_length=context, horizon=horizon, season_length=season))
    return Forecaster(horizon, preset=preset, season_length=season, random_state=seed, verbose=0, **options)


def forecast_windows(windows: Sequence[Task], method: str, seed: int) -> tuple[list[np.ndarray], Forecaster]:
    """Forecast the windows of a task by a forecaster that is fitted once, on what is known before the first.

    Args:
        windows: The windows, the earliest first.
        method: One of `METHODS`.
        seed: Seed of everything random.

    Returns:
        The nine deciles of each window, `[series, H, 9]`, and the fitted forecaster.
    """
    first = windows[0]
    lengths = [len(values) for values in first.past]
    model = forecaster(method, first.horizon, first.season, lengths, seed, level=DECILE_LEVELS)
    model.fit(first.frame())
    newer = [window.frame().groupby("unique_id").tail(window.later) for window in windows[1:]]
    forecasts = [model.predict(df=df) for df in (None, *newer)]
    return [deciles(forecast, len(lengths), first.horizon) for forecast in forecasts], model


def deciles(forecast: pd.DataFrame, series: int, horizon: int) -> np.ndarray:
    """Return the nine deciles of a forecast, `[series, H, 9]`, in the order of the series' names."""
    columns = [forecast_column(probability) for probability in DECILES]
    ordered = forecast.sort_values(["unique_id", "ds"])
    return ordered[columns].to_numpy(dtype=float).reshape(series, horizon, len(columns))


def chosen(model: Forecaster) -> dict[str, Any]:
    """Return what a fitted forecaster has chosen; without networks it repeats the last season."""
    return {
        "preset": model.preset,
        "choice": model.choice_.to_dict(),
        "networks": [{key: getattr(engine.network, key) for key in SHOWN_OF_NETWORKS} for engine in model.engines_],
        "weights": sum(engine.weight_count for engine in model.engines_),
        "epochs": [len(history) for history in model.histories_],
        "context_length": model.context_length_,
        "scale": model.series_state_.scale,
    }


def record(scores: Mapping[str, Any], seconds: float, models: Sequence[Forecaster]) -> dict[str, Any]:
    """Return the result of a process.

    Args:
        scores: What the forecasts score.
        seconds: Seconds of the process when they were there.
        models: The fitted forecasters.
    """
    versions = {"seqcast": __version__, "pretrained": load_pretrained().version, "python": platform.python_version()}
    versions |= library_versions()
    facts = {"seconds": round(seconds, 1), "peak_mib": peak_mib(), "versions": versions, "machine": machine_line()}
    return {**scores, **facts, "chosen": [chosen(model) for model in models]}


def seconds_so_far() -> float:
    """Return the seconds since this process was started."""
    return time.time() - process_began()


def scored(windows: Sequence[Task], method: str, seed: int) -> dict[str, Any]:
    """Forecast the windows of a task in this process, and return the result: means of the scores over windows.

    Args:
        windows: The windows, the earliest first.
        method: One of `METHODS`.
        seed: Seed of everything random.
    """
    forecasts, model = forecast_windows(windows, method, seed)
    seconds = seconds_so_far()
    return record(mean_scores(windows, forecasts), seconds, [model])


@functools.cache
def weights_key() -> str:
    """Return a digest of the pretrained network's file: other weights are another result."""
    file = resources.files("seqcast.pretrained") / "weights.seqcast"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]


def options(description: str | None, out: str, methods: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of the options that both programs have.

    Args:
        description: The program's documentation.
        out: Default folder of the result files.
        methods: What can be compared.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the public data sets")
    parser.add_argument("--out", type=Path, default=Path(out), help=f"folder of the result files (default {out})")
    parser.add_argument("--method", nargs="+", choices=methods, default=list(methods), help="methods (default all)")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds (default 1)")
    parser.add_argument("--one", nargs=3, metavar=("TASK", "METHOD", "SEED"), help=argparse.SUPPRESS)
    return parser


def results(
    arguments: argparse.Namespace,
    task: str,
    method: str,
    *,
    described: Mapping[str, Any],
    files: tuple[str, ...],
    flags: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the results of a task and method, one a seed, from their files or from processes of their own.

    Args:
        arguments: The program's arguments.
        task: The task.
        method: One of `METHODS`.
        described: What else they depend on.
        files: Files of this folder that they depend on.
        flags: Further arguments of the processes.
    """
    weights = None if method == "scratch" else weights_key()
    whole = {"task": task, "method": method, **described, "weights": weights, "code": code(("methods.py", *files))}
    found = []
    for seed in range(1 if method in SEEDLESS else arguments.seeds):
        command = [sys.executable, sys.argv[0], str(arguments.folder), *flags, "--one", task, method, str(seed)]
        measure = functools.partial(first_run, command)
        found.append(cached(arguments.out, f"{task} {method}", seed, whole, measure, print))
    return found


def mean(records: Sequence[Mapping[str, Any]], key: str) -> float:
    """Return the mean of a figure over seeds."""
    return float(np.mean([record[key] for record in records]))
