"""What happens between epochs and steps: keep the best weights, say which epoch begins, hear Ctrl-C."""

from __future__ import annotations

import math
import signal
import threading
from typing import Any, Self

from seqcast.runtime import keras, raises_interrupts, was_interrupted, weights_of
from seqcast.training.history import History


class KeepBest(keras.callbacks.Callback):
    """Keep the weights of the epoch with the smallest validation loss; stop when it has not improved for long.

    Keras's `EarlyStopping` keeps nothing when training is interrupted.

    Args:
        patience: Epochs without improvement to wait for; `None` never stops.
    """

    def __init__(self, patience: int | None) -> None:
        super().__init__()
        self.patience = patience
        self.history = History()
        self.best = math.inf
        self.weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch."""
        for name, value in (logs or {}).items():
            self.history.epochs.setdefault(name, []).append(float(value))
        validation = (logs or {}).get("val_loss")
        if validation is None:
            return
        if float(validation) < self.best:
            self.best = float(validation)
            self.weights = weights_of(self.model)
            self.history.best_epoch = epoch + 1
        elif self.patience is not None and epoch + 1 - (self.history.best_epoch or 0) >= self.patience:
            self.history.stopped_early = True
            self.model.stop_training = True

    def restore(self) -> None:
        """Put the best weights into the model."""
        if self.weights is not None:
            self.model.set_weights(self.weights)


class EpochCounter(keras.callbacks.Callback):
    """Tell windows which epoch begins: Keras also ends one when it has only peeked at the first batch."""

    def __init__(self, windows: Any) -> None:
        super().__init__()
        self.windows = windows
        self.first = windows.position

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the position, counted on from where the windows stood."""
        self.windows.position = self.first + epoch * len(self.windows)


class CtrlC(keras.callbacks.Callback):
    """Turn Ctrl-C into a KeyboardInterrupt between two steps; a second one is raised at once.

    Keras waits for the device inside a bare `except:` (pythonify_logs), where nearly all interruptions would be lost,
    as is one that hits a callback of the garbage collector (JAX has one); and one that hits a compilation can crash
    the process. Within another block of its kind this one leaves the signal to that one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self.watching = main and raises_interrupts()
        if self.watching:
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self.watching:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def _answer(self, *_: object, **__: object) -> None:
        if self.asked or was_interrupted():
            raise KeyboardInterrupt

    # Those that Keras calls in the main thread; it does not wait for the device before a batch begins.
    on_train_batch_begin = on_test_batch_begin = on_epoch_end = _answer
