r"""Detection of seasons, from the values of all series together.

Stamps that are whole numbers tell no season. Each series is whitened: an autoregression removes
walks and cycles that change, and its spectrum is divided by its running median, so that only lines
that stand out of it are left. The waves of a season of `m` steps then explain a share of the
values, which is their power in the spectrum:

.. math:: R^2 = \frac{\sum_{k \le h} I(k / m)}{\sum_t e_t^2}, \quad
    R^2 \sim \mathrm{Beta}\Big(h N_e, \frac{N_e}{N} \frac{n}{2} - h N_e\Big) \text{ by chance}

for `n` values of `N` series. `N_e` is the number of independent ones, smaller than `N` where they
move together. The season and the number of waves `h` with the least probability are taken, and
removed before the next season.
"""

import math
from collections.abc import Sequence

import numpy as np

from seqcast.data.frames import AnyFrame
from seqcast.data.season_lengths import Season
from seqcast.runtime import Array

# Most series that are read, evenly from all.
MOST_SERIES = 200
# Most rows of a series that are read, the last ones.
MOST_ROWS = 4096
# Fewest known values of a series.
LEAST_VALUES = 12
# Fewest seasons in a series.
LEAST_SEASONS = 3.0
# Fewest seasons in a series of a panel.
LEAST_IN_PANELS = 1.7
# Fewest series of a panel.
PANEL = 20
# Probability of a season in series that have none.
LEVEL = 0.0003
# Most seasons that are detected, one after another.
MOST_SEASONS = 3
# A fraction of a season that explains less of it than this is no season of its own.
LEAST_SHARE = 0.25
# One that explains this much of it always is.
NEARLY = 0.9
# Between these it has to explain as many deviations more than a fraction of a random pattern.
DEVIATIONS = 3.0
# Difference of log-probabilities within which a fraction of a season is taken for the season.
WITHIN = 3.0
# Lengths of a season that are tried before it is removed, from half a step less to half a step
# more.
FRACTIONS = 11
# Order of the autoregression.
ORDER = 2
# Largest modulus of its roots that swing: a season would be a root of modulus 1.
LARGEST_ROOT = 0.95
# Neighbours on each side over which the median of the spectrum is taken, at the lowest frequencies.
LEAST_NEIGHBOURS = 6
# The same at all others.
MOST_NEIGHBOURS = 16
# Numbers of waves of a season that are tried: a sine is one, and a spike has half as many as steps.
NUMBERS = np.array(
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
)
# Most waves of a season in each search for one season after another. Two sines are nearly a longer
# season with two waves, which a search with one wave does not see.
MOST_WAVES = (1, 4, 1024)
# Most waves of a season that is compared with its neighbours, and removed wave by wave.
FEW_WAVES = 4
# Distance of these neighbours, as a fraction of the season.
NEAR = 0.06
# Least share of chance variation that series have in common: whitening errs alike in all, so that a
# panel counts as 14 independent series at most.
LEAST_SHARED = 0.07
# Frequencies of the spectrum for each that is independent.
FINER = 8
# Deviation of the Gaussian filter that smooths the median, in frequencies.
SMOOTH = 4.0
# Smallest spectrum, as a fraction of its mean.
LEAST_POWER = 1e-6


def detect_seasons(frame: AnyFrame, stops: Array, beyond: int = 1) -> list[int]:
    """Return the seasons that the first rows of series show; see `seasons_of`.

    One that differs by less than a fiftieth from the longer season of the known one is taken for
    it.

    Args:
        frame: The series.
        stops: Number of rows of each series that are read, `[N]`.
        beyond: As for `seasons_of`.
    """
    chosen = np.unique(np.linspace(0, len(frame.source) - 1, MOST_SERIES).astype(int))
    series: list[Array] = []
    for numbers, shard in frame.in_shards():
        for place in np.flatnonzero(np.isin(numbers, chosen)):
            start = shard.source.starts[place]
            series += list(shard.targets[start : start + stops[numbers[place]]].T)

    longer = Season.of(beyond).longer or 0
    detected = seasons_of(series, beyond)
    return [longer if 50 * abs(steps - longer) < longer else steps for steps in detected]


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

    A series counts where it has three of them; in panels of 20 series half of these have more than
    one and a half.

    Args:
        series: The series, `[T]` each; NaN is missing, and is interpolated.
        beyond: Steps of a season that is known, beyond which others are detected; 1 is none.

    Returns:
        Steps of each season, at most three; none where nothing repeats itself.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=120)
        >>> week = np.resize([3.0, -1.0, 0.0, 1.0, -2.0, 2.0, -3.0], 120)
        >>> seasons_of([noise]), seasons_of([noise + week])
        ([], [7])

    Source: Percival and Walden 1993, Spectral analysis for physical applications, sections 6.5 and
        10.9, for whitening and tests of lines; Quinn and Thomson 1991, Estimating the
        frequency of a periodic function, Biometrika 78(1), for sums over waves.
    """
    white = [whitened(values) for values in map(_filled, series) if len(values)]
    if not white:
        return []

    white = _without(white, beyond)
    searches = [_search(white, beyond, most_waves) for most_waves in MOST_WAVES]
    return min(searches, key=lambda search: search[0])[1]


def _filled(values: Array) -> Array:
    """Return the last values with gaps interpolated; none where few are known or all are equal."""
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
        around[place] = np.median(
            np.pad(power[: place + width + 1], (max(0, width - place), 0), mode="symmetric")
        )

    around += LEAST_POWER * power.mean() + np.finfo(float).tiny
    around = np.exp(gaussian_filter1d(np.log(around), SMOOTH))
    return _of_variance_1(np.fft.irfft(spectrum / np.sqrt(around), len(values) - ORDER))


def _of_variance_1(values: Array) -> Array:
    deviation = float(values.std())
    return np.asarray(values / deviation) if deviation > LEAST_POWER else values


def _without(white: Sequence[Array], season: int, waves: int | None = None) -> list[Array]:
    """Return series less few waves of a season, or less their mean seasons.

    The latter are of steps and up to half a step more or less: a year has 52.2 weeks.
    """
    if waves is not None and waves <= FEW_WAVES:
        return [_without_waves(values, season, waves) for values in white]

    lengths = np.unique(season + np.linspace(-0.5, 0.5, FRACTIONS) * (season > 1))
    means = [[_mean_season(values, season, length) for values in white] for length in lengths]
    best = max(means, key=lambda each: sum(float(np.square(mean).sum()) for mean in each))
    return [_of_variance_1(values - mean) for values, mean in zip(white, best, strict=True)]


def _without_waves(values: Array, season: int, waves: int) -> Array:
    basis = _waves(len(values), season, waves)
    return _of_variance_1(values - basis @ (basis.T @ values))


def _mean_season(values: Array, season: int, length: float) -> Array:
    """Return the mean of all values in the same of the steps of a season, at each place."""
    phase = (np.arange(len(values)) % length * season / length).astype(int) % season
    counts = np.maximum(np.bincount(phase, minlength=season), 1)
    means = np.bincount(phase, values, season) / counts
    return np.asarray(means[phase])


def _search(white: Sequence[Array], beyond: int, most_waves: int) -> tuple[float, list[int]]:
    """Return the log-probability that seasons are chance, and the seasons.

    They are found one after another, each in series from which those before are removed.

    Args:
        white: The series.
        beyond: As for `seasons_of`.
        most_waves: Most waves of a season that are looked at.
    """
    fewest = LEAST_IN_PANELS if len(white) >= PANEL else LEAST_SEASONS
    longest = int(np.median([len(values) for values in white]) / fewest)
    candidates = np.arange(2, longest + 1)
    evidence = 0.0
    known = [beyond]

    while len(known) <= MOST_SEASONS:
        near = [np.abs(candidates - each) < each / 10 for each in known]
        allowed = candidates[~np.any(near, axis=0)]
        chance, season, waves = _next_season(white, allowed, most_waves)
        if chance > math.log(LEVEL):
            break
        white = _without(white, season, waves)
        evidence = evidence + chance
        known.append(season)

    # Waves of a smooth season that were removed after it are no seasons.
    seasons = known[1:]
    whole = [each for place, each in enumerate(seasons) if not _is_wave(each, seasons[:place])]
    return evidence, whole


def _is_wave(season: int, before: Sequence[int]) -> bool:
    """Return whether a season is the second, third or fourth wave of one of those before it."""
    return any(abs(count * season - each) < 0.2 * count for each in before for count in (2, 3, 4))


def _next_season(white: Sequence[Array], allowed: Array, most_waves: int) -> tuple[float, int, int]:
    """Return the log-probability that the best season is chance, the season, and its waves."""
    if not len(allowed):
        return 0.0, 1, 0

    waves, chances, explained = _chances(white, allowed, most_waves)
    best = np.argmin(chances, axis=1)
    least = chances.min(axis=1)
    place = int(np.argmin(least))
    chance = float(least[place]) + math.log(chances.size)

    if waves[place, best[place]] <= FEW_WAVES:
        place = _exact(white, allowed, place, int(waves[place, best[place]]))
    else:
        place = _fraction_of(place, allowed, explained)
    place = _shortest(place, allowed, least)
    return chance, int(allowed[place]), int(waves[place, best[place]])


def _chances(white: Sequence[Array], seasons: Array, most_waves: int) -> tuple[Array, Array, Array]:
    """Return numbers of waves of seasons, and the log-probabilities of their power.

    Both are `[S, numbers]`. The third array has the shares of the values that all waves explain
    beyond chance, `[S]`.

    Args:
        white: The series.
        seasons: The seasons, `[S]`.
        most_waves: Most waves of a season.
    """
    length = max(map(len, white))
    values = sum(map(len, white))
    power = np.zeros(FINER * length // 2 + 1)
    for each in white:
        power += np.abs(np.fft.rfft(each, FINER * length)) ** 2 * (2 / len(each))

    # All waves of all seasons, one season after another. A wave of two steps has a sign, but no
    # phase.
    most = np.minimum(seasons // 2, most_waves)
    firsts = np.cumsum(most) - most
    season = np.repeat(seasons, most)
    number = 1 + np.arange(most.sum()) - np.repeat(firsts, most)
    places = np.minimum(np.rint(number * FINER * length / season).astype(int), len(power) - 1)
    sums = np.pad(np.cumsum(power[places] * np.where(2 * number == season, 0.5, 1.0)), (1, 0))
    waves = np.minimum(NUMBERS[: 1 + np.searchsorted(NUMBERS, most.max())], most[:, None])
    explained = (sums[firsts[:, None] + waves] - sums[firsts, None]) / values

    # The parameters of the beta distribution of the share that waves explain by chance.
    independent = _independent(white)
    ours = np.minimum(2 * waves, seasons[:, None] - 1) * independent / 2
    rest = np.maximum(values * independent / len(white) / 2 - ours, 1.0)
    by_chance = ours / (ours + rest)
    explained = np.clip(explained, by_chance, 1 - 1e-12)
    return waves, _log_tail(explained, ours, rest), (explained - by_chance)[:, -1]


def _log_tail(x: Array, a: Array, b: Array) -> Array:
    """Return the logarithm of about the probability that a beta variable is above `x`."""
    from scipy.special import betaln

    # The first term of the tail, and the ratio of the next one to it.
    first = b * np.log1p(-x) + a * np.log(x) - np.log(b) - betaln(a, b)
    ratio = (1 - x) * (a + b) / (b + 1)
    return np.asarray(np.minimum(first - np.log1p(-ratio), 0.0))


def _exact(white: Sequence[Array], seasons: Array, place: int, waves: int) -> int:
    """Return the place of the season near another one that fits best.

    Few periods shift the peaks of a spectrum.
    """
    near = np.flatnonzero(np.abs(seasons - seasons[place]) <= max(1.0, NEAR * seasons[place]))
    lengths = {len(values) for values in white}

    def fit(steps: int) -> float:
        bases = {length: _waves(length, steps, min(waves, steps // 2)) for length in lengths}
        return sum(float(np.square(values @ bases[len(values)]).sum()) for values in white)

    return max(near.tolist(), key=lambda each: fit(int(seasons[each])))


def _fraction_of(place: int, seasons: Array, explained: Array) -> int:
    """Return the place of the fraction that explains most of a season; else its own.

    The fraction explains more than by chance. The fraction of a random pattern explains of it as
    much as it has steps.
    """
    steps = seasons[place] - 1
    shares = explained / max(explained[place], LEAST_POWER)
    by_chance = np.minimum((seasons - 1) / steps, 1.0)
    needed = by_chance + DEVIATIONS * np.sqrt(2 * by_chance * (1 - by_chance) / steps)

    counts = np.maximum(np.rint(seasons[place] / seasons), 1)
    is_fraction = (counts > 1) & (np.rint(seasons[place] / counts) == seasons)
    is_season = is_fraction & (shares >= np.clip(needed, LEAST_SHARE, NEARLY))

    if not is_season.any():
        return place
    return int(np.argmax(np.where(is_season, shares - by_chance, 0.0)))


def _shortest(place: int, seasons: Array, chances: Array) -> int:
    """Return the place of the shortest fraction of a season that is nearly as improbable."""
    counts = np.rint(seasons[place] / seasons)
    # The season is a fraction of itself.
    is_fraction = np.abs(seasons * counts - seasons[place]) <= counts / 2
    return int(np.argmax((chances < chances[place] + WITHIN) & is_fraction))


def _waves(length: int, season: int, waves: int) -> Array:
    """Return an orthonormal basis of a constant and waves of a season, `[length, 1 + 2 waves]`."""
    angles = 2 * np.pi * np.outer(np.arange(length), np.arange(waves + 1)) / season
    columns = np.concatenate([np.cos(angles), np.sin(angles[:, 1 : (season + 1) // 2])], axis=1)
    return np.linalg.qr(columns)[0]


def _independent(white: Sequence[Array]) -> float:
    """Return the number of independent series with as much chance variation, by the last values."""
    count = len(white)
    if count == 1:
        return 1.0

    shortest = min(map(len, white))
    together = np.stack(
        [_of_variance_1(values[-shortest:] - values[-shortest:].mean()) for values in white]
    )
    squares = float(np.sum((together @ together.T / shortest) ** 2)) - count
    shared = max(LEAST_SHARED, squares / (count * (count - 1)) - 1 / shortest)
    return count / (1 + (count - 1) * shared)
