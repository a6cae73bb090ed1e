"""Fits of plans: trainings round after round, or those of several plans side by side."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seqcast.engine import DivergedJobsError, InterruptedJobs, Outcome, TrainingJob
from seqcast.errors import TrainingError
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.planning import FitPlan, Place
from seqcast.forecaster.selection import Selection, calibrated
from seqcast.forecaster.training_run import TrainingRun
from seqcast.runtime import say, warn_user
from seqcast.training import History

# More networks are trained while those of the last round lowered the hold-out loss by this
# fraction.
LEAST_GAIN = 0.002

# Number of windows whose forecasts are timed before a training by the clock.
TIMED_WINDOWS = 64


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
        run = replace(run, deadline=replace(run.deadline, seconds_after=_seconds_after(plan)))
    return Rounds(run.prepared(plan), run).fitted()


@dataclass
class Rounds:
    """The rounds of trainings of a plan, and the best forecaster after each.

    | case | trained | compared |
    |---|---|---|
    | nothing to train | nothing, in one round | as in `Selection` |
    | one or several networks | all in one round | after it |
    | `effort="best"` | some a round, while the hold-out loss falls by `LEAST_GAIN` | after each |
    | `effort="best"` with a time limit | all in one round | after it |

    | ended early | what is returned or raised |
    |---|---|
    | interrupted before there are weights | the interruption |
    | interrupted in the first round | `InterruptedFit` with the networks that have weights |
    | interrupted in a later round | `InterruptedFit` with the best round before |
    | diverged in the first round | the error, whose `best` has the networks that have weights |
    | diverged in a later round | the best round before, with a warning |

    Args:
        plan: The plan.
        run: How trainings are run.
        outcomes: The outcomes of finished trainings, by place.
    """

    plan: FitPlan
    run: TrainingRun
    outcomes: dict[Place, Outcome] = field(default_factory=dict)

    def fitted(self) -> FittedForecaster:
        """Return the best fitted forecaster; errors as for `fit_plan`."""
        best: FittedForecaster | None = None
        least = math.inf
        for places in self.plan.rounds(timed=self.run.deadline is not None):
            try:
                self._train(places)
                newest = Selection(self.plan, self.outcomes).fitted()
            except KeyboardInterrupt as interruption:
                if not self.outcomes:
                    raise
                raise InterruptedFit(self._finished(best)) from interruption
            except TrainingError as error:
                if best is None:
                    error.best = self._finished(None) if self.outcomes else None
                    raise
                warn_user(f"the last networks were left out, since one of them diverged: {error}")
                break

            loss = newest.choice.losses.get("blend", math.inf) if newest.trainings else math.inf
            self._say(newest, loss)
            has_gained = loss < (1 - LEAST_GAIN) * least
            if best is None or loss < least:
                best = newest
            least = loss
            if not has_gained:
                break
        return self._finished(best)

    def _finished(self, best: FittedForecaster | None) -> FittedForecaster:
        """Return the best forecaster so far, or the one of the finished trainings, calibrated."""
        fitted = Selection(self.plan, self.outcomes).fitted() if best is None else best
        return calibrated(fitted, self.plan)

    def _say(self, fitted: FittedForecaster, loss: float) -> None:
        """Print the loss after a round."""
        are_rounds = self.plan.rows.options.networks.round_size is not None
        if self.run.verbose and are_rounds and math.isfinite(loss):
            say(f"seqcast: {len(fitted.trainings)} networks, quantile loss {loss:.4g}")

    def _train(self, places: Sequence[Place]) -> None:
        """Train the networks at some places, and keep the outcomes of all that have weights."""
        count = sum(not job.observers_only for job in self.plan.by_place.values())
        if count > 1:
            self._train_side_by_side(places)
        else:
            self._train_in_turn(places)

    def _train_side_by_side(self, places: Sequence[Place]) -> None:
        """Train networks in processes or workers of their own."""
        jobs = self.plan.by_place
        callbacks = [self.run.callbacks_of(jobs[place], alone=False) for place in places]

        finished: Mapping[int, Outcome] = {}
        try:
            outcomes = self.run.run_jobs([jobs[place] for place in places], callbacks)
            finished = dict(enumerate(outcomes))
        except InterruptedJobs as interruption:
            finished = interruption.trained
            raise
        except DivergedJobsError as diverged:
            finished = diverged.trained
            raise diverged.error from None
        finally:
            self.outcomes |= {places[number]: outcome for number, outcome in finished.items()}

    def _train_in_turn(self, places: Sequence[Place]) -> None:
        """Train networks one after another, each with all cores, or all workers."""
        jobs = self.plan.by_place
        run = self.run
        for number, place in enumerate(places):
            job = jobs[place]
            engine = job.engine()
            callbacks = run.callbacks_of(job, alone=len(jobs) == 1)
            deadline = run.deadline
            if deadline is not None:
                deadline = deadline.of_next(len(places) - number)

            try:
                if run.on is not None:
                    history = run.on.train(job, engine, verbose=run.verbose)
                else:
                    history = job.train(
                        engine, verbose=run.verbose, deadline=deadline, callbacks=callbacks
                    )
            except (KeyboardInterrupt, TrainingError) as error:
                if engine.model is not None:
                    history = getattr(error, "history", History(interrupted=True))
                    self.outcomes[place] = Outcome(engine, history, job)
                raise
            self.outcomes[place] = Outcome(engine, history, job)


def fit_plans(plans: Sequence[FitPlan], run: TrainingRun) -> list[FittedForecaster]:
    """Run the training jobs of several plans.

    All run side by side, or plan after plan where one has several rounds.

    Args:
        plans: The plans.
        run: How they are run.

    Raises:
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted.
    """
    plans = [run.prepared(plan, f"training-{number}-") for number, plan in enumerate(plans, 1)]
    rounds = [plan.rounds(timed=run.deadline is not None) for plan in plans]
    has_several_rounds = max(map(len, rounds), default=0) > 1
    if len(plans) == 1 or has_several_rounds:
        return _fit_in_turn(plans, run)

    places = [first for (first,) in rounds]
    outcomes = _train_all(plans, places, run)
    fits = []
    for plan, own in zip(plans, outcomes, strict=True):
        fits.append(calibrated(Selection(plan, own).fitted(), plan))
    return fits


def _fit_in_turn(plans: Sequence[FitPlan], run: TrainingRun) -> list[FittedForecaster]:
    """Fit prepared plans one after another."""
    # Their jobs write checkpoints already.
    run = replace(run, folder=None)
    try:
        return [fit_plan(plan, run) for plan in plans]
    except TrainingError as error:
        error.best = None
        raise


def _train_all(
    plans: Sequence[FitPlan], places: Sequence[Sequence[Place]], run: TrainingRun
) -> list[dict[Place, Outcome]]:
    """Train the networks of several plans side by side, and return the outcomes of each plan."""
    jobs = list[TrainingJob]()
    for number, (plan, own) in enumerate(zip(plans, places, strict=True), 1):
        for k, place in enumerate(own, 1):
            title = f"training {number} of {len(plans)}"
            if len(own) > 1:
                title += f", network {k} of {len(own)}"
            jobs.append(replace(plan.by_place[place], title=title))

    try:
        outcomes = iter(run.run_jobs(jobs) if jobs else ())
    except DivergedJobsError as diverged:
        raise diverged.error from None
    return [{place: next(outcomes) for place in own} for own in places]


def _seconds_after(plan: FitPlan) -> float | None:
    """Return about the seconds that comparison and calibration take, from a few windows.

    They are `None` where every candidate is trained first.
    """
    ready = [
        candidate
        for candidate, jobs in zip(plan.candidates, plan.jobs, strict=True)
        if not candidate.learns_alone
    ]
    hold_out = plan.hold_out
    if hold_out is None or not len(hold_out) or not ready:
        return None

    versions = ready[-1].fitted(plan.rows, {})
    every = -(-len(hold_out.origins) // TIMED_WINDOWS)
    few = replace(hold_out, origins=hold_out.origins.take(slice(None, None, every)))
    few.forecast(versions[-1])  # the first time compiles
    began = time.perf_counter()
    few.forecast(versions[-1])
    each = (time.perf_counter() - began) / len(few.origins)

    calibrated_windows = 0 if plan.calibration is None else len(plan.calibration)
    return each * len(plan.candidates) * (len(hold_out.origins) + 2 * calibrated_windows)
