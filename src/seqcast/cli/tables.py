"""The files that a fitted model forecasts from, read as frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqcast.forecaster.estimator import Forecaster

__all__ = ["read_model_tables"]


def read_model_tables(
    model: Forecaster, data: Path | None, future: Path | None, *, sort: bool = False
) -> tuple[Any, Any]:
    """Read the rows and the known future that a fitted model forecasts from.

    Args:
        model: The model, whose columns the files have.
        data: File of rows, if there is one.
        future: File of the steps to forecast and what is known of them, if there is one.
        sort: Whether to sort the rows first.

    Returns:
        Both as frames; `None` where there is no file.
    """
    from seqcast.data.frames.io import read_table

    columns = model.series_state_.schema.columns
    # Newer rows of the only series go on with it, whatever their file is called.
    ids = model.series_state_.ids
    options: dict[str, Any] = {"series": ids[0] if len(ids) == 1 else None, "whole_ids": isinstance(ids[0], int)}
    frame = None if data is None else read_table(data, columns, sort=sort, **options)
    return frame, None if future is None else read_table(future, columns, value=False, **options)
