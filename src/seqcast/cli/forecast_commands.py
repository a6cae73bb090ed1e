"""`seqcast forecast`, `predict` and `backtest`: forecasts from a file, a model, past cutoffs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import evaluation, forecaster, plots, tables
from seqcast.cli.console import note, note_sentinels, note_skipped, print_table
from seqcast.cli.data_commands import proposed_horizon
from seqcast.cli.forecaster_options import (
    ForecasterOptions,
    MachineOptions,
    TrainingOptions,
    parse_levels,
)
from seqcast.cli.input_files import OF_READING, FileOptions, future_of
from seqcast.cli.output_files import TableOptions, as_records, check_figures
from seqcast.errors import SpecError, counted
from seqcast.runtime import number_text, writing_results

if TYPE_CHECKING:
    import pandas as pd


def forecast(
    data: Path,
    table: TableOptions,
    files: FileOptions,
    options: ForecasterOptions,
    horizon: int | None = None,
    future_file: Path | None = None,
    time_limit: str | None = None,
) -> None:
    """Forecast the series of a file with the best candidates.

    A line says which were chosen, and why. Only the forecast is saved; `fit` saves the model for
    `predict`.

    For example:

        seqcast forecast sales.csv

        seqcast forecast sales.csv -H 28

        seqcast forecast sales.xlsx -H 28 --id shop --time day --value sold -o forecast.csv

        seqcast forecast sales.csv -H 28 --effort best -o forecast.parquet

        seqcast forecast sales.csv -H 28 --future price --future-file prices.csv

        seqcast forecast - -H 28 --json < sales.csv > forecast.json

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        table: Where the forecast goes; standard output if no file is named.
        files: Format of the files.
        options: The file, the network and its training.
        horizon: Steps to forecast; a season, or else twelve, if absent.
        future_file: File of the steps ahead with their known values; the rows after the last value
            in DATA if absent.
        time_limit: Be done in this time: 90, '10 min', 1h; in place of epochs.
    """
    model = options.forecaster(12 if horizon is None else horizon, silent=True)
    rows = files.guess(data, options)
    table.check([data, future_file], column=model.alias)
    model.set_params(columns=rows.columns)
    if horizon is None:
        with tables.in_files(df=rows):
            horizon = proposed_horizon(forecaster.described(model, rows))
        model.set_params(horizon=horizon)
        note(f"Forecasting {counted(horizon, 'step')}; --horizon takes another number")

    note_sentinels(model, rows, OF_READING)
    future_file = future_of(rows, model, future_file)
    known = None if future_file is None else files.read_like(future_file, rows)
    with tables.in_files(df=rows, future=known):
        result = forecaster.fit_and_forecast(model, rows, known, time_limit=time_limit)
    note_skipped(model, rows, OF_READING)
    if not options.quiet:
        note(forecaster.what_was_chosen(model))
    choice = model.choice_.to_dict()
    table.give(result, model, rows.layout, choice=choice, season_length=model.season_length_)


def predict(
    model: Path,
    table: TableOptions,
    machines: MachineOptions,
    files: FileOptions,
    data: Path | None = None,
    horizon: int | None = None,
    future_file: Path | None = None,
    level: str = "",
    samples: int | None = None,
    total: str | None = None,
    total_over: str = "steps",
) -> None:
    """Forecast with a fitted model.

    Columns are named as they were at fit. With `--layout wide` the forecast is wide too.

    For example:

        seqcast predict sales.seqcast -o forecast.csv

        seqcast predict sales.seqcast newer.csv --horizon 60 > forecast.csv

        seqcast predict sales.seqcast --future-file prices.csv -o forecast.csv

        seqcast predict sales.seqcast --total W -o weeks.csv

        seqcast predict sales.seqcast newer_wide.csv --layout wide -o wide_forecast.csv

        seqcast predict sales.seqcast 'newer/*.parquet' -o forecasts

        seqcast predict sales.seqcast newer -o forecasts --ray local --workers 4

    Args:
        model: File that `seqcast fit` wrote.
        table: Where the forecast goes; standard output if no file is named.
        machines: Memory and processes.
        files: Format of the files.
        data: File with newer rows or new series; the rows of fit if absent.
        horizon: Steps to forecast; as many as at fit if absent.
        future_file: File of the steps ahead with their known values.
        level: Levels of the intervals in per cent, with commas; the fit's if absent.
        samples: Sample paths to draw, instead of a point and intervals.
        total: Sums in place of steps: of all steps, of a number of steps each, or of each period,
            such as W or M.
        total_over: What is summed up: steps of each series, or series too.
    """
    in_pieces = machines.reads_pieces(data)
    folder = table.folder(in_pieces=in_pieces)
    fitted = files.load(model)
    if folder is None:
        table.check([model, data, future_file], column=fitted.alias)
    for name, given in (("samples", samples), ("total", total)):
        if files.layout == "wide" and given is not None:
            raise SpecError(
                name,
                expected="none with --layout wide",
                received=str(given),
                hint="Leave out one of the two.",
            )

    rows = files.source(data) if data is not None and in_pieces else files.read_for(fitted, data)
    future_file = future_of(rows, fitted, future_file)
    known = files.read_for(fitted, future_file, value=False)
    with tables.in_files(df=rows, future=known):
        result = fitted.predict(
            horizon,
            rows,
            known,
            level=parse_levels(level) or None,
            samples=samples,
            total=_total(total),
            total_over=total_over,
            output=folder,
            memory_limit=machines.memory_limit,
            on=machines.cluster(folder),
        )

    if folder is not None:
        table.report_folder(folder)
    else:
        table.give(result, fitted, files.layout)


def _total(text: str | None) -> int | str | None:
    """Return what sums are over: a number of steps, or the name of a period."""
    if text is None or not text.isdecimal():
        return text
    try:
        return int(text)
    except ValueError:  # Python reads no more than a few thousand digits
        raise SpecError(
            "total",
            expected="a number of steps, all, or a period such as W",
            received=f"{len(text):,} digits",
            hint="Choose a smaller one.",
        ) from None


def backtest(
    data: Path,
    horizon: int,
    table: TableOptions,
    training: TrainingOptions,
    machines: MachineOptions,
    files: FileOptions,
    options: ForecasterOptions,
    n_windows: int = 1,
    step_size: int | None = None,
    refit: int | None = None,
    figure: Path | None = None,
) -> None:
    """Forecast a file's own past, and score it next to naive forecasts.

    Networks are trained up to a cutoff, and the forecasts from there compared with the actual
    values. With `-o -` the forecasts are printed in place of the scores.

    For example:

        seqcast backtest sales.csv --horizon 28 --n-windows 4 --figure backtest.png

        seqcast backtest sales.csv -H 28 --n-windows 4 --refit 1 --members 3

        seqcast backtest 'sales/*.parquet' -H 28 -o backtest

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        horizon: Steps to forecast.
        table: Where all forecasts go.
        training: Time limit and checkpoints of the training.
        machines: Memory and processes.
        files: Format of the files.
        options: The file, the network and its training.
        n_windows: Number of cutoffs.
        step_size: Steps between cutoffs; the horizon if absent.
        refit: Train again at every N-th cutoff; only at the first if absent.
        figure: PNG, SVG or PDF file for a picture.
    """
    in_pieces = machines.reads_pieces(data)
    if in_pieces and figure is not None:
        raise SpecError(
            "--figure",
            expected="none where rows are read piece by piece",
            received=str(figure),
            hint="Leave it out.",
        )

    model = options.forecaster(horizon, silent=table.as_json)
    folder = table.folder(in_pieces=in_pieces)
    if folder is None:
        table.check([data], column=model.alias, one_of_two=True)
    check_figures(figure, read=[data], force=table.force)

    rows, columns = files.read_rows(data, options, machines)
    model.set_params(columns=columns)
    with tables.in_files(df=rows):
        how = training.arguments(machines, files.max_size)
        result = model.backtest(
            rows, n_windows, step_size, refit=refit or False, output=folder, **how
        )
    if folder is not None:
        table.report_folder(folder)
        return

    table_of_rows = rows if isinstance(rows, tables.ReadTable) else None
    scores = _scores(result, table_of_rows, model)
    with writing_results():
        if table.output is not None:
            table.write(result)
        if figure is not None and table_of_rows is not None:
            history = table_of_rows.with_ids()
            plots.save_figure(plots.forecast_frame(history, result, columns=columns), figure)

    facts = {"n_windows": n_windows, "horizon": horizon, "scores": as_records(scores)}
    cutoffs = counted(n_windows, "cutoff")
    steps = counted(horizon, "step")
    title = f"Backtest from {cutoffs}, {steps} each; mean over cutoffs and series"
    table.report(facts, lambda: _print_scores(title, scores), [table.path, figure])


def _scores(
    result: pd.DataFrame, rows: tables.ReadTable | None, model: forecaster.Forecaster
) -> pd.DataFrame:
    """Return the scores of forecasts; errors in units of each series' own need its past."""
    by = ("target",) if len(getattr(model.columns, "targets", ())) > 1 else ()
    past = None if rows is None else rows.with_ids()
    # The rows of forecasts are not those of the file.
    forecasts = None if rows is None else replace(rows, frame=rows.frame[:0])
    with tables.in_files(train_df=rows, df=forecasts):
        return evaluation.evaluate(
            result, train_df=past, season_length=model.season_length, by=by, columns=model.columns
        )


def _print_scores(title: str, scores: pd.DataFrame) -> None:
    """Print a row for each metric, and for each target where there are several."""
    rows = []
    for row in scores.to_dict("records"):
        name = evaluation.spoken_metric(row.pop("metric"))
        target = row.pop("target", "")
        # A model without intervals has no score of them.
        numbers = (number_text(number) if number == number else "" for number in row.values())
        rows.append([f"{name} {target}".rstrip(), *numbers])
    headings = [name.replace("_", " ") for name in scores.columns if name != "target"]
    print_table(title, headings, rows)
