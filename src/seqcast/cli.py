"""The command line: demo, fit, predict, backtest, plot.

Nothing heavy is imported before a command needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import seqcast
from seqcast.errors import SeqcastError

if TYPE_CHECKING:
    from seqcast.config import Columns, TrainingSpec
    from seqcast.forecaster import Forecaster

__all__ = ["app", "main"]

app = typer.Typer(
    help="Forecast time series with recurrent encoder-decoders.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)


class Cell(StrEnum):
    """Recurrent cells."""

    gru = "gru"
    lstm = "lstm"
    simple_rnn = "simple_rnn"


Data = Annotated[Path, typer.Argument(help="CSV or Parquet file in long form: one row a series and time.")]
ModelFile = Annotated[Path, typer.Argument(help="File that `seqcast fit` wrote.")]
IdColumn = Annotated[
    str, typer.Option("--id", help="Column that names the series; a file without it holds one series.")
]
TimeColumn = Annotated[str, typer.Option("--time", help="Column with the time stamp, or a whole number.")]
ValueColumn = Annotated[str, typer.Option("--value", help="Column with the value.")]
Freq = Annotated[
    str | None, typer.Option(help="Step between stamps (h, D, W-SAT, MS, ... or 1); inferred when absent.")
]
Sort = Annotated[bool, typer.Option("--sort", help="Sort rows by series and time first.")]
Horizon = Annotated[int, typer.Option("--horizon", "-H", min=1, help="Steps to forecast.")]
Context = Annotated[
    int | None, typer.Option("--context-length", min=1, help="Steps of past to read; chosen from the data if absent.")
]
Season = Annotated[
    int | None, typer.Option("--season-length", min=1, help="Steps of a season; by the frequency if absent.")
]
Units = Annotated[str, typer.Option("--units", help="Width of each layer of encoder and decoder, as 35,35.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the windows.")]
Rate = Annotated[float | None, typer.Option("--learning-rate", help="Largest learning rate.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random; fresh if absent.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"seqcast {seqcast.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, pictures and the model.")] = Path(
        "runs/demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small job, to prove the path in seconds.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Learn sums of two sines as in the post, then a real series; write tables and pictures.

    Example: `seqcast demo --quick`
    """
    from seqcast.demo import QUICK, DemoSize, run_demo

    metrics = run_demo(output, QUICK if quick else DemoSize(), seed=seed, verbose=int(not quiet), say=err.print)
    table = Table(title="Sums of two sines: mean squared error on test windows")
    for heading in ("forecast", "steps 1-15", "steps 1-20", "step 1", "step 15", "step 20"):
        table.add_column(heading, justify="left" if heading == "forecast" else "right")
    for name, score in metrics["sines"]["scores"].items():
        steps = score["mse_by_step"]
        numbers = [score["mse_15"], score["mse_20"], steps[0], steps[14], steps[19]]
        table.add_row(name, *(f"{number:.4f}" for number in numbers))
    out.print(table)
    series = metrics["series"]
    cutoffs = f"{series['n_windows']} cutoffs, {series['horizon']} steps each"
    table = Table(title=f"{series['name']}: error of the backtest, {cutoffs}")
    table.add_column("forecast")
    for heading in ("mean absolute error", "root mean squared error"):
        table.add_column(heading, justify="right")
    for name, score in series["scores"].items():
        table.add_row(name.replace("_", " "), f"{score['mae']:.3f}", f"{score['rmse']:.3f}")
    out.print(table)
    out.print(f"Done in {metrics['seconds']:.0f} s. Written:", highlight=False)
    for path in sorted(output.iterdir()):
        out.print(f"  {path}", highlight=False, soft_wrap=True)


@app.command()
def fit(
    data: Data,
    horizon: Horizon,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the fitted model.")],
    id_column: IdColumn = "unique_id",
    time_column: TimeColumn = "ds",
    value_column: ValueColumn = "y",
    freq: Freq = None,
    sort: Sort = False,
    context_length: Context = None,
    season_length: Season = None,
    units: Units = "35,35",
    cell: Annotated[Cell, typer.Option(help="Recurrent cell.")] = Cell.gru,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on all series of a file and write it to a file.

    Ctrl-C ends the training and keeps the best weights so far.

    Example: `seqcast fit sales.csv --horizon 28 --id shop --time day --value sales -o sales.seqcast`
    """
    from seqcast.data.files import check_target, read_table

    check_target(output)
    columns = _columns(id_column, time_column, value_column)
    frame = read_table(data, columns, sort=sort)
    model = _forecaster(
        horizon, columns, freq, context_length, season_length, units, cell, epochs, learning_rate, seed, quiet
    )
    interrupted = False
    try:
        model.fit(frame)
    except KeyboardInterrupt:
        if not hasattr(model, "engine_") or model.engine_.model is None:
            raise
        interrupted = True
    model.save(output)
    if interrupted:
        best = model.history_.best_epoch
        kept = "the weights of the last step" if best is None else f"the best weights so far, those of epoch {best}"
        err.print(f"Interrupted; kept {kept}.", highlight=False)
    out.print(f"Wrote {output}", highlight=False, soft_wrap=True)


@app.command()
def predict(
    model: ModelFile,
    data: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with newer rows or new series; those of fit if absent.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", "-H", min=1, help="Steps to forecast; those of fit if absent.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV or Parquet file to write; standard output if absent.")
    ] = None,
    sort: Sort = False,
) -> None:
    """Forecast with a fitted model.

    Examples: `seqcast predict sales.seqcast`, `seqcast predict sales.seqcast newer.csv -H 60 -o forecast.csv`
    """
    from seqcast.config import Columns
    from seqcast.data.files import check_target, read_table, write_table
    from seqcast.forecaster import Forecaster

    if output is not None:
        check_target(output, table=True)
    fitted = Forecaster.load(model)
    frame = None if data is None else read_table(data, fitted.columns or Columns(), sort=sort)
    write_table(fitted.predict(horizon, frame), output)
    if output is not None:
        out.print(f"Wrote {output}", highlight=False, soft_wrap=True)


@app.command()
def backtest(
    data: Data,
    horizon: Horizon,
    n_windows: Annotated[int, typer.Option("--n-windows", min=1, help="Number of cutoffs.")] = 1,
    step_size: Annotated[
        int | None, typer.Option("--step-size", min=1, help="Steps between cutoffs; the horizon if absent.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV or Parquet file for all forecasts.")
    ] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="PNG, SVG or PDF file for a picture.")] = None,
    id_column: IdColumn = "unique_id",
    time_column: TimeColumn = "ds",
    value_column: ValueColumn = "y",
    freq: Freq = None,
    sort: Sort = False,
    context_length: Context = None,
    season_length: Season = None,
    units: Units = "35,35",
    cell: Annotated[Cell, typer.Option(help="Recurrent cell.")] = Cell.gru,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Train up to a cutoff, forecast from there and score against what came, beside naive forecasts.

    Example: `seqcast backtest sales.csv --horizon 28 --n-windows 4 -o backtest.csv --figure backtest.png`
    """
    from seqcast.data.files import check_target, read_table, write_table
    from seqcast.evaluation.metrics import evaluate

    for target, is_table in ((output, True), (figure, False)):
        if target is not None:
            check_target(target, table=is_table)
    columns = _columns(id_column, time_column, value_column)
    frame = read_table(data, columns, sort=sort)
    model = _forecaster(
        horizon, columns, freq, context_length, season_length, units, cell, epochs, learning_rate, seed, quiet
    )
    result = model.backtest(frame, n_windows=n_windows, step_size=step_size)
    scores = evaluate(result, train_df=frame, season_length=season_length, columns=columns)
    table = Table(title=f"Backtest: {n_windows} cutoff(s), {horizon} steps each, mean over series")
    for name in scores.columns:
        table.add_column(name.replace("_", " "), justify="left" if name == "metric" else "right")
    for _, *row in scores.itertuples():
        table.add_row(row[0], *(f"{number:.4g}" for number in row[1:]))
    out.print(table)
    if output is not None:
        write_table(result, output)
        out.print(f"Wrote {output}", highlight=False, soft_wrap=True)
    if figure is not None:
        _draw(frame, result, columns, figure)


@app.command()
def plot(
    data: Data,
    forecast: Annotated[Path, typer.Argument(help="CSV or Parquet file that `predict` or `backtest` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF file.")] = Path("forecast.png"),
    id_column: IdColumn = "unique_id",
    time_column: TimeColumn = "ds",
    value_column: ValueColumn = "y",
    max_series: Annotated[int, typer.Option("--max-series", min=1, help="Series to draw, from the first.")] = 8,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="Steps of history to draw; four times the forecast's if absent.")
    ] = None,
    sort: Sort = False,
) -> None:
    """Draw history and forecasts, one panel a series.

    Example: `seqcast plot sales.csv forecast.csv -o forecast.png`
    """
    from seqcast.data.files import check_target, read_table

    check_target(output)
    columns = _columns(id_column, time_column, value_column)
    history = read_table(data, columns, sort=sort)
    _draw(history, read_table(forecast, columns, value=False), columns, output, max_series=max_series, last=last)


def _draw(history: Any, forecast: Any, columns: Columns, path: Path, **options: Any) -> None:
    from seqcast.plots import forecast_frame, save_figure

    save_figure(forecast_frame(history, forecast, columns=columns, **options), path)
    out.print(f"Wrote {path}", highlight=False, soft_wrap=True)


def _columns(id_column: str, time_column: str, value_column: str) -> Columns:
    from seqcast.config import Columns

    return Columns(unique_id=id_column, ds=time_column, y=value_column)


def _forecaster(
    horizon: int,
    columns: Columns,
    freq: str | None,
    context_length: int | None,
    season_length: int | None,
    units: str,
    cell: Cell,
    epochs: int | None,
    learning_rate: float | None,
    seed: int | None,
    quiet: bool,
) -> Forecaster:
    from seqcast.config import NetworkSpec
    from seqcast.forecaster import Forecaster

    widths = _widths(units)
    network = NetworkSpec(cell=str(cell), encoder_units=widths, decoder_units=widths, normalise="last")
    return Forecaster(
        horizon,
        context_length=context_length,
        preset=network,
        training=_training(epochs, learning_rate),
        columns=columns,
        freq=int(freq) if freq is not None and freq.isdigit() else freq,
        season_length=season_length,
        random_state=seed,
        verbose=int(not quiet),
    )


def _training(epochs: int | None, learning_rate: float | None) -> TrainingSpec | None:
    """Return the training, or `None` where nothing was said and the forecaster's own rules hold."""
    from seqcast.config import TrainingSpec

    given = {"epochs": epochs, "learning_rate": learning_rate}
    given = {name: value for name, value in given.items() if value is not None}
    return TrainingSpec(**given) if given else None  # type: ignore[arg-type]


def _widths(units: str) -> tuple[int, ...]:
    from seqcast.errors import SpecError

    try:
        return tuple(int(width) for width in units.split(","))
    except ValueError:
        raise SpecError(
            "--units", expected="whole numbers with commas, as 35,35", received=repr(units), mend="One a layer."
        ) from None


def main() -> None:
    """Run the command line; errors of ours are one readable line and exit code 1, Ctrl-C is 130."""
    try:
        app(standalone_mode=True)
    except SeqcastError as error:
        err.print(f"[bold red]Error:[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("Interrupted; nothing was written.")
        sys.exit(130)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
