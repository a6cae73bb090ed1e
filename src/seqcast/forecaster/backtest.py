"""Forecasts of a frame's own past from several cutoffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.sharded import AnyFrame
from seqcast.data.windows.origins import Origins
from seqcast.forecaster.state import FittedState
from seqcast.intervals.request import ForecastRequest

__all__ = ["backtest_table", "part_table"]

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
    """Forecast from cutoffs and return the forecasts beside the truth and naive forecasts.

    Args:
        frame: The series.
        known: Number of known rows of each series at each cutoff, `[n_windows, N]`.
        origins: The origins at these cutoffs, cutoff after cutoff.
        states: The fitted state for the first `every` cutoffs, for the next, and so on.
        every: Number of cutoffs that each state forecasts from.
        request: Point and intervals of the forecasts.
        combine: How forecasts of several networks become one.
        alias: Name of the forecast's column.

    Returns:
        A frame as `Forecaster.backtest` returns it; `None` where there are no origins.
    """
    by_state = []
    if not len(origins):
        return None
    for place, state in enumerate(states):
        first = place * every
        chosen = (origins.cutoff >= first) & (origins.cutoff < first + every)
        if not chosen.any():
            continue
        checked, state_origins = state.series.checked(frame), origins.take(chosen)
        state_origins = state.series.scaled_at_cutoffs(checked, known, state_origins)
        by_state.append(
            state.predictor(combine).forecast(state.series.reader(checked, state_origins), state_origins, request)
        )
    forecasts = request.parts(np.concatenate(by_state), alias)
    for name, season in (("seasonal_naive", states[0].season_length), ("last_value", 1)):
        forecasts[name] = origins.naive(frame, season)
    return origins.table(frame, forecasts)


def part_table(
    frame: AnyFrame, known: Array, origins: Sequence[Origins], states: Sequence[FittedState], how: Any, number: int
) -> Any:
    """Return the table of the series in one part of a frame; `None` where there are no origins.

    Args:
        frame: All series.
        known: As for `backtest_table`.
        origins: The origins in each part.
        states: As for `backtest_table`.
        how: Further arguments of `backtest_table`.
        number: Number of the part.
    """
    series, part = frame.part(number)
    return backtest_table(part, known[:, series], origins[number], states, **how)
