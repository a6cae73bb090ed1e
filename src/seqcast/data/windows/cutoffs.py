"""Cutoffs of rolling-origin evaluations, and how many rows of each series are known at each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import AnyFrame, LongFrame, Stamps
from seqcast.errors import DataError
from seqcast.specs import check_choice, check_int

Array = npt.NDArray[Any]


ALIGNMENTS = ("time", "series")


def known_at_cutoffs(
    frame: AnyFrame,
    horizon: int,
    n_windows: int = 1,
    step_size: int | None = None,
    align: str = "time",
    *,
    complete: bool = True,
) -> Array:
    """Return how many rows of each series are known at each cutoff of a rolling-origin evaluation, `[n_windows, N]`.

    Args:
        frame: The series.
        horizon: Steps of each forecast, `H`.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon.
        align: `time` cuts all series at the same stamps, counted from the latest one, so that no series tells another's
            future; `series` counts from each series' own end.
        complete: Whether each series has to have rows before the first cutoff; otherwise it has no forecast there.

    Raises:
        DataError: A cutoff comes before a series' first row, and may not; or before all of them.
    """
    check_choice("align", align, ALIGNMENTS)
    lengths = frame.source.lengths
    if align == "series":
        marks = cutoffs(int(lengths.max()), horizon, n_windows, step_size)
        known = np.maximum(marks[:, None] + lengths - lengths.max(), 0)
    else:
        known = _known_in_time(frame, horizon, n_windows, step_size)
    late = np.flatnonzero(known[0] < 1)
    if len(late) and (complete or len(late) == len(lengths)):
        raise DataError(
            option="df",
            series=frame.source.ids[late[0]],
            expected="rows up to the first cutoff",
            received=f"a first row at {frame.first_stamps[late[0]]}",
            hint="Leave the series out, or choose fewer windows or a smaller step_size.",
        )
    return np.asarray(known)


def _known_in_time(frame: AnyFrame, horizon: int, n_windows: int, step_size: int | None) -> Array:
    source, stamps = frame.source, frame.last_stamps
    # Of the series that end last, the longest is the clock.
    last = np.flatnonzero(stamps == stamps.max())
    clock = int(last[np.argmax(source.lengths[last])])
    rows = cutoffs(int(source.lengths[clock]), horizon, n_windows, step_size) - 1
    marks = next(
        part.stamps[part.source.starts[clock - series[0]] + rows] for series, part in frame.parts() if clock in series
    )
    return np.concatenate([_rows_until(part, marks) for _, part in frame.parts()], axis=1)


def _rows_until(frame: LongFrame, marks: Stamps) -> Array:
    """Return how many rows of each series are not after each of some stamps, `[marks, N]`."""
    series = np.repeat(np.arange(len(frame.source)), frame.source.lengths)
    counts = [np.bincount(series[np.asarray(frame.stamps <= mark)], minlength=len(frame.source)) for mark in marks]
    return np.stack(counts)


def counted_back(last: Array, counts: Array, step_size: int) -> tuple[Array, Array]:
    """Return `counts` origins of each series, `step_size` rows apart, counted back from the last one.

    Args:
        last: Number of rows that are known at each series' last origin, `[N]`.
        counts: Number of origins of each series, `[N]`.
        step_size: Rows from one origin to the next.

    Returns:
        Number of each origin's series, and of its rows that are known, `[B]` each.

    Example:
        >>> counted_back(np.array([9, 5]), np.array([3, 1]), 2)
        (array([0, 0, 0, 1]), array([5, 7, 9, 5]))
    """
    series = np.repeat(np.arange(len(counts)), counts)
    back = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(counts.sum())
    return series, last[series] - step_size * back


def cutoffs(length: int, horizon: int, n_windows: int = 1, step_size: int | None = None) -> Array:
    """Return the cutoffs of a rolling-origin evaluation; the last forecast ends with the series.

    Args:
        length: Rows of the series.
        horizon: Steps of each forecast.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon, so that forecasts do not overlap.

    Returns:
        Number of rows known at each cutoff, increasing, `[n_windows]`.

    Raises:
        DataError: The first cutoff would come before the first row.

    Source: Tashman 2000, Out-of-sample tests of forecasting accuracy.

    Example:
        >>> cutoffs(100, horizon=10, n_windows=3)
        array([70, 80, 90])
    """
    n_windows = check_int("n_windows", n_windows)
    step = horizon if step_size is None else check_int("step_size", step_size)
    known = length - horizon - step * np.arange(n_windows)[::-1]
    if known[0] < 1:
        raise DataError(
            "n_windows",
            expected=f"cutoffs inside the longest series, which has {length} rows",
            received=f"{n_windows} windows of {horizon} steps, {step} apart",
            hint="Choose fewer windows, a smaller step_size or a shorter horizon.",
        )
    return known
