"""Rows beyond memory: reading, training and forecasting from Parquet files, beside the same rows in memory.

    make bench-scale                                    # all of it, about 25 minutes; nothing else may run
    python benchmarks/scale.py --cases train            # 100,000 series of 200 rows in 64 files, 512 MiB
    python benchmarks/scale.py --cases predict          # a million series of 30 rows, 256 MiB
    python benchmarks/scale.py --cases workers          # 200,000 short series by 1, 2 and 4 workers of Ray
    python benchmarks/scale.py --cases peer             # 1,000 series, beside neuralforecast's Parquet path
    python benchmarks/scale.py --series 2000 --long 5000 --rounds 1   # proves the path

The rows are made here from seeds and written to a temporary folder (`TMPDIR`, 1 GB). Each measurement is a process of
its own, which begins with a small fit, so that imports and compilation are over; memory is counted from there by the
kernel (Linux). Streamed and in-memory trainings run in turn. Results stay in files, so that an interrupted program
continues.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from harness import LIBRARIES, PEERS, Runner, machine, memory, options, reset_peak, spread, table

ROWS = 200
SHORT = 30
FILES = 64
HORIZON = 12
SEASON = 12
EPOCHS = 3
KINDS = ("streamed", "in memory")


def write_rows(folder, series, rows, files=FILES):
    """Write monthly series of any level with a season, a trend and noise; a file holds whole series."""
    if folder.exists():
        return folder
    partial = folder.with_suffix(".part")
    partial.mkdir(parents=True)
    months = pd.date_range("1990-01-01", periods=rows, freq="MS")
    steps = np.arange(rows)
    for number, names in enumerate(np.array_split(np.arange(series), files)):
        rng = np.random.default_rng([0, number])
        level = 10 ** rng.uniform(0, 3, (len(names), 1))
        season = rng.normal(0, 0.3, (len(names), SEASON))[:, steps % SEASON]
        trend = rng.uniform(-0.5, 1, (len(names), 1)) * steps / rows
        values = level * (2 + season + trend + rng.normal(0, 0.15, (len(names), rows)))
        ids = [f"series-{name:07d}" for name in names]
        stamps = np.tile(months.to_numpy(), len(names))
        frame = pd.DataFrame({"unique_id": np.repeat(ids, rows), "ds": stamps, "y": values.ravel()})
        frame.to_parquet(partial / f"rows-{number:03}.parquet", index=False)
    partial.rename(folder)
    return folder


def forecaster(steps, epochs=EPOCHS):
    """Return the forecaster of all trainings here."""
    from seqcast import Forecaster

    training = {"epochs": epochs, "steps_per_epoch": steps, "batch_size": 256}
    return Forecaster(HORIZON, preset="classic", training=training, random_state=0, verbose=0)


def fit_case(folder, kind, limit, steps):
    """Fit to the rows of a folder, after a small fit, and say how fast it was and what it took."""
    from seqcast.runtime import listen

    with tempfile.TemporaryDirectory() as few:
        path = write_rows(Path(few, "few"), 40, ROWS, 2)
        forecaster(2, 1).fit(path, memory_limit="64 MiB").predict(df=path)
    steps = int(steps)
    epochs = []
    marks = {}
    streamed = kind == "streamed"
    model = forecaster(steps)
    before = memory("VmRSS")
    reset_peak()
    began = time.perf_counter()

    def hear(event):
        if event.title != "training":
            return
        marks.setdefault("training", time.perf_counter() - began)
        if event.share > 0:
            marks.setdefault("first steps", time.perf_counter() - began)
        if int(EPOCHS * event.share + 1e-9) > len(epochs):
            epochs.append(event.seconds)

    rows = Path(folder) if streamed else pd.read_parquet(folder)
    with listen(hear):
        model.fit(rows, memory_limit=limit if streamed else None)
    seconds = np.diff([0.0, *epochs])
    return {
        "read_s": marks["training"],
        "first_steps_s": marks["first steps"],
        "windows_per_s": steps
        * 256
        / statistics.median(seconds[1:] if len(seconds) > 1 else seconds),
        "peak_mib": memory("VmHWM") - before,
        "loss": model.history_["val_loss"][-1],
    }


def predict_case(folder, output):
    """Forecast all series of a folder into another one; the memory is looked at every half second."""
    import pyarrow.dataset

    with tempfile.TemporaryDirectory() as few:
        path = write_rows(Path(few, "few"), 200, SHORT, 2)
        model = forecaster(20, 1).fit(path)
        model.predict(df=path)
    before = memory("VmRSS")
    seen = []
    done = threading.Event()

    def look():
        while not done.wait(0.5):
            seen.append(memory("VmRSS") - before)

    watch = threading.Thread(target=look)
    watch.start()
    began = time.perf_counter()
    model.predict(df=Path(folder), output=Path(output), memory_limit="256 MiB")
    seconds = time.perf_counter() - began
    done.set()
    watch.join()
    rows = pyarrow.dataset.dataset(output).count_rows()
    half = len(seen) // 2
    return {
        "series_per_s": rows / HORIZON / seconds,
        "rows": rows,
        "files": len(list(Path(output).glob("*.parquet"))),
        "seconds": seconds,
        "first_half_mib": max(seen[: half or 1]),
        "second_half_mib": max(seen[half:]),
    }


def workers_case(folder, workers, output):
    """Forecast all series of a folder in workers of Ray on this machine, which have begun."""
    from seqcast import RayCluster

    with tempfile.TemporaryDirectory() as few:
        path = write_rows(Path(few, "few"), 200, SHORT, 4)
        model = forecaster(20, 1).fit(path)
        with RayCluster(int(workers), "local") as cluster:
            model.predict(df=path, output=Path(few, "out"), on=cluster)
            before = memory("VmRSS")
            began = time.perf_counter()
            model.predict(df=Path(folder), output=Path(output), on=cluster)
            seconds = time.perf_counter() - began
    return {"seconds": seconds, "driver_mib": memory("VmRSS") - before}


def train_table(given, folder, run):
    """Print how streamed and in-memory trainings compare."""
    source = write_rows(folder / f"long-{given.series}", given.series, ROWS)
    found = {kind: [] for kind in KINDS}
    for number, kind in itertools.product(range(given.rounds), KINDS):
        found[kind].append(run(number, "fit", source, kind, given.limit, given.steps))
    digits = {"read_s": 1, "first_steps_s": 1, "windows_per_s": 0, "peak_mib": 0, "loss": 4}
    rows = [
        [
            kind,
            *(spread([one[key] for one in found[kind]], places) for key, places in digits.items()),
            spread([given.series * ROWS / one["read_s"] for one in found[kind]], 0),
        ]
        for kind in KINDS
    ]
    print(f"{given.series:,} series of {ROWS} rows in {FILES} files, memory_limit={given.limit!r}")
    print(
        table(
            [
                "",
                "read, s",
                "first steps, s",
                "windows/s",
                "peak, MiB",
                "validation loss",
                "rows/s read",
            ],
            rows,
        )
    )
    pairs = zip(*found.values(), strict=True)
    print(
        "windows/s, streamed over in memory:",
        spread([a["windows_per_s"] / b["windows_per_s"] for a, b in pairs], 3),
    )


def predict_table(given, folder, run):
    """Print what the forecasts of many short series take."""
    source = write_rows(folder / f"short-{given.long}", given.long, SHORT)
    found = run(0, "predict", source, folder / f"forecasts-{given.long}")
    print(f"{given.long:,} series of {SHORT} rows, memory_limit='256 MiB'")
    headings = [
        "series/s",
        "rows written",
        "files",
        "seconds",
        "memory, first half, MiB",
        "second half, MiB",
    ]
    keys = ("series_per_s", "rows", "files", "seconds", "first_half_mib", "second_half_mib")
    print(table(headings, [[f"{found[key]:,.0f}" for key in keys]]))


def workers_table(given, folder, run):
    """Print what forecasts take in one, two and four workers."""
    series = given.long // 5
    rows = []
    source = write_rows(folder / f"short-{series}", series, SHORT)
    for workers in (1, 2, 4):
        found = run(0, "workers", source, workers, folder / f"of-workers-{workers}")
        figures = (found["seconds"], series / found["seconds"], found["driver_mib"])
        rows.append([workers, *(f"{number:,.0f}" for number in figures)])
    print(f"{series:,} series of {SHORT} rows in {FILES} files, forecast by workers of Ray")
    print(table(["workers", "seconds", "series/s", "more memory here, MiB"], rows))


def peer_table(given, folder, _):
    """Print a training from Parquet files beside that of neuralforecast, which takes a folder for each series."""
    runner = Runner(given.results)
    script = str(PEERS / "frames_peer.py")
    pythons = {"seqcast": sys.executable, "neuralforecast": str(LIBRARIES / "bin" / "python")}
    found = {}
    for number, (library, python) in itertools.product(range(given.rounds), pythons.items()):
        command = [python, script, "--library", library, "--files", str(folder / "peer")]
        found.setdefault(library, []).append(runner.run(f"peer {library}", number, command))
    keys = ("fit_s", "whole_s", "peak_mib")
    rows = [
        [library, *(spread([one[key] for one in each], 1) for key in keys)]
        for library, each in found.items()
    ]
    pairs = list(zip(found["neuralforecast"], found["seqcast"], strict=True))
    rows.append(
        [
            "neuralforecast over seqcast",
            *(spread([a[key] / b[key] for a, b in pairs]) for key in keys),
        ]
    )
    print(table(["1,000 series of 200 rows", "fit, s", "process, s", "peak, MiB"], rows))


CASES = {
    "train": train_table,
    "predict": predict_table,
    "peer": peer_table,
    "workers": workers_table,
}
PROCESSES = {"fit": fit_case, "predict": predict_case, "workers": workers_case}


def main():
    """Measure what is asked for, and print tables."""
    parser = options(__doc__, "scale")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--series", type=int, default=100_000, help="series to train on (default 100,000)"
    )
    parser.add_argument(
        "--long", type=int, default=1_000_000, help="series to forecast (default 1,000,000)"
    )
    parser.add_argument(
        "--limit", default="512 MiB", help="memory limit of the training (default 512 MiB)"
    )
    parser.add_argument("--steps", type=int, default=300, help="steps an epoch (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, or seeds (default 3)")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(PROCESSES[given.one[0]](*given.one[1:])))
        return
    runner = Runner(given.results)

    def run(number, name, *rest):
        command = [sys.executable, __file__, "--one", name, *map(str, rest)]
        return runner.run(f"{name} {' '.join(str(one)[-20:] for one in rest)}", number, command)

    for case in given.cases:
        CASES[case](given, Path(tempfile.gettempdir()) / "seqcast-scale", run)
    print(machine())


if __name__ == "__main__":
    main()
