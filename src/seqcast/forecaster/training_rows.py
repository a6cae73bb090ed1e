"""The rows of a fit: validation rows, and what is learned from training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.data.arrays import outside_support
from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import AnyFrame, LongFrame, Stamps, masked, usual_season
from seqcast.data.series import LOGARITHMS, SeriesScaler
from seqcast.data.windows import Origins, WindowReader, counted_back
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.forecaster.defaults import auto_scale
from seqcast.forecaster.options import FitOptions, ReadOptions
from seqcast.forecaster.reading import frame_of, in_memory, read_rows
from seqcast.forecaster.series_state import FARTHEST, SeriesState
from seqcast.intervals import (
    SUPPORTS,
    VALUES_OF,
    observed_support,
    outside_support_of,
    windows_needed,
)
from seqcast.runtime import Array
from seqcast.specs import check_int

# Most windows on which candidates are compared, spread evenly over all.
MOST_COMPARED_WINDOWS = 2_000

# Most windows on which intervals are calibrated, spread likewise.
MOST_CALIBRATION_WINDOWS = 20_000


@dataclass(frozen=True)
class FitRows:
    """The rows of a fit, before anything is learned from them.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        season_length: Steps of a season.
        context_length: Context length of training windows; `None` where candidates take any.
    """

    frame: AnyFrame
    options: FitOptions
    season_length: int
    context_length: int | None = None

    @property
    def lengths(self) -> Array:
        """Rows of each series."""
        return self.frame.source.lengths

    @property
    def season_is_detected(self) -> bool:
        """Whether neither the user nor the frequency gives the season."""
        return self.options.season_length is None and self.season_length != usual_season(
            self.frame.frequency
        )


@dataclass(frozen=True, kw_only=True)
class PlannedRows(FitRows):
    """The rows of a fit, with the scaling and the windows that candidates train on.

    Args:
        series: Scaling and last rows of the series, and how rows become features.
        reader: The window reader of the rows, with the longest context that a forecast reads.
        starts: Position of each series' first validation target, its length where it has none.
    """

    series: SeriesState
    reader: WindowReader
    starts: Array


def learn_series(rows: FitRows, starts: Array, longest: int) -> tuple[SeriesState, AnyFrame]:
    """Learn features and scaling from training rows.

    Args:
        rows: The rows of the fit.
        starts: Number of training rows of each series.
        longest: Steps that a forecast reads.

    Returns:
        The state of the series, and the rows with numbered categories.

    Raises:
        DataError: There are negative values, which have no logarithm.
    """
    frame = rows.frame
    options = rows.options
    context = rows.context_length or longest
    builder = FeatureBuilder.learn(frame, starts, calendar=options.calendar, context_length=context)

    scale = options.scale
    if scale == "auto":
        scale = auto_scale(
            options.head, options.forecasting.point, frame, starts, rows.season_length
        )
    if scale in LOGARITHMS:
        frame.check(lambda shard: shard.check_positive(scale))

    aligned = frame.changed(builder.align) if builder.has_covariates else frame
    short = bool((starts < context + options.horizon).any())
    gaps = short or any(np.isnan(shard.source.values).any() for _, shard in aligned.in_shards())
    remembered = aligned.tail(longest)

    # Remembered rows are sorted by id; rows of files need not be.
    order = aligned.source.places(remembered.source.ids)
    series = SeriesState(
        frame=remembered,
        scaler=SeriesScaler.learn(aligned.target_store, starts, scale).take(order),
        builder=builder,
        scale=scale,
        context_length=longest,
        observed=options.reading.fill and gaps,
        fill=options.reading.fill,
        last_seen=aligned.latest_stamp,
        trained_until=_stamps_before(aligned, starts)[order],
        support=learn_support(frame, options.support, options.forecasting.point),
    )
    return series, aligned


def _stamps_before(frame: AnyFrame, starts: Array) -> Stamps:
    """Return the stamp of the last of the first `starts` rows of each series."""
    first, *others = (
        shard.stamps[shard.source.starts + starts[series] - 1]
        for series, shard in frame.in_shards()
    )
    return first.append(others) if others else first


def learn_support(frame: AnyFrame, support: str, point: str) -> tuple[str, ...]:
    """Return the support of each target.

    Args:
        frame: The series.
        support: One of `seqcast.intervals.quantiles.SUPPORTS`; of files, `auto` is that of the
            widest shard.
        point: The point forecast, `median` or `mean`.

    Raises:
        DataError: A value lies outside.
    """
    if support == "auto":
        by_shard = zip(
            *(observed_support(shard.targets, point) for _, shard in frame.in_shards()), strict=True
        )
        return tuple(min(supports, key=SUPPORTS.index) for supports in by_shard)
    expected = f"{VALUES_OF[support]}, for support={support!r}"
    hint = "Correct the row, or choose another support."
    frame.check(
        lambda shard: shard.reject_targets(
            outside_support_of(shard.targets, support), expected=expected, hint=hint
        )
    )
    return (support,) * len(frame.schema.columns.targets)


def check_head_support(frame: AnyFrame, head: str) -> None:
    """Reject targets outside the support of a head's distribution.

    Args:
        frame: The series.
        head: Name of the head.

    Raises:
        DataError: A value lies outside.
    """

    def check(shard: LongFrame) -> None:
        unsupported, expected = outside_support(shard.targets, head)
        hint = (
            "Correct the row, or take another head, such as 'quantile', which is for any numbers."
        )
        shard.reject_targets(unsupported, expected=f"{expected}, for head={head!r}", hint=hint)

    frame.check(check)


def validation_rows(frame: AnyFrame, validation: int | np.integer[Any], horizon: int) -> Array:
    """Reserve the last rows of each series for validation.

    Args:
        frame: The series.
        validation: Number of rows; a series without a training window before them is trained on as
            a whole.
        horizon: Steps to forecast.

    Returns:
        For each series the position of its first validation target.

    Raises:
        SpecError: It is no whole number, or fewer rows than a forecast has.
        DataError: No series is long enough.
    """
    rows = check_int("validation", validation, at_least=horizon)
    lengths = frame.source.lengths
    starts = np.where(lengths - rows > horizon, lengths - rows, lengths)
    if (starts == lengths).all():
        raise DataError(
            "validation",
            expected=f"a series with more than {rows} + {horizon} rows, for validation and horizon",
            received=f"at most {lengths.max()}",
            hint="Validate on fewer rows.",
        )
    return starts


def validation_origins(
    lengths: Array, starts: Array, horizon: int, most: int = MOST_COMPARED_WINDOWS
) -> Origins:
    """Return origins in the validation rows, evenly spaced, with whole horizons.

    Args:
        lengths: Rows of each series.
        starts: Position of each series' first validation target.
        horizon: Steps to forecast.
        most: Approximate number of windows at most.
    """
    counts = np.where(starts < lengths, np.maximum(lengths - horizon - starts + 1, 0), 0)
    step = max(1, -(-int(counts.sum()) // most))
    return Origins.at_rows(*counted_back(lengths - horizon, -(-counts // step), step), horizon)


def calibration_origins(
    reader: WindowReader, starts: Array, horizon: int, level: Sequence[float]
) -> Origins:
    """Return the origins at which intervals are calibrated.

    Args:
        reader: The window reader of the series.
        starts: Position of each series' first validation target.
        horizon: Steps to forecast.
        level: Levels of the intervals.

    Raises:
        DataError: A level needs more windows.
    """
    origins = validation_origins(reader.lengths, starts, horizon, MOST_CALIBRATION_WINDOWS)

    needed = windows_needed(max(level))
    observed = (~np.isnan(origins.truth(reader))).sum(axis=0).min() if len(origins) else 0
    if observed < needed:
        raise DataError(
            "calibrate",
            expected=f"at least {needed} validation windows for level {max(level):g}",
            received=f"{observed} with a known value at each step",
            hint=Phrase(
                "Give longer series or a lower ",
                Option("level"),
                ", or leave out ",
                Option("calibrate"),
                ".",
            ),
        )
    return origins


def with_validation(
    reading: ReadOptions, frame: AnyFrame, validation: Any, horizon: int
) -> tuple[AnyFrame, Array | None]:
    """Return the rows of a fit with the validation rows that follow them, and where these begin.

    Args:
        reading: How frames are read.
        frame: The rows of a fit, without rows that follow.
        validation: The argument of a fit: a number of rows, a frame of rows that follow, or `None`.
        horizon: Steps to forecast.

    Returns:
        The rows, and the position of each series' first validation target; `None` without
        `validation`.

    Raises:
        DataError: The rows do not follow, or are of other series; or no series is long enough.
        SpecError: It is no number of rows, or fewer than a forecast has.
    """
    if validation is None:
        return frame, None
    if isinstance(validation, int | np.integer):
        return frame, validation_rows(frame, validation, horizon)
    before = in_memory(frame, "validation")
    later = read_rows(reading, validation, before, argument="validation")
    return _appended(before, later, fill=reading.fill), frame.source.lengths


def without_masked(reading: ReadOptions, frame: AnyFrame, mask: Any) -> AnyFrame:
    """Return the rows of a fit, with the values of masked rows missing.

    Args:
        reading: How frames are read.
        frame: The rows of a fit.
        mask: The argument of a fit; `None` for none.

    Raises:
        SpecError: Missing values are rejected, or the rows are in files.
        DataError: The mask is of other rows.
    """
    if mask is None:
        return frame
    if not reading.fill:
        raise SpecError(
            "mask",
            expected="None with missing='raise', as values that are left out are missing",
            received="a frame",
            hint=Phrase("Take ", Option("missing", "fill"), "."),
        )
    rows_of_fit = in_memory(frame, "mask")
    return masked(rows_of_fit, frame_of(mask, rows_of_fit.source.ids))


def _appended(frame: LongFrame, later: LongFrame, *, fill: bool) -> LongFrame:
    """Return a frame with validation rows appended.

    Args:
        frame: The series to train on.
        later: Rows that follow, of some of them.
        fill: Whether there may be gaps between the two.

    Raises:
        DataError: The rows do not follow, or are of other series.
    """
    lengths = frame.source.lengths
    builder = FeatureBuilder.learn(frame, lengths, calendar="none")
    series = SeriesState(
        frame=builder.align(frame),
        scaler=SeriesScaler.fit(frame.targets, frame.source.ends, lengths, "none"),
        builder=builder,
        scale="none",
        context_length=FARTHEST,
        observed=False,
        fill=fill,
        last_seen=frame.last_stamps[:1],
        trained_until=frame.last_stamps,
    )

    unknown = np.flatnonzero(series.places(later.source.ids) < 0)
    if len(unknown):
        name = later.source.ids[unknown[0]]
        raise DataError(
            option="validation",
            series=name,
            expected="series of df",
            received="one that is not",
            hint="Leave it out, or add its earlier rows to df.",
        )

    later = series.checked(later)
    series.check_follows(later)
    joined = series.concat(later, series.ids)

    lost = np.flatnonzero(np.asarray(joined.first_stamps != frame.first_stamps))
    if len(lost):
        place = int(np.searchsorted(series.places(later.source.ids), lost[0]))
        name = frame.source.ids[lost[0]]
        last = frame.last_stamps[lost[0]]
        raise DataError(
            option="validation",
            series=name,
            expected=f"rows that begin within {FARTHEST} steps of {last}, the last one of df",
            received=str(later.first_stamps[place]),
            hint="Give rows that follow, or the number of rows to validate on.",
        )
    return replace(joined, schema=frame.schema)
