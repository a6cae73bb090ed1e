"""Tasks of public comparisons: how their series are cut, how forecasts are scored, and naive forecasts that prove it.

    python benchmarks/accuracy/zero_shot_tasks.py --data FOLDER  # the seasonal naive forecast, and published

Tasks of the Chronos zero-shot benchmark have one window a series, its last steps. MASE takes the seasonal error of all
that comes before, at the protocol's season length; WQL is summed over a task at the nine deciles; missing values are
left out. Those of fev-bench have twenty windows, a horizon apart. Their second score is SQL: twice the pinball loss
over the seasonal error, the mean over deciles, series, steps and windows. fev-bench cuts some a little otherwise: the
seasonal naive forecast of ETT_1D differs by .8 %, that of air quality by .3 %. Nobody publishes scores of demand
(`vic_elec`). The competitions (`COMPETITIONS`) have names of series, and scores in per cent. Source of the protocols
and of published scores: github autogluon/fev, src/fev/metrics.py, benchmarks/chronos_zeroshot, benchmarks/fev_bench.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import NormalDist

sys.path.append(str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

import public_data as data
from harness import options, parse, table

DECILES = np.arange(1, 10) / 10
# Levels of the intervals whose bounds are, with the median, the nine deciles.
DECILE_LEVELS = (20, 40, 60, 80)
# The known values from which fev-bench's seasonal naive forecast has the width of its intervals.
NAIVE_CONTEXT = 1000


def forecast_column(probability):
    """Return the column of a forecaster's table that holds a quantile: the point forecast is the median.

    Args:
        probability: Its probability.
    """
    if probability == 0.5:
        return "seqcast"
    return f"seqcast-{'lo' if probability < 0.5 else 'hi'}-{round(100 * abs(2 * probability - 1))}"


@dataclass(frozen=True)
class Task:
    """A task, or one window of a task.

    Args:
        name: Its name.
        series: All values of each series; the last `horizon` are to be forecast. NaN is missing.
        horizon: Steps to forecast, `H`.
        protocol_season: Season length of the MASE.
        season: Season length that a forecaster receives.
        freq: Step between values, a pandas alias.
        later: Steps by which the known values go on beyond those of the task's first window.
        spread: Whether the seasonal naive forecast has intervals, as that of fev-bench has.
        names: Name of each series; none for numbers.
    """

    name: str
    series: list[np.ndarray]
    horizon: int
    protocol_season: int
    season: int
    freq: str
    later: int = 0
    spread: bool = False
    names: tuple[str, ...] = ()

    @property
    def past(self):
        """The known values of each series."""
        return [values[: -self.horizon] for values in self.series]

    @property
    def truth(self):
        """The values to forecast, `[series, H]`."""
        return np.stack([values[-self.horizon :] for values in self.series])

    @property
    def ids(self):
        """Name of each series."""
        return list(self.names) or [f"{place:04d}" for place in range(len(self.series))]

    def known(self, length):
        """Return the last known values of each series, `[series, length]`, NaN before its first."""
        past = np.full((len(self.series), length), np.nan)
        for row, values in enumerate(self.past):
            tail = values[-length:]
            past[row, length - len(tail) :] = tail
        return past

    def held_back(self, windows=1):
        """Return the task without its last horizons: the one before these is to be forecast, for validation."""
        return replace(
            self, series=[values[: len(values) - windows * self.horizon] for values in self.series]
        )

    def windows(self, count):
        """Return its last windows, a horizon apart, the earliest first."""
        backwards = range(count - 1, -1, -1)
        return [
            replace(self.held_back(back), later=(count - 1 - back) * self.horizon)
            for back in backwards
        ]

    def frame(self):
        """Return the known values as a long frame; those of a task's first window all end at one stamp."""
        longest = max(map(len, self.past))
        first = pd.date_range(end="2020-01-01", periods=longest - self.later, freq=self.freq)[0]
        stamps = pd.date_range(first, periods=longest, freq=self.freq)
        parts = [
            pd.DataFrame({"unique_id": name, "ds": stamps[longest - len(values) :], "y": values})
            for name, values in zip(self.ids, self.past, strict=True)
        ]
        return pd.concat(parts, ignore_index=True)

    def matrix(self, forecast, column):
        """Return a column of a forecast's frame, `[series, H]`, in the order of the series."""
        wide = forecast.pivot(index="unique_id", columns="ds", values=column)
        return wide.loc[self.ids].to_numpy(dtype=float)

    def deciles(self, forecast):
        """Return the nine deciles of a forecast, `[series, H, 9]`."""
        return np.stack([self.matrix(forecast, forecast_column(each)) for each in DECILES], axis=2)

    def seasonal_naive(self):
        """Return the last season of the protocol, repeated, `[series, H]`."""
        season = self.protocol_season
        places = np.arange(self.horizon) % season
        return np.stack([_filled(values)[-season:][places] for values in self.past])

    def naive_deciles(self):
        """Return the deciles of the seasonal naive forecast, `[series, H, 9]`; without `spread` they are all the same.

        With it they are those of a normal distribution, whose deviation is that of the latest
        seasonal differences times the root of the number of seasons ahead.
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

    def scores(self, quantiles):
        """Return MASE and WQL.

        Args:
            quantiles: The nine deciles, `[series, H, 9]`.
        """
        truth = self.truth
        losses = np.nansum(self._losses(quantiles), axis=(0, 1)) / np.nansum(np.abs(truth))
        return self._scaled_mean(np.abs(truth - quantiles[:, :, 4])), float(losses.mean())

    def scaled_quantile_loss(self, quantiles):
        """Return SQL.

        Args:
            quantiles: The nine deciles, `[series, H, 9]`.
        """
        return self._scaled_mean(self._losses(quantiles).mean(axis=2))

    def point_scores(self, point):
        """Return sMAPE (of 200), MAPE and MASE of a point forecast; zeros to forecast count for no MAPE.

        Args:
            point: The forecast, `[series, H]`.
        """
        truth = self.truth
        error = np.abs(point - self.truth)
        smape = 200.0 * error / np.maximum(np.abs(point) + np.abs(truth), 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            mape = np.where(truth == 0, np.nan, 100.0 * error / np.abs(truth))
        return {
            "smape": float(smape.mean()),
            "mape": float(np.nanmean(mape)),
            "mase": self._scaled_mean(error),
        }

    def _losses(self, quantiles):
        """Return twice the pinball losses, `[series, H, 9]`."""
        difference = self.truth[:, :, None] - quantiles
        return 2 * np.maximum(DECILES * difference, (DECILES - 1) * difference)

    def _scaled_mean(self, errors):
        """Return the mean of errors `[series, H]` over the seasonal errors; series without one do not count."""
        season = self.protocol_season
        scales = np.array(
            [np.nanmean(np.abs(values[season:] - values[:-season])) for values in self.past]
        )
        known = np.isfinite(scales) & (scales > 0)
        return float(np.nanmean(errors[known] / scales[known, None]))


def _filled(values):
    return pd.Series(values).ffill().bfill().to_numpy()


def _hours(folder):
    return data.read_ett_columns(folder, "ETT-small/ETTh{}.csv")


def _quarters(folder):
    return data.read_ett_columns(folder, "ETT-small/ETTm{}.csv.gz")


def _days(folder):
    """Return the means of whole days."""
    return [
        values[: len(values) // 96 * 96].reshape(-1, 96).mean(axis=1)
        for values in _quarters(folder)
    ]


def _air(folder):
    rows = pd.read_csv(data.checked(folder, "uci_air_quality/AirQualityUCI.csv"))
    return [
        *data.columns(rows[["CO_GT", "C6H6_GT", "NOx_GT", "NO2_GT"]].replace(-200, np.nan)).values()
    ]


def _competition(name, period):
    return lambda folder: [*data.read_competition(folder, name, period).values()]


def _table(file, *chosen):
    return lambda folder: [
        *data.columns(pd.read_csv(data.checked(folder, file))[list(chosen)]).values()
    ]


def _car_parts(folder):
    return [
        *data.columns(
            pd.read_csv(data.checked(folder, "expsmooth/carparts.csv.gz"), header=None).fillna(0)
        ).values()
    ]


# The passengers of New York's taxis, half-hours.
taxi = _table("classics/taxi_new_york_passengers.csv", "#Passengers")
_demand = _table("vic_elec/vic_elec.csv.gz", "Demand")


@dataclass(frozen=True)
class Protocol:
    """How a task is cut.

    Args:
        read: Reads its series.
        horizon: Steps to forecast.
        protocol_season: Season length of the MASE, and of the seasonal naive forecast.
        season: Season length that a forecaster receives.
        freq: Step between values, a pandas alias.
        naive: Published scores of the seasonal naive forecast; NaN where there is none.
        windows: Number of windows at the end of each series, a horizon apart.
    """

    read: Callable[[Path], list[np.ndarray]]
    horizon: int
    protocol_season: int
    season: int
    freq: str
    naive: tuple[float, float] = (np.nan, np.nan)
    windows: int = 1


# The seven of the Chronos benchmark; scores are MASE and WQL.
TASKS = {
    "ETTh": Protocol(_hours, 24, 24, 24, "h", (0.932, 0.1221)),
    "nn5": Protocol(
        lambda folder: [*data.columns(data.read_nn5(folder)).values()],
        56,
        1,
        7,
        "D",
        (1.292, 0.4246),
    ),
    "tourism_monthly": Protocol(
        _competition("tcomp", "MONTHLY"), 24, 12, 12, "MS", (1.631, 0.1042)
    ),
    "tourism_quarterly": Protocol(
        _competition("tcomp", "QUARTERLY"), 8, 4, 4, "QS", (1.699, 0.1194)
    ),
    "m3_monthly": Protocol(_competition("m3", "MONTHLY"), 18, 12, 12, "MS", (1.146, 0.1485)),
    "m3_quarterly": Protocol(_competition("m3", "QUARTERLY"), 8, 4, 4, "QS", (1.425, 0.1013)),
    "m3_yearly": Protocol(_competition("m3", "YEARLY"), 6, 1, 1, "YS", (3.172, 0.1665)),
}
# Those of fev-bench; MASE and SQL.
ROLLING_WINDOWS = 20
ROLLING = {
    "ETT_1H": Protocol(_hours, 168, 24, 24, "h", (1.323, 1.2069), ROLLING_WINDOWS),
    "ETT_15T": Protocol(_quarters, 96, 96, 96, "15min", (0.9169, np.nan), ROLLING_WINDOWS),
    "ETT_1D": Protocol(_days, 28, 7, 7, "D", (1.4915, np.nan), ROLLING_WINDOWS),
    "uci_air_quality_1H": Protocol(_air, 168, 24, 24, "h", (1.4425, np.nan), ROLLING_WINDOWS),
}
# Further ones; MASE and WQL. Of demand the naive forecast is the last day, and the last week.
FURTHER = {
    "M4 Hourly": Protocol(
        lambda folder: [*data.read_m4_hourly(folder).values()], 48, 24, 24, "h", (1.193, np.nan)
    ),
    "car parts": Protocol(_car_parts, 12, 12, 12, "MS", (np.nan, 1.6)),
    "vic_elec": Protocol(_demand, 336, 48, 48, "30min", windows=8),
    "vic_elec, weeks": Protocol(_demand, 336, 336, 48, "30min", windows=8),
}
PROTOCOLS = {**TASKS, **ROLLING, **FURTHER}
# Competitions, whose series have names: what reads them, horizon, season and step.
COMPETITIONS = {
    "m4_hourly": (data.read_m4_hourly, 48, 24, "h"),
    "nn5": (lambda folder: data.columns(data.read_nn5(folder, filled=True)), 56, 7, "D"),
    "tourism": (partial(data.read_competition, name="tcomp", period="MONTHLY"), 24, 12, "MS"),
    "m3_quarterly": (partial(data.read_competition, name="m3", period="QUARTERLY"), 8, 4, "QS"),
}


def read_task(folder, name):
    """Return a task.

    Args:
        folder: Folder of the public data sets.
        name: One of `PROTOCOLS`.
    """
    cut = PROTOCOLS[name]
    spread = name in ROLLING
    return Task(
        name,
        cut.read(folder),
        cut.horizon,
        cut.protocol_season,
        cut.season,
        cut.freq,
        spread=spread,
    )


def read_named(folder, name):
    """Return the task of a competition or of a single series.

    Args:
        folder: Folder of the public data sets.
        name: One of `COMPETITIONS` or of `CLASSICS`.
    """
    if name in data.CLASSICS:
        found = {name: data.read_classic(folder, name)}
        (_, _, horizon, season, freq) = data.CLASSICS[name]
    else:
        read, horizon, season, freq = COMPETITIONS[name]
        found = dict(read(folder))
    return Task(name, [*found.values()], horizon, season, season, freq, names=tuple(found))


def read_windows(folder, name, *, held_back=False):
    """Return the windows of a task, the earliest first.

    Args:
        folder: Folder of the public data sets.
        name: One of `PROTOCOLS`.
        held_back: Whether all of them are left out, and those before them taken.
    """
    count = PROTOCOLS[name].windows
    task = read_task(folder, name)
    return (task.held_back(count) if held_back else task).windows(count)


def geometric_means(scores, naive):
    """Return the geometric means over tasks of each score over that of the seasonal naive forecast."""
    ratios = np.array([np.divide(scores[name], naive[name]) for name in scores])
    return tuple(np.exp(np.log(ratios).mean(axis=0)).tolist())


def mean_scores(windows, deciles):
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


def naive_scores(windows):
    """Return the same of the seasonal naive forecast."""
    return mean_scores(windows, [window.naive_deciles() for window in windows])


def shown_scores(name, scores):
    """Return the two scores by which a task is published."""
    return scores["mase"], scores["sql" if name in ROLLING else "wql"]


def score_cell(score, form):
    """Return a score in a form of `str.format`; nothing where there is none."""
    return "" if np.isnan(score) else form.format(score)


def main():
    """Score the seasonal naive forecast."""
    folder = parse(options(__doc__, data=True)).data
    rows = []
    for name, cut in PROTOCOLS.items():
        windows = read_windows(folder, name)
        pairs = zip(
            shown_scores(name, naive_scores(windows)), cut.naive, ("{:.3f}", "{:.4f}"), strict=True
        )
        cells = [
            cell
            for found, published, form in pairs
            for cell in (form.format(found), score_cell(published, form))
        ]
        rows.append([name, len(windows[0].series), len(windows), *cells])
    print(
        table(["task", "series", "windows", "MASE", "published", "WQL or SQL", "published"], rows)
    )


if __name__ == "__main__":
    main()
