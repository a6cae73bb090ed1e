"""Layouts of tables: a row for each series and time, a column or a row for each series; times that are not in a table.

Each becomes a long frame, whose index keeps the rows of the table.
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
    "",
    "unnamed: 0",
    "index",
    "id",
    "row",
    "rownames",
    "no",
    "no.",
    "nr",
    "nr.",
    "#",
    "sr. no.",
    "sl no.",
)
_MONTHS = tuple(range(1, 13))
# A year over parts of two, such as 2016-17; what a line says of them.
FISCAL_YEARS = "fiscal years by the year in which they begin"
_FISCAL = re.compile(r"^(?:FY *)?(\d{4})(?:年度| ?[-/–] ?(?:\d\d)?(\d\d))$", re.IGNORECASE)
# A time of the day in the name of a column: 7, H07, 07:30; or a span of two, by its start: 07-08.
_CLOCK = re.compile(r"(\D*)(\d{1,2})(?::(\d\d)(?::00)?)?(?: ?[-–] ?\d{1,2}(?::\d\d)?)?\D*")
_HOURS = 24
_DAY = 24 * 60
# A part of a year or month in the name of a column, Q1 or 01, and how many there are.
_COUNTED = re.compile(r"(\D{0,5})0?(\d{1,2})")
_COUNTS = (4, 12, 13, 31, 52, 53)
# Year, month and day.
_PARTS_OF_DAYS = 3


@dataclass(frozen=True)
class Steps:
    """Times of a table without a column of them: steps 1, 2, 3 …, stamps from the first one, or those of the header.

    Args:
        start: The first time; `None` counts steps.
        freq: The step between times, if `start` is given.
        day_first: Whether the day stands first in times of the header; `None` infers it.

    Example:
        >>> Steps().stamps([0, 1]).tolist(), Steps("2024-01-01", "D").stamps([2]).tolist()
        ([1, 2], [Timestamp('2024-01-03 00:00:00')])
    """

    start: Any = None
    freq: Any = None
    day_first: bool | None = None

    def stamps(self, places: Any) -> Any:
        """Return the times of rows, a pandas Index.

        Args:
            places: Numbers of the rows within their series, from 0.

        Raises:
            SpecError: `start` is no time, or `freq` no step.
        """
        if self.start is None:
            return pd.Index(np.asarray(places) + 1)
        first = pd.to_datetime([self.start], errors="coerce", format="ISO8601").as_unit("us")
        offset = resolve(self.freq, first).offset
        most = int(np.max(np.asarray(places), initial=0))
        try:
            return pd.date_range(first[0], periods=most + 1, freq=offset, unit="us")[places]
        except (ValueError, OverflowError) as error:  # no time, or beyond the calendar
            expected = "a time, such as 2024-01-31 or 2024-01-31 12:00"
            hint = "Write it in ISO 8601."
            raise SpecError(
                "start", expected=expected, received=repr(self.start), hint=hint
            ) from error


class LongRows(NamedTuple):
    """A table as a long frame.

    Args:
        frame: A pandas frame, whose index has the rows of the table.
        sentence: What became of rows and times of the table, in words; nothing where all of it is
            usual.
    """

    frame: Any
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
    to_long: Callable[[Any, Columns, Steps], LongRows]


def joined_parts(names: Iterable[Any], name: str | None) -> list[str]:
    """Return the columns that a name stands for: itself, or those that it lists with commas; none if one is missing.

    Args:
        names: The columns of a table.
        name: The name.

    Example:
        >>> joined_parts(["Date", "Hour"], "Date,Hour"), joined_parts(["a,b"], "a,b"), joined_parts(["a"], "a,b")
        (['Date', 'Hour'], ['a,b'], [])
    """
    known = set(map(str, names))
    parts = (
        []
        if name is None
        else [name]
        if name in known
        else [part.strip() for part in name.split(",")]
    )
    return parts if known.issuperset(parts) else []


def join_times(table: Any, name: str) -> Any:
    """Return a column of times, or text in ISO 8601 of the columns that a name lists: date and clock, year and month.

    Args:
        table: A pandas frame.
        name: The name.

    Example:
        >>> import pandas as pd
        >>> join_times(pd.DataFrame({"Year": [2024], "Month": [2]}), "Year,Month").tolist()
        ['2024-02']
    """
    parts = [table[part] for part in joined_parts(table.columns, name)]
    if len(parts) == 1:
        return parts[0]
    if (quarters := quarters_of(parts[1])) is not None:
        return parts[0].astype("int64").astype("str") + "Q" + quarters
    if len(parts) == 2 and is_clock(parts[1]):
        parts[1] = _with_ends_of_days(parts[0], parts[1])
    parts = [
        _clock_in_digits(part) if (months := months_of(part)) is None else months for part in parts
    ]
    whole = [part.dtype.kind in "iuf" and bool((part % 1 == 0).all()) for part in parts]
    cells = [
        part.astype("int64") if is_whole else part
        for part, is_whole in zip(parts, whole, strict=True)
    ]
    texts = [part.astype("str").str.strip().str.zfill(2) for part in cells]
    if len(texts) > _PARTS_OF_DAYS:
        day = texts[0].str.cat(texts[1:3], sep="-")
        clock = texts[3] + ":00" if whole[3] else texts[3]
        return day.str.cat(clock, sep=" ")
    if not all(whole):
        hours = [
            text + ":00" if is_whole else text for text, is_whole in zip(texts, whole, strict=True)
        ]
        return hours[0].str.cat(hours[1:], sep=" ")
    return texts[0].str.cat(texts[1:], sep="-W" if part_of_year(parts[1]) == "week" else "-")


def _with_ends_of_days(days: Any, clocks: Any) -> Any:
    """Return clocks with 24:00 where the last row of each day has 0:00, as meters write the end of a step."""
    since_midnight = seconds(clocks.fillna("1:00"))
    is_zero = clocks.notna() & (since_midnight == 0)
    is_last = is_zero & (days == days.shift()) & (days != days.shift(-1))
    # The newest rows may stand first.
    steps = since_midnight.diff()[(days == days.shift()) & ~is_zero]
    ends = is_zero.any() and is_last.equals(is_zero) and bool((steps >= 0).all())
    return clocks.mask(is_last, "24:00") if ends else clocks


def _clock_in_digits(column: Any) -> Any:
    """Return times of the day, or the starts of spans of them, as `8:30:00`; another column unchanged."""
    if column.isna().any() or not is_clock(column):
        return column
    minutes, rest = divmod(seconds(column), 60)
    return (
        (minutes // 60).astype("str")
        + minutes.mod(60).map(":{:02}".format)
        + rest.map(":{:02}".format)
    )


def months_of(column: Any) -> Any:
    """Return the numbers of months in words, 1 to 12, if all values of a column are; else `None`.

    Args:
        column: A pandas Series.

    Example:
        >>> months_of(pd.Series(["Enero", "Febrero"])).tolist(), months_of(pd.Series(["March", "Market"]))
        ([1, 2], None)
    """
    texts = column.unique() if is_text(column) and column.notna().all() else ()
    months = month_numbers(text for text in texts if text.strip(" .").isalpha())
    # A month is written in one way.
    return (
        column.map(months) if 0 < len(texts) == len(months) == len(set(months.values())) else None
    )


def quarters_of(column: Any) -> Any:
    """Return the quarters of a column, `1` to `4`, if all its values are: `2`, `Q2`, `II`, `2. Quartal`; else `None`.

    Args:
        column: A pandas Series; numbers are quarters by its name.

    Example:
        >>> quarters_of(pd.Series(["Q1", "IV. x"])).tolist(), quarters_of(pd.Series([1, 2], name="day"))
        (['1', '4'], None)
    """
    if column.dtype.kind in "iuf" and part_of_year(column) != "quarter":
        return None
    texts = column.astype("str").str.strip().str.removesuffix(".0")
    found = texts.str.extract(r"^(?:[QTK] ?)?([1-4]|I{1,3}|IV)(?:\W.*)?$")[0]
    return found.replace(dict(zip(_ROMAN, "1234", strict=False))) if found.notna().all() else None


def part_of_year(column: Any) -> str:
    """Return what a column counts within years, by its name and its largest number: `month`, `quarter` or `week`.

    Args:
        column: A pandas Series of whole numbers.

    Example:
        >>> [part_of_year(pd.Series([1, most], name=name)) for name, most in (("Quartal", 4), ("uke", 5), ("p", 14))]
        ['quarter', 'week', 'week']
    """
    # A thirteenth period is none of a week.
    return named_part(column.name) or (
        "week" if float(column.max()) > len(_MONTHS) + 1 else "month"
    )


def with_joined(table: Any, columns: Columns) -> Any:
    """Return a table with the columns of ids and times that its own columns make together.

    Args:
        table: A pandas frame.
        columns: Names of the columns.
    """
    for name in (columns.unique_id, columns.ds):
        parts = joined_parts(table.columns, name)
        if len(parts) > 1:
            texts = [_quoted(table[part].astype("str")) for part in parts]
            made = (
                join_times(table, name)
                if name == columns.ds
                else texts[0].str.cat(texts[1:], sep=",")
            )
            table = table.assign(**{name: made})
    return table


def _quoted(column: Any) -> Any:
    """Return text as cells of CSV."""
    return column.where(~column.str.contains('[,"]'), '"' + column.str.replace('"', '""') + '"')


def split_ids(table: Any) -> Any:
    """Return a table whose first column, if several were joined in it, are these again.

    Args:
        table: A pandas frame of forecasts.

    Example:
        >>> split_ids(pd.DataFrame({"shop,item": ["a,x", 'a,"y, z"'], "ds": [1, 1]})).values.tolist()
        [['a', 'x', 1], ['a', 'y, z', 1]]
    """
    parts = next(csv.reader([str(table.columns[0])]))
    cells = list(csv.reader(table.iloc[:, 0].astype("str"))) if len(parts) > 1 else []
    if len(parts) == 1 or any(len(row) != len(parts) for row in cells):
        return table
    ids = pd.DataFrame(cells, columns=[part.strip() for part in parts], index=table.index)
    return pd.concat([ids, table.iloc[:, 1:]], axis=1)


def header_times(names: Sequence[str], day_first: bool | None = None) -> ParsedDates | None:
    """Return names of columns as times, if all are, and they ascend or descend; else nothing.

    Args:
        names: The names.
        day_first: Whether the day stands before the month; `None` infers it.

    Raises:
        AmbiguityError: They do not show whether the day stands first.

    Example:
        >>> header_times(["1992", "1991", "1990"]).times.tolist(), header_times(["V1", "V2", "V3"])
        ([1992, 1991, 1990], None)
        >>> header_times(["2020-21", "2021-22", "2022-23"]).sentence
        'fiscal years by the year in which they begin'
    """
    texts = pd.Series([str(name).partition(" [")[0] for name in names], dtype="str")
    try:
        years = bool(texts.str.fullmatch(r"1[5-9]\d\d|2[0-4]\d\d").all())
        fiscal = fiscal_years(texts)
        if years:
            parsed = ParsedDates(texts.astype("int64"))
        elif fiscal is not None:
            parsed = ParsedDates(fiscal, sentence=FISCAL_YEARS)
        else:
            parsed = parse_dates(texts, Columns(), day_first)
    except AmbiguityError as error:
        raise error.changed("the header", row=None, column=None) from error
    except (DataError, IndexError):  # some are no times; there are none
        return None
    times = parsed.times
    is_even = times.is_unique and (times.is_monotonic_increasing or times.is_monotonic_decreasing)
    return parsed if len(times) >= _FEWEST_TIMES and is_even else None


def dated_columns(
    names: Sequence[str], day_first: bool | None = None
) -> tuple[list[str], ParsedDates | None]:
    """Return the columns that are named by times, without sums beside them, and the times; all and `None` without any.

    Args:
        names: The names of columns of numbers.
        day_first: As for `header_times`.

    Raises:
        AmbiguityError: As for `header_times`.

    Example:
        >>> dated_columns(["1990", "1991", "1992", "Total"])[0], dated_columns(["a", "b"])
        (['1990', '1991', '1992'], (['a', 'b'], None))
    """
    for after in range(_MOST_TOTALS + 1):
        for first in range(_MOST_TOTALS + 1):
            dated = list(names[first : len(names) - after])
            times = header_times(dated, day_first) if len(dated) >= _FEWEST_TIMES else None
            if times is not None:
                return dated, times
    return list(names), None


def numbers_rows(column: Any) -> bool:
    """Return whether a column numbers the rows of its table.

    Args:
        column: A pandas Series.

    Example:
        >>> import pandas as pd
        >>> [numbers_rows(pd.Series([1, 2, 3], name=name)) for name in ("#", "sold")]
        [True, False]
    """
    is_named = str(column.name).strip().lower() in _NUMBERS_ROWS and column.dtype.kind in "iuf"
    return is_named and bool((column.dropna().diff()[1:] == 1).all())


def _values(table: Any, keys: Sequence[str]) -> Any:
    """Return the columns of numbers of a table, without its keys."""
    numbers = table[
        [name for name in table.columns if name not in keys and holds_numbers(table[name])]
    ]
    numbers = numbers.assign(
        **{name: to_numbers(numbers[name]) for name in numbers.select_dtypes(exclude="number")}
    )
    if numbers.isna().all(axis=None):
        raise DataError(
            option="df", expected="at least one number", received="none", hint="Give some."
        )
    return numbers


def _of_rows(table: Any, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a series in each row as a long frame; rows without names are named by their numbers."""
    numbers = _values(table, [columns.unique_id])
    total = table[len(table) - ends_with_total(numbers, table.drop(columns=numbers.columns)) :]
    table = table.drop(total.index)
    numbers = numbers.drop(total.index)
    dated, times = dated_columns(list(numbers.columns), steps.day_first)
    values = numbers[dated].to_numpy(dtype=float)
    rows, places = np.nonzero(inside(~np.isnan(values).T).T)
    ids = table.get(columns.unique_id, default=pd.Series(range(1, len(table) + 1), dtype="str"))
    stamps = steps.stamps(np.arange(values.shape[1])) if times is None else pd.Index(times.times)
    long = {
        columns.unique_id: ids.array[rows],
        columns.ds: stamps[places],
        columns.value: values[rows, places],
    }
    said = filter(None, ("" if times is None else times.sentence, words_on(total, "at the end")))
    return LongRows(pd.DataFrame(long, index=table.index[rows]), ", ".join(said))


def _of_columns(table: Any, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a series in each column as a long frame."""
    table = _with_times(table, columns, steps)
    # A year and its month are the times together, and no series.
    keys = [
        columns.ds,
        *columns.ds.split(","),
        *(name for name in table.columns if numbers_rows(table[name])),
    ]
    numbers = _values(table, keys)
    values = numbers.to_numpy(dtype=float)
    series, rows = np.nonzero(inside(~np.isnan(values)).T)
    ids = numbers.columns.astype("str").array[series]
    times = table[columns.ds].array[rows]
    long = {columns.unique_id: ids, columns.ds: times, columns.value: values[rows, series]}
    return LongRows(pd.DataFrame(long, index=table.index[rows]))


def grid_columns(table: Any, name: str | None) -> list[str]:
    """Return the columns of a table with a month of a year in each, or a time of a day; none where there are no such.

    The times are the hours, or finer ones in even steps, from 0:00 on or by the ends of the steps.

    Args:
        table: A pandas frame.
        name: The column of the years or days.

    Example:
        >>> import pandas as pd
        >>> names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        >>> columns = grid_columns(pd.DataFrame(2001, range(3), ["Year", "Mean", *names]), "Year")
        >>> columns == names, grid_columns(pd.DataFrame({"day": [1]}), "day")
        (True, [])
    """
    if name not in table:
        return []
    names = [str(column) for column in table.columns if column != name]
    fiscal = fiscal_years(table[name])
    if fiscal is not None or holds_numbers(table[name]):
        numbers = _months_of_names(names)
        months = {number: name for name, number in reversed(numbers.items())}
        years = table[name] if fiscal is None else fiscal
        if len(months) < len(_MONTHS) or not years.between(*YEARS).all():
            return []
        order = sorted(_MONTHS, key=lambda month: names.index(months[month]))
        first = _MONTHS.index(order[0])
        is_turned = first > 0 and tuple(order) == (*_MONTHS[first:], *_MONTHS[:first])
        return [
            months[month] for month in (order if is_turned else _MONTHS if fiscal is None else ())
        ]
    clocks = dict[str, dict[int, str]]()
    for column in names:
        if found := _CLOCK.fullmatch(column.strip()):
            # The hour that clocks show twice has two columns, 3A and 3B, of which the first is on
            # every day.
            clocks.setdefault(found[1], {}).setdefault(
                int(found[2]) * 60 + int(found[3] or 0), column
            )
    for own in clocks.values():
        if next(iter(own)) > 0 and list(own)[-1] == 0:
            own[_DAY] = own.pop(0)
    return next(
        (
            [own[minute] for minute in sorted(own)]
            for own in clocks.values()
            if _fill_a_day(sorted(own))
        ),
        [],
    )


def count_parts(names: Sequence[str]) -> bool:
    """Return whether names count the quarters, months, weeks or days of a year or month: Q1 to Q4, 01 to 12.

    Args:
        names: Names of columns.

    Example:
        >>> count_parts(["Q1", "Q2", "Q3", "Q4"]), count_parts(["T1", "T2"]), count_parts(["Jan", "Feb", "Mar"])
        (True, False, True)
    """
    found = [_COUNTED.fullmatch(name.strip()) for name in names]
    if len(names) > 2 and len(month_numbers(names)) == len(names):
        return True
    counted = [(match[1], int(match[2])) for match in found if match]
    is_even = len({prefix for prefix, _ in counted}) == 1 and len(counted) == len(names)
    return (
        is_even
        and len(names) in _COUNTS
        and [number for _, number in counted] == list(range(1, len(names) + 1))
    )


def _months_of_names(names: Sequence[str]) -> dict[str, int]:
    """Return the months among the names of columns, 1 to 12: in words, or all of them in Roman numerals."""
    roman = {name: number for number, name in enumerate(_ROMAN, 1)}
    return (
        {name: roman[name] for name in names if name in roman}
        if {*_ROMAN} <= {*names}
        else month_numbers(names)
    )


def _fill_a_day(minutes: list[int]) -> bool:
    """Return whether minutes divide a day evenly into hours or less."""
    step = _DAY // len(minutes)
    return len(minutes) >= _HOURS and minutes in [
        list(range(first, _DAY + first, step)) for first in (0, step)
    ]


def fiscal_years(column: Any) -> Any:
    """Return the years in which fiscal years such as `2016-17` and `FY2016/17` begin; `None` for other columns.

    Args:
        column: A pandas Series.

    Example:
        >>> fiscal_years(pd.Series(["2016-17", "FY 2017/2018"])).tolist(), fiscal_years(pd.Series(["2016-10"]))
        ([2016, 2017], None)
    """
    found = column.astype("str").str.strip().str.extract(_FISCAL).astype("float")
    following = (found[0] + 1) % 100
    return found[0].astype("int64") if (following == found[1].fillna(following)).all() else None


def _of_grid(table: Any, columns: Columns, _steps: Steps) -> LongRows:
    """Return a table with the months of a year or the hours of a day in each row as a long frame."""
    names = grid_columns(table, columns.ds)
    if not names:
        expected = (
            "twelve columns named as months, or columns named as all hours of a day or finer times"
        )
        raise DataError(
            option="layout", expected=expected, received=", ".join(map(repr, table.columns[:24]))
        )
    # A column without numbers keeps its place.
    values = _values(table[names], []).reindex(columns=names).to_numpy(dtype=float)
    rows, places = np.nonzero(~np.isnan(values))
    first = table[columns.ds].iloc[rows].reset_index(drop=True)
    if len(names) == len(_MONTHS):
        months_of_names = _months_of_names(names)
        numbers = np.array([months_of_names[name] for name in names])
        months = numbers[places]
        years = first.astype(int) + (numbers < numbers[0])[places]
        stamps = pd.to_datetime({"year": years, "month": months, "day": 1}).dt.as_unit("us")
        said = f"years that begin with {names[0]!r}" if numbers[0] > 1 else ""
    else:
        stamps = first + pd.to_timedelta(places * (_DAY // len(names)), unit="min")
        said = ""
    long = {columns.ds: stamps.array, columns.value: values[rows, places]}
    if columns.unique_id in table:
        long = {columns.unique_id: table[columns.unique_id].array[rows], **long}
    return LongRows(pd.DataFrame(long, index=table.index[rows]), said)


def _of_steps(table: Any, columns: Columns, steps: Steps) -> LongRows:
    """Return a table with a row for each series and time as a long frame."""
    return LongRows(_with_times(table, columns, steps))


def _with_times(table: Any, columns: Columns, steps: Steps) -> Any:
    """Return a long or wide table with times; those that are not in it are counted in the order of its rows."""
    if columns.ds in table.columns:
        return table
    alone = columns.unique_id not in table.columns
    places = range(len(table)) if alone else table.groupby(columns.unique_id, sort=False).cumcount()
    return pd.concat([pd.Series(steps.stamps(places), table.index, name=columns.ds), table], axis=1)


LAYOUTS: dict[str, Layout] = {
    "long": Layout("a row for each series and time", _of_steps),
    "wide": Layout("a series in each column", _of_columns),
    "rows": Layout("a series in each row", _of_rows),
    "grid": Layout("a year or day in each row, its months or hours in the columns", _of_grid),
}
