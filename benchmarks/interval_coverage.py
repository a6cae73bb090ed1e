"""Do calibrated intervals hold what they promise, and do covariates known ahead help? Backtests on public data.

    python benchmarks/interval_coverage.py --data FOLDER             # all settings, three seeds
    python benchmarks/interval_coverage.py --data FOLDER --explore   # on rows before the test rows
    python benchmarks/interval_coverage.py --data FOLDER --quick     # few rows, one seed: proves the path

The last rows of each data set are the test rows: a network is trained once, on what comes before, of which the last
part is for choosing the epoch and for calibration; it then forecasts the test rows, a horizon at a time. --explore does
the same on a frame that ends where the test rows begin, so that settings can be chosen without looking at test rows.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from harness import kept, machine, options, parse, spread, table
from public_data import before, read_m4_hourly, read_nn5, read_vic_elec, stepped
from seqcast import Forecaster, NetworkSpec
from seqcast.evaluation import evaluate

LEVELS = (80, 95)
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
QUICK = {"epochs": 1, "steps_per_epoch": 2}


@dataclass(frozen=True)
class Setting:
    """A data set, how it is cut, and what the forecaster is given.

    Args:
        read: Reads the frame from the folder of the data.
        horizon: Steps ahead.
        n_windows: Cutoffs, a horizon apart; the test rows are those after the first.
        season_length: Steps of a season, for the naive forecast.
        context_length: Steps of past.
        segment: Steps of a segment of the network.
        validation: Share of the training rows for choosing the epoch and for calibration.
        boxes: Other fields of the network.
        more: Other options of the forecaster.
    """

    read: Callable[[Any], Any]
    horizon: int
    n_windows: int
    season_length: int
    context_length: int
    segment: int
    validation: float
    boxes: dict[str, Any]
    more: dict[str, Any]


def nn5_days(folder):
    """Return NN5 as a long frame, missing values kept."""
    return read_nn5(folder).reset_index().melt("ds", var_name="unique_id", value_name="y")


YEAR = {"calendar": ("day_of_year",)}
AHEAD = {"future_covariates": ("temperature", "holiday")}
OWN_UNITS = {"normalise": "instance", "residual": "seasonal"}
SETTINGS = {
    "vic_elec": Setting(read_vic_elec, 48, 184, 48, 336, 48, 0.4, {}, {**YEAR, **AHEAD}),
    "vic_elec, no covariates": Setting(read_vic_elec, 48, 184, 48, 336, 48, 0.4, {}, YEAR),
    "m4_hourly": Setting(
        lambda folder: stepped(read_m4_hourly(folder)), 48, 2, 24, 168, 24, 0.2, OWN_UNITS, {}
    ),
    "nn5": Setting(nn5_days, 56, 2, 7, 112, 7, 0.4, {}, {}),
}


def network(setting):
    """Return a network that reads and writes segments of a season; the forecaster's defaults have moved on since."""
    boxes = {"encoder_units": (64,), "decoder_units": (64,), "normalise": "last", "dropout": 0.1}
    boxes |= {
        "decoder_input": "position",
        "decoding": "parallel",
        "head": "quantile",
        "quantiles": QUANTILES,
    }
    return NetworkSpec(**{**boxes, "segment": setting.segment, **setting.boxes})


def measured(setting, frame, seed, *, quick):
    """Train on the rows before the test rows, forecast these, and score with and without calibration."""
    began = time.perf_counter()
    n_windows = 2 if quick else setting.n_windows
    model = Forecaster(
        setting.horizon,
        season_length=setting.season_length,
        context_length=setting.context_length,
        preset=network(setting),
        training={
            "learning_rate": 0.003,
            "validation_fraction": setting.validation,
            **(QUICK if quick else {}),
        },
        level=LEVELS,
        calibrate=True,
        scale="standard",
        random_state=seed,
        **setting.more,
    )
    model.fit(before(frame, setting.horizon * n_windows))
    seconds = time.perf_counter() - began
    calibrated = model.backtest(frame, n_windows=n_windows, refit="never")
    model = model.with_fitted(
        replace(model.fitted_, calibrations=())
    )  # the same networks' own intervals
    raw = model.backtest(frame, n_windows=n_windows, refit="never")
    metrics = ["mae", "scaled_crps", "coverage"]
    found = {
        name: scores(made, metrics) for name, made in (("calibrated", calibrated), ("raw", raw))
    }
    windows = len(calibrated[["unique_id", "cutoff"]].drop_duplicates())
    return {
        **found,
        "naive": scores(calibrated, ["mae"], "seasonal_naive"),
        "windows": windows,
        "seconds": seconds,
    }


def scores(backtest, metrics, model="seqcast"):
    """Return the scores of a backtest by their names."""
    found = evaluate(backtest, metrics, models=[model])
    return dict(zip(found["metric"], map(float, found[model]), strict=True))


def few(frame, setting):
    """Return the last rows of a few series."""
    rows = frame[frame["unique_id"].isin(frame["unique_id"].unique()[:4])]
    return rows.groupby("unique_id").tail(60 * 48 if setting.read is read_vic_elec else 400)


def row(name, runs):
    """Return a row of the table: means over seeds, and the least and largest."""
    cells = [name, runs[0]["windows"]]
    for level in LEVELS:
        for kind in ("calibrated", "raw"):
            values = [100 * run[kind][f"coverage_level{level}"] for run in runs]
            cells.append(spread(values, 1, statistics.fmean))
    for key, digits in (("scaled_crps", 4), ("mae", 3)):
        cells.append(spread([run["calibrated"][key] for run in runs], digits, statistics.fmean))
    return [
        *cells,
        f"{runs[0]['naive']['mae']:.4g}",
        spread([run["seconds"] for run in runs], 0, statistics.fmean),
    ]


def main():
    """Measure what has no result file yet, and print the table."""
    parser = options(
        __doc__, "coverage", data=True, seeds=3, quick="few rows, one seed, hardly any training"
    )
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=SETTINGS,
        default=list(SETTINGS),
        help="some of the settings",
    )
    parser.add_argument("--explore", action="store_true", help="on rows before the test rows")
    arguments = parse(parser)
    quick = arguments.quick
    results = {}
    for name in arguments.settings:
        setting = SETTINGS[name]
        frame = setting.read(arguments.data)
        frame = few(frame, setting) if quick else frame
        frame = (
            before(frame, setting.horizon * setting.n_windows)
            if arguments.explore and not quick
            else frame
        )
        described = {
            "options": replace(setting, read=None),
            "explore": arguments.explore,
            "quick": quick,
        }
        results[name] = [
            kept(
                arguments.results,
                name,
                seed,
                described,
                partial(measured, setting, frame, seed, quick=quick),
            )
            for seed in range(1 if quick else arguments.seeds)
        ]
    head = [
        "setting",
        "windows",
        *(f"inside {level} %{how}" for level in LEVELS for how in ("", ", not calibrated")),
    ]
    head += ["scaled CRPS", "mean absolute error", "seasonal naive", "seconds"]
    print(machine(), table(head, [row(*each) for each in results.items()]), sep="\n\n")
    if set(SETTINGS) >= set(results) >= {"vic_elec", "vic_elec, no covariates"}:
        errors = [
            statistics.fmean(run["calibrated"]["mae"] for run in runs) for runs in results.values()
        ][:2]
        print(
            f"\nTemperature and holidays known ahead lower the mean absolute error by {1 - errors[0] / errors[1]:.1%}."
        )


if __name__ == "__main__":
    main()
