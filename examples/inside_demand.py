"""Inside a model of half-hourly demand: which weeks are alike to it, and what does it look at?

A network reads a week of the demand of the state of Victoria and forecasts a day; it is told no
calendar.

    nearest_weeks.png   four weeks, and those whose states in the network are nearest to theirs
    states.png          the states of all days of the last year, by day of the week, season, demand
    sensitivity.png     what each half-hour of the forecast depends on

    python examples/inside_demand.py --data FOLDER            # a minute; pictures in runs/examples/
    python examples/inside_demand.py --data FOLDER --quick    # two months, hardly any training

FOLDER holds vic_elec/vic_elec.csv.gz, the data set vic_elec of the R package tsibbledata as CSV:
Time (UTC), Demand [MWh], Temperature [°C], Date, Holiday.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from seqcast import Forecaster, NetworkSpec
from seqcast.inspect import nearest, principal_components, sensitivity, states
from seqcast.plots import save_figure, sensitivity_map, similar_windows, state_map

FILE = "vic_elec/vic_elec.csv.gz"
DAY, WEEK, YEAR = 48, 7 * 48, 365
SIZES = {"encoder_units": (64,), "decoder_units": (64,), "segment": DAY, "dropout": 0.1}
NETWORK = NetworkSpec(normalise="last", decoder_input="position", decoding="parallel", **SIZES)


def read(path: Path) -> pd.DataFrame:
    """Return the demand, in GWh a half-hour, as a long frame on Melbourne's clock."""
    table = pd.read_csv(path)
    stamps = pd.to_datetime(table["Time"], utc=True).dt.tz_convert("Australia/Melbourne")
    frame = pd.DataFrame({"unique_id": "Victoria", "ds": stamps, "y": table["Demand"] / 1000})
    return frame.iloc[: np.flatnonzero(stamps.dt.strftime("%H:%M") == "23:30")[-1] + 1]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FILE}")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/inside_demand"), help="for the pictures"
    )
    parser.add_argument(
        "--quick", action="store_true", help="two months, hardly any training: proves the path"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    options = parser.parse_args(arguments)
    if not (options.data / FILE).is_file():
        parser.error(f"there is no {options.data / FILE}")
    options.out.mkdir(parents=True, exist_ok=True)
    frame, training = read(options.data / FILE), {"learning_rate": 0.003}
    if options.quick:
        frame, training = frame.tail(60 * DAY), {"epochs": 1, "steps_per_epoch": 2}
    given = {
        "preset": NETWORK,
        "scale": "standard",
        "calendar": "none",
        "level": (),
        "random_state": options.seed,
    }
    model = Forecaster(DAY, context_length=WEEK, training=training, **given).fit(frame)
    # A window a day, of the last year; each ends at midnight.
    days = model.model_inputs(frame.tail(YEAR * DAY + WEEK), step_size=DAY)
    cutoffs = pd.DatetimeIndex(days.labels.frame(np.arange(len(days)), {})["cutoff"])
    found = nearest(days, k=3)
    same_day = found["cutoff"].dt.day_of_week == found["near_cutoff"].dt.day_of_week
    first = same_day[found["rank"] == 1].mean()
    print(
        f"{len(days)} windows, a day apart. Their nearest by state ends on the same weekday in "
        f"{first:.0%} of them, of"
    )
    print(f"the three nearest {same_day.mean():.0%} do (by chance {1 / 7:.0%}).")
    demand = frame.set_index("ds")["y"]
    weeks = np.stack([demand.loc[:cutoff].iloc[-WEEK:] for cutoff in cutoffs])
    near = cutoffs.get_indexer(found["near_cutoff"]).reshape(-1, 3)
    chosen = np.linspace(0, len(days) - 1, 6).astype(int)[1:-1]
    names = [f"until {cutoff:%a %d %b %Y}" for cutoff in cutoffs]
    labels = {
        "xlabel": "half-hour of the week (0 is the end of what was read)",
        "ylabel": "GWh a half-hour",
    }
    figure = similar_windows(weeks, {place: near[place] for place in chosen}, names=names, **labels)
    save_figure(figure, options.out / "nearest_weeks.png")
    found = principal_components(states(days))
    kinds = np.array([*["Monday to Friday"] * 5, "Saturday", "Sunday"])[cutoffs.day_of_week]
    load = weeks[:, -DAY:].mean(axis=1)
    seen = {
        "last day read": kinds,
        "day of the year": cutoffs.dayofyear,
        "mean of the last day [GWh]": load,
    }
    figure = state_map(found.points, seen, explained=found.explained, circular=["day of the year"])
    save_figure(figure, options.out / "states.png")
    depends = sensitivity(days[:: max(1, len(days) // 100)])
    squares, steps = np.square(depends.by_step()), np.arange(DAY)
    print(
        "Squared influence of the same time of day, over that of an average half-hour of the past:"
    )
    share = [
        squares[steps, squares.shape[1] - k * DAY + steps].mean() / squares.mean()
        for k in range(1, 8)
    ]
    print("  " + ", ".join(f"{k + 1} d before {each:.1f}" for k, each in enumerate(share)))
    print(
        f"95 % of the influence lies within {np.median(depends.memory_length()) / DAY:.1f} days "
        "(median over steps)."
    )
    save_figure(
        sensitivity_map(depends.frame(), step_name="half-hour"), options.out / "sensitivity.png"
    )


if __name__ == "__main__":
    main()
