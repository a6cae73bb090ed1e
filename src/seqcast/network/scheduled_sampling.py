"""Scheduled sampling: how the probability of reading true values falls during training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcast.errors import SpecError
from seqcast.runtime import keras

Tensor = Any
ops = keras.ops

SAMPLING_SCHEDULES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda share: 1.0 - share,
    "exponential": lambda share: ops.power(0.01, share),
    "inverse_sigmoid": lambda share: ops.sigmoid(6.0 - 12.0 * share),
}


def teacher_probability(schedule: str, step: Tensor, steps: int) -> Tensor:
    r"""Return the probability that the decoder reads the true previous value.

    With the share `u = step / steps` of the schedule that is over: `linear` is `1 - u`, `exponential` is `0.01^u`,
    `inverse_sigmoid` is `σ(6 - 12 u)`; all are 0 from `u = 1` on.

    Args:
        schedule: Name of the schedule.
        step: Training steps done.
        steps: Training steps until only own values are left.

    Returns:
        The probability, a scalar.

    Example:
        >>> float(teacher_probability("linear", 25.0, 100))
        0.75

    Source: Bengio et al. 2015, Scheduled Sampling, arXiv:1506.03099, section 2.4.
    """
    share = ops.cast(step, "float32") / float(steps)
    return ops.where(share >= 1.0, 0.0, SAMPLING_SCHEDULES[schedule](share))


def check_sampling_steps(steps: int | None) -> None:
    """Refuse a schedule without a length."""
    if steps is None:
        raise SpecError(
            "sampling_steps",
            expected="a whole number of training steps for decoder_input='scheduled'",
            received="None",
            hint="Give about half of all training steps.",
        )
