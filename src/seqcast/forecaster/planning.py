"""The plan of a fit: from a checked frame to sizes, scaling, windows and training jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.features.builder import FeatureBuilder
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.scalers import LOGARITHMS, SeriesScaler
from seqcast.data.windows.origins import Origins
from seqcast.data.windows.reader import WindowReader
from seqcast.data.windows.splits import check_lengths, validation_starts
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.defaults import PRETRAINED, Sizes, Specs, auto_context, auto_scale, middle_length
from seqcast.forecaster.jobs import TrainingJob
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.support import check_head_support, learn_support
from seqcast.forecaster.validation import calibration_origins, comparison_origins
from seqcast.pretrained import load_pretrained
from seqcast.runtime.caution import warn_user
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

__all__ = ["FitPlan", "make_plan", "plan_further"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitPlan:
    """The training jobs of a fit, and the state of its series.

    Args:
        options: The resolved options of the forecaster.
        series: Scaling and last rows of the series, and how rows become features.
        season_length: Steps of a season.
        jobs: The training jobs, one a network.
        frame: The rows that are trained on.
        short_series: Names of the series whose contexts have to be padded in training.
        calibration: The windows to calibrate on; `None` for no calibration.
        comparison: The windows on which networks have to be better than the seasonal naive forecast; `None` for no
            such test.
    """

    options: FitOptions
    series: SeriesState
    season_length: int
    jobs: Sequence[TrainingJob]
    frame: LongFrame
    short_series: tuple[Any, ...] = ()
    calibration: Origins | None = None
    comparison: Origins | None = None

    @property
    def pretrained(self) -> bool:
        """Whether nothing is trained, as the network that comes with the package forecasts."""
        return self.options.preset == PRETRAINED

    def with_weights(self, engines: Sequence[Engine]) -> Self:
        """Return the plan with training jobs that begin with the weights of trained networks.

        Args:
            engines: The engine of each network.

        Raises:
            SpecError: The networks are of other sizes.
        """
        if len(engines) != len(self.jobs):
            raise SpecError(
                "warm_start",
                expected=f"as many members as before, {len(engines)}",
                received=str(len(self.jobs)),
                hint="Fit without warm_start.",
            )
        jobs = [job.with_weights(engine) for job, engine in zip(self.jobs, engines, strict=True)]
        return replace(self, jobs=jobs)

    def reader(self, origins: Origins) -> WindowReader:
        """Return the window reader of the rows, with the longest context of the jobs.

        Args:
            origins: Where windows end.

        Raises:
            DataError: A context is too short, and may not be.
        """
        self.series.check_contexts(self.frame, origins)
        return self.jobs[0].reader

    def describe(self) -> str:
        """Return a line or two about what was inferred from the frame."""
        series, job = self.series, self.jobs[0]
        frequency, count = series.frequency, len(job.starts)
        inferred = " (inferred)" if frequency is not None and frequency.inferred else ""
        step = "irregular" if frequency is None else f"freq {frequency.name!r}{inferred}"
        calendar = f", calendar {' '.join(series.builder.calendar.names)}" if series.builder.calendar.names else ""
        lines = [
            f"seqcast: {count} series, {step}, season_length {self.season_length}, "
            f"context_length {series.context_length}, horizon {job.window.horizon}{calendar}"
        ]
        if self.pretrained:
            lines.append(f"seqcast: the pretrained network, version {load_pretrained().version}; nothing is trained")
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


def make_plan(frame: LongFrame, options: FitOptions, specs: Specs, starts: Array | None = None) -> FitPlan:
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
    while True:
        try:
            return _plan(frame, options, specs, starts)
        except DataError as error:
            bad = error.by_series
            if not options.skip or not bad or len(bad) == len(frame.source):
                raise
            kept, frame = frame.without(bad)
            starts = None if starts is None else starts[kept]


def _plan(frame: LongFrame, options: FitOptions, specs: Specs, starts: Array | None) -> FitPlan:
    frame.check_observed()
    frame.check_frequency()
    lengths, horizon = frame.source.lengths, options.horizon
    season = options.season_length or (1 if frame.frequency is None else frame.frequency.season_length)
    pretrained = options.preset == PRETRAINED
    rows = middle_length(lengths) if options.fill else int(lengths.min())
    # The rule is not called for lengths that are set: the specs of a refit know the networks of these lengths only.
    if pretrained:
        longest = load_pretrained().context_lengths[-1]
        contexts = [options.context_lengths[0] or (longest if options.fill else min(rows, longest))]
    else:
        contexts = [length or auto_context(frame, rows, horizon, season, specs) for length in options.context_lengths]
    context = max(contexts)
    if not options.fill and not pretrained:
        check_lengths(frame, context_length=context, horizon=horizon)
    sizes = Sizes(1, context, horizon, season)
    network, training = specs(sizes)
    # Of what nothing is trained on, all rows but the first may be validated on.
    starts = _training_stops(frame, starts, training, 1 if pretrained else context, horizon)
    series, aligned = _learn_series(frame, options, network, starts, context, season)
    reader = series.reader(aligned, Origins.at_ends(aligned, horizon))
    window = series.builder.window(horizon=horizon, context_length=context, observed=series.observed)
    jobs = []
    for place, seeds in enumerate(options.seeds):
        length = contexts[place % len(contexts)]
        job = TrainingJob(
            reader, starts, replace(window, context_length=length), network, training, seeds, options.weighting
        )
        count = 1 if pretrained else job.checked_windows(aligned)
        network, training = specs(replace(sizes, windows=count, context_length=length))
        check_head_support(aligned, network.head)
        season_read = season if network.reads_season else None
        seasoned = replace(job.window, season_length=season_read)
        jobs.append(replace(job, network=network, training=training, window=seasoned))
    padded = any(length and length + horizon > lengths.max() for length in options.context_lengths)
    if options.fill and padded and not pretrained:
        warn_user(
            f"context_length {context} and horizon {horizon} are more than the {lengths.max()} rows of the longest "
            "series: all windows are padded. Choose a smaller context_length, or leave it out."
        )
    return FitPlan(
        options,
        series,
        season,
        jobs,
        frame,
        () if pretrained else _short_names(frame, context + horizon),
        calibration_origins(frame, starts, horizon, options.calibrate) if options.calibrate else None,
        comparison_origins(frame, starts, horizon) if options.compare_to_naive else None,
    )


def _training_stops(
    frame: LongFrame, starts: Array | None, training: TrainingSpec, context: int, horizon: int
) -> Array:
    """Return the number of training rows of each series, by default what the validation fraction leaves.

    A series without an observed value among them is trained on as a whole.
    """
    if starts is None:
        fraction = training.validation_fraction
        starts = validation_starts(frame.source.lengths, context_length=context, horizon=horizon, fraction=fraction)
    return np.where((frame.count_observed(starts) > 0).all(axis=1), starts, frame.source.lengths)


def _short_names(frame: LongFrame, rows: int) -> tuple[Any, ...]:
    return tuple(frame.source.ids[place] for place in np.flatnonzero(frame.source.lengths < rows))


def _learn_series(
    frame: LongFrame, options: FitOptions, network: NetworkSpec, starts: Array, context: int, season: int
) -> tuple[SeriesState, LongFrame]:
    """Learn features and scaling from training rows; return these, and the rows with their categories numbered."""
    builder = FeatureBuilder.learn(frame, starts, calendar=options.calendar, context_length=context)
    scale = options.scale
    if scale == "auto":
        scale = auto_scale(network.head, options.point, frame, starts, season)
    if scale in LOGARITHMS:
        frame.check_positive(scale)
    aligned = builder.align(frame)
    gaps = bool(np.isnan(aligned.source.values).any()) or bool((starts < context + options.horizon).any())
    series = SeriesState(
        frame=aligned.tail(context),
        scaler=SeriesScaler.learn(aligned.target_store, starts, scale),
        builder=builder,
        scale=scale,
        context_length=context,
        observed=options.fill and gaps,
        fill=options.fill,
        last_seen=aligned.latest_stamp,
        trained_until=aligned.stamps[aligned.source.starts + starts - 1],
        support=learn_support(frame, options.support),
    )
    return series, aligned


def plan_further(
    new: LongFrame,
    starts: Array | None,
    state: FittedState,
    options: FitOptions,
    training: TrainingSpec | Mapping[str, Any] | None,
    freeze: tuple[str, ...],
) -> FitPlan:
    """Plan the further training of trained networks, on rows of known or new series.

    Args:
        new: The rows.
        starts: Position of each series' first validation target among them; `None` takes the training's fraction.
        state: The fitted state; known series keep their scaling.
        options: The resolved options of the forecaster.
        training: A spec, or the fields that differ from the training of the fit; `None` takes a tenth of its learning
            rate.
        freeze: Parts of the network that stay as they are.

    Returns:
        The plan, with these rows and the remembered ones before them.

    Raises:
        DataError: The rows give nothing to train on, or end before the rows of the fit.
        SpecError: An option is impossible.
    """
    series = state.series
    frame = series.with_history(new)
    added = frame.source.lengths - new.source.lengths
    _check_newest(frame, series)
    horizon, context = options.horizon, series.context_length
    trainings = [_further(base, training) for base in state.training]
    starts = _training_stops(frame, None if starts is None else starts + added, trainings[0], context, horizon)
    if not series.observed and options.fill:
        _check_no_gaps(frame)
    check_head_support(frame, state.engines[0].network.head)
    scaler = series.scaler_of(frame, starts)
    reader = WindowReader.of_frame(frame, series.builder, scaler, context_length=context, observed=series.observed)
    jobs = []
    for engine, spec, seeds in zip(state.engines, trainings, options.seeds, strict=True):
        assert engine.window is not None
        window = replace(engine.window, horizon=horizon)
        job = TrainingJob(
            reader, starts, window, engine.network, spec, seeds, options.weighting, engine.weights, freeze
        )
        job.checked_windows(frame)
        jobs.append(job)
    return FitPlan(
        options,
        series.add_series(frame, scaler, starts),
        state.season_length,
        jobs,
        frame,
        _short_names(frame, context + horizon),
        calibration_origins(frame, starts, horizon, options.calibrate) if options.calibrate else None,
    )


def _further(base: TrainingSpec, training: TrainingSpec | Mapping[str, Any] | None) -> TrainingSpec:
    """Return the spec of a further training, derived from the training of the fit."""
    if isinstance(training, TrainingSpec):
        return training
    usual = {"learning_rate": base.learning_rate / 10} if training is None else {}
    return TrainingSpec.from_dict({**base.to_dict(), **usual, **(training or {})})


def _check_no_gaps(frame: LongFrame) -> None:
    """Refuse gaps for networks that have no input which marks them."""
    missing = np.isnan(frame.source.values).any(axis=1)
    if missing.any():
        raise frame.error(
            frame.schema.columns.targets[0],
            int(np.argmax(missing)),
            expected="no missing values or steps: the fit saw none, so the network has no input that marks them",
            received="a missing one",
            hint="Fill it in, or fit anew on rows that have some.",
        )


def _check_newest(frame: LongFrame, series: SeriesState) -> None:
    """Refuse rows of known series that end before their last known one."""
    places = series.places(frame.source.ids)
    early = (places >= 0) & np.asarray(series.frame.last_stamps[places] > frame.last_stamps)
    if early.any():
        place = int(np.flatnonzero(early)[0])
        raise DataError(
            option="df",
            series=frame.source.ids[place],
            expected=f"rows up to its last known one, {series.frame.last_stamps[places[place]]}, or later ones",
            received=f"rows up to {frame.last_stamps[place]}",
            hint="Give its newest rows too.",
        )
