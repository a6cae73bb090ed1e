"""The future steps of a forecast and their known covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import LongFrame, Stamps, read_future
from seqcast.data.windows import Origins, WindowReader, forward_fill
from seqcast.errors import DataError, Option, Phrase
from seqcast.forecaster.series_state import SeriesState
from seqcast.specs import Columns

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FutureSteps:
    """The future steps of a forecast.

    Args:
        stamps: Their stamps, `H` of each series, series after series.
        reader: The window reader of the series.
        origins: Where the forecasts begin, with the features of the known future.
        exist: Which of them are steps, `[N, H]`; irregular series may have fewer than others.
    """

    stamps: Stamps
    reader: WindowReader
    origins: Origins
    exist: Array

    @property
    def of_targets(self) -> Array:
        """Which of them are steps of each target, `[N, H, D]`."""
        return np.broadcast_to(self.exist[:, :, None], (*self.exist.shape, self.reader.scaler.loc.shape[1]))


def future_steps(
    series: SeriesState, frame: LongFrame, future: Any, horizon: int | None, *, default: int
) -> FutureSteps:
    """Return the steps after the last row of each series, with the features of the known future.

    Args:
        series: The fitted series.
        frame: The series to forecast, categories numbered as at fit.
        future: The user's frame of future steps, or `None`.
        horizon: Number of steps; `None` takes the default, with irregular stamps all that the frame has.
        default: The trained horizon.

    Raises:
        DataError: The frame is missing, is not needed, does not cover the horizon, or is wrong in itself; or a context
            is too short, and may not be.
    """
    builder, columns, ids = series.builder, frame.schema.columns, frame.source.ids
    names = builder.future.names
    needed = bool(names) or series.frequency is None
    check_future_given(future, columns, names, needed=needed)
    rows = read_future(future, columns, names, ids, frame.stamps, gaps=series.fill) if needed else None
    steps = default if horizon is None else horizon
    if series.frequency is None:
        assert rows is not None
        stamps, values, exist = rows.after(frame.last_stamps, horizon)
    else:
        stamps = series.frequency.following(frame.last_stamps, steps)
        values = np.zeros((len(ids), steps, 0)) if rows is None else rows.at(stamps)
        exist = np.ones((len(ids), steps), dtype=bool)
    values = values if rows is None else builder.future.align(values, rows.kinds, "future")
    features = builder.future_features(values, stamps, frame.last_stamps)
    origins = Origins.at_ends(frame, exist.shape[1], features)
    reader = series.reader(frame, origins)
    return FutureSteps(stamps, reader, _filled(reader, origins), exist)


def _filled(reader: WindowReader, origins: Origins) -> Origins:
    """Return the origins with gaps of the known future forward filled, from the past where needed."""
    if not reader.future:
        return replace(origins, future=None)
    assert origins.future is not None
    before = reader.last_future(origins.series, origins.stops)[:, None]
    return replace(origins, future=forward_fill(np.concatenate([before, origins.future], axis=1))[:, 1:])


def check_future_given(future: Any, columns: Columns, names: Sequence[str], *, needed: bool) -> None:
    """Refuse a frame of the future that is missing, or that nothing reads.

    Args:
        future: The frame, or `None`.
        columns: Names of the columns of the series.
        names: The future covariates.
        needed: Whether it is needed, for these or for stamps that keep to no step.

    Raises:
        DataError: It is missing, or not needed.
    """
    if (future is not None) == needed:
        return
    if not needed:
        raise DataError(
            "future",
            expected="None: there are no future covariates",
            received="a frame",
            hint=Phrase("Leave it out, or fit with ", Option("future_covariates"), "."),
        )
    required_columns = ", ".join(map(repr, (columns.ds, *names)))
    raise DataError(
        "future",
        expected=f"a frame of the steps ahead, with {required_columns}, and {columns.unique_id!r} of several series",
        received="None",
        hint="Give what is known of each step of the horizon, or the stamps to forecast.",
    )
