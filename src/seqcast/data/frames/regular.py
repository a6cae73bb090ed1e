"""Regular series: stamps on the grid of a frequency, and rows for missing steps."""

from dataclasses import replace

import numpy as np
import pandas as pd

from seqcast.data.frames.frequency import Frequency, infer
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.stamps import Stamps, from_utc, from_wall_clock, wall_clock
from seqcast.data.series import InMemoryStore, positions_of, starts_of
from seqcast.errors import DataError, Fix, Option, Phrase, Row
from seqcast.runtime import Array

# Units of stamps in nanoseconds.
_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
# Nanoseconds of a day.
_DAY = 86_400_000_000_000
# A series that would grow by more than this factor has another frequency, or a stamp of another
# century in it.
MOST_GROWTH = 200
# Series with fewer rows may grow as if they had this many.
FEW_ROWS = 50
# Number of series that are tried for the frequency, longest first.
SERIES_TRIED = 5
# What becomes of rows of a series with one stamp.
ON_DUPLICATES = ("raise", "first", "last", "mean", "sum")


class Grid:
    """The stamps of a frequency between the first and the last of some stamps, numbered.

    Steps of a clock are counted in UTC, days and longer steps on the wall clock. A series is on the
    grid when its numbers differ by multiples of `step` and all rows have one rest (the time of
    day).

    Args:
        frequency: The step.
        stamps: An index with the stamps to be numbered.

    Example:
        >>> import pandas as pd
        >>> stamps = pd.DatetimeIndex(["2024-01-31", "2024-02-29", "2024-05-31"])
        >>> grid = Grid(Frequency("ME"), stamps)
        >>> numbers, rests = grid.numbers(stamps)
        >>> numbers.tolist(), grid.step
        ([0, 1, 4], 1)
        >>> grid.stamps(np.array([2]), rests[:1])[0].date()
        datetime.date(2024, 3, 31)
    """

    def __init__(self, frequency: Frequency, stamps: Stamps) -> None:
        offset = frequency.offset
        self.zone = getattr(stamps, "tz", None)
        self.is_integer = isinstance(offset, int)
        self.is_clock = frequency.is_clock
        self.tick = 1
        # The days of a calendar's steps.
        self.marks: Array | None = None

        if self.is_integer:
            self.step = offset
            return
        self.unit = stamps.unit
        if self.is_clock:
            if offset.nanos % _UNITS[self.unit]:
                self.unit = "ns"
            self.step = offset.nanos // _UNITS[self.unit]
            return

        self.step = offset.n
        self.tick = _DAY // _UNITS[self.unit]
        if frequency.kind != "Day":
            self._mark(frequency, stamps)

    def _mark(self, frequency: Frequency, stamps: Stamps) -> None:
        """Set the marks of a calendar."""
        local = wall_clock(stamps)
        # The only calendar with several steps a day.
        if frequency.kind.endswith("BusinessHour"):
            self.tick = 1
        else:
            local = local.normalize()
        marks = pd.date_range(local.min(), local.max(), freq=frequency.offset.base).as_unit(
            self.unit
        )
        self.marks = np.asarray(marks.asi8 // self.tick)

    def numbers(self, stamps: Stamps) -> tuple[Array, Array]:
        """Return the number of each stamp, and its rest beyond whole steps.

        Args:
            stamps: An index of the same kind, between the grid's first and last stamp, all of them
                possible for the frequency (see `Frequency.off_grid`).
        """
        if self.is_integer:
            return stamps.to_numpy().astype(np.int64), np.zeros(len(stamps), dtype=np.int64)
        if self.is_clock:
            return stamps.as_unit(self.unit).asi8, np.zeros(len(stamps), dtype=np.int64)

        ticks = wall_clock(stamps).as_unit(self.unit).asi8
        numbers, rests = np.divmod(ticks, self.tick)
        if self.marks is not None:
            numbers = np.searchsorted(self.marks, numbers)
        return numbers, rests

    def stamps(self, numbers: Array, rests: Array) -> Stamps:
        """Return the stamps of numbers and rests: the inverse of `numbers`.

        Args:
            numbers: Numbers of stamps.
            rests: The rest of each beyond whole steps.
        """
        if self.is_integer:
            return pd.Index(numbers)
        if self.is_clock:
            index = pd.DatetimeIndex(numbers.view(f"M8[{self.unit}]"))
            return from_utc(index, self.zone)

        places = numbers if self.marks is None else self.marks[numbers]
        ticks = (places * self.tick + rests).astype(np.int64)
        index = pd.DatetimeIndex(ticks.view(f"M8[{self.unit}]"))
        return from_wall_clock(index, self.zone)


def steps_between(frequency: Frequency, origins: Stamps, stamps: Stamps) -> Array:
    """Return the number of steps from each of some stamps to another one.

    It is -1 where that is no whole number.

    Args:
        frequency: The step.
        origins: An index of stamps, `[n]`; steps of a calendar are counted from the last of its
            days up to them.
        stamps: An index of stamps of the same kind and zone, `[n]`.

    Example:
        >>> import pandas as pd
        >>> cutoffs = pd.DatetimeIndex(["2024-01-31"] * 2)
        >>> stamps = pd.DatetimeIndex(["2024-05-31", "2024-06-15"])
        >>> steps_between(Frequency("ME"), cutoffs, stamps)
        array([ 4, -1])
    """
    codes, unique = pd.factorize(origins.append(stamps))
    impossible = frequency.off_grid(unique)
    grid = Grid(frequency, unique)
    numbers, rests = grid.numbers(unique)
    numbers = numbers - impossible  # of the last step before a stamp that is none

    first = codes[: len(origins)]
    last = codes[len(origins) :]
    distances = numbers[last] - numbers[first]
    differs = _of_another_time(unique[last], grid, numbers[last], rests[last], rests[first])
    fits = (distances % grid.step == 0) & ~impossible[last] & ~differs
    return np.where(fits, distances // grid.step, -1)


# The end of a hint.
_OR_IRREGULAR = ("; for series without a step there is ", Option("irregular", True), ".")


def merge_duplicates(frame: LongFrame, how: str) -> LongFrame:
    """Return a frame in which each stamp of a series has one row, at the place of its first.

    Args:
        frame: Series whose rows are in the given order.
        how: `first` or `last` of the rows; `mean` or `sum` of their known targets, with the
            covariates of the first.
    """
    source = frame.source
    series = source.owner
    keys = pd.DataFrame({"series": series, "stamp": frame.stamps})
    groups = keys.groupby(["series", "stamp"], sort=False).ngroup().to_numpy()
    rows = np.flatnonzero(~keys.duplicated(keep="last" if how == "last" else "first"))
    rows = rows[np.argsort(groups[rows])]

    values = source.values[rows]
    targets = pd.DataFrame(frame.targets).groupby(groups)
    if how == "mean":
        values[:, : frame.targets.shape[1]] = targets.mean()
    elif how == "sum":
        values[:, : frame.targets.shape[1]] = targets.sum(min_count=1)

    ends = np.cumsum(np.bincount(series[rows], minlength=len(source)))
    merged = InMemoryStore(source.ids, ends, values)
    return replace(frame, source=merged, stamps=frame.stamps[rows], rows=frame.rows[rows])


def check_increasing(frame: LongFrame) -> None:
    """Reject stamps that go back, and duplicates.

    Args:
        frame: Series whose rows are in the given order.

    Raises:
        DataError: A row's stamp does not come after the one before it.
    """
    stamps = frame.stamps
    later = _later(frame)
    ticks = stamps.to_numpy() if stamps.dtype.kind in "iu" else stamps.asi8
    back = ticks[later] < ticks[later - 1]
    same = ticks[later] == ticks[later - 1]

    wrong = later[back if back.any() else same]
    if len(wrong):
        error = frame.first_error(wrong, lambda place: _not_increasing(frame, place))
        error.rows = frame.rows[wrong].tolist()
        raise error


def _later(frame: LongFrame) -> Array:
    """Return the places of rows after a row of the same series."""
    later = np.ones(len(frame.stamps), dtype=bool)
    later[frame.source.starts] = False
    return np.flatnonzero(later)


def _not_increasing(frame: LongFrame, place: int) -> DataError:
    """Build the error for a stamp that is not after the one before it."""
    columns = frame.schema.columns
    stamp = frame.stamps[place]
    start = frame.source.starts[frame.owners(np.array([place]))[0]]
    # Rows that stand twice, further up, are not put in order.
    same = start + np.flatnonzero(frame.stamps[start:place] == stamp)
    earlier = same[-1] if len(same) else place - 1
    last = frame.stamps[earlier]
    before = (f"{last} (", Row(int(frame.rows[earlier])), ")")

    received = str(stamp)
    fix: Fix | None
    if _may_be_twice(stamp, last):
        expected = Phrase("stamps that increase, after ", *before)
        received += ", perhaps in the hour that clocks show twice when summer time ends"
        zone = Option("columns.tz", "Europe/Berlin")
        others = ", or write times with their offset from UTC."
        hint = Phrase("Give the time zone, such as ", zone, others)
        fix = None
    elif stamp == last:
        expected = Phrase("a stamp after ", *before)
        received = f"the duplicate {received}"
        one = Option("on_duplicates", "first")
        hint = Phrase("Take one of the rows, or their sum: ", one, ", last, mean or sum.")
        # Sorted rows show which others stand twice.
        fix = Fix.DEDUPLICATE if earlier == place - 1 else Fix.SORT
    else:
        expected = Phrase("stamps that increase, after ", *before)
        key = f'["{columns.unique_id}", "{columns.ds}"]'
        code = f"df.sort_values({key}) in pandas, df.sort({key}) in Polars"
        hint = Phrase("Sort the rows: ", Option("sort", True, code), ".")
        fix = Fix.SORT
    return frame.error(columns.ds, place, expected=expected, received=received, hint=hint, fix=fix)


def _may_be_twice(stamp: object, before: object) -> bool:
    """Return whether a stamp that does not increase is in a night in which summer time may end.

    That is a Sunday before four o'clock in autumn: September to November in the north, March or
    April in the south.
    """
    if not isinstance(stamp, pd.Timestamp) or not isinstance(before, pd.Timestamp):
        return False
    if stamp.tz is not None:
        return False

    ends = stamp.weekday() == 6 and stamp.hour < 4 and stamp.month in (3, 4, 9, 10, 11)
    after_midnight = (stamp.hour, stamp.minute) != (0, 0)
    return bool(ends and after_midnight and (before - stamp).total_seconds() <= 3600)


def infer_frequency(frame: LongFrame, *, gaps: bool) -> Frequency:
    """Infer the frequency from the longest series.

    Args:
        frame: Series whose stamps increase.
        gaps: Whether steps may be missing, so that several series are tried.

    Raises:
        DataError: No frequency can be inferred.
    """
    source = frame.source
    longest = np.argsort(-source.lengths, kind="stable")[: SERIES_TRIED if gaps else 1]

    errors: list[DataError] = []
    for series in longest.tolist():
        stamps = frame.stamps[source.rows(series)]
        try:
            return infer(
                stamps,
                frame.schema.columns.ds,
                gaps=gaps,
                series=source.ids[series],
                option=frame.option,
            )
        except DataError as error:
            errors.append(error)
    raise errors[0]


def complete(frame: LongFrame, *, fill: bool) -> LongFrame:
    """Check that stamps follow the frequency, and add rows for missing steps.

    Args:
        frame: Series whose stamps increase.
        fill: Whether steps may be missing.

    Returns:
        The frame with a row for every step; an irregular one unchanged.

    Raises:
        DataError: A stamp is not on the grid, or a step is missing and may not be.
    """
    if frame.frequency is None:
        return frame

    # Series share their stamps, so each distinct stamp is computed once.
    codes, unique = pd.factorize(frame.stamps)
    _check_possible(frame, frame.frequency, frame.frequency.off_grid(unique)[codes])
    grid = Grid(frame.frequency, unique)
    numbers, rests = (values[codes] for values in grid.numbers(unique))

    source = frame.source
    later = _later(frame)
    series = source.owner
    steps = numbers[later] - numbers[later - 1]
    usual = rests[source.starts[series]]
    differs = _of_another_time(frame.stamps, grid, numbers, rests, usual)
    off_grid = (steps % grid.step != 0) | differs[later]
    gap = steps > grid.step
    _check_steps(frame, frame.frequency, later[off_grid | gap & (not fill)], fill)
    if not gap.any():
        return frame

    since = (numbers - numbers[source.starts][series]) // grid.step
    counts = since[source.ends - 1] + 1
    _check_growth(frame, frame.frequency, counts)

    ends = np.cumsum(counts)
    first = np.repeat(source.starts, counts)
    stamps = grid.stamps(numbers[first] + grid.step * positions_of(ends), rests[first])
    places = starts_of(ends)[series] + since
    values = np.full((len(stamps), source.width), np.nan)
    values[places] = source.values
    rows = np.full(len(stamps), -1)
    rows[places] = frame.rows
    return replace(frame, source=InMemoryStore(source.ids, ends, values), stamps=stamps, rows=rows)


def _of_another_time(
    stamps: Stamps, grid: Grid, numbers: Array, rests: Array, usual: Array
) -> Array:
    """Return which stamps are off their usual time of day, unless the clock is put forward."""
    differs = np.asarray(rests != usual)
    changed = np.flatnonzero(differs)
    differs[changed] = np.asarray(grid.stamps(numbers[changed], usual[changed]) != stamps[changed])
    return differs


def _check_possible(frame: LongFrame, frequency: Frequency, off: Array) -> None:
    hint = Phrase("Give the series' own ", Option("freq"), ", or move the stamps.")
    column = frame.schema.columns.ds
    places = np.flatnonzero(off)
    expected = f"a stamp of {_frequency_text(frequency)}"
    frame.reject(column, places, lambda place: (expected, str(frame.stamps[place])), hint)


def _check_steps(frame: LongFrame, frequency: Frequency, wrong: Array, fill: bool) -> None:
    stamps = frame.stamps
    freq = _frequency_text(frequency)
    later = ", or whole steps later" if fill else ""

    def texts(place: int) -> tuple[str, str]:
        following = frequency.after(stamps[place - 1 : place], 1)[0]
        expected = f"{following}, a step after {stamps[place - 1]} at {freq}{later}"
        return expected, str(stamps[place])

    fix = None if fill else Fix.FILL
    frame.reject(frame.schema.columns.ds, wrong, texts, _step_hint(frame, fill), fix=fix)


def _step_hint(frame: LongFrame, fill: bool) -> Phrase:
    if fill:
        advice = (", if the step is another", *_OR_IRREGULAR)
        return Phrase("Move the stamp or give ", Option("freq"), *advice)

    targets = ", ".join(frame.schema.columns.targets)
    adding = "utilsforecast.preprocessing.fill_gaps adds the rows"
    filling = f"Fill the gap ({adding}, then interpolate {targets})"
    others = (Option("missing", "fill"), "; or give ", Option("freq"), ", if the step is another.")
    return Phrase(f"{filling}, drop the row, or take ", *others)


def _check_growth(frame: LongFrame, frequency: Frequency, counts: Array) -> None:
    rows = frame.source.lengths
    most = MOST_GROWTH * np.maximum(rows, FEW_ROWS)
    excess = np.flatnonzero(counts > most)
    if not len(excess):
        return

    hint = Phrase("Give the series' own ", Option("freq"), ", or check the stamps", *_OR_IRREGULAR)

    def at(series: int) -> DataError:
        steps = f"{counts[series]} steps at {_frequency_text(frequency)}"
        return DataError(
            option=frame.option,
            column=frame.schema.columns.ds,
            series=frame.source.ids[series],
            expected=f"at most {most[series]} steps from its first row to its last",
            received=f"{rows[series]} rows over {steps}",
            hint=hint,
        )

    worst_first = excess[np.argsort(-(counts / most)[excess], kind="stable")]
    raise frame.first_error(worst_first, at, of_series=True)


def _frequency_text(frequency: Frequency) -> str:
    if frequency.inferred:
        return f"freq {frequency.name!r}, which was inferred"
    return f"freq {frequency.name!r}"
