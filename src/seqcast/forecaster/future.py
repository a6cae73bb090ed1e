"""Which steps are forecast, and what is known of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.frequency import Stamps
from seqcast.data.frames.future import read_future
from seqcast.data.frames.long_frame import LongFrame
from seqcast.errors import DataError, Option, Phrase
from seqcast.forecaster.series_state import SeriesState
from seqcast.specs.columns import Columns

__all__ = ["future_steps"]

Array = npt.NDArray[Any]


def future_steps(
    memory: SeriesState, frame: LongFrame, future: Any, horizon: int | None, *, default: int
) -> tuple[Stamps, Array, Array]:
    """Say which steps are to be forecast, and what is known of them.

    Args:
        memory: What the forecaster remembers.
        frame: The series to forecast, categories numbered as at fit.
        future: The user's frame of steps ahead, or `None`.
        horizon: Number of steps; `None` takes the default, with irregular stamps all that the frame has.
        default: The trained horizon.

    Returns:
        The stamps, `H` of each series, series after series; the features known ahead, `[N, H, F']`, NaN where they are
        missing; and which of them are steps, `[N, H]`.

    Raises:
        DataError: The frame is missing, is not wanted, does not cover the horizon, or is wrong in itself.
    """
    builder, columns, ids = memory.builder, frame.schema.columns, frame.source.ids
    names = builder.future.names
    wanted = bool(names) or memory.frequency is None
    if (future is not None) != wanted:
        raise _unexpected(wanted, columns, names)
    rows = read_future(future, columns, names, ids, frame.stamps, gaps=memory.fill) if wanted else None
    steps = default if horizon is None else horizon
    if memory.frequency is None:
        assert rows is not None
        stamps, values, kept = rows.after(frame.last_stamps, horizon)
    else:
        stamps = frame.schema.future_stamps(memory.frequency, frame.last_stamps, steps)
        values = np.zeros((len(ids), steps, 0)) if rows is None else rows.at(stamps)
        kept = np.ones((len(ids), steps), dtype=bool)
    values = values if rows is None else builder.future.align(values, rows.kinds, "future")
    return stamps, builder.future_features(values, stamps, frame.last_stamps), kept


def _unexpected(wanted: bool, columns: Columns, names: tuple[str, ...]) -> DataError:
    if not wanted:
        return DataError(
            "future",
            expected="None: there are no future covariates",
            received="a frame",
            hint=Phrase("Leave it out, or fit with ", Option("future_covariates"), "."),
        )
    wanted_columns = ", ".join(map(repr, (columns.unique_id, columns.ds, *names)))
    return DataError(
        "future",
        expected=f"a frame of the steps ahead, with {wanted_columns}",
        received="None",
        hint="Give what is known of each step of the horizon, or the stamps to forecast.",
    )
