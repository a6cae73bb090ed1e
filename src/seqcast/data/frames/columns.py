"""Columns of a user's frame as arrays: numbers, flags and categories, each checked by itself.

Narwhals reads pandas and Polars alike. Rows are counted from 0, in the frame's own order.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import LARGEST_NUMBER

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ColumnType:
    """Type of a column: numbers, flags (0 and 1) or categories, as numbers of their labels.

    Args:
        name: `number`, `flag` or `category`.
        labels: The categories, sorted.
    """

    name: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrameColumn:
    """A column of a user's frame that is still to be read, with its name in errors.

    Args:
        values: The column as Narwhals sees it.
        name: Its name.
        option: The argument that the frame came in by, if errors name it.
        ids: Id of each row's series, `[rows]`, if they are known.
        rows: Number of each row in the user's frame, if some have been left out.
    """

    values: Any
    name: str
    option: str | None = None
    ids: Array | None = None
    rows: Array | None = None

    def error(self, *, expected: str, received: str, hint: str, row: int | None = None) -> DataError:
        """Build the error for the column, or for one of its rows.

        Args:
            expected: What was expected.
            received: What came instead.
            hint: How to mend it.
            row: Number of the row.
        """
        series = None if self.ids is None or row is None else self.ids[row : row + 1].tolist()[0]
        return DataError(
            option=self.option,
            column=self.name,
            row=row if row is None or self.rows is None else int(self.rows[row]),
            series=series,
            expected=expected,
            received=received,
            hint=hint,
        )

    def first_error(self, invalid: Array, at: Callable[[int], DataError]) -> DataError:
        """Return the error for the first of some rows, which knows the first of each series.

        Args:
            invalid: Which rows are invalid, `[rows]`; at least one is.
            at: Builds the error for a row.
        """
        rows = np.flatnonzero(invalid).tolist()
        return at(rows[0]) if self.ids is None else DataError.first_of(rows, self.ids[rows].tolist(), at)

    def wrong_type(self, expected: str, *, polars: str, pandas: str) -> DataError:
        """Build the error for a column of the wrong type; its hint converts it with the frame's own library.

        Args:
            expected: What the column should hold.
            polars: The method of a Polars column that converts it.
            pandas: The expression that converts it in pandas, of a frame `df`.
        """
        code = self._conversion(polars=polars, pandas=pandas)
        received = f"type {self.values.to_native().dtype}, such as {self.values.head(1).to_list()[0]!r}"
        return self.error(expected=expected, received=received, hint=Phrase(f"Convert it: {code}.", remedy="convert"))

    def _conversion(self, *, polars: str, pandas: str) -> str:
        """Return the line that converts the column."""
        df = self.option or "df"
        if self.values.implementation.is_polars():
            return f'{df} = {df}.with_columns(pl.col("{self.name}").{polars})'
        return f'{df}["{self.name}"] = {pandas.replace("df[", f"{df}[")}'

    def no_numbers(self) -> DataError:
        """Build the error for a column that should hold numbers; one that does in some rows names the first other."""
        methods = {"polars": "cast(pl.Float64)", "pandas": f'df["{self.name}"].astype(float)'}
        values = self.values.to_list() if self.values.dtype == nw.Object else []
        known = ~self.values.is_null().to_numpy()[: len(values)]
        is_number = np.array([isinstance(value, numbers.Number) for value in values], dtype=bool)
        others = known & ~is_number
        if not (others.any() and (known & is_number).any()):
            return self.wrong_type("numbers", **methods)
        hint = f"Correct it, None where there is no number, then convert the column: {self._conversion(**methods)}."
        return self.first_error(
            others,
            lambda row: self.error(
                row=row, expected="a number", received=f"{values[row]!r:.80}", hint=Phrase(hint, remedy="correct")
            ),
        )

    def check_no_null(self, expected: str) -> None:
        """Refuse a column in which a value is missing.

        Raises:
            DataError: A value is missing.
        """
        null = self.values.is_null().to_numpy()
        if null.any():
            hint = "Fill it in or drop the row."
            raise self.first_error(null, lambda row: self.error(row=row, expected=expected, received="none", hint=hint))


def first(mask: Array) -> int:
    """Return the position of the first true value."""
    return int(np.flatnonzero(mask)[0])


def as_numbers(column: FrameColumn) -> Array:
    """Return each row's number in double precision, `[rows]`, NaN where it is missing.

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
        DataError: They are no numbers, are infinite, or are missing and may not be.
    """
    values = as_numbers(column)
    invalid = ~(np.abs(values) <= LARGEST_NUMBER) & ~(gaps & np.isnan(values))
    if invalid.any():
        how = "Fill such values series by series, e.g. by interpolation, or take "
        hint = "Write NaN or null where a value is missing." if gaps else Phrase(how, Option("missing", "fill"), ".")
        count = f"({int(invalid.sum())} such rows)"
        raise column.first_error(
            invalid,
            lambda row: column.error(
                row=row,
                expected=f"a number up to {LARGEST_NUMBER:g}" if np.isfinite(values[row]) else "a finite number",
                received=f"{values[row]} {count}",
                hint=hint,
            ),
        )
    return values


def read_covariate(column: FrameColumn, *, gaps: bool) -> tuple[Array, ColumnType]:
    """Return a covariate as numbers, `[rows]`, and its type.

    Args:
        column: The column: numbers, booleans, or text and categories.
        gaps: Whether missing values are legal; they become NaN.

    Raises:
        DataError: It holds something else, or something is missing and may not be.
    """
    if column.values.dtype.is_numeric():
        return read_numbers(column, gaps=gaps), ColumnType("number")
    missing = column.values.is_null().to_numpy()
    if missing.any() and not gaps:
        hint = Phrase("Fill it in, or take ", Option("missing", "fill"), ".")
        raise column.first_error(
            missing, lambda row: column.error(row=row, expected="a value", received="none", hint=hint)
        )
    return _flags_or_labels(column, missing)


def _flags_or_labels(column: FrameColumn, missing: Array) -> tuple[Array, ColumnType]:
    import pandas as pd

    series = column.values
    if series.dtype == nw.Boolean and not missing.any():
        return series.to_numpy().astype(np.float64), ColumnType("flag")
    if series.dtype in (nw.Categorical, nw.Enum, nw.String):
        values = series.to_numpy() if series.dtype == nw.String else np.asarray(series.to_list(), dtype=object)
        values = np.asarray(values, dtype=object)
    elif missing.all():
        return np.full(len(series), np.nan), ColumnType("number")
    else:
        values = np.asarray(series.to_list(), dtype=object)
        observed = values[~missing]
        if all(isinstance(value, bool | np.bool_) for value in observed):
            flags = np.full(len(values), np.nan)
            flags[~missing] = observed.astype(np.float64)
            return flags, ColumnType("flag")
        if not all(isinstance(value, str) for value in observed):
            raise column.wrong_type(
                "numbers, booleans or text", polars="cast(pl.String)", pandas=f'df["{column.name}"].astype(str)'
            )
    codes, labels = pd.factorize(values, sort=False)
    names = np.array([str(label) for label in labels], dtype=object)
    order = np.argsort(names)
    numbers = np.empty(len(names) + 1)
    numbers[order], numbers[-1] = np.arange(len(names)), np.nan
    return numbers[codes], ColumnType("category", tuple(names[order].tolist()))
