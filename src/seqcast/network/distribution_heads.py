"""Heads that forecast the parameters of a distribution, trained by its likelihood."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from seqcast.network.draws import COUNT_UNIFORMS, count_noise, draw_count
from seqcast.network.head import ProbabilisticHead
from seqcast.network.losses import HeadLoss, NegativeLogLikelihood
from seqcast.runtime import keras
from seqcast.specs import check_loss

Array = npt.NDArray[Any]
Tensor = Any
ops = keras.ops

# Smallest scale, in normalised units, and smallest dispersion and mean: likelihoods have no bound without them.
SMALLEST_SCALE = 1e-3
SMALLEST_DISPERSION = 1e-4
SMALLEST_MEAN = 1e-6
# Largest logarithm of a value: an exponential beyond it is infinite in single precision, and so would be all that
# follows where the value is read again.
LARGEST_LOGARITHM = 80.0


class DistributionHead(ProbabilisticHead):
    """The parameters of a distribution, trained by its likelihood.

    Args:
        width: Width of the decoder's output, `n`.
        targets: Target dimensions, `D`.
        options: `regularizer`, `seed` and what Keras's layers take.
    """

    parameter_count: ClassVar[int] = 2

    def __init__(self, width: int, targets: int, **options: Any) -> None:
        super().__init__(width, targets, size=self.parameter_count, **options)

    def loss(self, loss: Any = None, *, horizon_decay: float = 0.0) -> HeadLoss:
        """Return the negative logarithm of the likelihood."""
        check_loss(self.name_in_specs, loss)
        return NegativeLogLikelihood(self.name_in_specs, horizon_decay=horizon_decay)


class NormalHead(DistributionHead):
    """Mean and standard deviation `μ, σ` of a normal distribution; `σ = log(1 + e^r)` and a little."""

    name_in_specs = "normal"

    def call(self, outputs: Tensor) -> Tensor:
        """Return `μ` and `σ`, `[B, H, D, 2]`."""
        location, scale = self._numbers(outputs)
        return ops.stack([location, ops.softplus(scale) + SMALLEST_SCALE], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `μ` times the scale plus the loc, and `σ` times the scale."""
        return ops.stack([parameters[..., 0] * scale + loc, parameters[..., 1] * scale], axis=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return `μ`."""
        return parameters[..., 0]

    def noise(self, numbers: Array) -> Array:
        """Return standard normal numbers."""
        return np.asarray(special.ndtri(numbers))

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `μ + σ z`."""
        return parameters[..., 0] + parameters[..., 1] * noise[..., 0]


class StudentTHead(DistributionHead):
    """Degrees of freedom, location, scale `ν, μ, σ` of Student's distribution; `ν > 2`, so that it has a variance."""

    name_in_specs = "student_t"
    parameter_count = 3
    uniforms = 2

    def call(self, outputs: Tensor) -> Tensor:
        """Return `ν`, `μ` and `σ`, `[B, H, D, 3]`."""
        freedom, location, scale = self._numbers(outputs)
        return ops.stack([2.0 + ops.softplus(freedom), location, ops.softplus(scale) + SMALLEST_SCALE], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `ν` as it is, `μ` times the scale plus the loc, and `σ` times the scale."""
        freedom, location, width = parameters[..., 0], parameters[..., 1], parameters[..., 2]
        return ops.stack([freedom, location * scale + loc, width * scale], axis=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return `μ`."""
        return parameters[..., 1]

    def noise(self, numbers: Array) -> Array:
        """Return the logarithm of one uniform number and the cosine of a uniform angle."""
        return np.stack([np.log(numbers[..., 0]), np.cos(2.0 * np.pi * numbers[..., 1])], axis=-1)

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `μ + σ √(ν (u^(-2/ν) - 1)) cos θ`, exactly Student's. Source: Bailey 1994, Polar generation."""
        freedom, location, scale = parameters[..., 0], parameters[..., 1], parameters[..., 2]
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
        mean, dispersion = self._numbers(outputs)
        return ops.stack([ops.softplus(mean) + SMALLEST_MEAN, ops.softplus(dispersion) + SMALLEST_DISPERSION], axis=-1)

    def in_units(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return `μ` times the scale, and `α`; there is no loc."""
        return ops.stack([parameters[..., 0] * scale, parameters[..., 1]], axis=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return `μ`; a median of counts would jump."""
        return parameters[..., 0]

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
        """Return `μ` plus the logarithm of the scale, and `σ`; there is no loc."""
        return ops.stack([parameters[..., 0] + ops.log(scale), parameters[..., 1]], axis=-1)

    def point(self, parameters: Tensor) -> Tensor:
        """Return the median, `exp μ`."""
        return _bounded_exp(parameters[..., 0])

    def draw(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Return `exp(μ + σ z)`."""
        return _bounded_exp(parameters[..., 0] + parameters[..., 1] * noise[..., 0])


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return ops.exp(ops.minimum(logarithm, LARGEST_LOGARITHM))
