"""Checkpoints of a fit of the regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqcast.data.windows import ArrayWindows
from seqcast.errors import SpecError
from seqcast.regressor.inputs import GivenWindows
from seqcast.regressor.options import Options
from seqcast.regressor.windows import TrainingWindows, Validation
from seqcast.training import CheckpointFolder, Checkpoints, check_observers, fingerprint


def refuse_unresumable(checkpoint: Any, given: GivenWindows, validation: Validation, callbacks: Sequence[Any]) -> None:
    """Refuse checkpoints of a fit that cannot be resumed.

    Args:
        checkpoint: The argument of the fit; `None` is none.
        given: Its data.
        validation: On what it is validated.
        callbacks: Its callbacks.

    Raises:
        SpecError: Batches come from a `PyDataset` or generator, or there are callbacks that are no observers: where
            these stand is not known.
    """
    if checkpoint is None:
        return
    check_observers(callbacks, "observers only with checkpoint")
    streams = {"X": given.are_batches, "validation": validation.batches is not None}
    for name in (name for name, is_given in streams.items() if is_given):
        raise SpecError(
            "checkpoint",
            expected=f"None with batches of one's own in {name}, which cannot be resumed",
            received=repr(checkpoint),
            hint="Leave out one of the two, or give arrays.",
        )


def checkpoints_of(
    folder: CheckpointFolder | None, windows: TrainingWindows, options: Options, seed: int
) -> Checkpoints | None:
    """Return the checkpoints of the network.

    Args:
        folder: The folder of the fit; `None` for no checkpoints.
        windows: What it is trained and validated on.
        options: The regressor's options.
        seed: Seed of the fit.

    Raises:
        SpecError: The training holds a function, which a file cannot.
    """
    if folder is None:
        return None
    arrays = []
    for part in (windows.train, windows.validation):
        if isinstance(part, ArrayWindows):
            arrays += [*(part.inputs[name] for name in sorted(part.inputs)), part.y, part.sample_weight]
    scalers = windows.preparation.scalers
    for name in sorted(scalers):
        arrays += [scalers[name].loc, scalers[name].scale]
    sizes, seeds = windows.preparation.window.to_dict(), {"fit": seed}
    depends_on = fingerprint(arrays, options.network, options.training, windows=sizes, seeds=seeds)
    return folder.of("network", depends_on)
