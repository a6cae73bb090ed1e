"""The only reader of a user's frame, for `fit`, for the future of a forecast, and for evaluation.

`open_frame` opens a frame, `read_keys` finds its columns, and `read_frame` returns its series. Whatever is wrong with a
frame is found before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType, FrameColumn, read_covariate, read_numbers
from seqcast.data.frames.forms import form_of, to_long
from seqcast.data.frames.frequency import resolve
from seqcast.data.frames.keys import IdColumn, StampColumn, read_ids, read_stamps
from seqcast.data.frames.long_frame import MISSING, LongFrame, complete
from seqcast.data.frames.regular import SortedRows
from seqcast.data.frames.schema import FrameSchema
from seqcast.data.frames.stamps import Stamps
from seqcast.data.series import InMemoryStore, starts_of
from seqcast.errors import DataError, Option, Phrase, Row, suggest_name
from seqcast.specs import Columns, Covariates, check_choice

Array = npt.NDArray[Any]

ON_BAD_SERIES = ("raise", "skip")


def open_frame(df: Any, argument: str = "df", *, hint: str = "Windows that are arrays go to Seq2SeqRegressor.") -> Any:
    """Return a user's frame as Narwhals sees it, one of pandas or Polars.

    Args:
        df: An eager frame that Narwhals knows; others than pandas and Polars become pandas.
        argument: The argument that it came in by.
        hint: The hint of the error for something that is no frame.

    Raises:
        DataError: It is no such frame, has two columns of one name, or has no rows.
    """
    try:
        frame = nw.from_native(df, eager_only=True)
        if not (frame.implementation.is_pandas() or frame.implementation.is_polars()):
            frame = nw.from_native(frame.to_pandas(), eager_only=True)
        names = frame.columns
    except nw.exceptions.DuplicateError as error:
        raise DataError(
            option=argument, expected="column names that differ", received=str(error), hint="Rename one."
        ) from error
    except TypeError as error:
        raise DataError(
            option=argument,
            expected="a pandas or Polars data frame",
            received=f"{type(df).__module__.split('.')[0]}.{type(df).__name__}",
            hint=f"Call {argument}.collect() first." if hasattr(df, "collect") else hint,
        ) from error
    if not len(frame):
        received = f"none (columns {names})"
        raise DataError(option=argument, expected="at least one row", received=received, hint="Give some.")
    return frame


def check_columns(frame: Any, needed: Iterable[tuple[str | None, str]], argument: str = "df") -> None:
    """Refuse a frame that lacks a column.

    Args:
        frame: The frame, open.
        needed: Names of columns, each after the option that names it: a field of `Columns`, or another argument; `None`
            if the column always has this name.
        argument: The argument that the frame came in by.

    Raises:
        DataError: There is no such column.
    """
    names = [str(name) for name in frame.columns]
    for option, name in needed:
        if name in names:
            continue
        suggestion = suggest_name(name, names)
        rename: tuple[str | Option, ...] = ("Add it",)
        if option is not None:
            field = f"columns.{option}" if option in ("unique_id", "ds", "y") else option
            rename = ("Name yours with ", Option(field, ...), ", or add it")
        raise DataError(
            option=argument,
            expected=f"a column {name!r}",
            received=f"the columns {', '.join(map(repr, names))}",
            hint=Phrase(f"{suggestion} " if suggestion else "", *rename, " (an index is no column)."),
        )


@dataclass(frozen=True)
class KeyedFrame:
    """A user's frame whose ids and stamps have been read; its other columns are read on demand.

    Args:
        frame: The frame as Narwhals sees it.
        option: The argument that it came in by, if errors about columns name it.
        id_column: Id of each row's series.
        stamp_column: Stamp of each row.
        rows: Number of each row in the user's frame.
    """

    frame: Any
    option: str | None
    id_column: IdColumn
    stamp_column: StampColumn
    rows: Array

    @property
    def ids(self) -> Array:
        """Id of each row's series, `[rows]`."""
        return self.id_column.ids

    @property
    def stamps(self) -> Stamps:
        """Stamp of each row, a pandas Index."""
        return self.stamp_column.stamps

    def column(self, name: str) -> FrameColumn:
        """Return a column that is still to be read."""
        return FrameColumn(self.frame[name], name, self.option, self.ids, self.rows)


def read_keys(
    frame: Any, columns: Columns, needed: Iterable[tuple[str, str]], argument: str = "df", rows: Array | None = None
) -> KeyedFrame:
    """Check the columns of an open frame, and read its ids and stamps.

    Args:
        frame: The result of `open_frame`.
        columns: Names of its columns.
        needed: Names of the columns that it has to have beside the ids and stamps, each after the option that names it.
        argument: The argument that the frame came in by.
        rows: Number of each row in the user's frame, if some have been left out.

    Raises:
        DataError: A column is missing, or an id or stamp is missing or of the wrong type.
    """
    check_columns(frame, [("unique_id", columns.unique_id), ("ds", columns.ds), *needed], argument)
    option = None if argument == "df" else argument
    rows = np.arange(len(frame)) if rows is None else rows
    ids = read_ids(FrameColumn(frame[columns.unique_id], columns.unique_id, option, rows=rows))
    stamps = read_stamps(FrameColumn(frame[columns.ds], columns.ds, option, ids.ids, rows), columns)
    return KeyedFrame(frame, option, ids, stamps, rows)


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
    on_bad_series: str = "raise",
    series_name: Any = None,
) -> LongFrame:
    """Check a long frame and return its series.

    Series may come in any order and their rows may be interleaved; within a series the stamps must increase
    by whole steps of the frequency from row to row. The result is sorted by id. Other columns are ignored.

    Args:
        df: A pandas or Polars frame, or another eager one that Narwhals knows; one row a series and time. A frame
            without ids is one series, and so is a pandas Series or frame with an index of times or periods.
        columns: Names of its columns.
        freq: A pandas alias, one of Polars' durations, or a whole number for integer stamps; `None` infers it
            from the longest series. Every row is checked against it.
        covariates: Names of further columns.
        missing: `raise` refuses missing values and steps; `fill` takes them, and the result has a row for every step.
        irregular: Whether stamps need not keep to a step.
        static_optional: Whether static covariates may be left out; they are NaN then.
        zone: Time zone on whose clock zoned stamps are counted, if not their own; frames made like it have their own.
        argument: The argument that the frame came in by.
        series_name: Name of the only series of a frame without ids.
        on_bad_series: What to do about series in which something is wrong: `raise`, or `skip` them, so that the result
            knows which and why.

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
    check_choice("missing", missing, MISSING)
    check_choice("on_bad_series", on_bad_series, ON_BAD_SERIES)
    columns, covariates = columns or Columns(), covariates or Covariates()
    if columns.ds_format is None and isinstance(freq, int | np.integer):
        columns = replace(columns, ds_format="integer")  # a step in whole numbers says what the stamps are
    form = form_of(df, columns)
    opened = open_frame(to_long(df, columns, form, series_name), argument)
    absent = static_optional and not set(covariates.static) <= set(opened.columns)
    reading = _Reading(
        columns, freq, covariates, missing == "fill", irregular, absent=absent, zone=zone, argument=argument, form=form
    )
    rows = np.arange(len(opened))
    skipped: dict[Any, DataError] = {}
    while True:
        try:
            return replace(reading.series(opened, rows), skipped=skipped)
        except DataError as error:
            bad = error.by_series
            if form == "single" and isinstance(error.hint, Phrase) and error.hint.remedy in ("deduplicate", "sort"):
                raise _about_ids(error) from error
            if on_bad_series == "raise" or not bad:
                raise
            ids = read_ids(FrameColumn(opened[columns.unique_id], columns.unique_id)).ids
            good = np.array([name not in bad for name in ids.tolist()])
            if not good.any():
                raise
            skipped |= bad
            opened, rows = opened.filter(good.tolist()), rows[good]


def _about_ids(error: DataError) -> DataError:
    """Return the error for rows of one series that do not follow, which may be several without a column of ids."""
    assert isinstance(error.hint, Phrase)
    parts = (
        " Or does it hold several series? Name the column that tells them apart: ",
        Option("columns.unique_id", ...),
    )
    return DataError(
        option=error.option,
        column=error.column,
        row=error.row,
        expected=error.expected,
        received=error.received,
        hint=Phrase(*error.hint.parts, *parts, ".", remedy=error.hint.remedy),
    )


@dataclass(frozen=True)
class _Reading:
    """How a frame is read; fields are the arguments of `read_frame`, and whether static covariates are absent."""

    columns: Columns
    freq: Any
    covariates: Covariates
    gaps: bool
    irregular: bool
    absent: bool
    zone: str | None
    argument: str
    form: str

    def series(self, opened: Any, numbers: Array) -> LongFrame:
        """Check an open frame and return its series.

        Args:
            opened: The frame.
            numbers: Number of each row in the user's frame.
        """
        columns, covariates, gaps = self.columns, self.covariates, self.gaps
        static = () if self.absent else covariates.static
        needed = [("y", name) for name in columns.targets] + [("static_covariates", name) for name in static]
        needed += [(f"{role}_covariates", name) for role in ("past", "future") for name in getattr(covariates, role)]
        table = read_keys(opened, columns, needed, self.argument, numbers)
        targets = [read_numbers(table.column(name), gaps=gaps) for name in columns.targets]
        varying = [read_covariate(table.column(name), gaps=gaps) for name in covariates.varying]
        fixed = [read_covariate(table.column(name), gaps=gaps) for name in static]

        stamps = table.stamps
        if self.zone is not None and getattr(stamps, "tz", None) is not None:
            stamps = stamps.tz_convert(self.zone)
        # Frames that follow are written like this one.
        columns = replace(columns, ds_format=table.stamp_column.ds_format)
        order, rows = _sort_rows(table, stamps, columns)
        rows.check_increasing()
        frequency = None
        if not self.irregular:
            frequency = rows.infer(gaps=gaps) if self.freq is None else resolve(self.freq, rows.stamps)

        constants = [
            static_values(values[order], kind, rows, name) for (values, kind), name in zip(fixed, static, strict=True)
        ]
        values = np.column_stack([*targets, *(covariate for covariate, _ in varying)])[order]
        kind = "polars" if table.frame.implementation.is_polars() else "pandas"
        static_kinds = tuple(kind for _, kind in fixed)
        frame = LongFrame(
            source=InMemoryStore(rows.ids, values, rows.ends),
            stamps=rows.stamps,
            frequency=frequency,
            schema=FrameSchema.of(kind, columns, table.id_column, table.stamp_column, self.form),
            covariates=covariates,
            kinds=tuple(kind for _, kind in varying),
            static=np.column_stack(constants)
            if constants
            else np.full((len(rows.ids), len(covariates.static)), np.nan),
            static_kinds=(ColumnType("number"),) * len(covariates.static) if self.absent else static_kinds,
            rows=rows.order,
            static_given=not self.absent,
        )
        return complete(frame, fill=gaps, option=table.option)


def _sort_rows(table: KeyedFrame, stamps: Stamps, columns: Columns) -> tuple[Array, SortedRows]:
    """Return the order of rows by series, and within a series as they are given, and the rows in that order."""
    import pandas as pd

    codes, names = pd.factorize(table.ids, sort=True)
    order = np.arange(len(codes)) if bool((codes[1:] >= codes[:-1]).all()) else np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    ids = tuple(names.tolist())
    return order, SortedRows(ids, ends, stamps[order], table.rows[order], columns=columns, option=table.option)


def static_values(values: Array, kind: ColumnType, rows: SortedRows, name: str) -> Array:
    """Return the value of a static covariate in each series, `[N]`, NaN where it is missing in all of its rows.

    Args:
        values: The column, in the order of the rows.
        kind: Its type.
        rows: The rows.
        name: Name of the column.

    Raises:
        DataError: It changes within a series.
    """
    starts, last = starts_of(rows.ends), len(values) - 1
    observed = ~np.isnan(values)
    first_observed = np.minimum.reduceat(np.where(observed, np.arange(len(values)), last + 1), starts)
    constant = np.where(first_observed < rows.ends, values[np.minimum(first_observed, last)], np.nan)
    differs = observed & (values != constant[rows.series])
    if differs.any():
        names = (Option("past_covariates"), " or ", Option("future_covariates"))
        hint = Phrase("Name the column among ", *names, ", or correct the row.")

        def at(place: int) -> DataError:
            before = int(first_observed[rows.series[place]])
            stands = Row(int(rows.order[before]))
            return rows.error(
                name,
                place,
                expected=Phrase(
                    f"{_value_text(values[before], kind)}, as in ",
                    stands,
                    ": a static covariate is constant within a series",
                ),
                received=_value_text(values[place], kind),
                hint=hint,
            )

        raise rows.first_error(np.flatnonzero(differs).tolist(), at)
    return constant


def _value_text(value: float, kind: ColumnType) -> str:
    """Return a value as text, as it stands in the user's frame."""
    labels: Sequence[Any] = kind.labels if kind.name == "category" else (False, True)
    return f"{value:g}" if kind.name == "number" else repr(labels[int(value)])
