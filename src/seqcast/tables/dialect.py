"""The dialect of a text file: encoding, separator, quotes, lines before the header, and marks in numbers.

The user's fields are taken, the others inferred: marks from all numbers of a file.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Any

from seqcast.data.frames import DATE, file_error, is_numeral
from seqcast.errors import Option, Phrase, SpecError, counted
from seqcast.specs import check_choice
from seqcast.tables.dates import YEARS

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
# Most rows below a header and at the end that are none of the table, and columns that are looked
# at.
_MOST_BELOW = 12
_MOST_AT_END = 5
_MOST_COLUMNS = 50
# Dashes stand for a missing value, and in tables of offices also for zero.
DASHES = ("-", "--", "---", "–", "—", "－")
# Marks that stand for a missing value in tables of offices and archives, beside words that pandas
# knows.
NOT_KNOWN = (
    *DASHES,
    *("…", ".", "..", "...", ":", "*", "?"),
    *(
        "#DIV/0!",
        "#REF!",
        "#VALUE!",
        "n.a.",
        "n.d.",
        "n/d",
        "n/e",
        "k.a.",
        "k.A.",
        "k. A.",
        "s/d",
        "brak",
    ),
)
# Those words, in small letters.
NO_VALUES = ("na", "nan", "null", "none", "n/a", "#n/a")
_MISSING = frozenset(("", *NO_VALUES, *NOT_KNOWN))
# Control characters that no text has; bytes beyond ASCII that stand alone, as in names in Latin
# letters.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x80-\x84\x86-\x9f]")
_ALONE = re.compile(b"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
# Letters of Central Europe within words, where their bytes are signs in cp1252, or letters that end
# words in its languages; letters that stand beside ř in Czech alone.
_IN_WORDS = re.compile(r"[^\W\d_][ąłżľ][^\W\d_]|ść|[^\W\d_][ńż]\b|[^\W\d_][ěů][^\W\d_]")
_CZECH = frozenset("ěčůňČ")
# Encodings in which many bytes have a meaning, the strictest first, and words of the letters that
# they are for.
_HAN = "\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e"
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
        for name, known in (("decimal", (".", ",")), ("thousands", _MARKS)):
            if getattr(self, name) is not None:
                check_choice(name, getattr(self, name), known)
        if self.thousands is not None and self.thousands == self.decimal:
            hint = "Give another, or leave one of the two out."
            raise SpecError(
                "thousands",
                expected="another mark than decimal",
                received=repr(self.decimal),
                hint=hint,
            )
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                hint = "Names are those of Python, such as utf-8, cp1252 or utf-16."
                raise SpecError(
                    "encoding", expected="an encoding", received=repr(self.encoding), hint=hint
                ) from error

    def lines(self, text: str, most: int | None = None) -> list[list[str]]:
        """Return the cells of the lines of a text from its header on, as written.

        Args:
            text: The text, or its beginning.
            most: Number of lines; all if `None`.
        """
        return list(islice(filter(None, (cells for _, cells in self.numbered_lines(text))), most))

    def numbered_lines(self, text: str) -> Iterator[tuple[int, list[str]]]:
        r"""Return the cells of each line of a text from its header on, and the number of the line, from 1.

        Args:
            text: The text, or its beginning.

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
        return (
            re.sub(r"^ +| +(?=\r?$)|(?<= ) +", "", text, flags=re.MULTILINE)
            if self.sep == " "
            else text
        )

    def names(self, text: str) -> list[str]:
        """Return the names of the columns of a text, as written: numbers where no line has them.

        Args:
            text: The text.
        """
        if self.header is False:
            return [
                str(place) for place in range(1, max(map(len, self.lines(text)), default=0) + 1)
            ]
        return next(iter(self.lines(text, 1)), [])

    def describe(self) -> str:
        """Return in words all that differs from commas, a decimal point and UTF-8."""
        words = {
            f"the header after {counted(self.skip, 'line')}": self.skip > 0,
            "no header": self.header is False,
            f"{_NAMES.get(self.sep or '', repr(self.sep))} between columns": self.sep
            not in (None, ","),
            "decimal comma": self.decimal == ",",
            f"{self.thousands!r} between thousands": self.thousands is not None,
            f"encoding {self.encoding}": self.encoding not in (None, "utf-8"),
            f"dates with the {'day' if self.day_first else 'month'} first": self.day_first
            is not None,
            f"{', '.join(map(repr, self.missing_values))} for missing values": bool(
                self.missing_values
            ),
        }
        return ", ".join(text for text, differs in words.items() if differs)


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
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), "utf-16"
    start = data[:4096]
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if start[place::2].count(0) > _SHARE_OF_ZEROS * len(start) and len(data) % 2 == 0:
            return data.decode(name, errors="replace"), name
    others = sum(byte > 127 for byte in data[:_SAMPLE])
    is_latin = 2 * len(_ALONE.findall(data[:_SAMPLE])) > others
    latin = ("cp1250", "cp1252")
    for name in (
        "utf-8-sig",
        *((*latin, *_SCRIPTS) if is_latin else (*_SCRIPTS, *latin)),
        "latin-1",
    ):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if not _NO_TEXT.search(text[:_SAMPLE]) and _has_letters(text[:_SAMPLE], name):
            return text, name.removesuffix("-sig")
    hint = Phrase("Check the file, or name its encoding with ", Option("dialect.encoding"), ".")
    raise file_error(path, "text", "bytes that are no text", hint)


def _has_letters(text: str, encoding: str) -> bool:
    """Return whether a text has the letters that an encoding is for, where it is for some.

    Those are some of Central Europe, or most of a script, some of them side by side.
    """
    if encoding == "cp1250":
        return bool(_IN_WORDS.search(text)) or ("ř" in text and not _CZECH.isdisjoint(text))
    if encoding not in _SCRIPTS:
        return True
    words = [len(word) for word in _SCRIPTS[encoding].findall(text)]
    return max(words, default=0) > 1 and sum(words) > _SHARE_OF_SCRIPT * sum(
        not letter.isascii() for letter in text
    )


def find_dialect(text: str, dialect: Dialect) -> Dialect:
    r"""Return the dialect with its separator, the lines before the header, and whether there is one.

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
        (_divided(start, replace(dialect, sep=sep)) for sep in separators), key=lambda pair: pair[0]
    )
    if dialect.sep is None and not all(best[0][:2]):
        aligned = _divided(start, replace(dialect, sep=" "))
        # A number with spaces between its thousands divides into two.
        best = aligned if all(aligned[0][:2]) and aligned[0][-1] > 2 else best
    dialect = best[1]
    if dialect.header is None:
        dialect = replace(dialect, header=has_header(dialect.lines(start, _LINES)))
    return dialect


def _divided(text: str, dialect: Dialect) -> tuple[tuple[bool, bool, int, int], Dialect]:
    """Return how well a separator divides text: into several cells, all lines alike, how many lines, how many cells.

    And its dialect.
    """
    lines = list(dialect.numbered_lines(text))
    facts = sum(1 for _ in takewhile(_is_fact, (cells for _, cells in lines)))
    facts = 0 if facts == len(lines) else facts

    ends = [dialect.skip]
    widths = [0]
    for place, (end, cells) in enumerate(lines):
        # A title that a spreadsheet has written has empty cells beside it; a total may have its
        # word behind the others.
        is_title = place < facts or (len(cells) > 2 and not any(cells[1:]))
        ends.append(end)
        widths.append(0 if is_title else len(cells) - is_longer(widths[-1], cells))
    counts = Counter(filter(None, widths))
    width, count = max(counts.items(), key=lambda pair: (pair[0] > 1, pair[1]), default=(1, 0))
    first = next((place for place, each in enumerate(widths) if place and each == width), 1)

    last = ((cells, each) for (_, cells), each in zip(lines[::-1], widths[::-1], strict=False))
    # A note below the table stands in one cell.
    found = takewhile(
        lambda line: line[1] != width and sum(map(bool, line[0])) < 2, islice(last, _MOST_AT_END)
    )
    notes = sum(1 for _ in found)
    # A title stands before lines of one width; lines of several widths are series.
    even = {*widths[first : len(widths) - (notes if notes < count else 0)]} <= {0, width}
    return (width > 1, even, count, width), replace(
        dialect, skip=ends[first - 1] if even else dialect.skip
    )


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
    """Return whether a line without a first cell is one cell longer than the header above it, as a total may be.

    Args:
        width: Number of cells of the header.
        cells: Cells of the line below it.
    """
    return len(cells) == width + 1 > 2 and not cells[0] and bool(cells[-1])


def has_header(lines: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of some lines has names: it has other cells than those below, or numbers that count.

    Args:
        lines: The cells of the lines.

    Example:
        >>> has_header([["day", "sold"], ["2024-01-01", "3"]]), has_header([["1.5", "2"], ["2.5", "2"]])
        (True, False)
    """
    first = lines[0]
    others = lines[1:]
    below = [[line[place] for line in others if place < len(line)] for place in range(len(first))]
    kinds = [Counter(filter(None, map(_kind, cells))).most_common(1) for cells in below]
    pairs = [
        (_kind(cell), kind[0][0] if kind else "") for cell, kind in zip(first, kinds, strict=True)
    ]
    # A name is no number, and does not occur among values that repeat.
    named = (above == "text" != under and under for above, under in pairs)
    alone = (
        cell not in cells and 2 * len(set(cells)) <= len(cells)
        for cell, cells in zip(first, below, strict=True)
    )
    if (
        not others
        or any(named)
        or any(new and above == "text" for new, (above, _) in zip(alone, pairs, strict=True))
    ):
        return bool(others) or "text" in dict(pairs)
    same = [
        cell
        for cell, (above, under) in zip(first, pairs, strict=True)
        if "text" != above == under != ""
    ]
    return not same or _count(same)


def odd_rows(frame: Any) -> tuple[int, int]:
    """Return the numbers of rows below the header and at the end that are none of the table: units, notes, totals.

    Those below the header have text, or nothing, in each column of dates or numbers, or words in
    each column of dates; those at the end have no date, and nothing in another column, or are a
    note in one cell.

    Args:
        frame: A pandas frame of text, as a file has it.

    Example:
        >>> import pandas as pd
        >>> days = [f"2024-01-0{day}" for day in range(1, 10)]
        >>> rows = {"time": ["TS", *days, "Total"], "sold": ["kg", *"123456789", "45"], "shop": ["", *["a"] * 9, ""]}
        >>> odd_rows(pd.DataFrame(rows))
        (1, 1)
    """
    first = _kinds(frame.head(_LINES))
    below = first[min(_MOST_BELOW, len(first) // 2) :]
    usual = [Counter(filter(None, column)).most_common(1) for column in below.T]
    kinds = [kind[0][0] if kind else "" for kind in usual]
    typed = [place for place, kind in enumerate(kinds) if kind in ("date", "number")]
    dates = [place for place in typed if kinds[place] == "date"]
    dated = frame.head(_LINES).iloc[:, dates]
    words = [
        [_is_word(cell) for cell in row]
        for row in dated.astype("str").where(dated.notna(), "").to_numpy()
    ]
    fits = [
        any(row[place] == kinds[place] for place in typed) and not (in_words and all(in_words))
        for row, in_words in zip(first, words, strict=True)
    ]
    last = _kinds(frame.iloc[::-1].head(_LINES)) if len(frame) > 2 * _MOST_AT_END else []
    others = [place for place, kind in enumerate(kinds) if kind and place not in dates]
    steps = [
        _is_row(row) and (not dates or any(row[dates] == "date") or all(row[others]))
        for row in last
    ]
    return _until_first(fits, _MOST_BELOW) if len(typed) > 1 else 0, _until_first(
        steps, _MOST_AT_END
    )


def _is_row(kinds: Any) -> bool:
    """Return whether a row with cells of some kinds is neither empty nor a note, which fills one cell."""
    filled = kinds[kinds != ""]
    is_note = len(kinds) > 2 and len(filled) == 1 and filled[0] == "text"
    return len(filled) > 0 and not is_note


def _is_word(cell: str) -> bool:
    """Return whether a cell has letters and no digit, so that it is no date with a fault."""
    return any(letter.isalpha() for letter in cell) and not any(letter.isdigit() for letter in cell)


def _kinds(rows: Any) -> Any:
    """Return the kind of each cell of some rows, `[rows, columns]`."""
    rows = rows.iloc[:, :_MOST_COLUMNS]
    return rows.astype("str").where(rows.notna(), "").map(_kind).to_numpy()


def _until_first(fits: Sequence[bool], most: int) -> int:
    """Return the number of rows before the first that fits, where there are at most so many."""
    return fits.index(True) if True in fits[: most + 1] else 0


def _count(cells: Sequence[str]) -> bool:
    """Return whether cells are whole numbers in equal steps, or years that ascend, as names are."""
    numbers = [int(cell) for cell in cells if cell.strip().isdecimal()]
    steps = {after - before for before, after in pairwise(numbers)}
    years = all(YEARS[0] <= number <= YEARS[1] for number in numbers)
    is_even = years or len(steps) == 1
    return (
        len(numbers) == len(cells) > 2
        and is_even
        and (min(steps) > 0 or (years and max(steps) < 0))
    )


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
    }
    return [dash for dash, written in cells.items() if any(cell in text for cell in written)]


def _kind(cell: str) -> str:
    """Return the kind of a cell: `date`, `number`, `text`, or nothing where a value is missing."""
    text = cell.strip().lower()
    if text in _MISSING:
        return ""
    return "date" if DATE.fullmatch(text) else "number" if is_numeral(text) else "text"
