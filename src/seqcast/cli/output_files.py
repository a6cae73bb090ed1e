"""Output of commands: tables and JSON documents, and checks of what they would overwrite."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import forecaster, plots, tables
from seqcast.cli.console import print_json, print_line
from seqcast.data import frames
from seqcast.errors import SaveError, SpecError, counted
from seqcast.runtime import check_target, file_kind, json_number, suffix_of, writing_results

if TYPE_CHECKING:
    import pandas as pd

# The path of standard output.
STANDARD_OUTPUT = Path("-")

# Kinds of files whose names say little, in words.
_IN_WORDS = {
    "archive": "a model of seqcast",
    "csv": "text",
    "other": "something else",
    "zip": "a zip archive",
}


@dataclass(frozen=True)
class TableOptions:
    """The table that is written, as typed.

    Args:
        output: CSV or Parquet file for the table; - is standard output.
        as_json: Print the result as one JSON document.
        safe_formulas: Write ' before text that a spreadsheet would take for a formula (= + - @), in
            CSV.
        force: Write also over a file of another kind, or one that was read.
    """

    output: Path | None = None
    as_json: bool = False
    safe_formulas: bool = False
    force: bool = False

    @property
    def path(self) -> Path | None:
        """The file of the table; `None` where there is none, or it is standard output."""
        return None if self.output == STANDARD_OUTPUT else self.output

    def check(
        self, read: Iterable[Path | None], *, column: str | None = None, one_of_two: bool = False
    ) -> None:
        """Reject an output that is impossible, before any work starts.

        Args:
            read: The files that the command reads.
            column: Column of the tables that may be replaced, since the command wrote them; `None`
                replaces any.
            one_of_two: Whether standard output takes either the table or the JSON document.

        Raises:
            SaveError: The file must not be written.
            SpecError: Two options do not go together.
        """
        if self.path is not None:
            check_output(self.path, tables.TABLES, read=read, force=self.force, column=column)

        if one_of_two and self.as_json and self.output == STANDARD_OUTPUT:
            raise SpecError(
                "--json",
                expected="a file for the table",
                received="-o -, which prints it",
                hint="Name a file after -o.",
            )

        if self.safe_formulas and self.path is not None and self.path.suffix.lower() == ".parquet":
            raise SpecError(
                "safe_formulas",
                expected="a CSV file",
                received=f"{self.path}, whose text is never a formula",
                hint="Leave it out, or write CSV.",
            )

    def folder(self, *, in_pieces: bool) -> Path | None:
        """Return the folder of forecasts that are written piece by piece; `None` for one table.

        Args:
            in_pieces: Whether rows are read piece by piece.
        """
        return self.path if in_pieces and self.path is not None and not self.path.suffix else None

    def write(self, table: pd.DataFrame) -> None:
        """Write a table to its file, or to standard output.

        Args:
            table: The table.
        """
        tables.write_table(tables.split_ids(table), self.path, safe_formulas=self.safe_formulas)

    def give(
        self,
        table: pd.DataFrame,
        model: forecaster.Forecaster,
        layout: str | None,
        **facts: object,
    ) -> None:
        """Write a forecast to its file or to standard output, as a table or in a JSON document.

        The table is wide if the files are.

        Args:
            table: The forecast.
            model: The fitted model.
            layout: Layout of the files.
            facts: Other fields of a JSON document.
        """
        if layout == "wide":
            columns = model.series_state_.schema.columns
            values = [name for name in table.columns if name not in (columns.unique_id, columns.ds)]
            table = frames.to_wide(table, values, columns=columns)

        if self.path is not None or not self.as_json:
            with writing_results():
                self.write(table)

        if self.as_json and self.path is None:
            print_json({**facts, "forecast": as_records(tables.split_ids(table))})
        elif self.as_json:
            print_json({**facts, "file": str(self.path)})
        elif self.path is not None:
            print_line(f"Wrote {self.path}")

    def report(
        self, facts: Mapping[str, object], show: Callable[[], None], written: Iterable[Path | None]
    ) -> None:
        """Print facts as a JSON document, or a summary; nothing after a table on standard output.

        Args:
            facts: The facts, JSON types.
            show: Prints the summary.
            written: The files that were written; `None` is none.
        """
        names = [str(path) for path in written if path is not None]
        if self.as_json:
            print_json({**facts, "files": names})
        elif self.output != STANDARD_OUTPUT:
            show()
            for name in names:
                print_line(f"Wrote {name}")

    def report_folder(self, folder: Path) -> None:
        """Print the number of files in a folder of forecasts.

        Args:
            folder: The folder.
        """
        files = len(list(folder.glob("*.parquet")))
        if self.as_json:
            print_json({"folder": str(folder), "files": files})
        else:
            print_line(f"Wrote {folder}, {counted(files, 'Parquet file')}")


def as_records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a frame as JSON types.

    Times are in ISO 8601, and missing and infinite numbers are `None`.

    Args:
        table: A pandas frame.
    """
    return [
        {str(name): _as_json(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _as_json(value: object) -> object:
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # NaT has none
    return json_number(value.item() if hasattr(value, "item") else value)


def check_figures(*paths: Path | None, read: Iterable[Path | None], force: bool) -> None:
    """Reject files for pictures that a command must not write to.

    Args:
        paths: The files; `None` is none.
        read: The files that the command reads.
        force: As for `check_output`.
    """
    for path in paths:
        if path is not None:
            check_output(path, plots.SUFFIXES, read=read, force=force)


def check_output(
    path: Path,
    suffixes: Sequence[str] = (),
    *,
    read: Iterable[Path | None] = (),
    force: bool = False,
    column: str | None = None,
) -> None:
    """Reject a file that a command must not write to, before any work starts.

    Args:
        path: The file that will be written.
        suffixes: Suffixes that its name may have; none for the file of a model, which may have any.
        read: The files that the command reads.
        force: Whether to replace an input, or a file of another kind.
        column: Column of the tables that may be replaced, since the command wrote them; `None`
            replaces any.

    Raises:
        SaveError: The file cannot be written, is one of those that are read, or is of another kind.
        SpecError: Its name has another suffix.
    """
    if path == STANDARD_OUTPUT:
        raise SaveError(
            "-o -",
            expected="a file",
            received="standard output, which takes tables only",
            hint="Name a file.",
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
    _check_old_file(path, "html" if kind == "htm" else kind, column)


def _check_old_file(path: Path, kind: str, column: str | None) -> None:
    """Reject to replace a file of another kind, or another table."""
    actual = file_kind(path)
    if actual not in ("empty", kind):
        expected = f"no file yet, or {_kind_in_words(kind)}"
        received = _kind_in_words(actual)
    elif column is None or actual == "empty" or _is_forecast(_column_names(path, kind), column):
        return
    else:
        expected = f"no file yet, or forecasts, with a column {column!r}"
        received = "another table"

    raise SaveError(
        str(path),
        expected=expected,
        received=received,
        hint="Choose another name; --force overwrites it.",
    )


def _kind_in_words(kind: str) -> str:
    return _IN_WORDS.get(kind, f"a file of kind {kind.upper()}")


def _is_forecast(names: Sequence[str], column: str) -> bool:
    """Return whether a table has a column of forecasts, or one of the ends of intervals."""
    return column in names or any("-lo-" in name for name in names)


def _column_names(path: Path, kind: str) -> list[str]:
    """Return the names of a table's columns."""
    if kind == "parquet":
        return tables.column_names(path)
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return next(csv.reader(file), [])
