"""Profiles of the columns of a table: what the values of a column say of it, computed once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from seqcast.data.frames import is_text
from seqcast.tables.dates import (
    READ_AS_TIMES,
    YEARS,
    as_times,
    is_clock,
    is_time,
    seconds,
    unevenness,
)
from seqcast.tables.layouts import join_times, months_of, quarters_of
from seqcast.tables.number_marks import holds_numbers

# Rows that profiles read.
ROWS_PROFILED = 5_000
# Rows among which a time is looked for that a series has twice.
ROWS_COMPARED = 200_000
# Numbers since 1970 are larger: seconds from 1973 on. Smaller ones are steps.
_SINCE_1970 = 10**8
# Fewest steps of a column that numbers rows.
FEWEST_STEPS = 6
# The fraction of steps of one among them.
_MOSTLY_ONE = 0.9
# A column of more rows than this has two codes at least if it is a flag.
_MANY_ROWS = 20
# Most different whole numbers of codes, such as those of quality.
_MOST_CODES = 4
# The fewest rows for each of them.
_ROWS_OF_A_CODE = 20
# First and last of whole numbers within a day.
_HOURS_OF_A_DAY = ((0, 23), (1, 24))
# First and last of whole numbers within a year.
_PARTS_OF_A_YEAR = ((1, 12), (1, 52), (1, 53))
# Numbers that a calendar gives to times, next to weeks.
_CALENDAR = ("year", "quarter", "month", "day", "dayofyear", "dayofweek", "hour")


@dataclass(frozen=True)
class ColumnProfile:
    """What the values of a column say of it.

    Args:
        name: The column's name.
        values: Its first values, a pandas Series.
        is_known: Whether the whole column has any value.
    """

    name: str
    values: pd.Series
    is_known: bool

    @cached_property
    def is_number(self) -> bool:
        """Whether it holds numbers, or text of which a few words are none."""
        return self.is_known and holds_numbers(self.values)

    @cached_property
    def is_time(self) -> bool:
        """Whether it holds times; those of the day alone are none."""
        return self.is_known and not self.is_number and is_time(self.values)

    @cached_property
    def is_clock(self) -> bool:
        """Whether it holds times of the day, or since a beginning."""
        return is_clock(self.values) and bool(self.values.notna().any())

    @cached_property
    def distinct(self) -> int:
        """Number of different values."""
        return int(self.values.nunique())

    @cached_property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.values.dtype.kind in "iuf" and bool((self.values.dropna() % 1 == 0).all())

    @cached_property
    def is_complete(self) -> bool:
        """Whether it holds whole numbers and no value is missing."""
        return self.is_number and self.is_whole and bool(self.values.notna().all())

    @cached_property
    def span(self) -> tuple[float, float]:
        """Its smallest and largest number."""
        return float(self.values.min()), float(self.values.max())

    @cached_property
    def steps(self) -> pd.Series:
        """Differences of its numbers from row to row."""
        return self.values.diff()[1:]

    @cached_property
    def is_flag(self) -> bool:
        """Whether its numbers are all the same, yes and no, or one of two codes."""
        few = 2 if len(self.values) > _MANY_ROWS else 1
        is_few = self.distinct <= few or bool(self.values.dropna().isin((0, 1)).all())
        return self.values.dtype.kind in "iuf" and is_few

    @cached_property
    def is_code(self) -> bool:
        """Whether it holds a few whole numbers again and again, as codes do, not all from 0 on."""
        is_few = self.distinct <= min(_MOST_CODES, len(self.values) // _ROWS_OF_A_CODE)
        return self.is_whole and is_few and self.span[1] > self.distinct

    @cached_property
    def are_years(self) -> bool:
        """Whether it holds whole numbers that may be years."""
        return self.is_complete and YEARS[0] <= self.span[0] and self.span[1] <= YEARS[1]

    @cached_property
    def goes_round_days(self) -> bool:
        """Whether it counts the hours of days, and begins again."""
        return self._goes_round(_HOURS_OF_A_DAY)

    @cached_property
    def goes_round_years(self) -> bool:
        """Whether it counts the months or weeks of years, and begins again."""
        return self._goes_round(_PARTS_OF_A_YEAR)

    @cached_property
    def is_month(self) -> bool:
        """Whether it holds months in words."""
        return months_of(self.values.dropna()) is not None

    @cached_property
    def is_quarter(self) -> bool:
        """Whether it holds quarters as they are written: Q1, II."""
        return not self.is_number and quarters_of(self.values.dropna()) is not None

    @cached_property
    def has_years(self) -> bool:
        """Whether it holds text in which years are, as in times of an unknown format."""
        if not is_text(self.values) or not self.is_known or self.distinct <= 2:
            return False
        years = self.values.dropna().astype("str").str.contains(r"(?<!\d)(?:19|20)\d\d(?!\d)")
        return float(years.mean()) >= READ_AS_TIMES

    @cached_property
    def has_digits(self) -> bool:
        """Whether it holds text with two digits at least."""
        return not self.is_number and float(self.values.astype("str").str.count(r"\d").median()) > 1

    @cached_property
    def unevenness(self) -> float:
        """How much longer its longest step is than its shortest one, as for durations."""
        return unevenness(seconds(self.values) if is_text(self.values) else self.values)

    @cached_property
    def size(self) -> float:
        """Mean magnitude of its numbers."""
        return float(pd.to_numeric(self.values, errors="coerce").abs().mean())

    def counts(self, *, is_named: bool) -> bool:
        """Return whether most numbers are one more than the one before, or in equal steps.

        Args:
            is_named: Whether the name is one for times, so that other steps than one count.
        """
        grows = (self.steps > 0).mean() > 0.5
        runs = int((self.steps < 0).sum()) + 1
        if runs > 1 and len(self.values) / runs < FEWEST_STEPS:
            return False

        step = self.steps.median() if is_named or self.span[0] > _SINCE_1970 else 1
        return bool(self.is_complete and grows and step > 0 and (self.steps == step).mean() > 0.5)

    def numbers_rows(self, steps: pd.Series) -> bool:
        """Return whether whole numbers go up by ones, as numbers of rows, days or documents do.

        Args:
            steps: The differences within each series.
        """
        is_long = self.is_whole and steps.count() >= FEWEST_STEPS
        return is_long and bool((steps.dropna() == 1).mean() > _MOSTLY_ONE)

    def _goes_round(self, spans: Sequence[tuple[int, int]]) -> bool:
        if not self.is_complete or self.span not in spans:
            return False

        first, last = self.span
        begins_again = bool((self.steps == first - last).any())
        return begins_again and bool(self.steps.isin((0, 1, first - last)).mean() > READ_AS_TIMES)


@dataclass(frozen=True)
class TableProfile:
    """The profiles of the columns of a table.

    Args:
        table: The table, a pandas frame.
    """

    table: pd.DataFrame

    @cached_property
    def head(self) -> pd.DataFrame:
        """The rows that are profiled."""
        return self.table.head(ROWS_PROFILED)

    @cached_property
    def columns(self) -> dict[str, ColumnProfile]:
        """The profile of each column, by its name."""
        known = self.table.notna().any()
        return {
            str(name): ColumnProfile(str(name), self.head[name], bool(known[name]))
            for name in self.table.columns
        }

    @cached_property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        return [name for name, column in self.columns.items() if column.is_number]

    @cached_property
    def words(self) -> list[str]:
        """The columns that hold something else."""
        return [
            name
            for name, column in self.columns.items()
            if column.is_known and not column.is_number
        ]

    @cached_property
    def digits(self) -> pd.DataFrame:
        """The columns of numbers as such, a pandas frame."""
        digits: pd.DataFrame = self.head[self.numbers].apply(pd.to_numeric, errors="coerce")
        return digits

    def repeated(self, keys: Sequence[str]) -> float:
        """Return the fraction of rows that have the same keys as an earlier one.

        Args:
            keys: Names of columns.
        """
        return float(self.table.head(ROWS_COMPARED).duplicated(list(keys)).mean())

    def distinct(self, name: str) -> int:
        """Return the number of different values among the rows that are compared.

        Args:
            name: Name of a column.
        """
        return int(self.table[name].head(ROWS_COMPARED).nunique())

    def calendar_columns(self, time: Sequence[str]) -> list[str]:
        """Return the columns whose numbers a calendar gives to the times: weeks, days, hours.

        Args:
            time: The columns of the times.
        """
        times = as_times(join_times(self.head, ",".join(time)))
        if times.dtype.kind != "M":
            return []

        weeks = times.dt.isocalendar().week.astype("float64")
        fields = (weeks, *(getattr(times.dt, name) for name in _CALENDAR))
        again = [field for field in fields if field.nunique() < times.nunique()]
        return [
            name
            for name in self.numbers
            if any(_counts_as(self.digits[name], field) for field in again)
        ]


def _counts_as(numbers: pd.Series, field: pd.Series) -> bool:
    """Return whether numbers are those of a field of the calendar, which counts from 0 or 1 on."""
    # Most columns begin otherwise.
    if not abs(numbers.iloc[0] - field.iloc[0]) <= 1:
        return False
    return numbers.nunique() > 1 and (numbers - field).nunique() == 1


def are_alike(names: Sequence[str]) -> bool:
    """Return whether names are many, differ in a number alone, or are codes of one length.

    Args:
        names: Names of columns.

    Example:
        >>> are_alike(["T1", "T2"]), are_alike(["USD", "JPY"]), are_alike(["sold", "stock"])
        (True, True, False)
    """
    codes = {len(name) if re.fullmatch("[A-Z]{2,4}", name) else 0 for name in names}
    stems = {re.sub(r"\d+", "", name) for name in names}
    return len(names) > _MANY_ROWS or len(stems) == 1 or codes in ({2}, {3}, {4})
