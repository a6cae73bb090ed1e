"""The rows of a fit on their way to a plan, and what is learnt from them: features, scaling, support, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays import outside_support
from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import AnyFrame, LongFrame, Stamps
from seqcast.data.series import LOGARITHMS, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.forecaster.defaults import auto_scale
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals import VALUES_OF, observed_support, outside_support_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitRows:
    """The rows of a fit, before anything is learnt from them.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        season_length: Steps of a season.
        context_length: Steps of past of training windows; `None` where no candidate needs a number.
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


def learn_series(rows: FitRows, starts: Array, longest: int) -> tuple[SeriesState, AnyFrame]:
    """Learn features and scaling from training rows.

    Args:
        rows: The rows of the fit.
        starts: Number of training rows of each series.
        longest: Steps that a forecast reads.

    Returns:
        What was learnt, and the rows with their categories numbered.

    Raises:
        DataError: There are negative values, which have no logarithm.
    """
    frame, options, context = rows.frame, rows.options, rows.context_length or longest
    builder = FeatureBuilder.learn(frame, starts, calendar=options.calendar, context_length=context)
    scale = options.scale
    if scale == "auto":
        scale = auto_scale(options.head, options.output.point, frame, starts, rows.season_length)
    if scale in LOGARITHMS:
        frame.check_positive(scale)
    aligned = frame.changed(builder.align) if builder.has_covariates else frame
    short = bool((starts < context + options.horizon).any())
    gaps = short or any(np.isnan(part.source.values).any() for _, part in aligned.parts())
    remembered = aligned.tail(longest)
    # Remembered rows are sorted by id, which those of files need not be.
    order = aligned.source.places(remembered.source.ids)
    series = SeriesState(
        frame=remembered,
        scaler=SeriesScaler.learn(aligned.target_store, starts, scale).take(order),
        builder=builder,
        scale=scale,
        context_length=longest,
        observed=options.rows.fill and gaps,
        fill=options.rows.fill,
        last_seen=aligned.latest_stamp,
        trained_until=_stamps_before(aligned, starts)[order],
        support=learn_support(frame, options.support),
    )
    return series, aligned


def _stamps_before(frame: AnyFrame, starts: Array) -> Stamps:
    """Return the stamp of the last of the first `starts` rows of each series."""
    first, *others = (part.stamps[part.source.starts + starts[series] - 1] for series, part in frame.parts())
    return first.append(others) if others else first


def learn_support(frame: AnyFrame, support: str) -> tuple[str, ...]:
    """Return the support of each target.

    Args:
        frame: The series.
        support: One of `seqcast.intervals.quantiles.SUPPORTS`.

    Raises:
        DataError: A value lies outside.
    """
    if support == "auto":
        by_shard = zip(*(observed_support(shard.targets) for _, shard in frame.parts()), strict=True)
        return tuple("real" if "real" in supports else supports[0] for supports in by_shard)
    frame.check(
        lambda part: part.refuse_targets(
            outside_support_of(part.targets, support),
            expected=f"{VALUES_OF[support]}, for support={support!r}",
            hint="Correct the row, or choose another support.",
        )
    )
    return (support,) * len(frame.schema.columns.targets)


def check_head_support(frame: AnyFrame, head: str) -> None:
    """Refuse targets that a head's distribution does not have.

    Args:
        frame: The series.
        head: Name of the head.

    Raises:
        DataError: A value lies outside.
    """

    def check(part: LongFrame) -> None:
        unsupported, expected = outside_support(part.targets, head)
        part.refuse_targets(
            unsupported,
            expected=f"{expected}, for head={head!r}",
            hint="Correct the row, or take another head, such as 'quantile', which is for any numbers.",
        )

    frame.check(check)
