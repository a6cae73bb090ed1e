"""What a training costs that processes of this machine share: bytes and seconds a step for 1, 2 and 4 of them.

    python benchmarks/shared_training.py [--units 64] [--batch 512] [--steps 60]

Each process has one thread. The bytes are those of the message that each hands to the sum; a ring of W processes sends
2 (W - 1) / W times as many from each. The first epoch, which compiles, is left out of the seconds. The processes are
plain ones: Ray starts them in the same way, and sends nothing itself while they train.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS, EPOCHS = 4, 6


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--process", nargs=4, help=argparse.SUPPRESS)  # rank, count, address, file
    return parser.parse_args()


def train(given: argparse.Namespace) -> None:
    """Train as one of the processes, and write what a step cost."""
    rank, count, address, file = given.process
    from seqcast.runtime.processes import Processes, join, leave

    processes = Processes(int(rank), int(count), PARTS)
    join(processes, address)
    import numpy as np

    from seqcast.data.windows.batches import ArrayWindows
    from seqcast.engine.engine import Engine
    from seqcast.runtime.backend import keras
    from seqcast.specs.network import NetworkSpec, WindowSpec
    from seqcast.specs.training import TrainingSpec

    waves = np.sin(np.arange(76) * 0.3 + np.linspace(0, 6, 4096)[:, None])[:, :, None]
    windows = ArrayWindows(
        {"past": waves[:, :48]},
        waves[:, 48:],
        batch_size=given.batch,
        seed=0,
        steps=given.steps,
        **processes.of_batches,
    )
    network = NetworkSpec(encoder_units=(given.units,), decoder_units=(given.units,))
    training = TrainingSpec(epochs=EPOCHS, batch_size=given.batch, parts=PARTS)
    engine, ended = Engine(network, training, seed=0), []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ended.append(time.perf_counter()))
    window = WindowSpec(horizon=28, features=1, targets=1, target_features=(0,))
    engine.fit(windows, window=window, callbacks=[clock], verbose=0, processes=processes)
    if rank == "0":
        seconds = statistics.median(later - earlier for earlier, later in itertools.pairwise(ended)) / given.steps
        # Gradients, loss and share.
        message = 4 * (engine.weight_count + 2) if int(count) > 1 else 0
        Path(file).write_text(json.dumps({"weights": engine.weight_count, "bytes": message, "seconds": seconds}))
    leave()


def measure(count: int, given: argparse.Namespace) -> dict[str, float]:
    """Return what rank 0 of so many processes found."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    options = ["--units", str(given.units), "--batch", str(given.batch), "--steps", str(given.steps)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
        environment = {**os.environ, "SEQCAST_THREADS": "1", "OMP_NUM_THREADS": "1", "XLA_FLAGS": flags}
        running = [
            subprocess.Popen(
                [sys.executable, __file__, *options, "--process", str(rank), str(count), address, str(file)],
                env=environment,
                stdout=subprocess.DEVNULL,  # where gloo tells of its connections
            )
            for rank in range(count)
        ]
        codes = [process.wait() for process in running]
        if any(codes):
            raise SystemExit("a process has failed")
        found: dict[str, float] = json.loads(file.read_text())
        return found


def main() -> None:
    given = arguments()
    if given.process:
        train(given)
        return
    print(f"batches of {given.batch}, {given.units} units, {PARTS} parts, {len(os.sched_getaffinity(0))} cores")
    print("| workers | weights | bytes a step | milliseconds a step |")
    print("|---|---|---|---|")
    for count in (1, 2, 4):
        found = measure(count, given)
        print(f"| {count} | {found['weights']:,} | {found['bytes']:,} | {1000 * found['seconds']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
