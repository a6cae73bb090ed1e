"""What synthetic series are drawn from: seasons and their patterns, noise, sizes, autoregressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.errors import SpecError
from seqcast.specs import check_int

Array = npt.NDArray[np.float64]


# The season that contains another one: the week of hours, half-hours and quarter-hours, the year of
# days.
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
        if self.longer is not None and (
            check_int("longer", self.longer) <= self.length or self.longer % self.length
        ):
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


# Steps that are left out before a stationary series.
BURN_IN = 100


@dataclass(frozen=True)
class Draws:
    """What synthetic series are drawn from: a generator, and their number, length and season.

    Args:
        rng: The generator.
        n: Number of series.
        length: Steps of each.
        season: Their season; none as a rule.
    """

    rng: np.random.Generator
    n: int
    length: int
    season: Season = Season(1)

    def chance(self, share: float) -> npt.NDArray[np.bool_]:
        """Return a mask of the series, `[n, 1]`, each of which is true with a probability.

        Args:
            share: The probability.
        """
        return self.rng.random((self.n, 1)) < share

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        """Return uniform numbers, `[n, 1]`.

        Args:
            low: The smallest.
            high: The largest.
            *shape: Shape of the numbers of a series, in place of 1.
        """
        return self.rng.uniform(low, high, (self.n, *(shape or (1,))))

    def amounts(self, low: float, high: float, *shape: int) -> Array:
        """Return sizes whose logarithm is uniform, `[n, 1]`; arguments as for `uniform`.

        Args:
            low: The smallest.
            high: The largest.
            *shape: Shape of the sizes of a series, in place of 1.
        """
        return np.exp(self.uniform(np.log(low), np.log(high), *shape))

    def integers(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """Return whole numbers, `[n, 1]`.

        Args:
            low: The smallest.
            high: The number after the largest.
        """
        return self.rng.integers(low, high, (self.n, 1))

    def beta(self, a: float, b: float) -> Array:
        """Return numbers of a beta distribution, `[n, 1]`.

        Args:
            a: Its first parameter.
            b: Its second parameter.
        """
        return self.rng.beta(a, b, (self.n, 1))

    def normal(self, steps: int = 1) -> Array:
        """Return normal numbers, `[n, steps]`.

        Args:
            steps: Numbers of a series.
        """
        return self.rng.normal(size=(self.n, steps))

    def random(self) -> Array:
        """Return numbers between 0 and 1, `[n, length]`."""
        return self.rng.random((self.n, self.length))

    def walk(self) -> Array:
        """Return random walks with normal steps, `[n, length]`."""
        return np.cumsum(self.normal(self.length), axis=1)

    def of_half(self, most: float) -> Array:
        """Return sizes from 0 to the largest for half of the series, and zeros for the others, `[n, 1]`.

        Args:
            most: The largest size.
        """
        return self.uniform(0.0, most) * self.chance(0.5)

    def noise(self, before: int = 0) -> Array:
        """Return white noise of variance 1: normal or, for half of the series, Student's t (4 degrees).

        Args:
            before: Steps before those of the series, `[n, before + length]`.
        """
        shape = self.n, before + self.length
        heavy = self.rng.standard_t(4, shape) / np.sqrt(2.0)
        return np.where(self.chance(0.5), self.rng.normal(size=shape), heavy)

    def persistent_noise(self) -> Array:
        r"""Return noise of variance 1, `[n, length]`: white in half of the series, autocorrelated in the others.

        .. math:: x_t = φ x_{t-1} + \sqrt{1 - φ^2}\, ε_t, \quad φ \sim U(0, 0.98)
        """
        persistence = self.of_half(0.98)
        shocks = self.noise(BURN_IN) * np.sqrt(1 - persistence**2)
        return autoregressed(shocks, persistence)[:, BURN_IN:]

    def pattern(self, steps: int) -> Array:
        """Return patterns of a season, `[n, steps]`, of mean 0 and deviation 1; zeros where it has one step.

        Most are sums of harmonics, whose amplitudes fall with the frequency; some have spikes, some
        two levels, such as that of days at work and days off.

        Args:
            steps: Steps of the season.
        """
        if steps == 1:
            return np.zeros((self.n, 1))
        harmonics = np.arange(1, steps // 2 + 1)
        fall = harmonics ** -self.uniform(0.0, 2.5)
        turns = 2 * np.pi * np.outer(harmonics, np.arange(steps)) / steps
        cosines, sines = (self.normal(len(harmonics)) * fall for _ in range(2))
        values = cosines @ np.cos(turns) + sines @ np.sin(turns)
        values /= np.maximum(values.std(axis=1, keepdims=True), 1e-9)
        spiky = self.chance(0.25)
        levels = self.chance(0.15)
        spikes = self.normal(steps) * (self.uniform(0.0, 1.0, steps) < 0.3)
        values += 3.0 * spiky * spikes
        first = self.integers(1, steps)
        places = (np.arange(steps) + self.integers(0, steps)) % steps
        values = np.where(levels, 1.0 * (places < first), values)
        values -= values.mean(axis=1, keepdims=True)
        return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))

    def repeat(self, patterns: Array) -> Array:
        """Return patterns, one after another, from a random step of each on, `[n, length]`.

        Args:
            patterns: Patterns of a season, `[n, steps]`.
        """
        steps = patterns.shape[1]
        places = (np.arange(self.length) + self.integers(0, steps)) % steps
        return np.take_along_axis(patterns, places, axis=1)

    def seasonal(self) -> Array:
        """Return a pattern of the season, one after another, `[n, length]`."""
        return self.repeat(self.pattern(self.season.length))

    def half_with_season(self) -> Array:
        """Return a season for half of the series, of a size of .1 to 3, and zeros for the others, `[n, length]`."""
        return self.seasonal() * self.amounts(0.1, 3.0) * self.chance(0.5)


def smoothed(patterns: Array, steps: int) -> Array:
    """Return the moving average of patterns over some steps, as if they repeated, `[n, length]`.

    Args:
        patterns: Patterns of a season, `[n, steps]`.
        steps: Steps of the average.
    """
    around = np.concatenate([patterns, patterns[:, : steps - 1]], axis=1).cumsum(axis=1)
    around = np.concatenate([np.zeros((len(patterns), 1)), around], axis=1)
    return np.asarray((around[:, steps:] - around[:, :-steps]) / steps)


def autoregressed(shocks: Array, *gains: Array) -> Array:
    """Return the autoregression from zeros `x_t = g_1 x_{t-1} + g_2 x_{t-2} + … + shock_t`, `[n, length]`.

    Args:
        shocks: Shocks, `[n, length]`.
        *gains: Gains of one step before, two steps before and so on, `[n, 1]` each.
    """
    from scipy.signal import lfilter  # takes a second to import, and forecasts draw nothing

    poles = np.concatenate([np.ones((len(shocks), 1)), *(-gain for gain in gains)], axis=1)
    filtered = [lfilter([1.0], own, line) for own, line in zip(poles, shocks, strict=True)]
    return np.asarray(filtered).reshape(shocks.shape)


def of_unit_deviation(values: Array) -> Array:
    """Return series divided by their deviation.

    Args:
        values: Series, `[n, length]`.
    """
    return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))
