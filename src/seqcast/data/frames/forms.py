"""Forms of frames other than long: one series without ids, an index of times, wide frames."""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from seqcast.data.frames.frame_columns import Frame, FrameColumn, as_numbers
from seqcast.errors import DataError, suggest_name
from seqcast.runtime import Array
from seqcast.specs import Columns

# A frame of a user: of pandas, Polars or another library that Narwhals knows; or a pandas Series.
UserFrame = Any

# A frame with a column of ids.
LONG = "long"
# Name of the only series of a frame without ids.
_ONLY_NAME = "series"
# Columns of frames of forecasts that are keys or counts, before the forecasts.
_KEYS_OF_FORECASTS = ("cutoff", "step", "steps", "target", "sample", "scenario")


def form_of(df: UserFrame, columns: Columns) -> str:
    """Return the form of a user's frame or Series.

    Args:
        df: A frame or a pandas Series.
        columns: Names of the columns of a long frame.

    Returns:
        `long`; `single`, one series without ids; `index`, one series whose times are a pandas
        index; or `period:D`, the same with an index of periods.

    Example:
        >>> days = pd.date_range("2024-01-01", periods=3)
        >>> form_of(pd.Series([1.0, 2.0, 3.0], days), Columns())
        'index'
        >>> form_of(pd.DataFrame({"ds": days, "y": 1.0}), Columns()), form_of(None, Columns())
        ('single', 'long')
    """
    if hasattr(df, "collect") or columns.unique_id != Columns().unique_id:
        return LONG
    names = getattr(df, "columns", ())
    if not isinstance(names, Iterable):
        return LONG  # no frame, which its reader rejects

    # Ids under another name, or in the index, are an error rather than one series.
    names = list(names)
    index = getattr(df, "index", None)
    named = (*names, *(getattr(index, "names", None) or ()))
    others = [str(name) for name in names if name not in columns.names]
    if columns.unique_id in named or suggest_name(columns.unique_id, others):
        return LONG

    if columns.ds in names:
        return "single"
    if isinstance(index, pd.PeriodIndex):
        return f"period:{index.freqstr}"
    return "index" if isinstance(index, pd.DatetimeIndex) else LONG


def added_columns(columns: Columns, form: str) -> tuple[str, ...]:
    """Return the columns of a long frame that the user's own does not have.

    Args:
        columns: Names of the columns.
        form: The form of the user's frame.
    """
    if form == LONG:
        return ()
    return (columns.unique_id,) if form == "single" else (columns.unique_id, columns.ds)


def to_long(df: UserFrame, columns: Columns, form: str, name: str | int | None = None) -> UserFrame:
    """Return one series of any form as a long frame of the same library.

    Args:
        df: The user's frame or Series.
        columns: Names of the columns.
        form: Its form.
        name: Name of the series; `None` is that of a pandas Series, or `series`.
    """
    if form == LONG:
        return df
    if form != "single":
        own = getattr(df, "name", None)
        name = own if name is None and isinstance(own, str | int) else name
        index = df.index if form == "index" else df.index.to_timestamp()
        df = df.to_frame(columns.value) if hasattr(df, "to_frame") else df.copy()
        df.insert(0, columns.ds, index)

    frame = nw.from_native(df, eager_only=True)
    return frame.with_columns(
        nw.lit(_ONLY_NAME if name is None else name).alias(columns.unique_id)
    ).to_native()


def in_form(frame: UserFrame, columns: Columns, form: str) -> UserFrame:
    """Return a long frame of one series in the user's form.

    Args:
        frame: A frame of forecasts.
        columns: Names of its columns.
        form: The form; an index of times needs one row a time.
    """
    if form == LONG:
        return frame
    if hasattr(frame, "lazy"):  # of Polars
        return frame.drop(columns.unique_id)

    alone = frame.drop(columns=columns.unique_id)
    if form == "single" or frame[columns.ds].duplicated().any():
        return alone

    indexed = alone.set_index(columns.ds).rename_axis(None)
    return indexed if form == "index" else indexed.to_period(form.partition(":")[2])


def backtest_keys(columns: Iterable[str], given: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the columns of a backtest that are neither values nor ids or stamps, if it is one.

    Args:
        columns: Names of the columns.
        given: Names that the user gave to columns, several with commas, which stay what the user
            says.

    Example:
        >>> backtest_keys(["ds", "cutoff", "step", "north"]), backtest_keys(["step", "north"])
        (('cutoff', 'step'), ())
    """
    keys = ("cutoff", "step")
    named = {part for names in given for part in str(names).split(",")}
    if not set(keys) <= set(columns):
        return ()
    return tuple(name for name in keys if name not in named)


def from_wide(df: UserFrame, ds: str | None = "ds", *, columns: Columns | None = None) -> UserFrame:
    """Return a wide frame as a long one, with a row for each series and time.

    Missing values before the first and after the last one of a series are left out; those between
    stay missing.

    Args:
        df: A pandas or Polars frame; each column but that of the times is a series, named by it.
            The columns `cutoff` and `step` of a backtest are none.
        ds: The column of the times; `None` is a pandas index.
        columns: Names of the columns of the result.

    Returns:
        A frame of the same library with `unique_id`, `ds` and `y`, series after series in the order
        of their columns.

    Raises:
        DataError: There is no such column, or a series has no numbers.

    Example:
        >>> days = pd.date_range("2024-01-01", periods=2)
        >>> wide = pd.DataFrame({"day": days, "north": [1.0, 2.0], "south": [3.0, None]})
        >>> from_wide(wide, ds="day").to_dict("list")["y"]
        [1.0, 2.0, 3.0]
    """
    columns = columns or Columns()
    if ds is None:
        is_period = isinstance(df.index, pd.PeriodIndex)
        index = df.index.to_timestamp() if is_period else df.index
        df = df.set_axis(index).rename_axis(columns.ds).reset_index()
        ds = columns.ds
    frame = nw.from_native(df, eager_only=True)
    keys = (ds, *backtest_keys(frame.columns))
    names = [name for name in frame.columns if name not in keys]
    if ds not in frame.columns or not names:
        advice = "Name the column of the times with ds; None is the index."
        raise DataError(
            option="df",
            expected=f"a column {ds!r} and one for each series",
            received=f"the columns {', '.join(map(repr, frame.columns))}",
            hint=suggest_name(ds, frame.columns) or advice,
        )

    values = [as_numbers(FrameColumn(frame[name], str(name), "df")) for name in names]
    observed = ~np.isnan(np.column_stack(values))
    if not observed.any():
        raise DataError(
            option="df", expected="at least one number", received="none", hint="Give some."
        )

    long = frame.unpivot(names, index=ds, variable_name=columns.unique_id, value_name=columns.value)
    ids = nw.col(columns.unique_id).cast(nw.String)
    chosen = long.filter(inside(observed).T.ravel().tolist())
    chosen = chosen.select(ids, nw.col(ds).alias(columns.ds), nw.col(columns.value))
    return nw.maybe_reset_index(chosen).to_native()


def inside(observed: Array) -> Array:
    """Return which values lie between the first and the last one of their column, `[T, N]`.

    Args:
        observed: Which values are no gaps, `[T, N]`.

    Example:
        >>> inside(np.array([[False], [True], [False], [True], [False]])).ravel().tolist()
        [False, True, True, True, False]
    """
    since = np.maximum.accumulate(observed, axis=0)
    until = np.maximum.accumulate(observed[::-1], axis=0)[::-1]
    return np.asarray(since & until)


def to_wide(
    df: UserFrame, value: str | Sequence[str] | None = None, *, columns: Columns | None = None
) -> UserFrame:
    """Return a long frame as a wide one, with a row for each time and a column for each series.

    Args:
        df: A pandas or Polars frame with one row a series and time.
        value: The column whose values are spread; `None` is `y`, or in a frame of forecasts the
            first after the keys. Of several columns, the first names its columns by the series
            alone. Each other one appends the rest of its name: `north` and `north-lo-80` for
            `seqcast` and `seqcast-lo-80`.
        columns: Names of the columns.

    Returns:
        A frame of the same library: the times, ascending, and a column for each series; missing
        where it has none.

    Raises:
        DataError: A column is missing, or a series has a time twice.

    Example:
        >>> long = pd.DataFrame({"unique_id": ["a", "b"], "ds": [1, 1], "y": [0.5, 1.5]})
        >>> to_wide(long).to_dict("list")
        {'ds': [1], 'a': [0.5], 'b': [1.5]}
        >>> list(to_wide(long.assign(**{"y-lo-80": 0.0}), ["y", "y-lo-80"]).columns)
        ['ds', 'a', 'b', 'a-lo-80', 'b-lo-80']
    """
    columns = columns or Columns()
    frame = nw.from_native(df, eager_only=True)
    values = _spread_columns(frame, value, columns)
    _check_spread(frame, values, columns)

    wide = frame.pivot(columns.unique_id, index=columns.ds, values=values[0], sort_columns=False)
    for name in values[1:]:
        spread = frame.pivot(columns.unique_id, index=columns.ds, values=name, sort_columns=False)
        added = name.removeprefix(values[0]).removeprefix("-")
        series = [column for column in spread.columns if column != columns.ds]
        wide = wide.join(spread.rename({each: f"{each}-{added}" for each in series}), on=columns.ds)

    native = nw.maybe_reset_index(wide.sort(columns.ds)).to_native()
    # pandas names the axis of columns after the spread column.
    return native if hasattr(native, "lazy") else native.rename_axis(columns=None)


def _spread_columns(frame: Frame, value: str | Sequence[str] | None, columns: Columns) -> list[str]:
    """Return the columns whose values `to_wide` spreads."""
    if value and isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, str):
        return list(value)
    if columns.value in frame.columns:
        return [columns.value]

    keys = (columns.unique_id, columns.ds, *_KEYS_OF_FORECASTS)
    return [next((name for name in frame.columns if name not in keys), columns.value)]


def _check_spread(frame: Frame, values: Sequence[str], columns: Columns) -> None:
    """Reject a frame that lacks a column, or has a time of a series twice."""
    keys = [columns.unique_id, columns.ds]
    for name in (*keys, *values):
        if name not in frame.columns:
            raise DataError(
                option="df",
                expected=f"a column {name!r}",
                received=f"the columns {', '.join(map(repr, frame.columns))}",
                hint=suggest_name(name, frame.columns) or "Name it with value, or with columns.",
            )

    twice = frame.select(keys).is_duplicated().to_numpy()
    if twice.any():
        raise DataError(
            option="df",
            row=int(twice.argmax()),
            expected="each time of a series once",
            received="a duplicate",
            hint="Choose one cutoff, target or sample first.",
        )
