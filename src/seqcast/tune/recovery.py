"""Trials whose process has died are tried again."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from seqcast.tune.storage import MOST_RETRIES, optuna
from seqcast.tune.watch import BEAT_SECONDS

# A trial on another machine that has given no sign of life for so long is taken for dead.
SILENT_SECONDS = 10 * BEAT_SECONDS


def _lock_of(run: str) -> Path:
    return Path(tempfile.gettempdir()) / f"seqcast-{run}.lock"


@contextmanager
def held_run() -> Iterator[str]:
    """Return the name of a run, whose lock this process holds for a `with` block.

    The system gives the lock back when the process dies, however it dies: so another process of this machine can tell.
    """
    run = f"tune-{uuid.uuid4().hex}"
    path = _lock_of(run)
    try:
        with FileLock(path):
            yield run
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_dead(trial: Any, ours: str) -> bool:
    """Return whether the process of a running trial has died."""
    run, host = trial.user_attrs.get("run"), trial.user_attrs.get("host")
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    if run is None:  # its process died, or is about to write it: the next look will tell
        return time.time() - began > SILENT_SECONDS
    if run == ours:
        return True
    if host != platform.node():
        return bool(time.time() - trial.user_attrs.get("beat", began) > SILENT_SECONDS)
    lock = FileLock(_lock_of(run))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    with contextlib.suppress(OSError):
        _lock_of(run).unlink()
    return True


def recover(study: Any, ours: str) -> int:
    """Let the trials of processes that have died be tried again, each at most three times.

    Args:
        study: Optuna's study.
        ours: Name of this process's run, of whose workers none is running now.

    Returns:
        Number of the trials.
    """
    states, dead = optuna().trial.TrialState, 0
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        if not _is_dead(trial, ours):
            continue
        with contextlib.suppress(optuna().exceptions.UpdateFinishedTrialError, ValueError):
            study.tell(trial.number, state=states.FAIL)
            dead += 1
            retries = int(trial.user_attrs.get("retries", 0)) + 1
            if retries <= MOST_RETRIES:
                attributes = {"untuned": bool(trial.user_attrs.get("untuned")), "retries": retries}
                study.enqueue_trial(trial.params, user_attrs=attributes)
    return dead
