"""Regular series: stamps are checked against a frequency's grid, and missing steps get rows of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import CLOCK, Frequency, infer
from seqcast.data.frames.stamps import Stamps, from_utc, from_wall_clock, wall_clock
from seqcast.data.series import starts_of
from seqcast.errors import DataError, Option, Phrase, Row
from seqcast.specs import Columns

Array = npt.NDArray[Any]

_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}  # nanoseconds


class Grid:
    """The stamps of a frequency between the first and the last of some stamps, numbered.

    Steps of a clock are counted in UTC, days and longer steps on the wall clock. A series is on the grid when its
    numbers differ by multiples of `step` and the rest (the time of day, say) is the same in all of its rows.

    Args:
        frequency: The step.
        stamps: An index that holds the stamps to be numbered.

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
        kind = "" if self.is_integer else type(offset).__name__
        self.clock = kind in CLOCK
        self.marks: Stamps = None  # the days of a calendar's steps
        if self.is_integer:
            self.step, self.tick = offset, 1
            return
        self.unit = stamps.unit
        if self.clock:
            if offset.nanos % _UNITS[self.unit]:
                self.unit = "ns"
            self.step, self.tick = offset.nanos // _UNITS[self.unit], 1
            return
        self.step = offset.n
        self.tick = 86_400_000_000_000 // _UNITS[self.unit]
        if kind == "Day":
            return
        local = wall_clock(stamps)
        if kind.endswith("BusinessHour"):  # the only calendar with several steps a day
            self.tick = 1
            self.marks = self._marks(local.min(), local.max(), offset)
        else:
            self.marks = self._marks(local.min().normalize(), local.max().normalize(), offset)

    def _marks(self, start: Any, end: Any, offset: Any) -> Array:
        import pandas as pd

        marks = pd.date_range(start, end, freq=offset.base).as_unit(self.unit)
        return np.asarray(marks.asi8 // self.tick)

    def numbers(self, stamps: Stamps) -> tuple[Array, Array]:
        """Return the number of each stamp, and what it has beyond a whole number of steps.

        Args:
            stamps: An index of the same kind, between the grid's first and last stamp, all of them possible for the
                frequency (see `Frequency.off_grid`).
        """
        if self.is_integer:
            return stamps.to_numpy().astype(np.int64), np.zeros(len(stamps), dtype=np.int64)
        if self.clock:
            return stamps.as_unit(self.unit).asi8, np.zeros(len(stamps), dtype=np.int64)
        ticks = wall_clock(stamps).as_unit(self.unit).asi8
        numbers, rests = np.divmod(ticks, self.tick)
        if self.marks is not None:
            numbers = np.searchsorted(self.marks, numbers)
        return numbers, rests

    def stamps(self, numbers: Array, rests: Array) -> Stamps:
        """Return the stamps of some numbers, with the rests given: the inverse of `numbers`."""
        import pandas as pd

        if self.is_integer:
            return pd.Index(numbers)
        if self.clock:
            index = pd.DatetimeIndex(numbers.view(f"M8[{self.unit}]"))
            return from_utc(index, self.zone)
        places = numbers if self.marks is None else self.marks[numbers]
        index = pd.DatetimeIndex((places * self.tick + rests).astype(np.int64).view(f"M8[{self.unit}]"))
        return from_wall_clock(index, self.zone)


_OR_IRREGULAR = ("; for series without a step there is ", Option("irregular", True), ".")

# A series that would grow by more than this factor has another frequency, or a stamp of another century in it. Very
# short ones may grow to so many times FEW_ROWS.
MOST_GROWTH, FEW_ROWS = 200, 50

# Number of series that are tried for the frequency, longest first.
SERIES_TRIED = 5


@dataclass(frozen=True)
class Completed:
    """Series with a row for every step.

    Args:
        places: New place of each row.
        ends: New end of each series.
        stamps: Stamp of every row, new ones too.
    """

    places: Array
    ends: Array
    stamps: Stamps


@dataclass(frozen=True)
class SortedRows:
    """Stamps of rows that are sorted by series and, within one, in their given order.

    Args:
        ids: Names of the series.
        ends: End of each series, `[number of series]`.
        stamps: Stamp of each row.
        order: Place of each row in the frame; -1 for rows that were not in it.
        columns: Names of the frame's columns.
        option: The argument that the frame came in by, if errors about columns name it.
    """

    ids: tuple[Any, ...]
    ends: Array
    stamps: Stamps
    order: Array
    columns: Columns
    option: str | None = None

    @cached_property
    def series(self) -> Array:
        """Number of each row's series."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))

    def error(self, column: str, place: int, *, expected: str, received: str, hint: str) -> DataError:
        """Build the error for a row.

        Args:
            column: The column that is at fault.
            place: Position of the row.
            expected: What was expected there.
            received: What came instead.
            hint: How to mend it.
        """
        row = int(self.order[place])
        return DataError(
            option=self.option,
            column=column,
            row=row if row >= 0 else None,
            series=self.ids[int(np.searchsorted(self.ends, place, side="right"))],
            expected=expected,
            received=received,
            hint=hint,
        )

    def _later(self) -> Array:
        """Return the places of rows that have a row of the same series before them."""
        later = np.ones(len(self.stamps), dtype=bool)
        later[starts_of(self.ends)] = False
        return np.flatnonzero(later)

    def check_increasing(self) -> None:
        """Refuse duplicates and stamps that go back.

        Raises:
            DataError: A row's stamp does not come after the one before it.
        """
        ticks = self.stamps.to_numpy() if self.stamps.dtype.kind in "iu" else self.stamps.asi8
        places = self._later()
        back = ticks[places] <= ticks[places - 1]
        if back.any():
            raise self.first_error(places[back].tolist(), self._not_increasing)

    def _not_increasing(self, place: int) -> DataError:
        """Build the error for a stamp that is not after the one before it."""
        before = (f"{self.stamps[place - 1]} (", Row(int(self.order[place - 1])), ")")
        key = f'["{self.columns.unique_id}", "{self.columns.ds}"]'
        expected = Phrase("stamps that increase, after ", *before)
        received = str(self.stamps[place])
        sort = f"Sort the rows: df.sort_values({key}) in pandas, df.sort({key}) in Polars."
        hint = Phrase(sort, remedy="sort")
        if self._may_be_twice(place):
            received += ", perhaps in the hour that clocks show twice when summer time ends"
            zone = Option("columns.tz", "Europe/Berlin")
            hint = Phrase("Give the time zone, such as ", zone, ", or write times with their offset from UTC.")
        elif self.stamps[place] == self.stamps[place - 1]:
            expected, received = Phrase("a stamp after ", *before), f"the duplicate {received}"
            add = f"Drop it or add the two up: df.drop_duplicates({key}) or df.groupby({key}) in pandas, "
            hint = Phrase(f"{add}df.unique({key}) or df.group_by({key}) in Polars.", remedy="deduplicate")
        return self.error(self.columns.ds, place, expected=expected, received=received, hint=hint)

    def first_error(self, places: Sequence[int], at: Callable[[int], DataError]) -> DataError:
        """Return the error for the first of some rows, which knows the first of each series.

        Args:
            places: Positions of the rows, in order.
            at: Builds the error for a row.
        """
        owners = np.searchsorted(self.ends, places, side="right")
        return DataError.first_of(places, [self.ids[owner] for owner in owners], at)

    def _may_be_twice(self, place: int) -> bool:
        """Return whether a stamp that does not increase is in a night in which summer time may end.

        That is a Sunday before four o'clock in autumn: September to November in the north, March or April in the south.
        """
        if self.stamps.dtype.kind in "iu" or self.stamps.tz is not None:
            return False
        stamp, before = self.stamps[place], self.stamps[place - 1]
        ends = stamp.weekday() == 6 and stamp.hour < 4 and stamp.month in (3, 4, 9, 10, 11)
        after_midnight = (stamp.hour, stamp.minute) != (0, 0)
        return bool(ends and after_midnight and (before - stamp).total_seconds() <= 3600)

    def infer(self, *, gaps: bool) -> Frequency:
        """Infer the frequency from the longest series.

        Raises:
            DataError: No frequency can be inferred.
        """
        starts = starts_of(self.ends)
        longest = np.argsort(starts - self.ends, kind="stable")[: SERIES_TRIED if gaps else 1]
        errors = []
        for series in longest.tolist():
            stretch = slice(int(starts[series]), int(self.ends[series]))
            try:
                return infer(
                    self.stamps[stretch], self.columns.ds, gaps=gaps, series=self.ids[series], option=self.option
                )
            except DataError as error:
                errors.append(error)
        raise errors[0]

    def completed(self, frequency: Frequency, *, fill: bool) -> Completed | None:
        """Check each row against the row before it, and find the rows that are missing.

        Args:
            frequency: The step.
            fill: Whether rows may be missing.

        Returns:
            The series with a row for every step; `None` when none is missing.

        Raises:
            DataError: A stamp is not on the frequency's grid, or a step is missing and may not be.
        """
        import pandas as pd

        # Series share their stamps, so each stamp that differs is computed once.
        codes, unique = pd.factorize(self.stamps)
        self._check_possible(frequency, frequency.off_grid(unique)[codes])
        grid = Grid(frequency, unique)
        numbers, rests = (part[codes] for part in grid.numbers(unique))
        starts, places = starts_of(self.ends), self._later()
        steps = numbers[places] - numbers[places - 1]
        off_grid = (steps % grid.step != 0) | self._of_another_time(grid, numbers, rests)[places]
        gap = steps > grid.step
        self._check_steps(frequency, places, off_grid | gap & (not fill), fill)
        if not gap.any():
            return None
        series = self.series
        since = (numbers - numbers[starts][series]) // grid.step
        counts = since[self.ends - 1] + 1
        self._check_growth(counts, frequency)
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(ends)), counts)
        steps = np.arange(ends[-1]) - starts_of(ends)[owner]
        stamps = grid.stamps(numbers[starts][owner] + grid.step * steps, rests[starts][owner])
        return Completed(starts_of(ends)[series] + since, ends, stamps)

    def _of_another_time(self, grid: Grid, numbers: Array, rests: Array) -> Array:
        """Return which rows are off the time of day of their series, except where the clock is put forward."""
        usual = rests[starts_of(self.ends)][self.series]
        differs = np.asarray(rests != usual)
        odd = np.flatnonzero(differs)
        if len(odd):
            differs[odd] = np.asarray(grid.stamps(numbers[odd], usual[odd]) != self.stamps[odd])
        return differs

    def _check_possible(self, frequency: Frequency, off: Array) -> None:
        if off.any():
            hint = Phrase("Give the series' own ", Option("freq"), ", or move the stamps.")
            expected = f"a stamp of {_frequency_text(frequency)}"
            raise self.first_error(
                np.flatnonzero(off).tolist(),
                lambda place: self.error(
                    self.columns.ds, place, expected=expected, received=str(self.stamps[place]), hint=hint
                ),
            )

    def _check_steps(self, frequency: Frequency, places: Array, invalid: Array, fill: bool) -> None:
        if invalid.any():
            later = ", or whole steps later" if fill else ""

            def at(place: int) -> DataError:
                last, at_freq = self.stamps[place - 1], _frequency_text(frequency)
                expected = frequency.after(self.stamps[place - 1 : place], 1)[0]
                return self.error(
                    self.columns.ds,
                    place,
                    expected=f"{expected}, a step after {last} at {at_freq}{later}",
                    received=str(self.stamps[place]),
                    hint=self._step_hint(fill),
                )

            raise self.first_error(places[invalid].tolist(), at)

    def _step_hint(self, fill: bool) -> Phrase:
        if fill:
            return Phrase("Move the stamp or give ", Option("freq"), ", if the step is another", *_OR_IRREGULAR)
        return Phrase(
            "Fill the gap (utilsforecast.preprocessing.fill_gaps adds the rows, then interpolate "
            f"{', '.join(self.columns.targets)}), drop the row, or take ",
            Option("missing", "fill"),
            "; or give ",
            Option("freq"),
            ", if the step is another.",
            remedy="fill",
        )

    def _check_growth(self, counts: Array, frequency: Frequency) -> None:
        rows = np.diff(self.ends, prepend=0)
        most = MOST_GROWTH * np.maximum(rows, FEW_ROWS)
        excess = np.flatnonzero(counts > most)
        if not len(excess):
            return

        def at(series: int) -> DataError:
            return DataError(
                option=self.option,
                column=self.columns.ds,
                series=self.ids[series],
                expected=f"at most {most[series]} steps from its first row to its last",
                received=f"{rows[series]} rows over {counts[series]} steps at {_frequency_text(frequency)}",
                hint=Phrase("Give the series' own ", Option("freq"), ", or check the stamps", *_OR_IRREGULAR),
            )

        worst = excess[np.argsort(-(counts / most)[excess], kind="stable")].tolist()
        raise DataError.first_of(worst, [self.ids[series] for series in worst], at)


def _frequency_text(frequency: Frequency) -> str:
    return f"freq {frequency.name!r}" + (", which was inferred" if frequency.inferred else "")
