"""Dates without marks, as whole numbers: 20240131, 31012024, 2024031; and days as spreadsheets number them."""

from typing import Any

import pandas as pd

from seqcast.data.frames import parse_stamps
from seqcast.errors import DataError, Option, Phrase
from seqcast.tables.dates import in_two_ways, most_even
from seqcast.tables.periods import QUARTERS, first_days, named_part
from seqcast.tables.vocabulary import DATES

# Smallest and largest whole numbers of dates without marks, by their digits; a zero before the
# first is not written.
_DIGITS = {
    6: (10_100, 999_999),
    7: (1_900_001, 2_100_366),
    8: (1_010_000, 99_999_999),
    10: (1_900_010_100, 2_100_123_123),
    12: (190_001_010_000, 210_012_312_359),
    14: (19_000_101_000_000, 21_001_231_235_959),
}
# Formats of dates without marks, and their number of digits.
_DIGIT_STYLES = {
    "%Y%m%d%H%M%S": 14,
    "%Y%m%d%H%M": 12,
    "%Y%m%d%H": 10,
    "%d%m%Y": 8,
    "%m%d%Y": 8,
    "%Y%m%d": 8,
    "%Y%j": 7,
    "%Y%m": 6,
    "%G%V": 6,
    "%y%m%d": 6,
    "%d%m%y": 6,
    "%m%d%y": 6,
}
# Formats that frames recognise by themselves; years of such dates.
_OF_FRAMES = ("%Y%m%d", "%Y%m")
_YEARS_OF_DIGITS = (1900, 2100)
# Years with a month or week, as 202401, or with a day, as 2024366; fraction of numbers that have to
# be dates.
_YEARS_AND_PARTS = (190_001, 210_053)
_YEARS_AND_DAYS = (1_900_001, 2_100_366)
_MOSTLY_DIGITS = 0.5
# Numbers of days since 1900 in the years 1954 to 2119.
_SERIALS = (20_000, 80_000)
# Most periods of a fiscal year.
_PERIODS = 16


def digits_as_times(column: Any) -> tuple[Any, str]:
    """Return whole numbers that are dates without marks as times, and the format; `""` where they are none.

    Days and months that begin with four digits of the year stay numbers, because frames may have
    them too.

    Args:
        column: A pandas Series of whole numbers.

    Raises:
        AmbiguityError: They are dates in several formats.
        DataError: Most are dates, but not all.

    Example:
        >>> times, style = digits_as_times(pd.Series([31122023, 1012024, 2012024]))
        >>> times.dt.strftime("%Y-%m-%d").tolist(), style
        (['2023-12-31', '2024-01-01', '2024-01-02'], '%d%m%Y')
        >>> digits_as_times(pd.Series([10101, 10102, 10103]))[1]
        ''
    """
    known = column.dropna().drop_duplicates()
    _check_serials(known)
    least, most = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    widths = [width for width, (low, high) in _DIGITS.items() if low <= least and most <= high]
    begins_with_year = _YEARS_AND_PARTS[0] <= least and most <= _YEARS_AND_PARTS[1]
    has_days = _YEARS_AND_DAYS[0] <= least and most <= _YEARS_AND_DAYS[1]
    if not widths or (
        not (begins_with_year or has_days) and (known.sort_values().diff().dropna() == 1).all()
    ):
        return column, ""

    numbers = known.astype("int64").to_numpy()
    read = {}
    for style, width in _DIGIT_STYLES.items():
        if width in widths:
            times: Any = pd.Series(parse_stamps(numbers, style), known.index)
            times = times.where(times.dt.year.between(*_YEARS_OF_DIGITS))
            if times.notna().mean() >= _MOSTLY_DIGITS:
                read[style] = times
    if begins_with_year:
        # The name of the column says whether 202401 is a week or a month.
        part = named_part(column.name)
        if part == "quarter" and (known % 100).between(1, QUARTERS).all():
            first = first_days("quarter", (known // 100).astype("str"), known % 100).times
            return column.map(dict(zip(known, first, strict=True))), "years and quarters"
        style = "%G%V" if part == "week" else "%Y%m"
        read = {each: times for each, times in read.items() if each == style} or read
    if has_days and known.mod(1000).max() <= _PERIODS and known.floordiv(1000).nunique() > 1:
        # Periods of fiscal years, such as 2022016, are no days.
        read.pop("%Y%j", None)
    whole = {style: times for style, times in read.items() if times.notna().all()}
    if not read:
        return column, ""
    if not whole:
        style = max(read, key=lambda each: read[each].notna().mean())
        place = int(read[style].isna().to_numpy().argmax())
        row = int((column == known.iloc[place]).to_numpy().argmax())
        received = str(known.iloc[place])
        hint = "Correct it."
        raise DataError(
            column=column.name, row=row, expected=f"a date as {style}", received=received, hint=hint
        )

    style, *others = most_even(whole)
    if others:
        answers = [Option("columns.ds_format", each) for each in (style, *others)]
        written = [each for each in whole if each in (style, *others)]
        received = f"{int(known.iloc[0])}, which may be written as {' or '.join(written)}"
        raise in_two_ways(column, received, Phrase("Name the format: ", answers[0], "."), answers)
    if style in _OF_FRAMES:
        return column, style
    return column.map(dict(zip(known, whole[style], strict=True))), style


def _check_serials(numbers: Any) -> None:
    """Reject days as spreadsheets number them, such as 45292 for 2024-01-01.

    Raises:
        DataError: A column called as dates has such numbers.
    """
    least, most = _SERIALS
    if DATES.is_name(str(numbers.name)) and len(numbers) and numbers.between(least, most).all():
        hint = "Write them as dates: in a spreadsheet, format the column as a date."
        received = f"{int(numbers.iloc[0])}, which may be a day as spreadsheets number them"
        raise DataError(column=numbers.name, row=0, expected="dates", received=received, hint=hint)
