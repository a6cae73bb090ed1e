"""Forecasts of a frame's own past from several cutoffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.windows.origins import Origins
from seqcast.forecaster.state import FittedState
from seqcast.intervals.request import ForecastRequest

__all__ = ["backtest_table"]

Array = npt.NDArray[Any]


def backtest_table(
    frame: LongFrame,
    known: Array,
    origins: Origins,
    states: Sequence[FittedState],
    *,
    every: int,
    request: ForecastRequest,
    combine: str,
    alias: str,
) -> Any:
    """Forecast from cutoffs and lay the truth beside the forecasts, and naive ones beside them.

    Args:
        frame: The series.
        known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
        origins: The origins at these cutoffs, cutoff after cutoff.
        states: What forecasts from the first `every` cutoffs, from the next, and so on.
        every: Number of cutoffs that each state forecasts from.
        request: What is asked of the forecasts.
        combine: How forecasts of several networks become one.
        alias: Name of the forecast's column.

    Returns:
        A frame as `Forecaster.backtest` returns it.
    """
    made = []
    for place, state in enumerate(states):
        first = place * every
        mine = (origins.cutoff >= first) & (origins.cutoff < first + every)
        if not mine.any():
            continue
        checked, own = state.series.checked(frame), origins.take(mine)
        own = state.series.scaled_at_cutoffs(checked, known, own)
        made.append(state.predictor(combine).forecast(state.series.reader(checked, own), own, request))
    forecasts = request.parts(np.concatenate(made), alias)
    for name, season in (("seasonal_naive", states[0].season_length), ("last_value", 1)):
        forecasts[name] = origins.naive(frame, season)
    return origins.table(frame, forecasts)
