"""`partition`: a table of any size becomes a folder of Parquet files with whole series."""

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast.data.frames import file_error, first_rows
from seqcast.errors import Option, Phrase, SaveError, SpecError
from seqcast.runtime import check_new_folder, folder_beside, parse_size, require, threads
from seqcast.specs import Columns, check_int
from seqcast.tables.partitioning.duckdb_queries import Source, find_source, identifier, read_columns

# Rows of a batch from DuckDB.
_BATCH_ROWS = 8_192
# Memory for each thread: one merges some 120,000 sorted rows at a time, of any width.
_THREAD_BYTES = 512 << 20
# Most rows, and most bytes, of a row group, which is in memory until it is written.
_GROUP_ROWS = 122_880
_GROUP_BYTES = 16 << 20


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
    memory: DuckDB sorts it, with a temporary folder next to the result. The folder appears when all
    is written.

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
    with folder_beside(folder) as place, _connected(place / ".spill", limit, table) as connection:
        rows, typed = read_columns(connection, table, columns)
        keys = [columns.unique_id, columns.ds]
        batches = _sorted(connection, table, typed, keys)
        series = _write(batches, place, keys, table.zones, math.ceil(rows / files))
        written = sorted(place.glob("*.parquet"))
        _check_doubles(connection, written, keys, table)
    return Partition(folder, len(written), series, rows, table.names)


@contextmanager
def _connected(spill: Path, limit: int, source: Source) -> Iterator[Any]:
    """Connect to a DuckDB with a memory limit, and translate its errors."""
    duckdb: Any = require("duckdb", extra="files")
    arrow: Any = require("pyarrow", extra="files")
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
            connection.execute(
                "SET enable_progress_bar = false"
            )  # it would be printed among results
            yield connection
    except (duckdb.Error, arrow.ArrowException, OSError, RuntimeError) as error:
        translated = _translated(error, duckdb, source, limit)
        if translated is None:
            raise
        raise translated from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _translated(error: Exception, duckdb: Any, source: Source, limit: int) -> BaseException | None:
    """Translate an error of DuckDB, which may have lost its type on the way through Arrow or Python.

    Returns `None` for other errors.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, duckdb.InterruptException) or lines[0].endswith(
        ("nterrupted", "nterrupted!")
    ):
        return KeyboardInterrupt()
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in lines[0]:
        expected = "enough memory, and room on the disk of the folder"
        received = f"{limit / 1e9:.3g} GB ({lines[0][:200]})"
        more = Option("memory_limit", "4 GB")
        hint = Phrase("Give more, as in ", more, ".")
        return SpecError("memory_limit", expected=expected, received=received, hint=hint)
    if isinstance(error, duckdb.IOException) and "write" in lines[0]:
        place = "the disk of the folder"
        received = lines[0][:200]
        return SaveError(
            place, expected="room to sort", received=received, hint="Nothing was written."
        )
    if isinstance(error, OSError | RuntimeError):
        return None
    return file_error(
        source.where, f"a table in {source.kind}", f"something else ({' '.join(lines[:4])[:300]})"
    )


def _sorted(connection: Any, source: Source, typed: dict[str, str], keys: list[str]) -> Any:
    """Return a reader of Arrow of all rows, sorted by id and time."""
    listed = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in typed.items())
    relation = connection.sql(
        f"SELECT {listed} FROM {source.sql()} ORDER BY {', '.join(map(identifier, keys))}"
    )
    # Older releases of DuckDB know the second name only, and newer ones warn of it.
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    return read(_BATCH_ROWS)


def _write(
    batches: Any, folder: Path, keys: list[str], zones: dict[str, str], rows_per_file: int
) -> int:
    """Write sorted rows to files, each of which ends with the series that fills it; return the number of series."""
    arrow: Any = require("pyarrow", extra="files")
    parquet: Any = require("pyarrow.parquet", extra="files")
    schema = _with_zones(batches.schema, zones)
    order = parquet.SortingColumn.from_ordering(schema, [(name, "ascending") for name in keys])
    files = series = left = 0
    last: Any = None
    writer: Any = None
    with ExitStack() as opened:
        for group in _groups(batches):
            table = arrow.Table.from_batches(group).cast(schema)
            ids = table.column(keys[0])
            start = 0
            begins = first_rows(ids)[int(files > 0 and ids[0] == last) :]
            series = series + len(begins)
            last = ids[-1]
            for begin in begins:
                if begin - start >= left:
                    if begin > start:
                        writer.write_table(table[start:begin])
                    opened.close()
                    path = folder / f"part-{files:05}.parquet"
                    writer = opened.enter_context(
                        parquet.ParquetWriter(path, schema, sorting_columns=order)
                    )
                    files = files + 1
                    start = begin
                    left = rows_per_file
            writer.write_table(table[start:])
            left -= len(table) - start
    return series


def _with_zones(schema: Any, zones: dict[str, str]) -> Any:
    """Return a schema whose stamps are in the time zones of the source: DuckDB knows the moments alone."""
    arrow: Any = require("pyarrow", extra="files")
    for place, field in enumerate(schema):
        if getattr(field.type, "tz", None):
            stamps = arrow.timestamp(field.type.unit, zones.get(field.name, "UTC"))
            schema = schema.set(place, field.with_type(stamps))
    return schema


def _groups(batches: Iterable[Any]) -> Iterator[list[Any]]:
    """Put batches together, up to the size of a row group."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if (
            sum(map(len, group)) >= _GROUP_ROWS
            or sum(each.nbytes for each in group) >= _GROUP_BYTES
        ):
            yield group
            group = []
    if group:
        yield group


def _check_doubles(connection: Any, files: Sequence[Path], keys: list[str], source: Source) -> None:
    """Reject a table in which a series has a time twice; each written file has whole series."""
    series, time = map(identifier, keys)
    twice = 0
    first = ("", "")
    for file in files:
        counts = f"SELECT {series} AS name, {time} AS moment, count(*) - 1 AS n FROM read_parquet(?) GROUP BY ALL"
        names = "CAST(name AS VARCHAR), CAST(moment AS VARCHAR)"
        query = f"SELECT sum(n) OVER (), {names} FROM ({counts}) WHERE n > 0 ORDER BY name, moment LIMIT 1"
        for count, *names in connection.execute(query, [str(file)]).fetchall():
            first = first if twice else tuple(names)
            twice += int(count)
    if twice:
        more = "s" * (twice > 1)
        hint = "Keep one of the rows of each time, or add them up."
        received = f"{twice:,} row{more} with the time of another, the first at {first[1]} of series {first[0]!r}"
        raise file_error(source.where, "each time of a series once", received, hint, column=keys[1])
