"""Other libraries' recurrent networks and automatic statistical models beside ours, in one run.

    make .venv-peers-libraries/.installed
    python benchmarks/accuracy/side_by_side.py --data FOLDER
    python benchmarks/accuracy/side_by_side.py --data FOLDER --quick --yardsticks nn5

Each model is trained on the training values of a competition and scored on its test values, a process of its own after
the other on all cores. Defaults are those of each library, `sensible` settings those of `peers/accuracy_peer.py`.
What would train for longer than --minutes is stopped there; ours is not.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import nn5
import numpy as np
import tourism
from competitions import score
from reporting import check_peers, code, machine_line, options, run_peer, table
from yardsticks import read_nn5, read_tourism

from seqcast.studies.cache import cached

YARDSTICKS: dict[str, Any] = {"nn5": (read_nn5, nn5.CHOSEN), "tourism": (read_tourism, tourism.CHOSEN)}
MODELS = (
    "neuralforecast-GRU",
    "neuralforecast-GRU-sensible",
    "darts-RNN",
    "darts-LSTM",
    "darts-GRU-sensible",
    "statsforecast-AutoETS",
    "statsforecast-AutoTheta",
)
OURS = ("out of the box", "one network")
SEEDLESS = ("statsforecast-AutoETS", "statsforecast-AutoTheta")
SCORES = ("mase", "smape", "mape", "seconds")


def peer(arguments: Any, yardstick: str, model: str, seed: int) -> dict[str, Any]:
    """Return a peer's scores."""
    quick = ["--quick"] if arguments.quick else []
    further = ["--seed", str(seed), "--minutes", str(arguments.minutes), *quick]
    return run_peer(arguments.data, yardstick, model, *further)


def ours(arguments: Any, yardstick: str, model: str, seed: int) -> dict[str, Any]:
    """Train one of ours."""
    read, chosen = YARDSTICKS[yardstick]
    return score(read(arguments.data), chosen[model], seed, quick=arguments.quick)


def main() -> None:
    parser = options(__doc__, "results/accuracy/side_by_side")
    parser.add_argument("--yardsticks", default="nn5;tourism", help="names with semicolons between")
    parser.add_argument("--models", default=";".join((*OURS, *MODELS)), help="names with semicolons between")
    parser.add_argument("--minutes", type=int, default=3, help="after which a peer's training is stopped")
    arguments = parser.parse_args()
    check_peers()
    for yardstick in arguments.yardsticks.split(";"):
        rows = []
        for model in arguments.models.split(";"):
            found = []
            for seed in range(1 if model in SEEDLESS else arguments.seeds):
                described = {"yardstick": yardstick, "quick": arguments.quick, "code": code()}
                if model not in OURS:
                    described["minutes"] = arguments.minutes
                own = partial(ours if model in OURS else peer, arguments, yardstick, model, seed)
                found.append(cached(arguments.results, f"{yardstick} {model}", seed, described, own, print))
            means = [np.mean([one[key] for one in found]) for key in SCORES]
            rows.append([model, *(f"{mean:.3f}" for mean in means[:1]), *(f"{mean:.2f}" for mean in means[1:3])])
            rows[-1] += [f"{mean:.0f}" for mean in means[3:]]
            print(rows[-1], flush=True)
        print(yardstick, table(["model", *SCORES], rows), sep="\n")
    print(machine_line())


if __name__ == "__main__":
    main()
