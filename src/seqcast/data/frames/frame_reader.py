"""Reading of a user's frame, for `fit`, for the future of a forecast, and for evaluation.

`open_frame` opens a frame, `read_keys` finds its columns, and `read_frame` returns its series.
Every error in a frame is raised before a training begins.
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from seqcast.data.frames import frame_columns
from seqcast.data.frames.arrow_columns import to_pandas
from seqcast.data.frames.forms import UserFrame, added_columns, form_of, to_long
from seqcast.data.frames.frame_columns import Column, ColumnType, Frame
from seqcast.data.frames.frequency import Frequency, resolve
from seqcast.data.frames.long_frame import MISSING, LongFrame
from seqcast.data.frames.numerals import without_overflow
from seqcast.data.frames.regular import (
    ON_DUPLICATES,
    check_increasing,
    complete,
    infer_frequency,
    merge_duplicates,
)
from seqcast.data.frames.schema import FrameSchema
from seqcast.data.frames.stamps import Stamps
from seqcast.data.series import InMemoryStore
from seqcast.errors import DataError, Fix, Option, Phrase, Row, ask_for, nearest_name
from seqcast.runtime import LARGEST_NUMBER, Array
from seqcast.specs import Columns, Covariates, check_choice

# What becomes of series with errors.
ON_BAD_SERIES = ("raise", "skip")
# Fixes of single values.
_OF_VALUES = (Fix.CONVERT, Fix.CORRECT)
# Fixes of the order of rows.
_OF_ORDER = (Fix.DEDUPLICATE, Fix.SORT)


def open_frame(
    df: UserFrame,
    argument: str = "df",
    *,
    hint: str = "Windows that are arrays go to Seq2SeqRegressor.",
) -> Frame:
    """Return a user's frame as Narwhals sees it, one of pandas or Polars.

    Args:
        df: An eager frame that Narwhals knows; others than pandas and Polars become pandas.
        argument: The argument that holds it.
        hint: The hint of the error for something that is no frame.

    Raises:
        DataError: It is no such frame, has two columns of one name, or has no rows.
    """
    try:
        frame: Frame = nw.from_native(df, eager_only=True)
        if frame.implementation.is_pyarrow():
            frame = nw.from_native(to_pandas(frame.to_native()), eager_only=True)
        elif not (frame.implementation.is_pandas() or frame.implementation.is_polars()):
            frame = nw.from_native(frame.to_pandas(), eager_only=True)
        names = frame.columns
    except nw.exceptions.DuplicateError as error:
        raise DataError(
            option=argument,
            expected="column names that differ",
            received=str(error),
            hint="Rename one.",
        ) from error
    except TypeError as error:
        expected = "a pandas or Polars data frame"
        received = f"{type(df).__module__.split('.')[0]}.{type(df).__name__}"
        if hasattr(df, "collect"):
            hint = f"Call {argument}.collect() first."
        raise DataError(option=argument, expected=expected, received=received, hint=hint) from error

    if not len(frame):
        raise DataError(
            option=argument,
            expected="at least one row",
            received=f"none (columns {names})",
            hint="Give some.",
        )
    return frame


def open_long(df: UserFrame, columns: Columns, where: str) -> tuple[Frame, tuple[str, ...]]:
    """Open a frame or Series of any form as a long one; return it, and the columns that it adds.

    Args:
        df: The user's frame or Series.
        columns: Names of the columns.
        where: The argument that holds it.
    """
    form = form_of(df, columns)
    frame = open_frame(to_long(df, columns, form), where, hint="Convert it.")
    return frame, added_columns(columns, form)


class _HasColumns(Protocol):
    @property
    def columns(self) -> Sequence[str]: ...


def check_columns(
    frame: _HasColumns,
    needed: Iterable[tuple[str | None, str]],
    argument: str = "df",
    added: Collection[str] = (),
) -> None:
    """Reject a frame that lacks a column.

    Args:
        frame: The frame, open, or a source.
        needed: Names of columns, each after the option that names it: a field of `Columns`, or
            another argument; `None` if the column always has this name.
        argument: The argument that holds the frame.
        added: Columns that the user's own frame does not have.

    Raises:
        DataError: There is no such column.
    """
    needed = list(needed)
    names = [str(name) for name in frame.columns]
    for option, name in needed:
        if name in names:
            continue

        own = [each for each in names if each not in added]
        nearest = nearest_name(name, own)
        is_only = [each for each, _ in needed].count(option) == 1
        advice = _advice(option, nearest if is_only else None)
        index = getattr(nw.to_native(frame, pass_through=True), "index", None)
        note = " (an index is no column)." if any(getattr(index, "names", ())) else "."
        raise DataError(
            option=argument,
            expected=f"a column {name!r}",
            received=f"the columns {', '.join(map(repr, own))}",
            hint=Phrase(f"{ask_for(nearest)} " if nearest else "", *advice, note),
        )


def _advice(option: str | None, nearest: str | None) -> tuple[str | Option, ...]:
    """Return how to give a missing column: name another one by the option, or add it."""
    if option is None:
        return ("Add it",)
    field = f"columns.{option}" if option in ("unique_id", "ds", "y", "weight") else option
    return "Name yours with ", Option(field, nearest or ...), ", or add it"


@dataclass(frozen=True)
class KeyedFrame:
    """A user's frame whose ids and stamps have been read; its other columns are read on demand.

    Args:
        frame: The frame as Narwhals sees it.
        option: The argument that holds it, if errors about columns name it.
        columns: Names of its columns.
        id_column: Id of each row's series.
        stamp_column: Stamp of each row.
        rows: Number of each row in the user's frame.
    """

    frame: Frame
    option: str | None
    columns: Columns
    id_column: frame_columns.IdColumn
    stamp_column: frame_columns.StampColumn
    rows: Array

    @property
    def ids(self) -> Array:
        """Id of each row's series, `[rows]`."""
        return self.id_column.ids

    @property
    def stamps(self) -> Stamps:
        """Stamp of each row, a pandas Index."""
        return self.stamp_column.stamps

    @property
    def places_by_time(self) -> Array:
        """Positions of the rows by series and time."""
        keys = pd.DataFrame({"id": self.ids, "ds": self.stamps})
        return keys.sort_values(["id", "ds"], kind="stable").index.to_numpy()

    def column(self, name: str) -> frame_columns.FrameColumn:
        """Return an unread column.

        Args:
            name: Its name.
        """
        return frame_columns.FrameColumn(self.frame[name], name, self.option, self.ids, self.rows)


def read_keys(
    frame: Frame,
    columns: Columns,
    needed: Iterable[tuple[str, str]],
    argument: str = "df",
    rows: Array | None = None,
) -> KeyedFrame:
    """Check the columns of an open frame, and read its ids and stamps.

    Args:
        frame: The result of `open_frame`.
        columns: Names of its columns.
        needed: Names of the other columns that it needs, each after the option that names it.
        argument: The argument that holds the frame.
        rows: Number of each row in the user's frame, if some have been left out.

    Raises:
        DataError: A column is missing, or an id or stamp is missing or of the wrong type.
    """
    check_columns(frame, [("ds", columns.ds), ("unique_id", columns.unique_id), *needed], argument)
    option = None if argument == "df" else argument
    if rows is None:
        rows = np.arange(len(frame))

    name = columns.unique_id
    id_column = frame_columns.FrameColumn(frame[name], name, option, rows=rows)
    ids = frame_columns.read_ids(id_column)

    name = columns.ds
    stamp_column = frame_columns.FrameColumn(frame[name], name, option, ids.ids, rows)
    stamps = frame_columns.read_stamps(stamp_column, columns)
    return KeyedFrame(frame, option, columns, id_column=ids, stamp_column=stamps, rows=rows)


def read_frame(
    df: UserFrame,
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
    on_bad_rows: str = "raise",
    on_duplicates: str = "raise",
    series_name: str | int | None = None,
    added: Collection[str] = (),
    missing_values: Sequence[str] = (),
) -> LongFrame:
    """Check a long frame and return its series.

    Series may come in any order and their rows may be interleaved; within a series the stamps must
    increase by whole steps of the frequency from row to row. The result is sorted by id. Other
    columns are ignored.

    Args:
        df: A pandas or Polars frame, or another eager one that Narwhals knows; one row a series and
            time. A frame without ids is one series, and so is a pandas Series or frame with an
            index of times or periods.
        columns: Names of its columns.
        freq: A pandas alias, one of Polars' durations, or a whole number for integer stamps; `None`
            infers it from the longest series. Every row is checked against it.
        covariates: Names of the columns of covariates.
        missing: `raise` rejects missing values and steps; `fill` takes them, and the result has a
            row for every step.
        irregular: Whether stamps need not keep to a step.
        static_optional: Whether static covariates may be left out, which are NaN then, and weights,
            which are 1.
        zone: Time zone on whose clock zoned stamps are counted, if not their own; frames of
            forecasts have their own.
        argument: The argument that holds the frame.
        series_name: Name of the only series of a frame without ids.
        added: Columns of the frame that the user's own does not have, such as the ids of a file
            that names no series.
        missing_values: What stood for missing values in the file of the frame, if it is from one.
        on_bad_series: `raise` the first error of a series, or `skip` the series with errors, which
            the result lists.
        on_bad_rows: `raise` the first error of a row, or `skip` the rows with errors, which the
            result lists; rows of a series are sorted then.
        on_duplicates: `raise` an error where a series has a stamp twice, or take the `first` or
            `last` of such rows, or the `mean` or `sum` of their targets with the covariates of the
            first.

    Returns:
        The series.

    Raises:
        DataError: The frame is invalid.
        SpecError: `freq` is no frequency or does not fit the stamps.

    Example:
        >>> import pandas as pd
        >>> days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04"])
        >>> table = pd.DataFrame({"unique_id": "a", "ds": days, "y": range(3)})
        >>> frame = read_frame(table, freq="D", missing="fill")
        >>> frame.source.ids, frame.frequency.name, frame.source.values[:, 0]
        (('a',), 'D', array([ 0.,  1., nan,  2.]))
    """
    check_choice("missing", missing, MISSING)
    check_choice("on_bad_series", on_bad_series, ON_BAD_SERIES)
    check_choice("on_duplicates", on_duplicates, ON_DUPLICATES)
    columns = columns or Columns()
    covariates = covariates or Covariates()
    if columns.ds_format is None and isinstance(freq, int | np.integer):
        # A step in whole numbers implies such stamps.
        columns = replace(columns, ds_format="integer")

    form = form_of(df, columns)
    opened = open_frame(to_long(df, columns, form, series_name), argument)
    added = (*added, *added_columns(columns, form))
    static = covariates.static
    if static_optional and not set(static) <= set(opened.columns):
        static = ()
    needed = _needed_columns(columns, covariates, static, needs_weight=not static_optional)
    check_columns(opened, (("ds", columns.ds), *needed), argument, added)

    reading = _Reading(
        columns=columns,
        covariates=covariates,
        static=static,
        needed=needed,
        form=form,
        freq=freq,
        gaps=missing == "fill",
        irregular=irregular,
        zone=zone,
        argument=argument,
        on_duplicates=on_duplicates,
    )

    rows = np.arange(len(opened))
    skipped: dict[Hashable, DataError] = {}
    faults: list[DataError] = []
    while True:
        try:
            frame = reading.series(opened, rows)
            break
        except DataError as error:
            fault = _about_ids(error) if columns.unique_id in added else error
            if on_bad_rows == "skip" and reading.can_skip(error):
                opened, rows = reading.without_rows(error, opened, rows)
                faults.append(fault)
            elif on_bad_series == "skip" and error.by_series:
                opened, rows = reading.without_series(error, opened, rows)
                skipped |= error.by_series
            else:
                rows = rows[:0]
            if not len(rows):
                raise fault from error.__cause__

    schema = replace(frame.schema, missing_values=tuple(map(str, missing_values)))
    return replace(frame, schema=schema, skipped=skipped, faults=tuple(faults))


def _needed_columns(
    columns: Columns, covariates: Covariates, static: tuple[str, ...], *, needs_weight: bool
) -> list[tuple[str, str]]:
    """Return the columns besides ids and stamps, each after the option that names it."""
    needed = [("y", name) for name in columns.targets]
    needed += [("static_covariates", name) for name in static]
    needed += [("past_covariates", name) for name in covariates.past]
    needed += [("future_covariates", name) for name in covariates.future]
    if columns.weight is not None and needs_weight:
        needed.append(("weight", columns.weight))
    return needed


@dataclass(frozen=True)
class _Reading:
    """How the rows of a frame become series: arguments as for `read_frame`.

    Args:
        static: Static covariates that the frame has.
        needed: The result of `_needed_columns`.
        form: The form of the user's frame.
        gaps: Whether values and steps may be missing.
    """

    columns: Columns
    covariates: Covariates
    static: tuple[str, ...]
    needed: list[tuple[str, str]]
    form: str
    freq: Any
    gaps: bool
    irregular: bool
    zone: str | None
    argument: str
    on_duplicates: str

    def series(self, opened: Frame, rows: Array) -> LongFrame:
        """Return the series of an open frame, of which `rows` has the numbers in the user's own."""
        table = read_keys(opened, self.columns, self.needed, self.argument, rows)
        frame = _sorted_frame(
            table, self.covariates, self.static, self.form, gaps=self.gaps, zone=self.zone
        )
        if self.on_duplicates != "raise":
            frame = merge_duplicates(frame, self.on_duplicates)
        check_increasing(frame)
        if self.irregular:
            return frame

        return complete(replace(frame, frequency=self._frequency(frame)), fill=self.gaps)

    def _frequency(self, frame: LongFrame) -> Frequency:
        if self.freq is None:
            return infer_frequency(frame, gaps=self.gaps)
        return resolve(self.freq, frame.stamps)

    def can_skip(self, error: DataError) -> bool:
        """Return whether an error is about single rows."""
        return self._is_about_target(error) or len(error.rows) > 0

    def _is_about_target(self, error: DataError) -> bool:
        """Return whether an error is about values of a target, which may be read as missing."""
        return error.fix in _OF_VALUES and error.column in self.columns.targets

    def without_rows(self, error: DataError, opened: Frame, rows: Array) -> tuple[Frame, Array]:
        """Return the frame and the numbers of its rows without the ones that are at fault."""
        if error.column is not None and self._is_about_target(error):
            return opened.with_columns(_only_numbers(opened[error.column])), rows
        if error.fix is Fix.SORT:
            table = read_keys(opened, self.columns, self.needed, self.argument, rows)
            return _taken(opened, rows, table.places_by_time)
        return _taken(opened, rows, np.flatnonzero(~np.isin(rows, error.rows)))

    def without_series(self, error: DataError, opened: Frame, rows: Array) -> tuple[Frame, Array]:
        """Return the frame and the numbers of its rows without the series that are at fault."""
        name = self.columns.unique_id
        ids = frame_columns.read_ids(frame_columns.FrameColumn(opened[name], name)).ids
        is_sound = [each not in error.by_series for each in ids.tolist()]
        return _taken(opened, rows, np.flatnonzero(is_sound))


def _taken(opened: Frame, rows: Array, places: Array) -> tuple[Frame, Array]:
    return opened[places.tolist(), :], rows[places]


def _only_numbers(column: Column) -> Column:
    """Return a column as numbers, and other values as missing."""
    values = without_overflow(pd.Series(column.to_list(), dtype=object))
    numbers = pd.to_numeric(values, errors="coerce").to_numpy()
    return nw.new_series(column.name, numbers, backend=column.implementation)


def _about_ids(error: DataError) -> DataError:
    """Return an error about one series without ids, perhaps several if rows are not in order."""
    if error.fix not in _OF_ORDER:
        return error
    question = " Or does it hold several series? Name the column that distinguishes them: "
    hint = Phrase(error.hint, question, Option("columns.unique_id", ...), ".")
    return error.changed(hint=hint, series=None)


def _sorted_frame(
    table: KeyedFrame,
    covariates: Covariates,
    static: tuple[str, ...],
    form: str,
    *,
    gaps: bool,
    zone: str | None,
) -> LongFrame:
    """Return the rows of a frame by series, within each in the given order."""
    targets = [_numbers(table, name, gaps=gaps) for name in table.columns.targets]
    varying = [_covariate(table, name, gaps=gaps) for name in covariates.varying]
    fixed = [_covariate(table, name, gaps=gaps) for name in static]
    weights = _weights(table, gaps=gaps)
    for weight in weights:
        targets = [np.where(np.isnan(weight), np.nan, values) for values in targets]

    codes, names = pd.factorize(table.ids, sort=True)
    order = np.arange(len(codes))
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
    values = np.column_stack([*targets, *(values for values, _ in varying), *weights])[order]

    stamps = table.stamps
    if zone is not None and getattr(stamps, "tz", None) is not None:
        stamps = stamps.tz_convert(zone)
    # Frames of forecasts have the same format.
    columns = replace(table.columns, ds_format=table.stamp_column.ds_format)
    library = "polars" if table.frame.implementation.is_polars() else "pandas"
    frame = LongFrame(
        source=InMemoryStore(tuple(names.tolist()), np.cumsum(np.bincount(codes)), values),
        stamps=stamps[order],
        frequency=None,
        schema=FrameSchema.of(library, columns, table.id_column, table.stamp_column, form),
        covariates=covariates,
        kinds=tuple(kind for _, kind in varying),
        static=np.full((len(names), len(covariates.static)), np.nan),
        static_kinds=(ColumnType("number"),) * len(covariates.static),
        rows=table.rows[order],
        static_given=static == covariates.static,
        option=table.option,
    )
    if not static:
        return frame

    named = zip(fixed, static, strict=True)
    constants = [_constants(frame, values[order], kind, name) for (values, kind), name in named]
    kinds = tuple(kind for _, kind in fixed)
    return replace(frame, static=np.column_stack(constants), static_kinds=kinds)


def _numbers(table: KeyedFrame, name: str, *, gaps: bool) -> Array:
    return frame_columns.read_numbers(table.column(name), gaps=gaps)


def _covariate(table: KeyedFrame, name: str, *, gaps: bool) -> tuple[Array, ColumnType]:
    return frame_columns.read_covariate(table.column(name), gaps=gaps)


def _weights(table: KeyedFrame, *, gaps: bool) -> list[Array]:
    """Return the weights of rows, none where the columns name none.

    A row of weight 0 is missing, and has NaN. Without the column all rows have weight 1.
    """
    name = table.columns.weight
    if name is None:
        return []
    if name not in table.frame.columns:
        return [np.ones(len(table.rows))]

    column = table.column(name)
    weight = frame_columns.as_numbers(column)
    if gaps:
        is_valid = weight >= 0
        expected = "a weight >= 0"
    else:
        is_valid = weight > 0
        expected = "a weight > 0, with missing='raise'"
    invalid = ~(is_valid & (weight <= LARGEST_NUMBER))
    hint = "Write 1 where rows are as good as others."
    column.reject(invalid, lambda row: (expected, f"{weight[row]:g}"), hint)
    return [np.where(weight > 0, weight, np.nan)]


def _constants(frame: LongFrame, values: Array, kind: ColumnType, name: str) -> Array:
    """Return the value of a static covariate in each series, `[N]`; NaN where it is missing.

    Args:
        frame: The series.
        values: The column, in the order of their rows.
        kind: Its type.
        name: Name of the column.

    Raises:
        DataError: It changes within a series.
    """
    source = frame.source
    last = len(values) - 1
    observed = ~np.isnan(values)
    places = np.where(observed, np.arange(len(values)), last + 1)
    first_observed = np.minimum.reduceat(places, source.starts)
    own = values[np.minimum(first_observed, last)]
    constant = np.where(first_observed < source.ends, own, np.nan)
    differs = observed & (values != np.repeat(constant, source.lengths))

    def texts(place: int) -> tuple[str, str]:
        before = int(first_observed[frame.owners(np.array([place]))[0]])
        first = Row(int(frame.rows[before]))
        is_constant = ": a static covariate is constant within a series"
        expected = Phrase(f"{_value_text(values[before], kind)}, as in ", first, is_constant)
        return expected, _value_text(values[place], kind)

    others = (Option("past_covariates"), " or ", Option("future_covariates"))
    hint = Phrase("Name the column among ", *others, ", or correct the row.")
    frame.reject(name, np.flatnonzero(differs), texts, hint)
    return constant


def _value_text(value: float, kind: ColumnType) -> str:
    """Return a value as text, as in the user's frame."""
    if kind.name == "number":
        return f"{value:g}"
    if kind.name == "flag":
        return repr(bool(value))
    return repr(kind.labels[int(value)])
