"""Tasks of the Chronos zero-shot benchmark, of fev-bench, and further ones, through the public `Forecaster`.

python benchmarks/accuracy/zero_shot.py FOLDER --held-back                       # all methods, on training parts
python benchmarks/accuracy/zero_shot.py FOLDER --held-back --method pretrained   # half a minute
python benchmarks/accuracy/zero_shot.py FOLDER --held-back --tasks ETT_1H ETT_15T --method pretrained

`--held-back` leaves the test part of each task out and scores the horizon before it: use it for all that is chosen.
Without it **test parts are scored**. Result files say which it was (`scored`), and the program refuses to score a
sixth release of the pretrained weights on test parts in one folder of results. For the methods see `methods.py`, for
the protocols `zero_shot_tasks.py`. Where there are several windows a forecaster is fitted once, before the first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from methods import METHODS, mean, options, results, scored, weights_key
from reporting import machine_line, table
from zero_shot_tasks import (
    FURTHER,
    PROTOCOLS,
    ROLLING,
    TASKS,
    geometric_means,
    naive_mean_scores,
    read_windows,
    score_cell,
    shown_scores,
)

TEST, HELD_BACK = "test", "held back"
RELEASES_ON_TEST = 5
# MASE and WQL (of `ROLLING`: SQL) on test parts; NaN where none is known.
SOURCE = "github autogluon/fev, result files of benchmarks/chronos_zeroshot and benchmarks/fev_bench"
PUBLISHED = {
    "TiRex": {
        "ETTh": (0.804, 0.0807),
        "nn5": (0.548, 0.1429),
        "tourism_monthly": (1.449, 0.0749),
        "tourism_quarterly": (1.606, 0.0592),
        "m3_monthly": (0.831, 0.0899),
        "m3_quarterly": (1.154, 0.0699),
        "m3_yearly": (2.710, 0.1264),
        "ETT_1H": (1.118, 0.8736),
        "ETT_15T": (0.719, 0.568),
        "ETT_1D": (1.327, 1.101),
        "uci_air_quality_1H": (1.106, 0.865),
        "M4 Hourly": (np.nan, 0.020),
        "car parts": (np.nan, 0.992),
    },
    "Chronos-Bolt base": {
        "ETTh": (0.748, 0.0706),
        "nn5": (0.576, 0.1500),
        "tourism_monthly": (1.528, 0.0903),
        "tourism_quarterly": (1.756, 0.0645),
        "m3_monthly": (0.851, 0.0927),
        "m3_quarterly": (1.289, 0.0761),
        "m3_yearly": (2.906, 0.1293),
        "ETT_1H": (1.127, 0.9436),
        "ETT_15T": (0.703, 0.574),
        "ETT_1D": (1.346, 1.132),
        "uci_air_quality_1H": (1.116, 0.899),
        "car parts": (np.nan, 0.995),
    },
    "AutoETS": {
        "ETTh": (1.136, 0.1320),
        "nn5": (1.039, 0.2642),
        "tourism_monthly": (1.531, 0.1002),
        "tourism_quarterly": (1.599, 0.0706),
        "m3_monthly": (0.863, 0.0931),
        "m3_quarterly": (1.144, 0.0703),
        "m3_yearly": (2.695, 0.1294),
        "ETT_1H": (1.602, 1.7645),
        "ETT_1D": (1.438, 1.356),
        "car parts": (np.nan, 1.34),
    },
    "AutoTheta": {
        "ETTh": (0.825, 0.1330),
        "nn5": (1.046, 0.2937),
        "tourism_monthly": (1.666, 0.0910),
        "tourism_quarterly": (1.648, 0.0612),
        "m3_monthly": (0.855, 0.0947),
        "m3_quarterly": (1.119, 0.0702),
        "m3_yearly": (2.610, 0.1277),
        "ETT_1H": (1.285, 2.0613),
    },
    "AutoARIMA": {
        "ETTh": (0.862, 0.0890),
        "nn5": (0.956, 0.2477),
        "tourism_monthly": (1.483, 0.0909),
        "tourism_quarterly": (1.597, 0.0997),
        "m3_monthly": (0.875, 0.0981),
        "m3_quarterly": (1.192, 0.0765),
        "m3_yearly": (2.890, 0.1558),
        "ETT_1H": (1.262, 1.0524),
    },
}

Scores = Mapping[str, tuple[float, float]]


def measure(folder: Path, name: str, method: str, seed: int, *, held_back: bool) -> dict[str, Any]:
    """Forecast a task and score it."""
    return scored(read_windows(folder, name, held_back=held_back), method, seed)


def naive(folder: Path, name: str, *, held_back: bool) -> tuple[float, float]:
    """Return the two scores of the seasonal naive forecast."""
    return shown_scores(name, naive_mean_scores(read_windows(folder, name, held_back=held_back)))


def score_table(columns: Mapping[str, Scores], naive: Scores) -> str:
    """Return a table of both scores by task, with the geometric means over the seasonal naive forecast.

    Args:
        columns: The scores of each method.
        naive: Those of the seasonal naive forecast, whose tasks are shown.
    """
    unknown = (np.nan, np.nan)
    whole = {
        heading: {name: scores.get(name, unknown) for name in naive}
        for heading, scores in {**columns, "seasonal naive": naive}.items()
    }
    rows = [[name, *(_cell(*scores[name]) for scores in whole.values())] for name in naive]
    means = (geometric_means(scores, naive) for scores in whole.values())
    rows.append(["geometric mean over seasonal naive", *(_cell(*both, places=3) for both in means)])
    return table(["task", *whole], rows)


def _cell(mase: float, second: float, *, places: int = 4) -> str:
    both = score_cell(mase, "{:.3f}"), score_cell(second, f"{{:.{places}f}}")
    return " / ".join(cell or "?" for cell in both) if any(both) else ""


def check_releases(folder: Path) -> None:
    """Refuse to score test parts with a sixth release of the pretrained weights.

    Args:
        folder: Folder of the result files.
    """
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    seen = {one["weights"] for one in records if one.get("scored") == TEST and one["weights"]}
    print(f"scored: test parts. Releases of weights that were, in {folder}: {', '.join(sorted(seen)) or 'none'}")
    if len(seen - {weights_key()}) >= RELEASES_ON_TEST:
        sys.exit(f"at most {RELEASES_ON_TEST} releases may be scored on test parts: choose with --held-back")


def show(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], naive: Scores, *, held_back: bool) -> None:
    """Print the tables of all results.

    Args:
        found: The records of each method and task.
        naive: The scores of the seasonal naive forecast.
        held_back: Whether they are those of training parts, for which nothing is published.
    """
    for group, second in ((TASKS, "WQL"), (ROLLING, "SQL"), (FURTHER, "WQL")):
        own = {name: scores for name, scores in naive.items() if name in group}
        if not own:
            continue
        columns: dict[str, Scores] = {
            method: {
                name: shown_scores(name, {key: mean(by_task[name], key) for key in ("mase", "wql", "sql")})
                for name in own
            }
            for method, by_task in found.items()
        }
        print(f"\nMASE / {second}, {HELD_BACK if held_back else TEST} parts\n")
        print(score_table({**columns, **({} if held_back else PUBLISHED)}, own))
    print("\nseconds of the process\n")
    seconds = [[name, *(f"{mean(found[method][name], 'seconds'):.0f}" for method in found)] for name in naive]
    print(table(["task", *found], seconds))
    if not held_back:
        print(f"\npublished: {SOURCE}")
    print(machine_line())


def main() -> None:
    """Run what has not been run yet, each in a process of its own, and print tables."""
    parser = options(__doc__, "results/accuracy/zero_shot", METHODS)
    parser.add_argument("--tasks", nargs="+", choices=list(PROTOCOLS), default=list(TASKS), help="(default seven)")
    parser.add_argument("--held-back", action="store_true", help="leave test parts out, score the horizon before")
    arguments = parser.parse_args()
    held_back = arguments.held_back
    if arguments.one:
        name, method, seed = arguments.one
        print(json.dumps(measure(arguments.folder, name, method, int(seed), held_back=held_back)))
        return
    if not held_back:
        check_releases(arguments.out)
    described = {"scored": HELD_BACK if held_back else TEST}
    flags = ("--held-back",) if held_back else ()
    found = {
        method: {
            name: results(
                arguments, name, method, described=described, files=("zero_shot_tasks.py", "yardsticks.py"), flags=flags
            )
            for name in arguments.tasks
        }
        for method in arguments.method
    }
    show(
        found,
        {name: naive(arguments.folder, name, held_back=held_back) for name in arguments.tasks},
        held_back=held_back,
    )


if __name__ == "__main__":
    main()
