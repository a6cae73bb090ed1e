"""Anomalies: rows that lie outside the intervals of forecasts from the rows before them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from seqcast.data import Season
from seqcast.data.frames import LongFrame
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import SpecError
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.intervals import ForecastRequest, UsualErrors, bounded, check_levels
from seqcast.runtime import Array

# The least difference between values that are no whole numbers, in scaled units.
SMALLEST = 1e-6

# An anomaly disturbs the forecasts that read it. So forecasts replace rows beyond this level, at
# any requested level.
REPLACED_LEVEL = 99.0

# If a larger fraction of the newest rows (a horizon, twelve at least) is beyond it, the series has
# changed. Then later forecasts read its rows.
MOST_REPLACED = 1 / 3
NEWEST_ROWS = 12

# How often forecasts are made anew to find the rows that they replace.
PASSES = 2


def find_anomalies(fitted: FittedForecaster, df: Any, level: Sequence[float] | float) -> Any:
    """Score each row once, by forecasts from earlier rows that begin one horizon after another.

    Args:
        fitted: The fitted forecaster.
        df: The rows; `None` takes those of the fit.
        level: Level of the intervals outside which a row is an anomaly, in per cent.

    Returns:
        A frame of the kind that came in, with a row for each value; see `Forecaster.anomalies`.

    Raises:
        DataError: There are too few rows.
        SpecError: There is no such level.
    """
    levels = check_levels(level)
    if len(levels) != 1:
        raise SpecError("level", expected="one level", received=repr(level), hint="Choose one.")

    series = fitted.series
    frame, origins = fitted.past_windows(df, fitted.forecasting.horizon)
    reader = series.reader(frame, origins)
    rows = origins.rows(frame)
    values = frame.targets[rows]
    trained = fitted.trained_rows(frame)[rows]

    groups = _groups(origins, trained, values)
    columns = _undisturbed(fitted, reader, frame, origins, groups=groups)
    usual = _usual(columns, values, groups)

    middle = columns[..., 0]
    known = ~np.isnan(values)
    reach = np.ones((*values.shape, 2))
    score = np.zeros(values.shape)
    reach[known] = usual.reach(levels[0])
    score[known] = usual.deviations((values - middle)[known])

    request = ForecastRequest(level=levels)
    bounds = np.stack([middle, middle - reach[..., 0], middle + reach[..., 1]], axis=-1)
    shown: Array = bounded(bounds, series.support)
    # Bounds that were moved into the support are no longer a reach away from the forecast.
    outside = (values < shown[..., 1]) | (values > shown[..., 2])
    limit = float(special.ndtri(0.5 + levels[0] / 200.0))
    score = np.where(
        outside, np.maximum(score, np.nextafter(limit, np.inf)), np.minimum(score, limit)
    )

    trained = np.broadcast_to(trained[:, :, None], score.shape)
    marks = {"score": score, "anomaly": outside, "trained_on": trained}
    return origins.table(frame, {**request.by_column(shown, fitted.forecasting.alias), **marks})


def _undisturbed(
    fitted: FittedForecaster,
    reader: WindowReader,
    frame: LongFrame,
    origins: Origins,
    *,
    groups: list[Array],
) -> Array:
    """Return forecasts from rows in which forecasts replace anomalies.

    The first pass forecasts from all rows as they are. Patterns that recur, such as the nights of
    Saturdays, are not replaced, because forecasts learn them from earlier rows. The second pass
    scores the unusual rows by forecasts without the other unusual rows, because an anomaly makes
    rows a season later look unusual, too.

    Args:
        fitted: The fitted forecaster.
        reader: The window reader of the series.
        frame: The series.
        origins: Where the forecasts begin.
        groups: Labels of each value.

    Returns:
        The columns of `_columns`, `[B, H, D, columns]`.
    """
    rows = origins.rows(frame)
    first = rows[:, 0] - np.minimum(origins.stops, reader.context_length)
    values = frame.targets[rows]
    as_they_are = columns = _columns(fitted, reader, origins)
    before: Array | bool = True
    for _ in range(PASSES):
        unusual = before & _unusual(columns, groups, frame, origins, fitted.season_length)
        if np.array_equal(unusual, before):
            break

        targets = frame.targets.copy()
        marked = np.zeros(len(frame.targets), dtype=np.int64)
        targets[rows] = np.where(unusual, columns[..., 0], values)
        marked[rows] = unusual.any(axis=2)

        so_far = np.concatenate([[0], np.cumsum(marked)])
        disturbed = np.flatnonzero(so_far[rows[:, 0]] > so_far[first])
        columns = as_they_are.copy()
        if len(disturbed):
            cleaned = replace(reader, targets=replace(frame.target_store, values=targets))
            columns[disturbed] = _columns(fitted, cleaned, origins.take(disturbed))
        before = unusual
    return columns


def _unusual(
    columns: Array, groups: list[Array], frame: LongFrame, origins: Origins, season_length: int
) -> Array:
    """Return which values forecasts replace, `[B, H, D]`.

    They lie beyond `REPLACED_LEVEL`, do not recur, and belong to no series that has changed.
    """
    rows = origins.rows(frame)
    middle = columns[..., 0]
    values = frame.targets[rows]
    reach = np.ones((*values.shape, 2))
    reach[~np.isnan(values)] = _usual(columns, values, groups).reach(REPLACED_LEVEL)
    unusual = np.abs(values - middle) > np.where(values > middle, reach[..., 1], reach[..., 0])

    marked = np.zeros(frame.targets.shape, dtype=np.int64)
    marked[rows] = unusual * np.where(values > middle, 1, -1)
    unusual &= ~_recurring(marked, frame, season_length)[rows]
    marked[rows] = unusual

    # Rows of the same series before those of a short horizon.
    earlier = max(0, NEWEST_ROWS - origins.horizon)
    newest = np.maximum(
        rows[:, :1] - 1 - np.arange(earlier), frame.source.starts[origins.series][:, None]
    )
    count = unusual.sum(axis=1) + marked[newest].sum(axis=1)
    return np.asarray(
        unusual & (count <= max(1.0, MOST_REPLACED * (earlier + origins.horizon)))[:, None]
    )


def _recurring(marked: Array, frame: LongFrame, season_length: int) -> Array:
    """Return which rows are unusual in the same way a season before or after.

    The season is the longest one that is known twice. Without a season no row recurs.
    """
    lengths = frame.source.lengths
    season = Season.of(season_length)
    lag = season.longer if season.longer and 2 * season.longer <= lengths.max() else season.length
    again = np.zeros(marked.shape, dtype=bool)
    owner = frame.owners(np.arange(len(marked)))[:, None]
    same = (lag > 1) & (marked[lag:] * marked[:-lag] > 0) & (owner[lag:] == owner[:-lag])
    again[lag:] |= same
    again[:-lag] |= same
    return again


def _columns(fitted: FittedForecaster, reader: WindowReader, origins: Origins) -> Array:
    """Return forecasts in the data's units, then lower and upper values of how far errors reach.

    One pair is a scaled unit away from the forecast; the other one is the network's own interval,
    where it has one.
    """
    request = (
        fitted.request() if fitted.is_probabilistic else ForecastRequest(fitted.forecasting.point)
    )
    forecast = fitted.blend.scaled(reader, origins, request)
    scaler = origins.scalers(reader)
    point = forecast[..., :1]
    scaled = np.concatenate([point, point - 1.0, point + 1.0, forecast[..., 1:][..., -2:]], axis=-1)
    return np.stack(
        [scaler.inverse(scaled[..., column]) for column in range(scaled.shape[-1])], axis=-1
    )


def _groups(origins: Origins, trained: Array, values: Array) -> list[Array]:
    """Return labels of each value by which errors may differ: series, step, trained on or not."""
    targets = values.shape[2]
    series = (origins.series * targets)[:, None, None] + np.arange(targets)
    step = np.arange(origins.horizon)[:, None]
    return [
        np.broadcast_to(label, values.shape)
        for label in (series, step, trained.astype(np.int64)[:, :, None])
    ]


def _usual(columns: Array, values: Array, groups: Sequence[Array]) -> UsualErrors:
    """Return the distribution of the errors of known values."""
    known = ~np.isnan(values)
    middle = columns[..., 0]
    given = values[known]
    pairs = range(1, columns.shape[-1], 2)
    sides = [
        np.stack([middle - columns[..., low], columns[..., low + 1] - middle], axis=-1)[known]
        for low in pairs
    ]
    resolution = (
        np.ones(len(given)) if (given == np.floor(given)).all() else SMALLEST * sides[0][:, 1]
    )
    return UsualErrors.learn(
        (values - middle)[known],
        [group[known] for group in groups],
        shapes=sides,
        resolution=resolution,
    )
