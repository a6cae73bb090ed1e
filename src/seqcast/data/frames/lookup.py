"""Looking up rows by series and time stamp, in frames that go with another one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.stamps import Stamps, stamp_kind
from seqcast.data.frames.table import KeyedFrame
from seqcast.errors import Phrase
from seqcast.specs import Columns

Array = npt.NDArray[Any]

_UNITS = ("s", "ms", "us", "ns")


def find_rows(owner: Array, stamps: Stamps, wanted_owner: Array, wanted: Stamps) -> Array:
    """Return where rows are among others that are sorted by series and stamp, -1 for those that are not.

    Args:
        owner: Number of the series of each of the others, ascending.
        stamps: Their stamps, ascending within a series.
        wanted_owner: Number of the series of each row to find; -1 for another series.
        wanted: The stamps of the rows to find.

    Example:
        >>> import pandas as pd
        >>> stamps, wanted = pd.Index([4, 5, 4]), pd.Index([4, 5, 4])
        >>> find_rows(np.array([0, 0, 1]), stamps, np.array([1, 1, -1]), wanted)
        array([ 2, -1, -1])
    """
    if not len(owner):
        return np.full(len(wanted_owner), -1)
    present_ticks, wanted_ticks = ticks(stamps, wanted)
    moments = np.unique(np.concatenate([present_ticks, wanted_ticks]))
    keys = owner * len(moments) + np.searchsorted(moments, present_ticks)
    wanted_keys = wanted_owner * len(moments) + np.searchsorted(moments, wanted_ticks)
    places = np.minimum(np.searchsorted(keys, wanted_keys), len(keys) - 1)
    return np.where((keys[places] == wanted_keys) & (wanted_owner >= 0), places, -1)


def check_same_types(
    table: KeyedFrame, ids: tuple[Any, ...], like: Stamps, columns: Columns, *, like_what: str = "as at fit"
) -> None:
    """Refuse ids and stamps of other types than those of the series.

    Args:
        table: The frame whose ids and stamps have been read.
        ids: Names of the series.
        like: Stamps of the series.
        columns: Names of the columns.
        like_what: Where the series are, in words.

    Raises:
        DataError: They are of another type.
    """
    is_integer = table.ids.dtype.kind in "iu"
    if is_integer != isinstance(ids[0], int):
        expected, received = ("text", "whole numbers") if is_integer else ("whole numbers", "text")
        raise table.column(columns.unique_id).error(
            expected=f"{expected}, {like_what}", received=received, hint=Phrase("Convert it.", remedy="convert")
        )
    if stamp_kind(table.stamps) != stamp_kind(like):
        raise table.column(columns.ds).error(
            expected=f"stamps such as {like[0]}",
            received=f"stamps such as {table.stamps[0]}",
            hint="Convert the column.",
        )


def ticks(*stamps: Stamps) -> list[Array]:
    """Return each index of stamps as whole numbers, in the finest of their units."""
    if stamps[0].dtype.kind in "iu":
        return [index.to_numpy().astype(np.int64) for index in stamps]
    unit = max((index.unit for index in stamps), key=_UNITS.index)
    return [np.asarray(index.as_unit(unit).asi8) for index in stamps]
