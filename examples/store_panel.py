"""Daily sales of forty stores: what static covariates and plans known ahead are worth.

The stores are made up here, from a seed. Their kind and size are known (static), promotions and
prices are planned (future), visitors are counted up to today (past). On some days a store was
closed: there is no row. Some sales were not recorded: there is no value. One network is trained for
all stores, a second one on sales alone; both forecast the last sixteen weeks, four at a time, and
the first the four weeks to come.

    python examples/store_panel.py            # a few minutes; pictures in runs/examples/
    python examples/store_panel.py --quick    # few stores, hardly any training: proves the path
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from seqcast import Forecaster
from seqcast.evaluation import count_steps, join_forecasts, leaderboard
from seqcast.plots import (
    calibration_curve,
    forecast_fans,
    save_figure,
    score_by_series,
    score_by_step,
)

HORIZON, WINDOWS = 28, 4
COVARIATES = {
    "static_covariates": ("kind", "size"),
    "past_covariates": ("visitors",),
    "future_covariates": ("promotion", "price"),
}
# Sales a visitor, what a promotion adds, how much a higher price costs, and the week from Monday
# on.
KINDS = {
    "centre": (0.4, 0.2, 0.8, (1.2, 1.2, 1.2, 1.2, 1.3, 0.8, 0.3)),
    "mall": (0.6, 0.8, 2.0, (0.7, 0.7, 0.8, 0.9, 1.2, 1.7, 1.0)),
    "suburb": (0.9, 0.4, 1.4, (1.0, 0.9, 0.9, 1.0, 1.2, 1.3, 0.7)),
}


def make_panel(stores: int, days: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stores' past, and the plan of the days after it."""
    generator = np.random.default_rng(seed)
    stamps = pd.date_range("2022-01-01", periods=days + HORIZON, name="ds")
    weeks, parts = len(stamps) // 7 + 1, []
    for number in range(stores):
        kind = list(KINDS)[number % len(KINDS)]
        bought, uplift, elasticity, week = KINDS[kind]
        size = generator.uniform(300, 3000)
        promotion = np.repeat(generator.random(weeks) < 0.2, 7)[: len(stamps)]
        price = np.repeat(generator.choice([0.9, 1.0, 1.1], weeks), 7)[: len(stamps)]
        year = 0.2 * np.sin(2 * np.pi * stamps.dayofyear / 365.25)
        fashion = lfilter(
            [0.05], [1, -0.97], generator.normal(size=len(stamps))
        )  # comes and goes within a month
        visitors = size * np.array(week)[stamps.day_of_week] * np.exp(year + fashion)
        sales = visitors * bought * (1 + uplift * promotion) * price**-elasticity
        part = {
            "unique_id": f"store {number + 1:02d}, {kind}",
            "ds": stamps,
            "kind": kind,
            "size": size,
        }
        part |= {"promotion": promotion, "price": price, "visitors": visitors.round()}
        parts.append(
            pd.DataFrame({**part, "y": sales * generator.lognormal(sigma=0.1, size=len(stamps))})
        )
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[generator.random(len(frame)) < 0.01, "y"] = np.nan
    ahead = frame["ds"] >= stamps[days]
    closed = (generator.random(len(frame)) < 0.01) & (frame["ds"] < stamps[days - 1])
    return frame[~ahead & ~closed], frame.loc[ahead, ["unique_id", "ds", "promotion", "price"]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/store_panel"), help="folder of the pictures"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few stores, hardly any training: proves the path"
    )
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)

    frame, plan = make_panel(10, 500) if options.quick else make_panel(40, 3 * 365)
    known = frame[frame["ds"] <= frame["ds"].max() - pd.Timedelta(days=HORIZON * WINDOWS)]
    training = {"epochs": 1, "steps_per_epoch": 2} if options.quick else None
    models, backtests = {}, []
    for alias, covariates in (("with_covariates", COVARIATES), ("without_covariates", {})):
        model = Forecaster(
            HORIZON, alias=alias, training=training, calibrate=True, random_state=0, **covariates
        )
        models[alias] = model.fit(known)
        backtests.append(model.backtest(frame, n_windows=WINDOWS, refit="never"))
    backtest = count_steps(join_forecasts(*backtests, models=["without_covariates"]), "D")
    print(
        leaderboard(backtest, ["mae", "scaled_crps", "coverage"])
        .round(3)
        .to_string(index=False, na_rep="")
    )

    forecast = models["with_covariates"].predict(df=frame, future=plan)
    unit = "pieces a day"
    save_figure(
        forecast_fans(frame, forecast, max_series=6, ylabel=f"sales [{unit}]"),
        options.out / "forecast.png",
    )
    save_figure(score_by_step(backtest, unit=unit), options.out / "error_by_step.png")
    save_figure(score_by_series(backtest, unit=unit), options.out / "error_by_store.png")
    save_figure(calibration_curve(backtest), options.out / "calibration.png")


if __name__ == "__main__":
    main()
