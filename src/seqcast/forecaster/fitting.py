"""From plans to fitted forecasters: train, choose, calibrate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from seqcast.data.frames import AnyFrame, LongFrame
from seqcast.engine import DivergedJobsError, InterruptedJobs, Outcome
from seqcast.errors import DataError, TrainingError
from seqcast.forecaster.candidates.base import Candidate, FittedCandidate
from seqcast.forecaster.candidates.table import candidates
from seqcast.forecaster.choice import Choice, HoldOut
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import FitPlan, Place, make_plan
from seqcast.forecaster.training_run import TrainingRun
from seqcast.forecaster.validation import calibrate
from seqcast.runtime import say, warn_user
from seqcast.training import History

Array = npt.NDArray[Any]

# So much less has the loss on validation windows to be with more networks, as a share, for still more to be trained.
LEAST_GAIN = 0.002


class InterruptedFit(KeyboardInterrupt):
    """The user interrupted a training that has weights.

    Args:
        fitted: The fitted forecaster with the best weights so far.
    """

    def __init__(self, fitted: FittedForecaster) -> None:
        super().__init__()
        self.fitted = fitted


class DivergedFitError(Exception):
    """A training diverged that has weights.

    Args:
        error: The error for the user.
        fitted: The fitted forecaster with the best weights so far.
    """

    def __init__(self, error: TrainingError, fitted: FittedForecaster) -> None:
        super().__init__()
        self.error, self.fitted = error, fitted


def fit_plan(plan: FitPlan, run: TrainingRun) -> FittedForecaster:
    """Run the training jobs of a plan, choose among the candidates, and calibrate.

    Args:
        plan: The plan.
        run: How they are run.

    Returns:
        The fitted forecaster.

    Raises:
        DivergedFitError: Training diverged; it holds the best weights so far of a single network, or the members of an
            ensemble that had finished.
        TrainingError: Training diverged before there was any of it.
        SpecError: There are callbacks that cannot hear these trainings.
        InterruptedFit: The user interrupted; it holds the same.
        KeyboardInterrupt: The user interrupted before there was any of it.
    """
    run.check_callbacks(plan)
    plan, trained = run.prepared(plan), dict[Place, Outcome]()
    best: FittedForecaster | None = None
    loss = math.inf
    for places in plan.rounds(timed=run.deadline is not None):
        try:
            _train(plan, places, run, trained)
            found = _chosen(plan, trained)
        except KeyboardInterrupt as interruption:
            if not trained:
                raise
            kept = _finished(plan, trained) if best is None else _calibrated(best, plan)
            raise InterruptedFit(kept) from interruption
        except TrainingError as error:
            if best is not None:
                warn_user(f"one of the further networks was left out, with those beside it: {error}")
                break
            if not trained:
                raise
            raise DivergedFitError(error, _finished(plan, trained)) from None
        before, loss = loss, found.choice.losses.get("blend", math.inf) if found.trainings else math.inf
        if run.verbose and plan.rows.options.round_size is not None and math.isfinite(loss):
            count = len(found.trainings)
            say(f"seqcast: {count} networks, quantile loss {loss:.4g}")
        best = found if best is None or loss < before else best
        if not loss < (1 - LEAST_GAIN) * before:
            break
    return _calibrated(found if best is None else best, plan)


def _train(plan: FitPlan, places: Sequence[Place], run: TrainingRun, trained: dict[Place, Outcome]) -> None:
    """Train the networks of some places.

    Args:
        plan: The plan.
        places: The places of those to train.
        run: How they are run.
        trained: The outcomes of those that have been trained, by their places, to which these are added; of an
            interrupted or a diverged training those that there are.

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
        job, deadline = jobs[place], run.deadline
        engine = job.engine()
        if deadline is not None:
            deadline = deadline.next_part(len(places) - number)
        try:
            history = run.train(job, engine, deadline, callbacks[number])
        except KeyboardInterrupt as interruption:
            if engine.model is not None:
                history = getattr(interruption, "history", History(interrupted=True))
                trained[place] = Outcome(engine, history, job)
            raise
        except TrainingError as error:
            trained[place] = Outcome(engine, error.history, job)
            raise
        trained[place] = Outcome(engine, history, job)


def untrained(frame: AnyFrame, options: FitOptions, starts: Array | None = None) -> FittedForecaster:
    """Return what a fine-tuning of a zero-shot model begins with, which has learnt no covariates.

    Args:
        frame: The rows.
        options: The resolved options of the forecaster.
        starts: Position of each series' first validation target; `None` takes the training's fraction.
    """
    (candidate,) = candidates(options)
    choice = Choice.only(candidate.key)
    plan = make_plan(frame, replace(options, calibrate=()), starts=starts, candidates=[candidate], choice=choice)
    return fit_plan(plan, TrainingRun())


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
            return [fit_plan(plan, run.without_folder()) for plan in prepared]
        except DivergedFitError as diverged:
            raise diverged.error from None
    jobs = []
    for number, (plan, (places,)) in enumerate(zip(prepared, rounds, strict=True), 1):
        for k, place in enumerate(places, 1):
            network = f", network {k} of {len(places)}" if len(places) > 1 else ""
            jobs.append(replace(plan.by_place[place], title=f"training {number} of {len(plans)}{network}"))
    try:
        outcomes = iter(run.run_jobs(jobs) if jobs else ())
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [
        _finished(plan, {place: next(outcomes) for place in places})
        for plan, (places,) in zip(prepared, rounds, strict=True)
    ]


def _finished(plan: FitPlan, trained: Mapping[Place, Outcome]) -> FittedForecaster:
    """Return what was trained and what is ready: chosen by evidence, and calibrated."""
    return _calibrated(_chosen(plan, trained), plan)


def _chosen(plan: FitPlan, trained: Mapping[Place, Outcome]) -> FittedForecaster:
    """Return the fitted forecaster of what forecasts best, alone or in shares with others.

    Args:
        plan: The plan.
        trained: The outcomes of its jobs, by their places; those of an interrupted fit lack.
    """
    rows, hold_out = plan.rows, plan.hold_out
    learnt = _learnt(plan, trained, hold_out)
    fitted = [each.fitted for each in learnt]
    choice = _choice(learnt, hold_out) if plan.choice is None else plan.choice.among(fitted)
    tried = (outcome.history for each in learnt if each.candidate.learns_alone for outcome in each.outcomes.values())
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
    """What a candidate has learnt.

    Args:
        candidate: The candidate.
        outcomes: The outcomes of its jobs, by their number.
        fitted: The best of what it has become.
        forecast: Its forecasts of the hold-out windows, where they are known.
        judge: What stands for it there, where its networks were picked by their losses on these windows.
    """

    candidate: Candidate
    outcomes: Mapping[int, Outcome]
    fitted: FittedCandidate
    forecast: Array | None = None
    judge: FittedCandidate | None = None


def _learnt(plan: FitPlan, trained: Mapping[Place, Outcome], hold_out: HoldOut | None) -> list[_Learnt]:
    """Return what each candidate has learnt; a candidate of which the rows do not tell enough is left out.

    Raises:
        DataError: That holds for all.
    """
    found, missing = list[_Learnt](), list[DataError]()
    for place, candidate in enumerate(plan.candidates):
        numbers = sorted(number for owner, number in trained if owner == place)
        outcomes = {number: trained[place, number] for number in numbers}
        try:
            versions = candidate.fitted(plan.rows, outcomes)
        except DataError as error:
            missing.append(error)
            continue
        if not versions:
            continue
        judge = candidate.judge(plan.rows, outcomes)
        if len(versions) > 1 and hold_out is not None and len(hold_out):
            fitted, forecast = hold_out.best(versions)
            found.append(_Learnt(candidate, outcomes, fitted, forecast, judge))
        else:
            # Without hold-out windows a fine-tuning is taken where the user asked for it, and not by evidence.
            found.append(_Learnt(candidate, outcomes, versions[0 if plan.choice is None else -1], judge=judge))
    if not found:
        raise missing[0]
    return found


def _choice(learnt: Sequence[_Learnt], hold_out: HoldOut | None) -> Choice:
    """Return the choice among what candidates have learnt."""
    if hold_out is None or len(learnt) == 1:
        return Choice.only(learnt[-1].fitted.name)
    if not len(hold_out):
        # A network that was trained on so few rows cannot be judged.
        return Choice.only([each for each in learnt if not each.candidate.learns_alone][-1].fitted.name)
    forecasts = {
        each.fitted.name: hold_out.forecast(each.fitted) if each.forecast is None else each.forecast for each in learnt
    }
    choice = hold_out.choice(forecasts)
    for each in learnt:
        if each.judge is not None:
            choice = hold_out.judged(choice, forecasts, each.fitted.name, each.judge)
    return choice


def _calibrated(fitted: FittedForecaster, plan: FitPlan) -> FittedForecaster:
    """Return it with intervals calibrated on validation rows; warn where networks were trained and none has a share."""
    if plan.comparison is not None and plan.by_place and len(fitted.candidates) == 1:
        reason = f"on the validation rows it erred least: {fitted.choice}"
        if not fitted.choice.losses:
            rows = f"give at least {3 * plan.rows.options.horizon} rows"
            reason = f"there are no validation rows to judge a network by: {rows}"
        fitted.candidates[0].warn_if_alone(reason, fitted.series.context_length)
    origins = plan.calibration
    if origins is None:
        return fitted
    calibrations = calibrate(
        fitted.blend,
        plan.reader_at(origins),
        origins,
        plan.rows.options.level,
        intervals=fitted.is_probabilistic,
    )
    return replace(fitted, calibrations=calibrations)
