"""Numbers in columns of text: which texts are numerals, and which words stand among them."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seqcast.errors import Fix, Option, Phrase, counted
from seqcast.runtime import Array

# Dates, months, weeks and quarters, in lower case.
DATE = re.compile(
    r"\d{1,4}([-/.]) ?\d{1,2}(\1 ?\d{1,4})\.?([ t].*)?"
    r"|\d{4}-\d\d|\d{4}[- ]?[wm]\d\d?|\d{4}[- /]?[qtk]\d"
    r"|\d\d?-[a-z]{3}-\d+|\d{4} ?[年년].*|0\d\d?\.(?:19|20)\d\d"
)
# Spaces that stand between digits.
SPACES = " \u00a0\u202f\u2009"
# A number with any marks.
NUMERAL = re.compile(rf"[+\-−]?(\d[\d.,'’_{SPACES}]*|[.,]\d+)([eE][+-]?\d+)?")
# More letters than any number in double precision has, with signs and marks. Longer texts would
# take time to look at.
_LONGEST_NUMERAL = 1000
# Marks that stand between other groups of digits than those of thousands, as in numbers of parts.
_CODE = re.compile(r"[.,](?:\d?|\d{4,})[.,]|([.,])\d+\1(?!\d{3}(?!\d)|\d\d[.,])")
# Most letters of a value in an error.
_LONGEST_VALUE = 100
# Most letters of a word that stands for a missing value, rather than is a note.
_LONGEST_MARK = 24
# Most words that an error lists.
_MOST_WORDS = 5
# Whole numbers of more digits are beyond double precision.
_MOST_DIGITS = 308
# The same in bits.
_MOST_BITS = 1023


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds text alone, or missing values, whatever its type is.

    Args:
        column: A pandas Series.

    Example:
        >>> import pandas as pd
        >>> [is_text(pd.Series(values)) for values in (["a", None], [1, None])]
        [True, False]
    """
    return pd.api.types.infer_dtype(column) in ("string", "empty")


def is_numeral(text: str) -> bool:
    """Return whether a text may be a number, with any marks.

    Args:
        text: The text.

    Example:
        >>> [is_numeral(text) for text in ("1.234,5", "1 234", "-3e5")]
        [True, True, True]
        >>> [is_numeral(text) for text in ("abc", "12.05.2024x", "14.5499.26", "001.2024")]
        [False, False, False, False]
    """
    text = text.strip()
    if len(text) > _LONGEST_NUMERAL:
        return False
    return bool(NUMERAL.fullmatch(text)) and not DATE.fullmatch(text) and not _CODE.search(text)


def without_overflow(column: pd.Series) -> pd.Series:
    """Return a column with words for whole numbers beyond double precision.

    Python and pandas would raise errors of their own about them.

    Args:
        column: A pandas Series.

    Example:
        >>> without_overflow(pd.Series([7, 10**400], dtype=object)).tolist()
        [7, 'a number of more than 308 digits']
    """
    if column.dtype.kind != "O" and not is_text(column):
        return column
    values = list(map(or_words, column))
    return pd.Series(values, column.index, dtype=column.dtype, name=column.name)


def or_words(value: object) -> object:
    """Return a value, or words for a whole number beyond double precision.

    Args:
        value: A value of any type.
    """
    digits = value.strip() if isinstance(value, str) else ""
    is_long = len(digits) > _MOST_DIGITS and digits.lstrip("+-").isdecimal()
    is_large = isinstance(value, int) and value.bit_length() > _MOST_BITS
    return f"a number of more than {_MOST_DIGITS} digits" if is_long or is_large else value


@dataclass(frozen=True)
class WordsInColumn:
    """Values of a column of numbers that are no numbers.

    Args:
        places: Which values these are, `[rows]`.
        text: What an error says of them.
        hint: Its hint.
        fix: How to fix single values; `None` where all are words, so that another column is meant.
        missing_values: Words that may stand for missing values.
    """

    places: Array
    text: str
    hint: Phrase
    fix: Fix | None = None
    missing_values: tuple[str, ...] = ()


def find_words(column: pd.Series, code: str = "") -> WordsInColumn:
    """Return which values of a column are no numbers, and what an error says of them.

    Numbers with other marks count only where there are no words.

    Args:
        column: A pandas Series of text, numbers or objects.
        code: A line of Python that makes `{words}` missing, where no file is read.

    Example:
        >>> words = find_words(pd.Series(["1", "closed", "3"]))
        >>> words.places.tolist(), words.text, words.fix is Fix.CORRECT
        ([False, True, False], "'closed' in 1 row", True)
        >>> find_words(pd.Series(["red", "blue"])).fix is None
        True
    """
    column = without_overflow(column)
    words = np.asarray(pd.to_numeric(column, errors="coerce").isna() & column.notna(), dtype=bool)
    numerals = words.copy()
    numerals[words] = [is_numeral(str(value)) for value in column[words]]
    if not (words == numerals).all():
        words = words & ~numerals

    counts = column[words].astype(str).str[:_LONGEST_VALUE].value_counts(sort=False)
    if len(counts) and words.sum() == column.notna().sum():
        leave = "Write them as other numbers are written" if numerals.any() else "Leave it out"
        hint = Phrase(leave, ", or name another with ", Option("columns.y", ...), ".")
        return WordsInColumn(words, f"text, such as {counts.index[0]!r}", hint)

    first = counts.iloc[:_MOST_WORDS]
    text = ", ".join(f"{name!r} in {counted(count, 'row')}" for name, count in first.items())
    if len(counts) > _MOST_WORDS:
        text += f" and {counted(len(counts) - _MOST_WORDS, 'other word')}"
    marks = tuple(filter(_may_be_missing, counts.index))[:_MOST_WORDS]
    return WordsInColumn(words, text, _hint_for(marks, len(counts), code), Fix.CORRECT, marks)


def _may_be_missing(word: str) -> bool:
    """Return whether a word among numbers may stand for a missing one.

    A long text is a note rather than a mark, and commas stand between several marks. A text with a
    digit is more likely a number that is written another way, such as 42 %; but spreadsheets write
    errors in formulas as #DIV/0!.
    """
    is_mark = len(word) <= _LONGEST_MARK and "," not in word
    has_digit = any(map(str.isdigit, word))
    return is_mark and (not has_digit or word.startswith("#"))


def _hint_for(marks: tuple[str, ...], count: int, code: str) -> Phrase:
    """Return how to fix words among numbers.

    Args:
        marks: Those that may stand for missing values.
        count: Number of all different words.
        code: As for `find_words`.
    """
    if not marks:
        return Phrase("Correct them: write each as the other numbers are written.")
    option = Option("dialect.missing_values", marks, code.replace("{words}", repr(list(marks))))
    read = "them" if len(marks) == count else "some"
    return Phrase(f"Correct them, or read {read} as missing: ", option, ".")
