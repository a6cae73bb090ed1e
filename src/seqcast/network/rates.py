"""Learning rates over the steps of a training, as numbers that a compiled step takes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from seqcast.runtime import Tensor, keras, ops

# The numbers of a schedule, `WarmCosine.rates`; nothing for another schedule.
Rates = tuple[Tensor, ...]

_RATES: ContextVar[Rates] = ContextVar("rates", default=())


@contextmanager
def rates_of_training(rates: Rates) -> Iterator[None]:
    """Let schedules read the numbers of a training within this block, in place of their own.

    So a compiled step takes them as arguments, and serves trainings of any length and rate.

    Args:
        rates: `WarmCosine.rates` of the training; nothing for another schedule.
    """
    token = _RATES.set(rates)
    try:
        yield
    finally:
        _RATES.reset(token)


@keras.saving.register_keras_serializable(package="seqcast")
class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    r"""A linear warm-up, then half a cosine down to 0.

    With the largest rate :math:`\eta` and :math:`r` rising and :math:`f` falling steps, step
    :math:`k` has the rate

    .. math:: \eta / r + \eta (1 - 1 / r) k / r \quad (k < r), \qquad
        \tfrac12 \eta\, (1 + \cos(\pi \min(k - r, f) / f)) \quad (k \geq r)

    Args:
        rate: The largest rate.
        rising: Number of steps of the warm-up.
        falling: Number of steps after it, one or more.

    Attributes:
        rates: The three numbers.

    Example:
        >>> schedule = WarmCosine(0.1, rising=2, falling=4)
        >>> [round(float(schedule(step)), 3) for step in range(7)]
        [0.05, 0.075, 0.1, 0.085, 0.05, 0.015, 0.0]

    Source: Loshchilov and Hutter 2017, SGDR, arXiv:1608.03983, without restarts.
    """

    def __init__(self, rate: float, rising: int, falling: int) -> None:
        self.options = {"rate": rate, "rising": rising, "falling": falling}
        floatx = keras.config.floatx()
        self.rates = tuple(np.asarray(value, floatx) for value in self.options.values())

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step."""
        rate, rising, falling = map(ops.convert_to_tensor, _RATES.get() or self.rates)
        step = ops.cast(step, keras.config.floatx())
        start = rate / ops.maximum(rising, 1.0)
        up = start + (rate - start) * step / ops.maximum(rising, 1.0)
        down = 0.5 * rate * (1.0 + ops.cos(math.pi * ops.minimum(step - rising, falling) / falling))
        return ops.where(step < rising, up, down)

    def get_config(self) -> dict[str, float]:
        """Return the arguments."""
        return self.options
