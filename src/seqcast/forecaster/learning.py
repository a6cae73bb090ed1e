"""What a plan learns from training rows: features, scaling, support."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import AnyFrame, Stamps
from seqcast.data.series import LOGARITHMS, SeriesScaler
from seqcast.forecaster.defaults import auto_scale
from seqcast.forecaster.rows import FitRows
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.support import learn_support

Array = npt.NDArray[Any]


def learn_series(rows: FitRows, starts: Array, longest: int) -> tuple[SeriesState, AnyFrame]:
    """Learn features and scaling from training rows.

    Args:
        rows: The rows of the fit.
        starts: Number of training rows of each series.
        longest: Steps that a forecast reads.

    Returns:
        What was learnt, and the rows with their categories numbered.

    Raises:
        DataError: There are negative values, which have no logarithm.
    """
    frame, options, context = rows.frame, rows.options, rows.context_length or longest
    builder = FeatureBuilder.learn(frame, starts, calendar=options.calendar, context_length=context)
    scale = options.scale
    if scale == "auto":
        scale = auto_scale(options.head, options.point, frame, starts, rows.season_length)
    if scale in LOGARITHMS:
        frame.check_positive(scale)
    aligned = frame.changed(builder.align) if builder.has_covariates else frame
    short = bool((starts < context + options.horizon).any())
    gaps = short or any(np.isnan(part.source.values).any() for _, part in aligned.parts())
    remembered = aligned.tail(longest)
    # Remembered rows are sorted by id, which those of files need not be.
    order = aligned.source.places(remembered.source.ids)
    series = SeriesState(
        frame=remembered,
        scaler=SeriesScaler.learn(aligned.target_store, starts, scale).take(order),
        builder=builder,
        scale=scale,
        context_length=longest,
        observed=options.fill and gaps,
        fill=options.fill,
        last_seen=aligned.latest_stamp,
        trained_until=_stamps_before(aligned, starts)[order],
        support=learn_support(frame, options.support),
    )
    return series, aligned


def _stamps_before(frame: AnyFrame, starts: Array) -> Stamps:
    """Return the stamp of the last of the first `starts` rows of each series."""
    first, *others = (part.stamps[part.source.starts + starts[series] - 1] for series, part in frame.parts())
    return first.append(others) if others else first
