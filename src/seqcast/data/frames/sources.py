"""Sources: tables that are read in pieces of some whole series, whose rows have to be contiguous.

A source is Parquet files, an Arrow data set, a lazy Polars frame, or a DuckDB relation.
"""

import hashlib
import os
import shlex
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from seqcast.data.frames.arrow_columns import (
    ArrowColumn,
    ArrowTable,
    to_pandas,
    with_plain_columns,
)
from seqcast.data.frames.forms import UserFrame
from seqcast.data.frames.row_sources import Span, file_error, files_at, in_source
from seqcast.errors import DataError, SpecError
from seqcast.runtime import check_threads, require

# Rows of a record batch.
BATCH_ROWS = 1 << 16
# Ends of the names of Parquet files.
_PARQUET = (".parquet", ".pq")

# What a user may give as a source: a path or several, a `pyarrow.dataset.Dataset`, a
# `polars.LazyFrame` or a `duckdb.DuckDBPyRelation`.
UserSource = Any
# The file of a record batch, `None` where it is from no file, and the batch.
PlacedBatch = tuple[str | None, ArrowTable]


@dataclass(frozen=True)
class TableSource:
    """A table that is read piece by piece, once for each call.

    Args:
        name: Its name in messages.
        columns: Names of its columns.
        read: Reads some columns: yields the file of each record batch, `None` where it is from no
            file, and the batch.
        kind: Kind of its frames, `pandas` or `polars`.
        version: A text that differs when the files do; empty where there are none.
        files: The files that it reads, in order; none for other sources than paths.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[list[str]], Iterable[PlacedBatch]]
    kind: str = "pandas"
    version: str = ""
    files: tuple[str, ...] = ()

    def frame(self, table: ArrowTable) -> UserFrame:
        """Return rows as a frame of the source's kind.

        Args:
            table: The rows, an Arrow table.
        """
        if self.kind == "polars":
            return require("polars", extra="polars").from_arrow(table)
        return to_pandas(table)


def is_source(df: UserSource) -> bool:
    """Return whether a user's data are read piece by piece, and are no frame in memory.

    Args:
        df: The data: a path, several, a glob pattern or a folder of Parquet files, a
            `pyarrow.dataset`, a Polars `LazyFrame`, or a DuckDB relation.

    Example:
        >>> is_source("sales/*.parquet"), is_source([1.0])
        (True, False)
    """
    if isinstance(df, list | tuple):
        return bool(df) and all(isinstance(path, str | os.PathLike) for path in df)
    return isinstance(df, str | os.PathLike) or _type_of(df) in _OPENERS


def _type_of(df: object) -> str:
    """Return the name of the type of a source; empty for other types."""
    for kind in type(df).__mro__:
        package = kind.__module__.split(".")[0].lstrip("_")
        name = f"{package}.{kind.__name__}"
        if name in _OPENERS:
            return name
    return ""


def open_source(df: UserSource) -> TableSource:
    """Open data for which `is_source` is true.

    Args:
        df: The source.

    Raises:
        MissingFileError: There is no such file.
        MissingPackageError: pyarrow is not installed.
        DataError: The files are no Parquet files, or differ in their columns.
    """
    if isinstance(df, str | os.PathLike):
        return _open_files([df])
    if isinstance(df, list | tuple):
        return _open_files(df)
    return _OPENERS[_type_of(df)](df)


def _open_files(given: Sequence[str | os.PathLike[str]]) -> TableSource:
    pyarrow = require("pyarrow", extra="parquet")
    datasets = require("pyarrow.dataset", extra="parquet")
    files: list[str] = []
    for path in given:
        members = files_at(Path(path), lambda file: file.suffix in _PARQUET, "Parquet files")
        files += map(str, members)
    name = os.fspath(given[0]) if len(given) == 1 else f"{len(given)} paths"

    # The names of folders are text: 007 is not 7.
    keys = [folder.split("=", 1)[0] for folder in Path(files[0]).parts[:-1] if "=" in folder]
    fields = pyarrow.schema([(key, pyarrow.string()) for key in keys])
    partitioning = datasets.partitioning(fields, flavor="hive") if keys else None
    try:
        dataset = datasets.dataset(files, format="parquet", partitioning=partitioning)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise file_error(name, "Parquet files", reason, "Check the files.") from error

    absolute = tuple(os.path.abspath(file) for file in files)
    return replace(_open_dataset(dataset, name), files=absolute)


def _open_dataset(dataset: UserSource, name: str = "the data set") -> TableSource:
    pyarrow = require("pyarrow", extra="parquet")

    def read(columns: list[str]) -> Iterator[PlacedBatch]:
        check_threads(pyarrow.io_thread_count() + 1)

        for fragment in dataset.get_fragments():
            path = getattr(fragment, "path", None)
            batches = fragment.to_batches(
                schema=dataset.schema,
                columns=columns,
                batch_size=BATCH_ROWS,
                batch_readahead=1,
                use_threads=False,
            )
            try:
                yield from ((path, batch) for batch in batches if batch.num_rows)
            except pyarrow.ArrowException as error:
                names = ", ".join(dataset.schema.names)
                expected = f"a table with the columns of the others: {names}"
                raise file_error(path or name, expected, str(error).splitlines()[0]) from error

    version = _version(getattr(dataset, "files", ()))
    return TableSource(name, tuple(dataset.schema.names), read, version=version)


def _version(files: Sequence[str]) -> str:
    """Return a text that differs when the files do; empty without files."""
    if not files:
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        facts = None
        if os.path.exists(path):
            status = os.stat(path)
            facts = (status.st_size, status.st_mtime_ns)
        digest.update(f"{path} {facts}\n".encode())
    return digest.hexdigest()


def _open_lazy_frame(lazy: UserSource) -> TableSource:
    polars = require("polars", extra="polars")
    require("pyarrow", extra="parquet")

    def read(columns: list[str]) -> Iterator[PlacedBatch]:
        _check_widths(lazy, columns)
        chosen = lazy.select([polars.col(name) for name in columns])
        for frame in chosen.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            yield from ((None, batch) for batch in frame.to_arrow().to_batches())

    return TableSource("the LazyFrame", tuple(lazy.collect_schema().names()), read, kind="polars")


def _check_widths(lazy: UserSource, columns: list[str]) -> None:
    """Reject columns of a lazy frame that Arrow has no type for."""
    for name, kind in lazy.select(columns).collect_schema().items():
        if str(kind) in ("Int128", "UInt128"):
            raise DataError(
                option="df",
                column=name,
                expected="at most 64 bits",
                received=str(kind),
                hint="Cast it: cast(pl.Int64), or cast(pl.String).",
            )


def _open_relation(relation: UserSource) -> TableSource:
    require("pyarrow", extra="parquet")
    duckdb = require("duckdb", extra="files")

    def read(columns: list[str]) -> Iterator[PlacedBatch]:
        chosen = relation.select(*map(duckdb.ColumnExpression, columns))
        # The name since DuckDB 2.
        read_batches = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_arrow_reader
        yield from ((None, batch) for batch in read_batches(BATCH_ROWS))

    return TableSource("the relation", tuple(relation.columns), read)


# Opens a source, by the name of its type.
_OPENERS: dict[str, Callable[[UserSource], TableSource]] = {
    "pyarrow.Dataset": _open_dataset,
    "polars.LazyFrame": _open_lazy_frame,
    "duckdb.DuckDBPyRelation": _open_relation,
}


# ---------------------------------------------------------------- groups of files


def file_groups(source: TableSource | None, id_column: str) -> list[list[str]]:
    """Return the files of a source in groups of whole series.

    Files that share a series are in one group. Only the first and the last id of each file are
    compared; the pieces of a group are checked as they are read.

    Args:
        source: The source; `None` where rows are in memory.
        id_column: The column of ids.

    Raises:
        SpecError: There are no files, or no ids.
    """
    if source is None or not source.files or id_column not in source.columns:
        raise SpecError(
            "on",
            expected="Parquet files with a column of ids, which workers can share out",
            received="rows in memory" if source is None else source.name,
            hint="Write the rows to files, or leave it out.",
        )

    groups: list[list[str]] = []
    before: Hashable = None
    for path in source.files:
        ends = _ends_of(path, id_column)
        if groups and ends and ends[0] == before:
            groups[-1].append(path)
        else:
            groups.append([path])
        before = ends[-1] if ends else before
    return groups


def _ends_of(path: str, id_column: str) -> list[Hashable]:
    """Return the first and the last id of a Parquet file; none without rows."""
    parquet = require("pyarrow.parquet", extra="parquet")
    with parquet.ParquetFile(path) as file:
        if id_column not in file.schema_arrow.names:
            return [Path(path).parent.name]  # the folder is named after it
        if not file.metadata.num_rows:
            return []
        first = file.read_row_group(0, [id_column]).column(0)
        last = file.read_row_group(file.num_row_groups - 1, [id_column]).column(0)
        return [first[0].as_py(), last[-1].as_py()]


# ---------------------------------------------------------------- pieces


@dataclass(frozen=True)
class Piece:
    """Rows of some whole series.

    Args:
        table: The rows, an Arrow table.
        spans: Places of the rows, in order.
    """

    table: ArrowTable
    spans: tuple[Span, ...]


def pieces(
    source: TableSource, columns: Sequence[str], keys: tuple[str, str], rows: int, most_rows: int
) -> Iterator[Piece]:
    """Yield the rows of a source, some whole series at a time.

    Args:
        source: The source.
        columns: The columns that are read.
        keys: The columns of ids and of times; where the source has no ids, its rows are one series.
        rows: Approximate number of rows of a piece, where series are shorter.
        most_rows: Most rows of a series.

    Raises:
        DataError: The rows of a series are not contiguous, or are too many.
    """
    pyarrow = require("pyarrow", extra="parquet")
    named = keys[0] in source.columns
    seen = _SeenSeries(source, keys)
    batches: list[ArrowTable] = []
    spans: list[Span] = []
    counts: dict[str | None, int] = {}
    waiting = 0

    for path, batch in source.read(list(columns)):
        first = counts.get(path, 0)
        counts[path] = first + batch.num_rows
        batches.append(with_plain_columns(batch))
        spans.append(Span(path, first, batch.num_rows))
        waiting += batch.num_rows
        if waiting < rows:
            continue

        table = pyarrow.Table.from_batches(batches)
        *starts, whole = first_rows(table.column(keys[0])) if named else [0]
        if starts:
            ready, spans = _divided(spans, whole)
            seen.add(table.column(keys[0]), starts, ready)
            yield Piece(table.slice(0, whole).combine_chunks(), tuple(ready))
            # A copy, so that the piece can be freed.
            others = pyarrow.array(range(whole, len(table)), pyarrow.int64())
            batches = table.take(others).combine_chunks().to_batches()
            waiting -= whole

        if waiting > most_rows:
            raise SpecError(
                "memory_limit",
                expected=f"room for the longest series; it has room for {most_rows:,} rows of one",
                received=f"a series of {waiting:,} rows and more",
                hint="Choose a larger memory_limit.",
            )

    if not batches:
        raise DataError(
            option="df",
            expected="at least one row",
            received=f"none in {source.name}",
            hint="Give some.",
        )
    table = pyarrow.Table.from_batches(batches)
    if named:
        seen.add(table.column(keys[0]), first_rows(table.column(keys[0])), spans)
    yield Piece(table, tuple(spans))


def first_rows(ids: ArrowColumn) -> list[int]:
    """Return the rows at which series begin.

    They are the first row, and those with another id than the row before.

    Args:
        ids: Ids of rows, a column of Arrow.
    """
    pyarrow = require("pyarrow", extra="parquet")
    compute = require("pyarrow.compute", extra="parquet")
    whole = ids.combine_chunks()
    if pyarrow.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    differs = compute.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1))
    # A missing id is rejected by the reader of frames.
    changes = np.flatnonzero(np.asarray(compute.fill_null(differs, True)))
    return [0, *(changes + 1).tolist()]


def _divided(spans: Sequence[Span], rows: int) -> tuple[list[Span], list[Span]]:
    """Return the spans of the first rows, and those of the others."""
    first = []
    rest = []
    for span in spans:
        count = min(rows, span.rows)
        rows -= count
        if count:
            first.append(Span(span.path, span.first, count))
        if count < span.rows:
            rest.append(Span(span.path, span.first + count, span.rows - count))
    return first, rest


class _SeenSeries:
    """The series that were read, by hashes of their ids in eight bytes each.

    Ascending ids are new, without comparing hashes, two of which may be the same by chance.
    """

    def __init__(self, source: TableSource, keys: tuple[str, str]) -> None:
        self._source = source
        self._keys = keys
        # An array a piece: one that grows would be copied repeatedly, and fragment the memory.
        self._hashes: list[npt.NDArray[np.uint64]] = []
        self._largest: Any = None

    def add(self, ids: ArrowColumn, starts: Sequence[int], spans: Sequence[Span]) -> None:
        """Add the series of a piece.

        Args:
            ids: Ids of its rows, and perhaps of others after them.
            starts: The row at which each of its series begins.
            spans: Places of its rows.

        Raises:
            DataError: One of them was seen before.
        """
        # A missing id is rejected by the reader of frames.
        names = pd.Series(ids.take(starts).to_pylist(), list(starts), dtype=object).dropna()
        if names.empty:
            return

        hashes = pd.util.hash_array(names.to_numpy())
        follows = self._largest is None or names.iloc[0] > self._largest
        if not (follows and names.is_monotonic_increasing):
            again = names.duplicated().to_numpy()
            for before in self._hashes:
                # A table of so large numbers fails in NumPy 2.0.
                again = again | np.isin(hashes, before, kind="sort")
            if again.any():
                place = int(again.argmax())
                error = self._interrupted(names.index[place], names.iloc[place], spans[0].path)
                raise in_source(error, spans)

        self._hashes.append(hashes)
        self._largest = max(names) if self._largest is None else max(self._largest, *names)

    def _interrupted(self, row: int, name: Hashable, path: str | None) -> DataError:
        """Return the error for a series with others between its rows."""
        column, time = self._keys
        data = "DATA" if path is None else shlex.quote(self._source.name)
        named = f"--id {shlex.quote(column)} --time {shlex.quote(time)}"
        return DataError(
            column=column,
            row=row,
            series=name,
            expected="the rows of each series together, one series after another",
            received="rows of a series that had others after it",
            hint=f"Bring them together: seqcast partition {data} -o FOLDER {named}",
        )
