"""`seqcast tune`: search for the settings of networks, write the best model and its script."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import tables
from seqcast.cli.console import note_skipped, print_json, print_line, print_table
from seqcast.cli.forecaster_options import ForecasterOptions
from seqcast.cli.input_files import OF_READING, FileOptions
from seqcast.cli.output_files import as_records, check_figures, check_output
from seqcast.errors import SaveError
from seqcast.runtime import check_target, number_text, writing_results

if TYPE_CHECKING:
    from seqcast.tune import TuningResult

# The beginning of this command's scripts.
SCRIPT_BEGINS = '"""Fit the forecaster that a search has found'


@dataclass(frozen=True)
class SearchOptions:
    """The search, as typed.

    Args:
        time_limit: Be done in this time: 90, '10 min', 1h; in place of epochs.
        trials: Trials of the search; 30 if absent, or as many as there is time for.
        storage: Where trials are stored: study.db, or a URL, such as postgresql://user@host/name.
        resume: Go on with the study in --storage, or join it from another machine.
        workers: Processes that train side by side; one a core if absent.
        ensemble: Most networks of the model, the best ones of the search; 5 if absent.
        n_windows: Origins at which a trial is evaluated; one to three if absent.
        step_size: Steps between origins; the horizon if absent.
        pruner: Rule that stops trials early: median, hyperband or none.
    """

    time_limit: str | None = None
    trials: int | None = None
    storage: str | None = None
    resume: bool = False
    workers: int | None = None
    ensemble: int | None = None
    n_windows: int | None = None
    step_size: int | None = None
    pruner: str = "median"


def tune(
    data: Path,
    horizon: int,
    output: Path,
    search: SearchOptions,
    files: FileOptions,
    options: ForecasterOptions,
    script: Path | None = None,
    figure: Path | None = None,
    importance: Path | None = None,
    as_json: bool = False,
    force: bool = False,
) -> None:
    """Search for the best settings of networks; needs the extra `tune`.

    The best model is written to a file. Each trial is evaluated by forecasts of rows that it has
    not seen. With `--storage` a search that was interrupted goes on with `--resume`, and several
    machines share a database.

    For example:

        seqcast tune sales.csv -H 28 -o sales.seqcast --time-limit '10 min'

        seqcast tune sales.csv -H 28 -o m.seqcast --trials 50 --storage study.db --resume

        seqcast tune sales.csv -H 28 -o m.seqcast --script fit_best.py --figure trials.png

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        horizon: Steps to forecast.
        output: File for the fitted model.
        search: The search.
        files: Format of the files.
        options: The file, the network and its training.
        script: Python file for the script that makes the model.
        figure: PNG, SVG or PDF file for a picture of the trials.
        importance: The same for a picture of each setting's importance.
        as_json: Print the result as one JSON document.
        force: Write also over a file of another kind, or one that was read.
    """
    from seqcast.plots import save_figure
    from seqcast.tune import tune as run_search

    check_output(output, read=[data], force=force)
    check_figures(figure, importance, read=[data], force=force)
    if script is not None:
        _check_script(script, force=force)

    settings = options.forecaster(horizon, silent=as_json).get_params(deep=False)
    rows = files.guess(data, options)
    with tables.in_files(df=rows):
        result = run_search(rows, **settings | {"columns": rows.columns}, **asdict(search))
    note_skipped(result.forecaster, rows, OF_READING)
    with writing_results():
        result.forecaster.save(output)
        if script is not None:
            result.save_script(script)
        if figure is not None:
            save_figure(result.parallel_figure(), figure)
        if importance is not None:
            save_figure(result.importance_figure(), importance)

    written = [str(path) for path in (output, script, figure, importance) if path is not None]
    if as_json:
        print_json({**result.to_dict(), "table": as_records(result.to_frame()), "files": written})
        return
    _print_trials(result)
    for path in written:
        print_line(f"Wrote {path}")


def _check_script(path: Path, *, force: bool) -> None:
    """Reject a script that must not be written."""
    check_target(path, ("py",))
    if path.exists() and not force and not path.read_bytes().startswith(SCRIPT_BEGINS.encode()):
        raise SaveError(
            str(path),
            expected="no file yet, or a script of seqcast tune",
            received="another file",
            hint="Choose another name; --force overwrites it.",
        )


def _print_trials(result: TuningResult, most: int = 10) -> None:
    """Print the best trials, with the loss of the untuned setting."""
    best = result.complete[:most]
    names = list(dict.fromkeys(name for trial in best for name in trial.parameters))
    rows = [
        [str(one.number), f"{one.loss:.4f}", *(_text(one.parameters.get(name)) for name in names)]
        for one in best
    ]
    untuned = "" if result.untuned_loss is None else f"; untuned {result.untuned_loss:.4f}"
    states = result.to_dict()["trials"]
    counts = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    title = f"The best trials by their loss{untuned} ({counts})"
    print_table(title, ["trial", "loss", *names], rows)


def _text(value: object) -> str:
    if value is None:
        return ""
    return number_text(value) if isinstance(value, float) else str(value)
