"""Time stamps as pandas indexes: their kinds, time zones and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Stamps = Any  # a pandas Index of integers or of time stamps; pandas is imported only when a frame comes


def plain_stamps(stamps: Stamps) -> Array:
    """Return stamps as an array of whole numbers or of UTC times."""
    zoned = getattr(stamps, "tz", None) is not None
    return np.asarray((stamps.tz_convert(None) if zoned else stamps).to_numpy())


def stamp_kind(stamps: Stamps) -> str:
    """Return in words what stamps are: whole numbers, or times with or without a zone."""
    if stamps.dtype.kind in "iu":
        return "whole numbers"
    return "time stamps without a zone" if stamps.tz is None else "time stamps with a zone"


def stamp_text(stamp: Any) -> str:
    """Return one stamp as text; midnight is a date.

    Example:
        >>> import pandas as pd
        >>> [stamp_text(stamp) for stamp in (pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-01 06:00"), 17)]
        ['2024-03-01', '2024-03-01 06:00:00', '17']
    """
    return str(stamp).removesuffix(" 00:00:00")


def in_zone_of(stamps: Stamps, others: Stamps) -> Stamps:
    """Return stamps in the zone of others."""
    zone = getattr(others, "tz", None)
    return stamps if zone is None else stamps.tz_convert(zone)


def from_utc(stamps: Stamps, zone: str | None) -> Stamps:
    """Return UTC times without a zone as times of a zone; as they are for `None`."""
    return stamps if zone is None else stamps.tz_localize("UTC").tz_convert(zone)


def wall_clock(stamps: Stamps) -> Stamps:
    """Return time stamps as their zone's clock shows them, without the zone."""
    return stamps if stamps.tz is None else stamps.tz_localize(None)


def from_wall_clock(local: Stamps, zone: Any) -> Stamps:
    """Return what a zone's clock shows as time stamps of the zone; as they are for `None`.

    An hour that the clock skips is taken an hour later, one that it repeats the first time.

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
    """Return stamps as seconds since 1970, whole numbers as they are, in double precision.

    Differences of pandas's own would not reach over three centuries in nanoseconds.
    """
    if stamps.dtype.kind in "iu":
        return np.asarray(stamps, dtype=np.float64)
    return np.asarray(stamps.as_unit("us").asi8, dtype=np.float64) / 1e6


def by_series(steps: Sequence[Stamps]) -> Stamps:
    """Return stamps of step after step, `H` of `[series]`, series after series, `[series · H]`."""
    joined = steps[0].append(list(steps[1:]))
    return joined[np.arange(len(joined)).reshape(len(steps), -1).T.ravel()]
