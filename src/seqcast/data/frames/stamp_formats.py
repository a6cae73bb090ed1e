"""Time stamps that are written as whole numbers or as text: which format they have, and both ways of it.

A format is one of `strptime`'s, such as `%Y%m%d`; or a count of units since 1970, such as `unix_s`; or `integer`, whole
numbers that are no dates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.frames.stamps import Stamps

Array = npt.NDArray[Any]

_UNIX = {"unix_s": "s", "unix_ms": "ms", "unix_us": "us", "unix_ns": "ns"}

# Dates that are written as one number: the format, and the smallest and the largest such number.
_DIGITS = {
    "%Y%m%d": (1900_01_01, 2200_12_31),
    "%Y%m": (1900_01, 2200_12),
    "%Y%m%d%H": (1900_01_01_00, 2200_12_31_23),
    "%Y%m%d%H%M": (1900_01_01_00_00, 2200_12_31_23_59),
    "%Y%m%d%H%M%S": (1900_01_01_00_00_00, 2200_12_31_23_59_59),
}
# Seconds since 1970 of the years that data is likely to come from, and the shortest step in each unit that tells time
# from mere counting.
_FIRST, _LAST = 631_152_000, 4_102_444_800  # 1990 and 2100
_COARSE = {"unix_s": 60, "unix_ms": 1_000, "unix_us": 1_000, "unix_ns": 1_000}
_PER_SECOND = {"unix_s": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}


def is_digits(format_: str) -> bool:
    """Return whether stamps of a format are whole numbers.

    Example:
        >>> is_digits("%Y%m%d"), is_digits("unix_s"), is_digits("%Y-%m-%d")
        (True, True, False)
    """
    return format_ in _DIGITS or format_ in _UNIX


def likely_format(numbers: Array) -> tuple[str | None, Array | None]:
    """Return the format that whole numbers probably have, and which of them do not have it.

    Numbers are dates where most of them are, such as 20240131, which hardly any other numbers are. They are counts of
    seconds, or of parts of a second, where they lie between 1990 and 2100 and are a minute (of seconds) or a thousand
    units (of smaller ones) apart, or multiples of that.

    Args:
        numbers: Whole numbers, that differ, `[n]`.

    Returns:
        The format, `None` where they are probably no time; and which numbers are none of it, `[n]`: `None` where their
        steps are too small to tell a time from a count.

    Example:
        >>> likely_format(np.array([20240131, 20240201, 20240202]))
        ('%Y%m%d', array([False, False, False]))
        >>> likely_format(np.arange(24))[0], likely_format(1_700_000_000 + 3600 * np.arange(24))[0]
        (None, 'unix_s')
    """
    if not len(numbers):
        return None, None
    low, high = int(numbers.min()), int(numbers.max())
    for format_, (least, most) in _DIGITS.items():
        if least <= low and high <= most:
            wrong = np.isnat(_from_digits(numbers, format_))
            if 2 * np.count_nonzero(wrong) < len(numbers):
                return format_, wrong
    for format_, size in _PER_SECOND.items():
        if _FIRST * size <= low and high < _LAST * size:
            steps = np.diff(np.sort(numbers))
            coarse = len(steps) and np.gcd.reduce(steps) % _COARSE[format_] == 0
            return format_, np.zeros(len(numbers), dtype=bool) if coarse else None
    return None, None


def parse_stamps(values: Any, format_: str) -> Stamps:
    """Return stamps as times, not-a-time where a value has another format.

    Args:
        values: Whole numbers or text, `[n]`.
        format_: A format other than `integer`.

    Example:
        >>> parse_stamps(np.array([20240229, 20240230]), "%Y%m%d").isna()
        array([False,  True])
        >>> parse_stamps(np.array([86400]), "unix_s")[0]
        Timestamp('1970-01-02 00:00:00')
    """
    import pandas as pd

    if format_ in _UNIX:
        numbers = pd.to_numeric(pd.Series(values), errors="coerce")
        whole = numbers.notna() & (numbers % 1 == 0)
        stamps = numbers.where(whole, 0).astype("int64").to_numpy().view(f"M8[{_UNIX[format_]}]").copy()
        stamps[~whole.to_numpy()] = np.datetime64("NaT", "s")
        return pd.DatetimeIndex(stamps)
    codes, unique = pd.factorize(pd.Series(values))
    if format_ in _DIGITS and unique.dtype.kind in "iu":
        return pd.DatetimeIndex(_from_digits(np.asarray(unique, dtype=np.int64), format_))[codes]
    text = pd.Series(unique).astype(str)
    return pd.DatetimeIndex(pd.to_datetime(text, format=format_, errors="coerce"))[codes]


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
        return np.asarray(stamps.as_unit(_UNIX[format_]).asi8)
    text = stamps.strftime(format_)
    return np.asarray(text, dtype=np.int64 if is_digits(format_) else object)


def _from_digits(numbers: Array, format_: str) -> Array:
    """Return numbers such as 20240131 as times, not-a-time where the digits are none."""
    rest = numbers.astype(np.int64)
    fields: list[Array] = []
    for _ in range((len(format_) - 2) // 2):
        rest, last = np.divmod(rest, 100)
        fields.insert(0, last)
    month, *later = fields  # every format has a month
    day, hour, minute, second = (*later, None, None, None, None)[:4]
    year_month = (rest - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    valid = (rest >= 1) & (rest <= 9999) & (month >= 1) & (month <= 12)
    stamps = year_month.astype("M8[D]")
    if day is not None:
        stamps = stamps + (day - 1)
        valid &= (day >= 1) & (stamps.astype("M8[M]") == year_month)
    stamps = stamps.astype("M8[s]")
    for part, size, most in ((hour, 3600, 23), (minute, 60, 59), (second, 1, 59)):
        if part is not None:
            stamps = stamps + part * size
            valid &= (part >= 0) & (part <= most)
    stamps[~valid] = np.datetime64("NaT", "s")
    return np.asarray(stamps)
