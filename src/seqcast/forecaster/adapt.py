"""Plans of later trainings: new networks of the same sizes on other rows, or fine-tuning."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqcast.data.frames import AnyFrame, LongFrame
from seqcast.data.windows import WindowReader
from seqcast.errors import DataError
from seqcast.forecaster.candidates import FittedCandidate, candidates
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.fitting import fit_plan
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, make_plan, training_stops, with_jobs
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import FitRows, PlannedRows
from seqcast.forecaster.training_run import TrainingRun
from seqcast.runtime import Array
from seqcast.specs import TrainingSpec


def untrained(
    frame: AnyFrame, options: FitOptions, starts: Array | None = None
) -> FittedForecaster:
    """Return the fitted forecaster that the fine-tuning of a zero-shot model begins with.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        starts: Position of each series' first validation target; `None` takes the training's
            fraction.
    """
    (candidate,) = candidates(options)
    choice = Choice({candidate.key: 1.0})
    plan = make_plan(
        frame, replace(options, calibrate=()), starts=starts, candidates=[candidate], choice=choice
    )
    return fit_plan(plan, TrainingRun())


def plan_refit(
    frame: AnyFrame, fitted: FittedForecaster, options: FitOptions, starts: Array | None = None
) -> FitPlan:
    """Plan a training on other rows, with the choices that a fit made from its own.

    Args:
        frame: The rows.
        fitted: The fitted forecaster, whose sizes the networks keep.
        options: The resolved options of the forecaster.
        starts: Position of each series' first validation target; `None` takes the training's
            fraction.

    Raises:
        DataError: The rows give nothing to train on.
    """
    series = fitted.series
    calendar = series.builder.calendar.names or "none"
    read = series.context_length
    options = replace(
        options, rows_read=read, season_length=fitted.season_length, calendar=calendar
    )
    again = [each.for_refit(options) for each in _latest(fitted)]
    return make_plan(frame, options, starts=starts, candidates=again, choice=fitted.choice)


def plan_finetuning(
    new: LongFrame,
    fitted: FittedForecaster,
    options: FitOptions,
    *,
    training: TrainingSpec | Mapping[str, Any] | None = None,
    freeze: Sequence[str] = (),
    starts: Array | None = None,
) -> FitPlan:
    """Plan a later training of trained networks, on rows of known or new series.

    Args:
        new: The rows.
        fitted: The fitted forecaster; known series keep their scaling.
        options: The resolved options of the forecaster.
        training: A spec, or the fields that differ from the training of the fit; `None` takes a
            tenth of its learning rate.
        freeze: Submodules of the network that stay as they are.
        starts: Position of each series' first validation target among them; `None` takes the
            training's fraction.

    Returns:
        The plan, with these rows and the remembered ones before them.

    Raises:
        DataError: The rows give nothing to train on, or end before the rows of the fit.
        SpecError: An option is impossible.
    """
    series = fitted.series
    options = replace(options, season_length=fitted.season_length)
    frame = series.with_history(new)
    _check_newest(frame, series)

    changes = training.to_dict() if isinstance(training, TrainingSpec) else dict(training or {})
    fraction = changes.get("validation_fraction", options.validation_fraction)
    context = fitted.context_length
    rows = FitRows(
        frame, replace(options, validation_fraction=fraction), fitted.season_length, context
    )

    if starts is not None:
        starts = starts + frame.source.lengths - new.source.lengths
    starts = training_stops(rows, starts)

    if context is not None and not series.observed and options.reading.fill:
        _check_no_gaps(frame)

    scaler = series.scaler_of(frame, starts)
    reader = WindowReader.of_frame(
        frame,
        series.builder,
        scaler,
        context_length=series.context_length,
        observed=series.observed,
    )

    planned = PlannedRows(
        frame,
        rows.options,
        rows.season_length,
        context,
        series=series,
        reader=reader,
        starts=starts,
    )

    candidates = tuple(each.for_finetuning(options, training, freeze) for each in _latest(fitted))
    several = any(len(candidate.names) > 1 for candidate in candidates)
    plan = with_jobs(planned, candidates, fitted.choice, compare=several)
    return replace(plan, rows=replace(planned, series=series.add_series(frame, scaler, starts)))


def _latest(fitted: FittedForecaster) -> Sequence[FittedCandidate]:
    """Return the version of each candidate that learned most."""
    return tuple({each.key: each for each in fitted.candidates}.values())


def _check_no_gaps(frame: LongFrame) -> None:
    """Reject gaps for networks without an input that marks them."""
    missing = np.isnan(frame.source.values).any(axis=1)
    if missing.any():
        column = frame.schema.columns.targets[0]
        raise frame.error(
            column,
            int(np.argmax(missing)),
            expected=(
                "no missing values or steps: the fit saw none, "
                "so the network has no input that marks them"
            ),
            received="a missing one",
            hint="Fill it in, or fit again on rows that have some.",
        )


def _check_newest(frame: LongFrame, series: SeriesState) -> None:
    """Reject rows of known series that end before their last known one."""
    places = series.places(frame.source.ids)
    early = (places >= 0) & np.asarray(series.frame.last_stamps[places] > frame.last_stamps)
    if early.any():
        place = int(np.flatnonzero(early)[0])
        last = series.frame.last_stamps[places[place]]
        raise DataError(
            option="df",
            series=frame.source.ids[place],
            expected=f"rows up to its last known one, {last}, or later ones",
            received=f"rows up to {frame.last_stamps[place]}",
            hint="Give its newest rows too.",
        )
