"""A Ray cluster: the connection to it, and the workers of fits, forecasts and searches."""

from __future__ import annotations

import logging
import os
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Self, TypeVar

from seqcast import runtime
from seqcast.distributed.shared_training import train_together
from seqcast.engine import Engine, TrainingJob
from seqcast.errors import ClusterError, SeqcastError, SpecError, WorkerDiedError
from seqcast.forecaster import OutputFolder
from seqcast.specs import TrainingSpec, check_int
from seqcast.training import History

Item = TypeVar("Item")
Result = TypeVar("Result")

# The address that stands for this machine.
LOCAL = "local"
# Least number of micro-batches of a batch, with which one, two and four workers give the same
# training.
LEAST_MICRO_BATCHES = 4
# Seconds to wait for the end of stopped workers.
STOP_SECONDS = 30

# Defaults of Ray's variables: Ray sends no statistics, and does not warn of a coming change.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# CPUs of the session that this module has started; 0 if there is none, or the user has started it.
_started_cpus = 0


class RayCluster:
    """Worker processes that Ray starts, on this machine or on a cluster.

    Give it as `on` to `fit`, `predict` or `backtest` of a `Forecaster`, or to `seqcast.tune.tune`.
    All workers train one network together: each computes some of the `micro_batches` of a batch
    from its own rows, and gradients and losses are summed over the workers. With the same
    `micro_batches`, any number of workers gives the same training, up to the order of sums. Several
    networks are trained in one worker each, with the same bits as in a worker process of this
    machine. Each file of a forecast is also written by one worker.

    Args:
        workers: Number of workers; `None` is one a core of this machine.
        address: Address of the cluster: `local` starts Ray on this machine; `auto`, `host:port` and
            `ray://host:port` are a running cluster. `None` takes the variable `RAY_ADDRESS`, or
            else this machine. A Ray session of this process takes precedence.
        cpus_per_worker: CPUs and threads of each worker.
        storage: A folder that all workers can read and write, for checkpoints and Ray's files;
            `None` is a temporary one, for one machine.
        micro_batches: Number of equal micro-batches of a batch, a multiple of `workers`; `None`
            takes that of the `TrainingSpec`, or the smallest one from 4 on.
        min_workers: Fewest workers with which a shared training begins, or goes on without lost
            machines; `None` waits for all. A training always waits for busy CPUs.
        max_failures: Largest number of resumptions of a shared training after a worker has died.

    Raises:
        SpecError: A number is impossible.

    Example:
        >>> [RayCluster(workers=workers).shared_micro_batches() for workers in (2, 3)]
        [4, 6]
    """

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
            raise SpecError(
                "address",
                expected="local, auto, host:port, ray://host:port or None",
                received=repr(address),
                hint="Name the cluster, or leave it out for this machine.",
            )
        self.workers = _count("workers", workers, runtime.cores())
        self.address = address
        self.cpus_per_worker = check_int("cpus_per_worker", cpus_per_worker)
        self.storage = None if storage is None else Path(storage).absolute()
        self.micro_batches = (
            None if micro_batches is None else check_int("micro_batches", micro_batches)
        )
        self.min_workers = _count("min_workers", min_workers, self.workers)
        self.max_failures = check_int("max_failures", max_failures, at_least=0)

        if micro_batches is not None:
            self._check_micro_batches(micro_batches)
        if self.min_workers > self.workers:
            raise SpecError(
                "min_workers",
                expected=f"at most workers={self.workers}",
                received=repr(min_workers),
                hint="Choose a smaller one.",
            )

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connect(self) -> ModuleType:
        """Return Ray, connected to the cluster or started on this machine.

        Raises:
            MissingPackageError: Ray is not installed.
            ClusterError: The cluster does not answer.
            SpecError: The cluster has several machines, and `storage` is missing.
        """
        global _started_cpus
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        ray = runtime.require("ray", extra="ray")

        # More CPUs than the machine has allow more workers than cores.
        cpus = max(runtime.cores(), self.workers * self.cpus_per_worker)
        if ray.is_initialized() and 0 < _started_cpus < cpus:
            self.stop()
        if not ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS") or LOCAL
            _begin(ray, address, cpus)
            _started_cpus = cpus if address == LOCAL else 0

        if self.storage is None and sum(node["Alive"] for node in ray.nodes()) > 1:
            raise SpecError(
                "storage of RayCluster",
                expected="a folder that all machines of the cluster can read and write",
                received="None",
                hint="Name one on a shared file system; "
                "at the command line it is that of --checkpoint.",
            )
        return ray

    def stop(self) -> None:
        """Disconnect from the cluster; on this machine end Ray and the workers."""
        global _started_cpus
        runtime.require("ray", extra="ray").shutdown()
        _started_cpus = 0

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker: variables of this process, and one thread for each CPU."""
        own = runtime.worker_environment(self.cpus_per_worker)
        return runtime.inherited_environment() | own

    def executor(self, retries: int = 2) -> RayExecutor:
        """Return the executor that runs one job at a time in each worker.

        Args:
            retries: Number of retries of a job whose worker has died.
        """
        return RayExecutor(self, retries=retries)

    def write(
        self, table: Callable[[Item], object], items: Sequence[Item], folder: OutputFolder
    ) -> None:
        """Write the missing output file of each item, in the workers.

        Args:
            table: Returns the frame of an item, or `None` if it is empty.
            items: The argument of `table` for each file, in the order of the files.
            folder: The folder of the files, to which all workers can write.

        Raises:
            MissingPackageError: Ray is not installed.
            SeqcastError: The error of a worker; written files stay.
        """
        missing = [number for number in range(len(items)) if not folder.file(number).exists()]
        if not missing:
            return

        ray = self.connect()
        data = runtime.require("ray.data", extra="ray")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        data.DataContext.get_current().enable_progress_bars = False
        # In a list it stays a reference, which each worker resolves once.
        work = [ray.put((runtime.NumberTypes.current(), folder, table))]
        rows = [{"number": number, "item": pickle.dumps(items[number])} for number in missing]
        dataset = data.from_items(rows, override_num_blocks=len(rows)).map(
            _Writer,
            fn_constructor_args=(work,),
            compute=data.ActorPoolStrategy(size=min(self.workers, len(rows))),
            num_cpus=self.cpus_per_worker,
            runtime_env={"env_vars": self.variables},
        )

        for row in dataset.iter_rows():
            if row["error"]:
                raise pickle.loads(row["error"])

    def shared_micro_batches(self, training: TrainingSpec | None = None) -> int:
        """Return the number of micro-batches of a batch in a training that all workers share.

        Args:
            training: Options of the training.

        Raises:
            SpecError: The number of the training differs from the cluster's, or is no multiple of
                the workers.
        """
        given = None if training is None else training.micro_batches
        if given is None or given == self.micro_batches:
            return self.micro_batches or self.workers * -(-LEAST_MICRO_BATCHES // self.workers)
        if self.micro_batches is not None:
            raise SpecError(
                "micro_batches",
                expected=f"that of the RayCluster, {self.micro_batches}, "
                "or none in the TrainingSpec",
                received=repr(given),
                hint="Leave out one of the two.",
            )
        self._check_micro_batches(given)
        return given

    def _check_micro_batches(self, micro_batches: int) -> None:
        if micro_batches % self.workers:
            raise SpecError(
                "micro_batches",
                expected=f"a multiple of workers={self.workers}, so that each worker has as many",
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
            KeyboardInterrupt: The user interrupted; the engine has the best weights of the last
                checkpoint, if any.
        """
        return train_together(self, job, engine, verbose=verbose)


def _count(name: str, count: int | None, usual: int) -> int:
    return usual if count is None else check_int(name, count)


def _begin(ray: ModuleType, address: str, cpus: int) -> None:
    """Connect to a cluster, or start Ray on this machine."""
    local = {"num_cpus": cpus, "include_dashboard": False} if address == LOCAL else {}
    try:
        # JAX warns of the fork, after which Ray's processes at once execute other programs.
        with runtime.filtering_warnings("ignore", RuntimeWarning, "os.fork() was called"):
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            "address",
            expected="a running cluster of Ray",
            received=f"{address!r}: {error}",
            hint="Start one with `ray start --head`, or leave the address out for this machine.",
        ) from error


class RayExecutor:
    """Run jobs in the workers of a cluster, one at a time in each: an `Executor`.

    With one CPU a worker, a job gives the same bits as in a worker process of this machine, see
    `seqcast.runtime.executors.LokyExecutor`.

    Args:
        cluster: The workers, connected at the first job.
        retries: Number of retries of a job whose worker has died.

    Attributes:
        workers: Most jobs at a time.
    """

    def __init__(self, cluster: RayCluster, *, retries: int = 2) -> None:
        self.cluster = cluster
        self.retries = retries
        self.workers = cluster.workers

    def map(
        self,
        function: Callable[..., Result],
        jobs: runtime.Jobs,
        *,
        finished: runtime.Finished[Result] | None = None,
    ) -> list[Result]:
        """Call `function(*job)` for each job; see `Executor.map`.

        Args:
            function: The function.
            jobs: The arguments of each call.
            finished: Called in this process as `finished(place, result)` at the end of each job.

        Raises:
            WorkerDiedError: A worker of a job died more than `retries` times.
        """
        waiting = deque(enumerate(jobs))
        if not waiting:
            return []

        ray = self.cluster.connect()
        remote = ray.remote(
            max_retries=self.retries,
            num_cpus=self.cluster.cpus_per_worker,
            runtime_env={"env_vars": self.cluster.variables},
        )
        task = remote(runtime.run_job)
        types = ray.put(runtime.NumberTypes.current())
        called = ray.put(function)

        results: dict[int, Result] = {}
        running: dict[object, int] = {}  # places of jobs, by Ray's references to their results
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    place, job = waiting.popleft()
                    running[task.remote(types, called, job)] = place
                (done,), _ = ray.wait(list(running), num_returns=1)
                result = ray.get(done)
                place = running.pop(done)
                results[place] = result
                if finished is not None:
                    finished(place, result)
        except BaseException as error:
            _stop(ray, list(running))
            if isinstance(error, ray.exceptions.RayTaskError):
                raise error.cause from None
            if isinstance(error, (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError)):
                raise WorkerDiedError.with_advice() from error
            raise
        return [results[place] for place in range(len(results))]


def _stop(ray: ModuleType, running: Sequence[object]) -> None:
    """Stop jobs, and wait for their end."""
    for job in running:
        ray.cancel(job, force=True)
    if running:
        ray.wait(running, num_returns=len(running), timeout=STOP_SECONDS)


class _Writer:
    """The writer of output files in a worker, which loads the forecaster once.

    Args:
        work: Ray's reference to number types, the folder, and the function that returns the frame
            of an item.
    """

    def __init__(self, work: Sequence[object]) -> None:
        types, self.folder, self.table = runtime.require("ray", extra="ray").get(work[0])
        types.apply()

    def __call__(self, row: dict[str, Any]) -> dict[str, object]:
        """Write the file of an item, and return an error of ours: Ray would retry a raised one."""
        number = int(row["number"])
        error = b""
        try:
            self.folder.write(number, lambda: self.table(pickle.loads(row["item"])))
        except SeqcastError as ours:
            error = pickle.dumps(ours)
        return {"number": number, "error": error}
