"""Simple models of windows: their forecasts, those one step ahead, and those of the last steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import forward_fill

Array = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]

# Number of last steps whose forecasts are checked.
CHECKS = (4, 8, 16, 32, 64, 128, 256)
# Largest number of last steps that are forecast one step ahead.
RECENT = 512
# The lowest value is a forecast where it is one in this number of known values.
OFTEN = 3
# Largest distance in a window's own units, to which others are clipped.
FARTHEST = 20.0


@dataclass(frozen=True)
class SimpleForecasts:
    """The forecasts of some windows by `K` simple models, in single precision.

    In units of the window that suffices for their mean and for the network, and takes three
    quarters of the time.

    Args:
        forecasts: Forecasts, `[B, H, K]`.
        ahead: Forecasts of each of the last steps, 512 at most, from the one before it, `[B, t,
            K]`.
        checks: Forecasts of the last steps from the one before these, `[B, n, K]`, by their number,
            which is at most half of the steps; NaN where fewer values are known before them. Models
            were fitted to these steps too.
        optimism: Factor by which errors are larger at steps that a model was not fitted to, `[B,
            K]`: 1 without a fit.
    """

    forecasts: Array
    ahead: Array
    checks: Mapping[int, Array]
    optimism: Array

    @classmethod
    def unknown(cls, rows: int, length: int, horizon: int, models: int) -> Self:
        """Return the forecasts of windows that no model has seen: NaN."""

        def blank(steps: int) -> Array:
            return np.full((rows, steps, models), np.nan, np.float32)

        checks = {steps: blank(steps) for steps in checks_of(length)}
        optimism = np.ones((rows, models))
        return cls(blank(horizon), blank(min(length, RECENT)), checks, optimism)

    @classmethod
    def concat(cls, groups: Sequence[Self]) -> Self:
        """Return the forecasts of the same windows by several groups of models."""
        forecasts = np.concatenate([each.forecasts for each in groups], axis=2)
        ahead = np.concatenate([each.ahead for each in groups], axis=2)
        optimism = np.concatenate([each.optimism for each in groups], axis=1)
        checks = {
            steps: np.concatenate([each.checks[steps] for each in groups], axis=2)
            for steps in groups[0].checks
        }
        return cls(forecasts, ahead, checks, optimism)

    def take(self, rows: slice) -> Self:
        """Return the forecasts of some of the windows."""
        checks = {steps: forecast[rows] for steps, forecast in self.checks.items()}
        return type(self)(self.forecasts[rows], self.ahead[rows], checks, self.optimism[rows])

    def put(self, rows: npt.NDArray[np.int64], own: Self) -> None:
        """Write the forecasts of some of the windows."""
        self.forecasts[rows] = own.forecasts
        self.ahead[rows] = own.ahead
        self.optimism[rows] = own.optimism
        for steps, forecast in own.checks.items():
            self.checks[steps][rows] = forecast

    def mapped(self, change: Callable[[Array], Array]) -> Self:
        """Return all forecasts changed by a function of arrays, `[B, ., K]`."""
        checks = {steps: change(forecast) for steps, forecast in self.checks.items()}
        return type(self)(change(self.forecasts), change(self.ahead), checks, self.optimism.copy())

    def errors(self, values: Array) -> Array:
        """Return mean absolute errors one step ahead and of each check, `[1 + checks, B, K]`.

        They are NaN where no value is known, and where there is no check.

        Args:
            values: The known values, `[B, T]`; NaN is missing.
        """
        values = values.astype(np.float32)
        errors = np.full((1 + len(CHECKS), len(values), self.forecasts.shape[2]), np.nan)
        for place, (steps, forecast) in enumerate([(RECENT, self.ahead), *self.checks.items()]):
            apart = forecast - values[:, -steps:, None]
            errors[place] = mean_of_known(np.abs(apart, out=apart))[:, 0]

        return errors * self.optimism


def lowest_again(values: Array, horizon: int) -> SimpleForecasts:
    """Forecast the lowest value, which is the median of counts that are mostly zero.

    Args:
        values: The known values, `[B, T]`; NaN is missing.
        horizon: Number of future steps, `H`.

    Returns:
        Forecasts of this one model; NaN in windows with the lowest value in less than a third of
        the known ones.

    Example:
        >>> values = np.array([[2.0, 0.0, 0.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
        >>> lowest_again(values, 2).forecasts[:, :, 0].tolist()
        [[0.0, 0.0], [nan, nan]]
    """
    rows, length = values.shape
    known = (~np.isnan(values)).sum(axis=1)
    lowest = np.fmin.accumulate(values, axis=1)
    often = OFTEN * (values == lowest[:, -1:]).sum(axis=1) >= known

    repeated = SimpleForecasts.unknown(rows, length, horizon, 1)
    repeated.forecasts[often] = lowest[often, -1, None, None]

    # Before the first step nothing is known.
    recent = min(length - 1, RECENT)
    repeated.ahead[often, repeated.ahead.shape[1] - recent :, 0] = lowest[
        often, length - 1 - recent : length - 1
    ]

    for steps, forecast in repeated.checks.items():
        enough = often & (known >= 2 * steps)
        forecast[enough] = lowest[enough, -steps - 1, None, None]

    return repeated


def repeated(
    values: Array, season: Integers, horizon: int, dampings: Sequence[float]
) -> SimpleForecasts:
    r"""Repeat the last season of windows, moved by the newest change from it, which fades.

    .. math:: \hat y_{t+h} = y_{t+h-m\lceil h/m \rceil} + φ^h (y_t - y_{t-m})

    Args:
        values: The known values, `[B, T]`; NaN is missing, and is filled by the one before.
        season: Steps of the season of each, `[B]`; fewer than are known.
        horizon: Number of future steps, `H`.
        dampings: `φ` of each of `K` models.

    Returns:
        Forecasts; one step ahead that of the last value, where no value is known a season before.

    Example:
        >>> values = np.array([[1.0, 5.0, 3.0, 2.0]])
        >>> repeated(values, np.array([3]), 3, [0.5]).forecasts[0, :, 0].tolist()
        [5.5, 3.25, 2.125]
    """
    whole = SimpleForecasts.unknown(len(values), values.shape[1], horizon, len(dampings))
    for steps in np.unique(season):
        rows = np.flatnonzero(season == steps)
        whole.put(rows, _repeated(values[rows], int(steps), horizon, np.array(dampings)))

    return whole


def _repeated(values: Array, season: int, horizon: int, dampings: Array) -> SimpleForecasts:
    """Repeat the last season of windows with one season length."""
    rows, length = values.shape
    filled = forward_fill(values[:, :, None])[:, :, 0]
    begun = np.logical_or.accumulate(~np.isnan(values), axis=1)
    again = SimpleForecasts.unknown(rows, length, horizon, len(dampings))

    def continued(end: int, steps: int) -> Array:
        ahead = np.arange(steps)
        change = filled[:, end - 1] - filled[:, end - 1 - season]
        last = filled[:, end - season + ahead % season]
        return np.asarray(
            last[:, :, None] + change[:, None, None] * dampings ** (ahead[:, None] + 1)
        )

    again.forecasts[:] = continued(length, horizon)

    before = np.pad(filled, ((0, 0), (season + 1, 0)))
    change = before[:, season:-1] - before[:, : -season - 1]
    moved = before[:, 1:-season, None] + change[:, :, None] * dampings
    is_known = np.pad(begun, ((0, 0), (season + 1, 0)))[:, : -season - 1, None]
    again.ahead[:] = np.where(is_known, moved, before[:, season:-1, None])[:, -RECENT:]

    for steps, forecast in again.checks.items():
        if steps + season < length:
            is_begun = begun[:, length - steps - season - 1, None, None]
            forecast[:] = np.where(is_begun, continued(length - steps, steps), np.nan)

    return again


def checks_of(length: int) -> tuple[int, ...]:
    """Return the checks of windows of a length.

    Example:
        >>> checks_of(20)
        (4, 8)
    """
    return tuple(steps for steps in CHECKS if 2 * steps <= length)


def mean_of_known(values: Array, axis: int = 1) -> Array:
    """Return the mean of the known values along an axis of length 1 then; NaN without any."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=axis, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def zero_if_unknown(values: Array) -> Array:
    """Return values with 0 in place of NaN."""
    return np.where(np.isnan(values), 0.0, values)
