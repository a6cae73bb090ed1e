"""The plan of a fit: from rows to sizes, to scaling and windows, to training jobs.

Each step takes the result of the one before it: `FitRows`, then `PlannedRows`, then `FitPlan`.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.data import Season, detect_seasons, main_season
from seqcast.data.frames import AnyFrame, LongFrame, usual_season
from seqcast.data.windows import Origins, WindowReader, validation_starts
from seqcast.engine import TrainingJob
from seqcast.errors import DataError
from seqcast.forecaster.candidates import Candidate
from seqcast.forecaster.candidates import candidates as usual_candidates
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.hold_out import HoldOut
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.training_rows import (
    FitRows,
    PlannedRows,
    calibration_origins,
    learn_series,
    validation_origins,
)
from seqcast.intervals import ForecastRequest
from seqcast.runtime import Array

# The place of a candidate, and that of one of its jobs.
Place = tuple[int, int]


@dataclass(frozen=True)
class FitPlan:
    """The training jobs of a fit, and the state of its series.

    Args:
        rows: The rows, with scaling and windows.
        candidates: The candidates.
        jobs: The training jobs of each candidate.
        choice: The choice of an earlier fit, whose shares this one takes; `None` for a new one.
        short_series: Names of the series whose contexts have to be padded in training.
        calibration: The windows to calibrate on; `None` for no calibration.
        comparison: The windows on which candidates are compared; `None` where there is nothing to
            choose.
        held_out: Position of each series' first row on which nothing is trained, its length
            where it has none; `None` learns no dependence of sample paths from such rows.
    """

    rows: PlannedRows
    candidates: tuple[Candidate, ...]
    jobs: tuple[tuple[TrainingJob, ...], ...]
    choice: Choice | None = None
    short_series: tuple[Any, ...] = ()
    calibration: Origins | None = None
    comparison: Origins | None = None
    held_out: Array | None = None

    @property
    def by_place(self) -> dict[Place, TrainingJob]:
        """All jobs by their places."""
        return {
            (place, number): job
            for place, jobs in enumerate(self.jobs)
            for number, job in enumerate(jobs)
        }

    def rounds(self, *, timed: bool) -> list[list[Place]]:
        """Return the places of the jobs of each round, after which the gain is measured.

        Args:
            timed: Whether the time is limited: then there is one round.
        """
        own = [
            candidate.rounds(len(jobs))
            for candidate, jobs in zip(self.candidates, self.jobs, strict=True)
        ]
        count = max(map(len, own)) if self.comparison is not None and not timed else 1
        return [
            [
                (place, number)
                for place, rounds in enumerate(own)
                if turn < len(rounds)
                for number in rounds[turn]
            ]
            for turn in range(count)
        ]

    @property
    def hold_out(self) -> HoldOut | None:
        """The windows on which candidates are compared."""
        if self.comparison is None:
            return None
        request = ForecastRequest(level=self.rows.options.forecasting.level)
        return HoldOut(
            self.reader_at(self.comparison), self.comparison, request, self.rows.season_length
        )

    def reader_at(self, origins: Origins) -> WindowReader:
        """Return the window reader of the rows, and reject contexts that may not be padded.

        Args:
            origins: The origins.

        Raises:
            DataError: A context is too short.
        """
        self.rows.series.check_contexts(self.rows.frame, origins)
        return self.rows.reader

    def describe(self) -> str:
        """Return lines about the facts that were inferred from the frame."""
        rows = self.rows
        series = self.rows.series
        frequency = series.frequency
        count = len(rows.frame.source)
        inferred = " (inferred)" if frequency is not None and frequency.inferred else ""
        step = "irregular" if frequency is None else f"freq {frequency.name!r}{inferred}"
        season = f"{rows.season_length}"
        if rows.season_is_detected:
            season += " (detected)"
        calendar = ""
        if series.builder.calendar.names:
            calendar = f", calendar {' '.join(series.builder.calendar.names)}"
        lengths = f"context_length {series.context_length}, horizon {rows.options.horizon}"
        lines = [f"seqcast: {count} series, {step}, season_length {season}, {lengths}{calendar}"]

        if not self.by_place:
            lines += [
                f"seqcast: {line}; nothing is trained"
                for each in self.candidates
                if (line := each.describe())
            ]

        if self.calibration is not None:
            lines.append(
                f"seqcast: intervals are calibrated on {len(self.calibration)} validation windows"
            )

        columns = rows.frame.schema.columns
        if columns.ds_format not in (None, "integer"):
            lines.append(
                f"seqcast: {columns.ds} is read as times, in the format {columns.ds_format}"
            )
        if rows.frame.skipped:
            skipped = len(rows.frame.skipped)
            lines.append(
                f"seqcast: skipped {skipped} of {count + skipped} series, "
                "in which something is wrong"
            )
        if self.short_series:
            short = len(self.short_series)
            names = ", ".join(map(repr, self.short_series[:3])) + (", ..." if short > 3 else "")
            few = f"{short} of {count} series have fewer than context_length + horizon rows"
            lines.append(f"seqcast: {few} and are padded: {names}")
        return "\n".join(lines)


def make_plan(
    frame: AnyFrame,
    options: FitOptions,
    *,
    starts: Array | None = None,
    candidates: Sequence[Candidate] = (),
    choice: Choice | None = None,
) -> FitPlan:
    """Scale the series and plan the training of each network.

    Args:
        frame: The series.
        options: The resolved options of the forecaster.
        starts: Position of each series' first validation target; `None` takes the training's
            fraction.
        candidates: The candidates; none for all that apply.
        choice: As for `FitPlan`.

    Returns:
        The plan.

    Raises:
        DataError: The series give nothing to train on.
        SpecError: Options do not go together.
    """
    options = options.decided(int(np.maximum(frame.source.lengths - options.horizon, 0).sum()))
    chosen = tuple(candidates) or usual_candidates(options)
    plan = functools.partial(_plan, options=options, candidates=chosen, choice=choice)
    return (
        _without_bad_series(plan, frame, starts) if options.reading.skips else plan(frame, starts)
    )


def _without_bad_series(
    plan: Callable[[AnyFrame, Array | None], FitPlan], frame: AnyFrame, starts: Array | None
) -> FitPlan:
    """Return the plan of a fit to the series without an error.

    Season, scaling and context length depend on all series. So after each series that is left out
    the others are planned again.
    """
    while True:
        try:
            return plan(frame, starts)
        except DataError as error:
            if not error.by_series or len(error.by_series) == len(frame.source):
                raise
            left, frame = frame.without(error.by_series)
            starts = None if starts is None else starts[left]


def _plan(
    frame: AnyFrame,
    starts: Array | None,
    *,
    options: FitOptions,
    candidates: tuple[Candidate, ...],
    choice: Choice | None,
) -> FitPlan:
    """Return the plan of a fit to all series of a frame."""
    rows = _rows(frame, options, candidates, starts, check=choice is None)
    planned = _planned(rows, candidates, starts)
    several = len(candidates) > 1 or any(each.compares(planned) for each in candidates)
    return with_jobs(planned, candidates, choice, compare=choice is None and several)


def _rows(
    frame: AnyFrame,
    options: FitOptions,
    candidates: Sequence[Candidate],
    starts: Array | None,
    *,
    check: bool,
) -> FitRows:
    """Return the rows, with the season and the context length of training windows.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        candidates: The candidates.
        starts: Position of each series' first validation target; `None` takes the training's
            fraction.
        check: Whether candidates check the rows, which those of an earlier fit have done.
    """
    frame.check(LongFrame.check_observed)
    frame.shard(0)[1].check_frequency()
    rows = FitRows(frame, options, options.season_length or usual_season(frame.frequency))
    if options.season_length is None and rows.season_length == 1:
        rows = replace(
            rows, season_length=main_season(detect_seasons(frame, training_stops(rows, starts)))
        )
    for candidate in candidates if check else ():
        candidate.check(rows)
    lengths = [length for each in candidates if (length := each.context_length(rows)) is not None]
    return replace(rows, context_length=max(lengths, default=None))


def _planned(rows: FitRows, candidates: Sequence[Candidate], starts: Array | None) -> PlannedRows:
    """Return the rows with what is learned from training rows: scaling, features, windows."""
    frame = rows.frame
    options = rows.options
    context = rows.context_length
    read = options.rows_read
    if read is None:
        read = max(candidate.rows_read(rows) for candidate in candidates)
    longest = max(read, context or 1)
    starts = training_stops(rows, starts)
    series, aligned = learn_series(rows, starts, longest)
    reader = series.reader(aligned, Origins.at_ends(aligned, options.horizon))
    return PlannedRows(
        frame, options, rows.season_length, context, series=series, reader=reader, starts=starts
    )


def with_jobs(
    rows: PlannedRows, candidates: tuple[Candidate, ...], choice: Choice | None, *, compare: bool
) -> FitPlan:
    """Return the plan: the jobs of each candidate, and windows to compare and calibrate on.

    Args:
        rows: The rows, with scaling and windows.
        candidates: The candidates.
        choice: The choice of an earlier fit, if any.
        compare: Whether candidates are compared.
    """
    options = rows.options
    lengths = rows.lengths
    context = rows.context_length
    jobs = tuple(tuple(candidate.jobs(rows)) for candidate in candidates)
    is_new = compare and choice is None
    if is_new and not len(validation_origins(lengths, rows.starts, options.horizon)):
        # Nothing could tell whether a training is worth it.
        jobs = ((),) * len(candidates)

    held_out = rows.starts
    if not any(jobs):
        read = rows.series.context_length
        held_out = untrained_starts(
            lengths, options.horizon, rows.season_length, read, fill=options.reading.fill
        )
        # Effects of covariates are learned without a training, and compared on these rows.
        rows = replace(rows, starts=held_out)

    places = np.flatnonzero(lengths < (0 if context is None else context + options.horizon))
    short = tuple(rows.frame.source.ids[place] for place in places)

    calibration = None
    if options.calibrate:
        calibration = calibration_origins(rows.reader, held_out, options.horizon, options.calibrate)
    comparison = validation_origins(lengths, held_out, options.horizon) if compare else None

    season = Season.of(rows.season_length)
    is_short = comparison is not None and not len(comparison) and not any(jobs)
    # No window has the whole horizon: what knows more than a longer season is compared a season
    # ahead, unless there are effects of covariates, which were learned from the same rows.
    if is_short and season.longer and not rows.frame.covariates.future:
        comparison = validation_origins(
            lengths, np.minimum(lengths, sum(season.lengths) + 1), season.length
        )
    return FitPlan(
        rows,
        candidates,
        jobs,
        choice=choice,
        short_series=short,
        calibration=calibration,
        comparison=comparison,
        held_out=held_out,
    )


def training_stops(rows: FitRows, starts: Array | None) -> Array:
    """Return the number of training rows of each series.

    A series without an observed value among them is trained on as a whole.

    Args:
        rows: The rows, with the context length of training windows.
        starts: Position of each series' first validation target; `None` takes the training's
            fraction.
    """
    if starts is None:
        fraction = rows.options.validation_fraction
        horizon = rows.options.horizon
        # Where nothing is trained, all rows but the first may be validated on.
        context = rows.context_length or 1
        starts = validation_starts(
            rows.lengths, context_length=context, horizon=horizon, fraction=fraction
        )
    return np.where((rows.frame.count_observed(starts) > 0).all(axis=1), starts, rows.lengths)


def untrained_starts(
    lengths: Array, horizon: int, season_length: int, context_length: int, *, fill: bool
) -> Array:
    """Return where the hold-out rows of each series begin if nothing is trained on it.

    They are the last three horizons, or the last tenth where that is more. The rows that a
    forecast should know precede them: a season and a half, or a horizon, or 6.

    Args:
        lengths: Rows of each series.
        horizon: Steps to forecast.
        season_length: Steps of a season.
        context_length: Rows that a forecast reads.
        fill: Whether it may read fewer.

    Returns:
        Position of each series' first validation target; its length where it has none.

    Example:
        >>> untrained_starts(np.array([100, 20, 11]), 6, 4, 512, fill=True)
        array([82,  6, 11])
    """
    known = max(6, horizon, 3 * season_length // 2) if fill else context_length
    rows = np.maximum(3 * horizon, np.round(0.1 * lengths)).astype(lengths.dtype)
    starts = np.maximum(lengths - rows, known)
    return np.where(starts + horizon <= lengths, starts, lengths)
