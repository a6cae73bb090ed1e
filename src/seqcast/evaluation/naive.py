"""The naive error of the training rows, which scaled metrics take their unit from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.errors import DataError
from seqcast.evaluation.backtest import Backtest
from seqcast.evaluation.frame_view import CUTOFF, TARGET, FrameRows

__all__ = ["naive_error", "usual_season"]

Array = npt.NDArray[Any]


def usual_season(backtest: Backtest, train_df: Any) -> int:
    """Return the steps of the usual season of the training rows' frequency, read from the longest series.

    Raises:
        DataError: No frequency is to be seen.
    """
    from pandas import Index

    from seqcast.data.frames.frequency import infer

    rows = FrameRows("train_df", train_df, backtest.rows.given)
    codes = rows.groups(*rows.series).codes
    stamps = np.unique(rows.times(rows.columns.ds, local=True)[codes == np.argmax(np.bincount(codes))])
    try:
        return infer(Index(stamps), "train_df").season_length
    except DataError as error:
        raise DataError(
            "train_df",
            expected="stamps from which the frequency, and so the season, can be read",
            received=error.received,
            hint="Give season_length.",
        ) from error


def naive_error(backtest: Backtest, train_df: Any, season_length: int, power: int) -> Array:
    """Return by how much the seasonal naive forecast was off in training, for each row of a backtest.

    `(mean over t ≤ cutoff of |y_t − y_{t−m}|^p)^(1/p)`. It is NaN where the training rows of a series are constant
    or shorter than a season.

    Args:
        backtest: The backtest.
        train_df: Training rows of its series; only those up to a row's cutoff are looked at.
        season_length: Steps of a season, `m`.
        power: `p`, 1 or 2.

    Returns:
        The unit of each row, `[rows]`.

    Raises:
        DataError: A series has no training rows.

    Example:
        >>> import pandas as pd
        >>> past = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 3, 4], "y": [0.0, 1.0, 4.0, 99.0]})
        >>> df = pd.DataFrame({"unique_id": "a", "ds": [4], "cutoff": 3, "y": 99.0, "model": 5.0})
        >>> naive_error(Backtest(df), past, season_length=1, power=1)
        array([2.])
    """
    rows, train = backtest.rows, FrameRows("train_df", train_df, backtest.rows.given)
    train.need(train.columns.value, *((TARGET,) if rows.has(TARGET) else ()))
    own = train.groups(*train.series)
    times = train.times(train.columns.ds)
    order = np.lexsort((times, own.codes))
    codes, times, values = own.codes[order], times[order], train.numbers(train.columns.value)[order]
    sums, counts = _running(values, codes, season_length, power)
    edges = np.searchsorted(codes, np.arange(len(own) + 1))

    places = {name: place for place, name in enumerate(train.names[own.first])}
    windows = rows.groups(*rows.window)
    cutoffs = rows.times(CUTOFF) if rows.has(CUTOFF) else None
    units = np.full(len(windows), np.nan)
    for window, row in enumerate(windows.first):
        place = places.get(rows.names[row])
        if place is None:
            name = repr(rows.names[row])
            raise DataError("train_df", expected=f"rows of each series, such as {name}", received="none", hint=_WHICH)
        start, stop = edges[place], edges[place + 1]
        if cutoffs is not None:
            stop = start + np.searchsorted(times[start:stop], cutoffs[row], side="right")
        if stop > start and sums[stop - 1] > 0:
            units[window] = (sums[stop - 1] / counts[stop - 1]) ** (1 / power)
    return np.asarray(units[windows.codes])


_WHICH = "Give the whole frame when df has a cutoff column, otherwise the rows before the forecast."


def _running(values: Array, codes: Array, season_length: int, power: int) -> tuple[Array, Array]:
    """Return sums and counts of the errors of a series' rows so far, `[rows]` each; rows sorted by series."""
    from pandas import Series

    later, earlier = np.arange(season_length, len(values)), np.arange(max(0, len(values) - season_length))
    same = codes[later] == codes[earlier]
    errors = np.full(len(values), np.nan)
    errors[later[same]] = np.abs(values[later[same]] - values[earlier[same]]) ** power
    known = ~np.isnan(errors)
    # Series by series, so that a tiny one is not lost in the sum of a huge one before it.
    sums, counts = (Series(each).groupby(codes).cumsum().to_numpy() for each in (np.where(known, errors, 0.0), known))
    return sums, counts
