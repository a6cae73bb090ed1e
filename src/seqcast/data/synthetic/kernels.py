"""Gaussian processes whose kernels are sums and products of simple ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.draws import Season, amounts
from seqcast.runtime import one_blas_thread

Array = npt.NDArray[np.float64]
Generator = np.random.Generator

# Series that share a kernel: to draw another one costs what a kernel's factor does.
SERIES_A_KERNEL = 4
MOST_KERNELS = 4


def gaussian_process(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw from Gaussian processes with composed kernels, a new one for every four series.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`, of about unit variance.

    Source: KernelSynth, Ansari et al. 2024, "Chronos: Learning the Language of Time Series", arXiv:2403.07815, section
    4.2; kernels as in Duvenaud et al. 2013, arXiv:1302.4922.
    """
    values = np.empty((n, length))
    with one_blas_thread():
        _fill(rng, values, season)
    return values


def _fill(rng: Generator, values: Array, season: Season) -> None:
    n, length = values.shape
    for first in range(0, n, SERIES_A_KERNEL):
        count = min(SERIES_A_KERNEL, n - first)
        factor = np.linalg.cholesky(composed_kernel(rng, length, season) + 1e-4 * np.eye(length))
        values[first : first + count] = rng.normal(size=(count, length)) @ factor.T


def composed_kernel(rng: Generator, length: int, season: Season) -> Array:
    """Return the covariance of one to four kernels, each added to those before it or multiplied with them.

    Args:
        rng: The generator.
        length: Number of steps.
        season: Season of the periodic kernels, beside others.

    Returns:
        The covariance, `[length, length]`, with a mean variance of 1.

    Example:
        >>> kernel = composed_kernel(np.random.default_rng(0), 20, Season(4))
        >>> kernel.shape, bool(np.linalg.eigvalsh(kernel).min() > -1e-8)
        ((20, 20), True)
    """
    kernel = _simple_kernel(rng, length, season)
    for _ in range(int(rng.integers(0, MOST_KERNELS))):
        other = _simple_kernel(rng, length, season)
        kernel = kernel * other if rng.random() < 0.5 else kernel + other
    return np.asarray(kernel / max(float(np.mean(np.diag(kernel))), 1e-9))


def _simple_kernel(rng: Generator, length: int, season: Season) -> Array:
    steps = np.arange(length) / length
    name = str(rng.choice(["constant", "linear", "smooth", "rough", "quadratic", "season", "noise"], p=_SHARES))
    if name == "linear":
        centred = steps - rng.random()
        return 4 * np.outer(centred, centred)
    # The others depend on the distance of two steps alone.
    lags = np.arange(length)
    covariance = _covariance(rng, name, steps, season)
    # Numbers near the smallest ones make arithmetic slow.
    covariance[covariance < 1e-12] = 0.0
    return np.asarray(covariance[np.abs(lags[:, None] - lags)])


def _covariance(rng: Generator, name: str, distance: Array, season: Season) -> Array:
    """Return the covariance of steps at some distances, in shares of the length."""
    if name == "constant":
        return np.ones(len(distance))
    if name == "noise":
        return np.asarray((distance == 0) * float(rng.choice([0.01, 0.1, 1.0])))
    if name == "season":
        known = [steps for steps in (season.length, season.longer) if steps is not None and steps > 1]
        is_told = bool(known) and rng.random() < 0.8
        period = float(rng.choice(known) if is_told else amounts(rng, 1, 2.0, 512.0)[0, 0])
        return np.exp(-2 * (np.sin(np.pi * distance * len(distance) / period) / rng.uniform(0.4, 2.0)) ** 2)
    scale = float(np.exp(rng.uniform(np.log(0.02), np.log(1.0))))
    if name == "smooth":
        return np.exp(-0.5 * (distance / scale) ** 2)
    if name == "rough":
        return np.exp(-distance / scale)
    mixture = float(np.exp(rng.uniform(np.log(0.1), np.log(10.0))))
    return (1 + (distance / scale) ** 2 / (2 * mixture)) ** -mixture


_SHARES = (0.05, 0.15, 0.15, 0.1, 0.15, 0.3, 0.1)
