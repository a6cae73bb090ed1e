"""Half-widths of intervals around forecasts of rows that may be anomalies themselves.

Split-conformal calibration needs many rows without anomalies: the interval of level 99 is the largest of 99 errors.
Here the judged rows calibrate each other. Their errors are divided by a unit, which depends on the step of the
forecast, the series, and whether the row was trained on. A tail is fitted through two quantiles of these errors, which
few anomalies hardly move. Rows beyond it are left out, and both are fitted again.

The tail is that of a Weibull distribution: with errors `e` of quantiles `Q(p)`,
`log Q(p) = log Q(p₂) + (log Q(p₂) − log Q(p₁)) · (ℓ(p) − ℓ(p₂)) / (ℓ(p₂) − ℓ(p₁))`, `ℓ(p) = log(−log(1 − p))`,
`p₁ = 0.8` and `p₂ = 0.97`. It is exact for Laplace errors; where 99 % should be inside, it covers 99.2 % of normal
errors, and 98.4 % of those of Student's t with three degrees of freedom.

Source: extrapolation of a tail of errors for a rare level, Siffer, Fouque, Termier and Largouet, Anomaly detection in
streams with extreme value theory, KDD 2017; sharpness subject to calibration, Gneiting, Balabdaoui and Raftery 2007;
shrinkage by the variance that chance explains, Morris, Parametric empirical Bayes inference, JASA 78 (1983).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError

Array = npt.NDArray[np.floating]

# Fewer rows say nothing about a tail.
LEAST_ROWS = 50

# Rows beyond this level are left out when units are learnt again, at any requested level.
USUAL = 0.997

# The quantiles that the tail is fitted through; lower ones in the first round, in which no anomaly is left out.
FIRST_TAIL, TAIL = (0.5, 0.8), (0.8, 0.97)

ROUNDS = 20
SMALLEST = 1e-6
ROUNDING = 1e-6


def usual_widths(
    errors: Array, *, level: float, groups: Sequence[npt.NDArray[np.integer]], spread: Array | None = None
) -> Array:
    """Return the reach of each row's interval, such that about `level` per cent of usual rows are inside.

    Args:
        errors: Values less their forecasts, in scaled units, `[rows]`.
        level: Level of the intervals, in per cent.
        groups: Labels of each row, whole numbers from 0, `[rows]` each: its step, its series and so on. Errors may be
            larger in some groups than in others.
        spread: Reach of the network's own intervals below and above the forecast, `[rows, 2]`; their shape is taken if
            it makes the intervals of the level narrower on average.

    Returns:
        The reach below and above the forecast, `[rows, 2]`.

    Raises:
        DataError: There are too few rows.

    Example:
        >>> errors = np.random.default_rng(0).normal(size=5000)
        >>> widths = usual_widths(errors, level=99, groups=[np.zeros(5000, dtype=int)])
        >>> widths.shape, round(float(widths[0, 0]), 1), round(float(np.mean(np.abs(errors) > widths[:, 0])), 3)
        ((5000, 2), 2.6, 0.008)
    """
    if len(errors) < LEAST_ROWS:
        expected = f"at least {LEAST_ROWS} rows to judge: those after the first context_length of a series"
        raise DataError(option="df", expected=expected, received=str(len(errors)), hint="Give more rows.")
    side = (errors > 0).astype(np.int64)
    candidates = []
    for shape in (np.ones((len(errors), 2)), spread):
        if shape is not None:
            shape = np.maximum(shape, SMALLEST)
            own = np.take_along_axis(shape, side[:, None], axis=1)[:, 0]
            candidates.append(_factors(np.abs(errors) / own, level / 100, groups)[:, None] * shape)
    return min(candidates, key=lambda widths: float(np.log(widths.sum(axis=1)).mean()))


def tail_quantile(
    errors: Array, probability: float, *, share: float = 1.0, through: tuple[float, float] = TAIL
) -> float:
    """Return a quantile of absolute errors, in the tail that of a curve through two quantiles.

    Args:
        errors: The errors, without the fraction `1 − share` of largest ones.
        probability: The probability.
        share: Fraction of all errors that these are.
        through: Probabilities of the two quantiles; up to the larger one the quantiles of the errors count.

    Example:
        >>> laplace = np.random.default_rng(0).exponential(size=100_000)
        >>> round(tail_quantile(laplace, 0.99), 1), round(float(-np.log(0.01)), 1)
        (4.6, 4.6)
    """
    # Forecasts of counts are often right: the tail is that of errors above zero.
    real = errors[errors > SMALLEST]
    exact = share * (1 - len(real) / len(errors))
    if probability <= exact or not len(real):
        return SMALLEST
    probability, share = (probability - exact) / (1 - exact), (share - exact) / (1 - exact)
    if probability <= through[1]:
        return float(np.quantile(real, min(1.0, probability / share)))
    inner, outer = (float(np.quantile(real, min(1.0, each / share))) for each in through)
    lower, upper, place = (np.log(-np.log1p(-each)) for each in (*through, probability))
    return float(outer * (outer / inner) ** ((place - upper) / (upper - lower)))


def _factors(errors: Array, probability: float, groups: Sequence[npt.NDArray[np.integer]]) -> Array:
    """Return the multiple of its shape that each row's interval is, from absolute errors in units of the shape."""
    usual_rows, share, through = np.ones(len(errors), dtype=bool), 1.0, FIRST_TAIL
    for _ in range(ROUNDS):
        units = _units(errors, usual_rows, groups)
        scores = errors / units
        usual = scores <= tail_quantile(scores[usual_rows], USUAL, share=share, through=through) * (1 + ROUNDING)
        if share < 1 and np.array_equal(usual, usual_rows):
            break
        usual_rows, share, through = usual, USUAL, TAIL
    # Errors that are equal, as those of counts, must not be split by rounding.
    reach = units * tail_quantile(scores[usual_rows], probability, share=share) * (1 + ROUNDING)
    return np.asarray(np.maximum(reach, SMALLEST))


def _units(errors: Array, usual_rows: npt.NDArray[np.bool_], groups: Sequence[npt.NDArray[np.integer]]) -> Array:
    """Return the unit of each row: the mean error, times a factor of each of its groups.

    Logarithms of the factors are shrunk towards zero by the variance that chance explains. So groups of a few rows, and
    groupings without effect, hardly change the unit.
    """
    units = np.full(len(errors), max(float(errors[usual_rows].mean()), SMALLEST))
    for labels in groups:
        scores = np.maximum(errors[usual_rows] / units[usual_rows], SMALLEST)
        counts = np.bincount(labels[usual_rows], minlength=labels.max() + 1)
        sums = np.bincount(labels[usual_rows], weights=scores, minlength=labels.max() + 1)
        factors = np.log(np.where(counts > 0, sums, 1.0) / np.maximum(counts, 1) / scores.mean())
        by_chance = float(scores.var() / scores.mean() ** 2)  # variance of one row's; of a group's, divided by its rows
        variance = max(0.0, float((counts * factors**2).sum() - by_chance * (counts > 0).sum()) / counts.sum())
        share = variance * counts / (variance * counts + by_chance) if variance else 0.0
        units *= np.exp(share * factors)[labels]
    return np.asarray(np.maximum(units, SMALLEST))
