"""Tables that are read piece by piece: Parquet files, Arrow data sets, lazy Polars frames, DuckDB relations.

`pieces` divides what they yield.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqcast.data.frames.places import files_at
from seqcast.errors import DataError, MissingFileError, SpecError
from seqcast.runtime import require

# Rows of a record batch.
BATCH_ROWS = 1 << 16
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class TableSource:
    """A table that is read piece by piece, once for each call.

    Args:
        name: What messages call it.
        columns: Names of its columns.
        read: Reads some columns: yields the file of each record batch, `None` where it is from no file, and the batch.
        kind: Kind of frames that are made of it, `pandas` or `polars`.
        version: A text that differs when the files do; empty where there are none.
        files: The files that it reads, in order; none where it reads no files of this machine's paths.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[list[str]], Iterator[tuple[str | None, Any]]]
    kind: str = "pandas"
    version: str = ""
    files: tuple[str, ...] = ()

    def frame(self, table: Any) -> Any:
        """Return rows as a frame of the source's kind."""
        if self.kind == "polars":
            return require("polars", extra="polars").from_arrow(table)
        return table.to_pandas()


def is_source(df: Any) -> bool:
    """Return whether something is read piece by piece, and is no frame in memory.

    Args:
        df: What a user gives: a path, several, a glob pattern or a folder of Parquet files, a `pyarrow.dataset`, a
            Polars `LazyFrame`, or a DuckDB relation.

    Example:
        >>> is_source("sales/*.parquet"), is_source([1.0])
        (True, False)
    """
    if isinstance(df, str | os.PathLike):
        return True
    if isinstance(df, list | tuple):
        return bool(df) and all(isinstance(path, str | os.PathLike) for path in df)
    return _type_of(df) in _OPENERS


def _type_of(df: Any) -> str:
    """Return the name of the known type that something is of, or of none."""
    for kind in type(df).__mro__:
        name = f"{kind.__module__.split('.')[0].lstrip('_')}.{kind.__name__}"
        if name in _OPENERS:
            return name
    return ""


def open_source(df: Any) -> TableSource:
    """Open something for which `is_source` is true.

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


# ---------------------------------------------------------------- files


def _open_files(given: Sequence[str | os.PathLike[str]]) -> TableSource:
    pyarrow: Any = require("pyarrow", extra="parquet")
    datasets: Any = require("pyarrow.dataset", extra="parquet")
    files: list[str] = []
    for one in given:
        files += _files_of(os.fspath(one))
    name = os.fspath(given[0]) if len(given) == 1 else f"{len(given)} paths"
    keys = [part.split("=", 1)[0] for part in Path(files[0]).parts[:-1] if "=" in part]
    # The names of folders are text: 007 is not 7.
    partitioning = datasets.partitioning(pyarrow.schema([(key, pyarrow.string()) for key in keys]), flavor="hive")
    try:
        dataset = datasets.dataset(files, format="parquet", partitioning=partitioning if keys else None)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            path=name, expected="Parquet files", received=str(error).splitlines()[0], hint="Check the files."
        ) from error
    return replace(_open_dataset(dataset, name), files=tuple(os.path.abspath(file) for file in files))


def _files_of(path: str) -> list[str]:
    """Return the Parquet files of a path, sorted."""
    files = [str(file) for file in files_at(Path(path), lambda place: place.suffix in _PARQUET) if file.is_file()]
    if not files:
        received = "none that match" if glob.has_magic(path) else "nothing"
        received = "a folder without any" if os.path.isdir(path) else received
        raise MissingFileError(path, expected="Parquet files", received=received, hint="Check the path.")
    return files


def _open_dataset(dataset: Any, name: str = "the data set") -> TableSource:
    pyarrow: Any = require("pyarrow", extra="parquet")
    options: dict[str, Any] = {"batch_size": BATCH_ROWS, "batch_readahead": 1, "use_threads": False}

    def read(columns: list[str]) -> Iterator[tuple[str | None, Any]]:
        for fragment in dataset.get_fragments():
            path = getattr(fragment, "path", None)
            try:
                for batch in fragment.to_batches(schema=dataset.schema, columns=columns, **options):
                    if batch.num_rows:
                        yield path, batch
            except pyarrow.ArrowException as error:
                raise DataError(
                    path=path or name,
                    expected=f"a table with the columns of the others: {', '.join(dataset.schema.names)}",
                    received=str(error).splitlines()[0],
                    hint="Check the file.",
                ) from error

    return TableSource(name, tuple(dataset.schema.names), read, version=_version(getattr(dataset, "files", ())))


def _version(files: Sequence[str]) -> str:
    """Return a text that differs when local files do."""
    whole = hashlib.blake2b(digest_size=8)
    for path in files:
        known = os.stat(path) if os.path.exists(path) else None
        whole.update(f"{path} {known and (known.st_size, known.st_mtime_ns)}\n".encode())
    return whole.hexdigest() if files else ""


# ---------------------------------------------------------------- lazy tables


def _open_lazy_frame(lazy: Any) -> TableSource:
    polars: Any = require("polars", extra="polars")
    require("pyarrow", extra="parquet")

    def read(columns: list[str]) -> Iterator[tuple[str | None, Any]]:
        for frame in lazy.select([polars.col(name) for name in columns]).collect_batches(
            chunk_size=BATCH_ROWS, maintain_order=True
        ):
            for batch in frame.to_arrow().to_batches():
                yield None, batch

    return TableSource("the LazyFrame", tuple(lazy.collect_schema().names()), read, kind="polars")


def _open_relation(relation: Any) -> TableSource:
    require("pyarrow", extra="parquet")
    duckdb: Any = require("duckdb", extra="files")

    def read(columns: list[str]) -> Iterator[tuple[str | None, Any]]:
        chosen = relation.select(*map(duckdb.ColumnExpression, columns))
        # DuckDB 2 gave it this name.
        read_batches = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_arrow_reader
        for batch in read_batches(BATCH_ROWS):
            yield None, batch

    return TableSource("the relation", tuple(relation.columns), read)


_OPENERS: dict[str, Callable[[Any], TableSource]] = {
    "pyarrow.Dataset": _open_dataset,
    "polars.LazyFrame": _open_lazy_frame,
    "duckdb.DuckDBPyRelation": _open_relation,
}


# ---------------------------------------------------------------- groups of files


def file_groups(source: TableSource | None, id_column: str) -> list[list[str]]:
    """Return the files of a source in groups, each with whole series: those of a series that goes on in the next file.

    Only the first and the last id of each file are looked at; the pieces of a group are checked as they are read.

    Args:
        source: The source; `None` where rows are in memory.
        id_column: The column of ids.

    Raises:
        SpecError: There are no files, or no ids.
    """
    parquet: Any = require("pyarrow.parquet", extra="parquet")
    if source is None or not source.files or id_column not in source.columns:
        raise SpecError(
            "on",
            expected="Parquet files with a column of ids, which workers can share out",
            received="rows in memory" if source is None else source.name,
            hint="Write the rows to files, or leave it out.",
        )
    groups: list[list[str]] = []
    before: Any = None
    for path in source.files:
        with parquet.ParquetFile(path) as file:
            ends = _ends_of(file, path, id_column)
        if groups and ends and ends[0] == before:
            groups[-1].append(path)
        else:
            groups.append([path])
        before = ends[-1] if ends else before
    return groups


def _ends_of(file: Any, path: str, id_column: str) -> list[Any]:
    """Return the first and the last id of an open Parquet file; none of one without rows."""
    if id_column not in file.schema_arrow.names:
        return [Path(path).parent.name]  # the folder is named after it
    if not file.metadata.num_rows:
        return []
    first, last = (file.read_row_group(number, [id_column]).column(0) for number in (0, file.num_row_groups - 1))
    return [first[0].as_py(), last[-1].as_py()]
