"""A long-lived process: fit, predict, update, save and load in a loop; memory, threads and descriptors stay flat.

    python benchmarks/soak.py                                  # 30 minutes, the first ten of which warm up
    python benchmarks/soak.py --minutes 3 --warm-up 1

What is done is drawn: fits of both estimators with other sizes each time, forecasts of other horizons, levels, contexts
and numbers of rows, partial fits, updates, saves, loads, fits that fail on purpose, and ensembles trained in worker
processes. After each round it counts what the process holds. Each minute a line with the medians of the last minute
goes to the result file, which later runs continue, and to the terminal. At the end the median of the last fifth is
compared with that of the first fifth after the warm-up. The exit status is 1 if memory grew by more than 3 %, or if
there were ever more threads or descriptors in the last fifth than before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("SEQCAST_CACHE_DIR", ".cache")
os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import numpy as np
import pandas as pd

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.errors import SeqcastError

LARGEST_DRIFT = 0.03
COUNTS = ("threads", "descriptors")
# XLA starts each of its pools, of one thread a core, when it first needs it, which may be after hours: not counted.
XLA_POOLS = ("tf_", "llvm-")
PROC = Path("/proc/self")
PAGE = os.sysconf("SC_PAGE_SIZE")
# More horizons than a network keeps programs.
HORIZON, MOST_ROWS = 80, 400


def measured() -> dict[str, float]:
    """Return what this process and its children hold."""
    names = [_text(name) for name in (PROC / "task").glob("*/comm")]
    return {
        "rss_mib": int((PROC / "statm").read_text().split()[1]) * PAGE / 2**20,
        "workers_mib": sum(map(_memory, _children())) / 2**20,
        "threads": sum(not name.startswith(XLA_POOLS) for name in names),
        "descriptors": len(os.listdir(PROC / "fd")),
        "programs": len(jax.devices()[0].client.live_executables()),
        "arrays": len(jax.live_arrays()),
        "objects": len(gc.get_objects()),
    }


def _children() -> list[int]:
    return [int(child) for path in (PROC / "task").glob("*/children") for child in _text(path).split()]


def _memory(process: int) -> int:
    return int((_text(Path(f"/proc/{process}/statm")) or "0 0").split()[1]) * PAGE


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the thread or process has ended meanwhile
        return ""


class Work:
    """What a long-lived process does, drawn from a seed.

    Args:
        seed: The seed.
        folder: Where models are saved.
        members: Networks of the ensembles that worker processes train; 1 for no ensembles.
    """

    def __init__(self, seed: int, folder: Path, members: int = 2) -> None:
        self.random = random.Random(seed)
        self.folder, self.members = folder, members
        generator = np.random.default_rng(seed)
        phase, turns = generator.uniform(0, 6, (MOST_ROWS, 1)), generator.uniform(0.2, 0.8, (MOST_ROWS, 1))
        self.waves = np.sin(phase + turns * np.arange(30 + HORIZON))[:, :, None].astype(np.float32)
        # Models that live as long as the process, and are asked for ever other things.
        self.regressor = self._regressor(16).fit(self.waves[:, :30], self.waves[:, 30:])
        self.forecaster = self._forecaster().fit(self._frame(3, 120))
        self.days = 120
        actions = {
            self.fit_regressor: 2,
            self.fit_forecaster: 2,
            self.fit_ensemble: 1 if members > 1 else 0,
            self.fail: 1,
            self.forecast: 8,
            self.forecast_frames: 8,
            self.states: 3,
            self.partial_fit: 2,
            self.update: 3,
            self.save_and_load: 3,
        }
        self.actions = [action for action, weight in actions.items() for _ in range(weight)]

    def round(self) -> str:
        """Do one thing and return its name."""
        action: Callable[[], None] = self.random.choice(self.actions)
        action()
        return action.__name__

    def fit_regressor(self) -> None:
        """Train a regressor of drawn sizes, and forecast with it."""
        rows, past = self.random.randint(60, MOST_ROWS), self.random.choice([10, 20, 30])
        model = self._regressor(self.random.choice([5, 10, 20]), cell=self.random.choice(["gru", "lstm"]))
        model.fit(self.waves[:rows, :past], self.waves[:rows, past : past + 10])
        model.predict(self.waves[:5, :past])

    def fit_forecaster(self) -> None:
        """Train a forecaster of drawn sizes, and forecast with it."""
        frame = self._frame(self.random.randint(1, 5), self.random.randint(100, 200))
        self._forecaster(level=self.random.choice([(80,), (80, 95), ()])).fit(frame).predict()

    def fit_ensemble(self) -> None:
        """Train an ensemble in worker processes."""
        self._forecaster(members=self.members).fit(self._frame(3, 120)).predict(self.random.randint(1, 12))

    def fail(self) -> None:
        """Begin fits that cannot end: bad data, an impossible option, a loss that is not finite."""
        frame = self._frame(2, 120)
        broken = frame.assign(ds=frame["ds"].where(frame.index != 7))
        fits: list[Callable[[], Any]] = [
            lambda: self._forecaster().fit(broken),
            lambda: self._regressor(5, cell="no such cell").fit(self.waves[:, :30], self.waves[:, 30:35]),
            lambda: self._regressor(5, learning_rate=1e30, clip_norm="none").fit(
                self.waves[:, :30], self.waves[:, 30:35]
            ),
        ]
        try:
            self.random.choice(fits)()
        except SeqcastError:
            return
        raise SystemExit("a fit that had to fail did not")

    def forecast(self) -> None:
        """Forecast windows, as many, as long and as far as is drawn."""
        rows, past = self.random.randint(1, MOST_ROWS), self.random.choice([10, 20, 30])
        self.regressor.predict(self.waves[:rows, :past], self.random.randint(1, HORIZON))

    def forecast_frames(self) -> None:
        """Forecast series with intervals of drawn levels, or sample paths."""
        horizon, levels = self.random.randint(1, 24), sorted(self.random.sample([50, 68, 80, 90, 95, 99], 2))
        if self.random.random() < 0.3:
            self.forecaster.predict(horizon, samples=self.random.randint(1, 50))
        else:
            self.forecaster.predict(horizon, level=levels)

    def states(self) -> None:
        """Encode windows, read on and decode."""
        states = self.regressor.encode(self.waves[: self.random.randint(1, 50), :20])
        rows = len(states.layers[0][0])
        states = self.regressor.update(states, self.waves[:rows, 20 : 20 + self.random.randint(1, 10)])
        self.regressor.decode(states, self.random.randint(1, HORIZON))

    def partial_fit(self) -> None:
        """Go on training with as many new windows as are drawn: each number ends with a batch of another size."""
        rows = self.random.randint(1, MOST_ROWS)
        self.regressor.partial_fit(self.waves[:rows, :30], self.waves[:rows, 30:])

    def update(self) -> None:
        """Remember new rows; now and then the history begins anew, since it is what grows for good."""
        if self.days > 300:
            self.forecaster = self._forecaster().fit(self._frame(3, 120))
            self.days = 120
        new = self.random.randint(1, 7)
        self.forecaster.update(self._frame(3, new, first=self.days)).predict()
        self.days += new

    def save_and_load(self) -> None:
        """Write both models to files and go on with what is read back."""
        self.regressor.save(self.folder / "regressor.seqcast")
        self.forecaster.save(self.folder / "forecaster.seqcast")
        if self.random.random() < 0.2:
            self.regressor = Seq2SeqRegressor.load(self.folder / "regressor.seqcast")
            self.forecaster = Forecaster.load(self.folder / "forecaster.seqcast")
        else:
            Seq2SeqRegressor.load(self.folder / "regressor.seqcast").predict(self.waves[:3, :30])
            Forecaster.load(self.folder / "forecaster.seqcast").predict(self.random.randint(1, 12))

    def _regressor(self, units: int, **options: Any) -> Seq2SeqRegressor:
        options = {"encoder_units": (units,), "decoder_units": (units,), "epochs": 2, "batch_size": 64, **options}
        return Seq2SeqRegressor(random_state=self.random.randrange(1000), verbose=0, **options)

    def _forecaster(self, **options: Any) -> Forecaster:
        network = NetworkSpec(encoder_units=(8,), decoder_units=(8,), head="normal")
        options = {"preset": network, "training": {"epochs": 2}, "context_length": 14, **options}
        return Forecaster(12, freq="D", random_state=self.random.randrange(1000), verbose=0, **options)

    def _frame(self, series: int, days: int, first: int = 0) -> pd.DataFrame:
        stamps = pd.date_range("2020-01-01", periods=first + days)[first:]
        places = np.arange(first, first + days)
        values = [10 + np.sin(2 * np.pi * places / 7 + one) + 0.1 * np.cos(places * 1.7 + one) for one in range(series)]
        return pd.DataFrame(
            {
                "unique_id": np.repeat([f"series {one}" for one in range(series)], days),
                "ds": np.tile(stamps, series),
                "y": np.concatenate(values),
            }
        )


class Table:
    """Medians of what was measured, a line a minute, in a file that later runs continue.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def line(self, text: str) -> None:
        """Add a line, here and there."""
        print(text, flush=True)
        with self.path.open("a") as file:
            file.write(text + "\n")

    def head(self, names: list[str]) -> None:
        """Begin a table."""
        self.line("\n| minute | rounds | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))

    def row(self, minute: float, samples: list[dict[str, float]]) -> None:
        """Add the medians of the last minute."""
        values = [f"{statistics.median(sample[name] for sample in samples):.0f}" for name in samples[0]]
        self.line(f"| {minute:.0f} | {len(samples)} | " + " | ".join(values) + " |")


def drift(samples: list[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Return of each figure the medians of the first and of the last fifth of the samples.

    Of threads and descriptors the largest number before the last fifth and within it: they come and go with worker
    processes.
    """
    fifth = max(1, len(samples) // 5)

    def of(part: list[dict[str, float]], name: str) -> float:
        values = [sample[name] for sample in part]
        return max(values) if name in COUNTS else statistics.median(values)

    return {
        name: (of(samples[:-fifth] if name in COUNTS else samples[:fifth], name), of(samples[-fifth:], name))
        for name in samples[0]
    }


def soak(work: Work, minutes: float, warm_up: float, table: Table) -> list[dict[str, float]]:
    """Work until the time is up, and return what was measured after the warm-up."""
    table.head(list(measured()))
    began, last = time.monotonic(), time.monotonic()
    of_minute: list[dict[str, float]] = []
    after: list[dict[str, float]] = []
    while (now := time.monotonic()) - began < 60 * minutes:
        work.round()
        of_minute.append(measured())
        if now - began >= 60 * warm_up:
            after.append(of_minute[-1])
        if now - last >= 60:
            table.row((now - began) / 60, of_minute)
            of_minute, last = [], now
    return after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--warm-up", type=float, default=None, help="minutes that do not count (default a third)")
    parser.add_argument(
        "--members", type=int, default=2, help="networks of an ensemble in worker processes (default 2)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/soak.md"), help="the result file")
    arguments = parser.parse_args()
    warm_up = arguments.minutes / 3 if arguments.warm_up is None else arguments.warm_up
    table = Table(arguments.output)
    with tempfile.TemporaryDirectory() as folder:
        after = soak(Work(arguments.seed, Path(folder), arguments.members), arguments.minutes, warm_up, table)
    changes = drift(after)
    table.line(
        f"\nAfter {warm_up:g} min, medians of the first and of the last fifth; of counts the largest, before and in it:"
    )
    for name, (first, last) in changes.items():
        table.line(f"- {name}: {first:.0f}, {last:.0f}, {last / max(first, 1e-9) - 1:+.2%}")
    memory = changes["rss_mib"]
    failed = [name for name in COUNTS if changes[name][1] > changes[name][0]]
    failed += ["rss_mib"] if memory[1] > (1 + LARGEST_DRIFT) * memory[0] else []
    table.line(json.dumps({"minutes": arguments.minutes, "rounds after warm-up": len(after), "grew": failed}))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
