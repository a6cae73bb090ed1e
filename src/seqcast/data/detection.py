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
from seqcast.data.synthetic import Season
from seqcast.runtime import Array

# Series that are read, evenly from all, and their last rows.
MOST_SERIES = 200
MOST_ROWS = 4096
# Fewest known values of a series.
LEAST_VALUES = 12
# Seasons that a series has at least; fewer in a panel of this number of series.
LEAST_SEASONS = 3.0
LEAST_IN_PANELS = 1.7
PANEL = 20
# Probability of a season in series that have none.
LEVEL = 0.0003
# Seasons that are detected at most, one after another.
MOST_SEASONS = 3
# A fraction of a season is a season of its own if it explains this much of it: at least, almost
# all, and otherwise some deviations more than of a random pattern.
LEAST_SHARE = 0.25
NEARLY = 0.9
DEVIATIONS = 3.0
# Logarithm of probabilities within which a fraction of a season is taken for the season.
WITHIN = 3.0
# Lengths of a season that are tried before it is removed, from half a step less to half a step
# more.
FRACTIONS = 11
# Order of the autoregression, and the largest modulus of roots that swing: a season would be a root
# of modulus 1.
ORDER = 2
LARGEST_ROOT = 0.95
# Frequencies on each side over which the median of the spectrum is taken: at the lowest ones, and
# the most.
LEAST_NEIGHBOURS = 6
MOST_NEIGHBOURS = 16
# Numbers of waves of a season that are tried: a sine is one, and a spike has half as many as steps.
NUMBERS = np.array(
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
)
# Most waves of a season on each of the ways to seek one season after another. Two sines are nearly
# a longer season with two waves, which a way with one does not see.
MOST_WAVES = (1, 4, 1024)
FEW_WAVES = 4
# Seasons that are compared with one of few waves, as a fraction of it.
NEAR = 0.06
# Least share of chance variation that series have in common: whitening errs alike in all, so that a
# panel counts as 14 independent series at most.
LEAST_SHARED = 0.07
# Frequencies of the spectrum for each that is independent.
FINER = 8
# Deviation of the bell that smooths the median.
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
    series = list[Array]()
    for numbers, shard in frame.in_shards():
        for place in np.flatnonzero(np.isin(numbers, chosen)):
            start = shard.source.starts[place]
            series += list(shard.targets[start : start + stops[numbers[place]]].T)
    longer = Season.of(beyond).longer or 0
    return [
        longer if 50 * abs(steps - longer) < longer else steps
        for steps in seasons_of(series, beyond)
    ]


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
        >>> seasons_of([noise]), seasons_of([noise + np.resize([3.0, -1.0, 0.0, 1.0, -2.0, 2.0, -3.0], 120)])
        ([], [7])

    Source: Percival and Walden 1993, Spectral analysis for physical applications, sections 6.5 and
        10.9, for whitening
    and tests of lines; Quinn and Thomson 1991, Estimating the frequency of a periodic function,
    Biometrika 78(1), for sums over waves.
    """
    white = [whitened(values) for values in map(_filled, series) if len(values)]
    if not white:
        return []
    white = _without(white, beyond)
    return min(
        (_path(white, beyond, most_waves) for most_waves in MOST_WAVES), key=lambda path: path[0]
    )[1]


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
        bases = {
            length: _waves(length, season, waves) for length in {len(values) for values in white}
        }
        return [
            _of_variance_1(values - (own := bases[len(values)]) @ (own.T @ values))
            for values in white
        ]
    lengths = np.unique(season + np.linspace(-0.5, 0.5, FRACTIONS) * (season > 1))
    means = [[_mean_season(values, season, length) for values in white] for length in lengths]
    best = max(means, key=lambda each: sum(float(np.square(mean).sum()) for mean in each))
    return [_of_variance_1(values - mean) for values, mean in zip(white, best, strict=True)]


def _mean_season(values: Array, season: int, length: float) -> Array:
    """Return the mean of all values in the same of the steps of a season, at each place."""
    phase = (np.arange(len(values)) % length * season / length).astype(int) % season
    return np.asarray(
        (np.bincount(phase, values, season) / np.maximum(np.bincount(phase, minlength=season), 1))[
            phase
        ]
    )


def _path(white: Sequence[Array], beyond: int, most_waves: int) -> tuple[float, list[int]]:
    """Return the logarithm of the probability that seasons are chance, and the seasons, one removed after another.

    Args:
        white: The series.
        beyond: As for `seasons_of`.
        most_waves: Most waves of a season that are looked at.
    """
    most = int(
        np.median([*map(len, white)]) / (LEAST_IN_PANELS if len(white) >= PANEL else LEAST_SEASONS)
    )
    evidence = 0.0
    known = [beyond]
    while len(known) <= MOST_SEASONS:
        allowed = [
            m for m in range(2, most + 1) if all(abs(m - each) >= each / 10 for each in known)
        ]
        chance, season, waves = _next_season(white, np.array(allowed, dtype=int), most_waves)
        if chance > math.log(LEVEL):
            break
        white = _without(white, season, waves)
        evidence = evidence + chance
        known = [*known, season]
    # Waves of a smooth season that were removed after it are no seasons.
    return evidence, [
        season for place, season in enumerate(known[1:], 1) if not _is_wave(season, known[1:place])
    ]


def _is_wave(season: int, before: Sequence[int]) -> bool:
    """Return whether a season is the second, third or fourth wave of one of those before it."""
    return any(abs(count * season - each) < 0.2 * count for each in before for count in (2, 3, 4))


def _next_season(white: Sequence[Array], allowed: Array, most_waves: int) -> tuple[float, int, int]:
    """Return the logarithm of the probability that the best of the seasons is chance, the season, and its waves."""
    if not len(allowed):
        return 0.0, 1, 0
    waves, chances, explained = _chances(white, allowed, most_waves)
    best = np.argmin(chances, axis=1)
    least = chances.min(axis=1)
    place = own = int(np.argmin(least))
    if waves[place, best[place]] <= FEW_WAVES:
        own = _exact(white, allowed, place, int(waves[place, best[place]]))
    else:
        own = _fraction_of(place, allowed, explained)
    own = _shortest(own, allowed, least)
    return (
        float(least[place]) + math.log(chances.size),
        int(allowed[own]),
        int(waves[own, best[own]]),
    )


def _chances(white: Sequence[Array], seasons: Array, most_waves: int) -> tuple[Array, Array, Array]:
    """Return numbers of waves of seasons, and the logarithms of the probabilities of their power, `[S, numbers]` each.

    The third array has the shares of the values that all waves explain beyond chance, `[S]`.

    Args:
        white: The series.
        seasons: The seasons, `[S]`.
        most_waves: Most waves of a season.
    """
    from scipy.special import betaln

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
    independent = _independent(white)
    ours = np.minimum(2 * waves, seasons[:, None] - 1) * independent / 2
    rest = np.maximum(values * independent / len(white) / 2 - ours, 1.0)
    explained = (sums[firsts[:, None] + waves] - sums[firsts, None]) / values
    explained = np.clip(explained, ours / (ours + rest), 1 - 1e-12)
    # The first term of the tail of a beta variable, and the ratio of the next one to it.
    ratio = (1 - explained) * (ours + rest) / (rest + 1)
    first = (
        rest * np.log1p(-explained) + ours * np.log(explained) - np.log(rest) - betaln(ours, rest)
    )
    return (
        waves,
        np.minimum(first - np.log1p(-ratio), 0.0),
        (explained - ours / (ours + rest))[:, -1],
    )


def _exact(white: Sequence[Array], seasons: Array, place: int, waves: int) -> int:
    """Return the place of the season near another one that fits best: few periods shift the peaks of a spectrum."""
    near = np.flatnonzero(np.abs(seasons - seasons[place]) <= max(1.0, NEAR * seasons[place]))
    lengths = {len(values) for values in white}

    def fit(steps: int) -> float:
        bases = {length: _waves(length, steps, min(waves, steps // 2)) for length in lengths}
        return sum(float(np.square(values @ bases[len(values)]).sum()) for values in white)

    return max(near.tolist(), key=lambda each: fit(int(seasons[each])))


def _fraction_of(place: int, seasons: Array, explained: Array) -> int:
    """Return the place of the fraction of a season that explains most of it, more than by chance; else its own.

    The fraction of a random pattern explains of it as much as it has steps.
    """
    steps = seasons[place] - 1
    shares = explained / max(explained[place], LEAST_POWER)
    by_chance = np.minimum((seasons - 1) / steps, 1.0)
    needed = by_chance + DEVIATIONS * np.sqrt(2 * by_chance * (1 - by_chance) / steps)
    counts = np.maximum(np.rint(seasons[place] / seasons), 1)
    is_fraction = (counts > 1) & (np.rint(seasons[place] / counts) == seasons)
    is_season = is_fraction & (shares >= np.clip(needed, LEAST_SHARE, NEARLY))
    return (
        int(np.argmax(np.where(is_season, shares - by_chance, 0.0))) if is_season.any() else place
    )


def _shortest(place: int, seasons: Array, chances: Array) -> int:
    """Return the place of the shortest fraction of a season that is nearly as improbable; its own without one."""
    counts = np.rint(seasons[place] / seasons)
    near = (chances < chances[place] + WITHIN) & (
        np.abs(seasons * counts - seasons[place]) <= counts / 2
    )
    return int(np.argmax(near))


def _waves(length: int, season: int, waves: int) -> Array:
    """Return an orthonormal basis of a constant and the first waves of a season, `[length, 1 + 2 waves]`."""
    angles = 2 * np.pi * np.outer(np.arange(length), np.arange(waves + 1)) / season
    columns = np.concatenate([np.cos(angles), np.sin(angles[:, 1 : (season + 1) // 2])], axis=1)
    return np.linalg.qr(columns)[0]


def _independent(white: Sequence[Array]) -> float:
    """Return the number of independent series that have as much chance variation together, by their last values."""
    count = len(white)
    shortest = min(map(len, white))
    together = np.stack(
        [_of_variance_1(values[-shortest:] - values[-shortest:].mean()) for values in white]
    )
    if count == 1:
        return 1.0
    squares = float(np.sum((together @ together.T / shortest) ** 2)) - count
    shared = max(LEAST_SHARED, squares / (count * (count - 1)) - 1 / shortest)
    return count / (1 + (count - 1) * shared)
