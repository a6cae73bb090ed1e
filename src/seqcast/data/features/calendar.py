"""Calendar features of time stamps: cycles of day, week and year, and holidays.

They are known for the future. A cycle becomes two features, the sine and cosine of its phase, so
that its end meets its beginning. Zoned stamps count by their own wall clock.
"""

import datetime
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast.data.frames import Stamps, seconds, wall_clock
from seqcast.errors import DataError, Option, Phrase, SpecError, unknown_name
from seqcast.runtime import Array, require

# Seconds.
_DAY = 86_400.0
# Steps of at least this many seconds are months or longer.
_MONTH = 27 * _DAY
# The option that asks for holidays, before the code of a country.
_HOLIDAYS = "holidays:"

# Length of each cycle in seconds, and the phase in it, from 0 up to 1.
_CYCLES: dict[str, tuple[float, Callable[[Stamps], Array]]] = {
    "minute_of_hour": (3600.0, lambda stamps: (60.0 * stamps.minute + stamps.second) / 3600.0),
    "hour_of_day": (
        _DAY,
        lambda stamps: (3600.0 * stamps.hour + 60.0 * stamps.minute + stamps.second) / _DAY,
    ),
    "day_of_week": (7 * _DAY, lambda stamps: stamps.day_of_week / 7.0),
    "day_of_month": (30.4 * _DAY, lambda stamps: (stamps.day - 1) / stamps.days_in_month),
    "day_of_year": (
        365.25 * _DAY,
        lambda stamps: (stamps.dayofyear - 1) / np.where(stamps.is_leap_year, 366, 365),
    ),
    "month_of_year": (365.25 * _DAY, lambda stamps: (stamps.month - 1) / 12.0),
}
# Features that `calendar` may name, besides holidays.
CALENDAR_FEATURES = tuple(_CYCLES)
# Cycles that `auto` chooses from, for steps shorter than a month.
_FINE = ("minute_of_hour", "hour_of_day", "day_of_week", "day_of_year")
# The same for longer ones.
_COARSE = ("month_of_year",)


def check_calendar(calendar: Any) -> tuple[str, ...]:
    """Check the option and return it as names.

    Args:
        calendar: `auto`, `none`, the name of a feature, `holidays:` and a country's code, or
            several of them.

    Raises:
        SpecError: There is no such feature or country.
        MissingPackageError: Holidays are asked for and the package is not installed.

    Example:
        >>> check_calendar("auto"), check_calendar(("day_of_week", "hour_of_day"))
        (('auto',), ('day_of_week', 'hour_of_day'))
    """
    if isinstance(calendar, str):
        calendar = () if calendar == "none" else (calendar,)
    if not isinstance(calendar, Sequence) or not all(isinstance(name, str) for name in calendar):
        raise SpecError(
            "calendar",
            expected="'auto', 'none', or names of features",
            received=repr(calendar),
            hint=f"There are {', '.join(CALENDAR_FEATURES)} and holidays:DE.",
        )

    for name in calendar:
        if name.startswith(_HOLIDAYS):
            _country(name, ())
        elif name not in ("auto", *CALENDAR_FEATURES):
            raise unknown_name(
                "calendar", name, ("auto", "none", *CALENDAR_FEATURES, "holidays:DE")
            )

    if len(set(calendar)) < len(calendar):
        raise SpecError(
            "calendar", expected="each feature once", received=repr(calendar), hint="Drop one."
        )

    return tuple(calendar)


@dataclass(frozen=True)
class Calendar:
    """Calendar features of time stamps.

    Args:
        names: Names of cycles, and `holidays:` with a country's code.

    Example:
        >>> import pandas as pd
        >>> calendar = Calendar(("day_of_week",))
        >>> calendar.features(pd.DatetimeIndex(["2024-01-01"])).tolist()  # a Monday
        [[0.0, 1.0]]
    """

    names: tuple[str, ...] = ()

    @classmethod
    def choose(
        cls, calendar: Any, stamps: Stamps, where: str = "calendar", *, context_length: int = 0
    ) -> Self:
        """Choose the features for a series.

        `auto` chooses among minute of the hour, hour of the day, day of the week and day of the
        year. For steps of a month or longer there is month of the year alone. It takes the cycles
        of at least two steps that the series shows three times, and no context does. A network can
        read shorter cycles from the context, and more inputs are more to learn.

        Args:
            calendar: The option, as for `check_calendar`.
            stamps: Stamps of the longest series.
            where: The column of the stamps, for errors.
            context_length: Steps of past that a forecast reads.

        Raises:
            DataError: The stamps have no such features.
        """
        options = check_calendar(calendar)
        if stamps.dtype.kind in "iu":
            if set(options) - {"auto"}:
                raise DataError(
                    column=where,
                    expected=f"dates or times, for calendar={calendar!r}",
                    received="whole numbers",
                    hint=Phrase("Turn them into dates, or take ", Option("calendar", "none"), "."),
                )
            return cls()

        moments = seconds(stamps)
        step = float(np.median(np.diff(moments))) if len(moments) > 1 else np.inf
        names: list[str] = []
        for name in options:
            if name.startswith(_HOLIDAYS):
                _check_holiday_step(name, step, where)
            if name != "auto":
                names.append(name)
            elif len(moments) > 1:
                span = float(moments[-1] - moments[0])
                names += _auto(step, span=span, context=context_length * step)
        return cls(tuple(dict.fromkeys(names)))

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(1 if name.startswith(_HOLIDAYS) else 2 for name in self.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of each feature."""
        features: list[str] = []
        for name in self.names:
            features += [name] if name.startswith(_HOLIDAYS) else [f"{name} (sin)", f"{name} (cos)"]
        return tuple(features)

    def features(self, stamps: Stamps) -> Array:
        """Return the features of each stamp, `[len(stamps), width]`.

        Args:
            stamps: The stamps.
        """
        if not self.names:
            return np.zeros((len(stamps), 0), dtype=np.float32)

        # Series share their stamps, so each distinct stamp is computed once.
        codes, unique = pd.factorize(stamps)

        columns: list[Array] = []
        for name in self.names:
            if name.startswith(_HOLIDAYS):
                columns.append(_is_holiday(name, unique))
                continue
            phase = 2 * np.pi * np.asarray(_CYCLES[name][1](unique), dtype=np.float64)
            columns += [np.sin(phase), np.cos(phase)]

        return np.column_stack(columns).astype(np.float32)[codes]


def _check_holiday_step(name: str, step: float, column: str) -> None:
    if step > 1.5 * _DAY and np.isfinite(step):
        raise DataError(
            column=column,
            expected=f"steps of a day or shorter, for {name!r}",
            received=f"steps of about {step / _DAY:.3g} days",
            hint="Give the number of holidays in each step as a future covariate.",
        )


def _auto(step: float, *, span: float, context: float) -> list[str]:
    """Choose cycles; times are in seconds."""
    names = []
    for name in _FINE if step < _MONTH else _COARSE:
        cycle = _CYCLES[name][0]
        # A year of 52 weeks or of 365 days counts as a whole one.
        is_shown = 2 * step <= cycle and 3 * cycle <= span + step
        if is_shown and 1.01 * context < cycle:
            names.append(name)
    return names


def _country(name: str, years: Sequence[int]) -> Container[datetime.date]:
    """Return the holidays of some years for a name such as `holidays:US-CA`."""
    package = require("holidays", extra="holidays")
    country, _, region = name.removeprefix(_HOLIDAYS).partition("-")
    try:
        holidays: Container[datetime.date] = package.country_holidays(
            country, subdiv=region or None, years=list(years)
        )
    except (NotImplementedError, KeyError, ValueError, TypeError) as error:
        raise SpecError(
            "calendar",
            expected="'holidays:' and a country's code, perhaps with a region's, as holidays:US-CA",
            received=f"{name!r} ({error})",
            hint="The package `holidays` lists its countries.",
        ) from error
    return holidays


def _is_holiday(name: str, stamps: Stamps) -> Array:
    codes, days = pd.factorize(wall_clock(stamps).normalize())
    holidays = _country(name, sorted({*days.year}))
    return np.array([day in holidays for day in days.date], dtype=np.float64)[codes]
