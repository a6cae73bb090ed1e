"""Families with a state that shocks change: exponential smoothing, ARIMA, walks, changing noise, counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.draws import Season, amounts, chance, half_with_season, noise, of_half, pattern, repeat

Array = npt.NDArray[np.float64]
Generator = np.random.Generator

# Relative errors beyond this would turn the sign of a multiplicative series.
LARGEST_RELATIVE = 0.6
# Seasons of years, quarters and months, whose levels do not return.
SLOW = (1, 4, 12)
# Steps that are left out before a stationary series.
BURN_IN = 100


def exponential_smoothing(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw from state space models of exponential smoothing, ETS(A|M, N|A|Ad|M|Md, N|A|M).

    With additive errors, level `l`, trend `b` and season `s` go on from the error `ε`,

    .. math:: y_t = l + φ b + s + ε, \quad l' = l + φ b + α ε, \quad b' = φ b + β ε, \quad s' = s + γ ε,

    and with multiplicative ones sums become products: `y = l b^φ s (1 + ε)`, `l' = l b^φ (1 + α ε)` and so on. Gains
    are zero, small or near one, as fitted ones of real series are; half of the trends are damped, `φ < 1`. Series
    without a season have steeper trends: yearly values are among them.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with Exponential Smoothing", chapter 2.
    """
    multiplicative = chance(rng, n, 0.4)
    deviation = np.where(multiplicative, amounts(rng, n, 0.003, 0.25)[:, 0], amounts(rng, n, 0.02, 2.5)[:, 0])
    errors = noise(rng, n, length) * deviation[:, None]
    relative_errors = np.clip(errors, -LARGEST_RELATIVE, LARGEST_RELATIVE) * multiplicative[:, None]
    kind = rng.random(n)
    alpha = np.where(kind < 0.25, 0.0, np.where(kind < 0.7, rng.beta(1, 2, n), 1 - 0.5 * rng.beta(1, 12, n)))
    beta = np.where(chance(rng, n, 0.5), 0.0, alpha * rng.beta(1, 8, n))
    gamma = np.where(chance(rng, n, 0.6), 0.0, (1 - alpha) * rng.beta(1, 6, n))
    damping = np.where(chance(rng, n, 0.5), 1.0, rng.uniform(0.8, 1.0, n))
    steepness = amounts(rng, n, 0.003, 0.5) if season.length > 1 else amounts(rng, n, 0.01, 2.0)
    slope = rng.normal(size=n) * steepness[:, 0] * chance(rng, n, 0.8)
    patterns = pattern(rng, n, season.length) * (amounts(rng, n, 0.1, 6.0) * chance(rng, n, 0.9)[:, None])
    # Of products everything is the logarithm of a factor, a tenth as large.
    relative = np.where(multiplicative, 0.1, 1.0)
    additive = ~multiplicative
    level = np.where(multiplicative, rng.normal(size=n), 3 * rng.normal(size=n))
    trend = slope * np.where(multiplicative, 0.05, 1.0)
    seasonal = patterns * relative[:, None]
    place = rng.integers(0, season.length)
    values = np.empty((n, length))
    for step in range(length):
        at = (step + place) % season.length
        error, factor = errors[:, step], relative_errors[:, step]
        ahead = level + damping * trend
        values[:, step] = ahead + seasonal[:, at] + np.where(additive, error, np.log1p(factor))
        level = ahead + np.where(additive, alpha * error, np.log1p(alpha * factor))
        trend = damping * trend + np.where(additive, beta * error, np.log1p(beta * factor))
        if season.length > 1:
            seasonal[:, at] += np.where(additive, gamma * error, np.log1p(gamma * factor))
    return np.where(multiplicative[:, None], np.exp(np.clip(values, -12, 12)), values)


def autoregression(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw autoregressions of order 1 or 2 around a season.

    .. math:: x_t = φ_1 x_{t-1} + φ_2 x_{t-2} + ε_t

    The roots of the polynomial are drawn within the unit circle, real or a pair that turns, so the series are
    stationary; pseudo-cycles, such as those of sunspots, are among them.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Yule 1927, "On a Method of Investigating Periodicities in Disturbed Series".
    """
    turning = chance(rng, n, 0.4)
    radius, angle = rng.uniform(0.6, 0.99, n), 2 * np.pi / np.exp(rng.uniform(np.log(4), np.log(60), n))
    first, second = rng.uniform(-0.3, 0.99, n), np.where(chance(rng, n, 0.5), 0.0, rng.uniform(-0.5, 0.8, n))
    one = np.where(turning, 2 * radius * np.cos(angle), first + second)
    two = np.where(turning, -(radius**2), -first * second)
    values = of_unit_deviation(autoregressed(noise(rng, n, BURN_IN + length), one, two)[:, BURN_IN:])
    return values + half_with_season(rng, n, length, season)


def arima(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw from ARIMA(1, 1, 1) models with drift, most with a season, half with noise on top.

    .. math:: x_t = ρ x_{t-1} + μ + d_t, \qquad d_t = φ d_{t-1} + ε_t + θ ε_{t-1}

    Most have a positive `φ`: what rises goes on rising for a while. Of years, quarters and months, `ρ` is 1; of others,
    such as days and hours, it is less for six series of ten, which return to a level and have no drift.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Box and Jenkins 1970, "Time Series Analysis: Forecasting and Control", chapter 4.
    """
    persistence = np.where(chance(rng, n, 0.6), rng.uniform(0.0, 0.95, n), rng.uniform(-0.5, 0.5, n))
    average = np.where(chance(rng, n, 0.3), rng.uniform(-0.8, 0.4, n), 0.0)
    errors = noise(rng, n, BURN_IN + length)
    errors[:, 1:] += average[:, None] * errors[:, :-1]
    changes = of_unit_deviation(autoregressed(errors, persistence)[:, BURN_IN:])
    returns = chance(rng, n, 0.0 if season.length in SLOW else 0.6)[:, None]
    changes += rng.normal(size=(n, 1)) * amounts(rng, n, 0.03, 2.0) * (chance(rng, n, 0.7)[:, None] & ~returns)
    kept = 1.0 - returns * amounts(rng, n, 0.005, 0.3)
    values = autoregressed(changes, kept[:, 0])
    seasonal = repeat(rng, pattern(rng, n, season.length), length)
    seasonal *= amounts(rng, n, 0.3, 10.0) * chance(rng, n, 0.7)[:, None]
    observed = noise(rng, n, length) * amounts(rng, n, 0.05, 1.5) * chance(rng, n, 0.5)[:, None]
    return values + seasonal + observed


def random_walk(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw walks, some with drift, whose steps have a changing variance.

    .. math:: x_t = x_{t-1} + μ + σ_t ε_t, \quad \log σ_t = \log σ_{t-1} + κ η_t

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season, which a walk has none of.

    Returns:
        The series, `[n, length]`.

    Source: stochastic volatility as in Taylor 1986, "Modelling Financial Time Series".
    """
    del season
    wander = np.cumsum(rng.normal(size=(n, length)), axis=1) * (
        amounts(rng, n, 0.005, 0.15) * chance(rng, n, 0.6)[:, None]
    )
    drift = rng.normal(size=(n, 1)) * amounts(rng, n, 0.03, 1.0) * chance(rng, n, 0.5)[:, None]
    start = rng.normal(size=(n, 1)) * amounts(rng, n, 1.0, 100.0)
    return start + np.cumsum(drift + noise(rng, n, length) * np.exp(np.clip(wander, -4.0, 4.0)), axis=1)


def heteroscedastic(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw a trend and a season under noise whose deviation follows the season, the level, or the last errors.

    .. math:: x_t = m_t + σ_t ε_t, \qquad σ_t^2 = ω + a\,σ_{t-1}^2 ε_{t-1}^2 + b\,σ_{t-1}^2 \ \text{(of a third)}

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Bollerslev 1986, "Generalized Autoregressive Conditional Heteroskedasticity".
    """
    steps = np.linspace(0.0, 1.0, length)
    seasonal = repeat(rng, pattern(rng, n, season.length), length)
    middle = rng.normal(size=(n, 1)) * 2 * steps + seasonal * amounts(rng, n, 0.2, 3.0)
    errors = noise(rng, n, length)
    kind = rng.integers(0, 3, (n, 1))
    growing = np.exp(rng.normal(size=(n, 1)) * 2 * steps)
    seasonal_deviation = np.exp(0.7 * repeat(rng, pattern(rng, n, season.length), length))
    a, b = rng.uniform(0.05, 0.3, n), rng.uniform(0.4, 0.69, n)
    variance = np.ones((n, length))
    for step in range(1, length):
        before = variance[:, step - 1]
        variance[:, step] = 1 - a - b + before * (a * np.minimum(errors[:, step - 1] ** 2, 25.0) + b)
    deviation = np.choose(kind, [growing, seasonal_deviation, np.sqrt(variance)])
    return np.asarray(middle + errors * deviation * amounts(rng, n, 0.05, 1.0))


def intermittent_counts(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw counts: zeros, and now and then a demand whose chance and size change slowly, in half with the season too.

    .. math:: y_t = z_t (1 + n_t), \quad z_t \sim \text{Bernoulli}(p_t), \quad n_t \sim \text{NegativeBinomial}(μ_t, r)

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`, whole numbers from 0 on.

    Source: Croston 1972, "Forecasting and Stock Control for Intermittent Demands"; Snyder, Ord and Beaumont 2012.
    """
    seasonal = repeat(rng, pattern(rng, n, season.length), length) * of_half(rng, n, 1.0)
    wander = np.cumsum(rng.normal(size=(n, length)), axis=1) * amounts(rng, n, 0.002, 0.06)
    odds = rng.normal(0.0, 1.8, (n, 1)) + seasonal + wander
    demanded = rng.random((n, length)) < 1 / (1 + np.exp(-odds))
    mean = np.clip(amounts(rng, n, 0.1, 30.0) * np.exp(0.5 * (seasonal + wander)), 1e-3, 1e4)
    shape = amounts(rng, n, 0.5, 20.0)
    return demanded * (1.0 + rng.poisson(rng.gamma(np.broadcast_to(shape, mean.shape), mean / shape)))


def persistent_noise(rng: Generator, n: int, length: int) -> Array:
    r"""Return noise of variance 1, `[n, length]`: white in half of the series, autocorrelated in the others.

    .. math:: x_t = φ x_{t-1} + \sqrt{1 - φ^2}\, ε_t, \quad φ \sim U(0, 0.98)
    """
    kept = rng.uniform(0.0, 0.98, n) * chance(rng, n, 0.5)
    shocks = noise(rng, n, BURN_IN + length) * np.sqrt(1 - kept**2)[:, None]
    return autoregressed(shocks, kept)[:, BURN_IN:]


def autoregressed(shocks: Array, *gains: Array) -> Array:
    """Return what goes on from zeros as `x_t = g_1 x_{t-1} + g_2 x_{t-2} + … + shock_t`, `[n, length]`."""
    from scipy.signal import lfilter  # takes a second to import, and who forecasts draws nothing

    poles = np.stack([np.ones(len(shocks)), *(-gain for gain in gains)], axis=1)
    filtered = [lfilter([1.0], own, line) for own, line in zip(poles, shocks, strict=True)]
    return np.asarray(filtered).reshape(shocks.shape)


def of_unit_deviation(values: Array) -> Array:
    """Return series divided by their deviation."""
    return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))
