"""How a forecaster reads the frames that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.table import read_frame
from seqcast.forecaster.series_state import SeriesState
from seqcast.runtime.caution import warn_user
from seqcast.specs.columns import Covariates

__all__ = ["read_rows"]


def read_rows(
    options: Mapping[str, Any],
    df: Any,
    before: LongFrame | SeriesState | None = None,
    *,
    static_optional: bool = True,
    argument: str = "df",
) -> LongFrame:
    """Read and check a frame; rows that follow others share their clock and may leave static covariates out.

    Args:
        options: Options of the forecaster, by name.
        df: The frame.
        before: The rows that they follow, or the fitted series.
        static_optional: Whether rows that follow may leave static covariates out.
        argument: The argument that the frame came in by.

    Raises:
        DataError: Something in the frame is wrong.
        SpecError: `freq` does not fit the stamps.
    """
    freq = options["freq"] if before is None or before.frequency is None else before.frequency.name
    skip = options["on_bad_series"] == "skip"
    frame = read_frame(
        df,
        options["columns"] if before is None else before.schema.columns,
        freq=freq,
        covariates=Covariates(*(options[f"{role}_covariates"] for role in ("static", "past", "future"))),
        missing=options["missing"],
        irregular=options["irregular"],
        static_optional=static_optional and before is not None,
        zone=None if before is None else before.schema.zone,
        argument=argument,
        on_bad_series=options["on_bad_series"],
        series_name=before.ids[0] if isinstance(before, SeriesState) and len(before.ids) == 1 else None,
    )
    if isinstance(before, SeriesState) and skip:
        frame = before.without_empty(frame)
    if before is not None and frame.skipped:
        warn_user(f"{argument}: skipped {len(frame.skipped)} series; the first: {next(iter(frame.skipped.values()))}")
    return frame
