"""How errors are worded for a person at a terminal, who holds files and types options.

Places are put together from the fields of a `DataError`, options and rows from those that its phrases mention; no
message is taken apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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

__all__ = ["FLAGS", "in_files", "word_error"]

# What an argument in Python is called at the command line.
FLAGS = {
    "columns": "--id, --time, --value",
    "columns.unique_id": "--id",
    "columns.ds": "--time",
    "columns.y": "--value",
    "static_covariates": "--static",
    "past_covariates": "--past",
    "future_covariates": "--future",
    "encoder_units": "--units",
    "decoder_units": "--units",
    "random_state": "--seed",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            "calendar",
            "calibrate",
            "cell",
            "context_length",
            "epochs",
            "freq",
            "future",
            "horizon",
            "last",
            "learning_rate",
            "level",
            "max_series",
            "members",
            "missing",
            "n_windows",
            "preset",
            "refit",
            "samples",
            "scale",
            "season_length",
            "seeds",
            "step_size",
            "title",
            "unit",
            "units",
            "workers",
        )
    },
}

# What to do, for those who hold a file, where Python's words are about code.
_REMEDIES = {
    "convert": "Convert the column.",
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


def _about_file(error: DataError, path: Path, frame: Any) -> DataError:
    from seqcast.data.frames.io import place_in_file, row_in_file

    def row_number(row: int | None) -> int | None:
        if row is None or frame is None or row >= len(frame):
            return None
        return row_in_file(path, frame, row)

    def word(part: Option | Row) -> str:
        if isinstance(part, Option):
            return _word_option(part)
        number = row_number(part.number)
        return str(part) if number is None else str(Row(number))

    return type(error)(
        place_in_file(path, column=error.column, row=row_number(error.row), series=error.series),
        expected=_reword(error.expected, word),
        received=_reword(error.received, word),
        hint=_reword(error.hint, word),
    )


def word_error(error: SeqcastError) -> str:
    """Return an error's message with options as they are typed.

    Example:
        >>> word_error(SpecError("context_length", expected="a whole number >= 1", received="0"))
        '--context-length: expected a whole number >= 1, received 0.'
        >>> hint = Phrase("Take ", Option("missing", "fill"), ".")
        >>> word_error(DataError(column="y", row=3, expected="a value", received="none", hint=hint))
        'y, row 3: expected a value, received none. Take --missing fill.'
    """
    where = error.where
    if isinstance(error, SpecError) or (isinstance(error, DataError) and error.column is None):
        where = FLAGS.get(where, where)
    if isinstance(error, DataError) and error.option in FLAGS:
        where = compose_place(option=FLAGS[error.option], column=error.column, row=error.row, series=error.series)
    parts = {name: _reword(getattr(error, name), _word_part) for name in ("expected", "received", "hint")}
    return compose_message(where, **parts)


def _reword(text: str, word: Callable[[Option | Row], str]) -> str:
    if not isinstance(text, Phrase):
        return text
    return _REMEDIES.get(text.remedy) or text.worded(word)


def _word_part(part: Option | Row) -> str:
    return _word_option(part) if isinstance(part, Option) else str(part)


def _word_option(option: Option) -> str:
    flag = FLAGS.get(option.name)
    if flag is None:
        return f"Forecaster({option}) in Python"
    if option.name.startswith("columns."):
        return f"{flag} (fit, backtest, plot)"
    return flag if option.value is None or option.value is ... else f"{flag} {option.value}"
