"""Observers: callbacks that watch a training and change nothing.

So a training that they watch can be resumed from a checkpoint, and one of several networks can run in a worker process,
which gets a copy of them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.runtime import keras, to_numpy
from seqcast.specs import check_int


@dataclass(frozen=True)
class Record:
    """What is known at the end of an epoch, or of a training step.

    Args:
        event: `epoch` or `step`.
        epoch: Number of the epoch, from 1.
        step: Training steps that are over, those of earlier epochs included.
        seconds: Seconds since the training began, those before an interruption included.
        learning_rate: The learning rate of the next step.
        values: Losses and metrics by name. Those of a step are means over the epoch so far.

    Example:
        >>> Record("epoch", 1, 20, 0.5, 0.01, {"loss": 2.0}).to_dict()
        {'event': 'epoch', 'epoch': 1, 'step': 20, 'seconds': 0.5, 'learning_rate': 0.01, 'loss': 2.0}
    """

    event: str
    epoch: int
    step: int
    seconds: float
    learning_rate: float
    values: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, losses and metrics among them."""
        return {**{name: value for name, value in vars(self).items() if name != "values"}, **self.values}


class Observer(keras.callbacks.Callback):
    """Watch a training: a base of callbacks that get a `Record` of each epoch, and of steps where wanted.

    A subclass writes `record`, and keeps nothing that cannot be pickled before a training begins.

    Args:
        every_n_steps: Steps from one record to the next; `None` records epochs only. Else Keras waits for each step.

    Raises:
        SpecError: It is no whole number above 0.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> from seqcast.data.signals import random_sines
        >>> class Print(Observer):
        ...     def record(self, record):
        ...         print(record.event, record.epoch, record.step, sorted(record.values))
        >>> model = Seq2SeqRegressor(encoder_units=4, epochs=2, batch_size=32, verbose=0)
        >>> _ = model.fit(*random_sines(64, past=8, future=3, seed=0), callbacks=[Print()])
        epoch 1 2 ['loss', 'val_loss']
        epoch 2 4 ['loss', 'val_loss']
    """

    # Whether a copy in another process is of use.
    in_workers = True

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__()
        self.every_n_steps = None if every_n_steps is None else check_int("every_n_steps", every_n_steps)
        # Without this Keras waits for the loss of every step before it begins the next.
        self.async_safe = every_n_steps is None
        self.network = ""
        self._epoch = self._step = 0
        self._before: float | None = None
        self._began = 0.0
        self._alone = False

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_model": None}

    def check(self) -> None:
        """Raise what would end the training when it begins; called before a fit reads its data. Here nothing."""

    def record(self, record: Record) -> None:
        """Take a record.

        Args:
            record: The record.
        """
        raise NotImplementedError

    def for_network(self, network: str) -> Self:
        """Return the observer of one of several networks.

        Args:
            network: Its name, such as `network-1` or `pretrained`.
        """
        other = copy.copy(self)
        other.network = network
        return other

    def watch(self, windows: Any, validation: Any, *, step: int = 0, seconds: float = 0.0) -> None:
        """Hear what is trained on, before the training begins.

        Args:
            windows: Batches to train on; `None` where they are not known.
            validation: Batches to validate on, or `None`.
            step: Training steps that were over before it was interrupted; 0 for one that begins.
            seconds: Seconds that they took.
        """
        self._step, self._before = step, seconds

    def close(self) -> None:
        """Close what is open; called at the end of a training, also of one that was interrupted."""
        self._before = None
        self.set_model(None)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock.

        Args:
            logs: Losses and metrics by name.
        """
        self._alone = self._before is None
        if self._alone:  # a plain `Model.fit` does not say what it trains on, nor that it is over
            self.watch(None, None)
        self._began = time.perf_counter()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Close what nobody else does.

        Args:
            logs: Losses and metrics by name.
        """
        if self._alone:
            self.close()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count from the epoch that a resumed training goes on with.

        Args:
            epoch: Its number, from 0.
            logs: Losses and metrics by name.
        """
        self._epoch = epoch
        self._set_step(epoch)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the step, and record it if it is its turn.

        Args:
            batch: Its number in the epoch, from 0.
            logs: Losses and metrics by name.
        """
        self._step += 1
        # Steps that a resumed training passes over have no logs.
        if self.every_n_steps is not None and logs and self._step % self.every_n_steps == 0:
            self.record(self._record("step", logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the epoch.

        Args:
            epoch: Its number, from 0.
            logs: Losses and metrics by name.
        """
        self._set_step(self._epoch + 1)  # what is counted in another thread may be one behind
        self.record(self._record("epoch", logs or {}))

    def _set_step(self, epochs: int) -> None:
        """Set the steps of whole epochs, if their number is known."""
        steps = (self.params or {}).get("steps")
        if steps:
            self._step = epochs * steps

    def _record(self, event: str, logs: Mapping[str, float]) -> Record:
        values = {name: float(value) for name, value in logs.items()}
        seconds = (self._before or 0.0) + time.perf_counter() - self._began
        return Record(event, self._epoch + 1, self._step, seconds, learning_rate=self._learning_rate(), values=values)

    def _learning_rate(self) -> float:
        optimizer = self.model.optimizer
        # The counter of a schedule stands still during an epoch on JAX, so that it is asked for our own count.
        schedule = getattr(optimizer, "_learning_rate", None)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return float(to_numpy(schedule(self._step)))
        return float(to_numpy(optimizer.learning_rate))


def check_callbacks(callbacks: Any) -> Sequence[Any]:
    """Return the callbacks of a fit.

    Args:
        callbacks: The argument of the fit; `None` is none.

    Raises:
        SpecError: They are no list of Keras callbacks.
        SeqcastError: An observer cannot write what it has to, see `Observer.check`.

    Example:
        >>> check_callbacks(None)
        ()
    """
    callbacks = () if callbacks is None else callbacks
    kind = keras.callbacks.Callback
    if not isinstance(callbacks, Sequence) or not all(isinstance(callback, kind) for callback in callbacks):
        expected = "a list of keras.callbacks.Callback objects"
        raise SpecError("callbacks", expected=expected, received=repr(callbacks), hint="Give a list, also for one.")
    for callback in callbacks:
        if isinstance(callback, Observer):
            callback.check()
    return callbacks


def others(callbacks: Sequence[Any], *, in_workers: bool = False) -> list[Any]:
    """Return the callbacks that are no observers, and may so change a training or hold what cannot be copied.

    Args:
        callbacks: Keras callbacks.
        in_workers: Whether observers count among them that are of no use in another process.
    """
    return [each for each in callbacks if not isinstance(each, Observer) or (in_workers and not each.in_workers)]


def check_observers(callbacks: Sequence[Any], expected: str, *, in_workers: bool = False) -> None:
    """Refuse callbacks that are no observers.

    Args:
        callbacks: Keras callbacks.
        expected: What callbacks have to be, in words.
        in_workers: As for `others`.

    Raises:
        SpecError: There are others.

    Example:
        >>> check_observers([keras.callbacks.TerminateOnNaN()], "observers only with checkpoint")
        Traceback (most recent call last):
        seqcast.errors.SpecError: callbacks: expected observers only with checkpoint, received ...
    """
    for callback in others(callbacks, in_workers=in_workers)[:1]:
        received = f"{callback!r}, which observes a single training from its beginning"
        hint = "Take TrainingLog or another observer of seqcast, or train one network without checkpoint."
        raise SpecError("callbacks", expected=expected, received=received, hint=hint)


def for_network(callbacks: Sequence[Any], network: str, *, observers_only: bool = False) -> list[Any]:
    """Return the callbacks of one network's training.

    Args:
        callbacks: Those of a fit.
        network: Its name; empty for a network that is trained alone.
        observers_only: Whether only observers among them hear it.

    Example:
        >>> [observer] = for_network([Observer()], "network-2")
        >>> observer.network
        'network-2'
    """
    heard = [each for each in callbacks if isinstance(each, Observer) or not observers_only]
    return [each.for_network(network) if network and isinstance(each, Observer) else each for each in heard]
