"""Printing of commands: results to standard output, notes and errors to standard error.

An error is worded for a person at a terminal, who has files and types options. Its place comes from
the fields of a `DataError`, its options and rows from those that its phrases mention; no message is
parsed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from unicodedata import category

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seqcast import forecaster, tables
from seqcast.cli.declaration import flags_of
from seqcast.cli.forecaster_options import ForecasterOptions
from seqcast.errors import (
    DataError,
    Fix,
    Option,
    Phrase,
    Row,
    SeqcastError,
    SpecError,
    compose_message,
    compose_place,
)
from seqcast.runtime import writing_out
from seqcast.specs import Columns

# Characters that control a terminal, or the direction of writing, are shown as codes: names of
# series may have them.
_CONTROLS = {
    code: repr(chr(code))[1:-1]
    for code in range(0x2070)
    if category(chr(code)) in ("Cc", "Cf") and code not in (9, 10)
}
# Text between colons in names of series stays text, and becomes no emoji.
_OUTPUT = Console(emoji=False)
_ERRORS = Console(stderr=True, emoji=False)

# Most skipped series that are listed.
MOST_SKIPPED = 5

# Options of arguments in Python, where their names differ in more than `columns.`, `dialect.` or
# `_covariates`.
RENAMED = {
    "columns": "--id, --time, --value",
    "unique_id": "--id",
    "ds": "--time",
    "y": "--value",
    "ds_format": "--time-format",
    "day_first": "--day-first, --month-first",
    "encoder_units": "--units",
    "decoder_units": "--units",
    "random_state": "--seed",
    "on": "--ray",
    "future": "--future-file",  # --future names columns
    "address": "--ray",
}

# Options of fit, which hints of other commands mention.
_OF_FIT = flags_of(ForecasterOptions) | {"--horizon"}

# Hints for people with a file, in place of those about code.
_HINTS: dict[Fix | None, str] = {
    Fix.CONVERT: "Convert the column.",
    Fix.FILL: (
        "Fill the gap or drop the row; "
        "if the step is another, name it to fit or backtest with --freq."
    ),
    Fix.SORT: "Sort the rows.",
}


def print_line(text: str) -> None:
    """Print a line of the result.

    Args:
        text: The line.
    """
    with writing_out():
        _OUTPUT.print(text.translate(_CONTROLS), highlight=False, markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Print the result as JSON.

    Args:
        value: The result, JSON types.
    """
    print_line(json.dumps(value, indent=2, allow_nan=False))


def print_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1
) -> None:
    """Print a table of the result.

    Args:
        title: The line above the table.
        headings: The columns, those of the rows' names first.
        rows: The cells of each row.
        names: Number of columns that name a row; they are left-aligned.
    """
    table = Table()
    for number, heading in enumerate(headings):
        # In a narrow terminal a number wraps; otherwise it would lose its end.
        table.add_column(
            _shown(heading), justify="left" if number < names else "right", overflow="fold"
        )
    for cells in rows:
        table.add_row(*map(_shown, cells))
    print_line(title)
    with writing_out():
        _OUTPUT.print(table)


def _shown(cell: str) -> str:
    return escape(cell.translate(_CONTROLS))


def note(text: str) -> None:
    """Print a note.

    Args:
        text: The note.
    """
    # Standard error may be a file on a full disk; the work goes on.
    with contextlib.suppress(OSError):
        _ERRORS.print(text.translate(_CONTROLS), highlight=False, markup=False, soft_wrap=True)


def print_error(text: str) -> None:
    """Print an error.

    Args:
        text: The message.
    """
    with contextlib.suppress(OSError):
        _ERRORS.print("[bold red]Error:[/] ", end="")
    note(text)


def set_encodings() -> None:
    """Let standard output and error take any character.

    Pipes and files get UTF-8, as files of -o do, unless PYTHONIOENCODING names another encoding. A
    character that an encoding lacks, as that of a terminal may, is printed as its code.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):  # pythonw of Windows has none
            continue
        if not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
            stream.reconfigure(encoding="utf-8")
        stream.reconfigure(errors="backslashreplace")


# ---------------------------------------------------------------- errors

# Texts of errors that say that memory is lacking: of libraries that are loaded, of XLA, of the
# system, of threads, and of Python.
_OF_MEMORY = (
    "failed to map segment",
    "RESOURCE_EXHAUSTED",
    "Out of memory",
    "Cannot allocate memory",
    "can't start new thread",
    "failed to spawn",
    "error return without exception set",
)


def lacks_memory(error: BaseException | None) -> bool:
    """Return whether an error, or the one that it came from, says that there is no memory left.

    Args:
        error: The error.

    Example:
        >>> lacks_memory(MemoryError()), lacks_memory(KeyError("a"))
        (True, False)
    """
    while error is not None:
        if isinstance(error, MemoryError) or any(text in str(error) for text in _OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def word_system_error(error: Exception) -> str | None:
    """Return an error of the system in our words; `None` for one that is a fault of the program.

    Args:
        error: The error.

    Example:
        >>> print(word_system_error(MemoryError()))
        memory: expected enough for this command, received none left.
        Take fewer rows, or a smaller network.
        >>> word_system_error(OSError(28, "No space left on device", "sales.csv"))
        'sales.csv: expected a working file, received No space left on device.'
        >>> word_system_error(KeyError("a"))
    """
    if lacks_memory(error):
        expected = "enough for this command"
        hint = "Take fewer rows, or a smaller network."
        return compose_message("memory", expected=expected, received="none left", hint=hint)
    if isinstance(error, OSError) and error.strerror is not None:
        where = str(error.filename or "the system")
        expected = "a working file" if error.filename else "a working system call"
        return compose_message(where, expected=expected, received=error.strerror)
    return None


def note_skipped(
    model: forecaster.Forecaster, rows: tables.ReadTable | str, options: Collection[str]
) -> None:
    """Print the problems of the first series that a fit skipped.

    Args:
        model: The fitted model.
        rows: The table that it was fitted to, or a source, which names its files itself.
        options: The options of the running command.
    """
    skipped = list(model.skipped_series_.values())
    for error in skipped[:MOST_SKIPPED]:
        located = rows.locate(error) if isinstance(rows, tables.ReadTable) else error
        note(f"Skipped: {word_error(located, options)}")
    if len(skipped) > MOST_SKIPPED:
        note(f"Skipped: {len(skipped) - MOST_SKIPPED} more series")


def note_sentinels(
    model: forecaster.Forecaster, rows: tables.ReadTable | str, options: Collection[str]
) -> None:
    """Print which values of a file may stand for missing ones.

    Args:
        model: The forecaster, not fitted.
        rows: The table; a source is read piece by piece, and later.
        options: The options of the running command.
    """
    from seqcast.data import fault_text, sentinels_of  # they import pandas

    if not isinstance(rows, tables.ReadTable):
        return
    with contextlib.suppress(SeqcastError):  # the fit raises it
        for error in sentinels_of(rows.with_ids(), model.columns or Columns(), model.freq):
            word = partial(word_error, options=options)
            note(f"Perhaps not meant: {fault_text(rows.locate(error), word)}")


def word_error(error: SeqcastError, options: Collection[str] = ()) -> str:
    """Return an error's message with options as they are typed.

    Args:
        error: The error.
        options: The options of the running command; others are called options of fit.

    Example:
        >>> word_error(SpecError("context_length", expected="a whole number >= 1", received="0"))
        '--context-length: expected a whole number >= 1, received 0.'
        >>> hint = Phrase("Take ", Option("missing", "fill"), ".")
        >>> word_error(DataError(column="y", row=3, expected="a value", received="none", hint=hint))
        'y, row 3: expected a value, received none. Take --missing fill.'
    """

    def word(mention: Option | Row) -> str:
        return word_option(mention, options) if isinstance(mention, Option) else str(mention)

    worded = {}
    for field in ("expected", "received", "hint"):
        text = getattr(error, field)
        worded[field] = text.worded(word) if isinstance(text, Phrase) else text
    if isinstance(error, DataError):
        worded["hint"] = _HINTS.get(error.fix, worded["hint"])
    return compose_message(_place(error, options), **worded)


def _place(error: SeqcastError, options: Collection[str]) -> str:
    """Return the place of an error, its argument as it is typed."""
    if isinstance(error, DataError) and error.option is not None:
        flag = _flag(error.option, options)
        if flag is not None:
            return compose_place(
                option=flag, column=error.column, row=error.row, series=error.series
            )
    is_option = isinstance(error, SpecError) or (
        isinstance(error, DataError) and error.column is None and error.path is None
    )
    flag = _flag(error.where, options) if is_option else None
    return flag or error.where


def _flag(name: str, options: Collection[str]) -> str | None:
    """Return an argument's option at the running command, or else at fit; `None` if it has none."""
    name = re.sub(r"^(columns|dialect)\.", "", name)
    typed = name.removesuffix("_covariates").replace("_", "-").split(", ")
    flags = RENAMED.get(name) or ", ".join(f"--{each}" for each in typed)
    return flags if flags.split(", ")[0] in {*options, *_OF_FIT} else None


def word_option(option: Option, options: Collection[str] = ()) -> str:
    """Return an option of Python as that of the command line.

    Args:
        option: The option.
        options: As for `word_error`.

    Example:
        >>> word_option(Option("dialect.decimal", ","), ["--decimal"])
        '--decimal ,'
    """
    flag = _flag(option.name, options)
    if flag is None:
        return option.code or f"Forecaster({option}) in Python"
    if isinstance(option.value, bool):
        return flag.split(", ")[0 if option.value else -1]

    value = ",".join(map(str, option.value)) if isinstance(option.value, tuple) else option.value
    typed = flag if value is None or value is ... else f"{flag} {shlex.quote(str(value))}"
    return typed if not options or flag in options else f"{typed} (an option of fit)"
