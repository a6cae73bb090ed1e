"""Families with a state that shocks change: smoothing, ARIMA, walks, regimes, counts."""

import numpy as np

from synthetic.patterns import (
    BURN_IN,
    Array,
    Draws,
    autoregressed,
    of_unit_deviation,
    smoothed,
)

# Relative errors beyond this would change the sign of a multiplicative series.
LARGEST_RELATIVE = 0.6


# Seasons of years, quarters and months, whose levels do not return.
WITHOUT_RETURN = (1, 4, 12)


# The logarithm of a rate, or of a factor, stays within these bounds.
LARGEST_LOG = 6.0


def exponential_smoothing(draws: Draws) -> Array:
    r"""Draw from state space models of exponential smoothing, ETS(A|M, N|A|Ad|M|Md, N|A|M).

    With additive errors, level `l`, trend `b` and season `s` change by the error `ε`,

    .. math:: y_t = l + φ b + s + ε, \quad l' = l + φ b + α ε, \quad b' = φ b + β ε, \quad
        s' = s + γ ε,

    and with multiplicative ones sums become products: `y = l b^φ s (1 + ε)`, `l' = l b^φ (1 + α ε)`
    and so on. Gains are zero, small or near one, as fitted ones of real series are; half of the
    trends are damped, `φ < 1`. Series without a season have steeper trends: yearly values are among
    them.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with Exponential Smoothing", chapter
        2.
    """
    multiplicative = draws.chance(0.4)
    deviation = np.where(multiplicative, draws.amounts(0.003, 0.25), draws.amounts(0.02, 2.5))
    errors = draws.noise() * deviation
    relative_errors = np.clip(errors, -LARGEST_RELATIVE, LARGEST_RELATIVE) * multiplicative

    # Gains of level, trend and season, and the damping of the trend.
    kind = draws.uniform(0.0, 1.0)
    moving = np.where(kind < 0.7, draws.beta(1, 2), 1 - 0.5 * draws.beta(1, 12))
    alpha = np.where(kind < 0.25, 0.0, moving)
    beta = np.where(draws.chance(0.5), 0.0, alpha * draws.beta(1, 8))
    gamma = np.where(draws.chance(0.6), 0.0, (1 - alpha) * draws.beta(1, 6))
    damping = np.where(draws.chance(0.5), 1.0, draws.uniform(0.8, 1.0))

    # Level, trend and season at first.
    season = draws.season.length
    steepness = draws.amounts(0.003, 0.5) if season > 1 else draws.amounts(0.01, 2.0)
    slope = draws.normal() * steepness * draws.chance(0.8)
    patterns = draws.pattern(season) * (draws.amounts(0.1, 6.0) * draws.chance(0.9))
    # Products are sums of the logarithms of their factors, a tenth as large.
    relative = np.where(multiplicative, 0.1, 1.0)
    additive = ~multiplicative
    level = np.where(multiplicative, draws.normal(), 3 * draws.normal())
    trend = slope * np.where(multiplicative, 0.05, 1.0)
    seasonal = patterns * relative
    place = draws.rng.integers(0, season)

    values = np.empty_like(errors)
    for step in range(draws.length):
        at = [(step + place) % season]
        error = errors[:, [step]]
        factor = relative_errors[:, [step]]
        ahead = level + damping * trend
        values[:, [step]] = ahead + seasonal[:, at] + np.where(additive, error, np.log1p(factor))
        level = ahead + np.where(additive, alpha * error, np.log1p(alpha * factor))
        trend = damping * trend + np.where(additive, beta * error, np.log1p(beta * factor))
        if season > 1:
            seasonal[:, at] += np.where(additive, gamma * error, np.log1p(gamma * factor))

    return np.where(multiplicative, np.exp(np.clip(values, -12, 12)), values)


def autoregression(draws: Draws) -> Array:
    r"""Draw autoregressions of order 1 or 2 around a season.

    .. math:: x_t = φ_1 x_{t-1} + φ_2 x_{t-2} + ε_t

    The roots of the polynomial are drawn within the unit circle, real or a pair that turns, so the
    series are stationary; pseudo-cycles, such as those of sunspots, are among them.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Yule 1927, "On a Method of Investigating Periodicities in Disturbed Series".
    """
    turning = draws.chance(0.4)
    radius = draws.uniform(0.6, 0.99)
    angle = 2 * np.pi / draws.amounts(4, 60)
    first = draws.uniform(-0.3, 0.99)
    second = np.where(draws.chance(0.5), 0.0, draws.uniform(-0.5, 0.8))
    one = np.where(turning, 2 * radius * np.cos(angle), first + second)
    two = np.where(turning, -(radius**2), -first * second)
    values = of_unit_deviation(autoregressed(draws.noise(BURN_IN), one, two)[:, BURN_IN:])
    return values + draws.half_with_season()


def arima(draws: Draws) -> Array:
    r"""Draw from ARIMA(1, 1, 1) models with drift, most with a season, half with noise on top.

    .. math:: x_t = ρ x_{t-1} + μ + d_t, \qquad d_t = φ d_{t-1} + ε_t + θ ε_{t-1}

    Most have a positive `φ`: a rise continues for a while. Of years, quarters and months, `ρ` is 1;
    of others, such as days and hours, it is less for six series of ten, which return to a level and
    have no drift.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Box and Jenkins 1970, "Time Series Analysis: Forecasting and Control", chapter 4.
    """
    persistence = np.where(draws.chance(0.6), draws.uniform(0.0, 0.95), draws.uniform(-0.5, 0.5))
    average = np.where(draws.chance(0.3), draws.uniform(-0.8, 0.4), 0.0)
    errors = draws.noise(BURN_IN)
    errors[:, 1:] += average * errors[:, :-1]
    changes = of_unit_deviation(autoregressed(errors, persistence)[:, BURN_IN:])

    returns = draws.chance(0.0 if draws.season.length in WITHOUT_RETURN else 0.6)
    changes += draws.normal() * draws.amounts(0.03, 2.0) * (draws.chance(0.7) & ~returns)
    gain = 1.0 - returns * draws.amounts(0.005, 0.3)
    values = autoregressed(changes, gain)

    seasonal = draws.seasonal() * (draws.amounts(0.3, 10.0) * draws.chance(0.7))
    observed = draws.noise() * draws.amounts(0.05, 1.5) * draws.chance(0.5)
    return values + seasonal + observed


def seasonal_arima(draws: Draws) -> Array:
    r"""Draw two seasons that interact.

    A slow one is added to a seasonal ARIMA model, or is the envelope of its swings.

    .. math:: (1 - φ B)(1 - Φ B^m)\, x_t = (1 + θ B)(1 + Θ B^m)\, ε_t, \qquad
        y_t = x_t + a\, s_t \quad \text{or} \quad y_t = x_t (1 + a\, s_t)

    `s` repeats with the longer season, or with two to twelve times the season where there is none.
    A third of the series are integrated, `(1 - B)`; a third have the result as the logarithm of the
    rate of gamma noise.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Oreshkin et al. 2026, "Zero-shot Forecasting by Simulation Alone", arXiv:2601.00970,
        section 3.
    """
    season = draws.season
    steps = max(draws.season.length, 2)
    before = BURN_IN + steps
    shocks = draws.noise(before)
    gains = draws.uniform(-0.7, 0.95), np.where(draws.chance(0.5), 0.0, draws.uniform(-0.6, 0.6))
    seasonal = (
        1 - draws.amounts(0.02, 1.0),
        np.where(draws.chance(0.5), 0.0, draws.uniform(-0.8, 0.3)),
    )
    values = shocks.copy()
    values[:, 1:] += gains[1] * shocks[:, :-1]
    values[:, steps:] += seasonal[1] * values[:, :-steps].copy()
    values = autoregressed(values, gains[0])

    # The first season is given the variance of all others, since a long run-in of seasons would
    # take long to draw.
    values[:, :steps] /= np.sqrt(1 - seasonal[0] ** 2)
    for step in range(steps, before + draws.length):
        values[:, [step]] += seasonal[0] * values[:, [step - steps]]
    values = of_unit_deviation(values[:, before:])

    trending = draws.chance(1 / 3)
    integrated = of_unit_deviation(values.cumsum(axis=1)) * draws.amounts(0.5, 3.0)
    values = np.where(trending, integrated, values)
    values = values + draws.seasonal() * draws.amounts(0.1, 3.0)

    # The slow season is added, or is the envelope.
    seasons = (season.longer or 0) // season.length
    if season.longer is None:
        seasons = int(draws.rng.integers(2, 13))
    slow = draws.repeat(smoothed(np.repeat(draws.pattern(seasons), steps, axis=1), steps))
    slow = slow / np.maximum(np.abs(slow).max(axis=1, keepdims=True), 1e-9)
    size = draws.uniform(0.2, 1.0)
    values = np.where(draws.chance(0.5), values * (1 + size * slow), values + 2 * size * slow)

    logarithms = np.clip(values * draws.uniform(0.1, 0.8), -LARGEST_LOG, LARGEST_LOG)
    shape = np.broadcast_to(draws.amounts(0.5, 200.0), logarithms.shape)
    return np.where(draws.chance(1 / 3), draws.rng.gamma(shape, np.exp(logarithms) / shape), values)


def random_walk(draws: Draws) -> Array:
    r"""Draw walks, some with drift, whose steps have a changing variance.

    .. math:: x_t = x_{t-1} + μ + σ_t ε_t, \quad \log σ_t = \log σ_{t-1} + κ η_t

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: stochastic volatility as in Taylor 1986, "Modelling Financial Time Series".
    """
    wander = draws.walk() * (draws.amounts(0.005, 0.15) * draws.chance(0.6))
    drift = draws.normal() * draws.amounts(0.03, 1.0) * draws.chance(0.5)
    start = draws.normal() * draws.amounts(1.0, 100.0)
    return start + np.cumsum(drift + draws.noise() * np.exp(np.clip(wander, -4.0, 4.0)), axis=1)


def random_poles(draws: Draws) -> Array:
    """Draw autoregressions of order 2 to 6, with poles near the unit circle at any frequency.

    Resonances of machines, of weather and of heart beats have such poles; several at once make
    beats.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Oreshkin et al. 2026, arXiv:2601.00970, section 3, which draws models by the roots of
        their polynomials.
    """
    # The steps in which the slowest of them forgets its start from zeros.
    before = 3 * BURN_IN
    values = draws.noise(before)
    for turn in range(3):
        radius = 1 - draws.amounts(0.01, 0.5)
        angle = np.where(draws.chance(0.3), 0.0, 2 * np.pi / draws.amounts(2.5, 200.0))
        # A pair of poles; half of the series leave out the second and the third one.
        drawn = draws.chance(1.0 if turn == 0 else 0.5)
        gains = np.where(drawn, 2 * radius * np.cos(angle), 0.0), np.where(drawn, -(radius**2), 0.0)
        values = of_unit_deviation(autoregressed(values, *gains))
    return values[:, before:] + draws.half_with_season()


def switching(draws: Draws) -> Array:
    r"""Draw Ornstein-Uhlenbeck processes of three regimes, each with its level, pull and variance.

    .. math:: x_t = x_{t-1} + θ_r (μ_r - x_{t-1}) + σ_r ε_t

    Regimes last for 30 to 1,000 steps in the mean, and another one follows. A third of the series
    have no pull, half have a season.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Hamilton 1989, "A New Approach to the Economic Analysis of Nonstationary Time Series";
        as synthetic series in Moroshan et al. 2025, "TempoPFN", arXiv:2510.25502.
    """
    regimes = 3
    rows = np.arange(draws.n)
    level = 2 * draws.normal(regimes)
    deviation = np.exp(draws.uniform(-3.5, 0.5, regimes))
    pull = np.exp(draws.uniform(-5.5, -0.5, regimes)) * ~draws.chance(1 / 3)
    leaves = draws.random() < 1 / draws.amounts(30.0, 1000.0)
    onward = draws.rng.integers(1, regimes, leaves.shape)

    errors = draws.noise()
    regime = draws.rng.integers(0, regimes, draws.n)
    state = level[rows, regime]
    values = np.empty_like(errors)
    for step in range(draws.length):
        regime = np.where(leaves[:, step], (regime + onward[:, step]) % regimes, regime)
        at = rows, regime
        state = state + pull[at] * (level[at] - state) + deviation[at] * errors[:, step]
        values[:, step] = state

    return values + draws.half_with_season()


def heteroscedastic(draws: Draws) -> Array:
    r"""Draw a trend and a season under noise of changing deviation.

    It follows the season, the level or the last errors, each in a third of the series; the last is

    .. math:: x_t = m_t + σ_t ε_t, \qquad σ_t^2 = ω + a\,σ_{t-1}^2 ε_{t-1}^2 + b\,σ_{t-1}^2

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Bollerslev 1986, "Generalized Autoregressive Conditional Heteroskedasticity".
    """
    steps = np.linspace(0.0, 1.0, draws.length)
    seasonal = draws.seasonal()
    middle = draws.normal() * 2 * steps + seasonal * draws.amounts(0.2, 3.0)
    errors = draws.noise()

    kind = draws.rng.integers(0, 3, (draws.n, 1))
    growing = np.exp(draws.normal() * 2 * steps)
    seasonal_deviation = np.exp(0.7 * draws.seasonal())
    a = draws.uniform(0.05, 0.3)
    b = draws.uniform(0.4, 0.69)
    variance = np.ones_like(errors)
    for step in range(1, draws.length):
        before = [step - 1]
        variance[:, [step]] = (
            1 - a - b + variance[:, before] * (a * np.minimum(errors[:, before] ** 2, 25.0) + b)
        )

    deviation = np.choose(kind, [growing, seasonal_deviation, np.sqrt(variance)])
    return np.asarray(middle + errors * deviation * draws.amounts(0.05, 1.0))


def intermittent_counts(draws: Draws) -> Array:
    r"""Draw counts: zeros, and now and then a demand whose chance and size change slowly.

    In half of the series they change with the season, too.

    .. math:: y_t = z_t (1 + n_t), \quad z_t \sim \text{Bernoulli}(p_t), \quad
        n_t \sim \text{NegativeBinomial}(μ_t, r)

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`, whole numbers from 0 on.

    Source: Croston 1972, "Forecasting and Stock Control for Intermittent Demands"; Snyder, Ord and
        Beaumont 2012.
    """
    seasonal = draws.seasonal() * draws.of_half(1.0)
    wander = draws.walk() * draws.amounts(0.002, 0.06)
    odds = draws.rng.normal(0.0, 1.8, (draws.n, 1)) + seasonal + wander
    demanded = draws.random() < 1 / (1 + np.exp(-odds))
    mean = np.clip(draws.amounts(0.1, 30.0) * np.exp(0.5 * (seasonal + wander)), 1e-3, 1e4)
    shape = draws.amounts(0.5, 20.0)
    rate = draws.rng.gamma(np.broadcast_to(shape, mean.shape), mean / shape)
    return demanded * (1.0 + draws.rng.poisson(rate))


def demand(draws: Draws) -> Array:
    r"""Draw counts of demand that comes in clusters: zero while a hidden state is off.

    In half of the series the rate has a season.

    .. math:: y_t = z_t\, n_t, \quad P(z_t = 1 \mid z_{t-1}) \in \{p, 1 - q\}, \quad
        n_t \sim \text{Poisson or negative binomial}(λ_t)

    A quarter of the series have amounts in place of counts: gamma variables of the same mean.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`, from 0 on.

    Source: Willemain, Smart and Schwarz 2004, "A new approach to forecasting intermittent demand
        for service parts inventories", for the chain of zeros; Snyder, Ord and Beaumont 2012 for
        the distributions.
    """
    begins = 1 / draws.amounts(1.0, 30.0)
    ends = 1 / draws.amounts(1.0, 100.0)
    changes = draws.random()
    state = draws.chance(0.5)
    on = np.empty_like(changes, dtype=bool)
    for step in range(draws.length):
        change = changes[:, [step]]
        on[:, [step]] = state = np.where(state, change >= ends, change < begins)
    on |= draws.chance(0.25)

    seasonal = draws.seasonal() * draws.of_half(0.8)
    wander = draws.walk() * draws.amounts(0.001, 0.05)
    rate = draws.amounts(0.1, 50.0) * np.exp(np.clip(seasonal + wander, -LARGEST_LOG, LARGEST_LOG))
    shape = np.broadcast_to(draws.amounts(0.5, 100.0), rate.shape)
    amount = draws.rng.gamma(shape, rate / shape)
    return on * np.where(draws.chance(0.25), amount, draws.rng.poisson(np.minimum(amount, 1e6)))
