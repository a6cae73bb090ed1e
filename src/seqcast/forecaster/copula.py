"""The dependence of a forecaster's sample paths over steps and series, learnt on hold-out windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqcast.data.frames import plain_stamps
from seqcast.data.series import SeriesScaler
from seqcast.data.windows import Origins
from seqcast.forecaster.choice import PROBABILITIES, count_disjoint
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.training_rows import PlannedRows
from seqcast.intervals import Copula, normal_scores
from seqcast.runtime import Array


def learn_copula(fitted: FittedForecaster, rows: PlannedRows, origins: Origins | None) -> Copula:
    """Return the dependence under which sums of forecasts have held the truth.

    Args:
        fitted: The fitted forecaster, calibrated if it is to be.
        rows: The rows of the fit.
        origins: The windows to learn from, on which nothing was trained.
    """
    blend = fitted.blend
    if origins is None or not len(origins) or not fitted.can_draw:
        return Copula(blend.prior)
    shape = (len(origins), rows.reader.targets.width)
    as_they_are = replace(origins, scaler=SeriesScaler(np.zeros(shape), np.ones(shape)))
    truth, quantiles = as_they_are.truth(rows.reader), blend.whole(rows.reader, origins)
    scores = np.moveaxis(normal_scores(truth, quantiles, PROBABILITIES, np.random.default_rng(0)), 2, 0)
    times = _times(rows, origins)
    # Each target is a series of its own.
    times = (times + (times.max() + 1) * np.arange(shape[1])[:, None]).ravel()
    overlap = len(origins) / count_disjoint(origins)
    return Copula.learnt(scores.reshape(-1, origins.horizon), times, blend.prior, overlap)


def _times(rows: PlannedRows, origins: Origins) -> Array:
    """Return a number for the time of each origin's cutoff, `[B]`; irregular stamps have no time in common."""
    if rows.frame.frequency is None:
        return np.arange(len(origins))
    ends = plain_stamps(rows.frame.last_stamps).astype(np.int64)[origins.series]
    left = rows.lengths[origins.series] - origins.stops
    return np.unique(np.stack([ends, left]), axis=1, return_inverse=True)[1].ravel()
