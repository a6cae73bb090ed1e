"""`seqcast forecast`: from a file to a forecast in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import note
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files, note_skipped
from seqcast.cli.options import Data, ForecasterOptions, Horizon, TimeLimit, takes_options
from seqcast.cli.outputs import (
    STANDARD_OUTPUT,
    AsJson,
    Force,
    SafeFormulas,
    TableOutput,
    check_formulas,
    check_output,
)
from seqcast.cli.tables import as_in, give


@takes_options
def forecast(
    data: Data,
    horizon: Horizon,
    future_file: Annotated[
        Path | None,
        typer.Option("--future-file", metavar="FILE", help="File of the steps ahead and what is known of them."),
    ] = None,
    output: TableOutput = None,
    time_limit: TimeLimit = None,
    as_json: AsJson = False,
    safe_formulas: SafeFormulas = False,
    force: Force = False,
    *,
    files: FileOptions,
    options: ForecasterOptions,
) -> None:
    """Forecast the series of a file: choose what forecasts them best, and say in a line what it was and why.

    Nothing is kept but the forecast; `fit` and `predict` keep the model.

    For example:

        seqcast forecast sales.csv -H 28

        seqcast forecast sales.xlsx -H 28 --id shop --time day --value sold -o forecast.csv

        seqcast forecast sales.csv -H 28 --effort best -o forecast.parquet

        seqcast forecast sales.csv -H 28 --future price --future-file prices.csv

        seqcast forecast - -H 28 --json < sales.csv > forecast.json
    """
    from seqcast.data.frames import TABLES
    from seqcast.forecaster import fit_and_forecast, what_was_chosen

    if output == STANDARD_OUTPUT:
        output = None
    model = options.forecaster(horizon).set_params(verbose=0)
    if output is not None:
        # A wide table does not say whether it holds forecasts.
        column = "" if files.wide else model.alias
        check_output(output, TABLES, read=[data, future_file], force=force, column=column)
    check_formulas(output, safe_formulas)
    frame = files.read(data, options.columns)
    known = None if future_file is None else files.read(future_file, options.columns, value=False, wide=False)
    with in_files(df=(data, frame), future=(future_file, known)):
        table = fit_and_forecast(model, frame, known, time_limit=time_limit)
    note_skipped(model, data, frame)
    if not options.quiet:
        note(what_was_chosen(model))
    told = {"choice": model.choice_.to_dict(), "season_length": model.season_length_}
    give(as_in(files, table, model), output, told, as_json=as_json, safe_formulas=safe_formulas)
