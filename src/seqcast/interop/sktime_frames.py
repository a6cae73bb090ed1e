"""sktime's frames of targets and covariates as one long frame, and back.

The last level of their index is the time: periods, dates or whole numbers. The levels above it, if
there are any, name the series. `Forecaster` has one column of ids and no periods, so both are
translated, and translated back.
"""

import numbers
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.extensions import ExtensionArray

from seqcast.data.frames import Frequency, Stamps, infer
from seqcast.errors import DataError, SpecError
from seqcast.forecaster import RESERVED
from seqcast.runtime import Array
from seqcast.specs import Covariates

ALIAS = "seqcast"
RESERVED_NAMES = frozenset({"unique_id", "ds", "y", ALIAS, *RESERVED})
# The name of the series of a frame without any.
ONLY = "series"
# Periods from which the step between their starts can be read.
ENOUGH = 24

# The last stamp of each series by its id: time stamps, or whole numbers.
Ends: TypeAlias = dict[Any, Any]


def series_name(key: Hashable) -> str | int:
    """Return the id of a series in a long frame.

    Args:
        key: Its key in the index: a label, or a tuple of labels.

    Example:
        >>> series_name("north"), series_name(7), series_name(("north", 7))
        ('north', 7, 'north/7')
    """
    if isinstance(key, numbers.Integral):
        return int(key)
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)


def column_names(
    columns: Iterable[Hashable], letter: str, reserved: AbstractSet[str]
) -> tuple[str, ...]:
    """Return the names of columns in a long frame.

    These are their own, or where these are impossible, a letter and a number.

    Args:
        columns: The columns' own names.
        letter: First letter of new names.
        reserved: Names of other columns.

    Example:
        >>> column_names(["sales", "ds", 0], "y", {"ds"})
        ('sales', 'y1', 'y2')
    """
    names = tuple(
        name if isinstance(name, str) and name and name not in reserved else f"{letter}{place}"
        for place, name in enumerate(columns)
    )
    if len({*names, *reserved}) == len(names) + len(reserved):
        return names
    return tuple(f"{letter}_{place}" for place in range(len(names)))


def last_stamps(rows: pd.DataFrame) -> Ends:
    """Return the last stamp of each series of a long frame, by its id.

    Args:
        rows: The long frame.
    """
    return rows.groupby("unique_id")["ds"].max().to_dict()


@dataclass(frozen=True)
class HorizonSteps:
    """The steps after some series, and those of them that a forecasting horizon names.

    Args:
        stamps: The stamps, `H` of each series, series after series.
        named: Which of them the horizon names, `[series, H]`: the same number for each series.

    Example:
        >>> import pandas as pd
        >>> ends = pd.Index([3, 5])
        >>> HorizonSteps.counted(Frequency(1), ends, [1, 3]).named_stamps
        Index([4, 6, 6, 8], dtype='int64')
        >>> HorizonSteps.at(Frequency(1), ends, pd.Index([6, 7])).named
        array([[False, False,  True,  True],
               [ True,  True, False, False]])
    """

    stamps: Stamps
    named: Array

    @classmethod
    def counted(cls, frequency: Frequency, ends: Stamps, steps: Sequence[int] | Array) -> Self:
        """Return steps counted from each series' own end.

        Args:
            frequency: The step.
            ends: The last stamp of each series.
            steps: Numbers of the steps, from 1.
        """
        horizon = int(max(steps))
        named = np.isin(np.arange(1, horizon + 1), steps)
        return cls(frequency.following(ends, horizon), np.tile(named, (len(ends), 1)))

    @classmethod
    def at(cls, frequency: Frequency, ends: Stamps, stamps: Stamps) -> Self:
        """Return the steps with the same stamps in all series.

        Args:
            frequency: The step.
            ends: The last stamp of each series.
            stamps: The stamps.

        Raises:
            DataError: A stamp is no step of a series.
        """
        horizon = 1
        while (frequency.after(ends, horizon) < stamps.max()).any():
            horizon += 1

        following = frequency.following(ends, horizon)
        named = np.asarray(following.isin(stamps)).reshape(len(ends), horizon)
        lacking = np.flatnonzero(named.sum(axis=1) < len(stamps))
        if len(lacking):
            series = int(lacking[0])
            own = following[series * horizon : (series + 1) * horizon]
            foreign = stamps[~stamps.isin(own)][0]
            raise DataError(
                "fh",
                expected=f"steps of {frequency.name} after {ends[series]}, the end of a series",
                received=str(foreign),
                hint="Ask for other stamps, or for steps, such as fh=[1, 2].",
            )
        return cls(following, named)

    @property
    def horizon(self) -> int:
        """Number of steps of each series, `H`."""
        return len(self.named[0])

    @property
    def named_stamps(self) -> Stamps:
        """The stamps that the horizon names, series after series."""
        return self.stamps[self.named.ravel()]

    def pick(self, values: ArrayLike, targets: int) -> Array:
        """Return the values at the steps that the horizon names.

        Args:
            values: A column of a forecast, sorted by series, target and step.
            targets: Number of targets, `D`.

        Returns:
            The values, `[series · K, D]`.
        """
        cube = np.asarray(values, dtype=np.float64).reshape(len(self.named), targets, self.horizon)
        return np.moveaxis(cube, 1, 2)[self.named]


@dataclass
class Translation:
    """The translation of frames with an index into long frames.

    The frames of the first fit define it.

    Args:
        levels: Names of the levels of the index of `y`.
        period: The frequency of its periods; `None` when it has dates or numbers.
        targets: Names of the columns of `y` in long frames.
        names: For each column of `X` its name in long frames.
        covariates: These names, by role.
        keys: For each id the key of the series in the index, in their first order.
        ends: The last stamp of each series.

    Example:
        >>> import pandas as pd
        >>> months = pd.period_range("2024-01", periods=2, freq="M")
        >>> y, X = pd.DataFrame({"sold": [1.0, 2.0]}, months), pd.DataFrame({0: [5, 6]}, months)
        >>> translation = Translation.of(y, X)
        >>> print(translation.rows(y, X))
          unique_id         ds  sold  x0
        0    series 2024-01-01   1.0   5
        1    series 2024-02-01   2.0   6
        >>> translation.step(months)
        'MS'
        >>> translation.index([()], translation.stamps(months))
        PeriodIndex(['2024-01', '2024-02'], dtype='period[M]')
    """

    levels: tuple[Hashable, ...]
    period: str | None
    targets: tuple[str, ...]
    names: Mapping[Hashable, str]
    covariates: Covariates
    keys: Mapping[Hashable, Hashable] = field(default_factory=dict)
    ends: Ends = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        y: pd.DataFrame,
        X: pd.DataFrame | None,
        static: Sequence[Hashable] = (),
        past: Sequence[Hashable] = (),
    ) -> Self:
        """Return the translation of the frames of a fit.

        Args:
            y: The targets.
            X: The covariates, or `None`.
            static: Columns of `X` that are constant within a series.
            past: Columns of `X` that are not known for the future.

        Raises:
            SpecError: `X` has no such column.
        """
        columns = [] if X is None else list(X.columns)
        for option, role_columns in (("static_covariates", static), ("past_covariates", past)):
            for column in role_columns:
                if column not in columns:
                    raise SpecError(
                        option,
                        expected=(
                            f"columns of X: {', '.join(map(repr, columns)) or 'there is none'}"
                        ),
                        received=repr(column),
                        hint="Name columns of the X that fit is given.",
                    )

        reserved = RESERVED_NAMES if len(y.columns) > 1 else RESERVED_NAMES - {"y"}
        targets = column_names(y.columns, "y", reserved)
        new_names = column_names(columns, "x", RESERVED_NAMES | {*targets})
        names: dict[Hashable, str] = dict(zip(columns, new_names, strict=True))
        roles = Covariates(
            tuple(names[column] for column in static),
            tuple(names[column] for column in past),
            tuple(names[column] for column in columns if column not in {*static, *past}),
        )

        times = y.index.get_level_values(-1)
        period = times.freqstr if isinstance(times, pd.PeriodIndex) else None
        return cls(tuple(y.index.names), period, targets, names, roles)

    # Index

    def step(self, index: pd.Index) -> str | int | None:
        """Return the step between times, as `Forecaster` names it.

        Args:
            index: The index. Whole numbers are counted by one, as forecasting horizons count them.

        Returns:
            The step; `None` where dates have no frequency.
        """
        times = index.get_level_values(-1)
        if self.period is not None:
            run = pd.period_range(times.min(), periods=ENOUGH, freq=self.period)
            return infer(run.to_timestamp(), "y").name
        return 1 if times.dtype.kind in "iu" else getattr(index, "freqstr", None)

    def stamps(self, index: pd.Index) -> Stamps:
        """Return the times of an index as time stamps or whole numbers; a period has its start.

        Args:
            index: The index.
        """
        times = index.get_level_values(-1)
        return times.to_timestamp() if isinstance(times, pd.PeriodIndex) else times

    def index(self, keys: Iterable[Hashable], stamps: Stamps) -> Stamps:
        """Return an index with the levels and periods of `y`.

        Args:
            keys: The key of each series.
            stamps: The same number of stamps for each series, series after series.
        """
        times = stamps if self.period is None else stamps.to_period(self.period)
        if len(self.levels) == 1:
            return times.rename(self.levels[0])

        tuples = [key if isinstance(key, tuple) else (key,) for key in keys]
        steps = len(times) // len(tuples)
        levels = [np.repeat(np.asarray(level), steps) for level in zip(*tuples, strict=True)]
        return pd.MultiIndex.from_arrays([*levels, times], names=self.levels)

    def _long(
        self, index: pd.Index, values: Mapping[str, ArrayLike | ExtensionArray]
    ) -> tuple[pd.DataFrame, Mapping[Hashable, Hashable]]:
        """Return the long frame of an index and columns, and the key of each id in the index."""
        keys: dict[Hashable, Hashable] = {ONLY: ()}
        ids = np.full(len(index), ONLY)
        if isinstance(index, pd.MultiIndex):
            codes, levels = pd.factorize(index.droplevel(-1))
            names = [series_name(key) for key in levels]
            if not all(isinstance(name, int) for name in names):
                names = list(map(str, names))
            keys = dict(zip(names, levels, strict=True))
            if len(keys) < len(names):
                twice = next(name for place, name in enumerate(names) if name in names[:place])
                raise DataError(
                    "y, index",
                    expected="series whose names differ as text",
                    received=f"two that are {twice!r}",
                    hint="Rename one.",
                )
            ids = np.asarray(names)[codes]
        return pd.DataFrame({"unique_id": ids, "ds": self.stamps(index), **values}), keys

    # Frames

    def rows(self, y: pd.DataFrame, X: pd.DataFrame | None) -> pd.DataFrame:
        """Return the long frame of some series and their covariates.

        Args:
            y: The targets.
            X: The covariates, or `None`.

        Raises:
            DataError: Columns or rows are missing, or two series would have the same id.
        """
        if len(y.columns) != len(self.targets):
            raise DataError(
                "y",
                expected=f"{len(self.targets)} columns, as at fit",
                received=f"{len(y.columns)}: {list(y.columns)}",
                hint="Give the same ones.",
            )

        values = {name: y.iloc[:, place].to_numpy() for place, name in enumerate(self.targets)}
        rows, keys = self._long(y.index, values)
        self.keys = {**self.keys, **keys}
        covariates = self._checked(X, self.names)
        if covariates is None:
            return rows

        lacking = np.flatnonzero(~y.index.isin(covariates.index))
        if len(lacking):
            row = int(lacking[0])
            where = f"X (series {rows['unique_id'].tolist()[row]!r})"
            raise DataError(
                where,
                expected="a row for each of y",
                received=f"none for {y.index.get_level_values(-1)[row]}",
                hint="Add it.",
            )
        covariates = covariates.reindex(y.index)
        return rows.assign(**_renamed(covariates, self.names))

    def future(
        self, X: pd.DataFrame | None, steps: HorizonSteps, ids: Sequence[Hashable]
    ) -> pd.DataFrame | None:
        """Return the long frame of the known future.

        Steps that the horizon leaves out have empty rows.

        Args:
            X: A frame with the columns of the known future.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.

        Returns:
            The frame; `None` when no column has a known future.

        Raises:
            DataError: Columns are missing, or `X` is given and was not at fit.
        """
        columns = {
            column: name for column, name in self.names.items() if name in self.covariates.future
        }
        X = self._checked(X, columns)
        if X is None:
            return None

        rows, _ = self._long(X.index, _renamed(X, columns))
        owners = np.repeat(np.asarray(ids), steps.horizon)
        between = pd.DataFrame({"unique_id": owners, "ds": steps.stamps})[~steps.named.ravel()]
        there = pd.MultiIndex.from_frame(rows[["unique_id", "ds"]])
        absent = between[~pd.MultiIndex.from_frame(between).isin(there)]
        return pd.concat([rows, absent], ignore_index=True) if len(absent) else rows

    def _checked(
        self, X: pd.DataFrame | None, needed: Mapping[Hashable, str]
    ) -> pd.DataFrame | None:
        """Return `X` if it has the needed columns, and `None` if none are needed."""
        if X is not None and not self.names:
            raise DataError(
                "X", expected="None: fit was given none", received="a frame", hint="Fit with X too."
            )
        if not needed:
            return None

        present = () if X is None else X.columns
        lacking = [column for column in needed if column not in present]
        if lacking:
            raise DataError(
                "X",
                expected=f"the columns {', '.join(map(repr, needed))}, as at fit",
                received="None" if X is None else f"a frame without {lacking[0]!r}",
                hint=(
                    "Give them; columns whose future is not known may be named in past_covariates."
                ),
            )
        return X

    def indexed(
        self,
        values: Array,
        columns: pd.Index,
        steps: HorizonSteps,
        ids: Sequence[Hashable],
    ) -> pd.DataFrame:
        """Return a frame of forecasts with an index, series in their first order.

        Args:
            values: The numbers, `[series · K, columns]`.
            columns: Names of the columns.
            steps: The steps of the forecast.
            ids: The series, as in `steps`.
        """
        index = self.index([self.keys[name] for name in ids], steps.named_stamps)
        places = {name: place for place, name in enumerate(self.keys)}
        order = np.argsort([places[name] for name in ids])
        rows = np.arange(len(index)).reshape(len(ids), -1)[order].ravel()
        return pd.DataFrame(values, index, columns).iloc[rows]

    def move_ends(self, rows: pd.DataFrame) -> None:
        """Move the ends of series to those of some rows.

        Args:
            rows: A long frame.
        """
        self.ends = {**self.ends, **last_stamps(rows)}


def _renamed(frame: pd.DataFrame, names: Mapping[Hashable, str]) -> dict[str, ExtensionArray]:
    """Return columns by their new names."""
    return {name: frame[column].array for column, name in names.items()}
