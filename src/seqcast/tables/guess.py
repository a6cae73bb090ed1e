"""Guesses of the layout of a table and of the roles of its columns: time, series, value and covariates.

A guess says in a line what it reads, and which readings are about as likely; the user decides between these.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from typing import Any

import pandas as pd

from seqcast.data.frames import backtest_keys, is_text
from seqcast.errors import DataError, Option, Phrase
from seqcast.specs import Columns, check_choice
from seqcast.tables import layouts, traits
from seqcast.tables.dates import WITHIN_YEARS, YEARS, as_times, is_clock, is_time, seconds, unevenness
from seqcast.tables.number_marks import holds_numbers
from seqcast.tables.tidying import sum_columns
from seqcast.tables.traits import BESIDE, HOUR_WORDS, TIMES, VALUES, YEAR_WORDS, is_flag, is_whole, ranked

# Number of rows that a guess reads; of rows among which it looks for a time that a series has twice.
ROWS_LOOKED_AT, _ROWS_COMPARED = 5_000, 200_000
# Most rows that may have the time of another row of their series, as duplicates.
_MOST_TWICE = 0.05
# Most columns that may name the series together.
_MOST_KEYS = 6
# Most series named by a number for each that has a row at a usual time.
_MOST_ABSENT = 4.0


@dataclass(frozen=True)
class ColumnGuess:
    """Guessed layout of a table, and roles of its columns.

    Args:
        time: The column of the times, or several with commas; `None` if no column could be.
        unique_id: The column that names the series, or several with commas; `None` for a single series or a wide table.
        value: The column of the values; `None` in other layouts than `long`, or if no column could be.
        layout: One of `seqcast.tables.layouts.LAYOUTS`.
        static: Columns that are constant within each series.
        future: Columns that are known beyond the last value.
        past: The others.
        timed: Whether the header has the times, of a series in each row.
        left_out: Columns of numbers that are no series of a table with several in its columns or header, such as sums.
        rivals: The columns of values, or the layouts, that are about as likely as the guessed one; none if it is sure.
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

    @property
    def names(self) -> dict[str, Any]:
        """The guessed names, by the fields of `Columns`."""
        roles = {"unique_id": self.unique_id, "ds": self.time, "y": self.value}
        return {role: name for role, name in roles.items() if name is not None}

    def sentence(self, start: Any = None) -> str:
        """Return what is read, in words.

        Args:
            start: The first time of a table without times, if it is known.

        Example:
            >>> ColumnGuess("Date", "Store", "Sales").sentence(), ColumnGuess(None, layout="wide").sentence()
            ('time: Date, value: Sales, series: Store', 'time: steps 1, 2, 3 …, a series in each column')
        """
        named = self.value if self.value is None or isinstance(self.value, str) else ", ".join(self.value)
        made = "the header" if self.timed else "steps 1, 2, 3 …" if start is None else f"from {start} on"
        words = [f"time: {self.time or made}"]
        words += [layouts.LAYOUTS[self.layout].words] if self.layout != "long" else [f"value: {named}"]
        words += [f"series: {self.unique_id}"] if self.unique_id is not None else []
        columns = f"without the column{'s' * (len(self.left_out) > 1)} {', '.join(map(repr, self.left_out))}; "
        return columns * bool(self.left_out) + ", ".join(words)

    @property
    def question(self) -> DataError | None:
        """The question between readings that are about as likely, as an error; `None` if the guess is sure."""
        if not self.rivals:
            return None
        hint: tuple[Any, ...] = ("Choose ", Option("layout", "wide"), " or ", Option("layout", "rows"), ".")
        expected, received = "a series in each column, or in each row", "a table of numbers that may be either"
        if set(self.rivals) - layouts.LAYOUTS.keys():
            expected = "one column of values"
            received = ", ".join(map(repr, self.rivals[: traits.MANY])) + ", ..." * (len(self.rivals) > traits.MANY)
            # Commas stand between several names.
            several = [name for name in self.rivals if "," not in name][:2]
            hint = ("Name one, such as ", Option("columns.y", self.rivals[0]))
            hint += (", or several, such as ", Option("columns.y", ",".join(several))) if len(several) > 1 else ()
            hint += ("; or read each as a series: ", Option("layout", "wide")) if self.unique_id is None else ()
            hint += (".",)
        return DataError("columns", expected=expected, received=received, hint=Phrase(*hint))


def guess_columns(
    table: Any, given: Mapping[str, str] | None = None, layout: str | None = None, covariates: Iterable[str] = ()
) -> ColumnGuess:
    """Guess the layout of a table and the roles of its columns by their names and values.

    Args:
        table: A pandas frame, as `seqcast.tables.open_table.read_raw` returns it.
        given: Names that the user gave, by the fields of `Columns`; several with commas.
        layout: The layout, if the user gave it.
        covariates: Columns that the user called covariates.

    Returns:
        The guess.

    Raises:
        SpecError: There is no such layout.

    Example:
        >>> import pandas as pd
        >>> rows = {"Day": ["2024-01-01", "2024-01-02"] * 2, "Shop": ["a", "a", "b", "b"], "Sold": [1.0, 2.0, 3.0, 4.0]}
        >>> guess_columns(pd.DataFrame(rows)).sentence()
        'time: Day, value: Sold, series: Shop'
        >>> wide = pd.DataFrame({"day": ["2024-01-01", "2024-01-02"], "north": [1.0, 2.0], "south": [3.0, 4.0]})
        >>> guess_columns(wide).layout
        'wide'
    """
    if layout is not None:
        check_choice("layout", layout, tuple(layouts.LAYOUTS))
    keys = backtest_keys(table.columns, (given or {}).values())
    left_out = {*covariates, *keys}
    others = table[[name for name in table.columns if name not in left_out]]
    others.attrs = {}  # pandas would copy them with each column
    # The usual names need no guess.
    usual = {role: name for role, name in Columns().named() if name in table.columns and layout in (None, "long")}
    guess = _Guesser(others, usual | dict(given or {}), layout).guess()
    return replace(guess, left_out=(*guess.left_out, *keys)) if guess.layout == "wide" else guess


@dataclass(frozen=True)
class _Guesser:
    """The columns of a table, of which the user named some."""

    table: Any
    given: dict[str, Any]
    layout: str | None

    def guess(self) -> ColumnGuess:
        names, head = [str(name) for name in self.table.columns], self.table.head(ROWS_LOOKED_AT)
        known = self.table.notna().any()
        numbers = [name for name in names if known[name] and holds_numbers(head[name])]
        time = self.given.get("ds") or (None if self.layout == "rows" else _guess_time(head, names, numbers))
        keys = layouts.joined_parts(names, time)
        months = layouts.grid_columns(head, time)
        if self.layout == "grid" or (months and self.layout is None and "y" not in self.given):
            others = _others(names, [*keys, *months])
            unique_id = self.given.get("unique_id") or self._id(keys, others, numbers)
            left_out = _others(numbers, [*keys, *months, *layouts.joined_parts(names, unique_id)])
            return ColumnGuess(time, unique_id, layout="grid", left_out=left_out)
        if not keys and self.layout != "wide" and "y" not in self.given:
            rows = self._rows(names, numbers)
            if rows is not None:
                return rows
        if self.layout == "wide":
            return ColumnGuess(time, layout="wide", left_out=sum_columns(head, _others(numbers, keys)))
        others = _others(names, keys)
        likely = _others(others, layouts.joined_parts(names, self.given.get("y")))
        unique_id = self.given.get("unique_id") or self._id(keys, likely, numbers)
        ids = layouts.joined_parts(names, unique_id)
        others = _others(others, ids)
        counters, numbers = self._without_counters(ids, keys, [name for name in others if name in numbers])
        value, rivals = self._value(head, others, numbers)
        alone = unique_id is None and not (keys and self._twice(keys) > _MOST_TWICE)
        if rivals and alone and self.layout is None:
            # What only grows may be a series, such as a population; what begins again counts weeks, by ones rows.
            steps = {name: head[name].diff().dropna() for name in counters}
            grows = [name for name in counters if bool((steps[name] > 0).all() and (steps[name] != 1).any())]
            sums = sum_columns(head, [name for name in others if name in (*rivals, *grows)])
            series = _others(rivals, sums)
            if traits.are_series(head, series):
                flags = [name for name in numbers if is_flag(head[name]) and not traits.are_alike([*series, name])]
                unread = {*counters, *flags, *ranked(numbers, BESIDE), *_others(others, [*counters, *numbers])}
                beside = _others((name for name in others if name in unread and known[name]), [*rivals, *grows])
                return ColumnGuess(time, layout="wide", left_out=(*beside, *sums))
        targets = (value,) if isinstance(value, str) else tuple(value or ())
        rest = _others(others, [*targets, *counters])
        guess = ColumnGuess(time, unique_id, value, left_out=tuple(counters), rivals=rivals)
        return _with_covariates(self.table, guess, rest)

    def _without_counters(self, ids: list[str], keys: Sequence[str], numbers: list[str]) -> tuple[list[str], list[str]]:
        """Return columns of numbers that count rows, days or documents, and those that may hold values.

        Facts and codes of a series are neither. Where nothing is left, nothing is set aside.
        """
        head = self.table.head(ROWS_LOOKED_AT)
        digits, known = head[numbers].apply(pd.to_numeric, errors="coerce"), ranked(numbers, (*VALUES, *BESIDE))
        by_series = digits.groupby([head[name] for name in ids], observed=True) if ids else None
        steps = digits.diff() if by_series is None else by_series.diff()
        most = None if by_series is None else by_series.nunique().max()
        unknown = [name for name in numbers if keys and name not in known]
        counters = [name for name in unknown if traits.is_counter(head[name], steps[name])]
        counters += traits.calendar_columns(digits, as_times(layouts.join_times(head, ",".join(keys)))) if keys else []
        values = [name for name in numbers if name not in counters and (most is None or most[name] > 1)]
        return (counters, values) if values else ([], numbers)

    def _twice(self, keys: Sequence[str]) -> float:
        """Return the fraction of rows whose keys another row has."""
        return float(self.table.head(_ROWS_COMPARED).duplicated(list(keys)).mean())

    def _rows(self, names: Sequence[str], numbers: Sequence[str]) -> ColumnGuess | None:
        """Return the guess of a table without times if a series may be in each row, otherwise nothing."""
        words = [name for name in names if name not in numbers and self.table[name].notna().any()]
        groups = chain.from_iterable(combinations(words[:_MOST_KEYS], count) for count in range(1, 4))
        named = (",".join(group) for group in groups if not self.table.duplicated(list(group)).any())
        unique_id = self.given.get("unique_id") or next(named, None)
        dated, times = layouts.dated_columns(numbers)
        # A column between times that holds no numbers is missed.
        between = names[names.index(dated[0]) : names.index(dated[-1])] if times is not None else []
        left_out = _others(dict.fromkeys([*numbers, *between]), [*dated, *layouts.joined_parts(names, unique_id)])
        by_row = ColumnGuess(None, unique_id, layout="rows", timed=times is not None, left_out=left_out)
        if self.layout == "rows" or by_row.timed:
            return by_row
        if len(numbers) < traits.FEWEST_STEPS or self.layout is not None or (words and "," in (unique_id or ",")):
            return None
        ends = self.table[numbers[-1]].isna().any() and not self.table[list(numbers)].iloc[-1].isna().all()
        more_steps = len(numbers) > len(self.table)
        if ends or len(self.table) == 1 or (words and traits.LIKE_SIZE * len(numbers) > len(self.table)):
            return by_row
        return ColumnGuess(None, layout="wide", rivals=("wide", "rows")) if words or more_steps else None

    def _id(self, keys: Sequence[str], others: Sequence[str], numbers: Sequence[str]) -> str | None:
        """Return the columns whose values have no time twice, the fewest that are likely; `None` for one series."""
        head = self.table.head(_ROWS_COMPARED)
        named = [name for name in ranked(others, traits.IDS) if head[name].nunique() * 2 <= len(head)]
        if not keys:
            return next((name for name in named if name not in numbers), None)
        twice = self._twice(keys)
        if twice == 0:
            # Where each time stands once there is one series, whatever other columns are named.
            return next((name for name in named if head[name].nunique() == 1), None)
        named = [name for name in named if head[name].nunique() > 1]
        words = [name for name in others if name not in numbers]
        # Numbers of series are few times as many as rows of a time; a value has more.
        most = _MOST_ABSENT / (1 - twice)
        whole = [name for name in numbers if is_whole(head[name]) and head[name].nunique() <= most]
        codes = _others(whole, ranked(others, VALUES))
        likely = [name for name in dict.fromkeys([*named, *words, *codes]) if 1 < head[name].nunique() <= len(head) / 2]
        for count in range(1, min(3, len(likely)) + 1):
            groups = {group: self._twice([*group, *keys]) for group in combinations(likely[:_MOST_KEYS], count)}
            group = min(groups, key=lambda each: groups[each])
            if groups[group] <= _MOST_TWICE and groups[group] < twice / 2:
                return ",".join(group)
        return named[0] if named and twice > _MOST_TWICE else None

    def _value(self, head: Any, others: Sequence[str], numbers: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
        """Return the column of the values, and the columns that are about as likely."""
        if "y" in self.given:
            targets = layouts.joined_parts(self.table.columns, self.given["y"]) or self.given["y"].split(",")
            return (targets[0] if len(targets) == 1 else tuple(targets)), ()
        changing = [name for name in numbers if not is_flag(head[name])] or list(numbers)
        beside = set(ranked(changing, BESIDE))
        likely = [name for name in changing if name not in beside] or changing
        named = traits.groups(likely, VALUES) or [[name] for name in changing if name.strip().lower() == "price"]
        # Of two columns with words for values neither is beside the other, unless people forecast just the one.
        words = {*chain.from_iterable(named)}
        is_sure = bool(named) and (named[0][0].strip().lower() in traits.SURE or len(words) == 1)
        if is_sure and len(named[0]) == 1:
            return named[0][0], ()
        measured = set(ranked(changing, traits.MEASURED))
        if len(likely) == 1 < len(measured) and measured == beside and not named:
            # Instruments measure several things, of which none is beside the others.
            likely = [*likely, *_others(changing, likely)]
        # Text in a column of that name becomes an error that names its cell.
        value = next(iter(likely), None) or next(iter(ranked(others, VALUES)), None)
        if len(likely) < 2:
            return value, ()
        # People write first what a table is for.
        first = named[0][0] if named else likely[0]
        return value, (first, *(name for name in likely if name != first))


def _others(names: Iterable[str], but: Iterable[str]) -> tuple[str, ...]:
    left_out = set(but)
    return tuple(name for name in names if name not in left_out)


# ---------------------------------------------------------------- times


def _guess_time(head: Any, names: Sequence[str], numbers: Sequence[str]) -> str | None:
    """Return the column of the times, or the columns that have them together, with commas."""
    dated = [name for name in names if name not in numbers and is_time(head[name])]
    if dated:
        likely = list(dict.fromkeys([*ranked(dated, TIMES), *dated]))
        counts = {name: head[name].nunique() for name in likely}
        first = next(name for name in likely if 2 * counts[name] > max(counts.values()))
        whole = [name for name in numbers if is_whole(head[name])]
        rounds = [name for name in whole if traits.goes_round(head[name], (0, 23), (1, 24))]
        clocks = [*(name for name in names if is_clock(head[name])), *ranked(whole, HOUR_WORDS), *rounds]
        finer = [name for name in clocks if head.duplicated([first, name]).sum() < head.duplicated(first).sum()]
        # Times of a day are even; how long something took is not.
        evenness = {name: unevenness(seconds(head[name]) if is_text(head[name]) else head[name]) for name in finer}
        return ",".join([first, *sorted(evenness, key=lambda name: evenness[name])[:1]])
    elapsed = [name for name in names if is_clock(head[name]) and head[name].notna().any()]
    if elapsed:
        return elapsed[0]
    words = [name for name in names if name not in numbers]
    digits = [name for name in words if head[name].astype("str").str.count(r"\d").median() > 1]
    named = [name for name in ranked(digits, TIMES) if name.strip().lower() in TIMES]
    unread = [*named, *(name for name in words if traits.has_years(head[name]))]
    if unread:
        return unread[0]  # a value that is no time becomes an error that names its cell
    known = head[numbers].notna().all()
    whole = [name for name in numbers if known[name] and is_whole(head[name])]
    least, most = head[whole].min(), head[whole].max()
    years = [name for name in whole if least[name] >= YEARS[0] and most[name] <= YEARS[1]]
    year = next(iter(ranked(years, YEAR_WORDS)), None)
    inside = [name for name in whole if least[name] >= 1 and most[name] <= 53]
    inside += [name for name in words if layouts.quarters_of(head[name].dropna()) is not None]
    in_words = [name for name in words if layouts.months_of(head[name].dropna()) is not None]
    within = [*in_words, *ranked(inside, tuple(chain.from_iterable(WITHIN_YEARS.values())))]
    within += [name for name in inside if name in whole and traits.goes_round(head[name], (1, 12), (1, 52), (1, 53))]
    if year is not None and within:
        days = ranked([name for name in whole if name != within[0]], ("day", "tag"))
        days = days if in_words or layouts.part_of_year(head[within[0]]) == "month" else []
        return ",".join([year, within[0], *days[:1]])
    exact = [name for name in ranked(whole, (*TIMES, *YEAR_WORDS)) if name.strip().lower() in TIMES or name in years]
    # Steps may be counted: whole numbers that only grow, or start again with each series.
    timely, grows = set(ranked(whole, TIMES)), (head[whole].diff()[1:] > 0).mean()
    growing = [name for name in whole if len(numbers) > 1 and grows[name] > 0.5]
    counted = (name for name in growing if traits.counts(head[name], name in timely))
    return next(chain(exact, counted), None)


# ---------------------------------------------------------------- covariates


def _with_covariates(table: Any, guess: ColumnGuess, rest: Sequence[str]) -> ColumnGuess:
    """Return a guess with the columns that are static, known ahead, and neither."""
    static, future, past = list[str](), list[str](), list[str]()
    ids = layouts.joined_parts(list(table.columns), guess.unique_id)
    targets = [guess.value] if isinstance(guess.value, str) else list(guess.value or ())
    has_end = layouts.joined_parts(table.columns, guess.time) and targets and targets[0] in table
    ahead = _at_ends(table, str(guess.time), ids, targets[0]) if has_end else None
    for name in rest:
        if table[name].isna().all():
            continue
        if ids and bool((table.groupby(ids, observed=True)[name].nunique(dropna=False) == 1).all()):
            static.append(name)
        elif ahead is not None and bool(table.loc[ahead, name].notna().any()):
            future.append(name)
        else:
            past.append(name)
    return replace(guess, static=tuple(static), future=tuple(future), past=tuple(past))


def _at_ends(table: Any, time: str, ids: list[str], value: str) -> Any:
    """Return which rows come after the last value of their series, in any order of the rows."""
    times = as_times(layouts.join_times(table, time))
    if times.dtype.kind not in "iufM":
        # A mixture of times and something else, which is an error once the table is read.
        return pd.Series(False, table.index)
    known = times.where(table[value].notna())
    last = known.groupby([table[name] for name in ids], observed=True).transform("max") if ids else known.max()
    return times > last
