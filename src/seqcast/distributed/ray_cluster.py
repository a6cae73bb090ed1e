"""A Ray cluster: the workers of fits, forecasts and searches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from seqcast.distributed.ray_session import Session
from seqcast.distributed.shared_training import train_together
from seqcast.engine import Engine, TrainingJob
from seqcast.errors import SpecError
from seqcast.runtime import cores
from seqcast.specs import TrainingSpec, check_int, set_fields
from seqcast.training import History

# Least number of micro-batches of a batch, with which one, two and four workers give the same training.
LEAST_MICRO_BATCHES = 4


@dataclass(frozen=True)
class RayCluster(Session):
    """Worker processes that Ray starts, on this machine or on a cluster.

    Give it as `on` to `fit`, `predict` or `backtest` of a `Forecaster`, or to `seqcast.tune.tune`. All workers train
    one network together: each computes some of the `micro_batches` of a batch from its own rows, and gradients and
    losses are summed over the workers. With the same `micro_batches`, any number of workers gives the same training,
    up to the order of sums. Several networks are trained in one worker each, with the same bits as in a worker process
    of this machine. Each file of a forecast is also written by one worker.

    Args:
        workers: Number of workers; `None` is one a core of this machine.
        address: Address of the cluster: `local` starts Ray on this machine; `auto`, `host:port` and `ray://host:port`
            are a running cluster. `None` takes the variable `RAY_ADDRESS`, or else this machine. A Ray session of this
            process takes precedence.
        cpus_per_worker: CPUs and threads of each worker.
        storage: A folder that all workers can read and write, for checkpoints and Ray's files; `None` is a temporary
            one, for one machine.
        micro_batches: Number of equal micro-batches of a batch, a multiple of `workers`; `None` takes that of the
            `TrainingSpec`, or the smallest one from 4 on.
        min_workers: Fewest workers with which a shared training begins, or goes on without lost machines; `None` waits
            for all. A training always waits for busy CPUs.
        max_failures: Largest number of resumptions of a shared training after a worker has died.

    Raises:
        SpecError: A number is impossible.

    Example:
        >>> RayCluster(workers=2).shared_micro_batches(), RayCluster(workers=3).shared_micro_batches()
        (4, 6)
    """

    micro_batches: int | None = None
    min_workers: int | None = None
    max_failures: int = 3

    def __init__(
        self,
        workers: int | None = None,
        address: str | None = None,
        *,
        cpus_per_worker: int = 1,
        storage: str | os.PathLike[str] | None = None,
        micro_batches: int | None = None,
        min_workers: int | None = None,
        max_failures: int = 3,
    ) -> None:
        if address is not None and not (isinstance(address, str) and address):
            expected = "local, auto, host:port, ray://host:port or None"
            hint = "Name the cluster, or leave it out for this machine."
            raise SpecError("address", expected=expected, received=repr(address), hint=hint)
        set_fields(
            self,
            workers=cores() if workers is None else check_int("workers", workers),
            address=address,
            cpus_per_worker=check_int("cpus_per_worker", cpus_per_worker),
            storage=None if storage is None else Path(storage).absolute(),
            micro_batches=None if micro_batches is None else check_int("micro_batches", micro_batches),
            min_workers=None if min_workers is None else check_int("min_workers", min_workers),
            max_failures=check_int("max_failures", max_failures, at_least=0),
        )
        if micro_batches is not None:
            self._check_micro_batches(micro_batches)
        if self.min_workers is not None and self.min_workers > self.workers:
            expected = f"at most workers={self.workers}"
            raise SpecError("min_workers", expected=expected, received=repr(min_workers), hint="Choose a smaller one.")

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def shared_micro_batches(self, training: TrainingSpec | None = None) -> int:
        """Return the number of micro-batches of a batch in a training that all workers share.

        Args:
            training: Options of the training.

        Raises:
            SpecError: The number of the training differs from the cluster's, or is no multiple of the workers.
        """
        given = None if training is None else training.micro_batches
        if given is None or given == self.micro_batches:
            return self.micro_batches or self.workers * -(-LEAST_MICRO_BATCHES // self.workers)
        if self.micro_batches is not None:
            expected = f"that of the RayCluster, {self.micro_batches}, or none in the TrainingSpec"
            raise SpecError("micro_batches", expected=expected, received=repr(given), hint="Leave out one of the two.")
        self._check_micro_batches(given)
        return given

    def _check_micro_batches(self, micro_batches: int) -> None:
        if micro_batches % self.workers:
            expected = f"a multiple of workers={self.workers}, so that each worker has as many"
            raise SpecError(
                "micro_batches",
                expected=expected,
                received=repr(micro_batches),
                hint="Choose other micro-batches or workers.",
            )

    def train(self, job: TrainingJob, engine: Engine, *, verbose: int = 0) -> History:
        """Train one network in all workers together.

        Args:
            job: The training job.
            engine: The engine of the job, which receives the network.
            verbose: 0 is silent, 1 prints a line before and after, to standard error.

        Returns:
            The history of the training.

        Raises:
            SpecError: The backend is not JAX, or the numbers of micro-batches do not fit together.
            MissingPackageError: Ray is not installed.
            ClusterError: Workers died more often than `max_failures`.
            TrainingError: The loss is not finite; the engine has the best weights so far.
            KeyboardInterrupt: The user interrupted; the engine has the best weights of the last checkpoint, if any.
        """
        return train_together(
            self,
            job,
            engine,
            micro_batches=self.shared_micro_batches(job.training),
            min_workers=self.min_workers or self.workers,
            max_failures=self.max_failures,
            verbose=verbose,
        )
