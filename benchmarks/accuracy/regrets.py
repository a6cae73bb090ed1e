"""How far the default falls behind the best of its own candidates, on windows before the test parts.

    python benchmarks/accuracy/regrets.py FOLDER                    # the fits take an hour and a half of one core
    python benchmarks/accuracy/regrets.py FOLDER --tasks nn5_weeks --cuts 0 1
    python benchmarks/accuracy/regrets.py FOLDER --fitted           # what has been fitted so far

Each yardstick is cut before its test part, several times, and fitted once at each cut. The candidates of the fit
forecast its hold-out windows and the windows after the cut, which are in a file for each fit. From these the table
works out what the shares of `choose` forecast, and what the best candidate on the hold-out windows does, in seconds.

The score is the mean quantile loss at the nine deciles, in units of each series' naive error (half of SQL). The regret
is this score over that of the best candidate on the same windows, less 1. It is below zero where shares are better than
each candidate. The optimism of what has learned from the rows is how much better than the pretrained network it is on
the hold-out windows, over how much better it is after the cut, less 1.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from methods import weights_key
from zero_shot_tasks import DECILE_LEVELS, PROTOCOLS, ROLLING_WINDOWS, read_task

from harness import kept, kept_path, machine, options, parse, table
from public_data import checked, read_competition, read_nn5, read_vic_elec
from seqcast import Forecaster
from seqcast.data import naive_errors
from seqcast.engine.training_jobs import Outcome
from seqcast.forecaster.backtest import Backtest
from seqcast.forecaster.choice import Choice, choose, pinball
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.hold_out import count_cutoffs
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import make_plan
from seqcast.forecaster.reading import read_rows
from seqcast.intervals import ForecastRequest

WEATHER = ("T", "RH", "AH")
# Columns of the table, and the number of windows from which a yardstick has many.
SHOWN = ("default", "best on hold-out", "pretrained", "finetuned", "trained")
MANY = 200
PROBABILITIES = ForecastRequest(level=DECILE_LEVELS).probabilities_with_point
Frame = Callable[[Path], pd.DataFrame]


@dataclass(frozen=True)
class Yardstick:
    """Rows before a test part, and how they are cut.

    Args:
        read: Reads the rows, a long frame.
        horizon: Steps to forecast.
        season: Season length that the forecaster receives; `None` for none.
        unit: Season of the naive error.
        cuts: Number of fits.
        every: Rows between two fits.
        windows: Windows after each fit, a horizon apart.
        known: Covariates that are known for the future.
    """

    read: Frame
    horizon: int
    season: int | None
    unit: int
    cuts: int = 3
    every: int = 0
    windows: int = 1
    known: tuple[str, ...] = ()

    def frame(self, folder, cut):
        """Return the rows up to the last window of a cut, counted backwards."""
        frame = self.read(folder)
        return (
            frame.groupby("unique_id").head(-back)
            if (back := cut * (self.every or self.horizon))
            else frame
        )


def _of(name, series=None, last=None, windows=1, **how):
    """Return the yardstick of a task before its test part: some of its series, drawn, and their last values."""
    cut = PROTOCOLS[name]

    def read(folder):
        task = read_task(folder, name)
        before = task.held_back(cut.windows)
        values = [one[-last:] if last else one for one in before.series]
        chosen = np.random.default_rng(0).permutation(len(values))[: series or len(values)]
        # Fewest values: a season to learn the naive error from, two horizons to train and to
        # validate, the windows.
        least = min(
            before.protocol_season + 4 + before.horizon * (windows + 2), 0.9 * max(map(len, values))
        )
        own = [
            values[place] for place in np.sort(chosen) if np.isfinite(values[place]).sum() > least
        ]
        # A frame has the known values: all here, so another horizon is laid after them.
        return replace(
            before, series=[np.append(one, np.full(before.horizon, np.nan)) for one in own]
        ).frame()

    return Yardstick(read, cut.horizon, cut.season, cut.protocol_season, windows=windows, **how)


def _numbered(frame):
    """Return a frame whose stamps are whole numbers from 1 on in each series, as of series without dates."""
    return frame.assign(ds=frame.groupby("unique_id").cumcount() + 1)


def _other(folder):
    """Return the series of M3 that are neither of months nor of quarters nor of years, before their test parts."""
    found = read_competition(folder, "m3", "OTHER")
    parts = [
        pd.DataFrame({"unique_id": name, "ds": 1, "y": values[:-8]})
        for name, values in sorted(found.items())
    ]
    return _numbered(pd.concat(parts, ignore_index=True))


def _without_dates(yardstick):
    """Return a yardstick without dates and without a season."""
    return replace(yardstick, read=lambda folder: _numbered(yardstick.read(folder)), season=None)


def _stepped(values, ends=None):
    """Return columns `[rows, series]` as a long frame with whole numbers as stamps."""
    rows, count = values.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"{place:03d}" for place in range(count)], rows),
            "ds": np.tile(np.arange(1, rows + 1), count),
            "y": values.T.ravel(),
        }
    )
    return frame if ends is None else frame[frame["ds"] <= np.repeat(ends, rows)]


def _weeks(folder, ragged=0):
    """Return sums of NN5 by weeks before the test part; up to `ragged` weeks of each series are unknown."""
    days = read_nn5(folder, filled=True).iloc[:735].to_numpy()
    weeks = days.reshape(-1, 7, days.shape[1]).sum(axis=1)
    ends = len(weeks) - np.random.default_rng(0).integers(0, ragged + 1, weeks.shape[1])
    return _stepped(weeks, ends)


def _walks(folder, *, prices=False):
    """Return random walks; prices are exponentials of walks whose variance changes."""
    del folder
    rng = np.random.default_rng(41)
    size = (1200, 24)
    steps = rng.normal(size=size)
    if prices:
        volatility = np.exp(0.5 * np.cumsum(rng.normal(size=size) * 0.1, axis=0))
        return _stepped(np.exp(4 + 0.01 * np.cumsum(steps * volatility, axis=0)))
    return _stepped(100 + np.cumsum(steps, axis=0))


def _bitcoin(folder, columns=("Close",)):
    rows = pd.read_csv(checked(folder, "bitcoin/bitcoin_price.csv")).iloc[::-1]
    return _stepped(rows[list(columns)].to_numpy(dtype=float)[:-14])


def _air(folder):
    rows = pd.read_csv(checked(folder, "uci_air_quality/AirQualityUCI.csv")).replace(-200, np.nan)
    weather = rows[list(WEATHER)].interpolate(limit_direction="both")
    stamps = pd.date_range("2004-03-10 18:00", periods=len(rows), freq="h")
    parts = [
        weather.assign(unique_id=name, ds=stamps, y=rows[name])
        for name in ("CO_GT", "C6H6_GT", "NOx_GT", "NO2_GT")
    ]
    return pd.concat([part.iloc[: -ROLLING_WINDOWS * 168] for part in parts], ignore_index=True)


def _demand(folder):
    rows = read_vic_elec(folder).iloc[-8 * 336 - 48 * 150 : -8 * 336]
    return rows.assign(ds=rows["ds"].dt.tz_convert("UTC").dt.tz_localize(None)).drop(
        columns="holiday"
    )


YARDSTICKS = {
    "nn5_weeks": Yardstick(_weeks, 8, None, 1),
    "nn5_weeks_ragged": Yardstick(functools.partial(_weeks, ragged=26), 8, None, 1),
    "walks": Yardstick(_walks, 20, None, 1, every=100, windows=3),
    "prices": Yardstick(functools.partial(_walks, prices=True), 20, None, 1, every=100, windows=3),
    "bitcoin": Yardstick(_bitcoin, 14, None, 1, cuts=6, every=112, windows=8),
    "bitcoin_four": Yardstick(
        functools.partial(_bitcoin, columns=("Open", "High", "Low", "Close")),
        14,
        None,
        1,
        cuts=4,
        every=112,
        windows=8,
    ),
    "m3_yearly": _of("m3_yearly", every=2),
    "m3_quarterly": _of("m3_quarterly", 300),
    "tourism_quarterly": _of("tourism_quarterly", 250),
    "car_parts": replace(
        _of("car parts", 600, every=3), horizon=6
    ),  # with 12 there are no hold-out windows
    "uci_air_quality": Yardstick(_air, 168, 24, 24, windows=6, known=WEATHER),
    "uci_no_covariates": Yardstick(
        lambda folder: _air(folder).drop(columns=list(WEATHER)), 168, 24, 24, windows=6
    ),
    "nn5": _of("nn5"),
    "tourism_monthly": _of("tourism_monthly", 150),
    "m3_monthly": _of("m3_monthly", 250),
    "m4_hourly": _of("M4 Hourly", 60, windows=2),
    "vic_elec": Yardstick(_demand, 96, 48, 48, every=336, windows=4, known=("temperature",)),
    "m3_monthly_undated": _without_dates(_of("m3_monthly", 250)),
    "m3_other": Yardstick(_other, 8, None, 1),
    "m4_hourly_undated": _without_dates(_of("M4 Hourly", 60, windows=2)),
    "ett_1h": _of("ETT_1H", last=4000, windows=4),
}


def fitted_candidates(yardstick, df, seed):
    """Fit; return the plan, and all versions of each candidate by name."""
    model = Forecaster(
        yardstick.horizon,
        season_length=yardstick.season,
        future_covariates=list(yardstick.known),
        level=DECILE_LEVELS,
        verbose=0,
    )
    how = FitOptions.resolve(model, seed)
    plan = make_plan(read_rows(how.rows, df), how)
    outcomes = {}
    for place, job in plan.by_place.items():
        engine = job.engine()
        outcomes[place] = Outcome(engine, job.train(engine), job)
    found = []
    for place, candidate in enumerate(plan.candidates):
        own = {number: outcome for (owner, number), outcome in outcomes.items() if owner == place}
        found += candidate.fitted(plan.rows, own)
    return plan, {fitted.name: fitted for fitted in found}


def measured(yardstick, folder, cut, seed):
    """Return truths and forecasts of hold-out windows, as the default compares them, and of windows after the cut."""
    df = yardstick.frame(folder, cut)
    known = df.groupby("unique_id").head(-yardstick.windows * yardstick.horizon)
    plan, candidates = fitted_candidates(yardstick, known, seed)
    hold_out = plan.hold_out
    rows = plan.rows
    alone = {
        name: FittedForecaster(
            series=rows.series,
            season_length=rows.season_length,
            seed=seed,
            choice=Choice({name: 1.0}),
            candidates=(candidate,),
            reading=rows.options.reading,
            forecasting=rows.options.forecasting,
        )
        for name, candidate in candidates.items()
    }
    frame = read_rows(rows.options.reading, df, rows.series)
    backtest = Backtest.of(
        frame, yardstick.horizon, n_windows=yardstick.windows, align="series", complete=False
    )
    checked_rows = rows.series.checked(frame)
    origins = rows.series.scaled_at_cutoffs(checked_rows, backtest.known, backtest.origins[0])
    reader = rows.series.reader(checked_rows, origins)
    units = naive_errors(reader.targets, rows.lengths, yardstick.unit)[origins.series]
    truth = origins.scalers(reader).inverse(origins.truth(reader))
    arrays = {"hold_out truth": hold_out.truth, "truth": truth / units[:, None]}
    for name, candidate in candidates.items():
        arrays[f"hold_out {name}"] = hold_out.forecast(candidate)
        forecast = alone[name].blend.forecast(reader, origins, hold_out.request)
        arrays[name] = forecast / units[:, None, :, None]
    return arrays, count_cutoffs(hold_out.origins, rows.lengths)


def fit(folder, results, name, cut, seed):
    """Return the arrays of a fit, and its number of cutoffs, from their files, or fit."""
    how = {"weights": weights_key()}
    path = kept_path(results, f"{name} {cut}", seed, how).with_suffix(".npz")

    def measure():
        arrays, cutoffs = measured(YARDSTICKS[name], folder, cut, seed)
        results.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, **{key: values.astype(np.float32) for key, values in arrays.items()}
        )
        return {
            "cutoffs": cutoffs,
            "candidates": [key for key in arrays if f"hold_out {key}" in arrays][1:],
        }

    record = kept(results, f"{name} {cut}", seed, how, measure)
    return dict(np.load(path)), record


def loss(truth, forecast):
    """Return the mean quantile loss of forecasts."""
    known = ~np.isnan(truth)
    return float(pinball(truth[known], forecast[known], PROBABILITIES).mean())


def judged(arrays, record):
    """Return the number of windows, the regret of each way of choosing, and the logarithm of each optimism."""
    names = record["candidates"]
    forecasts = {name: arrays[f"hold_out {name}"] for name in names}
    chosen = choose(arrays["hold_out truth"], forecasts, PROBABILITIES, cutoffs=record["cutoffs"])
    scores = {name: loss(arrays["truth"], arrays[name]) for name in names}
    blend = sum(share * arrays[name] for name, share in chosen.shares.items())
    least = min(scores.values())
    single = scores[min(names, key=chosen.losses.get)]
    return {
        "windows": len(arrays["truth"]),
        "default": loss(arrays["truth"], blend) / least - 1,
        "best on hold-out": single / least - 1,
        **{name: score / least - 1 for name, score in scores.items()},
        "optimism": {
            name: np.log(score / chosen.losses[name])
            - np.log(scores["pretrained"] / chosen.losses["pretrained"])
            for name, score in scores.items()
        },
    }


def rows_of(found):
    """Return the rows of the table of regrets: means over the fits of a yardstick, and means over yardsticks."""
    rows = []
    means = []
    for name, fits in found.items():
        windows = sum(each["windows"] for each in fits)
        values = [
            np.mean([each[key] for each in fits]) if key in fits[0] else np.nan for key in SHOWN
        ]
        means.append((windows, values))
        rows.append([name, len(fits), windows, *map(percent, values)])
    for label, least in (("mean", 0), (f"mean of those with {MANY}", MANY)):
        many = np.array([values for windows, values in means if windows >= least])
        rows.append(
            [label, "", "", *map(percent, np.nanmean(many, axis=0))] if len(many) else [label]
        )
    return rows


def percent(value):
    """Return a fraction in per cent, nothing for none."""
    return "" if np.isnan(value) else f"{100 * value:.1f}"


def main():
    """Fit what has not been fitted yet, and print the tables."""
    parser = options(__doc__, "accuracy/regrets", data=True, seeds=1)
    parser.add_argument("--tasks", nargs="+", choices=YARDSTICKS, default=list(YARDSTICKS))
    parser.add_argument(
        "--cuts", nargs="+", type=int, help="which fits, counted backwards (default all)"
    )
    parser.add_argument("--fitted", action="store_true", help="show what has been fitted")
    arguments = parse(parser)
    found = {}
    for name in arguments.tasks:
        for cut in arguments.cuts or range(YARDSTICKS[name].cuts):
            for seed in range(arguments.seeds):
                path = kept_path(
                    arguments.results, f"{name} {cut}", seed, {"weights": weights_key()}
                )
                if path.exists() or not arguments.fitted:
                    found.setdefault(name, []).append(
                        judged(*fit(arguments.data, arguments.results, name, cut, seed))
                    )
    print("Regrets in per cent\n")
    print(table(["yardstick", "fits", "windows", *SHOWN], rows_of(found)))
    for name in ("finetuned", "trained"):
        each = [
            one["optimism"][name]
            for fits in found.values()
            for one in fits
            if name in one["optimism"]
        ]
        quartiles = " / ".join(map(percent, np.exp(np.quantile(each, (0.25, 0.5, 0.75))) - 1))
        print(f"optimism of {name} in per cent, quartiles over {len(each)} fits: {quartiles}")
    print(machine())


if __name__ == "__main__":
    main()
