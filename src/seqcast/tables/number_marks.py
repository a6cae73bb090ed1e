"""Numbers in text: their marks, which hold for a whole file, their units and notes, and words."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from seqcast.data.frames import NUMERAL, SPACES, find_words, is_numeral, is_text, place_in_file
from seqcast.errors import AmbiguityError, DataError, Option, Phrase
from seqcast.tables.dialect import Dialect
from seqcast.tables.vocabulary import VALUES

_MONEY = (
    "(?:[A-Z]{0,2}[$€£¥₹₩₺₽]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|TRY|INR|BRL|MXN|JPY|Rs[.]?) ?"
)
# A number with a sign of money or per cent, a unit after a space or decimals, a note, or brackets
# for a minus. Numbers of houses and lines, such as 12b, have no decimals.
_WITH_UNIT = re.compile(
    rf"(?P<before>\(|[-−](?=\D))?(?P<sign>{_MONEY})?"
    rf"(?P<number>{NUMERAL.pattern.replace('(', '(?:')})(?P<minus>[-−])?"
    r"(?P<unit> ?[$€£¥₹₩₺₽%]| [^\W\d_]{1,4}|(?:(?<=[.,]\d)|(?<=[.,]\d\d))[b-finprsuz]{1,2})?"
    r"(?P<note>[*†]+| ?\(?[a-z]\))?(?(before)\)?)"
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
# A missing value, perhaps with a flag.
_NOT_KNOWN = re.compile(r":( ?[a-z]{1,2})?")
# Flags of statistical offices, which are neither thousands (k) nor metres.
_FLAG = re.compile(r"[b-finprsuz]{1,2}")
# Flags that all numbers of a time may have: a break, an estimate, provisional.
_OF_ALL = frozenset("bep")
# Numbers that stand for missing ones in archives.
_PLACEHOLDERS = (-99.9, -99.99, -999.0, -9999.0, -99999.0, -999.9, -9999.9, -999.99, -9999.99)
# All others of their column are at least that many times nearer to 0.
_FAR_AWAY = 5.0
# Difference of a number from its rounded one that arithmetic makes.
_NEARLY = 1e-6
# Years of months that are read as numbers, such as 2018.01.
_YEARS = (1900, 2100)
# The first of months such as 1.2018, of which it may be any.
_FIRST_MONTHS = (1.19, 12.21)
# More columns than this are made one block.
_MANY = 50
# The mark between thousands that the marks stand for which no decimal mark is.
_GROUPS = {"'": "'", "’": "'", "_": "_", **dict.fromkeys(SPACES, " ")}
# Digits between two marks.
_GROUP = 3
# The mark that is not the given one.
_OTHER = {".": ",", ",": "."}
# Marks between groups of three digits, as written.
_WRITTEN = {" ": f"[{SPACES}]", "'": "['’]", ".": r"\.", ",": ",", "_": "_"}
# In India, all but the last group have two digits: 1,02,159.
_BETWEEN = {
    mark: re.compile(rf"(?<=\d){marks}(?=\d{{3}}(?!\d)|\d\d,)") for mark, marks in _WRITTEN.items()
}
_SIGNS = "+-−"


class ParsedNumbers(NamedTuple):
    """A frame whose numerals are numbers.

    Args:
        frame: A pandas frame.
        dialect: The dialect with the marks of the numbers.
        sentences: What was left out at numbers, and what was read as a minus, each in words.
    """

    frame: pd.DataFrame
    dialect: Dialect
    sentences: list[str]


def parse_numbers(
    frame: pd.DataFrame, names: Sequence[str], dialect: Dialect, path: Path
) -> ParsedNumbers:
    """Return a frame whose text columns of numerals are numbers, and the marks of the numbers.

    Args:
        frame: A pandas frame.
        names: Names of the columns that may hold numbers.
        dialect: The dialect as far as it is known.
        path: The file, for the error.

    Raises:
        AmbiguityError: The numbers can be read in two ways.
    """
    texts = {}
    mixed = {}
    left_out = set[str]()
    for name in names:
        if is_text(frame[name]):
            column, signs = without_units(frame[name])
            left_out |= signs
            values = column.dropna().unique().tolist()
            if values and all(map(is_numeral, values)):
                texts[name] = column
            else:
                mixed[name] = column

    if texts:
        dialect = find_marks(texts, dialect, path)
    numbers = {name: parse_numerals(column, dialect) for name, column in texts.items()}
    # Where words are among numbers, an error names these alone.
    mixed = {name: column for name, column in mixed.items() if holds_numbers(column)}
    frame = frame.assign(**mixed, **numbers)

    first = frame.iloc[:1][names].select_dtypes("float").iloc[0]
    may_be_months = first.between(*_FIRST_MONTHS) | first.between(*_YEARS)
    frame = frame.assign(**{name: _as_months(frame[name]) for name in first[may_be_months].index})
    if len(numbers) > _MANY:
        # Columns that are set one by one are as many blocks, of which pandas warns.
        frame = frame.copy()

    sentences = [words for sign, words in _NEGATIVE.items() if sign in left_out]
    signs = left_out - _NEGATIVE.keys()
    if signs:
        sentences.append(f"without {', '.join(map(repr, sorted(signs)))} at numbers")
    return ParsedNumbers(frame, dialect, sentences)


def _as_months(column: pd.Series) -> pd.Series:
    """Return numbers that are months as text; other numbers unchanged.

    Such are 1.2018, which is 01.2018 without its zero, and 2018.01.
    """
    for power, year_stands_first in ((10_000, False), (100, True)):
        digits = column * power
        whole, rest = divmod(digits.round(), power)
        months, years = (rest, whole) if year_stands_first else (whole, rest)
        is_exact = abs(digits - digits.round()) < _NEARLY
        are_months = months.between(1, 12) & years.between(*_YEARS) & is_exact
        grows = (12 * years + months).diff()[1:].isin((0, 1)).mean() > 0.5

        if are_months.all() and years.nunique() > 1 and months.nunique() > 2 and grows:
            texts = months.astype("int64").astype("str").str.zfill(2)
            return texts + "." + years.astype("int64").astype("str")
    return column


def without_units(column: pd.Series) -> tuple[pd.Series, set[str]]:
    """Return a column of text without what stands at its numbers, and what was left out.

    That is a unit of all numbers, notes and flags (letters) at some, and brackets for a minus.

    Args:
        column: A pandas Series of text.

    Example:
        >>> numbers, left_out = without_units(pd.Series(["$1.50", "($2)"]))
        >>> numbers.tolist(), sorted(left_out)
        (['1.50', '-2'], ['$', '()'])
        >>> numbers, left_out = without_units(pd.Series(["1.5", "2 b", "3.5p", "4", ": c"]))
        >>> numbers.tolist(), sorted(left_out)
        (['1.5', '2', '3.5', '4', nan], ['b', 'p'])
        >>> without_units(pd.Series(["3 kWh", "4 MWh"]))[0].tolist()
        ['3 kWh', '4 MWh']
    """
    read = {text: _WITH_UNIT.fullmatch(text.strip()) for text in column.dropna().unique().tolist()}
    found = {text: match for text, match in read.items() if match}
    others = [text for text in read.keys() - found if not _NOT_KNOWN.fullmatch(text.strip())]
    are_words = not found or len(others) > len(read) * (1 - _READ_AS_NUMBERS)
    if are_words or not _has_one_unit(found.values()):
        return column, set()

    left_out = {*chain.from_iterable(map(_marks_at, found.values()))} - {""}
    numerals = {text: _as_numeral(match) for text, match in found.items()}
    return column.map(numerals | dict(zip(others, others, strict=True))), left_out


def _unit(match: re.Match[str]) -> str:
    return (match["sign"] or match["unit"] or "").strip()


def _has_one_unit(matches: Collection[re.Match[str]]) -> bool:
    """Return whether all numbers have the same unit, or some have flags."""
    units = list(map(_unit, matches))
    distinct = set(units)
    flags = {unit for unit in distinct if _FLAG.fullmatch(unit)}
    if distinct == flags and _OF_ALL.intersection(*units):
        return True
    if distinct - flags == {""} and 2 * units.count("") >= len(units):
        return True

    # Next to 1.20 K, 950 may be another unit; next to $5, 4 is not, nor 0 anywhere.
    behind = [match["unit"] or "" for match in matches]
    has_units = any(unit[-1:].isalpha() or unit == "%" for unit in behind)
    has_plain = any(not match["unit"] and match["number"].strip("0.,") for match in matches)
    return len(distinct - {""}) <= 1 and not (has_units and has_plain)


def _marks_at(match: re.Match[str]) -> Iterator[str]:
    """Yield what stands at a number: its unit, its note, and marks of a minus or of no cents."""
    yield _unit(match)
    yield (match["note"] or "").strip()
    if match["before"] == "(":
        yield _BRACKETS
    if _has_no_cents(match):
        yield f"{match['number'][-1]}{match['minus']}"
    elif match["minus"]:
        yield _BEHIND


def _has_no_cents(match: re.Match[str]) -> bool:
    """Return whether a dash stands for cents, as in `5,-`."""
    return bool(match["minus"]) and match["number"][-1] in _OTHER


def _as_numeral(match: re.Match[str]) -> str:
    """Return a number without its unit and note, its minus before it."""
    number = match["number"].strip()
    is_negative = bool(match["before"] or match["minus"])
    if _has_no_cents(match):
        number = number[:-1]
        is_negative = bool(match["before"])
    return f"-{number}" if is_negative else number


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
            digits = text.strip().lstrip(_SIGNS)
            groups = [_GROUPS[mark] for mark in digits if mark in _GROUPS]
            self.thousands = self.thousands or next(iter(groups), None)

            decimal = _decimal_mark("".join(mark for mark in digits if mark not in _GROUPS))
            if decimal == "?" and grouping is not None:
                decimal = _OTHER[grouping]
            if decimal == "?":
                self.undecided.setdefault("," if "," in text else ".", (name, text))
            elif decimal:
                self.decimals.setdefault(decimal, (name, text))
                if _OTHER[decimal] in digits:
                    self.thousands = _OTHER[decimal]

    def grouping(self, decimal: str) -> str | None:
        """Return the mark between thousands where the decimal mark is known.

        Args:
            decimal: The decimal mark; the other one groups thousands.
        """
        return next(iter(self.undecided.keys() - {decimal}), self.thousands)


def find_marks(texts: Mapping[str, pd.Series], dialect: Dialect, path: Path) -> Dialect:
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

    if dialect.decimal is not None:
        thousands = seen.grouping(dialect.decimal)
        return dialect if thousands == dialect.decimal else replace(dialect, thousands=thousands)
    if dialect.thousands in _OTHER:
        return replace(dialect, decimal=_OTHER[dialect.thousands])

    if len(seen.decimals) > 1:
        raise _two_decimal_marks(seen, path)
    if seen.undecided and not seen.decimals:
        mark, (name, text) = next(iter(seen.undecided.items()))
        received = (
            f"{text!r:.80}, and no number shows whether a mark is decimal or groups thousands"
        )
        is_decimal = Option("dialect.decimal", mark)
        groups = Option("dialect.thousands", mark)
        hint = Phrase("Give ", is_decimal, " or ", groups, " as it is meant.")
        raise _in_two_ways(path, name, received, hint, [is_decimal, groups])

    decimal = next(iter(seen.decimals), ".")
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
    return replace(dialect, decimal=decimal, thousands=seen.grouping(decimal))


def _two_decimal_marks(seen: _SeenMarks, path: Path) -> AmbiguityError:
    """Return the error for numbers of which some have a point and others a comma as decimal mark.

    The answer makes the other column text, so it is the mark of the likelier values.
    """
    (first, example), (second, other) = seen.decimals.values()
    columns = {column: mark for mark, (column, _) in seen.decimals.items()}
    likeliest = next(iter(VALUES.ranked(columns)), first)
    answer = Option("dialect.decimal", columns.get(likeliest, "."))
    return AmbiguityError(
        path=str(path),
        expected="one decimal mark in all numbers",
        received=f"{example!r:.80} (column {first!r}) and {other!r:.80} (column {second!r})",
        hint=Phrase(
            "Correct one of them, or give ", answer, ", which leaves the other column out."
        ),
        answers=[answer],
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


def may_be_grouped(column: pd.Series) -> bool:
    """Return whether points in a column of numbers may stand between thousands.

    Next to 712, 1.142 may be 1,142.

    Args:
        column: A pandas Series, read with a decimal point.

    Example:
        >>> columns = map(pd.Series, ([1.142, 712], [1.14, 712], [1.142, 71]))
        >>> list(map(may_be_grouped, columns))
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
    return bool(_is_whole(others * 1000).all() and not _is_whole(others * 100).all())


def _is_whole(numbers: pd.Series) -> pd.Series:
    """Return which numbers are whole, but for what arithmetic adds."""
    return (numbers - numbers.round()).abs() < _NEARLY


def _may_group(column: pd.Series, decimal: str) -> bool:
    """Return whether the decimal mark of a file may stand between thousands in a column.

    Three digits follow it in each number that has it, and the other numbers have three digits at
    most: 1.142 and 712.
    """
    digits = column.dropna().str.strip().str.lstrip(_SIGNS)
    whole = digits[digits.str.isdecimal()]
    marked = digits[~digits.str.isdecimal()]
    if not len(marked) or (len(whole) and whole.str.len().max() > _GROUP):
        return False
    has_mark = marked.str.contains(decimal, regex=False).all()
    return bool(has_mark and marked.map(_decimal_mark).eq("?").all())


def _grouping_mark(texts: Sequence[str]) -> str | None:
    """Return the mark that groups thousands next to whole numbers; `None` where it may be decimal.

    Where 841 has no decimals, 1,120 is not 1.12, because its last zero would be left out, too.
    """
    digits = [text.strip().lstrip(_SIGNS) for text in texts]
    marks = {each: _decimal_mark(each) for each in digits}
    used = {mark for mark in marks.values() if mark in _OTHER}
    unknown = [each for each, mark in marks.items() if mark == "?"]
    has_whole = any(len(each) == _GROUP and each.isdecimal() for each in digits)
    if not has_whole or not any(each.endswith("0") for each in unknown):
        return None

    grouping = {"," if "," in each else "." for each in unknown}
    return min(grouping) if len(grouping) == 1 and used.isdisjoint(grouping) else None


def _decimal_mark(digits: str) -> str:
    """Return the decimal mark that a numeral shows: nothing for none, `?` if it may be either."""
    digits, _, exponent = digits.lower().partition("e")
    commas = digits.count(",")
    dots = digits.count(".")
    if not commas and not dots:
        return ""
    if commas and dots:
        return "," if digits.rindex(",") > digits.rindex(".") else "."

    mark = "," if commas else "."
    if commas + dots > 1:
        return _OTHER[mark]
    head, _, tail = digits.partition(mark)
    is_group = len(tail) == _GROUP and 0 < len(head) <= _GROUP and not head.startswith("0")
    return "?" if is_group and not exponent else mark


def parse_numerals(column: pd.Series, dialect: Dialect) -> pd.Series:
    """Return a column of text as numbers, or unchanged where a value is no number.

    Args:
        column: A pandas Series of text; missing values stay missing.
        dialect: Its marks; `None` is a decimal point, and no mark between thousands.
    """
    decimal = dialect.decimal or "."
    numerals = column.str.strip().str.replace("−", "-", regex=False)
    if dialect.thousands is not None and dialect.thousands != decimal:
        # Only between groups of three digits: 1.23 is not 123.
        numerals = numerals.str.replace(_BETWEEN[dialect.thousands], "", regex=True)
    if decimal == ",":
        # A remaining point is no mark of this file.
        numerals = numerals.where(~numerals.str.contains(".", regex=False, na=False), "?")
        numerals = numerals.str.replace(",", ".", regex=False)

    numbers = pd.to_numeric(numerals, errors="coerce")
    return numbers if (numbers.notna() | column.isna()).all() else column


def holds_numbers(column: pd.Series) -> bool:
    """Return whether a column holds numbers, or text of which a few words are none.

    Args:
        column: A pandas Series.

    Example:
        >>> holds_numbers(pd.Series(["1", "2", "3", "4", "five"]))
        True
        >>> holds_numbers(pd.Series(["a", "b"]))
        False
    """
    if not is_text(column):
        return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    texts = column.dropna().astype("str").iloc[:_ROWS_LOOKED_AT]
    return bool(len(texts)) and float(texts.map(is_numeral).mean()) >= _READ_AS_NUMBERS


def find_placeholders(frame: pd.DataFrame, keys: Collection[str]) -> tuple[str, ...]:
    """Return the numbers that stand for missing ones in some column, as `-999` among measurements.

    Args:
        frame: A pandas frame.
        keys: Columns that hold no values.

    Example:
        >>> find_placeholders(pd.DataFrame({"a": [12.5, -999, 13], "b": [-900, -999, 2]}), ())
        ('-999',)
    """
    numbers = frame.select_dtypes("number")
    # Of all columns at once, because a hostile file has tens of thousands.
    least = numbers.min()
    least = least[least.isin(_PLACEHOLDERS)]

    found = []
    for name, placeholder in least.items():
        if name in keys:
            continue
        column = numbers[name]
        others = column[column > placeholder]
        if len(others) and others.min() > placeholder / _FAR_AWAY:
            found.append(f"{placeholder:g}")
    return tuple(dict.fromkeys(found))


def without_missing(
    frame: pd.DataFrame, missing_values: Iterable[str], keys: Collection[str]
) -> pd.DataFrame:
    """Return a frame without the values that stand for missing ones.

    Args:
        frame: A pandas frame.
        missing_values: What stands for a missing value.
        keys: Columns in which they stand for themselves.
    """
    numbers = pd.to_numeric(pd.Series([*missing_values], dtype=object), errors="coerce").dropna()
    missing = [*missing_values, *numbers]
    changed = {
        str(name): column.mask(column.isin(missing))
        for name, column in frame.items()
        if name not in keys
    }
    return frame.assign(**changed)


def to_numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers, and reject words among them.

    Args:
        column: A pandas Series of text or numbers.

    Raises:
        DataError: A value is no number.
    """
    words = find_words(column)
    if words.places.any():
        error = DataError(
            column=str(column.name),
            row=int(words.places.argmax()),
            expected="numbers",
            received=words.text,
            hint=words.hint,
            fix=words.fix,
        )
        if words.fix is not None:
            error.rows = words.places.nonzero()[0].tolist()
        raise error
    return pd.to_numeric(column)
