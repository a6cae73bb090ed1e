"""`seqcast fit`, `update`, `finetune`: train on a file, write a model, go on with newer rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import forecaster, tables
from seqcast.cli.console import note, note_sentinels, note_skipped, print_json, print_line
from seqcast.cli.forecaster_options import (
    ForecasterOptions,
    MachineOptions,
    TrainingOptions,
    given,
    split_names,
)
from seqcast.cli.input_files import OF_READING, FileOptions
from seqcast.cli.output_files import check_output
from seqcast.errors import SpecError, TrainingError
from seqcast.runtime import writing_results

if TYPE_CHECKING:
    from seqcast.training import TrainingLog


def fit(
    data: Path,
    horizon: int,
    output: Path,
    training: TrainingOptions,
    machines: MachineOptions,
    files: FileOptions,
    options: ForecasterOptions,
    mask: Path | None = None,
    log: Path | None = None,
    as_json: bool = False,
    force: bool = False,
) -> None:
    """Train on all series of a file, and write the model to a file.

    Ctrl-C ends the training and writes the best weights so far, with `--members` the finished
    networks; the exit code is 0. Without any weights, and at a second Ctrl-C, nothing is written
    and the exit code is 130. A training that diverges after its first epoch writes the same; the
    exit code is 1.

    For example:

        seqcast fit sales.csv --horizon 28 -o sales.seqcast

        seqcast fit sales.csv -H 28 --id shop --time day --value sold -o m.seqcast

        seqcast fit sales.csv -H 28 -o m.seqcast --checkpoint runs/sales --resume

        seqcast fit sales.csv -H 28 -o m.seqcast --time-limit '10 min' --log m.csv

        seqcast fit sales.csv -H 28 -o m.seqcast --ray local --workers 4

        seqcast fit sales.csv -H 28 --mask scored.csv -o m.seqcast

        seqcast fit 'sales/*.parquet' -H 28 --memory-limit '2 GiB' -o m.seqcast

        seqcast fit sales.csv -H 28 --static region --future price,promotion -o m.seqcast

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        horizon: Steps to forecast.
        output: File for the fitted model.
        training: Time limit and checkpoints of the training.
        machines: Memory and processes.
        files: Format of the files.
        options: The file, the network and its training.
        mask: File of rows whose values to leave out, as `anomalies` writes it.
        log: File for losses and learning rate by epoch, .csv or .jsonl.
        as_json: Print the result as one JSON document.
        force: Write also over a file of another kind, or one that was read.
    """
    check_output(output, read=[data, mask], force=force)
    callbacks = _log_callbacks(log, machines.ray, output)
    if mask is not None and machines.reads_pieces(data):
        raise SpecError(
            "mask",
            expected="none where rows are read piece by piece",
            received=str(mask),
            hint="Leave it out.",
        )

    model = options.forecaster(horizon, silent=as_json)
    rows, columns = files.read_rows(data, options, machines)
    left_out = None if mask is None or isinstance(rows, str) else files.read_like(mask, rows)
    model.set_params(columns=columns)
    note_sentinels(model, rows, OF_READING)

    how = training.arguments(machines, files.max_size)
    with tables.in_files(df=rows, mask=left_out), _saved_weights(model, output) as saved:
        model.fit(rows, mask=left_out, callbacks=callbacks, **how)
    note_skipped(model, rows, OF_READING)
    with writing_results():
        model.save(output)
    for words in saved:
        note(f"Interrupted; saved {words}.")

    if not as_json:
        print_line(f"Wrote {output}")
        return
    facts = {
        "file": str(output),
        "choice": model.choice_.to_dict(),
        "season_length": model.season_length_,
        "networks": len(model.engines_),
        "seconds": sum(history.seconds for history in model.histories_),
        "interrupted": bool(saved),
    }
    print_json(facts)


def update(
    model: Path, data: Path, files: FileOptions, output: Path | None = None, force: bool = False
) -> None:
    """Append newer rows to a fitted model, to forecast from their end.

    Nothing is trained.

    For example:

        seqcast update sales.seqcast newer.csv

    Args:
        model: File that `seqcast fit` wrote.
        data: File with newer rows.
        files: Format of the files.
        output: File for the model; MODEL itself if absent.
        force: Write also over a file of another kind, or one that was read.
    """
    output = model if output is None else output
    check_output(output, read=[data], force=force)
    with files.opened(model, data) as (fitted, rows):
        fitted.update(rows)
    with writing_results():
        fitted.save(output)
    print_line(f"Wrote {output}")


def finetune(
    model: Path,
    data: Path,
    output: Path,
    files: FileOptions,
    epochs: int | None = None,
    learning_rate: float | None = None,
    freeze: str = "",
    force: bool = False,
) -> None:
    """Go on training a fitted model, on newer rows or new series.

    For example:

        seqcast finetune sales.seqcast newer.csv -o tuned.seqcast --freeze encoder

    Args:
        model: File that `seqcast fit` wrote.
        data: File with newer rows, or rows of new series.
        output: File for the model; that of MODEL replaces it.
        files: Format of the files.
        epochs: Passes over the windows; as at fit if absent.
        learning_rate: Largest one; a tenth of the fit's if absent.
        freeze: Submodules that stay as they are, with commas: encoder, decoder, head.
        force: Write also over a file of another kind, or one that was read.
    """
    check_output(output, read=[data], force=force)
    training = given(epochs=epochs, learning_rate=learning_rate)
    with files.opened(model, data) as (fitted, rows):
        if training and learning_rate is None and fitted.training_:
            # Fields that are absent are those of the fit, whose rate is too large for a
            # fine-tuning.
            training["learning_rate"] = fitted.training_[0].learning_rate / 10
        fitted.finetune(rows, freeze=split_names(freeze), training=training or None)
    with writing_results():
        fitted.save(output)
    print_line(f"Wrote {output}")


def _log_callbacks(log: Path | None, ray: str | None, output: Path) -> list[TrainingLog]:
    """Return the callbacks of a log, and reject one that cannot be written, or is the output."""
    if log is None:
        return []
    if ray is not None:
        raise SpecError(
            "log",
            expected="none with --ray",
            received=str(log),
            hint="Workers write no log: leave it out.",
        )
    if log.absolute() == output.absolute():
        raise SpecError(
            "log",
            expected="a file of its own",
            received=f"that of -o, {log}",
            hint="Name another one.",
        )

    from seqcast.training import TrainingLog

    callback = TrainingLog(log)
    callback.check()
    return [callback]


@contextlib.contextmanager
def _saved_weights(model: forecaster.Forecaster, output: Path) -> Iterator[list[str]]:
    """Yield a list for the weights of an interrupted training, in words.

    Those of a training that diverged are written.
    """
    saved: list[str] = []

    try:
        yield saved
    except KeyboardInterrupt:
        if not model.__sklearn_is_fitted__():
            raise
        saved.append(_in_words(model))
    except TrainingError as error:
        if error.best is not None and len(error.history):
            with writing_results():
                error.best.save(output)
            words = _in_words(error.best)
            note(f"Wrote {output} with {words}, from before the training went wrong.")
        raise


def _in_words(model: forecaster.Forecaster) -> str:
    """Return the weights of an interrupted training in words."""
    if not model.engines_:
        return "the forecast that repeats the last season"
    if model.members > 1:
        return f"{len(model.engines_)} of {model.members} members, those that had finished"
    if len(model.engines_) > 1:
        return f"{len(model.engines_)} networks, those that had finished"
    best = model.history_.best_epoch
    if best is None:
        return "the weights of the last step"
    return f"the best weights so far, those of epoch {best}"
