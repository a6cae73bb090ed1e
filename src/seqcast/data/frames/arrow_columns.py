"""Columns of Arrow as pandas, Polars and the functions of Arrow itself can take them."""

from typing import Any

import pandas as pd

from seqcast.errors import DataError
from seqcast.runtime import require

# pyarrow has no types: a `DataType`,
ArrowType = Any
# a `Field`,
ArrowField = Any
# an `Array` or `ChunkedArray`,
ArrowColumn = Any
# and a `Table` or `RecordBatch`.
ArrowTable = Any

# Types of columns with one value in a row, by the names of their tests in `pyarrow.types`.
FLAT = (
    "primitive",
    "null",
    "decimal",
    "fixed_size_binary",
    "string",
    "large_string",
    "binary",
    "large_binary",
)
# Types of text and bytes that are views, which pandas cannot take.
_VIEWS = ("string_view", "binary_view")


def is_flat(kind: ArrowType) -> bool:
    """Return whether a type of Arrow has one value in a row, and is no encoding of others.

    Args:
        kind: The type.
    """
    types = require("pyarrow.types", extra="parquet")
    return any(getattr(types, f"is_{name}")(kind) for name in FLAT)


def with_plain_columns(batch: ArrowTable) -> ArrowTable:
    """Return a record batch or table of plain columns.

    Its text is no view, its runs are decoded, and its empty columns are text.

    Args:
        batch: The batch or table; dictionaries stay.

    Raises:
        DataError: A column holds lists or structures.
    """
    for place, field in enumerate(batch.schema):
        column = _plain(field, batch.column(place))
        if column.type != field.type:
            batch = batch.set_column(place, field.name, column)
    return batch


def _plain(field: ArrowField, column: ArrowColumn) -> ArrowColumn:
    pyarrow = require("pyarrow", extra="parquet")
    compute = require("pyarrow.compute", extra="parquet")
    if pyarrow.types.is_run_end_encoded(column.type):
        column = compute.run_end_decode(column)
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type

    if str(kind) in _VIEWS:
        return column.cast(pyarrow.string() if str(kind) == "string_view" else pyarrow.binary())
    if pyarrow.types.is_null(kind):
        return column.cast(pyarrow.string())
    if pyarrow.types.is_float16(kind):  # which few functions of Arrow take
        return column.cast(pyarrow.float32())
    if is_flat(kind):
        return column

    raise DataError(
        option="df",
        column=field.name,
        expected="numbers, text, times or flags",
        received=str(field.type)[:80],
        hint="Leave the column out, or convert it.",
    )


def to_pandas(table: ArrowTable) -> pd.DataFrame:
    """Return a table of Arrow as a pandas frame, also with dictionaries that pandas rejects.

    Args:
        table: The table.
    """
    pyarrow = require("pyarrow", extra="parquet")
    for place, field in enumerate(table.schema):
        column = table.column(place)
        is_encoded = pyarrow.types.is_dictionary(field.type) and is_flat(field.type.value_type)
        if is_encoded and not all(map(_is_sound, column.chunks)):
            table = table.set_column(place, field.name, column.cast(field.type.value_type))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _is_sound(chunk: ArrowColumn) -> bool:
    """Return whether a dictionary has no value twice, and none missing, as categories of pandas."""
    values = chunk.dictionary
    return not values.null_count and len(values.unique()) == len(values)
