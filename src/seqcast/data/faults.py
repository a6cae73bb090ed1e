"""Faults that a fit accepts, though they are rarely meant: values for missing ones, constant and equal series."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqcast.data.frames import LongFrame
from seqcast.errors import DataError, Option, Phrase
from seqcast.runtime import Array

# Numbers that programs write where a value is missing: nines, powers of ten, and the ends of whole numbers.
SENTINEL = re.compile(r"-99|-?9{3,}(\.9+)?|-?10{20,}|-32768|32767|65535|-?2147483648|2147483647|4294967295")
# Values beyond the quartiles by more than this multiple of their distance are far from the rest, "far out" with Tukey.
FAR_OUT = 3.0
# Fewest values of a series that is constant, or equal to another one.
LEAST_VALUES = 3


def beyond_quartiles(values: Array, others: Array) -> Array:
    """Return which values lie beyond the quartiles of others by more than three times their distance.

    Args:
        values: The values, `[...]`; NaN is missing, and does not.
        others: The others, `[T]`; NaN is missing.

    Example:
        >>> beyond_quartiles(np.array([2.0, -999.0]), np.arange(9.0)).tolist()
        [False, True]

    Source: Tukey 1977, Exploratory data analysis, "far out".
    """
    ordered = np.sort(others)  # NaN comes last
    last = len(ordered) - 1 - int(np.isnan(others).sum())
    if last < 3:
        return np.zeros(np.shape(values), dtype=bool)
    low, high = ordered[int(0.25 * last)], ordered[int(np.ceil(0.75 * last))]
    margin = FAR_OUT * (high - low)
    # Where half of the values are equal the quartiles may be too, and their distance says nothing.
    far = (values < low - margin) | (values > high + margin)
    return np.asarray(far if margin > 0 else np.zeros_like(far))


def without_sentinels(frame: LongFrame) -> tuple[LongFrame, list[DataError]]:
    """Return a frame without values such as -9999 that stand for missing ones, and an error for each such value.

    They are numbers that programs write for missing values, far from the others of each series that has them.

    Args:
        frame: The series.
    """
    values, faults = frame.source.values.copy(), list[DataError]()
    for target, name in enumerate(frame.schema.columns.targets):
        column = values[:, target]
        for value in np.unique(column[~np.isnan(column)]).tolist():
            number = np.format_float_positional(value, trim="-")
            if SENTINEL.fullmatch(number) and _is_far(frame, column, value):
                faults.append(_sentinel(frame, name, np.flatnonzero(column == value), number))
                column[column == value] = np.nan
    return replace(frame, source=replace(frame.source, values=values)) if faults else frame, faults


def _is_far(frame: LongFrame, column: Array, value: float) -> bool:
    """Return whether a value is far from the others of each series that has it."""
    source = frame.source
    for series in np.unique(frame.owners(np.flatnonzero(column == value))):
        own = column[source.starts[series] : source.ends[series]]
        if not beyond_quartiles(np.array(value), own[own != value]):
            return False
    return True


def _sentinel(frame: LongFrame, name: str, places: Array, number: str) -> DataError:
    others = np.delete(frame.source.values[:, frame.schema.columns.targets.index(name)], places)
    code = f'df["{name}"] = df["{name}"].mask(df["{name}"] == {number})'
    if frame.schema.kind == "polars":
        code = f'df = df.with_columns(pl.col("{name}").replace({number}, None))'
    missing = Option("dialect.missing_values", (number,), code)
    expected = f"values from {np.nanmin(others):g} to {np.nanmax(others):g}, as the others"
    hint = Phrase("It seems to mean that a value is missing. If so: ", missing, ".")
    error = frame.error(name, int(places[0]), expected=expected, received=number, hint=hint)
    error.rows = frame.rows[places].tolist()
    return error


def odd_series(frame: LongFrame) -> Iterator[DataError]:
    """Yield an error for series that are constant, and one for series that are equal.

    Args:
        frame: The series.
    """
    source, stamps = frame.source, frame.first_stamps
    constant, equal, seen = list[Any](), list[tuple[Any, Any]](), dict[Any, Any]()
    for place, name in enumerate(source.ids):
        values = frame.targets[source.starts[place] : source.ends[place]]
        if np.count_nonzero(~np.isnan(values).any(axis=1)) < LEAST_VALUES:
            continue
        if (np.nanmin(values, axis=0) == np.nanmax(values, axis=0)).all():
            constant.append(name)
        elif (first := seen.setdefault((stamps[place], values.tobytes()), name)) != name:
            equal.append((name, first))
    if constant:
        hint = "Forecasts repeat the value. Leave such series out if they are not in use."
        yield _about(frame, constant, "values that change", "one value in all rows", hint)
    if equal:
        names, received = [name for name, _ in equal], f"those of {equal[0][1]!r} at the same times"
        yield _about(frame, names, "values of its own", received, "Leave one out if it is there by mistake.")


def _about(frame: LongFrame, names: Sequence[Any], expected: str, received: str, hint: str) -> DataError:
    others = f"; so in {len(names) - 1:,} other series, such as {names[1]!r}" if len(names) > 1 else ""
    column, received = frame.schema.columns.targets[0], f"{received}{others}"
    return DataError(column=column, series=names[0], expected=expected, received=received, hint=hint)
