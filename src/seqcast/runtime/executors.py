"""Executors run independent jobs, in this process one after another or in worker processes.

An `Executor` has one method, `map`. `SerialExecutor` and `LokyExecutor` are here; any other object
with that method will do, for example `seqcast.distributed.RayExecutor`, which sends the jobs to
other machines.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import suppress
from multiprocessing import current_process
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from seqcast.errors import WorkerDiedError
from seqcast.runtime.backend import NumberTypes, keras, platform
from seqcast.runtime.program_cache import cache_variables
from seqcast.runtime.threads import threads
from seqcast.runtime.worker_starts import ctrl_c_blocked, end_with_parent, ignore_warnings_of_loky

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

# Seconds until an idle worker ends: starting one and importing Keras there takes seconds.
IDLE_SECONDS = 60.0
# Whether JAX takes most of a GPU's memory when it starts, which leaves none for a second process.
ALL_MEMORY = "XLA_PYTHON_CLIENT_PREALLOCATE"
# Prefixes of variables that a worker reads when it starts: a pool that started under other values
# is not used again.
_READ_AT_START = ("JAX_", "KERAS_", "SEQCAST_", "XLA_")
# joblib knows the variables of BLAS and OpenMP. TensorFlow has its own, and `threads` reads the
# last one.
_MORE_VARIABLES_OF_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "SEQCAST_THREADS")

Result = TypeVar("Result")
# The arguments of each call.
Jobs = Iterable[Sequence[object]]
# Called with the place of a job and its result.
Finished = Callable[[int, Result], None]


class Executor(Protocol):
    """Runs independent jobs.

    An implementation keeps these promises, and may run the jobs anywhere:

    - Function, jobs and results can be pickled by cloudpickle; a job may get copies of its
        arguments.
    - A job sees the number types of the caller, `seqcast.runtime.backend.NumberTypes`.
    - The first error is raised unchanged, and the other jobs are stopped. `KeyboardInterrupt` stops
      them too. Nothing runs on after `map` has ended with an exception. A worker that dies is a
      `WorkerDiedError`.
    """

    def map(
        self,
        function: Callable[..., Result],
        jobs: Jobs,
        *,
        finished: Finished[Result] | None = None,
    ) -> list[Result]:
        """Call `function(*job)` for each job.

        Args:
            function: The function.
            jobs: The arguments of each call.
            finished: Called in this process as `finished(place, result)` whenever a job ends, in
                any order.

        Returns:
            The results, in the order of the jobs.
        """


class SerialExecutor:
    """Run jobs in this process, one after another.

    Example:
        >>> SerialExecutor().map(pow, [(2, 3), (3, 2)])
        [8, 9]
    """

    def map(
        self,
        function: Callable[..., Result],
        jobs: Jobs,
        *,
        finished: Finished[Result] | None = None,
    ) -> list[Result]:
        """Call `function(*job)` for each job; see `Executor.map`."""
        results = []
        for place, job in enumerate(jobs):
            results.append(function(*job))
            if finished is not None:
                finished(place, results[-1])
        return results


class LokyExecutor:
    """Run jobs in worker processes on this machine, one thread each.

    The processes are those of loky, which joblib brings along. They neither fork (JAX's threads
    would not survive it) nor import the user's script again: a script needs no `if __name__ ==
    "__main__"`, and functions may come from a notebook. They stay for a minute after their last job
    and serve all executors of this process; `stop_workers` ends them at once.

    `joblib.Parallel` runs on loky too, but all its calls share one pool: a call with other settings
    than the one before waits until that one has ended. A fit inside a loop over
    `Parallel(return_as="generator")` would wait for ever.

    Args:
        workers: Most processes; `None` is one a core, `threads()`.

    Example:
        >>> LokyExecutor(workers=2).workers
        2
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = threads() if workers is None else workers

    def map(
        self,
        function: Callable[..., Result],
        jobs: Jobs,
        *,
        finished: Finished[Result] | None = None,
    ) -> list[Result]:
        """Call `function(*job)` for each job; see `Executor.map`."""
        jobs = list(jobs)
        if not jobs:
            return []
        with _pool.turn:
            return _pool.map(min(self.workers, len(jobs)), function, jobs, finished)


def choose_executor(jobs: int, workers: int | None = None) -> Executor:
    """Return the executor for some jobs on this machine.

    One job, or one worker, needs no other process; a daemonic process may have none. On a GPU jobs
    run one after another in this process, which holds the device: workers would take its memory
    from each other.

    Args:
        jobs: Number of jobs.
        workers: Most processes on a CPU; `None` is one a core, `threads()`.

    Example:
        >>> type(choose_executor(jobs=1, workers=4)).__name__
        'SerialExecutor'
        >>> type(choose_executor(jobs=8, workers=4)).__name__
        'LokyExecutor'
    """
    count = min(worker_count(workers), jobs)
    if count < 2 or current_process().daemon:
        return SerialExecutor()
    return LokyExecutor(count)


def worker_count(workers: int | None = None) -> int:
    """Return the number of processes that may train at once on this machine.

    Args:
        workers: Most of them on a CPU; `None` is one a core, `threads()`. On another device it is
            one.

    Example:
        >>> worker_count(4)
        4
    """
    if platform() != "cpu":
        return 1
    return threads() if workers is None else workers


def stop_workers() -> None:
    """End the idle workers of this process and give their memory back."""
    with _pool.turn:
        _pool.stop()


def kill_workers() -> None:
    """Kill all workers of this process without waiting, because it is about to end itself."""
    _pool.kill()


def run_job(
    number_types: NumberTypes, function: Callable[..., Result], job: Sequence[object]
) -> Result:
    """Call a function in a worker.

    Args:
        number_types: Those of the calling process.
        function: The function.
        job: Its arguments.
    """
    number_types.apply()
    return function(*job)


class _WorkerPool:
    """The workers of this process, started when they are first needed."""

    def __init__(self) -> None:
        self.turn = threading.Lock()  # the workers serve one call at a time
        self._executor: ProcessPoolExecutor | None = None
        # What the workers have read when they started.
        self._started_for: tuple[object, ...] = ()

    def map(
        self,
        count: int,
        function: Callable[..., Result],
        jobs: Jobs,
        finished: Finished[Result] | None,
    ) -> list[Result]:
        """Run jobs in workers; see `Executor.map`."""
        number_types = NumberTypes.current()
        ignore_warnings_of_loky()
        try:
            executor = self._start(count)
            with ctrl_c_blocked():
                futures = [executor.submit(run_job, number_types, function, job) for job in jobs]

            places = {future: place for place, future in enumerate(futures)}
            for future in as_completed(futures):
                result = future.result()
                if finished is not None:
                    finished(places[future], result)
            return [future.result() for future in futures]

        except BaseException as error:
            self.stop()
            if isinstance(error, BrokenExecutor):
                raise WorkerDiedError.with_advice() from error
            raise

    def _start(self, count: int) -> ProcessPoolExecutor:
        """Return a pool of `count` workers: the one that was used before, or a new one."""
        from joblib.externals.loky import ProcessPoolExecutor

        environment = worker_environment()
        needed = (count, os.getcwd(), list(sys.path), inherited_environment(), environment)
        if self._executor is None or self._started_for != needed:
            self.stop()
            self._started_for = needed
            self._executor = ProcessPoolExecutor(
                count,
                timeout=IDLE_SECONDS,
                env=environment,
                initializer=end_with_parent,
                initargs=(os.getpid(),),
            )
        return self._executor

    def kill(self) -> None:
        """Kill the workers, without waiting for any lock."""
        # Linux lists all children, also starting ones, and those that would complain of the
        # semaphores removed here.
        processes = set(getattr(self._executor, "_processes", None) or ())
        for path in Path("/proc/self/task").glob("*/children"):
            with suppress(OSError):  # a thread that has just ended
                processes.update(map(int, path.read_text().split()))
        for process in processes:
            with suppress(OSError):
                os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        for semaphore in Path("/dev/shm").glob(f"sem.loky-{os.getpid()}-*"):
            with suppress(OSError):
                semaphore.unlink()

    def stop(self) -> None:
        """End the workers at once."""
        if self._executor is None:
            return
        with ctrl_c_blocked():
            # Known until all have ended, so that `kill` finds the rest meanwhile.
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


_pool = _WorkerPool()
_inherited: list[_WorkerPool] = []


def _forget_after_fork() -> None:
    """Give a forked child a pool of its own.

    The workers, and a lock that may be locked, are its parent's. The parent's pool is not dropped:
    loky would take that as the end of the workers.
    """
    global _pool
    _inherited.append(_pool)
    _pool = _WorkerPool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def inherited_environment() -> dict[str, str]:
    """Return the variables of this process that a worker reads when it starts."""
    return {name: value for name, value in os.environ.items() if name.startswith(_READ_AT_START)}


def worker_environment(cores: int = 1) -> dict[str, str]:
    """Return the environment variables that are added for workers, set before they import anything.

    Args:
        cores: Threads of each.
    """
    from joblib.parallel import ParallelBackendBase

    names = (*ParallelBackendBase.MAX_NUM_THREADS_VARS, *_MORE_VARIABLES_OF_THREADS)
    changes = dict.fromkeys(names, str(cores))
    changes["KERAS_BACKEND"] = keras.backend.backend()
    if keras.backend.backend() != "jax":
        return changes

    if platform() == "cpu":
        flags = os.environ.get("XLA_FLAGS", "")
        if cores == 1:
            flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
        changes["XLA_FLAGS"] = flags
    elif ALL_MEMORY not in os.environ:
        changes[ALL_MEMORY] = "false"
    return changes | cache_variables()
