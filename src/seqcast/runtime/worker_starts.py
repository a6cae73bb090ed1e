"""The starts of loky's workers: Ctrl-C does not reach them, and they end with their parent.

A worker imports this module before anything else, so it imports neither Keras nor JAX.
"""

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

# Seconds between two checks of a worker whether its parent still runs.
PARENT_SECONDS = 1.0


def end_with_parent(parent: int) -> None:
    """End this worker and its own soon after its parent, also if that was killed.

    They would wait for ever.

    Args:
        parent: The parent's process id.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        executors = sys.modules.get("seqcast.runtime.executors")
        if executors is not None:
            executors.kill_workers()
        os._exit(1)

    threading.Thread(target=watch, name="seqcast-parent", daemon=True).start()


def ignore_warnings_of_loky() -> None:
    """Ignore loky's warnings of workers that it replaces, or cannot kill with their children.

    loky recovers by itself. They come from a thread of loky's, so the filter stays: no block of
    ours ends with them.
    """
    texts = "A worker stopped while some jobs|Failed to kill subprocesses"
    warnings.filterwarnings("ignore", texts, UserWarning, r"joblib\.externals\.loky")


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C in processes and threads that start here.

    A terminal sends it to all processes at once. This process receives it when the block ends, and
    stops its workers.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # The process that tracks shared memory and semaphores; as it starts, Python unblocks Ctrl-C in
    # its parent.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
