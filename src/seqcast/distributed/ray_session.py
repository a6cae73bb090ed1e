"""A session of Ray: the connection to its workers, and the jobs and output files of single workers."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast.errors import ClusterError, SeqcastError, SpecError, WorkerDiedError
from seqcast.forecaster import OutputFolder
from seqcast.runtime import NumberTypes, cores, inherited_environment, require, run_job, worker_environment

LOCAL = "local"
# Seconds to wait for the end of stopped workers.
STOP_SECONDS = 30

# Defaults of Ray's variables: Ray sends no statistics, and does not warn of a coming change.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# CPUs of the session that this module has started; 0 if there is none, or the user has started it.
_started_cpus = 0


@dataclass(frozen=True)
class Session:
    """Workers of Ray and the connection to them; arguments as for `seqcast.distributed.RayCluster`.

    Args:
        workers: Number of workers.
        cpus_per_worker: CPUs of each worker.
        address: Address of the cluster.
        storage: A folder that all workers can read and write.
    """

    workers: int
    cpus_per_worker: int = 1
    address: str | None = None
    storage: Path | None = None

    def connect(self) -> Any:
        """Return Ray, connected to the cluster or started on this machine.

        Raises:
            MissingPackageError: Ray is not installed.
            ClusterError: The cluster does not answer.
            SpecError: The cluster has several machines, and `storage` is missing.
        """
        global _started_cpus
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        ray = require("ray", extra="ray")
        # More CPUs than the machine has allow more workers than cores.
        cpus = max(cores(), self.workers * self.cpus_per_worker)
        if ray.is_initialized() and 0 < _started_cpus < cpus:
            self.stop()
        if not ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS") or LOCAL
            _begin(ray, address, cpus)
            _started_cpus = cpus if address == LOCAL else 0
        if self.storage is None and sum(node["Alive"] for node in ray.nodes()) > 1:
            expected = "a folder that all machines of the cluster can read and write"
            hint = "Name one on a shared file system; at the command line it is that of --checkpoint."
            raise SpecError("storage of RayCluster", expected=expected, received="None", hint=hint)
        return ray

    def stop(self) -> None:
        """Disconnect from the cluster; on this machine end Ray and the workers."""
        global _started_cpus
        require("ray", extra="ray").shutdown()
        _started_cpus = 0

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker: the variables of this process for seqcast, and one thread for each CPU."""
        return {**inherited_environment(), **worker_environment(self.cpus_per_worker)}

    def executor(self, retries: int = 2) -> RayExecutor:
        """Return the executor that runs one job at a time in each worker.

        Args:
            retries: Number of retries of a job whose worker has died.
        """
        return RayExecutor(self, retries=retries)

    def write(self, table: Callable[[Any], Any], items: Sequence[Any], folder: OutputFolder) -> None:
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
        ray, data = self.connect(), require("ray.data", extra="ray")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        data.DataContext.get_current().enable_progress_bars = False
        # In a list it stays a reference, which each worker resolves once.
        work = [ray.put((NumberTypes.current(), folder, table))]
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


def _begin(ray: Any, address: str, cpus: int) -> None:
    """Connect to a cluster, or start Ray on this machine."""
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == LOCAL:
        options |= {"num_cpus": cpus, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            # JAX warns of the fork, after which Ray's processes at once execute other programs.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        expected = "a running cluster of Ray"
        hint = "Start one with `ray start --head`, or leave the address out for this machine."
        raise ClusterError("address", expected=expected, received=f"{address!r}: {error}", hint=hint) from error


class RayExecutor:
    """Run jobs in the workers of a cluster, one at a time in each: an `Executor`.

    With one CPU a worker, a job gives the same bits as in a worker process of this machine, see
    `seqcast.runtime.executors.LokyExecutor`.

    Args:
        session: The workers, connected at the first job.
        retries: Number of retries of a job whose worker has died.

    Attributes:
        workers: Most jobs at a time.
    """

    def __init__(self, session: Session, *, retries: int = 2) -> None:
        self.session, self.retries = session, retries
        self.workers = session.workers

    def map(
        self,
        function: Callable[..., Any],
        jobs: Iterable[Sequence[Any]],
        *,
        finished: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
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
        ray = self.session.connect()
        options = {"num_cpus": self.session.cpus_per_worker, "runtime_env": {"env_vars": self.session.variables}}
        task = ray.remote(max_retries=self.retries, **options)(run_job)
        types, called = ray.put(NumberTypes.current()), ray.put(function)
        results: dict[int, Any] = {}
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    place, job = waiting.popleft()
                    running[task.remote(types, called, job)] = place
                (done,), _ = ray.wait(list(running), num_returns=1)
                place = running[done]
                results[place] = ray.get(done)
                del running[done]
                if finished is not None:
                    finished(place, results[place])
        except BaseException as error:
            _stop(ray, list(running))
            if isinstance(error, ray.exceptions.RayTaskError):
                raise error.cause from None
            if isinstance(error, (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError)):
                raise WorkerDiedError.with_advice() from error
            raise
        return [results[place] for place in range(len(results))]


def _stop(ray: Any, running: list[Any]) -> None:
    """Stop jobs, and wait for their end."""
    for job in running:
        ray.cancel(job, force=True)
    if running:
        ray.wait(running, num_returns=len(running), timeout=STOP_SECONDS)


class _Writer:
    """The writer of output files in a worker, which loads the forecaster once.

    Args:
        work: Ray's reference to number types, the folder, and the function that returns the frame of an item.
    """

    def __init__(self, work: Sequence[Any]) -> None:
        types, self.folder, self.table = require("ray", extra="ray").get(work[0])
        types.apply()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write the file of an item; return an error of ours, since Ray would retry after a raised one."""
        error = b""
        try:
            self.folder.write(int(row["number"]), lambda: self.table(pickle.loads(row["item"])))
        except SeqcastError as ours:
            error = pickle.dumps(ours)
        return {"number": int(row["number"]), "error": error}
