"""Augmentations of synthetic series: mixtures, wandering, growth, caps, rounding, gaps."""

import numpy as np

from synthetic.patterns import Array, Draws, autoregressed, smoothed


def mixed(draws: Draws, values: Array, share: float) -> Array:
    """Replace some series by weighted sums of two or three standardised ones (TSMixup).

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of those that are replaced.

    Returns:
        The series.

    Source: TSMixup, Ansari et al. 2024, "Chronos", arXiv:2403.07815, section 4.1.
    """
    rng = draws.rng
    chosen = np.flatnonzero(draws.chance(share))
    others = rng.integers(0, draws.n, (len(chosen), 3))
    weights = np.zeros((0, 3))
    if len(chosen):
        weights = rng.dirichlet(np.full(3, 1.5), len(chosen))
    weights[rng.random(len(chosen)) < 0.5, 2] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)

    standard = _standardised(values)
    result = values.copy()
    result[chosen] = np.einsum("nk,nkt->nt", weights, standard[others])
    return result


def modulated(draws: Draws, values: Array, share: float) -> Array:
    """Let the swings of some series grow and fade slowly, by up to a factor of four.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    turns = np.arange(draws.length) / draws.length * draws.uniform(0.2, 3.0)
    waves = turns + draws.uniform(0.0, 1.0)
    envelope = np.exp(draws.uniform(0.1, 0.7) * np.sin(2 * np.pi * waves))
    middle = values.mean(axis=1, keepdims=True)
    return np.where(draws.chance(share), middle + (values - middle) * envelope, values)


def wandering(draws: Draws, values: Array, share: float) -> Array:
    r"""Add a level that wanders and returns, slowly or fast, to some series.

    .. math:: x_t = φ x_{t-1} + ε_t, \quad \log(1 - φ) \sim U(\log 0.002, \log 0.5)

    Its deviation is .1 to 2 times that of the series.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    level = _standardised(
        autoregressed(draws.normal(draws.length), 1.0 - draws.amounts(0.002, 0.5))
    )
    added = level * draws.amounts(0.1, 2.0) * np.maximum(values.std(axis=1, keepdims=True), 1e-9)
    return np.where(draws.chance(share), values + added, values)


def rising(draws: Draws, values: Array, share: float) -> Array:
    """Negate some of the series that end lower than they begin.

    Ends are the means of a quarter.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.

    Example:
        >>> values = np.array([[4.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 4.0]])
        >>> rising(Draws(np.random.default_rng(0), n=2, length=4), values, 1.0).tolist()
        [[-4.0, -2.0, -1.0, -0.0], [0.0, 1.0, 2.0, 4.0]]
    """
    quarter = max(1, values.shape[1] // 4)
    first = values[:, :quarter].mean(axis=1, keepdims=True)
    last = values[:, -quarter:].mean(axis=1, keepdims=True)
    falls = last < first
    return np.where(falls & draws.chance(share), -values, values)


def growing(draws: Draws, values: Array, share: float) -> Array:
    """Add a straight line to some series, which rises by .3 to 10 of their deviations.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    rise = draws.amounts(0.3, 10.0) * values.std(axis=1, keepdims=True)
    line = np.linspace(0.0, 1.0, values.shape[1]) * rise
    return np.where(draws.chance(share), values + line, values)


def with_longer_season(draws: Draws, values: Array, share: float) -> Array:
    """Add the longer season, where there is one, to some series.

    It is a year of weeks to days, and a week of days to hours. Its size is .1 to 1.5 of the
    deviation of a series. Half of them have steps, half a curve.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of those that are changed.

    Returns:
        The series.
    """
    inner = draws.season.length
    longest = draws.season.longer
    if longest is None:
        return values
    steps = np.repeat(draws.pattern(longest // inner), inner, axis=1)
    longer = draws.repeat(np.where(draws.chance(0.5), steps, smoothed(steps, inner)))
    added = longer * draws.amounts(0.1, 1.5) * np.maximum(values.std(axis=1, keepdims=True), 1e-9)
    return np.where(draws.chance(share), values + added, values)


def exponentiated(draws: Draws, values: Array, share: float) -> Array:
    """Replace some series by their exponentials, standardised and multiplied by .03 to .8.

    Their variation grows with their level, and they are positive.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    size = draws.amounts(0.03, 0.8)
    grown = np.exp(np.clip(_standardised(values) * size, -6.0, 6.0))
    return np.where(draws.chance(share), grown, values)


def censored(draws: Draws, values: Array, share: float) -> Array:
    """Clip some series above or below one of their quantiles, as full and empty shelves do.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    ranked = np.sort(values, axis=1)

    def quantile(low: float, high: float) -> Array:
        places = (draws.uniform(low, high) * values.shape[1]).astype(int)
        return np.take_along_axis(ranked, places, axis=1)

    level = quantile(0.6, 0.95)
    floor = quantile(0.05, 0.5)
    above = draws.chance(0.5)
    cut = np.where(above, np.minimum(values, level), np.maximum(values, floor))
    return np.where(draws.chance(share), cut, values)


def quantised(draws: Draws, values: Array, share: float) -> Array:
    """Round some series to multiples of a step, of which their range has 3 to 300.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    spread = np.ptp(values, axis=1, keepdims=True)
    step = np.maximum(spread, 1e-9) / draws.amounts(3.0, 300.0)
    return np.where(draws.chance(share), np.round(values / step) * step, values)


def with_noise(draws: Draws, values: Array, errors: Array) -> Array:
    """Add noise of .005 to .7 of each series' own deviation.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        errors: Noise of variance 1, `[N, L]`.
    """
    deviation = np.maximum(values.std(axis=1, keepdims=True), 1e-3)
    return np.asarray(values + errors * deviation * draws.amounts(0.005, 0.7))


def with_outliers(draws: Draws, values: Array, share: float) -> Array:
    """Move two in a hundred values of some series by several of their deviations.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    hit = (draws.random() < 0.02) & draws.chance(share)
    sizes = draws.normal(draws.length) * 6 * values.std(axis=1, keepdims=True)
    return np.asarray(values + hit * sizes)


def with_gaps(draws: Draws, values: Array, share: float) -> Array:
    """Leave out values of some series; NaN is missing.

    Two thirds miss single values and a stretch. The others miss the same steps of every 5 to 24, as
    shops do at night or on Sundays. At least half of each series stays.

    Args:
        draws: What changes are drawn from.
        values: Series, `[N, L]`.
        share: Fraction of the series that are changed.
    """
    single = draws.random() < draws.uniform(0.0, 0.25)
    first = draws.integers(0, draws.length)
    steps = draws.integers(0, max(2, draws.length // 4))
    places = np.arange(draws.length)
    stretch = (places >= first) & (places < first + steps) & draws.chance(0.5)
    period = draws.integers(5, 25)
    closed = (places + first) % period < np.maximum(1, np.floor(period * draws.uniform(0.0, 0.5)))
    missing = np.where(draws.chance(1 / 3), closed, single | stretch)
    return np.where(missing & draws.chance(share), np.nan, values)


def _standardised(values: Array) -> Array:
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9))
