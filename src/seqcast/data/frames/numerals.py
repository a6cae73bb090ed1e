"""Numbers as people write them: decimal commas, and marks between thousands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqcast.data.frames.dialect import Dialect
from seqcast.errors import DataError, Option, Phrase

_SPACES = " \u00a0\u202f\u2009"
_NUMERAL = re.compile(rf"[+\-−]?(\d[\d.,'’_{_SPACES}]*|[.,]\d+)([eE][+-]?\d+)?")
# An error shows no more letters of a value.
_LONGEST = 100
_GROUPS = "'’_" + _SPACES
# Marks between groups of three digits, as they are written.
_WRITTEN = {" ": f"[{_SPACES}]", "'": "['’]", ".": r"\.", ",": ",", "_": "_"}
_BETWEEN = {mark: re.compile(rf"(?<=\d){marks}(?=\d{{3}}(?!\d))") for mark, marks in _WRITTEN.items()}


def find_marks(texts: Mapping[str, Any], dialect: Dialect, path: Path) -> Dialect:
    """Return the dialect with the decimal mark, and the one between thousands if there is one.

    One mark holds for all columns. Where both marks stand in a number the last is the decimal one; a mark that stands
    more than once is one between thousands; and one that is not followed by three digits, or follows a zero or more
    than three digits, is decimal. Where nothing decides, as in 1,234, the numbers are refused.

    Args:
        texts: Columns of text whose values are numerals, by name.
        dialect: What is known.
        path: The file, for the error.

    Raises:
        DataError: The numbers can be read in two ways, or in none.
    """
    decimals: dict[str, tuple[str, str]] = {}
    thousands = dialect.thousands
    undecided: tuple[str, str] | None = None
    for name, column in texts.items():
        for text in column.dropna().unique().tolist():
            digits = re.split("[eE]", text.strip().lstrip("+-−"))[0]
            group = next((mark for mark in digits if mark in _GROUPS), None)
            if group is not None:
                thousands = thousands or (" " if group in _SPACES else "'" if group in "'’" else group)
            decimal = _decimal_mark("".join(mark for mark in digits if mark not in _GROUPS))
            if decimal == "?":
                undecided = undecided or (name, text)
            elif decimal:
                decimals.setdefault(decimal, (name, text))
                other = "." if decimal == "," else ","
                thousands = other if other in digits else thousands
    if dialect.decimal is not None:
        return replace(dialect, thousands=thousands if thousands != dialect.decimal else dialect.thousands)
    if len(decimals) > 1:
        (first, example), (second, other) = decimals.values()
        raise DataError(
            path=str(path),
            expected="one decimal mark in all numbers",
            received=f"{example!r:.80} (column {first!r}) and {other!r:.80} (column {second!r})",
            hint=Phrase("Correct one of them, or give ", Option("decimal"), "."),
        )
    if not decimals and undecided is not None:
        if dialect.thousands is not None:
            return replace(dialect, decimal="." if dialect.thousands == "," else ",")
        name, text = undecided
        mark = "," if "," in text else "."
        raise DataError(
            path=str(path),
            column=name,
            expected="numbers that can be read in one way only",
            received=f"{text!r:.80}, and no number tells a decimal mark from one between thousands",
            hint=Phrase("Give ", Option("decimal", mark), " or ", Option("thousands", mark), "."),
        )
    return replace(dialect, decimal=next(iter(decimals), "."), thousands=thousands)


def _decimal_mark(digits: str) -> str:
    """Return the decimal mark that a numeral shows; nothing if it has no mark, `?` if it may be either."""
    commas, dots = digits.count(","), digits.count(".")
    if not commas and not dots:
        return ""
    if commas and dots:
        return "," if digits.rindex(",") > digits.rindex(".") else "."
    mark, other = (",", ".") if commas else (".", ",")
    if commas + dots > 1:
        return other
    head, _, tail = digits.partition(mark)
    return mark if len(tail) != 3 or len(head) > 3 or head in ("", "0") or head.startswith("0") else "?"


def parse_numerals(column: Any, dialect: Dialect) -> Any:
    """Return a column of text as numbers, or as it is where a value is none.

    Args:
        column: A pandas Series of text; missing values stay missing.
        dialect: Its marks; `None` is a decimal point, and no mark between thousands.
    """
    import pandas as pd

    decimal = dialect.decimal or "."
    spoken = column.str.strip().str.replace("−", "-", regex=False)
    groups = dialect.thousands if dialect.thousands not in (None, decimal) else None
    if groups is not None:
        # Only between groups of three digits: 1.23 is not 123.
        spoken = spoken.str.replace(_BETWEEN[groups], "", regex=True)
    if decimal == ",":
        # A point that is left is no mark of this file.
        spoken = spoken.where(~spoken.str.contains(".", regex=False, na=False), "?")
        spoken = spoken.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(spoken, errors="coerce")
    return numbers if bool((numbers.notna() | column.isna()).all()) else column


def is_numeral(text: str) -> bool:
    """Return whether a text may be a number, whatever its marks are.

    Example:
        >>> [is_numeral(text) for text in ("1.234,5", "1 234", "-3e5", "abc", "12.05.2024x")]
        [True, True, True, False, False]
    """
    return _NUMERAL.fullmatch(text.strip()) is not None


def refuse_text(column: Any) -> None:
    """Refuse a column with text, naming the first value that is no number.

    Args:
        column: The column.

    Raises:
        DataError: There is one.
    """
    import pandas as pd

    invalid = (pd.to_numeric(column, errors="coerce").isna() & column.notna()).to_numpy().nonzero()[0]
    if len(invalid):
        row = int(invalid[0])
        raise DataError(
            column=column.name,
            row=row,
            expected="a number, such as 1234.5",
            received=repr(str(column.iloc[row])[:_LONGEST]),
            hint=Phrase("Write numbers, or name another column with ", Option("columns.y", ...), "."),
        )
