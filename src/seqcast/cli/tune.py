"""`seqcast tune`: search for the settings of networks, write the best model and the script that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcast.cli.console import print_json, print_line, print_table
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files, note_skipped
from seqcast.cli.options import Data, ForecasterOptions, Horizon, TimeLimit, count_option, takes_options
from seqcast.cli.outputs import AsJson, Force, as_records, check_output
from seqcast.errors import SaveError

if TYPE_CHECKING:
    from seqcast.tune import TuningResult

# How a script of ours begins.
SCRIPT_BEGINS = '"""Fit the forecaster that a search has found'


@takes_options
def tune(
    data: Data,
    horizon: Horizon,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the fitted model.")],
    script: Annotated[
        Path | None, typer.Option("--script", help="Python file for the script that makes the model.")
    ] = None,
    time_limit: TimeLimit = None,
    trials: Annotated[
        int | None,
        count_option("--trials", help="Trials of the search; 30 if absent, or as many as there is time for."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="STORAGE",
            help="Where trials are stored: study.db, or a URL, such as postgresql://user@host/name.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the study in --storage, or join it from another machine.")
    ] = False,
    workers: Annotated[
        int | None, count_option("--workers", help="Processes that train side by side; one a core if absent.")
    ] = None,
    ensemble: Annotated[
        int | None,
        count_option("--ensemble", help="Most networks of the model, the best ones of the search; 5 if absent."),
    ] = None,
    n_windows: Annotated[
        int | None, count_option("--n-windows", help="Origins by which a trial is judged; one to three if absent.")
    ] = None,
    step_size: Annotated[
        int | None, count_option("--step-size", help="Steps between origins; the horizon if absent.")
    ] = None,
    pruner: Annotated[
        str, typer.Option("--pruner", help="What stops trials early: median, hyperband or none.")
    ] = "median",
    figure: Annotated[
        Path | None, typer.Option("--figure", help="PNG, SVG or PDF file for a picture of the trials.")
    ] = None,
    importance: Annotated[
        Path | None, typer.Option("--importance", help="The same for a picture of how much each setting matters.")
    ] = None,
    as_json: AsJson = False,
    force: Force = False,
    *,
    files: FileOptions,
    options: ForecasterOptions,
) -> None:
    """Search for the settings of networks, and write the best model; needs the extra `tune`.

    Each trial is judged by forecasts of rows that it has not seen. With `--storage` a search that was interrupted goes
    on with `--resume`; several machines share a database.

    For example:

        seqcast tune sales.csv -H 28 -o sales.seqcast --time-limit '10 min'

        seqcast tune sales.csv -H 28 -o m.seqcast --trials 50 --storage study.db --resume

        seqcast tune sales.csv -H 28 -o m.seqcast --script fit_best.py --figure trials.png
    """
    from seqcast.plots import SUFFIXES, save_figure
    from seqcast.tune import tune as search

    check_output(output, read=[data], force=force)
    for picture in (figure, importance):
        if picture is not None:
            check_output(picture, SUFFIXES, read=[data], force=force)
    if script is not None:
        _check_script(script, force=force)
    model = options.forecaster(horizon)
    given = model.get_params(deep=False)
    preset, seed, verbose = (given.pop(name) for name in ("preset", "random_state", "verbose"))
    del given["horizon"]
    frame = files.read(data, options.columns)
    with in_files(df=(data, frame)):
        found = search(
            frame,
            horizon,
            preset=preset,
            n_windows=n_windows,
            step_size=step_size,
            trials=trials,
            time_limit=time_limit,
            storage=storage,
            resume=resume,
            workers=workers,
            ensemble=ensemble,
            pruner=pruner,
            random_state=seed,
            verbose=0 if as_json else verbose,
            **given,
        )
    note_skipped(found.forecaster, data, frame)
    found.forecaster.save(output)
    written = [output]
    if script is not None:
        found.save_script(script)
        written.append(script)
    for picture, drawn in ((figure, found.parallel_figure), (importance, found.importance_figure)):
        if picture is not None:
            save_figure(drawn(), picture)
            written.append(picture)
    if as_json:
        print_json({**found.to_dict(), "table": as_records(found.to_frame()), "files": [str(path) for path in written]})
        return
    _print_trials(found)
    for path in written:
        print_line(f"Wrote {path}")


def _check_script(path: Path, *, force: bool) -> None:
    """Refuse a script that must not be written.

    Raises:
        SaveError: It cannot be written, or something else is there.
        SpecError: It is no Python file.
    """
    from seqcast.runtime import check_target

    check_target(path, ("py",))
    if path.exists() and not force and not path.read_bytes().startswith(SCRIPT_BEGINS.encode()):
        raise SaveError(
            str(path),
            expected="no file yet, or a script of seqcast tune",
            received="another file",
            hint="Choose another name; --force overwrites it.",
        )


def _print_trials(found: TuningResult, most: int = 10) -> None:
    """Print the best trials, and how they compare with the untuned setting."""
    best = found.complete[:most]
    names = list(dict.fromkeys(name for trial in best for name in trial.parameters))
    rows = [
        [str(trial.number), f"{trial.loss:.4f}", *(_text(trial.parameters.get(name)) for name in names)]
        for trial in best
    ]
    untuned = "" if found.untuned_loss is None else f"; untuned {found.untuned_loss:.4f}"
    counts = ", ".join(f"{count} {state}" for state, count in found.to_dict()["trials"].items() if count)
    print_table(f"The best trials by their loss{untuned} ({counts})", ["trial", "loss", *names], rows)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
