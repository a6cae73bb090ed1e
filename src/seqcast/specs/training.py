"""The training spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seqcast.errors import SpecError
from seqcast.specs.base import Spec, set_fields
from seqcast.specs.checks import check_choice, check_int, check_keras_object, check_number


def _checked_metrics(metrics: Any) -> tuple[Any, ...]:
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise SpecError(
            "metrics",
            expected="a sequence of Keras metrics",
            received=repr(metrics),
            hint="Give a tuple, ('mae',).",
        )
    for metric in metrics:
        check_keras_object("metrics", metric)
    return tuple(metrics)


@dataclass(frozen=True)
class TrainingSpec(Spec):
    """The training of a network: loss, optimiser, batches, epochs and validation.

    Args:
        loss: A Keras loss: name, config, object or function of `(y_true, y_pred)`, for a point head. `None` is the
            head's own: the squared error of a point, the pinball loss of quantiles, the likelihood of a distribution.
        horizon_decay: How fast the weight of a step in the loss falls with its distance: step `h` of the horizon
            counts `h^-horizon_decay`, and all together what they counted before; 0 counts all alike.
        optimizer: A Keras optimiser: name, config or object. An object keeps its own learning rate and clipping. Its
            averaged weights (`use_ema`) are used where there is no validation, whose best epoch's weights come first.
        learning_rate: The largest learning rate, reached after the warm-up.
        learning_rate_schedule: `cosine` (linear warm-up, then half a cosine down to nothing over all steps),
            `constant`, or a Keras `LearningRateSchedule`.
        warmup: Share of all steps in which the rate rises, for `cosine`.
        clip_norm: Largest norm of the whole gradient; `None` does not clip.
        batch_size: Largest number of windows a training step; an epoch's windows are divided into equal batches.
        epochs: Passes over the windows.
        steps_per_epoch: Training steps an epoch; `None` is one pass over the windows.
        validation_fraction: Share of the windows, the last ones, that is kept for validation; 0 keeps none.
        early_stopping: Epochs without a better validation loss after which training ends; `None` trains all epochs.
            The best epoch's weights are restored either way, when there is validation.
        metrics: Further Keras metrics to record, of the point: means over the targets that are there, weighted as the
            windows are. A function of one's own takes `(y_true, y_pred)` as `[B, H, D, 1]` and returns `[B, H, D]`.
        parts: How many parts of equal size each batch is divided into; the cores share them. `None` chooses: one a core
            where a batch is large enough, more where a part would need much memory. The same number gives the same
            weights, bit for bit, on the same machine, however many cores there are. Parts are filled up with rows
            that do not count, and none is without a row of the batch: more parts than rows are as many as rows. 1
            leaves batches whole. More than one needs JAX.

    Raises:
        SpecError: A name is unknown or a value impossible.

    Example:
        >>> TrainingSpec(learning_rate_schedule="constant", clip_norm=None).learning_rate
        0.01
    """

    loss: Any = None
    horizon_decay: float = 0.0
    optimizer: Any = "adam"
    learning_rate: float = 0.01
    learning_rate_schedule: Any = "cosine"
    warmup: float = 0.05
    clip_norm: float | None = 1.0
    batch_size: int = 128
    epochs: int = 30
    steps_per_epoch: int | None = None
    validation_fraction: float = 0.1
    early_stopping: int | None = 20
    metrics: tuple[Any, ...] = field(default=())
    parts: int | None = None

    def __post_init__(self) -> None:
        set_fields(
            self,
            learning_rate=check_number("learning_rate", self.learning_rate, low=0.0, open_low=True),
            horizon_decay=check_number("horizon_decay", self.horizon_decay, low=0.0),
            warmup=check_number("warmup", self.warmup, low=0.0, high=1.0),
            validation_fraction=check_number("validation_fraction", self.validation_fraction, low=0.0, high=0.9),
            batch_size=check_int("batch_size", self.batch_size),
            epochs=check_int("epochs", self.epochs),
            metrics=_checked_metrics(self.metrics),
        )
        if self.clip_norm is not None:
            set_fields(self, clip_norm=check_number("clip_norm", self.clip_norm, low=0.0, open_low=True))
        for name in ("steps_per_epoch", "early_stopping", "parts"):
            if getattr(self, name) is not None:
                set_fields(self, **{name: check_int(name, getattr(self, name))})
        if isinstance(self.learning_rate_schedule, str):
            check_choice("learning_rate_schedule", self.learning_rate_schedule, ("cosine", "constant"))
        else:
            check_keras_object("learning_rate_schedule", self.learning_rate_schedule)
        check_keras_object("optimizer", self.optimizer)
        if self.loss is not None:
            check_keras_object("loss", self.loss)


def check_loss(head: str, loss: Any) -> None:
    """Refuse a loss for a head that has its own.

    Example:
        >>> check_loss("normal", None)
        >>> check_loss("normal", "mse")
        Traceback (most recent call last):
        seqcast.errors.SpecError: loss: expected None with head='normal', received 'mse'. The head has its own loss.
    """
    if head != "point" and loss is not None:
        raise SpecError(
            "loss", expected=f"None with head={head!r}", received=repr(loss), hint="The head has its own loss."
        )
