"""The history of a training, and the callbacks of all trainings: best weights, epochs, Ctrl-C."""

import math
import signal
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self, get_type_hints

from seqcast.data.windows import NumberedBatches
from seqcast.runtime import (
    Array,
    check_fields,
    json_number,
    keras,
    raises_interrupts,
    was_interrupted,
    weights_of,
)

# Losses and metrics by name.
Logs = Mapping[str, float]


@dataclass
class History:
    """The history of a training.

    Args:
        epochs: Losses and metrics by name, one number an epoch.
        best_epoch: The epoch, from 1, with the best validation loss, whose weights the model has;
            `None` without validation, when it has the last ones.
        seconds: Wall time of the training, compilation included.
        stopped_early: Whether training stopped before its last epoch without improvement.
        interrupted: Whether the user interrupted it.
        micro_batches: Number of micro-batches of each batch.

    Example:
        >>> history = History({"loss": [2.0, 1.0]})
        >>> history["loss"][-1], len(history)
        (1.0, 2)
    """

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None
    seconds: float = 0.0
    stopped_early: bool = False
    interrupted: bool = False
    micro_batches: int = 1

    def __getitem__(self, name: str) -> list[float]:
        return self.epochs[name]

    def __contains__(self, name: object) -> bool:
        return name in self.epochs

    def __len__(self) -> int:
        return len(self.epochs.get("loss", []))

    def continued(self, recorded: Self) -> Self:
        """Return the history with the records of a later training appended.

        Args:
            recorded: The history of the later training.

        Example:
            >>> history = History({"loss": [2.0]}, seconds=1.0)
            >>> history = history.continued(History({"loss": [1.0]}, seconds=0.5))
            >>> history.epochs, history.seconds
            ({'loss': [2.0, 1.0]}, 1.5)
        """
        names = {**self.epochs, **recorded.epochs}
        epochs = {
            name: [*self.epochs.get(name, ()), *recorded.epochs.get(name, ())] for name in names
        }
        return replace(recorded, epochs=epochs, seconds=self.seconds + recorded.seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; numbers that are not finite are null."""
        epochs = {
            name: [json_number(value) for value in values] for name, values in self.epochs.items()
        }
        return {**asdict(self), "epochs": epochs}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the history from the result of `to_dict`, read from a file.

        Args:
            values: The result of `to_dict`.

        Raises:
            ValueError: The values are no history.
        """
        fields = check_fields(
            values, {**get_type_hints(cls), "epochs": dict[str, list[float | None]]}, "history"
        )
        fields["epochs"] = {
            name: [math.nan if value is None else value for value in values]
            for name, values in fields["epochs"].items()
        }
        history = cls(**fields)
        # A metric that a later training did not measure has fewer epochs.
        length = max([1, *map(len, history.epochs.values())])
        if (
            not 1 <= (1 if history.best_epoch is None else history.best_epoch) <= length
            or history.micro_batches < 1
        ):
            raise ValueError(f"a history of {length} epochs with best_epoch={history.best_epoch}")
        return history


class KeepBest(keras.callbacks.Callback):
    """Record a training, store the weights of its best epoch, and stop early.

    The best epoch has the smallest validation loss. Keras's `EarlyStopping` does not restore
    weights after an interruption.

    Args:
        patience: Epochs without improvement after which training stops; `None` never stops.
        growth: Epochs without improvement after which it stops, as a multiple of those until the
            best one, if more.
    """

    def __init__(self, patience: int | None, growth: float = 0.0) -> None:
        super().__init__()
        self.patience = patience
        self.growth = growth
        self.history = History()
        self.best = math.inf
        self.weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Record the epoch.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Losses and metrics by name.
        """
        for name, value in (logs or {}).items():
            self.history.epochs.setdefault(name, []).append(float(value))
        validation = (logs or {}).get("val_loss")
        if validation is None:
            return
        if float(validation) < self.best:
            self.best = float(validation)
            self.weights = weights_of(self.model)
            self.history.best_epoch = epoch + 1
            return
        best = self.history.best_epoch or 0
        if self.patience is not None and epoch + 1 - best >= max(self.patience, self.growth * best):
            self.history.stopped_early = True
            self.model.stop_training = True

    def restore(self) -> None:
        """Set the best weights of the model."""
        if self.weights is not None:
            self.model.set_weights(self.weights)


def epoch_counter(windows: NumberedBatches) -> keras.callbacks.Callback:
    """Return the callback that sets the position of windows when an epoch begins.

    It is needed because Keras ends an epoch also after it peeked at a batch.

    Args:
        windows: Batches with a `position`.
    """
    first = windows.position

    def begin(epoch: int, _: Logs) -> None:
        windows.position = first + epoch * len(windows)

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


class CtrlC(keras.callbacks.Callback):
    """Raise KeyboardInterrupt between two steps after Ctrl-C, and at once after a second one.

    Keras waits for the device inside a bare `except:` (pythonify_logs), where nearly all
    interruptions would be lost. So are interruptions of a callback of the garbage collector (JAX
    has one); and an interrupted compilation can crash the process. Of nested blocks the outer one
    handles the signal.
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

    # Keras calls these methods in the main thread; it does not wait for the device before a batch
    # begins.
    on_train_batch_begin = on_test_batch_begin = on_epoch_end = _answer
