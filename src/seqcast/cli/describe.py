"""`seqcast describe`: what a file holds, before anything is trained."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seqcast.cli.console import note, print_json, print_line
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, Figure, ForecasterOptions, count_option, takes_options
from seqcast.cli.outputs import Force, check_output


@takes_options
def describe(
    data: Data,
    horizon: Annotated[
        int | None, count_option("--horizon", "-H", help="Say also what a fit for so many steps would do.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the facts of each series.")] = False,
    figure: Figure = None,
    force: Force = False,
    *,
    files: FileOptions,
    options: ForecasterOptions,
) -> None:
    """Describe the series of a file: rows, step, gaps, outliers, season and trend, and what is wrong.

    For example:

        seqcast describe sales.csv

        seqcast describe sales.csv --horizon 28 --figure sales.png

        seqcast describe sales.csv --json > facts.json
    """
    from seqcast.data import describe as describe_frame
    from seqcast.plots import SUFFIXES, history_frame, save_figure

    if figure is not None:
        check_output(figure, SUFFIXES, read=[data], force=force)
    frame = files.read(data, options.columns)
    found: Any
    with in_files(df=(data, frame)):
        if horizon is None:
            found = describe_frame(frame, options.columns, freq=options.step, season_length=options.season_length)
        else:
            found = options.forecaster(horizon).describe(frame)
    if as_json:
        print_json(found.to_dict())
    else:
        print_line(str(found))
    if figure is not None:
        save_figure(history_frame(found if horizon is None else found.data), figure)
        note(f"Wrote {figure}")
