"""Divergence: a training stops at the batch whose loss is not finite or explodes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from seqcast.data.windows import NamedWindows
from seqcast.errors import Option, Phrase, TrainingError
from seqcast.network import EXPLODED, LARGEST_WEIGHT, HeadLoss
from seqcast.runtime import Array, compile_call, copies, fetch_weights, keras
from seqcast.training.callbacks import Logs

RATE = Option("learning_rate")

# A look waits for the current step.
SECONDS_BETWEEN_LOOKS = 1.0


def divergence_watch(model: keras.Model, windows: object, first_step: int) -> DivergenceWatch:
    """Return the callback that stops the training of a model.

    Args:
        model: A compiled model.
        windows: Batches of its training.
        first_step: Finished steps of the first epoch of a resumed training.
    """
    is_guarded = getattr(model, "compiles_for_jax", False)
    return (_GuardedWatch if is_guarded else _LossWatch)(windows, first_step)


def is_sound(model: keras.Model) -> bool:
    """Return whether all steps of a training were sound; always true on backends that stop at once.

    Args:
        model: The model in training.
    """
    guard = getattr(getattr(model, "train_function", None), "guard", None)
    return guard is None or bool(guard.sound)


class DivergenceWatch(keras.callbacks.Callback):
    """Stop a training at the batch whose loss is not finite or has exploded.

    It follows the callback that counts the epochs of the windows, and precedes those that record.

    Args:
        windows: Batches of the training.
        first_step: Finished steps of the first epoch of a resumed training.
    """

    def __init__(self, windows: object, first_step: int) -> None:
        super().__init__()
        self.windows = windows
        self.first_step = first_step
        self.epoch = 0
        self.position = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch and the position of the windows.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Losses and metrics by name.
        """
        self.epoch = epoch
        self.position = getattr(self.windows, "position", 0)

    def stop(self, step: int, loss: float, limit: float) -> None:
        """Raise the error of a batch.

        Args:
            step: Number of the batch in the epoch, from 0.
            loss: Loss of the batch.
            limit: The largest sound loss.

        Raises:
            TrainingError: Always.
        """
        culprits = Culprits.of(self.model, self.windows, self.position + step)
        expected = "a finite loss"
        received = f"{loss:.3g}{culprits}"
        if limit < loss < math.inf:
            expected = f"a loss below {EXPLODED:g} times that of the first batch"
        elif math.isfinite(loss):
            at = str(culprits) if culprits.columns else ""
            expected = f"weights below {LARGEST_WEIGHT:g}"
            received = f"larger ones, after a loss of {loss:.3g}{at}"

        error = TrainingError(
            f"training, epoch {self.epoch + 1}, batch {step + 1}",
            expected=expected,
            received=received,
            hint=culprits.hint,
        )
        error.epoch = self.epoch + 1
        error.batch = step + 1
        error.series = culprits.series
        error.columns = tuple(name for name, _ in culprits.columns)
        raise error


class _GuardedWatch(DivergenceWatch):
    """The watch of steps with a guard: it looks at the guard at intervals."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Set the limit from the loss of the first batch."""
        self.model.train_function.guard = self.model.train_function.guard.watched()
        # Processes that share a training look at the end of the epoch only, all at the same step,
        # so that none waits.
        self.between = SECONDS_BETWEEN_LOOKS if self.model.processes.count == 1 else math.inf
        self.looked = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Count the steps of the epoch."""
        super().on_epoch_begin(epoch, logs)
        function = self.model.train_function
        function.guard = function.guard.in_epoch(self.first_step)
        self.first_step = 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Look at intervals."""
        # At the end of a batch Keras would wait for each loss. `self.model` writes all weights into
        # their variables.
        if time.monotonic() - self.looked >= self.between:
            self._look()
            self.looked = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look."""
        self._look()

    def _look(self) -> None:
        guard = self.model.train_function.guard
        if not bool(guard.sound):
            self.model.jax_state_sync()
            self.stop(int(guard.steps), float(guard.loss), float(guard.limit))


class _LossWatch(DivergenceWatch):
    """The watch of steps without a guard: it restores the weights of the beginning of the epoch."""

    def __init__(self, windows: object, first_step: int) -> None:
        super().__init__(windows, first_step)
        self.limit = math.inf

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Copy the weights."""
        super().on_epoch_begin(epoch, logs)
        self.weights = copies(self.model.weights)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Check the loss of the batch; the logs have the mean of the epoch."""
        fetch_weights(self.model)
        loss = float(keras.ops.convert_to_numpy(self.model.loss_tracker.latest))
        if math.isinf(self.limit):
            self.limit = EXPLODED * max(1.0, abs(loss))
        if not math.isfinite(loss) or loss > self.limit:
            self.model.set_weights(self.weights)
            self.stop(batch, loss, self.limit)


# Scaled values are a few units large; larger absolute values than this are unusual.
UNUSUAL = 1e3
# Most windows and columns in a message.
MOST_NAMED = 3


@dataclass(frozen=True)
class Culprits:
    """The windows and the columns of a batch that made its loss diverge.

    Args:
        windows: Labels of the windows with the worst losses, the worst first.
        series: Names of their series; empty for windows of arrays.
        columns: Names of their columns with unusual values, and the most extreme value of each, in
            scaled units.
    """

    windows: tuple[str, ...] = ()
    series: tuple[object, ...] = ()
    columns: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, model: keras.Model, windows: object, number: int) -> Self:
        """Return the culprits of a batch.

        Args:
            model: The compiled model, with the weights before the batch.
            windows: The windows of the training; those of a generator have no labels.
            number: Number of the batch in the training, from 0.
        """
        if not isinstance(windows, NamedWindows):
            return cls()
        numbers, (inputs, y, weight) = windows.counted(number)
        losses = np.where(np.asarray(weight) > 0, _losses(model, inputs, y), -np.inf)
        worst = _worst(np.where(np.isnan(losses), np.inf, losses))
        columns = _unusual({**inputs, "y": y}, windows.columns(inputs, y), worst)
        named = worst[:MOST_NAMED]
        series = dict.fromkeys(windows.series(numbers[named]))
        return cls(
            tuple(windows.describe(int(window)) for window in numbers[named]),
            tuple(series),
            columns,
        )

    @property
    def hint(self) -> str:
        """What to do about them."""
        if self.columns:
            return "Correct or drop these values, or scale their columns."
        if self.windows:
            return Phrase("No value of it stands out: lower ", RATE, ".")
        return Phrase("Lower ", RATE, ", or look for extreme values in the data.")

    def __str__(self) -> str:
        """Return windows and columns as text for a message; empty if nothing is known."""
        if self.series and not self.columns:
            return f" in series {', '.join(map(repr, self.series))}"
        text = f" in {'; '.join(self.windows)}" if self.windows else ""
        if not self.columns:
            return text
        values = " and ".join(f"{value:.3g} in {name}" for name, value in self.columns)
        return f"{text}, with {values} (scaled)"


class _Extreme(NamedTuple):
    """The most extreme value of a column, and its absolute value; that of NaN is infinite."""

    size: float
    value: float


def _worst(losses: Array) -> Array:
    """Return the windows with at least a tenth of the worst loss, the worst first."""
    order = np.argsort(-losses, kind="stable")
    worst = losses[order[0]]
    return order[losses[order] >= worst / 10] if worst > 0 else order[:1]


def _losses(model: keras.Model, inputs: dict[str, Array], y: Array) -> Array:
    """Return the loss of each window, `[B]`."""
    if isinstance(model.loss, HeadLoss):

        def of_batch(arrays: dict[str, Any]) -> Any:
            return model.loss.of_examples(arrays["y"], model(arrays["inputs"], training=False))

        # Compiled as a whole: without compilation JAX would cache a program for each operation.
        losses = compile_call(model, of_batch)({"inputs": inputs, "y": y})
    else:
        output = model(inputs, training=False)
        losses = keras.ops.stack(
            [model.loss(y[row : row + 1], output[row : row + 1]) for row in range(len(y))]
        )
    return np.asarray(keras.ops.convert_to_numpy(losses), dtype=float).reshape(len(y))


def _unusual(
    arrays: Mapping[str, Array], names: Mapping[str, tuple[str, ...]], rows: Array
) -> tuple[tuple[str, float], ...]:
    """Return columns with infinite or unusual values in some windows, the most extreme first."""
    extremes: dict[str, _Extreme] = {}
    for array, columns in names.items():
        for place, column in enumerate(columns):
            values = arrays[array][rows][..., place].ravel()
            # NaN is missing in targets; inputs have no gaps.
            known = values[~np.isnan(values)] if array == "y" else values
            if not len(known):
                continue
            sizes = np.where(np.isnan(known), np.inf, np.abs(known))
            largest = int(np.argmax(sizes))
            extreme = _Extreme(float(sizes[largest]), float(known[largest]))
            least = extremes[column].size if column in extremes else 0.0
            if extreme.size > UNUSUAL and extreme.size >= least:
                extremes[column] = extreme

    ordered = sorted(extremes.items(), key=lambda item: -item[1].size)
    return tuple((column, extreme.value) for column, extreme in ordered[:MOST_NAMED])
