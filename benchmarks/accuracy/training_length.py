"""How long `preset="auto"` trains: epochs of its own network, and steps of the pretrained one's fine-tuning.

    python benchmarks/accuracy/training_length.py --data FOLDER --seeds 1    # half an hour on one core
    python benchmarks/accuracy/training_length.py --data FOLDER --tasks NN5 tourism

Forecasters of the yardsticks are fitted with nothing said, and with longer trainings in place of the rules'.
Quantile losses are those on the validation windows of the fit, by which candidates are compared; test parts are not
looked at.
"""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from pathlib import Path
from typing import Any

import etth
from reporting import code, machine_line, options, table
from yardsticks import (
    DECILE_LEVELS,
    ETT_CONTEXT,
    ETT_HORIZONS,
    read_ett,
    read_m4_hourly,
    read_nn5,
    read_tourism,
)

from seqcast import Forecaster
from seqcast.forecaster import defaults
from seqcast.pretrained import finetuning
from seqcast.studies.cache import cached

COMPETITIONS = {"M4 Hourly": read_m4_hourly, "NN5": read_nn5, "tourism": read_tourism}
FILES = ("yardsticks.py", "etth.py", "training_length.py")
HEADINGS = ["task", "seed", "training", "trained", "fine-tuned", "together", "seconds"]


@dataclasses.dataclass(frozen=True)
class Length:
    """How long is trained.

    Args:
        epochs: Most epochs of the network of its own, where an epoch is long.
        epochs_of_many: The same from a hundred thousand windows on.
        early_stopping: Epochs without a gain after which its training ends.
        finetuning_steps: Most steps of the fine-tuning.
        finetuning_epochs: Epochs that these are divided into.
    """

    epochs: int
    epochs_of_many: int
    early_stopping: int
    finetuning_steps: int
    finetuning_epochs: int

    def __str__(self) -> str:
        own = f"{self.epochs} or {self.epochs_of_many} epochs, {self.early_stopping} without a gain"
        return f"{own}; {self.finetuning_steps} steps"


LENGTHS = (Length(8, 12, 3, 120, 3), Length(20, 20, 5, 240, 6))


def fitted(data: Path, task: str, seed: int, *, quick: bool) -> Any:
    """Return the forecaster of a task."""
    given: dict[str, Any] = {"random_state": seed, "verbose": 0, "effort": "balanced"}
    given["training"] = {"epochs": 1, "steps_per_epoch": 3} if quick else None
    if task in COMPETITIONS:
        competition = COMPETITIONS[task](data)
        return Forecaster(competition.horizon, level=DECILE_LEVELS, **given).fit(competition.frame())
    frame = read_ett(data, task)
    known, held = etth.divided(frame.assign(channel=frame["unique_id"]), etth.LAST_BLOCK, later=False)
    return Forecaster(min(ETT_HORIZONS), context_length=ETT_CONTEXT, **given).fit(known, validation=held)


def measured(data: Path, task: str, length: Length, seed: int, *, quick: bool) -> dict[str, Any]:
    """Fit a task with trainings of some length; return the losses of its candidates, and the seconds."""
    defaults.SHORTER_EPOCHS, defaults.MORE_EPOCHS = length.epochs, length.epochs_of_many
    defaults.SHORTER_EARLY_STOPPING = length.early_stopping
    finetuning.MOST_STEPS_SHARED, finetuning.EPOCHS_SHARED = length.finetuning_steps, length.finetuning_epochs
    began = time.perf_counter()
    model = fitted(data, task, seed, quick=quick)
    return {"losses": dict(model.choice_.losses), "seconds": round(time.perf_counter() - began, 1)}


def main() -> None:
    parser = options(__doc__, "results/accuracy/training_length")
    tasks = [*COMPETITIONS, *etth.SETS]
    parser.add_argument("--tasks", nargs="+", choices=tasks, default=tasks)
    arguments = parser.parse_args()
    rows = []
    for task in arguments.tasks:
        for seed in range(arguments.seeds):
            for length in LENGTHS:
                described = {"length": dataclasses.asdict(length), "quick": arguments.quick, "code": code(FILES)}
                make = partial(measured, arguments.data, task, length, seed, quick=arguments.quick)
                found = cached(arguments.results, f"{task}, {length}", seed, described, make, print)
                losses = found["losses"]
                finetuned = losses.get("finetuned", losses.get("pretrained"))
                cells = [f"{each:.4g}" for each in (losses["trained"], finetuned, losses["blend"])]
                rows.append([task, seed, str(length), *cells, f"{found['seconds']:.0f}"])
                print(table(HEADINGS, rows[-1:]), flush=True)
    print(table(HEADINGS, rows))
    print(machine_line())


if __name__ == "__main__":
    main()
