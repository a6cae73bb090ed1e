"""`seqcast fit`: train on a file, write a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import note, print_line
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, ForecasterOptions, Horizon, takes_forecaster_options

__all__ = ["fit"]


@takes_forecaster_options
def fit(
    data: Data,
    horizon: Horizon,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the fitted model.")],
    *,
    options: ForecasterOptions,
) -> None:
    """Train a network on all series of a file and write it to a file.

    Ctrl-C ends the training; the best weights so far are written, and the exit code is 0. With `--members` nothing is
    written then.

    For example:

        seqcast fit sales.csv --horizon 28 -o sales.seqcast

        seqcast fit sales.csv -H 28 --id shop --time day --value sold -o m.seqcast

        seqcast fit sales.csv -H 28 --static region --future price,promotion -o m.seqcast
    """
    from seqcast.data.frames.io import check_target

    check_target(output)
    frame = options.read(data)
    model = options.forecaster(horizon)
    interrupted = False
    try:
        with in_files(df=(data, frame)):
            model.fit(frame)
    except KeyboardInterrupt:
        if not hasattr(model, "engine_") or model.engine_.model is None:
            raise
        interrupted = True
    model.save(output)
    if interrupted:
        best = model.history_.best_epoch
        weights = "the weights of the last step" if best is None else f"the best weights so far, those of epoch {best}"
        note(f"Interrupted; kept {weights}.")
    print_line(f"Wrote {output}")
