"""Do all numbers stay where they were? Small fits of both estimators on an old commit and on the checkout, compared.

    python benchmarks/golden.py COMMIT                          # all cases; exit status 1 when a number has moved
    python benchmarks/golden.py COMMIT --only 'frames_*'        # some of them
    python benchmarks/golden.py COMMIT --moved '*/history/*'    # shown, but no failure
    python benchmarks/golden.py COMMIT --tolerance 1e-6
    python benchmarks/golden.py COMMIT --reuse                  # the old commit's numbers from an earlier run

The old commit gets a worktree (`commits.py`). Each side is one process, one after the
other, with the same backend, threads and cache of compiled programs. Only public calls are made.

What is compared are entries, arrays called `case/name/...`: forecasts, states, weights, losses, the columns of frames
and their types. An entry is equal bit for bit, or its largest absolute and relative difference is printed; it fails
where a number moved by more than the tolerance times its size (and at least times 1), or where a shape, a type or a
text is another one. A case that raises leaves its error as an entry, and fails on both sides: it would compare nothing.
"""

import copy
import fnmatch
import functools
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

import seqcast
from commits import new_side, old_side
from harness import RESULTS, options
from seqcast import inspect

FOLDER = RESULTS / "golden"
RAISED = "raised"
THREADS = "2"  # so that divided steps and worker processes are among what is compared


# Data, drawn by NumPy from seeds.


def windows(seed, count=40, *, past=12, future=4, features=1, targets=1):
    """Draw noisy sines, a phase a window: the past `[N, T, F]` and the future `[N, H, D]` of its first columns."""
    generator = np.random.default_rng(seed)
    steps = np.arange(past + future)[:, None]
    phase, rate, level = generator.uniform(
        [0.0, 0.3, 1.0], [6.0, 1.2, 3.0], (count, features, 3)
    ).transpose(2, 0, 1)
    waves = level[:, None] + np.sin(rate[:, None] * steps + phase[:, None])
    waves += 0.1 * generator.normal(size=waves.shape)
    return waves[:, :past], waves[:, past:, :targets]


def series(seed, *, count=4, rows=70, season=7, freq="D"):
    """Draw a long frame of positive series that differ in level and end: trend, season and noise."""
    generator = np.random.default_rng(seed)
    parts = []
    for place in range(count):
        steps = np.arange(rows - 2 * place)
        noise = 0.2 * generator.normal(size=len(steps))
        shape = 3.0 + 0.01 * steps + np.sin(2 * np.pi * steps / season + place) + noise
        stamps = pd.date_range("2024-01-01", periods=len(steps), freq=freq)
        parts.append(
            pd.DataFrame(
                {"unique_id": f"s{place}", "ds": stamps, "y": 10.0**place * np.abs(shape) + 0.1}
            )
        )
    return pd.concat(parts, ignore_index=True)


def split(df, rows):
    """Return all but the last rows of each series, and these."""
    if not isinstance(df, pd.DataFrame):  # Polars
        return tuple(type(df)(part.to_dict("list")) for part in split(df.to_pandas(), rows))
    left = df.groupby("unique_id").cumcount(ascending=False)
    return df[left >= rows].reset_index(drop=True), df[left < rows].reset_index(drop=True)


# Both estimators, with small networks and short trainings.


def regressor(preset="classic", **options):
    """Return a regressor that is small and quick, and the same each time; enough steps for a warm-up to show."""
    small = {"encoder_units": (6,), "epochs": 3, "batch_size": 4, "random_state": 3, "verbose": 0}
    return seqcast.Seq2SeqRegressor(preset, **{**small, **options})


def network(**options):
    """Return the specification of a small network."""
    return seqcast.NetworkSpec(**{"encoder_units": (6,), "decoder_units": (5,), **options})


def forecaster(horizon=4, **options):
    """Return a forecaster that is small and quick, and the same each time."""
    training = options.pop("training", {"epochs": 2, "steps_per_epoch": 8, "batch_size": 16})
    small = {
        "context_length": 10,
        "preset": network(normalise="last"),
        "random_state": 5,
        "verbose": 0,
    }
    return seqcast.Forecaster(horizon, **{**small, "training": training, **options})


def fitted(model):
    """Return what a fit leaves: the weights and what training recorded, of each network."""
    engines = getattr(model, "engines_", None) or (model.engine_,)
    histories = getattr(model, "histories_", None) or (model.history_,)
    return {
        "weights": [engine.weights for engine in engines],
        "history": [
            {"epochs": copy.deepcopy(one.epochs), "best_epoch": one.best_epoch} for one in histories
        ],
    }


def again(model):
    """Return a model that was written to a file and read back."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.seqcast")
        return type(model).load(Path(folder) / "model.seqcast")


CASES = {}


def case(function):
    """Put a case into the table under its name."""
    CASES[function.__name__] = function
    return function


# Regressors of which all that their heads and attentions know is compared: windows, options, a
# longer horizon.
ARRAYS = {
    "quantile": (  # windows without an axis of features
        lambda: (each[:, :, 0] for each in windows(3)),
        {"head": "quantile", "quantiles": (0.1, 0.5, 0.8), "attention": "additive"}
        | {"cell": "lstm", "bidirectional": True},
        6,
    ),
    "normal": (
        lambda: windows(4, features=3, targets=2),
        {
            "head": "normal",
            "cell": "simple_rnn",
            "attention": "dot",
            "normalise": "last",
            "target_features": (0, 1),
        }
        | {"decoder_input": "scheduled", "sampling_schedule": "exponential"}
        | {"optimizer": "adam", "learning_rate_schedule": "constant", "clip_norm": "none"},
        5,
    ),
    "student_t": (
        lambda: windows(5),
        {
            "head": "student_t",
            "decoder_input": "autoregressive",
            "normalise": "instance",
            "regularizer": "l2",
        }
        | {"attention": "multi_head", "attention_heads": 2},
        6,
    ),
    "segments": (  # side by side, and in blocks beyond the trained horizon
        lambda: windows(8, past=14, future=8),
        {"preset": "segment", "segment": 4, "residual": "gated", "season_length": 4}
        | {"normalise": "recent", "head": "quantile"},
        19,
    ),
    "segments_in_turn": (  # one after another, with attention over those that were read, and over blocks
        lambda: windows(9, past=12, future=6),
        {"segment": 3, "decoder_input": "position", "normalise": "level", "residual": "seasonal"}
        | {"cell": "lstm", "attention": "dot", "season_length": 6},
        14,
    ),
}


def arrays(name):
    """Return all that a regressor of `ARRAYS` forecasts and holds."""
    draw, options, longer = ARRAYS[name]
    X, y = draw()
    model = regressor(**options).fit(X, y)
    states = model.encode(X)
    found = {
        **fitted(model),
        "predict": model.predict(X),
        "longer": model.predict(X, longer),
        "encode": states.to_dict(),
        "decode": model.decode(states, longer),
        "sensitivity": inspect.sensitivity(model.model_inputs(X)).past,
        "loaded": again(model).predict(X, longer),
    }
    if "bidirectional" not in options:
        found["update"] = model.update(states, X[:, : 2 * options.get("segment", 3)]).to_dict()
    if "head" in options:
        found["quantiles"] = model.predict_quantiles(X, (0.1, 0.3, 0.5, 0.8), longer)
    if "attention" in options:
        found["attention"] = model.attention_weights(X, longer)
    return found


CASES |= {f"arrays_{name}": functools.partial(arrays, name) for name in ARRAYS}


@case
def arrays_point():
    """A point of two layers of GRU, with static and known-future covariates, weights and a metric."""
    X, y = windows(1, features=2)
    generator = np.random.default_rng(10)
    static = generator.normal(size=(len(X), 3))
    future = generator.normal(size=(len(X), 6, 2))
    given = {"static_covariates": static, "future_covariates": future[:, :4]}
    model = regressor(
        encoder_units=(7, 6), decoder_units=(5,), dropout=0.1, metrics=("mae",), horizon_decay=0.5
    )
    model.fit(X, y, **given, sample_weight=generator.uniform(0.5, 2.0, len(X)))
    states = model.encode(X, static_covariates=static)
    longer = {**given, "future_covariates": future}
    decoded = model.decode(states, 6, future_covariates=future)
    return {
        **fitted(model),
        "predict": [
            model.predict(X, **given),
            model.predict(X, 6, **longer),
            again(model).predict(X, **given),
        ],
        "states": [
            states.to_dict(),
            states.vector(),
            decoded,
            model.update(states, X[:, :3]).to_dict(),
        ],
        "score": model.score(X, y, **given),
    }


@case
def arrays_inside():
    """What looking inside finds: states, gates, derivatives, neighbours, the worth of units."""
    X, y = windows(2, 24, features=2)
    model = regressor(encoder_units=(5, 4), decoder_units=(4, 4), static_input="steps").fit(X, y)
    read = model.model_inputs(X, y)
    traced = inspect.trajectories(read)
    depends = inspect.sensitivity(read)
    held = inspect.states(read)
    points = np.abs(
        inspect.principal_components(held).points
    )  # the sign of a component is nobody's choice
    return {
        **fitted(model),
        "inputs": [read.inputs, read.truth],
        "states": [
            held,
            inspect.states(read, layer=2),
            points,
            inspect.unit_r2(held, {"last": X[:, -1, 0]}),
        ],
        "traced": [
            traced.states(part, layer) for part in ("encoder", "decoder") for layer in (1, 2)
        ],
        "gates": [
            traced.gates("encoder", 1),
            traced.gates("decoder", 1),
            inspect.gate_statistics(traced),
        ],
        "frame": traced.frame("decoder", 2),
        "sensitivity": [depends.past, depends.by_step(), depends.frame(), depends.memory_length()],
        "units": [inspect.nearest(read, k=2), inspect.remove_units(read)],
    }


@case
def arrays_continued():
    """Training in pieces, from arrays and from batches; batches that are divided among cores; a validation given."""
    X, y = windows(11)
    model = regressor(epochs=1)
    first = fitted(model.partial_fit(X[:20], y[:20]))
    model.partial_fit(X[20:], y[20:])

    def batches():
        while True:
            for start in range(0, len(X), 10):
                yield X[start : start + 10], y[start : start + 10]

    streamed = regressor(steps_per_epoch=4, validation_fraction=0.0).fit(batches())
    many = windows(12, 1024, past=10, future=5)
    validation = windows(13, 64, past=10, future=5)
    divided = {
        cell: regressor(cell=cell, encoder_units=(20, 20), batch_size=512).fit(
            *many, validation=validation
        )
        for cell in ("gru", "lstm")
    }
    brief = seqcast.TrainingSpec(epochs=1, batch_size=16)
    many_to_one = seqcast.ManyToOneRegressor((5,), training=brief, random_state=0, verbose=0).fit(
        X, y
    )
    return {
        "many to one": many_to_one.predict(X, 6),
        "pieces": [first, fitted(model), model.predict(X)],
        "streamed": [fitted(streamed), streamed.predict(X)],
        "divided": {
            cell: [fitted(each), each.predict(many[0][:300])] for cell, each in divided.items()
        },
    }


# Forecasters of which all that their networks know is compared: a frame, rows of it that come
# later, options.
FRAMES = {
    "gaps": (lambda: gaps(), 5, lambda: {"missing": "fill", "preset": network(**LSTM)}),
    "targets": (
        lambda: two_targets(),
        6,
        lambda: (
            {
                "columns": seqcast.Columns(y=["y", "z"]),
                "calendar": ("hour_of_day",),
                "scale": "standard",
            }
            | {
                "preset": network(
                    normalise="last", head="student_t", decoder_input="autoregressive"
                )
            }
        ),
    ),
    "members": (
        lambda: (rows := series(25)).assign(ds=rows.groupby("unique_id").cumcount()),
        13,
        lambda: (
            {"members": 2, "context_length": (8, 12), "combine": "mean", "point": "mean"}
            | {"preset": network(normalise="last", head="normal")}
        ),
    ),
    "segment": (
        lambda: series(26, rows=80),
        7,
        lambda: {
            "horizon": 7,
            "preset": "segment",
            "context_length": 28,
            "training": {"epochs": 1},
        },
    ),
    "classic": (
        lambda: series(27, count=2, rows=60, season=12, freq="MS"),
        4,
        lambda: {
            "preset": "classic",
            "context_length": None,
            "level": (50, 90),
            "training": {"epochs": 1},
        },
    ),
    "counts": (
        lambda: (rows := series(30)).assign(
            y=np.random.default_rng(30).poisson(np.sqrt(rows["y"])).astype(float)
        ),
        5,
        lambda: {
            "preset": network(head="negative_binomial", normalise="scale", decoder_input="teacher")
        },
    ),
    "positive": (
        lambda: series(32),
        5,
        lambda: {"preset": network(head="log_normal", normalise="scale")},
    ),
    "pretrained": (
        lambda: series(33, rows=90),
        9,
        lambda: {"preset": "pretrained", "training": None},
    ),
    "shared": (
        lambda: series(34, rows=90),
        7,
        lambda: {"horizon": 7, "preset": "auto", "effort": "balanced", "training": {"epochs": 1}},
    ),
}
LSTM = {"cell": "lstm", "normalise": "instance", "head": "normal", "attention": "dot"}


def gaps():
    """Draw series with missing values and rows, and one that is shorter than a window."""
    df = series(22)
    holes = np.random.default_rng(22).random(len(df))
    short = df[df["unique_id"] == "s1"].head(14).assign(unique_id="short")
    return pd.concat(
        [df.assign(y=df["y"].where(holes > 0.1))[holes < 0.95], short], ignore_index=True
    )


def two_targets():
    """Draw hourly series of two targets, as a Polars frame."""
    import polars as pl

    rows = series(24, count=3, rows=90, season=24, freq="h")
    return pl.from_pandas(
        rows.assign(z=rows["y"] * 0.5 + np.random.default_rng(24).normal(size=len(rows)))
    )


def frames(name):
    """Return all that a forecaster of `FRAMES` forecasts and holds; an error is an answer too, by its class."""
    from seqcast.errors import SeqcastError

    draw, rows, options = FRAMES[name]
    df = draw()
    given = options()
    known, later = split(df, rows)
    model = forecaster(given.pop("horizon", 4), **given).fit(known)
    found = {
        **fitted(model),
        "choice": dict(model.choice_.shares),
        "short": list(model.short_series_),
    }
    asked = {
        "predict": model.predict,
        "longer": lambda: model.predict(model.horizon + 3),
        "samples": lambda: model.predict(samples=3),
        "encode": model.encode,
        "states": lambda: inspect.states(model.model_inputs()),
        "attention": lambda: model.attention(horizon=5),
        "insample": lambda: model.predict_insample(step_size=9),
        "backtest": lambda: model.backtest(df, n_windows=1, refit="never"),
        "refits": lambda: model.backtest(df, n_windows=2, step_size=2, align="series", refit=True),
        "loaded": lambda: again(model).predict(),
        "after": lambda: model.predict(df=later),
        "updated": lambda: model.update(later).predict(),
    }
    for ask, answer in asked.items():
        try:
            found[ask] = answer()
        except SeqcastError as error:
            found[ask] = type(error).__name__
    return found


CASES |= {f"frames_{name}": functools.partial(frames, name) for name in FRAMES}


@case
def frames_covariates():
    """Covariates of each kind and the calendar; calibrated quantiles; each series with the same weight."""
    df = series(21)
    generator = np.random.default_rng(20)
    number = df.groupby("unique_id").ngroup()
    df = df.assign(
        region=np.where(number % 2, "north", "south"),
        size=number.to_numpy(dtype=float),
        visitors=df["y"] + generator.normal(size=len(df)),
        open=generator.random(len(df)) < 0.8,
        price=generator.choice([1.0, 1.2, 1.5], len(df)),
        weather=generator.choice(["dry", "wet"], len(df)),
    )
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
    read = model.model_inputs(known, step_size=10)
    depends = inspect.sensitivity(read)
    return {
        **fitted(model),
        "predict": [model.predict(future=ahead), model.predict(6, future=ahead, level=80)],
        "calibrations": [[one.widths, one.windows] for one in model.calibrations_],
        "inputs": [read.inputs, read.truth, inspect.states(read), depends.past, depends.future],
        "backtest": [model.predict_insample(step_size=9), model.backtest(df, n_windows=2)],
        "loaded": again(model).predict(future=ahead),
    }


@case
def frames_continued():
    """Fine-tuning, refits, training from the weights that are there; the rows of validation given."""
    df = series(23)
    known, later = split(df, 12)
    model = forecaster().fit(known, validation=8)
    found = {"first": (fitted(model), model.predict())}
    model.finetune(later, freeze=("encoder",))
    found["tuned"] = fitted(model), model.predict(), model.predict_insample(step_size=7)
    model.refit(df, validation=6)
    found["refit"] = fitted(model), model.predict(), model.predict_insample(step_size=7)
    model.fit(known, validation=later, warm_start=True)
    return {**found, "warm": (fitted(model), model.predict())}


@case
def frames_irregular():
    """Series without a step, and noise, of which there is nothing to learn: the last season is repeated, and said."""
    from seqcast.forecaster import FallbackWarning

    df = series(28, count=3)
    generator = np.random.default_rng(28)
    noise = series(29).assign(y=lambda rows: generator.normal(size=len(rows)))
    df["ds"] = df["ds"] + pd.to_timedelta(generator.integers(0, 20, len(df)), unit="h")
    known, ahead = split(df, 5)
    model = forecaster(irregular=True, level=(), scale="robust").fit(known)
    naive = forecaster(
        preset="auto", context_length=14, training={"epochs": 2, "validation_fraction": 0.2}
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        naive.fit(noise)
    return {
        **fitted(model),
        "predict": model.predict(future=ahead[["unique_id", "ds"]]),
        "after": model.update(ahead.groupby("unique_id").head(1)).predict(
            3, future=ahead.groupby("unique_id").tail(4)
        ),
        "warned": sum(issubclass(one.category, FallbackWarning) for one in caught),
        "naive": [
            naive.history_.epochs,
            naive.predict(9),
            naive.predict(level=80),
            again(naive).predict(),
        ],
        "calibrations": [[one.widths, one.windows] for one in naive.calibrations_],
    }


@case
def frames_scales():
    """Each way to scale a series, and both ways to weigh them."""
    df = series(31, count=3, rows=40)
    found = {}
    for scale in ("auto", "standard", "robust", "minmax", "mean", "log1p", "log", "none"):
        weighting = "series" if scale == "mean" else "windows"
        model = forecaster(scale=scale, level=(), preset=network(), weighting=weighting).fit(df)
        found[scale] = [fitted(model), model.predict()]
    return found


# From what a case returns to arrays by name.


def entries(name, found):
    """Take dicts, sequences and frames apart, down to arrays."""
    if isinstance(found, Mapping):
        parts = [(str(key), part) for key, part in found.items()]
    elif isinstance(found, list | tuple):
        parts = [(str(place), part) for place, part in enumerate(found)]
    elif hasattr(found, "columns") and hasattr(found, "dtypes"):  # pandas or Polars
        types = [
            f"{column}: {kind}" for column, kind in zip(found.columns, found.dtypes, strict=True)
        ]
        yield f"{name}/types", np.array([type(found).__module__.partition(".")[0], *types])
        parts = [(str(column), found[column].to_numpy()) for column in found.columns]
    else:
        array = np.asarray("None" if found is None else found)
        yield name, array.astype(str) if array.dtype == object else array
        return
    for key, part in parts:
        yield from entries(f"{name}/{key}", part)


def record(path, pattern):
    """Run the cases in this process and write their entries to a file."""
    found = {}
    for name in chosen(pattern):
        began = time.perf_counter()
        try:
            found.update(entries(name, CASES[name]()))
        except Exception as error:
            traceback.print_exc()
            found[f"{name}/{RAISED}"] = np.array(f"{type(error).__name__}: {error}")
        print(f"  {name}, {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    np.savez(path, **found)


def chosen(pattern):
    """Return the names of the cases that a pattern matches."""
    names = fnmatch.filter(CASES, pattern)
    if not names:
        raise SystemExit(f"--only: {pattern!r} matches none of {', '.join(CASES)}")
    return names


# Two records beside each other.


def difference(old, new):
    """Return how two entries differ, in words and by how much, or `None` where they are equal bit for bit.

    The size is 0 where only bits differ, and infinite where no number says it.
    """
    if old is None or new is None:
        return f"only in the {'new' if old is None else 'old'} side", np.inf
    if old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes():
        return None
    if old.dtype.kind == new.dtype.kind == "U":
        texts = [", ".join(each.ravel().tolist())[:200] for each in (old, new)]
        return None if np.array_equal(old, new) else (" -> ".join(texts), np.inf)
    if old.shape != new.shape or old.dtype != new.dtype:
        return f"{old.dtype}{list(old.shape)} -> {new.dtype}{list(new.shape)}", np.inf
    if old.dtype.kind == "M":
        return f"{(old != new).sum()} of {old.size} stamps", np.inf
    a = old.astype(float)
    b = new.astype(float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not np.isfinite([a[~same], b[~same]]).all():
        return "finite in other places", np.inf
    moved = np.abs(a - b)[~same]
    largest = np.maximum(np.abs(a), np.abs(b))[~same]
    relative, beyond = (
        float((moved / np.maximum(largest, least)).max(initial=0)) for least in (1e-300, 1.0)
    )
    return (
        f"abs {moved.max(initial=0):.3g}, rel {relative:.3g}, {moved.size} of {a.size} numbers",
        beyond,
    )


def read(path):
    """Return the entries of a record."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def compare(old, new, tolerance, moved):
    """Print how two records differ, case by case, and return the number of entries that fail."""
    failed = 0
    matched = set()
    names = list(dict.fromkeys([*old, *new]))
    for group in dict.fromkeys(name.partition("/")[0] for name in names):
        own = [name for name in names if name.partition("/")[0] == group]
        lines = []
        for name in own:
            found = difference(old.get(name), new.get(name))
            if found is None and not name.endswith(f"/{RAISED}"):
                continue
            words, size = found or (f"on both sides: {old[name]}", np.inf)
            allowed = [pattern for pattern in moved if fnmatch.fnmatchcase(name, pattern)]
            matched.update(allowed)
            fails = size > tolerance and not allowed
            failed += fails
            lines.append(
                f"  {'FAILS' if fails else 'moved' if allowed else 'within'}  {name}: {words}"
            )
        print(
            f"{group}: {len(own) - len(lines)} of {len(own)} entries equal bit for bit",
            *lines,
            sep="\n",
        )
    for pattern in moved:
        if pattern not in matched:
            print(f"--moved {pattern!r}: nothing that it matches has moved")
    return failed


def run(side, path, pattern):
    """Record a side in a process of its own."""
    print(f"{side.name} {side.label}:", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--record",
        str(path),
        "--only",
        pattern,
    ]
    with tempfile.TemporaryDirectory() as folder:  # nothing to import lies there
        if subprocess.run(command, env=side.environment(**common()), cwd=folder).returncode:
            raise SystemExit(f"{side.name}: {' '.join(command)} failed")


def common():
    """Return what both sides have in their environment."""
    threads = os.environ.get("SEQCAST_THREADS", THREADS)
    cache = os.environ.get("SEQCAST_CACHE_DIR", str(FOLDER / "cache"))
    return {
        "KERAS_BACKEND": "jax",
        "SEQCAST_THREADS": threads,
        "SEQCAST_CACHE_DIR": cache,
        "MPLBACKEND": "Agg",
    }


def main():
    """Record both sides and compare them."""
    parser = options(__doc__)
    parser.add_argument(
        "old", nargs="?", metavar="COMMIT", help="what to compare the checkout with"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE.npz",
        help="run the cases here and now, compare nothing",
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases to run (default all)")
    parser.add_argument(
        "--moved", action="append", default=[], metavar="NAME", help="entries that may; repeatable"
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.0, help="how far numbers may move (default 0)"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="do not run the old commit again if these cases were"
    )
    given = parser.parse_args()
    chosen(given.only)
    if (given.old is None) == (given.record is None):
        parser.error("give a commit to compare with, or --record")
    if given.record is not None:
        record(given.record, given.only)
        return
    old = old_side(given.old)
    new = new_side()
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = hashlib.sha256(
        f"{Path(__file__).read_text()}{given.only}{common()}".encode()
    ).hexdigest()[:10]
    before = FOLDER / f"{old.label}-{cases}.npz"
    now = FOLDER / "new.npz"
    if not (given.reuse and before.exists()):
        run(old, before, given.only)
    run(new, now, given.only)
    was = read(before)
    is_now = read(now)
    failed = compare(was, is_now, given.tolerance, given.moved)
    print(
        f"{len(was)} entries of {old.label}, {len(is_now)} of {new.label}: {failed or 'none'} failed"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
