"""Tasks of the Chronos zero-shot benchmark, of fev-bench, and further ones, through the public `Forecaster`.

    python benchmarks/accuracy/zero_shot.py FOLDER --held-back                       # all methods, on training parts
    python benchmarks/accuracy/zero_shot.py FOLDER --held-back --method pretrained   # half a minute
    python benchmarks/accuracy/zero_shot.py FOLDER --held-back --tasks ETT_1H ETT_15T --method pretrained

`--held-back` leaves the test part of each task out and scores the horizon before it: use it for all that is chosen.
Without it **test parts are scored**. Result files say which it was (`scored`), and the program refuses to score a
sixth release of the pretrained weights on test parts in one folder of results. For the methods see `methods.py`, for
the protocols `zero_shot_tasks.py`. Where there are several windows a forecaster is fitted once, before the first.
"""

import json
import sys
from collections.abc import Mapping

import numpy as np
import zero_shot_tasks as protocols
from methods import METHODS, contest, mean, options, scored, seconds_table, weights_key

from harness import machine, parse, table

TEST = "test"
HELD_BACK = "held back"
RELEASES_ON_TEST = 5
UNKNOWN = (np.nan, np.nan)
# MASE and WQL (of `ROLLING`: SQL) on test parts; NaN where none is known.
SOURCE = (
    "github autogluon/fev, result files of benchmarks/chronos_zeroshot and benchmarks/fev_bench"
)
SCORED_BY_OTHERS = ("TiRex", "Chronos-Bolt base", "AutoETS", "AutoTheta", "AutoARIMA")
_BY_TASK = {
    "ETTh": ((0.804, 0.0807), (0.748, 0.0706), (1.136, 0.1320), (0.825, 0.1330), (0.862, 0.0890)),
    "nn5": ((0.548, 0.1429), (0.576, 0.1500), (1.039, 0.2642), (1.046, 0.2937), (0.956, 0.2477)),
    "tourism_monthly": (
        (1.449, 0.0749),
        (1.528, 0.0903),
        (1.531, 0.1002),
        (1.666, 0.0910),
        (1.483, 0.0909),
    ),
    "tourism_quarterly": (
        (1.606, 0.0592),
        (1.756, 0.0645),
        (1.599, 0.0706),
        (1.648, 0.0612),
        (1.597, 0.0997),
    ),
    "m3_monthly": (
        (0.831, 0.0899),
        (0.851, 0.0927),
        (0.863, 0.0931),
        (0.855, 0.0947),
        (0.875, 0.0981),
    ),
    "m3_quarterly": (
        (1.154, 0.0699),
        (1.289, 0.0761),
        (1.144, 0.0703),
        (1.119, 0.0702),
        (1.192, 0.0765),
    ),
    "m3_yearly": (
        (2.710, 0.1264),
        (2.906, 0.1293),
        (2.695, 0.1294),
        (2.610, 0.1277),
        (2.890, 0.1558),
    ),
    "ETT_1H": ((1.118, 0.8736), (1.127, 0.9436), (1.602, 1.7645), (1.285, 2.0613), (1.262, 1.0524)),
    "ETT_15T": ((0.719, 0.568), (0.703, 0.574)),
    "ETT_1D": ((1.327, 1.101), (1.346, 1.132), (1.438, 1.356)),
    "uci_air_quality_1H": ((1.106, 0.865), (1.116, 0.899)),
    "M4 Hourly": ((np.nan, 0.020),),
    "car parts": ((np.nan, 0.992), (np.nan, 0.995), (np.nan, 1.34)),
}
Scores = Mapping[str, tuple[float, float]]
PUBLISHED = {
    method: {task: scores[place] for task, scores in _BY_TASK.items() if place < len(scores)}
    for place, method in enumerate(SCORED_BY_OTHERS)
}


def naive(folder, name, *, held_back):
    """Return the two scores of the seasonal naive forecast."""
    return protocols.shown_scores(
        name, protocols.naive_scores(protocols.read_windows(folder, name, held_back=held_back))
    )


def score_table(columns, naive):
    """Return a table of both scores by task, with the geometric means over the seasonal naive forecast.

    Args:
        columns: The scores of each method.
        naive: Those of the seasonal naive forecast, whose tasks are shown.
    """
    whole = {
        heading: {name: scores.get(name, UNKNOWN) for name in naive}
        for heading, scores in {**columns, "seasonal naive": naive}.items()
    }
    rows = [[name, *(_cell(*scores[name]) for scores in whole.values())] for name in naive]
    means = (protocols.geometric_means(scores, naive) for scores in whole.values())
    rows.append(["geometric mean over seasonal naive", *(_cell(*both, places=3) for both in means)])
    return table(["task", *whole], rows)


def _cell(mase, second, *, places=4):
    both = protocols.score_cell(mase, "{:.3f}"), protocols.score_cell(second, f"{{:.{places}f}}")
    return " / ".join(cell or "?" for cell in both) if any(both) else ""


def check_releases(folder):
    """Refuse to score test parts with a sixth release of the pretrained weights.

    Args:
        folder: Folder of the result files.
    """
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    seen = {one["weights"] for one in records if one.get("scored") == TEST and one["weights"]}
    print(
        f"scored: test parts. Releases of weights that were, in {folder}: {', '.join(sorted(seen)) or 'none'}"
    )
    if len(seen - {weights_key()}) >= RELEASES_ON_TEST:
        sys.exit(
            f"at most {RELEASES_ON_TEST} releases may be scored on test parts: choose with --held-back"
        )


def show(found, naive, *, held_back):
    """Print the tables of all results.

    Args:
        found: The records of each method and task.
        naive: The scores of the seasonal naive forecast.
        held_back: Whether they are those of training parts, for which nothing is published.
    """
    for group, second in (
        (protocols.TASKS, "WQL"),
        (protocols.ROLLING, "SQL"),
        (protocols.FURTHER, "WQL"),
    ):
        own = {name: scores for name, scores in naive.items() if name in group}
        if not own:
            continue
        columns = {
            method: {
                name: protocols.shown_scores(
                    name, {key: mean(by_task[name], key) for key in ("mase", "wql", "sql")}
                )
                for name in own
            }
            for method, by_task in found.items()
        }
        print(f"\nMASE / {second}, {HELD_BACK if held_back else TEST} parts\n")
        print(score_table({**columns, **({} if held_back else PUBLISHED)}, own))
    print("\n" + seconds_table(found))
    if not held_back:
        print(f"\npublished: {SOURCE}")
    print(machine())


def main():
    """Run what has not been run yet, each in a process of its own, and print tables."""
    parser = options(__doc__, "accuracy/zero_shot", METHODS, protocols.PROTOCOLS, protocols.TASKS)
    parser.add_argument(
        "--held-back", action="store_true", help="leave test parts out, score the horizon before"
    )
    arguments = parse(parser)
    held_back = arguments.held_back

    def measure(task, method, seed):
        return scored(
            protocols.read_windows(arguments.data, task, held_back=held_back), method, seed
        )

    if not (held_back or arguments.one):
        check_releases(arguments.results)
    described = {"scored": HELD_BACK if held_back else TEST}
    flags = ["--held-back"] * held_back
    found = contest(arguments, measure, described=described, flags=flags)
    base = {name: naive(arguments.data, name, held_back=held_back) for name in arguments.tasks}
    show(found, base, held_back=held_back)


if __name__ == "__main__":
    main()
