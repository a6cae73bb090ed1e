"""Dates without marks, as whole numbers: 20240131, 31012024, 2024031; days of spreadsheets."""

from collections.abc import Mapping

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
# Formats that frames recognise by themselves.
_OF_FRAMES = ("%Y%m%d", "%Y%m")
# Years of dates without marks.
_YEARS_OF_DIGITS = (1900, 2100)
# Years with a month or week, as 202401.
_YEARS_AND_PARTS = (190_001, 210_053)
# Years with a day, as 2024366.
_YEARS_AND_DAYS = (1_900_001, 2_100_366)
# Fraction of numbers that have to be dates.
_MOSTLY_DIGITS = 0.5
# Numbers of days since 1900 in the years 1954 to 2119.
_SERIALS = (20_000, 80_000)
# Most periods of a fiscal year.
_PERIODS = 16


def digits_as_times(column: pd.Series) -> tuple[pd.Series, str]:
    """Return whole numbers that are dates without marks as times, and the format.

    The format is `""` where they are none. Days and months that begin with four digits of the year
    stay numbers, because frames may have them too.

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
    numbers = column.dropna().drop_duplicates()
    if not len(numbers):
        return column, ""
    _check_serials(numbers)

    has_parts = _are_within(numbers, _YEARS_AND_PARTS)
    has_days = _are_within(numbers, _YEARS_AND_DAYS)
    counts_up = bool((numbers.sort_values().diff().dropna() == 1).all())
    if counts_up and not (has_parts or has_days):
        return column, ""

    read = _readings(numbers)
    if has_parts:
        # The name of the column says whether 202401 is a week, a month or a quarter.
        part = named_part(column.name)
        if part == "quarter" and (numbers % 100).between(1, QUARTERS).all():
            first = first_days("quarter", (numbers // 100).astype("str"), numbers % 100).times
            return column.map(dict(zip(numbers, first, strict=True))), "years and quarters"
        meant = "%G%V" if part == "week" else "%Y%m"
        read = {meant: read[meant]} if meant in read else read
    if has_days and (numbers % 1000).max() <= _PERIODS and (numbers // 1000).nunique() > 1:
        # Periods of fiscal years, such as 2022016, are no days.
        read.pop("%Y%j", None)
    if not read:
        return column, ""

    style = _only_style(column, numbers, read)
    if style in _OF_FRAMES:
        return column, style
    return column.map(dict(zip(numbers, read[style], strict=True))), style


def _are_within(numbers: pd.Series, bounds: tuple[int, int]) -> bool:
    return bool(numbers.between(*bounds).all())


def _readings(numbers: pd.Series) -> dict[str, pd.Series]:
    """Return numbers as times, by each format in which most are dates."""
    read = {}
    for style, width in _DIGIT_STYLES.items():
        if _are_within(numbers, _DIGITS[width]):
            stamps = parse_stamps(numbers.astype("int64").to_numpy(), style)
            times: pd.Series = pd.Series(stamps, numbers.index)
            times = times.where(times.dt.year.between(*_YEARS_OF_DIGITS))
            if times.notna().mean() >= _MOSTLY_DIGITS:
                read[style] = times
    return read


def _only_style(column: pd.Series, numbers: pd.Series, read: Mapping[str, pd.Series]) -> str:
    """Return the format in which all numbers are dates, and reject several or none."""
    whole = {style: times for style, times in read.items() if times.notna().all()}
    if not whole:
        style = max(read, key=lambda each: read[each].notna().mean())
        number = numbers[read[style].isna()].iloc[0]
        raise DataError(
            column=str(column.name),
            row=int((column == number).to_numpy().argmax()),
            expected=f"a date as {style}",
            received=str(number),
            hint="Correct it.",
        )

    style, *others = most_even(whole)
    if others:
        answers = [Option("columns.ds_format", each) for each in (style, *others)]
        written = [each for each in whole if each in (style, *others)]
        received = f"{int(numbers.iloc[0])}, which may be written as {' or '.join(written)}"
        raise in_two_ways(column, received, Phrase("Name the format: ", answers[0], "."), answers)
    return style


def _check_serials(numbers: pd.Series) -> None:
    """Reject days as spreadsheets number them, such as 45292 for 2024-01-01.

    Raises:
        DataError: A column called as dates has such numbers.
    """
    if DATES.is_name(str(numbers.name)) and _are_within(numbers, _SERIALS):
        raise DataError(
            column=str(numbers.name),
            row=0,
            expected="dates",
            received=f"{int(numbers.iloc[0])}, which may be a day as spreadsheets number them",
            hint="Write them as dates: in a spreadsheet, format the column as a date.",
        )
