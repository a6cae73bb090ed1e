"""Layouts of tables: a row for each series and time, a column or a row for each series, a grid.

Each becomes a long frame, whose index keeps the rows of the table. Times that are not in a table
are counted.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from seqcast.data.frames import inside, is_text, resolve
from seqcast.errors import AmbiguityError, DataError, SpecError
from seqcast.runtime import Array
from seqcast.specs import Columns
from seqcast.tables.dates import YEARS, is_clock, parse_dates, seconds
from seqcast.tables.months import month_numbers
from seqcast.tables.number_marks import holds_numbers, to_numbers
from seqcast.tables.periods import ParsedDates, named_part
from seqcast.tables.tidying import ends_with_total, words_on

# Fewest columns of values whose names are times, one series a row.
_FEWEST_TIMES = 3
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
# Most columns after those that are named by times, such as a total.
_MOST_TOTALS = 3
# Names of columns that number the rows.
_NUMBERS_ROWS = (
    *("", "unnamed: 0", "index", "id", "row", "rownames", "#"),
    *("no", "no.", "nr", "nr.", "sr. no.", "sl no."),
)
_MONTHS = tuple(range(1, 13))
# What a line says of years over parts of two, such as 2016-17.
FISCAL_YEARS = "fiscal years by the year in which they begin"
_FISCAL = re.compile(r"^(?:FY *)?(\d{4})(?:年度| ?[-/–] ?(?:\d\d)?(\d\d))$", re.IGNORECASE)
# A time of the day in the name of a column: 7, H07, 07:30; or a span of two, by its start: 07-08.
_CLOCK = re.compile(r"(\D*)(\d{1,2})(?::(\d\d)(?::00)?)?(?: ?[-–] ?\d{1,2}(?::\d\d)?)?\D*")
_HOURS = 24
_MINUTES = 24 * 60
# A part of a year or month in the name of a column, Q1 or 01.
_COUNTED = re.compile(r"(\D{0,5})0?(\d{1,2})")
# Numbers of quarters, months, periods, days and weeks.
_COUNTS = (4, 12, 13, 31, 52, 53)
# Year, month and day.
_PARTS_OF_DAYS = 3


@dataclass(frozen=True)
class Steps:
    """Times of a table without a column of them: steps 1, 2, 3 …, stamps, or those of the header.

    Args:
        start: The first time; `None` counts steps.
        freq: The step between times, if `start` is given.
        day_first: Whether the day stands first in times of the header; `None` infers it.

    Example:
        >>> Steps().stamps([0, 1]).tolist(), Steps("2024-01-01", "D").stamps([2]).tolist()
        ([1, 2], [Timestamp('2024-01-03 00:00:00')])
    """

    start: Any = None
    freq: str | int | None = None
    day_first: bool | None = None

    def stamps(self, places: Sequence[int] | Array | pd.Series) -> pd.Index:
        """Return the times of rows, a pandas Index.

        Args:
            places: Numbers of the rows within their series, from 0.

        Raises:
            SpecError: `start` is no time, or `freq` no step.
        """
        numbers = np.asarray(places)
        if self.start is None:
            counted: pd.Index = pd.Index(numbers + 1)
            return counted

        first = pd.to_datetime([self.start], errors="coerce", format="ISO8601").as_unit("us")
        offset = resolve(self.freq, first).offset
        count = int(numbers.max(initial=0)) + 1
        try:
            return pd.date_range(first[0], periods=count, freq=offset, unit="us")[numbers]
        except (ValueError, OverflowError) as error:  # no time, or beyond the calendar
            raise SpecError(
                "start",
                expected="a time, such as 2024-01-31 or 2024-01-31 12:00",
                received=repr(self.start),
                hint="Write it in ISO 8601.",
            ) from error


class LongRows(NamedTuple):
    """A table as a long frame.

    Args:
        frame: A pandas frame, whose index has the rows of the table.
        sentence: What became of rows and times of the table, in words; nothing where all of it is
            usual.
    """

    frame: pd.DataFrame
    sentence: str = ""


@dataclass(frozen=True)
class Layout:
    """A layout of tables.

    Args:
        words: What it says of series, in words.
        to_long: Returns a table as a long frame, from its columns and the times of a table without
            them.
    """

    words: str
    to_long: Callable[[pd.DataFrame, Columns, Steps], LongRows]


def joined_parts(names: Iterable[object], name: str | None) -> list[str]:
    """Return the columns that a name stands for: itself, or those that it lists with commas.

    Args:
        names: The columns of a table; where one is missing, there are none.
        name: The name.

    Example:
        >>> joined_parts(["Date", "Hour"], "Date,Hour"), joined_parts(["a,b"], "a,b")
        (['Date', 'Hour'], ['a,b'])
        >>> joined_parts(["a"], "a,b")
        []
    """
    if name is None:
        return []
    known = set(map(str, names))
    if name in known:
        return [name]
    parts = [part.strip() for part in name.split(",")]
    return parts if known.issuperset(parts) else []


def join_times(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of times, or text in ISO 8601 of the columns that a name lists.

    These are a date and a clock, or a year and a month, for example.

    Args:
        table: A pandas frame.
        name: The name.

    Example:
        >>> join_times(pd.DataFrame({"Year": [2024], "Month": [2]}), "Year,Month").tolist()
        ['2024-02']
    """
    columns = [table[part] for part in joined_parts(table.columns, name)]
    if len(columns) == 1:
        return columns[0]
    quarters = quarters_of(columns[1])
    if quarters is not None:
        return columns[0].astype("int64").astype("str") + "Q" + quarters
    if len(columns) == 2 and is_clock(columns[1]):
        columns[1] = _with_ends_of_days(*columns)

    parts = list(map(_in_digits, columns))
    texts = [part.astype("str").str.strip().str.zfill(2) for part in parts]
    if all(part.dtype.kind in "iu" for part in parts) and len(parts) <= _PARTS_OF_DAYS:
        return _joined(texts, "-W" if part_of_year(parts[1]) == "week" else "-")

    if len(parts) > _PARTS_OF_DAYS:
        day = _joined(texts[:_PARTS_OF_DAYS], "-")
        return day + " " + _as_clock(parts[3], texts[3])
    return _joined(list(map(_as_clock, parts, texts)), " ")


def _joined(texts: Sequence[pd.Series], separator: str) -> pd.Series:
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + separator + text
    return joined


def _as_clock(part: pd.Series, text: pd.Series) -> pd.Series:
    """Return the text of a column, with minutes if it has whole hours."""
    return text + ":00" if part.dtype.kind in "iu" else text


def _with_ends_of_days(days: pd.Series, clocks: pd.Series) -> pd.Series:
    """Return clocks with 24:00 where the last row of each day has 0:00.

    So meters write the end of a step.
    """
    since_midnight = seconds(clocks.fillna("1:00"))
    is_zero = clocks.notna() & (since_midnight == 0)
    is_last = is_zero & (days == days.shift()) & (days != days.shift(-1))
    # The newest rows may stand first.
    steps = since_midnight.diff()[(days == days.shift()) & ~is_zero]
    ends = is_zero.any() and is_last.equals(is_zero) and bool((steps >= 0).all())
    return clocks.mask(is_last, "24:00") if ends else clocks


def _in_digits(column: pd.Series) -> pd.Series:
    """Return months in words, and whole numbers, as such; times of the day as `8:30:00`."""
    months = months_of(column)
    if months is not None:
        return months
    if column.dtype.kind in "iuf":
        return column.astype("int64") if (column % 1 == 0).all() else column
    if column.isna().any() or not is_clock(column):
        return column

    minutes, rest = divmod(seconds(column), 60)
    hours = (minutes // 60).astype("str")
    return hours + minutes.mod(60).map(":{:02}".format) + rest.map(":{:02}".format)


def months_of(column: pd.Series) -> pd.Series | None:
    """Return the numbers of months in words, 1 to 12, if all values of a column are; else `None`.

    Args:
        column: A pandas Series.

    Example:
        >>> months_of(pd.Series(["Enero", "Febrero"])).tolist()
        [1, 2]
        >>> months_of(pd.Series(["March", "Market"]))
    """
    if not len(column) or not is_text(column) or column.isna().any():
        return None
    texts = column.unique()
    months = month_numbers(text for text in texts if text.strip(" .").isalpha())
    # A month is written in one way.
    return column.map(months) if len(texts) == len(months) == len(set(months.values())) else None


def quarters_of(column: pd.Series) -> pd.Series | None:
    """Return the quarters of a column, `1` to `4`, if all its values are; else `None`.

    They are written as `2`, `Q2`, `II` or `2. Quartal`.

    Args:
        column: A pandas Series; numbers are quarters by its name.

    Example:
        >>> quarters_of(pd.Series(["Q1", "IV. x"])).tolist()
        ['1', '4']
        >>> quarters_of(pd.Series([1, 2], name="day"))
    """
    if column.dtype.kind in "iuf" and part_of_year(column) != "quarter":
        return None
    texts = column.astype("str").str.strip().str.removesuffix(".0")
    found = texts.str.extract(r"^(?:[QTK] ?)?([1-4]|I{1,3}|IV)(?:\W.*)?$")[0]
    return found.replace(dict(zip(_ROMAN, "1234", strict=False))) if found.notna().all() else None


def part_of_year(column: pd.Series) -> str:
    """Return what a column counts within years: `month`, `quarter` or `week`.

    Its name says so, or else its largest number.

    Args:
        column: A pandas Series of whole numbers.

    Example:
        >>> part_of_year(pd.Series([1, 4], name="Quartal")), part_of_year(pd.Series([1, 14]))
        ('quarter', 'week')
    """
    # A thirteenth period is none of a week.
    counted = "week" if column.max() > len(_MONTHS) + 1 else "month"
    return named_part(column.name) or counted


def with_joined(table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return a table with the columns of ids and times that its own columns make together.

    Args:
        table: A pandas frame.
        columns: Names of the columns.
    """
    ids = joined_parts(table.columns, columns.unique_id)
    if len(ids) > 1:
        texts = [_quoted(table[part].astype("str")) for part in ids]
        table = table.assign(**{columns.unique_id: _joined(texts, ",")})
    if len(joined_parts(table.columns, columns.ds)) > 1:
        table = table.assign(**{columns.ds: join_times(table, columns.ds)})
    return table


def _quoted(column: pd.Series) -> pd.Series:
    """Return text as cells of CSV."""
    return column.where(~column.str.contains('[,"]'), '"' + column.str.replace('"', '""') + '"')


def split_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose first column, if several were joined in it, are these again.

    Args:
        table: A pandas frame of forecasts.

    Example:
        >>> table = pd.DataFrame({"shop,item": ["a,x", 'a,"y, z"'], "ds": [1, 1]})
        >>> split_ids(table).values.tolist()
        [['a', 'x', 1], ['a', 'y, z', 1]]
    """
    parts = next(csv.reader([str(table.columns[0])]))
    cells = list(csv.reader(table.iloc[:, 0].astype("str"))) if len(parts) > 1 else []
    if len(parts) == 1 or any(len(row) != len(parts) for row in cells):
        return table
    ids = pd.DataFrame(cells, columns=[part.strip() for part in parts], index=table.index)
    return pd.concat([ids, table.iloc[:, 1:]], axis=1)


def header_times(names: Sequence[str], day_first: bool | None = None) -> ParsedDates | None:
    """Return three names of columns or more as times, if all are, and they ascend or descend.

    Args:
        names: The names.
        day_first: Whether the day stands before the month; `None` infers it.

    Raises:
        AmbiguityError: They do not show whether the day stands first.

    Example:
        >>> header_times(["1992", "1991", "1990"]).times.tolist()
        [1992, 1991, 1990]
        >>> header_times(["V1", "V2", "V3"])
        >>> header_times(["2020-21", "2021-22", "2022-23"]).sentence
        'fiscal years by the year in which they begin'
    """
    if len(names) < _FEWEST_TIMES:
        return None

    texts = pd.Series([str(name).partition(" [")[0] for name in names], dtype="str")
    fiscal = fiscal_years(texts)
    if texts.str.fullmatch(r"1[5-9]\d\d|2[0-4]\d\d").all():
        parsed = ParsedDates(texts.astype("int64"))
    elif fiscal is not None:
        parsed = ParsedDates(fiscal, sentence=FISCAL_YEARS)
    else:
        try:
            parsed = parse_dates(texts, Columns(), day_first)
        except AmbiguityError as error:
            raise error.changed("the header", row=None, column=None) from error
        except DataError:  # some are no times
            return None

    times = parsed.times
    is_sorted = times.is_monotonic_increasing or times.is_monotonic_decreasing
    return parsed if times.is_unique and is_sorted else None


def dated_columns(
    names: Sequence[str], day_first: bool | None = None
) -> tuple[list[str], ParsedDates | None]:
    """Return the columns that are named by times, without sums next to them, and the times.

    Without such columns these are all names and `None`.

    Args:
        names: The names of columns of numbers.
        day_first: As for `header_times`.

    Raises:
        AmbiguityError: As for `header_times`.

    Example:
        >>> dated_columns(["1990", "1991", "1992", "Total"])[0]
        ['1990', '1991', '1992']
        >>> dated_columns(["a", "b"])
        (['a', 'b'], None)
    """
    for after in range(_MOST_TOTALS + 1):
        for first in range(_MOST_TOTALS + 1):
            dated = list(names[first : len(names) - after])
            times = header_times(dated, day_first)
            if times is not None:
                return dated, times
    return list(names), None


def numbers_rows(column: pd.Series) -> bool:
    """Return whether a column numbers the rows of its table.

    Args:
        column: A pandas Series.

    Example:
        >>> [numbers_rows(pd.Series([1, 2, 3], name=name)) for name in ("#", "sold")]
        [True, False]
    """
    is_named = str(column.name).strip().lower() in _NUMBERS_ROWS and column.dtype.kind in "iuf"
    return is_named and bool((column.dropna().diff()[1:] == 1).all())


def _values(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the columns of numbers of a table, without its keys."""
    numbers = table.drop(columns=list(keys), errors="ignore")
    numbers = numbers[[name for name in numbers if holds_numbers(numbers[name])]]
    texts = numbers.select_dtypes(exclude="number")
    numbers = numbers.assign(**{str(name): to_numbers(text) for name, text in texts.items()})
    if numbers.isna().all(axis=None):
        raise DataError(
            option="df", expected="at least one number", received="none", hint="Give some."
        )
    return numbers


def _of_rows(table: pd.DataFrame, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a series in each row as a long frame.

    Rows without names are named by their numbers.
    """
    numbers = _values(table, [columns.unique_id])
    has_total = ends_with_total(numbers, table.drop(columns=numbers.columns))
    total = table.tail(int(has_total))
    table = table.drop(total.index)
    numbers = numbers.drop(total.index)

    dated, times = dated_columns(list(numbers.columns), steps.day_first)
    values = numbers[dated].to_numpy(dtype=float)
    said = [words_on(total, "at the end")]
    if times is None:
        stamps = steps.stamps(np.arange(values.shape[1]))
    else:
        stamps = pd.Index(times.times)
        said.insert(0, times.sentence)

    rows, places = np.nonzero(inside(~np.isnan(values).T).T)
    ids = table.get(columns.unique_id, default=pd.Series(range(1, len(table) + 1), dtype="str"))
    long = {
        columns.unique_id: ids.array[rows],
        columns.ds: stamps[places],
        columns.value: values[rows, places],
    }
    frame = pd.DataFrame(long, index=table.index[rows])
    return LongRows(frame, ", ".join(filter(None, said)))


def _of_columns(table: pd.DataFrame, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a series in each column as a long frame."""
    table = _with_times(table, columns, steps)
    # A year and its month are the times together, and no series.
    row_numbers = [name for name in table.columns if numbers_rows(table[name])]
    numbers = _values(table, [columns.ds, *columns.ds.split(","), *row_numbers])

    values = numbers.to_numpy(dtype=float)
    series, rows = np.nonzero(inside(~np.isnan(values)).T)
    ids = numbers.columns.astype("str").array[series]
    times = table[columns.ds].array[rows]
    long = {columns.unique_id: ids, columns.ds: times, columns.value: values[rows, series]}
    return LongRows(pd.DataFrame(long, index=table.index[rows]))


def grid_columns(table: pd.DataFrame, name: str | None) -> list[str]:
    """Return the columns of a table with a month of a year in each, or a time of a day, if any.

    The times are the hours, or finer ones in even steps, from 0:00 on or by the ends of the steps.

    Args:
        table: A pandas frame.
        name: The column of the years or days.

    Example:
        >>> names = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        >>> table = pd.DataFrame(2001, range(3), ["Year", "Mean", *names])
        >>> grid_columns(table, "Year") == names, grid_columns(pd.DataFrame({"day": [1]}), "day")
        (True, [])
    """
    if name not in table:
        return []
    names = [str(column) for column in table.columns if column != name]
    fiscal = fiscal_years(table[name])
    if fiscal is not None:
        return _month_columns(names, fiscal, is_fiscal=True)
    if holds_numbers(table[name]):
        return _month_columns(names, table[name], is_fiscal=False)
    return _clock_columns(names)


def _month_columns(names: Sequence[str], years: pd.Series, *, is_fiscal: bool) -> list[str]:
    """Return the columns of the months of years, in order; fiscal years begin with any month."""
    numbers = _months_of_names(names)
    months = {number: name for name, number in reversed(numbers.items())}
    if len(months) < len(_MONTHS) or not years.between(*YEARS).all():
        return []

    order = sorted(_MONTHS, key=lambda month: names.index(months[month]))
    first = _MONTHS.index(order[0])
    if first > 0 and order == [*_MONTHS[first:], *_MONTHS[:first]]:
        return [months[month] for month in order]
    return [] if is_fiscal else [months[month] for month in _MONTHS]


def _clock_columns(names: Sequence[str]) -> list[str]:
    """Return the columns of the times of a day, in order."""
    clocks = dict[str, dict[int, str]]()
    for name in names:
        found = _CLOCK.fullmatch(name.strip())
        if found is not None:
            minute = int(found[2]) * 60 + int(found[3] or 0)
            # The hour that clocks show twice has two columns, 3A and 3B, of which the first is on
            # every day.
            clocks.setdefault(found[1], {}).setdefault(minute, name)

    for own in clocks.values():
        minutes = list(own)
        if minutes[0] > 0 and minutes[-1] == 0:
            own[_MINUTES] = own.pop(0)
        if _fill_a_day(sorted(own)):
            return [own[minute] for minute in sorted(own)]
    return []


def count_parts(names: Sequence[str]) -> bool:
    """Return whether names count the parts of a year or month: Q1 to Q4, 01 to 12.

    Args:
        names: Names of columns.

    Example:
        >>> count_parts(["Q1", "Q2", "Q3", "Q4"]), count_parts(["T1", "T2"])
        (True, False)
    """
    if len(names) > 2 and len(month_numbers(names)) == len(names):
        return True
    found = [match for name in names if (match := _COUNTED.fullmatch(name.strip()))]
    has_one_prefix = len({match[1] for match in found}) == 1
    counts = [int(match[2]) for match in found] == list(range(1, len(names) + 1))
    return has_one_prefix and counts and len(names) in _COUNTS


def _months_of_names(names: Sequence[str]) -> dict[str, int]:
    """Return the months among the names of columns, 1 to 12.

    They are in words, or all of them in Roman numerals.
    """
    if not {*_ROMAN} <= {*names}:
        return month_numbers(names)
    return {name: _ROMAN.index(name) + 1 for name in names if name in _ROMAN}


def _fill_a_day(minutes: list[int]) -> bool:
    """Return whether minutes divide a day evenly into hours or less."""
    step = _MINUTES // len(minutes)
    even = [list(range(first, _MINUTES + first, step)) for first in (0, step)]
    return len(minutes) >= _HOURS and minutes in even


def fiscal_years(column: pd.Series) -> pd.Series | None:
    """Return the years in which fiscal years such as `2016-17` begin; `None` for other columns.

    Args:
        column: A pandas Series.

    Example:
        >>> fiscal_years(pd.Series(["2016-17", "FY 2017/2018"])).tolist()
        [2016, 2017]
        >>> fiscal_years(pd.Series(["2016-10"]))
    """
    found = column.astype("str").str.strip().str.extract(_FISCAL).astype("float")
    following = (found[0] + 1) % 100
    return found[0].astype("int64") if (following == found[1].fillna(following)).all() else None


def _of_grid(table: pd.DataFrame, columns: Columns, _steps: Steps) -> LongRows:
    """Return a table with the months of a year or the hours of a day in each row."""
    names = grid_columns(table, columns.ds)
    if not names:
        raise DataError(
            option="layout",
            expected=(
                "twelve columns named as months, "
                "or columns named as all hours of a day or finer times"
            ),
            received=", ".join(map(repr, table.columns[:24])),
        )

    # A column without numbers keeps its place.
    values = _values(table[names], []).reindex(columns=names).to_numpy(dtype=float)
    rows, places = np.nonzero(~np.isnan(values))
    first = table[columns.ds].iloc[rows].reset_index(drop=True)
    said = ""
    if len(names) == len(_MONTHS):
        months_of_names = _months_of_names(names)
        numbers = np.array([months_of_names[name] for name in names])
        years = first.astype(int) + (numbers < numbers[0])[places]
        dates = pd.DataFrame({"year": years, "month": numbers[places], "day": 1})
        stamps = pd.to_datetime(dates).dt.as_unit("us")
        if numbers[0] > 1:
            said = f"years that begin with {names[0]!r}"
    else:
        stamps = first + pd.to_timedelta(places * (_MINUTES // len(names)), unit="min")

    long = {columns.ds: stamps.array, columns.value: values[rows, places]}
    if columns.unique_id in table:
        long = {columns.unique_id: table[columns.unique_id].array[rows], **long}
    return LongRows(pd.DataFrame(long, index=table.index[rows]), said)


def _of_steps(table: pd.DataFrame, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a row for each series and time as a long frame."""
    return LongRows(_with_times(table, columns, steps))


def _with_times(table: pd.DataFrame, columns: Columns, steps: Steps) -> pd.DataFrame:
    """Return a long or wide table with times; those that it lacks are counted in its rows."""
    if columns.ds in table.columns:
        return table
    places: Sequence[int] | pd.Series = range(len(table))
    if columns.unique_id in table.columns:
        places = table.groupby(columns.unique_id, sort=False).cumcount()
    times = pd.Series(steps.stamps(places), table.index, name=columns.ds)
    return pd.concat([times, table], axis=1)


LAYOUTS: dict[str, Layout] = {
    "long": Layout("a row for each series and time", _of_steps),
    "wide": Layout("a series in each column", _of_columns),
    "rows": Layout("a series in each row", _of_rows),
    "grid": Layout("a year or day in each row, its months or hours in the columns", _of_grid),
}
