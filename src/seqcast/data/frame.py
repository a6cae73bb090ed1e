"""Long frames, checked once, here, and turned into series.

pandas and Polars come in by way of Narwhals and their own kind goes out; other eager frames that Narwhals
knows, such as PyArrow tables, come out as pandas. All that can be wrong with a frame is found before anything
is trained, and the message names column, row and series. Rows are counted from 0, in the frame's own order.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.config import Columns
from seqcast.data.form import FrameForm
from seqcast.data.frequency import Frequency, Stamps, infer, resolve
from seqcast.data.source import SeriesSource
from seqcast.errors import DataError

__all__ = ["LongFrame", "read_frame"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LongFrame:
    """A checked frame: series without gaps at one frequency, sorted by id.

    Args:
        source: The values, in double precision.
        stamps: Time stamp of each value of `source.values`: a pandas Index.
        frequency: The step between them.
        form: How the frame looked, to make others like it.
    """

    source: SeriesSource
    stamps: Stamps
    frequency: Frequency
    form: FrameForm

    @property
    def first_stamps(self) -> Stamps:
        """First time stamp of each series."""
        return self.stamps[self.source.starts]

    @property
    def last_stamps(self) -> Stamps:
        """Last time stamp of each series."""
        return self.stamps[self.source.ends - 1]

    def until(self, stops: Array) -> Self:
        """Return the frame with each series cut off after `stops` rows; series without rows are left out."""
        lengths = self.source.lengths
        places = np.arange(len(self.source.values)) - np.repeat(self.source.starts, lengths)
        kept = places < np.repeat(stops, lengths)
        ids = tuple(name for name, stop in zip(self.source.ids, stops, strict=True) if stop > 0)
        source = SeriesSource(ids, self.source.values[kept], np.cumsum(stops[stops > 0]))
        return replace(self, source=source, stamps=self.stamps[kept])


def read_frame(df: Any, columns: Columns | None = None, *, freq: Any = None) -> LongFrame:
    """Check a long frame and take its series out of it.

    Series may come in any order and their rows may be interleaved; within a series the stamps must increase
    by the frequency's step from row to row. The result is sorted by id. Other columns are not looked at.

    Args:
        df: A pandas or Polars frame, or another eager one that Narwhals knows; one row a series and time.
        columns: Names of its columns.
        freq: A pandas alias, one of Polars' durations, or a whole number for integer stamps; `None` infers it
            from the longest series. Every row is checked against it.

    Returns:
        The series.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` is no frequency or does not fit the stamps.

    Example:
        >>> import pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=4)
        >>> frame = read_frame(pd.DataFrame({"unique_id": "a", "ds": days, "y": range(4)}))
        >>> frame.source.ids, frame.frequency.name, frame.source.values
        (('a',), 'D', array([0., 1., 2., 3.]))
    """
    import pandas as pd

    columns = columns or Columns()
    frame = _narwhals(df)
    _check_columns(frame, columns)
    ids, id_dtype = _ids(frame[columns.unique_id], columns.unique_id)
    stamps, ds_dtype = _stamps(frame[columns.ds], columns.ds)
    values = _values(frame[columns.y], columns.y)

    codes, names = pd.factorize(ids, sort=True)
    order = np.argsort(codes, kind="stable")
    source = SeriesSource(tuple(names.tolist()), values[order], np.cumsum(np.bincount(codes)))
    rows = _Rows(source, stamps[order], order, columns)
    rows.check_increasing()
    frequency = rows.infer() if freq is None else resolve(freq, rows.stamps)
    rows.check_steps(frequency)

    kind = "polars" if frame.implementation.is_polars() else "pandas"
    zone = getattr(stamps, "tz", None)
    form = FrameForm(kind, columns, id_dtype, ds_dtype, None if zone is None else str(zone))
    return LongFrame(source, rows.stamps, frequency, form)


def _narwhals(df: Any) -> Any:
    try:
        frame = nw.from_native(df, eager_only=True)
        if not (frame.implementation.is_pandas() or frame.implementation.is_polars()):
            frame = nw.from_native(frame.to_pandas(), eager_only=True)
        names = frame.columns
    except nw.exceptions.DuplicateError as error:
        raise DataError("df", expected="column names that differ", received=str(error), mend="Rename one.") from error
    except TypeError as error:
        raise DataError(
            "df",
            expected="a pandas or Polars data frame",
            received=f"{type(df).__module__.split('.')[0]}.{type(df).__name__}",
            mend="Call df.collect() first."
            if hasattr(df, "collect")
            else "Windows that are arrays go to Seq2SeqRegressor.",
        ) from error
    if not len(frame):
        raise DataError("df", expected="at least one row", received=f"none (columns {names})")
    return frame


def _check_columns(frame: Any, columns: Columns) -> None:
    names = [str(name) for name in frame.columns]
    for field, name in columns.to_dict().items():
        if name in names:
            continue
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f"Did you mean {close[0]!r}? " if close else ""
        raise DataError(
            "df",
            expected=f"a column {name!r}",
            received=f"the columns {', '.join(map(repr, names))}",
            mend=f"{guess}Name yours with columns=Columns({field}=...), or add it (an index is no column).",
        )


def _first(bad: Array) -> int:
    return int(np.flatnonzero(bad)[0])


def _check_no_null(series: Any, name: str, expected: str) -> None:
    null = series.is_null().to_numpy()
    if null.any():
        where = f"{name}, row {_first(null)}"
        raise DataError(where, expected=expected, received="none", mend="Fill it in or drop the row.")


def _wrong_type(series: Any, name: str, expected: str, *, polars: str, pandas: str) -> DataError:
    """Build the error for a column's type; its mend is in the frame's own language."""
    mend = f'df["{name}"] = {pandas}'
    if series.implementation.is_polars():
        mend = f'df = df.with_columns(pl.col("{name}").{polars})'
    received = f"type {series.to_native().dtype}, such as {series.head(1).to_list()[0]!r}"
    return DataError(name, expected=expected, received=received, mend=f"Convert it: {mend}.")


def _ids(series: Any, name: str) -> tuple[Array, str]:
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


def _stamps(series: Any, name: str) -> tuple[Stamps, str]:
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


def _values(series: Any, name: str) -> Array:
    """Return each row's value."""
    if not series.dtype.is_numeric():
        pandas = f'df["{name}"].astype(float)'
        raise _wrong_type(series, name, "numbers", polars="cast(pl.Float64)", pandas=pandas)
    values = np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"{name}, row {_first(bad)}",
            expected="a finite number",
            received=f"{values[_first(bad)]} ({int(bad.sum())} such rows)",
            mend="Fill such values series by series, e.g. by interpolation.",
        )
    return values


@dataclass(frozen=True)
class _Rows:
    """Rows in the order of their series, for the checks that compare neighbours."""

    source: SeriesSource
    stamps: Stamps
    order: Array
    columns: Columns

    def where(self, place: int) -> str:
        name = self.source.ids[int(np.searchsorted(self.source.ends, place, side="right"))]
        return f"{self.columns.ds}, row {self.order[place]} (series {name!r})"

    def later(self) -> Array:
        """Return the places of rows that have a row of the same series before them."""
        later = np.ones(len(self.stamps), dtype=bool)
        later[self.source.starts] = False
        return np.flatnonzero(later)

    def check_increasing(self) -> None:
        ticks = self.stamps.to_numpy() if self.stamps.dtype.kind in "iu" else self.stamps.asi8
        places = self.later()
        back = ticks[places] <= ticks[places - 1]
        if not back.any():
            return
        place = int(places[_first(back)])
        before = f"{self.stamps[place - 1]} (row {self.order[place - 1]})"
        key = f'["{self.columns.unique_id}", "{self.columns.ds}"]'
        if ticks[place] == ticks[place - 1]:
            raise DataError(
                self.where(place),
                expected=f"a stamp after {before}",
                received=f"the duplicate {self.stamps[place]}",
                mend=f"Drop it or add the two up: df.drop_duplicates({key}) or df.groupby({key}) in pandas, "
                f"df.unique({key}) or df.group_by({key}) in Polars.",
            )
        raise DataError(
            self.where(place),
            expected=f"stamps that increase, after {before}",
            received=str(self.stamps[place]),
            mend=f"Sort the rows: df.sort_values({key}) in pandas, df.sort({key}) in Polars.",
        )

    def infer(self) -> Frequency:
        longest = int(np.argmax(self.source.lengths))
        stretch = slice(int(self.source.starts[longest]), int(self.source.ends[longest]))
        return infer(self.stamps[stretch], f"{self.columns.ds} (series {self.source.ids[longest]!r})")

    def check_steps(self, frequency: Frequency) -> None:
        """Check each row against the row before it."""
        import pandas as pd

        named = f"freq {frequency.name!r}" + (", which was inferred" if frequency.inferred else "")
        # Panels share their stamps, so the calendar is asked once for each that differs.
        codes, unique = pd.factorize(self.stamps)
        off = frequency.off_grid(unique)[codes]
        if off.any():
            place = _first(off)
            raise DataError(
                self.where(place),
                expected=f"a stamp of {named}",
                received=str(self.stamps[place]),
                mend="Give the series' own freq, or move the stamps.",
            )
        places = self.later()
        expected = frequency.after(unique, 1)[codes[places - 1]]
        wrong = np.asarray(expected != self.stamps[places])
        if wrong.any():
            place = int(places[_first(wrong)])
            raise DataError(
                self.where(place),
                expected=f"{expected[_first(wrong)]}, a step after {self.stamps[place - 1]} at {named}",
                received=str(self.stamps[place]),
                mend="Fill the gap (utilsforecast.preprocessing.fill_gaps adds the rows, then interpolate "
                f"{self.columns.y}) or drop the row; or give freq, if the step is another.",
            )
