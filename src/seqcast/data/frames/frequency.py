"""Frequencies: the step between time stamps, by name or inferred.

A frequency is a pandas offset alias (`h`, `B`, `W-SAT`, `MS`) or one of Polars' duration strings
(`1h`, `1mo`); for stamps that are whole numbers it is a whole number. The calendar itself is
pandas's and utilsforecast's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqcast.data.frames.stamps import (
    Stamps,
    by_series,
    from_wall_clock,
    seconds,
    stamp_text,
    wall_clock,
)
from seqcast.errors import DataError, Option, Phrase, SpecError
from seqcast.runtime import Array, filtering_warnings
from seqcast.specs import check_int

# Steps that are a number of seconds; all others (days too) are steps of the wall clock.
CLOCK = ("Hour", "Minute", "Second", "Milli", "Micro", "Nano")
# The largest whole number of 64 bits.
_MOST_STAMP = 2**63 - 1
# The last second of the year 9999, since 1970.
LAST_SECOND = 253_402_300_799
# Most steps of the wall clock: more days than remain until then.
MOST_STEPS = 10**7
# Units of Polars' duration strings, as pandas names them.
_POLARS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "m": "min", "h": "h", "d": "D", "w": "W"}
# Units of several months, in months.
_POLARS_MONTHS = {"mo": 1, "q": 3, "y": 12}
# Letters of an alias, for which pandas takes time that grows with the square of their number.
_LONGEST_ALIAS = 64
# Steps of the usual season, by kind of step, at the begin of months or at their end.
_CYCLES = {
    "Second": 60,
    "Minute": 60,
    "Hour": 24,
    "Day": 7,
    "BusinessDay": 5,
    "Week": 52,
    "SemiMonth": 24,
    "Month": 12,
    "BusinessMonth": 12,
    "Quarter": 4,
    "BQuarter": 4,
}


@dataclass(frozen=True)
class Frequency:
    """The step of a series.

    Args:
        name: A pandas offset alias, or a whole number for integer stamps.
        inferred: Whether it was read from the stamps rather than given.

    Example:
        >>> import pandas as pd
        >>> monthly = Frequency("MS")
        >>> monthly.after(pd.DatetimeIndex(["2020-01-01"]), 2)[0]
        Timestamp('2020-03-01 00:00:00')
        >>> monthly.season_length
        12
    """

    name: str | int
    inferred: bool = False

    @cached_property
    def offset(self) -> Any:
        """The step as a pandas offset, or as an int."""
        return self.name if isinstance(self.name, int) else _to_offset(self.name)

    @property
    def kind(self) -> str:
        """Name of the class of the pandas offset, such as `Hour`; `int` for whole numbers."""
        return type(self.offset).__name__

    @property
    def is_clock(self) -> bool:
        """Whether the step is a number of seconds rather than one of the wall clock."""
        return self.kind in CLOCK

    @property
    def season_length(self) -> int:
        """Steps of the usual season, 1 where there is none or the step does not divide it.

        Seconds have a season of a minute, minutes of an hour (a day from five minutes on), hours of
        a day, days of a week. Weeks, months and quarters have a season of a year.
        """
        if isinstance(self.name, int):
            return 1
        kind = re.sub("(Begin|End)$", "", self.kind)
        count = self.offset.n
        if kind == "Day" and count % 7 == 0:
            kind = "Week"
            count = count // 7

        cycle = 1440 if kind == "Minute" and count >= 5 else _CYCLES.get(kind, 1)
        return cycle // count if cycle % count == 0 else 1

    @property
    def season_is_a_day(self) -> bool:
        """Whether the usual season is a day, of steps shorter than that.

        Example:
            >>> [Frequency(name).season_is_a_day for name in ("h", "30min", "D", "MS", 1)]
            [True, True, False, False, False]
        """
        minutes = {"Hour": 60, "Minute": 1}.get(self.kind, 0)
        return bool(minutes and self.season_length * self.offset.n * minutes == 1440)

    def after(self, stamps: Stamps, steps: int) -> Stamps:
        """Return the stamps `steps` steps later, an index of the same length and time zone.

        Args:
            stamps: pandas Index of integers or time stamps. Days and longer steps keep the wall
                clock's time, shorter ones pass through changes of the clock.
            steps: Number of steps.

        Raises:
            DataError: They are beyond the limit of their type, or beyond the year 9999.
        """
        from pandas.errors import OutOfBoundsDatetime, OutOfBoundsTimedelta

        try:
            later = self._after(stamps, steps)
            is_time = later.dtype.kind == "M"
            if (later < stamps).any() or (is_time and seconds(later).max(initial=0) > LAST_SECOND):
                raise OverflowError
        # In 2262 pandas wraps around to the year 1677, and it has no zones of years beyond 9999.
        except (
            OverflowError,
            OutOfBoundsDatetime,
            OutOfBoundsTimedelta,
            NotImplementedError,
        ) as error:
            ends = {"": "2**63 - 1", "ns": "2262-04-11, the last day in nanoseconds"}
            end = ends.get(getattr(stamps, "unit", ""), "9999-12-31")
            raise DataError(
                option="horizon",
                expected=f"steps up to {end}",
                received=f"{steps} steps of {self.name!r} after {stamp_text(stamps.max())}",
                hint=(
                    "Ask for fewer, check the last stamp, "
                    "or give times in microseconds: astype('datetime64[us]')."
                ),
            ) from error
        return later

    def _after(self, stamps: Stamps, steps: int) -> Stamps:
        from utilsforecast.processing import offset_times

        offset = self.offset
        zone = getattr(stamps, "tz", None)
        if isinstance(offset, int):
            if len(stamps) and int(stamps.max()) + offset * steps > np.iinfo(np.int64).max:
                raise OverflowError
            return offset_times(stamps, offset, steps)

        if not self.is_clock and offset.n * steps > MOST_STEPS:
            raise OverflowError

        if zone is None:
            return offset_times(stamps, offset, steps)
        if self.is_clock:
            later: Stamps = offset_times(stamps.tz_convert("UTC"), offset, steps)
            return later.tz_convert(zone)
        return from_wall_clock(offset_times(wall_clock(stamps), offset, steps), zone)

    def following(self, last_stamps: Stamps, horizon: int) -> Stamps:
        """Return the stamps of the `H` steps after the last ones, series after series.

        Args:
            last_stamps: The last stamp of each series.
            horizon: Number of steps.

        Example:
            >>> import pandas as pd
            >>> Frequency(1).following(pd.Index([3, 7]), 2).tolist()
            [4, 5, 8, 9]
        """
        self.after(last_stamps, horizon)  # whether the calendar holds them
        is_day = self.kind == "Day" and getattr(last_stamps, "tz", None) is None
        if not (self.is_clock or is_day):
            return by_series([self.after(last_stamps, step + 1) for step in range(horizon)])

        one = self.after(last_stamps, 1) - last_stamps
        multiples = np.tile(np.arange(1, horizon + 1), len(last_stamps))
        return last_stamps.repeat(horizon) + one.repeat(horizon) * multiples

    def off_grid(self, stamps: Stamps) -> Array:
        """Return which stamps cannot belong to the frequency, such as a Sunday for `W-SAT`.

        Args:
            stamps: A pandas index of stamps.
        """
        if self.is_clock or self.kind in ("int", "Day"):
            return np.zeros(len(stamps), dtype=bool)
        is_off = [not self.offset.is_on_offset(stamp) for stamp in wall_clock(stamps)]
        return np.array(is_off, dtype=bool)


def usual_season(frequency: Frequency | None) -> int:
    """Return the steps of the usual season of a frequency; 1 for irregular stamps.

    Args:
        frequency: The frequency, if there is one.

    Example:
        >>> usual_season(Frequency("W")), usual_season(None)
        (52, 1)
    """
    return 1 if frequency is None else frequency.season_length


def resolve(freq: Any, stamps: Stamps) -> Frequency:
    """Check a frequency that the user gave against the kind of stamps.

    Args:
        freq: A pandas alias or offset, one of Polars' duration strings, or a whole number.
        stamps: Some of the stamps.

    Returns:
        The frequency. Polars' months, quarters and years become month starts or ends, as the stamps
        are.

    Raises:
        SpecError: It is no frequency, or not one for such stamps.

    Example:
        >>> import pandas as pd
        >>> resolve("1mo", pd.DatetimeIndex(["2020-01-31"])).name
        'ME'
        >>> resolve("D", pd.Index([1, 2]))
        Traceback (most recent call last):
        seqcast.errors.SpecError: freq: expected a whole number, since the time stamps are whole
        numbers, received 'D'. Give 1, ...
    """
    if stamps.dtype.kind in "iu":
        if isinstance(freq, str) or hasattr(freq, "freqstr"):
            raise SpecError(
                "freq",
                expected="a whole number, since the time stamps are whole numbers",
                received=repr(freq),
                hint=(
                    "Give 1, or turn the time stamps into dates; "
                    "start gives stamps to a table without times."
                ),
            )
        return Frequency(check_int("freq", freq, at_most=_MOST_STAMP))

    text = getattr(freq, "freqstr", freq)
    if not isinstance(text, str):
        raise _no_alias(freq)
    return Frequency(_alias(text, stamps))


def _no_alias(freq: Any, reason: str = "") -> SpecError:
    return SpecError(
        "freq",
        expected=(
            "a pandas offset alias such as 'h', 'D', 'B', 'W-SAT', 'MS', "
            "or Polars' '1h', '1d', '1mo'"
        ),
        received=f"{freq!r:.80}{reason}",
        hint="Name the step between the time stamps, or leave freq out to have it inferred.",
    )


def _to_offset(text: str) -> Any:
    from pandas.tseries.frequencies import to_offset

    if len(text) > _LONGEST_ALIAS:
        raise ValueError(f"an alias of {len(text):,} letters")
    return to_offset(text)


def _alias(text: str, stamps: Stamps) -> str:
    text = _as_pandas(text, stamps)
    try:
        offset = _to_offset(text)
        is_long = type(offset).__name__ in CLOCK and offset.nanos > np.iinfo(np.int64).max
        if not is_long:
            # A step that no calendar holds fails here rather than in a forecast.
            _ = stamps[:1] + offset
    except (ValueError, OverflowError) as error:
        advice = re.search(r"(Did you mean \w+|use '\w+' instead)", str(error))
        raise _no_alias(text, f" ({advice[1]})" if advice else "") from error

    if is_long:
        raise _no_alias(text, ", which is longer than 292 years")
    if offset.n < 1:
        raise _no_alias(text, ", which does not go forward")
    return str(offset.freqstr)


def _as_pandas(text: str, stamps: Stamps) -> str:
    """Return one of Polars' duration strings as an alias of pandas; other texts as they are."""
    duration = re.fullmatch(r"(\d{1,18})(ns|us|ms|s|mo|m|h|d|w|q|y)", text)
    if duration is None:
        return text
    count = int(duration[1])
    unit = duration[2]
    if unit in _POLARS_MONTHS:
        return _months(text, count * _POLARS_MONTHS[unit], stamps)
    return f"{7 * count}D" if unit == "w" else f"{count}{_POLARS[unit]}"


def _months(text: str, count: int, stamps: Stamps) -> str:
    if bool(stamps.is_month_end.all()):
        return f"{count}ME"
    if bool((stamps.day == 1).all()):
        return f"{count}MS"

    raise SpecError(
        "freq",
        expected=f"time stamps on the first or on the last day of a month, for {text!r}",
        received=str(stamps[~(stamps.is_month_end | (stamps.day == 1))][:1].tolist() or "both"),
        hint="Move them to the first, e.g. pandas: df['ds'].dt.to_period('M').dt.to_timestamp().",
    )


def infer(
    stamps: Stamps,
    column: str,
    *,
    gaps: bool = False,
    series: object = None,
    option: str | None = None,
) -> Frequency:
    """Infer the frequency from the increasing stamps of one series.

    A stretch without gaps is enough; the caller checks that all rows follow it.

    Args:
        stamps: pandas Index of integers or time stamps.
        column: Name of their column, for the error.
        gaps: Whether the commonest step is taken where there is no such stretch. At least half of
            the steps have to equal it, and all have to be multiples of it.
        series: Name of the series, for the error.
        option: The argument that holds their frame, if the error names it.

    Returns:
        The frequency.

    Raises:
        DataError: No frequency can be inferred.

    Example:
        >>> import pandas as pd
        >>> infer(pd.date_range("2020-01-04", periods=9, freq="7D"), "ds").name
        'W-SAT'
    """
    if stamps.dtype.kind in "iu" and len(stamps) > 1:
        steps, counts = np.unique(np.diff(stamps.to_numpy()), return_counts=True)
        return Frequency(int(steps[np.argmax(counts)]), inferred=True)

    if len(stamps) > 2:
        from pandas import infer_freq

        for stretch in _stretches(len(stamps)):
            # pandas 3.1: "a future version will return a BaseOffset object instead of a string".
            with filtering_warnings("ignore", containing="BaseOffset object instead of a string"):
                alias = infer_freq(stamps[stretch])
            if alias is not None:
                return Frequency(getattr(alias, "freqstr", alias), inferred=True)

    if gaps and len(stamps) > 2 and stamps.dtype.kind == "M":
        commonest = _commonest_step(stamps)
        if commonest is not None:
            return Frequency(_alias(commonest, stamps), inferred=True)

    expected = "time stamps from which the frequency can be read"
    listed = [str(stamp) for stamp in stamps[:4]]
    if len(stamps) > 4:
        listed.append("...")
    others = (" or ", Option("freq", "MS"), ", or 1 for whole numbers.")
    raise DataError(
        option=option,
        column=column,
        series=series,
        expected=expected,
        received=", ".join(listed),
        hint=Phrase("Name it, e.g. ", Option("freq", "D"), *others),
    )


def _stretches(length: int) -> Iterator[slice]:
    """Cut a series into ever smaller stretches; in nine stamps business days may pass for days."""
    yield slice(None)
    for count in (2, 4, 8, 16):
        size = length // count
        if size >= 10:
            yield from (slice(start, start + size) for start in range(0, length - size + 1, size))


def _commonest_step(stamps: Stamps) -> str | None:
    """Return the alias of the commonest step between stamps with gaps, if there is one."""
    local = wall_clock(stamps)
    months = np.asarray(12 * local.year + local.month)
    same_time = len(np.unique(local - local.normalize())) == 1
    for suffix, fits in (("MS", local.day == 1), ("ME", local.is_month_end)):
        if same_time and bool(np.all(fits)):
            count = _commonest(np.diff(months))
            return None if count is None else f"{count}{suffix}"

    step = _commonest(np.diff(seconds(local)))
    if step is None or step != int(step):
        return None

    for alias, size in (("D", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if int(step) % size == 0:
            is_daily = alias == "D" and step == size
            if is_daily and len(local) > 9 and bool((local.weekday < 5).all()):
                return "B"
            return f"{int(step) // size}{alias}"
    return None


def _commonest(steps: Array) -> int | float | None:
    sizes, counts = np.unique(steps, return_counts=True)
    size = sizes[np.argmax(counts)]
    if 2 * counts.max() < len(steps) or np.any(steps % size):
        return None
    commonest: int | float = size.item()
    return commonest
