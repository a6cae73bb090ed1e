"""From plans to fitted states: train, compare with the seasonal naive forecast, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqcast.engine.engine import Engine
from seqcast.errors import TrainingError
from seqcast.forecaster.fallback import SeasonalNaivePredictor, naive_calibrations, warn_of_fallback
from seqcast.forecaster.jobs import DivergedJobsError, InterruptedJobs, TrainingJob, run_jobs
from seqcast.forecaster.planning import FitPlan
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.validation import calibrate, mean_errors
from seqcast.pretrained import load_pretrained
from seqcast.specs.training import TrainingSpec
from seqcast.training.checkpoints import CheckpointFolder
from seqcast.training.deadline import Deadline
from seqcast.training.history import History

__all__ = ["DivergedFitError", "InterruptedFit", "TrainingRun", "fit_plan", "fit_plans", "naive_state"]


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
        smaller = replace(plan, jobs=[plan.jobs[place] for place in trained])
        theirs = None if training is None else [training[place] for place in trained]
        return _finished(smaller, list(trained.values()), theirs)

    if plan.pretrained:
        return _zero_shot(plan)
    jobs = run.prepared(plan)
    if len(jobs) > 1:
        names = [f"member {place + 1} of {len(jobs)}" for place in range(len(jobs))]
        try:
            return _finished(plan, run_jobs(jobs, names, verbose=run.verbose, deadline=run.deadline), training)
        except InterruptedJobs as interruption:
            if not interruption.trained:
                raise
            raise InterruptedFit(kept(interruption.trained)) from interruption
        except DivergedJobsError as diverged:
            if not diverged.trained:
                raise diverged.error from None
            raise DivergedFitError(diverged.error, kept(diverged.trained)) from None
    (job,) = jobs
    engine = job.engine()
    try:
        history = job.train(engine, verbose=run.verbose, deadline=run.deadline)
    except KeyboardInterrupt as interruption:
        if engine.model is None:
            raise
        history = getattr(interruption, "history", History(interrupted=True))
        raise InterruptedFit(kept({0: (engine, history)})) from interruption
    except TrainingError as error:
        raise DivergedFitError(error, kept({0: (engine, error.history)})) from None
    return kept({0: (engine, history)})


def fit_plans(plans: Sequence[FitPlan], run: TrainingRun) -> list[FittedState]:
    """Run the training jobs of several plans, all in parallel; arguments as for `fit_plan`."""
    if plans[0].pretrained:
        return [_zero_shot(plan) for plan in plans]
    jobs: list[TrainingJob] = []
    names: list[str] = []
    for number, plan in enumerate(plans, 1):
        name, count = f"training {number} of {len(plans)}", len(plan.jobs)
        jobs += run.prepared(plan, f"training-{number}-")
        names += [name if count == 1 else f"{name}, member {k + 1} of {count}" for k in range(count)]
    if len(plans) == 1:
        (plan,) = plans
        try:
            return [fit_plan(replace(plan, jobs=jobs), replace(run, folder=None))]
        except DivergedFitError as diverged:
            raise diverged.error from None
    try:
        trained = iter(run_jobs(jobs, names, verbose=run.verbose, deadline=run.deadline))
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [_finished(plan, [next(trained) for _ in plan.jobs], None) for plan in plans]


def naive_state(plan: FitPlan) -> FittedState:
    """Return the state that repeats the last season of the rows of a plan; nothing is trained."""
    return _calibrated(replace(_state(plan, []), histories=(History(),)), plan)


def _zero_shot(plan: FitPlan) -> FittedState:
    """Return the state of the pretrained network, which is not trained on the rows of a plan."""
    network = load_pretrained()
    state = replace(_state(plan, []), engines=(network.engine,), histories=(History(),), pretrained=network)
    return _calibrated(state, plan)


def _finished(
    plan: FitPlan, trained: Sequence[tuple[Engine, History]], training: Sequence[TrainingSpec] | None
) -> FittedState:
    """Return the state of trained networks, compared with the seasonal naive forecast and calibrated."""
    state = _state(plan, trained)
    if training is not None:
        state = replace(state, training=tuple(training))
    return _calibrated(_with_fallback(state, plan), plan)


def _state(plan: FitPlan, trained: Sequence[tuple[Engine, History]]) -> FittedState:
    return FittedState(
        series=plan.series,
        season_length=plan.season_length,
        seed=plan.options.seed,
        training=tuple(job.training for job in plan.jobs),
        engines=tuple(engine for engine, _ in trained),
        histories=tuple(history for _, history in trained),
        short_series=plan.short_series,
        skipped=plan.frame.skipped,
        rows=plan.frame,
    )


def _with_fallback(state: FittedState, plan: FitPlan) -> FittedState:
    """Return the state with its networks, or without them and a warning where the seasonal naive forecast is better."""
    origins = plan.comparison
    if origins is None:
        return state
    reason = f"there are no validation rows to judge a network by: give at least {3 * origins.horizon} rows"
    if len(origins):
        naive = SeasonalNaivePredictor(state.season_length)
        ours, repeated = mean_errors(state.predictor(plan.options.combine), naive, plan.reader(origins), origins)
        if ours <= repeated:
            return state
        reason = f"on the validation rows it erred by {repeated:.3g} and the network by {ours:.3g} (scaled)"
    warn_of_fallback(state.season_length, state.series.context_length, reason)
    return replace(state, engines=(), histories=state.histories[:1])


def _calibrated(state: FittedState, plan: FitPlan) -> FittedState:
    """Return the state with intervals calibrated on validation rows, or with those of the seasonal naive forecast."""
    origins, level = plan.calibration, plan.options.level
    if origins is not None:
        predictor = state.predictor(plan.options.combine)
        calibrations = calibrate(predictor, plan.reader(origins), origins, level, intervals=state.is_probabilistic)
    elif not state.engines and level:
        reader, horizon = plan.jobs[0].reader, plan.jobs[0].window.horizon
        season = state.season_length if 1 < state.season_length <= reader.context_length else 1
        calibrations = naive_calibrations(reader, season_length=season, horizon=horizon, level=level)
    else:
        return state
    return replace(state, calibrations=calibrations)
