"""Which inputs serve a pretrained network best: designs that are trained alike and compared.

    python pretraining/designs.py --data FOLDER    # all designs, three seeds: hours; continues
    python pretraining/designs.py --data FOLDER --designs corrected no-recent --steps 500
    python pretraining/designs.py --data FOLDER --families --seeds 1 --steps 500
    python pretraining/designs.py --show           # tables of what there is

`--families` leaves out each family of series instead.

| design | the zero of forecasts | besides the last seasons it reads |
|---|---|---|
| corrected | the base | the base's models and their errors |
| own-errors | as `corrected`, but all windows are trained on their own errors | |
| no-autoregression | the base without autoregressions | the same without these |
| no-recent | the base without those of recent changes | the same without these |
| without FAMILY | as `corrected`, but series of this family do not count | |

All have the same network, number of steps, series and seeds, and are scored on the windows of
`held_back.py`, on the 192 steps that a network learns to write. A design wins where its number is
less by more than twice the standard deviation over seeds; otherwise the simpler one is taken.
Result files depend on the code.
"""

import functools
import hashlib
import itertools
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import numpy as np

import pretrain
from harness import ROOT, kept, kept_path, machine, options, table
from held_back import SOURCES, Task, counts_of, deciles_of, halves, number, scores
from seqcast.pretrained import PretrainedNetwork
from seqcast.pretrained.seasonal_base import BASE_FORECASTS, SeasonalBase
from seqcast.pretrained.seasonal_inputs import LEAST_AT_ONCE, SeasonalInputs, inputs_around, pieces
from synthetic import FAMILIES
from synthetic_windows import SyntheticBatches

# Files on which results depend.
CODE = ("pretraining/**/*.py", "src/seqcast/pretrained/*.py")
# The designs of the table above.
DESIGNS = ("corrected", "own-errors", "no-autoregression", "no-recent")
# Models with these words in their names are left out.
LEFT_OUT = {"no-autoregression": "autoregression", "no-recent": "recent autoregression"}
# The family that each of the other designs leaves out.
WITHOUT = {f"without {family}": family for family in FAMILIES}
# Steps of a horizon that a network learns to write.
WRITTEN = max(pretrain.HORIZONS)


def read(design, past, season, longer, horizon):
    """Return what the network of a design reads; arguments as for `seasonal_inputs`."""
    parts = pieces(len(past), past.shape[1], LEAST_AT_ONCE)
    return SeasonalInputs.concat(
        [read_few(design, past[rows], season[rows], longer[rows], horizon) for rows in parts]
    )


def read_few(design, past, season, longer, horizon):
    base = SeasonalBase.of(past, season, longer, horizon)
    left_out = [LEFT_OUT.get(design, "no such model") in name for name in BASE_FORECASTS]
    # What has no forecasts has no errors, and does not count.
    base = replace(base, models=base.models.mapped(lambda part: np.where(left_out, np.nan, part)))
    return inputs_around(base, past, season, longer)


@dataclass(frozen=True)
class DesignedNetwork(PretrainedNetwork):
    """A network that reads what its design says.

    Args:
        design: One of `DESIGNS`.
    """

    design: str = "corrected"

    def _read(self, windows, past, horizon):
        return read(self.design, past, windows.season, windows.longer, horizon)


def described(given):
    """Return what results depend on besides design and seed."""
    paths = sorted(path for pattern in CODE for path in ROOT.glob(pattern))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:8]
    return {
        "steps": given.steps,
        "width": given.width,
        "learning_rate": given.learning_rate,
        "code": digest,
    }


def measured(design, seed, given, path):
    """Train a network of a design, or go on with it, and return its scores."""
    if given.data is None:
        sys.exit("there is a network to train and to score: give --data")

    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    typed = ["--seed", seed, "--out", folder, "--steps", given.steps, "--width", given.width]
    typed += ["--learning-rate", given.learning_rate]
    arguments = pretrain.parser().parse_args(list(map(str, typed)))
    reading = "corrected" if design in WITHOUT else design
    batches = functools.partial(
        SyntheticBatches,
        read=functools.partial(read, reading),
        without=WITHOUT.get(design),
        borrowed=0.0 if design == "own-errors" else SyntheticBatches.borrowed,
    )
    engine, log = pretrain.train(
        arguments, window=PretrainedNetwork.window(WRITTEN), batches=batches
    )
    network = DesignedNetwork(engine, design, pretrain.CONTEXTS, design=reading)

    # Beyond them it forecasts what it has not learned to.
    near = {
        task: replace(source, horizon=min(source.horizon, WRITTEN))
        for task, source in SOURCES.items()
    }
    tasks = {task: source.tasks(given.data) for task, source in near.items()}
    found = scores(tasks, deciles_of(network))
    naive = scores(tasks, Task.naive_deciles)
    counts = counts_of(tasks)

    return {
        "number": number(found, naive, counts),
        **{
            name: number({task: found[task] for task in half}, naive, counts)
            for name, half in halves(found).items()
        },
        "loss": min(log["epochs"]["val_loss"]),
        "seconds": log["seconds"],
        "tasks": {task: np.divide(found[task], naive[task]).tolist() for task in found},
        "machine": machine(),
    }


def show(found):
    """Return a table of designs: mean and deviation over seeds, of all tasks and both halves."""
    keys = ("number", "hours and shorter", "longer steps", "loss")
    rows = []
    for design, records in found.items():
        values = np.array([[record[key] for key in keys] for record in records])
        spread = np.full(len(keys), np.nan)
        if len(values) > 1:
            spread = values.std(axis=0, ddof=1)
        pairs = zip(values.mean(axis=0), spread, strict=True)
        rows.append(
            [design, len(records), *(f"{mean:.4f} ± {deviation:.4f}" for mean, deviation in pairs)]
        )
    return table(
        ["design", "seeds", "number", "hours and shorter", "longer steps", "validation loss"], rows
    )


def main():
    """Train and compare."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/designs"), help="folder of checkpoints and scores"
    )
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument(
        "--families", action="store_true", help="leave out each family of series instead"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.0025)
    parser.add_argument("--show", action="store_true", help="show what there is, train nothing")
    given = parser.parse_args()

    found = {}
    designs = WITHOUT if given.families else given.designs
    for seed, design in itertools.product(given.seeds, designs):
        key = (given.out, design, seed, described(given))
        path = kept_path(*key)
        if path.exists() or not given.show:
            record = kept(*key, functools.partial(measured, design, seed, given, path))
            found.setdefault(design, []).append(record)
            print(f"{design}, seed {seed}: {record['number']:.4f}", flush=True)
    print(show(found))
    print(machine())


if __name__ == "__main__":
    main()
