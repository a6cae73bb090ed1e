"""The report of a fitted forecaster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from seqcast.data.frames.long_frame import LongFrame
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.summary import facts
from seqcast.intervals.request import ForecastRequest
from seqcast.specs.columns import Columns

__all__ = ["write_report"]


def write_report(
    path: str | os.PathLike[str],
    state: FittedState,
    frame: LongFrame,
    *,
    options: Mapping[str, Any],
    request: ForecastRequest,
    title: str,
    **parts: Any,
) -> None:
    """Write the report of a fit.

    Args:
        path: Where to; the page appears whole or not at all.
        state: The fitted state.
        frame: The series.
        options: Options of the forecaster, by name.
        request: Point and intervals of its forecasts.
        title: Title of the page; a usual one if empty.
        **parts: Further arguments of `seqcast.report.report`: forecast, backtest, importance and how they are shown.
    """
    from seqcast.report import report

    columns = frame.schema.columns
    report(
        path,
        title=title or "Forecast report",
        history=frame.table(),
        model=options["alias"],
        metadata=facts(state, dict(options), request),
        learning=state.histories[0].epochs or None,
        season_length=state.season_length,
        trained_horizon=int(options["horizon"]),
        columns=Columns(columns.unique_id, columns.ds, columns.value),
        **parts,
    )
