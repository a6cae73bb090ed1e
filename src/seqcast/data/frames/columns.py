"""Columns of a frame as arrays: ids, time stamps, numbers, flags and categories, each checked by itself.

pandas and Polars come in by way of Narwhals. Rows are counted from 0, in the frame's own order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import Stamps
from seqcast.errors import DataError

__all__ = ["ColumnType", "first", "read_covariate", "read_ids", "read_numbers", "read_stamps"]

Array = npt.NDArray[Any]


Where = Callable[[str, int], str]  # column and row, in words


@dataclass(frozen=True)
class ColumnType:
    """What stands in a column: numbers, flags (0 and 1) or categories, as numbers of their labels.

    Args:
        name: `number`, `flag` or `category`.
        labels: The categories, sorted.
    """

    name: str
    labels: tuple[str, ...] = ()


def first(bad: Array) -> int:
    """Return the place of the first true value."""
    return int(np.flatnonzero(bad)[0])


def read_ids(series: Any, name: str) -> tuple[Array, str]:
    """Return each row's id, and the name of their type."""
    native = series.to_native()
    dtype = str(native.dtype)
    _check_no_null(series, name, "a series' name")
    if series.dtype in (nw.Categorical, nw.Enum):
        categories = getattr(getattr(native, "cat", None), "categories", None)
        # pandas has categories of whole numbers too.
        if getattr(getattr(categories, "dtype", None), "kind", "O") in "iu":
            return np.asarray(native, dtype=np.int64), dtype
        series = series.cast(nw.String)
    if series.dtype == nw.String:
        return np.asarray(series.to_numpy(), dtype=object), dtype
    if series.dtype.is_integer():
        return np.asarray(series.to_numpy(), dtype=np.int64), dtype
    expected, pandas = "text or whole numbers", f'df["{name}"].astype(str)'
    raise _wrong_type(series, name, expected, polars="cast(pl.String)", pandas=pandas)


def read_stamps(series: Any, name: str) -> tuple[Stamps, str]:
    """Return each row's time stamp, and the name of their type."""
    import pandas as pd

    native = series.to_native()
    dtype = str(native.dtype)
    _check_no_null(series, name, "a time stamp")
    # Narwhals does not know pandas's zones whose names hold an underscore, such as America/New_York.
    if isinstance(native.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(native), dtype
    if series.dtype.is_integer():
        return pd.Index(np.asarray(series.to_numpy(), dtype=np.int64)), dtype
    dates = series.dtype == nw.Object and pd.api.types.infer_dtype(native) == "date"
    if dates or isinstance(series.dtype, nw.Date | nw.Datetime):
        index = pd.DatetimeIndex(pd.to_datetime(series.to_numpy()))
        # Narwhals hands zoned stamps out in UTC, naive ones as they are.
        zone = getattr(series.dtype, "time_zone", None)
        return (index if zone is None else index.tz_localize("UTC").tz_convert(zone)), dtype
    period = "period" in dtype
    pandas = f'df["{name}"].dt.to_timestamp()' if period else f'pd.to_datetime(df["{name}"])'
    expected = "time stamps, dates or whole numbers"
    raise _wrong_type(series, name, expected, polars="str.to_datetime()", pandas=pandas)


def read_numbers(series: Any, name: str, where: Where, *, gaps: bool) -> Array:
    """Return each row's number in double precision.

    Args:
        series: The column.
        name: Its name.
        where: Says where a row is.
        gaps: Whether missing values, NaN, are legal.

    Raises:
        DataError: They are no numbers, are infinite, or are missing and may not be.
    """
    if not series.dtype.is_numeric():
        pandas = f'df["{name}"].astype(float)'
        raise _wrong_type(series, name, "numbers", polars="cast(pl.Float64)", pandas=pandas)
    values = np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    bad = np.isinf(values) if gaps else ~np.isfinite(values)
    if bad.any():
        row = first(bad)
        how = "Fill such values series by series, e.g. by interpolation"
        raise DataError(
            where(name, row),
            expected="a finite number",
            received=f"{values[row]} ({int(bad.sum())} such rows)",
            hint="Write NaN or null where a value is missing." if gaps else f"{how}, or take missing='fill'.",
        )
    return values


def read_covariate(series: Any, name: str, where: Where, *, gaps: bool) -> tuple[Array, ColumnType]:
    """Return a covariate as numbers, and what they stand for.

    Args:
        series: The column: numbers, booleans, or text and categories.
        name: Its name.
        where: Says where a row is.
        gaps: Whether missing values are legal; they become NaN.

    Raises:
        DataError: It holds something else, or something is missing and may not be.
    """
    if series.dtype.is_numeric():
        return read_numbers(series, name, where, gaps=gaps), ColumnType("number")
    missing = series.is_null().to_numpy()
    if missing.any() and not gaps:
        raise DataError(
            where(name, first(missing)),
            expected="a value",
            received="none",
            hint="Fill it in, or take missing='fill'.",
        )
    return _flags_or_labels(series, name, missing)


def _flags_or_labels(series: Any, name: str, missing: Array) -> tuple[Array, ColumnType]:
    import pandas as pd

    if series.dtype == nw.Boolean and not missing.any():
        return series.to_numpy().astype(np.float64), ColumnType("flag")
    if series.dtype in (nw.Categorical, nw.Enum, nw.String):
        given = series.to_numpy() if series.dtype == nw.String else np.asarray(series.to_list(), dtype=object)
        given = np.asarray(given, dtype=object)
    elif missing.all():
        return np.full(len(series), np.nan), ColumnType("number")
    else:
        given = np.asarray(series.to_list(), dtype=object)
        seen = given[~missing]
        if all(isinstance(value, bool | np.bool_) for value in seen):
            flags = np.full(len(given), np.nan)
            flags[~missing] = seen.astype(np.float64)
            return flags, ColumnType("flag")
        if not all(isinstance(value, str) for value in seen):
            expected, pandas = "numbers, booleans or text", f'df["{name}"].astype(str)'
            raise _wrong_type(series, name, expected, polars="cast(pl.String)", pandas=pandas)
    codes, labels = pd.factorize(given, sort=False)
    names = np.array([str(label) for label in labels], dtype=object)
    order = np.argsort(names)
    places = np.empty(len(names) + 1)
    places[order], places[-1] = np.arange(len(names)), np.nan
    return places[codes], ColumnType("category", tuple(names[order].tolist()))


def _check_no_null(series: Any, name: str, expected: str) -> None:
    null = series.is_null().to_numpy()
    if null.any():
        where = f"{name}, row {first(null)}"
        raise DataError(where, expected=expected, received="none", hint="Fill it in or drop the row.")


def _wrong_type(series: Any, name: str, expected: str, *, polars: str, pandas: str) -> DataError:
    """Build the error for a column's type; its mend is in the frame's own language."""
    hint = f'df["{name}"] = {pandas}'
    if series.implementation.is_polars():
        hint = f'df = df.with_columns(pl.col("{name}").{polars})'
    received = f"type {series.to_native().dtype}, such as {series.head(1).to_list()[0]!r}"
    return DataError(name, expected=expected, received=received, hint=f"Convert it: {hint}.")
