"""Options of a training and of its checkpoints."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

from seqcast.errors import SpecError
from seqcast.runtime import FileLimits
from seqcast.specs.base import Spec, set_fields, set_ints
from seqcast.specs.checks import check_choice, check_int, check_keras_object, check_number

# The schedules of the learning rate that have names.
SCHEDULES = ("cosine", "constant")


class Limits(TypedDict, total=False):
    """The values that a number may have, see `check_number`."""

    low: float
    high: float
    open_low: bool


# Possible values of the options that are numbers.
LIMITS: dict[str, Limits] = {
    "learning_rate": {"low": 0.0, "open_low": True},
    "horizon_decay": {"low": 0.0},
    "warmup": {"low": 0.0, "high": 1.0},
    "validation_fraction": {"low": 0.0, "high": 0.9},
    "clip_norm": {"low": 0.0, "open_low": True},
}


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
        loss: A Keras loss for a point head: name, config, object or function of `(y_true, y_pred)`.
            `None` is the loss of the head: squared error for a point, pinball loss for quantiles,
            likelihood for a distribution.
        horizon_decay: Decay of the weights of later steps in the loss: step `h` of the horizon has
            a weight proportional to `h^-horizon_decay`; 0 weights all steps equally.
        optimizer: A Keras optimiser: name, config or object. An object has its own learning rate
            and clipping. Its averaged weights (`use_ema`) are used without validation; with it the
            best epoch's weights are used.
        learning_rate: The largest learning rate, reached after the warm-up.
        learning_rate_schedule: `cosine` (linear warm-up, then half a cosine down to 0 over all
            steps), `constant`, or a Keras `LearningRateSchedule`.
        warmup: Fraction of all steps in which the rate rises, for `cosine`.
        clip_norm: Largest norm of the whole gradient; `None` does not clip.
        batch_size: Largest number of windows of a training step; an epoch's windows are divided
            into equal batches.
        epochs: Passes over the windows.
        steps_per_epoch: Training steps of an epoch; `None` is one pass over the windows.
        validation_fraction: Fraction of the windows, the last ones, that are used for validation
            only; 0 uses none.
        early_stopping: Epochs without a better validation loss after which training ends; `None`
            trains all epochs. With validation, the best epoch's weights are restored in both cases.
        metrics: More Keras metrics of the point to record: means over the observed targets, with
            the weights of their windows. A function takes `(y_true, y_pred)` as `[B, H, D, 1]` and
            returns `[B, H, D]`.
        micro_batches: Number of equal micro-batches of each batch, which the cores share. `None`
            chooses: one a core if a batch is large enough, more if one would need much memory. On
            one machine, the same number gives the same weights, bit for bit, with any number of
            cores. Micro-batches are padded with rows that do not count, and each has at least one
            row. 1 does not divide batches. More than one needs JAX.

    Raises:
        SpecError: A name is unknown or a value is impossible.

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
    metrics: tuple[Any, ...] = ()
    micro_batches: int | None = None

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            value = getattr(self, name)
            if value is not None or name != "clip_norm":
                set_fields(self, **{name: check_number(name, value, **limits)})
        set_fields(self, metrics=_checked_metrics(self.metrics))
        set_ints(self, "batch_size", "epochs")
        set_ints(self, "steps_per_epoch", "early_stopping", "micro_batches", optional=True)

        schedule = self.learning_rate_schedule
        if isinstance(schedule, str):
            check_choice("learning_rate_schedule", schedule, SCHEDULES)
        else:
            check_keras_object("learning_rate_schedule", schedule)
        check_keras_object("optimizer", self.optimizer)
        if self.loss is not None:
            check_keras_object("loss", self.loss)


def check_loss(head: str, loss: Any) -> None:
    """Reject a loss for a head that has its own.

    Args:
        head: Name of the head.
        loss: The loss; `None` is the head's own.

    Example:
        >>> check_loss("normal", None)
        >>> check_loss("normal", "mse")
        Traceback (most recent call last):
        seqcast.errors.SpecError: loss: expected None with head='normal', received 'mse'. ...
    """
    if head != "point" and loss is not None:
        raise SpecError(
            "loss",
            expected=f"None with head={head!r}",
            received=repr(loss),
            hint="The head has its own loss.",
        )


@dataclass(frozen=True)
class CheckpointSpec:
    """Folder and times of the checkpoints of a training, from which it can be resumed.

    Args:
        folder: The folder for one fit, which is created if it is missing.
        minutes: Time after which the state is written in the middle of an epoch, on JAX. It is also
            written at the end of an epoch, unless writing takes more than a hundredth of the time.
        keep: Number of checkpoints of each network that stay, the newest ones.
        max_size: Largest checkpoint to resume from: bytes, or a text such as `8 GB`; `None` is 4
            GB.

    Example:
        >>> CheckpointSpec("runs/sales", minutes=10).keep
        2
    """

    folder: str | os.PathLike[str]
    minutes: float = 2.0
    keep: int = 2
    max_size: Any = None

    def __post_init__(self) -> None:
        FileLimits.of(self.max_size)
        set_fields(
            self,
            folder=Path(self.folder),
            minutes=check_number("minutes", self.minutes, low=0.0, open_low=True),
            keep=check_int("keep", self.keep),
        )

    @classmethod
    def of(cls, checkpoint: Any) -> Self:
        """Return the spec of an argument.

        Args:
            checkpoint: A spec, or the path of a folder.

        Raises:
            SpecError: The argument is neither.
        """
        if isinstance(checkpoint, cls):
            return checkpoint
        if not isinstance(checkpoint, str | os.PathLike):
            raise SpecError(
                "checkpoint",
                expected="the path of a folder, or a CheckpointSpec",
                received=repr(checkpoint),
                hint="Give a folder for this fit alone.",
            )
        return cls(checkpoint)
