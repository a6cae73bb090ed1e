"""The seven tasks of the Chronos zero-shot benchmark whose data are at hand: cut, scored and proved as published.

python benchmarks/accuracy/zero_shot_tasks.py --data FOLDER  # the seasonal naive forecast beside its published scores

One window a series, its last steps. MASE takes the seasonal error of all that comes before, at the protocol's season
length; WQL is summed over a task at the nine deciles; missing values are left out. Source of the protocol and the
published scores: github autogluon/fev, benchmarks/chronos_zeroshot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from reporting import table
from yardsticks import checked

DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True)
class Task:
    """A task.

    Args:
        name: Its name.
        series: All values of each series; the last `horizon` are to be forecast. NaN is missing.
        horizon: Steps to forecast, `H`.
        protocol_season: Season length of the MASE.
        season: Season length that a forecaster is told.
        freq: Step between values, a pandas alias.
    """

    name: str
    series: list[np.ndarray]
    horizon: int
    protocol_season: int
    season: int
    freq: str

    @property
    def past(self) -> list[np.ndarray]:
        """The known values of each series."""
        return [values[: -self.horizon] for values in self.series]

    @property
    def truth(self) -> np.ndarray:
        """The values to forecast, `[series, H]`."""
        return np.stack([values[-self.horizon :] for values in self.series])

    def held_back(self) -> Task:
        """Return the task whose test part is left out: the horizon before it is to be forecast, for validation."""
        return replace(self, series=[values[: -self.horizon] for values in self.series])

    def frame(self) -> pd.DataFrame:
        """Return the known values as a long frame; all series end at one stamp."""
        longest = max(map(len, self.past))
        stamps = pd.date_range(end="2020-01-01", periods=longest, freq=self.freq)
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

    def scores(self, quantiles: np.ndarray) -> tuple[float, float]:
        """Return MASE and WQL.

        Args:
            quantiles: The nine deciles, `[series, H, 9]`.
        """
        truth, season = self.truth, self.protocol_season
        scales = np.array([np.nanmean(np.abs(values[season:] - values[:-season])) for values in self.past])
        errors = np.abs(truth - quantiles[:, :, 4]) / scales[:, None]
        difference = truth[:, :, None] - quantiles
        pinball = np.maximum(DECILES * difference, (DECILES - 1) * difference)
        losses = 2 * np.nansum(pinball, axis=(0, 1)) / np.nansum(np.abs(truth))
        return float(np.nanmean(errors[np.isfinite(scales) & (scales > 0)])), float(losses.mean())


def _filled(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).ffill().bfill().to_numpy()


def _ett(folder: Path) -> list[np.ndarray]:
    tables = [pd.read_csv(checked(folder, f"ETT-small/ETTh{k}.csv")).drop(columns="date") for k in (1, 2)]
    return [table[name].to_numpy(dtype=float) for table in tables for name in table]


def _nn5(folder: Path) -> list[np.ndarray]:
    found = pd.read_csv(checked(folder, "nn5/nn5.csv.gz")).drop(columns="ds")
    return [found[name].to_numpy(dtype=float) for name in found]


def _competition(name: str, period: str) -> Callable[[Path], list[np.ndarray]]:
    def read(folder: Path) -> list[np.ndarray]:
        found = json.loads(checked(folder, f"tourism_m3/{name}_data.json").read_text())
        own = [series for series in found.values() if series["period"][0] == period]
        return [np.array([*series["x"], *series["xx"]], dtype=float) for series in own]

    return read


# How each is read; horizon, the protocol's season, the forecaster's, the step; published MASE and WQL of the seasonal
# naive forecast.
TASKS: dict[str, tuple[Callable[[Path], list[np.ndarray]], int, int, int, str, tuple[float, float]]] = {
    "ETTh": (_ett, 24, 24, 24, "h", (0.932, 0.1221)),
    "nn5": (_nn5, 56, 1, 7, "D", (1.292, 0.4246)),
    "tourism_monthly": (_competition("tcomp", "MONTHLY"), 24, 12, 12, "MS", (1.631, 0.1042)),
    "tourism_quarterly": (_competition("tcomp", "QUARTERLY"), 8, 4, 4, "QS", (1.699, 0.1194)),
    "m3_monthly": (_competition("m3", "MONTHLY"), 18, 12, 12, "MS", (1.146, 0.1485)),
    "m3_quarterly": (_competition("m3", "QUARTERLY"), 8, 4, 4, "QS", (1.425, 0.1013)),
    "m3_yearly": (_competition("m3", "YEARLY"), 6, 1, 1, "YS", (3.172, 0.1665)),
}


def read_task(folder: Path, name: str) -> Task:
    """Return a task.

    Args:
        folder: Folder of the public data sets.
        name: One of `TASKS`.
    """
    read, horizon, protocol_season, season, freq, _ = TASKS[name]
    return Task(name, read(folder), horizon, protocol_season, season, freq)


def geometric_means(
    scores: dict[str, tuple[float, float]], naive: dict[str, tuple[float, float]]
) -> tuple[float, float]:
    """Return the geometric means over tasks of MASE and WQL, each over that of the seasonal naive forecast."""
    ratios = np.array([np.divide(scores[name], naive[name]) for name in scores])
    mase, wql = np.exp(np.log(ratios).mean(axis=0))
    return float(mase), float(wql)


def naive_scores(task: Task) -> tuple[float, float]:
    """Return MASE and WQL of the seasonal naive forecast."""
    return task.scores(np.repeat(task.seasonal_naive()[:, :, None], len(DECILES), axis=2))


def main() -> None:
    """Score the seasonal naive forecast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    folder = parser.parse_args().data
    rows: list[list[Any]] = []
    for name, (*_, published) in TASKS.items():
        task = read_task(folder, name)
        mase, wql = naive_scores(task)
        rows.append([name, len(task.series), f"{mase:.3f}", published[0], f"{wql:.4f}", published[1]])
    print(table(["task", "series", "MASE", "published", "WQL", "published"], rows))


if __name__ == "__main__":
    main()
