"""Where time is cut: context and forecast, training and validation, known and unknown at a cutoff.

All positions are numbers of rows from a series' start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.config import check_whole
from seqcast.data.frame import LongFrame
from seqcast.data.source import SeriesSource
from seqcast.data.windows import SeriesWindows
from seqcast.errors import DataError

__all__ = [
    "check_lengths",
    "context_rule",
    "cutoffs",
    "middle_length",
    "repeat_season",
    "training_windows",
    "validation_starts",
]

Array = npt.NDArray[Any]

# Steps of two weeks that are still read by default; what they are worth is in docs/accuracy.md.
MOST_STEPS_READ = 700
# More windows than these tell no more about which epoch is best, and would cost more than the training.
MOST_VALIDATION_WINDOWS = 20_000


def context_rule(rows: int, horizon: int, season_length: int, *, weeks: bool = False) -> int:
    """Choose how many steps of past a forecast reads, when the user does not.

    It is two seasons, two horizons or 24 steps, whichever is most; where a season is a day and a network reads a long
    past quickly, two weeks if they are at most 700 steps, since weekdays differ. It is at most half of what a series of
    so many rows has beside one horizon, so that it gives several windows.

    Args:
        rows: Rows of the shortest series; where shorter ones are padded, of the series that the middle row is in.
        horizon: Steps to forecast.
        season_length: Steps of a season.
        weeks: Whether to read two weeks of days.

    Returns:
        The context length, at least 1.

    Example:
        >>> context_rule(rows=1000, horizon=12, season_length=12), context_rule(30, 6, 12)
        (24, 12)
        >>> context_rule(1000, 12, 24, weeks=True), context_rule(9000, 12, 96, weeks=True)
        (336, 700)
    """
    wanted = max(2 * season_length, 2 * horizon, 24)
    if weeks:
        wanted = max(wanted, min(14 * season_length, MOST_STEPS_READ))
    return max(1, min(wanted, (rows - horizon) // 2))


def middle_length(lengths: Array) -> int:
    """Return the length that half of all rows are in series of, or of longer ones.

    Example:
        >>> middle_length(np.array([2, 2, 2, 50]))
        50
    """
    ranked = np.sort(lengths)
    return int(ranked[np.searchsorted(np.cumsum(ranked), lengths.sum() / 2)])


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
            f"df (series {frame.source.ids[short[0]]!r})",
            expected=f"at least {context_length} + {horizon} rows, context_length and horizon",
            received=f"{frame.source.lengths[short[0]]} rows up to {frame.last_stamps[short[0]]}{more}",
            mend="Drop short series, choose a smaller context_length or horizon, or take missing='fill'.",
        )


def training_windows(
    source: SeriesSource,
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
        >>> source = SeriesSource.of({"a": np.arange(20.0)})
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


def cutoffs(length: int, horizon: int, n_windows: int = 1, step_size: int | None = None) -> Array:
    """Place the cutoffs of a rolling-origin evaluation; the last forecast ends with the series.

    Args:
        length: Rows of the series.
        horizon: Steps of each forecast.
        n_windows: Number of cutoffs.
        step_size: Steps from one cutoff to the next; `None` is the horizon, so that forecasts do not overlap.

    Returns:
        Number of rows known at each cutoff, increasing, `[n_windows]`.

    Raises:
        DataError: The first cutoff would come before the first row.

    Source: Tashman 2000, Out-of-sample tests of forecasting accuracy.

    Example:
        >>> cutoffs(100, horizon=10, n_windows=3)
        array([70, 80, 90])
    """
    n_windows = check_whole("n_windows", n_windows)
    step = horizon if step_size is None else check_whole("step_size", step_size)
    known = length - horizon - step * np.arange(n_windows)[::-1]
    if known[0] < 1:
        raise DataError(
            "n_windows",
            expected=f"cutoffs inside the longest series, which has {length} rows",
            received=f"{n_windows} windows of {horizon} steps, {step} apart",
            mend="Choose fewer windows, a smaller step_size or a shorter horizon.",
        )
    return known


def repeat_season(values: Array, starts: Array, stops: Array, *, season_length: int, horizon: int) -> Array:
    """Forecast by repeating each series' last season; one of length 1 repeats the last value.

    Args:
        values: Series laid end to end, `[rows]` or `[rows, D]`.
        starts: Place of the series' first value in `values`, `[N]`.
        stops: Number of values known, `[N]`; where they are fewer than a season, the last value is repeated.
        season_length: Steps of a season.
        horizon: Steps to forecast, `H`.

    Returns:
        The forecast, `[N, H]` or `[N, H, D]`.

    Example:
        >>> repeat_season(np.arange(6.0), np.array([0]), np.array([6]), season_length=4, horizon=5)
        array([[2., 3., 4., 5., 2.]])
    """
    season = np.where(stops >= season_length, season_length, 1)[:, None]
    repeated: Array = values[(starts + stops)[:, None] - season + np.arange(horizon) % season]
    return repeated
