"""Readings of a table: which columns may be its times, series and values, with the evidence.

A reading has evidence, and its score is the sum of the weights of the evidence. All weights stand
in `WEIGHTS`, each with its reason. Readings that are less than `CLEARLY` behind the best one are
about as likely: the user chooses.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from seqcast.tables import vocabulary as words
from seqcast.tables.layouts import part_of_year
from seqcast.tables.profiles import ROWS_COMPARED, ColumnProfile, TableProfile, are_alike

# How far the best reading is ahead of others that are not asked for.
CLEARLY = 1.0
# Columns among which those are that name the series together.
MOST_KEYS = 6
# Most columns that name the series together.
_MOST_JOINED = 3
# Most rows that may have the time of another row of their series, as duplicates.
MOST_REPEATED = 0.05
# Most series that a number may name for each that has a row at a usual time; a value has more.
_MOST_ABSENT = 4.0
# Sizes of values that columns of the same thing have: the largest for the smallest.
_LIKE_SIZE = 20.0
# A unit in the name of a column.
_UNIT = re.compile(r"%|[(\[]([^()\[\]]*)[)\]]")
# Numbers of weeks of a year.
_WEEKS = 53


@dataclass(frozen=True)
class Weight:
    """A weight of evidence.

    Args:
        points: What it adds to a score, for one unit.
        reason: Why it has this size.
    """

    points: float
    reason: str


WEIGHTS = {
    # Times. The kinds are far apart, so a name never outweighs what the values are.
    "dates": Weight(20, "values that parse as dates are hardly ever anything else"),
    "a clock": Weight(
        16, "times of a day alone are times since a beginning, or how long something took"
    ),
    "text with years": Weight(
        12, "a column that is meant as dates ends in an error that names its cell"
    ),
    "a year and its part": Weight(
        10, "a year beside months, quarters or weeks: together they are dates"
    ),
    "numbers named as times": Weight(8, "a whole number in a column named `day` or `year`"),
    "counted steps": Weight(6, "whole numbers in equal steps, which also number rows"),
    "the name of a time": Weight(2, "among columns of one kind the name decides"),
    "repeats": Weight(-4, "a date with half as many values as another: of birth, of an order"),
    "finer": Weight(1, "a clock beside dates that repeat makes rows differ"),
    "uneven": Weight(
        -0.1, "for each factor e between the longest and the shortest step: durations are uneven"
    ),
    # Series.
    "shared keys": Weight(
        -20, "for all rows with the series and time of another row: they cannot be one series"
    ),
    "a key": Weight(-1, "the fewest columns that tell the series apart are the likeliest"),
    "the name of a series": Weight(
        0.5, "of two columns that tell series apart, such as a code and a name"
    ),
    "a key in words": Weight(0.3, "names of series are words more often than numbers"),
    "the one series": Weight(1.5, "a constant column named as a series names the only one"),
    "a time as a key": Weight(
        -25, "a second column of times names versions of a value, or a part of its time"
    ),
    # Values.
    "the usual name of a value": Weight(5, "`y`, `sales` or `demand` is what people forecast"),
    "the name of a value": Weight(
        3, "`orders` or `revenue` is forecast, or stands beside another value"
    ),
    "a price": Weight(1.5, "a price is forecast where it stands alone"),
    "beside a value": Weight(
        -3, "a price, a promotion, a plan or a field of the calendar explains a value"
    ),
    "measured": Weight(1.5, "what instruments measure explains a value, or is one itself"),
    "one of several instruments": Weight(
        1.2, "where nothing else is measured, none explains the others"
    ),
    "a flag": Weight(-6, "yes and no, or one number in all rows"),
    "an identifier": Weight(-4, "whole numbers called `id` or `code`, each in one row"),
    "numbers of rows": Weight(
        -8, "it counts rows, days or documents by ones, or is a field of the calendar"
    ),
    "constant in a series": Weight(-8, "a fact of the series, such as its capacity"),
    "no number": Weight(-10, "text, of which the error names a cell"),
    # A series in each column.
    "series alike": Weight(2, "columns of like names and sizes are series of one thing"),
}


@dataclass(frozen=True)
class Reading:
    """A reading of some columns.

    Args:
        columns: The columns; none for no such column.
        evidence: What speaks for and against it: units, by the names of weights.
        place: Number of the first column in the table; of equal readings the first one is taken.
    """

    columns: tuple[str, ...]
    evidence: Mapping[str, float] = field(default_factory=dict)
    place: int = 0

    @property
    def score(self) -> float:
        """The sum of the weights of its evidence.

        Example:
            >>> Reading(("day",), {"dates": 1, "repeats": 1}).score
            16
        """
        return sum(WEIGHTS[name].points * units for name, units in self.evidence.items())


def best_of(readings: Iterable[Reading]) -> Reading:
    """Return the reading with the highest score, the first of equal ones.

    Args:
        readings: The readings.
    """
    return max(readings, key=lambda reading: (reading.score, -reading.place))


# ---------------------------------------------------------------- times


def time_readings(table: TableProfile) -> list[Reading]:
    """Return what may be the times: a column, several together, or none.

    Args:
        table: The table.
    """
    dates = list[Reading]()
    others = list[Reading]()
    for place, column in enumerate(table.columns.values()):
        kind = _kind_of_time(table, column)
        if kind is not None:
            rank = words.TIMES.rank(column.name)
            named = 0.0 if rank is None else 1 - rank / (4 * len(words.TIMES.listed))
            reading = Reading((column.name,), {kind: 1, "the name of a time": named}, place)
            if kind == "dates":
                dates.append(reading)
            else:
                others.append(reading)

    distinct = [table.columns[date.columns[0]].distinct for date in dates]
    dates = [
        _with(date, "repeats", 2 * count <= max(distinct))
        for date, count in zip(dates, distinct, strict=True)
    ]
    dates += _years_and_parts(table)
    with_clocks = [joined for date in dates for joined in _with_clocks(table, date)]
    return [Reading(()), *others, *dates, *with_clocks]


def _kind_of_time(table: TableProfile, column: ColumnProfile) -> str | None:
    """Return the evidence that a column has the times; `None` if there is none."""
    if column.is_time:
        return "dates"
    if column.is_clock:
        return "a clock"
    if column.has_years or (column.has_digits and words.TIMES.is_name(column.name)):
        return "text with years"
    if column.is_number and words.TIMES.is_name(column.name) and not column.values.notna().all():
        # A date that is missing is an error that names its row.
        return "numbers named as times"
    if not column.is_complete:
        return None

    is_named = words.TIMES.occur_in(column.name)
    may_be_year = column.are_years and (is_named or words.YEARS.occur_in(column.name))
    if words.TIMES.is_name(column.name) or may_be_year:
        return "numbers named as times"
    return "counted steps" if len(table.numbers) > 1 and column.counts(is_named=is_named) else None


def _with_clocks(table: TableProfile, date: Reading) -> Iterator[Reading]:
    """Return dates together with a column of clocks or hours that makes rows differ."""
    repeated = table.repeated(date.columns)
    if repeated == 0:
        return
    for column in table.columns.values():
        is_hour = column.is_number and column.is_whole and words.HOURS.occur_in(column.name)
        is_clock = column.is_clock or is_hour or column.goes_round_days
        if column.name in date.columns or not is_clock:
            continue

        joined = (*date.columns, column.name)
        if table.repeated(joined) < repeated:
            reading = Reading(joined, date.evidence, date.place)
            reading = _with(reading, "finer", date.evidence.get("finer", 0) + 1)
            reading = _with(reading, "uneven", math.log(column.unevenness))
            yield _with(reading, "a clock", column.is_clock)


def _years_and_parts(table: TableProfile) -> Iterator[Reading]:
    """Return years together with columns of months, quarters or weeks, and perhaps of days."""
    years = [name for name, column in table.columns.items() if column.are_years]
    if not years:
        return
    named_years = words.YEARS.ranked(years)
    year = next(iter(named_years), years[0])

    for place, column in enumerate(table.columns.values()):
        # A month in words needs no name beside a year, and gives the year its meaning.
        is_part = _is_part_of_year(column) if named_years else column.is_month
        if column.name == year or not is_part:
            continue

        named = column.is_month or words.PARTS_OF_YEARS.occur_in(column.name)
        is_month = column.is_month or (
            not column.is_quarter and part_of_year(column.values) == "month"
        )
        day: list[str] = []
        if is_month:
            complete = [name for name, each in table.columns.items() if each.is_complete]
            days = words.DAYS.ranked(complete)
            day = [name for name in days if name not in (year, column.name)][:1]
        evidence = {"a year and its part": 1, "the name of a time": named, "finer": len(day)}
        yield Reading((year, column.name, *day), evidence, place)


def _is_part_of_year(column: ColumnProfile) -> bool:
    """Return whether a column may hold months, quarters or weeks."""
    if column.is_month or column.goes_round_years:
        return True
    is_inside = column.is_complete and column.span[0] >= 1 and column.span[1] <= _WEEKS
    return (is_inside or column.is_quarter) and words.PARTS_OF_YEARS.occur_in(column.name)


# ---------------------------------------------------------------- series


def series_readings(
    table: TableProfile, time: Sequence[str], others: Sequence[str]
) -> list[Reading]:
    """Return which columns may name the series: none, one, or the fewest that have no time twice.

    Args:
        table: The table.
        time: The columns of the times.
        others: The columns that may name series.
    """
    named = words.SERIES.ranked(others)
    if not time:
        named = [name for name in named if name not in table.numbers and _repeats(table, name)]
        return [Reading(()), *(Reading((name,), {"the one series": 1}, -1) for name in named[:1])]

    repeated = table.repeated(time)
    none = Reading((), {"shared keys": repeated}, -1)
    if repeated == 0:
        named = [name for name in named if table.distinct(name) == 1]
        evidence = {"a key": 1, "the one series": 1}
        return [none, *(Reading((name,), evidence) for name in named[:1])]

    likely = _keys(table, others, repeated)
    readings = [none]
    for count in range(1, min(_MOST_JOINED, len(likely)) + 1):
        groups = [_series_reading(table, time, group) for group in combinations(likely, count)]
        readings += groups
        shared = min(group.evidence["shared keys"] for group in groups)
        if shared <= min(MOST_REPEATED, repeated / 2):  # more columns are not needed
            break
    return readings


def _keys(table: TableProfile, others: Sequence[str], repeated: float) -> list[str]:
    """Return the columns that may tell series apart, the likeliest first."""
    most = _MOST_ABSENT / (1 - repeated)
    codes = [
        name
        for name in table.numbers
        if name in others
        and table.columns[name].is_whole
        and table.distinct(name) <= most
        and not words.VALUES.occur_in(name)
    ]
    texts = [name for name in others if name in table.words]
    likely = dict.fromkeys([*words.SERIES.ranked(others), *texts, *codes])
    keys = [name for name in likely if _repeats(table, name) and table.distinct(name) > 1]
    return keys[:MOST_KEYS]


def _repeats(table: TableProfile, name: str) -> bool:
    """Return whether the values of a column stand in two rows each on average."""
    return table.distinct(name) * 2 <= min(len(table.table), ROWS_COMPARED)


def _series_reading(table: TableProfile, time: Sequence[str], group: tuple[str, ...]) -> Reading:
    columns = [table.columns[name] for name in group]
    evidence = {
        "shared keys": table.repeated([*group, *time]),
        "a key": len(group),
        "the name of a series": sum(map(_named_as_series, group)),
        "a key in words": sum(not column.is_number for column in columns),
        "a time as a key": sum(
            column.is_time or column.is_month or _is_named_time(column) for column in columns
        ),
    }
    return Reading(group, evidence, list(table.columns).index(group[0]))


def _named_as_series(name: str) -> float:
    """Return how much a name, such as `Branch` or `Branch code`, says that it names series."""
    if words.SERIES.is_name(name):
        return 1.0
    return 0.5 if words.SERIES.occur_in(name) else 0.0


def _is_named_time(column: ColumnProfile) -> bool:
    """Return whether a column that names series has the name of a part of a year or a day."""
    if words.WITHIN_DAYS.occur_in(column.name):
        return True
    return words.TIMES.is_name(column.name) or any(
        each.is_name(column.name) for each in words.WITHIN_YEARS.values()
    )


# ---------------------------------------------------------------- values


def value_readings(
    table: TableProfile, time: Sequence[str], series: Sequence[str], others: Sequence[str]
) -> list[Reading]:
    """Return which columns may have the values.

    Args:
        table: The table.
        time: The columns of the times.
        series: The columns that name the series.
        others: The other columns.
    """
    numbers = [name for name in others if name in table.numbers]
    texts = [name for name in words.VALUES.ranked(others) if name not in numbers]
    against = _against_values(table, time, series, numbers)
    places = {name: place for place, name in enumerate(table.columns)}
    readings = [
        _value_reading(table, name, places[name], against.get(name)) for name in (*numbers, *texts)
    ]

    plain = [reading for reading in readings if reading.score >= 0]
    measured = ["measured" in reading.evidence for reading in readings]
    has_name = any("the name of a value" in reading.evidence for reading in plain)
    if has_name or len(plain) >= sum(measured):
        return readings
    # Instruments measure several things, of which none explains the others.
    return [
        _with(reading, "one of several instruments", is_measured)
        for reading, is_measured in zip(readings, measured, strict=True)
    ]


def _against_values(
    table: TableProfile, time: Sequence[str], series: Sequence[str], numbers: Sequence[str]
) -> dict[str, str]:
    """Return the evidence that columns of numbers are no values, by their names."""
    digits = table.digits[list(numbers)]
    against = dict[str, str]()
    steps = digits.diff()
    constant = list[str]()
    if series:
        by_series = digits.groupby([table.head[name] for name in series], observed=True)
        steps = by_series.diff()
        most = by_series.nunique().max()
        constant = [name for name in numbers if most[name] <= 1]

    if time:
        unnamed = [
            name
            for name in numbers
            if not words.VALUES.occur_in(name) and not words.BESIDE.occur_in(name)
        ]
        rows = [name for name in unnamed if table.columns[name].numbers_rows(steps[name])]
        calendar = [name for name in table.calendar_columns(time) if name in numbers]
        against |= dict.fromkeys((*rows, *calendar), "numbers of rows")
    return against | dict.fromkeys(constant, "constant in a series")


def _value_reading(table: TableProfile, name: str, place: int, against: str | None) -> Reading:
    column = table.columns[name]
    facts = list[str]()
    if words.SURE_VALUES.is_name(name):
        facts.append("the usual name of a value")
    elif words.VALUES.occur_in(name):
        facts.append("the name of a value")
    elif words.BESIDE.occur_in(name):
        facts.append("beside a value")
        if words.PRICES.is_name(name):
            facts.append("a price")
        if words.MEASURED.occur_in(name):
            facts.append("measured")

    is_identifier = words.SERIES.is_name(name) and column.distinct == len(column.values)
    if column.is_number and is_identifier:
        facts.append("an identifier")
    if column.is_flag:
        facts.append("a flag")
    if not column.is_number:
        facts.append("no number")
    if against is not None:
        facts.append(against)
    return Reading((name,), dict.fromkeys(facts, 1), place)


def wide_reading(table: TableProfile, best: Reading, names: Sequence[str]) -> Reading:
    """Return columns as series of their own, where the best reading has one of them as the values.

    Args:
        table: The table.
        best: The best reading of a single column.
        names: The columns.
    """
    wide = Reading(tuple(names), best.evidence, best.place)
    return _with(wide, "series alike", are_series(table, names))


def are_series(table: TableProfile, names: Sequence[str]) -> bool:
    """Return whether columns of numbers are of one thing, so that each may be a series.

    Args:
        table: The table.
        names: The columns.
    """
    has_word = any(words.VALUES.occur_in(name) or words.BESIDE.occur_in(name) for name in names)
    if has_word and not words.shared_word(names, words.VALUES, words.BESIDE):
        return False
    if are_alike(names):
        return True

    units = {_unit(name) for name in names}
    running = {words.CUMULATIVE.occur_in(name) for name in names}
    if len(units) > 1 or len(running) > 1:
        return False
    if any(table.columns[name].is_code for name in names):
        return False
    sizes = [table.columns[name].size for name in names]
    return max(sizes) <= _LIKE_SIZE * min(sizes)


def _unit(name: str) -> str:
    """Return the unit in the name of a column, `MW` of `Load [MW]`; nothing without one."""
    found = _UNIT.search(name)
    return "" if found is None else found[1] or found[0]


def _with(reading: Reading, name: str, units: float) -> Reading:
    """Return a reading with more evidence."""
    return replace(reading, evidence={**reading.evidence, name: units})
