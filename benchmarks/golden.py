"""Do all numbers stay where they were? Small fits of both doors on an old commit and on the checkout, compared.

    python benchmarks/golden.py COMMIT                          # all cases; exit status 1 when a number has moved
    python benchmarks/golden.py COMMIT --only 'frames_*'        # some of them
    python benchmarks/golden.py COMMIT --moved '*/history/*'    # told, but no failure
    python benchmarks/golden.py COMMIT --tolerance 1e-6
    python benchmarks/golden.py COMMIT --reuse                  # the old commit's numbers from an earlier run

The old commit gets a worktree and an environment of its own (`commits.py`). Each side is one process, one after the
other, with the same backend, threads and cache of compiled programs. Only public calls are made; names that changed
between the two are in the tables `NAMES`, `ARGUMENTS`, `VALUES`, `FIELDS` and `PLACES` below, the new name and the old
one.

What is compared are entries, arrays called `case/name/...`: forecasts, states, weights, losses, the columns of frames
and their types. An entry is equal bit for bit, or its largest absolute and relative difference is printed; it fails
where a number moved by more than the tolerance times its size (and at least times 1), or where a shape, a type or a
text is another one. A case that raises leaves its error as an entry, and fails on both sides: it would compare nothing.
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import hashlib
import importlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "golden"
ABOUT = "about"  # the entry that says how a record was made; it is not compared
RAISED = "raised"
THREADS = "2"  # so that divided steps and worker processes are among what is compared
PACKAGES = ("jax", "keras", "numpy", "scipy", "scikit-learn", "pandas", "polars", "narwhals")

# What was renamed between the two sides: the new name first, then what it was.
# Methods and attributes of public objects.
NAMES: dict[str, str] = {"model_inputs": "reading"}
# Arguments of methods.
ARGUMENTS: dict[str, str] = {"validation": "validation_data"}
# Values of options, by option and new value.
VALUES: dict[tuple[str, str], str] = {("weighting", "windows"): "rows"}
# Fields of `States`; entries have the new names.
FIELDS: dict[str, str] = {
    "loc": "centre",
    "scale": "spread",
    "last_targets": "last",
    "last_features": "latest",
    "observed_any": "seen",
}
# Modules that a name is in, if it is not in `seqcast` itself; the first that has it is taken.
_INSPECT = ("seqcast.inspect",)
PLACES: dict[str, tuple[str, ...]] = {
    "FallbackWarning": (
        "seqcast.forecaster.candidates.last_season",
        "seqcast.forecaster.fallback",
        "seqcast.forecaster",
        "seqcast.naive",
    ),
    "attention": _INSPECT,
    "gate_statistics": _INSPECT,
    "nearest": _INSPECT,
    "principal_components": _INSPECT,
    "remove_units": _INSPECT,
    "sensitivity": _INSPECT,
    "states": _INSPECT,
    "trajectories": _INSPECT,
    "unit_r2": _INSPECT,
}


def find(name: str) -> Any:
    """Return a public class or function by its new name, from the first place that has it."""
    tried = PLACES.get(name, ("seqcast",))
    for place in tried:
        for known in (name, NAMES.get(name, name)):
            try:
                return getattr(importlib.import_module(place), known)
            except (ImportError, AttributeError):
                continue
    raise ImportError(f"{name} is in none of {', '.join(tried)}: say in PLACES where it is now")


def named(owner: Any, name: str) -> Any:
    """Return a method or an attribute by its new name, or by its old one."""
    return getattr(owner, name if hasattr(owner, name) else NAMES.get(name, name))


def called(method: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Call a method with arguments by their new names, or by their old ones where it has these."""
    known = inspect.signature(method).parameters
    return method(
        *given, **{name if name in known else ARGUMENTS.get(name, name): each for name, each in named.items()}
    )


def value(option: str, new: str) -> str:
    """Return a value of an option of `Forecaster` by its new name; by its old one where that is still the default."""
    old = VALUES.get((option, new), new)
    default = inspect.signature(find("Forecaster")).parameters[option].default
    return old if default == old else new


def held(states: Any) -> dict[str, Any]:
    """Return what states hold, by the new names."""
    new = {old: name for name, old in FIELDS.items()}
    return {new.get(name, name): part for name, part in states.to_dict().items()}


# Data, drawn by NumPy from seeds.


def windows(
    seed: int, count: int = 40, *, past: int = 12, future: int = 4, features: int = 1, targets: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Draw noisy sines, a phase a window: the past `[N, T, F]` and the future `[N, H, D]` of its first columns."""
    generator = np.random.default_rng(seed)
    steps = np.arange(past + future)[:, None]
    phase, rate, level = generator.uniform([0.0, 0.3, 1.0], [6.0, 1.2, 3.0], (count, features, 3)).transpose(2, 0, 1)
    waves = level[:, None] + np.sin(rate[:, None] * steps + phase[:, None])
    waves += 0.1 * generator.normal(size=waves.shape)
    return waves[:, :past], waves[:, past:, :targets]


def counts(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Draw windows of whole numbers from 0 on."""
    return tuple(np.random.default_rng(seed).poisson(3.0 * np.abs(each)).astype(float) for each in windows(seed, count))


def series(seed: int, *, count: int = 4, rows: int = 70, season: int = 7, freq: str = "D", start: str = "2024-01-01"):
    """Draw a long frame of positive series that differ in level and end: trend, season and noise."""
    import pandas as pd

    generator, parts = np.random.default_rng(seed), []
    for place in range(count):
        steps = np.arange(rows - 2 * place)
        shape = (
            3.0 + 0.01 * steps + np.sin(2 * np.pi * steps / season + place) + 0.2 * generator.normal(size=len(steps))
        )
        stamps = pd.date_range(start, periods=len(steps), freq=freq)
        parts.append(pd.DataFrame({"unique_id": f"s{place}", "ds": stamps, "y": 10.0**place * np.abs(shape) + 0.1}))
    return pd.concat(parts, ignore_index=True)


def split(df: Any, rows: int) -> tuple[Any, Any]:
    """Return all but the last rows of each series, and these."""
    left = df.groupby("unique_id").cumcount(ascending=False)
    return df[left >= rows].reset_index(drop=True), df[left < rows].reset_index(drop=True)


# Both doors, with small networks and short trainings.


def regressor(preset: str = "classic", **options: Any) -> Any:
    """Return a regressor that is small and quick, and the same each time; enough steps for a warm-up to show."""
    small = {"encoder_units": (6,), "epochs": 3, "batch_size": 4, "random_state": 3, "verbose": 0}
    return find("Seq2SeqRegressor")(preset, **{**small, **options})


def network(**options: Any) -> Any:
    """Return the boxes of a small network."""
    return find("NetworkSpec")(**{"encoder_units": (6,), "decoder_units": (5,), **options})


def forecaster(horizon: int = 4, **options: Any) -> Any:
    """Return a forecaster that is small and quick, and the same each time."""
    training = options.pop("training", {"epochs": 2, "steps_per_epoch": 8, "batch_size": 16})
    small = {"context_length": 10, "preset": network(normalise="last"), "random_state": 5, "verbose": 0}
    return find("Forecaster")(horizon, **{**small, "training": training, **options})


def fitted(model: Any) -> dict[str, Any]:
    """Return what a fit leaves: the weights and what training recorded, of each network."""
    engines = getattr(model, "engines_", None) or (model.engine_,)
    histories = getattr(model, "histories_", None) or (model.history_,)
    return {
        "weights": [engine.weights for engine in engines],
        "history": [{"epochs": copy.deepcopy(one.epochs), "best_epoch": one.best_epoch} for one in histories],
    }


def again(model: Any) -> Any:
    """Return a model that was written to a file and read back."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.seqcast")
        return type(model).load(Path(folder) / "model.seqcast")


def paths(model: Any, X: Any, horizon: int | None = None) -> Any:
    """Draw sample paths of a regressor's engine, in scaled units."""
    read = named(model, "model_inputs")(X, horizon=horizon)
    return model.engine_.paths(read.inputs, read.horizon, paths=5, seed=1)


CASES: dict[str, Callable[[], dict[str, Any]]] = {}


def case(function: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Put a case into the table under its name."""
    CASES[function.__name__] = function
    return function


@case
def arrays_point() -> dict[str, Any]:
    """A point of two layers of GRU, with static and known-future covariates, weights and a metric."""
    X, y = windows(1, features=2)
    generator = np.random.default_rng(10)
    static, future = generator.normal(size=(len(X), 3)), generator.normal(size=(len(X), 6, 2))
    given = {"static_covariates": static, "future_covariates": future[:, :4]}
    model = regressor(encoder_units=(7, 6), decoder_units=(5,), dropout=0.1, metrics=("mae",), horizon_decay=0.5)
    model.fit(X, y, **given, sample_weight=generator.uniform(0.5, 2.0, len(X)))
    longer = {**given, "future_covariates": future}
    states = model.encode(X, static_covariates=static)
    return {
        **fitted(model),
        "predict": model.predict(X, **given),
        "longer": model.predict(X, 6, **longer),
        "encode": held(states),
        "vector": states.vector(),
        "decode": model.decode(states, 6, future_covariates=future),
        "update": held(model.update(states, X[:, :3])),
        "score": model.score(X, y, **given),
        "loaded": again(model).predict(X, **given),
    }


@case
def arrays_inside() -> dict[str, Any]:
    """What looking inside finds: states, gates, derivatives, neighbours, the worth of units."""
    X, y = windows(2, 24, features=2)
    model = regressor(encoder_units=(5, 4), decoder_units=(4, 4), static_input="steps").fit(X, y)
    read = named(model, "model_inputs")(X, y)
    traced, depends, held = find("trajectories")(read), find("sensitivity")(read), find("states")(read)
    components = find("principal_components")(held)
    return {
        **fitted(model),
        "inputs": read.inputs,
        "truth": read.truth,
        "states": held,
        "states_of_layer": find("states")(read, layer=2),
        "traced": {part: [traced.states(part, layer) for layer in (1, 2)] for part in ("encoder", "decoder")},
        "gates": {part: traced.gates(part, 1) for part in ("encoder", "decoder")},
        "frame": traced.frame("decoder", 2),
        "sensitivity": depends.past,
        "by_step": depends.by_step(),
        "by_feature": depends.frame(),
        "memory_length": depends.memory_length(),
        "nearest": find("nearest")(read, k=2),
        "points": np.abs(components.points),  # the sign of a component is nobody's choice
        "gate_statistics": find("gate_statistics")(traced),
        "remove_units": find("remove_units")(read),
        "unit_r2": find("unit_r2")(held, {"last": X[:, -1, 0]}),
    }


@case
def arrays_quantile() -> dict[str, Any]:
    """Quantiles of a bidirectional LSTM with additive attention, on windows without an axis of features."""
    X, y = (each[:, :, 0] for each in windows(3))
    model = regressor(head="quantile", quantiles=(0.1, 0.5, 0.8), cell="lstm", bidirectional=True, attention="additive")
    model.fit(X, y)
    states = model.encode(X)
    return {
        **fitted(model),
        "predict": model.predict(X, 6),
        "quantiles": model.predict_quantiles(X, (0.05, 0.5, 0.7)),
        "paths": paths(model, X),
        "encode": held(states),
        "decode": model.decode(states),
        "attention": model.attention_weights(X, 6),
        "attention_inside": find("attention")(named(model, "model_inputs")(X)),
        "loaded": again(model).predict_quantiles(X, (0.3,)),
    }


@case
def arrays_normal() -> dict[str, Any]:
    """A normal distribution of a simple recurrent network with dot attention, by scheduled sampling; two targets."""
    X, y = windows(4, features=3, targets=2)
    model = regressor(
        head="normal", cell="simple_rnn", attention="dot", decoder_input="scheduled", sampling_schedule="exponential",
        normalise="last", target_features=(0, 1), optimizer="adam", learning_rate_schedule="constant", clip_norm="none",
    )  # fmt: skip
    model.fit(X, y)
    states = model.encode(X)
    return {
        **fitted(model),
        "predict": model.predict(X),
        "quantiles": model.predict_quantiles(X, (0.1, 0.5, 0.9), 5),
        "paths": paths(model, X, 5),
        "attention": model.attention_weights(X),
        "encode": held(states),
        "update": held(model.update(states, X[:, :2])),
    }


@case
def arrays_student_t() -> dict[str, Any]:
    """Student's distribution of a GRU that reads its own outputs, with attention of two heads."""
    X, y = windows(5)
    options = {"attention": "multi_head", "attention_heads": 2, "normalise": "instance", "regularizer": "l2"}
    model = regressor(head="student_t", decoder_input="autoregressive", **options).fit(X, y)
    return {
        **fitted(model),
        "predict": model.predict(X),
        "quantiles": model.predict_quantiles(X, (0.1, 0.5, 0.9), 6),
        "paths": paths(model, X, 6),
        "attention": model.attention_weights(X),
        "sensitivity": find("sensitivity")(named(model, "model_inputs")(X)).past,
    }


@case
def arrays_negative_binomial() -> dict[str, Any]:
    """Counts of an LSTM that was taught."""
    X, y = counts(6)
    options = {"cell": "lstm", "decoder_input": "teacher", "normalise": "scale", "scale": "none"}
    model = regressor(head="negative_binomial", **options).fit(X, y)
    return {
        **fitted(model),
        "predict": model.predict(X),
        "quantiles": model.predict_quantiles(X, (0.1, 0.5, 0.9)),
        "paths": paths(model, X),
        "encode": held(model.encode(X)),
        "trajectories": find("trajectories")(named(model, "model_inputs")(X)).states("decoder", 1),
    }


@case
def arrays_log_normal() -> dict[str, Any]:
    """Positive data; the mean too."""
    X, y = windows(7)
    model = regressor(head="log_normal", normalise="scale", scale="none", validation_fraction=0.0).fit(X, y)
    read = named(model, "model_inputs")(X)
    return {
        **fitted(model),
        "predict": model.predict(X, 6),
        "quantiles": model.predict_quantiles(X, (0.1, 0.5, 0.9)),
        "mean": model.engine_.mean(read.inputs, read.horizon),
        "paths": paths(model, X),
    }


@case
def arrays_segments() -> dict[str, Any]:
    """Segments written side by side, over the last season, and in blocks beyond the trained horizon."""
    X, y = windows(8, past=14, future=8)
    model = regressor(
        "segment", encoder_units=(6,), segment=4, residual="gated", season_length=4, normalise="recent", head="quantile"
    ).fit(X, y)
    states = model.encode(X)
    return {
        **fitted(model),
        "predict": model.predict(X),
        "longer": model.predict(X, 19),
        "quantiles": model.predict_quantiles(X, (0.1, 0.5, 0.9), 10),
        "paths": paths(model, X, 10),
        "encode": held(states),
        "update": held(model.update(states, X[:, :8])),
        "sensitivity": find("sensitivity")(named(model, "model_inputs")(X, horizon=10)).past,
    }


@case
def arrays_segments_in_turn() -> dict[str, Any]:
    """Segments written one after another, with attention over those that were read, and over blocks."""
    X, y = windows(9, past=12, future=6)
    options = {"segment": 3, "decoder_input": "position", "normalise": "level", "residual": "seasonal"}
    model = regressor(cell="lstm", attention="dot", season_length=6, **options).fit(X, y)
    return {
        **fitted(model),
        "predict": model.predict(X, 5),
        "longer": model.predict(X, 14),
        "attention": model.attention_weights(X, 14),
        "decode": model.decode(model.encode(X), 14),
    }


@case
def arrays_further() -> dict[str, Any]:
    """Training in pieces, from arrays and from batches."""
    X, y = windows(11)
    model = regressor(epochs=1)
    model.partial_fit(X[:20], y[:20])
    first = fitted(model)
    model.partial_fit(X[20:], y[20:])

    def batches() -> Iterator[Any]:
        while True:
            for start in range(0, len(X), 10):
                yield X[start : start + 10], y[start : start + 10]

    streamed = regressor(steps_per_epoch=4, validation_fraction=0.0).fit(batches())
    return {
        "first": first,
        "second": fitted(model),
        "predict": model.predict(X),
        "streamed": fitted(streamed),
        "streamed_predict": streamed.predict(X),
    }


@case
def arrays_divided() -> dict[str, Any]:
    """Batches that are large enough to be divided among cores, validated on data of their own."""
    X, y = windows(12, 1024, past=10, future=5)
    validation = windows(13, 64, past=10, future=5)
    models = {
        cell: called(regressor(cell=cell, encoder_units=(20, 20), batch_size=512).fit, X, y, validation=validation)
        for cell in ("gru", "lstm")
    }
    return {cell: {**fitted(model), "predict": model.predict(X[:300])} for cell, model in models.items()}


@case
def arrays_baselines() -> dict[str, Any]:
    """The models that forecasts are compared with."""
    X, y = windows(14)
    brief = find("TrainingSpec")(epochs=1, batch_size=16)
    many = find("ManyToOneRegressor")((5,), training=brief, random_state=0, verbose=0)
    models = {"last": find("LastValue")(), "seasonal": find("SeasonalNaive")(4), "many_to_one": many}
    return {name: model.fit(X, y).predict(X, 6) for name, model in models.items()}


def told(df: Any) -> Any:
    """Add covariates to a frame: constant ones, ones known up to the cutoff, ones known ahead; names and numbers."""
    generator, number = np.random.default_rng(20), df.groupby("unique_id").ngroup()
    return df.assign(
        region=np.where(number % 2, "north", "south"),
        size=number.to_numpy(dtype=float),
        visitors=df["y"] + generator.normal(size=len(df)),
        open=generator.random(len(df)) < 0.8,
        price=generator.choice([1.0, 1.2, 1.5], len(df)),
        weather=generator.choice(["dry", "wet"], len(df)),
    )


@case
def frames_covariates() -> dict[str, Any]:
    """Covariates of each kind and the calendar; calibrated quantiles; each series with the same weight."""
    df = told(series(21))
    known, ahead = split(df, 6)
    quantiles = {"head": "quantile", "quantiles": (0.025, 0.1, 0.5, 0.9, 0.975)}
    model = forecaster(
        preset=network(normalise="last", static_input="steps", **quantiles),
        training={"epochs": 1, "steps_per_epoch": 12, "validation_fraction": 0.4},
        static_covariates=["region", "size"],
        past_covariates=["visitors", "open"],
        future_covariates=["price", "weather"],
        calendar=("auto", "day_of_week"),
        scale="log",
        weighting="series",
        calibrate=True,
    ).fit(known)
    read = named(model, "model_inputs")(known, step_size=10)
    depends = find("sensitivity")(read)
    return {
        **fitted(model),
        "predict": model.predict(future=ahead),
        "longer": model.predict(6, future=ahead, level=80),
        "calibrations": [[one.widths, one.windows] for one in model.calibrations_],
        "encode": model.encode(),
        "inputs": read.inputs,
        "truth": read.truth,
        "states": find("states")(read),
        "sensitivity": [depends.past, depends.future],
        "nearest": find("nearest")(read, k=1),
        "insample": model.predict_insample(step_size=9),
        "backtest": model.backtest(df, n_windows=2),
        "loaded": again(model).predict(future=ahead),
    }


@case
def frames_gaps() -> dict[str, Any]:
    """Missing values and rows and series shorter than a window, read by an LSTM with attention."""
    df = series(22)
    holes = np.random.default_rng(22).random(len(df))
    gaps = df.assign(y=df["y"].where(holes > 0.1))[holes < 0.95]
    short = df[(df["unique_id"] == "s1")].head(9).assign(unique_id="short")
    known, later = split(gaps, 5)
    preset = network(cell="lstm", normalise="instance", head="normal", attention="dot")
    import pandas as pd

    model = forecaster(preset=preset, missing="fill").fit(pd.concat([known, short], ignore_index=True))
    before = model.predict(level=99), model.predict(6, samples=3)
    strangers = later.assign(unique_id="new " + later["unique_id"])
    return {
        **fitted(model),
        "short": list(model.short_series_),
        "predict": before,
        "attention": model.attention(horizon=5),
        "insample": model.predict_insample(step_size=6),
        "strangers": model.predict(df=strangers),
        "after": model.predict(df=later),
        "updated": model.update(later).predict(),
        "states": find("states")(named(model, "model_inputs")()),
    }


@case
def frames_further() -> dict[str, Any]:
    """Trained further, trained anew, trained from the weights that are there; the rows of validation given."""
    df = series(23)
    known, later = split(df, 12)
    model = forecaster().fit(known, validation=8)
    first = fitted(model), model.predict()
    model.finetune(later, freeze=("encoder",))
    tuned = fitted(model), model.predict(), model.predict_insample(step_size=7)
    model.refit(df, validation=6)
    anew = fitted(model), model.predict(), model.predict_insample(step_size=7)
    model.fit(known, validation=later, warm_start=True)
    warm = fitted(model), model.predict()
    return {"first": first, "tuned": tuned, "anew": anew, "warm": warm}


@case
def frames_targets() -> dict[str, Any]:
    """Two targets of hourly Polars frames by Student's distribution; a backtest that trains twice."""
    import polars as pl

    pandas = series(24, count=3, rows=90, season=24, freq="h")
    second = pandas["y"] * 0.5 + np.random.default_rng(24).normal(size=len(pandas))
    df = pl.from_pandas(pandas.assign(z=second))
    columns = find("Columns")(y=["y", "z"])
    preset = network(normalise="last", head="student_t", decoder_input="autoregressive")
    model = forecaster(columns=columns, preset=preset, calendar=("hour_of_day",), scale="standard").fit(df)
    return {
        **fitted(model),
        "predict": model.predict(),
        "level": model.predict(6, level=(50, 90)),
        "samples": model.predict(samples=3),
        "encode": model.encode(),
        "backtest": model.backtest(df, n_windows=3, refit=2),
        "loaded": again(model).predict(),
    }


@case
def frames_members() -> dict[str, Any]:
    """Two networks of other contexts, joined by the mean; stamps that are whole numbers."""
    df = series(25)
    df["ds"] = df.groupby("unique_id").cumcount()
    known, _ = split(df, 13)
    preset = network(normalise="last", head="normal")
    model = forecaster(members=2, context_length=(8, 12), combine="mean", preset=preset, point="mean").fit(known)
    return {
        **fitted(model),
        "predict": model.predict(6),
        "samples": model.predict(samples=3),
        "encode": model.encode(),
        "second": find("states")(named(model, "model_inputs")(member=2)),
        "backtest": model.backtest(df, n_windows=2, refit="never"),
        "loaded": again(model).predict(),
    }


@case
def frames_segment() -> dict[str, Any]:
    """The preset of segments, in blocks beyond the trained horizon; batches and steps are those of the rules."""
    df = series(26, rows=80)
    known, later = split(df, 7)
    model = forecaster(7, preset="segment", context_length=28, training={"epochs": 1}).fit(known)
    return {
        **fitted(model),
        "predict": model.predict(),
        "longer": model.predict(17),
        "samples": model.predict(10, samples=3),
        "backtest": model.backtest(df, n_windows=1, refit="never"),
        "updated": model.update(later).predict(),
        "loaded": again(model).predict(17),
    }


@case
def frames_classic() -> dict[str, Any]:
    """The classic preset on monthly series, with context, scale, batches and steps of the rules."""
    df = series(27, count=2, rows=60, season=12, freq="MS")
    model = forecaster(preset="classic", context_length=None, level=(50, 90), training={"epochs": 1}).fit(df)
    return {
        **fitted(model),
        "context_length": model.context_length_,
        "predict": model.predict(),
        "level": model.predict(5, level=50),
        "backtest": model.backtest(df, n_windows=2, step_size=2, align="series", refit=True),
    }


@case
def frames_irregular() -> dict[str, Any]:
    """Series without a step."""
    import pandas as pd

    df, generator = series(28, count=3), np.random.default_rng(28)
    df["ds"] = df["ds"] + pd.to_timedelta(generator.integers(0, 20, len(df)), unit="h")
    known, ahead = split(df, 5)
    model = forecaster(irregular=True, level=(), scale="robust").fit(known)
    return {
        **fitted(model),
        "predict": model.predict(future=ahead[["unique_id", "ds"]]),
        "after": model.update(ahead.groupby("unique_id").head(1)).predict(3, future=ahead.groupby("unique_id").tail(4)),
    }


@case
def frames_naive() -> dict[str, Any]:
    """Noise, of which there is nothing to learn: the last season is repeated, and a warning says so."""
    df = series(29)
    df["y"] = np.random.default_rng(29).normal(size=len(df))
    model = forecaster(preset="auto", context_length=14, training={"epochs": 2, "validation_fraction": 0.2})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(df)
    return {
        "warned": sum(issubclass(one.category, find("FallbackWarning")) for one in caught),
        "history": model.history_.epochs,
        "predict": model.predict(9),
        "level": model.predict(level=80),
        "calibrations": [[one.widths, one.windows] for one in model.calibrations_],
        "loaded": again(model).predict(),
    }


@case
def frames_heads() -> dict[str, Any]:
    """Counts and positive values in frames."""
    df = series(30, count=3)
    numbers = df.assign(y=np.random.default_rng(30).poisson(np.sqrt(df["y"])).astype(float))
    heads = {
        "negative_binomial": (numbers, network(head="negative_binomial", normalise="scale", decoder_input="teacher")),
        "log_normal": (df, network(head="log_normal", normalise="scale")),
    }
    found = {}
    for head, (rows, preset) in heads.items():
        model = forecaster(preset=preset).fit(rows)
        found[head] = {**fitted(model), "predict": model.predict(level=80), "samples": model.predict(samples=3)}
    return found


@case
def frames_scales() -> dict[str, Any]:
    """Each way to scale a series, and both ways to weigh them."""
    df, found = series(31, count=3, rows=40), {}
    for scale in ("auto", "standard", "robust", "minmax", "mean", "log1p", "log", "none"):
        weighting = "series" if scale == "mean" else value("weighting", "windows")
        options = {"level": (), "preset": network(), "weighting": weighting}
        model = forecaster(scale=scale, **options).fit(df)
        found[scale] = {**fitted(model), "predict": model.predict()}
    return found


# From what a case returns to arrays by name.


def entries(name: str, found: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Take dicts, sequences and frames apart, down to arrays."""
    if isinstance(found, Mapping):
        parts = [(str(key), part) for key, part in found.items()]
    elif isinstance(found, list | tuple):
        parts = [(str(place), part) for place, part in enumerate(found)]
    elif hasattr(found, "columns") and hasattr(found, "dtypes"):  # pandas or Polars
        types = [f"{column}: {kind}" for column, kind in zip(found.columns, found.dtypes, strict=True)]
        yield f"{name}/types", np.array([type(found).__module__.partition(".")[0], *types])
        parts = [(str(column), found[column].to_numpy()) for column in found.columns]
    else:
        array = np.asarray("None" if found is None else found)
        yield name, array.astype(str) if array.dtype == object else array
        return
    for key, part in parts:
        yield from entries(f"{name}/{key}", part)


def record(path: Path, pattern: str) -> None:
    """Run the cases in this process and write their entries to a file."""
    import seqcast

    found: dict[str, np.ndarray] = {}
    seconds = {}
    for name in chosen(pattern):
        began = time.perf_counter()
        try:
            found.update(entries(name, CASES[name]()))
        except Exception as error:
            traceback.print_exc()
            found[f"{name}/{RAISED}"] = np.array(f"{type(error).__name__}: {error}")
        seconds[name] = time.perf_counter() - began
        print(f"  {name}, {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    about = {"seqcast": seqcast.__file__, "seconds": seconds, "versions": versions()}
    np.savez(path, **{ABOUT: np.array(json.dumps(about))}, **found)


def versions() -> dict[str, str]:
    """Return the versions of the packages that numbers come from."""
    from importlib.metadata import version

    return {name: version(name) for name in PACKAGES}


def chosen(pattern: str) -> list[str]:
    """Return the names of the cases that a pattern matches."""
    names = fnmatch.filter(CASES, pattern)
    if not names:
        raise SystemExit(f"--only: {pattern!r} matches none of {', '.join(CASES)}")
    return names


# Two records beside each other.


@dataclass(frozen=True)
class Difference:
    """How an entry differs.

    Args:
        what: In words.
        size: By how much: 0 where only bits do, infinite where no number says it.
    """

    what: str
    size: float


def difference(old: np.ndarray | None, new: np.ndarray | None) -> Difference | None:
    """Return how two entries differ, or `None` where they are equal bit for bit."""
    if old is None or new is None:
        return Difference("only in the new side" if old is None else "only in the old side", np.inf)
    if old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes():
        return None
    if old.dtype.kind == "U" and new.dtype.kind == "U":
        return None if np.array_equal(old, new) else Difference(f"{_text(old)} -> {_text(new)}", np.inf)
    if old.shape != new.shape or old.dtype != new.dtype:
        return Difference(f"{old.dtype}{list(old.shape)} -> {new.dtype}{list(new.shape)}", np.inf)
    if old.dtype.kind == "M":
        return Difference(f"{(old != new).sum()} of {old.size} stamps", np.inf)
    a, b = old.astype(float), new.astype(float)
    if (np.isfinite(a) != np.isfinite(b)).any():
        return Difference("finite in other places", np.inf)
    with np.errstate(invalid="ignore"):
        moved = np.where(np.isfinite(a) | (a == b), np.abs(a - b), np.where(np.isnan(a) & np.isnan(b), 0.0, np.inf))
    moved = np.where(np.isnan(moved), 0.0, moved)  # the same infinity
    largest = np.maximum(np.abs(a), np.abs(b))
    relative = np.divide(moved, largest, out=np.zeros_like(moved), where=largest > 0)
    beyond = np.nan_to_num(moved / np.maximum(largest, 1.0), nan=0.0)
    many = f"{(moved > 0).sum()} of {a.size}"
    return Difference(f"abs {moved.max():.3g}, rel {np.nanmax(relative):.3g}, {many} numbers", float(beyond.max()))


def _text(array: np.ndarray) -> str:
    shown = ", ".join(array.ravel().tolist())
    return shown if len(shown) < 200 else f"{shown[:200]}..."


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what a record says about itself, and its entries."""
    with np.load(path) as stored:
        found = {name: stored[name] for name in stored.files}
    return json.loads(str(found.pop(ABOUT))), found


def compare(old: dict[str, np.ndarray], new: dict[str, np.ndarray], tolerance: float, moved: list[str]) -> int:
    """Print how two records differ, case by case, and return the number of entries that fail."""
    failed, matched = 0, set()
    names = list(dict.fromkeys([*old, *new]))
    for group in dict.fromkeys(name.partition("/")[0] for name in names):
        own = [name for name in names if name.partition("/")[0] == group]
        lines = []
        for name in own:
            found = difference(old.get(name), new.get(name))
            if found is None and not name.endswith(f"/{RAISED}"):
                continue
            found = found or Difference(f"on both sides: {old[name]}", np.inf)
            allowed = [pattern for pattern in moved if fnmatch.fnmatchcase(name, pattern)]
            matched.update(allowed)
            fails = found.size > tolerance and not allowed
            failed += fails
            why = "FAILS" if fails else "moved" if allowed else "within"
            lines.append(f"  {why}  {name}: {found.what}")
        print(f"{group}: {len(own) - len(lines)} of {len(own)} entries equal bit for bit", *lines, sep="\n")
    for pattern in moved:
        if pattern not in matched:
            print(f"--moved {pattern!r}: nothing that it matches has moved")
    return failed


def run(side: Any, path: Path, pattern: str) -> None:
    """Record a side in a process of its own."""
    print(f"{side.name} {side.label}:", file=sys.stderr, flush=True)
    began = time.perf_counter()
    command = [str(side.python), str(Path(__file__).resolve()), "--record", str(path), "--only", pattern]
    environment = side.environment(**common())
    with tempfile.TemporaryDirectory() as folder:  # nothing to import lies there
        if subprocess.run(command, env=environment, cwd=folder).returncode:
            raise SystemExit(f"{side.name}: {' '.join(command)} failed")
    print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def common() -> dict[str, str]:
    """Return what both sides have in their environment."""
    threads = os.environ.get("SEQCAST_THREADS", THREADS)
    cache = os.environ.get("SEQCAST_CACHE_DIR", str(RESULTS / "cache"))
    return {"KERAS_BACKEND": "jax", "SEQCAST_THREADS": threads, "SEQCAST_CACHE_DIR": cache, "MPLBACKEND": "Agg"}


def record_of_old(commit: str, pattern: str, folder: Path) -> Path:
    """Return where the old side's record goes: another file when these cases or what they run under are others."""
    made_by = [Path(__file__).read_text(), pattern, common(), os.environ.get("XLA_FLAGS")]
    return folder / f"{commit}-{hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:10]}.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?", metavar="COMMIT", help="what to compare the checkout with")
    parser.add_argument("--record", type=Path, metavar="FILE.npz", help="run the cases here and now, compare nothing")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases to run (default all)")
    parser.add_argument(
        "--moved", action="append", default=[], metavar="NAME", help="entries that may; may be repeated"
    )
    parser.add_argument("--tolerance", type=float, default=0.0, help="how far numbers may move (default 0)")
    parser.add_argument("--reuse", action="store_true", help="do not run the old commit again if it was")
    parser.add_argument("--list", action="store_true", help="list the cases")
    arguments = parser.parse_args()
    chosen(arguments.only)
    if arguments.list:
        print(*(f"{name:26} {inspect.getdoc(function)}" for name, function in CASES.items()), sep="\n")
        return
    if (arguments.old is None) == (arguments.record is None):
        parser.error("give a commit to compare with, or --record")
    if arguments.record is not None:
        record(arguments.record, arguments.only)
        return
    from commits import new_side, old_side

    old, new = old_side(arguments.old), new_side()
    RESULTS.mkdir(parents=True, exist_ok=True)
    before, now = record_of_old(old.label, arguments.only, RESULTS), RESULTS / "new.npz"
    if not (arguments.reuse and before.exists()):
        run(old, before, arguments.only)
    run(new, now, arguments.only)
    (about_old, was), (about_new, is_now) = read(before), read(now)
    if about_old["versions"] != about_new["versions"]:
        print(f"other packages: {about_old['versions']} -> {about_new['versions']}")
    failed = compare(was, is_now, arguments.tolerance, arguments.moved)
    print(f"{len(was)} entries of {old.label}, {len(is_now)} of {new.label}: {failed or 'none'} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
