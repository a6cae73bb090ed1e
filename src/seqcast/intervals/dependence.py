"""Gaussian copulas of sample paths: how steps and series depend on each other.

A copula says nothing about single steps: each has the quantiles of its forecast. It is learned from
normal scores of past truths, the normal quantiles of the probabilities at which forecasts saw them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import special

from seqcast.runtime import Array

# A quantile and a truth within this fraction of each other are equal: networks compute in single
# precision.
ROUNDING = 1e-6
# Intervals of this level are made to hold sums of past truths.
LEARNED_LEVEL = 0.8
# Both numbers of a dependence are searched on this grid.
CORRELATIONS = np.round(np.linspace(0.0, 0.99, 100), 2)
# The multiples among which sums choose.
MULTIPLES = np.linspace(0.0, 1.5, 4)
# A prior weighs as much as this number of windows, and as this number of cutoffs.
PRIOR_WINDOWS = 3.0
PRIOR_CUTOFFS = 3.0
# The correlation over series without any.
USUAL_ACROSS = 0.05


@dataclass(frozen=True)
class Dependence:
    r"""The dependence of the steps of a path: one score is common to all, another one persists.

    .. math:: \operatorname{corr}(z_s, z_t) = c + (1 - c)\, φ^{|s - t|}

    Args:
        shared: Fraction `c` of the variance that all steps have in common, as where the level of a
            forecast is wrong.
        persistence: Correlation `φ` of the rest with that of the step before, below 1.

    Example:
        >>> drawn = Dependence(shared=0.9).scores(np.random.default_rng(0), (1000, 2))
        >>> float(np.corrcoef(drawn.T)[0, 1].round(1)), float(drawn.std().round(1))
        (0.9, 1.0)

    Raises:
        ValueError: One of them is below 0 or not below 1.
    """

    shared: float = 0.0
    persistence: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.shared < 1.0 and 0.0 <= self.persistence < 1.0):
            raise ValueError(f"{self}, with numbers of at least 0 and below 1")

    def multiplied(self, by: float) -> Dependence:
        """Return a stronger or weaker dependence.

        The common fraction and the length of the memory, `-1 / log φ`, are multiplied.

        Args:
            by: The factor, at least 0.

        Example:
            >>> Dependence(0.2, 0.5).multiplied(0.5)
            Dependence(shared=0.1, persistence=0.25)
        """
        persistence = self.persistence ** (1.0 / by) if by else 0.0
        return Dependence(min(by * self.shared, float(CORRELATIONS[-1])), persistence)

    def scores(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw normal scores; those of one step have mean 0 and variance 1.

        Args:
            rng: The generator.
            shape: Their shape, `[paths, H, ...]`.
        """
        scores = rng.standard_normal(shape)
        innovation = math.sqrt(1.0 - self.persistence**2)
        for step in range(1, shape[1]):
            before = scores[:, step - 1]
            scores[:, step] = self.persistence * before + innovation * scores[:, step]
        common = rng.standard_normal((shape[0], 1, *shape[2:]))
        return np.asarray(math.sqrt(self.shared) * common + math.sqrt(1.0 - self.shared) * scores)


@dataclass(frozen=True)
class Copula:
    r"""The dependence of sample paths over steps, and over series that begin at the same cutoff.

    .. math:: \operatorname{corr}(z_{i,s}, z_{j,t}) = a\, \operatorname{corr}(z_{i,s}, z_{i,t}),
        \quad i ≠ j

    Args:
        steps: The dependence of the steps of a path.
        across: Correlation `a` of two series at the same step, at least 0 and below 1.

    Raises:
        ValueError: The correlation is another number.
    """

    steps: Dependence = Dependence()
    across: float = USUAL_ACROSS

    def __post_init__(self) -> None:
        if not 0.0 <= self.across < 1.0:
            raise ValueError(
                f"a correlation of {self.across} over series, which is at least 0 and below 1"
            )

    def ranks(self, own: Array, common: Array) -> Array:
        """Return the ranks of the paths of a series, uniform between 0 and 1 at each step.

        Args:
            own: Scores of the series alone, drawn by `steps`.
            common: Scores that all series of the cutoff have in common, drawn likewise.
        """
        return np.asarray(
            special.ndtr(math.sqrt(self.across) * common + math.sqrt(1.0 - self.across) * own)
        )

    @classmethod
    def learn(
        cls,
        scores: Array,
        times: Array,
        prior: Dependence,
        overlap: float = 1.0,
        held: Callable[[Dependence], float] | None = None,
    ) -> Self:
        """Learn from normal scores of past truths.

        The fewer windows there are, the more the prior counts. Windows of one time resemble each
        other. So `n` of them, `k` a time, count as `n / (1 + (k - 1) ρ)`, where `ρ` is the
        correlation of their mean scores. Scores of a sum know neither how far the quantiles of its
        steps lie apart nor that they are skewed. So the dependence is multiplied, as far as windows
        show it, until intervals hold as many past sums as they
        should.

        Args:
            scores: The scores of each window, `[B, H]`; NaN is missing.
            times: The number of the time of each window's cutoff, `[B]`.
            prior: The dependence of steps without any window.
            overlap: Number of windows that share a step of a series, on average.
            held: Returns the share of past sums that intervals of 80 % hold whose paths have a
                dependence; without it scores alone count.

        Example:
            >>> drawn = Dependence(0.4, 0.5).scores(np.random.default_rng(0), (4_000, 16))
            >>> learned = Copula.learn(drawn, np.arange(4_000), Dependence())
            >>> round(learned.steps.shared, 1), round(learned.steps.persistence, 1)
            (0.4, 0.5)
            >>> round(learned.across, 1)
            0.0
        """
        own = likeliest(scores)
        if own is None:
            return cls(prior)

        count = len(np.unique(times))
        levels = np.nan_to_num(scores).mean(axis=1, keepdims=True)
        alike = 1.0 + (len(scores) / count - 1.0) * correlation_across(levels, times)
        windows = len(scores) / overlap / alike
        weight = windows / (windows + PRIOR_WINDOWS)
        steps = Dependence(
            weight * own.shared + (1.0 - weight) * prior.shared,
            weight * own.persistence + (1.0 - weight) * prior.persistence,
        )
        if held is not None:
            shares = np.maximum.accumulate([held(steps.multiplied(each)) for each in MULTIPLES])
            multiple = float(np.interp(LEARNED_LEVEL, shares, MULTIPLES))
            steps = steps.multiplied(weight * multiple + 1.0 - weight)

        cutoffs = count / overlap
        across = correlation_across(scores, times) * cutoffs + USUAL_ACROSS * PRIOR_CUTOFFS
        return cls(steps, across / (cutoffs + PRIOR_CUTOFFS))


def normal_scores(
    truth: Array, quantiles: Array, probabilities: Array, rng: np.random.Generator
) -> Array:
    """Return truths as normal scores of their forecasts, `[...]`.

    Truths beyond the outermost quantiles have the scores of these. Where several quantiles equal
    the truth, one of their scores is drawn.

    Args:
        truth: The truth, `[...]`; NaN is missing.
        quantiles: The forecast, `[..., Q]`, rising.
        probabilities: The probability of each quantile, `[Q]`.
        rng: The generator.

    Example:
        >>> truth = np.array([1.0, 2.0])
        >>> quantiles = np.array([[0.0, 1.0, 2.0]] * 2)
        >>> rng = np.random.default_rng(0)
        >>> normal_scores(truth, quantiles, np.array([0.1, 0.5, 0.9]), rng).round(2)
        array([0.  , 1.28])

    Source: Smith 1985, Diagnostic checks of non-standard time series models, Journal of Forecasting
    4(3), for the scores; Brockwell 2007, Universal residuals, Statistics and Probability Letters
    77(14), for ties.
    """
    # In units of the largest quantile, a power of two: slopes between numbers near the least one
    # would be infinite.
    _, exponent = np.frexp(np.abs(quantiles).max(axis=-1, initial=0.0))
    quantiles = np.ldexp(quantiles, -exponent[..., None])
    with np.errstate(over="ignore"):  # far beyond all quantiles
        truth = np.ldexp(truth, -exponent)

    near = ROUNDING * np.abs(quantiles).max(axis=-1, initial=0.0)
    low = _probabilities_of(truth - near, quantiles, probabilities)
    high = _probabilities_of(truth + near, quantiles, probabilities)
    return np.asarray(special.ndtri(low + rng.random(truth.shape) * (high - low)))


def _probabilities_of(values: Array, quantiles: Array, probabilities: Array) -> Array:
    """Return the probability at which each forecast sees its value, `[...]`."""
    forecasts = quantiles.reshape(-1, len(probabilities))
    pairs = zip(values.ravel(), forecasts, strict=True)
    seen = [np.interp(value, forecast, probabilities) for value, forecast in pairs]
    return np.reshape(seen, values.shape)


def likeliest(scores: Array) -> Dependence | None:
    r"""Return the dependence under which sums of 2, 4, 8, … consecutive scores are likeliest.

    .. math:: \min_{c, φ} \sum_n \frac{v_n}{V_n(c, φ)} + \log V_n(c, φ)

    `V` is the variance of a sum of `n` steps; `v` is that of normal sums of which 80 % lie as near
    to zero as of these. So intervals of 80 % hold the sums of these windows, also where those of
    single steps are too narrow, and a few wild windows count little. All lengths count alike.

    Args:
        scores: Normal scores, `[B, H]`; NaN is missing, and so are sums over it.

    Returns:
        The dependence; `None` where no two steps are known.
    """
    horizon = scores.shape[1]
    lengths = {2**power for power in range(1, horizon.bit_length())} | {horizon}
    loss = np.zeros((len(CORRELATIONS), len(CORRELATIONS)))
    known = False
    for steps in sorted(lengths - {1}):
        blocks = horizon // steps
        sums = scores[:, : blocks * steps].reshape(len(scores), blocks, steps).sum(axis=2)
        if not np.isnan(sums).all():
            known = True
            variance = variance_of_sum(CORRELATIONS[:, None], CORRELATIONS, steps)
            loss += _usual_variance(sums[~np.isnan(sums)]) / variance + np.log(variance)

    shared, persistence = CORRELATIONS[list(np.unravel_index(np.argmin(loss), loss.shape))].tolist()
    return Dependence(shared, persistence) if known else None


def variance_of_sum(shared: Array, persistence: Array, steps: int) -> Array:
    """Return the variance of the sum of the scores of some consecutive steps.

    Args:
        shared: Fractions of the variance that all steps have in common.
        persistence: Correlations of the rest with that of the step before.
        steps: Number of steps.

    Example:
        >>> variance_of_sum(np.array([0.0, 0.5]), np.array([0.0, 0.0]), 2)
        array([2., 3.])
    """
    lags = np.arange(1, steps)
    rest = steps + 2.0 * ((steps - lags) * np.asarray(persistence)[..., None] ** lags).sum(axis=-1)
    return np.asarray(shared * steps**2 + (1.0 - shared) * rest)


def _usual_variance(sums: Array) -> float:
    """Return the variance of normal sums of which 80 % lie as near to zero as of these."""
    reach = np.quantile(np.abs(sums), LEARNED_LEVEL)
    return float((reach / special.ndtri(0.5 + LEARNED_LEVEL / 2)) ** 2)


def correlation_across(scores: Array, times: Array) -> float:
    """Return the mean correlation at a step of two windows of the same time, at least 0.

    Args:
        scores: Normal scores, `[B, H]`; NaN is missing.
        times: The number of the time of each window's cutoff, `[B]`.

    Example:
        >>> common = np.random.default_rng(0).normal(size=(500, 2)).repeat(3, axis=0)
        >>> correlation_across(common, np.arange(500).repeat(3))
        0.99
    """
    groups, owner = np.unique(times, return_inverse=True)
    known = ~np.isnan(scores)
    filled = np.nan_to_num(scores)

    def by_time(values: Array) -> Array:
        total = np.zeros((len(groups), scores.shape[1]))
        np.add.at(total, owner, values)
        return total

    sums = by_time(filled)
    squares = by_time(filled**2)
    counts = by_time(known)
    pairs = float((counts * (counts - 1)).sum())
    variance = float(squares.sum()) / max(1.0, float(counts.sum()))
    if not pairs or not variance:
        return 0.0
    return float(np.clip((sums**2 - squares).sum() / pairs / variance, 0.0, 0.99).round(3))
