"""Origins of forecasts: cutoffs, and the splits in time into training and validation.

All positions are numbers of rows from the start of a series.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.data.frames import AnyFrame, LongFrame, Stamps, UserFrame, as_ids
from seqcast.data.series import SeriesScaler, positions_of
from seqcast.data.windows.batches import Windows
from seqcast.data.windows.gaps import filled_by_season, repeat_season
from seqcast.data.windows.order import ALONE
from seqcast.data.windows.reader import SeriesWindows, WindowReader
from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import Array, Processes
from seqcast.specs import check_choice, check_int

# From where cutoffs are counted.
ALIGNMENTS = ("time", "series")
# Most distances, in seasons, over which errors of seasonal naive forecasts are measured.
MOST_DISTANCES = 8


def known_at_cutoffs(
    frame: AnyFrame,
    horizon: int,
    n_windows: int,
    step_size: int | None = None,
    align: str = "time",
    *,
    complete: bool = True,
) -> Array:
    """Count the known rows at each cutoff of a rolling-origin evaluation, `[n_windows, N]`.

    Args:
        frame: The series.
        horizon: Steps of each forecast, `H`.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon.
        align: `time` cuts all series at the same stamps, counted from the latest one, so that no
            series reveals the future of another; `series` counts from each series' own end.
        complete: Whether each series has to have rows before the first cutoff; otherwise it has no
            forecast there.

    Raises:
        DataError: A cutoff comes before the first row of a series, if `complete`, or of all series.
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
        advice = "Leave the series out, or choose fewer windows or a smaller "
        name = frame.source.ids[late[0]]
        raise DataError(
            option="df",
            series=name,
            expected="rows up to the first cutoff",
            received=f"a first row at {frame.first_stamps[late[0]]}",
            hint=Phrase(advice, Option("step_size"), "."),
        )
    return np.asarray(known)


def _known_in_time(frame: AnyFrame, horizon: int, n_windows: int, step_size: int | None) -> Array:
    source = frame.source
    stamps = frame.last_stamps
    # The stamps of the cutoffs are those of the longest series that ends last.
    last = np.flatnonzero(stamps == stamps.max())
    clock = int(last[np.argmax(source.lengths[last])])
    rows = cutoffs(int(source.lengths[clock]), horizon, n_windows, step_size) - 1

    series, shard = next(each for each in frame.in_shards() if clock in each[0])
    marks = shard.stamps[shard.source.starts[clock - series[0]] + rows]
    return np.concatenate([_rows_until(shard, marks) for _, shard in frame.in_shards()], axis=1)


def _rows_until(frame: LongFrame, marks: Stamps) -> Array:
    """Return the number of rows of each series up to each of some stamps, `[marks, N]`."""
    series = frame.source.owner
    counts = [
        np.bincount(series[np.asarray(frame.stamps <= mark)], minlength=len(frame.source))
        for mark in marks
    ]
    return np.stack(counts)


def counted_back(last: Array, counts: Array, step_size: int) -> tuple[Array, Array]:
    """Return origins of each series, one every `step_size` rows, counted back from the last.

    Args:
        last: Number of known rows at each series' last origin, `[N]`.
        counts: Number of origins of each series, `[N]`.
        step_size: Rows from one origin to the next.

    Returns:
        Number of each origin's series, and of its known rows, `[B]` each.

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
        step_size: Steps from one cutoff to the next; `None` is the horizon, so that forecasts do
            not overlap.

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
        shorter = (" or a shorter ", Option("horizon"), ".")
        raise DataError(
            "n_windows",
            expected=f"cutoffs inside the longest series, which has {length} rows",
            received=f"{n_windows} windows of {horizon} steps, one every {step} steps",
            hint=Phrase("Choose fewer windows, a smaller ", Option("step_size"), *shorter),
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
        future: Features of the known future, `[B, H, F']`; `None` takes them from the frame's own
            rows.

    Example:
        >>> import pandas as pd
        >>> from seqcast.data.frames.frame_reader import read_frame
        >>> from seqcast.data.windows.origins import known_at_cutoffs
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": range(9), "y": range(9)}))
        >>> origins = Origins.at_cutoffs(frame, known_at_cutoffs(frame, 2, 2, None), 2)
        >>> origins.stops.tolist()
        [5, 7]
        >>> origins.table(frame, {"zero": np.zeros((2, 2, 1))}).head(2)
          unique_id  ds  cutoff  step    y  zero
        0         a   5       4     1  5.0   0.0
        1         a   6       4     2  6.0   0.0
    """

    series: Array
    stops: Array
    horizon: int
    cutoff: Array
    scaler: SeriesScaler | None = None
    future: Array | None = None

    @classmethod
    def at_ends(cls, frame: AnyFrame, horizon: int, future: Array | None = None) -> Self:
        """Return one origin a series, after its last row.

        Args:
            frame: The series.
            horizon: Steps of each forecast, `H`.
            future: Features of the known future, `[N, H, F']`, if there are any.
        """
        lengths = frame.source.lengths
        return cls(np.arange(len(lengths)), lengths, horizon, np.zeros_like(lengths), future=future)

    @classmethod
    def at_rows(cls, series: Array, stops: Array, horizon: int) -> Self:
        """Return origins after given rows.

        Args:
            series: Number of the series of each origin, `[B]`.
            stops: Number of its known rows, `[B]`.
            horizon: Steps of each forecast, `H`.
        """
        return cls(series, stops, horizon, stops)

    @classmethod
    def every(cls, frame: LongFrame, horizon: int, context_length: int, step_size: int = 1) -> Self:
        """Return origins at every few rows of each series, with a whole horizon after each.

        Args:
            frame: The series.
            horizon: Steps of each forecast, `H`.
            context_length: Rows before the first origin of a series; one in series without a whole
                window.
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
        """Return the origins at cutoffs, cutoff after cutoff.

        They have an observed value before them, and rows after them.

        Args:
            frame: The series.
            known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
            horizon: Steps of each forecast, `H`.
        """
        valid = (frame.count_observed(known) > 0).all(axis=-1) & (known < frame.source.lengths)
        cutoff, series = np.nonzero(valid)
        return cls(series, known[valid], horizon, cutoff)

    def __len__(self) -> int:
        return len(self.series)

    def take(self, chosen: Array | slice) -> Self:
        """Return some of the origins.

        Args:
            chosen: An index array, a mask or a slice.
        """
        places = np.arange(len(self))[chosen]
        return replace(
            self,
            series=self.series[places],
            stops=self.stops[places],
            cutoff=self.cutoff[places],
            scaler=None if self.scaler is None else self.scaler.take(places),
            future=None if self.future is None else self.future[places],
        )

    def blocks(self, size: int) -> Iterator[Self]:
        """Yield the origins in blocks.

        Args:
            size: Origins of a block.
        """
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    def inputs(self, reader: WindowReader) -> dict[str, Array]:
        """Return the inputs of a network for the windows that end at these origins.

        Args:
            reader: The window reader.
        """
        return reader.inputs(
            self.series, self.stops, self.horizon, scaler=self.scaler, future=self.future
        )

    def truth(self, reader: WindowReader) -> Array:
        """Return the truth after these origins in scaled units, `[B, H, D]`; NaN is missing.

        Args:
            reader: The window reader.
        """
        return reader.truth(self.series, self.stops, self.horizon, scaler=self.scaler)

    def scalers(self, reader: WindowReader) -> SeriesScaler:
        """Return the scaling of each forecast.

        Args:
            reader: The window reader.
        """
        return reader.scaler_of(self.series, self.scaler)

    def rows(self, frame: LongFrame) -> Array:
        """Return the row of each step among those of all series, `[B, H]`.

        A step beyond the end of its series has none.

        Args:
            frame: The series.
        """
        first = frame.source.starts[self.series] + self.stops
        return np.asarray(first[:, None] + np.arange(self.horizon))

    def check_after(self, frame: LongFrame, stamp: Stamps) -> None:
        """Reject forecasts of steps at or before a stamp, an index of one.

        Args:
            frame: The series.
            stamp: The stamp.

        Raises:
            DataError: A forecast would begin at or before the stamp.
        """
        after = frame.stamps[self.rows(frame)[:, 0]]
        early = np.flatnonzero(np.asarray(after <= stamp[0]))
        if len(early):
            name = frame.source.ids[int(self.series[early[0]])]
            advice = "Choose fewer windows, give newer rows, or leave out "
            raise DataError(
                option="n_windows",
                series=name,
                expected=f"cutoffs at or after {stamp[0]}, the last stamp that fit saw",
                received=f"one before {after[early[0]]}",
                hint=Phrase(advice, Option("refit"), "."),
            )

    def naive(self, frame: LongFrame, seasons: Sequence[int]) -> Array:
        """Return the seasonal naive forecast of the season with the least error, `[B, H, D]`.

        It is the error in the rows before each origin. A step that is missing in the last season is
        taken from the newest season that has it.

        Args:
            frame: The series.
            seasons: Steps of each season that is tried; 1 repeats the last value.
        """
        forecast = self._repeated(frame, seasons[0])
        if len(seasons) > 1:
            least = np.array(np.inf)
            for season_length in seasons:
                errors = self._errors_before(frame, season_length)
                is_better = (errors < least)[:, None]
                forecast = np.where(is_better, self._repeated(frame, season_length), forecast)
                least = np.minimum(errors, least)

        return np.asarray(np.where(np.isnan(forecast), self._repeated(frame, 1), forecast))

    def _errors_before(self, frame: LongFrame, season_length: int) -> Array:
        """Return the mean seasonal naive error before each origin; infinite if unknown."""
        targets = frame.targets
        places = positions_of(frame.source.ends)[:, None]
        starts = frame.source.starts[self.series]
        ends = starts + self.stops
        most = math.ceil(self.horizon / season_length)
        distances = np.unique(np.linspace(1, most, MOST_DISTANCES).astype(int))

        total = np.zeros((len(self), targets.shape[1]))
        for back in (distances * season_length).tolist():
            errors = np.abs(targets - np.roll(targets, back, axis=0))
            known = (places >= back) & ~np.isnan(errors)
            sums = _cumulated(np.where(known, errors, 0.0))
            counts = _cumulated(known)
            error = sums[ends] - sums[starts]
            count = counts[ends] - counts[starts]
            total += np.where(count, error / np.maximum(count, 1), np.inf) / len(distances)
        return total

    def _repeated(self, frame: LongFrame, season_length: int) -> Array:
        values = filled_by_season(frame, season_length)
        starts = frame.source.starts[self.series]
        return repeat_season(
            values, starts, self.stops, season_length=season_length, horizon=self.horizon
        )

    def table(self, frame: LongFrame, forecasts: dict[str, Array]) -> UserFrame:
        """Return a frame of forecasts and the truth.

        Args:
            frame: The series.
            forecasts: Forecasts by column name, `[B, H, D]` each.

        Returns:
            A frame of the kind that came in, sorted by id, target, cutoff and stamp: `unique_id`,
            `ds`, `cutoff` (the last known stamp), `step` (1 is the first after the cutoff), `y` and
            the forecasts; a row for each step whose truth is known.
        """
        source = frame.source
        columns = frame.schema.columns
        places = self.rows(frame)
        inside = places < source.ends[self.series][:, None]
        truth = frame.targets[np.where(inside, places, 0)]

        origin, step, target = np.nonzero(inside[:, :, None] & ~np.isnan(truth))
        order = np.lexsort((step, self.cutoff[origin], target, self.series[origin]))
        rows = (origin[order], step[order], target[order])
        origin, step, target = rows

        times = {
            columns.ds: frame.stamps[places[origin, step]],
            "cutoff": frame.stamps[places[origin, 0] - 1],
        }
        values = {"step": step + 1, columns.value: truth[rows]}
        values |= {name: forecast[rows] for name, forecast in forecasts.items()}
        return frame.schema.build(as_ids(source.ids)[self.series[origin]], times, values, target)


def _cumulated(values: Array) -> Array:
    """Return the sums of the rows before each row, and of all, `[rows + 1, D]`."""
    return np.pad(np.cumsum(values, axis=0), ((1, 0), (0, 0)))


def check_first_cutoff(origins: Sequence[Origins]) -> None:
    """Reject origins of which none is at the first cutoff.

    Args:
        origins: The origins of each shard.

    Raises:
        DataError: There are none.
    """
    if not any((each.cutoff == 0).any() for each in origins):
        raise DataError(
            "df",
            expected="a known value before the first cutoff and rows after it",
            received="none in any series",
            hint="Choose fewer windows or a smaller step.",
        )


# ---------------------------------------------------------------- training and validation

# More validation windows hardly change which epoch is best, and would cost more than the training.
MOST_VALIDATION_WINDOWS = 20_000


def validation_starts(
    lengths: Array, *, context_length: int, horizon: int, fraction: float
) -> Array:
    """Return where each series is split in time.

    Training targets end where validation targets start. The validation tail has `max(horizon,
    fraction · length)` rows. A series that would be left without a training window keeps all of its
    rows for training.

    Args:
        lengths: Rows of each series.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.
        fraction: Fraction of each series for validation; 0 is none.

    Returns:
        For each series the position of its first validation target; its length where it has none.

    Example:
        >>> validation_starts(np.array([100, 20]), context_length=10, horizon=6, fraction=0.1)
        array([90, 20])
    """
    if fraction == 0:
        return lengths.copy()
    starts = lengths - np.maximum(horizon, np.round(fraction * lengths)).astype(lengths.dtype)
    return np.where(starts >= context_length + horizon, starts, lengths)


def check_lengths(frame: AnyFrame, *, context_length: int, horizon: int) -> None:
    """Reject a frame with a series that is too short for a window.

    Args:
        frame: The series.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.

    Raises:
        DataError: A series has fewer rows than `context_length + horizon`.
    """
    ids = frame.source.ids
    lengths = frame.source.lengths
    short = np.flatnonzero(lengths < context_length + horizon).tolist()

    more = f" ({len(short)} such series)" if len(short) > 1 else ""
    expected = f"at least {context_length} + {horizon} rows, context_length and horizon"
    drop = "Drop short series, choose a smaller context_length or horizon, or take "
    hint = Phrase(drop, Option("missing", "fill"), ".")

    def at(series: int) -> DataError:
        return DataError(
            option="df",
            series=ids[series],
            expected=expected,
            received=f"{lengths[series]} rows up to {frame.last_stamps[series]}{more}",
            hint=hint,
        )

    if short:
        raise DataError.first_of(short, [ids[series] for series in short], at)


def training_windows(
    reader: WindowReader,
    starts: Array,
    horizon: int,
    *,
    batch_size: int,
    weighting: str = "windows",
    most_validation: int = MOST_VALIDATION_WINDOWS,
    windows: Callable[..., Windows] = SeriesWindows,
    processes: Processes = ALONE,
    **options: Any,
) -> tuple[Windows, Windows | None]:
    """Return the windows to train and to validate on.

    Args:
        reader: The window reader.
        starts: Position of each series' first validation target, its length where it has none.
        horizon: Steps of future, `H`.
        batch_size: Largest number of windows a training step.
        weighting: As for `SeriesWindows`.
        most_validation: Most windows to validate on.
        windows: The kind of windows.
        processes: The processes that share each batch.
        **options: Further options of the training windows.

    Returns:
        Both; no validation windows where no series has any. If there are more than
        `most_validation`, the last windows of each series' tail are taken, and of more series than
        that only some.
    """
    both = {"weighting": weighting, "processes": processes}
    train = windows(reader, horizon, stops=starts, batch_size=batch_size, **both, **options)

    divided = starts < reader.lengths
    count = int(divided.sum())
    each = max(1, most_validation // max(1, count))
    first = np.where(divided, np.maximum(starts, reader.lengths - horizon - each + 1), starts)
    if count > most_validation:
        every = math.ceil(count / most_validation)
        left_out = np.delete(np.flatnonzero(divided), slice(None, None, every))
        first[left_out] = reader.lengths[left_out]

    validation = windows(
        reader, horizon, first_target=first, batch_size=max(batch_size, 1024), **both
    )
    return train, validation if validation.count else None
