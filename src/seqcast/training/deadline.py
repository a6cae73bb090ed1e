"""Deadlines of trainings, and the callback that sets the learning rate and stops by the clock."""

from __future__ import annotations

import contextlib
import math
import numbers
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.errors import SpecError
from seqcast.runtime import fetch_weights, keras
from seqcast.specs import TrainingSpec
from seqcast.training.callbacks import Logs

# Number of changes of the learning rate in a training. On JAX each change copies the variables from
# the trainer, which takes a millisecond.
CHANGES = 200

# Share of the limit for the steps after the training, such as the comparison with the seasonal
# naive forecast, where their time is not known, and the least where it is.
RESERVED_SHARE = 0.05
# Most seconds of that share.
MOST_RESERVED = 2.0
# Largest share of the limit for these steps where their time is known, so that half of the limit is
# left to the training.
MOST_KNOWN_SHARE = 0.5
# Share of the limit for the first validation, whose duration is not known.
RESERVED_VALIDATION = 0.1


@dataclass(frozen=True)
class Deadline:
    """Beginning and end of a task, by the monotonic clock, which all processes of a machine share.

    Nobody can set that clock, so that a correction of the time of day neither ends a training nor
    prolongs it. The monotonic clocks of two machines have nothing in common, and the time of day is
    the only one that they share: a pickled deadline travels with the difference of both clocks, and
    the process that reads it counts on its own monotonic clock.

    Args:
        began: The beginning, seconds of `time.monotonic`.
        ends: The end, seconds of `time.monotonic`.
        seconds_after: Measured seconds of the steps that follow a training; `None` where they are
            not known, so that a share of the limit is reserved for them.
        is_part: Whether this is the deadline of one of several trainings, whose common deadline has
            reserved the time of the steps that follow; then nothing more is reserved.

    Example:
        >>> deadline = Deadline.of("2 min")
        >>> round(deadline.ends - deadline.began), deadline.left() <= 120
        (120, True)
    """

    began: float
    ends: float
    seconds_after: float | None = None
    is_part: bool = False

    @classmethod
    def of(cls, time_limit: Any) -> Self:
        """Return the deadline of a limit that begins now.

        Args:
            time_limit: Seconds, or a text such as `10 min`, `90 s` or `1 h`.

        Raises:
            SpecError: The limit is no time, or not positive.
        """
        now = time.monotonic()
        return cls(now, now + _seconds(time_limit))

    def __reduce__(self) -> tuple[Callable[..., Deadline], tuple[Any, ...]]:
        return _unpickled, (type(self), vars(self).copy(), time.time() - time.monotonic())

    def left(self) -> float:
        """Return the remaining seconds."""
        return self.ends - time.monotonic()

    def of_next(self, trainings: int) -> Self:
        """Return the deadline of the next of several trainings, which share the time equally.

        Args:
            trainings: Number of remaining trainings, this one included.

        Example:
            >>> round(Deadline.of(60).of_next(3).left())
            20
        """
        now = time.monotonic()
        is_reserved = self.is_part or self.seconds_after is not None
        ends = self.stop if is_reserved else self.ends
        return replace(self, began=now, ends=now + (ends - now) / trainings, is_part=is_reserved)

    @property
    def stop(self) -> float:
        """The end of the training itself, before the steps that follow it."""
        if self.is_part:
            return self.ends

        seconds = self.ends - self.began
        reserved = min(RESERVED_SHARE * seconds, MOST_RESERVED)
        if self.seconds_after is not None:
            reserved = min(max(self.seconds_after, reserved), MOST_KNOWN_SHARE * seconds)
        return self.ends - reserved


def _unpickled(kind: type[Deadline], fields: dict[str, Any], offset: float) -> Deadline:
    """Return a deadline on the clock of this machine.

    Args:
        kind: The class.
        fields: The fields by name, on the clock of the machine that pickled them.
        offset: The time of day less the monotonic clock, on that machine.
    """
    shift = offset - (time.time() - time.monotonic())
    read = kind(**fields)
    return replace(read, began=read.began + shift, ends=read.ends + shift)


def check_time_limit(time_limit: Any, checkpoint: Any) -> Deadline | None:
    """Return the deadline of a fit that begins now; `None` without a limit.

    Args:
        time_limit: The argument of the fit.
        checkpoint: The argument of the fit.

    Raises:
        SpecError: The limit is no time, or there are checkpoints too: a training by the clock
            cannot be repeated.
    """
    if time_limit is None:
        return None
    if checkpoint is not None:
        raise SpecError(
            "time_limit",
            expected="None with checkpoint",
            received=repr(time_limit),
            hint=(
                "A training by the clock cannot be resumed with the same result; "
                "leave out one of the two."
            ),
        )
    return Deadline.of(time_limit)


def _seconds(time_limit: Any) -> float:
    seconds = math.nan
    if isinstance(time_limit, str):
        import pandas as pd

        text = time_limit.strip()
        with contextlib.suppress(ValueError):
            is_number = text.replace(".", "", 1).isdigit()
            seconds = float(text) if is_number else pd.Timedelta(text).total_seconds()
    elif isinstance(time_limit, numbers.Real) and not isinstance(time_limit, bool | np.bool_):
        seconds = float(time_limit)

    if not (math.isfinite(seconds) and seconds > 0):
        raise SpecError(
            "time_limit",
            expected="seconds, or a text such as '10 min'",
            received=repr(time_limit),
            hint="Give more than 0.",
        )
    return seconds


def scheduled_rate(spec: TrainingSpec) -> tuple[float | None, float]:
    """Return the largest learning rate and the warm-up of a training by the clock.

    The rate is `None` for another schedule, which the clock leaves alone.

    Args:
        spec: The training.

    Example:
        >>> scheduled_rate(TrainingSpec())
        (0.01, 0.05)
        >>> scheduled_rate(TrainingSpec(learning_rate_schedule="constant"))
        (None, 0.05)
    """
    ours = spec.learning_rate_schedule == "cosine" and isinstance(spec.optimizer, str)
    return spec.learning_rate if ours else None, spec.warmup


class Timekeeper(keras.callbacks.Callback):
    """Set the learning rate by the elapsed time, and stop the training at the deadline.

    The time begins with the first step, after the compilation. With `p`, from 0 to 1, the elapsed
    fraction of the time, the rate is `η p / w` while `p < w`, the warm-up, and then `η (1 + cos(π
    (p - w) / (1 - w))) / 2`.

    Args:
        deadline: The end of the training.
        rate: The largest learning rate `η`; `None` does not change the rate.
        warmup: Fraction of the time in which the rate rises, `w`.
    """

    def __init__(self, deadline: Deadline, rate: float | None, warmup: float) -> None:
        super().__init__()
        self.deadline = deadline
        self.rate = rate
        self.warmup = warmup
        self.began: float | None = None
        self.changed = -math.inf
        self.validating = 0.0
        # The estimate before the first validation, which includes its compilation.
        self.validation = min(RESERVED_VALIDATION * (deadline.ends - deadline.began), MOST_RESERVED)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Set the rate of the first step, before the time begins.

        Args:
            logs: Losses and metrics by name.
        """
        self._set_rate(0.0)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Set the learning rate at intervals; stop at the deadline.

        Args:
            batch: Number of the batch in the epoch, from 0.
            logs: Losses and metrics by name.
        """
        now = time.monotonic()
        if self.began is None:
            self.began = now
        end = self.deadline.stop - self.validation
        if now >= end:
            self.model.stop_training = True
            return

        passed = (now - self.began) / max(end - self.began, 1e-9)
        if self.rate is not None and passed - self.changed >= 1 / CHANGES:
            self.changed = passed
            fetch_weights(self.model)
            self._set_rate(passed)

    def _set_rate(self, passed: float) -> None:
        """Set the rate at the middle of the next interval."""
        if self.rate is not None:
            self.model.optimizer.learning_rate = self.rate * max(
                self.share(passed + 0.5 / CHANGES), 1e-6
            )

    def share(self, passed: float) -> float:
        """Return the learning rate as a fraction of the largest one.

        Args:
            passed: Elapsed fraction of the time.

        Example:
            >>> keeper = Timekeeper(Deadline(0.0, 1.0), 0.01, warmup=0.1)
            >>> [round(keeper.share(passed), 2) for passed in (0.05, 0.1, 0.55, 1.0)]
            [0.5, 1.0, 0.5, 0.0]
        """
        if passed < self.warmup:
            return passed / self.warmup

        falling = min(1.0, (passed - self.warmup) / max(1 - self.warmup, 1e-9))
        return (1 + math.cos(math.pi * falling)) / 2

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Note the beginning of a validation.

        Args:
            logs: Losses and metrics by name.
        """
        self.validating = time.monotonic()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Note the duration of the validation, since the last one follows the last step.

        Args:
            logs: Losses and metrics by name.
        """
        self.validation = time.monotonic() - self.validating
