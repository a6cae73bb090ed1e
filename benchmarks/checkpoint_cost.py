"""What checkpoints cost: the same fit of about a minute without and with them, in turn.

    python benchmarks/checkpoint_cost.py                          # five pairs, twelve minutes; nothing else may run
    python benchmarks/checkpoint_cost.py --seconds 5 --pairs 1    # proves the path

The post's network on its sums of two sines, in batches of 512. First fits, which are not counted, compile and say how
many epochs take a minute; all others train for as many. Two figures come out: the ratio of the times with and without,
pair by pair, whose order alternates; and the share of the time that is spent in what only a fit with checkpoints does
(fingerprint of the data, the callback with its files), which other processes of the machine hardly change. The last
line is JSON; the exit status is 1 where the median of either is more than a hundredth.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")
os.environ.setdefault("KERAS_BACKEND", "jax")

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.regressor import regressor
from seqcast.training.checkpoints import CheckpointCallback, Checkpoints

MOST = 0.01
WINDOWS, BATCH = 50_000, 512


class Stopwatch:
    """Seconds that were spent in some functions, and how often they were called."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls: dict[str, int] = {}

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and counts."""

        def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - began
                self.calls[function.__name__] = self.calls.get(function.__name__, 0) + 1

        return call

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time what only a fit with checkpoints does, within a `with` block."""
        counted = Stopwatch()  # writing is part of the callback: counted, not added
        self.writes = counted.calls
        with (
            mock.patch.object(regressor, "checkpoints_of", self.timed(regressor.checkpoints_of)),
            mock.patch.object(CheckpointCallback, "on_epoch_end", self.timed(CheckpointCallback.on_epoch_end)),
            mock.patch.object(
                CheckpointCallback, "on_train_batch_end", self.timed(CheckpointCallback.on_train_batch_end)
            ),
            mock.patch.object(Checkpoints, "write", counted.timed(Checkpoints.write)),
        ):
            yield


def fit(past: Any, future: Any, epochs: int, checkpoint: Path | None) -> tuple[float, Stopwatch]:
    """Train and return the seconds of the fit, and those of its checkpoints."""
    model = Seq2SeqRegressor(
        encoder_units=(35, 35),
        decoder_units=(35, 35),
        epochs=epochs,
        early_stopping="none",
        batch_size=BATCH,
        random_state=0,
        verbose=0,
    )
    watch, began = Stopwatch(), time.perf_counter()
    with watch.watching():
        model.fit(past, future, checkpoint=checkpoint)
    return time.perf_counter() - began, watch


def epochs_of(seconds: float, past: Any, future: Any) -> int:
    """Return how many epochs take so many seconds, compilation not counted."""
    few, more = (fit(past, future, epochs, None)[0] for epochs in (1, 4))
    again = fit(past, future, 1, None)[0]
    return max(2, round(3 * seconds / max(more - min(few, again), 1e-3)))


def pair(number: int, past: Any, future: Any, epochs: int) -> dict[str, float]:
    """Train without and with checkpoints, in the other order each time."""
    seconds: dict[bool, float] = {}
    watch = Stopwatch()
    for with_checkpoints in (False, True) if number % 2 == 0 else (True, False):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoints" if with_checkpoints else None
            seconds[with_checkpoints], used = fit(past, future, epochs, checkpoint)
        watch = used if with_checkpoints else watch
    return {
        "without_s": seconds[False],
        "with_s": seconds[True],
        "ratio": seconds[True] / seconds[False],
        "inside_s": watch.seconds,
        "share": watch.seconds / seconds[True],
        "writes": watch.writes.get("write", 0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long a fit takes (default 60)")
    parser.add_argument("--pairs", type=int, default=5, help="number of pairs (default 5)")
    arguments = parser.parse_args()
    past, future = random_sines(WINDOWS, past=15, future=15, seed=1)
    epochs = epochs_of(arguments.seconds, past, future)
    print(f"{epochs} epochs of {WINDOWS:,} windows", flush=True)
    pairs = []
    for number in range(arguments.pairs):
        pairs.append(pair(number, past, future, epochs))
        print("  ".join(f"{name} {value:.4g}" for name, value in pairs[-1].items()), flush=True)
    figures = {}
    for name in ("ratio", "share", "inside_s", "writes", "without_s"):
        values = [each[name] for each in pairs]
        figures[name] = [round(value, 5) for value in (statistics.median(values), min(values), max(values))]
        print(f"{name}: median {figures[name][0]:.4g}, from {figures[name][1]:.4g} to {figures[name][2]:.4g}")
    print(json.dumps({"epochs": epochs, "pairs": len(pairs), **figures}))
    sys.exit(1 if figures["ratio"][0] > 1 + MOST or figures["share"][0] > MOST else 0)


if __name__ == "__main__":
    main()
