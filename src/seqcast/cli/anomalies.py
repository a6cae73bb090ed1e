"""`seqcast anomalies`: which rows of a file are unusual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import note, print_json, print_line, print_table
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, Figure, ModelFile, count_option, parse_number, takes_options
from seqcast.cli.outputs import (
    STANDARD_OUTPUT,
    AsJson,
    Force,
    SafeFormulas,
    as_records,
    check_formulas,
    check_json,
    check_output,
)
from seqcast.cli.tables import read_model_tables

if TYPE_CHECKING:
    from seqcast.forecaster import Forecaster


@takes_options
def anomalies(
    model: ModelFile,
    data: Data,
    level: Annotated[
        float, typer.Option("--level", parser=parse_number, metavar="LEVEL", help="Level of the intervals in per cent.")
    ] = 99.0,
    most: Annotated[int, count_option("--most", help="Rows to list, the most unusual first.")] = 20,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV or Parquet file for all rows that were judged; - prints them."),
    ] = None,
    figure: Figure = None,
    as_json: AsJson = False,
    safe_formulas: SafeFormulas = False,
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """List rows that lie outside the intervals of forecasts from the rows before them, the most unusual first.

    About one row in a hundred of usual data lies outside at level 99. The first rows of a series, which a forecast
    needs to read, are not judged. What -o writes can be left out of a training: `seqcast fit --mask`.

    For example:

        seqcast anomalies sales.seqcast sales.csv --figure unusual.png

        seqcast anomalies sales.seqcast sales.csv --level 99.9 -o judged.csv

        seqcast fit sales.csv -H 28 --mask judged.csv -o clean.seqcast
    """
    from seqcast.data.frames import TABLES, write_table
    from seqcast.forecaster import Forecaster
    from seqcast.plots import SUFFIXES, anomaly_frame, save_figure

    table = None if output == STANDARD_OUTPUT else output
    targets: list[tuple[Path | None, Any]] = [(table, TABLES), (figure, SUFFIXES)]
    for path, suffixes in targets:
        if path is not None:
            check_output(path, suffixes, read=[model, data], force=force)
    check_json(as_json, output)
    check_formulas(table, safe_formulas)
    fitted = Forecaster.load(model, max_size=files.max_size)
    if table is not None:
        check_output(table, TABLES, read=[model, data], force=force, column=fitted.alias)
    frame, _ = read_model_tables(fitted, data, None, files)
    with in_files(df=(data, frame)):
        judged = fitted.anomalies(frame, level)
    if output is not None:
        write_table(judged, table, safe_formulas=safe_formulas)
    if figure is not None:
        save_figure(anomaly_frame(judged, columns=fitted.series_state_.schema.columns), figure)
        note(f"Wrote {figure}")
    unusual = judged[judged["anomaly"]].sort_values("score", ascending=False, kind="stable")
    if as_json:
        counts = {"level": level, "rows": len(judged), "unusual": len(unusual)}
        written = [str(path) for path in (table, figure) if path is not None]
        print_json({**counts, "most_unusual": as_records(unusual.head(most)), "files": written})
    elif table is not None or output is None:
        _print_rows(judged, unusual, fitted, level, most)
        if table is not None:
            print_line(f"Wrote {table}")


def _print_rows(judged: Any, unusual: Any, fitted: Forecaster, level: float, most: int) -> None:
    from seqcast.data.frames import stamp_text
    from seqcast.intervals import level_text

    columns = fitted.series_state_.schema.columns
    trained = int(judged["trained_on"].sum())
    on = f", {trained} of which were trained on," if trained else ""
    print_line(f"{len(unusual)} of {len(judged)} rows{on} lie outside their {level:g} % interval.")
    if not len(unusual):
        return
    names = [name for name in (columns.unique_id, "target", columns.ds) if name in judged.columns]
    low, high = (f"{fitted.alias}-{side}-{level_text(level)}" for side in ("lo", "hi"))
    rows = [
        [
            *(stamp_text(row[name]) for name in names),
            *(f"{row[name]:.6g}" for name in (columns.value, low, high)),
            f"{row['score']:.2f}",
            "yes" if row["trained_on"] else "no",
        ]
        for row in unusual.head(most).to_dict("records")
    ]
    print_table(
        "The most unusual rows; score: distance from the forecast, 1 at the bound of the interval",
        [*names, "value", "usual from", "to", "score", "trained on"],
        rows,
        names=len(names),
    )
