"""From plans to fitted states: train, choose, calibrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from seqcast.data.frames.long_frame import LongFrame
from seqcast.engine.engine import Engine
from seqcast.errors import TrainingError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.evidence import Networks, chosen_state
from seqcast.forecaster.jobs import DivergedJobsError, InterruptedJobs, TrainingJob, run_jobs
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, make_plan
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.validation import calibrate
from seqcast.specs.training import TrainingSpec
from seqcast.training.checkpoints import CheckpointFolder
from seqcast.training.deadline import Deadline
from seqcast.training.history import History

__all__ = ["DivergedFitError", "InterruptedFit", "TrainingRun", "fit_plan", "fit_plans", "untrained_state"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingRun:
    """How trainings are run.

    Args:
        verbose: 0 is silent, 1 shows progress.
        folder: Where their states are written; `None` for no checkpoints.
        deadline: When all have to be done; `None` for no limit.
    """

    verbose: int = 0
    folder: CheckpointFolder | None = None
    deadline: Deadline | None = None

    def prepared(self, plan: FitPlan, name: str = "") -> list[TrainingJob]:
        """Return the jobs of a plan, with checkpoints.

        Args:
            plan: The plan.
            name: Its name, where there are several.

        Raises:
            SpecError: The training holds a function, which a file cannot.
        """
        if self.folder is None:
            return list(plan.jobs)
        return [job.with_checkpoints(self.folder, f"{name}member-{place}") for place, job in enumerate(plan.jobs, 1)]


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
        InterruptedFit: The user interrupted; it holds the same.
        KeyboardInterrupt: The user interrupted before there was any of it.
    """

    def kept(trained: dict[int, tuple[Engine, History]]) -> FittedState:
        """Return the state of the networks that there are, by their places."""
        return _finished(plan, trained, training)

    if not plan.jobs:
        return kept({})
    jobs = run.prepared(plan)
    trained: dict[int, tuple[Engine, History]] = {}
    if len(jobs) - len(plan.finetuning) > 1:
        names = [f"member {place + 1} of {len(jobs)}" for place in range(len(jobs))]
        for place in plan.finetuning:
            names[place] = "the pretrained network"
        try:
            done = run_jobs(jobs, names, verbose=run.verbose, deadline=run.deadline)
            return kept(dict(enumerate(done)))
        except InterruptedJobs as interruption:
            if not interruption.trained:
                raise
            raise InterruptedFit(kept(interruption.trained)) from interruption
        except DivergedJobsError as diverged:
            if not diverged.trained:
                raise diverged.error from None
            raise DivergedFitError(diverged.error, kept(diverged.trained)) from None
    # One after another, each with all cores; the fine-tuning first, which is short.
    for place in sorted(range(len(jobs)), key=lambda place: place not in plan.finetuning):
        engine, deadline = jobs[place].engine(), run.deadline
        if deadline is not None:
            deadline = deadline.next_part(len(jobs) - len(trained))
        try:
            history = jobs[place].train(engine, verbose=run.verbose, deadline=deadline)
        except KeyboardInterrupt as interruption:
            if engine.model is not None:
                trained[place] = engine, getattr(interruption, "history", History(interrupted=True))
            if not trained:
                raise
            raise InterruptedFit(kept(trained)) from interruption
        except TrainingError as error:
            trained[place] = engine, error.history
            raise DivergedFitError(error, kept(trained)) from None
        trained[place] = engine, history
    return kept(trained)


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
    """Run the training jobs of several plans, all in parallel; arguments as for `fit_plan`."""
    jobs: list[TrainingJob] = []
    names: list[str] = []
    for number, plan in enumerate(plans, 1):
        name, count = f"training {number} of {len(plans)}", len(plan.jobs)
        jobs += run.prepared(plan, f"training-{number}-")
        names += [name if count == 1 else f"{name}, network {k + 1} of {count}" for k in range(count)]
    if len(plans) == 1:
        (plan,) = plans
        try:
            return [fit_plan(replace(plan, jobs=jobs), replace(run, folder=None))]
        except DivergedFitError as diverged:
            raise diverged.error from None
    try:
        trained = iter(run_jobs(jobs, names, verbose=run.verbose, deadline=run.deadline) if jobs else ())
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [_finished(plan, {place: next(trained) for place in range(len(plan.jobs))}, None) for plan in plans]


def _finished(
    plan: FitPlan, trained: Mapping[int, tuple[Engine, History]], training: Sequence[TrainingSpec] | None
) -> FittedState:
    """Return the state of what was trained and what is ready: chosen by evidence, and calibrated.

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
    return _calibrated(chosen_state(plan, networks, finetuned), plan)


def _calibrated(state: FittedState, plan: FitPlan) -> FittedState:
    """Return the state with intervals calibrated on validation rows."""
    origins = plan.calibration
    if origins is None:
        return state
    predictor, level = state.predictor(plan.options.combine), plan.options.level
    calibrations = calibrate(predictor, plan.reader_at(origins), origins, level, intervals=state.is_probabilistic)
    return replace(state, calibrations=calibrations)
