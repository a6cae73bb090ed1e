"""Compile, fit, stop early, keep the best."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from seqcast._backend import keras, weights_of
from seqcast.config import TrainingSpec
from seqcast.data.windows import Windows
from seqcast.errors import TrainingError

__all__ = ["CtrlC", "History", "KeepBest", "fresh", "learning_rate", "optimizer", "train"]


# Muon (Jordan et al. 2024) turns the gradient of a matrix into the nearest orthogonal matrix, by iterations of Newton
# and Schulz. Biases, also those with two rows, learned positions and the last layer are left to Adam, as its authors
# advise. For matrices as small as those of a recurrent layer three iterations learn as well as Keras's five, and take
# less.
MUON = {"exclude_layers": ["bias", "output", "position"], "ns_steps": 3}


@dataclass
class History:
    """What training recorded.

    Args:
        epochs: One list a quantity (`loss`, `val_loss`, metrics), one number an epoch.
        best_epoch: The epoch, from 1, whose weights were kept; `None` when the last ones were.
        seconds: Wall time of the training, compilation included.
        stopped_early: Whether training ended before its last epoch because nothing improved.
        interrupted: Whether it was interrupted by the user.

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

    def __getitem__(self, name: str) -> list[float]:
        return self.epochs[name]

    def __contains__(self, name: object) -> bool:
        return name in self.epochs

    def __len__(self) -> int:
        return len(self.epochs.get("loss", []))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


class KeepBest(keras.callbacks.Callback):
    """Keep the weights of the epoch with the smallest validation loss; stop when it has not improved for long.

    Keras's `EarlyStopping` keeps nothing when training is interrupted and does not see a loss that is not a number.

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
        if not math.isfinite(self.history["loss"][-1]):
            raise TrainingError(
                f"training, epoch {epoch + 1}",
                expected="a finite loss",
                received=str(self.history["loss"][-1]),
                mend="Lower learning_rate, set clip_norm, or look for extreme values in the data.",
            )
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


class _Epochs(keras.callbacks.Callback):
    """Tell windows which epoch begins: Keras also ends one when it has only peeked at the first batch."""

    def __init__(self, windows: Any) -> None:
        super().__init__()
        self.windows = windows
        self.first = windows.epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Set the epoch, counted on from where the windows stood."""
        self.windows.epoch = self.first + epoch


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
        self.watching = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.watching:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self.watching:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def _answer(self, *_: object, **__: object) -> None:
        if self.asked:
            raise KeyboardInterrupt

    # Those that Keras calls in the main thread; it does not wait for the device before a batch begins.
    on_train_batch_begin = on_test_batch_begin = on_epoch_end = _answer


def fresh(value: Any) -> Any:
    """Copy a Keras object from its configuration, so that a fit neither sees nor leaves traces in the user's.

    Names, numbers and functions, which hold nothing, are returned as they are.
    """
    if not hasattr(value, "get_config"):
        return value
    with warnings.catch_warnings():
        # keras.Variable.numpy, under get_config: NumPy 2 would like a keyword that Keras 3.15 does not have yet.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        return type(value).from_config(value.get_config())


def learning_rate(spec: TrainingSpec, steps: int) -> Any:
    """Return the learning rate, a number or a Keras schedule, for a training of so many steps.

    With `n` steps and the first `r` of them as warm-up, `cosine` gives step `k`, from 0, the rate
    `η / r + η (1 - 1/r) k / r` while `k < r`, and then `η (1 + cos(π (k - r) / (n - r))) / 2`.

    Source: Loshchilov and Hutter 2017, SGDR, arXiv:1608.03983, without restarts.
    """
    if spec.learning_rate_schedule == "constant":
        return spec.learning_rate
    if spec.learning_rate_schedule != "cosine":
        given = spec.learning_rate_schedule
        return keras.optimizers.schedules.deserialize(given) if isinstance(given, dict) else fresh(given)
    rising = max(1, round(spec.warmup * steps)) if spec.warmup else 0
    return keras.optimizers.schedules.CosineDecay(
        spec.learning_rate / rising if rising else spec.learning_rate,
        decay_steps=max(1, steps - rising),
        warmup_target=spec.learning_rate if rising else None,
        warmup_steps=rising,
    )


@keras.saving.register_keras_serializable(package="seqcast", name="Muon")
class ShapedMuon(keras.optimizers.Muon):
    """Muon for TensorFlow, whose loops return gradients without a static shape; Keras 3.15 branches on it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras's hook."""
        super().update_step(keras.ops.reshape(gradient, variable.shape), variable, learning_rate)


def optimizer(spec: TrainingSpec, rate: Any) -> Any:
    """Return a new optimiser; one that was given by name gets the rate and the clipping of the spec."""
    # A copy, because Keras writes into the dicts of optimisers that it reads.
    chosen = keras.optimizers.get(dict(spec.optimizer) if isinstance(spec.optimizer, dict) else spec.optimizer)
    if not isinstance(spec.optimizer, str):
        return fresh(chosen)
    kind, more = type(chosen), {}
    if isinstance(chosen, keras.optimizers.Muon):
        kind, more = (ShapedMuon if keras.backend.backend() == "tensorflow" else kind), MUON
    return kind(learning_rate=rate, global_clipnorm=spec.clip_norm, **more)


def train(
    model: Any,
    windows: Any,
    spec: TrainingSpec,
    *,
    validation: Any = None,
    epochs: int | None = None,
    callbacks: Sequence[Any] = (),
) -> History:
    """Train a compiled model.

    Args:
        model: A compiled `keras.Model`.
        windows: Batches: a `keras.utils.PyDataset` or a generator.
        spec: How it is trained.
        validation: Batches to validate on.
        epochs: Epochs, if not the spec's.
        callbacks: Keras callbacks.

    Returns:
        What was recorded. The model holds the best weights when there was validation, the last ones otherwise.

    Raises:
        TrainingError: The loss is not finite.
        KeyboardInterrupt: The user interrupted; the model holds the best weights so far and the error's `history`
            what was recorded.
    """
    keeper = KeepBest(spec.early_stopping)
    counter = [_Epochs(windows)] if isinstance(windows, Windows) else []
    began = time.perf_counter()
    try:
        with CtrlC() as ctrl_c:
            model.fit(
                windows,
                epochs=epochs or spec.epochs,
                steps_per_epoch=None if hasattr(windows, "__len__") else spec.steps_per_epoch,
                validation_data=validation,
                callbacks=[*counter, keeper, *callbacks, ctrl_c],
                verbose=0,
                shuffle=False,
            )
    except (KeyboardInterrupt, TrainingError) as error:
        # On JAX the weights of the step under way live in the trainer's state until they are written back.
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()
        keeper.history.interrupted = isinstance(error, KeyboardInterrupt)
        error.history = keeper.history  # type: ignore[union-attr]
        raise
    finally:
        keeper.restore()
        keeper.history.seconds = time.perf_counter() - began
        for callback in callbacks:
            if hasattr(callback, "close"):
                callback.close()
    return keeper.history
