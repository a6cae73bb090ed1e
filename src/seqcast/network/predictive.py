"""A whole forecast as a distribution, in one of two forms that answer the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.network.distributions import Distribution

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Parametric:
    """Each step's distribution by its parameters: what a network forecasts that reads none of its own outputs.

    Args:
        distribution: The kind of distribution.
        parameters: `[N, H, D, P]`.

    Example:
        >>> from seqcast.network.distributions import Normal
        >>> forecast = Parametric(Normal(), np.tile([10.0, 2.0], (4, 3, 1, 1)))
        >>> forecast.quantile((0.1, 0.9)).shape, float(forecast.mean()[0, 0, 0])
        ((4, 3, 1, 2), 10.0)
    """

    distribution: Distribution
    parameters: Array

    def mean(self) -> Array:
        """Return the mean, `[N, H, D]`."""
        return self.distribution.mean(self.parameters)

    def median(self) -> Array:
        """Return the median, `[N, H, D]`."""
        return self.distribution.median(self.parameters)

    def quantile(self, probabilities: Sequence[float]) -> Array:
        """Return quantiles, `[N, H, D, Qs]`."""
        return self.distribution.quantile(self.parameters, probabilities)

    def cdf(self, y: Array) -> Array:
        """Return the probability of at most `y`, `[N, H, D]`."""
        return self.distribution.cdf(self.parameters, y)


@dataclass(frozen=True)
class Sampled:
    """Sample paths: what a network forecasts that reads its own draws.

    Quantiles are those of Hazen, the middle of the k-th smallest of n at `(k - 1/2) / n`; those of counts are counts.
    None lies beyond the smallest and the largest path, so that far tails take many paths.

    Args:
        paths: `[N, paths, H, D]`.
        whole: Whether the values are whole numbers.

    Example:
        >>> forecast = Sampled(np.arange(10.0).reshape(1, 10, 1, 1))
        >>> forecast.median().item(), forecast.quantile((0.05, 0.95)).ravel().tolist()
        (4.5, [0.0, 9.0])

    Source: Hyndman and Fan 1996, Sample Quantiles in Statistical Packages, definitions 1 and 5.
    """

    paths: Array
    whole: bool = False

    def mean(self) -> Array:
        """Return the mean, `[N, H, D]`."""
        return np.asarray(np.mean(self.paths, axis=1, dtype=np.float64))

    def median(self) -> Array:
        """Return the median, `[N, H, D]`."""
        return np.asarray(self.quantile((0.5,))[..., 0])

    def quantile(self, probabilities: Sequence[float]) -> Array:
        """Return quantiles, `[N, H, D, Qs]`."""
        method: Any = "inverted_cdf" if self.whole else "hazen"
        return np.moveaxis(np.quantile(self.paths, np.asarray(probabilities), axis=1, method=method), 0, -1)

    def cdf(self, y: Array) -> Array:
        """Return the share of paths of at most `y`, `[N, H, D]`."""
        return np.asarray(np.mean(self.paths <= np.asarray(y)[:, None], axis=1))
