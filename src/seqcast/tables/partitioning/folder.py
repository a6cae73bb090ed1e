"""`partition`: a table of any size becomes a folder of Parquet files with whole series."""

import base64
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast.data.frames import file_error
from seqcast.errors import Option, Phrase, SaveError, SpecError, counted
from seqcast.runtime import atomic_folder, check_new_folder, parse_size, require, threads
from seqcast.specs import Columns, check_int
from seqcast.tables.partitioning.duckdb_queries import (
    Source,
    find_source,
    identifier,
    literal,
    parquet_rows,
    read_columns,
    unused_name,
)

# Memory of each thread of DuckDB: one merges some 120,000 sorted rows at a time, of any width.
_THREAD_BYTES = 512 << 20
# Rows that a thread of DuckDB collects before it writes them to the files of their series.
_FLUSHED_ROWS = 16_384
# Most bytes of a row group, which is in memory until it is written.
_GROUP_BYTES = 16 << 20
# The same where many files are written at a time.
_DIVIDED_GROUP_BYTES = 1 << 20


@dataclass(frozen=True)
class Partition:
    """The folder that `partition` wrote.

    Args:
        folder: The folder.
        files: Number of its files.
        series: Number of series.
        rows: Number of rows.
        columns: The names of the columns.
    """

    folder: Path
    files: int
    series: int
    rows: int
    columns: tuple[str, ...]


def partition(
    source: Any,
    folder: Any,
    *,
    columns: Columns | None = None,
    files: int = 64,
    memory_limit: Any = "1 GiB",
    force: bool = False,
) -> Partition:
    """Write a table as a folder of Parquet files in which the rows of each series are contiguous.

    Rows are sorted by id and time, and each series is in one file. The table may be larger than the
    memory: DuckDB divides and sorts it, with a temporary folder next to the result. The folder
    appears when all is written.

    Text becomes typed on the way: ids stay text, times are ISO 8601, whole numbers, or written as
    `columns.ds_format` says, and other columns become numbers if all their values are. Text is
    UTF-8, with a decimal point.

    Args:
        source: Parquet or CSV: a file, a folder, a pattern such as `data/*.parquet`, or a sequence
            of these.
        folder: The folder to write.
        columns: Names of the columns of ids and times; others may have any name.
        files: Most files to write; a file ends with the series that fills it.
        memory_limit: Most memory that DuckDB takes: bytes, or a text such as `4 GB`. The process
            takes some more, for reading and writing.
        force: Whether to replace an existing folder of Parquet files.

    Returns:
        The folder and its sizes.

    Raises:
        MissingFileError: There is no such file.
        DataError: A column, an id or a time is missing, a time is invalid, or a series has one
            twice.
        SaveError: The folder cannot be written, or there is no room on the disk.
        SpecError: An option has an impossible value, or the memory is too small.
        MissingPackageError: DuckDB or pyarrow is not installed.

    Example:
        >>> import tempfile
        >>> from seqcast.data.datasets import load
        >>> place = Path(tempfile.mkdtemp())
        >>> load("lynx").sample(frac=1, random_state=0).to_parquet(place / "rows.parquet")
        >>> partition(place / "rows.parquet", place / "series").rows
        114
        >>> [file.name for file in (place / "series").iterdir()]
        ['part-00000.parquet']
    """
    columns = columns or Columns()
    folder = Path(folder)
    check_int("files", files)
    limit = parse_size("memory_limit", memory_limit)
    check_new_folder(folder, force=force, suffix=".parquet")
    table = find_source(source, columns)

    with atomic_folder(folder) as place, _connected(place / ".spill", limit, table) as connection:
        rows, typed = read_columns(connection, table, columns)
        listed = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in typed.items())
        connection.execute(f"CREATE TEMP VIEW typed AS SELECT {listed} FROM {table.sql()}")

        series = _number_files(connection, columns.unique_id, math.ceil(rows / files))
        divided = place / ".spill" / "files"
        _write_divided(connection, table, columns.unique_id, divided)

        keys = [columns.unique_id, columns.ds]
        written = _write_sorted(connection, divided, keys, table.zones, place)
        _check_doubles(connection, written, keys, table)
    return Partition(folder, len(written), series, rows, table.names)


@contextmanager
def _connected(spill: Path, limit: int, source: Source) -> Iterator[Any]:
    """Connect to a DuckDB with a memory limit, and translate its errors."""
    duckdb: Any = require("duckdb", extra="files")

    # Nothing is fetched: an extension that DuckDB lacks would come from the network.
    config = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": f"{limit}B",
        "preserve_insertion_order": False,
        "temp_directory": str(spill),
        "threads": max(1, min(threads(), limit // _THREAD_BYTES)),
    }
    try:
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET partitioned_write_flush_threshold = {_FLUSHED_ROWS}")
            # By statistics a column would be required in files without a missing value, and so
            # have another type in Arrow than in others.
            connection.execute("SET disabled_optimizers = 'statistics_propagation'")
            # It would be printed among results.
            connection.execute("SET enable_progress_bar = false")
            yield connection
    except (duckdb.Error, OSError, RuntimeError) as error:
        translated = _translated(error, duckdb, source, limit)
        if translated is None:
            raise
        raise translated from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _translated(error: Exception, duckdb: Any, source: Source, limit: int) -> BaseException | None:
    """Translate an error of DuckDB, which may have lost its type on the way through Python.

    Returns `None` for other errors.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    is_interrupt = lines[0].endswith(("nterrupted", "nterrupted!"))
    if is_interrupt or isinstance(error, duckdb.InterruptException):
        return KeyboardInterrupt()

    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in lines[0]:
        more = Option("memory_limit", "4 GB")
        return SpecError(
            "memory_limit",
            expected="enough memory, and room on the disk of the folder",
            received=f"{limit / 1e9:.3g} GB ({lines[0][:200]})",
            hint=Phrase("Give more, as in ", more, "."),
        )

    if isinstance(error, duckdb.IOException) and "write" in lines[0]:
        return SaveError(
            "the disk of the folder",
            expected="room to sort",
            received=lines[0][:200],
            hint="Nothing was written.",
        )

    if isinstance(error, OSError | RuntimeError):
        return None
    received = f"something else ({' '.join(lines[:4])[:300]})"
    return file_error(source.where, f"a table in {source.kind}", received)


def _number_files(connection: Any, unique_id: str, rows_per_file: int) -> int:
    """Give each series the number of its file, in the order of ids; return the number of series.

    A file ends with the series that fills it.
    """
    series = identifier(unique_id)
    before = f"sum(count(*)) OVER (ORDER BY {series}) - count(*)"
    counts = f"SELECT {series} AS series, {before} AS before FROM typed GROUP BY {series}"
    number = f"dense_rank() OVER (ORDER BY before // {rows_per_file}) - 1"
    connection.execute(
        f"CREATE TEMP TABLE places AS SELECT series, {number} AS file FROM ({counts})"
    )
    ((count,),) = connection.execute("SELECT count(*) FROM places").fetchall()
    return int(count)


def _write_divided(connection: Any, source: Source, unique_id: str, folder: Path) -> None:
    """Write the rows of each file to a folder `file=NUMBER`, in any order."""
    folder.mkdir(parents=True)
    file = identifier(unused_name("file", source.names))
    rows = (
        f"SELECT typed.*, places.file AS {file} "
        f"FROM typed JOIN places ON typed.{identifier(unique_id)} = places.series"
    )
    options = (
        f"FORMAT parquet, PARTITION_BY ({file}), WRITE_PARTITION_COLUMNS false, "
        f"ROW_GROUP_SIZE_BYTES {_DIVIDED_GROUP_BYTES}"
    )
    connection.execute(f"COPY ({rows}) TO {literal(str(folder))} ({options})")


def _write_sorted(
    connection: Any, divided: Path, keys: list[str], zones: dict[str, str], folder: Path
) -> list[Path]:
    """Write each file again, its rows sorted by id and time; return the files.

    PARTITION_BY keeps no order where several threads write.
    """
    order = ", ".join(map(identifier, keys))
    written: list[Path] = []
    for parts in sorted(divided.iterdir(), key=lambda each: int(each.name.rpartition("=")[2])):
        files = sorted(parts.iterdir())
        rows = f"SELECT * FROM {parquet_rows(files)} ORDER BY {order}"
        options = f"FORMAT parquet, ROW_GROUP_SIZE_BYTES {_GROUP_BYTES}"
        options += _zones_option(files[0], zones)
        path = folder / f"part-{len(written):05}.parquet"
        connection.execute(f"COPY ({rows}) TO {literal(str(path))} ({options})")

        shutil.rmtree(parts)
        written.append(path)
    return written


def _zones_option(file: Path, zones: dict[str, str]) -> str:
    """Return the option of COPY by which stamps keep their time zones; DuckDB writes UTC.

    Arrow's schema, in the metadata of a file, has them.
    """
    if not zones:
        return ""

    arrow: Any = require("pyarrow", extra="files")
    parquet: Any = require("pyarrow.parquet", extra="files")
    schema = parquet.read_schema(file)
    for place, field in enumerate(schema):
        if field.name in zones and getattr(field.type, "tz", None):
            stamps = arrow.timestamp(field.type.unit, zones[field.name])
            schema = schema.set(place, field.with_type(stamps))
    text = base64.b64encode(schema.serialize()).decode()
    return f", KV_METADATA {{'ARROW:schema': {literal(text)}}}"


def _check_doubles(connection: Any, files: Sequence[Path], keys: list[str], source: Source) -> None:
    """Reject a table in which a series has a time twice; each written file has whole series."""
    series, time = map(identifier, keys)
    twice = 0
    first = ("", "")
    for file in files:
        counts = (
            f"SELECT {series} AS name, {time} AS moment, count(*) - 1 AS n "
            f"FROM {parquet_rows([file])} GROUP BY ALL"
        )
        query = (
            "SELECT sum(n) OVER (), CAST(name AS VARCHAR), CAST(moment AS VARCHAR) "
            f"FROM ({counts}) WHERE n > 0 ORDER BY name, moment LIMIT 1"
        )
        for count, *example in connection.execute(query).fetchall():
            if not twice:
                first = example
            twice += int(count)

    if twice:
        hint = "Keep one of the rows of each time, or add them up."
        received = (
            f"{counted(twice, 'row')} with the time of another, "
            f"the first at {first[1]} of series {first[0]!r}"
        )
        raise file_error(source.where, "each time of a series once", received, hint, column=keys[1])
