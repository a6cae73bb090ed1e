"""Parquet and Feather files and Arrow streams, read after what they claim to hold has been compared with limits.

What is in a cell is a number, text, a time or a flag: lists, structures and the like are refused.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.data.frames.declared_sizes import block_offsets, message_sizes, page_sizes
from seqcast.data.frames.packed import check_cells, too_large, too_many
from seqcast.errors import DataError
from seqcast.runtime.limits import FileLimits
from seqcast.runtime.optional import require

__all__ = ["read_arrow_stream", "read_feather", "read_parquet"]

_CELL_BYTES = 8
# Rows of text whose lengths are added up at a time.
_ROWS = 1 << 16


# ---------------------------------------------------------------- Parquet


def read_parquet(path: Path, limits: FileLimits) -> Any:
    """Read a Parquet file as a pandas frame.

    Raises:
        DataError: It is too large, or holds what is no table.
        MissingPackageError: pyarrow is not installed.
        Exception: Whatever a damaged file provokes.
    """
    import pandas as pd

    parquet: Any = require("pyarrow.parquet", extra="parquet")
    packed = path.stat().st_size
    with parquet.ParquetFile(path) as file:
        facts = file.metadata
        if facts.num_row_groups > limits.parts:
            raise too_many(path, "row groups", facts.num_row_groups, limits.parts)
        check_cells(path, limits, packed, 1, facts.num_columns)
        groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
        rows = sum(group.num_rows for group in groups)
        if facts.num_rows != rows or min((group.num_rows for group in groups), default=0) < 0:
            raise ValueError("row groups that do not add up to its rows")
        _check_types(path, file.schema_arrow)
        width = sum(_width(kind) for kind in file.schema_arrow.types)
        check_cells(path, limits, packed, rows, 1, width)
        _check_pages(path, limits, groups)
    _check_text(path, limits, parquet)
    return pd.read_parquet(path)


def _check_pages(path: Path, limits: FileLimits, groups: list[Any]) -> None:
    """Refuse pages that unpack to too much."""
    packed, unpacked, count = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        for group in groups:
            for number in range(group.num_columns):
                chunk = group.column(number)
                offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
                start = min(offset for offset in offsets if offset is not None and offset > 0)
                for size in page_sizes(file, start, chunk.total_compressed_size):
                    unpacked, count = unpacked + size, count + 1
                    if unpacked > limits.most(packed):
                        raise too_large(path, limits, packed, f"pages of {unpacked:,} bytes and more")
                    if count > limits.pages:
                        raise too_many(path, "pages", count, limits.pages)


def _check_text(path: Path, limits: FileLimits, parquet: Any) -> None:
    """Refuse text that is long where it is written out, though its dictionary holds it once."""
    pyarrow: Any = require("pyarrow", extra="parquet")
    compute: Any = require("pyarrow.compute", extra="parquet")
    types = parquet.read_schema(path)
    names = [field.name for field in types if _is_text(field.type)]
    if not names:
        return
    packed, unpacked = path.stat().st_size, 0
    with parquet.ParquetFile(path, read_dictionary=names) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=names):
            for column in batch.columns:
                if pyarrow.types.is_dictionary(column.type):
                    lengths = compute.binary_length(column.dictionary)
                    unpacked += compute.sum(lengths.take(column.indices).cast("int64")).as_py() or 0
                else:
                    unpacked += column.nbytes
            if unpacked > limits.most(packed):
                raise too_large(path, limits, packed, f"text of {unpacked:,} bytes and more")


# ---------------------------------------------------------------- types


def _check_types(path: Path, schema: Any) -> None:
    """Refuse columns of lists, structures and the like, and names that stand twice."""
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        received = f"{twice[0]!r} twice"
        raise DataError(path=str(path), expected="each column once", received=received, hint="Rename one of them.")
    for field in schema:
        kind = field.type
        if not (_is_text(kind) or _is_plain(kind)):
            raise DataError(
                path=str(path),
                column=field.name,
                expected="numbers, text, times or flags",
                received=str(kind)[:80],
                hint="Leave the column out of the file.",
            )


def _types() -> Any:
    return require("pyarrow", extra="parquet").types


def _is_plain(kind: Any) -> bool:
    types = _types()
    tests = (types.is_primitive, types.is_null, types.is_decimal, types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _is_text(kind: Any) -> bool:
    types = _types()
    kind = kind.value_type if types.is_dictionary(kind) else kind
    # Older versions know no views.
    views = [getattr(types, name, lambda _: False) for name in ("is_string_view", "is_binary_view")]
    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, *views)
    return any(test(kind) for test in tests)


def _width(kind: Any) -> int:
    """Return the bytes that a value takes, of text without its letters."""
    return max(_CELL_BYTES, kind.byte_width) if _types().is_fixed_size_binary(kind) else _CELL_BYTES


# ---------------------------------------------------------------- Feather


def read_feather(path: Path, limits: FileLimits) -> Any:
    """Read a Feather file, which is Arrow's, as a pandas frame; arguments and errors as for `read_parquet`."""
    import pandas as pd

    pyarrow: Any = require("pyarrow", extra="parquet")
    packed = path.stat().st_size
    with pyarrow.memory_map(str(path)) as whole:
        schema = pyarrow.ipc.open_file(whole).schema
        _check_types(path, schema)
        rows = unpacked = 0
        offsets = block_offsets(whole, packed)
        if len(offsets) > limits.pages:
            raise too_many(path, "blocks", len(offsets), limits.pages)
        for offset in offsets:
            whole.seek(offset)
            length, size = message_sizes(pyarrow.ipc.read_message(whole))
            rows, unpacked = rows + length, unpacked + size
            if unpacked > limits.most(packed):
                raise too_large(path, limits, packed, f"{unpacked:,} bytes and more")
        check_cells(path, limits, packed, rows, len(schema))
        _check_views(path, limits, schema)
    return pd.read_feather(path)


def _check_views(path: Path, limits: FileLimits, schema: Any) -> None:
    """Refuse text that is long where it is written out, though it stands in the file once."""
    feather: Any = require("pyarrow.feather", extra="parquet")
    names = [field.name for field in schema if str(field.type) in ("string_view", "binary_view")]
    if not names:
        return
    packed, unpacked = path.stat().st_size, 0
    for column in feather.read_table(path, columns=names, memory_map=True).columns:
        for chunk in column.chunks:
            unpacked += _view_bytes(chunk)
        if unpacked > limits.most(packed):
            raise too_large(path, limits, packed, f"text of {unpacked:,} bytes and more")


def _view_bytes(chunk: Any) -> int:
    """Return the bytes of a chunk of views where its text is written out; each view begins with its length."""
    views = np.frombuffer(chunk.buffers()[1], dtype=np.int32).reshape(-1, 4)
    return int(views[chunk.offset : chunk.offset + len(chunk), 0].sum(dtype=np.int64))


# ---------------------------------------------------------------- streams

STREAM = Path("Arrow stream")


def read_arrow_stream(data: bytes, limits: FileLimits, most_rows: int) -> Any:
    """Read a stream of Arrow messages that came from elsewhere.

    Args:
        data: The stream.
        limits: What it may unpack to.
        most_rows: Most rows.

    Returns:
        A `pyarrow.Table` whose columns hold numbers, text, times or flags, text written out.

    Raises:
        DataError: It is no such stream, or claims more than it may.
        MissingPackageError: pyarrow is not installed.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    try:
        return _read_stream(pyarrow, data, limits, most_rows)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged stream provokes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            path=str(STREAM), expected="a stream of Arrow messages", received=reason, hint="Check how it is written."
        ) from error


def _read_stream(pyarrow: Any, data: bytes, limits: FileLimits, most_rows: int) -> Any:
    rows = unpacked = count = 0
    for message in pyarrow.ipc.MessageReader.open_stream(pyarrow.py_buffer(data)):
        length, size = message_sizes(message)
        # A dictionary's rows are no rows of the table, but take as much.
        rows, unpacked, count = rows + length, unpacked + size, count + 1
        if unpacked > limits.size:
            raise too_large(STREAM, limits, len(data), f"{unpacked:,} bytes and more")
        if rows > 2 * most_rows or count > limits.pages:
            raise too_many(STREAM, "rows", rows, most_rows)
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(data)) as stream:
        schema = stream.schema
        _check_types(STREAM, schema)
        if len(schema) > limits.columns:
            raise too_many(STREAM, "columns", len(schema), limits.columns)
        table = stream.read_all()
    # Offsets and indices may lead anywhere until they have been looked at.
    table.validate(full=True)
    if len(table) > most_rows:
        raise too_many(STREAM, "rows", len(table), most_rows)
    return _plain_text(pyarrow, table, limits, len(data))


def _plain_text(pyarrow: Any, table: Any, limits: FileLimits, packed: int) -> Any:
    """Return a table whose text is written out, and refuse text that stands once and is used often."""
    compute: Any = require("pyarrow.compute", extra="parquet")
    unpacked = 0
    for place, field in enumerate(table.schema):
        if not _is_text(field.type):
            continue
        for chunk in table.column(place).chunks:
            if pyarrow.types.is_dictionary(field.type):
                lengths = compute.binary_length(chunk.dictionary)
                unpacked += compute.sum(lengths.take(chunk.indices).cast("int64")).as_py() or 0
            elif "view" in str(field.type):
                unpacked += _view_bytes(chunk)
            else:
                unpacked += chunk.nbytes
        if unpacked > limits.size:
            raise too_large(STREAM, limits, packed, f"text of {unpacked:,} bytes and more")
        kind = field.type.value_type if pyarrow.types.is_dictionary(field.type) else field.type
        binary = "binary" in str(kind)
        table = table.set_column(place, field.name, table.column(place).cast("large_binary" if binary else "string"))
    return table
