"""Levels of intervals, in per cent, the quantiles they lie between, and the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seqcast.errors import SpecError
from seqcast.specs import check_number

# A level of 0.8 is meant as a share.
LEAST_LEVEL = 1


def level_text(level: float) -> str:
    """Return a level as it stands in column names.

    Example:
        >>> level_text(80.0), level_text(99.5)
        ('80', '99.5')
    """
    return str(int(level)) if level == int(level) else str(float(level))


def bound_probability(level: float, sign: int) -> float:
    """Return the probability of the lower (`sign` -1) or upper (1) bound of a level's interval.

    Example:
        >>> bound_probability(80, -1), bound_probability(95, 1)
        (0.1, 0.975)
    """
    return round((100 + sign * level) / 200, 12)


def check_levels(level: Sequence[float] | float) -> tuple[float, ...]:
    """Return levels of intervals, in per cent, and refuse impossible ones, and shares such as 0.8.

    Example:
        >>> check_levels(80), check_levels([80, 95])
        ((80.0,), (80.0, 95.0))
    """
    values = list(level) if isinstance(level, Sequence | np.ndarray) else [level]
    levels = [check_number("level", each) for each in values]
    if not levels or levels[0] <= LEAST_LEVEL or levels[-1] >= 100 or levels != sorted(set(levels)):
        share = next((each for each in levels if 0 < each < 1), None)
        raise SpecError(
            "level",
            expected=f"levels above {LEAST_LEVEL} and below 100 per cent, ascending",
            received=repr(level),
            hint="Give, for example, level=(80, 95)."
            if share is None
            else f"Levels are per cent: {100 * share:g}, not {share:g}.",
        )
    return tuple(levels)


_ROUNDING = 1e-9


def interval_columns(alias: str, level: Sequence[float]) -> Iterator[str]:
    """Yield the columns of intervals, the lower bound of a level before the upper one.

    Example:
        >>> list(interval_columns("m", (80, 99.5)))
        ['m-lo-80', 'm-hi-80', 'm-lo-99.5', 'm-hi-99.5']
    """
    return (f"{alias}-{side}-{level_text(each)}" for each in level for side in ("lo", "hi"))


def level_quantiles(level: Sequence[float]) -> tuple[float, ...]:
    """Return the median and the quantiles between which intervals lie, rising.

    Example:
        >>> level_quantiles((80, 95))
        (0.025, 0.1, 0.5, 0.9, 0.975)
    """
    return tuple(sorted({0.5, *(bound_probability(each, sign) for each in level for sign in (-1, 1))}))


def quantile_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the levels of the intervals that lie between quantiles, ascending.

    Example:
        >>> quantile_levels((0.1, 0.5, 0.9, 0.975))
        (80.0,)
    """
    upper = [each for each in quantiles if each > 0.5 and any(abs(1 - each - low) < _ROUNDING for low in quantiles)]
    return tuple(round(200 * each - 100, 9) for each in sorted(upper))


def widest_level(quantiles: Sequence[float]) -> float:
    """Return the level of the interval between the outermost of some quantiles.

    Example:
        >>> widest_level((0.1, 0.5, 0.9))
        80.0
    """
    return quantile_levels(quantiles)[-1]


def check_trained(level: Sequence[float], known: Sequence[float], *, hint: str) -> None:
    """Refuse levels for which a forecaster has no intervals."""
    for each in level:
        if not any(abs(each - other) < _ROUNDING for other in known):
            listed = ", ".join(f"{other:g}" for other in known) or "none: it forecasts a point"
            raise SpecError("level", expected=f"levels that it has: {listed}", received=f"{each:g}", hint=hint)


def check_within(level: Sequence[float], widest: float) -> None:
    """Refuse levels beyond the widest that a zero-shot model knows; it knows all others."""
    if max(level, default=0.0) > widest:
        raise SpecError(
            "level",
            expected=f"levels up to {widest:g}, the widest that the pretrained network knows",
            received=f"{max(level):g}",
            hint="Give smaller ones, or name another preset.",
        )
