"""Forecasts that add up: stores, regions and the whole, reconciled by hierarchicalforecast.

Sales of twelve stores in three regions are made up here, from a seed. One network forecasts all sixteen series: stores,
regions and total. Its forecasts do not add up by themselves. `BottomUp` sums those of the stores; `MinTrace` moves all
of them as little as the errors on the training rows say. Each is judged on eight weeks, two at a time.

    pip install hierarchicalforecast
    python examples/store_hierarchy.py            # a few minutes; pictures in runs/examples/
    python examples/store_hierarchy.py --quick    # hardly any training: proves the path
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from seqcast import Forecaster
from seqcast.evaluation import leaderboard
from seqcast.plots import forecast_frame, save_figure, score_by_series

HORIZON, WINDOWS = 14, 4
LEVELS = [["country"], ["country", "region"], ["country", "region", "store"]]


def make_stores(days: int, seed: int = 0) -> pd.DataFrame:
    """Return the sales of each store on each day."""
    generator = np.random.default_rng(seed)
    stamps, parts = pd.date_range("2023-01-01", periods=days, name="ds"), []
    for number in range(12):
        week = generator.uniform(0.6, 1.4, size=7)[stamps.dayofweek]
        year = 1 + 0.3 * np.sin(2 * np.pi * stamps.dayofyear / 365.25 + number % 3)
        sales = generator.uniform(20, 200) * week * year * generator.lognormal(sigma=0.15, size=days)
        names = {"country": "all", "region": f"region {number % 3 + 1}", "store": f"store {number + 1:02d}"}
        parts.append(pd.DataFrame({"ds": stamps, **names, "y": sales}))
    return pd.concat(parts, ignore_index=True)


def reconcile(backtest: pd.DataFrame, errors: pd.DataFrame, sums: pd.DataFrame, tags: dict) -> pd.DataFrame:
    """Return a backtest with its forecasts reconciled, cutoff by cutoff."""
    from hierarchicalforecast.core import HierarchicalReconciliation
    from hierarchicalforecast.methods import BottomUp, MinTrace

    methods = {"bottom_up": BottomUp(), "min_trace": MinTrace(method="mint_shrink")}
    together, parts = HierarchicalReconciliation(list(methods.values())), []
    for cutoff, part in backtest.groupby("cutoff"):
        base = part[["unique_id", "ds", "seqcast"]].reset_index(drop=True)
        table = together.reconcile(Y_hat_df=base, Y_df=errors, S_df=sums, tags=tags).assign(cutoff=cutoff)
        named = dict(zip(table.columns[3:-1], methods, strict=True))
        parts.append(table.rename(columns=named).drop(columns="seqcast"))
    return backtest.merge(pd.concat(parts), on=["unique_id", "ds", "cutoff"])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/store_hierarchy"), help="folder of pictures")
    parser.add_argument("--quick", action="store_true", help="hardly any training: proves the path")
    options = parser.parse_args(arguments)
    try:
        from hierarchicalforecast.utils import aggregate
    except ImportError:
        raise SystemExit("This example needs hierarchicalforecast: pip install hierarchicalforecast") from None
    options.out.mkdir(parents=True, exist_ok=True)

    frame, sums, tags = aggregate(make_stores(200 if options.quick else 730), LEVELS)
    known = frame[frame["ds"] <= frame["ds"].max() - pd.Timedelta(days=HORIZON * WINDOWS)]
    training = {"epochs": 1, "steps_per_epoch": 2} if options.quick else None
    forecaster = Forecaster(HORIZON, preset="classic", training=training, random_state=0).fit(known)
    errors = forecaster.predict_insample(step_size=HORIZON)[["unique_id", "ds", "y", "seqcast"]]
    backtest = forecaster.backtest(frame, n_windows=WINDOWS, refit="never")
    backtest = reconcile(backtest, errors, sums, tags)

    for level, names in tags.items():
        scores = leaderboard(backtest[backtest["unique_id"].isin(names)], ["mae", "coverage"])
        print(f"{level}\n{scores.round(3).to_string(index=False, na_rep='')}\n")
    total = [name for names in list(tags.values())[:2] for name in names]
    some, models = frame["unique_id"].isin(total), ["seqcast", "min_trace"]
    shown = backtest[backtest["unique_id"].isin(total)]
    save_figure(forecast_frame(frame[some], shown, models=models), options.out / "forecast.png")
    save_figure(score_by_series(backtest, models=[*models, "bottom_up"]), options.out / "error_by_series.png")


if __name__ == "__main__":
    main()
