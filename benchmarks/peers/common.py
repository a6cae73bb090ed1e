"""What the peers of the speed benchmark share: command line, windows, the four tasks and their clocks, the JSON line.

A peer is another implementation of the post's network; it subclasses `Peer` and hands the class to
`main`. The tasks:

    step         time of a training step in the peer's ordinary fit
    learn        time of a whole process that trains, and the error on windows that it did not see
    latency      forecast of one window, from NumPy to NumPy
    throughput   windows forecast a second, 1,000 and 100,000 at a time

The last line of stdout is one JSON object; all else goes to stderr.
"""

import contextlib
import json
import statistics
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))

from harness import options, peak_mib, process_began

LATENCY_WARM_UP = 50
LATENCY_CALLS = 2000
FEW = 1_000
MANY = 100_000
BLOCKS = (1_000, 4_000)
THROUGHPUT_CALLS = 7
LEARNT = 102_400
JUDGED = 20_000
JUDGED_SEED = 4_000


class Peer(ABC):
    """One implementation to be measured, built from the command line's arguments."""

    @abstractmethod
    def train(self, past, future, epochs, after_epoch):
        """Train with the peer's ordinary fit and call `after_epoch` with each epoch's mean loss."""

    @abstractmethod
    def forecast(self, past):
        """Return forecasts `[N, H, 1]` of `[N, T, 1]` in the fastest reasonable way."""


def main(peer, description):
    """Run the task of the command line with a peer and print its result as the last line of stdout."""
    arguments = parse(description)
    with contextlib.redirect_stdout(sys.stderr):
        outcome = TASKS[arguments.task](peer(arguments), arguments)
    print(json.dumps(outcome))


def parse(description):
    """Return the command line's arguments, the same for all peers."""
    parser = options(description)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--cell", choices=["gru", "lstm"], default="gru")
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of Adam (default 0.01)")
    sizes = {
        "batch": 512,
        "context": 15,
        "horizon": 15,
        "width": 35,
        "depth": 2,
        "steps": 100,
        "repeats": 5,
    }
    sizes |= {"epochs": 15, "seed": 0}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"(default {default})")
    return parser.parse_args()


def windows(arguments, count, seed=None):
    """Draw sums of two sines as the post does: amplitude 0.1 to 1, 0.1 to 10 turns in 30 steps."""
    generator = np.random.default_rng(arguments.seed if seed is None else seed)
    steps = np.arange(arguments.context + arguments.horizon)
    total = np.zeros((count, len(steps)))
    for _ in range(2):
        drawn = generator.uniform([0.1, 0.1, 0.0], [1.0, 10.0, 2 * np.pi], (count, 3))
        amplitude, frequency, phase = drawn.T[:, :, None]
        total += amplitude * np.sin(2 * np.pi / 30 * frequency * steps + phase)
    series = total.astype("float32")[:, :, None]
    return series[:, : arguments.context], series[:, arguments.context :]


def step(peer, arguments):
    """Time training epochs after one that warms up."""
    past, future = windows(arguments, arguments.batch * arguments.steps)
    ends = [time.perf_counter()]
    losses = []

    def after_epoch(loss):
        ends.append(time.perf_counter())
        losses.append(float(loss))

    peer.train(past, future, 1 + arguments.repeats, after_epoch)
    first, *epochs = np.diff(ends).tolist()
    step_ms = statistics.median(epochs) / arguments.steps * 1000
    epochs_ms = [seconds * 1000 for seconds in epochs]
    facts = {"first_epoch_s": first, "peak_mb": peak_mib(), "loss": losses[-1]}
    return {"step_ms": step_ms, "epochs_ms": epochs_ms, **facts}


def learn(peer, arguments):
    """Time a process from its start to the end of training, and score forecasts of windows that all peers share."""
    peer.train(*windows(arguments, LEARNT), arguments.epochs, lambda _: None)
    seconds = time.time() - process_began()
    past, future = windows(arguments, JUDGED, JUDGED_SEED)
    return {
        "learn_s": seconds,
        "mse": float(((np.asarray(peer.forecast(past)) - future) ** 2).mean()),
    }


def latency(peer, arguments):
    """Time forecasts of one window, after a call for every window that warms up."""
    past, _ = windows(arguments, LATENCY_WARM_UP)
    milliseconds = []
    for i in range(-len(past), LATENCY_CALLS):
        window = past[i % len(past)][None]
        start = time.perf_counter()
        peer.forecast(window)
        if i >= 0:
            milliseconds.append((time.perf_counter() - start) * 1000)
    p50, p99 = np.percentile(milliseconds, (50, 99)).tolist()
    return {"p50_ms": p50, "p99_ms": p99}


def throughput(peer, arguments):
    """Time forecasts of many windows; the largest number also in blocks, of which the best counts."""
    (few, _), (many, _) = windows(arguments, FEW), windows(arguments, MANY)
    best = max(windows_per_s(peer, many, size) for size in (*BLOCKS, MANY))
    return {f"windows_per_s_{FEW}": windows_per_s(peer, few, FEW), f"windows_per_s_{MANY}": best}


def windows_per_s(peer, past, size):
    """Return the median rate of forecasts in blocks of a size, after a call that warms up."""
    seconds = []
    for _ in range(1 + THROUGHPUT_CALLS):
        start = time.perf_counter()
        np.concatenate(
            [peer.forecast(past[first : first + size]) for first in range(0, len(past), size)]
        )
        seconds.append(time.perf_counter() - start)
    return len(past) / statistics.median(seconds[1:])


TASKS = {"step": step, "learn": learn, "latency": latency, "throughput": throughput}
