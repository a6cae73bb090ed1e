"""Families of shapes: waves, seasons, trends, shifts, growth, calendars, bounds, pulses, and Gaussian processes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.patterns import (
    BURN_IN,
    Season,
    amounts,
    autoregressed,
    chance,
    half_with_season,
    noise,
    of_unit_deviation,
    pattern,
    repeat,
)
from seqcast.runtime import one_blas_thread

Array = npt.NDArray[np.float64]
Generator = np.random.Generator


# Series that share a kernel, since factoring a kernel takes most of the time.
SERIES_A_KERNEL = 4


MOST_KERNELS = 4


def sines(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw sums of one to four sines, as the post does; half of them are the season and its harmonics.

    .. math:: x(t) = \sum_k A_k \sin(2 π t / p_k + φ_k)

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Luke Tonin's Keras encoder-decoder, whose data are sums of two sines.
    """
    terms = 4
    present = np.arange(terms) < rng.integers(1, terms + 1, (n, 1))
    free = np.exp(rng.uniform(np.log(3.0), np.log(200.0), (n, terms)))
    harmonic = max(season.length, 2) / np.arange(1, terms + 1)
    tuned = chance(rng, n, 0.5)[:, None] & (harmonic >= 2)
    periods = np.where(tuned, harmonic, free)[:, :, None]
    phases = rng.uniform(0, 2 * np.pi, (n, terms, 1))
    amplitudes = rng.uniform(0.1, 1.0, (n, terms)) * present
    waves = np.sin(2 * np.pi * np.arange(length) / periods + phases)
    return np.asarray(np.einsum("nk,nkt->nt", amplitudes, waves))


def several_seasons(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw a season within a longer one, and a slow change of the first one's size.

    The day within the week is either another level of whole days, or another pattern on some of them. Where the season
    has no longer one, one of two to twelve times its length is drawn.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: double seasons as in Taylor 2003, "Short-term electricity demand forecasting using double seasonal
    exponential smoothing".
    """
    steps = season.length
    inner = max(steps, 2)
    longer = season.longer or inner * int(rng.integers(2, 13))
    rounds = longer // inner
    day = pattern(rng, n, inner)
    other = np.where(chance(rng, n, 0.5)[:, None], day, pattern(rng, n, inner))
    off = np.arange(rounds) >= rounds - rng.integers(1, max(2, rounds // 3 + 1), (n, 1))
    levels = np.repeat(pattern(rng, n, rounds) * amounts(rng, n, 0.05, 2.0), inner, axis=1)
    smooth = np.sin(2 * np.pi * (np.arange(longer) / longer + rng.random((n, 1)))) * amounts(rng, n, 0.05, 3.0)
    days = np.where(np.repeat(off, inner, axis=1), np.tile(other, rounds), np.tile(day, rounds))
    whole = days + np.where(chance(rng, n, 0.5)[:, None], levels, smooth)
    swell = 1 + rng.uniform(0, 0.5, (n, 1)) * np.sin(
        2 * np.pi * (np.arange(length) / (length * rng.uniform(0.5, 3.0, (n, 1))) + rng.random((n, 1)))
    )
    return repeat(rng, whole, length) * swell


def piecewise_trend(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw trends that are straight between up to four changes of slope, some with a season.

    .. math:: x(t) = s_0 t + \sum_k s_k \max(t - c_k, 0)

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Taylor and Letham 2018, "Forecasting at Scale", section 3.1.2.
    """
    steps = np.arange(length) / length
    slopes = rng.laplace(0.0, 2.0, (n, 5)) * (np.arange(5) <= rng.integers(0, 5, (n, 1)))
    changes = np.concatenate([np.zeros((n, 1)), rng.random((n, 4))], axis=1)
    values = np.einsum("nk,nkt->nt", slopes, np.maximum(steps - changes[:, :, None], 0.0))
    return np.asarray(values + _some_season(rng, n, length, season))


def level_shifts(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw levels that change at up to four moments and last, some with a season.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Chen and Liu 1993, "Joint Estimation of Model Parameters and Outlier Effects in Time Series".
    """
    shifts = rng.normal(size=(n, 4)) * 2 * (np.arange(4) < rng.integers(1, 5, (n, 1)))
    moments = rng.integers(1, max(2, length), (n, 4, 1))
    values = np.einsum("nk,nkt->nt", shifts, 1.0 * (np.arange(length) >= moments))
    return np.asarray(values + _some_season(rng, n, length, season))


def saturating_growth(rng: Generator, n: int, length: int, season: Season) -> Array:
    r"""Draw growth, or decline, to a limit: logistic or Gompertz curves, some with a season that grows along.

    .. math:: x(t) = \frac{1}{1 + e^{-r (t - t_0)}} \quad \text{or} \quad e^{-e^{-r (t - t_0)}}

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: Winsor 1932, "The Gompertz Curve as a Growth Curve".
    """
    rate = amounts(rng, n, 3.0, 40.0)
    progress = rate * (np.arange(length) / length - rng.uniform(-0.2, 1.2, (n, 1)))
    logistic = 1 / (1 + np.exp(-np.clip(progress, -40, 40)))
    gompertz = np.exp(-np.exp(-np.clip(progress, -6, 40)))
    values = np.where(chance(rng, n, 0.5)[:, None], logistic, gompertz)
    values = np.where(chance(rng, n, 0.3)[:, None], 1 - values, values) * 3
    swing = repeat(rng, pattern(rng, n, season.length), length) * rng.uniform(0, 0.3, (n, 1))
    return values * (1 + swing * chance(rng, n, 0.5)[:, None])


def calendar_effects(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw calendar effects: months of 28 to 31 days, days of the week that fall into them, holidays that move.

    Where the season has 12 steps (or 4), steps are months (or quarters) from a random year on and sum a week of days;
    otherwise steps are days with a week, an end of the month and holidays once a year. With another season, it is
    added.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`.

    Source: trading days as in Bell and Hillmer 1983, "Modeling Time Series with Calendar Variation".
    """
    start = np.datetime64("1980-01-01") + np.timedelta64(7 * int(rng.integers(0, 1000)), "D")
    week = np.abs(1 + 0.4 * pattern(rng, n, 7))
    month = pattern(rng, n, 12) * rng.uniform(0, 0.4, (n, 1))
    if season.length in (4, 12):
        months = start.astype("datetime64[M]") + np.arange(length * 12 // season.length)
        days = np.arange(
            months[0].astype("datetime64[D]"), (months[-1] + np.timedelta64(1, "M")).astype("datetime64[D]")
        )
        first = (months.astype("datetime64[D]") - days[0]).astype(int)
        daily = week[:, _weekdays(days)] * (1 + month[:, _months(days)])
        sums = np.add.reduceat(daily, first, axis=1)
        return np.asarray(sums.reshape(n, length, -1).sum(axis=2) / 30.4)
    days = start + np.arange(length)
    end = (days + np.timedelta64(3, "D")).astype("datetime64[M]") != days.astype("datetime64[M]")
    values = week[:, _weekdays(days)] * (1 + month[:, _months(days)]) + rng.normal(size=(n, 1)) * 0.3 * end
    year = (days - days.astype("datetime64[Y]")).astype(int)
    for _ in range(3):
        # Most holidays keep to a day of the year, a third to a day of a week, which moves by a few days.
        day, drift = rng.integers(0, 360, (n, 1)), np.where(chance(rng, n, 0.3)[:, None], 7, 1)
        holiday = ((year[None] - day) // drift == 0) & ((drift == 1) | (_weekdays(days)[None] == day % 7))
        values = values + holiday * rng.normal(size=(n, 1)) * 1.5
    return np.asarray(values + (_some_season(rng, n, length, season) if season.length not in (1, 7) else 0.0))


def _weekdays(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday


def _months(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def _some_season(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Return a season for six series of ten, zeros for the others."""
    size = amounts(rng, n, 0.1, 2.0) * chance(rng, n, 0.6)[:, None]
    return repeat(rng, pattern(rng, n, season.length), length) * size


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
    """Draw series that are zero for some of each season, as light is at night and rain in summer, under changing cover.

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
    """Draw loads that switch on and off: steps, ramps, trapezoids and spikes, at the season's pace or at any.

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
    r"""Draw growth in waves: up to five outbreaks that rise and fall, or, for half of the series, their running sum.

    .. math:: x_t = \sum_k h_k\, \operatorname{sech}^2 \frac{t - c_k}{w_k}

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season, which half of the series show.

    Returns:
        The series, `[n, length]`.

    Source: Kermack and McKendrick 1927, "A Contribution to the Mathematical Theory of Epidemics", whose approximate
    solution has this form.
    """
    centres = rng.uniform(-0.1, 1.2, (n, 5, 1)) * length
    widths = np.exp(rng.uniform(np.log(3.0), np.log(max(4.0, length / 6)), (n, 5, 1)))
    present = np.arange(5) < rng.integers(1, 6, (n, 1))
    heights = rng.exponential(size=(n, 5)) * present + 1e-3
    distance = np.clip((np.arange(length) - centres) / widths, -30, 30)
    values = np.einsum("nk,nkt->nt", heights, 1 / np.cosh(distance) ** 2)
    running_sum = of_unit_deviation(values.cumsum(axis=1))
    reported = 1 + rng.uniform(0.0, 0.5, (n, 1)) * half_with_season(rng, n, length, season)
    return np.where(chance(rng, n, 0.5)[:, None], running_sum, values * np.maximum(reported, 0.0))


def gaussian_process(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Draw from Gaussian processes with composed kernels, a new one for every four series.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.

    Returns:
        The series, `[n, length]`, of about unit variance.

    Source: KernelSynth, Ansari et al. 2024, "Chronos: Learning the Language of Time Series", arXiv:2403.07815, section
    4.2; kernels as in Duvenaud et al. 2013, arXiv:1302.4922.
    """
    values = np.empty((n, length))
    with one_blas_thread():
        for first in range(0, n, SERIES_A_KERNEL):
            count = min(SERIES_A_KERNEL, n - first)
            factor = np.linalg.cholesky(composed_kernel(rng, length, season) + 1e-4 * np.eye(length))
            values[first : first + count] = rng.normal(size=(count, length)) @ factor.T
    return values


def composed_kernel(rng: Generator, length: int, season: Season) -> Array:
    """Return the covariance of one to four kernels, each added to those before it or multiplied with them.

    Args:
        rng: The generator.
        length: Number of steps.
        season: Season of most periodic kernels.

    Returns:
        The covariance, `[length, length]`, with a mean variance of 1.

    Example:
        >>> kernel = composed_kernel(np.random.default_rng(0), 20, Season(4))
        >>> kernel.shape, bool(np.linalg.eigvalsh(kernel).min() > -1e-8)
        ((20, 20), True)
    """
    kernel = _simple_kernel(rng, length, season)
    for _ in range(int(rng.integers(0, MOST_KERNELS))):
        other = _simple_kernel(rng, length, season)
        kernel = kernel * other if rng.random() < 0.5 else kernel + other
    return np.asarray(kernel / max(float(np.mean(np.diag(kernel))), 1e-9))


def _simple_kernel(rng: Generator, length: int, season: Season) -> Array:
    steps = np.arange(length) / length
    name = str(rng.choice(["constant", "linear", "smooth", "rough", "quadratic", "season", "noise"], p=_PROBABILITIES))
    if name == "linear":
        centred = steps - rng.random()
        return 4 * np.outer(centred, centred)
    # The others depend on the distance of two steps alone.
    lags = np.arange(length)
    covariance = _covariance(rng, name, steps, season)
    # Numbers near the smallest ones make arithmetic slow.
    covariance[covariance < 1e-12] = 0.0
    return np.asarray(covariance[np.abs(lags[:, None] - lags)])


def _covariance(rng: Generator, name: str, distance: Array, season: Season) -> Array:
    """Return the covariance of steps at some distances, in fractions of the length."""
    if name == "constant":
        return np.ones(len(distance))
    if name == "noise":
        return np.asarray((distance == 0) * float(rng.choice([0.01, 0.1, 1.0])))
    if name == "season":
        known = [steps for steps in (season.length, season.longer) if steps is not None and steps > 1]
        is_known = bool(known) and rng.random() < 0.8
        period = float(rng.choice(known) if is_known else amounts(rng, 1, 2.0, 512.0)[0, 0])
        return np.exp(-2 * (np.sin(np.pi * distance * len(distance) / period) / rng.uniform(0.4, 2.0)) ** 2)
    scale = float(np.exp(rng.uniform(np.log(0.02), np.log(1.0))))
    if name == "smooth":
        return np.exp(-0.5 * (distance / scale) ** 2)
    if name == "rough":
        return np.exp(-distance / scale)
    mixture = float(np.exp(rng.uniform(np.log(0.1), np.log(10.0))))
    return (1 + (distance / scale) ** 2 / (2 * mixture)) ** -mixture


_PROBABILITIES = (0.05, 0.15, 0.15, 0.1, 0.15, 0.3, 0.1)
