"""Families of what is measured: two seasons, regimes, resonances, bounds, dark nights, pulses, waves, demand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.draws import (
    Season,
    amounts,
    chance,
    half_with_season,
    noise,
    of_half,
    pattern,
    repeat,
    smoothed,
)
from seqcast.data.synthetic.states import BURN_IN, autoregressed, of_unit_deviation

Array = npt.NDArray[np.float64]
Generator = np.random.Generator

# The logarithm of a rate, or of a factor, stays within these bounds.
LARGEST_LOG = 6.0


def seasonal_arima(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw two seasons that interact: a slow one is added to a seasonal ARIMA model, or is the envelope of its swings.

    .. math:: (1 - φ B)(1 - Φ B^m)\, x_t = (1 + θ B)(1 + Θ B^m)\, ε_t, \qquad
        y_t = x_t + a\, s_t \quad \text{or} \quad y_t = x_t (1 + a\, s_t)

    `s` repeats with the longer season, or with two to twelve times the season where there is none. A third of the
    series are integrated, `(1 - B)`; a third have the result as the logarithm of the rate of gamma noise.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season, `m`.

    Returns:
        The series, `[n, length]`.

    Source: Oreshkin et al. 2026, "Zero-shot Forecasting by Simulation Alone", arXiv:2601.00970, section 3.
    """
    steps = max(season.length, 2)
    before = BURN_IN + steps
    shocks = noise(rng, n, before + length)
    gains = rng.uniform(-0.7, 0.95, (n, 1)), np.where(chance(rng, n, 0.5)[:, None], 0.0, rng.uniform(-0.6, 0.6, (n, 1)))
    seasonal = (
        1 - amounts(rng, n, 0.02, 1.0),
        np.where(chance(rng, n, 0.5)[:, None], 0.0, rng.uniform(-0.8, 0.3, (n, 1))),
    )
    values = shocks.copy()
    values[:, 1:] += gains[1] * shocks[:, :-1]
    values[:, steps:] += seasonal[1] * values[:, :-steps].copy()
    values = autoregressed(values, gains[0][:, 0])
    # The first season has the variance that all have, since as many as die away would take long to draw.
    values[:, :steps] /= np.sqrt(1 - seasonal[0] ** 2)
    for step in range(steps, before + length):
        values[:, step] += seasonal[0][:, 0] * values[:, step - steps]
    values = of_unit_deviation(values[:, before:])
    trending = chance(rng, n, 1 / 3)[:, None]
    values = np.where(trending, of_unit_deviation(values.cumsum(axis=1)) * amounts(rng, n, 0.5, 3.0), values)
    values = values + repeat(rng, pattern(rng, n, season.length), length) * amounts(rng, n, 0.1, 3.0)
    seasons = int(rng.integers(2, 13)) if season.longer is None else season.longer // season.length
    slow = repeat(rng, smoothed(np.repeat(pattern(rng, n, seasons), steps, axis=1), steps), length)
    slow = slow / np.maximum(np.abs(slow).max(axis=1, keepdims=True), 1e-9)
    size = rng.uniform(0.2, 1.0, (n, 1))
    values = np.where(chance(rng, n, 0.5)[:, None], values * (1 + size * slow), values + 2 * size * slow)
    logarithms = np.clip(values * rng.uniform(0.1, 0.8, (n, 1)), -LARGEST_LOG, LARGEST_LOG)
    shape = np.broadcast_to(amounts(rng, n, 0.5, 200.0), logarithms.shape)
    return np.where(chance(rng, n, 1 / 3)[:, None], rng.gamma(shape, np.exp(logarithms) / shape), values)


def switching(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw Ornstein-Uhlenbeck processes whose level, pull and variance are those of one of three regimes.

    .. math:: x_t = x_{t-1} + θ_r (μ_r - x_{t-1}) + σ_r ε_t

    Regimes last for 30 to 1,000 steps in the mean, and another one follows. A third of the series have no pull, half
    have a season.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Hamilton 1989, "A New Approach to the Economic Analysis of Nonstationary Time Series"; as synthetic series
    in Moroshan et al. 2025, "TempoPFN", arXiv:2510.25502.
    """
    regimes, rows = 3, np.arange(n)
    level, deviation = 2 * rng.normal(size=(n, regimes)), np.exp(rng.uniform(-3.5, 0.5, (n, regimes)))
    pull = np.exp(rng.uniform(-5.5, -0.5, (n, regimes))) * ~chance(rng, n, 1 / 3)[:, None]
    leaves = rng.random((n, length)) < 1 / amounts(rng, n, 30.0, 1000.0)
    onward, errors = rng.integers(1, regimes, (n, length)), noise(rng, n, length)
    regime = rng.integers(0, regimes, n)
    state = level[rows, regime]
    values = np.empty((n, length))
    for step in range(length):
        regime = np.where(leaves[:, step], (regime + onward[:, step]) % regimes, regime)
        at = rows, regime
        state = state + pull[at] * (level[at] - state) + deviation[at] * errors[:, step]
        values[:, step] = state
    return values + half_with_season(rng, n, length, season)


def random_poles(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw autoregressions of order 2 to 6, whose poles are drawn near the unit circle at any frequency.

    Resonances of machines, of weather and of heart beats have such poles; several at once make beats.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season, which half of the series have beside.

    Returns:
        The series, `[n, length]`.

    Source: Oreshkin et al. 2026, arXiv:2601.00970, section 3, which draws models by the roots of their polynomials.
    """
    # As long as the slowest of them needs to forget that it began with zeros.
    before = 3 * BURN_IN
    values = noise(rng, n, before + length)
    for turn in range(3):
        radius = 1 - amounts(rng, n, 0.01, 0.5)[:, 0]
        angle = np.where(chance(rng, n, 0.3), 0.0, 2 * np.pi / amounts(rng, n, 2.5, 200.0)[:, 0])
        # A pair of poles, one of which passes over the series where it has fewer.
        there = chance(rng, n, 1.0 if turn == 0 else 0.5)
        filtered = autoregressed(
            values, np.where(there, 2 * radius * np.cos(angle), 0.0), np.where(there, -(radius**2), 0.0)
        )
        values = of_unit_deviation(filtered)
    return values[:, before:] + half_with_season(rng, n, length, season)


def bounded(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw shares and fillings between two bounds: the logistic function of an autoregression around a season.

    .. math:: y_t = \frac{1}{1 + e^{-g (x_t + c)}}

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`, between 0 and 1.

    Source: Wallis 1987, "Time series analysis of bounded economic variables".
    """
    persistence = 1 - amounts(rng, n, 0.005, 0.5)[:, 0]
    values = of_unit_deviation(autoregressed(noise(rng, n, BURN_IN + length), persistence)[:, BURN_IN:])
    values = values + repeat(rng, pattern(rng, n, season.length), length) * amounts(rng, n, 0.1, 3.0)
    return np.asarray(
        1 / (1 + np.exp(-np.clip(rng.uniform(0.5, 3.0, (n, 1)) * (values + rng.normal(size=(n, 1))), -30, 30)))
    )


def clipped_season(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw what is zero for a part of each season, as light is at night and rain in summer, under changing cover.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season; without one, one of 12 to 48 steps is drawn.

    Returns:
        The series, `[n, length]`, zero or above.

    Source: clear-sky models of radiation, as in Boland 2008, "Time series modelling of solar radiation".
    """
    steps = season.length if season.length > 3 else int(rng.integers(12, 49))
    turns = 2 * np.pi * np.arange(steps) / steps
    bell = np.cos(turns) + 0.4 * pattern(rng, n, steps) * chance(rng, n, 0.5)[:, None]
    height = np.maximum(repeat(rng, bell - rng.uniform(-0.7, 0.7, (n, 1)), length), 0.0)
    year = 1 + rng.uniform(0, 0.6, (n, 1)) * np.sin(
        2 * np.pi * (np.arange(length) / (365 * steps) + rng.random((n, 1)))
    )
    clouds = autoregressed(noise(rng, n, BURN_IN + length), 1 - amounts(rng, n, 0.01, 0.7)[:, 0])[:, BURN_IN:]
    cover = np.clip(
        rng.uniform(0.4, 1.1, (n, 1)) + rng.uniform(0.0, 0.5, (n, 1)) * of_unit_deviation(clouds), 0.05, 1.1
    )
    return height * year * cover


def pulses(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw what is switched on and off: steps, ramps, trapezoids and spikes, at the season's pace or at any.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: load profiles of appliances, as in Kolter and Johnson 2011, "REDD: A Public Data Set for Energy
    Disaggregation Research"; steps and spikes as in Moroshan et al. 2025, arXiv:2510.25502.
    """
    own = amounts(rng, n, 4.0, 256.0)
    period = np.where(chance(rng, n, 0.6)[:, None] & (season.length > 3), max(season.length, 4), own)
    # In half of the series cycles begin a little early or late.
    late = np.cumsum(rng.normal(size=(n, length)), axis=1) * amounts(rng, n, 0.001, 0.1) * chance(rng, n, 0.5)[:, None]
    turns = np.maximum.accumulate(np.arange(length) / period + late / np.sqrt(period) + rng.random((n, 1)), axis=1)
    place = turns % 1.0
    on, ramp = rng.uniform(0.05, 0.8, (n, 1)), rng.uniform(0.0, 0.5, (n, 1)) + 1e-3
    shape = np.clip(np.minimum(place, on - place) / (ramp * on), 0.0, 1.0)
    saw = np.where(place < on, place / on, 0.0)
    values = np.where(chance(rng, n, 0.25)[:, None], saw, shape)
    # Cycles differ in height, some are left out.
    cycle = np.minimum(turns.astype(int) - turns[:, :1].astype(int), length - 1)
    heights = 1 + rng.uniform(0, 0.5, (n, 1)) * rng.normal(size=(n, length))
    heights = heights * (rng.random((n, length)) > rng.uniform(0.0, 0.4, (n, 1)) * chance(rng, n, 0.4)[:, None])
    values = values * np.take_along_axis(heights, cycle, axis=1)
    spikes = (rng.random((n, length)) < 1 / amounts(rng, n, 10.0, 200.0)) * rng.exponential(size=(n, length))
    return values + spikes * amounts(rng, n, 0.2, 3.0) * chance(rng, n, 0.4)[:, None]


def waves(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw growth in waves: up to five outbreaks that rise and fall, or, for half of the series, all that there were.

    .. math:: x_t = \sum_k h_k\, \operatorname{sech}^2 \frac{t - c_k}{w_k}

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season, in which half of the series are reported.

    Returns:
        The series, `[n, length]`.

    Source: Kermack and McKendrick 1927, "A Contribution to the Mathematical Theory of Epidemics", whose approximate
    solution has this form.
    """
    centres = rng.uniform(-0.1, 1.2, (n, 5, 1)) * length
    widths = np.exp(rng.uniform(np.log(3.0), np.log(max(4.0, length / 6)), (n, 5, 1)))
    there = np.arange(5) < rng.integers(1, 6, (n, 1))
    heights = rng.exponential(size=(n, 5)) * there + 1e-3
    distance = np.clip((np.arange(length) - centres) / widths, -30, 30)
    values = np.einsum("nk,nkt->nt", heights, 1 / np.cosh(distance) ** 2)
    everything = of_unit_deviation(values.cumsum(axis=1))
    reported = 1 + rng.uniform(0.0, 0.5, (n, 1)) * half_with_season(rng, n, length, season)
    return np.where(chance(rng, n, 0.5)[:, None], everything, values * np.maximum(reported, 0.0))


def demand(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw counts of demand that comes in clusters: zero while a hidden state is off, in half of a rate with a season.

    .. math:: y_t = z_t\, n_t, \quad P(z_t = 1 \mid z_{t-1}) \in \{p, 1 - q\}, \quad
        n_t \sim \text{Poisson or negative binomial}(λ_t)

    Of a quarter of the series counts are amounts: gamma variables of the same mean.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`, from 0 on.

    Source: Willemain, Smart and Schwarz 2004, "A new approach to forecasting intermittent demand for service parts
    inventories", for the chain of zeros; Snyder, Ord and Beaumont 2012 for the distributions.
    """
    begins, ends = 1 / amounts(rng, n, 1.0, 30.0), 1 / amounts(rng, n, 1.0, 100.0)
    draws = rng.random((n, length))
    on = np.empty((n, length), dtype=bool)
    state = chance(rng, n, 0.5)
    for step in range(length):
        state = np.where(state, draws[:, step] >= ends[:, 0], draws[:, step] < begins[:, 0])
        on[:, step] = state
    on |= chance(rng, n, 0.25)[:, None]
    seasonal = repeat(rng, pattern(rng, n, season.length), length) * of_half(rng, n, 0.8)
    wander = np.cumsum(rng.normal(size=(n, length)), axis=1) * amounts(rng, n, 0.001, 0.05)
    rate = amounts(rng, n, 0.1, 50.0) * np.exp(np.clip(seasonal + wander, -LARGEST_LOG, LARGEST_LOG))
    shape = np.broadcast_to(amounts(rng, n, 0.5, 100.0), rate.shape)
    amount = rng.gamma(shape, rate / shape)
    return on * np.where(chance(rng, n, 0.25)[:, None], amount, rng.poisson(np.minimum(amount, 1e6)))
