"""Synthetic signals whose future is known exactly.

They are sums of random sines, and Chevalier's denoising exercise. Everything is drawn from a NumPy
`SeedSequence`, never from global generators. The parameters of window `i` depend on the seed and on
`i` alone: more windows, a longer past or a longer future extend the same signals. Nothing here
imports Keras.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import SpecError
from seqcast.runtime import Array
from seqcast.specs import MOST_SEED, check_int, check_number

__all__ = ["SineParameters", "noisy_past", "random_sines", "sine_parameters"]

Range = tuple[float, float] | Sequence[tuple[float, float]]
Seed = int | np.random.SeedSequence | None

# Steps in which a sine of frequency 1 turns once.
PERIOD = 30
# Key of the stream of a seed that parameters are drawn from.
PARAMETERS = 0
# Key of the stream of the noise, which must not change the signal.
NOISE = 1


@dataclass(frozen=True, eq=False)
class SineParameters:
    """Parameters of a batch of sums of sines, one row a window and one column a sine.

    Args:
        amplitude: `A`, `[N, num_signals]`, in the signal's unit.
        frequency: `f`, `[N, num_signals]`, in turns per 30 steps.
        phase: `φ`, `[N, num_signals]`, in radians.
        offset: `c`, `[N, num_signals]`, in the signal's unit.

    Example:
        >>> quarter = SineParameters(*(np.array([[value]]) for value in (2.0, 1.0, np.pi / 2, 0.5)))
        >>> quarter.values([0, 15]).round(6)
        array([[ 2.5, -1.5]])
    """

    amplitude: Array
    frequency: Array
    phase: Array
    offset: Array

    def values(self, t: npt.ArrayLike) -> Array:
        """Return the signals, `x(t) = Σ A sin(2π f t / 30 + φ) + c`.

        Args:
            t: Steps, `[S]`; 0 is the first step of the past. They need not be whole.

        Returns:
            The signals, `[N, S]`, in double precision.

        Example:
            >>> sine_parameters(4, seed=0).values(np.arange(30)).shape
            (4, 30)
        """
        steps = 2.0 * np.pi * np.asarray(t, dtype=np.float64) / PERIOD
        total = np.zeros((len(self.amplitude), len(steps)))
        # Sine by sine: all at once would need num_signals times the memory of the result.
        for k in range(self.amplitude.shape[1]):
            column = slice(k, k + 1)
            angle = self.frequency[:, column] * steps + self.phase[:, column]
            total += self.amplitude[:, column] * np.sin(angle) + self.offset[:, column]
        return total


def sine_parameters(
    n: int,
    *,
    num_signals: int = 2,
    amplitude: Range = (0.1, 1.0),
    frequency: Range = (0.1, 10.0),
    phase: Range = (0.0, 2.0 * math.pi),
    offset: Range = (-0.5, 0.5),
    seed: Seed = None,
) -> SineParameters:
    """Draw the parameters of `n` sums of sines, each uniform in its range and independent.

    Args:
        n: Number of windows, `N`.
        num_signals: Sines in a sum.
        amplitude: `(low, high)` for all sines, or one such pair for each of them; in the signal's
            unit.
        frequency: The same, in turns per 30 steps; above 15 a sine looks like a slower one.
        phase: The same, in radians.
        offset: The same, in the signal's unit; the offsets of a window's sines add up.
        seed: A whole number, a `SeedSequence`, or `None` for a new one each time.

    Returns:
        The parameters, four arrays `[N, num_signals]`.

    Raises:
        SpecError: A count is not a positive whole number, or a range is none.

    Example:
        >>> drawn = sine_parameters(1000, frequency=((0.1, 1.0), (5.0, 10.0)), seed=1969)
        >>> bool(drawn.frequency[:, 0].max() < 1.0 < 5.0 < drawn.frequency[:, 1].min())
        True
    """
    n = check_int("n", n)
    num_signals = check_int("num_signals", num_signals)

    given = {"amplitude": amplitude, "frequency": frequency, "phase": phase, "offset": offset}
    ranges = [_checked_range(where, value, num_signals) for where, value in given.items()]
    low, high = np.stack(ranges, axis=1).transpose(2, 0, 1)  # both [num_signals, 4]

    unit = _generator(seed, PARAMETERS).random((n, num_signals, len(ranges)))
    drawn = low + (high - low) * unit
    return SineParameters(*(np.ascontiguousarray(drawn[:, :, i]) for i in range(len(ranges))))


def _checked_range(where: str, value: npt.ArrayLike, num_signals: int) -> Array:
    """Return `(low, high)` for each sine, `[num_signals, 2]`."""
    try:
        ranges = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        ranges = np.full(2, np.nan)

    fits = ranges.shape in ((2,), (num_signals, 2)) and np.isfinite(ranges).all()
    if not fits or (ranges[..., 0] > ranges[..., 1]).any():
        pairs = f", or one such pair for each of {num_signals} sines" if num_signals > 1 else ""
        raise SpecError(
            where,
            expected=f"(low, high) with low <= high{pairs}",
            received=repr(value),
            hint="Give two finite numbers; equal ones hold the value fixed.",
        )

    return np.broadcast_to(ranges, (num_signals, 2))


def _generator(seed: Seed, *key: int) -> np.random.Generator:
    """Return the generator of one of a seed's streams, which depends on seed and key alone."""
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(
            None if seed is None else check_int("seed", seed, at_least=0, at_most=MOST_SEED)
        )
    # Not `spawn`: that counts in the caller's object, and a second call would give other signals.
    return np.random.default_rng(
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key))
    )


def random_sines(
    n: int,
    *,
    past: int = 15,
    future: int = 15,
    num_signals: int = 2,
    amplitude: Range = (0.1, 1.0),
    frequency: Range = (0.1, 10.0),
    phase: Range = (0.0, 2.0 * math.pi),
    offset: Range = (-0.5, 0.5),
    noise: float | tuple[float, float] = 0.0,
    seed: Seed = None,
    dtype: npt.DTypeLike = "float32",
) -> tuple[Array, Array]:
    """Draw windows of sums of random sines, `x(t) = Σ A sin(2π f t / 30 + φ) + c` at `t = 0, 1, …`.

    `t` runs on from the past into the future, and `f` counts turns per 30 steps at any length of
    the two. The code published with Tonin's post draws the offset and leaves it out of the sum;
    here it is added, and `offset=(0, 0)` gives the distribution of the published data.

    Args:
        n: Number of windows, `N`.
        past: Steps of the past, `T`.
        future: Steps of the future, `H`. A longer future continues the same signals.
        num_signals: Sines in a sum.
        amplitude: `(low, high)` for all sines, or one such pair for each of them; in the signal's
            unit.
        frequency: The same, in turns per 30 steps.
        phase: The same, in radians.
        offset: The same, in the signal's unit.
        noise: Standard deviation of Gaussian noise on the past, in the signal's unit, or the `(low,
            high)` from which each window draws its own. The future stays clean.
        seed: A whole number, a `SeedSequence`, or `None` for a new one each time.
        dtype: Floating type of the result.

    Returns:
        Past `[N, T, 1]` and future `[N, H, 1]`.

    Raises:
        SpecError: A size is not a positive whole number, a range is none, or the type is not a
            floating one.

    Example:
        >>> past, future = random_sines(102_400, seed=1969)
        >>> past.shape, future.shape
        ((102400, 15, 1), (102400, 15, 1))
        >>> longer = random_sines(8, future=20, seed=1969)[1]
        >>> bool((longer[:, :15] == future[:8]).all())
        True

    Source: L. Tonin, "Keras implementation of an encoder-decoder for time series prediction"
        (2019).
    """
    parameters = sine_parameters(
        n,
        num_signals=num_signals,
        amplitude=amplitude,
        frequency=frequency,
        phase=phase,
        offset=offset,
        seed=seed,
    )
    past = check_int("past", past)
    future = check_int("future", future)

    signals = parameters.values(np.arange(past + future))[:, :, None].astype(_floating(dtype))
    return _with_noise(signals[:, :past], noise, seed), signals[:, past:]


def noisy_past(
    n: int,
    *,
    past: int = 30,
    future: int = 30,
    amplitude: Range = ((0.1, 1.1), (0.0, 1.2)),
    frequency: Range = (-7.0, 8.5),
    noise: float | tuple[float, float] = (0.1, 0.25),
    seed: Seed = None,
    dtype: npt.DTypeLike = "float32",
) -> tuple[Array, Array]:
    """Draw sums of two sines with noise on the past and a clean future.

    A signal is `x(t) = Σ A sin(2π f t / 30 + φ)`. The past is `x(t) + σ ε`, `ε ~ N(0, 1)`. The
    default ranges are the exercise's, in our units. A negative frequency is the positive one at
    another phase; the range makes slow sines twice as frequent as the fastest. There is no offset.
    The exercise draws one noise level a batch and scales each batch; here each window draws its own
    level, and scaling is left to the model.

    Args:
        n: Number of windows, `N`.
        past: Steps of the past, `T`.
        future: Steps of the future, `H`.
        amplitude: `(low, high)` for both sines, or a pair for each; in the signal's unit.
        frequency: The same, in turns per 30 steps.
        noise: `σ`, or the `(low, high)` from which each window draws it; in the signal's unit.
        seed: A whole number, a `SeedSequence`, or `None` for a new one each time.
        dtype: Floating type of the result.

    Returns:
        Past `[N, T, 1]` and future `[N, H, 1]`.

    Raises:
        SpecError: A size is not a positive whole number, a range is none, or the type is not a
            floating one.

    Example:
        >>> noisy, clean = noisy_past(3, seed=0), noisy_past(3, noise=0.0, seed=0)
        >>> bool((noisy[0] == clean[0]).any()), bool((noisy[1] == clean[1]).all())
        (False, True)

    Source: G. Chevalier, seq2seq-signal-prediction (2017), exercise 3.
    """
    return random_sines(
        n,
        past=past,
        future=future,
        amplitude=amplitude,
        frequency=frequency,
        offset=(0.0, 0.0),
        noise=noise,
        seed=seed,
        dtype=dtype,
    )


def _floating(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return a floating type, and reject others."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind != "f":
        raise SpecError(
            "dtype", expected="a floating type", received=repr(dtype), hint="Give 'float32'."
        )
    return kind


def _with_noise(past: Array, noise: float | tuple[float, float], seed: Seed) -> Array:
    levels = (noise, noise) if np.ndim(noise) == 0 else noise
    bounds = _checked_range("noise", levels, 1)[0]
    low, high = (check_number("noise", float(bound), low=0.0) for bound in bounds)
    if high == 0.0:
        return past

    # Two streams, so that a window keeps its level and its noise when there are more windows.
    level = low + (high - low) * _generator(seed, NOISE, 0).random((len(past), 1, 1))
    deviate = _generator(seed, NOISE, 1).standard_normal(past.shape)
    return np.asarray((past + level * deviate).astype(past.dtype))
