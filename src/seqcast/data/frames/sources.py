"""Sources: tables that are read in pieces of some whole series, whose rows have to be contiguous.

A source is Parquet files, an Arrow data set, a lazy Polars frame, or a DuckDB relation.
"""

import hashlib
import itertools
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from seqcast.data.frames.arrow_columns import to_pandas, with_plain_columns
from seqcast.data.frames.row_sources import Span, file_error, files_at, in_source
from seqcast.errors import DataError, SpecError
from seqcast.runtime import check_threads, require

# Rows of a record batch.
BATCH_ROWS = 1 << 16
_PARQUET = (".parquet", ".pq")


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
    read: Callable[[list[str]], Iterable[tuple[str | None, Any]]]
    kind: str = "pandas"
    version: str = ""
    files: tuple[str, ...] = ()

    def frame(self, table: Any) -> Any:
        """Return rows as a frame of the source's kind.

        Args:
            table: The rows, an Arrow table.
        """
        if self.kind == "polars":
            return require("polars", extra="polars").from_arrow(table)
        return to_pandas(table)


def is_source(df: Any) -> bool:
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


def _type_of(df: Any) -> str:
    """Return the name of the type of a source; empty for other types."""
    names = (
        f"{kind.__module__.split('.')[0].lstrip('_')}.{kind.__name__}" for kind in type(df).__mro__
    )
    return next((name for name in names if name in _OPENERS), "")


def open_source(df: Any) -> TableSource:
    """Open data for which `is_source` is true.

    Args:
        df: The source.

    Raises:
        MissingFileError: There is no such file.
        MissingPackageError: pyarrow is not installed.
        DataError: The files are no Parquet files, or differ in their columns.
    """
    if isinstance(df, str | os.PathLike | list | tuple):
        return _open_files([df] if isinstance(df, str | os.PathLike) else list(df))
    return _OPENERS[_type_of(df)](df)


def _open_files(given: Sequence[str | os.PathLike[str]]) -> TableSource:
    pyarrow: Any = require("pyarrow", extra="parquet")
    datasets: Any = require("pyarrow.dataset", extra="parquet")
    found = [
        files_at(Path(one), lambda file: file.suffix in _PARQUET, "Parquet files") for one in given
    ]
    files = list(map(str, itertools.chain.from_iterable(found)))
    name = os.fspath(given[0]) if len(given) == 1 else f"{len(given)} paths"
    keys = [folder.split("=", 1)[0] for folder in Path(files[0]).parts[:-1] if "=" in folder]
    # The names of folders are text: 007 is not 7.
    partitioning = datasets.partitioning(
        pyarrow.schema([(key, pyarrow.string()) for key in keys]), flavor="hive"
    )
    try:
        dataset = datasets.dataset(
            files, format="parquet", partitioning=partitioning if keys else None
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise file_error(
            name, "Parquet files", str(error).splitlines()[0], "Check the files."
        ) from error
    return replace(
        _open_dataset(dataset, name), files=tuple(os.path.abspath(file) for file in files)
    )


def _open_dataset(dataset: Any, name: str = "the data set") -> TableSource:
    pyarrow: Any = require("pyarrow", extra="parquet")
    options: dict[str, Any] = {"batch_size": BATCH_ROWS, "batch_readahead": 1, "use_threads": False}

    def read(columns: list[str]) -> Iterator[tuple[str | None, Any]]:
        check_threads(pyarrow.io_thread_count() + 1)
        for fragment in dataset.get_fragments():
            path = getattr(fragment, "path", None)
            try:
                for batch in fragment.to_batches(schema=dataset.schema, columns=columns, **options):
                    if batch.num_rows:
                        yield path, batch
            except pyarrow.ArrowException as error:
                expected = (
                    f"a table with the columns of the others: {', '.join(dataset.schema.names)}"
                )
                raise file_error(path or name, expected, str(error).splitlines()[0]) from error

    digest = hashlib.blake2b(digest_size=8)
    files = getattr(dataset, "files", ())
    for path in files:
        status = os.stat(path) if os.path.exists(path) else None
        digest.update(f"{path} {status and (status.st_size, status.st_mtime_ns)}\n".encode())
    return TableSource(
        name, tuple(dataset.schema.names), read, version=digest.hexdigest() if files else ""
    )


def _open_lazy_frame(lazy: Any) -> TableSource:
    polars: Any = require("polars", extra="polars")
    require("pyarrow", extra="parquet")

    def read(columns: list[str]) -> Iterator[tuple[None, Any]]:
        _check_widths(lazy, columns)
        chosen = lazy.select([polars.col(name) for name in columns])
        for frame in chosen.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            yield from ((None, batch) for batch in frame.to_arrow().to_batches())

    return TableSource("the LazyFrame", tuple(lazy.collect_schema().names()), read, kind="polars")


def _check_widths(lazy: Any, columns: list[str]) -> None:
    """Reject columns of a lazy frame that Arrow has no type for."""
    for name, kind in lazy.select(columns).collect_schema().items():
        if str(kind) in ("Int128", "UInt128"):
            hint = "Cast it: cast(pl.Int64), or cast(pl.String)."
            raise DataError(
                option="df", column=name, expected="at most 64 bits", received=str(kind), hint=hint
            )


def _open_relation(relation: Any) -> TableSource:
    require("pyarrow", extra="parquet")
    duckdb: Any = require("duckdb", extra="files")

    def read(columns: list[str]) -> Iterator[tuple[None, Any]]:
        chosen = relation.select(*map(duckdb.ColumnExpression, columns))
        # The name since DuckDB 2.
        read_batches = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_arrow_reader
        yield from ((None, batch) for batch in read_batches(BATCH_ROWS))

    return TableSource("the relation", tuple(relation.columns), read)


_OPENERS: dict[str, Callable[[Any], TableSource]] = {
    "pyarrow.Dataset": _open_dataset,
    "polars.LazyFrame": _open_lazy_frame,
    "duckdb.DuckDBPyRelation": _open_relation,
}


# ---------------------------------------------------------------- groups of files


def file_groups(source: TableSource | None, id_column: str) -> list[list[str]]:
    """Return the files of a source in groups of whole series: files that share a series are in one group.

    Only the first and the last id of each file are compared; the pieces of a group are checked as
    they are read.

    Args:
        source: The source; `None` where rows are in memory.
        id_column: The column of ids.

    Raises:
        SpecError: There are no files, or no ids.
    """
    if source is None or not source.files or id_column not in source.columns:
        expected = "Parquet files with a column of ids, which workers can share out"
        received = "rows in memory" if source is None else source.name
        raise SpecError(
            "on",
            expected=expected,
            received=received,
            hint="Write the rows to files, or leave it out.",
        )
    groups: list[list[str]] = []
    before: Any = None
    for path in source.files:
        ends = _ends_of(path, id_column)
        if groups and ends and ends[0] == before:
            groups[-1].append(path)
        else:
            groups.append([path])
        before = ends[-1] if ends else before
    return groups


def _ends_of(path: str, id_column: str) -> list[Any]:
    """Return the first and the last id of a Parquet file; none without rows."""
    parquet: Any = require("pyarrow.parquet", extra="parquet")
    with parquet.ParquetFile(path) as file:
        if id_column not in file.schema_arrow.names:
            return [Path(path).parent.name]  # the folder is named after it
        if not file.metadata.num_rows:
            return []
        first, last = (
            file.read_row_group(number, [id_column]).column(0)
            for number in (0, file.num_row_groups - 1)
        )
        return [first[0].as_py(), last[-1].as_py()]


# ---------------------------------------------------------------- pieces


@dataclass(frozen=True)
class Piece:
    """Rows of some whole series.

    Args:
        table: The rows, an Arrow table.
        spans: Places of the rows, in order.
    """

    table: Any
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
    pyarrow: Any = require("pyarrow", extra="parquet")
    named = keys[0] in source.columns
    seen = _SeenSeries(source, keys)
    batches: list[Any] = []
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
        *begins, whole = first_rows(table.column(keys[0])) if named else [0]
        if begins:
            ready, spans = _divided(spans, whole)
            seen.add(table.column(keys[0]), begins, ready)
            yield Piece(table.slice(0, whole).combine_chunks(), tuple(ready))
            # A copy, so that the piece can be freed.
            batches = (
                table.take(pyarrow.array(range(whole, len(table)), pyarrow.int64()))
                .combine_chunks()
                .to_batches()
            )
            waiting -= whole
        if waiting > most_rows:
            expected = f"room for the longest series; it has room for {most_rows:,} rows of one"
            received = f"a series of {waiting:,} rows and more"
            raise SpecError(
                "memory_limit",
                expected=expected,
                received=received,
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


def first_rows(ids: Any) -> list[int]:
    """Return the rows at which series begin: the first row, and those with another id than the row before.

    Args:
        ids: Ids of rows, a column of Arrow.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    compute: Any = require("pyarrow.compute", extra="parquet")
    whole = ids.combine_chunks()
    if pyarrow.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    differs = compute.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1))
    # A missing id is rejected by the reader of frames.
    return [0, *(np.flatnonzero(np.asarray(compute.fill_null(differs, True))) + 1).tolist()]


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

    def add(self, ids: Any, begins: Sequence[int], spans: Sequence[Span]) -> None:
        """Add the series of a piece.

        Args:
            ids: Ids of its rows, and perhaps of others after them.
            begins: The row at which each of its series begins.
            spans: Places of its rows.

        Raises:
            DataError: One of them was seen before.
        """
        # A missing id is rejected by the reader of frames.
        names = pd.Series(ids.take(begins).to_pylist(), list(begins), dtype=object).dropna()
        if names.empty:
            return
        hashes = pd.util.hash_array(names.to_numpy())
        if not names.is_monotonic_increasing or (
            self._largest is not None and names.iloc[0] <= self._largest
        ):
            again = names.duplicated().to_numpy()
            for before in self._hashes:
                again = again | np.isin(
                    hashes, before, kind="sort"
                )  # a table of so large numbers fails in NumPy 2.0
            if again.any():
                place = int(again.argmax())
                raise in_source(
                    self._interrupted(names.index[place], names.iloc[place], spans[0].path), spans
                )
        self._hashes.append(hashes)
        self._largest = max(names) if self._largest is None else max(self._largest, *names)

    def _interrupted(self, row: int, name: Any, path: str | None) -> DataError:
        """Return the error for a series with others between its rows."""
        column, time = self._keys
        data = "DATA" if path is None else shlex.quote(self._source.name)
        named = f"--id {shlex.quote(column)} --time {shlex.quote(time)}"
        expected = "the rows of each series together, one series after another"
        received = "rows of a series that had others after it"
        hint = f"Bring them together: seqcast partition {data} -o FOLDER {named}"
        return DataError(
            column=column, row=row, series=name, expected=expected, received=received, hint=hint
        )
