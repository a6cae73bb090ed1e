"""Endless batches of synthetic series of all families."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data import Season
from seqcast.errors import SpecError, unknown_name
from seqcast.specs import check_int
from synthetic import augmentations, shapes, stochastic
from synthetic.patterns import Array, Draws


@dataclass(frozen=True)
class Family:
    """A family of synthetic series.

    Args:
        draw: Returns series that are drawn from a generator, for their number, length and season.
        clean: Whether it has no noise of its own, so that some is added.
        signed: Whether values may be negative and take any transformation; counts, for one, stay
            counts.
    """

    draw: Callable[[Draws], Array]
    clean: bool = False
    signed: bool = True


FAMILIES: Mapping[str, Family] = {
    "exponential_smoothing": Family(stochastic.exponential_smoothing),
    "arima": Family(stochastic.arima),
    "seasonal_arima": Family(stochastic.seasonal_arima),
    "autoregression": Family(stochastic.autoregression),
    "random_poles": Family(stochastic.random_poles),
    "random_walk": Family(stochastic.random_walk),
    "switching": Family(stochastic.switching),
    "heteroscedastic": Family(stochastic.heteroscedastic),
    "gaussian_process": Family(shapes.gaussian_process),
    "several_seasons": Family(shapes.several_seasons, clean=True),
    "calendar_effects": Family(shapes.calendar_effects, clean=True),
    "clipped_season": Family(shapes.clipped_season, signed=False),
    "sines": Family(shapes.sines, clean=True),
    "piecewise_trend": Family(shapes.piecewise_trend, clean=True),
    "level_shifts": Family(shapes.level_shifts, clean=True),
    "pulses": Family(shapes.pulses, clean=True),
    "saturating_growth": Family(shapes.saturating_growth, clean=True),
    "waves": Family(shapes.waves, clean=True),
    "bounded": Family(shapes.bounded),
    "intermittent_counts": Family(stochastic.intermittent_counts, signed=False),
    "demand": Family(stochastic.demand, signed=False),
}
"""The families by name."""

# Season lengths and their frequency among batches: none, quarters, a week of work, weeks, months,
# days, half-hours, years of weeks, quarter-hours; and any others, 0.
SEASONS = {
    1: 0.2,
    4: 0.1,
    5: 0.03,
    7: 0.12,
    12: 0.16,
    24: 0.14,
    48: 0.04,
    52: 0.04,
    96: 0.05,
    0: 0.12,
}


# Steps of the longest season, a week of quarter-hours.
LONGEST_SEASON = 672


# Frequency of batches at a finer step, of which every second, third or fourth value is taken; never
# with slow seasons, nor with seasons that would be longer than the longest.
THINNED = {1: 0.88, 2: 0.06, 3: 0.03, 4: 0.03}


# Seasons of yearly, quarterly, monthly and weekly values, which grow more often than they shrink.
SLOW = (1, 4, 12, 52)


def synthetic_series(
    family: str,
    n: int,
    length: int,
    *,
    season_length: int = 1,
    seed: int | None = None,
    clean: bool = False,
) -> Array:
    """Draw series of one family.

    Args:
        family: Its name, one of `FAMILIES`.
        n: Number of series, `N`.
        length: Steps of each, `L`.
        season_length: Steps of their season; 1 is none.
        seed: Seed of everything that is random; `None` draws one.
        clean: Whether families without noise of their own stay without.

    Returns:
        The series, `[N, L]`.

    Raises:
        SpecError: There is no such family, or a size is no positive whole number.

    Example:
        >>> synthetic_series("intermittent_counts", 2, 8, season_length=7, seed=1).tolist()[1][:4]
        [0.0, 0.0, 0.0, 1.0]
    """
    if family not in FAMILIES:
        raise unknown_name("family", family, FAMILIES)
    check_int("n", n)
    check_int("length", length)
    season = Season.of(check_int("season_length", season_length))
    return _drawn(Draws(np.random.default_rng(seed), n, length, season), family, noise=not clean)


def _drawn(draws: Draws, family: str, *, step: int = 1, noise: bool = True) -> Array:
    """Draw series at a finer step, take every `step`-th value, add noise to those without any."""
    season = Season(*(step * each for each in draws.season.lengths))
    finer = replace(draws, length=draws.length * step, season=season)
    values = FAMILIES[family].draw(finer)[:, ::step]
    if FAMILIES[family].clean and noise:
        values = augmentations.with_noise(draws, values, draws.persistent_noise())
    return values


@dataclass(frozen=True)
class SyntheticBatch:
    """Series of one season.

    Args:
        values: The series, `[N, L]`; NaN is missing.
        season: Their season.
        families: Name of the family of each, `[N]`; of a mixture, that of the series that it
            replaced.
    """

    values: Array
    season: Season
    families: npt.NDArray[Any]


@dataclass(frozen=True)
class SyntheticSeries:
    """Endless batches of series of all families; batch `k` depends on the seed and on `k` alone.

    Args:
        seed: The seed.
        length: Steps of each series, `L`.
        weights: Weight of each family in every batch, by name; by default that of all `FAMILIES` is
            the same.
        seasons: Frequency of each season length among batches; the length 0 stands for one that is
            drawn from 2 to 672.
        gaps: Fraction of the series with missing values.

    Raises:
        SpecError: A family is unknown, or no weight is above 0.

    Example:
        >>> series = SyntheticSeries(seed=0, length=60)
        >>> batch = series.batch(3, n=16)
        >>> batch.values.shape, bool((series.batch(3, n=16).values == batch.values).all())
        ((16, 60), True)
    """

    seed: int
    length: int = 576
    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 1.0))
    seasons: Mapping[int, float] = field(default_factory=lambda: SEASONS)
    gaps: float = 0.0

    def __post_init__(self) -> None:
        check_int("length", self.length)
        for name in self.weights:
            if name not in FAMILIES:
                raise unknown_name("weights", name, FAMILIES)
        for argument, weights in (("weights", self.weights), ("seasons", self.seasons)):
            if min(weights.values(), default=-1) < 0 or not sum(weights.values()) > 0:
                expected = "weights of 0 or more, one above 0"
                raise SpecError(
                    argument, expected=expected, received=repr(weights), hint="Raise one."
                )

    def batch(self, number: int, *, n: int) -> SyntheticBatch:
        """Return a batch.

        Args:
            number: Its number, `k`, from 0.
            n: Number of series.
        """
        rng = np.random.default_rng([self.seed, number])
        season = self._season(rng)
        families = _stratified(rng, self.weights, n)
        step = int(rng.choice(list(THINNED), p=_probabilities(THINNED)))
        if season.length in SLOW or step * season.length > LONGEST_SEASON:
            step = 1

        values = np.empty((n, self.length))
        for name in np.unique(families):
            places = np.flatnonzero(families == name)
            values[places] = _drawn(Draws(rng, len(places), self.length, season), name, step=step)

        changed = self._changed(Draws(rng, n, self.length, season), values, families)
        return SyntheticBatch(changed, season, families)

    def _season(self, rng: np.random.Generator) -> Season:
        length = int(rng.choice(list(self.seasons), p=_probabilities(self.seasons)))
        if length == 0:
            length = int(np.exp(rng.uniform(np.log(2.0), np.log(LONGEST_SEASON + 1.0))))
            longer = length * int(rng.integers(2, 13))
            if longer <= LONGEST_SEASON and rng.random() < 0.5:
                return Season(length, longer)
            return Season(length)

        # Most series get the usual longer season, where there is one.
        return Season.of(length) if rng.random() < 0.7 else Season(length)

    def _changed(self, draws: Draws, values: Array, families: npt.NDArray[Any]) -> Array:
        signed = np.array([FAMILIES[name].signed for name in families], dtype=bool)
        values[signed] = _of_any_sign(replace(draws, n=int(signed.sum())), values[signed])
        values = augmentations.mixed(draws, values, 0.1)
        values = np.where(draws.chance(0.1), values[:, ::-1], values)
        values = augmentations.with_outliers(draws, values, 0.08)
        values = augmentations.censored(draws, values, 0.04)
        values = augmentations.quantised(draws, values, 0.08)
        # Units of any size.
        values = values * draws.amounts(1e-2, 1e4)
        return augmentations.with_gaps(draws, values, self.gaps)


def _of_any_sign(draws: Draws, values: Array) -> Array:
    """Return series after the augmentations of those that may be negative."""
    # Falls are as frequent as rises.
    values = augmentations.modulated(draws, np.where(draws.chance(0.3), -values, values), 0.1)
    if draws.season.length not in SLOW:
        values = augmentations.wandering(draws, values, 0.6)
    values = augmentations.with_longer_season(draws, values, 0.5)
    if draws.season.length in SLOW:
        values = augmentations.rising(draws, augmentations.growing(draws, values, 0.5), 0.7)
    return augmentations.exponentiated(draws, values, 0.4)


def _probabilities(weights: Mapping[Any, float]) -> Array:
    values = np.array(list(weights.values()), dtype=float)
    return np.asarray(values / values.sum())


def _stratified(rng: np.random.Generator, weights: Mapping[str, float], n: int) -> npt.NDArray[Any]:
    """Return the family of each of `n` series, as near to the weights as whole numbers allow."""
    exact = n * _probabilities(weights)
    counts = np.floor(exact + 1e-9).astype(int)
    rest = np.maximum(exact - counts, 0.0)
    if left := n - int(counts.sum()):
        counts[rng.choice(len(counts), left, replace=False, p=rest / rest.sum())] += 1
    return rng.permutation(np.repeat(np.array(list(weights)), counts))
