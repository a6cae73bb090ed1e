"""The distribution of errors of usual rows, among rows that may be anomalies themselves.

Split-conformal calibration needs many rows without anomalies: the interval of level 99 is the
largest of 99 errors. Here the judged rows calibrate each other. Their errors are divided by a unit,
which depends on the step of the forecast, the series, and whether the row was trained on. A tail is
fitted through two quantiles of these errors, which few anomalies hardly move. Rows beyond it are
left out, and both are fitted again.

The tail is that of a Weibull distribution: with errors `e` of quantiles `Q(p)`, `log Q(p) = log
Q(p₂) + b · (ℓ(p) − ℓ(p₂))`, `ℓ(p) = log(−log(1 − p))`, `p₁ = 0.8` and `p₂ = 0.97`, where `b = (log
Q(p₂) − log Q(p₁)) / (ℓ(p₂) − ℓ(p₁))`, and at least that of normal errors. It is exact for Laplace
errors; where 99 % should be inside, it covers 99.2 % of normal errors, and 98.4 % of those of
Student's t with three degrees of freedom.

A series has noise of its own, which exact forecasts may hide: where most values are zero, so are
most errors. There the reach of level 99 is at least 1.25 times the 0.95 quantile of the other
errors, and of one piece.

Source: extrapolation of a tail of errors for a rare level, Siffer, Fouque, Termier and Largouet,
    Anomaly detection in
streams with extreme value theory, KDD 2017; sharpness subject to calibration, Gneiting, Balabdaoui
and Raftery 2007; shrinkage by the variance that chance explains, Morris, Parametric empirical Bayes
inference, JASA 78 (1983).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]

# Fewer rows say nothing about a tail.
LEAST_ROWS = 50

# Rows beyond this level are left out when units are learnt again, at any requested level.
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

ROUNDS = 20
SMALLEST = 1e-6
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Tail:
    """The distribution of absolute errors: some are zero, the largest follow a Weibull curve through two quantiles.

    Args:
        real: The errors above zero, without the fraction `1 − share` of largest ones.
        exact: Fraction of all errors that are zero.
        share: Fraction of all errors above zero that these are.
        through: Probabilities of the two quantiles; up to the larger one the quantiles of the
            errors count.

    Example:
        >>> laplace = np.random.default_rng(0).exponential(size=100_000)
        >>> tail = Tail.of(laplace)
        >>> round(tail.quantile(0.99), 1), round(float(-np.log(0.01)), 1)
        (4.6, 4.6)
        >>> tail.deviations(np.array([4.6])).round(1)  # as rare as 2.6 deviations of normal errors
        array([2.6])
    """

    real: Array
    exact: float
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
        real = errors[errors > SMALLEST]
        if not len(real):
            return cls(np.full(1, SMALLEST), 1.0 - SMALLEST, 1.0, through)
        exact = share * (1 - len(real) / len(errors))
        return cls(real, exact, (share - exact) / (1 - exact), through)

    @cached_property
    def _curve(self) -> tuple[float, float]:
        """The larger quantile, and the slope of the curve, at least that of normal errors."""
        from scipy import special

        inner, outer = np.quantile(self.real, np.minimum(1.0, np.array(self.through) / self.share))
        normal = special.ndtri(0.5 + np.array(self.through) / 2.0)
        rise = (
            np.log(max(outer / inner, normal[1] / normal[0]))
            / np.diff(_place(np.array(self.through)))[0]
        )
        return float(outer), float(rise)

    def quantile(self, probability: float) -> float:
        """Return a quantile.

        Args:
            probability: Its probability.
        """
        if probability <= self.exact:
            return SMALLEST
        probability = (probability - self.exact) / (1.0 - self.exact)
        if probability <= self.through[1]:
            return float(np.quantile(self.real, min(1.0, probability / self.share)))
        outer, rise = self._curve
        return float(outer * np.exp(rise * (_place(probability) - _place(self.through[1]))))

    def deviations(self, errors: Array) -> Array:
        """Return the number of standard deviations at which normal errors are as rare.

        Args:
            errors: The absolute errors.
        """
        from scipy import special

        outer, rise = self._curve
        place = _place(self.through[1]) + np.log(np.maximum(errors, SMALLEST) / outer) / rise
        beyond = np.log1p(-self.exact) - np.exp(place)
        return np.asarray(
            np.where(errors > SMALLEST, -special.ndtri_exp(beyond - np.log(2.0)), 0.0)
        )


@dataclass(frozen=True)
class UsualErrors:
    """The distribution of the errors of usual rows.

    Args:
        units: Unit of the errors of each row, below and above its forecast, `[rows, 2]`.
        tail: The distribution of errors in these units.

    Example:
        >>> errors = np.random.default_rng(0).normal(size=5000)
        >>> usual = UsualErrors.learn(errors, [np.zeros(5000, dtype=int)])
        >>> reach = usual.reach(99)
        >>> reach.shape, round(float(reach[0, 0]), 1), round(float(np.mean(np.abs(errors) > reach[:, 0])), 3)
        ((5000, 2), 2.6, 0.008)
        >>> usual.deviations(np.full(5000, 4.0))[:2].round()
        array([4., 4.])
    """

    units: Array
    tail: Tail

    @classmethod
    def learn(
        cls,
        errors: Array,
        groups: Sequence[Labels],
        *,
        shapes: Sequence[Array] = (),
        piece: Array | None = None,
    ) -> Self:
        """Learn it from the errors of rows.

        Args:
            errors: Values less their forecasts, `[rows]`.
            groups: Labels of each row, whole numbers from 0, `[rows]` each: its series, its step
                and so on. Errors may be larger in some groups than in others.
            shapes: What the reach below and above the forecast may be proportional to, `[rows, 2]`
                each, such as that of the network's own intervals; the one with the narrowest
                intervals is taken. Without any the reach is the same for all rows of a group.
            piece: The least difference between two values, `[rows]`.

        Raises:
            DataError: There are too few rows.
        """
        if len(errors) < LEAST_ROWS:
            expected = f"at least {LEAST_ROWS} rows to judge: those after the first context_length of a series"
            raise DataError(
                option="df", expected=expected, received=str(len(errors)), hint="Give more rows."
            )
        least = np.full(len(errors), SMALLEST) if piece is None else piece
        noise = _noise(np.abs(errors), groups[0], least)
        shapes = shapes or [np.ones((len(errors), 2))]
        learnt = [
            cls._shaped(errors, groups, np.maximum(shape, least[:, None]), noise)
            for shape in shapes
        ]
        return min(
            learnt, key=lambda each: float(np.log(each.reach(100 * FLOOR_LEVEL).sum(axis=1)).mean())
        )

    @classmethod
    def _shaped(cls, errors: Array, groups: Sequence[Labels], shape: Array, noise: Array) -> Self:
        side = (errors > 0).astype(np.int64)[:, None]
        own = np.take_along_axis(shape, side, axis=1)[:, 0]
        scores = np.abs(errors) / own
        factors, usual_rows, share = _factors(scores, groups)
        tail = Tail.of((scores / factors)[usual_rows], share=share)
        units = np.maximum(factors[:, None] * shape, noise[:, None] / tail.quantile(FLOOR_LEVEL))
        scores = np.abs(errors) / np.take_along_axis(units, side, axis=1)[:, 0]
        return cls(units, Tail.of(scores[usual_rows], share=share))

    def reach(self, level: float) -> Array:
        """Return the reach of each row's interval below and above the forecast, `[rows, 2]`.

        Args:
            level: Level of the intervals, in per cent: about as many usual rows are inside.
        """
        # Errors that are equal, as those of counts, must not be split by rounding.
        return self.units * self.tail.quantile(level / 100.0) * (1 + ROUNDING)

    def deviations(self, errors: Array) -> Array:
        """Return the size of errors: the number of standard deviations at which normal errors are as rare, `[rows]`.

        Args:
            errors: Values less their forecasts, `[rows]`.
        """
        return self.tail.deviations(
            np.abs(errors) / np.where(errors > 0, self.units[:, 1], self.units[:, 0])
        )


def _place(probability: Any) -> Any:
    """Return the place of a probability on the scale on which the tail is a line."""
    return np.log(-np.log1p(-probability))


def _noise(errors: Array, series: Labels, piece: Array) -> Array:
    """Return the least reach of each row: by a piece, and where most errors are less by what the others are."""
    real = errors > piece / 2
    order = np.argsort(series, kind="stable")
    names, starts = np.unique(series[order], return_index=True)
    noise = np.zeros(series.max() + 1)
    for name, rows in zip(names, np.split(order, starts[1:]), strict=True):
        own = errors[rows][real[rows]]
        if LEAST_ERRORS <= len(own) <= len(rows) / 2:
            noise[name] = np.quantile(own, NOISE)
    return FLOOR * np.maximum(noise[series], piece)


def _factors(errors: Array, groups: Sequence[Labels]) -> tuple[Array, npt.NDArray[np.bool_], float]:
    """Return the unit of each row's error, from absolute errors; which rows are usual, and their expected fraction."""
    usual_rows = np.ones(len(errors), dtype=bool)
    share = 1.0
    through = FIRST_TAIL
    for _ in range(ROUNDS):
        units = _units(errors, usual_rows, groups)
        scores = errors / units
        tail = Tail.of(scores[usual_rows], share=share, through=through)
        usual = scores <= tail.quantile(USUAL) * (1 + ROUNDING)
        if share < 1 and np.array_equal(usual, usual_rows):
            break
        usual_rows = usual
        share = USUAL
        through = TAIL
    return units, usual_rows, share


def _units(errors: Array, usual_rows: npt.NDArray[np.bool_], groups: Sequence[Labels]) -> Array:
    """Return the unit of each row: the mean error, times a factor of each of its groups.

    Logarithms of the factors are shrunk towards zero by the variance that chance explains. So
    groups of a few rows, and groupings without effect, hardly change the unit.
    """
    units = np.full(len(errors), max(float(errors[usual_rows].mean()), SMALLEST))
    for labels in groups:
        scores = np.maximum(errors[usual_rows] / units[usual_rows], SMALLEST)
        counts = np.bincount(labels[usual_rows], minlength=labels.max() + 1)
        sums = np.bincount(labels[usual_rows], weights=scores, minlength=labels.max() + 1)
        factors = np.log(np.where(counts > 0, sums, 1.0) / np.maximum(counts, 1) / scores.mean())
        by_chance = float(
            scores.var() / scores.mean() ** 2
        )  # variance of one row's; of a group's, divided by its rows
        variance = max(
            0.0, float((counts * factors**2).sum() - by_chance * (counts > 0).sum()) / counts.sum()
        )
        share = variance * counts / (variance * counts + by_chance) if variance else 0.0
        units *= np.exp(share * factors)[labels]
    return np.asarray(np.maximum(units, SMALLEST))
