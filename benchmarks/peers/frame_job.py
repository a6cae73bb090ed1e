"""The job of the frames benchmark: a synthetic frame of many series, and the sizes that all sides share."""

import contextlib
import time
from dataclasses import dataclass, fields
from unittest import mock

import numpy as np

SEASON = 7


@dataclass(frozen=True)
class Job:
    """A frame and a network.

    Args:
        series: Number of series, `N`.
        rows: Rows of each series, a day each.
        seed: Seed of the frame and of the network.
        context: Steps of past, `T`.
        horizon: Steps to forecast, `H`.
        batch: Windows a gradient step.
        width: Units of the recurrent layer.
        steps: Gradient steps of a fit.
        learning_rate: Of Adam, constant.
    """

    series: int = 10_000
    rows: int = 200
    seed: int = 0
    context: int = 28
    horizon: int = 14
    batch: int = 128
    width: int = 64
    steps: int = 500
    learning_rate: float = 0.001

    @classmethod
    def add_arguments(cls, parser):
        """Add an option for each size."""
        for item in fields(cls):
            option = f"--{item.name.replace('_', '-')}"
            parser.add_argument(
                option,
                type=type(item.default),
                default=item.default,
                help=f"(default {item.default})",
            )

    @classmethod
    def of(cls, arguments):
        """Return the job of a command line."""
        return cls(**{item.name: getattr(arguments, item.name) for item in fields(cls)})

    def values(self):
        """Draw the series and what follows them, `[N, rows + H]`: a trend, a week and noise, of any magnitude."""
        generator = np.random.default_rng(self.seed)
        steps = np.arange(self.rows + self.horizon)
        magnitude = 10 ** generator.uniform(0, 3, (self.series, 1))
        trend = generator.uniform(-1, 1, (self.series, 1)) * steps / len(steps)
        week = generator.normal(0, 0.5, (self.series, SEASON))[:, steps % SEASON]
        return magnitude * (3 + trend + week + generator.normal(0, 0.2, (self.series, len(steps))))

    def frame(self):
        """Return the long pandas frame `unique_id` (text), `ds` (days), `y`."""
        import pandas as pd

        days = pd.date_range("2024-01-01", periods=self.rows, freq="D")
        ids = np.array([f"series-{number:06d}" for number in range(self.series)], dtype=object)
        columns = {
            "unique_id": np.repeat(ids, self.rows),
            "ds": np.tile(days.to_numpy(), self.series),
        }
        return pd.DataFrame({**columns, "y": self.values()[:, : self.rows].ravel()})

    def error(self, forecasts, column):
        """Check a frame of forecasts and return their mean absolute error, in standard deviations of each series.

        Args:
            forecasts: Frame with `unique_id`, `ds` and the forecasts, a row for each series and
                step.
            column: Name of the forecasts.

        Raises:
            ValueError: Series or stamps are not those that were to be forecast, or a number is not
                finite.
        """
        ordered = forecasts.sort_values(["unique_id", "ds"])
        first = np.datetime64("2024-01-01") + np.timedelta64(self.rows, "D")
        stamps = ordered["ds"].to_numpy().reshape(self.series, self.horizon)
        if (
            ordered["unique_id"].nunique() != self.series
            or (stamps != first + np.arange(self.horizon)).any()
        ):
            raise ValueError("the forecasts are not of the series and days that follow the frame")
        error = self._error(
            ordered[column].to_numpy(dtype=float).reshape(self.series, self.horizon)
        )
        if not np.isfinite(error):
            raise ValueError("some forecasts are not finite")
        return error

    def naive_errors(self):
        """Return the same error of each series' mean and of its last week, repeated."""
        rows = self.values()[:, : self.rows]
        mean = np.repeat(rows.mean(axis=1, keepdims=True), self.horizon, axis=1)
        week = rows[:, -SEASON:][:, np.arange(self.horizon) % SEASON]
        return {"the mean": self._error(mean), "the last week": self._error(week)}

    def _error(self, forecast):
        whole = self.values()
        deviation = whole[:, : self.rows].std(axis=1, keepdims=True)
        return float((np.abs(forecast - whole[:, self.rows :]) / deviation).mean())

    def forecaster(self):
        """Return seqcast's forecaster for the job, not yet fitted."""
        from seqcast import Forecaster, NetworkSpec, TrainingSpec

        training = TrainingSpec(
            optimizer="adam",
            learning_rate=self.learning_rate,
            learning_rate_schedule="constant",
            clip_norm=None,
            batch_size=self.batch,
            epochs=1,
            steps_per_epoch=self.steps,
            validation_fraction=0.0,
        )
        return Forecaster(
            self.horizon,
            context_length=self.context,
            preset=NetworkSpec(encoder_units=(self.width,), decoder_units=(self.width,)),
            training=training,
            scale="standard",
            calendar="none",
            random_state=self.seed,
            verbose=0,
        )


class FirstBatchError(Exception):
    """Ends a fit once its first batch is there."""


def first_batch_s(job, df):
    """Return the seconds from `Forecaster.fit` to the first batch in Keras's `fit`.

    Keras's own class is what all versions end in, wherever their modules lie. The building of the
    network, an eighth of it with 10,000 series, is among what is timed.
    """
    import keras  # after seqcast has chosen its backend

    taken = []

    def take(_, windows, **__):
        windows[0]
        taken.append(time.perf_counter())
        raise FirstBatchError

    forecaster = job.forecaster()
    with mock.patch.object(keras.Model, "fit", take), contextlib.suppress(FirstBatchError):
        began = time.perf_counter()
        forecaster.fit(df)
    return taken[0] - began
