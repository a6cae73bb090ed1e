"""Time files in ONNX: one window and 256 of them, on one thread, beside the same forecast by `predict`.

    python benchmarks/onnx_export.py

Each preset is fitted on two series of 400 steps and exported; what is timed is onnxruntime's `run`,
from raw values to point and quantiles, the median of 2,000 calls (200 for many windows). Beside it
stand what the recurrent layers take of one window, by onnxruntime's own profile, and the largest
difference from `predict`.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from harness import machine, options, table

SEASON = 7
HORIZON = 14
LENGTH = 400
MANY = 256
PRESETS = ("classic", "segment")


def weeks(count, gaps, seed):
    """Return weekly seasons with noise and gaps, as a long frame."""
    rng = np.random.default_rng(seed)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(LENGTH) / SEASON) + rng.normal(size=(count, LENGTH))
    y[rng.random(y.shape) < gaps] = np.nan
    names = [f"{seed}-{place:04d}" for place in range(count)]
    stamps = pd.date_range("2024-01-01", periods=LENGTH)
    return pd.DataFrame(
        {"unique_id": np.repeat(names, LENGTH), "ds": np.tile(stamps, count), "y": y.ravel()}
    )


def median_ms(session, past, rounds):
    """Return the median time of a call in milliseconds, after a few that warm up."""
    seconds = []
    for _ in range(rounds + 20):
        start = time.perf_counter()
        session.run(None, {"past": past})
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds[20:]))


def opened(path, profile=False):
    """Return a file in onnxruntime, on one thread; its profile is written beside it."""
    import onnxruntime

    given = onnxruntime.SessionOptions()
    given.intra_op_num_threads = 1
    given.enable_profiling = profile
    given.profile_file_prefix = str(path.with_suffix(""))
    return onnxruntime.InferenceSession(str(path), given, providers=["CPUExecutionProvider"])


def recurrent_ms(path, past, rounds=100):
    """Return the mean time of the operators GRU and LSTM in a call, in milliseconds."""
    session = opened(path, profile=True)
    for _ in range(rounds):
        session.run(None, {"past": past})
    events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    layers = [
        event["dur"] for event in events if event.get("args", {}).get("op_name") in ("GRU", "LSTM")
    ]
    return float(sum(layers)) / rounds / 1e3


def measure(preset, gaps):
    """Fit, export and time a preset; return a row of the table."""
    from seqcast import Forecaster

    given = {
        "training": {"epochs": 1, "steps_per_epoch": 5},
        "calendar": "none",
        "verbose": 0,
        "random_state": 0,
    }
    forecaster = Forecaster(HORIZON, preset=preset, level=(80, 95), **given).fit(
        weeks(2, gaps, seed=0)
    )
    new = weeks(MANY, gaps, seed=1)
    past = new["y"].to_numpy().reshape(MANY, LENGTH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        forecaster.export(path)
        session = opened(path)
        size = path.stat().st_size
        recurrent = recurrent_ms(path, past[:1])
    ours = forecaster.predict(df=new)["seqcast"].to_numpy().reshape(MANY, HORIZON)
    difference = np.abs(session.run(["point"], {"past": past})[0] - ours).max()
    times = (median_ms(session, past[:1], 2000), recurrent, median_ms(session, past, 200))
    return [
        preset,
        f"{gaps:.0%}",
        f"{size / 1e3:.0f}",
        *(f"{ms:.3f}" for ms in times),
        f"{difference:.1e}",
    ]


def main():
    """Time the presets and print a table."""
    parser = options(__doc__)
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    rows = [measure(preset, gaps) for preset in parser.parse_args().presets for gaps in (0.0, 0.1)]
    print(
        table(
            ["preset", "gaps", "kB", "one, ms", "recurrent, ms", f"{MANY} rows, ms", "difference"],
            rows,
        )
    )
    print(machine(("onnxruntime", "numpy")))


if __name__ == "__main__":
    main()
