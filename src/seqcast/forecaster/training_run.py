"""How the trainings of a fit are run: progress, checkpoints, deadline, callbacks, and where."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

from seqcast.engine import Engine, Outcome, TrainingJob, run_jobs
from seqcast.errors import SpecError
from seqcast.forecaster.planning import FitPlan
from seqcast.runtime import Executor
from seqcast.specs import CheckpointSpec
from seqcast.training import (
    CheckpointFolder,
    Deadline,
    History,
    check_callbacks,
    check_observers,
    check_time_limit,
    for_network,
)


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
        raise SpecError(
            "on",
            expected="a RayCluster, or None for this machine",
            received=repr(on),
            hint="Make one: seqcast.distributed.RayCluster(workers=4).",
        )

    if time_limit is not None:
        raise SpecError(
            "time_limit",
            expected="None with on: workers would not agree when it is over",
            received=repr(time_limit),
            hint="Say with epochs how long to train.",
        )

    if callbacks:
        raise SpecError(
            "callbacks",
            expected="none with on: other processes train",
            received=repr(callbacks),
            hint="Leave them out and read histories_ afterwards, or train on this machine.",
        )
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

    @classmethod
    def of(
        cls,
        verbose: int,
        callbacks: Sequence[Any] | None,
        on: Cluster | None,
        *,
        time_limit: float | str | None,
        checkpoint: str | os.PathLike[str] | CheckpointSpec | None,
    ) -> Self:
        """Check the arguments of a fit about its trainings.

        Args:
            verbose: 0 is silent, 1 shows progress.
            callbacks: Keras callbacks.
            on: The cluster that trains; `None` is this machine.
            time_limit: Approximate time of the fit.
            checkpoint: The folder of its checkpoints, which `opened` opens.

        Raises:
            SpecError: One is impossible, or two do not go together.
        """
        checked = check_callbacks(callbacks)
        deadline = check_time_limit(time_limit, checkpoint)
        cluster = check_cluster(on, time_limit=time_limit, callbacks=checked)
        return cls(verbose, None, deadline, checked, cluster)

    def opened(
        self,
        opened: ExitStack,
        checkpoint: str | os.PathLike[str] | CheckpointSpec | None,
        *,
        resume: bool,
    ) -> Self:
        """Return the run with the folder of its checkpoints.

        Args:
            opened: Closes the folder at the end of the fit.
            checkpoint: The folder; `None` for no checkpoints.
            resume: Whether trainings of an earlier process go on.
        """
        folder = opened.enter_context(CheckpointFolder.opened(checkpoint, resume=resume))
        return replace(self, folder=folder)

    @property
    def asks_for_training(self) -> bool:
        """Whether a time limit or checkpoints were given, which make sense for trainings alone."""
        return self.folder is not None or self.deadline is not None

    @property
    def storage(self) -> str | os.PathLike[str] | None:
        """A folder that all workers see; `None` where all are on this machine."""
        return None if self.on is None else self.on.storage

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
