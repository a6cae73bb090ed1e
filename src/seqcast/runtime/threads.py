"""How many cores this process may use, and calls that share them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["in_threads", "threads"]


def threads() -> int:
    """Return how many cores a fit may use: `SEQCAST_THREADS`, or `OMP_NUM_THREADS`, or all that the process has."""
    asked = os.environ.get("SEQCAST_THREADS")
    if asked:
        return max(1, int(asked))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # joblib sets it in its workers, so that GridSearchCV(n_jobs=2) on two cores does not run two threads in each
    # worker. OpenMP also takes a list, the outermost level first.
    level = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores, max(1, int(level))) if level.isdecimal() else cores


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the one pool of this process; a forked child, whose threads are gone, gets its own."""
    del process
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1)), thread_name_prefix="seqcast")


def in_threads(function: Callable[[Any], Any], items: Sequence[Any], count: int) -> list[Any]:
    """Call a function of each item in `count` threads, the caller's own and others of the pool; return all results.

    JAX runs programs that are started from different threads side by side, those from one thread one after another.

    Args:
        function: The function. It must not call `in_threads` itself: the pool is bounded.
        items: What it is called with.
        count: Number of threads.

    Returns:
        The results, in the order of the items.

    Example:
        >>> in_threads(abs, [-1, 2, -3], 2)
        [1, 2, 3]
    """

    def share(thread: int) -> list[Any]:
        return [function(item) for item in items[thread::count]]

    pool = _pool(os.getpid())
    others = [pool.submit(share, thread) for thread in range(1, count)]
    shares = [share(0), *(other.result() for other in others)]
    return [shares[place % count][place // count] for place in range(len(items))]
