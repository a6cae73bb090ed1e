"""From the decoder's output to the forecast: all heads by name, and those of a point and of quantiles.

What can be asked of the parameters afterwards is in `seqcast.network.distributions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from seqcast.network.distribution_heads import LogNormalHead, NegativeBinomialHead, NormalHead, StudentTHead
from seqcast.network.distributions import quantile_weights
from seqcast.network.head import Head, ProbabilisticHead
from seqcast.network.losses import HeadLoss, ObservedLoss, PinballLoss
from seqcast.runtime import keras
from seqcast.specs import DEFAULT_QUANTILES, check_loss

Array = npt.NDArray[Any]
Tensor = Any
ops = keras.ops


class PointHead(Head):
    """One number a target and step: `y = h W + b`.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        options: `regularizer`, `seed` and what Keras's layers take.
    """

    name_in_specs = "point"
    axes = 0

    def __init__(self, width: int, targets: int, **options: Any) -> None:
        super().__init__(width, targets, size=1, **options)

    def call(self, outputs: Tensor) -> Tensor:
        """Return the forecast, `[B, H, D]`, of decoder outputs `[B, H, n]`."""
        return self.dense(outputs)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the forecast in the data's units."""
        return parameters * scale + loc

    def loss(self, loss: Any = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the given Keras loss, or the squared error, taken over observed targets only."""
        return ObservedLoss("mse" if loss is None else loss, horizon_decay=horizon_decay)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the forecast itself."""
        return parameters


class QuantileHead(ProbabilisticHead):
    r"""Quantiles that cannot cross: the median is written directly, the others by their distances.

    .. math:: q_{m} = r_m, \quad q_{m \pm (k+1)} = q_{m \pm k} \pm \log(1 + e^{r_{m \pm (k+1)}})

    with the numbers `r` of the dense layer and the place `m` of the median.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        quantiles: Their probabilities, rising, 0.5 among them.
        options: `regularizer`, `seed` and what Keras's layers take.

    Source: Koenker and Bassett 1978; without crossing as in Park et al. 2022, arXiv:2111.06581, section 3.
    """

    name_in_specs = "quantile"

    def __init__(
        self, width: int, targets: int, *, quantiles: Sequence[float] = DEFAULT_QUANTILES, **options: Any
    ) -> None:
        super().__init__(width, targets, size=len(quantiles), **options)
        self.quantiles = tuple(quantiles)
        self.middle = self.quantiles.index(0.5)

    def call(self, outputs: Tensor) -> Tensor:
        """Return the quantiles, `[B, H, D, Q]`, in rising order."""
        numbers = self._numbers(outputs)
        quantiles = [numbers[self.middle]]
        for number in numbers[self.middle + 1 :]:
            quantiles.append(quantiles[-1] + ops.softplus(number))
        for number in reversed(numbers[: self.middle]):
            quantiles.insert(0, quantiles[0] - ops.softplus(number))
        return ops.stack(quantiles, axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return each quantile times the scale plus the loc."""
        return parameters * ops.expand_dims(scale, -1) + ops.expand_dims(loc, -1)

    def loss(self, loss: Any = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the pinball loss."""
        check_loss(self.name_in_specs, loss)
        return PinballLoss(self.quantiles, horizon_decay=horizon_decay)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the median."""
        return parameters[..., self.middle]

    def noise(self, numbers: Array) -> Array:
        """Return what each quantile counts in the quantile of a uniform number, `[..., Q]`."""
        return quantile_weights(self.quantiles, numbers[..., 0])

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return the quantile of the uniform number."""
        return ops.sum(parameters * noise, axis=-1)


HEADS: dict[str, Any] = {
    head.name_in_specs: head
    for head in (PointHead, QuantileHead, NormalHead, StudentTHead, NegativeBinomialHead, LogNormalHead)
}
