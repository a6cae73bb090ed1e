"""The executor that sends each job to a worker of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from seqcast.distributed.session import Session
from seqcast.errors import WorkerDiedError
from seqcast.runtime import NumberTypes, run_job

# Seconds to wait until workers that are stopped have ended.
STOP_SECONDS = 30


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
