"""Sorted rows, batch after batch, become files in which no series is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.runtime import require

# Most rows, and most bytes, of a row group: what is in memory until it is written.
_GROUP_ROWS, _GROUP_BYTES = 122_880, 16 << 20


@dataclass
class SeriesFiles:
    """A folder of Parquet files that rows are written to, sorted by series and time.

    Args:
        folder: The folder.
        schema: The schema of Arrow that the files have.
        keys: Names of the columns of ids and times.
        rows_per_file: After so many rows the next series begins a new file.

    Attributes:
        files: How many files were begun.
        rows: How many rows came.
        series: How many series they are of.
        twice: How many rows have the id and time of the row before; from the first of them on nothing is written.
        first_twice: Id and time of that first one.
    """

    folder: Path
    schema: Any
    keys: list[str]
    rows_per_file: int
    files: int = 0
    rows: int = 0
    series: int = 0
    twice: int = 0
    first_twice: tuple[Any, ...] = ()
    _last: Any = None
    _writer: Any = None
    _open: ExitStack = field(default_factory=ExitStack)
    _full: int = 0

    def write_all(self, batches: Iterable[Any]) -> None:
        """Write batches of Arrow, and end the last file."""
        arrow: Any = require("pyarrow", extra="files")
        self._last = self.schema.empty_table().select(self.keys)
        with self._open:
            for group in _groups(batches):
                table = arrow.Table.from_batches(group).cast(self.schema)
                begins = self._look_at(arrow.concat_tables([self._last, table.select(self.keys)]))
                if not self.twice:
                    self._write(table, begins)
                self.rows += len(table)

    def _look_at(self, keys: Any) -> list[int]:
        """Return the rows at which a series begins; count those that stand twice.

        Args:
            keys: Ids and times of the last row before, if there is one, and of the rows.
        """
        compute: Any = require("pyarrow.compute", extra="files")
        same, at_once = (compute.equal(column[1:], column[:-1]).to_numpy() for column in keys.columns)
        twice = np.flatnonzero(same & at_once) + 1
        if len(twice) and not self.twice:
            self.first_twice = tuple(column[int(twice[0])].as_py() for column in keys.columns)
        self.twice += len(twice)
        begins = (np.flatnonzero(~same) + 1 - len(self._last)).tolist()
        begins = begins if len(self._last) else [0, *begins]
        self.series += len(begins)
        self._last = keys[-1:]
        return begins

    def _write(self, table: Any, begins: list[int]) -> None:
        start = 0
        for begin in begins:
            if self.rows + begin >= self._full:
                if begin > start:
                    self._writer.write_table(table[start:begin])
                self._begin_file()
                start, self._full = begin, self.rows + begin + self.rows_per_file
        self._writer.write_table(table[start:])

    def _begin_file(self) -> None:
        parquet: Any = require("pyarrow.parquet", extra="files")
        self._open.close()
        order = parquet.SortingColumn.from_ordering(self.schema, [(name, "ascending") for name in self.keys])
        path = self.folder / f"part-{self.files:05}.parquet"
        self._writer = self._open.enter_context(parquet.ParquetWriter(path, self.schema, sorting_columns=order))
        self.files += 1


def _groups(batches: Iterable[Any]) -> Iterator[list[Any]]:
    """Put batches together, to as many rows as a row group has."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if sum(len(each) for each in group) >= _GROUP_ROWS or sum(each.nbytes for each in group) >= _GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
