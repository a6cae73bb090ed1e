"""Dates and times of text files: the format in which a column writes them, and invalid rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from seqcast.data.frames import is_text
from seqcast.errors import AmbiguityError, DataError, Option, Phrase
from seqcast.runtime import Array, filtering_warnings
from seqcast.specs import Columns
from seqcast.tables.months import ENGLISH, month_numbers
from seqcast.tables.periods import ParsedDates, numbered_parts, periods_of
from seqcast.tables.vocabulary import PARTS_OF_YEARS, words_of

# Zones to suggest, the most populous first, one for each rule of summer time in use.
_ZONES = words_of("""Europe/Berlin America/New_York America/Chicago America/Los_Angeles
    America/Denver Europe/London Europe/Athens Australia/Sydney Australia/Adelaide Pacific/Auckland
    America/Halifax America/Havana America/Anchorage America/Santiago America/St_Johns
    Asia/Jerusalem Africa/Cairo Asia/Beirut America/Asuncion America/Sao_Paulo Asia/Tehran
    Africa/Casablanca Atlantic/Azores Australia/Lord_Howe""")
# Whole numbers between these are years.
YEARS = (1500, 2500)
# Fewest digits of a time: pandas takes words such as `January` for times of this year.
_FEWEST_DIGITS = 2
# Fraction of a column's values that have to be times.
READ_AS_TIMES = 0.95
# Times whose steps are that many times less even than in another reading are not meant.
_CLEARLY = 20
# Most letters of a time, and of a value in an error.
_LONGEST = 100

_ISO = "ISO8601"
# `Jan 18` may be a month of 2018 or a day. It is a month where most times are the same number of
# months after the one before, and not whole years: days that follow each other, weeks and ends of
# months are not.
_SHORT_YEARS = ("%b %y", "%b-%y")
_MOSTLY = 0.5
# Years of two digits after this one are in the last century.
_LAST_YEAR = 2050
# A date in digits with the day or the month first, and what follows it.
_NUMERIC = re.compile(r"\d{1,2}(?P<mark>[./-])\d{1,2}(?P=mark)(?P<year>\d{2,4})(?P<rest>.*)$")
# Years, months and days in Chinese, Japanese and Korean, also with points: 2024. 3. 1.
_CJK = (
    r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월](?: ?(\d{1,2}) ?[日일])?"
    r"|^(\d{4})\.(\d{1,2})\.(\d{1,2})\.?(?!\d)"
)
# A word, perhaps an abbreviation.
_WORD = r"[^\W\d_]{3,}\.?"
# The day of the week before a date.
_DAY_OF_WEEK = r"^([^\W\d_]{2,12})\.?,? +(?=\d)"
_DAYS_OF_WEEK = 7
# A span, whose start is its time.
_SPAN = r"^(.*\d) +[-–] +\d.*$"
# The end of a span without spaces, which looks like an offset from UTC.
_CLOSE_SPAN = r"(?<=\d\d:\d\d)[-–](\d\d:\d\d)$"
# A zone has two offsets, and a change of the law one more.
_MOST_OFFSETS = 3
# The midnight at the end of a day, as meters write it.
_END_OF_DAY = r"([ T])24(:00(?::00)?)$"
# A time of the day, alone or as the start of a span, and the half of the day.
_HALF = r"(?: ?([AaPp])\.?[Mm]\.?)?"
_CLOCK = rf"^(\d{{1,3}}):(\d\d)(?::(\d\d))?{_HALF}(?: *[-–] *\d{{1,3}}(?::\d\d)+{_HALF})?$"


def parse_dates(column: pd.Series, columns: Columns, day_first: bool | None = None) -> ParsedDates:
    """Parse a column of text, all of it in one format.

    ISO 8601; dates with the day or the month first, which the whole column decides; names of
    months; weeks (`2024-W05`, their Monday), months (`2024M01`) and quarters (`2024Q1`), by their
    first day; spans of two times, by the first.

    Args:
        column: A pandas Series of text.
        columns: The time zone, and the format; a column whose format is given stays text, for
            `read_frame`.
        day_first: Whether the day comes first; `None` infers it.

    Returns:
        The times, and how they were read.

    Raises:
        AmbiguityError: Day and month, or a year of two digits, can be read in two ways.
        DataError: A row is no time, or the offset from UTC changes.
    """
    if columns.ds_format is not None:
        return ParsedDates(column)

    # Series share their times, so each distinct time is parsed once.
    codes, _ = pd.factorize(column, use_na_sentinel=False)
    places = (~column.duplicated()).to_numpy().nonzero()[0]
    try:
        parsed = _parse_once(column.iloc[places], columns, day_first)
    except DataError as error:
        row = None if error.row is None else int(places[error.row])
        located = error.changed(row=row)
        located.rows = np.flatnonzero(np.isin(codes, codes[places[list(error.rows)]])).tolist()
        raise located from error

    times = pd.Series(parsed.times.array.take(codes), index=column.index, name=column.name)
    return parsed._replace(times=times)


def _parse_once(column: pd.Series, columns: Columns, day_first: bool | None) -> ParsedDates:
    """Parse times that all differ; arguments and errors as for `parse_dates`."""
    written = column.str.strip()
    days = written.str.extract(_END_OF_DAY)[0].notna().astype("int64")
    if days.any():
        midnights = written.str.replace(_END_OF_DAY, r"\g<1>00\2", regex=True)
        parsed = _parse_once(midnights, columns, day_first)
        return parsed._replace(times=parsed.times + pd.to_timedelta(days, unit="D"))

    column = without_long(written)
    numbered = numbered_parts(column)
    if numbered is not None:
        return numbered

    starts = _without_ends(column)
    times = _parsed(starts, _ISO)
    if times.isna().any():
        starts = starts.str.replace(_SPAN, r"\1", regex=True)
    spans = "" if starts.equals(column) else "spans by their start"
    if times.isna().any():
        starts = _with_english_months(starts)
        times = _parsed(starts, _ISO)
    if not times.isna().any():
        _check_lengths(starts)
        _check_offsets(starts, times, columns)
        return ParsedDates(times, sentence=spans)

    periods = periods_of(starts)
    if periods is not None:
        return periods

    tried = {_ISO: times}
    tried |= {style: _parsed(starts, style) for style in _styles(str(starts.iloc[0]), day_first)}
    is_invalid = min((each.isna() for each in tried.values()), key=lambda each: int(each.sum()))
    expected = "a date or time, such as 2026-01-31 or 2026-01-31 12:00"
    own_format = Option("columns.ds_format", ...)
    hint = Phrase("Write times in ISO 8601, or name their format with ", own_format, ".")
    _reject_first(written, is_invalid, expected, hint)
    style = _likeliest_style(starts, tried)
    return ParsedDates(tried[style], _day_stands_first(style), spans)


def _likeliest_style(column: pd.Series, tried: Mapping[str, pd.Series]) -> str:
    """Return the format of a column of dates, from the times that each of several formats makes.

    Raises:
        AmbiguityError: It has several formats.
    """
    fitting = [style for style, times in tried.items() if not times.isna().any()]
    # Between points nobody writes the month first.
    fitting = [style for style in fitting if style.startswith("%d.")] or fitting
    style, *rivals = most_even({style: tried[style] for style in fitting})
    if not rivals:
        return style

    years_first = [style for style in fitting if style.startswith("%y")]
    orders = {_day_stands_first(style) for style in fitting if style not in years_first}
    day = Option("dialect.day_first", True)
    month = Option("dialect.day_first", False)
    years = [Option("columns.ds_format", style) for style in years_first]

    hint = Phrase("Give ", day, " or ", month)
    for year in years:
        hint = Phrase(hint, ", or ", year)
    received = f"{column.iloc[0]!r}, and no row distinguishes the day from the month"
    answers = [*(order for order in (day, month) if order.value in orders), *years]
    raise in_two_ways(column, received, Phrase(hint, "."), answers)


def _without_ends(column: pd.Series) -> pd.Series:
    """Return spans such as `2024-06-05 00:00-00:59` by their starts.

    Their ends differ, as offsets from UTC do not.
    """
    ends = column.str.extract(_CLOSE_SPAN)[0]
    is_span = ends.notna().all() and ends.nunique() > _MOST_OFFSETS
    return column.str.replace(_CLOSE_SPAN, "", regex=True) if is_span else column


def most_even(readings: Mapping[str, pd.Series]) -> list[str]:
    """Return the format whose times are the most even, and those of others about as even.

    Args:
        readings: The times by format.
    """
    if len(readings) == 1:
        return list(readings)

    uneven = {
        style: unevenness(times.to_numpy("datetime64[s]").astype("int64"))
        for style, times in readings.items()
    }
    best = min(uneven, key=lambda style: uneven[style])
    rivals = [style for style in readings if uneven[style] < _CLEARLY * uneven[best]]
    return [best, *(style for style in rivals if not readings[style].equals(readings[best]))]


def in_two_ways(
    column: pd.Series, received: str, hint: Phrase, answers: Sequence[Option]
) -> AmbiguityError:
    """Return the error for a column of dates that can be read in two ways.

    Args:
        column: The column.
        received: What can be.
        hint: How to settle it, in words.
        answers: The options that settle it.
    """
    return AmbiguityError(
        column=str(column.name),
        row=0,
        expected="dates that can be read in one way only",
        received=received,
        hint=hint,
        answers=answers,
    )


def unevenness(numbers: Array | pd.Series) -> float:
    """Return how much longer the longest step between different numbers is than the shortest one.

    Args:
        numbers: The numbers, in any order; one or two different ones give 1.

    Example:
        >>> unevenness(np.array([1, 2, 2, 5])), unevenness(np.array([7]))
        (3.0, 1.0)
    """
    steps = np.diff(np.unique(numbers))
    return float(steps.max() / steps.min()) if len(steps) > 1 else 1.0


def is_clock(column: pd.Series) -> bool:
    """Return whether a column holds times of the day, or since a beginning, or spans of two.

    Args:
        column: A pandas Series.
    """
    if not is_text(column):
        return False
    return bool(column.dropna().astype("str").str.strip().str.fullmatch(_CLOCK).all())


def seconds(column: pd.Series) -> pd.Series:
    """Return times of the day, or since a beginning, as whole seconds.

    Args:
        column: A pandas Series, for which `is_clock` holds.

    Example:
        >>> seconds(pd.Series(["0:00", "24:00:00", "12:30 AM - 1:00 AM", "1:00pm"])).tolist()
        [0, 86400, 1800, 46800]
    """
    found = column.astype("str").str.strip().str.extract(_CLOCK)
    hours, minutes, rest = (found[place].fillna(0).astype(int) for place in range(3))
    hours = hours.where(found[3].isna(), hours % 12 + 12 * found[3].isin(("p", "P")))
    return hours * 3600 + minutes * 60 + rest


def as_times(column: pd.Series) -> pd.Series:
    """Return a column of text as times, `NaT` where a value is no time; other columns unchanged.

    Args:
        column: A pandas Series.
    """
    if not is_text(column):
        return column
    try:
        return parse_dates(column, Columns()).times
    except DataError as error:
        # Some values are no times, or are ambiguous, which is an error once the file is read.
        rest = column.drop(column.index[list(error.rows)])
        if 0 < len(rest) < len(column):
            return as_times(rest).reindex(column.index)
        dated = without_long(column).where(_has_digits(column))
        with filtering_warnings("ignore"):
            times = pd.to_datetime(dated, errors="coerce", format="mixed", dayfirst=True, utc=True)
        return times.where(times.dt.year.between(*YEARS))


def is_time(column: pd.Series) -> bool:
    """Return whether a column holds times, or text that reads as times; those of the day are none.

    Args:
        column: A pandas Series.
    """
    known = column.dropna()
    if not len(known) or known.dtype.kind in "iuf" or is_clock(known):
        return False
    # Most text has fewer digits than a time; to try formats takes long.
    if is_text(known) and _has_digits(known.astype("str")).mean() < READ_AS_TIMES:
        return False

    read = as_times(known)
    return read.dtype.kind == "M" and float(read.notna().mean()) >= READ_AS_TIMES


def _has_digits(column: pd.Series) -> pd.Series:
    """Return which texts have as many digits as a time."""
    return column.str.count(r"\d") >= _FEWEST_DIGITS


def without_long(column: pd.Series) -> pd.Series:
    """Return a column of text without values too long for a time, which take pandas minutes.

    Args:
        column: A pandas Series of text.
    """
    return column.where(column.str.len() <= _LONGEST)


def _day_stands_first(style: str) -> bool | None:
    """Return whether a format has the day before a month in digits; `None` for other formats."""
    if "%m" not in style or "%d" not in style or style.startswith("%Y"):
        return None
    return style.index("%d") < style.index("%m")


def _with_english_months(column: pd.Series) -> pd.Series:
    """Return text with the names of months in English, as pandas reads them.

    `3. März 2024` becomes `3 Mar 2024`.
    """
    days = column.str.extract(_DAY_OF_WEEK)[0].dropna().unique().tolist()
    are_months = month_numbers(days) or any(map(PARTS_OF_YEARS.is_name, days))
    if 0 < len(days) <= _DAYS_OF_WEEK and not are_months:
        column = column.str.replace(_DAY_OF_WEEK, "", regex=True)
    months = month_numbers(set(chain.from_iterable(column.str.findall(_WORD).dropna())))

    def name(found: re.Match[str]) -> str:
        return ENGLISH[months[found[0]] - 1] if found[0] in months else found[0]

    def digits(found: re.Match[str]) -> str:
        return "-".join(part.zfill(2) for part in found.groups() if part)

    changes: dict[str, str | Callable[[re.Match[str]], str]] = {
        # Spaces after points within dates.
        r"(?<=\d)\. (?=\d\d?(?:\.|$)|\d{4})": ".",
        _CJK: digits,
        # Points after days, and prepositions.
        r"(?<=\d)\. (?=[^\W\d])| de (?=[^\W\d]|\d)": " ",
        # Marks between months and years.
        r"^([^\W\d]{3,})[/'’](?=\d)": r"\1-",
        _WORD: name,
    }
    for pattern, change in changes.items():
        column = column.str.replace(pattern, change, regex=True)
    return column


def _styles(example: str, day_first: bool | None) -> list[str]:
    """Return the formats in which a time that is not ISO 8601 may be written.

    The month or the day comes first in them.
    """
    from pandas.tseries.api import guess_datetime_format

    orders = (False, True) if day_first is None else (day_first,)
    example = example[:_LONGEST]
    with filtering_warnings("ignore"):  # pandas warns where the day comes first
        guesses = [guess_datetime_format(example, dayfirst=order) for order in orders]

    # Where the first row decides, the guess is the same for both orders; another row may
    # contradict it.
    numeric = _NUMERIC.match(example)
    if numeric is not None:
        mark = numeric["mark"]
        year = "%Y" if len(numeric["year"]) == 4 else "%y"
        dates = {True: f"%d{mark}%m{mark}{year}", False: f"%m{mark}%d{mark}{year}"}
        possible = [dates[order] for order in orders]
        if year == "%y" and day_first is None:
            possible.append(f"%y{mark}%m{mark}%d")
        guesses += [date + _clock(numeric["rest"]) for date in possible]

    # Nobody writes the year first and the day second.
    styles = dict.fromkeys(guess for guess in guesses if guess and not re.match(r"%Y\W?%d", guess))
    rest = re.search(r"[ T]\d{1,2}:\d{2}.*$", example)
    clock = _clock(rest[0] if rest else "")
    days = [day + clock for day in ("%d-%b-%y", "%d %b %Y", "%d %B %Y")]
    return [*styles, *days, "%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%G-W%V-%u", *_SHORT_YEARS]


def _clock(rest: str) -> str:
    """Return the format of the time that follows a date; nothing if it is none."""
    clock = re.fullmatch(r"([ T])\d{1,2}:\d{2}(:\d{2})?(\.\d+)?(?:( ?)[APap][Mm])?", rest)
    if clock is None:
        return ""
    separator, second, fraction, half = clock.groups()
    hours = "%H" if half is None else "%I"
    style = f"{separator}{hours}:%M"
    if second:
        style += ":%S"
    if fraction:
        style += ".%f"
    return style if half is None else f"{style}{half}%p"


def _parsed(column: pd.Series, style: str) -> pd.Series:
    """Return text as times by a format, `NaT` where a value has another one.

    Months whose years have two digits are none where they may be days.
    """
    with filtering_warnings("error", FutureWarning):
        try:
            times = pd.to_datetime(column, errors="coerce", format=style)
        except (ValueError, FutureWarning):
            # The offset from UTC changes, as with summer time; pandas 2 warns.
            times = pd.to_datetime(column, errors="coerce", format=style, utc=True)
    if "%y" not in style:
        return times

    is_late = times.dt.year > _LAST_YEAR
    if is_late.any():
        times = times.mask(is_late, times - pd.DateOffset(years=100))
    if style not in _SHORT_YEARS:
        return times

    distinct = times.drop_duplicates()
    steps = (12 * distinct.dt.year + distinct.dt.month).diff().iloc[1:]
    shares = steps[steps % 12 != 0].value_counts() / max(1, len(steps))
    are_months = len(steps) > 1 and shares.max() > _MOSTLY
    return times if are_months else times.where(times.isna())


def offsets_of(column: pd.Series) -> pd.Series:
    """Return the offsets from UTC that times in ISO 8601 have, as they are written.

    Args:
        column: A pandas Series of text.

    Example:
        >>> times = pd.Series(["2024-01-01T00:00Z", "2024-01-01 01:00+01:00", "2024-01-01"])
        >>> offsets_of(times).dropna().tolist()
        ['Z', '+01:00']
    """
    return column.str.extract(r"[T ][\d:.,]+ ?(Z|[+-]\d{2}(?::?\d{2})?)$")[0]


def _check_lengths(column: pd.Series) -> None:
    """Reject years or months among days in ISO 8601: 2024 among 2024-02.

    Raises:
        DataError: A row has another precision than most.
    """
    lengths = column.str.len()
    precision = lengths.where(lengths <= len("2024-02"), _LONGEST)
    usual = precision.mode().iloc[0]
    _reject_first(column, precision != usual, "times as precise as most others", "Correct it.")


def _check_offsets(column: pd.Series, parsed: pd.Series, columns: Columns) -> None:
    """Reject times whose offset from UTC changes and is not that of the time zone.

    Raises:
        DataError: No time zone is given for days, or a row has no offset, or another one than its
            clock.
    """
    if parsed.dt.tz is None or not is_text(column):
        return
    offsets = offsets_of(column)
    if offsets.nunique(dropna=False) < 2:
        return

    plain = column.str.removesuffix("Z").str.replace(r"[+-]\d{2}:?\d{0,2}$", "", regex=True)
    local = pd.to_datetime(plain)

    def differs(zone: str) -> pd.Series:
        clocks: pd.Series = parsed.dt.tz_convert(zone).dt.tz_localize(None)
        return clocks != local

    if columns.tz is not None:
        expected = f"the offset from UTC of clocks in {columns.tz}"
        hint = Phrase("Correct it, or give another ", Option("columns.tz"), ".")
        _reject_first(column, differs(columns.tz), expected, hint)
        return

    # Days are days of the clock; shorter steps are as even in UTC.
    if offsets.notna().all() and (local - local.dt.normalize()).nunique() > 1:
        return
    fitting = next((zone for zone in _ZONES if not differs(zone).any()), None)
    if fitting is None:
        hint = Phrase("No common time zone has all of them: write all times in UTC.")
    else:
        zone = Option("columns.tz", fitting)
        hint = Phrase("Give the zone of the clock, such as ", zone, ", which fits all rows.")
    raise DataError(
        column=str(column.name),
        expected="one offset from UTC, or a time zone",
        received=f"the offsets {', '.join(map(str, offsets.unique()[:3]))}",
        hint=hint,
    )


def _reject_first(column: pd.Series, invalid: pd.Series, expected: str, hint: str) -> None:
    """Reject a column in which a value is invalid, naming the first one."""
    rows = invalid.to_numpy().nonzero()[0]
    if not len(rows):
        return
    row = int(rows[0])
    value = column.iloc[row]
    received = "none" if pd.isna(value) else repr(str(value)[:_LONGEST])
    error = DataError(
        column=str(column.name), row=row, expected=expected, received=received, hint=hint
    )
    error.rows = rows.tolist()
    raise error
