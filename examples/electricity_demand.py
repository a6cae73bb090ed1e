"""Half-hourly electricity demand, a day ahead: what temperature and holidays known ahead are worth.

Demand of the state of Victoria, 2012 to 2014. A network that is told the temperature and the
holidays of the day to come is compared with one that knows the past demand and the calendar only,
on the last eight weeks, Christmas among them. The measured temperature stands for its forecast,
which would be somewhat off. Stamps have a time zone, so that the hours of the day stay those of the
wall clock; intervals are calibrated on rows that were not trained on, and calibration.png shows
what they hold.

    python examples/electricity_demand.py --data FOLDER            # pictures in runs/examples/
    python examples/electricity_demand.py --data FOLDER --quick    # two months, hardly any training

FOLDER holds vic_elec/vic_elec.csv.gz, the data set vic_elec of the R package tsibbledata as CSV:
Time (UTC), Demand [MWh], Temperature [°C], Date, Holiday.
"""

import argparse
from pathlib import Path

import pandas as pd

from seqcast import Forecaster
from seqcast.evaluation import diebold_mariano, evaluate, join_forecasts, leaderboard
from seqcast.plots import (
    calibration_curve,
    forecast_frame,
    residual_diagnostics,
    save_figure,
    score_by_step,
)

FILE = "vic_elec/vic_elec.csv.gz"
DAY, DAYS = 48, 56
UNIT = "MWh a half-hour"
MODELS = ["with_covariates", "without_covariates"]


def read(path: Path) -> pd.DataFrame:
    """Return the demand with its covariates as a long frame, on Melbourne's clock."""
    table = pd.read_csv(path)
    columns = {
        "unique_id": "Victoria",
        "ds": pd.to_datetime(table["Time"], utc=True).dt.tz_convert("Australia/Melbourne"),
        "y": table["Demand"],
        "temperature": table["Temperature"],
        "holiday": table["Holiday"].astype(bool),
    }
    return pd.DataFrame(columns)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FILE}")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/examples/electricity_demand"),
        help="for the pictures",
    )
    parser.add_argument(
        "--quick", action="store_true", help="two months, hardly any training: proves the path"
    )
    options = parser.parse_args(arguments)
    if not (options.data / FILE).is_file():
        parser.error(f"there is no {options.data / FILE}")
    options.out.mkdir(parents=True, exist_ok=True)

    frame = read(options.data / FILE)
    days, training = DAYS, {"validation_fraction": 0.2}
    if options.quick:
        frame, days, training = (
            frame.tail(60 * DAY),
            8,
            {**training, "epochs": 1, "steps_per_epoch": 2},
        )
    backtests = []
    for alias, covariates in zip(MODELS, [("temperature", "holiday"), ()], strict=True):
        model = Forecaster(
            horizon=DAY,
            context_length=7 * DAY,
            future_covariates=covariates,
            calibrate=True,
            training=training,
            alias=alias,
            random_state=0,
        )
        backtests.append(model.backtest(frame, n_windows=days))
    backtest = join_forecasts(*backtests, models=MODELS[1:])
    print(
        leaderboard(backtest, ["mae", "rmse", "scaled_crps", "coverage"])
        .round(3)
        .to_string(index=False, na_rep="")
    )
    told, blind = evaluate(backtest, ["mae"])[MODELS].iloc[0]
    print(f"\nTemperature and holidays lower the error by {1 - told / blind:.0%}.")
    test = diebold_mariano(backtest, models=MODELS)
    print(
        "Diebold-Mariano test over all steps: p = "
        f"{test.loc[test['step'] == 0, 'p_value'].item():.2g}"
    )

    week = backtest[backtest["cutoff"] >= backtest["cutoff"].max() - pd.Timedelta(days=6)]
    week = week.drop(
        columns=[name for name in week if name.startswith(f"{MODELS[1]}-")]
    )  # its intervals would crowd
    shown = forecast_frame(frame, week, models=MODELS, last=DAY, ylabel=f"demand [{UNIT}]")
    save_figure(shown, options.out / "last_week.png")
    save_figure(score_by_step(backtest, unit=UNIT), options.out / "error_by_step.png")
    save_figure(calibration_curve(backtest), options.out / "calibration.png")
    errors = residual_diagnostics(
        backtest, MODELS[0], unit=UNIT, title="Errors with temperature and holidays"
    )
    save_figure(errors, options.out / "residuals.png")


if __name__ == "__main__":
    main()
