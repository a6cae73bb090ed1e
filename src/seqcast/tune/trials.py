"""Trials: their storage, the order of settings, the end of a trial, and the loop of a worker."""

import contextlib
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.errors import DataError, SpecError, TrainingError
from seqcast.runtime import filtering_warnings, keras, require, say
from seqcast.specs import check_choice
from seqcast.training import Deadline
from seqcast.tune.objective import Objective
from seqcast.tune.space import UNTUNED, Setting, Space, neighbours

STUDY_NAME = "seqcast"
SUFFIXES = (".db", ".sqlite", ".sqlite3")
# Seconds between two heartbeats of a running trial, seconds without one after which it is tried
# again, most retries.
HEARTBEAT_SECONDS = 10
GRACE_SECONDS = 60
MOST_RETRIES = 3
# Attempts to open a storage.
ATTEMPTS = 10
# Seconds that a process waits for another one that writes to SQLite.
LOCK_SECONDS = 120

# Trials after the untuned one that change one field of it, before the sampler learns from them.
FIRST_TRIALS = 8
PRUNERS = ("median", "hyperband", "none")
# The first trials are not pruned, nor is one in its first epochs.
STARTUP_TRIALS = 4
WARMUP_EPOCHS = 2
# Fields on which the unit of a validation loss depends: trials that differ in them cannot be
# compared by it.
UNITS_OF_LOSS = ("loss", "horizon_decay")

# The search gets at least this fraction of the time limit.
LEAST_SEARCH = 0.5
# The reserve for reading, choosing shares and writing: a fraction of the limit, and most seconds.
RESERVE = 0.03
MOST_RESERVE = 10.0
# A network of the final fit learns from more rows than that of a trial.
GROWTH = 1.15
# Time of the fine-tuning over that of a trial (see the histories that `benchmarks/tuning.py`
# writes).
FINETUNING = 1.3
# Seconds between two looks at the trials of other workers.
WAITING_SECONDS = 0.5

# Attribute of a complete trial: its duration by the monotonic clock, because Optuna's own times are
# those of the day.
SECONDS = "seconds"
# Attribute of a late trial: the estimated duration of its whole training.
SECONDS_NEEDED = "seconds needed"
# Optuna's states of trials that count as finished; failed ones are tried again.
FINISHED = ("COMPLETE", "PRUNED")


def optuna() -> Any:
    """Return Optuna.

    Raises:
        MissingPackageError: It is not installed.
    """
    return require("optuna", extra="tune")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings of experimental features for a `with` block."""
    logging = optuna().logging
    level = optuna().logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with filtering_warnings("ignore", optuna().exceptions.ExperimentalWarning):
            yield
    finally:
        logging.set_verbosity(level)


def storage_url(storage: str | os.PathLike[str]) -> str:
    """Return the URL of a storage, which each process opens for itself.

    Args:
        storage: An SQLite file, or the URL of a database.

    Raises:
        SpecError: It is neither.

    Example:
        >>> storage_url("/runs/study.db"), storage_url("postgresql://host/name")
        ('sqlite:////runs/study.db', 'postgresql://host/name')
    """
    text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else ""
    if "://" in text:
        return text
    if Path(text).suffix.lower() in SUFFIXES:
        return f"sqlite:///{Path(text).absolute()}"
    expected = "a file study.db (SQLite), or the URL of a database"
    hint = "Several machines share a database, such as postgresql://user@host/name."
    raise SpecError("storage", expected=expected, received=repr(storage), hint=hint)


@contextlib.contextmanager
def open_study(url: str, pruner: Any = None) -> Iterator[Any]:
    """Yield a study, a new one if there is none, for a `with` block; no connection is left open afterwards.

    Running trials send heartbeats. A trial without them is tried again, since its process has died.

    Args:
        url: The URL of its storage, from `storage_url`.
        pruner: Optuna's pruner.

    Raises:
        MissingPackageError: Optuna is not installed.
        SpecError: The storage cannot be opened.
    """
    for attempt in range(ATTEMPTS):
        try:
            storage = _storage(url)
            break
        except Exception as error:  # drivers raise errors of their own
            if (
                attempt + 1 < ATTEMPTS
            ):  # other processes may create the same tables at the same moment
                continue
            received = f"{_without_password(url)}: {str(error).splitlines()[0]}"
            hint = "Check path, URL and rights."
            if isinstance(error, ImportError):
                hint = (
                    "Install the driver of the database, such as 'psycopg[binary]' for PostgreSQL."
                )
            raise SpecError(
                "storage", expected="a storage that can be opened", received=received, hint=hint
            ) from error
    if url.startswith("sqlite:"):
        # SQLite has no `FOR UPDATE`: two workers that read before either writes would both run a
        # waiting trial.
        listen = require("sqlalchemy", extra="tune").event.listen
        listen(
            storage.engine,
            "begin",
            lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"),
        )
    try:
        yield optuna().create_study(
            storage=storage, study_name=STUDY_NAME, load_if_exists=True, pruner=pruner
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _storage(url: str) -> Any:
    storages = optuna().storages
    return storages.RDBStorage(
        url,
        engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}}
        if url.startswith("sqlite:")
        else {},
        heartbeat_interval=HEARTBEAT_SECONDS,
        grace_period=GRACE_SECONDS,
        heartbeat_stale_trial_callback=storages.RetryHeartbeatStaleTrialCallback(
            max_retry=MOST_RETRIES
        ),
    )


def _without_password(url: str) -> str:
    """Return a URL as it may be shown.

    Example:
        >>> _without_password("postgresql://me:secret@host/name")
        'postgresql://me:***@host/name'
    """
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}://{name}:***@{host}" if at and colon else url


def sampler_of(neighbours: Sequence[Mapping[str, Any]], seed: int, *, several: bool) -> Any:
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
            self, study: Any, trial: Any, param_name: str, param_distribution: Any
        ) -> Any:
            place = trial.number - 1
            if 0 <= place < min(FIRST_TRIALS, len(neighbours)):
                return neighbours[place][param_name]
            return super().sample_independent(study, trial, param_name, param_distribution)

    return _NeighboursFirst(n_startup_trials=FIRST_TRIALS, constant_liar=several, seed=seed)


def pruner_of(name: str, epochs: int, searched: Collection[str]) -> Any:
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
        expected = f"'none' where {different[0]} is searched, on which the unit of the validation loss depends"
        hint = "Leave it out of the space, or prune nothing."
        raise SpecError("pruner", expected=expected, received=repr(name), hint=hint)
    pruners = optuna().pruners
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if name == "hyperband":
        return pruners.HyperbandPruner(
            min_resource=1 + WARMUP_EPOCHS, max_resource=max(epochs, 2 + WARMUP_EPOCHS)
        )
    return pruners.NopPruner()


@dataclass(frozen=True)
class Clock:
    """The division of a time limit between the search and the final fit.

    Args:
        deadline: When all has to be done; `None` is never.
        workers: Processes that train side by side.
        members: Networks of the final fit.
        compared: Whether the pretrained network is fine-tuned too.
        share: The length of a trial's training, as a fraction of the whole one.

    Example:
        >>> clock = Clock(Deadline.of(600), workers=2, members=5, compared=True)
        >>> round(clock.final_seconds(20.0, 5)), round(clock.final_seconds(20.0, 1)), clock.affordable(20.0)
        (86, 40, 5)
    """

    deadline: Deadline | None
    workers: int
    members: int
    compared: bool
    share: float = 1.0

    @property
    def reserve(self) -> float:
        """Seconds of the limit that neither the search nor the fit may use."""
        return (
            0.0
            if self.deadline is None
            else min(RESERVE * (self.deadline.ends - self.deadline.began), MOST_RESERVE)
        )

    def final_seconds(self, trial: float, members: int) -> float:
        """Estimate the seconds of the final fit.

        Args:
            trial: Seconds of a usual trial.
            members: Networks of the fit.
        """
        # Besides the members, the network that judges their share and the fine-tuning are trained.
        network = GROWTH * trial / self.share
        jobs = [network] * (members + self.compared) + [FINETUNING * GROWTH * trial] * self.compared
        return max(sum(jobs) / self.workers, max(jobs)) + 0.1 * trial

    def search_ends(self, seconds: Sequence[float]) -> float:
        """Return the time after which no trial may run, seconds of `time.monotonic`.

        The final fit gets the time that it needs, but at most half of the limit; half before any
        trial is complete.

        Args:
            seconds: Seconds of the trials that are complete.
        """
        if self.deadline is None:
            return float("inf")
        needed = (1 - LEAST_SEARCH) * (self.deadline.ends - self.deadline.began)
        if seconds:
            needed = min(needed, self.final_seconds(float(np.median(seconds)), self.members))
        return self.deadline.ends - needed - self.reserve

    def fits_another(self, seconds: Sequence[float]) -> bool:
        """Return whether another trial would be done in time.

        Args:
            seconds: Seconds of the trials that are complete.
        """
        usual = float(np.median(seconds)) if seconds else 0.0
        return time.monotonic() + usual < self.search_ends(seconds)

    def affordable(self, trial: float) -> int:
        """Return the number of networks that the final fit has time for.

        Args:
            trial: Seconds of a usual trial.
        """
        if self.deadline is None:
            return self.members
        left = self.deadline.left() - self.reserve
        counts = range(self.members, 0, -1)
        return next((count for count in counts if self.final_seconds(trial, count) <= left), 0)


class LateTrialError(Exception):
    """The time was over before the trial, or other trials are enough."""


class TrialWatch(keras.callbacks.Callback):
    """Report the validation loss of each epoch to a trial, and end it early or when the time is over.

    The validation loss is that of the training: of rows before the first origin of the objective.

    Args:
        trial: Optuna's trial.
        ends: When it has to be done, seconds of `time.monotonic`.

    Raises:
        TrialPruned: Other trials had a smaller validation loss.
        LateTrialError: The time is over.
    """

    def __init__(self, trial: Any, ends: float) -> None:
        super().__init__()
        self.trial = trial
        self.ends = ends
        self.steps = 0
        self.began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End the trial when the time is over; it remembers how long all of its training would have taken."""
        now = time.monotonic()
        if now >= self.ends:
            if self.steps:
                share_done = self.steps / (self.params["epochs"] * self.params["steps"])
                self.trial.set_user_attr(SECONDS_NEEDED, (now - self.began) / share_done)
            raise LateTrialError("the time was over")
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
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
    def study(self, worker: int = 0) -> Iterator[Any]:
        """Yield the study, with a sampler whose seed depends on the worker and on the number of trials.

        Args:
            worker: Number of the worker.
        """
        epochs = self.objective.untuned.training.epochs
        searched = {
            field for name, parameter in self.space.items() for field in parameter.names(name)
        }
        with open_study(self.url, pruner=pruner_of(self.pruner, epochs, searched)) as study:
            seed = self.objective.seed
            begun = len(study.get_trials(deepcopy=False))
            _, others = neighbours(self.space, self.objective.untuned, seed)
            seed = (seed + 7_919 * worker + 104_729 * begun) % 2**32
            study.sampler = sampler_of(others, seed, several=self.clock.workers > 1)
            yield study

    def setting(self, parameters: dict[str, Any]) -> Setting:
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


def is_untuned(trial: Any) -> bool:
    """Return whether a trial is that of the untuned setting.

    Args:
        trial: Optuna's trial.
    """
    return bool(trial.user_attrs.get(UNTUNED))


def has_run(trial: Any) -> bool:
    """Return whether a trial has run and ended; a surplus one has no parameters, since it ended before it began.

    Args:
        trial: Optuna's trial.
    """
    return bool(trial.state.is_finished() and trial.params)


def seconds_of(trials: Sequence[Any]) -> list[float]:
    """Return the seconds of the trials that are complete.

    Args:
        trials: Optuna's trials.
    """
    return [trial.user_attrs[SECONDS] for trial in trials if trial.state.name == "COMPLETE"]


def none_complete(clock: Clock, trials: Sequence[Any]) -> SpecError:
    """Return the error of a search without a complete trial; it says how long one takes where the time was over.

    Args:
        clock: The time limit.
        trials: Optuna's trials, none of them complete.
    """
    if clock.deadline is None or clock.fits_another([]):
        return SpecError(
            "trials",
            expected="a trial that can be trained",
            received="none",
            hint="Widen the space.",
        )
    limit = clock.deadline.ends - clock.deadline.began
    needed = "more time"
    late = [
        trial.user_attrs[SECONDS_NEEDED] for trial in trials if SECONDS_NEEDED in trial.user_attrs
    ]
    if late:
        seconds = float(np.median(late))
        needed = f"about {math.ceil(seconds / LEAST_SEARCH + clock.reserve)} s: one trial takes {math.ceil(seconds)} s"
    received = f"{round(limit, 2):g} s, in which no trial was complete"
    hint = "Give more time, or train fewer epochs."
    return SpecError("time_limit", expected=needed, received=received, hint=hint)


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


def _run_next(task: Task, study: Any) -> None:
    """Run a trial; another process may have retried it meanwhile, as after a sleep of the machine."""
    try:
        study.optimize(lambda trial: _run(task, study, trial), n_trials=1, catch=(LateTrialError,))
    except ValueError as error:
        if not str(error).startswith("Cannot tell a FAIL trial"):
            raise


def _run(task: Task, study: Any, trial: Any) -> float:
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


def _count(trials: Sequence[Any], *states: str) -> int:
    """Return the number of trials in some states."""
    return sum(trial.state.name in states for trial in trials)
