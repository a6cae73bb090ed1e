"""Sums of forecasts over steps and series, and comparisons of scenarios: statistics of sample paths.

Bounds of a sum are no sums of bounds. So paths are drawn, each is summed up, and quantiles of the sums are taken.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.data.frames import LongFrame
from seqcast.errors import SpecError
from seqcast.forecaster.fitted import FittedForecaster, StepsAhead
from seqcast.intervals import ForecastRequest, bounded
from seqcast.runtime import Array
from seqcast.specs import check_choice, check_int

# Paths that are drawn for sums: of these, an interval of 80 % holds 80 ± 1 %.
PATHS = 1_000

OVER = ("steps", "series")


@dataclass(frozen=True)
class Total:
    """Which forecasts are summed up.

    Args:
        of: `all` steps, every so many steps, or the steps of each period by its pandas alias; `None` sums up none.
        over: `steps` of each series, or `series` too.

    Raises:
        SpecError: One of them is impossible.
    """

    of: str | int | None = None
    over: str = "steps"

    def __post_init__(self) -> None:
        check_choice("total_over", self.over, OVER)
        if not isinstance(self.of, str | None):
            check_int("total", self.of)
        if self.of is None and self.over != "steps":
            hint = "Give total=1 for the sum over series at each step."
            raise SpecError("total_over", expected="'steps' without total", received=repr(self.over), hint=hint)

    def numbers(self, steps: StepsAhead) -> Array:
        """Return the number of the period of each step, from 0 in each series, `[N, H]`.

        Args:
            steps: The steps ahead.

        Raises:
            SpecError: There is no such period, or stamps have none.
        """
        count, horizon = steps.exist.shape
        if not isinstance(self.of, str) or self.of == "all":
            length = horizon if self.of == "all" else int(self.of or 1)
            return np.broadcast_to(np.arange(horizon) // length, (count, horizon))
        if not hasattr(steps.stamps, "to_period") or not steps.exist.all():
            expected = "'all' or a number of steps, where stamps are whole numbers or irregular"
            raise SpecError("total", expected=expected, received=repr(self.of), hint="Sum up a number of steps.")
        expected = "'all', a number of steps, or a period: 'D', 'W', 'M', 'Q', 'Y', or another alias of pandas"
        try:
            periods = steps.stamps.tz_localize(None).to_period(self.of)
        except (ValueError, AttributeError):
            raise SpecError("total", expected=expected, received=repr(self.of)) from None
        if periods.freq.n != 1:
            raise SpecError("total", expected=expected, received=repr(self.of), hint="Give a number of steps.")
        ordinals = periods.asi8.reshape(count, horizon)
        return np.cumsum(np.diff(ordinals, axis=1, prepend=ordinals[:, :1]) != 0, axis=1)


@dataclass(frozen=True)
class Periods:
    """The periods over which a forecast is summed up.

    Args:
        steps: The steps ahead.
        numbers: The number of the period of each step, from 0 without gaps in each series, `[N, H]`.
        over_series: Whether there is one sum for all series.
    """

    steps: StepsAhead
    numbers: Array
    over_series: bool = False

    @classmethod
    def of(cls, total: Total, steps: StepsAhead) -> Self:
        """Return the periods of some steps.

        Args:
            total: Which forecasts are summed up.
            steps: The steps ahead.

        Raises:
            SpecError: There are no such periods, or they are not the same in all series.
        """
        periods = cls(steps, total.numbers(steps), total.over == "series")
        counts, last = periods.counts, np.asarray(steps.stamps)[periods.last]
        if periods.over_series and ((counts != counts[0]).any() or (last != last[0]).any()):
            raise SpecError(
                "total_over",
                expected="series that end at the same time, for a sum over them",
                received="series with steps of different times",
                hint="Give rows up to one time with df, or leave series out.",
            )
        return periods

    @functools.cached_property
    def counts(self) -> Array:
        """Number of steps of each period, `[N, K]`; 0 where a series has fewer periods than others."""
        return self.summed(self.steps.exist[..., None].astype(np.int64))[..., 0]

    @property
    def last(self) -> Array:
        """The place of the last step of each period among the stamps of all series, `[N, K]`."""
        count, horizon = self.numbers.shape
        return np.asarray(horizon * np.arange(count)[:, None] + np.maximum(self.counts.cumsum(axis=1), 1) - 1)

    def summed(self, values: Array) -> Array:
        """Return sums of numbers over the periods of each series, `[N, K, D]`.

        Args:
            values: The numbers, `[N, H, D]`.
        """
        count, _, targets = values.shape
        sums = np.zeros((count, int(self.numbers.max()) + 1, targets), dtype=values.dtype)
        np.add.at(sums, (np.arange(count)[:, None], self.numbers), values * self.steps.exist[..., None])
        return sums

    def of_paths(self, place: int, paths: Array) -> Array:
        """Return the sums of the paths of a series, `[samples, K, D]`.

        Args:
            place: Number of the series.
            paths: Its paths, `[samples, H, D]`.
        """
        first = np.flatnonzero(np.diff(self.numbers[place], prepend=-1))
        sums = np.add.reduceat(paths * self.steps.exist[place][:, None], first, axis=1)
        return np.pad(sums, ((0, 0), (0, self.counts.shape[1] - len(first)), (0, 0)))

    def over(self, values: Array) -> Array:
        """Return sums over the first axis where there is one sum for all series, or else the numbers as they are.

        Args:
            values: The numbers, `[N, ...]`.
        """
        return values.sum(axis=0, keepdims=True) if self.over_series else values


@dataclass(frozen=True)
class Outlook:
    """Forecasts of one or several futures of the same rows, with the differences between them.

    All futures have paths of the same ranks (common random numbers), so the noise that they share leaves no trace in a
    difference.

    Args:
        fitted: The fitted forecaster.
        frame: The rows to forecast from.
        ahead: The steps of each future.
        request: Point and intervals.
        total: Which forecasts are summed up.
    """

    fitted: FittedForecaster
    frame: LongFrame
    ahead: Sequence[StepsAhead]
    request: ForecastRequest
    total: Total

    @functools.cached_property
    def periods(self) -> Periods:
        """The periods over which forecasts are summed up; without a total, each step is one."""
        return Periods.of(self.total, self.ahead[0])

    @property
    def has_means(self) -> bool:
        """Whether points are means: those of small counts say more than medians, which are often zero."""
        return self.request.point == "mean" or "counts" in self.fitted.series.support

    def columns(self) -> Array:
        """Return point and bounds of each future, `[futures, N, K, D, 1 + 2 L]`, with one series for a sum over all."""
        if self.total.of is None:
            forecasts = [self._forecast(steps, self.request) for steps in self.ahead]
            return np.stack(forecasts)
        if not self.has_means:
            return self._bounded(self._drawn[0], 0.5)
        points = [self._forecast(steps, ForecastRequest("mean"))[..., 0] for steps in self.ahead]
        means = np.stack([self.periods.over(self.periods.summed(each)) for each in points])[..., None]
        bounds = self._drawn[0][..., 1:] if self.request.level else means[..., :0]
        return self._bounded(np.concatenate([means, bounds], axis=-1), None)

    def differences(self) -> Array:
        """Return how forecasts differ from that of the first future, shaped as `columns`."""
        points = self.columns()[..., :1]
        bounds = self._drawn[1][..., 1:] if self.request.level else points[..., :0]
        return np.concatenate([points - points[:1], bounds], axis=-1)

    def _forecast(self, steps: StepsAhead, request: ForecastRequest) -> Array:
        return self.fitted.blend.forecast(steps.reader, steps.origins, request)

    def _bounded(self, columns: Array, of_point: float | None) -> Array:
        within: Array = bounded(columns, self.fitted.series.support, (of_point, *self.request.probabilities))
        return within

    @functools.cached_property
    def _drawn(self) -> tuple[Array, Array]:
        """Quantiles of the sums of paths, and of their differences from those of the first future."""
        futures = zip(*(self.fitted.drawn(self.frame, each, PATHS, "total") for each in self.ahead), strict=True)
        by_series: Iterable[Array] = (
            np.stack([self.periods.of_paths(place, paths) for paths in each]) for place, each in enumerate(futures)
        )
        if self.periods.over_series:
            by_series = [functools.reduce(np.add, by_series)]
        quantiles = [(self._quantiles(sums), self._quantiles(sums - sums[:1])) for sums in by_series]
        own, differences = (np.stack(each, axis=1) for each in zip(*quantiles, strict=True))
        return own, differences

    def _quantiles(self, sums: Array) -> Array:
        """Return the quantiles of the request, `[futures, K, D, 1 + 2 L]`."""
        return np.moveaxis(np.quantile(sums, self.request.probabilities_with_point, axis=1), 0, -1)

    def table(self, values: Mapping[str, Array]) -> Any:
        """Return a frame of the kind that came in, a row for each period.

        Args:
            values: The columns by name, `[N, K, D]` each.
        """
        periods, schema, steps = self.periods, self.frame.schema, self.ahead[0]
        series = slice(1 if periods.over_series else None)
        counts = np.broadcast_to(periods.counts[series, :, None], next(iter(values.values())).shape)
        times = {schema.columns.ds: steps.stamps[periods.last[series].ravel()]}
        number = {} if self.total.of is None else {"steps": counts}
        table = schema.to_long(self.frame.source.ids[series], times, {**number, **values}, counts > 0)
        if periods.over_series:
            table = nw.to_native(nw.from_native(table).drop(schema.columns.unique_id, strict=False))
        return table


def forecast_totals(
    fitted: FittedForecaster,
    frame: LongFrame,
    request: ForecastRequest,
    total: Total,
    *,
    horizon: int | None = None,
    future: Any = None,
) -> Any:
    """Forecast sums of the steps after the last rows of a frame.

    Args:
        fitted: The fitted forecaster.
        frame: The rows, see `FittedForecaster.rows_to_forecast`.
        request: Point and intervals.
        total: Which forecasts are summed up.
        horizon: As for `Forecaster.predict`.
        future: As for `Forecaster.predict`.

    Returns:
        A frame of the kind that came in.

    Raises:
        SpecError: There are no such periods, or only a point is forecast.
    """
    outlook = Outlook(fitted, frame, [fitted.steps_ahead(frame, future, horizon)], request, total)
    return outlook.table(request.by_column(outlook.columns()[0], fitted.output.alias))


def compare_scenarios(
    fitted: FittedForecaster,
    frame: LongFrame,
    futures: Mapping[str, Any],
    request: ForecastRequest,
    total: Total,
    *,
    horizon: int | None = None,
) -> Any:
    """Forecast several futures, with their differences from the first one.

    Args:
        fitted: The fitted forecaster.
        frame: The rows, see `FittedForecaster.rows_to_forecast`.
        futures: The frame of future steps of each scenario, by its name.
        request: Point and intervals.
        total: Which forecasts are summed up.
        horizon: As for `Forecaster.predict`.

    Returns:
        A frame of the kind that came in, scenario after scenario.

    Raises:
        SpecError: There are no scenarios, or they have different steps.
    """
    if not isinstance(futures, Mapping) or not futures or not all(isinstance(name, str) for name in futures):
        hint = "Give futures={'as planned': future, 'no promotion': other}."
        raise SpecError("futures", expected="a frame of future steps by name", received=repr(futures)[:80], hint=hint)
    ahead = {name: fitted.steps_ahead(frame, future, horizon) for name, future in futures.items()}
    first = next(iter(ahead.values()))
    for name, steps in ahead.items():
        if not steps.stamps.equals(first.stamps):
            hint = "Give all scenarios the same stamps."
            raise SpecError("futures", expected="futures of the same steps", received=f"others in {name!r}", hint=hint)
    outlook = Outlook(fitted, frame, list(ahead.values()), request, total)
    parts = []
    for name, columns, differences in zip(ahead, outlook.columns(), outlook.differences(), strict=True):
        forecast = request.by_column(columns, fitted.output.alias)
        named = {"scenario": np.full(columns.shape[:-1], name), **forecast}
        parts.append(nw.from_native(outlook.table({**named, **request.by_column(differences, "difference")})))
    return nw.to_native(nw.maybe_reset_index(nw.concat(parts)))
