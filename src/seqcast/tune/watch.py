"""What stops a trial early: a validation loss above that of others, or the end of the time; and whose process died."""

from __future__ import annotations

import contextlib
import math
import platform
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from seqcast.errors import SpecError
from seqcast.runtime import keras
from seqcast.specs import check_choice
from seqcast.tune.storage import MOST_RETRIES, optuna

PRUNERS = ("median", "hyperband", "none")
# The first trials are not pruned, nor is one in its first epochs.
STARTUP_TRIALS, WARMUP_EPOCHS = 4, 2
# Fields on which the unit of a validation loss depends: trials that differ in them cannot be compared by it.
UNITS_OF_LOSS = ("loss", "horizon_decay")
# Seconds between two signs of life that a trial leaves in its attributes.
BEAT_SECONDS = 60.0


def pruner_of(name: str, epochs: int, names: list[str]) -> Any:
    """Return Optuna's pruner.

    Args:
        name: One of `PRUNERS`.
        epochs: Most epochs of a trial.
        names: Fields that are searched.

    Raises:
        SpecError: There is no such pruner, or validation losses cannot be compared.
    """
    check_choice("pruner", name, PRUNERS)
    pruners = optuna().pruners
    different = [each for each in UNITS_OF_LOSS if each in names]
    if name != "none" and different:
        raise SpecError(
            "pruner",
            expected=f"'none' where {different[0]} is searched, on which the unit of the validation loss depends",
            received=repr(name),
            hint="Leave it out of the space, or prune nothing.",
        )
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1 + WARMUP_EPOCHS, max_resource=max(epochs, 2 + WARMUP_EPOCHS))
    return pruners.NopPruner()


class TrialWatch(keras.callbacks.Callback):
    """Report the validation loss of each epoch to a trial, and stop the training when it is of no more use.

    The validation loss is that of the training: of rows before the first origin of the objective.

    Args:
        trial: Optuna's trial.
        ends: When it has to be done, seconds since 1970.

    Attributes:
        pruned: Whether it was stopped since others were better.
        late: Whether it was stopped since the time was over.
    """

    def __init__(self, trial: Any, ends: float = math.inf) -> None:
        super().__init__()
        self.trial, self.ends = trial, ends
        self.pruned = self.late = False
        self.epochs = 0
        self.beat = time.time()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop when the time is over; leave a sign of life now and then."""
        now = time.time()
        if now >= self.ends:
            self.late = True
            self.model.stop_training = True
        if now - self.beat >= BEAT_SECONDS:
            self.beat = now
            self.trial.set_user_attr("beat", now)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the epoch; stop when the pruner says so."""
        self.epochs = epoch + 1
        loss = (logs or {}).get("val_loss")
        if loss is None or self.late:
            return
        self.trial.report(float(loss), epoch + 1)
        if self.trial.should_prune():
            self.pruned = True
            self.model.stop_training = True


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
