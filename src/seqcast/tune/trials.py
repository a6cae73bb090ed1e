"""What a worker does: ask for a setting, train and judge it, tell the result, until nothing is left to do."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqcast.errors import DataError, SpecError, TrainingError
from seqcast.runtime import say
from seqcast.tune.clock import Clock
from seqcast.tune.objective import Objective
from seqcast.tune.space import Choice, Range, neighbours
from seqcast.tune.storage import Storage, optuna, quiet
from seqcast.tune.watch import TrialWatch, pruner_of

# Trials after the untuned one that change one field of it, before others are learnt from.
FIRST_TRIALS = 8


def sampler_of(neighbours: Sequence[Mapping[str, Any]], seed: int, *, several: bool) -> Any:
    """Return Optuna's sampler.

    Args:
        neighbours: Parameters of settings beside the untuned one: trial `k` takes those at place `k - 1`.
        seed: Its seed.
        several: Whether several workers ask at once; then running trials count as bad ones, lest two try the same.
    """
    parzen: Any = optuna().samplers.TPESampler

    class _BesideFirst(parzen):
        """A tree-structured Parzen estimator that tries neighbours of the untuned setting first."""

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            """Return a parameter of a trial."""
            place = trial.number - 1
            if 0 <= place < min(FIRST_TRIALS, len(neighbours)):
                return neighbours[place][param_name]
            return super().sample_independent(study, trial, param_name, param_distribution)

    return _BesideFirst(n_startup_trials=FIRST_TRIALS, constant_liar=several, seed=seed)


UNTUNED = "untuned"


class _SurplusTrialError(Exception):
    """As many trials as are wanted are finished or running."""


class _LateTrialError(Exception):
    """The time was over before the trial was."""


@dataclass(frozen=True)
class Task:
    """What all workers of a study have in common.

    Args:
        storage: Where the study is.
        objective: How a setting is judged.
        space: What is searched.
        trials: Number of trials to finish; `None` for as many as there is time for.
        clock: The time that there is.
        pruner: One of `seqcast.tune.watch.PRUNERS`.
        run: Name of this call of `tune`.
        seed: Seed of the sampler.
        verbose: 0 is silent, 1 prints a line a trial, to standard error.
    """

    storage: Storage
    objective: Objective
    space: Mapping[str, Choice | Range]
    trials: int | None
    clock: Clock
    pruner: str
    run: str
    seed: int
    verbose: int = 0

    @contextlib.contextmanager
    def study(self, worker: int = 0) -> Iterator[Any]:
        """Yield the study, with a sampler whose seed depends on the worker and on the trials that there are."""
        epochs = self.objective.untuned.training.epochs
        with self.storage.study(pruner=pruner_of(self.pruner, epochs, list(self.space))) as study:
            seed = (self.seed + 7_919 * worker + 104_729 * len(study.get_trials(deepcopy=False))) % 2**32
            _, others = neighbours(self.space, self.objective.untuned, self.seed)
            study.sampler = sampler_of(others, seed, several=self.clock.workers > 1)
            yield study


def finished(trials: list[Any]) -> list[Any]:
    """Return the trials that are complete or were pruned."""
    return [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]


def is_untuned(trial: Any) -> bool:
    """Return whether a trial of Optuna's is that of the untuned setting."""
    return bool(trial.user_attrs.get(UNTUNED))


def seconds_of(trials: list[Any]) -> list[float]:
    """Return the seconds of the trials that are complete."""
    return [trial.user_attrs["seconds"] for trial in trials if trial.state.name == "COMPLETE"]


def settings_of(space: Mapping[str, Choice | Range], trial: Any) -> dict[str, Any]:
    """Return the fields that a trial takes: those that it was given, or what the sampler suggests."""
    chosen: dict[str, Any] = {}
    for name, parameter in space.items():
        chosen |= parameter.suggest(trial, name)
    return chosen


def run_trials(task: Task, worker: int) -> int:
    """Run trials until there are enough, or the time is over.

    Args:
        task: What all workers have in common.
        worker: Number of this one.

    Returns:
        Number of trials that it has finished.
    """
    with quiet(), task.study(worker) as study:
        before = 0
        while _is_one_left(task, study.get_trials(deepcopy=False)):
            study.optimize(
                lambda trial: _run(task, study, trial), n_trials=1, catch=(_SurplusTrialError, _LateTrialError)
            )
            before += 1
        return before


def _is_one_left(task: Task, trials: list[Any]) -> bool:
    running = [trial for trial in trials if trial.state.name == "RUNNING"]
    enough = task.trials is not None and len(finished(trials)) + len(running) >= task.trials
    return not enough and task.clock.fits_another(seconds_of(trials))


def _run(task: Task, study: Any, trial: Any) -> float:
    """Return the loss of a trial.

    Raises:
        TrialPruned: It was stopped since others were better, or its setting cannot be trained.
        _SurplusTrialError: There are enough.
        _LateTrialError: The time was over; it is the next to be tried when the study goes on.
    """
    trial.set_user_attr("run", task.run)
    trial.set_user_attr("host", platform.node())
    _refuse_surplus(task, study.get_trials(deepcopy=False), trial.number)
    began = time.time()
    chosen = settings_of(task.space, trial)
    watch = TrialWatch(trial, task.clock.search_ends(seconds_of(study.get_trials(deepcopy=False))))
    try:
        state = task.objective.fit(task.objective.untuned.changed(chosen), [watch])
        if watch.pruned or watch.late:
            return _stopped(task, study, trial, watch)
        loss = task.objective.loss_of(*task.objective.forecast(state))
    except KeyboardInterrupt:
        _try_again(study, trial)
        raise
    except (DataError, SpecError, TrainingError) as error:
        if is_untuned(trial):
            raise  # so would all others
        trial.set_user_attr("reason", str(error))
        _tell(task, f"trial {trial.number} left out: {error}")
        raise optuna().TrialPruned(str(error)) from None
    seconds = time.time() - began
    trial.set_user_attr("seconds", seconds)
    trial.set_user_attr("epochs", watch.epochs)
    _tell(task, f"trial {trial.number}, loss {loss:.4f}, {watch.epochs} epochs, {seconds:.0f} s")
    return loss


def _refuse_surplus(task: Task, trials: list[Any], number: int) -> None:
    """Give up a trial where the ones before it are enough: two workers may have asked for the last one at once."""
    if task.trials is None:
        return
    before = [each for each in trials if each.number < number and each.state.name in ("COMPLETE", "PRUNED", "RUNNING")]
    later = [each for each in trials if each.number > number and each.state.name in ("COMPLETE", "PRUNED")]
    if len(before) + len(later) >= task.trials:
        raise _SurplusTrialError


def _try_again(study: Any, trial: Any) -> None:
    """Let the setting of a trial that is given up be the next to be tried."""
    study.enqueue_trial(trial.params, user_attrs={UNTUNED: is_untuned(trial)})


def _stopped(task: Task, study: Any, trial: Any, watch: TrialWatch) -> float:
    trial.set_user_attr("epochs", watch.epochs)
    if watch.late:
        _try_again(study, trial)
        trial.set_user_attr("reason", "the time was over")
        raise _LateTrialError
    trial.set_user_attr("reason", "others had a smaller validation loss")
    _tell(task, f"trial {trial.number} pruned after {watch.epochs} epochs")
    raise optuna().TrialPruned


def _tell(task: Task, text: str) -> None:
    if task.verbose:
        say(f"seqcast: {text}")
