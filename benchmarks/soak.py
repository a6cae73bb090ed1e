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

import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from harness import RESULTS, options
from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.errors import SeqcastError

LARGEST_DRIFT = 0.03
COUNTS = ("threads", "descriptors")
# XLA starts each of its pools, of one thread a core, when it first needs it, which may be after
# hours: not counted.
XLA_POOLS = ("tf_", "llvm-")
PROC = Path("/proc/self")
# More horizons than a network keeps programs.
HORIZON = 80
MOST_ROWS = 400
DAYS = 120


def measured():
    """Return what this process and its children hold."""
    names = [text(name) for name in (PROC / "task").glob("*/comm")]
    children = [
        child for path in (PROC / "task").glob("*/children") for child in text(path).split()
    ]
    return {
        "rss_mib": resident(PROC),
        "workers_mib": sum(resident(Path("/proc", child)) for child in children),
        "threads": sum(not name.startswith(XLA_POOLS) for name in names),
        "descriptors": len(os.listdir(PROC / "fd")),
        "programs": len(jax.devices()[0].client.live_executables()),
        "arrays": len(jax.live_arrays()),
        "objects": len(gc.get_objects()),
    }


def resident(process):
    """Return the memory of a process, in MiB."""
    return int((text(process / "statm") or "0 0").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def text(path):
    """Return the text of a file of /proc; nothing where the thread or process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


class Work:
    """What a long-lived process does, drawn from a seed.

    Args:
        seed: The seed.
        folder: Folder of saved models.
    """

    def __init__(self, seed, folder):
        self.random = random.Random(seed)
        self.folder = folder
        generator = np.random.default_rng(seed)
        phase = generator.uniform(0, 6, (MOST_ROWS, 1))
        turns = generator.uniform(0.2, 0.8, (MOST_ROWS, 1))
        self.waves = np.sin(phase + turns * np.arange(30 + HORIZON))[:, :, None].astype(np.float32)
        # Models that live as long as the process.
        self.regressor = self._regressor(16).fit(self.waves[:, :30], self.waves[:, 30:])
        self.forecaster = self._forecaster().fit(frame(3, DAYS))
        self.days = DAYS
        often = (self.forecast, self.forecast_frames)
        more = (self.states, self.update, self.save_and_load)
        seldom = (self.fit_regressor, self.fit_forecaster, self.partial_fit)
        self.actions = [*8 * often, *3 * more, *2 * seldom, self.fit_ensemble, self.fail]

    def round(self):
        """Do one thing."""
        self.random.choice(self.actions)()

    def fit_regressor(self):
        """Train a regressor of drawn sizes, and forecast with it."""
        rows = self.random.randint(60, MOST_ROWS)
        past = self.random.choice([10, 20, 30])
        model = self._regressor(
            self.random.choice([5, 10, 20]), cell=self.random.choice(["gru", "lstm"])
        )
        model.fit(self.waves[:rows, :past], self.waves[:rows, past : past + 10])
        model.predict(self.waves[:5, :past])

    def fit_forecaster(self):
        """Train a forecaster of drawn sizes, and forecast with it."""
        rows = frame(self.random.randint(1, 5), self.random.randint(100, 200))
        self._forecaster(level=self.random.choice([(80,), (80, 95), ()])).fit(rows).predict()

    def fit_ensemble(self):
        """Train an ensemble in worker processes."""
        self._forecaster(members=2).fit(frame(3, DAYS)).predict(self.random.randint(1, 12))

    def fail(self):
        """Begin fits that cannot end: bad data, an impossible option, a loss that is not finite."""
        rows = frame(2, DAYS)
        X = self.waves[:, :30]
        y = self.waves[:, 30:35]
        fits = [
            lambda: self._forecaster().fit(rows.assign(ds=rows["ds"].where(rows.index != 7))),
            lambda: self._regressor(5, cell="no such cell").fit(X, y),
            lambda: self._regressor(5, learning_rate=1e30, clip_norm="none").fit(X, y),
        ]
        try:
            self.random.choice(fits)()
        except SeqcastError:
            return
        raise SystemExit("a fit that had to fail did not")

    def forecast(self):
        """Forecast windows: their number, length and horizon are drawn."""
        rows = self.random.randint(1, MOST_ROWS)
        past = self.random.choice([10, 20, 30])
        self.regressor.predict(self.waves[:rows, :past], self.random.randint(1, HORIZON))

    def forecast_frames(self):
        """Forecast series with intervals of drawn levels, or sample paths."""
        horizon = self.random.randint(1, 24)
        levels = sorted(self.random.sample([50, 68, 80, 90, 95, 99], 2))
        if self.random.random() < 0.3:
            self.forecaster.predict(horizon, samples=self.random.randint(1, 50))
        else:
            self.forecaster.predict(horizon, level=levels)

    def states(self):
        """Encode windows, read on and decode."""
        rows = self.random.randint(1, 50)
        states = self.regressor.encode(self.waves[:rows, :20])
        states = self.regressor.update(
            states, self.waves[:rows, 20 : 20 + self.random.randint(1, 10)]
        )
        self.regressor.decode(states, self.random.randint(1, HORIZON))

    def partial_fit(self):
        """Go on training with some new windows: each number ends with a batch of another size."""
        rows = self.random.randint(1, MOST_ROWS)
        self.regressor.partial_fit(self.waves[:rows, :30], self.waves[:rows, 30:])

    def update(self):
        """Remember new rows; a long history is replaced by a short one, since it is what grows for good."""
        if self.days > 300:
            self.forecaster = self._forecaster().fit(frame(3, DAYS))
            self.days = DAYS
        new = self.random.randint(1, 7)
        self.forecaster.update(frame(3, new, first=self.days)).predict()
        self.days += new

    def save_and_load(self):
        """Write both models to files and read them; one time in five the process continues with these."""
        paths = [self.folder / f"{name}.seqcast" for name in ("regressor", "forecaster")]
        self.regressor.save(paths[0])
        self.forecaster.save(paths[1])
        read = Seq2SeqRegressor.load(paths[0]), Forecaster.load(paths[1])
        read[0].predict(self.waves[:3, :30])
        read[1].predict(self.random.randint(1, 12))
        if self.random.random() < 0.2:
            self.regressor, self.forecaster = read

    def _regressor(self, units, **given):
        given = {
            "encoder_units": (units,),
            "decoder_units": (units,),
            "epochs": 2,
            "batch_size": 64,
            **given,
        }
        return Seq2SeqRegressor(random_state=self.random.randrange(1000), verbose=0, **given)

    def _forecaster(self, **given):
        network = NetworkSpec(encoder_units=(8,), decoder_units=(8,), head="normal")
        given = {"preset": network, "training": {"epochs": 2}, "context_length": 14, **given}
        return Forecaster(
            12, freq="D", random_state=self.random.randrange(1000), verbose=0, **given
        )


def frame(series, days, first=0):
    """Return some days of some series."""
    stamps = pd.date_range("2020-01-01", periods=first + days)[first:]
    places = np.arange(first, first + days)
    waves = [
        10 + np.sin(2 * np.pi * places / 7 + one) + 0.1 * np.cos(places * 1.7 + one)
        for one in range(series)
    ]
    parts = [
        pd.DataFrame({"unique_id": f"series {one}", "ds": stamps, "y": y})
        for one, y in enumerate(waves)
    ]
    return pd.concat(parts, ignore_index=True)


def drift(samples):
    """Return of each figure the medians of the first and of the last fifth of the samples.

    Of threads and descriptors the largest number before the last fifth and within it: they come and
    go with worker processes.
    """
    fifth = max(1, len(samples) // 5)
    found = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        if name in COUNTS:
            found[name] = max(values[:-fifth]), max(values[-fifth:])
        else:
            found[name] = statistics.median(values[:fifth]), statistics.median(values[-fifth:])
    return found


def soak(work, minutes, warm_up, say):
    """Work until the time is up, and return what was measured after the warm-up."""
    names = list(measured())
    say("\n| minute | rounds | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))
    began = last = time.monotonic()
    of_minute = []
    after = []
    while (now := time.monotonic()) - began < 60 * minutes:
        work.round()
        of_minute.append(measured())
        if now - began >= 60 * warm_up:
            after.append(of_minute[-1])
        if now - last >= 60:
            medians = [
                f"{statistics.median(sample[name] for sample in of_minute):.0f}" for name in names
            ]
            say(f"| {(now - began) / 60:.0f} | {len(of_minute)} | " + " | ".join(medians) + " |")
            of_minute = []
            last = now
    return after


def main():
    """Work, and say what has grown."""
    parser = options(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument(
        "--warm-up", type=float, default=None, help="minutes that do not count (default a third)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "soak.md", help="the result file")
    given = parser.parse_args()
    warm_up = given.minutes / 3 if given.warm_up is None else given.warm_up
    given.output.parent.mkdir(parents=True, exist_ok=True)

    def say(line):
        print(line, flush=True)
        with given.output.open("a") as file:
            file.write(line + "\n")

    with tempfile.TemporaryDirectory() as folder:
        after = soak(Work(given.seed, Path(folder)), given.minutes, warm_up, say)
    changes = drift(after)
    memory = drift(after)["rss_mib"]
    say(
        f"\nAfter {warm_up:g} min, medians of the first and of the last fifth; of counts the largest, before and in it:"
    )
    for name, (first, last) in changes.items():
        say(f"- {name}: {first:.0f}, {last:.0f}, {last / max(first, 1e-9) - 1:+.2%}")
    failed = [name for name in COUNTS if changes[name][1] > changes[name][0]]
    failed += ["rss_mib"] if memory[1] > (1 + LARGEST_DRIFT) * memory[0] else []
    say(json.dumps({"minutes": given.minutes, "rounds after warm-up": len(after), "grew": failed}))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
