r"""Widths of intervals, learned from windows that share their times and series.

Calibration windows of a panel overlap and share their times, so thousands of them may show three
horizons only, and the next horizon differs by more than their number says. For scores `r` (errors
in units of the interval's own reach), quantiles `Q_b` of those of age `b` (in horizons, the newest
is 0) and of each step `Q_h`, and :math:`w_b \propto 2^{-b/3}`, the width is

.. math:: \log f_h = m' + \frac{\sigma^2}{2} (1 + 1/n) (z^2 - 1)
    + \frac{1}{2}(\log Q_h - \overline{\log Q}), \quad
    m = \sum_b w_b \log Q_b, \quad n = 1 / \sum_b w_b^2

`σ²` is the variance between ages. Its middle term lets normal errors whose deviation varies so from
time to time reach the level on average; `z` is the normal quantile of the bound. Intervals are
widened in full, `m' = m ≥ 0`, and narrowed as far as the ages show beyond their standard error, `m'
= min(0, m + σ/√n)`. Calibration windows may be of an easier time, such as one without a Christmas,
and too wide costs less than too narrow.

Series whose intervals are narrower than usual tend to need more, and those with wide ones less. So
widths are multiplied by a power of the own over the usual width, from -0.5 to 0. It is fitted over
series and shrunk by its standard error; series that fit has not seen follow it as well.

Source: shrinkage by the variance that chance explains, Morris, Parametric empirical Bayes
inference, JASA 78 (1983); weights for windows that are not exchangeable, Barber, Candès, Ramdas and
Tibshirani, Conformal prediction beyond exchangeability, Annals of Statistics 51 (2023). The
constants were chosen on held-back rows (`benchmarks/accuracy/panel_coverage.py --explore`).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.runtime import Array

Numbers = npt.NDArray[np.integer]

# An age counts half of one that is three horizons newer.
HALF_LIFE = 3.0
# Least deviation of the logarithm between times.
LEAST_SPREAD = 0.25
# How far the widths of steps follow their own scores.
OWN_STEP = 0.5
# Least width.
NARROWEST = 0.05
# Larger scores count as this one in the mean of a series.
MOST_SCORE = 10.0
# Largest magnitude of the power of the own width.
MOST_POWER = 0.5
# A slope over series and its standard error need one series more than a line does.
LEAST_SERIES = 3


@dataclass(frozen=True)
class WindowLabels:
    """Labels of windows, by which their errors are alike.

    Args:
        series: Number of the series of each window, `[N]`.
        age: Number of whole horizons by which each is older than the newest of its series, `[N]`.
    """

    series: Numbers
    age: Numbers


def width_power(scores: Array, relative: Array, series: Numbers) -> float:
    """Return the power of the relative own width by which widths are multiplied.

    It is 0 for fewer than three series.

    Args:
        scores: Errors in units of the own reach, `[N, H]`; NaN is missing.
        relative: The own width over the usual one, `[N, H]`.
        series: Number of the series of each window, `[N]`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> series = np.arange(30).repeat(20)
        >>> relative = np.exp(rng.normal(size=30))[series][:, None]
        >>> scores = np.abs(rng.normal(size=(600, 1))) * relative**-0.3
        >>> round(width_power(scores, relative, series), 1)
        -0.3
    """
    counts = np.bincount(series, weights=(~np.isnan(scores)).sum(axis=1))
    sums = np.bincount(series, weights=np.nansum(np.minimum(scores, MOST_SCORE), axis=1))
    own_sums = np.bincount(series, weights=np.log(relative).mean(axis=1))
    own = own_sums / np.maximum(np.bincount(series), 1)
    known = sums > 0
    if known.sum() < LEAST_SERIES:
        return 0.0

    x = own[known] - own[known].mean()
    y = np.log(sums[known] / counts[known])
    y = y - y.mean()
    square = float(x @ x)
    if not square:
        return 0.0

    slope = float(x @ y) / square
    variance = float(np.square(y - slope * x).sum()) / (len(x) - 2) / square
    share = max(0.0, 1.0 - variance / slope**2) if slope else 0.0
    return float(np.clip(share * slope, -MOST_POWER, 0.0))


def common_widths(scores: Array, level: float, age: Numbers) -> Array:
    """Return the width of each step, `[H]`, in units of the own reach.

    Args:
        scores: Errors in units of the own reach, `[N, H]`; NaN is missing. Each step has one at
            least.
        level: Level of the intervals, in per cent.
        age: Age of each window in horizons, `[N]`.

    Example:
        >>> scores = np.abs(np.random.default_rng(0).normal(size=(4000, 1)))
        >>> ages = np.arange(4000) % 20
        >>> common_widths(scores, 80, ages).round(1)
        array([1.3])
        >>> common_widths(0.5 * scores, 80, ages).round(1)
        array([0.7])
    """
    from scipy import special

    ages = [each for each in np.unique(age) if not np.isnan(scores[age == each]).all()]
    by_age = np.log([_quantile(scores[age == each], level) for each in ages])
    weights = 0.5 ** (np.array(ages) / HALF_LIFE)
    weights = weights / weights.sum()
    count = 1.0 / float(weights @ weights)
    mean = float(weights @ by_age)
    variance = LEAST_SPREAD**2
    if len(ages) > 1:
        between = float(weights @ np.square(by_age - mean)) * count / (count - 1.0)
        variance = max(variance, between)

    # Intervals are narrowed only as far as the ages show it beyond their standard error.
    if mean < 0:
        mean = min(0.0, mean + math.sqrt(variance / count))
    normal = float(special.ndtri(0.5 + level / 200.0))
    mean += variance / 2.0 * (1.0 + 1.0 / count) * (normal**2 - 1.0)

    steps = np.log([_quantile(step, level) for step in scores.T])
    return np.asarray(np.exp(mean + OWN_STEP * (steps - steps.mean())))


def _quantile(scores: Array, level: float) -> float:
    return max(NARROWEST, float(np.nanquantile(scores, level / 100.0)))
