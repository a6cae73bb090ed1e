"""Names of months in the languages of Europe, Chinese, Japanese, Korean and others.

`month_names.csv` has the names and abbreviations of each language, from Unicode CLDR 49. A few
words are two months: `listopad` is November in Polish and October in Croatian. So the other names
of a column decide its language.
"""

import csv
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

# Names in English, as pandas reads them.
ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_numbers(names: Iterable[str]) -> dict[str, int]:
    """Return the months among some names, 1 to 12, in the languages that know the most of them.

    Args:
        names: The names; those that are no month, or two months in these languages, are left out.

    Example:
        >>> month_numbers(["août", "Sept.", "Total"])
        {'août': 8, 'Sept.': 9}
        >>> month_numbers(["listopad"]), month_numbers(["listopad", "styczeń"])
        ({}, {'listopad': 11, 'styczeń': 1})
    """
    plain = {name: name.strip(" .").lower() for name in names}
    known = [
        {name: months[word] for name, word in plain.items() if word in months}
        for months in _languages()
    ]
    most = max(map(len, known))
    found: dict[str, set[int]] = {}
    for months in known:
        if most and len(months) == most:
            for name, number in months.items():
                found.setdefault(name, set()).add(number)
    return {name: min(numbers) for name, numbers in found.items() if len(numbers) == 1}


@cache
def _languages() -> list[dict[str, int]]:
    """Return the months of each language, by their names with and without accents."""
    text = files(__package__).joinpath("month_names.csv").read_text(encoding="utf-8")
    languages = []
    for row in csv.DictReader(text.splitlines()):
        names = {name: month for month in range(1, 13) for name in row[str(month)].split("|")}
        languages.append({_without_accents(name): month for name, month in names.items()} | names)
    return languages


def _without_accents(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
