"""Where commands write: nothing that was read is overwritten, and no file of another kind."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from seqcast.errors import SaveError, SpecError
from seqcast.runtime import check_target, file_kind, suffix_of

# What `-` stands for.
STANDARD_OUTPUT = Path("-")

Force = Annotated[bool, typer.Option("--force", help="Write also over a file of another kind, or one that was read.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]

SafeFormulas = Annotated[
    bool,
    typer.Option(
        "--safe-formulas", help="Write ' before text that a spreadsheet would take for a formula (= + - @), in CSV."
    ),
]

TableOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="CSV or Parquet file to write; standard output if absent, or for -."),
]

_IN_WORDS = {
    "archive": "a model of seqcast",
    "csv": "text",
    "html": "an HTML page",
    "other": "something else",
    "parquet": "a Parquet table",
    "pdf": "a PDF",
    "png": "a PNG picture",
    "svg": "an SVG picture",
    "zip": "a zip archive, such as an Excel sheet",
}


def as_records(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON types: times as ISO 8601 writes them, what is no number as `None`."""
    return [{str(name): _as_json(value) for name, value in row.items()} for row in table.to_dict("records")]


def _as_json(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # that of no time is no time
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_json(as_json: bool, output: Path | None) -> None:
    """Refuse to print a table and a JSON document.

    Args:
        as_json: Whether `--json` is given.
        output: Where the table goes.

    Raises:
        SpecError: Both go to standard output.
    """
    if as_json and output == STANDARD_OUTPUT:
        raise SpecError(
            "--json", expected="a file for the table", received="-o -, which prints it", hint="Name a file after -o."
        )


def check_output(
    path: Path,
    suffixes: Sequence[str] = (),
    *,
    read: Iterable[Path | None] = (),
    force: bool = False,
    column: str | None = None,
) -> None:
    """Refuse a file that a command must not write to, before any work starts.

    Args:
        path: The file that will be written.
        suffixes: Suffixes that its name may have; none for the file of a model, which may have any.
        read: The files that the command reads.
        force: Whether a file may be replaced that was read, or that is of another kind.
        column: A column that a table has which the command wrote before; any table may be replaced if `None`.

    Raises:
        SaveError: The file cannot be written, is one of those that are read, or is of another kind.
        SpecError: Its name has another suffix.
    """
    if path == STANDARD_OUTPUT:
        raise SaveError(
            "-o -", expected="a file", received="standard output, which takes tables only", hint="Name a file."
        )
    check_target(path, suffixes)
    if force or not path.exists():
        return
    for source in read:
        if source is not None and source.exists() and path.samefile(source):
            raise SaveError(
                str(path),
                expected="another file than those that are read",
                received="the same" if source == path else f"the same as {source}",
                hint="Choose another; --force overwrites it.",
            )
    kind = suffix_of(path, suffixes) if suffixes else "archive"
    kind = "html" if kind == "htm" else kind
    found = file_kind(path)
    if found == kind and column is not None and column not in _column_names(path, kind):
        raise SaveError(
            str(path),
            expected=f"no file yet, or forecasts, with a column {column!r}",
            received="another table",
            hint="Choose another name; --force overwrites it.",
        )
    if found not in ("empty", kind):
        raise SaveError(
            str(path),
            expected=f"no file yet, or {_IN_WORDS[kind]}",
            received=_IN_WORDS[found],
            hint="Choose another name; --force overwrites it.",
        )


def check_formulas(path: Path | None, safe_formulas: bool) -> None:
    """Refuse to make formulas safe where there are none.

    Args:
        path: The table that will be written; `None` is CSV on standard output.
        safe_formulas: Whether to.

    Raises:
        SpecError: The table is Parquet, whose text no spreadsheet takes for a formula.
    """
    if safe_formulas and path is not None and path.suffix.lower() == ".parquet":
        raise SpecError(
            "safe_formulas",
            expected="a CSV file",
            received=f"{path}, whose text is never a formula",
            hint="Leave it out, or write CSV.",
        )


def _column_names(path: Path, kind: str) -> list[str]:
    """Return the names of a table's columns."""
    if kind == "parquet":
        from seqcast.data.frames import column_names

        return column_names(path)
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return next(csv.reader(file), [])
