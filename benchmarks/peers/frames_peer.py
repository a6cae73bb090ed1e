"""From a frame to a frame of forecasts, end to end: seqcast, neuralforecast's and darts's recurrent networks.

    python benchmarks/peers/frames_peer.py --library seqcast
    python benchmarks/peers/frames_peer.py --library darts --series 100 --steps 20

Builds the same frame in the process, fits one network on all series and forecasts each of them. All sides read windows
of the same lengths, from series standardised one by one, in batches of the same number of windows, with one GRU layer
of the same width, the squared error and Adam at a constant rate, for the same number of gradient steps, on all cores;
none validates, writes checkpoints or shows progress. What is left to the libraries is how they get there:

    seqcast          an encoder and a decoder of the given width
    neuralforecast   `GRU(recurrent=True)`: one network for past and future, taught with true values, fed its own later
    darts            `RNNModel(model="GRU")`: the same, its loss also over the past

The clock starts with the process. The last line of stdout is one JSON object; all else goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import resource
import sys
import time
import warnings
from abc import ABC, abstractmethod
from importlib.metadata import version
from typing import Any

import numpy as np
from common import process_began
from frame_job import Job

# A larger number of series at a time when forecasting suits both torch libraries better than that of training.
FORECAST_BATCH = 1024
SILENT = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)


class FramePeer(ABC):
    """A library that forecasts frames.

    Args:
        job: Frame and network.
    """

    column = "forecast"

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def fit(self, df: Any) -> None:
        """Import the library and fit a network on a frame."""

    @abstractmethod
    def predict(self) -> Any:
        """Return the forecasts of all series as a frame."""


def neuralforecast_gru(job: Job, **own: Any) -> Any:
    """Return neuralforecast's network for a job.

    Args:
        job: Sizes and training.
        own: Further arguments of `GRU`.
    """
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import GRU

    return GRU(
        h=job.horizon,
        h_train=job.horizon,
        input_size=job.context - 1,  # a recurrent model reads one more
        recurrent=True,
        encoder_n_layers=1,
        encoder_hidden_size=job.width,
        loss=MSE(),
        learning_rate=job.learning_rate,
        max_steps=job.steps,
        batch_size=32,
        valid_batch_size=FORECAST_BATCH,
        windows_batch_size=job.batch,
        random_seed=job.seed,
        accelerator="cpu",
        **SILENT,
        **own,
    )


class SeqcastFrames(FramePeer):
    """`Forecaster` of seqcast."""

    column = "seqcast"

    def fit(self, df: Any) -> None:
        """Fit on the frame, whose frequency is inferred."""
        self.model = self.job.forecaster().fit(df)

    def predict(self) -> Any:
        """Return the forecasts."""
        return self.model.predict()


class NeuralForecastFrames(FramePeer):
    """`GRU(recurrent=True)` of neuralforecast."""

    def fit(self, df: Any) -> None:
        """Fit on the frame; windows of a step come from `batch_size` series, as many as the library's default."""
        from neuralforecast import NeuralForecast

        # The series are scaled below.
        model = neuralforecast_gru(
            self.job, scaler_type="identity", inference_windows_batch_size=FORECAST_BATCH, alias=self.column
        )
        self.model = NeuralForecast(models=[model], freq="D", local_scaler_type="standard")
        self.model.fit(df)

    def predict(self) -> Any:
        """Return the forecasts."""
        return self.model.predict()


class DartsFrames(FramePeer):
    """`RNNModel` of darts."""

    def fit(self, df: Any) -> None:
        """Fit on a series for each id, in single precision; a window has one point more than `training_length`."""
        from darts import TimeSeries
        from darts.dataprocessing.transformers import Scaler
        from darts.models import RNNModel
        from sklearn.preprocessing import StandardScaler

        job = self.job
        self.ids = df["unique_id"].unique()
        series = TimeSeries.from_group_dataframe(
            df.assign(y=df["y"].astype(np.float32)),
            group_cols="unique_id",
            time_col="ds",
            value_cols="y",
            freq="D",
            drop_group_cols="unique_id",  # or each id is kept as a static covariate
        )
        self.scaler = Scaler(StandardScaler())
        self.series = self.scaler.fit_transform(series)
        self.model = RNNModel(
            model="GRU",
            input_chunk_length=job.context,
            training_length=job.context + job.horizon - 1,
            hidden_dim=job.width,
            n_rnn_layers=1,
            batch_size=job.batch,
            n_epochs=job.steps,  # never reached: max_steps ends the training
            optimizer_kwargs={"lr": job.learning_rate},
            random_state=job.seed,
            pl_trainer_kwargs={"accelerator": "cpu", "max_steps": job.steps, **SILENT},
        )
        # An epoch just long enough, of windows from all over each series: an index of all of them is longer to shuffle.
        most = job.rows - job.context - job.horizon + 1
        each = min(most, -(-job.steps * job.batch // job.series))
        self.model.fit(self.series, max_samples_per_ts=each, stride=most // each, verbose=False)

    def predict(self) -> Any:
        """Return the forecasts, scaled back and laid end to end."""
        import pandas as pd

        forecasts = self.model.predict(
            self.job.horizon, series=self.series, batch_size=FORECAST_BATCH, verbose=False, show_warnings=False
        )
        forecasts = self.scaler.inverse_transform(forecasts)
        columns = {
            "unique_id": np.repeat(self.ids, self.job.horizon),
            "ds": np.concatenate([one.time_index for one in forecasts]),
            self.column: np.concatenate([one.values(copy=False)[:, 0] for one in forecasts]),
        }
        return pd.DataFrame(columns)


LIBRARIES: dict[str, type[FramePeer]] = {
    "seqcast": SeqcastFrames,
    "neuralforecast": NeuralForecastFrames,
    "darts": DartsFrames,
}


def measure(library: str, job: Job) -> dict[str, Any]:
    """Return the seconds of each part since the process began, memory, and the error of the forecasts."""
    peer = LIBRARIES[library](job)
    ends = [process_began()]
    df = job.frame()
    ends.append(time.time())
    peer.fit(df)
    ends.append(time.time())
    forecasts = peer.predict()
    ends.append(time.time())
    parts = dict(zip(("frame_s", "fit_s", "predict_s"), np.diff(ends).tolist(), strict=True))
    return {
        **parts,
        "whole_s": ends[-1] - ends[0],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "error": job.error(forecasts, peer.column),
        "version": version(library),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", choices=list(LIBRARIES), required=True)
    Job.add_arguments(parser)
    arguments = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        logging.disable(logging.WARNING)
        warnings.filterwarnings("ignore")
        outcome = measure(arguments.library, Job.of(arguments))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
