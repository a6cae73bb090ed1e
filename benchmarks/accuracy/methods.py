"""The ways of forecasting that programs here compare, each by the public `Forecaster`.

    pretrained               the network that has seen only synthetic series
    quick, balanced, best    `preset="auto"` with that effort
    scratch                  the network of `preset="auto"` without one: it learns from the task alone

A task, method and seed is run in a process of its own, in which nothing is compiled yet, and leaves a result file, so
that seconds are those of a fresh interpreter up to the forecast, and an interrupted program continues.
"""

import argparse
import functools
import hashlib
import json
import platform
import sys
import time
from importlib import resources
from typing import Any

import numpy as np
from zero_shot_tasks import DECILE_LEVELS, mean_scores

import harness
from harness import first_run, kept, machine, peak_mib, process_began
from seqcast import Forecaster, __version__
from seqcast.forecaster.defaults import EFFORTS as ALL_EFFORTS
from seqcast.forecaster.defaults import Sizes, auto_preset, context_rule, middle_length
from seqcast.pretrained import DEFAULT_MODEL, load_pretrained

EFFORTS = tuple(effort for effort in ALL_EFFORTS if effort != "auto")
METHODS = (DEFAULT_MODEL, *EFFORTS, "scratch")
# The pretrained network forecasts the same with any seed.
SEEDLESS = (DEFAULT_MODEL,)
SHOWN_OF_NETWORKS = (
    "cell",
    "encoder_units",
    "decoder_units",
    "segment",
    "normalise",
    "residual",
    "head",
)
Results = dict[str, dict[str, list[dict[str, Any]]]]


def forecaster(method, task, seed, **options):
    """Return the forecaster of a method.

    Args:
        method: One of `METHODS`.
        task: What it is to forecast.
        seed: Seed of everything random.
        options: Further arguments.
    """
    preset = method
    if method in EFFORTS:
        preset = "auto"
        options["effort"] = method
    elif method == "scratch":
        lengths = np.array([len(values) for values in task.past])
        context = context_rule(middle_length(lengths), task.horizon, task.season)
        preset = auto_preset(
            Sizes(context_length=context, horizon=task.horizon, season_length=task.season)
        )
    return Forecaster(
        task.horizon,
        preset=preset,
        season_length=task.season,
        random_state=seed,
        verbose=0,
        **options,
    )


def forecast_windows(windows, method, seed):
    """Forecast the windows of a task by a forecaster that is fitted once, on what is known before the first.

    Args:
        windows: The windows, the earliest first.
        method: One of `METHODS`.
        seed: Seed of everything random.

    Returns:
        The nine deciles of each window, `[series, H, 9]`, and the fitted forecaster.
    """
    model = forecaster(method, windows[0], seed, level=DECILE_LEVELS).fit(windows[0].frame())
    newer = [window.frame().groupby("unique_id").tail(window.later) for window in windows[1:]]
    forecasts = [model.predict(df=df) for df in (None, *newer)]
    return [
        window.deciles(forecast) for window, forecast in zip(windows, forecasts, strict=True)
    ], model


def chosen(model):
    """Return what a fitted forecaster has chosen; without networks it repeats the last season."""
    return {
        "preset": model.preset,
        "choice": model.choice_.to_dict(),
        "networks": [
            {key: getattr(engine.network, key) for key in SHOWN_OF_NETWORKS}
            for engine in model.engines_
        ],
        "weights": sum(engine.weight_count for engine in model.engines_),
        "epochs": [len(history) for history in model.histories_],
        "context_length": model.context_length_,
        "scale": model.series_state_.scale,
    }


def record(scores, seconds, models):
    """Return the result of a process.

    Args:
        scores: What the forecasts score.
        seconds: Seconds of the process when they were there.
        models: The fitted forecasters.
    """
    versions = {
        "seqcast": __version__,
        "pretrained": load_pretrained().version,
        "python": platform.python_version(),
    }
    facts = {
        "seconds": round(seconds, 1),
        "peak_mib": peak_mib(),
        "versions": versions,
        "machine": machine(),
    }
    return {**scores, **facts, "chosen": [chosen(model) for model in models]}


def seconds_so_far():
    """Return the seconds since this process was started."""
    return time.time() - process_began()


def scored(windows, method, seed):
    """Forecast the windows of a task in this process, and return the result: means of the scores over windows.

    Args:
        windows: The windows, the earliest first.
        method: One of `METHODS`.
        seed: Seed of everything random.
    """
    forecasts, model = forecast_windows(windows, method, seed)
    seconds = seconds_so_far()
    return record(mean_scores(windows, forecasts), seconds, [model])


@functools.cache
def weights_key():
    """Return a digest of the pretrained network's file: other weights are another result."""
    file = resources.files("seqcast.pretrained") / "weights.seqcast"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]


def options(description, results, methods, tasks, usual=()):
    """Return a parser of the options of a contest.

    Args:
        description: The program's documentation.
        results: Folder of the result files, in `results/`.
        methods: What can be compared.
        tasks: What can be forecast.
        usual: The default tasks, if these are not all.
    """
    parser = harness.options(description, results, data=True, seeds=1)
    parser.add_argument(
        "--method", nargs="+", choices=methods, default=list(methods), help="methods (default all)"
    )
    default = list(usual or tasks)
    parser.add_argument(
        "--tasks", "--series", nargs="+", choices=list(tasks), default=default, help="(default all)"
    )
    parser.add_argument(
        "--one", nargs=3, metavar=("TASK", "METHOD", "SEED"), help=argparse.SUPPRESS
    )
    return parser


def contest(arguments, measure, *, described=None, flags=(), files=(), others=None):
    """Return the results by method and task, one a seed, from their files or from processes of their own.

    With `--one` this is such a process: it prints its result and ends.

    Args:
        arguments: The program's arguments.
        measure: Returns the result of a task, method and seed.
        described: What else results depend on.
        flags: Further arguments of the processes.
        files: Files that results depend on, besides those of tasks and methods.
        others: Methods of other libraries, which have no seeds: from a task to its result.
    """
    if arguments.one:
        task, method, seed = arguments.one
        print(json.dumps(measure(task, method, int(seed))))
        sys.exit()
    others = others or {}
    digest = harness.code(
        "public_data.py", "accuracy/zero_shot_tasks.py", "accuracy/methods.py", *files
    )

    def results(task, method):
        weights = None if method == "scratch" or method in others else weights_key()
        whole = {
            "task": task,
            "method": method,
            **(described or {}),
            "weights": weights,
            "code": digest,
        }
        found = []
        for seed in range(1 if method in (*SEEDLESS, *others) else arguments.seeds):
            command = [
                sys.executable,
                sys.argv[0],
                str(arguments.data),
                *flags,
                "--one",
                task,
                method,
                str(seed),
            ]
            run = (
                functools.partial(first_run, command)
                if method not in others
                else lambda: others[method](task)
            )
            found.append(kept(arguments.results, f"{task} {method}", seed, whole, run))
        return found

    return {
        method: {task: results(task, method) for task in arguments.tasks}
        for method in arguments.method
    }


def mean(records, key):
    """Return the mean of a figure over seeds."""
    return float(np.mean([record[key] for record in records]))


def seconds_table(found):
    """Return a table of the seconds of the processes."""
    tasks = next(iter(found.values()))
    rows = [
        [task, *(f"{mean(by_task[task], 'seconds'):.0f}" for by_task in found.values())]
        for task in tasks
    ]
    return harness.table(["seconds of the process", *found], rows)
