"""The grid of a frequency: its stamps, numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import CLOCK, Frequency
from seqcast.data.frames.stamps import Stamps, from_utc, from_wall_clock, wall_clock

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
