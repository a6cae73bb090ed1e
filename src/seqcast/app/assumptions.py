"""Assumptions about the future: what the columns that are known in advance will hold, where a table does not say."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast.app.table import VisitorFrame


def assumed_ahead(frame: VisitorFrame, horizon: int) -> Any:
    """Return a row for each step ahead: what the table says of it, and else what was a season before.

    Args:
        frame: The series.
        horizon: Number of steps, `H`.

    Returns:
        A pandas frame with the columns that are known in advance; `None` where there are none.
    """
    import pandas as pd

    names, columns = frame.roles.names("future"), frame.columns
    frequency = frame.facts.frame.frequency
    if not names or frequency is None:
        return None
    season = max(1, frame.facts.season_length)
    parts = []
    for name, rows in frame.df.groupby(columns.unique_id, sort=False):
        rows = rows.sort_values(columns.ds)
        stamps = frequency.following(pd.Index(rows[columns.ds].iloc[-1:]), horizon)
        # Where a series is shorter than a season, its last value goes on.
        back = min(season, len(rows))
        places = len(rows) - back + np.arange(horizon) % back
        part = rows[list(names)].ffill().iloc[places].reset_index(drop=True)
        part.insert(0, columns.ds, stamps)
        part.insert(0, columns.unique_id, name)
        parts.append(part)
    assumed = pd.concat(parts, ignore_index=True)
    if frame.ahead is None:
        return assumed
    keys = [columns.unique_id, columns.ds]
    known = frame.ahead.drop_duplicates(keys).set_index(keys)[list(names)]
    return known.reindex(assumed.set_index(keys).index).combine_first(assumed.set_index(keys)).reset_index()


def changed_ahead(ahead: Any, frame: VisitorFrame, series: str, *, step: int, column: str, value: Any) -> Any:
    """Return the steps ahead with one value changed.

    Args:
        ahead: The steps ahead.
        frame: The series.
        series: Name of the series.
        step: Which of its steps, from 0.
        column: The column.
        value: The new value.
    """
    changed = ahead.copy()
    rows = np.flatnonzero((changed[frame.columns.unique_id].astype(str) == series).to_numpy())
    changed.iloc[rows[step], changed.columns.get_loc(column)] = value
    return changed
