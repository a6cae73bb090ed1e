"""What the name and the values of a column say of it: words for times, series and values, counters, flags, years."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import pandas as pd

from seqcast.data.frames import is_text
from seqcast.tables.dates import READ_AS_TIMES, words_of

# Names of columns, as people write them, the likeliest first.
TIMES = words_of("""ds timestamp datetime date_time date time day week month quarter year period elapsed datum zeit
    monat jahr fecha tiempo periodo mes mois temps période tempo data mese tid maand""")
IDS = words_of("""unique_id id series series_id item_id item sku product store shop name key dept department
    category family region country state city location site station sensor meter branch customer symbol ticker
    stock code line""")
VALUES = words_of("""y value target sales sold demand quantity qty count units amount attendance close menge absatz
    umsatz wert ventes ventas vendite valor valeur obs_value sessions visitors visits guests customers orders
    revenue turnover""")
# Those that name a value whatever stands beside it.
SURE = VALUES[: VALUES.index("count")]
# What instruments measure; what is measured or set beside a value, and fields of the calendar.
MEASURED = words_of("""temperature temp humidity pressure wind rain precipitation""")
BESIDE = MEASURED + words_of("""price promo promotion discount holiday open high low cost budget hour
    forecast prognose prévision plan 予測 预测 計画 计划 pronóstico previsione prognoza tahmin dayofweek dow day week
    weekday weekend month quarter year profit staff personal employees preis prix precio prezzo aktion pvp cena
    fiyat battery batterie rssi latitude longitude lat lon lng capacity kapasitet""")
# Words for an hour, and for a year.
HOUR_WORDS = words_of("hour stunde uur heure hora ora óra godzina hodina saat timme tunti jam")
YEAR_WORDS = words_of("year jahr année annee año ano anno år ar jaar rok vuosi yıl")

# Seconds since 1970 from 1973 on; smaller numbers are steps.
_SINCE_1970 = 10**8
# Kinds of types of numbers.
_NUMERIC = "iuf"
# Columns that are series have values of like size, and more columns than this are series in any case.
LIKE_SIZE, MANY = 20.0, 20
# Fewest steps of a counter, and of a series in a row.
FEWEST_STEPS = 6
# Numbers that a calendar gives to times, beside weeks.
_CALENDAR = ("year", "quarter", "month", "day", "dayofyear", "dayofweek", "hour")


def groups(names: Iterable[str], likely: Sequence[str]) -> list[list[str]]:
    """Return the names that are a likely word, and those of which one word is, word by word, the likeliest first."""
    plain = {name: re.sub(r"[ \-.]", "_", name.strip().lower()) for name in names}
    whole = [[name for name in plain if plain[name] == word] for word in likely]
    parts = [[name for name in plain if len(word) > 1 and _has_word(plain[name], word)] for word in likely]
    return [group for group in whole + parts if group]


def _has_word(name: str, word: str) -> bool:
    """Return whether a word is a part of a name; the first or last one before a unit if it is a word for values."""
    words = [each for each in re.sub(r"[(\[].*", "", name).split("_") if each] or [name]
    if not word.isascii():  # Chinese and Japanese write no spaces
        return word in name
    return word in ((words[0], words[-1]) if word in VALUES else name.split("_"))


def ranked(names: Iterable[str], likely: Sequence[str]) -> list[str]:
    """Return the names that are likely, the likeliest first."""
    return list(dict.fromkeys(chain.from_iterable(groups(names, likely))))


def is_whole(column: Any) -> bool:
    """Return whether a column holds whole numbers."""
    return column.dtype.kind in _NUMERIC and bool((column.dropna() % 1 == 0).all())


def counts(column: Any, is_named: bool) -> bool:
    """Return whether most whole numbers are one more than the one before, or with a name of times in equal steps."""
    steps = column.diff()[1:]
    step = steps.median() if is_named or column.min() > _SINCE_1970 else 1
    return step > 0 and float((steps == step).mean()) > 0.5


def goes_round(column: Any, *spans: tuple[int, int]) -> bool:
    """Return whether whole numbers count by ones from the first to the last number of a span, and begin again."""
    first, last = column.min(), column.max()
    return (first, last) in spans and column.diff()[1:].isin((0, 1, first - last)).mean() > READ_AS_TIMES


def calendar_columns(digits: Any, times: Any) -> list[str]:
    """Return the columns whose numbers a calendar gives to the times again and again: weeks, days, hours."""
    if not pd.api.types.is_datetime64_any_dtype(times):
        return []
    fields = (times.dt.isocalendar().week, *(getattr(times.dt, name) for name in _CALENDAR))
    again = [field for field in fields if field.nunique() < times.nunique()]
    return [name for name in digits if any(_counts_as(digits[name], field) for field in again)]


def _counts_as(numbers: Any, field: Any) -> bool:
    """Return whether numbers are those of a field of the calendar, which counts from 0 or 1 on."""
    # Most columns begin otherwise.
    if not abs(numbers.iloc[0] - field.iloc[0]) <= 1:
        return False
    return bool(numbers.nunique() > 1 and (numbers - field).nunique() == 1)


def has_years(column: Any) -> bool:
    """Return whether a column holds text in which years are, as in times of an unknown format."""
    if not is_text(column) or column.isna().all():
        return False
    years = column.dropna().astype("str").str.contains(r"(?<!\d)(?:19|20)\d\d(?!\d)")
    return float(years.mean()) >= READ_AS_TIMES and column.nunique() > 2


def is_counter(column: Any, steps: Any) -> bool:
    """Return whether a column numbers rows or days: whole numbers in steps of one, which may begin again.

    A column that only grows may be a value, such as a population or a total of cases.
    """
    if not is_whole(column) or steps.count() < FEWEST_STEPS:
        return False
    return bool((steps.dropna() == 1).mean() > 0.9)


def is_flag(column: Any) -> bool:
    """Return whether numbers are all the same, yes and no, or one of two codes."""
    few = 1 + (len(column) > MANY)
    return column.dtype.kind in _NUMERIC and (column.nunique() <= few or bool(column.dropna().isin((0, 1)).all()))


def are_series(head: Any, names: Sequence[str]) -> bool:
    """Return whether columns of numbers are alike, so that each of them may be a series."""
    named = groups(names, (*VALUES, *BESIDE))
    if named and max(map(len, named)) < len(names):
        return False
    if are_alike(names):
        return True
    sizes = [float(pd.to_numeric(head[name], errors="coerce").abs().mean()) for name in names]
    return max(sizes) <= LIKE_SIZE * min(sizes)


def are_alike(names: Sequence[str]) -> bool:
    """Return whether names are many, differ in a number, or are codes of one length."""
    codes = {len(name) if re.fullmatch("[A-Z]{2,4}", name) else 0 for name in names}
    return len(names) > MANY or len({re.sub(r"\d+", "", name) for name in names}) == 1 or codes in ({2}, {3}, {4})
