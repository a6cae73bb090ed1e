"""The user's frame of the future: the steps to forecast and their known covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.columns import ColumnType, first, read_covariate
from seqcast.data.frames.forms import form_of, to_long
from seqcast.data.frames.lookup import check_same_types, find_rows, ticks
from seqcast.data.frames.stamps import Stamps, in_zone_of
from seqcast.data.frames.table import open_frame, read_keys
from seqcast.errors import DataError
from seqcast.specs import Columns

Array = npt.NDArray[Any]

SHOWN = 3  # stamps that a message lists


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
        places = find_rows(self.owner, self.stamps, np.repeat(np.arange(count), horizon), stamps)
        if (places < 0).any():
            raise self._missing_steps(stamps, places < 0, horizon)
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
    check_same_types(table, ids, like, columns)
    stamps = in_zone_of(table.stamps, like)
    read_columns = [read_covariate(table.column(name), gaps=gaps) for name in names]
    values = np.column_stack([values for values, _ in read_columns]) if read_columns else np.zeros((len(table.ids), 0))
    owner = pd.Index(ids).get_indexer(pd.Index(table.ids))
    (moments,) = ticks(stamps)
    order = np.lexsort((moments, owner))
    order = order[owner[order] >= 0]
    twice = (np.diff(owner[order]) == 0) & (np.diff(moments[order]) == 0)
    if twice.any():
        row = int(order[1:][first(twice)])
        raise table.column(columns.ds).error(
            row=row,
            expected="each stamp of a series once",
            received=f"the duplicate {stamps[row]}",
            hint="Drop one of the rows.",
        )
    kinds = tuple(kind for _, kind in read_columns)
    return FutureRows(ids, owner[order], stamps[order], values[order], kinds=kinds, columns=columns)
