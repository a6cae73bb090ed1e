"""`seqcast backtest`: forecast from past cutoffs and score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqcast.cli.console import print_json, print_line, print_table
from seqcast.cli.files import FileOptions, MemoryLimit, is_read_in_pieces
from seqcast.cli.messages import in_files
from seqcast.cli.options import (
    Checkpoint,
    Data,
    Figure,
    ForecasterOptions,
    Horizon,
    Resume,
    TimeLimit,
    checkpoint_spec,
    count_option,
    takes_options,
)
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
from seqcast.cli.plot import save_forecast_figure
from seqcast.cli.tables import folder_of, tell_folder
from seqcast.cli.workers import Ray, Workers, cluster_of
from seqcast.errors import SpecError


@takes_options
def backtest(
    data: Data,
    horizon: Horizon,
    n_windows: Annotated[int, count_option("--n-windows", help="Number of cutoffs.")] = 1,
    step_size: Annotated[
        int | None, count_option("--step-size", help="Steps between cutoffs; the horizon if absent.")
    ] = None,
    refit: Annotated[
        int | None, count_option("--refit", help="Train anew at every N-th cutoff; only at the first if absent.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV or Parquet file for all forecasts; - prints them in place of scores."),
    ] = None,
    figure: Figure = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    ray: Ray = None,
    workers: Workers = None,
    as_json: AsJson = False,
    safe_formulas: SafeFormulas = False,
    force: Force = False,
    *,
    files: FileOptions,
    options: ForecasterOptions,
) -> None:
    """Train up to a cutoff, forecast from there and score against what came, beside naive forecasts.

    For example:

        seqcast backtest sales.csv --horizon 28 --n-windows 4 --figure backtest.png

        seqcast backtest sales.csv -H 28 --n-windows 4 --refit 1 --members 3

        seqcast backtest 'sales/*.parquet' -H 28 -o backtest
    """
    from seqcast.data.frames import TABLES, write_table
    from seqcast.evaluation import evaluate
    from seqcast.plots import SUFFIXES

    model = options.forecaster(horizon)
    if as_json:
        model.set_params(verbose=0)
    in_pieces = is_read_in_pieces(data, memory_limit)
    folder = folder_of(output, in_pieces=in_pieces)
    if in_pieces and figure is not None:
        raise SpecError(
            "--figure", expected="none where rows are read piece by piece", received=str(figure), hint="Leave it out."
        )
    table = None if output in (STANDARD_OUTPUT, folder) else output
    for target, suffixes, column in ((table, TABLES, model.alias), (figure, SUFFIXES, None)):
        if target is not None:
            check_output(target, suffixes, read=[data], force=force, column=column)
    check_json(as_json, output)
    check_formulas(table, safe_formulas)
    columns = options.columns
    frame = files.source(data) if in_pieces else files.read(data, columns)
    with in_files(df=(None if in_pieces else data, frame)):
        result = model.backtest(
            frame,
            n_windows,
            step_size,
            refit=refit or False,
            checkpoint=checkpoint_spec(checkpoint, files.max_size),
            resume=resume,
            time_limit=time_limit,
            output=folder,
            memory_limit=memory_limit,
            on=cluster_of(ray, workers, checkpoint),
        )
    if folder is not None:
        tell_folder(folder, as_json=as_json)
        return
    with in_files(train_df=(data, frame), df=(data, None)):
        by = ("target",) if "target" in result.columns else ()
        # Errors in units of each series' own need its past.
        past = None if in_pieces else frame
        scores = evaluate(result, train_df=past, season_length=options.season_length, by=by, columns=columns)
    told = not as_json and (output is None or table is not None)
    if told:
        cutoffs, steps = _count_text(n_windows, "cutoff"), _count_text(horizon, "step")
        print_table(
            f"Backtest from {cutoffs}, {steps} each; mean over cutoffs and series",
            [name.replace("_", " ") for name in scores.columns if name != "target"],
            _score_rows(scores),
        )
    if output is not None:
        write_table(result, table, safe_formulas=safe_formulas)
    if figure is not None:
        save_forecast_figure(frame, result, columns, figure)
    written = [str(path) for path in (table, figure) if path is not None]
    if as_json:
        print_json({"n_windows": n_windows, "horizon": horizon, "scores": as_records(scores), "files": written})
    for path in written if told else ():
        print_line(f"Wrote {path}")


def _score_rows(scores: Any) -> list[list[str]]:
    """Return a row of text for each metric, and for each target where there are several."""
    from seqcast.evaluation import spoken_metric

    rows = []
    for row in scores.to_dict("records"):
        name, target = spoken_metric(row.pop("metric")), row.pop("target", "")
        # A model without intervals has no score of them.
        numbers = (f"{number:.4g}" if number == number else "" for number in row.values())
        rows.append([f"{name} {target}".rstrip(), *numbers])
    return rows


def _count_text(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
