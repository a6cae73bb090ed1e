"""The workers of Ray: how they are reached, jobs for each of them, and forecasts that each of them writes."""

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
# Seconds to wait until workers that are stopped have ended.
STOP_SECONDS = 30

# Variables of Ray's, unless the user has set them: no statistics are sent, and one warning of a coming change less.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# CPUs of the session that was started here; 0 where there is none, or the user has started it.
_started_cpus = 0


@dataclass(frozen=True)
class Session:
    """Workers of Ray, and how they are reached; arguments as for `seqcast.distributed.RayCluster`.

    Args:
        workers: Number of workers.
        cpus_per_worker: CPUs of each.
        address: Where they are.
        storage: A folder that all of them see.
    """

    workers: int
    cpus_per_worker: int = 1
    address: str | None = None
    storage: Path | None = None

    def connect(self) -> Any:
        """Return Ray, connected to the cluster; on this machine it is started.

        Raises:
            MissingPackageError: Ray is not installed.
            ClusterError: The cluster does not answer.
            SpecError: It has several machines and there is no `storage`.
        """
        global _started_cpus
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        ray = require("ray", extra="ray")
        # More CPUs than there are let more workers run than there are cores.
        cpus = max(cores(), self.workers * self.cpus_per_worker)
        if ray.is_initialized() and 0 < _started_cpus < cpus:
            self.stop()
        if not ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS") or LOCAL
            _begin(ray, address, cpus)
            _started_cpus = cpus if address == LOCAL else 0
        if self.storage is None and sum(node["Alive"] for node in ray.nodes()) > 1:
            expected = "a folder that all machines of the cluster see"
            hint = "Name one on a shared file system; at the command line it is that of --checkpoint."
            raise SpecError("storage of RayCluster", expected=expected, received="None", hint=hint)
        return ray

    def stop(self) -> None:
        """Leave the cluster; on this machine end Ray and the workers."""
        global _started_cpus
        require("ray", extra="ray").shutdown()
        _started_cpus = 0

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker: what this process has for seqcast, and as many threads as CPUs."""
        return {**inherited_environment(), **worker_environment(self.cpus_per_worker)}

    def executor(self, retries: int = 2) -> RayExecutor:
        """Return the executor that gives each worker a job of its own.

        Args:
            retries: How often a job is tried again whose worker has died.
        """
        return RayExecutor(self, retries=retries)

    def write(self, table: Callable[[Any], Any], items: Sequence[Any], folder: OutputFolder) -> None:
        """Write the output file of each item that is not there yet, in the workers.

        Args:
            table: Makes the frame of an item, `None` where it would be empty.
            items: What each file is made of, in the order of the files.
            folder: Where they are written; all workers see it.

        Raises:
            MissingPackageError: Ray is not installed.
            SeqcastError: What a worker raised; files that were written stay.
        """
        missing = [number for number in range(len(items)) if not folder.file(number).exists()]
        if not missing:
            return
        ray, data = self.connect(), require("ray.data", extra="ray")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        data.DataContext.get_current().enable_progress_bars = False
        # In a list Ray leaves it a reference, which each worker follows once.
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
            # JAX warns of the fork, after which Ray's processes run programs of their own at once.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        expected = "a cluster of Ray that runs"
        hint = "Start one with `ray start --head`, or leave the address out for this machine."
        raise ClusterError("address", expected=expected, received=f"{address!r}: {error}", hint=hint) from error


class RayExecutor:
    """Run jobs in the workers of a cluster, one at a time in each: an `Executor`.

    With one CPU a worker, a job gives the same bits as in a worker process of this machine, see
    `seqcast.runtime.executors.LokyExecutor`.

    Args:
        session: The workers, which are reached when the first job is there.
        retries: How often a job is tried again whose worker has died.

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
            finished: Called in this process as `finished(place, result)` whenever a job ends.

        Raises:
            WorkerDiedError: Workers died, more often than jobs are tried again.
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
    """Stop jobs, and wait until they have ended."""
    for job in running:
        ray.cancel(job, force=True)
    if running:
        ray.wait(running, num_returns=len(running), timeout=STOP_SECONDS)


class _Writer:
    """What a worker has to write files: the forecaster comes once, however many files it writes.

    Args:
        work: Ray's reference to number types, the folder, and the function that makes the frame of an item.
    """

    def __init__(self, work: Sequence[Any]) -> None:
        types, self.folder, self.table = require("ray", extra="ray").get(work[0])
        types.apply()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write the file of an item; an error of ours is returned, since Ray would try again what is raised."""
        error = b""
        try:
            self.folder.write(int(row["number"]), lambda: self.table(pickle.loads(row["item"])))
        except SeqcastError as ours:
            error = pickle.dumps(ours)
        return {"number": int(row["number"]), "error": error}
