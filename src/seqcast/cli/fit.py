"""`seqcast fit`: train on a file, write a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import note, print_json, print_line
from seqcast.cli.files import FileOptions, MemoryLimit, is_read_in_pieces
from seqcast.cli.messages import in_files, note_skipped
from seqcast.cli.options import (
    Checkpoint,
    Data,
    ForecasterOptions,
    Horizon,
    Resume,
    TimeLimit,
    checkpoint_spec,
    takes_options,
)
from seqcast.cli.outputs import AsJson, Force, check_output
from seqcast.cli.tables import read_like
from seqcast.cli.workers import Ray, Workers, cluster_of
from seqcast.errors import SpecError, TrainingError

if TYPE_CHECKING:
    from seqcast.forecaster import Forecaster


@takes_options
def fit(
    data: Data,
    horizon: Horizon,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the fitted model.")],
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask", metavar="FILE", help="File of rows whose values to leave out, as `anomalies` writes it."
        ),
    ] = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="File for losses and learning rate by epoch, .csv or .jsonl."),
    ] = None,
    ray: Ray = None,
    workers: Workers = None,
    as_json: AsJson = False,
    force: Force = False,
    *,
    files: FileOptions,
    options: ForecasterOptions,
) -> None:
    """Train a network on all series of a file and write it to a file.

    Ctrl-C ends the training; the best weights so far are written, with `--members` the networks that have finished, and
    the exit code is 0. Before there are any, and at a second Ctrl-C, nothing is written, and it is 130. The same is
    written when a training diverges after its first epoch, with an error and the exit code 1.

    For example:

        seqcast fit sales.csv --horizon 28 -o sales.seqcast

        seqcast fit sales.csv -H 28 --id shop --time day --value sold -o m.seqcast

        seqcast fit sales.csv -H 28 -o m.seqcast --checkpoint runs/sales --resume

        seqcast fit sales.csv -H 28 -o m.seqcast --time-limit '10 min' --log m.csv

        seqcast fit sales.csv -H 28 -o m.seqcast --ray local --workers 4

        seqcast fit sales.csv -H 28 --mask judged.csv -o m.seqcast

        seqcast fit 'sales/*.parquet' -H 28 --memory-limit '2 GiB' -o m.seqcast

        seqcast fit sales.csv -H 28 --static region --future price,promotion -o m.seqcast
    """
    check_output(output, read=[data, mask], force=force)
    callbacks = _log_of(log, ray, output)
    in_pieces = is_read_in_pieces(data, memory_limit)
    if in_pieces and mask is not None:
        raise SpecError(
            "mask", expected="none where rows are read piece by piece", received=str(mask), hint="Leave it out."
        )
    frame = files.source(data) if in_pieces else files.read(data, options.columns)
    left_out = None if mask is None else read_like(frame, mask, options.columns, files)
    model = options.forecaster(horizon)
    if as_json:
        model.set_params(verbose=0)
    written, on = checkpoint_spec(checkpoint, files.max_size), cluster_of(ray, workers, checkpoint)
    interrupted = False
    try:
        # Errors about pieces name their file themselves.
        with in_files(df=(None if in_pieces else data, frame), mask=(mask, left_out)):
            model.fit(
                frame,
                mask=left_out,
                callbacks=callbacks,
                checkpoint=written,
                resume=resume,
                time_limit=time_limit,
                memory_limit=memory_limit,
                on=on,
            )
    except KeyboardInterrupt:
        if not model.__sklearn_is_fitted__():
            raise
        interrupted = True
    except TrainingError as error:
        if error.kept is not None and len(error.history):
            error.kept.save(output)
            note(f"Wrote {output} with {_kept(error.kept)}, from before the training went wrong.")
        raise
    note_skipped(model, None if in_pieces else data, frame)
    model.save(output)
    if interrupted:
        note(f"Interrupted; kept {_kept(model)}.")
    if as_json:
        fitted = {"file": str(output), "choice": model.choice_.to_dict(), "season_length": model.season_length_}
        seconds = sum(history.seconds for history in model.histories_)
        print_json({**fitted, "networks": len(model.engines_), "seconds": seconds, "interrupted": interrupted})
    else:
        print_line(f"Wrote {output}")


def _log_of(log: Path | None, ray: str | None, output: Path) -> list[Any]:
    """Return the callbacks that write a log, and refuse one that cannot be written, or would be another file."""
    if log is None:
        return []
    if ray is not None:
        raise SpecError(
            "log", expected="none with --ray", received=str(log), hint="Workers write no log: leave it out."
        )
    if log.absolute() == output.absolute():
        raise SpecError("log", expected="a file of its own", received=f"that of -o, {log}", hint="Name another one.")
    from seqcast.training import TrainingLog

    callback = TrainingLog(log)
    callback.check()
    return [callback]


def _kept(model: Forecaster) -> str:
    """Return in words what an interrupted training has left."""
    if not model.engines_:
        return "the forecast that repeats the last season"
    if model.members > 1:
        return f"{len(model.engines_)} of {model.members} members, those that had finished"
    if len(model.engines_) > 1:
        return f"{len(model.engines_)} networks, those that had finished"
    best = model.history_.best_epoch
    return "the weights of the last step" if best is None else f"the best weights so far, those of epoch {best}"
