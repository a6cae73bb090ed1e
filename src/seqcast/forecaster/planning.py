"""The plan of a fit: from a checked frame to sizes, scaling, windows and training jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.sharded import AnyFrame
from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.data.windows.splits import check_lengths, validation_starts
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.defaults import PRETRAINED, Sizes, Specs, auto_context, middle_length
from seqcast.forecaster.finetuning import FinetuneJob
from seqcast.forecaster.jobs import TrainingJob
from seqcast.forecaster.learning import learn_series
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.support import check_head_support
from seqcast.forecaster.validation import calibration_origins, comparison_origins, untrained_starts
from seqcast.pretrained import PretrainedNetwork, load_pretrained
from seqcast.runtime.caution import warn_user
from seqcast.specs.training import TrainingSpec

__all__ = ["FitPlan", "make_plan", "short_names", "training_stops"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitPlan:
    """The training jobs of a fit, and the state of its series.

    Args:
        options: The resolved options of the forecaster.
        series: Scaling and last rows of the series, and how rows become features.
        season_length: Steps of a season.
        reader: The window reader of the rows, with the longest context that a forecast reads.
        jobs: The training jobs, one a network; none where nothing is trained.
        frame: The rows that are trained on.
        pretrained: The network that has seen only synthetic series; `None` where it is not a candidate.
        finetuned: Whether it has been fine-tuned before.
        short_series: Names of the series whose contexts have to be padded in training.
        calibration: The windows to calibrate on; `None` for no calibration.
        comparison: The windows on which candidates are compared; `None` where there is nothing to choose.
    """

    options: FitOptions
    series: SeriesState
    season_length: int
    reader: WindowReader
    jobs: Sequence[TrainingJob]
    frame: AnyFrame
    pretrained: PretrainedNetwork | None = None
    finetuned: bool = False
    short_series: tuple[Any, ...] = ()
    calibration: Origins | None = None
    comparison: Origins | None = None

    @property
    def finetuning(self) -> dict[int, FinetuneJob]:
        """The jobs that train the pretrained network further, by their place."""
        return {place: job for place, job in enumerate(self.jobs) if isinstance(job, FinetuneJob)}

    def with_weights(self, engines: Sequence[Engine]) -> Self:
        """Return the plan with training jobs that begin with the weights of trained networks.

        Args:
            engines: The engine of each network.

        Raises:
            SpecError: The networks are of other sizes.
        """
        further = self.finetuning
        ours = [job for place, job in enumerate(self.jobs) if place not in further]
        if len(engines) != len(ours):
            raise SpecError(
                "warm_start",
                expected=f"as many members as before, {len(engines)}",
                received=str(len(ours)),
                hint="Fit without warm_start.",
            )
        trained = [job.with_weights(engine) for job, engine in zip(ours, engines, strict=True)]
        return replace(self, jobs=[*trained, *further.values()])

    def reader_at(self, origins: Origins) -> WindowReader:
        """Return the window reader of the rows, where windows end at some origins.

        Raises:
            DataError: A context is too short, and may not be.
        """
        self.series.check_contexts(self.frame, origins)
        return self.reader

    def describe(self) -> str:
        """Return a line or two about what was inferred from the frame."""
        series = self.series
        frequency, count = series.frequency, len(self.frame.source)
        inferred = " (inferred)" if frequency is not None and frequency.inferred else ""
        step = "irregular" if frequency is None else f"freq {frequency.name!r}{inferred}"
        calendar = f", calendar {' '.join(series.builder.calendar.names)}" if series.builder.calendar.names else ""
        lines = [
            f"seqcast: {count} series, {step}, season_length {self.season_length}, "
            f"context_length {series.context_length}, horizon {self.options.horizon}{calendar}"
        ]
        if self.pretrained is not None and not self.jobs:
            lines.append(f"seqcast: the pretrained network, version {self.pretrained.version}; nothing is trained")
        if self.calibration is not None:
            lines.append(f"seqcast: intervals are calibrated on {len(self.calibration)} validation windows")
        columns = self.frame.schema.columns
        if columns.ds_format not in (None, "integer"):
            lines.append(f"seqcast: {columns.ds} is read as times, in the format {columns.ds_format}")
        if self.frame.skipped:
            skipped = len(self.frame.skipped)
            lines.append(f"seqcast: skipped {skipped} of {count + skipped} series, in which something is wrong")
        if self.short_series:
            short = len(self.short_series)
            names = ", ".join(map(repr, self.short_series[:3])) + (", ..." if short > 3 else "")
            lines.append(
                f"seqcast: {short} of {count} series have fewer than context_length + horizon "
                f"rows and are padded: {names}"
            )
        return "\n".join(lines)


def make_plan(frame: AnyFrame, options: FitOptions, specs: Specs, starts: Array | None = None) -> FitPlan:
    """Scale the series and plan the training of each network.

    Args:
        frame: The series.
        options: The resolved options of the forecaster.
        specs: The network and the training for a number of training windows.
        starts: Position of each series' first validation target; `None` takes the training's fraction.

    Returns:
        The plan.

    Raises:
        DataError: The series give nothing to train on.
        SpecError: Options do not go together.
    """
    options = options.decided(int(np.maximum(frame.source.lengths - options.horizon, 0).sum()))
    while True:
        try:
            return _plan(frame, options, specs, starts)
        except DataError as error:
            bad = error.by_series
            if not options.skip or not bad or len(bad) == len(frame.source):
                raise
            kept, frame = frame.without(bad)
            starts = None if starts is None else starts[kept]


def _plan(frame: AnyFrame, options: FitOptions, specs: Specs, starts: Array | None) -> FitPlan:
    frame.check_observed()
    frame.check_frequency()
    _check_covariates(frame, options)
    horizon, candidates = options.horizon, options.candidates
    season = options.season_length or (1 if frame.frequency is None else frame.frequency.season_length)
    zero_shot = load_pretrained() if {"pretrained", "finetuned"} & set(candidates) else None
    trained = "trained" in candidates
    contexts = _contexts(frame, options, specs, season) if trained else []
    longest = max([*contexts, _rows_read(frame, options, zero_shot)])
    if trained and not options.fill:
        check_lengths(frame, context_length=max(contexts), horizon=horizon)
    network, training = specs(Sizes(1, max(contexts, default=longest), horizon, season))
    # Of what nothing is trained on, all rows but the first may be validated on.
    least = max(contexts) if trained else 1
    starts = training_stops(frame, starts, training, least, horizon)
    series, aligned = learn_series(
        frame, options, network, starts, season, context=max(contexts, default=longest), longest=longest
    )
    reader = series.reader(aligned, Origins.at_ends(aligned, horizon))
    jobs = _trainings(aligned, options, specs, series, reader, starts, contexts, season) if trained else []
    if trained:
        _warn_if_all_padded(frame, options)
    if "finetuned" in candidates:
        assert zero_shot is not None
        job = FinetuneJob.of(
            *(zero_shot, reader, starts, season, horizon),
            seeds=options.seeds[0],
            training=options.finetuning,
            weighting=options.weighting,
            covariates=series.builder.has_covariates,
            most=options.rows_read,
            beside=options.preset != PRETRAINED,
        )
        jobs += [job] if job.count_windows() else []
    if zero_shot is not None:
        check_head_support(aligned, zero_shot.engine.network.head)
    compare = options.choice is None and len(candidates) > 1
    judged = starts if jobs else untrained_starts(frame.source.lengths, horizon, season, longest, fill=options.fill)
    return FitPlan(
        options,
        series,
        season,
        reader,
        jobs,
        frame,
        zero_shot,
        short_series=short_names(frame, max(contexts) + horizon) if trained else (),
        calibration=calibration_origins(reader, judged, horizon, options.calibrate) if options.calibrate else None,
        comparison=comparison_origins(frame.source.lengths, judged, horizon) if compare else None,
    )


def _check_covariates(frame: AnyFrame, options: FitOptions) -> None:
    """Refuse covariates that the pretrained network would have to know without having learnt from them."""
    covariates = [*frame.covariates.static, *frame.covariates.past, *frame.covariates.future]
    if options.preset == PRETRAINED and options.choice is None and covariates:
        raise SpecError(
            "preset",
            expected="a network that has been trained on this data, with covariates",
            received=f"'pretrained', and the covariates {', '.join(map(repr, covariates))}",
            hint="It has seen series alone, so it cannot know what a covariate means: call finetune(df) in place of "
            "fit(df), which trains it on them, leave them out, or name another preset.",
        )


def _contexts(frame: AnyFrame, options: FitOptions, specs: Specs, season: int) -> list[int]:
    """Return the context lengths of the networks that are trained, in turn."""
    lengths, horizon = frame.source.lengths, options.horizon
    rows = middle_length(lengths) if options.fill else int(lengths.min())
    # The rule is not called for lengths that are set: the specs of a refit know the networks of these lengths only.
    return [length or auto_context(frame, rows, horizon, season, specs) for length in options.context_lengths]


def _warn_if_all_padded(frame: AnyFrame, options: FitOptions) -> None:
    """Warn of a context length that no series fills."""
    longest, horizon = int(frame.source.lengths.max()), options.horizon
    if options.fill and any(length and length + horizon > longest for length in options.context_lengths):
        given = max(length or 0 for length in options.context_lengths)
        warn_user(
            f"context_length {given} and horizon {horizon} are more than the {longest} rows of the "
            "longest series: all windows are padded. Choose a smaller context_length, or leave it out."
        )


def _rows_read(frame: AnyFrame, options: FitOptions, zero_shot: PretrainedNetwork | None) -> int:
    """Return how many rows are read by what is not trained on the data."""
    lengths = frame.source.lengths
    if options.rows_read is not None:
        return options.rows_read
    if zero_shot is None:
        return 1
    longest = zero_shot.context_lengths[-1]
    if options.most_rows_read is not None:
        longest = min(longest, options.most_rows_read)
    if options.fill:
        return longest
    # Each forecast has to have so many rows before it, also those that candidates are compared by.
    rows = 1 if "trained" in options.candidates else int(0.9 * lengths.min()) - options.horizon
    return max(1, min(rows, longest))


def _trainings(
    frame: AnyFrame,
    options: FitOptions,
    specs: Specs,
    series: SeriesState,
    reader: WindowReader,
    starts: Array,
    contexts: Sequence[int],
    season: int,
) -> list[TrainingJob]:
    """Return the trainings of the networks that learn from the data alone."""
    sizes = Sizes(1, max(contexts), options.horizon, season)
    window = series.builder.window(horizon=options.horizon, context_length=max(contexts), observed=series.observed)
    jobs = []
    network, training = specs(sizes)
    for place, seeds in enumerate(options.seeds):
        length = contexts[place % len(contexts)]
        job = TrainingJob(
            reader, starts, replace(window, context_length=length), network, training, seeds, options.weighting
        )
        count = job.checked_windows(frame)
        network, training = specs(replace(sizes, windows=count, context_length=length, member=place))
        check_head_support(frame, network.head)
        season_read = season if network.reads_season else None
        jobs.append(
            replace(job, network=network, training=training, window=replace(job.window, season_length=season_read))
        )
    return jobs


def training_stops(frame: AnyFrame, starts: Array | None, training: TrainingSpec, context: int, horizon: int) -> Array:
    """Return the number of training rows of each series, by default what the validation fraction leaves.

    A series without an observed value among them is trained on as a whole.

    Args:
        frame: The series.
        starts: Position of each series' first validation target; `None` takes the training's fraction.
        training: The training.
        context: Steps of past.
        horizon: Steps to forecast.
    """
    if starts is None:
        fraction = training.validation_fraction
        starts = validation_starts(frame.source.lengths, context_length=context, horizon=horizon, fraction=fraction)
    return np.where((frame.count_observed(starts) > 0).all(axis=1), starts, frame.source.lengths)


def short_names(frame: AnyFrame, rows: int) -> tuple[Any, ...]:
    """Return the names of the series with fewer rows."""
    return tuple(frame.source.ids[place] for place in np.flatnonzero(frame.source.lengths < rows))
