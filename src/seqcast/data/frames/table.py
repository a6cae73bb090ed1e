"""Columns of a frame as arrays: ids, time stamps, numbers, flags and categories, each checked by itself.

pandas and Polars come in by way of Narwhals. Rows are counted from 0, in the frame's own order.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType, first, read_covariate, read_ids, read_numbers, read_stamps
from seqcast.data.frames.frequency import resolve
from seqcast.data.frames.long_frame import MISSING, LongFrame, complete
from seqcast.data.frames.regular import SortedRows
from seqcast.data.frames.schema import FrameSchema
from seqcast.data.series.store import InMemoryStore, starts_of
from seqcast.errors import DataError
from seqcast.specs.checks import check_choice
from seqcast.specs.columns import Columns, Covariates

__all__ = ["check_columns", "open_frame", "read_frame"]


def open_frame(df: Any, where: str = "df") -> Any:
    """Return a frame as Narwhals sees it, one of pandas or Polars.

    Args:
        df: An eager frame that Narwhals knows; others than pandas and Polars become pandas.
        where: What the user calls it.

    Raises:
        DataError: It is no such frame, or has no rows.
    """
    try:
        frame = nw.from_native(df, eager_only=True)
        if not (frame.implementation.is_pandas() or frame.implementation.is_polars()):
            frame = nw.from_native(frame.to_pandas(), eager_only=True)
        names = frame.columns
    except nw.exceptions.DuplicateError as error:
        raise DataError(where, expected="column names that differ", received=str(error), hint="Rename one.") from error
    except TypeError as error:
        raise DataError(
            where,
            expected="a pandas or Polars data frame",
            received=f"{type(df).__module__.split('.')[0]}.{type(df).__name__}",
            hint=f"Call {where}.collect() first."
            if hasattr(df, "collect")
            else "Windows that are arrays go to Seq2SeqRegressor.",
        ) from error
    if not len(frame):
        raise DataError(where, expected="at least one row", received=f"none (columns {names})", hint="Give some.")
    return frame


def check_columns(frame: Any, wanted: Iterable[tuple[str, str]], where: str = "df") -> None:
    """Refuse a frame that lacks a column.

    Args:
        frame: The frame.
        wanted: Each option that names a column, with the name.
        where: What the user calls the frame.

    Raises:
        DataError: There is no such column.
    """
    names = [str(name) for name in frame.columns]
    for option, name in wanted:
        if name in names:
            continue
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f"Did you mean {close[0]!r}? " if close else ""
        how = f"columns=Columns({option}=...)" if option in ("unique_id", "ds", "y") else f"{option}=..."
        raise DataError(
            where,
            expected=f"a column {name!r}",
            received=f"the columns {', '.join(map(repr, names))}",
            hint=f"{guess}Name yours with {how}, or add it (an index is no column).",
        )


Array = npt.NDArray[Any]


def read_frame(
    df: Any,
    columns: Columns | None = None,
    *,
    freq: Any = None,
    covariates: Covariates | None = None,
    missing: str = "raise",
    irregular: bool = False,
    static_optional: bool = False,
    zone: str | None = None,
    argument: str = "df",
) -> LongFrame:
    """Check a long frame and take its series out of it.

    Series may come in any order and their rows may be interleaved; within a series the stamps must increase
    by whole steps of the frequency from row to row. The result is sorted by id. Other columns are not looked at.

    Args:
        df: A pandas or Polars frame, or another eager one that Narwhals knows; one row a series and time.
        columns: Names of its columns.
        freq: A pandas alias, one of Polars' durations, or a whole number for integer stamps; `None` infers it
            from the longest series. Every row is checked against it.
        covariates: Names of further columns.
        missing: `raise` refuses missing values and steps; `fill` takes them, and the result has a row for every step.
        irregular: Whether stamps need not keep to a step.
        static_optional: Whether static covariates may be left out; they are NaN then.
        zone: Time zone on whose clock zoned stamps are counted, if not their own; frames made like it have their own.
        argument: What the user calls the frame.

    Returns:
        The series.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` is no frequency or does not fit the stamps.

    Example:
        >>> import pandas as pd
        >>> days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04"])
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": days, "y": range(3)}), freq="D", missing="fill")
        >>> frame.source.ids, frame.frequency.name, frame.source.values[:, 0]
        (('a',), 'D', array([ 0.,  1., nan,  2.]))
    """
    import pandas as pd

    check_choice("missing", missing, MISSING)
    columns, covariates = columns or Columns(), covariates or Covariates()
    table = open_frame(df, argument)
    optional = static_optional and not set(covariates.static) <= set(table.columns)
    static = () if optional else covariates.static
    named = [(f"{role}_covariates", name) for role in ("past", "future") for name in getattr(covariates, role)]
    check_columns(table, [*columns.named(), *(("static_covariates", name) for name in static), *named], argument)
    ids, id_dtype = read_ids(table[columns.unique_id], columns.unique_id)
    stamps, ds_dtype = read_stamps(table[columns.ds], columns.ds)
    own_zone = getattr(stamps, "tz", None)
    if zone is not None and own_zone is not None:
        stamps = stamps.tz_convert(zone)

    def where(column: str, row: int) -> str:
        return f"{column}, row {row} (series {ids[row : row + 1].tolist()[0]!r})"

    gaps = missing == "fill"
    parts = [read_numbers(table[name], name, where, gaps=gaps) for name in columns.targets]
    read = [read_covariate(table[name], name, where, gaps=gaps) for name in covariates.varying]
    parts += [values for values, _ in read]
    fixed = [read_covariate(table[name], name, where, gaps=gaps) for name in static]

    codes, names = pd.factorize(ids, sort=True)
    order = np.arange(len(codes)) if bool((codes[1:] >= codes[:-1]).all()) else np.argsort(codes, kind="stable")
    rows = SortedRows(tuple(names.tolist()), np.cumsum(np.bincount(codes)), stamps[order], order, columns)
    rows.check_increasing()
    frequency = None
    if not irregular:
        frequency = rows.infer(gaps=gaps) if freq is None else resolve(freq, rows.stamps)

    constants = [_constant(values[order], kind, rows, name) for (values, kind), name in zip(fixed, static, strict=True)]
    kind = "polars" if table.implementation.is_polars() else "pandas"
    frame = LongFrame(
        InMemoryStore(rows.ids, np.column_stack(parts)[order], rows.ends),
        rows.stamps,
        frequency,
        FrameSchema(kind, columns, id_dtype, ds_dtype, None if own_zone is None else str(own_zone)),
        covariates,
        tuple(kind for _, kind in read),
        np.column_stack(constants) if constants else np.full((len(names), len(covariates.static)), np.nan),
        tuple(kind for _, kind in fixed) if static else (ColumnType("number"),) * len(covariates.static),
        order,
        not optional,
    )
    return complete(frame, fill=gaps)


def _constant(values: Array, kind: ColumnType, rows: SortedRows, name: str) -> Array:
    """Return the value of a static covariate in each series, NaN where it is missing in all of its rows."""
    starts, last = starts_of(rows.ends), len(values) - 1
    given = ~np.isnan(values)
    seen = np.minimum.reduceat(np.where(given, np.arange(len(values)), last + 1), starts)
    found = seen < rows.ends
    constant = np.where(found, values[np.minimum(seen, last)], np.nan)
    differs = given & (values != constant[rows.series])
    if differs.any():
        place = first(differs)
        known = int(seen[rows.series[place]])
        raise DataError(
            rows.where(name, place),
            expected=f"{_told(values[known], kind)}, as in row {rows.order[known]}: a static covariate is constant "
            "within a series",
            received=_told(values[place], kind),
            hint="Name the column among past_covariates or future_covariates, or correct the row.",
        )
    return constant


def _told(value: float, kind: ColumnType) -> str:
    labels: Sequence[Any] = kind.labels if kind.name == "category" else (False, True)
    return f"{value:g}" if kind.name == "number" else repr(labels[int(value)])
