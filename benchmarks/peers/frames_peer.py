"""From a frame to a frame of forecasts, end to end: seqcast, neuralforecast's and darts's recurrent networks.

    python benchmarks/peers/frames_peer.py --library seqcast
    python benchmarks/peers/frames_peer.py --library darts --series 100 --steps 20
    python benchmarks/peers/frames_peer.py --library seqcast --files /tmp/peer   # a fit from Parquet files

Builds the same frame in the process, fits one network on all series and forecasts each of them. All sides read windows
of the same lengths, from series standardised one by one, in batches of the same number of windows, with one GRU layer
of the same width, the squared error and Adam at a constant rate, for the same number of gradient steps, on all cores;
none validates, writes checkpoints or shows progress. What is left to the libraries is how they get there:

    seqcast          an encoder and a decoder of the given width
    neuralforecast   `GRU(recurrent=True)`: one network for past and future, taught with true values, fed its own later
    darts            `RNNModel(model="GRU")`: the same, its loss also over the past

`--files` writes the rows of 1,000 series in both layouts: a folder for each series, as neuralforecast wants them (and
it scales windows, since it scales no series of files), and eight files. The clock starts with the process. The last
line of stdout is one JSON object; all else goes to stderr.
"""

import contextlib
import json
import logging
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from common import options, peak_mib, process_began
from frame_job import Job

# A larger number of series at a time when forecasting suits both torch libraries better than that
# of training.
FORECAST_BATCH = 1024
SILENT = dict.fromkeys(
    ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
)
OF_FILES = Job(series=1_000, rows=200, steps=300)


def seqcast(job, rows):
    """Fit `Forecaster` on a frame, whose frequency is inferred, or on a folder of files; return what forecasts."""
    limit = {"memory_limit": "256 MiB"} if isinstance(rows, str) else {}
    return job.forecaster().fit(rows, **limit).predict


def neuralforecast(job, rows):
    """Fit `GRU(recurrent=True)` on a frame, whose series are scaled one by one, or on a folder for each series."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import GRU

    of_files = isinstance(rows, list)  # whose windows are scaled
    own = {} if of_files else {"inference_windows_batch_size": FORECAST_BATCH, "alias": "forecast"}
    model = GRU(
        h=job.horizon,
        h_train=job.horizon,
        input_size=job.context - 1,  # a recurrent model reads one more
        recurrent=True,
        encoder_n_layers=1,
        encoder_hidden_size=job.width,
        loss=MSE(),
        learning_rate=job.learning_rate,
        max_steps=job.steps,
        batch_size=32,  # series that windows of a step come from, as many as the library's default
        valid_batch_size=FORECAST_BATCH,
        windows_batch_size=job.batch,
        scaler_type="standard" if of_files else "identity",
        random_seed=job.seed,
        accelerator="cpu",
        **SILENT,
        **own,
    )
    forecaster = NeuralForecast(
        models=[model], freq="D", local_scaler_type=None if of_files else "standard"
    )
    forecaster.fit(rows)
    return forecaster.predict


def darts_series(df, freq):
    """Return a frame as darts's series, in single precision and standardised one by one, and their scaler."""
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from sklearn.preprocessing import StandardScaler

    # With the group dropped, or each id is kept as a static covariate.
    columns = {
        "group_cols": "unique_id",
        "time_col": "ds",
        "value_cols": "y",
        "drop_group_cols": "unique_id",
    }
    series = TimeSeries.from_group_dataframe(
        df.assign(y=df["y"].astype(np.float32)), freq=freq, **columns
    )
    scaler = Scaler(StandardScaler())
    return scaler.fit_transform(series), scaler


def darts(job, df):
    """Fit `RNNModel` on a series for each id; return what forecasts, scaled back and laid end to end."""
    import pandas as pd
    from darts.models import RNNModel

    series, scaler = darts_series(df, "D")
    model = RNNModel(
        model="GRU",
        input_chunk_length=job.context,
        training_length=job.context + job.horizon - 1,  # a sample has one point more
        hidden_dim=job.width,
        n_rnn_layers=1,
        batch_size=job.batch,
        n_epochs=job.steps,  # never reached: max_steps ends the training
        optimizer_kwargs={"lr": job.learning_rate},
        random_state=job.seed,
        pl_trainer_kwargs={"accelerator": "cpu", "max_steps": job.steps, **SILENT},
    )
    # An epoch just long enough, of windows from all over each series: an index of all of them is
    # longer to shuffle.
    most = job.rows - job.context - job.horizon + 1
    each = min(most, -(-job.steps * job.batch // job.series))
    model.fit(series, max_samples_per_ts=each, stride=most // each, verbose=False)

    def predict():
        given = {
            "series": series,
            "batch_size": FORECAST_BATCH,
            "verbose": False,
            "show_warnings": False,
        }
        forecasts = scaler.inverse_transform(model.predict(job.horizon, **given))
        columns = {
            "unique_id": np.repeat(df["unique_id"].unique(), job.horizon),
            "ds": np.concatenate([one.time_index for one in forecasts]),
            "forecast": np.concatenate([one.values(copy=False)[:, 0] for one in forecasts]),
        }
        return pd.DataFrame(columns)

    return predict


LIBRARIES = {"seqcast": seqcast, "neuralforecast": neuralforecast, "darts": darts}


def measure(library, job):
    """Return the seconds of each part since the process began, memory, and the error of the forecasts."""
    ends = [process_began()]
    df = job.frame()
    ends.append(time.time())
    predict = LIBRARIES[library](job, df)
    ends.append(time.time())
    forecasts = predict()
    ends.append(time.time())
    parts = dict(zip(("frame_s", "fit_s", "predict_s"), np.diff(ends).tolist(), strict=True))
    whole = {"whole_s": ends[-1] - ends[0], "peak_mb": peak_mib()}
    error = job.error(forecasts, "seqcast" if library == "seqcast" else "forecast")
    return {**parts, **whole, "error": error, "version": version(library)}


def write_files(folder):
    """Write the rows of the job of files in both layouts."""
    if folder.exists():
        return
    partial = folder.with_suffix(".part")
    frame = OF_FILES.frame()
    for name, rows in frame.groupby("unique_id"):
        own = partial / "folders" / f"unique_id={name}"
        own.mkdir(parents=True)
        rows.drop(columns="unique_id").to_parquet(own / "rows.parquet", index=False)
    (partial / "files").mkdir()
    size = len(frame) // 8
    for number in range(8):
        frame.iloc[number * size : (number + 1) * size].to_parquet(
            partial / "files" / f"{number}.parquet", index=False
        )
    partial.rename(folder)


def measure_files(library, folder):
    """Return the seconds of a fit from files, those of the process, and its memory."""
    write_files(folder)
    rows = (
        str(folder / "files")
        if library == "seqcast"
        else sorted(map(str, (folder / "folders").iterdir()))
    )
    began = time.perf_counter()
    LIBRARIES[library](OF_FILES, rows)
    fit = time.perf_counter() - began
    return {"fit_s": fit, "whole_s": time.time() - process_began(), "peak_mib": peak_mib()}


def main():
    """Fit and forecast with a library, and print what it took."""
    parser = options(__doc__)
    parser.add_argument("--library", choices=list(LIBRARIES), required=True)
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="fit from files; they are written if missing"
    )
    Job.add_arguments(parser)
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        logging.disable(logging.WARNING)
        warnings.filterwarnings("ignore")
        own = (measure_files, given.files) if given.files else (measure, Job.of(given))
        outcome = own[0](given.library, own[1])
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
