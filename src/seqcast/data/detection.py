r"""Detection of seasons, from the values of all series together.

Stamps that are whole numbers tell no season. Each series is whitened: an autoregression removes walks and cycles that
change, and its spectrum is divided by its running median, so that only lines that stand out of it are left. Where a
season of `m` steps is, values whole seasons apart then correlate:

.. math:: z_m = \sqrt{\frac{N_e}{N}} \, \frac{\sum_k c_{km}}{\sqrt{\sum_k n_{km}}}, \quad c_l = \sum_t e_t e_{t-l}

over the pairs `n` of all series. `N_e` is the number of independent series, which is smaller than `N` where they move
together. Under the hypothesis of no season `z` has the tail of a chi-squared variable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seqcast.data.frames import AnyFrame
from seqcast.data.synthetic import Season
from seqcast.runtime import Array

# Series that are read, evenly from all, and their last rows.
MOST_SERIES, MOST_ROWS = 200, 4096
# Fewest known values of a series.
LEAST_VALUES = 12
# Seasons that a series has at least; fewer in a panel of this number of series.
LEAST_SEASONS, LEAST_IN_PANELS, PANEL = 3.0, 1.7, 20
# Probability of a season in series that have none.
LEVEL = 0.02
# Seasons that are detected at most, one after another.
MOST_SEASONS = 3
# A fraction of a season is a season of its own if values that far apart correlate this much, as a share: at least, and
# where a random pattern would show half of it.
LEAST_SHARE, NEARLY = 0.25, 0.8
# Lengths of a season that are tried before it is removed, from half a step less to half a step more.
FRACTIONS = 11
# Order of the autoregression, and the largest modulus of roots that swing: a season would be a root of modulus 1.
ORDER, LARGEST_ROOT = 2, 0.95
# Frequencies on each side over which the median of the spectrum is taken: at the lowest ones, and the most.
LEAST_NEIGHBOURS, MOST_NEIGHBOURS = 6, 16
# Deviations of the bells over which neighbouring lags are averaged, for smooth seasons: 0 is none. A season has at
# least twelve of one.
BELLS, STEPS_A_BELL = (0, 1, 2, 4, 8, 16), 12
IMPULSE = np.eye(1, 1 + 2 * STEPS_A_BELL * BELLS[-1], STEPS_A_BELL * BELLS[-1])[0]
# Deviation of the bell that smooths the median.
SMOOTH = 4.0
# Smallest spectrum, as a fraction of its mean.
LEAST_POWER = 1e-6


def detect_seasons(frame: AnyFrame, stops: Array, beyond: int = 1) -> list[int]:
    """Return the seasons that the first rows of series show; see `seasons_of`.

    One that differs by less than a fiftieth from the longer season of the known one is taken for it.

    Args:
        frame: The series.
        stops: Number of rows of each series that are read, `[N]`.
        beyond: As for `seasons_of`.
    """
    chosen = np.unique(np.linspace(0, len(frame.source) - 1, MOST_SERIES).astype(int))
    series = list[Array]()
    for numbers, shard in frame.in_shards():
        for place in np.flatnonzero(np.isin(numbers, chosen)):
            start = shard.source.starts[place]
            series += list(shard.targets[start : start + stops[numbers[place]]].T)
    longer = Season.of(beyond).longer or 0
    return [longer if 50 * abs(steps - longer) < longer else steps for steps in seasons_of(series, beyond)]


def main_season(seasons: Sequence[int]) -> int:
    """Return the season among those detected: the strongest, or the shortest one that it contains.

    Args:
        seasons: Steps of each, the strongest first.

    Example:
        >>> main_season([168, 24]), main_season([30, 7]), main_season([])
        (24, 30, 1)
    """
    return min((steps for steps in seasons if seasons[0] % steps == 0), default=1)


def seasons_of(series: Sequence[Array], beyond: int = 1) -> list[int]:
    """Return the seasons that all series together show, the strongest first.

    A series counts where it has three of them, in panels of 20 series more than one and a half.

    Args:
        series: The series, `[T]` each; NaN is missing, and is interpolated.
        beyond: Steps of a season that is known, beyond which others are detected; 1 is none.

    Returns:
        Steps of each season, at most three; none where nothing repeats itself.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=120)
        >>> seasons_of([noise]), seasons_of([noise + np.resize([3.0, -1.0, 0.0, 1.0, -2.0, 2.0, -3.0], 120)])
        ([], [7])

    Source: Percival and Walden 1993, Spectral analysis for physical applications, sections 6.5 and 10.9, for whitening
    and tests of lines.
    """
    white = [whitened(values) for values in map(_filled, series) if len(values)]
    known = [beyond]
    while white and len(known) <= MOST_SEASONS:
        white = _without(white, known[-1])
        season = _strongest(white, known)
        if season is None:
            break
        known.append(season)
    return known[1:]


def _filled(values: Array) -> Array:
    """Return the last values with gaps interpolated; none where too few are known or all are the same."""
    values = values[-MOST_ROWS:]
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < LEAST_VALUES or np.ptp(values[known]) == 0:
        return values[:0]
    steps = np.arange(known[0], known[-1] + 1)
    return np.interp(steps, known, values[known])


def whitened(values: Array) -> Array:
    """Return a series whose spectrum is flat but for lines, of variance 1.

    Args:
        values: The series, `[T]`.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter

    centred = values - values.mean()
    before = np.stack([centred[ORDER - lag : -lag] for lag in range(1, ORDER + 1)], axis=1)
    roots = np.roots([1.0, *-np.linalg.lstsq(before, centred[ORDER:], rcond=None)[0]])
    most = np.where(np.iscomplex(roots) | (roots.real < 0), LARGEST_ROOT, 1.0)
    roots = roots * np.minimum(1.0, most / np.maximum(np.abs(roots), 1e-9))
    spectrum = np.fft.rfft(np.convolve(centred, np.real(np.poly(roots)), mode="valid"))
    spectrum[0] = 0.0
    power = np.abs(spectrum) ** 2
    around = median_filter(power, 2 * MOST_NEIGHBOURS + 1, mode="reflect")
    # At low frequencies spectra are steeper, so that fewer neighbours are alike.
    for place in range(min(MOST_NEIGHBOURS, len(power))):
        width = max(place, LEAST_NEIGHBOURS)
        around[place] = np.median(np.pad(power[: place + width + 1], (max(0, width - place), 0), mode="symmetric"))
    around += LEAST_POWER * power.mean() + np.finfo(float).tiny
    around = np.exp(gaussian_filter1d(np.log(around), SMOOTH))
    return _of_variance_1(np.fft.irfft(spectrum / np.sqrt(around), len(values) - ORDER))


def _of_variance_1(values: Array) -> Array:
    deviation = float(values.std())
    return np.asarray(values / deviation) if deviation > 0 else values


def _without(white: Sequence[Array], season: int) -> list[Array]:
    """Return series less their mean seasons, of steps and up to half a step more or less: a year has 52.2 weeks."""
    lengths = np.unique(season + np.linspace(-0.5, 0.5, FRACTIONS) * (season > 1))
    means = [[_mean_season(values, season, length) for values in white] for length in lengths]
    best = max(means, key=lambda each: sum(float(np.square(mean).sum()) for mean in each))
    return [_of_variance_1(values - mean) for values, mean in zip(white, best, strict=True)]


def _mean_season(values: Array, season: int, length: float) -> Array:
    """Return the mean of all values in the same of the steps of a season, at each place."""
    phase = (np.arange(len(values)) % length * season / length).astype(int) % season
    return np.asarray((np.bincount(phase, values, season) / np.maximum(np.bincount(phase, minlength=season), 1))[phase])


def _strongest(white: Sequence[Array], known: Sequence[int]) -> int | None:
    """Return the season with the largest statistic; `None` where that is chance.

    Seasons that differ by less than a tenth from known ones are left out.
    """
    longest = max(map(len, white))
    most = int(longest / (LEAST_IN_PANELS if len(white) >= PANEL else LEAST_SEASONS))
    seasons = np.array([m for m in range(2, most + 1) if all(abs(m - each) >= each / 10 for each in known)], dtype=int)
    if not len(seasons):
        return None
    independent = _independent(white)
    products, pairs = (each * independent / len(white) for each in _products(white, longest))
    scores = _scores(products, pairs, seasons, independent)
    best = int(np.argmax(scores))
    if len(BELLS) * len(seasons) * 0.5 * math.erfc(scores[best] / math.sqrt(2)) > LEVEL:
        return None
    return _fraction_of(int(seasons[best]), set(seasons.tolist()), products, pairs)


def _scores(products: Array, pairs: Array, seasons: Array, independent: float) -> Array:
    """Return the statistic of each season as a normal score, over the bell with which it is largest.

    Args:
        products: Sum of products of values some steps apart, by their distance, `[T]`.
        pairs: Number of these.
        seasons: The seasons, `[S]`.
        independent: Number of independent series.
    """
    from scipy.ndimage import gaussian_filter1d

    counts, scores = _summed(pairs, seasons), np.full((len(BELLS), len(seasons)), -np.inf)
    for bell, own in zip(BELLS, scores, strict=True):
        smooth, single = (gaussian_filter1d(each, bell) if bell else each for each in (products, IMPULSE))
        fits = seasons >= STEPS_A_BELL * bell
        # The bell leaves fewer independent steps in a season.
        left = float(np.sum(single**2))
        freedom = np.maximum((seasons[fits] - 1) * left, 1.0) * independent
        sums = _summed(smooth, seasons[fits]) / np.sqrt(left * counts[fits])
        # Wilson and Hilferty's root makes a chi-squared variable, here in units of its deviation, nearly normal.
        own[fits] = (np.cbrt(1 + sums * np.sqrt(2 / freedom)) - 1 + 2 / (9 * freedom)) / np.sqrt(2 / (9 * freedom))
    return np.asarray(scores.max(axis=0))


def _fraction_of(season: int, allowed: set[int], products: Array, pairs: Array) -> int:
    """Return the fraction of a season that explains most of it, more than by chance; itself where there is none.

    The fraction of a random pattern explains of it as much as it has steps.
    """
    best, most = season, 0.0
    for count in range(season // 2, 1, -1):
        lengths = np.array([round(season / count), season])
        explained, whole = _summed(products, lengths) / _summed(pairs, lengths)
        share, by_chance = explained / whole, (lengths[0] - 1) / (season - 1)
        if lengths[0] in allowed and share >= max(LEAST_SHARE, min(NEARLY, 2 * by_chance)) and share - by_chance > most:
            best, most = int(lengths[0]), share - by_chance
    return best


def _summed(values: Array, seasons: Array) -> Array:
    """Return the sums over the lags of whole seasons."""
    return np.array([float(values[steps::steps].sum()) for steps in seasons.tolist()])


def _products(white: Sequence[Array], length: int) -> tuple[Array, Array]:
    """Return for each lag the sum of products of values that lag apart, and their number, over all series, `[T]`."""
    products, pairs = np.zeros(length), np.zeros(length)
    for values in white:
        count = len(values)
        power = np.abs(np.fft.rfft(values, 2 * count)) ** 2
        products[:count] += np.fft.irfft(power)[:count]
        pairs[:count] += np.arange(count, 0, -1)
    return products, pairs


def _independent(white: Sequence[Array]) -> float:
    """Return the number of independent series that have as much chance variation together, by their last values."""
    count, shortest = len(white), min(map(len, white))
    together = np.stack([_of_variance_1(values[-shortest:] - values[-shortest:].mean()) for values in white])
    if count == 1:
        return 1.0
    squares = float(np.sum((together @ together.T / shortest) ** 2)) - count
    shared = max(0.0, squares / (count * (count - 1)) - 1 / shortest)
    return count / (1 + (count - 1) * shared)
