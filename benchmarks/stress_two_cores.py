"""Bounded stress of training on several cores: fits of many shapes while other threads forecast, until time is up.

    python benchmarks/stress_two_cores.py                 # 30 minutes
    python benchmarks/stress_two_cores.py --minutes 1

Each round draws a network and sizes, trains it on one core and on all, and compares the weights, which must agree to
1e-5 of the largest; meanwhile other threads forecast with a network of their own. A round that takes longer than
--patience seconds prints what every thread is doing and ends the process with an error: a hang does not go unseen. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import threading
import time
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

import numpy as np

from seqcast import Seq2SeqRegressor
from seqcast.network import jax_steps
from seqcast.runtime.threads import threads

FORECASTING_THREADS = 2
# Updates of a fit. The gradient of a batch and the mean of its parts' gradients differ by rounding, 1e-7, and that may
# grow from update to update (to 8e-5 after 286 updates of a simple RNN that reads its own forecasts).
MOST_UPDATES, EPOCHS = 60, 2


class Forecasting(threading.Thread):
    """Forecasts over and over until it is told to stop, and checks that the numbers do not change."""

    def __init__(self, model: Seq2SeqRegressor, past: np.ndarray) -> None:
        super().__init__(daemon=True)
        self.model, self.past = model, past
        self.expected = model.predict(past)
        self.stopped = threading.Event()
        self.calls = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Forecast."""
        try:
            while not self.stopped.is_set():
                np.testing.assert_array_equal(self.model.predict(self.past), self.expected)
                self.calls += 1
        except BaseException as error:  # looked at by the main thread
            self.error = error


def drawn(generator: random.Random) -> tuple[dict[str, Any], int, int]:
    """Return a network's options, its windows' length and their number."""
    options = {
        "cell": generator.choice(["gru", "lstm", "simple_rnn"]),
        "encoder_units": (generator.choice([5, 16, 35, 64]),) * generator.choice([1, 2]),
        "decoder_input": generator.choice(["zeros", "zeros", "scheduled", "autoregressive"]),
        "dropout": generator.choice([0.0, 0.3]),
        "batch_size": generator.choice([7, 64, 129, 512]),
    }
    count = min(generator.choice([300, 1000, 2100]), MOST_UPDATES // EPOCHS * options["batch_size"])
    return options, generator.choice([4, 15, 30]), count


def trained(options: dict[str, Any], past: np.ndarray, future: np.ndarray, cores: int) -> Any:
    """Train on so many cores and return the fitted model."""
    os.environ["SEQCAST_THREADS"] = str(cores)
    model = Seq2SeqRegressor(**options, epochs=EPOCHS, random_state=0, verbose=0, validation_fraction=0.0)
    return model.fit(past, future)


def difference(one: Any, two: Any) -> float:
    """Return the largest difference between the weights of two models, relative to the largest weight."""
    pairs = zip(one.engine_.model.trainable_weights, two.engine_.model.trainable_weights, strict=True)
    arrays = [(np.asarray(a.value), np.asarray(b.value)) for a, b in pairs]
    return max(float(np.abs(a - b).max()) for a, b in arrays) / max(float(np.abs(a).max()) for a, _ in arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--patience", type=float, default=180.0, help="longest round, in seconds (default 180)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    jax_steps.SMALLEST_PART = 1  # divide even the smallest batches: more of what is to be stressed
    cores, generator = threads(), random.Random(arguments.seed)
    waves = np.sin(np.arange(20) * 0.4 + np.linspace(0, 6, 700)[:, None])[:, :, None]
    forecasting_model = Seq2SeqRegressor(encoder_units=16, epochs=1, random_state=0, verbose=0)
    forecasting_model.fit(waves[:, :15], waves[:, 15:])
    others = [Forecasting(forecasting_model, waves[:, :15]) for _ in range(FORECASTING_THREADS)]
    for other in others:
        other.start()
    ends, rounds, steps, worst = time.monotonic() + 60 * arguments.minutes, 0, 0, 0.0
    while time.monotonic() < ends:
        faulthandler.dump_traceback_later(arguments.patience, exit=True)
        options, length, count = drawn(generator)
        values = np.random.default_rng(rounds).normal(size=(count, length + 5, 1)).cumsum(axis=1)
        past, future = values[:, :length], values[:, length:]
        alone, together = (trained(options, past, future, number) for number in (1, cores))
        worst = max(worst, difference(alone, together))
        if worst > 1e-5:
            raise SystemExit(f"weights differ by {worst:.2e} with {options}, {count} windows of {length}")
        if any(other.error for other in others):
            raise SystemExit(f"forecasting failed: {[repr(other.error) for other in others]}")
        rounds, steps = rounds + 1, steps + EPOCHS * -(-count // options["batch_size"])
        print(f"round {rounds}: {options}, {count} windows of {length}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    for other in others:
        other.stopped.set()
        other.join(timeout=30)
    outcome = {
        "minutes": arguments.minutes,
        "cores": cores,
        "rounds": rounds,
        "divided_steps": steps,
        "forecasts": sum(other.calls for other in others),
        "largest_difference": worst,
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
