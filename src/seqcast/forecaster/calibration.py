"""Calibration on hold-out windows: intervals, and the dependence of sample paths."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from seqcast import intervals
from seqcast.data.frames import LongFrame, plain_stamps
from seqcast.data.windows import Origins, WindowReader, counted_back
from seqcast.forecaster.copulas import CopulaOfWindows, CopulaSource, KnownCopula
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.planning import FitPlan
from seqcast.forecaster.series_state import SeriesState
from seqcast.runtime import Array

# Most windows that are learned from, and most of one series.
MOST_WINDOWS = 256
MOST_OF_A_SERIES = 16
# Where nothing is trained, windows come from the last horizons of a series, up to its half.
MOST_HORIZONS = 10


def calibrate(
    fitted: FittedForecaster, reader: WindowReader, origins: Origins, level: Sequence[float]
) -> tuple[intervals.Calibration, ...]:
    """Calibrate intervals on forecasts of validation rows.

    Where the forecaster has intervals these are widened or narrowed, in units of their own reach;
    otherwise intervals are laid around its point, in units of the scaled series.

    Args:
        fitted: The fitted forecaster.
        reader: The window reader.
        origins: Where forecasts begin; their steps are among the rows.
        level: Levels of the intervals.

    Returns:
        The calibration of each target.

    Raises:
        DataError: A step has too few known values for a level.
    """
    request = intervals.ForecastRequest(level=tuple(level) if fitted.is_probabilistic else ())
    forecast = fitted.blend.scaled(reader, origins, request)

    truth = origins.truth(reader)
    point = forecast[..., 0]
    scaler = origins.scalers(reader)
    counts = [support == "counts" for support in fitted.series.support]
    if any(counts):
        nearer = _towards_point(scaler.inverse(truth), np.maximum(scaler.inverse(point), 0.0))
        truth = np.where(counts, scaler.transform(nearer), truth)

    newest = reader.lengths[origins.series] - origins.horizon
    labels = intervals.WindowLabels(origins.series, (newest - origins.stops) // origins.horizon)

    calibrations = []
    for place in range(truth.shape[2]):
        values = truth[..., place]
        middle = point[..., place]
        columns = forecast[:, :, place]
        if fitted.is_probabilistic:
            lo = columns[..., 1::2]
            hi = columns[..., 2::2]
            calibrations.append(
                intervals.calibrate_intervals(
                    values, lo, hi, level=level, point=middle, labels=labels
                )
            )
        else:
            calibrations.append(intervals.calibrate_points(values, middle, level=level))
    return tuple(calibrations)


def _towards_point(truth: Array, point: Array) -> Array:
    """Return counts half a piece nearer to their forecasts, because bounds are rounded."""
    nearer = truth - 0.5 * np.sign(truth - point)
    return np.where((nearer - point) * (truth - point) <= 0, point, nearer)


def copula_of_fit(fitted: FittedForecaster, plan: FitPlan) -> CopulaSource:
    """Return what the copula is learned from: windows on whose horizons nothing was trained.

    Rows of files go with the fit, so there it is learned at once.

    Args:
        fitted: The fitted forecaster, calibrated if it is to be.
        plan: The plan of its fit.
    """
    origins = _origins(plan)
    rows = plan.rows
    if not len(origins) or not fitted.can_draw:
        return KnownCopula(intervals.Copula(fitted.blend.prior))
    if isinstance(rows.frame, LongFrame):
        read = functools.partial(_reader, rows.series, rows.frame, origins)
        return CopulaOfWindows(fitted.blend, read, origins, _times(plan, origins))
    windows = CopulaOfWindows(fitted.blend, lambda: rows.reader, origins, _times(plan, origins))
    return KnownCopula(windows.copula)


def _reader(series: SeriesState, frame: LongFrame, origins: Origins) -> WindowReader:
    """Return the window reader of the rows of a fit, which keeps the rows alone."""
    return series.reader(
        series.builder.align(frame) if series.builder.has_covariates else frame, origins
    )


def _origins(plan: FitPlan) -> Origins:
    """Return origins on whose horizons nothing was trained, a third of a horizon apart.

    They have many cutoffs rather than many series, whose errors at one time are alike.
    """
    lengths = plan.rows.lengths
    starts = plan.held_out
    horizon = plan.rows.options.horizon
    if starts is None:
        starts = lengths
    elif not plan.by_place and plan.rows.options.reading.fill:
        many = np.maximum(lengths - MOST_HORIZONS * horizon, (lengths + 1) // 2)
        starts = np.where(starts < lengths, np.minimum(starts, many), lengths)
    rows = np.where(starts < lengths, np.maximum(lengths - horizon - starts + 1, 0), 0)
    step = max(1, horizon // 3, int(rows.max()) // MOST_OF_A_SERIES)
    counts = -(-rows // step)
    counts[np.arange(len(rows)) % max(1, -(-int(counts.sum()) // MOST_WINDOWS)) > 0] = 0
    return Origins.at_rows(*counted_back(lengths - horizon, counts, step), horizon)


def _times(plan: FitPlan, origins: Origins) -> Array:
    """Return a number for the time of each cutoff, `[B]`; irregular stamps share no times."""
    if plan.rows.frame.frequency is None:
        return np.arange(len(origins))
    ends = plain_stamps(plan.rows.frame.last_stamps).astype(np.int64)[origins.series]
    left = plan.rows.lengths[origins.series] - origins.stops
    return np.unique(np.stack([ends, left]), axis=1, return_inverse=True)[1].ravel()
