"""What a command prints: results to standard output, lines about the work to standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import category

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What a terminal would obey, or write from right to left, is shown as its code: names of series may hold it.
_CONTROLS = {
    code: repr(chr(code))[1:-1] for code in range(0x2070) if category(chr(code)) in ("Cc", "Cf") and code not in (9, 10)
}
# A colon is a colon: names of series may hold what would else become a picture.
_OUTPUT = Console(emoji=False)
_ERRORS = Console(stderr=True, emoji=False)


def print_line(text: str) -> None:
    """Print a line of the result."""
    _OUTPUT.print(text.translate(_CONTROLS), highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print the result as JSON."""
    print_line(json.dumps(value, indent=2, allow_nan=False))


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> None:
    """Print a table of the result.

    Args:
        title: The line above the table.
        headings: The columns, those of the rows' names first.
        rows: The cells of each row.
        names: Number of columns that name a row; they are left-aligned.
    """
    table = Table()
    for number, heading in enumerate(headings):
        # In a narrow terminal a number goes on in the next line, where it would else lose its end.
        table.add_column(_shown(heading), justify="left" if number < names else "right", overflow="fold")
    for cells in rows:
        table.add_row(*map(_shown, cells))
    print_line(title)
    _OUTPUT.print(table)


def _shown(cell: str) -> str:
    return escape(cell.translate(_CONTROLS))


def note(text: str) -> None:
    """Print a line about the work."""
    _ERRORS.print(text.translate(_CONTROLS), highlight=False, markup=False, soft_wrap=True)


def print_error(text: str) -> None:
    """Print what went wrong."""
    _ERRORS.print("[bold red]Error:[/] ", end="")
    note(text)
