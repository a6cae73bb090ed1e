"""What stands in a table beside its series: columns and rows that are sums of others."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from seqcast.data.frames.dates import is_text, is_time
from seqcast.runtime import Array

# Words for a total.
_TOTAL = re.compile(
    r"(?<![^\W_])(?:(?:grand|sub)?totals?|summe?|summa|gesamt\w*|insgesamt|sommes?|totaux|toplam\w*|somma|suma|totale"
    r"|totaal|razem|ogółem)(?![^\W_])|合計|小計|总计|合计|總計|합계|^[計计]$|^\*+$",
    re.IGNORECASE,
)
# Rows that are looked at; longer tables are not searched for rows of totals.
_ROWS_LOOKED_AT, _ROWS_SEARCHED = 5_000, 200_000
# Fraction of rows in which a column is the sum of others; the fewest different sums; columns of which some may have one.
_MOSTLY, _FEWEST_SUMS, _FEW_COLUMNS = 0.9, 8, 8


def sum_columns(numbers: Any) -> list[str]:
    """Return the columns that are the sum of all other ones or, among a few columns, of some that all stand on one side.

    Args:
        numbers: A pandas frame with columns of numbers; text in them is none.

    Example:
        >>> table = pd.DataFrame({"north": range(9), "south": range(20, 11, -1), "all": [20] * 9})
        >>> sum_columns(table.assign(all=[20.0, 20, 20, 21, 22, 23, 24, 25, 26], north=[0, 1, 2, 4, 6, 8, 10, 12, 14]))
        ['all']
    """
    digits = numbers.head(_ROWS_LOOKED_AT).apply(pd.to_numeric, errors="coerce").fillna(0)
    names = list(digits.columns)
    while len(names) > 2:
        values = digits[names].to_numpy(dtype=float)
        found = next((place for place in reversed(range(len(names))) if _is_sum(values, place)), None)
        if found is None:
            break
        names.pop(found)
    return [name for name in digits.columns if name not in names]


def _is_sum(values: Array, place: int) -> bool:
    """Return whether a column is a sum of others; values are `[rows, columns]`."""
    total, before, after = values[:, place], values[:, :place], values[:, place + 1 :]
    if len(np.unique(total)) < _FEWEST_SUMS:
        return False
    groups = [np.hstack([before, after])]
    for parts in (before, after):
        if values.shape[1] <= _FEW_COLUMNS:
            chosen = np.array(list(product((False, True), repeat=parts.shape[1])))
            groups += [parts[:, some] for some in chosen if some.sum() > 1]
    return any(_adds_up(total, parts) for parts in groups)


def _adds_up(total: Array, parts: Array) -> bool:
    """Return whether parts, which are seldom negative, add up to a total in most rows, as far as it is rounded."""
    size = float(np.abs(total).mean())
    digit = next((10.0**-place for place in range(7) if np.allclose(np.round(total, place), total, 0, 1e-9)), 0.0)
    rounding = max(0.49 * digit, min(parts.shape[1] * digit / 2, size / 2_000), 1e-9 * size)
    several, is_row = (parts != 0).sum(axis=1) > 1, total != 0
    equal = np.abs(parts.sum(axis=1) - total) <= rounding
    return bool(
        equal[is_row].mean() >= _MOSTLY
        and several[is_row].mean() > 0.5
        and ((parts >= 0).mean(axis=0) >= _MOSTLY).all()
    )


def total_rows(table: Any) -> Any:
    """Return the rows of a table with a word for a total whose cell in a column of times is none.

    Args:
        table: A pandas frame, its times as they are written.

    Example:
        >>> rows = {"month": ["2024-01", "2024-02", "H1 Total"], "north": [1, 2, 3]}
        >>> total_rows(pd.DataFrame(rows)).index.tolist(), total_rows(pd.DataFrame({"Total": ["a"]})).index.tolist()
        ([2], [])
    """
    if len(table) > _ROWS_SEARCHED:
        return table.iloc[:0]
    words = np.zeros(len(table), dtype=bool)
    for name in table.columns:
        if is_text(table[name]) or table[name].dtype == object:
            named = [cell for cell in table[name].dropna().unique() if _TOTAL.search(str(cell))]
            words |= table[name].isin(named).to_numpy()
    rows, others = table[words], table[~words].head(_ROWS_LOOKED_AT)
    if not len(rows) or not len(others):
        return rows.iloc[:0]
    untimed = np.zeros(len(rows), dtype=bool)
    for name in table.columns:
        lacks = rows[name].isna() | rows[name].isin(rows[name][rows[name].astype("str").str.contains(_TOTAL)])
        if lacks.any() and _has_times(others[name]):
            untimed |= lacks.to_numpy()
    return rows[untimed]


def _has_times(column: Any) -> bool:
    """Return whether a column holds times in nearly all rows, or days such as 20240131."""
    if column.dtype.kind == "f" and (column % 1 == 0).all():
        column = column.astype("int64").astype("str")
    return bool(column.notna().mean() >= _MOSTLY) and is_time(column)
