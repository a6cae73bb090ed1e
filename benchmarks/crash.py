"""Kill trainings at random moments, let them go on, and compare with trainings that were never interrupted.

    python benchmarks/crash.py                       # 100 kills, 20 full disks, 10 short checkpoints: half an hour
    python benchmarks/crash.py --kills 10 --full 2 --short 2

Each case (a fit, an ensemble side by side, a backtest with refits, the regressor) runs in a process of its own, which
is killed with SIGKILL at a random moment and started again with resume=True until it ends. After each kill all
checkpoints and the saved model, if it is there, are read. A full disk is a small tmpfs (it takes root; without it these
are left out, and said); a short checkpoint has lost its end. Forecasts, and the histories of trainings, have to be
identical to those of an unbroken run. The last line is JSON; the exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")

import numpy as np
import pandas as pd

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.errors import MissingFileError
from seqcast.runtime.model_files import open_archive
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import CheckpointSpec

CASES = ("fit", "members", "backtest", "regressor")
# In the middle of an epoch, every few steps: two minutes would be longer than these trainings.
MINUTES = 0.002


def series() -> pd.DataFrame:
    """Return two series."""
    rng, steps = np.random.default_rng(0), np.arange(500)
    stamps = pd.date_range("2024-01-01", periods=500, freq="h")
    parts = [
        pd.DataFrame({"unique_id": name, "ds": stamps, "y": np.sin(steps / 4 + shift) + 0.1 * rng.normal(size=500)})
        for shift, name in enumerate("ab")
    ]
    return pd.concat(parts)


def run_case(case: str, folder: Path, checkpoint: Path | None) -> str:
    """Train, save, and return a digest of all that came out.

    Args:
        case: One of `CASES`.
        folder: Where the model is saved.
        checkpoint: The folder of checkpoints; `None` for an unbroken run.
    """
    network = NetworkSpec(encoder_units=(16,), decoder_units=(16,), dropout=0.1)
    training = {"epochs": 8, "batch_size": 64, "early_stopping": None}
    options: dict[str, Any] = {} if checkpoint is None else {
        "checkpoint": CheckpointSpec(checkpoint, minutes=MINUTES), "resume": True,
    }  # fmt: skip
    if case == "regressor":
        rng = np.random.default_rng(1)
        X, y = rng.normal(size=(1000, 12, 1)), rng.normal(size=(1000, 4, 1))
        # None draws a seed, which goes on too; it is the same in all runs for the comparison.
        model = Seq2SeqRegressor(encoder_units=16, epochs=8, batch_size=64, random_state=3, verbose=0)
        model.fit(X, y, **options).save(folder / "model.seqcast")
        return _digest(model.predict(X), model.history_.epochs)
    forecaster = Forecaster(
        12,
        preset=network,
        training=training,
        members=2 if case == "members" else 1,
        level=(),
        random_state=3,
        verbose=0,
    )
    if case == "backtest":
        return _digest(forecaster.backtest(series(), n_windows=3, refit=True, **options)["seqcast"], {})
    forecaster.fit(series(), **options).save(folder / "model.seqcast")
    return _digest(forecaster.predict()["seqcast"], [history.epochs for history in forecaster.histories_])


def _digest(forecast: Any, histories: Any) -> str:
    content = np.asarray(forecast, dtype=np.float64).tobytes() + json.dumps(histories).encode()
    return hashlib.sha256(content).hexdigest()


class Runner:
    """Runs cases in processes of their own.

    Args:
        work: A folder for everything.
        rng: What is random.
    """

    def __init__(self, work: Path, rng: random.Random) -> None:
        self.work, self.rng = work, rng
        self.expected: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.problems: list[str] = []

    def run(
        self, case: str, folder: Path, checkpoint: Path | None, limit: float | None = None
    ) -> tuple[str, str] | None:
        """Run a case; return what it printed, or `None` where it was killed.

        Args:
            case: The case.
            folder: Where the model is saved.
            checkpoint: The folder of checkpoints; `None` for an unbroken run.
            limit: Seconds after which it is killed.
        """
        arguments = [case, str(folder), "-" if checkpoint is None else str(checkpoint)]
        # Files, because the workers of a killed process would keep its pipes open for a moment.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
            process = subprocess.Popen([sys.executable, __file__, "--case", *arguments], stdout=out, stderr=error)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None
            out.seek(0)
            error.seek(0)
            return out.read(), error.read()

    def to_the_end(self, case: str, folder: Path, checkpoint: Path | None) -> tuple[str, str]:
        """Run a case that is not killed; return what it printed."""
        printed = self.run(case, folder, checkpoint)
        assert printed is not None
        return printed

    def learn(self) -> None:
        """Run each case unbroken: twice, since only the second time its programs are compiled already."""
        for case in CASES * 2:
            folder = self.work / f"unbroken {case}"
            folder.mkdir(exist_ok=True)
            began = time.perf_counter()
            out, error = self.to_the_end(case, folder, None)
            self.seconds[case] = time.perf_counter() - began
            self.expected[case] = out.strip().splitlines()[-1] if out.strip() else f"nothing: {error}"

    def check(self, case: str, out: str, error: str, what: str) -> None:
        """Compare what a finished run printed with the unbroken one."""
        found = out.strip().splitlines()[-1] if out.strip() else ""
        if found != self.expected[case]:
            self.problems.append(f"{what}: other results. {error[-500:]}")

    def killed(self, case: str, number: int, kills: int) -> int:
        """Kill a case until it ends or so many kills are used up; return how many were."""
        folder = self.work / f"killed {number} {case}"
        folder.mkdir()
        used = 0
        while True:
            # The last one is let through.
            limit = self.rng.uniform(0.4, 1.0) * self.seconds[case] if used < kills else None
            printed = self.run(case, folder, folder / "checkpoints", limit)
            if printed is not None:
                self.check(case, *printed, f"{case} after {used} kills")
                return used
            used += 1
            self.read_all(folder, case)

    def read_all(self, folder: Path, case: str) -> None:
        """Read every checkpoint and the model of a folder."""
        for path in folder.glob("checkpoints/*/*.checkpoint"):
            try:
                with open_archive(path, "Checkpoint"):
                    pass
            except MissingFileError:  # removed for newer ones by a worker that outlives its parent for a moment
                continue
            except Exception as error:
                self.problems.append(f"{case}: {path.name} cannot be read: {error}")
        model = folder / "model.seqcast"
        if model.exists():
            (Seq2SeqRegressor if case == "regressor" else Forecaster).load(model)

    def full(self, number: int) -> bool:
        """Run a case whose checkpoints do not fit on their disk; return whether there was such a disk."""
        case = self.rng.choice(("fit", "regressor"))
        folder, disk = self.work / f"full {number}", self.work / f"disk {number}"
        folder.mkdir()
        disk.mkdir()
        size = self.rng.choice((4, 16, 40, 64))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return False
        try:
            out, error = self.to_the_end(case, folder, disk / "checkpoints")
            self.check(case, out, error, f"{case} on a disk of {size} KiB")
            if "a checkpoint could not be written" not in error:
                self.problems.append(f"{case} on a disk of {size} KiB: nothing was said")
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        return True

    def short(self, number: int) -> None:
        """Let a case go on after its newest checkpoint has lost its end."""
        case = self.rng.choice(("fit", "regressor"))
        folder = self.work / f"short {number}"
        folder.mkdir()
        while True:
            self.run(case, folder, folder / "checkpoints", self.rng.uniform(0.5, 0.9) * self.seconds[case])
            paths = sorted(folder.glob("checkpoints/*/*.checkpoint"), key=lambda path: int(path.stem))
            if len(paths) > 1:
                break
        content = paths[-1].read_bytes()
        paths[-1].write_bytes(content[: self.rng.randrange(len(content))])
        out, error = self.to_the_end(case, folder, folder / "checkpoints")
        self.check(case, out, error, f"{case} with a short checkpoint")
        if "is damaged, so training goes on from" not in error:
            self.problems.append(f"{case} with a short checkpoint: nothing was said. {error[-300:]}")


def main() -> None:
    """Run everything and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full", type=int, default=20)
    parser.add_argument("--short", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case, folder, checkpoint = arguments.case
        warnings.simplefilter("always")
        print(run_case(case, Path(folder), None if checkpoint == "-" else Path(checkpoint)))
        return
    work = Path(tempfile.mkdtemp(prefix="seqcast-crash-"))
    runner, began = Runner(work, random.Random(arguments.seed)), time.perf_counter()
    runner.learn()
    used = runs = 0
    while used < arguments.kills:
        used += runner.killed(CASES[runs % len(CASES)], runs, min(5, arguments.kills - used))
        runs += 1
        print(f"{used} kills in {runs} runs, {len(runner.problems)} problems", flush=True)
    full = sum(runner.full(number) for number in range(arguments.full))
    for number in range(arguments.short):
        runner.short(number)
    shutil.rmtree(work)
    for problem in runner.problems:
        print(problem)
    minutes = round((time.perf_counter() - began) / 60, 1)
    summary = {"kills": used, "runs": runs, "full disks": full, "short checkpoints": arguments.short}
    print(json.dumps({**summary, "problems": len(runner.problems), "minutes": minutes}))
    sys.exit(bool(runner.problems))


if __name__ == "__main__":
    main()
