"""Faults that a fit accepts: values that stand for missing ones, constant and equal series."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from seqcast.data.frames import LongFrame, read_frame
from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import Array, number_text
from seqcast.specs import Columns

# Numbers that programs write where a value is missing: nines, large powers of ten, and the ends of
# whole numbers.
SENTINELS = (
    -99.0,
    -999.9,
    *(10.0**digits - 1 for digits in range(3, 11)),
    *(1 - 10.0**digits for digits in range(3, 11)),
    1e20,
    -1e20,
    1e30,
    -1e30,
    32767.0,
    -32768.0,
    65535.0,
    2.0**31 - 1,
    -(2.0**31),
    2.0**32 - 1,
)
# Values beyond the quartiles by more than this multiple of their distance are far from the rest,
# "far out" with Tukey.
FAR_OUT = 3.0
# Any other whole number may stand for missing values if it is in this many rows,
LEAST_ROWS = 5
# in this fraction of all rows,
LEAST_FRACTION = 0.01
# and in this many times as many rows as any other number.
LEAST_RATIO = 3.0
# Rows of one error that are listed.
ROWS_LISTED = 5
# Fewest values of a series that is constant, or equal to another one.
LEAST_VALUES = 3


def beyond_quartiles(values: Array, others: Array) -> Array:
    """Return which values are far beyond the quartiles of others.

    They are beyond by more than three times the distance between the quartiles.

    Args:
        values: The values, `[...]`; NaN is missing, and does not.
        others: The others, `[T]`; NaN is missing.

    Example:
        >>> beyond_quartiles(np.array([2.0, -999.0]), np.arange(9.0)).tolist()
        [False, True]

    Source: Tukey 1977, Exploratory data analysis, "far out".
    """
    known = others[~np.isnan(others)]
    if len(known) < 4:
        return np.zeros(np.shape(values), dtype=bool)

    low = np.quantile(known, 0.25, method="lower")
    high = np.quantile(known, 0.75, method="higher")
    margin = FAR_OUT * (high - low)
    # Where half of the values are equal the quartiles may be too, and their distance says nothing.
    return np.asarray((margin > 0) & ((values < low - margin) | (values > high + margin)))


def without_sentinels(frame: LongFrame) -> tuple[LongFrame, list[DataError]]:
    """Return a frame without values such as -9999 that stand for missing ones, and their errors.

    They are less or more than all others of each series that has them: numbers that programs write
    for missing values, far from the others; or another whole number in many rows, which is also
    negative where no other is.

    Args:
        frame: The series.
    """
    source = frame.source
    values = source.values.copy()
    faults = []

    for target, name in enumerate(frame.schema.columns.targets):
        column = values[:, target]
        for value in _suspects(column):
            places = np.flatnonzero(column == value)
            affected = np.unique(frame.owners(places))
            own = [column[source.rows(each)] for each in affected]
            if _stands_for_missing(value, own):
                column[places] = np.nan
                faults.append(_sentinel(frame, name, places, value, column))

    return replace(frame, source=replace(source, values=values)), faults


def sentinels_of(df: pd.DataFrame, columns: Columns, freq: Any = None) -> list[DataError]:
    """Return an error for each value that stands for missing ones.

    A frame in which no value may stand for a missing one is not read.

    Args:
        df: A pandas frame with columns of numbers.
        columns: Names of its columns.
        freq: Step between the stamps; `None` infers it.
    """
    if not any(_suspects(df[name].to_numpy(float)) for name in columns.targets):
        return []

    frame = read_frame(
        df, columns, freq=freq, missing="fill", on_bad_series="skip", on_bad_rows="skip"
    )
    return without_sentinels(frame)[1]


def _suspects(values: Array) -> list[float]:
    """Return the numbers that may stand for missing values, the largest magnitude first."""
    known = values[~np.isnan(values)]
    if not len(known):
        return []

    suspects = set(known[np.isin(known, SENTINELS)].tolist())
    for extreme in (float(known.min()), float(known.max())):
        is_frequent = np.count_nonzero(known == extreme) >= LEAST_ROWS
        if extreme and extreme % 1 == 0 and is_frequent:
            suspects.add(extreme)
    return sorted(suspects, key=abs, reverse=True)


def _stands_for_missing(value: float, own: Sequence[Array]) -> bool:
    """Return whether a value stands for missing ones in the series that have it."""
    others = [each[(each != value) & ~np.isnan(each)] for each in own]
    if not all(len(each) and not each.min() <= value <= each.max() for each in others):
        return False

    far = [bool(beyond_quartiles(np.array(value), each)) for each in others]
    if all(far) and value in SENTINELS:
        return True

    known = np.concatenate(others)
    count = sum(int(np.count_nonzero(each == value)) for each in own)
    most = np.unique(known, return_counts=True)[1].max()
    is_often = count >= max(LEAST_ROWS, LEAST_FRACTION * (count + len(known)), LEAST_RATIO * most)
    is_apart = all(
        is_far or value < 0 <= each.min() for is_far, each in zip(far, others, strict=True)
    )
    return value % 1 == 0 and is_often and is_apart


def fault_text(error: DataError, word: Callable[[DataError], str] = str) -> str:
    """Return an error as text, with its first rows where it has several.

    Args:
        error: The error.
        word: Returns an error as text.
    """
    text = word(error)
    if len(error.rows) < 2:
        return text

    listed = [str(row) for row in error.rows[:ROWS_LISTED]]
    if len(error.rows) > ROWS_LISTED:
        listed.append("...")
    return f"{text} ({len(error.rows):,} rows: {', '.join(listed)})"


def _sentinel(frame: LongFrame, name: str, places: Array, value: float, others: Array) -> DataError:
    number = np.format_float_positional(value, trim="-")
    code = f'df["{name}"] = df["{name}"].mask(df["{name}"] == {number})'
    if frame.schema.kind == "polars":
        code = f'df = df.with_columns(pl.col("{name}").replace({number}, None))'

    hint = Phrase(
        "If it means a missing value: ", Option("dialect.missing_values", (number,), code), "."
    )
    least = number_text(np.nanmin(others))
    most = number_text(np.nanmax(others))
    expected = f"values such as the others, from {least} to {most}"

    error = frame.error(name, int(places[0]), expected=expected, received=number, hint=hint)
    error.missing_values = (number,)
    error.rows = frame.rows[places].tolist()
    return error


def odd_series(frame: LongFrame) -> Iterator[DataError]:
    """Yield an error for series that are constant, and one for series that are equal.

    Args:
        frame: The series.
    """
    source = frame.source
    stamps = frame.first_stamps
    constant: list[Hashable] = []
    equal: dict[Hashable, Hashable] = {}
    seen: dict[tuple[Hashable, bytes], Hashable] = {}

    for place, name in enumerate(source.ids):
        values = frame.targets[source.rows(place)]
        if np.count_nonzero(~np.isnan(values).any(axis=1)) < LEAST_VALUES:
            continue
        if (np.nanmin(values, axis=0) == np.nanmax(values, axis=0)).all():
            constant.append(name)
            continue
        first = seen.setdefault((stamps[place], values.tobytes()), name)
        if first != name:
            equal[name] = first

    if constant:
        hint = "Forecasts repeat the value. Leave such series out if they are not in use."
        yield _about(frame, constant, "values that change", "one value in all rows", hint)
    if equal:
        original = next(iter(equal.values()))
        received = f"those of {original!r} at the same times"
        hint = "Leave one out if it is there by mistake."
        yield _about(frame, list(equal), "values of its own", received, hint)


def _about(
    frame: LongFrame, names: Sequence[Hashable], expected: str, received: str, hint: str
) -> DataError:
    if len(names) > 1:
        received += f"; so in {len(names) - 1:,} other series, such as {names[1]!r}"
    return DataError(
        column=frame.schema.columns.targets[0],
        series=names[0],
        expected=expected,
        received=received,
        hint=hint,
    )
