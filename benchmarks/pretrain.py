"""Train the network that has seen only synthetic series, or go on with its training.

python benchmarks/pretrain.py --steps 5000                      # to runs/pretrained; goes on if it was interrupted
python benchmarks/pretrain.py --steps 5000 --data FOLDER        # and scores it on training parts of public data
python benchmarks/pretrain.py --score --data FOLDER             # scores the network that comes with the package
python benchmarks/pretrain.py --steps 40 --width 16 --out /tmp/tiny  # proves the path

The state of the training is written every few minutes, so that it may take several sittings: started again with the
same options it ends with the same weights. No real series is seen in training. `--data` scores the network on windows
of the seven tasks of `accuracy/zero_shot_tasks.py` that end before the test parts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).with_name("accuracy")))

import numpy as np
from reporting import machine_line, table
from zero_shot_tasks import DECILES, TASKS, Task, geometric_means, validation_scores, validation_windows

from seqcast.data.synthetic import Season
from seqcast.engine.engine import Engine
from seqcast.pretrained import PretrainedNetwork, ZeroShotWindows, load_pretrained
from seqcast.pretrained.inputs import seasonal_inputs
from seqcast.specs.checkpoint import CheckpointSpec
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.training.checkpoints import CheckpointFolder, fingerprint
from synthetic_windows import SyntheticWindows

QUANTILES = (0.01, 0.025, 0.05, *(round(0.1 * k, 1) for k in range(1, 10)), 0.95, 0.975, 0.99)
HORIZON, CONTEXTS = 64, (16, 32, 64, 128, 256, 512)
STEPS_AN_EPOCH = 250
VALIDATION_SEED, VALIDATION_BATCHES = 10**6, 16


def network(arguments: argparse.Namespace) -> NetworkSpec:
    """Return the network."""
    return NetworkSpec(
        encoder_units=(arguments.width,) * 2,
        decoder_units=(arguments.width,) * 2,
        segment=arguments.segment,
        decoder_input="zeros",
        head="quantile",
        quantiles=QUANTILES,
    )


def windows(seed: int, steps: int, arguments: argparse.Namespace, *, repeated: bool = False) -> SyntheticWindows:
    """Return the windows of a seed, the same in each epoch or new ones."""
    size = {"horizon": HORIZON, "batch_size": arguments.batch_size, "context_lengths": CONTEXTS}
    return SyntheticWindows(seed=seed, steps=steps, repeated=repeated, **size)


def train(arguments: argparse.Namespace) -> None:
    """Train the network, or go on with it; the trained one is written to `pretrained.seqcast`, in half precision."""
    steps = min(STEPS_AN_EPOCH, arguments.steps)
    training = TrainingSpec(
        optimizer=arguments.optimizer,
        learning_rate=arguments.learning_rate,
        batch_size=arguments.batch_size,
        epochs=max(1, arguments.steps // steps),
        steps_per_epoch=steps,
        early_stopping=None,
        horizon_decay=0.5,
        warmup=0.03,
        parts=2,
    )
    spec = network(arguments)
    window = PretrainedNetwork.window(HORIZON)
    engine = Engine(spec, training, seed=arguments.seed)
    source = windows(arguments.seed, steps, arguments)
    spec_of_folder = CheckpointSpec(arguments.out / "checkpoints", minutes=2.0)
    with CheckpointFolder.opened(spec_of_folder, resume=True) as folder:
        assert folder is not None
        mark = fingerprint([], spec, training, windows={"seed": arguments.seed, **window.to_dict()})
        history = engine.fit(
            source,
            window=window,
            validation=windows(VALIDATION_SEED, VALIDATION_BATCHES, arguments, repeated=True),
            checkpoints=folder.of("network", mark),
        )
    log = {**history.to_dict(), "network": spec.to_dict(), "training": training.to_dict(), "machine": machine_line()}
    (arguments.out / "log.json").write_text(json.dumps(log, indent=1))
    trained = PretrainedNetwork(engine, arguments.version, CONTEXTS)
    if arguments.data is not None:
        print("in single precision")
        score(trained, arguments.data)
    trained.save(arguments.out / "pretrained.seqcast", log)


def known(network: PretrainedNetwork, task: Task) -> ZeroShotWindows:
    """Return what the network reads of a task."""
    past = task.known(network.context_lengths[-1])
    longer = np.full(len(past), Season.of(task.season).longer or 0)
    return ZeroShotWindows(past, np.full(len(past), task.season), longer)


def score(network: PretrainedNetwork, folder: Path) -> None:
    """Print MASE and WQL by task over windows before its test part, and the MASE of the base that is corrected."""
    rows: list[list[Any]] = []
    ours, base, naive = {}, {}, {}
    for name in TASKS:
        windows = validation_windows(folder, name)
        began = time.perf_counter()
        ours[name] = validation_scores(
            windows, lambda task: network.forecast(known(network, task), task.horizon, DECILES)
        )
        seconds = time.perf_counter() - began
        base[name] = validation_scores(windows, lambda task: base_deciles(network, task))
        naive[name] = validation_scores(windows, Task.naive_deciles)
        errors = [f"{scores[name][0]:.3f}" for scores in (ours, base, naive)]
        losses = [f"{scores[name][1]:.4f}" for scores in (ours, naive)]
        rows.append([name, len(windows), *errors, *losses, f"{seconds:.1f}"])
    (mase, wql), (base_mase, _) = (geometric_means(scores, naive) for scores in (ours, base))
    rows.append(["geometric mean", "", f"{mase:.3f}", f"{base_mase:.3f}", 1, f"{wql:.3f}", 1, ""])
    head = ["task", "windows", "MASE", "its base", "seasonal naive", "WQL", "seasonal naive", "seconds"]
    print(table(head, rows), flush=True)


def base_deciles(network: PretrainedNetwork, task: Task) -> np.ndarray:
    """Return the forecast that the network corrects as if it were each decile, `[series, H, 9]`."""
    windows = known(network, task)
    base = seasonal_inputs(windows.past, windows.season, windows.longer, task.horizon).base
    return np.repeat(base[:, :, None], len(DECILES), axis=2)


def main() -> None:
    """Train and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/pretrained"), help="folder of checkpoints and weights")
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--segment", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--version", default="2", help="version of the weights, written into their file")
    parser.add_argument(
        "--score", action="store_true", help="train nothing: score the network of the package on --data"
    )
    parser.add_argument("--data", type=Path, help="folder of the public data sets, to score on their training parts")
    arguments = parser.parse_args()
    if arguments.score:
        if arguments.data is None:
            parser.error("--score needs --data")
        score(load_pretrained(), arguments.data)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(arguments)
    if arguments.data is not None:
        score(PretrainedNetwork.load(arguments.out / "pretrained.seqcast"), arguments.data)


if __name__ == "__main__":
    main()
