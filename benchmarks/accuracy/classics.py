"""Single series that everybody knows, beside statsforecast's automatic models: MASE over four cutoffs.

    make .venv-peers-libraries/.installed
    python benchmarks/accuracy/classics.py FOLDER
    python benchmarks/accuracy/classics.py FOLDER --method pretrained statsforecast-AutoETS --series co2 lynx

The last four cutoffs are a horizon apart; each method is fitted at each, on what is known there. The horizon is a
season for months and weeks, 8 quarters for ausbeer, 8 years for lynx and 10 for sunspots. MASE takes the mean absolute
error of the seasonal naive forecast before the cutoff, with the season of the frequency; yearly series have none. For
the methods see `methods.py`. Defaults of the forecaster were chosen on elnino, co2, lynx and sunspots, among others.
AutoARIMA on co2, whose season has 52 steps, takes more than ten minutes of a core.
"""

from functools import partial

import numpy as np
from methods import (
    METHODS,
    contest,
    forecaster,
    mean,
    options,
    record,
    seconds_so_far,
    seconds_table,
)
from zero_shot_tasks import geometric_means, read_named

from harness import LIBRARIES, check_environments, machine, parse, run_peer, table
from public_data import CLASSICS

CUTOFFS = 4
PEERS = tuple(
    f"statsforecast-{model}" for model in ("AutoETS", "AutoTheta", "AutoARIMA", "SeasonalNaive")
)


def cutoffs(folder, name):
    """Return a series as it stood at each cutoff, the earliest first."""
    task = read_named(folder, name)
    return [task.held_back(back) for back in reversed(range(CUTOFFS))]


def measure(folder, name, method, seed):
    """Forecast a series from each cutoff, by a forecaster of its own, and score the forecasts."""
    models = []
    points = []
    tasks = cutoffs(folder, name)
    for task in tasks:
        models.append(forecaster(method, task, seed).fit(task.frame()))
        points.append(task.matrix(models[-1].predict(), "seqcast"))
    seconds = seconds_so_far()
    each = [task.point_scores(point)["mase"] for task, point in zip(tasks, points, strict=True)]
    return record({"mase": float(np.mean(each)), "mase_by_cutoff": each}, seconds, models)


def naive_mase(folder, name):
    """Return the MASE of the seasonal naive forecast."""
    return float(
        np.mean(
            [task.point_scores(task.seasonal_naive())["mase"] for task in cutoffs(folder, name)]
        )
    )


def peer(folder, method, name):
    """Return the result of a model of statsforecast; it draws nothing at random."""
    found = run_peer(folder, name, method, "--cutoffs", str(CUTOFFS))
    return {**found, "seconds": found["whole_s"], "machine": machine()}


def show(found, naive):
    """Print the tables.

    Args:
        found: The records of each method and series.
        naive: The MASE of the seasonal naive forecast on each series.
    """
    mases = {
        method: {name: mean(by_name[name], "mase") for name in naive}
        for method, by_name in found.items()
    }
    mases["seasonal naive"] = naive
    rows = [
        [name, *CLASSICS[name][2:4], *(f"{scores[name]:.3f}" for scores in mases.values())]
        for name in naive
    ]
    base = {name: (value,) for name, value in naive.items()}
    means = [
        geometric_means({name: (scores[name],) for name in naive}, base)[0]
        for scores in mases.values()
    ]
    rows.append(["geometric mean over seasonal naive", "", "", *(f"{one:.3f}" for one in means)])
    print(table(["MASE", "horizon", "season", *mases], rows))
    print("\n" + seconds_table(found))
    print(machine())


def main():
    """Run what has not been run yet, each in a process of its own, and print tables."""
    arguments = parse(options(__doc__, "accuracy/classics", (*METHODS, *PEERS), CLASSICS))
    if set(arguments.method) & set(PEERS) and not arguments.one:
        check_environments(LIBRARIES)
    others = {method: partial(peer, arguments.data, method) for method in PEERS}
    own = partial(measure, arguments.data)
    files = ("accuracy/classics.py", "peers/accuracy_peer.py")
    found = contest(arguments, own, described={"cutoffs": CUTOFFS}, files=files, others=others)
    show(found, {name: naive_mase(arguments.data, name) for name in arguments.tasks})


if __name__ == "__main__":
    main()
