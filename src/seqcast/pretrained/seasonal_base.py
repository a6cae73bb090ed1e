"""The forecast that a pretrained network corrects: the mean of simple models, weighted by their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from seqcast.pretrained.autoregression import AUTOREGRESSIONS, autoregressed
from seqcast.pretrained.simple_models import (
    CHECKS,
    FARTHEST,
    RECENT,
    Array,
    Gains,
    Integers,
    SimpleForecasts,
    lowest_again,
    mean_of_known,
    smoothed,
    zero_if_unknown,
)


class Sharpness(NamedTuple):
    """How much errors of models decide about their weights: powers of those one step ahead and of each check."""

    ahead: float
    checks: tuple[float, ...]


# Gains of level, trend and season, and damping: from a series that keeps its level to one that walks, with seasons
# that stay or change, and trends that last or end. Nine of 100 that are good on training parts of public data
# (docs/history.md), and two without a season, for windows whose season is none.
GAINS = (
    (0.02, 0.0, 0.02, 0.9),
    (0.02, 0.0, 0.02, 0.98),
    (0.1, 0.0, 0.02, 0.98),
    (0.1, 0.0, 0.4, 0.98),
    (0.1, 0.0, 0.4, 1.0),
    (0.3, 0.0, 0.4, 0.98),
    (0.95, 0.0, 0.1, 0.9),
    (0.95, 0.0, 0.1, 1.0),
    (0.95, 0.1, 0.4, 0.95),
    (0.05, 0.0, None, 0.9),
    (0.3, 0.0, None, 0.9),
)
# Those of the longer season, where two of it are known.
LONGER_GAINS = ((0.02, 0.0, 0.1, 0.9), (0.1, 0.0, 0.4, 0.98))

WAYS = ("values", "logarithms")
BASE_FORECASTS = (
    *(f"smoothing {number} of {way}" for way in WAYS for number in range(len(GAINS))),
    *(f"{model.name} of {way}" for way in WAYS for model in AUTOREGRESSIONS),
    *(f"smoothing {number} of {way} with the longer season" for way in WAYS for number in range(len(LONGER_GAINS))),
    "lowest value again",
)
"""Name of each model."""

# Trends of logarithms end, however long they have lasted: what grows by a share for ever is soon out of reach.
DAMPING_OF_LOGARITHMS = 0.99
# How much each counts before its errors are known: the lowest value as much as all others, many of which say the same.
BEFORE_ERRORS = np.array([1.0] * (len(BASE_FORECASTS) - 1) + [len(BASE_FORECASTS) - 1.0])
# How much more a model counts that has half of another one's error one step ahead, and half of its error in each of the
# checks (number of doublings). The first steps of a forecast are weighted in one way, far ones in another, which needs
# the check of 64 steps; those between 16 and 96 steps by their logarithm.
NEAR, FAR = Sharpness(4, (1, 1, 1, 1, 1, 1, 1)), Sharpness(1, (0, 0, 0, 1, 2, 2, 2))
NEAR_STEPS, FAR_STEPS, CHECK_OF_FAR = 16, 96, CHECKS.index(64)
# Smaller errors are none.
LEAST_ERROR = 1e-6
# The size of a window around zero. With a smaller spread over the level logarithms say the same as values, but rounded:
# those of numbers near 1e15 are eight from one another.
LEAST_SIZE, LEAST_SPREAD = 1e-6, 1e-9
# No model learns anything from fewer known values than these.
FEW = 4


@dataclass(frozen=True)
class SeasonalBase:
    """The forecast that a network corrects, and what it is the mean of, in each window's own units.

    Args:
        loc: Centre of each window, `[B, 1]`: the mean of its last season.
        scale: Unit of each, `[B, 1]`: the mean absolute deviation.
        values: The known values in these units, `[B, T]`; NaN is missing.
        models: What the `K` models of `BASE_FORECASTS` say of them; NaN where one says nothing.
    """

    loc: Array
    scale: Array
    values: Array
    models: SimpleForecasts

    @classmethod
    def of(cls, past: Array, season: Integers, longer: Integers, horizon: int) -> Self:
        """Ask all models about windows.

        Args:
            past: The known values, `[B, T]`; NaN is missing.
            season: Steps of the season of each, `[B]`; 1 is none.
            longer: Steps of a season that contains it, `[B]`; 0 is none.
            horizon: Number of future steps, `H`.

        Example:
            >>> week = np.tile([1.0, 2.0, 3.0], 4)[None]
            >>> base = SeasonalBase.of(week, np.array([3]), np.array([0]), horizon=4)
            >>> base.in_units.round(6).tolist()
            [[1.0, 2.0, 3.0, 1.0]]
        """
        loc, scale = units_of(past, season)
        of_season = both_ways_smoothed(past, season, horizon, GAINS)
        of_lags = both_ways(
            past, season, lambda values, rows: autoregressed(values, season[rows], longer[rows], horizon)
        )
        of_longer = SimpleForecasts.unknown(len(past), past.shape[1], horizon, 2 * len(LONGER_GAINS))
        rows = np.flatnonzero((longer > 0) & (2 * longer <= (~np.isnan(past)).sum(axis=1)))
        if len(rows):
            found = both_ways_smoothed(past[rows], longer[rows], horizon, LONGER_GAINS)
            own_loc, own_scale = (each[:, :, None] for each in units_of(past[rows], longer[rows]))
            to_loc, to_scale = loc[rows, :, None], scale[rows, :, None]
            of_longer.put(rows, found.mapped(lambda part: (part * own_scale + own_loc - to_loc) / to_scale))
        values = _in_reach((past - loc) / scale)
        parts = [of_season, of_lags, of_longer, lowest_again(values, horizon)]
        return cls(loc, scale, values, SimpleForecasts.concat(parts))

    @cached_property
    def errors(self) -> Array:
        """Mean absolute error one step ahead of each model, `[B, K]`; NaN where there is none."""
        return self.models.errors(self.values)

    @cached_property
    def weights(self) -> Array:
        """How much each model counts in the first steps, `[B, K]`.

        Where fewer than four values are known, trends and coefficients are as many as values and have no error: there
        no model counts, and the base is the centre of the window.
        """
        return self._weights(NEAR)

    @cached_property
    def far_weights(self) -> Array:
        """How much each counts in far steps, `[B, K]`: as in the first ones where less than 128 values are known."""
        checked = ~np.isnan(self._checks[CHECK_OF_FAR]).all(axis=1, keepdims=True)
        return np.where(checked, self._weights(FAR), self.weights)

    @cached_property
    def forecast(self) -> Array:
        """The forecast that the network corrects, `[B, H]`."""
        return self._next_steps(self.models.forecasts)

    @property
    def in_units(self) -> Array:
        """The same in the units of the data, `[B, H]`."""
        return self.forecast * self.scale + self.loc

    @cached_property
    def surprises(self) -> Array:
        """What came less what was forecast one step ahead, of the last steps, `[B, t]`; NaN is missing."""
        return self.values[:, -RECENT:] - _mean(self.models.ahead, self.weights)

    @cached_property
    def check_errors(self) -> Array:
        """Mean absolute error of its forecasts of the last steps, `[B, checks]`; NaN where there is none."""
        checks = {steps: self._next_steps(found)[:, :, None] for steps, found in self.models.checks.items()}
        own = SimpleForecasts(
            self.forecast[:, :, None], self.values[:, -RECENT:, None], checks, np.ones((len(self.loc), 1))
        )
        return own.check_errors(self.values)[:, :, 0].T

    @cached_property
    def _checks(self) -> Array:
        return self.models.check_errors(self.values)

    def _weights(self, sharpness: Sharpness) -> Array:
        weights = weights_by_errors(self.errors, self._checks, sharpness, BEFORE_ERRORS)
        few = (~np.isnan(self.values)).sum(axis=1, keepdims=True) < FEW
        return np.where(few, 0.0, weights)

    def _next_steps(self, forecasts: Array) -> Array:
        """Return the mean of forecasts of the next steps, `[B, .]`, which goes over from near weights to far ones."""
        mean, late = _mean(forecasts, self.weights), slice(NEAR_STEPS, None)
        steps = np.arange(1, forecasts.shape[1] + 1)[late]
        share = np.minimum(1.0, np.log(steps / NEAR_STEPS) / np.log(FAR_STEPS / NEAR_STEPS))
        mean[:, late] += share * (_mean(forecasts[:, late], self.far_weights) - mean[:, late])
        return mean


def units_of(past: Array, season: Integers) -> tuple[Array, Array]:
    """Return the units of windows: the mean of the last season, and the mean absolute deviation, `[B, 1]` each.

    Args:
        past: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`.
    """
    length = past.shape[1]
    last = np.where(np.arange(length) >= length - season[:, None], past, np.nan)
    everywhere = mean_of_known(past)
    loc = mean_of_known(last)
    loc = np.nan_to_num(np.where(np.isnan(loc), everywhere, loc))
    spread = mean_of_known(np.abs(past - everywhere))
    # A constant is its own unit, whatever the rounding of its mean leaves.
    varies = np.fmax.reduce(past, axis=1, keepdims=True) > np.fmin.reduce(past, axis=1, keepdims=True)
    return loc, np.where(varies, spread, np.maximum(np.abs(loc), LEAST_SIZE))


def both_ways(past: Array, season: Integers, model: Callable[[Array, Integers], SimpleForecasts]) -> SimpleForecasts:
    """Ask models about windows in their own units: about the values, then about their logarithms.

    Args:
        past: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        model: Returns what `K` models say of values in their units, `[b, T]`, and of which windows they are, `[b]`:
            the values of all windows, and after them the logarithms of some.

    Returns:
        What they say of values, and what they say of logarithms, `2K` in all, in the units of the values. The latter is
        the same as the former where some values are not positive, or all are the same but for a billionth.
    """
    loc, scale = units_of(past, season)
    least = np.nanmin(np.where(np.isnan(past), np.inf, past), axis=1)
    rows = np.flatnonzero((least > 0) & np.isfinite(least) & (scale > LEAST_SPREAD * loc)[:, 0])
    logarithms = np.log(past[rows])
    centre, spread = units_of(logarithms, season[rows])
    # Both at once, since a model goes through the steps of all windows one by one.
    both = [_in_reach((past - loc) / scale), (logarithms - centre) / spread]
    found = model(np.concatenate(both), np.concatenate([np.arange(len(past)), rows]))
    of_values = found.take(slice(0, len(past)))
    # What is out of reach anyway, before its exponential is more than a number can be.
    most = np.log(loc[rows, :, None] + 2 * FARTHEST * scale[rows, :, None])

    def grown(part: Array) -> Array:
        values = np.exp(np.minimum(part * spread[:, :, None] + centre[:, :, None], most))
        return np.asarray((values - loc[rows, :, None]) / scale[rows, :, None])

    of_logarithms = found.take(slice(len(past), None)).mapped(grown)
    if len(rows) < len(past):
        everywhere = of_values.mapped(np.copy)
        everywhere.put(rows, of_logarithms)
        of_logarithms = everywhere
    # What was put together is no one else's.
    return SimpleForecasts.concat([of_values, of_logarithms]).mapped(lambda part: _in_reach(part, out=part))


def both_ways_smoothed(past: Array, season: Integers, horizon: int, gains: Gains) -> SimpleForecasts:
    """Smooth windows in their own units, their values and their logarithms; arguments as for `smoothed`."""

    def model(values: Array, rows: Integers) -> SimpleForecasts:
        most = np.where(np.arange(len(values)) < len(past), 1.0, DAMPING_OF_LOGARITHMS)
        return smoothed(values, season[rows], horizon, gains, most)

    return both_ways(past, season, model)


def weights_by_errors(errors: Array, checks: Array, sharpness: Sharpness = NEAR, before: Array | float = 1.0) -> Array:
    r"""Return how much each model counts in their mean, `[B, K]`: the more, the smaller its errors.

    .. math:: w_k \propto p_k e_k^{-a} \prod_n e_{k,n}^{-c_n}

    Args:
        errors: Mean absolute errors one step ahead, `[B, K]`; NaN is a model that does not count.
        checks: Mean absolute errors of forecasts of the last steps, `[checks, B, K]`; NaN where there is none.
        sharpness: The powers, `a` and `c`.
        before: How much each counts before its errors are known, `[K]`, or 1 for all the same.

    Example:
        >>> nothing = np.full((7, 1, 3), np.nan)
        >>> weights_by_errors(np.array([[1.0, 2.0, np.nan]]), nothing).round(3).tolist()
        [[0.941, 0.059, 0.0]]
    """
    of_checks = np.einsum("n,nbk->bk", np.array(sharpness.checks, dtype=float), _above_least(checks))
    # Of windows without a known value all models say the same.
    counts = ~np.isnan(errors) | np.isnan(errors).all(axis=1, keepdims=True)
    weights = np.exp(-sharpness.ahead * _above_least(errors) - of_checks) * counts * before
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _mean(forecasts: Array, weights: Array) -> Array:
    """Return the mean of forecasts, `[B, .]`; NaN where none is known."""
    mean = np.einsum("btk,bk->bt", zero_if_unknown(forecasts), weights)
    return np.where(np.isnan(forecasts).all(axis=2), np.nan, mean)


def _above_least(errors: Array) -> Array:
    """Return the logarithm of errors over the least of each window; 0 where there is none."""
    found = np.log(np.maximum(np.where(np.isnan(errors), np.inf, errors), LEAST_ERROR))
    above = found - found.min(axis=-1, keepdims=True, initial=np.finfo(float).max)
    return np.where(np.isinf(found), 0.0, above)


def _in_reach(values: Array, out: Array | None = None) -> Array:
    return np.clip(values, -FARTHEST, FARTHEST, out=out)
