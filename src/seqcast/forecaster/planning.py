"""From a checked frame to the trainings of a forecaster: sizes, scaling, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays.checks import outside_support
from seqcast.data.features.builder import FeatureBuilder
from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.series.scalers import LOGARITHMS, SeriesScaler
from seqcast.data.windows.reader import SeriesWindows
from seqcast.data.windows.splits import check_lengths, validation_starts
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.defaults import Sizes, Specs, auto_context, auto_scale, middle_length
from seqcast.forecaster.fallback import naive_calibrations, naive_network
from seqcast.forecaster.jobs import TrainingJob
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.validation import MOST_JUDGED_WINDOWS, calibration_windows, horizon_windows
from seqcast.intervals.calibration import Calibration
from seqcast.specs.training import TrainingSpec

__all__ = ["FitOptions", "Plan", "make_plan"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitOptions:
    """What a forecaster was told that shapes a fit.

    Args:
        horizon: Steps to forecast in training.
        context_lengths: Steps of past that members read in turn; `None` is the rule's.
        season_length: Steps of a season, or `None` for the frequency's.
        calendar: Features of the time stamps.
        scale: How each series is scaled, `auto` for the rule.
        point: What the point forecast is of its distribution.
        weighting: Whether each window or each series weighs the same.
        fill: Whether missing values and short series are legal.
        seeds: Seeds of each member.
        calibrate: Levels that are calibrated on validation windows; none for no calibration.
        judge: Whether networks have to be better than repeating the last season on validation windows.
    """

    horizon: int
    context_lengths: Sequence[int | None]
    season_length: int | None
    calendar: Any
    scale: str
    point: str
    weighting: str
    fill: bool
    seeds: Sequence[tuple[int, int]]
    calibrate: Sequence[float] = ()
    judge: bool = False


@dataclass(frozen=True)
class Plan:
    """What a fit will remember of a frame, and the members to train.

    Args:
        memory: What is remembered.
        season_length: Steps of a season.
        members: The trainings.
        short: Names of the series whose contexts have to be padded in training.
        calibration: The windows to calibrate on: number of each one's series, and of its rows that are known.
        judgement: The windows on which networks have to be better than repeating the last season; none for no such
            test.
        frame: The rows that are trained on, when they are others than were given.
    """

    memory: SeriesState
    season_length: int
    members: Sequence[TrainingJob] = ()
    short: tuple[Any, ...] = ()
    calibration: tuple[Array, Array] | None = None
    judgement: tuple[Array, Array] | None = None
    frame: LongFrame | None = None

    def from_weights(self, engines: Sequence[Engine]) -> Self:
        """Return the plan with trainings that begin with the weights of trained networks.

        Args:
            engines: The engine of each member.

        Raises:
            SpecError: The networks are of other sizes.
        """
        if len(engines) != len(self.members):
            raise SpecError(
                "warm_start",
                expected=f"as many members as before, {len(engines)}",
                received=str(len(self.members)),
                hint="Fit without warm_start.",
            )
        for member, engine in zip(self.members, engines, strict=True):
            member.check_like(engine)
        members = [replace(m, weights=engine.weights) for m, engine in zip(self.members, engines, strict=True)]
        return replace(self, members=members)

    def naive(self) -> Self:
        """Return the plan with one member in place of all, which repeats the last season."""
        member = max(self.members, key=lambda each: each.window.context_length or 0)
        network = naive_network(self.season_length, self.memory.context_length)
        season = self.season_length if network.reads_season else None
        window = replace(member.window, season_length=season)
        return replace(self, members=[replace(member, network=network, window=window)], judgement=None)

    def naive_calibrations(self, level: Sequence[float]) -> tuple[Calibration, ...]:
        """Return the intervals of that member, in scaled units."""
        member = self.members[0]
        return naive_calibrations(
            member.source.values[:, : member.window.targets],
            member.source.ends,
            season_length=member.window.season_length or 1,
            horizon=member.window.horizon,
            level=level,
        )

    def describe(self) -> str:
        """Say what was inferred, in a line or two."""
        memory, member = self.memory, self.members[0]
        frequency = memory.frequency
        inferred = " (inferred)" if frequency is not None and frequency.inferred else ""
        named = "irregular" if frequency is None else f"freq {frequency.name!r}{inferred}"
        calendar = f", calendar {' '.join(memory.builder.calendar.names)}" if memory.builder.calendar.names else ""
        lines = [
            f"seqcast: {len(member.source)} series, {named}, season_length {self.season_length}, "
            f"context_length {memory.context_length}, horizon {member.window.horizon}{calendar}"
        ]
        if self.calibration is not None:
            lines.append(f"seqcast: intervals are calibrated on {len(self.calibration[0])} validation windows")
        if self.short:
            shown = ", ".join(map(repr, self.short[:3])) + (", ..." if len(self.short) > 3 else "")
            lines.append(
                f"seqcast: {len(self.short)} of {len(member.source)} series have fewer than context_length + horizon "
                f"rows and are padded: {shown}"
            )
        return "\n".join(lines)


def make_plan(frame: LongFrame, options: FitOptions, specs: Specs, starts: Array | None = None) -> Plan:
    """Scale the series and say how each member is to be trained.

    Args:
        frame: The series.
        options: What the forecaster was told.
        specs: The network and the training for a number of training windows.
        starts: Position of each series' first validation target; `None` takes the training's fraction.

    Returns:
        The plan.

    Raises:
        DataError: The series give nothing to train on.
        SpecError: Options do not go together.
    """
    frame.check_seen()
    lengths, horizon = frame.source.lengths, options.horizon
    season = options.season_length or (1 if frame.frequency is None else frame.frequency.season_length)
    rows = middle_length(lengths) if options.fill else int(lengths.min())
    # Sizes that are given ask no rule: a refit knows the networks of its own sizes only.
    contexts = [own or auto_context(frame, rows, horizon, season, specs) for own in options.context_lengths]
    context = max(contexts)
    if not options.fill:
        check_lengths(frame, context_length=context, horizon=horizon)
    sizes = Sizes(1, context, horizon, season)
    network, training = specs(sizes)
    if starts is None:
        fraction = training.validation_fraction
        starts = validation_starts(lengths, context_length=context, horizon=horizon, fraction=fraction)
    # A series of which nothing is known before its validation rows is trained on all of them.
    starts = np.where((frame.seen(starts) > 0).all(axis=1), starts, lengths)
    builder = FeatureBuilder.learn(frame, starts, calendar=options.calendar, context_length=context)
    scale = options.scale
    if scale == "auto":
        scale = auto_scale(network.head, options.point, frame, starts, season)
    if scale in LOGARITHMS:
        builder.check_positive(frame, scale)
    frame = builder.align(frame)
    scaler = SeriesScaler.fit(frame.targets, frame.source.ends, starts, scale)
    gaps = bool(np.isnan(frame.source.values).any()) or bool((starts < context + horizon).any())
    window = builder.window(horizon=horizon, context_length=context, observed=options.fill and gaps)
    source, static = builder.source(frame, scaler), builder.static_features(frame)
    calibration = calibration_windows(frame, starts, horizon, options.calibrate) if options.calibrate else None
    judgement = horizon_windows(frame, starts, horizon, MOST_JUDGED_WINDOWS) if options.judge else None
    member = TrainingJob(source, starts, window, network, training, options.seeds[0], static, options.weighting)
    members = []
    for place, seeds in enumerate(options.seeds):
        own = contexts[place % len(contexts)]
        member = replace(member, window=replace(window, context_length=own), seeds=seeds)
        network, training = specs(replace(sizes, windows=_check_windows(frame, member), context_length=own))
        _check_support(frame, network.head)
        season_read = season if network.reads_season else None
        looked_at = replace(member.window, season_length=season_read)
        members.append(replace(member, network=network, training=training, window=looked_at))
    short = np.flatnonzero(lengths < context + horizon)
    last = int(frame.last_stamps.argmax())
    memory = SeriesState(
        frame=frame.tail(context),
        scaler=scaler,
        builder=builder,
        scale=scale,
        context_length=context,
        observed=window.observed,
        fill=options.fill,
        last_seen=frame.last_stamps[last : last + 1],
    )
    return Plan(
        memory,
        season,
        members,
        tuple(frame.source.ids[place] for place in short),
        calibration=calibration,
        judgement=judgement,
    )


def plan_further(
    new: LongFrame,
    starts: Array | None,
    memory: SeriesState,
    options: FitOptions,
    engines: Sequence[Engine],
    training: TrainingSpec | Mapping[str, Any] | None,
    freeze: tuple[str, ...],
) -> Plan:
    """Say how trained networks are to be trained further, on rows of known or new series.

    Args:
        new: The rows.
        starts: Position of each series' first validation target among them; `None` takes the training's fraction.
        memory: What is remembered of the fit: known series keep their scaling.
        options: What the forecaster was told.
        engines: The engine of each member.
        training: A spec, or what differs from the training of the fit; `None` takes a tenth of its learning rate.
        freeze: Parts of the network that stay as they are.

    Returns:
        The plan, with the rows that it is for.

    Raises:
        DataError: The rows give nothing to train on, or end before what is remembered.
        SpecError: An option is impossible.
    """
    frame = memory.with_history(new)
    added = frame.source.lengths - new.source.lengths
    _check_newest(frame, memory)
    lengths, horizon, context = frame.source.lengths, options.horizon, memory.context_length
    spec = _further(engines[0].training, training)
    if starts is None:
        starts = validation_starts(lengths, context_length=context, horizon=horizon, fraction=spec.validation_fraction)
    else:
        starts = starts + added
    starts = np.where((frame.seen(starts) > 0).all(axis=1), starts, lengths)
    if not memory.observed and options.fill and bool(np.isnan(frame.source.values).any()):
        place = int(np.argmax(np.isnan(frame.source.values).any(axis=1)))
        raise frame.error(
            frame.schema.columns.targets[0],
            place,
            expected="no missing values or steps: the fit saw none, so the network has no input that marks them",
            received="a missing one",
            hint="Fill it in, or fit anew on rows that have some.",
        )
    _check_support(frame, engines[0].network.head)
    places = memory.places(frame.source.ids)
    own = SeriesScaler.fit(frame.targets, frame.source.ends, starts, memory.scale)
    scaler = memory.scaler.take(places).where(places >= 0, own)
    source, static = memory.builder.source(frame, scaler), memory.builder.static_features(frame)
    calibration = calibration_windows(frame, starts, horizon, options.calibrate) if options.calibrate else None
    members = []
    for engine, seeds in zip(engines, options.seeds, strict=True):
        assert engine.window is not None
        window = replace(engine.window, horizon=horizon)
        member = TrainingJob(
            source,
            starts,
            window,
            engine.network,
            spec,
            seeds,
            static,
            options.weighting,
            weights=engine.weights,
            freeze=freeze,
        )
        _check_windows(frame, member)
        members.append(member)
    short = np.flatnonzero(lengths < context + horizon)
    grown = memory.add_series(frame, scaler)
    names = tuple(frame.source.ids[one] for one in short)
    return Plan(grown, options.season_length or 1, members, names, calibration, frame=frame)


def _further(spec: TrainingSpec, training: TrainingSpec | Mapping[str, Any] | None) -> TrainingSpec:
    """Return the training of a trained network's further training."""
    if isinstance(training, TrainingSpec):
        return training
    usual = {"learning_rate": spec.learning_rate / 10} if training is None else {}
    return TrainingSpec.from_dict({**spec.to_dict(), **usual, **(training or {})})


def _check_newest(frame: LongFrame, memory: SeriesState) -> None:
    """Refuse rows of known series that end before what is remembered of them."""
    places = memory.places(frame.source.ids)
    early = (places >= 0) & np.asarray(memory.frame.last_stamps[places] > frame.last_stamps)
    if early.any():
        series = int(np.flatnonzero(early)[0])
        raise DataError(
            option="df",
            series=frame.source.ids[series],
            expected=f"rows up to its last known one, {memory.frame.last_stamps[places[series]]}, or later ones",
            received=f"rows up to {frame.last_stamps[series]}",
            hint="Give its newest rows too.",
        )


def _check_support(frame: LongFrame, head: str) -> None:
    """Refuse targets that a head's distribution does not have."""
    wrong, expected = outside_support(frame.targets, head)
    if wrong.any():
        place, target = np.argwhere(wrong)[0].tolist()
        raise frame.error(
            frame.schema.columns.targets[target],
            place,
            expected=f"{expected}, for head={head!r}",
            received=f"{frame.targets[place, target]:g} ({int(wrong.sum())} such rows)",
            hint="Correct the row, or take another head, such as 'quantile', which is for any numbers.",
        )


def _check_windows(frame: LongFrame, member: TrainingJob) -> int:
    """Return the number of training windows, and refuse none."""
    window = member.window
    assert window.context_length is not None
    count = SeriesWindows(
        member.source,
        context_length=window.context_length,
        horizon=window.horizon,
        stops=member.starts,
        batch_size=1,
        **member.layout,
    ).count
    if count:
        return count
    longest = int(np.argmax(member.starts))
    raise DataError(
        option="df",
        series=frame.source.ids[longest],
        expected=f"at least 1 + {window.horizon} rows, one to read and the horizon, with a known value among the last",
        received=f"{member.starts[longest]} rows up to {frame.last_stamps[longest]} in the longest series",
        hint="Give longer series, or choose a smaller horizon.",
    )
