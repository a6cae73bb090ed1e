"""The key columns of a user's frame: ids and time stamps, each checked by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import FrameColumn, first
from seqcast.data.frames.stamp_formats import likely_format, parse_stamps
from seqcast.data.frames.stamps import Stamps, from_utc
from seqcast.errors import Option, Phrase
from seqcast.specs import Columns

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class IdColumn:
    """Ids of a column.

    Args:
        ids: Each row's id, `[rows]`.
        dtype: Name of the column's type.
        categories: The names that a Polars `Enum` may hold, in its order; none for other types.
    """

    ids: Array
    dtype: str
    categories: tuple[str, ...] = ()


def read_ids(column: FrameColumn) -> IdColumn:
    """Read the ids of a column.

    Raises:
        DataError: They are neither text nor whole numbers, or one is missing.
    """
    series = column.values
    native = series.to_native()
    dtype = str(native.dtype)
    column.check_no_null("a series' name")
    names: tuple[str, ...] = ()
    if series.dtype in (nw.Categorical, nw.Enum):
        categories = getattr(getattr(native, "cat", None), "categories", None)
        # pandas has categories of whole numbers too.
        if getattr(getattr(categories, "dtype", None), "kind", "O") in "iu":
            return IdColumn(np.asarray(native, dtype=np.int64), dtype)
        if series.implementation.is_polars() and series.dtype == nw.Enum:
            dtype, names = "Enum", tuple(native.dtype.categories.to_list())
        series = series.cast(nw.String)
    if series.dtype == nw.String:
        return IdColumn(np.asarray(series.to_numpy(), dtype=object), dtype, names)
    if series.dtype.is_integer():
        return IdColumn(np.asarray(series.to_numpy(), dtype=np.int64), dtype)
    raise column.wrong_type(
        "text or whole numbers", polars="cast(pl.String)", pandas=f'df["{column.name}"].astype(str)'
    )


@dataclass(frozen=True)
class StampColumn:
    """Time stamps of a column.

    Args:
        stamps: Stamp of each row, a pandas Index of times or of whole numbers.
        dtype: Name of the column's type.
        ds_format: How whole numbers or text are read as times; `None` for times.
    """

    stamps: Stamps
    dtype: str
    ds_format: str | None = None


def read_stamps(column: FrameColumn, columns: Columns, *, objects: Collection[str] = ("date",)) -> StampColumn:
    """Read the time stamps of a column.

    Args:
        column: The column.
        columns: Its format and its time zone.
        objects: Which Python objects are stamps too, by the names that pandas infers for them.

    Raises:
        DataError: They are no time stamps, dates or whole numbers, one is missing, has another format, or is one that
            the clock of the time zone skips.
    """
    read = _read_stamps(column, columns.ds_format, objects)
    if columns.tz is None or read.stamps.dtype.kind in "iu" or read.dtype in ("Date", "object"):
        return read
    stamps = _in_zone(column, read.stamps, columns.tz)
    zoned = read.ds_format is None and not column.values.implementation.is_polars()
    return StampColumn(stamps, str(stamps.dtype) if zoned else read.dtype, read.ds_format)


def _in_zone(column: FrameColumn, stamps: Stamps, tz: str) -> Stamps:
    """Return stamps on the clock of a zone; the second of two rows of a series with one stamp is after summer time."""
    import pandas as pd

    if stamps.tz is not None:
        return stamps.tz_convert(tz)
    keys = pd.DataFrame({"id": 0 if column.ids is None else column.ids, "stamp": stamps})
    zoned = stamps.tz_localize(tz, ambiguous=~keys.duplicated().to_numpy(), nonexistent="NaT")
    skipped = np.asarray(zoned.isna())
    if skipped.any():
        hint = Phrase("Correct it, or give another ", Option("columns.tz"), ".")
        raise column.first_error(
            skipped,
            lambda row: column.error(
                row=row,
                expected=f"a time that clocks of {tz} show",
                received=f"{stamps[row]}, in the hour that they skip when summer time begins",
                hint=hint,
            ),
        )
    return zoned


def _read_stamps(column: FrameColumn, ds_format: str | None, objects: Collection[str]) -> StampColumn:
    import pandas as pd

    series = column.values
    native = series.to_native()
    dtype = str(native.dtype)
    column.check_no_null("a time stamp")
    # Narwhals does not know pandas's zones whose names hold an underscore, such as America/New_York.
    if isinstance(native.dtype, pd.DatetimeTZDtype):
        return StampColumn(pd.DatetimeIndex(native), dtype)
    if series.dtype.is_integer():
        return _whole_stamps(column, dtype, ds_format)
    as_objects = series.dtype == nw.Object and pd.api.types.infer_dtype(native) in objects
    if as_objects or isinstance(series.dtype, nw.Date | nw.Datetime):
        index = pd.DatetimeIndex(pd.to_datetime(series.to_numpy()))
        # Narwhals hands zoned stamps out in UTC, naive ones as they are.
        return StampColumn(from_utc(index, getattr(series.dtype, "time_zone", None)), dtype)
    if ds_format is not None and ds_format != "integer" and series.dtype == nw.String:
        return StampColumn(_parsed_stamps(column, series.to_numpy(), ds_format), dtype, ds_format)
    period = "period" in dtype
    name = column.name
    pandas = f'df["{name}"].dt.to_timestamp()' if period else f'pd.to_datetime(df["{name}"])'
    raise column.wrong_type("time stamps, dates or whole numbers", polars="str.to_datetime()", pandas=pandas)


# Whole numbers beyond these would leave no room for steps ahead of them.
_MOST = 2**62


def _whole_stamps(column: FrameColumn, dtype: str, ds_format: str | None) -> StampColumn:
    import pandas as pd

    given = column.values.to_numpy()
    outside = (given > _MOST) | (given < -_MOST)
    if outside.any():
        raise column.error(
            row=first(outside),
            expected="whole numbers up to 2 ** 62",
            received=str(given[first(outside)]),
            hint="Count in larger units, or from a later start.",
        )
    numbers = np.asarray(given, dtype=np.int64)
    if ds_format is None:
        ds_format = _recognised_format(column, numbers)
    if ds_format == "integer":
        return StampColumn(pd.Index(numbers), dtype, ds_format)
    return StampColumn(_parsed_stamps(column, numbers, ds_format), dtype, ds_format)


def _recognised_format(column: FrameColumn, numbers: Array) -> str:
    """Return the format of whole numbers, and refuse those that can be taken in two ways.

    Raises:
        DataError: Most are dates, but not all; or they may be seconds or mere numbers.
    """
    unique = np.unique(numbers)
    ds_format, wrong = likely_format(unique)
    if ds_format is None:
        return "integer"
    what = f"{'dates' if ds_format.startswith('%') else 'times since 1970'} written as whole numbers"
    hint = Phrase(
        "Say what they are: ",
        Option("columns.ds_format", ds_format),
        f" for {what}, ",
        Option("columns.ds_format", "integer"),
        " for whole numbers.",
    )
    if wrong is None:
        raise column.error(
            expected="times, or whole numbers that cannot be taken for times",
            received=f"numbers such as {unique[0]}, which may be either",
            hint=hint,
        )
    if wrong.any():
        expected = f"a date in the format {ds_format}"
        raise column.first_error(
            np.isin(numbers, unique[wrong]),
            lambda row: column.error(row=row, expected=expected, received=str(numbers[row]), hint=hint),
        )
    return ds_format


def _parsed_stamps(column: FrameColumn, values: Array, ds_format: str) -> Stamps:
    stamps = parse_stamps(values, ds_format)
    wrong = np.asarray(stamps.isna())
    if wrong.any():
        hint = Phrase("Correct it, or give another ", Option("columns.ds_format"), ".")
        raise column.first_error(
            wrong,
            lambda row: column.error(
                row=row,
                expected=f"a stamp in the format {ds_format}",
                received=repr(np.asarray(values)[row : row + 1].tolist()[0]),
                hint=hint,
            ),
        )
    return stamps
