"""Calls of a function side by side: one process a core, one thread a process.

The processes are those of loky, which joblib brings along: they neither fork (JAX's threads would not survive it) nor
import the user's script again, so that a script needs no `if __name__ == "__main__"` and functions may come from a
notebook. They stay for a minute, because starting one and importing Keras there takes seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any

from seqcast.runtime.backend import keras
from seqcast.runtime.threads import threads

__all__ = ["side_by_side"]

# Seconds after which an idle worker ends.
IDLE = 60.0
# Libraries that bring threads of their own, and what tells each to use one.
_ONE_THREAD = (
    "SEQCAST_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# What a worker reads from its environment when it starts: a pool that began under other values is not used again.
_READ_AT_START = ("JAX_", "KERAS_", "SEQCAST_", "XLA_")

_turn = threading.Lock()  # the workers serve one call at a time
_kept: tuple[Any, Any] | None = None  # what the workers were started for, and their pool


def side_by_side(
    function: Callable[..., Any],
    jobs: Iterable[Sequence[Any]],
    *,
    workers: int | None = None,
    finished: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """Call `function(*job)` for each job, in worker processes when there is more than one of both.

    One job, or one worker, runs in this process; so does everything in a daemonic process, which may have no children.
    Functions and jobs are pickled by cloudpickle, which takes lambdas and what a script or a notebook defines.

    Args:
        function: The function; a worker calls it with copies of its arguments.
        jobs: The arguments of each call.
        workers: Most processes; `None` is one a core, `threads()`.
        finished: Called in this process as `finished(place, result)` when a job is done, in whatever order they are.

    Returns:
        The results, in the order of the jobs.

    Raises:
        BaseException: What `function` raises, as itself, from the first job that fails; the others are stopped. A
            `KeyboardInterrupt` stops them too. No process is left then.

    Example:
        >>> side_by_side(pow, [(2, 3), (3, 2)], workers=1)
        [8, 9]
    """
    jobs = list(jobs)
    count = min(threads() if workers is None else workers, len(jobs))
    if count > 1 and not current_process().daemon:
        with _turn:
            return _in_workers(function, jobs, count, finished)
    results = []
    for place, job in enumerate(jobs):
        results.append(function(*job))
        if finished is not None:
            finished(place, results[-1])
    return results


def _in_workers(
    function: Callable[..., Any],
    jobs: list[Sequence[Any]],
    count: int,
    finished: Callable[[int, Any], None] | None,
) -> list[Any]:
    types = keras.config.floatx(), keras.config.dtype_policy()
    with warnings.catch_warnings():
        # loky tells of workers that it replaces or cannot kill with their children; it mends both by itself.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"joblib\.externals\.loky")
        try:
            with _deaf_to_ctrl_c():
                pool = _pool(count)
                futures = [pool.submit(_call, types, function, job) for job in jobs]
            places = {future: place for place, future in enumerate(futures)}
            for future in as_completed(futures):
                result = future.result()
                if finished is not None:
                    finished(places[future], result)
            return [future.result() for future in futures]
        except BaseException:
            _stop()
            raise


def _call(types: tuple[str, Any], function: Callable[..., Any], job: Sequence[Any]) -> Any:
    """Call the function in a worker, with the number types of the process that asked."""
    floatx, policy = types
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    return function(*job)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes and threads that start here never hear Ctrl-C, which a terminal sends to all processes at once.

    This process hears it when the block ends, and ends its workers.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pool(count: int) -> Any:
    """Return the pool of so many workers: the one that was used before, or a new one."""
    global _kept
    inherited = {name: value for name, value in os.environ.items() if name.startswith(_READ_AT_START)}
    environment = _environment()
    key = (os.getpid(), count, os.getcwd(), list(sys.path), inherited, environment)
    if _kept is None or _kept[0] != key:
        if _kept is not None and _kept[0][0] == os.getpid():  # a fork must not end its parent's workers
            _stop()
        from joblib.externals.loky import ProcessPoolExecutor

        _kept = key, ProcessPoolExecutor(count, timeout=IDLE, env=environment)
    return _kept[1]


def _environment() -> dict[str, str]:
    """Return what a worker's environment has beside ours, set before it imports anything."""
    changes = dict.fromkeys(_ONE_THREAD, "1") | {"KERAS_BACKEND": keras.backend.backend()}
    if keras.backend.backend() == "jax":
        flags = os.environ.get("XLA_FLAGS", "")
        changes["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return changes


def _stop() -> None:
    """End the workers at once."""
    global _kept
    with _deaf_to_ctrl_c():
        if _kept is not None:
            _, pool = _kept
            _kept = None
            pool.shutdown(wait=True, kill_workers=True)
