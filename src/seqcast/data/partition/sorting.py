"""Sorted rows, batch after batch, become files in which no series is cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.runtime.optional import require

__all__ = ["Repeated", "SeriesFiles"]

# Most rows, and most bytes, of a row group: what a file holds in memory until it is written.
_GROUP_ROWS, _GROUP_BYTES = 122_880, 16 << 20


@dataclass
class Repeated:
    """Rows whose id and time are those of the row before.

    Attributes:
        count: How many there are.
        first: Id and time of the first one.
    """

    count: int = 0
    first: tuple[Any, Any] | None = None


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
        repeated: Rows that stand twice; from the first of them on nothing is written.
    """

    folder: Path
    schema: Any
    keys: tuple[str, str]
    rows_per_file: int
    files: int = 0
    rows: int = 0
    series: int = 0
    repeated: Repeated = field(default_factory=Repeated)
    _last: Any = None
    _writer: Any = None
    _rows_in_file: int = 0
    _pending: list[Any] = field(default_factory=list)

    def write_all(self, batches: Iterable[Any]) -> None:
        """Write batches of Arrow, and end the last file."""
        try:
            for batch in batches:
                if batch.num_rows:
                    self._write(batch)
        finally:
            self._end_file()

    def _write(self, batch: Any) -> None:
        begins = self._begins(batch)
        self.rows += batch.num_rows
        self.series += len(begins)
        if self.repeated.count:
            return
        start = 0
        while start < batch.num_rows:
            wanted = start + max(0, self.rows_per_file - self._rows_in_file)
            place = int(np.searchsorted(begins, wanted))
            ends = place < len(begins)
            stop = int(begins[place]) if ends else batch.num_rows
            self._add(batch.slice(start, stop - start))
            if ends:
                self._end_file()
            start = stop

    def _begins(self, batch: Any) -> npt.NDArray[np.int64]:
        """Return the rows of a batch at which a series begins; count those that stand twice."""
        arrow: Any = require("pyarrow", extra="files")
        compute: Any = require("pyarrow.compute", extra="files")
        keys = arrow.Table.from_batches([batch.select(list(self.keys))])
        keys = keys.cast(arrow.schema([self.schema.field(name) for name in self.keys]))
        before = 0 if self._last is None else 1
        if before:
            keys = arrow.concat_tables([self._last, keys])
        ids, times = (
            compute.equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy() for column in keys.columns
        )
        twice = np.flatnonzero(ids & times) + 1
        if len(twice):
            if not self.repeated.count:
                self.repeated.first = tuple(column[int(twice[0])].as_py() for column in keys.columns)
            self.repeated.count += len(twice)
        self._last = keys.slice(len(keys) - 1)
        begins = np.flatnonzero(~ids.astype(bool)) + 1 - before
        return begins if before else np.concatenate([[0], begins])

    def _add(self, rows: Any) -> None:
        if not rows.num_rows:
            return
        if self._writer is None:
            parquet: Any = require("pyarrow.parquet", extra="files")
            order = parquet.SortingColumn.from_ordering(self.schema, [(name, "ascending") for name in self.keys])
            path = self.folder / f"part-{self.files:05}.parquet"
            self._writer = parquet.ParquetWriter(path, self.schema, sorting_columns=order)
            self.files += 1
        self._rows_in_file += rows.num_rows
        self._pending.append(rows)
        if (
            sum(part.num_rows for part in self._pending) >= _GROUP_ROWS
            or sum(part.nbytes for part in self._pending) >= _GROUP_BYTES
        ):
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            arrow: Any = require("pyarrow", extra="files")
            table = arrow.Table.from_batches(self._pending).cast(self.schema)
            self._writer.write_table(table, row_group_size=len(table))
            self._pending = []

    def _end_file(self) -> None:
        if self._writer is not None:
            self._flush()
            self._writer.close()
        self._writer, self._rows_in_file = None, 0
