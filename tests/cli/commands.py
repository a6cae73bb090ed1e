"""Every command that writes, as small as it can be: what tests run under bad conditions, and interrupt."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd

from seqcast import Forecaster
from seqcast.tables import partition

OF_NETWORK = (
    "--units",
    "4",
    "--context-length",
    "6",
    "--seed",
    "0",
    "--calendar",
    "none",
    "--quiet",
)
SMALL = (*OF_NETWORK, "--preset", "classic", "--epochs", "1")
LONG = (*OF_NETWORK, "--epochs", "40")
TRIALS = ("--trials", "2", "--workers", "1", "--ensemble", "1", *SMALL)
# Commands by name, in parts that are formatted with the folder of inputs and that of outputs.
COMMANDS = {
    "fit": ("fit", "{folder}/sales.csv", "-H", "3", "-o", "{out}/m.seqcast", *SMALL),
    "pieces": (
        "fit",
        "{folder}/parts",
        "-H",
        "3",
        "-o",
        "{out}/m.seqcast",
        "--memory-limit",
        "1 GB",
        *SMALL,
    ),
    "update": ("update", "{folder}/sales.seqcast", "{folder}/newer.csv", "-o", "{out}/m.seqcast"),
    "finetune": (
        "finetune",
        "{folder}/sales.seqcast",
        "{folder}/newer.csv",
        "-o",
        "{out}/m.seqcast",
        "--epochs",
        "1",
    ),
    "tune": ("tune", "{folder}/sales.csv", "-H", "3", "-o", "{out}/m.seqcast", *TRIALS),
    "predict": ("predict", "{folder}/sales.seqcast", "-o", "{out}/f.csv"),
    "predict folder": ("predict", "{folder}/sales.seqcast", "{folder}/parts", "-o", "{out}/f"),
    "backtest": ("backtest", "{folder}/sales.csv", "-H", "3", "-o", "{out}/b.csv", *SMALL),
    "forecast": (
        "forecast",
        "{folder}/sales.csv",
        "-H",
        "3",
        "-o",
        "{out}/f.csv",
        "--effort",
        "quick",
    ),
    "anomalies": ("anomalies", "{folder}/sales.seqcast", "{folder}/sales.csv", "-o", "{out}/a.csv"),
    "explain": (
        "explain",
        "{folder}/sales.seqcast",
        "{folder}/sales.csv",
        "--figure",
        "{out}/e.png",
    ),
    "report": (
        "report",
        "{folder}/sales.seqcast",
        "{folder}/sales.csv",
        "-o",
        "{out}/r.html",
        "--n-windows",
        "1",
    ),
    "plot": ("plot", "{folder}/sales.csv", "{folder}/forecast.csv", "-o", "{out}/p.png"),
    "describe": ("describe", "{folder}/sales.csv", "--figure", "{out}/d.png"),
    "partition": ("partition", "{folder}/sales.csv", "-o", "{out}/parts"),
    "demo": ("demo", "-o", "{out}/demo", "--quick"),
}
# A shell's background processes ignore Ctrl-C, and so would those that they start.
LISTENING = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
START = "from seqcast.cli.start import main\nmain()"


def write_inputs(folder):
    """Write a file, newer rows, a partitioned table, and a model that was hardly trained, with its forecast."""
    stamps = pd.date_range("2020-01-01", periods=80, freq="MS")
    steps = np.arange(80)
    rows = pd.DataFrame(
        {"unique_id": "sales", "ds": stamps, "y": 10 + np.sin(steps), "price": np.cos(steps)}
    )
    rows[:60].to_csv(folder / "sales.csv", index=False)
    rows[60:].to_csv(folder / "newer.csv", index=False)
    partition(folder / "sales.csv", folder / "parts")
    options = {
        "context_length": 6,
        "calendar": "none",
        "preset": "classic",
        "past_covariates": ["price"],
    }
    model = Forecaster(3, training={"epochs": 1}, random_state=0, verbose=0, **options).fit(
        rows[:60]
    )
    model.save(folder / "sales.seqcast")
    model.predict().to_csv(folder / "forecast.csv", index=False)


def command_line(arguments, folder, out, first=LISTENING):
    """Return a command line in a new interpreter that runs something else first."""
    filled = [part.format(folder=folder, out=out) for part in arguments]
    return [sys.executable, "-c", f"{first}\n{START}", *filled]


def finish(line, *, changes=(), **streams):
    """Run a command line to its end; `changes` are environment variables, of which `None` removes one."""
    environment = {**os.environ, **dict(changes)}
    environment = {name: value for name, value in environment.items() if value is not None}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(line, env=environment, timeout=300, **streams)
