"""What a file holds: a raw table, a long frame once its columns are known, and where rows are.

Rows of text and Excel files are counted as a spreadsheet shows them, the header being row 1; those
of others from 1.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from seqcast.data.frames import find_words, place_in_file
from seqcast.errors import DataError, Fix, Phrase, Row
from seqcast.specs import Columns
from seqcast.tables.dialect import Dialect
from seqcast.tables.guess import ColumnGuess


@dataclass(frozen=True, kw_only=True, eq=False)
class FileContent:
    """Rows that were read from a file, and how.

    Args:
        path: The file.
        frame: A pandas frame; its index has the places of the rows in the file.
        dialect: The dialect of the file.
        first_row: Number of the first row, as the file counts.
        sheet: Name of the sheet of a workbook, the first of several; `None` for other files.
        sentences: What else is unusual in the file, or was left out, each in words.
    """

    path: Path
    frame: pd.DataFrame
    dialect: Dialect
    first_row: int = 0
    sheet: str | None = None
    sentences: tuple[str, ...] = ()

    @property
    def understood(self) -> str:
        """How the file was read, in a line; nothing where all of it is usual."""
        return ", ".join(filter(None, (self.dialect.describe(), *self.sentences)))

    def with_frame(self, frame: pd.DataFrame, *sentences: str) -> Self:
        """Return the content with other rows.

        Args:
            frame: The rows.
            sentences: How they came about, in words; empty ones are left out.
        """
        said = (*self.sentences, *filter(None, sentences))
        return replace(self, frame=frame, sentences=said)

    def row_number(self, row: int) -> int:
        """Return the number that a row has in the file.

        Args:
            row: Number of the row in the frame, from 0.
        """
        return int(self.frame.index[row]) + self.first_row

    def locate(self, error: DataError) -> DataError:
        """Return an error about the frame as one about the file.

        It names the file, and counts rows as the file does.

        Args:
            error: The error.
        """

        def number(row: int | None) -> int | None:
            return None if row is None or row >= len(self.frame) else self.row_number(row)

        def name(row: Row) -> Row:
            counted = number(row.number)
            return row if counted is None else Row(counted)

        texts = {}
        for field_ in ("expected", "received", "hint"):
            text = getattr(error, field_)
            texts[field_] = text.with_rows(name) if isinstance(text, Phrase) else text

        column, series = self._column_in_file(error)
        located = error.changed(
            place_in_file(self.path, column=column, row=number(error.row), series=series),
            path=str(self.path),
            option=None,
            column=column,
            missing_values=error.missing_values or self._words_of(error),
            **texts,
        )
        located.rows = [self.row_number(row) for row in error.rows if row < len(self.frame)]
        return located

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Locate the errors about the frame that a block raises.

        Raises:
            DataError: The same error, about the file.
        """
        try:
            yield
        except DataError as error:
            raise self.locate(error) from error

    def _column_in_file(self, error: DataError) -> tuple[str | None, object]:
        """Return the column and the series of an error, as the file has them."""
        return error.column, error.series

    def _words_of(self, error: DataError) -> tuple[str, ...]:
        """Return the words in the column of an error that may stand for missing values."""
        if error.fix is not Fix.CORRECT or error.column not in self.frame.columns:
            return ()
        return find_words(self.frame[error.column]).missing_values


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTable(FileContent):
    """A table before its columns are known: numbers are parsed, times are as written.

    Args:
        merged: Columns whose cells held for the rows below them, too.
        written: Columns of text whose numbers were parsed, as they are written, by name.

    Example:
        >>> frame = pd.DataFrame({"day": ["1.2.2024", "2.2.2024"], "sold": [3.0, 4.0]})
        >>> raw = RawTable(path=Path("a.csv"), frame=frame, dialect=Dialect(sep=";"), first_row=2)
        >>> raw.row_number(1), raw.understood
        (3, 'semicolons between columns')
    """

    merged: tuple[str, ...] = ()
    written: Mapping[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadTable(FileContent):
    """A table as a long frame, with the names and roles of its columns.

    `Forecaster` takes it in place of a frame. It then names the one series of a file that names
    none, and its model reads later files with the same `missing_values`.

    Args:
        columns: Names of the columns of the frame.
        guess: The guess that named them; `None` where the user did.
        guessed: What was guessed, and what is not used, in words; nothing where the user named all.
        layout: Layout of the table in the file.
        has_value: Whether the values are a column of the file, and not the cells of several.
        rows_ahead: Number of rows after the last value of all series, which were left out.
        series: Name of the one series of a file that names none; `None` for other files. Its frame
            has no ids.

    Example:
        >>> frame = pd.DataFrame({"ds": [1, 2], "y": [3.0, 4.0]})
        >>> of_file = {"path": Path("a.csv"), "dialect": Dialect(sep=";")}
        >>> table = ReadTable(frame=frame, columns=Columns(), series="a", **of_file)
        >>> table.one_series, table.with_ids().to_dict("list")
        (True, {'unique_id': ['a', 'a'], 'ds': [1, 2], 'y': [3.0, 4.0]})
    """

    columns: Columns
    guess: ColumnGuess | None = None
    guessed: str = ""
    layout: str = "long"
    has_value: bool = True
    rows_ahead: int = 0
    series: object = None

    @property
    def one_series(self) -> bool:
        """Whether the file names no series."""
        return self.series is not None

    @property
    def understood(self) -> str:
        """How the file was read, and what was guessed, in a line; nothing if all is usual."""
        return "; ".join(filter(None, (super().understood, self.guessed)))

    @property
    def added(self) -> tuple[str, ...]:
        """The columns of `with_ids` that the file does not have."""
        return (self.columns.unique_id,) if self.one_series else ()

    def with_ids(self, series: object = None) -> Any:
        """Return the frame with a column of ids, also where the file names no series.

        Args:
            series: Name of the one series of such a file; its own if `None`.
        """
        if not self.one_series:
            return self.frame

        name = self.series if series is None else series
        ids: pd.Series = pd.Series(name, index=self.frame.index, name=self.columns.unique_id)
        return pd.concat([ids, self.frame], axis=1)  # inserting would copy block by block

    def _column_in_file(self, error: DataError) -> tuple[str | None, object]:
        if self.has_value or error.column != self.columns.value:
            return error.column, error.series
        # Cells of several columns became values: in a wide table the series names the column.
        is_wide = self.layout == "wide" and error.series is not None
        return (str(error.series), None) if is_wide else (None, error.series)


@contextmanager
def in_files(**rows: Any) -> Iterator[None]:
    """Reword errors about rows, so that they name the files of the rows.

    Args:
        rows: The tables that were read from files, by the argument that takes their rows. Other
            values are left as they are: sources name their files themselves.

    Raises:
        DataError: The same error, about the file.
    """
    try:
        yield
    except DataError as error:
        argument = error.option or (error.where if error.column is None else "df")
        table = rows.get(argument)
        if not isinstance(table, ReadTable):
            raise
        raise table.locate(error) from error
