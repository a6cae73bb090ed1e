"""How trainings are run: progress, checkpoints, time limit, callbacks, and other processes that train."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from seqcast.engine import Engine, Outcome, TrainingJob, run_jobs
from seqcast.errors import SpecError
from seqcast.forecaster.planning import FitPlan
from seqcast.runtime import Executor
from seqcast.training import (
    CheckpointFolder,
    Deadline,
    History,
    Observer,
    check_callbacks,
    check_observers,
    for_network,
)

_USE_EPOCHS = "Say with epochs how long to train."
_USE_HISTORIES = "Leave them out and read histories_ afterwards, or train on this machine."


@runtime_checkable
class Cluster(Protocol):
    """Worker processes, on this machine or others; `seqcast.distributed` has those of Ray.

    An implementation keeps these promises:

    - `train` ends as `TrainingJob.train` does, with the same errors; an engine whose training was stopped has the best
      weights so far.
    - `storage` is a folder that all workers see; `None` where they are on this machine.
    """

    @property
    def workers(self) -> int:
        """Number of workers."""
        ...

    @property
    def storage(self) -> str | os.PathLike[str] | None:
        """The folder that all workers see."""
        ...

    def train(self, job: TrainingJob, engine: Engine, *, verbose: int = 0) -> History:
        """Train one network in all workers together.

        Args:
            job: The training.
            engine: Its engine, not yet trained.
            verbose: 0 is silent, 1 shows progress.
        """
        ...

    def write(self, table: Callable[[Any], Any], items: Sequence[Any], folder: Any) -> None:
        """Write an output file for each item in the workers.

        Args:
            table: Makes the frame of an item.
            items: The source of each frame.
            folder: Where the files go, an `OutputFolder`.
        """
        ...

    def executor(self, retries: int = ...) -> Executor:
        """Return the executor that gives each worker a job of its own.

        Args:
            retries: How often a job is tried again where a worker dies.
        """
        ...


def check_cluster(on: Any, *, time_limit: Any = None, callbacks: Sequence[Any] | None = None) -> Cluster | None:
    """Return where a fit trains; `None` is this machine.

    Args:
        on: The argument of the fit.
        time_limit: Its argument of that name.
        callbacks: Its argument of that name.

    Raises:
        SpecError: It is no cluster; there is a time limit: workers that share a training would not agree when it is
            over; or there are callbacks, which would be called in processes of other machines.
    """
    if on is None:
        return None
    if not isinstance(on, Cluster):
        raise SpecError(
            "on",
            expected="a RayCluster, or None for this machine",
            received=repr(on),
            hint="Make one: seqcast.distributed.RayCluster(workers=4).",
        )
    for name, given, expected, hint in (
        ("time_limit", time_limit, "None with on: workers would not agree when it is over", _USE_EPOCHS),
        ("callbacks", callbacks or None, "none with on: other processes train", _USE_HISTORIES),
    ):
        if given is not None:
            raise SpecError(name, expected=expected, received=repr(given), hint=hint)
    return on


@dataclass(frozen=True)
class TrainingRun:
    """How trainings are run.

    Args:
        verbose: 0 is silent, 1 shows progress.
        folder: Where their states are written; `None` for no checkpoints.
        deadline: When all have to be done; `None` for no limit.
        callbacks: Keras callbacks. Observers hear each network, others the one that is trained on the data alone.
        on: Other processes that train: one network together, of several each one; `None` is this machine. With them
            there are no callbacks, see `check_cluster`.
    """

    verbose: int = 0
    folder: CheckpointFolder | None = None
    deadline: Deadline | None = None
    callbacks: Sequence[Any] = ()
    on: Cluster | None = None

    def train(
        self, job: TrainingJob, engine: Engine, deadline: Deadline | None, callbacks: Sequence[Any] = ()
    ) -> History:
        """Train a single network; see `TrainingJob.train`.

        Args:
            job: The training.
            engine: Its engine, not yet trained.
            deadline: When it has to be done.
            callbacks: Its Keras callbacks.
        """
        if self.on is not None:
            return self.on.train(job, engine, verbose=self.verbose)
        return job.train(engine, verbose=self.verbose, deadline=deadline, callbacks=callbacks)

    def run_jobs(self, jobs: Sequence[TrainingJob], callbacks: Sequence[Sequence[Any]] = ()) -> list[Outcome]:
        """Train several networks side by side; see `seqcast.engine.jobs.run_jobs`.

        Args:
            jobs: The trainings.
            callbacks: The Keras callbacks of each.
        """
        executor = None if self.on is None else self.on.executor()
        return run_jobs(jobs, verbose=self.verbose, deadline=self.deadline, callbacks=callbacks, executor=executor)

    def check_callbacks(self, plan: FitPlan) -> None:
        """Refuse callbacks that cannot hear the trainings of a plan, before any of them begins.

        Args:
            plan: The plan.

        Raises:
            SpecError: Some are no observers, and there are checkpoints or several networks.
            FileFormatError: The log of a network would replace a file that is none.
        """
        jobs = list(plan.by_place.values())
        ours = sum(not job.observers_only for job in jobs)
        if self.folder is not None:
            check_observers(self.callbacks, "observers only with checkpoint")
        elif ours > 1:
            check_observers(self.callbacks, f"copies for worker processes, of {ours} networks", in_workers=True)
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
        heard = [each for each in self.callbacks if isinstance(each, Observer) or not job.observers_only]
        return for_network(heard, job.log_name)

    def prepared(self, plan: FitPlan, name: str = "") -> FitPlan:
        """Return a plan whose jobs write checkpoints.

        Args:
            plan: The plan.
            name: Its name, where there are several.

        Raises:
            SpecError: The training holds a function, which a file cannot.
        """
        folder = self.folder
        if folder is None:
            return plan
        written = (tuple(job.with_checkpoints(folder, f"{name}{job.log_name}") for job in jobs) for jobs in plan.jobs)
        return replace(plan, jobs=tuple(written))
