"""Tasks of the Chronos zero-shot benchmark and of fev-bench whose data are at hand: cut, scored, proved.

python benchmarks/accuracy/zero_shot_tasks.py --data FOLDER  # the seasonal naive forecast beside its published scores

One window a series, its last steps. MASE takes the seasonal error of all that comes before, at the protocol's season
length; WQL is summed over a task at the nine deciles; missing values are left out. Those of fev-bench have twenty
windows, a horizon apart; their second score is SQL: twice the pinball loss over the seasonal error, the mean over
deciles, series, steps and windows. fev-bench cuts some a little otherwise: the seasonal naive forecast of ETT_1D
differs by .8 %, that of air quality by .3 %. Of demand (`vic_elec`) nobody publishes scores. Source of the protocols
and of published scores: github autogluon/fev, src/fev/metrics.py, benchmarks/chronos_zeroshot, benchmarks/fev_bench.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from reporting import table
from yardsticks import checked, read_m4_hourly

DECILES = np.arange(1, 10) / 10
# The known values from which fev-bench's seasonal naive forecast has the width of its intervals.
NAIVE_CONTEXT = 1000
# Fewest seasonal differences of the known values of a window that settings are chosen by.
FEWEST_DIFFERENCES = 4


@dataclass(frozen=True)
class Task:
    """A task, or one window of a task.

    Args:
        name: Its name.
        series: All values of each series; the last `horizon` are to be forecast. NaN is missing.
        horizon: Steps to forecast, `H`.
        protocol_season: Season length of the MASE.
        season: Season length that a forecaster is told.
        freq: Step between values, a pandas alias.
        later: Steps by which the known values go on beyond those of the task's first window.
        spread: Whether the seasonal naive forecast has intervals, as that of fev-bench has.
    """

    name: str
    series: list[np.ndarray]
    horizon: int
    protocol_season: int
    season: int
    freq: str
    later: int = 0
    spread: bool = False

    @property
    def past(self) -> list[np.ndarray]:
        """The known values of each series."""
        return [values[: -self.horizon] for values in self.series]

    @property
    def truth(self) -> np.ndarray:
        """The values to forecast, `[series, H]`."""
        return np.stack([values[-self.horizon :] for values in self.series])

    def known(self, length: int) -> np.ndarray:
        """Return the last known values of each series, `[series, length]`, NaN before its first."""
        past = np.full((len(self.series), length), np.nan)
        for row, values in enumerate(self.past):
            tail = values[-length:]
            past[row, length - len(tail) :] = tail
        return past

    def held_back(self, windows: int = 1) -> Task:
        """Return the task whose test part is left out: the horizon before it is to be forecast, for validation."""
        return replace(self, series=[values[: -windows * self.horizon] for values in self.series])

    def windows(self, count: int) -> list[Task]:
        """Return its last windows, a horizon apart, the earliest first."""
        parts = []
        for later in range(0, count * self.horizon, self.horizon):
            left_out = (count - 1) * self.horizon - later
            parts.append(
                replace(self, series=[values[: len(values) - left_out] for values in self.series], later=later)
            )
        return parts

    def frame(self) -> pd.DataFrame:
        """Return the known values as a long frame; those of a task's first window all end at one stamp."""
        longest = max(map(len, self.past))
        first = pd.date_range(end="2020-01-01", periods=longest - self.later, freq=self.freq)[0]
        stamps = pd.date_range(first, periods=longest, freq=self.freq)
        parts = [
            pd.DataFrame({"unique_id": f"{place:04d}", "ds": stamps[longest - len(values) :], "y": values})
            for place, values in enumerate(self.past)
        ]
        return pd.concat(parts, ignore_index=True)

    def seasonal_naive(self) -> np.ndarray:
        """Return the last season of the protocol, repeated, `[series, H]`."""
        season = self.protocol_season
        places = np.arange(self.horizon) % season
        return np.stack([_filled(values)[-season:][places] for values in self.past])

    def naive_deciles(self) -> np.ndarray:
        """Return the deciles of the seasonal naive forecast, `[series, H, 9]`; without `spread` they are all the same.

        With it they are those of a normal distribution, whose deviation is that of the latest seasonal differences
        times the root of the number of seasons ahead.
        """
        point = np.repeat(self.seasonal_naive()[:, :, None], len(DECILES), axis=2)
        if not self.spread:
            return point
        season = self.protocol_season
        latest = np.stack([_filled(values)[-NAIVE_CONTEXT:] for values in self.past])
        deviation = np.sqrt(np.mean(np.square(latest[:, season:] - latest[:, :-season]), axis=1))
        ahead = np.sqrt(np.arange(self.horizon) // season + 1)
        normal = np.array([NormalDist().inv_cdf(probability) for probability in DECILES])
        return point + deviation[:, None, None] * ahead[:, None] * normal

    def scores(self, quantiles: np.ndarray) -> tuple[float, float]:
        """Return MASE and WQL.

        Args:
            quantiles: The nine deciles, `[series, H, 9]`.
        """
        truth = self.truth
        losses = np.nansum(self._losses(quantiles), axis=(0, 1)) / np.nansum(np.abs(truth))
        return self._scaled_mean(np.abs(truth - quantiles[:, :, 4])), float(losses.mean())

    def scaled_quantile_loss(self, quantiles: np.ndarray) -> float:
        """Return SQL.

        Args:
            quantiles: The nine deciles, `[series, H, 9]`.
        """
        return self._scaled_mean(self._losses(quantiles).mean(axis=2))

    def _losses(self, quantiles: np.ndarray) -> np.ndarray:
        """Return twice the pinball losses, `[series, H, 9]`."""
        difference = self.truth[:, :, None] - quantiles
        return 2 * np.maximum(DECILES * difference, (DECILES - 1) * difference)

    def _scaled_mean(self, errors: np.ndarray) -> float:
        """Return the mean of errors `[series, H]` over the seasonal errors; series without one do not count."""
        season = self.protocol_season
        scales = np.array([np.nanmean(np.abs(values[season:] - values[:-season])) for values in self.past])
        known = np.isfinite(scales) & (scales > 0)
        return float(np.nanmean(errors[known] / scales[known, None]))


def _filled(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).ffill().bfill().to_numpy()


Reader = Callable[[Path], list[np.ndarray]]


def _columns(table: pd.DataFrame) -> list[np.ndarray]:
    return [table[name].to_numpy(dtype=float) for name in table]


def _ett(files: str) -> Reader:
    """Return what reads the columns of both transformers, whose number stands in the name of their files."""

    def read(folder: Path) -> list[np.ndarray]:
        tables = [pd.read_csv(checked(folder, files.format(number))).drop(columns="date") for number in (1, 2)]
        return [values for table in tables for values in _columns(table)]

    return read


_ett_hours, _ett_quarters = _ett("ETT-small/ETTh{}.csv"), _ett("ETT-small/ETTm{}.csv.gz")


def _ett_days(folder: Path) -> list[np.ndarray]:
    """Return the means of whole days."""
    return [values[: len(values) // 96 * 96].reshape(-1, 96).mean(axis=1) for values in _ett_quarters(folder)]


def _nn5(folder: Path) -> list[np.ndarray]:
    return _columns(pd.read_csv(checked(folder, "nn5/nn5.csv.gz")).drop(columns="ds"))


def _competition(name: str, period: str) -> Reader:
    def read(folder: Path) -> list[np.ndarray]:
        found = json.loads(checked(folder, f"tourism_m3/{name}_data.json").read_text())
        own = [series for series in found.values() if series["period"][0] == period]
        return [np.array([*series["x"], *series["xx"]], dtype=float) for series in own]

    return read


def _air(folder: Path) -> list[np.ndarray]:
    table = pd.read_csv(checked(folder, "uci_air_quality/AirQualityUCI.csv"))
    return _columns(table[["CO_GT", "C6H6_GT", "NOx_GT", "NO2_GT"]].replace(-200, np.nan))


def _m4(folder: Path) -> list[np.ndarray]:
    found = read_m4_hourly(folder)
    return [np.concatenate([values, found.test[name]]) for name, values in found.train.items()]


def _car_parts(folder: Path) -> list[np.ndarray]:
    return _columns(pd.read_csv(checked(folder, "expsmooth/carparts.csv.gz"), header=None).fillna(0))


def _demand(folder: Path) -> list[np.ndarray]:
    return _columns(pd.read_csv(checked(folder, "vic_elec/vic_elec.csv.gz"))[["Demand"]])


def taxi(folder: Path) -> list[np.ndarray]:
    """Return the passengers of New York's taxis, half-hours."""
    return _columns(pd.read_csv(checked(folder, "classics/taxi_new_york_passengers.csv"))[["#Passengers"]])


@dataclass(frozen=True)
class Protocol:
    """How a task is cut.

    Args:
        read: Reads its series.
        horizon: Steps to forecast.
        protocol_season: Season length of the MASE, and of the seasonal naive forecast.
        season: Season length that a forecaster is told.
        freq: Step between values, a pandas alias.
        naive: Published scores of the seasonal naive forecast; NaN where there is none.
        windows: Number of windows at the end of each series, a horizon apart.
    """

    read: Reader
    horizon: int
    protocol_season: int
    season: int
    freq: str
    naive: tuple[float, float] = (np.nan, np.nan)
    windows: int = 1


# The seven of the Chronos benchmark; scores are MASE and WQL.
TASKS: Mapping[str, Protocol] = {
    "ETTh": Protocol(_ett_hours, 24, 24, 24, "h", (0.932, 0.1221)),
    "nn5": Protocol(_nn5, 56, 1, 7, "D", (1.292, 0.4246)),
    "tourism_monthly": Protocol(_competition("tcomp", "MONTHLY"), 24, 12, 12, "MS", (1.631, 0.1042)),
    "tourism_quarterly": Protocol(_competition("tcomp", "QUARTERLY"), 8, 4, 4, "QS", (1.699, 0.1194)),
    "m3_monthly": Protocol(_competition("m3", "MONTHLY"), 18, 12, 12, "MS", (1.146, 0.1485)),
    "m3_quarterly": Protocol(_competition("m3", "QUARTERLY"), 8, 4, 4, "QS", (1.425, 0.1013)),
    "m3_yearly": Protocol(_competition("m3", "YEARLY"), 6, 1, 1, "YS", (3.172, 0.1665)),
}
# Those of fev-bench; MASE and SQL.
ROLLING_WINDOWS = 20
ROLLING: Mapping[str, Protocol] = {
    "ETT_1H": Protocol(_ett_hours, 168, 24, 24, "h", (1.323, 1.2069), ROLLING_WINDOWS),
    "ETT_15T": Protocol(_ett_quarters, 96, 96, 96, "15min", (0.9169, np.nan), ROLLING_WINDOWS),
    "ETT_1D": Protocol(_ett_days, 28, 7, 7, "D", (1.4915, np.nan), ROLLING_WINDOWS),
    "uci_air_quality_1H": Protocol(_air, 168, 24, 24, "h", (1.4425, np.nan), ROLLING_WINDOWS),
}
# Further ones; MASE and WQL. Of demand the naive forecast is the last day, and the last week.
FURTHER: Mapping[str, Protocol] = {
    "M4 Hourly": Protocol(_m4, 48, 24, 24, "h", (1.193, np.nan)),
    "car parts": Protocol(_car_parts, 12, 12, 12, "MS", (np.nan, 1.6)),
    "vic_elec": Protocol(_demand, 336, 48, 48, "30min", windows=8),
    "vic_elec, weeks": Protocol(_demand, 336, 336, 48, "30min", windows=8),
}
PROTOCOLS: Mapping[str, Protocol] = {**TASKS, **ROLLING, **FURTHER}


def read_task(folder: Path, name: str) -> Task:
    """Return a task.

    Args:
        folder: Folder of the public data sets.
        name: One of `PROTOCOLS`.
    """
    cut = PROTOCOLS[name]
    series = cut.read(folder)
    return Task(name, series, cut.horizon, cut.protocol_season, cut.season, cut.freq, spread=name in ROLLING)


def read_windows(folder: Path, name: str, *, held_back: bool = False) -> list[Task]:
    """Return the windows of a task, the earliest first.

    Args:
        folder: Folder of the public data sets.
        name: One of `PROTOCOLS`.
        held_back: Whether all of them are left out, and those before them taken.
    """
    count, task = PROTOCOLS[name].windows, read_task(folder, name)
    return (task.held_back(count) if held_back else task).windows(count)


# Windows before the test part by which settings are chosen: more of the tasks with few series, one of short ones.
VALIDATION_WINDOWS = {"ETTh": 10, "nn5": 4, "m3_yearly": 1}
OTHER_VALIDATION_WINDOWS = 2


def validation_windows(folder: Path, name: str) -> list[Task]:
    """Return windows before the test part of one of `TASKS`, as `windows_before` does.

    Args:
        folder: Folder of the public data sets.
        name: The task.
    """
    return windows_before(read_task(folder, name), VALIDATION_WINDOWS.get(name, OTHER_VALIDATION_WINDOWS))


def windows_before(task: Task, count: int) -> list[Task]:
    """Return windows before the last horizon of a task, a horizon apart, the latest first.

    Series that are too short for the seasonal error of a window are left out of it.

    Args:
        task: The task.
        count: Number of windows.
    """

    def long_enough(values: np.ndarray) -> bool:
        return bool(np.isfinite(values[: -task.horizon]).sum() >= task.protocol_season + FEWEST_DIFFERENCES)

    windows = [task.held_back(number) for number in range(1, count + 1)]
    return [replace(window, series=[each for each in window.series if long_enough(each)]) for window in windows]


def validation_scores(windows: Sequence[Task], deciles: Callable[[Task], np.ndarray]) -> tuple[float, float]:
    """Return the means over windows of MASE and WQL.

    Args:
        windows: The windows.
        deciles: Returns the nine deciles of one, `[series, H, 9]`.
    """
    mase, wql = np.mean([window.scores(deciles(window)) for window in windows], axis=0).tolist()
    return mase, wql


def geometric_means(scores: Mapping[str, Sequence[float]], naive: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    """Return the geometric means over tasks of each score over that of the seasonal naive forecast."""
    ratios = np.array([np.divide(scores[name], naive[name]) for name in scores])
    return tuple(np.exp(np.log(ratios).mean(axis=0)).tolist())


def naive_scores(task: Task) -> tuple[float, float]:
    """Return MASE and WQL of the seasonal naive forecast."""
    return task.scores(task.naive_deciles())


def mean_scores(windows: Sequence[Task], deciles: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the means over windows of MASE, WQL and SQL.

    Args:
        windows: The windows.
        deciles: The nine deciles of each, `[series, H, 9]`.
    """
    each = [
        (*window.scores(quantiles), window.scaled_quantile_loss(quantiles))
        for window, quantiles in zip(windows, deciles, strict=True)
    ]
    return dict(zip(("mase", "wql", "sql"), np.mean(each, axis=0).tolist(), strict=True))


def naive_mean_scores(windows: Sequence[Task]) -> dict[str, float]:
    """Return the same of the seasonal naive forecast."""
    return mean_scores(windows, [window.naive_deciles() for window in windows])


def shown_scores(name: str, scores: Mapping[str, float]) -> tuple[float, float]:
    """Return the two scores by which a task is published."""
    return scores["mase"], scores["sql" if name in ROLLING else "wql"]


def score_cell(score: float, form: str) -> str:
    """Return a score in a form of `str.format`; nothing where there is none."""
    return "" if np.isnan(score) else form.format(score)


def main() -> None:
    """Score the seasonal naive forecast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    folder = parser.parse_args().data
    rows: list[list[Any]] = []
    for name, cut in PROTOCOLS.items():
        windows = read_windows(folder, name)
        pairs = zip(shown_scores(name, naive_mean_scores(windows)), cut.naive, ("{:.3f}", "{:.4f}"), strict=True)
        cells = [cell for found, published, form in pairs for cell in (form.format(found), score_cell(published, form))]
        rows.append([name, len(windows[0].series), len(windows), *cells])
    print(table(["task", "series", "windows", "MASE", "published", "WQL or SQL", "published"], rows))


if __name__ == "__main__":
    main()
