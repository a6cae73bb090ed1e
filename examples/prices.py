"""Daily prices with two targets: the lowest and the highest price of a day, forecast together.

Bitcoin in US dollars, 2013 to 2018. Prices grew a hundredfold, so the network reads their
logarithms (`scale="log1p"`). Forecasts of several targets come out long, with a column `target`.
Prices are close to a random walk: a good forecast is little better than the last value, and what is
to be had is the interval.

    python examples/prices.py --data FOLDER            # about a minute; pictures in runs/examples/
    python examples/prices.py --data FOLDER --quick    # hardly any training: proves the path

FOLDER holds bitcoin/bitcoin_price.csv, daily prices as CoinMarketCap lists them, the newest row
first: Date (20-Feb-18), Open, High, Low, Close and others.
"""

import argparse
from pathlib import Path

import pandas as pd

from seqcast import Columns, Forecaster
from seqcast.evaluation import evaluate, leaderboard
from seqcast.plots import (
    calibration_curve,
    forecast_fans,
    forecast_frame,
    save_figure,
    score_by_step,
)

FILE = "bitcoin/bitcoin_price.csv"
HORIZON = 14
COLUMNS = Columns(y=("low", "high"))
UNIT = "US dollars"


def read(path: Path) -> pd.DataFrame:
    """Return the prices, the oldest first, with one column a target."""
    table = pd.read_csv(path)
    stamps = pd.to_datetime(table["Date"], format="%d-%b-%y")
    frame = pd.DataFrame(
        {"unique_id": "bitcoin", "ds": stamps, "low": table["Low"], "high": table["High"]}
    )
    return frame.sort_values("ds", ignore_index=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FILE}")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/prices"), help="folder of the pictures"
    )
    parser.add_argument("--quick", action="store_true", help="hardly any training: proves the path")
    options = parser.parse_args(arguments)
    if not (options.data / FILE).is_file():
        parser.error(f"there is no {options.data / FILE}")
    options.out.mkdir(parents=True, exist_ok=True)

    frame = read(options.data / FILE)
    windows = 3 if options.quick else 12
    training = {
        "validation_fraction": 0.2,
        **({"epochs": 1, "steps_per_epoch": 2} if options.quick else {}),
    }
    model = Forecaster(
        HORIZON, columns=COLUMNS, scale="log1p", calibrate=True, training=training, random_state=0
    )
    backtest = model.backtest(frame, n_windows=windows)
    print(
        leaderboard(backtest, ["mae", "smape", "coverage"], baseline="last_value")
        .round(3)
        .to_string(index=False, na_rep="")
    )
    print(evaluate(backtest, ["mae"], by="target").round(1).to_string(index=False, na_rep=""))
    wide = backtest.pivot(index="ds", columns="target", values="seqcast")
    print(
        "\nThe forecast of the low is below that of the high on "
        f"{(wide['low'] < wide['high']).mean():.0%} of the days."
    )

    forecast = model.fit(frame).predict()
    long = frame.melt(["unique_id", "ds"], ["low", "high"], var_name="target", value_name="y")
    save_figure(forecast_fans(long, forecast, last=60, ylabel=UNIT), options.out / "forecast.png")
    shown = forecast_frame(long, backtest, models=["seqcast"], last=HORIZON, ylabel=UNIT)
    save_figure(shown, options.out / "backtest.png")
    save_figure(score_by_step(backtest, "smape"), options.out / "error_by_step.png")
    save_figure(calibration_curve(backtest), options.out / "calibration.png")


if __name__ == "__main__":
    main()
