"""The distribution of the errors of usual rows, among rows that may be anomalies themselves.

Split-conformal calibration needs many rows without anomalies: the interval of level 99 is the
largest of 99 errors. Here the rows that are searched for anomalies calibrate each other:

1. Each error is divided by a shape, such as the reach of the network's own interval.
2. The rest depends on the groups of a row: its series, its step, whether training read it. So
   errors are divided by a unit with a factor for each group.
3. A distribution is fitted to the errors in these units. Its tail runs through two quantiles,
   which few anomalies hardly move. Rows beyond it are left out, and steps 2 and 3 are repeated
   until the same rows remain.
4. The units of a series are raised to the size of its noise, and the distribution is fitted again.
5. Of several shapes the one with the narrowest intervals is taken.

The tail is that of a Weibull distribution: with errors `e` of quantiles `Q(p)`, `log Q(p) = log
Q(p₂) + b · (ℓ(p) − ℓ(p₂))`, `ℓ(p) = log(−log(1 − p))`, `p₁ = 0.8` and `p₂ = 0.97`, where `b = (log
Q(p₂) − log Q(p₁)) / (ℓ(p₂) − ℓ(p₁))`, and at least that of normal errors. It is exact for Laplace
errors; where 99 % should be inside, it covers 99.2 % of normal errors, and 98.4 % of those of
Student's t with three degrees of freedom.

A series has noise of its own, which exact forecasts may hide: where most values are zero, so are
most errors. There the reach of level 99 is at least 1.25 times the 0.95 quantile of the other
errors, and at least 1.25 times the resolution of the values.

Source: extrapolation of a tail of errors for a rare level, Siffer, Fouque, Termier and Largouet,
Anomaly detection in streams with extreme value theory, KDD 2017; sharpness subject to calibration,
Gneiting, Balabdaoui and Raftery 2007; shrinkage by the variance that chance explains, Morris,
Parametric empirical Bayes inference, JASA 78 (1983).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError
from seqcast.runtime import Array

Labels = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

# Fewer rows say nothing about a tail.
LEAST_ROWS = 50

# Rows beyond this level are left out when units are fitted again, at any requested level.
USUAL = 0.997

# The quantiles that the tail is fitted through; lower ones in the first round, in which no anomaly
# is left out.
FIRST_TAIL = (0.5, 0.8)
TAIL = (0.8, 0.97)

# Where most forecasts of a series are exact, the reach of level 99 is at least this multiple of
# this quantile of the other errors, if there are enough of them.
FLOOR_LEVEL = 0.99
FLOOR = 1.25
NOISE = 0.95
LEAST_ERRORS = 5

# Usual rows hardly change after a few rounds.
MOST_ROUNDS = 20
# Errors up to this size are zero.
SMALLEST = 1e-6
# Errors that are equal, as those of counts, must not be split by rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class WeibullTail:
    """The quantiles of a Weibull distribution from one of them on.

    Args:
        start: The quantile.
        probability: Its probability `p₂`.
        slope: The slope `b` of `log Q(p)` over `ℓ(p)`.
    """

    start: float
    probability: float
    slope: float

    @classmethod
    def through(cls, quantiles: Array, probabilities: tuple[float, float]) -> Self:
        """Return the tail through two quantiles, or one as steep as that of normal errors."""
        from scipy import special

        inner, outer = quantiles
        normal_inner, normal_outer = special.ndtri(0.5 + np.array(probabilities) / 2.0)
        ratio = max(outer / inner, normal_outer / normal_inner)
        distance = np.diff(_log_log(np.array(probabilities)))[0]
        return cls(float(outer), probabilities[1], float(np.log(ratio) / distance))

    def quantile(self, probability: float) -> float:
        """Return the quantile of a probability of at least `p₂`."""
        distance = _log_log(probability) - _log_log(self.probability)
        return float(self.start * np.exp(self.slope * distance))

    def log_share_beyond(self, errors: Array) -> Array:
        """Return the logarithm of the share of errors that are larger, `log(1 − p)`."""
        distance = np.log(np.maximum(errors, SMALLEST) / self.start) / self.slope
        return np.asarray(-np.exp(_log_log(self.probability) + distance))


@dataclass(frozen=True, eq=False)
class ErrorDistribution:
    """The distribution of absolute errors: some are zero, the largest have a Weibull tail.

    Args:
        positive: The errors above zero, without the fraction `1 − share` of largest ones.
        zeros: Fraction of all errors that are zero.
        share: Fraction of all errors above zero that these are.
        through: Probabilities of the two quantiles that the tail runs through; up to the larger
            one the quantiles of the errors count.

    Example:
        >>> laplace = np.random.default_rng(0).exponential(size=100_000)
        >>> distribution = ErrorDistribution.of(laplace)
        >>> round(distribution.quantile(0.99), 1), round(float(-np.log(0.01)), 1)
        (4.6, 4.6)
        >>> distribution.deviations(np.array([4.6])).round(1)  # as rare as 2.6 normal deviations
        array([2.6])
    """

    positive: Array
    zeros: float
    share: float = 1.0
    through: tuple[float, float] = TAIL

    @classmethod
    def of(cls, errors: Array, *, share: float = 1.0, through: tuple[float, float] = TAIL) -> Self:
        """Return the distribution of some errors.

        Args:
            errors: The errors, without the fraction `1 − share` of largest ones.
            share: Fraction of all errors that these are.
            through: Probabilities of the two quantiles.
        """
        # Forecasts of counts are often right: the tail is that of errors above zero.
        positive = errors[errors > SMALLEST]
        if not len(positive):
            return cls(np.full(1, SMALLEST), 1.0 - SMALLEST, 1.0, through)

        zeros = share * (1 - len(positive) / len(errors))
        return cls(positive, zeros, (share - zeros) / (1 - zeros), through)

    @cached_property
    def _tail(self) -> WeibullTail:
        probabilities = np.minimum(1.0, np.array(self.through) / self.share)
        return WeibullTail.through(np.quantile(self.positive, probabilities), self.through)

    def quantile(self, probability: float) -> float:
        """Return a quantile.

        Args:
            probability: Its probability.
        """
        if probability <= self.zeros:
            return SMALLEST

        of_positive = (probability - self.zeros) / (1.0 - self.zeros)
        if of_positive > self.through[1]:
            return self._tail.quantile(of_positive)
        return float(np.quantile(self.positive, min(1.0, of_positive / self.share)))

    def deviations(self, errors: Array) -> Array:
        """Return the number of standard deviations at which normal errors are as rare.

        Args:
            errors: The absolute errors.
        """
        from scipy import special

        log_share = np.log1p(-self.zeros) + self._tail.log_share_beyond(errors)
        deviations = -special.ndtri_exp(log_share - np.log(2.0))
        return np.asarray(np.where(errors > SMALLEST, deviations, 0.0))


@dataclass(frozen=True, eq=False)
class UsualRows:
    """The rows that are no anomalies.

    Args:
        units: The unit of each row's error, whether the row is usual or not, `[rows]`.
        mask: Whether each row is usual, `[rows]`.
        share: Fraction of the rows that are expected to be usual.
    """

    units: Array
    mask: Mask
    share: float

    @classmethod
    def find(cls, errors: Array, groups: Sequence[Labels]) -> Self:
        """Leave out the rows beyond the tail of the others, until the same rows remain.

        Args:
            errors: Absolute errors, `[rows]`.
            groups: As those of `UsualErrors.learn`.
        """
        mask = np.ones(len(errors), dtype=bool)
        share = 1.0
        through = FIRST_TAIL
        for _ in range(MOST_ROUNDS):
            units = _units(errors, mask, groups)
            scores = errors / units
            distribution = ErrorDistribution.of(scores[mask], share=share, through=through)
            within = scores <= distribution.quantile(USUAL) * (1 + ROUNDING)
            if share < 1 and np.array_equal(within, mask):
                break

            mask = within
            share = USUAL
            through = TAIL
        return cls(units, mask, share)


@dataclass(frozen=True)
class UsualErrors:
    """The distribution of the errors of usual rows.

    Args:
        units: Unit of the errors of each row, below and above its forecast, `[rows, 2]`.
        distribution: The distribution of absolute errors in these units.

    Example:
        >>> errors = np.random.default_rng(0).normal(size=5000)
        >>> usual = UsualErrors.learn(errors, [np.zeros(5000, dtype=int)])
        >>> reach = usual.reach(99)
        >>> reach.shape, round(float(reach[0, 0]), 1)
        ((5000, 2), 2.6)
        >>> round(float(np.mean(np.abs(errors) > reach[:, 0])), 3)
        0.008
        >>> usual.deviations(np.full(5000, 4.0))[:2].round()
        array([4., 4.])
    """

    units: Array
    distribution: ErrorDistribution

    @classmethod
    def learn(
        cls,
        errors: Array,
        groups: Sequence[Labels],
        *,
        shapes: Sequence[Array] = (),
        resolution: Array | None = None,
    ) -> Self:
        """Learn it from the errors of rows.

        Args:
            errors: Values less their forecasts, `[rows]`.
            groups: Labels of each row, whole numbers from 0, `[rows]` each: its series, its step
                and so on. Errors may be larger in some groups than in others.
            shapes: What the reach below and above the forecast may be proportional to, `[rows, 2]`
                each, such as that of the network's own intervals; the one with the narrowest
                intervals is taken. Without any the reach is the same for all rows of a group.
            resolution: The least difference between two values, `[rows]`.

        Raises:
            DataError: There are too few rows.
        """
        count = len(errors)
        if count < LEAST_ROWS:
            raise DataError(
                option="df",
                expected=f"at least {LEAST_ROWS} rows to score: those after the first "
                "context_length of a series",
                received=str(count),
                hint="Give more rows.",
            )

        least = np.full(count, SMALLEST) if resolution is None else resolution
        noise = _noise(np.abs(errors), groups[0], least)
        candidates = [
            cls._of_shape(errors, groups, np.maximum(shape, least[:, None]), noise)
            for shape in shapes or [np.ones((count, 2))]
        ]
        return min(candidates, key=cls._mean_log_width)

    @classmethod
    def _of_shape(cls, errors: Array, groups: Sequence[Labels], shape: Array, noise: Array) -> Self:
        scores = np.abs(errors) / _on_side_of(errors, shape)
        usual = UsualRows.find(scores, groups)
        in_units = (scores / usual.units)[usual.mask]
        reach = ErrorDistribution.of(in_units, share=usual.share).quantile(FLOOR_LEVEL)

        units = np.maximum(usual.units[:, None] * shape, noise[:, None] / reach)
        scores = np.abs(errors) / _on_side_of(errors, units)
        return cls(units, ErrorDistribution.of(scores[usual.mask], share=usual.share))

    def _mean_log_width(self) -> float:
        return float(np.log(self.reach(100 * FLOOR_LEVEL).sum(axis=1)).mean())

    def reach(self, level: float) -> Array:
        """Return the reach of each row's interval below and above the forecast, `[rows, 2]`.

        Args:
            level: Level of the intervals, in per cent: about as many usual rows are inside.
        """
        return self.units * self.distribution.quantile(level / 100.0) * (1 + ROUNDING)

    def deviations(self, errors: Array) -> Array:
        """Return as how many standard deviations of normal errors each error is rare, `[rows]`.

        Args:
            errors: Values less their forecasts, `[rows]`.
        """
        return self.distribution.deviations(np.abs(errors) / _on_side_of(errors, self.units))


def _log_log(probability: Array | float) -> Array:
    """Return `ℓ(p)`, on whose scale the logarithm of a tail is a line."""
    return np.asarray(np.log(-np.log1p(-probability)))


def _on_side_of(errors: Array, values: Array) -> Array:
    """Return the value below the forecast, or that above it, on which side each error is."""
    return np.where(errors > 0, values[:, 1], values[:, 0])


def _noise(errors: Array, series: Labels, resolution: Array) -> Array:
    """Return the least reach of each row.

    It exceeds the resolution. In a series whose forecasts are mostly exact it exceeds most of the
    other errors, too.
    """
    is_error = errors > resolution / 2
    noise = np.zeros(series.max() + 1)
    order = np.argsort(series, kind="stable")
    names, starts = np.unique(series[order], return_index=True)
    for name, rows in zip(names, np.split(order, starts[1:]), strict=True):
        others = errors[rows][is_error[rows]]
        if LEAST_ERRORS <= len(others) <= len(rows) / 2:
            noise[name] = np.quantile(others, NOISE)
    return np.asarray(FLOOR * np.maximum(noise[series], resolution))


def _units(errors: Array, usual: Mask, groups: Sequence[Labels]) -> Array:
    """Return the unit of each row: the mean error, times a factor of each of its groups.

    Logarithms of the factors are shrunk towards zero by the variance that chance explains. So
    groups of a few rows, and groupings without effect, hardly change the unit.
    """
    units = np.full(len(errors), max(float(errors[usual].mean()), SMALLEST))
    for labels in groups:
        scores = np.maximum(errors[usual] / units[usual], SMALLEST)
        mean = scores.mean()
        size = labels.max() + 1
        counts = np.bincount(labels[usual], minlength=size)
        sums = np.bincount(labels[usual], weights=scores, minlength=size)
        factors = np.log(np.where(counts > 0, sums, 1.0) / np.maximum(counts, 1) / mean)

        # Variance by chance of the logarithm of one row; that of a group is divided by its rows.
        by_chance = float(scores.var() / mean**2)
        explained = by_chance * (counts > 0).sum()
        variance = max(0.0, float((counts * factors**2).sum() - explained) / counts.sum())
        if variance:
            share = variance * counts / (variance * counts + by_chance)
            units *= np.exp(share * factors)[labels]
    return np.asarray(np.maximum(units, SMALLEST))
