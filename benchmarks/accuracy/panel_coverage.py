"""Do calibrated intervals reach their level on panels whose series differ? Coverage of public data, by step and series.

    python benchmarks/accuracy/panel_coverage.py FOLDER                   # the last windows of each: about 40 minutes
    python benchmarks/accuracy/panel_coverage.py FOLDER --explore         # windows before the test parts
    python benchmarks/accuracy/panel_coverage.py FOLDER --tasks nn5 --method quick

A forecaster is fitted once, on the rows before the first window, with calibrate=True; the windows follow one another, a
horizon apart. Without calibration the intervals are those of the same networks. --explore leaves out the test parts, as
the constants of `seqcast.intervals.common_errors` were chosen there.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from methods import forecaster
from zero_shot_tasks import PROTOCOLS, read_task

from harness import code, kept, machine, options, parse, table
from public_data import read_nn5
from seqcast.evaluation import evaluate

LEVELS = (80, 95)
METHODS = ("quick", "segment")
# Of the weeks of NN5: sums of seven days, without dates.
WEEK = 7
WEEKS_AHEAD = 8


@dataclass(frozen=True)
class Yardstick:
    """How a panel is cut.

    Args:
        task: A task of `PROTOCOLS`.
        windows: Number of windows.
        test: Rows at the end of each series that are its test part.
        horizon: Steps to forecast, where they are not those of the protocol.
        rows: Most rows of a series.
        support: Support of the targets.
    """

    task: str
    windows: int
    test: int
    horizon: int | None = None
    rows: int | None = None
    support: str = "auto"


YARDSTICKS = {
    "NN5, days": Yardstick("nn5", 3, 56),
    "NN5, weeks": Yardstick("nn5", 4, WEEKS_AHEAD, WEEKS_AHEAD),
    "M4 Hourly": Yardstick("M4 Hourly", 2, 48),
    "ETT, hours": Yardstick("ETTh", 20, 17_420 - 24 * 165, 24),
    "air quality": Yardstick("uci_air_quality_1H", 60, 20 * 168, 24),
    "Victoria's demand": Yardstick("vic_elec", 184, 184 * 48, 48, rows=26_000),
    "tourism, months": Yardstick("tourism_monthly", 2, 24),
    "M3, months": Yardstick("m3_monthly", 2, 18),
    "car parts": Yardstick("car parts", 1, 12, support="counts"),
}


def read(folder, name, *, explore):
    """Return the values of a panel as a long frame, and the task, whose horizon and season a forecaster receives."""
    own = YARDSTICKS[name]
    task = replace(read_task(folder, own.task), horizon=own.horizon or PROTOCOLS[own.task].horizon)
    series = task.series
    if name == "NN5, weeks":
        days = read_nn5(folder).interpolate(limit_direction="both").to_numpy()
        series = list(
            days[: len(days) // WEEK * WEEK].reshape(-1, WEEK, days.shape[1]).sum(axis=1).T
        )
        task = replace(task, season=1)
    if explore:
        series = [values[: -own.test] for values in series]
    if explore and name == "car parts":  # a calibration needs a year before it
        task = replace(task, horizon=task.horizon // 2)
    # A task's frame leaves a horizon out, which here is none of the values.
    unseen = np.full(task.horizon, np.nan)
    task = replace(
        task, series=[np.append(values[-(own.rows or 0) :], unseen) for values in series]
    )
    frame = task.frame()
    return frame.assign(
        ds=frame.groupby("unique_id").cumcount()
    ) if name == "NN5, weeks" else frame, task


def measured(folder, name, method, *, explore):
    """Return the coverage of calibrated intervals, and of those of the same networks without calibration."""
    frame, task = read(folder, name, explore=explore)
    count = YARDSTICKS[name].windows
    stamps = np.sort(frame["ds"].unique())
    model = forecaster(
        method, task, 0, level=LEVELS, calibrate=True, support=YARDSTICKS[name].support
    )
    train = frame[frame["ds"] < stamps[-task.horizon * count]]
    model.fit(train)
    frame = frame[frame["unique_id"].isin(train["unique_id"].unique())]
    backtest = model.backtest(frame, n_windows=count, refit="never")
    found = {
        "calibrated": coverage(backtest),
        "windows": len(backtest[["unique_id", "cutoff"]].drop_duplicates()),
    }
    if model.fitted_.is_probabilistic:
        raw = model.with_fitted(replace(model.fitted_, calibrations=()))
        found["raw"] = coverage(raw.backtest(frame, n_windows=count, refit="never"))
    return found


def coverage(backtest):
    """Return, of each level, the coverage over all rows, by thirds of the horizon, and of a tenth of the series."""
    step = backtest["step"] - 1
    third = (step * 3 // (step.max() + 1)).to_numpy()
    found = {}
    for level in LEVELS:
        inside = backtest["y"].between(
            backtest[f"seqcast-lo-{level}"], backtest[f"seqcast-hi-{level}"]
        )
        known = backtest["y"].notna()
        by_series = evaluate(
            backtest[known], ["coverage"], level=level, models=["seqcast"], by="unique_id"
        )["seqcast"]
        shares = [float(inside[known & (third == number)].mean()) for number in range(3)]
        found[str(level)] = {
            "all": float(inside[known].mean()),
            "thirds": shares,
            "tenth": float(by_series.quantile(0.1)),
        }
    return found


def row(name, method, run):
    """Return a row of the table, in per cent."""
    calibrated = run["calibrated"]
    raw = run.get("raw")
    cells = [name, method, f"{run['windows']:,}"]
    for level in map(str, LEVELS):
        cells += [
            f"{100 * calibrated[level]['all']:.1f}",
            "" if raw is None else f"{100 * raw[level]['all']:.1f}",
        ]
    thirds = " / ".join(f"{100 * each:.0f}" for each in calibrated["80"]["thirds"])
    tenths = " / ".join(
        "" if each is None else f"{100 * each['80']['tenth']:.0f}" for each in (calibrated, raw)
    )
    return [*cells, thirds, tenths]


def main():
    """Measure what has no result file yet, and print the table."""
    parser = options(__doc__, "accuracy/panel_coverage", data=True)
    parser.add_argument(
        "--tasks",
        nargs="+",
        choices=YARDSTICKS,
        default=list(YARDSTICKS),
        help="some of the panels",
    )
    parser.add_argument(
        "--method", nargs="+", default=list(METHODS), help="presets or efforts (default both)"
    )
    parser.add_argument("--explore", action="store_true", help="on windows before the test parts")
    arguments = parse(parser)
    rows = []
    for name in arguments.tasks:
        for method in arguments.method:
            described = {
                "method": method,
                "explore": arguments.explore,
                "code": code("accuracy/panel_coverage.py"),
            }
            measure = partial(measured, arguments.data, name, method, explore=arguments.explore)
            rows.append(
                row(
                    name, method, kept(arguments.results, f"{name} {method}", 0, described, measure)
                )
            )
    head = [
        "panel",
        "method",
        "windows",
        *(f"inside {level} %{how}" for level in LEVELS for how in ("", ", raw")),
    ]
    print(
        table(
            [*head, "80 %: thirds of the horizon", "80 %: a tenth of the series at most, raw"], rows
        )
    )
    print(machine())


if __name__ == "__main__":
    main()
