"""What is asked of a forecast: its point and the levels of its intervals; and how columns and parts of it are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.calibration import Calibration, bound_probability, check_levels, level_text
from seqcast.config import check_choice
from seqcast.errors import SpecError

__all__ = ["POINTS", "Outlook", "check_trained", "interval_columns", "level_quantiles", "quantile_levels"]

Array = npt.NDArray[np.floating]

POINTS = ("median", "mean")
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Outlook:
    """What is asked of a forecast.

    A forecast is an array whose last axis is, in this order: the point, then for each level, the narrowest first, the
    lower and the upper bound of its interval.

    Args:
        point: `median` or `mean`.
        level: Levels of intervals, in per cent, ascending; none for a point alone.

    Raises:
        SpecError: The point's name is unknown, or a level impossible.

    Example:
        >>> outlook = Outlook(level=(80, 95))
        >>> outlook.columns("seqcast")
        ['seqcast', 'seqcast-lo-80', 'seqcast-hi-80', 'seqcast-lo-95', 'seqcast-hi-95']
        >>> outlook.probabilities
        (0.1, 0.9, 0.025, 0.975)
    """

    point: str = "median"
    level: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("point", self.point, POINTS)
        if self.level:
            object.__setattr__(self, "level", check_levels(self.level))

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Return the probabilities of the bounds, level after level."""
        return tuple(bound_probability(level, sign) for level in self.level for sign in (-1, 1))

    def columns(self, alias: str) -> list[str]:
        """Return the names of a forecast's columns."""
        return [alias, *interval_columns(alias, self.level)]

    def parts(self, forecast: Array, alias: str) -> dict[str, Array]:
        """Return the parts of a forecast, `[..., 1 + 2 L]`, by the names of their columns."""
        return {name: forecast[..., place] for place, name in enumerate(self.columns(alias))}

    def calibrated(self, forecast: Array, calibrations: Sequence[Calibration]) -> Array:
        """Return a forecast with its intervals widened, or laid around a point that has none yet.

        Args:
            forecast: `[N, H, D, 1 + 2 L]`, or `[N, H, D, 1]` for calibrations of points.
            calibrations: The calibration of each target.

        Returns:
            The forecast, `[N, H, D, 1 + 2 L]`.
        """
        made = np.repeat(forecast[..., :1], 1 + 2 * len(self.level), axis=-1)
        for target, calibration in enumerate(calibrations):
            point = forecast[:, :, target, 0]
            if calibration.kind == "point":
                lower, upper = calibration.around(point, level=self.level)
            else:
                bounds = forecast[:, :, target, 1:]
                lower, upper = calibration.apply(bounds[..., ::2], bounds[..., 1::2], level=self.level, point=point)
            made[:, :, target, 1::2], made[:, :, target, 2::2] = lower, upper
        return made


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


def check_trained(level: Sequence[float], known: Sequence[float], *, mend: str) -> None:
    """Refuse levels that a forecaster has no intervals for."""
    for each in level:
        if not any(abs(each - other) < _ROUNDING for other in known):
            listed = ", ".join(f"{other:g}" for other in known) or "none: it forecasts a point"
            raise SpecError("level", expected=f"levels that it has: {listed}", received=f"{each:g}", mend=mend)
