"""Calibrations: widths by which intervals are widened at each step to reach their level; learnt in `conformal`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays import as_array
from seqcast.errors import DataError, SpecError
from seqcast.intervals.levels import check_levels
from seqcast.specs import check_choice, check_int

Array = npt.NDArray[Any]


KINDS = ("intervals", "point")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Widths by which intervals are widened at each step, learnt from windows with their truth.

    Args:
        level: Levels of the intervals, in per cent, ascending, `L` of them.
        widths: Subtracted from lower and added to upper bounds at each step, `[H, L]`; below zero where
            intervals were too wide.
        windows: Windows with a known truth at each step, `[H]`.
        kind: `intervals` when intervals are widened, `point` when they are laid around a point forecast.

    Raises:
        SpecError: A level or the kind is impossible.
        DataError: The arrays do not fit.

    Example:
        >>> calibration = Calibration((80,), [[4.0]], [9], "point")
        >>> calibration.around([[10.0]])
        (array([[[6.]]]), array([[[14.]]]))
    """

    level: tuple[float, ...]
    widths: Array
    windows: Array
    kind: str = "intervals"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        levels = check_levels(self.level)
        windows = as_array("windows", self.windows, (1,)).astype(np.int64)
        widths = check_shape("widths", self.widths, (len(windows), len(levels)))
        if not (len(windows) and np.isfinite(widths).all()):
            received = "others" if len(windows) else "no step"
            raise DataError("widths", expected="finite numbers", received=received, hint="Calibrate on more windows.")
        for name, value in (("level", levels), ("widths", widths), ("windows", windows)):
            object.__setattr__(self, name, value)

    def widths_for(self, horizon: int, level: Sequence[float] | float | None = None) -> Array:
        """Return the widths of a forecast of any horizon.

        Beyond the calibrated steps there is no guarantee. Intervals, which grow by themselves, keep the last
        step's width; around a point it grows as a random walk's error does, `width_H · √(h / H)`.

        Args:
            horizon: Number of steps.
            level: Levels among those that were calibrated; `None` takes all.

        Returns:
            The widths, `[horizon, levels]`, levels ascending.

        Raises:
            SpecError: A level was not calibrated.

        Example:
            >>> Calibration((80,), [[2.0]], [9], "point").widths_for(4).ravel()
            array([2.        , 2.82842712, 3.46410162, 4.        ])
            >>> Calibration((80,), [[2.0]], [9], "intervals").widths_for(4).ravel()
            array([2., 2., 2., 2.])
        """
        steps, calibrated = check_int("horizon", horizon), len(self.widths)
        places = [self._place(each) for each in self._levels(level)]
        widths = self.widths[np.minimum(np.arange(steps), calibrated - 1)][:, places]
        if self.kind == "point":
            widths *= np.sqrt(np.maximum(np.arange(1, steps + 1) / calibrated, 1.0))[:, None]
        return widths

    def apply(
        self,
        lo: Any,
        hi: Any,
        *,
        level: Sequence[float] | float | None = None,
        point: Any = None,
        scale: Any = None,
    ) -> tuple[Array, Array]:
        """Return widened intervals.

        Afterwards a wider level holds the narrower ones, no lower bound is above its upper one, and the point is
        inside. For that bounds are only moved outwards, so no interval loses coverage.

        Args:
            lo: Lower bounds, `[N, H, L]` of any horizon.
            hi: Upper bounds, `[N, H, L]`.
            level: Levels of the last axis, ascending; `None` is those of the calibration.
            point: The point forecast, `[N, H]`, which each interval then contains.
            scale: A positive unit for each window, `[N]`, if it was learnt with one.

        Returns:
            Lower and upper bounds, `[N, H, L]` each.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.

        Example:
            >>> calibration = Calibration((50, 80), [[0.5, 0.0]], [9])
            >>> lower, upper = calibration.apply([[[-1.0, -1.25]]], [[[1.0, 1.25]]])
            >>> upper  # the wider level follows the narrower one
            array([[[1.5, 1.5]]])
        """
        levels = self._levels(level)
        lower = as_array("lo", lo, (3,)).astype(np.float64)
        shape = (*lower.shape[:2], len(levels))
        lower, upper = check_shape("lo", lower, shape), check_shape("hi", hi, shape)
        widths = self.widths_for(shape[1], levels) * window_units(scale, shape[0])
        lower, upper = lower - widths, upper + widths
        # Intervals that were far too wide may be narrowed past their middle.
        middle, crossed = lower / 2 + upper / 2, lower > upper
        lower, upper = np.where(crossed, middle, lower), np.where(crossed, middle, upper)
        if point is not None:
            inside = check_shape("point", point, shape[:2])[:, :, None]
            lower, upper = np.minimum(lower, inside), np.maximum(upper, inside)
        return np.minimum.accumulate(lower, axis=2), np.maximum.accumulate(upper, axis=2)

    def around(
        self, point: Any, *, level: Sequence[float] | float | None = None, scale: Any = None
    ) -> tuple[Array, Array]:
        """Return intervals around a point forecast.

        Args:
            point: The forecast, `[N, H]` of any horizon.
            level: Levels among those that were calibrated; `None` takes all.
            scale: A positive unit for each window, `[N]`, if it was learnt with one.

        Returns:
            Lower and upper bounds, `[N, H, L]` each, levels ascending.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.
        """
        levels = self._levels(level)
        middle = as_array("point", point, (2,))
        bound = np.repeat(middle[:, :, None], len(levels), axis=2)
        return self.apply(bound, bound, level=levels, point=middle, scale=scale)

    def _levels(self, level: Sequence[float] | float | None) -> tuple[float, ...]:
        return self.level if level is None else check_levels(level)

    def _place(self, level: float) -> int:
        if level not in self.level:
            raise SpecError(
                "level",
                expected=f"one of {', '.join(f'{known:g}' for known in self.level)}",
                received=f"{level:g}",
                hint="Calibrate that level too.",
            )
        return self.level.index(level)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold the calibration."""
        return {"level": list(self.level), "kind": self.kind}, {"widths": self.widths, "windows": self.windows}

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the calibration from the result of `to_parts`.

        Raises:
            ValueError: They are no parts of one. It is said before an array is read.
        """
        widths, windows = arrays["widths"], arrays["windows"]
        if widths.shape != (*windows.shape, len(header["level"])):
            raise ValueError(f"widths of shape {widths.shape} of {windows.shape} windows")
        return cls(tuple(header["level"]), np.asarray(widths), np.asarray(windows), header["kind"])


def check_shape(where: str, values: Any, shape: tuple[int, ...]) -> Array:
    """Return an array in double precision, and refuse other shapes."""
    array = as_array(where, values, (len(shape),)).astype(np.float64)
    if array.shape != shape:
        raise DataError(
            where,
            expected=f"shape {shape}: windows, steps, levels, whichever it has",
            received=f"shape {array.shape}",
            hint="Give one entry for each.",
        )
    return array


def window_units(scale: Any, count: int) -> Array:
    """Return the unit of each window, `[N, 1, 1]`; without any it is 1 for all."""
    if scale is None:
        return np.ones((1, 1, 1))
    units = as_array("scale", scale, (1,)).astype(np.float64)
    if units.shape != (count,) or not (np.isfinite(units) & (units > 0)).all():
        raise DataError(
            "scale",
            expected=f"a positive number for each window, {count}",
            received=f"shape {units.shape}, smallest {units.min(initial=math.inf):g}",
            hint="Use 1 where a series does not change.",
        )
    return units[:, None, None]
