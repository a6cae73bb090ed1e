"""Windows before the test parts of public data: by these the pretrained network is chosen.

    python pretraining/held_back.py --data FOLDER                # the network of the package
    python pretraining/held_back.py --data FOLDER --network a.seqcast b.seqcast
    python pretraining/held_back.py --families                   # synthetic series of each family

The number is a geometric mean over tasks, of MASE and WQL over those of the seasonal naive
forecast. Hours and shorter steps are one half of it, longer steps the other. In each half every
source of data counts once, whatever the number of its tasks; ETT, which is in both, counts half in
each. No window reaches into a test part, at any step, by which the pretrained network is scored. So
the windows of ETT end before the 165th day, where the test part of its days begins: its hours,
quarter-hours and days overlap with one another. Those of the taxi's passengers, which are no
benchmark, end 2,688 rows before the last one.
"""

import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks" / "accuracy"))

import numpy as np
from zero_shot_tasks import DECILES, PROTOCOLS, Task, read_task, taxi

from harness import machine, options, table
from seqcast.data import Season
from seqcast.pretrained import PretrainedNetwork, ZeroShotWindows, load_pretrained
from seqcast.pretrained.seasonal_inputs import seasonal_inputs
from synthetic import FAMILIES, SyntheticSeries

Series = list[np.ndarray]

# The test part of ETT_1D begins with this day, and earlier than those of hours and quarter-hours.
ETT_DAYS = 725 - 20 * 28
# Fewest seasonal differences of the known values of a window.
FEWEST_DIFFERENCES = 4
# Steps of future of synthetic windows.
SYNTHETIC_HORIZON = 64
# Their known steps, by turns.
SYNTHETIC_KNOWN = (32, 96, 256, 512)
# Batches of a family.
SYNTHETIC_BATCHES = 24
# Windows of a batch, at most.
SYNTHETIC_WINDOWS = 12
# Seed of the first family; no training has one so large.
SYNTHETIC_SEED = 10**7
# Steps that today's base reads.
REACH = 2048
# Series of a task at most, evenly taken.
MOST_SERIES = 400


@dataclass(frozen=True)
class Source:
    """Where the windows of a task come from.

    Args:
        name: What tasks of the same data share.
        read: Reads the series.
        kept: How many of the first values of each series may be seen; the negative number of the
            last ones that may not.
        windows: Number of windows, a horizon apart, the last one at the end of these.
        horizon: Steps to forecast.
        season: Steps of a season, also of the seasonal naive forecast.
        protocol_season: Season of scores and of the seasonal naive forecast, where it is another.
        freq: Step between values, a pandas alias.
        hourly: Whether steps are hours or shorter.
    """

    name: str
    read: Callable[[Path], Series]
    kept: int
    windows: int
    horizon: int
    season: int
    freq: str
    protocol_season: int | None = None
    hourly: bool = False

    def tasks(self, folder):
        """Return the windows, the latest first."""
        found = self.read(folder)
        chosen = found[:: -(-len(found) // MOST_SERIES)]

        # `windows_before` leaves a horizon out, which here is none of the values that may be seen.
        unseen = np.full(self.horizon, np.nan)
        series = [np.concatenate([values[: self.kept], unseen]) for values in chosen]
        season = self.protocol_season or self.season
        task = Task(self.name, series, self.horizon, season, self.season, self.freq)
        return windows_before(task, self.windows)


def windows_before(task, count):
    """Return windows before the last horizon of a task, a horizon apart, the latest first.

    Series that are too short for the seasonal error of a window are left out of it.

    Args:
        task: The task.
        count: Number of windows.
    """

    def is_long_enough(values):
        known = np.isfinite(values[: -task.horizon]).sum()
        return known >= task.protocol_season + FEWEST_DIFFERENCES

    windows = [task.held_back(number) for number in range(1, count + 1)]
    return [
        replace(window, series=[each for each in window.series if is_long_enough(each)])
        for window in windows
    ]


def _of(source, task, kept, windows, *, hourly=False):
    """Return the source of a task as its protocol cuts it."""
    cut = PROTOCOLS[task]
    steps = (cut.horizon, cut.season, cut.freq, cut.protocol_season)
    return Source(
        source, lambda folder: read_task(folder, task).series, kept, windows, *steps, hourly
    )


SOURCES = {
    "ETTh": _of("ETT", "ETTh", 24 * ETT_DAYS, 10, hourly=True),
    "ETT_1H": _of("ETT", "ETT_1H", 24 * ETT_DAYS, 8, hourly=True),
    "ETT_15T": _of("ETT", "ETT_15T", 96 * ETT_DAYS, 10, hourly=True),
    "uci_air_quality_1H": _of("air quality", "uci_air_quality_1H", -20 * 168, 8, hourly=True),
    "vic_elec": _of("demand", "vic_elec", -8 * 336, 8, hourly=True),
    "taxi": Source("taxi", taxi, -8 * 336, 8, 336, 48, "30min", hourly=True),
    "M4 Hourly": _of("M4", "M4 Hourly", -48, 2, hourly=True),
    "ETT_1D": _of("ETT", "ETT_1D", ETT_DAYS, 3),
    "nn5": _of("nn5", "nn5", -56, 4),
    "tourism_monthly": _of("tourism", "tourism_monthly", -24, 2),
    "tourism_quarterly": _of("tourism", "tourism_quarterly", -8, 2),
    "m3_monthly": _of("M3", "m3_monthly", -18, 2),
    "m3_quarterly": _of("M3", "m3_quarterly", -8, 2),
    "m3_yearly": _of("M3", "m3_yearly", -6, 1),
    "car parts": _of("car parts", "car parts", -12, 1),
}

Deciles = Callable[[Task], np.ndarray]
Scores = Mapping[str, tuple[float, ...]]


def weights(sources=SOURCES):
    """Return how much each task counts; they sum to 1.

    Args:
        sources: The source of each task.
    """
    tasks = Counter((source.name, source.hourly) for source in sources.values())

    def share(name, hourly):
        """Return how much a source counts in a half: half of what others do if it is in both."""
        return 0.5 if (name, not hourly) in tasks else 1.0

    total = {True: 0.0, False: 0.0}
    for name, hourly in tasks:
        total[hourly] += share(name, hourly)
    halves = sum(value > 0 for value in total.values())

    return {
        task: share(source.name, source.hourly)
        / total[source.hourly]
        / tasks[source.name, source.hourly]
        / halves
        for task, source in sources.items()
    }


def number(scores, naive, counts):
    """Return the weighted geometric mean of both scores over those of the seasonal naive forecast.

    Args:
        scores: MASE and WQL of each task.
        naive: Those of the seasonal naive forecast.
        counts: How much each task counts.
    """
    logarithms = [
        counts[task] * np.log(np.divide(scores[task], naive[task])).mean() for task in scores
    ]
    return float(np.exp(sum(logarithms) / sum(counts[task] for task in scores)))


def read_windows(task, length):
    """Return what a network reads: the last values of each series, NaN before the first."""
    past = task.known(length)
    longer = np.full(len(past), Season.of(task.season).longer or 0)
    return ZeroShotWindows(past, np.full(len(past), task.season), longer)


def deciles_of(network):
    """Return what forecasts the deciles of a task."""
    length = network.context_lengths[-1]
    return lambda task: network.forecast(read_windows(task, length), task.horizon, DECILES.tolist())


def base_deciles(task):
    """Return today's base as if it were each decile, `[series, H, 9]`."""
    windows = read_windows(task, REACH)
    read = seasonal_inputs(windows.past, windows.season, windows.longer, task.horizon)
    return np.repeat(read.base[:, :, None], len(DECILES), axis=2)


def synthetic_tasks(family):
    """Return windows of a family of synthetic series, which no training draws.

    Each batch has a season of its own. Batches with another longer season than the usual one, which
    a forecaster is not given, are left out, and so are series with equal known values.
    """
    tasks = []
    numbers = itertools.count()
    seed = SYNTHETIC_SEED + list(FAMILIES).index(family)

    while len(tasks) < SYNTHETIC_BATCHES:
        length = SYNTHETIC_KNOWN[len(tasks) % len(SYNTHETIC_KNOWN)]
        series = SyntheticSeries(
            seed, length=length + SYNTHETIC_HORIZON, weights={family: 1.0}, gaps=0.0
        )
        batch = series.batch(next(numbers), n=SYNTHETIC_WINDOWS)

        deviation = batch.values[:, :length].std(axis=1)
        rows = np.flatnonzero(deviation > 1e-9 * np.abs(batch.values).max(axis=1))
        if batch.season != Season.of(batch.season.length) or not len(rows):
            continue

        # All series count alike, also those that were exponentiated.
        values = list(batch.values[rows] / deviation[rows, None])
        season = batch.season.length if 2 * batch.season.length <= length else 1
        tasks.append(Task(family, values, SYNTHETIC_HORIZON, season, batch.season.length, "D"))
    return tasks


def scores(windows, deciles):
    """Return MASE and WQL of each task.

    Args:
        windows: The windows of each task.
        deciles: Forecasts the deciles of one.
    """
    by_window = {
        task: [window.scores(deciles(window)) for window in each] for task, each in windows.items()
    }
    return {task: tuple(np.mean(each, axis=0).tolist()) for task, each in by_window.items()}


def compared(contestants, windows):
    """Return a table of both scores by task over those of the seasonal naive forecast.

    Args:
        contestants: What forecasts deciles.
        windows: The windows of each task.
    """
    naive = scores(windows, Task.naive_deciles)
    counts = counts_of(windows)
    found = {}
    seconds = {}
    for name, deciles in contestants.items():
        began = time.perf_counter()
        found[name] = scores(windows, deciles)
        seconds[name] = time.perf_counter() - began

    rows = []
    for task, each in windows.items():
        cells = [
            "{:.3f} / {:.3f}".format(*np.divide(own[task], naive[task])) for own in found.values()
        ]
        series = sum(len(window.series) for window in each)
        rows.append([task, series, f"{100 * counts[task]:.1f} %", *cells])

    for name, chosen in (("all", set(windows)), *halves(windows).items()):
        own = [{task: each[task] for task in windows if task in chosen} for each in found.values()]
        rows.append([name, "", "", *(f"{number(each, naive, counts):.4f}" for each in own)])
    rows.append(["seconds", "", "", *(f"{value:.0f}" for value in seconds.values())])
    return table(["task", "windows", "counts", *found], rows)


def halves(tasks):
    """Return the tasks of hours and shorter steps, and those of longer ones; none without both."""
    real = [task for task in tasks if task in SOURCES]
    found = {
        "hours and shorter": {task for task in real if SOURCES[task].hourly},
        "longer steps": {task for task in real if not SOURCES[task].hourly},
    }
    return found if all(found.values()) else {}


def all_windows(folder, tasks=()):
    """Return the windows of each task; of synthetic series without a folder.

    Args:
        folder: Folder of the public data sets.
        tasks: Which tasks; none for all.
    """
    if folder is None:
        return {family: synthetic_tasks(family) for family in tasks or FAMILIES}
    return {task: SOURCES[task].tasks(folder) for task in tasks or SOURCES}


def counts_of(windows):
    """Return how much each of some tasks counts; families of synthetic series count alike."""
    if set(windows) <= set(SOURCES):
        return weights({task: SOURCES[task] for task in windows})
    return dict.fromkeys(windows, 1 / len(windows))


def main():
    """Score networks."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument(
        "--families", action="store_true", help="score on synthetic series, family by family"
    )
    parser.add_argument(
        "--tasks", nargs="+", choices=[*SOURCES, *FAMILIES], default=[], help="(default all)"
    )
    parser.add_argument(
        "--network", nargs="+", type=Path, default=[], help="files of `pretrain.py` (default: ours)"
    )
    arguments = parser.parse_args()
    if arguments.families is (arguments.data is not None):
        parser.error("give either --data or --families")

    windows = all_windows(arguments.data, arguments.tasks)
    networks = {path.stem: PretrainedNetwork.load(path) for path in arguments.network}
    if not networks:
        networks = {"ours": load_pretrained()}
    deciles = {name: deciles_of(network) for name, network in networks.items()}
    print(compared({**deciles, "the base": base_deciles}, windows))
    print(machine())


if __name__ == "__main__":
    main()
