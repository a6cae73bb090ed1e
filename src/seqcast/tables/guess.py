"""Guesses of the layout of a table, and of the roles of its columns: time, series, value, others.

A guess says in a line what it reads, and which readings are about as likely; the user decides
between these.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pandas as pd

from seqcast.data.frames import backtest_keys, is_text, parse_stamps
from seqcast.errors import AmbiguityError, DataError, Option, Phrase
from seqcast.specs import Columns, check_choice
from seqcast.tables import layouts
from seqcast.tables.dates import as_times
from seqcast.tables.profiles import FEWEST_STEPS, TableProfile, are_alike
from seqcast.tables.readings import (
    CLEARLY,
    MOST_KEYS,
    MOST_REPEATED,
    Reading,
    best_of,
    series_readings,
    time_readings,
    value_readings,
    wide_reading,
)
from seqcast.tables.tidying import is_total, sum_columns
from seqcast.tables.vocabulary import TIMES, UNITS, WITHIN_DAYS

# A table with words has a series in each row if it has this many steps for each row.
_MANY_STEPS = 20.0
# Evidence of times that are whole numbers.
_IN_NUMBERS = frozenset(("numbers named as times", "counted steps"))
# Most columns that a question names.
_MOST_NAMED = 20
# Most columns that the line on a file names of those that are not used.
_MOST_UNUSED = 5


@dataclass(frozen=True)
class ColumnGuess:
    """Guessed layout of a table, and roles of its columns.

    Args:
        time: The column of the times, or several with commas; `None` if no column could be.
        unique_id: The column that names the series, or several with commas; `None` for a single
            series or a wide table.
        value: The column of the values; `None` in other layouts than `long`, or if no column could
            be.
        layout: One of `seqcast.tables.layouts.LAYOUTS`.
        static: Columns that are constant within each series.
        future: Columns that are known beyond the last value.
        past: The others.
        timed: Whether the header has the times, of a series in each row.
        left_out: Columns of numbers that are no series of a table with several in its columns or
            header, such as sums.
        rivals: The columns of values, or the layouts, that are about as likely as the guessed one;
            none if it is sure.
        unread: Columns of a table without times, some of which may be times; none where the rows
            are named.
        fault: Why the layout is none that is read; `None` if it is one.
    """

    time: str | None
    unique_id: str | None = None
    value: str | tuple[str, ...] | None = None
    layout: str = "long"
    static: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    timed: bool = False
    left_out: tuple[str, ...] = ()
    rivals: tuple[str, ...] = field(default=(), compare=False)
    unread: tuple[str, ...] = field(default=(), compare=False)
    fault: DataError | None = field(default=None, compare=False)

    @property
    def names(self) -> dict[str, Any]:
        """The guessed names, by the fields of `Columns`."""
        roles = {"unique_id": self.unique_id, "ds": self.time, "y": self.value}
        return {role: name for role, name in roles.items() if name is not None}

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns of a long table that may be covariates, and are not used without a name."""
        return (*self.static, *self.future, *self.past)

    def is_known(self, names: Container[str]) -> bool:
        """Return whether nothing had to be guessed, so that nothing has to be said.

        That is a long table whose columns all have a role and a known name.

        Args:
            names: The names that the user gave, and the usual ones; several with commas.
        """
        if self.layout != "long" or self.time is None or self.left_out or self.unused:
            return False
        roles = [name if isinstance(name, str) else ",".join(name) for name in self.names.values()]
        return all(name in names for name in roles)

    def sentence(self, start: Any = None) -> str:
        """Return what is read, and what is not used, in words.

        Args:
            start: The first time of a table without times, if it is known.

        Example:
            >>> ColumnGuess("Date", "Store", "Sales").sentence()
            'time: Date, value: Sales, series: Store'
            >>> ColumnGuess(None, layout="wide").sentence()
            'time: steps 1, 2, 3 …, a series in each column'
            >>> ColumnGuess("Date", None, "Sales", past=("Rain",), left_out=("Row",)).sentence()
            "without the column 'Row'; time: Date, value: Sales; not used: Rain"
        """
        time = self.time
        if not time and self.timed:
            time = "the header"
        elif not time:
            time = "steps 1, 2, 3 …" if start is None else f"from {start} on"

        words = [f"time: {time}"]
        if self.layout != "long":
            words.append(layouts.LAYOUTS[self.layout].words)
        elif isinstance(self.value, tuple):
            words.append(f"value: {', '.join(self.value)}")
        else:
            words.append(f"value: {self.value}")
        if self.unique_id is not None:
            words.append(f"series: {self.unique_id}")

        sentences = [", ".join(words)]
        if self.left_out:
            columns = "columns" if len(self.left_out) > 1 else "column"
            sentences.insert(0, f"without the {columns} {_some(list(map(repr, self.left_out)))}")
        if self.unused:
            sentences.append(f"not used: {_some(self.unused)}")
        return "; ".join(sentences)

    def question(self, start: Any = None) -> DataError | None:
        """Return the question between readings that are about as likely; `None` for a sure guess.

        Args:
            start: The first time of a table without times, if it is known.
        """
        if self.fault is not None:
            return self.fault
        if self.unread and start is None:
            return _ask_for_times(self.unread)
        if not self.rivals:
            return None
        if set(self.rivals) <= layouts.LAYOUTS.keys():
            return _ask_for_layout()
        return _ask_for_values(self.rivals, may_be_wide=self.unique_id is None)


def _parts_across(down: str, across: Sequence[str]) -> DataError:
    """Return the error for a grid of times that is not read.

    It has the quarters of a year, or the years of a month, in each row.
    """
    return DataError(
        "columns",
        expected="a row for each time, or in each row the months of a year or the hours of a day",
        received=f"{down!r} in the rows, and {_listed(across[:3])} … in the columns",
        hint=_or_wide("Write a row for each time"),
    )


def _times_among_names(times: Sequence[str], others: Sequence[str]) -> DataError:
    """Return the error for a header in which some names are times, and others are not."""
    expected = "times in the names of all columns of numbers"
    received = f"{_listed(times)}, in no order"
    if others:
        received = f"{_listed(times[:2])} … and {_listed(others)}"
    return DataError(
        "columns", expected=expected, received=received, hint=_or_wide("Leave the others out")
    )


def _or_wide(advice: str) -> Phrase:
    wide = Option("layout", "wide")
    return Phrase(f"{advice}; or, if each column is a series, give ", wide, ".")


def _ask_for_times(texts: Sequence[str]) -> DataError:
    """Return the question which column has the times, where words cannot be read as such."""
    hint = Phrase("Give the time of the first row and the step, such as ")
    hint = Phrase(hint, Option("start", "2024-01-01"), " and ", Option("freq", "D"))
    hint = Phrase(hint, "; or count the rows: ", Option("layout", "long"))
    named = Option("columns.ds", ...)
    return DataError(
        "columns",
        expected="a column of times",
        received=f"none, and {_listed(texts)} cannot be read as times",
        hint=Phrase(hint, "; or, if a column has the times, name it with ", named, "."),
    )


def _ask_for_layout() -> AmbiguityError:
    """Return the question whether each column of a table without times is a series, or each row."""
    answers = (Option("layout", "wide"), Option("layout", "rows"))
    return AmbiguityError(
        "columns",
        expected="a series in each column, or in each row",
        received="a table of numbers that may be either",
        hint=Phrase("Choose ", answers[0], " or ", answers[1], "."),
        answers=answers,
    )


def _ask_for_values(names: Sequence[str], *, may_be_wide: bool) -> AmbiguityError:
    """Return the question which of several columns has the values."""
    ways: list[str | Option] = ["Name one, such as ", Option("columns.y", names[0])]
    # Commas stand between several names.
    several = [name for name in names if "," not in name][:2]
    if len(several) > 1:
        ways += [", or several, such as ", Option("columns.y", ",".join(several))]

    answers = [Option("columns.y", name) for name in names]
    if may_be_wide:
        answers.append(Option("layout", "wide"))
        ways += ["; or read each as a series: ", answers[-1]]

    return AmbiguityError(
        "columns",
        expected="one column of values",
        received=_listed(names),
        hint=Phrase(*ways, "."),
        answers=answers,
    )


def _some(names: Sequence[str]) -> str:
    """Return the first of some names in a line, and the number of the others."""
    more = f" and {len(names) - _MOST_UNUSED:,} more" if len(names) > _MOST_UNUSED else ""
    return ", ".join(names[:_MOST_UNUSED]) + more


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names in words."""
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return ", ".join(map(repr, names[:_MOST_NAMED])) + more


def guess_columns(
    table: pd.DataFrame,
    given: Mapping[str, str] | None = None,
    layout: str | None = None,
    covariates: Iterable[str] = (),
    *,
    day_first: bool | None = None,
    ds_format: str | None = None,
) -> ColumnGuess:
    """Guess the layout of a table and the roles of its columns by their names and values.

    Args:
        table: A pandas frame, that of a raw table.
        given: Names that the user gave, by the fields of `Columns`; several with commas.
        layout: The layout, if the user gave it.
        covariates: Columns that the user called covariates.
        day_first: Whether the day stands first in times of the header; `None` infers it.
        ds_format: The format of times, if the user gave it: a column that is written so has the
            times.

    Returns:
        The guess.

    Raises:
        AmbiguityError: Times of the header do not show whether the day stands first.
        SpecError: There is no such layout.

    Example:
        >>> days = ["2024-01-01", "2024-01-02"]
        >>> rows = {"Day": days * 2, "Shop": ["a", "a", "b", "b"], "Sold": [1.0, 2.0, 3.0, 4.0]}
        >>> guess_columns(pd.DataFrame(rows)).sentence()
        'time: Day, value: Sold, series: Shop'
        >>> wide = {"day": days, "north": [1.0, 2.0], "south": [3.0, 4.0]}
        >>> guess_columns(pd.DataFrame(wide)).layout
        'wide'
    """
    if layout is not None:
        check_choice("layout", layout, tuple(layouts.LAYOUTS))
    known = dict(given or {})
    keys = backtest_keys(table.columns, known.values())
    if layout in (None, "long"):
        # The usual names need no guess.
        usual = {role: name for role, name in Columns().named() if name in table.columns}
        known = usual | known

    others = table[list(_others(table.columns, [*covariates, *keys]))]
    guesser = _Guesser(TableProfile(others), known, layout, day_first, ds_format)
    guess = guesser.guess()
    return replace(guess, left_out=(*guess.left_out, *keys)) if guess.layout == "wide" else guess


@dataclass(frozen=True)
class _Guesser:
    """A table, of which the user named some columns.

    Args:
        profile: The profiles of its columns.
        given: The names that the user gave, by the fields of `Columns`.
        layout: The layout, if the user gave it.
        day_first: Whether the day stands first in times of the header; `None` infers it.
        ds_format: The format of times, if the user gave it.
    """

    profile: TableProfile
    given: Mapping[str, str]
    layout: str | None
    day_first: bool | None
    ds_format: str | None

    def guess(self) -> ColumnGuess:
        """Return the guess: the first layout that the table may have; long is the last."""
        time = self._time()
        keys = self._parts(time)
        found = self._as_grid(time, keys) or self._as_rows(keys)
        if found is not None:
            return found
        if self.layout == "wide":
            series = _others(self.profile.numbers, keys)
            series = _others(series, sum_columns(self.profile.head, series))
            return ColumnGuess(time, layout="wide", left_out=self._left_out([*keys, *series]))
        return self._as_long(time, keys)

    def _time(self) -> str | None:
        """Return the column of the times, or several with commas; `None` for no times."""
        if self.layout == "rows":
            return None
        if "ds" in self.given:
            return self.given["ds"]

        taken = {*self._parts(self.given.get("y")), *self._parts(self.given.get("unique_id"))}
        readings = time_readings(self.profile)
        dated, times = layouts.dated_columns(self.profile.numbers, self.day_first)
        if times is not None:
            taken.update(dated)
            # Where the header has times, whole numbers are names of rows.
            readings = [each for each in readings if _IN_NUMBERS.isdisjoint(each.evidence)]
        free = [each for each in readings if taken.isdisjoint(each.columns)]

        written = _others(self._written_as_times(), taken)
        fitting = [each for each in free if each.columns and set(each.columns) <= set(written)]
        if written and not fitting:
            return written[0]
        return ",".join(best_of(fitting or free).columns) or None

    def _written_as_times(self) -> list[str]:
        """Return the columns whose values all have the format of times that the user gave."""
        if self.ds_format is None or "%" not in self.ds_format:
            return []
        return [
            name
            for name, column in self.profile.columns.items()
            if _has_format(column.values, self.ds_format)
        ]

    def _parts(self, name: str | None) -> list[str]:
        """Return the columns that a name stands for."""
        return layouts.joined_parts(self.profile.columns, name)

    def _series(self, keys: Sequence[str], others: Sequence[str]) -> str | None:
        """Return the columns that name the series, with commas; `None` for one series."""
        if "unique_id" in self.given:
            return self.given["unique_id"]
        return ",".join(best_of(series_readings(self.profile, keys, others)).columns) or None

    def _left_out(self, used: Iterable[str]) -> tuple[str, ...]:
        """Return the columns that are not used."""
        return _others(self.profile.columns, used)

    def _as_grid(self, time: str | None, keys: Sequence[str]) -> ColumnGuess | None:
        """Return the guess of a table with the months of years or hours of days in its columns."""
        cells = layouts.grid_columns(self.profile.head, time)
        if self.layout != "grid" and (not cells or self.layout is not None or "y" in self.given):
            return None
        series = self._series(keys, _others(self.profile.columns, [*keys, *cells]))
        used = [*keys, *cells, *self._parts(series)]
        return ColumnGuess(time, series, layout="grid", left_out=self._left_out(used))

    def _as_rows(self, keys: Sequence[str]) -> ColumnGuess | None:
        """Return the guess of a table without a column of times if a series may be in each row."""
        if keys or self.layout == "wide" or "y" in self.given:
            return None
        numbers = self.profile.numbers
        dated, times = layouts.dated_columns(numbers, self.day_first)
        timed = times is not None
        series = self._name_of_rows(_others(numbers, dated) if timed else ())
        sums = () if timed or self.layout == "rows" else self._totals(numbers)
        left_out = self._left_out([*_others(dated, sums), *self._parts(series)])
        by_row = ColumnGuess(None, series, layout="rows", timed=timed, left_out=left_out)
        if self.layout is not None:
            return by_row if timed or self.layout == "rows" else None

        fault = _mixed_header(numbers, dated if timed else ())
        if fault is None and timed and self._are_parts(series):
            fault = _parts_across(str(series), dated)
        if fault is not None or timed:
            return replace(by_row, fault=fault)
        return self._as_rows_without_times(by_row)

    def _name_of_rows(self, numbers: Sequence[str]) -> str | None:
        """Return the columns that name a row each, with commas: of words, or else of numbers."""
        if self.given.get("unique_id"):
            return self.given["unique_id"]
        table = self.profile.table
        words = self.profile.words[:MOST_KEYS]
        for count in range(1, 4):
            for group in combinations(words, count):
                if not table.duplicated(list(group)).any():
                    return ",".join(group)
        return next((name for name in numbers if table[name].is_unique), None)

    def _as_rows_without_times(self, by_row: ColumnGuess) -> ColumnGuess | None:
        """Return the guess of a table without times in columns or header, if rows may be series."""
        numbers = self.profile.numbers
        has_words = bool(self.profile.words)
        has_one_name = by_row.unique_id is not None and "," not in by_row.unique_id
        if len(numbers) < FEWEST_STEPS or (has_words and not has_one_name):
            return None

        table = self.profile.table
        last = table[numbers].iloc[-1]
        ends = table[numbers[-1]].isna().any() and not last.isna().all()
        if ends or len(table) == 1 or (has_words and _MANY_STEPS * len(numbers) > len(table)):
            return by_row
        if has_words or len(numbers) > len(table):
            return ColumnGuess(None, layout="wide", rivals=("wide", "rows"))
        return None

    def _totals(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that are sums of others, or are called totals."""
        sums = sum_columns(self.profile.head, names)
        return tuple(name for name in names if name in sums or is_total(name))

    def _are_parts(self, name: str | None) -> bool:
        """Return whether a column holds parts of years or days, which are across it then."""
        column = self.profile.columns.get(str(name))
        if column is None:
            return False
        return column.is_month or column.is_quarter or WITHIN_DAYS.is_name(column.name)

    def _as_long(self, time: str | None, keys: Sequence[str]) -> ColumnGuess:
        """Return the guess of a table with a row for each series and time.

        A table with alike columns is wide.
        """
        targets = self._parts(self.given.get("y"))
        others = _others(self.profile.columns, keys)
        series = self._series(keys, _others(others, targets))
        ids = self._parts(series)
        others = _others(others, ids)
        readings = value_readings(self.profile, keys, ids, others)
        counters = [each.columns[0] for each in readings if "numbers of rows" in each.evidence]
        uncounted = _others(others, counters)
        guess = ColumnGuess(time, series)
        if "y" in self.given:
            named = targets or self.given["y"].split(",")
            value = named[0] if len(named) == 1 else tuple(named)
            return self._with_covariates(replace(guess, value=value), uncounted)
        if not readings:
            return self._with_covariates(guess, uncounted)

        best = best_of(readings)
        likely = [each for each in readings if best.score - each.score < CLEARLY]
        likely.sort(key=lambda each: (each is not best, each.place))
        names = [each.columns[0] for each in likely]
        guess = replace(guess, unread=self._unread(keys, ids))
        if len(names) == 1:
            return self._with_covariates(replace(guess, value=names[0]), uncounted)

        alike: tuple[str, ...] = ()
        if self.layout is None and series is None and self._has_one_series(keys):
            alike = self._series_across(best, names, others)
        if alike:
            fault = self._grid_across(keys, alike)
            left_out = self._left_out([*keys, *alike])
            return replace(guess, layout="wide", left_out=left_out, fault=fault)
        guess = replace(guess, value=names[0], rivals=tuple(names))
        return self._with_covariates(guess, uncounted)

    def _grid_across(self, keys: Sequence[str], columns: Sequence[str]) -> DataError | None:
        """Return the error for years in the rows and their parts in the columns, if they are so."""
        has_years = len(keys) == 1 and self.profile.columns[keys[0]].are_years
        is_grid = has_years and layouts.count_parts(columns)
        return _parts_across(keys[0], columns) if is_grid else None

    def _unread(self, keys: Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of a table without times that may have some, in an unknown format."""
        if keys or self.layout is not None:
            return ()
        named = filter(TIMES.is_name, self.profile.numbers)
        return _others([*self.profile.words, *named], ids)

    def _series_across(
        self, best: Reading, names: Sequence[str], others: Sequence[str]
    ) -> tuple[str, ...]:
        """Return columns that are likelier series of one thing than one of them is the value."""
        sums = sum_columns(self.profile.head, [name for name in others if name in names])
        alike = _others(names, sums)
        if wide_reading(self.profile, best, alike).score <= best.score:
            return ()
        flags = [
            name
            for name in _others(self.profile.numbers, alike)
            if name in others and self.profile.columns[name].is_flag
        ]
        return (*alike, *(name for name in flags if are_alike([*alike, name])))

    def _has_one_series(self, keys: Sequence[str]) -> bool:
        """Return whether hardly a time stands twice."""
        return not keys or self.profile.repeated(keys) <= MOST_REPEATED

    def _with_covariates(self, guess: ColumnGuess, others: Sequence[str]) -> ColumnGuess:
        """Return a guess with the columns that are static, known ahead, and neither."""
        table = self.profile.table
        ids = self._parts(guess.unique_id)
        keys = self._parts(guess.time)
        targets = [guess.value] if isinstance(guess.value, str) else list(guess.value or ())
        ahead = pd.Series(False, table.index)
        if keys and targets and targets[0] in table:
            ahead = _at_ends(table, str(guess.time), ids, targets[0])

        static = list[str]()
        future = list[str]()
        past = list[str]()
        for name in _others(others, targets):
            if not self.profile.columns[name].is_known:
                continue
            if ids and _is_static(table, name, ids):
                static.append(name)
            elif table.loc[ahead, name].notna().any():
                future.append(name)
            else:
                past.append(name)
        return replace(
            guess,
            static=tuple(static),
            future=tuple(future),
            past=tuple(past),
            left_out=self._left_out([*keys, *ids, *targets, *static, *future, *past]),
            fault=guess.fault or self._mixed_units([*future, *past]),
        )

    def _mixed_units(self, names: Iterable[str]) -> DataError | None:
        """Return the error for values of a series in several units, as a column of words says."""
        for name in names:
            if name not in self.profile.words or not UNITS.occur_in(name):
                continue
            units = self.profile.table[name].dropna().unique().tolist()
            if len(units) > 1:
                own_series = Option("columns.unique_id", name)
                return DataError(
                    "columns",
                    expected="values of a series in one unit",
                    received=f"{_listed(units)} in the column {name!r}",
                    hint=Phrase(
                        "Convert them to one, or read a series for each: ", own_series, "."
                    ),
                )
        return None


def _is_static(table: pd.DataFrame, name: str, ids: list[str]) -> bool:
    """Return whether a column has one value in each series."""
    values = table.groupby(ids, observed=True)[name]
    return bool((values.nunique(dropna=False) == 1).all())


def _has_format(values: pd.Series, ds_format: str) -> bool:
    """Return whether all values of a column are times of a format."""
    are_written = is_text(values) or values.dtype.kind in "iu"
    if not are_written or not len(values) or values.isna().any():
        return False
    return bool(parse_stamps(values, ds_format).notna().all())


def _mixed_header(names: Sequence[str], dated: Sequence[str]) -> DataError | None:
    """Return the error for names of columns of which some are times, but not all.

    Args:
        names: The names.
        dated: Those that are read as times; without any, half of the names have to be times.
    """
    rest = _others(names, dated)
    if len(names) <= 3 or not rest:
        return None

    are_times = as_times(pd.Series(list(rest), dtype="str")).notna()
    times = [name for name, is_time in zip(rest, are_times, strict=True) if is_time]
    # A year next to its months is their sum.
    times = [name for name in times if not name.strip().isdecimal()]
    is_mixed = bool(dated) or 2 * len(times) >= len(names) > len(times)
    if not times or not is_mixed:
        return None
    return _times_among_names([*dated, *times], _others(rest, times))


def _others(names: Iterable[str], but: Iterable[str]) -> tuple[str, ...]:
    left_out = set(but)
    return tuple(name for name in names if name not in left_out)


def _at_ends(table: pd.DataFrame, time: str, ids: list[str], value: str) -> pd.Series:
    """Return which rows come after the last value of their series, in any order of the rows."""
    times = as_times(layouts.join_times(table, time))
    if times.dtype.kind not in "iufM":
        # A mixture of times and something else, which is an error once the table is read.
        return pd.Series(False, table.index)

    known = times.where(table[value].notna())
    last = known.max()
    if ids:
        last = known.groupby([table[name] for name in ids], observed=True).transform("max")
    is_after: pd.Series = times > last
    return is_after
