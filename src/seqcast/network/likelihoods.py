"""Log-likelihoods of distributions on every backend, and their draws from given random numbers.

**Likelihoods** are safe for gradients in single precision. Keras has no logarithm of the gamma
function. Stirling's series for it is exact to single precision from 5 on; `Γ(z + 1) = z Γ(z)` moves
smaller arguments there. Differences of such logarithms are written out, because each may be a
million times larger than their difference.

**Draws** for sample paths: random numbers are drawn outside of a compiled loop and become draws
inside it. Each draw takes a fixed number of uniform numbers, so a path depends only on the
network's output and its own numbers. Rejection methods get a fixed number of proposals, of which
the first accepted one counts. The probability that none is accepted is below single precision.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy import special

from seqcast.runtime import Array, Tensor, ops

# By how much arguments of the gamma function are moved, to where Stirling's series is exact.
SHIFT = 5
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def stirling_remainder(z: Tensor) -> Tensor:
    r"""Return the remainder of Stirling's formula for `log Γ(z)`, for `z >= 5`.

    .. math:: \log Γ(z) - [(z - 1/2) \log z - z + 1/2 \log 2π]
        ≈ 1/(12 z) - 1/(360 z^3) + 1/(1260 z^5)

    Args:
        z: The argument.

    Example:
        >>> formula = 4.5 * math.log(5.0) - 5.0 + 0.5 * math.log(2.0 * math.pi)
        >>> abs(stirling_remainder(5.0) - (math.lgamma(5.0) - formula)) < 1e-8
        True

    Source: Abramowitz and Stegun 1964, 6.1.41.
    """
    inverse = 1.0 / z
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))


def _split(parameters: Tensor) -> list[Tensor]:
    return [parameters[..., place] for place in range(parameters.shape[-1])]


def normal(y: Tensor, parameters: Tensor) -> Tensor:
    """Return `-(z² + log 2π) / 2 - log σ` with `z = (y - μ) / σ`.

    Args:
        y: The value.
        parameters: `μ`, `σ`, `[..., 2]`.
    """
    location, scale = _split(parameters)
    z = (y - location) / scale
    return -0.5 * ops.square(z) - ops.log(scale) - _HALF_LOG_TWO_PI


def student_t(y: Tensor, parameters: Tensor) -> Tensor:
    """Return the logarithm of Student's density.

    Args:
        y: The value.
        parameters: `ν`, `μ`, `σ`, `[..., 3]`.
    """
    freedom, location, scale = _split(parameters)
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
    r"""Return the logarithm of the probability of a count.

    .. math:: \log \frac{Γ(y + n)}{Γ(n) \, Γ(y + 1)} + n \log\frac{n}{n + μ}
        + y \log\frac{μ}{n + μ}, \quad n = 1/α

    Args:
        y: The count.
        parameters: The mean `μ` and the dispersion `α`, `[..., 2]`.

    Source: Salinas et al. 2020, DeepAR, arXiv:1704.04110, equation 4.
    """
    mean, dispersion = _split(parameters)
    n = 1.0 / dispersion

    # Let a = n + m, b = y + 1 + m and c = y + n + m with m = SHIFT. Stirling's leading terms of the
    # three gammas are (a - 1/2) log(c/a) + (b - 1/2) log(c/b) - (m + 1/2) log c + m + 1. The
    # factors of n and of y are each combined with one of the two other logarithms: near the mean
    # each bracket is small.
    a = n + SHIFT
    b = y + (1.0 + SHIFT)
    c = y + n + SHIFT
    first = ops.log1p(y / a)
    second = ops.log1p((n - 1.0) / b)

    large = n * (first - ops.log1p(mean / n)) + y * (second - ops.log1p(n / mean))
    small = (SHIFT - 0.5) * first - (SHIFT + 0.5) * ops.log(b) + (SHIFT + 1.0 - _HALF_LOG_TWO_PI)
    small = small + stirling_remainder(c) - stirling_remainder(a) - stirling_remainder(b)
    for step in range(SHIFT):
        small = small + ops.log((n + step) / (y + n + step) * (y + 1.0 + step))
    return large + small


def log_normal(y: Tensor, parameters: Tensor) -> Tensor:
    """Return the logarithm of the density of `exp(μ + σ z)`.

    Args:
        y: The value.
        parameters: `μ`, `σ`, `[..., 2]`.
    """
    logarithm = ops.log(y)
    return normal(logarithm, parameters) - logarithm


LOG_LIKELIHOODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": normal,
    "student_t": student_t,
    "negative_binomial": negative_binomial,
    "log_normal": log_normal,
}


# Proposals of a gamma variable: each is accepted with a probability of at least 0.95.
GAMMA_PROPOSALS = 8
# Proposals of a Poisson variable: each is accepted with a probability of at least 0.75.
POISSON_PROPOSALS = 14
# Mean from which Poisson variables are proposed; below it, the probabilities of counts are summed.
MANY = 10.0
# Counts whose probabilities are summed: more are rarer than single precision can say.
COUNTS = 40
# Sets of uniform numbers that are remembered, for the next forecasts with the same sizes.
LAST_NUMBERS = 2
# A normal and a uniform number a gamma proposal, one for small shapes, one to invert, two a Poisson
# proposal.
COUNT_UNIFORMS = 2 * GAMMA_PROPOSALS + 2 + 2 * POISSON_PROPOSALS


@functools.lru_cache(LAST_NUMBERS)
def uniforms(seed: int, *, horizon: int, paths: int, targets: int, count: int) -> Array:
    """Draw uniform numbers for paths.

    In every step the paths' numbers are spread evenly: the k-th smallest of n lies in `((k - 1) /
    n, k / n)`. The numbers of one path are independent; but quantiles over these paths are nearer
    to the truth than those over independent paths. A longer horizon begins with the numbers of a
    shorter one.

    Args:
        seed: The seed.
        horizon: Number of steps, `H`.
        paths: Number of paths.
        targets: Target dimensions, `D`.
        count: Numbers a draw, `k`.

    Returns:
        Numbers strictly between 0 and 1, `[H, paths, D, k]`, which cannot be written to.

    Example:
        >>> numbers = uniforms(1, horizon=2, paths=4, targets=1, count=1)
        >>> sorted((numbers[0, :, 0, 0] * 4).astype(int).tolist())
        [0, 1, 2, 3]

    Source: McKay, Beckman and Conover 1979 (Latin hypercube sampling).
    """
    shape = (horizon, targets, count, paths)
    ranks = np.argsort(np.random.default_rng([seed, 0]).random(shape), axis=-1)
    within = np.random.default_rng([seed, 1]).random(shape)
    drawn = np.clip(np.moveaxis((ranks + within) / paths, 3, 1), 2.0**-24, 1.0 - 2.0**-24)
    drawn.setflags(write=False)
    return drawn


def count_noise(numbers: Array) -> Array:
    """Turn uniform numbers into the noise that `draw_count` reads, of the same shape.

    Args:
        numbers: Uniform numbers, `[..., COUNT_UNIFORMS]`.
    """
    noise = numbers.copy()
    noise[..., :GAMMA_PROPOSALS] = special.ndtri(numbers[..., :GAMMA_PROPOSALS])
    return noise


def draw_count(mean: Tensor, dispersion: Tensor, noise: Tensor) -> Tensor:
    """Draw counts with mean `μ` and variance `μ + α μ²`.

    They are Poisson variables with a gamma variable as their mean.

    Args:
        mean: `μ`, any shape.
        dispersion: `α`, of the same shape.
        noise: The result of `count_noise`, with one axis more.

    Returns:
        Whole numbers, as floats.

    Example:
        >>> noise = count_noise(uniforms(0, horizon=1, paths=1000, targets=1, count=COUNT_UNIFORMS))
        >>> mean = ops.full((1, 1, 1000, 1), 20.0)
        >>> counts = draw_count(mean, mean / 80.0, ops.convert_to_tensor(noise, dtype="float32"))
        >>> 18 < float(ops.mean(counts)) < 22
        True

    Source: Greenwood and Yule 1920.
    """
    place = 2 * GAMMA_PROPOSALS
    rate = mean * dispersion * _draw_gamma(1.0 / dispersion, noise[..., : place + 1])
    return _draw_poisson(rate, noise[..., place + 1 :])


def _draw_gamma(shape: Tensor, noise: Tensor) -> Tensor:
    """Draw gamma variables of scale 1.

    Source: Marsaglia and Tsang 2000; for shapes below 1 their section 6.
    """
    normal = noise[..., :GAMMA_PROPOSALS]
    uniform = noise[..., GAMMA_PROPOSALS : 2 * GAMMA_PROPOSALS]
    small = shape < 1.0
    d = ops.expand_dims(ops.where(small, shape + 1.0, shape) - 1.0 / 3.0, -1)
    v = 1.0 + normal / ops.sqrt(9.0 * d)
    cube = ops.maximum(v * v * v, 1e-30)
    accepted = ops.log(uniform) < 0.5 * ops.square(normal) + d * (1.0 - cube + ops.log(cube))
    drawn = _first(d * cube, ops.logical_and(accepted, v > 0.0))
    power = ops.exp(ops.log(noise[..., -1]) / ops.where(small, shape, 1.0))
    return ops.where(small, drawn * power, drawn)


def _draw_poisson(rate: Tensor, noise: Tensor) -> Tensor:
    few = _invert_poisson(ops.minimum(rate, MANY), noise[..., 0])
    many = _propose_poisson(ops.maximum(rate, MANY), noise[..., 1:])
    return ops.where(rate < MANY, few, many)


def _invert_poisson(rate: Tensor, uniform: Tensor) -> Tensor:
    """Return the first count whose cumulative probability reaches the uniform number."""
    rate = ops.expand_dims(rate, -1)
    numbers = np.arange(COUNTS)
    counts = ops.convert_to_tensor(numbers, dtype=rate.dtype)
    log_factorials = ops.convert_to_tensor(special.gammaln(numbers + 1.0), dtype=rate.dtype)
    logarithms = counts * ops.log(ops.maximum(rate, 1e-30)) - rate
    probabilities = ops.exp(logarithms - log_factorials)
    reached = ops.cumsum(probabilities, axis=-1)
    return ops.sum(ops.cast(reached < ops.expand_dims(uniform, -1), rate.dtype), axis=-1)


def _propose_poisson(rate: Tensor, noise: Tensor) -> Tensor:
    """Draw Poisson variables of means of at least 10. Source: Hörmann 1993, algorithm PTRS."""
    rate = ops.expand_dims(rate, -1)
    b = 0.931 + 2.53 * ops.sqrt(rate)
    a = -0.059 + 0.02483 * b
    u = noise[..., :POISSON_PROPOSALS] - 0.5
    v = noise[..., POISSON_PROPOSALS:]
    distance = 0.5 - ops.abs(u)
    counts = ops.floor((2.0 * a / distance + b) * u + rate + 0.43)
    height = ops.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / ops.square(distance) + b))
    possible = ops.logical_and(counts >= 0.0, ops.logical_or(distance >= 0.013, v <= distance))
    counts = ops.maximum(counts, 0.0)
    accepted = height <= _log_poisson(counts, rate)
    return _first(counts, ops.logical_and(possible, accepted))


def _log_poisson(counts: Tensor, rate: Tensor) -> Tensor:
    """Return `k log λ - λ - log k!` without the digits that its large terms would cost."""
    w = counts + (1.0 + SHIFT)
    value = w - rate - counts * ops.log1p((w - rate) / rate)
    value = value - (SHIFT + 0.5) * ops.log(w) - _HALF_LOG_TWO_PI - stirling_remainder(w)
    for step in range(SHIFT):
        value = value + ops.log(counts + 1.0 + step)
    return value


def _first(values: Tensor, accepted: Tensor) -> Tensor:
    """Return the first accepted value along the last axis."""
    place = ops.argmax(ops.cast(accepted, "int32"), axis=-1)
    return ops.sum(values * ops.one_hot(place, values.shape[-1], dtype=values.dtype), axis=-1)
