"""Exceptions of seqcast, as one tree.

```
SeqcastError
├── SpecError            (ValueError)         an option: unknown name, impossible value
├── DataError            (ValueError)         arrays or frames: NaN, shape, stamps, lengths
│   ├── DataTypeError    (TypeError)          arrays or frames: values that are no numbers at all
│   └── AmbiguityError   (ValueError)         a table can be read in two ways
├── NotFittedError       (scikit-learn's)     a result was asked for before `fit`
├── FileFormatError      (ValueError)         a file is damaged, foreign or of a newer version
├── MissingFileError     (FileNotFoundError)  a file to read does not exist
├── TrainingError        (ArithmeticError)    training diverged
├── SaveError            (OSError)            a file could not be written; an older one is intact
├── ClusterError         (RuntimeError)       a cluster does not answer, or its workers die
├── WorkerDiedError      (BrokenExecutor)     a process ended, perhaps for lack of memory
└── MissingPackageError  (ImportError)        an optional package is not installed
```

Every message says where (argument, or column and row), what was expected, what came, and how to fix
it. It is worded once, for callers from Python. A `DataError` also has the place and the `Fix` as
fields, and a `Phrase` has the options and rows that it mentions. So the command line, for example,
need not parse a message, and no code decides by its words.

Stability: stable.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from seqcast.errors.phrases import Option as Option
from seqcast.errors.phrases import Phrase as Phrase
from seqcast.errors.phrases import Row as Row

# Longer names are not compared, which takes time that grows with the square of their length.
_LONGEST_NAME = 100

# What people write for names of options that do not look alike.
_MEANT = {
    "quick": "fast none",
    "best": "slow full high",
    "skip": "ignore drop",
    "raise": "error",
    "normal": "gaussian",
}


class SeqcastError(Exception):
    """Base of all errors that seqcast raises on purpose.

    Args:
        where: The argument, or the column and row, that is at fault.
        expected: The expected value, in words.
        received: The received value, in words.
        hint: How to fix it.

    Example:
        >>> print(DataError("X", expected="finite numbers", received="nan", hint="Drop the row."))
        X: expected finite numbers, received nan. Drop the row.
    """

    def __init__(
        self, where: str, *, expected: str = "", received: str = "", hint: str = ""
    ) -> None:
        self.where = where
        self.expected = expected
        self.received = received
        self.hint = hint
        super().__init__(compose_message(where, expected=expected, received=received, hint=hint))

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers return their exceptions pickled, and keyword arguments are lost on that way. What
        # was attached since (a history, notes) travels as the state.
        facts = {"expected": self.expected, "received": self.received, "hint": self.hint}
        return partial(type(self), self.where, **facts), (), self.__dict__


class SpecError(SeqcastError, ValueError):
    """An option has an unknown name, an impossible value, or does not go with another option."""


class Fix(StrEnum):
    """The way to fix the data that a `DataError` is about, for code that decides by it.

    Attributes:
        CONVERT: Convert the column to another type.
        CORRECT: Correct the values that are no numbers, or read them as missing.
        DEDUPLICATE: Take one of the rows that a series has for one time, or their mean or sum.
        FILL: Add rows for the missing steps.
        SORT: Sort the rows by series and time.

    Example:
        >>> error = DataError(column="y", expected="numbers", received="type bool", fix=Fix.CONVERT)
        >>> error.fix is Fix.CONVERT, str(error.fix)
        (True, 'convert')
    """

    CONVERT = "convert"
    CORRECT = "correct"
    DEDUPLICATE = "deduplicate"
    FILL = "fill"
    SORT = "sort"


class DataError(SeqcastError, ValueError):
    """Arrays or frames cannot be used as they are.

    Args:
        where: The place at fault, in words; put together from the fields below when it is empty.
        expected: The expected value, in words.
        received: The received value, in words.
        hint: How to fix it, in words.
        fix: How to fix it, for code; `None` where none of these does.
        option: The argument that is at fault, or that holds the data. A column without it is one of
            the call's frame, which is `df` as a rule.
        column: Name of the column.
        row: Number of the row, from 0, in the frame's own order.
        series: Name of the series.
        path: The file that the data came from; `where` then names a place in it.
        missing_values: Values that may stand for missing ones, as they are written: a reader can
            take them as missing.

    Attributes:
        by_series: The first such error of each series that has one, by name; empty where it is not
            about single series.
        rows: Numbers of all rows that are at fault, each by itself; empty where it is not about
            single rows.

    Example:
        >>> error = DataError(column="y", row=3, series="a", expected="a number", received="nan")
        >>> print(error)
        y, row 3 (series 'a'): expected a number, received nan.
        >>> error.column, error.row, error.series, error.option
        ('y', 3, 'a', None)
    """

    # Arguments that a changed error keeps.
    _FIELDS: ClassVar[tuple[str, ...]] = (
        "expected",
        "received",
        "hint",
        "fix",
        "option",
        "column",
        "row",
        "series",
        "path",
        "missing_values",
    )

    def __init__(
        self,
        where: str = "",
        *,
        expected: str = "",
        received: str = "",
        hint: str = "",
        fix: Fix | None = None,
        option: str | None = None,
        column: str | None = None,
        row: int | None = None,
        series: object = None,
        path: str | None = None,
        missing_values: Sequence[str] = (),
    ) -> None:
        where = where or path or compose_place(option=option, column=column, row=row, series=series)
        super().__init__(where, expected=expected, received=received, hint=hint)
        self.fix = fix
        self.option = option
        self.column = column
        self.row = row
        self.series = series
        self.path = path
        self.missing_values = tuple(missing_values)
        self.by_series: dict[Any, DataError] = {}
        self.rows: Sequence[int] = ()

    def changed(self, where: str = "", **fields: Any) -> Self:
        """Return the error with some fields changed.

        Args:
            where: The place at fault, in words; put together from the fields when it is empty.
            **fields: The fields that change.
        """
        error = type(self)(where, **{name: getattr(self, name) for name in self._FIELDS} | fields)
        error.rows = self.rows
        return error

    @classmethod
    def first_of(
        cls, places: Sequence[int], names: Sequence[Any], at: Callable[[int], DataError]
    ) -> DataError:
        """Return the error of the first of some places, with the first of each series in it.

        Args:
            places: Places at which something is wrong.
            names: Name of the series of each of them.
            at: Builds the error for a place.
        """
        firsts: dict[Any, int] = {}
        for place, name in zip(places, names, strict=True):
            firsts.setdefault(name, place)
        by_series = {name: at(place) for name, place in firsts.items()}
        error = by_series[names[0]]
        error.by_series = by_series
        return error


class DataTypeError(DataError, TypeError):
    """Arrays or frames hold things that are not numbers."""


class AmbiguityError(DataError):
    """A table can be read in two ways.

    Args:
        where: The place at fault, as in other errors about data.
        answers: Options each of which settles how the table is read.
        **fields: The other fields of a `DataError`.

    Example:
        >>> answers = (Option("dialect.day_first", True), Option("dialect.day_first", False))
        >>> error = AmbiguityError(column="ds", received="'01/02/2024'", answers=answers)
        >>> error.changed(path="sales.csv").answers[0].value
        True
    """

    _FIELDS: ClassVar[tuple[str, ...]] = (*DataError._FIELDS, "answers")

    def __init__(self, where: str = "", *, answers: Sequence[Option] = (), **fields: Any) -> None:
        super().__init__(where, **fields)
        self.answers = tuple(answers)


class FileFormatError(SeqcastError, ValueError):
    """A file is damaged, is not one of ours, or was written by a newer version."""


class MissingFileError(SeqcastError, FileNotFoundError):
    """A file that should be read does not exist."""

    def __str__(self) -> str:
        # OSError would print its arguments its own way.
        return str(self.args[0])


class TrainingError(SeqcastError, ArithmeticError):
    """Training diverged: the loss of a batch was not finite, or exploded.

    Attributes:
        epoch: The epoch, from 1.
        batch: The batch in it, from 1.
        series: The series whose windows made it diverge.
        columns: The columns whose values stand out in them.
        history: The records of the epochs before.
        best: The trained estimator with the best weights so far, or without validation with those
            before the batch; `None` where there is none, as in a backtest.
    """

    epoch: int | None = None
    batch: int | None = None
    series: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()
    history: Any = None
    best: Any = None


class SaveError(SeqcastError, OSError):
    """A file could not be written; nothing half-written is left and an older file is intact."""

    __str__ = MissingFileError.__str__  # for the same reason


class ClusterError(SeqcastError, RuntimeError):
    """A cluster of other machines does not answer, or its workers died too often."""


class WorkerDiedError(SeqcastError, BrokenExecutor):
    """A process ended in the middle of its work, most likely for lack of memory."""

    @classmethod
    def with_advice(cls, received: str = "its end") -> WorkerDiedError:
        """Return the error with its message and advice.

        Args:
            received: The end of the process, in words.

        Example:
            >>> print(WorkerDiedError.with_advice())
            a process that computes: expected it to run until its work is done, received its end.
            It may have run out of memory. Try again with fewer rows, series or steps, or with less
            effort.
        """
        return cls(
            "a process that computes",
            expected="it to run until its work is done",
            received=received,
            hint=(
                "It may have run out of memory. Try again with fewer rows, series or steps, or "
                "with less effort."
            ),
        )


class MissingPackageError(SeqcastError, ImportError):
    """An optional package is needed for this and is not installed."""


class SeqcastWarning(UserWarning):
    """Base of seqcast's warnings: the result is returned, but perhaps not what was meant."""


def compose_place(
    *,
    option: str | None = None,
    column: str | None = None,
    row: int | None = None,
    series: object = None,
) -> str:
    """Put the fields of a `DataError` together to the place that its message names.

    Args:
        option: The argument.
        column: Name of the column.
        row: Number of the row, from 0.
        series: Name of the series.

    Example:
        >>> compose_place(option="future", column="price", row=3, series="a")
        "future, price, row 3 (series 'a')"
        >>> compose_place(option="df", series=7)
        'df (series 7)'
    """
    names = (option, column, None if row is None else str(Row(row)))
    place = ", ".join(name for name in names if name is not None)
    return place if series is None else f"{place} (series {series!r})"


def compose_message(where: str, *, expected: str = "", received: str = "", hint: str = "") -> str:
    """Put the fragments of an error together to its message.

    Args:
        where: The place at fault, in words.
        expected: The expected value, in words.
        received: The received value, in words.
        hint: How to fix it.

    Example:
        >>> compose_message("horizon", expected="a number >= 1", received="0", hint="Take more.")
        'horizon: expected a number >= 1, received 0. Take more.'
    """
    middle = ", ".join(
        f"{verb} {text}" for verb, text in (("expected", expected), ("received", received)) if text
    )
    message = f"{where}: {middle}" if middle else where
    return f"{message}. {hint}".rstrip() if middle or hint else message


def counted(number: int, noun: str) -> str:
    """Return a number of things in words.

    Args:
        number: Their number.
        noun: The name of one of them.

    Example:
        >>> counted(1, "row"), counted(1234, "row"), counted(2, "series")
        ('1 row', '1,234 rows', '2 series')
    """
    is_plural = number != 1 and not noun.endswith("s")
    return f"{number:,} {noun}s" if is_plural else f"{number:,} {noun}"


def unknown_name(where: str, name: object, known: Iterable[str]) -> SpecError:
    """Build the error for a name that is not in a list, with the nearest one as a suggestion.

    Args:
        where: The argument's name.
        name: The user's text.
        known: The names that exist.

    Returns:
        The error, to be raised.

    Example:
        >>> print(unknown_name("cell", "grru", ["gru", "lstm"]))
        cell: expected one of 'gru', 'lstm', received 'grru'. Did you mean 'gru'?
    """
    names = [str(item) for item in known]
    return SpecError(
        where,
        expected="one of " + ", ".join(repr(item) for item in names),
        received=repr(name),
        hint=suggest_name(name, names) or "Choose one of them.",
    )


def suggest_name(name: object, known: Iterable[str]) -> str:
    """Return the question whether the nearest of the known names was meant; empty if none is near.

    Args:
        name: The user's text.
        known: The names that exist.

    Example:
        >>> suggest_name("grru", ["gru", "lstm"]), suggest_name("transformer", ["gru", "lstm"])
        ("Did you mean 'gru'?", '')
        >>> suggest_name("fast", ["quick", "best"]), suggest_name("y", ["ds", " Y"])
        ("Did you mean 'quick'?", "Did you mean ' Y'?")
    """
    return ask_for(nearest_name(name, known))


def ask_for(nearest: str | None) -> str:
    """Return the question whether a name was meant; empty without a name.

    Args:
        nearest: The name, from `nearest_name`.
    """
    return "" if nearest is None else f"Did you mean {nearest!r}?"


def nearest_name(name: object, known: Iterable[str]) -> str | None:
    """Return the nearest known name: of another case, a synonym, or one that looks alike.

    Args:
        name: The user's text.
        known: The names that exist.
    """
    near = (
        [each for each in known if len(each) <= _LONGEST_NAME]
        if len(str(name)) <= _LONGEST_NAME
        else []
    )
    text = str(name).strip().casefold()
    close = [
        each
        for each in near
        if each.strip().casefold() == text or text in _MEANT.get(each, "").split()
    ]
    close += difflib.get_close_matches(str(name), near, n=1, cutoff=0.5)
    return next(iter(close), None)


# ---------------------------------------------------------------- an exception that is
# scikit-learn's too

if TYPE_CHECKING:

    class NotFittedError(SeqcastError, ValueError, AttributeError):
        """A result was asked for before `fit`."""


def __getattr__(name: str) -> Any:
    # It has to be scikit-learn's too, and scikit-learn takes most of a second to import.
    if name == "NotFittedError":
        from sklearn.exceptions import NotFittedError as SklearnNotFittedError

        namespace = {"__doc__": "A result was asked for before `fit`.", "__module__": __name__}
        globals()[name] = cls = type(name, (SeqcastError, SklearnNotFittedError), namespace)
        return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
