"""Description of a table of series before a training: step, season, trend, gaps and outliers."""

import calendar
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast.data.detection import MOST_SERIES, detect_seasons, main_season
from seqcast.data.faults import beyond_quartiles, fault_text, odd_series, without_sentinels
from seqcast.data.frames import LongFrame, UserFrame, read_frame, stamp_text, usual_season
from seqcast.data.season_lengths import Season
from seqcast.data.seasons import strengths
from seqcast.errors import DataError, counted
from seqcast.runtime import Array
from seqcast.specs import Columns, check_int

# Series with errors that are listed.
LISTED = 10
# A detected season may be taken for the longer season of forecasts if it is shorter by less than
# this fraction of it,
_TOLERANCE = 0.1
# and its strength is not greater by more than this.
_STRENGTH_MARGIN = 0.05
# Fewest days of a table from which the days of the week without values are known.
_FEWEST_DAYS = 28


@dataclass(frozen=True)
class SeriesFacts:
    """Facts about one series.

    Args:
        name: Its name, and the target's where there are several.
        rows: Number of given rows.
        start: First stamp, as text.
        end: Last stamp, as text.
        missing_steps: Steps without a row.
        missing_values: Rows without a value.
        outliers: Values beyond the quartiles by more than three times their distance (Tukey 1977,
            "far out").
        zeros: Fraction of values that are zero.
        constant: Longest stretch of values that are the same.
        mean: Mean of the values.
        deviation: Their standard deviation.
        least: Their smallest.
        most: Their largest.
        trend: Strength of the trend, 0 to 1; see `strengths`.
        season: Strength of the season, 0 to 1; NaN without two whole seasons.
        longer_season: That of the longest season that was detected beyond it; NaN where there is
            none.
    """

    name: str
    rows: int
    start: str
    end: str
    missing_steps: int
    missing_values: int
    outliers: int
    zeros: float
    constant: int
    mean: float
    deviation: float
    least: float
    most: float
    trend: float
    season: float
    longer_season: float

    def to_dict(self) -> dict[str, str | float | None]:
        """Return the facts as JSON types; unknown ones are `None`."""
        return {name: None if value != value else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Description:
    """Facts about a table of series; as a string, a text to read.

    Args:
        series: Facts about each series.
        frequency: Step between the stamps; `None` for irregular ones.
        inferred: Whether it was inferred.
        season_length: Steps of a season; 1 for none.
        detected: Steps of the seasons that values show and stamps do not tell, the strongest first.
        faults: All that is wrong, an error each; facts are about the rows without them.
        frame: The checked series.
    """

    series: tuple[SeriesFacts, ...]
    frequency: str | int | None
    inferred: bool
    season_length: int
    detected: tuple[int, ...]
    faults: tuple[DataError, ...]
    frame: LongFrame

    @classmethod
    def of(cls, frame: LongFrame, season_length: int | None = None) -> Self:
        """Describe series that have been checked; arguments as for `describe`.

        Args:
            frame: The series.
            season_length: Steps of a season; `None` takes the usual one.
        """
        frame, sentinels = without_sentinels(frame)
        faults = (*frame.faults, *sentinels, *odd_series(frame), *frame.skipped.values())
        frequency = frame.frequency
        name = None if frequency is None else frequency.name
        season = season_length or usual_season(frequency)

        shown = detect_seasons(frame, frame.source.lengths, season)
        if season_length is None and season == 1:
            season = main_season(shown)
        detected = as_used(shown, season, _some_series(frame))

        longer = max((steps for steps in detected if steps > season), default=None)
        facts = tuple(_facts(frame, season, longer))
        inferred = frequency is not None and frequency.inferred
        return cls(facts, name, inferred, season, detected, faults=faults, frame=frame)

    @property
    def span(self) -> tuple[str, str]:
        """First and last stamp of all series, as text."""
        return stamp_text(min(self.frame.first_stamps)), stamp_text(max(self.frame.last_stamps))

    def to_dict(self) -> dict[str, Any]:
        """Return all facts as JSON types."""
        own = {name: getattr(self, name) for name in ("frequency", "inferred", "season_length")}
        totals = {
            name: self._total(name) for name in ("missing_steps", "missing_values", "outliers")
        }
        return {
            "series_count": len(self.series),
            "rows": self._total("rows"),
            **own,
            "detected": list(self.detected),
            **totals,
            "faults": list(map(str, self.faults)),
            "series": [facts.to_dict() for facts in self.series],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame with a row for each series."""
        return pd.DataFrame([vars(facts) for facts in self.series])

    def __str__(self) -> str:
        return "\n".join([*self.lines(), *self.fault_lines()])

    def fault_lines(self, word: Callable[[DataError], str] = str) -> Iterator[str]:
        """Yield lines about all that is wrong; none where nothing is.

        Args:
            word: Returns an error as text.
        """
        left_out = ""
        if any(error.rows for error in self.faults):
            left_out = " (the lines above are about the rows without)"
        if self.faults:
            yield f"\nWrong, or perhaps not meant{left_out}:"

        listed = len(self.faults) - max(0, len(self.frame.skipped) - LISTED)
        for error in self.faults[:listed]:
            yield f"- {fault_text(error, word)}"
        if listed < len(self.faults):
            yield f"- {len(self.faults) - listed:,} more series cannot be read"

    def _total(self, name: str) -> int:
        return sum(getattr(facts, name) for facts in self.series)

    def lines(self) -> Iterator[str]:
        """Yield the facts, a line each."""
        lengths = [facts.rows for facts in self.series]
        rows = f"{lengths[0]} rows"
        if min(lengths) < max(lengths):
            rows = f"{min(lengths)} to {max(lengths)} rows each"
        yield f"{counted(len(self.series), 'series')}, {rows}, {sum(lengths)} in all"

        yield f"time      {' to '.join(self.span)}{self._early_ends()}"
        step = "no step that all rows keep to" if self.frequency is None else f"{self.frequency}"
        inferred = " (inferred)" if self.inferred else ""
        yield f"step      {step}{inferred}"
        yield f"season    {'; '.join(self._seasons())}"
        yield f"trend     strength {np.median([facts.trend for facts in self.series]):.2f}"

        steps = counted(self._total("missing_steps"), "missing step")
        values = counted(self._total("missing_values"), "missing value")
        closed = f", no {', no '.join(self._closed)}: forecasts have them" if self._closed else ""
        yield f"gaps      {steps}, {values}{closed}"

        outliers = counted(self._total("outliers"), "value")
        yield f"outliers  {outliers} far from the rest{self._affected()}"
        zeros = float(np.mean([facts.zeros for facts in self.series]))
        longest = max(self.series, key=lambda facts: facts.constant)
        stretch = f"{counted(longest.constant, 'row')} ({longest.name})"
        yield f"zeros     {zeros:.1%}; longest constant stretch {stretch}"

    def _early_ends(self) -> str:
        """Return how many series end before the others, in words; nothing where none does."""
        ends = pd.Series(self.frame.last_stamps)
        earlier = ends[ends < ends.max()]
        if earlier.empty:
            return ""
        first = stamp_text(earlier.min())
        return f"; {len(earlier)} of {len(self.series)} end earlier, from {first} on"

    def _affected(self) -> str:
        """Return how many of several series have outliers, in words."""
        affected = sum(facts.outliers > 0 for facts in self.series)
        if not affected or len(self.series) == 1:
            return ""
        return f" in {affected} of {len(self.series)} series"

    @property
    def _closed(self) -> list[str]:
        """Days of the week on which a daily table has no value."""
        stamps = self.frame.stamps[~np.isnan(self.frame.targets).all(axis=1)]
        if self.frequency != "D" or len(stamps) < _FEWEST_DAYS:
            return []
        seen = set(stamps.day_of_week)
        return [f"{day}s" for number, day in enumerate(calendar.day_name) if number not in seen]

    def _seasons(self) -> Iterator[str]:
        longer = max((steps for steps in self.detected if steps > self.season_length), default=1)
        names = {self.season_length: "season", longer: "longer_season"}
        for steps, name in names.items():
            if steps == 1:
                continue
            strength = _median_strength(getattr(facts, name) for facts in self.series)
            detected = " (detected)" if steps in self.detected else ""
            known = "" if np.isnan(strength) else f", strength {strength:.2f}"
            yield f"{steps} steps{detected}{known}"
        if max(names) == 1:
            yield "none"


def describe(
    df: UserFrame,
    columns: Columns | None = None,
    *,
    freq: Any = None,
    season_length: int | None = None,
) -> Description:
    """Describe the series of a frame.

    It does not stop at an error: rows and series with one are left out, and all errors are listed.

    Args:
        df: A frame as for `Forecaster.fit`.
        columns: Names of its columns.
        freq: Step between the stamps; `None` infers it.
        season_length: Steps of a season; `None` takes the usual one of the frequency, and where
            that has none the one that is detected.

    Returns:
        The facts.

    Raises:
        DataError: A column is missing or has another type, or no row is left.

    Example:
        >>> from seqcast.data.datasets import load
        >>> facts = describe(load("elnino"))
        >>> facts.frequency, facts.season_length
        ('MS', 12)
        >>> facts.series[0].rows, round(facts.series[0].season, 1)
        (732, 0.9)

    Source: Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, sections 3.4 and
        4.3.
    """
    if season_length is not None:
        check_int("season_length", season_length)

    frame = read_frame(
        df, columns, freq=freq, missing="fill", on_bad_series="skip", on_bad_rows="skip"
    )
    return Description.of(frame, season_length)


def _facts(frame: LongFrame, season_length: int, longer: int | None) -> Iterator[SeriesFacts]:
    source = frame.source
    counts = np.add.reduceat((frame.rows >= 0).astype(np.int64), source.starts)
    names = frame.schema.columns.targets
    starts = list(map(stamp_text, frame.first_stamps))
    ends = list(map(stamp_text, frame.last_stamps))

    for target, target_name in enumerate(names):
        column = frame.targets[:, target]
        for place, name in enumerate(source.ids):
            values = column[source.rows(place)]
            observed = values[~np.isnan(values)]
            some = observed if len(observed) else np.array([np.nan])
            rows = int(counts[place])
            missing_steps = len(values) - rows
            # A longer season is no trend.
            trend, longest = strengths(values, longer or season_length)

            yield SeriesFacts(
                name=f"{name}, {target_name}" if len(names) > 1 else str(name),
                rows=rows,
                start=starts[place],
                end=ends[place],
                missing_steps=missing_steps,
                missing_values=len(values) - len(observed) - missing_steps,
                outliers=int(np.count_nonzero(is_outlier(values))),
                zeros=float(np.mean(observed == 0)) if len(observed) else float("nan"),
                constant=_longest_constant(values),
                mean=float(np.mean(some)),
                deviation=float(np.std(some)),
                least=float(np.min(some)),
                most=float(np.max(some)),
                trend=trend,
                season=strengths(values, season_length)[1],
                longer_season=longest if longer else float("nan"),
            )


def _median_strength(strengths_of_series: Iterable[float]) -> float:
    """Return the median of the strengths that are known; NaN where none is."""
    known = [strength for strength in strengths_of_series if not np.isnan(strength)]
    return float(np.median(known)) if known else float("nan")


def as_used(seasons: Sequence[int], season_length: int, series: Sequence[Array]) -> tuple[int, ...]:
    """Return detected seasons by the lengths that forecasts use.

    A year of days may be detected as 360 or 375 steps, and a week of half hours also as three
    weeks. Forecasts use `Season.of(season_length).longer` in place of each longer season that is
    not clearly stronger.

    Args:
        seasons: Steps of the detected seasons.
        season_length: Steps of the season that forecasts use.
        series: The series, `[T]` each; NaN is missing.

    Example:
        >>> year = np.sin(np.arange(1456.0) * 2 * np.pi / 364)
        >>> as_used([375], 7, [year]), as_used([30], 7, [year]), as_used([375], 12, [year])
        ((364,), (30,), (375,))
    """
    longer = Season.of(season_length).longer
    if longer is None:
        return tuple(seasons)

    def strength(steps: int) -> float:
        return _median_strength(strengths(values, steps)[1] for values in series)

    most = strength(longer) + _STRENGTH_MARGIN
    used = []
    for steps in seasons:
        is_longer = steps > longer * (1 - _TOLERANCE) and strength(steps) <= most
        used.append(longer if is_longer else steps)
    return tuple(dict.fromkeys(used))


def _some_series(frame: LongFrame) -> list[Array]:
    """Return series evenly from all, `[T]` each."""
    source = frame.source
    chosen = np.unique(np.linspace(0, len(source) - 1, MOST_SERIES).astype(int))
    return [values for place in chosen for values in frame.targets[source.rows(place)].T]


def is_outlier(values: Array) -> Array:
    """Return which values of a series are far from the rest; see `beyond_quartiles` in `faults`.

    Args:
        values: The series, `[T]`; NaN is missing, and no outlier.

    Example:
        >>> is_outlier(np.array([1.0, 2.0, 3.0, 4.0, 90.0, np.nan])).tolist()
        [False, False, False, False, True, False]
    """
    return beyond_quartiles(values, values)


def _longest_constant(values: Array) -> int:
    """Return the length of the longest stretch of one value; a gap ends it."""
    if not len(values):
        return 0

    breaks = np.flatnonzero(~(values[1:] == values[:-1])) + 1
    return int(np.diff(np.concatenate([[0], breaks, [len(values)]])).max())
