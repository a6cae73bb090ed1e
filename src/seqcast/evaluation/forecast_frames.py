"""Long frames of truth and forecasts, read column by column, for scores and plots.

Names are those of Nixtla's libraries: a forecast stands in the column of its model, its intervals
in `<model>-lo-80` and `<model>-hi-80`. Like `unique_id`, `ds` and `y`, three columns are no
forecasts: `cutoff` (the last known stamp), `step` (of the forecast, from 1) and `target` (the name
of one of several).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.typing import IntoDataFrame

from seqcast.data.frames import (
    SERIES_TRIED,
    FrameColumn,
    Frequency,
    Stamps,
    as_numbers,
    check_columns,
    first,
    from_utc,
    infer,
    open_long,
    read_stamps,
    steps_between,
)
from seqcast.errors import DataError, Fix, SpecError, unknown_name
from seqcast.intervals import check_levels, level_text
from seqcast.runtime import Array
from seqcast.specs import Columns

# The last known stamp of a forecast.
CUTOFF = "cutoff"
# The step of a forecast, from 1.
STEP = "step"
# The name of one of several targets.
TARGET = "target"
KEYS = (CUTOFF, STEP, TARGET)
# Names of interval bounds: the model, the side and the level in per cent.
_BOUND = re.compile(r"^(.*)-(lo|hi)-(\d+(?:\.\d+)?)$")


def chosen_levels(
    level: Sequence[float] | float | None, known: Collection[float], model: str
) -> tuple[float, ...]:
    """Return interval levels, in per cent, the narrowest first.

    Args:
        level: The levels; `None` takes all.
        known: Levels of the intervals.
        model: A model, for the error.

    Raises:
        SpecError: There are no intervals of a level.
    """
    levels = (
        sorted(known) if level is None else check_levels(sorted(set(np.atleast_1d(level).tolist())))
    )
    for each in levels:
        if each not in known:
            words = ", ".join(map(level_text, sorted(known)))
            raise SpecError(
                "level",
                expected=f"one of {words}"
                if known
                else f"no level, since {model!r} has no intervals",
                received=level_text(each),
                hint=f"Such a level needs columns like {model}-lo-{level_text(each)}.",
            )
    return tuple(levels)


@dataclass(frozen=True)
class Groups:
    """Groups of rows.

    Args:
        codes: Number of each row's group, in the order of the groups' keys, `[rows]`.
        first: First row of each group, `[groups]`.
    """

    codes: Array
    first: Array

    def __len__(self) -> int:
        return len(self.first)

    def mean(self, values: Array) -> Array:
        """Return each group's mean, `[groups, ...]`, NaN left out.

        Args:
            values: Numbers, `[rows, ...]`.
        """
        import pandas as pd

        means = (
            pd.DataFrame(values.reshape(len(values), -1))
            .groupby(self.codes)
            .mean()
            .reindex(range(len(self)))
        )
        return means.to_numpy(copy=True).reshape(len(self), *values.shape[1:])


class FrameRows:
    """A long frame whose columns are read on demand.

    Args:
        where: The argument's name, for errors.
        df: A pandas or Polars frame with one row a series and time, in any order.
        columns: Names of its columns.

    Raises:
        DataError: It is no frame, is empty, or lacks the ids or stamps.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame({"unique_id": ["b", "a"], "ds": [1, 1], "m": 0.5, "m-lo-80": 0.1})
        >>> rows = FrameRows("df", df)
        >>> rows.groups("unique_id").codes, rows.models(None)
        (array([1, 0]), ['m'])
    """

    def __init__(self, where: str, df: IntoDataFrame, columns: Columns | None = None) -> None:
        self.where = where
        self.user_columns = columns or Columns()
        # With one column of values.
        self.columns = self.user_columns
        self.frame, self._added = open_long(df, self.columns, where)
        # The rows of which these are some, and their places.
        self._whole: tuple[FrameRows, Array] | None = None

        self.need(self.columns.unique_id, self.columns.ds)
        if len(self.columns.targets) > 1:
            self._unpivot()

    def _unpivot(self) -> None:
        """Turn columns of several targets into rows, with a column of their names."""
        columns = self.columns
        self.columns = replace(columns, y=columns.value)
        if self.has(TARGET):
            return
        self.need(*columns.targets)
        keys = (columns.unique_id, columns.ds)
        long = [
            self.frame.select(*keys, nw.lit(name).alias(TARGET), nw.col(name).alias(columns.value))
            for name in columns.targets
        ]
        self.frame = nw.maybe_reset_index(nw.concat(long))

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, name: str) -> bool:
        """Return whether there is such a column; one of values or ids is no key.

        Args:
            name: The column.
        """
        return name in self.frame.columns and (
            name not in KEYS or name not in self.columns.to_dict().values()
        )

    def need(self, *names: str) -> None:
        """Reject a frame that lacks one of the columns.

        Args:
            names: The columns.
        """
        fields = {name: field for field, name in self.user_columns.named()}
        check_columns(
            self.frame, [(fields.get(name), name) for name in names], self.where, self._added
        )

    def take(self, places: Array) -> FrameRows:
        """Return some of the rows, at least one; their steps are those that they have here.

        Args:
            places: Their places, `[n]`.
        """
        taken = FrameRows(self.where, nw.to_native(self.frame[places]), self.user_columns)
        taken._whole = (self, places)
        return taken

    def wrong_type(self, name: str, expected: str) -> DataError:
        """Return the error for a column's type.

        Args:
            name: The column.
            expected: The expected type.
        """
        dtype = self.frame[name].to_native().dtype
        return DataError(
            option=self.where,
            column=name,
            expected=expected,
            received=f"type {dtype}",
            hint="Convert it.",
            fix=Fix.CONVERT,
        )

    def column(self, name: str) -> FrameColumn:
        """Return a column before it is read.

        Args:
            name: The column.
        """
        return FrameColumn(self.frame[name], name, self.where)

    # ---------------------------------------------------------------- columns

    def times(self, name: str, *, local: bool = False) -> Array:
        """Return a column of stamps as whole numbers or as `datetime64[us]`.

        Args:
            name: The column.
            local: Whether zoned stamps show their own clock, for people, or UTC, in which none
                repeats.
        """
        stamps = read_stamps(
            self.column(name), self.columns, objects=("date", "datetime", "datetime64")
        ).stamps
        if stamps.dtype.kind in "iu":
            return np.asarray(stamps)
        if local:
            stamps = stamps.tz_localize(None)
        elif stamps.tz is not None:
            stamps = stamps.tz_convert(None)
        return np.asarray(stamps, dtype="datetime64[us]")

    def index(self, name: str) -> Stamps:
        """Return a column of stamps as a pandas index, on the clock of the frame's stamps.

        Args:
            name: The column.
        """
        return self._index(self.times(name))

    def _index(self, times: Array) -> Stamps:
        import pandas as pd

        index = pd.Index(times)
        return index if index.dtype.kind in "iu" else from_utc(index, self.zone(self.columns.ds))

    def zone(self, name: str) -> str | None:
        """Return the time zone of a column of stamps.

        Args:
            name: The column.
        """
        dtype = self.frame[name].to_native().dtype
        zone = getattr(dtype, "tz", None) or getattr(dtype, "time_zone", None)
        return None if zone is None else str(zone)

    def numbers(self, name: str) -> Array:
        """Return a column of numbers in double precision, NaN where one is missing.

        Args:
            name: The column.
        """
        return as_numbers(self.column(name))

    # ---------------------------------------------------------------- keys

    @cached_property
    def series(self) -> tuple[str, ...]:
        """Columns that name a series: the id and, of several targets, the target."""
        return (self.columns.unique_id, TARGET) if self.has(TARGET) else (self.columns.unique_id,)

    @cached_property
    def window(self) -> tuple[str, ...]:
        """Columns that name a forecast window: the series and the cutoff, if there is one."""
        return (*self.series, CUTOFF) if self.has(CUTOFF) else self.series

    @cached_property
    def names(self) -> Array:
        """Name of each row's series for people, `[rows]`: `a`, or `a, price` of several targets."""
        ids, *targets = (self.frame[name].to_list() for name in self.series)
        if targets:
            ids = [f"{name}, {target}" for name, target in zip(ids, targets[0], strict=True)]
        return np.fromiter(ids, dtype=object)

    def labels(self, name: str) -> Array:
        """Return a key column's values, `[rows]`.

        Args:
            name: The column, or `step`.
        """
        if name in (self.columns.ds, CUTOFF):
            return self.times(name)
        if name == STEP:
            return self.steps
        return np.fromiter(self.frame[name].to_list(), dtype=object)

    def groups(self, *names: str) -> Groups:
        """Return the rows' groups by key columns.

        Args:
            names: The columns, or `step`; no name makes one group.
        """
        import pandas as pd

        codes = np.zeros(len(self), dtype=np.int64)
        for name in names:
            name_codes, unique = pd.factorize(self.labels(name), sort=True)
            if (name_codes < 0).any():
                raise self.column(name).error(
                    row=first(name_codes < 0),
                    expected="a name",
                    received="none",
                    hint="Fill it in or drop the row.",
                )
            _, codes = np.unique(codes * len(unique) + name_codes, return_inverse=True)

        _, leaders = np.unique(codes, return_index=True)
        return Groups(codes, leaders)

    @cached_property
    def steps(self) -> Array:
        """Step of each row's forecast, from 1: the column `step`, or steps after the cutoff.

        Without the column, steps are counted by the frequency of the stamps, so missing rows change
        none of them. Without cutoffs, the first row of each window is step 1.

        Raises:
            DataError: The column has other values, or there is none and the stamps have no
                frequency.
        """
        if self._whole is not None:
            rows, places = self._whole
            return rows.steps[places]
        if self.has(STEP):
            return self._given_steps()
        return self._counted_steps()

    def _given_steps(self) -> Array:
        """Return the column `step`."""
        steps = self.numbers(STEP)
        invalid = ~((steps >= 1) & (steps == np.round(steps)))
        if invalid.any():
            place = first(invalid)
            raise self.column(STEP).error(
                row=place,
                expected="the step of the forecast, a whole number from 1",
                received=f"{steps[place]:g}",
                hint="Rename the column if it is something else.",
            )

        return steps.astype(np.int64)

    def _counted_steps(self) -> Array:
        """Return the steps from each row's cutoff, by the longest step that fits all rows."""
        times = self.times(self.columns.ds)
        least = int(self.has(CUTOFF))
        origins = self.times(CUTOFF) if self.has(CUTOFF) else self._first_times

        if len(np.unique(np.concatenate([times, origins]))) <= 2:
            # The only distance between two stamps is a step.
            counts = [np.sign(np.asarray(times - origins, dtype=np.int64))]
        else:
            stamps = self._index(origins), self._index(times)
            counts = [steps_between(frequency, *stamps) for frequency in self._frequencies(origins)]

        fitting = [steps for steps in counts if (steps >= least).all()]
        if fitting:
            return min(fitting, key=np.sum) + (1 - least)

        row = first(counts[0] < least) if counts else 0
        stamp = self._index(times[[row]])[0]
        origin = self._index(origins[[row]])[0]
        raise self.column(self.columns.ds).error(
            row=row,
            expected=(
                f"a column {STEP!r}, or stamps some steps of one frequency after {self._origin}"
            ),
            received=f"{stamp} after {origin}",
            hint=(
                "Add the column, 1 for the first step after the cutoff; "
                "seqcast.evaluation.count_steps counts them."
            ),
        )

    @property
    def _origin(self) -> str:
        """What steps are counted from, in words."""
        return "the cutoff" if self.has(CUTOFF) else "the first of their window"

    @property
    def _first_times(self) -> Array:
        """The first stamp of each row's window, `[rows]`."""
        import pandas as pd

        windows = pd.Series(self.times(self.columns.ds)).groupby(self.groups(*self.window).codes)
        return windows.transform("min").to_numpy()

    def _frequencies(self, origins: Array) -> list[Frequency]:
        """Return the frequencies of stamps and origins, of some series and of all together.

        Args:
            origins: A stamp of each row, `[rows]`.
        """
        times = self.times(self.columns.ds)
        codes = self.groups(*self.series).codes
        longest = np.argsort(-np.bincount(codes), kind="stable")[:SERIES_TRIED]

        found: dict[Any, Frequency] = {}
        for rows in (*(codes == series for series in longest), np.ones(len(codes), dtype=bool)):
            stamps = self._index(np.unique(np.concatenate([times[rows], origins[rows]])))
            with contextlib.suppress(DataError):  # too few stamps, or irregular ones
                frequency = infer(stamps, self.columns.ds, gaps=True)
                found[frequency.name] = frequency

        return list(found.values())

    # ---------------------------------------------------------------- forecasts

    def models(self, models: Sequence[str] | None) -> list[str]:
        """Return the columns of forecasts.

        Args:
            models: The columns; `None` takes all numbers that are neither keys nor interval bounds.
        """
        keys = (*self.columns.to_dict().values(), CUTOFF, STEP, TARGET)
        values = [
            name
            for name in self.frame.columns
            if name not in keys and self.frame[name].dtype.is_numeric()
        ]

        forecasts = [name for name in values if not _BOUND.match(name)]
        for name in models or ():
            if name not in values:
                raise unknown_name("models", name, forecasts)

        if not forecasts and not models:
            raise DataError(
                self.where,
                expected="a column of forecasts",
                received=f"the columns {', '.join(map(repr, self.frame.columns))}",
                hint="Add one a model.",
            )

        return list(models or forecasts)

    def bounds(
        self, model: str, level: Sequence[float] | None = None
    ) -> dict[float, tuple[str, str]]:
        """Return the columns of a model's intervals by level in per cent, the narrowest first.

        Args:
            model: The model.
            level: The levels; `None` takes all.
        """
        bounds: dict[float, dict[str, str]] = {}
        for name in self.frame.columns:
            match = _BOUND.match(name)
            if match and match[1] == model:
                bounds.setdefault(float(match[3]), {})[match[2]] = name

        whole = {each: (pair["lo"], pair["hi"]) for each, pair in bounds.items() if len(pair) == 2}
        return {each: whole[each] for each in chosen_levels(level, whole, model)}

    # ---------------------------------------------------------------- results

    def lay_out(self, keys: Sequence[str], places: Array, values: dict[str, Any]) -> Any:
        """Return a frame of the kind that came in.

        Args:
            keys: Columns whose values are taken from the rows at `places`, unchanged.
            places: A row for each row of the result.
            values: Other columns by name.
        """
        backend = self.frame.implementation
        present = [name for name in keys if self.has(name)]
        new: dict[str, Any] = {
            name: self.labels(name)[places] for name in keys if name not in present
        }
        new |= values

        if not present:
            return nw.from_dict(new, backend=backend).to_native()
        frame = nw.maybe_reset_index(self.frame.select(*present)[places])
        series = [nw.new_series(name, column, backend=backend) for name, column in new.items()]
        return frame.with_columns(*series).select(*keys, *values).to_native()
