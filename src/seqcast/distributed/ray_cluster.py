"""The workers of a cluster, as fits, forecasts and searches take them."""

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

# Micro-batches of a batch, at least: with one, two or four workers a training is then the same.
LEAST_MICRO_BATCHES = 4


@dataclass(frozen=True)
class RayCluster(Session):
    """Worker processes that Ray starts, on this machine or on those of a cluster.

    Give it to `fit`, `predict` or `backtest` of a `Forecaster`, or to `seqcast.tune.tune`, as `on`. One network is
    trained by all workers: a batch has `micro_batches` equal micro-batches, each worker computes some of them from its
    own rows, and gradients and losses are summed over the workers. With the same `micro_batches` a training is the
    same, however many workers there are, but for the order in which numbers are added. Several networks are trained in
    a worker each, with the same bits as in a worker process of this machine. Forecasts of files are made in a worker
    each, too.

    Args:
        workers: Number of workers; `None` is one a core of this machine.
        address: Where they are: `local` is this machine, where Ray is started; `auto`, `host:port` and
            `ray://host:port` are a cluster that runs. `None` takes the variable `RAY_ADDRESS`, or else this machine. A
            session of Ray that this process has already is used as it is.
        cpus_per_worker: CPUs of each worker, and its threads.
        storage: A folder that all workers see, for checkpoints and what Ray writes; `None` is a temporary one, which
            does for one machine.
        micro_batches: Equal micro-batches of a batch, a multiple of `workers`; `None` takes those of the
            `TrainingSpec`, or the smallest number from 4 on.
        min_workers: Fewest workers with which a shared training begins, or goes on when machines are gone; `None` waits
            for all of them. CPUs that others use are waited for in any case.
        max_failures: How often a shared training may go on from its last checkpoint after a worker has died.

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
            training: How it is trained.

        Raises:
            SpecError: Those of the training are others than the cluster's, or no multiple of the workers.
        """
        given = None if training is None else training.micro_batches
        if given is None or given == self.micro_batches:
            return self.micro_batches or self.workers * -(-LEAST_MICRO_BATCHES // self.workers)
        if self.micro_batches is not None:
            expected = f"those of the RayCluster, {self.micro_batches}, or none in the TrainingSpec"
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
            job: The training.
            engine: Its engine, which holds the network afterwards.
            verbose: 0 is silent, 1 prints a line before and after, to standard error.

        Returns:
            What training recorded.

        Raises:
            SpecError: The backend is not JAX, or micro_batches do not go together.
            MissingPackageError: Ray is not installed.
            ClusterError: Workers died more often than `max_failures`.
            TrainingError: The loss is not finite; the engine holds the best weights so far.
            KeyboardInterrupt: The user interrupted; the engine holds the best weights of the last checkpoint, if any.
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
