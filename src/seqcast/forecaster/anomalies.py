"""Anomalies: rows that lie outside the intervals of forecasts from the rows before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqcast.data.frames import LongFrame
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import SpecError
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.intervals import ForecastRequest, bounded, check_levels, usual_widths
from seqcast.runtime import Array

# An anomaly disturbs the forecasts that read it. So forecasts replace rows beyond this level, at any requested level.
REPLACED_LEVEL = 99.0

# If a larger fraction of the newest rows (a horizon, twelve at least) is beyond it, the series has changed. Then later
# forecasts read its rows.
MOST_REPLACED, NEWEST_ROWS = 1 / 3, 12


def judge_rows(fitted: FittedForecaster, df: Any, level: Sequence[float] | float) -> Any:
    """Judge each row once, by forecasts from the rows before it that begin one horizon after another.

    Args:
        fitted: The fitted forecaster.
        df: The rows; `None` takes those of the fit.
        level: Level of the intervals that rows are judged by, in per cent.

    Returns:
        A frame of the kind that came in, with a row for each value; see `Forecaster.anomalies`.

    Raises:
        DataError: There are too few rows.
        SpecError: There is no such level.
    """
    levels = check_levels(level)
    if len(levels) != 1:
        raise SpecError("level", expected="one level", received=repr(level), hint="Choose one.")
    series, horizon = fitted.series, fitted.output.horizon
    frame = series.checked(fitted.rows_of_fit(df))
    origins = Origins.every(frame, horizon, fitted.rows_before, horizon)
    reader, rows = series.reader(frame, origins), origins.rows(frame)
    scaler, values, trained = origins.scalers(reader), frame.targets[rows], fitted.trained_rows(frame)[rows]
    truth, groups = scaler.transform(values), _groups(origins, trained, values)
    forecast = _undisturbed(fitted, reader, frame, origins, truth=truth, groups=groups)
    reach, middle = _reach(forecast, truth, groups, levels[0]), forecast[..., 0]
    scaled = (middle, middle - reach[..., 0], middle + reach[..., 1])
    request = ForecastRequest(level=levels)
    in_units = np.stack([scaler.inverse(column) for column in scaled], axis=-1)
    columns: Array = bounded(in_units, series.support, request.probabilities_with_point)
    score = np.abs(truth - middle) / _own(reach, truth > middle)
    # Bounds that were moved into the support are no longer a reach away from the forecast.
    outside = (values < columns[..., 1]) | (values > columns[..., 2])
    score = np.where(outside, np.maximum(score, np.nextafter(1, 2)), np.minimum(score, 1.0))
    trained = np.broadcast_to(trained[:, :, None], score.shape)
    marks = {"score": score, "anomaly": score > 1, "trained_on": trained}
    return origins.table(frame, {**request.by_column(columns, fitted.output.alias), **marks})


def _undisturbed(
    fitted: FittedForecaster,
    reader: WindowReader,
    frame: LongFrame,
    origins: Origins,
    *,
    truth: Array,
    groups: list[Array],
) -> Array:
    """Return forecasts from rows in which earlier forecasts replace anomalies, in the order of time in each series.

    Args:
        fitted: The fitted forecaster.
        reader: The window reader of the series.
        frame: The series.
        origins: Where the forecasts begin, those of a series in the order of time.
        truth: The values, scaled, `[B, H, D]`.
        groups: Labels of each value.

    Returns:
        The forecasts, scaled, `[B, H, D, 1 + 2 L]`.
    """
    request = fitted.request() if fitted.is_probabilistic else ForecastRequest(fitted.output.point)
    forecast = fitted.blend.scaled(reader, origins, request)
    reach = _reach(forecast, truth, groups, REPLACED_LEVEL)
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
            forecast[disturbed] = fitted.blend.scaled(cleaned, origins.take(disturbed), request)
        middle = forecast[chosen, ..., 0]
        unusual = np.abs(truth[chosen] - middle) > _own(reach[chosen], truth[chosen] > middle)
        newest = np.maximum(rows[chosen, :1] - 1 - np.arange(before), frame.source.starts[series][:, None])
        count = unusual.sum(axis=1) + replaced[newest].sum(axis=1)
        unusual &= (count <= max(1.0, MOST_REPLACED * (before + origins.horizon)))[:, None]
        if unusual.any():
            replaced[rows[chosen]] = unusual
            expected = reader.scaler_of(series, None).inverse(middle)
            targets[rows[chosen]] = np.where(unusual, expected, targets[rows[chosen]])
            steps = np.where(unusual.any(axis=2), np.arange(1, origins.horizon + 1), 0).max(axis=1)
            last_replaced[series] = np.where(steps > 0, stops + steps - 1, last_replaced[series])
    return forecast


def _groups(origins: Origins, trained: Array, values: Array) -> list[Array]:
    """Return labels of each value, by which errors may differ: its series, its step, whether it was trained on."""
    targets = values.shape[2]
    series, step = (origins.series * targets)[:, None, None] + np.arange(targets), np.arange(origins.horizon)[:, None]
    return [np.broadcast_to(label, values.shape) for label in (series, step, trained.astype(np.int64)[:, :, None])]


def _reach(forecast: Array, truth: Array, groups: Sequence[Array], level: float) -> Array:
    """Return the reach of intervals below and above forecasts, `[B, H, D, 2]`."""
    known = ~np.isnan(truth)
    middle, bounds = forecast[..., 0], forecast[..., -2:]
    labels, reach, spread = [group[known] for group in groups], np.ones((*truth.shape, 2)), None
    if forecast.shape[-1] > 1:
        spread = np.stack([middle - bounds[..., 0], bounds[..., 1] - middle], axis=-1)[known]
    reach[known] = usual_widths((truth - middle)[known], level=level, groups=labels, spread=spread)
    return reach


def _own(reach: Array, above: Array) -> Array:
    """Return the reach on the side of the forecast where the value is, `[B, H, D]`."""
    return np.where(above, reach[..., 1], reach[..., 0])
