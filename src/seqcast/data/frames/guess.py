"""Guesses of the roles of a table's columns: time, series, value and covariates.

A guess is shown to a person, who corrects it; no forecast uses it unseen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.frames.dates import is_text, parse_dates, without_long
from seqcast.errors import DataError
from seqcast.specs import Columns

# Names of columns, as people write them, the likeliest first.
TIMES: tuple[str, ...] = ("ds", "timestamp", "datetime", "date_time", "date", "time")
TIMES += ("day", "week", "month", "quarter", "year", "period")
IDS = ("unique_id", "id", "series", "series_id", "item_id", "item", "sku", "product", "store", "shop", "name", "key")
VALUES = ("y", "value", "target", "sales", "sold", "demand", "quantity", "qty", "count", "units", "amount", "close")

# Number of rows that a guess reads.
ROWS_LOOKED_AT = 5_000
# Fraction of a column's values that have to be times.
READ_AS_TIMES = 0.95
# Whole numbers between these are years.
YEARS = (1500, 2500)


@dataclass(frozen=True)
class ColumnGuess:
    """Guessed roles of the columns of a table.

    Args:
        time: The column of the times; `None` if no column could be.
        unique_id: The column that names the series; `None` for a single series or a wide table.
        value: The column of the values; `None` for a wide table, or if no column could be.
        wide: Whether each of the other columns of numbers is a series.
        static: Columns that are constant within each series.
        future: Columns that are known beyond the last value.
        past: The others.
    """

    time: str | None
    unique_id: str | None = None
    value: str | None = None
    wide: bool = False
    static: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    past: tuple[str, ...] = ()


def guess_columns(table: Any) -> ColumnGuess:
    """Guess the roles of a table's columns by their names and values.

    Args:
        table: A pandas frame, as `seqcast.data.frames.io.read_raw` returns it.

    Returns:
        The guess.

    Example:
        >>> import pandas as pd
        >>> rows = {"Day": ["2024-01-01", "2024-01-02"] * 2, "Shop": ["a", "a", "b", "b"], "Sold": [1.0, 2.0, 3.0, 4.0]}
        >>> guess_columns(pd.DataFrame(rows))
        ColumnGuess(time='Day', unique_id='Shop', value='Sold', wide=False, static=(), future=(), past=())
        >>> wide = pd.DataFrame({"day": ["2024-01-01", "2024-01-02"], "north": [1.0, 2.0], "south": [3.0, 4.0]})
        >>> guess_columns(wide).wide
        True
    """
    head = table.head(ROWS_LOOKED_AT)
    names = [str(name) for name in table.columns]
    time = _guess_time(head, names)
    others = [name for name in names if name != time]
    numbers = [name for name in others if _is_number(head[name])]
    unique_id = _guess_id(table, time, others, numbers)
    numbers = [name for name in numbers if name != unique_id]
    named = _by_name(numbers, VALUES)
    if unique_id is None and time is not None and named is None and len(numbers) >= 2 and table[time].is_unique:
        return ColumnGuess(time, wide=True)
    # Text in a column of that name becomes an error that names its cell.
    value = named or next(iter(numbers), None) or _by_name([name for name in others if name != unique_id], VALUES)
    rest = [name for name in others if name not in (unique_id, value)]
    static, future, past = _guess_covariates(table, time, unique_id, value, rest)
    return ColumnGuess(time, unique_id, value, static=static, future=future, past=past)


def _by_name(names: Sequence[str], likely: Sequence[str]) -> str | None:
    """Return the name that is likeliest: the whole name is one of those, or one of its words is."""
    lowered = {name: name.strip().lower().replace(" ", "_").replace("-", "_") for name in names}
    for wanted in likely:
        for name, text in lowered.items():
            if text == wanted:
                return name
    for wanted in likely:
        for name, text in lowered.items():
            if len(wanted) > 1 and wanted in text.split("_"):
                return name
    return None


def _is_number(column: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _as_times(column: Any) -> Any:
    """Return a column of text as times, `NaT` where a value is no time; other columns unchanged."""
    import pandas as pd

    if not is_text(column):
        return column
    try:
        return parse_dates(column, Columns(), None)[0]
    except DataError:
        # Some values are no times, or are ambiguous, which is an error once the file is read.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.to_datetime(without_long(column), errors="coerce", format="mixed", dayfirst=True, utc=True)


def _could_be_time(column: Any) -> bool:
    """Return whether a column holds times, text that reads as times, or years."""
    import pandas as pd

    known = column.dropna()
    if not len(known):
        return False
    if _is_number(column):
        whole = bool((known % 1 == 0).all())
        return whole and bool(known.between(*YEARS).all())
    read = _as_times(known)
    return bool(pd.api.types.is_datetime64_any_dtype(read)) and float(read.notna().mean()) >= READ_AS_TIMES


def _guess_time(head: Any, names: Sequence[str]) -> str | None:
    could = [name for name in names if _could_be_time(head[name])]
    named = _by_name(names, TIMES)
    exact = named is not None and named.strip().lower() in TIMES
    if named is not None and (named in could or exact or _is_number(head[named])):
        return named
    if could:
        return _by_name(could, TIMES) or could[0]
    # Steps may be counted: whole numbers that only grow, or start again with each series.
    for name in names:
        column = head[name]
        if _is_number(column) and len(column) > 1 and not column.isna().any() and bool((column % 1 == 0).all()):
            steps = np.diff(column.to_numpy())
            if (steps == 1).mean() > 0.5:
                return name
    return None


def _guess_id(table: Any, time: str | None, others: Sequence[str], numbers: Sequence[str]) -> str | None:
    """Return the column in which no value has a time twice."""
    known = set(numbers)
    candidates = [name for name in others if name not in known]
    named = _by_name(others, IDS)
    if named is not None:
        candidates = [named, *(name for name in candidates if name != named)]
    if time is not None and table[time].is_unique:
        return named
    for name in candidates:
        if time is not None and not table.duplicated([name, time]).any():
            return name
    return named


def _guess_covariates(
    table: Any, time: str | None, unique_id: str | None, value: str | None, rest: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return which columns are static, known ahead, and neither."""
    static, future, past = [], [], []
    ahead = None if time is None or value is None else _at_ends(table, time, unique_id, value)
    for name in rest:
        column = table[name]
        if column.isna().all():
            continue
        if unique_id is not None and _is_static(table, unique_id, name):
            static.append(name)
        elif ahead is not None and bool(column[ahead].notna().any()):
            future.append(name)
        else:
            past.append(name)
    return tuple(static), tuple(future), tuple(past)


def _is_static(table: Any, unique_id: str, name: str) -> bool:
    return bool((table.groupby(unique_id, observed=True)[name].nunique(dropna=False) == 1).all())


def _at_ends(table: Any, time: str, unique_id: str | None, value: str) -> Any:
    """Return which rows come after the last value of their series, in any order of the rows."""
    times = _as_times(table[time])
    known = times.where(table[value].notna())
    last = known.max() if unique_id is None else known.groupby(table[unique_id], observed=True).transform("max")
    return times > last
