"""`seqcast anomalies`, `explain` and `report`: unusual rows, covariates, a page about a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import forecaster, intervals, plots, tables
from seqcast.cli.console import note, print_json, print_line, print_table
from seqcast.cli.input_files import FileOptions, future_of
from seqcast.cli.output_files import TableOptions, as_records, check_figures, check_output
from seqcast.data import frames
from seqcast.runtime import number_text, writing_results

if TYPE_CHECKING:
    import pandas as pd


def anomalies(
    model: Path,
    data: Path,
    table: TableOptions,
    files: FileOptions,
    level: float = 99.0,
    most: int = 20,
    figure: Path | None = None,
) -> None:
    """List unusual rows, those outside the intervals of forecasts.

    Each row is scored by a forecast from the rows before it. About one row in a hundred of usual
    data lies outside at level 99. The first rows of a series, which a forecast needs to read, are
    not scored. A training can leave out the rows in the file of -o: `seqcast fit --mask`. With `-o
    -` all scored rows are printed.

    For example:

        seqcast anomalies sales.seqcast sales.csv --figure unusual.png

        seqcast anomalies sales.seqcast sales.csv --level 99.9 -o scored.csv

        seqcast fit sales.csv -H 28 --mask scored.csv -o clean.seqcast

    Args:
        model: File that `seqcast fit` wrote.
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        table: Where all scored rows go.
        files: Format of the files.
        level: Level of the intervals in per cent.
        most: Rows to list, the most unusual first.
        figure: PNG, SVG or PDF file for a picture.
    """
    check_figures(figure, read=[model, data], force=table.force)
    with files.opened(model, data) as (fitted, rows):
        table.check([model, data], column=fitted.alias, one_of_two=True)
        compared = fitted.anomalies(rows, level)

    with writing_results():
        if table.output is not None:
            table.write(compared)
        if figure is not None:
            columns = fitted.series_state_.schema.columns
            plots.save_figure(plots.anomaly_frame(compared, columns=columns), figure)

    unusual = compared[compared["anomaly"]].sort_values("score", ascending=False, kind="stable")
    facts = {
        "level": level,
        "rows": len(compared),
        "unusual": len(unusual),
        "most_unusual": as_records(unusual.head(most)),
    }
    table.report(
        facts,
        lambda: _print_unusual(compared, unusual.head(most), fitted, level),
        [table.path, figure],
    )


def _print_unusual(
    compared: pd.DataFrame, unusual: pd.DataFrame, fitted: forecaster.Forecaster, level: float
) -> None:
    """Print how many rows are unusual, and the most unusual ones."""
    count = int(compared["anomaly"].sum())
    trained = int(compared["trained_on"].sum())
    on = f", {trained} of which were trained on," if trained else ""
    print_line(f"{count} of {len(compared)} rows{on} lie outside their {level:g} % interval.")
    if not len(unusual):
        return

    columns = fitted.series_state_.schema.columns
    names = [name for name in (columns.unique_id, "target", columns.ds) if name in compared.columns]
    low, high = (f"{fitted.alias}-{side}-{intervals.level_text(level)}" for side in ("lo", "hi"))
    rows = []
    for row in unusual.to_dict("records"):
        cells = [frames.stamp_text(row[name]) for name in names]
        cells += [number_text(row[name]) for name in (columns.value, low, high)]
        cells.append(f"{row['score']:.2f}")
        cells.append("yes" if row["trained_on"] else "no")
        rows.append(cells)
    title = "The most unusual rows; score: how rare, in standard deviations"
    headings = [*names, "value", "usual from", "to", "score", "trained on"]
    print_table(title, headings, rows, names=len(names))


def explain(
    model: Path,
    data: Path,
    files: FileOptions,
    metric: str = "mae",
    repeats: int = 10,
    seed: int = 0,
    figure: Path | None = None,
    as_json: bool = False,
    force: bool = False,
) -> None:
    """Rank covariates by how much the forecast needs them.

    A covariate counts by the growth of the error when its values belong to another window. The file
    holds rows that the model was not trained on, and the context before them. Of the file of the
    fit, only the validation rows count.

    For example:

        seqcast explain sales.seqcast newer.csv --figure covariates.png

    Args:
        model: File that `seqcast fit` wrote.
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        files: Format of the files.
        metric: Error: mae, mse or rmse, in scaled units.
        repeats: Permutations of each covariate.
        seed: Seed of the permutations.
        figure: PNG, SVG or PDF file for a picture.
        as_json: Print the result as one JSON document.
        force: Write also over a file of another kind, or one that was read.
    """
    check_figures(figure, read=[model, data], force=force)
    with files.opened(model, data) as (fitted, tested):
        table = fitted.covariate_importance(tested, metric=metric, repeats=repeats, seed=seed)

    if figure is not None:
        with writing_results():
            plots.save_figure(plots.importance_chart(table), figure)
        note(f"Wrote {figure}")
    if as_json:
        print_json(as_records(table))
        return

    rows = []
    for row in table.to_dict("records"):
        numbers = map(number_text, (row["importance"], row["spread"]))
        rows.append([row["covariate"], *numbers, f"{row['share']:.1%}"])
    error = f"{metric.upper()} {number_text(table['error'].iloc[0])} (scaled)"
    title = f"{error}; how much it grows without each covariate"
    print_table(title, ["covariate", "by", "spread", "share"], rows)


def report(
    model: Path,
    data: Path,
    files: FileOptions,
    output: Path = Path("report.html"),
    future_file: Path | None = None,
    n_windows: int = 3,
    title: str = "",
    unit: str = "",
    force: bool = False,
) -> None:
    """Write one HTML page: forecasts, a backtest, errors and settings.

    For example:

        seqcast report sales.seqcast sales.csv -o report.html --title "Sales" --unit pieces

    Args:
        model: File that `seqcast fit` wrote.
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        files: Format of the files.
        output: HTML file.
        future_file: File of the steps ahead, if the model needs it; planned rows at the end of the
            data do too.
        n_windows: Cutoffs of the backtest, for which a network is trained; 0 for none.
        title: Title of the page.
        unit: Unit of the values.
        force: Write also over a file of another kind, or one that was read.
    """
    check_output(output, ("html", "htm"), read=[model, data, future_file], force=force)
    with files.opened(model, data) as (fitted, rows):
        future_file = future_of(rows, fitted, future_file)
        known = files.read_for(fitted, future_file, value=False)
        with tables.in_files(future=known), writing_results():
            fitted.report(output, rows, future=known, n_windows=n_windows, title=title, unit=unit)
    print_line(f"Wrote {output}")
