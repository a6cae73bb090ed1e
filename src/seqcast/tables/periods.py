"""Weeks, months and quarters in text: the numbers and names of their years, and first days."""

from typing import NamedTuple

import pandas as pd

from seqcast.tables.vocabulary import WITHIN_YEARS

# Numbers of quarters, months and weeks of a year.
QUARTERS = 4
_MONTHS = 12
_WEEKS = 53
_MOST = {"quarter": QUARTERS, "month": _MONTHS, "week": _WEEKS}
# `2024-S1` and `2024-S2` alone are halves of a year.
_HALVES = 2
# How quarters, weeks and months are written; a quarter is a T in Romance languages, a K in Nordic
# ones. Of 2024KW01 to 2024KW04 alone, all are quarters, which so come first.
_WRITTEN = {
    "quarter": (
        r"(?P<year>\d{4})(?:[- /]?[QTK]|:|KW0)(?P<number>[1-4])"
        r"|(?:[QTK](?P<number_2>[1-4])|(?P<number_3>[1-4])(?:[QTK]|\.? ?Quartal))"
        r"[- /]?(?P<year_2>\d{2}(?:\d{2})?)"
    ),
    "week": (
        r"(?P<year>\d{4})[- ]?(?:K?W|S)(?P<number>\d{1,2})"
        r"|(?:KW|W|[Ww]eek) ?(?P<number_2>\d{1,2})(?:[-/ ]|, ?)(?P<year_2>\d{4})"
    ),
    "month": (
        r"(?P<year>\d{4})(?:[- ]?MM?(?P<number>\d{1,2})|:(?P<number_2>\d\d))"
        r"|0{0,2}(?P<number_3>[1-9]|1[0-2])[./-](?P<year_2>(?:19|20)\d\d)"
    ),
}


class ParsedDates(NamedTuple):
    """A column of times.

    Args:
        times: The times, a pandas Series.
        day_first: Whether the day comes first; `None` for formats in which that is plain.
        sentence: Which moment of a longer period a time stands for, in words; nothing for moments.
    """

    times: pd.Series
    day_first: bool | None = None
    sentence: str = ""


def numbered_parts(column: pd.Series) -> ParsedDates | None:
    """Return `2015-1` to `2015-4` of several years as quarters, and `2015-40` as weeks.

    They become their first days. Months, and other columns, are `None`. Weeks have the word in the
    name of the column, or numbers beyond twelve.

    Args:
        column: A pandas Series of text.
    """
    found = column.str.extract(r"^(\d{4})-(\d{1,2})$")
    if found.isna().any(axis=None):
        return None

    years = found[0]
    numbers = found[1].astype("int64")
    part = named_part(column.name)
    if part is None and numbers.max() > _MONTHS + 1:  # a thirteenth period is none of a week
        part = "week"
    elif part is None and column.str.len().max() == len("2015-1"):
        are_quarters = years.nunique() > 1 and numbers.nunique() == QUARTERS
        part = "quarter" if are_quarters else None

    if part not in ("week", "quarter") or not numbers.between(1, _MOST[part]).all():
        return None
    return first_days(part, years, numbers)


def named_part(name: object) -> str | None:
    """Return `week`, `month` or `quarter` if the name of a column says so; else `None`.

    Args:
        name: The name.

    Example:
        >>> named_part("Kalenderwoche"), named_part("date")
        ('week', None)
    """
    return next((part for part, words in WITHIN_YEARS.items() if words.is_within(str(name))), None)


def first_days(part: str, years: pd.Series, numbers: pd.Series) -> ParsedDates:
    """Return weeks, months or quarters by their first day.

    Args:
        part: `week`, `month` or `quarter`.
        years: The years, as text.
        numbers: Their numbers within the year.
    """
    if part == "week":
        text = years + numbers.astype("str").str.zfill(2) + "1"
        mondays = pd.to_datetime(text, format="%G%V%u", errors="coerce")
        return ParsedDates(mondays, sentence="weeks by their Monday")

    months = numbers if part == "month" else 3 * numbers - 2
    first = pd.to_datetime(years + "-" + months.astype("str"), format="%Y-%m", errors="coerce")
    return ParsedDates(first, sentence=f"{part}s by their first day")


def periods_of(column: pd.Series) -> ParsedDates | None:
    """Return weeks, months or quarters by their first day; `None` where a row is none.

    Args:
        column: A pandas Series of text.

    Example:
        >>> periods_of(pd.Series(["2024Q1", "2024Q2"])).sentence
        'quarters by their first day'
    """
    for part, written in _WRITTEN.items():
        found = column.str.extract(f"^(?:{written})$")
        years = _first_known(found, "year")
        places = _first_known(found, "number")
        if years.notna().all() and places.notna().all():
            years = years.where(years.str.len() == 4, "20" + years)
            return _periods(part, column, years, places.astype("int64"))
    return None


def _first_known(found: pd.DataFrame, group: str) -> pd.Series:
    return found.filter(like=group).bfill(axis=1).iloc[:, 0]


def _periods(
    part: str, column: pd.Series, years: pd.Series, numbers: pd.Series
) -> ParsedDates | None:
    """Return periods that are written as parts of years; `None` where the numbers are none."""
    if part == "month":
        # 1/2024 is a month, except in a column of weeks or quarters.
        part = named_part(column.name) or part
    if part == "week" and numbers.max() <= _HALVES and column.str.contains("S").all():
        return None
    return first_days(part, years, numbers) if numbers.max() <= _MOST[part] else None
