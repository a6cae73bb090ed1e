"""Lookup of rows by series and stamp in frames that belong to another: futures and masks."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from seqcast.data.frames.closed_steps import ClosedSteps
from seqcast.data.frames.forms import UserFrame, form_of, to_long
from seqcast.data.frames.frame_columns import ColumnType, FrameColumn, first, read_covariate
from seqcast.data.frames.frame_reader import KeyedFrame, open_frame, read_keys
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.stamps import Stamps, in_zone_of, stamp_kind
from seqcast.errors import DataError, Fix
from seqcast.runtime import Array
from seqcast.specs import Columns

# Stamps that a message lists.
SHOWN = 3
# Column of a frame of anomalies that says whether a row is one.
MARK = "anomaly"
# Column of a frame of anomalies that names the target.
TARGET = "target"


def find_rows(owner: Array, stamps: Stamps, wanted_owner: Array, wanted: Stamps) -> Array:
    """Return the positions of rows among others; -1 for missing ones.

    Each of the others has a stamp of its series once.

    Args:
        owner: Number of the series of each of the others.
        stamps: Their stamps.
        wanted_owner: Number of the series of each row to find; -1 for another series.
        wanted: The stamps of the rows to find.

    Example:
        >>> import pandas as pd
        >>> stamps, wanted = pd.Index([4, 5, 4]), pd.Index([4, 5, 4])
        >>> find_rows(np.array([0, 0, 1]), stamps, np.array([1, 1, -1]), wanted)
        array([ 2, -1, -1])
    """
    rows = pd.MultiIndex.from_arrays([owner, stamps])
    return np.asarray(rows.get_indexer(pd.MultiIndex.from_arrays([wanted_owner, wanted])))


def _read_related(
    df: UserFrame,
    columns: Columns,
    ids: tuple[Any, ...],
    like: Stamps,
    option: str,
    covariates: tuple[str, ...] = (),
) -> tuple[KeyedFrame, Stamps, Array]:
    """Read ids and stamps of a frame that belongs to series.

    Args:
        df: The frame.
        columns: Names of its columns.
        ids: Names of the series, sorted.
        like: Stamps of the series, whose type and zone are expected.
        option: The argument that holds it.
        covariates: Names of future covariates that it needs.

    Returns:
        The frame, its stamps, and the number of each row's series, -1 for others.

    Raises:
        DataError: It lacks a column, or ids or stamps are of another type than those of the series.
    """
    long = to_long(df, columns, form_of(df, columns), ids[0] if len(ids) == 1 else None)
    needed = [("future_covariates", name) for name in covariates]
    table = read_keys(open_frame(long, option), columns, needed, option)

    kinds = {True: "whole numbers", False: "text"}
    is_whole = table.ids.dtype.kind in "iu"
    if is_whole != isinstance(ids[0], int):
        where = "as in df" if option == "mask" else "as at fit"
        raise table.column(columns.unique_id).error(
            expected=f"{kinds[not is_whole]}, {where}",
            received=kinds[is_whole],
            hint="Convert it.",
            fix=Fix.CONVERT,
        )

    if stamp_kind(table.stamps) != stamp_kind(like):
        raise table.column(columns.ds).error(
            expected=f"stamps such as {like[0]}",
            received=f"stamps such as {table.stamps[0]}",
            hint="Convert the column.",
        )

    owner = pd.Index(ids).get_indexer(pd.Index(table.ids))
    return table, in_zone_of(table.stamps, like), owner


# ---------------------------------------------------------------- the known future


@dataclass(frozen=True)
class FutureRows:
    """Rows of a future frame, sorted by series and stamp; rows of other series are left out.

    Args:
        ids: Names of the series that are forecast.
        owner: Number of each row's series.
        stamps: Stamp of each row.
        values: Future covariates, `[rows, columns]`; NaN is missing.
        kinds: Type of each of them.
        columns: Names of the columns.
    """

    ids: tuple[Any, ...]
    owner: Array
    stamps: Stamps
    values: Array
    kinds: tuple[ColumnType, ...]
    columns: Columns

    def at(self, stamps: Stamps, closed: ClosedSteps | None = None) -> Array:
        """Return the covariates at some stamps, `[series, H, columns]`; NaN at closed steps.

        Args:
            stamps: `H` stamps of each series, series after series.
            closed: The gaps of the past, which steps without a row may continue; `None` where each
                step has a row.

        Raises:
            DataError: Some are not in the frame.
        """
        count = len(self.ids)
        horizon = len(stamps) // count
        places = find_rows(self.owner, self.stamps, np.repeat(np.arange(count), horizon), stamps)
        missing = (places < 0).reshape(count, horizon)
        if closed is not None and missing.any():
            missing &= ~closed.find(stamps, missing, self._after_last_rows(stamps))
        if missing.any():
            raise self._missing_steps(stamps, missing)

        has_row = places >= 0
        values = np.full((len(places), self.values.shape[1]), np.nan)
        values[has_row] = self.values[places[has_row]]
        return values.reshape(count, horizon, -1)

    def _after_last_rows(self, stamps: Stamps) -> Array:
        """Return which stamps come after the last row of their series, if any, `[series, H]`."""
        count = len(self.ids)
        ends = np.searchsorted(self.owner, np.arange(count), side="right")
        has_rows = np.bincount(self.owner, minlength=count) > 0
        horizon = len(stamps) // count
        after = np.ones((count, horizon), dtype=bool)
        last = self.stamps[ends[has_rows] - 1].repeat(horizon)
        later = np.asarray(stamps[np.repeat(has_rows, horizon)] > last)
        after[has_rows] = later.reshape(-1, horizon)
        return after

    def after(self, last_stamps: Stamps, horizon: int | None) -> tuple[Stamps, Array, Array]:
        """Return the irregular steps after the last stamp of each series.

        Args:
            last_stamps: The last known stamp of each series.
            horizon: Number of steps; `None` takes all.

        Returns:
            The stamps, `H` of each series (a shorter one's last repeated), the covariates,
            `[series, H, columns]`, and which of them are steps, `[series, H]`.

        Raises:
            DataError: A series has no such rows, or too few.
        """
        later = np.asarray(self.stamps > last_stamps[self.owner])
        owner = self.owner[later]
        counts = np.bincount(owner, minlength=len(self.ids))

        least = 1 if horizon is None else horizon
        if (counts < least).any():
            series = first(counts < least)
            raise DataError(
                option="future",
                series=self.ids[series],
                expected=f"at least {least} rows after {last_stamps[series]}",
                received=str(counts[series]),
                hint="Name the stamps to forecast, one row each.",
            )

        steps = int(counts.max()) if horizon is None else horizon
        starts = np.cumsum(counts) - counts
        within = np.minimum(np.arange(steps), counts[:, None] - 1)
        places = np.flatnonzero(later)[starts[:, None] + within]
        return self.stamps[places.ravel()], self.values[places], np.arange(steps) < counts[:, None]

    def _missing_steps(self, stamps: Stamps, missing: Array) -> DataError:
        """Build the error for steps of a horizon that are not in the frame, `[series, H]`."""
        lacks = np.asarray(missing.any(axis=1))
        horizon = missing.shape[1]
        series = first(lacks)
        lacking = stamps[np.flatnonzero(missing[series]) + series * horizon]

        listed = ", ".join(str(stamp) for stamp in lacking[:SHOWN])
        if len(lacking) > SHOWN:
            listed += f" and {len(lacking) - SHOWN} more"
        others = int(lacks.sum()) - 1
        if others == 1:
            listed += "; 1 other series lacks some too"
        elif others > 1:
            listed += f"; {others} other series lack some too"

        columns = f"{self.columns.unique_id}, {self.columns.ds} and the future covariates"
        return DataError(
            option="future",
            series=self.ids[series],
            expected=f"a row for each of the {horizon} steps ahead",
            received=f"none for {listed}",
            hint=f"Add the rows, with {columns}.",
        )


def read_future(
    future: UserFrame,
    columns: Columns,
    names: tuple[str, ...],
    ids: tuple[Any, ...],
    like: Stamps,
    *,
    gaps: bool,
) -> FutureRows:
    """Read a future frame.

    Args:
        future: A frame with ids, stamps and future covariates, in any order; rows of other series
            are ignored.
        columns: Names of its columns.
        names: Names of the future covariates.
        ids: Names of the series that are forecast, sorted.
        like: Stamps of the series, whose type is expected.
        gaps: Whether covariates may be missing.

    Raises:
        DataError: The frame is invalid.
    """
    table, stamps, owner = _read_related(
        future, columns, ids, like, option="future", covariates=names
    )
    read = [read_covariate(table.column(name), gaps=gaps) for name in names]
    values = np.zeros((len(table.ids), 0))
    if read:
        values = np.column_stack([column for column, _ in read])

    keys = pd.DataFrame({"owner": owner, "stamp": stamps})
    keys = keys.sort_values(["owner", "stamp"], kind="stable")
    keys = keys[keys["owner"] >= 0]
    order = keys.index.to_numpy()

    twice = np.zeros(len(owner), dtype=bool)
    twice[order[keys.duplicated()]] = True
    once = "each stamp of a series once"
    hint = "Drop one of the rows."
    table.column(columns.ds).reject(twice, lambda row: (once, f"the duplicate {stamps[row]}"), hint)

    kinds = tuple(kind for _, kind in read)
    return FutureRows(ids, owner[order], stamps[order], values[order], kinds=kinds, columns=columns)


# ---------------------------------------------------------------- masks


def masked(frame: LongFrame, mask: UserFrame) -> LongFrame:
    """Return a frame without the values that a mask names.

    Args:
        frame: The series.
        mask: A frame with ids and stamps. If it has a column `anomaly`, only rows where it is true
            count; if it has a column `target`, only that target is left out. Rows of other series
            and stamps are ignored.

    Raises:
        DataError: The mask is invalid, or none of its rows is in the frame.
    """
    ids = frame.source.ids
    columns = frame.schema.columns
    table, stamps, wanted_owner = _read_related(mask, columns, ids, frame.stamps, "mask")
    owner = frame.source.owner
    places = find_rows(owner, frame.stamps, wanted_owner, stamps)

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
        expected = f"one of {', '.join(map(repr, targets))}"
        column.reject(~named.any(axis=1), lambda row: (expected, repr(names[row])), "Correct it.")
        left_out &= named
    return left_out


def _marks(column: FrameColumn) -> Array:
    """Return which rows are marked, `[rows]`."""
    values, kind = read_covariate(column, gaps=False)
    if not kind.is_category:
        return np.asarray(values != 0)
    words = [word.lower() for word in kind.labels]
    if not set(words) <= {"true", "false"}:
        raise column.wrong_type(
            "true or false", polars="cast(pl.Boolean)", pandas=f'df["{column.name}"].astype(bool)'
        )
    return np.array([word == "true" for word in words])[values.astype(np.int64)]
