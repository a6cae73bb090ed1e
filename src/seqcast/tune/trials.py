"""Trials: the order of settings, the end of a trial, and the loop of a worker."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.errors import DataError, SpecError, TrainingError
from seqcast.runtime import keras, say
from seqcast.specs import check_choice
from seqcast.tune.clock import LEAST_SEARCH, Clock
from seqcast.tune.objective import Objective
from seqcast.tune.space import UNTUNED, Parameters, Setting, Space, neighbours, searched_fields
from seqcast.tune.study import open_study, optuna, quiet

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

# Trials after the untuned one that change one field of it, before the sampler learns from them.
FIRST_TRIALS = 8
PRUNERS = ("median", "hyperband", "none")
# The first trials, which are not pruned.
STARTUP_TRIALS = 4
# The first epochs of a trial, in which it is not pruned.
WARMUP_EPOCHS = 2
# Fields on which the unit of a validation loss depends: trials that differ in them cannot be
# compared by it.
UNITS_OF_LOSS = ("loss", "horizon_decay")
# Seconds between two looks at the trials of other workers.
WAITING_SECONDS = 0.5

# Attribute of a complete trial: its duration by the monotonic clock, because Optuna's own times are
# those of the day.
SECONDS = "seconds"
# Attribute of a late trial: the estimated duration of its whole training.
SECONDS_NEEDED = "seconds needed"
# Optuna's states of trials that count as finished; failed ones are tried again.
FINISHED = ("COMPLETE", "PRUNED")


def sampler_of(neighbours: Sequence[Parameters], seed: int, *, several: bool) -> BaseSampler:
    """Return Optuna's sampler, a tree-structured Parzen estimator.

    Args:
        neighbours: Parameters of settings that differ from the untuned one in one of them: trial
            `k` takes those at place `k - 1`.
        seed: Its seed.
        several: Whether several workers ask at once; then running trials count as bad ones, lest
            two try the same.
    """
    parzen: Any = optuna().samplers.TPESampler

    class _NeighboursFirst(parzen):
        def sample_independent(
            self,
            study: Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> object:
            place = trial.number - 1
            if 0 <= place < min(FIRST_TRIALS, len(neighbours)):
                return neighbours[place][param_name]
            return super().sample_independent(study, trial, param_name, param_distribution)

    return _NeighboursFirst(n_startup_trials=FIRST_TRIALS, constant_liar=several, seed=seed)


def pruner_of(name: str, epochs: int, searched: Collection[str]) -> BasePruner:
    """Return Optuna's pruner.

    Args:
        name: One of `PRUNERS`.
        epochs: Most epochs of a trial.
        searched: Names of the fields that are searched.

    Raises:
        SpecError: There is no such pruner, or validation losses cannot be compared.
    """
    check_choice("pruner", name, PRUNERS)
    different = [each for each in UNITS_OF_LOSS if each in searched]
    if name != "none" and different:
        reason = "on which the unit of the validation loss depends"
        raise SpecError(
            "pruner",
            expected=f"'none' where {different[0]} is searched, {reason}",
            received=repr(name),
            hint="Leave it out of the space, or prune nothing.",
        )

    pruners = optuna().pruners
    pruner: BasePruner = pruners.NopPruner()
    if name == "median":
        pruner = pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    elif name == "hyperband":
        least = 1 + WARMUP_EPOCHS
        pruner = pruners.HyperbandPruner(min_resource=least, max_resource=max(epochs, 1 + least))
    return pruner


class LateTrialError(Exception):
    """The time was over before the trial, or other trials are enough."""


class TrialWatch(keras.callbacks.Callback):
    """Report the validation loss of each epoch to a trial, and end it where the rules say so.

    The validation loss is that of the training: of rows before the first origin of the objective.

    Args:
        trial: Optuna's trial.
        ends: When it has to be done, seconds of `time.monotonic`.

    Raises:
        TrialPruned: Other trials had a smaller validation loss.
        LateTrialError: The time is over.
    """

    def __init__(self, trial: Trial, ends: float) -> None:
        super().__init__()
        self.trial = trial
        self.ends = ends
        self.steps = 0
        self.began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """End the trial when the time is over, and note how long its whole training would take."""
        now = time.monotonic()
        if now < self.ends:
            self.steps += 1
            return
        if self.steps:
            share_done = self.steps / (self.params["epochs"] * self.params["steps"])
            self.trial.set_user_attr(SECONDS_NEEDED, (now - self.began) / share_done)
        raise LateTrialError("the time was over")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Report the epoch; end the trial when the pruner says so."""
        loss = (logs or {}).get("val_loss")
        if loss is None:
            return
        self.trial.report(float(loss), epoch + 1)
        if self.trial.should_prune():
            raise optuna().TrialPruned("others had a smaller validation loss")


@dataclass(frozen=True)
class Task:
    """The task of all workers of a search.

    Args:
        url: The URL of the storage.
        objective: The objective; the sampler has its seed.
        space: The space.
        trials: Number of trials to finish; infinity for as many as there is time for.
        clock: The time limit.
        pruner: One of `seqcast.tune.trials.PRUNERS`.
        verbose: 0 is silent, 1 prints a line a trial, to standard error.
    """

    url: str
    objective: Objective
    space: Space
    trials: float
    clock: Clock
    pruner: str
    verbose: int = 0

    @contextlib.contextmanager
    def study(self, worker: int = 0) -> Iterator[Study]:
        """Yield the study; the seed of its sampler depends on the worker and the number of trials.

        Args:
            worker: Number of the worker.
        """
        untuned = self.objective.untuned
        seed = self.objective.seed
        pruner = pruner_of(self.pruner, untuned.training.epochs, searched_fields(self.space))
        with open_study(self.url, pruner=pruner) as study:
            begun = len(study.get_trials(deepcopy=False))
            _, others = neighbours(self.space, untuned, seed)
            own_seed = (seed + 7_919 * worker + 104_729 * begun) % 2**32
            study.sampler = sampler_of(others, own_seed, several=self.clock.workers > 1)
            yield study

    def setting(self, parameters: Parameters) -> Setting:
        """Return the setting of a trial.

        Args:
            parameters: Its parameters, by name.
        """
        changed: dict[str, Any] = {}
        for name, parameter in self.space.items():
            changed |= parameter.fields_of(name, parameters[name])
        return self.objective.untuned.changed(changed)

    def log(self, text: str) -> None:
        """Print a line, unless the search is silent.

        Args:
            text: The line.
        """
        if self.verbose:
            say(f"seqcast: {text}")


def is_untuned(trial: FrozenTrial | Trial) -> bool:
    """Return whether a trial is that of the untuned setting.

    Args:
        trial: Optuna's trial.
    """
    return bool(trial.user_attrs.get(UNTUNED))


def has_run(trial: FrozenTrial) -> bool:
    """Return whether a trial has run and ended; one that others made needless has no parameters.

    Args:
        trial: Optuna's trial.
    """
    return bool(trial.state.is_finished() and trial.params)


def seconds_of(trials: Sequence[FrozenTrial]) -> list[float]:
    """Return the seconds of the trials that are complete.

    Args:
        trials: Optuna's trials.
    """
    return [trial.user_attrs[SECONDS] for trial in trials if trial.state.name == "COMPLETE"]


def none_complete(clock: Clock, trials: Sequence[FrozenTrial]) -> SpecError:
    """Return the error of a search without a complete trial.

    It says how long one takes where the time was over.

    Args:
        clock: The time limit.
        trials: Optuna's trials, none of them complete.
    """
    if clock.fits_another([]):
        return SpecError(
            "trials",
            expected="a trial that can be trained",
            received="none",
            hint="Widen the space.",
        )

    attributes = [trial.user_attrs for trial in trials]
    late = [each[SECONDS_NEEDED] for each in attributes if SECONDS_NEEDED in each]
    needed = "more time"
    if late:
        seconds = float(np.median(late))
        limit = math.ceil(seconds / LEAST_SEARCH + clock.reserve)
        needed = f"about {limit} s: one trial takes {math.ceil(seconds)} s"
    return SpecError(
        "time_limit",
        expected=needed,
        received=f"{round(clock.limit, 2):g} s, in which no trial was complete",
        hint="Give more time, or train fewer epochs.",
    )


def run_trials(task: Task, worker: int) -> None:
    """Run trials until enough are finished or the time is over.

    Args:
        task: The task of all workers.
        worker: Number of this one.
    """
    with quiet(), task.study(worker) as study:
        while True:
            optuna().storages.fail_stale_trials(study)
            trials = study.get_trials(deepcopy=False)
            done = _count(trials, *FINISHED)
            if done >= task.trials or not task.clock.fits_another(seconds_of(trials)):
                return
            if done + _count(trials, "RUNNING") >= task.trials:
                time.sleep(WAITING_SECONDS)  # the process of a running trial may die
            else:
                _run_next(task, study)


def _run_next(task: Task, study: Study) -> None:
    """Run a trial; another process may retry it meanwhile, as after a sleep of the machine."""
    try:
        study.optimize(lambda trial: _run(task, study, trial), n_trials=1, catch=(LateTrialError,))
    except ValueError as error:
        if not str(error).startswith("Cannot tell a FAIL trial"):
            raise


def _run(task: Task, study: Study, trial: Trial) -> float:
    """Return the loss of a trial.

    Raises:
        TrialPruned: Others were better, or its setting cannot be trained.
        LateTrialError: The time was over; its setting is the next to be tried when the study goes
            on. Or there are enough trials, since two workers have asked for the last one at once.
    """
    began = time.monotonic()
    trials = study.get_trials(deepcopy=False)
    earlier = [each for each in trials if each.number < trial.number]
    if _count(trials, *FINISHED) + _count(earlier, "RUNNING") >= task.trials:
        raise LateTrialError("others are enough")

    parameters = {name: parameter.suggest(trial, name) for name, parameter in task.space.items()}
    watch = TrialWatch(trial, task.clock.search_ends(seconds_of(trials)))
    pruned = optuna().TrialPruned
    try:
        loss = task.objective.score(task.setting(parameters), [watch])
    except (LateTrialError, KeyboardInterrupt) as error:
        trial.set_user_attr("reason", str(error) or "it was interrupted")
        study.enqueue_trial(trial.params, user_attrs={UNTUNED: is_untuned(trial)})
        raise
    except (DataError, SpecError, TrainingError, pruned) as error:
        if is_untuned(trial) and not isinstance(error, pruned):
            raise  # so would all others
        trial.set_user_attr("reason", str(error))
        task.log(f"trial {trial.number} ended early: {error}")
        raise pruned(str(error)) from None

    trial.set_user_attr(SECONDS, time.monotonic() - began)
    task.log(f"trial {trial.number}, loss {loss:.4f}")
    return loss


def _count(trials: Sequence[FrozenTrial], *states: str) -> int:
    """Return the number of trials in some states."""
    return sum(trial.state.name in states for trial in trials)
