"""The command line: demo, fit, predict, backtest, report, plot, study.

Nothing heavy is imported before a command needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import platformdirs
import typer
from rich.console import Console
from rich.table import Table

import seqcast
from seqcast.errors import SeqcastError

if TYPE_CHECKING:
    from seqcast.forecaster.estimator import Forecaster
    from seqcast.specs.columns import Columns

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


def _whole(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"expected a whole number, at least {least}, received {text!r}.")
        return number

    return whole


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"expected a number, received {text!r}.") from None


def _count(*names: str, least: int = 1, **options: Any) -> Any:
    return typer.Option(*names, parser=_whole(least), metavar="N", **options)


Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="CSV or Parquet file in long form: one row a series and time.")
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="File that `seqcast fit` wrote.")]
IdColumn = Annotated[
    str, typer.Option("--id", help="Column that names the series; a file without one holds one series.")
]
TimeColumn = Annotated[str, typer.Option("--time", help="Column with the time stamp, or a whole number.")]
ValueColumn = Annotated[str, typer.Option("--value", help="Column with the value; several with commas.")]
Freq = Annotated[
    str | None, typer.Option(help="Step between stamps (h, D, W-SAT, MS, ... or 1); inferred when absent.")
]
Sort = Annotated[bool, typer.Option("--sort", help="Sort rows by series and time first.")]
Horizon = Annotated[int, _count("--horizon", "-H", help="Steps to forecast.")]
Context = Annotated[
    int | None, _count("--context-length", help="Steps of past to read; chosen from the data if absent.")
]
Season = Annotated[int | None, _count("--season-length", help="Steps of a season; by the frequency if absent.")]
Preset = Annotated[str, typer.Option("--preset", help="Network: auto, classic or segment.")]
Units = Annotated[
    str | None, typer.Option("--units", help="Width of each layer of encoder and decoder, instead of the preset's.")
]
Cell = Annotated[str | None, typer.Option("--cell", help="Recurrent cell, instead of gru: lstm or simple_rnn.")]
Levels = Annotated[str, typer.Option("--level", help="Levels of the intervals in per cent, with commas; '' for none.")]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Widen intervals to what they promise on validation rows.")
]
Epochs = Annotated[int | None, _count("--epochs", help="Passes over the windows; 30 if absent.")]
Rate = Annotated[
    float | None,
    typer.Option("--learning-rate", parser=_number, metavar="RATE", help="Largest learning rate; 0.01 if absent."),
]
Static = Annotated[str, typer.Option("--static", help="Columns that are constant within a series, with commas.")]
Past = Annotated[str, typer.Option("--past", help="Columns that are known up to the cutoff, with commas.")]
Future = Annotated[str, typer.Option("--future", help="Columns that are known ahead, with commas.")]
Missing = Annotated[str, typer.Option("--missing", help="What to do about missing values and steps: fill or raise.")]
Scale = Annotated[
    str, typer.Option("--scale", help="Scaling of series: auto, standard, robust, minmax, mean, log1p, log or none.")
]
CalendarNames = Annotated[
    str, typer.Option("--calendar", help="Features of the time: auto, none, or names with commas, as auto,holidays:DE.")
]
Members = Annotated[
    int, _count("--members", help="Networks to train, from seeds of their own; forecasts are their median.")
]
Seed = Annotated[int | None, _count("--seed", least=0, help="Seed of everything random; fresh if absent.")]
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
    seed: Annotated[int, _count("--seed", least=0, help="Seed of everything random.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Learn sums of two sines as in the post, then a real series; write tables and pictures.

    For example:

        seqcast demo --quick
    """
    from seqcast.studies.demo import QUICK, DemoSize, run_demo

    try:
        metrics = run_demo(output, QUICK if quick else DemoSize(), seed=seed, verbose=int(not quiet), say=_say)
    except KeyboardInterrupt:
        _say(f"The parts that were finished are in {output}.")
        raise
    numbers = {}
    for name, score in metrics["sines"]["scores"].items():
        steps = score["mse_by_step"]
        numbers[name] = [score["mse_15"], score["mse_20"], steps[0], steps[14], steps[19]]
    _table(
        "Sums of two sines: mean squared error on test windows",
        ("forecast", "steps 1-15", "steps 1-20", "step 1", "step 15", "step 20"),
        {name: [f"{number:.4f}" for number in row] for name, row in numbers.items()},
    )
    series = metrics["series"]
    scores = {name: [f"{score['mae']:.3f}", f"{score['rmse']:.3f}"] for name, score in series["scores"].items()}
    _table(
        f"{series['title']}: backtest from {series['n_windows']} cutoffs, {series['horizon']} steps each",
        ("forecast", "mean absolute error", "root mean squared error"),
        scores,
    )
    if quick:
        _tell(
            "The networks were trained for seconds only, to prove the path; run it without --quick for the real thing."
        )
    _tell(f"Done in {metrics['seconds']:.0f} s. Written:")
    for path in metrics["files"]:
        _tell(f"  {output / path}")


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
    static: Static = "",
    past: Past = "",
    future: Future = "",
    missing: Missing = "fill",
    scale: Scale = "auto",
    calendar: CalendarNames = "auto",
    preset: Preset = "auto",
    units: Units = None,
    cell: Cell = None,
    level: Levels = "80,95",
    calibrate: Calibrate = False,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    members: Members = 1,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on all series of a file and write it to a file.

    Ctrl-C ends the training; the best weights so far are written, and the exit code is 0. With `--members` nothing is
    written then.

    For example:

        seqcast fit sales.csv --horizon 28 -o sales.seqcast

        seqcast fit sales.csv -H 28 --id shop --time day --value sold -o m.seqcast

        seqcast fit sales.csv -H 28 --static region --future price,promotion -o m.seqcast
    """
    from seqcast.data.frames.io import check_target, in_file, read_table

    check_target(output)
    columns = _columns(id_column, time_column, value_column)
    frame = read_table(data, columns, sort=sort)
    frames = _frame_options(freq, context_length, season_length, static, past, future, missing, scale, calendar)
    networks = {**_network_options(preset, units, cell, level), "calibrate": calibrate, "members": members}
    model = _forecaster(horizon, columns, {**frames, **networks}, epochs, learning_rate, seed, quiet)
    interrupted = False
    try:
        with in_file(data, frame, columns):
            model.fit(frame)
    except KeyboardInterrupt:
        if not hasattr(model, "engine_") or model.engine_.model is None:
            raise
        interrupted = True
    model.save(output)
    if interrupted:
        best = model.history_.best_epoch
        kept = "the weights of the last step" if best is None else f"the best weights so far, those of epoch {best}"
        _say(f"Interrupted; kept {kept}.")
    _tell(f"Wrote {output}")


@app.command()
def predict(
    model: ModelFile,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA", help="CSV or Parquet file with newer rows or new series; the rows of fit if absent."
        ),
    ] = None,
    horizon: Annotated[
        int | None, _count("--horizon", "-H", help="Steps to forecast; as many as at fit if absent.")
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option(
            "--future", metavar="FILE", help="CSV or Parquet file of the steps ahead and what is known of them."
        ),
    ] = None,
    level: Annotated[
        str, typer.Option("--level", help="Levels of the intervals in per cent, with commas; the fit's if absent.")
    ] = "",
    samples: Annotated[
        int | None, _count("--samples", help="Sample paths to draw, instead of a point and intervals.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV or Parquet file to write; standard output if absent.")
    ] = None,
    sort: Sort = False,
) -> None:
    """Forecast with a fitted model; columns are named as they were at fit.

    For example:

        seqcast predict sales.seqcast -o forecast.csv

        seqcast predict sales.seqcast newer.csv --horizon 60 > forecast.csv

        seqcast predict sales.seqcast --future prices.csv -o forecast.csv
    """
    from seqcast.data.frames.io import TABLES, check_target, in_file, read_table, write_table
    from seqcast.forecaster.estimator import Forecaster
    from seqcast.specs.columns import Columns

    if output is not None:
        check_target(output, TABLES)
    fitted = Forecaster.load(model)
    columns = fitted.columns or Columns()
    # Newer rows of the only series go on with it, whatever their file is called.
    only = fitted.series_state_.ids[0] if len(fitted.series_state_.ids) == 1 else None
    frame = None if data is None else read_table(data, columns, sort=sort, series=only)
    ahead = None if future is None else read_table(future, columns, value=False, series=only)
    with contextlib.ExitStack() as files:
        if data is not None:
            files.enter_context(in_file(data, frame, columns))
        if future is not None:
            files.enter_context(in_file(future, ahead, columns, argument="future"))
        forecast = fitted.predict(horizon, frame, ahead, level=_levels(level) or None, samples=samples)
    write_table(forecast, output)
    if output is not None:
        _tell(f"Wrote {output}")


@app.command()
def backtest(
    data: Data,
    horizon: Horizon,
    n_windows: Annotated[int, _count("--n-windows", help="Number of cutoffs.")] = 1,
    step_size: Annotated[
        int | None, _count("--step-size", help="Steps between cutoffs; the horizon if absent.")
    ] = None,
    refit: Annotated[
        int | None, _count("--refit", help="Train anew at every N-th cutoff; only at the first if absent.")
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
    static: Static = "",
    past: Past = "",
    future: Future = "",
    missing: Missing = "fill",
    scale: Scale = "auto",
    calendar: CalendarNames = "auto",
    preset: Preset = "auto",
    units: Units = None,
    cell: Cell = None,
    level: Levels = "80,95",
    calibrate: Calibrate = False,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    members: Members = 1,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Train up to a cutoff, forecast from there and score against what came, beside naive forecasts.

    For example:

        seqcast backtest sales.csv --horizon 28 --n-windows 4 --figure backtest.png

        seqcast backtest sales.csv -H 28 --n-windows 4 --refit 1 --members 3
    """
    from seqcast.data.frames.io import TABLES, check_target, in_file, read_table, write_table
    from seqcast.evaluation import evaluate
    from seqcast.plots.style import SUFFIXES

    for target, suffixes in ((output, TABLES), (figure, SUFFIXES)):
        if target is not None:
            check_target(target, suffixes)
    columns = _columns(id_column, time_column, value_column)
    frame = read_table(data, columns, sort=sort)
    frames = _frame_options(freq, context_length, season_length, static, past, future, missing, scale, calendar)
    networks = {**_network_options(preset, units, cell, level), "calibrate": calibrate, "members": members}
    model = _forecaster(horizon, columns, {**frames, **networks}, epochs, learning_rate, seed, quiet)
    with in_file(data, frame, columns):
        result = model.backtest(frame, n_windows=n_windows, step_size=step_size, refit=refit or False)
        by = ("target",) if "target" in result.columns else ()
        scores = evaluate(result, train_df=frame, season_length=season_length, by=by, columns=columns)
    cutoffs, steps = _counted(n_windows, "cutoff"), _counted(horizon, "step")
    _table(
        f"Backtest from {cutoffs}, {steps} each; mean over cutoffs and series",
        [name.replace("_", " ") for name in scores.columns if name != "target"],
        _score_rows(scores),
    )
    if output is not None:
        write_table(result, output)
        _tell(f"Wrote {output}")
    if figure is not None:
        _draw(frame, result, columns, figure)


@app.command()
def report(
    model: ModelFile,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file.")] = Path("report.html"),
    future: Annotated[
        Path | None,
        typer.Option("--future", metavar="FILE", help="CSV or Parquet file of the steps ahead, if the model needs it."),
    ] = None,
    n_windows: Annotated[
        int, _count("--n-windows", least=0, help="Cutoffs of the backtest, for which a network is trained; 0 for none.")
    ] = 3,
    title: Annotated[str, typer.Option("--title", help="Title of the page.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Unit of the values.")] = "",
    sort: Sort = False,
) -> None:
    """Write one HTML page with forecasts, a backtest beside naive forecasts, errors and settings.

    For example:

        seqcast report sales.seqcast sales.csv -o report.html --title "Sales" --unit pieces
    """
    from seqcast.data.frames.io import check_target, in_file, read_table
    from seqcast.forecaster.estimator import Forecaster
    from seqcast.specs.columns import Columns

    check_target(output, ("html", "htm"))
    fitted = Forecaster.load(model)
    columns = fitted.columns or Columns()
    only = fitted.series_state_.ids[0] if len(fitted.series_state_.ids) == 1 else None
    frame = read_table(data, columns, sort=sort, series=only)
    ahead = None if future is None else read_table(future, columns, value=False, series=only)
    with contextlib.ExitStack() as files:
        files.enter_context(in_file(data, frame, columns))
        if future is not None:
            files.enter_context(in_file(future, ahead, columns, argument="future"))
        fitted.report(output, frame, future=ahead, n_windows=n_windows, title=title, unit=unit)
    _tell(f"Wrote {output}")


@app.command()
def plot(
    data: Data,
    forecast: Annotated[
        Path, typer.Argument(metavar="FORECAST", help="CSV or Parquet file that `predict` or `backtest` wrote.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG, SVG or PDF file.")] = Path("forecast.png"),
    id_column: IdColumn = "unique_id",
    time_column: TimeColumn = "ds",
    value_column: ValueColumn = "y",
    max_series: Annotated[int, _count("--max-series", help="Most series to draw, from the first.")] = 8,
    last: Annotated[
        int | None,
        _count("--last", help="Steps of history to draw; four times the forecast's, at least 30, if absent."),
    ] = None,
    sort: Sort = False,
) -> None:
    """Draw history and forecasts, one panel a series.

    For example:

        seqcast plot sales.csv forecast.csv -o forecast.png
    """
    from seqcast.data.frames.io import check_target, in_file, read_table
    from seqcast.errors import DataError
    from seqcast.plots.style import SUFFIXES

    check_target(output, SUFFIXES)
    columns = _columns(id_column, time_column, value_column)
    ahead = read_table(forecast, columns, value=False)
    ids = ahead[columns.unique_id].unique()
    history = read_table(data, columns, sort=sort, series=ids[0] if len(ids) == 1 else None)
    if not history[columns.unique_id].isin(ids).any():
        raise DataError(
            f"{forecast}, column {columns.unique_id!r}",
            expected=f"series of {data}, such as {history[columns.unique_id].iloc[0]!r}",
            received=repr(ids[0]),
            hint="Give the file that was forecast from.",
        )
    with in_file(data, history, columns), in_file(forecast, ahead, columns, argument="forecast_df"):
        _draw(history, ahead, columns, output, max_series=max_series, last=last)


@app.command()
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study, or `all`; `list` shows what there is.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for results, pictures and findings.")] = Path(
        "runs/studies"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small grid, to prove the path in seconds.")] = False,
    seeds: Annotated[int | None, _count("--seeds", help="Number of seeds; 5 if absent, 1 with --quick.")] = None,
    workers: Annotated[int | None, _count("--workers", help="Processes side by side; one a core if absent.")] = None,
    quiet: Quiet = False,
) -> None:
    """Answer one of the post's open questions: train what it takes, draw it, say what was found.

    Each run leaves a file, so that an interrupted study goes on where it stopped and a finished one draws at once.

    For example:

        seqcast study list

        seqcast study horizon --quick

        seqcast study all
    """
    from seqcast.studies import NAMES, find_study

    if name == "list":
        for each in NAMES:
            _tell(f"{each:<10}{find_study(each).question}")
        return
    names = NAMES if name == "all" else (find_study(name).name,)
    from seqcast.studies.runner import run_study

    say = (lambda _: None) if quiet else _say
    for each in names:
        outcome = run_study(each, output, quick=quick, seeds=seeds, workers=workers, say=say)
        _tell(f"{find_study(each).question}\n\n{outcome.finding}\n")
        kept = "" if outcome.made else ", all kept from before"
        _tell(f"Runs of {outcome.seconds / 60:.1f} min in all{kept}. Written:")
        for path in outcome.files:
            _tell(f"  {path}")
    if quick:
        _tell("The networks were trained for seconds only, to prove the path; the figures above say nothing.")


def _draw(history: Any, forecast: Any, columns: Columns, path: Path, **options: Any) -> None:
    from seqcast.plots import forecast_frame, save_figure

    save_figure(forecast_frame(history, forecast, columns=columns, **options), path)
    _tell(f"Wrote {path}")


def _tell(text: str) -> None:
    """Print a line of the result."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _say(text: str) -> None:
    """Print a line about the work, to standard error."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def _table(title: str, headings: Sequence[str], rows: dict[str, list[str]]) -> None:
    table = Table()
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for name, cells in rows.items():
        table.add_row(name.replace("_", " "), *cells)
    _tell(title)
    out.print(table)


def _score_rows(scores: Any) -> dict[str, list[str]]:
    """Return a row of text for each metric, and for each target where there are several."""
    from seqcast.evaluation.metrics import spoken_metric

    rows = {}
    for row in scores.to_dict("records"):
        name, target = spoken_metric(row.pop("metric")), row.pop("target", "")
        # A model without intervals has no score of them.
        rows[f"{name} {target}".rstrip()] = [f"{number:.4g}" if number == number else "" for number in row.values()]
    return rows


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _columns(id_column: str, time_column: str, value_column: str) -> Columns:
    from seqcast.specs.columns import Columns

    return Columns(unique_id=id_column, ds=time_column, y=_names(value_column) or value_column)


def _frame_options(
    freq: str | None,
    context_length: int | None,
    season_length: int | None,
    static: str,
    past: str,
    future: str,
    missing: str,
    scale: str,
    calendar: str,
) -> dict[str, Any]:
    """Return what was said of the frame, as the forecaster's arguments."""
    return {
        "freq": int(freq) if freq is not None and freq.isdigit() else freq,
        "context_length": context_length,
        "season_length": season_length,
        "static_covariates": _names(static),
        "past_covariates": _names(past),
        "future_covariates": _names(future),
        "missing": missing,
        "scale": scale,
        "calendar": calendar if calendar in ("auto", "none") else _names(calendar),
    }


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()


def _network_options(preset: str, units: str | None, cell: str | None, level: str) -> dict[str, Any]:
    """Return what was said of the network, as the forecaster's arguments."""
    from dataclasses import replace

    from seqcast.forecaster.defaults import Sizes, named_network
    from seqcast.forecaster.options import interval_levels

    levels = interval_levels(_levels(level))
    if units is None and cell is None:
        return {"preset": preset, "level": levels}
    network = named_network("classic" if preset == "auto" else preset, levels, Sizes())
    changes: dict[str, Any] = {} if cell is None else {"cell": cell}
    if units is not None:
        changes |= {"encoder_units": _widths(units), "decoder_units": _widths(units)}
    return {"preset": replace(network, **changes), "level": levels}


def _levels(text: str) -> tuple[float, ...]:
    from seqcast.errors import SpecError

    try:
        return tuple(float(level) for level in _names(text))
    except ValueError:
        raise SpecError(
            "--level", expected="numbers with commas, as 80,95", received=repr(text), hint="In per cent."
        ) from None


def _forecaster(
    horizon: int,
    columns: Columns,
    options: dict[str, Any],
    epochs: int | None,
    learning_rate: float | None,
    seed: int | None,
    quiet: bool,
) -> Forecaster:
    from seqcast.forecaster.estimator import Forecaster

    return Forecaster(
        horizon,
        training=_training(epochs, learning_rate),
        columns=columns,
        random_state=seed,
        verbose=int(not quiet),
        **options,
    )


def _training(epochs: int | None, learning_rate: float | None) -> dict[str, Any] | None:
    """Return what was said of the training; the forecaster's own rules hold for the rest."""
    given = {"epochs": epochs, "learning_rate": learning_rate}
    return {name: value for name, value in given.items() if value is not None} or None


def _widths(units: str) -> tuple[int, ...]:
    from seqcast.errors import SpecError

    try:
        return tuple(int(width) for width in units.split(","))
    except ValueError:
        raise SpecError(
            "--units", expected="whole numbers with commas, as 35,35", received=repr(units), hint="One a layer."
        ) from None


def main() -> None:
    """Run the command line: exit code 1 for errors of ours, 2 for options that typer refuses, 130 for Ctrl-C."""
    _keep_compilations()
    try:
        with _fallbacks_said():
            app(standalone_mode=True)
    except SeqcastError as error:
        _fail(error)
    except SystemExit as ending:
        if ending.code == 130:
            _say("Interrupted; nothing half-written is left.")
        raise


@contextlib.contextmanager
def _fallbacks_said() -> Iterator[None]:
    """Say that forecasts fall back on the seasonal naive one as a line of ours, without a place in the code."""
    show = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if category.__name__ == "FallbackWarning":  # its module would import Keras
            _say(f"Note: {message}")
        else:
            show(message, category, *place, **options)

    with warnings.catch_warnings():
        warnings.showwarning = say
        yield


def _keep_compilations() -> None:
    """Let programs that were compiled once be read back by the next command; an empty variable switches that off."""
    if "SEQCAST_CACHE_DIR" not in os.environ:
        os.environ["SEQCAST_CACHE_DIR"] = platformdirs.user_cache_dir("seqcast")


def _fail(error: SeqcastError) -> NoReturn:
    """Print an error; an argument of Python's is named as the option that it is."""
    names = {"encoder_units": "units", "decoder_units": "units"}
    names |= {f"{role}_covariates": role for role in ("static", "past", "future")}
    where = names.get(error.where, error.where)
    text = str(error)
    if where.isidentifier():
        text = f"--{where.replace('_', '-')}{text.removeprefix(error.where)}"
    err.print("[bold red]Error:[/] ", end="")
    _say(text)
    sys.exit(1)


if __name__ == "__main__":
    main()
