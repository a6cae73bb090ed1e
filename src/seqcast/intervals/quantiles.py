"""Quantiles of forecasts: the levels of intervals, their columns and possible values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcast.data.series import AnyArray
from seqcast.errors import Option, Phrase, SpecError
from seqcast.runtime import Array
from seqcast.specs import check_choice, check_number

# A level of 0.8 is meant as a fraction.
LEAST_LEVEL = 1

POINTS = ("median", "mean")

SUPPORTS = ("auto", "real", "non-negative", "counts")

# Values of each support, in words.
VALUES_OF = {"real": "any number", "non-negative": "values >= 0", "counts": "whole numbers >= 0"}

# Levels whose bounds show the whole of a distribution: sample paths and means are computed from
# them.
WHOLE_LEVELS = (*map(float, range(5, 100, 5)), 98.0, 99.0, 99.8)
# With this share of zeros, whole numbers are intermittent demand.
MOSTLY_ZERO = 0.5

# Doubles do not represent all whole numbers beyond this.
MOST_COUNT = 2.0**53

# Levels and probabilities within this distance are equal.
_ROUNDING = 1e-9


def level_text(level: float) -> str:
    """Return a level as text for column names.

    Args:
        level: The level, in per cent.

    Example:
        >>> level_text(80.0), level_text(99.5)
        ('80', '99.5')
    """
    return str(int(level)) if level == int(level) else str(float(level))


def bound_probability(level: float, sign: int) -> float:
    """Return the probability of a bound of a level's interval.

    Args:
        level: The level, in per cent.
        sign: -1 for the lower bound, 1 for the upper one.

    Example:
        >>> bound_probability(80, -1), bound_probability(95, 1)
        (0.1, 0.975)
    """
    return round((100 + sign * level) / 200, 12)


def check_levels(level: Sequence[float] | float) -> tuple[float, ...]:
    """Return levels of intervals, and reject impossible ones and fractions such as 0.8.

    Args:
        level: One level or several, in per cent.

    Raises:
        SpecError: A level is impossible, or they do not ascend.

    Example:
        >>> check_levels(80), check_levels([80, 95])
        ((80.0,), (80.0, 95.0))
    """
    values = list(level) if isinstance(level, Sequence | np.ndarray) else [level]
    levels = [check_number("level", each) for each in values]
    ascend = levels == sorted(set(levels))
    if not levels or not ascend or levels[0] <= LEAST_LEVEL or levels[-1] >= 100:
        hint: str = Phrase("Give, for example, ", Option("level", (80, 95)), ".")
        if fractions := [each for each in levels if 0 < each < 1]:
            hint = f"Levels are per cent: {100 * fractions[0]:g}, not {fractions[0]:g}."
        expected = f"levels above {LEAST_LEVEL} and below 100 per cent, ascending"
        raise SpecError("level", expected=expected, received=repr(level), hint=hint)
    return tuple(levels)


def level_quantiles(level: Sequence[float]) -> tuple[float, ...]:
    """Return the median and the quantiles between which intervals lie, rising.

    Args:
        level: Levels of the intervals, in per cent.

    Example:
        >>> level_quantiles((80, 95))
        (0.025, 0.1, 0.5, 0.9, 0.975)
    """
    return tuple(sorted({0.5, *_bounds(level)}))


def quantile_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the levels of the intervals that lie between quantiles, ascending.

    Args:
        quantiles: Probabilities of the quantiles.

    Example:
        >>> quantile_levels((0.1, 0.5, 0.9, 0.975))
        (80.0,)
    """
    upper = (each for each in quantiles if each > 0.5 and _is_among(1 - each, quantiles))
    return tuple(round(200 * each - 100, 9) for each in sorted(upper))


def _bounds(level: Sequence[float]) -> tuple[float, ...]:
    """Return the probabilities of the lower and the upper bound, level after level."""
    return tuple(bound_probability(each, sign) for each in level for sign in (-1, 1))


def _is_among(number: float, numbers: Sequence[float]) -> bool:
    return any(abs(number - each) < _ROUNDING for each in numbers)


def check_trained(level: Sequence[float], known: Sequence[float], *, hint: str) -> None:
    """Reject levels for which a forecaster has no intervals.

    Args:
        level: The levels, in per cent.
        known: The levels that it has.
        hint: How to get others.

    Raises:
        SpecError: It lacks one of them.
    """
    for each in level:
        if not _is_among(each, known):
            listed = ", ".join(f"{other:g}" for other in known) or "none: it forecasts a point"
            raise SpecError(
                "level", expected=f"levels that it has: {listed}", received=f"{each:g}", hint=hint
            )


def check_within(level: Sequence[float], widest: float) -> None:
    """Reject levels beyond the widest that a zero-shot model knows; it knows all others.

    Args:
        level: The levels, in per cent.
        widest: The widest level of the model.

    Raises:
        SpecError: A level is wider.
    """
    if max(level, default=0.0) > widest:
        expected = f"levels up to {widest:g}, the widest that the pretrained network knows"
        hint = "Give smaller ones, or name another preset."
        raise SpecError("level", expected=expected, received=f"{max(level):g}", hint=hint)


@dataclass(frozen=True)
class ForecastRequest:
    """A forecast request: point and levels of the intervals.

    A forecast is an array whose last axis is, in this order: the point, then for each level, the
    narrowest first, the lower and the upper bound of its interval.

    Args:
        point: `median` or `mean`.
        level: Levels of intervals, in per cent, ascending; none for a point alone.

    Raises:
        SpecError: The point's name is unknown, or a level impossible.

    Example:
        >>> request = ForecastRequest(level=(80, 99.5))
        >>> request.columns("seqcast")
        ['seqcast', 'seqcast-lo-80', 'seqcast-hi-80', 'seqcast-lo-99.5', 'seqcast-hi-99.5']
        >>> request.probabilities
        (0.1, 0.9, 0.0025, 0.9975)
    """

    point: str = "median"
    level: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("point", self.point, POINTS)
        if self.level:
            object.__setattr__(self, "level", check_levels(self.level))

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Probabilities of the bounds, level after level."""
        return _bounds(self.level)

    @property
    def probabilities_with_point(self) -> tuple[float, ...]:
        """Probability of each entry of the last axis of a forecast; that of the point is 0.5."""
        return (0.5, *self.probabilities)

    def columns(self, alias: str) -> list[str]:
        """Return the names of a forecast's columns.

        Args:
            alias: Name of the point's column.
        """
        return [
            alias,
            *(f"{alias}-{side}-{level_text(each)}" for each in self.level for side in ("lo", "hi")),
        ]

    def by_column(self, forecast: Array, alias: str) -> dict[str, Array]:
        """Return a forecast split into its columns, by their names.

        Args:
            forecast: The forecast, `[..., 1 + 2 L]`.
            alias: Name of the point's column.
        """
        return {name: forecast[..., place] for place, name in enumerate(self.columns(alias))}


def observed_support(targets: Array, point: str = "mean") -> tuple[str, ...]:
    """Return the support that the rule `auto` gives each target.

    It is `real` if a value is below zero, else `non-negative`. For medians it is `counts` where all
    values are whole numbers and at least half are zero: quantiles of intermittent demand are whole
    numbers, its mean is none.

    Args:
        targets: Values, `[rows, D]`; NaN is missing.
        point: The point forecast, `median` or `mean`.

    Example:
        >>> observed_support(np.array([[0.0, -1.0], [2.5, np.nan]]))
        ('non-negative', 'real')
        >>> observed_support(np.array([[0.0], [0.0], [3.0]]), "median")
        ('counts',)
    """
    by_target = []
    for values in targets.T:
        known = values[~np.isnan(values)]
        is_whole = len(known) > 0 and (known == np.floor(known)).all()
        if (known < 0).any():
            support = "real"
        elif point == "median" and is_whole and (known == 0).mean() >= MOSTLY_ZERO:
            support = "counts"
        else:
            support = "non-negative"
        by_target.append(support)
    return tuple(by_target)


def outside_support_of(targets: Array, support: str) -> Array:
    """Return which values lie outside a support.

    Args:
        targets: Values; NaN is missing.
        support: One of `SUPPORTS`.

    Example:
        >>> outside_support_of(np.array([-1.0, 0.5, 2.0, np.nan]), "counts")
        array([ True,  True, False, False])
    """
    if support not in ("non-negative", "counts"):
        return np.zeros(targets.shape, dtype=bool)

    outside = targets < 0
    if support == "counts":
        outside = outside | ~np.isnan(targets) & (targets != np.floor(targets))
    return np.asarray(outside)


def bounded(forecast: AnyArray, supports: Sequence[str], *, is_mean: bool = False) -> AnyArray:
    """Return a forecast within the support of its targets.

    Values below zero become zero. Counts are rounded to the nearest whole number, bounds too: an
    interval loses no count that it held.

    Args:
        forecast: Points, quantiles or sample paths, `[..., D, Q]`; of NumPy or of another library.
        supports: Support of each target; none for no bounds.
        is_mean: Whether the first entry of the last axis is a mean, which is not rounded.

    Returns:
        The forecast; that of NumPy as whole numbers where all targets are counts, unless there is a
        mean.

    Example:
        >>> forecast = np.array([[[1.4, -0.2, 2.1]]])
        >>> bounded(forecast, ["counts"]).tolist()
        [[[1, 0, 2]]]
        >>> bounded(forecast, ["real"]).tolist()
        [[[1.4, -0.2, 2.1]]]
    """
    if all(support == "real" for support in supports):
        return forecast

    xp = forecast.__array_namespace__()
    least = np.array([[-math.inf if each == "real" else 0.0] for each in supports])
    counts = np.array([[each == "counts"] for each in supports])
    within = xp.maximum(forecast, xp.asarray(least, dtype=forecast.dtype))
    if not counts.any():
        return within

    smaller = xp.minimum(within, MOST_COUNT)
    rounded = xp.round(smaller)
    if is_mean:
        rounded = xp.concat([smaller[..., :1], rounded[..., 1:]], axis=-1)
    if not counts.all():
        return xp.where(xp.asarray(counts), rounded, within)
    return rounded.astype(np.int64) if xp is np and not is_mean else rounded
