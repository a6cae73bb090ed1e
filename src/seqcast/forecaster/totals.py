"""Sums of forecasts over steps and series, and scenarios: statistics of sample paths.

Bounds of a sum are no sums of bounds. So paths are drawn, each is summed up, and quantiles of the
sums are taken.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.data.frames import LongFrame
from seqcast.errors import Option, Phrase, SpecError
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
        of: `all` steps, a number of steps each, or the steps of each period by its pandas alias;
            `None` sums up none.
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
            raise SpecError(
                "total_over",
                expected="'steps' without total",
                received=repr(self.over),
                hint=Phrase("Give ", Option("total", 1), " for the sum over series at each step."),
            )

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
            raise SpecError(
                "total",
                expected="'all' or a number of steps, where stamps are whole numbers or irregular",
                received=repr(self.of),
                hint="Sum up a number of steps.",
            )

        try:
            periods = steps.stamps.tz_localize(None).to_period(self.of)
        except (ValueError, AttributeError):
            periods = None
        if periods is None or periods.freq.n != 1:
            expected = "'all', a number of steps, or a period: 'D', 'W', 'M', 'Q', 'Y', "
            expected += "or another alias of pandas"
            raise SpecError("total", expected=expected, received=repr(self.of))

        ordinals = periods.asi8.reshape(count, horizon)
        return np.cumsum(np.diff(ordinals, axis=1, prepend=ordinals[:, :1]) != 0, axis=1)


@dataclass(frozen=True)
class Outlook:
    """Forecasts of futures of the same rows, summed up over periods, and their differences.

    The paths of all futures have the same ranks (common random numbers), so noise that they share
    leaves no trace in a difference. Without a total, each step is a period.

    Args:
        fitted: The fitted forecaster.
        frame: The rows to forecast from.
        ahead: The steps of each future, which have the same stamps.
        request: Point and intervals.
        total: Which forecasts are summed up.

    Raises:
        SpecError: There are no such periods, or they are not the same in all series that are summed
            up.
    """

    fitted: FittedForecaster
    frame: LongFrame
    ahead: Sequence[StepsAhead]
    request: ForecastRequest
    total: Total

    def __post_init__(self) -> None:
        counts = self.counts
        last = np.asarray(self.ahead[0].stamps)[self.last]
        if self.total.over == "series" and ((counts != counts[0]).any() or (last != last[0]).any()):
            raise SpecError(
                "total_over",
                expected="series that end at the same time, for a sum over them",
                received="series with steps of other times",
                hint="Give rows up to one time with df, or leave series out.",
            )

    @functools.cached_property
    def member(self) -> Array:
        """Which steps each period has, `[N, H, K]`; a series may have fewer periods than others."""
        numbers = self.total.numbers(self.ahead[0])
        return np.asarray(
            (numbers[..., None] == np.arange(numbers.max() + 1)) & self.ahead[0].exist[..., None]
        )

    @property
    def counts(self) -> Array:
        """Number of steps of each period, `[N, K]`."""
        return np.asarray(self.member.sum(axis=1))

    @property
    def last(self) -> Array:
        """The place of the last step of each period among the stamps of all series, `[N, K]`."""
        starts = self.member.shape[1] * np.arange(len(self.member))[:, None]
        return np.asarray(starts + np.maximum(self.counts.cumsum(axis=1), 1) - 1)

    @functools.cached_property
    def columns(self) -> Array:
        """Point and bounds of each future, `[futures, N, K, D, 1 + 2 L]`; `N` is 1 for one sum.

        The point of a total is its median, or the mean if means are requested, and of counts: the
        median of a small one is often zero.
        """
        if self.total.of is None:
            return np.stack([self._forecast(steps, self.request) for steps in self.ahead])
        supports = self.fitted.series.support
        if self.request.point != "mean" and "counts" not in supports:
            return np.asarray(bounded(self._drawn[0], supports))
        points = [self._forecast(steps, ForecastRequest("mean"))[..., 0] for steps in self.ahead]
        means = np.stack([np.einsum("nhd,nhk->nkd", each, self.member) for each in points])[
            ..., None
        ]
        if self.total.over == "series":
            means = means.sum(axis=1, keepdims=True)
        return np.asarray(bounded(self._with_bounds(means, 0), supports, is_mean=True))

    def differences(self) -> Array:
        """Return how forecasts differ from that of the first future, shaped as `columns`."""
        points = self.columns[..., :1]
        return self._with_bounds(points - points[:1], 1)

    def _forecast(self, steps: StepsAhead, request: ForecastRequest) -> Array:
        return self.fitted.blend_of(steps).forecast(steps.reader, steps.origins, request)

    def _with_bounds(self, points: Array, place: int) -> Array:
        """Return points, `[..., 1]`, with bounds that are drawn, where some are requested."""
        return (
            np.concatenate([points, self._drawn[place][..., 1:]], axis=-1)
            if self.request.level
            else points
        )

    @functools.cached_property
    def _drawn(self) -> tuple[Array, Array]:
        """Quantiles of the sums of paths, and of their differences from the first future's."""
        futures = zip(
            *(self.fitted.drawn(self.frame, each, PATHS, "total") for each in self.ahead),
            strict=True,
        )

        by_series: Iterable[Array] = (
            np.einsum("fshd,hk->fskd", np.stack(paths), member)
            for paths, member in zip(futures, self.member, strict=True)
        )
        if self.total.over == "series":
            by_series = [functools.reduce(np.add, by_series)]

        quantile = functools.partial(np.quantile, q=self.request.probabilities_with_point, axis=1)
        pairs = [(quantile(sums), quantile(sums - sums[:1])) for sums in by_series]
        own, differences = (
            np.moveaxis(np.stack(each, axis=2), 0, -1) for each in zip(*pairs, strict=True)
        )
        return own, differences

    def table(self, values: Mapping[str, Array]) -> Any:
        """Return a frame of the kind that came in, a row for each period.

        Args:
            values: The columns by name, `[N, K, D]` each.
        """
        schema = self.frame.schema
        shape = next(iter(values.values())).shape
        counts = np.broadcast_to(self.counts[: shape[0], :, None], shape)
        times = {schema.columns.ds: self.ahead[0].stamps[self.last[: shape[0]].ravel()]}
        number = {} if self.total.of is None else {"steps": counts}
        table = schema.to_long(
            self.frame.source.ids[: shape[0]], times, {**number, **values}, counts > 0
        )
        if self.total.over == "steps":
            return table
        return nw.to_native(nw.from_native(table).drop(schema.columns.unique_id, strict=False))


def forecast_totals(
    fitted: FittedForecaster, frame: LongFrame, request: ForecastRequest, total: Total, **ahead: Any
) -> Any:
    """Forecast sums of the steps after the last rows of a frame.

    Args:
        fitted: The fitted forecaster.
        frame: The rows, see `FittedForecaster.rows_to_forecast`.
        request: Point and intervals.
        total: Which forecasts are summed up.
        **ahead: Other arguments of `FittedForecaster.steps_ahead`.

    Returns:
        A frame of the kind that came in.

    Raises:
        SpecError: There are no such periods, or only a point is forecast.
    """
    outlook = Outlook(fitted, frame, [fitted.steps_ahead(frame, **ahead)], request, total)
    return outlook.table(request.by_column(outlook.columns[0], fitted.forecasting.alias))


def compare_scenarios(
    fitted: FittedForecaster,
    frame: LongFrame,
    futures: Any,
    request: ForecastRequest,
    total: Total,
    **ahead: Any,
) -> Any:
    """Forecast several futures, with their differences from the first one.

    Args:
        fitted: The fitted forecaster.
        frame: The rows, see `FittedForecaster.rows_to_forecast`.
        futures: The frame of future steps of each scenario, by its name.
        request: Point and intervals.
        total: Which forecasts are summed up.
        **ahead: Other arguments of `FittedForecaster.steps_ahead`.

    Returns:
        A frame of the kind that came in, scenario after scenario.

    Raises:
        SpecError: There are no scenarios, or they have different steps.
    """
    if (
        not isinstance(futures, Mapping)
        or not futures
        or not all(isinstance(name, str) for name in futures)
    ):
        raise SpecError(
            "futures",
            expected="a frame of future steps by name",
            received=repr(futures)[:80],
            hint="Give futures={'as planned': future, 'no promotion': other}.",
        )

    ahead = {name: fitted.steps_ahead(frame, future, **ahead) for name, future in futures.items()}
    first = next(iter(ahead.values()))

    for name, steps in ahead.items():
        if not steps.stamps.equals(first.stamps):
            raise SpecError(
                "futures",
                expected="futures of the same steps",
                received=f"others in {name!r}",
                hint="Give all scenarios the same stamps.",
            )

    outlook = Outlook(fitted, frame, list(ahead.values()), request, total)
    tables = []
    for name, columns, differences in zip(
        ahead, outlook.columns, outlook.differences(), strict=True
    ):
        named = {
            "scenario": np.full(columns.shape[:-1], name),
            **request.by_column(columns, fitted.forecasting.alias),
        }
        tables.append(
            nw.from_native(outlook.table({**named, **request.by_column(differences, "difference")}))
        )
    return nw.to_native(nw.maybe_reset_index(nw.concat(tables)))
