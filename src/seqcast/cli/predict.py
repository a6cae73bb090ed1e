"""`seqcast predict`: forecast with a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.files import FileOptions, MemoryLimit, is_read_in_pieces
from seqcast.cli.messages import in_files
from seqcast.cli.options import ModelFile, count_option, parse_levels, takes_options
from seqcast.cli.outputs import (
    STANDARD_OUTPUT,
    AsJson,
    Force,
    SafeFormulas,
    TableOutput,
    check_formulas,
    check_output,
)
from seqcast.cli.tables import as_in, folder_of, give, read_model_tables, tell_folder
from seqcast.cli.workers import Ray, Workers, cluster_of
from seqcast.errors import SpecError


@takes_options
def predict(
    model: ModelFile,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="File with newer rows or new series; the rows of fit if absent."),
    ] = None,
    horizon: Annotated[
        int | None, count_option("--horizon", "-H", help="Steps to forecast; as many as at fit if absent.")
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option("--future", metavar="FILE", help="File of the steps ahead and what is known of them."),
    ] = None,
    level: Annotated[
        str, typer.Option("--level", help="Levels of the intervals in per cent, with commas; the fit's if absent.")
    ] = "",
    samples: Annotated[
        int | None, count_option("--samples", help="Sample paths to draw, instead of a point and intervals.")
    ] = None,
    output: TableOutput = None,
    memory_limit: MemoryLimit = None,
    ray: Ray = None,
    workers: Workers = None,
    as_json: AsJson = False,
    safe_formulas: SafeFormulas = False,
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """Forecast with a fitted model; columns are named as they were at fit. With --wide the forecast is wide too.

    For example:

        seqcast predict sales.seqcast -o forecast.csv

        seqcast predict sales.seqcast newer.csv --horizon 60 > forecast.csv

        seqcast predict sales.seqcast --future prices.csv -o forecast.csv

        seqcast predict sales.seqcast newer_wide.csv --wide -o wide_forecast.csv

        seqcast predict sales.seqcast 'newer/*.parquet' -o forecasts

        seqcast predict sales.seqcast newer -o forecasts --ray local --workers 4
    """
    from seqcast.data.frames import TABLES
    from seqcast.forecaster import Forecaster

    if output == STANDARD_OUTPUT:
        output = None
    in_pieces = is_read_in_pieces(data, memory_limit)
    folder = folder_of(output, in_pieces=in_pieces)
    output = None if folder is not None else output
    if output is not None:
        check_output(output, TABLES, read=[model, data, future], force=force)
    check_formulas(output, safe_formulas)
    fitted = Forecaster.load(model, max_size=files.max_size)
    if output is not None:
        # A wide table does not say whether it holds forecasts.
        column = "" if files.wide else fitted.alias
        check_output(output, TABLES, read=[model, data, future], force=force, column=column)
    if files.wide and samples is not None:
        raise SpecError("samples", expected="none with --wide", received=str(samples), hint="Leave out one of the two.")
    frame, known_future = read_model_tables(fitted, None if in_pieces else data, future, files)
    if in_pieces and data is not None:
        frame = files.source(data)
    with in_files(df=(None if in_pieces else data, frame), future=(future, known_future)):
        forecast = fitted.predict(
            horizon,
            frame,
            known_future,
            level=parse_levels(level) or None,
            samples=samples,
            output=folder,
            memory_limit=memory_limit,
            on=cluster_of(ray, workers, folder),
        )
    if folder is not None:
        tell_folder(folder, as_json=as_json)
        return
    give(as_in(files, forecast, fitted), output, {}, as_json=as_json, safe_formulas=safe_formulas)
