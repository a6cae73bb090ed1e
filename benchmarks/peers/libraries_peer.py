"""The nearest models of four forecasting libraries: neuralforecast, darts, skforecast and gluonts.

    python benchmarks/peers/libraries_peer.py step --library neuralforecast
    python benchmarks/peers/libraries_peer.py latency --library darts

Tasks and options are those of common.py; there is no `learn`, since a library decides for itself when to score.
Every library gets the same windows, as series of T + H points each of which holds one window, and takes a gradient
step with --batch of them. Forecasts go through the library's public `predict` and include the making of its frames.
What differs from the post's network:

    neuralforecast   one recurrent network, trained on true inputs, fed its own means when it forecasts
    darts            the same
    skforecast       an encoder and a dense layer for all steps; takes one series only, so the windows are strung
                     together, and forecasts one window a call
    gluonts          DeepAR: as neuralforecast, but always an LSTM, with a distribution of which it draws 100 paths
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import warnings
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any

import numpy as np
from common import AfterEpoch, Peer, main, windows


class Library(ABC):
    """How a library fits and forecasts windows."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments

    @abstractmethod
    def fit(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Fit a new model on windows and call `after_epoch` with each epoch's loss."""

    @abstractmethod
    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts `[N, H, 1]` of `[N, T, 1]`."""


class NeuralForecastLibrary(Library):
    """`GRU(recurrent=True)` of neuralforecast."""

    def fit(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Fit on all H steps of a window; a recurrent model reads one input more than `input_size` says."""
        import pytorch_lightning
        from neuralforecast import NeuralForecast, models
        from neuralforecast.losses.pytorch import MSE

        given = self.arguments
        model = getattr(models, given.cell.upper())(
            h=given.horizon,
            h_train=given.horizon,
            input_size=given.context - 1,
            recurrent=True,
            encoder_n_layers=given.depth,
            encoder_hidden_size=given.width,
            loss=MSE(),
            learning_rate=given.learning_rate,
            scaler_type="identity",
            batch_size=given.batch,
            windows_batch_size=given.batch,
            max_steps=epochs * len(past) // given.batch,
            random_seed=given.seed,
            alias="forecast",
            **trainer_options(pytorch_lightning, after_epoch),
        )
        self.model = NeuralForecast(models=[model], freq=1)
        self.model.fit(long_frame(np.concatenate([past, future], axis=1)))

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the forecasts of a frame."""
        forecasts = self.model.predict(df=long_frame(past))
        return forecasts["forecast"].to_numpy().reshape(len(past), -1, 1)


class DartsLibrary(Library):
    """`RNNModel` of darts."""

    def fit(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Fit on series; a training sample has one point more than `training_length` says."""
        import pytorch_lightning
        from darts.models import RNNModel

        given = self.arguments
        self.model = RNNModel(
            model=given.cell.upper(),
            input_chunk_length=given.context,
            training_length=given.context + given.horizon - 1,
            hidden_dim=given.width,
            n_rnn_layers=given.depth,
            batch_size=given.batch,
            n_epochs=epochs,
            optimizer_kwargs={"lr": given.learning_rate},
            random_state=given.seed,
            pl_trainer_kwargs=trainer_options(pytorch_lightning, after_epoch),
        )
        self.model.fit(self.series(np.concatenate([past, future], axis=1)), verbose=False)

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the forecasts of a list of series."""
        forecasts = self.model.predict(
            self.arguments.horizon, series=self.series(past), batch_size=len(past), verbose=False, show_warnings=False
        )
        return np.stack([forecast.values(copy=False) for forecast in forecasts])

    def series(self, values: np.ndarray) -> list[Any]:
        """Return a series for each window."""
        from darts import TimeSeries

        return [TimeSeries.from_values(window) for window in values]


class SkforecastLibrary(Library):
    """`ForecasterRnn` of skforecast, with Keras on torch."""

    def fit(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Fit on as many windows of one long series."""
        os.environ.setdefault("KERAS_BACKEND", "torch")
        import keras
        from skforecast.deep_learning import ForecasterRnn, create_and_compile_model

        given = self.arguments
        keras.utils.set_random_seed(given.seed)
        points = len(past) + given.context + given.horizon - 1
        series = self.frame(np.concatenate([past, future], axis=1).reshape(-1)[:points])
        network = create_and_compile_model(
            series,
            lags=given.context,
            steps=given.horizon,
            recurrent_layer=given.cell.upper(),
            recurrent_units=[given.width] * given.depth,
            dense_units=None,
            compile_kwargs={"optimizer": keras.optimizers.Adam(given.learning_rate), "loss": "mse"},
        )
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: after_epoch(logs["loss"]))
        options = {"epochs": epochs, "batch_size": given.batch, "callbacks": [callback], "verbose": 0}
        self.model = ForecasterRnn(network, levels="y", lags=given.context, transformer_series=None, fit_kwargs=options)
        self.model.fit(series, suppress_warnings=True)

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the forecasts of one window after the other."""
        frames = (self.frame(window[:, 0]) for window in past)
        forecasts = [self.model.predict(last_window=frame, suppress_warnings=True)["pred"] for frame in frames]
        return np.stack(forecasts)[:, :, None]

    def frame(self, values: np.ndarray) -> Any:
        """Return a frame of one series."""
        import pandas as pd

        return pd.DataFrame({"y": values})


class GluontsLibrary(Library):
    """`DeepAREstimator` of gluonts on torch."""

    def fit(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Fit on series without calendar, the last input as only lag; each series is split before its last H points."""
        import lightning.pytorch
        from gluonts.torch import DeepAREstimator
        from gluonts.transform.sampler import PredictionSplitSampler

        given = self.arguments
        lightning.pytorch.seed_everything(given.seed)
        with tempfile.TemporaryDirectory() as checkpoints:
            options = trainer_options(lightning.pytorch, after_epoch)
            del options["enable_checkpointing"]
            estimator = DeepAREstimator(
                freq="D",
                prediction_length=given.horizon,
                context_length=given.context,
                num_layers=given.depth,
                hidden_size=given.width,
                lr=given.learning_rate,
                lags_seq=[1],
                time_features=[],
                batch_size=given.batch,
                num_batches_per_epoch=len(past) // given.batch,
                train_sampler=PredictionSplitSampler(min_future=given.horizon),
                trainer_kwargs={**options, "max_epochs": epochs, "default_root_dir": checkpoints},
            )
            self.model = estimator.train(self.series(np.concatenate([past, future], axis=1)))

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the means of the sampled paths."""
        return np.stack([forecast.mean for forecast in self.model.predict(self.series(past))])[:, :, None]

    def series(self, values: np.ndarray) -> list[dict[str, Any]]:
        """Return a data set of one series for each window."""
        import pandas as pd

        start = pd.Period("2020-01-01", freq="D")
        return [{"start": start, "target": window[:, 0]} for window in values]


def long_frame(values: np.ndarray) -> Any:
    """Return windows as a long frame, a series for each."""
    import pandas as pd

    count, length = values.shape[:2]
    steps = {"unique_id": np.repeat(np.arange(count), length), "ds": np.tile(np.arange(length), count)}
    return pd.DataFrame({**steps, "y": values.reshape(-1)})


def trainer_options(lightning: ModuleType, after_epoch: AfterEpoch) -> dict[str, Any]:
    """Return options of a Lightning trainer that writes nothing and reports each epoch's loss."""
    callback = lightning.callbacks.LambdaCallback(
        on_train_epoch_end=lambda trainer, _: after_epoch(trainer.callback_metrics["train_loss"])
    )
    silent = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return {"accelerator": "cpu", "callbacks": [callback], **dict.fromkeys(silent, False)}


LIBRARIES: dict[str, type[Library]] = {
    "neuralforecast": NeuralForecastLibrary,
    "darts": DartsLibrary,
    "skforecast": SkforecastLibrary,
    "gluonts": GluontsLibrary,
}


class LibraryPeer(Peer):
    """A library's nearest model."""

    tasks = ("step", "latency", "throughput")
    forecasts_many = False

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the choice of the library."""
        parser.add_argument("--library", choices=list(LIBRARIES), required=True)

    def __init__(self, arguments: argparse.Namespace) -> None:
        logging.disable(logging.WARNING)
        warnings.filterwarnings("ignore")
        self.arguments = arguments
        self.library = LIBRARIES[arguments.library](arguments)
        self.fitted = False

    def train(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Train with the library's `fit`."""
        self.library.fit(past, future, epochs, after_epoch)
        self.fitted = True

    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return what the library predicts, after one gradient step if it has not been fitted yet."""
        if not self.fitted:
            self.train(*windows(self.arguments, self.arguments.batch), 1, lambda _: None)
        return self.library.predict(past)

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the same."""
        return self.forecast(past)


if __name__ == "__main__":
    main(LibraryPeer, __doc__)
