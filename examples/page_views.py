"""Daily page views with missing days: gaps, yearly and weekly seasons, intervals.

The logarithm of the daily views of a footballer's page, 2007 to 2016. Some days are missing: they
are filled in for the network, marked as unobserved, and left out of losses and scores. The weekly
and the yearly season come from the calendar, which is taken up by itself. The last year is forecast
in windows of 30 days, then the 30 days after it.

    python examples/page_views.py --data FOLDER            # two minutes; pictures in runs/examples/
    python examples/page_views.py --data FOLDER --quick    # hardly any training: proves the path

FOLDER holds classics/example_wp_log_peyton_manning.csv, from the examples of the package prophet:
ds, y.
"""

import argparse
from pathlib import Path

import pandas as pd

from seqcast import Forecaster
from seqcast.evaluation import count_steps, leaderboard
from seqcast.plots import (
    calibration_curve,
    forecast_fans,
    forecast_frame,
    save_figure,
    score_by_step,
)

FILE = "classics/example_wp_log_peyton_manning.csv"
HORIZON = 30
UNIT = "logarithm of views"


def read(path: Path) -> pd.DataFrame:
    """Return the views as a long frame."""
    table = pd.read_csv(path, parse_dates=["ds"])
    return table.assign(unique_id="views of a page, daily")[["unique_id", "ds", "y"]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FILE}")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/page_views"), help="folder of the pictures"
    )
    parser.add_argument("--quick", action="store_true", help="hardly any training: proves the path")
    options = parser.parse_args(arguments)
    if not (options.data / FILE).is_file():
        parser.error(f"there is no {options.data / FILE}")
    options.out.mkdir(parents=True, exist_ok=True)

    frame = read(options.data / FILE)
    expected = (frame["ds"].max() - frame["ds"].min()).days + 1
    print(f"{len(frame)} days, {expected - len(frame)} more are missing")
    windows = 3 if options.quick else 12
    training = {
        "validation_fraction": 0.2,
        **({"epochs": 1, "steps_per_epoch": 2} if options.quick else {}),
    }
    model = Forecaster(HORIZON, training=training, calibrate=True, random_state=0)
    # Trained on the rows before the windows, so the same network forecasts all of them and then
    # what is to come.
    known = frame["ds"] <= frame["ds"].max() - pd.Timedelta(days=HORIZON * windows)
    backtest = count_steps(
        model.fit(frame[known]).backtest(frame, n_windows=windows, refit="never"), "D"
    )
    print(
        leaderboard(backtest, ["mae", "rmse", "scaled_crps", "coverage"])
        .round(3)
        .to_string(index=False, na_rep="")
    )

    forecast = model.update(frame[~known]).predict()
    save_figure(forecast_fans(frame, forecast, last=120, ylabel=UNIT), options.out / "forecast.png")
    shown = forecast_frame(frame, backtest, models=["seqcast"], last=HORIZON, ylabel=UNIT)
    save_figure(shown, options.out / "backtest.png")
    save_figure(score_by_step(backtest, unit=UNIT), options.out / "error_by_step.png")
    save_figure(calibration_curve(backtest), options.out / "calibration.png")


if __name__ == "__main__":
    main()
