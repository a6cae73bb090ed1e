"""`seqcast report`: one HTML page about a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import print_line
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, ModelFile, count_option, takes_options
from seqcast.cli.outputs import Force, check_output
from seqcast.cli.tables import read_model_tables


@takes_options
def report(
    model: ModelFile,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file.")] = Path("report.html"),
    future: Annotated[
        Path | None,
        typer.Option("--future", metavar="FILE", help="File of the steps ahead, if the model needs it."),
    ] = None,
    n_windows: Annotated[
        int,
        count_option(
            "--n-windows", least=0, help="Cutoffs of the backtest, for which a network is trained; 0 for none."
        ),
    ] = 3,
    title: Annotated[str, typer.Option("--title", help="Title of the page.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Unit of the values.")] = "",
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """Write one HTML page with forecasts, a backtest beside naive forecasts, errors and settings.

    For example:

        seqcast report sales.seqcast sales.csv -o report.html --title "Sales" --unit pieces
    """
    from seqcast.forecaster import Forecaster

    check_output(output, ("html", "htm"), read=[model, data, future], force=force)
    fitted = Forecaster.load(model, max_size=files.max_size)
    frame, known_future = read_model_tables(fitted, data, future, files)
    with in_files(df=(data, frame), future=(future, known_future)):
        fitted.report(output, frame, future=known_future, n_windows=n_windows, title=title, unit=unit)
    print_line(f"Wrote {output}")
