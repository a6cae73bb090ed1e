"""Columns of a user's frame as arrays, each checked by itself: ids, stamps, numbers, categories.

Narwhals reads pandas and Polars alike. Rows are counted from 0, in the frame's own order.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from seqcast.data.frames.numerals import find_words, or_words, without_overflow
from seqcast.data.frames.stamps import (
    Stamps,
    formats_of,
    from_utc,
    likely_format,
    named_zone,
    parse_stamps,
)
from seqcast.errors import AmbiguityError, DataError, Fix, Option, Phrase
from seqcast.runtime import LARGEST_NUMBER, Array
from seqcast.specs import Columns, has_whole_characters

# A frame of pandas or Polars as Narwhals sees it, and one of its columns.
Frame = nw.DataFrame[Any]
Column = nw.Series[Any]

# A number whose decimal mark is a comma, without other marks.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")


@dataclass(frozen=True)
class ColumnType:
    """Type of a column: numbers, flags (0 and 1) or categories, as numbers of their labels.

    Args:
        name: `number`, `flag` or `category`.
        labels: The categories, sorted.
    """

    name: str
    labels: tuple[str, ...] = ()

    @property
    def is_category(self) -> bool:
        """Whether values are numbers of labels."""
        return self.name == "category"


@dataclass(frozen=True)
class FrameColumn:
    """An unread column of a user's frame, with its name in errors.

    Args:
        values: The column as Narwhals sees it.
        name: Its name.
        option: The argument that holds the frame, if errors name it.
        ids: Id of each row's series, `[rows]`, if they are known.
        rows: Number of each row in the user's frame, if some have been left out.
    """

    values: Column
    name: str
    option: str | None = None
    ids: Array | None = None
    rows: Array | None = None

    def error(
        self,
        *,
        expected: str,
        received: str,
        hint: str,
        fix: Fix | None = None,
        row: int | None = None,
    ) -> DataError:
        """Build the error for the column, or for one of its rows.

        Args:
            expected: The expected value, in words.
            received: The received value, in words.
            hint: How to fix it.
            fix: How to fix it, for code.
            row: Number of the row.
        """
        series = None
        number = row
        if row is not None and self.ids is not None:
            series = self.ids[row : row + 1].tolist()[0]
        if row is not None and self.rows is not None:
            number = int(self.rows[row])

        return DataError(
            option=self.option,
            column=self.name,
            row=number,
            series=series,
            expected=expected,
            received=received,
            hint=hint,
            fix=fix,
        )

    def reject(
        self,
        invalid: Array,
        texts: Callable[[int], tuple[str, str]],
        hint: str,
        *,
        fix: Fix | None = None,
    ) -> None:
        """Reject a column in which rows are invalid; the error has the first one of each series.

        Args:
            invalid: Which rows are invalid, `[rows]`.
            texts: Returns the expected and the received value of a row, in words.
            hint: How to fix it.
            fix: How to fix it, for code.

        Raises:
            DataError: A row is invalid.
        """

        def at(row: int) -> DataError:
            expected, received = texts(row)
            return self.error(row=row, expected=expected, received=received, hint=hint, fix=fix)

        rows = np.flatnonzero(invalid)
        if not len(rows):
            return
        error = at(int(rows[0]))
        if self.ids is not None:
            error = DataError.first_of(rows.tolist(), self.ids[rows].tolist(), at)
        error.rows = (rows if self.rows is None else self.rows[rows]).tolist()
        raise error

    def wrong_type(self, expected: str, *, polars: str, pandas: str) -> DataError:
        """Build the error for a column of the wrong type; its hint converts it.

        Args:
            expected: The expected content of the column, in words.
            polars: The method of a Polars column that converts it.
            pandas: The expression that converts it in pandas, of a frame `df`.
        """
        code = self._conversion(polars=polars, pandas=pandas)
        example = or_words(self.values.head(1).to_list()[0])
        return self.error(
            expected=expected,
            received=f"type {self.values.to_native().dtype}, such as {example!r}",
            hint=f"Convert it: {code}.",
            fix=Fix.CONVERT,
        )

    def _conversion(self, *, polars: str, pandas: str) -> str:
        """Return the line that converts the column."""
        df = self.option or "df"
        if self.values.implementation.is_polars():
            return f'{df} = {df}.with_columns(pl.col("{self.name}").{polars})'
        return f'{df}["{self.name}"] = {pandas.replace("df[", f"{df}[")}'

    def no_text(self, expected: str) -> DataError:
        """Build the error for a column that should hold text, and can be converted to it.

        Args:
            expected: The expected content of the column, in words.
        """
        return self.wrong_type(
            expected, polars="cast(pl.String)", pandas=f'df["{self.name}"].astype(str)'
        )

    def no_numbers(self) -> DataError:
        """Build the error for a column that should hold numbers; it names the words among them."""
        if self.values.dtype in (nw.Object, nw.String):
            error = self._about_words()
            if error is not None:
                return error
        pandas = f'df["{self.name}"].astype(float)'
        return self.wrong_type("numbers", polars="cast(pl.Float64)", pandas=pandas)

    def _about_words(self) -> DataError | None:
        """Return or raise the error for words among numbers; `None` without any."""
        column = f'df["{self.name}"]'
        values = without_overflow(pd.Series(self.values.to_list(), dtype=object))
        texts = values.dropna().astype("str").str
        if texts.fullmatch(_DECIMAL_COMMA).all() and texts.contains(",").any():
            point = 'str.replace(",", ".")'
            polars = f"{point}.cast(pl.Float64)"
            pandas = f"{column}.{point}.astype(float)"
            return self.wrong_type("numbers with a decimal point", polars=polars, pandas=pandas)

        polars = "replace({words}, None).cast(pl.Float64)"
        pandas = f"pd.to_numeric({column}.replace({{words}}, None))"
        words = find_words(values, self._conversion(polars=polars, pandas=pandas))
        if words.places.any() and words.fix is None:
            return self.error(expected="numbers", received=words.text, hint=words.hint)
        self.reject(words.places, lambda _: ("numbers", words.text), words.hint, fix=words.fix)
        return None

    def reject_null(self, expected: str, hint: str = "Fill it in or drop the row.") -> None:
        """Reject a column in which a value is missing.

        Args:
            expected: The expected content of the column, in words.
            hint: How to fix it.

        Raises:
            DataError: A value is missing.
        """
        self.reject(self.values.is_null().to_numpy(), lambda _: (expected, "none"), hint)


def first(mask: Array) -> int:
    """Return the position of the first true value.

    Args:
        mask: Truth values, one of them true.
    """
    return int(np.flatnonzero(mask)[0])


# ---------------------------------------------------------------- ids


@dataclass(frozen=True)
class IdColumn:
    """Ids of a column.

    Args:
        ids: Each row's id, `[rows]`.
        dtype: Name of the column's type.
        categories: The names of a Polars `Enum`, in its order; none for other types.
    """

    ids: Array
    dtype: str
    categories: tuple[str, ...] = ()


def read_ids(column: FrameColumn) -> IdColumn:
    """Read the ids of a column.

    Args:
        column: The column.

    Raises:
        DataError: They are neither text nor whole numbers, or one is missing.
    """
    native = column.values.to_native()
    dtype = str(native.dtype)
    column.reject_null("a series' name")
    names: tuple[str, ...] = ()
    if column.values.implementation.is_polars() and column.values.dtype == nw.Enum:
        dtype = "Enum"
        names = tuple(native.dtype.categories.to_list())

    series = _without_categories(column.values)
    plain = replace(column, values=series)
    if series.dtype == nw.String:
        return IdColumn(_text_ids(plain), dtype, names)
    if series.dtype.is_integer():
        return IdColumn(_whole_ids(plain), dtype)
    raise plain.no_text("text or whole numbers")


def _text_ids(column: FrameColumn) -> Array:
    ids = np.asarray(column.values.to_numpy(), dtype=object)
    broken = {name for name in pd.unique(ids) if not has_whole_characters(name)}
    if broken:
        mask = np.array([name in broken for name in ids])
        hint = "Remove the lone surrogate."
        column.reject(mask, lambda row: ("whole characters", repr(ids[row])), hint)
    return ids


def _whole_ids(column: FrameColumn) -> Array:
    numbers = _whole_numbers(column.values)
    most = np.iinfo(np.int64).max
    outside = (numbers > most) | (numbers < -most)
    expected = "text, or whole numbers below 2 ** 63"
    hint = "Cast them to text."
    column.reject(outside, lambda row: (expected, str(numbers[row])), hint)
    return np.asarray(numbers, dtype=np.int64)


def _whole_numbers(series: Column) -> Array:
    """Return whole numbers as an array: Python's own where NumPy has none of their size."""
    if series.dtype in (nw.Int128, nw.UInt128):
        return np.array(series.to_list(), dtype=object)
    return np.asarray(series.to_numpy())


def _without_categories(series: Column) -> Column:
    """Return a column of categories as one of their own type; others as they are.

    pandas and Arrow have categories of any type. No value is missing.
    """
    if series.dtype not in (nw.Categorical, nw.Enum):
        return series
    if series.implementation.is_polars():
        return series.cast(nw.String)
    native = series.to_native()
    if isinstance(native.dtype, pd.CategoricalDtype):
        own = native.dtype.categories.dtype
    else:
        own = pd.ArrowDtype(native.dtype.pyarrow_dtype.value_type)
    return nw.from_native(native.astype(own), series_only=True)


# ---------------------------------------------------------------- time stamps


@dataclass(frozen=True)
class StampColumn:
    """Time stamps of a column.

    Args:
        stamps: Stamp of each row, a pandas Index of times or of whole numbers.
        dtype: Name of the column's type.
        ds_format: Format in which whole numbers or text are read as times; `None` for times.
    """

    stamps: Stamps
    dtype: str
    ds_format: str | None = None


def read_stamps(
    column: FrameColumn, columns: Columns, *, objects: Collection[str] = ("date",)
) -> StampColumn:
    """Read the time stamps of a column.

    Args:
        column: The column.
        columns: Its format and its time zone.
        objects: Which Python objects are stamps too, by the names that pandas infers for them.

    Raises:
        DataError: A value is missing, has another type or format, or is a time that the clock of
            the zone skips.
    """
    read = _read_stamps(column, columns.ds_format, objects)
    if columns.tz is None or read.stamps.dtype.kind in "iu" or read.dtype in ("Date", "object"):
        return read

    if read.ds_format is not None and read.ds_format.startswith("unix"):
        stamps = from_utc(read.stamps, columns.tz)
    else:
        stamps = _in_zone(column, read.stamps, columns.tz)
    zoned = read.ds_format is None and not column.values.implementation.is_polars()
    return StampColumn(stamps, str(stamps.dtype) if zoned else read.dtype, read.ds_format)


def _in_zone(column: FrameColumn, stamps: Stamps, tz: str) -> Stamps:
    """Return stamps on the clock of a zone.

    Of two rows of a series with one stamp, the second is after the end of summer time.
    """
    if stamps.tz is not None:
        return stamps.tz_convert(tz)
    keys = pd.DataFrame({"id": 0 if column.ids is None else column.ids, "stamp": stamps})
    zoned = stamps.tz_localize(tz, ambiguous=~keys.duplicated().to_numpy(), nonexistent="NaT")

    hint = Phrase("Correct it, or give another ", Option("columns.tz"), ".")
    expected = f"a time that clocks of {tz} show"
    skipped = "in the hour that they skip when summer time begins"
    is_skipped = np.asarray(zoned.isna())
    column.reject(is_skipped, lambda row: (expected, f"{stamps[row]}, {skipped}"), hint)
    return zoned


def _read_stamps(
    column: FrameColumn, ds_format: str | None, objects: Collection[str]
) -> StampColumn:
    series = column.values
    native = series.to_native()
    dtype = str(native.dtype)
    column.reject_null("a time stamp")

    # Narwhals does not know pandas's zones whose names hold an underscore, such as
    # America/New_York.
    if isinstance(native.dtype, pd.DatetimeTZDtype):
        return _zoned_stamps(column, pd.DatetimeIndex(native))
    if series.dtype.is_integer():
        return _whole_stamps(column, dtype, ds_format)

    as_objects = series.dtype == nw.Object and pd.api.types.infer_dtype(native) in objects
    if as_objects or isinstance(series.dtype, nw.Date | nw.Datetime):
        index = pd.DatetimeIndex(pd.to_datetime(series.to_numpy()))
        # Narwhals returns zoned stamps in UTC, naive ones unchanged.
        return StampColumn(from_utc(index, getattr(series.dtype, "time_zone", None)), dtype)

    if ds_format is not None and ds_format != "integer" and series.dtype == nw.String:
        return StampColumn(_parsed_stamps(column, series.to_numpy(), ds_format), dtype, ds_format)
    raise _no_stamps(column, dtype)


def _zoned_stamps(column: FrameColumn, stamps: pd.DatetimeIndex) -> StampColumn:
    """Return stamps of a time zone of pandas, which has to have a name."""
    zone = None if stamps.tz is None else named_zone(stamps.tz)
    if zone is None:
        name = column.name
        raise column.error(
            expected="a time zone with a name",
            received=repr(stamps.tz),
            hint=f'Convert it: df["{name}"] = df["{name}"].dt.tz_convert("UTC").',
        )
    converted = stamps.tz_convert(zone)
    return StampColumn(converted, str(converted.dtype))


def _no_stamps(column: FrameColumn, dtype: str) -> DataError:
    """Build the error for a column that holds no stamps; its hint converts it."""
    values = f'df["{column.name}"]'
    polars = "str.to_datetime()"
    pandas = f"pd.to_datetime({values})"
    if "period" in dtype:
        pandas = f"{values}.dt.to_timestamp()"
    if column.values.dtype == nw.String:
        # Without its format pandas reads 01/02/2024 with the month first.
        texts = pd.Series(column.values.to_list(), dtype="str")
        first, *others = formats_of(texts) or ["..."]
        other = f', or with "{others[0]}" where the day comes first' if others else ""
        pandas = f'pd.to_datetime({values}, format="{first}"){other}'
        if first != "ISO8601":
            polars = f'str.to_datetime("{first}"){other}'
    return column.wrong_type("time stamps, dates or whole numbers", polars=polars, pandas=pandas)


# Larger whole numbers would leave no room for the steps of a horizon.
_MOST_STAMP = 2**62


def _whole_stamps(column: FrameColumn, dtype: str, ds_format: str | None) -> StampColumn:
    given = _whole_numbers(column.values)
    outside = (given > _MOST_STAMP) | (given < -_MOST_STAMP)
    expected = "whole numbers up to 2 ** 62"
    hint = "Count in larger units, or from a later start."
    column.reject(outside, lambda row: (expected, str(given[row])), hint)

    numbers = np.asarray(given, dtype=np.int64)
    if ds_format is None:
        ds_format = _recognised_format(column, numbers)
    if ds_format == "integer":
        return StampColumn(pd.Index(numbers), dtype, ds_format)
    return StampColumn(_parsed_stamps(column, numbers, ds_format), dtype, ds_format)


def _recognised_format(column: FrameColumn, numbers: Array) -> str:
    """Return the format of whole numbers, and reject those that are ambiguous.

    Raises:
        AmbiguityError: They may be seconds or mere numbers.
        DataError: Most are dates, but not all.
    """
    unique = np.unique(numbers)
    ds_format, wrong = likely_format(unique)
    if ds_format is None:
        return "integer"

    kind = "dates" if ds_format.startswith("%") else "times since 1970"
    meaning = f"{kind} written as whole numbers"
    times = Option("columns.ds_format", ds_format)
    whole = Option("columns.ds_format", "integer")
    hint = Phrase("Say what they are: ", times, f" for {meaning}, ", whole, " for whole numbers.")
    if wrong is None:
        raise AmbiguityError(
            option=column.option,
            column=column.name,
            expected="times, or whole numbers that cannot be taken for times",
            received=f"numbers such as {unique[0]}, which may be either",
            hint=hint,
            answers=[times, whole],
        )

    expected = f"a date in the format {ds_format}"
    column.reject(np.isin(numbers, unique[wrong]), lambda row: (expected, str(numbers[row])), hint)
    return ds_format


def _parsed_stamps(column: FrameColumn, values: Array, ds_format: str) -> Stamps:
    stamps = parse_stamps(values, ds_format)
    given = np.asarray(values)
    hint = Phrase("Correct it, or give another ", Option("columns.ds_format"), ".")
    expected = f"a stamp in the format {ds_format}"

    def texts(row: int) -> tuple[str, str]:
        return expected, repr(given[row : row + 1].tolist()[0])

    column.reject(np.asarray(stamps.isna()), texts, hint)
    return stamps


# ---------------------------------------------------------------- numbers, flags and categories


def as_numbers(column: FrameColumn) -> Array:
    """Return each row's number in double precision, `[rows]`, NaN where it is missing.

    Args:
        column: The column.

    Raises:
        DataError: They are no numbers.
    """
    if not column.values.dtype.is_numeric():
        raise column.no_numbers()
    return np.asarray(column.values.cast(nw.Float64).to_numpy(), dtype=np.float64)


def read_numbers(column: FrameColumn, *, gaps: bool) -> Array:
    """Return each row's finite number in double precision, `[rows]`.

    Args:
        column: The column.
        gaps: Whether missing values, NaN, are legal.

    Raises:
        DataError: A value is no number, infinite, or missing without `gaps`.
    """
    values = as_numbers(column)
    invalid = ~(np.abs(values) <= LARGEST_NUMBER) & ~(gaps & np.isnan(values))
    hint = "Write NaN or null where a value is missing."
    if not gaps:
        advice = "Fill such values series by series, e.g. by interpolation, or take "
        hint = Phrase(advice, Option("missing", "fill"), ".")
    count = f"({int(invalid.sum())} such rows)"

    def texts(row: int) -> tuple[str, str]:
        expected = "a finite number"
        if np.isfinite(values[row]):
            expected = f"a number up to {LARGEST_NUMBER:g}"
        return expected, f"{values[row]} {count}"

    column.reject(invalid, texts, hint)
    return values


def read_covariate(column: FrameColumn, *, gaps: bool) -> tuple[Array, ColumnType]:
    """Return a covariate as numbers, `[rows]`, and its type.

    Args:
        column: The column: numbers, booleans, or text and categories.
        gaps: Whether missing values are legal; they become NaN.

    Raises:
        DataError: It has another type, or a value is missing without `gaps`.
    """
    if column.values.dtype.is_numeric():
        return read_numbers(column, gaps=gaps), ColumnType("number")
    if not gaps:
        hint = Phrase("Fill it in, or take ", Option("missing", "fill"), ".")
        column.reject_null("a value", hint)

    series = column.values
    missing = series.is_null().to_numpy()
    if series.dtype == nw.Boolean and not missing.any():
        return series.to_numpy().astype(np.float64), ColumnType("flag")
    if series.dtype in (nw.Categorical, nw.Enum, nw.String):
        return _labels(series.to_numpy() if series.dtype == nw.String else series.to_list())
    if missing.all():
        return np.full(len(series), np.nan), ColumnType("number")

    # A column of objects: what they are decides.
    values = np.asarray(series.to_list(), dtype=object)
    known = values[~missing]
    if all(isinstance(value, bool | np.bool_) for value in known):
        return np.where(missing, np.nan, values).astype(np.float64), ColumnType("flag")
    if all(isinstance(value, str) for value in known):
        return _labels(values)

    numbers = sum(isinstance(value, Real) and not isinstance(value, bool) for value in known)
    if 2 * numbers > len(known):
        raise column.no_numbers()
    raise column.no_text("numbers, booleans or text")


def _labels(values: Sequence[object] | Array) -> tuple[Array, ColumnType]:
    """Return text as numbers of its sorted labels, NaN where it is missing, and the labels."""
    codes, labels = pd.factorize(np.asarray(values, dtype=object))
    texts = np.array([str(label) for label in labels], dtype=object)
    names, ranks = np.unique(texts, return_inverse=True)
    return np.append(ranks, np.nan)[codes], ColumnType("category", tuple(names.tolist()))
