"""Tuning beside the untuned forecaster: NN5 daily, tourism monthly and M3 quarterly, the last horizon held out.

    python benchmarks/tuning.py FOLDER                        # the competitions' test parts, 10 minutes a search
    python benchmarks/tuning.py FOLDER --held-back            # one horizon earlier
    python benchmarks/tuning.py FOLDER --seeds 3 --minutes 5
    python benchmarks/tuning.py FOLDER --only m3_quarterly --minutes 1   # proves the path

`balanced` is `Forecaster(horizon, effort="balanced")`; `tuned` is `seqcast.tune.tune(frame, horizon)` with its defaults
and a time limit. Both get the same rows, which end before the horizon that they are scored on. Each is run in a process
of its own, in which nothing is compiled yet, and leaves a result file, so that an interrupted program continues.
`untuned` and `best` are the losses of the search's own objective, on rows before that horizon.
"""

import argparse
import functools
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("accuracy")))

import numpy as np
from zero_shot_tasks import DECILE_LEVELS, read_named

from harness import code, first_run, kept, machine, options, parse, peak_mib, spread, table
from seqcast import Forecaster
from seqcast.tune import tune

METHODS = ("balanced", "tuned")
TASKS = ("m3_quarterly", "tourism", "nn5")


def measure(task, method, seed, minutes):
    """Fit to what is known of a competition, and score the forecast of what follows."""
    began = time.perf_counter()
    given = {"level": DECILE_LEVELS, "random_state": seed}
    facts = {}
    if method == "balanced":
        model = Forecaster(task.horizon, effort="balanced", verbose=0, **given).fit(task.frame())
    else:
        found = tune(task.frame(), task.horizon, time_limit=60 * minutes, verbose=1, **given)
        model = found.forecaster
        facts = {**found.to_dict(), "table": json.loads(found.to_frame().to_json(orient="records"))}
    mase, wql = task.scores(task.deciles(model.predict()))
    seconds = round(time.perf_counter() - began, 1)
    choice = str(model.choice_)
    histories = [(len(history), round(history.seconds, 1)) for history in model.histories_]
    whole = {"seconds": seconds, "peak_mib": peak_mib(), "choice": choice, "histories": histories}
    return {"mase": mase, "wql": wql, **whole, **facts}


def main():
    """Measure each task, method and seed that has no result file yet, and print a table."""
    parser = options(__doc__, "tuning", data=True, seeds=1)
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="time limit of a search (default 10)"
    )
    parser.add_argument(
        "--held-back", action="store_true", help="score the last horizon of the training parts"
    )
    parser.add_argument(
        "--one", nargs=3, metavar=("TASK", "METHOD", "SEED"), help=argparse.SUPPRESS
    )
    arguments = parse(parser, TASKS)
    minutes = arguments.minutes
    held_back = arguments.held_back
    if arguments.one:
        name, method, seed = arguments.one
        task = read_named(arguments.data, name)
        print(
            json.dumps(measure(task.held_back() if held_back else task, method, int(seed), minutes))
        )
        return
    rows = []
    command = [
        sys.executable,
        sys.argv[0],
        str(arguments.data),
        *["--held-back"] * held_back,
        f"--minutes={minutes}",
    ]
    for name, method in ((name, method) for name in arguments.chosen for method in METHODS):
        described = {
            "task": name,
            "method": method,
            "held_back": held_back,
            "code": code("tuning.py"),
        }
        described |= {"minutes": minutes} if method == "tuned" else {}
        found = []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            run = functools.partial(first_run, [*command, "--one", name, method, str(seed)])
            found.append(kept(arguments.results, f"{name} {method}", seed, described, run))
        tuned = [one for one in found if one.get("best")]
        trials = ", ".join(str(sum(one["trials"].values())) for one in tuned)
        losses = ", ".join(
            f"{one['untuned_loss']:.4f} → {one['best']['loss']:.4f}" for one in tuned
        )
        places = {"mase": 4, "wql": 5, "seconds": 0}
        cells = [
            spread([one[key] for one in found], digits, np.mean) for key, digits in places.items()
        ]
        rows.append([name, method, *cells, trials, losses])
        print(rows[-1], flush=True)
    print(table(["task", "method", "MASE", "WQL", "seconds", "trials", "untuned → best"], rows))
    print(machine())


if __name__ == "__main__":
    main()
