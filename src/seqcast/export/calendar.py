"""Calendar features of time stamps, see `seqcast.data.features.calendar`.

Stamps are seconds since 1970 on the wall clock, in double precision, which holds them exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from seqcast.data.features import CALENDAR_FEATURES
from seqcast.export.graph import ZERO, Graph

DAY = 86_400
# From January on, where it is no leap year.
DAYS_IN_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.float64)


def is_cyclic(names: Sequence[str]) -> bool:
    """Tell whether features are cycles alone, which stamps say; holidays are not.

    Example:
        >>> is_cyclic(("day_of_week",)), is_cyclic(("day_of_week", "holidays:DE"))
        (True, False)
    """
    return set(names) <= set(CALENDAR_FEATURES)


def calendar_features(graph: Graph, stamps: str, names: Sequence[str]) -> str:
    """Return the sine and the cosine of cycles.

    Args:
        graph: The graph.
        stamps: Stamps, `[B, T]`.
        names: Names of the cycles.

    Returns:
        The features, `[B, T, 2 · cycles]`, in single precision.
    """
    with graph.scope("calendar"):
        clock, columns = _Clock(graph, stamps), []
        for name in names:
            phase = graph("Mul", getattr(clock, name)(), np.float64(2 * np.pi))
            # The cosine is the sine a quarter later.
            columns += [graph("Sin", phase), graph("Sin", graph("Add", phase, np.float64(np.pi / 2)))]
        return graph.cast(graph.concat([graph.unsqueeze(column, 2) for column in columns], 2), np.float32)


class _Clock:
    """What a clock and a calendar show; the phase of each cycle, from 0 up to 1.

    Source of the dates: Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    """

    def __init__(self, graph: Graph, stamps: str) -> None:
        self.graph, self.stamps = graph, stamps

    def _whole(self, x: str, divisor: float) -> str:
        """Return the whole part of a quotient."""
        return self.graph("Floor", self.graph("Div", x, np.float64(divisor)))

    def _rest(self, x: str, divisor: float) -> str:
        """Return what is left by a division."""
        return self.graph("Sub", x, self.graph("Mul", self._whole(x, divisor), np.float64(divisor)))

    def _sum(self, *parts: str | np.float64) -> str:
        total = parts[0]
        for part in parts[1:]:
            total = self.graph("Add", total, part)
        return self.graph.value(total)

    def _times(self, x: str, factor: float) -> str:
        return self.graph("Mul", x, np.float64(factor))

    @cached_property
    def days(self) -> str:
        """Days since 1970."""
        return self._whole(self.stamps, DAY)

    @cached_property
    def year_and_day(self) -> tuple[str, str]:
        """The year that begins in March, and the day of it, from 0."""
        since = self._sum(self.days, np.float64(719_468))
        era = self._whole(since, 146_097)
        day = self._rest(since, 146_097)
        year = self._sum(
            day,
            self._times(self._whole(day, 1460), -1),
            self._whole(day, 36_524),
            self._times(self._whole(day, 146_096), -1),
        )
        year = self._whole(year, 365)
        before = self._sum(self._times(year, 365), self._whole(year, 4), self._times(self._whole(year, 100), -1))
        return self._sum(year, self._times(era, 400)), self.graph("Sub", day, before)

    @cached_property
    def month(self) -> str:
        """The month, from 0 for March."""
        return self._whole(self._sum(self._times(self.year_and_day[1], 5), np.float64(2)), 153)

    @cached_property
    def is_late(self) -> str:
        """Whether it is January or February."""
        return self.graph("GreaterOrEqual", self.month, np.float64(10))

    @cached_property
    def leap(self) -> str:
        """1 in a leap year."""
        g = self.graph
        year = self._sum(self.year_and_day[0], g.cast(self.is_late, np.float64))
        fourth, hundredth, whole = (g("Equal", self._rest(year, each), ZERO) for each in (4, 100, 400))
        return g.cast(g("Or", whole, g("And", fourth, g("Not", hundredth))), np.float64)

    def minute_of_hour(self) -> str:
        """Return the part of the hour."""
        return self._times(self._rest(self.stamps, 3600), 1 / 3600)

    def hour_of_day(self) -> str:
        """Return the part of the day."""
        return self._times(self._rest(self.stamps, DAY), 1 / DAY)

    def day_of_week(self) -> str:
        """Return the part of the week that is over at the beginning of the day; Monday is 0."""
        return self._times(self._rest(self._sum(self.days, np.float64(3)), 7), 1 / 7)

    def day_of_month(self) -> str:
        """Return the part of the month that is over at the beginning of the day."""
        g = self.graph
        before = self._whole(self._sum(self._times(self.month, 153), np.float64(2)), 5)
        day = g("Sub", self.year_and_day[1], before)
        lengths = np.roll(DAYS_IN_MONTH, -2)
        length = g.take(lengths, g.cast(self.month, np.int64), 0)
        february = g.cast(g("Equal", self.month, np.float64(11)), np.float64)
        return g("Div", day, self._sum(length, g("Mul", february, self.leap)))

    def day_of_year(self) -> str:
        """Return the part of the year that is over at the beginning of the day."""
        g, day = self.graph, self.year_and_day[1]
        early = self._sum(day, np.float64(59), self.leap)
        day = g("Where", self.is_late, self._sum(day, np.float64(-306)), early)
        return g("Div", day, self._sum(self.leap, np.float64(365)))

    def month_of_year(self) -> str:
        """Return the part of the year that is over at the beginning of the month."""
        return self._times(self._rest(self._sum(self.month, np.float64(2)), 12), 1 / 12)
