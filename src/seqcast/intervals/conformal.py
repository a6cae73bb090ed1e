"""Split-conformal calibration of intervals on windows that training has not seen.

The error of a window is measured in units of the reach that its own interval has on that side, so
later intervals are wide where the network says so. If old and new windows are exchangeable (all
orders are equally likely), an interval of any network covers the truth at least as often as its
level says. Series that drift or trend are not quite exchangeable: `common_errors` has the widths
for windows that share their times and series.

Source: Romano, Patterson and Candès, Conformalized quantile regression, NeurIPS 2019; locally
weighted scores, and point forecasts, Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
Distribution-free predictive inference for regression, JASA 113 (2018), section 5.2 and algorithm 2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.data.series import AnyArray
from seqcast.errors import DataError, SpecError
from seqcast.intervals.common_errors import WindowLabels, common_widths, width_power
from seqcast.intervals.quantiles import ForecastRequest, check_levels
from seqcast.runtime import Array
from seqcast.specs import check_choice

__all__ = ["Calibration", "calibrate_intervals", "calibrate_points", "windows_needed"]

# (n + 1) · level must not pass a whole number by rounding.
_ROUNDING = 1e-9

KINDS = ("intervals", "point")

# Least reach of an interval as a unit of errors, over the usual reach.
LEAST_REACH = 0.01
# Largest width of an interval, over the usual width; its inverse is the smallest.
MOST_RELATIVE = 8.0
# Least usual width, because widths are divided by it.
SMALLEST = 1e-12

Levels = Sequence[float] | float
# Lower and upper bounds, `[N, H, L]` each.
Bounds = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Widths of intervals at each step, learned from windows with their truth.

    Args:
        level: Levels of the intervals, in per cent, ascending, `L` of them.
        widths: Distance of the bounds from the point at each step, `[H, L]`: over that of the
            forecast's own bounds, or around a point in the units of the truth.
        windows: Windows with a known truth at each step, `[H]`.
        kind: `intervals` when intervals are widened, `point` when they are laid around a point
            forecast.
        usual: Half the usual width of the own intervals, `[H, L]`; a hundredth of it is their least
            reach.
        power: Power of the own over the usual width, by which widths are multiplied, `[L]`.

    Raises:
        SpecError: A level or the kind is impossible.
        DataError: The arrays do not fit.

    Example:
        >>> calibration = Calibration((80,), [[4.0]], [9], "point")
        >>> calibration.around([[10.0]])
        (array([[[6.]]]), array([[[14.]]]))
        >>> Calibration((80,), [[1.5]], [9]).apply([[[-2.0]]], [[[2.0]]])
        (array([[[-3.]]]), array([[[3.]]]))
    """

    level: tuple[float, ...]
    widths: Array
    windows: Array
    kind: str = "intervals"
    usual: Array | None = None
    power: Array | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        levels = check_levels(self.level)
        windows = as_array("windows", self.windows, (1,)).astype(np.int64)
        shape = (len(windows), len(levels))
        usual = np.ones(shape) if self.usual is None else self.usual
        power = np.zeros(len(levels)) if self.power is None else self.power

        checked = {
            "level": levels,
            "widths": _check_numbers("widths", self.widths, shape, least=0.0),
            "windows": windows,
            "usual": _check_numbers("usual", usual, shape, least=SMALLEST),
            "power": _check_numbers("power", power, shape[1:]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def widths_at(self, steps: AnyArray, level: Sequence[float]) -> AnyArray:
        """Return the widths of some steps, `[H, L]`.

        Beyond the calibrated steps there is no guarantee. Intervals, which grow by themselves, keep
        the last step's factor; around a point the width grows as a random walk's error does,
        `width_H · √(h / H)`.

        Args:
            steps: Numbers of the steps, from 0, `[H]`; of NumPy or of another library.
            level: Levels, in per cent, ascending.

        Example:
            >>> Calibration((80,), [[2.0]], [9], "point").widths_at(np.arange(4), [80]).ravel()
            array([2.        , 2.82842712, 3.46410162, 4.        ])
            >>> Calibration((80,), [[2.0]], [9], "intervals").widths_at(np.arange(4), [80]).ravel()
            array([2., 2., 2., 2.])
        """
        xp = steps.__array_namespace__()
        widths = self._at(steps, self.widths, level, reaches=self.kind == "point")
        if self.kind == "point":
            widths = widths * xp.sqrt(xp.maximum((steps + 1) / len(self.widths), 1.0))[:, None]
        return widths

    def reach(
        self, below: AnyArray, above: AnyArray, steps: AnyArray, level: Sequence[float]
    ) -> tuple[AnyArray, AnyArray]:
        """Return how far calibrated bounds lie below and above the point, `[N, H, L]`.

        Args:
            below: The same of the forecast's own lower bounds, `[N, H, L]`; of NumPy or of another
                library.
            above: Of the upper bounds.
            steps: Numbers of the steps, from 0, `[H]`.
            level: Levels, in per cent, ascending.
        """
        widths = self.widths_at(steps, level)
        if self.kind == "point":
            return widths, widths

        xp = below.__array_namespace__()
        usual = self._at(steps, self.usual, level, reaches=True)
        least = xp.asarray(usual * LEAST_REACH)
        if np.any(self.power):
            power = self._at(steps, np.asarray(self.power)[None], level, reaches=False)
            widths = _relative((below + above) / 2, usual) ** power * widths
        return xp.maximum(below, least) * widths, xp.maximum(above, least) * widths

    def _at(
        self, steps: AnyArray, values: Array | None, level: Sequence[float], *, reaches: bool
    ) -> AnyArray:
        """Return numbers of some steps and of any levels, beyond the last step those of the last.

        A reach grows with the normal quantile of the level, from 0 at level 0; a factor stays
        beyond calibrated levels.
        """
        from scipy import special

        known = special.ndtri(0.5 + np.asarray(self.level) / 200)
        wanted = special.ndtri(0.5 + np.asarray(level) / 200)
        rows = np.asarray(values)
        if reaches:
            within = [np.interp(wanted, [0.0, *known], [0.0, *row]) for row in rows]
            numbers = within * np.fmax(wanted / known[-1], 1.0)
        else:
            numbers = np.stack([np.interp(wanted, known, row) for row in rows])

        xp = steps.__array_namespace__()
        return xp.take(xp.asarray(numbers), xp.minimum(steps, len(rows) - 1), axis=0)

    def apply(
        self,
        lo: ArrayLike,
        hi: ArrayLike,
        *,
        level: Levels | None = None,
        point: ArrayLike | None = None,
    ) -> Bounds:
        """Return calibrated intervals.

        A wider level then contains the narrower ones, and the point is inside. For that bounds are
        only moved outwards, so no interval loses coverage.

        Args:
            lo: Lower bounds, `[N, H, L]` of any horizon.
            hi: Upper bounds, `[N, H, L]`.
            level: Levels of the last axis, ascending; `None` is those of the calibration.
            point: The point forecast, `[N, H]`, from which each bound is as far as its width says;
                without it that is the middle of each interval.

        Returns:
            Lower and upper bounds, `[N, H, L]` each.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.

        Example:
            >>> calibration = Calibration((50, 80), [[1.5, 1.0]], [9])
            >>> lower, upper = calibration.apply([[[-1.0, -1.25]]], [[[1.0, 1.25]]])
            >>> upper  # the wider level follows the narrower one
            array([[[1.5, 1.5]]])
        """
        levels = self._levels(level)
        own = _own_intervals(lo, hi, point, len(levels))
        steps = np.arange(own.lower.shape[1])
        reach = self.reach(own.middle - own.lower, own.upper - own.middle, steps, levels)
        return _split(_nested(own.middle, *reach))

    def around(self, point: ArrayLike, *, level: Levels | None = None) -> Bounds:
        """Return intervals around a point forecast.

        Args:
            point: The forecast, `[N, H]` of any horizon.
            level: Levels among those that were calibrated; `None` takes all.

        Returns:
            Lower and upper bounds, `[N, H, L]` each, levels ascending.

        Raises:
            DataError: Arrays do not fit.
            SpecError: A level was not calibrated.
        """
        levels = self._levels(level)
        middle = as_array("point", point, (2,))
        widths = self.widths_at(np.arange(middle.shape[1]), levels)
        return _split(_nested(middle[:, :, None], widths, widths))

    def _levels(self, level: Levels | None) -> tuple[float, ...]:
        levels = self.level if level is None else check_levels(level)
        for each in levels:
            if each not in self.level:
                expected = f"one of {', '.join(f'{known:g}' for known in self.level)}"
                raise SpecError(
                    "level",
                    expected=expected,
                    received=f"{each:g}",
                    hint="Calibrate that level too.",
                )
        return levels


class _OwnIntervals(NamedTuple):
    """The intervals of a forecast, as they are: bounds `[N, H, L]`, and a point or the middles."""

    lower: Array
    upper: Array
    middle: Array


def calibrated(
    forecast: AnyArray,
    request: ForecastRequest,
    calibrations: Sequence[Calibration],
    steps: AnyArray | None = None,
) -> AnyArray:
    """Return a forecast with its intervals widened, or with intervals around a point forecast.

    Args:
        forecast: `[N, H, D, 1 + 2 L]`, or `[N, H, D, 1]` for calibrations of points; of NumPy or of
            another library.
        request: The request that it answers, with `L` levels.
        calibrations: The calibration of each target, all of one kind.
        steps: Numbers of the steps, `[H]`; `None` counts those of an array of NumPy.

    Returns:
        The forecast, `[N, H, D, 1 + 2 L]`.
    """
    level = request.level
    if not level:
        return forecast[..., :1]

    xp = forecast.__array_namespace__()
    steps = np.arange(forecast.shape[1]) if steps is None else steps
    targets = []
    for place, each in enumerate(calibrations):
        own = forecast[:, :, place, :]
        point = own[..., :1]
        reach = each.reach(point - own[..., 1::2], own[..., 2::2] - point, steps, level)
        targets.append(xp.concat([point, *_nested(point, *reach)], axis=-1)[:, :, None, :])

    joined = targets[0] if len(targets) == 1 else xp.concat(targets, axis=2)
    return xp.asarray(joined, dtype=forecast.dtype)


def _nested(point: AnyArray, below: AnyArray, above: AnyArray) -> list[AnyArray]:
    """Return the lower and the upper bound of each level, `[..., 1]`, one level after the other.

    Args:
        point: The point, `[..., 1]`, or that of each level.
        below: How far lower bounds lie below it, `[..., L]`.
        above: How far upper bounds lie above it.
    """
    xp = point.__array_namespace__()
    lower = point - below
    upper = point + above
    bounds = [lower[..., :1], upper[..., :1]]
    for place in range(1, lower.shape[-1]):
        level = slice(place, place + 1)
        narrower = bounds[-2:]
        bounds.append(xp.minimum(lower[..., level], narrower[0]))
        bounds.append(xp.maximum(upper[..., level], narrower[1]))
    return bounds


def _split(bounds: Sequence[Array]) -> Bounds:
    return np.concatenate(bounds[::2], axis=2), np.concatenate(bounds[1::2], axis=2)


def _relative(own: AnyArray, usual: AnyArray) -> AnyArray:
    """Return an own width over the usual one, within an eightfold."""
    xp = own.__array_namespace__()
    return xp.minimum(xp.maximum(own / usual, 1.0 / MOST_RELATIVE), MOST_RELATIVE)


def windows_needed(level: float) -> int:
    """Return the fewest windows that a level needs: `level / (100 − level)`, rounded up.

    Args:
        level: Coverage, in per cent.

    Example:
        >>> [windows_needed(level) for level in (50, 80, 95, 99)]
        [1, 4, 19, 99]
    """
    return math.ceil(level / (100 - level) - _ROUNDING)


def calibrate_intervals(
    truth: ArrayLike,
    lo: ArrayLike,
    hi: ArrayLike,
    *,
    level: Levels,
    point: ArrayLike | None = None,
    labels: WindowLabels | None = None,
) -> Calibration:
    """Learn the widths of intervals, step by step.

    The score of a window is its error in units of the own reach, `(m − y) / (m − lo)` or `(y − m) /
    (hi − m)`; the width is the `⌈(n + 1) · level⌉`-th smallest of the `n` scores of the step.

    Args:
        truth: True values, `[N, H]`; NaN where it is missing.
        lo: Lower bounds, `[N, H, L]`.
        hi: Upper bounds, `[N, H, L]`.
        level: Their levels, in per cent, ascending.
        point: The point forecast `m`, `[N, H]`; without it that is the middle of each interval.
        labels: Series and age of the windows: then widths are those of `common_errors`, for windows
            whose errors are alike.

    Returns:
        The calibration.

    Raises:
        DataError: Arrays do not fit, a forecast is not finite, or a step has too few windows for a
            level.
        SpecError: A level is impossible.

    Example:
        >>> truth = np.array([[0.0], [1.5], [-3.0], [0.5]])
        >>> upper = np.ones((4, 1, 1))
        >>> calibrate_intervals(truth, -upper, upper, level=80).widths
        array([[3.]])
    """
    levels = check_levels(level)
    values = _truth(truth)
    lower, upper, middle = _own_intervals(lo, hi, point, len(levels), values.shape)

    usual = np.maximum(np.mean(upper - lower, axis=0) / 2, SMALLEST)
    side = np.where(values[:, :, None] < middle, middle - lower, upper - middle)
    scores = np.abs(values[:, :, None] - middle) / np.maximum(side, LEAST_REACH * usual)
    windows = _windows(values, levels)
    if labels is None:
        return Calibration(levels, _ranked(scores, windows, levels), windows, usual=usual)

    relative = _relative((upper - lower) / 2, usual)
    power = np.zeros(len(levels))
    widths = np.empty(usual.shape)
    for place, each in enumerate(levels):
        power[place] = width_power(scores[..., place], relative[..., place], labels.series)
        alike = scores[..., place] / relative[..., place] ** power[place]
        widths[:, place] = common_widths(alike, each, labels.age)
    return Calibration(levels, widths, windows, usual=usual, power=power)


def calibrate_points(truth: ArrayLike, point: ArrayLike, *, level: Levels) -> Calibration:
    """Learn the widths of intervals around a point forecast from its absolute errors.

    Args:
        truth: True values, `[N, H]`; NaN where it is missing.
        point: The forecast, `[N, H]`.
        level: Levels, in per cent, ascending.

    Returns:
        The calibration.

    Raises:
        DataError: As for `calibrate_intervals`.
        SpecError: A level is impossible.

    Example:
        >>> truth = np.array([[1.0], [-2.0], [3.0], [-4.0]])
        >>> calibration = calibrate_points(truth, np.zeros((4, 1)), level=80)
        >>> calibration.widths, calibration.windows
        (array([[4.]]), array([4]))
    """
    levels = check_levels(level)
    values = _truth(truth)
    middle = _check_shape("point", point, values.shape, finite=True)
    scores = np.repeat(np.abs(values - middle)[:, :, None], len(levels), axis=2)
    windows = _windows(values, levels)
    return Calibration(levels, _ranked(scores, windows, levels), windows, "point")


def _ranked(scores: Array, windows: Array, levels: tuple[float, ...]) -> Array:
    """Return the score of each step and level that covers as often as the level says, `[H, L]`."""
    ranked = np.sort(scores, axis=0)  # NaN comes last
    ranks = np.ceil((windows[:, None] + 1) * np.array(levels) / 100 - _ROUNDING).astype(np.int64)
    return np.asarray(np.take_along_axis(ranked, ranks[None] - 1, axis=0)[0])


def _windows(truth: Array, levels: tuple[float, ...]) -> Array:
    """Return the known windows at each step, and reject levels that need more."""
    windows = np.asarray((~np.isnan(truth)).sum(axis=0))
    step = int(np.argmin(windows))
    count = int(windows[step])
    supported = [level for level in levels if windows_needed(level) <= count]
    if len(supported) == len(levels):
        return windows

    # Levels ascend, so all others need even more.
    level = levels[len(supported)]
    remedy = f"choose level={supported}" if supported else "choose lower levels"
    raise DataError(
        f"level {level:g}",
        expected=f"at least {windows_needed(level)} calibration windows with a known truth at "
        "each step",
        received=f"{count} at step {step + 1}",
        hint=f"Calibrate on more windows, or {remedy}.",
    )


def _own_intervals(
    lo: ArrayLike,
    hi: ArrayLike,
    point: ArrayLike | None,
    levels: int,
    windows: tuple[int, ...] = (),
) -> _OwnIntervals:
    """Return checked intervals; their number is that of the lower bounds where none is given."""
    windows = windows or as_array("lo", lo, (3,)).shape[:2]
    lower = _check_shape("lo", lo, (*windows, levels), finite=True)
    upper = _check_shape("hi", hi, (*windows, levels), finite=True)
    if point is None:
        return _OwnIntervals(lower, upper, (lower + upper) / 2)

    middle = _check_shape("point", point, windows, finite=True)
    return _OwnIntervals(lower, upper, middle[..., None])


def _truth(truth: ArrayLike) -> Array:
    values = as_array("truth", truth, (2,)).astype(np.float64)
    if not values.size or np.isinf(values).any():
        received = "inf" if values.size else f"shape {values.shape}"
        raise DataError(
            "truth",
            expected="finite numbers, [N, H]",
            received=received,
            hint="Give at least one window and step, NaN where the truth is missing.",
        )
    return values


def _check_numbers(
    where: str, values: ArrayLike, shape: tuple[int, ...], *, least: float = -math.inf
) -> Array:
    """Return an array of finite numbers that are not below the least, for one step at least."""
    array = _check_shape(where, values, shape)
    if not (array.size and np.isfinite(array).all() and (array >= least).all()):
        raise DataError(
            where,
            expected=f"finite numbers >= {least:g}" if math.isfinite(least) else "finite numbers",
            received="others" if array.size else "no step",
            hint="Calibrate on more windows.",
        )
    return array


def _check_shape(
    where: str, values: ArrayLike, shape: tuple[int, ...], *, finite: bool = False
) -> Array:
    """Return an array in double precision, and reject other shapes."""
    array = as_array(where, values, (len(shape),), finite=finite).astype(np.float64)
    if array.shape != shape:
        raise DataError(
            where,
            expected=f"shape {shape}, from windows, steps and levels",
            received=f"shape {array.shape}",
            hint="Give one entry for each.",
        )
    return array
