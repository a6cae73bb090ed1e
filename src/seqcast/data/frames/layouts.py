"""Layouts of tables: a row for each series and time, a column or a row for each series; times that are not in a table.

Each becomes a long frame, whose index keeps the rows of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.frames.forms import from_wide, inside
from seqcast.data.frames.frequency import resolve
from seqcast.errors import DataError, SpecError
from seqcast.specs import Columns

# Fewest columns of values whose names are times, one series a row.
_FEWEST_TIMES = 3


@dataclass(frozen=True)
class Steps:
    """Times of a table without a column of them: steps 1, 2, 3 …, or stamps from the first one.

    Args:
        start: The first time; `None` counts steps.
        freq: The step between times, if `start` is given.

    Raises:
        SpecError: One of the two is missing, or is no time or step.

    Example:
        >>> Steps().stamps([0, 1]).tolist(), Steps("2024-01-01", "D").stamps([2]).tolist()
        ([1, 2], [Timestamp('2024-01-03 00:00:00')])
    """

    start: Any = None
    freq: Any = None

    def __post_init__(self) -> None:
        if self.start is None and isinstance(self.freq, str):
            expected, hint = "the time of the first row, from which freq counts", "Give it, or leave freq out."
            raise SpecError("start", expected=expected, received="none", hint=hint)
        if self.start is not None:
            if self.freq is None:
                raise SpecError("freq", expected="the step from start on", received="none", hint="Give it, such as D.")
            self.stamps([0])

    def stamps(self, places: Any) -> Any:
        """Return the times of rows, a pandas Index.

        Args:
            places: Numbers of the rows within their series, from 0.
        """
        import pandas as pd

        places = np.asarray(places)
        if self.start is None:
            return pd.Index(places + 1)
        try:
            first = pd.DatetimeIndex([pd.Timestamp(self.start)]).as_unit("us")
        except (ValueError, TypeError) as error:
            expected, hint = "a time, such as 2024-01-31 or 2024-01-31 12:00", "Write it in ISO 8601."
            raise SpecError("start", expected=expected, received=repr(self.start), hint=hint) from error
        offset, most = resolve(self.freq, first).offset, int(places.max(initial=0))
        return pd.date_range(first[0], periods=most + 1, freq=offset, unit="us")[places]


@dataclass(frozen=True)
class Layout:
    """A layout of tables.

    Args:
        words: What it says of series, in words.
        to_long: Returns a table as a long frame, from its columns and the times of a table without them.
    """

    words: str
    to_long: Callable[[Any, Columns, Steps], Any]


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
    parts = [] if name is None else [name] if name in known else [part.strip() for part in name.split(",")]
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
    whole = [part.dtype.kind in "iu" for part in parts]
    texts = [part.astype("str").str.strip().str.zfill(2) for part in parts]
    if not all(whole):
        hours = [text + ":00" if is_whole else text for text, is_whole in zip(texts, whole, strict=True)]
        return hours[0].str.cat(hours[1:], sep=" ")
    within = str(parts[1].name).lower()
    if "quart" in within:
        return texts[0] + "Q" + texts[1].str[-1]
    return texts[0].str.cat(texts[1:], sep="-" if not within.startswith(("week", "woche", "kw")) else "-W")


def with_joined(table: Any, columns: Columns) -> Any:
    """Return a table with the columns of ids and times that its own columns make together.

    Args:
        table: A pandas frame.
        columns: Names of the columns.
    """
    for name in (columns.unique_id, columns.ds):
        parts = joined_parts(table.columns, name)
        if len(parts) > 1:
            texts = [table[part].astype("str") for part in parts]
            made = join_times(table, name) if name == columns.ds else texts[0].str.cat(texts[1:], sep=",")
            attributes, table = table.attrs, table.assign(**{name: made})
            table.attrs.update(attributes)
    return table


def header_times(names: Sequence[str]) -> Any:
    """Return names of columns as times, a pandas Index, if all are and they ascend; else nothing.

    Args:
        names: The names.

    Example:
        >>> header_times(["1990", "1991", "1992"]).tolist(), header_times(["V1", "V2", "V3"])
        ([1990, 1991, 1992], None)
    """
    import pandas as pd

    from seqcast.data.frames.dates import parse_dates

    texts = pd.Series([str(name).partition(" [")[0] for name in names], dtype="str")
    if len(texts) < _FEWEST_TIMES:
        return None
    if texts.str.fullmatch(r"1[5-9]\d\d|2[0-4]\d\d").all():
        times = pd.Index(texts.astype("int64"))
    else:
        try:
            times = pd.Index(parse_dates(texts, Columns())[0])
        except DataError:
            return None
    return times if times.is_monotonic_increasing and times.is_unique else None


def from_rows(table: Any, columns: Columns, steps: Steps) -> Any:
    """Return a table with a series in each row as a long frame.

    Args:
        table: A pandas frame: names of series, and values in the order of their times.
        columns: Names of the columns of the result; without its `unique_id` rows are named by their numbers.
        steps: The times, where the columns of values are not named by them.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"unique_id": ["a", "b"], "V2": [1.0, 3.0], "V3": [2.0, None]})
        >>> from_rows(table, Columns(), Steps()).to_dict("list")
        {'unique_id': ['a', 'a', 'b'], 'ds': [1, 2, 1], 'y': [1.0, 2.0, 3.0]}
    """
    import pandas as pd

    names = [name for name in table.columns if name != columns.unique_id and pd.api.types.is_numeric_dtype(table[name])]
    values = table[names].to_numpy(dtype=float)
    rows, places = np.nonzero(inside(~np.isnan(values).T).T)
    times = header_times(names)
    ids = table[columns.unique_id] if columns.unique_id in table.columns else pd.Series(range(1, len(table) + 1))
    stamps = steps.stamps(np.arange(len(names))) if times is None else times
    long = {columns.unique_id: ids.to_numpy()[rows], columns.ds: stamps[places], columns.value: values[rows, places]}
    return pd.DataFrame(long, index=table.index[rows])


def _of_columns(table: Any, columns: Columns, steps: Steps) -> Any:
    """Return a table with a series in each column as a long frame."""
    import pandas as pd

    table = _with_times(table, columns, steps)
    numbers = table.select_dtypes("number").columns
    long = from_wide(
        table[[columns.ds, *(name for name in numbers if name != columns.ds)]], columns.ds, columns=columns
    )
    return long.set_axis(table.index[pd.Index(table[columns.ds]).get_indexer(long[columns.ds])])


def _with_times(table: Any, columns: Columns, steps: Steps) -> Any:
    """Return a long or wide table with times; those that are not in it are counted in the order of its rows."""
    if columns.ds in table.columns:
        return table
    alone = columns.unique_id not in table.columns
    places = range(len(table)) if alone else table.groupby(columns.unique_id, sort=False).cumcount()
    return table.assign(**{columns.ds: steps.stamps(places)})


LAYOUTS: dict[str, Layout] = {
    "long": Layout("a row for each series and time", _with_times),
    "wide": Layout("a series in each column", _of_columns),
    "rows": Layout("a series in each row", from_rows),
}
