"""Anomalies: rows that lie outside the intervals of forecasts from the rows before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import LongFrame
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import SpecError
from seqcast.forecaster.blend import Blend
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals import ForecastRequest, bounded, check_levels, usual_widths

Array = npt.NDArray[Any]

# An anomaly disturbs the forecasts that read it, so rows beyond this level are read as their forecasts, whatever level
# is asked for.
REPLACED_LEVEL = 99.0

# Where more of the newest rows, of a horizon but at least so many, are beyond it, the series has changed, and later
# forecasts have to read that.
MOST_REPLACED, NEWEST_ROWS = 1 / 3, 12


@dataclass(frozen=True)
class JudgedRows:
    """Rows of series, their forecasts from the rows before them, and how unusual they are.

    Args:
        frame: The series.
        origins: Where the forecasts begin.
        level: Level of the intervals, in per cent.
        parts: The forecast, and the lower and the upper bound of its interval, `[B, H, D, 3]`.
        score: Distance of each value from its forecast, 1 at the bounds, `[B, H, D]`; NaN where there is no value.
        trained: Which rows of the frame were trained on, `[rows]`.
    """

    frame: LongFrame
    origins: Origins
    level: float
    parts: Array
    score: Array
    trained: Array

    def table(self, alias: str) -> Any:
        """Return them as a frame of the kind that came in, with a row for each value.

        Args:
            alias: Name of the forecast's column.
        """
        columns = ForecastRequest(level=(self.level,)).parts(self.parts, alias)
        trained = np.broadcast_to(self.trained[self.origins.rows(self.frame)][:, :, None], self.score.shape)
        marks = {"score": self.score, "anomaly": self.score > 1, "trained_on": trained}
        return self.origins.table(self.frame, {**columns, **marks})


def judge_rows(fitted: FittedForecaster, df: Any, level: Sequence[float] | float) -> JudgedRows:
    """Judge rows by forecasts from the rows before them, a horizon apart, so that each row is judged once.

    Args:
        fitted: The fitted forecaster.
        df: The rows; `None` takes those of the fit.
        level: Level of the intervals that rows are judged by, in per cent.

    Raises:
        DataError: There are too few rows.
        SpecError: There is no such level.
    """
    levels = check_levels(level)
    if len(levels) != 1:
        raise SpecError("level", expected="one level", received=repr(level), hint="Choose one.")
    frame = fitted.series.checked(fitted.rows_of_fit(df))
    request = fitted.request() if fitted.is_probabilistic else ForecastRequest(fitted.output.point)
    horizon = fitted.output.horizon
    origins = Origins.every(frame, horizon, fitted.rows_before, horizon)
    return _Judgement(frame, fitted.series, fitted.blend, request, origins).of_level(
        levels[0], fitted.trained_rows(frame)
    )


@dataclass(frozen=True)
class _Judgement:
    """Forecasts of rows from those before them.

    Args:
        frame: The series.
        series: What the forecaster has learnt of them.
        blend: The forecast.
        request: Point and intervals that are forecast.
        origins: Where the forecasts begin, those of a series in the order of time.
    """

    frame: LongFrame
    series: SeriesState
    blend: Blend
    request: ForecastRequest
    origins: Origins

    def of_level(self, level: float, trained: Array) -> JudgedRows:
        """Return the rows judged by intervals of a level.

        Args:
            level: The level, in per cent.
            trained: Which rows of the frame were trained on, `[rows]`.
        """
        origins = self.origins
        reader, rows = self.series.reader(self.frame, origins), origins.rows(self.frame)
        scaler, values = origins.scalers(reader), self.frame.targets[rows]
        truth = scaler.transform(values)
        groups = _groups(origins, trained[rows], values)
        forecast = self.blend.scaled(reader, origins, self.request)
        reach = _reach(forecast, truth, groups, REPLACED_LEVEL)
        forecast = self._undisturbed(reader, forecast, truth, reach)
        reach, middle = _reach(forecast, truth, groups, level), forecast[..., 0]
        scaled = (middle, middle - reach[..., 0], middle + reach[..., 1])
        parts = np.stack([scaler.inverse(part) for part in scaled], axis=-1)
        parts = bounded(parts, self.series.support, (0.5, *ForecastRequest(level=(level,)).probabilities))
        score = np.abs(truth - middle) / _own(reach, truth > middle)
        # Bounds that are kept to what is possible are no longer a reach away from the forecast.
        outside = (values < parts[..., 1]) | (values > parts[..., 2])
        score = np.where(outside, np.maximum(score, np.nextafter(1, 2)), np.minimum(score, 1.0))
        return JudgedRows(self.frame, origins, level, parts, score=score, trained=trained)

    def _undisturbed(self, reader: WindowReader, forecast: Array, truth: Array, reach: Array) -> Array:
        """Return the forecasts that read anomalies as their forecasts, one forecast after the other in each series.

        Args:
            reader: The window reader of the series.
            forecast: The forecasts that read the rows as they are, `[B, H, D, parts]`, scaled.
            truth: The values, scaled, `[B, H, D]`.
            reach: How far intervals reach, `[B, H, D, 2]`.
        """
        frame, origins = self.frame, self.origins
        forecast, targets, rows = forecast.copy(), frame.targets.copy(), origins.rows(frame)
        place = np.arange(len(origins)) - np.searchsorted(origins.series, origins.series)  # among those of the series
        order = np.argsort(place, kind="stable")
        last_replaced = np.full(len(frame.source), -1)
        replaced = np.zeros(targets.shape, dtype=np.int64)
        before = max(0, NEWEST_ROWS - origins.horizon)
        for chosen in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
            series, stops = origins.series[chosen], origins.stops[chosen]
            disturbed = chosen[last_replaced[series] >= np.maximum(stops - reader.context_length, 0)]
            if len(disturbed):
                cleaned = replace(reader, targets=replace(frame.target_store, values=targets))
                forecast[disturbed] = self.blend.scaled(cleaned, origins.take(disturbed), self.request)
            middle = forecast[chosen, ..., 0]
            found = np.abs(truth[chosen] - middle) > _own(reach[chosen], truth[chosen] > middle)
            newest = np.maximum(rows[chosen, :1] - 1 - np.arange(before), frame.source.starts[series][:, None])
            count = found.sum(axis=1) + replaced[newest].sum(axis=1)
            found &= (count <= max(1.0, MOST_REPLACED * (before + origins.horizon)))[:, None]
            if found.any():
                replaced[rows[chosen]] = found
                expected = reader.scaler_of(series, None).inverse(middle)
                targets[rows[chosen]] = np.where(found, expected, targets[rows[chosen]])
                steps = np.where(found.any(axis=2), np.arange(1, origins.horizon + 1), 0).max(axis=1)
                last_replaced[series] = np.where(steps > 0, stops + steps - 1, last_replaced[series])
        return forecast


def _groups(origins: Origins, trained: Array, values: Array) -> list[Array]:
    """Return labels of each value, by which errors may differ: its series, its step, whether it was trained on."""
    targets = values.shape[2]
    return [
        np.broadcast_to(label, values.shape)
        for label in (
            (origins.series * targets)[:, None, None] + np.arange(targets),
            np.arange(origins.horizon)[:, None],
            trained.astype(np.int64)[:, :, None],
        )
    ]


def _reach(forecast: Array, truth: Array, groups: Sequence[Array], level: float) -> Array:
    """Return how far intervals reach below and above forecasts, `[B, H, D, 2]`."""
    known = ~np.isnan(truth)
    middle, bounds = forecast[..., 0], forecast[..., -2:]
    spread = np.stack([middle - bounds[..., 0], bounds[..., 1] - middle], axis=-1) if forecast.shape[-1] > 1 else None
    reach = np.ones((*truth.shape, 2))
    reach[known] = usual_widths(
        (truth - middle)[known],
        level=level,
        groups=[group[known] for group in groups],
        spread=None if spread is None else spread[known],
    )
    return reach


def _own(reach: Array, above: Array) -> Array:
    """Return the reach on the side of the forecast where the value is, `[B, H, D]`."""
    return np.where(above, reach[..., 1], reach[..., 0])
