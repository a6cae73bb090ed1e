"""Tuning beside the untuned forecaster: NN5 daily, tourism monthly and M3 quarterly, the last horizon held out.

    python benchmarks/tuning.py FOLDER                        # the competitions' test parts, 10 minutes a search
    python benchmarks/tuning.py FOLDER --held-back            # one horizon earlier
    python benchmarks/tuning.py FOLDER --seeds 3 --minutes 5
    python benchmarks/tuning.py FOLDER --tasks m3_quarterly --minutes 1   # proves the path

`balanced` is `Forecaster(horizon, effort="balanced")`; `tuned` is `seqcast.tune.tune(frame, horizon)` with its defaults
and a time limit. Both get the same rows, which end before the horizon that they are scored on. Each is run in a process
of its own, in which nothing is compiled yet, and leaves a result file, so that an interrupted program goes on where it
stopped. `untuned` and `best` are the losses of the search's own objective, on rows before that horizon.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))
os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from reporting import first_run, library_code, machine_line, peak_mib, table
from yardsticks import (
    DECILE_LEVELS,
    Competition,
    checked,
    forecast_column,
    read_nn5,
    read_tourism,
    weighted_quantile_loss,
)

from seqcast import Forecaster
from seqcast.studies.cache import cached
from seqcast.tune import tune

DECILES = tuple(place / 10 for place in range(1, 10))
METHODS = ("balanced", "tuned")


def read_m3_quarterly(folder: Path) -> Competition:
    """Return M3's quarterly series."""
    found = json.loads(checked(folder, "tourism_m3/m3_data.json").read_text())
    own = {name: series for name, series in found.items() if series["period"][0] == "QUARTERLY"}
    train, test = ({name: np.array(own[name][part], dtype=float) for name in own} for part in ("x", "xx"))
    return Competition(train, test, season=4, freq="QS")


TASKS: dict[str, Callable[[Path], Competition]] = {
    "m3_quarterly": read_m3_quarterly,
    "tourism_monthly": read_tourism,
    "nn5_daily": read_nn5,
}


def measure(competition: Competition, method: str, seed: int, minutes: float) -> dict[str, Any]:
    """Fit to what is known of a competition, and score the forecast of what follows."""
    began = time.perf_counter()
    options: dict[str, Any] = {"level": DECILE_LEVELS, "random_state": seed}
    facts: dict[str, Any] = {}
    if method == "balanced":
        model = Forecaster(competition.horizon, effort="balanced", verbose=0, **options).fit(competition.frame())
    else:
        found = tune(competition.frame(), competition.horizon, time_limit=60 * minutes, verbose=1, **options)
        model = found.forecaster
        trials = found.to_frame()
        facts = {**found.to_dict(), "table": json.loads(trials.to_json(orient="records"))}
    forecast = model.predict()
    seconds = time.perf_counter() - began
    cube = np.stack([competition.matrix(forecast, forecast_column(each)) for each in DECILES], axis=2)
    scores = competition.scores(cube[:, :, 4])
    return {
        "mase": scores["mase"],
        "wql": weighted_quantile_loss(cube, DECILES, competition.truth()),
        "seconds": round(seconds, 1),
        "peak_mib": peak_mib(),
        "choice": str(model.choice_),
        "histories": [(len(history), round(history.seconds, 1)) for history in model.histories_],
        **facts,
    }


def main() -> None:
    """Measure each task, method and seed that has no result file yet, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the public data sets")
    parser.add_argument("--out", type=Path, default=Path("results/tuning"), help="folder of the result files")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds (default 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--minutes", type=float, default=10.0, help="time limit of a search (default 10)")
    parser.add_argument("--held-back", action="store_true", help="score the last horizon of the training parts")
    parser.add_argument("--one", nargs=3, metavar=("TASK", "METHOD", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        task, method, seed = arguments.one
        competition = TASKS[task](arguments.folder)
        competition = competition.held_back() if arguments.held_back else competition
        print(json.dumps(measure(competition, method, int(seed), arguments.minutes)))
        return
    rows = []
    for task in arguments.tasks:
        for method in METHODS:
            seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
            found = [_result(arguments, task, method, seed) for seed in seeds]
            trials = [sum(one["trials"].values()) if "trials" in one else "" for one in found]
            losses = [
                f"{one['untuned_loss']:.4f} → {one['best']['loss']:.4f}" if one.get("best") else "" for one in found
            ]
            cells = (
                _mean(found, "mase", 4),
                _mean(found, "wql", 5),
                _mean(found, "seconds", 0),
                *(", ".join(map(str, column)) for column in (trials, losses)),
            )
            rows.append([task, method, *cells])
            print(
                table(["task", "method", "MASE", "WQL", "seconds", "trials", "untuned → best"], rows[-1:]), flush=True
            )
    print(table(["task", "method", "MASE", "WQL", "seconds", "trials", "untuned → best"], rows))
    print(machine_line())


def _result(arguments: argparse.Namespace, task: str, method: str, seed: int) -> dict[str, Any]:
    """Return a result from its file, or from a process of its own."""
    described: dict[str, Any] = {"task": task, "method": method, "held_back": arguments.held_back}
    described["code"] = library_code()
    described |= {"minutes": arguments.minutes} if method == "tuned" else {}
    flags = ["--held-back"] * arguments.held_back + ["--minutes", str(arguments.minutes)]
    command = [sys.executable, sys.argv[0], str(arguments.folder), *flags, "--one", task, method, str(seed)]
    return cached(arguments.out, f"{task} {method}", seed, described, functools.partial(first_run, command), print)


def _mean(found: list[dict[str, Any]], key: str, places: int) -> str:
    values = [one[key] for one in found]
    spread = f" ({min(values):.{places}f}-{max(values):.{places}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{places}f}{spread}"


if __name__ == "__main__":
    main()
