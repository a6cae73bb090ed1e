"""What synthetic series are drawn from: patterns of seasons, noise, sizes, autoregressions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from seqcast.data import Season

Array = npt.NDArray[np.float64]


# Steps that are left out before a stationary series.
BURN_IN = 100
NO_SEASON = Season(1)


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
    season: Season = NO_SEASON

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
        """Return sizes up to the largest for half of the series, zeros for the others, `[n, 1]`.

        Args:
            most: The largest size.
        """
        return self.uniform(0.0, most) * self.chance(0.5)

    def noise(self, before: int = 0) -> Array:
        """Return white noise of variance 1.

        It is normal or, for half of the series, Student's t with four degrees of freedom.

        Args:
            before: Steps before those of the series, `[n, before + length]`.
        """
        shape = self.n, before + self.length
        heavy = self.rng.standard_t(4, shape) / np.sqrt(2.0)
        return np.where(self.chance(0.5), self.rng.normal(size=shape), heavy)

    def persistent_noise(self) -> Array:
        r"""Return noise of variance 1, `[n, length]`.

        It is white in half of the series, and autocorrelated in the others.

        .. math:: x_t = φ x_{t-1} + \sqrt{1 - φ^2}\, ε_t, \quad φ \sim U(0, 0.98)
        """
        persistence = self.of_half(0.98)
        shocks = self.noise(BURN_IN) * np.sqrt(1 - persistence**2)
        return autoregressed(shocks, persistence)[:, BURN_IN:]

    def pattern(self, steps: int) -> Array:
        """Return patterns of a season, `[n, steps]`, of mean 0 and deviation 1.

        Where it has one step they are zeros. Most are sums of harmonics, whose amplitudes fall with
        the frequency; some have spikes, some two levels, such as that of days at work and days off.

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

        # Two levels, such as that of days at work and days off.
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
        """Return a season of a size of .1 to 3 for half of the series, and zeros for the others."""
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
    """Return an autoregression that begins with zeros, `[n, length]`.

    .. math:: x_t = g_1 x_{t-1} + g_2 x_{t-2} + … + shock_t

    Args:
        shocks: Shocks, `[n, length]`.
        *gains: Gains of one step before, two steps before and so on, `[n, 1]` each.
    """
    poles = np.concatenate([np.ones((len(shocks), 1)), *(-gain for gain in gains)], axis=1)
    filtered = [lfilter([1.0], own, line) for own, line in zip(poles, shocks, strict=True)]
    return np.asarray(filtered).reshape(shocks.shape)


def of_unit_deviation(values: Array) -> Array:
    """Return series divided by their deviation.

    Args:
        values: Series, `[n, length]`.
    """
    return np.asarray(values / np.maximum(values.std(axis=1, keepdims=True), 1e-9))
