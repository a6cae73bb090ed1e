"""Kill trainings at random moments, let them go on, and compare with trainings that were never interrupted.

    python benchmarks/crash.py                       # 100 kills, 10 short checkpoints: half an hour
    python benchmarks/crash.py --kills 10 --short 2

Each case (a fit, an ensemble side by side, a backtest with refits, the regressor) runs in a process
of its own, which is killed with SIGKILL at a random moment and started again with resume=True until
it ends. After each kill all checkpoints and the saved model, if it is there, are read. A short
checkpoint has lost its end. Forecasts, and the histories of trainings, have to be identical to
those of an unbroken run. The last line is JSON; the exit code is 1 if anything differs.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from harness import options
from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.errors import MissingFileError
from seqcast.runtime.model_files import open_archive
from seqcast.specs.training import CheckpointSpec

CASES = ("fit", "members", "backtest", "regressor")
# In the middle of an epoch, every few steps: two minutes would be longer than these trainings.
MINUTES = 0.002


def series():
    """Return two series."""
    rng = np.random.default_rng(0)
    steps = np.arange(500)
    stamps = pd.date_range("2024-01-01", periods=500, freq="h")
    waves = {
        name: np.sin(steps / 4 + shift) + 0.1 * rng.normal(size=500)
        for shift, name in enumerate("ab")
    }
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": stamps, "y": wave}) for name, wave in waves.items()]
    )


def run_case(case, folder, checkpoint):
    """Train, save, and return a digest of all that came out.

    Args:
        case: One of `CASES`.
        folder: Folder of the saved model.
        checkpoint: The folder of checkpoints; `None` for an unbroken run.
    """
    given = (
        {"checkpoint": CheckpointSpec(checkpoint, minutes=MINUTES), "resume": True}
        if checkpoint
        else {}
    )
    if case == "regressor":
        rng = np.random.default_rng(1)
        X = rng.normal(size=(1000, 12, 1))
        y = rng.normal(size=(1000, 4, 1))
        model = Seq2SeqRegressor(
            encoder_units=16, epochs=8, batch_size=64, random_state=3, verbose=0
        )
        model.fit(X, y, **given).save(folder / "model.seqcast")
        forecast = model.predict(X)
        histories = model.history_.epochs
    else:
        network = NetworkSpec(encoder_units=(16,), decoder_units=(16,), dropout=0.1)
        training = {"epochs": 8, "batch_size": 64, "early_stopping": None}
        members = 2 if case == "members" else 1
        same = {
            "preset": network,
            "training": training,
            "level": (),
            "random_state": 3,
            "verbose": 0,
        }
        model = Forecaster(12, members=members, **same)
        histories = {}
        if case == "backtest":
            forecast = model.backtest(series(), n_windows=3, refit=True, **given)["seqcast"]
        else:
            model.fit(series(), **given).save(folder / "model.seqcast")
            forecast = model.predict()["seqcast"]
            histories = [history.epochs for history in model.histories_]
    content = np.asarray(forecast, dtype=np.float64).tobytes() + json.dumps(histories).encode()
    return hashlib.sha256(content).hexdigest()


class Runner:
    """Runs cases in processes of their own.

    Args:
        work: A folder for everything.
        rng: Draws.
    """

    def __init__(self, work, rng):
        self.work = work
        self.rng = rng
        self.expected = {}
        self.seconds = {}
        self.problems = []

    def folder(self, name):
        """Return a folder."""
        (self.work / name).mkdir(exist_ok=True)
        return self.work / name

    def run(self, case, folder, checkpoint, limit=None):
        """Run a case; return its last line and its errors, or `None` where it was killed after `limit` seconds."""
        command = [sys.executable, __file__, "--case", case, str(folder), str(checkpoint or "-")]
        # Files, because the workers of a killed process would keep its pipes open for a moment.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
            process = subprocess.Popen(command, stdout=out, stderr=error)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None
            out.seek(0)
            error.seek(0)
            return (out.read().split() or [""])[-1], error.read()

    def learn(self):
        """Run each case unbroken: twice, since only the second time its programs are compiled already."""
        for case in CASES * 2:
            began = time.perf_counter()
            found, error = self.run(case, self.folder(f"unbroken {case}"), None)
            self.seconds[case] = time.perf_counter() - began
            self.expected[case] = found or f"nothing: {error}"

    def check(self, case, printed, what, warning=""):
        """Compare what a finished run printed with the unbroken one; it has to have warned, if that is asked for."""
        found, error = printed
        if found != self.expected[case]:
            self.problems.append(f"{what}: other results. {error[-500:]}")
        if warning not in error:
            self.problems.append(f"{what}: no warning. {error[-300:]}")

    def killed(self, case, number, kills):
        """Kill a case until it ends or all kills are used up; return how many were."""
        folder = self.folder(f"killed {number} {case}")
        used = 0
        while True:
            # The last one is let through.
            limit = self.rng.uniform(0.4, 1.0) * self.seconds[case] if used < kills else None
            printed = self.run(case, folder, folder / "checkpoints", limit)
            if printed is not None:
                self.check(case, printed, f"{case} after {used} kills")
                return used
            used += 1
            self.read_all(folder, case)

    def read_all(self, folder, case):
        """Read every checkpoint and the model of a folder."""
        for path in folder.glob("checkpoints/*/*.checkpoint"):
            try:
                with open_archive(path, "Checkpoint") as (_, arrays):
                    for values in arrays.values():
                        np.asarray(values)
            except (
                MissingFileError
            ):  # removed for newer ones by a worker that outlives its parent for a moment
                continue
            except Exception as error:
                self.problems.append(f"{case}: {path.name} cannot be read: {error}")
        model = folder / "model.seqcast"
        if model.exists():
            (Seq2SeqRegressor if case == "regressor" else Forecaster).load(model)

    def short(self, number):
        """Let a case go on after its newest checkpoint has lost its end."""
        case = self.rng.choice(("fit", "regressor"))
        folder = self.folder(f"short {number}")
        paths = []
        while len(paths) < 2:
            self.run(
                case,
                folder,
                folder / "checkpoints",
                self.rng.uniform(0.5, 0.9) * self.seconds[case],
            )
            paths = sorted(
                folder.glob("checkpoints/*/*.checkpoint"), key=lambda path: int(path.stem)
            )
        content = paths[-1].read_bytes()
        paths[-1].write_bytes(content[: self.rng.randrange(len(content))])
        printed = self.run(case, folder, folder / "checkpoints")
        self.check(
            case, printed, f"{case} with a short checkpoint", "is damaged, so training goes on from"
        )


def main():
    """Run everything and print a summary."""
    parser = options(__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--short", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        case, folder, checkpoint = given.case
        warnings.simplefilter("always")
        print(run_case(case, Path(folder), None if checkpoint == "-" else Path(checkpoint)))
        return
    work = Path(tempfile.mkdtemp(prefix="seqcast-crash-"))
    runner = Runner(work, random.Random(given.seed))
    began = time.perf_counter()
    runner.learn()
    used = runs = 0
    while used < given.kills:
        used += runner.killed(CASES[runs % len(CASES)], runs, min(5, given.kills - used))
        runs += 1
        print(f"{used} kills in {runs} runs, {len(runner.problems)} problems", flush=True)
    for number in range(given.short):
        runner.short(number)
    shutil.rmtree(work)
    print(*runner.problems, sep="\n")
    minutes = round((time.perf_counter() - began) / 60, 1)
    summary = {"kills": used, "runs": runs, "short checkpoints": given.short}
    print(json.dumps({**summary, "problems": len(runner.problems), "minutes": minutes}))
    sys.exit(bool(runner.problems))


if __name__ == "__main__":
    main()
