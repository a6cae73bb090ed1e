"""Reading of long frames from files and from memory, with columns that are named or guessed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from seqcast.data.frames import file_error, is_text, parse_stamps, unknown_column, without_overflow
from seqcast.errors import AmbiguityError, DataError, Option, Phrase, SpecError, counted
from seqcast.runtime import Array, FileLimits
from seqcast.specs import Columns, check_choice
from seqcast.tables import file_kinds
from seqcast.tables.contents import RawTable, ReadTable
from seqcast.tables.dates import is_clock, offsets_of, parse_dates, seconds
from seqcast.tables.dialect import Dialect
from seqcast.tables.digit_dates import digits_as_times
from seqcast.tables.guess import ColumnGuess, guess_columns
from seqcast.tables.layouts import FISCAL_YEARS, LAYOUTS, Steps, fiscal_years, with_joined
from seqcast.tables.number_marks import to_numbers
from seqcast.tables.periods import ParsedDates
from seqcast.tables.tidying import words_on

T = TypeVar("T")

# Most rows after the last step.
_MOST_NOTES = 20
# Most letters of a time.
_LONGEST_TIME = 40
# A step back of clocks.
_HOUR = np.timedelta64(1, "h")
# The fraction of rows that are at most such steps.
_RARELY = 0.02


def read_table(
    path: str | Path,
    columns: Columns,
    *,
    dialect: Dialect | None = None,
    max_size: Any = None,
    **options: Any,
) -> ReadTable:
    r"""Read a file as a long frame. Ids of text files are text, as written: `001` stays `001`.

    Where the times of a series go back, rows are sorted by series and time; the index has their
    places in the file.

    Args:
        path: A file of text (`.csv`, `.tsv`, `.txt`, also `.gz`, `.zst` or `.zip`), Excel, JSON
            lines, Feather or Parquet; `-` is text from standard input.
        columns: Names of its columns. A file without `unique_id` is one series, whose frame has no
            ids. A name with commas stands for several columns: `Date,Time`, `store,item`.
        dialect: Dialect of a text file; fields that are `None` are inferred.
        max_size: Largest size to which the file may unpack: bytes, or a text such as `8 GB`. `None`
            is 4 GB, and at most a hundred times the file's size or 64 MiB; see `docs/security.md`.
        **options: Other arguments of `OpenTable.frame`, such as `layout` and `steps`.

    Returns:
        The table: its `frame`, with times parsed, and how the file was read. `Forecaster` takes it
        as it is.

    Raises:
        MissingFileError: There is no such file.
        AmbiguityError: It can be read in two ways.
        DataError: It is empty, not a table, lacks a column, or is too large.
        SpecError: `max_size` is no size, `layout` is none, or the file has a column for the times
            of `steps`.
        MissingPackageError: A package is missing that reads such files.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "sales.csv")
        ...     _ = path.write_text("ds;y\n2024-01-31;1,5\n2024-02-01;2,5\n")
        ...     table = read_table(path, Columns())
        >>> table.frame["y"].tolist(), table.understood
        ([1.5, 2.5], 'semicolons between columns, decimal comma')
    """
    return OpenTable.of(Path(path), dialect, max_size, columns.names[:2]).frame(columns, **options)


def read_leniently(
    faults: list[DataError], read: Callable[[Dialect, Collection[int]], T], dialect: Dialect
) -> T:
    """Return what a function reads from a file, whatever is wrong with it.

    Single rows that are wrong are left out. Marks and dates that can be read in two ways are read
    by the first answer that is a field of a dialect.

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
            if isinstance(error, file_kinds.NoRowLeftError):
                # The fault of the last rows says more.
                raise faults[-1] from error
            settled = _settled(dialect, error)
            if settled == dialect and not len(error.rows):
                raise
            left_out = (*left_out, *error.rows)
            dialect = settled
            faults.append(error)


def _settled(dialect: Dialect, error: DataError) -> Dialect:
    """Return a dialect with the first answer to an ambiguity that is a field of it, if any."""
    for answer in error.answers if isinstance(error, AmbiguityError) else ():
        owner, _, field = answer.name.rpartition(".")
        if owner == "dialect":
            return Dialect(**{**vars(dialect), field: answer.value})
    return dialect


def read_raw(path: Path, *, dialect: Dialect | None = None, max_size: Any = None) -> RawTable:
    """Read a table before its columns are known; arguments and errors as for `read_table`.

    Args:
        path: The file.
        dialect: Its dialect, as far as it is known.
        max_size: Largest size to which the file may unpack.

    Returns:
        The table; numbers are parsed, times are as written.
    """
    return OpenTable.of(path, dialect, max_size).raw


@dataclass(frozen=True)
class OpenTable:
    """A table that was read from a file, before its columns are known.

    Args:
        file: The file.
        raw: Its content.
    """

    file: file_kinds.TableFile
    raw: RawTable

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
        limits = FileLimits.of(max_size)
        file = file_kinds.TableFile(path, tuple(keys), dialect or Dialect(), limits, left_out)
        return cls(file, file_kinds.read_file(file))

    @classmethod
    def of_frame(cls, frame: Any, name: str) -> Self:
        """Return a table in memory, before its columns are known.

        Args:
            frame: A pandas frame, perhaps with an index of times.
            name: Its name in errors, which count its rows from 0.
        """
        if isinstance(frame.index, pd.PeriodIndex):
            frame = frame.to_timestamp()
        index = frame.index
        if isinstance(index, pd.DatetimeIndex) and index.name is None:
            index = index.rename("ds")
        # Numbers of rows have a name now and then.
        is_new = {*index.names}.isdisjoint(getattr(frame, "columns", ()))
        is_data = any(index.names) and index.dtype.kind not in "iu" and is_new
        raw = frame.set_axis(index, axis=0).reset_index(drop=not is_data).rename(columns=str)

        changed = {}
        for column_name, column in raw.items():
            if column.dtype == object and pd.api.types.infer_dtype(column) == "date":
                changed[column_name] = column.astype("datetime64[us]")
            elif column.dtype == object:
                changed[column_name] = without_overflow(column)
        raw = raw.assign(**changed)
        file = file_kinds.TableFile(Path(name), (), Dialect(), FileLimits())
        return cls(file, RawTable(path=file.path, frame=raw, dialect=file.dialect))

    def guessed(
        self,
        given: Mapping[str, str] | None = None,
        layout: str | None = None,
        covariates: Iterable[str] = (),
        steps: Steps | None = None,
    ) -> ReadTable:
        """Return the table as a long frame, with the guess of its columns.

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
        known = dict(given or {})
        steps = steps or Steps()
        path = str(self.file.path)
        others = {role: known.pop(role) for role in ("ds_format", "tz", "weight") if role in known}
        try:
            guess = guess_columns(
                self.raw.frame,
                known,
                layout,
                (*covariates, others.get("weight", "")),
                day_first=self.raw.dialect.day_first,
                ds_format=others.get("ds_format"),
            )
        except AmbiguityError as error:
            raise error.changed(f"{path}, {error.where}", path=path) from error
        question = guess.question(steps.start)
        if question is not None:
            raise question.changed(path, path=path)

        table = self.as_guessed(guess, Columns(**guess.names, **others), steps)
        if guess.is_known({*known.values(), *Columns().names}):
            return table
        return replace(table, guessed=guess.sentence(steps.start))

    def as_guessed(
        self, guess: ColumnGuess, columns: Columns, steps: Steps, *, series: Any = None
    ) -> ReadTable:
        """Return the table as a long frame by a guess; errors as for `read_table`.

        Args:
            guess: The guess.
            columns: Names of the columns, those of the guess among them.
            steps: Times of a table without a column of them.
            series: Name of the one series; the file's name if `None`.
        """
        table = self.frame(
            columns,
            series=series,
            layout=guess.layout,
            steps=steps if guess.time is None or steps.start is not None else None,
            left_out=guess.left_out,
        )
        return replace(table, guess=guess)

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
    ) -> ReadTable:
        """Return the table as a long frame; errors as for `read_table`.

        Args:
            columns: Names of its columns.
            value: Whether a value column is required.
            series: Name of the one series; the file's name if `None`.
            whole_ids: Whether ids that are written as whole numbers become such, for a model whose
                ids are.
            layout: Layout of the table: `long` (a row for each series and time), a series in each
                column (`wide`) or in each of its `rows`, or the months of a year or hours of a day
                in each row (`grid`).
            steps: Times of a table without a column of them.
            left_out: Columns to leave out.
            ahead: Whether rows after the last value of all series stay.
        """
        table = self._long(columns, layout, steps, left_out)
        unique_id = columns.unique_id
        if unique_id not in table.frame and unique_id == Columns().unique_id:
            table = replace(table, series=table.path.stem if series is None else series)
        elif whole_ids and unique_id in table.frame:
            whole = file_kinds.as_whole(table.frame[unique_id])
            table = table.with_frame(table.frame.assign(**{unique_id: whole}))
        self._check_columns(table, needs_value=value)

        frame = table.frame
        if value:
            with table.locating_errors():
                frame = frame.assign(
                    **{
                        name: to_numbers(frame[name])
                        for name in columns.targets
                        if not pd.api.types.is_numeric_dtype(frame[name])
                    }
                )
        frame, words = _sorted(frame, columns)
        if ahead or not value:
            return table.with_frame(frame, words)

        is_ahead = _rows_ahead(frame, columns)
        count = int(is_ahead.sum())
        if not count:
            return table.with_frame(frame, words)
        planned = f"without {counted(count, 'row')} after the last value"
        return replace(table, rows_ahead=count).with_frame(frame[~is_ahead], words, planned)

    def _check_columns(self, table: ReadTable, *, needs_value: bool) -> None:
        """Reject a long frame without rows, or without a column that it needs."""
        names = list(map(str, self.raw.frame.columns))
        for role, name in table.columns.named():
            is_needed = role != "weight" and (needs_value or role != "y")
            if is_needed and name not in table.added and name not in table.frame.columns:
                raise unknown_column(table.path, role, name, names)
        if not len(table.frame):
            raise file_error(table.path, "at least one row", "none")

    def _long(
        self, columns: Columns, layout: str, steps: Steps | None, left_out: Sequence[str]
    ) -> ReadTable:
        """Return the table as a long frame in the order of the file, its values as read."""
        # Ids are found by the place of their column, so others are left out after them.
        frame = self.file.with_ids(self.raw, columns.unique_id)
        frame = with_joined(frame.drop(columns=list(left_out), errors="ignore"), columns)
        if steps is not None:
            _check_steps(steps, frame, columns.ds)
        check_choice("layout", layout, tuple(LAYOUTS))
        names = list(map(str, self.raw.frame.columns))
        if steps is None and columns.ds not in frame.columns and layout != "rows":
            raise unknown_column(self.raw.path, "ds", columns.ds, names)

        raw = _without_notes(self.raw.with_frame(frame), columns)
        raw, times = _with_times(raw, columns)
        steps = replace(steps or Steps(), day_first=raw.dialect.day_first)
        with raw.locating_errors():
            long = LAYOUTS[layout].to_long(raw.frame, columns, steps)
        return ReadTable(
            path=raw.path,
            frame=long.frame,
            dialect=raw.dialect,
            first_row=raw.first_row,
            sheet=raw.sheet,
            sentences=(*raw.sentences, *filter(None, (long.sentence, times))),
            columns=columns,
            layout=layout,
            has_value=columns.value in names,
        )


def _check_steps(steps: Steps, frame: pd.DataFrame, name: str) -> None:
    """Reject a first time for a table that has times in a column, or without a step."""
    if steps.start is None:
        return
    if name in frame.columns:
        raise SpecError(
            "start",
            expected="none for a file with times",
            received=f"{steps.start!r}, and a column {name!r}",
            hint="Leave it out.",
        )
    if steps.freq is None:
        raise SpecError(
            "freq",
            expected="the step between rows without times",
            received="none",
            hint=Phrase("Give one with ", Option("start"), ", such as ", Option("freq", "D"), "."),
        )


def _with_times(raw: RawTable, columns: Columns) -> tuple[RawTable, str]:
    """Return a table with its times parsed, and words on them.

    Its dialect has the order of day and month.
    """
    frame = raw.frame
    dialect = raw.dialect
    words = ""
    for name in (columns.ds, "cutoff"):
        if name not in frame.columns:
            continue
        with raw.locating_errors():
            parsed = _as_times(frame[name], columns, dialect.day_first)
        frame = frame.assign(**{name: parsed.times})
        words = parsed.sentence or words
        if parsed.day_first is not None:
            dialect = replace(dialect, day_first=parsed.day_first)
    return replace(raw, frame=frame, dialect=dialect), words


def _as_times(column: pd.Series, columns: Columns, day_first: bool | None) -> ParsedDates:
    """Return a column of times as such, or as whole numbers, unless its format is given."""
    if column.dtype.kind == "f":
        column = _as_whole_times(column)
    if columns.ds_format is None and column.dtype.kind in "iu":
        column, style = digits_as_times(column)
        return ParsedDates(column, sentence=f"times as {style}" if style else "")
    if columns.ds_format is None and is_text(column):
        column = file_kinds.as_whole(column)
    if not is_text(column):
        return ParsedDates(column)

    if is_clock(column) and column.notna().all():
        return ParsedDates(seconds(column), sentence="times of the day as seconds")
    years = fiscal_years(column)
    if years is not None:
        return ParsedDates(years, sentence=FISCAL_YEARS)
    parsed = parse_dates(column, columns, day_first)
    is_utc = columns.tz is None and isinstance(parsed.times.dtype, pd.DatetimeTZDtype)
    if is_utc and offsets_of(column).nunique() > 1:
        return parsed._replace(sentence="times in UTC, as their offsets change")
    return parsed


def _as_whole_times(column: pd.Series) -> pd.Series:
    """Return whole numbers that were read as fractions, because one was missing, as such.

    Raises:
        DataError: One is still missing.
    """
    is_missing = column.isna()
    if not (column.dropna() % 1 == 0).all() or is_missing.all():
        return column

    if is_missing.any():
        rows = is_missing.to_numpy().nonzero()[0].tolist()
        error = DataError(
            column=str(column.name),
            row=rows[0],
            expected="a time stamp",
            received="none",
            hint="Fill it in or drop the row.",
        )
        error.rows = rows
        raise error
    return column.astype("int64")


def _without_notes(raw: RawTable, columns: Columns) -> RawTable:
    """Return a table without rows at its end that are no steps, such as a total or a source."""
    frame = raw.frame
    if columns.ds not in frame.columns or not is_text(frame[columns.ds]):
        return raw

    last = frame.iloc[::-1].head(_MOST_NOTES)
    times = last[columns.ds]
    cells = times.astype("str").where(times.notna(), "")
    is_sentence = (last.notna().sum(axis=1) <= 1) & (cells.str.len() > _LONGEST_TIME)
    is_note = ~cells.str.contains(r"\d") | is_sentence
    if columns.unique_id in last.columns:
        ids = last[columns.unique_id]
        known = frame[columns.unique_id].iloc[: len(frame) - len(last)]
        is_note &= ids.isna() | (times.isna() & ~ids.isin(known))

    if is_note.all() or not is_note.iloc[0]:
        return raw
    end = len(frame) - int(is_note.to_numpy().argmin())
    return raw.with_frame(frame.iloc[:end], words_on(frame.iloc[end:], "at the end"))


def _rows_ahead(frame: pd.DataFrame, columns: Columns) -> Array:
    """Return which rows come after the last value of all series, `[rows]`: they are planned."""
    times = _times(frame, columns)
    if times.dtype.kind not in "iufM":
        return np.zeros(len(frame), dtype=bool)
    is_known = frame[list(columns.targets)].notna().any(axis=1)
    return np.asarray(times > times[is_known].max())


def _times(frame: pd.DataFrame, columns: Columns) -> pd.Series:
    """Return the column of times, text and digits of a given format as times."""
    times = frame[columns.ds]
    given = columns.ds_format
    are_digits = times.dtype.kind in "iu" and given != "integer"
    if given is None or not (is_text(times) or are_digits):
        return times
    return pd.Series(parse_stamps(times, given), times.index)


def split_ahead(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, pd.DataFrame]:
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


def _sorted(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, str]:
    """Return a frame whose times increase within each series, and that rows were sorted, in words.

    An hour that clocks show twice is no disorder: a few steps back of an hour at most stay.
    """
    times = _times(frame, columns)
    kind = times.dtype.kind
    if kind not in "iufM":
        return frame, ""

    steps = times.diff()
    has_ids = columns.unique_id in frame.columns
    if has_ids:
        ids = frame[columns.unique_id]
        steps = times.groupby(ids, sort=False, observed=True, dropna=False).diff()
    back = steps < (np.timedelta64(0) if kind == "M" else 0)
    if not back.any() or (kind == "M" and steps.min() >= -_HOUR and back.mean() < _RARELY):
        return frame, ""

    frame = frame.iloc[times.reset_index(drop=True).sort_values(kind="stable").index]
    if has_ids:
        frame = frame.sort_values(columns.unique_id, kind="stable")
    return frame, "rows sorted by time"
