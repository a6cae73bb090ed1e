"""What the peers of the speed benchmark share: command line, windows, the four tasks and their clocks, the JSON line.

A peer is another implementation of the post's network, or a library's nearest model; it subclasses `Peer` and hands
the class to `main`. The tasks:

    step         time of a training step in the peer's ordinary fit
    learn        validation error after each epoch of the post's recipe, against seconds since the process began
    latency      forecast of one window, from NumPy to NumPy
    throughput   windows forecast a second, 1,000 and 100,000 at a time

The last line of stdout is one JSON object; all else goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import resource
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

LATENCY_WARM_UP, LATENCY_CALLS, PREDICT_CALLS = 50, 2000, 30
FEW, MANY, BLOCKS = 1_000, 100_000, (1_000, 4_000)
THROUGHPUT_CALLS = 7
VALIDATION_BLOCK, VALIDATION_WINDOWS = 4_000, 2_000

AfterEpoch = Callable[[float], None]


class Peer(ABC):
    """One implementation to be measured, built from the command line's arguments."""

    tasks: tuple[str, ...] = ("step", "learn", "latency", "throughput")
    forecasts_many: bool = True
    """Whether throughput is also taken with 100,000 windows."""
    forecasts_while_training: bool = True
    """Whether it forecasts with what it has learnt so far while it is trained."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the peer's own arguments, of which most have none."""

    @abstractmethod
    def train(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Train with the peer's ordinary fit and call `after_epoch` with each epoch's mean loss."""

    @abstractmethod
    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts `[N, H, 1]` of `[N, T, 1]` in the fastest reasonable way."""

    def predict(self, past: np.ndarray) -> np.ndarray | None:
        """Return the same through the public `predict`, or `None` where the peer has none."""
        return None


class KerasPeer(Peer):
    """The post's network under the layers and the `fit` of Keras 2 or Keras 3."""

    keras: ModuleType

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the choice between the post's stacked cells and stacked layers."""
        parser.add_argument("--variant", choices=["cells", "layers"], default="cells", help="RNN([cells]) or layers")

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.batch = arguments.batch
        self.traced: dict[bool, Callable[[np.ndarray], Any]] = {}
        self.keras.utils.set_random_seed(arguments.seed)
        self.model = encoder_decoder(self.keras, arguments)
        self.model.compile(optimizer=self.keras.optimizers.Adam(arguments.learning_rate), loss="mse")

    def train(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Train with `model.fit` on arrays."""
        callback = self.keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: after_epoch(logs["loss"]))
        self.model.fit(
            past, future, batch_size=self.batch, epochs=epochs, shuffle=True, verbose=0, callbacks=[callback]
        )

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return what `model.predict` does."""
        return self.model.predict(past, verbose=0)

    def tensorflow_forecast(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts by a traced function; XLA makes one window five times as fast, many windows slower."""
        alone = len(past) == 1
        if alone not in self.traced:
            import tensorflow as tf

            signature = [tf.TensorSpec([None, *past.shape[1:]], tf.float32)]
            call = functools.partial(self.model, training=False)
            self.traced[alone] = tf.function(call, input_signature=signature, jit_compile=alone)
        return self.traced[alone](past).numpy()


def encoder_decoder(keras: ModuleType, arguments: argparse.Namespace) -> Any:
    """Return the post's network: the decoder starts from the encoder's states and reads zeros."""
    layers, horizon, widths = keras.layers, arguments.horizon, [arguments.width] * arguments.depth
    past = keras.Input((arguments.context, 1))
    zeros = layers.RepeatVector(horizon)(past[:, 0] * 0.0)
    stacked = _cells if arguments.variant == "cells" else _layers
    decoded = stacked(layers, arguments.cell.upper(), widths, past, zeros)
    return keras.Model(past, layers.Dense(1)(decoded))


def _cells(layers: Any, cell: str, widths: list[int], past: Any, zeros: Any) -> Any:
    """Return the decoder's outputs with all cells of a stack in one `RNN`, as the post has it."""
    cells = getattr(layers, f"{cell}Cell")
    _, *states = layers.RNN([cells(width) for width in widths], return_state=True)(past)
    return layers.RNN([cells(width) for width in widths], return_sequences=True)(zeros, initial_state=states)


def _layers(layers: Any, cell: str, widths: list[int], past: Any, zeros: Any) -> Any:
    """Return the decoder's outputs with a layer for each cell."""
    layer, states = getattr(layers, cell), []
    for width in widths:
        past, *state = layer(width, return_sequences=True, return_state=True)(past)
        states.append(state)
    for width, state in zip(widths, states, strict=True):
        zeros = layer(width, return_sequences=True)(zeros, initial_state=state)
    return zeros


def main(peer: type[Peer], description: str) -> None:
    """Run the task of the command line with a peer and print its result as the last line of stdout."""
    arguments = parse(peer, description)
    with contextlib.redirect_stdout(sys.stderr):
        if arguments.threads:
            limit_cores(arguments.threads)
        outcome = TASKS[arguments.task](peer(arguments), arguments)
    print(json.dumps(outcome))


def parse(peer: type[Peer], description: str) -> argparse.Namespace:
    """Return the command line's arguments, the same for all peers but for a peer's own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=peer.tasks)
    parser.add_argument("--data", type=Path, help=".npz with past [N, T, 1] and future [N, H, 1] (default: sines)")
    parser.add_argument("--validation", type=Path, help="the same, scored after each epoch of learn")
    parser.add_argument("--cell", choices=["gru", "lstm"], default="gru")
    parser.add_argument("--batch", type=int, default=512, help="windows a step (default 512)")
    parser.add_argument("--context", type=int, default=15, help="T (default 15)")
    parser.add_argument("--horizon", type=int, default=15, help="H (default 15)")
    parser.add_argument("--width", type=int, default=35, help="units of a layer (default 35)")
    parser.add_argument("--depth", type=int, default=2, help="layers of encoder and of decoder (default 2)")
    parser.add_argument("--steps", type=int, default=100, help="steps an epoch (default 100)")
    parser.add_argument("--repeats", type=int, default=5, help="epochs that step times (default 5)")
    parser.add_argument("--epochs", type=int, default=15, help="epochs of learn (default 15)")
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of Adam (default 0.01)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="cores to use (default all)")
    peer.add_arguments(parser)
    return parser.parse_args()


def limit_cores(count: int) -> None:
    """Bind the process to its first cores, by whose number TensorFlow and XLA size the thread pools they make later."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def windows(arguments: argparse.Namespace, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` training windows (those of --data over and over), or all there are."""
    if arguments.data is None:
        return random_sines(arguments, count or arguments.batch * arguments.steps, arguments.seed)
    past, future = read(arguments.data, arguments)
    rows = range(count or len(past))
    return past.take(rows, axis=0, mode="wrap"), future.take(rows, axis=0, mode="wrap")


def validation_windows(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows of --validation, or a few sines of another seed."""
    if arguments.validation is None:
        return random_sines(arguments, VALIDATION_WINDOWS, arguments.seed + 1)
    return read(arguments.validation, arguments)


def read(path: Path, arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the past and the future that a file holds, if they have the lengths the network is built for."""
    with np.load(path) as arrays:
        past, future = arrays["past"], arrays["future"]
    found, expected = (past.shape[1:], future.shape[1:]), ((arguments.context, 1), (arguments.horizon, 1))
    if found != expected:
        raise SystemExit(f"{path}: --context and --horizon ask for windows {expected}, the file holds {found}")
    return past, future


def random_sines(arguments: argparse.Namespace, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw sums of two sines as the post does: amplitude 0.1 to 1, 0.1 to 10 turns in 30 steps."""
    generator = np.random.default_rng(seed)
    steps = np.arange(arguments.context + arguments.horizon)
    total = np.zeros((count, len(steps)))
    for _ in range(2):
        drawn = generator.uniform([0.1, 0.1, 0.0], [1.0, 10.0, 2 * np.pi], (count, 3))
        amplitude, frequency, phase = drawn.T[:, :, None]
        total += amplitude * np.sin(2 * np.pi / 30 * frequency * steps + phase)
    series = total.astype("float32")[:, :, None]
    return series[:, : arguments.context], series[:, arguments.context :]


def step(peer: Peer, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time training epochs after one that warms up."""
    past, future = windows(arguments, arguments.batch * arguments.steps)
    ends, losses = [time.perf_counter()], []

    def after_epoch(loss: float) -> None:
        ends.append(time.perf_counter())
        losses.append(float(loss))

    peer.train(past, future, 1 + arguments.repeats, after_epoch)
    first, *epochs = np.diff(ends).tolist()
    return {
        "step_ms": statistics.median(epochs) / arguments.steps * 1000,
        "epochs_ms": [seconds * 1000 for seconds in epochs],
        "first_epoch_s": first,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loss": losses[-1],
    }


def learn(peer: Peer, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and score validation windows after each epoch, or in the end; the clock runs on while they are scored."""
    began = process_began()
    past, future = windows(arguments)
    validation_past, validation_future = validation_windows(arguments)
    curve: list[tuple[float, int, float]] = []
    scoring = 0.0

    def after_epoch(_: float) -> None:
        nonlocal scoring
        start = time.perf_counter()
        error = in_blocks(peer.forecast, validation_past, VALIDATION_BLOCK) - validation_future
        mse = float((error**2).mean())
        scoring += time.perf_counter() - start
        curve.append((time.time() - began, len(curve) + 1, mse))

    if peer.forecasts_while_training:
        peer.train(past, future, arguments.epochs, after_epoch)
    else:
        peer.train(past, future, arguments.epochs, lambda _: None)
        after_epoch(0.0)
    return {"curve": curve, "final": curve[-1][-1], "scoring_s": scoring}


def process_began() -> float:
    """Return when the parent started the process (BENCH_BEGAN) or the kernel did, in seconds since the epoch."""
    if "BENCH_BEGAN" in os.environ:
        return float(os.environ["BENCH_BEGAN"])
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def latency(peer: Peer, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time forecasts of one window, by hand and through the public `predict`."""
    past, _ = windows(arguments, LATENCY_WARM_UP)
    milliseconds = calls_ms(peer.forecast, past, LATENCY_CALLS)
    has_predict = peer.predict(past[:1]) is not None
    return {
        "p50_ms": float(np.percentile(milliseconds, 50)),
        "p99_ms": float(np.percentile(milliseconds, 99)),
        "predict_p50_ms": statistics.median(calls_ms(peer.predict, past[:1], PREDICT_CALLS)) if has_predict else None,
    }


def calls_ms(call: Callable[[np.ndarray], Any], past: np.ndarray, count: int) -> list[float]:
    """Time calls with one window each, after a call for every window that warms up."""
    milliseconds = []
    for i in range(-len(past), count):
        window = past[i % len(past)][None]
        start = time.perf_counter()
        call(window)
        if i >= 0:
            milliseconds.append((time.perf_counter() - start) * 1000)
    return milliseconds


def throughput(peer: Peer, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time forecasts of many windows; the largest number also in blocks, of which the best counts."""
    few, _ = windows(arguments, FEW)
    rates = {f"windows_per_s_{FEW}": windows_per_s(peer, few, FEW), f"windows_per_s_{MANY}": None}
    if peer.forecasts_many:
        many, _ = windows(arguments, MANY)
        rates[f"windows_per_s_{MANY}"] = max(windows_per_s(peer, many, size) for size in (*BLOCKS, MANY))
    return rates


def windows_per_s(peer: Peer, past: np.ndarray, size: int) -> float:
    """Return the median rate of forecasts in blocks of a size, after a call that warms up."""
    seconds = []
    for _ in range(1 + THROUGHPUT_CALLS):
        start = time.perf_counter()
        in_blocks(peer.forecast, past, size)
        seconds.append(time.perf_counter() - start)
    return len(past) / statistics.median(seconds[1:])


def in_blocks(forecast: Callable[[np.ndarray], np.ndarray], past: np.ndarray, size: int) -> np.ndarray:
    """Forecast in blocks, all of one size so that nothing is compiled twice: the last takes up earlier windows."""
    if size >= len(past):
        return forecast(past)
    starts = [*range(0, len(past) - size, size), len(past) - size]
    forecasts = None
    for start in starts:
        block = forecast(past[start : start + size])
        if forecasts is None:
            forecasts = np.empty((len(past), *block.shape[1:]), block.dtype)
        forecasts[start : start + size] = block
    return forecasts


TASKS = {"step": step, "learn": learn, "latency": latency, "throughput": throughput}
