"""What a network reads that is told the season of each window: one set of weights for series of any unit and season.

Past steps are read in the window's own units, beside their differences from the season before; future steps beside what
the last seasons had there. So a season length that the network never saw is as good as any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FUTURE", "PAST", "STATIC", "SeasonalInputs", "seasonal_inputs"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

PAST = (
    "value",
    "value less the season before",
    "value less the longer season before",
    "value is known",
    "season before is known",
    "longer season before is known",
)
"""Columns of the past, in this order."""

FUTURE = (
    "last season",
    "season before it",
    "mean of the last seasons",
    "last longer season",
    "longer season is known",
    "step",
    "number of the season",
)
"""Columns of the future."""

STATIC = (
    "logarithm of the season length",
    "logarithm of the longer one",
    "logarithm of the number of known values",
    "spread against the level",
    "spread against steps of a season",
    "share of zeros",
    "share of values that repeat the one before",
)
"""Columns that a window has once."""

# In a window's own units: what is further out is as far as this.
FARTHEST = 20.0
# Seasons that the mean is taken of.
SEASONS = 6


@dataclass(frozen=True)
class SeasonalInputs:
    """The inputs of a network for some windows, and their units.

    Args:
        inputs: `past` `[B, T, 6]`, `future` `[B, H, 7]` and `static` `[B, 7]`, in single precision.
        loc: Centre of each window, `[B, 1]`: the mean of its last season.
        scale: Spread of each window, `[B, 1]`: its mean absolute deviation, above 0.
        step: Mean absolute difference of a season, in these units, `[B, 1]`; 1 where it is not known.
    """

    inputs: dict[str, npt.NDArray[np.float32]]
    loc: Array
    scale: Array
    step: Array

    def scaled(self, values: Array) -> Array:
        """Return values of the windows, `[B, H]`, in their units."""
        return np.clip((values - self.loc) / self.scale, -FARTHEST, FARTHEST)

    def in_units(self, values: Array) -> Array:
        """Return scaled values `[B, H, ...]` in the units of the data."""
        shape = (-1, *[1] * (values.ndim - 1))
        return np.asarray(values * self.scale.reshape(shape) + self.loc.reshape(shape))


def seasonal_inputs(past: Array, season: Integers, longer: Integers, horizon: int) -> SeasonalInputs:
    """Return what the network reads of some windows.

    Args:
        past: The known values, `[B, T]`; NaN is missing, also before the first value of a short series.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        horizon: Number of future steps, `H`.

    Returns:
        The inputs.

    Example:
        >>> week = np.array([[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]])
        >>> windows = seasonal_inputs(week, np.array([3]), np.array([0]), horizon=4)
        >>> windows.in_units(windows.inputs["future"][:, :, 0]).tolist()
        [[1.0, 2.0, 3.0, 1.0]]
    """
    loc, scale = _units(past, season)
    values = np.clip((past - loc) / scale, -FARTHEST, FARTHEST)
    known = ~np.isnan(values)
    differences = [values - _before(values, lag) for lag in (season, longer)]
    step = _mean(np.abs(differences[0]))
    channels = [values, *differences]
    columns = [np.nan_to_num(channel) for channel in channels] + [~np.isnan(channel) for channel in channels]
    inputs = {
        "past": np.stack(columns, axis=2).astype(np.float32),
        "future": _future(values, season, longer, horizon).astype(np.float32),
    }
    raw = np.where(known, past, np.nan)
    repeats = _mean(np.where(known[:, 1:] & known[:, :-1], past[:, 1:] == past[:, :-1], np.nan).astype(float))
    static = [
        np.log(season[:, None]) / 4,
        np.log(np.maximum(longer[:, None], 1)) / 6,
        np.log1p(known.sum(axis=1, keepdims=True)) / 6,
        np.log(scale / (np.abs(loc) + scale)) / 4,
        np.log(np.clip(np.nan_to_num(step, nan=1.0), 1e-3, 10.0)) / 2,
        np.nan_to_num(_mean(np.where(np.isnan(raw), np.nan, raw == 0.0))),
        np.nan_to_num(repeats),
    ]
    inputs["static"] = np.concatenate(static, axis=1).astype(np.float32)
    return SeasonalInputs(inputs, loc, scale, np.clip(np.nan_to_num(step, nan=1.0), 0.02, 5.0))


def _units(past: Array, season: Integers) -> tuple[Array, Array]:
    """Return the centre and the spread of each window, `[B, 1]` each."""
    length = past.shape[1]
    last = np.where(np.arange(length) >= length - season[:, None], past, np.nan)
    everywhere = _mean(past)
    loc = _mean(last)
    loc = np.nan_to_num(np.where(np.isnan(loc), everywhere, loc))
    spread = _mean(np.abs(past - everywhere))
    # A constant is its own unit; what is less than a few spacings of numbers of this size is none but rounding.
    least = np.maximum(np.abs(loc), 1e-6) * 1e-14
    scale = np.where(np.nan_to_num(spread) > least, spread, np.maximum(np.abs(loc), 1e-6))
    return loc, scale


def _future(values: Array, season: Integers, longer: Integers, horizon: int) -> Array:
    """Return the columns of the future, `[B, H, 7]`."""
    rows, length = values.shape
    steps = np.arange(horizon)
    within = steps % season[:, None]
    newest = _newest(values)
    # Seasons counted from the end: 1 is the last one.
    seasons = [_at(values, length - back * season[:, None] + within) for back in range(1, SEASONS + 1)]
    last_longer = np.where(
        longer[:, None] > 0, _at(values, length - longer[:, None] + steps % np.maximum(longer, 1)[:, None]), np.nan
    )
    mean = _mean(np.stack(seasons, axis=2), axis=2)
    filled = [np.where(np.isnan(column), newest, column) for column in (seasons[0], seasons[1], mean, last_longer)]
    numbers = [
        ~np.isnan(last_longer),
        np.broadcast_to(steps / 24, (rows, horizon)),
        (steps // season[:, None]) / 4,
    ]
    return np.stack([*filled, *numbers], axis=2)


def _before(values: Array, lag: Integers) -> Array:
    """Return the values so many steps before, `[B, T]`; NaN where there are none, or the lag is 0."""
    places = np.arange(values.shape[1]) - lag[:, None]
    return np.where(lag[:, None] > 0, _at(values, places), np.nan)


def _at(values: Array, places: Integers) -> Array:
    """Return values by their places in each row; NaN outside."""
    found = np.take_along_axis(values, np.clip(places, 0, values.shape[1] - 1), axis=1)
    return np.where((places >= 0) & (places < values.shape[1]), found, np.nan)


def _newest(values: Array) -> Array:
    """Return the last known value of each row, `[B, 1]`; 0 where there is none."""
    known = ~np.isnan(values)
    last = values.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.nan_to_num(np.take_along_axis(values, last[:, None], axis=1))


def _mean(values: Array, axis: int = 1) -> Array:
    """Return the mean of the known values along an axis, which is kept if it is 1; NaN where there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=axis == 1)
    total = np.where(known, values, 0.0).sum(axis=axis, keepdims=axis == 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
