"""The application of the command line: its commands, and messages and exit codes of failures."""

import contextlib
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

import seqcast
from seqcast.cli.analysis_commands import anomalies, explain, report
from seqcast.cli.console import (
    lacks_memory,
    note,
    print_error,
    set_encodings,
    word_error,
    word_system_error,
)
from seqcast.cli.data_commands import describe, partition, plot
from seqcast.cli.declaration import declared
from seqcast.cli.demo_command import demo
from seqcast.cli.fit_commands import finetune, fit, update
from seqcast.cli.forecast_commands import backtest, forecast, predict
from seqcast.cli.server_commands import app as open_page
from seqcast.cli.server_commands import doctor, serve
from seqcast.cli.tune_command import tune
from seqcast.errors import SeqcastError, SeqcastWarning
from seqcast.runtime import EXIT_CODE, showing

# The commands in the order of a day's work, by the panel of the help that lists them.
CONTENTS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start here": (describe, forecast, open_page, demo),
    "Fit a model, and use it": (fit, predict, update, finetune, tune),
    "How good it is, and why": (backtest, report, explain, anomalies, plot),
    "Serve it; large tables": (serve, partition),
    "The installation": (doctor,),
}


class _PlainFlags:
    """Flags show no type in the help: `--json`, not `--json <bool>`."""

    def get_params(self, context: Any) -> list[Any]:
        """Return options and arguments."""
        parameters: list[Any] = super().get_params(context)  # type: ignore[misc]
        for each in parameters:
            each.metavar = "" if getattr(each, "is_flag", False) else each.metavar
        return parameters


_STANDARD_ERROR = 2
# Made beforehand, since colours and line breaks take memory that is not there.
_NO_MEMORY = f"Error: {word_system_error(MemoryError())}\n".encode()


class _Commands(_PlainFlags, typer.core.TyperGroup):
    """All commands."""


class _Command(_PlainFlags, typer.core.TyperCommand):
    """A command whose errors are worded with its own options."""

    def invoke(self, context: Any) -> Any:
        """Run the command; an error of ours ends it with exit code 1."""
        try:
            with showing(not context.params.get("quiet")):
                return super().invoke(context)
        except SeqcastError as error:
            message = word_error(
                error, [name for parameter in self.params for name in parameter.opts]
            )
            print_error(" ".join((message, *getattr(error, "__notes__", ()))))
            raise typer.Exit(1) from error
        except BrokenPipeError:  # the reader has seen enough, which typer knows
            raise
        except BaseException as error:
            # A library in Rust that cannot start a thread panics, which is no `Exception`.
            is_panic = type(error).__name__ == "PanicException"
            if not (isinstance(error, Exception) or is_panic):
                raise

            if lacks_memory(error):
                traceback.clear_frames(error.__traceback__)  # they hold what fills the memory
                os.write(_STANDARD_ERROR, _NO_MEMORY)
                raise typer.Exit(1) from None
            system = word_system_error(error) if isinstance(error, Exception) else None
            if system is None:
                raise
            print_error(" ".join((system, *getattr(error, "__notes__", ()))))
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands,
    help="Forecast time series with recurrent encoder-decoders.",
    epilog=(
        "Exit codes: 0 done; 1 an error; 2 an option that does not exist; 130 interrupted; "
        "143 ended by SIGTERM."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

for _panel, _commands in CONTENTS.items():
    for _command in _commands:
        app.command(cls=_Command, rich_help_panel=_panel)(declared(_command))


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"seqcast {seqcast.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    del version  # its callback prints it


def main() -> None:
    """Run the command line.

    The exit code is 1 for errors of ours, 2 for options that typer rejects, and 130 for Ctrl-C.
    """
    set_encodings()
    try:
        with _note_warnings():
            app(standalone_mode=True)
    except SystemExit as ending:
        if ending.code == EXIT_CODE:
            note("Interrupted; nothing half-written is left.")
        raise


@contextlib.contextmanager
def _note_warnings() -> Iterator[None]:
    """Print the warnings of seqcast as lines, without their place in the code."""
    show = warnings.showwarning

    def show_or_note(
        message: Warning | str, category: type[Warning], *place: Any, **settings: Any
    ) -> None:
        if issubclass(category, SeqcastWarning):
            note(f"Note: {message}")
        else:
            show(message, category, *place, **settings)

    with warnings.catch_warnings():
        warnings.showwarning = show_or_note
        yield
