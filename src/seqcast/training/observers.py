"""Observers: callbacks that watch a training and do not change it.

So a training with observers can be resumed from a checkpoint. Trainings of several networks can run
in worker processes, which get copies of the observers.
"""

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
    """Losses and metrics at the end of an epoch or a training step.

    Args:
        event: `epoch` or `step`.
        epoch: Number of the epoch, from 1.
        step: Finished training steps, with those of earlier epochs.
        seconds: Seconds of training, with those before an interruption.
        learning_rate: The learning rate of the next step.
        values: Losses and metrics by name; those of a step are means over the epoch so far.

    Example:
        >>> Record("epoch", 1, 20, 0.5, 0.01, {"loss": 2.0}).to_dict()
        {'event': 'epoch', 'epoch': 1, 'step': 20, 'seconds': 0.5, 'learning_rate': 0.01,
         'loss': 2.0}
    """

    event: str
    epoch: int
    step: int
    seconds: float
    learning_rate: float
    values: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, losses and metrics by name."""
        return {
            **{name: value for name, value in vars(self).items() if name != "values"},
            **self.values,
        }


class Observer(keras.callbacks.Callback):
    """The base of observers, which get a `Record` of each epoch and, on request, of steps.

    A subclass defines `record`. Before a training begins, all its attributes can be pickled.

    Args:
        every_n_steps: Steps from one record to the next, for which Keras waits; `None` records
            epochs only.

    Raises:
        SpecError: `every_n_steps` is no whole number above 0.

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

    # Whether a copy in another process is useful.
    in_workers = True

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__()
        self.every_n_steps = (
            None if every_n_steps is None else check_int("every_n_steps", every_n_steps)
        )
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
        """Raise the errors of the beginning of a training; called before a fit reads its data."""

    def record(self, record: Record) -> None:
        """Take a record.

        Args:
            record: The record.
        """
        raise NotImplementedError

    def for_network(self, network: str) -> Self:
        """Return the observer of one of several networks.

        Args:
            network: Name of the network, such as `network-1` or `pretrained`.
        """
        other = copy.copy(self)
        other.network = network
        return other

    def watch(self, windows: Any, validation: Any, *, step: int = 0, seconds: float = 0.0) -> None:
        """Receive the windows before the training begins.

        Args:
            windows: Batches to train on; `None` if they are not known.
            validation: Batches to validate on, or `None`.
            step: Finished training steps of a resumed training; 0 for a new one.
            seconds: Seconds of these steps.
        """
        self._step = step
        self._before = seconds

    def close(self) -> None:
        """Close open files; called at the end of a training, also after an interruption."""
        self._before = None
        self.set_model(None)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock.

        Args:
            logs: Losses and metrics by name.
        """
        self._alone = self._before is None
        if self._alone:  # a plain `Model.fit` calls neither `watch` nor `close`
            self.watch(None, None)
        self._began = time.perf_counter()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Close the observer of a plain `Model.fit`.

        Args:
            logs: Losses and metrics by name.
        """
        if self._alone:
            self.close()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count from the first epoch of a resumed training.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Losses and metrics by name.
        """
        self._epoch = epoch
        self._set_step(epoch)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the step, and record every n-th.

        Args:
            batch: Number of the batch in the epoch, from 0.
            logs: Losses and metrics by name.
        """
        self._step += 1
        # Steps that a resumed training skips have no logs.
        if self.every_n_steps is not None and logs and self._step % self.every_n_steps == 0:
            self.record(self._record("step", logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the epoch.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Losses and metrics by name.
        """
        self._set_step(self._epoch + 1)  # the count of another thread may be one behind
        self.record(self._record("epoch", logs or {}))

    def _set_step(self, epochs: int) -> None:
        """Set the number of finished steps from epochs, if the steps of an epoch are known."""
        steps = (self.params or {}).get("steps")
        if steps:
            self._step = epochs * steps

    def _record(self, event: str, logs: Mapping[str, float]) -> Record:
        values = {name: float(value) for name, value in logs.items()}
        seconds = (self._before or 0.0) + time.perf_counter() - self._began
        return Record(
            event,
            self._epoch + 1,
            self._step,
            seconds,
            learning_rate=self._learning_rate(),
            values=values,
        )

    def _learning_rate(self) -> float:
        optimizer = self.model.optimizer
        # On JAX the optimiser's counter does not change during an epoch, so the schedule takes our
        # own count.
        schedule = getattr(optimizer, "_learning_rate", None)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return float(to_numpy(schedule(self._step)))
        return float(to_numpy(optimizer.learning_rate))


def check_callbacks(callbacks: Any) -> Sequence[Any]:
    """Return the callbacks of a fit.

    Args:
        callbacks: The argument of the fit; `None` is none.

    Raises:
        SpecError: The argument is no list of Keras callbacks.
        SeqcastError: An observer cannot write its file, see `Observer.check`.

    Example:
        >>> check_callbacks(None)
        ()
    """
    callbacks = () if callbacks is None else callbacks
    kind = keras.callbacks.Callback
    if not isinstance(callbacks, Sequence) or not all(
        isinstance(callback, kind) for callback in callbacks
    ):
        raise SpecError(
            "callbacks",
            expected="a list of keras.callbacks.Callback objects",
            received=repr(callbacks),
            hint="Give a list, also for one.",
        )
    for callback in callbacks:
        if isinstance(callback, Observer):
            callback.check()
    return callbacks


def check_observers(callbacks: Sequence[Any], expected: str, *, in_workers: bool = False) -> None:
    """Reject callbacks that are no observers, which may change a training and may not be copied.

    Args:
        callbacks: Keras callbacks.
        expected: The expected callbacks, for the message.
        in_workers: Whether to reject observers that are not useful in another process, too.

    Raises:
        SpecError: There are other callbacks.

    Example:
        >>> check_observers([keras.callbacks.TerminateOnNaN()], "observers only with checkpoint")
        Traceback (most recent call last):
        seqcast.errors.SpecError: callbacks: expected observers only with checkpoint, received ...
    """
    for callback in callbacks:
        if isinstance(callback, Observer) and (callback.in_workers or not in_workers):
            continue
        raise SpecError(
            "callbacks",
            expected=expected,
            received=f"{callback!r}, which observes a single training from its beginning",
            hint=(
                "Take TrainingLog or another observer of seqcast, or train one network without "
                "checkpoint."
            ),
        )


def for_network(
    callbacks: Sequence[Any], network: str, *, observers_only: bool = False
) -> list[Any]:
    """Return the callbacks of one network's training.

    Args:
        callbacks: Callbacks of a fit.
        network: Name of the network; empty for a network that is trained alone.
        observers_only: Whether to return observers only.

    Example:
        >>> [observer] = for_network([Observer()], "network-2")
        >>> observer.network
        'network-2'
    """
    chosen = [each for each in callbacks if isinstance(each, Observer) or not observers_only]
    return [
        each.for_network(network) if network and isinstance(each, Observer) else each
        for each in chosen
    ]
