"""Weeks, months and quarters in text: the numbers and names of their years, and their first days."""

from typing import Any, NamedTuple

import pandas as pd

from seqcast.tables.vocabulary import WITHIN_YEARS

# Numbers of quarters, months and weeks of a year.
QUARTERS = 4
_MONTHS = 12
_WEEKS = 53
# `2024-S1` and `2024-S2` alone are halves of a year.
_HALVES = 2
# Weeks, months and quarters; a quarter is a T in Romance languages, a K in Nordic ones.
_WEEK = r"(?P<a>\d{4})[- ]?(?:K?W|S)(?P<b>\d{1,2})|(?:KW|W|[Ww]eek) ?(?P<c>\d{1,2})(?:[-/ ]|, ?)(?P<d>\d{4})"
_MONTH = r"(?P<a>\d{4})(?:[- ]?MM?(?P<b>\d{1,2})|:(?P<c>\d\d))|0{0,2}(?P<e>[1-9]|1[0-2])[./-](?P<d>(?:19|20)\d\d)"
_QUARTER = r"(?P<a>\d{4})(?:[- /]?[QTK]|:|KW0)(?P<b>[1-4])"
_QUARTER += r"|(?:[QTK](?P<c>[1-4])|(?P<e>[1-4])(?:[QTK]|\.? ?Quartal))[- /]?(?P<d>\d{2}(?:\d{2})?)"
_WEEK = f"^(?:{_WEEK})$"
_MONTH = f"^(?:{_MONTH})$"
_QUARTER = f"^(?:{_QUARTER})$"


class ParsedDates(NamedTuple):
    """A column of times.

    Args:
        times: The times, a pandas Series.
        day_first: Whether the day comes first; `None` for formats in which that is plain.
        sentence: Which moment of a longer period a time stands for, in words; nothing for moments.
    """

    times: Any
    day_first: bool | None = None
    sentence: str = ""


def numbered_parts(column: Any) -> ParsedDates | None:
    """Return `2015-1` to `2015-4` of several years as quarters, and `2015-40` as weeks, by their first day.

    Months, and other columns, are `None`. Weeks have the word in the name of the column, or numbers
    beyond twelve.

    Args:
        column: A pandas Series of text.
    """
    found = column.str.extract(r"^(\d{4})-(\d{1,2})$")
    if found.isna().any(axis=None):
        return None
    years = found[0]
    numbers = found[1].astype("int64")
    part = named_part(column.name)
    # A thirteenth period is none of a week.
    if part == "week" or (part is None and numbers.max() > _MONTHS + 1):
        return first_days("week", years, numbers) if numbers.between(1, _WEEKS).all() else None
    may_be_quarters = part is None and column.str.len().max() == len("2015-1")
    are_quarters = part == "quarter" or (
        may_be_quarters and years.nunique() > 1 and numbers.nunique() == QUARTERS
    )
    if not are_quarters or not numbers.between(1, QUARTERS).all():
        return None
    return first_days("quarter", years, numbers)


def named_part(name: Any) -> str | None:
    """Return `week`, `month` or `quarter` if the name of a column says so; else `None`.

    Args:
        name: The name.

    Example:
        >>> named_part("Kalenderwoche"), named_part("date")
        ('week', None)
    """
    return next((part for part, words in WITHIN_YEARS.items() if words.is_within(str(name))), None)


def first_days(part: str, years: Any, numbers: Any) -> ParsedDates:
    """Return weeks, months or quarters by their first day.

    Args:
        part: `week`, `month` or `quarter`.
        years: The years, as text.
        numbers: Their numbers within the year.
    """
    if part == "week":
        text = years + numbers.astype("str").str.zfill(2) + "1"
        return ParsedDates(
            pd.to_datetime(text, format="%G%V%u", errors="coerce"), sentence="weeks by their Monday"
        )
    months = numbers if part == "month" else 3 * numbers - 2
    first = pd.to_datetime(years + "-" + months.astype("str"), format="%Y-%m", errors="coerce")
    return ParsedDates(first, sentence=f"{part}s by their first day")


def periods_of(column: Any) -> ParsedDates | None:
    """Return weeks, months or quarters by their first day; `None` where a row is none.

    Args:
        column: A pandas Series of text.

    Example:
        >>> periods_of(pd.Series(["2024Q1", "2024Q2"])).sentence
        'quarters by their first day'
    """
    text = column.str
    # Of 2024KW01 to 2024KW04 alone, all are quarters.
    parts = {
        "quarter": text.extract(_QUARTER),
        "week": text.extract(_WEEK),
        "month": text.extract(_MONTH),
    }
    for part, extracted in parts.items():
        found = extracted.reindex(columns=list("abcde"))
        year = found["a"].fillna(found["d"])
        place = found["b"].fillna(found["c"]).fillna(found["e"])
        if year.isna().any() or place.isna().any():
            continue
        numbers = place.astype("int64")
        # 1/2024 is a month, except in a column of weeks or quarters.
        part = named_part(column.name) or part if part == "month" else part
        are_halves = part == "week" and numbers.max() <= _HALVES and text.contains("S").all()
        fits = numbers.max() <= {"quarter": QUARTERS, "month": _MONTHS, "week": _WEEKS}[part]
        return (
            None
            if are_halves or not fits
            else first_days(part, year.where(year.str.len() == 4, "20" + year), numbers)
        )
    return None
