"""Columns and rows of a table that are sums of others, and cells that hold for several rows."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, combinations

import numpy as np
import pandas as pd

from seqcast.data.frames import is_numeral, is_text
from seqcast.errors import counted
from seqcast.runtime import Array
from seqcast.tables.dates import is_time
from seqcast.tables.reader_script import joined_names
from seqcast.tables.vocabulary import TIMES

# Words for a total.
_TOTAL = re.compile(
    r"(?<![^\W_])(?:(?:grand|sub)?totals?|summe?|summa|gesamt\w*|insgesamt|sommes?|totaux"
    r"|toplam\w*|somma|suma|totale|totaal|razem|ogółem)(?![^\W_])"
    r"|合計|小計|总计|合计|總計|합계|^[計计]$|^\*+$",
    re.IGNORECASE,
)
# Rows that are looked at.
_ROWS_LOOKED_AT = 5_000
# Longer tables are not searched for rows of totals.
_ROWS_SEARCHED = 200_000
# Fraction of rows in which a column is the sum of others.
_MOSTLY = 0.9
# The fewest different sums of a column of sums.
_FEWEST_SUMS = 8
# Among more columns than this, only all others together may add up to one.
_FEW_COLUMNS = 8


def sum_columns(table: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are the sum of all other ones.

    Among a few columns, the sum of some that stand on one side of it counts, too.

    Args:
        table: A pandas frame; text in columns of numbers is none.
        names: The columns of numbers.

    Example:
        >>> table = pd.DataFrame({"north": range(1, 10), "south": 5, "all": range(6, 15)})
        >>> sum_columns(table, list(table)), sum_columns(table.assign(south=7), list(table))
        (('all',), ())
    """
    head = table[list(names)].head(_ROWS_LOOKED_AT)
    digits = head.apply(pd.to_numeric, errors="coerce").fillna(0).astype("float")
    rest = list(names)
    whole = digits.to_numpy().sum(axis=1)
    for name in reversed(names):
        if len(rest) <= 2:
            break
        column = digits[name].to_numpy()
        # Of many, one is the sum of all others or none; most are far from it.
        may_be_sum = len(rest) <= _FEW_COLUMNS or _is_near_half(column, whole, len(rest))
        if may_be_sum and _is_sum(digits[rest].to_numpy(), rest.index(name)):
            rest.remove(name)
            whole = whole - column
    return tuple(name for name in names if name not in rest)


def _is_near_half(total: Array, whole: Array, count: int) -> bool:
    """Return whether a column may be the sum of all others, and so half of the whole."""
    near = np.abs(2 * total - whole) <= max(count / 2, float(np.abs(total).mean()) / 2_000)
    return bool(total.any()) and float(near[total != 0].mean()) >= _MOSTLY


def _is_sum(values: Array, place: int) -> bool:
    """Return whether a column is a sum of others; values are `[rows, columns]`."""
    total = values[:, place]
    count = values.shape[1]
    if len(np.unique(total)) < _FEWEST_SUMS:
        return False

    before = range(place)
    after = range(place + 1, count)
    groups: list[Iterable[tuple[int, ...]]] = [[(*before, *after)]]
    if count <= _FEW_COLUMNS:
        groups += [
            combinations(side, size) for side in (before, after) for size in range(2, len(side) + 1)
        ]
    return any(_adds_up(total, values[:, group]) for group in chain.from_iterable(groups))


def _adds_up(total: Array, parts: Array) -> bool:
    """Return whether parts, which are seldom negative, add up to a total in most rows.

    The total may be rounded to its last digit, and so may the parts.
    """
    size = float(np.abs(total).mean())
    exact = (place for place in range(7) if np.allclose(np.round(total, place), total, 0, 1e-9))
    digit = next((10.0**-place for place in exact), 0.0)
    rounding = max(0.49 * digit, min(parts.shape[1] * digit / 2, size / 2_000), 1e-9 * size)

    several = (parts != 0).sum(axis=1) > 1
    equal = np.abs(parts.sum(axis=1) - total) <= rounding
    adds = equal[total != 0].mean() >= _MOSTLY and several[total != 0].mean() > 0.5
    return bool(adds and ((parts >= 0).mean(axis=0) >= _MOSTLY).all())


def is_total(name: str) -> bool:
    """Return whether a name is, or has, a word for a total.

    Args:
        name: The name.

    Example:
        >>> is_total("Grand total"), is_total("Totality")
        (True, False)
    """
    return bool(_TOTAL.search(name))


def total_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table with a word for a total whose cell in a column of times is none.

    Args:
        table: A pandas frame, its times as they are written.

    Example:
        >>> rows = {"month": ["2024-01", "2024-02", "H1 Total"], "north": [1, 2, 3]}
        >>> total_rows(pd.DataFrame(rows)).index.tolist()
        [2]
    """
    none = table.iloc[:0]
    if len(table) > _ROWS_SEARCHED:
        return none
    named = pd.DataFrame(False, table.index, table.columns)
    for name, column in table.items():
        if is_text(column):
            totals = [cell for cell in column.dropna().unique() if _TOTAL.search(cell)]
            named[name] = column.isin(totals)
    is_named = named.any(axis=1)
    if not is_named.any():
        return none

    rows = table[is_named]
    others = table[~is_named].head(_ROWS_LOOKED_AT)
    lacks = rows.isna() | named[is_named]
    timed = [name for name in table.columns if lacks[name].any() and _has_times(others[name])]
    return rows[lacks[timed].any(axis=1)]


def ends_with_total(numbers: pd.DataFrame, texts: pd.DataFrame) -> bool:
    """Return whether the last row of a table is the sum of all others, or alone called a total.

    Args:
        numbers: A pandas frame, its columns of numbers.
        texts: A pandas frame, its other columns.

    Example:
        >>> numbers = pd.DataFrame([range(9), range(3, 12), range(3, 21, 2)])
        >>> ends_with_total(numbers, pd.DataFrame(index=range(3)))
        True
        >>> ends_with_total(numbers[:2], numbers[:2])
        False
    """
    values = numbers.fillna(0).to_numpy(dtype=float)
    named = (
        texts.astype("str").apply(lambda cells: cells.str.contains(_TOTAL)).any(axis=1).to_numpy()
    )
    if len(values) > 1 and named[-1] and named.sum() == 1:
        return True
    has_sums = len(values) > 2 and len(np.unique(values[-1])) >= _FEWEST_SUMS
    return has_sums and _adds_up(values[-1], values[:-1].T)


def words_on(rows: pd.DataFrame, where: str) -> str:
    """Return words on rows that are left out, with the first cell of words; none for no rows.

    Args:
        rows: A pandas frame of them.
        where: Where they stood.
    """
    if not len(rows):
        return ""
    words = f"without {counted(len(rows), 'row')} {where}"
    cells = [str(cell) for cell in rows.to_numpy().ravel() if pd.notna(cell)]
    cell = next((cell for cell in cells if not is_numeral(cell)), next(iter(cells), ""))
    return f"{words}, {cell!r:.40}" if cell else words


def _has_times(column: pd.Series) -> bool:
    """Return whether a column holds times in nearly all rows, or days such as 20240131."""
    if column.dtype.kind == "f" and (column % 1 == 0).all():
        column = column.astype("int64").astype("str")
    return bool(column.notna().mean() >= _MOSTLY) and is_time(column)


def names_below(names: Sequence[str], rows: pd.DataFrame) -> list[str]:
    """Return the names of columns with those of a second header.

    Where the first header is a title, the second one alone has the names.

    Args:
        names: The names in the header; one that occurs again has a number behind it.
        rows: The rows below it that are none of the table, a pandas frame.

    Example:
        >>> rows = pd.DataFrame([[None, "sold", "left", "sold", "left"]])
        >>> names_below(["day", "north", "north.1", "south", "south.1"], rows)
        ['day', 'north sold', 'north left', 'south sold', 'south left']
        >>> names_below(["Report", "2024"], pd.DataFrame([["date", "sold"]]))
        ['date', 'sold']
    """
    if not len(rows):
        return list(names)
    fullest = rows.iloc[int(rows.notna().sum(axis=1).to_numpy().argmax())]
    cells = fullest.astype("object").fillna("").map(str).tolist()

    over = ["" if name.startswith("Unnamed: ") else re.sub(r"\.\d+$", "", name) for name in names]
    if len(set(over)) < len(names):
        joined = joined_names(over, cells)
        return list(names) if joined == cells else joined
    is_header = all(cells) and len(set(cells)) == len(cells) and any(map(TIMES.is_name, cells))
    return cells if is_header and not any(map(TIMES.is_name, names)) else list(names)


def merged_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of words that only the first row of each block has, as merged cells do.

    Within a block, another column ascends or descends, and begins again with the next one.

    Args:
        table: A pandas frame.

    Example:
        >>> years = [1, 2, 3, 1, 2]
        >>> table = pd.DataFrame({"zone": ["a", None, None, "b", None], "year": years, "m": 5})
        >>> merged_columns(table), merged_columns(table.assign(year=range(5)))
        (['zone'], [])
    """
    columns = [table[name] for name in table.columns]
    heads = {str(each.name): each.notna().to_numpy() for each in columns if _is_sparse(each)}
    if not heads:
        return []

    ranks = [_ranks(each) for each in columns if each.notna().all() and _is_sortable(each)]
    blocks = [head for head in heads.values() if _begin_again(ranks, head)]
    # Blocks may have blocks within: regions of towns.
    return [name for name, head in heads.items() if any((head <= inner).all() for inner in blocks)]


def _is_sortable(column: pd.Series) -> bool:
    return column.dtype.kind in "fiuM" or is_text(column)


def _ranks(column: pd.Series) -> Array:
    ranks, _ = pd.factorize(column, sort=True)
    return np.asarray(ranks)


def _begin_again(ranks: Iterable[Array], heads: Array) -> bool:
    """Return whether a column ascends or descends within blocks, and only there."""
    steps = [sign * np.diff(each) for each in ranks for sign in (1, -1)]
    return any(bool(((step <= 0) == heads[1:]).all()) for step in steps)


def _is_sparse(column: pd.Series) -> bool:
    """Return whether a column of words has a few, all different, from its first row on."""
    if not is_text(column):
        return False
    known = column.dropna()
    return 1 < len(known) <= len(column) / 2 and known.is_unique and bool(column.notna().iloc[0])
