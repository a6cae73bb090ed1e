"""A fit from Parquet files, end to end: seqcast, and neuralforecast's path for files.

    python benchmarks/peers/files_peer.py --library seqcast --folder /tmp/peer

Both read the same rows: neuralforecast a folder for each series, as it wants them, seqcast a folder of a few files. One
GRU layer of the same width, windows of the same lengths, the same number of steps; see `frame_job.py`. neuralforecast
scales no series of files, so its windows are scaled. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from pathlib import Path
from typing import Any

from common import process_began
from frame_job import Job
from frames_peer import neuralforecast_gru

JOB = Job(series=1_000, rows=200, steps=300)


def write(folder: Path) -> None:
    """Write the rows of the job in both layouts."""
    if folder.exists():
        return
    partial = folder.with_suffix(".part")
    frame = JOB.frame()
    for name, rows in frame.groupby("unique_id"):
        own = partial / "folders" / f"unique_id={name}"
        own.mkdir(parents=True)
        rows.drop(columns="unique_id").to_parquet(own / "rows.parquet", index=False)
    (partial / "files").mkdir()
    size = len(frame) // 8
    for number in range(8):
        frame.iloc[number * size : (number + 1) * size].to_parquet(partial / "files" / f"{number}.parquet", index=False)
    partial.rename(folder)


def fit_seqcast(folder: Path) -> Any:
    """Fit seqcast."""
    return JOB.forecaster().fit(str(folder / "files"), memory_limit="256 MiB")


def fit_neuralforecast(folder: Path) -> Any:
    """Fit neuralforecast."""
    from neuralforecast import NeuralForecast

    model = neuralforecast_gru(JOB, scaler_type="standard")
    folders = sorted(str(path) for path in (folder / "folders").iterdir())
    forecaster = NeuralForecast(models=[model], freq="D")
    forecaster.fit(folders)
    return forecaster


def main() -> None:
    """Fit, and print what it took."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", choices=["seqcast", "neuralforecast"], required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where the rows are, or will be")
    options = parser.parse_args()
    write(options.folder)
    began = time.perf_counter()
    (fit_seqcast if options.library == "seqcast" else fit_neuralforecast)(options.folder)
    outcome = {
        "fit_s": time.perf_counter() - began,
        "whole_s": time.time() - process_began(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
