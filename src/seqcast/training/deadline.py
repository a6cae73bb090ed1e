"""Time limits: a moment by which a training has to end, and the learning rates and the stop that keep to it."""

from __future__ import annotations

import math
import numbers
import time
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.errors import SpecError
from seqcast.runtime import keras
from seqcast.specs import TrainingSpec

# Times that the learning rate changes while a training runs. On JAX each change brings the variables back from the
# trainer, which takes a millisecond.
CHANGES = 200

# What comes after the training, such as the comparison with the seasonal naive forecast, gets this share of the limit,
# but at most this number of seconds.
RESERVED_SHARE, MOST_RESERVED = 0.05, 2.0
# And the first validation, of which nothing is known yet.
RESERVED_VALIDATION = 0.1


@dataclass(frozen=True)
class Deadline:
    """The time in which something has to be done, by the clock that all processes of a machine share.

    Args:
        began: When it began, seconds since 1970.
        ends: When it has to be done.

    Example:
        >>> deadline = Deadline.of("2 min")
        >>> round(deadline.ends - deadline.began), deadline.left() <= 120
        (120, True)
    """

    began: float
    ends: float

    @classmethod
    def of(cls, time_limit: Any) -> Self:
        """Return the deadline of a limit that begins now.

        Args:
            time_limit: Seconds, or a text such as `10 min`, `90 s` or `1 h`.

        Raises:
            SpecError: It is no time, or not more than zero.
        """
        now = time.time()
        return cls(now, now + _seconds(time_limit))

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.ends - time.time()

    def of_next(self, trainings: int) -> Self:
        """Return the deadline of one of several trainings that share what is left equally; it begins now.

        Args:
            trainings: Number of trainings that are left, this one included.

        Example:
            >>> round(Deadline.of(60).of_next(3).left())
            20
        """
        now = time.time()
        return replace(self, began=now, ends=now + (self.ends - now) / trainings)

    @property
    def stop(self) -> float:
        """When a training has to stop, so that what follows it fits too."""
        return self.ends - min(RESERVED_SHARE * (self.ends - self.began), MOST_RESERVED)


def check_time_limit(time_limit: Any, checkpoint: Any) -> Deadline | None:
    """Return the deadline of a fit that begins now; `None` without a limit.

    Args:
        time_limit: The argument of the fit.
        checkpoint: Its argument of that name.

    Raises:
        SpecError: It is no time, or there are checkpoints too: what the clock decides cannot be repeated.
    """
    if time_limit is None:
        return None
    if checkpoint is not None:
        hint = "A training by the clock cannot go on as if it had not been interrupted; leave out one of the two."
        raise SpecError("time_limit", expected="None with checkpoint", received=repr(time_limit), hint=hint)
    return Deadline.of(time_limit)


def _seconds(time_limit: Any) -> float:
    seconds = math.nan
    if isinstance(time_limit, str):
        import pandas as pd

        text = time_limit.strip()
        try:
            seconds = float(text) if text.replace(".", "", 1).isdigit() else pd.Timedelta(text).total_seconds()
        except ValueError:
            seconds = math.nan
    elif isinstance(time_limit, numbers.Real) and not isinstance(time_limit, bool | np.bool_):
        seconds = float(time_limit)
    if not (math.isfinite(seconds) and seconds > 0):
        expected = "seconds, or a text such as '10 min'"
        raise SpecError("time_limit", expected=expected, received=repr(time_limit), hint="Give more than 0.")
    return seconds


def scheduled_rate(spec: TrainingSpec) -> tuple[float | None, float]:
    """Return the largest learning rate and the warm-up of a training by the clock; no rate where it is not ours.

    Args:
        spec: The training.

    Example:
        >>> scheduled_rate(TrainingSpec()), scheduled_rate(TrainingSpec(learning_rate_schedule="constant"))
        ((0.01, 0.05), (None, 0.05))
    """
    ours = spec.learning_rate_schedule == "cosine" and isinstance(spec.optimizer, str)
    return spec.learning_rate if ours else None, spec.warmup


class Timekeeper(keras.callbacks.Callback):
    """Lay the learning rate over the time that is left, and stop the training when it is over.

    The time counts from the first step on, which waits for the compilation. With `p`, from 0 to 1, the share of it that
    has gone by, the rate is `η p / w` while `p < w`, the warm-up, and then `η (1 + cos(π (p - w) / (1 - w))) / 2`.

    Args:
        deadline: When the training has to end.
        rate: The largest learning rate `η`; `None` leaves the rate alone.
        warmup: Share of the time in which the rate rises, `w`.
    """

    def __init__(self, deadline: Deadline, rate: float | None, warmup: float) -> None:
        super().__init__()
        self.deadline, self.rate, self.warmup = deadline, rate, warmup
        self.began: float | None = None
        self.changed = -math.inf
        self.validating = 0.0
        # Until one has been seen, which compiles its program too.
        self.validation = min(RESERVED_VALIDATION * (deadline.ends - deadline.began), MOST_RESERVED)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the rate of the first step, after which the time counts.

        Args:
            logs: Losses and metrics by name.
        """
        self._set_rate(0.0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the learning rate now and then; stop when the time is over.

        Args:
            batch: Its number in the epoch, from 0.
            logs: Losses and metrics by name.
        """
        now = time.time()
        if self.began is None:
            self.began = now
        end = self.deadline.stop - self.validation
        if now >= end:
            self.model.stop_training = True
            return
        passed = (now - self.began) / max(end - self.began, 1e-9)
        if self.rate is not None and passed - self.changed >= 1 / CHANGES:
            self.changed = passed
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            self._set_rate(passed)

    def _set_rate(self, passed: float) -> None:
        """Set the rate of the middle of the stretch that begins."""
        if self.rate is not None:
            self.model.optimizer.learning_rate = self.rate * max(self.share(passed + 0.5 / CHANGES), 1e-6)

    def share(self, passed: float) -> float:
        """Return the learning rate as a share of the largest one.

        Args:
            passed: Share of the time that has gone by.

        Example:
            >>> keeper = Timekeeper(Deadline(0.0, 1.0), 0.01, warmup=0.1)
            >>> [round(keeper.share(passed), 2) for passed in (0.05, 0.1, 0.55, 1.0)]
            [0.5, 1.0, 0.5, 0.0]
        """
        if passed < self.warmup:
            return passed / self.warmup
        return (1 + math.cos(math.pi * min(1.0, (passed - self.warmup) / max(1 - self.warmup, 1e-9)))) / 2

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Note when a validation begins.

        Args:
            logs: Losses and metrics by name.
        """
        self.validating = time.time()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Note how long it took: the last one comes after the last step.

        Args:
            logs: Losses and metrics by name.
        """
        self.validation = time.time() - self.validating
