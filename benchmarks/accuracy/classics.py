"""Single series that everybody knows, beside statsforecast's automatic models: MASE over four cutoffs.

    make .venv-peers-libraries/.installed
    python benchmarks/accuracy/classics.py FOLDER
    python benchmarks/accuracy/classics.py FOLDER --method pretrained statsforecast-AutoETS --series co2 lynx

The last four cutoffs, a horizon apart; each method is fitted anew at each, on what is known there. The horizon is a
season for months and weeks, 8 quarters for ausbeer, 8 years for lynx and 10 for sunspots. MASE takes the mean absolute
error of the seasonal naive forecast before the cutoff, with the season of the frequency; yearly series have none. For
the methods see `methods.py`. Defaults of the forecaster were chosen on elnino, co2, lynx and sunspots, among others.
AutoARIMA on co2, whose season has 52 steps, takes more than ten minutes of a core.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from methods import METHODS, forecaster, mean, options, record, results, seconds_so_far
from reporting import check_peers, code, machine_line, run_peer, table
from yardsticks import CLASSICS, read_classic
from zero_shot_tasks import geometric_means

from seqcast.studies.cache import cached

CUTOFFS = 4
PEERS = tuple(f"statsforecast-{model}" for model in ("AutoETS", "AutoTheta", "AutoARIMA", "SeasonalNaive"))
DESCRIBED = {"cutoffs": CUTOFFS}


def measure(folder: Path, name: str, method: str, seed: int) -> dict[str, Any]:
    """Forecast a series from each cutoff, by a forecaster of its own, and score the forecasts."""
    models, points, parts = [], [], read_classic(folder, name).cutoffs(CUTOFFS)
    for part in parts:
        frame = part.frame()
        model = forecaster(method, part.horizon, part.season, [len(frame)], seed)
        points.append(part.matrix(model.fit(frame).predict(), "seqcast"))
        models.append(model)
    seconds = seconds_so_far()
    each = [part.scores(point)["mase"] for part, point in zip(parts, points, strict=True)]
    return record({"mase": float(np.mean(each)), "mase_by_cutoff": each}, seconds, models)


def naive_mase(folder: Path, name: str) -> float:
    """Return the MASE of the seasonal naive forecast."""
    parts = read_classic(folder, name).cutoffs(CUTOFFS)
    return float(np.mean([part.scores(part.seasonal_naive())["mase"] for part in parts]))


def peer(arguments: Any, name: str, method: str) -> list[dict[str, Any]]:
    """Return the result of a model of statsforecast; it draws nothing at random."""
    run = partial(run_peer, arguments.folder, name, method, "--cutoffs", str(CUTOFFS))

    def measured() -> dict[str, Any]:
        found = run()
        return {**found, "seconds": found["whole_s"], "machine": machine_line()}

    described = {"task": name, "method": method, **DESCRIBED}
    described["code"] = code(("yardsticks.py", "../peers/accuracy_peer.py"))
    return [cached(arguments.out, f"{name} {method}", 0, described, measured, print)]


def show(found: Mapping[str, Mapping[str, Any]], naive: Mapping[str, float]) -> None:
    """Print the tables.

    Args:
        found: The records of each method and series.
        naive: The MASE of the seasonal naive forecast on each series.
    """
    mases = {method: {name: mean(by_name[name], "mase") for name in naive} for method, by_name in found.items()}
    mases["seasonal naive"] = dict(naive)
    rows = [
        [name, CLASSICS[name][2], CLASSICS[name][3], *(f"{scores[name]:.3f}" for scores in mases.values())]
        for name in naive
    ]
    base = {name: (value,) for name, value in naive.items()}
    means = [geometric_means({name: (scores[name],) for name in naive}, base)[0] for scores in mases.values()]
    rows.append(["geometric mean over seasonal naive", "", "", *(f"{one:.3f}" for one in means)])
    print(table(["MASE", "horizon", "season", *mases], rows))
    seconds = [[name, *(f"{mean(by_name[name], 'seconds'):.0f}" for by_name in found.values())] for name in naive]
    print("\n" + table(["seconds of the process", *found], seconds))
    print(machine_line())


def main() -> None:
    """Run what has not been run yet, each in a process of its own, and print tables."""
    parser = options(__doc__, "results/accuracy/classics", (*METHODS, *PEERS))
    parser.add_argument("--series", nargs="+", choices=list(CLASSICS), default=list(CLASSICS), help="(default all)")
    arguments = parser.parse_args()
    if arguments.one:
        name, method, seed = arguments.one
        print(json.dumps(measure(arguments.folder, name, method, int(seed))))
        return
    if any(method in PEERS for method in arguments.method):
        check_peers()
    ours = partial(results, arguments, described=DESCRIBED, files=("classics.py", "yardsticks.py"))
    found = {
        method: {
            name: peer(arguments, name, method) if method in PEERS else ours(name, method) for name in arguments.series
        }
        for method in arguments.method
    }
    show(found, {name: naive_mase(arguments.folder, name) for name in arguments.series})


if __name__ == "__main__":
    main()
