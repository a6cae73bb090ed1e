"""How a forecaster reads the frames that it is given."""

from __future__ import annotations

from typing import Any

from seqcast.data.frames import AnyFrame, LongFrame, ShardedFrame, read_frame
from seqcast.errors import SpecError
from seqcast.forecaster.options import RowOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.runtime import warn_user


def read_rows(
    rows: RowOptions,
    df: Any,
    before: LongFrame | SeriesState | None = None,
    *,
    static_optional: bool = True,
    argument: str = "df",
) -> LongFrame:
    """Read and check a frame; rows that follow others share their clock and may leave static covariates out.

    Args:
        rows: How frames are read.
        df: The frame.
        before: The rows that they follow, or the fitted series.
        static_optional: Whether rows that follow may leave static covariates out.
        argument: The argument that the frame came in by.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` does not fit the stamps.
    """
    frame = read_frame(
        df,
        rows.columns if before is None else before.schema.columns,
        freq=rows.freq if before is None or before.frequency is None else before.frequency.name,
        covariates=rows.covariates,
        missing=rows.missing,
        irregular=rows.irregular,
        static_optional=static_optional and before is not None,
        zone=None if before is None else before.schema.zone,
        argument=argument,
        on_bad_series=rows.on_bad_series,
        series_name=before.ids[0] if isinstance(before, SeriesState) and len(before.ids) == 1 else None,
    )
    if isinstance(before, SeriesState) and rows.skips:
        frame = before.without_empty(frame)
    if before is not None and frame.skipped:
        warn_user(f"{argument}: skipped {len(frame.skipped)} series; the first: {next(iter(frame.skipped.values()))}")
    return frame


def in_memory(frame: AnyFrame, option: str) -> LongFrame:
    """Return a frame that is in memory.

    Args:
        frame: The rows of a fit.
        option: What needs it.

    Raises:
        SpecError: The rows are in files.
    """
    if isinstance(frame, ShardedFrame):
        raise SpecError(
            option,
            expected="None or a number where df is read piece by piece" if option == "validation" else "None there",
            received="a frame",
            hint="Leave it out, or give df as a frame.",
        )
    return frame
