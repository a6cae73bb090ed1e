"""A frame that names rows of another one whose values are to be left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import FrameColumn, first, read_covariate
from seqcast.data.frames.forms import form_of, to_long
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.lookup import check_same_types, find_rows
from seqcast.data.frames.stamps import in_zone_of
from seqcast.data.frames.table import KeyedFrame, open_frame, read_keys
from seqcast.errors import DataError

Array = npt.NDArray[Any]

# Columns that a frame of anomalies has beside ids and stamps.
MARK, TARGET = "anomaly", "target"


def masked(frame: LongFrame, mask: Any) -> LongFrame:
    """Return a frame without the values that another one names.

    Args:
        frame: The series.
        mask: A frame with ids and stamps. Where it has a column `anomaly`, rows count in which that is true; where it
            has a column `target`, only that target is left out. Rows of other series and stamps are ignored.

    Raises:
        DataError: The mask is no such frame, or names rows but none of these.
    """
    import pandas as pd

    ids, columns = frame.source.ids, frame.schema.columns
    long = to_long(mask, columns, form_of(mask, columns), ids[0] if len(ids) == 1 else None)
    table = read_keys(open_frame(long, "mask"), columns, [], "mask")
    check_same_types(table, ids, frame.stamps, columns, like_what="as in df")
    owner = np.repeat(np.arange(len(ids)), frame.source.lengths)
    wanted_owner = pd.Index(ids).get_indexer(pd.Index(table.ids))
    places = find_rows(owner, frame.stamps, wanted_owner, in_zone_of(table.stamps, frame.stamps))
    left_out = _left_out(table, columns.targets)
    marked = np.flatnonzero(left_out.any(axis=1))
    if len(marked) and (places[marked] < 0).all():
        example = f"{table.ids[marked].tolist()[0]!r} at {table.stamps[marked[0]]}"
        raise DataError(
            option="mask",
            expected="rows of df",
            received=f"{len(marked)} rows, none of which is in df, such as {example}",
            hint="Give ids and stamps as they are in df.",
        )
    rows, targets = np.nonzero(left_out & (places >= 0)[:, None])
    values = frame.source.values.copy()
    values[places[rows], targets] = np.nan
    return replace(frame, source=replace(frame.source, values=values))


def _left_out(table: KeyedFrame, targets: tuple[str, ...]) -> Array:
    """Return which targets each row of a mask leaves out, `[rows, D]`."""
    left_out = np.ones((len(table.ids), len(targets)), dtype=bool)
    if MARK in table.frame.columns:
        left_out &= _marks(table.column(MARK))[:, None]
    if TARGET in table.frame.columns and len(targets) > 1:
        column = table.column(TARGET)
        names = np.array([str(name) for name in column.values.to_list()], dtype=object)
        named = names[:, None] == np.array(targets, dtype=object)
        unknown = ~named.any(axis=1)
        if unknown.any():
            row = first(unknown)
            expected = f"one of {', '.join(map(repr, targets))}"
            raise column.error(row=row, expected=expected, received=repr(names[row]), hint="Correct it.")
        left_out &= named
    return left_out


def _marks(column: FrameColumn) -> Array:
    """Return which rows are marked, `[rows]`."""
    values, kind = read_covariate(column, gaps=False)
    if kind.name == "category":
        words = [word.lower() for word in kind.labels]
        if not set(words) <= {"true", "false"}:
            raise column.wrong_type(
                "true or false", polars="cast(pl.Boolean)", pandas=f'df["{column.name}"].astype(bool)'
            )
        return np.array([word == "true" for word in words])[values.astype(np.int64)]
    return np.asarray(values != 0)
