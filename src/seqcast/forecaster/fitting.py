"""From plans to fitted states: train, choose, calibrate."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.engine.engine import Engine
from seqcast.errors import TrainingError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.evidence import Networks, chosen_state, warn_if_fallen
from seqcast.forecaster.jobs import DivergedJobsError, InterruptedJobs, TrainingJob
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.training_run import TrainingRun
from seqcast.forecaster.validation import calibrate
from seqcast.runtime.caution import warn_user
from seqcast.specs.training import TrainingSpec
from seqcast.training.history import History

__all__ = ["DivergedFitError", "InterruptedFit", "fit_plan", "fit_plans", "untrained_state"]

Array = npt.NDArray[Any]

# So much less has the loss on validation windows to be with more networks, as a share, for still more to be trained.
LEAST_GAIN = 0.002


class InterruptedFit(KeyboardInterrupt):
    """The user interrupted a training that has weights.

    Args:
        state: The fitted state with the best weights so far.
    """

    def __init__(self, state: FittedState) -> None:
        super().__init__()
        self.state = state


class DivergedFitError(Exception):
    """A training diverged that has weights.

    Args:
        error: What is to be said of it.
        state: The fitted state with the best weights so far.
    """

    def __init__(self, error: TrainingError, state: FittedState) -> None:
        super().__init__()
        self.error, self.state = error, state


def fit_plan(plan: FitPlan, run: TrainingRun, *, training: Sequence[TrainingSpec] | None = None) -> FittedState:
    """Run the training jobs of a plan.

    Args:
        plan: The plan.
        run: How they are run.
        training: The training of each network at the fit, if this is a further training.

    Returns:
        The fitted state.

    Raises:
        DivergedFitError: Training diverged; it holds the best weights so far of a single network, or the members of an
            ensemble that had finished.
        TrainingError: Training diverged before there was any of it.
        SpecError: There are callbacks that cannot hear these trainings.
        InterruptedFit: The user interrupted; it holds the same.
        KeyboardInterrupt: The user interrupted before there was any of it.
    """
    trained: dict[int, tuple[Engine, History]] = {}
    state, loss = None, math.inf
    run.check_callbacks(plan)
    jobs = run.prepared(plan)
    for places in _rounds(plan, timed=run.deadline is not None):
        try:
            _train(plan, jobs, places, run, trained)
            found = _chosen(plan, trained, training)
        except KeyboardInterrupt as interruption:
            if not trained:
                raise
            kept = _finished(plan, trained, training) if state is None else _completed(state, plan)
            raise InterruptedFit(kept) from interruption
        except TrainingError as error:
            if state is not None:
                warn_user(f"one of the further networks was left out, with those beside it: {error}")
                break
            if not trained:
                raise
            raise DivergedFitError(error, _finished(plan, trained, training)) from None
        before, loss = loss, found.choice.losses.get("blend", math.inf) if found.engines else math.inf
        if run.verbose and plan.options.at_once is not None and math.isfinite(loss):
            print(f"seqcast: {len(found.engines)} networks, quantile loss {loss:.4g}", file=sys.stderr, flush=True)
        state = found if state is None or loss < before else state
        if not loss < (1 - LEAST_GAIN) * before:
            break
    assert state is not None
    return _completed(state, plan)


def _rounds(plan: FitPlan, *, timed: bool) -> list[list[int]]:
    """Return the places of the jobs that are trained before it is asked whether more networks would help.

    Args:
        plan: The plan.
        timed: Whether the time is limited: then the first ones take all of it.
    """
    further = list(plan.finetuning)
    ours = [place for place in range(len(plan.jobs)) if place not in further]
    count = plan.options.at_once or max(1, len(ours))
    rounds = [ours[first : first + count] for first in range(0, max(1, len(ours)), count)]
    rounds[0] += further
    return rounds[:1] if timed or plan.comparison is None else rounds


def _train(
    plan: FitPlan,
    jobs: Sequence[TrainingJob],
    places: Sequence[int],
    run: TrainingRun,
    trained: dict[int, tuple[Engine, History]],
) -> None:
    """Train the networks of some places.

    Args:
        plan: The plan.
        jobs: All jobs of the plan.
        places: The places of those to train.
        run: How they are run.
        trained: The engine and the history of those that have been trained, by their place, to which these are added;
            of an interrupted or a diverged training those that there are.

    Raises:
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted.
    """
    if len(jobs) - len(plan.finetuning) > 1:
        names = [
            f"network {place + 1}" if place not in plan.finetuning else "the pretrained network" for place in places
        ]
        finished: Mapping[int, tuple[Engine, History]] = {}
        try:
            callbacks = [run.callbacks_of(plan, place) for place in places]
            done = run.run_jobs([jobs[place] for place in places], names, callbacks)
            finished = dict(enumerate(done))
        except InterruptedJobs as interruption:
            finished = interruption.trained
            raise
        except DivergedJobsError as diverged:
            finished = diverged.trained
            raise diverged.error from None
        finally:
            trained |= {places[number]: result for number, result in finished.items()}
        return
    # One after another, each with all cores, or all workers; the fine-tuning first, which is short.
    order = sorted(places, key=lambda place: place not in plan.finetuning)
    for number, place in enumerate(order):
        engine, deadline = jobs[place].engine(), run.deadline
        if deadline is not None:
            deadline = deadline.next_part(len(order) - number)
        try:
            history = run.train(jobs[place], engine, deadline, run.callbacks_of(plan, place))
        except KeyboardInterrupt as interruption:
            if engine.model is not None:
                trained[place] = engine, getattr(interruption, "history", History(interrupted=True))
            raise
        except TrainingError as error:
            trained[place] = engine, error.history
            raise
        trained[place] = engine, history


def untrained_state(frame: LongFrame, starts: Array | None, options: FitOptions) -> FittedState:
    """Return the state from which a fine-tuning of the pretrained network begins: it has learnt no covariates.

    Args:
        frame: The rows.
        starts: Position of each series' first validation target; `None` takes the training's fraction.
        options: The resolved options of the forecaster.
    """
    options = replace(options, choice=Choice.only("pretrained"), calibrate=())
    return fit_plan(make_plan(frame, options, options.specs, starts), TrainingRun())


def fit_plans(plans: Sequence[FitPlan], run: TrainingRun) -> list[FittedState]:
    """Run the training jobs of several plans, all in parallel, or where networks are added, plan after plan.

    Args:
        plans: The plans.
        run: How they are run.

    Raises:
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted.
    """
    timed = run.deadline is not None
    prepared = [replace(plan, jobs=run.prepared(plan, f"training-{number}-")) for number, plan in enumerate(plans, 1)]
    alone = replace(run, folder=None)
    rounds = [_rounds(plan, timed=timed) for plan in plans]
    if len(plans) == 1 or max(map(len, rounds), default=0) > 1:
        try:
            return [fit_plan(plan, alone) for plan in prepared]
        except DivergedFitError as diverged:
            raise diverged.error from None
    jobs, names = [], []
    for number, (plan, (places,)) in enumerate(zip(prepared, rounds, strict=True), 1):
        name, count = f"training {number} of {len(plans)}", len(places)
        jobs += [plan.jobs[place] for place in places]
        names += [name if count == 1 else f"{name}, network {k + 1} of {count}" for k in range(count)]
    try:
        trained = iter(run.run_jobs(jobs, names) if jobs else ())
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [
        _finished(plan, {place: next(trained) for place in places}, None)
        for plan, (places,) in zip(plans, rounds, strict=True)
    ]


def _finished(
    plan: FitPlan, trained: Mapping[int, tuple[Engine, History]], training: Sequence[TrainingSpec] | None
) -> FittedState:
    """Return the state of what was trained and what is ready: chosen by evidence, and calibrated."""
    return _completed(_chosen(plan, trained, training), plan)


def _chosen(
    plan: FitPlan, trained: Mapping[int, tuple[Engine, History]], training: Sequence[TrainingSpec] | None
) -> FittedState:
    """Return the state of what was trained and what is ready, chosen by evidence.

    Args:
        plan: The plan.
        trained: The engine and the history of its jobs, by their places; those of an interrupted fit lack.
        training: The training of each network at the fit, if this is a further training.
    """
    ours = [place for place in trained if place not in plan.finetuning]
    specs = [plan.jobs[place].training for place in ours] if training is None else [training[place] for place in ours]
    networks = Networks(
        engines=tuple(trained[place][0] for place in ours),
        training=tuple(specs),
        histories=tuple(trained[place][1] for place in ours),
        pretrained=plan.pretrained,
        finetuned=plan.finetuned,
    )
    finetuned = None
    for place, job in plan.finetuning.items():
        if place in trained:
            engine, history = trained[place]
            finetuned = networks.with_finetuned(job.finetuned(engine.weights), history)
    return chosen_state(plan, networks, finetuned)


def _completed(state: FittedState, plan: FitPlan) -> FittedState:
    """Return the state with intervals calibrated on validation rows; warn where no network is left."""
    warn_if_fallen(plan, state.choice)
    origins = plan.calibration
    if origins is None:
        return state
    predictor, level = state.predictor(plan.options.combine), plan.options.level
    calibrations = calibrate(predictor, plan.reader_at(origins), origins, level, intervals=state.is_probabilistic)
    return replace(state, calibrations=calibrations)
