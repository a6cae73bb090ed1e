"""What a chosen forecaster learns from hold-out windows: calibrated intervals, and the dependence of sample paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from seqcast import intervals
from seqcast.data.frames import plain_stamps
from seqcast.data.series import SeriesScaler
from seqcast.data.windows import Origins, WindowReader, counted_back
from seqcast.forecaster.choice import PROBABILITIES, at_ranks
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.planning import FitPlan
from seqcast.runtime import Array

# Most windows that are learnt from, and most of one series.
MOST_WINDOWS, MOST_OF_A_SERIES = 256, 16
# Paths that are drawn for each of them, and the probabilities of intervals of 80 %.
PATHS, TAILS = 200, (0.1, 0.9)
# Where nothing is trained, windows come from the last horizons of a series, up to its half.
MOST_HORIZONS = 10


def calibrate(
    fitted: FittedForecaster, reader: WindowReader, origins: Origins, level: Sequence[float]
) -> tuple[intervals.Calibration, ...]:
    """Calibrate intervals on forecasts of validation rows.

    Where the forecaster has intervals these are widened or narrowed, in units of their own reach; otherwise intervals
    are laid around its point, in units of the scaled series.

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
    forecast, truth = fitted.blend.scaled(reader, origins, request), origins.truth(reader)
    point, scaler = forecast[..., 0], origins.scalers(reader)
    counts = [support == "counts" for support in fitted.series.support]
    if any(counts):
        nearer = _towards_point(scaler.inverse(truth), np.maximum(scaler.inverse(point), 0.0))
        truth = np.where(counts, scaler.transform(nearer), truth)
    newest = reader.lengths[origins.series] - origins.horizon
    labels = intervals.WindowLabels(origins.series, (newest - origins.stops) // origins.horizon)
    calibrations = []
    for place in range(truth.shape[2]):
        values, middle, columns = truth[..., place], point[..., place], forecast[:, :, place]
        if fitted.is_probabilistic:
            lo, hi = columns[..., 1::2], columns[..., 2::2]
            calibrations.append(intervals.calibrate_intervals(values, lo, hi, level=level, point=middle, labels=labels))
        else:
            calibrations.append(intervals.calibrate_points(values, middle, level=level))
    return tuple(calibrations)


def _towards_point(truth: Array, point: Array) -> Array:
    """Return counts half a piece nearer to the points of their forecasts: bounds from there on are rounded to them."""
    nearer = truth - 0.5 * np.sign(truth - point)
    return np.where((nearer - point) * (truth - point) <= 0, point, nearer)


def learn_copula(fitted: FittedForecaster, plan: FitPlan) -> intervals.Copula:
    """Return the dependence under which sums of forecasts have held the truth.

    Args:
        fitted: The fitted forecaster, calibrated if it is to be.
        plan: The plan of its fit.
    """
    blend, reader, origins = fitted.blend, plan.rows.reader, _origins(plan)
    if not len(origins) or not fitted.can_draw:
        return intervals.Copula(blend.prior)
    shape = (len(origins), reader.targets.width)
    as_they_are = replace(origins, scaler=SeriesScaler(np.zeros(shape), np.ones(shape)))
    truth, quantiles = _within_reach(as_they_are.truth(reader), blend.whole(reader, origins))
    scores = np.moveaxis(intervals.normal_scores(truth, quantiles, PROBABILITIES, np.random.default_rng(0)), 2, 0)
    # Each target is a series of its own.
    times = _times(plan, origins) + len(origins) * np.arange(shape[1])[:, None]
    overlap = len(origins) / _count_disjoint(origins)
    scores, times = scores.reshape(-1, origins.horizon), times.ravel()
    return intervals.Copula.learnt(scores, times, blend.prior, overlap, lambda each: share_held(truth, quantiles, each))


def _within_reach(truth: Array, quantiles: Array) -> tuple[Array, Array]:
    """Return truth and quantiles, where single precision overflows as if the truth were missing."""
    is_finite = np.isfinite(quantiles)
    return np.where(np.isfinite(truth) & is_finite.all(axis=-1), truth, np.nan), np.where(is_finite, quantiles, 0.0)


def share_held(truth: Array, quantiles: Array, dependence: intervals.Dependence) -> float:
    """Return the share of sums of the first known steps, two or more, that intervals of 80 % hold.

    Args:
        truth: The truth of each window, `[B, H, D]`; NaN is missing.
        quantiles: Its forecast at `PROBABILITIES`, `[B, H, D, Q]`.
        dependence: The dependence of the steps of the paths that are summed up.
    """
    ranks = special.ndtr(dependence.scores(np.random.default_rng(0), (PATHS, *truth.shape[1:])))
    sums, known = np.nan_to_num(truth).cumsum(axis=1), ~np.isnan(truth)
    paths = ((at_ranks(own, ranks) * mask).cumsum(axis=1) for own, mask in zip(quantiles, known, strict=True))
    low, high = np.stack([np.quantile(each, TAILS, axis=0) for each in paths], axis=1)
    return float(((low <= sums) & (sums <= high))[known.cumsum(axis=1) > 1].mean())


def _origins(plan: FitPlan) -> Origins:
    """Return origins on whose horizons nothing was trained, a third of a horizon apart.

    They have many cutoffs rather than many series, whose errors at one time are alike.
    """
    lengths, starts, horizon = plan.rows.lengths, plan.judged, plan.rows.options.horizon
    if starts is None:
        starts = lengths
    elif not plan.by_place and plan.rows.options.rows.fill:
        many = np.maximum(lengths - MOST_HORIZONS * horizon, (lengths + 1) // 2)
        starts = np.where(starts < lengths, np.minimum(starts, many), lengths)
    rows = np.where(starts < lengths, np.maximum(lengths - horizon - starts + 1, 0), 0)
    step = max(1, horizon // 3, int(rows.max()) // MOST_OF_A_SERIES)
    counts = -(-rows // step)
    counts[np.arange(len(rows)) % max(1, -(-int(counts.sum()) // MOST_WINDOWS)) > 0] = 0
    return Origins.at_rows(*counted_back(lengths - horizon, counts, step), horizon)


def _times(plan: FitPlan, origins: Origins) -> Array:
    """Return a number for the time of each origin's cutoff, `[B]`; irregular stamps have no time in common."""
    if plan.rows.frame.frequency is None:
        return np.arange(len(origins))
    ends = plain_stamps(plan.rows.frame.last_stamps).astype(np.int64)[origins.series]
    left = plan.rows.lengths[origins.series] - origins.stops
    return np.unique(np.stack([ends, left]), axis=1, return_inverse=True)[1].ravel()


def _count_disjoint(origins: Origins) -> int:
    """Return the number of windows that do not overlap, over all series."""
    first = np.unique(origins.series, return_index=True)[1]
    last, least = (end.reduceat(origins.stops, first) for end in (np.maximum, np.minimum))
    return int(((last - least) // origins.horizon + 1).sum())
