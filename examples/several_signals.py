"""Several signals in, one forecast out: unemployment from three other indicators of the US economy.

Quarterly data from 1959 to 2009, which come with the package statsmodels. Growth of output, growth
of investment and the interest rate are past covariates: known up to today, not for the quarters to
come. Networks that read them are compared with ones that read the unemployment rate alone, on the
last ten years, from every quarter, four quarters ahead. With two hundred rows one network is much
like a throw of the dice: the median of five is forecast. More inputs need not help, and with so few
rows these do not: the networks that read unemployment alone are closer, and neither's intervals
hold what they promise. So look at a backtest before you add signals.

    pip install statsmodels
    python examples/several_signals.py            # a minute or two; pictures in runs/examples/
    python examples/several_signals.py --quick    # one network, hardly any training
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from seqcast import Forecaster
from seqcast.evaluation import join_forecasts, leaderboard
from seqcast.plots import forecast_fans, forecast_frame, save_figure, score_by_step

HORIZON, CUTOFFS = 4, 40
INDICATORS = ("output", "investment", "interest")
UNIT = "per cent"


def read(path: Path | None) -> pd.DataFrame:
    """Return unemployment and the three indicators, from a file or from statsmodels."""
    if path is None:
        try:
            from statsmodels.datasets import macrodata
        except ImportError:
            raise SystemExit(
                "The data come with the package statsmodels: pip install statsmodels"
            ) from None
        table = macrodata.load_pandas().data
    else:
        table = pd.read_csv(path)
    months = 3 * table["quarter"].astype(int) - 2
    columns = {
        "unique_id": "United States",
        "ds": pd.to_datetime({"year": table["year"].astype(int), "month": months, "day": 1}),
        "y": table["unemp"],
        "output": 100 * np.log(table["realgdp"]).diff(),
        "investment": 100 * np.log(table["realinv"]).diff(),
        "interest": table["tbilrate"],
    }
    return pd.DataFrame(columns).iloc[1:]  # nothing grew before the first quarter


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="a file with the columns of statsmodels' macrodata, instead of it"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/several_signals"), help="for the pictures"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one network, hardly any training: proves the path"
    )
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)

    frame = read(options.data)
    training = {"epochs": 1, "steps_per_epoch": 2} if options.quick else None
    models, backtests = [], []
    for alias, indicators in (("with_indicators", INDICATORS), ("without_indicators", ())):
        model = Forecaster(
            HORIZON,
            past_covariates=indicators,
            level=(80,),
            members=1 if options.quick else 5,
            training=training,
            alias=alias,
            random_state=0,
        )
        models.append(model)
        backtests.append(model.backtest(frame, n_windows=CUTOFFS, step_size=1))
    backtest = join_forecasts(*backtests, models=["without_indicators"])
    table = leaderboard(backtest, ["mae", "rmse", "coverage"], baseline="last_value")
    print(table.round(3).to_string(index=False, na_rep=""))

    forecast = models[0].fit(frame).predict()
    save_figure(
        forecast_fans(frame, forecast, last=40, ylabel=f"unemployment [{UNIT}]"),
        options.out / "forecast.png",
    )
    yearly = backtest[backtest["cutoff"].isin(np.sort(backtest["cutoff"].unique())[::HORIZON])]
    shown = forecast_frame(
        frame, yearly, models=["with_indicators"], last=12, ylabel=f"unemployment [{UNIT}]"
    )
    save_figure(shown, options.out / "backtest.png")
    save_figure(score_by_step(backtest, unit=UNIT), options.out / "error_by_step.png")


if __name__ == "__main__":
    main()
