"""What simple models say of windows: forecasts, those one step ahead, and those of the last steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Forecasts of so many last steps are checked.
CHECKS = (4, 8, 16, 32, 64, 128, 256)
# Forecasts one step ahead are those of at most so many last steps.
RECENT = 512
# The lowest value is a forecast where it is one in so many known values.
OFTEN = 3
# In a window's own units: what is further out is as far as this.
FARTHEST = 20.0


@dataclass(frozen=True)
class SimpleForecasts:
    """What `K` simple models say of some windows.

    Args:
        forecasts: Forecasts, `[B, H, K]`.
        ahead: What was forecast of each of the last steps, 512 at most, from the one before it, `[B, t, K]`.
        checks: What was forecast of the last steps from the one before these, `[B, n, K]`, by their number, which is
            at most half of the steps; NaN where fewer values are known before them. What the models were fitted to
            includes these steps.
        optimism: How much larger errors are at steps that a model was not fitted to, `[B, K]`: 1 where none was.
    """

    forecasts: Array
    ahead: Array
    checks: Mapping[int, Array]
    optimism: Array

    @classmethod
    def unknown(cls, rows: int, length: int, horizon: int, models: int) -> Self:
        """Return what is said of windows that no model has seen: NaN."""

        def unknown(steps: int) -> Array:
            return np.full((rows, steps, models), np.nan)

        checks = {steps: unknown(steps) for steps in checks_of(length)}
        return cls(unknown(horizon), unknown(min(length, RECENT)), checks, np.ones((rows, models)))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return what several groups of models say of the same windows."""
        return cls(
            np.concatenate([part.forecasts for part in parts], axis=2),
            np.concatenate([part.ahead for part in parts], axis=2),
            {steps: np.concatenate([part.checks[steps] for part in parts], axis=2) for steps in parts[0].checks},
            np.concatenate([part.optimism for part in parts], axis=1),
        )

    def take(self, rows: slice) -> Self:
        """Return what is said of some of the windows."""
        checks = {steps: forecast[rows] for steps, forecast in self.checks.items()}
        return type(self)(self.forecasts[rows], self.ahead[rows], checks, self.optimism[rows])

    def put(self, rows: npt.NDArray[np.int64], part: Self) -> None:
        """Write down what is said of some of the windows."""
        self.forecasts[rows], self.ahead[rows], self.optimism[rows] = part.forecasts, part.ahead, part.optimism
        for steps, forecast in part.checks.items():
            self.checks[steps][rows] = forecast

    def mapped(self, change: Callable[[Array], Array]) -> Self:
        """Return all forecasts changed by a function of arrays, `[B, ., K]`."""
        checks = {steps: change(forecast) for steps, forecast in self.checks.items()}
        return type(self)(change(self.forecasts), change(self.ahead), checks, self.optimism.copy())

    def errors(self, values: Array) -> Array:
        """Return the mean absolute error one step ahead of each model, `[B, K]`; NaN where no value is known.

        Args:
            values: The known values, `[B, T]`; NaN is missing.
        """
        return _mean_error(self.ahead, values[:, -RECENT:]) * self.optimism

    def check_errors(self, values: Array) -> Array:
        """Return the mean absolute error of each check, `[checks, B, K]`; NaN where there is none.

        Args:
            values: The known values, `[B, T]`; NaN is missing.
        """
        found = np.full((len(CHECKS), len(values), self.forecasts.shape[2]), np.nan)
        for place, (steps, forecast) in enumerate(self.checks.items()):
            found[place] = _mean_error(forecast, values[:, -steps:])
        return found * self.optimism


def lowest_again(values: Array, horizon: int) -> SimpleForecasts:
    """Forecast that the lowest value comes again, which is the median of counts that are mostly zero.

    Args:
        values: The known values, `[B, T]`; NaN is missing.
        horizon: Number of future steps, `H`.

    Returns:
        What this one model says; nothing of windows of which less than a third of the known values are the lowest.

    Example:
        >>> lowest_again(np.array([[2.0, 0.0, 0.0, 3.0], [1.0, 2.0, 3.0, 4.0]]), 2).forecasts[:, :, 0].tolist()
        [[0.0, 0.0], [nan, nan]]
    """
    (rows, length), known = values.shape, (~np.isnan(values)).sum(axis=1)
    lowest = np.fmin.accumulate(values, axis=1)
    often = OFTEN * (values == lowest[:, -1:]).sum(axis=1) >= known
    found = SimpleForecasts.unknown(rows, length, horizon, 1)
    found.forecasts[often] = lowest[often, -1, None, None]
    # Before the first step nothing is known.
    recent = min(length - 1, RECENT)
    found.ahead[often, found.ahead.shape[1] - recent :, 0] = lowest[often, length - 1 - recent : length - 1]
    for steps, forecast in found.checks.items():
        enough = often & (known >= 2 * steps)
        forecast[enough] = lowest[enough, -steps - 1, None, None]
    return found


def checks_of(length: int) -> tuple[int, ...]:
    """Return the checks of windows of so many steps.

    Example:
        >>> checks_of(20)
        (4, 8)
    """
    return tuple(steps for steps in CHECKS if 2 * steps <= length)


def mean_of_known(values: Array, axis: int = 1) -> Array:
    """Return the mean of the known values along an axis, which is kept; NaN where there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=axis, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def zero_if_unknown(values: Array) -> Array:
    """Return values with 0 in place of NaN."""
    return np.where(np.isnan(values), 0.0, values)


def _mean_error(forecasts: Array, values: Array) -> Array:
    """Return the mean absolute error of forecasts `[B, ., K]`, `[B, K]`; NaN where no value is known."""
    errors = forecasts - values[:, :, None]
    return mean_of_known(np.abs(errors, out=errors))[:, 0]
