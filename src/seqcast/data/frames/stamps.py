"""Time stamps as pandas indexes: their kinds, time zones, numbers, and written formats.

A format is one of `strptime`'s, such as `%Y%m%d`; or a count of units since 1970, such as `unix_s`;
or `integer`, whole numbers that are no dates.
"""

import datetime
import zoneinfo
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seqcast.runtime import Array, filtering_warnings

# Most letters of a time; pandas would parse longer text for minutes.
_LONGEST_TIME = 100

# A pandas Index of integers or of time stamps, which pandas-stubs tell apart by their classes.
Stamps = Any
# A time zone, or its name.
Zone = datetime.tzinfo | str


def plain_stamps(stamps: Stamps) -> Array:
    """Return stamps as an array of whole numbers or of UTC times.

    Args:
        stamps: A pandas index of stamps.
    """
    if getattr(stamps, "tz", None) is not None:
        stamps = stamps.tz_convert(None)
    return np.asarray(stamps.to_numpy())


def stamp_kind(stamps: Stamps) -> str:
    """Return the kind of stamps in words: whole numbers, or times with or without a zone.

    Args:
        stamps: A pandas index of stamps.
    """
    if stamps.dtype.kind in "iu":
        return "whole numbers"
    return "time stamps without a zone" if stamps.tz is None else "time stamps with a zone"


def stamp_text(stamp: object) -> str:
    """Return one stamp as text; midnight is a date.

    Args:
        stamp: The stamp.

    Example:
        >>> import pandas as pd
        >>> midnight = pd.Timestamp("2024-03-01")
        >>> [stamp_text(stamp) for stamp in (midnight, midnight + pd.Timedelta("6h"), 17)]
        ['2024-03-01', '2024-03-01 06:00:00', '17']
    """
    return str(stamp).removesuffix(" 00:00:00")


def in_zone_of(stamps: Stamps, others: Stamps) -> Stamps:
    """Return stamps in the zone of others.

    Args:
        stamps: A pandas index of stamps.
        others: The others.
    """
    zone = getattr(others, "tz", None)
    return stamps if zone is None else stamps.tz_convert(zone)


def from_utc(stamps: Stamps, zone: Zone | None) -> Stamps:
    """Return UTC times without a zone as times of a zone; unchanged for `None`.

    Args:
        stamps: Times in UTC, without a zone.
        zone: The zone, or its name; `None` is none.
    """
    return stamps if zone is None else stamps.tz_localize("UTC").tz_convert(zone)


def is_zone(name: str) -> bool:
    """Return whether a text is the name of a time zone or a distance from UTC.

    Args:
        name: The text, which may come from a file.

    Example:
        >>> is_zone("Europe/Berlin"), is_zone("UTC+05:30"), is_zone("Europe/Atlantis")
        (True, True, False)
    """
    # pandas would open whatever file follows this prefix.
    if name.startswith("dateutil/"):
        return False
    try:
        pd.DatetimeIndex([]).tz_localize(name)
    # Names are those of files: too long, a folder, or not there.
    except (OSError, ValueError, LookupError):
        return False
    return True


def named_zone(zone: datetime.tzinfo) -> datetime.tzinfo | None:
    """Return the same time zone with a text that names it; `None` where there is none.

    A file keeps the text of a zone. Those of dateutil and fixed distances of pytz have texts that
    name nothing.

    Args:
        zone: The zone.

    Example:
        >>> from dateutil import tz
        >>> str(named_zone(tz.tzoffset("here", 3600))), str(named_zone(tz.gettz("Europe/Berlin")))
        ('UTC+01:00', 'Europe/Berlin')
    """
    if is_zone(str(zone)):
        return zone
    distance = zone.utcoffset(None)
    if distance is not None:
        return datetime.timezone(distance)

    # Such as tzfile('/usr/share/zoneinfo/Europe/Berlin').
    parts = str(zone).replace("\\", "/").rstrip("')").split("/")
    names = ("/".join(parts[place:]) for place in range(1, len(parts)))
    known = next((name for name in names if is_zone(name)), None)
    return None if known is None else zoneinfo.ZoneInfo(known)


def wall_clock(stamps: Stamps) -> Stamps:
    """Return time stamps as their zone's clock shows them, without the zone.

    Args:
        stamps: A pandas index of stamps.
    """
    return stamps if stamps.tz is None else stamps.tz_localize(None)


def from_wall_clock(local: Stamps, zone: Zone | None) -> Stamps:
    """Return times of a zone's clock as time stamps of the zone; unchanged for `None`.

    A time that the clock skips becomes the next one that it shows; a repeated time is the first of
    both.

    Args:
        local: Times of the clock, without a zone.
        zone: The zone.

    Example:
        >>> import pandas as pd
        >>> from_wall_clock(pd.DatetimeIndex(["2024-03-10 02:30"]), "America/New_York")[0]
        Timestamp('2024-03-10 03:00:00-0400', tz='America/New_York')
    """
    if zone is None:
        return local
    first = np.ones(len(local), dtype=bool)
    return local.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")


def seconds(stamps: Stamps) -> Array:
    """Return stamps as seconds since 1970, whole numbers unchanged, in double precision.

    Differences of pandas in nanoseconds would overflow beyond three centuries.

    Args:
        stamps: A pandas index of stamps.
    """
    if stamps.dtype.kind in "iu":
        return np.asarray(stamps, dtype=np.float64)
    return np.asarray(stamps.as_unit("us").asi8, dtype=np.float64) / 1e6


def by_series(steps: Sequence[Stamps]) -> Stamps:
    """Reorder stamps from step after step to series after series.

    Args:
        steps: The stamps of each step, one a series.
    """
    joined = steps[0].append(list(steps[1:]))
    return joined[np.arange(len(joined)).reshape(len(steps), -1).T.ravel()]


# ---------------------------------------------------------------- formats

# Counts since 1970: the unit, the units of a second, and the shortest step of times rather than
# mere counts.
_UNIX = {
    "unix_s": ("s", 1, 60),
    "unix_ms": ("ms", 10**3, 1_000),
    "unix_us": ("us", 10**6, 1_000),
    "unix_ns": ("ns", 10**9, 1_000),
}
# Dates that are written as one number: the format, and the smallest and the largest such number.
_DIGITS = {
    "%Y%m%d": (1900_01_01, 2200_12_31),
    "%Y%m": (1900_01, 2200_12),
    "%Y%m%d%H": (1900_01_01_00, 2200_12_31_23),
    "%Y%m%d%H%M": (1900_01_01_00_00, 2200_12_31_23_59),
    "%Y%m%d%H%M%S": (1900_01_01_00_00_00, 2200_12_31_23_59_59),
}
# The days of a week, by number or name.
_DAYS_OF_WEEK = ("%u", "%w", "%a", "%A")
# Seconds since 1970 from which data is likely to come: the year 1990,
_FIRST = 631_152_000
# up to the year 2100.
_LAST = 4_102_444_800


def likely_format(numbers: Array) -> tuple[str | None, Array | None]:
    """Return the format that whole numbers probably have, and which of them do not have it.

    Numbers are dates where most can be read as such, as 20240131. They are counts of seconds, or of
    smaller units, where they lie between 1990 and 2100 and their steps are coarse: multiples of a
    minute, or of a thousand smaller units.

    Args:
        numbers: Distinct whole numbers, `[n]`.

    Returns:
        The format, `None` where they are probably no times; and which numbers do not fit it, `[n]`,
        `None` where their steps are too small to distinguish times from counts.

    Example:
        >>> likely_format(np.array([20240131, 20240201, 20240202]))
        ('%Y%m%d', array([False, False, False]))
        >>> likely_format(np.arange(24))[0], likely_format(1_700_000_000 + 3600 * np.arange(24))[0]
        (None, 'unix_s')
    """
    if not len(numbers):
        return None, None
    low = int(numbers.min())
    high = int(numbers.max())

    for format_, (least, most) in _DIGITS.items():
        if least <= low and high <= most:
            wrong = np.asarray(parse_stamps(numbers, format_).isna())
            if 2 * np.count_nonzero(wrong) < len(numbers):
                return format_, wrong

    for format_, (_, size, coarsest) in _UNIX.items():
        if _FIRST * size <= low and high < _LAST * size:
            steps = np.diff(np.sort(numbers))
            is_coarse = len(steps) and np.gcd.reduce(steps) % coarsest == 0
            return format_, np.zeros(len(numbers), dtype=bool) if is_coarse else None
    return None, None


def formats_of(texts: pd.Series) -> list[str]:
    """Return the formats in which all texts are times.

    They are two where the day or the month may come first.

    Args:
        texts: A pandas Series of text.

    Example:
        >>> texts = ("13.02.2024", "01.02.2024", "2024-02-01", "soon")
        >>> [formats_of(pd.Series([text])) for text in texts]
        [['%d.%m.%Y'], ['%m.%d.%Y', '%d.%m.%Y'], ['ISO8601'], []]
    """
    from pandas.tseries.api import guess_datetime_format

    known = texts.str.strip().dropna()
    if known.empty or known.str.len().max() > _LONGEST_TIME:
        return []

    fitting = []
    with filtering_warnings("ignore"):  # pandas warns where the day comes first
        month_first = guess_datetime_format(known.iloc[0])
        day_first = guess_datetime_format(known.iloc[0], dayfirst=True)
        for format_ in dict.fromkeys(("ISO8601", month_first, day_first)):
            if format_ is not None and _all_have_format(known, format_):
                fitting.append(format_)
    return fitting[:1] if "ISO8601" in fitting else fitting


def _all_have_format(texts: pd.Series, format_: str) -> bool:
    stamps = pd.to_datetime(texts, errors="coerce", format=format_, utc=True)
    return not stamps.isna().any()


def parse_stamps(values: Array | pd.Series, format_: str) -> Stamps:
    """Return stamps as times, not-a-time where a value has another format.

    Args:
        values: Whole numbers or text, `[n]`.
        format_: A format other than `integer`.

    Example:
        >>> parse_stamps(np.array([20240229, 20240230]), "%Y%m%d").isna()
        array([False,  True])
        >>> parse_stamps(np.array([86400]), "unix_s")[0]
        Timestamp('1970-01-02 00:00:00')
        >>> parse_stamps(np.array([202405]), "%G%V")[0]
        Timestamp('2024-01-29 00:00:00')
    """
    if format_ in _UNIX:
        return _from_counts(pd.Series(values), _UNIX[format_][0])

    codes, unique = pd.factorize(pd.Series(values), use_na_sentinel=False)
    text = pd.Series(unique).astype(str)
    if unique.dtype.kind in "iu":
        # A zero before the first digit is not written.
        text = text.str.zfill(len(datetime.date(2000, 12, 31).strftime(format_)))
    if "%V" in format_ and not any(day in format_ for day in _DAYS_OF_WEEK):
        # A week is known by its Monday.
        text = text + "1"
        format_ += "%u"
    return pd.DatetimeIndex(pd.to_datetime(text, format=format_, errors="coerce"))[codes]


def _from_counts(values: pd.Series, unit: str) -> Stamps:
    """Return counts of units since 1970 as times, not-a-time where a value is no whole number."""
    numbers = pd.to_numeric(values, errors="coerce")
    is_whole = numbers.notna() & (numbers % 1 == 0)
    counts = numbers.where(is_whole, 0).astype("int64").to_numpy()
    stamps = counts.view(f"M8[{unit}]").copy()
    stamps[~is_whole.to_numpy()] = np.datetime64("NaT", "s")
    return pd.DatetimeIndex(stamps)


def format_stamps(stamps: Stamps, format_: str) -> Array:
    """Return times as whole numbers or text of a format: the inverse of `parse_stamps`.

    Args:
        stamps: A pandas index of times.
        format_: A format other than `integer`.

    Example:
        >>> import pandas as pd
        >>> format_stamps(pd.DatetimeIndex(["2024-02-29"]), "%Y%m%d").tolist()
        [20240229]
    """
    if format_ in _UNIX:
        return np.asarray(stamps.as_unit(_UNIX[format_][0]).asi8)
    return np.asarray(stamps.strftime(format_), dtype=np.int64 if format_ in _DIGITS else object)
