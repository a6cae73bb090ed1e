"""The post's job: two sines, 15 steps in and 15 out, two GRU layers of 35 in encoder and decoder, 15 × 102,400 windows.

Compares the post's recipe with seqcast's defaults, and the decoder's inputs with one another, over several seeds:

    python benchmarks/seed_job.py                  # all settings, three seeds
    python benchmarks/seed_job.py --only default   # one setting
    python benchmarks/seed_job.py --explore        # the recipes that were tried, five seeds, on validation windows
    python benchmarks/seed_job.py --quick          # proves the path in a few seconds

The data are drawn as the post's published code draws them (`offset=(0, 0)`); the seed decides training data, initial
weights and order alike, and the 20,000 test windows are the same for all. Each (setting, seed) writes a file of its own
into --results, keyed by its settings, so an interrupted run goes on where it stopped. The table and then all results as
JSON are printed last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

import numpy as np

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.network.cells import GRUCell
from seqcast.runtime.backend import keras
from seqcast.studies.cache import cached

NETWORK = {"encoder_units": (35, 35), "decoder_units": (35, 35)}
POST = {
    "optimizer": "adam",
    "learning_rate": 0.01,
    "learning_rate_schedule": "constant",
    "clip_norm": "none",
    "batch_size": 512,
    "scale": "none",
}
ADAM = {**NETWORK, "optimizer": "adam", "learning_rate": 0.01}
SETTINGS: dict[str, dict[str, Any]] = {
    "post": {**NETWORK, **POST},
    "default": {**NETWORK},
    # The decoder's inputs are compared under the optimiser of the post, with our schedule, batches and scaling.
    "adam": ADAM,
    "teacher": {**ADAM, "decoder_input": "teacher"},
    "scheduled": {**ADAM, "decoder_input": "scheduled"},
    "autoregressive": {**ADAM, "decoder_input": "autoregressive"},
}
# What was tried on the way from the post's recipe to the defaults, scored on validation windows only.
EXPLORED: dict[str, dict[str, Any]] = {
    "post": SETTINGS["post"],
    "Adam, batches of 512": {**ADAM, "batch_size": 512},
    "Adam": ADAM,
    "Nadam": {**ADAM, "optimizer": "nadam"},
    "default": NETWORK,
    "rate 0.01": {**NETWORK, "learning_rate": 0.01},
    "rate 0.02": {**NETWORK, "learning_rate": 0.02},
    "batches of 256, rate 0.02": {**NETWORK, "batch_size": 256, "learning_rate": 0.02},
    "constant rate": {**NETWORK, "learning_rate_schedule": "constant"},
    "warm-up 20 %": {**NETWORK, "warmup": 0.2},
    "batches growing": {**NETWORK, "explored": "batches growing"},
    "update gate open": {**NETWORK, "explored": "update gate open"},
}
TEST_SEED, VALIDATION_SEED = 2000, 3000
LONGER = 20


class Growing(keras.utils.PyDataset):
    """The training windows in an order of its own: a third of the epochs in batches of 64, then of 128, then of 256."""

    def __init__(self, past: np.ndarray, future: np.ndarray, *, epochs: int, seed: int) -> None:
        super().__init__()
        self.past, self.future, self.epochs, self.epoch = past, future, epochs, 0
        self.generator = np.random.default_rng(seed)
        self.order = self.generator.permutation(len(past))

    @property
    def batch(self) -> int:
        """Windows a batch in this epoch."""
        return 64 << min(2, 3 * self.epoch // self.epochs)

    def __len__(self) -> int:
        return len(self.past) // self.batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * self.batch : (index + 1) * self.batch]
        return self.past[rows], self.future[rows]

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.order = self.generator.permutation(len(self.past))


@contextmanager
def changed(explored: str | None) -> Iterator[None]:
    """Train otherwise than an option can say, while the block runs."""
    if explored == "update gate open":
        before = GRUCell.initial_bias

        def initial_bias(self: GRUCell, shape: Any, dtype: Any = None) -> Any:
            bias = np.zeros(shape)
            bias[0, : self.units] = 1.0  # a step keeps most of the state at first
            return keras.ops.convert_to_tensor(bias, dtype=dtype)

        GRUCell.initial_bias = initial_bias
        try:
            yield
        finally:
            GRUCell.initial_bias = before
    else:
        yield


def job(options: dict[str, Any], seed: int, *, windows: int, epochs: int, test: int, test_seed: int) -> dict[str, Any]:
    """Train with some options and one seed and score the model on windows of another seed."""
    past, future = random_sines(windows, past=15, future=15, offset=(0, 0), seed=1969 + seed)
    test_past, test_future = random_sines(test, past=15, future=LONGER, offset=(0, 0), seed=test_seed)
    options = {**options, "epochs": epochs, "validation_fraction": 0.0, "random_state": seed, "verbose": 1}
    explored = options.pop("explored", None)
    model = Seq2SeqRegressor(**options)
    with changed(explored):
        if explored == "batches growing":
            model.set_params(scale="none").fit(Growing(past, future, epochs=epochs, seed=seed))
        else:
            model.fit(past, future)
    forecast = model.predict(test_past)
    longer = model.predict(test_past, LONGER)
    decoded = model.decode(model.encode(test_past), LONGER)
    by_step = ((longer - test_future) ** 2).mean(axis=(0, 2))
    return {
        "mse_15": float(((forecast - test_future[:, :15]) ** 2).mean()),
        "mse_20": float(by_step.mean()),
        "mse_by_step": [float(value) for value in by_step],
        "prefix_difference": float(np.abs(longer[:, :15] - forecast).max()),
        "decode_difference": float(np.abs(decoded - longer).max()),
        "training_loss": model.history_["loss"],
        "seconds": model.history_.seconds,
        "weights": model.engine_.weight_count,
    }


def result(folder: Path, setting: str, options: dict[str, Any], seed: int, **sizes: int) -> dict[str, Any]:
    """Return the result of a setting and seed, from its file if it is there."""
    return cached(folder, setting, seed, {"options": options, **sizes}, lambda: job(options, seed, **sizes), print)


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the results as a Markdown table: means over seeds, with the smallest and largest."""
    lines = [
        "| setting | MSE, steps 1-15 | step 1 | step 15 | steps 1-20 | step 20 | training, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting, runs in results.items():
        mse = [run["mse_15"] for run in runs]

        def mean(values: Any) -> float:
            return statistics.fmean(values)

        steps = [mean(run["mse_by_step"][i] for run in runs) for i in (0, 14, 19)]
        lines.append(
            f"| {setting} | {mean(mse):.4f} ({min(mse):.4f}-{max(mse):.4f}) | {steps[0]:.4f} | {steps[1]:.4f} | "
            f"{mean(run['mse_20'] for run in runs):.4f} | {steps[2]:.4f} | "
            f"{statistics.median(run['seconds'] for run in runs):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, help="number of seeds (default 3, with --explore 5)")
    parser.add_argument("--only", choices=list(SETTINGS), action="append", help="settings to run (default all)")
    parser.add_argument("--results", type=Path, default=Path("results/seed_job"), help="folder of the result files")
    parser.add_argument("--explore", action="store_true", help="recipes tried, on validation windows")
    parser.add_argument("--quick", action="store_true", help="2,048 windows, 1 epoch, 1 seed: proves the path")
    arguments = parser.parse_args()
    sizes = {"windows": 102_400, "epochs": 15, "test": 20_000, "test_seed": TEST_SEED}
    if arguments.quick:
        sizes = {"windows": 2_048, "epochs": 1, "test": 500, "test_seed": TEST_SEED}
    chosen = {name: SETTINGS[name] for name in arguments.only or SETTINGS}
    if arguments.explore:
        chosen, sizes["test_seed"] = EXPLORED, VALIDATION_SEED
    results: dict[str, list[dict[str, Any]]] = {}
    seeds = 1 if arguments.quick else arguments.seeds or (5 if arguments.explore else 3)
    for seed in range(seeds):
        for setting, options in chosen.items():
            results.setdefault(setting, []).append(result(arguments.results, setting, options, seed, **sizes))
    zero = float(
        (random_sines(sizes["test"], past=15, future=15, offset=(0, 0), seed=sizes["test_seed"])[1] ** 2).mean()
    )
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {seeds} seed(s)\n")
    print(table(results))
    print(f"\nforecasting zero: {zero:.4f}\n")
    print(json.dumps({"zero": zero, "results": results}))


if __name__ == "__main__":
    main()
