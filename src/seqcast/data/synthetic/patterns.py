"""Components of synthetic series: seasons and their patterns, noise, sizes, autoregressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.errors import SpecError
from seqcast.specs import check_int

Array = npt.NDArray[np.float64]
Generator = np.random.Generator


# The season that contains another one: the week of hours, half-hours and quarter-hours, the year of days.
LONGER = {24: 168, 48: 336, 96: 672, 7: 364}


@dataclass(frozen=True)
class Season:
    """The season of a series.

    Args:
        length: Its steps; 1 is none.
        longer: Steps of a season that contains it; `None` where there is none.

    Raises:
        SpecError: They are no whole numbers, or the longer one is no multiple of the other.

    Example:
        >>> Season.of(24), Season.of(12)
        (Season(length=24, longer=168), Season(length=12, longer=None))
    """

    length: int
    longer: int | None = None

    def __post_init__(self) -> None:
        check_int("season_length", self.length)
        if self.longer is not None and (check_int("longer", self.longer) <= self.length or self.longer % self.length):
            expected = f"a multiple of the season, {self.length}"
            hint = "Give the steps of a season that contains the other, such as 168 for 24."
            raise SpecError("longer", expected=expected, received=str(self.longer), hint=hint)

    @classmethod
    def of(cls, length: int) -> Season:
        """Return the season with its usual longer one.

        Args:
            length: Steps of the season.
        """
        return cls(length, LONGER.get(length))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Its steps, and those of the longer one, where there is one."""
        return (self.length,) if self.longer is None else (self.length, self.longer)


def chance(rng: Generator, n: int, share: float) -> npt.NDArray[np.bool_]:
    """Return a mask of `n` series, each of which is true with probability `share`.

    Args:
        rng: The generator.
        n: Number of series.
        share: The probability.
    """
    return rng.random(n) < share


def amounts(rng: Generator, n: int, low: float, high: float) -> Array:
    """Return sizes whose logarithm is uniform, `[n, 1]`.

    Args:
        rng: The generator.
        n: Number of series.
        low: The smallest.
        high: The largest.
    """
    return np.exp(rng.uniform(np.log(low), np.log(high), (n, 1)))


def noise(rng: Generator, n: int, length: int) -> Array:
    """Return white noise of variance 1, `[n, length]`: normal or, for half of the series, Student's t (4 degrees).

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
    """
    heavy = rng.standard_t(4, (n, length)) / np.sqrt(2.0)
    return np.where(chance(rng, n, 0.5)[:, None], rng.normal(size=(n, length)), heavy)


def pattern(rng: Generator, n: int, steps: int) -> Array:
    """Return patterns of a season, `[n, steps]`, of mean 0 and deviation 1; zeros where it has one step.

    Most are sums of harmonics, whose amplitudes fall with the frequency; some have spikes, some two levels, such as
    that of days at work and days off.

    Args:
        rng: The generator.
        n: Number of patterns.
        steps: Steps of the season.
    """
    if steps == 1:
        return np.zeros((n, 1))
    harmonics = np.arange(1, steps // 2 + 1)
    fall = harmonics ** -rng.uniform(0.0, 2.5, (n, 1))
    turns = 2 * np.pi * np.outer(harmonics, np.arange(steps)) / steps
    values = (rng.normal(size=fall.shape) * fall) @ np.cos(turns) + (rng.normal(size=fall.shape) * fall) @ np.sin(turns)
    values /= np.maximum(values.std(axis=1, keepdims=True), 1e-9)
    spiky, levels = chance(rng, n, 0.25), chance(rng, n, 0.15)
    spikes = rng.normal(size=(n, steps)) * (rng.random((n, steps)) < 0.3)
    values += 3.0 * spiky[:, None] * spikes
    first = rng.integers(1, steps, n)
    places = (np.arange(steps) + rng.integers(0, steps, (n, 1))) % steps
    values = np.where(levels[:, None], 1.0 * (places < first[:, None]), values)
    values -= values.mean(axis=1, keepdims=True)
    return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))


def repeat(rng: Generator, patterns: Array, length: int) -> Array:
    """Return patterns, one after another, from a random step of each on, `[n, length]`.

    Args:
        rng: The generator.
        patterns: Patterns of a season, `[n, steps]`.
        length: Steps of the series.
    """
    n, steps = patterns.shape
    places = (np.arange(length) + rng.integers(0, steps, (n, 1))) % steps
    return np.take_along_axis(patterns, places, axis=1)


def half_with_season(rng: Generator, n: int, length: int, season: Season) -> Array:
    """Return a season for half of the series, of a size of .1 to 3, and zeros for the others, `[n, length]`.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season.
    """
    seasonal = repeat(rng, pattern(rng, n, season.length), length)
    return seasonal * amounts(rng, n, 0.1, 3.0) * chance(rng, n, 0.5)[:, None]


def of_half(rng: Generator, n: int, most: float) -> Array:
    """Return sizes from 0 to the largest for half of the series, and zeros for the others, `[n, 1]`.

    Args:
        rng: The generator.
        n: Number of series.
        most: The largest size.
    """
    return rng.uniform(0.0, most, (n, 1)) * chance(rng, n, 0.5)[:, None]


def smoothed(patterns: Array, steps: int) -> Array:
    """Return the moving average of patterns over some steps, as if they repeated, `[n, length]`.

    Args:
        patterns: Patterns of a season, `[n, steps]`.
        steps: Steps of the average.
    """
    around = np.concatenate([patterns, patterns[:, : steps - 1]], axis=1).cumsum(axis=1)
    around = np.concatenate([np.zeros((len(patterns), 1)), around], axis=1)
    return np.asarray((around[:, steps:] - around[:, :-steps]) / steps)


# Steps that are left out before a stationary series.
BURN_IN = 100


def persistent_noise(rng: Generator, n: int, length: int) -> Array:
    r"""Return noise of variance 1, `[n, length]`: white in half of the series, autocorrelated in the others.

    .. math:: x_t = φ x_{t-1} + \sqrt{1 - φ^2}\, ε_t, \quad φ \sim U(0, 0.98)

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
    """
    persistence = rng.uniform(0.0, 0.98, n) * chance(rng, n, 0.5)
    shocks = noise(rng, n, BURN_IN + length) * np.sqrt(1 - persistence**2)[:, None]
    return autoregressed(shocks, persistence)[:, BURN_IN:]


def autoregressed(shocks: Array, *gains: Array) -> Array:
    """Return the autoregression from zeros `x_t = g_1 x_{t-1} + g_2 x_{t-2} + … + shock_t`, `[n, length]`.

    Args:
        shocks: Shocks, `[n, length]`.
        *gains: Gains of one step before, two steps before and so on, `[n]` each.
    """
    from scipy.signal import lfilter  # takes a second to import, and forecasts draw nothing

    poles = np.stack([np.ones(len(shocks)), *(-gain for gain in gains)], axis=1)
    filtered = [lfilter([1.0], own, line) for own, line in zip(poles, shocks, strict=True)]
    return np.asarray(filtered).reshape(shocks.shape)


def of_unit_deviation(values: Array) -> Array:
    """Return series divided by their deviation.

    Args:
        values: Series, `[n, length]`.
    """
    return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))
