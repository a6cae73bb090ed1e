"""A training whose numbers go bad stops, says at which batch, and keeps the weights before it."""

from __future__ import annotations

import math
import time
from typing import Any

from seqcast.errors import Option, Phrase, TrainingError
from seqcast.network import EXPLODED, LARGEST_WEIGHT
from seqcast.runtime import copies, keras
from seqcast.training.culprits import Culprits

RATE = Option("learning_rate")

# Looking waits for the step that is being computed.
SECONDS_BETWEEN_LOOKS = 1.0


def divergence_watch(model: Any, windows: Any, first_step: int) -> DivergenceWatch:
    """Return the callback that stops the training of a model.

    Args:
        model: A compiled model.
        windows: What it is trained on.
        first_step: Steps of the first epoch that were taken before the training was interrupted.
    """
    if not getattr(model, "guards_steps", False):
        return _LossWatch(windows, first_step)
    return (_SharedWatch if model.processes.count > 1 else _GuardedWatch)(windows, first_step)


def is_sound(model: Any) -> bool:
    """Return whether no step of a training has gone bad; on backends that stop at once it is always true."""
    guard = getattr(getattr(model, "train_function", None), "guard", None)
    return guard is None or bool(guard.sound)


class DivergenceWatch(keras.callbacks.Callback):
    """Stop a training at the batch whose loss is not finite or has exploded.

    It comes after the callback that tells the windows which epoch begins, and before those that record.

    Args:
        windows: What the model is trained on.
        first_step: Steps of the first epoch that were taken before.
    """

    def __init__(self, windows: Any, first_step: int) -> None:
        super().__init__()
        self.windows, self.first_step = windows, first_step
        self.epoch = self.position = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note where the training stands."""
        self.epoch, self.position = epoch, getattr(self.windows, "position", 0)

    def stop(self, step: int, loss: float, limit: float) -> None:
        """Raise the error of a batch.

        Args:
            step: Its number in the epoch, from 0.
            loss: Its loss.
            limit: The largest loss that is sound.

        Raises:
            TrainingError: Always.
        """
        culprits = Culprits.of(self.model, self.windows, self.position + step)
        if culprits.columns:
            hint = "Mend or drop these values, or scale their columns."
        elif culprits.windows:
            hint = Phrase("No value of it stands out: lower ", RATE, ".")
        else:
            hint = Phrase("Lower ", RATE, ", or look for extreme values in the data.")
        expected, received = "a finite loss", f"{loss:.3g}{culprits}"
        if limit < loss < math.inf:
            expected = f"a loss below {EXPLODED:g} times that of the first batch"
        elif math.isfinite(loss):
            at = str(culprits) if culprits.columns else ""
            expected, received = f"weights below {LARGEST_WEIGHT:g}", f"larger ones, after a loss of {loss:.3g}{at}"
        error = TrainingError(
            f"training, epoch {self.epoch + 1}, batch {step + 1}",
            expected=expected,
            received=received,
            hint=hint,
        )
        error.epoch, error.batch = self.epoch + 1, step + 1
        error.series, error.columns = culprits.series, tuple(name for name, _ in culprits.columns)
        raise error


class _GuardedWatch(DivergenceWatch):
    """The watch of steps that guard themselves: it only has to look now and then."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Let the loss of the first batch say what is too much."""
        self.model.train_function.guard = self.model.train_function.guard.watched()
        self.looked = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin to count the steps of the epoch."""
        super().on_epoch_begin(epoch, logs)
        function = self.model.train_function
        function.guard = function.guard.in_epoch(self.first_step)
        self.first_step = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look now and then."""
        # Not at the end of a batch: Keras would wait there for the loss of each.
        if time.monotonic() - self.looked >= SECONDS_BETWEEN_LOOKS:
            self._look()
            self.looked = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look."""
        self._look()

    def _look(self) -> None:
        guard = self.model.train_function.guard
        if not bool(guard.sound):
            self.model.jax_state_sync()
            self.stop(int(guard.steps), float(guard.loss), float(guard.limit))


class _SharedWatch(_GuardedWatch):
    """The watch of a training that processes share: all look at the same step, or some would wait for the others."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Leave it to the end of the epoch."""


class _LossWatch(DivergenceWatch):
    """The watch of steps that know nothing of it: weights are kept of where the epoch began."""

    def __init__(self, windows: Any, first_step: int) -> None:
        super().__init__(windows, first_step)
        self.limit = math.inf

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights."""
        super().on_epoch_begin(epoch, logs)
        self.weights, self.total = copies(self.model.weights), 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the batch, of which Keras tells the mean of the epoch."""
        total = float((logs or {}).get("loss", math.nan)) * (batch + 1)
        loss, self.total = total - self.total, total
        if math.isinf(self.limit):
            self.limit = EXPLODED * max(1.0, abs(loss))
        if not math.isfinite(loss) or loss > self.limit:
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            self.model.set_weights(self.weights)
            self.stop(batch, loss, self.limit)
