"""What stops a trial early: a validation loss above that of others, or the end of the time."""

from __future__ import annotations

import math
import time
from typing import Any

from seqcast.errors import SpecError
from seqcast.runtime import keras
from seqcast.specs import check_choice
from seqcast.tune.storage import optuna

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
