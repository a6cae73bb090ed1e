"""Families of shapes: waves, seasons, trends, shifts, growth, calendars, Gaussian processes."""

import numpy as np
import numpy.typing as npt

from seqcast.runtime import one_blas_thread
from synthetic.patterns import BURN_IN, Array, Draws, autoregressed, of_unit_deviation

# Series that share a kernel, since factoring a kernel takes most of the time.
SERIES_A_KERNEL = 4
# Most kernels of a composed one.
MOST_KERNELS = 4
# Simple kernels with their probabilities.
_KERNELS = {
    "constant": 0.05,
    "linear": 0.15,
    "smooth": 0.15,
    "rough": 0.1,
    "quadratic": 0.15,
    "season": 0.3,
    "noise": 0.1,
}


def sines(draws: Draws) -> Array:
    r"""Draw sums of one to four sines; half of them are the season and its harmonics.

    .. math:: x(t) = \sum_k A_k \sin(2 π t / p_k + φ_k)

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Luke Tonin's Keras encoder-decoder, whose data are sums of two sines.
    """
    terms = 4
    present = np.arange(terms) < draws.integers(1, terms + 1)
    free = draws.amounts(3.0, 200.0, terms)
    harmonic = max(draws.season.length, 2) / np.arange(1, terms + 1)
    tuned = draws.chance(0.5) & (harmonic >= 2)
    periods = np.where(tuned, harmonic, free)[:, :, None]
    phases = draws.uniform(0, 2 * np.pi, terms, 1)
    amplitudes = draws.uniform(0.1, 1.0, terms) * present
    waves = np.sin(2 * np.pi * np.arange(draws.length) / periods + phases)
    return np.asarray(np.einsum("nk,nkt->nt", amplitudes, waves))


def several_seasons(draws: Draws) -> Array:
    """Draw a season within a longer one, and a slow change of the first one's size.

    The day within the week is either another level of whole days, or another pattern on some of
    them. Where the season has no longer one, one of two to twelve times its length is drawn.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: double seasons as in Taylor 2003, "Short-term electricity demand forecasting using
        double seasonal exponential smoothing".
    """
    steps = draws.season.length
    inner = max(steps, 2)
    longer = draws.season.longer or inner * int(draws.rng.integers(2, 13))
    rounds = longer // inner

    # The season, and another one on some of its repetitions.
    day = draws.pattern(inner)
    other = np.where(draws.chance(0.5), day, draws.pattern(inner))
    off = np.arange(rounds) >= rounds - draws.integers(1, max(2, rounds // 3 + 1))

    # The longer season: levels, or a sine.
    levels = np.repeat(draws.pattern(rounds) * draws.amounts(0.05, 2.0), inner, axis=1)
    turns = np.arange(longer) / longer + draws.uniform(0.0, 1.0)
    smooth = np.sin(2 * np.pi * turns) * draws.amounts(0.05, 3.0)
    days = np.where(np.repeat(off, inner, axis=1), np.tile(other, rounds), np.tile(day, rounds))
    whole = days + np.where(draws.chance(0.5), levels, smooth)

    # A slow change of its size.
    size = draws.uniform(0, 0.5)
    turns = np.arange(draws.length) / (draws.length * draws.uniform(0.5, 3.0))
    swell = 1 + size * np.sin(2 * np.pi * (turns + draws.uniform(0.0, 1.0)))
    return draws.repeat(whole) * swell


def piecewise_trend(draws: Draws) -> Array:
    r"""Draw trends that are straight between up to four changes of slope, some with a season.

    .. math:: x(t) = s_0 t + \sum_k s_k \max(t - c_k, 0)

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Taylor and Letham 2018, "Forecasting at Scale", section 3.1.2.
    """
    steps = np.arange(draws.length) / draws.length
    n = draws.n
    slopes = draws.rng.laplace(0.0, 2.0, (n, 5)) * (np.arange(5) <= draws.integers(0, 5))
    changes = np.concatenate([np.zeros((n, 1)), draws.rng.random((n, 4))], axis=1)
    values = np.einsum("nk,nkt->nt", slopes, np.maximum(steps - changes[:, :, None], 0.0))
    return np.asarray(values + _some_season(draws))


def level_shifts(draws: Draws) -> Array:
    """Draw levels that change at up to four moments and last, some with a season.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Chen and Liu 1993, "Joint Estimation of Model Parameters and Outlier Effects in Time
        Series".
    """
    shifts = draws.normal(4) * 2 * (np.arange(4) < draws.integers(1, 5))
    moments = draws.rng.integers(1, max(2, draws.length), (draws.n, 4, 1))
    values = np.einsum("nk,nkt->nt", shifts, 1.0 * (np.arange(draws.length) >= moments))
    return np.asarray(values + _some_season(draws))


def saturating_growth(draws: Draws) -> Array:
    r"""Draw growth, or decline, to a limit: logistic or Gompertz curves.

    Half of the series have a season that grows along.

    .. math:: x(t) = \frac{1}{1 + e^{-r (t - t_0)}} \quad \text{or} \quad e^{-e^{-r (t - t_0)}}

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Winsor 1932, "The Gompertz Curve as a Growth Curve".
    """
    rate = draws.amounts(3.0, 40.0)
    progress = rate * (np.arange(draws.length) / draws.length - draws.uniform(-0.2, 1.2))
    logistic = 1 / (1 + np.exp(-np.clip(progress, -40, 40)))
    gompertz = np.exp(-np.exp(-np.clip(progress, -6, 40)))
    values = np.where(draws.chance(0.5), logistic, gompertz)
    values = np.where(draws.chance(0.3), 1 - values, values) * 3
    swing = draws.seasonal() * draws.uniform(0, 0.3)
    return values * (1 + swing * draws.chance(0.5))


def calendar_effects(draws: Draws) -> Array:
    """Draw calendar effects: lengths of months, days of the week, holidays that move.

    Where the season has 12 steps (or 4), steps are months (or quarters) from a random year on and
    sum a week of days; otherwise steps are days with a week, an end of the month and holidays once
    a year. With another season, it is added.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: trading days as in Bell and Hillmer 1983, "Modeling Time Series with Calendar
        Variation".
    """
    start = np.datetime64("1980-01-01") + np.timedelta64(7 * int(draws.rng.integers(0, 1000)), "D")
    week = np.abs(1 + 0.4 * draws.pattern(7))
    month = draws.pattern(12) * draws.uniform(0, 0.4)

    if draws.season.length in (4, 12):
        months = start.astype("datetime64[M]") + np.arange(draws.length * 12 // draws.season.length)
        days = np.arange(months[0], months[-1] + np.timedelta64(1, "M"), dtype="datetime64[D]")
        first = (months.astype("datetime64[D]") - days[0]).astype(int)
        daily = week[:, _weekdays(days)] * (1 + month[:, _months(days)])
        sums = np.add.reduceat(daily, first, axis=1)
        return np.asarray(sums.reshape(draws.n, draws.length, -1).sum(axis=2) / 30.4)

    days = start + np.arange(draws.length)
    end = (days + np.timedelta64(3, "D")).astype("datetime64[M]") != days.astype("datetime64[M]")
    values = week[:, _weekdays(days)] * (1 + month[:, _months(days)]) + draws.normal() * 0.3 * end

    year = (days - days.astype("datetime64[Y]")).astype(int)
    for _ in range(3):
        # Most holidays keep to a day of the year, a third to a day of a week, which moves by a few
        # days.
        day = draws.integers(0, 360)
        drift = np.where(draws.chance(0.3), 7, 1)
        is_near = (year[None] - day) // drift == 0
        holiday = is_near & ((drift == 1) | (_weekdays(days)[None] == day % 7))
        values = values + holiday * draws.normal() * 1.5

    if draws.season.length not in (1, 7):
        values = values + _some_season(draws)
    return np.asarray(values)


def _weekdays(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday


def _months(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def _some_season(draws: Draws) -> Array:
    """Return a season for six series of ten, zeros for the others."""
    size = draws.amounts(0.1, 2.0) * draws.chance(0.6)
    return draws.seasonal() * size


def bounded(draws: Draws) -> Array:
    r"""Draw shares and fillings between two bounds.

    They are the logistic function of an autoregression around a season.

    .. math:: y_t = \frac{1}{1 + e^{-g (x_t + c)}}

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`, between 0 and 1.

    Source: Wallis 1987, "Time series analysis of bounded economic variables".
    """
    persistence = 1 - draws.amounts(0.005, 0.5)
    values = of_unit_deviation(autoregressed(draws.noise(BURN_IN), persistence)[:, BURN_IN:])
    values = values + draws.seasonal() * draws.amounts(0.1, 3.0)
    logits = np.clip(draws.uniform(0.5, 3.0) * (values + draws.normal()), -30, 30)
    return np.asarray(1 / (1 + np.exp(-logits)))


def clipped_season(draws: Draws) -> Array:
    """Draw series that are zero for some of each season, as light is at night.

    What shines is dimmed by clouds that come and go.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`, zero or above.

    Source: clear-sky models of radiation, as in Boland 2008, "Time series modelling of solar
        radiation".
    """
    steps = draws.season.length
    if steps <= 3:
        steps = int(draws.rng.integers(12, 49))

    turns = 2 * np.pi * np.arange(steps) / steps
    bell = np.cos(turns) + 0.4 * draws.pattern(steps) * draws.chance(0.5)
    height = np.maximum(draws.repeat(bell - draws.uniform(-0.7, 0.7)), 0.0)
    turns = np.arange(draws.length) / (365 * steps)
    year = 1 + draws.uniform(0, 0.6) * np.sin(2 * np.pi * (turns + draws.uniform(0.0, 1.0)))

    clouds = autoregressed(draws.noise(BURN_IN), 1 - draws.amounts(0.01, 0.7))[:, BURN_IN:]
    cover = draws.uniform(0.4, 1.1) + draws.uniform(0.0, 0.5) * of_unit_deviation(clouds)
    return height * year * np.clip(cover, 0.05, 1.1)


def pulses(draws: Draws) -> Array:
    """Draw loads that switch on and off: steps, ramps, trapezoids and spikes.

    Their period is the season or any other.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: load profiles of appliances, as in Kolter and Johnson 2011, "REDD: A Public Data Set for
        Energy Disaggregation Research"; steps and spikes as in Moroshan et al. 2025,
        arXiv:2510.25502.
    """
    own = draws.amounts(4.0, 256.0)
    in_season = draws.chance(0.6) & (draws.season.length > 3)
    period = np.where(in_season, max(draws.season.length, 4), own)

    # In half of the series cycles begin a little early or late.
    late = draws.walk() * draws.amounts(0.001, 0.1) * draws.chance(0.5)
    turns = np.arange(draws.length) / period + late / np.sqrt(period) + draws.uniform(0.0, 1.0)
    turns = np.maximum.accumulate(turns, axis=1)

    place = turns % 1.0
    on = draws.uniform(0.05, 0.8)
    ramp = draws.uniform(0.0, 0.5) + 1e-3
    shape = np.clip(np.minimum(place, on - place) / (ramp * on), 0.0, 1.0)
    saw = np.where(place < on, place / on, 0.0)
    values = np.where(draws.chance(0.25), saw, shape)

    # Cycles differ in height, some are left out.
    cycle = np.minimum(turns.astype(int) - turns[:, :1].astype(int), draws.length - 1)
    heights = 1 + draws.uniform(0, 0.5) * draws.normal(draws.length)
    heights = heights * (draws.random() > draws.uniform(0.0, 0.4) * draws.chance(0.4))
    values = values * np.take_along_axis(heights, cycle, axis=1)

    hits = draws.random() < 1 / draws.amounts(10.0, 200.0)
    spikes = hits * draws.rng.exponential(size=place.shape)
    return values + spikes * draws.amounts(0.2, 3.0) * draws.chance(0.4)


def waves(draws: Draws) -> Array:
    r"""Draw growth in waves: up to five outbreaks that rise and fall.

    Half of the series are their running sum.

    .. math:: x_t = \sum_k h_k\, \operatorname{sech}^2 \frac{t - c_k}{w_k}

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`.

    Source: Kermack and McKendrick 1927, "A Contribution to the Mathematical Theory of Epidemics",
        whose approximate solution has this form.
    """
    centres = draws.uniform(-0.1, 1.2, 5, 1) * draws.length
    widths = draws.amounts(3.0, max(4.0, draws.length / 6), 5, 1)
    present = np.arange(5) < draws.integers(1, 6)
    heights = draws.rng.exponential(size=(draws.n, 5)) * present + 1e-3
    distance = np.clip((np.arange(draws.length) - centres) / widths, -30, 30)
    values = np.einsum("nk,nkt->nt", heights, 1 / np.cosh(distance) ** 2)
    running_sum = of_unit_deviation(values.cumsum(axis=1))
    reported = 1 + draws.uniform(0.0, 0.5) * draws.half_with_season()
    return np.where(draws.chance(0.5), running_sum, values * np.maximum(reported, 0.0))


def gaussian_process(draws: Draws) -> Array:
    """Draw from Gaussian processes with composed kernels, a new one for every four series.

    Args:
        draws: What the series are drawn from.

    Returns:
        The series, `[n, length]`, of about unit variance.

    Source: KernelSynth, Ansari et al. 2024, "Chronos: Learning the Language of Time Series",
        arXiv:2403.07815, section 4.2; kernels as in Duvenaud et al. 2013, arXiv:1302.4922.
    """
    n = draws.n
    length = draws.length
    values = np.empty((n, length))
    with one_blas_thread():
        for first in range(0, n, SERIES_A_KERNEL):
            count = min(SERIES_A_KERNEL, n - first)
            factor = np.linalg.cholesky(composed_kernel(draws) + 1e-4 * np.eye(length))
            values[first : first + count] = draws.rng.normal(size=(count, length)) @ factor.T
    return values


def composed_kernel(draws: Draws) -> Array:
    """Return the covariance of one to four kernels, which are added or multiplied.

    Args:
        draws: What it is drawn from; its season is that of most periodic kernels.

    Returns:
        The covariance, `[length, length]`, with a mean variance of 1.

    Example:
        >>> kernel = composed_kernel(Draws(np.random.default_rng(0), n=1, length=20))
        >>> kernel.shape, bool(np.linalg.eigvalsh(kernel).min() > -1e-8)
        ((20, 20), True)
    """
    kernel = _simple_kernel(draws)
    for _ in range(int(draws.rng.integers(0, MOST_KERNELS))):
        other = _simple_kernel(draws)
        kernel = kernel * other if draws.rng.random() < 0.5 else kernel + other
    return np.asarray(kernel / max(float(np.mean(np.diag(kernel))), 1e-9))


def _simple_kernel(draws: Draws) -> Array:
    steps = np.arange(draws.length) / draws.length
    name = str(draws.rng.choice(list(_KERNELS), p=list(_KERNELS.values())))
    if name == "linear":
        centred = steps - draws.rng.random()
        return 4 * np.outer(centred, centred)

    # The others depend on the distance of two steps alone.
    lags = np.arange(draws.length)
    covariance = _covariance(draws, name, steps)
    # Numbers near the smallest ones make arithmetic slow.
    covariance[covariance < 1e-12] = 0.0
    return np.asarray(covariance[np.abs(lags[:, None] - lags)])


def _covariance(draws: Draws, name: str, distance: Array) -> Array:
    """Return the covariance of steps at some distances, in fractions of the length."""
    if name == "constant":
        return np.ones(len(distance))
    if name == "noise":
        return np.asarray((distance == 0) * float(draws.rng.choice([0.01, 0.1, 1.0])))
    if name == "season":
        known = [steps for steps in draws.season.lengths if steps > 1]
        if known and draws.rng.random() < 0.8:
            period = float(draws.rng.choice(known))
        else:
            period = float(np.exp(draws.rng.uniform(np.log(2.0), np.log(512.0))))
        wave = np.sin(np.pi * distance * len(distance) / period)
        return np.exp(-2 * (wave / draws.rng.uniform(0.4, 2.0)) ** 2)

    scale = float(np.exp(draws.rng.uniform(np.log(0.02), np.log(1.0))))
    if name == "smooth":
        return np.exp(-0.5 * (distance / scale) ** 2)
    if name == "rough":
        return np.exp(-distance / scale)
    mixture = float(np.exp(draws.rng.uniform(np.log(0.1), np.log(10.0))))
    return (1 + (distance / scale) ** 2 / (2 * mixture)) ** -mixture
