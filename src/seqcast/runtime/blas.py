"""NumPy's linear algebra on one thread."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController

# What is set back at the end is what was found at the beginning, so only one thread at a time may do both. A function
# that is called within may come here again.
_lock = threading.RLock()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy's products and decompositions of matrices use one thread.

    On matrices of a few hundred rows more threads mostly wait for each other, on a busy machine hundreds of times as
    long as one thread needs. Only one thread is inside at a time, and others that enter wait. OpenBLAS has one setting
    a process, so products in other threads use one thread meanwhile, too; where another thread holds a limit of
    `threadpoolctl`, that limit stays.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     q, r = np.linalg.qr(np.eye(3))
        >>> q.shape
        (3, 3)
    """
    with _lock, _controller().limit(limits=1):
        yield


@functools.cache
def _controller() -> ThreadpoolController:
    """Return the BLAS libraries of this process; to look for them takes a millisecond."""
    return ThreadpoolController().select(user_api="blas")


def _forget_after_fork() -> None:
    """Give a forked child a lock of its own: whoever holds the old one is left in its parent."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
