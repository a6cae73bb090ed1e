"""The forecast that a pretrained network corrects: a mean of simple models, by their errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from seqcast.pretrained import simple_models
from seqcast.pretrained.autoregression import AUTOREGRESSIONS, autoregressed
from seqcast.pretrained.simple_models import (
    CHECKS,
    FARTHEST,
    RECENT,
    Array,
    Integers,
    SimpleForecasts,
    repeated,
)
from seqcast.pretrained.smoothing import Gains, smoothed
from seqcast.runtime import one_blas_thread

# Gains for levels that stay or walk, seasons that stay or
# change, and trends that last or end. Nine of 100 that are good on training rows of public data
# (docs/history.md), and two without a season, for windows that have none.
GAINS = (
    Gains(level=0.02, trend=0.0, season=0.02, damping=0.9),
    Gains(level=0.02, trend=0.0, season=0.02, damping=0.98),
    Gains(level=0.1, trend=0.0, season=0.02, damping=0.98),
    Gains(level=0.1, trend=0.0, season=0.4, damping=0.98),
    Gains(level=0.1, trend=0.0, season=0.4, damping=1.0),
    Gains(level=0.3, trend=0.0, season=0.4, damping=0.98),
    Gains(level=0.95, trend=0.0, season=0.1, damping=0.9),
    Gains(level=0.95, trend=0.0, season=0.1, damping=1.0),
    Gains(level=0.95, trend=0.1, season=0.4, damping=0.95),
    Gains(level=0.05, trend=0.0, season=None, damping=0.9),
    Gains(level=0.3, trend=0.0, season=None, damping=0.9),
)


class LongerSeasonModel(NamedTuple):
    """A model of the season that contains the season.

    Args:
        gains: Its gains, where two of these seasons are known.
        fading: Factor of the change since the last of them from step to step, where fewer are
            known, and the last one is repeated.
    """

    gains: Gains
    fading: float


LONGER_SEASON_MODELS = (
    LongerSeasonModel(Gains(level=0.02, trend=0.0, season=0.1, damping=0.9), fading=0.9),
    LongerSeasonModel(Gains(level=0.1, trend=0.0, season=0.4, damping=0.98), fading=0.99),
)
# The model that repeats the lowest value.
LOWEST = "lowest value again"
# Trends of logarithms end, however long they have lasted: exponential growth is soon out of reach.
DAMPING_OF_LOGARITHMS = 0.99


class ErrorPowers(NamedTuple):
    """Doublings of a model's weight for half the error.

    Args:
        one_step: Doublings by the error one step ahead.
        checks: Doublings by the error of each check, by its number of steps.
    """

    one_step: float
    checks: dict[int, float]

    def by_error(self) -> list[float]:
        """Return the powers in the order of `SimpleForecasts.errors`."""
        return [self.one_step, *(self.checks.get(steps, 0.0) for steps in CHECKS)]


# Powers for the first steps of a forecast, which all checks resemble.
NEAR = ErrorPowers(one_step=4.0, checks=dict.fromkeys(CHECKS, 1.0))
# Powers for far steps.
FAR = ErrorPowers(one_step=1.0, checks={32: 1.0, 64: 2.0, 128: 2.0, 256: 2.0})
# The last step with the weights of the first ones. From there on the weights change by the
# logarithm of the step.
NEAR_STEPS = 16
# The first step with the weights of far ones.
FAR_STEPS = 96
# The check that the weights of far steps need.
CHECK_OF_FAR = CHECKS.index(64)
# Smaller errors count as this one.
LEAST_ERROR = 1e-6
# Unit of a window of zeros.
LEAST_SIZE = 1e-6
# With a smaller spread against the level, logarithms are values with rounding: near 1e15 they round
# to eights.
LEAST_SPREAD = 1e-9
# Least level over the spread that is told from zero, so that single precision holds what is divided
# by it.
LEAST_LEVEL = 1e-30
# No model learns anything from fewer known values.
FEW = 4


class WindowUnits(NamedTuple):
    """The units of some windows.

    Args:
        loc: Centre of each window, `[B, 1]`: the mean of its last season.
        scale: Unit of each, `[B, 1]`: the mean absolute deviation.
    """

    loc: Array
    scale: Array

    @classmethod
    def of(cls, past: Array, season: Integers) -> Self:
        """Return the units of windows.

        Args:
            past: The known values, `[B, T]`; NaN is missing.
            season: Steps of the season of each, `[B]`.
        """
        length = past.shape[1]
        last = np.where(np.arange(length) >= length - season[:, None], past, np.nan)
        everywhere = simple_models.mean_of_known(past)
        loc = simple_models.mean_of_known(last)
        loc = np.nan_to_num(np.where(np.isnan(loc), everywhere, loc))

        spread = simple_models.mean_of_known(np.abs(past - everywhere))
        # A constant is its own unit, despite the rounding of its mean; so are numbers whose
        # differences round to nothing.
        highest = np.fmax.reduce(past, axis=1, keepdims=True)
        varies = highest > np.fmin.reduce(past, axis=1, keepdims=True)
        constant = np.maximum(np.abs(loc), LEAST_SIZE)
        return cls(loc, np.where(varies & (spread > 0), spread, constant))

    def scaled(self, values: Array) -> Array:
        """Return values in these units, within reach, `[B, T]`."""
        return np.clip((values - self.loc) / self.scale, -FARTHEST, FARTHEST)

    def for_models(self) -> Self:
        """Return the units with an axis of models, `[B, 1, 1]` each."""
        return type(self)(self.loc[:, :, None], self.scale[:, :, None])


@dataclass(frozen=True)
class BaseWindows:
    """Windows that the models of the base forecast.

    Args:
        past: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        horizon: Number of future steps, `H`.
    """

    past: Array
    season: Integers
    longer: Integers
    horizon: int

    @cached_property
    def units(self) -> WindowUnits:
        """Their units."""
        return WindowUnits.of(self.past, self.season)

    @cached_property
    def values(self) -> Array:
        """The known values in these units, `[B, T]`."""
        return self.units.scaled(self.past)


@dataclass(frozen=True)
class SeasonalBase:
    """The forecast that a network corrects, a mean of simple models, in each window's own units.

    Args:
        loc: Centre of each window, `[B, 1]`: the mean of its last season.
        scale: Unit of each, `[B, 1]`: the mean absolute deviation.
        values: The known values in these units, `[B, T]`; NaN is missing.
        models: Forecasts of the `K` models of `BASE_FORECASTS`; NaN where one has none.
    """

    loc: Array
    scale: Array
    values: Array
    models: SimpleForecasts

    @classmethod
    @one_blas_thread()
    def of(cls, past: Array, season: Integers, longer: Integers, horizon: int) -> Self:
        """Forecast windows by all models.

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
        windows = BaseWindows(past, season, longer, horizon)
        models = SimpleForecasts.concat([group.forecasts(windows) for group in MODEL_GROUPS])
        return cls(*windows.units, windows.values, models)

    @cached_property
    def errors(self) -> Array:
        """Mean absolute errors of models, one step ahead and in checks, `[1 + checks, B, K]`."""
        return self.models.errors(self.values)

    @cached_property
    def weights(self) -> Array:
        """Weight of each model in the first steps, `[B, K]`.

        Trends and coefficients fit fewer than four known values without error: there no model
        counts, and the base is the centre of the window.
        """
        return self._weights(NEAR)

    @cached_property
    def far_weights(self) -> Array:
        """Weight of each model in far steps, `[B, K]`.

        They are those of the first steps if fewer than 128 values are known.
        """
        checked = ~np.isnan(self.errors[1 + CHECK_OF_FAR]).all(axis=1, keepdims=True)
        return np.where(checked, self._weights(FAR), self.weights)

    @cached_property
    def forecast(self) -> Array:
        """The forecast that the network corrects, `[B, H]`."""
        return self._next_steps(self.models.forecasts)

    @property
    def in_units(self) -> Array:
        """This forecast in the units of the data, `[B, H]`."""
        return self.forecast * self.scale + self.loc

    @cached_property
    def surprises(self) -> Array:
        """Values of the last steps less their one-step forecasts, `[B, t]`; NaN is missing."""
        return self.values[:, -RECENT:] - _mean(self.models.ahead, self.weights)

    @cached_property
    def check_errors(self) -> Array:
        """Mean absolute error of its forecasts of the last steps, `[B, checks]`; NaN for none."""
        checks = {
            steps: self._next_steps(forecast)[:, :, None]
            for steps, forecast in self.models.checks.items()
        }

        values = self.values[:, -RECENT:, None]
        alike = np.ones_like(self.loc)
        own = SimpleForecasts(self.forecast[:, :, None], values, checks, alike)
        return own.errors(self.values)[1:, :, 0].T

    def _weights(self, powers: ErrorPowers) -> Array:
        weights = weights_by_errors(self.errors, powers, BEFORE_ERRORS)
        few = (~np.isnan(self.values)).sum(axis=1, keepdims=True) < FEW
        return np.where(few, 0.0, weights)

    def _next_steps(self, forecasts: Array) -> Array:
        """Return the mean of forecasts of the next steps, `[B, .]`, by near and far weights."""
        mean = _mean(forecasts, self.weights)
        late = slice(NEAR_STEPS, None)
        steps = np.arange(1, forecasts.shape[1] + 1)[late]
        share = np.minimum(1.0, np.log(steps / NEAR_STEPS) / np.log(FAR_STEPS / NEAR_STEPS))
        mean[:, late] += share * (_mean(forecasts[:, late], self.far_weights) - mean[:, late])
        return mean


def _of_longer_season(windows: BaseWindows) -> SimpleForecasts:
    """Return forecasts of windows by their longer season; NaN where no more than one is known."""
    past = windows.past
    season = windows.season
    longer = windows.longer
    horizon = windows.horizon
    # Values and logarithms have the same models.
    models = 2 * len(LONGER_SEASON_MODELS)
    whole = SimpleForecasts.unknown(len(past), past.shape[1], horizon, models)

    def put(rows: Integers, own: SimpleForecasts) -> None:
        # From units by the longer season to those by the season.
        old = WindowUnits.of(past[rows], longer[rows]).for_models()
        new = WindowUnits.of(past[rows], season[rows]).for_models()
        changed = own.mapped(lambda each: (each * old.scale + old.loc - new.loc) / new.scale)
        whole.put(rows, changed)

    known = np.where(longer > 0, (~np.isnan(past)).sum(axis=1), -1)
    twice = np.flatnonzero(2 * longer <= known)
    if len(twice):
        gains = [model.gains for model in LONGER_SEASON_MODELS]
        put(twice, both_ways_smoothed(past[twice], longer[twice], horizon, gains))

    once = np.flatnonzero((longer + season < known) & (known < 2 * longer))
    if len(once):
        lengths = longer[once]
        dampings = [model.fading for model in LONGER_SEASON_MODELS]

        def model(own: Array, rows: Integers) -> SimpleForecasts:
            return repeated(own, lengths[rows], horizon, dampings)

        put(once, both_ways(past[once], lengths, model))

    return whole


def _of_lags(windows: BaseWindows) -> SimpleForecasts:
    """Return forecasts of windows by autoregressions."""

    def model(own: Array, rows: Integers) -> SimpleForecasts:
        return autoregressed(own, windows.season[rows], windows.longer[rows], windows.horizon)

    return both_ways(windows.past, windows.season, model)


def both_ways(
    past: Array, season: Integers, model: Callable[[Array, Integers], SimpleForecasts]
) -> SimpleForecasts:
    """Forecast windows by models of their values and of their logarithms, in their own units.

    Args:
        past: The known values, `[B, T]`; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        model: Function that returns forecasts of `K` models. It reads values in their units, `[b,
            T]`, and the numbers of their windows, `[b]`: the values of all windows, then the
            logarithms of some.

    Returns:
        Forecasts from values and from logarithms, `2K` in all, in the units of the values. They are
        equal where some values are not positive, or all are the same but for a billionth.
    """
    units = WindowUnits.of(past, season)
    loc, scale = units
    least = np.nanmin(np.where(np.isnan(past), np.inf, past), axis=1)
    rows = np.flatnonzero((least > 0) & np.isfinite(least) & (scale > LEAST_SPREAD * loc)[:, 0])

    logarithms = np.log(past[rows])
    centre, spread = WindowUnits.of(logarithms, season[rows])

    # Both at once, since a model goes through the steps of all windows one by one.
    both = [units.scaled(past), (logarithms - centre) / spread]
    forecasts = model(np.concatenate(both), np.concatenate([np.arange(len(past)), rows]))
    of_values = forecasts.take(slice(0, len(past)))

    # Values out of reach are clipped before their exponential overflows; what they are over the
    # level keeps its digits.
    levels = np.maximum(loc[rows] / scale[rows], LEAST_LEVEL)
    start = _single(centre - np.log(loc[rows]))
    most = _single(np.log1p(2 * FARTHEST / levels))
    slope = _single(spread)
    level = _single(levels)

    def grown(each: Array) -> Array:
        return np.asarray(np.expm1(np.minimum(each * slope + start, most)) * level)

    of_logarithms = of_values.mapped(np.copy)
    of_logarithms.put(rows, forecasts.take(slice(len(past), None)).mapped(grown))
    # The joined arrays are new, so they may be clipped in place.
    joined = SimpleForecasts.concat([of_values, of_logarithms])
    return joined.mapped(lambda each: np.clip(each, -FARTHEST, FARTHEST, out=each))


def _single(of_windows: Array) -> Array:
    """Return numbers of windows, `[B, 1]`, in single precision, with an axis of models."""
    return of_windows[:, :, None].astype(np.float32)


def both_ways_smoothed(
    past: Array, season: Integers, horizon: int, gains: Sequence[Gains]
) -> SimpleForecasts:
    """Smooth the values and the logarithms of windows; arguments as for `smoothed`."""

    def model(values: Array, rows: Integers) -> SimpleForecasts:
        most = np.where(np.arange(len(values)) < len(past), 1.0, DAMPING_OF_LOGARITHMS)
        return smoothed(values, season[rows], horizon, gains, most)

    return both_ways(past, season, model)


def weights_by_errors(
    errors: Array, powers: ErrorPowers = NEAR, before: Array | float = 1.0
) -> Array:
    r"""Return the weight of each model in their mean, `[B, K]`: the smaller its errors, the larger.

    .. math:: w_k \propto p_k \prod_n e_{n,k}^{-c_n}

    Args:
        errors: Mean absolute errors one step ahead, where NaN is a model that does not count, then
            those of forecasts of the last steps, NaN where there is none, `[1 + checks, B, K]`.
        powers: The power of each of them, `c`.
        before: Weights before errors are known, `[K]`, or 1 for equal ones.

    Example:
        >>> errors = np.full((8, 1, 3), np.nan)
        >>> errors[0] = [1.0, 2.0, np.nan]
        >>> weights_by_errors(errors).round(3).tolist()
        [[0.941, 0.059, 0.0]]
    """
    # In windows without a known value all models count alike.
    counts = ~np.isnan(errors[0]) | np.isnan(errors[0]).all(axis=1, keepdims=True)
    weights = (
        np.exp(-np.einsum("n,nbk->bk", powers.by_error(), _above_least(errors))) * counts * before
    )

    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _mean(forecasts: Array, weights: Array) -> Array:
    """Return the mean of forecasts, `[B, .]`; NaN where none is known."""
    mean = np.einsum("btk,bk->bt", simple_models.zero_if_unknown(forecasts), weights)
    return np.where(np.isnan(forecasts).all(axis=2), np.nan, mean)


def _above_least(errors: Array) -> Array:
    """Return the logarithm of errors over the least of each window; 0 where there is none."""
    logarithms = np.log(np.maximum(np.where(np.isnan(errors), np.inf, errors), LEAST_ERROR))
    above = logarithms - logarithms.min(axis=-1, keepdims=True, initial=np.finfo(float).max)
    return np.where(np.isinf(logarithms), 0.0, above)


@dataclass(frozen=True)
class ModelGroup:
    """Models that are computed at once.

    Args:
        names: Name of each model of values.
        forecasts: Forecasts windows by these models, and then by those of logarithms.
        of_logarithms: Whether logarithms of the values have the same models.
    """

    names: tuple[str, ...]
    forecasts: Callable[[BaseWindows], SimpleForecasts]
    of_logarithms: bool = True

    def columns(self) -> list[str]:
        """Return the name of each column of their forecasts: of values, then of logarithms."""
        if not self.of_logarithms:
            return list(self.names)
        return [name.format(of) for of in ("values", "logarithms") for name in self.names]


MODEL_GROUPS = (
    ModelGroup(
        tuple(f"smoothing {number} of {{}}" for number in range(len(GAINS))),
        lambda windows: both_ways_smoothed(windows.past, windows.season, windows.horizon, GAINS),
    ),
    ModelGroup(tuple(f"{model.name} of {{}}" for model in AUTOREGRESSIONS), _of_lags),
    ModelGroup(
        tuple(
            f"smoothing {number} of {{}} with the longer season"
            for number in range(len(LONGER_SEASON_MODELS))
        ),
        _of_longer_season,
    ),
    ModelGroup(
        (LOWEST,),
        lambda windows: simple_models.lowest_again(windows.values, windows.horizon),
        of_logarithms=False,
    ),
)
"""The models of the base."""

BASE_FORECASTS = tuple(name for group in MODEL_GROUPS for name in group.columns())
"""Name of each model."""

# Weights before errors are known: the lowest value counts as much as all others, many of which are
# alike.
BEFORE_ERRORS = np.where(
    [name == LOWEST for name in BASE_FORECASTS], len(BASE_FORECASTS) - 1.0, 1.0
)
