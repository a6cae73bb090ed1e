"""The inputs of the pretrained network: one set of weights for series of any unit and season.

Past steps are read in the window's own units, with their differences from the season before. Future
steps are read as values of the last seasons and forecasts of simple models. The mean of the latter
is the base. Forecasts are distances from it, in units of its errors in checks. So the network reads
any season length equally well, and forecasts the base where it has learned nothing.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import WindowReader, forward_fill
from seqcast.pretrained.seasonal_base import BASE_FORECASTS, SeasonalBase
from seqcast.pretrained.simple_models import (
    CHECKS,
    FARTHEST,
    RECENT,
    Array,
    Integers,
    mean_of_known,
    zero_if_unknown,
)

# Probabilities of the quantiles of the last season.
OF_LAST = (0.1, 0.3, 0.5, 0.7, 0.9)
# Least number of last values of which quantiles are read.
FEWEST_LAST = 12

PAST = (
    "value",
    "value less the season before",
    "value less the longer season before",
    "value less the base one step ahead",
    "value is known",
    "season before is known",
    "longer season before is known",
)
"""Columns of the past, in this order."""

FUTURE = (
    "base",
    "last season",
    "season before it",
    "mean of the last seasons",
    "last longer season",
    "lowest value",
    "highest value",
    *(f"quantile {probability:g} of the last season" for probability in OF_LAST),
    *BASE_FORECASTS,
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
    "unit against steps of a season",
    "share of zeros",
    "share of values that repeat the one before",
    "share of the lowest value",
    "share of the highest value",
    *(f"error of {name}" for name in BASE_FORECASTS),
    *(f"error of the base in the last {steps} steps" for steps in CHECKS),
    *(f"the last {steps} steps are checked" for steps in CHECKS),
)
"""Columns with one value a window."""

# Values of a piece: larger ones leave the processor's cache.
VALUES_AT_ONCE = 2**16
# Fewest windows of a piece: with fewer Python is slow.
LEAST_AT_ONCE = 64
# Calls of which the inputs are shared, about seven megabytes each.
_MOST_SHARED = 16
# Number of last seasons in their mean.
SEASONS = 6
# Least unit of differences from the season before, in deviations of the window.
LEAST_STEP = 0.03
# Least unit of distances from the base, in deviations of the window.
LEAST_UNIT = 0.003
# Largest of both units, in deviations of the window.
LARGEST_UNIT = 5.0
# Growth of a random walk's error from each check to 64 steps.
GROWN = np.sqrt(np.maximum(1.0, 64 / np.array(CHECKS)))
# Factor of covariates, so that their weights, which begin at zero, learn faster than the others.
GAIN = 8.0


@dataclass(frozen=True)
class CovariateSizes:
    """The numbers of covariates that a network reads.

    Args:
        past: Features of a past step; those of the known future are its last ones.
        future: Features of a future step.
        static: Features of a series.

    Example:
        >>> bool(CovariateSizes()), bool(CovariateSizes(past=2, future=1))
        (False, True)
    """

    past: int = 0
    future: int = 0
    static: int = 0

    @classmethod
    def of(cls, reader: WindowReader) -> Self:
        """Return the numbers of covariates in a window reader."""
        static = 0 if reader.static is None else reader.static.shape[1]
        return cls(reader.width - reader.targets.width, reader.future, static)

    def __bool__(self) -> bool:
        return self.past + self.future + self.static > 0


@dataclass(frozen=True)
class SeasonalInputs:
    """The inputs of a network for some windows, and their units.

    Args:
        inputs: `past` `[B, T, 7]` of 512 steps at most, `future` `[B, H, 46]` and `static` `[B,
            55]`, in single precision.
        base: The forecast that the network corrects, `[B, H]`, in the units of the data.
        unit: Unit of the distances from it, `[B, 1]`: the mean error of the base in its checks, as
            it would be after 64 steps, above 0.
        floor: Lower bound of forecasts, `[B, 1]`: zero where that is the lowest known value, else
            minus infinity.
        farthest: The largest distance.
    """

    inputs: dict[str, npt.NDArray[np.float32]]
    base: Array
    unit: Array
    floor: Array
    farthest: float = FARTHEST

    @classmethod
    def concat(cls, by_piece: Sequence[Self]) -> Self:
        """Return the inputs of the windows of several pieces as one."""
        if len(by_piece) == 1:
            return by_piece[0]
        inputs = {
            name: np.concatenate([each.inputs[name] for each in by_piece])
            for name in by_piece[0].inputs
        }
        return replace(
            by_piece[0],
            inputs=inputs,
            base=np.concatenate([each.base for each in by_piece]),
            unit=np.concatenate([each.unit for each in by_piece]),
            floor=np.concatenate([each.floor for each in by_piece]),
        )

    def scaled(self, values: Array) -> Array:
        """Return values of the windows, `[B, n]` with `n` up to `H`, as distances from the base."""
        return np.clip(
            (values - self.base[:, : values.shape[1]]) / self.unit, -self.farthest, self.farthest
        )

    def in_units(self, values: Array) -> Array:
        """Return distances from the base, `[B, H, ...]`, in the units of the data."""
        more = (1,) * (values.ndim - 2)
        values = values * self.unit.reshape(-1, 1, *more) + self.base.reshape(
            *self.base.shape, *more
        )
        return np.maximum(values, self.floor.reshape(-1, 1, *more))


def seasonal_inputs(
    past: Array, season: Integers, longer: Integers, horizon: int
) -> SeasonalInputs:
    """Return the inputs of the network for some windows.

    Args:
        past: The known values, `[B, T]`; NaN is missing, also before the first value of a short
            series.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        horizon: Number of future steps, `H`.

    Returns:
        The inputs.

    Example:
        >>> week = np.tile([1.0, 2.0, 3.0], 4)[None]
        >>> windows = seasonal_inputs(week, np.array([3]), np.array([0]), horizon=4)
        >>> windows.base.round(6).tolist()
        [[1.0, 2.0, 3.0, 1.0]]
    """
    by_piece = []
    for rows in pieces(len(past), past.shape[1], LEAST_AT_ONCE):
        base = SeasonalBase.of(past[rows], season[rows], longer[rows], horizon)
        by_piece.append(inputs_around(base, past[rows], season[rows], longer[rows]))
    return SeasonalInputs.concat(by_piece)


# Inputs by the shape of the windows, the horizon and a digest of their values and seasons.
_Shared = dict[tuple[tuple[int, ...], int, bytes], SeasonalInputs]
_shared: ContextVar[_Shared | None] = ContextVar("shared inputs", default=None)


@contextlib.contextmanager
def sharing_inputs() -> Iterator[None]:
    """Let networks that read the same windows in the block compute their inputs once."""
    known = _shared.get()
    token = _shared.set(_Shared() if known is None else known)
    try:
        yield
    finally:
        _shared.reset(token)


def shared_inputs() -> Callable[[Array, Integers, Integers, int], SeasonalInputs]:
    """Return `seasonal_inputs`, which remembers its last results within `sharing_inputs`."""
    known = _shared.get()
    if known is None:
        return seasonal_inputs

    def read(past: Array, season: Integers, longer: Integers, horizon: int) -> SeasonalInputs:
        arrays = (np.ascontiguousarray(each).tobytes() for each in (past, season, longer))
        key = (past.shape, horizon, hashlib.blake2b(b"".join(arrays)).digest())
        inputs = known.get(key)
        if inputs is None:
            inputs = seasonal_inputs(past, season, longer, horizon)
            if len(known) == _MOST_SHARED:
                known.clear()
            known[key] = inputs
        return inputs

    return read


def pieces(rows: int, values: int, least: int = 1, at_once: int = VALUES_AT_ONCE) -> list[slice]:
    """Return the rows of each piece that fits in the processor's cache; one piece at least.

    Args:
        rows: Number of rows.
        values: Values of a row.
        least: Fewest rows of a piece.
        at_once: Values that the cache holds.

    Example:
        >>> pieces(5, VALUES_AT_ONCE // 2)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    count = max(least, at_once // values)
    return [slice(first, first + count) for first in range(0, max(1, rows), count)]


def inputs_around(
    base: SeasonalBase,
    past: Array,
    season: Integers,
    longer: Integers,
    *,
    farthest: float = FARTHEST,
) -> SeasonalInputs:
    """Return the inputs of the network for the windows of a piece, around their base.

    Args:
        base: Their base.
        past: As for `seasonal_inputs`.
        season: As for `seasonal_inputs`.
        longer: As for `seasonal_inputs`.
        farthest: The largest distance from it that the network reads and learns.
    """
    values = base.values
    loc = base.loc
    scale = base.scale
    errors = base.errors[0]
    places = np.arange(values.shape[1])
    differences = [values - _at(values, places - lag[:, None], lag) for lag in (season, longer)]

    step = mean_of_known(np.abs(differences[0]))
    least_error = np.min(np.nan_to_num(errors, nan=np.inf), axis=1, keepdims=True)
    step = np.where(np.isnan(step), np.where(np.isinf(least_error), 1.0, least_error), step)
    of_step = np.clip(step, LEAST_STEP, LARGEST_UNIT)

    # In units of the base's error, all windows count alike in training.
    error = mean_of_known(base.check_errors * GROWN)
    unit = np.clip(np.where(np.isnan(error), of_step, error), LEAST_UNIT, LARGEST_UNIT)

    lowest = np.fmin.reduce(past, axis=1, keepdims=True)
    highest = np.fmax.reduce(past, axis=1, keepdims=True)

    recent = [each[:, -RECENT:] for each in (values, *differences)]
    of_season, of_longer = (np.clip(each / of_step, -farthest, farthest) for each in recent[1:])
    surprises = np.clip(base.surprises / unit, -farthest, farthest)
    numbers = [zero_if_unknown(each) for each in (recent[0], of_season, of_longer, surprises)]
    is_known = [~np.isnan(each) for each in recent]

    known = ~np.isnan(values)
    both = known[:, 1:] & known[:, :-1]
    repeats = np.where(both, past[:, 1:] == past[:, :-1], np.nan).astype(float)
    inputs = {
        "past": np.stack([*numbers, *is_known], axis=2),
        "future": _future(
            base, unit, season, longer, lowest=lowest, highest=highest, farthest=farthest
        ),
        "static": np.concatenate(
            [
                np.log(season[:, None]) / 4,
                np.log(np.maximum(longer[:, None], 1)) / 6,
                np.log1p(known.sum(axis=1, keepdims=True)) / 6,
                np.log(scale / (np.abs(loc) + scale)) / 4,
                np.log(np.clip(step, 1e-3, 10.0)) / 2,
                np.log(unit / of_step) / 2,
                _share_of(0.0, past),
                np.nan_to_num(mean_of_known(repeats)),
                *(_share_of(end, past) for end in (lowest, highest)),
                _logarithms(errors / unit),
                _logarithms(base.check_errors / unit),
                ~np.isnan(base.check_errors),
            ],
            axis=1,
        ),
    }

    single = {name: each.astype(np.float32) for name, each in inputs.items()}
    floor = np.where(lowest == 0.0, 0.0, -np.inf)
    return SeasonalInputs(single, base.in_units, unit * scale, floor, farthest)


def _share_of(value: Array | float, past: Array) -> Array:
    """Return the fraction of the known values that equal this value, `[B, 1]`; 0 for none."""
    return np.nan_to_num(mean_of_known(np.where(np.isnan(past), np.nan, past == value)))


def _logarithms(errors: Array) -> Array:
    """Return logarithms of errors in units of the distances; 0 where there is none."""
    return np.log(np.clip(np.nan_to_num(errors, nan=1.0), 1e-2, 10.0))


def _future(
    base: SeasonalBase,
    unit: Array,
    season: Integers,
    longer: Integers,
    *,
    lowest: Array,
    highest: Array,
    farthest: float,
) -> Array:
    """Return the columns of the future, `[B, H, 46]`, of windows with a season and a longer one.

    `lowest` and `highest` are their lowest and highest known values, `[B, 1]` each.
    """
    values = base.values
    forecast = base.forecast
    rows, horizon = forecast.shape
    steps = np.arange(horizon)

    newest = forward_fill(values[:, :, None])[:, -1]
    seasons = [season_again(values, season, horizon, back) for back in range(1, SEASONS + 1)]
    last_longer = season_again(values, longer, horizon)
    mean = mean_of_known(np.stack(seasons, axis=2), axis=2)[:, :, 0]
    filled = [
        np.where(np.isnan(column), newest, column)
        for column in (seasons[0], seasons[1], mean, last_longer)
    ]

    scaled_ends = [(end - base.loc) / base.scale for end in (lowest, highest)]
    levels = np.concatenate([*scaled_ends, quantiles_of_last(values, season)], axis=1)
    stays = np.broadcast_to(levels[:, None], (rows, horizon, levels.shape[1]))

    candidates = np.concatenate([np.stack(filled, axis=2), stays, base.models.forecasts], axis=2)
    # Unknown forecasts are those of the base.
    apart = (candidates - forecast[:, :, None]) / unit[:, :, None]
    distances = zero_if_unknown(np.clip(apart, -farthest, farthest))

    numbers = [
        ~np.isnan(last_longer),
        np.broadcast_to(steps / 24, (rows, horizon)),
        steps // season[:, None] / 4,
    ]
    return np.concatenate([forecast[:, :, None], distances, np.stack(numbers, axis=2)], axis=2)


def season_again(values: Array, season: Integers, horizon: int, back: int = 1) -> Array:
    """Return a season of each window, repeated, `[B, H]`; NaN where it is not known.

    Args:
        values: The values, `[B, T]`; NaN is missing.
        season: Steps of a season, `[B]`; 0 is none.
        horizon: Steps to return, `H`.
        back: Which season, counted from the end: 1 is the last one.

    Example:
        >>> season_again(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([2]), horizon=3)
        array([[3., 4., 3.]])
    """
    begin = values.shape[1] - back * season[:, None]
    places = begin + np.arange(horizon) % np.maximum(season, 1)[:, None]
    return _at(values, places, season)


def quantiles_of_last(values: Array, season: Integers) -> Array:
    """Return quantiles of the last season of each window, `[B, 5]`; NaN where none is known.

    They are those of the last twelve values if a season is shorter.

    Args:
        values: The values, `[B, T]`; NaN is missing.
        season: Steps of a season, `[B]`.

    Example:
        >>> quantiles_of_last(np.array([[9.0, *[0.0] * 8, 1.0, 0.0, 2.0, 1.0]]), np.array([1]))
        array([[0., 0., 0., 0., 1.]])
    """
    quantiles = np.full((len(values), len(OF_LAST)), np.nan)
    lengths = np.maximum(season, FEWEST_LAST)
    for steps in np.unique(lengths):
        rows = np.flatnonzero(lengths == steps)
        ranked = np.sort(values[rows, -int(steps) :], axis=1)
        count = (~np.isnan(ranked)).sum(axis=1)
        # The smallest value that such a fraction of the values does not exceed.
        places = np.maximum(np.ceil(np.array(OF_LAST) * count[:, None] - 1e-9).astype(int) - 1, 0)
        quantiles[rows] = np.take_along_axis(ranked, places, axis=1)

    return quantiles


def _at(values: Array, places: Integers, season: Integers) -> Array:
    """Return values by their places in each row; NaN outside, and in rows whose season is 0."""
    length = values.shape[1]
    taken = np.take_along_axis(values, np.clip(places, 0, length - 1), axis=1)
    inside = (places >= 0) & (places < length) & (season[:, None] > 0)
    return np.where(inside, taken, np.nan)


def last_steps(values: Array, steps: int, missing: float) -> Array:
    """Return the last steps of windows, `[B, steps, ...]`.

    Args:
        values: Their values, `[B, T, ...]`.
        steps: Number of steps.
        missing: Value before the first steps of shorter windows.

    Example:
        >>> last_steps(np.array([[1.0, 2.0]]), 3, missing=0.0).tolist()
        [[0.0, 1.0, 2.0]]
    """
    before = np.full((len(values), max(0, steps - values.shape[1]), *values.shape[2:]), missing)
    return np.concatenate([before, values[:, -steps:]], axis=1)


def column_names(names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the name of each column that a network reads, and of its target.

    Args:
        names: The names in a window reader that has features other than the targets; empty for one
            without any.
    """
    targets = len(names.get("y", ()))
    return {
        "past": (*PAST, *names.get("past", ())[targets:]),
        "future": (*FUTURE, *names.get("future", ())),
        "static": (*STATIC, *names.get("static", ())),
        "y": ("value",),
    }


def add_covariates(
    inputs: Mapping[str, Array], covariates: Mapping[str, Array]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return inputs of a network, followed by covariates times `GAIN`; unknown ones are 0.

    Args:
        inputs: The inputs, whose steps the covariates get; their last future step is repeated.
        covariates: The features of a window reader other than the targets, see `ZeroShotWindows`.

    Example:
        >>> inputs = {"past": np.zeros((1, 2, 1)), "static": np.zeros((1, 1))}
        >>> inputs["future"] = np.zeros((1, 1, 1))
        >>> covariates = {"past": np.array([[[np.nan], [2.0]]]), "static": np.array([[1.0]])}
        >>> {name: values.tolist() for name, values in add_covariates(inputs, covariates).items()}
        {'past': [[[0.0, 0.0], [0.0, 16.0]]], 'future': [[[0.0]]], 'static': [[0.0, 8.0]]}
    """
    past = forward_fill(covariates["past"])
    future = np.nan_to_num(covariates.get("future", np.zeros((len(past), 1, 0))))
    steps = np.minimum(np.arange(inputs["future"].shape[1]), future.shape[1] - 1)
    own = {
        "past": last_steps(past, inputs["past"].shape[1], 0.0),
        "future": future[:, steps],
        "static": covariates.get("static", np.zeros((len(past), 0))),
    }

    return {
        name: np.concatenate([inputs[name], GAIN * own[name]], axis=-1).astype(np.float32)
        for name in own
    }


def seasonal_reader(reader: WindowReader, *, covariates: bool) -> WindowReader:
    """Return a reader in which gaps stay gaps, also before the first row of a short series.

    Args:
        reader: The reader.
        covariates: Whether features other than the targets are read.
    """
    reader = replace(reader, observed=True)
    if covariates:
        return reader
    return replace(reader, features=None, future=0, static=None, names={})
