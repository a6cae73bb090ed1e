"""Fits of plans: trainings here or in other processes, the choice among candidates, and the calibration."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from seqcast.data.frames import LongFrame
from seqcast.engine import (
    DivergedJobsError,
    Engine,
    InterruptedJobs,
    Outcome,
    TrainingJob,
    run_jobs,
)
from seqcast.errors import DataError, SpecError, TrainingError
from seqcast.forecaster.calibration import calibrate, copula_of_fit
from seqcast.forecaster.candidates import Candidate, FittedCandidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.hold_out import HoldOut
from seqcast.forecaster.planning import FitPlan, Place
from seqcast.pretrained import sharing_inputs
from seqcast.runtime import Array, Executor, say, warn_user
from seqcast.training import (
    CheckpointFolder,
    Deadline,
    History,
    check_callbacks,
    check_observers,
    for_network,
)

# More networks are trained while those of the last round lowered the hold-out loss by this
# fraction.
LEAST_GAIN = 0.002
# Number of windows whose forecasts are timed before a training by the clock.
FEW = 64


@runtime_checkable
class Cluster(Protocol):
    """Worker processes, on this machine or others; `seqcast.distributed` has those of Ray.

    An implementation keeps these promises:

    - `train` ends as `TrainingJob.train` does, with the same errors; an engine whose training was
      stopped has the best weights so far.
    - `storage` is a folder that all workers see; `None` where they are on this machine.
    """

    @property
    def workers(self) -> int:
        """Number of workers."""

    @property
    def storage(self) -> str | os.PathLike[str] | None:
        """The folder that all workers see."""

    def train(self, job: TrainingJob, engine: Engine, *, verbose: int = 0) -> History:
        """Train one network in all workers together.

        Args:
            job: The training.
            engine: Its engine, not yet trained.
            verbose: 0 is silent, 1 shows progress.
        """

    def write(self, table: Callable[[Any], Any], items: Sequence[Any], folder: Any) -> None:
        """Write an output file for each item in the workers.

        Args:
            table: Makes the frame of an item.
            items: Arguments of `table`, one for each frame.
            folder: Where the files go, an `OutputFolder`.
        """

    def executor(self, retries: int = ...) -> Executor:
        """Return the executor that gives each worker a job of its own.

        Args:
            retries: How often a job is tried again where a worker dies.
        """


def check_cluster(
    on: Any, *, time_limit: Any = None, callbacks: Sequence[Any] | None = None
) -> Cluster | None:
    """Return where a fit trains; `None` is this machine.

    Args:
        on: The argument of the fit.
        time_limit: Its argument of that name.
        callbacks: Its argument of that name.

    Raises:
        SpecError: It is no cluster; there is a time limit, on whose end workers would not agree; or
            there are callbacks, which other machines would call.
    """
    if on is None:
        return None
    if not isinstance(on, Cluster):
        hint = "Make one: seqcast.distributed.RayCluster(workers=4)."
        raise SpecError(
            "on", expected="a RayCluster, or None for this machine", received=repr(on), hint=hint
        )
    if time_limit is not None:
        expected = "None with on: workers would not agree when it is over"
        hint = "Say with epochs how long to train."
        raise SpecError("time_limit", expected=expected, received=repr(time_limit), hint=hint)
    if callbacks:
        hint = "Leave them out and read histories_ afterwards, or train on this machine."
        expected = "none with on: other processes train"
        raise SpecError("callbacks", expected=expected, received=repr(callbacks), hint=hint)
    return on


@dataclass(frozen=True)
class TrainingRun:
    """How trainings are run.

    Args:
        verbose: 0 is silent, 1 shows progress.
        folder: Where their states are written; `None` for no checkpoints.
        deadline: When all trainings have to end; `None` for no limit.
        callbacks: Keras callbacks. Observers see each network, others the one that is trained on
            the data alone.
        on: Workers that train one network together, or one of several each; `None` is this machine.
            With them there are no callbacks, see `check_cluster`.
    """

    verbose: int = 0
    folder: CheckpointFolder | None = None
    deadline: Deadline | None = None
    callbacks: Sequence[Any] = ()
    on: Cluster | None = None

    def run_jobs(
        self, jobs: Sequence[TrainingJob], callbacks: Sequence[Sequence[Any]] = ()
    ) -> list[Outcome]:
        """Train several networks side by side; see `seqcast.engine.training_jobs.run_jobs`.

        Args:
            jobs: The trainings.
            callbacks: The Keras callbacks of each.
        """
        executor = None if self.on is None else self.on.executor()
        return run_jobs(
            jobs,
            verbose=self.verbose,
            deadline=self.deadline,
            callbacks=callbacks,
            executor=executor,
        )

    def check_callbacks(self, plan: FitPlan) -> None:
        """Reject callbacks that cannot observe the trainings of a plan, before any of them begins.

        Args:
            plan: The plan.

        Raises:
            SpecError: Some are no observers, and there are checkpoints or several networks.
            FileFormatError: The log of a network would replace a file that is no log.
        """
        jobs = list(plan.by_place.values())
        ours = sum(not job.observers_only for job in jobs)
        if self.folder is not None:
            check_observers(self.callbacks, "observers only with checkpoint")
        elif ours > 1:
            check_observers(
                self.callbacks, f"copies for worker processes, of {ours} networks", in_workers=True
            )
        for job in jobs:
            check_callbacks(self.callbacks_of(job, alone=len(jobs) == 1))

    def callbacks_of(self, job: TrainingJob, *, alone: bool) -> list[Any]:
        """Return the callbacks of one of the networks of a plan.

        Args:
            job: The training.
            alone: Whether it is the only one.
        """
        if alone:
            return list(self.callbacks)
        return for_network(self.callbacks, job.log_name, observers_only=job.observers_only)

    def prepared(self, plan: FitPlan, name: str = "") -> FitPlan:
        """Return a plan whose jobs write checkpoints.

        Args:
            plan: The plan.
            name: Its name, where there are several.

        Raises:
            SpecError: The training has a function, which cannot be written to a file.
        """
        folder = self.folder
        if folder is None:
            return plan
        written = (
            tuple(job.with_checkpoints(folder, f"{name}{job.log_name}") for job in jobs)
            for jobs in plan.jobs
        )
        return replace(plan, jobs=tuple(written))


class InterruptedFit(KeyboardInterrupt):
    """The user interrupted a training that has weights.

    Args:
        fitted: The fitted forecaster with the best weights so far.
    """

    def __init__(self, fitted: FittedForecaster) -> None:
        super().__init__()
        self.fitted = fitted


def fit_plan(plan: FitPlan, run: TrainingRun) -> FittedForecaster:
    """Run the training jobs of a plan, choose among the candidates, and calibrate.

    Args:
        plan: The plan.
        run: How they are run.

    Returns:
        The fitted forecaster.

    Raises:
        TrainingError: Training diverged. Its `best` is a fitted forecaster with the best weights so
            far of a single network, or the members of an ensemble that had finished; `None` where
            there are none.
        SpecError: There are callbacks that cannot observe these trainings.
        InterruptedFit: The user interrupted; its `fitted` is such a forecaster.
        KeyboardInterrupt: The user interrupted before there was any network.
    """
    run.check_callbacks(plan)
    if run.deadline is not None and plan.by_place:
        run = replace(run, deadline=replace(run.deadline, after=_seconds_after(plan)))
    plan = run.prepared(plan)
    trained = dict[Place, Outcome]()
    best: FittedForecaster | None = None
    loss = math.inf
    for places in plan.rounds(timed=run.deadline is not None):
        try:
            _train(plan, places, run, trained)
            newest = _chosen(plan, trained)
        except KeyboardInterrupt as interruption:
            if not trained:
                raise
            fitted = _finished(plan, trained) if best is None else _calibrated(best, plan)
            raise InterruptedFit(fitted) from interruption
        except TrainingError as error:
            if best is None:
                error.best = _finished(plan, trained) if trained else None
                raise
            warn_user(f"the last networks were left out, since one of them diverged: {error}")
            break
        before = loss
        loss = newest.choice.losses.get("blend", math.inf) if newest.trainings else math.inf
        if run.verbose and plan.rows.options.round_size is not None and math.isfinite(loss):
            say(f"seqcast: {len(newest.trainings)} networks, quantile loss {loss:.4g}")
        best = newest if best is None or loss < before else best
        if not loss < (1 - LEAST_GAIN) * before:
            break
    return _calibrated(newest if best is None else best, plan)


def _seconds_after(plan: FitPlan) -> float | None:
    """Return about the seconds that comparison and calibration will take, from those of a few windows.

    They are `None` where every candidate is trained first.
    """
    ready = [
        each for each, jobs in zip(plan.candidates, plan.jobs, strict=True) if not each.learns_alone
    ]
    hold_out = plan.hold_out
    if hold_out is None or not len(hold_out) or not ready:
        return None
    versions = ready[-1].fitted(plan.rows, {})
    few = replace(
        hold_out, origins=hold_out.origins.take(slice(None, None, -(-len(hold_out.origins) // FEW)))
    )
    few.forecast(versions[-1])  # the first time compiles
    began = time.perf_counter()
    few.forecast(versions[-1])
    each = (time.perf_counter() - began) / len(few.origins)
    calibrated = 0 if plan.calibration is None else len(plan.calibration)
    return each * len(plan.candidates) * (len(hold_out.origins) + 2 * calibrated)


def _train(
    plan: FitPlan, places: Sequence[Place], run: TrainingRun, trained: dict[Place, Outcome]
) -> None:
    """Train the networks at some places.

    Args:
        plan: The plan.
        places: The places of the jobs.
        run: How they are run.
        trained: Outcomes by place, to which those of these jobs are added, also those before an
            interruption or a divergence.

    Raises:
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted.
    """
    jobs = plan.by_place
    callbacks = [run.callbacks_of(jobs[place], alone=len(jobs) == 1) for place in places]
    if sum(not job.observers_only for job in jobs.values()) > 1:
        finished: Mapping[int, Outcome] = {}
        try:
            finished = dict(enumerate(run.run_jobs([jobs[place] for place in places], callbacks)))
        except InterruptedJobs as interruption:
            finished = interruption.trained
            raise
        except DivergedJobsError as diverged:
            finished = diverged.trained
            raise diverged.error from None
        finally:
            trained |= {places[number]: outcome for number, outcome in finished.items()}
        return
    # One after another, each with all cores, or all workers.
    for number, place in enumerate(places):
        job = jobs[place]
        deadline = run.deadline
        engine = job.engine()
        if deadline is not None:
            deadline = deadline.of_next(len(places) - number)
        try:
            if run.on is not None:
                history = run.on.train(job, engine, verbose=run.verbose)
            else:
                history = job.train(
                    engine, verbose=run.verbose, deadline=deadline, callbacks=callbacks[number]
                )
        except (KeyboardInterrupt, TrainingError) as error:
            if engine.model is not None:
                trained[place] = Outcome(
                    engine, getattr(error, "history", History(interrupted=True)), job
                )
            raise
        trained[place] = Outcome(engine, history, job)


def fit_plans(plans: Sequence[FitPlan], run: TrainingRun) -> list[FittedForecaster]:
    """Run the training jobs of several plans, all in parallel, or where networks are added, plan after plan.

    Args:
        plans: The plans.
        run: How they are run.

    Raises:
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted.
    """
    prepared = [run.prepared(plan, f"training-{number}-") for number, plan in enumerate(plans, 1)]
    rounds = [plan.rounds(timed=run.deadline is not None) for plan in plans]
    if len(plans) == 1 or max(map(len, rounds), default=0) > 1:
        try:
            return [fit_plan(plan, replace(run, folder=None)) for plan in prepared]
        except TrainingError as error:
            error.best = None
            raise
    jobs = []
    for number, (plan, (places,)) in enumerate(zip(prepared, rounds, strict=True), 1):
        for k, place in enumerate(places, 1):
            network = f", network {k} of {len(places)}" if len(places) > 1 else ""
            jobs.append(
                replace(plan.by_place[place], title=f"training {number} of {len(plans)}{network}")
            )
    try:
        outcomes = iter(run.run_jobs(jobs) if jobs else ())
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [
        _finished(plan, {place: next(outcomes) for place in places})
        for plan, (places,) in zip(prepared, rounds, strict=True)
    ]


def _finished(plan: FitPlan, trained: Mapping[Place, Outcome]) -> FittedForecaster:
    """Return the fitted forecaster: its candidates chosen by evidence, its intervals calibrated."""
    return _calibrated(_chosen(plan, trained), plan)


def _chosen(plan: FitPlan, trained: Mapping[Place, Outcome]) -> FittedForecaster:
    """Return the fitted forecaster of the candidates that forecast best, in their shares.

    Args:
        plan: The plan.
        trained: The outcomes of its jobs, by their places; some are missing after an interruption.
    """
    rows = plan.rows
    hold_out = plan.hold_out
    learnt = _learnt(plan, trained, hold_out)
    fitted = [each.fitted for each in learnt]
    choice = _choice(learnt, hold_out) if plan.choice is None else plan.choice.among(fitted)
    tried = (
        trained[place].history
        for place in sorted(trained)
        if plan.candidates[place[0]].learns_alone
    )
    return FittedForecaster(
        series=rows.series,
        season_length=rows.season_length,
        seed=rows.options.seed,
        choice=choice,
        candidates=tuple(each for each in fitted if each.name in choice.shares),
        rows=rows.options.rows,
        output=rows.options.output,
        short_series=plan.short_series,
        skipped=rows.frame.skipped,
        tried=next(tried, History()),
        frame=rows.frame if isinstance(rows.frame, LongFrame) else None,
    )


@dataclass(frozen=True)
class _Learnt:
    """The result of a candidate after the trainings.

    Args:
        candidate: The candidate.
        fitted: One of its fitted versions.
        forecast: Its forecasts of the hold-out windows, where they are known.
        judge: Its judge, where its networks were picked by their losses on these windows.
    """

    candidate: Candidate
    fitted: FittedCandidate
    forecast: Array | None = None
    judge: FittedCandidate | None = None


def _learnt(
    plan: FitPlan, trained: Mapping[Place, Outcome], hold_out: HoldOut | None
) -> list[_Learnt]:
    """Return the results of each candidate, without those that cannot learn enough from the rows.

    Raises:
        DataError: No candidate can.
    """
    learnt = list[_Learnt]()
    missing = list[DataError]()
    for place, candidate in enumerate(plan.candidates):
        outcomes = {
            number: trained[owner, number] for owner, number in sorted(trained) if owner == place
        }
        try:
            versions = candidate.fitted(plan.rows, outcomes)
        except DataError as error:
            missing.append(error)
            continue
        judge = candidate.judge(plan.rows, outcomes)
        learnt += [
            _Learnt(candidate, *version, judge) for version in _compared(plan, versions, hold_out)
        ]
    if not learnt:
        raise missing[0]
    return learnt


@sharing_inputs()
def _compared(
    plan: FitPlan, versions: Sequence[FittedCandidate], hold_out: HoldOut | None
) -> list[tuple[FittedCandidate, Array | None]]:
    """Return the versions of a candidate that share the forecast, or may, with their forecasts where they are known.

    Of versions of one name the best is taken, and of a single candidate. Without hold-out windows
    there is no evidence: after a fit they are those that had shares in it, and the last version is
    taken where the user called for it.
    """
    if hold_out is not None and len(hold_out):
        by_name = dict[str, list[FittedCandidate]]()
        for each in versions:
            by_name.setdefault(
                each.name if plan.choice is None and len(plan.candidates) > 1 else "", []
            ).append(each)
        return [hold_out.best(alike) for alike in by_name.values()]
    if plan.choice is None or hold_out is not None:
        return [(each, None) for each in (versions[:1] if plan.choice is None else versions[-1:])]
    shared = {each.name: each for each in reversed(versions) if each.name in plan.choice.shares}
    return [(each, None) for each in shared.values() or versions[-1:]]


def _choice(learnt: Sequence[_Learnt], hold_out: HoldOut | None) -> Choice:
    """Return the choice among the results of candidates."""
    if hold_out is None or len(learnt) == 1:
        return Choice({learnt[-1].fitted.name: 1.0})
    if not len(hold_out):
        # A network that was trained on so few rows cannot be judged.
        return Choice(
            {[each for each in learnt if not each.candidate.learns_alone][-1].fitted.name: 1.0}
        )
    forecasts = {
        each.fitted.name: hold_out.forecast(each.fitted) if each.forecast is None else each.forecast
        for each in learnt
    }
    choice = hold_out.choice(forecasts)
    for each in learnt:
        if each.judge is not None:
            choice = hold_out.judged(choice, forecasts, each.fitted.name, each.judge)
    return choice


def _calibrated(fitted: FittedForecaster, plan: FitPlan) -> FittedForecaster:
    """Return it with intervals calibrated on validation rows, from which the copula of sample paths is learnt, too.

    It warns where no trained network has a share.
    """
    learns = any(candidate.learns_alone for candidate in plan.candidates)
    if plan.comparison is not None and learns and len(fitted.candidates) == 1:
        reason = f"on the validation rows it erred least: {fitted.choice}"
        if not fitted.choice.losses:
            rows = f"give at least {3 * plan.rows.options.horizon} rows"
            reason = f"there are no validation rows to judge a network by: {rows}"
        fitted.candidates[0].warn_if_alone(reason, fitted.series.context_length)
    if plan.calibration is not None:
        reader = plan.reader_at(plan.calibration)
        level = plan.rows.options.output.level
        fitted = replace(fitted, calibrations=calibrate(fitted, reader, plan.calibration, level))
    return replace(fitted, copula_source=copula_of_fit(fitted, plan))
