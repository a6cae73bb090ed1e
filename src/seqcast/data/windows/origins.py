"""Forecast origins: at the ends of series, at rolling cutoffs, at every few rows; and the truth after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import AnyFrame, LongFrame, Stamps, as_ids
from seqcast.data.series import SeriesScaler, positions_of
from seqcast.data.windows.reader import WindowReader
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


@dataclass(frozen=True)
class Origins:
    """Origins of forecasts of a frame's series.

    Args:
        series: Number of the series of each forecast, `[B]`.
        stops: Number of its known rows, `[B]`.
        horizon: Steps of each forecast, `H`.
        cutoff: Number of the cutoff of each forecast, by which those of a series are sorted, `[B]`.
        scaler: Scaling of each forecast; `None` is that of its series.
        future: Features of the known future, `[B, H, F']`; `None` takes them from the frame's own rows.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frames.table import read_frame
        >>> from seqcast.data.windows.origins import known_at_cutoffs
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": range(9), "y": range(9)}))
        >>> origins = Origins.at_cutoffs(frame, known_at_cutoffs(frame, 2, n_windows=2), 2)
        >>> origins.stops.tolist()
        [5, 7]
        >>> origins.table(frame, {"zero": np.zeros((2, 2, 1))}).head(2)
          unique_id  ds  cutoff    y  zero
        0         a   5       4  5.0   0.0
        1         a   6       4  6.0   0.0
    """

    series: Array
    stops: Array
    horizon: int
    cutoff: Array
    scaler: SeriesScaler | None = None
    future: Array | None = None

    @classmethod
    def at_ends(cls, frame: AnyFrame, horizon: int, future: Array | None = None) -> Self:
        """Return one origin a series, after its last row."""
        lengths = frame.source.lengths
        return cls(np.arange(len(lengths)), lengths, horizon, np.zeros_like(lengths), future=future)

    @classmethod
    def at_rows(cls, series: Array, stops: Array, horizon: int) -> Self:
        """Return origins after given rows."""
        return cls(series, stops, horizon, stops)

    @classmethod
    def every(cls, frame: LongFrame, horizon: int, context_length: int, step_size: int = 1) -> Self:
        """Return origins at every few rows of each series that have a whole horizon after them.

        Args:
            frame: The series.
            horizon: Steps of each forecast, `H`.
            context_length: Rows before the first origin of a series; one in series without a whole window.
            step_size: Rows from one origin to the next, counted from the last.

        Raises:
            DataError: No series is long enough.
        """
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
        return cls.at_rows(*counted_back(lengths - horizon, counts, step_size), horizon)

    @classmethod
    def at_cutoffs(cls, frame: LongFrame, known: Array, horizon: int) -> Self:
        """Return the origins at cutoffs with an observed value before and rows after them, cutoff after cutoff.

        Args:
            frame: The series.
            known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
            horizon: Steps of each forecast, `H`.

        Raises:
            DataError: There are none at the first cutoff.
        """
        origins = cls.within(frame, known, horizon)
        check_first_cutoff([origins])
        return origins

    @classmethod
    def within(cls, frame: LongFrame, known: Array, horizon: int) -> Self:
        """Return the origins at cutoffs as `at_cutoffs` does, also where there are none."""
        valid = (frame.count_observed(known) > 0).all(axis=-1) & (known < frame.source.lengths)
        cutoff, series = np.nonzero(valid)
        return cls(series, known[valid], horizon, cutoff)

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: Any) -> Self:
        """Return some of the origins; `rows` is an index array, a mask or a slice."""
        places = np.arange(len(self))[rows]
        return replace(
            self,
            series=self.series[places],
            stops=self.stops[places],
            cutoff=self.cutoff[places],
            scaler=None if self.scaler is None else self.scaler.take(places),
            future=None if self.future is None else self.future[places],
        )

    def blocks(self, size: int) -> Iterator[Self]:
        """Yield so many origins at a time."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    def inputs(self, reader: WindowReader) -> dict[str, Array]:
        """Return what a network reads of the windows that end at these origins."""
        return reader.inputs(self.series, self.stops, self.horizon, scaler=self.scaler, future=self.future)

    def truth(self, reader: WindowReader) -> Array:
        """Return what came after these origins in scaled units, `[B, H, D]`; NaN is missing."""
        return reader.truth(self.series, self.stops, self.horizon, scaler=self.scaler)

    def scalers(self, reader: WindowReader) -> SeriesScaler:
        """Return the scaling of each forecast."""
        return reader.scaler_of(self.series, self.scaler)

    def rows(self, frame: LongFrame) -> Array:
        """Return the row of each step among those of all series, `[B, H]`; steps beyond a series' end have none."""
        return np.asarray((frame.source.starts[self.series] + self.stops)[:, None] + np.arange(self.horizon))

    def check_after(self, frame: LongFrame, stamp: Stamps) -> None:
        """Refuse forecasts of steps at or before a stamp, an index of one.

        Raises:
            DataError: A forecast would begin at or before the stamp.
        """
        after = frame.stamps[self.rows(frame)[:, 0]]
        early = np.flatnonzero(np.asarray(after <= stamp[0]))
        if len(early):
            raise DataError(
                option="n_windows",
                series=frame.source.ids[int(self.series[early[0]])],
                expected=f"cutoffs at or after {stamp[0]}, the last stamp that fit saw",
                received=f"one before {after[early[0]]}",
                hint="Choose fewer windows, give newer rows, or take refit=False.",
            )

    def naive(self, frame: LongFrame, season_length: int) -> Array:
        """Return the seasonal naive forecast, `[B, H, D]`; season length 1 repeats the last value.

        A step that is missing in the last season is taken from the newest season that has it.
        """
        last, season = (self._repeated(frame, steps) for steps in (1, season_length))
        return np.asarray(np.where(np.isnan(season), last, season))

    def _repeated(self, frame: LongFrame, season_length: int) -> Array:
        values, starts = _filled_targets(frame, season_length), frame.source.starts[self.series]
        return repeat_season(values, starts, self.stops, season_length=season_length, horizon=self.horizon)

    def table(self, frame: LongFrame, forecasts: dict[str, Array]) -> Any:
        """Return a frame of forecasts beside the truth.

        Args:
            frame: The series.
            forecasts: Forecasts by column name, `[B, H, D]` each.

        Returns:
            A frame of the kind that came in, sorted by id, target, cutoff and stamp: `unique_id`, `ds`, `cutoff` (the
            last known stamp), `y` and the forecasts; a row for each step whose truth is known.
        """
        source, columns = frame.source, frame.schema.columns
        places = self.rows(frame)
        inside = places < source.ends[self.series][:, None]
        truth = frame.targets[np.where(inside, places, 0)]
        origin, step, target = np.nonzero(inside[:, :, None] & ~np.isnan(truth))
        order = np.lexsort((step, self.cutoff[origin], target, self.series[origin]))
        rows = origin, step, target = origin[order], step[order], target[order]
        times = {columns.ds: frame.stamps[places[origin, step]], "cutoff": frame.stamps[places[origin, 0] - 1]}
        values = {columns.value: truth[rows], **{name: forecast[rows] for name, forecast in forecasts.items()}}
        return frame.schema.build(as_ids(source.ids)[self.series[origin]], times, values, target)


def check_first_cutoff(origins: Sequence[Origins]) -> None:
    """Refuse origins of which none is at the first cutoff.

    Args:
        origins: Those of some series at a time.

    Raises:
        DataError: There are none.
    """
    if not any((part.cutoff == 0).any() for part in origins):
        raise DataError(
            "df",
            expected="a known value before the first cutoff and rows after it",
            received="none in any series",
            hint="Choose fewer windows or a smaller step_size.",
        )


def _filled_targets(frame: LongFrame, season_length: int) -> Array:
    """Return the targets with gaps filled by the value whole seasons before; NaN is left where there is none."""
    targets, source = frame.targets, frame.source
    if not np.isnan(targets).any():
        return targets
    phase = positions_of(source.ends) % season_length
    stretch = np.repeat(np.arange(len(source)), source.lengths) * season_length + phase
    order = np.argsort(stretch, kind="stable")
    ordered, stretch = targets[order], stretch[order]
    rows = np.arange(len(ordered))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(ordered), -1, rows), axis=0)
    first_row = np.searchsorted(stretch, stretch)[:, None]
    filled = np.empty_like(targets)
    filled[order] = np.where(last >= first_row, np.take_along_axis(ordered, np.maximum(last, 0), axis=0), np.nan)
    return filled


def repeat_season(values: Array, starts: Array, stops: Array, *, season_length: int, horizon: int) -> Array:
    """Return the forecast that repeats each series' last season; season length 1 repeats the last value.

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
