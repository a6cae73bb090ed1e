"""A visitor's table: the file, how it is written, what its columns are, and the frame and facts that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from seqcast.data import Description, describe, is_outlier
from seqcast.data.frames import UNDERSTOOD, ColumnGuess, Dialect, guess_columns, read_raw, read_table, row_in_file
from seqcast.errors import DataError
from seqcast.specs import Columns

# What a column can be, in words.
ROLES: Mapping[str, str] = {
    "time": "time",
    "unique_id": "name of the series",
    "value": "value to forecast",
    "static": "constant in a series",
    "past": "known until now",
    "future": "known in advance",
    "ignore": "leave out",
}


@dataclass(frozen=True)
class Roles:
    """What each column of a table is.

    Args:
        of: The role of each column, one of `ROLES`, by its name.
        wide: Whether each column with the role `value` is a series.

    Example:
        >>> roles = Roles.of_guess(ColumnGuess("day", None, "sold", past=("rain",)), ["day", "sold", "rain", "note"])
        >>> roles.names("past"), roles.of["note"], roles.columns.value
        (('rain',), 'ignore', 'sold')
    """

    of: Mapping[str, str]
    wide: bool = False

    @classmethod
    def of_guess(cls, guess: ColumnGuess, names: Any) -> Self:
        """Return the roles that a guess gives."""
        roles = dict.fromkeys(map(str, names), "value" if guess.wide else "ignore")
        single = {"time": guess.time, "unique_id": guess.unique_id, "value": guess.value}
        roles |= {name: role for role, name in single.items() if name is not None}
        for role in ("static", "past", "future"):
            roles |= dict.fromkeys(getattr(guess, role), role)
        return cls(roles, guess.wide)

    def names(self, role: str) -> tuple[str, ...]:
        """Return the columns of a role.

        Args:
            role: One of `ROLES`.
        """
        return tuple(name for name, each in self.of.items() if each == role)

    def changed(self, name: str, role: str) -> Roles:
        """Return the roles with one changed; a role that only one column can have is taken from the other.

        Args:
            name: The column.
            role: Its role.
        """
        of = dict(self.of)
        if role in ("time", "unique_id") or (role == "value" and not self.wide):
            of = {each: "ignore" if of[each] == role else of[each] for each in of}
        return replace(self, of={**of, name: role})

    @property
    def columns(self) -> Columns:
        """The names for a forecaster.

        Raises:
            DataError: A column is missing that every table has.
        """
        for role in ("time", "value"):
            if not self.names(role):
                raise DataError(
                    "columns", expected=f"one for {ROLES[role]}", received="none", hint="Choose it in the table."
                )
        time = self.names("time")[0]
        if self.wide:
            return Columns(ds=time)
        ids = self.names("unique_id") or (Columns().unique_id,)
        return Columns(unique_id=ids[0], ds=time, y=self.names("value")[0])


@dataclass(frozen=True)
class Table:
    """A table that was read, before it is decided what its columns are.

    Args:
        path: Its file.
        name: What it is called on the page.
        raw: Its columns as they are.
        roles: What they are taken for.
        dialect: How its file is written, as far as a person has said so.
        shipped: Name of the data set that comes with seqcast; empty for a file.
    """

    path: Path
    name: str
    raw: Any
    roles: Roles
    dialect: Dialect = field(default_factory=Dialect)
    shipped: str = ""

    @classmethod
    def read(cls, path: Path, *, dialect: Dialect | None = None, shipped: str = "", max_rows: int = 0) -> Self:
        """Read a file and guess its columns.

        Args:
            path: The file.
            dialect: How it is written, as far as is known.
            shipped: Name of the data set that it holds.
            max_rows: Most rows; 0 for any number.

        Raises:
            DataError: It is no table, or too long.
            MissingFileError: There is no such file.
        """
        raw = read_raw(path, dialect=dialect)
        if max_rows and len(raw) > max_rows:
            raise DataError(
                path=path.name,
                expected=f"at most {max_rows:,} rows",
                received=f"{len(raw):,}",
                hint="Forecast tables of this size with the command line or the library.",
            )
        roles = Roles.of_guess(guess_columns(raw), raw.columns)
        return cls(path, path.name, raw, roles, dialect=dialect or Dialect(), shipped=shipped)

    @property
    def understood(self) -> str:
        """How the file was read, where that is not the usual way."""
        return str(self.raw.attrs.get(UNDERSTOOD, ""))

    def frame(self) -> VisitorFrame:
        """Return the series, checked.

        Raises:
            DataError: Something in the table is wrong; it names column and row.
        """
        columns, roles = self.roles.columns, self.roles
        frame = read_table(self.path, columns, dialect=self.dialect, sort=not roles.wide, wide=roles.wide)
        if roles.wide:
            frame = frame[frame[columns.unique_id].isin(roles.names("value"))]
        known_ahead = None
        future = roles.names("future")
        if future and not roles.wide:
            frame, known_ahead = _split_ahead(frame, columns, future)
        try:
            facts = describe(frame, columns)
        except DataError as error:
            # Rows were sorted: the index says where they are in the file.
            error.row = None if error.row is None else int(frame.index[error.row])
            raise
        problems = tuple(self._problem(name, error, frame) for name, error in facts.frame.skipped.items())
        return VisitorFrame(frame, known_ahead, columns, roles, facts=facts, problems=problems)

    def _problem(self, series: Any, error: DataError, frame: Any) -> str:
        """Return what is wrong with a series, in words, with its place in the file."""
        place = "" if error.column is None else f", column {error.column}"
        place += "" if error.row is None else f", row {row_in_file(self.path, frame, error.row)}"
        return f"{series}{place}: expected {error.expected}, received {error.received}."


@dataclass(frozen=True)
class VisitorFrame:
    """Series that are ready to be forecast, and what is known of them.

    Args:
        df: The rows whose values are known, or missing between known ones.
        ahead: The rows behind them, for which only the columns known in advance are given; `None` without such rows.
        columns: Names of its columns.
        roles: What the others are.
        facts: Facts about the series in which nothing is wrong.
        problems: What is wrong with the others, in words.
    """

    df: Any
    ahead: Any
    columns: Columns
    roles: Roles
    facts: Description
    problems: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The names of the series that can be forecast, in their order."""
        return [str(each) for each in self.facts.frame.source.ids]

    @property
    def has_covariates(self) -> bool:
        """Whether there are columns beside time, name and value that are read."""
        return any(self.roles.names(role) for role in ("static", "past", "future"))

    @cached_property
    def _places(self) -> dict[str, Any]:
        """The rows of each series, by its name as text: a table of millions of rows is searched once."""
        groups = self.df.groupby(self.columns.unique_id, sort=False, observed=True).indices
        return {str(name): places for name, places in groups.items()}

    def series(self, name: str) -> Any:
        """Return the rows of a series, in order of time.

        Args:
            name: Its name.
        """
        return self.df.iloc[self._places[name]].sort_values(self.columns.ds)

    def marks(self, name: str) -> tuple[Any, Any]:
        """Return where a series has outliers and where values are missing, as two masks over its rows.

        Args:
            name: Its name.
        """
        values = self.series(name)[self.columns.value].to_numpy(dtype=float)
        return is_outlier(values), np.isnan(values)

    def options(self) -> dict[str, Any]:
        """Return the arguments of a `Forecaster` that say what the columns are."""
        skipping = {"on_bad_series": "skip"} if self.facts.problems else {}
        return {
            **skipping,
            "columns": self.columns,
            "static_covariates": self.roles.names("static"),
            "past_covariates": self.roles.names("past"),
            "future_covariates": self.roles.names("future"),
        }


def rows_of(table: Any, columns: Columns, name: str) -> Any:
    """Return the rows of a series in a frame of forecasts.

    Args:
        table: The frame.
        columns: Names of its columns.
        name: Name of the series, as text.
    """
    return table[table[columns.unique_id].astype(str) == name]


def _split_ahead(frame: Any, columns: Columns, future: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the rows up to each series' last known value, and those behind it."""
    ordered = frame.sort_values([columns.unique_id, columns.ds], kind="stable")
    known = ordered[columns.value].notna()
    until = known[::-1].groupby(ordered[columns.unique_id][::-1], sort=False).cummax()[::-1]
    ahead = ordered[~until][[columns.unique_id, columns.ds, *future]]
    rows = ordered[until]
    rows.attrs.update(frame.attrs)
    return rows, ahead if len(ahead) else None
