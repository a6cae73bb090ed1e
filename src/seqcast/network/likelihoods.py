"""Logarithms of likelihoods on every backend, safe for gradients in single precision.

Keras has no logarithm of the gamma function. Stirling's series for it is exact to single precision from 5 on;
smaller arguments are moved there by `Γ(z + 1) = z Γ(z)`. Differences of such logarithms are written out, because each
may be a million times larger than their difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from seqcast.runtime import keras

Tensor = Any
ops = keras.ops

SHIFT = 5
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def stirling_remainder(z: Tensor) -> Tensor:
    r"""Return what Stirling's formula leaves of the logarithm of the gamma function, for `z >= 5`.

    .. math:: \log Γ(z) - [(z - 1/2) \log z - z + 1/2 \log 2π] ≈ 1/(12 z) - 1/(360 z^3) + 1/(1260 z^5)

    Example:
        >>> remainder = math.lgamma(5.0) - (4.5 * math.log(5.0) - 5.0 + 0.5 * math.log(2.0 * math.pi))
        >>> abs(stirling_remainder(5.0) - remainder) < 1e-8
        True

    Source: Abramowitz and Stegun 1964, 6.1.41.
    """
    inverse = 1.0 / z
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))


def _parts(parameters: Tensor) -> list[Tensor]:
    return [parameters[..., place] for place in range(parameters.shape[-1])]


def normal(y: Tensor, parameters: Tensor) -> Tensor:
    """Return `-(z² + log 2π) / 2 - log σ` with `z = (y - μ) / σ`; parameters `μ`, `σ`."""
    location, scale = _parts(parameters)
    z = (y - location) / scale
    return -0.5 * ops.square(z) - ops.log(scale) - _HALF_LOG_TWO_PI


def student_t(y: Tensor, parameters: Tensor) -> Tensor:
    """Return the logarithm of Student's density; parameters `ν`, `μ`, `σ`."""
    freedom, location, scale = _parts(parameters)
    z = (y - location) / scale
    tail = 0.5 * (freedom + 1.0) * ops.log1p(ops.square(z) / freedom)
    return _half_step(0.5 * freedom) - 0.5 * ops.log(math.pi * freedom) - ops.log(scale) - tail


def _half_step(z: Tensor) -> Tensor:
    """Return `log Γ(z + 1/2) - log Γ(z)`."""
    w = z + SHIFT
    moved = w * ops.log1p(0.5 / w) + 0.5 * ops.log(w) - 0.5
    moved = moved + stirling_remainder(w + 0.5) - stirling_remainder(w)
    for step in range(SHIFT):
        moved = moved - ops.log1p(0.5 / (z + step))
    return moved


def negative_binomial(y: Tensor, parameters: Tensor) -> Tensor:
    r"""Return the logarithm of the probability of a count; parameters: the mean `μ` and the dispersion `α`.

    .. math:: \log \frac{Γ(y + n)}{Γ(n) \, Γ(y + 1)} + n \log\frac{n}{n + μ} + y \log\frac{μ}{n + μ}, \quad n = 1/α

    Source: Salinas et al. 2020, DeepAR, arXiv:1704.04110, equation 4.
    """
    mean, dispersion = _parts(parameters)
    n = 1.0 / dispersion
    # With a = n + m, b = y + 1 + m and c = y + n + m, m = SHIFT, Stirling's leading terms of the three gammas are
    # (a - 1/2) log(c/a) + (b - 1/2) log(c/b) - (m + 1/2) log c + m + 1. What n and y multiply goes together with
    # the two other logarithms: near the mean each bracket is small.
    a, b, c = n + SHIFT, y + (1.0 + SHIFT), y + n + SHIFT
    first, second = ops.log1p(y / a), ops.log1p((n - 1.0) / b)
    large = n * (first - ops.log1p(mean / n)) + y * (second - ops.log1p(n / mean))
    small = (SHIFT - 0.5) * first - (SHIFT + 0.5) * ops.log(b) + (SHIFT + 1.0 - _HALF_LOG_TWO_PI)
    small = small + stirling_remainder(c) - stirling_remainder(a) - stirling_remainder(b)
    for step in range(SHIFT):
        small = small + ops.log((n + step) / (y + n + step) * (y + 1.0 + step))
    return large + small


def log_normal(y: Tensor, parameters: Tensor) -> Tensor:
    """Return the logarithm of the density of `exp(μ + σ z)`; parameters `μ`, `σ`."""
    logarithm = ops.log(y)
    return normal(logarithm, parameters) - logarithm


LOG_LIKELIHOODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": normal,
    "student_t": student_t,
    "negative_binomial": negative_binomial,
    "log_normal": log_normal,
}
