"""Which rows are validated, judged and calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.features.builder import FeatureBuilder
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.windows.origins import counted_back
from seqcast.errors import DataError
from seqcast.forecaster.series_state import FARTHEST, SeriesState
from seqcast.intervals.conformal import windows_needed
from seqcast.specs.checks import check_int

__all__ = ["validation_rows", "with_validation"]

Array = npt.NDArray[Any]


# Whether networks are better than repeating the last season is plain from so many windows, evenly from among all.
MOST_JUDGED_WINDOWS = 2_000


# Calibration takes its windows evenly from among the validation windows when there are more.
MOST_CALIBRATION_WINDOWS = 20_000


def validation_rows(frame: LongFrame, validation: int | np.integer[Any], horizon: int) -> Array:
    """Keep the last rows of each series for validation.

    Args:
        frame: The series.
        validation: Number of rows; a series that would be left without a training window keeps all for training.
        horizon: Steps to forecast.

    Returns:
        For each series the position of its first validation target.

    Raises:
        SpecError: It is no whole number, or fewer rows than a forecast has.
        DataError: No series is long enough.
    """
    rows = check_int("validation", validation, at_least=horizon)
    lengths = frame.source.lengths
    starts = np.where(lengths - rows > horizon, lengths - rows, lengths)
    if (starts == lengths).all():
        raise DataError(
            "validation",
            expected=f"a series with more than {rows} + {horizon} rows, for validation and horizon",
            received=f"at most {lengths.max()}",
            hint="Validate on fewer rows.",
        )
    return starts


def horizon_windows(frame: LongFrame, starts: Array, horizon: int, most: int) -> tuple[Array, Array]:
    """Return the series and the known rows of windows whose horizon lies within the validation rows.

    There are about so many at most, evenly from among all.
    """
    lengths = frame.source.lengths
    counts = np.where(starts < lengths, np.maximum(lengths - horizon - starts + 1, 0), 0)
    step = max(1, -(-int(counts.sum()) // most))
    return counted_back(lengths - horizon, -(-counts // step), step)


def calibration_windows(frame: LongFrame, starts: Array, horizon: int, level: Sequence[float]) -> tuple[Array, Array]:
    """Return the series and the known rows of the windows whose horizon lies within the validation rows.

    Raises:
        DataError: A level needs more windows.
    """
    series, stops = horizon_windows(frame, starts, horizon, MOST_CALIBRATION_WINDOWS)
    needed = windows_needed(max(level))
    places = frame.source.starts[series][:, None] + stops[:, None] + np.arange(horizon)
    known = (~np.isnan(frame.targets[places])).sum(axis=0).min() if len(series) else 0
    if known < needed:
        raise DataError(
            "calibrate",
            expected=f"at least {needed} validation windows for level {max(level):g}",
            received=f"{known} with a known value at each step",
            hint="Give more validation rows (training={'validation_fraction': ...} or fit's validation), lower levels, "
            "or calibrate=False.",
        )
    return series, stops


def with_validation(frame: LongFrame, later: LongFrame, *, fill: bool) -> tuple[LongFrame, Array]:
    """Lay validation rows behind those of a frame.

    Args:
        frame: The series to train on.
        later: Rows that follow, of some of them.
        fill: Whether there may be gaps between the two.

    Returns:
        All rows, and for each series the position of its first validation target.

    Raises:
        DataError: The rows do not follow, or are of other series.
    """
    lengths = frame.source.lengths
    builder = FeatureBuilder.learn(frame, lengths, calendar="none")
    memory = SeriesState(
        frame=builder.align(frame),
        scaler=SeriesScaler.fit(frame.targets, frame.source.ends, lengths, "none"),
        builder=builder,
        scale="none",
        context_length=FARTHEST,
        observed=False,
        fill=fill,
        last_seen=frame.last_stamps[:1],
    )
    strangers = np.flatnonzero(memory.places(later.source.ids) < 0)
    if len(strangers):
        raise DataError(
            option="validation",
            series=later.source.ids[strangers[0]],
            expected="series of df",
            received="one that is not",
            hint="Leave it out, or add its earlier rows to df.",
        )
    later = memory.checked(later)
    memory.check_follows(later)
    whole = memory.concat(later, memory.ids)
    lost = np.flatnonzero(np.asarray(whole.first_stamps != frame.first_stamps))
    if len(lost):
        place = int(np.searchsorted(memory.places(later.source.ids), lost[0]))
        raise DataError(
            option="validation",
            series=frame.source.ids[lost[0]],
            expected=f"rows that begin within {FARTHEST} steps of {frame.last_stamps[lost[0]]}, the last one of df",
            received=str(later.first_stamps[place]),
            hint="Give rows that follow, or the number of rows to validate on.",
        )
    return replace(whole, schema=frame.schema), lengths
