"""Numbers in text: their marks, which hold for a whole file, their units and notes, and words among them."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from seqcast.data.frames import NUMERAL, SPACES, find_words, is_numeral, is_text, place_in_file
from seqcast.errors import AmbiguityError, DataError, Option, Phrase
from seqcast.tables.dialect import Dialect
from seqcast.tables.vocabulary import VALUES

# A number with a sign of money or per cent, a unit after a space or decimals, a note, or brackets
# for a minus. Numbers of houses and lines, such as 12b, have no decimals.
_MONEY = (
    "(?:[A-Z]{0,2}[$€£¥₹₩₺₽]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|TRY|INR|BRL|MXN|JPY|Rs[.]?) ?"
)
_WITH_UNIT = re.compile(
    rf"(\(|[-−](?=\D))?(?P<sign>{_MONEY})?(?P<number>{NUMERAL.pattern.replace('(', '(?:')})"
    r"(?P<minus>[-−])?(?P<unit> ?[$€£¥₹₩₺₽%]| [^\W\d_]{1,4}|(?:(?<=[.,]\d)|(?<=[.,]\d\d))[b-finprsuz]{1,2})?"
    r"(?P<note>[*†]+| ?\(?[a-z]\))?(?(1)\)?)"
)
_BRACKETS = "()"
_BEHIND = "5-"
_NEGATIVE = {
    _BRACKETS: "numbers in brackets as negative",
    _BEHIND: "numbers with a minus behind them as negative",
}
# Fraction of the first values of a column with words that have to be numbers.
_READ_AS_NUMBERS = 0.8
_ROWS_LOOKED_AT = 5_000
# A missing value, perhaps with a flag; flags of statistical offices, which are neither thousands
# (k) nor metres.
_NOT_KNOWN = re.compile(r":( ?[a-z]{1,2})?")
_FLAG = re.compile(r"[b-finprsuz]{1,2}")
# Flags that all numbers of a time may have: a break, an estimate, provisional.
_OF_ALL = frozenset("bep")
# Numbers that stand for missing ones in archives; all others of their column are at least that many
# times nearer to 0.
_PLACEHOLDERS = (-99.9, -99.99, -999.0, -9999.0, -99999.0, -999.9, -9999.9, -999.99, -9999.99)
_FAR_AWAY = 5.0
# Difference of a number from its rounded one that arithmetic makes.
_NEARLY = 1e-6
# Years of months that are read as numbers: 2018.01, or 1.2018, of which the first may have any
# month.
_YEARS = (1900, 2100)
_FIRST_MONTHS = (1.19, 12.21)
# More columns than this are made one block.
_MANY = 50
_GROUPS = "'’_" + SPACES
# Digits between two marks, and the mark that is not the given one.
_GROUP = 3
_OTHER = {".": ",", ",": "."}
# Marks between groups of three digits, as written.
_WRITTEN = {" ": f"[{SPACES}]", "'": "['’]", ".": r"\.", ",": ",", "_": "_"}
# In India, all but the last group have two digits: 1,02,159.
_BETWEEN = {
    mark: re.compile(rf"(?<=\d){marks}(?=\d{{3}}(?!\d)|\d\d,)") for mark, marks in _WRITTEN.items()
}


class ParsedNumbers(NamedTuple):
    """A frame whose numerals are numbers.

    Args:
        frame: A pandas frame.
        dialect: The dialect with the marks of the numbers.
        sentences: What was left out at numbers, and what was read as a minus, each in words.
    """

    frame: Any
    dialect: Dialect
    sentences: tuple[str, ...]


def parse_numbers(frame: Any, names: Sequence[str], dialect: Dialect, path: Path) -> ParsedNumbers:
    """Return a frame whose text columns of numerals are numbers, and the marks of the numbers.

    Args:
        frame: A pandas frame.
        names: Names of the columns that may hold numbers.
        dialect: The dialect as far as it is known.
        path: The file, for the error.

    Raises:
        AmbiguityError: The numbers can be read in two ways.
    """
    left_out = set[str]()
    written = {name: without_units(frame[name], left_out) for name in names if is_text(frame[name])}
    known = {name: column.dropna().unique().tolist() for name, column in written.items()}
    texts = {
        name: written[name]
        for name, values in known.items()
        if values and all(map(is_numeral, values))
    }
    dialect = find_marks(texts, dialect, path) if texts else dialect
    numbers = {name: parse_numerals(column, dialect) for name, column in texts.items()}
    # Where words are among numbers, an error names these alone.
    mixed = {
        name: column
        for name, column in written.items()
        if name not in numbers and holds_numbers(column)
    }
    frame = frame.assign(**mixed, **numbers)
    first = frame.iloc[:1][names].select_dtypes("float").iloc[0]
    may_be_months = first.between(*_FIRST_MONTHS) | first.between(*_YEARS)
    frame = frame.assign(**{name: _as_months(frame[name]) for name in first[may_be_months].index})
    # Many columns that are set one by one are as many blocks, of which pandas warns.
    frame = frame.copy() if len(numbers) > _MANY else frame
    sentences = [words for sign, words in _NEGATIVE.items() if sign in left_out]
    if signs := sorted(left_out - _NEGATIVE.keys()):
        sentences.append(f"without {', '.join(map(repr, signs))} at numbers")
    return ParsedNumbers(frame, dialect, tuple(sentences))


def _as_months(column: Any) -> Any:
    """Return numbers that are months, as 01.2018 without its zero or 2018.01, as text; other numbers unchanged."""
    for power, year_stands_first in ((10_000, False), (100, True)):
        digits = column * power
        whole, rest = divmod(digits.round(), power)
        months, years = (rest, whole) if year_stands_first else (whole, rest)
        are_months = (
            months.between(1, 12)
            & years.between(*_YEARS)
            & (abs(digits - digits.round()) < _NEARLY)
        )
        grows = (12 * years + months).diff()[1:].isin((0, 1)).mean() > 0.5
        if are_months.all() and years.nunique() > 1 and months.nunique() > 2 and grows:
            return (
                months.astype("int64").astype("str").str.zfill(2)
                + "."
                + years.astype("int64").astype("str")
            )
    return column


def without_units(column: Any, left_out: set[str]) -> Any:
    """Return a column of text without the unit of its numbers, notes and flags at some, and brackets for a minus.

    Args:
        column: A pandas Series of text.
        left_out: Takes what is left out: units, notes, flags (letters at some of the numbers) and
            brackets.

    Example:
        >>> import pandas as pd
        >>> left_out = set()
        >>> for texts in (["$1.50", "($2)"], ["R$ 7", "4-"], ["3 kWh", "4 MWh"], ["1.5", "2 b", "3.5p", "4", ": c"]):
        ...     print(without_units(pd.Series(texts), left_out).tolist())
        ['1.50', '-2']
        ['7', '-4']
        ['3 kWh', '4 MWh']
        ['1.5', '2', '3.5', '4', nan]
        >>> sorted(left_out)
        ['$', '()', '5-', 'R$', 'b', 'p']
    """
    read = {text: _WITH_UNIT.fullmatch(text.strip()) for text in column.dropna().unique().tolist()}
    found = {text: match for text, match in read.items() if match}
    units = [(match["sign"] or match["unit"] or "").strip() for match in found.values()]
    letters = {unit for unit in units if _FLAG.fullmatch(unit)}
    mostly_plain = {*units} == {*letters, ""} and 2 * units.count("") >= len(units)
    are_flags = mostly_plain or ({*units} == letters and bool(_OF_ALL.intersection(*units)))
    others = [text for text in read.keys() - found if not _NOT_KNOWN.fullmatch(text.strip())]
    # Beside 1.20 K, 950 may be another unit; beside $5, 4 is not, nor 0 anywhere.
    of_some = any(
        (match["unit"] or "")[-1:].isalpha() or match["unit"] == "%" for match in found.values()
    )
    of_some &= any(not match["unit"] and match["number"].strip("0.,") for match in found.values())
    are_words = not found or len(others) > len(read) * (1 - _READ_AS_NUMBERS)
    if are_words or ((len({*units} - {""}) > 1 or of_some) and not are_flags):
        return column
    left_out.update(
        filter(None, (*units, *((match["note"] or "").strip() for match in found.values())))
    )
    left_out.update(_BRACKETS for match in found.values() if match[1] == "(")
    left_out.update(
        _BEHIND for match in found.values() if match["minus"] and not _has_no_cents(match)
    )
    left_out.update(
        f"{match['number'][-1]}{match['minus']}" for match in found.values() if _has_no_cents(match)
    )
    numbers = {text: _as_numeral(match) for text, match in found.items()}
    return column.map(numbers | dict(zip(others, others, strict=True)))


def _has_no_cents(match: re.Match[str]) -> bool:
    """Return whether a dash stands for cents, as in `5,-`."""
    return bool(match["minus"]) and match["number"][-1] in _OTHER


def _as_numeral(match: re.Match[str]) -> str:
    """Return a number without its unit and note, its minus before it."""
    number = match["number"].strip()
    if _has_no_cents(match):
        return ("-" if match[1] else "") + number[:-1]
    return ("-" if match[1] or match["minus"] else "") + number


@dataclass
class _SeenMarks:
    """The marks that the numbers of a file show.

    Args:
        decimals: The column and the first number that show a decimal mark, by the mark.
        undecided: Those of a mark that may be decimal or group thousands.
        thousands: The mark between thousands; `None` if none is given and no number shows one.
    """

    decimals: dict[str, tuple[str, str]] = field(default_factory=dict)
    undecided: dict[str, tuple[str, str]] = field(default_factory=dict)
    thousands: str | None = None

    def look_at(self, name: str, texts: Sequence[str]) -> None:
        """Take in the numbers of a column.

        Args:
            name: The column.
            texts: Its different numbers, as written.
        """
        grouping = _grouping_mark(texts)
        for text in texts:
            digits = text.strip().lstrip("+-−")
            group = next((mark for mark in digits if mark in _GROUPS), None)
            if group is not None:
                self.thousands = self.thousands or (
                    " " if group in SPACES else "'" if group in "'’" else group
                )
            decimal = _decimal_mark("".join(mark for mark in digits if mark not in _GROUPS))
            if decimal == "?" and grouping is not None:
                decimal = _OTHER[grouping]
            if decimal == "?":
                self.undecided.setdefault("," if "," in text else ".", (name, text))
            elif decimal:
                self.decimals.setdefault(decimal, (name, text))
                self.thousands = _OTHER[decimal] if _OTHER[decimal] in digits else self.thousands


def find_marks(texts: Mapping[str, Any], dialect: Dialect, path: Path) -> Dialect:
    """Return the dialect with the decimal mark, and the one between thousands if there is one.

    One mark holds for all columns. Of both marks in a number the last is decimal; a mark that
    occurs more than once groups thousands. A mark that is not followed by three digits, or follows
    a zero or more than three digits, is decimal. Where nothing decides, as in 1,234, the numbers
    are rejected with a question.

    Args:
        texts: Columns of text whose values are numerals, by name.
        dialect: The dialect as far as it is known.
        path: The file, for the error.

    Raises:
        AmbiguityError: The numbers can be read in two ways.
    """
    seen = _SeenMarks(thousands=dialect.thousands)
    for name, column in texts.items():
        seen.look_at(name, column.dropna().unique().tolist())
    decimals = seen.decimals
    undecided = seen.undecided
    thousands = seen.thousands
    if dialect.decimal is None and dialect.thousands in _OTHER:
        return replace(dialect, decimal=_OTHER[dialect.thousands])
    if dialect.decimal is not None:
        thousands = next(iter(undecided.keys() - {dialect.decimal}), thousands)
        return replace(
            dialect, thousands=thousands if thousands != dialect.decimal else dialect.thousands
        )
    if len(decimals) > 1:
        (first, example), (second, other) = decimals.values()
        received = f"{example!r:.80} (column {first!r}) and {other!r:.80} (column {second!r})"
        # The other column is text then, so the mark is that of the likelier values.
        columns = {column: mark for mark, (column, _) in decimals.items()}
        likeliest = next(iter(VALUES.ranked(columns)), first)
        answer = Option("dialect.decimal", columns.get(likeliest, "."))
        hint = Phrase(
            "Correct one of them, or give ", answer, ", which leaves the other column out."
        )
        raise AmbiguityError(
            str(path),
            path=str(path),
            expected="one decimal mark in all numbers",
            received=received,
            hint=hint,
            answers=[answer],
        )
    if not decimals and undecided:
        mark, (name, text) = next(iter(undecided.items()))
        received = (
            f"{text!r:.80}, and no number shows whether a mark is decimal or groups thousands"
        )
        is_decimal = Option("dialect.decimal", mark)
        groups = Option("dialect.thousands", mark)
        hint = Phrase("Give ", is_decimal, " or ", groups, " as it is meant.")
        raise _in_two_ways(path, name, received, hint, [is_decimal, groups])
    decimal = next(iter(decimals), ".")
    for name, column in texts.items():
        if _may_group(column, decimal):
            text = next(text for text in column.dropna() if decimal in text)
            received = (
                f"{text!r:.80}, which may be in thousands, "
                f"although other columns have {decimal!r} as the decimal mark"
            )
            answer = Option("dialect.decimal", decimal)
            hint = Phrase("Give ", answer, " if it is decimal here too, or correct the file.")
            raise _in_two_ways(path, name, received, hint, [answer])
    # Beside a decimal mark, the other one groups thousands.
    return replace(
        dialect, decimal=decimal, thousands=next(iter(undecided.keys() - {decimal}), thousands)
    )


def _in_two_ways(
    path: Path, column: str, received: str, hint: str, answers: Sequence[Option]
) -> AmbiguityError:
    """Return the error for a column whose numbers can be read in two ways."""
    return AmbiguityError(
        place_in_file(path, column=column),
        path=str(path),
        column=column,
        expected="numbers that can be read in one way only",
        received=received,
        hint=hint,
        answers=answers,
    )


def may_be_grouped(column: Any) -> bool:
    """Return whether points in a column of numbers may stand between thousands: 1.142 beside 712 may be 1,142.

    Args:
        column: A pandas Series, read with a decimal point.

    Example:
        >>> [may_be_grouped(pd.Series(numbers)) for numbers in ([1.142, 712], [1.14, 712], [1.142, 71])]
        [True, False, False]
    """
    if column.dtype.kind != "f":
        return False
    numbers = column.dropna().abs()
    is_whole = numbers % 1 == 0
    whole = numbers[is_whole]
    others = numbers[~is_whole]
    if not len(others) or not 100 <= whole.max() < 1000 or others.max() >= 1000:
        return False
    thousandths = others * 1000
    hundredths = others * 100
    has_three = (thousandths - thousandths.round()).abs() < _NEARLY
    return bool(has_three.all() and ((hundredths - hundredths.round()).abs() > _NEARLY).any())


def _may_group(column: Any, decimal: str) -> bool:
    """Return whether the decimal mark of a file may stand between thousands in a column.

    Three digits follow it in each number that has it, and the other numbers have three digits at
    most: 1.142 and 712.
    """
    digits = column.dropna().str.strip().str.lstrip("+-−")
    whole = digits[digits.str.isdecimal()]
    marked = digits[~digits.str.isdecimal()]
    if not len(marked) or (len(whole) and whole.str.len().max() > _GROUP):
        return False
    return bool(
        marked.str.contains(decimal, regex=False).all() and marked.map(_decimal_mark).eq("?").all()
    )


def _grouping_mark(texts: Sequence[str]) -> str | None:
    """Return the mark that stands between thousands beside whole numbers without it; `None` where it may be decimal.

    Who writes 841 without decimals does not write 1,120 for 1.12: the last zero would be left out,
    too.
    """
    digits = [text.strip().lstrip("+-−") for text in texts]
    marks = {each: _decimal_mark(each) for each in digits}
    used = {mark for mark in marks.values() if mark in _OTHER}
    unknown = [each for each, mark in marks.items() if mark == "?"]
    has_whole = any(len(each) == _GROUP and each.isdecimal() for each in digits)
    if not has_whole or not any(each.endswith("0") for each in unknown):
        return None
    grouping = {"," if "," in each else "." for each in unknown}
    return min(grouping) if len(grouping) == 1 and used.isdisjoint(grouping) else None


def _decimal_mark(digits: str) -> str:
    """Return the decimal mark that a numeral shows; nothing if it has no mark, `?` if it may be either."""
    digits, _, exponent = digits.lower().partition("e")
    commas = digits.count(",")
    dots = digits.count(".")
    if not commas and not dots:
        return ""
    if commas and dots:
        return "," if digits.rindex(",") > digits.rindex(".") else "."
    mark, other = (",", ".") if commas else (".", ",")
    if commas + dots > 1:
        return other
    head, _, tail = digits.partition(mark)
    may_group = (
        len(tail) == _GROUP
        and len(head) <= _GROUP
        and not head.startswith("0")
        and head
        and not exponent
    )
    return "?" if may_group else mark


def parse_numerals(column: Any, dialect: Dialect) -> Any:
    """Return a column of text as numbers, or unchanged where a value is no number.

    Args:
        column: A pandas Series of text; missing values stay missing.
        dialect: Its marks; `None` is a decimal point, and no mark between thousands.
    """
    decimal = dialect.decimal or "."
    numerals = column.str.strip().str.replace("−", "-", regex=False)
    groups = dialect.thousands if dialect.thousands not in (None, decimal) else None
    if groups is not None:
        # Only between groups of three digits: 1.23 is not 123.
        numerals = numerals.str.replace(_BETWEEN[groups], "", regex=True)
    if decimal == ",":
        # A remaining point is no mark of this file.
        numerals = numerals.where(~numerals.str.contains(".", regex=False, na=False), "?")
        numerals = numerals.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(numerals, errors="coerce")
    return numbers if bool((numbers.notna() | column.isna()).all()) else column


def holds_numbers(column: Any) -> bool:
    """Return whether a column holds numbers, or text of which a few words are none.

    Args:
        column: A pandas Series.

    Example:
        >>> import pandas as pd
        >>> holds_numbers(pd.Series(["1", "2", "3", "4", "five"])), holds_numbers(pd.Series(["a", "b"]))
        (True, False)
    """
    if not is_text(column):
        return bool(
            pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        )
    texts = column.dropna().astype("str").iloc[:_ROWS_LOOKED_AT]
    return bool(len(texts)) and float(texts.map(is_numeral).mean()) >= _READ_AS_NUMBERS


def find_placeholders(frame: Any, keys: Container[str]) -> tuple[str, ...]:
    """Return the numbers that stand for missing ones in some column, as `-999` among measurements does.

    Args:
        frame: A pandas frame.
        keys: Columns that hold no values.

    Example:
        >>> find_placeholders(pd.DataFrame({"a": [12.5, -999, 13], "b": [-900, -999, 2]}), ())
        ('-999',)
    """
    found = dict[str, None]()
    for name in frame.select_dtypes("number").columns:
        least = frame[name].min()
        if name in keys or least not in _PLACEHOLDERS:
            continue
        others = frame[name].where(frame[name] != least).dropna()
        if len(others) and others.min() > least / _FAR_AWAY:
            found[f"{least:g}"] = None
    return tuple(found)


def without_missing(frame: Any, missing_values: Sequence[str], keys: Container[str]) -> Any:
    """Return a frame without the values that stand for missing ones.

    Args:
        frame: A pandas frame.
        missing_values: What stands for a missing value.
        keys: Columns in which they stand for themselves.
    """
    numbers = pd.to_numeric(pd.Series(missing_values, dtype=object), errors="coerce").dropna()
    names = [name for name in frame.columns if name not in keys]
    return frame.assign(
        **{name: frame[name].mask(frame[name].isin([*missing_values, *numbers])) for name in names}
    )


def to_numbers(column: Any) -> Any:
    """Return a column as numbers, and reject words among them.

    Args:
        column: A pandas Series of text or numbers.

    Raises:
        DataError: A value is no number.
    """
    words = find_words(column)
    if words.places.any():
        row = int(words.places.argmax())
        texts = {"expected": "numbers", "received": words.text, "hint": words.hint}
        error = DataError(column=column.name, row=row, fix=words.fix, **texts)
        error.rows = [] if words.fix is None else words.places.nonzero()[0].tolist()
        raise error
    return pd.to_numeric(column)
