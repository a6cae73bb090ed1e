"""The cores of this process, calls in threads that share them, and linear algebra on one."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from seqcast.errors import SpecError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Return the number of cores for a fit.

    It is that of `SEQCAST_THREADS`, or else `OMP_NUM_THREADS`, or else all that the process has.

    Raises:
        SpecError: `SEQCAST_THREADS` is no whole number.
    """
    setting = os.environ.get("SEQCAST_THREADS")
    if setting:
        try:
            return max(1, int(setting))
        except ValueError:
            raise SpecError(
                "the environment variable SEQCAST_THREADS",
                expected="a whole number of threads, such as 4",
                received=repr(setting),
                hint="Set it to a number, or unset it to use all cores.",
            ) from None

    # joblib sets it in its workers, so that GridSearchCV(n_jobs=2) on two cores does not run two
    # threads in each worker. OpenMP also takes a list, the outermost level first.
    level = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores(), max(1, int(level))) if level.isdecimal() else cores()


def check_threads(count: int) -> None:
    """Check that a library can start its threads.

    Arrow waits for ever for threads that it cannot start.

    Args:
        count: Number of threads.

    Raises:
        MemoryError: There is no room for their stacks, or for another thread of the process.
    """
    over = threading.Event()
    started = list[threading.Thread]()
    try:
        for _ in range(count):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise MemoryError(str(error)) from error
    finally:
        over.set()
        for thread in started:
            thread.join()


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    count: int | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> list[Result]:
    """Call a function of each item in several threads, the caller's own and those of a pool.

    JAX runs programs that are started from different threads in parallel, those from one thread one
    after another. Any number of threads may call this at once, and the function may call it again:
    no call waits for a thread of the pool to become free. The function sees the context variables
    of the caller.

    Args:
        function: The function.
        items: Its arguments, one a call.
        count: Number of threads; `None` is one an item, at most `threads()`.
        pool: A pool with free threads, for which this waits: so calls are never made one after
            another.

    Returns:
        The results, in the order of the items.

    Raises:
        BaseException: Any exception of `function`; items that no thread has begun are skipped.

    Example:
        >>> in_threads(abs, [-1, 2, -3], 2)
        [1, 2, 3]
    """
    count = max(1, min(len(items), threads())) if count is None else count

    def run(thread: int) -> list[Result]:
        return [function(item) for item in items[thread::count]]

    futures = [
        (pool or _pool).submit(copy_context().run, run, thread) for thread in range(1, count)
    ]
    try:
        results = [run(0)]
        for thread, future in enumerate(futures, 1):
            # `cancel` succeeds where all threads of the pool are busy and none has begun this call.
            results.append(run(thread) if pool is None and future.cancel() else future.result())
    finally:
        for future in futures:
            future.cancel()
    return [results[place % count][place // count] for place in range(len(items))]


def begin(function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
    """Begin a call in a thread of the pool.

    Args:
        function: The function.
        *arguments: Its arguments.

    Returns:
        A function that waits for the result and returns it, or raises what the call raised. Where
        no thread was free, it makes the call itself.

    Example:
        >>> result = begin(abs, -1)
        >>> result()
        1
    """
    future = _pool.submit(function, *arguments)
    return lambda: function(*arguments) if future.cancel() else future.result()


def _new_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="seqcast")


# The one pool of this process, whose threads start when they are first needed.
_pool = _new_pool()


# Held by the thread that sets the limit and restores what was before. One thread has to do both.
_blas_lock = threading.Lock()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy's products and decompositions of matrices use one thread.

    On matrices of a few hundred rows more threads mostly wait for each other. On a busy machine
    this takes hundreds of times as long as one thread needs. OpenBLAS has one setting a process:
    the first thread inside sets it, also for those that come in meanwhile, and restores it as it
    leaves. Where another thread holds a limit of `threadpoolctl`, that limit stays.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     q, r = np.linalg.qr(np.eye(3))
        >>> q.shape
        (3, 3)
    """
    if not _blas_lock.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1):
            yield
    finally:
        _blas_lock.release()


@functools.cache
def _controller() -> ThreadpoolController:
    """Return the BLAS libraries of this process; finding them takes a millisecond."""
    return ThreadpoolController().select(user_api="blas")


def _forget_after_fork() -> None:
    """Give a forked child a pool and locks of its own: those of its parent stay taken."""
    global _pool, _blas_lock
    _pool = _new_pool()
    _blas_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
