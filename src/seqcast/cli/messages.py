"""How errors are worded for a person at a terminal, who holds files and types options.

Places are put together from the fields of a `DataError`, options and rows from those that its phrases mention; no
message is taken apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcast.cli.console import note
from seqcast.errors import (
    DataError,
    Option,
    Phrase,
    Row,
    SeqcastError,
    SpecError,
    compose_message,
    compose_place,
)

if TYPE_CHECKING:
    from seqcast.forecaster import Forecaster

# Series that are listed as left out.
MOST_SKIPPED = 5

# Arguments in Python that are called the same at the command line.
_SAME_NAMES = """
    batch_size batch_wait calendar calibrate cell checkpoint context_length decimal effort encoding ensemble
    epochs files force freeze freq future grace horizon host last learning_rate level log mask max_body
    max_horizon max_rows max_series max_sessions max_size max_upload max_waiting members memory_limit metric
    missing n_windows new_key on_bad_series port preset pruner queue refit repeats resume safe_formulas samples
    scale season_length seeds sep sheet step_size storage support thousands time_limit title trials unit units
    watch wide workers
"""
# What an argument in Python is called there.
FLAGS = {
    "columns": "--id, --time, --value",
    "columns.unique_id": "--id",
    "columns.ds": "--time",
    "columns.y": "--value",
    "columns.ds_format": "--time-format",
    "columns.tz": "--tz",
    "day_first": "--day-first, --month-first",
    "static_covariates": "--static",
    "past_covariates": "--past",
    "future_covariates": "--future",
    "certificate, private_key": "--certificate, --private-key",
    "host, port": "--host, --port",
    "encoder_units": "--units",
    "decoder_units": "--units",
    "random_state": "--seed",
    "on": "--ray",
    "address": "--ray",
    **{name: f"--{name.replace('_', '-')}" for name in _SAME_NAMES.split()},
}

# What to do, for those who hold a file, where Python's words are about code.
_REMEDIES = {
    "convert": "Convert the column.",
    "correct": "Correct it, or leave the cell empty where there is no number.",
    "deduplicate": "Keep one of the two rows, or add them up.",
    "fill": "Fill the gap or drop the row; if the step is another, name it to fit or backtest with --freq.",
    "sort": "Sort them with --sort.",
}


@contextlib.contextmanager
def in_files(**tables: tuple[Path | None, Any]) -> Iterator[None]:
    """Let errors about frames name the files that the frames were read from.

    Args:
        tables: A file and what `read_table` made of it, by the argument that takes the frame; the file is `None` where
            the argument is not given, and the frame is `None` where its rows are not those of the file.

    Raises:
        DataError: The same error, worded for those who hold the file.
    """
    try:
        yield
    except DataError as error:
        argument = error.option or (error.where if error.column is None else "df")
        path, frame = tables.get(argument, (None, None))
        if path is None:
            raise
        raise _about_file(error, path, frame) from error


def note_skipped(model: Forecaster, path: Path | None, frame: Any) -> None:
    """Print what is wrong with the first of the series that a fit left out.

    Args:
        model: The fitted model.
        path: The file; `None` where errors name it themselves.
        frame: What `read_table` made of it.
    """
    skipped = list(model.skipped_series_.values())
    for error in skipped[:MOST_SKIPPED]:
        note(f"Skipped: {word_error(error if path is None else _about_file(error, path, frame))}")
    if len(skipped) > MOST_SKIPPED:
        note(f"Skipped: {len(skipped) - MOST_SKIPPED} more series")


def _about_file(error: DataError, path: Path, frame: Any) -> DataError:
    from seqcast.data.frames import place_in_file, row_in_file

    def row_number(row: int | None) -> int | None:
        if row is None or frame is None or row >= len(frame):
            return None
        return row_in_file(path, frame, row)

    def in_file(text: str) -> str:
        if not isinstance(text, Phrase):
            return text
        return text.with_rows(lambda row: _row_of_file(row, row_number(row.number)))

    return type(error)(
        place_in_file(path, column=error.column, row=row_number(error.row), series=error.series),
        path=str(path),
        expected=in_file(error.expected),
        received=in_file(error.received),
        hint=in_file(_about_several(error.hint, frame)),
    )


def _row_of_file(row: Row, number: int | None) -> Row:
    return row if number is None else Row(number)


def _about_several(hint: str, frame: Any) -> str:
    """Ask whether a file without ids holds several series, where its rows do not go on with each other."""
    from seqcast.data.frames import ONE_SERIES

    one = frame is not None and frame.attrs.get(ONE_SERIES)
    if one and isinstance(hint, Phrase) and hint.remedy in ("deduplicate", "sort"):
        return (
            f"{_REMEDIES[hint.remedy]} Or does the file hold several series? Is there an id column? Name it with --id."
        )
    return hint


def word_error(error: SeqcastError, options: Container[str] | None = None) -> str:
    """Return an error's message with options as they are typed.

    Args:
        error: The error.
        options: The options of the command that runs; others are said to be options of fit.

    Example:
        >>> word_error(SpecError("context_length", expected="a whole number >= 1", received="0"))
        '--context-length: expected a whole number >= 1, received 0.'
        >>> hint = Phrase("Take ", Option("missing", "fill"), ".")
        >>> word_error(DataError(column="y", row=3, expected="a value", received="none", hint=hint))
        'y, row 3: expected a value, received none. Take --missing fill.'
    """
    where = error.where
    if isinstance(error, SpecError) or (isinstance(error, DataError) and error.column is None and error.path is None):
        where = _flag(where, options) or where
    if isinstance(error, DataError) and error.option in FLAGS:
        where = compose_place(
            option=_flag(error.option, options), column=error.column, row=error.row, series=error.series
        )

    def word(part: Option | Row) -> str:
        return _word_option(part, options) if isinstance(part, Option) else str(part)

    parts = {name: _reword(getattr(error, name), word) for name in ("expected", "received", "hint")}
    return compose_message(where, **parts)


def _flag(name: str, options: Container[str] | None) -> str | None:
    """Return what an argument is called at the command that runs."""
    if name == "future" and options is not None and "--future-file" in options:
        return "--future-file"  # where --future names columns
    return FLAGS.get(name)


def _reword(text: str, word: Callable[[Option | Row], str]) -> str:
    if not isinstance(text, Phrase):
        return text
    return _REMEDIES.get(text.remedy) or text.worded(word)


def _word_option(option: Option, options: Container[str] | None) -> str:
    flag = _flag(option.name, options)
    if isinstance(option.value, bool) and flag is not None:
        return flag.split(", ")[0 if option.value else -1]
    if flag is None:
        return f"Forecaster({option}) in Python"
    typed = flag if option.value is None or option.value is ... else f"{flag} {option.value}"
    return typed if options is None or flag in options else f"{typed} (an option of fit)"
