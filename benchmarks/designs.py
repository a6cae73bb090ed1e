"""Which inputs and which zero serve a pretrained network best: designs that are trained alike and compared.

python benchmarks/designs.py --data FOLDER                       # all designs, three seeds: hours; goes on later
python benchmarks/designs.py --data FOLDER --designs corrected input phases --steps 500
python benchmarks/designs.py --data FOLDER --families --seeds 1 --steps 500  # without each family of series
python benchmarks/designs.py --show                              # tables of what there is

| design | the zero of forecasts | beside the last seasons it reads |
|---|---|---|
| corrected | the base | the base's models and their errors |
| no-autoregression | the base without autoregressions | the same without these |
| no-recent | the base without those of recent changes | the same without these |
| season-unit | the base, distances from it in units of a season's mean absolute difference | as `corrected` |
| input | the last season, or the last value; distances in units of a season | the base, its models and their errors |
| phases | the same | mean and spread by phase, of the season and of the longer one |
| corrected-phases | the base | what `corrected` and `phases` read |
| own-errors | as `corrected`, but all windows are trained on their own errors | |
| without FAMILY | as `corrected`, but series of this family do not count | |

All have the same network, number of steps, series and seeds, and are scored on the windows of `accuracy/held_back.py`,
on the 192 steps that a network learns to write. A design wins where its number is less by more than twice the standard
deviation over seeds; otherwise the simpler one is taken. The base's gains were chosen on windows of which six tasks of
longer steps are (`smoothing_gains.py`), so hours are the fairer half. What is kept belongs to the code it was made by.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).with_name("accuracy")))

import numpy as np
import numpy.typing as npt
from held_back import SOURCES, counts_of, deciles_of, halves, number, scores
from reporting import machine_line, table
from zero_shot_tasks import Task

import pretrain
from seqcast.data.synthetic import FAMILIES, Season, SyntheticBatch
from seqcast.data.windows import forward_fill
from seqcast.pretrained import PretrainedNetwork, ZeroShotWindows
from seqcast.pretrained.covariates import CovariateSizes
from seqcast.pretrained.inputs import (
    FUTURE,
    LEAST_AT_ONCE,
    PAST,
    STATIC,
    SeasonalInputs,
    inputs_around,
    pieces,
    season_again,
)
from seqcast.pretrained.seasonal_base import BASE_FORECASTS, SeasonalBase
from seqcast.pretrained.simple_forecasts import mean_of_known, zero_if_unknown
from seqcast.runtime import write_beside
from seqcast.specs import WindowSpec
from seqcast.studies.cache import cached, cached_path
from synthetic_windows import SyntheticBatches

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROOT = Path(__file__).resolve().parents[1]
OF_TRAINING = ("pretrain", "designs", "synthetic_windows")
SERIES = ("src/seqcast/data/synthetic/*.py",)
CODE = (*SERIES, "src/seqcast/pretrained/*.py", *(f"benchmarks/{name}.py" for name in OF_TRAINING))
WHAT_OF_PHASES = ("mean", "spread", "number of values")
DESIGNS = (
    "corrected",
    "no-autoregression",
    "no-recent",
    "season-unit",
    "input",
    "phases",
    "corrected-phases",
    "own-errors",
)
# Models with these words in their names are left out.
LEFT_OUT = {"no-autoregression": "autoregression", "no-recent": "recent autoregression"}
WITHOUT = {f"without {family}": family for family in FAMILIES}
PHASES = tuple(f"{what} by phase of the {which} season" for which in ("first", "longer") for what in WHAT_OF_PHASES)
LAST_SEASON = FUTURE.index("last season")
SURPRISE, RATIO_OF_UNITS = (
    PAST.index("value less the base one step ahead"),
    STATIC.index("unit against steps of a season"),
)
ERRORS = [place for place, name in enumerate(STATIC) if name.startswith("error of")]
# Largest distance from the last season, in the unit of the window: a trend goes far from it in a horizon.
FARTHEST_FROM_LAST = 100.0
# Steps of a horizon that a network learns to write.
WRITTEN = max(pretrain.HORIZONS)


@dataclass(frozen=True)
class LastSeason(SeasonalBase):
    """A base whose models are told, and whose forecast is the last season, or without one the last value.

    Args:
        season: Steps of the season of each window, `[B]`.
    """

    season: Integers

    @cached_property
    def forecast(self) -> Array:
        """The last season again and again, `[B, H]`; the newest value where it is not known."""
        again = season_again(self.values, self.season, self.models.forecasts.shape[1])
        return np.where(np.isnan(again), forward_fill(self.values[:, :, None])[:, -1], again)


def read(design: str, past: Array, season: Integers, longer: Integers, horizon: int) -> SeasonalInputs:
    """Return what the network of a design reads; arguments as for `seqcast.pretrained.inputs.seasonal_inputs`."""
    parts = pieces(len(past), past.shape[1], LEAST_AT_ONCE)
    return SeasonalInputs.concat([_of_few(design, past[rows], season[rows], longer[rows], horizon) for rows in parts])


def _of_few(design: str, past: Array, season: Integers, longer: Integers, horizon: int) -> SeasonalInputs:
    base = SeasonalBase.of(past, season, longer, horizon)
    unknown = np.zeros(len(BASE_FORECASTS), dtype=bool)
    if design == "phases":
        unknown[:] = True
    elif design in LEFT_OUT:
        unknown[:] = [LEFT_OUT[design] in name for name in BASE_FORECASTS]
    # What has no forecasts has no errors, and does not count.
    base = replace(base, models=base.models.mapped(lambda part: np.where(unknown, np.nan, part)))
    if design not in ("input", "phases"):
        whole = inputs_around(base, past, season, longer)
    else:
        zero = LastSeason(base.loc, base.scale, base.values, base.models, season)
        whole = in_units_of_seasons(inputs_around(zero, past, season, longer, farthest=FARTHEST_FROM_LAST))
        if design != "phases":
            # In place of the last season's distance from itself.
            distance = (base.forecast - zero.forecast) * base.scale / whole.unit
            whole.inputs["future"][:, :, LAST_SEASON] = np.clip(distance, -FARTHEST_FROM_LAST, FARTHEST_FROM_LAST)
    if design == "season-unit":
        whole = in_units_of_seasons(whole)
    phases = np.zeros((len(past), horizon, len(PHASES)))
    if design.endswith("phases"):
        zero_forecast = (whole.base - base.loc) / base.scale
        phases = of_phases(base.values, zero_forecast, whole.unit / base.scale, (season, longer), horizon)
    future = np.concatenate([whole.inputs["future"], phases.astype(np.float32)], axis=2)
    return replace(whole, inputs={**whole.inputs, "future": future})


def in_units_of_seasons(read: SeasonalInputs) -> SeasonalInputs:
    """Return the same inputs with distances from the base in units of a season's mean absolute difference."""
    inputs = {name: values.copy() for name, values in read.inputs.items()}
    logarithm = 2 * inputs["static"][:, RATIO_OF_UNITS]
    inputs["static"][:, RATIO_OF_UNITS] = 0.0
    inputs["static"][:, ERRORS] += logarithm[:, None] * (inputs["static"][:, ERRORS] != 0)
    grown = np.exp(logarithm)[:, None]
    inputs["past"][:, :, SURPRISE] = np.clip(inputs["past"][:, :, SURPRISE] * grown, -read.farthest, read.farthest)
    # All but the base itself and the numbers of steps.
    distances = slice(LAST_SEASON, FUTURE.index(BASE_FORECASTS[-1]) + 1)
    inputs["future"][:, :, distances] = np.clip(
        inputs["future"][:, :, distances] * grown[:, :, None], -read.farthest, read.farthest
    )
    return replace(read, inputs=inputs, unit=read.unit / grown)


def of_phases(values: Array, zero: Array, unit: Array, seasons: tuple[Integers, Integers], horizon: int) -> Array:
    """Return mean, spread and number of the values of each future step's phase, `[B, H, 6]`; zeros of unknown ones.

    Args:
        values: The known values in the windows' units, `[B, T]`; NaN is missing.
        zero: The zero of forecasts, `[B, H]`, in the same units.
        unit: The unit of distances from it, `[B, 1]`, in the same units.
        seasons: The season and the longer one, `[B]` each.
        horizon: Number of future steps, `H`.
    """
    columns = []
    for season in seasons:
        mean, spread, count = (np.full(zero.shape, np.nan) for _ in range(3))
        for steps in np.unique(season[season > 0]):
            rows = np.flatnonzero(season == steps)
            # The last whole season ends where the future begins.
            whole = -(-values.shape[1] // steps)
            before = np.full((len(rows), whole * steps - values.shape[1]), np.nan)
            by_phase = np.concatenate([before, values[rows]], axis=1).reshape(len(rows), whole, steps)
            center = mean_of_known(by_phase)
            places = np.arange(horizon) % steps
            mean[rows] = center[:, 0, places]
            spread[rows] = mean_of_known(np.abs(by_phase - center))[:, 0, places]
            count[rows] = (~np.isnan(by_phase)).sum(axis=1)[:, places]
        columns += [(mean - zero) / unit, spread / unit, np.log1p(count) / 3]
    found = np.clip(np.stack(columns, axis=2), -FARTHEST_FROM_LAST, FARTHEST_FROM_LAST)
    return np.asarray(zero_if_unknown(found))


@dataclass(frozen=True)
class DesignedNetwork(PretrainedNetwork):
    """A network that reads what its design says.

    Args:
        design: One of `DESIGNS`.
    """

    design: str = "corrected"

    @staticmethod
    def window(horizon: int, covariates: CovariateSizes | None = None) -> WindowSpec:
        """Return the sizes of the windows that such a network reads."""
        usual = PretrainedNetwork.window(horizon, covariates)
        return replace(usual, future=usual.future + len(PHASES))

    def _read(self, windows: ZeroShotWindows, past: Array, horizon: int) -> SeasonalInputs:
        return read(self.design, past, windows.season, windows.longer, horizon)


@dataclass(frozen=True)
class KeptBatches(SyntheticBatches):
    """Batches whose series are kept in files, since those of a seed are the same for all designs.

    Args:
        kept: The folder.
    """

    kept: Path = Path()

    def drawn(self, number: int, length: int, horizon: int) -> SyntheticBatch:
        """Return the series of a batch, of so many known steps and so many more."""
        path = self.kept / f"{self.seed}-{number}-{length}-{horizon}-{self.batch_size}.npz"
        if not path.is_file():
            batch = super().drawn(number, length, horizon)
            season = np.array([batch.season.length, batch.season.longer or 0])
            arrays = {"values": batch.values, "season": season, "families": batch.families}
            write_beside(path, lambda file: np.savez(file, **arrays))
        with np.load(path) as found:
            steps, longer = map(int, found["season"])
            return SyntheticBatch(found["values"], Season(steps, longer or None), found["families"])


def digest(patterns: Sequence[str]) -> str:
    """Return a digest of files of this repository: what is kept belongs to their code."""
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:8]


def described(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what results depend on beside design and seed."""
    names = ("steps", "width", "learning_rate")
    return {**{name: getattr(arguments, name) for name in names}, "code": digest(CODE)}


def measured(design: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a network of a design, or go on with it, and return its scores."""
    if arguments.data is None:
        sys.exit("there is a network to train and to score: give --data")
    folder = cached_path(arguments.out, design, seed, described(arguments)).with_suffix("")
    folder.mkdir(exist_ok=True)
    given = {"--seed": seed, "--out": folder}
    given |= {f"--{name.replace('_', '-')}": value for name, value in described(arguments).items() if name != "code"}
    options = pretrain.parser().parse_args([str(part) for pair in given.items() for part in pair])
    kept = arguments.out / f"series-{digest(SERIES)}"
    kept.mkdir(exist_ok=True)
    reading = "corrected" if design in WITHOUT else design
    batches = functools.partial(
        KeptBatches,
        read=functools.partial(read, reading),
        without=WITHOUT.get(design),
        borrowed=0.0 if design == "own-errors" else KeptBatches.borrowed,
        kept=kept,
    )
    engine, log = pretrain.train(options, window=DesignedNetwork.window(WRITTEN), batches=batches)
    network = DesignedNetwork(engine, design, pretrain.CONTEXTS, design=reading)
    # Beyond them it forecasts what it has not learnt to.
    near = {task: replace(source, horizon=min(source.horizon, WRITTEN)) for task, source in SOURCES.items()}
    tasks = {task: source.tasks(arguments.data) for task, source in near.items()}
    found, naive, counts = scores(tasks, deciles_of(network)), scores(tasks, Task.naive_deciles), counts_of(tasks)
    return {
        "number": number(found, naive, counts),
        **{name: number({task: found[task] for task in half}, naive, counts) for name, half in halves(found).items()},
        "loss": min(log["epochs"]["val_loss"]),
        "seconds": log["seconds"],
        "tasks": {task: np.divide(found[task], naive[task]).tolist() for task in found},
        "machine": machine_line(),
    }


def show(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return a table of designs: mean and standard deviation over seeds of their numbers, of all and of both halves."""
    keys = ("number", "hours and shorter", "longer steps", "loss")
    rows = []
    for design, records in found.items():
        values = np.array([[record[key] for key in keys] for record in records])
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(keys), np.nan)
        pairs = zip(values.mean(axis=0), spread, strict=True)
        rows.append([design, len(records), *(f"{mean:.4f} ± {deviation:.4f}" for mean, deviation in pairs)])
    return table(["design", "seeds", "number", "hours and shorter", "longer steps", "validation loss"], rows)


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--out", type=Path, default=Path("runs/designs"), help="folder of checkpoints and scores")
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument("--families", action="store_true", help="leave out each family of series instead")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.0025)
    parser.add_argument("--show", action="store_true", help="show what there is, train nothing")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in arguments.seeds:
        for design in WITHOUT if arguments.families else arguments.designs:
            if arguments.show and not cached_path(arguments.out, design, seed, described(arguments)).exists():
                continue
            measure = functools.partial(measured, design, seed, arguments)
            found.setdefault(design, []).append(cached(arguments.out, design, seed, described(arguments), measure))
            print(f"{design}, seed {seed}: {found[design][-1]['number']:.4f}", flush=True)
    print(show(found))
    print(machine_line())


if __name__ == "__main__":
    main()
