"""Columns of Arrow as pandas, Polars and the functions of Arrow itself can take them."""

from typing import Any

from seqcast.errors import DataError
from seqcast.runtime import require

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
_VIEWS = ("string_view", "binary_view")


def is_flat(kind: Any) -> bool:
    """Return whether a type of Arrow has one value in a row, and is no encoding of others.

    Args:
        kind: The type.
    """
    types: Any = require("pyarrow.types", extra="parquet")
    return any(getattr(types, f"is_{name}")(kind) for name in FLAT)


def with_plain_columns(batch: Any) -> Any:
    """Return a record batch or table whose text is no view, whose runs are decoded and whose empty columns are text.

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


def _plain(field: Any, column: Any) -> Any:
    pyarrow: Any = require("pyarrow", extra="parquet")
    compute: Any = require("pyarrow.compute", extra="parquet")
    if pyarrow.types.is_run_end_encoded(column.type):
        column = compute.run_end_decode(column)
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    if str(kind) in _VIEWS:
        return column.cast(pyarrow.string() if str(kind) == "string_view" else pyarrow.binary())
    if pyarrow.types.is_null(kind):
        return column.cast(pyarrow.string())
    if pyarrow.types.is_float16(kind):  # which few functions of Arrow take
        return column.cast(pyarrow.float32())
    if not is_flat(kind):
        expected = "numbers, text, times or flags"
        hint = "Leave the column out, or convert it."
        raise DataError(
            option="df",
            column=field.name,
            expected=expected,
            received=str(field.type)[:80],
            hint=hint,
        )
    return column


def to_pandas(table: Any) -> Any:
    """Return a table of Arrow as a pandas frame, also where values of a dictionary are missing or stand twice.

    Args:
        table: The table.
    """
    pyarrow: Any = require("pyarrow", extra="parquet")
    for place, field in enumerate(table.schema):
        column = table.column(place)
        is_encoded = pyarrow.types.is_dictionary(field.type) and is_flat(field.type.value_type)
        if is_encoded and not all(map(_is_sound, column.chunks)):
            table = table.set_column(place, field.name, column.cast(field.type.value_type))
    return table.to_pandas()


def _is_sound(chunk: Any) -> bool:
    """Return whether a dictionary has each of its values once, and no missing one, as categories of pandas do."""
    values = chunk.dictionary
    return not values.null_count and len(values.unique()) == len(values)
