"""Time files in ONNX: one window and 256 of them, on one thread, beside the same forecast by `predict`.

    python benchmarks/onnx_export.py

Each preset is fitted on two series of 400 steps and exported; what is timed is onnxruntime's `run`, from raw values to
point and quantiles, the median of 2,000 calls (200 for many windows). Beside it stand what the recurrent layers take
of one window, by onnxruntime's own profile, and the largest difference from `predict`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEASON, HORIZON, LENGTH, MANY = 7, 14, 400, 256
PRESETS = ("classic", "segment")


def made(count: int, *, gaps: float, seed: int) -> pd.DataFrame:
    """Return weekly seasons with noise and gaps, as a long frame."""
    rng = np.random.default_rng(seed)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(LENGTH) / SEASON) + rng.normal(size=(count, LENGTH))
    y[rng.random(y.shape) < gaps] = np.nan
    stamps = pd.date_range("2024-01-01", periods=LENGTH)
    names = [f"{seed}-{place:04d}" for place in range(count)]
    return pd.DataFrame({"unique_id": np.repeat(names, LENGTH), "ds": np.tile(stamps, count), "y": y.ravel()})


def median_ms(call: Callable[[], object], rounds: int) -> float:
    """Return the median time of a call in milliseconds, after a few that warm up."""
    seconds = []
    for place in range(rounds + 20):
        start = time.perf_counter()
        call()
        if place >= 20:
            seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds))


def opened(path: Path, *, profile: bool = False) -> Any:
    """Return a file in onnxruntime, on one thread; its profile is written beside it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = profile
    options.profile_file_prefix = str(path.with_suffix(""))
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def recurrent_ms(path: Path, past: np.ndarray, rounds: int = 100) -> float:
    """Return the mean time of the operators GRU and LSTM in a call, in milliseconds."""
    session = opened(path, profile=True)
    for _ in range(rounds):
        session.run(None, {"past": past})
    events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    layers = [event["dur"] for event in events if event.get("args", {}).get("op_name") in ("GRU", "LSTM")]
    return float(sum(layers)) / rounds / 1e3


def measure(preset: str, gaps: float) -> str:
    """Fit, export and time a preset; return a row of the table."""
    from seqcast import Forecaster

    training = {"epochs": 1, "steps_per_epoch": 5}
    forecaster = Forecaster(
        HORIZON, preset=preset, training=training, calendar="none", verbose=0, random_state=0, level=(80, 95)
    )
    forecaster.fit(made(2, gaps=gaps, seed=0))
    new = made(MANY, gaps=gaps, seed=1)
    past = new["y"].to_numpy().reshape(MANY, LENGTH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        forecaster.export(path)
        session = opened(path)
        size = path.stat().st_size
        recurrent = recurrent_ms(path, past[:1])
    ours = forecaster.predict(df=new)["seqcast"].to_numpy().reshape(MANY, HORIZON)
    difference = np.abs(session.run(["point"], {"past": past})[0] - ours).max()
    one = median_ms(lambda: session.run(None, {"past": past[:1]}), 2000)
    many = median_ms(lambda: session.run(None, {"past": past}), 200)
    return f"{preset:<12}{gaps:>6.0%}{size / 1e3:>10.0f}{one:>12.3f}{recurrent:>16.3f}{many:>16.2f}{difference:>14.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    arguments = parser.parse_args()
    headings = f"{'preset':<12}{'gaps':>6}{'kB':>10}{'one, ms':>12}{'recurrent, ms':>16}{f'{MANY} rows, ms':>16}"
    print(f"{headings}{'difference':>14}")
    for preset in arguments.presets:
        for gaps in (0.0, 0.1):
            print(measure(preset, gaps), flush=True)


if __name__ == "__main__":
    main()
