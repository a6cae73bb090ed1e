"""Where time is cut into training and validation.

All positions are numbers of rows from a series' start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.reader import SeriesWindows
from seqcast.errors import DataError, Option, Phrase

__all__ = ["check_lengths", "training_windows", "validation_starts"]

Array = npt.NDArray[Any]


# More windows than these tell no more about which epoch is best, and would cost more than the training.
MOST_VALIDATION_WINDOWS = 20_000


def validation_starts(lengths: Array, *, context_length: int, horizon: int, fraction: float) -> Array:
    """Divide each series in time: training targets end where validation targets start.

    The validation tail has `max(horizon, fraction · length)` rows. A series that would be left without a
    training window keeps all of its rows for training.

    Args:
        lengths: Rows of each series.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.
        fraction: Share of each series for validation; 0 is none.

    Returns:
        For each series the position of its first validation target; its length where it has none.

    Example:
        >>> validation_starts(np.array([100, 20]), context_length=10, horizon=6, fraction=0.1)
        array([90, 20])
    """
    if fraction == 0:
        return lengths.copy()
    starts = lengths - np.maximum(horizon, np.round(fraction * lengths)).astype(lengths.dtype)
    return np.where(starts >= context_length + horizon, starts, lengths)


def check_lengths(frame: LongFrame, *, context_length: int, horizon: int) -> None:
    """Refuse a frame with a series that gives no window of known steps only.

    Raises:
        DataError: A series has fewer rows than `context_length + horizon`.
    """
    short = np.flatnonzero(frame.source.lengths < context_length + horizon)
    if len(short):
        more = f" ({len(short)} such series)" if len(short) > 1 else ""
        raise DataError(
            option="df",
            series=frame.source.ids[short[0]],
            expected=f"at least {context_length} + {horizon} rows, context_length and horizon",
            received=f"{frame.source.lengths[short[0]]} rows up to {frame.last_stamps[short[0]]}{more}",
            hint=Phrase(
                "Drop short series, choose a smaller context_length or horizon, or take ",
                Option("missing", "fill"),
                ".",
            ),
        )


def training_windows(
    source: InMemoryStore,
    starts: Array,
    *,
    context_length: int,
    horizon: int,
    batch_size: int,
    layout: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[SeriesWindows, SeriesWindows | None]:
    """Cut the windows to train and to validate on.

    Args:
        source: The series, scaled.
        starts: Position of each series' first validation target, its length where it has none.
        context_length: Steps of past, `T`.
        horizon: Steps of future, `H`.
        batch_size: Largest number of windows a training step.
        layout: What the columns of the series are, and what goes with them: options of all windows.
        **options: Further options of the training windows.

    Returns:
        Both; no validation windows where no series has any. The last windows of each series' tail are taken when
        there are more than 20,000.

    Example:
        >>> source = InMemoryStore.of({"a": np.arange(20.0)})
        >>> train, valid = training_windows(
        ...     source, np.array([15]), context_length=3, horizon=2, batch_size=8, seed=0
        ... )
        >>> train.count, valid.count
        (11, 4)
    """
    sizes: dict[str, Any] = {"context_length": context_length, "horizon": horizon, **(layout or {})}
    train = SeriesWindows(source, stops=starts, **sizes, batch_size=batch_size, **options)
    divided = starts < source.lengths
    each = max(1, MOST_VALIDATION_WINDOWS // max(1, int(divided.sum())))
    first = np.where(divided, np.maximum(starts, source.lengths - horizon - each + 1), starts)
    validation = SeriesWindows(source, **sizes, first_target=first, batch_size=max(batch_size, 1024))
    return train, validation if validation.count else None
