"""Fine-tuning of the pretrained network: its training and its windows."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seqcast.data import Season
from seqcast.data.windows import Batch, SeriesWindows, WindowReader
from seqcast.pretrained.seasonal_inputs import (
    CovariateSizes,
    add_covariates,
    column_names,
    seasonal_inputs,
)
from seqcast.runtime import Array, begin, in_threads, threads
from seqcast.specs import TrainingSpec

# Steps in all for few windows.
LEAST_STEPS = 48
# Steps in all for many windows.
MOST_STEPS = 240
# How often each window is seen, for numbers of windows in between.
PASSES = 3
# Windows of a step.
BATCH_SIZE = 64
# Epochs that the steps are divided into; the weights of the best one are kept.
EPOCHS = 6
# Steps in all if another network learns from the data: the loss is .5 % larger (docs/history.md).
MOST_STEPS_SHARED = 120
# Epochs that these steps are divided into.
EPOCHS_SHARED = 3
# Seasons of a training window, where series have them.
SEASONS_READ = 3
# Weights half-way between old and fine-tuned ones forecast better than either (docs/history.md).
ROBUST_SHARE = 0.5
# More validation windows would take longer than the training.
MOST_VALIDATION_WINDOWS = 1_000
# Most training windows that are read at once, about a hundred megabytes.
MOST_AT_ONCE = 4_096
# Windows that a thread reads.
READ_TOGETHER = 128


def finetune_training(
    windows: int,
    changes: TrainingSpec | Mapping[str, object] | None = None,
    *,
    covariates: bool = False,
    shares_data: bool = False,
) -> TrainingSpec:
    """Return the training of a fine-tuning: the more windows, the more steps.

    Args:
        windows: Number of training windows.
        changes: A spec, which is taken as it is, or the fields that differ.
        covariates: Whether it has to learn what covariates mean, which takes a larger learning
            rate.
        shares_data: Whether another network learns from the data too.

    Example:
        >>> spec = finetune_training(2000)
        >>> spec.epochs * spec.steps_per_epoch
        96
    """
    if isinstance(changes, TrainingSpec):
        return changes

    short = shares_data and not covariates
    most = MOST_STEPS_SHARED if short else MOST_STEPS
    epochs = EPOCHS_SHARED if short else EPOCHS
    steps = int(np.clip(PASSES * windows / BATCH_SIZE, LEAST_STEPS, most))

    usual = {
        "batch_size": BATCH_SIZE,
        "epochs": epochs,
        "steps_per_epoch": -(-steps // epochs),
        "learning_rate": 2e-3 if covariates else 5e-4,
        "early_stopping": None if short else 2,
        "horizon_decay": 0.5,
    }
    return TrainingSpec.from_dict({**TrainingSpec().to_dict(), **usual, **(changes or {})})


def limits(training: TrainingSpec | Mapping[str, object] | None) -> dict[str, object]:
    """Return the fields of a user's training that limit its length, also of a fine-tuning.

    Args:
        training: The user's training of a network.

    Example:
        >>> limits({"epochs": 2, "learning_rate": 0.1})
        {'epochs': 2}
    """
    given = training.to_dict() if isinstance(training, TrainingSpec) else dict(training or {})
    names = ("epochs", "steps_per_epoch", "batch_size")
    return {name: given[name] for name in names if given.get(name) is not None}


class SeasonalWindows(SeriesWindows):
    """Windows that slide along many series, each target by itself, in the units of the window.

    Few windows, and those without a seed, which are the same in each epoch, are all read before the
    first batch, on all cores: to read a window takes as long as to learn from it.

    Args:
        reader: The window reader, see `seasonal_reader`.
        horizon: Steps of future that windows have, `H`.
        season: The season of the series.
        steps_forecast: Steps that the network writes, at least a horizon; those beyond it do not
            count.
        most_at_once: Windows that are read before the first batch, at most.
        **options: As for `SeriesWindows`.

    Example:
        >>> from seqcast.data.series.scalers import SeriesScaler
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.arange(6.0)[:, None]})
        >>> scaler = SeriesScaler(np.zeros((1, 1)), np.ones((1, 1)))
        >>> reader = WindowReader(store, None, scaler, context_length=4)
        >>> windows = SeasonalWindows(reader, 2, season=Season(2), steps_forecast=2, batch_size=8)
        >>> inputs, y, _ = windows[0]
        >>> inputs["past"].shape, y.shape
        ((1, 4, 7), (1, 2, 1))
    """

    def __init__(
        self,
        reader: WindowReader,
        horizon: int,
        *,
        season: Season,
        steps_forecast: int,
        most_at_once: int = MOST_AT_ONCE,
        **options: Any,
    ) -> None:
        super().__init__(reader, horizon, each=reader.targets.width, **options)
        self.season = season
        self.steps_forecast = steps_forecast
        self.covariates = CovariateSizes.of(reader)
        self._at_once = options.get("seed") is None or self.count <= most_at_once
        self._next: tuple[int, Callable[[], Batch]] | None = None

    def batch(self, number: int) -> Batch:
        """Return a batch, see `Windows`; a thread reads the next one unless all are in memory."""
        if self._at_once:
            return super().batch(number)
        following = self._next
        self._next = None
        read: Callable[[], Batch] = functools.partial(super().batch, number)
        if following is not None and following[0] == number:
            read = following[1]
        batch = read()

        if threads() > 1:
            self._next = number + 1, begin(super().batch, number + 1)
        return batch

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch."""
        if not self._at_once:
            return self._read(windows)
        inputs, y, weights = self._whole
        return (
            {name: values[windows] for name, values in inputs.items()},
            y[windows],
            weights[windows],
        )

    @functools.cached_property
    def _whole(self) -> Batch:
        """All windows."""
        pieces = np.array_split(np.arange(self.count), -(-self.count // READ_TOGETHER))
        inputs, y, weights = zip(*in_threads(self._read, pieces), strict=True)
        by_name = {name: np.concatenate([piece[name] for piece in inputs]) for name in inputs[0]}
        return by_name, np.concatenate(y), np.concatenate(weights)

    def _read(self, windows: Array) -> Batch:
        series, stops = self.locate(windows)
        rows = np.arange(len(windows))
        target = windows % self.each
        values = self.reader.values(series, stops, self.horizon)[rows, :, target]
        past, y = np.split(values, [self.reader.context_length], axis=1)

        season, longer = (
            np.full(len(windows), steps or 0) for steps in (self.season.length, self.season.longer)
        )
        read = seasonal_inputs(past, season, longer, self.steps_forecast)

        own: dict[str, Array] = dict(read.inputs)
        if self.covariates:
            inputs = self.reader.inputs(series, stops, self.horizon)
            own = add_covariates(own, {**inputs, "past": inputs["past"][:, :, self.each :]})

        scaled = np.full((len(windows), self.steps_forecast), np.nan)
        scaled[:, : self.horizon] = read.scaled(y)
        return own, scaled[:, :, None].astype(np.float32), self.weights(series, stops)

    def columns(self, inputs: object, y: object) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and the targets."""
        return column_names(self.reader.names)


def window_options(season: Season, steps_forecast: int) -> dict[str, object]:
    """Return the options of the windows of a fine-tuning, see `training_windows`.

    Args:
        season: The season of the series.
        steps_forecast: Steps that the network writes.
    """
    windows = functools.partial(SeasonalWindows, season=season, steps_forecast=steps_forecast)
    return {"windows": windows, "most_validation": MOST_VALIDATION_WINDOWS}
