"""The public yardsticks: data that are what they should be, protocols, scores, and naive methods that prove them.

Each yardstick knows its files by their sha256, cuts training, validation and test rows as published comparisons do,
and scores forecasts by their formulas. `proof` scores naive methods; their numbers are known, so that a protocol that
does not give them exactly is not the published one.

Sources: Zhou et al. 2021 (ETT); Makridakis et al. 2020, The M4 competition; Ben Taieb et al. 2012 (NN5);
Athanasopoulos et al. 2011, The tourism forecasting competition.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SHA256 = {
    "ETT-small/ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETT-small/ETTh2.csv": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETT-small/ETTm1.csv.gz": "73c18304514c26a5cddba02e6538513a0e23b2fbb59752535adbf541c9edc672",
    "ETT-small/ETTm2.csv.gz": "5122051efae7be24b40bedc80ee445bd18298552b940084f0dbe329c5157110a",
    "bitcoin/bitcoin_price.csv": "3085ff0965a8784279466381b2ab23736c401fdd182918d36da57a19eb51e3c0",
    "classics/AirPassengers.csv": "5f8b316b84545d9cfb05612298df8415ce4c44421c7012d109465564b07ebc06",
    "classics/ausbeer.csv": "52e08974f8459ff2860d516ba6e507eb6e8fe967d4339368013c37d7a95e599b",
    "classics/monthly-sunspots.csv": "4b91dd8e13bdf6a95c3034c71ceca0152269986c6a91706c6eaf50c1d50081c8",
    "classics/taxi_new_york_passengers.csv": "cac434404cfaaf7809c50e2160ebeda9f39bb383854e62914f46748dc7f7569c",
    "expsmooth/carparts.csv.gz": "f137688e503c46c0bb55dee4601fa6478ce9d45c61457945d31cdd151adfb3b3",
    "m4/Hourly-train.csv": "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
    "m4/Hourly-test.csv": "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
    "nn5/nn5.csv.gz": "796b25cbb7d2a668af473b813897026aa0078299ba466d6c2e2cfe4a7b564de0",
    "tourism_m3/m3_data.json": "8244026f84af16bbbbfeab226d6c3571882ba3a313b990c1b7985351f2e3f0fd",
    "tourism_m3/tcomp_data.json": "5f1404d70c5e3b6c1d4bc34c72c938f2a304204f76673f7c0f122934d4c919a2",
    "uci_air_quality/AirQualityUCI.csv": "5d04e790353ece1e263ad4251c6c285c076cbc55aaa0cb70e06214e1a265ec15",
    "vic_elec/vic_elec.csv.gz": "ff1ea13afc7290ab35acef8e8c49dba18c417482da07186290685f129f464cc0",
}


# Levels of the intervals whose bounds are, with the median, the nine deciles.
DECILE_LEVELS = (20, 40, 60, 80)


def forecast_column(probability: float) -> str:
    """Return the column of a forecaster's table that holds a quantile: the point forecast is the median.

    Args:
        probability: Its probability.
    """
    if probability == 0.5:
        return "seqcast"
    return f"seqcast-{'lo' if probability < 0.5 else 'hi'}-{round(100 * abs(2 * probability - 1))}"


def checked(folder: Path, name: str) -> Path:
    """Return the path of a file whose content is the published one."""
    path = folder / name
    if not path.is_file():
        raise SystemExit(f"there is no {path}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise SystemExit(f"{path} is not the file that published results were made on: its sha256 differs")
    return path


# ---------------------------------------------------------------- ETT

ETT_CONTEXT, ETT_HORIZONS = 96, (96, 192, 336, 720)
ETT_TRAIN, ETT_VALIDATION, ETT_TEST = 8640, 11520, 14400


def read_ett(folder: Path, name: str) -> pd.DataFrame:
    """Return the seven columns as series of standardised values, rows 0 to 14400.

    The mean and the deviation are those of the training rows. Later rows are used by no published comparison.
    """
    table = pd.read_csv(checked(folder, f"ETT-small/{name}.csv"), parse_dates=["date"]).iloc[:ETT_TEST]
    values = table.drop(columns="date")
    train = values.iloc[:ETT_TRAIN]
    scaled = (values - train.mean()) / train.std(ddof=0)
    return scaled.assign(ds=table["date"]).melt("ds", var_name="unique_id", value_name="y")


def ett_truth(frame: pd.DataFrame, horizon: int, *, first: int = ETT_VALIDATION, last: int = ETT_TEST) -> np.ndarray:
    """Return the truth of every window, `[windows, H, 7]`: the first begins at row `first`, the last ends at `last`."""
    wide = frame.pivot(index="ds", columns="unique_id", values="y").to_numpy()
    return np.lib.stride_tricks.sliding_window_view(wide[first:last], horizon, axis=0).transpose(0, 2, 1)


def mse_mae(forecast: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the mean squared and the mean absolute error over windows, steps and columns."""
    error = forecast - truth
    return float(np.mean(np.square(error))), float(np.mean(np.abs(error)))


def ett_proof(folder: Path, name: str) -> dict[int, tuple[float, float]]:
    """Return MSE and MAE of repeating the last 24 hours, by horizon."""
    frame = read_ett(folder, name)
    wide = frame.pivot(index="ds", columns="unique_id", values="y").to_numpy()
    scores = {}
    for horizon in ETT_HORIZONS:
        truth = ett_truth(frame, horizon)
        starts = np.arange(ETT_VALIDATION, ETT_TEST - horizon + 1)
        days = wide[starts[:, None] - 24 + np.arange(horizon) % 24]
        scores[horizon] = mse_mae(days, truth)
    return scores


# ---------------------------------------------------------------- competitions


@dataclass(frozen=True)
class Competition:
    """Series that end in a test part.

    Args:
        train: The training values of each series, by name.
        test: The values to forecast, `H` of each.
        season: Steps of a season.
        freq: Step between values, a pandas alias.
    """

    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    season: int
    freq: str

    @property
    def horizon(self) -> int:
        """Steps to forecast."""
        return len(next(iter(self.test.values())))

    def truth(self) -> np.ndarray:
        """Return the values to forecast, `[series, H]`."""
        return np.stack([self.test[name] for name in self.train])

    def scales(self) -> np.ndarray:
        """Return each series' mean absolute error of the seasonal naive forecast in training, `[series]`."""
        m = self.season
        return np.array([np.abs(values[m:] - values[:-m]).mean() for values in self.train.values()])

    def seasonal_naive(self) -> np.ndarray:
        """Repeat the last season, `[series, H]`."""
        places = np.arange(self.horizon) % self.season
        return np.stack([values[-self.season :][places] for values in self.train.values()])

    def held_back(self) -> Competition:
        """Return the series without their last horizon, which is then what is to be forecast: for validation."""
        h = self.horizon
        train = {name: values[:-h] for name, values in self.train.items()}
        return Competition(train, {name: values[-h:] for name, values in self.train.items()}, self.season, self.freq)

    def cutoffs(self, count: int) -> list[Competition]:
        """Return it as it stood at its last cutoffs, a horizon apart, the earliest first."""
        parts = [self]
        while len(parts) < count:
            parts.insert(0, parts[0].held_back())
        return parts

    def frame(self, more: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
        """Return the training values as a long frame.

        The files do not say when a series begins; all end at one stamp, which tells a forecaster the frequency alone.

        Args:
            more: Further series.
        """
        series = {**self.train, **(more or {})}
        stamps = pd.date_range(end="2020-01-01", periods=max(map(len, series.values())), freq=self.freq)
        parts = [
            pd.DataFrame({"unique_id": name, "ds": stamps[len(stamps) - len(values) :], "y": values})
            for name, values in series.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def matrix(self, forecast: pd.DataFrame, column: str) -> np.ndarray:
        """Return a column of a forecast's frame, `[series, H]`, in the order of the series."""
        wide = forecast.pivot(index="unique_id", columns="ds", values=column)
        return wide.loc[list(self.train)].to_numpy()

    def scores(self, forecast: np.ndarray) -> dict[str, float]:
        """Return sMAPE (of 200), MAPE and MASE, means over series; zeros to forecast count for no MAPE."""
        truth = self.truth()
        error = np.abs(forecast - truth)
        smape = 200.0 * error / np.maximum(np.abs(forecast) + np.abs(truth), 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            mape = np.where(truth == 0, np.nan, 100.0 * error / np.abs(truth))
        return {
            "smape": float(smape.mean()),
            "mape": float(np.nanmean(mape)),
            "mase": float((error.mean(axis=1) / self.scales()).mean()),
        }


def read_m4_hourly(folder: Path) -> Competition:
    """Return M4's hourly series."""
    train, test = (pd.read_csv(checked(folder, f"m4/Hourly-{part}.csv"), index_col=0) for part in ("train", "test"))
    known = {str(name): row.dropna().to_numpy(dtype=float) for name, row in train.iterrows()}
    return Competition(known, {name: test.loc[name].to_numpy(dtype=float) for name in known}, season=24, freq="h")


M4_NAIVE2 = {"smape": 18.383, "mase": 2.395}


def owa(scores: dict[str, float]) -> float:
    """Return M4's overall weighted average: the mean of sMAPE and MASE, each over that of Naive2."""
    return (scores["smape"] / M4_NAIVE2["smape"] + scores["mase"] / M4_NAIVE2["mase"]) / 2


def weighted_quantile_loss(quantiles: np.ndarray, probabilities: Any, truth: np.ndarray) -> float:
    """Return the mean over probabilities of twice the pinball loss over the sum of magnitudes.

    Args:
        quantiles: Forecasts, `[series, H, Qs]`.
        probabilities: Their probabilities, `[Qs]`.
        truth: What came, `[series, H]`.
    """
    error = truth[:, :, None] - quantiles
    levels = np.asarray(probabilities)
    loss = np.maximum(levels * error, (levels - 1) * error)
    return float((2 * loss.sum(axis=(0, 1)) / np.abs(truth).sum()).mean())


NN5_TEST, NN5_SEASON = 56, 7


def read_nn5(folder: Path) -> Competition:
    """Return NN5's daily withdrawals; missing values and zeros are those of the same weekday's median."""
    table = pd.read_csv(checked(folder, "nn5/nn5.csv.gz"), parse_dates=["ds"]).set_index("ds")
    weekday = table.index.dayofweek
    holes = table.isna() | (table == 0)
    filled = table.mask(holes)
    for day in range(7):
        own = weekday == day
        filled.loc[own] = filled.loc[own].fillna(filled.loc[own].median())
    values = {name: filled[name].to_numpy(dtype=float) for name in filled}
    train = {name: series[:-NN5_TEST] for name, series in values.items()}
    return Competition(train, {name: series[-NN5_TEST:] for name, series in values.items()}, NN5_SEASON, "D")


def same_weekdays(competition: Competition, weeks: int = 8) -> np.ndarray:
    """Return the mean of the last so many same weekdays, `[series, H]`."""
    season = competition.season
    places = np.arange(competition.horizon) % season
    means = [values[-season * weeks :].reshape(weeks, season).mean(axis=0) for values in competition.train.values()]
    return np.stack(means)[:, places]


TOURISM_SEASONS = {"MONTHLY": (12, "MS"), "QUARTERLY": (4, "QS"), "YEARLY": (1, "YS")}


def read_tourism(folder: Path, period: str = "MONTHLY") -> Competition:
    """Return the tourism competition's series of a period."""
    found = json.loads(checked(folder, "tourism_m3/tcomp_data.json").read_text())
    own = {name: series for name, series in found.items() if series["period"][0] == period}
    train = {name: np.array(series["x"], dtype=float) for name, series in own.items()}
    test = {name: np.array(series["xx"], dtype=float) for name, series in own.items()}
    return Competition(train, test, *TOURISM_SEASONS[period])


# ---------------------------------------------------------------- single series that everybody knows

SHIPPED = Path(__file__).resolve().parents[2] / "src" / "seqcast" / "data" / "samples"
# The file of each, in the folder of the public data sets unless it comes with the package, and its column; horizon,
# season and step.
CLASSICS: dict[str, tuple[str, str, int, int, str]] = {
    "air_passengers": ("classics/AirPassengers.csv", "#Passengers", 12, 12, "MS"),
    "ausbeer": ("classics/ausbeer.csv", "Y", 8, 4, "QS"),
    "elnino": ("elnino.csv", "y", 12, 12, "MS"),
    "co2": ("co2.csv", "y", 52, 52, "W-SAT"),
    "lynx": ("lynx.csv", "y", 8, 1, "YS"),
    "sunspots": ("sunspots.csv", "y", 10, 1, "YS"),
    "sunspots_monthly": ("classics/monthly-sunspots.csv", "Sunspots", 12, 12, "MS"),
}


def read_classic(folder: Path, name: str) -> Competition:
    """Return one of `CLASSICS`, whose last horizon is to be forecast.

    Args:
        folder: Folder of the public data sets.
        name: Its name.
    """
    file, column, horizon, season, freq = CLASSICS[name]
    path = SHIPPED / file if "/" not in file else checked(folder, file)
    values = pd.read_csv(path)[column].to_numpy(dtype=float)
    return Competition({name: values[:-horizon]}, {name: values[-horizon:]}, season, freq)
