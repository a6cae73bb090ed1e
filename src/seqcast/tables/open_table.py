"""Reading of long frames from files and tables in memory, with columns that are named or guessed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast.data.frames import (
    ONE_SERIES,
    READ_AS_MISSING,
    file_error,
    is_text,
    parse_stamps,
    unknown_column,
    without_overflow,
)
from seqcast.errors import AmbiguityError, DataError, SpecError, counted
from seqcast.runtime import FileLimits
from seqcast.specs import Columns, check_choice
from seqcast.tables import file_kinds
from seqcast.tables.dates import digits_as_times, is_clock, offsets_of, parse_dates, seconds
from seqcast.tables.dialect import Dialect
from seqcast.tables.guess import ColumnGuess, guess_columns
from seqcast.tables.layouts import LAYOUTS, MADE, Steps, fiscal_years, with_joined
from seqcast.tables.number_marks import to_numbers
from seqcast.tables.tidying import words_on

# Most rows after the last step, and letters of a time.
_MOST_NOTES, _LONGEST_TIME = 20, 40
# A step back of clocks, and the fraction of rows that are at most such steps.
_HOUR, _RARELY = np.timedelta64(1, "h"), 0.02


def read_table(
    path: str | Path, columns: Columns, *, dialect: Dialect | None = None, max_size: Any = None, **options: Any
) -> Any:
    """Read a long frame. Ids of text files are text, as written: `001` stays `001`.

    Where the times of a series go back, rows are sorted by series and time; the index has their places in the file.

    Args:
        path: A file of text (`.csv`, `.tsv`, `.txt`, also `.gz`, `.zst` or `.zip`), Excel, JSON lines, Feather or
            Parquet; `-` is text from standard input.
        columns: Names of its columns. A file without `unique_id` is one series. A name with commas stands for several
            columns: `Date,Time`, `store,item`.
        dialect: Dialect of a text file; fields that are `None` are inferred.
        max_size: Largest size to which the file may unpack: bytes, or a text such as `8 GB`. `None` is 4 GB, and at
            most a hundred times the file's size or 64 MiB; see `docs/security.md`.
        **options: Other arguments of `OpenTable.frame`, such as `layout` and `steps`.

    Returns:
        A pandas frame, with times parsed. Its attribute `UNDERSTOOD` says how the file was read.

    Raises:
        MissingFileError: There is no such file.
        AmbiguityError: It can be read in two ways.
        DataError: It is empty, not a table, lacks a column, or is too large.
        SpecError: `max_size` is no size, `layout` is none, or the file has a column for the times of `steps`.
        MissingPackageError: A package is missing that reads such files.
    """
    return OpenTable.of(Path(path), dialect, max_size, columns.names[:2]).frame(columns, **options)


def read_leniently(faults: list[DataError], read: Callable[[Dialect, Collection[int]], Any], dialect: Dialect) -> Any:
    """Return what a function reads from a file, whatever is wrong with it.

    Single rows that are wrong are left out. Marks and dates that can be read in two ways are read by the first answer
    that is a field of a dialect.

    Args:
        faults: Takes the errors.
        read: The function, of a dialect and the rows to leave out, as the file counts.
        dialect: The dialect of the file as far as it is known.
    """
    left_out: tuple[int, ...] = ()
    while True:
        try:
            return read(dialect, left_out)
        except DataError as error:
            settled = _settled(dialect, error)
            if settled == dialect and not len(error.rows):
                raise (faults[-1] if left_out and error.expected == file_kinds.SOME_ROW else error) from error
            left_out, dialect = (*left_out, *error.rows), settled
            faults.append(error)


def _settled(dialect: Dialect, error: DataError) -> Dialect:
    """Return a dialect with the first answer to an ambiguity that is a field of it; unchanged for other errors."""
    answers = error.answers if isinstance(error, AmbiguityError) else ()
    fields: list[tuple[str, Any]] = [
        (each.name.removeprefix("dialect."), each.value) for each in answers if each.name.startswith("dialect.")
    ]
    return replace(dialect, **dict(fields[:1]))


def read_raw(path: Path, *, dialect: Dialect | None = None, max_size: Any = None) -> Any:
    """Read a table before its columns are known; arguments and errors as for `read_table`.

    Args:
        path: The file.
        dialect: Its dialect, as far as it is known.
        max_size: Largest size to which the file may unpack.

    Returns:
        A pandas frame; numbers are parsed, times are as written.
    """
    return OpenTable.of(path, dialect, max_size).raw


@dataclass(frozen=True)
class OpenTable:
    """A table that was read from a file, before its columns are known.

    Args:
        file: The file.
        raw: A pandas frame; numbers are parsed, times are as written.
        dialect: The dialect of the file.
    """

    file: file_kinds.TableFile
    raw: Any
    dialect: Dialect

    @classmethod
    def of(
        cls,
        path: Path,
        dialect: Dialect | None,
        max_size: Any = None,
        keys: Sequence[str] = (),
        left_out: Collection[int] = (),
    ) -> Self:
        """Read a file; arguments and errors as for `read_table`.

        Args:
            path: The file.
            dialect: The dialect as far as it is known.
            max_size: Largest size to which the file may unpack.
            keys: Columns that hold no values, as far as they are known.
            left_out: Rows to leave out, as the file counts.
        """
        file = file_kinds.TableFile(path, tuple(keys), dialect or Dialect(), FileLimits.of(max_size), left_out)
        return cls(file, *file_kinds.read_file(file))

    @classmethod
    def of_frame(cls, frame: Any, name: str) -> Self:
        """Return a table in memory, before its columns are known.

        Args:
            frame: A pandas frame, perhaps with an index of times.
            name: Its name in errors, which count its rows from 0.
        """
        frame = frame.to_timestamp() if isinstance(frame.index, pd.PeriodIndex) else frame
        index = frame.index
        if isinstance(index, pd.DatetimeIndex) and index.name is None:
            index = index.rename("ds")
        # Numbers of rows have a name now and then.
        is_kept = any(index.names) and index.dtype.kind not in "iu"
        is_kept &= not {*index.names} & {*getattr(frame, "columns", ())}
        raw = frame.set_axis(index, axis=0).reset_index(drop=not is_kept).rename(columns=str)
        objects = {name: column for name, column in raw.items() if column.dtype == object}
        dates = [name for name, column in objects.items() if pd.api.types.infer_dtype(column) == "date"]
        raw = raw.astype(dict.fromkeys(dates, "datetime64[us]"))
        raw = raw.assign(**{name: without_overflow(raw[name]) for name in objects if name not in dates})
        raw.attrs = {file_kinds.FIRST_ROW: 0}
        return cls(file_kinds.TableFile(Path(name), (), Dialect(), FileLimits()), raw, Dialect())

    def guessed(
        self,
        given: Mapping[str, str] | None = None,
        layout: str | None = None,
        covariates: Iterable[str] = (),
        steps: Steps | None = None,
    ) -> tuple[Any, Columns, ColumnGuess]:
        """Return the table as a long frame, whose attribute `UNDERSTOOD` names the guess; its columns; and the guess.

        Args:
            given: Known fields of the `Columns`; several columns of values with commas.
            layout: The layout of the table, if it is known.
            covariates: Columns of covariates.
            steps: Times of a table without a column of them; steps 1, 2, 3 … if `None`.

        Raises:
            AmbiguityError: As for `read_table`; or several readings are about as likely.
            DataError: As for `read_table`.
            SpecError: As for `read_table`.
        """
        known, steps, path = dict(given or {}), steps or Steps(), str(self.file.path)
        others = {role: known.pop(role) for role in ("ds_format", "tz", "weight") if role in known}
        guess = guess_columns(self.raw, known, layout, (*covariates, others.get("weight", "")))
        if guess.question is not None and not (guess.unread and steps.start is not None):
            raise guess.question.changed(path, path=path)
        columns = Columns(**guess.names, **others)
        frame = self.as_guessed(guess, columns, steps)
        if not set(guess.names.values()) <= {*known.values(), *Columns().names} or guess.layout != (layout or "long"):
            words = (frame.attrs[file_kinds.UNDERSTOOD], guess.sentence(steps.start))
            frame.attrs[file_kinds.UNDERSTOOD] = "; ".join(filter(None, words))
        return frame, columns, guess

    def as_guessed(self, guess: ColumnGuess, columns: Columns, steps: Steps, *, series: Any = None) -> Any:
        """Return the table as a long frame by a guess; errors as for `read_table`.

        Args:
            guess: The guess.
            columns: Names of the columns, those of the guess among them.
            steps: Times of a table without a column of them.
            series: Name of the one series; the file's name if `None`.
        """
        made = steps if guess.time is None or steps.start is not None else None
        return self.frame(columns, series=series, layout=guess.layout, steps=made, left_out=guess.left_out)

    def frame(
        self,
        columns: Columns,
        *,
        value: bool = True,
        series: Any = None,
        whole_ids: bool = False,
        layout: str = "long",
        steps: Steps | None = None,
        left_out: Sequence[str] = (),
        ahead: bool = False,
    ) -> Any:
        """Return the table as a long frame; result and errors as for `read_table`.

        Args:
            columns: Names of its columns.
            value: Whether a value column is required.
            series: Name of the one series; the file's name if `None`.
            whole_ids: Whether ids that are written as whole numbers become such, for a model whose ids are.
            layout: Layout of the table: `long` (a row for each series and time), a series in each column (`wide`) or in
                each of its `rows`, or the months of a year or hours of a day in each row (`grid`).
            steps: Times of a table without a column of them.
            left_out: Columns to leave out.
            ahead: Whether rows after the last value of all series stay.
        """
        path, names = self.file.path, [str(name) for name in self.raw.columns]
        # Ids are found by the place of their column, so others are left out after them.
        frame = self.file.with_ids(self.raw, columns.unique_id, self.dialect)
        frame = with_joined(frame.drop(columns=list(left_out), errors="ignore"), columns)
        if steps is not None and columns.ds in frame.columns and steps.start is not None:
            received, hint = f"{steps.start!r}, and a column {columns.ds!r}", "Leave it out."
            raise SpecError("start", expected="none for a file with times", received=received, hint=hint)
        check_choice("layout", layout, tuple(LAYOUTS))
        if steps is None and columns.ds not in frame.columns and layout != "rows":
            raise unknown_column(path, "ds", columns.ds, names)
        frame, notes = _without_notes(frame, columns)
        frame, dialect, times = self._with_times(frame, columns)
        with file_kinds.naming_cells(path, frame):
            long = LAYOUTS[layout].to_long(frame, columns, steps or Steps())
        made = "" if columns.value in names else columns.value
        attributes, frame = {**frame.attrs, **long.attrs, file_kinds.FORM: (made, layout == "wide")}, long
        frame.attrs.update(attributes)
        if whole_ids and columns.unique_id in frame.columns:
            frame[columns.unique_id] = file_kinds.as_whole(frame[columns.unique_id])
        if columns.unique_id not in frame.columns and columns.unique_id == Columns().unique_id:
            ids = pd.Series(path.stem if series is None else series, index=frame.index, name=columns.unique_id)
            frame = pd.concat([ids, frame], axis=1)  # inserting would copy block by block
            frame.attrs.update({**attributes, ONE_SERIES: True})
        for role, name in columns.named():
            if name not in frame.columns and role != "weight" and (value or role != "y"):
                raise unknown_column(path, role, name, names)
        if not len(frame):
            raise file_error(path, "at least one row", "none")
        with file_kinds.naming_cells(path, frame):
            targets = [name for name in columns.targets if value and not pd.api.types.is_numeric_dtype(frame[name])]
            frame = frame.assign(**{name: to_numbers(frame[name]) for name in targets})
        frame, words = _sorted(frame, columns)
        frame, planned = _without_ahead(frame, columns) if value and not ahead else (frame, "")
        at_ends, made = frame.attrs.get(file_kinds.LEFT_OUT), frame.attrs.get(MADE)
        said = (dialect.describe(), at_ends, notes, made, times, words, planned)
        frame.attrs[file_kinds.UNDERSTOOD] = ", ".join(filter(None, said))
        frame.attrs[READ_AS_MISSING] = dialect.missing_values
        return frame

    def _with_times(self, frame: Any, columns: Columns) -> tuple[Any, Dialect, str]:
        """Return a frame with its times parsed, the dialect with the order of day and month, and words."""
        dialect, words = self.dialect, ""
        with file_kinds.naming_cells(self.file.path, frame):
            for name in (columns.ds, "cutoff"):
                if name in frame.columns and columns.ds_format is None and frame[name].dtype.kind in "iu":
                    column, style = digits_as_times(frame[name])
                    frame = frame.assign(**{name: column})
                    words = f"times as {style}" if style else words
                if name not in frame.columns or not is_text(frame[name]):
                    continue
                column = frame[name] if columns.ds_format is not None else file_kinds.as_whole(frame[name])
                if is_clock(column) and column.notna().all():
                    column = seconds(column)
                elif (years := fiscal_years(column)) is not None:
                    column, words = years, "fiscal years by the year in which they begin"
                elif is_text(column):
                    column, day_first = parse_dates(column, columns, dialect.day_first)
                    if columns.tz is None and hasattr(column.dtype, "tz") and offsets_of(frame[name]).nunique() > 1:
                        words = "times in UTC, as their offsets change"
                    dialect = dialect if day_first is None else replace(dialect, day_first=day_first)
                frame = frame.assign(**{name: column})
        return frame, dialect, words


def _without_notes(frame: Any, columns: Columns) -> tuple[Any, str]:
    """Return a frame without rows at its end that are no steps, such as a total or a source; and words on it."""
    if columns.ds not in frame.columns or not is_text(frame[columns.ds]):
        return frame, ""
    last = frame.iloc[::-1].head(_MOST_NOTES)
    cells = last[columns.ds].astype("str").where(last[columns.ds].notna(), "")
    is_note = ~cells.str.contains(r"\d") | ((last.notna().sum(axis=1) <= 1) & (cells.str.len() > _LONGEST_TIME))
    if columns.unique_id in last.columns:
        ids = frame[columns.unique_id].iloc[: len(frame) - len(last)]
        is_note &= last[columns.unique_id].isna() | (last[columns.ds].isna() & ~last[columns.unique_id].isin(ids))
    count = 0 if is_note.all() else int(is_note.to_numpy().argmin())
    return frame.iloc[: len(frame) - count], words_on(frame.iloc[len(frame) - count :], "at the end")


def _without_ahead(frame: Any, columns: Columns) -> tuple[Any, str]:
    """Return a frame without the rows after the last value of all series, which are planned; and words on them."""
    times = _times(frame, columns)
    if times.dtype.kind not in "iufM":
        return frame, ""
    ahead = times > times[frame[list(columns.targets)].notna().any(axis=1)].max()
    frame.attrs[file_kinds.AHEAD] = count = int(ahead.sum())
    return (frame[~ahead], f"without {counted(count, 'row')} after the last value") if count else (frame, "")


def _times(frame: Any, columns: Columns) -> Any:
    """Return the column of times, text and digits of a given format as times."""
    times, given = frame[columns.ds], columns.ds_format
    are_digits = times.dtype.kind in "iu" and given != "integer"
    if given is None or not (is_text(times) or are_digits):
        return times
    return pd.Series(parse_stamps(times, given), times.index)


def split_ahead(frame: Any, columns: Columns) -> tuple[Any, Any]:
    """Divide rows at the last known value of each series; their order stays.

    Args:
        frame: A pandas frame of one or several series, in any order.
        columns: Names of its columns.

    Returns:
        The rows up to that value, and those after it, of which only covariates are known.

    Example:
        >>> frame = pd.DataFrame({"ds": [1, 2, 3], "y": [5.0, None, None], "price": [1, 2, 3]})
        >>> split_ahead(frame, Columns())[1]["price"].tolist()
        [2, 3]
    """
    series = frame[columns.unique_id] if columns.unique_id in frame else np.zeros(len(frame))
    known = frame[list(columns.targets)].notna().any(axis=1)
    last = frame[columns.ds].where(known).groupby(np.asarray(series)).transform("max")
    ahead = ~known & ~(frame[columns.ds] <= last)
    return frame[~ahead], frame[ahead]


def _sorted(frame: Any, columns: Columns) -> tuple[Any, str]:
    """Return a frame whose times increase within each series, and that rows were sorted, in words.

    An hour that clocks show twice is no disorder: a few steps back of an hour at most stay.
    """
    times = _times(frame, columns)
    kind = times.dtype.kind
    if kind not in "iufM":
        return frame, ""
    steps = times.groupby(frame[columns.unique_id], sort=False, observed=True, dropna=False).diff()
    back = steps < (np.timedelta64(0) if kind == "M" else 0)
    if not back.any() or (kind == "M" and steps.min() >= -_HOUR and back.mean() < _RARELY):
        return frame, ""
    order = times.reset_index(drop=True).sort_values(kind="stable").index
    return frame.iloc[order].sort_values(columns.unique_id, kind="stable"), "rows sorted by time"
