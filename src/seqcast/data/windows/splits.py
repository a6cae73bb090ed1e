"""Splits of time into training and validation.

All positions are numbers of rows from a series' start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames import AnyFrame
from seqcast.data.windows.order import Windows
from seqcast.data.windows.reader import SeriesWindows, WindowReader
from seqcast.errors import DataError, Option, Phrase

Array = npt.NDArray[Any]


# More validation windows hardly change which epoch is best, and would cost more than the training.
MOST_VALIDATION_WINDOWS = 20_000


def validation_starts(lengths: Array, *, context_length: int, horizon: int, fraction: float) -> Array:
    """Return where each series is split in time: training targets end where validation targets start.

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


def check_lengths(frame: AnyFrame, *, context_length: int, horizon: int) -> None:
    """Refuse a frame with a series that gives no window of known steps only.

    Raises:
        DataError: A series has fewer rows than `context_length + horizon`.
    """
    short = np.flatnonzero(frame.source.lengths < context_length + horizon).tolist()
    more = f" ({len(short)} such series)" if len(short) > 1 else ""

    def at(series: int) -> DataError:
        return DataError(
            option="df",
            series=frame.source.ids[series],
            expected=f"at least {context_length} + {horizon} rows, context_length and horizon",
            received=f"{frame.source.lengths[series]} rows up to {frame.last_stamps[series]}{more}",
            hint=Phrase(
                "Drop short series, choose a smaller context_length or horizon, or take ",
                Option("missing", "fill"),
                ".",
            ),
        )

    if short:
        raise DataError.first_of(short, [frame.source.ids[series] for series in short], at)


def training_windows(
    reader: WindowReader,
    starts: Array,
    horizon: int,
    *,
    batch_size: int,
    weighting: str = "windows",
    most_validation: int = MOST_VALIDATION_WINDOWS,
    windows: Callable[..., Windows] = SeriesWindows,
    share: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[Windows, Windows | None]:
    """Return the windows to train and to validate on.

    Args:
        reader: The window reader.
        starts: Position of each series' first validation target, its length where it has none.
        horizon: Steps of future, `H`.
        batch_size: Largest number of windows a training step.
        weighting: As for `SeriesWindows`.
        most_validation: Most windows to validate on.
        windows: The kind of windows.
        share: Which rows of each batch are read, as options of `BatchOrder`; `None` is all of them.
        **options: Further options of the training windows.

    Returns:
        Both; no validation windows where no series has any. The last windows of each series' tail are taken when
        there are more than `most_validation`, and of more series than that only those of one in so many.
    """
    share = share or {}
    train = windows(reader, horizon, stops=starts, weighting=weighting, batch_size=batch_size, **share, **options)
    divided = starts < reader.lengths
    count = int(divided.sum())
    each = max(1, most_validation // max(1, count))
    first = np.where(divided, np.maximum(starts, reader.lengths - horizon - each + 1), starts)
    if count > most_validation:
        left_out = np.delete(np.flatnonzero(divided), slice(None, None, -(-count // most_validation)))
        first[left_out] = reader.lengths[left_out]
    batch_size = max(batch_size, 1024)
    validation = windows(reader, horizon, weighting=weighting, first_target=first, batch_size=batch_size, **share)
    return train, validation if validation.count else None
