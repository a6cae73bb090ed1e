"""How the trainings of a plan are run: progress, checkpoints, time limit, callbacks, other processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from seqcast.engine import Engine, Outcome, TrainingJob, run_jobs
from seqcast.forecaster.cluster import Cluster
from seqcast.forecaster.planning import FitPlan
from seqcast.training import (
    CheckpointFolder,
    Deadline,
    History,
    Observer,
    check_callbacks,
    check_observers,
    for_network,
)


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
        """Train a single network; see `TrainingJob.train`."""
        if self.on is not None:
            return self.on.train(job, engine, verbose=self.verbose)
        return job.train(engine, verbose=self.verbose, deadline=deadline, callbacks=callbacks)

    def run_jobs(self, jobs: Sequence[TrainingJob], callbacks: Sequence[Sequence[Any]] = ()) -> list[Outcome]:
        """Train several networks side by side; see `seqcast.engine.jobs.run_jobs`."""
        executor = None if self.on is None else self.on.executor()
        return run_jobs(jobs, verbose=self.verbose, deadline=self.deadline, callbacks=callbacks, executor=executor)

    def check_callbacks(self, plan: FitPlan) -> None:
        """Refuse callbacks that cannot hear the trainings of a plan, before any of them begins.

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
        heard = self.callbacks
        if job.observers_only:
            heard = [each for each in heard if isinstance(each, Observer)]
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

    def without_folder(self) -> Self:
        """Return the run of plans that were prepared."""
        return replace(self, folder=None)
