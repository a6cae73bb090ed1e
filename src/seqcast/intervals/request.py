"""Forecast requests: point and interval levels of a forecast, and the names of its columns and parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqcast.intervals.calibration import Calibration
from seqcast.intervals.levels import bound_probability, check_levels, interval_columns
from seqcast.specs import check_choice

Array = npt.NDArray[np.floating]


POINTS = ("median", "mean")


@dataclass(frozen=True)
class ForecastRequest:
    """A forecast request: point and levels of the intervals.

    A forecast is an array whose last axis is, in this order: the point, then for each level, the narrowest first, the
    lower and the upper bound of its interval.

    Args:
        point: `median` or `mean`.
        level: Levels of intervals, in per cent, ascending; none for a point alone.

    Raises:
        SpecError: The point's name is unknown, or a level impossible.

    Example:
        >>> request = ForecastRequest(level=(80, 95))
        >>> request.columns("seqcast")
        ['seqcast', 'seqcast-lo-80', 'seqcast-hi-80', 'seqcast-lo-95', 'seqcast-hi-95']
        >>> request.probabilities
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
        """Probabilities of the bounds, level after level."""
        return tuple(bound_probability(level, sign) for level in self.level for sign in (-1, 1))

    @property
    def probabilities_with_point(self) -> tuple[float, ...]:
        """Probability of each part of a forecast; that of the point is 0.5."""
        return (0.5, *self.probabilities)

    def columns(self, alias: str) -> list[str]:
        """Return the names of a forecast's columns."""
        return [alias, *interval_columns(alias, self.level)]

    def parts(self, forecast: Array, alias: str) -> dict[str, Array]:
        """Return the parts of a forecast, `[..., 1 + 2 L]`, by the names of their columns."""
        return {name: forecast[..., place] for place, name in enumerate(self.columns(alias))}

    def calibrated(self, forecast: Array, calibrations: Sequence[Calibration]) -> Array:
        """Return a forecast with its intervals widened, or with intervals around a point forecast.

        Args:
            forecast: `[N, H, D, 1 + 2 L]`, or `[N, H, D, 1]` for calibrations of points.
            calibrations: The calibration of each target.

        Returns:
            The forecast, `[N, H, D, 1 + 2 L]`.
        """
        widened = np.repeat(forecast[..., :1], 1 + 2 * len(self.level), axis=-1)
        for target, calibration in enumerate(calibrations):
            point = forecast[:, :, target, 0]
            if calibration.kind == "point":
                lower, upper = calibration.around(point, level=self.level)
            else:
                bounds = forecast[:, :, target, 1:]
                lower, upper = calibration.apply(bounds[..., ::2], bounds[..., 1::2], level=self.level, point=point)
            widened[:, :, target, 1::2], widened[:, :, target, 2::2] = lower, upper
        return widened
