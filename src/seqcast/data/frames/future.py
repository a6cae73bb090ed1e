"""The user's frame of the future: the steps to forecast and their known covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType, first, read_covariate
from seqcast.data.frames.forms import form_of, to_long
from seqcast.data.frames.stamps import Stamps, in_zone_of, stamp_kind
from seqcast.data.frames.table import KeyedFrame, open_frame, read_keys
from seqcast.errors import DataError, Phrase
from seqcast.specs.columns import Columns

__all__ = ["FutureRows", "read_future"]

Array = npt.NDArray[Any]

SHOWN = 3  # stamps that a message lists
_UNITS = ("s", "ms", "us", "ns")


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

    def at(self, stamps: Stamps) -> Array:
        """Return the covariates at some stamps, `[series, H, columns]`.

        Args:
            stamps: `H` stamps of each series, series after series.

        Raises:
            DataError: Some are not in the frame.
        """
        count = len(self.ids)
        horizon = len(stamps) // count
        frame_ticks, ticks = _ticks(self.stamps, stamps)
        moments = np.unique(np.concatenate([frame_ticks, ticks]))
        size = len(moments)
        keys = self.owner * size + np.searchsorted(moments, frame_ticks)
        wanted_keys = np.repeat(np.arange(count), horizon) * size + np.searchsorted(moments, ticks)
        places = np.searchsorted(keys, wanted_keys)
        present = (
            keys[np.minimum(places, len(keys) - 1)] == wanted_keys
            if len(keys)
            else np.zeros(len(wanted_keys), dtype=bool)
        )
        if not present.all():
            raise self._missing_steps(stamps, ~present, horizon)
        return self.values[places].reshape(count, horizon, -1)

    def after(self, last_stamps: Stamps, horizon: int | None) -> tuple[Stamps, Array, Array]:
        """Return the irregular steps after the last stamp of each series.

        Args:
            last_stamps: The last known stamp of each series.
            horizon: Number of steps; `None` takes all that there are.

        Returns:
            The stamps, `H` of each series (a shorter one's last repeated), the covariates, `[series, H, columns]`, and
            which of them are steps, `[series, H]`.

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

    def _missing_steps(self, stamps: Stamps, missing: Array, horizon: int) -> DataError:
        """Build the error for steps of a horizon that are not in the frame."""
        by_series = missing.reshape(-1, horizon)
        series = first(np.asarray(by_series.any(axis=1)))
        lacking = np.flatnonzero(by_series[series]) + series * horizon
        listed = ", ".join(str(stamp) for stamp in stamps[lacking[:SHOWN]])
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        other_series = int(by_series.any(axis=1).sum()) - 1
        further = f"; {other_series} other series lack{'s' * (other_series == 1)} some too" if other_series else ""
        return DataError(
            option="future",
            series=self.ids[series],
            expected=f"a row for each of the {horizon} steps ahead",
            received=f"none for {listed}{more}{further}",
            hint=f"Add the rows, with {self.columns.unique_id}, {self.columns.ds} and the future covariates.",
        )


def read_future(
    future: Any, columns: Columns, names: tuple[str, ...], ids: tuple[Any, ...], like: Stamps, *, gaps: bool
) -> FutureRows:
    """Read a future frame.

    Args:
        future: A frame with ids, stamps and future covariates, in any order; rows of other series are ignored.
        columns: Names of its columns.
        names: Names of the future covariates.
        ids: Names of the series that are forecast, sorted.
        like: Stamps of the series, whose type is expected.
        gaps: Whether covariates may be missing.

    Raises:
        DataError: Something in the frame is wrong.
    """
    import pandas as pd

    covariates = [("future_covariates", name) for name in names]
    long = to_long(future, columns, form_of(future, columns), ids[0] if len(ids) == 1 else None)
    table = read_keys(open_frame(long, "future"), columns, covariates, "future")
    _check_same_types(table, ids, like, columns)
    stamps = in_zone_of(table.stamps, like)
    read_columns = [read_covariate(table.column(name), gaps=gaps) for name in names]
    values = np.column_stack([values for values, _ in read_columns]) if read_columns else np.zeros((len(table.ids), 0))
    owner = pd.Index(ids).get_indexer(pd.Index(table.ids))
    (ticks,) = _ticks(stamps)
    order = np.lexsort((ticks, owner))
    order = order[owner[order] >= 0]
    twice = (np.diff(owner[order]) == 0) & (np.diff(ticks[order]) == 0)
    if twice.any():
        row = int(order[1:][first(twice)])
        raise table.column(columns.ds).error(
            row=row,
            expected="each stamp of a series once",
            received=f"the duplicate {stamps[row]}",
            hint="Drop one of the rows.",
        )
    return FutureRows(ids, owner[order], stamps[order], values[order], tuple(kind for _, kind in read_columns), columns)


def _check_same_types(table: KeyedFrame, ids: tuple[Any, ...], like: Stamps, columns: Columns) -> None:
    """Refuse ids and stamps of other types than at fit."""
    is_integer = table.ids.dtype.kind in "iu"
    if is_integer != isinstance(ids[0], int):
        expected, received = ("text", "whole numbers") if is_integer else ("whole numbers", "text")
        raise table.column(columns.unique_id).error(
            expected=f"{expected}, as at fit", received=received, hint=Phrase("Convert it.", remedy="convert")
        )
    if stamp_kind(table.stamps) != stamp_kind(like):
        raise table.column(columns.ds).error(
            expected=f"stamps such as {like[0]}",
            received=f"stamps such as {table.stamps[0]}",
            hint="Convert the column.",
        )


def _ticks(*stamps: Stamps) -> list[Array]:
    """Return each index of stamps as whole numbers, in the finest of their units."""
    if stamps[0].dtype.kind in "iu":
        return [index.to_numpy().astype(np.int64) for index in stamps]
    unit = max((index.unit for index in stamps), key=_UNITS.index)
    return [np.asarray(index.as_unit(unit).asi8) for index in stamps]
