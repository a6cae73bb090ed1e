"""The job of `seqcast demo`: the post's experiment, and then a real series.

Two sines are summed; the network reads 15 steps and writes the next 15, and later 20. The real
series is the weekly carbon dioxide of Mauna Loa, a year ahead, against the same weeks of the year
before.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.baselines import LastValue, ManyToOneRegressor
from seqcast.data import random_sines
from seqcast.data.datasets import describe, load
from seqcast.evaluation import BASELINE, evaluate
from seqcast.forecaster import Forecaster
from seqcast.plots import (
    error_by_step,
    forecast_frame,
    forecast_panels,
    learning_curve,
    save_figure,
)
from seqcast.runtime import check_target, make_folder, write_atomically
from seqcast.specs import TrainingSpec
from seqcast.studies.study_base import mse_by_step, network

PAST = 15
FUTURE = 15
LONGER = 20
SERIES = "co2"
FILES = (
    "error_by_step.png",
    "forecasts.png",
    "learning_curve.png",
    "metrics.json",
    "series.png",
    "sines.seqcast",
)


@dataclass(frozen=True)
class DemoSize:
    """Sizes of the demo.

    Args:
        windows: Training windows.
        batch_size: Windows a training step.
        epochs: Passes over the training windows.
        baseline_epochs: Passes of the many-to-one network.
        test: Test windows.
        series_epochs: Passes over the real series; `None` takes the preset's.
        series_horizon: Horizon of the real series, in weeks.
        n_windows: Cutoffs of the backtest.
    """

    windows: int = 102_400
    batch_size: int = 512
    epochs: int = 15
    baseline_epochs: int = 5
    test: int = 10_000
    series_epochs: int | None = None
    series_horizon: int = 52
    n_windows: int = 4


QUICK = DemoSize(
    6_400,
    128,
    epochs=6,
    baseline_epochs=2,
    test=1_000,
    series_epochs=8,
    series_horizon=26,
    n_windows=2,
)


def run_demo(
    folder: Path,
    size: DemoSize,
    *,
    seed: int = 0,
    verbose: int = 1,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run both jobs and write their results.

    Args:
        folder: Where the files go; created if missing.
        size: Sizes of the jobs.
        seed: Seed of everything random.
        verbose: 0 hides the progress of training.
        say: Called with a line before each job.

    Returns:
        The content of `metrics.json`.

    Raises:
        SaveError: The folder cannot be created, or takes no files.
    """
    make_folder(folder)
    check_target(folder / FILES[0])
    began = time.perf_counter()
    say(
        f"Sums of two sines: {PAST} steps in, {FUTURE} out, {size.windows:,} training windows, {size.epochs} epochs"
    )
    metrics: dict[str, Any] = {"seed": seed, "sines": _sines(folder, size, seed, verbose, say)}
    say(f"A real series: {describe(SERIES).title}; {size.series_horizon} weeks ahead")
    metrics["series"] = _series(folder, size, seed, verbose)
    metrics |= {"files": list(FILES), "seconds": time.perf_counter() - began}
    text = json.dumps(metrics, indent=1)
    write_atomically(folder / "metrics.json", lambda file: file.write(text.encode()))
    return metrics


def _sines(
    folder: Path, size: DemoSize, seed: int, verbose: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train on sums of two sines, as the post's published code draws them, and forecast past the trained horizon."""
    draw = partial(random_sines, past=PAST, future=LONGER, offset=(0, 0))
    (past, future), (test, truth) = (
        draw(size.windows, seed=1969 + seed),
        draw(size.test, seed=2000 + seed),
    )
    model = network(seed, epochs=size.epochs, batch_size=size.batch_size, learning_rate=0.01)
    model.set_params(verbose=verbose).fit(past, future[:, :FUTURE])
    say("The many-to-one network, fed with its own forecasts, for comparison")
    spec = TrainingSpec(epochs=size.baseline_epochs, batch_size=size.batch_size)
    many_to_one = ManyToOneRegressor((35, 35), training=spec, random_state=seed, verbose=verbose)
    many_to_one.fit(past, future[:, :FUTURE])
    forecasts = {
        "seqcast": model.predict(test, LONGER),
        "many-to-one network": many_to_one.predict(test, LONGER),
        "last value": LastValue().predict(test, LONGER),
        "zero": np.zeros_like(truth),
    }
    by_step = {name: mse_by_step(forecast, truth) for name, forecast in forecasts.items()}
    shown = zip(
        (test, truth, forecasts["seqcast"]),
        (past, future, model.predict(past[:5], LONGER)),
        strict=True,
    )
    windows = [np.concatenate([unseen[:5], seen[:5]]) for unseen, seen in shown]
    titles = ["test window"] * 5 + ["training window"] * 5
    suptitle = f"Sums of two sines: {LONGER} steps forecast by a network trained on {FUTURE}"
    figures = {
        "forecasts": forecast_panels(
            *windows, titles=titles, trained_horizon=FUTURE, suptitle=suptitle
        ),
        "learning_curve": learning_curve(
            model.history_.epochs, ylabel="mean squared error (scaled units)"
        ),
        "error_by_step": error_by_step(
            by_step, trained_horizon=FUTURE, ylabel="mean squared error"
        ),
    }
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")
    model.save(folder / "sines.seqcast")
    scores = {
        name: {
            "mse_15": float(np.mean(steps[:FUTURE])),
            "mse_20": float(np.mean(steps)),
            "mse_by_step": steps,
        }
        for name, steps in by_step.items()
    }
    history = model.history_
    weights = model.engine_.weight_count
    training = {"training_loss": history["loss"], "training_seconds": history.seconds}
    return {**training, "weights": weights, "scores": scores}


def _series(folder: Path, size: DemoSize, seed: int, verbose: int) -> dict[str, Any]:
    """Backtest on the real series: trained up to the first cutoff, forecast from each."""
    frame = load(SERIES)
    about = describe(SERIES)
    training = None if size.series_epochs is None else TrainingSpec(epochs=size.series_epochs)
    forecaster = Forecaster(
        size.series_horizon, training=training, random_state=seed, verbose=verbose
    )
    result = forecaster.backtest(frame, n_windows=size.n_windows)
    table = evaluate(result, ["mae", "rmse"])
    title = about.title.split(",")[0]
    models = ["seqcast", BASELINE]
    figure = forecast_frame(
        frame, result, models=models, last=size.series_horizon * 2, ylabel=about.units
    )
    figure.suptitle(f"{title}: {size.series_horizon} weeks ahead from {size.n_windows} cutoffs")
    save_figure(figure, folder / "series.png")
    scores = {
        name: dict(zip(table["metric"], map(float, table[name]), strict=True))
        for name in table.columns[1:]
    }
    sizes = {"horizon": size.series_horizon, "n_windows": size.n_windows}
    return {"name": SERIES, "title": title, **sizes, "scores": scores}
