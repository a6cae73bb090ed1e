"""`seqcast update` and `seqcast finetune`: a fitted model goes on with newer rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import print_line
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, ModelFile, count_option, parse_number, takes_options
from seqcast.cli.outputs import Force, check_output
from seqcast.cli.tables import read_model_tables

Written = Annotated[Path, typer.Option("--output", "-o", help="File for the model; that of MODEL replaces it.")]


@takes_options
def update(model: ModelFile, data: Data, output: Written, force: Force = False, *, files: FileOptions) -> None:
    """Append newer rows to a fitted model, so that it forecasts from their end; nothing is trained.

    For example:

        seqcast update sales.seqcast newer.csv -o sales.seqcast
    """
    from seqcast.forecaster import Forecaster

    check_output(output, read=[data], force=force)
    fitted = Forecaster.load(model, max_size=files.max_size)
    frame, _ = read_model_tables(fitted, data, None, files)
    with in_files(df=(data, frame)):
        fitted.update(frame)
    fitted.save(output)
    print_line(f"Wrote {output}")


@takes_options
def finetune(
    model: ModelFile,
    data: Data,
    output: Written,
    epochs: Annotated[
        int | None, count_option("--epochs", help="Passes over the windows; as at fit if absent.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", parser=parse_number, metavar="RATE", help="Largest one; a tenth of the fit's if absent."
        ),
    ] = None,
    freeze: Annotated[
        str, typer.Option("--freeze", help="Parts that stay as they are, with commas: encoder, decoder, head.")
    ] = "",
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """Train a fitted model further, on newer rows of its series or on new series.

    For example:

        seqcast finetune sales.seqcast newer.csv -o tuned.seqcast --freeze encoder
    """
    from seqcast.forecaster import Forecaster

    check_output(output, read=[data], force=force)
    fitted = Forecaster.load(model, max_size=files.max_size)
    frame, _ = read_model_tables(fitted, data, None, files)
    given = {"epochs": epochs, "learning_rate": learning_rate}
    training = {name: value for name, value in given.items() if value is not None}
    if training and learning_rate is None and fitted.training_:
        # Fields that are not named are those of the fit, whose rate is too large to go on with.
        training["learning_rate"] = fitted.training_[0].learning_rate / 10
    parts = tuple(part.strip() for part in freeze.split(",")) if freeze.strip() else ()
    with in_files(df=(data, frame)):
        fitted.finetune(frame, freeze=parts, training=training or None)
    fitted.save(output)
    print_line(f"Wrote {output}")
