"""The jobs of `seqcast demo`: the post's experiment, and then a real series.

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
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import Array, check_target, make_folder, write_atomically
from seqcast.specs import TrainingSpec

# Steps that the post's network reads.
PAST = 15
# Steps that it learns to write.
FUTURE = 15
# Steps that it then writes, more than it has learned.
LONGER = 20
# Width of each layer of the post's encoder and decoder.
UNITS = (35, 35)
# Windows in the picture, of the test and of the training each.
SHOWN = 5
# The real series, one of `seqcast.data.datasets`.
SERIES = "co2"
# What the demo writes.
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


# A few seconds, to try the command.
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
        f"Sums of two sines: {PAST} steps in, {FUTURE} out, {size.windows:,} training windows, "
        f"{size.epochs} epochs"
    )
    sines = _sines(folder, size, seed, verbose, say)

    say(f"A real series: {describe(SERIES).title}; {size.series_horizon} weeks ahead")
    series = _series(folder, size, seed, verbose)

    metrics = {
        "seed": seed,
        "sines": sines,
        "series": series,
        "files": list(FILES),
        "seconds": time.perf_counter() - began,
    }
    text = json.dumps(metrics, indent=1)
    write_atomically(folder / "metrics.json", lambda file: file.write(text.encode()))
    return metrics


def _sines(
    folder: Path, size: DemoSize, seed: int, verbose: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train on sums of two sines, as the post's code draws them; forecast past the horizon."""
    draw = partial(random_sines, past=PAST, future=LONGER, offset=(0, 0))
    past, future = draw(size.windows, seed=1969 + seed)
    test, truth = draw(size.test, seed=2000 + seed)

    model = Seq2SeqRegressor(
        encoder_units=UNITS,
        decoder_units=UNITS,
        epochs=size.epochs,
        batch_size=size.batch_size,
        learning_rate=0.01,
        validation_fraction=0.0,
        random_state=seed,
        verbose=verbose,
    )
    model.fit(past, future[:, :FUTURE])
    model.save(folder / "sines.seqcast")

    say("The many-to-one network, fed with its own forecasts, for comparison")
    spec = TrainingSpec(epochs=size.baseline_epochs, batch_size=size.batch_size)
    many_to_one = ManyToOneRegressor(UNITS, training=spec, random_state=seed, verbose=verbose)
    many_to_one.fit(past, future[:, :FUTURE])

    forecasts = {
        "seqcast": model.predict(test, LONGER),
        "many-to-one network": many_to_one.predict(test, LONGER),
        "last value": LastValue().predict(test, LONGER),
        "zero": np.zeros_like(truth),
    }
    errors = {
        name: [float(error) for error in np.square(forecast - truth).mean(axis=(0, 2))]
        for name, forecast in forecasts.items()
    }

    # Five windows of the test above five of the training.
    shown = (
        np.concatenate([test[:SHOWN], past[:SHOWN]]),
        np.concatenate([truth[:SHOWN], future[:SHOWN]]),
        np.concatenate([forecasts["seqcast"][:SHOWN], model.predict(past[:SHOWN], LONGER)]),
    )
    _draw_sines(folder, model, shown, errors)
    return {
        "training_loss": model.history_["loss"],
        "training_seconds": model.history_.seconds,
        "weights": model.engine_.weight_count,
        "scores": {
            name: {
                "mse_15": float(np.mean(steps[:FUTURE])),
                "mse_20": float(np.mean(steps)),
                "mse_by_step": steps,
            }
            for name, steps in errors.items()
        },
    }


def _draw_sines(
    folder: Path,
    model: Seq2SeqRegressor,
    windows: tuple[Array, Array, Array],
    errors: dict[str, list[float]],
) -> None:
    """Draw windows (past, truth, forecast), the losses of the training and the error by step."""
    figures = {
        "forecasts": forecast_panels(
            *windows,
            titles=["test window"] * SHOWN + ["training window"] * SHOWN,
            trained_horizon=FUTURE,
            suptitle=f"Sums of two sines: {LONGER} steps forecast by a network trained on {FUTURE}",
        ),
        "learning_curve": learning_curve(
            model.history_.epochs, ylabel="mean squared error (scaled units)"
        ),
        "error_by_step": error_by_step(errors, trained_horizon=FUTURE, ylabel="mean squared error"),
    }

    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")


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
    figure = forecast_frame(
        frame,
        result,
        models=["seqcast", BASELINE],
        last=size.series_horizon * 2,
        ylabel=about.units,
    )
    figure.suptitle(f"{title}: {size.series_horizon} weeks ahead from {size.n_windows} cutoffs")
    save_figure(figure, folder / "series.png")

    scores = {
        name: dict(zip(table["metric"], map(float, table[name]), strict=True))
        for name in table.columns[1:]
    }
    return {
        "name": SERIES,
        "title": title,
        "horizon": size.series_horizon,
        "n_windows": size.n_windows,
        "scores": scores,
    }
