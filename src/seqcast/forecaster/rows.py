"""The rows of a fit on their way to a plan: first as they came, then with starts, scaling and windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from seqcast.data.frames import AnyFrame
from seqcast.data.windows import WindowReader
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitRows:
    """The rows of a fit, before anything is learnt from them.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        season_length: Steps of a season.
        context_length: Steps of past of training windows; `None` where no candidate asks for a number.
    """

    frame: AnyFrame
    options: FitOptions
    season_length: int
    context_length: int | None = None

    @property
    def lengths(self) -> Array:
        """Rows of each series."""
        return self.frame.source.lengths


@dataclass(frozen=True, kw_only=True)
class PlannedRows(FitRows):
    """The rows of a fit, with what candidates train on.

    Args:
        series: Scaling and last rows of the series, and how rows become features.
        reader: The window reader of the rows, with the longest context that a forecast reads.
        starts: Position of each series' first validation target, its length where it has none.
    """

    series: SeriesState
    reader: WindowReader
    starts: Array
