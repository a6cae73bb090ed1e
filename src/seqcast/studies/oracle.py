"""The reference: a fit of the formula that generated the signal.

It knows that a window is a sum of two sines, and extrapolates. Where even that fails, the window does not determine its
future, and no network can do better.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class SineFit:
    r"""Fit `c + Σ_k a_k \cos(2π f_k t / 30) + b_k \sin(2π f_k t / 30)` to each window, and continue it.

    The frequencies are searched: all pairs of a grid first, then from the best few by Levenberg-Marquardt. For given
    frequencies the other numbers are found by linear least squares (variable projection).

    Args:
        past: Steps of the past, `T`.
        sines: Number of sines.
        frequency: Range in which frequencies are searched, in turns per 30 steps.
        penalty: Weight of the squared amplitudes beside the squared errors: 0 is least squares; the noise's variance
            over the amplitudes' own is the most likely fit under a normal prior.
        offset: Whether there is a constant `c`.
        grid: Frequencies of the grid.
        starts: Pairs that are refined.

    Example:
        >>> t = np.arange(25)
        >>> signal = 0.3 + np.sin(2 * np.pi * 4.0 * t / 30) + 0.5 * np.cos(2 * np.pi * 7.5 * t / 30)
        >>> forecast = SineFit(15)(signal[None, :15], 10)
        >>> bool(np.abs(forecast[0] - signal[15:]).max() < 1e-4)
        True

    Source: Golub and Pereyra 1973, The differentiation of pseudo-inverses and nonlinear least squares problems whose
    variables separate.
    """

    def __init__(
        self,
        past: int,
        *,
        sines: int = 2,
        frequency: tuple[float, float] = (0.1, 10.0),
        penalty: float = 0.0,
        offset: bool = True,
        grid: int = 48,
        starts: int = 4,
    ) -> None:
        self.past, self.range, self.penalty, self.offset, self.starts = past, frequency, penalty, offset, starts
        # The grid is geometric for low frequencies, and linear for high ones.
        low, high = frequency
        line = np.concatenate([np.geomspace(low, high, grid // 2), np.linspace(low, high, grid - grid // 2)])
        self.pairs = np.array(list(itertools.combinations(np.unique(line.round(6)), sines)))
        self._solve = np.stack([self._hat(pair) for pair in self.pairs])

    def __call__(self, windows: Array, horizon: int) -> Array:
        """Return the continuation of windows, `[N, H]` of `[N, T]`."""
        from scipy.optimize import least_squares

        values = np.asarray(windows, dtype=np.float64)
        squared_errors = np.stack([np.square(values - values @ solve.T).sum(axis=1) for solve in self._solve], axis=1)
        best = np.argsort(squared_errors, axis=1)[:, : self.starts]
        forecasts = np.empty((len(values), horizon))
        low, high = self.range
        for row, window in enumerate(values):
            fits = [
                least_squares(self._residuals, self.pairs[place], args=(window,), bounds=(0.5 * low, 1.1 * high))
                for place in best[row]
            ]
            frequencies = min(fits, key=lambda fit: float(fit.cost)).x
            future = self._basis(frequencies, np.arange(self.past, self.past + horizon))
            forecasts[row] = future @ self._weights(frequencies, window)
        return forecasts

    def _basis(self, frequencies: Array, steps: Array) -> Array:
        # Counted from the middle of the past, where a low frequency's cosine is least like the constant's twin.
        angles = 2 * np.pi * np.outer(steps - (self.past - 1) / 2, frequencies) / 30
        constant = np.ones((len(steps), int(self.offset)))
        return np.concatenate([constant, np.cos(angles), np.sin(angles)], axis=1)

    def _inverse(self, basis: Array) -> Array:
        if not self.penalty:
            return np.linalg.pinv(basis, rcond=1e-9)
        return np.linalg.solve(basis.T @ basis + self.penalty * np.eye(basis.shape[1]), basis.T)

    def _hat(self, frequencies: Array) -> Array:
        basis = self._basis(frequencies, np.arange(self.past))
        return basis @ self._inverse(basis)

    def _weights(self, frequencies: Array, window: Array) -> Array:
        return self._inverse(self._basis(frequencies, np.arange(self.past))) @ window

    def _residuals(self, frequencies: Array, window: Array) -> Array:
        basis = self._basis(frequencies, np.arange(self.past))
        weights = self._inverse(basis) @ window
        residuals = window - basis @ weights
        return np.concatenate([residuals, np.sqrt(self.penalty) * weights]) if self.penalty else residuals
