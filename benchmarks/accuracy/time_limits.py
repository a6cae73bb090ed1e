"""What a time limit gives: M4 Hourly's training values, their last 48 hours held out, the forecaster out of the box.

python benchmarks/accuracy/time_limits.py --data FOLDER            # 15, 60 and 300 seconds, one seed: seven minutes
python benchmarks/accuracy/time_limits.py --data FOLDER --limits 5 # proves the path

Each limit is a process of its own, which compiles anew. `wall` is the time of the call of fit. OWA is over the
scores of Naive2 on the competition's test values, as everywhere, so that it can be compared with the other tables. Test
values are not looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

from reporting import first_run, machine_line, table
from yardsticks import owa, read_m4_hourly

from seqcast import Forecaster


def measure(folder: Path, limit: float, seed: int) -> dict[str, float]:
    """Fit within a limit, forecast and score."""
    competition = read_m4_hourly(folder).held_back()
    frame = competition.frame()
    began = time.perf_counter()
    model = Forecaster(competition.horizon, random_state=seed, verbose=0).fit(frame, time_limit=limit)
    wall = time.perf_counter() - began
    scores = competition.scores(competition.matrix(model.predict(), "seqcast"))
    epochs, best = len(model.history_), model.history_.best_epoch or 0
    return {
        "wall": wall,
        "owa": owa(scores),
        "smape": scores["smape"],
        "mase": scores["mase"],
        "epochs": epochs,
        "best": best,
    }


def main() -> None:
    """Measure each limit in a process of its own and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--limits", type=float, nargs="+", default=[15.0, 60.0, 300.0], help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.data, arguments.one, arguments.seed)))
        return
    rows = []
    for limit in arguments.limits:
        command = [sys.executable, __file__, "--data", str(arguments.data), "--one", str(limit)]
        found = first_run([*command, "--seed", str(arguments.seed)])
        numbers = (f"{found['wall']:.1f}", f"{found['owa']:.3f}", f"{found['smape']:.2f}", f"{found['mase']:.3f}")
        rows.append([f"{limit:g}", *numbers, found["epochs"], found["best"]])
        print(rows[-1], flush=True)
    print(table(["limit, seconds", "wall", "OWA", "sMAPE", "MASE", "epochs", "best epoch"], rows))
    print(machine_line())


if __name__ == "__main__":
    main()
