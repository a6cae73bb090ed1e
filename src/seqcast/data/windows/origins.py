"""Rolling origins of a long frame: what is known at each cutoff, and the truth after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import Stamps
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.schema import as_ids
from seqcast.errors import DataError
from seqcast.specs.checks import check_choice, check_int

__all__ = ["ALIGNMENTS", "OriginRows", "RollingOrigins", "counted_back", "cutoffs", "repeat_season"]

Array = npt.NDArray[Any]


ALIGNMENTS = ("time", "series")


class RollingOrigins:
    """Cutoffs of all series of a frame.

    Args:
        frame: The series.
        horizon: Steps of each forecast, `H`.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon.
        align: `time` cuts all series at the same stamps, counted from the latest one, so that no series tells
            another's future; `series` counts from each series' own end.
        complete: Whether each series has to have rows before the first cutoff; otherwise it has no forecast there.

    Attributes:
        known: Number of rows of each series that are known at each cutoff, `[n_windows, series]`.
        valid: Whether a forecast can be made there: something is known, and the truth has rows.

    Raises:
        DataError: A cutoff comes before a series' first row, and may not; or before all of them.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frames.table import read_frame
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": range(9), "y": range(9)}))
        >>> origins = RollingOrigins(frame, horizon=2, n_windows=2)
        >>> origins.known.tolist()
        [[5], [7]]
        >>> origins.table({"zero": np.zeros((2, 1, 2, 1))}).head(2)
          unique_id  ds  cutoff    y  zero
        0         a   5       4  5.0   0.0
        1         a   6       4  6.0   0.0
    """

    def __init__(
        self,
        frame: LongFrame,
        horizon: int,
        n_windows: int = 1,
        step_size: int | None = None,
        align: str = "time",
        *,
        complete: bool = True,
    ) -> None:
        check_choice("align", align, ALIGNMENTS)
        self.frame = frame
        self.horizon = horizon
        lengths = frame.source.lengths
        if align == "series":
            marks = cutoffs(int(lengths.max()), horizon, n_windows, step_size)
            self.known = np.maximum(marks[:, None] + lengths - lengths.max(), 0)
        else:
            self.known = self._known_in_time(n_windows, step_size)
        self.valid = (frame.seen(self.known) > 0).all(axis=-1) & (self.known < lengths)
        late = np.flatnonzero(self.known[0] < 1)
        if len(late) and (complete or len(late) == len(lengths)):
            raise DataError(
                option="df",
                series=frame.source.ids[late[0]],
                expected="rows up to the first cutoff",
                received=f"a first row at {frame.first_stamps[late[0]]}",
                hint="Leave the series out, or choose fewer windows or a smaller step_size.",
            )
        if not self.valid[0].any():
            check_int("n_windows", n_windows)
            raise DataError(
                "df",
                expected="a known value before the first cutoff and rows after it",
                received="none in any series",
                hint="Choose fewer windows or a smaller step_size.",
            )

    def _known_in_time(self, n_windows: int, step_size: int | None) -> Array:
        source, stamps = self.frame.source, self.frame.last_stamps
        # Of the series that end last, the longest is the clock.
        last = np.flatnonzero(stamps == stamps.max())
        clock = int(last[np.argmax(source.lengths[last])])
        marks = cutoffs(int(source.lengths[clock]), self.horizon, n_windows, step_size)
        series = np.repeat(np.arange(len(source)), source.lengths)
        known = []
        for mark in self.frame.stamps[source.starts[clock] + marks - 1]:
            before = np.asarray(self.frame.stamps <= mark)
            known.append(np.bincount(series[before], minlength=len(source)))
        return np.stack(known)

    def check_after(self, stamp: Stamps) -> None:
        """Refuse cutoffs after which a forecast would begin at or before a stamp, an index of one.

        Raises:
            DataError: What was known then was part of what would have to be forecast.
        """
        source = self.frame.source
        # Without a row after the cutoff, which is not valid, any row will do.
        after = self.frame.stamps[(source.starts + np.minimum(self.known, source.lengths - 1)).ravel()]
        early = np.asarray(after <= stamp[0]).reshape(self.valid.shape) & self.valid
        if early.any():
            window, series = np.argwhere(early)[0].tolist()
            raise DataError(
                option="n_windows",
                series=source.ids[series],
                expected=f"cutoffs at or after {stamp[0]}, the last stamp that fit saw",
                received=f"one before {after[window * len(source) + series]}",
                hint="Choose fewer windows, give newer rows, or take refit=False.",
            )

    def naive(self, season_length: int) -> Array:
        """Repeat the last season that is known, `[n_windows, series, H, D]`; length 1 repeats the last value."""
        source = self.frame.source
        values = _carried(self.frame)
        made = []
        for stops in np.maximum(self.known, 1):
            options: dict[str, Any] = {"horizon": self.horizon}
            last = repeat_season(values, source.starts, stops, season_length=1, **options)
            season = repeat_season(values, source.starts, stops, season_length=season_length, **options)
            made.append(np.where(np.isnan(season), last, season))
        return np.stack(made)

    def table(self, forecasts: dict[str, Array]) -> Any:
        """Lay forecasts beside the truth.

        Args:
            forecasts: Forecasts by column name, `[n_windows, series, H, D]` each.

        Returns:
            A frame of the kind that came in, sorted by id, target, cutoff and stamp: `unique_id`, `ds`, `cutoff` (the
            last stamp that was known), `y` and the forecasts; a row for each step whose truth is known.
        """
        source, columns = self.frame.source, self.frame.schema.columns
        known = self.known.T[:, :, None]  # [series, n_windows, 1]
        starts = source.starts[:, None, None]
        places = starts + known + np.arange(self.horizon)
        inside = (places < source.ends[:, None, None]) & self.valid.T[:, :, None]
        places = np.where(inside, places, starts)
        truth = self.frame.targets[places]
        cut = np.broadcast_to(starts + np.maximum(known - 1, 0), places.shape)
        times = {columns.ds: self.frame.stamps[places.ravel()], "cutoff": self.frame.stamps[cut.ravel()]}
        values = {name: np.moveaxis(forecast, 0, 1) for name, forecast in forecasts.items()}
        kept = inside[..., None] & ~np.isnan(truth)
        return self.frame.schema.to_long(source.ids, times, {columns.value: truth, **values}, kept)


def _carried(frame: LongFrame) -> Array:
    """Carry each series' last known value into its gaps; NaN is left before the first one."""
    targets, source = frame.targets, frame.source
    seen = ~np.isnan(targets)
    if seen.all():
        return targets
    rows = np.arange(len(targets))[:, None]
    last = np.maximum.accumulate(np.where(seen, rows, -1), axis=0)
    inside = last >= np.repeat(source.starts, source.lengths)[:, None]
    return np.where(inside, np.take_along_axis(targets, np.maximum(last, 0), axis=0), np.nan)


def counted_back(last: Array, counts: Array, step_size: int) -> tuple[Array, Array]:
    """Return origins of each series, so many, a step apart, counted from the last one.

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


class OriginRows:
    """Origins at every row of each series that has a whole horizon after it, or at every few rows.

    Args:
        frame: The series.
        horizon: Steps of each forecast, `H`.
        context_length: Rows before the first origin of a series; one in series without a whole window.
        step_size: Rows from one origin to the next, counted from the last.

    Attributes:
        series: Number of each origin's series, `[B]`.
        stops: Number of its rows that are known, `[B]`.

    Raises:
        DataError: No series is long enough.
    """

    def __init__(self, frame: LongFrame, horizon: int, context_length: int, step_size: int = 1) -> None:
        self.frame, self.horizon = frame, horizon
        lengths = frame.source.lengths
        least = np.where(lengths < context_length + horizon, 1, context_length)
        counts = np.maximum((lengths - horizon - least) // step_size + 1, 0)
        if not counts.any():
            raise DataError(
                "df",
                expected=f"a series with at least 1 + {horizon} rows, one to read and the horizon",
                received=f"at most {lengths.max()}",
                hint="Give more rows.",
            )
        self.series, self.stops = counted_back(lengths - horizon, counts, step_size)

    def table(self, forecasts: dict[str, Array]) -> Any:
        """Lay forecasts, `[B, H, D]` each, beside the truth, as `RollingOrigins.table` does."""
        source, columns = self.frame.source, self.frame.schema.columns
        first = source.starts[self.series] + self.stops
        places = first[:, None] + np.arange(self.horizon)
        truth = self.frame.targets[places]
        cut = np.broadcast_to(first[:, None] - 1, places.shape)
        times = {columns.ds: self.frame.stamps[places.ravel()], "cutoff": self.frame.stamps[cut.ravel()]}
        ids = as_ids(source.ids)[self.series]
        return self.frame.schema.to_long(ids, times, {columns.value: truth, **forecasts}, ~np.isnan(truth))


def cutoffs(length: int, horizon: int, n_windows: int = 1, step_size: int | None = None) -> Array:
    """Place the cutoffs of a rolling-origin evaluation; the last forecast ends with the series.

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


def repeat_season(values: Array, starts: Array, stops: Array, *, season_length: int, horizon: int) -> Array:
    """Forecast by repeating each series' last season; one of length 1 repeats the last value.

    Args:
        values: Series laid end to end, `[rows]` or `[rows, D]`.
        starts: Place of the series' first value in `values`, `[N]`.
        stops: Number of values known, `[N]`; where they are fewer than a season, the last value is repeated.
        season_length: Steps of a season.
        horizon: Steps to forecast, `H`.

    Returns:
        The forecast, `[N, H]` or `[N, H, D]`.

    Example:
        >>> repeat_season(np.arange(6.0), np.array([0]), np.array([6]), season_length=4, horizon=5)
        array([[2., 3., 4., 5., 2.]])
    """
    season = np.where(stops >= season_length, season_length, 1)[:, None]
    repeated: Array = values[(starts + stops)[:, None] - season + np.arange(horizon) % season]
    return repeated
