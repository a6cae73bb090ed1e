"""Distributions of a forecast: mean, quantiles and probabilities, with NumPy and SciPy only.

Parameters are `[..., P]`, in the data's units, as a probabilistic head of the same name returns
them. A forecast has one of two forms with the same methods: `Parametric` has the parameters of each
step, `Sampled` has sample paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from scipy import special
from typing_extensions import override

from seqcast.runtime import Array
from seqcast.specs import DEFAULT_QUANTILES, NetworkSpec


@dataclass(frozen=True)
class Distribution:
    """A kind of distribution; its methods take the parameters."""

    # Whether its values are whole numbers.
    whole: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        raise NotImplementedError

    def mean(self, parameters: Array) -> Array:
        """Return the mean, `[...]`.

        Args:
            parameters: `[..., P]`.
        """
        raise NotImplementedError

    def median(self, parameters: Array) -> Array:
        """Return the median, `[...]`.

        Args:
            parameters: `[..., P]`.
        """
        return self.quantile(parameters, (0.5,))[..., 0]

    def quantile(self, parameters: Array, probabilities: Sequence[float]) -> Array:
        """Return quantiles, `[..., Qs]`, which do not cross.

        Args:
            parameters: `[..., P]`.
            probabilities: Strictly between 0 and 1, `[Qs]`.
        """
        levels = np.asarray(probabilities, dtype=np.float64)
        parameters = np.asarray(parameters, dtype=np.float64)[..., None, :]
        values = np.asarray(self._inverse(parameters, levels))

        order = np.argsort(levels)
        # Rounding may exchange two quantiles that are nearly equal.
        values[..., order] = np.maximum.accumulate(values[..., order], axis=-1)
        return values

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`.

        Args:
            parameters: `[..., P]`.
            y: The value, which broadcasts against `[...]`.
        """
        raise NotImplementedError

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        """Return the inverse of the CDF.

        Probabilities broadcast against the parameters without their last axis.
        """
        raise NotImplementedError


def columns(parameters: Array) -> list[Array]:
    """Return the parameters one by one, `[...]` each, in double precision.

    Args:
        parameters: `[..., P]`.
    """
    return list(np.moveaxis(np.asarray(parameters, dtype=np.float64), -1, 0))


@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution.

    Example:
        >>> Normal().quantile(np.array([10.0, 2.0]), (0.5, 0.975)).round(2)
        array([10.  , 13.92])
    """

    parameters = ("mean", "deviation")

    def mean(self, parameters: Array) -> Array:
        """Return `μ`."""
        return columns(parameters)[0]

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`."""
        location, scale = columns(parameters)
        return np.asarray(special.ndtr((y - location) / scale))

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        location, scale = columns(parameters)
        return np.asarray(location + scale * special.ndtri(probabilities))


@dataclass(frozen=True)
class StudentT(Distribution):
    """Student's distribution with more than two degrees of freedom, a location and a scale.

    Example:
        >>> StudentT().quantile(np.array([5.0, 0.0, 1.0]), (0.5, 0.975)).round(2)
        array([0.  , 2.57])
    """

    parameters = ("degrees_of_freedom", "location", "scale")

    def mean(self, parameters: Array) -> Array:
        """Return `μ`."""
        return columns(parameters)[1]

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`."""
        freedom, location, scale = columns(parameters)
        return np.asarray(special.stdtr(freedom, (y - location) / scale))

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        freedom, location, scale = columns(parameters)
        return np.asarray(location + scale * special.stdtrit(freedom, probabilities))


@dataclass(frozen=True)
class NegativeBinomial(Distribution):
    """Counts with mean `μ` and variance `μ + α μ²`.

    Example:
        >>> NegativeBinomial().quantile(np.array([10.0, 0.25]), (0.1, 0.5, 0.9))
        array([ 3.,  9., 18.])
    """

    parameters = ("mean", "dispersion")
    whole = True

    def mean(self, parameters: Array) -> Array:
        """Return `μ`."""
        return columns(parameters)[0]

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`."""
        n, p = self._usual(parameters)
        counts = np.floor(y)
        return np.where(counts < 0, 0.0, special.betainc(n, np.maximum(counts, 0.0) + 1.0, p))

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        from scipy import stats  # takes half a second to import

        return np.asarray(stats.nbinom.ppf(probabilities, *self._usual(parameters)))

    def _usual(self, parameters: Array) -> tuple[Array, Array]:
        """Return the number of successes and their probability."""
        mean, dispersion = columns(parameters)
        return 1.0 / dispersion, 1.0 / (1.0 + dispersion * mean)


@dataclass(frozen=True)
class LogNormal(Normal):
    """The distribution of `exp(μ + σ z)`.

    Example:
        >>> LogNormal().quantile(np.array([0.0, 1.0]), (0.5, 0.975)).round(2)
        array([1. , 7.1])
    """

    parameters = ("log_mean", "log_deviation")

    def mean(self, parameters: Array) -> Array:
        """Return `exp(μ + σ²/2)`."""
        location, scale = columns(parameters)
        return np.asarray(np.exp(location + 0.5 * scale**2))

    @override
    def cdf(self, parameters: Array, y: Array) -> Array:
        positive = np.asarray(y) > 0
        return np.where(positive, super().cdf(parameters, np.log(np.where(positive, y, 1.0))), 0.0)

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        return np.asarray(np.exp(super()._inverse(parameters, probabilities)))


@dataclass(frozen=True)
class Quantiles(Distribution):
    r"""A distribution known by its quantiles: lines between them, exponential tails beyond.

    Above the last quantile `q_n` with probability `p_n`

    .. math:: q(p) = q_n + β \log\frac{1 - p_n}{1 - p}, \qquad
        β = (q_n - q_{n-1}) / \log\frac{1 - p_{n-1}}{1 - p_n}

    so that the tail, extended inwards, goes through the last quantile but one. The lower tail is
    alike.

    Args:
        probabilities: Probabilities of the quantiles, rising; at least two.

    Example:
        >>> distribution = Quantiles((0.1, 0.5, 0.9))
        >>> distribution.quantile(np.array([1.0, 2.0, 4.0]), (0.1, 0.3, 0.5, 0.98)).round(2)
        array([1. , 1.5, 2. , 6. ])
    """

    probabilities: tuple[float, ...] = DEFAULT_QUANTILES

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the quantiles."""
        return tuple(f"quantile {probability:g}" for probability in self.probabilities)

    def mean(self, parameters: Array) -> Array:
        """Return the mean."""
        p = np.array(self.probabilities)
        quantiles = np.asarray(parameters, dtype=np.float64)
        low, high = self._tails(quantiles)
        inside = np.sum(0.5 * (quantiles[..., 1:] + quantiles[..., :-1]) * np.diff(p), axis=-1)
        left = p[0] * (quantiles[..., 0] - low)
        right = (1.0 - p[-1]) * (quantiles[..., -1] + high)
        return np.asarray(inside + left + right)

    def cdf(self, parameters: Array, y: Array) -> Array:
        """Return the probability of at most `y`."""
        p = np.array(self.probabilities)
        quantiles = np.asarray(parameters, dtype=np.float64)
        y = np.asarray(y, dtype=np.float64)

        # Which fraction of the way to the next quantile is behind; two equal ones are a jump.
        width = np.diff(quantiles)
        distance = y[..., None] - quantiles[..., :-1]
        part = np.clip(distance / np.where(width > 0, width, 1.0), 0.0, 1.0)
        fraction = np.where(width > 0, part, distance >= 0)
        inside = p[0] + np.sum(fraction * np.diff(p), axis=-1)

        below = quantiles[..., 0] - y
        above = y - quantiles[..., -1]
        low, high = self._tails(quantiles)
        left = p[0] * _tail(below, low)
        right = (1.0 - p[-1]) * _tail(above, high)
        return np.asarray(np.where(below > 0, left, np.where(above >= 0, 1.0 - right, inside)))

    def _tails(self, quantiles: Array) -> tuple[Array, Array]:
        """Return the scales of both tails."""
        p = self.probabilities
        low = (quantiles[..., 1] - quantiles[..., 0]) / np.log(p[1] / p[0])
        high = (quantiles[..., -1] - quantiles[..., -2]) / np.log((1.0 - p[-2]) / (1.0 - p[-1]))
        return low, high

    def _inverse(self, parameters: Array, probabilities: Array) -> Array:
        weights = quantile_weights(self.probabilities, probabilities)
        return np.asarray(np.sum(parameters * weights, axis=-1))


def _tail(distance: Array, scale: Array) -> Array:
    """Return the probability of an exponential tail beyond a distance."""
    # Two equal quantiles have a scale of 0 and no tail.
    tail = np.exp(-np.maximum(distance, 0.0) / np.where(scale > 0, scale, 1.0))
    return np.asarray(np.where(scale > 0, tail, 0.0))


def quantile_weights(known: Sequence[float], wanted: Array) -> Array:
    """Return the weights, which sum to 1, by which known quantiles give others, as in `Quantiles`.

    Args:
        known: Probabilities of the known quantiles, rising, `[Q]`.
        wanted: Probabilities of the other quantiles, any shape.

    Returns:
        The weights, `[..., Q]`.

    Example:
        >>> quantile_weights((0.1, 0.5, 0.9), np.array([0.5, 0.6])).round(2).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.75, 0.25]]
    """
    p = np.asarray(known, dtype=np.float64)
    wanted = np.asarray(wanted, dtype=np.float64)
    left = np.clip(np.searchsorted(p, wanted, side="right") - 1, 0, len(p) - 2)
    inside = (wanted - p[left]) / (p[left + 1] - p[left])

    # Beyond the ends, the distance to the end in units of the outermost step.
    below = wanted < p[0]
    above = wanted > p[-1]
    low = np.where(below, wanted, p[0])
    high = np.where(above, wanted, p[-1])
    before = np.log(low / p[0]) / np.log(p[1] / p[0])
    beyond = np.log((1.0 - p[-1]) / (1.0 - high)) / np.log((1.0 - p[-2]) / (1.0 - p[-1]))
    share = np.where(above, 1.0 + beyond, np.where(below, before, inside))[..., None]

    places = np.arange(len(p))
    left = left[..., None]
    return np.asarray((1.0 - share) * (places == left) + share * (places == left + 1))


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "quantile": Quantiles,
    "normal": Normal,
    "student_t": StudentT,
    "negative_binomial": NegativeBinomial,
    "log_normal": LogNormal,
}


def distribution_of(network: NetworkSpec) -> Distribution:
    """Return the distribution of a network's probabilistic head.

    Args:
        network: Options of the network.

    Example:
        >>> distribution_of(NetworkSpec(head="quantile", quantiles=(0.25, 0.5)))
        Quantiles(probabilities=(0.25, 0.5))
    """
    if network.quantiles is not None:
        return Quantiles(network.quantiles)
    return DISTRIBUTIONS[network.head]()


@dataclass(frozen=True)
class Parametric:
    """The parameters of each step's distribution.

    It is the forecast of a network that reads none of its own outputs.

    Args:
        distribution: The kind of distribution.
        parameters: `[N, H, D, P]`.

    Example:
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
        """Return quantiles, `[N, H, D, Qs]`.

        Args:
            probabilities: Strictly between 0 and 1, `[Qs]`.
        """
        return self.distribution.quantile(self.parameters, probabilities)

    def cdf(self, y: Array) -> Array:
        """Return the probability of at most `y`, `[N, H, D]`.

        Args:
            y: The values, `[N, H, D]`.
        """
        return self.distribution.cdf(self.parameters, y)


@dataclass(frozen=True)
class Sampled:
    """Sample paths: the forecast of a network that reads its own draws.

    Quantiles are those of Hazen: the k-th smallest of n paths has the probability `(k - 1/2) / n`.
    Quantiles of counts are counts. None lies beyond the smallest and the largest path, so extreme
    quantiles need many paths.

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
        """Return quantiles, `[N, H, D, Qs]`.

        Args:
            probabilities: Strictly between 0 and 1, `[Qs]`.
        """
        method: Literal["inverted_cdf", "hazen"] = "inverted_cdf" if self.whole else "hazen"
        quantiles = np.quantile(self.paths, np.asarray(probabilities), axis=1, method=method)
        return np.moveaxis(quantiles, 0, -1)

    def cdf(self, y: Array) -> Array:
        """Return the share of paths of at most `y`, `[N, H, D]`.

        Args:
            y: The values, `[N, H, D]`.
        """
        return np.asarray(np.mean(self.paths <= np.asarray(y)[:, None], axis=1))
