"""Augmentations of synthetic series: mixtures, reversal, wandering, growth, caps, rounding, gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.patterns import Season, amounts, autoregressed, chance, pattern, repeat, smoothed

Array = npt.NDArray[np.float64]
Generator = np.random.Generator


def mixed(rng: Generator, values: Array, share: float) -> Array:
    """Replace some series by weighted sums of two or three standardised ones (TSMixup).

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of those that are replaced.

    Returns:
        The series.

    Source: TSMixup, Ansari et al. 2024, "Chronos", arXiv:2403.07815, section 4.1.
    """
    n = len(values)
    chosen = np.flatnonzero(chance(rng, n, share))
    others = rng.integers(0, n, (len(chosen), 3))
    weights = rng.dirichlet(np.full(3, 1.5), len(chosen)) if len(chosen) else np.zeros((0, 3))
    weights[rng.random(len(chosen)) < 0.5, 2] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    standard = _standardised(values)
    result = values.copy()
    result[chosen] = np.einsum("nk,nkt->nt", weights, standard[others])
    return result


def reversed_in_time(rng: Generator, values: Array, share: float) -> Array:
    """Reverse some series, so that their last step is the first.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.

    Example:
        >>> reversed_in_time(np.random.default_rng(0), np.arange(3.0)[None], 1.0).tolist()
        [[2.0, 1.0, 0.0]]
    """
    return np.where(chance(rng, len(values), share)[:, None], values[:, ::-1], values)


def negated(rng: Generator, values: Array, share: float) -> Array:
    """Negate some series, so that falls are as frequent as rises.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.

    Example:
        >>> negated(np.random.default_rng(0), np.arange(3.0)[None], 1.0).tolist()
        [[-0.0, -1.0, -2.0]]
    """
    return np.where(chance(rng, len(values), share)[:, None], -values, values)


def modulated(rng: Generator, values: Array, share: float) -> Array:
    """Let the swings of some series grow and fade slowly, by up to a factor of four.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    n, length = values.shape
    waves = np.arange(length) / length * rng.uniform(0.2, 3.0, (n, 1)) + rng.random((n, 1))
    envelope = np.exp(rng.uniform(0.1, 0.7, (n, 1)) * np.sin(2 * np.pi * waves))
    middle = values.mean(axis=1, keepdims=True)
    return np.where(chance(rng, n, share)[:, None], middle + (values - middle) * envelope, values)


def wandering(rng: Generator, values: Array, share: float) -> Array:
    r"""Add a level that wanders and returns, slowly or fast, to some series.

    .. math:: x_t = φ x_{t-1} + ε_t, \quad \log(1 - φ) \sim U(\log 0.002, \log 0.5)

    Its deviation is .1 to 2 times that of the series.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    n, length = values.shape
    level = _standardised(autoregressed(rng.normal(size=(n, length)), 1.0 - amounts(rng, n, 0.002, 0.5)[:, 0]))
    added = level * amounts(rng, n, 0.1, 2.0) * np.maximum(values.std(axis=1, keepdims=True), 1e-9)
    return np.where(chance(rng, n, share)[:, None], values + added, values)


def rising(rng: Generator, values: Array, share: float) -> Array:
    """Negate some of the series that end lower than they begin.

    Ends are the means of a quarter.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.

    Example:
        >>> rising(np.random.default_rng(0), np.array([[4.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 4.0]]), 1.0).tolist()
        [[-4.0, -2.0, -1.0, -0.0], [0.0, 1.0, 2.0, 4.0]]
    """
    quarter = max(1, values.shape[1] // 4)
    falls = values[:, -quarter:].mean(axis=1) < values[:, :quarter].mean(axis=1)
    turned = falls & chance(rng, len(values), share)
    return np.where(turned[:, None], -values, values)


def growing(rng: Generator, values: Array, share: float) -> Array:
    """Add a straight line to some series, which rises by .3 to 10 of their deviations.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    rise = amounts(rng, len(values), 0.3, 10.0) * values.std(axis=1, keepdims=True)
    line = np.linspace(0.0, 1.0, values.shape[1]) * rise
    return np.where(chance(rng, len(values), share)[:, None], values + line, values)


def with_longer_season(rng: Generator, values: Array, season: Season, share: float) -> Array:
    """Add the longer season, where there is one, to some series: a year of weeks to days, a week of days to hours.

    Its size is .1 to 1.5 of the deviation of a series. Half of them have steps, half a curve.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        season: Their season.
        share: Fraction of those that are changed.

    Returns:
        The series.
    """
    if season.longer is None:
        return values
    (n, length), inner = values.shape, season.length
    steps = np.repeat(pattern(rng, n, season.longer // inner), inner, axis=1)
    longer = repeat(rng, np.where(chance(rng, n, 0.5)[:, None], steps, smoothed(steps, inner)), length)
    added = longer * amounts(rng, n, 0.1, 1.5) * np.maximum(values.std(axis=1, keepdims=True), 1e-9)
    return np.where(chance(rng, n, share)[:, None], values + added, values)


def exponentiated(rng: Generator, values: Array, share: float) -> Array:
    """Replace some series by their exponentials, standardised and multiplied by .03 to .8.

    Their variation grows with their level, and they are positive.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    size = amounts(rng, len(values), 0.03, 0.8)
    grown = np.exp(np.clip(_standardised(values) * size, -6.0, 6.0))
    return np.where(chance(rng, len(values), share)[:, None], grown, values)


def censored(rng: Generator, values: Array, share: float) -> Array:
    """Clip some series above or below one of their own quantiles, as full shelves and empty ones do.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    ranked = np.sort(values, axis=1)

    def quantile(low: float, high: float) -> Array:
        places = (rng.uniform(low, high, (len(values), 1)) * values.shape[1]).astype(int)
        return np.take_along_axis(ranked, places, axis=1)

    level, floor = quantile(0.6, 0.95), quantile(0.05, 0.5)
    above = chance(rng, len(values), 0.5)[:, None]
    cut = np.where(above, np.minimum(values, level), np.maximum(values, floor))
    return np.where(chance(rng, len(values), share)[:, None], cut, values)


def quantised(rng: Generator, values: Array, share: float) -> Array:
    """Round some series to multiples of a step, of which their range has 3 to 300.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    spread = np.ptp(values, axis=1, keepdims=True)
    step = np.maximum(spread, 1e-9) / amounts(rng, len(values), 3.0, 300.0)
    return np.where(chance(rng, len(values), share)[:, None], np.round(values / step) * step, values)


def with_noise(rng: Generator, values: Array, errors: Array) -> Array:
    """Add noise of .005 to .7 of each series' own deviation.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        errors: Noise of variance 1, `[N, L]`.
    """
    deviation = np.maximum(values.std(axis=1, keepdims=True), 1e-3)
    return np.asarray(values + errors * deviation * amounts(rng, len(values), 0.005, 0.7))


def with_outliers(rng: Generator, values: Array, share: float) -> Array:
    """Move two in a hundred values of some series by several of their deviations.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    hit = (rng.random(values.shape) < 0.02) & chance(rng, len(values), share)[:, None]
    sizes = rng.normal(size=values.shape) * 6 * values.std(axis=1, keepdims=True)
    return np.asarray(values + hit * sizes)


def with_gaps(rng: Generator, values: Array, share: float) -> Array:
    """Leave out values of some series; NaN is missing.

    Two thirds miss single values and a stretch. The others miss the same steps of every 5 to 24, as shops do at night
    or on Sundays. At least half of each series stays.

    Args:
        rng: The generator.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    n, length = values.shape
    single = rng.random((n, length)) < rng.uniform(0.0, 0.25, (n, 1))
    first, steps = rng.integers(0, length, (n, 1)), rng.integers(0, max(2, length // 4), (n, 1))
    places = np.arange(length)
    stretch = (places >= first) & (places < first + steps) & chance(rng, n, 0.5)[:, None]
    period = rng.integers(5, 25, (n, 1))
    closed = (places + first) % period < np.maximum(1, np.floor(period * rng.uniform(0.0, 0.5, (n, 1))))
    missing = np.where(chance(rng, n, 1 / 3)[:, None], closed, single | stretch)
    return np.where(missing & chance(rng, n, share)[:, None], np.nan, values)


def _standardised(values: Array) -> Array:
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9))
