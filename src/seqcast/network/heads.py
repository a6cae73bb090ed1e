"""Heads: from the decoder's output to a point or to the parameters of a distribution.

A point is `[B, H, D]`, parameters are `[B, H, D, P]`. A head writes in normalised units; `in_units`
converts them into the data's. It has the loss, and turns parameters and random numbers into draws.
`seqcast.network.distributions` gives means and quantiles of the parameters.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy import special

from seqcast.network.cells import Regularizers
from seqcast.network.dense import dense
from seqcast.network.distributions import quantile_weights
from seqcast.network.likelihoods import COUNT_UNIFORMS, count_noise, draw_count
from seqcast.network.losses import (
    HeadLoss,
    KerasLoss,
    NegativeLogLikelihood,
    ObservedLoss,
    PinballLoss,
)
from seqcast.runtime import Array, Tensor, keras, ops
from seqcast.specs import DEFAULT_QUANTILES, check_loss

# Smallest scale of a distribution, in normalised units: without it likelihoods have no bound.
SMALLEST_SCALE = 1e-3
# Smallest dispersion `α` of counts, for the same reason.
SMALLEST_DISPERSION = 1e-4
# Smallest mean of counts, in normalised units, for the same reason.
SMALLEST_MEAN = 1e-6
# Largest logarithm of a value: an exponential beyond it is infinite in single precision, and so are
# all later steps of a network that reads it.
LARGEST_LOGARITHM = 80.0


class Head(keras.layers.Layer):
    """The base of all heads: a dense layer `h W + b`, whose numbers become a point or parameters.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        size: Numbers for each target and step, `P`; `None` is `parameter_count`.
        regularizer: Keras regularisers; `kernel` and `bias` are used.
        seed: Seed of the initial weights.
        options: Options of Keras's layers.
    """

    name_in_specs: ClassVar[str]
    parameter_count: ClassVar[int] = 1
    # Number of axes of parameters after those of a point.
    axes: ClassVar[int] = 1

    def __init__(
        self,
        width: int,
        targets: int,
        *,
        size: int | None = None,
        regularizer: Regularizers | None = None,
        seed: int = 0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.size = size or self.parameter_count
        self.dense = dense(width, targets * self.size, "output", seed=seed, regularizer=regularizer)
        self.built = True

    def call(self, outputs: Tensor) -> Tensor:
        """Return the parameters, `[B, H, D, P]`, in normalised units.

        Args:
            outputs: Decoder outputs, `[B, H, n]`.
        """
        raise NotImplementedError

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the parameters of `scale x + loc` from those of `x`.

        Args:
            parameters: `[..., D, P]`.
            loc: The loc that the normaliser subtracted, `[..., D]`.
            scale: The scale that it divided by.
        """
        raise NotImplementedError

    def shifted(self, parameters: Tensor, by: Tensor) -> Tensor:
        """Return the parameters of `x + by` from those of `x`.

        Args:
            parameters: `[..., D, P]`.
            by: The shift, `[..., D]`.
        """
        return self.in_units(parameters, by, ops.ones_like(by))

    def loss(self, loss: KerasLoss | None = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the loss to train with.

        Args:
            loss: A Keras loss for a point head; `None` for the others, which have their own.
            horizon_decay: Decay of the weights of later steps, see `HeadLoss`.

        Raises:
            SpecError: A loss for a head that has its own.
        """
        raise NotImplementedError

    def point(self, parameters: Tensor) -> Tensor:
        """Return the point of the parameters, `[..., D]`.

        Training feeds it back, and Keras's metrics measure it.

        Args:
            parameters: `[..., D, P]`.
        """
        raise NotImplementedError

    def _numbers(self, outputs: Tensor) -> Tensor:
        """Return the numbers of the dense layer, `[B, H, P · D]`, in the precision of the weights.

        Their units, their loss and the losses' gradients would lose digits in half precision.
        """
        return ops.cast(self.dense(outputs), self.variable_dtype)


class ProbabilisticHead(Head):
    """A head that forecasts a distribution, not only a point."""

    # Uniform numbers that a draw takes.
    uniforms: ClassVar[int] = 1

    def noise(self, numbers: Array) -> Array:
        """Turn uniform numbers into the noise that `draw` reads, outside of any loop.

        Args:
            numbers: Uniform numbers, `[..., uniforms]`.
        """
        raise NotImplementedError

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Draw from the distribution, `[..., D]`.

        Args:
            parameters: `[..., D, P]`, in the data's units.
            noise: The result of `noise`, `[..., D, k]`.
        """
        raise NotImplementedError

    def _split(self, outputs: Tensor) -> list[Tensor]:
        """Return the numbers of the dense layer for each parameter, `[B, H, D]` each."""
        return list(ops.split(self._numbers(outputs), self.size, axis=-1))


class PointHead(Head):
    """One number for each target and step: `y = h W + b`.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        options: `regularizer`, `seed` and options of Keras's layers.
    """

    name_in_specs = "point"
    axes = 0

    def call(self, outputs: Tensor) -> Tensor:
        """Return the forecast, `[B, H, D]`."""
        return self._numbers(outputs)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the forecast in the data's units."""
        return parameters * scale + loc

    def loss(self, loss: KerasLoss | None = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the given Keras loss, or the squared error, over observed targets only."""
        return ObservedLoss("mse" if loss is None else loss, horizon_decay=horizon_decay)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the forecast itself."""
        return parameters


class QuantileHead(ProbabilisticHead):
    r"""Quantiles that cannot cross: the network writes the median and the distances of the others.

    .. math:: q_{m} = r_m, \quad q_{m \pm (k+1)} = q_{m \pm k} \pm \log(1 + e^{r_{m \pm (k+1)}})

    with the numbers `r` of the dense layer and the place `m` of the median.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        quantiles: Probabilities of the quantiles, rising, with 0.5.
        options: `regularizer`, `seed` and options of Keras's layers.

    Source: Koenker and Bassett 1978; without crossing as in Park et al. 2022, arXiv:2111.06581,
        section 3.
    """

    name_in_specs = "quantile"

    def __init__(
        self,
        width: int,
        targets: int,
        *,
        quantiles: Sequence[float] = DEFAULT_QUANTILES,
        **options: Any,
    ) -> None:
        super().__init__(width, targets, size=len(quantiles), **options)
        self.quantiles = tuple(quantiles)
        self.middle = self.quantiles.index(0.5)

    def call(self, outputs: Tensor) -> Tensor:
        """Return the quantiles, `[B, H, D, Q]`, in rising order."""
        numbers = self._split(outputs)
        quantiles = [numbers[self.middle]]
        for number in numbers[self.middle + 1 :]:
            quantiles.append(quantiles[-1] + ops.softplus(number))
        for number in reversed(numbers[: self.middle]):
            quantiles.insert(0, quantiles[0] - ops.softplus(number))
        return ops.stack(quantiles, axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return each quantile times the scale plus the loc."""
        return parameters * ops.expand_dims(scale, -1) + ops.expand_dims(loc, -1)

    def loss(self, loss: KerasLoss | None = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the pinball loss."""
        check_loss(self.name_in_specs, loss)
        return PinballLoss(self.quantiles, horizon_decay=horizon_decay)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the median."""
        return parameters[..., self.middle]

    def noise(self, numbers: Array) -> Array:
        """Return the weights of the quantiles in the quantile of a uniform number, `[..., Q]`."""
        return quantile_weights(self.quantiles, numbers[..., 0])

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return the quantile of the uniform number."""
        return ops.sum(parameters * noise, axis=-1)


class DistributionHead(ProbabilisticHead):
    """The parameters of a distribution, trained by its likelihood.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        options: `regularizer`, `seed` and options of Keras's layers.
    """

    parameter_count = 2
    place_of_point = 0

    def point(self, parameters: Tensor) -> Tensor:
        """Return `μ`; a median of counts would jump."""
        return parameters[..., self.place_of_point]

    def loss(self, loss: KerasLoss | None = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the negative logarithm of the likelihood."""
        check_loss(self.name_in_specs, loss)
        return NegativeLogLikelihood(self.name_in_specs, horizon_decay=horizon_decay)


class NormalHead(DistributionHead):
    """Mean and standard deviation `μ, σ` of a normal distribution.

    From the number `r` of the dense layer, `σ = log(1 + e^r) + SMALLEST_SCALE`.
    """

    name_in_specs = "normal"

    def call(self, outputs: Tensor) -> Tensor:
        """Return `μ` and `σ`, `[B, H, D, 2]`."""
        location, scale = self._split(outputs)
        return ops.stack([location, ops.softplus(scale) + SMALLEST_SCALE], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `μ` times the scale plus the loc, and `σ` times the scale."""
        return ops.stack([parameters[..., 0] * scale + loc, parameters[..., 1] * scale], axis=-1)

    def noise(self, numbers: Array) -> Array:
        """Return standard normal numbers."""
        return np.asarray(special.ndtri(numbers))

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `μ + σ z`."""
        return parameters[..., 0] + parameters[..., 1] * noise[..., 0]


class StudentTHead(DistributionHead):
    """Degrees of freedom, location, scale `ν, μ, σ` of Student's distribution.

    `ν > 2`, for a finite variance.
    """

    name_in_specs = "student_t"
    parameter_count = 3
    place_of_point = 1
    uniforms = 2

    def call(self, outputs: Tensor) -> Tensor:
        """Return `ν`, `μ` and `σ`, `[B, H, D, 3]`."""
        freedom, location, scale = self._split(outputs)
        freedom = 2.0 + ops.softplus(freedom)
        scale = ops.softplus(scale) + SMALLEST_SCALE
        return ops.stack([freedom, location, scale], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `ν` as it is, `μ` times the scale plus the loc, and `σ` times the scale."""
        freedom = parameters[..., 0]
        location = parameters[..., 1]
        width = parameters[..., 2]
        return ops.stack([freedom, location * scale + loc, width * scale], axis=-1)

    def noise(self, numbers: Array) -> Array:
        """Return the logarithm of one uniform number and the cosine of a uniform angle."""
        return np.stack([np.log(numbers[..., 0]), np.cos(2.0 * np.pi * numbers[..., 1])], axis=-1)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `μ + σ √(ν (u^(-2/ν) - 1)) cos θ`, which has exactly Student's distribution.

        Source: Bailey 1994, Polar generation.
        """
        freedom = parameters[..., 0]
        location = parameters[..., 1]
        scale = parameters[..., 2]
        radius = ops.sqrt(freedom * ops.expm1(-2.0 * noise[..., 0] / freedom))
        return location + scale * radius * noise[..., 1]


class NegativeBinomialHead(DistributionHead):
    """Mean and dispersion `μ, α` of counts with variance `μ + α μ²`.

    Source: Salinas et al. 2020, DeepAR, arXiv:1704.04110, section 3.
    """

    name_in_specs = "negative_binomial"
    uniforms = COUNT_UNIFORMS

    def call(self, outputs: Tensor) -> Tensor:
        """Return `μ` and `α`, `[B, H, D, 2]`."""
        mean, dispersion = self._split(outputs)
        mean = ops.softplus(mean) + SMALLEST_MEAN
        dispersion = ops.softplus(dispersion) + SMALLEST_DISPERSION
        return ops.stack([mean, dispersion], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `μ` times the scale, and `α`; the loc is 0."""
        return ops.stack([parameters[..., 0] * scale, parameters[..., 1]], axis=-1)

    def noise(self, numbers: Array) -> Array:
        """Return the numbers of gamma and Poisson proposals."""
        return count_noise(numbers)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return counts."""
        return draw_count(parameters[..., 0], parameters[..., 1], noise)


class LogNormalHead(NormalHead):
    """Mean and standard deviation `μ, σ` of the logarithm of positive data, which is normal."""

    name_in_specs = "log_normal"

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `μ` plus the logarithm of the scale, and `σ`; the loc is 0."""
        return ops.stack([parameters[..., 0] + ops.log(scale), parameters[..., 1]], axis=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the median, `exp μ`."""
        return _bounded_exp(parameters[..., 0])

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `exp(μ + σ z)`."""
        return _bounded_exp(parameters[..., 0] + parameters[..., 1] * noise[..., 0])


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return ops.exp(ops.minimum(logarithm, LARGEST_LOGARITHM))


HEADS: dict[str, Callable[..., Head]] = {
    head.name_in_specs: head
    for head in (
        PointHead,
        QuantileHead,
        NormalHead,
        StudentTHead,
        NegativeBinomialHead,
        LogNormalHead,
    )
}
