"""The dialect of a text file: encoding, separator, quotes, lines before the header, and marks.

The user's fields are taken, the others inferred: marks from all numbers of a file.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqcast.data.frames import DATE, file_error, is_numeral
from seqcast.errors import Option, Phrase, SpecError, counted
from seqcast.runtime import Array
from seqcast.specs import check_choice
from seqcast.tables.dates import YEARS
from seqcast.tables.vocabulary import words_of

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_MARKS = (",", ".", " ", "'", "_")
# In UTF-16 without a mark every second byte of Latin text is zero.
_SHARE_OF_ZEROS = 0.3
# Letters from which the dialect is inferred.
_SAMPLE = 1 << 16
# The first line that Excel writes for itself.
_SEPARATOR = re.compile(r'"?sep=([^\w"])"?\r?\n', re.IGNORECASE)
# Lines from which it is inferred whether the first one has names.
_LINES = 30
# Most rows below a header that are none of the table.
_MOST_BELOW = 12
# Most rows at the end that are none of the table.
_MOST_AT_END = 5
# Columns that are looked at to find such rows.
_MOST_COLUMNS = 50
# Dashes stand for a missing value, and in tables of offices also for zero.
DASHES = ("-", "--", "---", "–", "—", "－")
# Marks that stand for a missing value in tables of offices and archives, and that pandas does not
# know.
NOT_KNOWN = (
    *DASHES,
    *words_of("… . .. ... : * ? #DIV/0! #REF! #VALUE! n.a. n.d. n/d n/e k.a. k.A. s/d brak"),
    "k. A.",
)
# Words for a missing value that pandas knows, in small letters.
NO_VALUES = ("na", "nan", "null", "none", "n/a", "#n/a")
_MISSING = frozenset(("", *NO_VALUES, *NOT_KNOWN))
# Control characters that no text has.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x80-\x84\x86-\x9f]")
# Bytes beyond ASCII that stand alone, as in names in Latin letters.
_ALONE = re.compile(b"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
# Letters of Central Europe within words, where their bytes are signs in cp1252, or letters that end
# words in its languages.
_IN_WORDS = re.compile(r"[^\W\d_][ąłżľ][^\W\d_]|ść|[^\W\d_][ńż]\b|[^\W\d_][ěů][^\W\d_]")
# Letters that stand next to ř in Czech alone.
_CZECH = frozenset("ěčůňČ")
# Chinese characters, and the marks between them.
_HAN = "\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e"
# Encodings in which many bytes have a meaning, the strictest first, and words of the letters that
# they are for.
_SCRIPTS = {
    "cp932": re.compile(f"[{_HAN}\u3040-\u30ff]+"),
    "cp949": re.compile("[\uac00-\ud7a3]+"),
    "cp1251": re.compile(r"\b(?:[\u0410-\u042f]?[\u0430-\u044f]+|[\u0410-\u042f]+)\b"),
    "gb18030": re.compile(f"[{_HAN}]+"),
}
# Least share of these among letters beyond ASCII.
_SHARE_OF_SCRIPT = 0.8


@dataclass(frozen=True)
class Dialect:
    """The dialect of a text file; fields that are `None` are inferred.

    Args:
        sep: Separator of the columns, one character.
        decimal: Decimal mark, `.` or `,`.
        thousands: Mark between thousands: `,`, `.`, a space, `'` or `_`.
        encoding: Encoding of the text, by its name in Python.
        day_first: Whether the day comes before the month in dates such as 01/02/2024.
        sheet: Sheet of an Excel file, by name; the one that holds a table if `None`.
        quote: The quotation mark.
        skip: Lines before the header.
        missing_values: What stands for a missing value, as written, other than an empty cell:
            `-9999`, `n/a`.
        header: Whether the first of the other lines has the names of the columns; they are numbers
            from 1 on without.

    Raises:
        SpecError: A field has an impossible value.

    Example:
        >>> Dialect(sep=";", decimal=",", encoding="cp1252").describe()
        'semicolons between columns, decimal comma, encoding cp1252'
        >>> Dialect(missing_values=("-9999", "n/a")).describe()
        "'-9999', 'n/a' for missing values"
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    day_first: bool | None = None
    sheet: str | None = None
    quote: str = '"'
    skip: int = 0
    missing_values: tuple[str, ...] = ()
    header: bool | None = None

    def __post_init__(self) -> None:
        if self.sep is not None and len(self.sep) != 1:
            raise SpecError(
                "sep",
                expected="one character, such as ;",
                received=repr(self.sep),
                hint="A tab is '\\t'.",
            )

        if self.decimal is not None:
            check_choice("decimal", self.decimal, (".", ","))
        if self.thousands is not None:
            check_choice("thousands", self.thousands, _MARKS)
            if self.thousands == self.decimal:
                raise SpecError(
                    "thousands",
                    expected="another mark than decimal",
                    received=repr(self.decimal),
                    hint="Give another, or leave one of the two out.",
                )

        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                raise SpecError(
                    "encoding",
                    expected="an encoding",
                    received=repr(self.encoding),
                    hint="Names are those of Python, such as utf-8, cp1252 or utf-16.",
                ) from error

    def lines(self, text: str, most: int | None = None) -> list[list[str]]:
        """Return the cells of the lines of a text from its header on, as written.

        Args:
            text: The text, or its beginning.
            most: Number of lines; all if `None`.
        """
        filled = (cells for _, cells in self.numbered_lines(text) if cells)
        return list(islice(filled, most))

    def numbered_lines(self, text: str) -> Iterator[tuple[int, list[str]]]:
        r"""Return the cells of each line of a text from its header on, and the line's number.

        Args:
            text: The text, or its beginning; its lines are numbered from 1.

        Example:
            >>> list(Dialect(skip=1).numbered_lines("a title\nday,sold\n"))
            [(2, ['day', 'sold'])]
        """
        lines = map(self.spaced, islice(io.StringIO(text, newline=""), self.skip, None))
        reader = csv.reader(lines, delimiter=self.sep or ",", quotechar=self.quote)
        return ((self.skip + reader.line_num, cells) for cells in reader)

    def spaced(self, text: str) -> str:
        """Return a text with one space in place of several between columns that spaces separate.

        Args:
            text: The text.
        """
        if self.sep != " ":
            return text
        return re.sub(r"^ +| +(?=\r?$)|(?<= ) +", "", text, flags=re.MULTILINE)

    def names(self, text: str) -> list[str]:
        """Return the names of the columns of a text, as written: numbers where no line has them.

        Args:
            text: The text.
        """
        if self.header is False:
            width = max(map(len, self.lines(text)), default=0)
            return [str(number) for number in range(1, width + 1)]
        return next(iter(self.lines(text, 1)), [])

    def describe(self) -> str:
        """Return in words all that differs from commas, a decimal point and UTF-8."""
        words = []
        if self.skip > 0:
            words.append(f"the header after {counted(self.skip, 'line')}")
        if self.header is False:
            words.append("no header")

        if self.sep not in (None, ","):
            words.append(f"{_NAMES.get(self.sep, repr(self.sep))} between columns")
        if self.decimal == ",":
            words.append("decimal comma")
        if self.thousands is not None:
            words.append(f"{self.thousands!r} between thousands")
        if self.encoding not in (None, "utf-8"):
            words.append(f"encoding {self.encoding}")

        if self.day_first is not None:
            words.append(f"dates with the {'day' if self.day_first else 'month'} first")
        if self.missing_values:
            words.append(f"{', '.join(map(repr, self.missing_values))} for missing values")
        return ", ".join(words)


def decode(data: bytes | bytearray, path: Path, encoding: str | None = None) -> tuple[str, str]:
    """Return text and the name of its encoding: the given one, UTF-8, UTF-16, or one of Windows.

    That is cp1252, cp1250 where its letters are in words, or that of Japanese, Korean, Russian or
    Chinese where most letters beyond ASCII are of that script.

    Args:
        data: The bytes.
        path: The file, for the error.
        encoding: The encoding; `None` infers it.

    Raises:
        DataError: The bytes are not in the given encoding, or are no text.

    Example:
        >>> decode("Größe".encode("cp1252"), Path("a.csv")), decode("Größe".encode(), Path("a.csv"))
        (('Größe', 'cp1252'), ('Größe', 'utf-8'))
    """
    if encoding is not None:
        try:
            return data.decode(encoding).removeprefix("\ufeff"), encoding
        except UnicodeError as error:
            hint = Phrase("Give another ", Option("dialect.encoding"), ", or leave it out.")
            raise file_error(path, f"text in {encoding}", str(error), hint) from error

    utf_16 = _utf_16(data)
    if utf_16 is not None:
        return data.decode(utf_16, errors="replace"), utf_16

    start = data[:_SAMPLE]
    others = sum(byte > 127 for byte in start)
    is_latin = 2 * len(_ALONE.findall(start)) > others
    latin = ("cp1250", "cp1252")
    windows = (*latin, *_SCRIPTS) if is_latin else (*_SCRIPTS, *latin)
    for name in ("utf-8-sig", *windows, "latin-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if not _NO_TEXT.search(text[:_SAMPLE]) and _has_letters(text[:_SAMPLE], name):
            return text, name.removesuffix("-sig")

    hint = Phrase("Check the file, or name its encoding with ", Option("dialect.encoding"), ".")
    raise file_error(path, "text", "bytes that are no text", hint)


def _utf_16(data: bytes | bytearray) -> str | None:
    """Return the form of UTF-16 that bytes are in; `None` for other encodings."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = data[:4096]
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if start[place::2].count(0) > _SHARE_OF_ZEROS * len(start) and len(data) % 2 == 0:
            return name
    return None


def _has_letters(text: str, encoding: str) -> bool:
    """Return whether a text has the letters that an encoding is for, where it is for some.

    Those are some of Central Europe, or most of a script, some of them side by side.
    """
    if encoding == "cp1250":
        return bool(_IN_WORDS.search(text)) or ("ř" in text and not _CZECH.isdisjoint(text))
    if encoding not in _SCRIPTS:
        return True
    words = [len(word) for word in _SCRIPTS[encoding].findall(text)]
    others = sum(not letter.isascii() for letter in text)
    return max(words, default=0) > 1 and sum(words) > _SHARE_OF_SCRIPT * others


def find_dialect(text: str, dialect: Dialect) -> Dialect:
    r"""Return the dialect with its separator, the lines before its header, and if it has one.

    The separator is the one that divides the most lines into the same number of cells.

    Args:
        text: The file's text.
        dialect: The dialect as far as it is known.

    Example:
        >>> find_dialect("Sales\nday;sold\n1.2.2024;1,5\n2.2.2024;2,5", Dialect()).describe()
        'the header after 1 line, semicolons between columns'
    """
    directive = _SEPARATOR.match(text)
    if directive is not None and dialect.sep in (None, directive[1]):
        dialect = replace(dialect, sep=directive[1], skip=max(1, dialect.skip))
    start = text if len(text) <= _SAMPLE else text[: text.rfind("\n", 0, _SAMPLE) + 1 or _SAMPLE]

    separators = dialect.sep or ",;\t|"
    best = max(
        (_divided(start, replace(dialect, sep=sep)) for sep in separators),
        key=lambda division: division.rank,
    )
    if dialect.sep is None and not best.is_table:
        aligned = _divided(start, replace(dialect, sep=" "))
        # A number with spaces between its thousands divides into two.
        if aligned.is_table and aligned.width > 2:
            best = aligned

    dialect = best.dialect
    if dialect.header is None:
        dialect = replace(dialect, header=has_header(dialect.lines(start, _LINES)))
    return dialect


class _Division(NamedTuple):
    """How a separator divides text.

    Args:
        dialect: The dialect with the separator, and with the lines before the header.
        width: Number of cells of most lines.
        lines: Number of lines with so many cells.
        is_even: Whether all lines of the table have so many.
    """

    dialect: Dialect
    width: int
    lines: int
    is_even: bool

    @property
    def is_table(self) -> bool:
        """Whether the lines have several cells, and all alike."""
        return self.width > 1 and self.is_even

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """How well it divides; the largest is the best."""
        return self.width > 1, self.is_even, self.lines, self.width


def _divided(text: str, dialect: Dialect) -> _Division:
    lines = list(dialect.numbered_lines(text))
    facts = sum(1 for _ in takewhile(_is_fact, (cells for _, cells in lines)))
    if facts == len(lines):
        facts = 0

    ends = [dialect.skip]
    widths = [0]
    for place, (end, cells) in enumerate(lines):
        # A title that a spreadsheet has written has empty cells next to it; a total may have its
        # word behind the others.
        is_title = place < facts or (len(cells) > 2 and not any(cells[1:]))
        ends.append(end)
        widths.append(0 if is_title else len(cells) - is_longer(widths[-1], cells))
    counts = Counter(filter(None, widths))
    width, count = max(counts.items(), key=lambda pair: (pair[0] > 1, pair[1]), default=(1, 0))
    first = next((place for place, each in enumerate(widths) if place and each == width), 1)

    # A note below the table stands in one cell.
    filled = [sum(map(bool, cells)) for _, cells in lines[-_MOST_AT_END:]]
    last = zip(widths[: -len(filled) - 1 : -1], filled[::-1], strict=True)
    notes = sum(1 for _ in takewhile(lambda line: line[0] != width and line[1] < 2, last))
    if notes >= count:
        notes = 0
    # A title stands before lines of one width; lines of several widths are series.
    is_even = {*widths[first : len(widths) - notes]} <= {0, width}
    if is_even:
        dialect = replace(dialect, skip=ends[first - 1])
    return _Division(dialect, width, count, is_even)


def _is_fact(cells: Sequence[str]) -> bool:
    """Return whether a line above a table states a fact, such as `Station:;Berlin`."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(filled) > 1
        and len(filled[0]) > 1
        and filled[0].endswith(":")
        and not filled[-1].endswith(":")
    )


def is_longer(width: int, cells: Sequence[str]) -> bool:
    """Return whether a line without a first cell is one cell longer than the header above it.

    That may be a total.

    Args:
        width: Number of cells of the header.
        cells: Cells of the line below it.
    """
    return len(cells) == width + 1 > 2 and not cells[0] and bool(cells[-1])


def has_header(lines: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of some lines has names.

    It has other cells than those below, or numbers that count.

    Args:
        lines: The cells of the lines.

    Example:
        >>> has_header([["day", "sold"], ["2024-01-01", "3"]])
        True
        >>> has_header([["1.5", "2"], ["2.5", "2"]])
        False
    """
    first = lines[0]
    others = lines[1:]
    kinds = [_kind(cell) for cell in first]
    if not others:
        return "text" in kinds

    alike = []
    for place, cell in enumerate(first):
        below = [line[place] for line in others if place < len(line)]
        under = _usual(map(_kind, below))
        if kinds[place] == "text":
            # A name is no number, and does not occur among values that repeat.
            is_new = cell not in below and 2 * len(set(below)) <= len(below)
            if is_new or under not in ("text", ""):
                return True
        elif kinds[place] == under != "":
            alike.append(cell)
    return not alike or _count(alike)


def odd_rows(frame: pd.DataFrame) -> tuple[int, int]:
    """Return the numbers of rows below the header and at the end that are none of the table.

    These are units, notes and totals. Those below the header have text, or nothing, in each column
    of dates or numbers, or words in each column of dates; those at the end have no date, and
    nothing in another column, or are a note in one cell.

    Args:
        frame: A pandas frame of text, as a file has it.

    Example:
        >>> import pandas as pd
        >>> days = [f"2024-01-0{day}" for day in range(1, 10)]
        >>> sold = ["kg", *"123456789", "45"]
        >>> rows = {"time": ["TS", *days, "Total"], "sold": sold, "shop": ["", *["a"] * 9, ""]}
        >>> odd_rows(pd.DataFrame(rows))
        (1, 1)
    """
    frame = frame.iloc[:, :_MOST_COLUMNS]
    head = _texts(frame.head(_LINES))
    first = _kinds(head)
    below = first[min(_MOST_BELOW, len(first) // 2) :]
    usual = np.array(list(map(_usual, below.T)), dtype=object)
    is_date = usual == "date"
    is_typed = is_date | (usual == "number")

    above = 0
    if is_typed.sum() > 1:
        words = [is_date.any() and all(map(_is_word, row[is_date])) for row in head]
        fits = ((first == usual) & is_typed).any(axis=1) & ~np.array(words)
        above = _until_first(fits.tolist(), _MOST_BELOW)

    at_end = 0
    if len(frame) > 2 * _MOST_AT_END:
        others = (usual != "") & ~is_date
        last = _kinds(_texts(frame.iloc[::-1].head(_LINES)))
        is_step = [
            _is_row(row)
            and (not is_date.any() or "date" in row[is_date] or bool((row[others] != "").all()))
            for row in last
        ]
        at_end = _until_first(is_step, _MOST_AT_END)
    return above, at_end


def _usual(kinds: Iterable[str]) -> str:
    """Return the kind of most cells; nothing where all are missing."""
    return next((kind for kind, _ in Counter(filter(None, kinds)).most_common(1)), "")


def _is_row(kinds: Array) -> bool:
    """Return whether a row with cells of some kinds is neither empty nor a note in one cell."""
    filled = kinds[kinds != ""]
    is_note = len(kinds) > 2 and len(filled) == 1 and filled[0] == "text"
    return len(filled) > 0 and not is_note


def _is_word(cell: str) -> bool:
    """Return whether a cell has letters and no digit, so that it is no date with a fault."""
    return any(letter.isalpha() for letter in cell) and not any(letter.isdigit() for letter in cell)


def _texts(rows: pd.DataFrame) -> Array:
    """Return the cells of some rows as text, `[rows, columns]`."""
    return rows.astype("str").where(rows.notna(), "").to_numpy(dtype=object)


def _kinds(texts: Array) -> Array:
    """Return the kinds of cells, of the same shape."""
    kinds: Array = np.vectorize(_kind, otypes=[object])(texts)
    return kinds


def _until_first(fits: Sequence[bool], most: int) -> int:
    """Return the number of rows before the first that fits, where there are at most so many."""
    return fits.index(True) if True in fits[: most + 1] else 0


def _count(cells: Sequence[str]) -> bool:
    """Return whether cells are whole numbers in equal steps, or years in order, as names are."""
    numbers = [int(cell) for cell in cells if cell.strip().isdecimal()]
    if not len(numbers) == len(cells) > 2:
        return False
    steps = {after - before for before, after in pairwise(numbers)}
    if all(YEARS[0] <= number <= YEARS[1] for number in numbers):
        return min(steps) > 0 or max(steps) < 0
    return len(steps) == 1 and min(steps) > 0


def dashes_in(text: str, sep: str) -> list[str]:
    r"""Return the dashes that stand alone in a cell, but for those in the first column.

    Args:
        text: The text of a table.
        sep: Its separator.

    Example:
        >>> dashes_in("day,sold\n1,-\n2,3-4\n", ",")
        ['-']
    """
    ends = (sep, "\n", "\r")
    cells = {
        dash: [f"{sep}{written}{end}" for written in (dash, f'"{dash}"') for end in ends]
        for dash in DASHES
        if dash in text
    }
    return [dash for dash, written in cells.items() if any(cell in text for cell in written)]


def _kind(cell: str) -> str:
    """Return the kind of a cell: `date`, `number`, `text`, or nothing where a value is missing."""
    text = cell.strip().lower()
    if text in _MISSING:
        return ""
    if DATE.fullmatch(text):
        return "date"
    return "number" if is_numeral(text) else "text"
