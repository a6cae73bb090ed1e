"""A visitor's table: its file, the roles of its columns, its series and their known future."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from seqcast import tables
from seqcast.data import Description, frames
from seqcast.errors import DataError
from seqcast.specs import Columns

# The roles of columns, in words.
ROLES: Mapping[str, str] = {
    "time": "time",
    "unique_id": "name of the series",
    "value": "value to forecast",
    "static": "constant in a series",
    "past": "known until now",
    "future": "known in advance",
    "ignore": "leave out",
}
# The roles of covariates.
COVARIATES = ("static", "past", "future")
# Units of frequencies by their names in pandas, without S and E for the start or the end of a
# period.
OF_CLOCK = {"s": "second", "min": "minute", "h": "hour"}
OF_MONTHS = {"M": "month", "Q": "quarter", "Y": "year"}
STEPS = {**OF_CLOCK, "D": "day", "B": "working day", "W": "week", **OF_MONTHS}


@dataclass(frozen=True)
class Roles:
    """The roles of a table's columns.

    Args:
        of: The role of each column, one of `ROLES`, by its name.
        layout: Layout of the table: in `wide` ones each column with the role `value` is a series.

    Example:
        >>> guess = tables.ColumnGuess("day", None, "sold", past=("rain",))
        >>> roles = Roles.of_guess(guess, ["day", "sold", "rain", "note"])
        >>> roles.names("past"), roles.of["note"], roles.columns.value
        (('rain',), 'ignore', 'sold')
    """

    of: Mapping[str, str]
    layout: str = "long"

    @classmethod
    def of_guess(cls, guess: tables.ColumnGuess, names: Any) -> Self:
        """Return the roles that a guess gives.

        Args:
            guess: The guess.
            names: All columns.
        """
        roles = dict.fromkeys(map(str, names), "ignore" if guess.layout == "long" else "value")
        for role, name in (
            ("time", guess.time),
            ("unique_id", guess.unique_id),
            ("value", guess.value),
        ):
            roles |= dict.fromkeys(tables.joined_parts(roles, str(name)), role)
        for role in COVARIATES:
            roles |= dict.fromkeys(getattr(guess, role), role)
        roles |= dict.fromkeys(guess.left_out, "ignore")
        return cls(roles, guess.layout)

    def names(self, role: str) -> tuple[str, ...]:
        """Return the columns of a role.

        Args:
            role: One of `ROLES`.
        """
        return tuple(name for name, each in self.of.items() if each == role)

    def changed(self, name: str, role: str) -> Roles:
        """Return the roles with one changed.

        A role that only one column can have is taken from the other column.

        Args:
            name: The column.
            role: Its role.
        """
        of = dict(self.of)
        if role in ("time", "unique_id") or (role == "value" and self.layout == "long"):
            of = {each: "ignore" if of[each] == role else of[each] for each in of}
        return replace(self, of={**of, name: role})

    @property
    def columns(self) -> Columns:
        """The names for a forecaster.

        Raises:
            DataError: There is no column of values.
        """
        if not self.names("value"):
            raise DataError(
                "columns",
                expected=f"one for {ROLES['value']}",
                received="none",
                hint="Choose it in the table.",
            )
        ids, time = (
            ",".join(self.names(role)) or own
            for role, own in (("unique_id", "unique_id"), ("time", "ds"))
        )
        return Columns(ids, time, self.names("value")[0] if self.layout == "long" else "y")


@dataclass(frozen=True)
class TableLimits:
    """Limits of a visitor's table.

    Args:
        rows: Most rows.
        columns: Most columns.
        text_columns: Most columns that hold no numbers: each is tried as times in many formats,
            which takes 17 ms.
        cells: Most cells, 8 bytes each at least.
    """

    rows: int = 5_000_000
    columns: int = 5000
    text_columns: int = 200
    cells: int = 100_000_000

    def check(self, name: str, table: Any) -> None:
        """Reject a table that is too large.

        Args:
            name: Name of its file.
            table: Its columns as they were read, a pandas frame.

        Raises:
            DataError: It has too many rows, columns or cells.
        """
        self.check_rows(name, len(table))
        texts = sum(not pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes)
        counts = {
            "columns": (len(table.columns), self.columns),
            "columns of text": (texts, self.text_columns),
            "cells": (table.size, self.cells),
        }
        for noun, (count, most) in counts.items():
            _check_count(name, noun, count, most)

    def check_rows(self, name: str, rows: int) -> None:
        """Reject a table that has too many rows, also as a row for each series and time.

        Args:
            name: Name of its file.
            rows: Number of its rows.

        Raises:
            DataError: It has too many.
        """
        _check_count(name, "rows", rows, self.rows)


def _check_count(name: str, noun: str, count: int, most: int) -> None:
    if count > most:
        raise DataError(
            path=name,
            expected=f"at most {most:,} {noun}",
            received=f"{count:,}",
            hint="Forecast tables of this size with the command line or the library.",
        )


@dataclass(frozen=True)
class Table:
    """A table as it was read, with guesses of its columns' roles.

    Args:
        path: Its file.
        raw: Its content as it was read.
        roles: The roles of its columns.
        dialect: Format of the file, as far as the visitor gave it.
        guess: The guess of its columns.
        steps: Times of a table without times.
        limits: Its limits.
    """

    path: Path
    raw: tables.RawTable
    roles: Roles
    dialect: tables.Dialect = field(default_factory=tables.Dialect)
    guess: tables.ColumnGuess = field(default_factory=lambda: tables.ColumnGuess(None))
    steps: tables.Steps = field(default_factory=tables.Steps)
    limits: TableLimits = field(default_factory=TableLimits)

    @classmethod
    def read(
        cls, path: Path, dialect: tables.Dialect | None = None, limits: TableLimits = TableLimits()
    ) -> Self:
        """Read a file and guess its columns.

        Args:
            path: The file.
            dialect: Its format, as far as the visitor gave it.
            limits: Limits of the table.

        Raises:
            DataError: It is no table, or too large.
            MissingFileError: There is no such file.
        """
        raw = tables.OpenTable.of(path, dialect).raw
        limits.check(path.name, raw.frame)
        guess = tables.guess_columns(raw.frame, day_first=raw.dialect.day_first)
        roles = Roles.of_guess(guess, raw.frame.columns)
        return cls(path, raw, roles, dialect or tables.Dialect(), guess, limits=limits)

    def with_layout(self, layout: str) -> Self:
        """Return the table with the roles that its columns have in another layout.

        Args:
            layout: The layout.
        """
        guess = tables.guess_columns(
            self.raw.frame, {}, layout, day_first=self.raw.dialect.day_first
        )
        return replace(self, roles=Roles.of_guess(guess, self.raw.frame.columns))

    def frame(self) -> VisitorFrame:
        """Return the series, checked.

        Raises:
            DataError: Something in the table is wrong; it names column and row.
        """
        columns = self.roles.columns
        roles = self.roles
        if roles.layout != "long":  # each cell becomes a row
            self.limits.check_rows(self.path.name, len(self.raw.frame) * len(roles.names("value")))
        steps = None if roles.names("time") else self.steps
        options = {"layout": roles.layout, "steps": steps, "ahead": bool(roles.names("future"))}
        rows = tables.read_table(self.path, columns, dialect=self.dialect, **options)
        ahead = None
        if roles.layout == "wide":
            is_chosen = rows.frame[columns.unique_id].isin(roles.names("value"))
            rows = replace(rows, frame=rows.frame[is_chosen])
        elif roles.names("future"):
            known, planned = tables.split_ahead(rows.with_ids(), columns)
            rows = replace(rows, frame=known.drop(columns=list(rows.added)))
            ahead = (
                planned[[columns.unique_id, columns.ds, *roles.names("future")]]
                if len(planned)
                else None
            )
        try:
            facts = Description.of(_checked(rows))
        except DataError as error:
            # Rows were sorted; the index has their places in the file.
            located = rows.locate(error)
            located.row = None if error.row is None else int(rows.frame.index[error.row])
            raise located from error
        problems = tuple(
            self._problem(name, error, rows) for name, error in facts.frame.skipped.items()
        )
        return VisitorFrame(rows, ahead, roles, facts, problems)

    def _problem(self, series: Any, error: DataError, rows: tables.ReadTable) -> str:
        """Return a problem of a series in words, with its place in the file."""
        located = rows.locate(error)
        place = located.where.removeprefix(str(self.path)).removesuffix(
            f" (series {error.series!r})"
        )
        return f"{series}{place}: expected {located.expected}, received {located.received}."


def _checked(rows: tables.ReadTable) -> frames.LongFrame:
    """Return the series of a table, without those in which something is wrong."""
    return frames.read_frame(
        rows.with_ids(),
        rows.columns,
        missing="fill",
        on_bad_series="skip",
        added=rows.added,
        missing_values=rows.dialect.missing_values,
    )


@dataclass(frozen=True)
class VisitorFrame:
    """Series that are ready to be forecast, with their known future and facts about them.

    Args:
        rows: The rows whose values are known, or missing between known ones.
        ahead: The rows after them, with the columns that are known in advance; `None` for none.
        roles: Roles of its columns.
        facts: Facts about the series without problems.
        problems: Problems of the other series, in words.
    """

    rows: tables.ReadTable
    ahead: Any
    roles: Roles
    facts: Description
    problems: tuple[str, ...] = ()

    @cached_property
    def df(self) -> Any:
        """The rows as a pandas frame with ids."""
        return self.rows.with_ids()

    @property
    def columns(self) -> Columns:
        """Names of the columns of the rows."""
        return self.rows.columns

    @property
    def ids(self) -> list[str]:
        """The names of the series that can be forecast, in their order."""
        return [str(each) for each in self.facts.frame.source.ids]

    @property
    def covariates(self) -> dict[str, tuple[str, ...]]:
        """The names of the covariates by role."""
        return {role: self.roles.names(role) for role in COVARIATES if self.roles.names(role)}

    @cached_property
    def _places(self) -> dict[str, Any]:
        """The rows of each series by its name as text, so that a large table is searched once."""
        groups = self.df.groupby(self.columns.unique_id, sort=False, observed=True).indices
        return {str(name): places for name, places in groups.items()}

    def series(self, name: str) -> tuple[Any, Any]:
        """Return the stamps and values of a series, in order of time.

        Args:
            name: Its name.
        """
        rows = self.df.iloc[self._places[name]].sort_values(self.columns.ds)
        return rows[self.columns.ds].to_numpy(), rows[self.columns.value].to_numpy(float)

    def spoken_steps(self, count: int | str) -> str:
        """Return a number of steps in words, such as `60 weeks` or `4 steps of 15 minutes`.

        Args:
            count: The number, or another word in its place.
        """
        plural = "" if count == 1 else "s"
        number, unit = _unit(self.facts.frequency)
        if number == 1:
            return f"{count} {unit}{plural}"
        return f"{count} step{plural} of {number} {unit}s"

    def spoken_end(self, horizon: int, last: Any = None) -> str:
        """Return a forecast's end, such as `, to 8 March 2026`; nothing if steps are irregular.

        Args:
            horizon: Steps of the forecast.
            last: The last stamp before it; `None` takes the latest of all series.
        """
        frequency = self.facts.frame.frequency
        if frequency is None:
            return ""
        end = frequency.after(
            pd.Index([self.df[self.columns.ds].max() if last is None else last]), horizon
        )[0]
        if isinstance(frequency.name, int):
            return f", to step {end}"
        unit = _unit(frequency.name)[1]
        day = "" if unit in OF_MONTHS.values() else f"{end.day} "
        return f", to {day}{end:%B %Y}" + (f"{end:, %H:%M}" if unit in OF_CLOCK.values() else "")


def _unit(frequency: str | int | None) -> tuple[int, str]:
    """Return the number and the name of the units of a step.

    Example:
        >>> _unit("W-SAT"), _unit("15min"), _unit("QS-OCT"), _unit(1)
        ((1, 'week'), (15, 'minute'), (1, 'quarter'), (1, 'step'))
    """
    if not isinstance(frequency, str):
        return frequency or 1, "step"
    parts = re.fullmatch(r"(\d*)([A-Za-z]+)(?:-.*)?", frequency)
    if parts is None:
        raise ValueError(f"the frequency {frequency!r}, which is no pandas alias")
    count, unit = parts.groups()
    return int(count or 1), STEPS.get(unit.rstrip("SE"), unit)


def rows_of(table: Any, columns: Columns, name: str) -> Any:
    """Return the rows of a series in a frame of forecasts.

    Args:
        table: The frame.
        columns: Names of its columns.
        name: Name of the series, as text.
    """
    return table[table[columns.unique_id].astype(str) == name]


def assumed_ahead(frame: VisitorFrame, horizon: int) -> Any:
    """Return a row for each step ahead, with the table's values or else those of a season before.

    Args:
        frame: The series.
        horizon: Number of steps, `H`.

    Returns:
        A pandas frame with the columns that are known in advance; `None` where there are none.
    """
    names = frame.roles.names("future")
    columns = frame.columns
    frequency = frame.facts.frame.frequency
    if not names or frequency is None:
        return None
    repeated = []
    for name, rows in frame.df.groupby(columns.unique_id, sort=False):
        rows = rows.sort_values(columns.ds)
        # Where a series is shorter than a season, its last value goes on.
        season = min(max(1, frame.facts.season_length), len(rows))
        places = len(rows) - season + np.arange(horizon) % season
        season_rows = rows[list(names)].ffill().iloc[places].reset_index(drop=True)
        season_rows.insert(
            0, columns.ds, frequency.following(pd.Index(rows[columns.ds].iloc[-1:]), horizon)
        )
        season_rows.insert(0, columns.unique_id, name)
        repeated.append(season_rows)
    assumed = pd.concat(repeated, ignore_index=True)
    if frame.ahead is None:
        return assumed
    keys = [columns.unique_id, columns.ds]
    known = frame.ahead.drop_duplicates(keys).set_index(keys)[list(names)]
    return (
        known.reindex(assumed.set_index(keys).index)
        .combine_first(assumed.set_index(keys))
        .reset_index()
    )


def changed_ahead(
    ahead: Any, frame: VisitorFrame, series: str, *, step: int, column: str, value: Any
) -> Any:
    """Return the steps ahead with one value changed.

    Args:
        ahead: The steps ahead.
        frame: The series.
        series: Name of the series.
        step: The step, from 0.
        column: The column.
        value: The new value.
    """
    changed = ahead.copy()
    rows = np.flatnonzero((changed[frame.columns.unique_id].astype(str) == series).to_numpy())
    changed.iloc[rows[step], changed.columns.get_loc(column)] = value
    return changed
