"""Listeners: code outside a training, such as a page, that is told how far it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from seqcast.runtime import keras
from seqcast.training.deadline import Deadline

# Hearing more often shows nothing more and takes time from training.
SECONDS_BETWEEN_EVENTS = 0.2


@dataclass(frozen=True)
class TrainingEvent:
    """How far a training is.

    Args:
        training: Which training of those that were heard, from 1.
        epoch: Epochs that are over.
        share: Share of the training that is done, from 0 to 1, if it does not stop early.
        seconds: Seconds since it began.
        loss: The loss of the last epoch that is over; `None` before.
        validation_loss: The validation loss of that epoch; `None` without validation.
    """

    training: int
    epoch: int
    share: float
    seconds: float
    loss: float | None = None
    validation_loss: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it is done at this rate, if it does not stop early; `None` at the beginning."""
        return None if self.share <= 0 else self.seconds * (1 - self.share) / self.share


class _Audience:
    """Who listens in this process, and how many trainings were heard."""

    def __init__(self) -> None:
        self.hear: Callable[[TrainingEvent], None] | None = None
        self.trainings = 0


_audience = _Audience()


@contextlib.contextmanager
def listen(hear: Callable[[TrainingEvent], None]) -> Iterator[None]:
    """Hear of the trainings that run in this process within the block.

    Trainings in worker processes are not heard.

    Args:
        hear: Called a few times a second, in the thread that trains or one of Keras's.

    Example:
        >>> with listen(print):
        ...     (listener,) = listeners(None)
        ...     listener.set_params({"epochs": 2, "steps": 1})
        ...     listener.on_train_begin()
        ...     listener.on_epoch_end(0, {"loss": 0.5})
        TrainingEvent(training=1, epoch=0, share=0.0, ...)
        TrainingEvent(training=1, epoch=1, share=0.5, seconds=..., loss=0.5, validation_loss=None)
    """
    before = _audience.hear, _audience.trainings
    _audience.hear, _audience.trainings = hear, 0
    try:
        yield
    finally:
        _audience.hear, _audience.trainings = before


def listeners(deadline: Deadline | None) -> list[Listener]:
    """Return the callbacks by which a training is heard: one, or none where nobody listens.

    Args:
        deadline: When the training has to be done; `None` where its epochs say so.
    """
    if _audience.hear is None:
        return []
    _audience.trainings += 1
    return [Listener(_audience.hear, _audience.trainings, deadline)]


class Listener(keras.callbacks.Callback):
    """Tell how far a training is.

    Args:
        hear: Called with each event.
        training: Which training it is.
        deadline: When it has to be done; `None` where its epochs say so.
    """

    # Without this Keras waits for the loss of every step before it begins the next.
    async_safe = True

    def __init__(self, hear: Callable[[TrainingEvent], None], training: int, deadline: Deadline | None = None) -> None:
        super().__init__()
        self.hear, self.training, self.deadline = hear, training, deadline
        self._epoch = 0
        self._losses: tuple[float | None, float | None] = (None, None)
        self._told = self._began = time.perf_counter()

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Tell that it begins."""
        self._began = time.perf_counter()
        self._tell(0)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count from the epoch that a resumed training goes on with."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell of the step if the last event is old enough."""
        if time.perf_counter() - self._told >= SECONDS_BETWEEN_EVENTS:
            self._tell(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell the losses of the epoch."""
        self._epoch = epoch + 1
        known = {name: float(value) for name, value in (logs or {}).items()}
        self._losses = known.get("loss"), known.get("val_loss")
        self._tell(0)

    def _tell(self, step: int) -> None:
        now = time.perf_counter()
        self._told = now
        params = self.params or {}
        if self.deadline is None:
            steps = params.get("steps") or 1
            share = (self._epoch + min(step, steps) / steps) / max(1, params.get("epochs") or 1)
        else:
            share = (now - self._began) / max(now - self._began + self.deadline.left(), 1e-9)
        event = TrainingEvent(self.training, self._epoch, min(1.0, share), now - self._began, *self._losses)
        self.hear(event)
