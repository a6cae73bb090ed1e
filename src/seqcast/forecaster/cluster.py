"""What trains networks elsewhere: the form of it, which `seqcast.distributed` has for Ray."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from seqcast.engine import Engine, TrainingJob
from seqcast.errors import SpecError
from seqcast.forecaster.output import OutputFolder
from seqcast.runtime import Executor
from seqcast.training import History


@runtime_checkable
class Cluster(Protocol):
    """Worker processes, on this machine or others.

    An implementation keeps these promises:

    - `train` ends as `TrainingJob.train` does, with the same errors; an engine that was trained in part holds the best
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
        """Train one network in all workers together."""
        ...

    def write(self, table: Callable[[Any], Any], items: Sequence[Any], folder: OutputFolder) -> None:
        """Write the part of each item, whose frame `table` makes, in the workers."""
        ...

    def executor(self, retries: int = ...) -> Executor:
        """Return the executor that gives each worker a job of its own, tried again so often where a worker dies."""
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


def storage_of(on: Cluster | None) -> str | os.PathLike[str] | None:
    """Return the folder that all workers see; `None` where they are on this machine, or there are none."""
    return None if on is None else on.storage
