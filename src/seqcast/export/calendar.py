"""Calendar features as operators, see `seqcast.data.features.calendar`.

Stamps are seconds since 1970 on the wall clock, in double precision, which holds them exactly. Days
are whole numbers: ONNX has their remainder, and their quotient unless they are negative.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from seqcast.data.features import CALENDAR_FEATURES
from seqcast.export.operators import Array, apply, ndx, op, over, reshape

# Seconds.
DAY = 86_400
# From March to February, in a common year.
DAYS_IN_MONTH = np.array([31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28])


def is_cyclic(names: Sequence[str]) -> bool:
    """Return whether all features are cycles, which follow from stamps; holidays do not.

    Args:
        names: Names of the features.

    Example:
        >>> is_cyclic(("day_of_week",)), is_cyclic(("day_of_week", "holidays:DE"))
        (True, False)
    """
    return set(names) <= set(CALENDAR_FEATURES)


def calendar_features(stamps: Array, names: Sequence[str]) -> Array:
    """Return the sine and the cosine of cycles, `[B, T, 2 · cycles]`, in single precision.

    Args:
        stamps: Stamps, `[B, T]`.
        names: Names of the cycles.
    """
    clock = _Clock(stamps)
    phases = 2 * np.pi * ndx.stack([getattr(clock, name)() for name in names], axis=2)
    # The cosine is the sine a quarter later.
    both = phases[..., None] + np.array([0.0, np.pi / 2])
    return ndx.astype(ndx.sin(reshape(both, 0, 0, 2 * len(names))), ndx.float32)


class _Clock:
    """The time and the date of stamps, and the phase of each cycle, from 0 up to 1.

    Source of the dates: Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    """

    def __init__(self, stamps: Array) -> None:
        self.stamps = stamps
        self.whole_days = ndx.floor(stamps / DAY)
        self.days = ndx.astype(self.whole_days, ndx.int64)

    @cached_property
    def year_and_day(self) -> tuple[Array, Array]:
        """The year that begins in March, and the day of it, from 0."""
        since = self.days + 719_468
        day = since % 146_097
        year = over(day - over(day, 1460) + over(day, 36_524) - over(day, 146_096), 365)
        day_of_year = day - (365 * year + over(year, 4) - over(year, 100))
        return year + 400 * over(since, 146_097), day_of_year

    @cached_property
    def month(self) -> Array:
        """The month, from 0 for March."""
        return over(5 * self.year_and_day[1] + 2, 153)

    @cached_property
    def leap(self) -> Array:
        """1 in a leap year."""
        year = self.year_and_day[0] + ndx.astype(self.month >= 10, ndx.int64)
        fourth, hundredth, whole = (year % each == 0 for each in (4, 100, 400))
        return ndx.astype(whole | (fourth & ~hundredth), ndx.int64)

    def minute_of_hour(self) -> Array:
        """Return the fraction of the hour."""
        return (self.stamps - ndx.floor(self.stamps / 3600) * 3600) / 3600

    def hour_of_day(self) -> Array:
        """Return the fraction of the day."""
        return (self.stamps - self.whole_days * DAY) / DAY

    def day_of_week(self) -> Array:
        """Return the fraction of the week that is over at the beginning of the day; Monday is 0."""
        return (self.days + 3) % 7 / 7

    def day_of_month(self) -> Array:
        """Return the fraction of the month that is over at the beginning of the day."""
        day = self.year_and_day[1] - over(153 * self.month + 2, 5)
        length = apply(op.gather, ndx.asarray(DAYS_IN_MONTH), self.month)
        return day / (length + ndx.where(self.month == 11, self.leap, 0))

    def day_of_year(self) -> Array:
        """Return the fraction of the year that is over at the beginning of the day."""
        day = self.year_and_day[1]
        return ndx.where(self.month >= 10, day - 306, day + 59 + self.leap) / (365 + self.leap)

    def month_of_year(self) -> Array:
        """Return the fraction of the year that is over at the beginning of the month."""
        return (self.month + 2) % 12 / 12
