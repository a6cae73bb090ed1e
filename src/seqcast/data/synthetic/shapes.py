"""Families without noise of their own: waves, seasons, trends, shifts, growth, calendars."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic.draws import Season, amounts, chance, pattern, repeat

Array = npt.NDArray[np.float64]
Generator = np.random.Generator


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
    there = np.arange(terms) < rng.integers(1, terms + 1, (n, 1))
    free = np.exp(rng.uniform(np.log(3.0), np.log(200.0), (n, terms)))
    harmonic = max(season.length, 2) / np.arange(1, terms + 1)
    tuned = chance(rng, n, 0.5)[:, None] & (harmonic >= 2)
    periods = np.where(tuned, harmonic, free)[:, :, None]
    phases = rng.uniform(0, 2 * np.pi, (n, terms, 1))
    amplitudes = rng.uniform(0.1, 1.0, (n, terms)) * there
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
    """Draw what calendars do: months of 28 to 31 days, days of the week that fall into them, holidays that move.

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
        # Of most the day of the year, of a third the same day of a week, which moves by a few days.
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
