"""The plan of a further training of trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.windows.reader import WindowReader
from seqcast.errors import DataError
from seqcast.forecaster.finetuning import FinetuneJob, finetune_training
from seqcast.forecaster.jobs import TrainingJob
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, short_names, training_stops
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.support import check_head_support
from seqcast.forecaster.validation import calibration_origins, comparison_origins
from seqcast.specs.training import TrainingSpec

__all__ = ["plan_further"]

Array = npt.NDArray[Any]


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
    least = max(state.context_lengths) if state.engines else 1
    first = trainings[0] if trainings else finetune_training(1, training)
    starts = training_stops(frame, None if starts is None else starts + added, first, least, horizon)
    if state.engines and not series.observed and options.fill:
        _check_no_gaps(frame)
    check_head_support(frame, state.networks[0].network.head)
    scaler = series.scaler_of(frame, starts)
    reader = WindowReader.of_frame(frame, series.builder, scaler, context_length=context, observed=series.observed)
    jobs: list[TrainingJob] = []
    for engine, spec, seeds in zip(state.engines, trainings, options.seeds, strict=False):
        assert engine.window is not None
        window = replace(engine.window, horizon=horizon)
        job = TrainingJob(
            reader, starts, window, engine.network, spec, seeds, options.weighting, engine.weights, freeze
        )
        job.checked_windows(frame)
        jobs.append(job)
    ready = state.pretrained
    if ready is not None:
        further: dict[str, Any] = {"weighting": options.weighting, "freeze": freeze}
        further |= {"covariates": series.builder.has_covariates, "most": options.rows_read}
        job = FinetuneJob.of(
            ready, reader, starts, state.season_length, horizon, seeds=options.seeds[0], training=training, **further
        )
        job.checked_windows(frame)
        jobs.append(job)
    return FitPlan(
        options,
        series.add_series(frame, scaler, starts),
        state.season_length,
        reader,
        jobs,
        frame,
        ready,
        "finetuned" in state.choice.shares,
        short_names(frame, least + horizon) if state.engines else (),
        calibration_origins(reader, starts, horizon, options.calibrate) if options.calibrate else None,
        comparison_origins(frame.source.lengths, starts, horizon) if ready is not None else None,
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
