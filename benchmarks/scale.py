"""Rows beyond memory: reading, training and forecasting from Parquet files, beside the same rows in memory.

    make bench-scale                                    # all of it, about 25 minutes; nothing else may run
    python benchmarks/scale.py --cases train            # 100,000 series of 200 rows in 64 files, 512 MiB
    python benchmarks/scale.py --cases predict          # a million series of 30 rows, 256 MiB
    python benchmarks/scale.py --cases workers          # 200,000 short series by 1, 2 and 4 workers of Ray
    python benchmarks/scale.py --cases peer             # 1,000 series, beside neuralforecast's Parquet path
    python benchmarks/scale.py --cases accuracy --data FOLDER   # NN5 and M4 Hourly, streamed and in memory
    python benchmarks/scale.py --series 2000 --long 5000 --rounds 1   # proves the path

The rows are made here from seeds and written to a temporary folder (`TMPDIR`, 1 GB). Each measurement is a process of
its own, which begins with a small fit, so that imports and compilation are over; memory is counted from there by the
kernel (Linux). Streamed and in-memory trainings run in turn. Results stay in files, so that an interrupted program goes
on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))

import numpy as np
from reporting import PEERS, machine_line, table

from rounds import count_peak_anew, memory

MIB = 2**20
ROWS, SHORT, FILES, HORIZON = 200, 30, 64, 12
SEASON = 12


def write_rows(folder: Path, series: int, rows: int, files: int = FILES) -> None:
    """Write monthly series of any level with a season, a trend and noise; a file holds whole series."""
    import pandas as pd

    if folder.exists():
        return
    partial = folder.with_suffix(".part")
    partial.mkdir(parents=True)
    months, steps = pd.date_range("1990-01-01", periods=rows, freq="MS"), np.arange(rows)
    for number, names in enumerate(np.array_split(np.arange(series), files)):
        rng = np.random.default_rng([0, number])
        level = 10 ** rng.uniform(0, 3, (len(names), 1))
        season = rng.normal(0, 0.3, (len(names), SEASON))[:, steps % SEASON]
        trend = rng.uniform(-0.5, 1, (len(names), 1)) * steps / rows
        values = level * (2 + season + trend + rng.normal(0, 0.15, (len(names), rows)))
        columns = {
            "unique_id": np.repeat([f"series-{name:07d}" for name in names], rows),
            "ds": np.tile(months.to_numpy(), len(names)),
            "y": values.ravel(),
        }
        pd.DataFrame(columns).to_parquet(partial / f"part-{number:03}.parquet", index=False)
    partial.rename(folder)


def forecaster(steps: int, epochs: int = 3) -> Any:
    """Return the forecaster of all trainings here."""
    from seqcast import Forecaster

    training = {"epochs": epochs, "steps_per_epoch": steps, "batch_size": 256}
    return Forecaster(HORIZON, preset="classic", training=training, random_state=0, verbose=0)


def warm_up(steps: int = 2) -> None:
    """Fit to a few series of the same kind, so that all is imported, and programs are compiled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "few")
        write_rows(path, 40, ROWS, 2)
        forecaster(steps, 1).fit(path, memory_limit="64 MiB").predict(df=path)


def fit_case(folder: Path, *, streamed: bool, limit: str, steps: int) -> dict[str, Any]:
    """Fit to the rows of a folder, and say how fast it was and what it took."""
    import pandas as pd

    from seqcast.training import listen

    warm_up()
    model, epochs = forecaster(steps), []
    before = memory("VmRSS")
    count_peak_anew()
    began = time.perf_counter()
    marks: dict[str, float] = {}

    def hear(event: Any) -> None:
        marks.setdefault("training", time.perf_counter() - began)
        if event.share > 0:
            marks.setdefault("first steps", time.perf_counter() - began)
        if event.epoch > len(epochs):
            epochs.append(event.seconds)

    rows = folder if streamed else pd.read_parquet(folder)
    with listen(hear):
        model.fit(rows, memory_limit=limit if streamed else None)
    seconds = np.diff([0.0, *epochs])
    return {
        "read_s": marks["training"],
        "first_steps_s": marks["first steps"],
        "windows_per_s": steps * 256 / statistics.median(seconds[1:] if len(seconds) > 1 else seconds),
        "peak_mib": memory("VmHWM") - before,
        "loss": model.history_["val_loss"][-1],
    }


def predict_case(folder: Path, *, limit: str, output: Path) -> dict[str, Any]:
    """Forecast all series of a folder into another one; the memory is looked at every half second."""
    with tempfile.TemporaryDirectory() as few:
        path = Path(few, "few")
        write_rows(path, 200, SHORT, 2)
        model = forecaster(20, 1).fit(path)
        model.predict(df=path)
    before, seen, done = memory("VmRSS"), [], threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            seen.append((len(list(output.glob("*.parquet"))), memory("VmRSS") - before))

    watch = threading.Thread(target=look)
    watch.start()
    began = time.perf_counter()
    model.predict(df=folder, output=output, memory_limit=limit)
    seconds = time.perf_counter() - began
    done.set()
    watch.join()
    import pyarrow.dataset

    rows = pyarrow.dataset.dataset(output).count_rows()
    half = len(seen) // 2
    return {
        "series_per_s": rows / HORIZON / seconds,
        "rows": rows,
        "seconds": seconds,
        "parts": len(list(output.glob("*.parquet"))),
        "first_half_mib": max(mib for _, mib in seen[: half or 1]),
        "second_half_mib": max(mib for _, mib in seen[half:]),
    }


def workers_case(folder: Path, *, workers: int, output: Path) -> dict[str, Any]:
    """Forecast all series of a folder in workers of Ray on this machine, which have begun."""
    from seqcast import RayCluster

    with tempfile.TemporaryDirectory() as few:
        path = Path(few, "few")
        write_rows(path, 200, SHORT, 4)
        model = forecaster(20, 1).fit(path)
        with RayCluster(workers, "local") as cluster:
            began = time.perf_counter()
            model.predict(df=path, output=Path(few, "out"), on=cluster)
            start = time.perf_counter() - began
            before = memory("VmRSS")
            began = time.perf_counter()
            model.predict(df=folder, output=output, on=cluster)
            seconds = time.perf_counter() - began
    return {"seconds": seconds, "start_s": start, "driver_mib": memory("VmRSS") - before}


def accuracy_case(task: str, data: Path, seed: int, *, streamed: bool) -> dict[str, Any]:
    """Fit to a competition's training part, from files or in memory, and score the forecasts."""
    from yardsticks import read_m4_hourly, read_nn5

    from seqcast import Forecaster

    competition = {"nn5_daily": read_nn5, "m4_hourly": read_m4_hourly}[task](data)
    frame = competition.frame().sort_values(["unique_id", "ds"])
    model = Forecaster(competition.horizon, preset="segment", random_state=seed, verbose=0)
    if not streamed:
        model.fit(frame)
    else:
        with tempfile.TemporaryDirectory() as folder:
            ids = frame["unique_id"].unique()
            for number, names in enumerate(np.array_split(ids, 8)):
                frame[frame["unique_id"].isin(names)].to_parquet(Path(folder, f"{number}.parquet"), index=False)
            model.fit(folder, memory_limit="32 MiB")
    scaler = model.series_state_.scaler
    forecast = competition.matrix(model.predict(), "seqcast")
    return {
        "mase": competition.scores(forecast)["mase"],
        "statistics": [float(np.abs(part).sum()) for part in (scaler.loc, scaler.scale)],
    }


def run(name: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Return a result from its file, or from a process of its own."""
    file = folder / f"{name}.json"
    if not file.exists():
        print(name, flush=True)
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name}\n{done.stderr[-4000:]}")
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(done.stdout.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def spread(values: list[float], digits: int = 0) -> str:
    """Return the median of values, and the smallest and largest of several."""
    text = f"{statistics.median(values):,.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def train_table(options: argparse.Namespace, folder: Path) -> None:
    """Print how streamed and in-memory trainings compare."""
    source = folder / f"long-{options.series}"
    write_rows(source, options.series, ROWS)
    kinds = ("streamed", "in memory")
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for number in range(options.rounds):
        for kind in kinds:
            one = ["--one", "fit", str(source), kind, str(options.steps)]
            found[kind].append(run(f"fit-{options.series}-{kind.replace(' ', '-')}-{number}", options.out, one))
    rows = []
    for kind in kinds:
        columns = {key: [one[key] for one in found[kind]] for key in found[kind][0]}
        rows.append(
            [
                kind,
                spread(columns["read_s"], 1),
                spread([options.series * ROWS / seconds for seconds in columns["read_s"]]),
                spread(columns["first_steps_s"], 1),
                spread(columns["windows_per_s"]),
                spread(columns["peak_mib"]),
                spread(columns["loss"], 4),
            ]
        )
    headings = ["", "read, s", "rows/s", "first steps, s", "windows/s", "peak, MiB", "validation loss"]
    print(f"{options.series:,} series of {ROWS} rows in {FILES} files, memory_limit={options.limit!r}")
    print(table(headings, rows))
    pairs = zip(found["streamed"], found["in memory"], strict=True)
    print("windows/s, streamed over in memory:", spread([a["windows_per_s"] / b["windows_per_s"] for a, b in pairs], 3))


def predict_table(options: argparse.Namespace, folder: Path) -> None:
    """Print what the forecasts of many short series take."""
    source = folder / f"short-{options.long}"
    write_rows(source, options.long, SHORT)
    one = ["--one", "predict", str(source), str(folder / f"forecasts-{options.long}")]
    found = run(f"predict-{options.long}", options.out, one)
    print(f"{options.long:,} series of {SHORT} rows, memory_limit='256 MiB'")
    headings = ["series/s", "rows written", "files", "seconds", "memory, first half, MiB", "second half, MiB"]
    keys = ("series_per_s", "rows", "parts", "seconds", "first_half_mib", "second_half_mib")
    print(table(headings, [[f"{found[key]:,.0f}" for key in keys]]))


def peer_table(options: argparse.Namespace, folder: Path) -> None:
    """Print a training from Parquet files beside that of neuralforecast, which takes a folder for each series."""
    found: dict[str, list[dict[str, Any]]] = {"seqcast": [], "neuralforecast": []}
    script = Path(__file__).resolve().parent / "peers" / "files_peer.py"
    for number in range(options.rounds):
        for library, results in found.items():
            file = options.out / f"peer-{library}-{number}.json"
            if not file.exists():
                python = sys.executable if library == "seqcast" else str(PEERS)
                command = [python, str(script), "--library", library, "--folder", str(folder / "peer")]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(done.stderr[-4000:])
                options.out.mkdir(parents=True, exist_ok=True)
                file.write_text(done.stdout.strip().splitlines()[-1])
            results.append(json.loads(file.read_text()))
    rows = [
        [library, *(spread([one[key] for one in results], 1) for key in ("fit_s", "whole_s", "peak_mib"))]
        for library, results in found.items()
    ]
    print(table(["1,000 series of 200 rows", "fit, s", "process, s", "peak, MiB"], rows))
    pairs = list(zip(found["neuralforecast"], found["seqcast"], strict=True))
    for key in ("fit_s", "whole_s", "peak_mib"):
        print(f"neuralforecast over seqcast, {key}: {spread([a[key] / b[key] for a, b in pairs], 2)}")


def workers_table(options: argparse.Namespace, folder: Path) -> None:
    """Print what forecasts take in one, two and four workers."""
    source, rows = folder / f"short-{options.long // 5}", []
    write_rows(source, options.long // 5, SHORT)
    for workers in (1, 2, 4):
        one = ["--one", "workers", str(source), str(workers), str(folder / f"of-workers-{workers}")]
        found = run(f"workers-{options.long // 5}-{workers}", options.out, one)
        rate = options.long // 5 / found["seconds"]
        rows.append([workers, *(f"{number:,.0f}" for number in (found["seconds"], rate, found["driver_mib"]))])
    print(f"{options.long // 5:,} series of {SHORT} rows in {FILES} files, forecast by workers of Ray")
    print(table(["workers", "seconds, with their start", "series/s", "more memory here, MiB"], rows))


def accuracy_table(options: argparse.Namespace, folder: Path) -> None:
    """Print the accuracy of streamed and in-memory fits to public data."""
    del folder
    if options.data is None:
        raise SystemExit("accuracy: --data names the folder of the public data sets")
    rows = []
    for task in ("nn5_daily", "m4_hourly"):
        by_kind = {}
        for kind in ("streamed", "in memory"):
            results = []
            for seed in range(options.rounds):
                one = ["--one", "accuracy", task, str(options.data), str(seed), kind]
                results.append(run(f"accuracy-{task}-{kind.replace(' ', '-')}-{seed}", options.out, one))
            by_kind[kind] = results
            rows.append([task, kind, spread([one["mase"] for one in results], 4)])
        a, b = (np.array(by_kind[kind][0]["statistics"]) for kind in ("streamed", "in memory"))
        rows[-1].append(f"{np.abs(a / b - 1).max():.1e}")
        rows[-2].append("")
    print(table(["", "", "MASE", "scaling differs by"], rows))


CASES = {
    "train": train_table,
    "predict": predict_table,
    "peer": peer_table,
    "workers": workers_table,
    "accuracy": accuracy_table,
}


def main() -> None:
    """Measure what is asked for, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=["train", "predict", "peer", "workers"])
    parser.add_argument("--series", type=int, default=100_000, help="series to train on (default 100,000)")
    parser.add_argument("--long", type=int, default=1_000_000, help="series to forecast (default 1,000,000)")
    parser.add_argument("--limit", default="512 MiB", help="memory limit of the training (default 512 MiB)")
    parser.add_argument("--steps", type=int, default=300, help="steps an epoch (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, or seeds (default 3)")
    parser.add_argument("--out", type=Path, default=Path("results/scale"), help="folder of the result files")
    parser.add_argument("--data", type=Path, help="folder of the public data sets, for accuracy")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        case, *rest = options.one
        if case == "fit":
            found = fit_case(Path(rest[0]), streamed=rest[1] == "streamed", limit=options.limit, steps=int(rest[2]))
        elif case == "predict":
            found = predict_case(Path(rest[0]), limit="256 MiB", output=Path(rest[1]))
        elif case == "workers":
            found = workers_case(Path(rest[0]), workers=int(rest[1]), output=Path(rest[2]))
        else:
            found = accuracy_case(rest[0], Path(rest[1]), int(rest[2]), streamed=rest[3] == "streamed")
        print(json.dumps(found))
        return
    folder = Path(tempfile.gettempdir()) / "seqcast-scale"
    for case in options.cases:
        CASES[case](options, folder)
    print(machine_line())


if __name__ == "__main__":
    main()
