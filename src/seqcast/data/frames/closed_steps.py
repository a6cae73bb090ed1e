"""Steps at which series have no rows as a rule, such as the Sundays of a shop."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from seqcast.data.frames.frequency import Frequency
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.stamps import Stamps, wall_clock
from seqcast.runtime import Array

_SECONDS_A_DAY = 86_400
# Kinds of steps that fall on one day of the week.
_DAYS = ("Day", "BusinessDay")


@dataclass(frozen=True)
class ClosedSteps:
    """The gaps of the past of series, by which gaps of their future are recognised.

    A kind of step, such as Sundays or the hour from 22:00, is closed for a series whose past has at
    least two such steps, and a row at none of them. Other gaps are holidays.

    Args:
        frequency: The step of the series.
        owner: Number of the series of each past step, `[rows]`.
        stamps: Stamp of each past step.
        gap: Whether it has no row, `[rows]`.
    """

    frequency: Frequency
    owner: Array
    stamps: Stamps
    gap: Array

    @classmethod
    def of(cls, frame: LongFrame, frequency: Frequency) -> Self:
        """Return those of the steps of a frame; series without any row have none.

        Args:
            frame: The series, with a row for each step; all values of a gap are missing.
            frequency: The step of the series.
        """
        owner = frame.source.owner
        gap = np.asarray(np.isnan(frame.source.values).all(axis=1))
        counts = np.bincount(owner[~gap], minlength=len(frame.source))
        known = counts[owner] > 0
        return cls(frequency, owner[known], frame.stamps[known], gap[known])

    def find(self, stamps: Stamps, absent: Array, ends: Array) -> Array:
        """Return which steps without a row in a future table are closed or holidays, `[series, H]`.

        Holidays are at most as many in turn as in the past of their series, and the table has later
        rows.

        Args:
            stamps: `H` stamps of each series, series after series.
            absent: Which of them have no row in the table, `[series, H]`.
            ends: Which of them come after the last row of their series in the table, `[series, H]`.
        """
        count, horizon = absent.shape
        owner = np.repeat(np.arange(count), horizon)
        gap = absent.ravel()
        closed = self._closed(owner, stamps)

        # Holidays of the past are gaps at steps that are open as a rule.
        is_open = ~self._closed(self.owner, self.stamps)
        past_owner = self.owner[is_open]
        most = np.zeros(count)
        np.maximum.at(most, past_owner, _runs(past_owner, self.gap[is_open]))

        runs = np.zeros(len(owner))
        runs[~closed] = _runs(owner[~closed], gap[~closed])
        holidays = (runs <= most[owner]) & ~ends.ravel()
        return np.asarray(gap & (closed | holidays)).reshape(count, horizon)

    def _closed(self, owner: Array, stamps: Stamps) -> Array:
        """Return which steps are of a kind at which the past of their series never has a row."""
        closed = np.zeros(len(owner), dtype=bool)
        past_kinds = _kinds(self.frequency, self.stamps)
        for past, kind in zip(past_kinds, _kinds(self.frequency, stamps), strict=True):
            keys = pd.MultiIndex.from_arrays([owner, kind])
            before = pd.MultiIndex.from_arrays([self.owner, past])
            gaps = before[self.gap]
            # A single gap may be chance.
            closed |= keys.isin(gaps[gaps.duplicated()]) & ~keys.isin(before[~self.gap])
        return closed


def _kinds(frequency: Frequency, stamps: Stamps) -> list[Array]:
    """Return the kinds of steps that may be closed, a number for each step; none beyond days."""
    if not frequency.is_clock and frequency.kind not in _DAYS:
        return []

    local = wall_clock(stamps)
    weekday = np.asarray(local.dayofweek)
    if not frequency.is_clock:
        return [weekday]
    time = np.asarray((local - local.normalize()).total_seconds())
    return [weekday, time, weekday * _SECONDS_A_DAY + time]


def _runs(owner: Array, gap: Array) -> Array:
    """Return the number of gaps in turn that each gap of a series is one of, 0 for rows.

    Example:
        >>> _runs(np.array([0, 0, 0, 1, 1]), np.array([True, True, False, True, False])).tolist()
        [2, 2, 0, 1, 0]
    """
    is_first = np.ones(len(gap), dtype=bool)
    is_first[1:] = ~gap[1:] | ~gap[:-1] | (owner[1:] != owner[:-1])
    run = np.cumsum(is_first)
    return np.asarray(np.bincount(run[gap], minlength=len(gap) + 1)[run] * gap)
