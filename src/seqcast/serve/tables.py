"""Tables of requests: columns whose kinds are known, so that those of several requests can be laid end to end."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError, DataTypeError
from seqcast.serve.problems import shown

Array = npt.NDArray[Any]

# Columns that are kept for the message about one that is not there.
_MOST_NAMES = 30

# A time without a zone, as NumPy reads it too; and one that may have one. (pandas takes words such as `now` as well.)
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?", re.ASCII)
_ZONE = re.compile(r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)$", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII)
_NUMBERS = {int, float, type(None)}


@dataclass(frozen=True)
class Needed:
    """Which columns of a table are read.

    Args:
        unique_id: The column of ids.
        ds: The column of times.
        values: Columns that have to be there beside these.
        optional: Columns that may be there.
        only: Name of the only series, where rows need no id.
        text_times: Whether times are text in a format of the model's own.
    """

    unique_id: str
    ds: str
    values: tuple[str, ...]
    optional: tuple[str, ...] = ()
    only: Any = None
    text_times: bool = False

    @cached_property
    def read(self) -> frozenset[str]:
        """All of them."""
        return frozenset((self.unique_id, self.ds, *self.values, *self.optional))


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of the same length.

    Args:
        columns: Values by name.
        kinds: Kind of each: `f` numbers, `i` whole numbers, `b` flags, `s` text, `t` times, `z` times with a zone, `o`
            a mixture.
        rows: Number of rows.
        option: The field of the request that it is.
    """

    columns: Mapping[str, Array]
    kinds: tuple[tuple[str, str], ...]
    rows: int
    option: str = "rows"

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], needed: Needed, option: str = "rows") -> Self:
        """Return the table of columns that hold JSON types.

        Args:
            columns: Values by name, all of one length.
            needed: Which columns are read.
            option: The field of the request that it is.

        Raises:
            DataError: There are no rows, a column is missing, or something is no time.
        """
        keys = (needed.unique_id, needed.ds) if needed.only is None else (needed.ds,)
        lacking = next((name for name in (*keys, *needed.values) if name not in columns), None)
        if lacking is not None and len(columns):
            listed = ", ".join(repr(name[:80]) for name in islice(columns, _MOST_NAMES))
            raise DataError(
                option=option,
                expected=f"a column {lacking!r}",
                received=f"the columns {listed}",
                hint="GET /v1/models names the columns of each model.",
            )
        read = {name: columns[name] for name in sorted(needed.read) if name in columns}
        rows = len(read.get(needed.ds, ()))
        if not rows:
            raise DataError(option=option, expected="at least one row", received="none", hint="Send some.")
        arrays, kinds = {}, []
        for name, values in ({needed.unique_id: [needed.only] * rows} | read).items():
            if name == needed.ds:
                kind, array = _times(values, name, option, text=needed.text_times)
            elif name == needed.unique_id:
                kind, array = _ids(values, name, option)
            else:
                kind, array = _values(values, name, option)
            arrays[name] = array
            kinds.append((name, kind))
        return cls(arrays, tuple(kinds), rows, option)

    @property
    def is_plain(self) -> bool:
        """Whether each column is of one kind."""
        return all(kind != "o" for _, kind in self.kinds)

    def frame(self) -> Any:
        """Return the table as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))

    @staticmethod
    def joined(tables: Sequence[Table]) -> tuple[Any, Array]:
        """Return tables of the same kinds as one pandas frame, and the number of the table of each row."""
        import pandas as pd

        names = [name for name, _ in tables[0].kinds]
        columns: dict[str, Any] = {}
        for name in names:
            parts = [table.columns[name] for table in tables]
            columns[name] = parts[0].append(parts[1:]) if hasattr(parts[0], "append") else np.concatenate(parts)
        owners = np.repeat(np.arange(len(tables)), [table.rows for table in tables])
        return pd.DataFrame(columns), owners


def _kinds_of(values: Iterable[Any]) -> set[type]:
    return set(map(type, values))


def _ids(values: Sequence[Any], name: str, option: str) -> tuple[str, Array]:
    kinds = _kinds_of(values)
    if kinds == {str}:
        _check_text(values, name, option)
        return "s", _objects(values)
    if kinds == {int}:
        try:
            return "i", np.array(values, dtype=np.int64)
        except OverflowError:
            raise _wrong(name, option, "whole numbers of 64 bits", "larger ones") from None
    like = str if isinstance(values[0], str) else int
    row = next((row for row, value in enumerate(values) if type(value) is not like), 0)
    expected = "text" if like is str else "text, or whole numbers"
    raise _wrong(name, option, f"{expected}, in all rows", shown(values[row]), row=row)


def _values(values: Sequence[Any], name: str, option: str) -> tuple[str, Array]:
    kinds = _kinds_of(values)
    if kinds <= _NUMBERS:
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError:
            raise _wrong(name, option, "numbers of 64 bits", "larger ones") from None
        endless = np.isinf(numbers)
        if endless.any():
            row = int(endless.argmax())
            raise _wrong(name, option, "a finite number", "one beyond 64 bits", row=row)
        return "f", numbers
    if kinds == {bool}:
        return "b", np.array(values, dtype=bool)
    if kinds == {str}:
        _check_text(values, name, option)
        return "s", _objects(values)
    if kinds & {list, dict}:
        row = next(row for row, value in enumerate(values) if isinstance(value, list | dict))
        raise _wrong(name, option, "a number, text, true, false or null", "a list or an object", row=row)
    return "o", _objects(values)


def _times(values: Sequence[Any], name: str, option: str, *, text: bool) -> tuple[str, Any]:
    import pandas as pd

    kinds = _kinds_of(values)
    if kinds == {int}:
        return _ids(values, name, option)
    if text or kinds != {str}:
        row = next((row for row, value in enumerate(values) if not isinstance(value, str)), None)
        if row is not None:
            raise _wrong(name, option, "a time as text, or a whole number", shown(values[row]), row=row)
        _check_text(values, name, option)
        return "s", _objects(values)
    if all(map(_PLAIN_TIME.fullmatch, values)):
        try:
            return "t", pd.DatetimeIndex(np.array(values, dtype="datetime64[us]"))
        except ValueError:
            pass  # the message names the row
    row = next((row for row, value in enumerate(values) if not _TIME.fullmatch(value)), None)
    if row is not None:
        raise _wrong(name, option, "a time as ISO 8601 writes it", shown(values[row]), row=row)
    try:
        index = pd.DatetimeIndex(pd.to_datetime(_objects(values), format="ISO8601", utc=False))
        if index.isna().any():
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        index = _zoned(values, name, option)
    return ("t" if index.tz is None else f"z{index.tz}"), index.as_unit("us")


def _zoned(values: Sequence[str], name: str, option: str) -> Any:
    """Return times whose offsets differ, as those of summer and winter do, and name the first that is no time."""
    import pandas as pd

    index = pd.DatetimeIndex(pd.to_datetime(_objects(values), format="ISO8601", utc=True, errors="coerce"))
    wrong = np.asarray(index.isna())
    if wrong.any():
        row = int(wrong.argmax())
        raise _wrong(name, option, "a time as ISO 8601 writes it", shown(values[row]), row=row)
    zoned = [bool(_ZONE.search(value[10:])) for value in values]
    if not all(zoned):
        row = zoned.index(not zoned[0])
        raise _wrong(name, option, "times that all have a zone, or none", shown(values[row]), row=row)
    return index


def _check_text(values: Sequence[str], name: str, option: str) -> None:
    """Refuse text that no encoding can write."""
    try:
        "".join(values).encode("utf-8")
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values) if any("\ud800" <= letter <= "\udfff" for letter in value))
        raise _wrong(name, option, "text", "half of a character (a lone surrogate)", row=row) from None


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    return array


def _wrong(name: str, option: str, expected: str, received: str, row: int | None = None) -> DataError:
    option_ = None if option == "rows" else option
    kind = DataError if row is not None else DataTypeError
    return kind(option=option_, column=name, row=row, expected=expected, received=received, hint="Correct it.")
