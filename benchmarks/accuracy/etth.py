"""ETTh1 and ETTh2 from 96 hours: every test window of four horizons, mean squared and mean absolute error.

    python benchmarks/accuracy/etth.py --data FOLDER              # both, three seeds
    python benchmarks/accuracy/etth.py --data FOLDER --quick      # proves the path
    python benchmarks/accuracy/etth.py --data FOLDER --explore    # candidates on validation windows, one seed

Each column is a series of its own, told by a static covariate; forecasts go through `Forecaster.backtest` with the
fitted weights, stride 1. Training rows end where validation rows begin; the best epoch is chosen on these. Explorations
can hold out earlier rows (--blocks), and train on those behind them as well (--later).
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from competitions import BEST, DECAYING, MEANS_OF_SEEDS, OUT_OF_THE_BOX, ZEROS, Candidate, width
from reporting import code, machine_line, options, peak_mib, table
from yardsticks import (
    ETT_CONTEXT,
    ETT_HORIZONS,
    ETT_TEST,
    ETT_TRAIN,
    ETT_VALIDATION,
    ett_proof,
    ett_truth,
    mse_mae,
    read_ett,
)

from seqcast import Columns, Forecaster, NetworkSpec
from seqcast.studies.cache import cached, cached_path

SETS = ("ETTh1", "ETTh2")
# What is known: MSE and MAE, average over the four horizons.
PUBLISHED = {
    "ETTh1": {"SegRNN": (0.417, 0.428), "CycleNet-Linear": (0.433, 0.428), "iTransformer": (0.454, 0.448)},
    "ETTh2": {"SegRNN": (0.373, 0.404), "CycleNet-Linear": (0.409, 0.415), "iTransformer": (0.383, 0.407)},
}
# Rows of validation, and which of the blocks of as many rows they are: the first is block 0.
BLOCK = ETT_VALIDATION - ETT_TRAIN
LAST_BLOCK = ETT_TRAIN // BLOCK
WINDOWS_AT_ONCE = 50_000  # rows of a backtest's frame, over a series' horizon

ENSEMBLES = {
    **MEANS_OF_SEEDS,
    "128, MAE and MSE, their mean": ("128 MAE", "width 128"),
    "three of the brief, their mean": ("brief", "brief squared error", "brief level"),
}

BASE = Candidate(
    network={
        **width(256),
        "normalise": "last",
        "segment": 24,
        "decoder_input": "position",
        "decoding": "parallel",
        "dropout": 0.5,
    },
    training={"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 256, "epochs": 12, "early_stopping": 5},
    options={"static_covariates": ("channel",), "scale": "none"},
)
SLOW = {"learning_rate": 3e-4, "steps_per_epoch": 100, "epochs": 10, "early_stopping": 3}
SHORT = {"steps_per_epoch": 100, "early_stopping": 3}
LIGHT = BASE.changed(width(128), {"loss": "mae"})
BRIEF = LIGHT.changed(training=SHORT)
RECENT = BRIEF.changed({"normalise": "recent"})
HUBER = RECENT.changed(training={"loss": "huber"})
LEVEL = BRIEF.changed({"normalise": "level"})
NEAR = LEVEL.changed(training=DECAYING)
WIDE = NEAR.changed(width(256))
CALM = WIDE.changed(training={"learning_rate": 5e-4})
CANDIDATES = {
    "out of the box, best": BEST,
    "base": BASE,
    "instance": BASE.changed({"normalise": "instance"}),
    "128 MAE": LIGHT,
    "128 MAE level": LIGHT.changed({"normalise": "level"}),
    "128 MAE recent": LIGHT.changed({"normalise": "recent"}),
    "128 MAE dropout .3": LIGHT.changed({"dropout": 0.3}),
    "128 MAE rate 3e-4": LIGHT.changed(training={"learning_rate": 3e-4}),
    "128 MAE instance": LIGHT.changed({"normalise": "instance"}),
    "128 MAE instance residual": LIGHT.changed({"normalise": "instance", "residual": "gated"}, season_length=24),
    "128 MAE recent dropout .3": LIGHT.changed({"normalise": "recent", "dropout": 0.3}),
    "slow": LIGHT.changed({"dropout": 0.3}, SLOW),
    "slow recent": LIGHT.changed({"normalise": "recent", "dropout": 0.3}, SLOW),
    "128 MAE gated": LIGHT.changed({"residual": "gated"}, season_length=24),
    "128 MAE 4 members": LIGHT.changed(members=4),
    "no channel": BASE.changed(static_covariates=()),
    "width 128": BASE.changed(width(128)),
    "dropout .2": BASE.changed({"dropout": 0.2}),
    "segments of 12": BASE.changed({"segment": 12}),
    "MAE": BASE.changed(training={"loss": "mae"}),
    "128 MAE mixed": LIGHT.changed(static_covariates=(), mixed=True),
    "128 MAE recurrent": LIGHT.changed({"decoding": "recurrent"}),
    "128 MAE zeros": LIGHT.changed(ZEROS),
    "128 MAE two layers": LIGHT.changed(width(128, 128)),
    "128 MAE two layers, zeros": LIGHT.changed({**width(128, 128), **ZEROS}),
    "128 Huber": LIGHT.changed(training={"loss": "huber"}),
    "brief": BRIEF,
    "brief recent": RECENT,
    "brief recent squared error": RECENT.changed(training={"loss": "mse"}),
    "brief recent Huber": HUBER,
    "brief recent Huber, gated": HUBER.changed({"residual": "gated"}, season_length=24),
    "brief recent Huber, two layers": HUBER.changed(width(128, 128)),
    "brief recent squared error, gated": RECENT.changed({"residual": "gated"}, {"loss": "mse"}, season_length=24),
    "brief recent squared error, 24 epochs": RECENT.changed(training={"loss": "mse", "epochs": 24}),
    "brief two layers": BRIEF.changed(width(128, 128)),
    "brief level": LEVEL,
    "brief level, hour": LEVEL.changed(calendar=("hour_of_day",)),
    "near": NEAR,
    "near, decay of 1": NEAR.changed(training={"horizon_decay": 1.0}),
    "near, 64": NEAR.changed(width(64)),
    "near, two layers": NEAR.changed(width(128, 128)),
    "near, Huber": NEAR.changed(training={"loss": "huber"}),
    "near, segments of 48": NEAR.changed({"segment": 48}),
    "near, recent": NEAR.changed({"normalise": "recent"}),
    "near, 256": WIDE,
    "near, 512": NEAR.changed(width(512)),
    "near, two layers of 256": NEAR.changed(width(256, 256)),
    "near, 256, batches of 128": WIDE.changed(training={"batch_size": 128}),
    "near, 256, short epochs": WIDE.changed(training={"steps_per_epoch": 50, "epochs": 24, "early_stopping": 5}),
    "near, 256, half the rate": CALM,
    "near, 256, half the rate, recent": CALM.changed({"normalise": "recent"}),
    "brief zeros": BRIEF.changed(ZEROS),
    "brief gated": BRIEF.changed({"residual": "gated"}, season_length=24),
    "brief squared error": BRIEF.changed(training={"loss": "mse"}),
    "brief large batches": BRIEF.changed(training={"batch_size": 1024, "steps_per_epoch": 40}),
}
CHOSEN: dict[str, Candidate | dict[str, Candidate]] = {
    "out of the box": OUT_OF_THE_BOX,
    "one network": {
        "ETTh1": CALM,
        "ETTh2": NEAR.changed({"normalise": "recent"}),
    },
}


def score(
    data: Path,
    name: str,
    horizon: int,
    chosen: Candidate,
    seed: int,
    *,
    block: int,
    later: bool,
    test: bool,
    quick: bool,
) -> tuple[dict[str, Any], np.ndarray]:
    """Train on one horizon; return scores and forecasts of validation windows, or of test windows if that is wanted.

    Validation windows are those of a block of rows, see `divided`.
    """
    truth = read_ett(data, name)
    given = {"context_length": ETT_CONTEXT, **chosen.options}
    mixed = given.pop("mixed", False)
    frame = as_targets(truth) if mixed else truth.assign(channel=truth["unique_id"])
    known, held = divided(frame, block, later=later)
    training = {**chosen.training, **({"epochs": 1, "steps_per_epoch": 3} if quick else {})}
    began = time.perf_counter()
    if chosen.network:
        given = {"calendar": "none", **given, "preset": NetworkSpec(**chosen.network), "level": ()}
    if mixed:
        given["columns"] = Columns(y=tuple(frame.columns[2:]))
    model = Forecaster(horizon, training=training or None, random_state=seed, verbose=0, **given)
    model.fit(known, validation=held)
    fitted = time.perf_counter() - began
    first = block * BLOCK
    rows = between(frame, first - ETT_CONTEXT, first + BLOCK)
    seen = arranged(model.predict_insample(rows.groupby("unique_id").tail(horizon + 20) if quick else rows), horizon)
    outcome = {
        "validation": mse_mae(seen, held_truth(truth, horizon, block)[-len(seen) :]),
        "epochs": len(model.history_.epochs["loss"]),
        "weights": sum(engine.weight_count for engine in model.engines_),
        "fit_s": round(fitted, 1),
    }
    if test:
        seen = forecasts(model, frame, quick=quick)
        outcome["test"] = mse_mae(seen, ett_truth(truth, horizon)[-len(seen) :])
    return {**outcome, "seconds": round(time.perf_counter() - began, 1), "peak_mib": peak_mib()}, seen


def as_targets(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns as targets of one series."""
    wide = frame.pivot(index="ds", columns="unique_id", values="y").reset_index()
    return wide.rename_axis(columns=None).assign(unique_id="ETT")[["unique_id", *wide.columns]]


def between(frame: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Return the rows of each series from one number to another."""
    return frame[frame["ds"].isin(frame["ds"].drop_duplicates().iloc[first:last])]


def held_truth(frame: pd.DataFrame, horizon: int, block: int) -> np.ndarray:
    """Return the truth of every window of a block that was held out, `[windows, H, 7]`."""
    return ett_truth(frame, horizon, first=block * BLOCK, last=(block + 1) * BLOCK)


def divided(frame: pd.DataFrame, block: int, *, later: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that are trained on, and the block that is held out.

    They are those before it, or if that is wanted all others before the test part: those after the block are then
    series of their own, so that no window spans it.
    """
    first = block * BLOCK
    known = between(frame, 0, first)
    if later:
        after = between(frame, first + BLOCK, ETT_VALIDATION)
        known = pd.concat([known, after.assign(unique_id=after["unique_id"] + ", later")])
    return known, between(frame, first, first + BLOCK)


def arranged(result: pd.DataFrame, horizon: int) -> np.ndarray:
    """Return a backtest's forecasts, `[windows, H, 7]`."""
    column = "target" if "target" in result else "unique_id"
    ordered = result.sort_values([column, "cutoff", "ds"], kind="stable")
    values: np.ndarray = ordered["seqcast"].to_numpy().reshape(ordered[column].nunique(), -1, horizon)
    return values.transpose(1, 2, 0)


def forecasts(model: Any, frame: pd.DataFrame, *, quick: bool) -> np.ndarray:
    """Forecast every test window, `[windows, H, 7]`, some at a time."""
    horizon = model.horizon
    ends = np.arange(ETT_TEST - 20 if quick else ETT_VALIDATION + horizon - 1, ETT_TEST)
    made = []
    for some in np.array_split(ends, max(1, len(ends) * horizon // WINDOWS_AT_ONCE)):
        known = between(frame, some[0] + 1 - horizon - model.context_length_, some[-1] + 1)
        made.append(arranged(model.backtest(known, n_windows=len(some), step_size=1, refit="never"), horizon))
    return np.concatenate(made)


def main() -> None:
    parser = options(__doc__, "results/accuracy/etth")
    parser.add_argument("--only", choices=SETS, help="one of the two")
    parser.add_argument("--horizons", type=numbers, default=ETT_HORIZONS)
    parser.add_argument("--blocks", type=numbers, default=(LAST_BLOCK,), help="held out in turn by --explore: 1,2,3")
    parser.add_argument("--later", action="store_true", help="train on the rows behind such a block too")
    arguments = parser.parse_args()
    sets = (arguments.only,) if arguments.only else SETS
    for name in sets:
        print(f"{name}, repeating the last 24 hours:", ett_proof(arguments.data, name))
    candidates = CANDIDATES if arguments.explore else CHOSEN
    if arguments.candidates:
        known = {**CANDIDATES, **CHOSEN}  # so that what was scored, and not kept, can be scored again
        candidates = {label: known[label] for label in arguments.candidates.split(";")}
    headings = ["setting", "data", "MSE", "MAE", "by horizon", "seconds", "peak MiB", "weights"]
    rows, made = [], {}
    part = "validation" if arguments.explore else "test"
    cases = [(name, block) for name in sets for block in (arguments.blocks if arguments.explore else (LAST_BLOCK,))]
    for label, chosen in candidates.items():
        for name, block in cases:
            own = chosen[name] if isinstance(chosen, dict) else chosen
            found = made[label, name, block] = [
                [run(arguments, label, own, name, horizon, seed, block) for horizon in arguments.horizons]
                for seed in range(arguments.seeds)
            ]
            errors = np.array([[one[part] for one in seed] for seed in found])
            rows.append([label, told(name, block), *summary(errors), *costs(found)])
            print(table(headings, rows[-1:]), flush=True)
    for label, names in ENSEMBLES.items():
        for name, block in cases:
            members = [seed for each in names for seed in made.get((each, name, block), ())]
            if all((each, name, block) in made for each in names) and len(members) > 1:
                errors = [
                    ensemble(arguments, name, horizon, block, [one[k] for one in members])
                    for k, horizon in enumerate(arguments.horizons)
                ]
                rows.append([label, told(name, block), *summary(np.array([errors])), *costs_together(members)])
    print(table(headings, rows))
    for name in sets:
        for method, (mse, mae) in PUBLISHED[name].items():
            print(f"published, {name}: {method} {mse:.3f} / {mae:.3f}")
    print(machine_line())


def numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers that are written with commas between."""
    return tuple(map(int, text.split(",")))


def told(name: str, block: int) -> str:
    """Return the name of a set and of the rows held out, if these are not the usual ones."""
    return name if block == LAST_BLOCK else f"{name}, block {block}"


def run(
    arguments: argparse.Namespace, label: str, chosen: Candidate, name: str, horizon: int, seed: int, block: int
) -> Any:
    """Return a result from its file, or make it; forecasts are in a file beside it."""
    test = not arguments.explore
    described = {"candidate": dataclasses.asdict(chosen), "test": test, "quick": arguments.quick, "code": code()}
    described |= {"later": True} if arguments.later else {}
    labelled = f"{label}, {told(name, block)}, {horizon}"
    beside = cached_path(arguments.results, labelled, seed, described).with_suffix(".npy")

    def make() -> dict[str, Any]:
        outcome, made = score(
            arguments.data,
            name,
            horizon,
            chosen,
            seed,
            block=block,
            later=arguments.later,
            test=test,
            quick=arguments.quick,
        )
        np.save(beside, made.astype(np.float32))
        return {**outcome, "forecasts": beside.name}

    return cached(arguments.results, labelled, seed, described, make, print)


def ensemble(
    arguments: argparse.Namespace, name: str, horizon: int, block: int, members: list[Any]
) -> tuple[float, float]:
    """Return the errors of the mean of several forecasts, of validation windows or of test windows."""
    mean = np.mean([np.load(arguments.results / member["forecasts"]) for member in members], axis=0)
    frame = read_ett(arguments.data, name)
    truth = held_truth(frame, horizon, block) if arguments.explore else ett_truth(frame, horizon)
    return mse_mae(mean, truth[-len(mean) :])


def costs(found: list[list[Any]]) -> list[str]:
    """Return the seconds and memory of the longest training and the number of weights."""
    every = [one for seed in found for one in seed]
    return [f"{max(one[key] for one in every):,.0f}" for key in ("seconds", "peak_mib", "weights")]


def costs_together(members: list[list[Any]]) -> list[str]:
    """Return the seconds of all trainings, the memory of the largest, and the weights of all at the longest horizon."""
    seconds = sum(one["seconds"] for member in members for one in member)
    peak = max(one["peak_mib"] for member in members for one in member)
    weights = sum(max(one["weights"] for one in member) for member in members)
    return [f"{value:,.0f}" for value in (seconds, peak, weights)]


def summary(errors: np.ndarray) -> list[str]:
    """Return MSE and MAE over horizons, mean over seeds and spread, and MSE by horizon."""
    means = errors.mean(axis=1)
    cells = [f"{m.mean():.3f} ({m.min():.3f}-{m.max():.3f})" for m in means.T]
    return [*cells, " ".join(f"{value:.3f}" for value in errors[:, :, 0].mean(axis=0))]


if __name__ == "__main__":
    main()
